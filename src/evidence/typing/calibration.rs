//! What a compared phrase is worth: fitted numbers, and the calibrated log-likelihood ratio.
//!
//! Worked example. Of 21 times the sum of ln ratios is 9.2 for the worker: by the root of 21 that is -2.0 as an input.
//! With weights 1.3 on it, .2 on the root and an intercept of -.4, and a settled profile, the ratio is
//! 1.3 * -2.0 + .2 * 4.6 - .4 = -2.1 nats: eight times likelier from the worker than from a stranger.

use super::accord::Accords;
use super::anchor::AnchorParameters;
use super::background::background_share;
use super::gate::{self, ClockParameters};
use super::lineup::{PRIOR_COUNT, Prior};
use serde::{Deserialize, Serialize};

/// Fitted numbers of phrases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhraseParameters {
    /// By [`prior_index`](super::lineup::prior_index).
    pub priors: Vec<Prior>,
    /// How the times of one login go together; not at all in models that do not know of it.
    #[serde(default)]
    pub accords: Accords,
    /// Weights of [`PhraseScore::inputs`] in the calibrated log-likelihood ratio where nobody else types the phrase;
    /// the last is the intercept. For clocks that have no calibration of their own.
    pub calibration: Vec<f64>,
    /// The same where very many do; in between the two are mixed by [`background_share`].
    pub shared_calibration: Vec<f64>,
    /// What a settled profile learns and what a ratio is worth, by clock, finest first.
    #[serde(alias = "gates")]
    pub clocks: Vec<ClockParameters>,
    /// Log-likelihood ratio above which nothing is learned while a profile is young
    /// ([`gate::YOUNG_COUNT`] logins, and more on coarse clocks): refuses only what is wildly different.
    pub gate_young: f64,
    /// The slow anchor; absent in models made before it, where it then says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<AnchorParameters>,
}

/// A login compared with a worker's phrase, before calibration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhraseScore {
    /// Sum over times of ln t(worker) - ln t(background): positive = this worker.
    pub log_ratio: f64,
    /// Mean deviation in worker spreads, clipped.
    pub distance: f64,
    /// Times compared.
    pub time_count: u32,
    /// Granularity of the login's clock, microseconds.
    pub timer_resolution_micros: u32,
    /// Logins behind the profile.
    pub enrolled_count: u32,
    /// Other workers behind the background.
    pub background_count: u32,
    /// Log-likelihood ratio of a stranger's hand in the profile, by its drift from the slow anchor, nats; absent without
    /// one.
    pub anchor_ratio: Option<f64>,
}

impl PhraseScore {
    /// Number of inputs of the calibration, intercept left out.
    pub const INPUT_COUNT: usize = 4;

    /// Inputs of the calibration: the ratio by the root of its number of times, since times of one hand go together,
    /// and the root itself; both again as thinned by a young profile.
    pub fn inputs(&self) -> [f64; Self::INPUT_COUNT] {
        let root = f64::from(self.time_count.max(1)).sqrt();
        let ratio = -self.log_ratio / root;
        let young = 1.0 / (1.0 + f64::from(self.enrolled_count));
        [ratio, root, young * ratio, young * root]
    }
}

impl PhraseParameters {
    /// Checks lengths, finiteness and positive spreads.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.priors.len() != PRIOR_COUNT {
            return Err(format!("typing.phrase.priors has {} entries: {PRIOR_COUNT} are expected", self.priors.len()));
        }
        let whole = [&self.calibration, &self.shared_calibration];
        // Models of before know one calibration for all clocks.
        let by_clock = self.clocks.iter().flat_map(|clock| [&clock.calibration, &clock.shared_calibration]);
        for weights in whole.into_iter().chain(by_clock.filter(|weights| !weights.is_empty())) {
            if weights.len() != PhraseScore::INPUT_COUNT + 1 || !weights.iter().all(|weight| weight.is_finite()) {
                let length = weights.len();
                return Err(format!("a calibration of typing.phrase with {length} entries is not finite or too short"));
            }
        }
        self.accords.check()?;
        self.anchor.as_ref().map_or(Ok(()), AnchorParameters::check)?;
        gate::check(&self.clocks)?;
        if !self.gate_young.is_finite() {
            return Err("typing.phrase.gate_young is not finite".into());
        }
        for (index, prior) in self.priors.iter().enumerate() {
            let spreads = [prior.background_spread, prior.within_spread];
            let sound = prior.centre.is_finite()
                && (0.0..=1.0).contains(&prior.carry)
                && spreads.iter().all(|spread| spread.is_finite() && *spread > 0.0);
            if !sound {
                return Err(format!("typing.phrase.priors[{index}] is out of range"));
            }
        }
        Ok(())
    }

    /// The calibrated log-likelihood ratio of the login against the recent logins, nats: positive = not this worker.
    pub fn calibrated(&self, score: &PhraseScore) -> f64 {
        let inputs = score.inputs();
        let by = |weights: &[f64]| {
            let weighted: f64 = inputs.iter().zip(weights).map(|(input, weight)| input * weight).sum();
            weighted + weights.get(PhraseScore::INPUT_COUNT).copied().unwrap_or(0.0)
        };
        let share = background_share(score.background_count);
        let mix = |alone: &[f64], shared: &[f64]| {
            let of = |clock: &[f64], whole: &[f64]| by(if clock.is_empty() { whole } else { clock });
            (1.0 - share) * of(alone, &self.calibration) + share * of(shared, &self.shared_calibration)
        };
        let at = |clock: &ClockParameters| mix(&clock.calibration, &clock.shared_calibration);
        match gate::between(&self.clocks, score.timer_resolution_micros) {
            Some((finer, coarser, way)) => (1.0 - way) * at(finer) + way * at(coarser),
            None => mix(&[], &[]),
        }
    }
}

/// A log-likelihood ratio, nats, where a share `odd` of samples of either side are the other side's.
pub(super) fn bounded(log_odds: f64, odd: f64) -> f64 {
    if odd == 0.0 {
        return log_odds;
    }
    let (odds, even) = (log_odds.clamp(-50.0, 50.0).exp(), 1.0 - odd);
    ((odd + even * odds) / (even + odd * odds)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::typing::sample;

    fn score(timer_resolution_micros: u32) -> PhraseScore {
        PhraseScore {
            log_ratio: 9.2,
            distance: 1.0,
            time_count: 21,
            timer_resolution_micros,
            enrolled_count: 1_000,
            background_count: 0,
            anchor_ratio: None,
        }
    }

    #[test]
    fn each_clock_has_its_calibration_and_clocks_between_a_mixture() {
        let mut parameters = sample::parameters().phrase;
        let mut coarse = parameters.clocks[0].clone();
        coarse.timer_resolution_micros = 64_000;
        coarse.calibration = vec![0.0, 0.0, 0.0, 0.0, -0.5];
        parameters.clocks.push(coarse);
        parameters.calibration = vec![0.0, 0.0, 0.0, 0.0, -1.5];
        // 32 ms is half way from 16 to 64 by the logarithm; the clock of 16 ms has no calibration of its own.
        for (clock, expected) in [(200, -1.5), (16_000, -1.5), (32_000, -1.0), (64_000, -0.5), (100_000, -0.5)] {
            assert!((parameters.calibrated(&score(clock)) - expected).abs() < 1e-9, "{clock}");
        }
    }

    #[test]
    fn the_ratio_is_as_worked_out_by_hand() {
        let mut parameters = sample::parameters().phrase;
        parameters.calibration = vec![1.3, 0.2, 0.0, 0.0, -0.4];
        // 1.3 * -9.2 / 4.583 + .2 * 4.583 - .4.
        assert!((parameters.calibrated(&score(1_000)) + 2.093).abs() < 1e-3);
    }

    #[test]
    fn models_of_before_are_read_and_calibrations_cut_short_are_refused() -> Result<(), serde_json::Error> {
        let mut value = serde_json::to_value(sample::parameters().phrase)?;
        let fields = value.as_object_mut().map(|fields| {
            fields.remove("accords");
            fields.remove("clocks")
        });
        if let (Some(Some(clocks)), Some(fields)) = (fields, value.as_object_mut()) {
            fields.insert("gates".into(), clocks);
        }
        let mut read: PhraseParameters = serde_json::from_value(value)?;
        assert_eq!(read, sample::parameters().phrase);
        assert!(read.check().is_ok());
        read.clocks[0].calibration = vec![1.0];
        assert!(read.check().is_err());
        Ok(())
    }

    #[test]
    fn a_share_of_odd_samples_bounds_what_one_can_say() {
        let most = (0.998_f64 / 0.002).ln();
        assert!((bounded(40.0, 0.002) - most).abs() < 1e-6 && (bounded(-40.0, 0.002) + most).abs() < 1e-6);
        assert!((bounded(2.0, 0.002) - 2.0).abs() < 0.02 && bounded(0.0, 0.002).abs() < 1e-12);
        assert_eq!(bounded(40.0, 0.0), 40.0);
    }
}
