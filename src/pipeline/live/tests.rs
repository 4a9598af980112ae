//! Every path of a live session, without network, clock or model.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use super::*;
use crate::event::{
    ChunkUnchecked, EventUnchecked, PointerUnchecked, Rules, TablePolicy, TimestampUnchecked, Violations,
};
use proptest::prelude::*;

const RULES: Rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::Refused };
const SECOND: i64 = 1_000_000;

fn live(interval_seconds: i64) -> Live {
    let event = EventUnchecked {
        event_id: "e".into(),
        worker_id: "w".into(),
        event_time: Some(TimestampUnchecked { seconds: 100, nanos: 0 }),
        activity: 1,
        ..Default::default()
    };
    let event = event.check("event", &RULES, &mut Violations::default()).expect("a sound event");
    let submission = Submission { event, content_hash: [7; 32], update: Update::IfTrusted, model_id: String::new() };
    Live::open(submission, EventTime(100 * SECOND), interval_seconds * SECOND)
}

fn moves(count: usize) -> Chunk {
    let column = |value: u32| (0..count).map(|at| if at == 0 { 0 } else { value }).collect::<Vec<u32>>();
    let pointer = PointerUnchecked {
        interval_micros: column(8_000),
        delta_x: column(3).into_iter().map(u32::cast_signed).collect(),
        delta_y: vec![0; count],
        timer_resolution_micros: 1_000,
        source: 1,
        button_down_indexes: vec![],
    };
    ChunkUnchecked::Pointer(pointer).check(&RULES, &mut Violations::default()).expect("a sound chunk")
}

#[test]
fn the_first_level_is_due_and_then_a_change_or_the_interval() {
    let mut live = live(10);
    let mut at = |second: i64, level: RiskLevel| {
        live.take(moves(2), EventTime(second * SECOND));
        live.due(level)
    };
    assert!(at(100, RiskLevel::Low));
    assert!(!at(101, RiskLevel::Low));
    assert!(!at(109, RiskLevel::Low));
    assert!(at(110, RiskLevel::Low), "ten seconds have passed");
    assert!(at(111, RiskLevel::High), "the level changed");
    assert!(!at(120, RiskLevel::High), "nine seconds since the last verdict, whatever asked for it");
    assert!(at(121, RiskLevel::High));
    assert!(at(121, RiskLevel::Low));
    live.ask();
    assert!(live.due(RiskLevel::Low), "asked for, as after a resumption");
}

#[test]
fn a_refused_message_is_counted_and_leaves_nothing() {
    let mut live = live(10);
    live.pass();
    assert_eq!((live.acknowledged(), live.place(2)), (1, Place::Next));
    assert_eq!(live.submission().event.samples.pointer, None);
}

#[test]
fn the_session_closes_under_the_openings_name_time_and_content() {
    let mut live = live(10);
    live.take(moves(60), EventTime(500 * SECOND));
    let Submission { event, content_hash, .. } = live.submission();
    assert_eq!((event.event_id.as_str(), event.worker_id.as_str(), content_hash), ("e", "w", [7; 32]));
    assert_eq!(event.samples.time, EventTime(100 * SECOND));
    assert_eq!(event.samples.pointer.map(|pointer| pointer.interval_micros.len()), Some(60));
}

proptest! {
    #[test]
    fn however_messages_come_each_counts_once_and_in_order(
        numbers in prop::collection::vec(0_u64..12, 1..80)
    ) {
        let mut live = live(10);
        let mut taken = 0;
        for number in numbers {
            match live.place(number) {
                Place::Next => {
                    prop_assert_eq!(number, taken + 1);
                    taken = number;
                    live.take(moves(10), EventTime((100 + number as i64) * SECOND));
                }
                Place::Known => prop_assert!(number <= taken),
                Place::Gap { expected } => {
                    prop_assert!(number > taken + 1);
                    prop_assert_eq!(expected, taken + 1);
                }
            }
            prop_assert_eq!(live.acknowledged(), taken);
            prop_assert_eq!(live.parts().2.totals().moves, taken * 10);
        }
    }

    #[test]
    fn verdicts_of_one_level_are_never_closer_than_the_interval(
        steps in prop::collection::vec(0_i64..5_000_000, 1..60),
        interval_seconds in 1_i64..20,
    ) {
        let mut live = live(interval_seconds);
        prop_assert!(live.due(RiskLevel::Low));
        let (mut time, mut given) = (100 * SECOND, 100 * SECOND);
        for step in steps {
            time += step;
            live.take(moves(2), EventTime(time));
            let due = live.due(RiskLevel::Low);
            prop_assert_eq!(due, time - given >= interval_seconds * SECOND);
            given = if due { time } else { given };
        }
    }
}
