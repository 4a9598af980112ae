//! Calibration of tables' ratios: six numbers, by the logarithmic loss of trials whose truth is known.

use super::table::TableTrial;
use elsewhere::evidence::typing::table::TableCalibration;
use std::ops::Range;

/// Weight of the prior that the numbers are small, per slice.
const PRIOR: f64 = 1e-4;
/// Numbers that are searched for.
const NUMBERS: usize = 6;
/// First step and last step of the search, in each number's own coordinate.
const STEPS: (f64, f64) = (1.0, 1e-3);

/// Mean over slices of the mean logarithmic loss, both truths of a slice counting the same, in nats.
fn loss(slices: &[Vec<TableTrial>], numbers: &[f64; NUMBERS]) -> f64 {
    let calibration = calibration_of(numbers);
    let mut total = 0.0;
    for trials in slices {
        let mut sides = [(0.0, 0.0); 2];
        for trial in trials {
            let score = calibration.of(trial.ratio, trial.tenant_share);
            let wrong = if trial.non_mated { -score } else { score };
            let (sum, count) = &mut sides[usize::from(trial.non_mated)];
            *sum += wrong.max(0.0) + (-wrong.abs()).exp().ln_1p();
            *count += 1.0;
        }
        total += sides.iter().map(|(sum, count): &(f64, f64)| sum / count.max(1.0)).sum::<f64>() / 2.0;
    }
    let prior: f64 = numbers.iter().map(|number| number * number).sum();
    total / slices.len().max(1) as f64 + PRIOR * prior
}

/// The calibration at a point of the search: logarithm of the slope, intercept, log odds of both rates,
/// what a tenant adds to the first two.
fn calibration_of(numbers: &[f64; NUMBERS]) -> TableCalibration {
    let rate = |log_odds: f64| 1.0 / (1.0 + (-log_odds).exp());
    TableCalibration {
        slope: numbers[0].exp(),
        intercept: numbers[1],
        unlike_rate: rate(numbers[2]),
        alike_rate: rate(numbers[3]),
        tenant: [numbers[4], numbers[5]],
    }
}

/// Fits the calibration: first what holds where nobody else is known, on `alone`, then what company adds to it, on
/// `accompanied`, so that a worker without company is judged as if there were no such thing.
pub(super) fn fit_calibration(alone: &[Vec<TableTrial>], accompanied: &[Vec<TableTrial>]) -> TableCalibration {
    let numbers = search(alone, [-0.7, 0.0, -4.0, -4.0, 0.0, 0.0], 0..4);
    let numbers = if accompanied.is_empty() { numbers } else { search(accompanied, numbers, 4..NUMBERS) };
    calibration_of(&numbers)
}

/// A search along each number of a range in turn, by halving steps, until none helps. No randomness.
fn search(slices: &[Vec<TableTrial>], start: [f64; NUMBERS], range: Range<usize>) -> [f64; NUMBERS] {
    let mut numbers = start;
    let mut best = loss(slices, &numbers);
    let mut step = STEPS.0;
    while step > STEPS.1 {
        let before = best;
        for index in range.clone() {
            for change in [step, -step] {
                let mut tried = numbers;
                tried[index] += change;
                let found = loss(slices, &tried);
                if found < best {
                    (numbers, best) = (tried, found);
                }
            }
        }
        if best >= before {
            step /= 2.0;
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ratios of two normal distributions `gap` apart: true log-likelihood ratios when multiplied by `truth`.
    fn trials(truth: f64) -> Vec<TableTrial> {
        let mut trials = Vec::new();
        for index in 1..400 {
            // Quantiles of the logistic distribution stand in for chance.
            let share = f64::from(index) / 400.0;
            let noise = (share / (1.0 - share)).ln();
            trials.push(TableTrial { person: 0, ratio: (2.0 + noise) / truth, tenant_share: 0.0, non_mated: false });
            trials.push(TableTrial { person: 0, ratio: (-2.0 + noise) / truth, tenant_share: 0.0, non_mated: true });
        }
        trials
    }

    #[test]
    fn ratios_too_large_are_drawn_in_and_too_small_are_drawn_out() {
        let (loud, quiet) = (fit_calibration(&[trials(0.25)], &[]), fit_calibration(&[trials(2.0)], &[]));
        assert!((quiet.slope / loud.slope - 8.0).abs() < 0.5, "{loud:?} {quiet:?}");
        assert!(loud.intercept.abs() < 0.1);
        // Scores of two scales of one thing come out the same.
        assert!((loud.of(4.0 / 0.25, 0.0) - quiet.of(4.0 / 2.0, 0.0)).abs() < 0.1);
    }

    #[test]
    fn a_workers_wild_tables_bound_what_any_table_says() {
        let mut wild = trials(1.0);
        wild.extend((0..20).map(|_| TableTrial { person: 0, ratio: -60.0, tenant_share: 0.0, non_mated: false }));
        assert!(
            fit_calibration(&[wild], &[]).of(-60.0, 0.0) < fit_calibration(&[trials(1.0)], &[]).of(-60.0, 0.0) - 1.0
        );
    }

    #[test]
    fn company_is_calibrated_without_moving_those_who_have_none() {
        let accompanied: Vec<TableTrial> =
            trials(0.5).into_iter().map(|trial| TableTrial { tenant_share: 0.5, ..trial }).collect();
        let (alone, both) = (fit_calibration(&[trials(1.0)], &[]), fit_calibration(&[trials(1.0)], &[accompanied]));
        assert_eq!(both.of(3.0, 0.0), alone.of(3.0, 0.0));
        assert!((both.of(3.0 / 0.5, 0.5) - alone.of(3.0, 0.0)).abs() < 0.1, "{both:?}");
    }
}
