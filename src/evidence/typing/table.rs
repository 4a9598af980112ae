//! Cadence tables: a factor model of many keys and digraphs, then a two-covariance comparison of the factors.
//!
//! A table gives a median dwell for some of 29 keys and a median press interval for some digraphs. All people share a
//! few factors (speed, hold, the lag of a hand, ...): the table's place among them is the posterior mean given what is
//! there, so that missing rows are simply not heard. Two tables are then compared by how far people differ from each
//! other and how far a person differs from day to day.

use super::phrase::{log_dwell, log_press_interval};
use crate::event::CadenceTable;
use serde::{Deserialize, Serialize};

/// Keys that tables may hold: 26 letters, enter, erase, space.
pub const KEY_COUNT: usize = 29;

/// Position of a usage among the keys of a table; absent for other usages.
pub fn key_index(usage: u32) -> Option<usize> {
    match usage {
        4..=29 => Some(usage as usize - 4),
        40 => Some(26),
        42 => Some(27),
        44 => Some(28),
        _ => None,
    }
}

/// Presses of the tables that the spreads were fitted on.
pub const PRESSES_NOMINAL: f64 = 250.0;
/// Share of a person's variation between tables that more presses do not take away: the day, the text, the chair.
const DAY_SHARE: f64 = 0.5;
/// Deviation, in standard deviations, to which a row is pulled in.
const ROW_CLIP: f64 = 4.0;
/// Tables' worth of evidence after which a profile forgets as it learns: the recent count most.
const TABLES_KEPT_MAX: f64 = 12.0;

/// One row of a table, in the coordinates of the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TableRow {
    /// Key index, or [`KEY_COUNT`] + first * [`KEY_COUNT`] + second.
    pub cell: u16,
    /// ln(time + shift).
    pub log_time: f64,
    /// Presses behind it.
    pub count: f64,
    /// Variance of `log_time` that the clock alone makes.
    pub clock_variance: f64,
    /// Half the interquartile range over the shifted median: the spread in ln.
    pub spread: f64,
}

/// One table, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct TableObservation {
    /// Presses it was made from.
    pub press_count: u32,
    /// Rows with a time.
    pub rows: Vec<TableRow>,
}

impl TableObservation {
    /// Measures a table. Rows without a time (no release seen) are left out.
    pub fn of(table: &CadenceTable) -> Self {
        let step = f64::from(table.timer_resolution_micros);
        let mut rows = Vec::with_capacity(table.keys.len() + table.digraphs.len());
        let mut push = |cell: usize, median: u32, spread: u32, count: u32, log_time: f64| {
            let shifted = log_time.exp();
            // The median of many stamps lies between steps only as far as the stamps themselves are spread.
            let clock_variance = step * step / 6.0 / (shifted * shifted) / f64::from(count.max(1)).sqrt();
            if median > 0 {
                rows.push(TableRow {
                    cell: cell as u16,
                    log_time,
                    count: f64::from(count),
                    clock_variance,
                    spread: f64::from(spread) / shifted,
                });
            }
        };
        for row in &table.keys {
            if let Some(key) = key_index(row.usage) {
                push(
                    key,
                    row.dwell_median_micros,
                    row.dwell_spread_micros,
                    row.count,
                    log_dwell(f64::from(row.dwell_median_micros)),
                );
            }
        }
        for row in &table.digraphs {
            if let (Some(first), Some(second)) = (key_index(row.first_usage), key_index(row.second_usage)) {
                let log_time = log_press_interval(f64::from(row.press_interval_median_micros));
                let cell = KEY_COUNT + first * KEY_COUNT + second;
                push(cell, row.press_interval_median_micros, row.press_interval_spread_micros, row.count, log_time);
            }
        }
        Self { press_count: table.press_count, rows }
    }
}

/// One cell of the factor model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableCell {
    /// Which cell; see [`TableRow::cell`].
    pub cell: u16,
    /// Mean over people, ln.
    pub mean: f64,
    /// Variance that no factor explains and no count takes away.
    pub specific_variance: f64,
    /// Variance of one press; over the count it is the variance of a median.
    pub press_variance: f64,
    /// Loading on each factor.
    pub loadings: Vec<f64>,
}

/// Fitted numbers of tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableParameters {
    /// Names the coordinates that profiles are kept in; a profile of another basis starts anew.
    pub basis: u32,
    /// Cells in rising order of `cell`.
    pub cells: Vec<TableCell>,
    /// Positions in `cells`, rising, of the cells that profiles keep one by one; at most [`SLOTS_MAX`].
    pub slots: Vec<u16>,
    /// Mean of the factors over people.
    pub centre: Vec<f64>,
    /// Rows of the matrix that takes factors to coordinates in which a person's own variation is 1 and independent.
    pub projection: Vec<Vec<f64>>,
    /// Variance between people per coordinate, falling.
    pub between_variance: Vec<f64>,
    /// Weights of [`TableScore::inputs`], then the intercept.
    pub calibration: Vec<f64>,
    /// Log-likelihood ratio above which a table is not learned from.
    pub gate: f64,
}

/// What is kept of a worker's tables.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TableProfile {
    /// Coordinates' basis.
    pub basis: u32,
    /// Presses learned, saturating.
    pub press_count: u32,
    /// Tables' worth of evidence in `means`, in hundredths.
    weight_hundredths: u16,
    /// Mean coordinates, in hundredths of a person's own variation.
    means: Vec<i16>,
    /// Mean deviation per slot from the cell's mean, in steps of [`SLOT_STEP`].
    deviations: Vec<i8>,
    /// Presses behind each slot as halved binary logarithms: 0 = none, else 2 log2(count) + 1.
    counts: Vec<u8>,
}

/// Cells that a profile keeps one by one: two bytes each, 320 of the 768 that typing may take.
pub const SLOTS_MAX: usize = 160;
/// Step of a kept deviation, in ln: finer than the day moves it.
const SLOT_STEP: f64 = 0.02;
/// Presses after which a slot forgets as it learns.
const SLOT_PRESSES_MAX: f64 = 64.0;
/// Deviation between table and profile, in standard deviations, beyond which a slot counts no more.
const SLOT_CLIP: f64 = 4.0;
/// Weight of a slot grows with the root of the presses behind it, up to this.
const SLOT_WEIGHT_MAX: f64 = 4.0;

fn stored_count(count: f64) -> u8 {
    if count < 1.0 { 0 } else { (2.0 * count.log2() + 1.0).round().min(60.0) as u8 }
}

fn count_of(stored: u8) -> f64 {
    if stored == 0 { 0.0 } else { ((f64::from(stored) - 1.0) / 2.0).exp2() }
}

/// A table compared with a profile, before calibration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TableScore {
    /// ln p(table | this worker) - ln p(table | anybody): positive = this worker.
    pub log_ratio: f64,
    /// Weighted mean deviation of the slots in standard deviations, clipped; 1 when no slot met.
    pub distance: f64,
    /// Slots that met.
    pub slot_count: u32,
    /// Rows of the table that the model knows.
    pub row_count: u32,
    /// Tables' worth of evidence in the profile.
    pub weight: f64,
}

impl TableScore {
    /// Number of inputs of the calibration, intercept left out.
    pub const INPUT_COUNT: usize = 4;

    /// Inputs of the calibration: ratio and distance (by the root of its number of slots), alone and as thinned by a
    /// young profile.
    pub fn inputs(&self) -> [f64; Self::INPUT_COUNT] {
        let young = 1.0 / (1.0 + self.weight);
        let distance = self.distance * f64::from(self.slot_count).sqrt().min(SLOT_ROOT_MAX) / SLOT_ROOT_MAX;
        [-self.log_ratio, -self.log_ratio * young, distance, distance * young]
    }
}

/// Root of the number of slots beyond which the distance gets no firmer.
const SLOT_ROOT_MAX: f64 = 10.0;

/// Solves `matrix * x = right` for a symmetric positive definite matrix held row by row; the matrix is overwritten.
pub fn solve_positive(matrix: &mut [f64], right: &mut [f64]) {
    let n = right.len();
    for column in 0..n {
        for row in column..n {
            let mut sum = matrix[row * n + column];
            for k in 0..column {
                sum -= matrix[row * n + k] * matrix[column * n + k];
            }
            matrix[row * n + column] =
                if row == column { sum.max(1e-12).sqrt() } else { sum / matrix[column * n + column] };
        }
    }
    for row in 0..n {
        let mut sum = right[row];
        for k in 0..row {
            sum -= matrix[row * n + k] * right[k];
        }
        right[row] = sum / matrix[row * n + row];
    }
    for row in (0..n).rev() {
        let mut sum = right[row];
        for k in row + 1..n {
            sum -= matrix[k * n + row] * right[k];
        }
        right[row] = sum / matrix[row * n + row];
    }
}

impl TableParameters {
    /// Checks lengths, order, finiteness and positive variances.
    pub(super) fn check(&self) -> Result<(), String> {
        let rank = self.centre.len();
        if rank == 0
            || self.projection.len() != self.between_variance.len()
            || self.projection.iter().any(|row| row.len() != rank)
        {
            return Err("typing.table.projection does not fit its factors".into());
        }
        if self.calibration.len() != TableScore::INPUT_COUNT + 1 {
            return Err(format!("typing.table.calibration has {} entries", self.calibration.len()));
        }
        if !self.cells.windows(2).all(|pair| pair[0].cell < pair[1].cell)
            || !self.slots.windows(2).all(|pair| pair[0] < pair[1])
        {
            return Err("typing.table.cells or slots do not rise".into());
        }
        if self.slots.len() > SLOTS_MAX || self.slots.last().is_some_and(|slot| usize::from(*slot) >= self.cells.len())
        {
            return Err("typing.table.slots point beyond the cells".into());
        }
        for cell in &self.cells {
            let sound = cell.mean.is_finite()
                && cell.specific_variance > 0.0
                && cell.press_variance > 0.0
                && cell.loadings.len() == rank
                && cell.loadings.iter().all(|loading| loading.is_finite());
            if !sound {
                return Err(format!("typing.table.cells: cell {} is out of range", cell.cell));
            }
        }
        let numbers =
            self.centre.iter().chain(self.projection.iter().flatten()).chain(&self.calibration).chain([&self.gate]);
        if !numbers.into_iter().all(|number| number.is_finite())
            || !self.between_variance.iter().all(|value| *value > 0.0)
        {
            return Err("typing.table holds a number that is not finite or a variance that is not positive".into());
        }
        Ok(())
    }

    /// The cell of a row, if the model knows it.
    fn cell(&self, cell: u16) -> Option<&TableCell> {
        self.cells.binary_search_by_key(&cell, |known| known.cell).ok().map(|index| &self.cells[index])
    }

    /// The slot of a row and its cell, if profiles keep it.
    fn slot(&self, cell: u16) -> Option<(usize, &TableCell)> {
        let index = self.cells.binary_search_by_key(&cell, |known| known.cell).ok()?;
        let slot = self.slots.binary_search(&(index as u16)).ok()?;
        Some((slot, &self.cells[index]))
    }

    /// Posterior mean of the factors, and how many rows were heard; absent when none was.
    pub fn factors(&self, observation: &TableObservation) -> Option<(Vec<f64>, u32)> {
        let rank = self.centre.len();
        let mut precision = vec![0.0; rank * rank];
        let mut right = vec![0.0; rank];
        let mut heard = 0;
        for row in &observation.rows {
            let Some(cell) = self.cell(row.cell) else { continue };
            let variance = cell.specific_variance + cell.press_variance / row.count.max(1.0) + row.clock_variance;
            let explained: f64 = cell.loadings.iter().map(|loading| loading * loading).sum();
            let limit = ROW_CLIP * (variance + explained).sqrt();
            let deviation = (row.log_time - cell.mean).clamp(-limit, limit);
            for (i, loading) in cell.loadings.iter().enumerate() {
                let weighted = loading / variance;
                right[i] += weighted * deviation;
                for (j, other) in cell.loadings[..=i].iter().enumerate() {
                    precision[i * rank + j] += weighted * other;
                }
            }
            heard += 1;
        }
        if heard == 0 {
            return None;
        }
        for i in 0..rank {
            precision[i * rank + i] += 1.0;
        }
        solve_positive(&mut precision, &mut right);
        Some((right, heard))
    }

    /// Coordinates in which a person's own variation is 1.
    fn coordinates(&self, observation: &TableObservation) -> Option<(Vec<f64>, u32)> {
        let (factors, heard) = self.factors(observation)?;
        let coordinates = self
            .projection
            .iter()
            .map(|row| {
                row.iter()
                    .zip(&factors)
                    .zip(&self.centre)
                    .map(|((weight, factor), centre)| weight * (factor - centre))
                    .sum()
            })
            .collect();
        Some((coordinates, heard))
    }

    /// The calibrated log-likelihood ratio, nats: positive = not this worker.
    pub fn calibrated(&self, score: &TableScore) -> f64 {
        let inputs = score.inputs();
        let weighted: f64 = inputs.iter().zip(&self.calibration).map(|(input, weight)| input * weight).sum();
        weighted + self.calibration.get(TableScore::INPUT_COUNT).copied().unwrap_or(0.0)
    }
}

/// A person's own variance in tables of `presses`, nominal tables having 1.
fn own_variance(presses: f64) -> f64 {
    DAY_SHARE + (1.0 - DAY_SHARE) * PRESSES_NOMINAL / presses.max(1.0)
}

impl TableProfile {
    /// Nominal tables' worth of evidence.
    pub fn weight(&self) -> f64 {
        f64::from(self.weight_hundredths) / 100.0
    }

    /// Mean coordinates, in a person's own variation.
    pub(super) fn means(&self) -> impl Iterator<Item = f64> {
        self.means.iter().map(|mean| f64::from(*mean) / 100.0)
    }

    /// Whether there is something to compare with, in the basis of `parameters`.
    pub fn speaks(&self, parameters: &TableParameters) -> bool {
        self.weight_hundredths > 0
            && self.basis == parameters.basis
            && self.means.len() == parameters.between_variance.len()
            && self.deviations.len() == parameters.slots.len()
            && self.counts.len() == parameters.slots.len()
    }

    /// Learns one table.
    pub fn learn(&mut self, observation: &TableObservation, parameters: &TableParameters) {
        let Some((coordinates, _)) = parameters.coordinates(observation) else { return };
        if !self.speaks(parameters) {
            let slots = parameters.slots.len();
            *self = Self {
                basis: parameters.basis,
                means: vec![0; coordinates.len()],
                deviations: vec![0; slots],
                counts: vec![0; slots],
                ..Self::default()
            };
        }
        let added = 1.0 / own_variance(f64::from(observation.press_count));
        let kept = self.weight().min(TABLES_KEPT_MAX - added);
        let weight = kept + added;
        for (mean, coordinate) in self.means.iter_mut().zip(&coordinates) {
            let moved = (f64::from(*mean) / 100.0 * kept + coordinate * added) / weight;
            *mean = (moved * 100.0).round().clamp(-32_000.0, 32_000.0) as i16;
        }
        self.weight_hundredths = (weight * 100.0).round().clamp(1.0, 65_000.0) as u16;
        self.press_count = self.press_count.saturating_add(observation.press_count);
        for row in &observation.rows {
            let Some((slot, cell)) = parameters.slot(row.cell) else { continue };
            let kept = count_of(self.counts[slot]).min(SLOT_PRESSES_MAX);
            let before = f64::from(self.deviations[slot]) * SLOT_STEP;
            let mean = (before * kept + (row.log_time - cell.mean) * row.count) / (kept + row.count);
            self.deviations[slot] = (mean / SLOT_STEP).round().clamp(-127.0, 127.0) as i8;
            self.counts[slot] = stored_count(kept + row.count);
        }
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
            let (Some(own), Some(own_count)) = (self.deviations.get_mut(slot), self.counts.get_mut(slot)) else {
                break;
            };
            let (mine, theirs) = (count_of(*own_count), count_of(*count));
            if theirs > 0.0 {
                *own = ((f64::from(*own) * mine + f64::from(*deviation) * theirs) / (mine + theirs)).round() as i8;
                *own_count = stored_count(mine + theirs);
            }
        }
        self.weight_hundredths = ((mine + theirs).min(TABLES_KEPT_MAX) * 100.0).round() as u16;
        self.press_count = self.press_count.saturating_add(other.press_count);
    }

    /// Compares a table with what was learned; absent when nothing was.
    pub fn score(&self, observation: &TableObservation, parameters: &TableParameters) -> Option<TableScore> {
        if !self.speaks(parameters) {
            return None;
        }
        let (coordinates, row_count) = parameters.coordinates(observation)?;
        let weight = self.weight();
        let own = own_variance(f64::from(observation.press_count));
        let mut log_ratio = 0.0;
        for ((coordinate, mean), between) in coordinates.iter().zip(&self.means).zip(&parameters.between_variance) {
            let mean = f64::from(*mean) / 100.0;
            // Given the profile, the worker is expected at `believed` with variance `doubt`.
            let share = between / (between + 1.0 / weight);
            let believed = share * mean;
            let doubt = between * (1.0 - share);
            let (mated, anybody) = (doubt + own, between + own);
            log_ratio += 0.5 * (anybody / mated).ln() - 0.5 * (coordinate - believed).powi(2) / mated
                + 0.5 * coordinate * coordinate / anybody;
        }
        let (distance, slot_count) = self.distance(observation, parameters);
        Some(TableScore { log_ratio, distance, slot_count, row_count, weight })
    }

    /// Weighted mean deviation of the slots of two profiles, and how many met; see [`TableProfile::distance`].
    pub(super) fn distance_to(&self, other: &Self, parameters: &TableParameters) -> (f64, u32) {
        let (mut sum, mut weights, mut met) = (0.0, 0.0, 0);
        for (slot, index) in parameters.slots.iter().enumerate() {
            let (mine, theirs) = (count_of(self.counts[slot]), count_of(other.counts[slot]));
            let cell = &parameters.cells[usize::from(*index)];
            if mine < 1.0 || theirs < 1.0 {
                continue;
            }
            let variance = cell.press_variance * (1.0 / mine + 1.0 / theirs) + cell.specific_variance;
            let deviation = (f64::from(self.deviations[slot]) - f64::from(other.deviations[slot])) * SLOT_STEP;
            let weight = mine.min(theirs).sqrt().min(SLOT_WEIGHT_MAX);
            sum += weight * (deviation.abs() / variance.sqrt()).min(SLOT_CLIP);
            weights += weight;
            met += 1;
        }
        if weights > 0.0 { (sum / weights, met) } else { (1.0, 0) }
    }

    /// Weighted mean deviation of the slots, and how many met.
    fn distance(&self, observation: &TableObservation, parameters: &TableParameters) -> (f64, u32) {
        let (mut sum, mut weights, mut met) = (0.0, 0.0, 0);
        for row in &observation.rows {
            let Some((slot, cell)) = parameters.slot(row.cell) else { continue };
            let kept = count_of(self.counts[slot]);
            if kept < 1.0 {
                continue;
            }
            let variance = cell.press_variance * (1.0 / kept + 1.0 / row.count.max(1.0))
                + cell.specific_variance
                + row.clock_variance;
            let deviation = row.log_time - cell.mean - f64::from(self.deviations[slot]) * SLOT_STEP;
            let weight = kept.min(row.count).sqrt().min(SLOT_WEIGHT_MAX);
            sum += weight * (deviation.abs() / variance.sqrt()).min(SLOT_CLIP);
            weights += weight;
            met += 1;
        }
        if weights > 0.0 { (sum / weights, met) } else { (1.0, 0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_positive_system_is_solved() {
        // [4 2; 2 3] x = [8; 7]: x = [1.25, 1.5]. Only the lower half is read.
        let (mut matrix, mut right) = (vec![4.0, 0.0, 2.0, 3.0], vec![8.0, 7.0]);
        solve_positive(&mut matrix, &mut right);
        assert!((right[0] - 1.25).abs() < 1e-12 && (right[1] - 1.5).abs() < 1e-12);
    }

    fn parameters() -> TableParameters {
        let cell =
            |cell| TableCell { cell, mean: 11.5, specific_variance: 0.01, press_variance: 0.04, loadings: vec![0.3] };
        TableParameters {
            basis: 7,
            cells: vec![cell(0), cell(1), cell(30)],
            slots: vec![0, 1, 2],
            centre: vec![0.0],
            projection: vec![vec![2.0]],
            between_variance: vec![3.0],
            calibration: vec![0.5, 0.0, 0.5, 0.0, -0.5],
            gate: 0.0,
        }
    }

    fn table(offset: f64) -> TableObservation {
        let row = |cell| TableRow { cell, log_time: 11.5 + offset, count: 16.0, clock_variance: 0.0, spread: 0.1 };
        TableObservation { press_count: 250, rows: vec![row(0), row(1), row(30)] }
    }

    #[test]
    fn the_same_table_scores_below_another() {
        let parameters = parameters();
        assert_eq!(parameters.check(), Ok(()));
        let mut profile = TableProfile::default();
        assert!(profile.score(&table(0.0), &parameters).is_none());
        profile.learn(&table(0.3), &parameters);
        let score = |offset| profile.score(&table(offset), &parameters).map(|score| parameters.calibrated(&score));
        assert!(score(0.3) < score(-0.3));
    }

    #[test]
    fn a_profile_of_another_basis_is_silent_and_starts_anew() {
        let mut parameters = parameters();
        let mut profile = TableProfile::default();
        profile.learn(&table(0.3), &parameters);
        parameters.basis = 8;
        assert!(profile.score(&table(0.3), &parameters).is_none());
        profile.learn(&table(0.1), &parameters);
        assert_eq!(profile.basis, 8);
    }

    #[test]
    fn counts_survive_storage_within_a_fifth() {
        for count in [1.0, 2.0, 3.0, 16.0, 64.0] {
            assert!((count_of(stored_count(count)) / count - 1.0).abs() < 0.2);
        }
        assert_eq!(count_of(stored_count(0.0)), 0.0);
    }
}
