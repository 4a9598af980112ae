//! One candidate tried: operators of a scenario, with powers or without, live in small companies through the pipeline.
//!
//! A company has a few operators among honest workers, who are the same whatever the operators do and are simulated once.
//! The road is that of `evaluate world`: events in the wire's shape, [`Replay`], verdicts. What is read of a verdict is
//! what a caller reads: the standing, its reasons and whether it is flagged.

use super::apply::apply;
use super::powers::Powers;
use super::report::{Evasion, Taken};
use crate::evaluate::world::lives::workdays;
use crate::replay::Replay;
use crate::request::Update;
use crate::world::person::{DAY_MICROS, Seating};
use crate::world::{Scenario, SimulatedEvent, Spec, Tier, chance, simulate_prepared, world_spec};
use elsewhere::model::{Model, ModelFile};
use elsewhere::risk::WorkerStanding;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

/// Operators of one company.
pub const OPERATORS: usize = 4;
/// Workdays of the operator's own work within which a flag counts.
pub const WORKDAYS: u32 = 20;
/// How large a company is, and how long it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Honest workers.
    pub honest: usize,
    /// Days it lives where operators work from the first day.
    pub days: i64,
}

impl Size {
    /// Twelve people and twenty workdays.
    pub fn usual() -> Self {
        Self { honest: 12, days: 28 }
    }
}

/// Nats under the threshold from which evidence is no longer held against a candidate: a flag is then far. Wide, so that
/// the search sees which way to go before anybody's flag is undone.
const MARGIN: f64 = 3.0;

/// Powers taken, by position in the file, each with the position of its level; in the order of the file.
pub type Choices = Vec<(usize, usize)>;

/// What became of the operators of some companies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trial {
    /// Operators followed.
    pub operators: usize,
    /// Of them, flagged within [`WORKDAYS`].
    pub flagged: usize,
    /// Nats by which their standings exceeded what is safe from a flag, added up; 0 when none came near.
    pub excess: f64,
    /// Nats of each reason at each operator's highest standing, added up.
    pub reasons: BTreeMap<String, f64>,
}

impl Trial {
    /// Adds other operators.
    pub fn add(&mut self, other: &Trial) {
        self.operators += other.operators;
        self.flagged += other.flagged;
        self.excess += other.excess;
        for (reason, nats) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += nats;
        }
    }

    /// Share of operators flagged.
    pub fn recall(&self) -> f64 {
        self.flagged as f64 / self.operators.max(1) as f64
    }

    /// The reasons that spoke most, with their mean nats per operator; at most `count`.
    pub fn top_reasons(&self, count: usize) -> Vec<(String, f64)> {
        let mean = |(reason, nats): (&String, &f64)| (reason.clone(), nats / self.operators.max(1) as f64);
        let mut all: Vec<(String, f64)> = self.reasons.iter().map(mean).filter(|(_, nats)| *nats > 0.05).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(count);
        all
    }
}

/// What a company is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    company: u64,
    days: u32,
}

type Events = Arc<Vec<SimulatedEvent>>;

/// Where candidates are tried.
pub struct Ground<'a> {
    file: &'a ModelFile,
    powers: &'a Powers,
    seed: u64,
    tier: Tier,
    size: Size,
    honest: Mutex<HashMap<Key, Events>>,
}

impl<'a> Ground<'a> {
    /// Companies of a seed, for a model and the powers of a file.
    pub fn new(file: &'a ModelFile, powers: &'a Powers, (seed, tier): (u64, Tier), size: Size) -> Self {
        Self { file, powers, seed, tier, size, honest: Mutex::default() }
    }

    /// The powers there are.
    pub fn powers(&self) -> &'a Powers {
        self.powers
    }

    /// The choices behind an evasion, as far as the file still has them.
    pub fn choices(&self, evasion: &Evasion) -> Choices {
        let choice = |one: &Taken| {
            let power = self.powers.all.iter().position(|power| power.id == one.power)?;
            let level = self.powers.all[power].levels.iter().position(|level| level.value == one.value)?;
            Some((power, level))
        };
        let mut choices: Choices = evasion.powers.iter().filter_map(choice).collect();
        choices.sort_unstable();
        choices
    }

    fn spec(&self, scenario: Scenario, company: u64) -> Result<Spec, String> {
        // A name space of its own: nobody here fitted, calibrated or tested the model.
        let seed = chance::derive(chance::derive(self.seed, 0x4ed, 0), 1, company);
        let spec = world_spec(seed, self.size.honest, 0, days(scenario), self.tier)?;
        let people = spec.people.iter().copied().chain([(scenario, OPERATORS)]).collect();
        Ok(Spec { people, ..spec })
    }

    /// Lives one company whose operators have taken `choices`.
    ///
    /// # Errors
    /// An event that does not pass the check, or what the pipeline says.
    pub fn lived(&self, scenario: Scenario, choices: &Choices, company: u64) -> Result<Trial, String> {
        let spec = self.spec(scenario, company)?;
        let honest = self.honest(&spec, company)?;
        let mut later = false;
        let hostile = simulate_prepared(&spec, &mut |index, person| {
            if index < self.size.honest {
                return false;
            }
            for (change, value) in self.ordered(choices) {
                apply(change, value, person, index, &spec);
            }
            later |= matches!(person.seating, Seating::HandedOver(_));
            true
        });
        let until = spec.start.0 + DAY_MICROS * if later { i64::from(spec.days) } else { self.size.days };
        let model = Model::prepare(self.file.clone(), [0; 32]).map_err(|error| error.to_string())?;
        let replay = Replay::new(model)?;
        let mut operators: BTreeMap<String, Operator> = BTreeMap::new();
        let mut day = 0;
        for made in merged(&honest, hostile) {
            let micros = time(&made);
            if micros >= until {
                break;
            }
            if micros.div_euclid(DAY_MICROS) > day {
                // As a service does off the path of logins, however few have waited.
                day = micros.div_euclid(DAY_MICROS);
                replay.settle()?;
            }
            let (hostile, operated) = (made.hostile, made.scenario.hostile());
            let worker = if operated { made.event.worker_id.clone() } else { String::new() };
            let (verdict, _) = replay.assess(made.event, Update::IfTrusted)?;
            if operated {
                operators.entry(worker).or_default().see(micros, hostile, &verdict.standing);
            }
        }
        let safe = self.file.standing.threshold_log_odds - MARGIN;
        let mut trial = Trial::default();
        operators.values().for_each(|one| trial.add(&one.trial(safe)));
        Ok(trial)
    }

    /// Whether a choice changes anybody of a scenario's first company at all.
    ///
    /// # Errors
    /// Those of the world's file.
    pub fn applies(&self, scenario: Scenario, choice: (usize, usize)) -> Result<bool, String> {
        let spec = self.spec(scenario, 0)?;
        let mut changes = false;
        simulate_prepared(&spec, &mut |index, person| {
            if index >= self.size.honest {
                let before = format!("{person:?}");
                for (change, value) in self.ordered(&vec![choice]) {
                    apply(change, value, person, index, &spec);
                }
                changes |= before != format!("{person:?}");
            }
            false
        });
        Ok(changes)
    }

    fn ordered(&self, choices: &Choices) -> Vec<(super::apply::Change, f64)> {
        let chosen = |(power, level): &(usize, usize)| {
            let power = self.powers.all.get(*power)?;
            Some((power.id, power.levels.get(*level)?.value))
        };
        let mut all: Vec<_> = choices.iter().filter_map(chosen).collect();
        all.sort_by_key(|(change, _)| *change);
        all
    }

    fn honest(&self, spec: &Spec, company: u64) -> Result<Events, String> {
        let key = Key { company, days: spec.days };
        let mut all = self.honest.lock().map_err(|_| "a company's thread broke off".to_string())?;
        let events = all.entry(key);
        Ok(Arc::clone(
            events.or_insert_with(|| {
                Arc::new(simulate_prepared(spec, &mut |index, _| index < self.size.honest).collect())
            }),
        ))
    }
}

/// Days a company of a scenario needs: its operators' twenty workdays, after those of a helper or of a first owner.
fn days(scenario: Scenario) -> u32 {
    if scenario == Scenario::Handover { 49 } else { 35 }
}

fn time(made: &SimulatedEvent) -> i64 {
    made.event.event_time.map_or(0, |at| at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000)
}

/// Events of both in order of time; of two at one instant, the honest one first.
fn merged<'a>(
    honest: &'a [SimulatedEvent],
    hostile: impl Iterator<Item = SimulatedEvent> + 'a,
) -> impl Iterator<Item = SimulatedEvent> + 'a {
    let (mut ours, mut theirs) = (honest.iter().peekable(), hostile.peekable());
    std::iter::from_fn(move || match (ours.peek(), theirs.peek()) {
        (Some(one), Some(other)) if time(other) < time(one) => theirs.next(),
        (Some(_), _) => ours.next().cloned(),
        (None, _) => theirs.next(),
    })
}

/// What is seen of one operator.
#[derive(Debug, Default)]
struct Operator {
    began_micros: Option<i64>,
    flagged: bool,
    most: Option<f64>,
    reasons: Vec<(String, f64)>,
}

impl Operator {
    fn see(&mut self, micros: i64, hostile: bool, standing: &WorkerStanding) {
        if hostile && self.began_micros.is_none() {
            self.began_micros = Some(micros);
        }
        if self.began_micros.is_some_and(|began| workdays(began, micros) > WORKDAYS) {
            return;
        }
        self.flagged |= standing.flagged;
        if self.most.is_none_or(|most| standing.evidence_log_odds > most) {
            self.most = Some(standing.evidence_log_odds);
            let each = standing.reasons.iter().filter(|reason| reason.contribution_log_odds > 0.0);
            self.reasons = each.map(|reason| (format!("{:?}", reason.code), reason.contribution_log_odds)).collect();
        }
    }

    fn trial(&self, safe: f64) -> Trial {
        let mut reasons = BTreeMap::new();
        for (reason, nats) in &self.reasons {
            *reasons.entry(reason.clone()).or_default() += nats;
        }
        let excess = self.most.map_or(0.0, |most| (most - safe).max(0.0));
        Trial { operators: 1, flagged: usize::from(self.flagged), excess, reasons }
    }
}
