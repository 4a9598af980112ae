//! A worker at home in Memphis, and what the path says of sessions from elsewhere.

use super::super::{observe, profile};
use super::*;
use crate::event::{
    ClaimUnchecked, EventUnchecked, NetworkUnchecked, PlaceUnchecked, Rules, Samples, TablePolicy, TimestampUnchecked,
    Violations,
};

const MEMPHIS: (f64, f64) = (35.15, -90.05);
const DALLAS: (f64, f64) = (32.78, -96.80);
const LISBON: (f64, f64) = (38.72, -9.14);

fn place((latitude_degrees, longitude_degrees): (f64, f64)) -> Option<PlaceUnchecked> {
    Some(PlaceUnchecked { latitude_degrees, longitude_degrees, radius_km: 25 })
}

fn parameters() -> Parameters {
    let class = round_trip::PathClass {
        base_ms: 10.0,
        slope_ms_per_km: 0.0165,
        faster_ms: 6.0,
        slower_ms: 11.0,
        excess_p95_ms: 20.0,
        tail_mean_ms: 13.0,
    };
    Parameters {
        familiarity: familiarity::Parameters {
            half_life_days: 120.0,
            novelty_rates: vec![0.15, 0.3, 0.8, 0.4, 0.01, 0.99],
            prior_weight: 4.0,
            bias: -2.7,
            weights: vec![1.6, 0.6, 0.1, 0.1, 0.9, 0.1, 0.4, -4.0, 0.5, 1.1, 2.3, -0.4],
            inside_rate: 0.3,
            newcomer: familiarity::Newcomer { elsewhere_log_odds: 1.4, claimed_log_odds: -0.2 },
        },
        round_trip: round_trip::Parameters {
            classes: vec![class; round_trip::CLASS_COUNT],
            remote_excess_median_ms: 100.0,
            remote_excess_sigma: 0.6,
            relay_gap_median_ms: 145.0,
            relay_gap_sigma: 0.34,
            inside_rate: 0.25,
            breach_log_odds: 2.5,
            breach_further_log_odds: 1.5,
        },
        accept_log_odds: 3.0,
    }
}

fn samples(hour: i64, network: NetworkUnchecked, claim: Option<ClaimUnchecked>) -> Samples {
    let event = EventUnchecked {
        event_id: "e".into(),
        worker_id: "w".into(),
        event_time: Some(TimestampUnchecked { seconds: 1_700_000_000 + 3_600 * hour, nanos: 0 }),
        activity: 1,
        network: Some(network),
        claim,
        ..EventUnchecked::default()
    };
    let mut violations = Violations::default();
    let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
    match event.check("event", &rules, &mut violations) {
        Some(event) => event.samples,
        None => panic!("{violations}"),
    }
}

fn home() -> NetworkUnchecked {
    NetworkUnchecked {
        ip_address: "87.121.185.14".into(),
        autonomous_system_number: 64_548,
        region_code: "US".into(),
        address_place: place(MEMPHIS),
        user_agent: "Edge 63".into(),
        operating_system: "Windows 10".into(),
        ..NetworkUnchecked::default()
    }
}

fn abroad() -> NetworkUnchecked {
    NetworkUnchecked {
        ip_address: "25.23.84.59".into(),
        autonomous_system_number: 64_529,
        region_code: "PT".into(),
        address_place: place(LISBON),
        ..home()
    }
}

fn month_at_home() -> Profile {
    let mut profile = Profile::default();
    for day in 0..30 {
        let samples = samples(24 * day, home(), None);
        profile.learn(&observe(&samples), &parameters(), samples.time);
    }
    profile
}

fn judged(samples: &Samples, profile: &Profile) -> Features {
    let mut features = Features::default();
    compare(&observe(samples), profile, samples.claim.as_ref(), &parameters(), &mut features);
    features
}

fn sum(features: &Features) -> f64 {
    Finding::ALL.iter().filter_map(|finding| features.get(finding.score())).sum()
}

fn anchor(place_of: (f64, f64), rtt_ms: u32) -> (Option<PlaceUnchecked>, Vec<u32>) {
    (place(place_of), vec![rtt_ms * 1000])
}

#[test]
fn one_bad_anchor_is_outvoted_and_two_breaches_speak() {
    const ATLANTA: (f64, f64) = (33.75, -84.39);
    const FRANKFURT: (f64, f64) = (50.11, 8.68);
    let with = |anchors| {
        let network = NetworkUnchecked { anchors, ..path(26, 0) };
        judged(&samples(0, network, claim()), &Profile::default())
    };
    // An anchor that says it stands in Frankfurt and answers Memphis in 18 ms.
    let features = with(vec![anchor(ATLANTA, 24), anchor(FRANKFURT, 18)]);
    assert_eq!(features.get(FeatureId::NetworkBoundLogOdds), Some(0.3));
    // What keeps the bound is not clearing either, as long as something breaks it.
    assert!((0.0..0.5).contains(&sum(&features)), "{}", sum(&features));
    // One that is far too long.
    assert!(sum(&with(vec![anchor(ATLANTA, 24), anchor(FRANKFURT, 900)])) < 1.0);
    // Two that are too short: Lisbon and Frankfurt both within 20 ms, and Dallas not.
    let features = with(vec![anchor(LISBON, 20), anchor(FRANKFURT, 18)]);
    assert_eq!(features.get(FeatureId::NetworkBoundLogOdds), Some(4.0));
    assert!(features.get(FeatureId::NetworkBoundBeyondKm).is_some_and(|km| km > 4_000.0));
}

#[test]
fn through_the_air_only_the_bound_of_light_speaks() {
    for radio in [2, 5] {
        let network = NetworkUnchecked { connection_type: radio, ..path(190, 420) };
        let features = judged(&samples(0, network, claim()), &Profile::default());
        assert_eq!(features.get(FeatureId::NetworkRoundTripLogOdds), None);
        assert_eq!(features.get(FeatureId::NetworkGapLogOdds), None);
        let network = NetworkUnchecked { connection_type: radio, ..path(3, 0) };
        let features = judged(&samples(0, network, claim()), &Profile::default());
        assert_eq!(features.get(FeatureId::NetworkBoundLogOdds), Some(1.5));
    }
    // In flight, by the operator's autonomous system, however far its antenna is.
    let aloft = NetworkUnchecked { autonomous_system_number: 22_351, ..abroad() };
    let mut profile = month_at_home();
    let samples = samples(24 * 29 + 3, aloft, None);
    assert_eq!(judged(&samples, &profile).get(FeatureId::NetworkTravelLogOdds), None);
    let before = (profile.trail.clone(), profile.regions.len());
    profile.learn(&observe(&samples), &parameters(), samples.time);
    assert_eq!((profile.trail.clone(), profile.regions.len()), before);
}

#[test]
fn a_new_hire_is_held_against_the_claim_from_the_first_login() {
    let of = |network, claim| judged(&samples(0, network, claim), &Profile::default());
    let at_home = of(home(), claim()).get(FeatureId::NetworkFamiliarityLogOdds);
    let abroad = of(abroad(), claim()).get(FeatureId::NetworkFamiliarityLogOdds);
    assert_eq!((at_home.is_some_and(|score| score < 0.0), abroad), (true, Some(1.4)));
}

#[test]
fn known_addresses_are_checked_again_and_moved_ones_are_no_journey() {
    let office = || NetworkUnchecked { ip_address: "93.184.216.34".into(), ..home() };
    let mut profile = month_at_home();
    let learnt = samples(24 * 29 + 2, office(), None);
    profile.learn(&observe(&learnt), &parameters(), learnt.time);
    let back = samples(24 * 29 + 3, home(), None);
    profile.learn(&observe(&back), &parameters(), back.time);
    // A new edition puts the office in Lisbon.
    let moved = samples(24 * 29 + 4, NetworkUnchecked { address_place: place(LISBON), ..office() }, None);
    assert_eq!(judged(&moved, &profile).get(FeatureId::NetworkTravelLogOdds), None);
    // A flat in Lisbon is known by now; an hour after home it is a journey all the same.
    let flat = samples(24 * 20, abroad(), None);
    profile.learn(&observe(&flat), &parameters(), flat.time);
    let soon = samples(24 * 29 + 4, abroad(), None);
    assert!(judged(&soon, &profile).get(FeatureId::NetworkTravelSpeedKmPerHour).is_some_and(|speed| speed > 6_000.0));
}

#[test]
fn a_late_event_moves_nobody_and_is_judged_by_its_own_time() {
    let mut profile = month_at_home();
    let last = profile.trail.last;
    let late = samples(24 * 20 + 5, abroad(), None);
    // Nine days before the last stay: an ordinary flight.
    assert!(judged(&late, &profile).get(FeatureId::NetworkTravelSpeedKmPerHour).is_some_and(|speed| speed < 50.0));
    profile.learn(&observe(&late), &parameters(), late.time);
    assert_eq!(profile.trail.last, last);
}

#[test]
fn a_first_session_is_neither_familiar_nor_strange() {
    let features = judged(&samples(0, abroad(), None), &Profile::default());
    assert_eq!(features.get(FeatureId::NetworkFamiliarityLogOdds), None);
    assert_eq!(features.get(FeatureId::NetworkTravelLogOdds), None);
    assert!(accepts(&observe(&samples(0, abroad(), None)), &features, &Profile::default(), &parameters()));
}

#[test]
fn home_clears_no_further_than_a_laptop_farm_allows() {
    let features = judged(&samples(24 * 30, home(), None), &month_at_home());
    // ln .3 = -1.2: three hostile sessions in ten come from the worker's own home.
    assert!((-1.21..-0.8).contains(&sum(&features)), "{}", sum(&features));
}

#[test]
fn the_same_journey_is_worse_within_three_hours_than_within_three_days() {
    let profile = month_at_home();
    let soon = judged(&samples(24 * 29 + 3, abroad(), None), &profile);
    let later = judged(&samples(24 * 32, abroad(), None), &profile);
    // 6 880 km less two radii of 25 km: some 2 280 km/h, and some 95 km/h.
    let speed = soon.get(FeatureId::NetworkTravelSpeedKmPerHour).unwrap_or_default();
    assert!((2_100.0..2_400.0).contains(&speed), "{speed}");
    assert!(sum(&soon) > sum(&later) + 1.0);
    assert!(!accepts(&observe(&samples(24 * 29 + 3, abroad(), None)), &soon, &profile, &parameters()));
}

#[test]
fn an_anonymized_network_makes_no_journey_and_teaches_no_place() {
    let mut profile = month_at_home();
    let exit = NetworkUnchecked { anonymizer_detected: Some(true), ..abroad() };
    let samples = samples(24 * 29 + 3, exit, None);
    let features = judged(&samples, &profile);
    assert_eq!(features.get(FeatureId::NetworkTravelLogOdds), None);
    assert!(features.get(FeatureId::NetworkAnonymizedLogOdds).is_some_and(|score| score <= 0.7));
    let before = (profile.trail.clone(), profile.regions.len());
    profile.learn(&observe(&samples), &parameters(), samples.time);
    assert_eq!((profile.trail.clone(), profile.regions.len()), before);
}

#[test]
fn a_vpn_used_every_day_grows_neutral() {
    let exit = || NetworkUnchecked { anonymizer_detected: Some(true), ..abroad() };
    let mut profile = Profile::default();
    for day in 0..20 {
        let samples = samples(24 * day, exit(), None);
        profile.learn(&observe(&samples), &parameters(), samples.time);
    }
    let features = judged(&samples(24 * 20, exit(), None), &profile);
    assert!(features.get(FeatureId::NetworkAnonymizedLogOdds).is_some_and(|score| score < 0.1));
    assert!(sum(&features) < 0.0);
}

fn claim() -> Option<ClaimUnchecked> {
    Some(ClaimUnchecked { region_code: "US".into(), place: place(MEMPHIS), ..ClaimUnchecked::default() })
}

fn path(tcp_ms: u32, application_ms: u32) -> NetworkUnchecked {
    NetworkUnchecked {
        tcp_rtt_micros: vec![tcp_ms * 1000, tcp_ms * 1000 + 900],
        application_rtt_micros: if application_ms == 0 { vec![] } else { vec![application_ms * 1000] },
        vantage: place(DALLAS),
        ..NetworkUnchecked::default()
    }
}

#[test]
fn round_trips_speak_by_the_claim_and_by_physics() {
    let of = |tcp, application| sum(&judged(&samples(0, path(tcp, application), claim()), &Profile::default()));
    // Usual from Memphis to Dallas, 677 km: 10 + 677 * .0165 + 4 = 25 ms.
    assert!(of(26, 29) < -0.5);
    // An operator overseas who answers TCP, and one behind a domestic proxy.
    assert!(of(190, 193) > 3.0);
    assert!(of(26, 213) > 3.0);
    // 3 ms reach 300 km: not Memphis. One vantage proves nothing, and the estimate is silent.
    let features = judged(&samples(0, path(3, 0), claim()), &Profile::default());
    assert!((sum(&features) - 1.5).abs() < 1e-9);
    assert_eq!(features.get(FeatureId::NetworkBoundBreachCount), Some(1.0));
    assert_eq!(features.get(FeatureId::NetworkRoundTripLogOdds), None);
    // A company proxy 35 ms away is no operator.
    assert!(of(26, 61) < 1.0);
}

#[test]
fn everything_in_order_clears_no_more_than_one_finding_alone() {
    let network = NetworkUnchecked { vantage: place(DALLAS), ..home() };
    let network = NetworkUnchecked { tcp_rtt_micros: vec![25_000], application_rtt_micros: vec![28_000], ..network };
    let features = judged(&samples(24 * 30, network, claim()), &month_at_home());
    let scores: Vec<f64> = Finding::ALL.iter().filter_map(|finding| features.get(finding.score())).collect();
    assert!(scores.len() >= 4 && scores.iter().all(|score| *score <= 0.0), "{scores:?}");
    // ln .25 = -1.39: one hostile session in four has domestic round trips.
    assert!((-1.4..-1.0).contains(&sum(&features)), "{scores:?}");
}

#[test]
fn the_edge_leg_is_not_a_gap() {
    let network = NetworkUnchecked { edge_leg_micros: 180_000, ..path(10, 193) };
    assert!(sum(&judged(&samples(0, network, None), &Profile::default())) < 0.0);
}

#[test]
fn a_profile_merged_with_nothing_is_itself_and_stays_small() {
    let profile = month_at_home();
    let mut merged = profile.clone();
    merged.merge(&Profile::default());
    assert_eq!(merged, profile);
    let mut busy = Profile::default();
    for index in 0..200u32 {
        let network = NetworkUnchecked {
            ip_address: format!("{}.{}.1.1", index % 199 + 1, index % 7),
            autonomous_system_number: index + 1,
            user_agent: format!("Browser{}", (b'a' + (index % 26) as u8) as char),
            ..home()
        };
        let samples = samples(i64::from(index), network, None);
        busy.learn(&observe(&samples), &parameters(), samples.time);
    }
    let kept = busy.addresses.len() + busy.pools.len() + busy.systems.len() + busy.clients.len();
    assert!(kept <= 32);
    assert!(busy.addresses.iter().all(|seen| seen.weight >= profile::WEIGHT_MIN));
    assert_eq!(busy.summaries().len(), 6);
}
