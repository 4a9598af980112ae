//! The language of a `.story`: one line a step, in the words of the people in it.
//!
//! ```text
//! # prose for the reader
//! worker mara in Denver: line VPN in Boston
//! days 1-12 at 09:00: mara logs in
//!   | what the services answered; blessing writes these lines and no others
//! day 15 at 10:00 in London: mara is monitored with 6 pointer own hand, 4 pointer relayed
//! expect mara never flagged
//! ```
//!
//! Day 1 is Monday 2026-03-02. `days` leaves out weekends, `day` does not. Times are by the claim unless a city is
//! named.

use super::samples::{City, Kinds};
use jiff::{Timestamp, civil, tz::TimeZone};

/// What a line starts with that the services wrote.
pub const ANSWER: &str = "  | ";

/// One line of a story.
pub enum Line {
    /// For the reader only.
    Prose,
    Worker(String, City, Kinds),
    Step(When, Action),
    /// Asserted, whatever is blessed.
    Expect(String),
}

/// The days and times of a step.
#[derive(Clone)]
pub struct When {
    days: Vec<i64>,
    times: Vec<(i8, i8)>,
    city: Option<City>,
}

impl When {
    /// All instants, seconds since 1970, with their day.
    pub fn instants(&self, home: City) -> Vec<(i64, i64)> {
        let zone = TimeZone::get(self.city.unwrap_or(home).zone).expect("a zone");
        let at = |day: i64, time: &(i8, i8)| {
            let date = civil::date(2026, 3, 1).saturating_add(jiff::Span::new().days(day));
            date.at(time.0, time.1, 0, 0).to_zoned(zone.clone()).expect("a time").timestamp().as_second()
        };
        self.days.iter().flat_map(|day| self.times.iter().map(move |time| (at(*day, time), *day))).collect()
    }
}

/// What somebody does.
pub enum Action {
    /// Who, and what differs from their usual sessions.
    LogIn(Vec<String>, String),
    /// Who, and pointer samples in order: whether relayed.
    Monitor(String, Vec<bool>),
    /// A method and its words.
    Call(String, String),
}

/// Minutes east of Greenwich.
pub fn offset_minutes(zone: &str, seconds: i64) -> i32 {
    let zone = TimeZone::get(zone).expect("a zone");
    zone.to_offset(Timestamp::from_second(seconds).expect("an instant")).seconds() / 60
}

/// Names in a list of words.
pub fn names(words: &str) -> Vec<String> {
    let words = words.split([' ', ',']).filter(|word| !word.is_empty() && *word != "and");
    words.map(String::from).collect()
}

/// Reads one line.
pub fn read(line: &str) -> Result<Line, String> {
    if line.trim().is_empty() || line.starts_with('#') {
        return Ok(Line::Prose);
    }
    if let Some(expected) = line.strip_prefix("expect ") {
        return Ok(Line::Expect(expected.into()));
    }
    if let Some(worker) = line.strip_prefix("worker ") {
        let (who, kinds) = worker.split_once(": ").unwrap_or((worker, ""));
        let (name, city) = who.split_once(" in ").ok_or("say `worker NAME in CITY`")?;
        let city = City::named(city)?;
        let usual = Kinds::of(name, city);
        let usual = if kinds.is_empty() { usual } else { usual.but(kinds)? };
        return Ok(Line::Worker(name.into(), city, usual));
    }
    let (when, what) = line.split_once(": ").ok_or("say `day 1 at 09:00: …`")?;
    Ok(Line::Step(read_when(when)?, read_action(what)?))
}

fn read_when(text: &str) -> Result<When, String> {
    let (days, rest) = text.split_once(" at ").ok_or("say `at HH:MM`")?;
    let (times, city) = rest.split_once(" in ").map_or((rest, None), |(times, city)| (times, Some(city)));
    let number = |text: &str| text.parse::<i64>().map_err(|_| format!("{text:?} is no day"));
    let days = match days.split_once(' ') {
        Some(("day", day)) => vec![number(day)?],
        Some(("days", span)) => {
            let (first, last) = span.split_once('-').ok_or("say `days 1-5`")?;
            (number(first)?..=number(last)?).filter(|day| (day - 1) % 7 < 5).collect()
        }
        _ => return Err(format!("{days:?}: say `day 1` or `days 1-5`")),
    };
    let time = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        Some((hour.parse().ok()?, minute.parse().ok()?))
    };
    let times = names(times).into_iter().map(|text| time(&text).ok_or_else(|| format!("{text:?} is no time")));
    Ok(When { days, times: times.collect::<Result<_, _>>()?, city: city.map(City::named).transpose()? })
}

fn read_action(text: &str) -> Result<Action, String> {
    for verb in [" logs in", " log in"] {
        if let Some((who, kinds)) = text.split_once(verb) {
            return Ok(Action::LogIn(names(who), kinds.trim_start_matches(" with ").into()));
        }
    }
    if let Some((who, chunks)) = text.split_once(" is monitored with ") {
        let mut relayed = Vec::new();
        for chunk in chunks.split(", ") {
            let (count, kind) = chunk.split_once(' ').ok_or("say `6 pointer own hand`")?;
            let count = count.parse::<usize>().map_err(|_| format!("{count:?} is no number"))?;
            match kind {
                "pointer own hand" => relayed.extend(vec![false; count]),
                "pointer relayed" => relayed.extend(vec![true; count]),
                _ => return Err(format!("no chunks of {kind:?}")),
            }
        }
        return Ok(Action::Monitor(who.into(), relayed));
    }
    let (method, words) = text.split_once(' ').unwrap_or((text, ""));
    Ok(Action::Call(method.into(), words.into()))
}
