//! Where an honest company's proxy may stand, by both legs at once: TCP's round trip goes from the vantage to the proxy,
//! the gap from the proxy to the worker.
//!
//! Nobody knows the place, so it is summed over places spread evenly on the claimed region. One where TCP's round trip
//! would be another counts less than home does: a handshake that comes from the claimed place leaves little room for a
//! proxy across the continent, and with it for an honest gap of 90 ms.
//!
//! Worked example: claimed Roseburg, vantage San Jose (700 km), handshake 25 ms, gap 90 ms. From a proxy in New York the
//! handshake would take 75 ms, from one in Seattle the gap would be 20: neither explains both, and a leg from Tokyo to
//! a proxy in Roseburg does.

use super::density::bell;
use super::observe::Observation;
use super::region::region_place;
use super::round_trip::{ACCESS_MS, ACCESS_UNKNOWN_MS, Parameters, class_between, class_within};
use crate::event::{Claim, Place};

/// Least radius of the region in which a company keeps its proxies, km: a continent's, for small countries' companies
/// rent them abroad.
const REGION_KM_MIN: f64 = 2_000.0;
/// Rings on which places lie, share of the radius, and how many places each has: with the centre 19 of equal area.
const RINGS: [(f64, usize); 2] = [(0.45, 6), (0.9, 12)];
/// Places in all.
const PLACES: f64 = 19.0;
/// How much wider the legs to proxies spread than those between data centers: proxies add work and wait.
const WIDENED: f64 = 1.5;
/// Density of a round trip that no place explains, per millisecond.
const UNEXPLAINED: f64 = 2e-4;
/// Most that TCP's round trip may speak for a proxy away from home, as a ratio: anchors are misplaced, and routes bad.
const AWAY_RATIO_MAX: f64 = 20.0;

/// A point on the unit sphere.
type Point = [f64; 3];

fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn point(place: &Place) -> Point {
    let (latitude, longitude) = (place.latitude_degrees.to_radians(), place.longitude_degrees.to_radians());
    [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()]
}

/// Mean radius of the Earth, kilometres (IUGG).
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

fn km_between(a: Point, b: Point) -> f64 {
    dot(a, b).clamp(-1.0, 1.0).acos() * EARTH_RADIUS_KM
}

/// Calls `visit` with each place of the region.
fn for_each_place(region: &Place, visit: &mut dyn FnMut(Point)) {
    let radius_km = f64::from(region.radius_km).max(REGION_KM_MIN);
    let centre = point(region);
    visit(centre);
    let longitude = region.longitude_degrees.to_radians();
    // East and north of the centre; at a pole east still is a direction.
    let east = [-longitude.sin(), longitude.cos(), 0.0];
    let north = [
        centre[1] * east[2] - centre[2] * east[1],
        centre[2] * east[0] - centre[0] * east[2],
        centre[0] * east[1] - centre[1] * east[0],
    ];
    for (ring, (share, count)) in RINGS.into_iter().enumerate() {
        let angle = share * radius_km / EARTH_RADIUS_KM;
        let (sine, cosine) = angle.sin_cos();
        for at in 0..count {
            // The outer ring's places stand between the inner one's.
            let turn = (at as f64 + 0.5 * ring as f64) / count as f64 * std::f64::consts::TAU;
            let (aside, ahead) = turn.sin_cos();
            visit([0, 1, 2].map(|axis| cosine * centre[axis] + sine * (ahead * north[axis] + aside * east[axis])));
        }
    }
}

/// Density of a gap, per millisecond, to a proxy anywhere in the claimed region, TCP's round trip taken into account where
/// the vantage is known; relative to a proxy at home. `None` when nothing is known of the region.
pub(super) fn gap_density(
    gap_ms: f64,
    home: &Place,
    claim: &Claim,
    observation: &Observation,
    parameters: &Parameters,
) -> Option<f64> {
    let region = region_place(&claim.region_code)?;
    let classes = &parameters.classes;
    let leg = observation.vantage.filter(|_| observation.tcp_rtt_ms.is_some());
    // Density of TCP's round trip from a place so far from the vantage.
    let handshake = |km: f64, access_ms: f64| {
        let Some(leg) = leg else { return 1.0 };
        class_between(classes, &claim.region_code, &leg.vantage, km)
            .map_or(1.0, |class| bell(leg.rtt_ms - class.usual_ms(km) - access_ms, class, WIDENED) + UNEXPLAINED)
    };
    let (at_home, vantage) = (point(home), leg.map(|leg| point(&leg.vantage)));
    let to_vantage = |from: Point| vantage.map_or(0.0, |vantage| km_between(from, vantage));
    let from_home = handshake(to_vantage(at_home) + f64::from(home.radius_km), ACCESS_UNKNOWN_MS);
    let (mut away, mut both) = (0.0, 0.0);
    for_each_place(&region, &mut |place| {
        let likely = handshake(to_vantage(place), 0.0) / from_home / PLACES;
        away += likely;
        let km = km_between(place, at_home);
        if let Some(class) = class_within(classes, &claim.region_code, km) {
            both += likely * bell(gap_ms - class.usual_ms(km) - ACCESS_MS, class, WIDENED);
        }
    });
    Some(both * (AWAY_RATIO_MAX / away).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::super::observe::Leg;
    use super::super::round_trip::tests::parameters;
    use super::*;

    fn place(latitude_degrees: f64, longitude_degrees: f64) -> Place {
        Place { latitude_degrees, longitude_degrees, radius_km: 25 }
    }

    fn density(gap_ms: f64, tcp_rtt_ms: Option<f64>) -> f64 {
        // Roseburg, seen from San Jose, 650 km away.
        let (home, vantage) = (place(43.2, -123.3), place(37.3, -121.9));
        let observation = Observation {
            tcp_rtt_ms,
            vantage: tcp_rtt_ms.map(|rtt_ms| Leg { vantage, rtt_ms }),
            ..Observation::default()
        };
        gap_density(gap_ms, &home, &claim(), &observation, &parameters()).unwrap_or(f64::NAN)
    }

    fn claim() -> Claim {
        let unchecked = crate::event::ClaimUnchecked { region_code: "US".into(), ..Default::default() };
        let event = crate::event::EventUnchecked {
            event_id: "e".into(),
            worker_id: "w".into(),
            event_time: Some(crate::event::TimestampUnchecked { seconds: 1, nanos: 0 }),
            activity: 1,
            claim: Some(unchecked),
            ..Default::default()
        };
        let rules =
            crate::event::Rules { now: None, secret_typing_allowed: false, tables: crate::event::TablePolicy::Refused };
        let checked = event.check("event", &rules, &mut crate::event::Violations::default());
        match checked.and_then(|event| event.samples.claim) {
            Some(claim) => claim,
            None => panic!("the claim is sound"),
        }
    }

    #[test]
    fn places_lie_within_the_region_and_apart() {
        let centre = place(39.0, -96.0);
        let region = Place { radius_km: 2_400, ..centre };
        let mut found = Vec::new();
        for_each_place(&region, &mut |at| found.push(at));
        assert_eq!(found.len() as f64, PLACES);
        for (index, at) in found.iter().enumerate() {
            assert!((dot(*at, *at) - 1.0).abs() < 1e-12);
            assert!(km_between(*at, point(&centre)) < 2_161.0);
            assert!(found[..index].iter().all(|other| km_between(*at, *other) > 900.0));
        }
        // As the great circle that events are measured by: Roseburg to San Jose.
        let (a, b) = (place(43.2, -123.3), place(37.3, -121.9));
        assert!((km_between(point(&a), point(&b)) - a.distance_km(&b)).abs() < 1e-6);
    }

    #[test]
    fn a_handshake_from_home_leaves_little_room_for_a_proxy_across_the_continent() {
        let (unknown, home, across) = (density(90.0, None), density(90.0, Some(25.0)), density(90.0, Some(78.0)));
        assert!(home < unknown / 2.0 && across > unknown, "{home} {unknown} {across}");
    }

    #[test]
    fn no_handshake_speaks_for_a_proxy_beyond_measure() {
        assert!(density(90.0, Some(400.0)).is_finite());
        assert!(density(90.0, Some(78.0)) <= AWAY_RATIO_MAX * 0.1, "a density of a gap stays under its peak");
    }
}
