//! Round trips against distance: what connections of that length usually take.
//!
//! An estimate, and kept apart from the bound of physics ([`super::bound`]): a bad route can always add time. Fitted by
//! region on the round trips between data centers of a whole day; what homes add comes from the kind of network.
//!
//! Worked example: claimed Memphis, vantage Dallas, 677 km. Usual is `15 + 0.0144 * 677` = 25 ms; 130 ms is 105 ms more
//! than usual, which one in thousands of US connections needs and an operator across an ocean nearly always does. From
//! three vantages the words of the legs add up, each held to 4 nats.

use super::bound::{self, KM_PER_RTT_MS};
use super::density::{honest_excess, stretched_log_normal};
use super::gap::direct_probability;
use super::in_range;
use super::observe::{Leg, Observation};
use super::region::claimed_place;
use crate::event::{Claim, Place};
use serde::{Deserialize, Serialize};

/// Distance, km, from which a connection is long-haul: it crosses an ocean, and the route is no longer the claim's own.
const LONG_HAUL_KM: f64 = 5_500.0;
/// Kinds of path told apart.
pub const CLASS_COUNT: usize = 5;
/// Round trip that an access network adds to a data center's, milliseconds: cable, DSL and Wi-Fi, 5 to 25.
pub(super) const ACCESS_MS: f64 = 10.0;
/// The same where the kind of network is not known, and may be a data center's.
pub(super) const ACCESS_UNKNOWN_MS: f64 = 4.0;
/// How much wider honest delays spread over anonymizers and company networks, whose detours nobody announces.
const WIDENED: f64 = 2.5;
/// Most that one leg of several may say, nats either way: an anchor may not stand where it says.
const LEG_MAX: f64 = 4.0;
/// Largest logarithm of a ratio that is still told apart, nats.
const RATIO_MAX: f64 = 30.0;
/// Least ratio told apart.
const RATIO_MIN: f64 = 1e-9;
/// Bounds of any one score, nats: models of tails are not to be believed beyond.
pub(super) const SCORE_MAX: f64 = 8.0;

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

impl PathClass {
    /// Usual round trip of a path of `distance_km`, milliseconds, without its access network.
    pub fn usual_ms(&self, distance_km: f64) -> f64 {
        self.base_ms + self.slope_ms_per_km * distance_km
    }
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
    /// Nats for the first of several breaches of the bound of physics (see [`super::bound`]).
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

/// The class of a path between a place in `region_code` and a vantage `distance_km` away; `None` for no classes at all.
pub(super) fn class_between<'a>(
    classes: &'a [PathClass],
    region_code: &str,
    vantage: &Place,
    distance_km: f64,
) -> Option<&'a PathClass> {
    // INVARIANT: `check` admitted CLASS_COUNT classes; the last is never taken for want of another.
    classes.get(class_of(region_code, vantage, distance_km)).or(classes.last())
}

/// The class of a path of `distance_km` within `region_code` or its continent.
pub(super) fn class_within<'a>(classes: &'a [PathClass], region_code: &str, distance_km: f64) -> Option<&'a PathClass> {
    let index = match region_code {
        "US" => 0,
        "CA" => 4,
        _ if EUROPE.contains(&region_code) => 1,
        _ if distance_km <= LONG_HAUL_KM => 2,
        _ => 3,
    };
    classes.get(index).or(classes.last())
}

/// What a path's round trips say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Log-likelihood ratio, nats.
    pub log_odds: f64,
    /// Shortest round trip of the leg told, milliseconds.
    pub rtt_ms: f64,
    /// What it takes beyond usual, milliseconds; negative when less.
    pub excess_ms: f64,
    /// Usual least and most (95 %) of that leg, milliseconds.
    pub expected_ms: (f64, f64),
}

/// One leg's word.
struct LegWord {
    /// Log-likelihood ratio before hostile sessions from inside are allowed for, nats.
    log_ratio: f64,
    told: Verdict,
}

/// Judges the round trips against the claimed place; `None` without vantage, round trip or any notion of where the
/// claim is, and on networks through the air, whose delay says nothing of distance.
///
/// Legs too short for the claimed place are left to [`super::bound`]. The others are weighed together: each leg's word
/// is held to [`LEG_MAX`], so that one anchor that does not stand where it says, or one bad route, is outvoted by the
/// rest.
pub fn judge(observation: &Observation, claim: &Claim, parameters: &Parameters) -> Option<Verdict> {
    if observation.radio() {
        return None;
    }
    let place = claimed_place(claim)?;
    let mut legs: Vec<LegWord> = Vec::with_capacity(1 + observation.anchors.len());
    for leg in observation.vantage.iter().chain(&observation.anchors) {
        if bound::broken(&place, &leg.vantage, leg.rtt_ms) {
            continue;
        }
        let centre_km = place.distance_km(&leg.vantage);
        let distance_km = route_km(observation, &place, leg, centre_km) + f64::from(place.radius_km);
        legs.push(judge_leg(observation, leg, distance_km, &claim.region_code, parameters)?);
    }
    let log_ratio = match legs.as_slice() {
        [] => return None,
        [one] => one.log_ratio,
        several => several.iter().map(|leg| leg.log_ratio.clamp(-LEG_MAX, LEG_MAX)).sum(),
    };
    let inside = parameters.inside_rate;
    let log_odds = ((1.0 - inside) * log_ratio.min(RATIO_MAX).exp() + inside).ln().clamp(-SCORE_MAX, SCORE_MAX);
    // Told is the middle leg, which one bad anchor does not move.
    legs.sort_by(|a, b| a.log_ratio.total_cmp(&b.log_ratio));
    let told = legs.get(legs.len() / 2)?.told;
    Some(Verdict { log_odds, ..told })
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

fn judge_leg(
    observation: &Observation,
    leg: &Leg,
    distance_km: f64,
    region: &str,
    parameters: &Parameters,
) -> Option<LegWord> {
    let class = class_between(&parameters.classes, region, &leg.vantage, distance_km)?;
    let access_ms = if observation.hosting {
        0.0
    } else if observation.wired {
        ACCESS_MS
    } else {
        ACCESS_UNKNOWN_MS
    };
    // A proxy that answers TCP may stand anywhere between the person and the vantage, as a VPN's exit may.
    let widened = if observation.anonymized || observation.organization {
        WIDENED
    } else {
        1.0 + (WIDENED - 1.0) * (1.0 - direct_probability(observation))
    };
    let usual_ms = class.usual_ms(distance_km) + access_ms;
    let excess_ms = leg.rtt_ms - usual_ms;
    let honest = honest_excess(excess_ms, class, widened);
    let remote = stretched_log_normal(excess_ms, parameters.remote_excess_median_ms, parameters.remote_excess_sigma);
    let low = (distance_km / KM_PER_RTT_MS).max(usual_ms - 2.0 * class.faster_ms);
    let told =
        Verdict { log_odds: 0.0, rtt_ms: leg.rtt_ms, excess_ms, expected_ms: (low, usual_ms + class.excess_p95_ms) };
    Some(LegWord { log_ratio: (remote / honest).max(RATIO_MIN).ln(), told })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn parameters() -> Parameters {
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
}
