//! MonitorSession: a live session over one stream or several, each message answered by one response.
//!
//! What a session is stands in [`crate::pipeline::Live`]; here are the streams that feed it. A session outlives its
//! stream: one that breaks or is cancelled leaves it waiting for [`limits::MONITOR_RESUME_MICROS`], and an open with
//! the same event goes on where it stood. It ends by `close`, by the client ending its side, by waiting in vain, by a
//! drain (each with a last verdict, learned from once) or by erasure of the worker (without a trace).
//!
//! Worked example: messages 0 (open) and 1 are answered, the connection dies at 2. The client opens anew: the answer
//! acknowledges 1 with a provisional verdict. It resends 1 (acknowledged, ignored) and 2 (taken), then closes with 3
//! and gets the verdict that `GetVerdict` returns from then on.

mod opening;
mod sessions;

use super::convert;
use super::doors::Doors;
use super::refusal::Refusal;
use super::reply;
use super::tenant::Caller;
use super::wire::monitor_session_request::Chunk as WireChunk;
use super::wire::{self, monitor_session_response::Outcome};
use crate::event::chunk::check_chunk_time;
use crate::event::{ChunkUnchecked, EventTime, Rules, Violations, limits};
use crate::history::TenantId;
use crate::pipeline::live::Place;
use crate::pipeline::{Assessed, Failure, Live};
use opening::{Opened, open};
pub use sessions::Monitors;
use sessions::{Closed, Seat, Stage, lock};
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

fn rules(doors: &Doors, caller: Caller) -> Rules {
    Rules { now: Some(doors.now()), secret_typing_allowed: caller.secret_typing_allowed, tables: caller.tables }
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
        Some(Some(mut chunk)) => {
            if let ChunkUnchecked::Network(network) = &mut chunk {
                doors.addresses.tell(network);
            }
            chunk.check(&rules, &mut violations)
        }
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
