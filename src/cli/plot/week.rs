//! The week: when work begins, by hour of the week in the claimed time, beside the hours of where it may really be.

use super::{Area, BLACK, BLUE, GREEN, GREY, HEIGHT, Known, NOTE_PIXELS, TICK_PIXELS, WIDTH, Zone, letters, title};
use crate::cli::measure;
use jiff::Timestamp;
use plotters::prelude::{RGBColor, Rectangle, Text};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, ShapeStyle};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Left edge and top of the grid of days and hours, and the height of a day, pixels.
const LEFT: i32 = 130;
const TOP: i32 = 76;
const DAY_PIXELS: i32 = 28;
/// Bars by hour: where they stand and how high the highest is, pixels.
const BARS_BOTTOM: i32 = 436;
const BARS_PIXELS: i32 = 116;
/// The ordinary working day that the claim is held against for the eye, hours: an aid, no criterion of the model.
const ORDINARY: (i32, i32) = (8, 18);

/// Weight by local weekday and hour, and whether it counts sessions or shares.
struct Grid {
    cells: [[f64; 24]; 7],
    counted: bool,
}

fn grid(known: &Known<'_>, zone: &Zone) -> Option<Grid> {
    let mut cells = [[0.0; 24]; 7];
    if let Some(past) = known.past.filter(|past| !past.sessions.is_empty()) {
        for session in &past.sessions {
            let at = Timestamp::from_second(session.seconds).unwrap_or_default().to_zoned(zone.zone.clone());
            let (day, hour) = (at.weekday().to_monday_zero_offset(), at.hour());
            cells[usize::from(day.unsigned_abs()) % 7][usize::from(hour.unsigned_abs()) % 24] += 1.0;
        }
        return Some(Grid { cells, counted: true });
    }
    if known.activity_by_hour.len() != 168 {
        return None;
    }
    let shift = (f64::from(zone.minutes(known.last_seen_seconds)) / 60.0).round() as i64;
    for (hour, share) in (0_i64..).zip(known.activity_by_hour) {
        let local = (hour + shift).rem_euclid(168) as usize;
        cells[local / 24][local % 24] += f64::from(*share);
    }
    Some(Grid { cells, counted: false })
}

/// Horizontal place of an hour, pixels.
fn across(hour: i32) -> i32 {
    LEFT + hour * (WIDTH as i32 - LEFT - 30) / 24
}

fn shade(share: f64) -> RGBColor {
    let mix = |full: u8| (255.0 - (255.0 - f64::from(full)) * share).round() as u8;
    RGBColor(mix(BLUE.0), mix(BLUE.1), mix(BLUE.2))
}

pub(super) fn draw(
    area: &Area<'_>,
    known: &Known<'_>,
    zone: &Zone,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let Some(Grid { cells, counted }) = grid(known, zone) else {
        return Ok(Some("no session has taught the worker's hours yet".into()));
    };
    let last = known.past.and_then(|past| past.sessions.last()).map_or(known.last_seen_seconds, |last| last.seconds);
    let own = zone.minutes(last);
    let total: f64 = cells.iter().flatten().sum();
    let what = if counted { format!("{total:.0} sessions") } else { "Session starts as the profile keeps them".into() };
    let note = format!(
        "Hours in {} ({} at the last session). Frame: an ordinary working week there. {what}.",
        zone.name,
        measure::offset(own)
    );
    title(area, &format!("When worker {} works", known.worker_id), &note)?;
    let most = cells.iter().flatten().copied().fold(0.0, f64::max).max(1e-9);
    let line = |colour: RGBColor, width| ShapeStyle { color: colour.to_rgba(), filled: false, stroke_width: width };
    for ((day, name), row) in (0_i32..).zip(DAYS).zip(&cells) {
        let top = TOP + day * DAY_PIXELS;
        let style = letters(TICK_PIXELS, BLACK, HPos::Right, VPos::Center);
        area.draw(&Text::new(name, (LEFT - 10, top + DAY_PIXELS / 2), style))?;
        for (hour, weight) in (0_i32..).zip(row) {
            let corners = [(across(hour), top), (across(hour + 1), top + DAY_PIXELS)];
            area.draw(&Rectangle::new(corners, shade(weight / most).filled()))?;
            area.draw(&Rectangle::new(corners, line(RGBColor(225, 225, 225), 1)))?;
            if counted && *weight > 0.0 {
                let colour = if weight / most > 0.5 { RGBColor(255, 255, 255) } else { BLACK };
                let style = letters(TICK_PIXELS - 1, colour, HPos::Center, VPos::Center);
                let middle = ((across(hour) + across(hour + 1)) / 2, top + DAY_PIXELS / 2);
                area.draw(&Text::new(format!("{weight:.0}"), middle, style))?;
            }
        }
    }
    let ordinary = [(across(ORDINARY.0), TOP), (across(ORDINARY.1), TOP + 5 * DAY_PIXELS)];
    area.draw(&Rectangle::new(ordinary, line(GREEN, 2)))?;
    draw_bars(area, &cells, total)?;
    draw_hours(area, own, known, zone)?;
    Ok(None)
}

/// Shares by hour of the day, over all days.
fn draw_bars(area: &Area<'_>, cells: &[[f64; 24]; 7], total: f64) -> Result<(), Box<dyn std::error::Error>> {
    let by_hour: Vec<f64> =
        (0..24).map(|hour| cells.iter().map(|row| row[hour]).sum::<f64>() / total.max(1e-9)).collect();
    let most = by_hour.iter().copied().fold(0.0, f64::max).max(1e-9);
    let ordinary = [(across(ORDINARY.0), BARS_BOTTOM - BARS_PIXELS), (across(ORDINARY.1), BARS_BOTTOM)];
    area.draw(&Rectangle::new(ordinary, GREEN.mix(0.12).filled()))?;
    for (hour, share) in (0_i32..).zip(&by_hour) {
        let height = (share / most * f64::from(BARS_PIXELS)).round() as i32;
        let corners = [(across(hour) + 3, BARS_BOTTOM - height), (across(hour + 1) - 3, BARS_BOTTOM)];
        if height > 0 {
            area.draw(&Rectangle::new(corners, BLUE.filled()))?;
        }
    }
    area.draw(&Rectangle::new([(LEFT, BARS_BOTTOM), (across(24), BARS_BOTTOM + 1)], GREY.filled()))?;
    let style = || letters(TICK_PIXELS, BLACK, HPos::Right, VPos::Center);
    area.draw(&Text::new(measure::share(most), (LEFT - 10, BARS_BOTTOM - BARS_PIXELS), style()))?;
    area.draw(&Text::new("all days", (LEFT - 10, BARS_BOTTOM - BARS_PIXELS / 2), style()))?;
    area.draw(&Text::new("0 %", (LEFT - 10, BARS_BOTTOM), style()))?;
    Ok(())
}

/// The hours at the claimed place and at the place the rhythm fits best, one row each.
fn draw_hours(area: &Area<'_>, own: i32, known: &Known<'_>, zone: &Zone) -> Result<(), Box<dyn std::error::Error>> {
    let row = |minutes: i32, name: String, top: i32, colour: RGBColor| -> Result<(), Box<dyn std::error::Error>> {
        let style = letters(TICK_PIXELS, colour, HPos::Right, VPos::Center);
        // Left of the first hour's label, which is centred on the edge.
        area.draw(&Text::new(name, (LEFT - 26, top), style))?;
        for hour in (0..=24).step_by(3) {
            let there = (hour * 60 + minutes - own).rem_euclid(24 * 60);
            let text = if minutes == own { format!("{hour}:00") } else { format!("{}:{:02}", there / 60, there % 60) };
            let style = letters(TICK_PIXELS, colour, HPos::Center, VPos::Center);
            area.draw(&Text::new(text, (across(hour), top), style))?;
        }
        Ok(())
    };
    // A zone that the caller names is no claim.
    let (claimed, place) = match known.zone {
        Some(_) => ("", "this offset"),
        None if zone.name.starts_with("UTC (") => ("", "UTC"),
        None => ("claimed ", "the claimed offset"),
    };
    row(own, format!("{claimed}{}", measure::offset(own)), BARS_BOTTOM + 18, BLACK)?;
    let best = known.offsets.iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    let Some((minutes, probability)) = best else { return Ok(()) };
    let near = (minutes - own).abs() <= 60;
    row(*minutes, format!("rhythm {}", measure::offset(*minutes)), BARS_BOTTOM + 40, if near { GREY } else { BLUE })?;
    let at_claim: f64 =
        known.offsets.iter().filter(|(other, _)| (other - own).abs() <= 60).map(|(_, probability)| probability).sum();
    let text = format!(
        "The rhythm fits {} best ({}); {place}, give or take an hour, has {}.",
        measure::offset(*minutes),
        measure::share(*probability),
        measure::share(at_claim)
    );
    let style = letters(NOTE_PIXELS, BLACK, HPos::Left, VPos::Center);
    area.draw(&Text::new(text, (20, HEIGHT as i32 - 26), style))?;
    Ok(())
}
