//! Reactions: how late prompts were answered, session by session, beside what is expected of a hand at the machine.

use super::{
    Area, BLACK, BLUE, GREEN, GREY, Known, Mark, TICK_PIXELS, TimeAxis, Zone, axis_of, legend, time_range, title,
};
use crate::cli::past::Session;
use plotters::prelude::{ChartBuilder, Circle, Color, IntoFont, LineSeries, Polygon};

/// Answers beyond this are drawn at the edge, milliseconds: the model takes them as that too.
const LATEST_MILLIS: f64 = 2_000.0;

pub(super) fn draw(
    area: &Area<'_>,
    known: &Known<'_>,
    _zone: &Zone,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let (mut sessions, daily) = known.course();
    let asked = |session: &&Session| session.reaction_median_millis.is_some() || !session.reactions_millis.is_empty();
    sessions.retain(asked);
    if sessions.is_empty() {
        let lately = if daily { " on the days that are kept" } else { "" };
        return Ok(Some(format!("no session of this worker answered prompts{lately}")));
    }
    let (from, to) = time_range(sessions.iter().map(|session| session.seconds));
    let answers =
        sessions.iter().flat_map(|session| session.reactions_millis.iter().chain(&session.reaction_median_millis));
    let highest_band = sessions.iter().filter_map(|session| session.reaction_expected_millis).map(|(_, high)| high);
    let top = answers.copied().chain(highest_band).fold(100.0, f64::max).min(LATEST_MILLIS) * 1.08;
    let single = sessions.iter().any(|session| !session.reactions_millis.is_empty());
    let of_what = if daily { "days with prompts, the last session of each" } else { "sessions with prompts" };
    let note = format!(
        "Time from prompt to key, {} {of_what}. A relay adds its delay to every answer and takes none away.",
        sessions.len()
    );
    title(area, &format!("How fast worker {} answers prompts", known.worker_id), &note)?;
    let mut names = vec![
        ("expected of a hand at the machine (5 to 95 %)", GREEN, Mark::Band),
        ("median of a session", BLUE, Mark::Dot),
    ];
    if single {
        names.push(("single answers", BLACK, Mark::Ring));
    }
    legend(area, &names, 66)?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(92)
        .margin_right(30)
        .margin_bottom(12)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(TimeAxis::new((from, to)), 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(GREY.mix(0.0))
        .bold_line_style(GREY.mix(0.2))
        .axis_style(GREY)
        .y_label_formatter(&|millis| format!("{millis:.0} ms"))
        .y_labels(8)
        .x_desc(axis_of((from, to)))
        .label_style(("sans-serif", TICK_PIXELS).into_font())
        .draw()?;
    // The band follows the expectation, which sharpens as the worker's own past grows.
    let expected: Vec<(f64, (f64, f64))> = sessions
        .iter()
        .filter_map(|session| Some((session.seconds as f64, session.reaction_expected_millis?)))
        .collect();
    if let (Some((_, first)), Some((_, last))) = (expected.first(), expected.last()) {
        let edge = std::iter::once((from, *first)).chain(expected.iter().copied()).chain(std::iter::once((to, *last)));
        let low: Vec<(f64, f64)> = edge.clone().map(|(at, (low, _))| (at, low)).collect();
        let high: Vec<(f64, f64)> = edge.map(|(at, (_, high))| (at, high.min(top))).collect();
        let around: Vec<(f64, f64)> = low.iter().chain(high.iter().rev()).copied().collect();
        chart.draw_series([Polygon::new(around, GREEN.mix(0.22).filled())])?;
        chart.draw_series(LineSeries::new(low, GREEN.stroke_width(1)))?;
        chart.draw_series(LineSeries::new(high, GREEN.stroke_width(1)))?;
    }
    let shown = |millis: f64| millis.min(LATEST_MILLIS);
    chart.draw_series(sessions.iter().flat_map(|session| {
        let at = session.seconds as f64;
        session
            .reactions_millis
            .iter()
            .map(move |millis| Circle::new((at, shown(*millis)), 3, BLACK.mix(0.6).stroke_width(1)))
    }))?;
    chart.draw_series(sessions.iter().filter_map(|session| {
        let median = session.reaction_median_millis?;
        Some(Circle::new((session.seconds as f64, shown(median)), 4, BLUE.filled()))
    }))?;
    Ok(None)
}
