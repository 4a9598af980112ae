//! Drawings of a worker's past as SVG: the week, the reactions, the course of the standing.
//!
//! Each says in its title what it shows and in whose time; nothing is drawn of what is not known, and
//! [`draw`] says so in words instead.

mod course;
mod reactions;
mod week;

use super::past::{Past, Session};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::{DrawingArea, IntoDrawingArea, RGBColor, Text, WHITE};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, TextStyle};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Width of a drawing, pixels.
const WIDTH: u32 = 960;
/// Height of a drawing, pixels.
const HEIGHT: u32 = 540;
/// Letters of titles, ticks and notes, pixels.
const TITLE_PIXELS: u32 = 20;
const NOTE_PIXELS: u32 = 14;
const TICK_PIXELS: u32 = 13;

// Colours that stay apart for all common kinds of colour vision (Okabe and Ito, 2008).
const BLACK: RGBColor = RGBColor(40, 40, 40);
const GREY: RGBColor = RGBColor(130, 130, 130);
/// Of words: darker than lines, so that they can be read on paper.
const DIM: RGBColor = RGBColor(85, 85, 85);
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const VERMILION: RGBColor = RGBColor(213, 94, 0);
const PURPLE: RGBColor = RGBColor(204, 121, 167);
const SKY: RGBColor = RGBColor(86, 180, 233);

/// What is known of one worker, from whatever source.
#[derive(Debug, Clone, Default)]
pub struct Known<'a> {
    /// The worker.
    pub worker_id: &'a str,
    /// Sessions, where files told them.
    pub past: Option<&'a Past>,
    /// The days of the standing, oldest first, where a store told them: sessions without what each family adds.
    pub days: &'a [Session],
    /// Threshold of a flag, nats.
    pub threshold_log_odds: f64,
    /// Shares of session starts by hour of the week, Monday 00:00 UTC first, where a store told them.
    pub activity_by_hour: &'a [f32],
    /// When the store last saw the worker, seconds since 1970.
    pub last_seen_seconds: i64,
    /// Zone named by the caller of the program; wins over the claim's.
    pub zone: Option<&'a str>,
    /// Claimed offset a verdict implies, minutes east.
    pub claimed_offset_minutes: Option<i32>,
    /// Belief in UTC offsets: minutes east, probability.
    pub offsets: &'a [(i32, f64)],
}

impl<'a> Known<'a> {
    /// Sessions in the order of time, and whether each stands for a whole day, as a store keeps them.
    fn course(&self) -> (Vec<&'a Session>, bool) {
        let sessions = self.past.map_or(&[][..], |past| &past.sessions);
        let daily = sessions.is_empty();
        let mut course: Vec<&Session> = if daily { self.days.iter().collect() } else { sessions.iter().collect() };
        course.sort_by_key(|session| session.seconds);
        (course, daily)
    }
}

/// What came of one drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drawn {
    /// It lies here.
    File(PathBuf),
    /// It was not drawn: its name, and why.
    Not(&'static str, String),
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The zone a week is drawn in, and how to name it.
struct Zone {
    zone: TimeZone,
    name: String,
}

impl Zone {
    /// The named zone, else the claim's, else the claimed offset, else UTC.
    fn of(known: &Known<'_>) -> Result<Self, String> {
        let claimed = known.past.and_then(|past| past.zone.as_deref());
        if let Some(name) = known.zone.or(claimed) {
            let zone = TimeZone::get(name).map_err(|_| format!("there is no time zone {name:?}: send an IANA name"))?;
            return Ok(Self { zone, name: name.into() });
        }
        let offset = known.claimed_offset_minutes.or(known.past.and_then(|past| past.claimed_offset_minutes));
        match offset.and_then(|minutes| Offset::from_seconds(minutes * 60).ok().map(|offset| (minutes, offset))) {
            Some((minutes, offset)) => Ok(Self {
                zone: TimeZone::fixed(offset),
                name: format!("the claimed {}", super::measure::offset(minutes)),
            }),
            None => Ok(Self { zone: TimeZone::UTC, name: "UTC (the claim is not known here)".into() }),
        }
    }

    /// Minutes east at an instant.
    fn minutes(&self, seconds: i64) -> i32 {
        let at = Timestamp::from_second(seconds).unwrap_or_default();
        self.zone.to_offset(at).seconds() / 60
    }
}

/// Draws everything known into a directory, which is made when it is not there.
///
/// # Errors
/// When the directory or a file cannot be written, or a zone has no meaning.
pub fn draw(known: &Known<'_>, directory: &Path) -> Result<Vec<Drawn>, String> {
    std::fs::create_dir_all(directory).map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
    let zone = Zone::of(known)?;
    let mut drawn = Vec::new();
    let drawings: [(&'static str, Draw); 3] =
        [("week.svg", week::draw), ("reactions.svg", reactions::draw), ("standing.svg", course::draw)];
    for (name, draw) in drawings {
        let mut text = String::new();
        let missing = {
            let area = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
            area.fill(&WHITE).map_err(|error| format!("cannot draw {name}: {error}"))?;
            draw(&area, known, &zone).map_err(|error| format!("cannot draw {name}: {error}"))?
        };
        if let Some(why) = missing {
            drawn.push(Drawn::Not(name, why));
            continue;
        }
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        drawn.push(Drawn::File(path));
    }
    Ok(drawn)
}

/// Draws one picture; `Some` says why there is nothing to draw.
type Draw = fn(&Area<'_>, &Known<'_>, &Zone) -> Result<Option<String>, Box<dyn std::error::Error>>;

/// A text style.
fn letters(pixels: u32, colour: RGBColor, across: HPos, down: VPos) -> TextStyle<'static> {
    let font = ("sans-serif", pixels).into_font();
    TextStyle { font, color: colour.to_backend_color(), pos: Pos::new(across, down) }
}

/// Title and the line under it.
fn title(area: &Area<'_>, title: &str, note: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut style = letters(TITLE_PIXELS, BLACK, HPos::Left, VPos::Top);
    style.font = style.font.style(FontStyle::Bold);
    area.draw(&Text::new(title.to_string(), (20, 14), style))?;
    area.draw(&Text::new(note.to_string(), (20, 42), letters(NOTE_PIXELS, DIM, HPos::Left, VPos::Top)))?;
    Ok(())
}

/// An axis of time, seconds since 1970, labelled at whole hours, days or months.
struct TimeAxis {
    from: f64,
    to: f64,
    ticks: Vec<f64>,
    format: &'static str,
}

impl TimeAxis {
    fn new((from, to): (f64, f64)) -> Self {
        let (ticks, format) = time_ticks(from, to);
        Self { from, to, ticks, format }
    }
}

impl Ranged for TimeAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (value - self.from) / (self.to - self.from).max(1.0);
        first + (share * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for TimeAxis {
    fn format(seconds: &f64) -> String {
        time_label(*seconds, "%b %-d")
    }

    fn format_ext(&self, seconds: &f64) -> String {
        time_label(*seconds, self.format)
    }
}

/// Instants to label between two, seconds, and how: at most nine.
fn time_ticks(from: f64, to: f64) -> (Vec<f64>, &'static str) {
    const HOUR: f64 = 3_600.0;
    const DAY: f64 = 24.0 * HOUR;
    let steps = [1.0, 3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 168.0, 336.0, 720.0, 1_440.0, 4_320.0, 8_760.0];
    let span = (to - from).max(HOUR);
    let step = steps.map(|hours| hours * HOUR).into_iter().find(|step| span / step <= 9.0).unwrap_or(span / 8.0);
    let first = (from / step).ceil() as i64;
    let last = (to / step).floor() as i64;
    let ticks = (first..=last).map(|index| index as f64 * step).collect();
    (
        ticks,
        if step < DAY {
            "%b %-d %H:%M"
        } else if step < 4_000.0 * HOUR {
            "%b %-d"
        } else {
            "%b %Y"
        },
    )
}

fn time_label(seconds: f64, format: &str) -> String {
    let at = Timestamp::from_second(seconds as i64).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

/// First and last instant of sessions with a little room either side, seconds.
fn time_range(seconds: impl Iterator<Item = i64> + Clone) -> (f64, f64) {
    let first = seconds.clone().min().unwrap_or_default() as f64;
    let last = seconds.max().unwrap_or_default() as f64;
    let room = ((last - first) * 0.02).max(1_800.0);
    (first - room, last + room)
}

/// The days on an axis, with their years: "UTC, 2026".
fn axis_of((from, to): (f64, f64)) -> String {
    let (first, last) = (time_label(from, "%Y"), time_label(to, "%Y"));
    if first == last { format!("UTC, {first}") } else { format!("UTC, {first} to {last}") }
}

/// How something is drawn: shapes differ, so that a print without colours can be read.
#[derive(Clone, Copy)]
enum Mark {
    /// A shaded band between two lines.
    Band,
    /// A filled dot.
    Dot,
    /// A ring.
    Ring,
}

/// What the shapes mean: a mark and its name, in a row.
fn legend(area: &Area<'_>, entries: &[(&str, RGBColor, Mark)], top: i32) -> Result<(), Box<dyn std::error::Error>> {
    use plotters::prelude::{Circle, Rectangle};
    let mut left = 72;
    for (name, colour, mark) in entries {
        let middle = (left + 8, top + 7);
        match mark {
            Mark::Band => {
                let corners = [(left, top + 2), (left + 16, top + 12)];
                area.draw(&Rectangle::new(corners, colour.mix(0.22).filled()))?;
                for edge in [top + 2, top + 12] {
                    area.draw(&Rectangle::new([(left, edge), (left + 16, edge + 1)], colour.filled()))?;
                }
            }
            Mark::Dot => area.draw(&Circle::new(middle, 4, colour.filled()))?,
            Mark::Ring => area.draw(&Circle::new(middle, 3, colour.stroke_width(1)))?,
        }
        let style = letters(TICK_PIXELS, BLACK, HPos::Left, VPos::Center);
        area.draw(&Text::new((*name).to_string(), (left + 22, top + 7), style))?;
        // Letters are about half as wide as they are high.
        left += 42 + (name.chars().count() as f64 * f64::from(TICK_PIXELS) * 0.54) as i32;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_lie_inside() {
        for days in [0.01, 0.5, 3.0, 28.0, 200.0, 3_000.0] {
            let (from, to) = (1_772_463_600.0, 1_772_463_600.0 + days * 86_400.0);
            let (ticks, format) = time_ticks(from, to);
            assert!(ticks.len() <= 10 && ticks.iter().all(|tick| (from..=to).contains(tick)), "{days} {ticks:?}");
            assert!(ticks.iter().all(|tick| !time_label(*tick, format).is_empty()));
        }
    }
}
