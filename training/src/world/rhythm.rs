//! When a person works: starts about nine of the zone they live by, a meal, days of rest and holidays of a calendar.
//!
//! Worked example: an operator who lives by UTC+8 and starts at nine signs in at 01:00 UTC, which is 20:00 of the day
//! before in New York, and 21:00 after the American clocks have changed.

use super::chance::{Chance, derive, share_of};
use super::parameters::Day;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

/// Whose holidays a person keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calendar {
    /// Federal holidays of the United States, and the Friday after Thanksgiving.
    UnitedStates,
    /// National holidays of China.
    China,
    /// National holidays of North Korea.
    NorthKorea,
}

/// First day of the lunar year, 2020 to 2032.
const LUNAR_NEW_YEAR: [(i16, i8, i8); 13] = [
    (2020, 1, 25),
    (2021, 2, 12),
    (2022, 2, 1),
    (2023, 1, 22),
    (2024, 2, 10),
    (2025, 1, 29),
    (2026, 2, 17),
    (2027, 2, 6),
    (2028, 1, 26),
    (2029, 2, 13),
    (2030, 2, 3),
    (2031, 1, 23),
    (2032, 2, 11),
];

impl Calendar {
    /// Whether `date` is a holiday.
    pub fn rests(self, date: Date) -> bool {
        let (month, day) = (date.month(), date.day());
        // Days into the lunar year; 0 is its first.
        let lunar = LUNAR_NEW_YEAR
            .iter()
            .filter_map(|(y, m, d)| Date::new(*y, *m, *d).ok())
            .filter_map(|first| date.since(first).ok())
            .map(|span| span.get_days())
            .find(|days| (-1..7).contains(days));
        match self {
            Self::UnitedStates => {
                let nth = (day - 1) / 7 + 1;
                let last_week = day + 7 > date.days_in_month();
                match (month, date.weekday()) {
                    (1 | 2, Weekday::Monday) if nth == 3 => true,
                    (5, Weekday::Monday) if last_week => true,
                    (9, Weekday::Monday) if nth == 1 => true,
                    (11, Weekday::Thursday) if nth == 4 => true,
                    (11, Weekday::Friday) if (day - 2) / 7 + 1 == 4 && day > 1 => true,
                    _ => matches!((month, day), (1, 1) | (6, 19) | (7, 4) | (12, 25)),
                }
            }
            Self::China => lunar.is_some() || matches!((month, day), (1, 1) | (4, 4..=6) | (5, 1..=3) | (10, 1..=7)),
            Self::NorthKorea => {
                lunar.is_some_and(|days| (0..3).contains(&days))
                    || matches!((month, day), (1, 1) | (2, 16) | (4, 15..=16) | (5, 1) | (9, 9) | (10, 10))
            }
        }
    }
}

/// A turn in a day that one operator divides among several identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The operator's, so that the turns of one day agree.
    pub seed: u64,
    /// Which turn.
    pub index: u32,
    /// How many.
    pub count: u32,
}

/// A person's week.
#[derive(Debug, Clone, PartialEq)]
pub struct Rhythm {
    /// When the day starts, minutes after midnight of the zone lived by.
    pub start_minutes: f64,
    /// How much the start varies from day to day, minutes.
    pub start_sd_minutes: f64,
    /// Length of the day, hours.
    pub hours: f64,
    /// Chance to work on a Saturday.
    pub saturday: f64,
    /// Chance to work on a Sunday.
    pub sunday: f64,
    /// Whose holidays are kept.
    pub calendar: Calendar,
    /// Share of sessions at an hour of the night.
    pub night_share: f64,
    /// Turn among several identities.
    pub turn: Option<Turn>,
    /// Factor on how many events a day brings.
    pub busy: f64,
}

/// How many events a working day brings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Logins beyond the first, mean; at most three.
    pub further_logins: f64,
    /// Events inside sessions, mean.
    pub in_session: f64,
}

/// One event to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// When, microseconds since 1970.
    pub time_micros: i64,
    /// Whether it is a login.
    pub login: bool,
    /// How long the person was active up to it, seconds.
    pub active_seconds: u32,
}

impl Rhythm {
    /// The working week of somebody who lives where they say.
    pub fn ordinary(chance: &mut Chance) -> Self {
        Self {
            start_minutes: chance.normal(540.0, 40.0),
            start_sd_minutes: chance.uniform(10.0, 30.0),
            hours: chance.normal(8.5, 0.6).clamp(6.5, 10.5),
            saturday: 0.05,
            sunday: 0.05,
            calendar: Calendar::UnitedStates,
            night_share: 0.0,
            turn: None,
            busy: 1.0,
        }
    }

    /// The week of somebody as the world's file has people: less punctual, some at half time.
    pub fn usual(day: &Day, chance: &mut Chance) -> Self {
        let part_time = chance.happens(day.part_time_share);
        let start_minutes = day.start_minutes.draw(chance).clamp(330.0, 780.0);
        let hours = day.hours.draw(chance).clamp(6.0, 11.5);
        Self {
            start_minutes: start_minutes + if part_time && chance.happens(0.4) { 240.0 } else { 0.0 },
            start_sd_minutes: day.start_sd_minutes.draw(chance).clamp(5.0, 150.0),
            hours: if part_time { hours * 0.5 } else { hours },
            saturday: chance.uniform(0.0, 0.12),
            sunday: chance.uniform(0.0, 0.12),
            ..Self::ordinary(chance)
        }
    }

    /// Whether the person works on `date`.
    pub fn works(&self, date: Date, chance: &mut Chance) -> bool {
        let share = match date.weekday() {
            Weekday::Saturday => self.saturday,
            Weekday::Sunday => self.sunday,
            _ => 0.96,
        };
        let share = if self.calendar.rests(date) { 0.06 * share } else { share };
        match self.turn {
            // One operator's identities rest together.
            Some(turn) => share_of(derive(turn.seed, 1, day_key(date))) < share,
            None => chance.happens(share),
        }
    }

    /// The events of a working day that starts on `date` of `zone`, in order.
    pub fn day(&self, zone: &TimeZone, date: Date, pace: Pace, chance: &mut Chance) -> Vec<Moment> {
        let (start, length) = match self.turn {
            Some(turn) => {
                let shift = (share_of(derive(turn.seed, 2, day_key(date))) - 0.5) * 2.0 * self.start_sd_minutes;
                let each = (self.hours * 60.0 / f64::from(turn.count)).min(180.0);
                (self.start_minutes + shift + each * f64::from(turn.index), each * 0.85)
            }
            None => (chance.normal(self.start_minutes, self.start_sd_minutes), self.hours * 60.0),
        };
        let meal = start + length * chance.uniform(0.40, 0.52);
        let mut minutes = vec![(start, true)];
        for _ in 0..chance.poisson(pace.further_logins * self.busy).min(3) {
            // After the meal, or whenever a session has run out.
            let at = if chance.happens(0.5) {
                meal + 45.0 + chance.exponential(12.0)
            } else {
                start + length * chance.uniform(0.1, 1.0)
            };
            minutes.push((at, true));
        }
        for _ in 0..chance.poisson(pace.in_session * self.busy).min(12) {
            minutes.push((start + length * chance.uniform(0.05, 1.0), false));
        }
        for (index, entry) in minutes.iter_mut().enumerate() {
            let at = &mut entry.0;
            if *at > meal && *at < meal + 40.0 {
                *at += 42.0;
            }
            if self.turn.is_some() {
                *at = at.min(start + length);
            }
            if index > 0 && self.night_share > 0.0 && chance.happens(self.night_share) {
                *at = chance.uniform(22.0 * 60.0, 30.0 * 60.0);
            }
        }
        minutes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut before = f64::NEG_INFINITY;
        let mut moments = Vec::with_capacity(minutes.len());
        for (at, login) in minutes {
            // Two events of one person are at least four minutes apart, and an active stretch reaches no further
            // back than the event before.
            let at = at.max(before + 4.0);
            let active_minutes = if login { chance.uniform(0.4, 1.5) } else { chance.uniform(8.0, 40.0) };
            let active_minutes = active_minutes.min(at - before - 0.5);
            let time_micros = instant(zone, date, at);
            moments.push(Moment { time_micros, login, active_seconds: (active_minutes * 60.0) as u32 });
            before = at;
        }
        moments
    }
}

fn day_key(date: Date) -> u64 {
    date.year() as u64 * 512 + date.day_of_year() as u64
}

/// The instant `minutes` after midnight on the wall clock of `zone`; minutes may lie outside the day.
pub fn instant(zone: &TimeZone, date: Date, minutes: f64) -> i64 {
    let whole_days = (minutes / 1440.0).floor();
    let of_day = ((minutes - whole_days * 1440.0) * 60.0e6) as i64;
    let date = date.saturating_add(jiff::Span::new().days(whole_days as i64));
    let midnight = date.at(0, 0, 0, 0);
    let clock = midnight.saturating_add(jiff::Span::new().microseconds(of_day));
    zone.to_ambiguous_timestamp(clock).compatible().map_or(0, |stamp| stamp.as_microsecond())
}

/// The zone of an IANA name; UTC for a name that is not one.
pub fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// The date on which `time_micros` falls in UTC.
pub fn date_of(time_micros: i64) -> Date {
    jiff::Timestamp::from_microsecond(time_micros)
        .map(|stamp| TimeZone::UTC.to_datetime(stamp).date())
        .unwrap_or_default()
}

/// Offset of a zone at an instant, minutes east.
pub fn offset_minutes(zone: &TimeZone, time_micros: i64) -> i32 {
    jiff::Timestamp::from_microsecond(time_micros).map_or(0, |stamp| zone.to_offset(stamp).seconds() / 60)
}

/// Moments in \[from, to\] at which input froze, for a relay or machine of `seed` that freezes once in `mean_hours`.
/// A function of the seed alone: everything behind one relay freezes at the same moments.
pub fn stalls(seed: u64, mean_hours: f64, from_micros: i64, to_micros: i64) -> Vec<i64> {
    const BUCKET_MICROS: i64 = 600_000_000;
    let share = 1.0 / (mean_hours * 6.0);
    (from_micros.div_euclid(BUCKET_MICROS)..=to_micros.div_euclid(BUCKET_MICROS))
        .filter(|bucket| share_of(derive(seed, 3, *bucket as u64)) < share)
        .map(|bucket| bucket * BUCKET_MICROS + (share_of(derive(seed, 4, bucket as u64)) * BUCKET_MICROS as f64) as i64)
        .filter(|at| (from_micros..=to_micros).contains(at))
        .take(16)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i16, month: i8, day: i8) -> Date {
        Date::new(year, month, day).unwrap_or_default()
    }

    #[test]
    fn american_holidays_of_2026_are_kept() {
        let rests: Vec<Date> = (0..365)
            .map(|d| date(2026, 1, 1).saturating_add(jiff::Span::new().days(d)))
            .filter(|d| Calendar::UnitedStates.rests(*d))
            .collect();
        let expected = [(1, 1), (1, 19), (2, 16), (5, 25), (6, 19), (7, 4), (9, 7), (11, 26), (11, 27), (12, 25)];
        assert_eq!(rests, expected.map(|(m, d)| date(2026, m, d)));
    }

    #[test]
    fn nine_in_new_york_is_two_in_the_afternoon_utc_and_one_after_the_clocks_change() {
        let zone = zone("America/New_York");
        let hour = |at: i64| at / 3_600_000_000 % 24;
        assert_eq!(hour(instant(&zone, date(2026, 3, 6), 540.0)), 14);
        assert_eq!(hour(instant(&zone, date(2026, 3, 9), 540.0)), 13);
    }

    #[test]
    fn the_turns_of_one_operator_never_overlap() {
        let mut chance = Chance::new(8);
        let zone = zone("Asia/Shanghai");
        let rhythm =
            |index| Rhythm { turn: Some(Turn { seed: 5, index, count: 3 }), ..Rhythm::ordinary(&mut Chance::new(1)) };
        let pace = Pace { further_logins: 1.0, in_session: 3.0 };
        for day in 1..28 {
            let ends: Vec<(i64, i64)> = (0..3)
                .map(|index| {
                    let moments = rhythm(index).day(&zone, date(2026, 3, day), pace, &mut chance);
                    (moments[0].time_micros, moments[moments.len() - 1].time_micros)
                })
                .collect();
            assert!(ends[0].1 < ends[1].0 && ends[1].1 < ends[2].0, "{ends:?}");
        }
    }

    #[test]
    fn machines_behind_one_relay_freeze_together() {
        let day = 86_400_000_000;
        assert_eq!(stalls(4, 2.0, 0, 20 * day), stalls(4, 2.0, 0, 20 * day));
        assert!(!stalls(4, 2.0, 0, 20 * day).is_empty());
        assert_ne!(stalls(4, 2.0, 0, 20 * day), stalls(5, 2.0, 0, 20 * day));
    }
}
