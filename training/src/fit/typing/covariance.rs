//! Two covariances of the factors: how people differ, and how one person differs from table to table.

use super::factor::eigen;
use crate::corpus::keystroke::KeystrokeSet;
use elsewhere::evidence::typing::table::TableParameters;

/// The factors of one person's tables, session by session.
#[derive(Debug, Clone)]
pub(super) struct PersonFactors {
    /// Where the person is from.
    pub set: KeystrokeSet,
    /// Factors of each table of each session.
    pub sessions: Vec<Vec<Vec<f64>>>,
}

/// Share of the variation within people that is taken across sessions, the rest within them. Workers come back after
/// months and after minutes: a model of either alone is the worse for the other. Of 0, .25, .5 and 1 the sum of equal
/// error rates on left-out people of the fitted sets (BB-MAS in one sitting, Villani across sessions) was least at .25,
/// hardly above it at .5; Aalto, which was only looked at, would have 0 (.036, against .039 at .25 and .041 at .5).
const ACROSS_SHARE: f64 = 0.25;
/// Least variance between people, in variances of one person, of a coordinate worth keeping.
const BETWEEN_VARIANCE_MIN: f64 = 0.05;

/// Mean of vectors of one length.
pub(super) fn mean_of(vectors: &[Vec<f64>], length: usize) -> Vec<f64> {
    let count = vectors.len().max(1) as f64;
    (0..length).map(|i| vectors.iter().map(|vector| vector[i]).sum::<f64>() / count).collect()
}

/// Covariance about their mean of two vectors and more, row by row.
fn covariance(vectors: &[Vec<f64>], length: usize) -> Vec<f64> {
    let mean = mean_of(vectors, length);
    let mut result = vec![0.0; length * length];
    for vector in vectors {
        for i in 0..length {
            for j in 0..length {
                result[i * length + j] += (vector[i] - mean[i]) * (vector[j] - mean[j]);
            }
        }
    }
    result.iter_mut().for_each(|value| *value /= (vectors.len() as f64 - 1.0).max(1.0));
    result
}

/// Mean over sets of the mean over each set's people: a set of few people is as good a witness of what days do.
fn mean_over_sets(of_people: &[(KeystrokeSet, Vec<f64>)], length: usize) -> Vec<f64> {
    let mut sets: Vec<KeystrokeSet> = of_people.iter().map(|(set, _)| *set).collect();
    sets.sort_unstable();
    sets.dedup();
    let of_set = |set: &KeystrokeSet| {
        let of_set: Vec<Vec<f64>> = of_people.iter().filter(|one| one.0 == *set).map(|one| one.1.clone()).collect();
        mean_of(&of_set, length)
    };
    mean_of(&sets.iter().map(of_set).collect::<Vec<_>>(), length)
}

/// Sets the coordinates: whitened by the variation within people, turned to the axes of the variation between them.
pub(super) fn fit_covariances(parameters: &mut TableParameters, people: &[PersonFactors]) {
    let rank = parameters.centre.len();
    let square = rank * rank;
    let (mut across, mut inside, mut means) = (Vec::new(), Vec::new(), Vec::new());
    let mut between = vec![0.0; square];
    for person in people {
        let tables: Vec<Vec<f64>> = person.sessions.iter().flatten().cloned().collect();
        if tables.len() < 2 {
            continue;
        }
        let own = covariance(&tables, rank);
        between.iter_mut().zip(&own).for_each(|(sum, own)| *sum -= own / tables.len() as f64);
        across.push((person.set, own));
        let sessions = person.sessions.iter().filter(|session| session.len() > 1);
        let of_sessions: Vec<Vec<f64>> = sessions.map(|session| covariance(session, rank)).collect();
        if !of_sessions.is_empty() {
            inside.push((person.set, mean_of(&of_sessions, square)));
        }
        means.push(mean_of(&tables, rank));
    }
    let count = means.len().max(1) as f64;
    let spread = covariance(&means, rank);
    between.iter_mut().zip(&spread).for_each(|(sum, own)| *sum = *sum / count + own * (count - 1.0) / count);
    let (across, inside) = (mean_over_sets(&across, square), mean_over_sets(&inside, square));
    let within: Vec<f64> =
        across.iter().zip(&inside).map(|(a, b)| ACROSS_SHARE * a + (1.0 - ACROSS_SHARE) * b).collect();
    let turned = turn(&within, &between, rank);
    parameters.centre = mean_of(&means, rank);
    parameters.between_variance = turned.variances;
    parameters.projection = turned.rows;
}

/// Axes of one covariance where another is 1.
pub(super) struct Turned {
    /// Variances along the axes, falling, those too small left out.
    pub variances: Vec<f64>,
    /// The axes, as rows to multiply a vector with.
    pub rows: Vec<Vec<f64>>,
}

/// Whitens by `within` and turns to the axes of `between`.
pub(super) fn turn(within: &[f64], between: &[f64], rank: usize) -> Turned {
    let (values, vectors) = eigen(within, rank);
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
    Turned {
        variances: order.iter().map(|axis| values[*axis]).collect(),
        rows: order.iter().map(|axis| (0..rank).map(|column| weight(*axis, column)).collect()).collect(),
    }
}
