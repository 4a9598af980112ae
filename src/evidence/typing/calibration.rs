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
    /// What a ratio is worth to a verdict: the calibration again, the worker's [`Manner`] heard. Empty in models made
    /// before it, where it is `calibration`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worth: Vec<f64>,
    /// The same where very many type the phrase.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_worth: Vec<f64>,
    /// What a settled profile learns and what a ratio is worth, by clock, finest first.
    #[serde(alias = "gates")]
    pub clocks: Vec<ClockParameters>,
    /// Log-likelihood ratio above which nothing is learned while a profile is young
    /// ([`gate::YOUNG_COUNT`] logins, and more on coarse clocks): refuses only what is wildly different.
    pub gate_young: f64,
    /// Share of a worker's own logins that are a stranger's for all the fit knows, and of strangers' that are the worker's,
    /// \[0, .5): no single login says more than its inverse. 0 in models made before it.
    #[serde(default)]
    pub odd_login_rate: f64,
    /// The slow anchor; absent in models made before it, where it then says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<AnchorParameters>,
}

/// How a worker types a phrase, as far as it decides what a ratio is worth.
///
/// A hand that varies much from login to login is met by chance more often than one that varies little; one that types as
/// everybody does is met more often than one of its own kind; and where a whole phrase is far slower or faster than
/// people are on keyboards, the device is likelier the reason than the worker.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Manner {
    /// Mean over times of ln of the worker's own variance over that of people at practised positions.
    pub unsteadiness: f64,
    /// Mean over times of how far the worker's mean is from a stranger's, in a stranger's spreads, clipped.
    pub apart: f64,
    /// Mean over press intervals of how far the worker's mean is above people's, ln.
    pub tempo: f64,
}

/// Bound of [`Manner::unsteadiness`] as an input, from 0: beyond it a profile is of slips. Steadier than others is no input:
/// a gate lets pass what is near, so that a profile looks steadier than its hand. With it, ratios on CMU were too sure (Cllr
/// .289 without company instead of .246), which was looked at and not fitted.
const UNSTEADINESS_BOUND: f64 = 1.5;
/// Bound of the size of [`Manner::tempo`] as an input.
const TEMPO_BOUND: f64 = 1.0;
/// A login compared with a worker's phrase, before calibration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhraseScore {
    /// Sum over times of ln t(worker) - ln t(background): positive = this worker.
    pub log_ratio: f64,
    /// Mean deviation in worker spreads, clipped.
    pub distance: f64,
    /// How the worker types, whoever typed this login.
    pub manner: Manner,
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
    pub const INPUT_COUNT: usize = 10;
    /// Inputs among them, the first, that do not hear the worker's manner.
    pub const PLAIN: usize = 4;

    /// Inputs of the calibration: the ratio by the root of its number of times, since times of one hand go together,
    /// and the root itself; both again as thinned by a young profile; then each quantity of the worker's manner, and what
    /// it makes of the ratio.
    pub fn inputs(&self) -> [f64; Self::INPUT_COUNT] {
        let root = f64::from(self.time_count.max(1)).sqrt();
        let ratio = -self.log_ratio / root;
        let young = 1.0 / (1.0 + f64::from(self.enrolled_count));
        let unsteady = self.manner.unsteadiness.clamp(0.0, UNSTEADINESS_BOUND);
        let apart = self.manner.apart;
        let tempo = self.manner.tempo.abs().min(TEMPO_BOUND);
        let thinned = [ratio, root, young * ratio, young * root];
        let manner = [unsteady, unsteady * ratio, apart, apart * ratio, tempo, tempo * ratio];
        std::array::from_fn(|at| if at < Self::PLAIN { thinned[at] } else { manner[at - thinned.len()] })
    }
}

impl PhraseParameters {
    /// Checks lengths, finiteness and positive spreads.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.priors.len() != PRIOR_COUNT {
            return Err(format!("typing.phrase.priors has {} entries: {PRIOR_COUNT} are expected", self.priors.len()));
        }
        // Models of before know one calibration for all clocks, and none that hears the worker's manner.
        let clocks = || self.clocks.iter();
        let plain = clocks().flat_map(|clock| [&clock.calibration, &clock.shared_calibration]);
        let worth = clocks().flat_map(|clock| [&clock.worth, &clock.shared_worth]);
        let fits = |weights: &Vec<f64>, inputs: usize| {
            weights.len() == inputs + 1 && weights.iter().all(|weight| weight.is_finite())
        };
        let whole = [&self.calibration, &self.shared_calibration].into_iter().all(|one| fits(one, PhraseScore::PLAIN));
        let sound = whole
            && plain.filter(|weights| !weights.is_empty()).all(|weights| fits(weights, PhraseScore::PLAIN))
            && worth
                .chain([&self.worth, &self.shared_worth])
                .filter(|weights| !weights.is_empty())
                .all(|weights| fits(weights, PhraseScore::INPUT_COUNT));
        if !sound {
            return Err("a calibration of typing.phrase is not finite, or of another length than its inputs".into());
        }
        self.accords.check()?;
        self.anchor.as_ref().map_or(Ok(()), AnchorParameters::check)?;
        gate::check(&self.clocks)?;
        if !self.gate_young.is_finite() || !(0.0..0.5).contains(&self.odd_login_rate) {
            return Err("typing.phrase.gate_young is not finite, or odd_login_rate out of [0, .5)".into());
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
        if self.worth.is_empty() || self.shared_worth.is_empty() {
            return self.teaching(score);
        }
        bounded(self.weighed(score, (&self.worth, &self.shared_worth), worth_of), self.odd_login_rate)
    }

    /// The same as it decides what a login teaches: without the worker's manner. A profile that learned only what was near
    /// grows steady, a steady hand is refused sooner, and honest people would be locked out of their own profile.
    pub fn teaching(&self, score: &PhraseScore) -> f64 {
        self.weighed(score, (&self.calibration, &self.shared_calibration), calibration_of)
    }

    /// Inputs by weights: of a clock, or `whole` where it has none; alone and shared.
    fn weighed(
        &self,
        score: &PhraseScore,
        whole: (&[f64], &[f64]),
        of_clock: impl Fn(&ClockParameters) -> (&[f64], &[f64]),
    ) -> f64 {
        let inputs = score.inputs();
        let by = |clock: &[f64], whole: &[f64]| {
            let Some((intercept, weights)) = (if clock.is_empty() { whole } else { clock }).split_last() else {
                return 0.0;
            };
            inputs.iter().zip(weights).map(|(input, weight)| input * weight).sum::<f64>() + intercept
        };
        let share = background_share(score.background_count);
        let mix = |(alone, shared): (&[f64], &[f64])| (1.0 - share) * by(alone, whole.0) + share * by(shared, whole.1);
        match gate::between(&self.clocks, score.timer_resolution_micros) {
            Some((finer, coarser, way)) => (1.0 - way) * mix(of_clock(finer)) + way * mix(of_clock(coarser)),
            None => mix((&[], &[])),
        }
    }
}

fn worth_of(clock: &ClockParameters) -> (&[f64], &[f64]) {
    (&clock.worth, &clock.shared_worth)
}

fn calibration_of(clock: &ClockParameters) -> (&[f64], &[f64]) {
    (&clock.calibration, &clock.shared_calibration)
}

/// A log-likelihood ratio, nats, where a share `odd` of logins of either side are the other side's.
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
            manner: Manner::default(),
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
    fn no_login_says_more_than_its_bound_and_small_ratios_are_hardly_moved() {
        // 1 in 500 either way: ln 499 = 6.21.
        assert!(
            (bounded(40.0, 0.002) - 499f64.ln()).abs() < 1e-6 && (bounded(-40.0, 0.002) + 499f64.ln()).abs() < 1e-6
        );
        assert!((bounded(2.0, 0.002) - 2.0).abs() < 0.02 && bounded(0.0, 0.002).abs() < 1e-12);
        assert_eq!(bounded(40.0, 0.0), 40.0);
    }

    #[test]
    fn what_a_ratio_is_worth_goes_by_how_the_worker_types() {
        let mut parameters = sample::parameters().phrase;
        // The ratio, worth three tenths less for a hand whose variance is e times as large, up to a bound of 1.5.
        parameters.worth = vec![1.0, 0.0, 0.0, 0.0, 0.0, -0.3, 0.0, 0.0, 0.0, 0.0, 0.0];
        parameters.shared_worth = parameters.worth.clone();
        assert_eq!(parameters.check(), Ok(()));
        let of = |unsteadiness| {
            let manner = Manner { unsteadiness, ..Manner::default() };
            parameters.calibrated(&PhraseScore { manner, ..score(1_000) })
        };
        let ratio = -9.2 / 21f64.sqrt();
        for (unsteadiness, worth) in [(0.0, 1.0), (1.0, 0.7), (9.0, 0.55), (-9.0, 1.0)] {
            assert!((of(unsteadiness) - worth * ratio).abs() < 1e-9, "{unsteadiness}");
        }
        let unsteady = PhraseScore { manner: Manner { unsteadiness: 1.0, ..Manner::default() }, ..score(1_000) };
        assert_eq!(parameters.teaching(&unsteady), parameters.teaching(&score(1_000)), "what it teaches stays");
        // Slower or faster than keyboards is the device's doing alike.
        let tempo = |tempo| PhraseScore { manner: Manner { tempo, ..Manner::default() }, ..score(1_000) }.inputs();
        assert_eq!(tempo(0.4), tempo(-0.4));
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
}
