//! One cadence table, measured: rows of times and of how steady they are, each with the doubt its clock leaves.

use super::lineup::{DWELL_SHIFT_MICROS, PRESS_INTERVAL_SHIFT_MICROS};
use crate::event::CadenceTable;

/// Keys that tables may hold: 26 letters, enter, erase, space.
pub const KEY_COUNT: usize = 29;
/// First cell that holds how steady a key's dwell is: those below are dwells, then press intervals.
pub const STEADINESS_CELL: usize = KEY_COUNT + KEY_COUNT * KEY_COUNT;
/// Fewest presses behind a spread that is heard: the quartiles of fewer are the presses themselves.
const STEADINESS_PRESSES_MIN: u32 = 4;
/// Added to a relative spread before the logarithm: a spread under it is the rounding of tables.
const STEADINESS_SHIFT: f64 = 0.03;
/// Half an interquartile range in standard deviations of a normal variable.
pub const HALF_RANGE: f64 = 0.674_489_750_196_081_7;

/// Position of a usage among the keys of a table; absent for other usages.
pub fn key_index(usage: u32) -> Option<usize> {
    match usage {
        4..=29 => Some(usage as usize - 4),
        40 => Some(26),
        42 => Some(27),
        44 => Some(28),
        _ => None,
    }
}

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// Median dwell of a key, ln(time + shift).
    Dwell,
    /// Median press interval of a digraph, ln(time + shift).
    PressInterval,
    /// ln of the spread of a key's dwell over its median.
    Steadiness,
}

/// The kind of a cell; see [`TableRow::cell`].
pub fn cell_kind(cell: u16) -> CellKind {
    match usize::from(cell) {
        cell if cell < KEY_COUNT => CellKind::Dwell,
        cell if cell < STEADINESS_CELL => CellKind::PressInterval,
        _ => CellKind::Steadiness,
    }
}

/// One row of a table, in the coordinates of the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TableRow {
    /// Key index, [`KEY_COUNT`] + first * [`KEY_COUNT`] + second, or [`STEADINESS_CELL`] + key index.
    pub cell: u16,
    /// ln(time + shift), or for steadiness the logarithm of the relative spread.
    pub log_time: f64,
    /// Presses behind it, as expected of a number that was rounded down to a power of two.
    pub count: f64,
    /// Variance of `log_time` that the clock alone makes.
    pub clock_variance: f64,
    /// Variance of one press in ln, by the row's own spread; absent under [`STEADINESS_PRESSES_MIN`] presses.
    pub own_variance: Option<f64>,
}

/// One table, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct TableObservation {
    /// Presses it was made from.
    pub press_count: u32,
    /// Rows with a time, then the steadiness of keys.
    pub rows: Vec<TableRow>,
}

/// Presses to expect behind a count that was rounded down to a power of two: text gives all counts from one power to
/// the next nearly alike in ln, and the mean of those is 1.4 times the lower end. One is one.
fn expected_count(rounded: u32) -> f64 {
    if rounded <= 1 { 1.0 } else { 1.4 * f64::from(rounded) }
}

impl TableObservation {
    /// Measures a table. Rows without a time (no release seen) are left out.
    pub fn of(table: &CadenceTable) -> Self {
        let step = f64::from(table.timer_resolution_micros);
        let mut rows = Vec::with_capacity(2 * table.keys.len() + table.digraphs.len());
        let mut steadiness = Vec::with_capacity(table.keys.len());
        for row in &table.keys {
            let (Some(key), true) = (key_index(row.usage), row.dwell_median_micros > 0) else { continue };
            let shifted = f64::from(row.dwell_median_micros) + DWELL_SHIFT_MICROS;
            let timed = timed(key, shifted, row.dwell_spread_micros, row.count, step);
            rows.push(timed);
            if row.count >= STEADINESS_PRESSES_MIN {
                steadiness.push(steady(&timed, shifted, row.dwell_spread_micros, step));
            }
        }
        for row in &table.digraphs {
            let (Some(first), Some(second), true) =
                (key_index(row.first_usage), key_index(row.second_usage), row.press_interval_median_micros > 0)
            else {
                continue;
            };
            let shifted = f64::from(row.press_interval_median_micros) + PRESS_INTERVAL_SHIFT_MICROS;
            let cell = KEY_COUNT + first * KEY_COUNT + second;
            rows.push(timed(cell, shifted, row.press_interval_spread_micros, row.count, step));
        }
        rows.extend(steadiness);
        Self { press_count: table.press_count, rows }
    }
}

/// A row of a median time, `shifted` as phrases' times are before the logarithm.
fn timed(cell: usize, shifted: f64, spread_micros: u32, count: u32, step: f64) -> TableRow {
    // Two stamps, each uniform in its step. The median of many lies between steps only as far as they are spread.
    let clock_variance = step * step / 6.0 / (shifted * shifted) / f64::from(count.max(1)).sqrt();
    let deviation = f64::from(spread_micros) / shifted / HALF_RANGE;
    let own_variance = (count >= STEADINESS_PRESSES_MIN).then_some(deviation * deviation);
    let (log_time, count) = (shifted.ln(), expected_count(count));
    TableRow { cell: cell as u16, log_time, count, clock_variance, own_variance }
}

/// The steadiness of a key, the part of its spread that the clock makes taken out.
fn steady(timed: &TableRow, shifted: f64, spread_micros: u32, step: f64) -> TableRow {
    let (spread, clock) = (f64::from(spread_micros) / shifted, HALF_RANGE * step / shifted);
    let own = (spread * spread - clock * clock / 6.0).max(0.0).sqrt();
    TableRow {
        cell: timed.cell + STEADINESS_CELL as u16,
        log_time: (own + STEADINESS_SHIFT).ln(),
        count: timed.count,
        clock_variance: 0.0,
        own_variance: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CadenceTableUnchecked, DigraphTime, KeyTime};
    use crate::evidence::typing::sample::observed;

    fn measured(count: u32, spread: u32, timer_resolution_micros: u32) -> Vec<TableRow> {
        let key = KeyTime { usage: 4, count, dwell_median_micros: 80_000, dwell_spread_micros: spread };
        let digraph = DigraphTime {
            first_usage: 4,
            second_usage: 5,
            count: 1,
            press_interval_median_micros: 170_000,
            press_interval_spread_micros: 0,
        };
        let table = CadenceTableUnchecked {
            press_count: 256,
            keys: vec![key],
            digraphs: vec![digraph],
            timer_resolution_micros,
        };
        observed(None, Some(table)).table.map(|table| table.rows).unwrap_or_default()
    }

    #[test]
    fn a_key_gives_its_dwell_and_its_steadiness_and_a_digraph_its_interval() {
        let rows = measured(16, 10_000, 1_000);
        let cells: Vec<(u16, CellKind)> = rows.iter().map(|row| (row.cell, cell_kind(row.cell))).collect();
        let expected = [(0, CellKind::Dwell), (30, CellKind::PressInterval), (870, CellKind::Steadiness)];
        assert_eq!(cells, expected);
        // (80 + 20) ms, (170 + 30) ms; a spread of 10 in 100 ms, of which a clock of 1 ms makes next to nothing.
        assert!((rows[0].log_time - 100_000f64.ln()).abs() < 1e-12);
        assert!((rows[1].log_time - 200_000f64.ln()).abs() < 1e-12);
        assert!((rows[2].log_time - 0.13f64.ln()).abs() < 1e-3);
        assert_eq!((rows[0].count, rows[1].count), (22.4, 1.0));
    }

    #[test]
    fn a_coarse_clock_is_not_taken_for_an_unsteady_hand() {
        // A clock of 15.6 ms alone makes a deviation of 6.4 ms, half a range of 4.3 ms.
        let steadiness = |spread, step| measured(16, spread, step).last().map(|row| row.log_time);
        assert_eq!(steadiness(4_000, 15_600), Some(STEADINESS_SHIFT.ln()));
        assert!(steadiness(9_000, 15_600) < steadiness(9_000, 1_000));
    }

    #[test]
    fn few_presses_tell_no_steadiness() {
        assert_eq!(measured(2, 10_000, 1_000).len(), 2);
    }
}
