//! Workers flagged in simulated companies: false flags, recall by scenario and tier, reasons, groups.
//!
//! Companies are jobs with seeds of their own. Their counts add up, so a run may be spread over threads, broken off and
//! taken up again: with a directory to keep them in, a company that was lived is not lived again.

pub mod bounds;
pub mod figures;
mod hold;
pub mod leak;
pub mod lives;
pub mod page;
mod plots;
pub mod points;
pub mod tally;

use crate::replay::Replay;
use crate::world::{Part, Scenario, Spec, Tier, world_spec};
use elsewhere::model::{Model, ModelFile};
use lives::live;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tally::Tally;

/// How much to live.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Seed of all companies.
    pub seed: u64,
    /// Mixed companies at each tier, in the order of [`Tier::ALL`].
    pub mixed: [usize; 4],
    /// Honest and hostile workers of a mixed company.
    pub workers: (usize, usize),
    /// Companies of twelve weeks at each tier but the first, for stories that are slow.
    pub long: usize,
    /// Companies of 500 workers of each benign scenario alone, at the fullest tier.
    pub groups: usize,
    /// Of the mixed companies of a tier, how many are lived again without the samples of first reasons.
    pub held: usize,
}

impl Plan {
    /// Some minutes on two cores: enough to see that something broke.
    pub fn quick(seed: u64) -> Self {
        Self { seed, mixed: [1, 1, 1, 1], workers: (250, 100), long: 1, groups: 0, held: 1 }
    }

    /// Honest workers above all: many companies and few operators, to see who is flagged for nothing.
    pub fn honest(seed: u64, companies: usize) -> Self {
        let mixed = [0, companies, companies, companies];
        Self { seed, mixed, workers: (500, 40), long: 0, groups: 0, held: 0 }
    }

    /// The run behind the card: 20,000 honest worker-months at each tier but the sign-in log, 5,000 of each group.
    pub fn full(seed: u64) -> Self {
        Self { seed, mixed: [8, 40, 40, 40], workers: (500, 100), long: 4, groups: 10, held: 8 }
    }

    fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (tier, count) in Tier::ALL.into_iter().zip(self.mixed) {
            jobs.extend((0..count).map(|number| Job { tier, kind: Kind::Mixed(number < self.held), number }));
            let long = if tier == Tier::IdpOnly { 0 } else { self.long };
            jobs.extend((0..long).map(|number| Job { tier, kind: Kind::Long, number }));
        }
        let benign = Scenario::ALL.iter().filter(|scenario| !scenario.hostile());
        for scenario in benign {
            jobs.extend((0..self.groups).map(|number| Job {
                tier: Tier::Linkage,
                kind: Kind::Group(*scenario),
                number,
            }));
        }
        jobs
    }

    fn spec(&self, job: &Job) -> Result<Spec, String> {
        // Every kind has a thousand seeds of its own, equal over tiers: tiers see the same people through other eyes.
        let kind = match job.kind {
            Kind::Mixed(_) => 0,
            Kind::Long => 1_000,
            Kind::Group(scenario) => 2_000 + 1_000 * scenario as u64,
        };
        let seed = Part::Test.seed(self.seed, kind + job.number as u64);
        let spec = world_spec(seed, self.workers.0, self.workers.1, 28, job.tier)?;
        let slow = |scenario: &Scenario| scenario.workdays_to_find() > 20;
        Ok(match job.kind {
            Kind::Mixed(_) => {
                let people = spec.people.iter().copied().filter(|(scenario, _)| !slow(scenario)).collect();
                Spec { people, ..spec }
            }
            Kind::Long => {
                let each = (self.workers.1 / 2).max(1);
                let slow = Scenario::ALL.iter().filter(|scenario| slow(scenario)).map(|scenario| (*scenario, each));
                Spec { people: slow.chain([(Scenario::HomeWorker, 20)]).collect(), days: 84, ..spec }
            }
            Kind::Group(scenario) => Spec { people: vec![(scenario, 500)], ..spec },
        })
    }
}

/// One company to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Job {
    tier: Tier,
    kind: Kind,
    number: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The benign mix with operators among it; lived again without first reasons' samples where said so.
    Mixed(bool),
    /// Twelve weeks of stories that are slow.
    Long,
    /// One benign scenario.
    Group(Scenario),
}

impl Job {
    fn file(&self, directory: &Path) -> PathBuf {
        let kind = match self.kind {
            Kind::Mixed(_) => "mixed".into(),
            Kind::Long => "long".into(),
            Kind::Group(scenario) => scenario.code().to_string(),
        };
        directory.join(format!("{}-{kind}-{}.json", self.tier.name(), self.number))
    }
}

/// What a kept company's file holds: the counts, and what they are counts of.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    plan: String,
    tally: Tally,
}

/// Lives all companies of a plan and counts.
///
/// `keep` names a directory that holds companies already lived with this model and plan; others there are lived anew.
/// `say` hears how many of how many are done.
///
/// # Errors
/// When a company cannot be lived, or the directory not be written.
pub fn run(
    file: &ModelFile,
    plan: &Plan,
    keep: Option<&Path>,
    say: &(dyn Fn(usize, usize) + Sync),
) -> Result<Tally, String> {
    let jobs = plan.jobs();
    if let Some(directory) = keep {
        std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    let of = format!("{} {:?}", fingerprint(file)?, plan);
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let total = Mutex::new(Ok(Tally::default()));
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let lived = kept_or_lived(file, plan, job, keep, &of);
            if let Ok(mut total) = total.lock() {
                match (&mut *total, lived) {
                    (Ok(total), Ok(tally)) => total.merge(&tally),
                    (slot @ Ok(_), Err(error)) => *slot = Err(error),
                    (Err(_), _) => return,
                }
            }
            say(done.fetch_add(1, Ordering::Relaxed) + 1, jobs.len());
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    total.into_inner().map_err(|_| "a company's thread broke off".to_string())?
}

/// Tells models apart: kept counts of another model are no use.
fn fingerprint(file: &ModelFile) -> Result<String, String> {
    use sha2::{Digest, Sha256};
    let bytes = serde_json::to_vec(file).map_err(|error| error.to_string())?;
    Ok(elsewhere::model::artefact::hex(&Sha256::digest(&bytes)))
}

fn kept_or_lived(file: &ModelFile, plan: &Plan, job: &Job, keep: Option<&Path>, of: &str) -> Result<Tally, String> {
    let path = keep.map(|directory| job.file(directory));
    let text = path.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
    let kept: Option<Kept> = text.and_then(|text| serde_json::from_str(&text).ok());
    if let Some(kept) = kept.filter(|kept| kept.plan == of) {
        return Ok(kept.tally);
    }
    let tally = lived(file, plan, job)?;
    if let Some(path) = path {
        let kept = Kept { plan: of.into(), tally: tally.clone() };
        let text = serde_json::to_string(&kept).map_err(|error| error.to_string())?;
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(tally)
}

#[expect(clippy::disallowed_methods, reason = "how long a company takes is told; nothing is computed from it")]
fn lived(file: &ModelFile, plan: &Plan, job: &Job) -> Result<Tally, String> {
    let began = std::time::Instant::now();
    let spec = plan.spec(job)?;
    let model = || Model::prepare(file.clone(), [0; 32]).map_err(|error| error.to_string());
    let threshold = file.standing.threshold_log_odds;
    let tenfold = threshold - std::f64::consts::LN_10;
    let mut tally = Tally { companies: 1, ..Tally::default() };
    let mixed = matches!(job.kind, Kind::Mixed(_));
    let mut sessions = tally::Sessions::default();
    let (names, lives) = live(&Replay::new(model()?)?, &spec, &BTreeMap::new(), &mut |_, hostile, verdict, _| {
        let weighed = verdict.risk_log_odds - verdict.base_log_odds;
        let nats = file.calibration.intercept + file.calibration.slope * weighed;
        sessions.count(hostile, verdict.risk_level, nats);
    })?;
    let group = matches!(job.kind, Kind::Group(_));
    for one in lives.iter().filter(|one| job.kind != Kind::Long || one.scenario.hostile()) {
        tally.count((job.tier, group), one, spec.days, tenfold, &spec.parameters);
    }
    if mixed {
        let honest = lives.iter().filter(|one| !one.scenario.hostile()).count();
        sessions.honest_weeks = honest as f64 * f64::from(spec.days) / 7.0;
        tally.sessions.insert(job.tier.name().into(), sessions);
    }
    if job.kind == Kind::Mixed(true) {
        let without: BTreeMap<_, _> = names
            .iter()
            .zip(&lives)
            .filter_map(|(name, one)| one.flag.as_ref().map(|flag| (name.clone(), (flag.reason, flag.micros))))
            .filter(|(_, (reason, _))| hold::removable(*reason))
            .collect();
        let (again_names, again) = live(&Replay::new(model()?)?, &spec, &without, &mut |_, _, _, _| {})?;
        for (name, one) in again_names.iter().zip(&again) {
            if let Some((_, until)) = without.get(name) {
                tally.test(job.tier, one.scenario, one.flag.as_ref().is_none_or(|flag| flag.micros > *until));
            }
        }
    }
    tally.seconds = began.elapsed().as_secs_f64();
    Ok(tally)
}
