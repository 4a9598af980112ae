//! Events in order through the very pipeline that serves, over a store in memory; features and verdicts read back.

use crate::request::{Scored, Scorer, Update};
use elsewhere::event::{ChunkUnchecked, Event, EventTime, EventUnchecked, Rules, TablePolicy, Violations};
use elsewhere::evidence::feature::{Features, Finding};
use elsewhere::evidence::typing;
use elsewhere::history::{Config, MemoryStore, TenantId};
use elsewhere::model::Model;
use elsewhere::pipeline::{self, Models, Pipeline, SharedStore, Submission};
use elsewhere::risk::{ReasonCode, Verdict};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The rules of `elsewhere score`: time from events, tables opted in, no timing of secrets.
pub const RULES: Rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };

/// A pipeline of its own with an empty store.
pub struct Replay {
    pipeline: Pipeline,
    tenant: TenantId,
    asked: std::cell::Cell<u64>,
}

impl Replay {
    /// Starts with an empty store.
    ///
    /// # Errors
    /// When the model cannot be served.
    pub fn new(model: Model) -> Result<Self, String> {
        let store: SharedStore = Arc::new(MemoryStore::new(Config::of_events()));
        let tenant = store.tenant("replay").map_err(|error| error.to_string())?;
        let pipeline = Pipeline::new(store, Models::new(vec![model], None)?);
        Ok(Self { pipeline, tenant, asked: std::cell::Cell::new(0) })
    }

    /// Scores one event as `elsewhere score` does, with the features it was scored by.
    ///
    /// Figures may ask about one sample twice, so events are named by their order here and never taken for repeats.
    ///
    /// # Errors
    /// The violations of an event that does not pass the check, or what the pipeline says.
    pub fn assess(&self, mut event: EventUnchecked, update: Update) -> Result<(Arc<Verdict>, Features), String> {
        self.asked.set(self.asked.get() + 1);
        event.event_id = format!("{}", self.asked.get());
        let mut violations = Violations::default();
        let Some(event) = event.check("event", &RULES, &mut violations) else {
            return Err(violations.to_string());
        };
        self.assess_checked(event, update)
    }

    /// Looks for workers who type alike now, as a service does off the path of logins.
    ///
    /// # Errors
    /// What the store says.
    pub fn settle(&self) -> Result<(), String> {
        self.pipeline.settle_hands(self.tenant, usize::MAX).map(|_| ()).map_err(|error| error.to_string())
    }

    fn assess_checked(&self, event: Event, update: Update) -> Result<(Arc<Verdict>, Features), String> {
        let now = event.samples.time;
        let content_hash = Sha256::digest(event.event_id.as_bytes()).into();
        let update = match update {
            Update::IfTrusted => pipeline::Update::IfTrusted,
            Update::Always => pipeline::Update::Always,
            Update::Never => pipeline::Update::Never,
        };
        let submission = Submission { event, content_hash, update, model_id: String::new() };
        let mut seen = None;
        let outcome =
            self.pipeline.assess_watched(self.tenant, &submission, now, &mut |features| seen = Some(features.clone()));
        match (outcome, seen) {
            (Ok(assessed), Some(features)) => Ok((assessed.verdict, features)),
            (Ok(_), None) => Err(format!("event {} was scored before", submission.event.event_id)),
            (Err(failure), _) => Err(format!("{failure:?}")),
        }
    }
}

impl Scorer for Replay {
    fn score(&mut self, event: EventUnchecked, update: Update) -> Result<Scored, String> {
        let (verdict, features) = self.assess(event, update)?;
        let mut scored = Scored {
            findings: Finding::ALL.iter().map(|finding| features.get(finding.score())).collect(),
            utc_offsets: verdict.whereabouts.utc_offsets.clone(),
            ..Scored::default()
        };
        for (slot, family) in scored.log_likelihood_ratio.iter_mut().zip(&verdict.families) {
            *slot = family.log_likelihood_ratio;
        }
        Ok(scored)
    }

    fn watch(
        &mut self,
        opening: EventUnchecked,
        chunks: Vec<(ChunkUnchecked, i64)>,
    ) -> Result<Vec<Vec<ReasonCode>>, String> {
        let mut violations = Violations::default();
        let Some(event) = opening.check("open.event", &RULES, &mut violations) else {
            return Err(violations.to_string());
        };
        let time = event.samples.time;
        let content_hash = Sha256::digest(event.event_id.as_bytes()).into();
        let submission = Submission { event, content_hash, update: pipeline::Update::Never, model_id: String::new() };
        let failed = |failure| format!("{failure:?}");
        let mut live = self.pipeline.open(self.tenant, submission, time, 0, time).map_err(failed)?;
        let mut told = Vec::new();
        for (chunk, seconds) in chunks {
            let Some(chunk) = chunk.check(&RULES, &mut violations) else { return Err(violations.to_string()) };
            let time = EventTime(seconds * 1_000_000);
            live.take(chunk, time);
            let verdict = self.pipeline.look(self.tenant, &mut live, time).map_err(failed)?;
            live.trim();
            let raised = verdict.reasons.iter().filter(|reason| reason.contribution_log_odds > 0.0);
            told.push(raised.map(|reason| reason.code).collect());
        }
        Ok(told)
    }

    fn typing(&self) -> Option<typing::Parameters> {
        self.pipeline.models().get("").map(|model| model.file.evidence.typing.clone())
    }
}
