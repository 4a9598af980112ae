//! The bound of physics: light in fibre goes 200 km per ms, so a round trip of 1 ms covers at most 100 km.
//!
//! It bounds from above and says nothing else: a client that answers Dallas in 3 ms is within 300 km of it and cannot
//! be in Memphis, 677 km away. No route, load or radio can break it, so it holds on every kind of network. What can
//! break it is the caller: 0.04 % of real pairs do, because a server is not where its owner says, and such an anchor
//! is wrong for everybody every day. So **one anchor proves nothing**: a lone breach says little, one among anchors
//! that agree with the claim next to nothing, and two speak.
//!
//! Where a proxy answers for the client, the bound is the proxy's. It is silent on marked and company networks, whose
//! exits stand anywhere, and shrinks with the gap that shows a proxy.

use super::gap::direct_probability;
use super::observe::Observation;
use super::region::claimed_place;
use super::round_trip::Parameters;
use crate::event::{Claim, Place};

/// Kilometres covered per millisecond of round trip at the speed of light in fibre (refractive index 1.5).
pub const KM_PER_RTT_MS: f64 = 100.0;
/// Kilometres by which a bound must be broken before it counts: half the usual error of a city's coordinates.
const BREACH_KM_MIN: f64 = 50.0;
/// Nats for the breach of the only round trip there is.
const LONE_BREACH_LOG_ODDS: f64 = 1.5;
/// Nats for one breach among anchors that keep the bound: that one most likely does not stand where it says.
const OUTVOTED_BREACH_LOG_ODDS: f64 = 0.3;
/// Most that breaches may say, nats.
const SCORE_MAX: f64 = 6.0;

/// What the bound says of a session that breaks it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breach {
    /// Log-likelihood ratio, nats, over 0.
    pub log_odds: f64,
    /// Round trips too short for the claimed place.
    pub count: u32,
    /// How far the claimed place lies beyond the reach of the shortest of them, kilometres.
    pub beyond_km: f64,
}

/// How far `place` lies beyond the reach of a round trip from `vantage`, kilometres, both radii given; 0 within reach.
pub(super) fn beyond_km(place: &Place, vantage: &Place, rtt_ms: f64) -> f64 {
    let radii_km = f64::from(place.radius_km) + f64::from(vantage.radius_km);
    (place.distance_km(vantage) - radii_km - rtt_ms * KM_PER_RTT_MS).max(0.0)
}

/// Whether a round trip is too short for the claimed place.
pub(super) fn broken(place: &Place, vantage: &Place, rtt_ms: f64) -> bool {
    beyond_km(place, vantage, rtt_ms) > BREACH_KM_MIN
}

/// Holds the round trips to the bound; `None` when all keep it, or when nothing is known of where the claim is.
pub fn judge(observation: &Observation, claim: &Claim, parameters: &Parameters) -> Option<Breach> {
    // The exit of an anonymizer or a company stands where its owner likes.
    if observation.anonymized || observation.organization {
        return None;
    }
    let place = claimed_place(claim)?;
    let (mut count, mut legs, mut most_km) = (0u32, 0u32, 0.0f64);
    for leg in observation.vantage.iter().chain(&observation.anchors) {
        legs += 1;
        if broken(&place, &leg.vantage, leg.rtt_ms) {
            count += 1;
            most_km = most_km.max(beyond_km(&place, &leg.vantage, leg.rtt_ms));
        }
    }
    let log_odds = match (count, legs) {
        (0, _) => return None,
        (1, 1) => LONE_BREACH_LOG_ODDS.min(parameters.breach_log_odds),
        (1, _) => OUTVOTED_BREACH_LOG_ODDS,
        _ => parameters.breach_log_odds + f64::from(count - 1) * parameters.breach_further_log_odds,
    };
    Some(Breach { log_odds: log_odds.min(SCORE_MAX) * direct_probability(observation), count, beyond_km: most_km })
}

/// Farthest the client program can be from the vantage, kilometres; `None` without a round trip or a vantage.
///
/// By the application's round trip where there is one: TCP's ends at the nearest proxy and bounds that alone.
pub fn client_distance_max_km(observation: &Observation) -> Option<f64> {
    observation.vantage?;
    let through = observation.application_rtt_ms.filter(|rtt| *rtt > 0.0);
    // The edge leg taken off, the application's may come out under TCP's by an error of either; the longer is safe.
    let longest = match (through, observation.tcp_rtt_ms) {
        (Some(through), Some(tcp)) => Some(through.max(tcp)),
        (through, tcp) => through.or(tcp),
    };
    longest.map(|rtt| rtt * KM_PER_RTT_MS)
}
