//! Drawings of the family's figures as SVG: trade-offs, reliability by slice, fairness, machines found.
//!
//! Drawn are curves and rates over many people, never a person's scores.

use super::{NewScorer, Sides, fairness, pooled, run, sides};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Typist};
use crate::corpus::machine_typing::MachineKind;
use crate::evaluate::drawing::{
    self, Album, Area, BLACK, COLOURS, Curve, Drawn, GREY, HEIGHT, SMALL, head, letters, percent, plane, thinned,
};
use crate::metrics;
use crate::request::{Figure, Request};
use elsewhere::evidence::feature::Finding;
use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::prelude::{DashedLineSeries, LineSeries};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, IntoFont};
use std::path::{Path, PathBuf};

/// Points kept of a curve: more than the drawing has pixels along it are of no use.
const CURVE_POINTS: usize = 160;
/// Rates drawn of a trade-off.
const RATE_LOW: f64 = 0.002;
const RATE_HIGH: f64 = 0.6;
/// Rates that are labelled.
const RATE_TICKS: [f64; 8] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4];
/// Nats a curve of given against observed is drawn to.
const NATS: f64 = 7.0;

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
    let mut album = Album::open(directory)?;
    let cmu = corpus::read(data, KeystrokeSet::Cmu)?;
    let aalto = corpus::read(data, KeystrokeSet::Aalto)?;
    let (ages, online, clocks) = phrases(&cmu, new_scorer)?;
    let tables = tables(&aalto, new_scorer)?;
    let shown: Vec<&Slice> = online.iter().chain(&ages).collect();
    album.draw("typing-det-phrase.svg", HEIGHT, &|area| {
        trade_off(
            area,
            "Fixed phrase at login: errors at one threshold for everybody",
            "CMU development half, 26 people, through the whole pipeline; strangers had practised",
            &shown,
        )
    })?;
    album.draw("typing-det-table.svg", HEIGHT, &|area| {
        trade_off(
            area,
            "Tables of free typing: errors at one threshold for everybody",
            "Aalto development part, one sitting per person, people the model has not seen",
            &tables.iter().collect::<Vec<_>>(),
        )
    })?;
    album.draw("typing-reliability-clock.svg", HEIGHT, &|area| {
        reliability(
            area,
            "Is a nat a nat? Phrases by clock",
            "CMU, online protocol, stamps floored; every point an equal share of all scores",
            &clocks,
        )
    })?;
    album.draw("typing-reliability-age.svg", HEIGHT, &|area| {
        reliability(
            area,
            "Is a nat a nat? Phrases by age of the profile",
            "CMU, the ten logins right after enrolment",
            &ages,
        )
    })?;
    album.draw("typing-reliability-length.svg", HEIGHT, &|area| {
        reliability(area, "Is a nat a nat? Tables by length", "Aalto, people the model has not seen", &tables)
    })?;
    album.draw("typing-fairness.svg", HEIGHT, &|area| fifths(area, figures))?;
    album.draw("typing-machines.svg", HEIGHT, &|area| machines(area, figures))?;
    Ok(album.files())
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

/// A detection error trade-off on normal-deviate axes (Martin et al., Eurospeech 1997): normal scores give lines.
pub(in crate::evaluate) fn trade_off(area: &Area<'_>, title: &str, note: &str, slices: &[&Slice]) -> Drawn {
    head(area, title, note, slices.iter().map(|slice| slice.name.as_str()))?;
    let range = deviate(RATE_LOW)..deviate(RATE_HIGH);
    let mut chart = plane(area, range.clone(), range.clone())?;
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
    // A pixel or so.
    let apart = (range.end - range.start) * 2.0 / CURVE_POINTS as f64;
    for (slice, colour) in slices.iter().zip(COLOURS) {
        let everybody: Vec<usize> = (0..slice.people.len()).collect();
        let (mated, non_mated) = pooled(&slice.people, &everybody);
        let points = metrics::roc(&mated, &non_mated);
        // A stranger under the threshold is taken for the worker.
        let errors = points.into_iter().map(|(refused, caught)| (1.0 - caught, refused));
        let inside = |rate: &f64| (RATE_LOW..RATE_HIGH).contains(rate);
        let kept: Vec<(f64, f64)> =
            errors.filter(|(x, y)| inside(x) && inside(y)).map(|(x, y)| (deviate(x), deviate(y))).collect();
        chart.draw_series(LineSeries::new(thinned(kept, apart), colour.stroke_width(2)))?;
    }
    Ok(())
}

/// Whether a nat is a nat, by slice.
pub(in crate::evaluate) fn reliability(area: &Area<'_>, title: &str, note: &str, slices: &[Slice]) -> Drawn {
    let curve = |slice: &Slice| {
        let (own, strange) = pooled(&slice.people, &(0..slice.people.len()).collect::<Vec<_>>());
        Curve { name: slice.name.clone(), own, strange }
    };
    let curves: Vec<Curve> = slices.iter().map(curve).collect();
    drawing::reliability(area, (title, note, "nats given for a stranger"), NATS, &curves)
}

fn value(figures: &[Figure], name: &str) -> Option<Figure> {
    figures.iter().find(|figure| figure.name == name).cloned()
}

/// Own logins refused by fifth of speed and of errors, with intervals.
fn fifths(area: &Area<'_>, figures: &[Figure]) -> Drawn {
    let names = ["slowest, or fewest errors", "second", "middle", "fourth", "fastest, or most errors"];
    head(
        area,
        "Own typing refused, by fifth of people",
        "At the threshold 5 % of strangers pass; bars are 95 % intervals, people resampled",
        names,
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
    let names = lengths.map(|length| format!("{length} presses"));
    head(
        area,
        "Typing named as machine-made, by kind and length",
        "Generated over 300 people of Aalto, clock of 1 ms; the last two are people behind a delaying tool",
        names.iter().map(String::as_str),
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
}
