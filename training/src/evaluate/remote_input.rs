//! Figures of the remote-input family, taken through a scorer.
//!
//! Pointer forests saw simulation only: every captured protocol and recording is left out of them. Key figures refit
//! with the protocol left out. People behind challenges are simulated as SOURCES.md says; the delays are captured.

use crate::convert::captures as convert;
use crate::corpus::captures::{self, Capture};
use crate::corpus::keyboard::{self, KeyRelay};
use crate::corpus::keystroke::{self, KeystrokeSet};
use crate::corpus::motion::{self, Move, exponential, log_normal, normal};
use crate::fit::remote_input as fit;
use crate::metrics;
use crate::request::{Figure, Scored, Scorer, Update};
use elsewhere::event::EventUnchecked;
use elsewhere::evidence::feature::{Features, Finding};
use elsewhere::evidence::remote_input::{self as family, Parameters};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus as Random;
use std::collections::BTreeMap;
use std::path::Path;

/// Makes a fresh scorer: an empty store.
type NewScorer<'a> = dyn FnMut() -> Box<dyn Scorer> + 'a;

/// Scores of both sides with the group each came from.
#[derive(Debug, Default, Clone)]
struct Sides {
    negative: Vec<(String, f64)>,
    positive: Vec<(String, f64)>,
}

impl Sides {
    fn values(side: &[(String, f64)]) -> Vec<f64> {
        side.iter().map(|entry| entry.1).collect()
    }

    fn statistic(&self, of: impl Fn(&[f64], &[f64]) -> Option<f64>) -> Option<f64> {
        of(&Self::values(&self.negative), &Self::values(&self.positive))
    }

    /// 95 % interval: groups of each side drawn anew.
    fn interval(&self, seed: u64, of: impl Fn(&[f64], &[f64]) -> Option<f64>) -> Option<(f64, f64)> {
        let group = |side: &[(String, f64)]| {
            let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
            for (name, value) in side {
                groups.entry(name.clone()).or_default().push(*value);
            }
            groups.into_values().collect::<Vec<_>>()
        };
        let (negative, positive) = (group(&self.negative), group(&self.positive));
        // One draw of indexes serves both sides; each index names a group of either.
        metrics::bootstrap(negative.len() + positive.len(), 300, seed, |chosen| {
            let (mut low, mut high) = (Vec::new(), Vec::new());
            for index in chosen {
                match negative.get(*index) {
                    Some(values) => low.extend_from_slice(values),
                    None => high.extend_from_slice(&positive[index - negative.len()]),
                }
            }
            of(&low, &high)
        })
    }

    fn sample(&self, unit: &str) -> String {
        let groups = |side: &[(String, f64)]| {
            side.iter().map(|entry| entry.0.as_str()).collect::<std::collections::BTreeSet<_>>().len()
        };
        format!(
            "{} local {unit} of {} groups, {} remote of {}",
            self.negative.len(),
            groups(&self.negative),
            self.positive.len(),
            groups(&self.positive)
        )
    }
}

fn tpr(rate: f64) -> impl Fn(&[f64], &[f64]) -> Option<f64> {
    move |negative, positive| metrics::tpr_at_fpr(negative, positive, rate)
}

fn of_family(scored: &Scored) -> f64 {
    scored.family(elsewhere::evidence::feature::Family::RemoteInput)
}

struct Card {
    figures: Vec<Figure>,
}

impl Card {
    #[expect(clippy::too_many_arguments, reason = "a figure has this many facts")]
    fn push(
        &mut self,
        name: &str,
        description: &str,
        value: Option<f64>,
        interval: Option<(f64, f64)>,
        sample: String,
        floor: Option<f64>,
        higher_is_better: bool,
        source: &str,
    ) {
        self.figures.extend(value.map(|value| Figure {
            name: format!("remote_input.{name}"),
            description: description.into(),
            value,
            interval,
            sample,
            floor,
            higher_is_better,
            source: source.into(),
            licence: "measure".into(),
        }));
    }
}

/// Every figure of the family.
pub fn evaluate(data: &Path, new_scorer: &mut NewScorer, seed: u64) -> Result<Vec<Figure>, String> {
    let recorded = captures::captures(data)?;
    let mut card = Card { figures: Vec::new() };
    let mut random = Random::seed_from_u64(seed ^ 0x6576_616c);
    pointer_figures(&recorded, new_scorer, &mut card, &mut random, seed)?;
    three_windows(new_scorer, &mut card, &mut random, seed)?;
    key_figures(data, &recorded, new_scorer, &mut card, &mut random, seed)?;
    constant_delay(&recorded, new_scorer, &mut card)?;
    challenge_figures(&recorded, new_scorer, &mut card, &mut random, seed)?;
    Ok(card.figures)
}

fn pointer_figures(
    recorded: &[Capture],
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

fn three_windows(new_scorer: &mut NewScorer, card: &mut Card, random: &mut Random, seed: u64) -> Result<(), String> {
    let mut scorer = new_scorer();
    let mut sides = Sides::default();
    for person in 0..1_000 {
        let hand = motion::hand(random);
        for remote in [false, true] {
            let path = motion::path(&hand, 16_000, random);
            let reported = motion::reports(&motion::device(random), &path, random);
            let relay = motion::relay(random);
            let moves =
                if remote { motion::relayed(&relay, &reported, random) } else { motion::load(&reported, random) };
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

/// Scores by the family alone with parameters of its own: for refits that no store has to remember.
struct Alone {
    parameters: Parameters,
}

impl Alone {
    fn score(&self, event: EventUnchecked) -> Result<f64, String> {
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

fn key_figures(
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

fn constant_delay(recorded: &[Capture], new_scorer: &mut NewScorer, card: &mut Card) -> Result<(), String> {
    let mut scorer = new_scorer();
    let (mut most, mut count) = (0.0f64, 0);
    for capture in recorded {
        let moves = convert::moves(&capture.pointer);
        let late: Vec<Move> = moves.iter().map(|(time, x, y)| (time + 180.0, *x, *y)).collect();
        let keys: keyboard::Presses =
            capture.keys.iter().filter(|key| key.release > key.press).map(|key| (key.press, key.release)).collect();
        let late_keys: keyboard::Presses =
            keys.iter().map(|(press, release)| (press + 180.0, release + 180.0)).collect();
        let pairs = [
            (
                convert::pointer_event("delay-a", count, &moves, false),
                convert::pointer_event("delay-b", count, &late, false),
            ),
            (convert::typing_event("delay-c", count, &keys), convert::typing_event("delay-d", count, &late_keys)),
        ];
        for (now, later) in pairs {
            let (now, later) =
                (of_family(&scorer.score(now, Update::Never)?), of_family(&scorer.score(later, Update::Never)?));
            most = most.max((now - later).abs());
            count += 1;
        }
    }
    let text = "largest change of a passive score when every captured stamp is 180 ms later";
    card.push(
        "constant_delay.largest_change",
        text,
        Some(most),
        None,
        format!("{count} samples"),
        Some(0.0),
        false,
        "real",
    );
    Ok(())
}

/// One simulated person as SOURCES.md says, milliseconds.
struct Person {
    location: f64,
    sigma: f64,
    tau: f64,
    display: f64,
}

impl Person {
    fn new(random: &mut Random) -> Self {
        Self {
            location: 200.0 + 40.0 * normal(random),
            sigma: log_normal(random, 22.0, 0.25),
            tau: log_normal(random, 45.0, 0.35),
            display: log_normal(random, 45.0, 0.4),
        }
    }

    /// `count` answers of one day with added delays drawn from `delays`.
    fn answers(&self, count: usize, delays: &[f64], random: &mut Random) -> Vec<f64> {
        let today = self.location + 15.0 * normal(random);
        (0..count)
            .map(|_| {
                let mut reaction = (today + self.sigma * normal(random) + exponential(random, self.tau)).max(120.0);
                if random.gen_bool(0.03) {
                    reaction += exponential(random, 250.0);
                }
                reaction
                    + self.display
                    + if delays.is_empty() { 1.5 } else { delays[random.gen_range(0..delays.len())] }
            })
            .collect()
    }
}

fn challenge_figures(
    recorded: &[Capture],
    new_scorer: &mut NewScorer,
    card: &mut Card,
    random: &mut Random,
    seed: u64,
) -> Result<(), String> {
    const PEOPLE: usize = 3_000;
    // What each protocol adds beyond the round trip, captured; the round trip itself is set.
    let added: Vec<f64> = recorded
        .iter()
        .filter(|capture| capture.remote)
        .flat_map(|capture| capture.loop_delays.iter().map(|delay| (delay - capture.rtt_millis).max(0.0)))
        .collect();
    if added.is_empty() {
        return Err("no captured challenges".into());
    }
    for (name, rtt, trials, floor, text) in [
        (
            "challenge_5_180",
            180.0,
            0usize,
            Some(0.83),
            "5 prompts, +180 ms round trip and the protocol's own delay, no baseline",
        ),
        ("challenge_5_110", 110.0, 0, None, "5 prompts, +110 ms round trip and the protocol's own delay, no baseline"),
        ("challenge_5_110_trusted20", 110.0, 20, Some(0.83), "the same with 20 trusted local trials (4 days of 5)"),
        ("challenge_5_180_exactly", -180.0, 0, None, "5 prompts, 180 ms added in all, no baseline"),
        (
            "challenge_5_110_exactly_trusted20",
            -110.0,
            20,
            None,
            "5 prompts, 110 ms added in all, 20 trusted local trials",
        ),
    ] {
        // Negative: that much in all, protocol included.
        let delays: Vec<f64> = if rtt < 0.0 { vec![-rtt] } else { added.iter().map(|delay| delay + rtt).collect() };
        let mut scorer = new_scorer();
        let mut sides = Sides::default();
        for number in 0..PEOPLE {
            let person = Person::new(random);
            let worker = format!("{name}-{number}");
            for day in 0..trials / 5 {
                scorer
                    .score(convert::challenge_event(&worker, day, &person.answers(5, &[], random)), Update::Always)?;
            }
            let local = convert::challenge_event(&worker, 10, &person.answers(5, &[], random));
            let remote = convert::challenge_event(&worker, 11, &person.answers(5, &delays, random));
            let mut loop_score = |event| -> Result<f64, String> {
                Ok(scorer.score(event, Update::Never)?.finding(Finding::RemoteInputLoop).unwrap_or(0.0))
            };
            sides.negative.push((number.to_string(), loop_score(local)?));
            sides.positive.push((number.to_string(), loop_score(remote)?));
        }
        let name = format!("{name}.tpr_at_1pct");
        card.push(
            &name,
            text,
            sides.statistic(tpr(0.01)),
            sides.interval(seed, tpr(0.01)),
            sides.sample("sessions"),
            floor,
            true,
            "mixed",
        );
        let name = name.replace("tpr_at_1pct", "cllr_excess");
        let excess =
            |n: &[f64], p: &[f64]| metrics::cllr(n, p).zip(metrics::min_cllr(n, p)).map(|(is, least)| is - least);
        card.push(
            &name,
            "calibration loss of the loop",
            sides.statistic(excess),
            None,
            sides.sample("sessions"),
            None,
            false,
            "mixed",
        );
    }
    Ok(())
}
