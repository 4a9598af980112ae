//! Fits, weighs, calibrates, tests and measures a model; the whole of it is this one function and its seeds.

use crate::evaluate::{self, world::tally::Tally};
use crate::fit::{self, world};
use crate::replay::Replay;
use crate::request::{Figure, Scorer};
use crate::world::{self as company, Part, Tier};
use elsewhere::evidence::feature::{FEATURE_SCHEMA_VERSION, FeatureId};
use elsewhere::evidence::{Parameters, crowd, telemetry};
use elsewhere::model::reference::{Gathering, Reference};
use elsewhere::model::{Calibration, Levels, Model, ModelFile};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a training run is told.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the model.
    pub model_id: String,
    /// Seed of every random number.
    pub seed: u64,
    /// When training is said to have ended, seconds since 1970: an argument, so that equal calls give equal bytes.
    pub train_time_seconds: i64,
    /// Honest workers of each simulated company.
    pub honest_workers: usize,
    /// Hostile workers of each simulated company.
    pub hostile_workers: usize,
    /// Days each company is followed.
    pub days: u32,
    /// Companies that calibrate; their tiers take turns.
    pub companies: usize,
}

/// A model with what was measured of it.
pub struct Trained {
    /// The model file.
    pub file: ModelFile,
    /// Figures on real data, and simulated ones that stand beside them.
    pub figures: Vec<Figure>,
    /// The test companies.
    pub world: Tally,
}

/// Companies that weigh findings, and their tiers: all evidence there can be, and what a login page alone sees.
const FITTING: [Tier; 4] = [Tier::Linkage, Tier::Linkage, Tier::Endpoint, Tier::LoginPage];
/// Companies that calibrate, over and over: the threshold has to hold whatever a tenant collects.
const CALIBRATING: [Tier; 3] = [Tier::Linkage, Tier::Endpoint, Tier::LoginPage];
/// Share of honest worker-months that the threshold lets pass: three in ten of the budget, aimed below it since a
/// product exactly at its budget fails half of its trials.
const AIM: f64 = 0.3;

/// Trains a model.
///
/// # Errors
/// When data cannot be read or a fit fails.
pub fn train(data: &Path, plan: &Plan, say: &dyn Fn(&str)) -> Result<Trained, String> {
    let evidence = fit_evidence(data, plan.seed, say)?;
    let mut file = unweighted(plan, evidence);
    fit_worlds(&mut file, plan, say)?;
    say("noting how features are distributed");
    file.reference = Some(reference(&file, plan)?);
    say("simulating the companies that test");
    let tests = tally_plan(plan);
    let tally = evaluate::world::run(&file, &tests, None, &|_, _| {})?;
    let testing = live(&file, plan, Part::Test, 500, Tier::Linkage)?;
    file.operating_points = evaluate::world::points::operating_points(&testing, &file, plan.seed);
    say("measuring on real data");
    let figures = figures(data, &file, plan.seed, say)?;
    Ok(Trained { file, figures, world: tally })
}

/// Fits everything that simulated companies fit: weights, standings, calibration, levels and the threshold.
///
/// # Errors
/// When a company cannot be lived or a fit fails.
pub fn fit_worlds(file: &mut ModelFile, plan: &Plan, say: &dyn Fn(&str)) -> Result<(), String> {
    say("simulating the companies that weigh the findings");
    let (additive, standing) = world::unweighted();
    (file.additive, file.standing) = (additive, standing);
    (file.calibration, file.operating_points) = (Calibration { intercept: 0.0, slope: 1.0 }, Vec::new());
    let fitting = companies(file, plan, Part::Fitting, &FITTING, FITTING.len())?;
    say("weighing the findings");
    file.additive = world::fit_weights(&fitting)?;
    say("simulating the companies that calibrate");
    let calibrating = companies(file, plan, Part::Calibration, &CALIBRATING, plan.companies)?;
    file.calibration = world::fit_calibration(&calibrating, &file.additive)?;
    file.levels = world::fit_levels(&calibrating, &file.additive, &file.calibration);
    say("fitting the standing");
    file.standing = fit::standing::fit(&fitting, &calibrating, AIM * file.standing.false_flag_budget, say)?;
    Ok(())
}

/// The test beside a training run; the card's own figures come from `evaluate world`.
fn tally_plan(plan: &Plan) -> evaluate::world::Plan {
    evaluate::world::Plan::quick(plan.seed)
}

/// Fits the constants of every family on data that may ship.
///
/// # Errors
/// When data cannot be read or a fit fails.
pub fn fit_evidence(data: &Path, seed: u64, say: &dyn Fn(&str)) -> Result<Parameters, String> {
    say("fitting timezone");
    let timezone = fit::timezone::fit(data, seed)?;
    say("fitting typing");
    let typing = fit::typing::fit(data, seed)?;
    say("fitting remote_input");
    let remote_input = fit::remote_input::fit(data, seed)?;
    say("fitting network");
    let network = fit::network::fit(data, seed)?;
    let (crowd, telemetry) = (crowd::Parameters::prior(), telemetry::Parameters::prior());
    Ok(Parameters { timezone, typing, remote_input, network, crowd, telemetry })
}

fn unweighted(plan: &Plan, evidence: Parameters) -> ModelFile {
    let (additive, standing) = world::unweighted();
    ModelFile {
        model_id: plan.model_id.clone(),
        feature_schema_version: FEATURE_SCHEMA_VERSION,
        features: FeatureId::ALL.iter().map(|feature| feature.name().to_string()).collect(),
        train_time_seconds: plan.train_time_seconds,
        data_end_time_seconds: plan.train_time_seconds,
        seed: plan.seed,
        additive,
        calibration: Calibration { intercept: 0.0, slope: 1.0 },
        levels: Levels { medium: 0.05, high: 0.5 },
        standing,
        operating_points: Vec::new(),
        evidence,
        reference: None,
    }
}

fn served(file: &ModelFile) -> Result<Model, String> {
    Model::prepare(file.clone(), [0; 32]).map_err(|error| error.to_string())
}

/// Lets companies of one part live, two at a time.
fn companies(file: &ModelFile, plan: &Plan, part: Part, tiers: &[Tier], count: usize) -> Result<world::World, String> {
    let next = AtomicUsize::new(0);
    let lived: Mutex<BTreeMap<usize, Result<world::World, String>>> = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            let one = live(file, plan, part, number as u64, tiers[number % tiers.len()]);
            if let Ok(mut lived) = lived.lock() {
                lived.insert(number, one);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, |threads| threads.get()) {
            scope.spawn(work);
        }
    });
    let mut world = world::World::default();
    // In order of their numbers, so that equal calls give equal bytes.
    for one in lived.into_inner().map_err(|_| "a company's thread broke off".to_string())?.into_values() {
        world.extend(one?);
    }
    Ok(world)
}

/// Lets a company live through the pipeline and notes what its workers' sessions showed.
fn live(file: &ModelFile, plan: &Plan, part: Part, company: u64, tier: Tier) -> Result<world::World, String> {
    let seed = part.seed(plan.seed, company);
    let spec = company::world_spec(seed, plan.honest_workers, plan.hostile_workers, plan.days, tier)?;
    let replay = Replay::new(served(file)?)?;
    let mut world = world::World::default();
    let (_, lives) =
        evaluate::world::lives::live(&replay, &spec, &BTreeMap::new(), &mut |worker, hostile, verdict, seen| {
            world.sessions.push(world::Session::of(worker, verdict.assess_micros, hostile, seen));
        })?;
    world.scenario = lives.iter().map(|one| one.scenario).collect();
    world.hostile = world.scenario.iter().map(|scenario| scenario.hostile()).collect();
    Ok(world)
}

/// Honest workers whose sessions say how features are distributed.
const REFERENCE_WORKERS: usize = 300;

/// How the features of honest sessions are distributed in a company of the calibrating part: what a service's drift is
/// measured against.
fn reference(file: &ModelFile, plan: &Plan) -> Result<Reference, String> {
    let seed = Part::Calibration.seed(plan.seed, 0);
    let spec = company::world_spec(seed, REFERENCE_WORKERS.min(plan.honest_workers), 0, plan.days, Tier::Linkage)?;
    let replay = Replay::new(served(file)?)?;
    let mut gathering = Gathering::default();
    evaluate::world::lives::live(&replay, &spec, &BTreeMap::new(), &mut |_, _, _, seen| gathering.take(seen))?;
    Ok(gathering.reference())
}

/// Every figure on real data, through the pipeline with this model.
///
/// # Errors
/// When data cannot be read.
pub fn figures(data: &Path, file: &ModelFile, seed: u64, say: &dyn Fn(&str)) -> Result<Vec<Figure>, String> {
    let model = served(file)?;
    drop(model);
    let mut failed = None;
    let mut new_scorer = || -> Box<dyn Scorer> {
        match served(file).and_then(Replay::new) {
            Ok(replay) => Box::new(replay),
            Err(error) => {
                failed = Some(error);
                Box::new(Never)
            }
        }
    };
    let mut figures = Vec::new();
    for (name, family) in evaluate::FAMILIES {
        say(&format!("measuring {name}"));
        figures.extend(family(data, &mut new_scorer, seed)?);
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(figures),
    }
}

/// Stands in where no scorer could be made; the error is reported by the caller.
struct Never;

impl Scorer for Never {
    fn score(
        &mut self,
        _: elsewhere::event::EventUnchecked,
        _: crate::request::Update,
    ) -> Result<crate::request::Scored, String> {
        Err("no scorer".into())
    }
}
