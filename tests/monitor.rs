//! Live sessions by a real client and a real server: verdicts while they last, broken streams, refusals, drain and
//! erasure. Time comes from the chunks, so nothing here waits for a clock. What sessions tell stands in `live_told.rs`.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::live::{Road, Session, open, typed, verdict};
use common::{MONDAY, Running, login, request, start, start_with, time};
use elsewhere::api::wire;
use elsewhere::api::wire::monitor_session_request::Chunk;
use elsewhere::api::wire::monitor_session_response::Outcome;
use elsewhere::api::wire::profile_service_client::ProfileServiceClient;
use elsewhere::config::ConfigUnchecked;
use elsewhere::event::limits;
use tonic::Code;

/// Reason and violated fields of a refused message.
fn refusal(response: &wire::MonitorSessionResponse) -> (String, Vec<String>) {
    let Some(Outcome::Error(status)) = &response.outcome else { panic!("no error: {response:?}") };
    let json = serde_json::to_value(status).expect("JSON");
    let detail = |name: &str| {
        let details = json["details"].as_array().expect("details");
        details.iter().find(|detail| detail["@type"].as_str().is_some_and(|kind| kind.ends_with(name))).cloned()
    };
    let reason = detail("ErrorInfo").expect("an ErrorInfo")["reason"].as_str().expect("a reason").to_string();
    let violations = detail("BadRequest").map_or_else(Vec::new, |bad| {
        let fields = bad["fieldViolations"].as_array().expect("violations").clone();
        fields.iter().map(|one| one["field"].as_str().unwrap_or_default().to_string()).collect()
    });
    (reason, violations)
}

fn bare(response: &wire::MonitorSessionResponse) -> bool {
    response.outcome.is_none()
}

async fn sessions_learned(service: &Running, worker_id: &str) -> (u32, u32) {
    let mut profiles = ProfileServiceClient::new(service.channel.clone());
    let ask = wire::GetProfileRequest { worker_id: worker_id.into() };
    let Ok(reply) = profiles.get_profile(ask).await else { return (0, 0) };
    let profile = reply.into_inner().profile.expect("a profile");
    let standing = profile.standing.map_or(0, |standing| standing.session_count);
    (profile.maturity.expect("a maturity").session_count, standing)
}

#[tokio::test]
async fn a_session_gets_provisional_verdicts_and_one_that_lasts() {
    let service = start().await;
    for turn in 0..4 {
        let event = login(&format!("p{turn}"), "w1", MONDAY + i64::from(turn) * 3_600, turn);
        service.risk().assess_session(request(event)).await.expect("a verdict");
    }
    let start_time = MONDAY + 86_400;
    let mut session = Session::over(service.channel.clone()).await;
    let first = session.say(0, start_time, open(login("m1", "w1", start_time, 9))).await;
    assert_eq!(first.acknowledged_sequence_number, 0);
    let first = verdict(&first);
    assert_eq!((first.event_id.as_str(), first.provisional, first.replayed), ("m1", true, false));
    let ask = || wire::GetVerdictRequest { event_id: "m1".into() };
    assert_eq!(service.risk().get_verdict(ask()).await.expect_err("not yet").code(), Code::NotFound);

    for number in 1..=4_u32 {
        let reply = session.say(number.into(), start_time + i64::from(number), typed(60, number)).await;
        assert_eq!(reply.acknowledged_sequence_number, u64::from(number));
    }
    assert_eq!(sessions_learned(&service, "w1").await, (4, 4), "nothing is learned while the session lasts");
    let last = session.close(5).await;
    assert_eq!(sessions_learned(&service, "w1").await, (5, 5), "and once when it closes");
    let kept = service.risk().get_verdict(ask()).await.expect("a verdict").into_inner().verdict.expect("a verdict");
    assert_eq!(kept, last);
    let explained: f64 = last.base_log_odds
        + last.reasons.iter().map(|reason| reason.contribution_log_odds).sum::<f64>()
        + last.residual_log_odds;
    assert!((explained - last.risk_log_odds).abs() < 1e-6);

    // The same opening again, by stream or alone, is answered by the last verdict.
    let mut again = Session::over(service.channel.clone()).await;
    let replayed = verdict(&again.say(0, start_time, open(login("m1", "w1", start_time, 9))).await);
    assert_eq!((replayed.replayed, replayed.provisional), (true, false));
    let alone = service.risk().assess_session(request(login("m1", "w1", start_time, 9))).await.expect("a verdict");
    assert_eq!(alone.into_inner().verdict, Some(replayed));
    assert_eq!(sessions_learned(&service, "w1").await, (5, 5));
    let ended = service.ended().await;
    assert_eq!((ended.received_count, ended.verdict_count, ended.refusal_count), (6, 6, 0));
}

#[tokio::test]
async fn the_first_verdict_is_that_of_the_opening_event_alone() {
    let (live, alone) = (start().await, start().await);
    for service in [&live, &alone] {
        for turn in 0..6 {
            let event = login(&format!("p{turn}"), "w1", MONDAY + i64::from(turn) * 3_600, turn);
            service.risk().assess_session(request(event)).await.expect("a verdict");
        }
    }
    let event = || login("m1", "w1", MONDAY + 86_400, 9);
    let mut session = Session::over(live.channel.clone()).await;
    let watched = verdict(&session.say(0, MONDAY + 86_400, open(event())).await);
    let scored = alone.risk().assess_session(request(event())).await.expect("a verdict").into_inner();
    let scored = scored.verdict.expect("a verdict");
    assert!((watched.risk_log_odds - scored.risk_log_odds).abs() < 1e-9);
    assert_eq!(watched.reasons.len(), scored.reasons.len());
    let closed = session.close(1).await;
    assert!((closed.risk_log_odds - scored.risk_log_odds).abs() < 1e-9);
    assert_eq!(closed.standing, scored.standing);
}

#[tokio::test]
async fn unprompted_verdicts_keep_their_distance() {
    let service = start().await;
    let mut session = Session::opened(&service, login("m1", "w1", MONDAY, 1)).await;
    let mut given = Vec::new();
    for number in 1..=40_u32 {
        let reply = session.say(number.into(), MONDAY + i64::from(number), typed(2, number)).await;
        if !bare(&reply) {
            assert!(verdict(&reply).provisional);
            given.push(number);
        }
    }
    assert_eq!(given, [10, 20, 30, 40]);

    let mut hurried = Session::over(service.channel.clone()).await;
    let interval = |seconds, nanos| {
        let min_verdict_interval = Some(wire::Duration { seconds, nanos });
        Chunk::Open(wire::MonitorOpen {
            event: Some(login("m2", "w1", MONDAY, 1)),
            min_verdict_interval,
            profile_update: 0,
        })
    };
    let refused = refusal(&hurried.say(0, MONDAY, interval(0, 999_999_999)).await);
    assert_eq!(refused, ("INVALID_FIELDS".into(), vec!["open.min_verdict_interval".into()]));
    // The stream goes on: a mended opening is taken.
    assert!(verdict(&hurried.say(0, MONDAY, interval(1, 0)).await).provisional);
    assert!(bare(&hurried.say(1, MONDAY, typed(2, 1)).await));
    assert!(!bare(&hurried.say(2, MONDAY + 1, typed(2, 2)).await));
}

#[tokio::test]
async fn a_refused_message_names_its_fields_and_the_stream_goes_on() {
    let service = start().await;
    let mut session = Session::over(service.channel.clone()).await;
    let early = session.say(0, MONDAY, typed(5, 1)).await;
    assert_eq!(refusal(&early), ("INVALID_FIELDS".into(), vec!["open".into()]));
    let late = session.say(3, MONDAY, open(login("m1", "w1", MONDAY, 1))).await;
    assert_eq!(refusal(&late).0, "SEQUENCE_BROKEN");
    let mut bad = login("m 1", "w1", MONDAY, 1);
    bad.typing.as_mut().expect("typing").dwell_micros.pop();
    let bad = session.say(0, MONDAY, open(bad)).await;
    assert_eq!(refusal(&bad).1, ["open.event.event_id", "open.event.typing.dwell_micros"]);
    session.say(0, MONDAY, open(login("m1", "w1", MONDAY, 1))).await;

    let Chunk::Typing(mut short) = typed(20, 1) else { panic!() };
    short.dwell_micros.pop();
    short.timer_resolution_micros = 0;
    let reply = session.say(1, MONDAY + 1, Chunk::Typing(short)).await;
    assert_eq!(refusal(&reply).1, ["typing.dwell_micros", "typing.timer_resolution_micros"]);
    assert_eq!(reply.acknowledged_sequence_number, 1, "a refused chunk has had its turn");
    let gap = session.say(5, MONDAY + 1, typed(5, 1)).await;
    assert_eq!((refusal(&gap).0.as_str(), gap.acknowledged_sequence_number), ("SEQUENCE_BROKEN", 1));
    assert_eq!(refusal(&session.say(2, MONDAY + 2, open(login("m2", "w1", MONDAY, 1))).await).1, ["open"]);
    assert_eq!(refusal(&session.say(0, MONDAY, open(login("m2", "w1", MONDAY, 1))).await).1, ["open"]);
    assert_eq!(refusal(&session.say(3, MONDAY - 1, typed(5, 1)).await).1, ["chunk_time"]);
    let timeless = wire::MonitorSessionRequest { sequence_number: 4, chunk_time: None, chunk: Some(typed(5, 1)) };
    session.say.send(timeless).await.expect("room");
    let reply = session.replies.message().await.expect("a response").expect("a response");
    assert_eq!(refusal(&reply).1, ["chunk_time"]);
    let empty = wire::MonitorSessionRequest { sequence_number: 5, chunk_time: time(MONDAY + 5), chunk: None };
    session.say.send(empty).await.expect("room");
    let reply = session.replies.message().await.expect("a response").expect("a response");
    assert_eq!(refusal(&reply).1, ["chunk"]);
    let table = Chunk::Cadence(wire::CadenceTable { press_count: 3, ..Default::default() });
    assert!(refusal(&session.say(6, MONDAY + 6, table).await).1.contains(&"cadence".to_string()));
    let soon = elsewhere::api::assess::system_now().0 / 1_000_000 + 600;
    assert_eq!(refusal(&session.say(7, soon, typed(5, 1)).await).1, ["chunk_time"]);

    assert_eq!(session.say(8, MONDAY + 8, typed(5, 1)).await.acknowledged_sequence_number, 8);
    let mut other = Session::over(service.channel.clone()).await;
    let reused = other.say(0, MONDAY, open(login("m1", "w1", MONDAY, 2))).await;
    assert_eq!(refusal(&reused).0, "EVENT_ID_REUSED");
    session.close(9).await;
    let ended = service.ended().await;
    // One session, and four openings refused.
    assert_eq!((ended.received_count, ended.verdict_count, ended.refusal_count), (5, 1, 4));
}

/// What a verdict says, without when it was said.
fn said(mut verdict: wire::Verdict) -> wire::Verdict {
    verdict.assess_time = None;
    verdict
}

#[tokio::test]
async fn a_broken_stream_goes_on_and_counts_nothing_twice() {
    let (whole, broken) = (start().await, start().await);
    let mut session = Session::opened(&whole, login("m1", "w1", MONDAY, 1)).await;
    for number in 1..=8_u32 {
        session.say(number.into(), MONDAY + i64::from(number), typed(70, number)).await;
    }
    let uncut = session.close(9).await;

    let road = Road::to(&broken).await;
    let mut session = Session::over(road.channel.clone()).await;
    session.say(0, MONDAY, open(login("m1", "w1", MONDAY, 1))).await;
    for number in 1..=4_u32 {
        session.say(number.into(), MONDAY + i64::from(number), typed(70, number)).await;
    }
    road.cut();
    assert!(session.replies.message().await.is_err(), "the road is cut");

    let mut session = Session::over(broken.channel.clone()).await;
    let resumed = session.say(0, MONDAY, open(login("m1", "w1", MONDAY, 1))).await;
    assert_eq!(resumed.acknowledged_sequence_number, 4);
    assert!(verdict(&resumed).provisional);
    for number in 3..=4_u32 {
        let known = session.say(number.into(), MONDAY + i64::from(number), typed(70, number)).await;
        assert!(bare(&known), "what is known is acknowledged and ignored");
        assert_eq!(known.acknowledged_sequence_number, 4);
    }
    for number in 5..=8_u32 {
        session.say(number.into(), MONDAY + i64::from(number), typed(70, number)).await;
    }
    assert_eq!(said(session.close(9).await), said(uncut));
    let ended = broken.ended().await;
    assert_eq!((ended.received_count, ended.verdict_count), (1, 1), "one session, however many streams");
}

#[tokio::test]
async fn a_newer_stream_takes_the_session_over() {
    let service = start().await;
    let older = Session::opened(&service, login("m1", "w1", MONDAY, 1)).await;
    let newer = Session::opened(&service, login("m1", "w1", MONDAY, 1)).await;
    assert_eq!(older.end().await.code(), Code::Aborted);
    newer.close(1).await;
    assert_eq!(service.ended().await.verdict_count, 1);
}

#[tokio::test]
async fn a_client_that_ends_its_side_closes_the_session() {
    let service = start().await;
    let Session { say, mut replies } = Session::opened(&service, login("m1", "w1", MONDAY, 1)).await;
    drop(say);
    let last = verdict(&replies.message().await.expect("a response").expect("a response"));
    assert!(!last.provisional);
    assert!(replies.message().await.expect("an orderly end").is_none());
}

#[tokio::test]
async fn a_session_scored_only_leaves_its_verdict_alone() {
    let service = start().await;
    let mut session = Session::over(service.channel.clone()).await;
    let profile_update = wire::ProfileUpdate::Never as i32;
    let event = Some(login("m1", "w1", MONDAY, 1));
    session.say(0, MONDAY, Chunk::Open(wire::MonitorOpen { event, profile_update, ..Default::default() })).await;
    session.say(1, MONDAY + 5, typed(60, 1)).await;
    session.close(2).await;
    assert_eq!(sessions_learned(&service, "w1").await, (0, 0));
    let ask = wire::GetVerdictRequest { event_id: "m1".into() };
    assert!(service.risk().get_verdict(ask).await.is_ok());
}

#[tokio::test]
async fn a_drain_closes_every_session_with_a_verdict() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    let road = Road::to(&service).await;
    let mut waiting = Session::over(road.channel.clone()).await;
    waiting.say(0, MONDAY, open(login("m2", "w2", MONDAY, 1))).await;
    road.cut();
    let mut session = Session::opened(&service, login("m1", "w1", MONDAY, 1)).await;
    session.say(1, MONDAY + 1, typed(60, 1)).await;
    service.tell_to_stop();
    let last = verdict(&session.replies.message().await.expect("a response").expect("a response"));
    assert!(!last.provisional);
    assert_eq!(session.end().await.code(), Code::Unavailable);
    let ended = service.ended().await;
    assert!(ended.drained);
    assert_eq!((ended.received_count, ended.verdict_count, ended.drop_count), (2, 2, 0));

    // After the restart both are answered as they were, the one whose stream was cut before as well.
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    let mut again = Session::over(service.channel.clone()).await;
    let replayed = verdict(&again.say(0, MONDAY, open(login("m1", "w1", MONDAY, 1))).await);
    assert_eq!(replayed, wire::Verdict { replayed: true, ..last });
    let ask = wire::GetVerdictRequest { event_id: "m2".into() };
    assert!(service.risk().get_verdict(ask).await.is_ok());
}

#[tokio::test]
async fn an_erased_workers_sessions_vanish_and_are_counted() {
    let service = start().await;
    let mut session = Session::opened(&service, login("m1", "w1", MONDAY, 1)).await;
    let other = Session::opened(&service, login("m2", "w2", MONDAY, 1)).await;
    session.say(1, MONDAY + 1, typed(60, 1)).await;
    let mut profiles = ProfileServiceClient::new(service.channel.clone());
    profiles.delete_profile(wire::DeleteProfileRequest { worker_id: "w1".into() }).await.expect("an erasure");
    assert_eq!(session.end().await.code(), Code::NotFound);
    let ask = |event_id: &str| wire::GetVerdictRequest { event_id: event_id.into() };
    assert_eq!(service.risk().get_verdict(ask("m1")).await.expect_err("erased").code(), Code::NotFound);
    // Opened anew it begins anew, and teaches nothing: the event is dated before the erasure.
    let mut again = Session::opened(&service, login("m1", "w1", MONDAY, 1)).await;
    assert_eq!(refusal(&again.say(2, MONDAY + 2, typed(5, 1)).await).0, "SEQUENCE_BROKEN");
    again.close(1).await;
    assert_eq!(sessions_learned(&service, "w1").await, (0, 0));
    other.close(1).await;
    assert_eq!(sessions_learned(&service, "w2").await, (1, 1));
    let ended = service.ended().await;
    let answered = ended.verdict_count + ended.refusal_count + ended.drop_count;
    assert_eq!((ended.received_count, answered, ended.drop_count), (3, 3, 1));
}

#[tokio::test]
async fn room_is_limited_and_a_waiting_session_makes_room() {
    let config = ConfigUnchecked { monitored_sessions_max: 2, ..ConfigUnchecked::default() };
    let service = start_with(config, None).await;
    let road = Road::to(&service).await;
    let mut cut = Session::over(road.channel.clone()).await;
    cut.say(0, MONDAY, open(login("m1", "w1", MONDAY, 1))).await;
    let _open = Session::opened(&service, login("m2", "w2", MONDAY, 1)).await;
    let full = Session::over(service.channel.clone()).await;
    full.send(0, MONDAY, open(login("m3", "w3", MONDAY, 1))).await;
    assert_eq!(full.end().await.code(), Code::ResourceExhausted);
    road.cut();
    let _ = cut.replies.message().await;
    // The cut reaches the service within moments; until then it is as full as before.
    let mut opened = false;
    for _ in 0..200 {
        let mut session = Session::over(service.channel.clone()).await;
        session.send(0, MONDAY, open(login("m3", "w3", MONDAY, 1))).await;
        opened = session.replies.message().await.is_ok();
        if opened {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(opened);
    let ask = wire::GetVerdictRequest { event_id: "m1".into() };
    assert!(service.risk().get_verdict(ask).await.is_ok(), "the one that made room has its verdict");
}

#[tokio::test]
async fn an_opening_larger_than_what_is_kept_is_scored_in_full_and_kept_in_part() {
    let service = start().await;
    let Chunk::Typing(long) = typed(5_000, 1) else { panic!() };
    assert!(long.dwell_micros.len() > limits::MONITOR_PRESSES_KEPT);
    let event = wire::SessionEvent { typing: Some(long), ..login("m1", "w1", MONDAY, 1) };
    let mut session = Session::over(service.channel.clone()).await;
    let first = verdict(&session.say(0, MONDAY, open(event)).await);
    let typing = |verdict: &wire::Verdict| verdict.families[1].sample_count;
    assert_eq!(typing(&first), 5_000);
    let last = session.close(1).await;
    assert_eq!(typing(&last) as usize, limits::MONITOR_PRESSES_KEPT);
}
