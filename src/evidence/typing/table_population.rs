//! The people of one tenant as the background of tables: where they stand, how they differ, and how much one of them
//! varies from table to table.
//!
//! Kept as exact sums of what the workers' profiles hold, so that a worker who learns or is erased is taken out of them
//! to the last bit, and the order in which workers came leaves no trace. Every worker gives one place and one
//! difference, pulled in to bounds, however many tables were learned: nobody weighs more than one of the tenant's
//! workers, and no table can be read back. What the sums say is drawn towards everybody's numbers, by [`MEAN_PRIOR`]
//! workers' worth of mean and [`VARIANCE_PRIOR`] of variation: few workers change next to nothing.
//!
//! Worked example, in one coordinate. Forty workers' means average .9 and vary by 5.65, of which .5 is a mean's own
//! doubt. Drawn by 20 workers the tenant's mean is .9 * 40 / 60 = .6. Their latest tables differ from what was learned
//! before by half the variance that the model expects of one person: drawn by 40, (.5 * 40 + 1 * 40) / 80 = .75.

use super::table::{TableParameters, TableProfile};

/// Most coordinates of a place among people.
pub const COORDINATES_MAX: usize = 16;
/// Entries of a symmetric matrix of so many rows, kept by its lower half.
const HALF_MAX: usize = COORDINATES_MAX * (COORDINATES_MAX + 1) / 2;
/// Workers' worth of everybody's mean.
const MEAN_PRIOR: f64 = 20.0;
/// Workers' worth of everybody's variation: it takes twice the people to be known as well as a mean.
const VARIANCE_PRIOR: f64 = 40.0;
/// Workers' worth of everybody's spread of means that steady its inverse.
const SPREAD_PRIOR: f64 = 10.0;
/// Bound of a worker's mean coordinate, in hundredths of a person's own variation: three deviations of people along the
/// axis on which they differ most.
const MEAN_BOUND: i16 = 1_000;
/// Bound of a worker's difference, in hundredths of what is expected of it: one normal difference in twenty is cut.
const DIFFERENCE_BOUND: i16 = 200;
/// Bound of the mean square of what the factors leave, in hundredths of what is expected of it.
const REMAINDER_BOUND: i16 = 250;
/// Parts of 1 in which a mean's own variance is summed.
const OWN_PARTS: f64 = 10_000.0;

/// A symmetric matrix by its lower half, row by row.
type Half = [f64; HALF_MAX];

const fn at(row: usize, column: usize) -> usize {
    row * (row + 1) / 2 + column
}

/// What one worker gives: taken from a profile, and taken out again by the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableShare {
    /// Which coordinates; see [`TableProfile::basis`].
    pub basis: u32,
    /// A mean's own variance, in parts.
    own: u16,
    coordinates: u8,
    /// Mean coordinates; where a second day was seen also differences and the mean square of what the factors leave.
    numbers: Box<[i16]>,
    /// Per slot what the factors leave, in steps; [`NOT_HEARD`] where nothing was heard.
    slots: Box<[i8]>,
}

/// Marks a slot of which nothing was heard: profiles keep -127 to 127.
const NOT_HEARD: i8 = i8::MIN;

impl TableShare {
    /// What a profile gives; absent when it has learned no table.
    pub fn of(profile: &TableProfile) -> Option<Self> {
        let (means, varied) = (profile.stored_means(), profile.varied());
        if profile.weight() <= 0.0 || means.is_empty() || means.len() > COORDINATES_MAX {
            return None;
        }
        let mut numbers = Vec::with_capacity(2 * means.len() + 1);
        numbers.extend(means.iter().map(|mean| (*mean).clamp(-MEAN_BOUND, MEAN_BOUND)));
        if let Some(varied) = varied {
            let bounded = |one: &i16| (*one).clamp(-DIFFERENCE_BOUND, DIFFERENCE_BOUND);
            numbers.extend(varied.differences.iter().map(bounded));
            numbers.push(varied.remainder_square.clamp(0, REMAINDER_BOUND));
        }
        Some(Self {
            basis: profile.basis(),
            own: (profile.mean_variance() * OWN_PARTS).round() as u16,
            coordinates: means.len() as u8,
            numbers: numbers.into(),
            slots: profile.stored_slots().map(|(step, heard)| if heard { step } else { NOT_HEARD }).collect(),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct SlotSum {
    count: u32,
    sum: i64,
}

/// Sums over the workers of a tenant whose tables were learned, of one basis.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TablePool {
    worker_count: u32,
    coordinates: usize,
    sums: Vec<i64>,
    /// Products of two coordinates' means, by the lower half.
    products: Vec<i64>,
    own: i64,
    /// Workers of whom a second day was seen.
    varied_count: u32,
    /// Products of two coordinates' differences, by the lower half.
    differences: Vec<i64>,
    remainder_square: i64,
    slots: Vec<SlotSum>,
}

impl TablePool {
    /// Workers added and not taken out.
    pub fn worker_count(&self) -> u32 {
        self.worker_count
    }

    /// Adds a worker. A share of other lengths is left out.
    pub fn add(&mut self, share: &TableShare) {
        if self.worker_count == 0 {
            let coordinates = usize::from(share.coordinates);
            let half = at(coordinates, 0);
            *self = Self {
                coordinates,
                sums: vec![0; coordinates],
                products: vec![0; half],
                differences: vec![0; half],
                slots: vec![SlotSum::default(); share.slots.len()],
                ..Self::default()
            };
        }
        self.change(share, 1);
    }

    /// Takes out what [`TablePool::add`] added.
    pub fn remove(&mut self, share: &TableShare) {
        if self.worker_count > 0 {
            self.change(share, -1);
        }
    }

    fn fits(&self, share: &TableShare) -> bool {
        usize::from(share.coordinates) == self.coordinates && share.slots.len() == self.slots.len()
    }

    fn change(&mut self, share: &TableShare, sign: i64) {
        if !self.fits(share) {
            return;
        }
        self.worker_count = self.worker_count.saturating_add_signed(sign as i32);
        self.own += sign * i64::from(share.own);
        let (means, varied) = share.numbers.split_at(self.coordinates);
        self.sums.iter_mut().zip(means).for_each(|(sum, mean)| *sum += sign * i64::from(*mean));
        add_products(&mut self.products, means, sign);
        if let Some((square, differences)) = varied.split_last() {
            self.varied_count = self.varied_count.saturating_add_signed(sign as i32);
            self.remainder_square += sign * i64::from(*square);
            add_products(&mut self.differences, differences, sign);
        }
        for (sum, step) in self.slots.iter_mut().zip(&share.slots).filter(|(_, step)| **step != NOT_HEARD) {
            sum.count = sum.count.saturating_add_signed(sign as i32);
            sum.sum += sign * i64::from(*step);
        }
    }

    /// What the workers but `own` have in common; absent when there is no other.
    pub fn background(&self, own: Option<&TableShare>) -> Option<TableBackground> {
        let mut others = self.clone();
        if let Some(own) = own {
            others.remove(own);
        }
        (others.worker_count > 0).then_some(TableBackground(others))
    }
}

fn add_products(sums: &mut [i64], numbers: &[i16], sign: i64) {
    let mut sums = sums.iter_mut();
    for (row, a) in numbers.iter().enumerate() {
        for (b, sum) in numbers[..=row].iter().zip(sums.by_ref()) {
            *sum += sign * i64::from(*a) * i64::from(*b);
        }
    }
}

/// The other workers of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableBackground(TablePool);

impl TableBackground {
    /// Other workers behind it, at least 1.
    pub fn worker_count(&self) -> u32 {
        self.0.worker_count
    }
}

/// A population that tables and profiles are compared in: everybody's, drawn towards the tenant's.
#[derive(Debug, Clone)]
pub struct Population<'a> {
    parameters: &'a TableParameters,
    slots: &'a [SlotSum],
    coordinates: usize,
    mean: [f64; COORDINATES_MAX],
    /// Covariance of one person's coordinates from table to table, in nominal tables' variances.
    within: Half,
    /// Covariance of people.
    between: Half,
    /// Variance of what the factors leave, from table to table, in the model's.
    pub(super) remainder_scale: f64,
    /// How far the tenant's own numbers count, [0, 1).
    pub(super) share: f64,
}

/// How two places compare: see [`super::table::PairSum`].
pub(super) struct Places {
    /// ln of the determinants' ratio.
    pub logarithms: f64,
    /// Squared distances from the mean by the covariance of one typist, and of two.
    pub together: f64,
    pub apart: f64,
}

impl<'a> Population<'a> {
    /// Everybody of `parameters`, drawn towards a tenant's people.
    pub fn of(parameters: &'a TableParameters, background: Option<&'a TableBackground>) -> Self {
        let coordinates = parameters.between_variance.len().min(COORDINATES_MAX);
        let mut population = Self {
            parameters,
            slots: &[],
            coordinates,
            mean: [0.0; COORDINATES_MAX],
            within: [0.0; HALF_MAX],
            between: [0.0; HALF_MAX],
            remainder_scale: 1.0,
            share: 0.0,
        };
        for index in 0..coordinates {
            population.mean[index] = parameters.population.coordinate(index);
            population.within[at(index, index)] = 1.0;
            population.between[at(index, index)] = parameters.between_variance[index];
        }
        let fitting = background.map(|background| &background.0).filter(|pool| pool.coordinates == coordinates);
        if let Some(pool) = fitting {
            population.draw(pool);
        }
        population
    }

    fn draw(&mut self, pool: &'a TablePool) {
        let count = f64::from(pool.worker_count);
        let varied = f64::from(pool.varied_count);
        self.slots = &pool.slots;
        self.share = count / (count + VARIANCE_PRIOR);
        if varied > 0.0 {
            let share = varied / (varied + VARIANCE_PRIOR);
            let square = pool.remainder_square as f64 / 100.0 / varied;
            self.remainder_scale = share * square + (1.0 - share);
            for (entry, sum) in self.within.iter_mut().zip(&pool.differences) {
                *entry = share * (*sum as f64 / 10_000.0 / varied) + (1.0 - share) * *entry;
            }
        }
        let own = pool.own as f64 / OWN_PARTS / count;
        let mean_share = count / (count + MEAN_PRIOR);
        let mut spread = [0.0; HALF_MAX];
        let degrees = (count - 1.0).max(0.0);
        for row in 0..self.coordinates {
            let a = pool.sums[row] as f64 / 100.0;
            for column in 0..=row {
                let b = pool.sums[column] as f64 / 100.0;
                // degrees times the covariance of the workers' means
                spread[at(row, column)] = pool.products[at(row, column)] as f64 / 10_000.0 - a * b / count;
            }
            let prior = self.between[at(row, row)] + own;
            spread[at(row, row)] += SPREAD_PRIOR * prior;
            self.mean[row] = mean_share * a / count + (1.0 - mean_share) * self.mean[row];
        }
        spread.iter_mut().for_each(|entry| *entry /= degrees + SPREAD_PRIOR);
        let seen = between(&spread, &self.within, own, self.coordinates);
        let share = degrees / (degrees + VARIANCE_PRIOR);
        for (entry, seen) in self.between.iter_mut().zip(&seen) {
            *entry = share * seen + (1.0 - share) * *entry;
        }
    }

    /// Mean of one slot's remainder, ln.
    pub(super) fn remainder(&self, slot: usize) -> f64 {
        let everybody = self.parameters.population.remainder(slot);
        match self.slots.get(slot) {
            Some(sum) if sum.count > 0 => {
                let seen = sum.sum as f64 * super::table::SLOT_STEP;
                (seen + MEAN_PRIOR * everybody) / (f64::from(sum.count) + MEAN_PRIOR)
            }
            _ => everybody,
        }
    }

    /// Compares two places whose own variances are `mine` and `theirs` times a person's.
    ///
    /// Of one typist the difference of both is N(0, (mine + theirs) W) and the mean of both, each weighed by the
    /// other's variance, N(0, B + s W) with s = mine theirs / (mine + theirs), independent of it; of two, each place is
    /// N(0, B + its own W).
    pub(super) fn compare(
        &self,
        a: impl Iterator<Item = f64>,
        b: impl Iterator<Item = f64>,
        mine: f64,
        theirs: f64,
    ) -> Places {
        let n = self.coordinates;
        let sum = mine + theirs;
        let mut vectors = [[0.0; COORDINATES_MAX]; 4];
        for (index, ((a, b), mean)) in a.zip(b).zip(&self.mean).take(n).enumerate() {
            let (a, b) = (a - mean, b - mean);
            vectors[0][index] = a - b;
            vectors[1][index] = (theirs * a + mine * b) / sum;
            vectors[2][index] = a;
            vectors[3][index] = b;
        }
        let [mut difference, mut middle, mut a, mut b] = vectors;
        let (within, of_difference) = distance(&self.within, &mut difference, n);
        let (whole, of_middle) = distance(&self.with(mine * theirs / sum), &mut middle, n);
        let (first, of_a) = distance(&self.with(mine), &mut a, n);
        let (second, of_b) = distance(&self.with(theirs), &mut b, n);
        Places {
            logarithms: first + second - whole - within - n as f64 * sum.ln(),
            together: of_difference / sum + of_middle,
            apart: of_a + of_b,
        }
    }

    /// B + own W.
    fn with(&self, own: f64) -> Half {
        let mut sum = self.between;
        sum.iter_mut().zip(&self.within).for_each(|(entry, within)| *entry += own * within);
        sum
    }
}

/// Least pivot of a decomposition: everything decomposed is positive definite but for rounding.
const PIVOT_MIN: f64 = 1e-9;

/// Lower Cholesky factor in place; returns ln of the determinant. Pivots are left as their inverses.
fn decompose(matrix: &mut Half, n: usize) -> f64 {
    let mut determinant = 1.0;
    for row in 0..n {
        for column in 0..=row {
            let mut sum = matrix[at(row, column)];
            for k in 0..column {
                sum -= matrix[at(row, k)] * matrix[at(column, k)];
            }
            matrix[at(row, column)] = if row == column {
                let pivot = sum.max(PIVOT_MIN);
                determinant *= pivot;
                1.0 / pivot.sqrt()
            } else {
                sum * matrix[at(column, column)]
            };
        }
    }
    determinant.ln()
}

/// ln of a matrix's determinant, and a vector's squared length by the inverse. The vector is overwritten.
fn distance(matrix: &Half, vector: &mut [f64; COORDINATES_MAX], n: usize) -> (f64, f64) {
    let mut factor = *matrix;
    let logarithm = decompose(&mut factor, n);
    forward(&factor, vector, n);
    (logarithm, vector[..n].iter().map(|value| value * value).sum())
}

fn forward(factor: &Half, vector: &mut [f64; COORDINATES_MAX], n: usize) {
    for row in 0..n {
        let mut sum = vector[row];
        for k in 0..row {
            sum -= factor[at(row, k)] * vector[k];
        }
        vector[row] = sum * factor[at(row, row)];
    }
}

/// Covariance of people from that of their stored means, `spread`, each mean having variance V = `own` W about its
/// person: spread - V + V spread^-1 V / 4.
///
/// The last term keeps it positive definite whatever chance does: along an axis where spread is s times V it is
/// (s - 1/2)^2 / s times V, never under 0, and s - 1 but for 1/4s where people do differ.
fn between(spread: &Half, within: &Half, own: f64, n: usize) -> Half {
    let mut factor = *spread;
    decompose(&mut factor, n);
    // Columns of L^-1 V: their products are V spread^-1 V.
    let mut columns = [[0.0; COORDINATES_MAX]; COORDINATES_MAX];
    for (index, column) in columns.iter_mut().enumerate().take(n) {
        for (row, value) in column.iter_mut().enumerate().take(n) {
            *value = own * within[at(row.max(index), row.min(index))];
        }
        forward(&factor, column, n);
    }
    let mut result = [0.0; HALF_MAX];
    for row in 0..n {
        for column in 0..=row {
            let product: f64 = columns[row][..n].iter().zip(&columns[column][..n]).map(|(a, b)| a * b).sum();
            let entry = at(row, column);
            result[entry] = spread[entry] - own * within[entry] + 0.25 * product;
        }
    }
    result
}

#[cfg(test)]
mod tests;
