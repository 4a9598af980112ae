//! Figures of the network family on data that nothing was fitted on: users, servers and operators left out.

mod familiarity;
pub mod plots;
mod round_trips;

use crate::metrics::{bootstrap, cllr, min_cllr, tpr_at_fpr};
use crate::request::{Figure, Request, Scorer};
use elsewhere::evidence::feature::{Family, Finding};
use std::collections::BTreeMap;
use std::path::Path;

/// Resamples behind an interval.
const RESAMPLES: usize = 200;
/// Nats beyond which a session alone speaks strongly: 20 to 1.
const STRONG_LOG_ODDS: f64 = 3.0;

/// Scores by group: group name, then truth, then the family's log-likelihood ratios.
type Groups = BTreeMap<String, BTreeMap<String, Vec<f64>>>;

fn score(requests: Vec<Request>, scorer: &mut dyn Scorer, finding: Option<Finding>) -> Result<Groups, String> {
    let mut groups = Groups::new();
    for request in requests {
        let scored = scorer.score(request.event, request.update)?;
        let llr = match finding {
            Some(finding) => scored.finding(finding).unwrap_or(0.0),
            None => scored.family(Family::Network),
        };
        groups.entry(request.group).or_default().entry(request.truth).or_default().push(llr);
    }
    Ok(groups)
}

fn pooled(groups: &[&BTreeMap<String, Vec<f64>>], chosen: &[usize], truth: &dyn Fn(&str) -> bool) -> Vec<f64> {
    chosen
        .iter()
        .flat_map(|index| groups[*index].iter().filter(|(name, _)| truth(name)).flat_map(|(_, scores)| scores))
        .copied()
        .collect()
}

/// Text of a figure.
#[derive(Clone, Copy)]
struct Text<'a> {
    name: &'a str,
    description: &'a str,
    floor: Option<f64>,
    higher_is_better: bool,
    source: &'a str,
    licence: &'a str,
}

/// Which truths a statistic holds against each other.
#[derive(Clone, Copy)]
struct Sides<'a> {
    honest: &'a dyn Fn(&str) -> bool,
    hostile: &'a dyn Fn(&str) -> bool,
}

/// A statistic of hostile and honest scores, resampled by group.
fn contrast(
    groups: &Groups,
    sides: Sides<'_>,
    statistic: impl Fn(&[f64], &[f64]) -> Option<f64>,
    text: &Text<'_>,
    unit: &str,
    seed: u64,
) -> Result<Figure, String> {
    let parts: Vec<_> = groups.values().collect();
    let of =
        |chosen: &[usize]| statistic(&pooled(&parts, chosen, sides.honest), &pooled(&parts, chosen, sides.hostile));
    let everyone: Vec<usize> = (0..parts.len()).collect();
    let value = of(&everyone).ok_or_else(|| format!("{}: nothing to measure", text.name))?;
    let honest = pooled(&parts, &everyone, sides.honest).len();
    let hostile = pooled(&parts, &everyone, sides.hostile).len();
    let sample = format!("{} {unit}, {honest} honest and {hostile} hostile sessions", parts.len());
    Ok(figure(text, value, bootstrap(parts.len(), RESAMPLES, seed, of), sample))
}

/// Hostile scores with a share of sessions that look just like honest ones, as scores allow for: a laptop in the
/// worker's home is on the worker's network. Honest scores stand for those; the others repeat until the share is right.
fn with_inside(honest: &[f64], outside: &[f64], share: f64) -> Vec<f64> {
    let repeats = honest.len() as f64 * (1.0 - share) / (share * outside.len().max(1) as f64);
    let mut mixed = outside.repeat(repeats.round().max(1.0) as usize);
    mixed.extend(honest);
    mixed
}

/// What the scores lose by not being calibrated, bits: 0 when they are true log-likelihood ratios of honest sessions
/// and of hostile ones with their `share` of sessions from inside.
fn cllr_loss(honest: &[f64], outside: &[f64], share: f64) -> Option<f64> {
    if outside.is_empty() {
        return None;
    }
    let hostile = with_inside(honest, outside, share);
    Some((cllr(honest, &hostile)? - min_cllr(honest, &hostile)?).max(0.0))
}

fn figure(text: &Text<'_>, value: f64, interval: Option<(f64, f64)>, sample: String) -> Figure {
    Figure {
        name: text.name.into(),
        description: text.description.into(),
        value,
        interval,
        sample,
        floor: text.floor,
        higher_is_better: text.higher_is_better,
        source: text.source.into(),
        licence: text.licence.into(),
    }
}

/// Share of scores beyond a bound, resampled by group.
fn share(groups: &Groups, unit: &str, beyond: f64, text: &Text<'_>, seed: u64) -> Result<Figure, String> {
    let parts: Vec<_> = groups.values().collect();
    let of = |chosen: &[usize]| {
        let scores = pooled(&parts, chosen, &|_| true);
        let count = scores.iter().filter(|score| **score > beyond).count();
        (!scores.is_empty()).then(|| count as f64 / scores.len() as f64)
    };
    let everyone: Vec<usize> = (0..parts.len()).collect();
    let value = of(&everyone).ok_or_else(|| format!("{}: nothing to measure", text.name))?;
    let sessions = pooled(&parts, &everyone, &|_| true).len();
    let names: Vec<&str> = groups.keys().map(String::as_str).collect();
    let listed = if names.len() <= 10 { format!(" ({})", names.join(", ")) } else { String::new() };
    let sample = format!("{} {unit}{listed}, {sessions} sessions", parts.len());
    Ok(figure(text, value, bootstrap(parts.len(), RESAMPLES, seed, of), sample))
}

fn tpr_at_one_percent(honest: &[f64], hostile: &[f64]) -> Option<f64> {
    tpr_at_fpr(honest, hostile, 0.01)
}

/// Measures the family's figures of `targets.md`.
///
/// # Errors
/// Names the file that cannot be read, or the event that could not be scored.
pub fn evaluate(
    data: &Path,
    new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>,
    seed: u64,
) -> Result<Vec<Figure>, String> {
    let mut figures = familiarity::figures(data, new_scorer, seed)?;
    figures.extend(round_trips::figures(data, new_scorer, seed)?);
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn true_ratios_lose_nothing_and_doubled_ones_do() {
        // Two answers, told apart 3 to 1 outside and not at all from inside: true ratios of the mixture.
        let share = 0.5;
        let of = |p_hostile: f64, p_honest: f64| ((1.0 - share) * p_hostile / p_honest + share).ln();
        let (high, low) = (of(0.75, 0.25), of(0.25, 0.75));
        let side = |highs: usize| {
            let mut scores = vec![high; highs];
            scores.resize(400, low);
            scores
        };
        let (honest, outside) = (side(100), side(300));
        assert!(cllr_loss(&honest, &outside, share).unwrap() < 1e-3);
        let double = |scores: &[f64]| scores.iter().map(|score| 3.0 * score).collect::<Vec<f64>>();
        assert!(cllr_loss(&double(&honest), &double(&outside), share).unwrap() > 0.02);
        assert_eq!(cllr_loss(&honest, &[], share), None);
    }

    #[test]
    fn the_page_in_the_tree_has_tables_and_drawings_that_are_there() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let page = std::fs::read_to_string(docs.join("network.md")).unwrap();
        let tables: Vec<&str> = page.split("<!-- figures:").skip(1).collect();
        assert!(tables.len() >= 2);
        for table in tables {
            let rows =
                table.split("<!-- end -->").next().unwrap().lines().filter(|line| line.starts_with("| `network."));
            assert!(rows.count() > 10, "an empty table: measure with --docs docs");
        }
        let drawings: Vec<&str> = page.split("](img/").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert_eq!(drawings.len(), 3);
        for drawing in drawings {
            let size = std::fs::metadata(docs.join("img").join(drawing)).unwrap().len();
            assert!((1_000..60_000).contains(&size), "{drawing} is {size} bytes");
        }
    }
}
