//! Neighbours against claim: sites, authenticators and relays shared by workers who say they are elsewhere.

use super::{ClaimSummary, Company, LinkKind, Neighbour, Observation, Parameters, Profile};
use crate::event::Claim;
use crate::evidence::feature::{Baseline, Coverage, CoverageStatus, FeatureId, Features};

/// Share of a display's weight that counts when nothing else is shared.
const DISPLAY_ALONE_SHARE: f64 = 0.3;

/// Compares what an event shares with whom.
///
/// - `crowd.site`: a household, machine, display or shipping address shared with workers whose claims disagree. Agreeing
///   claims add nothing and take nothing away.
/// - `crowd.authenticator`: one authenticator for several workers, whatever they claim.
/// - `crowd.relay`: at least two stalls in common with one other worker.
/// - `crowd.typist`: workers who type like this one, once the search for them is paid for ([`super::alike`]).
///
/// Absent when the event carries no token and nobody types alike. Scores are nats, at most `score_max`.
pub fn compare(
    observation: &Observation,
    profile: &Profile,
    claim: Option<&Claim>,
    company: &Company<'_>,
    parameters: &Parameters,
    features: &mut Features,
) -> Coverage {
    let neighbours = company.neighbours;
    compare_typist(company, parameters, features);
    if observation.tokens.is_empty() {
        let sample_count = u32::try_from(company.alike.len()).unwrap_or(u32::MAX);
        return if sample_count == 0 {
            Coverage::ABSENT
        } else {
            Coverage { status: CoverageStatus::Used, sample_count }
        };
    }
    let own = claim.map(ClaimSummary::of).or(profile.claim);
    compare_site(own, neighbours, parameters, features);
    compare_authenticator(neighbours, parameters, features);
    compare_relay(neighbours, parameters, features);
    let sample_count = u32::try_from(observation.tokens.len()).unwrap_or(u32::MAX);
    Coverage { status: CoverageStatus::Used, sample_count }
}

/// Whether links may grow from this event: always, since standing and linkage grow from every event but `NEVER`.
pub fn accepts(_: &Observation, _: &Features, _: &Profile, _: &Parameters) -> bool {
    true
}

fn compare_typist(company: &Company<'_>, parameters: &Parameters, features: &mut Features) {
    let weight = |alike: &super::Alike| alike.weight_log_odds(company.hand_count);
    let counted: Vec<&super::Alike> = company.alike.iter().filter(|alike| weight(alike) > 0.0).collect();
    let Some(strongest) = counted.iter().max_by(|a, b| weight(a).total_cmp(&weight(b))) else { return };
    features.set(FeatureId::CrowdTypistWorkerCount, counted.len() as f64);
    // By chance alone a hand this likely to be another's would be met among so many.
    let ratio = FeatureId::CrowdTypistRatio;
    let by_chance = (company.hand_count.max(1) as f64).ln();
    features.set_beside(ratio, strongest.log_ratio, None, Some(by_chance), Baseline::Population);
    let many = parameters.neighbour_weight * (counted.len() as f64).ln();
    features.set(FeatureId::CrowdTypistLogOdds, (weight(strongest) + many).min(parameters.score_max));
}

fn distinct(mut ordinals: Vec<u32>) -> usize {
    ordinals.sort_unstable();
    ordinals.dedup();
    ordinals.len()
}

fn compare_site(own: Option<ClaimSummary>, neighbours: &[Neighbour], parameters: &Parameters, features: &mut Features) {
    let Some(own) = own else { return };
    let disagrees = |neighbour: &&Neighbour| neighbour.claim.and_then(|claim| own.agrees(&claim)) == Some(false);
    let mut weights = [0.0_f64; LinkKind::COUNT];
    for neighbour in neighbours.iter().filter(disagrees) {
        let crowding = (parameters.household_worker_count / f64::from(neighbour.token_worker_count.max(1))).min(1.0);
        let weight = parameters.site_weight[neighbour.kind.index()] * crowding;
        let slot = &mut weights[neighbour.kind.index()];
        *slot = slot.max(weight);
    }
    let at_site = |neighbour: &&Neighbour| parameters.site_weight[neighbour.kind.index()] > 0.0;
    let ordinals = |filter: &dyn Fn(&&Neighbour) -> bool| -> Vec<u32> {
        neighbours.iter().filter(at_site).filter(filter).map(|neighbour| neighbour.ordinal).collect()
    };
    let worker_count = distinct(ordinals(&|_| true));
    let disagreeing = distinct(ordinals(&disagrees));
    features.set(FeatureId::CrowdSiteWorkerCount, worker_count as f64);
    let count = FeatureId::CrowdClaimDisagreementCount;
    features.set_beside(count, disagreeing as f64, Some(0.0), Some(0.0), Baseline::Population);
    let display = weights[LinkKind::Display.index()];
    weights.sort_unstable_by(|a, b| b.total_cmp(a));
    let strongest = weights[0];
    if strongest <= 0.0 {
        return;
    }
    if display > 0.0 && weights[1] <= 0.0 {
        // A display and nothing else: capture cards and cheap monitors come with one serial number for all, so owners
        // of one model meet here without a site. However many they are says nothing more.
        features.set(FeatureId::CrowdSiteLogOdds, (DISPLAY_ALONE_SHARE * display).min(parameters.score_max));
        return;
    }
    let further: f64 = weights[1..].iter().sum();
    let many = parameters.neighbour_weight * (disagreeing.max(1) as f64).ln();
    let score = strongest + parameters.further_kind_share * further + many;
    features.set(FeatureId::CrowdSiteLogOdds, score.min(parameters.score_max));
}

fn compare_authenticator(neighbours: &[Neighbour], parameters: &Parameters, features: &mut Features) {
    let same: Vec<&Neighbour> = neighbours.iter().filter(|other| other.kind == LinkKind::Authenticator).collect();
    let others = distinct(same.iter().map(|other| other.ordinal).collect());
    if others == 0 {
        return;
    }
    let count = FeatureId::CrowdAuthenticatorWorkerCount;
    features.set_beside(count, others as f64 + 1.0, Some(1.0), Some(1.0), Baseline::Population);
    let largest = same.iter().map(|other| other.token_worker_count).max().unwrap_or(0);
    if largest <= parameters.authenticator_worker_count_max {
        let score = parameters.authenticator_weight + parameters.neighbour_weight * (others as f64).ln();
        features.set(FeatureId::CrowdAuthenticatorLogOdds, score.min(parameters.score_max));
    }
}

fn compare_relay(neighbours: &[Neighbour], parameters: &Parameters, features: &mut Features) {
    let mut stalls: Vec<u32> =
        neighbours.iter().filter(|other| other.kind == LinkKind::Relay).map(|other| other.ordinal).collect();
    if stalls.is_empty() {
        return;
    }
    stalls.sort_unstable();
    let common = stalls.chunk_by(|a, b| a == b).map(<[u32]>::len).max().unwrap_or(0);
    let count = FeatureId::CrowdCommonStallCount;
    features.set_beside(count, common as f64, Some(0.0), Some(1.0), Baseline::Population);
    // One freeze in common is an outage of the provider; only repeated ones tell of one relay.
    if common >= 2 {
        let score = parameters.stall_weight * (common as f64 - 1.0);
        features.set(FeatureId::CrowdRelayLogOdds, score.min(parameters.score_max));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Token;
    use crate::evidence::crowd::{Alike, PlaceSummary};

    fn claim_at(latitude_centidegrees: i16, longitude_centidegrees: i16) -> ClaimSummary {
        let place = PlaceSummary { latitude_centidegrees, longitude_centidegrees, radius_km: 50 };
        ClaimSummary { region: *b"US\0", subdivision: [0; 3], place: Some(place) }
    }

    fn site_score(own: ClaimSummary, neighbours: &[Neighbour]) -> Option<f64> {
        let observation = Observation { tokens: vec![(LinkKind::Site, Token([1; 16]))], claim: Some(own) };
        let profile = Profile { claim: Some(own), token_event_count: 1 };
        let mut features = Features::default();
        let company = Company { neighbours, ..Company::default() };
        let coverage = compare(&observation, &profile, None, &company, &Parameters::prior(), &mut features);
        assert_eq!(coverage.status, CoverageStatus::Used);
        features.get(FeatureId::CrowdSiteLogOdds)
    }

    fn neighbour(ordinal: u32, claim: ClaimSummary, token_worker_count: u32) -> Neighbour {
        Neighbour { ordinal, kind: LinkKind::Site, claim: Some(claim), token_worker_count }
    }

    #[test]
    fn two_strangers_claiming_other_cities_behind_one_gateway_score() {
        let (phoenix, boston, miami) = (claim_at(3345, -11207), claim_at(4236, -7106), claim_at(2576, -8019));
        let score = site_score(phoenix, &[neighbour(0, boston, 3), neighbour(1, miami, 3)]);
        // 2.2 for the kind, .5 ln 2 for the second neighbour.
        assert!(score.is_some_and(|score| (score - (2.2 + 0.5 * 2.0_f64.ln())).abs() < 1e-12));
    }

    #[test]
    fn a_couple_sharing_a_home_scores_nothing() {
        let (one, other) = (claim_at(3345, -11207), claim_at(3350, -11200));
        assert_eq!(site_score(one, &[neighbour(0, other, 2)]), None);
    }

    #[test]
    fn a_display_alone_is_a_model_of_display_and_with_a_gateway_a_site() {
        let (here, there, far) = (claim_at(3345, -11207), claim_at(4236, -7106), claim_at(2576, -8019));
        let display = |ordinal, claim| Neighbour { kind: LinkKind::Display, ..neighbour(ordinal, claim, 4) };
        // Three owners of one capture card: .3 of 2.4, however many.
        let alone = site_score(here, &[display(0, there), display(1, far), display(2, far)]);
        assert!(alone.is_some_and(|score| (score - 0.72).abs() < 1e-9), "{alone:?}");
        // 2.4 for the display, .4 of 2.2 for the gateway.
        let both = site_score(here, &[display(0, there), neighbour(0, there, 4)]);
        assert!(both.is_some_and(|score| (score - 3.28).abs() < 1e-9), "{both:?}");
    }

    #[test]
    fn a_campus_weighs_less_than_a_household() {
        let (here, there) = (claim_at(3345, -11207), claim_at(4236, -7106));
        let household = site_score(here, &[neighbour(0, there, 3)]).unwrap_or_default();
        let campus = site_score(here, &[neighbour(0, there, 60)]).unwrap_or_default();
        assert!(campus < household / 4.0, "{campus} against {household}");
    }

    #[test]
    fn a_hand_in_common_is_heard_without_tokens_and_only_once_its_search_is_paid_for() {
        let typist = |log_ratio: f64, beside_token: bool, hand_count: usize| {
            let alike = [Alike { log_ratio, meeting_cost: beside_token.then_some(0.0) }; 2];
            let company = Company { alike: &alike, hand_count, ..Company::default() };
            let mut features = Features::default();
            let (observation, profile) = (Observation::default(), Profile::default());
            let coverage = compare(&observation, &profile, None, &company, &Parameters::prior(), &mut features);
            assert_eq!(coverage.status, CoverageStatus::Used);
            features.get(FeatureId::CrowdTypistLogOdds)
        };
        // 12 - ln(1,000 / .002) + 2.94, and .5 ln 2 for the second.
        assert!(typist(12.0, false, 1_000).is_some_and(|score| (score - 1.822 - 0.347).abs() < 1e-3));
        assert_eq!(typist(9.0, false, 1_000), None, "met by chance");
        assert!(typist(3.0, true, 1_000) > Some(2.0), "behind one gateway it was not searched for");
        assert_eq!(typist(40.0, false, 1_000), Some(Parameters::prior().score_max));
    }

    #[test]
    fn one_common_freeze_is_an_outage_and_four_are_a_relay() {
        let relay = |count: u32| {
            let shared: Vec<Neighbour> = (0..count)
                .map(|_| Neighbour { ordinal: 0, kind: LinkKind::Relay, claim: None, token_worker_count: 2 })
                .collect();
            let mut features = Features::default();
            compare_relay(&shared, &Parameters::prior(), &mut features);
            features.get(FeatureId::CrowdRelayLogOdds)
        };
        assert_eq!(relay(1), None);
        assert!(relay(4).is_some_and(|score| (score - 2.4).abs() < 1e-12));
    }
}
