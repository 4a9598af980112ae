//! Fits ordered free typing: how people, sessions and presses vary in the traits of a stretch, by EM over blocks, and
//! what ratios are worth on people left out.

mod changes;
mod covariances;

use super::logistic;
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Stretch, Typist};
use covariances::{Block, fit_clock};
use elsewhere::event::EventTime;
use elsewhere::evidence::quantile::quantile_of_sorted;
use elsewhere::evidence::typing::ordered::{
    ClockModel, OrderedObservation, OrderedParameters, OrderedProfile, OrderedScore, SETTLED_PRESSES,
};
use std::collections::BTreeMap;
use std::path::Path;

/// Presses of the pieces that everything is joined from.
pub(crate) const PIECE_PRESSES: usize = 50;
/// Pieces of the blocks that covariances are fitted on.
const BLOCK_PIECES: usize = 5;
/// Most blocks of one session.
const BLOCKS_MAX: usize = 12;
/// Sets of free text whose licence lets the result ship.
const FITTED_SETS: [KeystrokeSet; 2] = [KeystrokeSet::VillaniFree, KeystrokeSet::Bbmas];
/// Coarsest clocks of the models, and the clock that the sets are stamped anew with; their own is 15.6 ms.
const CLOCKS: [(u32, Option<u32>); 3] = [(20_000, None), (50_000, Some(33_000)), (1_000_000, Some(100_000))];
/// Folds of people left out for calibration.
const FOLDS: usize = 5;

/// Pieces in order, each with how long it took to type, microseconds.
type Pieces<'a> = &'a [(OrderedObservation, u64)];

/// A typist's sessions as pieces of [`PIECE_PRESSES`] presses.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Where the person is from.
    pub set: KeystrokeSet,
    /// Pieces in order, by session, each with how long it took to type, microseconds.
    pub sessions: Vec<Vec<(OrderedObservation, u64)>>,
}

/// Observes parts as one stretch, through the functions that serve.
pub(crate) fn observed(
    parts: &[Stretch],
    set: KeystrokeSet,
    clock_micros: Option<u32>,
) -> Result<Option<OrderedObservation>, String> {
    let mut joined: Option<OrderedObservation> = None;
    for part in parts {
        let typing = convert::typing_of(part, set, "");
        let mut event = convert::bare_event("w", "e".into(), 0);
        event.typing = Some(clock_micros.map_or_else(|| typing.clone(), |clock| convert::with_clock(&typing, clock)));
        let presses = part.press_interval_micros.len();
        let samples = super::samples(event)?;
        let found = samples.typing.as_ref().and_then(|typing| OrderedObservation::of_last(typing, presses));
        match (&mut joined, found) {
            (Some(joined), Some(found)) => {
                joined.join(&found);
            }
            (None, found) => joined = found,
            (Some(_), None) => {}
        }
    }
    Ok(joined)
}

/// The sessions of a typist; a set without sessions is one sitting.
pub(crate) fn sessions(typist: &Typist) -> Vec<Vec<Stretch>> {
    let mut by_session: BTreeMap<u32, Vec<Stretch>> = BTreeMap::new();
    for stretch in &typist.stretches {
        by_session.entry(stretch.session).or_default().push(stretch.clone());
    }
    by_session.into_values().collect()
}

/// Pauses are no typing, however long.
const PAUSE_MICROS_MAX: u64 = 10_000_000;

fn person(typist: &Typist, set: KeystrokeSet, clock_micros: Option<u32>) -> Result<Person, String> {
    let mut person = Person { set, sessions: Vec::new() };
    for session in sessions(typist) {
        let mut pieces = Vec::new();
        for block in convert::blocks(&session, PIECE_PRESSES) {
            let intervals = block.iter().flat_map(|part| &part.press_interval_micros);
            let micros = intervals.map(|interval| u64::from(*interval).min(PAUSE_MICROS_MAX)).sum();
            pieces.extend(observed(&block, set, clock_micros)?.map(|piece| (piece, micros)));
        }
        person.sessions.push(pieces);
    }
    Ok(person)
}

/// Joins pieces to one stretch.
pub(crate) fn joined(pieces: &[(OrderedObservation, u64)]) -> Option<OrderedObservation> {
    let (first, rest) = pieces.split_first()?;
    let mut stretch = first.0.clone();
    rest.iter().for_each(|(piece, _)| {
        stretch.join(piece);
    });
    Some(stretch)
}

/// Fits on the people that `kept` names by set and pseudonym; the others take no part.
///
/// # Errors
/// A file that is missing or malformed, or a regression that does not converge.
pub fn fit_ordered(data: &Path, kept: &dyn Fn(KeystrokeSet, &str) -> bool) -> Result<OrderedParameters, String> {
    let mut clocks = Vec::new();
    for (timer_resolution_micros_max, clock_micros) in CLOCKS {
        let mut people = Vec::new();
        for set in FITTED_SETS {
            for typist in corpus::read(data, set)?.iter().filter(|typist| kept(set, &typist.subject)) {
                people.push(person(typist, set, clock_micros)?);
            }
        }
        clocks.push(fit_of_clock(&people, timer_resolution_micros_max)?);
    }
    Ok(OrderedParameters { clocks })
}

/// Fits on everybody; calibrates on people that the model behind the scores has not seen.
fn fit_of_clock(people: &[Person], timer_resolution_micros_max: u32) -> Result<ClockModel, String> {
    let everybody: Vec<&Person> = people.iter().collect();
    let mut model = fit_clock(&everybody, timer_resolution_micros_max);
    let (mut trials, mut changes) = (Vec::new(), changes::Changes::default());
    for fold in 0..FOLDS {
        let of_fold = |inside: bool| -> Vec<&Person> {
            let chosen = people.iter().enumerate().filter(|(index, _)| (index % FOLDS == fold) == inside);
            chosen.map(|(_, person)| person).collect()
        };
        let others = OrderedParameters { clocks: vec![fit_clock(&of_fold(false), timer_resolution_micros_max)] };
        for set in FITTED_SETS {
            let left: Vec<&Person> = of_fold(true).into_iter().filter(|person| person.set == set).collect();
            trials.extend(self::trials(&left, &others));
            changes.add(&left, &others);
        }
    }
    let (rows, truths) = balanced(&trials);
    model.calibration = logistic(&rows, &truths, 1.0)?;
    model.odd_stretch_rate = odd_rate(&trials, &model);
    model.handover_calibration = changes.calibration()?;
    model.handover_told = changes.told(&model.handover_calibration);
    let calibrated = OrderedParameters { clocks: vec![model.clone()] };
    let side = |non_mated: bool, young: bool| -> Vec<f64> {
        let fits =
            |trial: &&Trial| trial.non_mated == non_mated && (trial.score.enrolled_presses < SETTLED_PRESSES) == young;
        let mut scores: Vec<f64> =
            trials.iter().filter(fits).map(|trial| calibrated.calibrated(&trial.score)).collect();
        scores.sort_unstable_by(f64::total_cmp);
        scores
    };
    model.gate = quantile_of_sorted(&side(true, false), 0.01);
    model.gate_young = quantile_of_sorted(&side(false, true), 0.95).max(0.0);
    Ok(model)
}

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// Shares of stretches that no fit foresees, of which the one that costs least is taken.
const ODD_RATES: [f64; 7] = [0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05];

/// The share of odd stretches by the logarithmic loss of trials, both sets and both truths counting the same.
fn odd_rate(trials: &[Trial], model: &ClockModel) -> f64 {
    let loss = |odd_stretch_rate: f64| {
        let of = OrderedParameters { clocks: vec![ClockModel { odd_stretch_rate, ..model.clone() }] };
        let mut sides: BTreeMap<(KeystrokeSet, bool), (f64, f64)> = BTreeMap::new();
        for trial in trials {
            let score = of.calibrated(&trial.score);
            let wrong = if trial.non_mated { -score } else { score };
            let (sum, count) = sides.entry((trial.set, trial.non_mated)).or_default();
            *sum += wrong.max(0.0) + (-wrong.abs()).exp().ln_1p();
            *count += 1.0;
        }
        sides.values().map(|(sum, count)| sum / count).sum::<f64>()
    };
    ODD_RATES.into_iter().min_by(|a, b| loss(*a).total_cmp(&loss(*b))).unwrap_or(0.0)
}

/// A comparison of a stretch with a profile, and its truth.
struct Trial {
    set: KeystrokeSet,
    score: OrderedScore,
    non_mated: bool,
}

/// Pieces of the stretches compared: 50, 100 and 250 presses.
const PROBE_PIECES: [usize; 3] = [1, 2, 5];
/// Pieces that enrol: 50 to 1500 presses.
const ENROL_PIECES: [usize; 5] = [1, 2, 5, 10, 30];
/// Own stretches and strangers that try each profile.
const OWN_PROBES: usize = 8;
const STRANGERS: usize = 8;

/// First sessions enrol and later ones probe; of one sitting its halves.
fn split(person: &Person) -> (Vec<Pieces<'_>>, Vec<Pieces<'_>>) {
    match &person.sessions[..] {
        [sitting] => {
            let (first, second) = sitting.split_at(sitting.len() / 2);
            (vec![first], vec![second])
        }
        sessions => {
            let (first, later) = sessions.split_at(sessions.len() / 2);
            (first.iter().map(Vec::as_slice).collect(), later.iter().map(Vec::as_slice).collect())
        }
    }
}

/// Stretches of so many pieces, evenly taken from later sessions.
fn probes(person: &Person, pieces: usize, most: usize) -> Vec<OrderedObservation> {
    let later = split(person).1;
    let found: Vec<OrderedObservation> =
        later.iter().flat_map(|session| session.chunks_exact(pieces)).filter_map(joined).collect();
    let step = found.len().div_ceil(most).max(1);
    found.into_iter().step_by(step).collect()
}

/// A profile of the first so many pieces of earlier sessions.
fn enrolled(person: &Person, pieces: usize, parameters: &OrderedParameters) -> OrderedProfile {
    let mut profile = OrderedProfile::default();
    let mut left = pieces;
    for (day, session) in (0..).zip(split(person).0) {
        let taken = &session[..left.min(session.len())];
        left -= taken.len();
        if let Some(stretch) = joined(taken) {
            profile.learn(&stretch, parameters, EventTime(day * DAY_MICROS));
        }
    }
    profile
}

fn trials(people: &[&Person], parameters: &OrderedParameters) -> Vec<Trial> {
    let mut trials = Vec::new();
    for pieces in PROBE_PIECES {
        let probes: Vec<Vec<OrderedObservation>> =
            people.iter().map(|person| probes(person, pieces, OWN_PROBES)).collect();
        for (index, person) in people.iter().enumerate() {
            for enrol in ENROL_PIECES {
                let profile = enrolled(person, enrol, parameters);
                let mut push = |probe: &OrderedObservation, non_mated: bool| {
                    let score = profile.score(probe, parameters);
                    trials.extend(score.map(|score| Trial { set: person.set, score, non_mated }));
                };
                probes[index].iter().for_each(|probe| push(probe, false));
                for step in 1..=STRANGERS.min(people.len() - 1) {
                    let others = &probes[(index + step) % people.len()];
                    others.get(step % others.len().max(1)).into_iter().for_each(|probe| push(probe, true));
                }
            }
        }
    }
    trials
}

/// Trials per set and truth that enter the calibration, so that no set drowns another.
const CALIBRATION_TRIALS: usize = 3_000;

fn balanced(trials: &[Trial]) -> (Vec<Vec<f64>>, Vec<bool>) {
    let (mut rows, mut truths) = (Vec::new(), Vec::new());
    for set in FITTED_SETS {
        for non_mated in [false, true] {
            let side: Vec<&Trial> =
                trials.iter().filter(|trial| trial.set == set && trial.non_mated == non_mated).collect();
            // A stride that is no divisor of the order they were made in.
            for index in 0..CALIBRATION_TRIALS.min(side.len()) {
                let trial = side[index * side.len() / CALIBRATION_TRIALS.min(side.len())];
                rows.push(trial.score.inputs().to_vec());
                truths.push(non_mated);
            }
        }
    }
    (rows, truths)
}

/// Blocks of a session that covariances are fitted on, evenly taken.
fn blocks(session: &[(OrderedObservation, u64)]) -> Vec<Block> {
    let blocks: Vec<Block> =
        session.chunks_exact(BLOCK_PIECES).filter_map(joined).map(|block| Block::of(&block)).collect();
    let step = blocks.len().div_ceil(BLOCKS_MAX).max(1);
    blocks.into_iter().step_by(step).collect()
}
