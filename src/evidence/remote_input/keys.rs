//! Key transport: what a network between keyboard and machine does to dwells and presses.
//!
//! A keyboard is polled, so its dwells are multiples of the poll (8 ms USB, 7.5 to 15 ms Bluetooth): a comb. Jitter
//! blurs the comb, lets presses and releases arrive in bunches and shortens some dwells to nothing. Only differences of
//! times are read, so a constant delay changes nothing; entries may come in any order.
//!
//! Worked example: 200 dwells of 96, 104 and 112 ms with a clock of 1 ms have a comb of .95 at 8 ms; after a network
//! with 5 ms of jitter it is .15, which for a keyboard nobody knows is worth about +0.6 nats; still having one 0.

use crate::event::TypingSample;
use crate::evidence::quantile::quantile_of_sorted;

/// Presses per window: the length at which transport was measured.
pub const WINDOW_PRESSES: usize = 200;
/// Fewest dwells seen before transport says anything.
pub const DWELLS_MIN: usize = 40;
/// Most windows read of one sample.
pub const WINDOWS_MAX: usize = 4;
/// Coarsest clock, microseconds: with 4 ms the comb of 8 ms is gone and so are the short dwells.
pub const RESOLUTION_MAX_MICROS: u32 = 2_000;
/// Dwell below which nine in ten lie only for keyboards that release at once by themselves, milliseconds.
pub const AUTO_RELEASE_P90_MILLIS: f64 = 20.0;
/// Polling periods of keyboards, milliseconds: USB at 250 and 125 Hz, Bluetooth connection intervals.
const PERIODS_MILLIS: [f64; PERIODS] = [4.0, 7.5, 8.0, 11.25, 15.0];
const PERIODS: usize = 5;
/// Dwells from here on, milliseconds, are held keys and say nothing of a poll.
const PHASE_MILLIS: usize = 400;
/// Intervals up to this belong to one burst of typing, milliseconds; longer ones are thought, not transport.
const BURST_INTERVAL_MILLIS: f64 = 400.0;
/// What a statistic is when it could not be taken; lies below every measured value.
const NOT_TAKEN: f64 = -2.0;
/// Measurements of one window, the comb not among them.
pub const MEASUREMENTS: usize = 15;

/// One window, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Input of the forest, in fixed order; holds nothing of the comb.
    pub measurements: [f64; MEASUREMENTS],
    /// Strongest comb over the polling periods, beyond what chance gives, in \[0, 1\].
    pub comb: f64,
    /// Dwell quantiles 10 and 90 %, milliseconds.
    pub dwell_millis: [f64; 2],
    /// Share of dwells of at most 5 ms.
    pub short_rate: f64,
    /// Share of presses within 3 ms of the press before.
    pub press_burst_rate: f64,
    /// Dwells behind it.
    pub dwell_count: usize,
}

/// Cuts a sample into windows of [`WINDOW_PRESSES`] and measures each.
pub fn windows(sample: &TypingSample) -> Vec<Window> {
    let count = sample.dwell_micros.len();
    let window_count = (count / WINDOW_PRESSES).clamp(1, WINDOWS_MAX);
    let length = if count < 2 * WINDOW_PRESSES { count } else { WINDOW_PRESSES };
    let stride = if window_count > 1 { (count - length) / (window_count - 1) } else { 0 };
    (0..window_count)
        .filter_map(|index| {
            let range = index * stride..(index * stride + length).min(count);
            measure(&sample.dwell_micros[range.clone()], &sample.press_interval_micros[range], !sample.shuffled)
        })
        .collect()
}

/// Measures one window, or `None` with fewer than [`DWELLS_MIN`] dwells seen. The first interval is not read.
pub fn measure(dwells: &[u32], intervals: &[u32], ordered: bool) -> Option<Window> {
    let mut micros: Vec<u32> = Vec::with_capacity(dwells.len());
    micros.extend(dwells.iter().filter(|dwell| **dwell > 0));
    if micros.len() < DWELLS_MIN {
        return None;
    }
    micros.sort_unstable();
    let millis: Vec<f64> = micros.iter().map(|dwell| f64::from(*dwell) / 1e3).collect();
    let n = millis.len() as f64;
    let at = |q: f64| quantile_of_sorted(&millis, q);
    let below = |limit: f64| millis.partition_point(|dwell| *dwell <= limit) as f64 / n;
    let (p02, p10, p50, p90) = (at(0.02), at(0.10), at(0.50), at(0.90));
    let presses = intervals.len().saturating_sub(1).max(1) as f64;
    let within = |limit: u32| intervals.iter().skip(1).filter(|interval| **interval <= limit).count() as f64 / presses;
    let press_burst_rate = within(3_500);
    let mut out = [0.0; MEASUREMENTS];
    out[0] = below(2.5);
    out[1] = below(5.5);
    out[2] = below(20.5);
    out[3] = (1.0 + p02).ln();
    out[4] = (1.0 + p10).ln();
    out[5] = (1.0 + p50).ln();
    out[6] = (1.0 + p90).ln();
    out[7] = press_burst_rate;
    out[8] = within(15_500);
    out[9] = (p50 - p10) / (p50 + 1.0);
    out[10] = (p90 - p50) / (p50 + 1.0);
    out[11] = (p10 - p02) / (p50 + 1.0);
    let (own, next) = interval_dwell_correlations(dwells, intervals, p50, ordered);
    out[12] = own;
    out[13] = next;
    out[14] = if ordered { coincidence(dwells, intervals) } else { NOT_TAKEN };
    Some(Window {
        measurements: out,
        comb: comb(&micros, intervals.get(1..).unwrap_or_default()),
        dwell_millis: [p10, p90],
        short_rate: out[1],
        press_burst_rate,
        dwell_count: millis.len(),
    })
}

/// Cosine and sine of every whole millisecond at every period: a window then costs no trigonometry.
static PHASES: std::sync::LazyLock<Vec<[(f64, f64); PERIODS]>> = std::sync::LazyLock::new(|| {
    (0..PHASE_MILLIS)
        .map(|dwell| PERIODS_MILLIS.map(|period| (std::f64::consts::TAU * dwell as f64 / period).sin_cos()))
        .collect()
});

/// Strength of the strongest polling comb: resultant length at each period of dwells and of press intervals (a polled
/// keyboard's presses lie on its grid as well), less what chance would give the best of them at this count, scaled to
/// \[0, 1\]. Times are read in whole milliseconds; longer intervals say nothing, since clocks drift.
fn comb(dwells: &[u32], intervals: &[u32]) -> f64 {
    let mut sums = [(0.0, 0.0); PERIODS];
    let mut count = 0u32;
    for micros in dwells.iter().chain(intervals) {
        if let Some(phases) = PHASES.get(micros.saturating_add(500) as usize / 1_000) {
            count += 1;
            for (sum, phase) in sums.iter_mut().zip(phases) {
                sum.0 += phase.0;
                sum.1 += phase.1;
            }
        }
    }
    let n = f64::from(count.max(1));
    let mut best: f64 = 0.0;
    for (sine, cosine) in sums {
        // A polled time is a multiple of the period, so its phase is 0: what points elsewhere is not a comb.
        let strength = if cosine > sine.abs() { cosine / n } else { 0.0 };
        best = best.max(strength);
    }
    // 97.5 % of the best of so many resultants projected on one direction, each about N(0, 1 / (2 n)).
    let chance = 2.6 / (2.0 * n).sqrt();
    ((best - chance) / (1.0 - chance).max(0.1)).clamp(0.0, 1.0)
}

/// Correlation of dwell with the interval before its press, and with the interval after it.
///
/// A press that the network holds up makes the interval before it longer, its dwell shorter and the interval after it
/// shorter; a hand does not.
fn interval_dwell_correlations(dwells: &[u32], intervals: &[u32], p50: f64, ordered: bool) -> (f64, f64) {
    let cap = 3.0 * p50 + 1.0;
    let pair = |interval: u32, dwell: u32| {
        let interval = f64::from(interval) / 1e3;
        (dwell > 0 && interval <= BURST_INTERVAL_MILLIS).then(|| (interval, (f64::from(dwell) / 1e3).min(cap)))
    };
    let own = correlation(dwells.iter().zip(intervals).skip(1).filter_map(|(dwell, interval)| pair(*interval, *dwell)));
    if !ordered {
        return (own, NOT_TAKEN);
    }
    let next = correlation(
        dwells.iter().zip(intervals.iter().skip(1)).filter_map(|(dwell, interval)| pair(*interval, *dwell)),
    );
    (own, next)
}

fn correlation(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut n, mut x, mut y, mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (a, b) in pairs {
        n += 1.0;
        x += a;
        y += b;
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    if n < 20.0 {
        return NOT_TAKEN;
    }
    let (vx, vy) = (xx - x * x / n, yy - y * y / n);
    (xy - x * y / n) / (vx.max(1e-6) * vy.max(1e-6)).sqrt()
}

/// Share of presses within 1 ms of the release before them: two events that one packet carried.
fn coincidence(dwells: &[u32], intervals: &[u32]) -> f64 {
    let (mut hits, mut count) = (0.0, 0.0);
    for (dwell, interval) in dwells.iter().zip(intervals.iter().skip(1)) {
        if *dwell > 0 && f64::from(*interval) <= BURST_INTERVAL_MILLIS * 1e3 {
            count += 1.0;
            hits += f64::from(u8::from(dwell.abs_diff(*interval) <= 1_500));
        }
    }
    if count < 20.0 { NOT_TAKEN } else { hits / count }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polled_keyboard_shows_its_comb_and_a_blurred_one_does_not() {
        let polled: Vec<u32> = (0..200).map(|index| 80_000 + 8_000 * (index * 7 % 5)).collect();
        // Steps of 3 ms from 80 ms on: spread over the whole 8 ms cycle.
        let blurred: Vec<u32> = (0..200).map(|index| 80_000 + 3_000 * (index * 7 % 16)).collect();
        let comb = |dwells: &[u32]| {
            // Intervals go with the dwells: twice as long, on the same grid or none.
            let intervals: Vec<u32> = dwells.iter().map(|dwell| 2 * dwell).collect();
            measure(dwells, &intervals, true).map(|window| window.comb).unwrap_or(-1.0)
        };
        assert_eq!(comb(&polled), 1.0);
        assert_eq!(comb(&blurred), 0.0);
    }

    #[test]
    fn few_dwells_say_nothing() {
        assert_eq!(measure(&[90_000; 39], &[150_000; 39], true), None);
        assert_eq!(measure(&[0; 300], &[150_000; 300], true), None);
    }
}
