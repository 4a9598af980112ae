//! What the benches share: people who log in, drawn by hash so that every run meets the same ones, and a desk at which
//! their events are checked and scored as the service does it.
#![allow(dead_code, reason = "each bench uses its part")]

use elsewhere::api::convert;
use elsewhere::api::wire;
use elsewhere::event::{EventTime, Rules, TablePolicy, Violations};
use elsewhere::history::{Durable, TenantId};
use elsewhere::model::Model;
use elsewhere::pipeline::{Assessed, Models, Pipeline, SharedStore, Submission, Update};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Monday 2026-11-02 00:00 UTC, microseconds.
pub const MONDAY_MICROS: i64 = 1_793_577_600_000_000;
const SECOND_MICROS: i64 = 1_000_000;
const HOUR_MICROS: i64 = 3_600 * SECOND_MICROS;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// Presses of the phrase and moves of the pointer in a full login.
const PRESSES: usize = 60;
const MOVES: usize = 60;

/// A number from the environment, or the default where it is absent or malformed.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Whether the bench was asked only to show that it runs (`cargo bench -- --test`).
pub fn only_tested() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

/// What a login carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// 60 presses of a fixed phrase, 60 pointer moves, network, device, clock, claim.
    Full,
    /// The same without typing and pointer.
    Quiet,
}

/// Splitmix64: cheap, and good enough to vary a hand.
struct Dice(u64);

impl Dice {
    fn of(worker: u64, purpose: u64) -> Self {
        Self(worker.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose.wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    fn token(&mut self) -> Vec<u8> {
        let (low, high) = (self.roll(), self.roll());
        [low.to_le_bytes(), high.to_le_bytes()].concat()
    }

    /// A time near `base`: two dice, so that the middle is likelier; within an eighth either way.
    fn near(&mut self, base: u32) -> u32 {
        let roll = self.roll();
        let sum = (roll & 0xffff) + ((roll >> 16) & 0xffff);
        base - base / 8 + ((u64::from(base) * sum) >> 19) as u32
    }
}

/// A city without daylight saving time, so that clocks are right in every season.
struct City {
    region_code: &'static str,
    subdivision_code: &'static str,
    time_zone: &'static str,
    utc_offset_minutes: i32,
    place: wire::Place,
    /// Round trip to the vantage in Los Angeles.
    rtt_micros: u32,
}

const fn place(latitude_degrees: f64, longitude_degrees: f64, radius_km: u32) -> wire::Place {
    wire::Place { latitude_degrees, longitude_degrees, radius_km }
}

const CITIES: [City; 3] = [
    City {
        region_code: "US",
        subdivision_code: "US-AZ",
        time_zone: "America/Phoenix",
        utc_offset_minutes: -420,
        place: place(33.45, -112.07, 50),
        rtt_micros: 22_000,
    },
    City {
        region_code: "CA",
        subdivision_code: "CA-SK",
        time_zone: "America/Regina",
        utc_offset_minutes: -360,
        place: place(50.45, -104.62, 40),
        rtt_micros: 47_000,
    },
    City {
        region_code: "US",
        subdivision_code: "US-HI",
        time_zone: "Pacific/Honolulu",
        utc_offset_minutes: -600,
        place: place(21.31, -157.86, 40),
        rtt_micros: 62_000,
    },
];

/// The login of a worker's `turn`-th workday. Name of event and worker are unique per worker and turn.
pub fn login(worker: u64, turn: u64, micros: i64, shape: Shape) -> wire::SessionEvent {
    let city = &CITIES[(worker % 3) as usize];
    let mut today = Dice::of(worker, turn + 1_000);
    wire::SessionEvent {
        event_id: format!("e-{worker}-{turn}"),
        worker_id: format!("w-{worker}"),
        session_id: format!("s-{worker}-{turn}"),
        event_time: Some(wire::Timestamp::from_micros(micros)),
        activity: wire::SessionActivity::Logon as i32,
        claim: Some(wire::Claim {
            region_code: city.region_code.into(),
            subdivision_code: city.subdivision_code.into(),
            time_zone: city.time_zone.into(),
            place: Some(city.place),
            ..Default::default()
        }),
        timezone: Some(wire::TimezoneSample {
            time_zone: city.time_zone.into(),
            utc_offset_minutes: Some(city.utc_offset_minutes),
            ..Default::default()
        }),
        typing: (shape == Shape::Full).then(|| typing(worker, &mut today)),
        pointer: (shape == Shape::Full).then(|| pointer(&mut today)),
        network: Some(network(worker, city, &mut today)),
        device: Some(device(worker)),
        ..Default::default()
    }
}

fn typing(worker: u64, today: &mut Dice) -> wire::TypingSample {
    let mut hand = Dice::of(worker, 1);
    let mut column =
        |low: u32, span: u64| -> Vec<u32> { (0..PRESSES).map(|_| today.near(low + hand.below(span) as u32)).collect() };
    let dwell_micros = column(70_000, 50_000);
    let mut press_interval_micros = column(110_000, 150_000);
    press_interval_micros[0] = 0;
    wire::TypingSample {
        context: wire::TypingContext::FixedPhrase as i32,
        phrase_id: "login".into(),
        press_interval_micros,
        dwell_micros,
        key_classes: (0..PRESSES).map(|press| if press % 6 == 5 { 4 } else { 1 }).collect(),
        timer_resolution_micros: 100,
        ..Default::default()
    }
}

fn pointer(today: &mut Dice) -> wire::PointerSample {
    let mut column = |first: i32, low: i32, span: u64| -> Vec<i32> {
        (0..MOVES).map(|index| if index == 0 { first } else { low + today.below(span) as i32 }).collect()
    };
    let (delta_x, delta_y) = (column(0, -6, 16), column(0, -9, 16));
    wire::PointerSample {
        interval_micros: column(0, 16_400, 500).into_iter().map(i32::unsigned_abs).collect(),
        delta_x,
        delta_y,
        timer_resolution_micros: 100,
        source: wire::PointerSource::FrameCoalesced as i32,
        button_down_indexes: vec![27, 59],
    }
}

fn network(worker: u64, city: &City, today: &mut Dice) -> wire::NetworkSample {
    // Every tenth worker sits in an office of ten; the others have an address each, of the range kept for benchmarks.
    let site = if worker.is_multiple_of(10) { worker / 100 * 100 } else { worker };
    let mut kept = Dice::of(site, 2);
    let mut round_trips = |base: u32| -> Vec<u32> { (0..4).map(|_| today.near(base)).collect() };
    wire::NetworkSample {
        ip_address: format!("198.{}.{}.{}", 18 + (site >> 16 & 1), site >> 8 & 0xff, site & 0xff),
        ip_token: kept.token(),
        region_code: city.region_code.into(),
        subdivision_code: city.subdivision_code.into(),
        autonomous_system_number: 64_500 + (site % 20) as u32,
        connection_type: wire::ConnectionType::Residential as i32,
        anonymizer_detected: Some(false),
        tcp_rtt_micros: round_trips(city.rtt_micros),
        application_rtt_micros: round_trips(city.rtt_micros + 3_000),
        vantage: Some(place(34.05, -118.24, 20)),
        address_place: Some(city.place),
        site_tokens: vec![kept.token()],
        user_agent: "Chrome 156".into(),
        operating_system: "Windows".into(),
        ..Default::default()
    }
}

fn device(worker: u64) -> wire::DeviceSample {
    let mut kept = Dice::of(worker, 3);
    let peripheral = |product_id: u32, class: wire::PeripheralClass| wire::Peripheral {
        vendor_id: 0x046d,
        product_id,
        peripheral_class: class as i32,
    };
    wire::DeviceSample {
        device_token: kept.token(),
        display_token: kept.token(),
        peripherals: vec![
            peripheral(0xc31c, wire::PeripheralClass::Keyboard),
            peripheral(0xc077, wire::PeripheralClass::Pointer),
        ],
        display_count: Some(1),
        managed: Some(true),
        ..Default::default()
    }
}

/// Everybody's logins, one a workday at about 16:00 UTC, given out in order to whoever asks.
pub struct Calendar {
    monday_micros: i64,
    latest_micros: i64,
    workers: u64,
    shape: Shape,
    given: AtomicU64,
}

impl Calendar {
    /// Logins of so many workers from a fixed Monday on.
    pub fn new(workers: u64, shape: Shape) -> Self {
        let given = AtomicU64::new(0);
        Self { monday_micros: MONDAY_MICROS, latest_micros: i64::MAX, workers, shape, given }
    }

    /// Logins from half a year ago on, none later than `now`.
    pub fn until(now: EventTime, workers: u64, shape: Shape) -> Self {
        let day = now.day_number() - 182;
        // Day 4 of 1970 was a Monday.
        let monday_micros = (day - (day + 3) % 7) * DAY_MICROS;
        Self { monday_micros, latest_micros: now.0, workers, shape, given: AtomicU64::new(0) }
    }

    /// How many workers take turns.
    pub fn workers(&self) -> u64 {
        self.workers
    }

    /// The next login.
    pub fn next(&self) -> wire::SessionEvent {
        let given = self.given.fetch_add(1, Ordering::Relaxed);
        let (worker, turn) = (given % self.workers, given / self.workers);
        let day = (turn / 5 * 7 + turn % 5) as i64;
        let queue = (worker * 7_200 / self.workers) as i64 + Dice::of(worker, turn).below(1_200) as i64;
        let micros = self.monday_micros + day * DAY_MICROS + 16 * HOUR_MICROS + queue * SECOND_MICROS;
        login(worker, turn, micros.min(self.latest_micros), self.shape)
    }
}

/// The shipped model over a store.
pub struct Desk {
    pub pipeline: Pipeline,
    pub tenant: TenantId,
    pub rules: Rules,
}

impl Desk {
    /// Opens over a store, for the tenant that a service without credentials serves.
    pub fn over(store: SharedStore) -> Self {
        let tenant = store.tenant("default").expect("a writable store");
        let model = Model::shipped().expect("the shipped model");
        let models = Models::new(vec![model], None).expect("one model");
        let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::Refused };
        Self { pipeline: Pipeline::new(store, models), tenant, rules }
    }

    /// A message to what the pipeline scores.
    pub fn check(&self, message: wire::SessionEvent) -> Submission {
        let content_hash = convert::content_hash(&message);
        self.check_hashed(message, content_hash)
    }

    /// As [`Desk::check`], of a message hashed before.
    pub fn check_hashed(&self, message: wire::SessionEvent, content_hash: [u8; 32]) -> Submission {
        let mut violations = Violations::default();
        let event = convert::event(message).check("event", &self.rules, &mut violations);
        let Some(event) = event else { panic!("the bench's own events are sound: {:?}", violations.list()) };
        Submission { event, content_hash, update: Update::IfTrusted, model_id: String::new() }
    }

    /// A verdict, given at the event's own time.
    pub fn assess(&self, submission: &Submission) -> Assessed {
        self.pipeline.assess(self.tenant, submission, submission.event.samples.time).expect("a verdict")
    }

    /// Gives every worker of a calendar so many logins of history, and waits until they are on disk.
    pub fn seed(&self, calendar: &Calendar, logins_each: u64) {
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
        let share = (calendar.workers() * logins_each).div_ceil(threads);
        let work = || {
            let mut last: Option<Durable> = None;
            for _ in 0..share {
                last = Some(self.assess(&self.check(calendar.next())).durable);
            }
            // Writes persist in order: the last one stands for all before.
            last.map(Durable::wait)
        };
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            for handle in handles {
                handle.join().expect("a seeding thread").unwrap_or(Ok(())).expect("a writable store");
            }
        });
    }

    /// What a worker's record holds and takes: median typing logins learned, mean bytes in its stored form.
    pub fn shown(&self, workers: u64) -> String {
        let step = (workers / 1_000).max(1);
        let (mut typed, mut bytes, mut count) = (Vec::new(), 0, 0);
        for worker in (0..workers).step_by(step as usize) {
            let found = self.pipeline.store().record(self.tenant, &format!("w-{worker}")).expect("a readable store");
            let Some(record) = found else { continue };
            typed.push(record.profiles.typing.summaries().first().map_or(0.0, |(_, count, _, _)| *count) as u64);
            bytes += postcard::to_stdvec(&record).expect("a record that can be written").len();
            count += 1;
        }
        let typed = percentile(&mut typed, 0.5);
        let mean = bytes / count.max(1);
        format!("a record has learned {typed} typed logins (median) and takes {mean} bytes stored (budget 2,600)")
    }
}

/// The value under which a share of the values lies; sorts them. 0 of none.
pub fn percentile(values: &mut [u64], share: f64) -> u64 {
    values.sort_unstable();
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

/// Nanoseconds of a span.
pub fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// p50, p99, p99.9 and the worst of nanoseconds, printed in microseconds.
pub fn spread_micros(nanos: &mut [u64]) -> String {
    let mut text = String::new();
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("worst", 1.0)] {
        let _ = write!(text, "  {name} {:>8.2}", percentile(nanos, share) as f64 / 1e3);
    }
    text
}

/// Where a figure stands between floor and goal of `targets.md`; `higher` when more is better.
pub fn judged(figure: f64, floor: f64, goal: f64, higher: bool) -> &'static str {
    let reaches = |mark: f64| if higher { figure >= mark } else { figure <= mark };
    match (reaches(floor), reaches(goal)) {
        (_, true) => "reaches the goal",
        (true, false) => "holds the floor, misses the goal",
        (false, false) => "misses the floor",
    }
}
