//! Calibration of tables' ratios: four numbers, by the logarithmic loss of trials whose truth is known.

use super::table::TableTrial;
use elsewhere::evidence::typing::table::TableCalibration;

/// Weight of the prior that the numbers are small, per slice.
const PRIOR: f64 = 1e-4;
/// First step and last step of the search, in each number's own coordinate.
const STEPS: (f64, f64) = (1.0, 1e-3);

/// Mean over slices of the mean logarithmic loss, both truths of a slice counting the same, in nats.
fn loss(slices: &[Vec<TableTrial>], numbers: &[f64; 4]) -> f64 {
    let calibration = calibration_of(numbers);
    let mut total = 0.0;
    for trials in slices {
        let mut sides = [(0.0, 0.0); 2];
        for trial in trials {
            let score = calibration.of(trial.ratio);
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

/// The calibration at a point of the search: logarithm of the slope, intercept, log odds of both rates.
fn calibration_of(numbers: &[f64; 4]) -> TableCalibration {
    let rate = |log_odds: f64| 1.0 / (1.0 + (-log_odds).exp());
    TableCalibration {
        slope: numbers[0].exp(),
        intercept: numbers[1],
        unlike_rate: rate(numbers[2]),
        alike_rate: rate(numbers[3]),
    }
}

/// Fits the calibration: a search along each number in turn, by halving steps, until none helps. No randomness.
pub(super) fn fit_calibration(slices: &[Vec<TableTrial>]) -> TableCalibration {
    let mut numbers = [-0.7, 0.0, -4.0, -4.0];
    let mut best = loss(slices, &numbers);
    let mut step = STEPS.0;
    while step > STEPS.1 {
        let before = best;
        for index in 0..numbers.len() {
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
    calibration_of(&numbers)
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
            trials.push(TableTrial { person: 0, ratio: (2.0 + noise) / truth, non_mated: false });
            trials.push(TableTrial { person: 0, ratio: (-2.0 + noise) / truth, non_mated: true });
        }
        trials
    }

    #[test]
    fn ratios_too_large_are_drawn_in_and_too_small_are_drawn_out() {
        let (loud, quiet) = (fit_calibration(&[trials(0.25)]), fit_calibration(&[trials(2.0)]));
        assert!((quiet.slope / loud.slope - 8.0).abs() < 0.5, "{loud:?} {quiet:?}");
        assert!(loud.intercept.abs() < 0.1);
        // Scores of two scales of one thing come out the same.
        assert!((loud.of(4.0 / 0.25) - quiet.of(4.0 / 2.0)).abs() < 0.1);
    }

    #[test]
    fn a_workers_wild_tables_bound_what_any_table_says() {
        let mut wild = trials(1.0);
        wild.extend((0..20).map(|_| TableTrial { person: 0, ratio: -60.0, non_mated: false }));
        assert!(fit_calibration(&[wild]).of(-60.0) < fit_calibration(&[trials(1.0)]).of(-60.0) - 1.0);
    }
}
