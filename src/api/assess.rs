//! SessionRiskService: deadline, permit, pipeline, reply.

use super::convert;
use super::doors::{Doors, Permit, Received};
use super::monitor;
use super::refusal::Refusal;
use super::reply;
use super::tenant::Caller;
use super::wire::session_risk_service_server::SessionRiskService;
use super::wire::{self, assessment_result};
use crate::addresses::AddressBook;
use crate::event::{EventTime, EventUnchecked, Rules, Violations, check_required_identifier, limits};
use crate::pipeline::{Assessed, Failure, Submission, Update};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

/// SessionRiskService over a pipeline.
#[derive(Clone)]
pub struct Assess {
    doors: Arc<Doors>,
}

/// One event as a call carries it.
struct Item {
    event: Option<wire::SessionEvent>,
    profile_update: i32,
    model_id: String,
}

/// Results a stream may run ahead of its reader; beyond, HTTP/2 flow control holds the sender.
const STREAM_RESULTS_AHEAD: usize = 256;

impl Assess {
    /// Serves over the shared doors.
    pub fn new(doors: Arc<Doors>) -> Self {
        Self { doors }
    }

    /// Scores one event up to, but not including, its durability.
    fn score(&self, caller: Caller, item: Item) -> Result<Assessed, Refusal> {
        let now = self.doors.now();
        let rules =
            Rules { now: Some(now), secret_typing_allowed: caller.secret_typing_allowed, tables: caller.tables };
        let submission = checked(item, &rules, &self.doors.addresses)?;
        Ok(self.doors.pipeline.assess(caller.tenant, &submission, now)?)
    }
}

/// Waits until the verdict is on disk, then gives it its wire form.
async fn reply(assessed: Assessed) -> Result<wire::Verdict, Refusal> {
    let Assessed { verdict, replayed, durable } = assessed;
    durable.await.map_err(Failure::Store)?;
    Ok(reply::verdict(&verdict, replayed))
}

/// Checks one item into a submission: every violation of event and request at once.
fn checked(item: Item, rules: &Rules, addresses: &AddressBook) -> Result<Submission, Refusal> {
    let mut violations = Violations::default();
    let profile_update = convert::profile_update(item.profile_update, &mut violations);
    let Some(message) = item.event else {
        violations.add("event", "is required: send the event to score");
        return Err(Refusal::Invalid(violations));
    };
    let content_hash = convert::content_hash(&message);
    let event = told(convert::event(message), addresses).check("event", rules, &mut violations);
    match (event, profile_update) {
        (Some(event), Some(profile_update)) if violations.none() => {
            Ok(Submission { event, content_hash, update: update(profile_update), model_id: item.model_id })
        }
        _ => Err(Refusal::Invalid(violations)),
    }
}

/// An event with what the operator's databases tell of its address, where the caller left it out. What the caller sent
/// is hashed before, so that an event repeated after a new edition is the same event.
pub fn told(mut event: EventUnchecked, addresses: &AddressBook) -> EventUnchecked {
    if let Some(network) = &mut event.network {
        addresses.tell(network);
    }
    event
}

/// What an event may teach. A tenant that says nothing learns what is trusted.
pub fn update(profile_update: wire::ProfileUpdate) -> Update {
    match profile_update {
        wire::ProfileUpdate::Unspecified | wire::ProfileUpdate::IfTrusted => Update::IfTrusted,
        wire::ProfileUpdate::Always => Update::Always,
        wire::ProfileUpdate::Never => Update::Never,
    }
}

fn result(event_id: String, outcome: Result<wire::Verdict, Refusal>) -> wire::AssessmentResult {
    let outcome = match outcome {
        Ok(verdict) => assessment_result::Outcome::Verdict(verdict),
        Err(refusal) => assessment_result::Outcome::Error(refusal.status()),
    };
    wire::AssessmentResult { event_id, outcome: Some(outcome) }
}

fn event_id(event: Option<&wire::SessionEvent>) -> String {
    event.map(|event| event.event_id.clone()).unwrap_or_default()
}

fn event_time(event: &wire::SessionEvent) -> (i64, i32) {
    event.event_time.as_ref().map_or((i64::MIN, 0), |time| (time.seconds, time.nanos))
}

#[tonic::async_trait]
impl SessionRiskService for Assess {
    async fn assess_session(
        &self,
        request: Request<wire::AssessSessionRequest>,
    ) -> Result<Response<wire::AssessSessionResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        // Let go with this call when its deadline passes or its caller goes away: a counted drop.
        let received = self.doors.counts.receive();
        let wire::AssessSessionRequest { event, profile_update, model_id } = request.into_inner();
        let outcome = async { reply(self.score(caller, Item { event, profile_update, model_id })?).await }.await;
        received.settle(outcome.is_ok());
        Ok(Response::new(wire::AssessSessionResponse { verdict: Some(outcome?) }))
    }

    async fn batch_assess_sessions(
        &self,
        request: Request<wire::BatchAssessSessionsRequest>,
    ) -> Result<Response<wire::BatchAssessSessionsResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let wire::BatchAssessSessionsRequest { events, profile_update, model_id } = request.into_inner();
        let received: Vec<Received> = events.iter().map(|_| self.doors.counts.receive()).collect();
        if events.len() > limits::BATCH_EVENTS_MAX {
            let (limit, actual) = (limits::BATCH_EVENTS_MAX, events.len());
            return Err(refuse_all(received, Refusal::TooManyItems { field: "events", limit, actual }));
        }
        let mut violations = Violations::default();
        if events.is_empty() {
            violations.add("events", "is empty: send the events to score");
        }
        convert::profile_update(profile_update, &mut violations);
        if !violations.none() {
            return Err(refuse_all(received, Refusal::Invalid(violations)));
        }
        // A worker's events are scored in time order; sorting all of them does that and keeps equal times in order.
        let mut order: Vec<(usize, wire::SessionEvent)> = events.into_iter().enumerate().collect();
        order.sort_by_key(|(index, event)| (event_time(event), *index));
        let mut scored = Vec::with_capacity(order.len());
        for (done, (index, event)) in order.into_iter().enumerate() {
            let id = event.event_id.clone();
            let item = Item { event: Some(event), profile_update, model_id: model_id.clone() };
            scored.push((index, id, self.score(caller, item)));
            if done % YIELD_EVERY == YIELD_EVERY - 1 {
                tokio::task::yield_now().await;
            }
        }
        scored.sort_by_key(|(index, _, _)| *index);
        let mut results = Vec::with_capacity(scored.len());
        // Settled together, at the end: a batch whose deadline passes answers none of its events.
        let mut settled = Vec::with_capacity(scored.len());
        for ((_, id, outcome), received) in scored.into_iter().zip(received) {
            let outcome = match outcome {
                Ok(assessed) => reply(assessed).await,
                Err(refusal) => Err(refusal),
            };
            settled.push((received, outcome.is_ok()));
            results.push(result(id, outcome));
        }
        for (received, verdict) in settled {
            received.settle(verdict);
        }
        Ok(Response::new(wire::BatchAssessSessionsResponse { results }))
    }

    type StreamAssessSessionsStream =
        Pin<Box<dyn Stream<Item = Result<wire::StreamAssessSessionsResponse, Status>> + Send>>;

    async fn stream_assess_sessions(
        &self,
        request: Request<Streaming<wire::StreamAssessSessionsRequest>>,
    ) -> Result<Response<Self::StreamAssessSessionsStream>, Status> {
        let (caller, permit) = self.doors.enter(request.metadata())?;
        let (scored, written) = mpsc::channel(STREAM_RESULTS_AHEAD);
        let (sender, receiver) = mpsc::channel(STREAM_RESULTS_AHEAD);
        tokio::spawn(self.clone().read_stream(caller, request.into_inner(), scored));
        tokio::spawn(write_stream(written, sender, permit));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    type MonitorSessionStream = Pin<Box<dyn Stream<Item = Result<wire::MonitorSessionResponse, Status>> + Send>>;

    async fn monitor_session(
        &self,
        request: Request<Streaming<wire::MonitorSessionRequest>>,
    ) -> Result<Response<Self::MonitorSessionStream>, Status> {
        // A live session lasts hours: it counts among the sessions monitored, not among the calls in flight.
        let (caller, _) = self.doors.enter(request.metadata())?;
        let (sender, receiver) = mpsc::channel(monitor::REPLIES_AHEAD);
        tokio::spawn(monitor::follow(Arc::clone(&self.doors), caller, request.into_inner(), sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver).map(|reply| *reply))))
    }

    async fn get_verdict(
        &self,
        request: Request<wire::GetVerdictRequest>,
    ) -> Result<Response<wire::GetVerdictResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let event_id = request.into_inner().event_id;
        require("event_id", &event_id)?;
        let kept = self.doors.pipeline.store().verdict(caller.tenant, &event_id).map_err(Failure::Store);
        let Some(verdict) = kept.map_err(Refusal::from)? else {
            return Err(Refusal::NotFound { resource: "verdict", name: event_id }.into());
        };
        Ok(Response::new(wire::GetVerdictResponse { verdict: Some(reply::verdict(&verdict, false)) }))
    }

    async fn issue_nonce(
        &self,
        request: Request<wire::IssueNonceRequest>,
    ) -> Result<Response<wire::IssueNonceResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let session_id = request.into_inner().session_id;
        require("session_id", &session_id)?;
        let expire_time = EventTime(self.doors.now().0.saturating_add(self.doors.nonce_micros));
        let key = self.doors.pipeline.store().nonce_key(caller.tenant).map_err(Failure::Store);
        let nonce = key.map_err(Refusal::from)?.issue(&session_id, expire_time);
        let expire_time = Some(convert::time_to_wire(expire_time));
        Ok(Response::new(wire::IssueNonceResponse { nonce, expire_time }))
    }
}

/// Events of a batch scored before other calls get their turn: about half a millisecond of work.
const YIELD_EVERY: usize = 20;

/// What the reading half of a stream hands to the writing half.
enum StreamItem {
    /// An event scored or refused, under the name to echo.
    Scored(String, Result<Assessed, Refusal>, Received),
    /// What came next cannot be read, so nothing after it can.
    Broken(Status),
}

/// Refuses a batch as a whole, and with it each of its events.
fn refuse_all(received: Vec<Received>, refusal: Refusal) -> Status {
    for one in received {
        one.settle(false);
    }
    refusal.into()
}

impl Assess {
    /// Scores what arrives until the caller ends the stream, goes away, or the service drains.
    async fn read_stream(
        self,
        caller: Caller,
        mut requests: Streaming<wire::StreamAssessSessionsRequest>,
        scored: mpsc::Sender<StreamItem>,
    ) {
        let mut draining = self.doors.draining();
        loop {
            let message = tokio::select! {
                message = requests.message() => message,
                _ = draining.wait_for(|draining| *draining) => return,
            };
            let wire::StreamAssessSessionsRequest { event, profile_update } = match message {
                Ok(Some(message)) => message,
                Ok(None) => return,
                // What was scored is answered first; the rest was never received.
                Err(status) => {
                    let _ = scored.send(StreamItem::Broken(status)).await;
                    return;
                }
            };
            let received = self.doors.counts.receive();
            let id = event_id(event.as_ref());
            let outcome = self.score(caller, Item { event, profile_update, model_id: String::new() });
            if scored.send(StreamItem::Scored(id, outcome, received)).await.is_err() {
                return;
            }
        }
    }
}

/// Answers in order of scoring, each once it is on disk. Ends when the caller takes no more: what was scored until then
/// is kept, and counted as dropped.
async fn write_stream(
    mut scored: mpsc::Receiver<StreamItem>,
    results: mpsc::Sender<Result<wire::StreamAssessSessionsResponse, Status>>,
    permit: Permit,
) {
    while let Some(item) = scored.recv().await {
        let (id, outcome, received) = match item {
            StreamItem::Scored(id, Ok(assessed), received) => (id, reply(assessed).await, received),
            StreamItem::Scored(id, Err(refusal), received) => (id, Err(refusal), received),
            StreamItem::Broken(status) => {
                let _ = results.send(Err(status)).await;
                break;
            }
        };
        let verdict = outcome.is_ok();
        let result = Some(result(id, outcome));
        if results.send(Ok(wire::StreamAssessSessionsResponse { result })).await.is_err() {
            break;
        }
        received.settle(verdict);
    }
    drop(permit);
}

/// Refuses an empty or malformed identifier that stands alone in a request.
pub fn require(field: &str, value: &str) -> Result<(), Refusal> {
    let mut violations = Violations::default();
    check_required_identifier(&mut violations, field, value);
    if violations.none() { Ok(()) } else { Err(Refusal::Invalid(violations)) }
}

/// A result line of `elsewhere score`, once its verdict is on disk.
///
/// # Errors
/// When the store could not keep the verdict: it may not be shown.
pub fn answer(event_id: String, outcome: Result<Assessed, Refusal>) -> Result<wire::AssessmentResult, String> {
    let verdict = match outcome {
        Ok(Assessed { verdict, replayed, durable }) => {
            durable.wait().map_err(|error| error.to_string())?;
            Ok(reply::verdict(&verdict, replayed))
        }
        Err(refusal) => Err(refusal),
    };
    Ok(result(event_id, verdict))
}

/// An instant of the system's clock.
#[expect(clippy::disallowed_methods, reason = "the wire is the door through which the time of day comes in")]
pub fn system_now() -> EventTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    EventTime(i64::try_from(since.as_micros()).unwrap_or(limits::EVENT_TIME_MICROS_MAX))
}
