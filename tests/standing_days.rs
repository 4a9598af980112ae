//! The course of a standing as a service keeps it: told with the profile, drawn by `elsewhere explain`, erased with the
//! worker.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{MONDAY, Running, login, request, start, time};
use elsewhere::api::wire;
use elsewhere::api::wire::profile_service_client::ProfileServiceClient;
use std::process::Command;

const DAY: i64 = 86_400;

async fn days(service: &Running, worker_id: &str) -> Option<Vec<wire::StandingDay>> {
    let request = wire::GetProfileRequest { worker_id: worker_id.into() };
    let answer = ProfileServiceClient::new(service.channel.clone()).get_profile(request).await;
    answer.ok().and_then(|answer| answer.into_inner().profile).map(|profile| profile.standing_days)
}

/// A login on the day of a number; with prompts where answers to them are given, in milliseconds.
async fn logs_in(service: &Running, worker_id: &str, day: i64, answers: &[u32]) -> wire::WorkerStanding {
    let mut event = login(&format!("{worker_id}-{day}"), worker_id, MONDAY + day * DAY, day as u32);
    event.challenge = (!answers.is_empty()).then(|| wire::ChallengeSample {
        kind: wire::ChallengeKind::PressKey as i32,
        reaction_micros: answers.iter().map(|millis| millis * 1_000).collect(),
        ..Default::default()
    });
    let verdict = service.risk().assess_session(request(event)).await.expect("a verdict").into_inner().verdict;
    verdict.expect("a verdict").standing.expect("a standing")
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_told_drawn_and_erased() {
    let service = start().await;
    let late = [690, 720, 700];
    let mut stood = Vec::new();
    for (day, answers) in [(0, &[][..]), (1, &late), (2, &late), (4, &late), (7, &[][..])] {
        stood.push(logs_in(&service, "w1", day, answers).await);
    }
    let told = days(&service, "w1").await.expect("a profile");
    assert_eq!(told.len(), 5, "{told:?}");
    for ((kept, standing), day) in told.iter().zip(&stood).zip([0, 1, 2, 4, 7]) {
        assert_eq!(kept.day_time, time(MONDAY - 15 * 3_600 + day * DAY), "days begin at midnight UTC {told:?}");
        assert!((kept.evidence_log_odds - standing.evidence_log_odds).abs() < 0.0501, "{kept:?}");
        assert_eq!(kept.flagged, standing.flagged);
        assert_eq!(kept.reaction_median_micros.is_some(), (1..=4).contains(&day), "{kept:?}");
    }
    assert_eq!(told[1].reaction_median_micros, Some(704_000), "700 ms in steps of 8 ms");
    assert!(told[1].reaction_expected_high_micros < told[1].reaction_median_micros);
    assert_eq!(told[2].top_reason(), wire::ReasonCode::RemoteInputLoopDelay);
    let plots = tempfile::tempdir().expect("a directory");
    let (address, directory) = (service.address.clone(), plots.path().to_path_buf());
    let drawn = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elsewhere"));
        command.args(["explain", "w1", "--zone", "America/Phoenix", "--address", &address, "--plot"]);
        command.arg(directory).output().expect("an end")
    });
    let said = String::from_utf8(drawn.await.expect("an end").stderr).expect("text");
    assert_eq!(said.matches("drew ").count(), 3, "{said}");
    let svg = |name: &str| std::fs::read_to_string(plots.path().join(name)).expect("a drawing");
    assert!(svg("standing.svg").contains("5 days, each at its end") && svg("reactions.svg").contains("3 days"));
    assert!(svg("standing.svg").contains("prompts answered too late"));
    // Erased with the worker: whoever comes back under the name has no past, and no course of it.
    let mut client = ProfileServiceClient::new(service.channel.clone());
    client.delete_profile(wire::DeleteProfileRequest { worker_id: "w1".into() }).await.expect("erased");
    assert_eq!(days(&service, "w1").await, None);
    assert!(days(&service, "w2").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_no_trace_leaves_no_day() {
    let service = start().await;
    logs_in(&service, "w1", 0, &[]).await;
    let event = login("asked", "w1", MONDAY + DAY, 1);
    let never = wire::AssessSessionRequest { event: Some(event), profile_update: 3, ..Default::default() };
    service.risk().assess_session(never).await.expect("a verdict");
    assert_eq!(days(&service, "w1").await.expect("a profile").len(), 1);
}
