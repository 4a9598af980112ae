//! Drawings of the world's figures as SVG: recall by scenario and tier, and how soon flags come.

use super::tally::Tally;
use crate::evaluate::drawing::{COLOURS, GREY};
use crate::request::Figure;
use crate::world::{Scenario, Tier};
use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement};
use plotters::prelude::{IntoDrawingArea, LineSeries, RGBColor, WHITE};
use plotters::style::{Color, IntoFont};
use std::path::Path;

/// By tier, in their order.
const SHADES: [RGBColor; 4] = [GREY, COLOURS[4], COLOURS[0], COLOURS[2]];

/// Draws both into `directory`.
///
/// # Errors
/// A file that cannot be written.
pub fn draw(directory: &Path, tally: &Tally, figures: &[Figure]) -> Result<(), String> {
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for (name, text) in [("world-recall.svg", recall(tally)), ("world-days.svg", days(tally, figures))] {
        let path = directory.join(name);
        let text = text.map_err(|error| format!("cannot draw {name}: {error}"))?;
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

type Drawn = Result<String, Box<dyn std::error::Error>>;

/// Share found in time by scenario, one dot a tier with its exact interval.
fn recall(tally: &Tally) -> Drawn {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (900, 420)).into_drawing_area();
        area.fill(&WHITE)?;
        let hostile: Vec<Scenario> = Scenario::ALL.iter().copied().filter(|scenario| scenario.hostile()).collect();
        let mut chart = ChartBuilder::on(&area)
            .caption("Operators flagged in time, by story and telemetry (simulated)", ("sans-serif", 18).into_font())
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(42)
            .build_cartesian_2d(0.4..hostile.len() as f64 + 0.6, 0.0..1.02)?;
        let code =
            |at: &f64| hostile.get((at.round() as usize).wrapping_sub(1)).map_or("", |one| one.code()).to_string();
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(hostile.len() * 2)
            .x_label_formatter(&code)
            .y_desc("share of workers")
            .draw()?;
        for (slot, tier) in Tier::ALL.into_iter().enumerate() {
            let Some(rows) = tally.mixed.get(tier.name()) else { continue };
            let colour = SHADES[slot];
            let dots: Vec<(f64, f64, f64, f64)> = hostile
                .iter()
                .enumerate()
                .filter_map(|(index, scenario)| {
                    let (share, (low, high)) = rows.get(scenario.code())?.recall();
                    Some((index as f64 + 0.79 + 0.14 * slot as f64, share, low, high))
                })
                .collect();
            chart
                .draw_series(dots.iter().map(|(x, share, _, _)| Circle::new((*x, *share), 3, colour.filled())))?
                .label(tier.name())
                .legend(move |(x, y)| Circle::new((x + 8, y), 3, colour.filled()));
            chart.draw_series(
                dots.iter().map(|(x, _, low, high)| PathElement::new([(*x, *low), (*x, *high)], colour)),
            )?;
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw()?;
        area.present()?;
    }
    Ok(text)
}

/// Share of operators flagged by each workday, all stories but the blind spot, one line a tier.
fn days(tally: &Tally, figures: &[Figure]) -> Drawn {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (760, 380)).into_drawing_area();
        area.fill(&WHITE)?;
        let false_flags = figures.iter().find(|figure| figure.name == "world.endpoint.false_flags");
        let beside = false_flags.map_or(String::new(), |figure| format!(", {:.2} false a 1,000 months", figure.value));
        let mut chart = ChartBuilder::on(&area)
            .caption(format!("Operators flagged by workday (simulated{beside})"), ("sans-serif", 17).into_font())
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(42)
            .build_cartesian_2d(0.0..20.0, 0.0..1.02)?;
        chart.configure_mesh().x_desc("workdays from the first session").y_desc("share of workers").draw()?;
        for (slot, tier) in Tier::ALL.into_iter().enumerate() {
            let sum = tally.sum(tier.name(), |one| super::figures::counts(one) && one.workdays_to_find() == 20);
            if sum.workers == 0 {
                continue;
            }
            let colour = SHADES[slot];
            let line = (0..=20).map(|day| {
                let by_then: usize = sum.workdays.range(..=day).map(|(_, count)| count).sum();
                (f64::from(day), by_then as f64 / sum.workers as f64)
            });
            chart
                .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
                .label(tier.name())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw()?;
        area.present()?;
    }
    Ok(text)
}
