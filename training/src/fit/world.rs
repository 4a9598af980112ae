//! Fitted on simulated companies: weights of findings, calibration, levels and the numbers behind a standing.
//!
//! Companies that fit, calibrate and test have seeds, people, sites and networks of their own. Everything here is
//! simulated and said to be so in the card.

use crate::world::Scenario;
use elsewhere::evidence::feature::{Features, Finding};
use elsewhere::evidence::quantile::quantile_of_sorted;
use elsewhere::model::{Additive, Calibration, Levels, StandingModel, Term};
use ndarray::{Array1, Array2};

/// One simulated session as the fit sees it.
#[derive(Debug, Clone)]
pub struct Session {
    /// Number of the worker.
    pub worker: usize,
    /// When, microseconds since 1970.
    pub micros: i64,
    /// Whether somebody else than the worker made it.
    pub hostile: bool,
    /// Score per finding, nats; NaN when it took no part. In single precision: there are millions of them.
    scores: Box<[f32]>,
}

impl Session {
    /// Takes the scores of a session's features.
    pub fn of(worker: usize, micros: i64, hostile: bool, features: &Features) -> Self {
        let score = |finding: &Finding| features.get(finding.score()).map_or(f32::NAN, |score| score as f32);
        Self { worker, micros, hostile, scores: Finding::ALL.iter().map(score).collect() }
    }

    /// Score of a finding, nats; `None` when it took no part.
    pub fn score(&self, finding: Finding) -> Option<f64> {
        let score = self.scores[finding.index()];
        (!score.is_nan()).then_some(f64::from(score))
    }
}

/// Simulated companies after replay.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Sessions, company by company in time order.
    pub sessions: Vec<Session>,
    /// Scenario by worker.
    pub scenario: Vec<Scenario>,
    /// Whether the worker is hostile.
    pub hostile: Vec<bool>,
}

impl World {
    /// Adds another company: its workers get numbers after those that are here.
    pub fn extend(&mut self, other: World) {
        let offset = self.scenario.len();
        self.sessions.extend(other.sessions.into_iter().map(|one| Session { worker: one.worker + offset, ..one }));
        self.scenario.extend(other.scenario);
        self.hostile.extend(other.hostile);
    }
}

/// Prior odds the service assumes: one worker in a thousand (scenarios.md, A5).
const PREVALENCE: f64 = 1e-3;

/// Caps and roles of a finding, by judgement from `evidence.md`: how far one session's finding may clear or convict, and
/// how much it may add to a standing.
pub(super) struct Role {
    pub(super) score_min: f64,
    pub(super) score_max: f64,
    pub(super) evidence_max: f64,
    pub(super) sustained: f64,
    pub(super) cumulative: bool,
}

pub(super) fn role(finding: Finding) -> Role {
    let role = |score_min, score_max, evidence_max, sustained, cumulative| Role {
        score_min,
        score_max,
        evidence_max,
        sustained,
        cumulative,
    };
    match finding {
        // Physics: may flag alone once sustained over three days.
        // Caps leave room above a threshold that a wider world sets near 10: what holds the honest back is the variance
        // between them, which is widened until their ratios average one. A loop through a person is slower for more
        // reasons than distance, so it has the lower cap.
        Finding::RemoteInputLoop => role(-1.5, 5.0, 5.0, 12.0, false),
        // What people differ in most: the work's own loops corroborate.
        Finding::RemoteInputHabits => role(-0.5, 1.0, 1.5, 1.5, false),
        Finding::NetworkRoundTrip | Finding::NetworkGap => role(-1.5, 5.0, 5.5, 14.0, false),
        // Speaks only against, and an anchor told wrong speaks every day: it alone stays under the threshold.
        Finding::NetworkBound => role(0.0, 5.0, 4.5, 4.5, false),
        Finding::RemoteInputPointer | Finding::RemoteInputKey => role(-1.5, 4.5, 5.0, 5.0, false),
        Finding::TypingPhrase | Finding::TypingTable | Finding::TypingOrdered => role(-2.5, 5.0, 4.5, 4.5, false),
        Finding::CrowdSite | Finding::CrowdAuthenticator | Finding::CrowdRelay => role(0.0, 4.0, 4.5, 4.5, true),
        // Hands are alike by chance, and tokens that many share (a capture card's own identity) make chance cheap: five of
        // a thousand honest workers were flagged, all of them home-lab owners, when this counted like a shared home.
        Finding::CrowdTypist => role(0.0, 3.0, 2.5, 2.5, true),
        // Rhythm corroborates, it never convicts.
        Finding::TimezoneRhythm => role(-2.0, 3.0, 3.0, 3.0, true),
        // Days of rest and changes of hours belong to people's lives: they support others and carry nothing alone.
        Finding::TimezoneCalendar => role(-0.6, 1.5, 1.5, 1.5, true),
        Finding::TimezoneChange => role(-0.5, 1.5, 1.0, 1.0, true),
        Finding::TelemetryReplay => role(0.0, 4.0, 4.0, 4.0, false),
        Finding::RemoteInputDevice | Finding::RemoteInputSoftware => role(-0.5, 2.5, 2.5, 2.5, false),
        Finding::NetworkFamiliarity => role(-2.0, 4.0, 2.0, 2.0, false),
        Finding::TypingSynthetic | Finding::RemoteInputMachine | Finding::RemoteInputDelay => {
            role(-0.5, 2.5, 2.0, 2.0, false)
        }
        Finding::TimezoneClock | Finding::NetworkClaim | Finding::NetworkTravel => role(-1.0, 2.5, 2.0, 2.0, false),
        Finding::TimezoneNetwork | Finding::NetworkAnonymized | Finding::TelemetrySilent => {
            role(-0.5, 1.0, 1.0, 1.0, false)
        }
    }
}

/// The model before anything is fitted on a company: every finding at full weight.
pub fn unweighted() -> (Additive, StandingModel) {
    let terms = Finding::ALL.iter().map(|finding| term(*finding, 1.0)).collect();
    let additive = Additive { base_log_odds: (PREVALENCE / (1.0 - PREVALENCE)).ln(), terms };
    let standing = StandingModel {
        findings: Vec::new(),
        half_life_days: HALF_LIFE_DAYS,
        latest_day_count: LATEST_DAYS,
        latest_weight: LATEST_WEIGHT,
        sustained_day_count: SUSTAINED_DAYS,
        false_flag_budget: BUDGET,
        threshold_log_odds: (1.0 / BUDGET).ln(),
    };
    (additive, standing)
}

/// A quarter's work fades to half in two months: long enough for twenty workdays to add up, short enough to forgive.
const HALF_LIFE_DAYS: f64 = 60.0;
/// Days that the short memory of a standing holds. Of 2, 3 and 5 days, and 4 to 15 sessions, all flagged 19 to 25 of 25
/// takeovers (5 to 8 without it) and moved the most suspicious honest worker by under .4 nats; three days agree with
/// [`SUSTAINED_DAYS`].
const LATEST_DAYS: f64 = 3.0;
/// Belief that a hostile account changed hands rather than was hostile all along. Prior by judgement: even.
const LATEST_WEIGHT: f64 = 0.5;
/// Days on which physics must hold before it flags alone. Design figure.
const SUSTAINED_DAYS: u32 = 3;
/// False flags per worker-month. Design figure.
pub(super) const BUDGET: f64 = 1e-3;

fn term(finding: Finding, weight: f64) -> Term {
    let Role { score_min, score_max, .. } = role(finding);
    Term { finding: finding.name().into(), weight, score_min, score_max }
}

fn capped(session: &Session) -> Vec<f64> {
    let cap = |finding: &Finding| {
        let Role { score_min, score_max, .. } = role(*finding);
        session.score(*finding).map_or(0.0, |score| score.clamp(score_min, score_max))
    };
    Finding::ALL.iter().map(cap).collect()
}

/// Least and greatest weight of a finding. A simulated company cannot prove that real evidence is worthless, nor that
/// it is worth more than its family measured on real data.
const WEIGHT_MIN: f64 = 0.5;
const WEIGHT_MAX: f64 = 1.0;
/// Ridge on the weights: findings of one cause share their weight instead of fighting over it.
const RIDGE: f64 = 3.0;

/// Fits the weight of every finding by logistic regression of hostile against honest sessions.
///
/// # Errors
/// When linfa cannot fit.
pub fn fit_weights(world: &World) -> Result<Additive, String> {
    let rows: Vec<Vec<f64>> = world.sessions.iter().map(capped).collect();
    let columns = Finding::COUNT;
    let flat: Vec<f64> = rows.iter().flatten().copied().collect();
    let records = Array2::from_shape_vec((rows.len(), columns), flat).map_err(|error| error.to_string())?;
    let targets: Array1<bool> = world.sessions.iter().map(|session| session.hostile).collect();
    let (weights, _) = logistic(records, targets, RIDGE)?;
    let terms = Finding::ALL
        .iter()
        .map(|finding| term(*finding, round(weights[finding.index()].clamp(WEIGHT_MIN, WEIGHT_MAX))))
        .collect();
    Ok(Additive { base_log_odds: (PREVALENCE / (1.0 - PREVALENCE)).ln(), terms })
}

/// Six decimals: more would only be noise of the optimiser, and people read the file.
pub(super) fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Coefficients and intercept of a ridge logistic regression of `true`, by Newton's method.
///
/// The ridge holds the coefficients and not the intercept. Our own because the line search of linfa's L-BFGS does not
/// come to an end on columns of unequal scale, which presence and capped scores are: minutes where this takes seconds.
///
/// # Errors
/// When the columns determine nothing, which a positive ridge rules out.
pub fn logistic(records: Array2<f64>, targets: Array1<bool>, ridge: f64) -> Result<(Vec<f64>, f64), String> {
    let width = records.ncols() + 1;
    let mut weights = vec![0.0; width];
    for _ in 0..NEWTON_STEPS_MAX {
        let mut gradient = vec![0.0; width];
        let mut curvature = vec![vec![0.0; width]; width];
        for (row, target) in records.rows().into_iter().zip(&targets) {
            let at = |index: usize| if index + 1 == width { 1.0 } else { row[index] };
            let sum: f64 = (0..width).map(|index| at(index) * weights[index]).sum();
            let share = 1.0 / (1.0 + (-sum).exp());
            let error = share - f64::from(u8::from(*target));
            let bend = (share * (1.0 - share)).max(1e-9);
            for first in 0..width {
                let value = at(first);
                // Most findings of a session took no part.
                if value == 0.0 {
                    continue;
                }
                gradient[first] += error * value;
                for (second, sum) in curvature[first].iter_mut().enumerate().take(first + 1) {
                    *sum += bend * value * at(second);
                }
            }
        }
        for index in 0..width {
            let held = if index + 1 == width { 1e-9 } else { ridge };
            gradient[index] += held * weights[index];
            curvature[index][index] += held;
        }
        let step = solve(curvature, gradient)?;
        // A step that would leap is shortened: separable sides ask for infinite weights.
        let longest = step.iter().fold(0.0_f64, |most, one| most.max(one.abs()));
        let share = (STEP_MAX / longest.max(1e-12)).min(1.0);
        weights.iter_mut().zip(&step).for_each(|(weight, step)| *weight -= share * step);
        if longest < 1e-7 {
            break;
        }
    }
    let intercept = weights.pop().unwrap_or_default();
    Ok((weights, intercept))
}

/// Most steps of Newton's method: it doubles its digits with each.
const NEWTON_STEPS_MAX: usize = 50;
/// Longest step in any coefficient.
const STEP_MAX: f64 = 4.0;

/// Solves a symmetric positive system given by its lower triangle, by Cholesky's factors.
fn solve(mut lower: Vec<Vec<f64>>, mut right: Vec<f64>) -> Result<Vec<f64>, String> {
    let size = right.len();
    for column in 0..size {
        for row in column..size {
            let sum: f64 = (0..column).map(|at| lower[row][at] * lower[column][at]).sum();
            let left = lower[row][column] - sum;
            if row == column {
                if left <= 0.0 {
                    return Err("logistic regression: the columns determine nothing".into());
                }
                lower[row][column] = left.sqrt();
            } else {
                lower[row][column] = left / lower[column][column];
            }
        }
    }
    for row in 0..size {
        let sum: f64 = (0..row).map(|at| lower[row][at] * right[at]).sum();
        right[row] = (right[row] - sum) / lower[row][row];
    }
    for row in (0..size).rev() {
        let sum: f64 = (row + 1..size).map(|at| lower[at][row] * right[at]).sum();
        right[row] = (right[row] - sum) / lower[row][row];
    }
    Ok(right)
}

/// Fits calibration on a company of its own: log-odds of hostile at even prior against the weighed evidence.
///
/// # Errors
/// When linfa cannot fit.
pub fn fit_calibration(world: &World, additive: &Additive) -> Result<Calibration, String> {
    let evidence: Vec<f64> = world.sessions.iter().map(|session| weigh(session, additive)).collect();
    let targets: Array1<bool> = world.sessions.iter().map(|session| session.hostile).collect();
    let positive = targets.iter().filter(|hostile| **hostile).count() as f64;
    let negative = targets.len() as f64 - positive;
    let records = Array2::from_shape_vec((evidence.len(), 1), evidence).map_err(|error| error.to_string())?;
    let (slope, intercept) = logistic(records, targets, 1e-3)?;
    Ok(Calibration {
        intercept: round((intercept - (positive / negative).ln()).clamp(-3.0, 0.5)),
        slope: round(slope[0].clamp(0.3, 1.0)),
    })
}

/// The evidence of a session: what all findings add, nats.
pub fn weigh(session: &Session, additive: &Additive) -> f64 {
    let capped = capped(session);
    additive.terms.iter().zip(&capped).map(|(term, score)| term.weight * score).sum()
}

/// Probability of a session after calibration.
pub fn probability(session: &Session, additive: &Additive, calibration: &Calibration) -> f64 {
    let logit = additive.base_log_odds + calibration.intercept + calibration.slope * weigh(session, additive);
    1.0 / (1.0 + (-logit).exp())
}

/// Levels by what they cost on honest sessions of the calibration company: a step-up for one login in a thousand, a
/// person's look for one in ten thousand (scenarios.md, protocol).
pub fn fit_levels(world: &World, additive: &Additive, calibration: &Calibration) -> Levels {
    let honest = world.sessions.iter().filter(|session| !session.hostile);
    let mut probabilities: Vec<f64> = honest.map(|session| probability(session, additive, calibration)).collect();
    probabilities.sort_by(f64::total_cmp);
    let medium = quantile_of_sorted(&probabilities, 1.0 - 1e-3).clamp(0.005, 0.5);
    let high = quantile_of_sorted(&probabilities, 1.0 - 1e-4).clamp(0.02_f64.max(medium * 1.5), 0.9);
    Levels { medium: round(medium), high: round(high) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newtons_method_finds_the_log_odds_of_a_table() {
        // Of 40 with the mark 30 are hostile, of 60 without 12: ln 3 and ln .25, so the mark weighs ln 12.
        let rows: Vec<(f64, bool)> = [(1.0, true, 30), (1.0, false, 10), (0.0, true, 12), (0.0, false, 48)]
            .into_iter()
            .flat_map(|(mark, hostile, count)| std::iter::repeat_n((mark, hostile), count))
            .collect();
        let records = Array2::from_shape_vec((rows.len(), 1), rows.iter().map(|row| row.0).collect()).expect("shape");
        let (weights, intercept) = logistic(records, rows.iter().map(|row| row.1).collect(), 0.0).expect("a fit");
        assert!((weights[0] - 12.0_f64.ln()).abs() < 1e-6 && (intercept - 0.25_f64.ln()).abs() < 1e-6);
    }
}
