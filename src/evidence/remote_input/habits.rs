//! Loops closed by ordinary work: a prompt of the day's own and its first key, a slip and its erasure.
//!
//! They cost nobody a challenge and say little: people differ in them by far more than a relay adds, and what they
//! measure depends on the work. So each is read by its median against a population drawn wide, adds a fraction of a nat
//! and is never learned from.
//!
//! Worked example: corrections of 444 ms in the median (spread 172 ms between people) say -0.1; of 900 ms, which one
//! person in forty shows and half of the people behind 230 ms of relay and more do, about +0.3.

use super::challenge::{CELL_MILLIS, Reactions};
use super::forest::soft_limit;
use crate::event::RemoteInputSample;
use crate::evidence::quantile::quantile_of_sorted;

/// Fewest loops before their median says anything.
pub const LOOPS_MIN: usize = 3;
/// Cells of the delay prior taken together: a wide population needs no finer ones.
const STRIDE: usize = 4;
/// Least that a person needs for a loop of any kind, milliseconds.
const OWN_MIN_MILLIS: f64 = 120.0;

/// What is known of one kind of loop. The spreads are of people's medians, log scale.
struct Population {
    median_millis: f64,
    between: f64,
    within: f64,
    limit: f64,
}

/// Prompt of the day's work to first key or click. Nobody published how people differ in it: twice a bare reaction, and
/// wide.
const NATURAL: Population = Population { median_millis: 540.0, between: 0.50, within: 0.35, limit: 0.4 };
/// Erroneous press to first erasure: median 444 ms, spread 172 ms between people (evidence of the project's own data).
const CORRECTION: Population = Population { median_millis: 444.0, between: 0.37, within: 0.40, limit: 0.3 };

/// Medians of one session's loops, milliseconds, with their counts; absent when there are too few.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Habits {
    /// Natural loops.
    pub natural: Option<(f64, u32)>,
    /// Corrections.
    pub correction: Option<(f64, u32)>,
}

/// Reads both kinds; `None` when neither has [`LOOPS_MIN`].
pub fn habits(sample: &RemoteInputSample) -> Option<Habits> {
    let found = Habits { natural: median(&sample.natural_loop_micros), correction: median(&sample.correction_micros) };
    (found != Habits::default()).then_some(found)
}

fn median(micros: &[u32]) -> Option<(f64, u32)> {
    if micros.len() < LOOPS_MIN {
        return None;
    }
    let mut sorted: Vec<f64> = micros.iter().map(|micros| f64::from(*micros) / 1e3).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    Some((quantile_of_sorted(&sorted, 0.5), micros.len() as u32))
}

/// Log-likelihood ratio of a relay against the machine's own desk by both kinds, nats, within ± 0.7.
pub fn log_odds(habits: &Habits, reactions: &Reactions) -> f64 {
    let of = |median: Option<(f64, u32)>, population: &Population| {
        median.map_or(0.0, |(median, count)| one(median, count, population, reactions))
    };
    of(habits.natural, &NATURAL) + of(habits.correction, &CORRECTION)
}

fn one(median: f64, count: u32, population: &Population, reactions: &Reactions) -> f64 {
    // A median of n has 1.57 times the variance of a mean of n.
    let variance = population.between.powi(2) + 1.57 * population.within.powi(2) / f64::from(count);
    let density = |own: f64| {
        let z = (own / population.median_millis).ln();
        (-0.5 * z * z / variance).exp() / own
    };
    let mut far = 0.0;
    for (index, weights) in reactions.delay_prior.chunks(STRIDE).enumerate() {
        let delay = ((index * STRIDE) as f64 + 0.5 * weights.len() as f64) * CELL_MILLIS;
        if median - delay > OWN_MIN_MILLIS {
            far += weights.iter().sum::<f64>() * density(median - delay);
        }
    }
    let near = density(median.max(OWN_MIN_MILLIS));
    // A tenth of either side follows neither: the work was of another kind.
    let odd = 0.1 * density(population.median_millis);
    soft_limit(((far + odd) / (near + odd)).ln(), population.limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reactions() -> Reactions {
        let mut reactions = super::super::challenge::tests::reactions();
        // 200 to 260 ms of relay.
        reactions.delay_prior = (0..22).map(|cell| if cell < 17 { 0.0 } else { 0.2 }).collect();
        reactions
    }

    #[test]
    fn late_corrections_lean_to_a_relay_and_never_far() {
        let of = |millis| log_odds(&Habits { correction: Some((millis, 8)), natural: None }, &reactions());
        assert!(of(444.0) < -0.05 && of(900.0) > 0.1, "{} {}", of(444.0), of(900.0));
        assert!([150.0, 444.0, 900.0, 3_000.0, 60_000.0].into_iter().all(|millis| of(millis).abs() <= 0.3));
    }

    #[test]
    fn few_loops_say_nothing() {
        assert_eq!(median(&[400_000; 2]), None);
        assert_eq!(log_odds(&Habits::default(), &reactions()), 0.0);
    }
}
