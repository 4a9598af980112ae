//! Fixed phrases: a Student-t likelihood ratio per position against a background that needs no sample of the phrase.
//!
//! Position *j* of a phrase gives a dwell and, from the second press on, a press interval, both as ln(time + shift).
//! What a stranger would type there is not known for this phrase. It is expected around the mean of all people for the
//! key classes, drawn towards this worker's own mean: where the worker is slow the phrase is probably hard, and it is
//! hard for strangers too. Where other workers of the tenant type the same phrase, their means sharpen what a
//! stranger is expected to do ([`super::background`]).
//!
//! What a login may teach is gated ([`super::gate`]).

use super::accord::{Deviation, log_density};
use super::anchor::anchor_bytes;
use super::background::{MEAN_ORIGIN, MEAN_STEP, NEVER_SEEN, PhraseBackground};
pub use super::calibration::{PhraseParameters, PhraseScore};
use super::gate::{self, Gate, Lesson, PARTIAL_WEIGHT};
use super::lineup::{DWELL_SHIFT_MICROS, PRESS_INTERVAL_SHIFT_MICROS, pool_key};
pub use super::lineup::{
    PHRASE_PRESSES_MAX, PHRASE_PRESSES_MIN, PRIOR_COUNT, PhraseObservation, PhraseTime, Prior, log_dwell,
    log_press_interval, prior_index,
};
use serde::{Deserialize, Serialize};

/// Degrees of freedom of a worker's own times: one slip in eleven presses must not refuse a login.
const WORKER_FREEDOM: f64 = 4.0;
/// Degrees of freedom of a stranger's times.
const BACKGROUND_FREEDOM: f64 = 8.0;
/// Deviation, in worker spreads, beyond which a position counts no more in the robust distance.
const DISTANCE_CLIP: f64 = 5.0;
/// Deviation, in worker spreads, beyond which a learned time is pulled in (Huber's kappa).
const LEARN_CLIP: f64 = 2.0;
/// Weight of a new login in a settled mean: about the ten most recent logins count.
const MEAN_RATE: f64 = 0.15;
/// Weight of a new login in a settled variance.
const VARIANCE_RATE: f64 = 0.05;
/// Least variance believed of a hand at one position: a fortieth of the time. A coarse clock hides what is less.
const OWN_VARIANCE_MIN: f64 = 0.0005;
/// Logins' worth of trust in the population's within-person variance.
const VARIANCE_PRIOR_COUNT: f64 = 8.0;

/// Logins learned with reserve before the gate of a settled profile holds, on a clock that is fine enough.
pub const YOUNG_COUNT: u16 = super::gate::YOUNG_COUNT;

/// What is kept of one phrase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhraseProfile {
    /// Which phrase.
    pub key: u64,
    /// Its presses.
    pub press_count: u16,
    /// Logins learned, saturating.
    pub count: u16,
    /// Day of the last login learned, since 1970, in the lower half; in the upper the mark of its classes, 0 where none
    /// were told. One number, so that profiles stored without a mark are read as what they are.
    stamp: u32,
    /// Log-likelihood ratio of the login before, in steps of [`DOUBT_STEP`], when it was not fully learned.
    doubt: Option<i16>,
    /// Recent mean per time in steps of [`MEAN_STEP`] from [`MEAN_ORIGIN`]; [`NEVER_SEEN`] where none was seen.
    pub(super) means: Vec<i16>,
    /// Recent standard deviation of ln time, in steps of [`SPREAD_STEP`], one per mean; behind them the anchor
    /// ([`super::anchor`]) once there is one, so that profiles stored without it are read as what they are.
    pub(super) spreads: Vec<u16>,
}

/// Logins after which a profile is not thrown away for one login of another length.
const SLIP_COUNT_MIN: u16 = 5;
/// Days after which an unused phrase gives way to one of the same name and another length.
const SLIP_DAYS_MAX: u32 = 14;

/// Step of a stored spread, in ln: fine enough that the slow rate of learning is not lost in rounding, and two bytes
/// hold every spread under 1.
const SPREAD_STEP: f64 = 1.0 / 16_384.0;
/// Step of a stored doubt, nats.
const DOUBT_STEP: f64 = 1.0 / 256.0;
/// Bytes that a press takes when written down: mean and spread of a dwell and of a press interval.
const BYTES_PER_PRESS: usize = 8;
/// Logins learned before a profile speaks for the background of its phrase: one or two say little of a hand.
const POOLED_COUNT_MIN: u16 = 3;

fn stored_mean(mean: f64) -> i16 {
    ((mean - MEAN_ORIGIN) / MEAN_STEP).round().clamp(-32_000.0, 32_000.0) as i16
}

fn stored_spread(variance: f64) -> u16 {
    (variance.max(0.0).sqrt() / SPREAD_STEP).round().clamp(1.0, 16_383.0) as u16
}

impl PhraseProfile {
    /// A profile that has learned nothing yet of this phrase.
    pub fn new(observation: &PhraseObservation) -> Self {
        let length = observation.times.len();
        Self {
            key: observation.key,
            press_count: observation.press_count,
            count: 0,
            stamp: u32::from(observation.class_mark) << 16,
            doubt: None,
            means: vec![NEVER_SEEN; length],
            spreads: vec![0; length],
        }
    }

    /// Whether every time has its spread, and the anchor, where there is one, all its times.
    pub fn sound(&self) -> bool {
        self.spreads.len() == self.means.len() || self.anchor_sound()
    }

    /// Whether the observation can be lined up with this profile.
    pub fn lines_up(&self, observation: &PhraseObservation) -> bool {
        let (kept, seen) = ((self.stamp >> 16) as u16, observation.class_mark);
        self.key == observation.key
            && self.press_count == observation.press_count
            && (kept == seen || kept == 0 || seen == 0)
            && self.means.len() == observation.times.len()
    }

    /// Presses lined up by position.
    pub fn kept_presses(&self) -> usize {
        self.means.len().div_ceil(2)
    }

    /// Presses' worth of room it takes, the anchor it may come to have included.
    pub fn room(&self) -> usize {
        self.kept_presses() + anchor_bytes(self.kept_presses()).div_ceil(BYTES_PER_PRESS)
    }

    /// Day of the last login learned, since 1970.
    pub fn day(&self) -> u32 {
        self.stamp & 0xffff
    }

    /// Whether this profile outlives a login with other presses: it is well learned and in use.
    pub fn outlives_slip(&self, day: u32) -> bool {
        self.count >= SLIP_COUNT_MIN && day.saturating_sub(self.day()) <= SLIP_DAYS_MAX
    }

    /// Geometric mean over positions and spread from login to login, of dwell and of press interval, microseconds; each
    /// absent when never seen.
    #[expect(clippy::type_complexity, reason = "two pairs of one kind")]
    pub fn summary(&self) -> (Option<(f64, f64)>, Option<(f64, f64)>) {
        let presses = self.kept_presses();
        let of = |range: std::ops::Range<usize>, shift: f64| {
            let (mut sum, mut variance, mut count) = (0.0, 0.0, 0u32);
            for index in range {
                if let Some(mean) = self.mean(index) {
                    sum += mean;
                    variance += self.own_variance(index);
                    count += 1;
                }
            }
            if count == 0 {
                return None;
            }
            let shifted = (sum / f64::from(count)).exp();
            Some(((shifted - shift).max(0.0), shifted * (variance / f64::from(count)).sqrt()))
        };
        (of(0..presses, DWELL_SHIFT_MICROS), of(presses..self.means.len(), PRESS_INTERVAL_SHIFT_MICROS))
    }

    pub(super) fn mean(&self, index: usize) -> Option<f64> {
        let stored = *self.means.get(index)?;
        (stored != NEVER_SEEN).then(|| MEAN_ORIGIN + f64::from(stored) * MEAN_STEP)
    }

    /// Times lined up by position, seen or not.
    pub fn time_count(&self) -> usize {
        self.means.len()
    }

    /// Recent mean and variance of the ln time at a position; absent where none was seen.
    pub fn time(&self, index: usize) -> Option<(f64, f64)> {
        self.mean(index).map(|mean| (mean, self.own_variance(index)))
    }

    fn own_variance(&self, index: usize) -> f64 {
        let spread = f64::from(self.spreads[index]) * SPREAD_STEP;
        spread * spread
    }

    /// Recent variance of the hand, drawn towards the population's while few logins were learned.
    pub(super) fn variance(&self, index: usize, prior: &Prior) -> f64 {
        let own = self.own_variance(index);
        let population = prior.within_spread * prior.within_spread;
        let trusted = f64::from(self.count.saturating_sub(1)).min(1.0 / VARIANCE_RATE);
        (trusted * own + VARIANCE_PRIOR_COUNT * population) / (trusted + VARIANCE_PRIOR_COUNT)
    }

    /// Learns one login.
    pub fn learn(&mut self, observation: &PhraseObservation, parameters: &PhraseParameters, day: u32) {
        if !self.lines_up(observation) {
            return;
        }
        self.learn_weighted(observation, parameters, day, 1.0);
        self.count = self.count.saturating_add(1);
        self.doubt = None;
        self.move_anchor(day);
    }

    /// Learns as much of a login of log-likelihood ratio `log_odds` as its lesson allows.
    pub fn learn_lesson(
        &mut self,
        observation: &PhraseObservation,
        parameters: &PhraseParameters,
        day: u32,
        lesson: Lesson,
        log_odds: f64,
    ) {
        match lesson {
            Lesson::Full => return self.learn(observation, parameters, day),
            Lesson::Confirmed => {
                self.learn(observation, parameters, day);
                return self.lay_anchor(day);
            }
            Lesson::Partial | Lesson::Nothing => {}
        }
        if lesson == Lesson::Partial {
            self.learn_weighted(observation, parameters, day, PARTIAL_WEIGHT);
        }
        self.doubt = Some((log_odds / DOUBT_STEP).round().clamp(-32_000.0, 32_000.0) as i16);
    }

    fn learn_weighted(
        &mut self,
        observation: &PhraseObservation,
        parameters: &PhraseParameters,
        day: u32,
        weight: f64,
    ) {
        if !self.lines_up(observation) {
            return;
        }
        let count = f64::from(self.count);
        let mean_rate = weight * MEAN_RATE.max(1.0 / (count + 1.0));
        // The first login sets the mean and says nothing of the variance.
        let variance_rate = weight * VARIANCE_RATE.max(1.0 / count.max(1.0));
        for (index, time) in observation.times.iter().enumerate() {
            let Some(log_time) = time.log_time else { continue };
            let prior = &parameters.priors[usize::from(time.prior)];
            let Some(mean) = self.mean(index) else {
                self.means[index] = stored_mean(log_time);
                self.spreads[index] = stored_spread(prior.within_spread * prior.within_spread);
                continue;
            };
            let clock = observation.clock_variance(time, log_time - mean);
            let variance = self.variance(index, prior) + clock;
            let limit = LEARN_CLIP * (variance * (1.0 + 1.0 / count.max(1.0))).sqrt();
            let deviation = (log_time - mean).clamp(-limit, limit);
            let own = self.own_variance(index);
            self.means[index] = stored_mean(mean + mean_rate * deviation);
            // What the clock adds is not the hand's, so that a profile serves on any clock.
            let next = own + variance_rate * (deviation * deviation - clock - own);
            self.spreads[index] = stored_spread(next.max(OWN_VARIANCE_MIN));
        }
        let class_mark = if self.stamp >> 16 == 0 { u32::from(observation.class_mark) } else { self.stamp >> 16 };
        self.stamp = class_mark << 16 | self.day().max(day.min(u32::from(u16::MAX)));
    }

    /// How much a login of log-likelihood ratio `log_odds` may teach, with `background_count` other workers behind
    /// its background.
    pub fn lesson(
        &self,
        observation: &PhraseObservation,
        log_odds: f64,
        background_count: u32,
        parameters: &PhraseParameters,
    ) -> Lesson {
        if self.count < gate::young_count(&parameters.clocks, observation.timer_resolution_micros) {
            return if log_odds > parameters.gate_young { Lesson::Nothing } else { Lesson::Full };
        }
        let gate = Gate::at(&parameters.clocks, observation.timer_resolution_micros, background_count);
        gate.lesson(log_odds, self.doubt.map(|doubt| f64::from(doubt) * DOUBT_STEP))
    }

    /// The means that speak for the background of the phrase, once enough is known of the hand; and its key.
    pub fn pooled(&self) -> Option<(u64, &[i16])> {
        (self.count >= POOLED_COUNT_MIN).then(|| (pool_key(self.key, self.press_count), self.means.as_slice()))
    }

    /// Compares a login with what was learned, and with how others type the phrase where that is known; absent when
    /// nothing was learned, or nothing lines up.
    pub fn score(
        &self,
        observation: &PhraseObservation,
        parameters: &PhraseParameters,
        background: Option<&PhraseBackground>,
    ) -> Option<PhraseScore> {
        if self.count == 0 || !self.lines_up(observation) {
            return None;
        }
        let background = background.filter(|background| background.times.len() == observation.times.len());
        let presses = self.kept_presses();
        let accords = &parameters.accords;
        let kinds = [(0..presses, &accords.dwell), (presses..observation.times.len(), &accords.press_interval)];
        let (mut log_ratio, mut distance, mut time_count) = (0.0, 0.0, 0);
        for (range, accord) in kinds {
            let mut own = [Deviation::default(); PHRASE_PRESSES_MAX];
            let mut strange = [Deviation::default(); PHRASE_PRESSES_MAX];
            let mut count = 0;
            for index in range {
                let Some(sides) = self.deviations(observation, index, parameters, background) else { continue };
                let (Some(own), Some(strange)) = (own.get_mut(count), strange.get_mut(count)) else { break };
                (*own, *strange) = sides;
                distance += (own.deviation.abs() / own.total().sqrt()).min(DISTANCE_CLIP);
                count += 1;
            }
            log_ratio += log_density(&own[..count], accord.worker, WORKER_FREEDOM)
                - log_density(&strange[..count], accord.stranger, BACKGROUND_FREEDOM);
            time_count += count;
        }
        log_ratio += time_count as f64 * (WORKER_LOG_NORM - BACKGROUND_LOG_NORM);
        (time_count > 0).then(|| PhraseScore {
            log_ratio,
            distance: distance / time_count as f64,
            time_count: time_count as u32,
            timer_resolution_micros: observation.timer_resolution_micros,
            enrolled_count: u32::from(self.count),
            background_count: background.map_or(0, |background| background.worker_count),
            anchor_ratio: match &parameters.anchor {
                Some(anchor) => self.drift(observation, parameters).map(|drift| anchor.ratio(drift)),
                None => None,
            },
        })
    }

    /// One time against what is expected of the worker, and of a stranger; absent where it was not seen now or before.
    pub fn deviations(
        &self,
        observation: &PhraseObservation,
        index: usize,
        parameters: &PhraseParameters,
        background: Option<&PhraseBackground>,
    ) -> Option<(Deviation, Deviation)> {
        let time = observation.times.get(index)?;
        let (log_time, mean) = (time.log_time?, self.mean(index)?);
        let prior = &parameters.priors[usize::from(time.prior)];
        let enrolled = f64::from(self.count).min(1.0 / MEAN_RATE);
        let deviation = log_time - mean;
        let clock = observation.clock_variance(time, deviation);
        // The mean of a few logins is not known exactly: neither for the hand nor for the clock.
        let variance = self.variance(index, prior) * (1.0 + 1.0 / enrolled) + clock / enrolled;
        let own = Deviation { deviation, variance, clock };
        let mut stranger_mean = prior.centre + prior.carry * (mean - prior.centre);
        let mut variance = prior.background_spread * prior.background_spread;
        if let Some(background) = background {
            let within = prior.within_spread * prior.within_spread;
            (stranger_mean, variance) = background.times[index].sharpen(stranger_mean, variance, within);
        }
        let deviation = log_time - stranger_mean;
        Some((own, Deviation { deviation, variance, clock: observation.clock_variance(time, deviation) }))
    }
}

/// ln of the Student-t density's constant at 4 degrees of freedom: ln(Γ(2.5) / (Γ(2) √(4π))).
const WORKER_LOG_NORM: f64 = -0.980_829_253_011_725_7;
/// The same at 8: ln(Γ(4.5) / (Γ(4) √(8π))).
const BACKGROUND_LOG_NORM: f64 = -0.950_108_612_150_230_7;

#[cfg(test)]
mod tests {
    use super::super::accord::Accords;
    use super::super::gate::ClockParameters;
    use super::*;

    fn parameters() -> PhraseParameters {
        let prior = Prior { centre: 11.6, carry: 0.5, background_spread: 0.4, within_spread: 0.15 };
        PhraseParameters {
            priors: vec![prior; PRIOR_COUNT],
            calibration: vec![1.0, 0.0, 0.0, 0.0, 0.0],
            shared_calibration: vec![1.0, 0.0, 0.0, 0.0, 0.0],
            accords: Accords::default(),
            clocks: vec![ClockParameters {
                timer_resolution_micros: 16_000,
                young_count: YOUNG_COUNT,
                calibration: Vec::new(),
                shared_calibration: Vec::new(),
                alone: Gate { full: -1.5, partial: -0.5, pair: -1.0 },
                shared: Gate { full: -2.5, partial: -0.5, pair: -2.0 },
            }],
            gate_young: 1.0,
            anchor: None,
        }
    }

    fn login(offset: f64) -> PhraseObservation {
        let times = (0..21)
            .map(|index| PhraseTime {
                log_time: Some(11.6 + 0.02 * f64::from(index) + offset),
                clock_variance: 0.0,
                prior: 1,
            })
            .collect();
        PhraseObservation { key: 1, press_count: 11, class_mark: 0, timer_resolution_micros: 1_000, times }
    }

    fn learned(count: usize) -> PhraseProfile {
        let mut profile = PhraseProfile::new(&login(0.0));
        (0..count).for_each(|index| profile.learn(&login(if index % 2 == 0 { 0.05 } else { -0.05 }), &parameters(), 0));
        profile
    }

    #[test]
    fn the_same_hand_scores_below_another() {
        for count in [3, 5, 10, 200] {
            let score = |offset: f64| {
                learned(count).score(&login(offset), &parameters(), None).map(|score| parameters().calibrated(&score))
            };
            assert!(score(0.02) < Some(0.0), "{count} logins");
            assert!(score(0.8) > Some(0.0), "{count} logins");
        }
    }

    #[test]
    fn one_login_says_less_than_ten() {
        let score = |count| learned(count).score(&login(0.0), &parameters(), None).map_or(0.0, |score| score.log_ratio);
        assert!(score(1) < score(10));
        assert!(learned(0).score(&login(0.0), &parameters(), None).is_none());
    }

    #[test]
    fn another_number_of_presses_is_missing_not_different() {
        let mut other = login(0.0);
        other.press_count = 12;
        assert!(learned(10).score(&other, &parameters(), None).is_none());
    }

    #[test]
    fn other_classes_are_another_phrase_and_classes_not_told_are_none() {
        let mut first = login(0.0);
        first.class_mark = 7;
        let mut profile = PhraseProfile::new(&first);
        profile.learn(&first, &parameters(), 20_000);
        assert_eq!(profile.day(), 20_000);
        let lines_up =
            |profile: &PhraseProfile, class_mark| profile.lines_up(&PhraseObservation { class_mark, ..login(0.0) });
        assert_eq!([7, 8, 0].map(|mark| lines_up(&profile, mark)), [true, false, true]);
        let mut unmarked = learned(5);
        assert!(lines_up(&unmarked, 7) && lines_up(&unmarked, 8));
        unmarked.learn(&first, &parameters(), 20_001);
        assert_eq!([7, 8].map(|mark| lines_up(&unmarked, mark)), [true, false]);
    }

    #[test]
    fn a_single_wild_time_moves_the_mean_by_the_clip_at_most() {
        let mut profile = learned(100);
        let before = profile.means[0];
        let mut wild = login(0.0);
        wild.times[0].log_time = Some(16.0);
        profile.learn(&wild, &parameters(), 0);
        // Rate .15, at most 2 spreads of at most .15 * sqrt(1.01) = .3015: .0452, 46.3 steps of 1/1024.
        let moved = profile.means[0] - before;
        assert!((1..=47).contains(&moved), "{moved} steps");
    }

    #[test]
    fn a_settled_profile_doubts_what_a_young_one_accepts() {
        let lesson =
            |logins: u16, log_odds| learned(usize::from(logins)).lesson(&login(0.0), log_odds, 0, &parameters());
        assert_eq!([0.9, 1.1].map(|log_odds| lesson(YOUNG_COUNT - 1, log_odds)), [Lesson::Full, Lesson::Nothing]);
        assert_eq!([-1.6, 0.9].map(|log_odds| lesson(YOUNG_COUNT, log_odds)), [Lesson::Full, Lesson::Nothing]);
    }

    #[test]
    fn on_a_coarse_clock_the_reserve_of_a_young_profile_lasts_longer() {
        let mut parameters = parameters();
        let coarse =
            ClockParameters { timer_resolution_micros: 100_000, young_count: 60, ..parameters.clocks[0].clone() };
        parameters.clocks.push(coarse);
        let lesson = |logins, timer_resolution_micros| {
            let login = PhraseObservation { timer_resolution_micros, ..login(0.0) };
            learned(logins).lesson(&login, 0.5, 0, &parameters)
        };
        assert_eq!([10, 59, 60].map(|logins| lesson(logins, 1_000)), [Lesson::Nothing; 3]);
        assert_eq!([10, 59, 60].map(|logins| lesson(logins, 100_000)), [Lesson::Full, Lesson::Full, Lesson::Nothing]);
    }

    #[test]
    fn a_doubt_is_remembered_until_a_login_is_fully_learned() {
        let mut profile = learned(20);
        let lesson = |profile: &PhraseProfile| profile.lesson(&login(0.0), -1.2, 0, &parameters());
        assert_eq!(lesson(&profile), Lesson::Partial);
        profile.learn_lesson(&login(0.1), &parameters(), 0, Lesson::Partial, -1.0);
        assert_eq!(lesson(&profile), Lesson::Full);
        profile.learn(&login(0.1), &parameters(), 0);
        assert_eq!(lesson(&profile), Lesson::Partial);
    }

    #[test]
    fn a_partial_lesson_moves_the_mean_by_a_tenth_and_none_not_at_all() {
        let moved = |lesson| {
            let mut profile = learned(100);
            let before = profile.means[0];
            profile.learn_lesson(&login(0.5), &parameters(), 0, lesson, 0.0);
            profile.means[0] - before
        };
        let (full, partial) = (moved(Lesson::Full), moved(Lesson::Partial));
        assert!((i32::from(full) - 10 * i32::from(partial)).abs() <= 10 && partial > 0, "{full} {partial}");
        assert_eq!(moved(Lesson::Nothing), 0);
    }

    #[test]
    fn others_who_type_alike_make_a_match_worth_less() {
        let own = learned(20);
        let ratio = |offset: f64| {
            let mut pool = crate::evidence::typing::background::PhrasePool::default();
            for other in 0..8 {
                let mut profile = PhraseProfile::new(&login(0.0));
                let hand = offset + 0.02 * f64::from(other);
                (0..5).for_each(|_| profile.learn(&login(hand), &parameters(), 0));
                profile.pooled().into_iter().for_each(|(_, means)| pool.add(means));
            }
            let background = pool.background(None);
            own.score(&login(0.0), &parameters(), background.as_ref()).map_or(0.0, |score| score.log_ratio)
        };
        assert!(ratio(0.0) < ratio(0.8), "{} {}", ratio(0.0), ratio(0.8));
    }
}
