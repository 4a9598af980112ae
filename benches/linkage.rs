//! Linkage: how long links and clusters take when asked for, in a company of 100,000 workers.
//!
//! `cargo bench --bench linkage` seeds one login each (every tenth worker in an office of ten, whose claims disagree),
//! then prints the time of clusters asked for the first time, when names are made, and again, and of one worker's
//! links. What links cost one event comes next: on the path of its reply, as the same logins with and without what
//! workers share, and off it, as what those events implicate (targets.md: 2 us and 50 us). Then everybody has typed a table: the time of "who else types like this" beside a bare scan of as much memory
//! in the same run, of the scan within it, of taking up one grown hand, of looking for one worker's like, and what the
//! index takes. `ELSEWHERE_BENCH_WORKERS` sets the number of workers.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench that cannot go on should say where")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod world;

use elsewhere::api::wire;
use elsewhere::event::TablePolicy;
use elsewhere::evidence::typing::hand::HAND_LENGTH;
use elsewhere::history::{Config, MemoryStore};
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use world::{Calendar, Desk, Shape, judged, login, nanos, only_tested, percentile, setting, spread_micros};

/// Times each question is asked.
const ROUNDS: usize = 5;
/// Workers whose links are asked for.
const ASKED: u64 = 1_000;

fn main() {
    let workers = setting("ELSEWHERE_BENCH_WORKERS", if only_tested() { 200 } else { 100_000 });
    let desk = Desk::over(Arc::new(MemoryStore::new(Config::of_events())));
    desk.seed(&Calendar::new(workers, Shape::Quiet), 1);
    for round in 0..ROUNDS {
        let started = Instant::now();
        let (clusters, durable) = desk.pipeline.operator_clusters(desk.tenant).expect("clusters");
        durable.wait().expect("kept");
        let members: usize = clusters.iter().map(|cluster| cluster.worker_ids.len()).sum();
        let took = started.elapsed().as_secs_f64() * 1e3;
        println!("{workers} workers: {} clusters of {members} in {took:.0} ms (round {round})", clusters.len());
    }
    let mut took: Vec<u64> = (0..ASKED)
        .map(|turn| {
            let worker = format!("w-{}", turn * 10 % workers);
            let started = Instant::now();
            let links = desk.pipeline.links(desk.tenant, &worker).expect("links");
            assert!(links.is_some(), "{worker} is known");
            nanos(started.elapsed())
        })
        .collect();
    println!("links of one worker, micros: {}", spread_micros(&mut took));
    drop(desk);
    budget(workers);
    hands(workers);
}

/// Most microseconds of an event's links on the path of its reply, and in all.
const BUDGET_MICROS: (f64, f64) = (2.0, 50.0);

/// What links cost one event: of those who share a thing and those who do not, of workers seen before and new ones.
fn budget(workers: u64) {
    let implicated = Arc::new(Mutex::new(Vec::new()));
    let mut desk = Desk::over(Arc::new(MemoryStore::new(Config::of_events())));
    let seen = Arc::clone(&implicated);
    desk.pipeline = desk.pipeline.serving(move |one| seen.lock().expect("one thread at a time").push(one));
    desk.seed(&Calendar::new(workers, Shape::Quiet), 1);
    let follow = |desk: &Desk, what: &str, events: u64, path: Option<f64>| {
        let waiting = std::mem::take(&mut *implicated.lock().expect("one thread at a time"));
        let started = Instant::now();
        for one in &waiting {
            desk.pipeline.implicate(one).expect("a store");
        }
        let after = started.elapsed().as_secs_f64() * 1e6 / events as f64;
        let all = after + path.unwrap_or_default();
        let path = path.map_or("not told apart".into(), |path| {
            format!("{path:.2} us ({})", judged(path, BUDGET_MICROS.0, BUDGET_MICROS.0, false))
        });
        println!(
            "links of one event, {what}: reply waits {path}; off its path {after:.2} us, {:.2} of events implicate; in all ({})",
            waiting.len() as f64 / events as f64,
            judged(all, BUDGET_MICROS.1, BUDGET_MICROS.1, false)
        );
    };
    follow(&desk, "first logins", workers, None);
    let asked = (ASKED * 20).min(workers);
    for (what, step) in [("nothing shared", 1), ("an office of ten", 10)] {
        let mut spans: [Vec<u64>; 2] = Default::default();
        for turn in 0..asked {
            // Each worker twice, with and without, in an order that takes turns: caches favour neither.
            let worker = if step == 1 { turn / 9 * 10 + 1 + turn % 9 } else { turn * 10 } % workers;
            for half in 0..2 {
                let with = (turn + half) % 2 == 0;
                let day = 1 + 2 * (turn * step / workers) as i64 + half as i64;
                let mut event = login(worker, day as u64, world::MONDAY_MICROS + day * 86_400_000_000, Shape::Quiet);
                if !with {
                    unshared(&mut event);
                }
                let submission = desk.check(event);
                let started = Instant::now();
                black_box(desk.assess(&submission));
                spans[usize::from(with)].push(nanos(started.elapsed()));
            }
        }
        let [without, with] = &mut spans;
        let path = (percentile(with, 0.5) as f64 - percentile(without, 0.5) as f64) / 1e3;
        println!("  with, micros:    {}\n  without, micros: {}", spread_micros(with), spread_micros(without));
        follow(&desk, what, asked, Some(path));
    }
}

/// Takes out of an event what workers may share.
fn unshared(event: &mut wire::SessionEvent) {
    if let Some(network) = &mut event.network {
        network.ip_token.clear();
        network.site_tokens.clear();
    }
    if let Some(device) = &mut event.device {
        device.device_token.clear();
        device.display_token.clear();
    }
}

/// Longest median answer to "who else types like this", milliseconds; and the goal.
const QUERY_MILLIS: (f64, f64) = (10.0, 5.0);

/// A number in [-1, 1] that belongs to a worker and a purpose.
fn own(worker: u64, purpose: u64) -> f64 {
    let mixed = (worker.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A table of 26 letters and 150 digraphs in a worker's own hand.
fn table(worker: u64) -> wire::CadenceTable {
    let time = |base: f64, purpose: u64| {
        (base * (0.3 * own(worker, purpose / 1_000) + 0.15 * own(worker, purpose)).exp()) as u32
    };
    let key = |usage: u32| wire::KeyTime {
        usage,
        count: 8,
        dwell_median_micros: time(95_000.0, 1_000 + u64::from(usage)),
        dwell_spread_micros: 12_000,
    };
    let digraph = |pair: u32| wire::DigraphTime {
        first_usage: 4 + pair / 26,
        second_usage: 4 + pair % 26,
        count: 2,
        press_interval_median_micros: time(190_000.0, 2_000 + u64::from(pair)),
        press_interval_spread_micros: 40_000,
    };
    wire::CadenceTable {
        press_count: 256,
        keys: (4..30).map(key).collect(),
        digraphs: (0..600).step_by(4).map(digraph).collect(),
        timer_resolution_micros: 1_000,
    }
}

/// Everybody's hand, and what is asked of the index.
fn hands(workers: u64) {
    let mut desk = Desk::over(Arc::new(MemoryStore::new(Config::of_events())));
    desk.rules.tables = TablePolicy::PerEvent;
    // As in a service: pairs are looked for off the path of the login.
    desk.pipeline = desk.pipeline.serving(|_| {});
    let typed = |worker: u64, turn: u64| {
        let mut event = login(worker, turn, world::MONDAY_MICROS + turn as i64 * 86_400_000_000, Shape::Quiet);
        event.cadence = Some(table(worker));
        desk.assess(&desk.check(event))
    };
    for worker in 0..workers {
        typed(worker, 0);
    }
    let started = Instant::now();
    desk.pipeline.settle_hands(desk.tenant, 0).expect("placed");
    let placed = started.elapsed().as_secs_f64() * 1e6 / workers as f64;
    let hands = desk.pipeline.store().hands(desk.tenant).expect("hands");
    let bytes = hands.bytes();
    println!("{} hands placed at {placed:.2} us each, {} bytes each", hands.count(), bytes / hands.count().max(1));

    let memory = vec![1.0_f32; workers as usize * HAND_LENGTH];
    let mut scanned: Vec<u64> = (0..50)
        .map(|_| {
            let started = Instant::now();
            let mut sums = [0.0_f32; 16];
            for part in black_box(&memory).chunks_exact(16) {
                (0..16).for_each(|lane| sums[lane] += part[lane]);
            }
            black_box(sums);
            nanos(started.elapsed())
        })
        .collect();
    let asked = ASKED.min(workers);
    let record = |worker: &str| desk.pipeline.store().record(desk.tenant, worker).expect("a store").expect("a worker");
    let model = desk.pipeline.models();
    let parameters = &model.get("").expect("a model").file.evidence.typing.table;
    let mut looked: Vec<u64> = (0..asked)
        .map(|turn| {
            let worker = format!("w-{}", turn * 97 % workers);
            let record = record(&worker);
            let hand = record.profiles.typing.table().and_then(|table| parameters.hand(table)).expect("a hand");
            let started = Instant::now();
            black_box(hands.nearest(&hand, &worker, 128));
            nanos(started.elapsed())
        })
        .collect();
    let mut answered: Vec<u64> = (0..asked)
        .map(|turn| {
            let worker = format!("w-{}", turn * 97 % workers);
            let started = Instant::now();
            let found = desk.pipeline.similar_typists(desk.tenant, &worker, 10).expect("an answer");
            assert!(found.is_some_and(|found| found.candidates.len() == 10.min(workers as usize - 1)));
            nanos(started.elapsed())
        })
        .collect();
    let (ceiling, scan) = (percentile(&mut scanned, 0.5) as f64, percentile(&mut looked, 0.5) as f64);
    println!("bare scan of as much memory, micros:  {}", spread_micros(&mut scanned));
    println!(
        "scan of all hands, micros:            {}  ({:.2} of the bare scan's speed)",
        spread_micros(&mut looked),
        ceiling / scan
    );
    let median = percentile(&mut answered, 0.5) as f64 / 1e6;
    let verdict = judged(median, QUERY_MILLIS.0, QUERY_MILLIS.1, false);
    println!("who else types like this, micros:     {}  ({verdict})", spread_micros(&mut answered));

    let mut grown: Vec<u64> = (0..asked)
        .map(|turn| {
            typed(turn * 89 % workers, 1 + turn / workers);
            let started = Instant::now();
            desk.pipeline.settle_hands(desk.tenant, 0).expect("placed");
            nanos(started.elapsed())
        })
        .collect();
    println!("one grown hand taken up, micros:      {}", spread_micros(&mut grown));
    let searches = 64.min(workers);
    let started = Instant::now();
    desk.pipeline.settle_hands(desk.tenant, searches as usize).expect("searched");
    let each = started.elapsed().as_secs_f64() * 1e3 / searches as f64;
    println!("one worker's like looked for: {each:.2} ms, off the path of the login");
}
