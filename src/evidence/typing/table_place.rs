//! A table's place among people: the posterior mean of the factors given the rows it has, and what they leave of each.
//!
//! Asked for at every login that brings a table, so what does not depend on the table is laid out once per model, cell
//! after cell in one stretch of memory, and the loadings' products are summed four rows at a time.

use super::table::{Heard, OWN_VARIANCE_PRIOR, OWN_VARIANCE_RANGE, Placed, REMAINDER_CLIP, ROW_CLIP, TableParameters};
use super::table_population::COORDINATES_MAX;
use super::table_sample::{CellKind, KEY_COUNT, STEADINESS_CELL, TableObservation, cell_kind};
use std::sync::OnceLock;

/// Marks a cell that the model does not know, and a known cell that profiles do not keep.
const NONE: u16 = u16::MAX;
/// Cells that a table may hold.
const CELLS: usize = STEADINESS_CELL + KEY_COUNT;
/// Rows of loadings whose products are summed together.
const BLOCK: usize = 4;

/// What the model knows of a cell, for placing.
#[derive(Debug, Clone, Copy)]
struct Known {
    mean: f64,
    specific_variance: f64,
    press_variance: f64,
    table_variance: f64,
    /// Variance that the factors make.
    explained: f64,
    /// Position among the cells that profiles keep, or [`NONE`].
    slot: u16,
    kind: CellKind,
}

/// A model laid out for placing tables.
#[derive(Debug)]
struct Layout {
    /// Which parameters it was made of.
    basis: u32,
    /// Position among the known cells, by cell.
    positions: Vec<u16>,
    known: Vec<Known>,
    /// Loadings of the known cells, `width` to a cell: zeros behind the factors.
    loadings: Vec<f64>,
    /// Factors, made even.
    width: usize,
}

/// The layout, made when it is first asked for. It is no part of the parameters' value: a copy makes its own, and all
/// are alike.
#[derive(Debug, Default)]
pub struct Prepared(OnceLock<Layout>);

impl Clone for Prepared {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Prepared {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Layout {
    fn of(parameters: &TableParameters) -> Self {
        let width = parameters.centre.len().next_multiple_of(2);
        let mut positions = vec![NONE; CELLS];
        let mut loadings = vec![0.0; parameters.cells.len() * width];
        let mut known = Vec::with_capacity(parameters.cells.len());
        for (index, cell) in parameters.cells.iter().enumerate() {
            if let Some(position) = positions.get_mut(usize::from(cell.cell)) {
                *position = index as u16;
            }
            loadings[index * width..][..cell.loadings.len()].copy_from_slice(&cell.loadings);
            known.push(Known {
                mean: cell.mean,
                specific_variance: cell.specific_variance,
                press_variance: cell.press_variance,
                table_variance: cell.table_variance,
                explained: cell.loadings.iter().map(|loading| loading * loading).sum(),
                slot: parameters.slots.binary_search(&(index as u16)).map_or(NONE, |slot| slot as u16),
                kind: cell_kind(cell.cell),
            });
        }
        Self { basis: parameters.basis, positions, known, loadings, width }
    }

    /// The rows that are known, each with its noise; see [`TableParameters::heard`].
    fn heard(&self, observation: &TableObservation) -> Vec<Heard> {
        let mut heard = Vec::with_capacity(observation.rows.len());
        let mut own = [(OWN_VARIANCE_PRIOR, OWN_VARIANCE_PRIOR); 2];
        for row in &observation.rows {
            let position = self.positions.get(usize::from(row.cell)).copied().unwrap_or(NONE);
            let Some(known) = self.known.get(usize::from(position)) else { continue };
            if let (Some(variance), CellKind::Dwell | CellKind::PressInterval) = (row.own_variance, known.kind) {
                let (sum, count) = &mut own[usize::from(known.kind == CellKind::PressInterval)];
                *sum += variance * std::f64::consts::FRAC_PI_2 / known.press_variance;
                *count += 1.0;
            }
            let noise = known.press_variance / row.count;
            heard.push((row.clock_variance, Heard { index: usize::from(position), value: row.log_time, noise }));
        }
        let own = own.map(|(sum, count)| (sum / count).clamp(OWN_VARIANCE_RANGE.0, OWN_VARIANCE_RANGE.1));
        // The kind's number is known now: the clock's part is added to it.
        let finished = |(clock, row): (f64, Heard)| {
            let times = match self.known[row.index].kind {
                CellKind::Dwell => own[0],
                CellKind::PressInterval => own[1],
                CellKind::Steadiness => 1.0,
            };
            Heard { noise: row.noise * times + clock, ..row }
        };
        heard.into_iter().map(finished).collect()
    }

    /// Posterior mean of the factors given the rows; `W` is [`Layout::width`].
    fn factors<const W: usize>(&self, heard: &[Heard]) -> [f64; COORDINATES_MAX] {
        let mut precision = [[0.0; W]; W];
        let mut right = [0.0; W];
        for rows in heard.chunks(BLOCK) {
            // Where rows are fewer than a block, weights of 0 stand for them.
            let mut block = [([0.0; W], [0.0; W]); BLOCK];
            for ((loadings, weighted), row) in block.iter_mut().zip(rows) {
                let known = &self.known[row.index];
                let variance = known.specific_variance + row.noise;
                let mut deviation = row.value - known.mean;
                let limit = ROW_CLIP * ROW_CLIP * (variance + known.explained);
                if deviation * deviation > limit {
                    deviation = limit.sqrt().copysign(deviation);
                }
                let weight = 1.0 / variance;
                loadings.copy_from_slice(&self.loadings[row.index * W..][..W]);
                for index in 0..W {
                    weighted[index] = loadings[index] * weight;
                    right[index] += weighted[index] * deviation;
                }
            }
            let [(a, wa), (b, wb), (c, wc), (d, wd)] = &block;
            for (index, sums) in precision.iter_mut().enumerate() {
                // Up to the diagonal, made even: pairs run in wide registers.
                for column in 0..(index | 1) + 1 {
                    sums[column] +=
                        wa[index] * a[column] + wb[index] * b[column] + wc[index] * c[column] + wd[index] * d[column];
                }
            }
        }
        solve(&mut precision, &mut right);
        let mut factors = [0.0; COORDINATES_MAX];
        factors[..W].copy_from_slice(&right);
        factors
    }

    fn place(&self, observation: &TableObservation, parameters: &TableParameters) -> Option<Placed> {
        let heard = self.heard(observation);
        if heard.is_empty() {
            return None;
        }
        let factors = match self.width {
            2 => self.factors::<2>(&heard),
            4 => self.factors::<4>(&heard),
            6 => self.factors::<6>(&heard),
            8 => self.factors::<8>(&heard),
            10 => self.factors::<10>(&heard),
            12 => self.factors::<12>(&heard),
            14 => self.factors::<14>(&heard),
            _ => self.factors::<COORDINATES_MAX>(&heard),
        };
        let mut from_centre = factors;
        from_centre.iter_mut().zip(&parameters.centre).for_each(|(factor, centre)| *factor -= centre);
        let along = |row: &Vec<f64>| row.iter().zip(&from_centre).map(|(weight, factor)| weight * factor).sum();
        let mut remainders = Vec::with_capacity(heard.len());
        for row in &heard {
            let known = &self.known[row.index];
            if known.slot != NONE {
                let loadings = &self.loadings[row.index * self.width..][..self.width];
                let explained: f64 = loadings.iter().zip(&factors).map(|(loading, factor)| loading * factor).sum();
                let remainder = (row.value - known.mean - explained).clamp(-REMAINDER_CLIP, REMAINDER_CLIP);
                remainders.push((usize::from(known.slot), remainder, known.table_variance + row.noise));
            }
        }
        Some(Placed {
            basis: parameters.profile_basis(),
            coordinates: parameters.projection.iter().map(along).collect(),
            remainders,
            row_count: heard.len() as u32,
        })
    }
}

/// Sum of products over the shorter one.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Solves (`matrix` + 1) x = `right` by its lower half; both are overwritten.
fn solve<const W: usize>(matrix: &mut [[f64; W]; W], right: &mut [f64; W]) {
    for row in 0..W {
        matrix[row][row] += 1.0;
        for column in 0..=row {
            let sum = matrix[row][column] - dot(&matrix[row][..column], &matrix[column]);
            // Pivots are left as their inverses.
            matrix[row][column] =
                if row == column { 1.0 / sum.max(1e-12).sqrt() } else { sum * matrix[column][column] };
        }
        right[row] = (right[row] - dot(&matrix[row][..row], right)) * matrix[row][row];
    }
    for row in (0..W).rev() {
        let below = matrix[row + 1..].iter().zip(&right[row + 1..]).map(|(other, value)| other[row] * value);
        right[row] = (right[row] - below.sum::<f64>()) * matrix[row][row];
    }
}

impl TableParameters {
    /// The rows that the model knows, each with its noise. A hand that is unsteady throughout is known by its own
    /// spreads to leave doubtful medians, so each row's variance of a press is the population's times one number per
    /// kind of cell that the table itself gives.
    pub fn heard(&self, observation: &TableObservation) -> Vec<Heard> {
        // Fits ask for it while they still move the cells.
        Layout::of(self).heard(observation)
    }

    /// A table's place among people; absent when the model knows none of its rows.
    pub fn place(&self, observation: &TableObservation) -> Option<Placed> {
        let layout = self.prepared.0.get_or_init(|| Layout::of(self));
        if layout.basis == self.basis {
            return layout.place(observation, self);
        }
        // Parameters that were changed after they placed a table.
        Layout::of(self).place(observation, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::typing::sample::parameters;
    use crate::evidence::typing::table::{TableCell, TableRow};

    /// A model of `rank` factors over 40 cells with loadings of no pattern, and a table of every one but some.
    fn model(rank: usize) -> (TableParameters, TableObservation) {
        let number = |cell: usize, factor: usize| (1.7 * cell as f64 + 0.9 * factor as f64).sin();
        let cell = |index: usize| TableCell {
            cell: index as u16,
            mean: 11.5,
            specific_variance: 0.01,
            press_variance: 0.05,
            person_variance: 0.01,
            table_variance: 0.01,
            loadings: (0..rank).map(|factor| 0.2 * number(index, factor)).collect(),
        };
        let row = |index: usize| TableRow {
            cell: index as u16,
            log_time: 11.5 + 0.4 * number(index, 77),
            count: 1.0 + (index % 5) as f64,
            clock_variance: 0.001,
            own_variance: index.is_multiple_of(3).then_some(0.02),
        };
        let identity = |row: usize| (0..rank).map(|column| f64::from(u8::from(row == column))).collect();
        let model = TableParameters {
            cells: (0..40).map(cell).collect(),
            slots: (0..20).collect(),
            centre: vec![0.0; rank],
            projection: (0..rank).map(identity).collect(),
            between_variance: vec![1.0; rank],
            prepared: Prepared::default(),
            ..parameters().table
        };
        let rows = (0..40).filter(|index| index % 7 != 3).map(row).collect();
        (model, TableObservation { press_count: 250, rows })
    }

    #[test]
    fn a_place_is_the_posterior_mean_whatever_the_number_of_factors() -> Result<(), String> {
        for rank in 1..=COORDINATES_MAX {
            let (model, observation) = model(rank);
            model.check()?;
            let placed = model.place(&observation).ok_or("no place")?;
            // The long way: sums over rows in order, and a general solver.
            let slow = model.factors(&model.heard(&observation));
            for (fast, slow) in placed.coordinates.iter().zip(&slow) {
                assert!((fast - slow).abs() < 1e-12, "rank {rank}: {fast} {slow}");
            }
            for (slot, remainder, _) in &placed.remainders {
                let row = model.heard(&observation).into_iter().find(|row| row.index == *slot).ok_or("no row")?;
                assert!((remainder - model.remainder(&row, &slow)).abs() < 1e-12);
            }
        }
        Ok(())
    }

    #[test]
    fn parameters_that_changed_place_by_what_they_are_now() {
        let (mut model, observation) = model(3);
        let before = model.place(&observation);
        model.cells.iter_mut().for_each(|cell| cell.mean += 0.1);
        model.basis += 1;
        let now = model.place(&observation);
        assert!(before != now && now == model.clone().place(&observation));
    }
}
