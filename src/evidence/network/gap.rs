//! The leg that TCP does not see: what the application's round trip takes beyond TCP's.
//!
//! A relay ends TCP near the service and goes on to the operator, so TCP's round trip is domestic and the application's
//! is not. Needs no claim; with one, an honest leg to a company's proxy anywhere in the claimed region is allowed for.
//!
//! Worked example: 190 ms is usual of a leg across the Pacific (median 187 from North-East Asia) and far outside direct
//! clients (0.3 to 8.5 ms) and company proxies (from 31.5 ms; across a continent 62 to 85): about +6 nats.

use super::density::{log_normal, stretched_log_normal, unknown_satellite};
use super::observe::Observation;
use super::proxies;
use super::region::claimed_place;
use super::round_trip::{ACCESS_MS, Parameters, SCORE_MAX, class_between};
use crate::event::Claim;

/// Honest gaps of clients that answer themselves: share, median in ms and sigma of the logarithm (read: 0.3 to 8.5 ms).
const DIRECT_GAP: (f64, f64, f64) = (0.88, 2.5, 0.75);
/// Honest gaps behind company proxies and private relays: share, median, sigma (read: from 31.5 ms; domestic).
const PROXIED_GAP: (f64, f64, f64) = (0.10, 30.0, 0.40);
/// The same behind a proxy at the other end of a continent, of a home nobody knows: coast to coast takes 62 to 85 ms.
const FAR_PROXIED_GAP: (f64, f64, f64) = (0.02, 62.0, 0.25);
/// Share of honest people behind a far proxy once the address is seen to be far from home.
const FAR_PROXY_SEEN_SHARE: f64 = 0.1;
/// Gap under which no far proxy is looked for, milliseconds: what the nearest of them adds by its own work.
const FAR_PROXY_MS_MIN: f64 = 10.0;
/// Least gap told apart, milliseconds: half the spread of direct clients.
const GAP_MS_MIN: f64 = 1.0;

/// Scores the gap between the application's and TCP's shortest round trips; needs no claim.
///
/// Returns milliseconds and nats, or `None` unless both round trips were measured; `None` too on carriers and
/// satellites, whose operators end TCP on the ground. Under 0 only mildly, since a laptop farm shows no gap.
pub fn judge(observation: &Observation, claim: Option<&Claim>, parameters: &Parameters) -> Option<(f64, f64)> {
    if observation.radio() {
        return None;
    }
    let gap_ms = observation.application_rtt_ms? - observation.tcp_rtt_ms?;
    let gap = gap_ms.max(GAP_MS_MIN);
    let (far_share, far_density) = far_proxy(gap, observation, claim, parameters);
    let honest = (1.0 - PROXIED_GAP.0 - far_share) * log_normal(gap, DIRECT_GAP.1, DIRECT_GAP.2)
        + PROXIED_GAP.0 * log_normal(gap, PROXIED_GAP.1, PROXIED_GAP.2)
        + far_share * far_density
        + unknown_satellite(gap)
        + 1e-6;
    let relayed = stretched_log_normal(gap, parameters.relay_gap_median_ms, parameters.relay_gap_sigma);
    let inside = parameters.inside_rate;
    let ratio = ((1.0 - inside) * relayed / honest + inside).ln().clamp(-SCORE_MAX, SCORE_MAX);
    // A proxy in between clears nobody, however near it is.
    Some((gap_ms, if ratio < 0.0 { ratio * direct_probability(observation) } else { ratio }))
}

/// Honest people behind a proxy far from home: their share, and the density of their gap.
///
/// The proxy stands where the address does, where that is known; else anywhere in the claimed region that TCP's round
/// trip allows ([`super::proxies`]); else, without a claim, at the other end of a continent.
fn far_proxy(gap_ms: f64, observation: &Observation, claim: Option<&Claim>, parameters: &Parameters) -> (f64, f64) {
    let (share, median_ms, sigma) = FAR_PROXIED_GAP;
    let across = (share, log_normal(gap_ms, median_ms, sigma));
    let Some((claim, home)) = claim.and_then(|claim| Some((claim, claimed_place(claim)?))) else { return across };
    if let Some(exit) = observation.place {
        let distance_km = home.distance_km(&exit);
        let class = class_between(&parameters.classes, &claim.region_code, &exit, distance_km);
        let usual_ms = class.map_or(0.0, |class| class.usual_ms(distance_km) + ACCESS_MS);
        return if usual_ms > median_ms { (FAR_PROXY_SEEN_SHARE, log_normal(gap_ms, usual_ms, sigma)) } else { across };
    }
    if gap_ms < FAR_PROXY_MS_MIN {
        return (share, 0.0);
    }
    (share, proxies::gap_density(gap_ms, &home, claim, observation, parameters).unwrap_or(across.1))
}

/// Probability that the client itself answers TCP, in \[0, 1\]: 1 without a gap, near 0 from some 30 ms on.
pub fn direct_probability(observation: &Observation) -> f64 {
    let (Some(tcp), Some(application)) = (observation.tcp_rtt_ms, observation.application_rtt_ms) else { return 1.0 };
    let gap = (application - tcp).max(GAP_MS_MIN);
    let direct = DIRECT_GAP.0 * log_normal(gap, DIRECT_GAP.1, DIRECT_GAP.2);
    let proxied = PROXIED_GAP.0 * log_normal(gap, PROXIED_GAP.1, PROXIED_GAP.2);
    direct / (direct + proxied + 1e-6)
}

#[cfg(test)]
mod tests {
    use super::super::round_trip::tests::parameters;
    use super::*;

    fn gap(gap_ms: f64) -> f64 {
        let observation =
            Observation { tcp_rtt_ms: Some(20.0), application_rtt_ms: Some(20.0 + gap_ms), ..Observation::default() };
        judge(&observation, None, &parameters()).map_or(f64::NAN, |(_, score)| score)
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
    fn nothing_is_said_of_a_leg_through_the_air() {
        for radio in [
            Observation { mobile: true, ..Observation::default() },
            Observation { satellite: true, ..Observation::default() },
            Observation { phone: true, ..Observation::default() },
        ] {
            let observation = Observation { tcp_rtt_ms: Some(20.0), application_rtt_ms: Some(200.0), ..radio };
            assert_eq!(judge(&observation, None, &parameters()), None);
        }
        let at_home = Observation { phone: true, wired: true, ..Observation::default() };
        let observation = Observation { tcp_rtt_ms: Some(20.0), application_rtt_ms: Some(200.0), ..at_home };
        assert!(judge(&observation, None, &parameters()).is_some_and(|(_, score)| score > 3.0));
    }
}
