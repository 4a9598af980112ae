//! Covariances of people and of sessions, by EM over blocks with missing traits; then the few dimensions that matter.

use super::super::factor::eigen;
use super::{Person, blocks};
use elsewhere::evidence::typing::ordered::{ClockModel, OrderedObservation, OrderedScore, TRAIT_COUNT};

/// Dimensions of a person's place. 8, 12, 16 and 24 differed by less than a tenth of EER on people left out.
const RANK: usize = 16;
/// Rounds of EM; the likelihood is flat by then.
const ROUNDS: usize = 8;
/// Presses at which dimensions are ranked by how far people differ in them.
const RANKED_PRESSES: f64 = 60.0;
/// Factor on the covariance within a person. Two thirds of the people are of one sitting, which does not show what a day
/// changes; of 1, 2 and 4 this cost least on people left out, across sessions and across the halves of a sitting.
const WITHIN_SCALE: f64 = 2.0;
/// Variance that stands for a trait not seen.
const UNSEEN_VARIANCE: f64 = 1e3;
/// Shares of all variance that EM starts from: people, and one person's days.
const START_SHARES: (f64, f64) = (0.6, 0.3);

/// A block of presses: mean and count by trait.
#[derive(Debug, Clone)]
pub(super) struct Block {
    traits: Vec<Option<(f64, f64)>>,
}

impl Block {
    pub(super) fn of(observation: &OrderedObservation) -> Self {
        Self { traits: (0..TRAIT_COUNT).map(|index| observation.mean(index)).collect() }
    }
}

const N: usize = TRAIT_COUNT;

/// A square matrix, row by row.
#[derive(Clone)]
struct Matrix(Vec<f64>);

impl Matrix {
    fn zero() -> Self {
        Self(vec![0.0; N * N])
    }

    fn add(&mut self, other: &Self, factor: f64) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a += factor * b);
    }

    fn add_outer(&mut self, vector: &[f64]) {
        for i in 0..N {
            for j in 0..N {
                self.0[i * N + j] += vector[i] * vector[j];
            }
        }
    }

    fn times(&self, other: &Self) -> Self {
        let mut product = Self::zero();
        for i in 0..N {
            for k in 0..N {
                let value = self.0[i * N + k];
                for j in 0..N {
                    product.0[i * N + j] += value * other.0[k * N + j];
                }
            }
        }
        product
    }

    fn transposed(&self) -> Self {
        let mut turned = Self::zero();
        (0..N * N).for_each(|at| turned.0[at % N * N + at / N] = self.0[at]);
        turned
    }

    fn apply(&self, vector: &[f64]) -> Vec<f64> {
        self.0.chunks_exact(N).map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum()).collect()
    }

    /// Lower Cholesky factor of a symmetric positive definite matrix.
    fn root(&self) -> Self {
        let mut root = Self::zero();
        for i in 0..N {
            for j in 0..=i {
                let sum: f64 = (0..j).map(|k| root.0[i * N + k] * root.0[j * N + k]).sum();
                let rest = self.0[i * N + j] - sum;
                root.0[i * N + j] = if i == j { rest.max(1e-12).sqrt() } else { rest / root.0[j * N + j] };
            }
        }
        root
    }

    /// Inverse of a lower triangular matrix.
    fn lower_inverse(&self) -> Self {
        let mut inverse = Self::zero();
        for column in 0..N {
            for row in column..N {
                let unit = if row == column { 1.0 } else { 0.0 };
                let sum: f64 = (column..row).map(|k| self.0[row * N + k] * inverse.0[k * N + column]).sum();
                inverse.0[row * N + column] = (unit - sum) / self.0[row * N + row];
            }
        }
        inverse
    }

    /// Inverse of a symmetric positive definite matrix.
    fn inverse(&self) -> Self {
        let lower = self.root().lower_inverse();
        lower.transposed().times(&lower)
    }

    fn diagonal(variances: impl Iterator<Item = f64>) -> Self {
        let mut matrix = Self::zero();
        variances.enumerate().for_each(|(index, variance)| matrix.0[index * N + index] = variance);
        matrix
    }
}

/// Variance of one press by trait, from neighbouring pieces.
fn press_variance(people: &[&Person]) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); N];
    for pair in people.iter().flat_map(|person| &person.sessions).flat_map(|pieces| pieces.chunks_exact(2)) {
        for (index, sum) in sums.iter_mut().enumerate() {
            if let (Some((a, n)), Some((b, m))) = (pair[0].0.mean(index), pair[1].0.mean(index)) {
                sum.0 += (a - b).powi(2) / (1.0 / n + 1.0 / m);
                sum.1 += 1.0;
            }
        }
    }
    sums.iter().map(|(sum, count)| (sum / f64::max(*count, 1.0)).max(1e-3)).collect()
}

struct Model {
    mean: Vec<f64>,
    press_variance: Vec<f64>,
    between: Matrix,
    within: Matrix,
}

impl Model {
    fn start(people: &[Vec<Block>], press_variance: Vec<f64>) -> Self {
        let mut moments = vec![(0.0, 0.0, 0.0); N];
        for block in people.iter().flatten() {
            for (moment, seen) in moments.iter_mut().zip(&block.traits) {
                if let Some((mean, count)) = seen {
                    moment.0 += count;
                    moment.1 += count * mean;
                    moment.2 += count * mean * mean;
                }
            }
        }
        let mean: Vec<f64> = moments.iter().map(|(count, sum, _)| sum / f64::max(*count, 1.0)).collect();
        let variance: Vec<f64> = moments
            .iter()
            .zip(&mean)
            .map(|((count, _, square), mean)| (square / f64::max(*count, 1.0) - mean * mean).max(1e-4))
            .collect();
        let of = |share: f64| Matrix::diagonal(variance.iter().map(|variance| share * variance));
        Self { mean, press_variance, between: of(START_SHARES.0), within: of(START_SHARES.1) }
    }

    /// Inverse covariance of a block around its person, and its deviation.
    fn block(&self, block: &Block) -> (Matrix, Vec<f64>) {
        let noise = |index: usize| block.traits[index].map_or(UNSEEN_VARIANCE, |(_, n)| self.press_variance[index] / n);
        let mut covariance = self.within.clone();
        (0..N).for_each(|index| covariance.0[index * N + index] += noise(index));
        let deviation =
            (0..N).map(|index| block.traits[index].map_or(0.0, |(mean, _)| mean - self.mean[index])).collect();
        (covariance.inverse(), deviation)
    }

    /// One round of EM. A person's place is taken as known when its sessions are looked at, but for its doubt.
    fn round(&mut self, people: &[Vec<Block>]) {
        let (mut between, mut within) = (Matrix::zero(), Matrix::zero());
        let (mut person_count, mut block_count) = (0.0, 0.0);
        let prior = self.between.inverse();
        for blocks in people.iter().filter(|blocks| blocks.len() >= 2) {
            let known: Vec<(Matrix, Vec<f64>)> = blocks.iter().map(|block| self.block(block)).collect();
            let mut precision = prior.clone();
            let mut pull = vec![0.0; N];
            for (inverse, deviation) in &known {
                precision.add(inverse, 1.0);
                pull.iter_mut().zip(inverse.apply(deviation)).for_each(|(pull, more)| *pull += more);
            }
            let doubt = precision.inverse();
            let place = doubt.apply(&pull);
            between.add(&doubt, 1.0);
            between.add_outer(&place);
            person_count += 1.0;
            for (inverse, deviation) in &known {
                let gain = self.within.times(inverse);
                let left: Vec<f64> = deviation.iter().zip(&place).map(|(deviation, place)| deviation - place).collect();
                within.add_outer(&gain.apply(&left));
                within.add(&self.within, 1.0);
                within.add(&gain.times(&self.within), -1.0);
                within.add(&gain.times(&doubt).times(&gain.transposed()), 1.0);
                block_count += 1.0;
            }
        }
        // One person's and one block's worth of prior belief that traits go by themselves.
        self.between = drawn(between, person_count);
        self.within = drawn(within, block_count);
    }
}

fn drawn(mut sum: Matrix, count: f64) -> Matrix {
    for index in 0..N {
        sum.0[index * N + index] *= 1.0 + 1.0 / f64::max(count, 1.0);
    }
    sum.0.iter_mut().for_each(|value| *value /= count + 1.0);
    sum
}

/// Fits one clock, calibration left at the raw ratio.
pub(super) fn fit_clock(people: &[&Person], timer_resolution_micros_max: u32) -> ClockModel {
    let of_person = |person: &&Person| person.sessions.iter().flat_map(|session| blocks(session)).collect();
    let all: Vec<Vec<Block>> = people.iter().map(of_person).collect();
    let mut model = Model::start(&all, press_variance(people));
    (0..ROUNDS).for_each(|_| model.round(&all));
    let loadings = loadings(&model);
    // What people differ by beyond these dimensions is noise to them.
    let mut within = model.within;
    within.0.iter_mut().for_each(|value| *value *= WITHIN_SCALE);
    let mut calibration = vec![0.0; OrderedScore::INPUT_COUNT + 1];
    calibration[0] = 1.0;
    ClockModel {
        timer_resolution_micros_max,
        mean: model.mean.iter().copied().map(rounded).collect(),
        press_variance: model.press_variance.iter().copied().map(rounded).collect(),
        within: (0..N).map(|row| (0..=row).map(|at| rounded(within.0[row * N + at])).collect()).collect(),
        loadings,
        calibration,
        odd_stretch_rate: 0.0,
        gate: 0.0,
        gate_young: 0.0,
        handover_calibration: vec![1.0, 0.0],
        handover_told: 0.0,
    }
}

/// Seven decimals: more would only make the file longer.
fn rounded(value: f64) -> f64 {
    (value * 1e7).round() / 1e7
}

/// The dimensions in which people differ most beside what a stretch varies by: between = loadings * loadings' but for
/// the rest.
fn loadings(model: &Model) -> Vec<Vec<f64>> {
    let mut noise = model.within.clone();
    (0..N).for_each(|index| noise.0[index * N + index] += model.press_variance[index] / RANKED_PRESSES);
    let root = noise.root();
    let inverse = root.lower_inverse();
    let turned = inverse.times(&model.between).times(&inverse.transposed());
    let (values, vectors) = eigen(&turned.0, N);
    let mut order: Vec<usize> = (0..N).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    let axis = |axis: usize| -> Vec<f64> {
        let direction: Vec<f64> = (0..N).map(|row| vectors[row * N + axis]).collect();
        let scale = values[axis].max(0.0).sqrt();
        root.apply(&direction).into_iter().map(|value| value * scale).collect()
    };
    let axes: Vec<Vec<f64>> = order.into_iter().take(RANK).map(axis).collect();
    (0..N).map(|row| axes.iter().map(|axis| rounded(axis[row])).collect()).collect()
}
