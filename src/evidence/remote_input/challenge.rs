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
/// Later answers are taken as this, milliseconds.
const LATEST_MILLIS: f64 = 2_000.0;

/// What is known of reactions and of relays. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reactions {
    /// Mean location of people, display and keyboard included.
    pub location_mean: f64,
    /// Spread of that between people and machines.
    pub location_spread: f64,
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
        let scales = [self.location_mean, self.location_spread, self.day_spread, self.noise_spread, self.limit];
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
    /// Reactions, milliseconds, in the order given.
    pub millis: Vec<f64>,
    /// Median reaction, milliseconds.
    pub median_millis: f64,
    /// 10 % of reactions, milliseconds.
    pub p10_millis: f64,
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
    for reaction in &sample.reaction_micros {
        match *reaction {
            0 => unanswered_count += 1,
            early if early < ANTICIPATION_MICROS => anticipated_count += 1,
            taken if millis.len() < ANSWERS_MAX => millis.push((f64::from(taken) / 1e3).min(LATEST_MILLIS)),
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
        median_millis: at(0.5),
        p10_millis: at(0.1),
        millis,
        unanswered_count,
        anticipated_count,
        simple: sample.kind == ChallengeKind::PressKey,
    })
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

/// Where this person's location is expected today: mean and spread, milliseconds.
///
/// With a past, the population's prior is sharpened by it; the day's own spread always remains.
pub fn expected_location(past: Option<(f64, f64)>, reactions: &Reactions) -> (f64, f64) {
    let between = reactions.location_spread.powi(2);
    let day = reactions.day_spread.powi(2);
    let (mean, variance) = match past {
        Some((mean, error)) => {
            let weight = between / (between + error.powi(2));
            (reactions.location_mean + weight * (mean - reactions.location_mean), between * (1.0 - weight))
        }
        None => (reactions.location_mean, between),
    };
    (mean, (variance + day).sqrt())
}

/// Prior over the grid of somebody at this machine. The right flank is heavier than the left: people have slow days.
fn near_prior(mean: f64, spread: f64) -> Locations {
    let mut prior = [0.0; CELLS];
    let mut total = 0.0;
    for (cell, p) in prior.iter_mut().enumerate() {
        let z = (location(cell) - mean) / spread;
        // One day in fifty is unlike the others (illness, a laggy television as display): wide as four spreads, whose
        // density to the 16th is that of one.
        let wide = (-z * z / 32.0).exp();
        *p = wide.powi(16) + 0.02 / 4.0 * wide;
        total += *p;
    }
    prior.map(|p| p / total)
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
    let (mean, spread) = expected_location(past, reactions);
    let mut near = near_prior(mean, spread);
    if sanctioned {
        near = delayed(&near, &reactions.sanctioned_prior);
    }
    let far = delayed(&near, &reactions.delay_prior);
    let dot = |prior: &Locations| likelihood.iter().zip(prior).map(|(l, p)| l * p).sum::<f64>().max(1e-12);
    super::forest::soft_limit((dot(&far) / dot(&near)).ln(), reactions.limit)
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

/// 5 and 95 % of the delay that the loop adds, microseconds, under a flat prior from 0 to the end of the grid.
pub fn delay_interval(answers: &Answers, past: Option<(f64, f64)>, reactions: &Reactions) -> (u32, u32) {
    let likelihood = likelihood(answers, reactions);
    let (mean, spread) = expected_location(past, reactions);
    let near = near_prior(mean, spread);
    let mut posterior = [0.0; CELLS];
    for (cell, p) in near.iter().enumerate() {
        for (slot, l) in posterior.iter_mut().zip(&likelihood[cell..]) {
            *slot += p * l;
        }
    }
    let total: f64 = posterior.iter().sum();
    let quantile = |q: f64| {
        let mut seen = 0.0;
        for (lag, p) in posterior.iter().enumerate() {
            if seen + p >= q * total {
                let inside = if *p > 0.0 { (q * total - seen) / p } else { 0.0 };
                return ((lag as f64 + inside - 0.5).max(0.0) * CELL_MILLIS * 1e3) as u32;
            }
            seen += p;
        }
        ((CELLS as f64) * CELL_MILLIS * 1e3) as u32
    };
    (quantile(0.05), quantile(0.95))
}
