//! MonitorSession: a live session over one stream or several, each message answered by one response.
//!
//! What a session is stands in [`crate::pipeline::Live`]; here are the streams that feed it. A session outlives its
//! stream: one that breaks or is cancelled leaves it waiting for [`limits::MONITOR_RESUME_MICROS`], and an open with the same event goes
//! on where it stood. It ends by `close`, by the client ending its side, by waiting in vain, by a drain (each with a last
//! verdict, learned from once) or by erasure of the worker (without a trace).
//!
//! Worked example: messages 0 (open) and 1 are answered, the connection dies at 2. The client opens anew: the answer
//! acknowledges 1 with a provisional verdict. It resends 1 (acknowledged, ignored) and 2 (taken), then closes with 3 and
//! gets the verdict that `GetVerdict` returns from then on.

mod sessions;

use super::assess::update;
use super::convert;
use super::doors::Doors;
use super::refusal::Refusal;
use super::reply;
use super::tenant::Caller;
use super::wire::monitor_session_request::Chunk as WireChunk;
use super::wire::{self, monitor_session_response::Outcome};
use crate::event::chunk::{check_chunk_time, check_verdict_interval};
use crate::event::{ChunkUnchecked, DurationUnchecked, EventTime, Rules, Violations, limits};
use crate::history::TenantId;
use crate::pipeline::live::Place;
use crate::pipeline::{Assessed, Failure, Live, Submission};
pub use sessions::Monitors;
use sessions::{Closed, Seat, Session, Stage, lock};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};
use tracing::warn;

/// What a stream hands back; boxed, since a channel makes room for many at once.
pub type Reply = Box<Result<wire::MonitorSessionResponse, Status>>;

/// Responses a stream may run ahead of its reader.
pub const REPLIES_AHEAD: usize = 4;

/// How often sessions are looked through for such as wait in vain.
const SWEEP: Duration = Duration::from_secs(15);

/// How long a client that finds no room for another session is asked to wait.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What came of an opening.
enum Opened {
    /// The session is open, with its acknowledgement.
    Seat(Seat, Box<wire::MonitorSessionResponse>),
    /// The event has its last verdict already.
    Answered(Assessed),
}

/// What a message asks for.
enum Heard {
    Respond(Box<wire::MonitorSessionResponse>),
    Close,
    End(Status),
}

/// What a stream waits for.
enum Next {
    Message(Box<wire::MonitorSessionRequest>),
    /// The client ended its side, or said nothing for too long.
    Done,
    Broken(Status),
    Draining,
    Woken,
}

/// Follows one stream to its end.
pub async fn follow(
    doors: Arc<Doors>,
    caller: Caller,
    mut requests: Streaming<wire::MonitorSessionRequest>,
    replies: mpsc::Sender<Reply>,
) {
    let mut draining = doors.draining();
    let mut seat: Option<Seat> = None;
    loop {
        let heard = match wait(&mut requests, &mut draining, seat.as_ref()).await {
            Next::Message(message) => match &seat {
                Some(seat) => hear(&doors, caller, seat, *message),
                None => match open(&doors, caller, *message) {
                    Ok(Opened::Seat(taken, response)) => {
                        seat = Some(taken);
                        Heard::Respond(response)
                    }
                    Ok(Opened::Answered(assessed)) => {
                        let last = last_response(assessed, 0).await;
                        let _ = replies.send(Box::new(last.map_err(Status::from))).await;
                        return;
                    }
                    Err(refusal @ (Refusal::Overloaded { .. } | Refusal::Unavailable { .. })) => {
                        Heard::End(refusal.into())
                    }
                    Err(refusal) => Heard::Respond(Box::new(refused(0, &refusal))),
                },
            },
            Next::Done => Heard::Close,
            Next::Broken(status) => Heard::End(status),
            Next::Woken => match seat.as_ref().and_then(Seat::taken) {
                Some(status) => Heard::End(status),
                None => continue,
            },
            Next::Draining => {
                let last = match &seat {
                    Some(seat) => close(&doors, seat).await,
                    None => Ok(None),
                };
                if let Some(last) = last.ok().flatten() {
                    let _ = replies.send(Box::new(Ok(last))).await;
                }
                let description =
                    "is draining, and has closed this session: open the rest of it by an event of its own";
                let refusal = Refusal::Unavailable { description: description.into(), retry_after: RETRY_AFTER };
                let _ = replies.send(Box::new(Err(refusal.into()))).await;
                return;
            }
        };
        let response = match heard {
            Heard::Respond(response) => *response,
            Heard::End(status) => {
                if let Some(seat) = &seat {
                    seat.leave(doors.now());
                }
                let _ = replies.send(Box::new(Err(status))).await;
                return;
            }
            Heard::Close => {
                let Some(seat) = &seat else { return };
                match close(&doors, seat).await {
                    Ok(Some(last)) => {
                        let _ = replies.send(Box::new(Ok(last))).await;
                        return;
                    }
                    Ok(None) => {
                        let status = seat.taken().unwrap_or_else(|| Status::aborted("the session has ended"));
                        let _ = replies.send(Box::new(Err(status))).await;
                        return;
                    }
                    // The session is as it was: the client may close again, here or by another stream.
                    Err(refusal) => refused(acknowledged(seat), &refusal),
                }
            }
        };
        if replies.send(Box::new(Ok(response))).await.is_err() {
            if let Some(seat) = &seat {
                seat.leave(doors.now());
            }
            return;
        }
    }
}

/// Waits for the next thing to happen to a stream.
async fn wait(
    requests: &mut Streaming<wire::MonitorSessionRequest>,
    draining: &mut watch::Receiver<bool>,
    seat: Option<&Seat>,
) -> Next {
    let woken = async {
        match seat {
            Some(seat) => {
                let notified = seat.session.woken.notified();
                tokio::pin!(notified);
                // Enabled before the look, or a change between look and wait would be slept through.
                notified.as_mut().enable();
                if seat.taken().is_none() {
                    notified.await;
                }
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        message = requests.message() => match message {
            Ok(Some(message)) => Next::Message(Box::new(message)),
            Ok(None) => Next::Done,
            Err(status) => Next::Broken(status),
        },
        _ = draining.wait_for(|draining| *draining) => Next::Draining,
        () = woken => Next::Woken,
        () = tokio::time::sleep(Duration::from_secs(limits::MONITOR_IDLE_SECONDS)) => Next::Done,
    }
}

fn acknowledged(seat: &Seat) -> u64 {
    match &lock(&seat.session.state).stage {
        Stage::Open(live) => live.acknowledged(),
        Stage::Closed | Stage::Erased => 0,
    }
}

fn refused(acknowledged_sequence_number: u64, refusal: &Refusal) -> wire::MonitorSessionResponse {
    let outcome = Some(Outcome::Error(refusal.status()));
    wire::MonitorSessionResponse { acknowledged_sequence_number, outcome }
}

/// Closes a seat's session and waits until its last verdict is on disk. `None` when it had ended already.
async fn close(doors: &Doors, seat: &Seat) -> Result<Option<wire::MonitorSessionResponse>, Refusal> {
    let acknowledged = acknowledged(seat) + 1;
    match seat.session.close(doors) {
        None => Ok(None),
        Some(outcome) => settle(outcome, acknowledged).await.map(Some),
    }
}

/// Waits until a last verdict is on disk and counts what became of the session.
async fn settle(outcome: Result<Closed, Failure>, acknowledged: u64) -> Result<wire::MonitorSessionResponse, Refusal> {
    let Closed { assessed, received } = outcome?;
    let last = last_response(assessed, acknowledged).await;
    if let Some(received) = received {
        received.settle(last.is_ok());
    }
    last
}

async fn last_response(
    assessed: Assessed,
    acknowledged_sequence_number: u64,
) -> Result<wire::MonitorSessionResponse, Refusal> {
    let Assessed { verdict, replayed, durable } = assessed;
    durable.await.map_err(Failure::Store)?;
    let outcome = Some(Outcome::Verdict(reply::verdict(&verdict, replayed)));
    Ok(wire::MonitorSessionResponse { acknowledged_sequence_number, outcome })
}

/// Acknowledges, with a provisional verdict when one is due.
fn look(doors: &Doors, tenant: TenantId, live: &mut Live) -> wire::MonitorSessionResponse {
    let outcome = match doors.pipeline.look(tenant, live, doors.now()) {
        Ok(verdict) => live.due(verdict.risk_level).then(|| {
            let provisional = wire::Verdict { provisional: true, ..reply::verdict(&verdict, false) };
            Outcome::Verdict(provisional)
        }),
        Err(failure) => Some(Outcome::Error(Refusal::from(failure).status())),
    };
    live.trim();
    wire::MonitorSessionResponse { acknowledged_sequence_number: live.acknowledged(), outcome }
}

/// Takes the first message: opens a session, or goes on with one.
fn open(doors: &Doors, caller: Caller, message: wire::MonitorSessionRequest) -> Result<Opened, Refusal> {
    let wire::MonitorSessionRequest { sequence_number, chunk, chunk_time } = message;
    let outcome = opening(doors, caller, sequence_number, chunk, chunk_time)
        .and_then(|(submission, time, interval)| seat(doors, caller.tenant, submission, time, interval));
    // Load shed and sessions gone on with are no sessions received; a refused opening is.
    match &outcome {
        Err(Refusal::Overloaded { .. } | Refusal::Unavailable { .. }) | Ok(_) => {}
        Err(_) => {
            doors.counts.receive().settle(false);
        }
    }
    outcome
}

/// Checks an opening: every violation at once.
fn opening(
    doors: &Doors,
    caller: Caller,
    sequence_number: u64,
    chunk: Option<WireChunk>,
    chunk_time: Option<wire::Timestamp>,
) -> Result<(Submission, EventTime, i64), Refusal> {
    let Some(WireChunk::Open(open)) = chunk else {
        return Err(Refusal::field("open", "is required: the first message opens the session, with number 0"));
    };
    if sequence_number != 0 {
        return Err(Refusal::SequenceBroken { expected: 0 });
    }
    let rules = rules(doors, caller);
    let mut violations = Violations::default();
    let v = &mut violations;
    let interval = open.min_verdict_interval;
    let interval = interval.map(|span| DurationUnchecked { seconds: span.seconds, nanos: span.nanos });
    let interval = check_verdict_interval(interval, "open.min_verdict_interval", v);
    let profile_update = wire::ProfileUpdate::try_from(open.profile_update).ok();
    if profile_update.is_none() {
        let choices = "send PROFILE_UPDATE_IF_TRUSTED, _ALWAYS or _NEVER, or leave it out";
        v.add("open.profile_update", format!("has the unknown value {}: {choices}", open.profile_update));
    }
    let Some(message) = open.event else {
        v.add("open.event", "is required: send the session as known at its start");
        return Err(Refusal::Invalid(violations));
    };
    let content_hash = convert::content_hash(&message);
    let event = convert::event(message).check("open.event", &rules, v);
    let begin = event.as_ref().map_or(EventTime(i64::MAX), |event| event.samples.time);
    let time = check_chunk_time(chunk_time.map(convert::timestamp), begin, EventTime(i64::MIN), &rules, v);
    match (event, time, interval, profile_update) {
        (Some(event), Some(time), Some(interval), Some(profile_update)) if violations.none() => {
            let update = update(profile_update);
            let time = time.max(begin);
            Ok((Submission { event, content_hash, update, model_id: String::new() }, time, interval))
        }
        _ => Err(Refusal::Invalid(violations)),
    }
}

fn rules(doors: &Doors, caller: Caller) -> Rules {
    Rules { now: Some(doors.now()), secret_typing_allowed: caller.secret_typing_allowed, tables: caller.tables }
}

/// Seats a stream at the session of a checked opening: a live one, a new one, or the last verdict of an ended one.
fn seat(
    doors: &Doors,
    tenant: TenantId,
    submission: Submission,
    time: EventTime,
    interval: i64,
) -> Result<Opened, Refusal> {
    let key = (tenant, submission.event.event_id.clone());
    if let Some(session) = doors.monitors.find(&key)
        && let Some(opened) = resume(doors, session, &submission)?
    {
        return Ok(opened);
    }
    if doors.pipeline.store().verdict(tenant, &key.1).map_err(Failure::Store)?.is_some() {
        // Known by now: answered as it was, or refused for other content.
        return Ok(Opened::Answered(doors.pipeline.assess(tenant, &submission, doors.now())?));
    }
    make_room(doors)?;
    let live = doors.pipeline.open(tenant, submission, time, interval, doors.now())?;
    let session = Session::new(tenant, live);
    // Held from before others can find it until it has been looked at.
    let mut state = lock(&session.state);
    let Some(()) = doors.monitors.enter(&session) else {
        return Err(Refusal::Overloaded { retry_after: RETRY_AFTER });
    };
    state.received = Some(doors.counts.receive());
    let Stage::Open(live) = &mut state.stage else { return Err(Refusal::Overloaded { retry_after: RETRY_AFTER }) };
    let response = Box::new(look(doors, tenant, live));
    drop(state);
    Ok(Opened::Seat(Seat { session, holder: 0 }, response))
}

/// Goes on with a live session. `None` when it ended just now.
fn resume(doors: &Doors, session: Arc<Session>, submission: &Submission) -> Result<Option<Opened>, Refusal> {
    let mut state = lock(&session.state);
    let holder = state.holder + 1;
    let Stage::Open(live) = &mut state.stage else { return Ok(None) };
    if live.content_hash() != submission.content_hash {
        let (event_id, first_assess_time) = (live.event_id().into(), live.opened());
        return Err(Refusal::EventIdReused { event_id, first_assess_time });
    }
    live.ask();
    let response = Box::new(look(doors, session.key.0, live));
    state.holder = holder;
    state.broken = None;
    drop(state);
    session.woken.notify_waiters();
    Ok(Some(Opened::Seat(Seat { session, holder }, response)))
}

/// Makes room for one more session by closing the one that has waited longest for its client.
fn make_room(doors: &Doors) -> Result<(), Refusal> {
    if !doors.monitors.full() {
        return Ok(());
    }
    for (_, session) in doors.monitors.waiting() {
        match session.close(doors) {
            // Its verdict is on its way to disk; nobody waits for it here.
            Some(Ok(closed)) => {
                if let Some(received) = closed.received {
                    received.settle(true);
                }
                return Ok(());
            }
            // A store that fails leaves the session where it is, so no room was made.
            Some(Err(Failure::Store(_))) | None => {}
            Some(Err(_)) => return Ok(()),
        }
    }
    Err(Refusal::Overloaded { retry_after: RETRY_AFTER })
}

/// Takes a later message.
fn hear(doors: &Doors, caller: Caller, seat: &Seat, message: wire::MonitorSessionRequest) -> Heard {
    let wire::MonitorSessionRequest { sequence_number, chunk, chunk_time } = message;
    let mut state = lock(&seat.session.state);
    if let Some(status) = seat.end_of(&state) {
        return Heard::End(status);
    }
    let Stage::Open(live) = &mut state.stage else {
        return Heard::End(Status::aborted("the session has ended"));
    };
    let respond = |response| Heard::Respond(Box::new(response));
    let closes = matches!(chunk, Some(WireChunk::Close(_)));
    match live.place(sequence_number) {
        Place::Next => {}
        Place::Known if reopens(&chunk, live) => {
            let refusal =
                Refusal::field("open", "names another event: one stream follows one session, so open another");
            return respond(refused(live.acknowledged(), &refusal));
        }
        Place::Known if !closes => {
            return respond(wire::MonitorSessionResponse {
                acknowledged_sequence_number: live.acknowledged(),
                outcome: None,
            });
        }
        Place::Known | Place::Gap { .. } => {
            let expected = live.acknowledged() + 1;
            return respond(refused(live.acknowledged(), &Refusal::SequenceBroken { expected }));
        }
    }
    if closes {
        return Heard::Close;
    }
    let rules = rules(doors, caller);
    let mut violations = Violations::default();
    let chunk = match chunk.map(samples) {
        None => {
            violations.add("chunk", "is required: set one of its fields, such as `typing` or `close`");
            None
        }
        Some(None) => {
            violations.add("open", "comes first and once: the session is open, so send samples or close it");
            None
        }
        Some(Some(chunk)) => chunk.check(&rules, &mut violations),
    };
    let chunk_time = chunk_time.map(convert::timestamp);
    let time = check_chunk_time(chunk_time, live.opened(), live.latest(), &rules, &mut violations);
    match (chunk, time) {
        (Some(chunk), Some(time)) if violations.none() => {
            live.take(chunk, time);
            respond(look(doors, seat.session.key.0, live))
        }
        _ => {
            live.pass();
            respond(refused(live.acknowledged(), &Refusal::Invalid(violations)))
        }
    }
}

/// Whether a chunk opens another session than the one it comes to.
fn reopens(chunk: &Option<WireChunk>, live: &Live) -> bool {
    match chunk {
        Some(WireChunk::Open(open)) => {
            open.event.as_ref().is_none_or(|event| convert::content_hash(event) != live.content_hash())
        }
        _ => false,
    }
}

/// The samples of a chunk; `None` when it opens or closes.
pub fn samples(chunk: WireChunk) -> Option<ChunkUnchecked> {
    Some(match chunk {
        WireChunk::Typing(sample) => ChunkUnchecked::Typing(convert::typing(sample)),
        WireChunk::RemoteInput(sample) => ChunkUnchecked::RemoteInput(Box::new(convert::remote_input(sample))),
        WireChunk::Network(sample) => ChunkUnchecked::Network(Box::new(convert::network(sample))),
        WireChunk::Timezone(sample) => ChunkUnchecked::Timezone(convert::timezone(sample)),
        WireChunk::Device(sample) => ChunkUnchecked::Device(convert::device(sample)),
        WireChunk::Pointer(sample) => ChunkUnchecked::Pointer(convert::pointer(sample)),
        WireChunk::Challenge(sample) => ChunkUnchecked::Challenge(convert::challenge(sample)),
        WireChunk::Cadence(table) => ChunkUnchecked::Cadence(convert::cadence(table)),
        WireChunk::Open(_) | WireChunk::Close(_) => return None,
    })
}

/// Closes, until the service drains, sessions that have waited for their client in vain.
pub async fn sweep_regularly(doors: Arc<Doors>) {
    let mut draining = doors.draining();
    let mut times = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            _ = times.tick() => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
        let now = doors.now();
        sweep(&doors, EventTime(now.0.saturating_sub(limits::MONITOR_RESUME_MICROS))).await;
    }
}

/// Closes sessions whose stream broke up to `before`.
async fn sweep(doors: &Doors, before: EventTime) {
    for (since, session) in doors.monitors.waiting() {
        if since > before {
            break;
        }
        let Some(outcome) = session.close(doors) else { continue };
        if let Err(refusal) = settle(outcome, 0).await {
            warn!(%refusal, "a monitored session could not be closed");
        }
    }
}

/// Closes every session that is left, as the service ends. What the store refuses now is a counted drop.
pub async fn close_all(doors: &Doors) {
    for session in doors.monitors.all() {
        let Some(outcome) = session.close(doors) else { continue };
        if let Err(refusal) = settle(outcome, 0).await {
            warn!(%refusal, "a monitored session could not be closed");
        }
        drop(lock(&session.state).received.take());
        session.woken.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
