//! The simulated company: people who live benign and hostile stories, and the events they leave.
//!
//! A room of `training` that knows the wire shape of an event and nothing of how one is scored: it imports
//! `elsewhere::event` only. Every draw comes from one seed; the same [`Spec`] gives the same events, in order of time.
//! Parameters stand in `training/world.toml`, with the data or the judgement each comes from. Companies that fit,
//! calibrate and test have seeds of their own ([`Part`]), and with them people, homes and networks of their own.
//!
//! Worked example: `example_company(1)` is 22 workers over the four weeks from 2026-03-02, a farm of three among them
//! who share one address, one gateway and mostly one display, while two of the three claim another state; each of
//! their prompts is answered some 160 to 240 ms of round trip and 60 to 200 ms of video later than a hand on the desk
//! would.
//!
//! INVARIANT: a scenario cannot be read from identifiers, from which samples are present or from how they are written.

pub mod chance;
mod habits;
mod household;
pub mod machine;
mod operators;
pub mod parameters;
pub mod path;
pub mod person;
pub mod places;
pub mod pointer;
pub mod rhythm;
pub mod scenario;
pub mod session;
mod stories;
pub mod stream;
mod tampering;
pub mod typist;

pub use parameters::Parameters;
pub use scenario::Scenario;

use chance::{Chance, derive};
use elsewhere::event::{EventTime, EventUnchecked};
use habits::Customs;
use household::Builder;
use person::{Choice, DAY_MICROS, Person, Seating};
use rhythm::{Moment, Pace};
use session::{Plan, State};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::io::{self, Write};
use std::sync::Arc;

/// What the tenant's collectors see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// The sign-in log alone: address, client, machine, authenticator.
    IdpOnly,
    /// And a collector on the login page: clock, typing, pointer by the frame, prompts, round trips.
    LoginPage,
    /// And an agent on the machine: raw pointer, peripherals, display, input path, local network.
    Endpoint,
    /// And tokens that are equal for equal things of different workers; below, every worker's tokens are their own.
    Linkage,
}

impl Tier {
    /// All, from least to most telemetry.
    pub const ALL: [Tier; 4] = [Tier::IdpOnly, Tier::LoginPage, Tier::Endpoint, Tier::Linkage];

    /// Whether there is an agent on the machine.
    pub fn agent(self) -> bool {
        matches!(self, Self::Endpoint | Self::Linkage)
    }

    /// Name on the command line and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::IdpOnly => "idp",
            Self::LoginPage => "login-page",
            Self::Endpoint => "endpoint",
            Self::Linkage => "linkage",
        }
    }
}

/// What a company is for. Parts never share a person, a home or a network: their seeds are disjoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Fits weights and the model of a standing.
    Fitting,
    /// Calibrates probabilities and the threshold.
    Calibration,
    /// Tests.
    Test,
}

impl Part {
    /// Seed of one of the part's companies.
    pub fn seed(self, seed: u64, company: u64) -> u64 {
        let part = match self {
            Self::Fitting => 0xf17,
            Self::Calibration => 0xca1,
            Self::Test => 0x7e57,
        };
        derive(derive(seed, 300, part), 301, company)
    }
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
    /// Whether companies have customs and people habits; without, everything is sent by everybody.
    pub varied: bool,
    /// The numbers behind it.
    pub parameters: Arc<Parameters>,
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
///
/// # Errors
/// Those of [`Parameters::shipped`].
pub fn example_company(seed: u64) -> Result<Spec, String> {
    Ok(Spec {
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
        tier: Tier::Linkage,
        detail: Detail::Trimmed,
        tables: false,
        varied: false,
        parameters: Parameters::shipped()?,
    })
}

/// A company of the benign mix and of hostile scenarios in equal parts, from the same Monday.
///
/// # Errors
/// Those of [`Parameters::shipped`].
pub fn world_spec(
    seed: u64,
    benign_workers: usize,
    hostile_workers: usize,
    days: u32,
    tier: Tier,
) -> Result<Spec, String> {
    let parameters = Parameters::shipped()?;
    let all = Scenario::ALL.iter().copied();
    let (hostile, benign): (Vec<Scenario>, Vec<Scenario>) = all.partition(|scenario| scenario.hostile());
    let weights: Vec<f64> = benign.iter().map(|scenario| parameters.mix_weight(*scenario)).collect();
    let mut people: Vec<(Scenario, usize)> = benign.into_iter().zip(apportion(benign_workers, &weights)).collect();
    people.extend(hostile.iter().copied().zip(apportion(hostile_workers, &vec![1.0; hostile.len()])));
    people.retain(|(_, count)| *count > 0);
    let (start, detail) = (EXAMPLE_START, Detail::Rich);
    Ok(Spec { seed, start, days, people, tier, detail, tables: false, varied: true, parameters })
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

/// Simulates a world. Events come in order of time and are made as they are asked for: a few kilobytes a person and
/// one day's plan of each are all that is held, however long the world.
pub fn simulate(spec: &Spec) -> Simulation {
    simulate_prepared(spec, &mut |_, _| true)
}

/// As [`simulate`], with every person, by number, shown to `prepare` before the first day: it may change them, and says
/// who makes events. Nobody's draws depend on anybody else's being there.
pub fn simulate_prepared(spec: &Spec, prepare: &mut dyn FnMut(usize, &mut Person) -> bool) -> Simulation {
    let customs = spec.varied.then(|| Customs::draw(&spec.parameters.customs, spec.seed));
    let mut people = Builder::new(spec).people();
    if let Some(customs) = &customs {
        Builder::habits(spec, customs, &mut people);
    }
    let lively: Vec<bool> = people.iter_mut().enumerate().map(|(index, person)| prepare(index, person)).collect();
    let lives = people.into_iter().enumerate().map(|(index, person)| Life::new(spec, person, index as u32));
    let mut simulation = Simulation { spec: spec.clone(), customs, lives: lives.collect(), next: BinaryHeap::new() };
    for (index, _) in lively.iter().enumerate().filter(|(_, lively)| **lively) {
        simulation.queue(index);
    }
    simulation
}

/// The events of a world, in order of time.
#[derive(Debug, Clone)]
pub struct Simulation {
    spec: Spec,
    customs: Option<Customs>,
    lives: Vec<Life>,
    /// When each life's next event is.
    next: BinaryHeap<Reverse<(i64, u32)>>,
}

impl Simulation {
    /// Which story each worker lives, without making an event; for evaluation only.
    pub fn truth(&self) -> BTreeMap<String, Scenario> {
        self.lives.iter().map(|life| (life.person.worker_id.clone(), life.person.scenario)).collect()
    }

    fn queue(&mut self, index: usize) {
        if let Some(plan) = self.lives[index].peek(&self.spec) {
            self.next.push(Reverse((plan.moment.time_micros, index as u32)));
        }
    }
}

impl Iterator for Simulation {
    type Item = SimulatedEvent;

    fn next(&mut self) -> Option<SimulatedEvent> {
        let Reverse((_, index)) = self.next.pop()?;
        let life = &mut self.lives[index as usize];
        let plan = life.plans.pop_front()?;
        let world = session::World { spec: &self.spec, customs: self.customs.as_ref() };
        let event = session::event(&world, &plan, &mut life.person, &mut life.state);
        let scenario = life.person.scenario;
        let before_handover = matches!(life.person.seating, Seating::HandedOver(at) if plan.moment.time_micros < at);
        self.queue(index as usize);
        Some(SimulatedEvent { event, scenario, hostile: scenario.hostile() && !before_handover })
    }
}

/// One person's days, planned one after the other.
#[derive(Debug, Clone)]
struct Life {
    person: Person,
    state: State,
    index: u32,
    chance: Chance,
    /// Next day to plan, from the world's first; one before it, for those who live east of UTC.
    day: i64,
    last_micros: i64,
    plans: VecDeque<Plan>,
}

/// Writes a truth table: worker, scenario, name, hostile or benign, by tabs.
pub fn write_truth(truth: &BTreeMap<String, Scenario>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "worker_id\tscenario\tname\tkind")?;
    for (worker, scenario) in truth {
        let kind = if scenario.hostile() { "hostile" } else { "benign" };
        writeln!(out, "{worker}\t{}\t{}\t{kind}", scenario.code(), scenario.name())?;
    }
    Ok(())
}

impl Life {
    fn new(spec: &Spec, person: Person, index: u32) -> Self {
        let chance = Chance::new(derive(spec.seed, 10, u64::from(index)));
        let state = State::new(spec.seed, u64::from(index), spec.varied);
        Self { person, state, index, chance, day: -1, last_micros: i64::MIN, plans: VecDeque::new() }
    }

    /// The next event to be, after planning as many days as it takes.
    fn peek(&mut self, spec: &Spec) -> Option<Plan> {
        while self.plans.is_empty() && self.day <= i64::from(spec.days) {
            self.plan_day(spec);
            self.day += 1;
        }
        self.plans.front().copied()
    }

    fn plan_day(&mut self, spec: &Spec) {
        let Self { person, chance, .. } = self;
        let pace = match spec.detail {
            Detail::Trimmed => Pace { further_logins: 0.8, in_session: 0.3 },
            Detail::Rich => Pace { further_logins: 1.2, in_session: 2.0 },
        };
        let end = spec.start.0 + i64::from(spec.days) * DAY_MICROS;
        let date = rhythm::date_of(spec.start.0).saturating_add(jiff::Span::new().days(self.day));
        let stay = person.stays.iter().find(|stay| stay.from <= date && date < stay.until);
        let own = person.own_hours.filter(|(_, share)| chance.happens(*share));
        // Those who slip into their own hours on some days otherwise keep those of the claim.
        let lives_by = stay.map_or(own.map_or(person.lives_by, |own| own.0), |stay| stay.zone);
        if !person.rhythm.works(date, chance) {
            return;
        }
        let clock = stay.filter(|stay| stay.clock_from <= date).map_or(0, |stay| stay.zone);
        let hub = chance.happens(match person.choice {
            Choice::Hub(share, ..) => share,
            _ => 0.0,
        });
        let exit = chance.happens(0.7);
        let any = chance.bits();
        let other_line = person.habits.access(derive(spec.seed, 12, u64::from(self.index)), self.day);
        let mut helped = false;
        for moment in person.rhythm.day(&person.zones[lives_by as usize].1, date, pace, chance) {
            let time = moment.time_micros;
            if time < spec.start.0 || time >= end || time < self.last_micros + 120_000_000 {
                continue;
            }
            if !person.habits.at_work(time) {
                continue;
            }
            self.last_micros = time;
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
            let access = if stay.is_none() { other_line.unwrap_or(access) } else { access };
            let slip = person.slips.iter().find(|(from, until, _)| (*from..*until).contains(&time));
            let access = slip.map_or(access, |slip| slip.2);
            let seat = seat_at(person, moment, &mut helped);
            self.plans.push_back(Plan { moment, person: self.index, access, zone: clock, seat });
        }
    }
}

/// Who sits there at a moment.
fn seat_at(person: &Person, moment: Moment, helped: &mut bool) -> u8 {
    let time = moment.time_micros;
    match &person.seating {
        Seating::One => 0,
        Seating::HandedOver(at) => u8::from(time >= *at),
        Seating::SignedIn => u8::from(!moment.login),
        Seating::TakingOver(from, until) => {
            let gone = (time - from) as f64 / (until - from).max(1) as f64;
            u8::from(chance::share_of(time as u64) < gone)
        }
        Seating::Shifts(from_hour, hours) => {
            let hour = time.rem_euclid(DAY_MICROS) as f64 / 3_600.0e6;
            let gone = (hour - from_hour).rem_euclid(24.0);
            let shift = (gone / hours * person.seats.len() as f64) as usize;
            shift.min(person.seats.len() - 1) as u8
        }
        Seating::Helped(days) => {
            let today = days.contains(&time.div_euclid(DAY_MICROS));
            let now = today && !moment.login && !*helped;
            *helped |= now;
            u8::from(now)
        }
    }
}

#[cfg(test)]
mod tests;
