//! Drawings of the family's figures as SVG: trade-offs, reliability by slice, fairness, machines found.
//!
//! Drawn are curves and rates over many people, never a person's scores.

use super::{NewScorer, Sides, fairness, pooled, run, sides};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Typist};
use crate::corpus::machine_typing::MachineKind;
use crate::metrics;
use crate::request::{Figure, Request};
use elsewhere::evidence::feature::Finding;
use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::prelude::{DashedLineSeries, DrawingArea, IntoDrawingArea, LineSeries, RGBColor, WHITE};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, TextStyle};
use std::path::{Path, PathBuf};

pub(in crate::evaluate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(in crate::evaluate) type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Size of a drawing, pixels.
pub(in crate::evaluate) const WIDTH: u32 = 760;
pub(in crate::evaluate) const HEIGHT: u32 = 520;
/// Letters, pixels.
const TITLE: u32 = 18;
pub(in crate::evaluate) const SMALL: u32 = 13;
// Colours that stay apart for all common kinds of colour vision (Okabe and Ito, 2008).
pub(in crate::evaluate) const BLACK: RGBColor = RGBColor(40, 40, 40);
pub(in crate::evaluate) const GREY: RGBColor = RGBColor(130, 130, 130);
pub(in crate::evaluate) const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
/// Points kept of a curve: more than the drawing has pixels along it are of no use.
const CURVE_POINTS: usize = 160;
/// Rates drawn of a trade-off.
const RATE_LOW: f64 = 0.002;
const RATE_HIGH: f64 = 0.6;
/// Rates that are labelled.
const RATE_TICKS: [f64; 8] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4];
/// Bins of a reliability curve, and nats it is drawn to.
const BINS: usize = 12;
pub(in crate::evaluate) const NATS: f64 = 7.0;

/// A named set of scores.
pub(in crate::evaluate) struct Slice {
    pub(in crate::evaluate) name: String,
    pub(in crate::evaluate) people: Vec<Sides>,
}

/// Draws everything into a directory, which is made when it is not there. `figures` are those of the family.
///
/// # Errors
/// Data that cannot be read, or a file that cannot be written.
pub fn draw(
    data: &Path,
    new_scorer: &mut NewScorer<'_>,
    figures: &[Figure],
    directory: &Path,
) -> Result<Vec<PathBuf>, String> {
    std::fs::create_dir_all(directory).map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
    let cmu = corpus::read(data, KeystrokeSet::Cmu)?;
    let aalto = corpus::read(data, KeystrokeSet::Aalto)?;
    let (ages, online, clocks) = phrases(&cmu, new_scorer)?;
    let tables = tables(&aalto, new_scorer)?;
    let mut files = Vec::new();
    let mut save = |name: &str, height: u32, draw: &dyn Fn(&Area<'_>) -> Drawn| -> Result<(), String> {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
            let drawn = area.fill(&WHITE).map_err(Into::into).and_then(|()| draw(&area));
            drawn.map_err(|error| format!("cannot draw {name}: {error}"))?;
        }
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        files.push(path);
        Ok(())
    };
    let shown: Vec<&Slice> = online.iter().chain(&ages).collect();
    save("typing-det-phrase.svg", HEIGHT, &|area| {
        trade_off(
            area,
            "Fixed phrase at login: errors at one threshold for everybody",
            "CMU development half, 26 people, through the whole pipeline; strangers had practised",
            &shown,
        )
    })?;
    save("typing-det-table.svg", HEIGHT, &|area| {
        trade_off(
            area,
            "Tables of free typing: errors at one threshold for everybody",
            "Aalto development part, one sitting per person, people the model has not seen",
            &tables.iter().collect::<Vec<_>>(),
        )
    })?;
    save("typing-reliability-clock.svg", HEIGHT, &|area| {
        reliability(
            area,
            "Is a nat a nat? Phrases by clock",
            "CMU, online protocol, stamps floored; every point an equal share of all scores",
            &clocks,
        )
    })?;
    save("typing-reliability-age.svg", HEIGHT, &|area| {
        reliability(
            area,
            "Is a nat a nat? Phrases by age of the profile",
            "CMU, the ten logins right after enrolment",
            &ages,
        )
    })?;
    save("typing-reliability-length.svg", HEIGHT, &|area| {
        reliability(area, "Is a nat a nat? Tables by length", "Aalto, people the model has not seen", &tables)
    })?;
    save("typing-fairness.svg", HEIGHT, &|area| fifths(area, figures))?;
    save("typing-machines.svg", HEIGHT, &|area| machines(area, figures))?;
    Ok(files)
}

fn slice(
    name: &str,
    requests: Vec<Request>,
    finding: Finding,
    new_scorer: &mut NewScorer<'_>,
    joined: usize,
) -> Result<Slice, String> {
    Ok(Slice { name: name.into(), people: sides(&run(new_scorer().as_mut(), requests, finding)?, joined) })
}

/// Slices of phrases: by age of the profile, in the long run, and by clock.
type PhraseSlices = (Vec<Slice>, Vec<Slice>, Vec<Slice>);

/// Phrases by age of the profile, in the long run, and by clock.
fn phrases(cmu: &[Typist], new_scorer: &mut NewScorer<'_>) -> Result<PhraseSlices, String> {
    let phrase = Finding::TypingPhrase;
    let mut ages = Vec::new();
    for enrol in [3, 10, 50] {
        let requests = convert::enrolled_requests(cmu, KeystrokeSet::Cmu, enrol, 10, 60);
        ages.push(slice(&format!("after {enrol} logins"), requests, phrase, new_scorer, 1)?);
    }
    let requests = || convert::online_requests(cmu, KeystrokeSet::Cmu, 10, 60);
    let online = vec![
        slice("from login 60 on", requests(), phrase, new_scorer, 1)?,
        slice("mean of five such logins", requests(), phrase, new_scorer, 5)?,
    ];
    let mut clocks = Vec::new();
    for millis in [1, 16, 33, 100] {
        let mut requests = requests();
        convert::set_clock(&mut requests, millis * 1_000);
        clocks.push(slice(&format!("{millis} ms"), requests, phrase, new_scorer, 1)?);
    }
    Ok((ages, online, clocks))
}

/// Tables by presses enrolled and tried.
fn tables(aalto: &[Typist], new_scorer: &mut NewScorer<'_>) -> Result<Vec<Slice>, String> {
    let mut slices = Vec::new();
    for (presses, enrol) in [(200, 1), (200, 2), (300, 1)] {
        let requests = convert::table_requests(aalto, KeystrokeSet::Aalto, presses, enrol, 20);
        let name = format!("{presses} presses after {}", presses * enrol);
        slices.push(slice(&name, requests, Finding::TypingTable, new_scorer, 1)?);
    }
    Ok(slices)
}

/// A text style.
pub(in crate::evaluate) fn letters(pixels: u32, colour: RGBColor, across: HPos, down: VPos) -> TextStyle<'static> {
    let font = ("sans-serif", pixels).into_font();
    TextStyle { font, color: colour.to_backend_color(), pos: Pos::new(across, down) }
}

/// Title, the line under it, and a legend.
pub(in crate::evaluate) fn head(area: &Area<'_>, title: &str, note: &str, names: &[(String, RGBColor)]) -> Drawn {
    let mut style = letters(TITLE, BLACK, HPos::Left, VPos::Top);
    style.font = style.font.style(FontStyle::Bold);
    area.draw(&Text::new(title.to_string(), (16, 12), style))?;
    area.draw(&Text::new(note.to_string(), (16, 37), letters(SMALL, GREY, HPos::Left, VPos::Top)))?;
    let mut left = 16;
    for (name, colour) in names {
        area.draw(&Rectangle::new([(left, 65), (left + 16, 70)], colour.filled()))?;
        area.draw(&Text::new(name.clone(), (left + 22, 67), letters(SMALL, BLACK, HPos::Left, VPos::Center)))?;
        // Letters are about half as wide as they are high.
        left += 40 + (name.chars().count() as f64 * f64::from(SMALL) * 0.52) as i32;
    }
    Ok(())
}

fn legend(slices: &[&Slice]) -> Vec<(String, RGBColor)> {
    slices.iter().zip(COLOURS).map(|(slice, colour)| (slice.name.clone(), colour)).collect()
}

/// The normal deviate of a rate in (0, 1), to 4.5e-4: Abramowitz and Stegun 26.2.23.
fn deviate(rate: f64) -> f64 {
    if rate > 0.5 {
        return -deviate(1.0 - rate);
    }
    let t = (-2.0 * rate.max(1e-12).ln()).sqrt();
    let above = 2.515517 + t * (0.802853 + t * 0.010328);
    let below = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    above / below - t
}

pub(in crate::evaluate) fn percent(rate: f64) -> String {
    let percent = rate * 100.0;
    if percent < 1.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// A detection error trade-off on normal-deviate axes (Martin et al., Eurospeech 1997): normal scores give lines.
pub(in crate::evaluate) fn trade_off(area: &Area<'_>, title: &str, note: &str, slices: &[&Slice]) -> Drawn {
    head(area, title, note, &legend(slices))?;
    let range = deviate(RATE_LOW)..deviate(RATE_HIGH);
    let mut chart = ChartBuilder::on(area)
        .margin_left(14)
        .margin_top(86)
        .margin_right(24)
        .margin_bottom(8)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(range.clone(), range.clone())?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(0)
        .y_labels(0)
        .axis_style(GREY)
        .x_desc("strangers taken for the worker (FMR)")
        .y_desc("the worker refused (FNMR)")
        .label_style(("sans-serif", SMALL).into_font())
        .draw()?;
    for rate in RATE_TICKS {
        let at = deviate(rate);
        let faint = GREY.mix(0.25).stroke_width(1);
        chart.draw_series([
            PathElement::new(vec![(at, range.start), (at, range.end)], faint),
            PathElement::new(vec![(range.start, at), (range.end, at)], faint),
        ])?;
        let (across, bottom) = chart.backend_coord(&(at, range.start));
        area.draw(&Text::new(percent(rate), (across, bottom + 6), letters(SMALL, BLACK, HPos::Center, VPos::Top)))?;
        let (left, down) = chart.backend_coord(&(range.start, at));
        area.draw(&Text::new(percent(rate), (left - 6, down), letters(SMALL, BLACK, HPos::Right, VPos::Center)))?;
    }
    chart.draw_series(DashedLineSeries::new(
        [(range.start, range.start), (range.end, range.end)],
        5,
        5,
        GREY.stroke_width(1),
    ))?;
    for (slice, colour) in slices.iter().zip(COLOURS) {
        let everybody: Vec<usize> = (0..slice.people.len()).collect();
        let (mated, non_mated) = pooled(&slice.people, &everybody);
        let points = metrics::roc(&mated, &non_mated);
        // A stranger under the threshold is taken for the worker.
        let errors = points.into_iter().map(|(refused, caught)| (1.0 - caught, refused));
        let inside = |rate: &f64| (RATE_LOW..RATE_HIGH).contains(rate);
        let kept: Vec<(f64, f64)> =
            errors.filter(|(x, y)| inside(x) && inside(y)).map(|(x, y)| (deviate(x), deviate(y))).collect();
        chart.draw_series(LineSeries::new(thinned(kept), colour.stroke_width(2)))?;
    }
    Ok(())
}

/// Points at least a pixel or so apart, the last kept.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let reach = (deviate(RATE_HIGH) - deviate(RATE_LOW)) * 2.0 / CURVE_POINTS as f64;
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for point in &points {
        let far = kept.last().is_none_or(|last| (last.0 - point.0).abs() + (last.1 - point.1).abs() >= reach);
        if far {
            kept.push(*point);
        }
    }
    kept.extend(points.last().filter(|last| kept.last() != Some(last)));
    kept
}

/// Given and observed log-likelihood ratios, nats, over bins of equally many scores of both sides.
pub(in crate::evaluate) fn bins(people: &[Sides]) -> Vec<(f64, f64)> {
    let everybody: Vec<usize> = (0..people.len()).collect();
    let (mated, non_mated) = pooled(people, &everybody);
    // Each side weighs as much as the other, however often it was tried.
    let (own, strange) = (1.0 / mated.len().max(1) as f64, 1.0 / non_mated.len().max(1) as f64);
    let mut scores: Vec<(f64, f64, bool)> = mated.iter().map(|score| (*score, own, false)).collect();
    scores.extend(non_mated.iter().map(|score| (*score, strange, true)));
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut points = Vec::new();
    let (mut sum, mut weight, mut sides) = (0.0, 0.0, [0.0; 2]);
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

pub(in crate::evaluate) fn reliability(area: &Area<'_>, title: &str, note: &str, slices: &[Slice]) -> Drawn {
    head(area, title, note, &legend(&slices.iter().collect::<Vec<_>>()))?;
    let mut chart = ChartBuilder::on(area)
        .margin_left(14)
        .margin_top(86)
        .margin_right(24)
        .margin_bottom(8)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(-NATS..NATS, -NATS..NATS)?;
    chart
        .configure_mesh()
        .light_line_style(GREY.mix(0.0))
        .bold_line_style(GREY.mix(0.2))
        .axis_style(GREY)
        .x_desc("nats given for a stranger")
        .y_desc("nats observed")
        .label_style(("sans-serif", SMALL).into_font())
        .x_label_formatter(&|nats| format!("{nats:+.0}"))
        .y_label_formatter(&|nats| format!("{nats:+.0}"))
        .draw()?;
    chart.draw_series(DashedLineSeries::new([(-NATS, -NATS), (NATS, NATS)], 5, 5, GREY.stroke_width(1)))?;
    for (slice, colour) in slices.iter().zip(COLOURS) {
        let inside = |point: &(f64, f64)| point.0.abs() <= NATS && point.1.abs() <= NATS;
        let points: Vec<(f64, f64)> = bins(&slice.people).into_iter().filter(inside).collect();
        chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 4, colour.filled())))?;
    }
    Ok(())
}

fn value(figures: &[Figure], name: &str) -> Option<Figure> {
    figures.iter().find(|figure| figure.name == name).cloned()
}

/// Own logins refused by fifth of speed and of errors, with intervals.
fn fifths(area: &Area<'_>, figures: &[Figure]) -> Drawn {
    let names = ["slowest, or fewest errors", "second", "middle", "fourth", "fastest, or most errors"];
    let shades: Vec<(String, RGBColor)> =
        names.iter().zip(COLOURS).map(|(name, colour)| ((*name).to_string(), colour)).collect();
    head(
        area,
        "Own typing refused, by fifth of people",
        "At the threshold 5 % of strangers pass; bars are 95 % intervals, people resampled",
        &shades,
    )?;
    let groups =
        [("phrase_speed", "phrase by speed"), ("table_speed", "table by speed"), ("table_errors", "table by errors")];
    let of =
        |group: &str, fifth: usize| value(figures, &format!("typing.fairness_{group}_{}.fnmr_at_fmr_5", fifth + 1));
    let reach = |figure: &Figure| figure.interval.map_or(figure.value, |(_, high)| high);
    let all = groups.iter().flat_map(|(group, _)| (0..fairness::FIFTHS).filter_map(|fifth| of(group, fifth)));
    let top = all.map(|figure| reach(&figure)).fold(0.02, f64::max) * 1.08;
    let mut chart = ChartBuilder::on(area)
        .margin_left(14)
        .margin_top(86)
        .margin_right(24)
        .margin_bottom(8)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..groups.len() as f64, 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(GREY.mix(0.0))
        .bold_line_style(GREY.mix(0.2))
        .axis_style(GREY)
        .x_labels(0)
        .y_desc("FNMR")
        .y_label_formatter(&|rate| percent(*rate))
        .label_style(("sans-serif", SMALL).into_font())
        .draw()?;
    for (place, (group, label)) in groups.iter().enumerate() {
        for (fifth, colour) in COLOURS.iter().enumerate().take(fairness::FIFTHS) {
            let Some(figure) = of(group, fifth) else { continue };
            let left = place as f64 + 0.1 + fifth as f64 * 0.16;
            let bar = Rectangle::new([(left, 0.0), (left + 0.13, figure.value)], colour.filled());
            chart.draw_series([bar])?;
            if let Some((low, high)) = figure.interval {
                let middle = left + 0.065;
                chart.draw_series([PathElement::new(vec![(middle, low), (middle, high)], BLACK.stroke_width(2))])?;
            }
        }
        let (across, bottom) = chart.backend_coord(&(place as f64 + 0.5, 0.0));
        area.draw(&Text::new(
            (*label).to_string(),
            (across, bottom + 10),
            letters(SMALL, BLACK, HPos::Center, VPos::Top),
        ))?;
    }
    Ok(())
}

/// Machines named, by kind and length.
fn machines(area: &Area<'_>, figures: &[Figure]) -> Drawn {
    let lengths = [8, 11, 30, 100];
    let names: Vec<(String, RGBColor)> =
        lengths.iter().zip(COLOURS).map(|(length, colour)| (format!("{length} presses"), colour)).collect();
    head(
        area,
        "Typing named as machine-made, by kind and length",
        "Generated over 300 people of Aalto, clock of 1 ms; the last two are people behind a delaying tool",
        &names,
    )?;
    let rows = MachineKind::ALL.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin_left(14)
        .margin_top(86)
        .margin_right(30)
        .margin_bottom(8)
        .x_label_area_size(44)
        .y_label_area_size(150)
        .build_cartesian_2d(-0.02..1.02, 0.0..rows)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(GREY.mix(0.0))
        .bold_line_style(GREY.mix(0.2))
        .axis_style(GREY)
        .y_labels(0)
        .x_desc("share of stretches named")
        .x_label_formatter(&|rate| percent(*rate).replace("0.0 %", "0 %"))
        .label_style(("sans-serif", SMALL).into_font())
        .draw()?;
    for (row, kind) in MachineKind::ALL.into_iter().enumerate() {
        let middle = rows - row as f64 - 0.5;
        chart.draw_series([PathElement::new(vec![(0.0, middle), (1.0, middle)], GREY.mix(0.2).stroke_width(1))])?;
        let (left, down) = chart.backend_coord(&(-0.02, middle));
        let label = kind.name().replace('_', " ");
        area.draw(&Text::new(label, (left - 8, down), letters(SMALL, BLACK, HPos::Right, VPos::Center)))?;
        for (at, (length, colour)) in lengths.iter().zip(COLOURS).enumerate() {
            let Some(figure) = value(figures, &format!("typing.machine_{}_{length}.named_rate", kind.name())) else {
                continue;
            };
            let height = middle + (1.5 - at as f64) * 0.18;
            if let Some((low, high)) = figure.interval {
                chart.draw_series([PathElement::new(vec![(low, height), (high, height)], colour.stroke_width(2))])?;
            }
            chart.draw_series([Circle::new((figure.value, height), 4, colour.filled())])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviates_are_those_of_the_tables() {
        for (rate, expected) in [(0.5, 0.0), (0.025, -1.96), (0.01, -2.326), (0.9, 1.2816)] {
            assert!((deviate(rate) - expected).abs() < 1e-3, "{rate}");
        }
    }

    #[test]
    fn scores_that_are_true_ratios_lie_on_the_diagonal() {
        // Of four own logins one scores +1.1 = ln 3, of four strangers three do: the odds there are three to one.
        let mated = [vec![-(3.0f64.ln()); 30], vec![3.0f64.ln(); 10]].concat();
        let non_mated = [vec![-(3.0f64.ln()); 10], vec![3.0f64.ln(); 30]].concat();
        for (given, observed) in bins(&[Sides { mated, non_mated }]) {
            assert!(given * observed > 0.0, "{given} {observed}");
        }
    }
}
