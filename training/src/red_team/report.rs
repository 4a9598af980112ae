//! What a search found: for machines as JSON, for people as a table.

use super::apply::Change;
use super::powers::{Cost, Powers};
use super::search::TARGET;
use super::trial::{Trial, WORKDAYS};
use crate::evaluate::world::bounds;
use crate::world::{Scenario, Tier};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// A share of operators, with its exact 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Operators flagged.
    pub flagged: usize,
    /// Operators followed.
    pub of: usize,
    /// Their share.
    pub share: f64,
    /// Its interval.
    pub interval: (f64, f64),
}

impl Share {
    /// The share a trial showed.
    pub fn of(trial: &Trial) -> Self {
        let interval = bounds::interval(trial.flagged, trial.operators);
        Self { flagged: trial.flagged, of: trial.operators, share: trial.recall(), interval }
    }

    fn told(&self) -> String {
        format!("{:.2} ({:.2}-{:.2}) of {}", self.share, self.interval.0, self.interval.1, self.of)
    }
}

/// A power as it was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// Its id.
    pub power: Change,
    /// Its name.
    pub name: String,
    /// Its level's value.
    pub value: f64,
    /// How many levels it has: with one, the value says nothing.
    pub levels: usize,
}

/// A way past the model, or the nearest to one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evasion {
    /// What it takes.
    pub powers: Vec<Taken>,
    /// What it costs, in units.
    pub cost: Cost,
    /// The same in dollars, at the file's rates.
    pub dollars: f64,
    /// Operators flagged all the same, none of whom was searched with.
    pub flagged: Share,
    /// What still speaks against them: reasons and their mean nats.
    pub reasons: Vec<(String, f64)>,
}

impl Evasion {
    /// The powers in words.
    pub fn powers_told(&self) -> String {
        if self.powers.is_empty() {
            return "none needed".into();
        }
        let told = |one: &Taken| match one.levels {
            1 => one.power.name().replace('_', " "),
            _ => format!("{} {}", one.power.name().replace('_', " "), one.value),
        };
        self.powers.iter().map(told).collect::<Vec<_>>().join(", ")
    }
}

/// A power tried alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alone {
    /// Which.
    pub power: Change,
    /// At which level.
    pub value: f64,
    /// Operators flagged with it.
    pub flagged: usize,
    /// The same operators flagged without.
    pub unaided: usize,
    /// Operators.
    pub operators: usize,
}

/// What was found of one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its code in the catalogue.
    pub scenario: String,
    /// Its name.
    pub name: String,
    /// Operators flagged without any power.
    pub unaided: Share,
    /// What speaks against them then.
    pub unaided_reasons: Vec<(String, f64)>,
    /// The cheapest way found that needs nobody's mistake.
    pub cheapest: Option<Evasion>,
    /// Where none was found, the powers that came nearest.
    pub nearest: Option<Evasion>,
    /// The cheapest exemption that evades, alone; not searched where none is needed.
    pub declared: Option<Evasion>,
    /// The same of tampering with the collector.
    pub tampered: Option<Evasion>,
    /// Every power alone, on the first few operators.
    pub alone: Vec<Alone>,
    /// Companies lived for it.
    pub companies: usize,
}

impl Outcome {
    /// Before a search.
    pub fn new(scenario: Scenario, unaided: Share, unaided_reasons: Vec<(String, f64)>) -> Self {
        Self {
            scenario: scenario.code().into(),
            name: scenario.name().into(),
            unaided,
            unaided_reasons,
            cheapest: None,
            nearest: None,
            declared: None,
            tampered: None,
            alone: Vec::new(),
            companies: 0,
        }
    }
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The model searched against.
    pub model_id: String,
    /// SHA-256 of its `model.json`, in hexadecimal.
    #[serde(default)]
    pub model_sha256: String,
    /// The command that searches again.
    pub command: String,
    /// Seed of operators.
    pub seed: u64,
    /// What the collectors saw.
    pub tier: String,
    /// Largest share of operators flagged that counts as evasion.
    pub target: f64,
    /// Workdays within which a flag counts.
    pub workdays: u32,
    /// What could be done, and the rates by which costs are compared.
    pub powers: Powers,
    /// By scenario.
    pub scenarios: Vec<Outcome>,
}

impl Report {
    /// A report without scenarios.
    pub fn new(model_id: &str, command: String, (seed, tier): (u64, Tier), powers: &Powers) -> Self {
        Self {
            model_id: model_id.into(),
            model_sha256: String::new(),
            command,
            seed,
            tier: tier.name().into(),
            target: TARGET,
            workdays: WORKDAYS,
            powers: powers.clone(),
            scenarios: Vec::new(),
        }
    }

    /// The table of scenarios, in Markdown.
    pub fn table(&self) -> String {
        let mut out = String::from(
            "| scenario | flagged unaided | cheapest evasion found | its cost a month | in dollars | flagged then | what still speaks |\n\
             | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for one in &self.scenarios {
            let (code, name, unaided) = (&one.scenario, &one.name, one.unaided.told());
            let row = match (&one.cheapest, &one.nearest) {
                (Some(found), _) => row(found, found.powers_told()),
                (None, Some(near)) => row(near, format!("**none**; nearest: {}", near.powers_told())),
                (None, None) => "**none** | - | - | - | -".into(),
            };
            let _ = writeln!(out, "| {code} {name} | {unaided} | {row} |");
        }
        out
    }

    /// The table of what mistakes of the tenant and a collector in the wrong hands buy, in Markdown.
    pub fn mistakes(&self) -> String {
        let mut out = String::from(
            "| scenario | cheapest exemption that evades | flagged then | cheapest tampering that evades | flagged then |\n\
             | --- | --- | --- | --- | --- |\n",
        );
        let told = |found: &Option<Evasion>| match found {
            Some(found) => format!("{}: {} | {}", found.powers_told(), found.cost.told(), found.flagged.told()),
            None => "**none** | -".into(),
        };
        for one in
            self.scenarios.iter().filter(|one| one.cheapest.as_ref().is_none_or(|found| !found.powers.is_empty()))
        {
            let row = format!("{} | {}", told(&one.declared), told(&one.tampered));
            let _ = writeln!(out, "| {} {} | {row} |", one.scenario, one.name);
        }
        out
    }

    /// The powers with their prices, what they buy alone, and what to do about each, in Markdown.
    pub fn powers_table(&self) -> String {
        let mut out = String::from(
            "| power | what it does, and who can | cost a month by level | alone: flagged with, without | what a defender does |\n\
             | --- | --- | --- | --- | --- |\n",
        );
        for power in &self.powers.all {
            let level = |level: &super::powers::Level| match power.levels.len() {
                1 => level.cost.told(),
                _ => format!("{}: {}", level.value, level.cost.told()),
            };
            let levels: Vec<String> = power.levels.iter().map(level).collect();
            let name = power.id.name().replace('_', " ");
            let _ = writeln!(
                out,
                "| {name} | {}: {}. For {}. | {} | {} | {} |",
                capital(&power.name),
                power.what,
                power.who,
                levels.join("; "),
                self.alone(power.id),
                power.defence
            );
        }
        out
    }

    /// Operators of all scenarios that a power changes, flagged with it alone at its strongest, and without.
    fn alone(&self, power: Change) -> String {
        let all = || self.scenarios.iter().flat_map(|one| &one.alone).filter(|one| one.power == power);
        let strongest = all().map(|one| one.value).fold(f64::NEG_INFINITY, f64::max);
        let sum = all()
            .filter(|one| one.value == strongest)
            .fold((0, 0, 0), |sum, one| (sum.0 + one.flagged, sum.1 + one.unaided, sum.2 + one.operators));
        match sum.2 {
            0 => "-".into(),
            of => format!("{}, {} of {of}", sum.0, sum.1),
        }
    }
}

fn row(found: &Evasion, powers: String) -> String {
    let reasons: Vec<String> = found.reasons.iter().map(|(reason, nats)| format!("{reason} {nats:+.1}")).collect();
    let reasons = if reasons.is_empty() { "nothing".into() } else { reasons.join(", ") };
    format!("{powers} | {} | {:.0} | {} | {reasons}", found.cost.told(), found.dollars, found.flagged.told())
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
