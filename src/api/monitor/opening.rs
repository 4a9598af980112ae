//! The first message of a stream: a session opened, gone on with, or answered as it was.

use super::sessions::{Seat, Session, Stage, lock};
use super::{RETRY_AFTER, look, rules};
use crate::api::assess::{told, update};
use crate::api::convert;
use crate::api::doors::Doors;
use crate::api::refusal::Refusal;
use crate::api::tenant::Caller;
use crate::api::wire;
use crate::api::wire::monitor_session_request::Chunk as WireChunk;
use crate::event::chunk::{check_chunk_time, check_verdict_interval};
use crate::event::{DurationUnchecked, EventTime, Violations};
use crate::history::TenantId;
use crate::pipeline::{Assessed, Failure, Submission};
use std::sync::Arc;

/// What came of an opening.
pub(super) enum Opened {
    /// The session is open, with its acknowledgement.
    Seat(Seat, Box<wire::MonitorSessionResponse>),
    /// The event has its last verdict already.
    Answered(Assessed),
}

/// Takes the first message: opens a session, or goes on with one.
pub(super) fn open(doors: &Doors, caller: Caller, message: wire::MonitorSessionRequest) -> Result<Opened, Refusal> {
    let wire::MonitorSessionRequest { sequence_number, chunk, chunk_time } = message;
    let outcome = opening(doors, caller, sequence_number, chunk, chunk_time)
        .and_then(|(submission, time, interval)| seat(doors, caller.tenant, submission, time, interval));
    // Load shed and sessions gone on with are no sessions received; a refused opening is.
    match &outcome {
        Err(Refusal::Overloaded { .. } | Refusal::Unavailable { .. }) | Ok(_) => {}
        Err(_) => {
            doors.counts.receive_live().settle(false);
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
    let event = told(convert::event(message), &doors.addresses).check("open.event", &rules, v);
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
    state.received = Some(doors.counts.receive_live());
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
