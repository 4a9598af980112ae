use super::*;
use crate::event::EventTime;
use crate::evidence::typing::sample::{DAY_MICROS, free_text, ordered_parameters};

fn stretch(presses: u32, percent: u32, turn: u32) -> OrderedObservation {
    OrderedObservation::of(&free_text(presses, percent, turn)).unwrap()
}

fn learned(percent: u32, sessions: u32) -> OrderedProfile {
    let mut profile = OrderedProfile::default();
    for turn in 0..sessions {
        let time = EventTime(i64::from(turn) * DAY_MICROS);
        profile.learn(&stretch(200, percent, turn), &ordered_parameters(), time);
    }
    profile
}

fn score(profile: &OrderedProfile, observation: &OrderedObservation) -> f64 {
    let parameters = ordered_parameters();
    profile.score(observation, &parameters).map(|score| parameters.calibrated(&score)).unwrap()
}

#[test]
fn two_stretches_of_one_trait_compare_as_worked_by_hand() {
    let said = |information: f64, mean: f64| Said::of_one(information, mean * information);
    let apart = said(4.0 / 3.0, 2.0).apart_from(&said(1.0, -1.0));
    let together = (5.0_f64 / 3.0).powi(2) / (2.0 * 10.0 / 3.0) - (10.0_f64 / 3.0).ln() / 2.0;
    let alone = (8.0_f64 / 3.0).powi(2) / (2.0 * 7.0 / 3.0) - (7.0_f64 / 3.0).ln() / 2.0 + 0.25 - 2.0_f64.ln() / 2.0;
    assert!((apart - (alone - together)).abs() < 1e-12);
    assert!((apart - 1.19).abs() < 0.005, "{apart}");
}

#[test]
fn a_stretch_is_the_sum_of_its_parts_but_for_the_joints() {
    let whole = free_text(200, 100, 1);
    let last = OrderedObservation::of_last(&whole, 80).unwrap();
    let mut rest = OrderedObservation::of(&whole).unwrap().without(&last);
    assert_eq!(rest.press_count, 120);
    assert!(rest.join(&last));
    let again = OrderedObservation::of(&whole).unwrap();
    for index in 0..TRAIT_COUNT {
        let (a, b) = (rest.mean(index), again.mean(index));
        assert!(a.zip(b).is_none_or(|(a, b)| (a.0 - b.0).abs() < 1e-9 && a.1 == b.1), "trait {index}");
    }
}

#[test]
fn shuffled_composed_unclassed_and_short_stretches_and_phrases_are_not_measured() {
    let free = free_text(100, 100, 0);
    assert!(OrderedObservation::of(&free).is_some());
    let mut others = vec![free.clone(); 4];
    others[0].shuffled = true;
    others[1].composition_count = 10;
    others[2].key_classes.clear();
    others[3].context = TypingContext::FixedPhrase;
    others.push(free_text(ORDERED_PRESSES_MIN - 1, 100, 0));
    for other in others {
        assert!(OrderedObservation::of(&other).is_none());
    }
}

#[test]
fn the_same_hand_scores_below_another_and_more_presses_say_more() {
    let profile = learned(100, 4);
    let (own, other) = (score(&profile, &stretch(200, 100, 50)), score(&profile, &stretch(200, 150, 50)));
    assert!(own < 0.0 && other > 0.0, "{own} {other}");
    assert!(own < score(&profile, &stretch(25, 100, 50)));
    assert!(own < score(&learned(100, 1), &stretch(200, 100, 50)));
}

#[test]
fn without_a_fitted_model_it_abstains_and_learns_nothing() {
    let empty = OrderedParameters::default();
    assert_eq!(empty.check(), Ok(()));
    let mut profile = OrderedProfile::default();
    profile.learn(&stretch(200, 100, 0), &empty, EventTime(0));
    assert!(profile.score(&stretch(200, 100, 1), &empty).is_none());
    assert!(learned(100, 4).score(&stretch(200, 100, 1), &empty).is_none());
}

#[test]
fn a_profile_is_not_compared_with_another_clock_and_yields_to_it_when_unused() {
    let coarse = |turn| {
        let mut typing = free_text(200, 100, turn);
        typing.timer_resolution_micros = 100_000;
        OrderedObservation::of(&typing).unwrap()
    };
    let parameters = ordered_parameters();
    let mut profile = learned(100, 4);
    assert!(profile.score(&coarse(9), &parameters).is_none());
    profile.learn(&coarse(5), &parameters, EventTime(5 * DAY_MICROS));
    assert_eq!(profile, learned(100, 4));
    profile.learn(&coarse(40), &parameters, EventTime(40 * DAY_MICROS));
    assert!(profile.score(&coarse(9), &parameters).is_some());
}

#[test]
fn merging_is_learning_both() {
    let (mut first, second) = (learned(100, 2), learned(120, 2));
    first.merge(&second);
    assert_eq!(first.press_count, 800);
    let middle = stretch(200, 110, 7);
    assert!(score(&first, &middle) < score(&second, &middle));
    let mut nobody = OrderedProfile::default();
    nobody.merge(&second);
    assert_eq!(nobody, second);
}

#[test]
fn a_profile_takes_no_more_than_its_part_of_the_budget() {
    let bytes = postcard::to_stdvec(&learned(100, 40)).unwrap().len();
    assert!(bytes <= 140, "{bytes} bytes");
}
