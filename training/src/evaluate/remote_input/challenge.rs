//! Answers to prompts: simulated people behind captured delays.

use super::{Card, NewScorer, Random, Sides, tpr};
use crate::convert::captures as convert;
use crate::corpus::captures::Capture;
use crate::corpus::motion::{exponential, log_normal, normal};
use crate::metrics;
use crate::request::Update;
use elsewhere::evidence::feature::Finding;
use rand::Rng;

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

pub(super) fn challenge_figures(
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
