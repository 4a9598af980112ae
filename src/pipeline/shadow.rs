//! What is seen of a session beside its verdict: by a second model in shadow, and by whoever counts.
//!
//! A model in shadow answers nobody. It reads the same samples against the same profiles, which the answering model
//! teaches, and says at what level it would have put the session and whether it would flag the worker by what the
//! standing keeps. Of a live session it says nothing: the parts of one are the answering model's own.
//!
//! Worked example. The answering model says LOW at -6.1 log-odds, the one in shadow MEDIUM at -2.4. The caller gets the
//! LOW alone; the metrics count one session (LOW, MEDIUM) and a difference of 3.7 nats.

use super::Pipeline;
use crate::event::EventTime;
use crate::evidence::{self, Observations, Others, Profiles};
use crate::history::WorkerRecord;
use crate::model::reference::Bins;
use crate::model::{Model, Weighed};
use crate::risk::level::level;
use crate::risk::{Advice, RiskLevel, Verdict, calibrate};
use std::sync::Arc;

/// What a model in shadow makes of a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Glance {
    /// Level it would have given.
    pub level: RiskLevel,
    /// Its log-odds before calibration.
    pub risk_log_odds: f64,
    /// Whether it would flag the worker by the evidence the standing keeps, which the answering model gathered.
    pub flagged: bool,
}

/// One session judged, without any name: for counters.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// The model that answered.
    pub model: Arc<Model>,
    /// Its level.
    pub level: RiskLevel,
    /// Its advice.
    pub advice: Advice,
    /// Its log-odds before calibration.
    pub risk_log_odds: f64,
    /// Whether the worker stands flagged.
    pub flagged: bool,
    /// Bins of the session's features in the model's reference.
    pub bins: Bins,
    /// The model in shadow and what it makes of the session.
    pub shadow: Option<(Arc<Model>, Glance)>,
}

/// Takes sightings as they happen; must not wait, since a login does.
pub(super) type Watching = Box<dyn Fn(Sighting) + Send + Sync>;

impl Pipeline {
    /// Hands every session judged by the default model to `watching`, which must not wait: a login does. A session
    /// answered a second time is not handed on again.
    #[must_use]
    pub fn watched_by(mut self, watching: impl Fn(Sighting) + Send + Sync + 'static) -> Self {
        self.watching = Some(Box::new(watching));
        self
    }

    /// Lets a second model judge every session in shadow, or none from now on. It costs as much again as a login does,
    /// so it is asked only while somebody watches.
    pub fn shadow(&self, model: Option<Arc<Model>>) {
        self.shadow.store(model);
    }

    /// The model in shadow.
    pub fn in_shadow(&self) -> Option<Arc<Model>> {
        self.shadow.load_full()
    }
}

/// A session weighed by the model in shadow, before the worker's profile learns from it.
pub(super) fn weigh(
    model: &Model,
    seen: &Observations,
    samples: &crate::event::Samples,
    known: &Profiles,
    others: &Others<'_>,
) -> Weighed {
    model.additive.weigh(&evidence::compare(seen, samples, known, others, &model.file.evidence).features)
}

/// What the model in shadow would have answered, with the standing as it is after the session.
pub(super) fn glance(model: &Model, weighed: &Weighed, record: &WorkerRecord, time: EventTime) -> Glance {
    let probability = calibrate::probability(weighed.base_log_odds, weighed.risk_log_odds, &model.file.calibration);
    Glance {
        level: level(probability, &model.file.levels),
        risk_log_odds: weighed.risk_log_odds,
        flagged: record.standing.report(&model.standing, time.0).flagged,
    }
}

impl Sighting {
    /// What a verdict shows.
    pub(super) fn of(verdict: &Verdict, model: &Arc<Model>, bins: Bins, shadow: Option<(Arc<Model>, Glance)>) -> Self {
        Self {
            model: Arc::clone(model),
            level: verdict.risk_level,
            advice: verdict.advice,
            risk_log_odds: verdict.risk_log_odds,
            flagged: verdict.standing.flagged,
            bins,
            shadow,
        }
    }
}
