//! Measurements against claim and profile to findings.
//!
//! - `timezone.clock`: the client's offset against the claim's, and against its own zone's rule.
//! - `timezone.network`: the client's offset against what the address allows.
//! - `timezone.rhythm`: session starts up to and including this event, elsewhere against at the claim.
//! - `timezone.calendar`: days of rest up to yesterday, another calendar against the claimed place's.
//! - `timezone.change`: the latest session starts, this event's included, against the worker's earlier ones.

use super::Parameters;
use super::attendance::phase_of;
use super::calendar;
use super::calendars::Calendars;
use super::change;
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
    let network_heard = compare_network(observation, profile, parameters, features);
    let irregular = claim.is_some_and(|claim| claim.irregular_hours);
    let own_start = profile.starts_session(observation).then(|| cell_of(observation.time));
    let belief = rhythm::belief(profile, own_start, &parameters.rhythm, observation.time);
    let start_count = belief.as_ref().map_or(0, |belief| {
        compare_rhythm(belief, &claimed, irregular, parameters, features);
        belief.start_count as u32
    });
    if !irregular {
        compare_change(profile, own_start, parameters, features);
        if let (Some(claim), Some(offset)) = (claim, claimed.as_slice().first()) {
            compare_calendar(observation, profile, claim, *offset, parameters, features);
        }
    }
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
    if let Some(difference) = inconsistency {
        // Not on top of a mismatch: a clock set by hand explains both. An hour is a zone table out of date.
        let clock = &parameters.clock;
        let own = if difference.abs() <= 60 { clock.near_log_odds } else { clock.inconsistent_log_odds };
        score = Some(score.unwrap_or(0.0).max(own));
    }
    if let Some(score) = score {
        features.set(FeatureId::TimezoneClockLogOdds, score);
    }
    score.is_some()
}

fn compare_network(
    observation: &Observation,
    profile: &Profile,
    parameters: &Parameters,
    features: &mut Features,
) -> bool {
    let Some(difference) = observation.network_difference_minutes else { return false };
    let feature = FeatureId::TimezoneOffsetNetworkDifferenceMinutes;
    features.set_beside(feature, f64::from(difference), Some(0.0), Some(0.0), Baseline::Physical);
    let log_odds = parameters.clock.network_log_odds(difference);
    if difference == 0 || !profile.travelling(observation.time) {
        features.set(FeatureId::TimezoneNetworkLogOdds, log_odds);
        return true;
    }
    // A traveller's clock is set some days after the network has moved, or before it does.
    false
}

/// Whether the latest starts lie at other hours than those before: nothing to do with the claim.
fn compare_change(profile: &Profile, own_start: Option<u16>, parameters: &Parameters, features: &mut Features) {
    let Some(changed) = change::changed(profile, own_start, &parameters.change) else { return };
    let minutes = f64::from(changed.shift_hours) * 60.0;
    let feature = FeatureId::TimezoneChangeMinutes;
    features.set_beside(feature, minutes, Some(-120.0), Some(120.0), Baseline::Worker);
    features.set(FeatureId::TimezoneChangeSessionCount, f64::from(changed.latest_count));
    features.set(FeatureId::TimezoneChangeLogOdds, changed.log_odds);
}

/// Whose days of rest the worker keeps: the claimed place's or another's.
fn compare_calendar(
    observation: &Observation,
    profile: &Profile,
    claim: &Claim,
    offset: i32,
    parameters: &Parameters,
    features: &mut Features,
) {
    let Some(region) = Calendars::shipped().region(&claim.region_code) else { return };
    let clocks = match change::halves_known(profile) {
        true => clock::claim_change(claim, observation.time).map_or(0.0, |rule| change::clock_change(profile, rule)),
        false => 0.0,
    };
    let parameters = &parameters.calendar;
    let phase = phase_of(offset);
    let Some(heard) = calendar::hear(&profile.attendance, phase, region, clocks, observation.time, parameters) else {
        return;
    };
    let count = |count: u32| f64::from(count);
    // Of somebody who keeps these days: mean and two deviations, the days being nearly independent.
    let mean = heard.claimed_worked_expected;
    let high = (mean + 2.0 * mean.sqrt()).min(count(heard.claimed_free_count)).round();
    let (worked, claimed) = (FeatureId::TimezoneCalendarWorkedCount, Baseline::Claim);
    features.set_beside(worked, count(heard.claimed_worked_count), Some(0.0), Some(high), claimed);
    features.set(FeatureId::TimezoneCalendarFreeCount, count(heard.claimed_free_count));
    // Asked only of somebody who worked through the claimed place's days.
    if heard.elsewhere_free_count > 0 {
        features.set(FeatureId::TimezoneCalendarElsewhereRestedCount, count(heard.elsewhere_rested_count));
        features.set(FeatureId::TimezoneCalendarElsewhereFreeCount, count(heard.elsewhere_free_count));
    }
    if clocks != 0.0 {
        features.set(FeatureId::TimezoneCalendarClocksLogOdds, heard.clocks_log_odds);
    }
    features.set(FeatureId::TimezoneCalendarLogOdds, heard.log_odds);
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
pub(super) mod tests {
    use super::super::clock::{ClockChange, ClockParameters};
    use super::super::observe::observe;
    use super::super::rhythm::{Candidate, RhythmParameters, RhythmStored, Template};
    use super::*;
    use crate::event::{
        ClaimUnchecked, EventTime, EventUnchecked, NetworkUnchecked, PlaceUnchecked, Rules, Samples, TablePolicy,
        TimestampUnchecked, TimezoneUnchecked, Violations,
    };

    /// 2025-01-06 15:00 UTC, a Monday.
    const MONDAY_SECONDS: i64 = 1_736_175_600;

    pub(crate) fn parameters() -> Parameters {
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
            calendar: Default::default(),
            change: Default::default(),
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
    fn a_zone_table_out_of_date_counts_as_an_hour_and_fresh_clocks_not_at_all() {
        // Mexico City left summer time in 2022: a machine that has not heard of it is an hour ahead in July.
        let at = |seconds: i64, sent: Option<TimezoneUnchecked>| {
            let samples = samples(|event| {
                event.event_time = Some(TimestampUnchecked { seconds, nanos: 0 });
                event.timezone = sent;
            });
            compared(&samples, &Profile::default()).0.get(FeatureId::TimezoneClockLogOdds)
        };
        assert_eq!(at(1_752_000_000, clock("America/Mexico_City", Some(-300))), Some(0.4));
        // 2025-03-09 08:00 UTC: New York's clocks went ahead an hour ago, the page was loaded before.
        assert_eq!(at(1_741_507_200, clock("America/New_York", Some(-300))), None);
        assert_eq!(at(1_741_507_200 + 3 * 86_400, clock("America/New_York", Some(-300))), Some(0.4));
    }

    #[test]
    fn several_zones_of_one_offset_are_no_conflict() {
        // Phoenix and Los Angeles keep one time in July; so do Denver and a clock set to MST7MDT.
        let july = |claimed: &str, sent: &str, offset: i32| {
            let samples = samples(|event| {
                event.event_time = Some(TimestampUnchecked { seconds: 1_752_000_000, nanos: 0 });
                event.claim = claim("US", claimed);
                event.timezone = clock(sent, Some(offset));
            });
            compared(&samples, &Profile::default()).0.get(FeatureId::TimezoneClockLogOdds)
        };
        assert_eq!(july("America/Phoenix", "America/Los_Angeles", -420), Some(-0.3));
        assert_eq!(july("America/Denver", "MST7MDT", -360), Some(-0.3));
    }

    #[test]
    fn a_travellers_clock_may_lag_or_lead_the_network_for_three_days() {
        let parameters = parameters();
        let mut profile = Profile::default();
        let mut at = |day: i64, longitude: f64| {
            let samples = samples(|event| {
                event.event_time = Some(TimestampUnchecked { seconds: MONDAY_SECONDS + day * 86_400, nanos: 0 });
                event.timezone = clock("", Some(-300));
                event.network = Some(NetworkUnchecked {
                    address_place: Some(PlaceUnchecked {
                        latitude_degrees: 40.0,
                        longitude_degrees: longitude,
                        radius_km: 50,
                    }),
                    ..NetworkUnchecked::default()
                });
            });
            let score = compared(&samples, &profile).0.get(FeatureId::TimezoneNetworkLogOdds);
            let observation = observe(&samples);
            profile.learn(&observation, &parameters, observation.time);
            score
        };
        let (home, away) = (-74.0, 116.4);
        assert_eq!(at(0, home), Some(-0.1));
        // The network has moved, the clock has not: two days of silence, then it counts.
        assert_eq!((at(10, away), at(12, away)), (None, None));
        assert!(at(13, away).is_some_and(|score| score > 0.9));
        assert_eq!(at(14, home), Some(-0.1));
        assert_eq!(at(30, away), None);
        // A clock that never agreed has nothing to lag behind.
        let mut stranger = Profile::default();
        let samples = samples(|event| {
            event.timezone = clock("", Some(480));
            event.network = Some(NetworkUnchecked {
                address_place: Some(PlaceUnchecked { latitude_degrees: 40.0, longitude_degrees: home, radius_km: 50 }),
                ..NetworkUnchecked::default()
            });
        });
        assert!(
            compared(&samples, &stranger).0.get(FeatureId::TimezoneNetworkLogOdds).is_some_and(|score| score > 0.9)
        );
        let observation = observe(&samples);
        stranger.learn(&observation, &parameters, observation.time);
        assert!(!stranger.travelling(observation.time));
    }

    #[test]
    fn hours_that_changed_are_told_apart_from_hours_unlike_the_claim() {
        let parameters = parameters();
        let at = |number: i64, hour: i64| {
            EventTime((MONDAY_SECONDS - 15 * 3_600 + number * 86_400 + hour * 3_600) * 1_000_000)
        };
        // Work begins at 01:00 UTC all along: unlike a claim of New York, and never changed.
        let lived = |changes_on: i64, to: i64| {
            let mut profile = Profile::default();
            for number in 0..50 {
                let time = at(number, if number >= changes_on { to } else { 1 });
                let observation = Observation { time, may_start: true, ..Observation::default() };
                profile.learn(&observation, &parameters, time);
            }
            let samples = samples(|event| {
                let seconds = at(50, if changes_on < 50 { to } else { 1 }).0 / 1_000_000;
                event.event_time = Some(TimestampUnchecked { seconds, nanos: 0 });
                event.claim = claim("US", "America/New_York");
            });
            compared(&samples, &profile).0
        };
        let never = lived(99, 1);
        assert!(never.get(FeatureId::TimezoneRhythmLogOdds).is_some_and(|score| score > 2.0));
        assert!(never.get(FeatureId::TimezoneChangeLogOdds).is_some_and(|score| score < 0.0));
        // Moved to nine o'clock of the claimed place of late: more like the claim, and changed.
        let moved = lived(40, 14);
        assert!(moved.get(FeatureId::TimezoneChangeLogOdds).is_some_and(|score| score > 1.0));
        assert_eq!(moved.get(FeatureId::TimezoneChangeMinutes), Some(-660.0));
        assert!(moved.get(FeatureId::TimezoneRhythmLogOdds) < never.get(FeatureId::TimezoneRhythmLogOdds));
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
