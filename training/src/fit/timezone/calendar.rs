//! How often people work on days they have free, and what that makes of days rested and worked, from commit times.
//!
//! Where an author lives is known by offset only, so each offset stands for the place most of its authors can be
//! thought to live in, and whoever lives elsewhere under the same sun is noise: the rates are too mild rather than too
//! sharp. Only rates over hundreds of authors leave this file.

use crate::corpus::rhythm::Author;
use elsewhere::event::EventTime;
use elsewhere::evidence::timezone::attendance::{Attendance, Phase, phase_of};
use elsewhere::evidence::timezone::calendar::{
    self as serving, AskedDay, CalendarParameters, FreeIn, asked_days, relative_rate,
};
use elsewhere::evidence::timezone::calendars::{Calendars, Region};
use elsewhere::evidence::timezone::change;
use elsewhere::evidence::timezone::clock::ClockChange;
use elsewhere::evidence::timezone::profile::Profile;
use linfa::prelude::*;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};

/// A stretch of history that one attendance holds, seconds.
const STRETCH_SECONDS: i64 = 392 * 86_400;
/// Months (of 30 days) after which the ratio is calibrated.
const CALIBRATION_MONTHS: [i64; 2] = [6, 12];
/// Fewest starts within these months.
const STARTS_MIN: usize = 60;
/// Share of operators who keep the claimed place's calendar: not known from data. Free days of the employer are free to
/// whoever works there, so half are presumed to keep them.
const ADAPTED_SHARE: f64 = 0.5;
/// Share of honest people who work through the claimed place's free days and keep another's: people whose team, head
/// office or customer is abroad. Not known from data; set high, so that no calendar carries a verdict:
/// ln((1 - .5) / .1) = 1.6 nats at most.
const IRREGULAR_SHARE: f64 = 0.1;

/// Offsets lived at, standard and summer, and the region most of their authors can be thought to live in.
const PLACES: [(&[i32], &str); 8] = [
    (&[-300, -240], "US"),
    (&[-360, -300], "US"),
    (&[-420, -360], "US"),
    (&[-480, -420], "US"),
    (&[480], "CN"),
    (&[540], "JP"),
    (&[330], "IN"),
    (&[0, 60], "GB"),
];
/// Claims that authors of other places are given when the ratio is calibrated.
const CLAIMS: [(&str, i32); 4] = [("US", -300), ("CN", 480), ("IN", 330), ("GB", 0)];

/// The region an author can be thought to live in; `None` where the offset leaves too many.
pub fn place_of(author: &Author) -> Option<&'static str> {
    let lives = |offsets: &[i32]| {
        let near = author.commits.iter().filter(|commit| offsets.contains(&commit.1)).count();
        near as f64 >= 0.95 * author.commits.len() as f64
    };
    PLACES.iter().find(|(offsets, _)| lives(offsets)).map(|(_, region)| *region)
}

/// Starts in stretches that one attendance can hold.
fn stretches(starts: &[(i64, i32)]) -> Vec<&[(i64, i32)]> {
    let mut list = Vec::new();
    let mut from = 0;
    for (index, (seconds, _)) in starts.iter().enumerate() {
        if seconds - starts[from].0 >= STRETCH_SECONDS {
            list.push(&starts[from..index]);
            from = index;
        }
    }
    if from < starts.len() {
        list.push(&starts[from..]);
    }
    list
}

fn at(seconds: i64) -> EventTime {
    EventTime(seconds * 1_000_000)
}

/// Every day worth asking about in an author's history, by the calendar of a region.
pub fn days_of(author: &Author, region: &Region) -> Vec<AskedDay> {
    let phase = phase_of(author.median_offset_minutes());
    let starts = author.session_starts();
    let mut list = Vec::new();
    for stretch in stretches(&starts) {
        let mut attendance = Attendance::default();
        for (seconds, _) in stretch {
            attendance.note(at(*seconds));
        }
        if let Some((last, _)) = stretch.last() {
            list.extend(asked_days(&attendance, phase, region, at(*last)));
        }
    }
    list
}

/// Sessions begun, and how many would have been at the usual rates, over days of one kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    /// Sessions begun.
    pub present: f64,
    /// Usual.
    pub usual: f64,
    /// Days asked about.
    pub days: usize,
}

impl Rate {
    /// Adds a day.
    pub fn add(&mut self, day: &AskedDay) {
        self.present += f64::from(u8::from(day.present));
        self.usual += day.usual();
        self.days += 1;
    }

    /// Share of the usual.
    pub fn share(&self) -> f64 {
        self.present / self.usual.max(1e-9)
    }
}

/// Days free in a region and elsewhere only, as an author kept them.
pub fn rates(author: &Author, region: &Region) -> (Rate, Rate) {
    let (mut claimed, mut elsewhere) = (Rate::default(), Rate::default());
    for day in days_of(author, region) {
        match day.free_in {
            FreeIn::Claim(_) => claimed.add(&day),
            FreeIn::Groups(_) => elsewhere.add(&day),
        }
    }
    (claimed, elsewhere)
}

/// What a worker's past looks like to the family: starts learned through the profile itself.
pub fn profile_after(starts: &[(i64, i32)], parameters: &elsewhere::evidence::timezone::Parameters) -> Profile {
    let mut profile = Profile::default();
    for (seconds, _) in starts {
        let time = at(*seconds);
        let observation = elsewhere::evidence::timezone::Observation { time, may_start: true, ..Default::default() };
        profile.learn(&observation, parameters, time);
    }
    profile
}

/// The stretch of so many months with the most starts; `None` under `STARTS_MIN` a half-year.
pub fn busiest(starts: &[(i64, i32)], months: i64, fewest: usize) -> Option<&[(i64, i32)]> {
    let length = months * 30 * 86_400;
    let mut to = 0;
    let best = (0..starts.len())
        .map(|from| {
            while to < starts.len() && starts[to].0 - starts[from].0 <= length {
                to += 1;
            }
            from..to
        })
        .max_by_key(|range| (range.len(), std::cmp::Reverse(range.start)))?;
    (best.len() >= fewest).then(|| &starts[best])
}

/// What one author's days say under a claim, before calibration.
pub fn heard(
    starts: &[(i64, i32)],
    claim: (&str, i32),
    until: i64,
    parameters: &CalendarParameters,
) -> Option<serving::Heard> {
    let mut attendance = Attendance::default();
    for (seconds, _) in starts {
        attendance.note(at(*seconds));
    }
    let region = Calendars::shipped().region(claim.0)?;
    serving::hear(&attendance, phase_of(claim.1), region, 0.0, at(until), parameters)
}

/// Fits rates and calibration on authors.
///
/// # Errors
/// When linfa cannot fit.
pub fn fit(authors: &[&Author]) -> Result<CalendarParameters, String> {
    let mut parameters = CalendarParameters {
        score_slope: 1.0,
        adapted_share: ADAPTED_SHARE,
        irregular_share: IRREGULAR_SHARE,
        ..CalendarParameters::default()
    };
    let (mut claimed, mut elsewhere) = (Rate::default(), Rate::default());
    let (mut rest, mut work) = (Vec::new(), Vec::new());
    for author in authors {
        let Some(region) = place_of(author).and_then(|code| Calendars::shipped().region(code)) else { continue };
        for day in days_of(author, region) {
            match day.free_in {
                FreeIn::Claim(_) => claimed.add(&day),
                FreeIn::Groups(_) => elsewhere.add(&day),
            }
        }
        weekly(author, phase_of(author.median_offset_minutes()), &mut rest, &mut work);
    }
    if claimed.days < 50 || elsewhere.days < 50 {
        return Err("too few free days in the histories to say how they are kept".into());
    }
    parameters.free_rate = rounded(claimed.share().clamp(0.05, 0.8));
    parameters.usual_rate = rounded(elsewhere.share().clamp(parameters.free_rate + 0.05, 1.0));
    let (rest_mean, rest_deviation) = moments(&rest);
    let (work_mean, work_deviation) = moments(&work);
    parameters.rest_rate = rounded(rest_mean);
    parameters.work_rate = rounded(work_mean.max(rest_mean + 0.05));
    parameters.rest_spread = rounded(rest_deviation.max(work_deviation));
    parameters.clock_slope = rounded(clock_slope(authors)?);
    parameters.score_slope = rounded(score_slope(authors, &parameters)?);
    parameters.check()?;
    Ok(parameters)
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt().clamp(0.05, 2.0))
}

/// Rates of Saturday and Sunday, and of Friday, of Monday to Thursday's.
fn weekly(author: &Author, phase: Phase, rest: &mut Vec<f64>, work: &mut Vec<f64>) {
    let starts = author.session_starts();
    let Some(year) = busiest(&starts, 12, STARTS_MIN) else { return };
    let mut attendance = Attendance::default();
    for (seconds, _) in year {
        attendance.note(at(*seconds));
    }
    let until = at(year[year.len() - 1].0);
    let rate = |days: u8| relative_rate(&attendance, phase, until, days, 0b000_1111).map(|(rate, _)| rate);
    rest.extend(rate(0b110_0000));
    work.extend(rate(0b001_0000));
}

/// Slope of a logistic regression without an offset: nothing heard stays nothing said.
fn slope(ratios: Vec<f64>, elsewhere: Vec<bool>) -> Result<f64, String> {
    // Both sides weigh the same: each row is repeated mirrored, which is what an even prior without an offset means.
    let (hostile, honest) = (elsewhere.iter().filter(|is| **is).count(), elsewhere.iter().filter(|is| !**is).count());
    if hostile < 10 || honest < 10 {
        return Err("too few authors to calibrate calendars on".into());
    }
    let copies = |is: bool| if is { (honest / hostile).max(1) } else { (hostile / honest).max(1) };
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    for (ratio, is) in ratios.iter().zip(&elsewhere) {
        for _ in 0..copies(*is) {
            rows.push(*ratio);
            targets.push(*is);
        }
    }
    let records = Array2::from_shape_vec((rows.len(), 1), rows).map_err(|error| error.to_string())?;
    let data = Dataset::new(records, Array1::from(targets));
    let fitted = LogisticRegression::default()
        .alpha(1e-6)
        .with_intercept(false)
        .max_iterations(200)
        .fit(&data)
        .map_err(|error| error.to_string())?;
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    Ok((sign * fitted.params()[0]).clamp(0.02, 2.0))
}

fn score_slope(authors: &[&Author], parameters: &CalendarParameters) -> Result<f64, String> {
    let (mut ratios, mut elsewhere) = (Vec::new(), Vec::new());
    for author in authors {
        let Some(home) = place_of(author) else { continue };
        let starts = author.session_starts();
        for months in CALIBRATION_MONTHS {
            let Some(stretch) = busiest(&starts, months, STARTS_MIN) else { continue };
            let until = stretch[stretch.len() - 1].0;
            for claim in CLAIMS {
                if let Some(heard) = heard(stretch, claim, until, parameters) {
                    ratios.push(heard.bare);
                    elsewhere.push(claim.0 != home);
                }
            }
        }
    }
    slope(ratios, elsewhere)
}

/// Authors whose clocks change, and whose do not, each under their own rule and under the other.
fn clock_slope(authors: &[&Author]) -> Result<f64, String> {
    let (mut ratios, mut elsewhere) = (Vec::new(), Vec::new());
    for author in authors {
        let Some(own) = super::clock_change(author).filter(|own| *own != ClockChange::Southern) else { continue };
        let starts = author.session_starts();
        let Some(year) = busiest(&starts, 12, STARTS_MIN) else { continue };
        let profile = super::profile_of(year);
        if !change::halves_known(&profile) {
            continue;
        }
        for claimed in [ClockChange::Northern, ClockChange::None] {
            ratios.push(change::clock_change(&profile, claimed));
            elsewhere.push(claimed != own);
        }
    }
    slope(ratios, elsewhere)
}
