//! How the gaps between moves go with their steps: what was sampled late, delivered late, or merged.
//!
//! A hand's speed is smooth, so a move's step should be its gap times the speed of its neighbours. A sensor that looks
//! late keeps to that; a delivery held up does not (the gap grows, the step stays); two moves merged at an even pace
//! break it the other way (the step doubles, the gap stays). Only three moves in a row are compared, so neither speed
//! nor device matters.
//!
//! Worked example: gaps 8 8 8 with steps 7 15 7 are a merged pair: gap wobble 0, step wobble (30 - 14) / 44 = .36; gaps
//! 8 16 8 with steps 7 15 7 are one look of the sensor missed: gap wobble .33, step wobble .36, their slope 1.1.

use super::pointer::NOT_TAKEN;

/// Measurements taken here.
pub const COUPLINGS: usize = 10;
/// Steps of three moves in a row, added, from which their speed is known well enough, pixels.
const SPEED_PIXELS: f64 = 7.0;
/// Fewest such threes for statistics of them.
const THREES_MIN: usize = 6;
/// Step beside its neighbours' mean from which it holds two moves, and below which it is what was left of one.
const MERGED_RATIO: f64 = 1.5;
/// Longest gap that may be a stall, milliseconds: a hand lifts a mouse or turns a ball anew in longer ones.
const STALL_MAX_MILLIS: usize = 100;
/// Gaps are cut here, milliseconds: one pause would be all the variance.
const GAP_CUT_MILLIS: f64 = 60.0;

/// Measures gaps (milliseconds) with steps (pixels) of one window, `mode` being its commonest gap.
///
/// In order: gap wobble, step wobble, slope of steps on gaps, share of merged steps at an even pace, mean distance of
/// gaps from multiples of the mode (log milliseconds), correlation of that with the one before, deepest stall in fast
/// motion (log of its ratio to the mode), that stall's step beside its neighbours', correlation of gap and step, share of
/// threes that were fast. What needs fast motion or steps and has none is [`NOT_TAKEN`].
pub fn couplings(moves: &[(usize, f64)], mode: usize, steps_seen: bool) -> [f64; COUPLINGS] {
    let mut out = [NOT_TAKEN; COUPLINGS];
    (out[4], out[5]) = grid_distance(moves, mode);
    if !steps_seen {
        return out;
    }
    out[8] = correlation(moves);
    let (mut gaps, mut steps, mut both, mut count) = (0.0, 0.0, 0.0, 0usize);
    let (mut even, mut merged) = (0usize, 0usize);
    let (mut deepest, mut beside) = (0usize, 0.0);
    for three in moves.windows(3) {
        let (before, here, after) = (three[0], three[1], three[2]);
        if before.1 + here.1 + after.1 < SPEED_PIXELS {
            continue;
        }
        count += 1;
        let contrast = |here: f64, around: f64| (2.0 * here - around) / (2.0 * here + around + 1.0);
        let around = before.1 + after.1;
        let gap = contrast(here.0 as f64, (before.0 + after.0) as f64);
        let step = contrast(here.1, around);
        gaps += gap * gap;
        steps += step * step;
        both += gap * step;
        let near = |entry: (usize, f64)| entry.0.abs_diff(mode) <= 1;
        if near(before) && near(here) && near(after) {
            even += 1;
            let ratio = (2.0 * here.1 + 0.5) / (around + 0.5);
            merged += usize::from(ratio > MERGED_RATIO || ratio < 1.0 / MERGED_RATIO);
        }
        if here.0 > deepest && here.0 <= STALL_MAX_MILLIS && before.1 >= 2.0 && after.1 >= 2.0 {
            (deepest, beside) = (here.0, (2.0 * here.1 + 0.5) / (around + 0.5));
        }
    }
    out[9] = count as f64 / moves.len() as f64;
    if count < THREES_MIN {
        return out;
    }
    let n = count as f64;
    out[0] = (gaps / n).sqrt();
    out[1] = (steps / n).sqrt();
    out[2] = both / (gaps + 0.01 * n);
    if even >= THREES_MIN {
        out[3] = merged as f64 / even as f64;
    }
    out[6] = ((1.0 + deepest as f64) / (1.0 + mode as f64)).ln();
    out[7] = beside.min(8.0);
    out
}

/// Mean distance of gaps from multiples of the commonest, as log milliseconds, and how it goes with the one before: a
/// delivery held up makes one gap longer and the next one shorter by the same.
fn grid_distance(moves: &[(usize, f64)], mode: usize) -> (f64, f64) {
    if mode < 3 {
        return (NOT_TAKEN, NOT_TAKEN);
    }
    // The mean of gaps within a tick of the mode says the period finer than the clock does.
    let (mut sum, mut count) = (0usize, 0usize);
    for (gap, _) in moves.iter().filter(|(gap, _)| gap.abs_diff(mode) <= 1) {
        sum += gap;
        count += 1;
    }
    let period = sum as f64 / count.max(1) as f64;
    let (mut total, mut square, mut product, mut before) = (0.0, 0.0, 0.0, 0.0);
    let mut n = 0.0;
    for (gap, _) in moves.iter().filter(|(gap, _)| (*gap as f64) < 4.5 * period) {
        let gap = *gap as f64;
        let away = gap - (gap / period).round().max(1.0) * period;
        total += away.abs();
        square += away * away;
        product += away * before;
        before = away;
        n += 1.0;
    }
    let n = f64::max(n, 1.0);
    // A quarter of a square millisecond: what the clock alone adds.
    ((1.0 + total / n).ln(), product / (square + 0.25 * n))
}

fn correlation(moves: &[(usize, f64)]) -> f64 {
    let (mut x, mut y, mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (gap, step) in moves {
        let gap = (*gap as f64).min(GAP_CUT_MILLIS);
        x += gap;
        y += step;
        xx += gap * gap;
        yy += step * step;
        xy += gap * step;
    }
    let n = moves.len() as f64;
    let (vx, vy) = (xx - x * x / n, yy - y * y / n);
    (xy - x * y / n) / (vx.max(0.5 * n) * vy.max(0.5 * n)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merged_pair_moves_the_step_and_a_missed_look_moves_both() {
        let merged: Vec<(usize, f64)> = (0..30).map(|at| (8, if at % 3 == 1 { 15.0 } else { 7.0 })).collect();
        let found = couplings(&merged, 8, true);
        assert_eq!(found[0], 0.0);
        assert!(found[1] > 0.2 && found[3] > 0.25, "{found:?}");
        let missed: Vec<(usize, f64)> = (0..30).map(|at| if at % 3 == 1 { (16, 15.0) } else { (8, 7.0) }).collect();
        let found = couplings(&missed, 8, true);
        assert!(found[2] > 0.9 && found[8] > 0.99, "{found:?}");
        let held: Vec<(usize, f64)> = (0..30).map(|at| ([8, 14, 2][at % 3], 7.0)).collect();
        let found = couplings(&held, 8, true);
        assert!(found[2].abs() < 0.1 && found[4] > 1.0 && found[5] < 0.0, "{found:?}");
    }

    #[test]
    fn gaps_alone_say_nothing_of_steps() {
        let found = couplings(&[(8, 0.0); 30], 8, false);
        assert_eq!((found[0], found[4]), (NOT_TAKEN, 0.0));
    }
}
