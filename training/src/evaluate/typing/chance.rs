//! What chance alone costs: Cllr - minCllr of a score without fault, on as many trials.
//!
//! minCllr picks the best rising calibration after the fact, so on few trials it is below what any score fixed before
//! can reach. A floor on the difference means little under this.
//!
//! Worked example. A score without fault whose two sides are N(-2, 4) and N(2, 4), an equal error rate of .159, loses 0
//! on endless trials, and some .04 on 240 of one side and 280 of the other.

use crate::metrics;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Draws behind a mean.
const DRAWS: usize = 200;
/// Steps of the integral of the normal density, and of the search for its quantile.
const STEPS: usize = 200;

/// Mean loss, bits, over draws of so many trials from two normal distributions of log-likelihood ratios (mean half the
/// variance, either way) with this equal error rate. Absent outside (0, .5) and without trials.
pub(super) fn loss_by_chance(eer: f64, own: usize, strange: usize, seed: u64) -> Option<f64> {
    if !(0.0..0.5).contains(&eer) || eer <= 0.0 || own == 0 || strange == 0 {
        return None;
    }
    let deviation = 2.0 * upper_quantile(eer);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut side = |count: usize, sign: f64| -> Vec<f64> {
        let mut normal = || {
            // Box and Muller 1958.
            let (length, turn): (f64, f64) = (random.gen_range(f64::MIN_POSITIVE..1.0), random.gen_range(0.0..1.0));
            (-2.0 * length.ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
        };
        (0..count).map(|_| sign * deviation * deviation / 2.0 + deviation * normal()).collect()
    };
    let mut sum = 0.0;
    for _ in 0..DRAWS {
        let (mated, non_mated) = (side(own, -1.0), side(strange, 1.0));
        sum += metrics::cllr(&mated, &non_mated)? - metrics::min_cllr(&mated, &non_mated)?;
    }
    Some(sum / DRAWS as f64)
}

/// The x beyond which a standard normal variable lies with this probability, under a half.
fn upper_quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 8.0);
    for _ in 0..STEPS {
        let middle = (low + high) / 2.0;
        if beyond(middle) > probability { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Probability of a standard normal variable beyond x, by Simpson's rule from 0 on.
fn beyond(x: f64) -> f64 {
    let density = |at: f64| (-0.5 * at * at).exp() / std::f64::consts::TAU.sqrt();
    let step = x / STEPS as f64;
    let inner = |index: usize| density(step * index as f64) * if index.is_multiple_of(2) { 2.0 } else { 4.0 };
    0.5 - step / 3.0 * (density(0.0) + density(x) + (1..STEPS).map(inner).sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_tables_ones() {
        assert!((upper_quantile(0.158_655) - 1.0).abs() < 1e-5 && (upper_quantile(0.025) - 1.959_964).abs() < 1e-5);
    }

    #[test]
    fn few_trials_lose_by_chance_what_many_do_not() {
        let of = |own, strange| loss_by_chance(0.159, own, strange, 1).unwrap_or(1.0);
        let (few, many) = (of(240, 280), of(5_000, 5_000));
        assert!((0.03..0.05).contains(&few) && many < 0.01, "{few} {many}");
        assert_eq!(loss_by_chance(0.5, 10, 10, 1), None);
    }
}
