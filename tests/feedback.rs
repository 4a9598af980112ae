//! Feedback and clearances, through a real client and server.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::services::{DAY, flag, label, metadata, next, refused, remote, send, standing, today, until, watch};
use common::{Running, fields, login, start, start_with};
use elsewhere::api::wire;
use elsewhere::api::wire::feedback::Subject;
use elsewhere::api::wire::feedback_service_client::FeedbackServiceClient;
use elsewhere::api::wire::profile_service_client::ProfileServiceClient;
use elsewhere::config::ConfigUnchecked;
use std::collections::BTreeSet;
use tonic::{Code, Status};

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
    assert_eq!(refused(&status), (Code::AlreadyExists, "FEEDBACK_ID_REUSED".into()));
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
    assert_eq!(refused(&status).1, "FEEDBACK_ID_REUSED");
    let unknown = [
        (Subject::EventId("e9".into()), "verdict"),
        (Subject::SessionId("s9".into()), "session"),
        (of_worker("w9"), "profile"),
    ];
    for (subject, resource) in unknown {
        let status = record(&service, label("f9", subject, &[])).await.expect_err("unknown");
        assert_eq!((refused(&status).1.as_str(), metadata(&status, "resource").as_str()), ("NOT_FOUND", resource));
    }
    let mut profiles = ProfileServiceClient::new(service.channel.clone());
    let erase = || wire::DeleteProfileRequest { worker_id: "w1".into() };
    assert_eq!(profiles.delete_profile(erase()).await.expect("an erasure").into_inner().feedback_count, 4);
    assert_eq!(profiles.delete_profile(erase()).await.expect("an erasure").into_inner().feedback_count, 0);
    let status = record(&service, label("f4", Subject::SessionId("s1".into()), &[])).await.expect_err("erased");
    assert_eq!(refused(&status).1, "NOT_FOUND");
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
    assert_eq!(refused(&status.expect_err("too many")).1, "TOO_MANY_ITEMS");
    let status = client.record_feedback(wire::RecordFeedbackRequest::default()).await.expect_err("nothing");
    assert_eq!(fields(&status), BTreeSet::from(["feedback".into()]));
}
