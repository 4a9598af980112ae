//! Log-odds to probability and score.

use crate::model::Calibration;

/// Calibrated probability, in (0, 1): `sigmoid(base + intercept + slope * (risk - base))`.
pub fn probability(base_log_odds: f64, risk_log_odds: f64, calibration: &Calibration) -> f64 {
    let evidence = risk_log_odds - base_log_odds;
    let logit = base_log_odds + calibration.intercept + calibration.slope * evidence;
    1.0 / (1.0 + (-logit).exp())
}

/// A probability scaled to 0..=100 and rounded.
pub fn score(probability: f64) -> u32 {
    (probability.clamp(0.0, 1.0) * 100.0).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_evidence_is_the_prevalence() {
        let identity = Calibration { intercept: 0.0, slope: 1.0 };
        let base = (0.001_f64 / 0.999).ln();
        assert!((probability(base, base, &identity) - 0.001).abs() < 1e-15);
        assert_eq!(score(0.126), 13);
    }

    #[test]
    fn probability_stays_inside_for_any_log_odds() {
        let identity = Calibration { intercept: 0.0, slope: 1.0 };
        for risk in [-1e6, -50.0, 0.0, 50.0, 1e6] {
            assert!((0.0..=1.0).contains(&probability(-6.9, risk, &identity)));
        }
    }
}
