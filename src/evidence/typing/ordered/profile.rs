//! What is kept of a worker's ordered typing, and how a stretch compares with it.

use super::{
    AT_INTERVALS, AT_LETTER_INTERVALS, DWELL_GROUPS, OrderedObservation, OrderedParameters, Said, TRAIT_COUNT,
};
use crate::event::EventTime;
use crate::evidence::typing::lineup::{log_dwell, log_press_interval};
use serde::{Deserialize, Serialize};

/// Ratio, nats, at which the calibration hears half: beyond it a stretch is odd rather than firm.
const RATIO_HALF: f64 = 20.0;
/// Presses at which a stretch counts as half thin, and enrolled presses at which a profile counts as half young.
const THIN_PRESSES: f64 = 50.0;
const YOUNG_PRESSES: f64 = 100.0;

/// What is kept of a worker's ordered typing: recent means by trait and the presses behind them.
///
/// Means are kept as such, in no model's coordinates, so that they outlive a refitted model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OrderedProfile {
    /// Presses learned, saturating.
    pub press_count: u32,
    /// Granularity of the clock they were learned on, microseconds.
    pub timer_resolution_micros: u32,
    /// Day of the last stretch learned, since 1970.
    pub day: u32,
    /// Sessions' worth of days and texts behind the means, in hundredths.
    sessions_hundredths: u16,
    /// Recent means in steps of [`MEAN_STEP`] from the trait's [`origin`].
    means: Vec<i16>,
    /// Presses behind each: see [`stored_count`].
    counts: Vec<u8>,
}

/// Step of a stored mean: an eight-thousandth of the time, or of a share.
const MEAN_STEP: f64 = 1.0 / 8192.0;
/// Presses of a trait after which a profile forgets as it learns: the recent count most.
const KEPT_PRESSES_MAX: f64 = 2_000.0;
/// Sessions after which it does.
const KEPT_SESSIONS_MAX: f64 = 12.0;
/// Presses that make a session's worth.
const SESSION_PRESSES: f64 = 100.0;
/// What a further stretch of a day already heard counts of one of a new day: text and chair are the same.
const SAME_DAY_SHARE: f64 = 0.1;
/// Days after which a profile gives way to another clock.
const CLOCK_DAYS_MAX: u32 = 14;

/// Where stored means are measured from: ln of 120 ms for times, the half for shares.
fn origin(index: usize) -> f64 {
    let time = index < DWELL_GROUPS || (AT_INTERVALS..AT_LETTER_INTERVALS).contains(&index);
    if time { 11.695_247_021_764_184 } else { 0.5 }
}

/// A number of presses in one byte, in eighths of a binary logarithm: 0 = none.
fn stored_count(count: f64) -> u8 {
    if count < 0.5 { 0 } else { (8.0 * count.max(1.0).log2() + 1.0).round().min(255.0) as u8 }
}

fn count_of(stored: u8) -> f64 {
    if stored == 0 { 0.0 } else { ((f64::from(stored) - 1.0) / 8.0).exp2() }
}

/// A stretch compared with a profile, before calibration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderedScore {
    /// Log-likelihood ratio of two people against one, nats.
    pub log_ratio: f64,
    /// Presses of the stretch.
    pub press_count: u32,
    /// Presses behind the profile.
    pub enrolled_presses: u32,
    /// Granularity of the stretch's clock, microseconds.
    pub timer_resolution_micros: u32,
}

impl OrderedScore {
    /// Number of inputs of the calibration, intercept left out.
    pub const INPUT_COUNT: usize = 5;

    /// Inputs of the calibration: the ratio, squashed, alone and as thinned by a short stretch and by a young profile;
    /// and both of these themselves.
    pub fn inputs(&self) -> [f64; Self::INPUT_COUNT] {
        let ratio = squashed(self.log_ratio);
        let thin = THIN_PRESSES / (THIN_PRESSES + f64::from(self.press_count));
        let young = YOUNG_PRESSES / (YOUNG_PRESSES + f64::from(self.enrolled_presses));
        [ratio, ratio * thin, ratio * young, thin, young]
    }
}

/// A ratio as calibrations hear it: nowhere beyond [`RATIO_HALF`] nats.
pub fn squashed(log_ratio: f64) -> f64 {
    log_ratio / (1.0 + log_ratio.abs() / RATIO_HALF)
}

impl OrderedProfile {
    /// Whether every trait has a mean and a count, or none has.
    pub fn sound(&self) -> bool {
        self.means.len() == self.counts.len() && (self.means.is_empty() || self.means.len() == TRAIT_COUNT)
    }

    fn sessions(&self) -> f64 {
        f64::from(self.sessions_hundredths) / 100.0
    }

    /// Whether there is something to compare with a stretch of this clock.
    pub fn speaks(&self, parameters: &OrderedParameters, timer_resolution_micros: u32) -> bool {
        let node = |resolution: u32| parameters.clock(resolution).map(|model| model.timer_resolution_micros_max);
        self.sessions_hundredths > 0
            && self.means.len() == TRAIT_COUNT
            && self.counts.len() == TRAIT_COUNT
            && node(self.timer_resolution_micros).is_some()
            && node(self.timer_resolution_micros) == node(timer_resolution_micros)
    }

    /// What the profile says of the worker's place; absent when nothing was learned on a clock like this.
    pub fn said(&self, parameters: &OrderedParameters, timer_resolution_micros: u32) -> Option<Said> {
        if !self.speaks(parameters, timer_resolution_micros) {
            return None;
        }
        let model = parameters.clock(self.timer_resolution_micros)?;
        let of = |index: usize| {
            let count = count_of(self.counts[index]);
            (count > 0.0).then(|| (origin(index) + f64::from(self.means[index]) * MEAN_STEP, count))
        };
        Some(model.said(of, self.sessions()))
    }

    /// Learns a stretch. One of a clock that cannot be compared is left out, unless the profile is long unused.
    pub fn learn(&mut self, observation: &OrderedObservation, parameters: &OrderedParameters, time: EventTime) {
        let day = time.day_number().clamp(0, i64::from(u32::MAX)) as u32;
        if !self.speaks(parameters, observation.timer_resolution_micros) {
            let used = self.sessions_hundredths > 0 && self.means.len() == TRAIT_COUNT;
            if used && day.saturating_sub(self.day) <= CLOCK_DAYS_MAX {
                return;
            }
            let (means, counts) = (vec![0; TRAIT_COUNT], vec![0; TRAIT_COUNT]);
            let timer_resolution_micros = observation.timer_resolution_micros;
            *self = Self { timer_resolution_micros, means, counts, ..Self::default() };
        }
        for index in 0..TRAIT_COUNT {
            let Some((mean, count)) = observation.mean(index) else { continue };
            self.blend(index, mean, count);
        }
        let worth = (f64::from(observation.press_count) / SESSION_PRESSES).min(1.0);
        let same_day = self.sessions_hundredths > 0 && day <= self.day;
        self.add_sessions(if same_day { SAME_DAY_SHARE * worth } else { worth });
        self.press_count = self.press_count.saturating_add(observation.press_count);
        self.day = self.day.max(day);
    }

    fn blend(&mut self, index: usize, mean: f64, count: f64) {
        let kept = count_of(self.counts[index]).min(KEPT_PRESSES_MAX);
        let before = origin(index) + f64::from(self.means[index]) * MEAN_STEP;
        let blended = (before * kept + mean * count) / (kept + count);
        self.means[index] = ((blended - origin(index)) / MEAN_STEP).round().clamp(-32_000.0, 32_000.0) as i16;
        self.counts[index] = stored_count((kept + count).min(KEPT_PRESSES_MAX));
    }

    fn add_sessions(&mut self, added: f64) {
        let sessions = (self.sessions() + added).min(KEPT_SESSIONS_MAX);
        self.sessions_hundredths = (sessions * 100.0).round().max(1.0) as u16;
    }

    /// Adds what another profile of the same worker learned; of two clocks the better known stays.
    pub fn merge(&mut self, other: &Self) {
        if other.sessions_hundredths == 0 || other.means.len() != TRAIT_COUNT || other.counts.len() != TRAIT_COUNT {
            return;
        }
        let apart = self.timer_resolution_micros != other.timer_resolution_micros;
        if self.sessions_hundredths == 0 || self.means.len() != TRAIT_COUNT || apart {
            if other.press_count > self.press_count {
                *self = other.clone();
            }
            return;
        }
        for index in 0..TRAIT_COUNT {
            let count = count_of(other.counts[index]);
            if count > 0.0 {
                self.blend(index, origin(index) + f64::from(other.means[index]) * MEAN_STEP, count);
            }
        }
        self.add_sessions(other.sessions());
        self.press_count = self.press_count.saturating_add(other.press_count);
        self.day = self.day.max(other.day);
    }

    /// Compares a stretch with what was learned; absent when nothing was that it can be compared with.
    pub fn score(&self, observation: &OrderedObservation, parameters: &OrderedParameters) -> Option<OrderedScore> {
        let past = self.said(parameters, observation.timer_resolution_micros)?;
        let log_ratio = past.apart_from(&parameters.said(observation)?);
        let (press_count, enrolled_presses) = (observation.press_count, self.press_count);
        let timer_resolution_micros = observation.timer_resolution_micros;
        Some(OrderedScore { log_ratio, press_count, enrolled_presses, timer_resolution_micros })
    }

    /// Mean dwell and mean press interval of letters, microseconds, and the presses behind them, for access requests.
    pub fn letters(&self) -> Option<(f64, f64, f64)> {
        if self.means.len() != TRAIT_COUNT || self.counts.len() != TRAIT_COUNT {
            return None;
        }
        let time = |index: usize| (origin(index) + f64::from(self.means[index]) * MEAN_STEP).exp();
        let dwell = (time(0) - log_dwell(0.0).exp()).max(0.0);
        let interval = (time(AT_INTERVALS) - log_press_interval(0.0).exp()).max(0.0);
        (self.counts[0] > 0).then(|| (dwell, interval, count_of(self.counts[0])))
    }
}
