//! Fits, weighs, calibrates, tests and measures a model; the whole of it is this one function and its seeds.

use crate::evaluate::{self, world::WorldReport};
use crate::fit::{self, world};
use crate::replay::Replay;
use crate::request::{Figure, Scorer, Update};
use crate::world::{self as company, Tier};
use elsewhere::evidence::feature::{FEATURE_SCHEMA_VERSION, FeatureId, Finding};
use elsewhere::evidence::{Parameters, crowd, telemetry};
use elsewhere::model::{Calibration, Levels, Model, ModelFile};
use std::collections::BTreeMap;
use std::path::Path;

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
    /// What the companies' collectors see.
    pub tier: Tier,
}

/// A model with what was measured of it.
pub struct Trained {
    /// The model file.
    pub file: ModelFile,
    /// Figures on real data, and simulated ones that stand beside them.
    pub figures: Vec<Figure>,
    /// The test company.
    pub world: WorldReport,
}

/// Companies have seeds of their own, so that people, sites and networks of one are not those of another.
const FIT_COMPANY: u64 = 0x1000;
const CALIBRATION_COMPANY: u64 = 0x2000;
// 0x3000 and 0x4000 were looked at while the caps and the short memory of a standing were chosen, and measure nothing
// any more.
const TEST_COMPANY: u64 = 0x5000;

/// Trains a model.
///
/// # Errors
/// When data cannot be read or a fit fails.
pub fn train(data: &Path, plan: &Plan, say: &dyn Fn(&str)) -> Result<Trained, String> {
    let evidence = fit_evidence(data, plan.seed, say)?;
    let mut file = unweighted(plan, evidence);
    say("simulating the company that weighs the findings");
    let fitting = live(&file, plan, FIT_COMPANY)?;
    file.additive = world::fit_weights(&fitting)?;
    file.standing = world::fit_standing(&fitting);
    say("simulating the company that calibrates");
    let calibrating = live(&file, plan, CALIBRATION_COMPANY)?;
    file.calibration = world::fit_calibration(&calibrating, &file.additive)?;
    file.levels = world::fit_levels(&calibrating, &file.additive, &file.calibration);
    world::calibrate_threshold(&mut file.standing, &calibrating, THRESHOLD_MARGIN);
    say("simulating the company that tests");
    let testing = live(&file, plan, TEST_COMPANY)?;
    let report = evaluate::world::report(&testing, &file, plan.seed);
    file.operating_points = report.operating_points.clone();
    say("measuring on real data");
    let figures = figures(data, &file, plan.seed, say)?;
    Ok(Trained { file, figures, world: report })
}

/// Nats between the highest honest worker of the calibration company and the threshold: aim below the budget, not at it.
const THRESHOLD_MARGIN: f64 = 0.5;

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
    }
}

fn served(file: &ModelFile) -> Result<Model, String> {
    Model::prepare(file.clone(), [0; 32]).map_err(|error| error.to_string())
}

/// Lets a company live through the pipeline and notes what its workers' sessions showed.
fn live(file: &ModelFile, plan: &Plan, company: u64) -> Result<world::World, String> {
    let seed = plan.seed ^ company;
    let spec = company::world_spec(seed, plan.honest_workers, plan.hostile_workers, plan.days, plan.tier)?;
    let replay = Replay::new(served(file)?)?;
    let mut world = world::World::default();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut first_micros: Vec<i64> = Vec::new();
    for simulated in company::simulate(&spec) {
        let worker_id = simulated.event.worker_id.clone();
        let worker = *numbers.entry(worker_id).or_insert_with(|| {
            world.scenario.push(simulated.scenario.code());
            world.hostile.push(simulated.scenario.hostile());
            world.standing_max.push(f64::NEG_INFINITY);
            world.flag_days.push(None);
            world.flag_reason.push(None);
            first_micros.push(i64::MAX);
            world.scenario.len() - 1
        });
        let (verdict, features) = replay.assess(simulated.event, Update::IfTrusted)?;
        let scores = Finding::ALL.iter().map(|finding| features.get(finding.score())).collect();
        world.sessions.push(world::Session { worker, scores });
        first_micros[worker] = first_micros[worker].min(verdict.assess_micros);
        let standing = &verdict.standing;
        world.standing_max[worker] = world.standing_max[worker].max(standing.evidence_log_odds);
        if standing.flagged && world.flag_days[worker].is_none() {
            let days = (verdict.assess_micros - first_micros[worker]) as f64 / 86_400.0e6;
            world.flag_days[worker] = Some(days);
            world.flag_reason[worker] = standing.reasons.first().map(|reason| format!("{:?}", reason.code));
        }
    }
    Ok(world)
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
    fn score(&mut self, _: elsewhere::event::EventUnchecked, _: Update) -> Result<crate::request::Scored, String> {
        Err("no scorer".into())
    }
}
