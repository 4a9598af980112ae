//! What the test company showed: false flags, recall by scenario, operating points. Simulated, and said to be so.

use crate::fit::world::{World, probability};
use crate::metrics;
use elsewhere::model::{ModelFile, OperatingPoint};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One scenario of the test company.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioRow {
    /// Code in the catalogue, such as `H01`.
    pub scenario: String,
    /// Whether its workers are hostile.
    pub hostile: bool,
    /// Workers.
    pub worker_count: usize,
    /// Workers flagged at any time.
    pub flagged_count: usize,
    /// Median days from first session to flag, of those flagged.
    pub median_days: Option<f64>,
    /// Most frequent first reason at the flag.
    pub top_reason: Option<String>,
    /// Median of the workers' highest standing evidence, nats.
    pub median_evidence: f64,
}

/// The test company in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorldReport {
    /// By scenario, honest ones first.
    pub scenarios: Vec<ScenarioRow>,
    /// Sessions scored.
    pub session_count: usize,
    /// Honest workers, each followed for the company's days.
    pub honest_worker_count: usize,
    /// Honest workers flagged.
    pub false_flag_count: usize,
    /// Upper 95 % bound of false flags per honest worker (Clopper-Pearson).
    pub false_flag_rate_upper: f64,
    /// Mean recall over hostile scenarios.
    pub recall: f64,
    /// Operating points of single sessions.
    pub operating_points: Vec<OperatingPoint>,
    /// Cost of the session log-odds in bits, and the least any recalibration could reach.
    pub cllr: f64,
    /// See `cllr`.
    pub min_cllr: f64,
}

/// Upper 95 % bound (one-sided) of a rate when `hits` of `trials` were seen, by bisection of the binomial tail.
pub fn upper_bound(hits: usize, trials: usize) -> f64 {
    if trials == 0 || hits >= trials {
        return 1.0;
    }
    let tail = |rate: f64| -> f64 {
        // P(X <= hits), summed in logarithms so that many trials do not underflow.
        let (mut log_choose, mut sum) = (0.0_f64, 0.0);
        for k in 0..=hits {
            if k > 0 {
                log_choose += ((trials - k + 1) as f64).ln() - (k as f64).ln();
            }
            sum += (log_choose + k as f64 * rate.ln() + (trials - k) as f64 * (1.0 - rate).ln()).exp();
        }
        sum
    };
    let (mut low, mut high) = (1e-12, 1.0 - 1e-12);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if tail(middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

/// Sums up a company.
pub fn report(world: &World, file: &ModelFile, seed: u64) -> WorldReport {
    let mut rows: BTreeMap<(bool, &str), Vec<usize>> = BTreeMap::new();
    for (worker, scenario) in world.scenario.iter().enumerate() {
        rows.entry((world.hostile[worker], scenario)).or_default().push(worker);
    }
    let scenarios: Vec<ScenarioRow> = rows
        .iter()
        .map(|((hostile, scenario), workers)| {
            let mut days: Vec<f64> = workers.iter().filter_map(|worker| world.flag_days[*worker]).collect();
            let mut evidence: Vec<f64> = workers.iter().map(|worker| world.standing_max[*worker]).collect();
            let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
            for reason in workers.iter().filter_map(|worker| world.flag_reason[*worker].as_deref()) {
                *reasons.entry(reason).or_default() += 1;
            }
            ScenarioRow {
                scenario: (*scenario).into(),
                hostile: *hostile,
                worker_count: workers.len(),
                flagged_count: days.len(),
                median_days: median(&mut days),
                top_reason: reasons.iter().max_by_key(|(_, count)| **count).map(|(reason, _)| (*reason).to_string()),
                median_evidence: median(&mut evidence).unwrap_or(0.0),
            }
        })
        .collect();
    let honest_worker_count = world.hostile.iter().filter(|hostile| !**hostile).count();
    let flagged = world.flag_days.iter().zip(&world.hostile).filter(|(days, _)| days.is_some());
    let false_flag_count = flagged.filter(|(_, hostile)| !**hostile).count();
    let recalls: Vec<f64> = scenarios
        .iter()
        .filter(|row| row.hostile)
        .map(|row| row.flagged_count as f64 / row.worker_count as f64)
        .collect();
    let log_odds = |hostile: bool| -> Vec<f64> {
        let sessions = world.sessions.iter().filter(|session| world.hostile[session.worker] == hostile);
        sessions
            .map(|session| {
                let evidence = crate::fit::world::weigh(session, &file.additive);
                file.calibration.intercept + file.calibration.slope * evidence
            })
            .collect()
    };
    let (honest, hostile) = (log_odds(false), log_odds(true));
    WorldReport {
        scenarios,
        session_count: world.sessions.len(),
        honest_worker_count,
        false_flag_count,
        false_flag_rate_upper: upper_bound(false_flag_count, honest_worker_count),
        recall: metrics::mean(&recalls).unwrap_or(0.0),
        operating_points: operating_points(world, file, seed),
        cllr: metrics::cllr(&honest, &hostile).unwrap_or(1.0),
        min_cllr: metrics::min_cllr(&honest, &hostile).unwrap_or(1.0),
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then(|| elsewhere::evidence::quantile::quantile_of_sorted(values, 0.5))
}

/// Session operating points at the levels and around them, with intervals resampled by worker.
fn operating_points(world: &World, file: &ModelFile, seed: u64) -> Vec<OperatingPoint> {
    let mut thresholds = vec![0.002, 0.01, file.levels.medium, 0.1, file.levels.high, 0.5];
    thresholds.retain(|threshold| *threshold <= file.levels.high.max(0.5));
    thresholds.sort_by(f64::total_cmp);
    thresholds.dedup();
    let probabilities: Vec<f64> =
        world.sessions.iter().map(|session| probability(session, &file.additive, &file.calibration)).collect();
    let workers_of = |hostile: bool| -> Vec<usize> {
        (0..world.hostile.len()).filter(|worker| world.hostile[*worker] == hostile).collect()
    };
    let rate = |threshold: f64, hostile: bool| {
        let mut counts = vec![(0.0, 0.0); world.hostile.len()];
        for (session, probability) in world.sessions.iter().zip(&probabilities) {
            counts[session.worker].1 += 1.0;
            counts[session.worker].0 += f64::from(u8::from(*probability >= threshold));
        }
        let workers = workers_of(hostile);
        let over = |chosen: &mut dyn Iterator<Item = usize>| {
            let (hits, all) =
                chosen.fold((0.0, 0.0), |sum, worker| (sum.0 + counts[worker].0, sum.1 + counts[worker].1));
            hits / f64::max(all, 1.0)
        };
        let value = over(&mut workers.iter().copied());
        let interval = metrics::bootstrap(workers.len(), 200, seed, |chosen| {
            Some(over(&mut chosen.iter().map(|index| workers[*index])))
        });
        (value, interval.unwrap_or((0.0, 1.0)))
    };
    thresholds
        .into_iter()
        .map(|threshold| {
            let (false_positive_rate, honest) = rate(threshold, false);
            let (true_positive_rate, hostile) = rate(threshold, true);
            OperatingPoint {
                threshold,
                false_positive_rate,
                true_positive_rate,
                false_positive_rate_upper: honest.1,
                true_positive_rate_lower: hostile.0,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_in_three_thousand_bounds_the_rate_at_one_in_a_thousand() {
        // (1 - p)^2996 = .05 gives p = 1e-3.
        assert!((upper_bound(0, 2_996) - 1e-3).abs() < 1e-6);
        assert!(upper_bound(3, 2_996) > 2e-3);
    }
}
