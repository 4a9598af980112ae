//! The draws of the simulated world: one seeded stream per person, and habits that are a function of a seed alone.

use rand::{Rng, RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Spreads the bits of `value` (the finaliser of SplitMix64, Steele et al. 2014).
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A seed derived from a seed and two numbers that name a use of it.
pub fn derive(seed: u64, purpose: u64, index: u64) -> u64 {
    mix(mix(mix(seed) ^ purpose).wrapping_add(index))
}

/// A number in \[0, 1) that belongs to `seed`.
pub fn share_of(seed: u64) -> f64 {
    (mix(seed) >> 11) as f64 / (1u64 << 53) as f64
}

/// A standard normal value that belongs to `seed`: the same every time it is asked for. Habits are made of these.
pub fn habit(seed: u64) -> f64 {
    let radius = (-2.0 * (1.0 - share_of(seed)).ln()).sqrt();
    radius * (std::f64::consts::TAU * share_of(seed ^ 0x5bf0_3635)).cos()
}

/// A keyed hash as a caller would send it: 16 bytes that belong to a seed, a kind of thing and its number.
pub fn token(seed: u64, kind: u64, id: u64) -> Vec<u8> {
    let first = derive(seed, kind, id);
    let second = derive(first, kind, id ^ seed);
    [first.to_be_bytes(), second.to_be_bytes()].concat()
}

/// An opaque identifier of 32 hexadecimal digits.
pub fn identifier(seed: u64, kind: u64, id: u64) -> String {
    token(seed, kind, id).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A reproducible stream of draws.
#[derive(Debug, Clone)]
pub struct Chance(Xoshiro256PlusPlus, bool);

impl Chance {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed), false)
    }

    /// The stream of `seed` with cheap tremor: see [`Chance::tremor`].
    pub fn cheap(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed), true)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in \[low, high).
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.r#gen::<f64>()
    }

    /// Whole number in \[low, high\].
    pub fn whole(&mut self, low: u64, high: u64) -> u64 {
        low + (self.0.r#gen::<f64>() * (high - low + 1) as f64) as u64
    }

    /// True with probability `share`.
    pub fn happens(&mut self, share: f64) -> bool {
        self.0.r#gen::<f64>() < share
    }

    /// Position drawn by weight.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.uniform(0.0, weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len().saturating_sub(1)
    }

    /// Normal.
    pub fn normal(&mut self, mean: f64, sd: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.0.r#gen::<f64>()).ln()).sqrt();
        mean + sd * radius * (std::f64::consts::TAU * self.0.r#gen::<f64>()).cos()
    }

    /// What a hand that is held still does: normal, or, in a cheap stream, the sum of four uniform numbers, which no
    /// pixel tells from it. A pointer's thousands of reports are most of what a world costs.
    pub fn tremor(&mut self, sd: f64) -> f64 {
        if !self.1 {
            return self.normal(0.0, sd);
        }
        let bits = self.bits();
        let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xffff).sum();
        // Mean 2 and variance 4/12 in units of 65,536.
        (sum as f64 / 65_536.0 - 2.0) * sd * 3f64.sqrt()
    }

    /// Whether the stream is a cheap one.
    pub fn is_cheap(&self) -> bool {
        self.1
    }

    /// Log-normal by its median and the standard deviation of its logarithm.
    pub fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * self.normal(0.0, sigma).exp()
    }

    /// Exponential by its mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.0.r#gen::<f64>()).ln()
    }

    /// Gamma by shape and scale (Marsaglia and Tsang 2000).
    pub fn gamma(&mut self, shape: f64, scale: f64) -> f64 {
        if shape < 1.0 {
            let lift = (1.0 - self.0.r#gen::<f64>()).powf(1.0 / shape);
            return lift * self.gamma(shape + 1.0, scale);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal(0.0, 1.0);
            let v = (1.0 + c * x).powi(3);
            let u = 1.0 - self.0.r#gen::<f64>();
            if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v * scale;
            }
        }
    }

    /// Poisson by its mean (Knuth's product; means here are small).
    pub fn poisson(&mut self, mean: f64) -> u32 {
        let limit = (-mean).exp();
        let mut product = self.0.r#gen::<f64>();
        let mut count = 0;
        while product > limit && count < 1000 {
            product *= self.0.r#gen::<f64>();
            count += 1;
        }
        count
    }

    /// Puts `items` in random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.whole(0, last as u64) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gamma_of_shape_two_and_scale_three_has_mean_six() {
        let mut chance = Chance::new(1);
        let mean = (0..20_000).map(|_| chance.gamma(2.0, 3.0)).sum::<f64>() / 20_000.0;
        assert!((mean - 6.0).abs() < 0.15, "{mean}");
    }

    #[test]
    fn cheap_tremor_has_the_spread_it_is_asked_for() {
        let mut chance = Chance::cheap(5);
        let squares = (0..20_000).map(|_| chance.tremor(2.0).powi(2)).sum::<f64>() / 20_000.0;
        assert!((squares - 4.0).abs() < 0.15, "{squares}");
    }

    #[test]
    fn a_habit_is_the_same_every_time_and_standard_normal_over_seeds() {
        assert_eq!(habit(7), habit(7));
        let values: Vec<f64> = (0..20_000).map(|i| habit(derive(3, 1, i))).collect();
        let mean = values.iter().sum::<f64>() / 20_000.0;
        let variance = values.iter().map(|v| v * v).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
