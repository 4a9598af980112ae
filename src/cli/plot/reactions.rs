//! Reactions: how late prompts were answered, session by session, beside what is expected of a hand at the machine.

use super::{Area, BLUE, GREEN, GREY, Known, ORANGE, TICK_PIXELS, TimeAxis, Zone, legend, time_range, title};
use crate::cli::past::Session;
use plotters::prelude::{ChartBuilder, Circle, Color, IntoFont, Polygon};

/// Answers beyond this are drawn at the edge, milliseconds: the model takes them as that too.
const LATEST_MILLIS: f64 = 2_000.0;

pub(super) fn draw(
    area: &Area<'_>,
    known: &Known<'_>,
    _zone: &Zone,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let Some(past) = known.past else {
        return Ok(Some("a store keeps no single reactions; name the files of requests or results".into()));
    };
    let asked = |session: &&Session| session.reaction_median_millis.is_some() || !session.reactions_millis.is_empty();
    let mut sessions: Vec<&Session> = past.sessions.iter().filter(asked).collect();
    if sessions.is_empty() {
        return Ok(Some("no session of this worker answered prompts".into()));
    }
    sessions.sort_by_key(|session| session.seconds);
    let (from, to) = time_range(sessions.iter().map(|session| session.seconds));
    let answers =
        sessions.iter().flat_map(|session| session.reactions_millis.iter().chain(&session.reaction_median_millis));
    let highest_band = sessions.iter().filter_map(|session| session.reaction_expected_millis).map(|(_, high)| high);
    let top = answers.copied().chain(highest_band).fold(100.0, f64::max).min(LATEST_MILLIS) * 1.08;
    let single = sessions.iter().any(|session| !session.reactions_millis.is_empty());
    let note = format!(
        "Time from prompt to key, {} sessions with prompts. A relay adds its delay to every answer and takes none away.",
        sessions.len()
    );
    title(area, &format!("How fast worker {} answers prompts", known.worker_id), &note)?;
    let mut names = vec![("expected of a hand at the machine (5 to 95 %)", GREEN), ("median of a session", BLUE)];
    if single {
        names.push(("single answers", ORANGE));
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
        .x_desc("UTC")
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
        let high = edge.map(|(at, (_, high))| (at, high)).rev();
        chart.draw_series([Polygon::new(low.into_iter().chain(high).collect::<Vec<_>>(), GREEN.mix(0.22).filled())])?;
    }
    let shown = |millis: f64| millis.min(LATEST_MILLIS);
    chart.draw_series(sessions.iter().flat_map(|session| {
        let at = session.seconds as f64;
        session
            .reactions_millis
            .iter()
            .map(move |millis| Circle::new((at, shown(*millis)), 3, ORANGE.mix(0.6).filled()))
    }))?;
    chart.draw_series(sessions.iter().filter_map(|session| {
        let median = session.reaction_median_millis?;
        Some(Circle::new((session.seconds as f64, shown(median)), 4, BLUE.filled()))
    }))?;
    Ok(None)
}
