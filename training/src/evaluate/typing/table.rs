//! Figures of cadence tables.

use super::{CLLR_LOSS_FLOOR, NewScorer, Probe, Say, run, sides, three};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Typist};
use crate::fit;
use crate::request::{Figure, Request, Scored, Scorer, Update};
use elsewhere::event::EventUnchecked;
use elsewhere::evidence::feature::Finding;
use elsewhere::evidence::typing::observe;
use elsewhere::evidence::typing::table::{Population, TableParameters, TablePool, TableProfile, TableShare};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

/// Strangers that try a worker's tables.
const TABLE_STRANGERS: usize = 20;
/// Folds of people left out.
const FOLDS: usize = 5;

/// Every figure of cadence tables.
pub(super) fn evaluate(
    figures: &mut Vec<Figure>,
    data: &Path,
    new_scorer: &mut NewScorer<'_>,
    seed: u64,
) -> Result<(), String> {
    tables(figures, data, new_scorer, seed)?;
    tables_left_out(figures, data, seed)?;
    super::table_slices::evaluate(figures, data, seed)
}

/// A protocol of cadence tables.
struct TableProtocol {
    set: KeystrokeSet,
    presses: usize,
    enrol: usize,
    name: &'static str,
    how: &'static str,
    floor: Option<f64>,
}

/// Protocols on sets that the model is fitted on. The floors of `targets.md` are for one table of BB-MAS's only
/// sitting, and for the six tables of Villani's first three sessions of 500 presses.
const FITTED_PROTOCOLS: [TableProtocol; 3] = [
    TableProtocol {
        set: KeystrokeSet::Bbmas,
        presses: 250,
        enrol: 1,
        name: "typing.table_bbmas",
        how: "cadence tables, enrol the first 250 presses of the sitting, probe its other 250s",
        floor: Some(0.16),
    },
    TableProtocol {
        set: KeystrokeSet::VillaniFree,
        presses: 250,
        enrol: 6,
        name: "typing.table_villani",
        how: "cadence tables, enrol sessions 1-3 (6 x 250 presses), probe the 250s of sessions 4-6",
        floor: Some(0.11),
    },
    TableProtocol {
        set: KeystrokeSet::VillaniFree,
        presses: 250,
        enrol: 1,
        name: "typing.table_villani_single",
        how: "cadence tables, enrol 250 presses of session 1, probe the 250s of sessions 4-6",
        floor: None,
    },
];

impl TableProtocol {
    fn requests(&self, typists: &[Typist]) -> Vec<Request> {
        convert::table_requests(typists, self.set, self.presses, self.enrol, TABLE_STRANGERS)
    }

    fn push(
        &self,
        figures: &mut Vec<Figure>,
        probes: &[Probe],
        name: &str,
        description: &str,
        floors: bool,
        seed: u64,
    ) {
        let say = Say {
            name,
            description,
            unit: "tables",
            floor: self.floor.filter(|_| floors),
            higher_is_better: false,
            licence: if self.set.trainable() { "train" } else { "measure" },
        };
        three(figures, &say, &sides(probes, 1), seed, floors.then_some(CLLR_LOSS_FLOOR));
    }
}

/// Tables through the whole pipeline: people the model has not seen, then those it was fitted on.
fn tables(figures: &mut Vec<Figure>, data: &Path, new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<(), String> {
    let aalto = TableProtocol {
        set: KeystrokeSet::Aalto,
        presses: 200,
        enrol: 2,
        name: "typing.table_aalto",
        how: "cadence tables, enrol 2 x 200 presses, probe 200; everybody is of one tenant",
        floor: Some(0.04),
    };
    for protocol in std::iter::once(&aalto).chain(&FITTED_PROTOCOLS) {
        let requests = protocol.requests(&corpus::read(data, protocol.set)?);
        let probes = run(new_scorer().as_mut(), requests, Finding::TypingTable)?;
        if protocol.set.trainable() {
            let name = format!("{}_seen", protocol.name);
            let description = format!("{}; people the model was fitted on", protocol.how);
            protocol.push(figures, &probes, &name, &description, false, seed);
        } else {
            protocol.push(figures, &probes, protocol.name, protocol.how, true, seed);
        }
    }
    Ok(())
}

/// Tables of people left out by fold: model and calibration are of the other folds, strangers of the same.
fn tables_left_out(figures: &mut Vec<Figure>, data: &Path, seed: u64) -> Result<(), String> {
    let mut probes: Vec<Vec<Probe>> = vec![Vec::new(); FITTED_PROTOCOLS.len()];
    let mut typists = Vec::new();
    for protocol in &FITTED_PROTOCOLS {
        typists.push(corpus::read(data, protocol.set)?);
    }
    for fold in 0..FOLDS {
        let of_fold: Vec<Vec<Typist>> = typists.iter().map(|typists| every_fifth(typists, fold)).collect();
        let left_out: BTreeSet<(KeystrokeSet, &str)> = FITTED_PROTOCOLS
            .iter()
            .zip(&of_fold)
            .flat_map(|(protocol, typists)| typists.iter().map(|typist| (protocol.set, typist.subject.as_str())))
            .collect();
        let kept = |set: KeystrokeSet, subject: &str| !left_out.contains(&(set, subject));
        let parameters = Rc::new(fit::typing::fit_table(data, &kept)?);
        for ((protocol, typists), probes) in FITTED_PROTOCOLS.iter().zip(&of_fold).zip(&mut probes) {
            let mut scorer =
                TableScorer { parameters: parameters.clone(), profiles: BTreeMap::new(), pool: TablePool::default() };
            probes.extend(run(&mut scorer, protocol.requests(typists), Finding::TypingTable)?);
        }
    }
    for (protocol, probes) in FITTED_PROTOCOLS.iter().zip(&probes) {
        let description = format!("{}; people left out by fifths, model and calibration of the others", protocol.how);
        protocol.push(figures, probes, protocol.name, &description, true, seed);
    }
    Ok(())
}

/// The typists of one fold.
fn every_fifth(typists: &[Typist], fold: usize) -> Vec<Typist> {
    typists.iter().skip(fold).step_by(FOLDS).cloned().collect()
}

/// Scores tables alone, in the pipeline's order and among the workers learned so far: observe, compare, learn.
struct TableScorer {
    parameters: Rc<TableParameters>,
    profiles: BTreeMap<String, TableProfile>,
    pool: TablePool,
}

impl Scorer for TableScorer {
    fn score(&mut self, event: EventUnchecked, update: Update) -> Result<Scored, String> {
        let worker = event.worker_id.clone();
        let samples = fit::typing::samples(event)?;
        let table = observe(&samples).table.ok_or("the event carries no table")?;
        let placed = self.parameters.place(&table).ok_or("the model knows no row of a table")?;
        let profile = self.profiles.entry(worker).or_default();
        let own = TableShare::of(profile);
        let background = self.pool.background(own.as_ref());
        let population = Population::of(&self.parameters, background.as_ref());
        let score = profile.speaks(&self.parameters).then(|| {
            let score = profile.score_placed(&placed, table.press_count, &self.parameters, &population);
            self.parameters.calibrated(&score)
        });
        if update != Update::Never {
            own.iter().for_each(|own| self.pool.remove(own));
            let day = samples.time.day_number() as u16;
            profile.learn_placed(&placed, table.press_count, &self.parameters, day);
            TableShare::of(profile).iter().for_each(|share| self.pool.add(share));
        }
        let heard = |finding: &Finding| score.filter(|_| *finding == Finding::TypingTable);
        Ok(Scored { findings: Finding::ALL.iter().map(heard).collect(), ..Scored::default() })
    }
}
