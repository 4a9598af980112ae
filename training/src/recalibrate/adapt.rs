//! What labels and the tenant's own people move of a standing: where honest workers stand, what families weigh, and where
//! the threshold lies.
//!
//! Everything moves from the model towards the tenant as far as there are people to say so, and never past what the model's
//! own laws allow: honest workers' likelihood ratios average one at most, and the threshold never falls under the one that
//! the budget implies for true ratios.

use super::people::{Worker, prepared};
use elsewhere::evidence::feature::{Family, Finding};
use elsewhere::evidence::quantile::quantile_of_sorted;
use elsewhere::model::{FindingModel, StandingModel};

/// Workers that weigh as much as the model in where honest workers stand.
const PRIOR_WORKERS: f64 = 100.0;
/// Hostile workers that weigh as much as the model in how often and how strongly they show a finding.
const PRIOR_HOSTILE: f64 = 20.0;
/// Share of workers cut off at either end before honest workers are described: among them are whom nobody has found yet.
const TRIM: f64 = 0.01;
/// Fewest sessions of a worker whose mean is taken for the worker's own.
const SESSIONS_MIN: f64 = 3.0;
/// Fewest workers with a finding to move it.
const WORKERS_MIN: usize = 30;
/// Fewest hostile workers with a label before families are weighed anew.
pub const HOSTILE_MIN: usize = 10;
/// Standard deviation of a family's weight around the model's.
const WEIGHT_SPREAD: f64 = 0.25;
/// Least and greatest factor on a family.
const WEIGHT_RANGE: (f64, f64) = (0.25, 1.5);
/// Least variance between honest workers, nats squared; the trainer's.
const BETWEEN_MIN: f64 = 0.5;

/// Moves a standing model towards a tenant's people.
///
/// # Errors
/// When the moved model could not be served.
pub fn adapted(model: &StandingModel, workers: &[&Worker]) -> Result<StandingModel, String> {
    let mut moved = model.clone();
    for entry in &mut moved.findings {
        *entry = finding(entry, workers);
    }
    let weights = family_weights(&moved, workers)?;
    for entry in &mut moved.findings {
        if let Some(finding) = Finding::from_name(&entry.finding) {
            entry.weight = round((entry.weight * weights[finding.family().index()]).clamp(0.0, 2.0));
        }
    }
    moved.threshold_log_odds = threshold(&moved, workers)?;
    Ok(moved)
}

fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn is_hostile(worker: &Worker) -> bool {
    worker.truth.is_some_and(|truth| truth.hostile)
}

/// Mean score and sessions of each worker who showed a finding.
fn shown(entry: &FindingModel, workers: &[&Worker], hostile: bool) -> Vec<(f64, f64)> {
    let enough = if entry.cumulative { 1.0 } else { SESSIONS_MIN };
    let of = |worker: &&&Worker| {
        let shown = worker.standing.shown().find(|shown| shown.finding.name() == entry.finding)?;
        (shown.session_count >= enough).then_some((shown.mean, shown.session_count))
    };
    workers.iter().filter(|worker| is_hostile(worker) == hostile).filter_map(|worker| of(&worker)).collect()
}

/// Moves one finding: where honest workers stand and how far apart, how strongly and how often hostile ones show it.
fn finding(entry: &FindingModel, workers: &[&Worker]) -> FindingModel {
    let honest = shown(entry, workers, false);
    if honest.len() < WORKERS_MIN {
        return entry.clone();
    }
    let mut means: Vec<f64> = honest.iter().map(|(mean, _)| *mean).collect();
    means.sort_by(f64::total_cmp);
    let (low, high) = (quantile_of_sorted(&means, TRIM), quantile_of_sorted(&means, 1.0 - TRIM));
    means.iter_mut().for_each(|mean| *mean = mean.clamp(low, high));
    let count = means.len() as f64;
    let own_mean = means.iter().sum::<f64>() / count;
    let spread = means.iter().map(|mean| (mean - own_mean).powi(2)).sum::<f64>() / (count - 1.0);
    let noise = if entry.cumulative {
        0.0
    } else {
        entry.within_variance * honest.iter().map(|(_, sessions)| 1.0 / sessions).sum::<f64>() / count
    };
    let own_between = (spread - noise).max(BETWEEN_MIN);
    let trust = count / (count + PRIOR_WORKERS);
    let towards = |model: f64, own: f64| model + trust * (own - model);
    let honest_mean = towards(entry.honest_mean, own_mean);
    // Where everybody stands higher, an operator stands higher still; where all stand lower, nobody's guilt grows.
    let mut hostile_mean = entry.hostile_mean.max(entry.hostile_mean + honest_mean - entry.honest_mean);
    let mut hostile_share = entry.hostile_share;
    let all_hostile = workers.iter().filter(|worker| is_hostile(worker)).count() as f64;
    let line = honest_mean + 0.5 * (hostile_mean - honest_mean);
    let showing: Vec<f64> =
        shown(entry, workers, true).iter().map(|(mean, _)| *mean).filter(|mean| *mean > line).collect();
    if all_hostile > 0.0 {
        let number = showing.len() as f64;
        hostile_share = (number + PRIOR_HOSTILE * hostile_share) / (all_hostile + PRIOR_HOSTILE);
        hostile_mean = (showing.iter().sum::<f64>() + PRIOR_HOSTILE * hostile_mean) / (number + PRIOR_HOSTILE);
    }
    let mut moved = FindingModel {
        honest_mean: round(honest_mean),
        hostile_mean: round(hostile_mean.max(honest_mean)),
        between_variance: towards(entry.between_variance, own_between),
        hostile_share: round(hostile_share),
        ..entry.clone()
    };
    // As in training: tails that a normal law misses are paid for by a wider spread.
    for _ in 0..40 {
        let ratio = |(mean, sessions): &(f64, f64)| {
            let sessions = if entry.cumulative { 1.0 } else { *sessions };
            moved.log_likelihood_ratio(mean.clamp(low, high), sessions).min(moved.evidence_max_sustained).exp()
        };
        if honest.iter().map(ratio).sum::<f64>() <= count {
            break;
        }
        moved.between_variance *= 1.25;
    }
    moved.between_variance = round(moved.between_variance);
    moved
}

/// Factor on each family: logistic regression of labelled hostile workers against all others, held near the model by a
/// normal prior. All 1 with fewer than [`HOSTILE_MIN`] hostile labels.
fn family_weights(model: &StandingModel, workers: &[&Worker]) -> Result<[f64; Family::COUNT], String> {
    let mut weights = [1.0; Family::COUNT];
    if workers.iter().filter(|worker| is_hostile(worker)).count() < HOSTILE_MIN {
        return Ok(weights);
    }
    let prepared = prepared(model)?;
    let rows: Vec<([f64; Family::COUNT], f64)> = workers
        .iter()
        .map(|worker| {
            let report = worker.standing.report(&prepared, worker.last_micros);
            let mut row = [0.0; Family::COUNT];
            for (slot, family) in row.iter_mut().zip(&report.families) {
                *slot = family.contribution_log_odds;
            }
            (row, f64::from(u8::from(is_hostile(worker))))
        })
        .collect();
    let precision = 1.0 / (WEIGHT_SPREAD * WEIGHT_SPREAD);
    let share = rows.iter().map(|(_, hostile)| hostile).sum::<f64>() / rows.len() as f64;
    let mut intercept = (share / (1.0 - share)).ln();
    // One weight at a time by Newton's rule: seven convex dimensions settle in a few rounds.
    for _ in 0..200 {
        let before = (intercept, weights);
        for dimension in 0..=Family::COUNT {
            let family = dimension.checked_sub(1);
            let (mut slope, mut bend) =
                family.map_or((0.0, 1e-9), |family| (precision * (weights[family] - 1.0), precision));
            for (row, hostile) in &rows {
                let logit =
                    intercept + row.iter().zip(&weights).map(|(evidence, weight)| evidence * weight).sum::<f64>();
                let probability = 1.0 / (1.0 + (-logit).exp());
                let moves = family.map_or(1.0, |family| row[family]);
                slope += (probability - hostile) * moves;
                bend += probability * (1.0 - probability) * moves * moves;
            }
            let step = (slope / bend.max(1e-9)).clamp(-0.5, 0.5);
            match family {
                Some(family) => weights[family] = (weights[family] - step).clamp(WEIGHT_RANGE.0, WEIGHT_RANGE.1),
                None => intercept -= step,
            }
        }
        let moved = weights.iter().zip(&before.1).map(|(now, then)| (now - then).abs()).sum::<f64>();
        if moved + (intercept - before.0).abs() < 1e-9 {
            break;
        }
    }
    Ok(weights)
}

/// Worker-months, in budgets, that must have passed without a confirmed false flag before the threshold may fall: three
/// without one leave a rate of one in a budget at 5 % (the rule of three).
const QUIET_BUDGETS: f64 = 3.0;

/// Where the threshold lies: never under the budget's own for true ratios, raised by what honest workers' ratios exceed one
/// on average, and above all but as many confirmed honest workers as the budget allows.
fn threshold(model: &StandingModel, workers: &[&Worker]) -> Result<f64, String> {
    let prepared = prepared(model)?;
    let budget = model.false_flag_budget;
    let months: f64 = workers.iter().map(|worker| worker.months).sum();
    let not_hostile: Vec<f64> =
        workers.iter().filter(|worker| !is_hostile(worker)).map(|worker| worker.evidence(&prepared)).collect();
    // Those nobody has found yet would count as honest: the highest hundredth is left out.
    let mut sorted = not_hostile.clone();
    sorted.sort_by(f64::total_cmp);
    let high = quantile_of_sorted(&sorted, 1.0 - TRIM);
    let mean_ratio =
        not_hostile.iter().map(|evidence| evidence.min(high).exp()).sum::<f64>() / sorted.len().max(1) as f64;
    let floor = (1.0 / budget).ln() + mean_ratio.max(1.0).ln();
    let mut confirmed: Vec<f64> = workers
        .iter()
        .filter(|worker| worker.truth.is_some_and(|truth| !truth.hostile))
        .map(|worker| worker.evidence(&prepared))
        .collect();
    confirmed.sort_by(|a, b| b.total_cmp(a));
    let allowed = (budget * months).floor() as usize;
    // Just above the first that the budget has no room for.
    let above = confirmed.get(allowed).map_or(f64::NEG_INFINITY, |evidence| evidence + 0.01);
    let least = floor.max(above);
    let may_fall = months >= QUIET_BUDGETS / budget;
    Ok(round(if may_fall { least } else { least.max(model.threshold_log_odds) }))
}
