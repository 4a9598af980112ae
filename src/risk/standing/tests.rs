//! What holds for standings, by hand and by law.

use super::*;
use crate::evidence::feature::FeatureId;
use crate::model::StandingModel;

const DAY: i64 = 86_400_000_000;

fn entry(finding: &str, evidence_max: f64, evidence_max_sustained: f64) -> FindingModel {
    FindingModel {
        finding: finding.into(),
        honest_mean: -1.0,
        hostile_mean: 4.0,
        between_variance: 1.0,
        within_variance: 1.0,
        hostile_share: 0.3,
        score_cap: 8.0,
        score_floor: None,
        evidence_max,
        evidence_max_sustained,
        cumulative: false,
        weight: 1.0,
    }
}

fn model() -> PreparedStanding {
    let model = StandingModel {
        findings: vec![entry("remote_input.pointer", 5.0, 5.0), entry("remote_input.loop", 5.0, 10.0)],
        half_life_days: 60.0,
        latest_day_count: 3.0,
        latest_weight: 0.0,
        sustained_day_count: 3,
        false_flag_budget: 1e-3,
        threshold_log_odds: 6.9,
    };
    model.prepare().expect("a sound model")
}

fn session(feature: FeatureId, score: f64) -> Features {
    let mut features = Features::default();
    features.set(feature, score);
    features
}

fn after(feature: FeatureId, score: f64, days: i64) -> WorkerStanding {
    let (model, features) = (model(), session(feature, score));
    let mut standing = Standing::default();
    for day in 0..days {
        standing.add(&features, &model, day * DAY);
    }
    standing.report(&model, (days - 1) * DAY)
}

#[test]
fn no_transport_finding_flags_alone_however_long() {
    let standing = after(FeatureId::RemoteInputPointerLogOdds, 8.0, 90);
    assert!((standing.evidence_log_odds - 5.0).abs() < 1e-9 && !standing.flagged);
}

#[test]
fn physics_flags_alone_once_three_days_have_shown_it() {
    assert!(!after(FeatureId::RemoteInputLoopLogOdds, 8.0, 2).flagged);
    let standing = after(FeatureId::RemoteInputLoopLogOdds, 8.0, 3);
    assert!(standing.flagged && standing.flag_micros == Some(2 * DAY));
}

#[test]
fn a_steady_oddity_levels_off() {
    let at = |days| after(FeatureId::RemoteInputPointerLogOdds, 1.7, days).evidence_log_odds;
    assert!(at(40) - at(20) < 0.1 * (at(20) - at(1)).abs() + 0.05, "{} {} {}", at(1), at(20), at(40));
}

#[test]
fn a_day_of_many_sessions_is_one_day() {
    let (model, features) = (model(), session(FeatureId::RemoteInputLoopLogOdds, 8.0));
    let mut standing = Standing::default();
    for minute in 0..10 {
        standing.add(&features, &model, minute * 60_000_000);
    }
    let report = standing.report(&model, 600_000_000);
    assert_eq!((report.session_count, report.day_count, report.flagged), (10, 1, false));
}

#[test]
fn old_evidence_fades_and_the_flag_with_it() {
    let (model, features) = (model(), session(FeatureId::RemoteInputLoopLogOdds, 8.0));
    let mut standing = Standing::default();
    for day in 0..5 {
        standing.add(&features, &model, day * DAY);
    }
    let (now, later) = (standing.report(&model, 4 * DAY), standing.report(&model, 2_000 * DAY));
    assert!(now.flagged && !later.flagged && later.evidence_log_odds < now.evidence_log_odds / 2.0);
    assert_eq!(later.flag_micros, now.flag_micros, "when it last became true is still told");
}

const LOOP: FeatureId = FeatureId::RemoteInputLoopLogOdds;

fn loops(standing: &mut Standing, score: f64, days: std::ops::Range<i64>) {
    for day in days {
        standing.add(&session(LOOP, score), &model(), day * DAY);
    }
}

fn clear(standing: &mut Standing, codes: &[ReasonCode]) {
    standing.clear(codes, codes, &model(), standing.kept.first().map_or(0, |kept| kept.last_seconds * 1_000_000));
}

#[test]
fn an_explained_level_stays_explained_and_a_higher_one_counts_anew() {
    let mut standing = Standing::default();
    loops(&mut standing, 4.0, 0..10);
    assert_eq!(standing.level(), StandingLevel::High);
    clear(&mut standing, &[ReasonCode::RemoteInputLoopDelay]);
    assert_eq!(standing.level(), StandingLevel::Low);
    let flagged_at = standing.flag_micros;
    loops(&mut standing, 4.0, 10..40);
    assert_eq!((standing.level(), standing.flag_micros), (StandingLevel::Low, flagged_at), "the same all along");
    assert_eq!(standing.report(&model(), 39 * DAY).cleared_reasons, [ReasonCode::RemoteInputLoopDelay]);
    // Explained: 4, five above the honest mean of -1. A score of 8 reads as 3, near the hostile mean of 4. What went on
    // as explained weighs against it, as every worker's quiet past does: after 30 such days it takes as many.
    loops(&mut standing, 8.0, 40..100);
    let report = standing.report(&model(), 99 * DAY);
    assert!(report.evidence_log_odds > 1.0, "new evidence of the cleared reason: {}", report.evidence_log_odds);
}

#[test]
fn sessions_from_before_the_review_are_explained_however_late_they_come() {
    let mut standing = Standing::default();
    loops(&mut standing, 2.0, 0..10);
    clear(&mut standing, &[ReasonCode::RemoteInputLoopDelay]);
    loops(&mut standing, 8.0, 0..9);
    assert!(standing.report(&model(), 9 * DAY).evidence_log_odds <= 0.0);
}

#[test]
fn a_reason_cleared_before_it_was_seen_holds_nothing_back() {
    let (mut cleared, mut plain) = (Standing::default(), Standing::default());
    clear(&mut cleared, &[ReasonCode::RemoteInputLoopDelay, ReasonCode::TypingHandover]);
    [&mut cleared, &mut plain].into_iter().for_each(|standing| loops(standing, 5.0, 0..9));
    let of = |standing: &Standing| standing.report(&model(), 8 * DAY);
    assert!((of(&cleared).evidence_log_odds - of(&plain).evidence_log_odds).abs() < 1e-6);
    let both = [ReasonCode::TypingHandover, ReasonCode::RemoteInputLoopDelay];
    assert_eq!(of(&cleared).cleared_reasons, both, "told in order of codes");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    #[test]
    fn clearances_only_lower_leave_others_alone_and_can_be_withdrawn(
        before in proptest::collection::vec((proptest::bool::ANY, -8.0_f64..8.0), 0..20),
        after in proptest::collection::vec((proptest::bool::ANY, -8.0_f64..8.0), 0..20),
    ) {
        let feature = |pointer: bool| if pointer { FeatureId::RemoteInputPointerLogOdds } else { LOOP };
        let (pointer, other) = (ReasonCode::RemoteInputPointerRelayed, ReasonCode::RemoteInputLoopDelay);
        let model = model();
        let (mut plain, mut one, mut both) = (Standing::default(), Standing::default(), Standing::default());
        let mut turned = Standing::default();
        let first = before.iter().map(|at| (true, at));
        for (day, (early, (kind, score))) in (1..).zip(first.chain(after.iter().map(|at| (false, at)))) {
            if !early && day == before.len() as i64 + 1 {
                one.clear(&[pointer], &[pointer], &model, 0);
                both.clear(&[pointer, other], &[pointer, other], &model, 0);
                turned.clear(&[other], &[other], &model, 0);
                turned.clear(&[other, pointer], &[pointer], &model, 0);
            }
            for standing in [&mut plain, &mut one, &mut both, &mut turned] {
                standing.add(&session(feature(*kind), *score), &model, day * DAY);
            }
        }
        let now = (before.len() + after.len()) as i64 * 86_400;
        let sum = |standing: &Standing| standing.report(&model, now * 1_000_000).evidence_log_odds;
        proptest::prop_assert!(sum(&one) <= sum(&plain) + 1e-9 && sum(&both) <= sum(&one) + 1e-9);
        proptest::prop_assert_eq!(&both.cleared, &turned.cleared, "the order of clearing is free");
        let loops_of = |standing: &Standing| {
            let all = standing.contributions(&model, now);
            all.filter(|one| ReasonCode::of(one.0) == other).map(|one| one.3.evidence).sum::<f64>()
        };
        proptest::prop_assert!((loops_of(&one) - loops_of(&plain)).abs() < 1e-12);
        both.clear(&[], &[], &model, now * 1_000_000);
        proptest::prop_assert_eq!(&both.kept, &plain.kept);
        proptest::prop_assert!((sum(&both) - sum(&plain)).abs() < 1e-12);
    }
}

#[test]
fn another_workers_event_raises_links_only_and_counts_no_session() {
    let mut model = model().model;
    model.findings.push(FindingModel { cumulative: true, ..entry("crowd.site", 7.5, 7.5) });
    let model = model.prepare().expect("a sound model");
    let mut standing = Standing::default();
    standing.add(&session(FeatureId::CrowdSiteLogOdds, 2.0), &model, 0);
    let mut told = session(FeatureId::CrowdSiteLogOdds, 6.0);
    told.set(LOOP, 8.0);
    standing.implicate(&told, &model, DAY);
    let report = standing.report(&model, DAY);
    assert_eq!((standing.level(), report.session_count, report.reasons.len()), (StandingLevel::High, 1, 1));
    standing.implicate(&session(FeatureId::CrowdSiteLogOdds, 1.0), &model, DAY);
    assert_eq!(standing.level(), StandingLevel::High, "never lowered by others");
}

#[test]
fn hovering_evidence_is_told_of_once() {
    let of = StandingLevel::of;
    assert_eq!(of(3.4, 6.9, StandingLevel::Low), StandingLevel::Low);
    assert_eq!(of(3.5, 6.9, StandingLevel::Low), StandingLevel::Medium);
    assert_eq!(of(3.0, 6.9, StandingLevel::Medium), StandingLevel::Medium);
    assert_eq!(of(2.7, 6.9, StandingLevel::Medium), StandingLevel::Low);
    assert_eq!(of(6.9, 6.9, StandingLevel::Low), StandingLevel::High);
}

#[test]
fn a_standing_written_before_there_were_levels_is_read_as_it_was_meant() {
    // As written then: no findings, 3 sessions on 2 days, last day 5 (zigzag 10), flagged, never timed, none cleared.
    for (byte, level) in [(0, StandingLevel::Low), (1, StandingLevel::High)] {
        let written = [0, 3, 2, 10, byte, 0, 0];
        let standing: Standing = postcard::from_bytes(&written).expect("an old standing");
        assert_eq!((standing.session_count, standing.day_count, standing.level()), (3, 2, level));
        assert_eq!(postcard::to_stdvec(&standing).expect("bytes"), written);
    }
}

#[test]
fn reasons_and_residual_add_up_to_the_evidence() {
    let standing = after(FeatureId::RemoteInputLoopLogOdds, 1.3, 7);
    let told: f64 = standing.reasons.iter().map(|reason| reason.contribution_log_odds).sum();
    assert!((told + standing.residual_log_odds - standing.evidence_log_odds).abs() < 1e-12);
}

/// The model of the other tests, with the short memory heard.
fn listening() -> PreparedStanding {
    StandingModel { latest_weight: 0.5, ..model().model }.prepare().expect("a sound model")
}

/// Days until the flag after as many honest days, three sessions a day.
fn days_to_flag(model: &PreparedStanding, honest_days: i64) -> Option<i64> {
    let mut standing = Standing::default();
    for day in 0..honest_days + 40 {
        let score = if day < honest_days { -2.0 } else { 4.0 };
        let mut features = session(FeatureId::RemoteInputLoopLogOdds, score);
        features.set(FeatureId::RemoteInputPointerLogOdds, score);
        for hour in 0..3 {
            standing.add(&features, model, day * DAY + hour * DAY / 24);
        }
        if standing.flagged() {
            return Some(day - honest_days);
        }
    }
    None
}

#[test]
fn a_takeover_is_flagged_within_days_however_long_the_honest_past() {
    let (without, with) = (model(), listening());
    let late = days_to_flag(&without, 60);
    assert!(late.is_none_or(|days| days > 20), "{late:?}");
    let soon = days_to_flag(&with, 60);
    assert!(soon.is_some_and(|days| days <= 4), "{soon:?}");
    assert_eq!(soon, days_to_flag(&with, 200), "no longer past makes it later");
}

#[test]
fn two_memories_never_say_more_than_the_louder_one_nor_less_than_half_of_it() {
    let mut standing = Standing::default();
    for day in 0..30 {
        let score = f64::from((day * 7 + 3) % 11) - 4.0;
        standing.add(&session(FeatureId::RemoteInputLoopLogOdds, score), &listening(), i64::from(day) * DAY);
        let (both, all) = (listening(), model());
        let now = i64::from(day) * DAY;
        let heard = standing.report(&both, now).evidence_log_odds;
        let alone = standing.report(&all, now).evidence_log_odds;
        assert!(heard >= alone - std::f64::consts::LN_2 - 1e-9, "{heard} {alone}");
        assert!(heard <= 10.0);
    }
}

#[test]
fn the_short_memory_decays_by_days_and_not_by_sessions() {
    let mut busy = Latest::default();
    (0..100).for_each(|_| busy.add(1.0, false, 3.0));
    assert_eq!(busy.count(), 31.875);
    let mut calm = Latest::default();
    (0..100).for_each(|_| calm.add(-1.0, true, 3.0));
    assert!((calm.count() - 3.0).abs() < 0.2 && (calm.mean() + 1.0).abs() < 0.02, "{calm:?}");
}
