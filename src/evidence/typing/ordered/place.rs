//! A person's place among typists: what a stretch says of it, and how well one person explains two stretches.

use super::TRAIT_COUNT;
use crate::evidence::typing::table::solve_positive;
use serde::{Deserialize, Serialize};

/// Degrees of freedom of a stretch around what anybody may be: an odd stretch says less, whoever typed it.
const FREEDOM: f64 = 8.0;
/// Deviation, in standard deviations, to which a trait is pulled in.
const TRAIT_CLIP: f64 = 4.0;
/// Population and hand on clocks up to one granularity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClockModel {
    /// Coarsest clock it holds for, microseconds.
    pub timer_resolution_micros_max: u32,
    /// Mean over people, by trait.
    pub mean: Vec<f64>,
    /// Variance of one press, by trait.
    pub press_variance: Vec<f64>,
    /// Covariance of one person from session to session: lower triangle, row by row.
    pub within: Vec<Vec<f64>>,
    /// By trait, how far each dimension of a person's place moves it.
    pub loadings: Vec<Vec<f64>>,
    /// Weights of [`super::OrderedScore::inputs`], then the intercept.
    pub calibration: Vec<f64>,
    /// Share of a person's own stretches that are a stranger's for all the fit knows, and of strangers' that are that
    /// person's, \[0, .5): no stretch says more than its inverse. 0 in models made before it.
    #[serde(default)]
    pub odd_stretch_rate: f64,
    /// Log-likelihood ratio, nats, above which a settled profile does not learn: 1 % of strangers lie below.
    pub gate: f64,
    /// The same for a profile under [`super::SETTLED_PRESSES`] presses: 95 % of honest stretches lie below.
    pub gate_young: f64,
    /// Factor on the squashed ratio of a change of hands within a session, then the intercept.
    pub handover_calibration: Vec<f64>,
    /// Log-likelihood ratio, nats, from which on a change of hands is told.
    pub handover_told: f64,
}

/// What a stretch says of a person's place: a Gaussian by information and pull. Stretches of one person add up.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// A symmetric matrix, row by row.
    information: Vec<f64>,
    pull: Vec<f64>,
}

impl Said {
    /// What one trait in one dimension says.
    #[cfg(test)]
    pub(super) fn of_one(information: f64, pull: f64) -> Self {
        Self { information: vec![information], pull: vec![pull] }
    }

    /// Two stretches of one person.
    pub fn and(&self, other: &Self) -> Self {
        let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect();
        Self { information: sum(&self.information, &other.information), pull: sum(&self.pull, &other.pull) }
    }

    /// Logarithm of how well one person anywhere explains it.
    pub fn log_evidence(&self) -> f64 {
        let rank = self.pull.len();
        let mut matrix = self.information.clone();
        (0..rank).for_each(|index| matrix[index * rank + index] += 1.0);
        let mut place = self.pull.clone();
        // Leaves the Cholesky factor in the lower half.
        solve_positive(&mut matrix, &mut place);
        let square: f64 = place.iter().zip(&self.pull).map(|(place, pull)| place * pull).sum();
        let log_root: f64 = (0..rank).map(|index| matrix[index * rank + index].ln()).sum();
        0.5 * square - log_root
    }

    /// Log-likelihood ratio of two people against one, nats, before calibration.
    pub fn apart_from(&self, other: &Self) -> f64 {
        self.log_evidence() + other.log_evidence() - self.and(other).log_evidence()
    }
}

impl ClockModel {
    /// What traits say of a person's place. `sessions` are those behind the traits: their day and text average out.
    pub(super) fn said(&self, traits: impl Fn(usize) -> Option<(f64, f64)>, sessions: f64) -> Said {
        let rank = self.loadings[0].len();
        let mut rows: Vec<(usize, f64, f64)> = Vec::with_capacity(TRAIT_COUNT);
        for index in 0..TRAIT_COUNT {
            let Some((mean, count)) = traits(index) else { continue };
            let noise = self.within[index][index] / sessions + self.press_variance[index] / count;
            let person: f64 = self.loadings[index].iter().map(|loading| loading * loading).sum();
            let limit = TRAIT_CLIP * (noise + person).sqrt();
            rows.push((index, (mean - self.mean[index]).clamp(-limit, limit), self.press_variance[index] / count));
        }
        let present = rows.len();
        // Forward substitution of loadings and deviation by the Cholesky factor of what a person varies by.
        let width = rank + 1;
        let mut factor = vec![0.0; present * present];
        let mut right = vec![0.0; present * width];
        for (row, (index, deviation, press_noise)) in rows.iter().enumerate() {
            let (before, own) = factor.split_at_mut(row * present);
            for column in 0..=row {
                let (high, low) = (rows[row].0, rows[column].0);
                let mut sum = self.within[high][low] / sessions + if column == row { *press_noise } else { 0.0 };
                let other =
                    if column == row { None } else { Some(&before[column * present..column * present + column]) };
                sum -= match other {
                    Some(other) => own[..column].iter().zip(other).map(|(a, b)| a * b).sum::<f64>(),
                    None => own[..column].iter().map(|a| a * a).sum::<f64>(),
                };
                own[column] =
                    if column == row { sum.max(1e-12).sqrt() } else { sum / before[column * present + column] };
            }
            let (done, own_right) = right.split_at_mut(row * width);
            own_right[..rank].copy_from_slice(&self.loadings[*index]);
            own_right[rank] = *deviation;
            for column in 0..row {
                let weight = own[column];
                for (value, earlier) in own_right[..width].iter_mut().zip(&done[column * width..(column + 1) * width]) {
                    *value -= weight * earlier;
                }
            }
            own_right[..width].iter_mut().for_each(|value| *value /= own[row]);
        }
        let mut said = Said { information: vec![0.0; rank * rank], pull: vec![0.0; rank] };
        let mut square = 0.0;
        for row in right.chunks_exact(width) {
            for i in 0..rank {
                said.pull[i] += row[i] * row[rank];
                for j in 0..rank {
                    said.information[i * rank + j] += row[i] * row[j];
                }
            }
            square += row[rank] * row[rank];
        }
        said.temper(square, present as f64);
        said
    }
}

impl Said {
    /// Lets a stretch that is odd for anybody say less, as a Student-t law would. `square` is its squared length, of
    /// which the best place explains some.
    fn temper(&mut self, square: f64, dimensions: f64) {
        let rank = self.pull.len();
        let mut matrix = self.information.clone();
        (0..rank).for_each(|index| matrix[index * rank + index] += 1.0);
        let mut place = self.pull.clone();
        solve_positive(&mut matrix, &mut place);
        let explained: f64 = place.iter().zip(&self.pull).map(|(place, pull)| place * pull).sum();
        let oddness = (square - explained).max(0.0);
        let weight = ((FREEDOM + dimensions) / (FREEDOM + oddness)).min(1.0);
        self.information.iter_mut().chain(&mut self.pull).for_each(|value| *value *= weight);
    }
}
