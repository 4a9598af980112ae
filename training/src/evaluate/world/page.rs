//! `docs/world.md`: its tables between markers, and its drawings.

use super::{figures, plots, tally::Tally};
use crate::evaluate::page;
use crate::request::Figure;
use crate::world::{Scenario, Tier};
use std::path::Path;

/// Figures of each scenario and tier, for tables of the page and for `evaluation.json`; too many for the card.
pub fn by_scenario(tally: &Tally) -> Vec<Figure> {
    let mut all = Vec::new();
    for (tier, rows) in &tally.mixed {
        for (code, row) in rows {
            let Some(scenario) = Scenario::of_code(code) else { continue };
            let (value, interval) = row.recall();
            let figure = |name: &str, description: String, value: f64, interval| Figure {
                name: format!("world.{tier}.{name}.{code}"),
                description,
                value,
                interval,
                sample: format!("{} workers", row.workers),
                floor: None,
                higher_is_better: scenario.hostile(),
                source: "simulated".into(),
                licence: "ours".into(),
            };
            let name = scenario.name();
            let days = scenario.workdays_to_find();
            let what =
                format!("{name}: flagged within {days} workdays, first reason mostly {}", first(row.top_reason()));
            all.push(figure("flagged", what, value, Some(interval)));
            if let Some(days) = row.median_workdays().filter(|_| scenario.hostile()) {
                all.push(figure("workdays", format!("{name}: median workdays to the flag"), f64::from(days), None));
            }
            if row.flagged > 0 && scenario.hostile() {
                let share = row.right as f64 / row.flagged as f64;
                all.push(figure("reason_right", format!("{name}: first reason right"), share, None));
            }
        }
    }
    all
}

fn first(reason: Option<&str>) -> &str {
    reason.unwrap_or("-")
}

/// Writes the page's tables and drawings into `docs`.
///
/// # Errors
/// A page without its markers, or a file that cannot be written.
pub fn write(docs: &Path, tally: &Tally, figures: &[Figure]) -> Result<(), String> {
    let path = docs.join("world.md");
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    let text = page::rewritten(&scenario_table(&text, tally)?, figures)?;
    plots::draw(&docs.join("img"), tally, figures)?;
    std::fs::write(&path, text).map_err(failed)
}

const SCENARIOS: &str = "<!-- scenarios -->";
const END: &str = "<!-- end -->";

/// Replaces the table of scenarios: recall by tier, days and reasons at the fullest.
fn scenario_table(text: &str, tally: &Tally) -> Result<String, String> {
    let at = text.find(SCENARIOS).ok_or("the page has no <!-- scenarios --> marker")? + SCENARIOS.len();
    let end = text[at..].find(END).ok_or("the table of scenarios has no end")? + at;
    Ok(format!("{}\n{}{}", &text[..at], table(tally), &text[end..]))
}

/// Scenarios by tier: share of workers flagged in time, with exact intervals.
pub fn table(tally: &Tally) -> String {
    let mut out = String::from("| scenario |");
    let tiers: Vec<&str> =
        Tier::ALL.iter().map(|tier| tier.name()).filter(|tier| tally.mixed.contains_key(*tier)).collect();
    for tier in &tiers {
        out.push_str(&format!(" {tier} |"));
    }
    out.push_str(" median workdays | first reason | right |\n| --- |");
    out.push_str(&" --- |".repeat(tiers.len() + 3));
    out.push('\n');
    for scenario in Scenario::ALL {
        let rows: Vec<_> =
            tiers.iter().map(|tier| tally.mixed.get(*tier).and_then(|rows| rows.get(scenario.code()))).collect();
        if rows.iter().all(Option::is_none) {
            continue;
        }
        out.push_str(&format!("| {} {} |", scenario.code(), scenario.name()));
        for row in &rows {
            match row {
                Some(row) if scenario.hostile() => {
                    let (share, (low, high)) = row.recall();
                    out.push_str(&format!(" {share:.2} ({low:.2}-{high:.2}) |"));
                }
                Some(row) => out.push_str(&format!(" {} of {} |", row.flagged, row.workers)),
                None => out.push_str(" - |"),
            }
        }
        let last = rows.iter().rev().flatten().next();
        let days = last.and_then(|row| row.median_workdays()).map_or("-".into(), |days| days.to_string());
        let reason = last.and_then(|row| row.top_reason()).unwrap_or("-");
        let right = last
            .filter(|row| scenario.hostile() && row.flagged > 0)
            .map_or("-".into(), |row| format!("{:.2}", row.right as f64 / row.flagged as f64));
        out.push_str(&format!(" {days} | {reason} | {right} |\n"));
    }
    out
}

/// What a person reads on the terminal.
pub fn told(tally: &Tally) -> String {
    let mut out = table(tally);
    for tier in Tier::ALL {
        if let Some((recall, (low, high), workers)) = figures::mean_recall(tally, tier.name()) {
            out.push_str(&format!("{}: recall {recall:.3} ({low:.3}-{high:.3}) of {workers}\n", tier.name()));
        }
    }
    for flag in &tally.false_flags {
        out.push_str(&format!("false flag: {flag}\n"));
    }
    out
}
