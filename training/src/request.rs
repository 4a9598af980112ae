//! What a corpus becomes before it is scored: requests with the truth beside them, and what a figure reads back.

use elsewhere::event::{ChunkUnchecked, EventUnchecked};
use elsewhere::evidence::feature::{Family, Finding};
use elsewhere::evidence::typing;
use elsewhere::risk::ReasonCode;

/// What an event may teach; the wire's `ProfileUpdate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Each family learns what it would itself accept.
    IfTrusted,
    /// Learn always.
    Always,
    /// Score only.
    Never,
}

/// One request with its truth.
#[derive(Debug, Clone)]
pub struct Request {
    /// The event to score.
    pub event: EventUnchecked,
    /// What it may teach.
    pub update: Update,
    /// What is true of it, as the figure needs it: `mated`, `non_mated`, `enrol`, `local`, `remote`, `legit`, ...
    pub truth: String,
    /// The person, recording, server or author it came from; intervals are resampled by it.
    pub group: String,
}

/// What a figure reads of a verdict.
#[derive(Debug, Clone, Default)]
pub struct Scored {
    /// Calibrated log-likelihood ratio per family, nats, in the order of [`Family::ALL`]; 0 when it took no part.
    pub log_likelihood_ratio: [f64; Family::COUNT],
    /// The same per finding, in the order of [`Finding::ALL`]; `None` when it took no part.
    pub findings: Vec<Option<f64>>,
    /// Belief in each UTC offset: minutes east, probability.
    pub utc_offsets: Vec<(i32, f64)>,
}

impl Scored {
    /// The log-likelihood ratio of one family.
    pub fn family(&self, family: Family) -> f64 {
        self.log_likelihood_ratio[family.index()]
    }

    /// The log-likelihood ratio of one finding, or `None` when it took no part.
    pub fn finding(&self, finding: Finding) -> Option<f64> {
        self.findings.get(finding.index()).copied().flatten()
    }
}

/// Something that scores events one after another and remembers workers between them.
pub trait Scorer {
    /// Scores one event; an event that does not pass the check is an error naming its fields.
    fn score(&mut self, event: EventUnchecked, update: Update) -> Result<Scored, String>;

    /// Follows a live session and leaves no trace: the reasons that raised the risk after each chunk, given with the
    /// second in which its samples end. Empty where live sessions are not followed.
    fn watch(
        &mut self,
        _opening: EventUnchecked,
        _chunks: Vec<(ChunkUnchecked, i64)>,
    ) -> Result<Vec<Vec<ReasonCode>>, String> {
        Ok(Vec::new())
    }

    /// The parameters of typing it scores with, for figures that compare profiles with profiles.
    fn typing(&self) -> Option<typing::Parameters> {
        None
    }
}

/// One figure of a model card.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Figure {
    /// Stable key, such as `typing.cmu_online.global_eer`.
    pub name: String,
    /// What was measured on which data, in words.
    pub description: String,
    /// The value.
    pub value: f64,
    /// 95 % interval by bootstrap over groups; absent when there are too few groups.
    pub interval: Option<(f64, f64)>,
    /// Sample sizes in words: `26 people, 5,200 mated and 1,250 non-mated logins`.
    pub sample: String,
    /// The floor of `targets.md`, where it has one.
    pub floor: Option<f64>,
    /// Whether higher is better.
    pub higher_is_better: bool,
    /// `real`, `simulated` or `mixed`.
    pub source: String,
    /// What the figure's data allow: `train`, `measure`.
    pub licence: String,
}
