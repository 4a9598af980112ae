//! A small simulated company lives a month: the farm and the proxied operator are flagged, and nobody else.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::pipeline;
use elsewhere::api::{assess, json_line};
use elsewhere::event::{Rules, TablePolicy};
use elsewhere::history::{Config, MemoryStore};
use elsewhere::pipeline::Submission;
use elsewhere::risk::{ReasonCode, Verdict, WorkerStanding};
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::sync::Arc;

const RULES: Rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };

fn example(name: &str) -> String {
    format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Scenario by worker; for tests only, the scorer never sees it.
fn truth() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(example("company.truth.tsv")).expect("the truth");
    let rows = text.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    rows.map(|row| (row[0].to_string(), row[1].to_string())).collect()
}

/// Every verdict of the month, in order.
fn month() -> Vec<Arc<Verdict>> {
    let pipeline = pipeline(Arc::new(MemoryStore::new(Config::of_events())));
    let tenant = pipeline.store().tenant("t").expect("a tenant");
    let file = std::fs::File::open(example("company.ndjson.gz")).expect("the example company");
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    lines
        .map(|line| {
            let (_, checked) = json_line::parse(&line.expect("a line")).check(&RULES);
            let checked = checked.expect("a sound line");
            let now = checked.event.samples.time;
            let submission = Submission {
                event: checked.event,
                content_hash: checked.content_hash,
                update: assess::update(checked.profile_update),
                model_id: checked.model_id,
            };
            pipeline.assess(tenant, &submission, now).expect("a verdict").verdict
        })
        .collect()
}

fn last_standings(verdicts: &[Arc<Verdict>]) -> BTreeMap<&str, &WorkerStanding> {
    verdicts.iter().map(|verdict| (verdict.worker_id.as_str(), &verdict.standing)).collect()
}

#[test]
fn the_farm_and_the_proxied_operator_are_flagged_and_nobody_else() {
    let verdicts = month();
    let truth = truth();
    let mut ever = BTreeMap::new();
    for verdict in &verdicts {
        *ever.entry(verdict.worker_id.as_str()).or_insert(false) |= verdict.standing.flagged;
    }
    assert_eq!(ever.len(), truth.len());
    for (worker, flagged) in ever {
        let scenario = &truth[worker];
        assert_eq!(flagged, scenario.starts_with('H'), "{worker} ({scenario})");
    }
}

#[test]
fn each_flag_names_what_gave_the_worker_away() {
    let verdicts = month();
    let truth = truth();
    for (worker, standing) in last_standings(&verdicts) {
        let first = standing.reasons.first().map(|reason| reason.code);
        match truth[worker].as_str() {
            "H01" => assert!(
                matches!(
                    first,
                    Some(
                        ReasonCode::RemoteInputLoopDelay
                            | ReasonCode::RemoteInputPointerRelayed
                            | ReasonCode::CrowdSharedSite
                    )
                ),
                "{worker}: {first:?}"
            ),
            "H04" => assert_eq!(first, Some(ReasonCode::NetworkRelayGap), "{worker}"),
            _ => {}
        }
    }
}

#[test]
fn every_number_of_the_month_adds_up() {
    for verdict in month() {
        assert!((verdict.explained_log_odds() - verdict.risk_log_odds).abs() < 1e-6, "{}", verdict.event_id);
        let families: f64 = verdict.families.iter().map(|family| family.contribution_log_odds).sum();
        assert!((verdict.base_log_odds + families - verdict.risk_log_odds).abs() < 1e-6, "{}", verdict.event_id);
        let standing = &verdict.standing;
        let told: f64 = standing.reasons.iter().map(|reason| reason.contribution_log_odds).sum();
        assert!((told + standing.residual_log_odds - standing.evidence_log_odds).abs() < 1e-6, "{}", verdict.event_id);
        assert_eq!(standing.flagged, standing.evidence_log_odds >= standing.threshold_log_odds);
        assert!(verdict.reasons.len() <= 16 && verdict.reasons.iter().all(|reason| reason.evidence.len() <= 8));
        assert!((0.0..=1.0).contains(&verdict.risk_probability));
    }
}

#[test]
fn a_vpn_a_journey_and_a_night_shift_alone_never_reach_high() {
    use elsewhere::risk::RiskLevel;
    let truth = truth();
    for verdict in month() {
        let scenario = truth[&verdict.worker_id].as_str();
        if ["B02", "B03", "B05", "B12"].contains(&scenario) {
            assert_ne!(verdict.risk_level, RiskLevel::High, "{} ({scenario})", verdict.event_id);
        }
    }
}
