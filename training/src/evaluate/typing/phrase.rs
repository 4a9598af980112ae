//! Figures of fixed phrases at login.

use super::{
    CLLR_LOSS_FLOOR, NewScorer, Probe, Say, Sides, drift, figure, gate as weighing, pooled, run, sides, three, user_eer,
};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Typist};
use crate::fit;
use crate::metrics;
use crate::request::Figure;
use elsewhere::evidence::feature::Finding;
use std::path::Path;

/// What figures on CMU logins share: an error rate, without a floor.
pub(super) const CMU: Say =
    Say { name: "", description: "", unit: "logins", floor: None, higher_is_better: false, licence: "measure" };

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
/// Strangers that take each worker over.
const TAKEOVER_STRANGERS: usize = 5;

/// Every figure of fixed phrases.
pub(super) fn evaluate(
    figures: &mut Vec<Figure>,
    data: &Path,
    new_scorer: &mut NewScorer<'_>,
    seed: u64,
) -> Result<(), String> {
    let cmu = corpus::read(data, KeystrokeSet::Cmu)?;
    let threshold = online(figures, &cmu, new_scorer, seed)?;
    alone(figures, &cmu, new_scorer, seed)?;
    gate(figures, &cmu, data, seed)?;
    enrolments(figures, &cmu, new_scorer, seed)?;
    clocks(figures, &cmu, new_scorer, seed)?;
    takeover(figures, &cmu, new_scorer, threshold, seed)?;
    drift::evaluate(figures, &cmu, new_scorer, threshold, seed)?;
    standard(figures, &cmu, new_scorer, seed)
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
    let parameters = fit::typing::phrase::fit_phrase(data, seed, &|_, _| true)?;
    for (together, name) in [(true, "typing.cmu_gate"), (false, "typing.cmu_gate_alone")] {
        let weights = weighing::weights(cmu, KeystrokeSet::Cmu, &parameters, ONLINE_FROM, STRANGER_STEP, together)?;
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

/// The main protocol on coarser clocks, where all type one phrase and where nobody else types the worker's.
fn clocks(figures: &mut Vec<Figure>, cmu: &[Typist], new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<(), String> {
    for (millis, own) in CLOCKS_MILLIS.into_iter().flat_map(|millis| [(millis, false), (millis, true)]) {
        let mut requests = convert::online_requests(cmu, KeystrokeSet::Cmu, ENROL, ONLINE_FROM);
        convert::set_clock(&mut requests, millis * 1_000);
        if own {
            convert::set_own_phrases(&mut requests);
        }
        let people = sides(&run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?, 1);
        let (ending, company) = if own { ("_alone", "; nobody else types the phrase") } else { ("", "") };
        let name = format!("typing.cmu_online_clock_{millis}ms{ending}");
        let description = format!("{}; stamps floored to {millis} ms{company}", online_description(ENROL));
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
