//! A hand on a keyboard: what is a person's own in dwell and interval, and one stretch of typing made of it.
//!
//! How people differ stands in `training/world.toml`, fitted to real typists but for the example's.
//! Worked example: a typist with a median interval of 180 ms whose habit at position 3 of the phrase is +.30 presses
//! it 180 x e^.30 = 243 ms after position 2 in the median, login after login.

use super::chance::{Chance, derive, habit};
use super::parameters::TypistSpread;

/// One key going down and up, milliseconds after the start of the stretch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke {
    /// `KeyClass` number of the wire.
    pub class: i32,
    /// USB HID usage of letters, space, enter and erase; 0 for other keys.
    pub usage: u32,
    /// When the key went down.
    pub press_ms: f64,
    /// When it came up.
    pub release_ms: f64,
}

/// What changes a hand from some day on and wears off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Upset {
    /// First day, micros since 1970.
    pub from_micros: i64,
    /// Days after which a third of it is left.
    pub recovery_days: f64,
    /// Size in within-person standard deviations.
    pub size: f64,
}

/// What is a person's own in typing.
#[derive(Debug, Clone, PartialEq)]
pub struct Typist {
    seed: u64,
    interval_median_ms: f64,
    interval_sigma: f64,
    phrase_sigma: f64,
    dwell_mean_ms: f64,
    dwell_variation: f64,
    erase_share: f64,
    bounce_share: f64,
    /// Share of presses made by software (a screen reader's or switch's own keys), with constant dwell.
    pub synthetic_share: f64,
    /// What upsets the hand, if anything.
    pub upset: Option<Upset>,
    /// How much quicker or slower today's desk makes the hand, as a logarithm.
    pub pace: f64,
    /// The desk typed at, when it is not the usual one; 0 for that.
    pub desk: u64,
    /// Another layout used for a share of free text: its own habits, and how often.
    pub layout: Option<(u64, f64)>,
    drift: f64,
    phrase_count: u32,
}

/// Letters by their share of English text; nothing is spelled, successive letters are independent.
const LETTER_SHARES: [f64; 26] = [
    8.2, 1.5, 2.8, 4.3, 12.7, 2.2, 2.0, 6.1, 7.0, 0.15, 0.77, 4.0, 2.4, 6.7, 7.5, 1.9, 0.095, 6.0, 6.3, 9.1, 2.8, 0.98,
    2.4, 0.15, 2.0, 0.074,
];

/// What everybody's interval to a key of a class is multiplied by, by `KeyClass` number: the hand travels to digits
/// and punctuation, space falls to the thumb.
const INTERVAL_BY_CLASS: [f64; 9] = [1.0, 1.0, 1.45, 1.4, 0.85, 1.35, 1.3, 1.2, 1.3];
/// The same for dwell.
const DWELL_BY_CLASS: [f64; 9] = [1.0, 1.0, 0.98, 1.02, 0.92, 0.95, 0.85, 1.9, 0.95];

const POSITION: u64 = 0x705;
const POSITION_DWELL: u64 = 0x70d;
const DIGRAPH: u64 = 0xd16;
const KEY: u64 = 0x6e7;
const UPSET: u64 = 0xbad;
const DESK: u64 = 0xde5;

impl Typist {
    /// Draws a typist; the hand belongs to `seed` whatever is typed with it.
    pub fn draw(seed: u64, spread: &TypistSpread) -> Self {
        let mut chance = Chance::new(derive(seed, 1, 0));
        Self {
            seed,
            interval_median_ms: spread.interval_median.draw(&mut chance),
            interval_sigma: spread.interval_sigma.draw(&mut chance),
            phrase_sigma: spread.phrase_sigma.draw(&mut chance),
            dwell_mean_ms: spread.dwell.draw(&mut chance),
            dwell_variation: spread.dwell_variation.draw(&mut chance),
            erase_share: spread.erase.draw(&mut chance).min(0.2),
            bounce_share: 0.0,
            synthetic_share: 0.0,
            upset: None,
            pace: 0.0,
            desk: 0,
            layout: None,
            drift: chance.normal(0.0, 0.05),
            phrase_count: 0,
        }
    }

    /// Slows and roughens the hand (B08): intervals 1.5 to 4 times, wide spread, bounced keys, many corrections.
    pub fn impair(&mut self, chance: &mut Chance) {
        self.interval_median_ms *= chance.uniform(1.5, 4.0);
        self.interval_sigma = chance.uniform(0.8, 1.2);
        self.phrase_sigma = chance.uniform(0.45, 0.75);
        self.dwell_variation = chance.uniform(0.25, 0.45);
        self.erase_share = chance.uniform(0.10, 0.25);
        self.bounce_share = chance.uniform(0.01, 0.05);
    }

    /// Classes of the presses of a phrase of 10 to 14 presses, enter last; a function of the phrase alone.
    pub fn phrase_classes(phrase_seed: u64) -> Vec<i32> {
        let mut chance = Chance::new(derive(phrase_seed, 2, 0));
        let length = chance.whole(10, 14) as usize;
        let mut classes = vec![1; length];
        if chance.happens(0.6) {
            let at = chance.whole(2, length as u64 - 4) as usize;
            classes[at] = 3;
        }
        if chance.happens(0.5) {
            classes[length - 2] = 2;
            if chance.happens(0.6) {
                classes[length - 3] = 2;
            }
        }
        classes[length - 1] = 5;
        classes
    }

    /// How much the upset weighs at an instant, in within-person standard deviations.
    fn upset_at(&self, time_micros: i64) -> f64 {
        match self.upset {
            Some(upset) if time_micros >= upset.from_micros => {
                let days = (time_micros - upset.from_micros) as f64 / 86_400.0e6;
                upset.size * (-days / upset.recovery_days).exp()
            }
            _ => 0.0,
        }
    }

    /// Takes over what typing at another desk taught the hand.
    pub fn remember(&mut self, elsewhere: &Typist) {
        (self.drift, self.phrase_count) = (elsewhere.drift, elsewhere.phrase_count);
    }

    /// Median interval between letters, milliseconds.
    pub fn interval_median_ms(&self) -> f64 {
        self.interval_median_ms
    }

    /// What today's desk changes of a habit: small, and the same every time at that desk.
    fn at_desk(&self, at: u64) -> f64 {
        if self.desk == 0 { 0.0 } else { self.pace + 0.06 * habit(derive(self.seed ^ self.desk, DESK, at)) }
    }

    /// One login's speed against the typist's own, as a logarithm: slow drift between logins, and the day's form.
    fn form(&mut self, chance: &mut Chance) -> f64 {
        self.drift = 0.92 * self.drift + chance.normal(0.0, 0.025);
        self.drift + chance.normal(0.0, 0.05)
    }

    /// Types the phrase once. A new phrase is typed up to 15 % slower than a practised one.
    pub fn phrase(&mut self, phrase_seed: u64, time_micros: i64, chance: &mut Chance) -> Vec<Stroke> {
        let form = self.form(chance) + 0.15 * (-f64::from(self.phrase_count) / 15.0).exp();
        self.phrase_count += 1;
        let upset = self.upset_at(time_micros);
        let own = derive(self.seed, 3, phrase_seed);
        let mut press_ms = 0.0;
        let mut strokes = Vec::new();
        for (position, class) in Self::phrase_classes(phrase_seed).into_iter().enumerate() {
            let at = position as u64;
            let shift = upset * self.phrase_sigma * (0.6 + 0.8 * habit(derive(own, UPSET, at))).clamp(-1.0, 2.0) * 0.5;
            let sigma = self.phrase_sigma * (0.25 * habit(derive(own, POSITION_DWELL, 64 + at))).exp();
            let habitual = 0.28 * habit(derive(own, POSITION, at)) + form + shift + self.at_desk(at);
            let mut interval = self.interval_median_ms
                * INTERVAL_BY_CLASS[class as usize]
                * (habitual + chance.normal(0.0, sigma)).exp();
            if chance.happens(0.03) {
                interval += chance.lognormal(350.0, 0.5);
            }
            let dwell_shift = 0.15 * habit(derive(own, POSITION_DWELL, at))
                + 0.3 * form
                + upset * self.dwell_variation * 0.4 * habit(derive(own, UPSET, 64 + at));
            let dwell = self.dwell_mean_ms
                * DWELL_BY_CLASS[class as usize]
                * (dwell_shift + chance.normal(0.0, self.dwell_variation)).exp();
            if position > 0 {
                press_ms += interval.clamp(12.0, 8_000.0);
            }
            let usage = if class == 5 { 40 } else { 0 };
            strokes.push(Stroke { class, usage, press_ms, release_ms: press_ms + dwell.clamp(18.0, 1_500.0) });
        }
        self.soften(&mut strokes, chance);
        strokes
    }

    /// Types `count` presses of free text: letters by their frequency, spaces, some punctuation, digits and erasing.
    pub fn free_text(&mut self, count: usize, time_micros: i64, chance: &mut Chance) -> Vec<Stroke> {
        let form = self.form(chance);
        let upset = self.upset_at(time_micros);
        let layout = self.layout.filter(|(_, share)| chance.happens(*share)).map_or(0, |(layout, _)| layout);
        let hand = self.seed ^ layout;
        let mut press_ms = 0.0;
        let mut before = 0;
        let mut strokes = Vec::with_capacity(count);
        for index in 0..count {
            let (class, usage) = self.key(chance);
            let key = usage + 64 * class as u32;
            let own = derive(hand, DIGRAPH, u64::from(before) * 4096 + u64::from(key));
            let habitual = 0.16 * habit(own)
                + 0.10 * habit(derive(hand, KEY, u64::from(key) + 4096))
                + form
                + self.at_desk(u64::from(key) + 4096)
                + 0.15 * upset * self.interval_sigma;
            let mut interval = self.interval_median_ms
                * INTERVAL_BY_CLASS[class as usize]
                * (habitual + chance.normal(0.0, self.interval_sigma * 0.8)).exp();
            if chance.happens(if class == 1 { 0.015 } else { 0.08 }) {
                interval += chance.lognormal(900.0, 0.8);
            }
            let bounced = chance.happens(self.bounce_share);
            if bounced {
                interval = chance.uniform(5.0, 40.0);
            }
            let dwell = self.dwell_mean_ms
                * DWELL_BY_CLASS[class as usize]
                * (0.10 * habit(derive(self.seed, KEY, u64::from(key)))
                    + 0.3 * form
                    + chance.normal(0.0, self.dwell_variation * 1.3))
                .exp();
            if index > 0 {
                press_ms += interval.clamp(5.0, 9_000.0);
            }
            strokes.push(Stroke { class, usage, press_ms, release_ms: press_ms + dwell.clamp(15.0, 1_800.0) });
            before = key;
        }
        self.soften(&mut strokes, chance);
        strokes
    }

    fn key(&self, chance: &mut Chance) -> (i32, u32) {
        let other = 1.0 - self.erase_share;
        match chance.weighted(&[
            0.78 * other,
            0.15 * other,
            0.03 * other,
            0.015 * other,
            0.01 * other,
            self.erase_share,
            0.015,
        ]) {
            0 => (1, 4 + chance.weighted(&LETTER_SHARES) as u32),
            1 => (4, 44),
            2 => (3, 0),
            3 => (2, 0),
            4 => (5, 40),
            5 => (6, 42),
            _ => (8, 0),
        }
    }

    /// Gives presses made by software their constant dwell.
    fn soften(&self, strokes: &mut [Stroke], chance: &mut Chance) {
        if self.synthetic_share == 0.0 {
            return;
        }
        for stroke in strokes {
            if chance.happens(self.synthetic_share) {
                stroke.release_ms = stroke.press_ms + 10.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::parameters::Parameters;

    fn drawn(seed: u64) -> Typist {
        Typist::draw(seed, &Parameters::shipped().expect("sound").typist)
    }

    fn mean_log_interval(strokes: &[Stroke]) -> f64 {
        let logs: Vec<f64> = strokes.windows(2).map(|two| (two[1].press_ms - two[0].press_ms).ln()).collect();
        logs.iter().sum::<f64>() / logs.len() as f64
    }

    #[test]
    fn a_phrase_has_ten_to_fourteen_presses_and_ends_with_enter() {
        for seed in 0..50 {
            let classes = Typist::phrase_classes(seed);
            assert!((10..=14).contains(&classes.len()));
            assert_eq!(classes.last(), Some(&5));
        }
    }

    #[test]
    fn a_typist_is_nearer_to_themselves_than_to_another() {
        let mut chance = Chance::new(5);
        let (mut one, mut other) = (drawn(11), drawn(12));
        let mut own = Vec::new();
        let mut others = Vec::new();
        for _ in 0..40 {
            own.push(mean_log_interval(&one.phrase(9, 0, &mut chance)));
            others.push(mean_log_interval(&other.phrase(9, 0, &mut chance)));
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let spread = own.iter().map(|v| (v - mean(&own)).powi(2)).sum::<f64>() / 40.0;
        assert!((mean(&own) - mean(&others)).abs() > spread.sqrt());
    }

    #[test]
    fn an_upset_hand_is_slower_at_first_and_recovers() {
        let mut typist = drawn(3);
        let upset = Upset { from_micros: 1_000, recovery_days: 10.0, size: 3.0 };
        typist.upset = Some(upset);
        assert_eq!(typist.upset_at(0), 0.0);
        assert!((typist.upset_at(1_000) - 3.0).abs() < 1e-9);
        assert!(typist.upset_at(1_000 + 60 * 86_400_000_000) < 0.01);
    }
}
