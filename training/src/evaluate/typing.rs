//! Figures of the typing family, each taken through the whole pipeline but for the tables of people left out.
//!
//! The model of cadence tables is fitted on Villani and BB-MAS. Their figures are measured on people left out by fold:
//! each fold is scored with a model, and a calibration, of the others. The shipped model has seen everybody, so its
//! figures on the same people are reported apart as `_seen`, and have no floor.

use super::typing_gate;
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Typist};
use crate::fit;
use crate::metrics;
use crate::request::{Figure, Request, Scored, Scorer, Update};
use elsewhere::event::EventUnchecked;
use elsewhere::evidence::feature::Finding;
use elsewhere::evidence::typing::observe;
use elsewhere::evidence::typing::table::{TableParameters, TableProfile};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

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

/// What figures on CMU logins share: an error rate, without a floor.
const CMU: Say =
    Say { name: "", description: "", unit: "logins", floor: None, higher_is_better: false, licence: "measure" };

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

/// Login from which practised strangers try, and every how many logins when the gate is measured.
const ONLINE_FROM: usize = 60;
const STRANGER_STEP: usize = 7;
/// Logins that everybody enrols with where a figure does not say otherwise.
const ENROL: usize = 10;
/// Logins of one CMU sitting.
const SITTING: usize = 50;
/// Logins scored right after enrolment.
const AFTER_ENROLMENT: usize = 10;
/// Clocks on which the main protocol is repeated, milliseconds: a browser's, an old system's, two hardened browsers'.
const CLOCKS_MILLIS: [u32; 4] = [1, 16, 33, 100];
/// Strangers that try a worker's tables.
const TABLE_STRANGERS: usize = 20;
/// Strangers that take each worker over.
const TAKEOVER_STRANGERS: usize = 5;
/// Folds of people left out.
const FOLDS: usize = 5;

/// Every figure of the family.
///
/// # Errors
/// Data that cannot be read, a converted event that the scorer refuses, or a fit on some of the people that fails.
pub fn evaluate(data: &Path, new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<Vec<Figure>, String> {
    let mut figures = Vec::new();
    let cmu = corpus::read(data, KeystrokeSet::Cmu)?;
    let threshold = online(&mut figures, &cmu, new_scorer, seed)?;
    alone(&mut figures, &cmu, new_scorer, seed)?;
    gate(&mut figures, &cmu, data, seed)?;
    enrolments(&mut figures, &cmu, new_scorer, seed)?;
    clocks(&mut figures, &cmu, new_scorer, seed)?;
    takeover(&mut figures, &cmu, new_scorer, threshold, seed)?;
    standard(&mut figures, &cmu, new_scorer, seed)?;
    tables(&mut figures, data, new_scorer, seed)?;
    tables_left_out(&mut figures, data, seed)?;
    synthetic(&mut figures, data, new_scorer, seed)?;
    Ok(figures)
}

/// The main protocol. Returns its 5 % FMR threshold.
fn online(figures: &mut Vec<Figure>, cmu: &[Typist], new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<f64, String> {
    let requests = convert::online_requests(cmu, KeystrokeSet::Cmu, ENROL, ONLINE_FROM);
    let probes = run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?;
    let people = sides(&probes, 1);
    let description = online_description(ENROL);
    let say = Say { name: "typing.cmu_online", description: &description, floor: Some(0.055), ..CMU };
    three(figures, &say, &people, seed, Some(CLLR_LOSS_FLOOR));
    let everybody: Vec<usize> = (0..people.len()).collect();
    let (_, mut non_mated) = pooled(&people, &everybody);
    non_mated.sort_unstable_by(f64::total_cmp);
    let threshold = elsewhere::evidence::quantile::quantile_of_sorted(&non_mated, 0.05);
    let accepted = Say {
        name: "typing.cmu_online.honest_acceptance_rate",
        description: "mated logins of the same run under the 5 % FMR threshold",
        floor: Some(0.94),
        higher_is_better: true,
        ..say
    };
    figures.extend(figure(&accepted, &people, seed, |chosen| {
        let (mated, _) = pooled(&people, chosen);
        Some(mated.iter().filter(|score| **score < threshold).count() as f64 / mated.len() as f64)
    }));
    let five = sides(&probes, 5);
    let say = Say {
        name: "typing.cmu_online_five",
        description: "the same, mean of five successive logins",
        unit: "means of five logins",
        floor: Some(0.025),
        ..say
    };
    three(figures, &say, &five, seed, Some(CLLR_LOSS_FLOOR));
    let say = Say { name: "typing.cmu_online_five.user_eer", ..say };
    figures.extend(figure(&say, &five, seed, |chosen| user_eer(&five, chosen)));
    Ok(threshold)
}

/// The main protocol where nobody else types the phrase: there is no background but the priors.
fn alone(figures: &mut Vec<Figure>, cmu: &[Typist], new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<(), String> {
    let mut requests = convert::online_requests(cmu, KeystrokeSet::Cmu, ENROL, ONLINE_FROM);
    convert::set_own_phrases(&mut requests);
    let people = sides(&run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?, 1);
    let description = format!("{}; every worker's phrase has a name of its own", online_description(ENROL));
    let say = Say { name: "typing.cmu_online_alone", description: &description, ..CMU };
    three(figures, &say, &people, seed, Some(CLLR_LOSS_FLOOR));
    Ok(())
}

/// What the gate lets through in the main protocol: 1 % of what strangers type is the contract.
fn gate(figures: &mut Vec<Figure>, cmu: &[Typist], data: &Path, seed: u64) -> Result<(), String> {
    let parameters = fit::typing::fit_phrase(data, seed)?;
    for (together, name) in [(true, "typing.cmu_gate"), (false, "typing.cmu_gate_alone")] {
        let weights = typing_gate::weights(cmu, KeystrokeSet::Cmu, &parameters, ONLINE_FROM, STRANGER_STEP, together)?;
        let people: Vec<Sides> =
            weights.into_iter().map(|weights| Sides { mated: weights.own, non_mated: weights.strange }).collect();
        let company = if together { "all type one phrase" } else { "nobody else types the phrase" };
        for (ending, description, own) in [
            ("stranger_weight", "mean weight of a practised stranger's login in a worker's profile, of 1", false),
            ("own_weight", "mean weight of a worker's own login", true),
        ] {
            let (name, description) = (format!("{name}.{ending}"), format!("{description}; {company}"));
            let say = Say { name: &name, description: &description, higher_is_better: own, ..CMU };
            figures.extend(figure(&say, &people, seed, |chosen| {
                let (mated, non_mated) = pooled(&people, chosen);
                metrics::mean(if own { &mated } else { &non_mated })
            }));
        }
    }
    Ok(())
}

fn online_description(enrol: usize) -> String {
    format!("fixed phrase, enrol {enrol}, then if trusted; practised strangers from login {ONLINE_FROM}")
}

/// Other enrolments: long after them, by when they hardly matter, and right after them.
fn enrolments(
    figures: &mut Vec<Figure>,
    cmu: &[Typist],
    new_scorer: &mut NewScorer<'_>,
    seed: u64,
) -> Result<(), String> {
    for enrol in [3, 5, 50] {
        let requests = convert::online_requests(cmu, KeystrokeSet::Cmu, enrol, ONLINE_FROM);
        let people = sides(&run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?, 1);
        let (name, description) = (format!("typing.cmu_online_{enrol}"), online_description(enrol));
        let say = Say { name: &name, description: &description, floor: Some(0.055), ..CMU };
        three(figures, &say, &people, seed, Some(CLLR_LOSS_FLOOR));
    }
    for enrol in [3, 5, 10, 50] {
        let requests = convert::enrolled_requests(cmu, KeystrokeSet::Cmu, enrol, AFTER_ENROLMENT, ONLINE_FROM);
        let people = sides(&run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?, 1);
        let name = format!("typing.cmu_enrolled_{enrol}");
        let sitting = if enrol % SITTING == 0 { "next" } else { "same" };
        let description = format!(
            "fixed phrase, enrol the first {enrol} logins ever typed, then the {AFTER_ENROLMENT} that follow in the \
             {sitting} sitting, if trusted; strangers with logins from their {ONLINE_FROM}th on"
        );
        let say = Say { name: &name, description: &description, ..CMU };
        three(figures, &say, &people, seed, Some(CLLR_LOSS_FLOOR));
    }
    Ok(())
}

/// The main protocol on coarser clocks.
fn clocks(figures: &mut Vec<Figure>, cmu: &[Typist], new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<(), String> {
    for millis in CLOCKS_MILLIS {
        let mut requests = convert::online_requests(cmu, KeystrokeSet::Cmu, ENROL, ONLINE_FROM);
        convert::set_clock(&mut requests, millis * 1_000);
        let people = sides(&run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?, 1);
        let name = format!("typing.cmu_online_clock_{millis}ms");
        let description = format!("{}; stamps floored to {millis} ms", online_description(ENROL));
        let say = Say { name: &name, description: &description, ..CMU };
        three(figures, &say, &people, seed, Some(CLLR_LOSS_FLOOR));
    }
    Ok(())
}

fn takeover(
    figures: &mut Vec<Figure>,
    cmu: &[Typist],
    new_scorer: &mut NewScorer<'_>,
    threshold: f64,
    seed: u64,
) -> Result<(), String> {
    let requests = convert::takeover_requests(cmu, KeystrokeSet::Cmu, TAKEOVER_STRANGERS);
    let mut probes = run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?;
    let number = |probe: &Probe| probe.truth.strip_prefix("taken ").and_then(|number| number.parse::<u32>().ok());
    probes.retain(|probe| number(probe).is_some_and(|number| number > 40));
    let people = sides(&probes, 1);
    let say = Say {
        name: "typing.cmu_takeover.refused_rate",
        description: "takeover after 60 logins, if trusted: stranger logins 41-60 over the 5 % FMR threshold",
        floor: Some(0.80),
        higher_is_better: true,
        ..CMU
    };
    figures.extend(figure(&say, &people, seed, |chosen| {
        let (_, taken) = pooled(&people, chosen);
        Some(taken.iter().filter(|score| **score >= threshold).count() as f64 / taken.len() as f64)
    }));
    Ok(())
}

fn standard(
    figures: &mut Vec<Figure>,
    cmu: &[Typist],
    new_scorer: &mut NewScorer<'_>,
    seed: u64,
) -> Result<(), String> {
    let requests = convert::standard_requests(cmu, KeystrokeSet::Cmu, 200, 5);
    let people = sides(&run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?, 1);
    let say = Say {
        name: "typing.cmu_standard.user_eer",
        description: "fixed phrase, enrol the oldest 200, first 5 logins of strangers",
        floor: Some(0.075),
        ..CMU
    };
    figures.extend(figure(&say, &people, seed, |chosen| user_eer(&people, chosen)));
    let say = Say { name: "typing.cmu_standard", floor: None, ..say };
    three(figures, &say, &people, seed, Some(CLLR_LOSS_FLOOR));
    Ok(())
}

/// A protocol of cadence tables.
struct TableProtocol {
    set: KeystrokeSet,
    presses: usize,
    enrol: usize,
    name: &'static str,
    how: &'static str,
    floor: Option<f64>,
}

/// Protocols on sets that the model is fitted on. The floors of `targets.md` are for one table of BB-MAS's only
/// sitting, and for the six tables of Villani's first three sessions of 500 presses.
const FITTED_PROTOCOLS: [TableProtocol; 3] = [
    TableProtocol {
        set: KeystrokeSet::Bbmas,
        presses: 250,
        enrol: 1,
        name: "typing.table_bbmas",
        how: "cadence tables, enrol the first 250 presses of the sitting, probe its other 250s",
        floor: Some(0.16),
    },
    TableProtocol {
        set: KeystrokeSet::VillaniFree,
        presses: 250,
        enrol: 6,
        name: "typing.table_villani",
        how: "cadence tables, enrol sessions 1-3 (6 x 250 presses), probe the 250s of sessions 4-6",
        floor: Some(0.11),
    },
    TableProtocol {
        set: KeystrokeSet::VillaniFree,
        presses: 250,
        enrol: 1,
        name: "typing.table_villani_single",
        how: "cadence tables, enrol 250 presses of session 1, probe the 250s of sessions 4-6",
        floor: None,
    },
];

impl TableProtocol {
    fn requests(&self, typists: &[Typist]) -> Vec<Request> {
        convert::table_requests(typists, self.set, self.presses, self.enrol, TABLE_STRANGERS)
    }

    fn push(
        &self,
        figures: &mut Vec<Figure>,
        probes: &[Probe],
        name: &str,
        description: &str,
        floors: bool,
        seed: u64,
    ) {
        let say = Say {
            name,
            description,
            unit: "tables",
            floor: self.floor.filter(|_| floors),
            higher_is_better: false,
            licence: if self.set.trainable() { "train" } else { "measure" },
        };
        three(figures, &say, &sides(probes, 1), seed, floors.then_some(CLLR_LOSS_FLOOR));
    }
}

/// Tables through the whole pipeline: people the model has not seen, then those it was fitted on.
fn tables(figures: &mut Vec<Figure>, data: &Path, new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<(), String> {
    let aalto = TableProtocol {
        set: KeystrokeSet::Aalto,
        presses: 200,
        enrol: 2,
        name: "typing.table_aalto",
        how: "cadence tables, enrol 2 x 200 presses, probe 200",
        floor: Some(0.04),
    };
    for protocol in std::iter::once(&aalto).chain(&FITTED_PROTOCOLS) {
        let requests = protocol.requests(&corpus::read(data, protocol.set)?);
        let probes = run(new_scorer().as_mut(), requests, Finding::TypingTable)?;
        if protocol.set.trainable() {
            let name = format!("{}_seen", protocol.name);
            let description = format!("{}; people the model was fitted on", protocol.how);
            protocol.push(figures, &probes, &name, &description, false, seed);
        } else {
            protocol.push(figures, &probes, protocol.name, protocol.how, true, seed);
        }
    }
    Ok(())
}

/// Tables of people left out by fold: model and calibration are of the other folds, strangers of the same.
fn tables_left_out(figures: &mut Vec<Figure>, data: &Path, seed: u64) -> Result<(), String> {
    let mut probes: Vec<Vec<Probe>> = vec![Vec::new(); FITTED_PROTOCOLS.len()];
    let mut typists = Vec::new();
    for protocol in &FITTED_PROTOCOLS {
        typists.push(corpus::read(data, protocol.set)?);
    }
    for fold in 0..FOLDS {
        let of_fold: Vec<Vec<Typist>> = typists.iter().map(|typists| every_fifth(typists, fold)).collect();
        let left_out: BTreeSet<(KeystrokeSet, &str)> = FITTED_PROTOCOLS
            .iter()
            .zip(&of_fold)
            .flat_map(|(protocol, typists)| typists.iter().map(|typist| (protocol.set, typist.subject.as_str())))
            .collect();
        let kept = |set: KeystrokeSet, subject: &str| !left_out.contains(&(set, subject));
        let parameters = Rc::new(fit::typing::fit_table(data, &kept)?);
        for ((protocol, typists), probes) in FITTED_PROTOCOLS.iter().zip(&of_fold).zip(&mut probes) {
            let mut scorer = TableScorer { parameters: parameters.clone(), profiles: BTreeMap::new() };
            probes.extend(run(&mut scorer, protocol.requests(typists), Finding::TypingTable)?);
        }
    }
    for (protocol, probes) in FITTED_PROTOCOLS.iter().zip(&probes) {
        let description = format!("{}; people left out by fifths, model and calibration of the others", protocol.how);
        protocol.push(figures, probes, protocol.name, &description, true, seed);
    }
    Ok(())
}

/// The typists of one fold.
fn every_fifth(typists: &[Typist], fold: usize) -> Vec<Typist> {
    typists.iter().skip(fold).step_by(FOLDS).cloned().collect()
}

/// Scores tables alone, in the pipeline's order: observe, compare, learn.
struct TableScorer {
    parameters: Rc<TableParameters>,
    profiles: BTreeMap<String, TableProfile>,
}

impl Scorer for TableScorer {
    fn score(&mut self, event: EventUnchecked, update: Update) -> Result<Scored, String> {
        let worker = event.worker_id.clone();
        let table = observe(&fit::typing::samples(event)?).table.ok_or("the event carries no table")?;
        let profile = self.profiles.entry(worker).or_default();
        let score = profile.score(&table, &self.parameters).map(|score| self.parameters.calibrated(&score));
        if update != Update::Never {
            profile.learn(&table, &self.parameters);
        }
        let heard = |finding: &Finding| score.filter(|_| *finding == Finding::TypingTable);
        Ok(Scored { findings: Finding::ALL.iter().map(heard).collect(), ..Scored::default() })
    }
}

/// Share of people's stretches taken for machine-made.
fn synthetic(figures: &mut Vec<Figure>, data: &Path, new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<(), String> {
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
                let scored = scorer.score(event, Update::Never)?;
                fired.mated.push(scored.finding(Finding::TypingSynthetic).unwrap_or(0.0));
            }
            people.push(fired);
        }
        let name = format!("typing.synthetic_{name}.false_positive_rate");
        let say = Say {
            name: &name,
            description: "stretches of people with any evidence of machine-made typing",
            unit: "stretches",
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
