//! Typing samples and parameters for the tests of this family.
#![cfg(test)]

use super::accord::Accords;
use super::gate::{ClockParameters, Gate, Lesson};
use super::ordered::{ClockModel, OrderedParameters, TRAIT_COUNT};
use super::phrase::{PRIOR_COUNT, PhraseParameters, Prior, YOUNG_COUNT};
use super::synthetic::SyntheticParameters;
use super::table::{Prepared, TableCalibration, TableCell, TableParameters, TablePopulation};
use super::{Observation, Parameters, Profile, observe};
use crate::event::{
    CadenceTableUnchecked, EventTime, EventUnchecked, KeyClass, KeyTime, Rules, TablePolicy, TimestampUnchecked,
    TypingSample, TypingUnchecked, Violations,
};

/// Parameters near the fitted ones: dwells about 90 ms, press intervals about 170 ms, strangers .4 apart in ln.
pub fn parameters() -> Parameters {
    let prior = |index: usize| Prior {
        centre: if index < KeyClass::COUNT { 110_000f64.ln() } else { 200_000f64.ln() },
        carry: 0.5,
        background_spread: 0.4,
        within_spread: 0.15,
    };
    let cell = |cell| TableCell {
        cell,
        mean: 110_000f64.ln(),
        specific_variance: 0.01,
        press_variance: 0.04,
        person_variance: 0.01,
        table_variance: 0.005,
        loadings: vec![0.3],
    };
    Parameters {
        phrase: PhraseParameters {
            priors: (0..PRIOR_COUNT).map(prior).collect(),
            accords: Accords::default(),
            calibration: vec![1.3, 0.2, 0.1, -0.9, -0.4],
            shared_calibration: vec![1.7, 0.1, -1.5, -0.6, -0.3],
            clocks: vec![ClockParameters {
                timer_resolution_micros: 16_000,
                young_count: YOUNG_COUNT,
                calibration: Vec::new(),
                shared_calibration: Vec::new(),
                alone: Gate { full: -1.5, partial: -0.3, pair: -0.9 },
                shared: Gate { full: -2.9, partial: -0.7, pair: -1.8 },
            }],
            gate_young: 0.25,
            anchor: None,
        },
        table: TableParameters {
            basis: 1,
            cells: vec![cell(0), cell(1), cell(2)],
            slots: vec![0, 1, 2],
            centre: vec![0.0],
            projection: vec![vec![4.0]],
            between_variance: vec![6.0],
            population: TablePopulation::default(),
            ratio_calibration: TableCalibration {
                slope: 0.5,
                intercept: 0.0,
                unlike_rate: 0.02,
                alike_rate: 0.005,
                tenant: [0.0; 2],
            },
            gate: 0.0,
            prepared: Prepared::default(),
        },
        phrase_pair: None,
        synthetic: SyntheticParameters { rate_limits: [0.45, 0.6, 0.85, 0.45], log_odds: 4.0, likeness: None },
        ordered: ordered_parameters(),
    }
}

/// A phrase of `presses` presses by a hand whose times are `percent` of the first hand's, on its `day`th day: from
/// day to day times move by a few milliseconds.
pub fn phrase(presses: u32, percent: u32, day: u32) -> TypingUnchecked {
    let press_interval =
        |press: u32| (140_000 + press * 37 % 11 * 8_000 + (press + day) * 29 % 7 * 2_000) * percent / 100;
    let dwell = |press: u32| (75_000 + press * 23 % 7 * 5_000 + (press + day) * 17 % 5 * 2_000) * percent / 100;
    TypingUnchecked {
        context: 2,
        phrase_id: "login".into(),
        press_interval_micros: (0..presses).map(|press| if press == 0 { 0 } else { press_interval(press) }).collect(),
        dwell_micros: (0..presses).map(dwell).collect(),
        timer_resolution_micros: 1_000,
        ..TypingUnchecked::default()
    }
}

/// Free text of `presses` presses by a hand whose times are `percent` of the first hand's: words of five letters.
pub fn free_text(presses: u32, percent: u32, turn: u32) -> TypingSample {
    let vary = |base: u32, press: u32, step: u32| (base + (press * 37 + turn * 11) % 13 * step) * percent / 100;
    let typing = TypingUnchecked {
        context: 1,
        press_interval_micros: (0..presses)
            .map(|press| if press == 0 { 0 } else { vary(120_000, press, 9_000) })
            .collect(),
        dwell_micros: (0..presses).map(|press| vary(70_000, press, 4_000)).collect(),
        key_classes: (0..presses).map(|press| if press % 6 == 5 { 4 } else { 1 }).collect(),
        timer_resolution_micros: 1_000,
        ..TypingUnchecked::default()
    };
    let event = EventUnchecked {
        event_id: "e".into(),
        worker_id: "w".into(),
        event_time: Some(TimestampUnchecked { seconds: 0, nanos: 0 }),
        activity: 1,
        typing: Some(typing),
        ..EventUnchecked::default()
    };
    let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
    let event = event.check("event", &rules, &mut Violations::default());
    event.and_then(|event| event.samples.typing).unwrap()
}

/// Parameters of ordered typing in three dimensions: speed, hold, and both against each other.
pub fn ordered_parameters() -> OrderedParameters {
    let log_time = |index: usize| index < 5 || (11..19).contains(&index);
    let clock = |timer_resolution_micros_max| ClockModel {
        timer_resolution_micros_max,
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
    OrderedParameters { clocks: vec![clock(20_000), clock(100_000)] }
}

/// A table of 256 presses on three keys by a hand whose dwells are `percent` of the first hand's.
pub fn table(percent: u32) -> CadenceTableUnchecked {
    let key =
        |usage| KeyTime { usage, count: 32, dwell_median_micros: 90_000 * percent / 100, dwell_spread_micros: 8_000 };
    CadenceTableUnchecked {
        press_count: 256,
        keys: vec![key(4), key(5), key(6)],
        digraphs: Vec::new(),
        timer_resolution_micros: 1_000,
    }
}

/// What is observed of an event that carries these.
pub fn observed(typing: Option<TypingUnchecked>, cadence: Option<CadenceTableUnchecked>) -> Observation {
    let event = EventUnchecked {
        event_id: "e".into(),
        worker_id: "w".into(),
        event_time: Some(TimestampUnchecked { seconds: 0, nanos: 0 }),
        activity: 1,
        typing,
        cadence,
        ..EventUnchecked::default()
    };
    let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
    let mut violations = Violations::default();
    let event = event.check("event", &rules, &mut violations);
    assert!(event.is_some(), "{violations:?}");
    event.map(|event| observe(&event.samples)).unwrap_or_default()
}

/// A worker after `logins` logins of a phrase, day by day.
pub fn enrolled(presses: u32, logins: u32) -> Profile {
    let mut profile = Profile::default();
    for day in 0..logins {
        let login = observed(Some(phrase(presses, 100, day)), None);
        profile.learn(&login, &parameters(), EventTime(i64::from(day) * DAY_MICROS), Lesson::Full, 0.0);
    }
    profile
}

/// Microseconds of a day.
pub const DAY_MICROS: i64 = 86_400_000_000;
