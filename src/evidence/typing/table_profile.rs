//! What is kept of a worker's tables, and how another table or another profile compares with it.

use super::table::{PairSum, Placed, TableObservation, TableParameters, own_variance};
use serde::{Deserialize, Serialize};

/// Tables' worth of evidence after which a profile forgets as it learns: the recent count most.
const TABLES_KEPT_MAX: f64 = 12.0;
/// Share of a table's own variation that all tables of a profile may have in common: those of one week, one text, one
/// chair say less together than apart. BB-MAS, whose tables are all of one sitting, and Villani, whose are not, were
/// both better off with .3 than with none.
const COMMON_SHARE: f64 = 0.3;
/// Step of a kept remainder, in ln: 127 of them reach [`super::table::REMAINDER_CLIP`].
const SLOT_STEP: f64 = 0.004;
/// Steps per binary order of a kept precision.
const PRECISION_STEPS: f64 = 8.0;

/// What is kept of a worker's tables.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TableProfile {
    /// Coordinates' basis.
    basis: u32,
    /// Presses learned, saturating.
    pub press_count: u32,
    /// Tables' worth of evidence in `means`, in hundredths.
    weight_hundredths: u16,
    /// Mean coordinates, in hundredths of a person's own variation.
    means: Vec<i16>,
    /// Mean per slot of what the factors leave, in steps of [`SLOT_STEP`].
    deviations: Vec<i8>,
    /// Precision of each slot's mean: 0 = nothing heard, else 8 log2(precision) + 1.
    counts: Vec<u8>,
}

fn stored_precision(precision: f64) -> u8 {
    if precision < 1.0 { 0 } else { (PRECISION_STEPS * precision.log2() + 1.0).round().min(255.0) as u8 }
}

fn precision_of(stored: u8) -> f64 {
    if stored == 0 { 0.0 } else { ((f64::from(stored) - 1.0) / PRECISION_STEPS).exp2() }
}

/// A comparison, before calibration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TableScore {
    /// ln p(both | one typist) - ln p(both | two), by the factors: positive = this worker.
    pub factor_ratio: f64,
    /// The same, cell by cell, of what the factors leave.
    pub remainder_ratio: f64,
    /// Rows of the table that the model knows.
    pub row_count: u32,
    /// Tables' worth of evidence in the profile.
    pub weight: f64,
}

/// Degrees of freedom of factors and of remainders: how far a person's bad days reach. On people left out, 3 to 20 do
/// alike for factors, all better than the normal distribution; of remainders 100 is hardly different from it.
const FACTOR_FREEDOM: f64 = 20.0;
const REMAINDER_FREEDOM: f64 = 100.0;

impl TableScore {
    /// ln p(both | one typist) - ln p(both | two): positive = this worker.
    pub fn ratio(&self) -> f64 {
        self.factor_ratio + self.remainder_ratio
    }
}

impl TableProfile {
    /// Whether every slot has a deviation and a count.
    pub fn sound(&self) -> bool {
        self.deviations.len() == self.counts.len()
    }

    /// Nominal tables' worth of evidence.
    pub fn weight(&self) -> f64 {
        f64::from(self.weight_hundredths) / 100.0
    }

    /// Mean coordinates, in a person's own variation.
    pub fn means(&self) -> impl Iterator<Item = f64> {
        self.means.iter().map(|mean| f64::from(*mean) / 100.0)
    }

    /// Own variance of the mean coordinates.
    pub fn mean_variance(&self) -> f64 {
        COMMON_SHARE + (1.0 - COMMON_SHARE) / self.weight()
    }

    /// Whether there is something to compare with, in the basis of `parameters`.
    pub fn speaks(&self, parameters: &TableParameters) -> bool {
        self.weight_hundredths > 0
            && self.basis == parameters.profile_basis()
            && self.means.len() == parameters.between_variance.len()
            && self.deviations.len() == parameters.slots.len()
            && self.counts.len() == parameters.slots.len()
    }

    /// Learns one table.
    pub fn learn(&mut self, observation: &TableObservation, parameters: &TableParameters) {
        let Some(placed) = parameters.place(observation) else { return };
        if !self.speaks(parameters) {
            let slots = parameters.slots.len();
            *self = Self {
                basis: parameters.profile_basis(),
                means: vec![0; placed.coordinates.len()],
                deviations: vec![0; slots],
                counts: vec![0; slots],
                ..Self::default()
            };
        }
        let added = 1.0 / own_variance(f64::from(observation.press_count));
        let before = self.weight();
        let kept = before.min(TABLES_KEPT_MAX - added);
        let weight = kept + added;
        for (mean, coordinate) in self.means.iter_mut().zip(&placed.coordinates) {
            let moved = (f64::from(*mean) / 100.0 * kept + coordinate * added) / weight;
            *mean = (moved * 100.0).round().clamp(-32_000.0, 32_000.0) as i16;
        }
        self.weight_hundredths = (weight * 100.0).round().clamp(1.0, 65_000.0) as u16;
        self.press_count = self.press_count.saturating_add(observation.press_count);
        if kept < before {
            let share = kept / before;
            self.counts.iter_mut().for_each(|count| *count = stored_precision(precision_of(*count) * share));
        }
        for (slot, remainder, variance) in &placed.remainders {
            self.learn_slot(*slot, *remainder, 1.0 / variance);
        }
    }

    /// Adds to one slot a mean of a precision.
    fn learn_slot(&mut self, slot: usize, mean: f64, precision: f64) {
        let (Some(deviation), Some(count)) = (self.deviations.get_mut(slot), self.counts.get_mut(slot)) else { return };
        let kept = precision_of(*count);
        let moved = (f64::from(*deviation) * SLOT_STEP * kept + mean * precision) / (kept + precision);
        *deviation = (moved / SLOT_STEP).round().clamp(-127.0, 127.0) as i8;
        *count = stored_precision(kept + precision);
    }

    /// Adds what another profile of the same worker learned; a profile of another basis is dropped for the larger.
    pub fn merge(&mut self, other: &Self) {
        if other.weight_hundredths == 0 {
            return;
        }
        if self.weight_hundredths == 0 || self.basis != other.basis || self.means.len() != other.means.len() {
            if other.press_count > self.press_count {
                *self = other.clone();
            }
            return;
        }
        let (mine, theirs) = (self.weight(), other.weight());
        for (mean, added) in self.means.iter_mut().zip(&other.means) {
            *mean = ((f64::from(*mean) * mine + f64::from(*added) * theirs) / (mine + theirs)).round() as i16;
        }
        for (slot, (deviation, count)) in other.deviations.iter().zip(&other.counts).enumerate() {
            if *count > 0 {
                self.learn_slot(slot, f64::from(*deviation) * SLOT_STEP, precision_of(*count));
            }
        }
        self.weight_hundredths = ((mine + theirs).min(TABLES_KEPT_MAX) * 100.0).round() as u16;
        self.press_count = self.press_count.saturating_add(other.press_count);
    }

    /// A slot's mean and the variance of that mean; absent when nothing was heard.
    pub fn slot(&self, slot: usize) -> Option<(f64, f64)> {
        let precision = precision_of(*self.counts.get(slot)?);
        let deviation = f64::from(*self.deviations.get(slot)?) * SLOT_STEP;
        (precision > 0.0).then(|| (deviation, 1.0 / precision))
    }

    /// Compares a table with what was learned; absent when nothing was.
    pub fn score(&self, observation: &TableObservation, parameters: &TableParameters) -> Option<TableScore> {
        if !self.speaks(parameters) {
            return None;
        }
        let placed = parameters.place(observation)?;
        Some(self.score_placed(&placed, observation.press_count, parameters))
    }

    /// Compares a table that has been placed; the profile must be of the same parameters.
    pub fn score_placed(&self, placed: &Placed, press_count: u32, parameters: &TableParameters) -> TableScore {
        let own = own_variance(f64::from(press_count));
        let (mut factors, mut remainders) = (PairSum::new(), PairSum::new());
        let known = self.mean_variance();
        let population = &parameters.population;
        for (index, (coordinate, mean)) in placed.coordinates.iter().zip(self.means()).enumerate() {
            let centre = population.coordinate(index);
            factors.add(mean - centre, coordinate - centre, known, own, parameters.between_variance[index]);
        }
        for (slot, remainder, variance) in &placed.remainders {
            if let Some((mean, doubt)) = self.slot(*slot) {
                let cell = parameters.slot_cell(*slot);
                let known = doubt + COMMON_SHARE * cell.table_variance;
                let centre = population.remainder(*slot);
                remainders.add(mean - centre, remainder - centre, known, *variance, cell.person_variance);
            }
        }
        TableScore {
            factor_ratio: factors.ratio(FACTOR_FREEDOM),
            remainder_ratio: remainders.ratio(REMAINDER_FREEDOM),
            row_count: placed.row_count,
            weight: self.weight(),
        }
    }

    /// Compares what two workers' profiles learned; absent when either speaks another basis. Symmetric.
    pub fn score_profile(&self, other: &Self, parameters: &TableParameters) -> Option<TableScore> {
        if !self.speaks(parameters) || !other.speaks(parameters) {
            return None;
        }
        let (mut factors, mut remainders) = (PairSum::new(), PairSum::new());
        let (mine, theirs) = (self.mean_variance(), other.mean_variance());
        let population = &parameters.population;
        for (index, (a, b)) in self.means().zip(other.means()).enumerate() {
            let centre = population.coordinate(index);
            factors.add(a - centre, b - centre, mine, theirs, parameters.between_variance[index]);
        }
        let mut row_count = 0;
        for slot in 0..parameters.slots.len() {
            if let (Some((a, mine)), Some((b, theirs))) = (self.slot(slot), other.slot(slot)) {
                let cell = parameters.slot_cell(slot);
                let common = COMMON_SHARE * cell.table_variance;
                let centre = population.remainder(slot);
                let (mine, theirs) = (mine + common, theirs + common);
                remainders.add(a - centre, b - centre, mine, theirs, cell.person_variance);
                row_count += 1;
            }
        }
        Some(TableScore {
            factor_ratio: factors.ratio(FACTOR_FREEDOM),
            remainder_ratio: remainders.ratio(REMAINDER_FREEDOM),
            row_count,
            weight: self.weight().max(other.weight()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::typing::sample::parameters as typing_parameters;
    use crate::evidence::typing::table::TableRow;

    fn parameters() -> TableParameters {
        typing_parameters().table
    }

    /// A table whose cells stand `offset` and, by turns, `own` above the mean.
    fn table(offset: f64, own: f64) -> TableObservation {
        let row = |cell: u16| TableRow {
            cell,
            log_time: 110_000f64.ln() + offset + if cell.is_multiple_of(2) { own } else { -own },
            count: 16.0,
            clock_variance: 0.0,
            own_variance: None,
        };
        TableObservation { press_count: 250, rows: (0..3).map(row).collect() }
    }

    fn learned(tables: &[TableObservation]) -> TableProfile {
        let mut profile = TableProfile::default();
        tables.iter().for_each(|table| profile.learn(table, &parameters()));
        profile
    }

    fn score(profile: &TableProfile, table: &TableObservation) -> f64 {
        profile.score(table, &parameters()).map_or(f64::NAN, |score| parameters().calibrated(&score))
    }

    #[test]
    fn the_same_table_scores_below_another() {
        assert_eq!(parameters().check(), Ok(()));
        assert!(TableProfile::default().score(&table(0.0, 0.0), &parameters()).is_none());
        let profile = learned(&[table(0.3, 0.0)]);
        assert!(score(&profile, &table(0.3, 0.0)) < 0.0);
        assert!(score(&profile, &table(-0.3, 0.0)) > score(&profile, &table(0.3, 0.0)));
    }

    #[test]
    fn what_the_factors_leave_tells_two_equally_fast_hands_apart() {
        let profile = learned(&[table(0.3, 0.15), table(0.3, 0.15)]);
        assert!(score(&profile, &table(0.3, 0.15)) < score(&profile, &table(0.3, -0.15)));
        let remainder = |own| profile.score(&table(0.3, own), &parameters()).map(|score| score.remainder_ratio);
        assert!(remainder(0.15) > Some(0.0) && remainder(-0.15) < Some(0.0));
    }

    #[test]
    fn more_tables_say_more_and_level_off() {
        let of = |tables: usize| score(&learned(&vec![table(0.3, 0.1); tables]), &table(0.3, 0.1));
        assert!(of(1) > of(2) && of(2) > of(6));
        assert!(of(6) - of(40) < 0.3 * (of(1) - of(6)), "{} {} {}", of(1), of(6), of(40));
    }

    #[test]
    fn a_settled_profile_follows_its_worker() {
        let mut profile = learned(&vec![table(0.3, 0.1); 40]);
        let before = score(&profile, &table(0.0, -0.1));
        (0..24).for_each(|_| profile.learn(&table(0.0, -0.1), &parameters()));
        assert!(score(&profile, &table(0.0, -0.1)) < before.min(0.0));
    }

    #[test]
    fn a_profile_of_another_basis_is_silent_and_starts_anew() {
        let mut parameters = parameters();
        let mut profile = learned(&[table(0.3, 0.0)]);
        parameters.basis += 1;
        assert!(profile.score(&table(0.3, 0.0), &parameters).is_none());
        profile.learn(&table(0.1, 0.0), &parameters);
        assert!(profile.speaks(&parameters) && profile.press_count == 250);
    }

    #[test]
    fn merging_two_halves_is_learning_both() {
        let mut merged = learned(&[table(0.3, 0.1)]);
        merged.merge(&learned(&[table(0.1, 0.0)]));
        let both = learned(&[table(0.3, 0.1), table(0.1, 0.0)]);
        assert_eq!(merged.press_count, both.press_count);
        assert!((score(&merged, &table(0.2, 0.05)) - score(&both, &table(0.2, 0.05))).abs() < 0.02);
    }

    #[test]
    fn precisions_survive_storage_within_a_twentieth() {
        for precision in [1.0, 3.0, 16.0, 640.0, 24_000.0] {
            assert!((precision_of(stored_precision(precision)) / precision - 1.0).abs() < 0.05);
        }
        assert_eq!(precision_of(stored_precision(0.0)), 0.0);
    }
}
