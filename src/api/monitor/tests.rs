//! What time does to sessions whose client stays away.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use super::*;
use crate::api::tenant::Callers;
use crate::config::ConfigUnchecked;
use crate::history::{Clock, Config as Retention, MemoryStore};
use crate::model::Model;
use crate::pipeline::{Models, Pipeline, SharedStore};
use tonic::metadata::MetadataMap;

const MONDAY: i64 = 1_772_463_600;

fn doors() -> (Doors, Caller) {
    let day = 86_400_000_000;
    let retention = Retention::check(Clock::Service, 30 * day, 400 * day).expect("a sound retention");
    let store: SharedStore = Arc::new(MemoryStore::new(retention));
    let models = Models::new(vec![Model::shipped().expect("the shipped model")], None).expect("one model");
    let config = ConfigUnchecked::default().check().expect("a sound configuration");
    let callers = Callers::new(&config, &store).expect("room for a tenant");
    let (_, draining) = watch::channel(false);
    let doors = Doors::new(Pipeline::new(store, models), callers, 8, 4, 400 * day, draining);
    let (caller, _) = doors.enter(&MetadataMap::new()).expect("an open door");
    (doors, caller)
}

fn opened(doors: &Doors, caller: Caller, event_id: &str) -> Seat {
    let event = wire::SessionEvent {
        event_id: event_id.into(),
        worker_id: "w".into(),
        event_time: Some(wire::Timestamp { seconds: MONDAY, nanos: 0 }),
        activity: wire::SessionActivity::Logon as i32,
        ..Default::default()
    };
    let open_chunk = wire::MonitorOpen { event: Some(event), ..Default::default() };
    let message = wire::MonitorSessionRequest {
        sequence_number: 0,
        chunk_time: Some(wire::Timestamp { seconds: MONDAY, nanos: 0 }),
        chunk: Some(WireChunk::Open(open_chunk)),
    };
    match open(doors, caller, message) {
        Ok(Opened::Seat(seat, _)) => seat,
        Ok(Opened::Answered(_)) => panic!("answered before"),
        Err(refusal) => panic!("{refusal}"),
    }
}

#[tokio::test]
async fn a_session_waits_for_its_client_so_long_and_is_then_closed_with_a_verdict() {
    let (doors, caller) = doors();
    let (followed, left) = (opened(&doors, caller, "followed"), opened(&doors, caller, "left"));
    left.leave(EventTime(1_000));
    sweep(&doors, EventTime(999)).await;
    assert_eq!(doors.monitors.open_count(), 2);
    sweep(&doors, EventTime(1_000)).await;
    assert_eq!(doors.monitors.open_count(), 1);
    let store = doors.pipeline.store();
    assert!(store.verdict(caller.tenant, "left").expect("a readable store").is_some());
    assert!(store.verdict(caller.tenant, "followed").expect("a readable store").is_none());
    assert!(followed.taken().is_none());
    assert_eq!(left.taken().map(|status| status.code()), Some(tonic::Code::Unavailable));
}

#[tokio::test]
async fn a_stream_that_breaks_late_does_not_strand_the_one_that_took_over() {
    let (doors, caller) = doors();
    let older = opened(&doors, caller, "e");
    let newer = opened(&doors, caller, "e");
    older.leave(EventTime(1_000));
    sweep(&doors, EventTime(i64::MAX)).await;
    assert!(newer.taken().is_none());
    assert_eq!(older.taken().map(|status| status.code()), Some(tonic::Code::Aborted));
}

#[tokio::test]
async fn counts_add_up_whatever_becomes_of_a_session() {
    let (doors, caller) = doors();
    let closed = opened(&doors, caller, "closed");
    assert!(close(&doors, &closed).await.expect("a verdict").is_some());
    assert!(close(&doors, &closed).await.expect("no second verdict").is_none());
    opened(&doors, caller, "swept").leave(EventTime(1));
    sweep(&doors, EventTime(1)).await;
    opened(&doors, caller, "erased");
    doors.monitors.forget(caller.tenant, "w");
    opened(&doors, caller, "left-over");
    close_all(&doors).await;
    let counted = doors.counts.so_far();
    assert_eq!((counted.received, counted.verdicts, counted.refusals, counted.drops), (4, 3, 0, 1));
    assert_eq!(doors.monitors.open_count(), 0);
}
