//! Gradient boosting of small trees (Friedman 2001) into the flat form that serving reads, calibrated by linfa.
//!
//! Hand-made because linfa has no boosting. Values are binned by quantiles once; leaves take shrunken Newton steps.

use elsewhere::evidence::remote_input::forest::{DEPTH, Forest, LEAVES, NODES, Tree};
use linfa::prelude::*;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};

/// Most bins per measurement.
const BINS: usize = 48;
/// Ridge on leaves, in units of second derivatives: a leaf needs dozens of rows to speak up.
const RIDGE: f64 = 20.0;
/// Least second derivative on either side of a split.
const SIDE_MIN: f64 = 8.0;

/// One measured window.
#[derive(Debug, Clone)]
pub struct Row {
    /// Measurements in fixed order.
    pub measurements: Vec<f64>,
    /// Whether it came through a relay.
    pub remote: bool,
    /// Person, split and calibration go by it.
    pub group: u32,
    /// Weight.
    pub weight: f64,
}

/// How hard to boost.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Trees.
    pub trees: usize,
    /// Share of each Newton step taken.
    pub rate: f64,
}

/// Boosts on four fifths of the groups, calibrates on the fifth left out. Sides are weighed equal.
pub fn fit(rows: &[Row], settings: Settings) -> Result<Forest, String> {
    let (boosted, left): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.group % 5 != 0);
    let count = boosted.first().ok_or("no rows to fit a forest on")?.measurements.len();
    let mut forest =
        Forest { measurement_count: count, trees: boost(&boosted, count, settings), intercept: 0.0, slope: 1.0 };
    let scores: Vec<f64> = left.iter().map(|row| forest.sum(&row.measurements)).collect();
    let labels: Vec<bool> = left.iter().map(|row| row.remote).collect();
    (forest.intercept, forest.slope) = calibrate(&scores, &labels)?;
    Ok(forest)
}

/// Intercept and slope that turn scores into log-likelihood ratios: the base rate of `labels` is taken out.
pub fn calibrate(scores: &[f64], labels: &[bool]) -> Result<(f64, f64), String> {
    let positives = labels.iter().filter(|label| **label).count() as f64;
    let negatives = labels.len() as f64 - positives;
    if positives < 10.0 || negatives < 10.0 {
        return Err("calibration needs both sides".into());
    }
    let x = Array2::from_shape_vec((scores.len(), 1), scores.to_vec()).map_err(|error| error.to_string())?;
    let y: Array1<usize> = labels.iter().map(|label| usize::from(*label)).collect();
    let model = LogisticRegression::default()
        .alpha(1e-3)
        .max_iterations(200)
        .fit(&Dataset::new(x, y))
        .map_err(|error| format!("calibration failed: {error}"))?;
    // linfa chooses which label is positive by order of appearance; 1 must be.
    let sign = if model.labels().pos.class == 1 { 1.0 } else { -1.0 };
    let prior = (positives / negatives).ln();
    Ok((sign * model.intercept() - prior, (sign * model.params()[0]).max(0.0)))
}

fn boost(rows: &[&Row], count: usize, settings: Settings) -> Vec<Tree> {
    let edges: Vec<Vec<f64>> = (0..count).map(|index| edges_of(rows, index)).collect();
    // Column by column: histograms of one measurement read one run of memory.
    let bins: Vec<Vec<u8>> = (0..count)
        .map(|index| {
            rows.iter().map(|row| edges[index].partition_point(|edge| *edge < row.measurements[index]) as u8).collect()
        })
        .collect();
    let remote: f64 = rows.iter().filter(|row| row.remote).map(|row| row.weight).sum();
    let local: f64 = rows.iter().filter(|row| !row.remote).map(|row| row.weight).sum();
    let half = (remote + local) / 2.0;
    let weights: Vec<f64> =
        rows.iter().map(|row| row.weight * half / if row.remote { remote } else { local }).collect();
    let mut scores = vec![0.0; rows.len()];
    let mut trees = Vec::with_capacity(settings.trees);
    for _ in 0..settings.trees {
        let derivatives: Vec<(f64, f64)> = (0..rows.len())
            .map(|at| {
                let p = 1.0 / (1.0 + f64::exp(-scores[at]));
                (weights[at] * (f64::from(u8::from(rows[at].remote)) - p), weights[at] * (p * (1.0 - p)).max(1e-6))
            })
            .collect();
        let (tree, leaf_of_row) = grow(&bins, &edges, &derivatives, settings.rate);
        for (score, leaf) in scores.iter_mut().zip(&leaf_of_row) {
            *score += tree.leaves[usize::from(*leaf)];
        }
        trees.push(tree);
    }
    trees
}

fn edges_of(rows: &[&Row], index: usize) -> Vec<f64> {
    let mut values: Vec<f64> = rows.iter().map(|row| row.measurements[index]).collect();
    values.sort_by(f64::total_cmp);
    let mut edges: Vec<f64> = (1..BINS).map(|bin| values[(values.len() - 1) * bin / BINS]).collect();
    edges.dedup();
    edges
}

fn grow(bins: &[Vec<u8>], edges: &[Vec<f64>], derivatives: &[(f64, f64)], rate: f64) -> (Tree, Vec<u8>) {
    let mut tree = Tree { measurements: [0; NODES], thresholds: [f64::MAX; NODES], leaves: [0.0; LEAVES] };
    let mut node_of_row = vec![0u8; derivatives.len()];
    for level in 0..DEPTH {
        let first = (1 << level) - 1;
        let width = 1 << level;
        let mut best = vec![(0.0, 0usize, usize::MAX); width];
        for (index, column) in bins.iter().enumerate() {
            let bin_count = edges[index].len() + 1;
            let mut histogram = vec![(0.0, 0.0); width * bin_count];
            for (at, bin) in column.iter().enumerate() {
                let slot = &mut histogram[(usize::from(node_of_row[at]) - first) * bin_count + usize::from(*bin)];
                slot.0 += derivatives[at].0;
                slot.1 += derivatives[at].1;
            }
            for (node, best) in best.iter_mut().enumerate() {
                let cells = &histogram[node * bin_count..(node + 1) * bin_count];
                let (gradient, hessian) = cells.iter().fold((0.0, 0.0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
                let whole = gain(gradient, hessian);
                let (mut g, mut h) = (0.0, 0.0);
                for (bin, cell) in cells.iter().take(bin_count - 1).enumerate() {
                    g += cell.0;
                    h += cell.1;
                    let gained = gain(g, h) + gain(gradient - g, hessian - h) - whole;
                    if h >= SIDE_MIN && hessian - h >= SIDE_MIN && gained > best.0 + 1e-9 {
                        *best = (gained, index, bin);
                    }
                }
            }
        }
        for (node, (_, index, bin)) in best.into_iter().enumerate() {
            if bin != usize::MAX {
                tree.measurements[first + node] = index as u16;
                tree.thresholds[first + node] = edges[index][bin];
            }
        }
        for (at, node) in node_of_row.iter_mut().enumerate() {
            let index = usize::from(*node);
            let measurement = usize::from(tree.measurements[index]);
            let threshold = tree.thresholds[index];
            let bin = usize::from(bins[measurement][at]);
            // Bin `b` holds values in (edge b-1, edge b]; past the last edge nothing is at or below.
            let below = threshold == f64::MAX || edges[measurement].get(bin).is_some_and(|edge| *edge <= threshold);
            *node = (2 * index + 1 + usize::from(!below)) as u8;
        }
    }
    let mut sums = [(0.0, 0.0); LEAVES];
    for (at, node) in node_of_row.iter_mut().enumerate() {
        *node -= NODES as u8;
        sums[usize::from(*node)].0 += derivatives[at].0;
        sums[usize::from(*node)].1 += derivatives[at].1;
    }
    for (leaf, (gradient, hessian)) in tree.leaves.iter_mut().zip(sums) {
        *leaf = rate * gradient / (hessian + RIDGE);
    }
    (tree, node_of_row)
}

fn gain(gradient: f64, hessian: f64) -> f64 {
    gradient * gradient / (hessian + RIDGE)
}
