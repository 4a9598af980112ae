//! The network family alone: how many logins a second one core scores for familiarity, journeys and round trips.
//!
//! `cargo bench --bench network` lets 1,000 workers log in for a month, then prints p50 and p99 of one login, measured
//! and learned, and the rate. Floor: 100,000 logins a second.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench that cannot go on should say where")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod world;

use elsewhere::event::{
    ClaimUnchecked, EventUnchecked, NetworkUnchecked, PlaceUnchecked, Rules, Samples, TablePolicy, TimestampUnchecked,
    Violations,
};
use elsewhere::evidence::feature::Features;
use elsewhere::evidence::network::{Profile, accepts, compare, observe};
use elsewhere::model::Model;
use std::hint::black_box;
use std::time::Instant;
use world::{nanos, only_tested, percentile, setting};

/// Logins a second under which the family is too slow.
const FLOOR: f64 = 100_000.0;
/// Logins timed together: a clock read costs as much as a tenth of a login.
const TOGETHER: usize = 50;

fn place(latitude_degrees: f64, longitude_degrees: f64) -> Option<PlaceUnchecked> {
    Some(PlaceUnchecked { latitude_degrees, longitude_degrees, radius_km: 25 })
}

/// One login: mostly from home, at times from a cafe or a hotel overseas.
fn login(worker: u64, day: u64) -> Samples {
    let mixed = (worker << 8 | day).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let (net, system, region, at) = match mixed % 20 {
        0 => (mixed % 200, 64_600 + mixed % 90, "PT", place(38.72, -9.14)),
        1..=3 => (mixed % 200, 64_520 + mixed % 30, "US", place(36.1, -86.7)),
        _ => (worker % 200, 64_500 + worker % 20, "US", place(35.15, -90.05)),
    };
    let rtt = 24_000 + (mixed % 9_000) as u32;
    let event = EventUnchecked {
        event_id: "e".into(),
        worker_id: "w".into(),
        event_time: Some(TimestampUnchecked { seconds: 1_700_000_000 + 86_400 * day as i64, nanos: 0 }),
        activity: 1,
        claim: Some(ClaimUnchecked {
            region_code: "US".into(),
            place: place(35.15, -90.05),
            ..ClaimUnchecked::default()
        }),
        network: Some(NetworkUnchecked {
            ip_address: format!("87.{net}.{}.{}", worker % 250, mixed % 250),
            autonomous_system_number: system as u32,
            region_code: region.into(),
            address_place: at,
            user_agent: "Edge 63".into(),
            operating_system: "Windows 10".into(),
            vantage: place(32.78, -96.8),
            tcp_rtt_micros: vec![rtt, rtt + 900],
            application_rtt_micros: vec![rtt + 3_000],
            ..NetworkUnchecked::default()
        }),
        ..EventUnchecked::default()
    };
    let mut violations = Violations::default();
    let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
    event.check("event", &rules, &mut violations).expect("a sound event").samples
}

fn main() {
    let workers = setting("ELSEWHERE_BENCH_WORKERS", if only_tested() { 20 } else { 1_000 });
    let days = 30;
    let parameters = Model::shipped().expect("a model").file.evidence.network;
    let logins: Vec<(usize, Samples)> =
        (0..days).flat_map(|day| (0..workers).map(move |worker| (worker as usize, login(worker, day)))).collect();
    let mut profiles = vec![Profile::default(); workers as usize];
    let mut took = Vec::new();
    let whole = Instant::now();
    for some in logins.chunks(TOGETHER) {
        let started = Instant::now();
        for (worker, samples) in some {
            let observation = observe(samples);
            let profile = &mut profiles[*worker];
            let mut features = Features::default();
            compare(&observation, profile, samples.claim.as_ref(), &parameters, &mut features);
            if accepts(&observation, &features, profile, &parameters) {
                profile.learn(&observation, &parameters, samples.time);
            }
            black_box(&features);
        }
        took.push(nanos(started.elapsed()) / some.len() as u64);
    }
    let rate = logins.len() as f64 / whole.elapsed().as_secs_f64();
    let bytes: Vec<usize> =
        profiles.iter().map(|profile| postcard::to_stdvec(profile).expect("written").len()).collect();
    let (p50, p99) = (percentile(&mut took, 0.5), percentile(&mut took, 0.99));
    println!(
        "{} logins: {rate:.0} a second, p50 {p50} ns, p99 {p99} ns; a profile takes {} bytes at most",
        logins.len(),
        bytes.iter().max().expect("workers")
    );
    assert!(only_tested() || rate >= FLOOR, "{rate:.0} logins a second: the floor is {FLOOR:.0}");
}
