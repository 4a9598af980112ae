//! What single sessions of a simulated company would cost and catch at each threshold.

use crate::fit::world::{World, probability};
use crate::metrics;
use elsewhere::model::{ModelFile, OperatingPoint};

/// Session operating points at the levels and around them, with intervals resampled by worker.
pub fn operating_points(world: &World, file: &ModelFile, seed: u64) -> Vec<OperatingPoint> {
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
            if session.hostile != hostile {
                continue;
            }
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
