//! Error rates, calibration losses and intervals. Scores rise with suspicion: `positive` = hostile, remote, non-mated.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Threshold-free curve points `(false_positive_rate, true_positive_rate)` by falling threshold; ties move together.
pub fn roc(negative: &[f64], positive: &[f64]) -> Vec<(f64, f64)> {
    let mut all: Vec<(f64, bool)> =
        negative.iter().map(|score| (*score, false)).chain(positive.iter().map(|score| (*score, true))).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut false_count, mut true_count) = (0usize, 0usize);
    let mut points = vec![(0.0, 0.0)];
    let mut index = 0;
    while index < all.len() {
        let score = all[index].0;
        while index < all.len() && all[index].0 == score {
            if all[index].1 {
                true_count += 1
            } else {
                false_count += 1
            }
            index += 1;
        }
        points.push((
            false_count as f64 / negative.len().max(1) as f64,
            true_count as f64 / positive.len().max(1) as f64,
        ));
    }
    points
}

/// Equal error rate, linear between the points around the crossing; `None` when a side is empty.
pub fn eer(negative: &[f64], positive: &[f64]) -> Option<f64> {
    if negative.is_empty() || positive.is_empty() {
        return None;
    }
    let points = roc(negative, positive);
    for pair in points.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let gap_before = before.0 - (1.0 - before.1);
        let gap_after = after.0 - (1.0 - after.1);
        if gap_after >= 0.0 {
            let share = if gap_after == gap_before { 0.0 } else { -gap_before / (gap_after - gap_before) };
            return Some(before.0 + share * (after.0 - before.0));
        }
    }
    Some(1.0)
}

/// Area under the curve: the chance that a positive outranks a negative, ties counted half.
pub fn auc(negative: &[f64], positive: &[f64]) -> Option<f64> {
    if negative.is_empty() || positive.is_empty() {
        return None;
    }
    let points = roc(negative, positive);
    Some(points.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0).sum())
}

/// Share of positives above the smallest threshold that keeps false positives at or under `rate`.
pub fn tpr_at_fpr(negative: &[f64], positive: &[f64], rate: f64) -> Option<f64> {
    if negative.is_empty() || positive.is_empty() {
        return None;
    }
    roc(negative, positive).into_iter().filter(|point| point.0 <= rate + 1e-12).map(|point| point.1).reduce(f64::max)
}

/// Cost of log-likelihood ratios in bits (Brümmer & du Preez 2006): 0 perfect, 1 no better than abstaining.
pub fn cllr(negative: &[f64], positive: &[f64]) -> Option<f64> {
    if negative.is_empty() || positive.is_empty() {
        return None;
    }
    let softplus = |x: f64| if x > 30.0 { x } else { x.exp().ln_1p() };
    let of_negative = negative.iter().map(|llr| softplus(*llr)).sum::<f64>() / negative.len() as f64;
    let of_positive = positive.iter().map(|llr| softplus(-*llr)).sum::<f64>() / positive.len() as f64;
    Some((of_negative + of_positive) / (2.0 * std::f64::consts::LN_2))
}

/// The least `cllr` any rising recalibration of these scores could reach (pool adjacent violators).
pub fn min_cllr(negative: &[f64], positive: &[f64]) -> Option<f64> {
    if negative.is_empty() || positive.is_empty() {
        return None;
    }
    let mut all: Vec<(f64, bool)> =
        negative.iter().map(|score| (*score, false)).chain(positive.iter().map(|score| (*score, true))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Blocks of (positives, count), merged until their shares rise.
    let mut blocks: Vec<(f64, f64)> = Vec::new();
    let mut index = 0;
    while index < all.len() {
        let score = all[index].0;
        let mut block = (0.0, 0.0);
        while index < all.len() && all[index].0 == score {
            block.0 += f64::from(u8::from(all[index].1));
            block.1 += 1.0;
            index += 1;
        }
        blocks.push(block);
        while blocks.len() > 1 {
            let (last, before) = (blocks[blocks.len() - 1], blocks[blocks.len() - 2]);
            if before.0 / before.1 < last.0 / last.1 {
                break;
            }
            blocks.truncate(blocks.len() - 2);
            blocks.push((before.0 + last.0, before.1 + last.1));
        }
    }
    let (n, p) = (negative.len() as f64, positive.len() as f64);
    let mut cost = 0.0;
    for (hits, count) in blocks {
        let misses = count - hits;
        // Likelihood ratio of the block at flat prior.
        let share = (hits / p) / (hits / p + misses / n);
        if hits > 0.0 {
            cost -= hits / p * share.log2();
        }
        if misses > 0.0 {
            cost -= misses / n * (1.0 - share).log2();
        }
    }
    Some(cost / 2.0)
}

/// Mean of values; `None` when there are none.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// 95 % percentile interval of `statistic` under resampling whole groups with replacement.
///
/// `statistic` receives indexes into `0..group_count` and may decline a resample. `None` under 5 groups.
pub fn bootstrap(
    group_count: usize,
    resamples: usize,
    seed: u64,
    mut statistic: impl FnMut(&[usize]) -> Option<f64>,
) -> Option<(f64, f64)> {
    if group_count < 5 {
        return None;
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut values = Vec::with_capacity(resamples);
    let mut chosen = vec![0; group_count];
    for _ in 0..resamples {
        for slot in &mut chosen {
            *slot = random.gen_range(0..group_count);
        }
        values.extend(statistic(&chosen));
    }
    if values.len() < 20 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |q: f64| elsewhere::evidence::quantile::quantile_of_sorted(&values, q);
    Some((at(0.025), at(0.975)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_separation_costs_nothing_and_none_costs_one_bit() {
        assert_eq!(eer(&[0.0, 1.0], &[2.0, 3.0]), Some(0.0));
        assert_eq!(auc(&[0.0, 1.0], &[2.0, 3.0]), Some(1.0));
        assert_eq!(min_cllr(&[0.0, 1.0], &[2.0, 3.0]), Some(0.0));
        let abstaining = cllr(&[0.0, 0.0], &[0.0]).unwrap_or_default();
        assert!((abstaining - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_overlap_in_four_gives_a_quarter() {
        // Negatives 0 1 2 5, positives 4 6 7 8: at threshold 4.5 one of four on each side is wrong.
        assert_eq!(eer(&[0.0, 1.0, 2.0, 5.0], &[4.0, 6.0, 7.0, 8.0]), Some(0.25));
        assert_eq!(tpr_at_fpr(&[0.0, 1.0, 2.0, 5.0], &[4.0, 6.0, 7.0, 8.0], 0.0), Some(0.75));
    }
}
