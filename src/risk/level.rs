//! Risk levels, by the model's thresholds.

use crate::model::Levels;
use serde::{Deserialize, Serialize};

/// Risk by thresholds. Numbers are those of the wire, of CAEP and of OCSF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum RiskLevel {
    /// Nothing out of the ordinary.
    Low = 1,
    /// Worth a second factor.
    Medium = 2,
    /// Worth a person's look.
    High = 3,
}

/// The level of a probability.
pub fn level(probability: f64, levels: &Levels) -> RiskLevel {
    if probability >= levels.high {
        RiskLevel::High
    } else if probability >= levels.medium {
        RiskLevel::Medium
    } else {
        RiskLevel::Low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_belongs_to_the_level_it_begins() {
        let levels = Levels { medium: 0.01, high: 0.2 };
        assert_eq!(level(0.0099, &levels), RiskLevel::Low);
        assert_eq!(level(0.01, &levels), RiskLevel::Medium);
        assert_eq!(level(0.2, &levels), RiskLevel::High);
    }
}
