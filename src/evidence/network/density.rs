//! The densities that round trips are weighed by, per millisecond.

use super::round_trip::PathClass;

/// Share of honest connections over geostationary satellites that nobody knows as such, and the mean and deviation of
/// their delay, ms.
const SATELLITE: (f64, f64, f64) = (0.005, 560.0, 70.0);
/// How much wider delays of operators spread above the median than below: consumer links and congested routes add, none
/// subtracts, and the fit saw data centers only.
const UPPER_STRETCH: f64 = 2.0;

/// The normal density.
pub(super) fn normal(x: f64, mean: f64, deviation: f64) -> f64 {
    let z = (x - mean) / deviation;
    (-0.5 * z * z).exp() / (deviation * (2.0 * std::f64::consts::PI).sqrt())
}

/// The log-normal density by its median and the deviation of the logarithm; 0 at 0 and below.
pub(super) fn log_normal(x: f64, median: f64, sigma: f64) -> f64 {
    if x <= 0.0 { 0.0 } else { normal(x.ln(), median.ln(), sigma) / x }
}

/// A log-normal whose upper side spreads [`UPPER_STRETCH`] times as wide as its lower one.
pub(super) fn stretched_log_normal(x: f64, median: f64, sigma: f64) -> f64 {
    let sigma_side = if x > median { sigma * UPPER_STRETCH } else { sigma };
    // Both sides meet at the mode of the logarithm and sum to 1.
    log_normal(x, median, sigma_side) * 2.0 * sigma_side / (sigma * (1.0 + UPPER_STRETCH))
}

/// Honest connections over a satellite that nobody knows as one: share times density.
pub(super) fn unknown_satellite(delay_ms: f64) -> f64 {
    SATELLITE.0 * normal(delay_ms, SATELLITE.1, SATELLITE.2)
}

/// A bell whose faster and slower sides differ, `widened` times as wide as a class's own.
pub(super) fn bell(excess_ms: f64, class: &PathClass, widened: f64) -> f64 {
    let (faster, slower) = (class.faster_ms * widened, class.slower_ms * widened);
    let z = excess_ms / if excess_ms < 0.0 { faster } else { slower };
    (-0.5 * z * z).exp() * 2.0 / ((faster + slower) * (2.0 * std::f64::consts::PI).sqrt())
}

/// An honest connection's excess over the usual: a bell, an exponential tail of bad routes, unknown satellites.
pub(super) fn honest_excess(excess_ms: f64, class: &PathClass, widened: f64) -> f64 {
    let beyond = (excess_ms - class.excess_p95_ms * widened).max(0.0);
    let tail_mean = class.tail_mean_ms * widened;
    let tail = if beyond > 0.0 { 0.05 / tail_mean * (-beyond / tail_mean).exp() } else { 0.0 };
    // Fast side: a route better than all known ones is rare, not impossible.
    bell(excess_ms, class, widened).max(tail).max(1e-5) + unknown_satellite(excess_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_the_stretched_density_sum_to_one() {
        let sum: f64 = (1..200_000).map(|step| stretched_log_normal(f64::from(step) * 0.05, 100.0, 0.3) * 0.05).sum();
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
    }

    #[test]
    fn a_bell_sums_to_one_however_uneven_its_sides() {
        let class = PathClass {
            base_ms: 10.0,
            slope_ms_per_km: 0.016,
            faster_ms: 6.0,
            slower_ms: 11.0,
            excess_p95_ms: 20.0,
            tail_mean_ms: 13.0,
        };
        let sum: f64 = (-4_000..4_000).map(|step| bell(f64::from(step) * 0.05, &class, 1.5) * 0.05).sum();
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
    }
}
