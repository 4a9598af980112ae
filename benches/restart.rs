//! Restart: how long a durable store of 100,000 workers takes to open again, with every profile in memory.
//!
//! `cargo bench --bench restart` writes the workers' logins into a directory under `target`, closes it, and prints the
//! time of three openings and the size on disk. `ELSEWHERE_BENCH_WORKERS` raises the number of workers.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench that cannot go on should say where")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod world;

use elsewhere::history::{Config, DurableStore, WorkerRecord};
use elsewhere::pipeline::SharedStore;
use elsewhere::risk::Verdict;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use world::{Calendar, Desk, Shape, only_tested, setting};

/// Logins of history per worker: enough for a profile of every family.
const HISTORY: u64 = 3;
const OPENINGS: usize = 3;

fn main() {
    let workers = setting("ELSEWHERE_BENCH_WORKERS", if only_tested() { 100 } else { 100_000 });
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory under target");
    let written = Instant::now();
    {
        let desk = Desk::over(Arc::new(open(directory.path())));
        desk.seed(&Calendar::new(workers, Shape::Full), HISTORY);
        println!("{workers} workers with {HISTORY} logins each; {}", desk.shown(workers));
    }
    let rate = (workers * HISTORY) as f64 / written.elapsed().as_secs_f64();
    let megabytes = size(directory.path()) as f64 / 1e6;
    println!("written and closed at {rate:.0} logins/s; {megabytes:.0} MB on disk, verdicts included");
    for _ in 0..OPENINGS {
        let started = Instant::now();
        let store = open(directory.path());
        let took = started.elapsed().as_secs_f64();
        let store: SharedStore = Arc::new(store);
        let tenant = store.tenant("default").expect("the tenant");
        let mut found = 0;
        store.workers(tenant, &mut |_, _| found += 1).expect("a readable store");
        assert_eq!(found, workers, "every worker is back");
        println!("opened in {took:.2} s: {:.0} profiles/s", workers as f64 / took);
    }
}

fn open(path: &Path) -> DurableStore<WorkerRecord, Verdict> {
    DurableStore::open(path, Config::of_events()).expect("a store")
}

/// Bytes of all files under a directory.
fn size(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).expect("a readable directory");
    let sizes = entries.map(|entry| {
        let entry = entry.expect("a directory entry");
        let facts = entry.metadata().expect("a file's facts");
        if facts.is_dir() { size(&entry.path()) } else { facts.len() }
    });
    sizes.sum()
}
