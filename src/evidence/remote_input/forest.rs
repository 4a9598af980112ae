//! A small forest of equally deep trees, flat in memory: sums of leaves, so nothing outside the training range runs
//! away.
//!
//! Worked example: one tree of depth 3 asks three questions `value <= threshold`; the answers no, no, yes number the
//! leaf 0b110 = 6, and the score is the base plus that leaf.

use serde::{Deserialize, Serialize};

/// Questions asked on the way to a leaf. Three let a tree see the interplay of three measurements.
pub const DEPTH: usize = 3;
/// Inner nodes of one tree.
pub const NODES: usize = (1 << DEPTH) - 1;
/// Leaves of one tree.
pub const LEAVES: usize = 1 << DEPTH;

/// One tree: node `i` has children `2 i + 1` (answer yes) and `2 i + 2` (answer no).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// Measurement each node asks about.
    pub measurements: [u16; NODES],
    /// Thresholds: at or below goes to the first child.
    pub thresholds: [f64; NODES],
    /// Log-odds of each leaf.
    pub leaves: [f64; LEAVES],
}

/// Trees whose leaves add up, then a straight line that calibrates the sum.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Forest {
    /// Number of measurements it reads.
    pub measurement_count: usize,
    /// Trees, in the order they are summed.
    pub trees: Vec<Tree>,
    /// Calibration: nats = `intercept` + `slope` x sum of leaves.
    pub intercept: f64,
    /// Calibration slope, positive.
    pub slope: f64,
}

impl Forest {
    /// Sum of leaves for `measurements`, before calibration. Fewer measurements than expected count as 0.
    pub fn sum(&self, measurements: &[f64]) -> f64 {
        let mut total = 0.0;
        for tree in &self.trees {
            let mut node = 0;
            for _ in 0..DEPTH {
                let value = measurements.get(usize::from(tree.measurements[node])).copied().unwrap_or(0.0);
                node = 2 * node + 1 + usize::from(value > tree.thresholds[node]);
            }
            total += tree.leaves[node - NODES];
        }
        total
    }

    /// Calibrated log-likelihood ratio of one window, nats, as if training had seen every device and relay there is.
    pub fn log_odds(&self, measurements: &[f64]) -> f64 {
        self.intercept + self.slope * self.sum(measurements)
    }

    /// What is wrong with these numbers, if anything.
    pub fn check(&self, name: &str, measurement_count: usize) -> Result<(), String> {
        // Measurements are only ever added at the end: an older forest reads the first of them.
        if self.measurement_count == 0 || self.measurement_count > measurement_count {
            return Err(format!("{name} reads {} measurements: {measurement_count} are taken", self.measurement_count));
        }
        let finite = self.trees.iter().all(|tree| {
            tree.thresholds.iter().chain(&tree.leaves).all(|value| value.is_finite())
                && tree.measurements.iter().all(|index| usize::from(*index) < self.measurement_count)
        });
        if !finite || !self.intercept.is_finite() || !self.slope.is_finite() || self.slope < 0.0 {
            return Err(format!("{name} holds a number that is not finite or an index out of range"));
        }
        Ok(())
    }
}

/// What training cannot have seen, as shares of each side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// Share of relays that look local all the same, in (0, .5): bounds how far looking local clears.
    pub unseen_relay_rate: f64,
    /// Share of local machines that look relayed all the same, in (0, .5): bounds how far looking relayed accuses.
    pub odd_machine_rate: f64,
}

impl Doubt {
    /// Mixes a log-likelihood ratio with what was never seen: ln(((1 - u) R + u) / ((1 - o) + o R)).
    ///
    /// Keeps order; lies between ln(u / (1 - o)) and ln((1 - u) / o).
    pub fn temper(&self, log_odds: f64) -> f64 {
        self.tempered_ratio(log_odds).ln()
    }

    /// The same as a ratio, for adding ratios up.
    pub fn tempered_ratio(&self, log_odds: f64) -> f64 {
        let ratio = log_odds.clamp(-60.0, 60.0).exp();
        let (unseen, odd) = (self.unseen_relay_rate, self.odd_machine_rate);
        ((1.0 - unseen) * ratio + unseen) / (1.0 - odd + odd * ratio)
    }

    /// What is wrong with these numbers, if anything.
    pub fn check(&self, name: &str) -> Result<(), String> {
        let sound = |rate: f64| rate > 0.0 && rate < 0.5;
        if sound(self.unseen_relay_rate) && sound(self.odd_machine_rate) {
            Ok(())
        } else {
            Err(format!("{name}: rates must lie in (0, .5)"))
        }
    }
}

/// Bends `value` smoothly towards ± `limit`, keeping order: near 0 it changes nothing, far out it levels off.
pub fn soft_limit(value: f64, limit: f64) -> f64 {
    limit * (value / limit).tanh()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubt_bounds_both_ways_and_leaves_zero_near_zero() {
        let doubt = Doubt { unseen_relay_rate: 0.05, odd_machine_rate: 0.01 };
        // ln(.05 / .99) = -2.99 and ln(.95 / .01) = 4.55.
        assert!((doubt.temper(-50.0) + 2.986).abs() < 0.01 && (doubt.temper(50.0) - 4.554).abs() < 0.01);
        assert!(doubt.temper(0.0).abs() < 1e-12 && doubt.temper(2.0) > doubt.temper(1.9));
    }

    #[test]
    fn answers_number_the_leaf() {
        // Root asks measurement 0 <= 1 (2: no -> node 2), node 2 asks 1 <= 1 (2: no -> node 6), node 6 asks
        // 2 <= 1 (0: yes -> node 13): leaf 13 - 7 = 6.
        let tree = Tree {
            measurements: [0, 1, 1, 2, 2, 2, 2],
            thresholds: [1.0; NODES],
            leaves: [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
        };
        let forest = Forest { measurement_count: 3, trees: vec![tree], intercept: 0.0, slope: 1.0 };
        assert_eq!(forest.sum(&[2.0, 2.0, 0.0]), 6.0);
        assert!(forest.check("test", 3).is_ok());
        assert!(forest.check("test", 4).is_ok(), "one more is taken than it reads");
        assert!(forest.check("test", 2).is_err());
    }
}
