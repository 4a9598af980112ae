//! A batch of 1000 full logins in process: BatchAssessSessions without the transport, over 10,000 workers in memory.
//!
//! `cargo bench --bench batch` prints p50, p99 and the worst of 50 batches, and the median per event: check, scoring
//! with learning, and the verdicts' wire form. `ELSEWHERE_BENCH_WORKERS` and `ELSEWHERE_BENCH_BATCHES` change the
//! numbers.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench that cannot go on should say where")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod world;

use elsewhere::api::assess::{Assess, system_now};
use elsewhere::api::doors::Doors;
use elsewhere::api::tenant::Callers;
use elsewhere::api::wire;
use elsewhere::api::wire::session_risk_service_server::SessionRiskService;
use elsewhere::config::ConfigUnchecked;
use elsewhere::event::limits::BATCH_EVENTS_MAX;
use elsewhere::history::{Config, MemoryStore};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;
use tonic::Request;
use wire::assessment_result::Outcome;
use world::{Calendar, Desk, Shape, nanos, only_tested, percentile, setting, spread_micros};

/// Logins of history per worker: two working weeks.
const HISTORY: u64 = 10;

fn main() {
    let workers = setting("ELSEWHERE_BENCH_WORKERS", if only_tested() { 1_000 } else { 10_000 });
    let batches = setting("ELSEWHERE_BENCH_BATCHES", if only_tested() { 1 } else { 50 });
    let desk = Desk::over(Arc::new(MemoryStore::new(Config::of_events())));
    let calendar = Calendar::until(system_now(), workers, Shape::Full);
    desk.seed(&calendar, HISTORY);
    let config = ConfigUnchecked::default().check().expect("a sound configuration");
    let callers = Callers::new(&config, desk.pipeline.store()).expect("a writable store");
    let (_drain, draining) = watch::channel(false);
    let (in_flight, monitored) = (config.in_flight_max, config.monitored_sessions_max);
    let doors = Doors::new(desk.pipeline, callers, in_flight, monitored, config.worker_retention_micros, draining);
    let service = Assess::new(Arc::new(doors));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut spans = Vec::new();
    for _ in 0..batches {
        let events = (0..BATCH_EVENTS_MAX).map(|_| calendar.next()).collect();
        let request = Request::new(wire::BatchAssessSessionsRequest { events, ..Default::default() });
        let started = Instant::now();
        let answered = runtime.block_on(service.batch_assess_sessions(request));
        spans.push(nanos(started.elapsed()));
        let results = answered.expect("an answered batch").into_inner().results;
        let verdicts = results.iter().filter(|result| matches!(result.outcome, Some(Outcome::Verdict(_)))).count();
        assert_eq!(verdicts, BATCH_EVENTS_MAX, "every event of the batch has a verdict");
    }
    println!("{batches} batches of {BATCH_EVENTS_MAX} full logins over {workers} workers; us a batch");
    println!(" {}", spread_micros(&mut spans));
    let each = percentile(&mut spans, 0.5) as f64 / 1e3 / BATCH_EVENTS_MAX as f64;
    println!("median per event: {each:.1} us");
}
