//! Whether slow and error-prone typists are refused more often than the middle at the threshold all share.

use super::{NewScorer, Say, Sides, figure, pooled, run};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Typist};
use crate::metrics;
use crate::request::{Figure, Request};
use elsewhere::evidence::feature::Finding;
use elsewhere::evidence::quantile::quantile_of_sorted;
use std::path::Path;

/// How many times as often as the middle fifth the worst fifth may be refused.
const RATIO_FLOOR: f64 = 1.5;
/// Fifths of people.
pub(super) const FIFTHS: usize = 5;
/// Class of a key that erases.
const ERASE: i32 = 6;
/// Refused logins are rare: fewer than so many of the middle fifth give no ratio.
const MIDDLE_MIN: f64 = 1e-9;

/// Every figure of fairness.
pub(super) fn evaluate(
    figures: &mut Vec<Figure>,
    data: &Path,
    new_scorer: &mut NewScorer<'_>,
    seed: u64,
) -> Result<(), String> {
    let cmu = corpus::read(data, KeystrokeSet::Cmu)?;
    let requests = convert::online_requests(&cmu, KeystrokeSet::Cmu, 10, 60);
    let logins = probes(&cmu, requests, new_scorer, Finding::TypingPhrase)?;
    let speed = ranked(&cmu, |typist| -interval_median(typist));
    push(
        figures,
        &logins,
        &speed,
        "phrase_speed",
        "fixed phrase online, by typing speed, slowest first",
        "logins",
        seed,
    );
    let aalto = corpus::read(data, KeystrokeSet::Aalto)?;
    let requests = convert::table_requests(&aalto, KeystrokeSet::Aalto, 200, 2, 20);
    let tables = probes(&aalto, requests, new_scorer, Finding::TypingTable)?;
    let speed = ranked(&aalto, |typist| -interval_median(typist));
    push(
        figures,
        &tables,
        &speed,
        "table_speed",
        "tables of 200 after two, by typing speed, slowest first",
        "tables",
        seed,
    );
    let erring = ranked(&aalto, erase_share);
    push(
        figures,
        &tables,
        &erring,
        "table_errors",
        "the same by share of erasing presses, fewest first",
        "tables",
        seed,
    );
    Ok(())
}

/// Scores of each typist, in their order; people who could not be tried have none.
fn probes(
    typists: &[Typist],
    requests: Vec<Request>,
    new_scorer: &mut NewScorer<'_>,
    finding: Finding,
) -> Result<Vec<Sides>, String> {
    let mut people = vec![Sides::default(); typists.len()];
    let place: std::collections::BTreeMap<&str, usize> =
        typists.iter().enumerate().map(|(at, typist)| (typist.subject.as_str(), at)).collect();
    for probe in run(new_scorer().as_mut(), requests, finding)? {
        let Some(at) = place.get(probe.group.as_str()) else { continue };
        let sides = &mut people[*at];
        if probe.truth == "mated" { sides.mated.push(probe.score) } else { sides.non_mated.push(probe.score) }
    }
    Ok(people)
}

fn interval_median(typist: &Typist) -> f64 {
    let intervals = typist.stretches.iter().flat_map(|stretch| stretch.press_interval_micros.iter().skip(1));
    let mut intervals: Vec<f64> = intervals.map(|interval| f64::from(*interval)).collect();
    intervals.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(&intervals, 0.5)
}

fn erase_share(typist: &Typist) -> f64 {
    let (mut erased, mut presses) = (0usize, 0usize);
    for stretch in &typist.stretches {
        presses += stretch.classes.len();
        erased += stretch.classes.iter().filter(|class| **class == ERASE).count();
    }
    erased as f64 / presses.max(1) as f64
}

/// The fifth of each typist by a quantity, lowest first.
fn ranked(typists: &[Typist], quantity: impl Fn(&Typist) -> f64) -> Vec<usize> {
    let quantities: Vec<f64> = typists.iter().map(quantity).collect();
    let mut order: Vec<usize> = (0..typists.len()).collect();
    order.sort_by(|a, b| quantities[*a].total_cmp(&quantities[*b]));
    let mut fifths = vec![0; typists.len()];
    for (rank, typist) in order.into_iter().enumerate() {
        fifths[typist] = rank * FIFTHS / typists.len().max(1);
    }
    fifths
}

/// FNMR of the chosen people of one fifth at a threshold.
fn fnmr(people: &[Sides], chosen: &[usize], fifths: &[usize], fifth: usize, threshold: f64) -> Option<f64> {
    let own = chosen.iter().filter(|at| fifths[**at] == fifth).flat_map(|at| &people[*at].mated);
    let refused: Vec<f64> = own.map(|score| f64::from(u8::from(*score >= threshold))).collect();
    metrics::mean(&refused)
}

/// FNMR of every fifth at 1 % and 5 % FMR over everybody, and the worst fifth's over the middle's.
fn push(figures: &mut Vec<Figure>, people: &[Sides], fifths: &[usize], name: &str, how: &str, unit: &str, seed: u64) {
    let everybody: Vec<usize> = (0..people.len()).collect();
    let (_, mut strangers) = pooled(people, &everybody);
    strangers.sort_unstable_by(f64::total_cmp);
    for percent in [1, 5] {
        let threshold = quantile_of_sorted(&strangers, f64::from(percent) / 100.0);
        for fifth in 0..FIFTHS {
            let say = Say {
                name: &format!("typing.fairness_{name}_{}.fnmr_at_fmr_{percent}", fifth + 1),
                description: &format!(
                    "{how}: own {unit} refused at the global {percent} % FMR threshold, fifth {}",
                    fifth + 1
                ),
                unit,
                floor: None,
                higher_is_better: false,
                licence: "measure",
            };
            let of_fifth: Vec<Sides> = everybody
                .iter()
                .filter(|at| fifths[**at] == fifth && !people[**at].mated.is_empty())
                .map(|at| Sides { mated: people[*at].mated.clone(), ..Sides::default() })
                .collect();
            let all = vec![0; of_fifth.len()];
            figures.extend(figure(&say, &of_fifth, seed, |chosen| fnmr(&of_fifth, chosen, &all, 0, threshold)));
        }
        let say = Say {
            name: &format!("typing.fairness_{name}.fnmr_ratio_at_fmr_{percent}"),
            description: &format!(
                "{how}: FNMR of the worst fifth over the middle fifth's at the global {percent} % FMR threshold"
            ),
            unit,
            floor: Some(RATIO_FLOOR),
            higher_is_better: false,
            licence: "measure",
        };
        figures.extend(figure(&say, people, seed, |chosen| {
            let of = |fifth| fnmr(people, chosen, fifths, fifth, threshold);
            let middle = of(FIFTHS / 2).filter(|middle| *middle > MIDDLE_MIN)?;
            (0..FIFTHS).filter_map(of).reduce(f64::max).map(|worst| worst / middle)
        }));
    }
}
