//! Figures of ordered free typing: key classes alone.

use super::{CLLR_LOSS_FLOOR, NewScorer, Probe, Say, run, sides, three};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Typist};
use crate::fit;
use crate::request::{Figure, Request, Scored, Scorer, Update};
use elsewhere::event::EventUnchecked;
use elsewhere::evidence::feature::Finding;
use elsewhere::evidence::typing::observe;
use elsewhere::evidence::typing::ordered::{OrderedParameters, OrderedProfile};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

/// Strangers that try a worker's typing.
const STRANGERS: usize = 10;
/// Presses of a probe.
const PROBES: [usize; 3] = [50, 100, 250];
/// Presses that enrol, in stretches as long as a probe: as many as fit.
const ENROLS: [usize; 2] = [50, 250];
/// Clocks besides the set's own, milliseconds.
const CLOCKS_MILLIS: [u32; 3] = [16, 33, 100];
/// Folds of people left out.
const FOLDS: usize = 5;
/// Never worse than abstaining.
const CLLR_FLOOR: f64 = 1.0;
/// People of a set beyond these say no more.
const PEOPLE_MAX: usize = 500;

/// Every figure of ordered free typing.
pub(super) fn evaluate(
    figures: &mut Vec<Figure>,
    data: &Path,
    new_scorer: &mut NewScorer<'_>,
    seed: u64,
) -> Result<(), String> {
    let mut aalto = corpus::read(data, KeystrokeSet::Aalto)?;
    aalto.truncate(PEOPLE_MAX);
    for probe in PROBES {
        for enrol in ENROLS.into_iter().filter(|enrol| *enrol >= probe) {
            let slice = Slice { set: KeystrokeSet::Aalto, probe, enrol, clock_millis: None };
            let probes = run(new_scorer().as_mut(), slice.requests(&aalto), Finding::TypingOrdered)?;
            slice.push(figures, &probes, seed);
        }
    }
    for clock_millis in CLOCKS_MILLIS {
        for probe in PROBES {
            let slice = Slice { set: KeystrokeSet::Aalto, probe, enrol: 250, clock_millis: Some(clock_millis) };
            let probes = run(new_scorer().as_mut(), slice.requests(&aalto), Finding::TypingOrdered)?;
            slice.push(figures, &probes, seed);
        }
    }
    left_out(figures, data, seed)
}

/// One protocol: presses probed and enrolled, and a clock.
#[derive(Clone, Copy)]
struct Slice {
    set: KeystrokeSet,
    probe: usize,
    enrol: usize,
    clock_millis: Option<u32>,
}

impl Slice {
    fn requests(&self, typists: &[Typist]) -> Vec<Request> {
        let mut requests = convert::ordered_requests(typists, self.set, self.probe, self.enrol, STRANGERS);
        if let Some(millis) = self.clock_millis {
            convert::set_clock(&mut requests, millis * 1_000);
        }
        requests
    }

    fn push(&self, figures: &mut Vec<Figure>, probes: &[Probe], seed: u64) {
        let set = format!("{:?}", self.set).to_lowercase();
        let clock = self.clock_millis.map_or(String::new(), |millis| format!("_clock_{millis}ms"));
        let name = format!("typing.ordered_{set}_{}_enrolled_{}{clock}", self.probe, self.enrol);
        let how = match self.set {
            KeystrokeSet::Aalto => "one sitting",
            KeystrokeSet::VillaniFree => "across sessions, people left out by fifths",
            _ => "across the halves of a sitting, people left out by fifths",
        };
        let stamped = self.clock_millis.map_or(String::new(), |millis| format!("; stamps floored to {millis} ms"));
        let description = format!(
            "ordered free typing by key classes alone, {} presses against {} enrolled, {how}{stamped}",
            self.probe, self.enrol
        );
        let say = Say {
            name: &name,
            description: &description,
            unit: "stretches",
            floor: None,
            higher_is_better: false,
            licence: if self.set.trainable() { "train" } else { "measure" },
        };
        let before = figures.len();
        three(figures, &say, &sides(probes, 1), seed, Some(CLLR_LOSS_FLOOR));
        let ending = |figure: &&mut Figure| figure.name.ends_with(".cllr");
        figures[before..].iter_mut().filter(ending).for_each(|figure| figure.floor = Some(CLLR_FLOOR));
    }
}

/// People of the fitted sets, left out by fold: model and calibration are of the other folds.
fn left_out(figures: &mut Vec<Figure>, data: &Path, seed: u64) -> Result<(), String> {
    let mut slices = Vec::new();
    for set in [KeystrokeSet::Bbmas, KeystrokeSet::VillaniFree] {
        for probe in PROBES {
            for (enrol, clock_millis) in [(250, None), (1_000, None), (250, Some(33)), (250, Some(100))] {
                slices.push(Slice { set, probe, enrol, clock_millis });
            }
        }
    }
    let mut probes: Vec<Vec<Probe>> = vec![Vec::new(); slices.len()];
    let mut typists = BTreeMap::new();
    for set in [KeystrokeSet::Bbmas, KeystrokeSet::VillaniFree] {
        typists.insert(set, corpus::read(data, set)?);
    }
    for fold in 0..FOLDS {
        let of_fold =
            |set: KeystrokeSet| -> Vec<Typist> { typists[&set].iter().skip(fold).step_by(FOLDS).cloned().collect() };
        let left: BTreeSet<(KeystrokeSet, String)> =
            typists.keys().flat_map(|set| of_fold(*set).into_iter().map(|typist| (*set, typist.subject))).collect();
        let kept = |set: KeystrokeSet, subject: &str| !left.contains(&(set, subject.to_string()));
        let parameters = Rc::new(fit::typing::ordered::fit_ordered(data, &kept)?);
        for (slice, probes) in slices.iter().zip(&mut probes) {
            let mut scorer = OrderedScorer { parameters: parameters.clone(), profiles: BTreeMap::new() };
            probes.extend(run(&mut scorer, slice.requests(&of_fold(slice.set)), Finding::TypingOrdered)?);
        }
    }
    slices.iter().zip(&probes).for_each(|(slice, probes)| slice.push(figures, probes, seed));
    Ok(())
}

/// Scores ordered typing alone, in the pipeline's order: observe, compare, learn.
struct OrderedScorer {
    parameters: Rc<OrderedParameters>,
    profiles: BTreeMap<String, OrderedProfile>,
}

impl Scorer for OrderedScorer {
    fn score(&mut self, event: EventUnchecked, update: Update) -> Result<Scored, String> {
        let worker = event.worker_id.clone();
        let samples = fit::typing::samples(event)?;
        let ordered = observe(&samples).ordered.ok_or("the event carries no ordered typing")?;
        let profile = self.profiles.entry(worker).or_default();
        let score = profile.score(&ordered, &self.parameters).map(|score| self.parameters.calibrated(&score));
        if update != Update::Never {
            profile.learn(&ordered, &self.parameters, samples.time);
        }
        let heard = |finding: &Finding| score.filter(|_| *finding == Finding::TypingOrdered);
        Ok(Scored { findings: Finding::ALL.iter().map(heard).collect(), ..Scored::default() })
    }
}
