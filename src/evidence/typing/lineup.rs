//! A phrase lined up by position: its times in the logarithms that are compared, and what all people are like there.

use crate::event::{KeyClass, TypingSample};
use serde::{Deserialize, Serialize};

/// Fewest presses lined up by position: under them a login says next to nothing of a hand.
pub const PHRASE_PRESSES_MIN: usize = 4;
/// Most presses lined up; the rest of a longer phrase is left out. The budget per login and per worker is for 40.
pub const PHRASE_PRESSES_MAX: usize = 48;
/// Added to dwells before the logarithm, microseconds: half a short dwell, so that a clock's step under it is no event.
pub(super) const DWELL_SHIFT_MICROS: f64 = 20_000.0;
/// Added to press intervals before the logarithm, microseconds: rolled-over keys differ by chance, not in proportion.
pub(super) const PRESS_INTERVAL_SHIFT_MICROS: f64 = 30_000.0;

/// One login's phrase.
#[derive(Debug, Clone, PartialEq)]
pub struct PhraseObservation {
    /// Which phrase: the identifier folded by FNV-1a; never the identifier.
    pub key: u64,
    /// Presses of the whole phrase; another count is another phrase, or a correction.
    pub press_count: u16,
    /// Granularity of the clock that stamped them, microseconds.
    pub timer_resolution_micros: u32,
    /// Times at positions: all dwells, then all press intervals.
    pub times: Vec<PhraseTime>,
}

/// One time of a phrase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhraseTime {
    /// ln((time + shift) / 1 us); absent when the release was not seen.
    pub log_time: Option<f64>,
    /// Variance of `log_time` that the clock alone makes.
    pub clock_variance: f64,
    /// Which prior: see [`prior_index`].
    pub prior: u8,
}

/// Number of priors: a dwell per class, then a press interval per pair of classes.
pub const PRIOR_COUNT: usize = KeyClass::COUNT + KeyClass::COUNT * KeyClass::COUNT;

/// Index of a dwell's prior (`first` absent) or a press interval's.
pub fn prior_index(first: Option<KeyClass>, second: KeyClass) -> usize {
    match first {
        None => second as usize,
        Some(first) => KeyClass::COUNT + first as usize * KeyClass::COUNT + second as usize,
    }
}

/// The natural logarithm in which dwells are compared.
pub fn log_dwell(micros: f64) -> f64 {
    (micros + DWELL_SHIFT_MICROS).ln()
}

/// The natural logarithm in which press intervals are compared.
pub fn log_press_interval(micros: f64) -> f64 {
    (micros + PRESS_INTERVAL_SHIFT_MICROS).ln()
}

impl PhraseObservation {
    /// Lines up a phrase; absent under [`PHRASE_PRESSES_MIN`] presses.
    pub fn of(typing: &TypingSample) -> Option<Self> {
        let presses = typing.press_interval_micros.len();
        if presses < PHRASE_PRESSES_MIN {
            return None;
        }
        let kept = presses.min(PHRASE_PRESSES_MAX);
        let class = |index: usize| typing.key_classes.get(index).copied().unwrap_or(KeyClass::Withheld);
        // A time is the difference of two stamps, each uniform within a step: variance 2 * step^2 / 12.
        let step = f64::from(typing.timer_resolution_micros);
        let stamp_variance = step * step / 6.0;
        let time = |micros: u32, shift: f64, seen: bool, prior: usize| {
            let shifted = f64::from(micros) + shift;
            PhraseTime {
                log_time: seen.then(|| shifted.ln()),
                clock_variance: stamp_variance / (shifted * shifted),
                prior: prior as u8,
            }
        };
        let mut times = Vec::with_capacity(2 * kept - 1);
        for index in 0..kept {
            let dwell = typing.dwell_micros[index];
            times.push(time(dwell, DWELL_SHIFT_MICROS, dwell > 0, prior_index(None, class(index))));
        }
        for index in 1..kept {
            let interval = typing.press_interval_micros[index];
            times.push(time(
                interval,
                PRESS_INTERVAL_SHIFT_MICROS,
                true,
                prior_index(Some(class(index - 1)), class(index)),
            ));
        }
        Some(Self {
            key: fold(&typing.phrase_id),
            press_count: presses.min(usize::from(u16::MAX)) as u16,
            timer_resolution_micros: typing.timer_resolution_micros,
            times,
        })
    }

    /// Names the phrase among those of a tenant: the key of [`PhraseProfile::pooled`].
    pub fn pool_key(&self) -> u64 {
        pool_key(self.key, self.press_count)
    }
}

/// Names a phrase of a number of presses among those of a tenant.
pub(super) fn pool_key(key: u64, press_count: u16) -> u64 {
    (key ^ u64::from(press_count)).wrapping_mul(0x0000_0100_0000_01b3)
}

/// FNV-1a, 64 bits: tells a worker's few phrases apart, and is not meant to resist anybody.
fn fold(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// What all people are like at a position of given classes, in ln(time + shift).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// Mean over people and keys.
    pub centre: f64,
    /// Share of a worker's deviation from `centre` that a stranger shares, \[0, 1\]: the phrase's own difficulty.
    pub carry: f64,
    /// Standard deviation of a stranger's time around the carried centre.
    pub background_spread: f64,
    /// Standard deviation of one person's times at one position of a practised phrase.
    pub within_spread: f64,
}
