//! What many sessions of one finding look like for honest and for hostile workers: the numbers behind a standing.

use crate::evidence::feature::Finding;
use serde::{Deserialize, Serialize};

/// Two-covariance model of one finding: session score = class mean + worker effect + session noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindingModel {
    /// Name of the finding.
    pub finding: String,
    /// Mean score of honest workers, nats.
    pub honest_mean: f64,
    /// Mean score of the hostile workers that show the finding, nats.
    pub hostile_mean: f64,
    /// Variance of a worker's own mean around the class mean, nats squared: the steady benign oddity.
    pub between_variance: f64,
    /// Variance of one session around the worker's mean, nats squared.
    pub within_variance: f64,
    /// Share of hostile workers that show the finding at all. An absent finding clears at most `ln(1 - share)`.
    pub hostile_share: f64,
    /// Score beyond which a session counts no further, nats either way.
    pub score_cap: f64,
    /// Score under which a session counts no further for the worker, nats, at most 0; as far as the cap where absent. How
    /// clean a clean session was says nothing of the next one, and taken whole it would pass for noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_floor: Option<f64>,
    /// Most nats the finding may add to a standing. Under the flagging threshold, so that no finding flags alone.
    pub evidence_max: f64,
    /// The same once the finding was seen on [`StandingModel::sustained_day_count`] days, for physics only.
    pub evidence_max_sustained: f64,
    /// Whether the score already speaks of all sessions so far (rhythm, links) and so counts once.
    pub cumulative: bool,
    /// Factor on the likelihood ratio, 0 to 2: what a tenant's own labels say of the family. 1 in a model as trained.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: f64,
}

/// How sessions add up to a standing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StandingModel {
    /// One entry per finding that counts.
    pub findings: Vec<FindingModel>,
    /// Days after which old evidence counts half.
    pub half_life_days: f64,
    /// Days that the short memory of a finding holds: what a standing is judged by besides the mean of all sessions.
    #[serde(default = "one_day")]
    pub latest_day_count: f64,
    /// Weight of that memory's likelihood ratio beside that of all sessions, 0 to 1: the belief that a hostile worker's
    /// account changed hands of late rather than was hostile all along. At 0, the value of models without it, it is
    /// not heard.
    #[serde(default)]
    pub latest_weight: f64,
    /// Distinct days on which physics must hold before it may flag alone.
    pub sustained_day_count: u32,
    /// Flags per honest worker-month the threshold aims at.
    pub false_flag_budget: f64,
    /// Evidence at which a worker is flagged, nats.
    pub threshold_log_odds: f64,
}

/// A [`StandingModel`] by finding, ready to serve.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedStanding {
    /// The model.
    pub model: StandingModel,
    by_finding: Vec<Option<usize>>,
}

/// Greatest cap of a finding, nats: beyond any evidence there is, and small enough for what findings add to be told
/// exactly.
const EVIDENCE_MAX: f64 = 1e3;

fn one() -> f64 {
    1.0
}

fn is_one(weight: &f64) -> bool {
    *weight == 1.0
}

fn one_day() -> f64 {
    1.0
}

impl StandingModel {
    /// Resolves names and checks numbers.
    ///
    /// # Errors
    /// Says which entry names no finding of this schema, repeats one, or holds a number out of range.
    pub fn prepare(self) -> Result<PreparedStanding, String> {
        let mut by_finding = vec![None; Finding::COUNT];
        for (index, entry) in self.findings.iter().enumerate() {
            let Some(finding) = Finding::from_name(&entry.finding) else {
                return Err(format!("standing of `{}` names no finding of this feature schema", entry.finding));
            };
            let sound = [entry.honest_mean, entry.hostile_mean].iter().all(|mean| mean.is_finite())
                && entry.hostile_mean >= entry.honest_mean
                && entry.between_variance.is_finite()
                && entry.between_variance > 0.0
                && entry.within_variance.is_finite()
                && entry.within_variance >= 0.0
                && (0.0..1.0).contains(&entry.hostile_share)
                && (0.0..=2.0).contains(&entry.weight)
                && entry.score_cap > 0.0
                && entry.score_cap <= EVIDENCE_MAX
                && entry.score_floor.is_none_or(|floor| (-EVIDENCE_MAX..=0.0).contains(&floor))
                && entry.evidence_max > 0.0
                && entry.evidence_max_sustained >= entry.evidence_max
                && entry.evidence_max_sustained <= EVIDENCE_MAX;
            if !sound {
                return Err(format!("standing of `{}` holds a number out of range", entry.finding));
            }
            if by_finding[finding.index()].replace(index).is_some() {
                return Err(format!("standing of `{}` is given twice", entry.finding));
            }
        }
        let sound = self.half_life_days > 0.0 && self.false_flag_budget > 0.0 && self.threshold_log_odds.is_finite();
        if !(1.0..=365.0).contains(&self.latest_day_count) || !(0.0..1.0).contains(&self.latest_weight) {
            return Err("standing needs latest_day_count from 1 to 365 and latest_weight from 0 to below 1".into());
        }
        if !sound {
            return Err("standing needs a half-life, a budget and a threshold".into());
        }
        Ok(PreparedStanding { model: self, by_finding })
    }
}

impl PreparedStanding {
    /// The entry of a finding, or `None` when it does not count towards standings.
    pub fn of(&self, finding: Finding) -> Option<&FindingModel> {
        self.by_finding[finding.index()].map(|index| &self.model.findings[index])
    }
}

impl FindingModel {
    /// A session's score as far as it counts, nats.
    pub fn counted(&self, score: f64) -> f64 {
        score.clamp(self.score_floor.unwrap_or(-self.score_cap), self.score_cap)
    }

    /// Log-likelihood ratio of a worker's mean over `count` sessions, nats, before the cap above.
    ///
    /// With equal variance `v = between + within / count` on both sides the ratio for a worker who shows the finding
    /// is linear in the mean, `g = (m1 - m0) / v * (mean - (m0 + m1) / 2)`; it levels off as `count` grows, because
    /// `between` does not shrink. A hostile worker may also not show it, so the ratio is
    /// `ln(share * e^g + 1 - share)`, which never falls below `ln(1 - share)`. [`FindingModel::weight`] multiplies it.
    pub fn log_likelihood_ratio(&self, mean: f64, count: f64) -> f64 {
        let variance = self.between_variance + self.within_variance / count.max(1e-6);
        let slope = (self.hostile_mean - self.honest_mean) / variance;
        let g = slope * (mean - (self.honest_mean + self.hostile_mean) / 2.0);
        let (share, rest) = (self.hostile_share, 1.0 - self.hostile_share);
        // Stable for large g: ln(share e^g + rest) = g + ln(share + rest e^-g).
        let ratio = if g > 0.0 { g + (share + rest * (-g).exp()).ln() } else { (share * g.exp() + rest).ln() };
        self.weight * ratio
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> FindingModel {
        FindingModel {
            finding: "remote_input.pointer".into(),
            honest_mean: -2.0,
            hostile_mean: 4.0,
            between_variance: 2.0,
            within_variance: 4.0,
            hostile_share: 0.5,
            score_cap: 6.0,
            score_floor: None,
            evidence_max: 4.0,
            evidence_max_sustained: 4.0,
            cumulative: false,
            weight: 1.0,
        }
    }

    #[test]
    fn evidence_levels_off_with_sessions() {
        // At the hostile mean g = 6 / v * 3; one session v = 6: g = 3; very many v = 2: g = 9.
        let one = model().log_likelihood_ratio(4.0, 1.0);
        assert!((one - (0.5 * 3.0_f64.exp() + 0.5).ln()).abs() < 1e-12);
        let many = model().log_likelihood_ratio(4.0, 1e9);
        assert!((many - (0.5 * 9.0_f64.exp() + 0.5).ln()).abs() < 1e-6);
    }

    #[test]
    fn an_absent_finding_clears_no_further_than_its_share() {
        let clean = model().log_likelihood_ratio(-6.0, 1e9);
        assert!(clean >= 0.5_f64.ln() - 1e-12 && clean < 0.0);
    }
}
