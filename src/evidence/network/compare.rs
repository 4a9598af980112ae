//! One session's path against the worker's past and claim.

use super::familiarity::{self, TERM_COUNT};
use super::observe::{Observation, fold_region};
use super::profile::{Profile, weight_of};
use super::region::claimed_place;
use super::{Parameters, bound, gap, round_trip, travel};
use crate::event::Claim;
use crate::evidence::feature::{Baseline, Coverage, CoverageStatus, Family, FeatureId, Features, Finding};

/// Sessions of the worker at a place, network or behind an exit at which a light finding about it counts half.
const HALF_KNOWN_SESSIONS: f64 = 3.0;
/// Nats for an address in another region than the claimed one: honest travellers are as many as it is telling.
const CLAIM_REGION_LOG_ODDS: f64 = 1.0;
/// Nats for an address beyond [`CLAIM_FAR_KM`] of the claimed place, more for a far one in the same region.
const CLAIM_DISTANCE_LOG_ODDS: f64 = 0.5;
/// Distance from the claimed place at which the distance finding counts in full, km: no longer a commute or a drive.
const CLAIM_FAR_KM: f64 = 1_500.0;
/// Nats for an address where the claim puts the worker. Anyone can rent one.
const CLAIM_AGREES_LOG_ODDS: f64 = -0.2;
/// Nats for a marked address. Honest VPN users are many, so it is nearly neutral.
const ANONYMIZER_LOG_ODDS: f64 = 0.6;
/// Nats for an address in a data center that nobody marked.
const HOSTING_LOG_ODDS: f64 = 0.5;

/// Writes findings and measurements of the network family.
///
/// Scores are log-likelihood ratios in nats; only findings that took part have one. Coverage counts round trips and
/// one for the address.
pub fn compare(
    observation: &Observation,
    profile: &Profile,
    claim: Option<&Claim>,
    parameters: &Parameters,
    features: &mut Features,
) -> Coverage {
    if observation.time.is_none() {
        return Coverage::ABSENT;
    }
    let mut heard = false;
    heard |= compare_familiarity(observation, profile, claim, parameters, features);
    heard |= compare_gap(observation, claim, parameters, features);
    if let Some(claim) = claim {
        heard |= compare_bound(observation, claim, parameters, features);
        heard |= compare_round_trip(observation, claim, parameters, features);
        heard |= compare_claim(observation, profile, claim, features);
    }
    heard |= compare_anonymized(observation, profile, features);
    share_clearing(features);
    let sample_count = observation.round_trip_count + u32::from(observation.address.is_some());
    let status = if heard {
        CoverageStatus::Used
    } else if observation.address.or(observation.system).or(observation.region).is_some() {
        CoverageStatus::NoHistory
    } else {
        CoverageStatus::Abstained
    };
    Coverage { status, sample_count }
}

/// Holds what clears to the strongest of it.
///
/// Findings clear for one and the same reason, the laptop stands where it should, and a laptop farm has that in all of
/// them at once. So scores under 0 are scaled to sum to the lowest alone; scores over 0 stay.
fn share_clearing(features: &mut Features) {
    let findings = || Finding::ALL.iter().filter(|finding| finding.family() == Family::Network);
    let mut sum = 0.0;
    let mut lowest = 0.0f64;
    for score in findings().filter_map(|finding| features.get(finding.score())) {
        sum += score.min(0.0);
        lowest = lowest.min(score);
    }
    if sum >= lowest {
        return;
    }
    for finding in findings() {
        if let Some(score) = features.get(finding.score()).filter(|score| *score < 0.0) {
            features.set(finding.score(), score * lowest / sum);
        }
    }
}

fn compare_familiarity(
    observation: &Observation,
    profile: &Profile,
    claim: Option<&Claim>,
    parameters: &Parameters,
    features: &mut Features,
) -> bool {
    let claimed = claim.and_then(|claim| fold_region(&claim.region_code));
    let newcomer = familiarity::newcomer(observation, profile, claimed, &parameters.familiarity);
    let own = familiarity::terms(observation, profile, &parameters.familiarity);
    // A model that knows nothing of first logins says nothing of them.
    if own.is_none() && newcomer.is_none_or(|newcomer| newcomer == 0.0) {
        return false;
    }
    let sessions = f64::from(profile.session_weight * age(profile, observation, parameters));
    let terms = own.unwrap_or([0.0; TERM_COUNT]);
    let sessions = if own.is_some() { sessions } else { 0.0 };
    let score = familiarity::score(&terms, sessions, newcomer.unwrap_or(0.0), &parameters.familiarity);
    features.set(FeatureId::NetworkFamiliarityLogOdds, score.familiarity);
    let seen = |features: &mut Features, feature, value: Option<u32>, list| {
        if value.is_some() {
            features.set_beside(feature, f64::from(weight_of(list, value)), Some(1.0), None, Baseline::Worker);
        }
    };
    seen(features, FeatureId::NetworkAddressSeenCount, observation.address, &profile.addresses);
    seen(features, FeatureId::NetworkSystemSeenCount, observation.system, &profile.systems);
    seen(features, FeatureId::NetworkRegionSeenCount, observation.region, &profile.regions);
    seen(features, FeatureId::NetworkClientSeenCount, observation.client, &profile.clients);
    if let Some(journey) = travel::journey(observation, &profile.trail) {
        features.set(FeatureId::NetworkTravelLogOdds, score.travel);
        features.set_beside(
            FeatureId::NetworkTravelSpeedKmPerHour,
            journey.speed_km_per_hour,
            None,
            Some(travel::AIRCRAFT_KM_PER_HOUR),
            Baseline::Physical,
        );
        features.set(FeatureId::NetworkTravelDistanceKm, journey.distance_km);
    }
    true
}

fn age(profile: &Profile, observation: &Observation, parameters: &Parameters) -> f32 {
    observation.time.map_or(1.0, |time| profile.age_factor(parameters, time))
}

fn compare_gap(
    observation: &Observation,
    claim: Option<&Claim>,
    parameters: &Parameters,
    features: &mut Features,
) -> bool {
    let Some((gap_ms, score)) = gap::judge(observation, claim, &parameters.round_trip) else { return false };
    features.set(FeatureId::NetworkGapLogOdds, score);
    // Read: direct clients show 0.3 to 8.5 ms.
    features.set_beside(FeatureId::NetworkRttGapMicros, gap_ms * 1000.0, None, Some(8_500.0), Baseline::Population);
    true
}

fn compare_round_trip(
    observation: &Observation,
    claim: &Claim,
    parameters: &Parameters,
    features: &mut Features,
) -> bool {
    let Some(verdict) = round_trip::judge(observation, claim, &parameters.round_trip) else { return false };
    // Where a proxy answers TCP, a short round trip clears the proxy's place, not the person's behind it; and what is
    // too short by physics from one side clears from no other.
    let broken = features.get(FeatureId::NetworkBoundLogOdds).is_some();
    let direct = if broken { 0.0 } else { gap::direct_probability(observation) };
    let score = if verdict.log_odds < 0.0 { verdict.log_odds * direct } else { verdict.log_odds };
    features.set(FeatureId::NetworkRoundTripLogOdds, score);
    let (low, high) = verdict.expected_ms;
    features.set_beside(
        FeatureId::NetworkRttMinMicros,
        verdict.rtt_ms * 1000.0,
        Some(low * 1000.0),
        Some(high * 1000.0),
        Baseline::Population,
    );
    features.set(FeatureId::NetworkRttExcessMicros, verdict.excess_ms * 1000.0);
    true
}

fn compare_bound(observation: &Observation, claim: &Claim, parameters: &Parameters, features: &mut Features) -> bool {
    let Some(breach) = bound::judge(observation, claim, &parameters.round_trip) else { return false };
    features.set(FeatureId::NetworkBoundLogOdds, breach.log_odds);
    features.set_beside(FeatureId::NetworkBoundBeyondKm, breach.beyond_km, None, Some(0.0), Baseline::Physical);
    features.set_beside(
        FeatureId::NetworkBoundBreachCount,
        f64::from(breach.count),
        None,
        Some(0.0),
        Baseline::Physical,
    );
    true
}

/// Share of a light finding left for something seen in `weight` sessions.
fn strange(weight: f32) -> f64 {
    HALF_KNOWN_SESSIONS / (HALF_KNOWN_SESSIONS + f64::from(weight))
}

fn compare_claim(observation: &Observation, profile: &Profile, claim: &Claim, features: &mut Features) -> bool {
    let claimed = fold_region(&claim.region_code);
    let region_differs = observation.region.map(|region| Some(region) != claimed);
    let distance_km = observation.place.zip(claimed_place(claim)).map(|(address, claimed)| {
        let radii_km = f64::from(address.radius_km) + f64::from(claimed.radius_km);
        (address.distance_km(&claimed) - radii_km).max(0.0)
    });
    if region_differs.is_none() && distance_km.is_none() {
        return false;
    }
    if let Some(distance_km) = distance_km {
        let high = Some(travel::DISTANCE_KM_MIN);
        features.set_beside(FeatureId::NetworkClaimDistanceKm, distance_km, None, high, Baseline::Claim);
    }
    // Carriers and anonymizers let traffic out anywhere within the region, so only another region says anything.
    let elusive = observation.radio() || observation.anonymized;
    if elusive && region_differs != Some(true) {
        return false;
    }
    let region = if region_differs == Some(true) { CLAIM_REGION_LOG_ODDS } else { 0.0 };
    let distance = match distance_km {
        Some(distance_km) if !elusive && distance_km > travel::DISTANCE_KM_MIN => {
            CLAIM_DISTANCE_LOG_ODDS * (distance_km / CLAIM_FAR_KM).min(1.0)
        }
        _ => 0.0,
    };
    let against = region + distance;
    let score = if against > 0.0 {
        let seen = if observation.anonymized {
            weight_of(&profile.addresses, observation.address)
        } else if region_differs == Some(true) {
            weight_of(&profile.regions, observation.region)
        } else {
            weight_of(&profile.systems, observation.system)
        };
        against * strange(seen)
    } else {
        CLAIM_AGREES_LOG_ODDS
    };
    features.set(FeatureId::NetworkClaimLogOdds, score);
    true
}

fn compare_anonymized(observation: &Observation, profile: &Profile, features: &mut Features) -> bool {
    if observation.anonymizer_detected.is_none() && !observation.hosting {
        return false;
    }
    let marked = observation.anonymizer_detected == Some(true);
    let score = match (marked, observation.hosting) {
        (true, _) => ANONYMIZER_LOG_ODDS,
        (false, true) => HOSTING_LOG_ODDS,
        (false, false) => 0.0,
    };
    let known = weight_of(&profile.addresses, observation.address).max(weight_of(&profile.systems, observation.system));
    features.set(FeatureId::NetworkAnonymizedLogOdds, score * strange(known));
    let count = f64::from(u8::from(marked)) + f64::from(u8::from(observation.hosting));
    features.set_beside(FeatureId::NetworkAnonymizerCount, count, None, Some(0.0), Baseline::Population);
    true
}

/// Whether this family would itself accept the session, so that it may teach what later sessions are compared with.
///
/// The sum of the scores must stay under [`Parameters::accept_log_odds`]. A first session has no past to fail against:
/// it is accepted unless its round trips speak against it, and weighs little (`familiarity` trusts two sessions half).
pub fn accepts(observation: &Observation, features: &Features, profile: &Profile, parameters: &Parameters) -> bool {
    if observation.time.is_none() {
        return false;
    }
    let physics: f64 =
        [FeatureId::NetworkBoundLogOdds, FeatureId::NetworkRoundTripLogOdds, FeatureId::NetworkGapLogOdds]
            .iter()
            .filter_map(|feature| features.get(*feature))
            .map(|score| score.max(0.0))
            .sum();
    let past: f64 = [FeatureId::NetworkFamiliarityLogOdds, FeatureId::NetworkTravelLogOdds]
        .iter()
        .filter_map(|feature| features.get(*feature))
        .sum();
    let past = if profile.session_weight > 0.0 { past } else { 0.0 };
    physics + past < parameters.accept_log_odds
}

// INVARIANT: travel's terms close the list, or familiarity would score them.
const _: () = assert!(familiarity::TRAVEL_TERM + travel::TERM_COUNT == TERM_COUNT);

#[cfg(test)]
mod tests;
