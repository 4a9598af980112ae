//! Days of rest to a likelihood ratio: whose calendar a worker keeps, the claimed place's or another.
//!
//! Two questions are asked of every day that somebody has free by law and that the worker might have worked. *Was work
//! begun on a day the claimed place has free?* and *was there none on a day that a calendar group has free and the
//! claimed place has not?* Each day is held against the same day of the week in the four weeks before and after it.
//! The weekly days of rest are two more such questions, and whether starts moved with the claimed zone's clocks breaks
//! ties.
//!
//! **A day of rest alone is nobody's business.** Whoever rests on the feasts of another part of the world and keeps
//! the claimed place's days too has a faith or a family, and no risk: nobody asks the second question then. The score
//! rises only as far as *both* answers point elsewhere, by twice the smaller, and falls by the claimed place's days
//! alone. One feast counts once however many days it has. What is kept is the worker's days ([`super::attendance`]),
//! never a calendar; which group fits best is not told.
//!
//! Worked example: of four days free in the claimed place, three were worked by somebody who works nine such weekdays
//! in ten: 3 x ln(.9 / .3) + ln((1 - .81) / (1 - .27)) = 3.30 - 1.35 = 1.95 nats. A group's feast of five days was
//! rested throughout: the mean of its days, ln((1 - .27) / (1 - .81)) = 1.35 nats. Both point elsewhere:
//! 2 x min(1.95, 1.35) = 2.70, before all groups are averaged, calibrated and bounded.

mod parameters;

use super::attendance::{Attendance, Days, PHASES, Phase, WEEKS_MAX};
use super::calendars::{Calendars, FreeGroup, GROUPS_MAX, Region};
use crate::event::EventTime;
pub use parameters::CalendarParameters;

/// Weeks before and after a day that say what is usual.
const WEEKS_AROUND: usize = 4;
/// Fewest of them that say anything.
const WEEKS_AROUND_MIN: u8 = 3;
/// Weeks that all weeks count for beside those around a day.
const EVER_WEIGHT: f64 = 3.0;
/// Fewest working days seen before weekly days of rest are asked about.
const WORKING_DAYS_MIN: u32 = 16;

/// Whose free day it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreeIn {
    /// The claimed place, and not in groups other than these (bits).
    Claim(u64),
    /// These groups (bits), and not the claimed place.
    Groups(u64),
}

/// One day that somebody had free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedDay {
    /// From 29 December 1969.
    pub day: i64,
    /// Who.
    pub free_in: FreeIn,
    /// Whether a session began.
    pub present: bool,
    /// On how many of the same days around it one did.
    pub around_present: u8,
    /// How many of those there are.
    pub around: u8,
    /// On how many of all same days known, this one left out, one did.
    pub ever_present: u8,
    /// How many of those there are.
    pub ever: u8,
}

impl AskedDay {
    /// The chance that a session begins on an ordinary such day, before any rate of free days: the weeks around it,
    /// drawn towards all weeks as if these were [`EVER_WEIGHT`] more.
    pub fn usual(&self) -> f64 {
        let ever = (f64::from(self.ever_present) + 0.5) / (f64::from(self.ever) + 1.0);
        let around = f64::from(self.around_present) + EVER_WEIGHT * ever;
        (around / (f64::from(self.around) + EVER_WEIGHT)).clamp(0.02, 0.95)
    }
}

/// A byte of 1 for each day of the week that is set, by the seven bits of the days.
const SPREAD: [u64; 128] = {
    let mut table = [0; 128];
    let mut days = 0;
    while days < 128 {
        let mut day = 0;
        while day < 7 {
            table[days] |= ((days as u64 >> day) & 1) << (8 * day);
            day += 1;
        }
        days += 1;
    }
    table
};

/// Running counts of days by day of the week, up to and without each week.
fn running(weeks: &[u8; WEEKS_MAX]) -> [u64; WEEKS_MAX + 1] {
    let mut sums = [0; WEEKS_MAX + 1];
    for (index, days) in weeks.iter().enumerate() {
        // A byte counts to WEEKS_MAX, which fits.
        sums[index + 1] = sums[index] + SPREAD[usize::from(*days & 0x7f)];
    }
    sums
}

/// Days of one phase with the counts around each.
struct Seen {
    days: Days,
    present: [u64; WEEKS_MAX + 1],
    known: [u64; WEEKS_MAX + 1],
}

impl Seen {
    fn of(attendance: &Attendance, phase: Phase, time: EventTime) -> Self {
        let days = attendance.days(phase, time);
        Self { present: running(&days.present), known: running(&days.known), days }
    }

    /// The day beside the same day of the weeks around it; `None` when these say too little.
    fn ask(&self, week: usize, weekday: usize, free_in: FreeIn) -> Option<AskedDay> {
        let bit = 1 << weekday;
        if self.days.known[week] & bit == 0 {
            return None;
        }
        let (from, to) = (week.saturating_sub(WEEKS_AROUND), (week + 1 + WEEKS_AROUND).min(WEEKS_MAX));
        let count = |sums: &[u64; WEEKS_MAX + 1]| ((sums[to] - sums[from]) >> (8 * weekday)) as u8;
        let present = self.days.present[week] & bit != 0;
        let around = count(&self.known) - 1;
        let around_present = count(&self.present) - u8::from(present);
        let day = self.days.first_day + (week * 7 + weekday) as i64;
        let telling = around >= WEEKS_AROUND_MIN && around_present > 0;
        let total = |sums: &[u64; WEEKS_MAX + 1]| (sums[WEEKS_MAX] >> (8 * weekday)) as u8;
        let (ever, ever_present) = (total(&self.known) - 1, total(&self.present) - u8::from(present));
        telling.then_some(AskedDay { day, free_in, present, around_present, around, ever_present, ever })
    }
}

/// Shows `tell` every day that the claimed place had free, by rising day. With [`ask_elsewhere`] the one road to a day,
/// for serving and training alike.
fn ask_claimed(seen: &Seen, claimed: &Region, tell: &mut impl FnMut(AskedDay)) {
    let (calendars, monday) = (Calendars::shipped(), seen.days.first_day);
    for (day, all) in claimed.free_from(monday).take_while(|(day, _)| *day < monday + 7 * WEEKS_MAX as i64) {
        let (week, weekday) = ((day - monday) as usize / 7, (day - monday) as usize % 7);
        if all && claimed.rest & 1 << weekday == 0 {
            let freedom = calendars.freedom(day);
            seen.ask(week, weekday, FreeIn::Claim(freedom.free | freedom.perhaps)).map(&mut *tell);
        }
    }
}

/// Shows `tell` every day that groups had free and the claimed place had not, by rising day, with all groups free then.
fn ask_elsewhere(seen: &[Seen; 3], claimed: &Region, tell: &mut impl FnMut(AskedDay, &[FreeGroup])) {
    let calendars = Calendars::shipped();
    let others = !claimed.own_group;
    let monday = seen[0].days.first_day;
    let mut free_days = claimed.free_from(monday).peekable();
    for week in 0..WEEKS_MAX {
        if seen.iter().all(|seen| seen.days.known[week] == 0) {
            continue;
        }
        for weekday in (0..7).filter(|weekday| claimed.rest & 1 << weekday == 0) {
            let day = monday + (week * 7 + weekday) as i64;
            while free_days.peek().is_some_and(|(free, _)| *free < day) {
                free_days.next();
            }
            let free = calendars.freedom(day).free & others;
            if free == 0 || free_days.peek().is_some_and(|(claimed, _)| *claimed == day) {
                continue;
            }
            let all = calendars.free_groups(day);
            for (seen, of_phase) in seen.iter().zip(calendars.by_phase) {
                if free & of_phase != 0
                    && let Some(asked) = seen.ask(week, weekday, FreeIn::Groups(free & of_phase))
                {
                    tell(asked, all);
                }
            }
        }
    }
}

/// Every day that the claimed place had free, then every day that a group had, up to and without the day of `time`.
pub fn asked_days(attendance: &Attendance, phase: Phase, claimed: &Region, time: EventTime) -> Vec<AskedDay> {
    let mut list = Vec::new();
    ask_claimed(&Seen::of(attendance, phase, time), claimed, &mut |day| list.push(day));
    let seen = PHASES.map(|phase| Seen::of(attendance, phase, time));
    ask_elsewhere(&seen, claimed, &mut |day, _| list.push(day));
    list
}

/// Weekly days of rest: how often sessions begin on some days of the week, of how often on others, both by count of
/// days known; `None` before [`WORKING_DAYS_MIN`] of the latter had a session.
pub fn relative_rate(
    attendance: &Attendance,
    phase: Phase,
    time: EventTime,
    days: u8,
    beside: u8,
) -> Option<(f64, f64)> {
    relative(&Seen::of(attendance, phase, time), days, beside)
}

fn relative(seen: &Seen, days: u8, beside: u8) -> Option<(f64, f64)> {
    let sum = |sums: &[u64; WEEKS_MAX + 1], of: u8| -> u32 {
        let total = sums[WEEKS_MAX];
        (0..7).filter(|day| of & 1 << day != 0).map(|day| (total >> (8 * day)) as u8).map(u32::from).sum()
    };
    let (worked, known) = (sum(&seen.present, beside), sum(&seen.known, beside));
    let (own, own_known) = (sum(&seen.present, days), sum(&seen.known, days));
    if worked < WORKING_DAYS_MIN || own_known == 0 {
        return None;
    }
    let usual = f64::from(worked) / f64::from(known);
    // Variance of the ratio by the days counted.
    let variance = (1.0 - usual).max(0.1) / (usual * f64::from(own_known));
    Some((f64::from(own) / f64::from(own_known) / usual, variance))
}

/// What calendars say of a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Heard {
    /// Log-likelihood ratio, "another place's calendar" against "the claimed place's", nats, calibrated and bounded.
    pub log_odds: f64,
    /// The same before calibration and bounds, clocks left out: what is fitted.
    pub bare: f64,
    /// What the clocks add, nats, bounded.
    pub clocks_log_odds: f64,
    /// Free days of the claimed place that could be asked about.
    pub claimed_free_count: u32,
    /// Of these, how many were worked.
    pub claimed_worked_count: u32,
    /// How many would be, by the worker's own usual rates, of somebody who keeps them: mean.
    pub claimed_worked_expected: f64,
    /// Free days of the group that fits best. Which group is not told.
    pub elsewhere_free_count: u32,
    /// Of these, how many were rested.
    pub elsewhere_rested_count: u32,
}

/// Sums by group while days are asked.
#[derive(Clone, Copy, Default)]
struct Group {
    /// Nats of days free in the claimed place and not in this group.
    claimed: f64,
    /// Nats of its own feasts, of each the mean over its days.
    elsewhere: f64,
    free: u16,
    rested: u16,
}

/// Both questions together: upwards only as far as both point elsewhere, downwards by the claimed place's days alone.
///
/// INVARIANT: what somebody does on days free elsewhere moves nothing while they keep the claimed place's days.
fn joined(claimed: f64, elsewhere: f64) -> f64 {
    if claimed > 0.0 { 2.0 * claimed.min(elsewhere.max(0.0)) } else { claimed }
}

/// Nats of a day of the week that a calendar has for rest and the other for work, from the worker's rate on it.
fn rest_log_odds(rate: Option<(f64, f64)>, parameters: &CalendarParameters) -> f64 {
    let Some((rate, variance)) = rate else { return 0.0 };
    let variance = variance + parameters.rest_spread.powi(2);
    let miss = |mean: f64| (rate - mean).powi(2) / (2.0 * variance);
    // Worked rather than rested.
    let log_odds = miss(parameters.rest_rate) - miss(parameters.work_rate);
    log_odds.clamp(-parameters.rest_log_odds_max, parameters.rest_log_odds_max)
}

/// Holds a worker's days against the claimed place's calendar and the others. `clock_log_odds` is the tie-break of
/// [`super::change::clock_change`]. `None` when there was no day to ask about.
pub fn hear(
    attendance: &Attendance,
    phase: Phase,
    claimed: &Region,
    clock_log_odds: f64,
    time: EventTime,
    parameters: &CalendarParameters,
) -> Option<Heard> {
    let calendars = Calendars::shipped();
    let mut groups = [Group::default(); GROUPS_MAX];
    let mut heard = Heard::default();
    let mut claimed_log_odds = 0.0;
    let (free_rate, usual_rate) = (parameters.free_rate, parameters.usual_rate);
    // Present on one's free day is rare, and absent common: both ratios are of "worked as usual" against "kept".
    let worked = (usual_rate / free_rate).ln();
    let log_odds_of = |day: &AskedDay| {
        let usual = day.usual();
        if day.present { worked } else { ((1.0 - usual_rate * usual) / (1.0 - free_rate * usual)).ln() }
    };
    let own = Seen::of(attendance, phase, time);
    ask_claimed(&own, claimed, &mut |day| {
        let log_odds = log_odds_of(&day);
        heard.claimed_free_count += 1;
        heard.claimed_worked_count += u32::from(day.present);
        heard.claimed_worked_expected += free_rate * day.usual();
        claimed_log_odds += log_odds;
        if let FreeIn::Claim(unless) = day.free_in {
            each(unless, |group| groups[group].claimed -= log_odds);
        }
    });
    if heard.claimed_free_count == 0 && clock_log_odds == 0.0 {
        return None;
    }
    let mut week = WeekOfRest::new(&own, claimed.rest, parameters);
    let others = |index: &usize| claimed.own_group & 1 << index == 0;
    let mut contradicted = false;
    for index in (0..calendars.group_count).filter(others) {
        let (worked, rested) = week.against(calendars.rest[index]);
        let group = &mut groups[index];
        group.claimed += claimed_log_odds + worked;
        group.elsewhere = rested;
        contradicted |= group.claimed > 0.0;
    }
    // Where the claimed place's days are kept, nobody asks about others.
    if contradicted {
        ask_elsewhere(&PHASES.map(|phase| Seen::of(attendance, phase, time)), claimed, &mut |day, free| {
            let FreeIn::Groups(of) = day.free_in else { return };
            let log_odds = log_odds_of(&day);
            for own in free.iter().filter(|own| of & 1 << own.group != 0) {
                let group = &mut groups[usize::from(own.group)];
                group.elsewhere -= f64::from(own.weight) * log_odds;
                group.free += 1;
                group.rested += u16::from(!day.present);
            }
        });
    }
    let (mut sum, mut count, mut best) = (0.0, 0.0, f64::MIN);
    for group in (0..calendars.group_count).filter(others).map(|index| &groups[index]) {
        let log_odds = parameters.score_slope * joined(group.claimed, group.elsewhere);
        count += 1.0;
        sum += log_odds.exp();
        if log_odds > best {
            best = log_odds;
            (heard.elsewhere_free_count, heard.elsewhere_rested_count) = (group.free.into(), group.rested.into());
        }
    }
    if count == 0.0 {
        return None;
    }
    // No part of the world is presumed: all groups weigh the same.
    heard.bare = f64::ln(sum / count);
    let most = parameters.clock_log_odds_max;
    heard.clocks_log_odds = (parameters.clock_slope * clock_log_odds).clamp(-most, most);
    let ratio = heard.bare + heard.clocks_log_odds;
    heard.log_odds = super::rhythm::bounded(ratio, parameters.adapted_share, parameters.irregular_share);
    Some(heard)
}

fn each(mut bits: u64, mut tell: impl FnMut(usize)) {
    while bits != 0 {
        let index = bits.trailing_zeros() as usize;
        // Bits stand for groups, of which there are at most as many as bits.
        tell(index);
        bits &= bits - 1;
    }
}

/// Weekly days of rest of the claimed place beside those of a group.
struct WeekOfRest<'a> {
    seen: &'a Seen,
    claimed: u8,
    parameters: &'a CalendarParameters,
    /// The last answers, by the group's days of rest: there are few kinds of weeks.
    known: [(u8, (f64, f64)); 3],
}

impl<'a> WeekOfRest<'a> {
    fn new(seen: &'a Seen, claimed: u8, parameters: &'a CalendarParameters) -> Self {
        Self { seen, claimed, parameters, known: [(claimed, (0.0, 0.0)); 3] }
    }

    /// Nats of work on the claimed place's days of rest, and of rest on the group's; 0 where both rest alike.
    fn against(&mut self, group: u8) -> (f64, f64) {
        if let Some((_, answer)) = self.known.iter().find(|(days, _)| *days == group) {
            return *answer;
        }
        let answer = self.ask(group);
        self.known.rotate_right(1);
        self.known[0] = (group, answer);
        answer
    }

    fn ask(&self, group: u8) -> (f64, f64) {
        let (only_claimed, only_group) = (self.claimed & !group, group & !self.claimed);
        // One more or one fewer day of rest is no other week: a day must have moved.
        if only_claimed == 0 || only_group == 0 {
            return (0.0, 0.0);
        }
        let working = !(self.claimed | group) & 0x7f;
        let worked = rest_log_odds(relative(self.seen, only_claimed, working), self.parameters);
        let rested = -rest_log_odds(relative(self.seen, only_group, working), self.parameters);
        (worked, rested)
    }
}

#[cfg(test)]
mod tests;
