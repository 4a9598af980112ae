//! The simulated company: people who live benign and hostile stories, and the events they leave.
//!
//! A room of `training` that knows the wire shape of an event and nothing of how one is scored: it imports
//! `elsewhere::event` only. Every draw comes from one seed; the same [`Spec`] gives the same events, in order of time.
//! Parameters are those of the evaluation catalogue (scenarios.md): fitted values belong in their place.
//!
//! Worked example: `example_company(1)` is 22 workers over the four weeks from 2026-03-02, a farm of three among them
//! who share one address, one gateway and mostly one display, while two of the three claim another state; each of
//! their prompts is answered some 160 to 240 ms of round trip and 60 to 200 ms of video later than a hand on the desk
//! would.
//!
//! INVARIANT: a scenario cannot be read from identifiers, from which samples are present or from how they are written.

pub mod chance;
mod household;
pub mod path;
pub mod person;
pub mod places;
pub mod pointer;
pub mod rhythm;
pub mod scenario;
pub mod session;
mod stories;
pub mod typist;

pub use scenario::Scenario;

use chance::{Chance, derive};
use elsewhere::event::{EventTime, EventUnchecked};
use household::Builder;
use person::{Choice, DAY_MICROS, Person};
use rhythm::Pace;
use session::{Plan, State};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// What the tenant's collectors see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// The sign-in log alone: address, client, machine, authenticator.
    IdpOnly,
    /// And a collector on the login page: clock, typing, pointer by the frame, prompts, round trips.
    LoginPage,
    /// And an agent on the machine: raw pointer, peripherals, display, input path, local network.
    Endpoint,
}

/// How much an event carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// About two events a day with 40 to 60 moves: an example that is small to ship.
    Trimmed,
    /// Two to six events a day with longer samples.
    Rich,
}

/// A world to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Everything is drawn from it.
    pub seed: u64,
    /// First instant.
    pub start: EventTime,
    /// Days from `start`.
    pub days: u32,
    /// How many workers live which story; stories of several are divided into groups.
    pub people: Vec<(Scenario, usize)>,
    /// What the collectors see.
    pub tier: Tier,
    /// How much an event carries.
    pub detail: Detail,
    /// Whether the tenant sends cadence tables; its free text is then shuffled.
    pub tables: bool,
}

/// An event with its truth.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedEvent {
    /// In wire shape.
    pub event: EventUnchecked,
    /// The story its worker lives.
    pub scenario: Scenario,
    /// Whether somebody elsewhere made it: true for hostile scenarios, before a handover false.
    pub hostile: bool,
}

/// 2026-03-02T00:00:00Z, a Monday; American clocks change on the Sunday after.
const EXAMPLE_START: EventTime = EventTime(1_772_409_600_000_000);

/// Four weeks of a small company: the one the README shows.
pub fn example_company(seed: u64) -> Spec {
    Spec {
        seed,
        start: EXAMPLE_START,
        days: 28,
        people: vec![
            (Scenario::HomeWorker, 12),
            (Scenario::Traveller, 1),
            (Scenario::Vpn, 1),
            (Scenario::SanctionedDesktop, 1),
            (Scenario::IrregularHours, 1),
            (Scenario::Couple, 2),
            (Scenario::KvmFarm, 3),
            (Scenario::ProxiedOperator, 1),
        ],
        tier: Tier::Endpoint,
        detail: Detail::Trimmed,
        tables: false,
    }
}

/// A world of the benign mix and hostile scenarios in equal parts, from the same Monday.
pub fn world_spec(seed: u64, benign_workers: usize, hostile_workers: usize, days: u32, tier: Tier) -> Spec {
    let benign: Vec<Scenario> = Scenario::ALL.into_iter().filter(|scenario| !scenario.hostile()).collect();
    let hostile: Vec<Scenario> = Scenario::ALL.into_iter().filter(|scenario| scenario.hostile()).collect();
    let weights: Vec<f64> = benign.iter().map(|scenario| scenario.mix_weight()).collect();
    let mut people: Vec<(Scenario, usize)> = benign.into_iter().zip(apportion(benign_workers, &weights)).collect();
    people.extend(hostile.iter().copied().zip(apportion(hostile_workers, &vec![1.0; hostile.len()])));
    people.retain(|(_, count)| *count > 0);
    Spec { seed, start: EXAMPLE_START, days, people, tier, detail: Detail::Rich, tables: false }
}

/// Divides `total` by weight, largest remainders first.
fn apportion(total: usize, weights: &[f64]) -> Vec<usize> {
    let sum: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|weight| weight / sum * total as f64).collect();
    let mut counts: Vec<usize> = exact.iter().map(|share| share.floor() as usize).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| (exact[*b] - exact[*b].floor()).total_cmp(&(exact[*a] - exact[*a].floor())).then(a.cmp(b)));
    let left = total - counts.iter().sum::<usize>();
    for index in order.into_iter().take(left) {
        counts[index] += 1;
    }
    counts
}

/// Simulates a world. Events come in order of time and are made as they are asked for: a plan of 40 bytes an event
/// and a few kilobytes a person are all that is held.
pub fn simulate(spec: &Spec) -> Simulation {
    let people = Builder::new(spec).people();
    let mut plans = Vec::new();
    for (index, person) in people.iter().enumerate() {
        plan(spec, person, index as u32, &mut plans);
    }
    plans.sort_by_key(|plan| (plan.moment.time_micros, plan.person));
    let states = (0..people.len()).map(|index| State::new(spec.seed, index as u64)).collect();
    Simulation { spec: spec.clone(), people, states, plans, next: 0 }
}

/// The events of a world, in order of time.
#[derive(Debug, Clone)]
pub struct Simulation {
    spec: Spec,
    people: Vec<Person>,
    states: Vec<State>,
    plans: Vec<Plan>,
    next: usize,
}

impl Simulation {
    /// Which story each worker lives, without making an event; for evaluation only.
    pub fn truth(&self) -> BTreeMap<String, Scenario> {
        self.people.iter().map(|person| (person.worker_id.clone(), person.scenario)).collect()
    }
}

impl Iterator for Simulation {
    type Item = SimulatedEvent;

    fn next(&mut self) -> Option<SimulatedEvent> {
        let plan = *self.plans.get(self.next)?;
        self.next += 1;
        let person = &mut self.people[plan.person as usize];
        let event = session::event(&self.spec, &plan, person, &mut self.states[plan.person as usize]);
        let before_handover = person.handover_micros.is_some_and(|at| plan.moment.time_micros < at);
        Some(SimulatedEvent {
            event,
            scenario: person.scenario,
            hostile: person.scenario.hostile() && !before_handover,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.plans.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Simulation {}

/// Writes a truth table: worker, scenario, name, hostile or benign, by tabs.
pub fn write_truth(truth: &BTreeMap<String, Scenario>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "worker_id\tscenario\tname\tkind")?;
    for (worker, scenario) in truth {
        let kind = if scenario.hostile() { "hostile" } else { "benign" };
        writeln!(out, "{worker}\t{}\t{}\t{kind}", scenario.code(), scenario.name())?;
    }
    Ok(())
}

fn plan(spec: &Spec, person: &Person, index: u32, plans: &mut Vec<Plan>) {
    let mut chance = Chance::new(derive(spec.seed, 10, u64::from(index)));
    let pace = match spec.detail {
        Detail::Trimmed => Pace { further_logins: 0.8, in_session: 0.3 },
        Detail::Rich => Pace { further_logins: 1.2, in_session: 2.0 },
    };
    let end = spec.start.0 + i64::from(spec.days) * DAY_MICROS;
    let first = rhythm::date_of(spec.start.0);
    let mut last_micros = i64::MIN;
    for day in -1..=i64::from(spec.days) {
        let date = first.saturating_add(jiff::Span::new().days(day));
        let stay = person.stays.iter().find(|stay| stay.from <= date && date < stay.until);
        let own = person.own_hours.filter(|(_, share)| chance.happens(*share));
        // Those who slip into their own hours on some days otherwise keep those of the claim.
        let lives_by = stay.map_or(own.map_or(person.lives_by, |own| own.0), |stay| stay.zone);
        if !person.rhythm.works(date, &mut chance) {
            continue;
        }
        let clock = stay.filter(|stay| stay.clock_from <= date).map_or(0, |stay| stay.zone);
        let hub = chance.happens(match person.choice {
            Choice::Hub(share, ..) => share,
            _ => 0.0,
        });
        let exit = chance.happens(0.7);
        let any = chance.bits();
        for moment in person.rhythm.day(&person.zones[lives_by as usize].1, date, pace, &mut chance) {
            let time = moment.time_micros;
            if time < spec.start.0 || time >= end || time < last_micros + 120_000_000 {
                continue;
            }
            last_micros = time;
            let access = match (&person.choice, stay) {
                (_, Some(stay)) => stay.access,
                (Choice::Lease(leases), None) => {
                    leases.iter().rev().find(|lease| lease.0 <= time).map_or(0, |lease| lease.1)
                }
                (Choice::Exits(exits), None) => {
                    if exit {
                        exits[0]
                    } else {
                        exits[(any % exits.len() as u64) as usize]
                    }
                }
                (Choice::Hub(_, there, home), None) => {
                    if hub {
                        *there
                    } else {
                        *home
                    }
                }
                (Choice::Rotating(_, exits), None) => exits[0],
            };
            let seat = u8::from(person.handover_micros.is_some_and(|at| time >= at));
            plans.push(Plan { moment, person: index, access, zone: clock, seat });
        }
    }
}

#[cfg(test)]
mod tests;
