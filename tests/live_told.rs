//! What live sessions tell while it happens: a relay, another hand, silence, a new path. Time comes from the chunks.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::live::{Session, path, typed, verdict};
use common::{MONDAY, Running, login, request, start, start_with};
use elsewhere::api::wire;
use elsewhere::api::wire::monitor_session_request::Chunk;
use elsewhere::config::ConfigUnchecked;
use flate2::read::GzDecoder;
use std::io::{BufRead as _, BufReader};

/// Contribution of a reason, 0 when it is not told.
fn told(verdict: &wire::Verdict, code: wire::ReasonCode) -> f64 {
    let found = verdict.reasons.iter().find(|reason| reason.code == code as i32);
    found.map_or(0.0, |reason| reason.contribution_log_odds)
}

/// Events of one worker of the example company.
fn of_company(worker_id: &str) -> Vec<wire::SessionEvent> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/company.ndjson.gz");
    let file = std::fs::File::open(path).expect("the example");
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    let requests = lines.map(|line| {
        let request: wire::AssessSessionRequest = serde_json::from_str(&line.expect("a line")).expect("a request");
        request.event.expect("an event")
    });
    requests.filter(|event| event.worker_id == worker_id).collect()
}

fn motions(worker_id: &str) -> Vec<wire::PointerSample> {
    of_company(worker_id).into_iter().filter_map(|event| event.pointer).collect()
}

/// Asks for the verdict as of now: another second, one more fact, and the shortest interval.
async fn watched(service: &Running, event: wire::SessionEvent) -> Session {
    let mut session = Session::over(service.channel.clone()).await;
    let seconds = event.event_time.expect("a time").seconds;
    let min_verdict_interval = Some(wire::Duration { seconds: 1, nanos: 0 });
    let open = wire::MonitorOpen { event: Some(event), min_verdict_interval, profile_update: 0 };
    session.say(0, seconds, Chunk::Open(open)).await;
    session
}

#[tokio::test]
async fn a_relay_that_appears_in_mid_session_is_told_while_it_happens() {
    let service = start().await;
    // A home worker's mouse, and that of an operator behind a KVM, both as the example company has them.
    let (own, relayed) = (motions("a2bce4dceb988161"), motions("bf548f6c84178915"));
    let mut session = watched(&service, login("m1", "w1", MONDAY, 1)).await;
    let (mut number, mut seconds) = (0, MONDAY);
    let mut last = None;
    for motion in own.into_iter().take(12) {
        (number, seconds) = (number + 1, seconds + 30);
        last = Some(verdict(&session.say(number, seconds, Chunk::Pointer(motion)).await));
    }
    let code = wire::ReasonCode::RemoteInputPointerRelayed;
    let before = last.expect("a verdict");
    assert!(told(&before, code) < 0.0, "a hand on the desk: {}", told(&before, code));
    let mut seen = Vec::new();
    for motion in relayed.into_iter().take(8) {
        (number, seconds) = (number + 1, seconds + 30);
        let now = verdict(&session.say(number, seconds, Chunk::Pointer(motion)).await);
        seen.push((told(&now, code), now.risk_probability));
    }
    let during = seen.last().expect("a verdict");
    assert!(during.0 > 1.0 && during.1 > before.risk_probability, "{seen:?}");
    // It stays told: the last verdict is about all of the session.
    let own = motions("a2bce4dceb988161");
    for motion in own.into_iter().skip(12).take(12) {
        (number, seconds) = (number + 1, seconds + 30);
        session.say(number, seconds, Chunk::Pointer(motion)).await;
    }
    let last = session.close(number + 1).await;
    assert!(told(&last, code) > 0.0, "{}", told(&last, code));
}

#[tokio::test]
async fn an_honest_session_of_many_windows_raises_nothing() {
    let service = start().await;
    for worker in ["a2bce4dceb988161", "e59021a3d71cf5d4", "3f26a225874b131b"] {
        let mut session = watched(&service, login(worker, worker, MONDAY, 1)).await;
        let (mut number, mut seconds) = (0, MONDAY);
        for motion in motions(worker) {
            (number, seconds) = (number + 1, seconds + 30);
            let now = verdict(&session.say(number, seconds, Chunk::Pointer(motion)).await);
            assert_eq!(now.risk_level, wire::RiskLevel::Low as i32, "{worker} after {number} chunks");
        }
        assert_eq!(session.close(number + 1).await.risk_level, wire::RiskLevel::Low as i32, "{worker}");
    }
}

/// A table of one hand: dwells and intervals by key, `percent` of the first hand's, a little different each `turn`.
fn table(percent: u32, turn: u32) -> wire::CadenceTable {
    let vary = |base: u32, index: u32| {
        // Hands differ key by key, not in speed alone; turns of one hand by a few milliseconds.
        let shape = 100 + (index * 37 + percent * 13) % 40;
        base * percent / 100 * shape / 100 + (turn * 7_919 + index * 104_729) % 4_000
    };
    wire::CadenceTable {
        press_count: 512,
        keys: (4..24)
            .map(|usage| wire::KeyTime {
                usage,
                count: 16,
                dwell_median_micros: vary(90_000, usage),
                dwell_spread_micros: 12_000,
            })
            .collect(),
        digraphs: (4..24)
            .flat_map(|first| [(first, (first + 3) % 20 + 4), (first, (first + 8) % 20 + 4)])
            .map(|(first_usage, second_usage)| wire::DigraphTime {
                first_usage,
                second_usage,
                count: 8,
                press_interval_median_micros: vary(150_000, first_usage * 31 + second_usage),
                press_interval_spread_micros: 30_000,
            })
            .collect(),
        timer_resolution_micros: 1_000,
    }
}

#[tokio::test]
async fn a_change_of_hands_is_told_against_the_past_and_against_the_session_itself() {
    let config = ConfigUnchecked { cadence_tables: true, ..ConfigUnchecked::default() };
    let service = start_with(config, None).await;
    // A worker with a past in tables, and one of whom nothing is known.
    for turn in 0..6 {
        let mut event = login(&format!("p{turn}"), "known", MONDAY - 86_400 * i64::from(6 - turn), turn);
        event.cadence = Some(table(100, turn));
        service.risk().assess_session(request(event)).await.expect("a verdict");
    }
    let code = wire::ReasonCode::TypingHandover;
    for worker in ["known", "new"] {
        let mut session = watched(&service, login(worker, worker, MONDAY, 9)).await;
        let mut seconds = MONDAY;
        let mut last = None;
        for number in 1..=5_u32 {
            seconds += 600;
            let reply = session.say(number.into(), seconds, Chunk::Cadence(table(100, 50 + number))).await;
            last = Some(verdict(&reply));
        }
        let before = last.expect("a verdict");
        assert_eq!(told(&before, code), 0.0, "{worker}: one hand so far");
        for number in 6..=7_u32 {
            seconds += 600;
            let reply = session.say(number.into(), seconds, Chunk::Cadence(table(150, 50 + number))).await;
            let now = verdict(&reply);
            assert!(told(&now, code) > 0.1, "{worker}: {:?}", now.reasons);
            let swing = now.risk_log_odds - before.risk_log_odds;
            assert!(swing > if worker == "known" { 1.0 } else { 0.1 }, "{worker}: {swing}");
        }
        let last = session.close(8).await;
        assert!(told(&last, code) > 0.1, "{worker}: {:?}", last.reasons);
    }
}

#[tokio::test]
async fn a_collector_that_falls_silent_is_told_and_an_idle_one_is_not() {
    let service = start().await;
    let code = wire::ReasonCode::TelemetrySilent;
    let mut session = watched(&service, login("m1", "w1", MONDAY, 1)).await;
    let (mut number, mut seconds) = (0, MONDAY);
    for turn in 0..15 {
        (number, seconds) = (number + 1, seconds + 60);
        session.say(number, seconds, typed(40, turn)).await;
    }
    // Lunch: the clock is reported, nothing else happens.
    for _ in 0..30 {
        (number, seconds) = (number + 1, seconds + 60);
        let clock = login("e", "w", MONDAY, 1).timezone.expect("a clock");
        let now = verdict(&session.say(number, seconds, Chunk::Timezone(clock)).await);
        assert_eq!(told(&now, code), 0.0);
    }
    let mut silence = Vec::new();
    for _ in 0..10 {
        (number, seconds) = (number + 1, seconds + 60);
        silence.push(told(&verdict(&session.say(number, seconds, Chunk::Network(path())).await), code));
    }
    assert_eq!(silence[..3], [0.0; 3], "three minutes are forgiven");
    assert!(silence[9] > 0.0 && silence.is_sorted(), "{silence:?}");
    (number, seconds) = (number + 1, seconds + 60);
    let again = verdict(&session.say(number, seconds, typed(40, 99)).await);
    assert_eq!(told(&again, code), 0.0, "it speaks again");
    let last = session.close(number + 1).await;
    assert_eq!(told(&last, code), 0.0, "how a session ends is no loss of samples");
}

#[tokio::test]
async fn the_path_and_the_machine_are_those_of_the_latest_word() {
    let service = start().await;
    for turn in 0..6 {
        let event = login(&format!("p{turn}"), "w1", MONDAY + i64::from(turn) * 3_600, turn);
        service.risk().assess_session(request(event)).await.expect("a verdict");
    }
    let mut session = watched(&service, login("m1", "w1", MONDAY + 86_400, 9)).await;
    let mut hosted = path();
    hosted.anonymizer_detected = Some(true);
    hosted.connection_type = wire::ConnectionType::Hosting as i32;
    let during = verdict(&session.say(1, MONDAY + 86_460, Chunk::Network(hosted)).await);
    let code = wire::ReasonCode::NetworkAnonymized;
    assert!(told(&during, code) > 0.0);
    let after = verdict(&session.say(2, MONDAY + 86_520, Chunk::Network(path())).await);
    assert!(told(&after, code) <= 0.0);
    let before = after.risk_log_odds;
    let remote = wire::RemoteInputSample {
        remote_session_reported: Some(true),
        remote_control_programs: vec!["anydesk".into()],
        event_count: 10,
        ..Default::default()
    };
    let shared = verdict(&session.say(3, MONDAY + 86_580, Chunk::RemoteInput(remote)).await);
    assert!(told(&shared, wire::ReasonCode::RemoteInputSoftware) > 0.0);
    assert!(shared.risk_log_odds > before);
}
