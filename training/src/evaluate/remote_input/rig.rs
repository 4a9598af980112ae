//! The project's own recordings (`training/capture`), which no forest was fitted on: every desk and relay is unseen.

use super::keys::Alone;
use super::{Card, NewScorer, Sides, of_family, tpr};
use crate::convert::captures as convert;
use crate::corpus::captures::Capture;
use crate::corpus::keyboard::{self, KeyRelay};
use crate::corpus::keystroke::{self, KeystrokeSet};
use crate::corpus::motion::{self, Move};
use crate::fit::remote_input as fit;
use crate::metrics;
use crate::request::{Scorer, Update};
use elsewhere::evidence::remote_input::pointer;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus as Random;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Simulated local stretches behind the simulated threshold.
const SIMULATED: u32 = 600;
/// Parts that take turns to be left out of a refit.
const FOLDS: usize = 3;
/// Aalto typists under captured delays.
const TYPISTS: usize = 400;
/// Presses of a key window: what a recording holds.
const PRESSES: usize = 100;

/// Every figure of the project's own recordings.
pub(super) fn rig_figures(
    data: &Path,
    captured: &[Capture],
    recorded: &[Capture],
    new_scorer: &mut NewScorer,
    card: &mut Card,
    seed: u64,
) -> Result<(), String> {
    let mut random = Random::seed_from_u64(seed ^ 0x7269_6720);
    let mut scorer = new_scorer();
    let sound: Vec<&Capture> = recorded.iter().filter(|capture| capture.pointer_sound()).collect();
    pointers(&sound, scorer.as_mut(), card, &mut random, seed)?;
    frames(&sound, scorer.as_mut(), card, &mut random, seed)?;
    refitted(&sound, card, seed)?;
    keys(recorded, scorer.as_mut(), card, seed)?;
    keys_refitted(data, captured, recorded, card, seed)
}

/// Scores of every window of 50 moves.
fn windows(
    scorer: &mut dyn Scorer,
    group: &str,
    moves: &[Move],
    coalesced: bool,
) -> Result<Vec<(String, f64)>, String> {
    convert::pointer_requests(group, "rig", moves, coalesced)
        .into_iter()
        .map(|request| Ok((request.group.clone(), of_family(&scorer.score(request.event, Update::Never)?))))
        .collect()
}

fn share_over(side: &[(String, f64)], limit: f64) -> Option<f64> {
    (!side.is_empty()).then(|| side.iter().filter(|entry| entry.1 > limit).count() as f64 / side.len() as f64)
}

fn pointers(
    sound: &[&Capture],
    scorer: &mut dyn Scorer,
    card: &mut Card,
    random: &mut Random,
    seed: u64,
) -> Result<(), String> {
    let mut all = Sides::default();
    let (mut loaded, mut calm) = (Vec::new(), Vec::new());
    let (mut jittered, mut quiet) = (Vec::new(), Vec::new());
    let mut by_protocol: BTreeMap<String, Vec<(String, f64)>> = BTreeMap::new();
    for capture in sound {
        let scores = windows(scorer, &capture.condition, &convert::moves(&capture.pointer), false)?;
        if !capture.remote {
            let desks = if capture.load.is_some() { &mut loaded } else { &mut calm };
            desks.extend(scores.iter().cloned());
            all.negative.extend(scores);
            continue;
        }
        // What is only reported is kept out of every sum that somebody might tune by.
        if !capture.report_only {
            all.positive.extend(scores.iter().cloned());
            let noisy = capture.jitter_millis >= 5.0 || capture.loss_percent >= 1.0;
            let relays = if noisy { &mut jittered } else { &mut quiet };
            relays.extend(scores.iter().cloned());
        }
        let kind = if capture.report_only { "reported_" } else { "" };
        by_protocol.entry(format!("{kind}{}", capture.protocol)).or_default().extend(scores);
    }
    let text = "50 moves, the project's own recordings: simulated devices injected into a real X server against real \
                relays, none of them seen by the forests";
    let (sample, count) = (all.sample("windows"), all.negative.len());
    card.push(
        "rig_pointer_50.tpr_at_1pct",
        text,
        all.statistic(tpr(0.01)),
        all.interval(seed, tpr(0.01)),
        sample.clone(),
        None,
        true,
        "real",
    );
    card.push(
        "rig_pointer_50.auc",
        text,
        all.statistic(metrics::auc),
        all.interval(seed, metrics::auc),
        sample,
        None,
        true,
        "real",
    );
    let mut parts: Vec<(String, Sides)> = vec![
        ("calm_desks".into(), Sides { negative: calm, positive: all.positive.clone() }),
        ("jitter_or_loss".into(), Sides { negative: all.negative.clone(), positive: jittered }),
        ("no_jitter_no_loss".into(), Sides { negative: all.negative.clone(), positive: quiet }),
    ];
    parts.extend(
        by_protocol
            .into_iter()
            .map(|(protocol, positive)| (protocol, Sides { negative: all.negative.clone(), positive })),
    );
    for (part, sides) in parts {
        let name = format!("rig_pointer_50.{part}.tpr_at_1pct");
        card.push(
            &name,
            text,
            sides.statistic(tpr(0.01)),
            sides.interval(seed, tpr(0.01)),
            sides.sample("windows"),
            None,
            true,
            "real",
        );
    }
    let mut simulated = Vec::new();
    for person in 0..SIMULATED {
        let path = motion::path(&motion::hand(random), 8_000, random);
        let reported = motion::reports(&motion::device(random), &path, random);
        let delivered = motion::load(&motion::machine(random), &reported, random);
        simulated.extend(windows(scorer, &format!("simulated-{person}"), &delivered, false)?);
    }
    let mut scores: Vec<f64> = simulated.iter().map(|entry| entry.1).collect();
    scores.sort_by(f64::total_cmp);
    let limit = scores.get(scores.len() * 99 / 100).copied().unwrap_or(0.0);
    for (name, text, side, limit) in [
        ("local_above_zero", "own local windows with a score above 0", &all.negative, 0.0),
        ("loaded_above_zero", "own local windows on a loaded machine with a score above 0", &loaded, 0.0),
        (
            "local_over_simulated_1pct",
            "own local windows above the score that 1 % of simulated local windows exceed",
            &all.negative,
            limit,
        ),
    ] {
        let sample = format!("{} of {count} windows, {} simulated", side.len(), simulated.len());
        card.push(&format!("rig_pointer_50.{name}"), text, share_over(side, limit), None, sample, None, false, "real");
    }
    Ok(())
}

fn frames(
    sound: &[&Capture],
    scorer: &mut dyn Scorer,
    card: &mut Card,
    random: &mut Random,
    seed: u64,
) -> Result<(), String> {
    let (mut framed, mut browser): (Sides, Sides) = Default::default();
    for capture in sound.iter().filter(|capture| !capture.report_only) {
        let simulated = motion::coalesced(&convert::moves(&capture.pointer), 16.667, false, random);
        for (sides, moves) in [(&mut framed, simulated), (&mut browser, convert::moves(&capture.browser))] {
            let scores = windows(scorer, &capture.condition, &moves, true)?;
            if capture.remote { sides.positive.extend(scores) } else { sides.negative.extend(scores) }
        }
    }
    for (name, text, sides, source) in [
        ("rig_pointer_60hz", "50 moves, own recordings coalesced to 60 Hz", framed, "mixed"),
        ("rig_pointer_browser", "50 moves as a page in a real browser saw them, own recordings", browser, "real"),
    ] {
        card.push(
            &format!("{name}.tpr_at_1pct"),
            text,
            sides.statistic(tpr(0.01)),
            sides.interval(seed, tpr(0.01)),
            sides.sample("windows"),
            None,
            true,
            source,
        );
    }
    Ok(())
}

/// What fitting on recordings would change: thirds of the relays and of the desks take turns to be left out, and each
/// third is scored by forests that saw the other two, beside a forest that saw simulation alone.
fn refitted(sound: &[&Capture], card: &mut Card, seed: u64) -> Result<(), String> {
    let fit_for: Vec<&Capture> = sound.iter().filter(|capture| !capture.report_only).copied().collect();
    let protocols: BTreeSet<&str> =
        fit_for.iter().filter(|capture| capture.remote).map(|capture| capture.protocol.as_str()).collect();
    let desks: Vec<&str> =
        fit_for.iter().filter(|capture| !capture.remote).map(|capture| capture.condition.as_str()).collect();
    let third = |capture: &Capture| {
        let names: Vec<&str> = if capture.remote { protocols.iter().copied().collect() } else { desks.clone() };
        let own = if capture.remote { &capture.protocol } else { &capture.condition };
        names.iter().position(|name| name == own).unwrap_or(0) % FOLDS
    };
    let rows = fit::simulated_pointers(seed);
    let simulated = fit::raw_pointer_forest(&rows, &[])?;
    let (mut before, mut after): (Sides, Sides) = Default::default();
    for fold in 0..FOLDS {
        let (seen, left): (Vec<&Capture>, Vec<&Capture>) =
            fit_for.iter().copied().partition(|capture| third(capture) != fold);
        let with = fit::raw_pointer_forest(&rows, &seen)?;
        for capture in left {
            for window in convert::moves(&capture.pointer).chunks_exact(pointer::WINDOW_MOVES) {
                let (gaps, xs, ys) = motion::columns(window, 1.0);
                let Some(measured) = pointer::measure(&gaps, Some((&xs, &ys))) else { continue };
                for (sides, forest) in [(&mut before, &simulated), (&mut after, &with)] {
                    let side = if capture.remote { &mut sides.positive } else { &mut sides.negative };
                    side.push((capture.condition.clone(), forest.log_odds(&measured.measurements)));
                }
            }
        }
    }
    for (name, text, sides) in [
        (
            "rig_simulated_forest",
            "50 moves, own recordings, forest fitted on simulation alone, before tempering",
            before,
        ),
        (
            "rig_recorded_forest",
            "the same, fitted on simulation and two thirds of relays and desks, on the third",
            after,
        ),
    ] {
        for (suffix, rate) in [("tpr_at_1pct", 0.01), ("tpr_at_p1pct", 0.001)] {
            card.push(
                &format!("{name}.{suffix}"),
                text,
                sides.statistic(tpr(rate)),
                sides.interval(seed, tpr(rate)),
                sides.sample("windows"),
                None,
                true,
                "real",
            );
        }
        let share = share_over(&sides.negative, 0.0);
        card.push(&format!("{name}.local_above_zero"), text, share, None, sides.sample("windows"), None, false, "real");
    }
    Ok(())
}

fn keys(recorded: &[Capture], scorer: &mut dyn Scorer, card: &mut Card, seed: u64) -> Result<(), String> {
    let (mut noisy, mut quiet): (Sides, Sides) = Default::default();
    for capture in recorded
        .iter()
        .filter(|capture| capture.soundness.is_some_and(|found| found.keys && found.machine) && !capture.report_only)
    {
        let presses: Vec<(f64, f64)> = capture
            .keys
            .iter()
            .filter(|key| key.release > key.press)
            .map(|key| (key.press.floor(), key.release.floor()))
            .collect();
        for (index, window) in presses.chunks_exact(PRESSES).enumerate() {
            let event = convert::typing_event(&format!("rig-key-{}", capture.condition), index, window);
            let entry = (capture.condition.clone(), of_family(&scorer.score(event, Update::Never)?));
            if !capture.remote {
                noisy.negative.push(entry.clone());
                quiet.negative.push(entry);
            } else if capture.jitter_millis >= 5.0 || capture.loss_percent >= 1.0 {
                noisy.positive.push(entry);
            } else {
                quiet.positive.push(entry);
            }
        }
    }
    for (name, text, sides) in [
        ("rig_keys_100", "100 presses, own recordings, jitter >= 5 ms or loss >= 1 %, simulated typists", noisy),
        ("rig_keys_100_quiet", "the same without jitter or loss", quiet),
    ] {
        card.push(
            &format!("{name}.auc"),
            text,
            sides.statistic(metrics::auc),
            sides.interval(seed, metrics::auc),
            sides.sample("windows"),
            None,
            true,
            "real",
        );
    }
    Ok(())
}

/// What fitting keys on the recordings' delays too would change: every protocol that was captured before is left out in
/// turn and scored, once by a forest of the other captures and once by one that saw the rig's other relays as well.
fn keys_refitted(
    data: &Path,
    captured: &[Capture],
    recorded: &[Capture],
    card: &mut Card,
    seed: u64,
) -> Result<(), String> {
    let typists: Vec<keyboard::Presses> = keystroke::read(data, KeystrokeSet::Aalto)?
        .iter()
        .take(TYPISTS)
        .map(convert::presses)
        .filter(|presses| presses.len() >= 400)
        .collect();
    let whole = fit::fit(data, seed)?;
    let both: Vec<Capture> = captured.iter().chain(recorded).cloned().collect();
    for (name, text, learned) in [
        (
            "rig_keys_200_before",
            "200 presses as keys_200, the same people under both forests: captures alone",
            captured,
        ),
        ("rig_keys_200_after", "the same, fitted on the delays of the project's own recordings too", &both[..]),
    ] {
        let mut random = Random::seed_from_u64(seed ^ 0x6b65_7973);
        let (mut pooled, mut aucs, mut tprs) = (Sides::default(), Vec::new(), Vec::new());
        for protocol in ["novnc", "x11vnc", "xtigervnc"] {
            let alone = Alone { parameters: fit::refit_keys_from(&whole, data, learned, seed, protocol)? };
            let mut sides = Sides::default();
            let noisy = |capture: &&Capture| capture.jitter_millis >= 5.0 || capture.loss_percent >= 1.0;
            // Both sets of recordings of the protocol left out: more networks than either holds.
            for capture in both.iter().filter(|capture| capture.remote && capture.protocol == protocol).filter(noisy) {
                let delays = capture.key_delays();
                for _ in 0..20 {
                    let person = random.gen_range(0..typists.len());
                    let relayed =
                        keyboard::relayed_keys(&KeyRelay::Captured(&delays), &typists[person][..200], &mut random);
                    let event = convert::typing_event(&format!("{name}-{}-{person}", capture.condition), 0, &relayed);
                    sides.positive.push((capture.condition.clone(), alone.score(event)?));
                }
            }
            for (person, presses) in typists.iter().enumerate() {
                for (index, window) in presses.chunks_exact(200).take(3).enumerate() {
                    let event = convert::typing_event(&format!("{name}-local-{person}"), index, window);
                    sides.negative.push((person.to_string(), alone.score(event)?));
                }
            }
            aucs.extend(sides.statistic(metrics::auc));
            tprs.extend(sides.statistic(tpr(0.01)));
            pooled.positive.extend(sides.positive);
            pooled.negative.extend(sides.negative);
        }
        let interval = pooled.interval(seed, metrics::auc);
        card.push(
            &format!("{name}.auc"),
            text,
            metrics::mean(&aucs),
            interval,
            pooled.sample("windows"),
            None,
            true,
            "mixed",
        );
        let interval = pooled.interval(seed, tpr(0.01));
        card.push(
            &format!("{name}.tpr_at_1pct"),
            text,
            metrics::mean(&tprs),
            interval,
            pooled.sample("windows"),
            None,
            true,
            "mixed",
        );
    }
    Ok(())
}
