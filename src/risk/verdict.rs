//! The immutable record of one answer. Contributions add up, and the constructor asserts it.

use super::advice::{Advice, advise};
use super::calibrate;
use super::level::{RiskLevel, level};
use super::reach::Reach;
use super::reasons::{self, Reason};
use super::standing::WorkerStanding;
use super::whereabouts::Whereabouts;
use crate::evidence::feature::{Coverage, CoverageStatus, Family, Features, Finding, HandChange};
use crate::model::{Model, Weighed};
use serde::{Deserialize, Serialize};

/// What one family said, and how far it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FamilyAssessment {
    /// The family, by the number of the wire.
    pub family: u8,
    /// Whether it took part.
    pub status: CoverageStatus,
    /// Measurements used.
    pub sample_count: u32,
    /// Its share of the log-odds, nats, after fusion.
    pub contribution_log_odds: f64,
    /// Its own calibrated log-likelihood ratio, nats, uncapped.
    pub log_likelihood_ratio: f64,
}

/// How much of the past there was to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Maturity {
    /// Sessions learned from.
    pub session_count: u32,
    /// Key presses learned from.
    pub press_count: u64,
    /// First session learned from, microseconds since 1970.
    pub first_seen_micros: Option<i64>,
}

/// Names the model and the code that fed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReference {
    /// Directory name under `models/`.
    pub model_id: String,
    /// SHA-256 of `model.json`.
    pub model_sha256: [u8; 32],
    /// Version of the feature schema.
    pub feature_schema_version: u32,
    /// Release of the service.
    pub service_version: String,
}

impl ModelReference {
    /// Names a loaded model and this release.
    pub fn of(model: &Model) -> Self {
        Self {
            model_id: model.file.model_id.clone(),
            model_sha256: model.sha256,
            feature_schema_version: model.file.feature_schema_version,
            service_version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

/// One edition of an address database behind a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressDatabase {
    /// Type as the database names itself.
    pub database_type: String,
    /// When it was built, seconds since 1970.
    pub build_seconds: i64,
}

/// What the service thinks of a session, why, and by which model. Immutable once given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The event it is about.
    pub event_id: String,
    /// The worker the event belongs to.
    pub worker_id: String,
    /// Calibrated probability, in (0, 1).
    pub risk_probability: f64,
    /// The same scaled to 0..=100.
    pub risk_score: u32,
    /// Level by the model's thresholds.
    pub risk_level: RiskLevel,
    /// What the service would do.
    pub advice: Advice,
    /// Log-odds before calibration.
    pub risk_log_odds: f64,
    /// Log-odds with no evidence.
    pub base_log_odds: f64,
    /// Contributions too small to be listed.
    pub residual_log_odds: f64,
    /// Why, largest absolute contribution first.
    pub reasons: Vec<Reason>,
    /// One entry per family.
    pub families: Vec<FamilyAssessment>,
    /// How much past there was.
    pub maturity: Maturity,
    /// What gave this verdict.
    pub model: ModelReference,
    /// When it was given, microseconds since 1970.
    pub assess_micros: i64,
    /// Bounds on the true place.
    pub whereabouts: Whereabouts,
    /// The worker's standing after this event.
    pub standing: WorkerStanding,
    /// Databases of the service's own that the address was looked up in. Written down behind the rest, so that verdicts
    /// without any are written as they always were.
    #[serde(skip)]
    pub address_databases: Vec<AddressDatabase>,
    /// How the hand reaches the machine. Written down behind the rest.
    #[serde(skip)]
    pub reach: Reach,
}

/// Everything a verdict is made of.
#[derive(Debug)]
pub struct Findings<'a> {
    /// The event it is about.
    pub event_id: &'a str,
    /// The worker the event belongs to.
    pub worker_id: &'a str,
    /// When it is given, microseconds since 1970.
    pub assess_micros: i64,
    /// What was measured.
    pub features: &'a Features,
    /// How far each family was heard.
    pub coverage: [Coverage; Family::COUNT],
    /// What the model made of it.
    pub weighed: Weighed,
    /// Findings that tell of a change of hands inside a live session; empty otherwise.
    pub handed_over: &'a [(Finding, HandChange)],
    /// How much past there was.
    pub maturity: Maturity,
    /// Bounds on the true place.
    pub whereabouts: Whereabouts,
    /// The worker's standing after this event.
    pub standing: WorkerStanding,
    /// Databases of the service's own that the address was looked up in.
    pub address_databases: Vec<AddressDatabase>,
    /// How the hand reaches the machine.
    pub reach: Reach,
}

/// What each family said of one session.
pub fn assess_families(coverage: &[Coverage; Family::COUNT], weighed: &Weighed) -> Vec<FamilyAssessment> {
    Family::ALL
        .iter()
        .map(|family| {
            let own = weighed.contributions.iter().filter(|contribution| contribution.finding.family() == *family);
            // Folded from +0: the sum of nothing is -0.0 in Rust, which would print as such.
            let (contribution, ratio) =
                own.fold((0.0, 0.0), |(sum, scores), one| (sum + one.log_odds, scores + one.score));
            let Coverage { status, sample_count } = coverage[family.index()];
            FamilyAssessment {
                family: *family as u8,
                status,
                sample_count,
                contribution_log_odds: contribution,
                log_likelihood_ratio: ratio,
            }
        })
        .collect()
}

impl Verdict {
    /// Puts a verdict together.
    pub fn new(findings: Findings<'_>, model: &Model) -> Self {
        let Findings {
            event_id,
            worker_id,
            assess_micros,
            features,
            coverage,
            weighed,
            handed_over,
            maturity,
            whereabouts,
            standing,
            address_databases,
            reach,
        } = findings;
        let families = assess_families(&coverage, &weighed);
        let (reasons, residual_log_odds) = reasons::of_session(&weighed, features, handed_over);
        let risk_probability =
            calibrate::probability(weighed.base_log_odds, weighed.risk_log_odds, &model.file.calibration);
        let risk_level = level(risk_probability, &model.file.levels);
        let verdict = Self {
            event_id: event_id.into(),
            worker_id: worker_id.into(),
            risk_probability,
            risk_score: calibrate::score(risk_probability),
            risk_level,
            advice: advise(risk_level, standing.flagged),
            risk_log_odds: weighed.risk_log_odds,
            base_log_odds: weighed.base_log_odds,
            residual_log_odds,
            reasons,
            families,
            maturity,
            model: ModelReference::of(model),
            assess_micros,
            whereabouts,
            standing,
            address_databases,
            reach,
        };
        // INVARIANT: base + reasons + residual = risk, to 1e-6; the wire promises it.
        debug_assert!((verdict.explained_log_odds() - verdict.risk_log_odds).abs() < 1e-6);
        verdict
    }

    /// Base, reasons and residual added up; equals `risk_log_odds` to within 1e-6.
    pub fn explained_log_odds(&self) -> f64 {
        self.base_log_odds
            + self.reasons.iter().map(|reason| reason.contribution_log_odds).sum::<f64>()
            + self.residual_log_odds
    }
}
