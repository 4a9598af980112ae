//! A login against what is kept of its phrase: a Student-t likelihood ratio per position.
//!
//! What a stranger would type is not known for this phrase. It is expected around the mean of all people for the key
//! classes, drawn towards this worker's own mean: where the worker is slow the phrase is probably hard, and it is hard
//! for strangers too. Where other workers of the tenant type the same phrase, their means sharpen what a stranger is
//! expected to do ([`super::background`]).

use super::accord::{Deviation, log_density};
use super::background::PhraseBackground;
use super::calibration::{Manner, PhraseParameters, PhraseScore};
use super::lineup::{PHRASE_PRESSES_MAX, PhraseObservation};
use super::phrase::{MEAN_RATE, PhraseProfile};

/// Degrees of freedom of a worker's own times: one slip in eleven presses must not refuse a login.
const WORKER_FREEDOM: f64 = 4.0;
/// Degrees of freedom of a stranger's times.
const BACKGROUND_FREEDOM: f64 = 8.0;
/// Deviation, in worker spreads, beyond which a position counts no more in the robust distance.
const DISTANCE_CLIP: f64 = 5.0;

/// Deviation of a worker's mean from a stranger's, in a stranger's spreads, beyond which a position is no more apart.
const APART_CLIP: f64 = 3.0;
/// Variances multiplied before their logarithm is taken: each is 4e-9 and more, and a product must not fall to 0.
const VARIANCES_JOINED: u32 = 8;

/// Sums behind [`Manner`].
#[derive(Debug, Clone, Copy)]
struct MannerSum {
    variance_log: f64,
    variance_product: f64,
    joined: u32,
    apart: f64,
    tempo: f64,
    times: u32,
    intervals: u32,
}

impl Default for MannerSum {
    fn default() -> Self {
        Self { variance_log: 0.0, variance_product: 1.0, joined: 0, apart: 0.0, tempo: 0.0, times: 0, intervals: 0 }
    }
}

impl MannerSum {
    fn add(
        &mut self,
        profile: &PhraseProfile,
        observation: &PhraseObservation,
        index: usize,
        parameters: &PhraseParameters,
        (own, strange): (&Deviation, &Deviation),
    ) {
        let (Some(time), Some((mean, variance))) = (observation.times.get(index), profile.time(index)) else { return };
        let prior = &parameters.priors[usize::from(time.prior)];
        self.variance_product *= variance / (prior.within_spread * prior.within_spread);
        self.joined += 1;
        if self.joined == VARIANCES_JOINED {
            self.variance_log += self.variance_product.ln();
            (self.variance_product, self.joined) = (1.0, 0);
        }
        // Both deviations are of one time: what is left is how far the worker's mean is from a stranger's.
        let apart = (strange.deviation - own.deviation).abs() / strange.variance.sqrt();
        self.apart += apart.min(APART_CLIP);
        self.times += 1;
        if index >= profile.kept_presses() {
            self.tempo += mean - prior.centre;
            self.intervals += 1;
        }
    }

    fn mean(&self) -> Manner {
        let (times, intervals) = (f64::from(self.times.max(1)), f64::from(self.intervals.max(1)));
        Manner {
            unsteadiness: (self.variance_log + self.variance_product.ln()) / times,
            apart: self.apart / times,
            tempo: self.tempo / intervals,
        }
    }
}

impl PhraseProfile {
    /// Compares a login with what was learned, and with how others type the phrase where that is known; absent when
    /// nothing was learned, or nothing lines up.
    pub fn score(
        &self,
        observation: &PhraseObservation,
        parameters: &PhraseParameters,
        background: Option<&PhraseBackground>,
    ) -> Option<PhraseScore> {
        if self.count == 0 || !self.lines_up(observation) {
            return None;
        }
        let background = background.filter(|background| background.times.len() == observation.times.len());
        let presses = self.kept_presses();
        let accords = &parameters.accords;
        let kinds = [(0..presses, &accords.dwell), (presses..observation.times.len(), &accords.press_interval)];
        let (mut log_ratio, mut distance, mut time_count) = (0.0, 0.0, 0);
        let mut manner = MannerSum::default();
        for (range, accord) in kinds {
            let mut own = [Deviation::default(); PHRASE_PRESSES_MAX];
            let mut strange = [Deviation::default(); PHRASE_PRESSES_MAX];
            let mut count = 0;
            for index in range {
                let Some(sides) = self.deviations(observation, index, parameters, background) else { continue };
                let (Some(own), Some(strange)) = (own.get_mut(count), strange.get_mut(count)) else { break };
                (*own, *strange) = sides;
                manner.add(self, observation, index, parameters, (own, strange));
                distance += (own.deviation.abs() / own.total().sqrt()).min(DISTANCE_CLIP);
                count += 1;
            }
            log_ratio += log_density(&own[..count], accord.worker, WORKER_FREEDOM)
                - log_density(&strange[..count], accord.stranger, BACKGROUND_FREEDOM);
            time_count += count;
        }
        log_ratio += time_count as f64 * (WORKER_LOG_NORM - BACKGROUND_LOG_NORM);
        (time_count > 0).then(|| PhraseScore {
            log_ratio,
            distance: distance / time_count as f64,
            time_count: time_count as u32,
            timer_resolution_micros: observation.timer_resolution_micros,
            manner: manner.mean(),
            enrolled_count: u32::from(self.count),
            background_count: background.map_or(0, |background| background.worker_count),
            anchor_ratio: match &parameters.anchor {
                Some(anchor) => self.drift(observation, parameters).map(|drift| anchor.ratio(drift)),
                None => None,
            },
        })
    }

    /// One time against what is expected of the worker, and of a stranger; absent where it was not seen now or before.
    pub fn deviations(
        &self,
        observation: &PhraseObservation,
        index: usize,
        parameters: &PhraseParameters,
        background: Option<&PhraseBackground>,
    ) -> Option<(Deviation, Deviation)> {
        let time = observation.times.get(index)?;
        let (log_time, mean) = (time.log_time?, self.mean(index)?);
        let prior = &parameters.priors[usize::from(time.prior)];
        let enrolled = f64::from(self.count).min(1.0 / MEAN_RATE);
        let deviation = log_time - mean;
        let clock = observation.clock_variance(time, deviation);
        // The mean of a few logins is not known exactly: neither for the hand nor for the clock.
        let variance = self.variance(index, prior) * (1.0 + 1.0 / enrolled) + clock / enrolled;
        let own = Deviation { deviation, variance, clock };
        let mut stranger_mean = prior.centre + prior.carry * (mean - prior.centre);
        let mut variance = prior.background_spread * prior.background_spread;
        if let Some(background) = background {
            let within = prior.within_spread * prior.within_spread;
            (stranger_mean, variance) = background.times[index].sharpen(stranger_mean, variance, within);
        }
        let deviation = log_time - stranger_mean;
        Some((own, Deviation { deviation, variance, clock: observation.clock_variance(time, deviation) }))
    }
}

/// ln of the Student-t density's constant at 4 degrees of freedom: ln(Γ(2.5) / (Γ(2) √(4π))).
const WORKER_LOG_NORM: f64 = -0.980_829_253_011_725_7;
/// The same at 8: ln(Γ(4.5) / (Γ(4) √(8π))).
const BACKGROUND_LOG_NORM: f64 = -0.950_108_612_150_230_7;
