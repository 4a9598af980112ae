//! Fits what a standing is judged by: each finding over many sessions, and the threshold.
//!
//! Every finding is fitted in several shapes on the fitting companies. Which shape serves is seen on the calibration
//! companies: the one whose operators are found most at the threshold that their honest workers ask for. What findings
//! add to a standing is a plain sum, so each shape of each finding is followed through all sessions once, and any choice
//! of shapes is judged by adding columns.

use super::world::{BUDGET, Role, World, role, round, unweighted};
use crate::world::Scenario;
use elsewhere::evidence::feature::{Features, Finding};
use elsewhere::evidence::quantile::quantile_of_sorted;
use elsewhere::model::{FindingModel, StandingModel};
use elsewhere::risk::Standing;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How a finding is fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    /// Most that a single honest worker's ratio counts when the finding is widened, nats: with a few thousand honest
    /// workers, one alone would otherwise set the width for everybody, where the threshold, set on other companies,
    /// holds such a worker back as well.
    ratio_max: f64,
    /// Whether a session clears in a standing no further than it may clear by itself.
    floored: bool,
}

/// The ratios tried.
const RATIOS_MAX: [f64; 6] = [2.0, 2.75, 3.5, 4.25, 5.0, 6.5];
/// Passes over the findings at most; they settle in two or three.
const PASSES_MAX: usize = 4;
/// Least recall by which a finding's own shape must beat the common one: a dozen of some thousand operators, so that
/// chance on the calibration companies does not choose.
const GAIN_MIN: f64 = 0.003;

/// A finding fitted in one way, and what it adds to the standing of its worker after each session of the calibration
/// companies, nats.
struct Fitted {
    model: FindingModel,
    course: Vec<f32>,
}

/// A finding in all shapes.
struct Options {
    /// What differs.
    fitted: Vec<Fitted>,
    /// Which of them each shape came to.
    of_shape: Vec<usize>,
}

/// Fits every finding on `fitting` and chooses shapes and threshold on `calibrating`, so that `share` of honest
/// worker-months there is expected to reach the threshold.
///
/// # Errors
/// A fit that does not pass the model's own check.
pub fn fit(fitting: &World, calibrating: &World, share: f64, say: &dyn Fn(&str)) -> Result<StandingModel, String> {
    let shapes: Vec<Shape> = [false, true]
        .into_iter()
        .flat_map(|floored| RATIOS_MAX.map(|ratio_max| Shape { ratio_max, floored }))
        .collect();
    let options = fit_shapes(fitting, calibrating, &shapes)?;
    let judge = |chosen: &[usize]| judged(calibrating, &options, chosen, share);
    // One shape for all findings first.
    let mut best: Option<(Judged, Vec<usize>)> = None;
    for (index, shape) in shapes.iter().enumerate() {
        let chosen: Vec<usize> = options.iter().map(|options| options.of_shape[index]).collect();
        let found = judge(&chosen);
        say(&format!("all findings at {shape:?}: {found}"));
        if best.as_ref().is_none_or(|(best, _)| found.recall > best.recall) {
            best = Some((found, chosen));
        }
    }
    let (mut best, mut chosen) = best.ok_or("no shape to fit a standing in")?;
    // Then each finding its own.
    for _ in 0..PASSES_MAX {
        let before = chosen.clone();
        for finding in Finding::ALL {
            let at = finding.index();
            for option in 0..options[at].fitted.len() {
                let tried: Vec<usize> =
                    chosen.iter().enumerate().map(|(index, now)| if index == at { option } else { *now }).collect();
                let found = judge(&tried);
                if found.recall > best.recall + GAIN_MIN {
                    let shape = options[at].of_shape.iter().position(|of_shape| *of_shape == option);
                    say(&format!("{} at {:?}: {found}", finding.name(), shape.map(|shape| shapes[shape])));
                    (best, chosen) = (found, tried);
                }
            }
        }
        if chosen == before {
            break;
        }
    }
    let (_, empty) = unweighted();
    let findings = options.iter().zip(&chosen).map(|(options, chosen)| options.fitted[*chosen].model.clone()).collect();
    Ok(StandingModel { findings, threshold_log_odds: best.threshold_log_odds, ..empty })
}

/// Fits all findings in all shapes and follows each through the calibration companies, on all cores.
fn fit_shapes(fitting: &World, calibrating: &World, shapes: &[Shape]) -> Result<Vec<Options>, String> {
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, Result<Options, String>>> = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(finding) = Finding::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let options = fit_options(*finding, fitting, calibrating, shapes);
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(finding.index(), options);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

fn fit_options(finding: Finding, fitting: &World, calibrating: &World, shapes: &[Shape]) -> Result<Options, String> {
    let mut options = Options { fitted: Vec::new(), of_shape: Vec::new() };
    for shape in shapes {
        let model = fit_finding(finding, fitting, *shape);
        // A floor under which no score falls is none.
        let known = options
            .fitted
            .iter()
            .position(|fitted| FindingModel { score_floor: fitted.model.score_floor, ..model.clone() } == fitted.model);
        let of_shape = match known {
            Some(known) => known,
            None => {
                let course = course(finding, &model, calibrating)?;
                options.fitted.push(Fitted { model, course });
                options.fitted.len() - 1
            }
        };
        options.of_shape.push(of_shape);
    }
    Ok(options)
}

/// What a finding adds to the standing of a session's worker after each session, nats, by the service's own [`Standing`].
/// Scores of sessions do not depend on standings, so no event needs to be scored again.
fn course(finding: Finding, model: &FindingModel, world: &World) -> Result<Vec<f32>, String> {
    let (_, empty) = unweighted();
    let prepared = StandingModel { findings: vec![model.clone()], ..empty }.prepare()?;
    let mut standings = vec![Standing::default(); world.scenario.len()];
    let mut features = Features::default();
    let after = world.sessions.iter().map(|session| {
        let standing = &mut standings[session.worker];
        let stood = match session.score(finding) {
            Some(score) => {
                features.set(finding.score(), score);
                standing.add(&features, &prepared, session.micros)
            }
            None => standing.settle(&prepared, session.micros),
        };
        stood.evidence_log_odds as f32
    });
    Ok(after.collect())
}

/// A choice of shapes at the threshold it asks for.
struct Judged {
    threshold_log_odds: f64,
    recall: f64,
    nearest: String,
}

impl std::fmt::Display for Judged {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { threshold_log_odds, recall, nearest } = self;
        write!(formatter, "threshold {threshold_log_odds:.2}, recall {recall:.3}; nearest honest workers {nearest}")
    }
}

fn judged(world: &World, options: &[Options], chosen: &[usize], share: f64) -> Judged {
    let courses: Vec<&[f32]> =
        options.iter().zip(chosen).map(|(options, chosen)| options.fitted[*chosen].course.as_slice()).collect();
    let mut highest = vec![f64::NEG_INFINITY; world.scenario.len()];
    for (index, session) in world.sessions.iter().enumerate() {
        let evidence: f64 = courses.iter().map(|course| f64::from(course[index])).sum();
        let highest = &mut highest[session.worker];
        *highest = highest.max(evidence);
    }
    let honest = highest.iter().zip(&world.hostile).filter(|(_, hostile)| !**hostile);
    let honest: Vec<f64> = honest.map(|(evidence, _)| *evidence).collect();
    let threshold_log_odds = threshold(&honest, share);
    let recall = mean_recall(world, &highest, threshold_log_odds);
    Judged { threshold_log_odds, recall, nearest: nearest(world, &highest) }
}

/// The honest workers whom a standing comes nearest to flagging: what the next fit should look at.
fn nearest(world: &World, highest: &[f64]) -> String {
    let honest = world.scenario.iter().zip(highest).filter(|(scenario, _)| !scenario.hostile());
    let mut honest: Vec<(&Scenario, &f64)> = honest.collect();
    honest.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    let told = honest.iter().take(8).map(|(scenario, evidence)| format!("{} {evidence:.1}", scenario.code()));
    told.collect::<Vec<_>>().join(", ")
}

/// A worker's sessions of one finding.
#[derive(Default, Clone)]
struct Seen {
    count: f64,
    sum: f64,
    squares: f64,
    last: f64,
}

impl Seen {
    fn mean(&self, cumulative: bool) -> f64 {
        if cumulative { self.last } else { self.sum / self.count }
    }
}

/// Fewest sessions of a worker that say what its mean is.
const SESSIONS_MIN: f64 = 3.0;
/// Bounds on the share of operators that show a finding. The mix of simulated operators is ours and not the world's, so
/// no absent finding may clear a worker by more than `ln(1 - .3)`, a third of a nat.
const SHARE_MIN: f64 = 0.05;
const SHARE_MAX: f64 = 0.3;
/// Least variance between honest workers, nats squared. Real oddities are more various than simulated ones.
const BETWEEN_MIN: f64 = 0.5;
/// Least variance of a session around its worker's mean, nats squared.
const WITHIN_MIN: f64 = 0.25;

/// Whether a finding is written only when there is something to find.
fn sparse(finding: Finding) -> bool {
    use elsewhere::evidence::feature::Family;
    matches!(finding.family(), Family::Crowd | Family::Telemetry)
}

/// Share by which the ratios of workers without a sparse finding fall short of one: a true ratio would pay for the few
/// honest workers who show it by clearing, slightly, all who do not. We do not clear them, but the sum is kept.
const SLACK: f64 = 0.05;

/// Fits the two-covariance model of a finding.
///
/// The variance between honest workers is widened until honest workers' likelihood ratios average at most one, as those
/// of a true ratio do: tails that a normal law misses (satellites, VPN users) are paid for here.
fn fit_finding(finding: Finding, world: &World, Shape { ratio_max, floored }: Shape) -> FindingModel {
    let Role { score_min, evidence_max, sustained, cumulative, .. } = role(finding);
    let score_cap = 8.0;
    let score_floor = floored.then_some(score_min);
    let mut seen = vec![Seen::default(); world.hostile.len()];
    for session in &world.sessions {
        if let Some(score) = session.score(finding) {
            let score = score.clamp(score_floor.unwrap_or(-score_cap), score_cap);
            let seen = &mut seen[session.worker];
            seen.count += 1.0;
            seen.sum += score;
            seen.squares += score * score;
            seen.last = score;
        }
    }
    let means = |hostile: bool| -> Vec<(f64, f64)> {
        let of_class =
            seen.iter().zip(&world.hostile).filter(|(seen, is)| **is == hostile && seen.count >= SESSIONS_MIN);
        of_class.map(|(seen, _)| (seen.mean(cumulative), seen.count)).collect()
    };
    let (honest, hostile) = (means(false), means(true));
    let average = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    // A finding that is written only when there is something to find is 0 for everybody else: without them, the few
    // honest workers who share an office would pass for what honest workers are like.
    let without = world.hostile.iter().filter(|hostile| !**hostile).count() - honest.len();
    let mut honest_means: Vec<f64> = honest.iter().map(|(mean, _)| *mean).collect();
    if sparse(finding) {
        honest_means.resize(honest_means.len() + without, 0.0);
    }
    let honest_mean = average(&honest_means);
    let noise: Vec<f64> = seen
        .iter()
        .zip(&world.hostile)
        .filter(|(seen, hostile)| !**hostile && seen.count >= SESSIONS_MIN)
        .map(|(seen, _)| (seen.squares - seen.sum * seen.sum / seen.count) / (seen.count - 1.0))
        .collect();
    let within_variance = if cumulative { WITHIN_MIN } else { average(&noise).max(WITHIN_MIN) };
    let spread = average(&honest_means.iter().map(|mean| (mean - honest_mean).powi(2)).collect::<Vec<_>>());
    let between_variance = spread.max(BETWEEN_MIN);
    let line = honest_mean + 0.5 + 2.0 * between_variance.sqrt();
    let showing: Vec<f64> = hostile.iter().map(|(mean, _)| *mean).filter(|mean| *mean > line).collect();
    let share = showing.len() as f64 / world.hostile.iter().filter(|hostile| **hostile).count().max(1) as f64;
    // A finding no simulated operator shows keeps a modest meaning: real ones may.
    let hostile_mean = if showing.is_empty() { line.max(honest_mean + 1.0) } else { average(&showing) };
    let mut model = FindingModel {
        finding: finding.name().into(),
        honest_mean: round(honest_mean),
        hostile_mean: round(hostile_mean),
        between_variance,
        within_variance: round(within_variance),
        hostile_share: round(share.clamp(SHARE_MIN, SHARE_MAX)),
        score_cap,
        score_floor,
        evidence_max,
        evidence_max_sustained: sustained,
        cumulative,
        weight: 1.0,
    };
    for _ in 0..40 {
        let ratios = honest.iter().map(|(mean, count)| {
            let count = if cumulative { 1.0 } else { *count };
            model.log_likelihood_ratio(*mean, count).min(sustained.min(ratio_max)).exp()
        });
        // Workers without the finding have a ratio of one.
        if ratios.sum::<f64>() <= honest.len() as f64 + if sparse(finding) { without as f64 * SLACK } else { 0.0 } {
            break;
        }
        model.between_variance *= 1.25;
    }
    model.between_variance = round(model.between_variance);
    model
}

/// The threshold that `share` of honest workers are expected to reach within the worker-month they were followed, from
/// the highest evidence of each, nats.
///
/// Flags that rare are seen once or twice in the companies, so the tail is fitted: beyond its 98th percentile honest
/// evidence falls off exponentially, by the mean excess there (the tail of Balkema, de Haan and Pickands with shape 0).
/// The threshold is never under the highest worker but `share` of all, nor under `ln(1 / budget)`, which a true ratio
/// would need.
fn threshold(honest: &[f64], share: f64) -> f64 {
    let mut sorted: Vec<f64> = honest.iter().copied().filter(|evidence| evidence.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let line = quantile_of_sorted(&sorted, 1.0 - TAIL_SHARE);
    let beyond: Vec<f64> = sorted.iter().filter(|evidence| **evidence > line).map(|evidence| evidence - line).collect();
    let mean_excess = beyond.iter().sum::<f64>() / beyond.len().max(1) as f64;
    let fitted = line + mean_excess * (TAIL_SHARE / share).ln();
    let seen = quantile_of_sorted(&sorted, 1.0 - share);
    round(fitted.max(seen).max((1.0 / BUDGET).ln()))
}

/// Mean over hostile scenarios but the blind spot of the share of workers whose standing ever reached the threshold.
fn mean_recall(world: &World, highest: &[f64], threshold_log_odds: f64) -> f64 {
    let mut by_scenario: BTreeMap<Scenario, (f64, f64)> = BTreeMap::new();
    for (scenario, evidence) in world.scenario.iter().zip(highest) {
        if scenario.hostile() && *scenario != Scenario::Renter {
            let row = by_scenario.entry(*scenario).or_default();
            row.0 += f64::from(u8::from(*evidence >= threshold_log_odds));
            row.1 += 1.0;
        }
    }
    by_scenario.values().map(|(hits, all)| hits / all).sum::<f64>() / by_scenario.len().max(1) as f64
}

/// Share of honest workers whose evidence the tail is fitted to.
const TAIL_SHARE: f64 = 0.02;

#[cfg(test)]
mod tests {
    use super::super::world::Session;
    use super::*;

    #[test]
    fn the_threshold_of_an_exponential_tail_is_where_few_enough_are_left() {
        // Evidence e with P(e > x) = exp(-x / 1.5): .0003 are left beyond 1.5 ln(1 / .0003) = 12.17.
        let honest: Vec<f64> = (0..20_000).map(|rank| -1.5 * ((f64::from(rank) + 0.5) / 20_000.0).ln()).collect();
        let found = threshold(&honest, 3e-4);
        assert!((found - 12.17).abs() < 0.3, "{found}");
        assert!((threshold(&[-1.0; 1_000], 3e-4) - 1e3_f64.ln()).abs() < 1e-5, "never under the budget's own");
    }

    /// Three honest workers and three operators of one scenario, each with ten sessions of one score.
    fn world(honest: [f64; 3], hostile: [f64; 3]) -> World {
        let mut world = World::default();
        for (worker, score) in honest.into_iter().chain(hostile).enumerate() {
            let is_hostile = worker >= 3;
            world.scenario.push(if is_hostile { Scenario::KvmFarm } else { Scenario::HomeWorker });
            world.hostile.push(is_hostile);
            for day in 0..10 {
                let mut features = Features::default();
                features.set(Finding::RemoteInputLoop.score(), score + 0.1 * f64::from(day % 3));
                world.sessions.push(Session::of(worker, i64::from(day) * 86_400_000_000, is_hostile, &features));
            }
        }
        world
    }

    #[test]
    fn a_floor_keeps_how_clean_the_clean_are_from_widening_a_finding() {
        let world = world([-8.0, -5.0, -2.0], [4.0, 4.0, 4.0]);
        let of = |floored| fit_finding(Finding::RemoteInputLoop, &world, Shape { ratio_max: 3.5, floored });
        assert!(of(false).between_variance > 5.0 && of(true).between_variance < 1.0);
        assert!(of(true).log_likelihood_ratio(4.0, 10.0) > of(false).log_likelihood_ratio(4.0, 10.0) + 2.0);
    }

    #[test]
    fn courses_of_findings_add_up_to_the_standing() {
        let world = world([-1.0, 0.0, 1.0], [3.0, 4.0, 5.0]);
        let model = fit(&world, &world, 3e-4, &|_| {}).expect("a fit");
        let prepared = model.clone().prepare().expect("sound");
        let entry = prepared.of(Finding::RemoteInputLoop).expect("an entry");
        let course = course(Finding::RemoteInputLoop, entry, &world).expect("a course");
        let mut standing = Standing::default();
        for (session, told) in world.sessions.iter().zip(course).filter(|(session, _)| session.worker == 5) {
            let mut features = Features::default();
            features.set(Finding::RemoteInputLoop.score(), session.score(Finding::RemoteInputLoop).expect("a score"));
            let stood = standing.add(&features, &prepared, session.micros);
            assert!((stood.evidence_log_odds - f64::from(told)).abs() < 1e-4);
        }
        assert!(standing.flagged(), "the operator with the slowest loop");
    }
}
