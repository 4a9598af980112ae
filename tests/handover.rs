//! Hands in a live session of ordered free typing, through the pipeline that serves: a change told while it happens, two
//! hands that take turns told as that, one hand told as one. The model is the shipped one with parameters of ordered
//! typing made by hand, so that what is tested is the path and not the fit.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use elsewhere::event::{
    ChunkUnchecked, ClaimUnchecked, EventTime, EventUnchecked, Rules, TablePolicy, TimestampUnchecked, TypingUnchecked,
    Violations,
};
use elsewhere::evidence::typing::ordered::{ClockModel, OrderedParameters, TRAIT_COUNT};
use elsewhere::history::{Config, MemoryStore};
use elsewhere::model::{Model, Term};
use elsewhere::pipeline::{Models, Pipeline, SharedStore, Submission, Update};
use elsewhere::risk::{ReasonCode, RiskLevel};
use std::sync::Arc;

const RULES: Rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
const MONDAY: i64 = 1_772_463_600;

/// People differ in speed, in hold and in both against each other; a session and a press vary a little.
fn ordered() -> OrderedParameters {
    let log_time = |index: usize| index < 5 || (11..19).contains(&index);
    let clock = ClockModel {
        timer_resolution_micros_max: 20_000,
        mean: (0..TRAIT_COUNT).map(|index| if log_time(index) { 11.8 } else { 0.5 }).collect(),
        press_variance: vec![0.2; TRAIT_COUNT],
        within: (0..TRAIT_COUNT).map(|row| (0..=row).map(|at| if at == row { 0.01 } else { 0.0 }).collect()).collect(),
        loadings: (0..TRAIT_COUNT)
            .map(|index| match index {
                0..11 => vec![0.0, 0.2, 0.1],
                11..25 | 31..34 => vec![0.2, 0.0, 0.1],
                _ => vec![0.2, -0.2, 0.0],
            })
            .collect(),
        calibration: vec![0.8, -0.4, -0.3, 0.0, 0.0, 0.0],
        gate: -1.0,
        gate_young: 1.0,
        handover_calibration: vec![0.7, -0.5],
        handover_told: 2.0,
        odd_stretch_rate: 0.0,
    };
    OrderedParameters { clocks: vec![clock] }
}

fn pipeline(ordered: OrderedParameters) -> (Pipeline, elsewhere::history::TenantId) {
    let mut file = Model::shipped().expect("the shipped model").file;
    file.evidence.typing.ordered = ordered;
    // Times made by hand are evener than a hand's, and what a machine typed is compared with nobody.
    file.evidence.typing.synthetic.likeness = None;
    file.additive.terms.retain(|term| term.finding != "typing.ordered");
    let finding = "typing.ordered".into();
    file.additive.terms.push(Term { finding, weight: 0.5, score_min: -2.5, score_max: 5.0 });
    let model = Model::prepare(file, [0; 32]).expect("a sound model");
    let store: SharedStore = Arc::new(MemoryStore::new(Config::of_events()));
    let tenant = store.tenant("t").expect("a tenant");
    (Pipeline::new(store, Models::new(vec![model], None).expect("one model")), tenant)
}

/// Fifty presses of free text by a hand whose times are `percent` of the first hand's.
fn typed(percent: u32, turn: u32, classes: bool) -> TypingUnchecked {
    let vary = |base: u32, press: u32, step: u32| (base + (press * 37 + turn * 11) % 13 * step) * percent / 100;
    TypingUnchecked {
        context: 1,
        press_interval_micros: (0..50).map(|press| if press == 0 { 0 } else { vary(120_000, press, 9_000) }).collect(),
        dwell_micros: (0..50).map(|press| vary(70_000, press, 4_000)).collect(),
        key_classes: if classes { (0..50).map(|press| if press % 6 == 5 { 4 } else { 1 }).collect() } else { vec![] },
        timer_resolution_micros: 1_000,
        ..TypingUnchecked::default()
    }
}

fn event(event_id: &str, day: i64) -> EventUnchecked {
    EventUnchecked {
        event_id: event_id.into(),
        worker_id: "w".into(),
        event_time: Some(TimestampUnchecked { seconds: MONDAY + day * 86_400, nanos: 0 }),
        activity: 1,
        ..EventUnchecked::default()
    }
}

fn submission(event: EventUnchecked, update: Update) -> Submission {
    let mut violations = Violations::default();
    let event = event.check("event", &RULES, &mut violations).unwrap_or_else(|| panic!("{violations}"));
    let mut content_hash = [0; 32];
    content_hash[..event.event_id.len()].copy_from_slice(event.event_id.as_bytes());
    Submission { event, content_hash, update, model_id: String::new() }
}

/// What raised the risk of a session after each chunk, by the hands that typed them.
fn session(
    opening: EventUnchecked,
    ordered: OrderedParameters,
    percents: &[u32],
    classes: bool,
) -> Vec<Vec<ReasonCode>> {
    let (pipeline, tenant) = pipeline(ordered);
    let start = EventTime(MONDAY * 1_000_000);
    let mut live = pipeline.open(tenant, submission(opening, Update::Never), start, 0, start).expect("a session");
    let mut told = Vec::new();
    for (turn, percent) in percents.iter().enumerate() {
        let chunk = ChunkUnchecked::Typing(typed(*percent, turn as u32, classes));
        let chunk = chunk.check(&RULES, &mut Violations::default()).expect("a sound chunk");
        let time = EventTime((MONDAY + 30 * (turn as i64 + 1)) * 1_000_000);
        live.take(chunk, time);
        let verdict = pipeline.look(tenant, &mut live, time).expect("a verdict");
        assert_eq!(pipeline.look(tenant, &mut live, time).expect("a verdict"), verdict, "looked at twice");
        live.trim();
        let raised = verdict.reasons.iter().filter(|reason| reason.contribution_log_odds > 0.0);
        told.push(raised.map(|reason| reason.code).collect());
    }
    told
}

fn chunks_told(told: &[Vec<ReasonCode>], code: ReasonCode) -> Vec<usize> {
    (0..told.len()).filter(|index| told[*index].contains(&code)).collect()
}

#[test]
fn a_change_of_hands_is_told_within_two_hundred_presses_and_stays_told() {
    let told = session(event("m", 0), ordered(), &[[100; 10], [200; 10]].concat(), true);
    let chunks = chunks_told(&told, ReasonCode::TypingHandover);
    let first = *chunks.first().expect("the change is told");
    assert!((10..14).contains(&first), "{chunks:?}");
    assert_eq!(chunks, (first..20).collect::<Vec<_>>());
    assert!(chunks_told(&told, ReasonCode::TypingSharedAccount).is_empty());
}

#[test]
fn two_hands_that_take_turns_are_told_as_sharing_and_not_as_a_takeover_each_time() {
    let told = session(event("m", 0), ordered(), &[[100; 8], [200; 8], [100; 8], [200; 8]].concat(), true);
    let shared = chunks_told(&told, ReasonCode::TypingSharedAccount);
    let first = *shared.first().expect("told as shared");
    assert!((16..21).contains(&first), "{shared:?}");
    assert_eq!(shared, (first..32).collect::<Vec<_>>());
    assert!(chunks_told(&told, ReasonCode::TypingHandover).iter().all(|chunk| *chunk < first));
}

#[test]
fn one_hand_is_told_as_neither() {
    let told = session(event("m", 0), ordered(), &[100; 60], true);
    for code in [ReasonCode::TypingHandover, ReasonCode::TypingSharedAccount] {
        assert!(chunks_told(&told, code).is_empty(), "{code:?}");
    }
}

#[test]
fn without_classes_without_a_fit_and_with_assistive_technology_nothing_is_told() {
    let hands = [[100; 10], [200; 10]].concat();
    let claim = ClaimUnchecked { region_code: "US".into(), assistive_technology: true, ..ClaimUnchecked::default() };
    let assisted = EventUnchecked { claim: Some(claim), ..event("m", 0) };
    for told in [
        session(event("m", 0), ordered(), &hands, false),
        session(event("m", 0), OrderedParameters::default(), &hands, true),
        session(assisted, ordered(), &hands, true),
    ] {
        assert!(chunks_told(&told, ReasonCode::TypingHandover).is_empty());
        assert!(chunks_told(&told, ReasonCode::TypingDifferentTypist).is_empty());
    }
}

#[test]
fn a_login_is_compared_with_the_ordered_typing_of_the_past() {
    let (pipeline, tenant) = pipeline(ordered());
    let score = |event_id: &str, day: i64, percent: u32, update: Update| {
        let typing = Some(typed(percent, day as u32, true));
        let submission = submission(EventUnchecked { typing, ..event(event_id, day) }, update);
        let now = submission.event.samples.time;
        let assessed = pipeline.assess(tenant, &submission, now).expect("a verdict");
        assert_eq!(assessed.verdict.risk_level, RiskLevel::Low, "typing alone is no level");
        assessed.verdict.families[1].log_likelihood_ratio
    };
    for day in 0..12 {
        score(&format!("p{day}"), day, 100, Update::Always);
    }
    let (own, other) = (score("own", 13, 100, Update::Never), score("other", 13, 200, Update::Never));
    assert!(own < 0.0 && other > 0.0, "{own} {other}");
    // A stranger's typing teaches nothing: the worker's own scores as before.
    for day in 14..18 {
        score(&format!("s{day}"), day, 200, Update::IfTrusted);
    }
    assert_eq!(score("again", 13, 100, Update::Never), own);
}
