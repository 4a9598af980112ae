//! The factor model of tables: means, loadings and variances of cells by EM, rows missing as they may.

use elsewhere::evidence::typing::table::{
    CellKind, Heard, Prepared, SLOTS_MAX, TableCalibration, TableCell, TableObservation, TableParameters,
    TablePopulation, cell_kind, solve_positive,
};
use std::collections::{BTreeMap, BTreeSet};

/// Factors of the model. With what the factors leave compared cell by cell, 8 to 12 do as well as 16 and 24 on people
/// left out, and cost less.
pub(super) const RANK: usize = 10;
/// Rounds of EM; the likelihood is flat by then.
const ROUNDS: usize = 12;
/// Digraph cells kept, the most frequent.
const DIGRAPHS_KEPT: usize = 300;
/// Fewest tables that a cell is kept for.
const CELL_TABLES_MIN: usize = 40;
/// Least specific variance of a cell, in ln.
const SPECIFIC_VARIANCE_MIN: f64 = 0.0004;
/// Weight of the prior that loadings are small, in tables.
const LOADING_PRIOR: f64 = 2.0;
/// Variance of the logarithm of a spread of one press: quartiles of n normal presses vary by 1.36 / n in ln.
const STEADINESS_PRESS_VARIANCE: f64 = 1.4;
/// Bounds of a press's variance, ln.
const PRESS_VARIANCE_RANGE: (f64, f64) = (0.01, 0.25);

/// Variance of a median of one press in ln, from the rows' own spreads.
fn press_variance(own_variances: &[f64]) -> f64 {
    // A median varies by pi/2 of a mean.
    let mean = own_variances.iter().sum::<f64>() / own_variances.len().max(1) as f64;
    std::f64::consts::FRAC_PI_2 * mean.clamp(PRESS_VARIANCE_RANGE.0, PRESS_VARIANCE_RANGE.1)
}

/// Chooses cells and starts means, press variances and loadings.
fn start(tables: &[&TableObservation], rank: usize) -> TableParameters {
    let mut by_cell: BTreeMap<u16, Vec<(f64, f64, Option<f64>)>> = BTreeMap::new();
    for table in tables {
        for row in &table.rows {
            by_cell.entry(row.cell).or_default().push((row.log_time, row.count, row.own_variance));
        }
    }
    let mut digraphs: Vec<(usize, u16)> = by_cell
        .iter()
        .filter(|(cell, _)| cell_kind(**cell) == CellKind::PressInterval)
        .map(|(cell, rows)| (rows.len(), *cell))
        .collect();
    digraphs.sort_by_key(|(count, cell)| (std::cmp::Reverse(*count), *cell));
    let kept: BTreeSet<u16> = digraphs.iter().take(DIGRAPHS_KEPT).map(|(_, cell)| *cell).collect();
    let mut cells = Vec::new();
    for (cell, rows) in &by_cell {
        let kind = cell_kind(*cell);
        if rows.len() < CELL_TABLES_MIN || (kind == CellKind::PressInterval && !kept.contains(cell)) {
            continue;
        }
        let weight: f64 = rows.iter().map(|row| row.1.sqrt()).sum();
        let own: Vec<f64> = rows.iter().filter_map(|row| row.2).collect();
        // Loadings start as speed and hold plus fixed waves: no randomness, and no two factors alike.
        let loading = |factor| match factor {
            0 => 0.15,
            1 => [-0.05, 0.15][usize::from(kind == CellKind::Dwell)],
            _ => 0.05 * (f64::from(*cell) * (0.37 + 0.61 * factor as f64)).sin(),
        };
        cells.push(TableCell {
            cell: *cell,
            mean: rows.iter().map(|row| row.0 * row.1.sqrt()).sum::<f64>() / weight,
            specific_variance: 0.01,
            press_variance: if kind == CellKind::Steadiness { STEADINESS_PRESS_VARIANCE } else { press_variance(&own) },
            person_variance: 0.0,
            table_variance: 0.01,
            loadings: (0..rank).map(loading).collect(),
        });
    }
    TableParameters {
        basis: 0,
        cells,
        slots: Vec::new(),
        centre: vec![0.0; rank],
        projection: Vec::new(),
        between_variance: Vec::new(),
        population: TablePopulation::default(),
        ratio_calibration: TableCalibration::default(),
        gate: 0.0,
        prepared: Prepared::default(),
    }
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

/// Posterior mean and covariance of the factors of one table.
fn posterior(cells: &[TableCell], rows: &[Heard], rank: usize) -> (Vec<f64>, Vec<f64>) {
    let mut precision = vec![0.0; rank * rank];
    let mut mean = vec![0.0; rank];
    for row in rows {
        let cell = &cells[row.index];
        for i in 0..rank {
            let weighted = cell.loadings[i] / (cell.specific_variance + row.noise);
            mean[i] += weighted * (row.value - cell.mean);
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

    fn add(&mut self, row: &Heard, cell: &TableCell, mean: &[f64], covariance: &[f64]) {
        let rank = mean.len();
        let wide = rank + 1;
        let variance = cell.specific_variance + row.noise;
        let mut predicted = cell.mean;
        let mut doubt = 0.0;
        for i in 0..rank {
            predicted += cell.loadings[i] * mean[i];
            for j in 0..rank {
                doubt += cell.loadings[i] * covariance[i * rank + j] * cell.loadings[j];
            }
        }
        let square = (row.value - predicted).powi(2) + doubt;
        let weight = 1.0 / (variance * variance);
        self.residual[row.index].0 += weight;
        self.residual[row.index].1 += weight * (square.min(16.0 * variance) - row.noise);
        let base = row.index * wide * wide;
        let extended = |i: usize| if i < rank { mean[i] } else { 1.0 };
        for i in 0..wide {
            self.right[row.index * wide + i] += extended(i) * row.value / variance;
            for j in 0..wide {
                let together = if i < rank && j < rank { covariance[i * rank + j] } else { 0.0 };
                self.normal[base + i * wide + j] += (extended(i) * extended(j) + together) / variance;
            }
        }
    }

    /// Takes means, loadings and specific variances from the moments of all tables.
    fn update(&self, cells: &mut [TableCell], rank: usize) {
        let wide = rank + 1;
        for (index, cell) in cells.iter_mut().enumerate() {
            let base = index * wide * wide;
            let mut matrix = self.normal[base..base + wide * wide].to_vec();
            let mut solution = self.right[index * wide..(index + 1) * wide].to_vec();
            for i in 0..rank {
                matrix[i * wide + i] += LOADING_PRIOR / (cell.specific_variance + cell.press_variance);
            }
            solve_positive(&mut matrix, &mut solution);
            cell.loadings.copy_from_slice(&solution[..rank]);
            cell.mean = solution[rank];
            let (weight, sum) = self.residual[index];
            if weight > 0.0 {
                cell.specific_variance = (sum / weight).max(SPECIFIC_VARIANCE_MIN);
            }
        }
    }
}

/// Fits cells on tables; everything else is left empty.
pub(super) fn fit_factors(tables: &[&TableObservation], rank: usize) -> TableParameters {
    let mut model = start(tables, rank);
    let heard: Vec<Vec<Heard>> = tables.iter().map(|table| model.heard(table)).collect();
    for _ in 0..ROUNDS {
        let mut moments = Moments::new(model.cells.len(), rank);
        for rows in &heard {
            let (mean, covariance) = posterior(&model.cells, rows, rank);
            rows.iter().for_each(|row| moments.add(row, &model.cells[row.index], &mean, &covariance));
        }
        moments.update(&mut model.cells, rank);
    }
    model
}

/// The tables of one person, each heard and placed among the factors.
pub(super) type PlacedPerson = Vec<(Vec<Heard>, Vec<f64>)>;

/// Least variance of what the factors leave, ln: between people, and between one person's tables.
const REMAINDER_VARIANCES_MIN: (f64, f64) = (1e-5, 0.0005);

/// Parts what the factors leave of each cell into the person's and the table's, by products of one person's tables.
pub(super) fn fit_remainders(model: &mut TableParameters, people: &[PlacedPerson]) {
    let cells = model.cells.len();
    // Weighted products of two tables, and squares of one less its noise, each with its weight.
    let (mut products, mut squares) = (vec![(0.0, 0.0); cells], vec![(0.0, 0.0); cells]);
    for person in people.iter().filter(|person| person.len() > 1) {
        let share = 1.0 / person.len() as f64;
        let mut sums = vec![(0.0, 0.0, 0.0, 0.0); cells];
        for (rows, factors) in person {
            for row in rows {
                let weight = 1.0 / (model.cells[row.index].specific_variance + row.noise);
                let remainder = model.remainder(row, factors);
                let sum = &mut sums[row.index];
                sum.0 += weight * remainder;
                sum.1 += (weight * remainder).powi(2);
                sum.2 += weight;
                sum.3 += weight * weight;
                squares[row.index].0 += share * weight * weight * (remainder * remainder - row.noise);
                squares[row.index].1 += share * weight * weight;
            }
        }
        for (product, sum) in products.iter_mut().zip(&sums) {
            product.0 += share * (sum.0 * sum.0 - sum.1);
            product.1 += share * (sum.2 * sum.2 - sum.3);
        }
    }
    let mean = |(sum, weight): (f64, f64)| if weight > 0.0 { sum / weight } else { 0.0 };
    for ((cell, product), square) in model.cells.iter_mut().zip(products).zip(squares) {
        cell.person_variance = mean(product).max(REMAINDER_VARIANCES_MIN.0);
        cell.table_variance = (mean(square) - cell.person_variance).max(REMAINDER_VARIANCES_MIN.1);
    }
}

/// The cells that tell most of a person, summed over the tables they occur in, as many as a profile keeps.
pub(super) fn choose_slots(model: &TableParameters, people: &[PlacedPerson]) -> Vec<u16> {
    let mut gains = vec![0.0; model.cells.len()];
    for row in people.iter().flatten().flat_map(|(rows, _)| rows) {
        let cell = &model.cells[row.index];
        let share = cell.person_variance / (cell.person_variance + cell.table_variance + row.noise);
        // Nats that two such rows give in the mean about one typist.
        gains[row.index] -= 0.5 * (1.0 - share * share).ln();
    }
    let mut order: Vec<usize> = (0..gains.len()).collect();
    order.sort_by(|a, b| gains[*b].total_cmp(&gains[*a]).then(a.cmp(b)));
    let mut slots: Vec<u16> = order.iter().take(SLOTS_MAX).map(|index| *index as u16).collect();
    slots.sort_unstable();
    slots
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
