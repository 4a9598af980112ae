//! What remote input, network and timezone take of a login together: measured, compared, told and learned, over 1,000
//! workers with a month of history.
//!
//! `cargo bench --bench where_and_how` prints criterion's estimate for the three together; then p50, p99, p99.9 and the worst
//! of 20,000 logins for each and for all beside the budget of 8 us, and the share they take of a whole verdict on the same
//! login in the same run. A login has 60 presses, 60 pointer moves, four round trips of each kind
//! and a clock; `with prompts` adds three answered prompts, eight loops of ordinary work and an endpoint's facts.
//! `ELSEWHERE_BENCH_WORKERS` and `ELSEWHERE_BENCH_LOGINS` change the numbers.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench that cannot go on should say where")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod world;

use criterion::Criterion;
use elsewhere::api::wire;
use elsewhere::event::Samples;
use elsewhere::evidence::feature::{FeatureId, Features};
use elsewhere::evidence::{Parameters, network, remote_input, timezone};
use elsewhere::history::{Config, MemoryStore};
use elsewhere::model::Model;
use elsewhere::pipeline::Submission;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use world::{Calendar, Desk, Shape, nanos, only_tested, percentile, setting, spread_micros};

/// Logins of history per worker: a working month.
const HISTORY: u64 = 20;
/// Budget of the three families together, microseconds at the median.
const BUDGET_MICROS: f64 = 8.0;
/// The families in the order of their spans.
const NAMES: [&str; 3] = ["remote input", "network", "timezone"];

#[derive(Debug, Clone, Default)]
struct Known {
    remote_input: remote_input::Profile,
    network: network::Profile,
    timezone: timezone::Profile,
}

/// Logins to come, in turns of all workers, and what is known of each.
struct Company {
    submissions: Vec<Submission>,
    known: Vec<Known>,
    parameters: Parameters,
    next: usize,
}

impl Company {
    /// Everybody's history learned, and `turns` more logins each.
    fn new(workers: u64, turns: u64, prompts: bool, desk: &Desk) -> Self {
        let calendar = Calendar::new(workers, Shape::Full);
        let next = || {
            let mut message = calendar.next();
            if prompts {
                answer(&mut message);
            }
            desk.check(message)
        };
        let parameters = Model::shipped().expect("a model").file.evidence;
        let history: Vec<Submission> = (0..workers * HISTORY).map(|_| next()).collect();
        let submissions = (0..workers * turns).map(|_| next()).collect();
        let mut company =
            Self { submissions: history, known: vec![Known::default(); workers as usize], parameters, next: 0 };
        for _ in 0..workers * HISTORY {
            company.login(&mut [Duration::ZERO; 3]);
        }
        Self { submissions, next: 0, ..company }
    }

    /// One login through all three; adds what each took to `took`.
    fn login(&mut self, took: &mut [Duration; 3]) {
        let at = self.next % self.submissions.len();
        self.next += 1;
        let samples = &self.submissions[at].event.samples;
        let workers = self.known.len();
        let known = &mut self.known[at % workers];
        let mut features = Features::default();
        let marks = [
            Instant::now(),
            of_remote_input(samples, known, &self.parameters, &mut features),
            of_network(samples, known, &self.parameters, &mut features),
            of_timezone(samples, known, &self.parameters, &mut features),
        ];
        black_box(&features);
        for (family, took) in took.iter_mut().enumerate() {
            *took += marks[family + 1] - marks[family];
        }
    }
}

/// Three prompts, loops of ordinary work and an endpoint's facts.
fn answer(message: &mut wire::SessionEvent) {
    let seconds = message.event_time.as_ref().map_or(0, |time| time.seconds);
    let late = |at: i64| 260_000 + ((seconds / 7 + at * 31) % 90) as u32 * 1_000;
    message.challenge = Some(wire::ChallengeSample {
        reaction_micros: (0..3).map(late).collect(),
        kind: wire::ChallengeKind::PressKey as i32,
        refresh_rate_millihertz: 60_000,
    });
    message.remote_input = Some(wire::RemoteInputSample {
        natural_loop_micros: (0..8).map(|at| 180_000 + late(at)).collect(),
        timer_resolution_micros: 1_000,
        remote_session_reported: Some(false),
        input_path: wire::InputPath::Wired as i32,
        injected_event_count: Some(0),
        event_count: 150,
        ..Default::default()
    });
}

fn of_remote_input(samples: &Samples, known: &mut Known, parameters: &Parameters, features: &mut Features) -> Instant {
    let (claim, parameters, profile) = (samples.claim.as_ref(), &parameters.remote_input, &mut known.remote_input);
    let seen = remote_input::observe(samples);
    remote_input::compare(&seen, profile, claim, parameters, features);
    black_box(remote_input::control_log_odds(&seen, features, claim, parameters));
    black_box(remote_input::distance_log_odds(&seen, profile, claim, parameters));
    black_box(remote_input::loop_rtt_interval(&seen, profile, parameters));
    if remote_input::accepts(&seen, features, profile, parameters) {
        let pointer = features.get(FeatureId::RemoteInputPointerLogOdds);
        profile.learn(&seen, pointer, parameters, samples.time);
    }
    Instant::now()
}

fn of_network(samples: &Samples, known: &mut Known, parameters: &Parameters, features: &mut Features) -> Instant {
    let (parameters, profile) = (&parameters.network, &mut known.network);
    let seen = network::observe(samples);
    network::compare(&seen, profile, samples.claim.as_ref(), parameters, features);
    black_box(network::client_distance_max_km(&seen));
    if network::accepts(&seen, features, profile, parameters) {
        profile.learn(&seen, parameters, samples.time);
    }
    Instant::now()
}

fn of_timezone(samples: &Samples, known: &mut Known, parameters: &Parameters, features: &mut Features) -> Instant {
    let (claim, parameters, profile) = (samples.claim.as_ref(), &parameters.timezone, &mut known.timezone);
    let seen = timezone::observe(samples);
    black_box(timezone::compare_and_locate(&seen, profile, claim, parameters, features));
    profile.learn(&seen, parameters, samples.time);
    Instant::now()
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let workers = setting("ELSEWHERE_BENCH_WORKERS", if only_tested() { 20 } else { 1_000 });
    let logins = setting("ELSEWHERE_BENCH_LOGINS", if only_tested() { 100 } else { 20_000 }) as usize;
    for (shape, prompts) in [("login", false), ("login with prompts", true)] {
        let desk = Desk::over(Arc::new(MemoryStore::new(Config::of_events())));
        // A history of its own comes first, so that a verdict meets profiles as old as the families alone do.
        desk.seed(&Calendar::new(workers, Shape::Full), HISTORY);
        let turns = (logins as u64).div_ceil(workers).max(1);
        let mut company = Company::new(workers, turns, prompts, &desk);
        criterion.bench_function(&format!("where and how, {shape}"), |bencher| {
            bencher.iter(|| company.login(&mut [Duration::ZERO; 3]));
        });
        let mut company = Company::new(workers, turns, prompts, &desk);
        let mut spans: [Vec<u64>; 3] = Default::default();
        let (mut together, mut whole) = (Vec::with_capacity(logins), Vec::with_capacity(logins));
        for _ in 0..logins {
            let mut took = [Duration::ZERO; 3];
            let at = company.next % company.submissions.len();
            company.login(&mut took);
            for (spans, took) in spans.iter_mut().zip(&took) {
                spans.push(nanos(*took));
            }
            together.push(nanos(took.iter().sum()));
            let started = Instant::now();
            black_box(desk.assess(&company.submissions[at]));
            whole.push(nanos(started.elapsed()));
        }
        println!("{logins} times {shape}, {workers} workers; us");
        for (name, spans) in NAMES.iter().zip(&mut spans) {
            println!("  {name:<28}{}", spread_micros(spans));
        }
        println!("  {:<28}{}", "together", spread_micros(&mut together));
        println!("  {:<28}{}", "a whole verdict", spread_micros(&mut whole));
        let micros = |spans: &mut [u64]| percentile(spans, 0.5) as f64 / 1e3;
        let (median, verdict) = (micros(&mut together), micros(&mut whole));
        println!(
            "{shape}: median {median:.2} us, {:.2} of the budget of {BUDGET_MICROS} us and {:.2} of a verdict: {}",
            median / BUDGET_MICROS,
            median / verdict,
            if median <= BUDGET_MICROS { "holds" } else { "misses" },
        );
    }
    criterion.final_summary();
}
