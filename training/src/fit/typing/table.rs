//! Fits the table part of the typing family: factor model by EM with missing rows, then two covariances.

use super::{logistic, samples};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet};
use elsewhere::evidence::typing::observe::observe;
use elsewhere::evidence::typing::table::{
    PRESSES_NOMINAL, SLOTS_MAX, TableCell, TableObservation, TableParameters, TableProfile, TableRow, TableScore,
    solve_positive,
};
use std::collections::BTreeMap;
use std::path::Path;

/// Tables of one person, in order.
#[derive(Debug, Clone)]
pub(crate) struct TablePerson {
    /// Where the person is from.
    pub set: KeystrokeSet,
    /// Pseudonym, unique within the set.
    pub subject: String,
    /// Tables by session; sessions of one sitting are blocks.
    pub sessions: Vec<Vec<TableObservation>>,
}

/// Most blocks taken of a person of one sitting.
const BLOCKS_MAX: usize = 14;

/// Observes the table of a block through the road that serves.
pub(crate) fn table_observation(
    block: &[corpus::Stretch],
    set: KeystrokeSet,
) -> Result<Option<TableObservation>, String> {
    let mut event = convert::bare_event("w", "e".into(), 0);
    event.cadence = Some(convert::table_of(block, set));
    Ok(observe(&samples(event)?).table)
}

/// People with tables of `presses` presses.
pub(crate) fn table_people(data: &Path, set: KeystrokeSet, presses: usize) -> Result<Vec<TablePerson>, String> {
    let mut people = Vec::new();
    for typist in corpus::read(data, set)? {
        let mut by_session: BTreeMap<u32, Vec<corpus::Stretch>> = BTreeMap::new();
        for stretch in typist.stretches {
            by_session.entry(stretch.session).or_default().push(stretch);
        }
        let mut sessions = Vec::new();
        for stretches in by_session.values() {
            let blocks = convert::blocks(stretches, presses);
            let step = blocks.len().div_ceil(BLOCKS_MAX).max(1);
            let mut tables = Vec::new();
            for block in blocks.iter().step_by(step) {
                tables.extend(table_observation(block, set)?);
            }
            sessions.push(tables);
        }
        people.push(TablePerson { set, subject: typist.subject, sessions });
    }
    Ok(people)
}

/// Factors of the model; 121 people do not carry many more.
pub(crate) const RANK: usize = 16;
/// Rounds of EM; the likelihood is flat by then.
const ROUNDS: usize = 12;
/// Digraph cells kept, the most frequent.
const DIGRAPHS_KEPT: usize = 300;
/// Least specific variance of a cell, in ln.
const SPECIFIC_VARIANCE_MIN: f64 = 0.0004;
/// Weight of the prior that loadings are small, in tables.
const LOADING_PRIOR: f64 = 2.0;

struct Cells {
    cells: Vec<TableCell>,
    index: BTreeMap<u16, usize>,
}

/// Chooses cells and starts means, press variances and loadings.
fn start(tables: &[&TableObservation], rank: usize) -> Cells {
    let mut by_cell: BTreeMap<u16, Vec<(f64, f64, f64)>> = BTreeMap::new();
    for table in tables {
        for row in &table.rows {
            by_cell.entry(row.cell).or_default().push((row.log_time, row.count, row.spread));
        }
    }
    let mut digraphs: Vec<(usize, u16)> = by_cell
        .iter()
        .filter(|(cell, _)| usize::from(**cell) >= elsewhere::evidence::typing::table::KEY_COUNT)
        .map(|(cell, rows)| (rows.len(), *cell))
        .collect();
    digraphs.sort_by_key(|(count, cell)| (std::cmp::Reverse(*count), *cell));
    let kept: std::collections::BTreeSet<u16> = digraphs.iter().take(DIGRAPHS_KEPT).map(|(_, cell)| *cell).collect();
    let mut cells = Vec::new();
    for (cell, rows) in &by_cell {
        let key = usize::from(*cell) < elsewhere::evidence::typing::table::KEY_COUNT;
        if rows.len() < 40 || !(key || kept.contains(cell)) {
            continue;
        }
        let weight: f64 = rows.iter().map(|row| row.1.sqrt()).sum();
        let mean = rows.iter().map(|row| row.0 * row.1.sqrt()).sum::<f64>() / weight;
        // Half an interquartile range is .6745 standard deviations; a median varies by pi/2 of a mean.
        let spreads: Vec<f64> = rows.iter().filter(|row| row.1 >= 4.0).map(|row| row.2 / 0.6745).collect();
        let square = spreads.iter().map(|spread| spread * spread).sum::<f64>() / spreads.len().max(1) as f64;
        let press_variance = std::f64::consts::FRAC_PI_2 * square.clamp(0.01, 0.25);
        // Loadings start as speed and hold plus fixed waves: no randomness, and no two factors alike.
        let loadings = (0..rank)
            .map(|factor| match factor {
                0 => 0.15,
                1 => {
                    if key {
                        0.15
                    } else {
                        -0.05
                    }
                }
                _ => 0.05 * (f64::from(*cell) * (0.37 + 0.61 * factor as f64)).sin(),
            })
            .collect();
        cells.push(TableCell { cell: *cell, mean, specific_variance: 0.01, press_variance, loadings });
    }
    let index = cells.iter().enumerate().map(|(index, cell)| (cell.cell, index)).collect();
    Cells { cells, index }
}

/// Inverse of a symmetric positive definite matrix, column by column.
fn inverse(matrix: &[f64], n: usize) -> Vec<f64> {
    let mut result = vec![0.0; n * n];
    for column in 0..n {
        let mut copy = matrix.to_vec();
        let mut right = vec![0.0; n];
        right[column] = 1.0;
        solve_positive(&mut copy, &mut right);
        for row in 0..n {
            result[row * n + column] = right[row];
        }
    }
    result
}

/// One row of a table that the model knows.
struct Known {
    index: usize,
    log_time: f64,
    /// Variance of the row given the factors.
    variance: f64,
    /// The part of it that presses and clock make.
    noise: f64,
}

impl Cells {
    fn known(&self, table: &TableObservation) -> Vec<Known> {
        let known = |row: &TableRow| {
            let index = *self.index.get(&row.cell)?;
            let cell = &self.cells[index];
            let noise = cell.press_variance / row.count.max(1.0) + row.clock_variance;
            Some(Known { index, log_time: row.log_time, variance: cell.specific_variance + noise, noise })
        };
        table.rows.iter().filter_map(known).collect()
    }

    /// Posterior mean and covariance of the factors of one table.
    fn posterior(&self, rows: &[Known], rank: usize) -> (Vec<f64>, Vec<f64>) {
        let mut precision = vec![0.0; rank * rank];
        let mut mean = vec![0.0; rank];
        for row in rows {
            let cell = &self.cells[row.index];
            for i in 0..rank {
                let weighted = cell.loadings[i] / row.variance;
                mean[i] += weighted * (row.log_time - cell.mean);
                for j in 0..=i {
                    precision[i * rank + j] += weighted * cell.loadings[j];
                }
            }
        }
        for i in 0..rank {
            precision[i * rank + i] += 1.0;
            for j in 0..i {
                precision[j * rank + i] = precision[i * rank + j];
            }
        }
        let covariance = inverse(&precision, rank);
        solve_positive(&mut precision, &mut mean);
        (mean, covariance)
    }

    /// Takes means, loadings and specific variances from the moments of all tables.
    fn update(&mut self, moments: &Moments, rank: usize) {
        let wide = rank + 1;
        for (index, cell) in self.cells.iter_mut().enumerate() {
            let base = index * wide * wide;
            let mut matrix = moments.normal[base..base + wide * wide].to_vec();
            let mut solution = moments.right[index * wide..(index + 1) * wide].to_vec();
            for i in 0..rank {
                matrix[i * wide + i] += LOADING_PRIOR / (cell.specific_variance + cell.press_variance);
            }
            solve_positive(&mut matrix, &mut solution);
            cell.loadings.copy_from_slice(&solution[..rank]);
            cell.mean = solution[rank];
            let (weight, sum) = moments.residual[index];
            if weight > 0.0 {
                cell.specific_variance = (sum / weight).max(SPECIFIC_VARIANCE_MIN);
            }
        }
    }
}

/// Sums over tables that a round of EM ends in; the intercept is the last factor.
struct Moments {
    /// Normal matrices per cell.
    normal: Vec<f64>,
    /// Their right sides.
    right: Vec<f64>,
    /// For the specific variance: sum of weights, and of weighted squared residuals less known noise.
    residual: Vec<(f64, f64)>,
}

impl Moments {
    fn new(cells: usize, rank: usize) -> Self {
        let wide = rank + 1;
        let (normal, right) = (vec![0.0; cells * wide * wide], vec![0.0; cells * wide]);
        Self { normal, right, residual: vec![(0.0, 0.0); cells] }
    }

    fn add(&mut self, row: &Known, cell: &TableCell, mean: &[f64], covariance: &[f64]) {
        let rank = mean.len();
        let wide = rank + 1;
        let mut predicted = cell.mean;
        let mut doubt = 0.0;
        for i in 0..rank {
            predicted += cell.loadings[i] * mean[i];
            for j in 0..rank {
                doubt += cell.loadings[i] * covariance[i * rank + j] * cell.loadings[j];
            }
        }
        let square = (row.log_time - predicted).powi(2) + doubt;
        let weight = 1.0 / (row.variance * row.variance);
        self.residual[row.index].0 += weight;
        self.residual[row.index].1 += weight * (square.min(16.0 * row.variance) - row.noise);
        let base = row.index * wide * wide;
        let extended = |i: usize| if i < rank { mean[i] } else { 1.0 };
        for i in 0..wide {
            self.right[row.index * wide + i] += extended(i) * row.log_time / row.variance;
            for j in 0..wide {
                let together = if i < rank && j < rank { covariance[i * rank + j] } else { 0.0 };
                let second = extended(i) * extended(j) + together;
                self.normal[base + i * wide + j] += second / row.variance;
            }
        }
    }
}

/// One round of EM over all tables.
fn round(model: &mut Cells, tables: &[&TableObservation], rank: usize) {
    let mut moments = Moments::new(model.cells.len(), rank);
    for table in tables {
        let rows = model.known(table);
        let (mean, covariance) = model.posterior(&rows, rank);
        for row in &rows {
            moments.add(row, &model.cells[row.index], &mean, &covariance);
        }
    }
    model.update(&moments, rank);
}

/// Eigenvalues and eigenvectors (columns) of a symmetric matrix by Jacobi rotations.
pub(super) fn eigen(matrix: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a = matrix.to_vec();
    let mut v = vec![0.0; n * n];
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    for _ in 0..60 {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * n + j] * a[i * n + j]).sum();
        if off < 1e-20 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p * n + q].abs() < 1e-18 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * a[p * n + q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let t = if theta == 0.0 { 1.0 } else { t };
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    a[k * n + p] = c * x - s * y;
                    a[k * n + q] = s * x + c * y;
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    a[p * n + k] = c * x - s * y;
                    a[q * n + k] = s * x + c * y;
                }
                for k in 0..n {
                    let (x, y) = (v[k * n + p], v[k * n + q]);
                    v[k * n + p] = c * x - s * y;
                    v[k * n + q] = s * x + c * y;
                }
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), v)
}

/// Fits factors and covariances on people, calibration left at the raw ratio.
pub(crate) fn fit_model(people: &[&TablePerson], rank: usize) -> TableParameters {
    let tables: Vec<&TableObservation> = people.iter().flat_map(|person| person.sessions.iter().flatten()).collect();
    let mut model = start(&tables, rank);
    for _ in 0..ROUNDS {
        round(&mut model, &tables, rank);
    }
    let mut parameters = TableParameters {
        basis: 0,
        slots: slots(&model.cells, &tables),
        cells: model.cells,
        centre: vec![0.0; rank],
        projection: Vec::new(),
        between_variance: Vec::new(),
        calibration: vec![1.0, 0.0, 0.0, 0.0, 0.0],
        gate: 0.0,
    };
    covariances(&mut parameters, people, rank);
    let mut bits = 0xcbf2_9ce4_u32;
    for value in parameters.projection.iter().flatten() {
        bits = (bits ^ (value.to_bits() >> 20) as u32).wrapping_mul(0x0100_0193);
    }
    parameters.basis = bits;
    parameters
}

/// The cells with most presses behind them, as many as a profile keeps.
fn slots(cells: &[TableCell], tables: &[&TableObservation]) -> Vec<u16> {
    let mut presses: BTreeMap<u16, f64> = BTreeMap::new();
    for row in tables.iter().flat_map(|table| &table.rows) {
        *presses.entry(row.cell).or_default() += row.count;
    }
    let mut order: Vec<(f64, u16)> = cells
        .iter()
        .enumerate()
        .map(|(index, cell)| (presses.get(&cell.cell).copied().unwrap_or(0.0), index as u16))
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut slots: Vec<u16> = order.iter().take(SLOTS_MAX).map(|(_, index)| *index).collect();
    slots.sort_unstable();
    slots
}

/// How people differ, and how one person differs from table to table, in the factors.
struct Scatter {
    centre: Vec<f64>,
    within: Vec<f64>,
    between: Vec<f64>,
}

/// Moments of the factors over people with two tables and more.
fn scatter(parameters: &TableParameters, people: &[&TablePerson], rank: usize) -> Scatter {
    let factors: Vec<Vec<Vec<f64>>> = people
        .iter()
        .map(|person| {
            let tables = person.sessions.iter().flatten();
            tables.filter_map(|table| parameters.factors(table)).map(|found| found.0).collect()
        })
        .filter(|tables: &Vec<Vec<f64>>| tables.len() >= 2)
        .collect();
    let mean_of = |tables: &[Vec<f64>]| -> Vec<f64> {
        (0..rank).map(|i| tables.iter().map(|table| table[i]).sum::<f64>() / tables.len() as f64).collect()
    };
    let means: Vec<Vec<f64>> = factors.iter().map(|tables| mean_of(tables)).collect();
    let centre = mean_of(&means);
    let mut within = vec![0.0; rank * rank];
    let mut between = vec![0.0; rank * rank];
    let people_count = means.len() as f64;
    for (tables, mean) in factors.iter().zip(&means) {
        let count = tables.len() as f64;
        for i in 0..rank {
            for j in 0..rank {
                let own: f64 = tables.iter().map(|table| (table[i] - mean[i]) * (table[j] - mean[j])).sum::<f64>();
                let own = own / (count - 1.0);
                within[i * rank + j] += own / people_count;
                between[i * rank + j] += ((mean[i] - centre[i]) * (mean[j] - centre[j]) - own / count) / people_count;
            }
        }
    }
    Scatter { centre, within, between }
}

/// Least variance between people, in variances of one person, of a coordinate worth keeping.
const BETWEEN_VARIANCE_MIN: f64 = 0.05;

/// Sets the coordinates: whitened by the variation within people, turned to the axes of the variation between them.
fn covariances(parameters: &mut TableParameters, people: &[&TablePerson], rank: usize) {
    let Scatter { centre, within, between } = scatter(parameters, people, rank);
    let (values, vectors) = eigen(&within, rank);
    let whiten: Vec<f64> = (0..rank * rank)
        .map(|at| {
            let (row, column) = (at / rank, at % rank);
            vectors[column * rank + row] / values[row].max(1e-6).sqrt()
        })
        .collect();
    let mut turned = vec![0.0; rank * rank];
    for i in 0..rank {
        for j in 0..rank {
            for a in 0..rank {
                for b in 0..rank {
                    turned[i * rank + j] += whiten[i * rank + a] * between[a * rank + b] * whiten[j * rank + b];
                }
            }
        }
    }
    let (values, vectors) = eigen(&turned, rank);
    let mut order: Vec<usize> = (0..rank).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order.retain(|axis| values[*axis] > BETWEEN_VARIANCE_MIN);
    let weight = |axis: usize, column: usize| -> f64 {
        (0..rank).map(|row| vectors[row * rank + axis] * whiten[row * rank + column]).sum()
    };
    parameters.centre = centre;
    parameters.between_variance = order.iter().map(|axis| values[*axis]).collect();
    parameters.projection = order.iter().map(|axis| (0..rank).map(|column| weight(*axis, column)).collect()).collect();
}

/// A comparison of a table with a profile, and its truth.
pub(crate) struct TableTrial {
    pub score: TableScore,
    pub non_mated: bool,
}

/// Enrols the first tables of everybody and compares later ones: for several sessions, across them.
pub(crate) fn table_trials(
    people: &[&TablePerson],
    parameters: &TableParameters,
    enrol: usize,
    strangers: usize,
) -> Vec<TableTrial> {
    let split: Vec<(Vec<&TableObservation>, Vec<&TableObservation>)> = people
        .iter()
        .map(|person| {
            if person.sessions.len() > 1 {
                // First sessions enrol, later sessions probe; `enrol` tables at most, oldest first.
                let half = person.sessions.len() / 2;
                let first = person.sessions[..half].iter().flatten().take(enrol).collect();
                (first, person.sessions[half..].iter().flatten().collect())
            } else {
                let tables: Vec<&TableObservation> = person.sessions.iter().flatten().collect();
                let half = enrol.min(tables.len() / 2);
                (tables[..half].to_vec(), tables[half..].to_vec())
            }
        })
        .collect();
    let mut trials = Vec::new();
    for (index, (enrolled, own)) in split.iter().enumerate() {
        if enrolled.is_empty() {
            continue;
        }
        let mut profile = TableProfile::default();
        enrolled.iter().for_each(|table| profile.learn(table, parameters));
        let mut push = |table: &TableObservation, non_mated: bool| {
            trials.extend(profile.score(table, parameters).map(|score| TableTrial { score, non_mated }));
        };
        own.iter().for_each(|table| push(table, false));
        for step in 1..=strangers.min(people.len() - 1) {
            // Strides spread the strangers over everybody.
            let other = (index + step * (1 + people.len() / (strangers + 1)).max(1)) % people.len();
            if other != index
                && let Some(table) = split[other].1.get(step % split[other].1.len().max(1))
            {
                push(table, true);
            }
        }
    }
    trials
}

/// Folds of the cross-fitting that calibration is made on.
const FOLDS: usize = 5;
/// Tables learned before a trial, so that calibration holds for young and settled profiles.
const CALIBRATION_ENROLS: [usize; 4] = [1, 2, 4, 6];
/// Strangers that try each person in calibration.
const CALIBRATION_STRANGERS: usize = 20;

/// Sets that the model is fitted on: cadence tables whose licence lets the result ship.
const FITTED_SETS: [KeystrokeSet; 2] = [KeystrokeSet::VillaniFree, KeystrokeSet::Bbmas];

/// Fits the table part on the people that `kept` names by set and pseudonym; the others take no part.
pub(crate) fn fit_table(data: &Path, kept: &dyn Fn(KeystrokeSet, &str) -> bool) -> Result<TableParameters, String> {
    let mut people = Vec::new();
    for set in FITTED_SETS {
        people.extend(table_people(data, set, PRESSES_NOMINAL as usize)?);
    }
    people.retain(|person| kept(person.set, &person.subject));
    let everybody: Vec<&TablePerson> = people.iter().collect();
    let mut parameters = fit_model(&everybody, RANK);
    parameters.calibration = calibration(&people)?;
    Ok(parameters)
}

/// Calibration on people whom the model behind the scores has not seen.
fn calibration(people: &[TablePerson]) -> Result<Vec<f64>, String> {
    let (mut rows, mut truths) = (Vec::new(), Vec::new());
    for fold in 0..FOLDS {
        let of_fold = |inside: bool| -> Vec<&TablePerson> {
            let chosen = people.iter().enumerate().filter(|(index, _)| (index % FOLDS == fold) == inside);
            chosen.map(|(_, person)| person).collect()
        };
        let model = fit_model(&of_fold(false), RANK);
        for set in FITTED_SETS {
            let left: Vec<&TablePerson> = of_fold(true).into_iter().filter(|person| person.set == set).collect();
            for enrol in CALIBRATION_ENROLS {
                for trial in table_trials(&left, &model, enrol, CALIBRATION_STRANGERS) {
                    rows.push(trial.score.inputs().to_vec());
                    truths.push(trial.non_mated);
                }
            }
        }
    }
    logistic(&rows, &truths, 1.0)
}
