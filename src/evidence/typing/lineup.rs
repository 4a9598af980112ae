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

/// Step of a clock, microseconds, from which a dwell of 0 is one within a step: so short a dwell is common there, and a
/// release that was not seen is rare.
const DWELL_STEP_MICROS_MIN: u32 = 30_000;
/// Step of a clock, microseconds, up to which its own variance is taken at the time seen: it is next to nothing.
const FINE_STEP_MICROS_MAX: u32 = 2_000;

/// One login's phrase.
#[derive(Debug, Clone, PartialEq)]
pub struct PhraseObservation {
    /// Which phrase: the identifier folded by FNV-1a; never the identifier.
    pub key: u64,
    /// Presses of the whole phrase; another count is another phrase, or a correction.
    pub press_count: u16,
    /// Tells sequences of key classes apart; 0 where no classes were told.
    pub class_mark: u16,
    /// Granularity of the clock that stamped them, microseconds.
    pub timer_resolution_micros: u32,
    /// Times at positions: all dwells, then all press intervals.
    pub times: Vec<PhraseTime>,
}

/// One time of a phrase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhraseTime {
    /// ln((time + shift) / 1 us); absent when the release was not seen. A dwell of 0 is a time on clocks of 30 ms and
    /// coarser: the key came up within a step.
    pub log_time: Option<f64>,
    /// Variance that the clock alone makes of a time such as the one seen.
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
            let seen = dwell > 0 || typing.timer_resolution_micros >= DWELL_STEP_MICROS_MIN;
            times.push(time(dwell, DWELL_SHIFT_MICROS, seen, prior_index(None, class(index))));
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
            class_mark: class_mark(&typing.key_classes),
            timer_resolution_micros: typing.timer_resolution_micros,
            times,
        })
    }

    /// Variance that the clock makes of `time` where it deviates by `deviation` from what was expected: the clock's step
    /// is that of the time itself, not of what the clock made of it.
    pub(super) fn clock_variance(&self, time: &PhraseTime, deviation: f64) -> f64 {
        if self.timer_resolution_micros <= FINE_STEP_MICROS_MAX {
            time.clock_variance
        } else {
            // (time + shift) / (expected + shift) is e^deviation.
            time.clock_variance * (2.0 * deviation).exp()
        }
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

/// Folds classes by FNV-1a; never 0 when any was told. Two sequences share a mark by chance once in 65,535.
fn class_mark(classes: &[KeyClass]) -> u16 {
    if classes.iter().all(|class| *class == KeyClass::Withheld) {
        return 0;
    }
    let folded = classes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, class| (hash ^ *class as u64).wrapping_mul(0x0000_0100_0000_01b3));
    ((folded >> 48) as u16).max(1)
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
