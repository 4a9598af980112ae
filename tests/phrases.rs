//! A phrase that many workers of a tenant type: scored against how the others type it, the same whether the store was
//! opened anew in between, and without those who were erased.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{MONDAY, login, pipeline};
use elsewhere::api::{convert, wire};
use elsewhere::event::{EventTime, Rules, TablePolicy, Violations};
use elsewhere::evidence::feature::{FeatureId, Features};
use elsewhere::history::{Config, DurableStore};
use elsewhere::pipeline::{Pipeline, Submission, Update};
use elsewhere::risk::Verdict;
use std::path::Path;
use std::sync::Arc;

const HOUR: i64 = 3_600;
const BACKGROUND: &str = "typing.phrase_background_count";

fn opened(directory: &Path) -> Pipeline {
    pipeline(Arc::new(DurableStore::open(directory, Config::of_events_kept()).expect("a store")))
}

/// One login of a worker whose hand is `hand` percent of another's speed, `turn` telling days and small differences.
fn typed(worker_id: &str, hand: u32, turn: u32) -> wire::SessionEvent {
    let seconds = MONDAY + i64::from(turn) * 24 * HOUR + i64::from(hand);
    let mut event = login(&format!("{worker_id}-{turn}"), worker_id, seconds, turn);
    let typing = event.typing.as_mut().expect("typing");
    for column in [&mut typing.press_interval_micros, &mut typing.dwell_micros] {
        column.iter_mut().for_each(|micros| *micros = *micros / 100 * hand);
    }
    event
}

/// Five workers log in on `days`, each in turn.
fn company(days: std::ops::Range<u32>, workers: &[(&str, u32)]) -> Vec<wire::SessionEvent> {
    days.flat_map(|day| workers.iter().map(move |(worker, hand)| typed(worker, *hand, day))).collect()
}

const WORKERS: [(&str, u32); 5] = [("w1", 80), ("w2", 95), ("w3", 110), ("w4", 130), ("w5", 150)];

/// What an event's features and verdict were; on disk when this returns.
fn assess(pipeline: &Pipeline, event: wire::SessionEvent) -> (Features, Arc<Verdict>) {
    let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
    let content_hash = convert::content_hash(&event);
    let event = convert::event(event).check("event", &rules, &mut Violations::default()).expect("a sound event");
    let now = event.samples.time;
    let submission = Submission { event, content_hash, update: Update::Always, model_id: String::new() };
    let tenant = pipeline.store().tenant("acme").expect("a tenant");
    let mut features = Features::default();
    let mut watch = |seen: &Features| features = seen.clone();
    let assessed = pipeline.assess_watched(tenant, &submission, now, &mut watch).expect("a verdict");
    assert!(!assessed.replayed);
    assessed.durable.wait().expect("on disk");
    (features, assessed.verdict)
}

fn bits(features: &Features) -> Vec<Option<u64>> {
    FeatureId::ALL.iter().map(|feature| features.get(*feature).map(f64::to_bits)).collect()
}

/// What typing alone says.
fn typing(features: &Features) -> Vec<(&'static str, Option<f64>)> {
    let of_typing = FeatureId::ALL.iter().filter(|feature| feature.name().starts_with("typing."));
    of_typing.map(|feature| (feature.name(), features.get(*feature))).collect()
}

fn background(features: &Features) -> Option<f64> {
    features.get(FeatureId::TypingPhraseBackgroundCount)
}

#[test]
fn a_store_opened_anew_scores_a_shared_phrase_as_before() {
    let directories = tempfile::tempdir().expect("a directory");
    let (whole, broken) = (directories.path().join("whole"), directories.path().join("broken"));
    let events = company(0..12, &WORKERS);
    let unbroken = opened(&whole);
    let expected: Vec<_> = events.iter().map(|event| assess(&unbroken, event.clone())).collect();
    let mut found = Vec::new();
    // Opened anew before the pools have anybody, while they grow, and in the middle of a day.
    let mut rest = &events[..];
    for part in [7, 16, 14, events.len() - 37] {
        let pipeline = opened(&broken);
        found.extend(rest[..part].iter().map(|event| assess(&pipeline, event.clone())));
        rest = &rest[part..];
    }
    for ((features, verdict), (as_before, same)) in found.iter().zip(&expected) {
        assert_eq!(bits(features), bits(as_before), "{}", verdict.event_id);
        assert_eq!(verdict, same);
    }
    // Or nothing would have been shown: each is compared with the four others, and the verdict says so.
    let (features, verdict) = &found[found.len() - 1];
    assert_eq!(background(features), Some(4.0));
    let measured = verdict.reasons.iter().flat_map(|reason| &reason.evidence);
    let told: Vec<f64> = measured.filter(|one| one.feature == BACKGROUND).map(|one| one.value).collect();
    assert_eq!(told, [4.0]);
}

#[test]
fn an_erased_worker_is_out_of_the_phrase_also_after_a_restart_and_for_older_events() {
    let directories = tempfile::tempdir().expect("a directory");
    let directory = directories.path().join("erased");
    let store = opened(&directory);
    for event in company(0..6, &WORKERS) {
        assess(&store, event);
    }
    // The same without the one who is going to be erased.
    let never = opened(&directories.path().join("never"));
    let others: Vec<(&str, u32)> = WORKERS.into_iter().filter(|(worker, _)| *worker != "w3").collect();
    for event in company(0..6, &others) {
        assess(&never, event);
    }
    assert_eq!(background(&assess(&store, typed("w1", 80, 6)).0), Some(4.0));
    let tenant = store.store().tenant("acme").expect("a tenant");
    let erase_time = EventTime((MONDAY + 6 * 24 * HOUR + 12 * HOUR) * 1_000_000);
    store.store().forget(tenant, "w3", erase_time).expect("an erasure").1.wait().expect("on disk");
    assess(&never, typed("w1", 80, 6));

    let expected = typing(&assess(&never, typed("w2", 95, 7)).0);
    assert_eq!(typing(&assess(&store, typed("w2", 95, 7)).0), expected);
    // Late events of the erased worker, from before: they teach nothing, and so nothing comes back.
    for day in 20..26 {
        let mut late = typed("w3", 110, day);
        late.event_time = common::time(MONDAY + i64::from(day));
        assess(&store, late);
    }
    drop(store);
    let store = opened(&directory);
    let expected = assess(&never, typed("w4", 130, 7)).0;
    let found = assess(&store, typed("w4", 130, 7)).0;
    assert_eq!(typing(&found), typing(&expected));
    assert_eq!(background(&found), Some(3.0));
    // Who is hired again after the erasure is learned anew.
    for day in 8..13 {
        assess(&store, typed("w3", 110, day));
    }
    assert_eq!(background(&assess(&store, typed("w4", 130, 14)).0), Some(4.0));
}
