//! Fits the typing family on train-licensed sets.

mod accord;
mod anchor;
mod calibrate;
mod covariance;
mod factor;
pub(crate) mod gate;
pub(crate) mod likeness;
pub mod ordered;
pub mod pair;
pub mod phrase;
pub(crate) mod pseudo;
pub mod refit;
pub mod synthetic;
pub mod table;

use elsewhere::event::{EventUnchecked, Rules, Samples, TablePolicy, Violations};
use elsewhere::evidence::typing::Parameters;
use linfa::prelude::*;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};
use std::path::Path;

pub(crate) use table::{fit_table, fit_table_on};

/// The samples of an event that the check accepts.
pub(crate) fn samples(event: EventUnchecked) -> Result<Samples, String> {
    let mut violations = Violations::default();
    let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
    match event.check("event", &rules, &mut violations) {
        Some(event) => Ok(event.samples),
        None => Err(format!("a converted event does not pass the check: {violations:?}")),
    }
}

/// Logistic regression of truth on inputs; weights in the order of the inputs, then the intercept.
///
/// Both truths must be equally many, or the intercept carries their odds: `weights` repeats rows.
pub(crate) fn logistic(rows: &[Vec<f64>], truths: &[bool], alpha: f64) -> Result<Vec<f64>, String> {
    let width = rows.first().map_or(0, Vec::len);
    let flat: Vec<f64> = rows.iter().flatten().copied().collect();
    let inputs = Array2::from_shape_vec((rows.len(), width), flat).map_err(|error| error.to_string())?;
    let targets = Array1::from_iter(truths.iter().map(|truth| usize::from(*truth)));
    let model = LogisticRegression::default()
        .alpha(alpha)
        .max_iterations(300)
        .fit(&Dataset::new(inputs, targets))
        .map_err(|error| format!("calibration does not converge: {error}"))?;
    let sign = if model.labels().pos.class == 1 { 1.0 } else { -1.0 };
    let odds = truths.iter().filter(|truth| **truth).count() as f64
        / truths.iter().filter(|truth| !**truth).count().max(1) as f64;
    let mut weights: Vec<f64> = model.params().iter().map(|weight| sign * weight).collect();
    weights.push(sign * model.intercept() - odds.ln());
    Ok(weights)
}

/// Fits the family on train-licensed sets below `data`. The same seed and data give the same numbers.
///
/// # Errors
/// A file that is missing or malformed, or a regression that does not converge.
pub fn fit(data: &Path, seed: u64) -> Result<Parameters, String> {
    let phrase = phrase::fit_phrase(data, seed, &|_, _| true)?;
    let parameters = Parameters {
        // On people whose phrases nobody was fitted on (CMU) the ratio of two workers' phrases costs more than saying
        // nothing: Cllr 1.24 after 5 logins, 1.53 after 12. It is measured and not shipped until it costs less than 1.
        phrase_pair: None,
        phrase,
        table: fit_table(data, &|_, _| true)?,
        synthetic: synthetic::fit_synthetic(data, seed)?,
        ordered: ordered::fit_ordered(data, &|_, _| true)?,
    };
    parameters.check()?;
    Ok(parameters)
}
