//! The standing's course: evidence over time beside the threshold, with what each family adds, or, where a store keeps
//! no more than the end of each day, with the reason that added most.

use super::{
    Area, BLACK, BLUE, DIM, GREEN, GREY, HEIGHT, Known, NOTE_PIXELS, ORANGE, PURPLE, SKY, TICK_PIXELS, TimeAxis,
    VERMILION, WIDTH, Zone, axis_of, letters, time_label, time_range, title,
};
use crate::cli::past::{FAMILIES, Session};
use crate::cli::summary::plain_words;
use plotters::coord::CoordTranslate;
use plotters::prelude::{
    ChartBuilder, Circle, Color, DashedLineSeries, IntoFont, LineSeries, PathElement, RGBColor, Rectangle, Text,
};
use plotters::style::text_anchor::{HPos, VPos};

/// Families by number of the wire less one, with the dash and the gap of their lines, pixels.
const NAMES: [(&str, RGBColor, (u32, u32)); FAMILIES] = [
    ("timezone", ORANGE, (10, 4)),
    ("typing", GREEN, (3, 3)),
    ("remote input", BLUE, (1, 0)),
    ("network", PURPLE, (16, 4)),
    ("crowd", SKY, (6, 3)),
    ("telemetry", GREY, (2, 6)),
];

/// Room right of the lines for their names, and between two names, pixels.
const NAMES_PIXELS: u32 = 118;
const NAME_PIXELS: i32 = 16;
/// Changes of the top reason that are told, the latest ones, and the room of each under the chart, pixels.
const CHANGES_TOLD: usize = 4;
const CHANGE_PIXELS: u32 = 20;

pub(super) fn draw(
    area: &Area<'_>,
    known: &Known<'_>,
    _zone: &Zone,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let (sessions, daily) = known.course();
    if sessions.is_empty() {
        return Ok(Some("no day of the standing is kept; name the files of requests or results".into()));
    }
    let threshold =
        if daily { known.threshold_log_odds } else { known.past.map_or(0.0, |past| past.threshold_log_odds) };
    let (from, to) = time_range(sessions.iter().map(|session| session.seconds));
    let spoke: Vec<usize> =
        (0..FAMILIES).filter(|family| sessions.iter().any(|session| session.families[*family].abs() >= 0.05)).collect();
    let values = sessions.iter().flat_map(|session| session.families.iter().chain([&session.evidence_log_odds]));
    let (low, high) =
        values.copied().fold((0.0_f64, threshold), |(low, high), value| (low.min(value), high.max(value)));
    let room = (high - low) * 0.06;
    title(
        area,
        &format!("How worker {} came to stand where they stand", known.worker_id),
        &note(&sessions, daily, threshold),
    )?;
    let changes = if daily { changes(&sessions) } else { Vec::new() };
    let (bottom, top) = (low - room, high + room);
    let mut chart = ChartBuilder::on(area)
        .margin_top(72)
        .margin_right(NAMES_PIXELS)
        .margin_bottom(12 + CHANGE_PIXELS * u32::try_from(changes.len()).unwrap_or(0))
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(TimeAxis::new((from, to)), bottom..top)?;
    chart
        .configure_mesh()
        .light_line_style(GREY.mix(0.0))
        .bold_line_style(GREY.mix(0.2))
        .axis_style(GREY)
        .y_label_formatter(&|nats| if nats.abs() < 1e-9 { "0 nats".into() } else { format!("{nats:+.0} nats") })
        .y_labels(10)
        .x_desc(axis_of((from, to)))
        .label_style(("sans-serif", TICK_PIXELS).into_font())
        .draw()?;
    // Flagged spans, from the session that raised the flag to the one that lowered it.
    let ends = sessions.iter().skip(1).map(|next| next.seconds as f64).chain(std::iter::once(to));
    let flagged = sessions.iter().zip(ends).filter(|(session, _)| session.flagged);
    chart.draw_series(flagged.map(|(session, end)| {
        Rectangle::new([(session.seconds as f64, bottom), (end, top)], VERMILION.mix(0.08).filled())
    }))?;
    let mut names = vec![("in all", BLACK, sessions.last().map_or(0.0, |last| last.evidence_log_odds))];
    names.push(("threshold", VERMILION, threshold));
    for family in spoke {
        let (name, colour, (dash, gap)) = NAMES[family];
        let line = steps(&sessions, to, |session| session.families[family]);
        names.push((name, colour, line.last().map_or(0.0, |(_, value)| *value)));
        if gap == 0 {
            chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
        } else {
            chart.draw_series(DashedLineSeries::new(line, dash, gap, colour.stroke_width(2)))?;
        }
    }
    let line = [(from, threshold), (to, threshold)];
    chart.draw_series(DashedLineSeries::new(line, 8, 5, VERMILION.stroke_width(2)))?;
    let all = steps(&sessions, to, |session| session.evidence_log_odds);
    chart.draw_series(LineSeries::new(all, BLACK.stroke_width(3)))?;
    for (number, session) in (1..).zip(&changes) {
        let at = (session.seconds as f64, session.evidence_log_odds);
        chart.draw_series([Circle::new(at, 9, VERMILION.filled())])?;
        let place = chart.as_coord_spec().translate(&at);
        let style = letters(TICK_PIXELS, RGBColor(255, 255, 255), HPos::Center, VPos::Center);
        area.draw(&Text::new(format!("{number}"), place, style))?;
        let under = changes.len() as i32 - number;
        let line = HEIGHT as i32 - 14 - under * CHANGE_PIXELS as i32;
        let text = format!(
            "{}: most is added by \"{}\"",
            time_label(session.seconds as f64, "%b %-d"),
            if session.top_reason == 0 { "nothing" } else { plain_words(session.top_reason) }
        );
        area.draw(&Circle::new((80, line), 8, VERMILION.filled()))?;
        let style = letters(TICK_PIXELS, RGBColor(255, 255, 255), HPos::Center, VPos::Center);
        area.draw(&Text::new(format!("{number}"), (80, line), style))?;
        area.draw(&Text::new(text, (96, line), letters(NOTE_PIXELS, BLACK, HPos::Left, VPos::Center)))?;
    }
    let ends = names.into_iter().map(|(name, colour, value)| {
        let (_, height) = chart.as_coord_spec().translate(&(to, value));
        (name, colour, height)
    });
    let (_, lowest) = chart.as_coord_spec().translate(&(to, bottom));
    draw_names(area, ends.collect(), lowest)?;
    Ok(None)
}

fn note(sessions: &[&Session], daily: bool, threshold: f64) -> String {
    let of_what = if daily { "days, each at its end" } else { "sessions" };
    let flag = sessions.iter().find(|session| session.flagged).map(|session| session.seconds as f64);
    // What lies before the first day kept is not known.
    let met_before = daily && sessions.first().is_some_and(|first| first.flagged);
    let crossed = match flag {
        Some(_) if met_before => "was crossed on the first day kept, or before".to_string(),
        Some(at) if daily => format!("was first crossed on {}", time_label(at, "%Y-%m-%d")),
        Some(at) => format!("was first crossed on {} UTC", time_label(at, "%Y-%m-%d %H:%M")),
        None => "was never crossed".to_string(),
    };
    let shaded = if flag.is_some() { " Shaded: flagged." } else { "" };
    format!("Nats over {} {of_what}; the threshold of {threshold:.1} {crossed}.{shaded}", sessions.len())
}

/// The days on which another reason came to add most, the latest ones.
fn changes<'a>(days: &[&'a Session]) -> Vec<&'a Session> {
    let mut before = 0;
    let mut changes = Vec::new();
    for day in days {
        if day.top_reason != before {
            before = day.top_reason;
            changes.push(*day);
        }
    }
    changes.split_off(changes.len().saturating_sub(CHANGES_TOLD))
}

/// Names lines at their ends, one under the other where they meet, none below `lowest`.
fn draw_names(
    area: &Area<'_>,
    mut ends: Vec<(&str, RGBColor, i32)>,
    lowest: i32,
) -> Result<(), Box<dyn std::error::Error>> {
    ends.sort_by_key(|(_, _, height)| *height);
    let mut places: Vec<i32> = Vec::with_capacity(ends.len());
    for (_, _, height) in &ends {
        places.push(places.last().map_or(*height, |above: &i32| (*height).max(above + NAME_PIXELS)));
    }
    // What would run into the axis moves up again, from below.
    let mut floor = lowest;
    for place in places.iter_mut().rev() {
        *place = (*place).min(floor);
        floor = *place - NAME_PIXELS;
    }
    let left = (WIDTH - NAMES_PIXELS) as i32;
    for ((name, colour, height), place) in ends.into_iter().zip(places) {
        area.draw(&PathElement::new([(left + 1, height), (left + 14, place)], colour.stroke_width(1)))?;
        let bold = if name == "in all" { BLACK } else { DIM };
        area.draw(&Text::new(name, (left + 18, place), letters(TICK_PIXELS, bold, HPos::Left, VPos::Center)))?;
    }
    Ok(())
}

/// A value after each session, held until the next: a standing moves when a session is judged, not between.
fn steps(sessions: &[&Session], end: f64, value: impl Fn(&Session) -> f64) -> Vec<(f64, f64)> {
    let ends = sessions.iter().skip(1).map(|next| next.seconds as f64).chain([end]);
    let spans = sessions.iter().zip(ends).map(|(session, until)| (session.seconds as f64, until, value(session)));
    spans.flat_map(|(from, until, value)| [(from, value), (until, value)]).collect()
}
