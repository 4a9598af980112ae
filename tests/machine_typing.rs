//! Machines at a worker's keyboard, through the shipped model: named, compared with nobody, and no lesson.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::pipeline;
use elsewhere::event::{EventUnchecked, Rules, TablePolicy, TimestampUnchecked, TypingUnchecked, Violations};
use elsewhere::evidence::feature::{CoverageStatus, Family, FeatureId, Features};
use elsewhere::history::{Config, MemoryStore, TenantId};
use elsewhere::pipeline::{Pipeline, Submission, Update};
use std::sync::Arc;

const RULES: Rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
const MONDAY: i64 = 1_772_442_000;

/// A worker's past, one login a day.
struct Past {
    pipeline: Pipeline,
    tenant: TenantId,
    day: i64,
}

/// A cheap even draw in \[0, 1): the same for the same index.
fn drawn(index: u32, stream: u32) -> f64 {
    let mixed = (index.wrapping_mul(2_654_435_761) ^ stream.wrapping_mul(40_503)).wrapping_mul(2_246_822_519);
    f64::from(mixed ^ (mixed >> 15)) / f64::from(u32::MAX)
}

/// Twenty presses of one hand: a rhythm of its own, overlaps, a slow key now and then, and a day's small differences.
fn hand(day: u32) -> TypingUnchecked {
    let interval = |press: u32| match press {
        0 => 0,
        5 | 13 => 420_000 + day % 4 * 15_000,
        _ => 70_000 + press * 37 % 11 * 14_000 + (press + day) * 29 % 7 * 3_000,
    };
    let dwell = |press: u32| 80_000 + press * 23 % 7 * 6_000 + (press + day) * 17 % 5 * 3_000;
    phrase(&interval, &dwell)
}

fn phrase(interval: &dyn Fn(u32) -> u32, dwell: &dyn Fn(u32) -> u32) -> TypingUnchecked {
    TypingUnchecked {
        context: 2,
        phrase_id: "login".into(),
        press_interval_micros: (0..20).map(interval).collect(),
        dwell_micros: (0..20).map(dwell).collect(),
        timer_resolution_micros: 1_000,
        ..TypingUnchecked::default()
    }
}

impl Past {
    fn of(logins: u32) -> Self {
        let pipeline = pipeline(Arc::new(MemoryStore::new(Config::of_events())));
        let tenant = pipeline.store().tenant("t").expect("a tenant");
        let mut past = Self { pipeline, tenant, day: 0 };
        (0..logins).for_each(|day| drop(past.login(hand(day))));
        past
    }

    /// The features of one more login, and how typing was heard.
    fn login(&mut self, typing: TypingUnchecked) -> (Features, CoverageStatus) {
        self.day += 1;
        let event = EventUnchecked {
            event_id: format!("e{}", self.day),
            worker_id: "w".into(),
            event_time: Some(TimestampUnchecked { seconds: MONDAY + self.day * 86_400, nanos: 0 }),
            activity: 1,
            typing: Some(typing),
            ..EventUnchecked::default()
        };
        let event = event.check("event", &RULES, &mut Violations::default()).expect("a sound event");
        let now = event.samples.time;
        let content_hash = [u8::try_from(self.day).expect("few days"); 32];
        let submission = Submission { event, content_hash, update: Update::IfTrusted, model_id: String::new() };
        let mut seen = None;
        let mut watch = |features: &Features| seen = Some(features.clone());
        let assessed = self.pipeline.assess_watched(self.tenant, &submission, now, &mut watch).expect("a verdict");
        (seen.expect("features"), assessed.verdict.families[Family::Typing.index()].status)
    }
}

#[test]
fn a_replay_is_telemetrys_finding_and_typing_still_gives_its_ratio() {
    let mut past = Past::of(15);
    let (features, status) = past.login(hand(3));
    assert!(features.get(FeatureId::TelemetryReplayLogOdds) > Some(0.0));
    assert!(features.get(FeatureId::TypingPhraseLogOdds) < Some(0.0));
    assert_eq!(status, CoverageStatus::Used);
}

#[test]
fn a_program_at_an_even_pace_is_named_and_nobody_is_compared() {
    let mut past = Past::of(15);
    let before = past.login(hand(100)).0.get(FeatureId::TypingPhraseEnrolledCount);
    for _ in 0..5 {
        let (features, status) = past.login(phrase(&|press| 120_000 * press.min(1), &|_| 60_000));
        assert!(features.get(FeatureId::TypingSyntheticLogOdds) > Some(0.0));
        assert_eq!((features.get(FeatureId::TypingPhraseLogOdds), status), (None, CoverageStatus::Obscured));
    }
    let after = past.login(hand(101)).0.get(FeatureId::TypingPhraseEnrolledCount);
    assert_eq!(after, before.map(|count| count + 1.0), "five logins of a program taught nothing");
}

#[test]
fn waits_drawn_evenly_are_less_of_a_stranger_than_a_hand_as_far_off() {
    let mut past = Past::of(15);
    let between = |low: u32, high: u32, draw: f64| low + (draw * f64::from(high - low)) as u32;
    let drawn_waits =
        phrase(&|press| if press == 0 { 0 } else { between(100_000, 260_000, drawn(press, 1)) }, &|press| {
            between(40_000, 80_000, drawn(press, 2))
        });
    let mut other = hand(7);
    other.press_interval_micros.iter_mut().for_each(|interval| *interval = *interval * 17 / 10);
    other.dwell_micros.iter_mut().for_each(|dwell| *dwell = *dwell * 6 / 10);
    let (machine, _) = past.login(drawn_waits);
    let (stranger, _) = past.login(other);
    let likeness = FeatureId::TypingMachineLikenessLogOdds;
    assert!(machine.get(likeness) > stranger.get(likeness));
    let against = |features: &Features| features.get(FeatureId::TypingPhraseLogOdds).unwrap_or(0.0);
    assert!(against(&machine) < against(&stranger), "{} {}", against(&machine), against(&stranger));
}
