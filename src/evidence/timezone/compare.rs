//! Measurements against claim and profile to findings.
//!
//! - `timezone.clock`: the client's offset against the claim's, and against its own zone's rule.
//! - `timezone.network`: the client's offset against what the address allows.
//! - `timezone.rhythm`: session starts up to and including this event, elsewhere against at the claim.

use super::Parameters;
use super::clock::{self, Offsets};
use super::observe::Observation;
use super::profile::{Profile, cell_of};
use super::rhythm::{self, Belief};
use crate::event::Claim;
use crate::evidence::feature::{Baseline, Coverage, CoverageStatus, FeatureId, Features};

/// Writes the family's measurements and scores; says how far it was heard.
pub fn compare(
    observation: &Observation,
    profile: &Profile,
    claim: Option<&Claim>,
    parameters: &Parameters,
    features: &mut Features,
) -> Coverage {
    compare_and_locate(observation, profile, claim, parameters, features).0
}

/// The same, with the belief in each UTC offset in force, this event included: minutes east and probability, by rising
/// offset, entries under 1 % left out. Spares a second pass over the templates.
pub fn compare_and_locate(
    observation: &Observation,
    profile: &Profile,
    claim: Option<&Claim>,
    parameters: &Parameters,
    features: &mut Features,
) -> (Coverage, Vec<(i32, f64)>) {
    let claimed = claim.map_or_else(Offsets::default, |claim| clock::claim_offsets(claim, observation.time));
    let clock_heard = compare_clock(observation, &claimed, parameters, features);
    let network_heard = compare_network(observation, parameters, features);
    let irregular = claim.is_some_and(|claim| claim.irregular_hours);
    let own_start = profile.starts_session(observation).then(|| cell_of(observation.time));
    let belief = rhythm::belief(profile, own_start, &parameters.rhythm, observation.time);
    let start_count = belief.as_ref().map_or(0, |belief| {
        compare_rhythm(belief, &claimed, irregular, parameters, features);
        belief.start_count as u32
    });
    let full = f64::from(start_count) >= parameters.rhythm.full_count;
    let status = if clock_heard || network_heard || (full && !irregular) {
        CoverageStatus::Used
    } else if observation.placeless || (full && irregular) {
        CoverageStatus::Abstained
    } else {
        CoverageStatus::NoHistory
    };
    let facts = u32::from(clock_heard) + u32::from(network_heard);
    let coverage = Coverage { status, sample_count: start_count.saturating_add(facts) };
    (coverage, belief.map_or_else(Vec::new, |belief| belief.shown()))
}

fn compare_clock(
    observation: &Observation,
    claimed: &Offsets,
    parameters: &Parameters,
    features: &mut Features,
) -> bool {
    let inconsistency = observation.zone_difference_minutes.filter(|difference| *difference != 0);
    if let Some(difference) = observation.zone_difference_minutes {
        features.set_beside(
            FeatureId::TimezoneOffsetZoneDifferenceMinutes,
            f64::from(difference),
            Some(0.0),
            Some(0.0),
            Baseline::Physical,
        );
    }
    let nearest = observation.offset_minutes.and_then(|offset| claimed.nearest(offset));
    if let Some((_, difference)) = nearest {
        let feature = FeatureId::TimezoneOffsetClaimDifferenceMinutes;
        features.set_beside(feature, f64::from(difference), Some(0.0), Some(0.0), Baseline::Claim);
    }
    let mut score = None;
    // A clock on UTC names no place, unless that is the claimed place's own.
    if let Some((_, difference)) = nearest
        && (!observation.placeless || difference == 0)
    {
        // One claim of many zones is easily met: agreement counts by how few there are.
        let share = if difference == 0 { 1.0 / claimed.as_slice().len() as f64 } else { 1.0 };
        score = Some(share * parameters.clock.claim_log_odds(difference));
    }
    if inconsistency.is_some() {
        // Not on top of a mismatch: a clock set by hand explains both.
        score = Some(score.unwrap_or(0.0).max(parameters.clock.inconsistent_log_odds));
    }
    if let Some(score) = score {
        features.set(FeatureId::TimezoneClockLogOdds, score);
    }
    score.is_some()
}

fn compare_network(observation: &Observation, parameters: &Parameters, features: &mut Features) -> bool {
    let Some(difference) = observation.network_difference_minutes else { return false };
    let feature = FeatureId::TimezoneOffsetNetworkDifferenceMinutes;
    features.set_beside(feature, f64::from(difference), Some(0.0), Some(0.0), Baseline::Physical);
    features.set(FeatureId::TimezoneNetworkLogOdds, parameters.clock.network_log_odds(difference));
    true
}

fn compare_rhythm(
    belief: &Belief,
    claimed: &Offsets,
    irregular: bool,
    parameters: &Parameters,
    features: &mut Features,
) {
    features.set(FeatureId::TimezoneRhythmSessionCount, belief.start_count);
    let offset = f64::from(belief.median_offset_minutes());
    if claimed.as_slice().is_empty() {
        features.set(FeatureId::TimezoneRhythmOffsetMinutes, offset);
        return;
    }
    let (low, high) = span(claimed.as_slice());
    features.set_beside(FeatureId::TimezoneRhythmOffsetMinutes, offset, Some(low), Some(high), Baseline::Claim);
    features.set(FeatureId::TimezoneClaimOffsetProbability, belief.near_probability(claimed.as_slice()));
    // Irregular hours are declared: beliefs are shown, nothing is concluded.
    if !irregular && let Some(score) = belief.score(claimed.as_slice(), &parameters.rhythm) {
        features.set(FeatureId::TimezoneRhythmLogOdds, score);
    }
}

fn span(claimed: &[i32]) -> (f64, f64) {
    let low = claimed.iter().copied().min().unwrap_or(0) - rhythm::CLAIM_NEAR_MINUTES;
    let high = claimed.iter().copied().max().unwrap_or(0) + rhythm::CLAIM_NEAR_MINUTES;
    (f64::from(low), f64::from(high))
}

/// Whether this family would itself accept the event. Always: what it keeps, hours, is learned from every event, so
/// that hours kept elsewhere come to light; nothing later is compared with a reference an intruder could teach.
pub fn accepts(_observation: &Observation, _features: &Features, _profile: &Profile, _parameters: &Parameters) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::super::clock::{ClockChange, ClockParameters};
    use super::super::observe::observe;
    use super::super::rhythm::{Candidate, RhythmParameters, RhythmStored, Template};
    use super::*;
    use crate::event::{
        ClaimUnchecked, EventUnchecked, NetworkUnchecked, PlaceUnchecked, Rules, Samples, TablePolicy,
        TimestampUnchecked, TimezoneUnchecked, Violations,
    };

    /// 2025-01-06 15:00 UTC, a Monday.
    const MONDAY_SECONDS: i64 = 1_736_175_600;

    fn parameters() -> Parameters {
        let mut hours = vec![0.1 / 163.0; 168];
        for day in 0..5 {
            hours[day * 24 + 9] = 0.18;
        }
        let clock = |standard_minutes, change| Candidate { standard_minutes, change, share: 0.5 };
        let stored = RhythmStored {
            templates: vec![Template { share: 1.0, hours }],
            candidates: vec![clock(-300, ClockChange::Northern), clock(480, ClockChange::None)],
            temper: 0.5,
            temper_half_count: 25.0,
            remembered_max: 240.0,
            fade_kept_share: 0.75,
            full_count: 10.0,
            irregular_share: 0.05,
            adapted_share: 0.25,
            score_slope: 1.0,
            score_offset: 0.0,
        };
        Parameters {
            clock: ClockParameters::default(),
            rhythm: RhythmParameters::try_from(stored).expect("the numbers are sound"),
        }
    }

    fn samples(change: impl FnOnce(&mut EventUnchecked)) -> Samples {
        let mut event = EventUnchecked {
            event_id: "e".into(),
            worker_id: "w".into(),
            event_time: Some(TimestampUnchecked { seconds: MONDAY_SECONDS, nanos: 0 }),
            activity: 1,
            ..EventUnchecked::default()
        };
        change(&mut event);
        let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::Refused };
        let mut violations = Violations::default();
        event.check("event", &rules, &mut violations).expect("the event is sound").samples
    }

    fn claim(region: &str, zone: &str) -> Option<ClaimUnchecked> {
        Some(ClaimUnchecked { region_code: region.into(), time_zone: zone.into(), ..ClaimUnchecked::default() })
    }

    fn clock(zone: &str, offset: Option<i32>) -> Option<TimezoneUnchecked> {
        Some(TimezoneUnchecked { time_zone: zone.into(), utc_offset_minutes: offset, ..TimezoneUnchecked::default() })
    }

    fn compared(samples: &Samples, profile: &Profile) -> (Features, Coverage) {
        let mut features = Features::default();
        let coverage = compare(&observe(samples), profile, samples.claim.as_ref(), &parameters(), &mut features);
        (features, coverage)
    }

    fn clock_score(region: &str, zone: &str, sent: Option<TimezoneUnchecked>) -> Option<f64> {
        let samples = samples(|event| {
            event.claim = claim(region, zone);
            event.timezone = sent;
        });
        compared(&samples, &Profile::default()).0.get(FeatureId::TimezoneClockLogOdds)
    }

    #[test]
    fn a_clock_on_the_claimed_zone_clears_a_little() {
        assert_eq!(clock_score("US", "America/New_York", clock("America/Detroit", Some(-300))), Some(-0.3));
        // One claim of six offsets clears less: the United States use -10 to -5 in January, Adak and Honolulu alike.
        assert_eq!(clock_score("US", "", clock("", Some(-300))), Some(-0.3 / 6.0));
    }

    #[test]
    fn a_clock_half_the_globe_away_scores_moderately() {
        let score = clock_score("US", "America/New_York", clock("Asia/Shanghai", Some(480))).unwrap_or_default();
        assert!((score - (0.4 + 2.0 * (1.0 - (-600.0_f64 / 180.0).exp()))).abs() < 1e-9, "{score}");
    }

    #[test]
    fn a_privacy_browser_abstains() {
        for sent in [clock("UTC", Some(0)), clock("Atlantic/Reykjavik", Some(0)), clock("", Some(0))] {
            let samples = samples(|event| {
                event.claim = claim("US", "America/New_York");
                event.timezone = sent;
            });
            let (features, coverage) = compared(&samples, &Profile::default());
            assert_eq!(features.get(FeatureId::TimezoneClockLogOdds), None);
            assert_eq!(coverage.status, CoverageStatus::Abstained);
        }
        // London in January is on UTC: a match like any other.
        assert_eq!(clock_score("GB", "", clock("Europe/London", Some(0))), Some(-0.3));
    }

    #[test]
    fn an_offset_that_breaks_its_own_zones_rule_scores() {
        assert_eq!(clock_score("US", "America/New_York", clock("Asia/Seoul", Some(-300))), Some(1.5));
    }

    #[test]
    fn unknown_zones_say_nothing() {
        assert_eq!(clock_score("US", "America/New_York", clock("Moon/Tranquillity", None)), None);
        assert_eq!(clock_score("ZZ", "", clock("America/New_York", None)), None);
    }

    #[test]
    fn an_address_clears_or_contradicts_a_clock_and_an_exit_does_neither() {
        let score = |longitude: f64, anonymized: bool| {
            let samples = samples(|event| {
                event.timezone = clock("", Some(480));
                event.network = Some(NetworkUnchecked {
                    address_place: Some(PlaceUnchecked {
                        latitude_degrees: 40.0,
                        longitude_degrees: longitude,
                        radius_km: 50,
                    }),
                    anonymizer_detected: Some(anonymized),
                    ..NetworkUnchecked::default()
                });
            });
            compared(&samples, &Profile::default()).0.get(FeatureId::TimezoneNetworkLogOdds)
        };
        // Beijing, and Kashgar where the sun is three hours behind the clock.
        assert_eq!(score(116.4, false), Some(-0.1));
        assert_eq!(score(76.0, false), Some(-0.1));
        assert!(score(-74.0, false).is_some_and(|score| score > 0.9));
        assert_eq!(score(-74.0, true), None);
    }

    #[test]
    fn hours_elsewhere_score_unless_irregular_hours_are_declared() {
        let mut profile = Profile::default();
        // 01:00 UTC, Tuesdays to Fridays, is 09:00 at +8.
        for day in 0..28 {
            let samples = samples(|event| {
                event.event_time =
                    Some(TimestampUnchecked { seconds: MONDAY_SECONDS + 36_000 + day * 86_400, nanos: 0 });
            });
            let observation = observe(&samples);
            profile.learn(&observation, &parameters(), observation.time);
        }
        assert_eq!(profile.start_count, 28);
        let at = |irregular: bool| {
            let samples = samples(|event| {
                event.event_time =
                    Some(TimestampUnchecked { seconds: MONDAY_SECONDS + 36_000 + 28 * 86_400, nanos: 0 });
                event.claim = claim("US", "America/New_York");
                if let Some(claim) = &mut event.claim {
                    claim.irregular_hours = irregular;
                }
            });
            compared(&samples, &profile)
        };
        let (features, coverage) = at(false);
        assert!(features.get(FeatureId::TimezoneRhythmLogOdds).is_some_and(|score| score > 2.0));
        assert_eq!(features.get(FeatureId::TimezoneRhythmOffsetMinutes), Some(480.0));
        assert_eq!(features.get(FeatureId::TimezoneRhythmSessionCount), Some(29.0));
        assert_eq!(coverage, Coverage { status: CoverageStatus::Used, sample_count: 29 });
        let (features, coverage) = at(true);
        assert_eq!(features.get(FeatureId::TimezoneRhythmLogOdds), None);
        assert!(features.get(FeatureId::TimezoneClaimOffsetProbability).is_some());
        assert_eq!(coverage.status, CoverageStatus::Abstained);
    }

    #[test]
    fn a_first_login_is_too_young_to_judge() {
        let samples = samples(|event| event.claim = claim("US", "America/New_York"));
        let (features, coverage) = compared(&samples, &Profile::default());
        assert_eq!(coverage.status, CoverageStatus::NoHistory);
        assert!(features.get(FeatureId::TimezoneRhythmLogOdds).is_some_and(|score| score.abs() < 0.05));
    }
}
