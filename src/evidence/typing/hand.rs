//! One hand behind two workers: the profiles of two workers compared with each other.
//!
//! [`TableParameters::same_typist`] is the calibrated ratio, for an analyst's list and for linkage. [`Hand`] is the same
//! ratio cut down to one dot product, so that an exact scan over a whole tenant can say who is worth the full ratio.
//!
//! Worked example. In one coordinate people vary by 6 about a person's own 1. Two profiles of one nominal table each
//! stand at 2.0 and 2.2: one typist would put them .2 apart with variance 2, two typists with variance 14, and both lie
//! on the same side of everybody. The ratio is ln(7) / 2 - ln(13 / 7) / 2 + u^2 / 4 (1/7 - 1/13) - d^2 / 4 (1 - 1/7),
//! u = 4.2 and d = .2: .973 - .310 + .291 - .009 = .95 nats for one typist.

use super::table::{TableParameters, TableProfile, TableScore};

/// Numbers of a [`Hand`]: coordinates, padded with zeros, and the share of the ratio that does not need the other.
pub const HAND_LENGTH: usize = 33;

/// A worker's hand as one point: [`Hand::likeness`] of two puts pairs in nearly the order of
/// [`TableParameters::same_typist`], and exactly in that of its factor part where both profiles are equally old.
///
/// It holds what the profile holds, so it is erased with the profile. Hands of different parameters do not compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hand {
    /// Coordinates scaled by the root of what they tell, then the bias.
    numbers: [f32; HAND_LENGTH],
}

impl Hand {
    /// The numbers, for an index: `likeness` is the dot product of all but the last, plus both last ones.
    pub fn numbers(&self) -> &[f32; HAND_LENGTH] {
        &self.numbers
    }

    /// Likeness, nats before calibration and without the constant: higher = more likely one typist.
    pub fn likeness(&self, other: &Self) -> f32 {
        let last = HAND_LENGTH - 1;
        let dot: f32 = self.numbers[..last].iter().zip(&other.numbers[..last]).map(|(a, b)| a * b).sum();
        dot + self.numbers[last] + other.numbers[last]
    }
}

/// The ratio of one coordinate, nats, positive = one typist, for means with own variances `mine` and `theirs`.
fn coordinate_ratio(a: f64, b: f64, mine: f64, theirs: f64, between: f64) -> f64 {
    let (first, second) = (between + mine, between + theirs);
    let determinant = first * second - between * between;
    let together = (a * a * second - 2.0 * a * b * between + b * b * first) / determinant;
    let apart = a * a / first + b * b / second;
    0.5 * ((first * second / determinant).ln() - together + apart)
}

impl TableParameters {
    /// Log-likelihood ratio, nats, that two stored profiles are of one typist: positive = one. Symmetric.
    ///
    /// Absent when either has learned no table or holds the coordinates of other parameters. The ratio says nothing of
    /// how common it is that one typist stands behind two workers: that prior is the caller's.
    pub fn same_typist(&self, a: &TableProfile, b: &TableProfile) -> Option<f64> {
        if !a.speaks(self) || !b.speaks(self) {
            return None;
        }
        let log_ratio = a
            .means()
            .zip(b.means())
            .zip(&self.between_variance)
            .map(|((mine, theirs), between)| {
                coordinate_ratio(mine, theirs, 1.0 / a.weight(), 1.0 / b.weight(), *between)
            })
            .sum();
        let (distance, slot_count) = a.distance_to(b, self);
        let weight = a.weight().max(b.weight());
        Some(-self.calibrated(&TableScore { log_ratio, distance, slot_count, row_count: slot_count, weight }))
    }

    /// The profile as one point; absent when it has learned no table in these coordinates.
    pub fn hand(&self, profile: &TableProfile) -> Option<Hand> {
        if !profile.speaks(self) {
            return None;
        }
        let mut hand = Hand { numbers: [0.0; HAND_LENGTH] };
        let mut bias = 0.0;
        let own = 1.0 / HAND_WEIGHT;
        for (index, (mean, between)) in profile.means().zip(&self.between_variance).enumerate().take(HAND_LENGTH - 1) {
            // With equal own variances the ratio is near d^2 + far u^2 of the difference d and the sum u.
            let anybody = between + own;
            let apart = between / (4.0 * own * anybody);
            let away = between / (4.0 * anybody * (anybody + between));
            hand.numbers[index] = (mean * (2.0 * (apart + away)).sqrt()) as f32;
            bias -= (apart - away) * mean * mean;
        }
        hand.numbers[HAND_LENGTH - 1] = bias as f32;
        Some(hand)
    }
}

/// Tables behind each profile of a pair for which [`Hand`] keeps the order exactly: a worker's first days.
const HAND_WEIGHT: f64 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::typing::sample::{observed, parameters, table};

    fn profile(percent: u32, tables: usize) -> TableProfile {
        let mut profile = TableProfile::default();
        let observation = observed(None, Some(table(percent))).table;
        for _ in 0..tables {
            observation.iter().for_each(|table| profile.learn(table, &parameters().table));
        }
        profile
    }

    #[test]
    fn the_worked_example_holds() {
        let ratio = coordinate_ratio(2.0, 2.2, 1.0, 1.0, 6.0);
        let by_hand = 0.5 * 7f64.ln() - 0.5 * (13.0 / 7.0f64).ln() + 4.2f64.powi(2) / 4.0 * (1.0 / 7.0 - 1.0 / 13.0)
            - 0.04 / 4.0 * (1.0 - 1.0 / 7.0);
        assert!((ratio - by_hand).abs() < 1e-12 && (ratio - 0.95).abs() < 0.01, "{ratio}");
    }

    #[test]
    fn one_hand_is_likelier_than_two_and_the_order_of_the_two_is_nothing() {
        let parameters = parameters().table;
        let (first, again, other) = (profile(100, 2), profile(102, 3), profile(150, 2));
        let ratio = |a, b| parameters.same_typist(a, b);
        assert!(ratio(&first, &again) > Some(0.0) && ratio(&first, &other) < Some(0.0));
        assert_eq!(ratio(&first, &again), ratio(&again, &first));
    }

    #[test]
    fn likeness_keeps_the_order_of_the_ratio() -> Result<(), String> {
        let parameters = parameters().table;
        let hand = |percent| parameters.hand(&profile(percent, 2)).ok_or("no hand");
        let asked = hand(100)?;
        let mut falling = Vec::new();
        for percent in [101, 110, 125, 150] {
            falling.push(asked.likeness(&hand(percent)?));
        }
        assert!(falling.windows(2).all(|pair| pair[0] > pair[1]), "{falling:?}");
        Ok(())
    }

    #[test]
    fn an_empty_profile_and_one_of_other_coordinates_have_no_hand() {
        let mut parameters = parameters().table;
        assert_eq!(parameters.hand(&TableProfile::default()), None);
        assert_eq!(parameters.same_typist(&profile(100, 1), &TableProfile::default()), None);
        parameters.basis += 1;
        assert_eq!(parameters.same_typist(&profile(100, 1), &profile(100, 1)), None);
        assert_eq!(parameters.hand(&profile(100, 1)), None);
    }
}
