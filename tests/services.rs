//! Standings watched, nonces, and tenants apart in all services, through a real client and server.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::services::{
    DAY, claim, company, flag, label, linkage, metadata, next, quiet, refused, remote, send, shared, standing,
    standings, today, until, watch,
};
use common::{Running, fields, login, request, signed, start, start_with, tenant};
use elsewhere::api::wire;
use elsewhere::api::wire::feedback::Subject;
use elsewhere::api::wire::feedback_service_client::FeedbackServiceClient;
use elsewhere::api::wire::profile_service_client::ProfileServiceClient;
use elsewhere::config::ConfigUnchecked;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tonic::Code;

#[tokio::test]
async fn watchers_hear_of_real_changes_only() {
    let service = start().await;
    let mut watch = watch(&service, "").await.expect("a watch");
    send(&service, login("quiet", "honest", today(), 1)).await;
    assert!(quiet(&mut watch).await, "an ordinary login changes no level");
    flag(&service, "w1").await;
    until(&mut watch, "w1", true).await;
    send(&service, remote("again", "w1", today())).await;
    send(&service, remote("again", "w1", today())).await;
    assert!(quiet(&mut watch).await, "flagged already");
}

#[tokio::test]
async fn a_worker_implicated_by_anothers_event_is_told() {
    let service = start().await;
    let mut watch = watch(&service, "").await.expect("a watch");
    let with_site = |mut event: wire::SessionEvent, city: usize| {
        event.claim = claim(city);
        event.network.as_mut().expect("a network").site_tokens = vec![vec![7; 16]];
        let device = event.device.get_or_insert_default();
        device.authenticator_token = vec![9; 16];
        device.display_token = vec![8; 16];
        event
    };
    for day in 0..2 {
        let event = remote(&format!("a{day}"), "w1", today() - (3 - day) * DAY);
        send(&service, with_site(event, 0)).await;
    }
    let before = standing(&service, "w1").await;
    assert!(!before.flagged, "two days of late answers flag nobody: {}", before.evidence_log_odds);
    send(&service, with_site(login("b0", "w2", today(), 1), 1)).await;
    until(&mut watch, "w1", true).await;
    let after = standing(&service, "w1").await;
    assert!(after.flagged && after.session_count == before.session_count, "no session of its own");
    let codes: Vec<i32> = after.reasons.iter().map(|reason| reason.code).collect();
    assert!(codes.contains(&(wire::ReasonCode::CrowdSharedSite as i32)));
    // Behind the same gateway with agreeing claims nobody is implicated.
    send(&service, shared("c0", "w3", today(), 3, 40)).await;
    send(&service, shared("c1", "w4", today(), 3, 40)).await;
    assert!(standing(&service, "w3").await.evidence_log_odds < 1.0);
}

#[tokio::test]
async fn a_watch_resumes_where_it_stopped_also_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    let mut first = watch(&service, "").await.expect("a watch");
    flag(&service, "w1").await;
    let token = until(&mut first, "w1", true).await;
    drop(first);
    flag(&service, "w2").await;
    flag(&service, "w3").await;
    service.ended().await;

    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    let mut second = watch(&service, &token).await.expect("a watch");
    let mut told = Vec::new();
    for _ in 0..2 {
        told.push(next(&mut second).await.expect("no error").expect("news"));
    }
    let names: Vec<(&str, bool)> = told.iter().map(|one| (one.0.as_str(), one.1)).collect();
    assert_eq!(names, [("w2", true), ("w3", true)], "each once, as it is now");
    assert!(quiet(&mut second).await, "what was told before the token is not told again");
    let mut third = watch(&service, &told[0].2).await.expect("a watch");
    assert_eq!(next(&mut third).await.expect("no error").map(|one| one.0), Some("w3".into()));

    // The erasure of one who stood out leaves nothing to tell: list, and watch anew.
    let mut profiles = ProfileServiceClient::new(service.channel.clone());
    profiles.delete_profile(wire::DeleteProfileRequest { worker_id: "w2".into() }).await.expect("an erasure");
    let lapsed = (Code::FailedPrecondition, "RESUME_TOKEN_LAPSED".to_string());
    assert_eq!(refused(&next(&mut third).await.expect_err("lapsed")), lapsed);
    let mut fourth = watch(&service, &token).await.expect("a watch");
    assert_eq!(refused(&next(&mut fourth).await.expect_err("lapsed")), lapsed);
    let mut anew = watch(&service, "").await.expect("a watch");
    flag(&service, "w4").await;
    until(&mut anew, "w4", true).await;
    service.ended().await;
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    let mut fifth = watch(&service, &token).await.expect("a watch");
    assert_eq!(refused(&next(&mut fifth).await.expect_err("lapsed before the restart too")), lapsed);
}

#[tokio::test]
async fn tokens_of_other_stores_and_no_tokens_are_told_apart() {
    let (service, other) = (start().await, start().await);
    let mut first = watch(&service, "").await.expect("a watch");
    flag(&service, "w1").await;
    let token = until(&mut first, "w1", true).await;
    let status = watch(&other, &token).await.expect_err("another store's");
    assert_eq!(refused(&status), (Code::FailedPrecondition, "RESUME_TOKEN_LAPSED".into()));
    let (mark, _) = token.split_once('~').expect("a mark and a number");
    let status = watch(&service, &format!("{mark}~99")).await.expect_err("of before a restore");
    assert_eq!(refused(&status), (Code::FailedPrecondition, "RESUME_TOKEN_LAPSED".into()));
    let status = watch(&other, "nonsense").await.expect_err("no token");
    assert_eq!(fields(&status), BTreeSet::from(["resume_token".into()]));
}

#[tokio::test]
async fn a_drain_sends_watchers_away_with_advice() {
    let mut service = start().await;
    let mut open = watch(&service, "").await.expect("a watch");
    service.tell_to_stop();
    let status = next(&mut open).await.expect_err("drained");
    assert_eq!(refused(&status), (Code::Unavailable, "UNAVAILABLE".into()));
    assert!(service.ended().await.drained);
}

#[tokio::test]
async fn a_watcher_who_never_reads_holds_up_no_login_and_too_many_are_refused() {
    let config = ConfigUnchecked { in_flight_max: 2, ..ConfigUnchecked::default() };
    let service = start_with(config, None).await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(watch(&service, "").await.expect("a watch"));
    }
    let status = watch(&service, "").await.expect_err("too many");
    assert_eq!(refused(&status), (Code::ResourceExhausted, "OVERLOADED".into()));
    for worker in 0..8 {
        flag(&service, &format!("w{worker}")).await;
    }
    // Whoever wakes late gets each worker once, as it stands.
    let mut seen = BTreeMap::new();
    while seen.len() < 8 || seen.values().any(|flagged| !flagged) {
        let (worker, flagged, _) = next(&mut open[0]).await.expect("no error").expect("news");
        seen.insert(worker, flagged);
    }
    open.pop();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(watch(&service, "").await.is_ok(), "a place is free again");
}

#[tokio::test]
async fn tenants_never_meet_in_any_of_these() {
    let tenants = vec![tenant("acme", "one"), tenant("globex", "two")];
    let service = start_with(ConfigUnchecked { tenants, ..ConfigUnchecked::default() }, None).await;
    let mut theirs = standings(&service)
        .watch_standings(signed(wire::WatchStandingsRequest::default(), "two"))
        .await
        .expect("a watch")
        .into_inner();
    let mut own = standings(&service)
        .watch_standings(signed(wire::WatchStandingsRequest::default(), "one"))
        .await
        .expect("a watch")
        .into_inner();
    for day in 0..4 {
        let event = remote(&format!("e{day}"), "w1", today() - (4 - day) * DAY);
        service.risk().assess_session(signed(request(event), "one")).await.expect("a verdict");
    }
    for event in company() {
        service.risk().assess_session(signed(request(event), "one")).await.expect("a verdict");
    }
    let token = until(&mut own, "w1", true).await;
    assert!(quiet(&mut theirs).await);
    let ask = wire::WatchStandingsRequest { resume_token: token };
    let status = standings(&service).watch_standings(signed(ask, "two")).await.expect_err("another's token");
    assert_eq!(refused(&status).1, "RESUME_TOKEN_LAPSED");
    let mut feedback = FeedbackServiceClient::new(service.channel.clone());
    let entry = wire::RecordFeedbackRequest { feedback: Some(label("f1", Subject::EventId("e0".into()), &[])) };
    let status = feedback.record_feedback(signed(entry, "two")).await.expect_err("another's event");
    assert_eq!(refused(&status).1, "NOT_FOUND");
    let all = wire::ListOperatorClustersRequest { min_probability: Some(0.0), ..Default::default() };
    let found = linkage(&service).list_operator_clusters(signed(all, "two")).await.expect("a page");
    assert!(found.into_inner().clusters.is_empty());
    let nonce = wire::IssueNonceRequest { session_id: "s1".into() };
    let nonce = service.risk().issue_nonce(signed(nonce, "one")).await.expect("a nonce").into_inner().nonce;
    let event = with_nonce("n1", "s1", &nonce);
    let status = service.risk().assess_session(signed(request(event), "two")).await.expect_err("another's nonce");
    assert_eq!(metadata(&status, "cause"), "unknown");
}

fn with_nonce(event_id: &str, session_id: &str, nonce: &str) -> wire::SessionEvent {
    let mut event = login(event_id, "w1", today(), 1);
    event.session_id = session_id.into();
    event.collector = Some(wire::CollectorReport { name: "web/1.2".into(), nonce: nonce.into(), ..Default::default() });
    event
}

async fn issue(service: &Running, session_id: &str) -> String {
    let ask = wire::IssueNonceRequest { session_id: session_id.into() };
    let issued = service.risk().issue_nonce(ask).await.expect("a nonce").into_inner();
    let now = elsewhere::api::assess::system_now().0 / 1_000_000;
    let left = issued.expire_time.expect("an end").seconds - now;
    assert!((590..=601).contains(&left), "ten minutes: {left}");
    issued.nonce
}

#[tokio::test]
async fn a_nonce_is_good_for_one_event_of_its_session_also_across_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    let (used, kept) = (issue(&service, "s1").await, issue(&service, "s2").await);
    let cause = async |service: &Running, event: wire::SessionEvent| {
        let status = service.risk().assess_session(request(event)).await.expect_err("a refusal");
        assert_eq!(refused(&status), (Code::InvalidArgument, "NONCE_REFUSED".into()));
        assert_eq!(fields(&status), BTreeSet::from(["event.collector.nonce".into()]));
        metadata(&status, "cause")
    };
    assert_eq!(cause(&service, with_nonce("e1", "s2", &used)).await, "other_session");
    assert_eq!(cause(&service, with_nonce("e1", "s1", "made-up")).await, "unknown");
    let first = send(&service, with_nonce("e1", "s1", &used)).await;
    assert!(!first.replayed);
    assert!(send(&service, with_nonce("e1", "s1", &used)).await.replayed, "a repeated event is answered as before");
    assert_eq!(cause(&service, with_nonce("e2", "s1", &used)).await, "used");
    service.ended().await;
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    assert_eq!(cause(&service, with_nonce("e2", "s1", &used)).await, "used");
    assert!(send(&service, with_nonce("e1", "s1", &used)).await.replayed);
    send(&service, with_nonce("e3", "s2", &kept)).await;

    // In a batch the refusal is the event's own.
    let nonce = issue(&service, "s5").await;
    let events = vec![with_nonce("b1", "s5", &nonce), with_nonce("b2", "s5", &nonce), login("b3", "w1", today(), 2)];
    let ask = wire::BatchAssessSessionsRequest { events, ..Default::default() };
    let results = service.risk().batch_assess_sessions(ask).await.expect("results").into_inner().results;
    let refused: Vec<bool> = results
        .iter()
        .map(|result| matches!(&result.outcome, Some(wire::assessment_result::Outcome::Error(_))))
        .collect();
    assert_eq!(refused, [false, true, false]);
    let status = service.risk().issue_nonce(wire::IssueNonceRequest::default()).await.expect_err("no session");
    assert_eq!(fields(&status), BTreeSet::from(["session_id".into()]));
}
