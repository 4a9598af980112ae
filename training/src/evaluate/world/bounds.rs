//! Exact intervals of shares (Clopper and Pearson 1934), by bisection of the binomial's tails.

/// P(X <= hits) of a binomial, summed in logarithms so that many trials do not underflow.
fn at_most(hits: usize, trials: usize, rate: f64) -> f64 {
    let (mut log_choose, mut sum) = (0.0_f64, 0.0);
    for k in 0..=hits {
        if k > 0 {
            log_choose += ((trials - k + 1) as f64).ln() - (k as f64).ln();
        }
        sum += (log_choose + k as f64 * rate.ln() + (trials - k) as f64 * (1.0 - rate).ln()).exp();
    }
    sum
}

/// The rate at which `falling` crosses `share`.
fn crossing(share: f64, falling: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (1e-12, 1.0 - 1e-12);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if falling(middle) > share { low = middle } else { high = middle }
    }
    high
}

/// Upper one-sided 95 % bound of a rate when `hits` of `trials` were seen.
pub fn upper(hits: usize, trials: usize) -> f64 {
    if trials == 0 || hits >= trials { 1.0 } else { crossing(0.05, |rate| at_most(hits, trials, rate)) }
}

/// Two-sided 95 % interval of a rate when `hits` of `trials` were seen; from 0 to 1 without trials.
pub fn interval(hits: usize, trials: usize) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let low = if hits == 0 { 0.0 } else { crossing(0.975, |rate| at_most(hits - 1, trials, rate)) };
    let high = if hits >= trials { 1.0 } else { crossing(0.025, |rate| at_most(hits, trials, rate)) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_in_three_thousand_bounds_the_rate_at_one_in_a_thousand() {
        // (1 - p)^2996 = .05 gives p = 1e-3.
        assert!((upper(0, 2_996) - 1e-3).abs() < 1e-6);
        assert!(upper(3, 2_996) > 2e-3);
    }

    #[test]
    fn the_interval_of_five_in_ten_is_the_tabled_one() {
        // Tables give .1871 to .8129.
        let (low, high) = interval(5, 10);
        assert!((low - 0.1871).abs() < 1e-4 && (high - 0.8129).abs() < 1e-4, "{low} {high}");
        assert_eq!(interval(0, 10).0, 0.0);
        assert_eq!(interval(10, 10).1, 1.0);
    }
}
