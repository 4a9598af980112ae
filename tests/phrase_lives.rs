//! Lives of fixed phrases through `elsewhere score`: a changed phrase, what was not typed, takeovers and hands that change.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{MONDAY, request, score, time};
use elsewhere::api::wire::{self, CoverageStatus, ProfileUpdate, assessment_result::Outcome};

const DAY: i64 = 86_400;
const PRESSES: usize = 14;

/// A hand: what its dwells and press intervals are of the first hand's, percent, and how its habits are spread over the
/// positions.
#[derive(Clone, Copy)]
struct Hand {
    dwell: u32,
    interval: u32,
    habit: u32,
}

const OWN: Hand = Hand { dwell: 100, interval: 100, habit: 1 };
const STRANGER: Hand = Hand { dwell: 130, interval: 80, habit: 5 };

/// What a hand types on its `turn`th login: habits by position, and some milliseconds from login to login.
fn typed(hand: Hand, turn: u32) -> wire::TypingSample {
    let press = |index: usize, base: u32, step: u32, percent: u32| {
        let index = index as u32 + 1;
        let habit = (index * 37 * hand.habit) % 11 * step;
        let chance = (index * 7_919 + turn * 104_729 + base) % 5_000;
        (base + habit) * percent / 100 + chance
    };
    let interval = |index| if index == 0 { 0 } else { press(index, 130_000, 9_000, hand.interval) };
    wire::TypingSample {
        context: wire::TypingContext::FixedPhrase as i32,
        phrase_id: "login".into(),
        press_interval_micros: (0..PRESSES).map(interval).collect(),
        dwell_micros: (0..PRESSES).map(|index| press(index, 75_000, 4_000, hand.dwell)).collect(),
        key_classes: vec![1; PRESSES],
        timer_resolution_micros: 1_000,
        ..Default::default()
    }
}

/// A login of the worker, one a day.
fn login(typing: wire::TypingSample, day: i64, update: ProfileUpdate) -> wire::AssessSessionRequest {
    let event = wire::SessionEvent {
        event_id: format!("e{day}"),
        worker_id: "w1".into(),
        event_time: time(MONDAY + day * DAY),
        activity: wire::SessionActivity::Logon as i32,
        typing: Some(typing),
        ..Default::default()
    };
    wire::AssessSessionRequest { profile_update: update as i32, ..request(event) }
}

/// Logins of a hand, a day each from `day` on.
fn logins(hand: Hand, day: i64, count: i64, update: ProfileUpdate) -> Vec<wire::AssessSessionRequest> {
    (day..day + count).map(|day| login(typed(hand, day as u32), day, update)).collect()
}

/// Typing's part in each verdict: whether it took part, and its log-likelihood ratio.
fn scored(requests: &[wire::AssessSessionRequest]) -> Vec<(CoverageStatus, f64)> {
    let lines: String = requests.iter().map(|request| serde_json::to_string(request).expect("JSON") + "\n").collect();
    let verdict = |result: wire::AssessmentResult| match result.outcome {
        Some(Outcome::Verdict(verdict)) => verdict,
        other => panic!("no verdict: {other:?}"),
    };
    let typing = |verdict: wire::Verdict| {
        let of = |family: &&wire::FamilyAssessment| family.family() == wire::SignalFamily::Typing;
        let family = verdict.families.iter().find(of).cloned().unwrap_or_default();
        (family.status(), family.log_likelihood_ratio)
    };
    score(&lines).into_iter().map(verdict).map(typing).collect()
}

/// Typing's part in the last verdict of a worker of thirty own logins who then sends this.
fn after_thirty(typing: wire::TypingSample) -> (CoverageStatus, f64) {
    let mut requests = logins(OWN, 0, 30, ProfileUpdate::IfTrusted);
    requests.push(login(typing, 30, ProfileUpdate::IfTrusted));
    scored(&requests)[30]
}

/// What the same says of somebody never seen: machine-made typing is looked for without a past.
fn of_nobody(typing: wire::TypingSample) -> f64 {
    scored(&[login(typing, 0, ProfileUpdate::Never)])[0].1
}

#[test]
fn a_workers_own_phrase_speaks_for_and_a_strangers_against() {
    let own = after_thirty(typed(OWN, 77));
    let strange = after_thirty(typed(STRANGER, 77));
    assert_eq!((own.0, strange.0), (CoverageStatus::Used, CoverageStatus::Used));
    assert!(own.1 < -1.0 && strange.1 > 1.0, "{own:?} {strange:?}");
}

#[test]
fn a_changed_phrase_starts_afresh_without_alarm() {
    let changed = |turn| wire::TypingSample { phrase_id: "changed".into(), ..typed(STRANGER, turn) };
    let mut requests = logins(OWN, 0, 30, ProfileUpdate::IfTrusted);
    requests.extend((30..45).map(|day| login(changed(day as u32), day, ProfileUpdate::IfTrusted)));
    let scored = scored(&requests);
    assert_eq!(scored[30], (CoverageStatus::NoHistory, of_nobody(changed(30))));
    // It is learned as any first phrase is, and soon speaks for the worker.
    assert!(scored[31..].iter().all(|(status, _)| *status == CoverageStatus::Used));
    assert!(scored[40..].iter().all(|(_, ratio)| *ratio < 0.0), "{scored:?}");
}

#[test]
fn other_presses_under_a_known_name_are_missing_not_different() {
    let shorter = |typing: wire::TypingSample| wire::TypingSample {
        press_interval_micros: typing.press_interval_micros[..PRESSES - 1].to_vec(),
        dwell_micros: typing.dwell_micros[..PRESSES - 1].to_vec(),
        key_classes: typing.key_classes[..PRESSES - 1].to_vec(),
        ..typing
    };
    let mut digits = typed(STRANGER, 3);
    digits.key_classes[4] = 2;
    for typing in [shorter(typed(STRANGER, 3)), digits] {
        assert_eq!(after_thirty(typing.clone()), (CoverageStatus::Abstained, of_nobody(typing)));
    }
    // Classes withheld for once say nothing of another phrase.
    let withheld = wire::TypingSample { key_classes: Vec::new(), ..typed(OWN, 3) };
    assert_eq!(after_thirty(withheld).0, CoverageStatus::Used);
}

#[test]
fn a_name_whose_presses_changed_for_good_is_learned_anew() {
    let digits = |day: i64| {
        let mut typing = typed(OWN, day as u32);
        typing.key_classes[4] = 2;
        login(typing, day, ProfileUpdate::IfTrusted)
    };
    let requests: Vec<_> =
        logins(OWN, 0, 30, ProfileUpdate::IfTrusted).into_iter().chain((30..60).map(digits)).collect();
    let scored = scored(&requests);
    assert!(scored[30..44].iter().all(|(status, _)| *status == CoverageStatus::Abstained));
    // The former presses are thrown away once they were out of use for a fortnight.
    assert!(scored[46..].iter().all(|(status, _)| *status == CoverageStatus::Used), "{scored:?}");
    assert!(scored[55..].iter().all(|(_, ratio)| *ratio < 0.0), "{scored:?}");
}

#[test]
fn pasted_filled_in_and_half_filled_in_phrases_abstain_and_teach_nothing() {
    let half = wire::TypingSample {
        press_interval_micros: typed(OWN, 5).press_interval_micros[..PRESSES / 2].to_vec(),
        dwell_micros: typed(OWN, 5).dwell_micros[..PRESSES / 2].to_vec(),
        key_classes: vec![1; PRESSES / 2],
        insertion_count: 1,
        ..typed(OWN, 5)
    };
    let filled_in = wire::TypingSample { insertion_count: 1, ..typed(STRANGER, 5) };
    let composed = wire::TypingSample { composition_count: 1, ..typed(STRANGER, 5) };
    let dropped = wire::TypingSample { dropped_press_count: 1, ..typed(STRANGER, 5) };
    for typing in [half.clone(), filled_in, composed, dropped] {
        assert_eq!(after_thirty(typing.clone()), (CoverageStatus::Abstained, of_nobody(typing)));
    }
    let mut requests = logins(OWN, 0, 30, ProfileUpdate::IfTrusted);
    requests.push(login(typed(OWN, 99), 30, ProfileUpdate::Never));
    requests.push(login(half, 31, ProfileUpdate::Always));
    requests.push(login(typed(OWN, 99), 32, ProfileUpdate::Never));
    let scored = scored(&requests);
    assert_eq!(scored[30], scored[32]);
}

#[test]
fn a_takeover_is_refused_to_the_end() {
    let mut requests = logins(OWN, 0, 60, ProfileUpdate::IfTrusted);
    requests.extend(logins(STRANGER, 60, 60, ProfileUpdate::IfTrusted));
    let scored = scored(&requests);
    assert!(scored[60..].iter().all(|(_, ratio)| *ratio > 1.0), "{:?}", &scored[60..]);
}

#[test]
fn an_injured_hand_is_known_again_within_ten_confirmed_logins() {
    for (what, changed) in [
        ("slower by 15 %", Hand { interval: 115, dwell: 115, ..OWN }),
        ("slower by 40 %", Hand { interval: 140, dwell: 140, ..OWN }),
        ("held longer", Hand { dwell: 150, ..OWN }),
        ("another keyboard", Hand { dwell: 70, habit: 3, ..OWN }),
    ] {
        let mut requests = logins(OWN, 0, 60, ProfileUpdate::IfTrusted);
        requests.extend(logins(changed, 60, 10, ProfileUpdate::Always));
        requests.extend(logins(changed, 70, 10, ProfileUpdate::IfTrusted));
        let scored = scored(&requests);
        assert!(scored[70..].iter().all(|(_, ratio)| *ratio < 0.0), "{what}: {:?}", &scored[58..]);
    }
}

#[test]
fn a_clock_of_a_hardened_browser_says_less_and_never_the_contrary() {
    let stamped = |hand: Hand, turn: u32, step: u32| {
        let typing = typed(hand, turn);
        let mut now = turn * 7_919 % step;
        let floor = |at: u32| at / step * step;
        let (mut intervals, mut dwells, mut before) = (Vec::new(), Vec::new(), None);
        for (interval, dwell) in typing.press_interval_micros.iter().zip(&typing.dwell_micros) {
            now += interval;
            intervals.push(before.map_or(0, |before| floor(now) - before));
            dwells.push(floor(now + dwell) - floor(now));
            before = Some(floor(now));
        }
        wire::TypingSample {
            press_interval_micros: intervals,
            dwell_micros: dwells,
            timer_resolution_micros: step,
            ..typing
        }
    };
    let ratios = |step: u32| {
        let mut requests: Vec<_> =
            (0..70).map(|day| login(stamped(OWN, day as u32, step), day, ProfileUpdate::IfTrusted)).collect();
        requests.push(login(stamped(OWN, 90, step), 70, ProfileUpdate::Never));
        requests.push(login(stamped(STRANGER, 90, step), 71, ProfileUpdate::Never));
        let scored = scored(&requests);
        (scored[70].1, scored[71].1)
    };
    let (fine, coarse) = (ratios(1_000), ratios(100_000));
    assert!(fine.0 < coarse.0 && coarse.0 < coarse.1 && coarse.1 < fine.1, "{fine:?} {coarse:?}");
}
