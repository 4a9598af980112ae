//! No skew: what serving answers and what training reads are equal to the bit, whichever door the events came through.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{MONDAY, login, pipeline, request, score};
use elsewhere::api::wire::{self, assessment_result::Outcome};
use elsewhere::api::{assess, convert, json_line};
use elsewhere::event::{EventTime, Rules, TablePolicy, Violations};
use elsewhere::evidence::feature::{FeatureId, Features};
use elsewhere::history::{Config, MemoryStore};
use elsewhere::pipeline::{Submission, Update};
use elsewhere::risk::Verdict;
use flate2::read::GzDecoder;
use std::io::{BufRead, BufReader};
use std::sync::Arc;

const RULES: Rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };

fn example_lines() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/company.ndjson.gz");
    let file = std::fs::File::open(path).expect("the example company");
    BufReader::new(GzDecoder::new(file)).lines().map(|line| line.expect("a line")).collect()
}

fn bits(features: &Features) -> Vec<Option<u64>> {
    FeatureId::ALL.iter().map(|feature| features.get(*feature).map(f64::to_bits)).collect()
}

/// Features and verdicts of the example month, each event read by `read`.
fn live(read: impl Fn(&str) -> Submission) -> (Vec<Vec<Option<u64>>>, Vec<Arc<Verdict>>) {
    let pipeline = pipeline(Arc::new(MemoryStore::new(Config::of_events())));
    let tenant = pipeline.store().tenant("t").expect("a tenant");
    let (mut features, mut verdicts) = (Vec::new(), Vec::new());
    for line in example_lines() {
        let submission = read(&line);
        let now = submission.event.samples.time;
        let mut watch = |seen: &Features| features.push(bits(seen));
        let assessed = pipeline.assess_watched(tenant, &submission, now, &mut watch).expect("a verdict");
        verdicts.push(assessed.verdict);
    }
    (features, verdicts)
}

fn by_json(line: &str) -> Submission {
    let (_, checked) = json_line::parse(line).check(&RULES);
    let checked = checked.expect("a sound line");
    Submission {
        event: checked.event,
        content_hash: checked.content_hash,
        update: assess::update(checked.profile_update),
        model_id: checked.model_id,
    }
}

/// As training does it: an unchecked event of its own, checked by the event room, no wire in between.
fn by_domain(line: &str) -> Submission {
    let request: wire::AssessSessionRequest = serde_json::from_str(line).expect("a request");
    let message = request.event.expect("an event");
    let unchecked = convert::event(message.clone());
    // There and back through the wire form that the trainer writes.
    let written = convert::event(convert::event_to_wire(&unchecked));
    assert_eq!(unchecked, written);
    let event = written.check("event", &RULES, &mut Violations::default()).expect("a sound event");
    Submission {
        event,
        content_hash: convert::content_hash(&message),
        update: Update::IfTrusted,
        model_id: String::new(),
    }
}

#[test]
fn serving_and_training_see_the_same_bits() {
    let (served, verdicts) = live(by_json);
    let (trained, again) = live(by_domain);
    assert!(served.len() > 500, "only {} events", served.len());
    assert_eq!(served, trained);
    assert_eq!(verdicts, again);
}

#[test]
fn two_runs_are_equal_to_the_bit() {
    assert_eq!(live(by_json), live(by_json));
}

#[tokio::test]
async fn the_service_and_the_command_line_agree() {
    let service = common::start().await;
    let mut client = service.risk();
    let mut lines = String::new();
    let mut served = Vec::new();
    for turn in 0..20 {
        let event = login(&format!("e{turn}"), "w1", MONDAY + i64::from(turn) * 40_000, turn);
        lines += &serde_json::to_string(&request(event.clone())).expect("JSON");
        lines.push('\n');
        let reply = client.assess_session(request(event)).await.expect("a verdict");
        served.push(reply.into_inner().verdict.expect("a verdict"));
    }
    let scored = score(&lines);
    assert_eq!(scored.len(), served.len());
    for (result, mut served) in scored.into_iter().zip(served) {
        let Some(Outcome::Verdict(mut scored)) = result.outcome else { panic!("no verdict") };
        // The doors differ in one thing: whose clock says when.
        scored.assess_time = None;
        served.assess_time = None;
        assert_eq!(scored, served);
    }
    assert_eq!(EventTime(0).day_number(), 0);
}
