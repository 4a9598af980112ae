//! On which days a session began: what calendars are held against, and nothing more.
//!
//! A day is cut in three at 00:00, 08:00 and 16:00 UTC, so that a worker's own day can be put together wherever it
//! begins: in the Americas it runs from 08:00 UTC on, in Europe and Africa from 00:00, in East Asia from 16:00 the day
//! before. Thirteen months fit into 57 numbers of 21 bits.

use crate::event::EventTime;
use serde::{Deserialize, Serialize};

/// Most weeks kept: a year and four weeks, so that every yearly day is seen with the weeks around it.
pub const WEEKS_MAX: usize = 57;
const MICROS_PER_THIRD: i64 = 8 * 3_600 * 1_000_000;
const THIRDS_PER_WEEK: i64 = 21;
/// Every third of a week.
const WEEK_MASK: u32 = (1 << THIRDS_PER_WEEK) - 1;
/// Thirds from Monday, 29 December 1969, 00:00 UTC, to 1970.
const THIRDS_BEFORE_1970: i64 = 9;
/// Weeks that a time on the wire can lie in, years 1 to 9999.
const WEEKS: std::ops::RangeInclusive<i32> = -102_800..=419_000;

/// Where a place's days begin, in thirds of a day from 00:00 UTC: -1 (16:00 the day before), 0 or 1 (08:00).
pub type Phase = i8;
/// Every [`Phase`].
pub const PHASES: [Phase; 3] = [-1, 0, 1];

/// The phase whose border lies between ten in the evening and six in the morning at an offset, minutes east.
pub fn phase_of(offset_minutes: i32) -> Phase {
    // The border at third p is at p x 480 + offset, local minutes; two hours before midnight are early enough.
    let quiet = |phase: &Phase| (i32::from(*phase) * 480 + offset_minutes + 120).rem_euclid(1_440) < 480;
    PHASES.into_iter().find(quiet).unwrap_or(0)
}

/// Thirds of days on which sessions began, by week.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Attendance {
    /// Number of the first week in `weeks`, from 29 December 1969.
    first_week: i32,
    /// Bit `3 x day + third`, day 0 being Monday, both by UTC.
    ///
    /// INVARIANT: at most [`WEEKS_MAX`] entries of 21 bits; the first and the last are not 0.
    weeks: Vec<u32>,
}

/// Third of an instant, from 29 December 1969.
fn third_of(time: EventTime) -> i64 {
    time.0.div_euclid(MICROS_PER_THIRD) + THIRDS_BEFORE_1970
}

impl Attendance {
    /// Notes that a session began.
    pub fn note(&mut self, time: EventTime) {
        let third = third_of(time);
        let (week, bit) = (third.div_euclid(THIRDS_PER_WEEK) as i32, third.rem_euclid(THIRDS_PER_WEEK) as u32);
        let last = self.first_week.saturating_add(self.weeks.len() as i32 - 1);
        if self.weeks.is_empty() || week > last.saturating_add(WEEKS_MAX as i32 - 1) {
            *self = Self { first_week: week, weeks: vec![1 << bit] };
            return;
        }
        if week < self.first_week {
            // An event that comes late: it counts as long as nothing newer must go for it.
            let missing = (self.first_week - week) as usize;
            if missing + self.weeks.len() > WEEKS_MAX {
                return;
            }
            self.weeks.splice(0..0, std::iter::repeat_n(0, missing));
            self.first_week = week;
        }
        let index = (week - self.first_week) as usize;
        if index >= self.weeks.len() {
            self.weeks.resize(index + 1, 0);
        }
        self.weeks[index] |= 1 << bit;
        let over = self.weeks.len().saturating_sub(WEEKS_MAX);
        let empty = self.weeks[over..].iter().take_while(|week| **week == 0).count();
        self.weeks.drain(..over + empty);
        self.first_week += (over + empty) as i32;
    }

    /// Adds another worker's days, as when two accounts turn out to be one person's.
    pub fn merge(&mut self, other: &Attendance) {
        for (week, bits) in (other.first_week..).zip(&other.weeks) {
            for bit in (0..THIRDS_PER_WEEK).filter(|bit| bits & 1 << bit != 0) {
                let third = i64::from(week) * THIRDS_PER_WEEK + bit - THIRDS_BEFORE_1970;
                self.note(EventTime(third * MICROS_PER_THIRD));
            }
        }
    }

    /// Days by UTC on which sessions began, by week.
    pub fn days_by_week(&self) -> Vec<u8> {
        let days = |week: &u32| (0..7).filter(|day| week >> (3 * day) & 7 != 0).count() as u8;
        self.weeks.iter().map(days).collect()
    }

    /// Whether no session could have left this behind.
    pub fn unsound(&self) -> bool {
        let ends = [self.weeks.first(), self.weeks.last()];
        self.weeks.len() > WEEKS_MAX
            || self.weeks.iter().any(|week| week & !WEEK_MASK != 0)
            || ends.into_iter().flatten().any(|week| *week == 0)
            || !WEEKS.contains(&self.first_week)
    }

    /// The days of a place up to and without the day of `until`.
    pub fn days(&self, phase: Phase, until: EventTime) -> Days {
        let mut days =
            Days { first_day: i64::from(self.first_week) * 7, present: [0; WEEKS_MAX], known: [0; WEEKS_MAX] };
        let mut first = None;
        let today = (third_of(until) - i64::from(phase)).div_euclid(3) - days.first_day;
        for (index, bits) in self.weeks.iter().enumerate() {
            // The week with a third of its neighbours on either side, moved so that the place's Monday begins at bit 0.
            let before = index.checked_sub(1).map_or(0, |before| self.weeks[before]);
            let after = self.weeks.get(index + 1).copied().unwrap_or(0);
            let wide = u64::from(before) | u64::from(*bits) << 21 | u64::from(after) << 42;
            let own = wide >> (21 + phase);
            // A day is present when one of its thirds is: gathered into the lowest of the three, then drawn together.
            let lowest = (own | own >> 1 | own >> 2) & 0o111_1111;
            let present = (0..7).fold(0, |days, day| days | (lowest >> (2 * day)) as u8 & 1 << day);
            days.present[index] = present;
            if first.is_none() && present != 0 {
                first = Some(index as i64 * 7 + i64::from(present.trailing_zeros()));
            }
        }
        // What was before the first day seen, and what is to come, is not absence.
        let first = if self.weeks.len() == WEEKS_MAX { 0 } else { first.unwrap_or(i64::MAX) };
        for (index, known) in days.known.iter_mut().enumerate().take(WEEKS_MAX) {
            let monday = index as i64 * 7;
            let to = (today - monday).clamp(0, 7);
            let from = first.saturating_sub(monday).clamp(0, 7);
            *known = ((1_u16 << to) - 1) as u8 & !(((1_u16 << from) - 1) as u8);
            days.present[index] &= *known;
        }
        days
    }
}

/// Days on which a session began, by week and from Monday, as a place counts them.
#[derive(Debug, Clone, PartialEq)]
pub struct Days {
    /// Day of bit 0 of the first week, from 29 December 1969.
    pub first_day: i64,
    /// Bit by day of the week, Monday first.
    pub present: [u8; WEEKS_MAX],
    /// Days that are over, and not before the first.
    pub known: [u8; WEEKS_MAX],
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600 * 1_000_000;
    /// Monday, 2025-01-06 00:00 UTC.
    const MONDAY: i64 = 1_736_121_600_000_000;

    fn at(hours: i64) -> EventTime {
        EventTime(MONDAY + hours * HOUR)
    }

    #[test]
    fn days_begin_in_the_night_of_every_place() {
        let phases = [(-480, 1), (-300, 1), (-180, 1), (0, 0), (60, 0), (180, 0), (330, 0), (480, -1), (540, -1)];
        for (offset, phase) in phases {
            assert_eq!(phase_of(offset), phase, "{offset}");
        }
        for offset in (-720..=840).step_by(30) {
            let border = (i32::from(phase_of(offset)) * 480 + offset).rem_euclid(1_440);
            assert!(border >= 1_320 || border <= 360, "{offset}: {border}");
        }
    }

    #[test]
    fn a_session_counts_for_the_day_of_the_place() {
        let mut attendance = Attendance::default();
        // Tuesday 01:00 UTC: Monday evening in America, Tuesday morning in East Asia.
        attendance.note(at(25));
        let present = |phase| attendance.days(phase, at(24 * 10)).present[0];
        assert_eq!((present(1), present(0), present(-1)), (0b1, 0b10, 0b10));
        // Sunday 20:00 UTC is Monday of the week after in East Asia.
        attendance.note(at(7 * 24 - 4));
        attendance.note(at(8 * 24));
        assert_eq!(attendance.days(-1, at(24 * 20)).present[1] & 1, 1);
        assert_eq!(attendance.days(0, at(24 * 20)).present[0], 0b100_0010);
    }

    #[test]
    fn neither_the_past_before_the_first_day_nor_today_is_absence() {
        let mut attendance = Attendance::default();
        attendance.note(at(24 + 10));
        attendance.note(at(7 * 24 + 10));
        // Wednesday of the second week at noon.
        let days = attendance.days(0, at(9 * 24 + 12));
        assert_eq!((days.known[0], days.known[1], days.known[2]), (0b111_1110, 0b11, 0));
    }

    #[test]
    fn a_year_is_kept_and_a_late_event_finds_its_place() {
        let mut attendance = Attendance::default();
        for week in 0..200 {
            attendance.note(at(week * 168 + 10));
        }
        assert_eq!(attendance.weeks.len(), WEEKS_MAX);
        assert!(!attendance.unsound());
        let kept = attendance.clone();
        attendance.note(at(10));
        assert_eq!(attendance, kept, "too late to matter");
        attendance.note(at(190 * 168 + 34));
        assert_eq!(attendance.weeks.iter().map(|week| week.count_ones()).sum::<u32>(), WEEKS_MAX as u32 + 1);
        // Two years of silence end the past.
        attendance.note(at(400 * 168));
        assert_eq!(attendance.weeks.len(), 1);
        let mut early = Attendance::default();
        early.note(at(168 * 3));
        early.note(at(0));
        assert_eq!((early.weeks.len(), early.unsound()), (4, false));
        let mut merged = Attendance::default();
        merged.merge(&early);
        assert_eq!(merged, early);
    }

    #[test]
    fn any_time_can_be_noted() {
        for time in [-62_135_596_800_000_000, 0, 253_402_300_799_999_999] {
            let mut attendance = Attendance::default();
            attendance.note(EventTime(time));
            assert!(!attendance.unsound(), "{time}");
            attendance.note(EventTime(MONDAY));
            assert_eq!(attendance.days(0, EventTime(i64::MAX)).known.len(), WEEKS_MAX);
        }
    }
}
