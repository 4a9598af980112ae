//! Drawings of the family as SVG: weeks, errors, coverage, reliability, and what calendars tell after some months.
//!
//! Drawn are templates, rates and curves over many authors, never one author's hours.

use super::calendar::{Keeps, MONTHS};
use super::slices::{self, COUNTS, Claims, Slice, sides, with_adapted};
use super::{folds, settled};
use crate::evaluate::drawing::{
    self, Album, Area, Axes, BLACK, COLOURS, Chart, Curve, Drawn, GREY, axes, head, ticks, whole_percent,
};
use crate::request::Figure;
use elsewhere::evidence::timezone::Parameters;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::prelude::{DashedLineSeries, LineSeries};
use plotters::style::Color;
use std::path::{Path, PathBuf};

/// Height of these drawings, pixels.
const HEIGHT: u32 = 460;
/// Nats a curve of given against observed is drawn to.
const NATS: f64 = 3.5;
/// Bins of a curve of beliefs.
const BINS: usize = 10;

/// Draws everything into a directory, which is made when it is not there.
///
/// # Errors
/// Data that cannot be read, or a file that cannot be written.
pub fn draw(data: &Path, figures: &[Figure], seed: u64, directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut album = Album::open(directory)?;
    let authors = settled(data)?;
    let measured = slices::measure(&folds(&authors, seed)?, &authors, seed)?;
    // The kinds of weeks as the next model will have them: aggregates over all authors.
    let everybody: Vec<_> = authors.iter().collect();
    let fitted = crate::fit::timezone::fit_authors(&everybody, seed, &Default::default())?;
    let shown: Vec<(usize, &Slice)> = [5, 20, 50, 100].iter().filter_map(|n| Some((*n, measured.get(n)?))).collect();
    album.draw("timezone-weeks.svg", HEIGHT, &|area| weeks(area, &fitted))?;
    album.draw("timezone-error.svg", HEIGHT, &|area| errors(area, figures))?;
    album.draw("timezone-coverage.svg", HEIGHT, &|area| coverage(area, figures))?;
    album.draw("timezone-belief.svg", HEIGHT, &|area| beliefs(area, &shown))?;
    album.draw("timezone-reliability.svg", HEIGHT, &|area| reliability(area, &shown))?;
    album.draw("timezone-calendar.svg", HEIGHT, &|area| calendars(area, figures))?;
    Ok(album.files())
}

/// The four commonest kinds of weeks.
fn weeks(area: &Area<'_>, fitted: &Parameters) -> Drawn {
    let mut kinds: Vec<_> = fitted.rhythm.templates.iter().collect();
    kinds.sort_by(|a, b| b.share.total_cmp(&a.share));
    kinds.truncate(4);
    let names: Vec<String> = kinds.iter().map(|kind| format!("{:.0} % of people", kind.share * 100.0)).collect();
    let note = format!("The four commonest of {} kinds of weeks, local time", fitted.rhythm.templates.len());
    head(area, "When sessions begin", &note, names.iter().map(String::as_str))?;
    let top = kinds.iter().flat_map(|kind| kind.hours.iter().copied()).fold(0.0, f64::max) * 1.05;
    let label = |share: &f64| format!("{:.1} %", share * 100.0);
    let mut chart = axes(
        area,
        0.0..168.0,
        0.0..top,
        &Axes { names: ("hour of the week", "share of session starts"), across: None, up: &label },
    )?;
    for day in 1..7 {
        let line = PathElement::new(vec![(f64::from(day) * 24.0, 0.0), (f64::from(day) * 24.0, top)], GREY.mix(0.25));
        chart.draw_series([line])?;
    }
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let labels: Vec<_> =
        days.iter().enumerate().map(|(day, name)| (day as f64 * 24.0 + 12.0, (*name).into())).collect();
    ticks(area, &chart, 0.0, &labels)?;
    for (kind, colour) in kinds.iter().zip(COLOURS) {
        let points = kind.hours.iter().enumerate().map(|(hour, share)| (hour as f64 + 0.5, *share));
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    Ok(())
}

fn value(figures: &[Figure], name: &str) -> Option<Figure> {
    figures.iter().find(|figure| figure.name == name).cloned()
}

/// Figures by count of starts, evenly spaced, with intervals.
fn by_count(area: &Area<'_>, chart: &mut Chart<'_, '_>, figures: &[Figure], statistic: &str, bottom: f64) -> Drawn {
    let mut points = Vec::new();
    for (place, count) in COUNTS.iter().enumerate() {
        let Some(figure) = value(figures, &format!("timezone.rhythm_offset_{count}.{statistic}")) else { continue };
        let at = place as f64 + 0.5;
        if let Some((low, high)) = figure.interval {
            chart.draw_series([PathElement::new(vec![(at, low), (at, high)], BLACK.stroke_width(2))])?;
        }
        points.push((at, figure.value));
    }
    chart.draw_series(LineSeries::new(points.clone(), COLOURS[0].stroke_width(2)))?;
    chart.draw_series(points.into_iter().map(|point| Circle::new(point, 4, COLOURS[0].filled())))?;
    let labels: Vec<_> = COUNTS.iter().enumerate().map(|(at, count)| (at as f64 + 0.5, count.to_string())).collect();
    ticks(area, chart, bottom, &labels)
}

fn errors(area: &Area<'_>, figures: &[Figure]) -> Drawn {
    head(
        area,
        "How far the told offset lies from the truth",
        "Authors left out of the fit; bars are 95 % intervals, authors resampled",
        [],
    )?;
    let label = |hours: &f64| format!("{hours:.1} h");
    let mut chart = axes(
        area,
        0.0..COUNTS.len() as f64,
        0.0..3.5,
        &Axes { names: ("session starts", "mean absolute error"), across: None, up: &label },
    )?;
    by_count(area, &mut chart, figures, "told_hours", 0.0)
}

fn coverage(area: &Area<'_>, figures: &[Figure]) -> Drawn {
    head(
        area,
        "How often the 90 % set holds the truth",
        "Authors left out of the fit; the band is what is asked of it",
        [],
    )?;
    let mut chart = axes(
        area,
        0.0..COUNTS.len() as f64,
        0.75..1.0,
        &Axes { names: ("session starts", "share of authors"), across: None, up: &whole_percent },
    )?;
    chart.draw_series([Rectangle::new([(0.0, 0.86), (COUNTS.len() as f64, 0.94)], GREY.mix(0.15).filled())])?;
    by_count(area, &mut chart, figures, "covered", 0.75)
}

/// Probability given to offsets and how often they were the truth.
fn beliefs(area: &Area<'_>, slices: &[(usize, &Slice)]) -> Drawn {
    let names: Vec<String> = slices.iter().map(|(count, _)| format!("{count} starts")).collect();
    head(
        area,
        "Is a belief a probability?",
        "Every offset of every author left out, in bins by the probability given",
        names.iter().map(String::as_str),
    )?;
    let names = ("probability given to an offset", "share of these that were true");
    let mut chart = axes(area, 0.0..1.0, 0.0..1.0, &Axes { names, across: None, up: &whole_percent })?;
    chart.draw_series(DashedLineSeries::new([(0.0, 0.0), (1.0, 1.0)], 5, 5, GREY.stroke_width(1)))?;
    for ((_, slice), colour) in slices.iter().zip(COLOURS) {
        let points = belief_bins(slice);
        chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 4, colour.filled())))?;
    }
    let labels: Vec<_> = (0..=5).map(|step| (f64::from(step) / 5.0, whole_percent(&(f64::from(step) / 5.0)))).collect();
    ticks(area, &chart, 0.0, &labels)
}

/// Mean probability and share true, in tenths of probability with at least ten offsets.
fn belief_bins(slice: &Slice) -> Vec<(f64, f64)> {
    let mut sums = [(0.0, 0.0, 0.0); BINS];
    for (probability, is) in slice.beliefs.iter().flatten() {
        let sum = &mut sums[((probability * BINS as f64) as usize).min(BINS - 1)];
        *sum = (sum.0 + probability, sum.1 + f64::from(u8::from(*is)), sum.2 + 1.0);
    }
    sums.iter().filter(|sum| sum.2 >= 10.0).map(|sum| (sum.0 / sum.2, sum.1 / sum.2)).collect()
}

/// Own claims against claims far away, a quarter of these keeping the claimed hours.
fn curve(count: usize, people: &[Claims]) -> Curve {
    let (own, elsewhere) = sides(people, &(0..people.len()).collect::<Vec<_>>());
    let strange = with_adapted(&own, &elsewhere);
    Curve { name: format!("{count} starts"), own, strange }
}

/// Nats given and observed.
fn reliability(area: &Area<'_>, slices: &[(usize, &Slice)]) -> Drawn {
    let note =
        "Authors left out, own claims against claims three hours away; a quarter of these keep the claimed hours";
    let curves: Vec<Curve> = slices.iter().map(|(count, slice)| curve(*count, &slice.any)).collect();
    drawing::reliability(area, ("Is a nat a nat?", note, "nats given for elsewhere"), NATS, &curves)
}

/// Who is found by free days, and who is wronged, by months.
fn calendars(area: &Area<'_>, figures: &[Figure]) -> Drawn {
    let said = |keeps: Keeps| match keeps {
        Keeps::Claimed => "as claimed",
        Keeps::Both => "as claimed, and feasts",
        Keeps::None => "works through",
        Keeps::Elsewhere => "team abroad",
        Keeps::Foreign => "lives elsewhere",
    };
    let names: Vec<String> = Keeps::ALL.into_iter().map(|keeps| said(keeps).to_string()).collect();
    head(
        area,
        "Free days: who scores beyond half a nat",
        "Simulated workers with real dates and measured rates; bars are 95 % intervals",
        names.iter().map(String::as_str),
    )?;
    let mut chart = axes(
        area,
        0.0..MONTHS.len() as f64,
        0.0..0.8,
        &Axes { names: ("months seen", "share beyond half a nat"), across: None, up: &whole_percent },
    )?;
    for (place, months) in MONTHS.iter().enumerate() {
        for (kind, (keeps, colour)) in Keeps::ALL.into_iter().zip(COLOURS).enumerate() {
            let name = format!("timezone.calendar_workers_{months}_{}.over_0_5", keeps.name());
            let Some(figure) = value(figures, &name) else { continue };
            let left = place as f64 + 0.1 + kind as f64 * 0.16;
            chart.draw_series([Rectangle::new([(left, 0.0), (left + 0.13, figure.value)], colour.filled())])?;
            if let Some((low, high)) = figure.interval {
                let middle = left + 0.065;
                chart.draw_series([PathElement::new(vec![(middle, low), (middle, high)], BLACK.stroke_width(2))])?;
            }
        }
    }
    let labels: Vec<_> = MONTHS.iter().enumerate().map(|(at, months)| (at as f64 + 0.5, months.to_string())).collect();
    ticks(area, &chart, 0.0, &labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_belief_that_is_a_probability_lies_on_the_diagonal() {
        let beliefs = vec![[vec![(0.75, true); 3], vec![(0.75, false); 1]].concat(); 5];
        assert_eq!(belief_bins(&Slice { beliefs, ..Slice::default() }), vec![(0.75, 0.75)]);
    }

    #[test]
    fn a_ratio_that_is_true_lies_on_the_diagonal() {
        let honest = [vec![-(3.0f64.ln()); 30], vec![3.0f64.ln(); 10]].concat();
        // Three quarters of the others alone, so that with the adapted quarter one in four scores low: (x + 30) / 160.
        let elsewhere = [vec![-(3.0f64.ln()); 10], vec![3.0f64.ln(); 110]].concat();
        let Curve { own, strange, .. } = curve(50, &[Claims { own: honest, foreign: elsewhere }]);
        for (given, observed) in drawing::bins(&own, &strange) {
            assert!((given - observed).abs() < 1e-9, "{given} {observed}");
        }
    }
}
