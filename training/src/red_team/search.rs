//! The search for the cheapest way past a model: greedy by what a power gains for its price, in rounds that try many powers
//! on few operators and the better of them on more (successive halving, Jamieson and Talwalkar 2016), then pruned, then
//! tried again on operators nobody searched with.
//!
//! It finds an upper bound: whoever searches longer, or knows a power the file does not, may find a cheaper way. The same
//! seed gives the same answer, on any number of threads; the budget is companies lived and not seconds.
//!
//! Worked example: against a model that hears nothing but the closed loop, of a capture device at 60 dollars (10 ms of 130
//! gone) and a move to another country at 2,200 (the loop of 180 ms falls to 60), the second gains far more than forty
//! times the first; it is taken, found to hide 18 of 20 operators alone, and the device left out.

use super::powers::{Cost, Needs, Powers};
use super::report::{Alone, Evasion, Outcome, Share, Taken};
use super::trial::{Choices, Ground, OPERATORS, Size, Trial};
use crate::world::Scenario;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How large companies are, and how long they live.
    pub size: Size,
    /// Companies a candidate is tried in, round by round; rising.
    pub rounds: Vec<usize>,
    /// Companies that nobody searched with, which an answer has to hold in.
    pub fresh: usize,
    /// Powers added one after another, at most.
    pub steps: usize,
    /// Companies lived for one scenario, at most, fresh ones aside.
    pub companies: usize,
}

impl Plan {
    /// About two minutes of one core over all scenarios: shows that nothing is broken.
    pub fn quick() -> Self {
        Self { size: Size::usual(), rounds: vec![1, 2], fresh: 3, steps: 2, companies: 36 }
    }

    /// At most a quarter of an hour of one core over all scenarios.
    pub fn full() -> Self {
        Self { size: Size::usual(), rounds: vec![1, 2, 5], fresh: 12, steps: 5, companies: 240 }
    }
}

/// Largest share of operators flagged that counts as evasion.
pub const TARGET: f64 = 0.2;
/// The same while searching: whoever picks the best of many picks luck too.
const TARGET_SEARCHING: f64 = 0.15;
/// Evading sets that are tried on fresh operators, cheapest first, until one holds.
const CONFIRMED_MAX: usize = 4;
/// Dollars a month beside which a power's price is seen: what costs nothing is then not infinitely good.
const PRICE_FLOOR: f64 = 50.0;
/// First of the companies nobody searches with.
const FRESH_FROM: u64 = 1_000;
/// Candidates kept after a round: of those that evade, and of those that gain most for their price.
const KEPT: (usize, usize) = (3, 5);

/// A scenario being searched.
struct Search<'a, 'g> {
    ground: &'a Ground<'g>,
    scenario: Scenario,
    plan: &'a Plan,
    memory: HashMap<(Choices, u64), Trial>,
    lived: usize,
}

/// A candidate with what it showed so far.
#[derive(Debug, Clone)]
struct Candidate {
    choices: Choices,
    dollars: f64,
    trial: Trial,
}

/// Searches one scenario.
///
/// # Errors
/// When a company cannot be lived.
pub fn search(ground: &Ground<'_>, scenario: Scenario, plan: &Plan, say: &dyn Fn(&str)) -> Result<Outcome, String> {
    let mut search = Search { ground, scenario, plan, memory: HashMap::new(), lived: 0 };
    let unaided = search.fresh(&Vec::new())?;
    let mut outcome = Outcome::new(scenario, Share::of(&unaided), unaided.top_reasons(REASONS_TOLD));
    if unaided.recall() <= TARGET {
        outcome.cheapest = Some(search.told(&Vec::new(), &unaided));
        outcome.companies = search.lived;
        return Ok(outcome);
    }
    let own = own_options(ground, scenario)?;
    let (evading, nearest) = search.forward(Vec::new(), plan.steps, &own, &mut outcome.alone, say)?;
    let evading = search.pruned(evading)?;
    say("confirming");
    outcome.cheapest = search.confirmed(&evading)?;
    if outcome.cheapest.is_none() && !nearest.is_empty() {
        let trial = search.fresh(&nearest)?;
        outcome.nearest = Some(search.told(&nearest, &trial));
    }
    outcome.declared = search.alone_by(Needs::Tenant)?;
    outcome.tampered = search.alone_by(Needs::Collector)?;
    outcome.companies = search.lived;
    Ok(outcome)
}

/// Takes up a searched scenario again with what got past the model in others, where that is cheaper.
///
/// # Errors
/// When a company cannot be lived.
pub fn with_others(
    ground: &Ground<'_>,
    scenario: Scenario,
    plan: &Plan,
    mut outcome: Outcome,
    others: &[Outcome],
    say: &dyn Fn(&str),
) -> Result<Outcome, String> {
    let found = outcome.cheapest.as_ref();
    if found.is_some_and(|found| found.powers.is_empty()) {
        return Ok(outcome);
    }
    let bound = found.map_or(f64::INFINITY, |found| found.dollars);
    let plan = &Plan { companies: plan.companies / 2, ..plan.clone() };
    let mut search = Search { ground, scenario, plan, memory: HashMap::new(), lived: 0 };
    let mut sets: Vec<Choices> = Vec::new();
    for one in others.iter().filter_map(|other| other.cheapest.as_ref()) {
        let mut set = Choices::new();
        for choice in ground.choices(one) {
            if ground.applies(scenario, choice)? {
                set.push(choice);
            }
        }
        sets.push(set);
    }
    search.sort(&mut sets);
    sets.dedup();
    sets.retain(|set| !set.is_empty() && search.dollars(set) < bound);
    sets.truncate(BORROWED_MAX);
    say("trying what got past in other scenarios");
    let tried = search.candidates(&sets, search.last_round())?;
    let mut evading: Vec<Choices> =
        tried.iter().filter(|one| evades(&one.trial)).map(|one| one.choices.clone()).collect();
    let nearest = tried.iter().min_by(|a, b| a.trial.excess.total_cmp(&b.trial.excess));
    if let Some(start) = nearest.filter(|one| evading.is_empty() && !evades(&one.trial)) {
        let own = own_options(ground, scenario)?;
        evading = search.forward(start.choices.clone(), BORROWED_STEPS, &own, &mut Vec::new(), say)?.0;
    }
    let mut cheaper = search.pruned(evading)?;
    cheaper.retain(|set| search.dollars(set) < bound);
    if let Some(better) = search.confirmed(&cheaper)? {
        (outcome.cheapest, outcome.nearest) = (Some(better), None);
    }
    outcome.companies += search.lived;
    Ok(outcome)
}

/// Sets of other scenarios that are tried, cheapest first, and powers added to the nearest of them.
const BORROWED_MAX: usize = 8;
const BORROWED_STEPS: usize = 2;

/// The powers that need nobody's mistake and change something in a scenario.
fn own_options(ground: &Ground<'_>, scenario: Scenario) -> Result<Choices, String> {
    let mut own = Vec::new();
    for choice in offered(ground.powers()) {
        if ground.powers().all[choice.0].needs == Needs::Nobody && ground.applies(scenario, choice)? {
            own.push(choice);
        }
    }
    Ok(own)
}

/// Reasons named of what is left.
const REASONS_TOLD: usize = 3;

/// Every power at its strongest level, and at levels that cost as much: what is weaker is tried when pruning.
fn offered(powers: &Powers) -> Vec<(usize, usize)> {
    let strongest = |(index, power): (usize, &super::powers::Power)| {
        let last = power.levels.len() - 1;
        let as_much = (0..=last).filter(move |level| *level == last).map(move |level| (index, level));
        let equal: Vec<(usize, usize)> = (0..last)
            .filter(|level| power.levels[*level].cost == power.levels[last].cost)
            .map(|at| (index, at))
            .collect();
        as_much.chain(equal).collect::<Vec<_>>()
    };
    powers.all.iter().enumerate().flat_map(strongest).collect()
}

impl Search<'_, '_> {
    fn powers(&self) -> &Powers {
        self.ground.powers()
    }

    fn cost(&self, choices: &Choices) -> Cost {
        let each = choices.iter().map(|(power, level)| self.powers().all[*power].levels[*level].cost);
        each.fold(Cost::default(), Cost::and)
    }

    fn dollars(&self, choices: &Choices) -> f64 {
        self.cost(choices).dollars(&self.powers().rates)
    }

    fn with(&self, choices: &Choices, more: (usize, usize)) -> Option<Choices> {
        let seat = |choice: &(usize, usize)| self.powers().all[choice.0].id.takes_the_seat();
        let clash = |one: &(usize, usize)| one.0 == more.0 || (seat(one) && seat(&more));
        if choices.iter().any(clash) {
            return None;
        }
        let mut with = choices.clone();
        with.push(more);
        with.sort_unstable();
        Some(with)
    }

    /// Tries candidates in companies, on as many threads as there are; remembers what was tried.
    fn tried(&mut self, candidates: &[Choices], companies: Range<u64>) -> Result<Vec<Trial>, String> {
        let mut jobs: Vec<(Choices, u64)> = Vec::new();
        for choices in candidates {
            let new = companies.clone().map(|company| (choices.clone(), company));
            jobs.extend(new.filter(|job| !self.memory.contains_key(job)));
        }
        jobs.sort();
        jobs.dedup();
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(jobs.len())));
        let (ground, scenario) = (self.ground, self.scenario);
        let work = || {
            while let Some((choices, company)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let lived = ground.lived(scenario, choices, *company);
                if let Ok(mut done) = done.lock() {
                    done.push(lived.map(|trial| ((choices.clone(), *company), trial)));
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get()).min(jobs.len());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        let done = done.into_inner().map_err(|_| "a company's thread broke off".to_string())?;
        if done.len() != jobs.len() {
            return Err("a company's thread broke off".into());
        }
        self.lived += jobs.len();
        for one in done {
            let (job, trial) = one?;
            self.memory.insert(job, trial);
        }
        let sum = |choices: &Choices| {
            let mut sum = Trial::default();
            companies
                .clone()
                .filter_map(|company| self.memory.get(&(choices.clone(), company)))
                .for_each(|t| sum.add(t));
            sum
        };
        Ok(candidates.iter().map(sum).collect())
    }

    fn candidates(&mut self, sets: &[Choices], companies: usize) -> Result<Vec<Candidate>, String> {
        let trials = self.tried(sets, 0..companies as u64)?;
        let made = sets.iter().zip(trials);
        Ok(made.map(|(set, trial)| Candidate { choices: set.clone(), dollars: self.dollars(set), trial }).collect())
    }

    fn fresh(&mut self, choices: &Choices) -> Result<Trial, String> {
        let companies = FRESH_FROM..FRESH_FROM + self.plan.fresh as u64;
        let trials = self.tried(std::slice::from_ref(choices), companies)?;
        trials.into_iter().next().ok_or_else(|| "a candidate was not tried".into())
    }

    fn last_round(&self) -> usize {
        self.plan.rounds.last().copied().unwrap_or(1)
    }

    /// Adds powers step by step. Returns every set found to evade, and the set that came nearest.
    fn forward(
        &mut self,
        start: Choices,
        steps: usize,
        options: &[(usize, usize)],
        alone: &mut Vec<Alone>,
        say: &dyn Fn(&str),
    ) -> Result<(Vec<Choices>, Choices), String> {
        let mut current = start;
        let mut evading: Vec<Choices> = Vec::new();
        for step in 0..steps {
            say(&format!("step {} of {steps}, {} companies", step + 1, self.lived));
            let bound = evading.iter().map(|set| self.dollars(set)).fold(f64::INFINITY, f64::min);
            let sets: Vec<Choices> = options.iter().filter_map(|option| self.with(&current, *option)).collect();
            let mut sets: Vec<Choices> = sets.into_iter().filter(|set| self.dollars(set) < bound).collect();
            let mut ranked = Vec::new();
            for companies in self.plan.rounds.clone() {
                let first = ranked.is_empty();
                if sets.is_empty() || self.lived + sets.len() > self.plan.companies {
                    break;
                }
                let before = self.candidates(std::slice::from_ref(&current), companies)?.remove(0);
                ranked = self.candidates(&sets, companies)?;
                if step == 0 && first {
                    alone.extend(ranked.iter().map(|one| self.alone(one, &before.trial)));
                }
                ranked = kept(ranked, &before);
                sets = ranked.iter().map(|one| one.choices.clone()).collect();
            }
            let whole = self.last_round() * OPERATORS;
            let sure: Vec<Candidate> = ranked.into_iter().filter(|one| one.trial.operators == whole).collect();
            evading.extend(sure.iter().filter(|one| evades(&one.trial)).map(|one| one.choices.clone()));
            // What evades already needs nothing more: a cheaper way begins with something that does not yet.
            let Some(next) = sure.into_iter().find(|one| !evades(&one.trial)) else { break };
            current = next.choices;
        }
        Ok((evading, current))
    }

    /// Takes out of every evading set, and weakens, what it does not need; adds what is left to the sets. Cheapest first.
    fn pruned(&mut self, mut evading: Vec<Choices>) -> Result<Vec<Choices>, String> {
        self.sort(&mut evading);
        for mut set in evading.clone().into_iter().take(CONFIRMED_MAX) {
            loop {
                let mut weaker = self.weaker(&set);
                self.sort(&mut weaker);
                let room = (3 * self.plan.companies / 2).saturating_sub(self.lived) / self.last_round().max(1);
                weaker.truncate(room);
                let tried = self.candidates(&weaker, self.last_round())?;
                let Some(better) = tried.into_iter().find(|one| evades(&one.trial)) else { break };
                set = better.choices;
                evading.push(set.clone());
            }
        }
        self.sort(&mut evading);
        evading.dedup();
        Ok(evading)
    }

    fn sort(&self, sets: &mut [Choices]) {
        sets.sort_by(|a, b| self.dollars(a).total_cmp(&self.dollars(b)).then_with(|| a.cmp(b)));
    }

    /// The set without one of its powers, or with one at a level that costs less.
    fn weaker(&self, set: &Choices) -> Vec<Choices> {
        let mut all = Vec::new();
        for (at, (power, level)) in set.iter().enumerate() {
            let mut without = set.clone();
            without.remove(at);
            all.push(without);
            let dollars = |level: usize| self.powers().all[*power].levels[level].cost.dollars(&self.powers().rates);
            for other in (0..self.powers().all[*power].levels.len()).filter(|other| dollars(*other) < dollars(*level)) {
                let mut with = set.clone();
                with[at].1 = other;
                all.push(with);
            }
        }
        all
    }

    /// The cheapest level that evades of the powers that need somebody's mistake, each alone.
    fn alone_by(&mut self, needs: Needs) -> Result<Option<Evasion>, String> {
        let powers = self.powers().all.iter().enumerate().filter(|(_, power)| power.needs == needs);
        let levels = powers.flat_map(|(index, power)| (0..power.levels.len()).map(move |level| vec![(index, level)]));
        let mut alone: Vec<Choices> = levels.collect();
        self.sort(&mut alone);
        let tried = self.candidates(&alone, self.last_round())?;
        let evading = tried.into_iter().filter(|one| evades(&one.trial)).map(|one| one.choices).collect::<Vec<_>>();
        self.confirmed(&evading)
    }

    /// The cheapest of some sets that holds against operators nobody searched with.
    fn confirmed(&mut self, sets: &[Choices]) -> Result<Option<Evasion>, String> {
        for set in sets.iter().take(CONFIRMED_MAX) {
            let trial = self.fresh(set)?;
            if trial.recall() <= TARGET {
                return Ok(Some(self.told(set, &trial)));
            }
        }
        Ok(None)
    }

    fn told(&self, set: &Choices, trial: &Trial) -> Evasion {
        let cost = self.cost(set);
        let taken = |(power, level): &(usize, usize)| {
            let power = &self.powers().all[*power];
            Taken {
                power: power.id,
                name: power.name.clone(),
                value: power.levels[*level].value,
                levels: power.levels.len(),
            }
        };
        Evasion {
            powers: set.iter().map(taken).collect(),
            cost,
            dollars: cost.dollars(&self.powers().rates),
            flagged: Share::of(trial),
            reasons: trial.top_reasons(REASONS_TOLD),
        }
    }

    fn alone(&self, one: &Candidate, unaided: &Trial) -> Alone {
        let (power, level) = one.choices[0];
        let value = self.powers().all[power].levels[level].value;
        let power = self.powers().all[power].id;
        Alone { power, value, flagged: one.trial.flagged, unaided: unaided.flagged, operators: one.trial.operators }
    }
}

fn evades(trial: &Trial) -> bool {
    trial.recall() <= TARGET_SEARCHING
}

/// The candidates worth another round: those that evade, cheapest first, and those that gain most for their price. Among
/// operators of whom too few are flagged before, evading says nothing, and gains alone decide.
fn kept(candidates: Vec<Candidate>, before: &Candidate) -> Vec<Candidate> {
    let told = !evades(&before.trial);
    let (mut evading, mut rest): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|one| told && evades(&one.trial));
    evading.sort_by(|a, b| a.dollars.total_cmp(&b.dollars).then_with(|| a.choices.cmp(&b.choices)));
    let each = |trial: &Trial| trial.excess / trial.operators.max(1) as f64;
    let gain = |one: &Candidate| {
        (each(&before.trial) - each(&one.trial)) / ((one.dollars - before.dollars).max(0.0) + PRICE_FLOOR)
    };
    rest.sort_by(|a, b| gain(b).total_cmp(&gain(a)).then_with(|| a.choices.cmp(&b.choices)));
    evading.truncate(KEPT.0);
    rest.truncate(KEPT.1);
    evading.extend(rest);
    evading
}
