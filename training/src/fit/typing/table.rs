//! Fits the table part of the typing family: factor model by EM with missing rows, then two covariances.

use super::covariance::{self, PersonFactors};
use super::{calibrate, factor, samples};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet};
use elsewhere::evidence::typing::observe::observe;
use elsewhere::evidence::typing::table::{
    PRESSES_NOMINAL, Placed, Population, TableCalibration, TableObservation, TableParameters, TablePool, TableProfile,
    TableShare,
};
use std::collections::BTreeMap;
use std::path::Path;

/// Tables of one person, in order.
#[derive(Debug, Clone)]
pub(crate) struct TablePerson {
    /// Where the person is from.
    pub set: KeystrokeSet,
    /// Pseudonym, unique within the set.
    pub subject: String,
    /// Tables by session; sessions of one sitting are blocks.
    pub sessions: Vec<Vec<TableObservation>>,
    /// Whether tables of one session are of one day. Not of Aalto, whose people type in one sitting what stands for
    /// days everywhere in the evaluation.
    pub one_sitting: bool,
}

/// Most blocks taken of a person of one sitting.
const BLOCKS_MAX: usize = 14;

/// Observes the table of a block through the road that serves.
fn table_observation(
    block: &[corpus::Stretch],
    set: KeystrokeSet,
    clock_micros: Option<u32>,
) -> Result<Option<TableObservation>, String> {
    let mut event = convert::bare_event("w", "e".into(), 0);
    let mut table = convert::table_of(block, set);
    table.timer_resolution_micros = clock_micros.unwrap_or(table.timer_resolution_micros);
    event.cadence = Some(table);
    Ok(observe(&samples(event)?).table)
}

/// A stretch as a coarser clock would have stamped it.
fn with_clock(stretch: corpus::Stretch, set: KeystrokeSet, clock_micros: u32) -> corpus::Stretch {
    let coarse = convert::with_clock(&convert::typing_of(&stretch, set, ""), clock_micros);
    corpus::Stretch {
        press_interval_micros: coarse.press_interval_micros,
        dwell_micros: coarse.dwell_micros,
        ..stretch
    }
}

/// People with tables of `presses` presses.
pub(crate) fn table_people(data: &Path, set: KeystrokeSet, presses: usize) -> Result<Vec<TablePerson>, String> {
    table_people_by_clock(data, set, presses, None)
}

/// People with tables of `presses` presses, stamped anew by another clock where one is given.
pub(crate) fn table_people_by_clock(
    data: &Path,
    set: KeystrokeSet,
    presses: usize,
    clock_micros: Option<u32>,
) -> Result<Vec<TablePerson>, String> {
    let mut people = Vec::new();
    for typist in corpus::read(data, set)? {
        let mut by_session: BTreeMap<u32, Vec<corpus::Stretch>> = BTreeMap::new();
        for stretch in typist.stretches {
            let session = stretch.session;
            let stretch = match clock_micros {
                Some(clock) => with_clock(stretch, set, clock),
                None => stretch,
            };
            by_session.entry(session).or_default().push(stretch);
        }
        let mut sessions = Vec::new();
        for stretches in by_session.values() {
            let blocks = convert::blocks(stretches, presses);
            let step = blocks.len().div_ceil(BLOCKS_MAX).max(1);
            let mut tables = Vec::new();
            for block in blocks.iter().step_by(step) {
                tables.extend(table_observation(block, set, clock_micros)?);
            }
            sessions.push(tables);
        }
        people.push(TablePerson { set, subject: typist.subject, sessions, one_sitting: set != KeystrokeSet::Aalto });
    }
    Ok(people)
}

/// Fits factors, remainders and covariances on people; calibration is left cautious.
pub(crate) fn fit_model(people: &[&TablePerson]) -> TableParameters {
    let tables: Vec<&TableObservation> = people.iter().flat_map(|person| person.sessions.iter().flatten()).collect();
    let mut model = factor::fit_factors(&tables, factor::RANK);
    let placed: Vec<factor::PlacedPerson> = people
        .iter()
        .map(|person| {
            let place = |table| {
                let rows = model.heard(table);
                let factors = model.factors(&rows);
                (rows, factors)
            };
            person.sessions.iter().flatten().map(place).collect()
        })
        .collect();
    factor::fit_remainders(&mut model, &placed);
    model.slots = factor::choose_slots(&model, &placed);
    let factors: Vec<PersonFactors> = people
        .iter()
        .zip(&placed)
        .map(|(person, placed)| {
            let mut rest = placed.iter().map(|(_, factors)| factors.clone());
            let sessions = person.sessions.iter().map(|session| rest.by_ref().take(session.len()).collect()).collect();
            PersonFactors { set: person.set, sessions }
        })
        .collect();
    covariance::fit_covariances(&mut model, &factors);
    let mut bits = 0xcbf2_9ce4_u32;
    for value in model.projection.iter().flatten() {
        bits = (bits ^ (value.to_bits() >> 20) as u32).wrapping_mul(0x0100_0193);
    }
    model.basis = bits;
    model
}

/// A comparison of a table with a profile, and its truth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableTrial {
    /// Whose profile, as a position among the people.
    pub person: usize,
    /// Uncalibrated ratio, nats: positive = one typist.
    pub ratio: f64,
    /// How far the population behind it was the tenant's own.
    pub tenant_share: f64,
    /// Whether the table is a stranger's.
    pub non_mated: bool,
}

/// A table and the day it was typed on: the session's number, or each table's own.
pub(crate) type DatedTable<'a> = (u16, &'a TableObservation);

impl TablePerson {
    /// All tables with their days, oldest first.
    pub(crate) fn dated(&self) -> Vec<DatedTable<'_>> {
        let of_session = |(day, tables): (u16, &'_ Vec<TableObservation>)| (day, tables.len());
        let days = (0..).zip(&self.sessions).map(of_session).flat_map(|(day, count)| std::iter::repeat_n(day, count));
        let tables = self.sessions.iter().flatten();
        if self.one_sitting { days.zip(tables).collect() } else { (0..).zip(tables).collect() }
    }
}

/// A person's tables to enrol and to probe with: of several sessions the first half enrols, of one the first tables;
/// `enrol` tables at most, oldest first.
pub(crate) fn enrolled_and_probes(person: &TablePerson, enrol: usize) -> (Vec<DatedTable<'_>>, Vec<&TableObservation>) {
    let mut tables = person.dated();
    let half = match person.sessions.len() {
        0 | 1 => enrol.min(tables.len() / 2),
        several => person.sessions[..several / 2].iter().map(Vec::len).sum(),
    };
    let later = tables.split_off(half);
    tables.truncate(enrol);
    (tables, later.into_iter().map(|(_, table)| table).collect())
}

/// The profile that tables teach.
pub(crate) fn learned(tables: &[DatedTable<'_>], parameters: &TableParameters) -> TableProfile {
    let mut profile = TableProfile::default();
    tables.iter().for_each(|(day, table)| profile.learn(table, parameters, *day));
    profile
}

/// The workers of a tenant as a store keeps them together.
pub(crate) fn pooled<'a>(profiles: impl IntoIterator<Item = &'a TableProfile>) -> TablePool {
    let mut pool = TablePool::default();
    profiles.into_iter().filter_map(TableShare::of).for_each(|share| pool.add(&share));
    pool
}

/// Who else works where people are tried.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Company<'a> {
    /// Nobody whom the store knows: everybody's population.
    Alone,
    /// Others, none of whom is tried.
    Others(&'a TablePool),
    /// Those who are tried, strangers and all.
    Themselves,
}

/// Enrols the first tables of everybody and compares later ones: for several sessions, across them. `probes` are the
/// same people, perhaps by another clock.
pub(crate) fn table_trials(
    people: &[&TablePerson],
    probes: &[&TablePerson],
    parameters: &TableParameters,
    company: Company<'_>,
    (enrol, strangers): (usize, usize),
) -> Vec<TableTrial> {
    let place = |table: &TableObservation| Some((parameters.place(table)?, table.press_count));
    let later: Vec<Vec<_>> = probes
        .iter()
        .map(|person| enrolled_and_probes(person, enrol).1.into_iter().filter_map(place).collect())
        .collect();
    let profiles: Vec<TableProfile> =
        people.iter().map(|person| learned(&enrolled_and_probes(person, enrol).0, parameters)).collect();
    let themselves = if matches!(company, Company::Themselves) { pooled(&profiles) } else { TablePool::default() };
    let mut trials = Vec::new();
    for (index, profile) in profiles.iter().enumerate().filter(|(_, profile)| profile.speaks(parameters)) {
        let background = match company {
            Company::Alone => None,
            Company::Others(pool) => pool.background(None),
            Company::Themselves => themselves.background(TableShare::of(profile).as_ref()),
        };
        let population = Population::of(parameters, background.as_ref());
        let mut push = |(placed, press_count): &(Placed, u32), non_mated: bool| {
            let score = profile.score_placed(placed, *press_count, parameters, &population);
            let (ratio, tenant_share) = (score.ratio(), score.tenant_share);
            trials.push(TableTrial { person: index, ratio, tenant_share, non_mated });
        };
        later[index].iter().for_each(|table| push(table, false));
        for step in 1..=strangers.min(people.len() - 1) {
            // Strides spread the strangers over everybody.
            let other = (index + step * (1 + people.len() / (strangers + 1)).max(1)) % people.len();
            if other != index
                && let Some(table) = later[other].get(step % later[other].len().max(1))
            {
                push(table, true);
            }
        }
    }
    trials
}

/// Folds of the cross-fitting that calibration is made on.
const FOLDS: usize = 5;
/// Tables learned before a trial, so that calibration holds for young and settled profiles.
const CALIBRATION_ENROLS: [usize; 4] = [1, 2, 4, 6];
/// Strangers that try each person in calibration.
const CALIBRATION_STRANGERS: usize = 20;

/// Sets that the model is fitted on: cadence tables whose licence lets the result ship.
const FITTED_SETS: [KeystrokeSet; 2] = [KeystrokeSet::VillaniFree, KeystrokeSet::Bbmas];

/// Presses of the tables that calibration is made on: what a model of [`PRESSES_NOMINAL`] must hold for.
const CALIBRATION_PRESSES: [usize; 3] = [200, PRESSES_NOMINAL as usize, 500];

/// Tables of the fitted sets, of one number of presses.
fn people_of(data: &Path, sets: &[KeystrokeSet], presses: usize) -> Result<Vec<TablePerson>, String> {
    let mut people = Vec::new();
    for set in sets {
        people.extend(table_people(data, *set, presses)?);
    }
    Ok(people)
}

/// Fits the table part on the people that `kept` names by set and pseudonym; the others take no part.
pub(crate) fn fit_table(data: &Path, kept: &dyn Fn(KeystrokeSet, &str) -> bool) -> Result<TableParameters, String> {
    fit_table_on(data, &FITTED_SETS, kept)
}

/// Fits the table part on any sets: [`fit_table`] for what ships, others for research.
pub(crate) fn fit_table_on(
    data: &Path,
    sets: &[KeystrokeSet],
    kept: &dyn Fn(KeystrokeSet, &str) -> bool,
) -> Result<TableParameters, String> {
    let mut by_presses = Vec::new();
    for presses in CALIBRATION_PRESSES {
        let mut people = people_of(data, sets, presses)?;
        people.retain(|person| kept(person.set, &person.subject));
        by_presses.push(people);
    }
    let nominal = &by_presses[1];
    let everybody: Vec<&TablePerson> = nominal.iter().collect();
    let mut parameters = fit_model(&everybody);
    parameters.ratio_calibration = calibration(&by_presses, nominal, sets);
    Ok(parameters)
}

/// Calibration on people whom the model behind the scores has not seen, alone and in the company of the set's others,
/// who have learned all their tables. Each set, length, age of profile and company counts the same, however many tables
/// it has.
fn calibration(by_presses: &[Vec<TablePerson>], nominal: &[TablePerson], sets: &[KeystrokeSet]) -> TableCalibration {
    let folds: BTreeMap<(KeystrokeSet, &str), usize> = nominal
        .iter()
        .enumerate()
        .map(|(index, person)| ((person.set, person.subject.as_str()), index % FOLDS))
        .collect();
    let mut slices: BTreeMap<(KeystrokeSet, usize, usize, bool), Vec<TableTrial>> = BTreeMap::new();
    for fold in 0..FOLDS {
        let inside = |person: &&TablePerson| folds.get(&(person.set, person.subject.as_str())) == Some(&fold);
        let others: Vec<&TablePerson> = nominal.iter().filter(|person| !inside(person)).collect();
        let model = fit_model(&others);
        for (length, people) in by_presses.iter().enumerate() {
            for set in sets {
                let left: Vec<&TablePerson> = people.iter().filter(inside).filter(|one| one.set == *set).collect();
                if left.len() < 2 {
                    continue;
                }
                let others = people.iter().filter(|one| one.set == *set && !inside(one));
                let others: Vec<TableProfile> = others.map(|one| learned(&one.dated(), &model)).collect();
                let others = pooled(&others);
                for enrol in CALIBRATION_ENROLS {
                    for company in [Company::Alone, Company::Others(&others)] {
                        let tried = (enrol, CALIBRATION_STRANGERS);
                        let trials = table_trials(&left, &left, &model, company, tried);
                        let accompanied = matches!(company, Company::Others(_));
                        slices.entry((*set, length, enrol, accompanied)).or_default().extend(trials);
                    }
                }
            }
        }
    }
    let (accompanied, alone): (BTreeMap<_, _>, BTreeMap<_, _>) = slices.into_iter().partition(|(slice, _)| slice.3);
    let trials = |slices: BTreeMap<_, _>| slices.into_values().collect::<Vec<Vec<TableTrial>>>();
    calibrate::fit_calibration(&trials(alone), &trials(accompanied))
}
