//! How a stretch of typing, or a table of it, moves beside a hand: what tells waits drawn at random from fingers.
//!
//! A hand's intervals have a long tail to the right and none to the left; keys overlap; a dwell goes with the dwells
//! beside it; the next press does not wait for the release. A program that draws a wait and a hold for every key,
//! however jittered, does none of this. A tool that holds every event back at random leaves another mark: a press held
//! back lengthens the interval before it and shortens its own dwell and the interval after. All of it is told from times
//! alone, without classes, on clocks up to 40 ms.
//!
//! A table keeps no order. There a hand shows in that its medians differ between keys and between digraphs by more than
//! their counts allow; a program that does not look at the key gives every row one median but for chance.
//!
//! Worked example. 30 presses at `uniform(60, 160)` ms held `uniform(50, 90)` ms: the slowest interval is 1.4 times the
//! median (a hand's about 4 times), no key overlaps the next, intervals lie evenly about their middle. Together +5 nats.

use crate::event::{CadenceTable, TypingSample};
use crate::evidence::quantile::quantile_of_sorted;
use serde::{Deserialize, Serialize};

/// Fewest presses to judge by: a short login name.
pub const PRESSES_MIN: usize = 8;
/// Presses judged: extremes of longer stretches would have to be weighed by their length.
pub const PRESSES_MAX: usize = 128;
/// Coarsest clock on which fingers can be told from chance, microseconds: two steps of it are a dwell.
pub const CLOCK_MICROS_MAX: u32 = 40_000;
/// Measurements of a stretch.
pub const MEASUREMENTS: usize = 13;
/// Products of two measurements that are weighed beside them.
const PRODUCTS: [(usize, usize); 9] = [(0, 1), (0, 2), (1, 2), (4, 5), (6, 7), (4, 8), (0, 4), (2, 3), (6, 8)];
/// Terms of a stretch: measurements, squares, products; the first two with length as well, measurements with the clock.
pub const TERMS: usize = 2 * (2 * MEASUREMENTS + PRODUCTS.len()) + MEASUREMENTS + 2;
/// Measurements reach no further than this many spreads: a machine may be nine spreads off, and is none the more one.
const REACH: f64 = 4.0;
/// Intervals and dwells are cut at so many medians before they are correlated: a thought is no rhythm.
const CAP_MEDIANS: f64 = 3.0;
/// What softens ratios of times, milliseconds, beside a step of the clock.
const SOFT_MILLIS: f64 = 5.0;

/// One stretch, measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Presses judged.
    pub press_count: u32,
    /// Step of the clock, milliseconds.
    pub step_millis: f64,
    /// In fixed order: spread and skewness of intervals, the slowest and the quickest against the median, the closest
    /// that two keys come, share of overlaps, spread and skewness of dwells, correlations of a dwell with the flight
    /// after it, the interval before it, the interval after it and the dwell after it, and share of flights that are
    /// all alike.
    pub measurements: [f64; MEASUREMENTS],
}

impl Stretch {
    /// Measures the first presses of a sample; absent when it is shuffled, shorter than 8 presses, stamped by a clock
    /// coarser than 40 ms, or fewer than half of its releases were seen.
    ///
    /// `dwells` (the unseen left out) and `intervals` (the first left out) are the whole sample's, sorted, microseconds.
    pub fn of(typing: &TypingSample, dwells: &[f64], intervals: &[f64]) -> Option<Self> {
        let count = typing.press_interval_micros.len().min(PRESSES_MAX);
        if typing.shuffled || count < PRESSES_MIN || typing.timer_resolution_micros > CLOCK_MICROS_MAX {
            return None;
        }
        let (press_intervals, held) = (&typing.press_interval_micros[..count], &typing.dwell_micros[..count]);
        if count == typing.press_interval_micros.len() {
            return Self::of_sorted(press_intervals, held, dwells, intervals, typing.timer_resolution_micros);
        }
        let sorted = |values: &mut dyn Iterator<Item = u32>| {
            let mut values: Vec<u32> = values.collect();
            values.sort_unstable();
            values.into_iter().map(f64::from).collect::<Vec<f64>>()
        };
        let dwells = sorted(&mut held.iter().copied().filter(|dwell| *dwell > 0));
        let intervals = sorted(&mut press_intervals[1..].iter().copied());
        Self::of_sorted(press_intervals, held, &dwells, &intervals, typing.timer_resolution_micros)
    }

    fn of_sorted(
        press_intervals: &[u32],
        held: &[u32],
        dwells: &[f64],
        intervals: &[f64],
        step_micros: u32,
    ) -> Option<Self> {
        let count = press_intervals.len();
        if dwells.len() * 2 < count {
            return None;
        }
        let millis = |micros: u32| f64::from(micros) / 1e3;
        let step = millis(step_micros);
        let soft = SOFT_MILLIS + step;
        let at = |sorted: &[f64], q: f64| quantile_of_sorted(sorted, q) / 1e3;
        let (low, middle, high) = (at(intervals, 0.1), at(intervals, 0.5), at(intervals, 0.9));
        let (short, usual, long) = (at(dwells, 0.1), at(dwells, 0.5), at(dwells, 0.9));
        let ratio = |above: f64, below: f64| ((above + soft) / (below + soft)).ln();
        let mut flights: Vec<i64> = (1..count)
            .filter(|next| held[next - 1] > 0)
            .map(|next| i64::from(press_intervals[next]) - i64::from(held[next - 1]))
            .collect();
        flights.sort_unstable();
        let pairs = flights.len().max(1) as f64;
        let closest = flights.first().copied().unwrap_or(0).max(-200_000) as f64 / 1e3;
        let overlaps = flights.partition_point(|flight| *flight < 0) as f64 / pairs;
        let centre = flights.get(flights.len() / 2).copied().unwrap_or(0);
        let reach = 2_000.max(i64::from(step_micros) / 2);
        let alike = flights.partition_point(|flight| *flight <= centre + reach)
            - flights.partition_point(|flight| *flight < centre - reach);
        let interval = |at: usize| millis(press_intervals[at]).min(CAP_MEDIANS * middle + 1.0);
        let dwell = |at: usize| millis(held[at]).min(CAP_MEDIANS * usual + 1.0);
        let mut sums = [Sums::default(); 4];
        for at in 0..count {
            if held[at] == 0 {
                continue;
            }
            if at > 0 {
                sums[1].add(dwell(at), interval(at));
            }
            if at + 1 < count {
                sums[0].add(dwell(at), interval(at + 1) - dwell(at));
                sums[2].add(dwell(at), interval(at + 1));
                if held[at + 1] > 0 {
                    sums[3].add(dwell(at), dwell(at + 1));
                }
            }
        }
        Some(Self {
            press_count: count as u32,
            step_millis: step,
            measurements: [
                ratio(high, low),
                ratio(high - middle, middle - low),
                ratio(at(intervals, 1.0), middle),
                ratio(middle, at(intervals, 0.0)),
                closest / (middle + soft),
                overlaps,
                ratio(long, short),
                ratio(long - usual, usual - short),
                sums[0].correlation(),
                sums[1].correlation(),
                sums[2].correlation(),
                sums[3].correlation(),
                alike as f64 / pairs,
            ],
        })
    }

    /// What is weighed: the measurements in spreads about their centres, and what length and clock make of them.
    pub fn terms(&self, centres: &[f64], spreads: &[f64]) -> [f64; TERMS] {
        let mut near = [0.0; MEASUREMENTS];
        for (at, near) in near.iter_mut().enumerate() {
            *near = ((self.measurements[at] - centres[at]) / spreads[at]).clamp(-REACH, REACH);
        }
        let length = (f64::from(self.press_count) / 30.0).ln();
        let clock = (1.0 + self.step_millis).ln();
        let mut terms = [0.0; TERMS];
        let mut next = 0;
        let mut push = |term: f64| {
            terms[next] = term;
            next += 1;
        };
        for near in near {
            push(near);
            push(near * length);
            push(near * clock);
            push(near * near);
            push(near * near * length);
        }
        for (first, second) in PRODUCTS {
            push(near[first] * near[second]);
            push(near[first] * near[second] * length);
        }
        push(length);
        push(clock);
        terms
    }
}

/// Sums behind one correlation.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Sums {
    fn add(&mut self, x: f64, y: f64) {
        self.count += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.yy += y * y;
        self.xy += x * y;
    }

    /// Pearson's; 0 where either side does not vary or fewer than four pairs were seen.
    fn correlation(&self) -> f64 {
        let x = self.xx - self.x * self.x / self.count.max(1.0);
        let y = self.yy - self.y * self.y / self.count.max(1.0);
        // Rounding leaves a constant column a variance of about 1e-10.
        if self.count < 4.0 || x < 1e-6 || y < 1e-6 {
            return 0.0;
        }
        ((self.xy - self.x * self.y / self.count) / (x * y).sqrt()).clamp(-1.0, 1.0)
    }
}

/// Fewest rows of a table, each of as many presses, that can be told to be alike.
const ROWS_MIN: usize = 4;
const ROW_PRESSES_MIN: u32 = 4;
/// Measurements of a table.
pub const TABLE_MEASUREMENTS: usize = 4;
/// Terms of a table: measurements and their squares.
pub const TABLE_TERMS: usize = 2 * TABLE_MEASUREMENTS;

/// One table, measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Table {
    /// In fixed order: how far medians of dwells and of intervals differ between rows against what their counts allow,
    /// ln; and the usual spread within a row against its median, of dwells and of intervals, ln.
    pub measurements: [f64; TABLE_MEASUREMENTS],
}

impl Table {
    /// Measures a table; absent under four keys and four digraphs of four presses each, or on a clock coarser than 40 ms.
    pub fn of(table: &CadenceTable) -> Option<Self> {
        if table.timer_resolution_micros > CLOCK_MICROS_MAX {
            return None;
        }
        let step = f64::from(table.timer_resolution_micros);
        let keys = table.keys.iter().map(|row| (row.count, row.dwell_median_micros, row.dwell_spread_micros));
        let digraphs = table
            .digraphs
            .iter()
            .map(|row| (row.count, row.press_interval_median_micros, row.press_interval_spread_micros));
        let (dwells, dwell_spread) = differing(keys, step)?;
        let (intervals, interval_spread) = differing(digraphs, step)?;
        Some(Self { measurements: [dwells, intervals, dwell_spread, interval_spread] })
    }

    /// What is weighed.
    pub fn terms(&self, centres: &[f64], spreads: &[f64]) -> [f64; TABLE_TERMS] {
        let mut terms = [0.0; TABLE_TERMS];
        for at in 0..TABLE_MEASUREMENTS {
            let near = ((self.measurements[at] - centres[at]) / spreads[at]).clamp(-REACH, REACH);
            terms[at] = near;
            terms[TABLE_MEASUREMENTS + at] = near * near;
        }
        terms
    }
}

/// How far medians of rows (count, median, half interquartile range) differ against what their counts allow, and the
/// usual spread within a row against the median; both ln. Cochran's heterogeneity with the variance of a median.
fn differing(rows: impl Iterator<Item = (u32, u32, u32)>, step: f64) -> Option<(f64, f64)> {
    let rows: Vec<(f64, f64, f64)> = rows
        .filter(|(count, median, _)| *count >= ROW_PRESSES_MIN && *median > 0)
        .map(|(count, median, spread)| (f64::from(count), f64::from(median), f64::from(spread)))
        .collect();
    if rows.len() < ROWS_MIN {
        return None;
    }
    let middle_of = |part: fn(&(f64, f64, f64)) -> f64| {
        let mut parts: Vec<f64> = rows.iter().map(part).collect();
        parts.sort_unstable_by(f64::total_cmp);
        quantile_of_sorted(&parts, 0.5)
    };
    let (median, spread) = (middle_of(|row| row.1), middle_of(|row| row.2));
    // Half an interquartile range is .674 of a standard deviation; a step of the clock and the wire's 500 us add theirs.
    let deviation_squared = (spread / 0.674).powi(2) + (step * step + 500.0 * 500.0) / 6.0;
    let weight: f64 = rows.iter().map(|row| row.0).sum();
    let mean = rows.iter().map(|row| row.0 * row.1).sum::<f64>() / weight;
    let scatter: f64 = rows.iter().map(|row| row.0 * (row.1 - mean).powi(2)).sum();
    let expected = (rows.len() - 1) as f64 * std::f64::consts::FRAC_PI_2 * deviation_squared;
    let floor = SOFT_MILLIS * 1e3;
    Some(((0.05 + scatter / expected).ln(), ((spread + 500.0) / (median + floor)).ln()))
}

/// Length and clock at which the limits of a stretch are fitted, presses and milliseconds.
pub const LIMIT_PRESSES: [f64; 7] = [8.0, 11.0, 16.0, 30.0, 50.0, 80.0, 128.0];
/// See [`LIMIT_PRESSES`].
pub const LIMIT_CLOCKS_MILLIS: [f64; 3] = [1.0, 15.6, 33.0];

/// A weighing of stretches against a hand's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Likeness {
    /// Weight of each term, then the intercept: a log-likelihood ratio, nats.
    pub weights: Vec<f64>,
    /// Ratio that a hand hardly ever passes, nats, by clock and by length; see [`LIMIT_PRESSES`].
    pub limits: Vec<Vec<f64>>,
}

impl Likeness {
    fn check(&self) -> bool {
        self.weights.len() == TERMS + 1
            && self.limits.len() == LIMIT_CLOCKS_MILLIS.len()
            && self.limits.iter().all(|limits| limits.len() == LIMIT_PRESSES.len())
            && self.weights.iter().chain(self.limits.iter().flatten()).all(|value| value.is_finite())
    }

    /// The ratio of these terms, nats.
    pub fn ratio(&self, terms: &[f64; TERMS]) -> f64 {
        weighed(&self.weights, terms)
    }

    /// The limit at a length and a clock: linear in the logarithm of the one and in steps of the other.
    pub fn limit(&self, stretch: &Stretch) -> f64 {
        let presses = f64::from(stretch.press_count).ln();
        let at_clock = |limits: &Vec<f64>| between(&LIMIT_PRESSES.map(f64::ln), limits, presses);
        let by_clock: Vec<f64> = self.limits.iter().map(at_clock).collect();
        between(&LIMIT_CLOCKS_MILLIS, &by_clock, stretch.step_millis)
    }
}

/// Weights on terms, the last weight alone.
fn weighed(weights: &[f64], terms: &[f64]) -> f64 {
    let intercept = weights.last().copied().unwrap_or(0.0);
    weights.iter().zip(terms).fold(intercept, |sum, (weight, term)| sum + weight * term)
}

/// Linear between knots, level beyond them.
fn between(knots: &[f64], values: &[f64], at: f64) -> f64 {
    let above = knots.partition_point(|knot| *knot <= at);
    match (above.checked_sub(1), values.get(above)) {
        (None, _) => values.first().copied().unwrap_or(f64::INFINITY),
        (Some(below), None) => values.get(below).copied().unwrap_or(f64::INFINITY),
        (Some(below), Some(next)) => {
            let share = (at - knots[below]) / (knots[above] - knots[below]);
            values[below] + share * (next - values[below])
        }
    }
}

/// Fitted numbers of likeness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LikenessParameters {
    /// Centre of each measurement of a stretch.
    pub centres: Vec<f64>,
    /// Spread of each.
    pub spreads: Vec<f64>,
    /// Waits and holds drawn at random, against a hand.
    pub drawn: Likeness,
    /// A hand behind random delays, against a hand.
    pub delayed: Likeness,
    /// Centre and spread of each measurement of a table.
    pub table_centres: Vec<f64>,
    /// See `table_centres`.
    pub table_spreads: Vec<f64>,
    /// Weight of each term of a table, then the intercept.
    pub table_weights: Vec<f64>,
    /// Ratio of a table that no hand's passes, nats.
    pub table_limit: f64,
}

impl LikenessParameters {
    /// Checks lengths, and that spreads are positive.
    pub(super) fn check(&self) -> Result<(), String> {
        let lengths = [&self.centres, &self.spreads].iter().all(|values| values.len() == MEASUREMENTS)
            && [&self.table_centres, &self.table_spreads].iter().all(|values| values.len() == TABLE_MEASUREMENTS)
            && self.table_weights.len() == TABLE_TERMS + 1;
        let spreads = self.spreads.iter().chain(&self.table_spreads).all(|spread| *spread > 0.0);
        if !lengths || !spreads || !self.drawn.check() || !self.delayed.check() || !self.table_limit.is_finite() {
            return Err("typing.synthetic.likeness is not as long as the code expects, or out of range".into());
        }
        Ok(())
    }

    /// The ratio of a table, nats, positive = drawn without looking at the key.
    pub fn table_ratio(&self, table: &Table) -> f64 {
        weighed(&self.table_weights, &table.terms(&self.table_centres, &self.table_spreads))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{DigraphTime, KeyTime};

    #[test]
    fn knots_are_joined_by_lines_and_continued_level() {
        let at = |at| between(&[1.0, 3.0], &[10.0, 20.0], at);
        assert_eq!([at(0.0), at(1.0), at(2.0), at(3.0), at(9.0)], [10.0, 10.0, 15.0, 20.0, 20.0]);
    }

    #[test]
    fn a_correlation_of_lines_is_one_and_of_constants_none() {
        let (mut line, mut level) = (Sums::default(), Sums::default());
        for at in 0..10 {
            line.add(f64::from(at), 5.0 - 2.0 * f64::from(at));
            level.add(70.1, f64::from(at));
        }
        assert!((line.correlation() + 1.0).abs() < 1e-12);
        assert_eq!(level.correlation(), 0.0);
    }

    #[test]
    fn rows_of_one_median_differ_by_less_than_chance_and_a_hands_by_more() {
        let measured = |step: u32| {
            let keys = (0..8).map(|at| KeyTime {
                usage: 4 + at,
                count: 16,
                dwell_median_micros: 80_000 + at * step,
                dwell_spread_micros: 10_000,
            });
            let digraphs = (0..8).map(|at| DigraphTime {
                first_usage: 4,
                second_usage: 4 + at,
                count: 8,
                press_interval_median_micros: 150_000 + at * 3 * step,
                press_interval_spread_micros: 30_000,
            });
            let (keys, digraphs) = (keys.collect(), digraphs.collect());
            Table::of(&CadenceTable { press_count: 400, keys, digraphs, timer_resolution_micros: 1_000 })
        };
        let (machine, hand) = (measured(100).unwrap(), measured(6_000).unwrap());
        assert!(machine.measurements[0] < -2.0 && machine.measurements[1] < -2.0, "{machine:?}");
        assert!(hand.measurements[0] > 0.5 && hand.measurements[1] > 0.5, "{hand:?}");
    }
}
