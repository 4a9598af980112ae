//! Drawings of the family as SVG: weeks, errors, coverage, reliability, and what calendars tell after some months.
//!
//! Drawn are templates, rates and curves over many authors, never one author's hours.

use super::calendar::{Keeps, MONTHS};
use super::slices::{self, COUNTS, Claims, Slice, sides, with_adapted};
use super::{folds, settled};
use crate::request::Figure;
use elsewhere::evidence::timezone::Parameters;
use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::prelude::{Cartesian2d, DashedLineSeries, DrawingArea, IntoDrawingArea, LineSeries, RGBColor, WHITE};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, TextStyle};
use std::path::{Path, PathBuf};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

const WIDTH: u32 = 760;
const HEIGHT: u32 = 460;
/// Letters, pixels.
const TITLE: u32 = 18;
const SMALL: u32 = 13;
const BLACK: RGBColor = RGBColor(40, 40, 40);
const GREY: RGBColor = RGBColor(130, 130, 130);
// Colours that stay apart for all common kinds of colour vision (Okabe and Ito, 2008).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
/// Bins of a reliability curve.
const BINS: usize = 10;

/// Draws everything into a directory, which is made when it is not there.
///
/// # Errors
/// Data that cannot be read, or a file that cannot be written.
pub fn draw(data: &Path, figures: &[Figure], seed: u64, directory: &Path) -> Result<Vec<PathBuf>, String> {
    std::fs::create_dir_all(directory).map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
    let authors = settled(data)?;
    let measured = slices::measure(&folds(&authors, seed)?, &authors, seed)?;
    // The kinds of weeks as the next model will have them: aggregates over all authors.
    let everybody: Vec<_> = authors.iter().collect();
    let fitted = crate::fit::timezone::fit_authors(&everybody, seed, &Default::default())?;
    let shown: Vec<(usize, &Slice)> = [5, 20, 50, 100].iter().filter_map(|n| Some((*n, measured.get(n)?))).collect();
    let mut files = Vec::new();
    let mut save = |name: &str, draw: &dyn Fn(&Area<'_>) -> Drawn| -> Result<(), String> {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
            let drawn = area.fill(&WHITE).map_err(Into::into).and_then(|()| draw(&area));
            drawn.map_err(|error| format!("cannot draw {name}: {error}"))?;
        }
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        files.push(path);
        Ok(())
    };
    save("timezone-weeks.svg", &|area| weeks(area, &fitted))?;
    save("timezone-error.svg", &|area| errors(area, figures))?;
    save("timezone-coverage.svg", &|area| coverage(area, figures))?;
    save("timezone-belief.svg", &|area| beliefs(area, &shown))?;
    save("timezone-reliability.svg", &|area| reliability(area, &shown))?;
    save("timezone-calendar.svg", &|area| calendars(area, figures))?;
    Ok(files)
}

fn letters(pixels: u32, colour: RGBColor, across: HPos, down: VPos) -> TextStyle<'static> {
    let font = ("sans-serif", pixels).into_font();
    TextStyle { font, color: colour.to_backend_color(), pos: Pos::new(across, down) }
}

/// Title, the line under it, and a legend.
fn head(area: &Area<'_>, title: &str, note: &str, names: &[String]) -> Drawn {
    let mut style = letters(TITLE, BLACK, HPos::Left, VPos::Top);
    style.font = style.font.style(FontStyle::Bold);
    area.draw(&Text::new(title.to_string(), (16, 12), style))?;
    area.draw(&Text::new(note.to_string(), (16, 37), letters(SMALL, GREY, HPos::Left, VPos::Top)))?;
    let mut left = 16;
    for (name, colour) in names.iter().zip(COLOURS) {
        area.draw(&Rectangle::new([(left, 65), (left + 16, 70)], colour.filled()))?;
        area.draw(&Text::new(name.clone(), (left + 22, 67), letters(SMALL, BLACK, HPos::Left, VPos::Center)))?;
        // Letters are about half as wide as they are high.
        left += 40 + (name.chars().count() as f64 * f64::from(SMALL) * 0.52) as i32;
    }
    Ok(())
}

/// Axes with faint lines. Labels of the horizontal axis are drawn by [`ticks`].
fn axes<'a, 'b>(
    area: &Area<'b>,
    across: std::ops::Range<f64>,
    up: std::ops::Range<f64>,
    names: (&str, &str),
    label: &dyn Fn(&f64) -> String,
) -> Result<Chart<'a, 'b>, Box<dyn std::error::Error>> {
    let mut chart = ChartBuilder::on(area)
        .margin_left(14)
        .margin_top(86)
        .margin_right(24)
        .margin_bottom(8)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(across, up)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(GREY.mix(0.0))
        .bold_line_style(GREY.mix(0.2))
        .axis_style(GREY)
        .x_labels(0)
        .x_desc(names.0)
        .y_desc(names.1)
        .y_label_formatter(label)
        .label_style(("sans-serif", SMALL).into_font())
        .draw()?;
    Ok(chart)
}

fn ticks(area: &Area<'_>, chart: &Chart<'_, '_>, bottom: f64, labels: &[(f64, String)]) -> Drawn {
    for (at, label) in labels {
        let (across, down) = chart.backend_coord(&(*at, bottom));
        let style = letters(SMALL, BLACK, HPos::Center, VPos::Top);
        area.draw(&Text::new(label.clone(), (across, down + 6), style))?;
    }
    Ok(())
}

fn percent(rate: &f64) -> String {
    format!("{:.0} %", rate * 100.0)
}

/// The four commonest kinds of weeks.
fn weeks(area: &Area<'_>, fitted: &Parameters) -> Drawn {
    let mut kinds: Vec<_> = fitted.rhythm.templates.iter().collect();
    kinds.sort_by(|a, b| b.share.total_cmp(&a.share));
    kinds.truncate(4);
    let names: Vec<String> = kinds.iter().map(|kind| format!("{:.0} % of people", kind.share * 100.0)).collect();
    let note = format!("The four commonest of {} kinds of weeks, local time", fitted.rhythm.templates.len());
    head(area, "When sessions begin", &note, &names)?;
    let top = kinds.iter().flat_map(|kind| kind.hours.iter().copied()).fold(0.0, f64::max) * 1.05;
    let label = |share: &f64| format!("{:.1} %", share * 100.0);
    let mut chart = axes(area, 0.0..168.0, 0.0..top, ("hour of the week", "share of session starts"), &label)?;
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
        &[],
    )?;
    let label = |hours: &f64| format!("{hours:.1} h");
    let mut chart = axes(area, 0.0..COUNTS.len() as f64, 0.0..3.5, ("session starts", "mean absolute error"), &label)?;
    by_count(area, &mut chart, figures, "told_hours", 0.0)
}

fn coverage(area: &Area<'_>, figures: &[Figure]) -> Drawn {
    head(
        area,
        "How often the 90 % set holds the truth",
        "Authors left out of the fit; the band is what is asked of it",
        &[],
    )?;
    let mut chart = axes(area, 0.0..COUNTS.len() as f64, 0.75..1.0, ("session starts", "share of authors"), &percent)?;
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
        &names,
    )?;
    let names = ("probability given to an offset", "share of these that were true");
    let mut chart = axes(area, 0.0..1.0, 0.0..1.0, names, &percent)?;
    chart.draw_series(DashedLineSeries::new([(0.0, 0.0), (1.0, 1.0)], 5, 5, GREY.stroke_width(1)))?;
    for ((_, slice), colour) in slices.iter().zip(COLOURS) {
        let points = belief_bins(slice);
        chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 4, colour.filled())))?;
    }
    let labels: Vec<_> = (0..=5).map(|step| (f64::from(step) / 5.0, percent(&(f64::from(step) / 5.0)))).collect();
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

/// Nats given and observed.
fn reliability(area: &Area<'_>, slices: &[(usize, &Slice)]) -> Drawn {
    let names: Vec<String> = slices.iter().map(|(count, _)| format!("{count} starts")).collect();
    let note =
        "Authors left out, own claims against claims three hours away; a quarter of these keep the claimed hours";
    head(area, "Is a nat a nat?", note, &names)?;
    let reach = 3.5;
    let label = |nats: &f64| format!("{nats:+.0}");
    let mut chart = axes(area, -reach..reach, -reach..reach, ("nats given for elsewhere", "nats observed"), &label)?;
    chart.draw_series(DashedLineSeries::new([(-reach, -reach), (reach, reach)], 5, 5, GREY.stroke_width(1)))?;
    for ((_, slice), colour) in slices.iter().zip(COLOURS) {
        let inside = |point: &(f64, f64)| point.0.abs() <= reach && point.1.abs() <= reach;
        let points: Vec<(f64, f64)> = nat_bins(&slice.any).into_iter().filter(inside).collect();
        chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 4, colour.filled())))?;
    }
    let labels: Vec<_> = (-3..=3).map(|nats| (f64::from(nats), format!("{nats:+}"))).collect();
    ticks(area, &chart, -reach, &labels)
}

/// Mean nats given and log of the ratio observed, in bins of equal weight, both sides weighing the same.
fn nat_bins(people: &[Claims]) -> Vec<(f64, f64)> {
    let (honest, elsewhere) = sides(people, &(0..people.len()).collect::<Vec<_>>());
    let elsewhere = with_adapted(&honest, &elsewhere);
    let (one, other) = (1.0 / honest.len().max(1) as f64, 1.0 / elsewhere.len().max(1) as f64);
    let mut scores: Vec<(f64, f64, bool)> = honest.iter().map(|score| (*score, one, false)).collect();
    scores.extend(elsewhere.iter().map(|score| (*score, other, true)));
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut points = Vec::new();
    let (mut sum, mut weight, mut sides) = (0.0, 0.0, [0.0; 2]);
    for (at, &(score, share, far)) in scores.iter().enumerate() {
        sum += score * share;
        weight += share;
        sides[usize::from(far)] += share;
        let next = scores.get(at + 1).map(|next| next.0);
        if next.is_none() || (weight >= 2.0 / BINS as f64 && next != Some(score)) {
            if sides[0] > 0.0 && sides[1] > 0.0 {
                points.push((sum / weight, f64::ln(sides[1] / sides[0])));
            }
            (sum, weight, sides) = (0.0, 0.0, [0.0; 2]);
        }
    }
    points
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
        &names,
    )?;
    let mut chart =
        axes(area, 0.0..MONTHS.len() as f64, 0.0..0.8, ("months seen", "share beyond half a nat"), &percent)?;
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
        for (given, observed) in nat_bins(&[Claims { own: honest, foreign: elsewhere }]) {
            assert!((given - observed).abs() < 1e-9, "{given} {observed}");
        }
    }
}
