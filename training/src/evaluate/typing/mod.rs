//! Figures of the typing family, each taken through the whole pipeline but for the tables of people left out.
//!
//! The model of cadence tables is fitted on Villani and BB-MAS. Their figures are measured on people left out by fold:
//! each fold is scored with a model, and a calibration, of the others. The shipped model has seen everybody, so its
//! figures on the same people are reported apart as `_seen`, and have no floor.

mod chance;
mod drift;
mod fairness;
mod gate;
mod handover;
mod identify;
mod ordered;
mod phrase;
pub mod plots;
mod replay;
mod slices;
mod synthetic;
mod table;
mod table_company;
mod table_slices;

use crate::metrics;
use crate::request::{Figure, Request, Scorer};
use elsewhere::evidence::feature::Finding;
use std::collections::BTreeMap;
use std::path::Path;

/// Makes a scorer with an empty store.
type NewScorer<'a> = dyn FnMut() -> Box<dyn Scorer> + 'a;

/// One scored probe.
#[derive(Debug, Clone)]
struct Probe {
    /// The worker it was tried on.
    group: String,
    /// What is true of it.
    truth: String,
    /// Log-likelihood ratio of the finding; 0 when it took no part.
    score: f64,
}

fn run(scorer: &mut dyn Scorer, requests: Vec<Request>, finding: Finding) -> Result<Vec<Probe>, String> {
    let mut probes = Vec::new();
    for request in requests {
        let scored = scorer.score(request.event, request.update)?;
        if request.truth != "enrol" {
            let score = scored.finding(finding).unwrap_or(0.0);
            probes.push(Probe { group: request.group, truth: request.truth, score });
        }
    }
    Ok(probes)
}

/// Scores of one worker.
#[derive(Debug, Clone, Default)]
pub(in crate::evaluate) struct Sides {
    pub(in crate::evaluate) mated: Vec<f64>,
    pub(in crate::evaluate) non_mated: Vec<f64>,
}

/// Mated and non-mated scores per worker; `joined` successive scores of one person become their mean.
fn sides(probes: &[Probe], joined: usize) -> Vec<Sides> {
    let mut people: BTreeMap<&str, BTreeMap<&str, Vec<f64>>> = BTreeMap::new();
    for probe in probes {
        people.entry(&probe.group).or_default().entry(&probe.truth).or_default().push(probe.score);
    }
    people
        .into_values()
        .map(|truths| {
            let mut sides = Sides::default();
            for (truth, scores) in truths {
                let means = scores.chunks_exact(joined).map(|chunk| chunk.iter().sum::<f64>() / joined as f64);
                if truth == "mated" { sides.mated.extend(means) } else { sides.non_mated.extend(means) }
            }
            sides
        })
        .collect()
}

fn pooled(people: &[Sides], chosen: &[usize]) -> (Vec<f64>, Vec<f64>) {
    let mated = chosen.iter().flat_map(|index| people[*index].mated.iter().copied()).collect();
    let non_mated = chosen.iter().flat_map(|index| people[*index].non_mated.iter().copied()).collect();
    (mated, non_mated)
}

/// Mean over people of each person's own equal error rate.
fn user_eer(people: &[Sides], chosen: &[usize]) -> Option<f64> {
    let rate = |index: &usize| metrics::eer(&people[*index].mated, &people[*index].non_mated);
    metrics::mean(&chosen.iter().filter_map(rate).collect::<Vec<f64>>())
}

/// How a figure is named and judged.
#[derive(Clone, Copy)]
struct Say<'a> {
    name: &'a str,
    description: &'a str,
    /// What one score stands for, in the plural: logins, tables, stretches.
    unit: &'a str,
    floor: Option<f64>,
    higher_is_better: bool,
    licence: &'a str,
}

/// Resamples behind an interval.
const RESAMPLES: usize = 200;

/// Sample sizes in words; a side that was not tried is not spoken of.
fn sample(people: &[Sides], unit: &str) -> String {
    let own: usize = people.iter().map(|sides| sides.mated.len()).sum();
    let strange: usize = people.iter().map(|sides| sides.non_mated.len()).sum();
    match (own, strange) {
        (_, 0) => format!("{} people, {own} {unit} of their own", people.len()),
        (0, _) => format!("{} people, {strange} {unit} of strangers", people.len()),
        _ => format!("{} people, {own} {unit} of their own and {strange} of strangers", people.len()),
    }
}

fn figure(say: &Say, people: &[Sides], seed: u64, statistic: impl Fn(&[usize]) -> Option<f64>) -> Option<Figure> {
    let everybody: Vec<usize> = (0..people.len()).collect();
    Some(Figure {
        name: say.name.to_string(),
        description: say.description.to_string(),
        value: statistic(&everybody)?,
        interval: metrics::bootstrap(people.len(), RESAMPLES, seed, &statistic),
        sample: sample(people, say.unit),
        floor: say.floor,
        higher_is_better: say.higher_is_better,
        source: "real".to_string(),
        licence: say.licence.to_string(),
    })
}

/// Cllr - minCllr that every typing score must stay under.
const CLLR_LOSS_FLOOR: f64 = 0.05;

/// EER, Cllr and its loss over minCllr of one protocol.
fn three(figures: &mut Vec<Figure>, say: &Say, people: &[Sides], seed: u64, loss_floor: Option<f64>) {
    type Statistic = fn(&[f64], &[f64]) -> Option<f64>;
    let loss: Statistic =
        |mated, non_mated| Some(metrics::cllr(mated, non_mated)? - metrics::min_cllr(mated, non_mated)?);
    let of = |ending: &str, floor: Option<f64>, statistic: Statistic| {
        let name = format!("{}.{ending}", say.name);
        figure(&Say { name: &name, floor, ..*say }, people, seed, |chosen| {
            let (mated, non_mated) = pooled(people, chosen);
            statistic(&mated, &non_mated)
        })
    };
    figures.extend(of("global_eer", say.floor, metrics::eer));
    figures.extend(of("cllr", None, metrics::cllr));
    figures.extend(of("cllr_loss", loss_floor, loss));
}

/// Every figure of the family.
///
/// # Errors
/// Data that cannot be read, a converted event that the scorer refuses, or a fit on some of the people that fails.
pub fn evaluate(data: &Path, new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<Vec<Figure>, String> {
    let mut figures = Vec::new();
    phrase::evaluate(&mut figures, data, new_scorer, seed)?;
    slices::evaluate(&mut figures, data, seed)?;
    table::evaluate(&mut figures, data, new_scorer, seed)?;
    ordered::evaluate(&mut figures, data, new_scorer, seed)?;
    handover::evaluate(&mut figures, data, new_scorer, seed)?;
    identify::evaluate(&mut figures, data, new_scorer, seed)?;
    synthetic::evaluate(&mut figures, data, new_scorer, seed)?;
    replay::evaluate(&mut figures, data, seed)?;
    fairness::evaluate(&mut figures, data, new_scorer, seed)?;
    Ok(figures)
}
