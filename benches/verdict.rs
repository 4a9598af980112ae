//! One verdict in process: message, conversion, check, scoring with learning, over 10,000 workers with history.
//!
//! `cargo bench --bench verdict` prints criterion's estimates for a full login, a login without typing and pointer, and
//! the JSON road; then p50, p99, p99.9 and the worst of 20,000 full logins, stage by stage, beside the budgets of
//! `targets.md`. `ELSEWHERE_BENCH_WORKERS` and `ELSEWHERE_BENCH_LOGINS` change the numbers.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench that cannot go on should say where")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod world;

use criterion::{BatchSize, Criterion};
use elsewhere::api::assess::{answer, update};
use elsewhere::api::{convert, json_line, wire};
use elsewhere::history::{Config, MemoryStore};
use elsewhere::pipeline::Submission;
use prost::Message as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use world::{Calendar, Desk, Shape, judged, nanos, only_tested, percentile, setting, spread_micros};

/// Logins of history per worker: a working month.
const HISTORY: u64 = 20;
/// Budgets for the pipeline in all, microseconds.
const FLOOR_MICROS: f64 = 25.0;
const GOAL_MICROS: f64 = 15.0;
const TAIL_MICROS: f64 = 150.0;
/// Logins whose messages are made ahead of their measurement.
const AHEAD: usize = 1_000;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let workers = setting("ELSEWHERE_BENCH_WORKERS", if only_tested() { 100 } else { 10_000 });
    let (desk, calendar) = company(workers, Shape::Full);
    println!("{workers} workers with {HISTORY} logins each; {}", desk.shown(workers));
    verdict(&mut criterion, &desk, &calendar, "verdict, full login");
    json_road(&mut criterion, &desk, &calendar);
    {
        let (desk, calendar) = company(workers, Shape::Quiet);
        verdict(&mut criterion, &desk, &calendar, "verdict, without typing and pointer");
    }
    criterion.final_summary();
    if !only_tested() {
        stages(&desk, &calendar, setting("ELSEWHERE_BENCH_LOGINS", 20_000) as usize);
    }
}

fn company(workers: u64, shape: Shape) -> (Desk, Calendar) {
    let desk = Desk::over(Arc::new(MemoryStore::new(Config::of_events())));
    let calendar = Calendar::new(workers, shape);
    desk.seed(&calendar, HISTORY);
    (desk, calendar)
}

fn verdict(criterion: &mut Criterion, desk: &Desk, calendar: &Calendar, name: &str) {
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(|| calendar.next(), |message| desk.assess(&desk.check(message)), BatchSize::SmallInput);
    });
}

fn json_road(criterion: &mut Criterion, desk: &Desk, calendar: &Calendar) {
    let line = || {
        let request = wire::AssessSessionRequest { event: Some(calendar.next()), ..Default::default() };
        serde_json::to_string(&request).expect("a request that can be printed")
    };
    criterion.bench_function("verdict, json line to json line", |bencher| {
        bencher.iter_batched(line, |line| scored_line(desk, &line), BatchSize::SmallInput);
    });
}

fn scored_line(desk: &Desk, line: &str) -> String {
    let (event_id, checked) = json_line::parse(line).check(&desk.rules);
    let checked = checked.unwrap_or_else(|violations| panic!("a sound line: {:?}", violations.list()));
    let submission = Submission {
        event: checked.event,
        content_hash: checked.content_hash,
        update: update(checked.profile_update),
        model_id: checked.model_id,
    };
    let result = answer(event_id, Ok(desk.assess(&submission))).expect("a verdict on disk");
    serde_json::to_string(&result).expect("a result that can be printed")
}

/// Times each stage of full logins, from encoded request to encoded verdict.
fn stages(desk: &Desk, calendar: &Calendar, logins: usize) {
    const NAMES: [&str; 6] = ["decode", "content hash", "convert and check", "assess", "reply form", "encode"];
    let mut spans: [Vec<u64>; 6] = Default::default();
    let mut pipeline = Vec::with_capacity(logins);
    let (mut request_bytes, mut verdict_bytes) = (0, 0);
    while pipeline.len() < logins {
        let messages: Vec<Vec<u8>> = (0..AHEAD).map(|_| calendar.next().encode_to_vec()).collect();
        for bytes in messages {
            let mut marks = [Instant::now(); 7];
            let message = wire::SessionEvent::decode(bytes.as_slice()).expect("an event");
            let event_id = message.event_id.clone();
            marks[1] = Instant::now();
            let content_hash = convert::content_hash(&message);
            marks[2] = Instant::now();
            let submission = desk.check_hashed(message, content_hash);
            marks[3] = Instant::now();
            let assessed = desk.assess(&submission);
            marks[4] = Instant::now();
            let result = answer(event_id, Ok(assessed)).expect("a verdict on disk");
            marks[5] = Instant::now();
            let encoded = black_box(result.encode_to_vec());
            marks[6] = Instant::now();
            for (stage, spans) in spans.iter_mut().enumerate() {
                spans.push(nanos(marks[stage + 1] - marks[stage]));
            }
            pipeline.push(nanos(marks[4] - marks[1]));
            request_bytes += bytes.len();
            verdict_bytes += encoded.len();
        }
    }
    let count = pipeline.len();
    println!("{count} full logins of {} bytes, results of {}; us", request_bytes / count, verdict_bytes / count);
    for (name, spans) in NAMES.iter().zip(&mut spans) {
        println!("  {name:<28}{}", spread_micros(spans));
    }
    println!("  {:<28}{}", "pipeline (hash to assess)", spread_micros(&mut pipeline));
    let micros = |share: f64, spans: &mut [u64]| percentile(spans, share) as f64 / 1e3;
    let (median, tail) = (micros(0.5, &mut pipeline), micros(0.999, &mut pipeline));
    println!(
        "pipeline: median {median:.1} us {} (floor {FLOOR_MICROS} us, goal {GOAL_MICROS} us); p99.9 {tail:.0} us {} \
         (at most {TAIL_MICROS} us)",
        judged(median, FLOOR_MICROS, GOAL_MICROS, false),
        if tail <= TAIL_MICROS { "holds" } else { "misses" },
    );
}
