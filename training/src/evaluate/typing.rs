//! Figures of the typing family, each taken through the whole pipeline.

use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Typist};
use crate::metrics;
use crate::request::{Figure, Request, Scorer};
use elsewhere::evidence::feature::Finding;
use std::collections::BTreeMap;
use std::path::Path;

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
            probes.push(Probe { group: request.group, truth: request.truth, score: scored.finding(finding).unwrap_or(0.0) });
        }
    }
    Ok(probes)
}

/// Scores of one worker.
#[derive(Debug, Clone, Default)]
struct Sides {
    mated: Vec<f64>,
    non_mated: Vec<f64>,
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
    let rates: Vec<f64> = chosen.iter().filter_map(|index| metrics::eer(&people[*index].mated, &people[*index].non_mated)).collect();
    metrics::mean(&rates)
}

/// How a figure is named and judged.
struct Say<'a> {
    name: &'a str,
    description: &'a str,
    floor: Option<f64>,
    higher_is_better: bool,
    licence: &'a str,
}

/// Resamples behind an interval.
const RESAMPLES: usize = 200;

fn figure(say: &Say, people: &[Sides], seed: u64, statistic: impl Fn(&[usize]) -> Option<f64>) -> Option<Figure> {
    let everybody: Vec<usize> = (0..people.len()).collect();
    let (mated, non_mated) = pooled(people, &everybody);
    Some(Figure {
        name: say.name.to_string(),
        description: say.description.to_string(),
        value: statistic(&everybody)?,
        interval: metrics::bootstrap(people.len(), RESAMPLES, seed, &statistic),
        sample: format!("{} people, {} mated and {} non-mated probes", people.len(), mated.len(), non_mated.len()),
        floor: say.floor,
        higher_is_better: say.higher_is_better,
        source: "real".to_string(),
        licence: say.licence.to_string(),
    })
}

/// EER, Cllr and its loss over minCllr of one protocol.
fn three(figures: &mut Vec<Figure>, say: &Say, people: &[Sides], seed: u64) {
    type Statistic = fn(&[f64], &[f64]) -> Option<f64>;
    let loss: Statistic = |mated, non_mated| Some(metrics::cllr(mated, non_mated)? - metrics::min_cllr(mated, non_mated)?);
    let of = |ending: &str, floor: Option<f64>, statistic: Statistic| {
        let name = format!("{}.{ending}", say.name);
        figure(&Say { name: &name, floor, ..*say }, people, seed, |chosen| {
            let (mated, non_mated) = pooled(people, chosen);
            statistic(&mated, &non_mated)
        })
    };
    figures.extend(of("global_eer", say.floor, metrics::eer));
    figures.extend(of("cllr", None, metrics::cllr));
    figures.extend(of("cllr_loss", Some(CLLR_LOSS_FLOOR), loss));
}

/// Cllr - minCllr that every typing score must stay under.
const CLLR_LOSS_FLOOR: f64 = 0.05;
/// Login from which practised strangers try.
const ONLINE_FROM: usize = 60;
/// Strangers that try a worker's tables.
const TABLE_STRANGERS: usize = 20;
/// Strangers that take each worker over.
const TAKEOVER_STRANGERS: usize = 5;

/// Every figure of the family.
///
/// # Errors
/// Data that cannot be read, or a converted event that the scorer refuses.
pub fn evaluate(data: &Path, new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>, seed: u64) -> Result<Vec<Figure>, String> {
    let mut figures = Vec::new();
    let cmu = corpus::read(data, KeystrokeSet::Cmu)?;
    let threshold = online(&mut figures, &cmu, new_scorer, seed)?;
    takeover(&mut figures, &cmu, new_scorer, threshold, seed)?;
    standard(&mut figures, &cmu, new_scorer, seed)?;
    tables(&mut figures, data, new_scorer, seed)?;
    synthetic(&mut figures, data, new_scorer, seed)?;
    Ok(figures)
}

/// Returns the 5 % FMR threshold of the main protocol.
fn online(figures: &mut Vec<Figure>, cmu: &[Typist], new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>, seed: u64) -> Result<f64, String> {
    let mut threshold = 0.0;
    for enrol in [10, 3, 5, 50] {
        let requests = convert::online_requests(cmu, KeystrokeSet::Cmu, enrol, ONLINE_FROM);
        let probes = run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?;
        let people = sides(&probes, 1);
        let name = if enrol == 10 { "typing.cmu_online".to_string() } else { format!("typing.cmu_online_{enrol}") };
        let description = format!("fixed phrase, enrol {enrol}, then if trusted; practised strangers from login {ONLINE_FROM}");
        let say = Say { name: &name, description: &description, floor: Some(0.055), higher_is_better: false, licence: "measure" };
        three(figures, &say, &people, seed);
        if enrol != 10 {
            continue;
        }
        let everybody: Vec<usize> = (0..people.len()).collect();
        let (_, mut non_mated) = pooled(&people, &everybody);
        non_mated.sort_unstable_by(f64::total_cmp);
        threshold = elsewhere::evidence::quantile::quantile_of_sorted(&non_mated, 0.05);
        let say = Say {
            name: "typing.cmu_online.honest_acceptance_rate",
            description: "mated logins of the same run under the 5 % FMR threshold",
            floor: Some(0.94),
            higher_is_better: true,
            ..say
        };
        figures.extend(figure(&say, &people, seed, |chosen| {
            let (mated, _) = pooled(&people, chosen);
            Some(mated.iter().filter(|score| **score < threshold).count() as f64 / mated.len() as f64)
        }));
        let five = sides(&probes, 5);
        let say = Say {
            name: "typing.cmu_online_five",
            description: "the same, mean of five successive logins",
            floor: Some(0.025),
            higher_is_better: false,
            ..say
        };
        three(figures, &say, &five, seed);
        let say = Say { name: "typing.cmu_online_five.user_eer", ..say };
        figures.extend(figure(&say, &five, seed, |chosen| user_eer(&five, chosen)));
    }
    Ok(threshold)
}

fn takeover(
    figures: &mut Vec<Figure>,
    cmu: &[Typist],
    new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>,
    threshold: f64,
    seed: u64,
) -> Result<(), String> {
    let requests = convert::takeover_requests(cmu, KeystrokeSet::Cmu, TAKEOVER_STRANGERS);
    let mut probes = run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?;
    probes.retain(|probe| probe.truth.strip_prefix("taken ").and_then(|number| number.parse::<u32>().ok()).is_some_and(|number| number > 40));
    let people = sides(&probes, 1);
    let say = Say {
        name: "typing.cmu_takeover.refused_rate",
        description: "takeover after 60 logins, if trusted: stranger logins 41-60 over the 5 % FMR threshold",
        floor: Some(0.80),
        higher_is_better: true,
        licence: "measure",
    };
    figures.extend(figure(&say, &people, seed, |chosen| {
        let (_, taken) = pooled(&people, chosen);
        Some(taken.iter().filter(|score| **score >= threshold).count() as f64 / taken.len() as f64)
    }));
    Ok(())
}

fn standard(figures: &mut Vec<Figure>, cmu: &[Typist], new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>, seed: u64) -> Result<(), String> {
    let requests = convert::standard_requests(cmu, KeystrokeSet::Cmu, 200, 5);
    let people = sides(&run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?, 1);
    let say = Say {
        name: "typing.cmu_standard.user_eer",
        description: "fixed phrase, enrol the oldest 200, first 5 logins of strangers",
        floor: Some(0.075),
        higher_is_better: false,
        licence: "measure",
    };
    figures.extend(figure(&say, &people, seed, |chosen| user_eer(&people, chosen)));
    three(figures, &Say { name: "typing.cmu_standard", floor: None, ..say }, &people, seed);
    Ok(())
}

fn tables(figures: &mut Vec<Figure>, data: &Path, new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>, seed: u64) -> Result<(), String> {
    for (set, presses, enrol, name, floor, licence) in [
        (KeystrokeSet::Aalto, 200, 2, "typing.table_aalto", 0.04, "measure"),
        // The model was fitted on the people of the next two: the same people, other blocks. fit::typing_table's
        // cross-fitting gives the honest figure, and its calibration.
        (KeystrokeSet::Bbmas, 250, 1, "typing.table_bbmas_refitted", 0.16, "train"),
        (KeystrokeSet::VillaniFree, 250, 6, "typing.table_villani_refitted", 0.11, "train"),
    ] {
        let typists = corpus::read(data, set)?;
        let requests = convert::table_requests(&typists, set, presses, enrol, TABLE_STRANGERS);
        let people = sides(&run(new_scorer().as_mut(), requests, Finding::TypingTable)?, 1);
        let description = format!("cadence tables, enrol {enrol} x {presses} presses, probe {presses}");
        three(figures, &Say { name, description: &description, floor: Some(floor), higher_is_better: false, licence }, &people, seed);
    }
    Ok(())
}

/// Share of people's stretches taken for machine-made.
fn synthetic(figures: &mut Vec<Figure>, data: &Path, new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>, seed: u64) -> Result<(), String> {
    for (set, name) in [
        (KeystrokeSet::Cmu, "cmu"),
        (KeystrokeSet::Aalto, "aalto"),
        (KeystrokeSet::VillaniFree, "villani_free"),
        (KeystrokeSet::VillaniFixed, "villani_fixed"),
        (KeystrokeSet::Keypad, "keypad"),
        (KeystrokeSet::Bbmas, "bbmas"),
        (KeystrokeSet::Meu, "meu"),
    ] {
        let mut scorer = new_scorer();
        let mut people = Vec::new();
        for typist in corpus::read(data, set)? {
            let mut fired = Sides::default();
            for (index, stretch) in typist.stretches.iter().enumerate() {
                let mut event = convert::bare_event(&typist.subject, format!("{}-{index}", typist.subject), index);
                event.typing = Some(convert::typing_of(stretch, set, ""));
                let scored = scorer.score(event, crate::request::Update::Never)?;
                fired.mated.push(scored.finding(Finding::TypingSynthetic).unwrap_or(0.0));
            }
            people.push(fired);
        }
        let name = format!("typing.synthetic_{name}.false_positive_rate");
        let say = Say {
            name: &name,
            description: "stretches of people with any evidence of machine-made typing",
            floor: Some(0.001),
            higher_is_better: false,
            licence: if set.trainable() { "train" } else { "measure" },
        };
        figures.extend(figure(&say, &people, seed, |chosen| {
            let (scores, _) = pooled(&people, chosen);
            Some(scores.iter().filter(|score| **score > 0.0).count() as f64 / scores.len().max(1) as f64)
        }));
    }
    Ok(())
}
