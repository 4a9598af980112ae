//! One typist behind two workers: what the profiles of two workers say together.
//!
//! Tables are compared by [`super::hand`]. Of a phrase that both type, the profiles hold the mean of every dwell and press
//! interval: one typist's differ by what logins vary and hands drift, two typists' by what people differ besides. The
//! phrase's own difficulty is in both means and falls out of their difference.
//!
//! Tables and phrases are two sightings of one hand, and not two witnesses: a fast hand is fast in both. So the sighting
//! that says more counts in full, and the other by half.
//!
//! Worked example: tables of two workers say 6 nats for one typist, a phrase they both type 2. Together 6 + .5 x 2 = 7.
//! Had the phrase said -4: 6 - 2 = 4.

use super::phrase::PhraseProfile;
use super::{Parameters, Profile};
use serde::{Deserialize, Serialize};

/// Share of the weaker sighting that counts. By judgement: nothing public holds tables and phrases of the same people.
const SECOND_SIGHTING_SHARE: f64 = 0.5;
/// Degrees of freedom of one typist's differences: a position learned on a bad day must not part two personas.
const SAME_FREEDOM: f64 = 4.0;
/// Degrees of freedom of two typists' differences.
const OTHER_FREEDOM: f64 = 8.0;
/// Logins behind a settled recent mean, as its rate of learning has it: (2 - .15) / .15.
const MEAN_LOGINS_MAX: f64 = 12.0;
/// Logins' worth of trust in the population's spread from login to login.
const PRIOR_LOGINS: f64 = 8.0;
/// Fewest logins behind each of two phrases that are compared.
const LOGINS_MIN: u16 = 3;

/// Fitted numbers of phrases that two workers type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhrasePairParameters {
    /// Standard deviation between people at one position of one phrase, ln: dwells, press intervals.
    pub between_spreads: [f64; 2],
    /// Standard deviation from login to login, ln: dwells, press intervals.
    pub within_spreads: [f64; 2],
    /// Standard deviation by which a hand's mean moves between two profiles besides, ln: dwells, press intervals.
    pub drift_spreads: [f64; 2],
    /// Weights of [`PhrasePair::inputs`], then the intercept; the result is for one typist.
    pub calibration: Vec<f64>,
}

/// Two workers' profiles of one phrase, compared and not calibrated yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhrasePair {
    /// ln p(differences | one typist) - ln p(differences | two).
    pub log_ratio: f64,
    /// Times compared.
    pub time_count: u32,
    /// Logins behind the younger profile, saturating.
    pub login_count: u32,
}

impl PhrasePair {
    /// Number of inputs of the calibration, intercept left out.
    pub const INPUT_COUNT: usize = 4;

    /// Inputs of the calibration: the ratio by the root of its number of times, since times of one hand go together, and
    /// the root; both again as thinned by a young profile.
    pub fn inputs(&self) -> [f64; Self::INPUT_COUNT] {
        let root = f64::from(self.time_count.max(1)).sqrt();
        let young = 1.0 / (1.0 + f64::from(self.login_count));
        let ratio = self.log_ratio / root;
        [ratio, root, young * ratio, young * root]
    }
}

impl PhrasePairParameters {
    /// Checks lengths, finiteness and positive spreads.
    pub(super) fn check(&self) -> Result<(), String> {
        let spreads = [self.between_spreads, self.within_spreads, self.drift_spreads];
        if !spreads.iter().flatten().all(|spread| spread.is_finite() && *spread > 0.0) {
            return Err("typing.phrase_pair holds a spread that is not positive".into());
        }
        if self.calibration.len() != PhrasePair::INPUT_COUNT + 1
            || !self.calibration.iter().all(|weight| weight.is_finite())
        {
            return Err(format!(
                "typing.phrase_pair.calibration has {} entries, or one not finite",
                self.calibration.len()
            ));
        }
        Ok(())
    }

    /// Compares two workers' profiles of one phrase; absent when they are of two phrases, or one is too young.
    pub fn compare(&self, one: &PhraseProfile, other: &PhraseProfile) -> Option<PhrasePair> {
        let same_phrase = one.key == other.key && one.press_count == other.press_count;
        let login_count = one.count.min(other.count);
        if !same_phrase || login_count < LOGINS_MIN {
            return None;
        }
        let logins = |profile: &PhraseProfile| f64::from(profile.count).min(MEAN_LOGINS_MAX);
        let noise_share = 1.0 / logins(one) + 1.0 / logins(other);
        let trusted = logins(one) + logins(other) - 2.0;
        let (mut log_ratio, mut time_count) = (0.0, 0);
        for index in 0..one.time_count().min(other.time_count()) {
            let (Some((mine, my_variance)), Some((theirs, their_variance))) = (one.time(index), other.time(index))
            else {
                continue;
            };
            let kind = usize::from(index >= one.kept_presses());
            let square = |spread: f64| spread * spread;
            let own = (my_variance + their_variance) / 2.0;
            let within = (trusted * own + PRIOR_LOGINS * square(self.within_spreads[kind])) / (trusted + PRIOR_LOGINS);
            let same = within * noise_share + square(self.drift_spreads[kind]);
            let others = same + 2.0 * square(self.between_spreads[kind]);
            log_ratio +=
                ln_density(mine - theirs, same, SAME_FREEDOM) - ln_density(mine - theirs, others, OTHER_FREEDOM);
            time_count += 1;
        }
        let constants = f64::from(time_count) * (SAME_LOG_NORM - OTHER_LOG_NORM);
        let login_count = u32::from(login_count);
        (time_count > 0).then_some(PhrasePair { log_ratio: log_ratio + constants, time_count, login_count })
    }

    /// The calibrated log-likelihood ratio, nats: positive = one typist.
    pub fn calibrated(&self, pair: &PhrasePair) -> f64 {
        let weighted: f64 = pair.inputs().iter().zip(&self.calibration).map(|(input, weight)| input * weight).sum();
        weighted + self.calibration.get(PhrasePair::INPUT_COUNT).copied().unwrap_or(0.0)
    }
}

/// ln of a Student-t density of a squared scale, without the constant of its freedom.
fn ln_density(deviation: f64, variance: f64, freedom: f64) -> f64 {
    -0.5 * variance.ln() - (freedom + 1.0) / 2.0 * (deviation * deviation / (variance * freedom)).ln_1p()
}

/// ln of the Student-t density's constant at 4 degrees of freedom: ln(Γ(2.5) / (Γ(2) √(4π))).
const SAME_LOG_NORM: f64 = -0.980_829_253_011_725_7;
/// The same at 8: ln(Γ(4.5) / (Γ(4) √(8π))).
const OTHER_LOG_NORM: f64 = -0.950_108_612_150_230_7;

/// What two profiles say of one typist behind both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairRatio {
    /// Log-likelihood ratio, nats, positive = one typist.
    pub log_ratio: f64,
    /// Presses behind what was compared, of the first profile and of the other.
    pub press_counts: (u32, u32),
}

impl Parameters {
    /// Compares two workers' profiles; absent when they hold nothing that compares. Symmetric but for the order of counts.
    pub fn same_typist(&self, one: &Profile, other: &Profile) -> Option<PairRatio> {
        let tables = one.table().zip(other.table()).and_then(|(mine, theirs)| {
            let log_ratio = self.table.same_typist(mine, theirs)?;
            Some(PairRatio { log_ratio, press_counts: (mine.press_count, theirs.press_count) })
        });
        [tables, self.same_phrase_typist(one, other)].into_iter().flatten().reduce(together)
    }

    /// As [`Parameters::same_typist`], by the phrase both type that says most.
    fn same_phrase_typist(&self, one: &Profile, other: &Profile) -> Option<PairRatio> {
        let parameters = self.phrase_pair.as_ref()?;
        let pairs = one.phrases().iter().flat_map(|mine| other.phrases().iter().map(move |theirs| (mine, theirs)));
        let ratio = |(mine, theirs): (&PhraseProfile, &PhraseProfile)| {
            let log_ratio = parameters.calibrated(&parameters.compare(mine, theirs)?);
            let presses = |phrase: &PhraseProfile| u32::from(phrase.count) * u32::from(phrase.press_count);
            Some(PairRatio { log_ratio, press_counts: (presses(mine), presses(theirs)) })
        };
        pairs.filter_map(ratio).reduce(together)
    }
}

/// Two sightings of the same two hands.
fn together(one: PairRatio, other: PairRatio) -> PairRatio {
    let (strong, weak) = if one.log_ratio.abs() >= other.log_ratio.abs() {
        (one.log_ratio, other.log_ratio)
    } else {
        (other.log_ratio, one.log_ratio)
    };
    let presses = |a: u32, b: u32| a.saturating_add(b);
    PairRatio {
        log_ratio: strong + SECOND_SIGHTING_SHARE * weak,
        press_counts: (
            presses(one.press_counts.0, other.press_counts.0),
            presses(one.press_counts.1, other.press_counts.1),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::typing::sample::{enrolled, parameters};

    fn fitted() -> Parameters {
        let phrase_pair = PhrasePairParameters {
            between_spreads: [0.25, 0.35],
            within_spreads: [0.12, 0.2],
            drift_spreads: [0.05, 0.08],
            calibration: vec![2.0, 0.1, -1.0, -0.1, -0.2],
        };
        assert_eq!(phrase_pair.check(), Ok(()));
        Parameters { phrase_pair: Some(phrase_pair), ..parameters() }
    }

    fn ratio(log_ratio: f64) -> PairRatio {
        PairRatio { log_ratio, press_counts: (10, 20) }
    }

    #[test]
    fn two_sightings_of_one_hand_are_less_than_two_witnesses() {
        assert_eq!(together(ratio(6.0), ratio(2.0)), PairRatio { log_ratio: 7.0, press_counts: (20, 40) });
        assert_eq!(together(ratio(6.0), ratio(-4.0)).log_ratio, 4.0);
        assert_eq!(together(ratio(-4.0), ratio(6.0)), together(ratio(6.0), ratio(-4.0)));
    }

    #[test]
    fn one_phrase_typed_alike_is_likelier_one_typist_and_young_profiles_say_nothing() {
        let parameters = fitted();
        let (one, again, young) = (enrolled(11, 10), enrolled(11, 12), enrolled(11, 2));
        let same = parameters.same_typist(&one, &again).map(|pair| pair.log_ratio);
        assert!(same > Some(0.5), "{same:?}");
        assert_eq!(parameters.same_typist(&one, &young), None);
        assert_eq!(
            parameters.same_typist(&one, &enrolled(12, 10)),
            None,
            "another number of presses is another phrase"
        );
        let back = parameters.same_typist(&again, &one).map(|pair| pair.log_ratio);
        assert_eq!(same, back);
    }

    #[test]
    fn a_position_far_off_moves_the_ratio_by_a_bounded_amount() {
        let far =
            |deviation: f64| ln_density(deviation, 0.01, SAME_FREEDOM) - ln_density(deviation, 0.2, OTHER_FREEDOM);
        assert!(far(0.0) > 1.0 && far(1.0) < -1.0 && far(4.0) > -6.0);
    }
}
