//! At the edges, by a real client and a real server: messages and streams beyond their limits end in one clear error,
//! and whatever becomes of a session, it is counted once: `received = verdicts + refusals + drops`.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{MONDAY, Running, login, reason, request, start, start_with, time};
use elsewhere::api::server::Ended;
use elsewhere::api::wire;
use elsewhere::api::wire::assessment_result::Outcome;
use elsewhere::api::wire::monitor_session_request::Chunk;
use elsewhere::api::wire::profile_service_client::ProfileServiceClient;
use elsewhere::config::ConfigUnchecked;
use elsewhere::event::limits;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt as _;

fn streamed(event: wire::SessionEvent) -> wire::StreamAssessSessionsRequest {
    wire::StreamAssessSessionsRequest { event: Some(event), profile_update: 0 }
}

/// An event of more bytes than a message may have.
fn huge(event_id: &str) -> wire::SessionEvent {
    let mut event = login(event_id, "w1", MONDAY, 1);
    event.typing.as_mut().expect("typing").press_interval_micros = vec![1 << 28; limits::MESSAGE_BYTES_MAX / 4];
    event
}

fn tells_both_sizes(status: &Status) {
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    assert!(status.message().contains(&limits::MESSAGE_BYTES_MAX.to_string()), "{status}");
}

fn adds_up(ended: Ended) {
    assert!(ended.drained, "{ended:?}");
    assert_eq!(ended.received_count, ended.verdict_count + ended.refusal_count + ended.drop_count, "{ended:?}");
}

fn opening(event: wire::SessionEvent) -> wire::MonitorSessionRequest {
    let open = wire::MonitorOpen { event: Some(event), ..Default::default() };
    wire::MonitorSessionRequest { sequence_number: 0, chunk_time: time(MONDAY), chunk: Some(Chunk::Open(open)) }
}

fn closing(sequence_number: u64) -> wire::MonitorSessionRequest {
    let chunk = Some(Chunk::Close(wire::MonitorClose {}));
    wire::MonitorSessionRequest { sequence_number, chunk_time: None, chunk }
}

#[tokio::test]
async fn a_message_too_large_is_refused_with_both_sizes_on_every_road() {
    let service = start().await;
    tells_both_sizes(&service.risk().assess_session(request(huge("u"))).await.expect_err("too large"));
    let batch = wire::BatchAssessSessionsRequest { events: vec![huge("b")], ..Default::default() };
    tells_both_sizes(&service.risk().batch_assess_sessions(batch).await.expect_err("too large"));

    // A stream answers what came before, says why it ends, and ends.
    let requests = tokio_stream::iter([streamed(login("s1", "w1", MONDAY, 1)), streamed(huge("s2"))]);
    let mut results = service.risk().stream_assess_sessions(requests).await.expect("a stream").into_inner();
    let first = results.message().await.expect("a result").expect("a result").result.expect("a result");
    assert!(matches!(first.outcome, Some(Outcome::Verdict(_))), "{first:?}");
    tells_both_sizes(&results.message().await.expect_err("too large"));

    // A live session outlives the stream that broke, and goes on over another.
    let (say, said) = mpsc::channel(4);
    let mut replies = service.risk().monitor_session(ReceiverStream::new(said)).await.expect("a stream").into_inner();
    say.send(opening(login("m1", "w1", MONDAY, 1))).await.expect("room");
    assert!(replies.message().await.expect("a reply").is_some());
    let typing = huge("m1").typing.expect("typing");
    let chunk = Some(Chunk::Typing(typing));
    say.send(wire::MonitorSessionRequest { sequence_number: 1, chunk_time: time(MONDAY + 1), chunk })
        .await
        .expect("room");
    tells_both_sizes(&replies.message().await.expect_err("too large"));
    let again = tokio_stream::iter([opening(login("m1", "w1", MONDAY, 1)), closing(1)]);
    let mut replies = service.risk().monitor_session(again).await.expect("a stream").into_inner();
    let mut last = None;
    while let Some(reply) = replies.message().await.expect("a reply") {
        last = reply.outcome;
    }
    let Some(wire::monitor_session_response::Outcome::Verdict(last)) = last else { panic!("no verdict") };
    assert!(!last.provisional && !last.replayed);

    // What never was a message was never a session: s1 and m1 came, and both were answered.
    let ended = service.ended().await;
    adds_up(ended);
    assert_eq!((ended.received_count, ended.verdict_count), (2, 2));
}

#[tokio::test]
async fn an_endless_stream_that_is_not_read_holds_its_sender_and_loses_nothing() {
    let service = start().await;
    let (say, said) = mpsc::channel(1);
    let mut results =
        service.risk().stream_assess_sessions(ReceiverStream::new(said)).await.expect("a stream").into_inner();
    let mut sent = 0_u32;
    // Far more than fits between the two ends: 256 results ahead, twice, and what the windows of HTTP/2 hold.
    let held = loop {
        let event = login(&format!("s{sent}"), &format!("w{}", sent % 50), MONDAY + i64::from(sent), sent);
        match tokio::time::timeout(Duration::from_secs(3), say.send(streamed(event))).await {
            Ok(outcome) => outcome.expect("an open stream"),
            Err(_) => break true,
        }
        sent += 1;
        if sent == 8_000 {
            break false;
        }
    };
    assert!(held, "{sent} events were taken though no result was read");
    // Others are served meanwhile.
    service.risk().assess_session(request(login("other", "w", MONDAY, 1))).await.expect("a verdict");
    drop(say);
    let mut answered = 0;
    while let Some(response) = results.message().await.expect("a result") {
        assert!(matches!(response.result.expect("a result").outcome, Some(Outcome::Verdict(_))));
        answered += 1;
    }
    // The event whose sending was given up was never sent.
    assert_eq!(answered, sent);
    let ended = service.ended().await;
    adds_up(ended);
    assert_eq!(ended.verdict_count, u64::from(sent) + 1);
}

/// A stream of a live session; opening it takes a place among the calls only as long as that lasts.
async fn monitored(
    service: &Running,
    said: mpsc::Receiver<wire::MonitorSessionRequest>,
) -> Streaming<wire::MonitorSessionResponse> {
    service.risk().monitor_session(ReceiverStream::new(said)).await.expect("a stream").into_inner()
}

#[tokio::test]
async fn streams_count_among_the_calls_in_flight_and_live_sessions_do_not() {
    let service = start_with(ConfigUnchecked { in_flight_max: 2, ..ConfigUnchecked::default() }, None).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let (say, said) = mpsc::channel(1);
        let results = service.risk().stream_assess_sessions(ReceiverStream::new(said)).await.expect("a stream");
        open.push((say, results));
    }
    let (_say, said) = mpsc::channel(1);
    let third = service.risk().stream_assess_sessions(ReceiverStream::new(said)).await.expect_err("shed");
    assert_eq!((third.code(), reason(&third).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert!(third.get_error_details().retry_info().is_some());
    drop(open);
    // The places come back with the streams; how soon is the transport's affair.
    for turn in 0.. {
        match service.risk().assess_session(request(login("e0", "w1", MONDAY, 1))).await {
            Ok(_) => break,
            Err(status) if turn < 100 && reason(&status) == "OVERLOADED" => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(status) => panic!("{status}"),
        }
    }
    // More live sessions than calls may be in flight.
    let mut taken = Vec::new();
    for index in 0..4 {
        let (say, said) = mpsc::channel(1);
        let mut replies = monitored(&service, said).await;
        say.send(opening(login(&format!("m{index}"), "w1", MONDAY, 1))).await.expect("room");
        assert!(replies.message().await.expect("a reply").is_some());
        taken.push((say, replies));
    }
    assert!(service.risk().assess_session(request(login("e1", "w1", MONDAY, 1))).await.is_ok());
    drop(taken);
    adds_up(service.ended().await);
}

#[tokio::test]
async fn a_batch_refused_as_a_whole_refuses_each_of_its_events() {
    let service = start().await;
    let many = (0..=limits::BATCH_EVENTS_MAX).map(|index| login(&format!("m{index}"), "w", MONDAY, 1)).collect();
    let batch = wire::BatchAssessSessionsRequest { events: many, ..Default::default() };
    let status = service.risk().batch_assess_sessions(batch).await.expect_err("too many");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "TOO_MANY_ITEMS"));
    let events = vec![login("u1", "w", MONDAY, 1)];
    let batch = wire::BatchAssessSessionsRequest { events, profile_update: 99, ..Default::default() };
    assert_eq!(reason(&service.risk().batch_assess_sessions(batch).await.expect_err("unknown")), "INVALID_FIELDS");
    let empty = wire::BatchAssessSessionsRequest::default();
    assert_eq!(reason(&service.risk().batch_assess_sessions(empty).await.expect_err("empty")), "INVALID_FIELDS");
    let ended = service.ended().await;
    adds_up(ended);
    assert_eq!((ended.received_count, ended.refusal_count), (1_002, 1_002));
}

#[tokio::test]
async fn every_session_answered_is_counted_once_on_every_road() {
    let service = start().await;
    let mut risk = service.risk();
    // Alone: good, bad, repeated, its name used again for another.
    risk.assess_session(request(login("e1", "w1", MONDAY, 1))).await.expect("a verdict");
    risk.assess_session(request(login("e1", "w1", MONDAY, 1))).await.expect("the same verdict");
    risk.assess_session(request(login("e1", "w1", MONDAY, 2))).await.expect_err("a reused name");
    risk.assess_session(request(login("e 2", "w1", MONDAY, 2))).await.expect_err("a bad name");
    risk.assess_session(wire::AssessSessionRequest::default()).await.expect_err("no event");
    // In a batch: two good, one of them known, one bad.
    let events = vec![login("b1", "w2", MONDAY, 1), login("e1", "w1", MONDAY, 1), wire::SessionEvent::default()];
    let batch = wire::BatchAssessSessionsRequest { events, ..Default::default() };
    risk.batch_assess_sessions(batch).await.expect("results");
    // In a stream: two good, one bad.
    let stream = ["s1", "s2", ""].map(|event_id| streamed(login(event_id, "w3", MONDAY, 1)));
    let mut results = risk.stream_assess_sessions(tokio_stream::iter(stream)).await.expect("a stream").into_inner();
    while results.message().await.expect("a result").is_some() {}
    // Monitored: closed by a message, by ending the side, refused at the opening, erased, left open at the end.
    let mut left = Vec::new();
    for (event_id, worker_id) in [("m1", "w4"), ("m2", "w5"), ("", "w6"), ("m4", "erased"), ("m5", "w7")] {
        let (say, said) = mpsc::channel(4);
        let mut replies = risk.monitor_session(ReceiverStream::new(said)).await.expect("a stream").into_inner();
        say.send(opening(login(event_id, worker_id, MONDAY, 1))).await.expect("room");
        assert!(replies.message().await.expect("a reply").is_some());
        match event_id {
            "m1" => say.send(closing(1)).await.expect("room"),
            "m2" => drop(say),
            _ => {
                left.push((say, replies));
                continue;
            }
        }
        while replies.message().await.expect("a reply").is_some() {}
    }
    let mut profiles = ProfileServiceClient::new(service.channel.clone());
    profiles.delete_profile(wire::DeleteProfileRequest { worker_id: "erased".into() }).await.expect("an erasure");
    let ended = service.ended().await;
    adds_up(ended);
    let alone = (2, 3);
    let (batch, stream, monitored) = ((2, 1), (2, 1), (3, 1));
    let expected = [alone, batch, stream, monitored];
    assert_eq!(ended.verdict_count, expected.iter().map(|(verdicts, _)| verdicts).sum::<u64>(), "{ended:?}");
    assert_eq!(ended.refusal_count, expected.iter().map(|(_, refusals)| refusals).sum::<u64>(), "{ended:?}");
    assert_eq!(ended.drop_count, 1, "the erased one");
}

#[tokio::test]
async fn a_session_dropped_by_its_deadline_or_its_caller_is_a_counted_drop() {
    let service = start().await;
    let (mut told, mut unheard) = (0_u64, 0_u64);
    // Batches under deadlines from hopeless to comfortable: received and cut, or answered.
    for (turn, millis) in [1, 10, 30, 60, 100, 150, 200, 20_000].into_iter().enumerate() {
        let events = (0..600).map(|index| login(&format!("d{turn}-{index}"), &format!("w{index}"), MONDAY, index));
        let mut batch =
            Request::new(wire::BatchAssessSessionsRequest { events: events.collect(), ..Default::default() });
        batch.set_timeout(Duration::from_millis(millis));
        match service.risk().batch_assess_sessions(batch).await {
            Ok(results) => told += results.into_inner().results.len() as u64,
            Err(_) => unheard += 600,
        }
    }
    // Calls given up by their callers while they run.
    for turn in 0..20 {
        let mut risk = service.risk();
        let call = risk.assess_session(request(login(&format!("c{turn}"), "w1", MONDAY, turn)));
        match tokio::time::timeout(Duration::from_micros(u64::from(turn) * 200), call).await {
            Ok(outcome) => {
                outcome.expect("a verdict");
                told += 1;
            }
            Err(_) => unheard += 1,
        }
    }
    // Streams whose callers go away in the middle, and a live session whose caller does.
    for turn in 0..5 {
        let events: Vec<_> = (0..300).map(|index| login(&format!("t{turn}-{index}"), "w1", MONDAY, index)).collect();
        let requests = tokio_stream::iter(events.into_iter().map(streamed));
        let mut results = service.risk().stream_assess_sessions(requests).await.expect("a stream").into_inner();
        for _ in 0..turn * 10 {
            assert!(results.message().await.expect("a result").is_some());
            told += 1;
        }
        unheard += 300 - turn * 10;
    }
    let requests = tokio_stream::iter([opening(login("m1", "w1", MONDAY, 1))]);
    drop(service.risk().monitor_session(requests).await.expect("a stream"));
    unheard += 1;
    let ended = service.ended().await;
    adds_up(ended);
    assert!(ended.drop_count > 0, "{ended:?}");
    assert_eq!(ended.refusal_count, 0);
    // Some verdicts were on their way when nobody listened any more; none that was heard is missing.
    assert!((told..=told + unheard).contains(&ended.verdict_count), "{told} told, {unheard} unheard, {ended:?}");
}
