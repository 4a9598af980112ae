//! Whose calendar: small cases by hand, and the rules for whom nothing may be held against.

use super::*;
use crate::evidence::timezone::attendance::phase_of;

const DAY: i64 = 86_400 * 1_000_000;
/// 2024-01-01, a Monday; day 19723 since 1970.
const FIRST: i64 = 19_723;
const NEW_YORK: i32 = -300;

fn claimed() -> &'static Region {
    Calendars::shipped().region("US").expect("a calendar")
}

/// A year of weekdays, begun at nine of the claimed place, without the days that `rested` names (days from 29
/// December 1969).
fn year(rested: impl Fn(i64, crate::evidence::timezone::calendars::Freedom) -> bool) -> Attendance {
    let mut attendance = Attendance::default();
    for number in FIRST..FIRST + 366 {
        let day = number + 3;
        // One weekday in twenty is off, and tells nothing.
        let off = day % 7 > 4 || number % 20 == 7;
        if !off && !rested(day, Calendars::shipped().freedom(day)) {
            attendance.note(EventTime(number * DAY + 14 * 3_600 * 1_000_000));
        }
    }
    attendance
}

fn heard(attendance: &Attendance) -> Heard {
    let until = EventTime((FIRST + 366) * DAY);
    hear(attendance, phase_of(NEW_YORK), claimed(), 0.0, until, &CalendarParameters::default())
        .expect("days to ask about")
}

/// The group of October's first days, by what the data say of 1 October 2024.
fn autumn_group() -> u64 {
    let freedom = Calendars::shipped().freedom(19_997 + 3).free & !claimed().own_group;
    1 << freedom.trailing_zeros()
}

#[test]
fn whoever_keeps_the_claimed_places_days_is_cleared_whatever_else_they_keep() {
    let keeps = heard(&year(|day, _| claimed().free(day) == Some(true)));
    assert!(keeps.log_odds < -0.3, "{keeps:?}");
    assert_eq!(keeps.claimed_worked_count, 0);
    // A faith or a family abroad on top: not a nat's hundredth more.
    let group = autumn_group();
    let both = heard(&year(|day, freedom| claimed().free(day) == Some(true) || freedom.free & group != 0));
    assert!((both.log_odds - keeps.log_odds).abs() < 0.05, "{both:?} {keeps:?}");
}

#[test]
fn work_through_all_free_days_is_no_calendar() {
    let works = heard(&year(|_, _| false));
    assert!(works.claimed_worked_count >= 4, "{works:?}");
    assert!(works.log_odds < 0.3, "{works:?}");
}

#[test]
fn another_calendar_instead_of_the_claimed_one_scores_and_stays_bounded() {
    let group = autumn_group();
    let elsewhere = heard(&year(|_, freedom| freedom.free & group != 0));
    assert!(elsewhere.log_odds > 0.8, "{elsewhere:?}");
    // ln((1 - .5) / .1)
    assert!(elsewhere.log_odds < 1.61);
    assert!(
        elsewhere.elsewhere_rested_count > 5
            && f64::from(elsewhere.claimed_worked_count) > elsewhere.claimed_worked_expected
    );
}

#[test]
fn both_questions_must_point_elsewhere() {
    assert_eq!(joined(3.0, 1.0), 2.0);
    assert_eq!(joined(1.0, 3.0), 2.0);
    assert_eq!(joined(3.0, -1.0), 0.0);
    assert_eq!(joined(-2.0, 5.0), -2.0);
    assert_eq!(joined(-2.0, -5.0), -2.0);
}

#[test]
fn a_feast_counts_once_however_many_days_it_has() {
    // The first days of October: seven in a row by law, five of them weekdays at most, some groups one.
    let calendars = Calendars::shipped();
    let group = autumn_group().trailing_zeros();
    let weights =
        (19_997..20_004).flat_map(|day| calendars.free_groups(day + 3)).filter(|own| u32::from(own.group) == group);
    let sum: f64 = weights.map(|own| f64::from(own.weight)).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
}

#[test]
fn a_few_weeks_and_an_empty_past_say_nothing() {
    let parameters = CalendarParameters::default();
    let mut attendance = Attendance::default();
    let until = EventTime((FIRST + 9) * DAY);
    assert_eq!(hear(&attendance, 1, claimed(), 0.0, until, &parameters), None);
    for number in FIRST + 1..FIRST + 9 {
        attendance.note(EventTime(number * DAY + 14 * 3_600 * 1_000_000));
    }
    assert_eq!(hear(&attendance, 1, claimed(), 0.0, until, &parameters), None);
}

#[test]
fn a_week_that_rests_on_other_days_counts_little() {
    // Sunday to Thursday against a claim of Monday to Friday.
    let mut attendance = Attendance::default();
    for number in FIRST..FIRST + 200 {
        if !matches!((number + 3) % 7, 4 | 5) {
            attendance.note(EventTime(number * DAY + 14 * 3_600 * 1_000_000));
        }
    }
    let seen = Seen::of(&attendance, 1, EventTime((FIRST + 200) * DAY));
    let parameters = CalendarParameters::default();
    let mut week = WeekOfRest::new(&seen, claimed().rest, &parameters);
    assert_eq!(week.against(0b011_0000), (0.5, 0.5), "both caps");
    assert_eq!(week.against(claimed().rest), (0.0, 0.0));
    assert_eq!(week.against(0b100_0000), (0.0, 0.0), "six days of work are no other week");
}

#[test]
fn numbers_out_of_range_are_named() {
    let parameters = CalendarParameters { irregular_share: f64::NAN, ..CalendarParameters::default() };
    assert!(parameters.check().is_err_and(|error| error.contains("irregular_share")));
    assert!(CalendarParameters::default().check().is_ok());
}
