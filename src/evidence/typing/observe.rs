//! One session's typing, measured by itself: phrase, table, and how much a machine it looks.

use super::likeness;
use super::ordered::OrderedObservation;
use super::phrase::PhraseObservation;
use super::synthetic::{self, MachineObservation};
use super::table::{Placed, TableObservation, TableParameters};
use crate::event::{Samples, TypingContext, TypingSample};
use crate::evidence::quantile::quantile_of_sorted;
use std::borrow::Cow;

/// Fewest timed values behind a median that is shown to people.
const SHOWN_VALUES_MIN: usize = 4;

/// Why ordered typing cannot be compared with a phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Free text, secrets, shuffled entries: nothing to line up by position.
    NotPhrase,
    /// Pasted, autofilled, composed or incomplete: missing, not different.
    NotTyped,
    /// Too few presses.
    TooShort,
}

/// Median and half the interquartile range of times, microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Centre {
    /// Median, microseconds.
    pub median_micros: f64,
    /// Half the interquartile range, microseconds.
    pub spread_micros: f64,
}

/// Typing of one session, measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// Presses in order or shuffled; 0 without a typing sample.
    pub press_count: u32,
    /// The fixed phrase, when it can be lined up; why not, when a sample was there and it cannot.
    pub phrase: Option<Result<PhraseObservation, Unfit>>,
    /// The table of free typing.
    pub table: Option<TableObservation>,
    /// The table's place among people, once it was placed: comparing and learning both ask for it.
    pub placed: Option<Placed>,
    /// Free typing in order, by key classes; absent when it cannot be compared.
    pub ordered: Option<Box<OrderedObservation>>,
    /// Dwells of the ordered or shuffled sample; absent under 4 seen.
    pub dwell: Option<Centre>,
    /// Press intervals of the same; absent under 4 seen.
    pub press_interval: Option<Centre>,
    /// Share of presses made before the key before came up, \[0, 1\]; absent when shuffled or under 4 pairs.
    pub rollover_rate: Option<f64>,
    /// Marks of a machine; absent when there is too little typing.
    pub machine: Option<MachineObservation>,
    /// The same of the table; absent when its rows are too few.
    pub machine_table: Option<likeness::Table>,
}

impl Observation {
    /// Places the table, if there is one, so that comparing and learning need not each do it.
    pub fn place(&mut self, parameters: &TableParameters) {
        self.placed = self.table.as_ref().and_then(|table| parameters.place(table));
    }

    /// The table's place by these parameters; absent without a table, or when the model knows none of its rows.
    pub fn placed(&self, parameters: &TableParameters) -> Option<Cow<'_, Placed>> {
        match &self.placed {
            Some(placed) if placed.basis == parameters.profile_basis() => Some(Cow::Borrowed(placed)),
            _ => self.table.as_ref().and_then(|table| parameters.place(table)).map(Cow::Owned),
        }
    }
}

/// Measures typing. Cheap when nothing was collected.
pub fn observe(samples: &Samples) -> Observation {
    let mut observation = Observation {
        table: samples.cadence.as_ref().map(TableObservation::of),
        machine_table: samples.cadence.as_ref().and_then(synthetic::of_table),
        ..Observation::default()
    };
    let Some(typing) = &samples.typing else { return observation };
    observation.press_count = typing.press_interval_micros.len() as u32;
    observation.phrase = Some(phrase(typing));
    observation.ordered = OrderedObservation::of(typing).map(Box::new);
    // Sorted as integers, which is several times faster than as floats.
    let mut dwells: Vec<u32> = typing.dwell_micros.iter().copied().filter(|dwell| *dwell > 0).collect();
    let mut intervals: Vec<u32> = if typing.shuffled {
        // The first press's 0 is anywhere among shuffled entries; another 0 is not told from it.
        typing.press_interval_micros.iter().copied().filter(|interval| *interval > 0).collect()
    } else {
        typing.press_interval_micros[1..].to_vec()
    };
    dwells.sort_unstable();
    intervals.sort_unstable();
    let dwells: Vec<f64> = dwells.into_iter().map(f64::from).collect();
    let intervals: Vec<f64> = intervals.into_iter().map(f64::from).collect();
    observation.machine = MachineObservation::of(typing, &dwells, &intervals);
    observation.dwell = centre(&dwells);
    observation.press_interval = centre(&intervals);
    observation.rollover_rate = if typing.shuffled { None } else { rollover_rate(typing) };
    observation
}

/// Median and spread of sorted values.
fn centre(sorted: &[f64]) -> Option<Centre> {
    if sorted.len() < SHOWN_VALUES_MIN {
        return None;
    }
    let spread_micros = (quantile_of_sorted(sorted, 0.75) - quantile_of_sorted(sorted, 0.25)) / 2.0;
    Some(Centre { median_micros: quantile_of_sorted(sorted, 0.5), spread_micros })
}

fn phrase(typing: &TypingSample) -> Result<PhraseObservation, Unfit> {
    if typing.context != TypingContext::FixedPhrase || typing.shuffled {
        return Err(Unfit::NotPhrase);
    }
    if typing.insertion_count > 0 || typing.composition_count > 0 || typing.dropped_press_count > 0 {
        return Err(Unfit::NotTyped);
    }
    PhraseObservation::of(typing).ok_or(Unfit::TooShort)
}

/// Share of presses made before the previous key came up, in \[0, 1\]; absent under 4 pairs with both times.
fn rollover_rate(typing: &TypingSample) -> Option<f64> {
    let (mut rolled, mut pairs) = (0u32, 0u32);
    for (dwell, interval) in typing.dwell_micros.iter().zip(&typing.press_interval_micros[1..]) {
        if *dwell > 0 {
            pairs += 1;
            rolled += u32::from(interval < dwell);
        }
    }
    (pairs >= SHOWN_VALUES_MIN as u32).then(|| f64::from(rolled) / f64::from(pairs))
}
