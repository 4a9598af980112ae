//! What operators can do and what it costs them, read from `training/powers.toml`, which explains each.

use super::apply::Change;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The file as it was when the program was built.
const SHIPPED: &str = include_str!("../../powers.toml");

/// What evasion costs, per worker and month.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cost {
    /// US dollars.
    pub money: f64,
    /// Hours a day lived at odd hours.
    pub odd_hours: f64,
    /// Milliseconds added to every answer of the screen.
    pub added_ms: f64,
    /// Share of the work that can no longer be done, 0 to 1.
    pub work_lost: f64,
    /// People needed in the claimed country, full time = 1.
    pub people_local: f64,
}

impl Cost {
    /// Both costs borne at once: units add up, but for work, of which each loses a share of what the other leaves.
    pub fn and(self, other: Cost) -> Cost {
        Cost {
            money: self.money + other.money,
            odd_hours: self.odd_hours + other.odd_hours,
            added_ms: self.added_ms + other.added_ms,
            work_lost: 1.0 - (1.0 - self.work_lost) * (1.0 - other.work_lost),
            people_local: self.people_local + other.people_local,
        }
    }

    /// US dollars a month, at the file's rates; never negative.
    pub fn dollars(&self, rates: &Rates) -> f64 {
        self.money
            + self.odd_hours * rates.odd_hours
            + self.added_ms * rates.added_ms
            + self.work_lost * rates.work_lost
            + self.people_local * rates.people_local
    }

    /// In words: the units that are not zero.
    pub fn told(&self) -> String {
        let parts: Vec<String> = [
            (self.money, format!("${:.0}", self.money)),
            (self.odd_hours, format!("{:.0} h a day at odd hours", self.odd_hours)),
            (self.added_ms, format!("{:.0} ms slower", self.added_ms)),
            (self.work_lost, format!("{:.0} % of the work", 100.0 * self.work_lost)),
            (self.people_local, format!("{:.2} people there", self.people_local)),
        ]
        .into_iter()
        .filter(|(amount, _)| *amount > 0.0)
        .map(|(_, told)| told)
        .collect();
        if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
    }

    fn sound(&self) -> bool {
        let all = [self.money, self.odd_hours, self.added_ms, self.work_lost, self.people_local];
        all.into_iter().all(|amount| amount.is_finite() && amount >= 0.0) && self.work_lost <= 1.0
    }
}

/// What units are worth to an operator, US dollars a month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// An hour a day at odd hours.
    pub odd_hours: f64,
    /// A millisecond more to every answer of the screen.
    pub added_ms: f64,
    /// All of the work.
    pub work_lost: f64,
    /// One person in the claimed country.
    pub people_local: f64,
}

/// How far a power goes, and what that costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenLevel", into = "WrittenLevel")]
pub struct Level {
    /// In the unit the power's text says.
    pub value: f64,
    /// What it costs.
    pub cost: Cost,
}

/// A level as the file has it: units beside the value, none that is unknown, so that no misspelt price is free.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLevel {
    value: f64,
    #[serde(default)]
    money: f64,
    #[serde(default)]
    odd_hours: f64,
    #[serde(default)]
    added_ms: f64,
    #[serde(default)]
    work_lost: f64,
    #[serde(default)]
    people_local: f64,
}

impl From<WrittenLevel> for Level {
    fn from(written: WrittenLevel) -> Self {
        let WrittenLevel { value, money, odd_hours, added_ms, work_lost, people_local } = written;
        Self { value, cost: Cost { money, odd_hours, added_ms, work_lost, people_local } }
    }
}

impl From<Level> for WrittenLevel {
    fn from(level: Level) -> Self {
        let Level { value, cost: Cost { money, odd_hours, added_ms, work_lost, people_local } } = level;
        Self { value, money, odd_hours, added_ms, work_lost, people_local }
    }
}

/// Whose mistake a power needs besides the operator's own means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// Nobody's: money, programs and people of the operator's own.
    #[default]
    Nobody,
    /// The tenant's people, who declare what is not so.
    Tenant,
    /// The collector, which has to be in the operator's hands.
    Collector,
}

/// Something an operator can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Power {
    /// What it changes of an operator's life; its name in tables.
    pub id: Change,
    /// In a few words.
    pub name: String,
    /// Who can have it.
    pub who: String,
    /// What it changes, and what the levels mean.
    pub what: String,
    /// What a defender should do about it.
    pub defence: String,
    /// Whose mistake it needs; the search combines those that need nobody's, and tries the others alone.
    #[serde(default)]
    pub needs: Needs,
    /// Weakest first.
    pub levels: Vec<Level>,
}

/// All of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Powers {
    /// Version of the file's form.
    pub version: u32,
    /// How units are compared.
    pub rates: Rates,
    /// The powers, in the order of the file.
    #[serde(rename = "power", default)]
    pub all: Vec<Power>,
}

impl Powers {
    /// The powers that are part of the program.
    ///
    /// # Errors
    /// Names what in the file cannot be used; a test reads it, so a released program never says so.
    pub fn shipped() -> Result<Self, String> {
        Self::parse(SHIPPED, "powers.toml")
    }

    /// The powers of another file.
    ///
    /// # Errors
    /// When it cannot be read, or names what in it cannot be used.
    pub fn read(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        Self::parse(&text, &name)
    }

    fn parse(text: &str, name: &str) -> Result<Self, String> {
        let powers: Self = toml::from_str(text).map_err(|error| format!("{name}: {error}"))?;
        powers.check().map_err(|error| format!("{name}: {error}"))?;
        Ok(powers)
    }

    fn check(&self) -> Result<(), String> {
        let rates = [self.rates.odd_hours, self.rates.added_ms, self.rates.work_lost, self.rates.people_local];
        if rates.iter().any(|rate| !rate.is_finite() || *rate < 0.0) {
            return Err("a rate of [rates] is negative or not a number".into());
        }
        for (index, power) in self.all.iter().enumerate() {
            let id = power.id.name();
            if self.all[..index].iter().any(|other| other.id == power.id) {
                return Err(format!("power {id} is there twice"));
            }
            if power.levels.is_empty() {
                return Err(format!("power {id} has no level: give at least one {{ value = … }}"));
            }
            if power.levels.iter().any(|level| !level.value.is_finite() || !level.cost.sound()) {
                return Err(format!("power {id} has a level whose value or cost is negative or not a number"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_has_every_change_once_and_says_what_a_defender_does() {
        let powers = Powers::shipped().expect("powers.toml is sound");
        assert_eq!(powers.all.len(), Change::ALL.len());
        for power in &powers.all {
            for text in [&power.name, &power.who, &power.what, &power.defence] {
                assert!(!text.is_empty() && !text.contains('|'), "{}", power.id.name());
            }
        }
    }

    #[test]
    fn what_is_lost_twice_is_lost_of_the_rest() {
        let half = Cost { money: 10.0, work_lost: 0.5, ..Cost::default() };
        let both = half.and(half);
        assert_eq!((both.money, both.work_lost), (20.0, 0.75));
        let rates = Rates { odd_hours: 1.0, added_ms: 1.0, work_lost: 1_000.0, people_local: 1.0 };
        assert_eq!(both.dollars(&rates), 770.0);
        assert_eq!(both.told(), "$20, 75 % of the work");
        assert_eq!(Cost::default().told(), "nothing");
    }

    #[test]
    fn a_power_that_is_there_twice_or_costs_less_than_nothing_is_named() {
        let edited = |old: &str, new: &str| Powers::parse(&SHIPPED.replacen(old, new, 1), "mine.toml");
        let twice = edited("id = \"own_link\"", "id = \"own_phone\"");
        assert!(twice.is_err_and(|error| error.contains("mine.toml: power own_phone is there twice")));
        let negative = edited("money = 700.0", "money = -700.0");
        assert!(negative.is_err_and(|error| error.contains("one_hand")));
        assert!(edited("money = 700.0", "monny = 700.0").is_err_and(|error| error.contains("monny")));
    }
}
