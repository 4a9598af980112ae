//! Linkage: how long links and clusters take when asked for, in a company of 100,000 workers.
//!
//! `cargo bench --bench linkage` seeds one login each (every tenth worker in an office of ten, whose claims disagree),
//! then prints the time of clusters asked for the first time, when names are made, and again, and of one worker's
//! links. `ELSEWHERE_BENCH_WORKERS` sets the number of workers.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench that cannot go on should say where")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod world;

use elsewhere::history::{Config, MemoryStore};
use std::sync::Arc;
use std::time::Instant;
use world::{Calendar, Desk, Shape, nanos, only_tested, setting, spread_micros};

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
}
