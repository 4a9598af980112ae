//! Cadence tables: a factor model of many keys and digraphs, and what of each is a person's own beyond the factors.
//!
//! A table gives a median dwell for some of 29 keys and a median press interval for some digraphs. All people share a
//! few factors (speed, hold, the lag of a hand, ...): the table's place among them is the posterior mean given what is
//! there, so that missing rows are simply not heard. What the factors leave is partly the person's (this key, always a
//! little late) and partly the table's. Two tables are then compared twice over by one formula, `PairSum`: in the
//! coordinates of the factors, and cell by cell in what they leave.
//!
//! Worked example. Of a cell's remainder people's own share has variance .01, and a table of so many presses adds .01.
//! Worker and table both stand at .15: one typist would have made both with covariance .01, two typists without. The
//! ratio is ln(.02^2 / (.02^2 - .01^2)) / 2 + .15^2 (1 / .02 - 1 / .03) = .144 + .375 = .52 nats for one typist. A table
//! at -.15 would be .144 - 1.125 = -.98.

pub use super::table_place::Prepared;
use super::table_population::Places;
pub use super::table_population::{COORDINATES_MAX, Population, TableBackground, TablePool, TableShare};
pub use super::table_profile::{SLOT_STEP, TableProfile, TableScore, Varied};
pub use super::table_sample::{
    CellKind, HALF_RANGE, KEY_COUNT, STEADINESS_CELL, TableObservation, TableRow, cell_kind, key_index,
};
use serde::{Deserialize, Serialize};

/// Presses of the tables that the spreads were fitted on.
pub const PRESSES_NOMINAL: f64 = 250.0;
/// Share of a person's variation between tables that more presses do not take away: the day, the text, the chair.
const DAY_SHARE: f64 = 0.5;
/// Deviation, in standard deviations, to which a row is pulled in before it places the table among the factors.
pub(super) const ROW_CLIP: f64 = 4.0;
/// Deviation, in ln, to which what the factors leave of a row is pulled in.
pub const REMAINDER_CLIP: f64 = 0.5;
/// Rows' worth of the population's variance of a press that a table's own spreads are weighed against.
pub(super) const OWN_VARIANCE_PRIOR: f64 = 5.0;
/// Bounds of a table's own variance of a press, in the population's.
pub(super) const OWN_VARIANCE_RANGE: (f64, f64) = (0.2, 5.0);
/// Changes when stored numbers change their meaning under equal parameters, so that older profiles start anew.
const FORMAT: u32 = 0x0002_0000;

/// One cell of the factor model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableCell {
    /// Which cell; see [`TableRow::cell`].
    pub cell: u16,
    /// Mean over people, ln.
    pub mean: f64,
    /// Variance that no factor explains and no count takes away.
    pub specific_variance: f64,
    /// Variance of one press; over the count it is the variance of a median.
    pub press_variance: f64,
    /// Of what the factors leave: variance between people. 0 in models fitted before it was looked at.
    #[serde(default)]
    pub person_variance: f64,
    /// Of what the factors leave: variance between one person's tables that no count takes away.
    #[serde(default = "table_variance_default")]
    pub table_variance: f64,
    /// Loading on each factor.
    pub loadings: Vec<f64>,
}

fn table_variance_default() -> f64 {
    0.01
}

/// How ratios become log-likelihood ratios that can be believed, whichever people, clocks and lengths they are of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TableCalibration {
    /// Nats per nat of the ratio.
    pub slope: f64,
    /// Nats at a ratio of 0.
    pub intercept: f64,
    /// Share of a worker's own tables that look like anybody's, (0, 1): no table says more against than its inverse.
    pub unlike_rate: f64,
    /// Share of strangers' tables that look like the worker's, (0, 1): no table says more in favour than its inverse.
    pub alike_rate: f64,
    /// What a population that is the tenant's own adds to ln of the slope and to the intercept, times its share. 0 in
    /// models fitted before tenants had one.
    #[serde(default)]
    pub tenant: [f64; 2],
}

impl Default for TableCalibration {
    /// Cautious numbers, for a model fitted before calibration had this shape.
    fn default() -> Self {
        Self { slope: 0.3, intercept: 0.0, unlike_rate: 0.05, alike_rate: 0.02, tenant: [0.0; 2] }
    }
}

impl TableCalibration {
    /// The calibrated log-likelihood ratio, nats, positive = not this worker, of an uncalibrated one of the other sign;
    /// `tenant_share` says how far the population was the tenant's own.
    pub fn of(&self, ratio: f64, tenant_share: f64) -> f64 {
        let slope = self.slope * (tenant_share * self.tenant[0]).exp();
        let odds = (self.intercept + tenant_share * self.tenant[1] - slope * ratio).clamp(-50.0, 50.0).exp();
        let stranger = self.alike_rate + (1.0 - self.alike_rate) * odds;
        let worker = (1.0 - self.unlike_rate) + self.unlike_rate * odds;
        (stranger / worker).ln()
    }

    fn check(&self) -> Result<(), String> {
        let rates = [self.unlike_rate, self.alike_rate];
        let sound = self.slope > 0.0
            && self.slope.is_finite()
            && self.intercept.is_finite()
            && self.tenant.iter().all(|number| number.is_finite())
            && rates.iter().all(|rate| (f64::MIN_POSITIVE..1.0).contains(rate));
        if sound { Ok(()) } else { Err(format!("typing.table.ratio_calibration is out of range: {self:?}")) }
    }
}

/// Mean of the people a tenant has, in the coordinates of profiles: a refit moves it without touching a profile.
/// Whatever is missing is 0, everybody's mean.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TablePopulation {
    /// Mean of the coordinates, in a person's own variation.
    pub coordinates: Vec<f64>,
    /// Mean of the remainders per slot, ln.
    pub remainders: Vec<f64>,
}

impl TablePopulation {
    /// Mean of one coordinate.
    pub fn coordinate(&self, index: usize) -> f64 {
        self.coordinates.get(index).copied().unwrap_or(0.0)
    }

    /// Mean of one slot's remainder.
    pub fn remainder(&self, slot: usize) -> f64 {
        self.remainders.get(slot).copied().unwrap_or(0.0)
    }
}

/// Fitted numbers of tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableParameters {
    /// Names the coordinates that profiles are kept in; a profile of another basis starts anew.
    pub basis: u32,
    /// Cells in rising order of `cell`.
    pub cells: Vec<TableCell>,
    /// Positions in `cells`, rising, of the cells that profiles keep one by one; at most [`SLOTS_MAX`].
    pub slots: Vec<u16>,
    /// Mean of the factors over people.
    pub centre: Vec<f64>,
    /// Rows of the matrix that takes factors to coordinates in which a person's own variation is 1 and independent.
    pub projection: Vec<Vec<f64>>,
    /// Variance between people per coordinate, falling.
    pub between_variance: Vec<f64>,
    /// Where the people of a tenant stand among everybody; nobody in particular by default.
    #[serde(default)]
    pub population: TablePopulation,
    /// Calibration of [`TableScore::ratio`].
    #[serde(default)]
    pub ratio_calibration: TableCalibration,
    /// Log-likelihood ratio above which a table is not learned from.
    pub gate: f64,
    /// Worked out once for placing tables, and no part of the model.
    #[serde(skip)]
    pub prepared: Prepared,
}

/// Cells that a profile keeps one by one: two bytes each, 320 of the 768 that typing may take.
pub const SLOTS_MAX: usize = 160;

/// A row of a table that the model knows.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// Position in [`TableParameters::cells`].
    pub index: usize,
    /// The row's value, ln.
    pub value: f64,
    /// Variance that presses and clock make.
    pub noise: f64,
}

/// A table's place among people.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Which parameters placed it; see [`TableProfile::basis`].
    pub basis: u32,
    /// Coordinates in which a person's own variation is 1, by [`TableParameters::projection`].
    pub coordinates: Vec<f64>,
    /// Per slot that was heard: its position, what the factors leave of the row (ln), and the variance of that.
    pub remainders: Vec<(usize, f64, f64)>,
    /// Rows that the model knows.
    pub row_count: u32,
}

/// Sums over coordinates of how well two means fit one typist and how well two.
///
/// Of one coordinate `mine` and `theirs` are the variances of the means about their typist's own, `between` that of
/// typists about 0. One typist: the means have covariance `between`. Two: none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PairSum {
    /// Product of the determinants' ratios, taken to logarithms before it grows too large.
    product: f64,
    logarithms: f64,
    /// Squared distances from 0 by the covariance of one typist, and of two.
    together: f64,
    apart: f64,
    count: f64,
}

impl PairSum {
    pub(super) fn new() -> Self {
        Self { product: 1.0, logarithms: 0.0, together: 0.0, apart: 0.0, count: 0.0 }
    }

    pub(super) fn add(&mut self, a: f64, b: f64, mine: f64, theirs: f64, between: f64) {
        let (first, second) = (between + mine, between + theirs);
        let both = first * second;
        let determinant = both - between * between;
        let (inverse, alone) = (1.0 / determinant, 1.0 / both);
        self.product *= both * inverse;
        if self.product > 1e100 {
            self.logarithms += self.product.ln();
            self.product = 1.0;
        }
        let (a_spread, b_spread) = (a * a * second, b * b * first);
        self.together += (a_spread - 2.0 * a * b * between + b_spread) * inverse;
        self.apart += (a_spread + b_spread) * alone;
        self.count += 1.0;
    }

    /// Adds coordinates that go together.
    pub(super) fn add_places(&mut self, places: &Places, coordinates: usize) {
        self.logarithms += places.logarithms;
        self.together += places.together;
        self.apart += places.apart;
        self.count += coordinates as f64;
    }

    /// Log-likelihood ratio, nats, positive = one typist, of a Student distribution with `freedom` degrees: all
    /// coordinates of a pair share one unknown scale, so that a bad day in many of them is one bad day.
    pub(super) fn ratio(&self, freedom: f64) -> f64 {
        let closer = ((1.0 + self.apart / freedom) / (1.0 + self.together / freedom)).ln();
        0.5 * (self.logarithms + self.product.ln()) + 0.5 * (freedom + 2.0 * self.count) * closer
    }
}

/// Solves `matrix * x = right` for a symmetric positive definite matrix held row by row; the matrix is overwritten.
pub fn solve_positive(matrix: &mut [f64], right: &mut [f64]) {
    let n = right.len();
    for column in 0..n {
        for row in column..n {
            let mut sum = matrix[row * n + column];
            for k in 0..column {
                sum -= matrix[row * n + k] * matrix[column * n + k];
            }
            matrix[row * n + column] =
                if row == column { sum.max(1e-12).sqrt() } else { sum / matrix[column * n + column] };
        }
    }
    for row in 0..n {
        let mut sum = right[row];
        for k in 0..row {
            sum -= matrix[row * n + k] * right[k];
        }
        right[row] = sum / matrix[row * n + row];
    }
    for row in (0..n).rev() {
        let mut sum = right[row];
        for k in row + 1..n {
            sum -= matrix[k * n + row] * right[k];
        }
        right[row] = sum / matrix[row * n + row];
    }
}

impl TableParameters {
    /// Checks lengths, order, finiteness and positive variances.
    pub(super) fn check(&self) -> Result<(), String> {
        let rank = self.centre.len();
        if rank == 0
            || rank > COORDINATES_MAX
            || self.between_variance.len() > COORDINATES_MAX
            || self.projection.len() != self.between_variance.len()
            || self.projection.iter().any(|row| row.len() != rank)
        {
            return Err("typing.table.projection does not fit its factors".into());
        }
        self.ratio_calibration.check()?;
        if !self.cells.windows(2).all(|pair| pair[0].cell < pair[1].cell)
            || !self.slots.windows(2).all(|pair| pair[0] < pair[1])
        {
            return Err("typing.table.cells or slots do not rise".into());
        }
        if self.slots.len() > SLOTS_MAX || self.slots.last().is_some_and(|slot| usize::from(*slot) >= self.cells.len())
        {
            return Err("typing.table.slots point beyond the cells".into());
        }
        for cell in &self.cells {
            let sound = cell.mean.is_finite()
                && [cell.specific_variance, cell.press_variance, cell.table_variance]
                    .iter()
                    .all(|variance| *variance > 0.0 && variance.is_finite())
                && (0.0..f64::INFINITY).contains(&cell.person_variance)
                && cell.loadings.len() == rank
                && cell.loadings.iter().all(|loading| loading.is_finite());
            if !sound {
                return Err(format!("typing.table.cells: cell {} is out of range", cell.cell));
            }
        }
        let population = self.population.coordinates.iter().chain(&self.population.remainders);
        let numbers = self.centre.iter().chain(self.projection.iter().flatten()).chain(population).chain([&self.gate]);
        if !numbers.into_iter().all(|number| number.is_finite())
            || !self.between_variance.iter().all(|value| *value > 0.0)
        {
            return Err("typing.table holds a number that is not finite or a variance that is not positive".into());
        }
        Ok(())
    }

    /// Names what profiles of these parameters hold.
    pub fn profile_basis(&self) -> u32 {
        self.basis ^ FORMAT
    }

    /// Posterior mean of the factors given the rows, for fits, which move the cells between two tables; see
    /// [`Self::place`].
    pub fn factors(&self, heard: &[Heard]) -> Vec<f64> {
        let rank = self.centre.len();
        let mut precision = vec![0.0; rank * rank];
        let mut right = vec![0.0; rank];
        for row in heard {
            let cell = &self.cells[row.index];
            let variance = cell.specific_variance + row.noise;
            let explained: f64 = cell.loadings.iter().map(|loading| loading * loading).sum();
            let limit = ROW_CLIP * (variance + explained).sqrt();
            let deviation = (row.value - cell.mean).clamp(-limit, limit);
            let weight = 1.0 / variance;
            let rows = precision.chunks_exact_mut(rank).zip(right.iter_mut());
            for ((sums, sum), loading) in rows.zip(&cell.loadings) {
                let weighted = loading * weight;
                *sum += weighted * deviation;
                // The whole row: half of it would not be needed, but a fixed length runs in wide registers.
                sums.iter_mut().zip(&cell.loadings).for_each(|(sum, other)| *sum += weighted * other);
            }
        }
        for i in 0..rank {
            precision[i * rank + i] += 1.0;
        }
        solve_positive(&mut precision, &mut right);
        right
    }

    /// What the factors leave of a row, ln, pulled in to [`REMAINDER_CLIP`].
    pub fn remainder(&self, row: &Heard, factors: &[f64]) -> f64 {
        let cell = &self.cells[row.index];
        let explained: f64 = cell.loadings.iter().zip(factors).map(|(loading, factor)| loading * factor).sum();
        (row.value - cell.mean - explained).clamp(-REMAINDER_CLIP, REMAINDER_CLIP)
    }

    /// The cell that a slot keeps; `slot` must be below the number of slots.
    pub fn slot_cell(&self, slot: usize) -> &TableCell {
        &self.cells[usize::from(self.slots[slot])]
    }

    /// The calibrated log-likelihood ratio, nats: positive = not this worker.
    pub fn calibrated(&self, score: &TableScore) -> f64 {
        self.ratio_calibration.of(score.ratio(), score.tenant_share)
    }
}

/// A person's own variance in tables of `presses`, nominal tables having 1.
pub fn own_variance(presses: f64) -> f64 {
    DAY_SHARE + (1.0 - DAY_SHARE) * PRESSES_NOMINAL / presses.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::typing::sample::parameters;

    #[test]
    fn a_positive_system_is_solved() {
        // [4 2; 2 3] x = [8; 7]: x = [1.25, 1.5]. Only the lower half is read.
        let (mut matrix, mut right) = (vec![4.0, 0.0, 2.0, 3.0], vec![8.0, 7.0]);
        solve_positive(&mut matrix, &mut right);
        assert!((right[0] - 1.25).abs() < 1e-12 && (right[1] - 1.5).abs() < 1e-12);
    }

    fn ratio(a: f64, b: f64, mine: f64, between: f64) -> f64 {
        let mut sum = PairSum::new();
        sum.add(a, b, mine, 0.01, between);
        sum.ratio(1e9)
    }

    #[test]
    fn the_worked_example_holds() {
        let of = |table| ratio(0.15, table, 0.01, 0.01);
        assert!((of(0.15) - 0.519).abs() < 1e-3 && (of(-0.15) + 0.981).abs() < 1e-3, "{} {}", of(0.15), of(-0.15));
    }

    #[test]
    fn nothing_known_of_one_side_says_nothing() {
        assert!(ratio(0.4, 0.3, 1e6, 0.01).abs() < 1e-3);
        assert_eq!(ratio(0.4, 0.3, 0.01, 0.0), 0.0);
    }

    #[test]
    fn one_bad_day_is_one_bad_day() {
        let of = |freedom| {
            let mut sum = PairSum::new();
            (0..10).for_each(|_| sum.add(6.0, -1.0, 0.5, 1.0, 2.0));
            sum.ratio(freedom)
        };
        assert!(of(8.0) < 0.0 && of(8.0) > 0.5 * of(1e9), "{} {}", of(8.0), of(1e9));
    }

    #[test]
    fn calibration_rises_and_keeps_within_its_bounds() {
        let calibration =
            TableCalibration { slope: 0.5, intercept: 0.1, unlike_rate: 0.02, alike_rate: 0.005, tenant: [0.1, 0.0] };
        let scores: Vec<f64> =
            [1e6, 20.0, 5.0, 0.0, -5.0, -20.0, -1e6].map(|ratio| calibration.of(ratio, 0.5)).to_vec();
        assert!(scores.is_sorted(), "{scores:?}");
        // All but surely the worker's: ln(.005 / .98); all but surely not: ln(.995 / .02).
        assert!((scores[0] - (0.005f64 / 0.98).ln()).abs() < 1e-6 && (scores[6] - (0.995f64 / 0.02).ln()).abs() < 1e-6);
    }

    #[test]
    fn an_unsteady_hand_is_heard_with_more_doubt() {
        let parameters = parameters().table;
        let noise = |own_variance| {
            let row = |cell| TableRow { cell, log_time: 11.5, count: 16.0, clock_variance: 0.001, own_variance };
            let observation = TableObservation { press_count: 250, rows: (0..3).map(row).collect() };
            parameters.heard(&observation)[0].noise
        };
        // .04 of one press over 16 presses and the clock; three rows of four times that against five of the prior.
        let unsteady = 4.0 * 0.04 / std::f64::consts::FRAC_PI_2;
        assert!((noise(None) - 0.0035).abs() < 1e-9);
        assert!((noise(Some(unsteady)) - (0.0025 * 17.0 / 8.0 + 0.001)).abs() < 1e-9);
    }

    #[test]
    fn a_model_from_before_remainders_were_compared_loads() -> Result<(), serde_json::Error> {
        let mut json = serde_json::to_value(parameters().table)?;
        let removed = json.as_object_mut().map(|table| table.remove("ratio_calibration"));
        assert!(removed.is_some());
        json["calibration"] = serde_json::json!([0.5, 0.0, 1.0, 1.0, -0.5]);
        for cell in json["cells"].as_array_mut().into_iter().flatten().filter_map(serde_json::Value::as_object_mut) {
            cell.remove("person_variance");
            cell.remove("table_variance");
        }
        let parameters: TableParameters = serde_json::from_value(json)?;
        assert_eq!(parameters.check(), Ok(()));
        Ok(())
    }
}
