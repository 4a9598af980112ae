//! Pointer motion: captured protocols, relays that bunch, frames, and three windows together.

use super::{Card, NewScorer, Random, Sides, cllr_excess, of_family, tpr};
use crate::convert::captures as convert;
use crate::corpus::captures::Capture;
use crate::corpus::motion::{self, Move, exponential};
use crate::metrics;
use crate::request::Update;
use rand::Rng;
use std::collections::BTreeMap;

pub(super) fn pointer_figures(
    recorded: &[Capture],
    own: &[Capture],
    new_scorer: &mut NewScorer,
    card: &mut Card,
    random: &mut Random,
    seed: u64,
) -> Result<(), String> {
    let mut scorer = new_scorer();
    let (mut all, mut by_protocol): (Sides, BTreeMap<String, Sides>) = Default::default();
    let mut captured_local = Vec::new();
    for (protocol, request) in convert::recorded_pointers(recorded) {
        let entry = (request.group.clone(), of_family(&scorer.score(request.event, Update::Never)?));
        if request.truth == "local" {
            if protocol == "local" {
                captured_local.push(entry.clone());
            }
            all.negative.push(entry);
        } else {
            by_protocol.entry(protocol).or_default().positive.push(entry.clone());
            all.positive.push(entry);
        }
    }
    let text = "50 moves, real captures, protocol and recording left out (forest fitted on simulation only)";
    card.push(
        "pointer_50.tpr_at_1pct",
        text,
        all.statistic(tpr(0.01)),
        all.interval(seed, tpr(0.01)),
        all.sample("windows"),
        Some(0.9),
        true,
        "real",
    );
    card.push(
        "pointer_50.auc",
        text,
        all.statistic(metrics::auc),
        all.interval(seed, metrics::auc),
        all.sample("windows"),
        None,
        true,
        "real",
    );
    for (protocol, mut sides) in by_protocol {
        sides.negative.clone_from(&all.negative);
        let name = format!("pointer_50.{protocol}.tpr_at_1pct");
        card.push(
            &name,
            text,
            sides.statistic(tpr(0.01)),
            sides.interval(seed, tpr(0.01)),
            sides.sample("windows"),
            Some(0.9),
            true,
            "real",
        );
    }
    pooled(&all, own, scorer.as_mut(), card, seed)?;
    let flagged =
        |side: &[(String, f64)]| side.iter().filter(|entry| entry.1 > 0.0).count() as f64 / side.len().max(1) as f64;
    let count = captured_local.len();
    card.push(
        "pointer_50.local_above_zero",
        "real local windows with a score above 0",
        Some(flagged(&captured_local)),
        None,
        format!("{count} windows"),
        None,
        false,
        "real",
    );

    // A protocol that passes every move and bunches, laid over real local paths; not the simulator training used.
    for (name, jitter, share) in [("quiet", 0.0, 0.17), ("jitter5", 5.0, 0.17), ("jitter20", 20.0, 0.17)] {
        let mut sides = Sides { negative: all.negative.clone(), positive: Vec::new() };
        for capture in recorded.iter().filter(|capture| capture.pointer_sound()) {
            let moves = bunched(&convert::moves(&capture.pointer_injected), share, jitter, random);
            for request in convert::pointer_requests(&format!("{}-{name}", capture.condition), "bunched", &moves, false)
            {
                sides.positive.push((request.group.clone(), of_family(&scorer.score(request.event, Update::Never)?)));
            }
        }
        let text = "50 moves, real paths through a simulated relay that passes every 8 ms and bunches 17 %";
        let key = format!("pointer_50.bunching_{name}.tpr_at_1pct");
        card.push(
            &key,
            text,
            sides.statistic(tpr(0.01)),
            sides.interval(seed, tpr(0.01)),
            sides.sample("windows"),
            Some(0.8),
            true,
            "mixed",
        );
    }

    // The same paths and captures, coalesced to 60 Hz frames as a browser would.
    let (mut framed, mut browser): (Sides, Sides) = Default::default();
    for capture in recorded.iter().filter(|capture| capture.pointer_sound()) {
        let mut push = |sides: &mut Sides, remote: bool, group: &str, moves: &[Move]| -> Result<(), String> {
            for request in convert::pointer_requests(group, if remote { "remote" } else { "local" }, moves, true) {
                let entry = (request.group.clone(), of_family(&scorer.score(request.event, Update::Never)?));
                if remote { sides.positive.push(entry) } else { sides.negative.push(entry) }
            }
            Ok(())
        };
        let mut frame = |moves: &[Move]| motion::coalesced(moves, 16.667, false, random);
        push(&mut framed, capture.remote, &capture.condition, &frame(&convert::moves(&capture.pointer)))?;
        push(&mut browser, capture.remote, &capture.condition, &convert::moves(&capture.browser))?;
        if capture.remote {
            push(
                &mut framed,
                false,
                &format!("{}-injected", capture.condition),
                &frame(&convert::moves(&capture.pointer_injected)),
            )?;
        }
    }
    let text = "50 moves, real captures coalesced to 60 Hz, protocol left out";
    card.push(
        "pointer_60hz.tpr_at_1pct",
        text,
        framed.statistic(tpr(0.01)),
        framed.interval(seed, tpr(0.01)),
        framed.sample("windows"),
        Some(0.85),
        true,
        "mixed",
    );
    let text = "50 coalesced moves of a real browser: share on the right side of 0";
    let right = browser.positive.iter().filter(|entry| entry.1 > 0.0).count()
        + browser.negative.iter().filter(|entry| entry.1 <= 0.0).count();
    let count = browser.positive.len() + browser.negative.len();
    card.push(
        "pointer_browser.right_side",
        text,
        Some(right as f64 / count.max(1) as f64),
        None,
        browser.sample("windows"),
        None,
        true,
        "real",
    );
    Ok(())
}

/// The captures and the project's own recordings together, as targets.md asks, and what no score of pointers could reach
/// there: a relay that passes every move as the operator's device gave it is that device.
fn pooled(
    captured: &Sides,
    own: &[Capture],
    scorer: &mut dyn crate::request::Scorer,
    card: &mut Card,
    seed: u64,
) -> Result<(), String> {
    let (mut both, mut told) = (captured.clone(), captured.clone());
    let mut untold = 0.0;
    for capture in own.iter().filter(|capture| capture.pointer_sound() && !capture.report_only) {
        let traceless = capture.remote && capture.traceless();
        for request in convert::pointer_requests(&capture.condition, "own", &convert::moves(&capture.pointer), false) {
            let entry = (capture.condition.clone(), of_family(&scorer.score(request.event, Update::Never)?));
            if !capture.remote {
                both.negative.push(entry.clone());
                told.negative.push(entry);
                continue;
            }
            both.positive.push(entry.clone());
            if traceless { untold += 1.0 } else { told.positive.push(entry) }
        }
    }
    let mut push = |name: &str, text: &str, value, interval, sides: &Sides, floor| {
        card.push(name, text, value, interval, sides.sample("windows"), floor, true, "real");
    };
    let text = "50 moves, captures and own recordings together, none of them fitted on";
    let (value, interval) = (both.statistic(tpr(0.01)), both.interval(seed, tpr(0.01)));
    push("pointer_50_all.tpr_at_1pct", text, value, interval, &both, Some(0.9));
    push("pointer_50_all.auc", text, both.statistic(metrics::auc), both.interval(seed, metrics::auc), &both, None);
    let text = "Cllr - minCllr of the same windows";
    let (value, interval) = (both.statistic(cllr_excess), both.interval(seed, cllr_excess));
    let sample = both.sample("windows");
    card.push("pointer_50_all.cllr_excess", text, value, interval, sample, Some(0.05), false, "real");
    let mut push = |name: &str, text: &str, value, interval, sides: &Sides, floor| {
        card.push(name, text, value, interval, sides.sample("windows"), floor, true, "real");
    };
    let text = "the same without relays that pass every move as the operator's device gave it";
    let (value, interval) = (told.statistic(tpr(0.01)), told.interval(seed, tpr(0.01)));
    push("pointer_50_all.traced_tpr_at_1pct", text, value, interval, &told, None);
    let share = untold / both.positive.len().max(1) as f64;
    let text = "most that TPR at 1 % could be: all relays with a trace, and 1 % of those without";
    push("pointer_50_all.bound", text, Some(1.0 - 0.99 * share), None, &both, None);
    Ok(())
}

/// Lets every move pass, delivers some together with the next one, and adds jitter in order.
fn bunched(moves: &[Move], share: f64, jitter: f64, random: &mut Random) -> Vec<Move> {
    let mut out: Vec<Move> = Vec::with_capacity(moves.len());
    let mut last = f64::NEG_INFINITY;
    for (at, (time, x, y)) in moves.iter().enumerate() {
        let together = random.gen_bool(share);
        let leaves = if together { moves.get(at + 1).map_or(*time, |next| next.0.min(time + 30.0)) } else { *time };
        last = (leaves + exponential(random, jitter.max(0.05))).max(last + random.gen_range(0.0..0.4));
        out.push((last, *x, *y));
    }
    out
}

pub(super) fn three_windows(
    new_scorer: &mut NewScorer,
    card: &mut Card,
    random: &mut Random,
    seed: u64,
) -> Result<(), String> {
    let mut scorer = new_scorer();
    let mut sides = Sides::default();
    for person in 0..2_000 {
        let hand = motion::hand(random);
        for remote in [false, true] {
            let path = motion::path(&hand, 16_000, random);
            let reported = motion::reports(&motion::device(random), &path, random);
            let relay = motion::relay(random);
            let moves = if remote {
                motion::relayed(&relay, &reported, random)
            } else {
                motion::load(&motion::machine(random), &reported, random)
            };
            let side = if remote { &mut sides.positive } else { &mut sides.negative };
            for (index, window) in moves.chunks_exact(150).take(if remote { 3 } else { 6 }).enumerate() {
                let event = convert::pointer_event(&format!("three-{person}-{remote}"), index, window, false);
                side.push((person.to_string(), of_family(&scorer.score(event, Update::Never)?)));
            }
        }
    }
    let text = "three windows of 50 moves in one event, simulated devices, machines and relays drawn anew";
    card.push(
        "pointer_three_windows.tpr_at_p1pct",
        text,
        sides.statistic(tpr(0.001)),
        sides.interval(seed, tpr(0.001)),
        sides.sample("events"),
        Some(0.95),
        true,
        "simulated",
    );
    Ok(())
}
