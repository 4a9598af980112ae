//! What is kept of a worker's tables, and how another table or another profile compares with it.

use super::table::{PairSum, Placed, TableObservation, TableParameters, own_variance};
use super::table_population::Population;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Tables' worth of evidence after which a profile forgets as it learns: the recent count most.
const TABLES_KEPT_MAX: f64 = 12.0;
/// Share of a table's own variation that all tables of one day have in common: those of one text, one chair, one mood say
/// less together than apart. Of .3 to .9, on people left out, every step was better for BB-MAS, whose tables are all of
/// one day, and for Villani, whose are not.
const COMMON_SHARE: f64 = 0.9;
/// Days beyond which more say no more of a hand: nobody whose typing may be learned from was seen on more.
const DAYS_MAX: f64 = 4.0;
/// Step of a kept remainder, in ln: 127 of them reach [`super::table::REMAINDER_CLIP`].
pub const SLOT_STEP: f64 = 0.004;
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
    /// Mean coordinates, in hundredths of a person's own variation. In profiles that learned since differences are
    /// kept, [`BEHIND_MEANS`] follows, then what [`Varied`] holds.
    means: Vec<i16>,
    /// Mean per slot of what the factors leave, in steps of [`SLOT_STEP`].
    deviations: Vec<i8>,
    /// Precision of each slot's mean: 0 = nothing heard, else 8 log2(precision) + 1.
    counts: Vec<u8>,
}

/// Ends the means where more follows; no mean is so low.
const BEHIND_MEANS: i16 = i16::MIN;
/// Numbers behind the means and the differences: mean square of remainders, days compared, the day last learned.
const VARIED_NUMBERS: usize = 3;
/// Days compared after which older ones are forgotten.
const VARIED_DAYS_MAX: i16 = 12;
/// Bound of a kept difference, in hundredths.
const VARIED_BOUND: f64 = 2_000.0;

/// How a worker's tables vary from day to day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Varied<'a> {
    /// Per coordinate the differences of tables from what was learned before, in hundredths of the deviation expected
    /// of them, added up with signs by turns and divided by the root of their number: a difference's variance is kept,
    /// a trend goes out, and no one table can be told from it.
    pub differences: &'a [i16],
    /// Mean square of the same of what the factors leave, over slots, in hundredths.
    pub remainder_square: i16,
}

/// Upper ends of the eight parts of a binary order, in logarithms: 2^((k + 1/2) / 8), k from 0.
const ORDER_ENDS: [f64; 8] = [
    1.044_273_782_427_413_8,
    1.138_788_634_756_691_6,
    1.241_857_812_073_484,
    1.354_255_546_936_892_8,
    1.476_826_145_939_499_3,
    1.610_490_331_949_254_3,
    1.756_252_160_373_299_5,
    1.915_206_561_397_147_2,
];

/// 8 log2(precision) + 1, rounded; 0 under 1. Read off the number's own binary order, since it is asked for some hundred
/// times a table.
fn stored_precision(precision: f64) -> u8 {
    if precision < 1.0 || !precision.is_finite() {
        return 0;
    }
    let bits = precision.to_bits();
    let order = (bits >> 52) as i64 - 1_023;
    let within = f64::from_bits(bits & ((1 << 52) - 1) | 1_023 << 52);
    let part: i64 = ORDER_ENDS.iter().map(|end| i64::from(within >= *end)).sum();
    (8 * order + part + 1).min(255) as u8
}

/// Precision and its inverse, by how it is stored.
static PRECISIONS: LazyLock<[(f64, f64); 256]> = LazyLock::new(|| {
    std::array::from_fn(|stored| {
        let precision = if stored == 0 { 0.0 } else { ((stored as f64 - 1.0) / PRECISION_STEPS).exp2() };
        (precision, 1.0 / precision)
    })
});

fn precision_of(stored: u8) -> f64 {
    PRECISIONS[usize::from(stored)].0
}

/// The nearest whole number, halves away from 0: what `round` gives for numbers this small, without a call.
fn nearest(number: f64) -> i32 {
    (number + 0.5f64.copysign(number)) as i32
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
    /// How far the tenant's own people are the population, \[0, 1).
    pub tenant_share: f64,
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
        self.stored_means().iter().map(|mean| f64::from(*mean) / 100.0)
    }

    /// Which coordinates the profile is in.
    pub fn basis(&self) -> u32 {
        self.basis
    }

    /// Mean coordinates as they are kept, in hundredths.
    pub(super) fn stored_means(&self) -> &[i16] {
        let count = self.means.iter().position(|mean| *mean == BEHIND_MEANS).unwrap_or(self.means.len());
        &self.means[..count]
    }

    /// Per slot the kept remainder in steps, and whether anything was heard.
    pub(super) fn stored_slots(&self) -> impl Iterator<Item = (i8, bool)> {
        self.deviations.iter().zip(&self.counts).map(|(step, count)| (*step, *count > 0))
    }

    /// How tables vary from day to day; absent before a second day.
    pub fn varied(&self) -> Option<Varied<'_>> {
        let behind = self.means.get(self.stored_means().len() + 1..)?;
        let (differences, rest) = behind.split_at_checked(behind.len().checked_sub(VARIED_NUMBERS)?)?;
        match rest {
            [remainder_square, days, _] if *days > 0 => {
                Some(Varied { differences, remainder_square: *remainder_square })
            }
            _ => None,
        }
    }

    /// Notes how a table differs from what was learned before; of one day nothing, since a sitting says nothing of days.
    fn vary(&mut self, placed: &Placed, own: f64, day: u16, parameters: &TableParameters) {
        let count = self.stored_means().len();
        if self.means.len() != 2 * count + 1 + VARIED_NUMBERS {
            self.means.truncate(count);
            self.means.push(BEHIND_MEANS);
            self.means.resize(2 * count + 1 + VARIED_NUMBERS, 0);
        } else if self.weight_hundredths > 0 && self.means[2 * count + 3].cast_unsigned() != day {
            let known = self.mean_variance();
            let days = self.means[2 * count + 2].clamp(0, VARIED_DAYS_MAX - 1) + 1;
            let share = 1.0 / f64::from(days);
            let sign = if days % 2 == 0 { -1.0 } else { 1.0 };
            let (means, behind) = self.means.split_at_mut(count);
            for ((mean, kept), now) in means.iter().zip(&mut behind[1..]).zip(&placed.coordinates) {
                let difference = sign * (100.0 * now - f64::from(*mean)) / (own + known).sqrt();
                let joined = (1.0 - share).sqrt() * f64::from(*kept) + share.sqrt() * difference;
                *kept = joined.round().clamp(-VARIED_BOUND, VARIED_BOUND) as i16;
            }
            if let Some(square) = self.remainder_square(placed, parameters) {
                let kept = f64::from(self.means[2 * count + 1]);
                let joined = (1.0 - share) * kept + share * 100.0 * square;
                self.means[2 * count + 1] = joined.round().clamp(0.0, VARIED_BOUND) as i16;
            }
            self.means[2 * count + 2] = days;
        }
        self.means[2 * count + 3] = day.cast_signed();
    }

    /// Mean over slots of the squared difference of a table's remainders from what is kept, by what is expected of it.
    fn remainder_square(&self, placed: &Placed, parameters: &TableParameters) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        let day_variance = self.day_variance();
        for (slot, remainder, variance) in &placed.remainders {
            if let Some((mean, doubt)) = self.slot(*slot) {
                let common = day_variance * parameters.slot_cell(*slot).table_variance;
                sum += (remainder - mean).powi(2) / (variance + doubt + common);
                count += 1.0;
            }
        }
        (count > 0.0).then(|| sum / count)
    }

    /// Own variance of the mean coordinates: what a day does, by the days behind them, and the rest, by the tables.
    pub fn mean_variance(&self) -> f64 {
        self.day_variance() + (1.0 - COMMON_SHARE) / self.weight()
    }

    /// Share of a table's own variation that days leave in the means.
    fn day_variance(&self) -> f64 {
        let compared = self.means.get(2 * self.stored_means().len() + 2).copied().unwrap_or(0);
        COMMON_SHARE / (1.0 + f64::from(compared.max(0))).min(DAYS_MAX)
    }

    /// Whether there is something to compare with, in the basis of `parameters`.
    pub fn speaks(&self, parameters: &TableParameters) -> bool {
        self.weight_hundredths > 0
            && self.basis == parameters.profile_basis()
            && self.stored_means().len() == parameters.between_variance.len()
            && self.deviations.len() == parameters.slots.len()
            && self.counts.len() == parameters.slots.len()
    }

    /// Learns one table, typed on a day counted from any.
    pub fn learn(&mut self, observation: &TableObservation, parameters: &TableParameters, day: u16) {
        if let Some(placed) = parameters.place(observation) {
            self.learn_placed(&placed, observation.press_count, parameters, day);
        }
    }

    /// Learns a table that has been placed by the same parameters.
    pub fn learn_placed(&mut self, placed: &Placed, press_count: u32, parameters: &TableParameters, day: u16) {
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
        let own = own_variance(f64::from(press_count));
        self.vary(placed, own, day, parameters);
        let added = 1.0 / own;
        let before = self.weight();
        let kept = before.min(TABLES_KEPT_MAX - added);
        let weight = kept + added;
        for (mean, coordinate) in self.means.iter_mut().zip(&placed.coordinates) {
            let moved = (f64::from(*mean) / 100.0 * kept + coordinate * added) / weight;
            *mean = (moved * 100.0).round().clamp(-32_000.0, 32_000.0) as i16;
        }
        self.weight_hundredths = (weight * 100.0).round().clamp(1.0, 65_000.0) as u16;
        self.press_count = self.press_count.saturating_add(press_count);
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
        *deviation = nearest(moved / SLOT_STEP).clamp(-127, 127) as i8;
        *count = stored_precision(kept + precision);
    }

    /// Adds what another profile of the same worker learned; a profile of another basis is dropped for the larger.
    pub fn merge(&mut self, other: &Self) {
        if other.weight_hundredths == 0 {
            return;
        }
        if self.weight_hundredths == 0
            || self.basis != other.basis
            || self.stored_means().len() != other.stored_means().len()
        {
            if other.press_count > self.press_count {
                *self = other.clone();
            }
            return;
        }
        let (mine, theirs) = (self.weight(), other.weight());
        // How the better known one varies is how the worker does.
        let count = self.stored_means().len();
        if theirs > mine {
            self.means.truncate(count);
            self.means.extend_from_slice(&other.means[count..]);
        }
        for (mean, added) in self.means.iter_mut().zip(other.stored_means()) {
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
        let (precision, variance) = PRECISIONS[usize::from(*self.counts.get(slot)?)];
        let deviation = f64::from(*self.deviations.get(slot)?) * SLOT_STEP;
        (precision > 0.0).then_some((deviation, variance))
    }

    /// Compares a table with what was learned, among everybody; absent when nothing was.
    pub fn score(&self, observation: &TableObservation, parameters: &TableParameters) -> Option<TableScore> {
        if !self.speaks(parameters) {
            return None;
        }
        let placed = parameters.place(observation)?;
        Some(self.score_placed(&placed, observation.press_count, parameters, &Population::of(parameters, None)))
    }

    /// Compares a table that has been placed, among a population; all must be of the same parameters, in which the
    /// profile [speaks](Self::speaks).
    pub fn score_placed(
        &self,
        placed: &Placed,
        press_count: u32,
        parameters: &TableParameters,
        population: &Population<'_>,
    ) -> TableScore {
        let own = own_variance(f64::from(press_count));
        let (mut factors, mut remainders) = (PairSum::new(), PairSum::new());
        let places = population.compare(self.means(), placed.coordinates.iter().copied(), self.mean_variance(), own);
        factors.add_places(&places, placed.coordinates.len());
        let (scale, day_variance) = (population.remainder_scale, self.day_variance());
        for (slot, remainder, variance) in &placed.remainders {
            if let Some((mean, doubt)) = self.slot(*slot) {
                let cell = parameters.slot_cell(*slot);
                let known = scale * (doubt + day_variance * cell.table_variance);
                let centre = population.remainder(*slot);
                remainders.add(mean - centre, remainder - centre, known, scale * variance, cell.person_variance);
            }
        }
        TableScore {
            factor_ratio: factors.ratio(FACTOR_FREEDOM),
            remainder_ratio: remainders.ratio(REMAINDER_FREEDOM),
            row_count: placed.row_count,
            weight: self.weight(),
            tenant_share: population.share,
        }
    }

    /// Compares what two workers' profiles learned; absent when either speaks another basis. Symmetric.
    pub fn score_profile(&self, other: &Self, parameters: &TableParameters) -> Option<TableScore> {
        if !self.speaks(parameters) || !other.speaks(parameters) {
            return None;
        }
        let (mut factors, mut remainders) = (PairSum::new(), PairSum::new());
        let (mine, theirs) = (self.mean_variance(), other.mean_variance());
        let (my_day, their_day) = (self.day_variance(), other.day_variance());
        let population = &parameters.population;
        for (index, (a, b)) in self.means().zip(other.means()).enumerate() {
            let centre = population.coordinate(index);
            factors.add(a - centre, b - centre, mine, theirs, parameters.between_variance[index]);
        }
        let mut row_count = 0;
        for slot in 0..parameters.slots.len() {
            if let (Some((a, mine)), Some((b, theirs))) = (self.slot(slot), other.slot(slot)) {
                let cell = parameters.slot_cell(slot);
                let centre = population.remainder(slot);
                let (mine, theirs) = (mine + my_day * cell.table_variance, theirs + their_day * cell.table_variance);
                remainders.add(a - centre, b - centre, mine, theirs, cell.person_variance);
                row_count += 1;
            }
        }
        Some(TableScore {
            factor_ratio: factors.ratio(FACTOR_FREEDOM),
            remainder_ratio: remainders.ratio(REMAINDER_FREEDOM),
            row_count,
            weight: self.weight().max(other.weight()),
            tenant_share: 0.0,
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
        tables.iter().for_each(|table| profile.learn(table, &parameters(), 0));
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
        (0..24).for_each(|_| profile.learn(&table(0.0, -0.1), &parameters(), 0));
        assert!(score(&profile, &table(0.0, -0.1)) < before.min(0.0));
    }

    #[test]
    fn a_profile_of_another_basis_is_silent_and_starts_anew() {
        let mut parameters = parameters();
        let mut profile = learned(&[table(0.3, 0.0)]);
        parameters.basis += 1;
        assert!(profile.score(&table(0.3, 0.0), &parameters).is_none());
        profile.learn(&table(0.1, 0.0), &parameters, 0);
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
        // As the logarithm itself rounds.
        for step in 0..4_000 {
            let precision = (f64::from(step) * 0.005 + 0.0001).exp();
            let rounded = (PRECISION_STEPS * precision.log2() + 1.0).round().min(255.0) as u8;
            assert_eq!(stored_precision(precision), rounded, "{precision}");
        }
    }
}
