//! Answers to prompts: simulated people behind captured delays.

use super::{Card, NewScorer, Random, Sides, cllr_excess, tpr};
use crate::convert::captures as convert;
use crate::corpus::captures::Capture;
use crate::corpus::motion::{exponential, log_normal, normal};
use crate::fit::remote_input as fit;
use crate::request::Update;
use elsewhere::evidence::feature::Finding;
use elsewhere::evidence::remote_input::challenge::{self as loops, Answers};
use rand::{Rng, SeedableRng};

/// One simulated person as SOURCES.md says, milliseconds.
pub(super) struct Person {
    location: f64,
    sigma: f64,
    tau: f64,
    display: f64,
}

impl Person {
    /// Draws one.
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            location: 200.0 + 40.0 * normal(random),
            sigma: log_normal(random, 22.0, 0.25),
            tau: log_normal(random, 45.0, 0.35),
            display: log_normal(random, 45.0, 0.4),
        }
    }

    /// Makes the hands slow for good: 30 to 120 ms, and a longer tail.
    pub(super) fn slow_down(&mut self, random: &mut Random) {
        self.location += random.gen_range(30.0..120.0);
        self.tau *= 1.8;
    }

    /// `count` answers of one day with added delays drawn from `delays`.
    pub(super) fn answers(&self, count: usize, delays: &[f64], random: &mut Random) -> Vec<f64> {
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

/// Simulated people for one figure.
const PEOPLE: usize = 3_000;
/// People that the best possible score integrates over.
const INTEGRATED: usize = 4_000;
/// Cells of a person's density of answers, of [`ANSWER_MILLIS`] each from 0 on.
const ANSWER_CELLS: usize = 500;
const ANSWER_MILLIS: f64 = 4.0;
/// Prompts of one session of the slow: what a login asks for.
const LOGIN_PROMPTS: usize = 3;
/// Sessions lived by the slow, one a day.
const SLOW_SESSIONS: usize = 22;

/// What each protocol adds beyond the round trip, captured; the round trip itself is set.
fn added(captured: &[Capture]) -> Result<Vec<f64>, String> {
    let added: Vec<f64> = captured
        .iter()
        .filter(|capture| capture.remote)
        .flat_map(|capture| capture.loop_delays.iter().map(|delay| (delay - capture.rtt_millis).max(0.0)))
        .collect();
    if added.is_empty() { Err("no captured challenges".into()) } else { Ok(added) }
}

pub(super) fn challenge_figures(
    recorded: &[Capture],
    new_scorer: &mut NewScorer,
    card: &mut Card,
    random: &mut Random,
    seed: u64,
) -> Result<(), String> {
    let added = added(recorded)?;
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
        // The best score that is possible is only known where neither the past nor the delay varies.
        let best = (rtt < 0.0 && trials == 0).then(|| Best::new(-rtt, random));
        let mut bests = Sides::default();
        for number in 0..PEOPLE {
            let person = Person::new(random);
            let worker = format!("{name}-{number}");
            for day in 0..trials / 5 {
                scorer
                    .score(convert::challenge_event(&worker, day, &person.answers(5, &[], random)), Update::Always)?;
            }
            let (local, remote) = (person.answers(5, &[], random), person.answers(5, &delays, random));
            if let Some(best) = &best {
                bests.negative.push((number.to_string(), best.log_odds(&local)));
                bests.positive.push((number.to_string(), best.log_odds(&remote)));
            }
            let local = convert::challenge_event(&worker, 10, &local);
            let remote = convert::challenge_event(&worker, 11, &remote);
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
        if best.is_some() {
            let text = "the same sessions by the likelihood ratio of the very model they were drawn from";
            card.push(
                &name.replace("tpr_at_1pct", "optimum_tpr_at_1pct"),
                text,
                bests.statistic(tpr(0.01)),
                bests.interval(seed, tpr(0.01)),
                bests.sample("sessions"),
                None,
                true,
                "simulated",
            );
        }
        let name = name.replace("tpr_at_1pct", "cllr_excess");
        card.push(
            &name,
            "Cllr - minCllr of the loop for this one delay; a score of many delays is not calibrated to any one",
            sides.statistic(cllr_excess),
            None,
            sides.sample("sessions"),
            None,
            false,
            "mixed",
        );
    }
    calibration(recorded, new_scorer, card, seed)?;
    coverage(card, random, seed);
    slow_people(new_scorer, card, random)
}

/// A name, scores of answers at the desk, scores behind a relay.
pub(super) type Loops = (String, Vec<f64>, Vec<f64>);

/// Scores of a mixed population without a past and with one, local and relayed: delays as relays have them, 40 to 420 ms
/// of round trip about 160 and what the protocols were captured to add, and one person in fourteen slow for good.
pub(super) fn mixed_loops(captured: &[Capture], new_scorer: &mut NewScorer) -> Result<Vec<Loops>, String> {
    const SEED: u64 = 0x6d69_7865;
    let added = added(captured)?;
    let mut random = Random::seed_from_u64(SEED);
    let mut out = Vec::new();
    for (name, trials) in [("answers, no past", 0), ("answers after 20 trusted", 20)] {
        let mut scorer = new_scorer();
        let (mut near, mut far) = (Vec::with_capacity(PEOPLE), Vec::with_capacity(PEOPLE));
        for number in 0..PEOPLE {
            let mut person = Person::new(&mut random);
            if random.gen_bool(1.0 / 14.0) {
                person.slow_down(&mut random);
            }
            let worker = format!("mixed-{trials}-{number}");
            for day in 0..trials / 5 {
                let event = convert::challenge_event(&worker, day, &person.answers(5, &[], &mut random));
                scorer.score(event, Update::Always)?;
            }
            let delay =
                log_normal(&mut random, 160.0, 0.55).clamp(40.0, 420.0) + added[random.gen_range(0..added.len())];
            let mut score = |day, answers: &[f64]| -> Result<f64, String> {
                let scored = scorer.score(convert::challenge_event(&worker, day, answers), Update::Never)?;
                Ok(scored.finding(Finding::RemoteInputLoop).unwrap_or(0.0))
            };
            near.push(score(10, &person.answers(5, &[], &mut random))?);
            far.push(score(11, &person.answers(5, &[delay], &mut random))?);
        }
        out.push((name.to_string(), near, far));
    }
    Ok(out)
}

/// Calibration where it can be asked for: over the mixed population.
fn calibration(captured: &[Capture], new_scorer: &mut NewScorer, card: &mut Card, seed: u64) -> Result<(), String> {
    let named = |scores: Vec<f64>| scores.into_iter().enumerate().map(|(at, score)| (at.to_string(), score)).collect();
    for ((_, near, far), name) in mixed_loops(captured, new_scorer)?.into_iter().zip(["mix", "mix_trusted20"]) {
        let sides = Sides { negative: named(near), positive: named(far) };
        let text = "5 prompts, all delays together, one person in fourteen slow for good";
        let sample = sides.sample("sessions");
        let (value, interval) = (sides.statistic(cllr_excess), sides.interval(seed, cllr_excess));
        let key = format!("challenge_{name}.cllr_excess");
        card.push(&key, text, value, interval, sample.clone(), Some(0.05), false, "mixed");
        let (value, interval) = (sides.statistic(tpr(0.01)), sides.interval(seed, tpr(0.01)));
        card.push(&format!("challenge_{name}.tpr_at_1pct"), text, value, interval, sample, None, true, "mixed");
    }
    Ok(())
}

/// The likelihood ratio of the model that answers are drawn from: no score of these answers can be better.
struct Best {
    near: Vec<Vec<f64>>,
    late_cells: usize,
}

impl Best {
    fn new(delay_millis: f64, random: &mut Random) -> Self {
        let near = (0..INTEGRATED)
            .map(|_| {
                let person = Person::new(random);
                let from = person.location + 15.0 * normal(random) + person.display + 1.5;
                (0..ANSWER_CELLS)
                    .map(|cell| {
                        let at = (cell as f64 + 0.5) * ANSWER_MILLIS - from;
                        0.97 * ex_gaussian(at, person.sigma, person.tau)
                            + 0.03 * ex_gaussian(at - person.tau, person.sigma, 250.0)
                    })
                    .collect()
            })
            .collect();
        Self { near, late_cells: ((delay_millis - 1.5) / ANSWER_MILLIS).round() as usize }
    }

    fn log_odds(&self, answers: &[f64]) -> f64 {
        let cells: Vec<usize> =
            answers.iter().map(|answer| ((answer / ANSWER_MILLIS) as usize).min(ANSWER_CELLS - 1)).collect();
        let likelihood = |earlier: usize| -> f64 {
            let of = |person: &Vec<f64>| {
                cells.iter().map(|cell| cell.checked_sub(earlier).map_or(0.0, |at| person[at])).product::<f64>()
            };
            self.near.iter().map(of).sum::<f64>().max(1e-300)
        };
        (likelihood(self.late_cells) / likelihood(0)).ln()
    }
}

/// Density of a Gaussian of `sigma` with an exponential of `tau` added, per millisecond.
fn ex_gaussian(at: f64, sigma: f64, tau: f64) -> f64 {
    let z = at / sigma - sigma / tau;
    (sigma * sigma / (2.0 * tau * tau) - at / tau).exp().min(1e12) / tau * normal_below(z) + 1e-9
}

/// Share of a standard normal below `z`: the logistic of Bowling and others (2009), within 2e-4.
fn normal_below(z: f64) -> f64 {
    1.0 / (1.0 + (-(0.07056 * z * z * z + 1.5976 * z)).exp())
}

/// How often the 5 to 95 % interval of the loop's round trip holds it, by what is true.
fn coverage(card: &mut Card, random: &mut Random, seed: u64) {
    let reactions = fit::reactions_of(seed);
    for (name, text, delay) in [
        ("local", "no relay: the interval reaches down to nothing", 0.0),
        ("110", "110 ms added in all", 110.0),
        ("180", "180 ms added in all", 180.0),
        ("300", "300 ms added in all", 300.0),
    ] {
        let (mut held, mut width) = (0.0, Vec::new());
        for _ in 0..PEOPLE {
            let delays: &[f64] = if delay > 0.0 { &[delay] } else { &[] };
            let millis = Person::new(random).answers(5, delays, random);
            let answers = Answers {
                median_millis: 0.0,
                p10_millis: 0.0,
                millis,
                display_millis: 0.0,
                unanswered_count: 0,
                anticipated_count: 0,
                simple: true,
            };
            let (low, high) = loops::delay_interval(&answers, None, &reactions);
            held += f64::from(u8::from((low..=high).contains(&((delay * 1e3) as u32))));
            width.push(f64::from(high - low) / 1e3);
        }
        width.sort_by(f64::total_cmp);
        let sample =
            format!("{PEOPLE} sessions of 5 answers, {PEOPLE} people, median width {:.0} ms", width[PEOPLE / 2]);
        let text = format!("share of 90 % intervals of the loop's round trip that hold it: {text}");
        let share = held / PEOPLE as f64;
        let spread = 1.96 * (share * (1.0 - share) / PEOPLE as f64).sqrt();
        let interval = Some((share - spread, share + spread));
        card.push(
            &format!("loop_interval_{name}.coverage"),
            &text,
            Some(share),
            interval,
            sample,
            None,
            true,
            "simulated",
        );
    }
}

/// People whose hands are slow for good (30 to 120 ms and a longer tail), who never declared it: a month of logins with
/// three prompts, learning what the family would learn; beside them people behind a relay that adds 180 ms in all.
fn slow_people(new_scorer: &mut NewScorer, card: &mut Card, random: &mut Random) -> Result<(), String> {
    const SLOW: usize = 600;
    for (name, text, late) in [
        ("slow_people", "slow for good, undeclared: mean loop score of a month of logins", 0.0),
        ("relayed_people", "180 ms of relay from the first day: mean loop score of a month of logins", 180.0),
    ] {
        let mut scorer = new_scorer();
        let mut means = Vec::with_capacity(SLOW);
        for number in 0..SLOW {
            let mut person = Person::new(random);
            if late == 0.0 {
                person.slow_down(random);
            }
            let delays: &[f64] = if late > 0.0 { &[late] } else { &[] };
            let mut total = 0.0;
            for session in 0..SLOW_SESSIONS {
                let answers = person.answers(LOGIN_PROMPTS, delays, random);
                let event = convert::challenge_event(&format!("{name}-{number}"), session, &answers);
                let scored = scorer.score(event, Update::IfTrusted)?;
                total += scored.finding(Finding::RemoteInputLoop).unwrap_or(0.0);
            }
            means.push(total / SLOW_SESSIONS as f64);
        }
        means.sort_by(f64::total_cmp);
        let sample = format!("{SLOW} people, {SLOW_SESSIONS} sessions each");
        let over = means.iter().filter(|mean| **mean > 2.0).count() as f64 / SLOW as f64;
        let spread = 1.96 * (over * (1.0 - over) / SLOW as f64).sqrt();
        let key = |what: &str| format!("challenge_{name}.{what}");
        let higher = late > 0.0;
        let interval = Some(((over - spread).max(0.0), (over + spread).min(1.0)));
        card.push(&key("mean_over_2"), text, Some(over), interval, sample.clone(), None, higher, "simulated");
        card.push(&key("median_mean"), text, Some(means[SLOW / 2]), None, sample.clone(), None, higher, "simulated");
        card.push(&key("p95_mean"), text, Some(means[SLOW * 95 / 100]), None, sample, None, higher, "simulated");
    }
    Ok(())
}
