//! Laws that hold for any event: sums, bounds, idempotency, and refusals instead of panics.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::pipeline;
use elsewhere::api::{convert, json_line, wire};
use elsewhere::event::{Rules, TablePolicy, Violations};
use elsewhere::history::{Config, MemoryStore, TenantId};
use elsewhere::pipeline::{Pipeline, Submission, Update};
use elsewhere::risk::Verdict;
use proptest::prelude::*;
use std::sync::{Arc, OnceLock};

const RULES: Rules = Rules { now: None, secret_typing_allowed: true, tables: TablePolicy::PerEvent };

/// One pipeline for all laws, a tenant for each: time runs apart in each, so that no law ages another's replies.
fn shared(law: &str) -> (&'static Pipeline, TenantId) {
    static SHARED: OnceLock<Pipeline> = OnceLock::new();
    let pipeline = SHARED.get_or_init(|| pipeline(Arc::new(MemoryStore::new(Config::of_events()))));
    (pipeline, pipeline.store().tenant(law).expect("a tenant"))
}

fn place() -> impl Strategy<Value = wire::Place> {
    (-90.0..=90.0_f64, -180.0..=180.0_f64, 0..2_000_u32).prop_map(|(latitude_degrees, longitude_degrees, radius_km)| {
        wire::Place { latitude_degrees, longitude_degrees, radius_km }
    })
}

fn micros(low: u32, high: u32, most: usize) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(low..high, 0..most)
}

prop_compose! {
    fn typing()(
        mut press_interval_micros in micros(0, 2_000_000, 120).prop_filter("not empty", |column| !column.is_empty()),
        fixed in any::<bool>(), classes in any::<bool>(), dwell in 0..300_000_u32,
        timer in prop::sample::select(vec![100_u32, 1_000, 15_625, 100_000]), insertion_count in 0..2_u32,
    ) -> wire::TypingSample {
        press_interval_micros[0] = 0;
        let n = press_interval_micros.len() as u32;
        wire::TypingSample {
            context: if fixed { 2 } else { 1 },
            phrase_id: if fixed { "p".into() } else { String::new() },
            dwell_micros: (0..n).map(|index| (dwell + index * 7_919) % 400_000).collect(),
            key_classes: if classes { (0..n as i32).map(|index| index % 9).collect() } else { vec![] },
            press_interval_micros,
            timer_resolution_micros: timer,
            insertion_count,
            ..Default::default()
        }
    }
}

prop_compose! {
    fn pointer()(
        mut interval_micros in micros(0, 100_000, 160).prop_filter("not empty", |column| !column.is_empty()),
        step in -40..40_i32, coalesced in any::<bool>(),
    ) -> wire::PointerSample {
        interval_micros[0] = 0;
        let column = |scale: i32| (0..interval_micros.len() as i32).map(|i| if i == 0 { 0 } else { (step * i * scale) % 60 }).collect();
        wire::PointerSample {
            delta_x: column(3), delta_y: column(5), interval_micros, timer_resolution_micros: 1_000,
            source: if coalesced { 2 } else { 1 }, button_down_indexes: vec![],
        }
    }
}

prop_compose! {
    fn network()(
        tcp_rtt_micros in micros(1, 900_000, 8), application_rtt_micros in micros(1, 900_000, 8),
        vantage in prop::option::of(place()), address_place in prop::option::of(place()),
        connection_type in 0..5_i32, anonymizer_detected in prop::option::of(any::<bool>()), asn in 0..5_u32,
    ) -> wire::NetworkSample {
        wire::NetworkSample {
            ip_address: format!("198.51.100.{asn}"), ip_token: vec![asn as u8; 16], region_code: "US".into(),
            autonomous_system_number: asn, connection_type, anonymizer_detected, tcp_rtt_micros, application_rtt_micros,
            vantage, address_place, site_tokens: vec![vec![1; 16]], user_agent: "Chrome 156".into(), ..Default::default()
        }
    }
}

prop_compose! {
    fn event()(
        id in "[a-z]{16}", worker in 0..6_u32, seconds in 0..4_000_000_000_i64, activity in 1..6_i32,
        typing in prop::option::of(typing()), pointer in prop::option::of(pointer()), network in prop::option::of(network()),
        reactions in micros(0, 3_000_000, 9), claim_place in prop::option::of(place()), sanctioned in any::<bool>(),
        assistive in any::<bool>(), offset in prop::option::of(-720..=840_i32),
    ) -> wire::SessionEvent {
        wire::SessionEvent {
            event_id: id, worker_id: format!("w{worker}"), event_time: Some(wire::Timestamp { seconds, nanos: 0 }), activity,
            claim: Some(wire::Claim {
                region_code: "US".into(), place: claim_place, remote_access_sanctioned: sanctioned,
                assistive_technology: assistive, ..Default::default()
            }),
            timezone: offset.map(|offset| wire::TimezoneSample { utc_offset_minutes: Some(offset), ..Default::default() }),
            typing, pointer, network,
            challenge: (!reactions.is_empty()).then(|| wire::ChallengeSample {
                reaction_micros: reactions.clone(), kind: 1, refresh_rate_millihertz: 60_000,
            }),
            ..Default::default()
        }
    }
}

fn submit(law: &str, message: &wire::SessionEvent, update: Update) -> (Arc<Verdict>, bool) {
    let (pipeline, tenant) = shared(law);
    let mut violations = Violations::default();
    let checked = convert::event(message.clone()).check("event", &RULES, &mut violations);
    let event = checked.unwrap_or_else(|| panic!("{violations}"));
    let now = event.samples.time;
    let content_hash = convert::content_hash(message);
    let submission = Submission { event, content_hash, update, model_id: String::new() };
    let assessed = pipeline.assess(tenant, &submission, now).expect("a verdict");
    (assessed.verdict, assessed.replayed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn contributions_add_up_for_any_event(message in event(), always in any::<bool>()) {
        let (verdict, _) = submit("sums", &message, if always { Update::Always } else { Update::IfTrusted });
        prop_assert!((verdict.explained_log_odds() - verdict.risk_log_odds).abs() < 1e-6);
        prop_assert!(verdict.risk_log_odds.is_finite());
        prop_assert!((0.0..=1.0).contains(&verdict.risk_probability));
        prop_assert!(verdict.risk_score <= 100);
        let standing = &verdict.standing;
        let told: f64 = standing.reasons.iter().map(|reason| reason.contribution_log_odds).sum();
        prop_assert!((told + standing.residual_log_odds - standing.evidence_log_odds).abs() < 1e-6);
        for family in &verdict.families {
            prop_assert!(family.log_likelihood_ratio.is_finite());
        }
        let total: f64 = verdict.whereabouts.utc_offsets.iter().map(|(_, probability)| probability).sum();
        prop_assert!(total <= 1.0 + 1e-9);
    }

    #[test]
    fn a_repeat_changes_nothing_whatever_it_asks_for(message in event()) {
        let (first, replayed) = submit("repeats", &message, Update::IfTrusted);
        prop_assume!(!replayed);
        let (second, replayed) = submit("repeats", &message, Update::Always);
        prop_assert!(replayed);
        prop_assert_eq!(first, second);
    }

    #[test]
    fn scoring_without_learning_leaves_no_trace(message in event()) {
        let (pipeline, tenant) = shared("traces");
        submit("traces", &wire::SessionEvent { event_id: format!("{}-taught", message.event_id), ..message.clone() }, Update::Always);
        let before = pipeline.store().record(tenant, &message.worker_id).expect("readable");
        submit("traces", &message, Update::Never);
        let after = pipeline.store().record(tenant, &message.worker_id).expect("readable");
        prop_assert_eq!(before, after);
    }

    #[test]
    fn any_text_is_answered_and_never_panics(line in "\\PC{0,200}") {
        let (_, checked) = json_line::parse(&line).check(&RULES);
        if let Err(violations) = checked {
            prop_assert!(!violations.none());
        }
    }

    #[test]
    fn a_broken_line_is_refused_with_its_fields(message in event(), at in 0..4000_usize, byte in any::<u8>()) {
        let request = wire::AssessSessionRequest { event: Some(message), ..Default::default() };
        let mut text = serde_json::to_string(&request).expect("JSON").into_bytes();
        let position = at % text.len();
        text[position] = byte;
        let text = String::from_utf8_lossy(&text);
        if let (_, Err(violations)) = json_line::parse(&text).check(&RULES) {
            prop_assert!(!violations.none());
            prop_assert!(violations.list().iter().all(|violation| !violation.field.is_empty()));
        }
    }
}
