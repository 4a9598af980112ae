//! What all drawings of the pages share: size, colours, heading, axes, and the curve that shows whether a nat is a nat.

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{Circle, Rectangle, Text};
use plotters::prelude::{Cartesian2d, DashedLineSeries, DrawingArea, IntoDrawingArea, LineSeries, RGBColor, WHITE};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, TextStyle};
use std::ops::Range;
use std::path::{Path, PathBuf};

pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
pub type Failure = Box<dyn std::error::Error>;
pub type Drawn = Result<(), Failure>;

/// Width of a drawing, pixels.
const WIDTH: u32 = 760;
/// Usual height, pixels.
pub const HEIGHT: u32 = 520;
/// Letters, pixels.
const TITLE: u32 = 18;
pub const SMALL: u32 = 13;
pub const BLACK: RGBColor = RGBColor(40, 40, 40);
pub const GREY: RGBColor = RGBColor(130, 130, 130);
/// Colours that stay apart for all common kinds of colour vision (Okabe and Ito, 2008).
pub const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// Drawings on their way into a directory.
pub struct Album<'a> {
    directory: &'a Path,
    files: Vec<PathBuf>,
}

impl<'a> Album<'a> {
    /// Opens a directory, which is made when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(directory: &'a Path) -> Result<Self, String> {
        std::fs::create_dir_all(directory).map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
        Ok(Self { directory, files: Vec::new() })
    }

    /// Draws one and writes it down.
    ///
    /// # Errors
    /// What cannot be drawn, or a file that cannot be written.
    pub fn draw(&mut self, name: &str, height: u32, draw: &dyn Fn(&Area<'_>) -> Drawn) -> Result<(), String> {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
            let drawn = area.fill(&WHITE).map_err(Into::into).and_then(|()| draw(&area));
            drawn.map_err(|error| format!("cannot draw {name}: {error}"))?;
        }
        let path = self.directory.join(name);
        std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        self.files.push(path);
        Ok(())
    }

    /// The files written.
    pub fn files(self) -> Vec<PathBuf> {
        self.files
    }
}

/// A text style.
pub fn letters(pixels: u32, colour: RGBColor, across: HPos, down: VPos) -> TextStyle<'static> {
    let font = ("sans-serif", pixels).into_font();
    TextStyle { font, color: colour.to_backend_color(), pos: Pos::new(across, down) }
}

/// Title, the line under it, and a legend in [`COLOURS`].
pub fn head<'n>(area: &Area<'_>, title: &str, note: &str, names: impl IntoIterator<Item = &'n str>) -> Drawn {
    let mut style = letters(TITLE, BLACK, HPos::Left, VPos::Top);
    style.font = style.font.style(FontStyle::Bold);
    area.draw(&Text::new(title.to_string(), (16, 12), style))?;
    area.draw(&Text::new(note.to_string(), (16, 37), letters(SMALL, GREY, HPos::Left, VPos::Top)))?;
    let mut left = 16;
    for (name, colour) in names.into_iter().zip(COLOURS) {
        area.draw(&Rectangle::new([(left, 65), (left + 16, 70)], colour.filled()))?;
        let beside = letters(SMALL, BLACK, HPos::Left, VPos::Center);
        area.draw(&Text::new(name.to_string(), (left + 22, 67), beside))?;
        // Letters are about half as wide as they are high.
        left += 40 + (name.chars().count() as f64 * f64::from(SMALL) * 0.52) as i32;
    }
    Ok(())
}

/// A rate as a label.
pub fn percent(rate: f64) -> String {
    let percent = rate * 100.0;
    if percent < 1.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// A rate as a label of an axis whose steps are whole.
pub fn whole_percent(rate: &f64) -> String {
    format!("{:.0} %", rate * 100.0)
}

/// The plane under the heading.
///
/// # Errors
/// What the backend says.
pub fn plane<'a, 'b>(area: &Area<'b>, across: Range<f64>, up: Range<f64>) -> Result<Chart<'a, 'b>, Failure> {
    let mut chart = ChartBuilder::on(area);
    chart.margin_left(14).margin_top(86).margin_right(24).margin_bottom(8).x_label_area_size(44).y_label_area_size(64);
    Ok(chart.build_cartesian_2d(across, up)?)
}

/// How a plane's axes are named and labelled.
pub struct Axes<'c> {
    /// Of the horizontal one and of the vertical one.
    pub names: (&'c str, &'c str),
    /// Labels of the horizontal axis; absent where [`ticks`] draws them.
    pub across: Option<&'c dyn Fn(&f64) -> String>,
    /// Labels of the vertical axis.
    pub up: &'c dyn Fn(&f64) -> String,
}

/// A plane with axes and faint lines.
///
/// # Errors
/// What the backend says.
pub fn axes<'a, 'b>(
    area: &Area<'b>,
    across: Range<f64>,
    up: Range<f64>,
    axes: &Axes<'_>,
) -> Result<Chart<'a, 'b>, Failure> {
    let mut chart = plane(area, across, up)?;
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(GREY.mix(0.0))
        .bold_line_style(GREY.mix(0.2))
        .axis_style(GREY)
        .x_desc(axes.names.0)
        .y_desc(axes.names.1)
        .y_label_formatter(axes.up)
        .label_style(("sans-serif", SMALL).into_font());
    match axes.across {
        Some(label) => mesh.x_label_formatter(label),
        None => mesh.disable_x_mesh().x_labels(0),
    };
    mesh.draw()?;
    Ok(chart)
}

/// Labels of the horizontal axis at chosen places.
///
/// # Errors
/// What the backend says.
pub fn ticks(area: &Area<'_>, chart: &Chart<'_, '_>, bottom: f64, labels: &[(f64, String)]) -> Drawn {
    for (at, label) in labels {
        let (across, down) = chart.backend_coord(&(*at, bottom));
        let style = letters(SMALL, BLACK, HPos::Center, VPos::Top);
        area.draw(&Text::new(label.clone(), (across, down + 6), style))?;
    }
    Ok(())
}

/// Points at least so far apart that they can be told apart, the last kept.
pub fn thinned(points: Vec<(f64, f64)>, apart: f64) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for point in &points {
        if kept.last().is_none_or(|last| (last.0 - point.0).abs() + (last.1 - point.1).abs() >= apart) {
            kept.push(*point);
        }
    }
    kept.extend(points.last().filter(|last| kept.last() != Some(last)));
    kept
}

/// Scores of one kind, nats.
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Scores of what is as claimed.
    pub own: Vec<f64>,
    /// Scores of what is not.
    pub strange: Vec<f64>,
}

/// Bins of a curve of given against observed nats.
const BINS: usize = 12;

/// Given and observed log-likelihood ratios, nats, over bins of equal weight; both sides weigh the same.
pub fn bins(own: &[f64], strange: &[f64]) -> Vec<(f64, f64)> {
    // Each side weighs as much as the other, however often it was tried.
    let (one, other) = (1.0 / own.len().max(1) as f64, 1.0 / strange.len().max(1) as f64);
    let mut scores: Vec<(f64, f64, bool)> = own.iter().map(|score| (*score, one, false)).collect();
    scores.extend(strange.iter().map(|score| (*score, other, true)));
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut points = Vec::new();
    let (mut sum, mut weight, mut sides) = (0.0, 0.0, [0.0f64; 2]);
    for (at, &(score, share, strange)) in scores.iter().enumerate() {
        sum += score * share;
        weight += share;
        sides[usize::from(strange)] += share;
        // Equal scores share a bin: cut apart, one part would hold a side alone.
        let next = scores.get(at + 1).map(|next| next.0);
        if next.is_none() || (weight >= 2.0 / BINS as f64 && next != Some(score)) {
            if sides[0] > 0.0 && sides[1] > 0.0 {
                points.push((sum / weight, (sides[1] / sides[0]).ln()));
            }
            (sum, weight, sides) = (0.0, 0.0, [0.0; 2]);
        }
    }
    points
}

/// Nats given against nats observed, up to `reach` either way; calibrated scores lie on the dashed line.
///
/// # Errors
/// What the backend says.
pub fn reliability(area: &Area<'_>, (title, note, given): (&str, &str, &str), reach: f64, curves: &[Curve]) -> Drawn {
    head(area, title, note, curves.iter().map(|curve| curve.name.as_str()))?;
    let label = |nats: &f64| format!("{nats:+.0}");
    let named = Axes { names: (given, "nats observed"), across: Some(&label), up: &label };
    let mut chart = axes(area, -reach..reach, -reach..reach, &named)?;
    chart.draw_series(DashedLineSeries::new([(-reach, -reach), (reach, reach)], 5, 5, GREY.stroke_width(1)))?;
    for (curve, colour) in curves.iter().zip(COLOURS) {
        let inside = |point: &(f64, f64)| point.0.abs() <= reach && point.1.abs() <= reach;
        let points: Vec<(f64, f64)> = bins(&curve.own, &curve.strange).into_iter().filter(inside).collect();
        chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 4, colour.filled())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_that_are_true_ratios_lie_on_the_diagonal() {
        // Of four own logins one scores +1.1 = ln 3, of four strangers three do: the odds there are three to one.
        let own = [vec![-(3.0f64.ln()); 30], vec![3.0f64.ln(); 10]].concat();
        let strange = [vec![-(3.0f64.ln()); 10], vec![3.0f64.ln(); 30]].concat();
        let points = bins(&own, &strange);
        assert_eq!(points.len(), 2);
        for (given, observed) in points {
            assert!((given - observed).abs() < 1e-9, "{given} {observed}");
        }
    }

    #[test]
    fn points_too_near_to_be_told_apart_are_left_out_but_the_last() {
        let points: Vec<(f64, f64)> = (0..=100).map(|at| (f64::from(at) / 1_000.0, 0.0)).collect();
        let kept = thinned(points, 0.03);
        assert_eq!(
            kept.iter().map(|point| (point.0 * 1_000.0).round() as i32).collect::<Vec<_>>(),
            [0, 30, 60, 90, 100]
        );
    }
}
