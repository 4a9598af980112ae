//! Input made by a machine to look awake: jigglers. A labour matter more than one of place, so it weighs little.
//!
//! A hand never repeats a step and a gap exactly; a jiggler does little else. PiKVM's makes ten diagonal steps of
//! ± 10 pixels 100 ms apart, others alternate one or two steps every 10 to 120 s.
//!
//! Worked example: 40 moves of (10, 10) and (-10, -10) with gaps of 100 ± 2 ms: every move repeats the size of the one
//! before and every gap its gap, so regularity is 1.0 and the score 2.0 nats.

use super::endpoint;
use crate::event::PointerSample;

/// Fewest moves before a repetition means anything.
pub const MOVES_MIN: usize = 16;
/// Gaps below this may repeat because a device is polled, microseconds; a jiggler's are longer.
const POLL_GAP_MAX_MICROS: u32 = 60_000;
/// Gaps that differ by less than this share are the same.
const GAP_TOLERANCE: f64 = 0.05;
/// Regularity from which a pattern is a jiggler's; people with slow devices stay below .3.
pub const REGULARITY_MIN: f64 = 0.6;
/// Nats at regularity 1: stay-awake tools are common on honest desks.
const LOG_ODDS_MAX: f64 = 2.0;

/// Share of moves that repeat the size of the step and the (long) gap before them, or that a known jiggler would make
/// ([`endpoint::jiggler_rate`]), whichever is larger, in \[0, 1\]; `None` under [`MOVES_MIN`] moves.
pub fn regularity(sample: &PointerSample) -> Option<f64> {
    let n = sample.interval_micros.len();
    if n < MOVES_MIN {
        return None;
    }
    let mut repeats = 0u32;
    for at in 2..n {
        let (gap, before) = (sample.interval_micros[at], sample.interval_micros[at - 1]);
        let same_gap = gap > POLL_GAP_MAX_MICROS && f64::from(gap.abs_diff(before)) <= GAP_TOLERANCE * f64::from(gap);
        let step = (sample.delta_x[at].unsigned_abs(), sample.delta_y[at].unsigned_abs());
        let step_before = (sample.delta_x[at - 1].unsigned_abs(), sample.delta_y[at - 1].unsigned_abs());
        repeats += u32::from(same_gap && step == step_before);
    }
    Some((f64::from(repeats) / (n - 2) as f64).max(endpoint::jiggler_rate(sample)))
}

/// Nats for a regularity; `None` below [`REGULARITY_MIN`], since an irregular pointer clears nobody.
pub fn log_odds(regularity: f64) -> Option<f64> {
    (regularity >= REGULARITY_MIN).then(|| LOG_ODDS_MAX * (regularity - REGULARITY_MIN) / (1.0 - REGULARITY_MIN))
}
