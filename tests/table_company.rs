//! Tables of free typing among the other workers of a tenant: the same whether the store was opened anew in between,
//! without those who were erased, and of one tenant alone.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{MONDAY, login, pipeline};
use elsewhere::api::{convert, wire};
use elsewhere::event::{EventTime, Rules, TablePolicy, Violations};
use elsewhere::evidence::feature::{FeatureId, Features};
use elsewhere::history::{Config, DurableStore};
use elsewhere::pipeline::{Pipeline, Submission, Update};
use std::path::Path;
use std::sync::Arc;

const DAY: i64 = 86_400;
/// Letters of the tables, as HID usages: a, d, e, h, i, n, o, r, s, t and space.
const LETTERS: [u32; 11] = [4, 7, 8, 11, 12, 17, 18, 21, 22, 23, 44];

fn opened(directory: &Path) -> Pipeline {
    pipeline(Arc::new(DurableStore::open(directory, Config::of_events_kept()).expect("a store")))
}

/// A worker's table of a day: a hand of its own speed and its own way with each key, a little otherwise every day.
fn typed(worker: u32, day: i64) -> wire::SessionEvent {
    let name = format!("w{worker}");
    let mut event = login(&format!("{name}-{day}"), &name, MONDAY + day * DAY + i64::from(worker), 1);
    event.typing = None;
    let speed = 80 + 9 * (worker * 7 % 11);
    let today = (worker + day as u32) % 5;
    let key = |usage: u32| wire::KeyTime {
        usage,
        count: 16,
        dwell_median_micros: 900 * speed + 1_500 * (usage * worker % 7) + 800 * today,
        dwell_spread_micros: 14_000,
    };
    let pairs = LETTERS.iter().flat_map(|first| LETTERS.iter().map(move |second| (*first, *second)));
    let digraph = |(first_usage, second_usage): (u32, u32)| wire::DigraphTime {
        first_usage,
        second_usage,
        count: 4,
        press_interval_median_micros: 1_700 * speed + 4_000 * (first_usage * second_usage * worker % 9) + 2_000 * today,
        press_interval_spread_micros: 45_000,
    };
    event.cadence = Some(wire::CadenceTable {
        press_count: 512,
        keys: LETTERS.map(key).to_vec(),
        digraphs: pairs.map(digraph).collect(),
        timer_resolution_micros: 1_000,
    });
    event
}

/// What a tenant's event scored, on disk when this returns.
fn score_of(pipeline: &Pipeline, tenant: &str, event: wire::SessionEvent) -> Option<u64> {
    let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
    let content_hash = convert::content_hash(&event);
    let event = convert::event(event).check("event", &rules, &mut Violations::default()).expect("a sound event");
    let now = event.samples.time;
    let submission = Submission { event, content_hash, update: Update::Always, model_id: String::new() };
    let tenant = pipeline.store().tenant(tenant).expect("a tenant");
    let mut features = Features::default();
    let mut watch = |seen: &Features| features = seen.clone();
    let assessed = pipeline.assess_watched(tenant, &submission, now, &mut watch).expect("a verdict");
    assessed.durable.wait().expect("on disk");
    features.get(FeatureId::TypingTableLogOdds).map(f64::to_bits)
}

fn company(days: std::ops::Range<i64>, workers: &[u32]) -> Vec<wire::SessionEvent> {
    days.flat_map(|day| workers.iter().map(move |worker| typed(*worker, day))).collect()
}

fn lived(pipeline: &Pipeline, days: std::ops::Range<i64>, workers: &[u32]) -> Vec<Option<u64>> {
    company(days, workers).into_iter().map(|event| score_of(pipeline, "acme", event)).collect()
}

#[test]
fn the_others_of_a_tenant_change_a_score_and_other_tenants_do_not() {
    let directories = tempfile::tempdir().expect("a directory");
    let alone = opened(&directories.path().join("alone"));
    lived(&alone, 0..2, &[1]);
    let expected = score_of(&alone, "acme", typed(1, 2));
    assert!(expected.is_some());
    let company = opened(&directories.path().join("company"));
    for event in self::company(0..2, &[2, 3, 4, 5, 6, 7, 8, 9]) {
        score_of(&company, "globex", event);
    }
    lived(&company, 0..2, &[1]);
    assert_eq!(score_of(&company, "acme", typed(1, 2)), expected, "another tenant's people are nobody here");
    lived(&company, 0..2, &[2, 3, 4, 5, 6, 7, 8, 9]);
    let among_others = score_of(&company, "acme", typed(1, 3));
    assert_ne!(among_others, score_of(&alone, "acme", typed(1, 3)));
}

#[test]
fn a_store_opened_anew_scores_tables_as_before() {
    let directories = tempfile::tempdir().expect("a directory");
    let workers: Vec<u32> = (1..9).collect();
    let expected = lived(&opened(&directories.path().join("whole")), 0..4, &workers);
    let broken = directories.path().join("broken");
    let mut found = Vec::new();
    for days in [0..1, 1..3, 3..4] {
        found.extend(lived(&opened(&broken), days, &workers));
    }
    assert_eq!(found, expected);
    assert_eq!(found.iter().flatten().count(), 3 * workers.len());
}

#[test]
fn an_erased_worker_is_out_of_the_tenants_tables_to_the_bit_also_after_a_restart() {
    let directories = tempfile::tempdir().expect("a directory");
    let directory = directories.path().join("erased");
    let (store, never) = (opened(&directory), opened(&directories.path().join("never")));
    let others: Vec<u32> = (1..9).filter(|worker| *worker != 3).collect();
    // Their own past must be the same, so the one who is going to be erased comes when theirs is learned.
    lived(&store, 0..3, &others);
    lived(&never, 0..3, &others);
    lived(&store, 3..6, &[3]);
    let looked = |store: &Pipeline, day| {
        let mut event = typed(1, day);
        event.event_id = format!("look-{day}");
        score_of(store, "acme", event)
    };
    assert_ne!(looked(&store, 6), looked(&never, 6), "the erased worker was heard of before");
    let tenant = store.store().tenant("acme").expect("a tenant");
    let erase_time = EventTime((MONDAY + 20 * DAY) * 1_000_000);
    store.store().forget(tenant, "w3", erase_time).expect("an erasure").1.wait().expect("on disk");
    assert_eq!(looked(&store, 7), looked(&never, 7));
    // Late events from before the erasure teach nothing.
    lived(&store, 7..9, &[3]);
    assert_eq!(looked(&store, 8), looked(&never, 8));
    drop(store);
    assert_eq!(looked(&opened(&directory), 9), looked(&never, 9));
}
