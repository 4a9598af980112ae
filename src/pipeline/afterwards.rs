//! What follows from events and reviews off the path of a login: others implicated, fading, labels, nonces.

use super::{Failure, Pipeline, meet, resemble};
use crate::event::{Event, EventTime};
use crate::evidence::crowd;
use crate::evidence::feature::Features;
use crate::history::{KeptFeedback, NonceClaim, Recorded, StoreError, TenantId, TokenKind};
use crate::history::{Visit, WorkerRecord};
use crate::model::Model;
use crate::risk::{ReasonCode, Standing, StandingLevel, Stood};
use std::sync::Arc;

/// Workers whom another worker's event may concern: they share a token that it was seen with for the first time.
#[derive(Debug, Clone)]
pub struct Implicated {
    tenant: TenantId,
    workers: Vec<Arc<str>>,
    tokens: Vec<crowd::KindToken>,
    time: EventTime,
}

impl Implicated {
    /// Workers whom a hand in common concerns.
    pub(super) fn by_hand(tenant: TenantId, workers: Vec<Arc<str>>, time: EventTime) -> Self {
        Self { tenant, workers, tokens: Vec::new(), time }
    }

    /// The tenant of the event.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// What a pipeline does only for a service.
pub(super) struct Serving {
    implicated: Box<dyn Fn(Implicated) + Send + Sync>,
}

impl Serving {
    /// Hands on whom an event implicates.
    pub(super) fn tell(&self, tenant: TenantId, event: &Event, workers: Vec<Arc<str>>) {
        let tokens = crowd::observe(&event.samples).tokens;
        (self.implicated)(Implicated { tenant, workers, tokens, time: event.samples.time });
    }
}

/// The other workers who hold tokens of an event, each once.
pub(super) fn met(seen: &crowd::Observation, visit: &Visit<'_, WorkerRecord>) -> Vec<Arc<str>> {
    let asked: Vec<_> = seen.tokens.iter().map(|(kind, token)| (TokenKind(*kind as u8), *token)).collect();
    let found = visit.neighbours(&asked);
    let mut workers: Vec<Arc<str>> =
        found.iter().flat_map(|row| &row.others).map(|other| Arc::clone(&other.worker_id)).collect();
    workers.sort_unstable();
    workers.dedup();
    workers
}

/// Changes the standing of the worker in hand, and has watchers told when its level changed. Says how the worker stands
/// then; nothing when nothing changed, which is not written either.
fn change(visit: &mut Visit<'_, WorkerRecord>, how: impl FnOnce(&mut Standing) -> Stood) -> Option<Stood> {
    let before = &visit.record().standing;
    let (mut standing, level) = (before.clone(), before.level());
    let stood = how(&mut standing);
    if standing == *before {
        return None;
    }
    if standing.level() != level {
        visit.tell(standing.level() != StandingLevel::Low);
    }
    visit.record_mut().standing = standing;
    Some(stood)
}

/// The same, and notes the day of `time` in the standing's course.
fn change_on(visit: &mut Visit<'_, WorkerRecord>, time: EventTime, how: impl FnOnce(&mut Standing) -> Stood) {
    if let Some(stood) = change(visit, how) {
        visit.record_mut().days.change(stood, time.0);
    }
}

/// The worker's company anew, through the tokens of another's event that it was seen with too, and by its hand.
fn implicate(visit: &mut Visit<'_, WorkerRecord>, implicated: &Implicated, model: &Model) {
    let held = |(kind, token): &&crowd::KindToken| visit.holds(TokenKind(*kind as u8), *token);
    let tokens: Vec<crowd::KindToken> = implicated.tokens.iter().filter(held).copied().collect();
    let profile = &visit.record().profiles.crowd;
    let seen = crowd::Observation { tokens, claim: profile.claim };
    let mut features = Features::default();
    let asked: Vec<_> = seen.tokens.iter().map(|(kind, token)| (TokenKind(*kind as u8), *token)).collect();
    let (neighbours, (alike, hand_count)) = (meet(&asked, visit), resemble(visit));
    let company = crowd::Company { neighbours: &neighbours, alike: &alike, hand_count };
    crowd::compare(&seen, profile, None, &company, &model.file.evidence.crowd, &mut features);
    let time = implicated.time;
    change_on(visit, time, |standing| standing.implicate(&features, &model.standing, time.0));
}

impl Pipeline {
    /// Makes the pipeline a service's: nonces are enforced, and whom an event implicates is handed to `implicated`,
    /// which must not wait. Whoever takes it calls [`Pipeline::implicate`] off the path of the login.
    #[must_use]
    pub fn serving(self, implicated: impl Fn(Implicated) + Send + Sync + 'static) -> Self {
        Self { serving: Some(Serving { implicated: Box::new(implicated) }), ..self }
    }

    /// What is to be said of an event's nonce; `None` without one, or where none are enforced.
    pub(super) fn nonce_of(
        &self,
        tenant: TenantId,
        event: &Event,
        now: EventTime,
    ) -> Result<Option<NonceClaim>, Failure> {
        let collector = event.samples.collector.as_ref().filter(|report| !report.nonce.is_empty());
        let Some(collector) = collector.filter(|_| self.serving.is_some()) else { return Ok(None) };
        Ok(Some(self.store.nonce_key(tenant)?.look(&collector.nonce, &event.session_id, now)))
    }

    /// Brings the standings of workers up to date whom another's event concerns.
    ///
    /// # Errors
    /// When the store cannot keep; the workers' own next events bring it up to date all the same.
    pub fn implicate(&self, implicated: &Implicated) -> Result<(), StoreError> {
        let models = self.models();
        let Some(model) = models.get("") else { return Ok(()) };
        let hands = self.store.hands(implicated.tenant)?;
        for worker in &implicated.workers {
            // Two who were met by a token are compared by their hands too, and not searched for.
            if !implicated.tokens.is_empty() {
                hands.search_again(worker);
            }
            self.store.revisit(implicated.tenant, worker, implicated.time, &mut |visit| {
                implicate(visit, implicated, model);
            })?;
        }
        Ok(())
    }

    /// Brings standings up to date that have faded since, so that watchers hear of it without a login.
    ///
    /// # Errors
    /// When the store cannot read or keep.
    pub fn settle_standings(&self, tenant: TenantId, now: EventTime) -> Result<(), StoreError> {
        let models = self.models();
        let Some(model) = models.get("") else { return Ok(()) };
        let mut standing_out: Vec<String> = Vec::new();
        self.store.workers(tenant, &mut |worker, record| {
            if record.standing.level() != StandingLevel::Low {
                standing_out.push(worker.into());
            }
        })?;
        for worker in standing_out {
            self.store.revisit(tenant, &worker, now, &mut |visit| {
                // Time passed and nothing else: no day of the course, or events that come late would have none of theirs.
                change(visit, |standing| standing.settle(&model.standing, now.0));
            })?;
        }
        Ok(())
    }

    /// Records what people found out of a worker, and what they cleared.
    ///
    /// # Errors
    /// [`Failure::ModelNotLoaded`] without a model, [`Failure::Store`] when the store cannot keep.
    pub fn record_feedback(&self, tenant: TenantId, entry: KeptFeedback) -> Result<Recorded, Failure> {
        let models = self.models();
        let Some(model) = models.get("") else {
            return Err(Failure::ModelNotLoaded { model_id: String::new() });
        };
        let now = entry.record_time;
        let codes = |numbers: &[u16]| -> Vec<ReasonCode> {
            numbers.iter().filter_map(|number| ReasonCode::from_number(i32::from(*number))).collect()
        };
        let mut settle = |visit: &mut Visit<'_, WorkerRecord>, cleared: &[u16], fresh: &[u16]| {
            change_on(visit, now, |standing| standing.clear(&codes(cleared), &codes(fresh), &model.standing, now.0));
        };
        Ok(self.store.record_feedback(tenant, entry, &mut settle)?)
    }
}
