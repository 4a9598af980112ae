//! What a change of hands within a session is worth, and from when on it is told: sessions of people left out, alone
//! and stitched.

use super::{Person, joined};
use crate::fit::typing::logistic;
use elsewhere::evidence::typing::handover::{AFTER_PRESSES, BEFORE_PRESSES_MIN, somewhere};
use elsewhere::evidence::typing::ordered::{OrderedObservation, OrderedParameters, squashed};

/// Hours of typing in which one change may be told that was none. Design figure (targets).
const HOURS_PER_FALSE_ALARM: f64 = 10.0;
/// Pieces before a change in calibration: 50 to 500 presses.
const BEFORE_PIECES: [usize; 4] = [1, 2, 5, 10];
/// Pieces before a point that it is compared with when alarms are counted: what a live session keeps in the mean.
const NEAR_PIECES: usize = 8;
/// Points of each session that calibration looks at.
const POINTS: usize = 6;
/// Others who take over at each point.
const TAKERS: usize = 2;
/// Pieces of one run in which an alarm counts once, 1000 presses.
const RUN_PIECES: usize = 20;

/// Ratios of changes that were and were not, and of all points of honest sessions.
#[derive(Default)]
pub(super) struct Changes {
    rows: Vec<Vec<f64>>,
    truths: Vec<bool>,
    /// By run of an honest session: its looks, each the squashed ratios by [`AFTER_PRESSES`].
    runs: Vec<Vec<[Option<f64>; AFTER_PRESSES.len()]>>,
    hours: f64,
}

fn ratio(before: &OrderedObservation, after: &OrderedObservation, parameters: &OrderedParameters) -> Option<f64> {
    Some(squashed(parameters.said(before)?.apart_from(&parameters.said(after)?)))
}

impl Changes {
    /// Adds the sessions of people whom `parameters` were not fitted on.
    pub(super) fn add(&mut self, people: &[&Person], parameters: &OrderedParameters) {
        for (index, person) in people.iter().enumerate() {
            for session in &person.sessions {
                self.add_points(session, people, index, parameters);
                self.add_runs(session, parameters);
            }
        }
    }

    fn add_points(
        &mut self,
        session: &[(OrderedObservation, u64)],
        people: &[&Person],
        index: usize,
        parameters: &OrderedParameters,
    ) {
        for point in 1..=POINTS {
            let at = session.len() * point / (POINTS + 1);
            for (before, after) in
                BEFORE_PIECES.iter().flat_map(|n| AFTER_PRESSES.map(|after| (*n, after / super::PIECE_PRESSES)))
            {
                if before > at || at + after > session.len() {
                    continue;
                }
                let Some(own) = joined(&session[at - before..at]) else { continue };
                let mut push = |after: Option<OrderedObservation>, changed: bool| {
                    if let Some(ratio) = after.and_then(|after| ratio(&own, &after, parameters)) {
                        self.rows.push(vec![ratio]);
                        self.truths.push(changed);
                    }
                };
                push(joined(&session[at..at + after]), false);
                for step in 1..=TAKERS {
                    let other = &people[(index + step * (point + 1)) % people.len()].sessions;
                    let Some(taken) = other.first().filter(|_| (step * (point + 1)) % people.len() != 0) else {
                        continue;
                    };
                    let from = taken.len() * point / (POINTS + 2);
                    push(taken.get(from..from + after).and_then(joined), true);
                }
            }
        }
    }

    fn add_runs(&mut self, session: &[(OrderedObservation, u64)], parameters: &OrderedParameters) {
        let mut looks = Vec::new();
        for (index, (_, micros)) in session.iter().enumerate() {
            self.hours += *micros as f64 / 3.6e9;
            looks.push(AFTER_PRESSES.map(|presses| {
                let at = (index + 1).checked_sub(presses / super::PIECE_PRESSES)?;
                let before = joined(&session[at.saturating_sub(NEAR_PIECES)..at])?;
                if before.press_count < BEFORE_PRESSES_MIN {
                    return None;
                }
                ratio(&before, &joined(&session[at..=index])?, parameters)
            }));
        }
        self.runs.extend(looks.chunks(RUN_PIECES).map(<[_]>::to_vec));
    }

    /// Factor and intercept of the squashed ratio.
    pub(super) fn calibration(&self) -> Result<Vec<f64>, String> {
        logistic(&self.rows, &self.truths, 1.0)
    }

    /// The log-likelihood ratio that honest sessions reach once in [`HOURS_PER_FALSE_ALARM`].
    pub(super) fn told(&self, calibration: &[f64]) -> f64 {
        let calibrated = |ratio: f64| calibration[0] * ratio + calibration[1];
        let of_look = |look: &[Option<f64>; AFTER_PRESSES.len()]| {
            somewhere(&look.map(|ratio| ratio.map(calibrated))).map(|(log_odds, _)| log_odds)
        };
        let mut greatest: Vec<f64> =
            self.runs.iter().filter_map(|run| run.iter().filter_map(of_look).reduce(f64::max)).collect();
        greatest.sort_unstable_by(|a, b| b.total_cmp(a));
        let allowed = (self.hours / HOURS_PER_FALSE_ALARM).floor() as usize;
        greatest.get(allowed).copied().unwrap_or(0.0).max(0.0)
    }
}
