//! The model family served: a weighted sum of capped findings, so that every contribution is exact.

use crate::evidence::feature::{Features, Finding};
use serde::{Deserialize, Serialize};

/// Greatest log-odds, cap and weight of a model, nats: beyond any evidence there is, and small enough for contributions to
/// add up to within 1e-6, as the wire promises.
const LOG_ODDS_MAX: f64 = 1e3;

fn within(log_odds: f64) -> bool {
    log_odds.abs() <= LOG_ODDS_MAX
}

/// Weight and caps of one finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// Name of the finding, `family.finding`.
    pub finding: String,
    /// Factor on the capped score. 1 trusts the family's own log-likelihood ratio in full.
    pub weight: f64,
    /// Least score counted, nats, at most 0: how far a clean finding may clear.
    pub score_min: f64,
    /// Greatest score counted, nats: how far one finding may convict a single session.
    pub score_max: f64,
}

/// The terms of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Additive {
    /// Log-odds with no evidence at all: the configured prevalence.
    pub base_log_odds: f64,
    /// One term per finding, in any order, each once.
    pub terms: Vec<Term>,
}

/// What one finding adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// The finding.
    pub finding: Finding,
    /// The family's log-likelihood ratio, nats, uncapped.
    pub score: f64,
    /// Share of the log-odds, nats.
    pub log_odds: f64,
}

/// A session weighed. `base_log_odds` plus all contributions is `risk_log_odds`.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// Log-odds with no evidence.
    pub base_log_odds: f64,
    /// Log-odds with it.
    pub risk_log_odds: f64,
    /// One per finding that took part, in schema order.
    pub contributions: Vec<Contribution>,
}

/// The terms of an [`Additive`] by finding, ready to serve.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    base_log_odds: f64,
    terms: Vec<Option<(f64, f64, f64)>>,
}

impl Additive {
    /// Resolves names and checks numbers.
    ///
    /// # Errors
    /// Says which term names no finding of this schema, repeats one, or holds a number out of range.
    pub fn prepare(&self) -> Result<Prepared, String> {
        if !within(self.base_log_odds) {
            return Err(format!("base_log_odds must lie within {LOG_ODDS_MAX} nats of 0"));
        }
        let mut terms = vec![None; Finding::COUNT];
        for term in &self.terms {
            let Some(finding) = Finding::from_name(&term.finding) else {
                return Err(format!("term `{}` names no finding of this feature schema", term.finding));
            };
            let sound = (0.0..=LOG_ODDS_MAX).contains(&term.weight)
                && (-LOG_ODDS_MAX..=0.0).contains(&term.score_min)
                && (0.0..=LOG_ODDS_MAX).contains(&term.score_max);
            if !sound {
                return Err(format!(
                    "term `{}` needs a weight from 0 to {LOG_ODDS_MAX} and caps around 0 within as much",
                    term.finding
                ));
            }
            let slot = &mut terms[finding.index()];
            if slot.replace((term.weight, term.score_min, term.score_max)).is_some() {
                return Err(format!("term `{}` is given twice", term.finding));
            }
        }
        Ok(Prepared { base_log_odds: self.base_log_odds, terms })
    }
}

impl Prepared {
    /// Weighs the findings of a session. A finding without a term adds nothing, yet its score is told.
    pub fn weigh(&self, features: &Features) -> Weighed {
        let mut contributions = Vec::with_capacity(12);
        let mut risk_log_odds = self.base_log_odds;
        for finding in Finding::ALL {
            let Some(score) = features.get(finding.score()) else { continue };
            let (weight, low, high) = self.terms[finding.index()].unwrap_or((0.0, 0.0, 0.0));
            let log_odds = weight * score.clamp(low, high);
            risk_log_odds += log_odds;
            contributions.push(Contribution { finding: *finding, score, log_odds });
        }
        Weighed { base_log_odds: self.base_log_odds, risk_log_odds, contributions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::feature::FeatureId;

    fn additive() -> Additive {
        let term = |finding: &str, weight| Term { finding: finding.into(), weight, score_min: -2.0, score_max: 4.0 };
        Additive { base_log_odds: -6.91, terms: vec![term("remote_input.pointer", 0.9), term("typing.phrase", 0.8)] }
    }

    #[test]
    fn the_worked_example_adds_up() -> Result<(), String> {
        let mut features = Features::default();
        features.set(FeatureId::RemoteInputPointerLogOdds, 3.0);
        features.set(FeatureId::TypingPhraseLogOdds, -1.0);
        let weighed = additive().prepare()?.weigh(&features);
        assert!((weighed.risk_log_odds - (-5.01)).abs() < 1e-12);
        assert_eq!(weighed.contributions.len(), 2);
        Ok(())
    }

    #[test]
    fn scores_are_capped_on_both_sides() -> Result<(), String> {
        let mut features = Features::default();
        features.set(FeatureId::RemoteInputPointerLogOdds, 50.0);
        features.set(FeatureId::TypingPhraseLogOdds, -50.0);
        let weighed = additive().prepare()?.weigh(&features);
        assert!((weighed.risk_log_odds - (-6.91 + 3.6 - 1.6)).abs() < 1e-12);
        assert_eq!(weighed.contributions[0].score, -50.0, "schema order, and scores are told uncapped");
        Ok(())
    }

    #[test]
    fn numbers_too_large_to_add_up_exactly_are_refused() {
        let mut model = additive();
        model.terms[1].score_max = 1e12;
        assert!(model.prepare().is_err_and(|error| error.contains("typing.phrase")));
        let mut model = additive();
        model.base_log_odds = f64::NAN;
        assert!(model.prepare().is_err_and(|error| error.contains("base_log_odds")));
    }

    #[test]
    fn a_term_of_another_schema_is_refused_by_name() {
        let mut model = additive();
        model.terms[0].finding = "aura.colour".into();
        assert!(model.prepare().is_err_and(|error| error.contains("aura.colour")));
    }
}
