//! Key timing: refits with the protocol left out, the shipped model, and an auto-releasing KVM.

use super::{Card, NewScorer, Random, Sides, cllr_excess, of_family, tpr};
use crate::convert::captures as convert;
use crate::corpus::captures::Capture;
use crate::corpus::keyboard::{self, KeyRelay};
use crate::corpus::keystroke::{self, KeystrokeSet};
use crate::fit::remote_input as fit;
use crate::metrics;
use crate::request::Update;
use elsewhere::event::EventUnchecked;
use elsewhere::evidence::feature::{Features, Finding};
use elsewhere::evidence::remote_input::{self as family, Parameters};
use rand::Rng;
use std::path::Path;

/// Scores by the family alone with parameters of its own: for refits that no store has to remember.
pub(super) struct Alone {
    pub(super) parameters: Parameters,
}

impl Alone {
    pub(super) fn score(&self, event: EventUnchecked) -> Result<f64, String> {
        let rules = elsewhere::event::Rules {
            now: None,
            secret_typing_allowed: false,
            tables: elsewhere::event::TablePolicy::PerEvent,
        };
        let mut violations = elsewhere::event::Violations::default();
        let event = event.check("event", &rules, &mut violations).ok_or("a converted event does not pass the check")?;
        let mut features = Features::default();
        let observation = family::observe(&event.samples);
        family::compare(&observation, &family::Profile::default(), None, &self.parameters, &mut features);
        Ok(features.get(Finding::RemoteInputKey.score()).unwrap_or(0.0))
    }
}

pub(super) fn key_figures(
    data: &Path,
    recorded: &[Capture],
    new_scorer: &mut NewScorer,
    card: &mut Card,
    random: &mut Random,
    seed: u64,
) -> Result<(), String> {
    const PEOPLE: usize = 400;
    let typists: Vec<keyboard::Presses> = keystroke::read(data, KeystrokeSet::Aalto)?
        .iter()
        .take(PEOPLE)
        .map(convert::presses)
        .filter(|presses| presses.len() >= 400)
        .collect();
    let whole = fit::fit(data, seed)?;
    let mut scorer = new_scorer();
    let (mut left_out, mut quiet, mut shipped): (Sides, Sides, Sides) = Default::default();
    let mut still = Vec::new();
    let (mut aucs, mut tprs) = (Vec::new(), Vec::new());
    let protocols = ["novnc", "x11vnc", "xtigervnc"];
    for protocol in protocols {
        let alone = Alone { parameters: fit::refit_keys_excluding(&whole, data, seed, protocol)? };
        let mut sides = Sides::default();
        for capture in recorded.iter().filter(|capture| capture.protocol == protocol && capture.remote) {
            let noisy = capture.jitter_millis >= 5.0 || capture.loss_percent >= 1.0;
            let delays = capture.key_delays();
            for _ in 0..40 {
                let person = random.gen_range(0..typists.len());
                let relayed = keyboard::relayed_keys(&KeyRelay::Captured(&delays), &typists[person][..200], random);
                let event = convert::typing_event(&format!("key-{}-{person}", capture.condition), 0, &relayed);
                let score = alone.score(event.clone())?;
                if noisy {
                    sides.positive.push((capture.condition.clone(), score));
                    shipped.positive.push((capture.condition.clone(), of_family(&scorer.score(event, Update::Never)?)));
                } else {
                    quiet.positive.push((capture.condition.clone(), score));
                    still.push((capture.condition.clone(), of_family(&scorer.score(event, Update::Never)?)));
                }
            }
        }
        for (person, presses) in typists.iter().enumerate() {
            for (index, window) in presses.chunks_exact(200).take(3).enumerate() {
                let event = convert::typing_event(&format!("key-local-{person}"), index, window);
                sides.negative.push((person.to_string(), alone.score(event.clone())?));
                if protocol == protocols[0] {
                    shipped.negative.push((person.to_string(), of_family(&scorer.score(event, Update::Never)?)));
                }
            }
        }
        aucs.extend(sides.statistic(metrics::auc));
        tprs.extend(sides.statistic(tpr(0.01)));
        // Each refit has a scale of its own; what is pooled are its own negatives beside its own positives.
        left_out.positive.extend(sides.positive);
        quiet.negative.extend(sides.negative.iter().cloned());
        left_out.negative.extend(sides.negative);
    }
    let text = "200 presses, jitter >= 5 ms or loss >= 1 %, Aalto typing as it is against the same under captured \
                delays, protocol left out";
    card.push(
        "keys_200.auc",
        text,
        metrics::mean(&aucs),
        left_out.interval(seed, metrics::auc),
        left_out.sample("windows"),
        Some(0.96),
        true,
        "mixed",
    );
    card.push(
        "keys_200.tpr_at_1pct",
        text,
        metrics::mean(&tprs),
        left_out.interval(seed, tpr(0.01)),
        left_out.sample("windows"),
        Some(0.6),
        true,
        "mixed",
    );
    let text = "the same without jitter or loss";
    card.push(
        "keys_200_quiet.auc",
        text,
        quiet.statistic(metrics::auc),
        quiet.interval(seed, metrics::auc),
        quiet.sample("windows"),
        None,
        true,
        "mixed",
    );
    let text = "the shipped model, whose fit saw the delays of these protocols under other typing";
    card.push(
        "keys_200_shipped.auc",
        text,
        shipped.statistic(metrics::auc),
        shipped.interval(seed, metrics::auc),
        shipped.sample("windows"),
        None,
        true,
        "mixed",
    );
    card.push(
        "keys_200_shipped.tpr_at_1pct",
        text,
        shipped.statistic(tpr(0.01)),
        shipped.interval(seed, tpr(0.01)),
        shipped.sample("windows"),
        None,
        true,
        "mixed",
    );

    // A score of relays of all kinds is asked for its scale over all kinds.
    let mut every = shipped.clone();
    every.positive.extend(still);
    let text = "Cllr - minCllr of the shipped model, relays with and without jitter";
    let (value, interval) = (every.statistic(cllr_excess), every.interval(seed, cllr_excess));
    let sample = every.sample("windows");
    card.push("keys_200_shipped.cllr_excess", text, value, interval, sample, Some(0.05), false, "mixed");

    // An auto-releasing KVM sends the release right after the press.
    let mut released = Sides { negative: shipped.negative.clone(), positive: Vec::new() };
    for (person, presses) in typists.iter().enumerate() {
        let short: keyboard::Presses =
            presses[..200].iter().map(|(press, _)| (*press, press + random.gen_range(1.0..16.0))).collect();
        let event = convert::typing_event(&format!("key-released-{person}"), 0, &short);
        released.positive.push((person.to_string(), of_family(&scorer.score(event, Update::Never)?)));
    }
    let text = "auto-releasing KVM: caught above every local window";
    let over = |negative: &[f64], positive: &[f64]| metrics::tpr_at_fpr(negative, positive, 0.0);
    card.push(
        "auto_release.tpr_at_0",
        text,
        released.statistic(over),
        None,
        released.sample("windows"),
        Some(0.99),
        true,
        "simulated",
    );
    Ok(())
}
