//! Ordered free typing: whose hand it is, by key classes alone.
//!
//! A stretch becomes [`TRAIT_COUNT`] means over presses: of ln times by class and pair of classes, and of soft shares
//! (how many letters are held shorter than 85 ms, how many letters follow within 110 ms, or before the last one is up).
//! Means add up, so a session may be summed piece by piece, and no time, order or class can be read back. A soft share
//! rises over 50 ms and more, so that the steps of a clock are not taken for a hand.
//!
//! Of the means a person has a place in few dimensions, `mean + loadings * place`, and two stretches of one person
//! deviate from it by the day and the text (`within`) and by the number of presses (`press_variance / count`). What a
//! stretch says of the place is then a Gaussian: stretches of one person add up, and the likelihood ratio is what two
//! say together over what they say apart.
//!
//! Worked example, one trait and one dimension: loading 1, within .5, press variance 25. A profile of one session of 100
//! presses and a mean of +2 has information 1 / (.5 + .25) = 1.33 and pull 2 * 1.33 = 2.67. A probe of 50 presses at -1
//! has information 1 and pull -1. One person explains both by 1.67^2 / (2 * 3.33) - ln(3.33) / 2 = -.19, two by
//! 2.67^2 / (2 * 2.33) - ln(2.33) / 2 + 1 / (2 * 2) - ln(2) / 2 = 1.00: two people are likelier by 1.19 nats.

mod place;
mod profile;

use super::calibration::bounded;
use super::lineup::{log_dwell, log_press_interval};
use crate::event::{KeyClass, TypingContext, TypingSample};
pub use place::{ClockModel, Said};
pub use profile::{OrderedProfile, OrderedScore, squashed};
use serde::{Deserialize, Serialize};

/// Fewest presses compared.
pub const ORDERED_PRESSES_MIN: u32 = 20;
/// Longest interval that is a hand's and not a thought's, microseconds.
const INTERVAL_MICROS_MAX: u32 = 1_000_000;
/// Longest dwell that is a press and not a key held down, microseconds.
const DWELL_MICROS_MAX: u32 = 600_000;
/// Presses per input-method composition under which a stretch is the method's timing and not the hand's.
const PRESSES_PER_COMPOSITION_MIN: u32 = 50;

/// Groups of dwells: letters, space, erase, modifiers, all others.
const DWELL_GROUPS: usize = 5;
/// Groups of press intervals; see [`interval_group`].
const INTERVAL_GROUPS: usize = 8;
/// Soft shares as centre and half width, milliseconds: of dwells of letters.
const LETTER_DWELLS: [(f64, f64); 4] = [(60.0, 25.0), (85.0, 25.0), (110.0, 25.0), (140.0, 30.0)];
/// Of dwells of the space bar.
const SPACE_DWELLS: [(f64, f64); 2] = [(70.0, 25.0), (100.0, 25.0)];
/// Of press intervals from letter to letter.
const LETTER_INTERVALS: [(f64, f64); 6] =
    [(70.0, 21.0), (110.0, 33.0), (150.0, 45.0), (200.0, 60.0), (270.0, 81.0), (380.0, 114.0)];
/// Of flights from letter to letter.
const LETTER_FLIGHTS: [(f64, f64); 6] =
    [(-60.0, 30.0), (-20.0, 30.0), (20.0, 30.0), (60.0, 30.0), (120.0, 30.0), (200.0, 30.0)];
/// Of press intervals between letter and space.
const SPACE_INTERVALS: [(f64, f64); 3] = [(100.0, 30.0), (160.0, 48.0), (250.0, 75.0)];
/// Of flights to and from space.
const SPACE_FLIGHTS: [(f64, f64); 3] = [(0.0, 40.0), (60.0, 40.0), (140.0, 40.0)];

/// Where each kind of trait begins.
const AT_LETTER_DWELLS: usize = DWELL_GROUPS;
const AT_SPACE_DWELLS: usize = AT_LETTER_DWELLS + LETTER_DWELLS.len();
const AT_INTERVALS: usize = AT_SPACE_DWELLS + SPACE_DWELLS.len();
const AT_LETTER_INTERVALS: usize = AT_INTERVALS + INTERVAL_GROUPS;
const AT_LETTER_FLIGHTS: usize = AT_LETTER_INTERVALS + LETTER_INTERVALS.len();
const AT_SPACE_INTERVALS: usize = AT_LETTER_FLIGHTS + LETTER_FLIGHTS.len();
const AT_SPACE_FLIGHTS: usize = AT_SPACE_INTERVALS + SPACE_INTERVALS.len();
/// Traits of a stretch.
pub const TRAIT_COUNT: usize = AT_SPACE_FLIGHTS + SPACE_FLIGHTS.len();

/// One stretch of ordered typing, or several of one clock, as sums over presses.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderedObservation {
    /// Presses in it.
    pub press_count: u32,
    /// Granularity of the clock that stamped them, microseconds.
    pub timer_resolution_micros: u32,
    sums: [f64; TRAIT_COUNT],
    counts: [u32; TRAIT_COUNT],
}

fn dwell_group(class: KeyClass) -> Option<usize> {
    match class {
        KeyClass::Letter => Some(0),
        KeyClass::Space => Some(1),
        KeyClass::Erase => Some(2),
        KeyClass::Modifier => Some(3),
        KeyClass::Digit | KeyClass::Punctuation | KeyClass::Enter => Some(4),
        KeyClass::Withheld | KeyClass::Navigation => None,
    }
}

fn interval_group(first: KeyClass, second: KeyClass) -> usize {
    match (first, second) {
        (KeyClass::Letter, KeyClass::Letter) => 0,
        (KeyClass::Letter, KeyClass::Space) => 1,
        (KeyClass::Space, KeyClass::Letter) => 2,
        (KeyClass::Erase, KeyClass::Erase) => 4,
        (_, KeyClass::Erase) => 3,
        (KeyClass::Erase, _) => 5,
        (KeyClass::Modifier, _) | (_, KeyClass::Modifier) => 6,
        _ => 7,
    }
}

impl OrderedObservation {
    /// Measures free typing in order. Absent when it is no free text, shuffled, without classes, mostly an input
    /// method's, or under [`ORDERED_PRESSES_MIN`] presses.
    pub fn of(typing: &TypingSample) -> Option<Self> {
        let presses = typing.press_interval_micros.len() as u32;
        (presses >= ORDERED_PRESSES_MIN).then(|| Self::of_last(typing, presses as usize)).flatten()
    }

    /// Measures the last `presses` presses, however few; otherwise as [`OrderedObservation::of`].
    pub fn of_last(typing: &TypingSample, presses: usize) -> Option<Self> {
        let count = typing.press_interval_micros.len();
        let composed = typing.composition_count.saturating_mul(PRESSES_PER_COMPOSITION_MIN) > count as u32;
        let fit = typing.context == TypingContext::FreeText && !typing.shuffled && !composed;
        if !fit || typing.key_classes.len() != count {
            return None;
        }
        let from = count.saturating_sub(presses);
        let mut observation = Self {
            press_count: (count - from) as u32,
            timer_resolution_micros: typing.timer_resolution_micros,
            sums: [0.0; TRAIT_COUNT],
            counts: [0; TRAIT_COUNT],
        };
        for index in from..count {
            let (class, dwell) = (typing.key_classes[index], typing.dwell_micros[index]);
            observation.add_dwell(class, dwell);
            if index > from {
                let (before, held) = (typing.key_classes[index - 1], typing.dwell_micros[index - 1]);
                observation.add_interval(before, held, class, typing.press_interval_micros[index]);
            }
        }
        Some(observation)
    }

    fn add_dwell(&mut self, class: KeyClass, dwell: u32) {
        let Some(group) = dwell_group(class).filter(|_| dwell > 0 && dwell < DWELL_MICROS_MAX) else { return };
        let micros = f64::from(dwell);
        self.add(group, log_dwell(micros));
        match class {
            KeyClass::Letter => self.add_shares(AT_LETTER_DWELLS, &LETTER_DWELLS, micros),
            KeyClass::Space => self.add_shares(AT_SPACE_DWELLS, &SPACE_DWELLS, micros),
            _ => {}
        }
    }

    /// Adds the interval from one press to the next; `held` is the dwell of the first.
    fn add_interval(&mut self, first: KeyClass, held: u32, second: KeyClass, interval: u32) {
        if interval >= INTERVAL_MICROS_MAX || first == KeyClass::Withheld || second == KeyClass::Withheld {
            return;
        }
        let (group, micros) = (interval_group(first, second), f64::from(interval));
        self.add(AT_INTERVALS + group, log_press_interval(micros));
        let flight = (held > 0 && held < DWELL_MICROS_MAX).then(|| micros - f64::from(held));
        let of_space = first == KeyClass::Space || second == KeyClass::Space;
        match group {
            0 => self.add_shares(AT_LETTER_INTERVALS, &LETTER_INTERVALS, micros),
            1 | 2 => self.add_shares(AT_SPACE_INTERVALS, &SPACE_INTERVALS, micros),
            _ => {}
        }
        match flight {
            Some(flight) if group == 0 => self.add_shares(AT_LETTER_FLIGHTS, &LETTER_FLIGHTS, flight),
            Some(flight) if of_space => self.add_shares(AT_SPACE_FLIGHTS, &SPACE_FLIGHTS, flight),
            _ => {}
        }
    }

    fn add(&mut self, index: usize, value: f64) {
        self.sums[index] += value;
        self.counts[index] += 1;
    }

    /// Adds to what share of times lies above each centre, rising softly over the width around it.
    fn add_shares(&mut self, at: usize, shares: &[(f64, f64)], micros: f64) {
        for (index, (centre, half_width)) in shares.iter().enumerate() {
            let above = 0.5 + (micros - 1_000.0 * centre) / (2_000.0 * half_width);
            self.add(at + index, above.clamp(0.0, 1.0));
        }
    }

    /// Adds another stretch of the same hand. One of another clock is left out; returns whether it was added.
    pub fn join(&mut self, other: &Self) -> bool {
        if self.timer_resolution_micros != other.timer_resolution_micros {
            return false;
        }
        self.press_count = self.press_count.saturating_add(other.press_count);
        for index in 0..TRAIT_COUNT {
            self.sums[index] += other.sums[index];
            self.counts[index] = self.counts[index].saturating_add(other.counts[index]);
        }
        true
    }

    /// What is left without a stretch that was joined before.
    pub fn without(&self, part: &Self) -> Self {
        let mut left = self.clone();
        left.press_count = left.press_count.saturating_sub(part.press_count);
        for index in 0..TRAIT_COUNT {
            left.counts[index] = left.counts[index].saturating_sub(part.counts[index]);
            left.sums[index] -= part.sums[index];
        }
        left
    }

    /// Mean of a trait and the presses behind it; absent when none was seen.
    pub fn mean(&self, index: usize) -> Option<(f64, f64)> {
        let count = f64::from(self.counts[index]);
        (count > 0.0).then(|| (self.sums[index] / count, count))
    }
}

/// Fitted numbers of ordered typing. Empty in models made before it: it then abstains.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OrderedParameters {
    /// By rising granularity of the clock.
    pub clocks: Vec<ClockModel>,
}

/// Presses learned before the gate of a settled profile holds.
pub const SETTLED_PRESSES: u32 = 500;

impl OrderedParameters {
    /// The model of a clock; absent when none was fitted.
    fn clock(&self, timer_resolution_micros: u32) -> Option<&ClockModel> {
        let fits = |model: &&ClockModel| model.timer_resolution_micros_max >= timer_resolution_micros;
        self.clocks.iter().find(fits).or_else(|| self.clocks.last())
    }

    /// What a stretch says of a person's place; absent when no model was fitted.
    pub fn said(&self, observation: &OrderedObservation) -> Option<Said> {
        let model = self.clock(observation.timer_resolution_micros)?;
        Some(model.said(|index| observation.mean(index), 1.0))
    }

    /// The calibrated log-likelihood ratio, nats: positive = not this worker.
    pub fn calibrated(&self, score: &OrderedScore) -> f64 {
        let Some(model) = self.clock(score.timer_resolution_micros) else { return 0.0 };
        let inputs = score.inputs();
        let weighted: f64 = inputs.iter().zip(&model.calibration).map(|(input, weight)| input * weight).sum();
        let log_odds = weighted + model.calibration.get(OrderedScore::INPUT_COUNT).copied().unwrap_or(0.0);
        bounded(log_odds, model.odd_stretch_rate)
    }

    /// Whether a stretch of this score and clock may teach a profile of so many presses.
    pub fn teaches(&self, log_odds: f64, enrolled_presses: u32, timer_resolution_micros: u32) -> bool {
        let settled = enrolled_presses >= SETTLED_PRESSES;
        self.clock(timer_resolution_micros)
            .is_some_and(|model| log_odds <= if settled { model.gate } else { model.gate_young })
    }

    /// Log-likelihood ratio of a change of hands between what two stretches of one session said, nats, calibrated.
    pub fn changed(&self, before: &Said, after: &Said, timer_resolution_micros: u32) -> f64 {
        let Some(model) = self.clock(timer_resolution_micros) else { return 0.0 };
        let ratio = squashed(before.apart_from(after));
        match model.handover_calibration[..] {
            [factor, intercept] => factor * ratio + intercept,
            _ => 0.0,
        }
    }

    /// Log-likelihood ratio, nats, from which on a change of hands is told.
    pub fn handover_told(&self, timer_resolution_micros: u32) -> f64 {
        self.clock(timer_resolution_micros).map_or(f64::INFINITY, |model| model.handover_told)
    }

    /// Checks lengths, order, finiteness and positive variances.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.clocks.is_empty() {
            return Ok(());
        }
        let rising = |pair: &[ClockModel]| pair[0].timer_resolution_micros_max < pair[1].timer_resolution_micros_max;
        if !self.clocks.windows(2).all(rising) {
            return Err("typing.ordered.clocks are not by rising granularity".into());
        }
        for model in &self.clocks {
            let rank = model.loadings.first().map_or(0, Vec::len);
            let shaped = model.mean.len() == TRAIT_COUNT
                && model.press_variance.len() == TRAIT_COUNT
                && model.within.len() == TRAIT_COUNT
                && model.within.iter().enumerate().all(|(index, row)| row.len() == index + 1)
                && model.loadings.len() == TRAIT_COUNT
                && rank > 0
                && model.loadings.iter().all(|row| row.len() == rank);
            if !shaped {
                return Err(format!("typing.ordered.clocks do not hold {TRAIT_COUNT} traits"));
            }
            let numbers = model.mean.iter().chain(model.within.iter().flatten()).chain(model.loadings.iter().flatten());
            let positive = |variance: &f64| variance.is_finite() && *variance > 0.0;
            if !numbers.into_iter().all(|number| number.is_finite())
                || !model.press_variance.iter().all(positive)
                || !model.within.iter().all(|row| row.last().is_some_and(positive))
            {
                return Err("typing.ordered.clocks hold a number out of range".into());
            }
            if !(0.0..0.5).contains(&model.odd_stretch_rate) {
                return Err("typing.ordered.clocks hold an odd_stretch_rate out of [0, .5)".into());
            }
            let gates = [model.gate, model.gate_young, model.handover_told];
            if model.calibration.len() != OrderedScore::INPUT_COUNT + 1
                || model.handover_calibration.len() != 2
                || !model.calibration.iter().chain(&model.handover_calibration).chain(&gates).all(|one| one.is_finite())
            {
                return Err("typing.ordered.clocks hold a calibration or gate that is missing or not finite".into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
