//! Standings watched, feedback, linkage and nonces, through a real client and server.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{Running, login, request, start, start_with};
use elsewhere::api::wire;
use elsewhere::api::wire::feedback::Subject;
use elsewhere::api::wire::feedback_service_client::FeedbackServiceClient;
use elsewhere::api::wire::linkage_service_client::LinkageServiceClient;
use elsewhere::api::wire::profile_service_client::ProfileServiceClient;
use elsewhere::api::wire::standing_service_client::StandingServiceClient;
use elsewhere::config::{ConfigUnchecked, TenantUnchecked};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt;

const DAY: i64 = 86_400;

/// An hour before the tests began, by the service's clock, since evidence fades by it. The same throughout: an event sent
/// again must be equal.
fn today() -> i64 {
    static STARTED: LazyLock<i64> = LazyLock::new(|| elsewhere::api::assess::system_now().0 / 1_000_000 - 3_600);
    *STARTED
}

fn reason(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    let info = details.error_info().expect("an ErrorInfo");
    assert_eq!(info.domain, "elsewhere");
    (status.code(), info.reason.clone())
}

fn metadata(status: &Status, key: &str) -> String {
    status.get_error_details().error_info().expect("an ErrorInfo").metadata[key].clone()
}

fn fields(status: &Status) -> BTreeSet<String> {
    let details = status.get_error_details();
    let bad = details.bad_request().expect("a BadRequest");
    bad.field_violations.iter().map(|violation| violation.field.clone()).collect()
}

/// Cities far from one another.
const CITIES: [(&str, f64, f64); 6] = [
    ("US-AZ", 33.45, -112.07),
    ("US-MA", 42.36, -71.06),
    ("US-FL", 25.76, -80.19),
    ("US-WA", 47.61, -122.33),
    ("US-TX", 29.76, -95.37),
    ("US-IL", 41.88, -87.63),
];

fn claim(city: usize) -> Option<wire::Claim> {
    let (subdivision, latitude_degrees, longitude_degrees) = CITIES[city];
    Some(wire::Claim {
        region_code: "US".into(),
        subdivision_code: subdivision.into(),
        place: Some(wire::Place { latitude_degrees, longitude_degrees, radius_km: 25 }),
        ..Default::default()
    })
}

/// A login through a KVM whose prompts are answered too late, as the golden story has it; alone, without what it shares.
fn remote(event_id: &str, worker_id: &str, seconds: i64) -> wire::SessionEvent {
    let stories = include_str!("golden/two_workers_behind_kvms_in_one_home_are_flagged.ndjson");
    let line = stories.lines().next().expect("a line");
    let told: wire::AssessSessionRequest = serde_json::from_str(line).expect("a request");
    let mut event = told.event.expect("an event");
    (event.event_id, event.worker_id) = (event_id.into(), worker_id.into());
    event.event_time = common::time(seconds);
    event.claim.as_mut().expect("a claim").shipping_token.clear();
    let network = event.network.as_mut().expect("a network");
    network.ip_token.clear();
    network.site_tokens.clear();
    let device = event.device.as_mut().expect("a device");
    device.authenticator_token.clear();
    device.display_token.clear();
    event
}

/// An ordinary login that shares a gateway and a display with others, from a claimed city.
fn shared(event_id: &str, worker_id: &str, seconds: i64, city: usize, site: u8) -> wire::SessionEvent {
    let mut event = login(event_id, worker_id, seconds, 1);
    event.claim = claim(city);
    let network = event.network.as_mut().expect("a network");
    network.site_tokens = vec![vec![site; 16]];
    network.ip_token = vec![site + 100; 16];
    event
}

async fn send(service: &Running, event: wire::SessionEvent) -> wire::Verdict {
    let reply = service.risk().assess_session(request(event)).await.expect("a verdict");
    reply.into_inner().verdict.expect("a verdict")
}

fn standings(service: &Running) -> StandingServiceClient<Channel> {
    StandingServiceClient::new(service.channel.clone())
}

async fn standing(service: &Running, worker_id: &str) -> wire::WorkerStanding {
    let ask = wire::GetStandingRequest { worker_id: worker_id.into() };
    let reply = standings(service).get_standing(ask).await.expect("a standing");
    reply.into_inner().standing.expect("a standing")
}

type Watch = Streaming<wire::WatchStandingsResponse>;

async fn watch(service: &Running, resume_token: &str) -> Result<Watch, Status> {
    let ask = wire::WatchStandingsRequest { resume_token: resume_token.into() };
    standings(service).watch_standings(ask).await.map(tonic::Response::into_inner)
}

async fn next(watch: &mut Watch) -> Result<Option<(String, bool, String)>, Status> {
    let message = tokio::time::timeout(Duration::from_secs(20), watch.message()).await.expect("news in time")?;
    Ok(message.map(|told| {
        let standing = told.standing.expect("a standing");
        (standing.worker_id, standing.flagged, told.resume_token)
    }))
}

/// News until a worker is told of with this flag. Returns the token.
async fn until(watch: &mut Watch, worker_id: &str, flagged: bool) -> String {
    loop {
        let told = next(watch).await.expect("no error").expect("more news");
        if (told.0.as_str(), told.1) == (worker_id, flagged) {
            return told.2;
        }
    }
}

async fn quiet(watch: &mut Watch) -> bool {
    tokio::time::timeout(Duration::from_millis(300), watch.message()).await.is_err()
}

/// Makes a worker flagged by its own sessions: late answers on four days.
async fn flag(service: &Running, worker_id: &str) {
    for day in 0..4 {
        send(service, remote(&format!("{worker_id}-{day}"), worker_id, today() - (4 - day) * DAY)).await;
    }
    assert!(standing(service, worker_id).await.flagged);
}

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
    assert_eq!(reason(&next(&mut third).await.expect_err("lapsed")), lapsed);
    let mut fourth = watch(&service, &token).await.expect("a watch");
    assert_eq!(reason(&next(&mut fourth).await.expect_err("lapsed")), lapsed);
    let mut anew = watch(&service, "").await.expect("a watch");
    flag(&service, "w4").await;
    until(&mut anew, "w4", true).await;
    service.ended().await;
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    let mut fifth = watch(&service, &token).await.expect("a watch");
    assert_eq!(reason(&next(&mut fifth).await.expect_err("lapsed before the restart too")), lapsed);
}

#[tokio::test]
async fn tokens_of_other_stores_and_no_tokens_are_told_apart() {
    let (service, other) = (start().await, start().await);
    let mut first = watch(&service, "").await.expect("a watch");
    flag(&service, "w1").await;
    let token = until(&mut first, "w1", true).await;
    let status = watch(&other, &token).await.expect_err("another store's");
    assert_eq!(reason(&status), (Code::FailedPrecondition, "RESUME_TOKEN_LAPSED".into()));
    let (mark, _) = token.split_once('~').expect("a mark and a number");
    let status = watch(&service, &format!("{mark}~99")).await.expect_err("of before a restore");
    assert_eq!(reason(&status), (Code::FailedPrecondition, "RESUME_TOKEN_LAPSED".into()));
    let status = watch(&other, "nonsense").await.expect_err("no token");
    assert_eq!(fields(&status), BTreeSet::from(["resume_token".into()]));
}

#[tokio::test]
async fn a_drain_sends_watchers_away_with_advice() {
    let mut service = start().await;
    let mut open = watch(&service, "").await.expect("a watch");
    service.tell_to_stop();
    let status = next(&mut open).await.expect_err("drained");
    assert_eq!(reason(&status), (Code::Unavailable, "UNAVAILABLE".into()));
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
    assert_eq!(reason(&status), (Code::ResourceExhausted, "OVERLOADED".into()));
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

fn label(feedback_id: &str, subject: Subject, cleared: &[wire::ReasonCode]) -> wire::Feedback {
    wire::Feedback {
        feedback_id: feedback_id.into(),
        subject: Some(subject),
        label: wire::Label::Genuine as i32,
        source: wire::LabelSource::IdentityCheck as i32,
        cleared_reasons: cleared.iter().map(|code| *code as i32).collect(),
        ..Default::default()
    }
}

fn of_worker(worker_id: &str) -> Subject {
    Subject::WorkerId(worker_id.into())
}

async fn record(service: &Running, feedback: wire::Feedback) -> Result<bool, Status> {
    let mut client = FeedbackServiceClient::new(service.channel.clone());
    let reply = client.record_feedback(wire::RecordFeedbackRequest { feedback: Some(feedback) }).await?;
    Ok(reply.into_inner().superseded)
}

fn contribution(standing: &wire::WorkerStanding, code: wire::ReasonCode) -> f64 {
    let listed = standing.reasons.iter().find(|reason| reason.code == code as i32);
    listed.map_or(0.0, |reason| reason.contribution_log_odds)
}

#[tokio::test]
async fn a_clearance_lowers_the_flag_for_its_reason_only_and_can_be_withdrawn() {
    use wire::ReasonCode::{RemoteInputDevice, RemoteInputLoopDelay};
    let directory = tempfile::tempdir().expect("a directory");
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    let mut watch = watch(&service, "").await.expect("a watch");
    flag(&service, "w1").await;
    until(&mut watch, "w1", true).await;
    let before = standing(&service, "w1").await;
    assert!(!record(&service, label("f1", of_worker("w1"), &[RemoteInputLoopDelay])).await.expect("recorded"));
    let told = next(&mut watch).await.expect("no error").expect("news");
    assert_eq!((told.0.as_str(), told.1), ("w1", false), "watchers hear of it");
    let after = standing(&service, "w1").await;
    assert!(!after.flagged && after.flag_time == before.flag_time);
    assert_eq!(after.cleared_reasons, [RemoteInputLoopDelay as i32]);
    assert_eq!(contribution(&after, RemoteInputLoopDelay), 0.0);
    assert!((contribution(&after, RemoteInputDevice) - contribution(&before, RemoteInputDevice)).abs() < 1e-3);

    // The same, day after day, was explained.
    drop(watch);
    service.ended().await;
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    for minute in 0..6 {
        send(&service, remote(&format!("later-{minute}"), "w1", today() + minute * 60)).await;
    }
    assert_eq!(contribution(&standing(&service, "w1").await, RemoteInputLoopDelay), 0.0);

    // A later label on the same subject that clears nothing withdraws what the first one cleared.
    assert!(record(&service, label("f2", of_worker("w1"), &[])).await.expect("recorded"));
    let withdrawn = standing(&service, "w1").await;
    assert!(withdrawn.flagged && withdrawn.cleared_reasons.is_empty());
}

#[tokio::test]
async fn feedback_is_answered_once_per_id_and_superseded_per_subject() {
    let directory = tempfile::tempdir().expect("a directory");
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    let mut event = login("e1", "w1", today(), 1);
    event.session_id = "s1".into();
    send(&service, event).await;
    let of_event = || Subject::EventId("e1".into());
    assert!(!record(&service, label("f1", of_event(), &[])).await.expect("recorded"));
    assert!(!record(&service, label("f1", of_event(), &[])).await.expect("repeated"));
    let mut other = label("f1", of_event(), &[]);
    other.label = wire::Label::Impostor as i32;
    let status = record(&service, other.clone()).await.expect_err("other content");
    assert_eq!(reason(&status), (Code::AlreadyExists, "FEEDBACK_ID_REUSED".into()));
    assert_eq!(metadata(&status, "feedback_id"), "f1");
    other.feedback_id = "f2".into();
    assert!(record(&service, other).await.expect("recorded"), "a later label supersedes");
    assert!(!record(&service, label("f1", of_event(), &[])).await.expect("a repeat changes nothing"));
    let mut old = label("f3", of_event(), &[]);
    old.review_time = common::time(today() - 30 * DAY);
    assert!(!record(&service, old).await.expect("recorded"), "an older review supersedes nothing");
    assert!(!record(&service, label("f4", Subject::SessionId("s1".into()), &[])).await.expect("recorded"));

    service.ended().await;
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    assert!(!record(&service, label("f1", of_event(), &[])).await.expect("the first answer, after a restart"));
    let status = record(&service, label("f2", of_event(), &[])).await.expect_err("other content");
    assert_eq!(reason(&status).1, "FEEDBACK_ID_REUSED");
    let unknown = [
        (Subject::EventId("e9".into()), "verdict"),
        (Subject::SessionId("s9".into()), "session"),
        (of_worker("w9"), "profile"),
    ];
    for (subject, resource) in unknown {
        let status = record(&service, label("f9", subject, &[])).await.expect_err("unknown");
        assert_eq!((reason(&status).1.as_str(), metadata(&status, "resource").as_str()), ("NOT_FOUND", resource));
    }
    let mut profiles = ProfileServiceClient::new(service.channel.clone());
    let erase = || wire::DeleteProfileRequest { worker_id: "w1".into() };
    assert_eq!(profiles.delete_profile(erase()).await.expect("an erasure").into_inner().feedback_count, 4);
    assert_eq!(profiles.delete_profile(erase()).await.expect("an erasure").into_inner().feedback_count, 0);
    let status = record(&service, label("f4", Subject::SessionId("s1".into()), &[])).await.expect_err("erased");
    assert_eq!(reason(&status).1, "NOT_FOUND");
}

#[tokio::test]
async fn a_batch_of_feedback_answers_entry_by_entry() {
    let service = start().await;
    send(&service, login("e1", "w1", today(), 1)).await;
    let good = label("f1", of_worker("w1"), &[wire::ReasonCode::NetworkAnonymized]);
    let mut bad = label("f2", of_worker("w1"), &[]);
    (bad.label, bad.source) = (0, 77);
    let feedback = vec![good.clone(), bad, label("f3", of_worker("nobody"), &[]), good];
    let mut client = FeedbackServiceClient::new(service.channel.clone());
    let reply = client.batch_record_feedback(wire::BatchRecordFeedbackRequest { feedback }).await.expect("statuses");
    let statuses = reply.into_inner().statuses;
    let codes: Vec<i32> = statuses.iter().map(|status| status.code).collect();
    let (invalid, missing) = (Code::InvalidArgument as i32, Code::NotFound as i32);
    assert_eq!(codes, [0, invalid, missing, invalid]);
    assert!(statuses[1].message.contains("feedback[1].label") && statuses[1].message.contains("feedback[1].source"));
    assert!(statuses[3].message.contains("feedback[3].feedback_id"));
    assert_eq!(standing(&service, "w1").await.cleared_reasons, [wire::ReasonCode::NetworkAnonymized as i32]);
    let many = (0..1001).map(|number| label(&format!("m{number}"), of_worker("w1"), &[])).collect();
    let status = client.batch_record_feedback(wire::BatchRecordFeedbackRequest { feedback: many }).await;
    assert_eq!(reason(&status.expect_err("too many")).1, "TOO_MANY_ITEMS");
    let status = client.record_feedback(wire::RecordFeedbackRequest::default()).await.expect_err("nothing");
    assert_eq!(fields(&status), BTreeSet::from(["feedback".into()]));
}

fn linkage(service: &Running) -> LinkageServiceClient<Channel> {
    LinkageServiceClient::new(service.channel.clone())
}

async fn clusters(service: &Running) -> Vec<wire::OperatorCluster> {
    let ask = wire::ListOperatorClustersRequest::default();
    linkage(service).list_operator_clusters(ask).await.expect("clusters").into_inner().clusters
}

/// Two farms of five and four, and a couple, each behind a gateway of its own.
fn company() -> Vec<wire::SessionEvent> {
    let mut events = Vec::new();
    for worker in 0..5 {
        events.push(shared(&format!("f{worker}"), &format!("farm-{worker}"), today(), worker, 1));
    }
    for worker in 0..4 {
        events.push(shared(&format!("g{worker}"), &format!("other-{worker}"), today(), worker, 2));
    }
    for worker in 0..2 {
        events.push(shared(&format!("c{worker}"), &format!("couple-{worker}"), today(), 3, 3));
    }
    events
}

#[tokio::test]
async fn farms_are_clusters_couples_are_not_and_the_order_of_events_is_free() {
    let (service, turned) = (start().await, start().await);
    for event in company() {
        send(&service, event).await;
    }
    for event in company().into_iter().rev() {
        send(&turned, event).await;
    }
    let found = clusters(&service).await;
    let members: Vec<usize> = found.iter().map(|cluster| cluster.worker_ids.len()).collect();
    assert_eq!(members, [5, 4], "largest evidence first");
    assert!(found.iter().all(|cluster| cluster.probability > 0.8 && cluster.links.is_empty()));
    let same = clusters(&turned).await;
    let shape = |cluster: &wire::OperatorCluster| (cluster.worker_ids.clone(), cluster.probability.to_bits());
    assert_eq!(found.iter().map(shape).collect::<Vec<_>>(), same.iter().map(shape).collect::<Vec<_>>());

    let ask = wire::GetOperatorClusterRequest { cluster_id: found[0].cluster_id.clone() };
    let got = linkage(&service).get_operator_cluster(ask).await.expect("a cluster").into_inner().cluster;
    let got = got.expect("a cluster");
    // Five workers, ten pairs, a gateway and an address each.
    assert_eq!((got.worker_ids.len(), got.links.len()), (5, 20));
    assert!(got.links.windows(2).all(|two| two[0].weight_log_odds >= two[1].weight_log_odds));
    let unknown = wire::GetOperatorClusterRequest { cluster_id: "oc-0".into() };
    let status = linkage(&service).get_operator_cluster(unknown).await.expect_err("unknown");
    assert_eq!(metadata(&status, "resource"), "cluster");

    let one = wire::ListOperatorClustersRequest { page_size: 1, ..Default::default() };
    let page = linkage(&service).list_operator_clusters(one.clone()).await.expect("a page").into_inner();
    let rest = wire::ListOperatorClustersRequest { page_token: page.next_page_token, ..one };
    let rest = linkage(&service).list_operator_clusters(rest).await.expect("a page").into_inner();
    assert_eq!((page.clusters, rest.next_page_token.as_str()), (found[..1].to_vec(), ""));
    assert_eq!(rest.clusters, found[1..]);
    let low = wire::ListOperatorClustersRequest { min_worker_count: 5, ..Default::default() };
    assert_eq!(linkage(&service).list_operator_clusters(low).await.expect("a page").into_inner().clusters.len(), 1);
    let bad =
        wire::ListOperatorClustersRequest { min_probability: Some(2.0), page_token: "x".into(), ..Default::default() };
    let status = linkage(&service).list_operator_clusters(bad).await.expect_err("a refusal");
    assert_eq!(fields(&status), BTreeSet::from(["min_probability".into(), "page_token".into()]));
}

#[tokio::test]
async fn links_are_told_strongest_first_and_go_with_the_worker() {
    let service = start().await;
    for event in company() {
        send(&service, event).await;
    }
    let ask = |worker: &str, least: f64| wire::ListLinkedWorkersRequest {
        worker_id: worker.into(),
        min_weight_log_odds: least,
        ..Default::default()
    };
    let links = |service: &Running, ask: wire::ListLinkedWorkersRequest| {
        let mut client = linkage(service);
        async move { client.list_linked_workers(ask).await.map(tonic::Response::into_inner) }
    };
    let found = links(&service, ask("farm-0", 0.0)).await.expect("links").links;
    assert_eq!(found.len(), 8, "four others, a gateway and an address each");
    assert_eq!(found[0].kind, wire::LinkKind::Site as i32);
    assert!((found[0].weight_log_odds - 2.2).abs() < 1e-9 && found[0].event_count == 2);
    assert!(found.iter().all(|link| link.worker_id == "farm-0" && link.first_seen_time == link.last_seen_time));
    assert!(links(&service, ask("couple-0", 0.0)).await.expect("links").links.is_empty(), "a couple is quiet");
    assert_eq!(links(&service, ask("couple-0", -9.0)).await.expect("links").links.len(), 2, "and not hidden");
    let small = wire::ListLinkedWorkersRequest { page_size: 3, ..ask("farm-0", 0.0) };
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = links(&service, wire::ListLinkedWorkersRequest { page_token: token, ..small.clone() }).await;
        let page = page.expect("a page");
        seen.extend(page.links);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, found);
    let status = links(&service, ask("nobody", 0.0)).await.expect_err("unknown");
    assert_eq!(reason(&status), (Code::NotFound, "NOT_FOUND".into()));
    let status = links(&service, ask("farm-0", f64::NAN)).await.expect_err("no number");
    assert_eq!(fields(&status), BTreeSet::from(["min_weight_log_odds".into()]));

    let mut profiles = ProfileServiceClient::new(service.channel.clone());
    let erased = profiles.delete_profile(wire::DeleteProfileRequest { worker_id: "farm-1".into() }).await;
    assert_eq!(erased.expect("an erasure").into_inner().link_count, 4);
    let left = links(&service, ask("farm-0", 0.0)).await.expect("links").links;
    assert!(left.len() == 6 && left.iter().all(|link| link.other_worker_id != "farm-1"));
}

#[tokio::test]
async fn a_cluster_keeps_its_name_while_most_members_stay_also_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    for event in company() {
        send(&service, event).await;
    }
    let before = clusters(&service).await;
    let mut profiles = ProfileServiceClient::new(service.channel.clone());
    profiles.delete_profile(wire::DeleteProfileRequest { worker_id: "farm-0".into() }).await.expect("an erasure");
    send(&service, shared("new", "farm-9", today(), 5, 1)).await;
    service.ended().await;
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    let after = clusters(&service).await;
    let names = |found: &[wire::OperatorCluster]| -> BTreeSet<String> {
        found.iter().map(|cluster| cluster.cluster_id.clone()).collect()
    };
    assert_eq!(names(&before), names(&after));
    let farm = after.iter().find(|cluster| cluster.cluster_id == before[0].cluster_id).expect("the farm");
    assert_eq!(farm.worker_ids, ["farm-1", "farm-2", "farm-3", "farm-4", "farm-9"]);
}

fn tenant(id: &str, token: &str) -> TenantUnchecked {
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    TenantUnchecked {
        id: id.into(),
        token_sha256: elsewhere::model::artefact::hex(&hash),
        cadence_tables: false,
        secret_typing: false,
    }
}

fn signed<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    request
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
    assert_eq!(reason(&status).1, "RESUME_TOKEN_LAPSED");
    let mut feedback = FeedbackServiceClient::new(service.channel.clone());
    let entry = wire::RecordFeedbackRequest { feedback: Some(label("f1", Subject::EventId("e0".into()), &[])) };
    let status = feedback.record_feedback(signed(entry, "two")).await.expect_err("another's event");
    assert_eq!(reason(&status).1, "NOT_FOUND");
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
        assert_eq!(reason(&status), (Code::InvalidArgument, "NONCE_REFUSED".into()));
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
