//! Round trips against distance: the bound of physics, what other connections of that length take, and the leg that
//! TCP does not see.
//!
//! Light in fibre goes 200 km per ms, so a round trip of 1 ms covers at most 100 km. That is a bound from above and it
//! is kept apart from the estimate "longer than usual", since a satellite or a bad route can always add time.
//!
//! Worked example: claimed Memphis, vantage Dallas, 677 km. Under 6.2 ms (677 km less two radii of 25 km) the client
//! cannot be in Memphis. Usual is `15 + 0.0144 * 677` = 25 ms; 130 ms is 105 ms more than usual, which one in thousands
//! of US connections needs and an operator across an ocean nearly always does.

use super::in_range;
use super::observe::{Leg, Observation};
use super::region::claimed_place;
use crate::event::{Claim, Place};
use serde::{Deserialize, Serialize};

/// Kilometres covered per millisecond of round trip at the speed of light in fibre (refractive index 1.5).
pub const KM_PER_RTT_MS: f64 = 100.0;
/// Kilometres by which a bound must be broken before it counts: half the usual error of a city's coordinates.
const BREACH_KM_MIN: f64 = 50.0;
/// Distance, km, from which a connection is long-haul: it crosses an ocean, and the route is no longer the claim's own.
const LONG_HAUL_KM: f64 = 5_500.0;
/// Kinds of path told apart.
pub const CLASS_COUNT: usize = 5;
/// Round trip that an access network adds to a data center's, milliseconds: cable, DSL and Wi-Fi, 5 to 25.
const ACCESS_MS: f64 = 10.0;
/// The same where the kind of network is not known, and may be a data center's.
const ACCESS_UNKNOWN_MS: f64 = 4.0;
/// The same for carriers' radio networks.
const CARRIER_MS: f64 = 40.0;
/// How much wider honest delays spread over carriers, anonymizers and company networks, whose detours nobody announces.
const WIDENED: f64 = 2.5;
/// Share of honest connections over geostationary satellites, and the mean and deviation of their delay, ms.
const SATELLITE: (f64, f64, f64) = (0.005, 560.0, 70.0);
/// Honest gaps of clients that answer themselves: share, median in ms and sigma of the logarithm (read: 0.3 to 8.5 ms).
const DIRECT_GAP: (f64, f64, f64) = (0.88, 2.5, 0.75);
/// Honest gaps behind company proxies and private relays: share, median, sigma (read: from 31.5 ms; domestic).
const PROXIED_GAP: (f64, f64, f64) = (0.10, 30.0, 0.40);
/// The same behind a proxy at the other end of a continent: coast to coast takes 62 to 85 ms.
const FAR_PROXIED_GAP: (f64, f64, f64) = (0.02, 62.0, 0.25);
/// Share of honest people behind a far proxy once the address is seen to be far from home.
const FAR_PROXY_SEEN_SHARE: f64 = 0.1;
/// Least gap told apart, milliseconds: half the spread of direct clients.
const GAP_MS_MIN: f64 = 1.0;
/// How much wider gaps of relays spread above the median than below: consumer links and congested routes add, none
/// subtracts, and the fit saw data centers only.
const RELAY_UPPER_STRETCH: f64 = 2.0;
/// Bounds of any one score, nats: models of tails are not to be believed beyond.
const SCORE_MAX: f64 = 8.0;

/// Usual round trips of one kind of path, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PathClass {
    /// Round trip at no distance.
    pub base_ms: f64,
    /// Round trip per kilometre of great circle.
    pub slope_ms_per_km: f64,
    /// Deviation of faster paths than usual.
    pub faster_ms: f64,
    /// Deviation of slower paths than usual.
    pub slower_ms: f64,
    /// 95th percentile of what a path takes beyond usual.
    pub excess_p95_ms: f64,
    /// Mean of what the slowest 5 % take beyond the 95th percentile.
    pub tail_mean_ms: f64,
}

/// What training fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// By claimed region: United States, Europe, elsewhere; then long-haul from anywhere; then Canada.
    pub classes: Vec<PathClass>,
    /// Excess of operators overseas over the usual of the claimed place: median, milliseconds.
    pub remote_excess_median_ms: f64,
    /// The same: sigma of the logarithm.
    pub remote_excess_sigma: f64,
    /// Hidden leg from overseas to a domestic proxy: median, milliseconds.
    pub relay_gap_median_ms: f64,
    /// The same: sigma of the logarithm.
    pub relay_gap_sigma: f64,
    /// Share of hostile sessions whose packets truly come from the claimed place.
    pub inside_rate: f64,
    /// Nats for one breach of the bound of physics. One anchor proves nothing: it may not stand where it says.
    pub breach_log_odds: f64,
    /// Nats for each further breach.
    pub breach_further_log_odds: f64,
}

impl Parameters {
    /// Checks lengths and ranges.
    ///
    /// # Errors
    /// Names the first parameter out of range.
    pub fn check(&self) -> Result<(), String> {
        if self.classes.len() != CLASS_COUNT {
            return Err(format!("`round_trip.classes` has {} entries: needs {CLASS_COUNT}", self.classes.len()));
        }
        for class in &self.classes {
            in_range("round_trip.classes.base_ms", class.base_ms, 0.0, 300.0)?;
            in_range("round_trip.classes.slope_ms_per_km", class.slope_ms_per_km, 0.01, 0.05)?;
            in_range("round_trip.classes.faster_ms", class.faster_ms, 1.0, 200.0)?;
            in_range("round_trip.classes.slower_ms", class.slower_ms, 1.0, 300.0)?;
            in_range("round_trip.classes.excess_p95_ms", class.excess_p95_ms, 0.0, 500.0)?;
            in_range("round_trip.classes.tail_mean_ms", class.tail_mean_ms, 1.0, 500.0)?;
        }
        in_range("round_trip.remote_excess_median_ms", self.remote_excess_median_ms, 1.0, 1000.0)?;
        in_range("round_trip.remote_excess_sigma", self.remote_excess_sigma, 0.05, 3.0)?;
        in_range("round_trip.relay_gap_median_ms", self.relay_gap_median_ms, 1.0, 1000.0)?;
        in_range("round_trip.relay_gap_sigma", self.relay_gap_sigma, 0.05, 3.0)?;
        in_range("round_trip.inside_rate", self.inside_rate, 0.001, 0.999)?;
        in_range("round_trip.breach_log_odds", self.breach_log_odds, 0.0, 5.0)?;
        in_range("round_trip.breach_further_log_odds", self.breach_further_log_odds, 0.0, 5.0)
    }
}

/// Farthest the client program can be from the vantage, kilometres, by the shortest TCP round trip; `None` without one.
pub fn client_distance_max_km(observation: &Observation) -> Option<f64> {
    observation.vantage?;
    observation.tcp_rtt_ms.map(|rtt| rtt * KM_PER_RTT_MS)
}

/// European regions of the round-trip classes.
const EUROPE: [&str; 48] = [
    "AD", "AL", "AT", "BA", "BE", "BG", "BY", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FO", "FR", "GB", "GG",
    "GI", "GR", "HR", "HU", "IE", "IM", "IT", "JE", "LI", "LT", "LU", "LV", "MC", "MD", "ME", "MK", "MT", "NL", "NO",
    "PL", "PT", "RO", "RS", "SE", "SI", "SK", "UA", "XK", "IS",
];

/// Whether a place lies in a box of latitudes and longitudes, degrees.
fn within(place: &Place, south: f64, north: f64, west: f64, east: f64) -> bool {
    (south..=north).contains(&place.latitude_degrees) && (west..=east).contains(&place.longitude_degrees)
}

/// The class of a path between a place in `region_code` and a vantage `distance_km` away.
///
/// A path is a continent's own only when both ends are on it: to other continents cables take other ways.
pub fn class_of(region_code: &str, vantage: &Place, distance_km: f64) -> usize {
    let american = within(vantage, 18.0, 72.0, -170.0, -52.0);
    if american && region_code == "US" {
        0
    } else if american && region_code == "CA" {
        4
    } else if within(vantage, 34.0, 72.0, -25.0, 41.0) && EUROPE.contains(&region_code) {
        1
    } else if distance_km <= LONG_HAUL_KM {
        2
    } else {
        3
    }
}

/// What a path's round trips say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Log-likelihood ratio, nats.
    pub log_odds: f64,
    /// Shortest round trip of the leg judged, milliseconds.
    pub rtt_ms: f64,
    /// What it takes beyond usual, milliseconds; negative when less.
    pub excess_ms: f64,
    /// Usual least and most (95 %) of that leg, milliseconds.
    pub expected_ms: (f64, f64),
    /// Legs shorter than physics allows for the claimed place.
    pub breach_count: u32,
}

/// Judges the round trips against the claimed place; `None` without vantage, round trip or any
/// notion of where the claim is.
pub fn judge(observation: &Observation, claim: &Claim, parameters: &Parameters) -> Option<Verdict> {
    let place = claimed_place(claim)?;
    let mut breaches = 0u32;
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(1 + observation.anchors.len());
    for leg in observation.vantage.iter().chain(&observation.anchors) {
        let centre_km = place.distance_km(&leg.vantage);
        let radii_km = f64::from(place.radius_km) + f64::from(leg.vantage.radius_km);
        if (centre_km - radii_km).max(0.0) - leg.rtt_ms * KM_PER_RTT_MS > BREACH_KM_MIN {
            breaches += 1;
        }
        let distance_km = route_km(observation, &place, leg, centre_km) + f64::from(place.radius_km);
        verdicts.push(judge_leg(observation, leg, distance_km, &claim.region_code, parameters));
    }
    // One long leg among short ones is a bad route, one short among long ones lies on the operator's way: the middle
    // leg speaks, of two the mean. Legs share the access network, so their scores are never summed.
    verdicts.sort_by(|a, b| a.log_odds.total_cmp(&b.log_odds));
    let upper = verdicts.get(verdicts.len() / 2).copied()?;
    let lower = verdicts.get(verdicts.len().saturating_sub(1) / 2).copied()?;
    let mut verdict = Verdict { log_odds: (lower.log_odds + upper.log_odds) / 2.0, ..upper };
    if breaches > 0 {
        let further = f64::from(breaches - 1) * parameters.breach_further_log_odds;
        let breached = (parameters.breach_log_odds + further).min(SCORE_MAX);
        verdict.log_odds = verdict.log_odds.max(breached);
        verdict.breach_count = breaches;
    }
    Some(verdict)
}

/// Length of the way from the claimed place to the vantage: by the address's place when that is elsewhere on the way.
///
/// Packets of a worker on a company's VPN go to its exit first. Only within an ocean's width of home: an exit abroad
/// excuses nothing.
fn route_km(observation: &Observation, home: &Place, leg: &Leg, centre_km: f64) -> f64 {
    match observation.place {
        Some(exit) if home.distance_km(&exit) <= LONG_HAUL_KM => {
            centre_km.max(home.distance_km(&exit) + exit.distance_km(&leg.vantage))
        }
        _ => centre_km,
    }
}

fn judge_leg(observation: &Observation, leg: &Leg, distance_km: f64, region: &str, parameters: &Parameters) -> Verdict {
    // INVARIANT: `check` admitted CLASS_COUNT classes; the fallback is never taken.
    let index = class_of(region, &leg.vantage, distance_km).min(parameters.classes.len().saturating_sub(1));
    let class = &parameters.classes[index];
    let carrier = observation.mobile || observation.phone;
    let access_ms = if observation.hosting {
        0.0
    } else if carrier {
        CARRIER_MS
    } else if observation.wired {
        ACCESS_MS
    } else {
        ACCESS_UNKNOWN_MS
    };
    // A proxy that answers TCP may stand anywhere between the person and the vantage, as a VPN's exit may.
    let widened = if carrier || observation.anonymized || observation.organization {
        WIDENED
    } else {
        1.0 + (WIDENED - 1.0) * (1.0 - direct_probability(observation))
    };
    let usual_ms = class.base_ms + class.slope_ms_per_km * distance_km + access_ms;
    let excess_ms = leg.rtt_ms - usual_ms;
    let honest = honest_excess(excess_ms, class, widened);
    let remote = stretched_log_normal(excess_ms, parameters.remote_excess_median_ms, parameters.remote_excess_sigma);
    let ratio = ((1.0 - parameters.inside_rate) * remote / honest + parameters.inside_rate).ln();
    let low = (distance_km / KM_PER_RTT_MS).max(usual_ms - 2.0 * class.faster_ms);
    Verdict {
        log_odds: ratio.clamp(-SCORE_MAX, SCORE_MAX),
        rtt_ms: leg.rtt_ms,
        excess_ms,
        expected_ms: (low, usual_ms + class.excess_p95_ms),
        breach_count: 0,
    }
}

/// Density per millisecond of an honest connection's excess: a bell of two sides, an exponential tail, satellites.
fn honest_excess(excess_ms: f64, class: &PathClass, widened: f64) -> f64 {
    let (faster, slower) = (class.faster_ms * widened, class.slower_ms * widened);
    let scale = if excess_ms < 0.0 { faster } else { slower };
    let z = excess_ms / scale;
    let bell = (-0.5 * z * z).exp() * 2.0 / ((faster + slower) * (2.0 * std::f64::consts::PI).sqrt());
    let beyond = (excess_ms - class.excess_p95_ms * widened).max(0.0);
    let tail_mean = class.tail_mean_ms * widened;
    let tail = if beyond > 0.0 { 0.05 / tail_mean * (-beyond / tail_mean).exp() } else { 0.0 };
    // Fast side: a route better than all known ones is rare, not impossible.
    bell.max(tail).max(1e-5) + SATELLITE.0 * normal(excess_ms, SATELLITE.1, SATELLITE.2)
}

/// Scores the gap between the application's and TCP's shortest round trips; needs no claim.
///
/// Returns milliseconds and nats, or `None` unless both round trips were measured. Under 0 only mildly, since a laptop
/// farm shows no gap.
///
/// Where both the claimed place and the proxy's place are known, an honest leg between them is allowed for.
pub fn judge_gap(observation: &Observation, claim: Option<&Claim>, parameters: &Parameters) -> Option<(f64, f64)> {
    let gap_ms = observation.application_rtt_ms? - observation.tcp_rtt_ms?;
    let gap = gap_ms.max(GAP_MS_MIN);
    let carrier = observation.mobile || observation.phone;
    // Carriers split TCP at their edge: the gap is their radio network.
    let (proxied_share, proxied_sigma) =
        if carrier { (4.0 * PROXIED_GAP.0, 1.4 * PROXIED_GAP.2) } else { (PROXIED_GAP.0, PROXIED_GAP.2) };
    let (far_share, far_median_ms) = far_proxy(observation, claim, parameters);
    let honest = (1.0 - proxied_share - far_share) * log_normal(gap, DIRECT_GAP.1, DIRECT_GAP.2)
        + proxied_share * log_normal(gap, PROXIED_GAP.1, proxied_sigma)
        + far_share * log_normal(gap, far_median_ms, FAR_PROXIED_GAP.2)
        + SATELLITE.0 * normal(gap, SATELLITE.1, SATELLITE.2)
        + 1e-6;
    let relayed = stretched_log_normal(gap, parameters.relay_gap_median_ms, parameters.relay_gap_sigma);
    let inside = parameters.inside_rate;
    let ratio = ((1.0 - inside) * relayed / honest + inside).ln().clamp(-SCORE_MAX, SCORE_MAX);
    // A proxy in between clears nobody, however near it is.
    Some((gap_ms, if ratio < 0.0 { ratio * direct_probability(observation) } else { ratio }))
}

/// Share and median gap, milliseconds, of honest people behind a proxy far from home.
fn far_proxy(observation: &Observation, claim: Option<&Claim>, parameters: &Parameters) -> (f64, f64) {
    let unknown = (FAR_PROXIED_GAP.0, FAR_PROXIED_GAP.1);
    let places = claim.and_then(|claim| Some((claim, claimed_place(claim)?, observation.place?)));
    let Some((claim, home, exit)) = places else { return unknown };
    let distance_km = home.distance_km(&exit);
    let index = class_of(&claim.region_code, &exit, distance_km);
    let Some(class) = parameters.classes.get(index) else { return unknown };
    let usual_ms = class.base_ms + class.slope_ms_per_km * distance_km + ACCESS_MS;
    if usual_ms > unknown.1 { (FAR_PROXY_SEEN_SHARE, usual_ms) } else { unknown }
}

/// Probability that the client itself answers TCP, in \[0, 1\]: 1 without a gap, near 0 from some 30 ms on.
pub fn direct_probability(observation: &Observation) -> f64 {
    let (Some(tcp), Some(application)) = (observation.tcp_rtt_ms, observation.application_rtt_ms) else { return 1.0 };
    let gap = (application - tcp).max(GAP_MS_MIN);
    let direct = DIRECT_GAP.0 * log_normal(gap, DIRECT_GAP.1, DIRECT_GAP.2);
    let proxied = PROXIED_GAP.0 * log_normal(gap, PROXIED_GAP.1, PROXIED_GAP.2);
    direct / (direct + proxied + 1e-6)
}

fn normal(x: f64, mean: f64, deviation: f64) -> f64 {
    let z = (x - mean) / deviation;
    (-0.5 * z * z).exp() / (deviation * (2.0 * std::f64::consts::PI).sqrt())
}

fn log_normal(x: f64, median: f64, sigma: f64) -> f64 {
    if x <= 0.0 { 0.0 } else { normal(x.ln(), median.ln(), sigma) / x }
}

/// A log-normal whose upper side spreads [`RELAY_UPPER_STRETCH`] times as wide as its lower one.
fn stretched_log_normal(x: f64, median: f64, sigma: f64) -> f64 {
    let sigma_side = if x > median { sigma * RELAY_UPPER_STRETCH } else { sigma };
    // Both sides meet at the mode of the logarithm and sum to 1.
    log_normal(x, median, sigma_side) * 2.0 * sigma_side / (sigma * (1.0 + RELAY_UPPER_STRETCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        let class = PathClass {
            base_ms: 10.0,
            slope_ms_per_km: 0.0165,
            faster_ms: 6.0,
            slower_ms: 11.0,
            excess_p95_ms: 20.0,
            tail_mean_ms: 13.0,
        };
        Parameters {
            classes: vec![class; CLASS_COUNT],
            remote_excess_median_ms: 100.0,
            remote_excess_sigma: 0.6,
            relay_gap_median_ms: 145.0,
            relay_gap_sigma: 0.34,
            inside_rate: 0.25,
            breach_log_odds: 2.5,
            breach_further_log_odds: 1.5,
        }
    }

    fn gap(gap_ms: f64) -> f64 {
        let observation =
            Observation { tcp_rtt_ms: Some(20.0), application_rtt_ms: Some(20.0 + gap_ms), ..Observation::default() };
        judge_gap(&observation, None, &parameters()).map_or(f64::NAN, |(_, score)| score)
    }

    #[test]
    fn a_leg_across_the_pacific_shows_and_a_company_proxy_does_not() {
        // 187 ms is the median leg from North-East Asia to the United States, 35 ms a company proxy in one's region.
        assert!(gap(187.0) > 5.0);
        assert!(gap(100.0) > 3.0);
        assert!((-0.1..0.5).contains(&gap(35.0)));
        assert!((-1.5..-0.5).contains(&gap(3.0)));
    }

    #[test]
    fn a_satellite_is_less_suspicious_than_a_shorter_leg() {
        assert!(gap(560.0) < gap(300.0));
        assert!(gap(560.0) < 3.0);
    }

    #[test]
    fn a_path_within_a_continent_needs_both_ends_there() {
        let dallas = Place { latitude_degrees: 32.8, longitude_degrees: -96.8, radius_km: 25 };
        let london = Place { latitude_degrees: 51.5, longitude_degrees: -0.1, radius_km: 25 };
        assert_eq!(class_of("US", &dallas, 1_000.0), 0);
        assert_eq!(class_of("CA", &dallas, 2_000.0), 4);
        assert_eq!(class_of("FR", &london, 340.0), 1);
        assert_eq!(class_of("US", &london, 5_300.0), 2);
        assert_eq!(class_of("US", &london, 7_600.0), 3);
    }

    #[test]
    fn both_sides_of_the_stretched_density_sum_to_one() {
        let sum: f64 = (1..200_000).map(|step| stretched_log_normal(f64::from(step) * 0.05, 100.0, 0.3) * 0.05).sum();
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
    }
}
