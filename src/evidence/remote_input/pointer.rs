//! Pointer transport: what a viewer between hand and machine does to the gaps between moves.
//!
//! A local mouse answers its polls: gaps are one period, or a few when it moves slowly. Viewers throttle (gaps of 16
//! to 30 ms for an 8 ms mouse), merge moves, and deliver late ones in bunches. Only differences of times are read, so
//! a constant delay changes nothing.
//!
//! Worked example: 50 moves with gaps 8 8 8 8 16 8 … have a mode of 8 ms with 90 % of gaps within 1 ms of it and no
//! gap under 2 ms; 50 moves with gaps 0 0 23 1 40 18 … have a quarter of their gaps in bunches.

use crate::event::{PointerSample, PointerSource};

/// Fewest moves that make a window of their own: the length at which transport was measured to be told well.
pub const WINDOW_MOVES: usize = 50;
/// Most moves read as one window. A long window says about what three short ones do, at a third of the cost.
pub const LONG_WINDOW_MOVES: usize = 150;
/// Fewest gaps of motion in a window; fewer say nothing.
pub const MOTION_GAPS_MIN: usize = 24;
/// Longest gap that belongs to motion, milliseconds; longer ones are pauses.
pub const MOTION_GAP_MAX_MILLIS: usize = 300;
/// Most windows read of one sample: more add cost, hardly confidence.
pub const WINDOWS_MAX: usize = 4;
/// Coarsest clock with which gaps of 8 ms are still seen, microseconds.
pub const RESOLUTION_MAX_MICROS: u32 = 2_000;
/// Clock to which all times are brought, microseconds, so that finer clocks do not look like another device.
const TICK_MICROS: u64 = 1_000;
/// Steps from which a move counts as fast, pixels: a mouse then has something to say at every poll.
const FAST_STEP_PIXELS: f64 = 3.0;
/// Fewest fast moves for statistics of them.
const FAST_MOVES_MIN: usize = 6;
/// What a statistic is when it could not be taken; lies below every measured value.
const NOT_TAKEN: f64 = -2.0;
/// Periods at which regularity is asked for, milliseconds: mice (8, 10), Bluetooth (7.5, 11.25, 15), frames, viewers.
const PERIODS_MILLIS: [f64; PERIODS] = [7.5, 8.0, 10.0, 11.25, 15.0, 16.667, 20.0, 25.0, 33.333, 50.0];
const PERIODS: usize = 10;
/// Measurements of one window.
pub const MEASUREMENTS: usize = SHAPES_FROM + 4;
/// Where the shapes that were added last begin among the measurements.
const SHAPES_FROM: usize = PHASES_FROM + PERIODS + 1;
/// Where the periods begin among the measurements.
const PHASES_FROM: usize = 21;

/// Which forest reads a window: what was seen of the motion decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// Every move with its steps.
    Raw,
    /// One move per display frame.
    Coalesced,
    /// Gaps alone, without steps.
    Cadence,
}

/// One window, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Input of the forest, in fixed order.
    pub measurements: [f64; MEASUREMENTS],
    /// What of it is shown to people.
    pub shown: Shown,
}

/// What is shown of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// Gap quantiles 5, 50 and 95 %, milliseconds.
    pub gap_millis: [f64; 3],
    /// Share of gaps of at most 1 ms.
    pub burst_rate: f64,
    /// 95 % of step lengths, pixels; absent without steps.
    pub step_p95: Option<f64>,
}

/// Cosine and sine of every whole millisecond gap at every period; tables make a window cost microseconds less.
static PHASES: std::sync::LazyLock<Vec<[(f64, f64); PERIODS]>> = std::sync::LazyLock::new(|| {
    (0..=MOTION_GAP_MAX_MILLIS)
        .map(|gap| PERIODS_MILLIS.map(|period| (std::f64::consts::TAU * gap as f64 / period).sin_cos()))
        .collect()
});

/// Cuts a sample into windows of [`LONG_WINDOW_MOVES`] and measures each; a sample under two of them is one window. None
/// when all are too short.
pub fn windows(sample: &PointerSample) -> (Motion, Vec<Window>) {
    (motion_of(sample), measure_all(&sample.interval_micros, Some((&sample.delta_x, &sample.delta_y))))
}

/// The same of gaps alone.
pub fn windows_of_gaps(interval_micros: &[u32]) -> (Motion, Vec<Window>) {
    (Motion::Cadence, measure_all(interval_micros, None))
}

/// Most windows read at once of what a live session brought.
const NEWEST_WINDOWS_MAX: usize = 5;

/// Cuts the newest `count` moves of a sample into windows of [`WINDOW_MOVES`] and some, and measures each.
pub fn newest_windows(sample: &PointerSample, count: usize) -> (Motion, Vec<Window>) {
    let all = sample.interval_micros.len();
    let count = count.min(all);
    let window_count = (count / WINDOW_MOVES).clamp(1, NEWEST_WINDOWS_MAX);
    let length = (count / window_count).min(2 * WINDOW_MOVES);
    let stride = if window_count > 1 { (count - length) / (window_count - 1) } else { 0 };
    let windows = (0..window_count).filter_map(|index| {
        let from = all - count + index * stride;
        let range = from..from + length;
        measure(&sample.interval_micros[range.clone()], Some((&sample.delta_x[range.clone()], &sample.delta_y[range])))
    });
    (motion_of(sample), windows.collect())
}

fn motion_of(sample: &PointerSample) -> Motion {
    match sample.source {
        PointerSource::Raw => Motion::Raw,
        PointerSource::FrameCoalesced => Motion::Coalesced,
    }
}

fn measure_all(intervals: &[u32], steps: Option<(&[i32], &[i32])>) -> Vec<Window> {
    // Gap `i` lies before move `i`; the first move has none before it.
    let count = intervals.len();
    let window_count = (count / LONG_WINDOW_MOVES).clamp(1, WINDOWS_MAX);
    let length = if count < 2 * LONG_WINDOW_MOVES { count } else { LONG_WINDOW_MOVES };
    // A long sample is read evenly, not only its beginning.
    let stride = if window_count > 1 { (count - length) / (window_count - 1) } else { 0 };
    (0..window_count)
        .filter_map(|index| {
            let range = index * stride..(index * stride + length).min(count);
            let steps = steps.map(|(x, y)| (&x[range.clone()], &y[range.clone()]));
            measure(&intervals[range], steps)
        })
        .collect()
}

/// Measures one window, or `None` with fewer than [`MOTION_GAPS_MIN`] gaps of motion.
pub fn measure(intervals: &[u32], steps: Option<(&[i32], &[i32])>) -> Option<Window> {
    let mut moves: Vec<(usize, f64)> = Vec::with_capacity(intervals.len());
    let (mut clock, mut tick_before) = (0u64, 0u64);
    for (index, interval) in intervals.iter().enumerate() {
        clock += u64::from(*interval);
        let tick = clock / TICK_MICROS;
        let gap = (tick - tick_before) as usize;
        tick_before = tick;
        if index > 0 && gap <= MOTION_GAP_MAX_MILLIS {
            let step = steps.map_or(0.0, |(x, y)| length(f64::from(x[index]), f64::from(y[index])));
            moves.push((gap, step));
        }
    }
    if moves.len() < MOTION_GAPS_MIN {
        return None;
    }
    let mut counts = [0u32; MOTION_GAP_MAX_MILLIS + 2];
    for (gap, _) in &moves {
        counts[*gap] += 1;
    }
    let n = moves.len() as f64;
    // Counted, not compared: each gap that occurred with its count, by rising gap.
    let mut runs: Vec<(usize, u32)> = Vec::with_capacity(moves.len());
    runs.extend((0..).zip(counts).filter(|(_, count)| *count > 0));
    let gap_quantiles = [0.05, 0.25, 0.5, 0.75, 0.95].map(|q| gap_quantile(&runs, q, moves.len()));
    let share = |most: usize| f64::from(counts[..=most].iter().sum::<u32>()) / n;
    let (mode, regular) = mode_of(&counts, moves.iter().map(|(gap, _)| *gap));
    let (fast_mode, fast_regular, fast_late, fast_share) = fast_moves(&moves, steps.is_some());
    let mut out = [0.0; MEASUREMENTS];
    for (slot, gap) in out.iter_mut().zip(gap_quantiles) {
        *slot = (1.0 + gap).ln();
    }
    let burst_rate = share(1);
    out[5] = burst_rate;
    out[6] = share(3);
    let bunches = (0..moves.len()).filter(|at| moves[*at].0 <= 1 && (*at == 0 || moves[at - 1].0 > 1)).count();
    out[7] = bunches as f64 / n;
    out[8] = regular;
    out[9] = (1.0 + mode as f64).ln();
    out[10] = fast_mode;
    out[11] = fast_regular;
    out[12] = fast_late;
    out[13] = fast_share;
    let (variation, autocorrelation) = spread_and_autocorrelation(&moves);
    out[14] = variation;
    out[15] = autocorrelation;
    let step_p95 = steps.map(|_| step_quantile(&moves, 0.95));
    out[16] = step_p95.map_or(NOT_TAKEN, |step| (1.0 + step).ln());
    out[17] = if steps.is_some() { velocity_roughness(&moves) } else { NOT_TAKEN };
    let (longest, alone, regained) = bunch_shapes(&moves, mode);
    out[18] = longest;
    out[19] = alone;
    out[20] = regained;
    let mut phases = [(0.0, 0.0); PERIODS];
    for (gap, count) in &runs {
        let count = f64::from(*count);
        for (sum, phase) in phases.iter_mut().zip(&PHASES[*gap]) {
            sum.0 += count * phase.0;
            sum.1 += count * phase.1;
        }
    }
    for (slot, (sine, cosine)) in out[PHASES_FROM..PHASES_FROM + PERIODS].iter_mut().zip(phases) {
        *slot = length(sine, cosine) / n;
    }
    // What a share may be by chance depends on how many gaps it is of.
    out[SHAPES_FROM - 1] = n.ln();
    out[SHAPES_FROM..].copy_from_slice(&held_shapes(&moves, mode, &runs));
    let gap_millis = [gap_quantiles[0], gap_quantiles[2], gap_quantiles[4]];
    Some(Window { measurements: out, shown: Shown { gap_millis, burst_rate, step_p95 } })
}

/// Length of a step or a resultant. Neither over- nor underflows for pixels and counts, so the plain root will do; it is
/// rounded correctly on every machine.
fn length(x: f64, y: f64) -> f64 {
    (x * x + y * y).sqrt()
}

/// The smallest gap with at least the share `q` of all `total` at or below it, of gaps with counts by rising gap.
fn gap_quantile(runs: &[(usize, u32)], q: f64, total: usize) -> f64 {
    let rank = ((q * total as f64).ceil() as usize).clamp(1, total);
    let mut below = 0;
    for (gap, count) in runs {
        below += *count as usize;
        if below >= rank {
            return *gap as f64;
        }
    }
    0.0
}

/// The commonest of `gaps` (with its two neighbours, since a clock of 1 ms splits one period over them) and its share.
fn mode_of(counts: &[u32; MOTION_GAP_MAX_MILLIS + 2], gaps: impl Iterator<Item = usize>) -> (usize, f64) {
    let (mut best, mut most, mut total) = (0, 0, 0u32);
    for gap in gaps {
        total += 1;
        let around = counts[gap] + counts[gap + 1] + if gap > 0 { counts[gap - 1] } else { 0 };
        if around > most || (around == most && gap < best) {
            (best, most) = (gap, around);
        }
    }
    (best, f64::from(most) / f64::from(total.max(1)))
}

/// Of fast moves: log of the commonest gap, its share, the share far beyond it, and how many moves are fast.
fn fast_moves(moves: &[(usize, f64)], steps_seen: bool) -> (f64, f64, f64, f64) {
    if !steps_seen {
        return (NOT_TAKEN, NOT_TAKEN, NOT_TAKEN, NOT_TAKEN);
    }
    let mut counts = [0u32; MOTION_GAP_MAX_MILLIS + 2];
    // The move before must be fast too: the first move after rest waited for the hand, not for a poll.
    let fast = || {
        let both = |pair: &&[(usize, f64)]| pair[0].1 >= FAST_STEP_PIXELS && pair[1].1 >= FAST_STEP_PIXELS;
        moves.windows(2).filter(both).map(|pair| pair[1].0)
    };
    let mut total = 0;
    for gap in fast() {
        counts[gap] += 1;
        total += 1;
    }
    let fast_share = total as f64 / moves.len() as f64;
    if total < FAST_MOVES_MIN {
        return (NOT_TAKEN, NOT_TAKEN, NOT_TAKEN, fast_share);
    }
    let (mode, regular) = mode_of(&counts, fast());
    let far = (mode + mode / 2 + 2).min(MOTION_GAP_MAX_MILLIS);
    let late = f64::from(counts[far..].iter().sum::<u32>()) / total as f64;
    ((1.0 + mode as f64).ln(), regular, late, fast_share)
}

/// Shapes of bunches: log of the longest run of gaps of at most 1 ms (a stalled machine makes one long run), share of
/// gaps that are short alone (a relay makes many), and share of uneven pairs that together take two usual gaps (what
/// was late was caught up with, so nothing was merged).
fn bunch_shapes(moves: &[(usize, f64)], mode: usize) -> (f64, f64, f64) {
    let (mut longest, mut run, mut alone, mut regained) = (0usize, 0usize, 0usize, 0usize);
    for (at, (gap, _)) in moves.iter().enumerate() {
        run = if *gap <= 1 { run + 1 } else { 0 };
        longest = longest.max(run);
        let before = at.checked_sub(1).map_or(usize::MAX, |before| moves[before].0);
        let after = moves.get(at + 1).map_or(usize::MAX, |after| after.0);
        alone += usize::from(*gap <= 1 && before > 1 && after > 1);
        let uneven = before != usize::MAX && gap.abs_diff(mode) > 2 && before.abs_diff(mode) > 2;
        regained += usize::from(uneven && (gap + before).abs_diff(2 * mode) <= 2);
    }
    let n = moves.len() as f64;
    ((1.0 + longest as f64).ln(), alone as f64 / n, regained as f64 / n)
}

/// What was held up and what was lost: share of bunches that begin after a gap longer than usual (a relay held the first
/// move until the next; a link that carries two looks in one slot does not wait), the same of moves all, regularity at the
/// window's own period (a poll that found nothing leaves a multiple of it; a network does not), and the share of gaps that
/// lie between the multiples.
fn held_shapes(moves: &[(usize, f64)], mode: usize, runs: &[(usize, u32)]) -> [f64; 4] {
    let (mut bunches, mut held) = (0usize, 0usize);
    for pair in moves.windows(2) {
        if pair[1].0 <= 1 && pair[0].0 > 1 {
            bunches += 1;
            held += usize::from(pair[0].0 > mode + mode / 4 + 1);
        }
    }
    let n = moves.len() as f64;
    let rate = if bunches < 2 { NOT_TAKEN } else { held as f64 / bunches as f64 };
    // The commonest gap with its neighbours, to a fraction of a millisecond.
    let (mut sum, mut count) = (0.0, 0.0);
    for (gap, times) in runs {
        if gap.abs_diff(mode) <= 1 {
            sum += *gap as f64 * f64::from(*times);
            count += f64::from(*times);
        }
    }
    let period: f64 = sum / f64::max(count, 1.0);
    if period < 3.0 {
        return [rate, held as f64 / n, NOT_TAKEN, NOT_TAKEN];
    }
    let (mut sine, mut cosine, mut between) = (0.0, 0.0, 0.0);
    for (gap, times) in runs {
        // Beyond some periods an error in the period is all that is seen.
        let turns = *gap as f64 / period;
        if turns > 6.5 {
            continue;
        }
        let (s, c) = (std::f64::consts::TAU * turns).sin_cos();
        sine += s * f64::from(*times);
        cosine += c * f64::from(*times);
        let off = (turns - turns.round()).abs() * period;
        between += if off > 1.5 && *gap > 1 { f64::from(*times) } else { 0.0 };
    }
    [rate, held as f64 / n, length(sine, cosine) / n, between / n]
}

/// Coefficient of variation of gaps and their correlation with the gap before.
fn spread_and_autocorrelation(moves: &[(usize, f64)]) -> (f64, f64) {
    // Gaps are cut at 60 ms: one long pause would be all the variance.
    let gap = |at: usize| (moves[at].0 as f64).min(60.0);
    let n = moves.len() as f64;
    let mean = (0..moves.len()).map(gap).sum::<f64>() / n;
    let variance = (0..moves.len()).map(|at| (gap(at) - mean).powi(2)).sum::<f64>() / n;
    let product = (1..moves.len()).map(|at| (gap(at) - mean) * (gap(at - 1) - mean)).sum::<f64>() / n;
    // Half a square millisecond: what the clock adds to a perfectly even device.
    (variance.sqrt() / mean.max(0.5), product / (variance + 0.5))
}

fn step_quantile(moves: &[(usize, f64)], q: f64) -> f64 {
    let mut steps: Vec<f64> = moves.iter().map(|(_, step)| *step).collect();
    let at = ((steps.len() - 1) as f64 * q) as usize;
    *steps.select_nth_unstable_by(at, f64::total_cmp).1
}

/// Median jump of log speed between successive moves: a hand is smooth, bunched moves are not.
fn velocity_roughness(moves: &[(usize, f64)]) -> f64 {
    let speed = |(gap, step): (usize, f64)| ((step + 0.5) / (gap as f64 + 0.5)).ln();
    let mut jumps: Vec<f64> = Vec::with_capacity(moves.len());
    let mut before = speed(moves[0]);
    for entry in &moves[1..] {
        let now = speed(*entry);
        jumps.push((now - before).abs());
        before = now;
    }
    let middle = jumps.len() / 2;
    *jumps.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_mouse_has_one_gap_and_no_bunches() {
        let intervals: Vec<u32> = (0..50).map(|index| if index == 0 { 0 } else { 8_000 }).collect();
        let Some(window) = measure(&intervals, None) else { panic!("50 moves are enough") };
        assert_eq!(window.shown.gap_millis, [8.0, 8.0, 8.0]);
        assert_eq!(window.shown.burst_rate, 0.0);
        assert_eq!(window.measurements[8], 1.0);
        // Multiples of 8 ms point one way at a period of 8 ms.
        assert!((window.measurements[PHASES_FROM + 1] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn pauses_are_not_gaps_of_motion() {
        let mut intervals = vec![8_000u32; 50];
        intervals[0] = 0;
        let without = measure(&intervals, None);
        intervals.insert(25, 2_000_000);
        assert_eq!(
            without.map(|window| window.shown.gap_millis),
            measure(&intervals, None).map(|window| window.shown.gap_millis)
        );
    }

    #[test]
    fn few_moves_say_nothing() {
        assert_eq!(measure(&[0; 20], None), None);
    }
}
