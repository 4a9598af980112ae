//! Robust statistics that several families share.

/// The `q` quantile of sorted values by linear interpolation (type 7 of Hyndman & Fan 1996).
///
/// Returns 0 for an empty slice, since callers have checked their counts.
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let position = q.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

/// Sorts in place by total order and returns median and half the interquartile range.
pub fn median_and_spread(values: &mut [f64]) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    let spread = (quantile_of_sorted(values, 0.75) - quantile_of_sorted(values, 0.25)) / 2.0;
    (quantile_of_sorted(values, 0.5), spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_between_neighbours() {
        // 10, 20, 30, 40: position .25 * 3 = .75, so 10 + .75 * 10 = 17.5; position .75 * 3 = 2.25, so 32.5.
        let (median, spread) = median_and_spread(&mut [40.0, 10.0, 30.0, 20.0]);
        assert_eq!((median, spread), (25.0, 7.5));
        assert_eq!(quantile_of_sorted(&[], 0.5), 0.0);
    }
}
