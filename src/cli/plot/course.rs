//! The standing's course: evidence over time beside the threshold, with what each family adds.

use super::{
    Area, BLACK, BLUE, GREEN, GREY, Known, ORANGE, PURPLE, SKY, TICK_PIXELS, TimeAxis, VERMILION, Zone, legend,
    time_label, time_range, title,
};
use crate::cli::past::{FAMILIES, Session};
use plotters::prelude::{ChartBuilder, Color, DashedLineSeries, IntoFont, LineSeries, RGBColor, Rectangle};

/// Families by number of the wire less one.
const NAMES: [(&str, RGBColor); FAMILIES] = [
    ("timezone", ORANGE),
    ("typing", GREEN),
    ("remote input", BLUE),
    ("network", PURPLE),
    ("crowd", SKY),
    ("telemetry", GREY),
];

pub(super) fn draw(
    area: &Area<'_>,
    known: &Known<'_>,
    _zone: &Zone,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let Some(past) = known.past.filter(|past| !past.sessions.is_empty()) else {
        return Ok(Some("a store keeps the standing, not its course; name the files of requests or results".into()));
    };
    let mut sessions: Vec<&Session> = past.sessions.iter().collect();
    sessions.sort_by_key(|session| session.seconds);
    let (from, to) = time_range(sessions.iter().map(|session| session.seconds));
    let spoke: Vec<usize> =
        (0..FAMILIES).filter(|family| sessions.iter().any(|session| session.families[*family].abs() >= 0.05)).collect();
    let values = sessions.iter().flat_map(|session| session.families.iter().chain([&session.evidence_log_odds]));
    let (low, high) = values
        .copied()
        .fold((0.0_f64, past.threshold_log_odds), |(low, high), value| (low.min(value), high.max(value)));
    let room = (high - low) * 0.06;
    let flag = sessions.iter().find(|session| session.flagged);
    let note = match flag {
        Some(session) => format!(
            "Nats over {} sessions; the threshold of {:.1} was first crossed on {} UTC. Shaded: flagged.",
            sessions.len(),
            past.threshold_log_odds,
            time_label(session.seconds as f64, "%Y-%m-%d %H:%M")
        ),
        None => format!(
            "Nats over {} sessions; the threshold of {:.1} was never crossed.",
            sessions.len(),
            past.threshold_log_odds
        ),
    };
    title(area, &format!("How worker {} came to stand where they stand", known.worker_id), &note)?;
    let mut names = vec![("evidence in all", BLACK), ("threshold", VERMILION)];
    names.extend(spoke.iter().map(|family| NAMES[*family]));
    legend(area, &names, 66)?;
    let (bottom, top) = (low - room, high + room);
    let mut chart = ChartBuilder::on(area)
        .margin_top(92)
        .margin_right(30)
        .margin_bottom(12)
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
        .x_desc("UTC")
        .label_style(("sans-serif", TICK_PIXELS).into_font())
        .draw()?;
    // Flagged spans, from the session that raised the flag to the one that lowered it.
    let ends = sessions.iter().skip(1).map(|next| next.seconds as f64).chain(std::iter::once(to));
    let flagged = sessions.iter().zip(ends).filter(|(session, _)| session.flagged);
    chart.draw_series(flagged.map(|(session, end)| {
        Rectangle::new([(session.seconds as f64, bottom), (end, top)], VERMILION.mix(0.08).filled())
    }))?;
    for family in spoke {
        let line = steps(&sessions, to, |session| session.families[family]);
        chart.draw_series(LineSeries::new(line, NAMES[family].1.stroke_width(2)))?;
    }
    let threshold = [(from, past.threshold_log_odds), (to, past.threshold_log_odds)];
    chart.draw_series(DashedLineSeries::new(threshold, 8, 5, VERMILION.stroke_width(2)))?;
    let all = steps(&sessions, to, |session| session.evidence_log_odds);
    chart.draw_series(LineSeries::new(all, BLACK.stroke_width(3)))?;
    Ok(None)
}

/// A value after each session, held until the next: a standing moves when a session is judged, not between.
fn steps(sessions: &[&Session], end: f64, value: impl Fn(&Session) -> f64) -> Vec<(f64, f64)> {
    let ends = sessions.iter().skip(1).map(|next| next.seconds as f64).chain([end]);
    let spans = sessions.iter().zip(ends).map(|(session, until)| (session.seconds as f64, until, value(session)));
    spans.flat_map(|(from, until, value)| [(from, value), (until, value)]).collect()
}
