//! Closed loop: how late a hand answers a prompt that could not be foreseen.
//!
//! Delay is one-sided: a relay adds its round trip to every answer and can take nothing away. The session's *location*
//! (the person's reaction plus display and keyboard, without the trial's own noise) is unknown, so its likelihood is
//! laid over a grid and weighed by two priors: people at this machine, and people behind a relay.
//!
//! Worked example: answers of 290, 310 and 300 ms fit a location of about 255 ms, ordinary for a person (245 ± 47 ms);
//! 480, 500 and 470 ms fit about 430 ms, four spreads out for a person and ordinary behind 180 ms of relay: some +5
//! nats.

use crate::event::{ChallengeKind, ChallengeSample};
use serde::{Deserialize, Serialize};

/// Width of one cell of the location grid, milliseconds.
pub const CELL_MILLIS: f64 = 12.0;
/// Cells of the location grid: 100 to 1 048 ms.
pub const CELLS: usize = 80;
/// Location of the first cell, milliseconds.
pub const FIRST_MILLIS: f64 = 100.0;
/// Entries of the trial-noise table, one per 4 ms from -100 ms on.
pub const NOISE_CELLS: usize = 400;
/// Width of one entry of the trial-noise table, milliseconds.
pub const NOISE_CELL_MILLIS: f64 = 4.0;
/// Noise at the first entry, milliseconds.
pub const NOISE_FIRST_MILLIS: f64 = -100.0;
/// Most answers read: more sharpen nothing, since the day's own location stays unknown.
const ANSWERS_MAX: usize = 32;
/// Faster answers are no reactions (hard floor of people about 110 ms): made before the prompt, or by a machine.
const ANTICIPATION_MICROS: u32 = 100_000;
/// Refresh intervals between a prompt's paint, as a page or program knows it, and the eye: one frame until it is put
/// together and on the average half of one until the screen is drawn that far. A judgement; no set that may be learned
/// from names a screen.
const FRAMES_TO_EYE: f64 = 1.5;
/// Refresh rate of the displays that people's locations were taken behind, thousandths of hertz.
const USUAL_MILLIHERTZ: u32 = 60_000;
/// Slowest refresh believed, thousandths of hertz: televisions and captured screens go down to 30 Hz, and whoever works
/// from afar would gladly name less.
const SLOWEST_MILLIHERTZ: u32 = 30_000;
/// Later answers are taken as this, milliseconds.
const LATEST_MILLIS: f64 = 2_000.0;

/// What is known of reactions and of relays. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reactions {
    /// Mean location of people, display and keyboard included.
    pub location_mean: f64,
    /// Spread of that between people and machines.
    pub location_spread: f64,
    /// Share of people who are slower than that for good: tremor, one hand, age, medicine. No claim says who.
    #[serde(default = "slow_rate")]
    pub slow_rate: f64,
    /// Mean of what they take more, exponential.
    #[serde(default = "slow_millis")]
    pub slow_millis: f64,
    /// Spread of one person's location from day to day.
    pub day_spread: f64,
    /// Log density of one trial's noise about the location, per entry of the table.
    pub noise_log_density: Vec<f64>,
    /// Spread of one trial's noise, lapses left out.
    pub noise_spread: f64,
    /// Probability of each added delay: one entry per cell of the grid from 0 on.
    pub delay_prior: Vec<f64>,
    /// The same on a sanctioned path: near relays only.
    pub sanctioned_prior: Vec<f64>,
    /// Most nats one session's loop may say either way.
    pub limit: f64,
}

/// Some one in fourteen of working age reports difficulty with hands or movement (prevalence surveys put dexterity and
/// mobility together between 3 and 10 %); models made before the tail was known take it from here.
fn slow_rate() -> f64 {
    0.07
}

fn slow_millis() -> f64 {
    80.0
}

impl Reactions {
    /// What is wrong with these numbers, if anything.
    pub fn check(&self) -> Result<(), String> {
        if self.noise_log_density.len() != NOISE_CELLS {
            return Err(format!("reaction noise has {} entries: {NOISE_CELLS} expected", self.noise_log_density.len()));
        }
        for (name, prior) in [("delay prior", &self.delay_prior), ("sanctioned prior", &self.sanctioned_prior)] {
            let total: f64 = prior.iter().sum();
            if prior.is_empty()
                || prior.len() > CELLS
                || prior.iter().any(|p| !p.is_finite() || *p < 0.0)
                || (total - 1.0).abs() > 1e-6
            {
                return Err(format!("{name} must be 1 to {CELLS} probabilities that add up to 1"));
            }
        }
        if !(0.0..0.5).contains(&self.slow_rate) {
            return Err("the share of slow people must lie in [0, .5)".into());
        }
        let scales = [
            self.location_mean,
            self.location_spread,
            self.slow_millis,
            self.day_spread,
            self.noise_spread,
            self.limit,
        ];
        if scales.iter().any(|value| !value.is_finite() || *value <= 0.0)
            || self.noise_log_density.iter().any(|value| !value.is_finite())
        {
            return Err("reaction scales must be positive and log densities finite".into());
        }
        Ok(())
    }
}

/// Answers of one session.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// Reactions, milliseconds, in the order given, as a display of 60 Hz would have shown the prompts.
    pub millis: Vec<f64>,
    /// Median reaction, milliseconds.
    pub median_millis: f64,
    /// 10 % of reactions, milliseconds.
    pub p10_millis: f64,
    /// By how much later than on a display of 60 Hz a prompt was seen, milliseconds; may be negative.
    pub display_millis: f64,
    /// Prompts that nobody answered.
    pub unanswered_count: u32,
    /// Answers faster than any person.
    pub anticipated_count: u32,
    /// Whether they may be judged against reactions: clicks on a target hold the way there as well.
    pub simple: bool,
}

/// Reads the answers; `None` when no prompt was answered by a person.
pub fn answers(sample: &ChallengeSample) -> Option<Answers> {
    let mut millis = Vec::with_capacity(sample.reaction_micros.len().min(ANSWERS_MAX));
    let (mut unanswered_count, mut anticipated_count) = (0, 0);
    let late = display_millis(sample.refresh_rate_millihertz);
    for reaction in &sample.reaction_micros {
        match *reaction {
            0 => unanswered_count += 1,
            early if early < ANTICIPATION_MICROS => anticipated_count += 1,
            taken if millis.len() < ANSWERS_MAX => millis.push((f64::from(taken) / 1e3 - late).min(LATEST_MILLIS)),
            _ => {}
        }
    }
    if millis.is_empty() {
        return None;
    }
    let mut sorted = millis.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| crate::evidence::quantile::quantile_of_sorted(&sorted, q);
    Some(Answers {
        // As measured, the display with it.
        median_millis: at(0.5) + late,
        p10_millis: at(0.1) + late,
        millis,
        display_millis: late,
        unanswered_count,
        anticipated_count,
        simple: sample.kind == ChallengeKind::PressKey,
    })
}

/// By how much later than on the usual display a prompt is seen, milliseconds: 0 at 60 Hz, -14.6 at 144 Hz, and 25 at
/// 30 Hz and under.
fn display_millis(refresh_rate_millihertz: u32) -> f64 {
    if refresh_rate_millihertz == USUAL_MILLIHERTZ {
        return 0.0;
    }
    let frame = |millihertz: u32| 1e6 / f64::from(millihertz.max(SLOWEST_MILLIHERTZ));
    FRAMES_TO_EYE * (frame(refresh_rate_millihertz) - frame(USUAL_MILLIHERTZ))
}

/// Likelihood of every location of the grid, scaled to a maximum of 1.
pub type Locations = [f64; CELLS];

/// Location at the middle of a cell, milliseconds.
pub fn location(cell: usize) -> f64 {
    FIRST_MILLIS + (cell as f64 + 0.5) * CELL_MILLIS
}

/// Lays the answers over the grid.
pub fn likelihood(answers: &Answers, reactions: &Reactions) -> Locations {
    let mut log = [0.0; CELLS];
    for reaction in &answers.millis {
        let first = (reaction - location(0) - NOISE_FIRST_MILLIS) / NOISE_CELL_MILLIS;
        for (cell, sum) in log.iter_mut().enumerate() {
            let at = (first - cell as f64 * (CELL_MILLIS / NOISE_CELL_MILLIS)).clamp(0.0, (NOISE_CELLS - 1) as f64);
            *sum += reactions.noise_log_density[at as usize];
        }
    }
    let most = log.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    log.map(|value| (value - most).exp())
}

/// Where this person's location lies today, before anything was answered: what is known of people, sharpened by the
/// worker's own past, then spread by the day. With it its mean and spread, milliseconds.
///
/// The population has a long right flank, since a person's slowness is one cause however many sessions show it: without
/// a past, late answers can say no more than how rare such a person is.
fn expected(past: Option<(f64, f64)>, reactions: &Reactions) -> (Locations, f64, f64) {
    let mut prior = [0.0; CELLS];
    let (mut slow, kept) = (0.0, (-CELL_MILLIS / reactions.slow_millis).exp());
    for (cell, p) in prior.iter_mut().enumerate() {
        let z = (location(cell) - reactions.location_mean) / reactions.location_spread;
        let usual = (-0.5 * z * z).exp();
        slow = slow * kept + usual * (1.0 - kept);
        *p = (1.0 - reactions.slow_rate) * usual + reactions.slow_rate * slow;
        if let Some((mean, error)) = past {
            let z = (location(cell) - mean) / error;
            // A past may have been learned on another machine; far from it the population speaks again.
            *p *= (-0.5 * z * z).exp() + 1e-5;
        }
    }
    // The day's shift, as a three-point kernel of its variance.
    let aside = (0.5 * (reactions.day_spread / CELL_MILLIS).powi(2)).min(0.4);
    let at = |cell: usize| prior.get(cell).copied().unwrap_or(0.0);
    let mut today = [0.0; CELLS];
    for (cell, p) in today.iter_mut().enumerate() {
        let before = if cell > 0 { at(cell - 1) } else { 0.0 };
        *p = (1.0 - 2.0 * aside) * at(cell) + aside * (before + at(cell + 1));
    }
    let total = today.iter().sum::<f64>().max(1e-300);
    let (mut mean, mut square) = (0.0, 0.0);
    for (cell, p) in today.iter_mut().enumerate() {
        *p /= total;
        mean += *p * location(cell);
        square += *p * location(cell).powi(2);
    }
    (today, mean, (square - mean * mean).max(1.0).sqrt())
}

/// Where this person's location is expected today: mean and spread, milliseconds.
pub fn expected_location(past: Option<(f64, f64)>, reactions: &Reactions) -> (f64, f64) {
    let (_, mean, spread) = expected(past, reactions);
    (mean, spread)
}

/// Prior over the grid of somebody at this machine.
fn near_prior(past: Option<(f64, f64)>, reactions: &Reactions) -> Locations {
    let (mut prior, mean, spread) = expected(past, reactions);
    // One day in fifty is unlike the others (illness, a laggy television as display): wide as four spreads.
    let wide = 4.0 * spread;
    let scale = 0.02 * CELL_MILLIS / (wide * (2.0 * std::f64::consts::PI).sqrt());
    for (cell, p) in prior.iter_mut().enumerate() {
        let z = (location(cell) - mean) / wide;
        *p = 0.98 * *p + scale * (-0.5 * z * z).exp();
    }
    prior
}

/// Convolves a prior with a delay.
fn delayed(prior: &Locations, delay: &[f64]) -> Locations {
    let mut later = [0.0; CELLS];
    for (lag, weight) in delay.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        for (slot, p) in later[lag..].iter_mut().zip(prior) {
            *slot += weight * p;
        }
    }
    later
}

/// Log-likelihood ratio of a relay against the machine's own desk, nats.
///
/// `past` is the worker's own location and its standard error, milliseconds. On a sanctioned path both sides are
/// moved by what a near relay adds, so only what goes beyond counts.
pub fn log_odds(answers: &Answers, past: Option<(f64, f64)>, sanctioned: bool, reactions: &Reactions) -> f64 {
    let likelihood = likelihood(answers, reactions);
    let mut near = near_prior(past, reactions);
    if sanctioned {
        near = delayed(&near, &reactions.sanctioned_prior);
    }
    let far = delayed(&near, &reactions.delay_prior);
    let dot = |prior: &Locations| likelihood.iter().zip(prior).map(|(l, p)| l * p).sum::<f64>().max(1e-12);
    super::forest::soft_limit((dot(&far) / dot(&near)).ln(), reactions.limit)
}

/// Log-likelihood ratio of a far relay against the machine's own desk or a near relay alike, nats: how far the hand is,
/// whichever way it reaches the machine.
pub fn distance_log_odds(answers: &Answers, past: Option<(f64, f64)>, reactions: &Reactions) -> f64 {
    let likelihood = likelihood(answers, reactions);
    let desk = near_prior(past, reactions);
    let relay = delayed(&desk, &reactions.sanctioned_prior);
    let far = delayed(&desk, &reactions.delay_prior);
    let dot = |prior: &Locations| likelihood.iter().zip(prior).map(|(l, p)| l * p).sum::<f64>();
    let near = (dot(&desk) + dot(&relay)) / 2.0;
    super::forest::soft_limit((dot(&far).max(1e-12) / near.max(1e-12)).ln(), reactions.limit)
}

/// The session's own location and its standard error, milliseconds, by the population's prior made wide.
pub fn estimate(answers: &Answers, reactions: &Reactions) -> (f64, f64) {
    let likelihood = likelihood(answers, reactions);
    let (mut total, mut mean, mut square) = (0.0, 0.0, 0.0);
    for (cell, weight) in likelihood.iter().enumerate() {
        total += weight;
        mean += weight * location(cell);
        square += weight * location(cell).powi(2);
    }
    let mean = mean / total.max(1e-12);
    let variance = (square / total.max(1e-12) - mean * mean).max(0.0);
    // At least what one cell hides.
    (mean, (variance + CELL_MILLIS * CELL_MILLIS / 12.0).sqrt())
}

/// Belief that there is no relay, before anything was answered, for [`delay_interval`].
const NO_RELAY: f64 = 0.5;
/// Share of the belief in a relay that lies anywhere on the grid, since relays of tomorrow are not those known.
const ANY_RELAY: f64 = 0.3;

/// Belief in each delay that the loop may add, one entry per cell of the grid from 0 on, together 1: after the answers,
/// from even odds of no relay (the first cell) and of one that adds what relays do.
pub fn delay_belief(answers: &Answers, past: Option<(f64, f64)>, reactions: &Reactions) -> Locations {
    let likelihood = likelihood(answers, reactions);
    let near = near_prior(past, reactions);
    let mut belief = [0.0; CELLS];
    for (cell, p) in near.iter().enumerate() {
        for (slot, l) in belief.iter_mut().zip(&likelihood[cell..]) {
            *slot += p * l;
        }
    }
    for (lag, p) in belief.iter_mut().enumerate() {
        let known = reactions.delay_prior.get(lag).copied().unwrap_or(0.0);
        let relay = (1.0 - ANY_RELAY) * known + ANY_RELAY / CELLS as f64;
        *p *= if lag == 0 { NO_RELAY } else { (1.0 - NO_RELAY) * relay };
    }
    let total = belief.iter().sum::<f64>().max(1e-300);
    belief.map(|p| p / total)
}

/// 5 and 95 % of [`delay_belief`], microseconds.
pub fn delay_interval(answers: &Answers, past: Option<(f64, f64)>, reactions: &Reactions) -> (u32, u32) {
    let belief = delay_belief(answers, past, reactions);
    let quantile = |q: f64| {
        let mut seen = 0.0;
        for (lag, p) in belief.iter().enumerate() {
            if seen + p >= q {
                let inside = if *p > 0.0 { (q - seen) / p } else { 0.0 };
                // The first cell is no delay at all.
                return if lag == 0 { 0 } else { ((lag as f64 + inside - 0.5) * CELL_MILLIS * 1e3) as u32 };
            }
            seen += p;
        }
        ((CELLS as f64) * CELL_MILLIS * 1e3) as u32
    };
    (quantile(0.05), quantile(0.95))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Noise that falls by e every 40 ms beyond 0, and relays of 120 to 480 ms.
    pub fn reactions() -> Reactions {
        let noise = |cell: usize| -(NOISE_FIRST_MILLIS + cell as f64 * NOISE_CELL_MILLIS).abs() / 40.0;
        Reactions {
            location_mean: 245.0,
            location_spread: 42.0,
            slow_rate: slow_rate(),
            slow_millis: slow_millis(),
            day_spread: 15.0,
            noise_log_density: (0..NOISE_CELLS).map(noise).collect(),
            noise_spread: 50.0,
            delay_prior: (0..40).map(|cell| if cell < 10 { 0.0 } else { 1.0 / 30.0 }).collect(),
            sanctioned_prior: vec![0.0, 0.25, 0.25, 0.25, 0.25],
            limit: 9.0,
        }
    }

    fn answered(millis: f64) -> Answers {
        Answers {
            millis: vec![millis; 5],
            median_millis: millis,
            p10_millis: millis,
            display_millis: 0.0,
            unanswered_count: 0,
            anticipated_count: 0,
            simple: true,
        }
    }

    #[test]
    fn a_fast_display_is_no_haste_and_a_slow_one_no_relay() {
        // 1.5 x (1000 / 144 - 1000 / 60) = -14.58; 1.5 x (1000 / 30 - 1000 / 60) = 25.
        assert!((display_millis(144_000) + 14.583).abs() < 1e-3 && (display_millis(30_000) - 25.0).abs() < 1e-9);
        assert_eq!(display_millis(60_000), 0.0);
        assert_eq!(display_millis(1_000), display_millis(30_000), "a rate nobody works at excuses no more");
        let score = |millis: f64, millihertz| {
            let seen = answered(millis - display_millis(millihertz));
            log_odds(&seen, None, false, &reactions())
        };
        assert!(score(420.0, 30_000) < score(420.0, 60_000) && score(420.0, 60_000) < score(420.0, 144_000));
        assert_eq!(score(425.0, 30_000), score(400.0, 60_000));
    }

    #[test]
    fn a_slow_person_is_rare_and_not_impossible() {
        let slow = log_odds(&answered(360.0), None, false, &reactions());
        let nobody = Reactions { slow_rate: 0.0, ..reactions() };
        let before = log_odds(&answered(360.0), None, false, &nobody);
        assert!(slow < 1.5 && slow < before - 0.3, "{slow} {before}");
        assert!(log_odds(&answered(480.0), None, false, &reactions()) > 3.0);
    }

    #[test]
    fn a_past_says_more_than_the_population() {
        let (_, alone) = expected_location(None, &reactions());
        let (mean, spread) = expected_location(Some((340.0, 10.0)), &reactions());
        assert!((mean - 340.0).abs() < 8.0 && spread < 22.0 && alone > 42.0, "{mean} {spread} {alone}");
    }

    #[test]
    fn no_relay_is_believed_in_when_answers_are_prompt() {
        let (low, high) = delay_interval(&answered(255.0), None, &reactions());
        assert!(low == 0 && high < 130_000, "{low} {high}");
        let (low, high) = delay_interval(&answered(480.0), None, &reactions());
        assert!(low > 100_000 && (200_000..400_000).contains(&high), "{low} {high}");
    }
}
