//! A real client and a real server on loopback: bad input, deadlines, cancelled calls, drain, replay, erasure.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{MONDAY, fields, login, reason, request, signed, start, start_with, tenant, time};
use elsewhere::api::wire;
use elsewhere::api::wire::assessment_result::Outcome;
use elsewhere::api::wire::model_service_client::ModelServiceClient;
use elsewhere::api::wire::profile_service_client::ProfileServiceClient;
use elsewhere::api::wire::standing_service_client::StandingServiceClient;
use elsewhere::config::{ConfigUnchecked, TenantUnchecked};
use std::collections::BTreeSet;
use std::time::Duration;
use tonic::{Code, Request};
use tonic_types::StatusExt;

#[tokio::test]
async fn a_login_gets_a_verdict_whose_numbers_add_up() {
    let service = start().await;
    let reply = service.risk().assess_session(request(login("e1", "w1", MONDAY, 1))).await.expect("a verdict");
    let verdict = reply.into_inner().verdict.expect("a verdict");
    let explained: f64 = verdict.base_log_odds
        + verdict.reasons.iter().map(|reason| reason.contribution_log_odds).sum::<f64>()
        + verdict.residual_log_odds;
    assert!((explained - verdict.risk_log_odds).abs() < 1e-6);
    assert_eq!(verdict.families.len(), 6);
    assert_eq!(verdict.model.expect("a model").model_sha256.len(), 32);
    assert_eq!(verdict.standing.expect("a standing").worker_id, "w1");
    assert!(!verdict.replayed);
    assert_eq!(service.ended().await.verdict_count, 1);
}

#[tokio::test]
async fn every_violation_comes_at_once_with_its_path() {
    let service = start().await;
    let mut event = login("e 1", "", MONDAY, 1);
    event.activity = 77;
    event.event_time = None;
    let typing = event.typing.as_mut().expect("typing");
    typing.dwell_micros.pop();
    typing.press_interval_micros[3] = 99_000_000;
    event.claim.as_mut().expect("a claim").place.as_mut().expect("a place").latitude_degrees = f64::NAN;
    event.network.as_mut().expect("a network").ip_address = "not an address".into();
    let status = service.risk().assess_session(request(event)).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(reason(&status), "INVALID_FIELDS");
    let expected = [
        "event.event_id",
        "event.worker_id",
        "event.event_time",
        "event.activity",
        "event.claim.place.latitude_degrees",
        "event.typing.dwell_micros",
        "event.typing.press_interval_micros[3]",
        "event.network.ip_address",
    ];
    let found = fields(&status);
    assert_eq!(found, expected.iter().map(ToString::to_string).collect());
    for field in expected {
        assert!(status.message().contains(field), "the message does not name {field}");
    }
}

#[tokio::test]
async fn unequal_columns_and_secrets_have_reasons_of_their_own() {
    let service = start().await;
    let mut short = login("e1", "w1", MONDAY, 1);
    short.typing.as_mut().expect("typing").dwell_micros.pop();
    let status = service.risk().assess_session(request(short)).await.expect_err("a refusal");
    assert_eq!(reason(&status), "COLUMN_LENGTHS_DIFFER");
    let details = status.get_error_details();
    let metadata = &details.error_info().expect("an ErrorInfo").metadata;
    assert_eq!((metadata["expected"].as_str(), metadata["actual"].as_str()), ("11", "10"));

    let mut secret = login("e2", "w1", MONDAY, 1);
    let typing = secret.typing.as_mut().expect("typing");
    typing.context = wire::TypingContext::Secret as i32;
    typing.phrase_id.clear();
    typing.key_classes.clear();
    let status = service.risk().assess_session(request(secret)).await.expect_err("a refusal");
    assert_eq!(reason(&status), "SECRET_TYPING_REFUSED");
}

#[tokio::test]
async fn an_event_in_the_future_is_refused_and_five_minutes_are_forgiven() {
    let service = start().await;
    let now = elsewhere::api::assess::system_now().0 / 1_000_000;
    let status =
        service.risk().assess_session(request(login("e1", "w1", now + 3_600, 1))).await.expect_err("a refusal");
    assert_eq!(fields(&status), BTreeSet::from(["event.event_time".to_string()]));
    assert!(service.risk().assess_session(request(login("e2", "w1", now + 120, 1))).await.is_ok());
}

#[tokio::test]
async fn a_repeated_event_is_answered_as_before_and_other_content_is_refused() {
    let service = start().await;
    let first = service.risk().assess_session(request(login("e1", "w1", MONDAY, 1))).await.expect("a verdict");
    let mut again = request(login("e1", "w1", MONDAY, 1));
    again.profile_update = wire::ProfileUpdate::Never as i32;
    let second =
        service.risk().assess_session(again).await.expect("a verdict").into_inner().verdict.expect("a verdict");
    let mut first = first.into_inner().verdict.expect("a verdict");
    assert!(second.replayed);
    first.replayed = true;
    assert_eq!(first, second);

    let status = service.risk().assess_session(request(login("e1", "w1", MONDAY, 2))).await.expect_err("a refusal");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "EVENT_ID_REUSED"));
    let details = status.get_error_details();
    let metadata = &details.error_info().expect("an ErrorInfo").metadata;
    assert_eq!(metadata["event_id"], "e1");
    assert!(metadata.contains_key("first_assess_time"));

    let kept = service.risk().get_verdict(wire::GetVerdictRequest { event_id: "e1".into() }).await.expect("a verdict");
    first.replayed = false;
    assert_eq!(kept.into_inner().verdict, Some(first));
    let missing = service.risk().get_verdict(wire::GetVerdictRequest { event_id: "e9".into() }).await;
    assert_eq!(missing.expect_err("a refusal").code(), Code::NotFound);
}

#[tokio::test]
async fn a_batch_answers_item_by_item_in_request_order() {
    let service = start().await;
    let bad = wire::SessionEvent { event_id: "bad".into(), ..Default::default() };
    let events = vec![
        login("late", "w1", MONDAY + 600, 2),
        bad,
        login("early", "w1", MONDAY, 1),
        login("early", "w1", MONDAY, 1),
    ];
    let mut risk = service.risk();
    let reply = risk.batch_assess_sessions(wire::BatchAssessSessionsRequest { events, ..Default::default() });
    let results = reply.await.expect("results").into_inner().results;
    let ids: Vec<&str> = results.iter().map(|result| result.event_id.as_str()).collect();
    assert_eq!(ids, ["late", "bad", "early", "early"]);
    let verdict = |index: usize| match &results[index].outcome {
        Some(Outcome::Verdict(verdict)) => verdict,
        other => panic!("no verdict at {index}: {other:?}"),
    };
    assert!(matches!(&results[1].outcome, Some(Outcome::Error(status)) if status.code == Code::InvalidArgument as i32));
    // Scored in time order: the early event first, so the late one knows one session more.
    let sessions = |index: usize| verdict(index).standing.as_ref().expect("a standing").session_count;
    assert_eq!((sessions(2), sessions(0)), (1, 2));
    assert!(!verdict(2).replayed && verdict(3).replayed);

    let many = (0..1001).map(|index| login(&format!("m{index}"), "w2", MONDAY, 1)).collect();
    let status = service
        .risk()
        .batch_assess_sessions(wire::BatchAssessSessionsRequest { events: many, ..Default::default() })
        .await
        .expect_err("a refusal");
    assert_eq!(reason(&status), "TOO_MANY_ITEMS");
}

#[tokio::test]
async fn a_stream_answers_every_event_and_survives_bad_ones() {
    let service = start().await;
    let total = 500;
    let requests: Vec<_> = (0..total)
        .map(|index| {
            let mut event = login(&format!("s{index}"), &format!("w{}", index % 7), MONDAY + i64::from(index), index);
            if index % 10 == 3 {
                event.activity = 0;
            }
            wire::StreamAssessSessionsRequest { event: Some(event), profile_update: 0 }
        })
        .collect();
    let reply = service.risk().stream_assess_sessions(tokio_stream::iter(requests)).await.expect("a stream");
    let mut results = reply.into_inner();
    let (mut verdicts, mut errors, mut ids) = (0, 0, BTreeSet::new());
    while let Some(response) = results.message().await.expect("a result") {
        let result = response.result.expect("a result");
        match result.outcome.expect("an outcome") {
            Outcome::Verdict(_) => verdicts += 1,
            Outcome::Error(_) => errors += 1,
        }
        ids.insert(result.event_id);
    }
    assert_eq!((verdicts, errors, ids.len()), (450, 50, 500));
    let ended = service.ended().await;
    assert_eq!((ended.verdict_count, ended.refusal_count), (450, 50), "received = verdicts + refusals");
}

#[tokio::test]
async fn a_deadline_is_kept_and_a_cancelled_call_leaves_the_service_well() {
    let service = start().await;
    let mut hurried = Request::new(request(login("e1", "w1", MONDAY, 1)));
    hurried.set_timeout(Duration::from_nanos(1));
    let status = service.risk().assess_session(hurried).await.expect_err("no time");
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status}");

    let mut client = service.risk();
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let first = wire::StreamAssessSessionsRequest { event: Some(login("c1", "w1", MONDAY, 1)), profile_update: 0 };
    sender.send(first).await.expect("room");
    let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut results = client.stream_assess_sessions(requests).await.expect("a stream").into_inner();
    assert!(results.message().await.expect("a result").is_some());
    drop(results);
    drop(sender);
    assert!(service.risk().assess_session(request(login("e2", "w1", MONDAY, 2))).await.is_ok());
}

#[tokio::test]
async fn a_call_past_the_services_own_deadline_is_told_so_and_may_be_repeated() {
    let config = ConfigUnchecked { deadline_millis: 1, ..ConfigUnchecked::default() };
    let service = start_with(config, None).await;
    // Hundreds of logins take longer than a millisecond on any machine.
    let events = (0..600).map(|index| login(&format!("b{index}"), &format!("w{index}"), MONDAY, index)).collect();
    let batch = wire::BatchAssessSessionsRequest { events, ..Default::default() };
    let status = service.risk().batch_assess_sessions(batch).await.expect_err("no time");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    let info = status.get_error_details().error_info().cloned().expect("an ErrorInfo");
    assert_eq!(info.metadata["deadline_millis"], "1");
    service.ended().await;
}

#[tokio::test]
async fn a_drain_answers_calls_in_flight_and_turns_others_away() {
    let mut service = start().await;
    let (sender, receiver) = tokio::sync::mpsc::channel(64);
    let mut client = service.risk();
    let send = |index: u32| wire::StreamAssessSessionsRequest {
        event: Some(login(&format!("d{index}"), "w1", MONDAY + i64::from(index), index)),
        profile_update: 0,
    };
    for index in 0..32 {
        sender.send(send(index)).await.expect("room");
    }
    let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut results = client.stream_assess_sessions(requests).await.expect("a stream").into_inner();
    let mut answered = 0;
    while answered < 32 {
        assert!(results.message().await.expect("a result").is_some());
        answered += 1;
    }
    service.tell_to_stop();
    // The stream ends by itself although the caller never closed it.
    while results.message().await.unwrap_or(None).is_some() {
        answered += 1;
    }
    assert_eq!(answered, 32);
    let late = client.assess_session(request(login("late", "w1", MONDAY + 99, 1))).await;
    assert!(late.is_err_and(|status| status.code() == Code::Unavailable));
    let ended = service.ended().await;
    assert!(ended.drained);
    assert_eq!(ended.verdict_count, 32);
}

#[tokio::test]
async fn a_worker_can_be_shown_erased_and_erased_again() {
    let service = start().await;
    for turn in 0..5 {
        let event = login(&format!("p{turn}"), "w1", MONDAY + i64::from(turn) * 86_400, turn);
        service.risk().assess_session(request(event)).await.expect("a verdict");
    }
    let mut profiles = ProfileServiceClient::new(service.channel.clone());
    let ask = || wire::GetProfileRequest { worker_id: "w1".into() };
    let profile = profiles.get_profile(ask()).await.expect("a profile").into_inner().profile.expect("a profile");
    assert_eq!(profile.worker_id, "w1");
    assert_eq!(profile.verdict_count, 5);
    assert!(profile.maturity.expect("a maturity").press_count >= 11);
    assert_eq!(profile.activity_by_hour.len(), 168);

    let erase = || wire::DeleteProfileRequest { worker_id: "w1".into() };
    let erased = profiles.delete_profile(erase()).await.expect("an erasure").into_inner();
    assert_eq!(erased.verdict_count, 5);
    assert!(erased.delete_time.is_some());
    let again = profiles.delete_profile(erase()).await.expect("an erasure").into_inner();
    assert_eq!((again.verdict_count, again.link_count), (0, 0));
    assert_eq!(profiles.get_profile(ask()).await.expect_err("a refusal").code(), Code::NotFound);
    let verdict = service.risk().get_verdict(wire::GetVerdictRequest { event_id: "p0".into() }).await;
    assert_eq!(verdict.expect_err("a refusal").code(), Code::NotFound);

    // An event dated before the erasure is scored and teaches nothing.
    service.risk().assess_session(request(login("old", "w1", MONDAY, 1))).await.expect("a verdict");
    let standings = StandingServiceClient::new(service.channel.clone())
        .get_standing(wire::GetStandingRequest { worker_id: "w1".into() })
        .await;
    let nothing = match standings {
        Err(status) => status.code() == Code::NotFound,
        Ok(reply) => reply.into_inner().standing.is_some_and(|standing| standing.session_count == 0),
    };
    assert!(nothing, "an event dated before the erasure taught something");
}

#[tokio::test]
async fn standings_are_listed_page_by_page() {
    let service = start().await;
    for worker in 0..7 {
        let event = login(&format!("l{worker}"), &format!("w{worker}"), MONDAY, worker);
        service.risk().assess_session(request(event)).await.expect("a verdict");
    }
    let mut standings = StandingServiceClient::new(service.channel.clone());
    let (mut seen, mut token, mut last) = (BTreeSet::new(), String::new(), f64::INFINITY);
    loop {
        let ask = wire::ListStandingsRequest { include_unflagged: true, page_size: 3, page_token: token };
        let page = standings.list_standings(ask).await.expect("a page").into_inner();
        for standing in page.standings {
            assert!(standing.evidence_log_odds <= last + 1e-6, "strongest first");
            last = standing.evidence_log_odds;
            assert!(seen.insert(standing.worker_id), "a worker came twice");
        }
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 7);
    let flagged = standings.list_standings(wire::ListStandingsRequest::default()).await.expect("a page");
    assert!(flagged.into_inner().standings.iter().all(|standing| standing.flagged));
    let ask = wire::ListStandingsRequest { page_token: "nonsense".into(), ..Default::default() };
    assert_eq!(
        fields(&standings.list_standings(ask).await.expect_err("a refusal")),
        BTreeSet::from(["page_token".into()])
    );
    let unknown = standings.get_standing(wire::GetStandingRequest { worker_id: "nobody".into() }).await;
    assert_eq!(unknown.expect_err("a refusal").code(), Code::NotFound);
}

#[tokio::test]
async fn models_are_named_and_unknown_ones_are_refused() {
    let service = start().await;
    let mut models = ModelServiceClient::new(service.channel.clone());
    let listed = models.list_models(wire::ListModelsRequest::default()).await.expect("models").into_inner().models;
    assert_eq!(listed.len(), 1);
    let reference = listed[0].reference.clone().expect("a reference");
    assert!(listed[0].default_model);
    let got = models.get_model(wire::GetModelRequest::default()).await.expect("a model").into_inner().model;
    assert_eq!(got.and_then(|model| model.reference), Some(reference.clone()));
    let unknown = models.get_model(wire::GetModelRequest { model_id: "nope".into() }).await.expect_err("a refusal");
    assert_eq!(unknown.code(), Code::NotFound);

    let mut named = request(login("m1", "w1", MONDAY, 1));
    named.model_id = reference.model_id;
    assert!(service.risk().assess_session(named).await.is_ok());
    let mut other = request(login("m2", "w1", MONDAY, 1));
    other.model_id = "session-risk-999".into();
    let status = service.risk().assess_session(other).await.expect_err("a refusal");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "MODEL_NOT_LOADED"));
}

#[tokio::test]
async fn every_reason_is_described_page_by_page() {
    let service = start().await;
    let mut models = ModelServiceClient::new(service.channel.clone());
    let mut ask = async |page_size: u32, page_token: String| {
        let request = wire::ListReasonDescriptionsRequest { page_size, page_token };
        models.list_reason_descriptions(request).await.map(tonic::Response::into_inner)
    };
    let all = ask(0, String::new()).await.expect("descriptions");
    assert!(all.next_page_token.is_empty() && all.catalogue_version > 0);
    let codes: BTreeSet<i32> = all.reason_descriptions.iter().map(|one| one.code).collect();
    let known = (1..1_000).filter(|number| wire::ReasonCode::try_from(*number).is_ok());
    assert_eq!(codes, known.collect(), "every code of the contract, and none besides");
    for one in &all.reason_descriptions {
        assert!(!one.sentence.is_empty() && !one.headline.is_empty() && !one.reassurance.is_empty(), "{one:?}");
        assert!(!one.benign_explanations.is_empty() && !one.refutations.is_empty(), "{one:?}");
        assert!(one.code / 100 == one.family && !one.attack_version.is_empty(), "{one:?}");
    }
    let mut paged = Vec::new();
    let mut token = String::new();
    loop {
        let page = ask(10, token).await.expect("a page");
        assert!(page.reason_descriptions.len() <= 10);
        paged.extend(page.reason_descriptions);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, all.reason_descriptions);
    assert_eq!(
        fields(&ask(10, "nonsense".into()).await.expect_err("a refusal")),
        BTreeSet::from(["page_token".into()])
    );
}

#[tokio::test]
async fn a_login_does_not_wait_for_a_delayed_acknowledgement() {
    let service = start().await;
    let mut fastest = Duration::MAX;
    for turn in 0..12 {
        let started = tokio::time::Instant::now();
        let event = login(&format!("e{turn}"), "w1", MONDAY + i64::from(turn) * 60, turn);
        service.risk().assess_session(request(event)).await.expect("a verdict");
        fastest = fastest.min(started.elapsed());
    }
    // Without TCP_NODELAY every answer waits some 40 ms; the fastest of twelve does not see a busy machine.
    assert!(fastest < Duration::from_millis(25), "{fastest:?}");
}

#[tokio::test]
async fn health_is_told_per_service_and_reflection_lists_them() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    let service = start().await;
    let mut health = HealthClient::new(service.channel.clone());
    let mut check = async |name: &str| {
        let ask = HealthCheckRequest { service: name.into() };
        health.check(ask).await.map(|reply| reply.into_inner().status)
    };
    for serving in ["", "elsewhere.v1.SessionRiskService", "elsewhere.v1.ProfileService", "elsewhere.v1.ModelService"] {
        assert_eq!(check(serving).await.expect("a status"), 1, "{serving}");
    }
    for serving in ["elsewhere.v1.FeedbackService", "elsewhere.v1.LinkageService"] {
        assert_eq!(check(serving).await.expect("a status"), 1, "{serving}");
    }
    assert_eq!(check("elsewhere.v1.Nothing").await.expect_err("unknown").code(), Code::NotFound);
}

#[tokio::test]
async fn tenants_never_meet() {
    let tenants = vec![tenant("acme", "one"), TenantUnchecked { cadence_tables: true, ..tenant("tables", "two") }];
    let service = start_with(ConfigUnchecked { tenants, ..ConfigUnchecked::default() }, None).await;
    let mut risk = service.risk();
    let nobody = risk.assess_session(request(login("e1", "w1", MONDAY, 1))).await.expect_err("no credential");
    assert_eq!((nobody.code(), reason(&nobody).as_str()), (Code::Unauthenticated, "UNAUTHENTICATED"));
    let stranger = risk.assess_session(signed(request(login("e1", "w1", MONDAY, 1)), "three")).await;
    let stranger = stranger.expect_err("a token of no tenant");
    assert_eq!((stranger.code(), reason(&stranger).as_str()), (Code::Unauthenticated, "UNAUTHENTICATED"));
    risk.assess_session(signed(request(login("e1", "w1", MONDAY, 1)), "one")).await.expect("a verdict");
    let ask = || wire::GetVerdictRequest { event_id: "e1".into() };
    assert_eq!(risk.get_verdict(signed(ask(), "two")).await.expect_err("another's").code(), Code::NotFound);
    assert!(risk.get_verdict(signed(ask(), "one")).await.is_ok());

    // A tenant that sends tables sends no ordered free typing, and one that does not may not send tables.
    let mut free = login("e2", "w1", MONDAY, 1);
    let typing = free.typing.as_mut().expect("typing");
    typing.context = wire::TypingContext::FreeText as i32;
    typing.phrase_id.clear();
    let status = risk.assess_session(signed(request(free.clone()), "two")).await.expect_err("a refusal");
    assert_eq!(fields(&status), BTreeSet::from(["event.typing.shuffled".to_string()]));
    assert!(risk.assess_session(signed(request(free), "one")).await.is_ok());
    let mut table = login("e3", "w1", MONDAY, 1);
    table.cadence = Some(wire::CadenceTable {
        press_count: 200,
        keys: vec![wire::KeyTime { usage: 4, count: 16, dwell_median_micros: 90_000, dwell_spread_micros: 9_000 }],
        digraphs: vec![],
        timer_resolution_micros: 1_000,
    });
    let status = risk.assess_session(signed(request(table.clone()), "one")).await.expect_err("a refusal");
    assert_eq!(fields(&status), BTreeSet::from(["event.cadence".to_string()]));
    assert!(risk.assess_session(signed(request(table), "two")).await.is_ok());
}

#[tokio::test]
async fn load_beyond_the_limit_is_shed_with_advice() {
    let config = ConfigUnchecked { in_flight_max: 1, ..ConfigUnchecked::default() };
    let service = start_with(config, None).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let _open = service.risk().stream_assess_sessions(requests).await.expect("a stream");
    let status = service.risk().assess_session(request(login("e1", "w1", MONDAY, 1))).await.expect_err("shed");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert!(status.get_error_details().retry_info().is_some());
    drop(sender);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    let mut given = Vec::new();
    for turn in 0..8 {
        let event = login(&format!("k{turn}"), "w1", MONDAY + i64::from(turn) * 3_600, turn);
        given.push(service.risk().assess_session(request(event)).await.expect("a verdict").into_inner().verdict);
    }
    service.ended().await;
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    for (turn, verdict) in given.into_iter().enumerate() {
        let ask = wire::GetVerdictRequest { event_id: format!("k{turn}") };
        assert_eq!(service.risk().get_verdict(ask).await.expect("a verdict").into_inner().verdict, verdict);
    }
    let next = service.risk().assess_session(request(login("k9", "w1", MONDAY + 40_000, 3))).await.expect("a verdict");
    let standing = next.into_inner().verdict.expect("a verdict").standing.expect("a standing");
    assert_eq!(standing.session_count, 9);
    assert_eq!(time(1), Some(wire::Timestamp { seconds: 1, nanos: 0 }));
}
