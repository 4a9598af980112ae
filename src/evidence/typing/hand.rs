//! One hand behind two workers: the profiles of two workers compared with each other.
//!
//! [`TableParameters::same_typist`] is the calibrated ratio, for an analyst's list and for linkage: the comparison of a
//! table with a profile, a profile in the table's place. [`Hand`] is the same cut down to one dot product, so that an
//! exact scan over a whole tenant can say who is worth the full ratio.
//!
//! Worked example. In one coordinate people vary by 6 about a person's own 1. Of two means a and b the ratio of normal
//! distributions is, but for a constant, u^2 / 4 (1/7 - 1/13) - d^2 / 4 (1 - 1/7), u = a + b and d = a - b: 2.0 and 2.2
//! have .291 - .009 = .28 nats, 2.0 and -2.2 have .001 - 3.78. Multiplied out it is .462 ab - .198 (a^2 + b^2): a hand
//! holds a times the root of .462, and -.198 a^2 as its bias.

use super::table::{CellKind, TableParameters, TableProfile, cell_kind};

/// Numbers of a [`Hand`]: coordinates, then remainders of the cells that tell most, then what does not need the other.
pub const HAND_LENGTH: usize = 64;

/// A worker's hand as one point: [`Hand::likeness`] of two puts pairs nearly in the order of
/// [`TableParameters::same_typist`].
///
/// It holds what the profile holds, so it is erased with the profile. Hands of different parameters do not compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hand {
    /// Means scaled by the root of what they tell, then the bias.
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

/// A mean as it enters a dot product, and what it adds to the bias, both sides having own variance `own`.
fn laid(mean: f64, own: f64, between: f64) -> (f64, f64) {
    // The ratio is away u^2 - apart d^2 of the sum u and the difference d.
    let anybody = between + own;
    let apart = between / (4.0 * own * anybody);
    let away = between / (4.0 * anybody * (anybody + between));
    (mean * (2.0 * (apart + away)).sqrt(), (away - apart) * mean * mean)
}

/// Own variance of the mean coordinates of the profiles that hands are laid for: a few tables each.
const HAND_VARIANCE: f64 = 0.65;
/// Presses behind a key and behind a digraph in the profiles that hands are laid for.
const HAND_PRESSES: (f64, f64) = (16.0, 4.0);

impl TableParameters {
    /// Log-likelihood ratio, nats, that two stored profiles are of one typist: positive = one. Symmetric.
    ///
    /// Absent when either has learned no table or holds the coordinates of other parameters. The ratio says nothing of
    /// how common it is that one typist stands behind two workers: that prior is the caller's.
    pub fn same_typist(&self, a: &TableProfile, b: &TableProfile) -> Option<f64> {
        Some(-self.calibrated(&a.score_profile(b, self)?))
    }

    /// The slots whose remainders hands hold, most telling first, each with its own variance in a typical profile.
    /// The same for all hands of these parameters: work it out once for many.
    pub fn hand_slots(&self) -> Vec<(usize, f64)> {
        let telling = |slot: usize| {
            let cell = self.slot_cell(slot);
            let dwell = cell_kind(cell.cell) != CellKind::PressInterval;
            let presses = if dwell { HAND_PRESSES.0 } else { HAND_PRESSES.1 };
            (slot, cell.table_variance + cell.press_variance / presses)
        };
        let mut slots: Vec<(usize, f64)> = (0..self.slots.len()).map(telling).collect();
        let share = |entry: &(usize, f64)| self.slot_cell(entry.0).person_variance / entry.1;
        slots.sort_by(|a, b| share(b).total_cmp(&share(a)).then(a.0.cmp(&b.0)));
        slots.truncate((HAND_LENGTH - 1).saturating_sub(self.between_variance.len()));
        slots
    }

    /// The profile as one point; absent when it has learned no table in these coordinates. `slots` are those of
    /// [`Self::hand_slots`].
    pub fn hand_with(&self, profile: &TableProfile, slots: &[(usize, f64)]) -> Option<Hand> {
        if !profile.speaks(self) {
            return None;
        }
        let mut hand = Hand { numbers: [0.0; HAND_LENGTH] };
        let coordinates = profile.means().zip(&self.between_variance).enumerate().map(|(index, (mean, between))| {
            // Absent remainders are 0 and take no part; a coordinate is never absent.
            laid(mean - self.population.coordinate(index), HAND_VARIANCE, *between)
        });
        let remainders = slots.iter().map(|(slot, own)| {
            let between = self.slot_cell(*slot).person_variance;
            profile
                .slot(*slot)
                .map_or((0.0, 0.0), |(mean, _)| laid(mean - self.population.remainder(*slot), *own, between))
        });
        let mut bias = 0.0;
        for (number, (scaled, alone)) in hand.numbers[..HAND_LENGTH - 1].iter_mut().zip(coordinates.chain(remainders)) {
            *number = scaled as f32;
            bias += alone;
        }
        hand.numbers[HAND_LENGTH - 1] = bias as f32;
        Some(hand)
    }

    /// [`Self::hand_with`] for one profile alone.
    pub fn hand(&self, profile: &TableProfile) -> Option<Hand> {
        self.hand_with(profile, &self.hand_slots())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::typing::sample::{observed, parameters, table};

    fn profile(percent: u32, tables: usize) -> TableProfile {
        let mut profile = TableProfile::default();
        let observation = observed(None, Some(table(percent))).table;
        for _ in 0..tables {
            observation.iter().for_each(|table| profile.learn(table, &parameters().table, 0));
        }
        profile
    }

    #[test]
    fn the_worked_example_holds() {
        let ((a, alone_a), (b, alone_b)) = (laid(2.0, 1.0, 6.0), laid(2.2, 1.0, 6.0));
        let likeness = a * b + alone_a + alone_b;
        let by_hand = 4.2f64.powi(2) / 4.0 * (1.0 / 7.0 - 1.0 / 13.0) - 0.04 / 4.0 * (1.0 - 1.0 / 7.0);
        assert!((likeness - by_hand).abs() < 1e-12 && (by_hand - 0.28).abs() < 0.005, "{likeness} {by_hand}");
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
