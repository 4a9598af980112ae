//! Whatever becomes of a session, it is counted once: live sessions that break, go on and are left behind, streams of
//! very many very small chunks, and a service told to stop in the middle of its work.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::live::{Road, Session, open, typed, verdict};
use common::{MONDAY, Running, login, start, start_with};
use elsewhere::api::server::Ended;
use elsewhere::api::wire;
use elsewhere::api::wire::monitor_session_request::Chunk;
use elsewhere::api::wire::monitor_session_response::Outcome;
use elsewhere::config::ConfigUnchecked;
use elsewhere::event::limits;
use std::time::Duration;

/// Sessions received, verdicts, refusals and drops; the last three add up to the first.
fn counts(ended: Ended) -> [u64; 4] {
    assert!(ended.drained, "{ended:?}");
    let counts = [ended.received_count, ended.verdict_count, ended.refusal_count, ended.drop_count];
    assert_eq!(counts[0], counts[1..].iter().sum::<u64>(), "{ended:?}");
    counts
}

async fn refused(service: &Running, chunk: Chunk) {
    let mut session = Session::over(service.channel.clone()).await;
    let reply = session.say(0, MONDAY, chunk).await;
    assert!(matches!(reply.outcome, Some(Outcome::Error(_))), "{reply:?}");
}

/// A session over a connection of its own, opened or gone on with.
async fn over_a_road(service: &Running, event: wire::SessionEvent) -> (Session, Road) {
    let road = Road::to(service).await;
    let mut session = Session::over(road.channel.clone()).await;
    let reply = session.say(0, MONDAY, open(event)).await;
    assert!(verdict(&reply).provisional);
    (session, road)
}

#[tokio::test]
async fn a_live_session_is_counted_once_however_often_its_stream_breaks() {
    let config = ConfigUnchecked { monitored_sessions_max: 3, ..ConfigUnchecked::default() };
    let service = start_with(config, None).await;
    let event = |name: &str| login(name, name, MONDAY, 1);

    // Refused at the opening: two sessions, two refusals. Refused chunks of an open one are none.
    refused(&service, open(login("", "w", MONDAY, 1))).await;
    refused(&service, typed(5, 1)).await;
    let (mut session, mut road) = over_a_road(&service, event("broken")).await;
    session.say(1, MONDAY + 1, typed(30, 1)).await;
    let reply = session.say(2, MONDAY + 2, typed(0, 1)).await;
    assert!(matches!(reply.outcome, Some(Outcome::Error(_))), "a sample of nothing: {reply:?}");

    // Broken and gone on with, three times, chunks sent again each time; then taken over by a newer stream.
    for turn in 0..3 {
        road.cut();
        assert!(session.replies.message().await.is_err(), "the road is cut");
        (session, road) = over_a_road(&service, event("broken")).await;
        session.say(1, MONDAY + 1, typed(30, 1)).await;
        session.say(3 + turn, MONDAY + 3 + turn as i64, typed(30, 2)).await;
    }
    let newer = Session::opened(&service, event("broken")).await;
    assert_eq!(session.end().await.code(), tonic::Code::Aborted);
    assert!(!newer.close(6).await.replayed);
    // Opened again, it is answered as it was: no other session.
    let mut again = Session::over(service.channel.clone()).await;
    let last = verdict(&again.say(0, MONDAY, open(event("broken"))).await);
    assert!(last.replayed && !last.provisional);

    // Left behind: one makes room for another, the rest wait until the service ends.
    for name in ["left-1", "left-2", "left-3"] {
        let (_session, road) = over_a_road(&service, event(name)).await;
        road.cut();
    }
    // The service learns a little later that the streams have gone.
    for turn in 0.. {
        let mut session = Session::over(service.channel.clone()).await;
        session.send(0, MONDAY, open(event("fourth"))).await;
        match session.replies.message().await {
            Ok(Some(_)) => break,
            other => assert!(turn < 100, "no room was made: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Received: two refused, the broken one, three left behind, the fourth. The ends of all but the refused are verdicts.
    assert_eq!(counts(service.ended().await), [7, 5, 2, 0]);
}

/// As many chunks as a client that sends each press by itself sends in some days of work.
const TINY_CHUNKS: u64 = 4_000;

#[tokio::test(flavor = "multi_thread")]
async fn very_many_very_small_chunks_are_each_answered_and_one_session() {
    let service = start().await;
    let mut session = Session::opened(&service, login("m1", "w1", MONDAY, 1)).await;
    let say = session.say.clone();
    let sending = tokio::spawn(async move {
        for number in 1..=TINY_CHUNKS {
            let chunk_time = common::time(MONDAY + number as i64);
            let chunk = Some(typed(1, number as u32));
            let message = wire::MonitorSessionRequest { sequence_number: number, chunk_time, chunk };
            say.send(message).await.expect("room");
        }
    });
    for number in 1..=TINY_CHUNKS {
        let reply = session.replies.message().await.expect("a response").expect("a response");
        assert_eq!(reply.acknowledged_sequence_number, number);
        assert!(!matches!(reply.outcome, Some(Outcome::Error(_))), "{reply:?}");
    }
    sending.await.expect("sent");
    let last = session.close(TINY_CHUNKS + 1).await;
    let kept = last.families.iter().map(|family| family.sample_count as usize).max().expect("a family");
    assert!(kept <= limits::MONITOR_PRESSES_KEPT.max(limits::PRESSES_MAX), "{kept}");
    assert_eq!(counts(service.ended().await), [1, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_stream_that_is_not_read_holds_its_sender_and_goes_on_over_another() {
    let service = start().await;
    let road = Road::to(&service).await;
    let mut session = Session::over(road.channel.clone()).await;
    // A verdict with every chunk: what is not read shall weigh something.
    let min_verdict_interval = Some(wire::Duration { seconds: 1, nanos: 0 });
    let event = || login("m1", "w1", MONDAY, 1);
    let opening = wire::MonitorOpen { event: Some(event()), min_verdict_interval, profile_update: 0 };
    session.say(0, MONDAY, Chunk::Open(opening)).await;
    let mut sent = 0_u64;
    // Responses ahead, and what the windows of HTTP/2 hold; then nothing more is taken.
    let held = loop {
        let chunk_time = common::time(MONDAY + 10 * (sent as i64 + 1));
        let message = wire::MonitorSessionRequest { sequence_number: sent + 1, chunk_time, chunk: Some(typed(500, 1)) };
        match tokio::time::timeout(Duration::from_secs(3), session.say.send(message)).await {
            Ok(outcome) => outcome.expect("an open stream"),
            Err(_) => break true,
        }
        sent += 1;
        if sent == 8_000 {
            break false;
        }
    };
    assert!(held, "{sent} chunks were taken though no response was read");
    road.cut();
    drop(session);
    let mut again = Session::over(service.channel.clone()).await;
    let reply = again.say(0, MONDAY, open(event())).await;
    let taken = reply.acknowledged_sequence_number;
    assert!(taken >= 1 && taken <= sent, "{taken} of {sent}");
    again.close(taken + 1).await;
    assert_eq!(counts(service.ended().await), [1, 1, 0, 0]);
}
