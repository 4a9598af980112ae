//! Figures of replayed phrases: a worker's own earlier login again, every time moved a little.

use super::phrase::CMU;
use super::{Say, Sides, figure, pooled};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Stretch, Typist};
use crate::fit::typing::samples;
use crate::metrics;
use crate::request::Figure;
use elsewhere::evidence::feature::{FeatureId, Features};
use elsewhere::evidence::telemetry;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus as Random;
use std::path::Path;

/// Honest logins that may be taken for a replay.
const FALSE_POSITIVE_FLOOR: f64 = 1e-4;
/// Standard deviations of the noise on every time, microseconds.
const NOISE_MICROS: [u32; 6] = [1_000, 2_000, 3_000, 5_000, 7_000, 10_000];
/// Factor on every time of a replay that is slowed besides, percent.
const SLOWER_PERCENT: u32 = 107;
/// Login from which replays try, and every how many.
const FROM: usize = 60;
const STEP: usize = 10;
/// Logins back that replays are taken from: within what is kept, and beyond.
const BACK: [(usize, usize, &str); 2] = [(1, 12, ""), (13, 24, "_beyond")];

/// What is replayed, and how.
#[derive(Clone, Copy)]
struct How {
    noise_micros: u32,
    percent: u32,
    /// First and last login back.
    back: (usize, usize),
}

/// A draw of a standard normal variable, by twelve uniform ones.
fn normal(random: &mut Random) -> f64 {
    (0..12).map(|_| random.gen_range(0.0..1.0)).sum::<f64>() - 6.0
}

fn replayed(stretch: &Stretch, how: How, random: &mut Random) -> Stretch {
    let mut moved = |times: &[u32]| -> Vec<u32> {
        let scale = f64::from(how.percent) / 100.0;
        let mut of =
            |micros: &u32| (f64::from(*micros) * scale + f64::from(how.noise_micros) * normal(random)).max(1.0);
        times.iter().map(|micros| of(micros).round() as u32).collect()
    };
    Stretch {
        press_interval_micros: moved(&stretch.press_interval_micros),
        dwell_micros: moved(&stretch.dwell_micros),
        ..stretch.clone()
    }
}

/// 1 where the login is told as a replay.
fn told(
    profile: &telemetry::Profile,
    stretch: &Stretch,
    set: KeystrokeSet,
    clock_micros: u32,
    index: usize,
) -> Result<(f64, telemetry::Observation), String> {
    let mut event = convert::bare_event("w", format!("r{index}"), index);
    let typing = convert::typing_of(stretch, set, "phrase");
    let coarser = clock_micros > set.timer_resolution_micros();
    event.typing = Some(if coarser { convert::with_clock(&typing, clock_micros) } else { typing });
    let samples = samples(event)?;
    let (seen, mut features) = (telemetry::observe(&samples), Features::default());
    telemetry::compare(&seen, profile, samples.time, &telemetry::Parameters::prior(), &mut features);
    Ok((f64::from(u8::from(features.get(FeatureId::TelemetryReplayLogOdds).is_some())), seen))
}

/// Lives through everybody's logins. With `how`, gives what replays come to; without, the workers' own logins.
fn people(
    typists: &[Typist],
    set: KeystrokeSet,
    clock_micros: u32,
    how: Option<How>,
    seed: u64,
) -> Result<Vec<Sides>, String> {
    let mut random = Random::seed_from_u64(seed ^ 0x7265_706c);
    let mut people = Vec::new();
    for typist in typists {
        let (mut profile, mut sides) = (telemetry::Profile::default(), Sides::default());
        for (index, stretch) in typist.stretches.iter().enumerate() {
            if let Some(how) = how.filter(|_| index >= FROM && index % STEP == 0) {
                let back = how.back.0 + index * 5 / STEP % (how.back.1 + 1 - how.back.0);
                let again = replayed(&typist.stretches[index - back], how, &mut random);
                sides.mated.push(told(&profile, &again, set, clock_micros, index)?.0);
            }
            let (own, seen) = told(&profile, stretch, set, clock_micros, index)?;
            if how.is_none() {
                sides.mated.push(own);
            }
            let mut event = convert::bare_event("w", "t".into(), index);
            event.typing = None;
            profile.learn(&seen, &telemetry::Parameters::prior(), samples(event)?.time);
        }
        people.push(sides);
    }
    Ok(people)
}

/// Every figure of replays.
///
/// # Errors
/// Data that cannot be read, or a converted login that does not pass the check.
pub(super) fn evaluate(figures: &mut Vec<Figure>, data: &Path, seed: u64) -> Result<(), String> {
    let share = |people: &[Sides], chosen: &[usize]| metrics::mean(&pooled(people, chosen).0);
    for (set, name, clock_micros) in [
        (KeystrokeSet::Cmu, "cmu", 0),
        (KeystrokeSet::Cmu, "cmu_clock_16ms", 15_600),
        (KeystrokeSet::Meu, "meu", 0),
        (KeystrokeSet::Keypad, "keypad", 0),
    ] {
        let typists = corpus::read(data, set)?;
        let people = people(&typists, set, clock_micros, None, seed)?;
        let say = Say {
            name: &format!("typing.replay_{name}.false_positive_rate"),
            description: "a worker's own logins of one phrase that are told as an earlier one replayed",
            floor: Some(FALSE_POSITIVE_FLOOR),
            licence: if set.trainable() { "train" } else { "measure" },
            ..CMU
        };
        figures.extend(figure(&say, &people, seed, |chosen| share(&people, chosen)));
    }
    let cmu = corpus::read(data, KeystrokeSet::Cmu)?;
    for (clock, clock_micros) in [("", 0), ("_clock_16ms", 15_600)] {
        for noise_micros in NOISE_MICROS {
            for (percent, slower) in [(100, ""), (SLOWER_PERCENT, "_slower")] {
                for (first, last, beyond) in BACK {
                    if !beyond.is_empty() && (percent != 100 || clock_micros != 0) {
                        continue;
                    }
                    let how = How { noise_micros, percent, back: (first, last) };
                    let people = people(&cmu, KeystrokeSet::Cmu, clock_micros, Some(how), seed)?;
                    let millis = noise_micros / 1_000;
                    let name = format!("typing.replay_{millis}ms{slower}{beyond}{clock}.told_rate");
                    let factor = if percent == 100 { String::new() } else { format!(", all of them {percent} %") };
                    let description = format!(
                        "a worker's login of {first} to {last} logins back replayed, every time moved by noise of sd \
                         {millis} ms{factor}"
                    );
                    let say = Say { name: &name, description: &description, higher_is_better: true, ..CMU };
                    let made = figure(&say, &people, seed, |chosen| share(&people, chosen));
                    figures.extend(made.map(|made| Figure { source: "mixed".into(), ..made }));
                }
            }
        }
    }
    Ok(())
}
