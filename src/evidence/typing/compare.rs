//! Typing against a worker's past: findings, and the measurements behind them.

use super::anchor;
use super::background::PhraseBackground;
use super::gate::Lesson;
use super::observe::{Centre, Observation, Unfit};
use super::profile::Profile;
use super::synthetic::Machine;
use super::table::{Population, TableBackground};
use super::{Background, Parameters};
use crate::event::Claim;
use crate::evidence::feature::{Baseline, Coverage, CoverageStatus, FeatureId, Features};

/// Deviation in worker spreads shown as the upper end of the expected range. A display bound set by hand, not measured.
const OWN_DISTANCE_P95: f64 = 1.7;
/// Dwell shown as ordinary, microseconds. A display bound set by hand, not measured.
const DWELL_MICROS_RANGE: (f64, f64) = (60_000.0, 160_000.0);
/// Press interval shown as ordinary, microseconds. A display bound set by hand, not measured.
const PRESS_INTERVAL_MICROS_RANGE: (f64, f64) = (100_000.0, 500_000.0);

/// Compares typing with the worker's past.
///
/// `typing.phrase`, `typing.table` and `typing.ordered` say who types and need a past; `typing.synthetic` needs none.
/// Declared assistive technology silences all of them: its timing is not a hand's. What a machine typed, or a tool
/// delayed at random, is compared with nobody: the family is then obscured. `background` is how
/// the other workers type.
pub fn compare(
    observation: &Observation,
    profile: &Profile,
    claim: Option<&Claim>,
    background: Background<'_>,
    parameters: &Parameters,
    features: &mut Features,
) -> Coverage {
    if observation.press_count == 0 && observation.table.is_none() {
        return Coverage::ABSENT;
    }
    let table_presses = observation.table.as_ref().map_or(0, |table| table.press_count);
    let sample_count = observation.press_count.max(table_presses);
    measure(observation, features);
    if claim.is_some_and(|claim| claim.assistive_technology) {
        return Coverage { status: CoverageStatus::Abstained, sample_count };
    }
    let machine = observation.machine.as_ref().map(|machine| parameters.synthetic.judge(machine)).unwrap_or_default();
    let table_machine =
        observation.machine_table.as_ref().map(|table| parameters.synthetic.judge_table(table)).unwrap_or_default();
    let likeness = |machine: Option<f64>, table: Option<f64>| machine.into_iter().chain(table).reduce(f64::max);
    if let Some(score) = likeness(machine.log_odds, table_machine.log_odds) {
        features.set(FeatureId::TypingSyntheticLogOdds, score);
    }
    if let Some(ratio) = likeness(machine.drawn, table_machine.drawn) {
        features.set(FeatureId::TypingMachineLikenessLogOdds, ratio);
    }
    if let Some(ratio) = machine.delayed {
        features.set(FeatureId::TypingDelayLikenessLogOdds, ratio);
    }
    // What a machine typed, or blurred, says nothing of the hand.
    let blurred = machine.log_odds.is_some() || machine.obscured;
    let phrase = match (&observation.phrase, blurred) {
        (Some(Ok(_)), true) => CoverageStatus::Obscured,
        _ => compare_phrase(observation, profile, background.phrase, &machine, parameters, features),
    };
    let table = match (&observation.table, table_machine.log_odds.is_some() || machine.obscured) {
        (Some(_), true) => CoverageStatus::Obscured,
        _ => compare_table(observation, profile, background.table, &table_machine, parameters, features),
    };
    let ordered = match (&observation.ordered, blurred) {
        (Some(_), true) => CoverageStatus::Obscured,
        _ => compare_ordered(observation, profile, &machine, parameters, features),
    };
    // The part that was heard best speaks for the family.
    let rank = |status: CoverageStatus| match status {
        CoverageStatus::Used => 0,
        CoverageStatus::NoHistory => 1,
        CoverageStatus::TooShort => 2,
        CoverageStatus::Obscured => 3,
        CoverageStatus::Abstained => 4,
        _ => 5,
    };
    let status = [table, ordered].into_iter().fold(phrase, |best, one| if rank(one) < rank(best) { one } else { best });
    Coverage { status, sample_count }
}

fn measure(observation: &Observation, features: &mut Features) {
    let mut centre = |centre: Option<Centre>, median: FeatureId, spread: FeatureId, range: (f64, f64)| {
        if let Some(centre) = centre {
            features.set_beside(median, centre.median_micros, Some(range.0), Some(range.1), Baseline::Population);
            features.set(spread, centre.spread_micros);
        }
    };
    centre(
        observation.dwell,
        FeatureId::TypingDwellMedianMicros,
        FeatureId::TypingDwellSpreadMicros,
        DWELL_MICROS_RANGE,
    );
    centre(
        observation.press_interval,
        FeatureId::TypingPressIntervalMedianMicros,
        FeatureId::TypingPressIntervalSpreadMicros,
        PRESS_INTERVAL_MICROS_RANGE,
    );
    if let Some(rate) = observation.rollover_rate {
        features.set(FeatureId::TypingRolloverRate, rate);
    }
}

fn compare_phrase(
    observation: &Observation,
    profile: &Profile,
    background: Option<&PhraseBackground>,
    machine: &Machine,
    parameters: &Parameters,
    features: &mut Features,
) -> CoverageStatus {
    let phrase = match &observation.phrase {
        None => return CoverageStatus::Absent,
        Some(Err(Unfit::TooShort)) => return CoverageStatus::TooShort,
        Some(Err(Unfit::NotPhrase | Unfit::NotTyped)) => return CoverageStatus::Abstained,
        Some(Ok(phrase)) => phrase,
    };
    let Some(known) = profile.phrase(phrase) else {
        // Another number of presses under a known name is a slip or a changed phrase: missing, not different.
        let changed = profile.names_phrase(phrase.key);
        return if changed { CoverageStatus::Abstained } else { CoverageStatus::NoHistory };
    };
    let Some(score) = known.score(phrase, &parameters.phrase, background) else { return CoverageStatus::NoHistory };
    let recent = machine.explained(parameters.phrase.calibrated(&score));
    let log_odds = score.anchor_ratio.map_or(recent, |anchor_ratio| anchor::together(recent, anchor_ratio));
    features.set(FeatureId::TypingPhraseLogOdds, log_odds);
    if let Some(anchor_ratio) = score.anchor_ratio {
        features.set(FeatureId::TypingPhraseRecentLogOdds, recent);
        features.set(FeatureId::TypingPhraseAnchorLogOdds, anchor_ratio);
    }
    features.set_beside(
        FeatureId::TypingPhraseDistance,
        score.distance,
        None,
        Some(OWN_DISTANCE_P95),
        Baseline::Worker,
    );
    features.set(FeatureId::TypingPhraseEnrolledCount, f64::from(score.enrolled_count));
    if score.background_count > 0 {
        features.set(FeatureId::TypingPhraseBackgroundCount, f64::from(score.background_count));
    }
    let (dwell, press_interval) = known.summary();
    for (seen, past, feature) in [
        (observation.dwell, dwell, FeatureId::TypingDwellMedianMicros),
        (observation.press_interval, press_interval, FeatureId::TypingPressIntervalMedianMicros),
    ] {
        if let (Some(seen), Some((median, spread))) = (seen, past) {
            // 90 % of logins: 1.645 standard deviations either way.
            let reach = 1.645 * spread;
            let low = (median - reach).max(0.0);
            features.set_beside(feature, seen.median_micros, Some(low), Some(median + reach), Baseline::Worker);
        }
    }
    CoverageStatus::Used
}

fn compare_table(
    observation: &Observation,
    profile: &Profile,
    background: Option<&TableBackground>,
    machine: &Machine,
    parameters: &Parameters,
    features: &mut Features,
) -> CoverageStatus {
    let Some(table) = &observation.table else { return CoverageStatus::Absent };
    let Some(known) = profile.table() else { return CoverageStatus::NoHistory };
    if !known.speaks(&parameters.table) {
        return CoverageStatus::NoHistory;
    }
    let Some(placed) = observation.placed(&parameters.table) else { return CoverageStatus::NoHistory };
    let population = Population::of(&parameters.table, background);
    let score = known.score_placed(&placed, table.press_count, &parameters.table, &population);
    features.set(FeatureId::TypingTableLogOdds, machine.explained(parameters.table.calibrated(&score)));
    features.set(FeatureId::TypingTableFeatureCount, f64::from(score.row_count));
    features.set(FeatureId::TypingTableEnrolledPresses, f64::from(known.press_count));
    CoverageStatus::Used
}

/// Free typing by key classes.
fn compare_ordered(
    observation: &Observation,
    profile: &Profile,
    machine: &Machine,
    parameters: &Parameters,
    features: &mut Features,
) -> CoverageStatus {
    let Some(ordered) = observation.ordered.as_ref().filter(|_| !parameters.ordered.clocks.is_empty()) else {
        return CoverageStatus::Absent;
    };
    let Some(known) = profile.ordered() else { return CoverageStatus::NoHistory };
    let Some(score) = known.score(ordered, &parameters.ordered) else { return CoverageStatus::NoHistory };
    features.set(FeatureId::TypingOrderedLogOdds, machine.explained(parameters.ordered.calibrated(&score)));
    features.set(FeatureId::TypingOrderedPressCount, f64::from(score.press_count));
    features.set(FeatureId::TypingOrderedEnrolledPresses, f64::from(score.enrolled_presses));
    CoverageStatus::Used
}

/// Whether a machine typed it, or a tool blurred it.
fn blurred(observation: &Observation, features: &Features, parameters: &Parameters) -> bool {
    let obscured = observation.machine.as_ref().is_some_and(|machine| parameters.synthetic.judge(machine).obscured);
    obscured || features.get(FeatureId::TypingSyntheticLogOdds).is_some_and(|score| score > 0.0)
}

/// Whether the ordered free typing of an event may teach the profile.
pub fn teaches_ordered(
    observation: &Observation,
    features: &Features,
    profile: &Profile,
    parameters: &Parameters,
) -> bool {
    let Some(ordered) = &observation.ordered else { return false };
    let enrolled = profile.ordered().map_or(0, |known| known.press_count);
    let score = features.get(FeatureId::TypingOrderedLogOdds);
    let accepted = |score| parameters.ordered.teaches(score, enrolled, ordered.timer_resolution_micros);
    !blurred(observation, features, parameters) && score.is_none_or(accepted)
}

/// What the login's phrase says against the recent logins: what teaches a recent mean is judged by the recent mean.
pub fn phrase_log_odds(features: &Features) -> Option<f64> {
    features.get(FeatureId::TypingPhraseRecentLogOdds).or_else(|| features.get(FeatureId::TypingPhraseLogOdds))
}

/// How much this family would itself let the event teach the profile.
///
/// The first logins are accepted with reserve: all but what is wildly different. A machine's typing teaches nothing.
pub fn lesson(observation: &Observation, features: &Features, profile: &Profile, parameters: &Parameters) -> Lesson {
    let stranger = features.get(FeatureId::TypingTableLogOdds).is_some_and(|score| score > parameters.table.gate);
    if stranger || blurred(observation, features, parameters) {
        return Lesson::Nothing;
    }
    let (Some(score), Some(Ok(phrase))) = (phrase_log_odds(features), &observation.phrase) else { return Lesson::Full };
    let others = features.get(FeatureId::TypingPhraseBackgroundCount).map_or(0, |count| count as u32);
    profile.phrase(phrase).map_or(Lesson::Full, |known| known.lesson(phrase, score, others, &parameters.phrase))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TypingUnchecked;
    use crate::evidence::typing::phrase::YOUNG_COUNT;
    use crate::evidence::typing::sample::{enrolled, observed, parameters, phrase, table};

    fn compared(observation: &Observation, profile: &Profile) -> (Features, CoverageStatus) {
        let mut features = Features::default();
        let coverage = compare(observation, profile, None, Background::default(), &parameters(), &mut features);
        (features, coverage.status)
    }

    fn phrase_score(typing: TypingUnchecked, profile: &Profile) -> Option<f64> {
        compared(&observed(Some(typing), None), profile).0.get(FeatureId::TypingPhraseLogOdds)
    }

    fn accepted(observation: &Observation, profile: &Profile) -> bool {
        lesson(observation, &compared(observation, profile).0, profile, &parameters()) == Lesson::Full
    }

    #[test]
    fn a_workers_own_login_scores_below_zero_and_a_strangers_above() {
        for logins in [3, 10, 100] {
            let profile = enrolled(11, logins);
            assert!(phrase_score(phrase(11, 100, 200), &profile) < Some(0.0), "{logins} logins");
            assert!(phrase_score(phrase(11, 170, 200), &profile) > Some(0.0), "{logins} logins");
        }
    }

    #[test]
    fn fewer_logins_and_fewer_presses_say_less() {
        let own = |presses, logins| phrase_score(phrase(presses, 110, 200), &enrolled(presses, logins));
        let rising = [own(11, 10), own(11, 2), own(11, 1), own(4, 10), own(4, 2), own(4, 1), Some(0.0)];
        assert!(rising.is_sorted(), "{rising:?}");
    }

    #[test]
    fn nothing_collected_is_absent_and_nothing_learned_has_no_history() {
        let nobody = Profile::default();
        let (features, status) = compared(&observed(None, None), &nobody);
        assert_eq!((features.get(FeatureId::TypingPhraseLogOdds), status), (None, CoverageStatus::Absent));
        let (features, status) = compared(&observed(Some(phrase(11, 100, 0)), None), &nobody);
        assert_eq!((features.get(FeatureId::TypingPhraseLogOdds), status), (None, CoverageStatus::NoHistory));
        assert!(features.get(FeatureId::TypingDwellMedianMicros).is_some());
    }

    #[test]
    fn what_cannot_be_lined_up_abstains() {
        let profile = enrolled(11, 10);
        let pasted = TypingUnchecked { insertion_count: 1, ..phrase(11, 100, 0) };
        let shuffled = TypingUnchecked { shuffled: true, ..phrase(11, 100, 0) };
        for typing in [phrase(12, 100, 0), pasted, shuffled] {
            let (features, status) = compared(&observed(Some(typing), None), &profile);
            assert_eq!((features.get(FeatureId::TypingPhraseLogOdds), status), (None, CoverageStatus::Abstained));
        }
        assert_eq!(compared(&observed(Some(phrase(3, 100, 0)), None), &profile).1, CoverageStatus::TooShort);
    }

    #[test]
    fn declared_assistive_technology_silences_every_finding() {
        let claim =
            crate::event::ClaimUnchecked { region_code: "US".into(), assistive_technology: true, ..Default::default() };
        let event = crate::event::EventUnchecked {
            event_id: "e".into(),
            worker_id: "w".into(),
            event_time: Some(crate::event::TimestampUnchecked { seconds: 0, nanos: 0 }),
            activity: 1,
            claim: Some(claim),
            ..Default::default()
        };
        let rules = crate::event::Rules {
            now: None,
            secret_typing_allowed: false,
            tables: crate::event::TablePolicy::PerEvent,
        };
        let claim = event.check("event", &rules, &mut Default::default()).and_then(|event| event.samples.claim);
        assert!(claim.is_some());
        let observation = observed(Some(phrase(11, 170, 0)), Some(table(170)));
        let mut features = Features::default();
        let coverage = compare(
            &observation,
            &enrolled(11, 10),
            claim.as_ref(),
            Background::default(),
            &parameters(),
            &mut features,
        );
        assert_eq!(coverage.status, CoverageStatus::Abstained);
        let scores = [FeatureId::TypingPhraseLogOdds, FeatureId::TypingTableLogOdds, FeatureId::TypingSyntheticLogOdds];
        assert!(scores.into_iter().all(|score| features.get(score).is_none()));
    }

    #[test]
    fn a_workers_own_table_scores_below_zero_and_a_strangers_above() {
        let mut profile = Profile::default();
        profile.learn(&observed(None, Some(table(130))), &parameters(), crate::event::EventTime(0), Lesson::Full, 0.0);
        let score = |percent| compared(&observed(None, Some(table(percent))), &profile);
        let (own, status) = score(130);
        assert!(own.get(FeatureId::TypingTableLogOdds) < Some(0.0));
        assert_eq!(status, CoverageStatus::Used);
        assert!(score(75).0.get(FeatureId::TypingTableLogOdds) > Some(0.0));
    }

    #[test]
    fn what_is_accepted_is_the_workers_own_or_has_nothing_to_be_compared_with() {
        let profile = enrolled(11, 30);
        assert!(accepted(&observed(Some(phrase(11, 100, 200)), None), &profile));
        assert!(!accepted(&observed(Some(phrase(11, 170, 200)), None), &profile));
        assert!(accepted(&observed(Some(phrase(11, 170, 200)), None), &Profile::default()));
        assert!(accepted(&observed(None, None), &profile));
    }

    #[test]
    fn a_young_profile_accepts_what_a_settled_one_refuses() {
        let login = observed(Some(phrase(11, 100, 200)), None);
        let mut features = Features::default();
        features.set(FeatureId::TypingPhraseLogOdds, 0.2);
        let accepted = |logins| lesson(&login, &features, &enrolled(11, logins), &parameters()) == Lesson::Full;
        assert!(accepted(u32::from(YOUNG_COUNT) - 1));
        assert!(!accepted(u32::from(YOUNG_COUNT)));
    }

    #[test]
    fn a_machine_teaches_nothing() {
        let mut machine = phrase(20, 100, 0);
        machine.press_interval_micros.iter_mut().skip(1).for_each(|interval| *interval = 8_000);
        assert!(!accepted(&observed(Some(machine), None), &Profile::default()));
    }

    #[test]
    fn what_a_machine_typed_is_compared_with_nobody() {
        let profile = enrolled(11, 10);
        let mut even = phrase(11, 100, 200);
        even.press_interval_micros.iter_mut().skip(1).for_each(|interval| *interval = 150_000);
        let (features, status) = compared(&observed(Some(even), None), &profile);
        assert!(features.get(FeatureId::TypingSyntheticLogOdds) > Some(0.0));
        assert_eq!((features.get(FeatureId::TypingPhraseLogOdds), status), (None, CoverageStatus::Obscured));
    }

    #[test]
    fn a_hand_behind_random_delays_is_passed_over_without_a_reason_and_teaches_nothing() {
        use crate::evidence::typing::likeness::{
            LIMIT_CLOCKS_MILLIS, LIMIT_PRESSES, Likeness, LikenessParameters, MEASUREMENTS, TABLE_MEASUREMENTS,
            TABLE_TERMS, TERMS,
        };
        // Every stretch has a ratio of `intercept`; both limits lie at 1 nat.
        let likeness = |intercept: f64| Likeness {
            weights: [vec![0.0; TERMS], vec![intercept]].concat(),
            limits: vec![vec![1.0; LIMIT_PRESSES.len()]; LIMIT_CLOCKS_MILLIS.len()],
        };
        let mut parameters = parameters();
        parameters.synthetic.likeness = Some(LikenessParameters {
            centres: vec![0.0; MEASUREMENTS],
            spreads: vec![1.0; MEASUREMENTS],
            drawn: likeness(-5.0),
            delayed: likeness(2.0),
            table_centres: vec![0.0; TABLE_MEASUREMENTS],
            table_spreads: vec![1.0; TABLE_MEASUREMENTS],
            table_weights: vec![0.0; TABLE_TERMS + 1],
            table_limit: 1.0,
        });
        assert_eq!(parameters.synthetic.check(), Ok(()));
        let (observation, profile) = (observed(Some(phrase(11, 170, 200)), None), enrolled(11, 10));
        let mut features = Features::default();
        let coverage = compare(&observation, &profile, None, Background::default(), &parameters, &mut features);
        assert_eq!(coverage.status, CoverageStatus::Obscured);
        assert_eq!(features.get(FeatureId::TypingPhraseLogOdds), None);
        assert_eq!(features.get(FeatureId::TypingSyntheticLogOdds), None);
        assert_eq!(features.get(FeatureId::TypingDelayLikenessLogOdds), Some(2.0));
        assert_eq!(lesson(&observation, &features, &profile, &parameters), Lesson::Nothing);
    }
}
