//! One session's samples become measurements of how input reached the machine.

use super::challenge::{self, Answers};
use super::endpoint::{self, Devices, Software};
use super::habits::{self, Habits};
use super::{keys, machine, pointer};
use crate::event::Samples;
use crate::evidence::quantile::quantile_of_sorted;

/// Fewest event delays before their spread says anything.
pub const DELAYS_MIN: usize = 20;

/// What pointer motion showed.
#[derive(Debug, Clone, PartialEq)]
pub enum PointerObservation {
    /// Windows of motion, measured.
    Windows {
        /// What was seen of the motion.
        motion: pointer::Motion,
        /// One entry per window, at least one.
        windows: Vec<pointer::Window>,
        /// Moves received.
        move_count: u32,
    },
    /// Too few moves in motion.
    TooShort(u32),
    /// The clock was too coarse.
    TooCoarse(u32),
}

/// What typing showed of its transport.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyObservation {
    /// Windows of presses, measured.
    Windows {
        /// One entry per window, at least one.
        windows: Vec<keys::Window>,
        /// Presses received.
        press_count: u32,
    },
    /// Too few dwells.
    TooShort(u32),
    /// The clock was too coarse.
    TooCoarse(u32),
}

/// How far event delays spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DelaySpread {
    /// Half the range between 10 and 90 %, microseconds.
    pub spread_micros: f64,
    /// Delays read.
    pub count: u32,
}

/// Everything this family reads of one session; each part absent when its samples are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// Pointer motion.
    pub pointer: Option<PointerObservation>,
    /// Typing.
    pub keys: Option<KeyObservation>,
    /// Answers to prompts.
    pub answers: Option<Answers>,
    /// Prompts shown, answered or not.
    pub prompt_count: u32,
    /// Loops closed by ordinary work.
    pub habits: Option<Habits>,
    /// Event delays.
    pub delays: Option<DelaySpread>,
    /// Plugged-in devices.
    pub devices: Option<Devices>,
    /// Programs and system reports.
    pub software: Option<Software>,
    /// Share of moves that repeat the one before.
    pub regularity: Option<f64>,
}

/// Measures one session alone.
pub fn observe(samples: &Samples) -> Observation {
    let remote = samples.remote_input.as_ref();
    Observation {
        pointer: observe_pointer(samples),
        keys: observe_keys(samples),
        answers: samples.challenge.as_ref().and_then(challenge::answers),
        prompt_count: samples.challenge.as_ref().map_or(0, |sample| sample.reaction_micros.len() as u32),
        habits: remote.and_then(habits::habits),
        delays: remote.and_then(|sample| delay_spread(&sample.event_delay_micros)),
        devices: samples.device.as_ref().and_then(endpoint::devices),
        software: remote.and_then(endpoint::software),
        regularity: samples.pointer.as_ref().and_then(machine::regularity),
    }
}

fn observe_pointer(samples: &Samples) -> Option<PointerObservation> {
    let (count, resolution) = match (&samples.pointer, &samples.remote_input) {
        (Some(sample), _) => (sample.interval_micros.len(), sample.timer_resolution_micros),
        (None, Some(sample)) if !sample.pointer_interval_micros.is_empty() => {
            (sample.pointer_interval_micros.len(), sample.timer_resolution_micros)
        }
        _ => return None,
    };
    let move_count = count as u32;
    if resolution > pointer::RESOLUTION_MAX_MICROS {
        return Some(PointerObservation::TooCoarse(move_count));
    }
    let (motion, windows) = match (&samples.pointer, &samples.remote_input) {
        (Some(sample), _) => pointer::windows(sample),
        (None, Some(sample)) => pointer::windows_of_gaps(&sample.pointer_interval_micros),
        (None, None) => return None,
    };
    Some(if windows.is_empty() {
        PointerObservation::TooShort(move_count)
    } else {
        PointerObservation::Windows { motion, windows, move_count }
    })
}

fn observe_keys(samples: &Samples) -> Option<KeyObservation> {
    let sample = samples.typing.as_ref()?;
    let press_count = sample.press_interval_micros.len() as u32;
    if sample.timer_resolution_micros > keys::RESOLUTION_MAX_MICROS {
        return Some(KeyObservation::TooCoarse(press_count));
    }
    let windows = keys::windows(sample);
    Some(if windows.is_empty() {
        KeyObservation::TooShort(press_count)
    } else {
        KeyObservation::Windows { windows, press_count }
    })
}

fn delay_spread(delays: &[i32]) -> Option<DelaySpread> {
    if delays.len() < DELAYS_MIN {
        return None;
    }
    let mut sorted: Vec<f64> = delays.iter().map(|delay| f64::from(*delay)).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let spread_micros = (quantile_of_sorted(&sorted, 0.9) - quantile_of_sorted(&sorted, 0.1)) / 2.0;
    Some(DelaySpread { spread_micros, count: delays.len() as u32 })
}
