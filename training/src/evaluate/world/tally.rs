//! What many companies showed, in counts that add up: companies may be run anywhere and in any order.

use super::bounds;
use super::lives::Lived;
use crate::world::{Parameters, Scenario, Tier};
use elsewhere::risk::RiskLevel;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bins of a tenth of a nat on either side of 0, for the costs of log-likelihood ratios.
const BINS: i32 = 300;

/// Most false flags that are told one by one.
const FALSE_FLAGS_TOLD: usize = 200;

/// One scenario at one tier.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Row {
    /// Workers followed.
    pub workers: usize,
    /// Events of theirs.
    pub events: usize,
    /// Worker-months: workers times days over 28.
    pub worker_months: f64,
    /// Workers flagged at any time.
    pub flagged: usize,
    /// Workers flagged within the scenario's workdays.
    pub found: usize,
    /// The same within three workdays.
    pub found_in_three: usize,
    /// Workers whose standing reached the threshold of a budget ten times the model's.
    pub flagged_tenfold: usize,
    /// Workdays to the flag and how many took them.
    pub workdays: BTreeMap<u32, usize>,
    /// First reasons of flags and how many had them.
    pub reasons: BTreeMap<String, usize>,
    /// Flags whose first reason is one the scenario ought to show.
    pub right: usize,
    /// Flags run again without the samples of their first reason, and those of them that were then not raised.
    pub tested: usize,
    /// See `tested`.
    pub undone: usize,
}

impl Row {
    fn add(&mut self, other: &Row) {
        self.workers += other.workers;
        self.events += other.events;
        self.worker_months += other.worker_months;
        self.flagged += other.flagged;
        self.found += other.found;
        self.found_in_three += other.found_in_three;
        self.flagged_tenfold += other.flagged_tenfold;
        self.right += other.right;
        self.tested += other.tested;
        self.undone += other.undone;
        for (days, count) in &other.workdays {
            *self.workdays.entry(*days).or_default() += count;
        }
        for (reason, count) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += count;
        }
    }

    /// Median workdays to the flag, of those flagged.
    pub fn median_workdays(&self) -> Option<u32> {
        let mut left = self.flagged.div_ceil(2);
        self.workdays.iter().find_map(|(days, count)| {
            left = left.saturating_sub(*count);
            (left == 0).then_some(*days)
        })
    }

    /// The most frequent first reason.
    pub fn top_reason(&self) -> Option<&str> {
        self.reasons.iter().max_by_key(|(_, count)| **count).map(|(reason, _)| reason.as_str())
    }

    /// Share found within the scenario's workdays, with its exact interval.
    pub fn recall(&self) -> (f64, (f64, f64)) {
        (self.found as f64 / self.workers.max(1) as f64, bounds::interval(self.found, self.workers))
    }
}

/// Sessions of one tier's mixed companies.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sessions {
    /// Honest sessions by level: low, medium, high.
    pub honest: [usize; 3],
    /// Sessions somebody else made, by level.
    pub hostile: [usize; 3],
    /// Weeks of honest workers.
    pub honest_weeks: f64,
    /// Calibrated log-likelihood ratios of honest sessions, by tenths of a nat.
    pub honest_nats: BTreeMap<i32, usize>,
    /// The same of sessions somebody else made.
    pub hostile_nats: BTreeMap<i32, usize>,
}

impl Sessions {
    /// Counts one session: its level, and its calibrated log-likelihood ratio.
    pub fn count(&mut self, hostile: bool, level: RiskLevel, nats: f64) {
        let slot = level as usize - 1;
        let bin = ((nats * 10.0).round() as i32).clamp(-BINS, BINS);
        if hostile {
            self.hostile[slot] += 1;
            *self.hostile_nats.entry(bin).or_default() += 1;
        } else {
            self.honest[slot] += 1;
            *self.honest_nats.entry(bin).or_default() += 1;
        }
    }

    fn add(&mut self, other: &Sessions) {
        for index in 0..3 {
            self.honest[index] += other.honest[index];
            self.hostile[index] += other.hostile[index];
        }
        self.honest_weeks += other.honest_weeks;
        for (ours, theirs) in
            [(&mut self.honest_nats, &other.honest_nats), (&mut self.hostile_nats, &other.hostile_nats)]
        {
            for (bin, count) in theirs {
                *ours.entry(*bin).or_default() += count;
            }
        }
    }

    /// Values of a histogram, thinned evenly to at most `most`.
    pub fn values(nats: &BTreeMap<i32, usize>, most: usize) -> Vec<f64> {
        let all: usize = nats.values().sum();
        let every = all.div_ceil(most).max(1);
        let each = |(bin, count): (&i32, &usize)| std::iter::repeat_n(f64::from(*bin) / 10.0, *count);
        nats.iter().flat_map(each).step_by(every).collect()
    }
}

/// Everything that was counted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// By tier's name and scenario's code, of companies of the benign mix with operators among them.
    pub mixed: BTreeMap<String, BTreeMap<String, Row>>,
    /// The same of companies of one benign scenario alone.
    pub groups: BTreeMap<String, BTreeMap<String, Row>>,
    /// Sessions of the mixed companies by tier.
    pub sessions: BTreeMap<String, Sessions>,
    /// Honest workers flagged: tier, scenario, workday and what spoke most for it.
    pub false_flags: Vec<String>,
    /// Companies lived.
    pub companies: usize,
    /// Processor seconds they took, of one core each.
    pub seconds: f64,
}

impl Tally {
    /// Adds what other companies showed.
    pub fn merge(&mut self, other: &Tally) {
        for (ours, theirs) in [(&mut self.mixed, &other.mixed), (&mut self.groups, &other.groups)] {
            for (tier, rows) in theirs {
                let own = ours.entry(tier.clone()).or_default();
                for (code, row) in rows {
                    own.entry(code.clone()).or_default().add(row);
                }
            }
        }
        for (tier, sessions) in &other.sessions {
            self.sessions.entry(tier.clone()).or_default().add(sessions);
        }
        let room = FALSE_FLAGS_TOLD.saturating_sub(self.false_flags.len());
        self.false_flags.extend(other.false_flags.iter().take(room).cloned());
        self.companies += other.companies;
        self.seconds += other.seconds;
    }

    /// Counts one worker of a company of `days` days.
    pub fn count(
        &mut self,
        (tier, group): (Tier, bool),
        lived: &Lived,
        days: u32,
        tenfold: f64,
        parameters: &Parameters,
    ) {
        let rows = if group { &mut self.groups } else { &mut self.mixed };
        let row = rows.entry(tier.name().into()).or_default().entry(lived.scenario.code().into()).or_default();
        row.workers += 1;
        row.events += lived.events as usize;
        row.worker_months += f64::from(days) / 28.0;
        row.flagged_tenfold += usize::from(lived.most >= tenfold);
        if let Some(flag) = &lived.flag {
            if !lived.scenario.hostile() && self.false_flags.len() < FALSE_FLAGS_TOLD {
                let (code, days) = (lived.scenario.code(), flag.workdays);
                self.false_flags.push(format!("{} {code} workday {days}: {}", tier.name(), flag.told));
            }
            let reason = format!("{:?}", flag.reason);
            row.flagged += 1;
            row.found += usize::from(flag.workdays <= lived.scenario.workdays_to_find());
            row.found_in_three += usize::from(flag.workdays <= 3);
            *row.workdays.entry(flag.workdays).or_default() += 1;
            row.right += usize::from(parameters.names(lived.scenario, &reason));
            *row.reasons.entry(reason).or_default() += 1;
        }
    }

    /// Counts a flag that was run again without its first reason's samples.
    pub fn test(&mut self, tier: Tier, scenario: Scenario, undone: bool) {
        let rows = self.mixed.entry(tier.name().into()).or_default();
        let row = rows.entry(scenario.code().into()).or_default();
        row.tested += 1;
        row.undone += usize::from(undone);
    }

    /// All rows of one side at a tier, added up.
    pub fn sum(&self, tier: &str, filter: impl Fn(Scenario) -> bool) -> Row {
        let mut sum = Row::default();
        for (code, row) in self.mixed.get(tier).into_iter().flatten() {
            if Scenario::of_code(code).is_some_and(&filter) {
                sum.add(row);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::lives::Flag;
    use super::*;
    use elsewhere::risk::ReasonCode;

    fn lived(scenario: Scenario, flag: Option<u32>) -> Lived {
        let reason = ReasonCode::RemoteInputLoopDelay;
        let flag = flag.map(|workdays| Flag { workdays, micros: 0, reason, told: String::new() });
        Lived { scenario, events: 80, first_micros: 0, last_micros: 1, most: 7.0, flag }
    }

    #[test]
    fn halves_add_up_to_the_whole() {
        let parameters = Parameters::shipped().expect("sound");
        let days = [Some(1), Some(4), None, Some(30), Some(2)];
        let mut whole = Tally::default();
        let mut halves = [Tally::default(), Tally::default()];
        for (index, flag) in days.into_iter().enumerate() {
            let one = lived(Scenario::KvmFarm, flag);
            whole.count((Tier::Endpoint, false), &one, 28, 5.0, &parameters);
            halves[index % 2].count((Tier::Endpoint, false), &one, 28, 5.0, &parameters);
        }
        let [mut first, second] = halves;
        first.merge(&second);
        assert_eq!(first, whole);
        let row = &whole.mixed["endpoint"]["H01"];
        assert_eq!((row.workers, row.flagged, row.found, row.found_in_three, row.right), (5, 4, 3, 2, 4));
        assert_eq!(row.median_workdays(), Some(2));
    }

    #[test]
    fn a_histogram_gives_back_its_values() {
        let mut sessions = Sessions::default();
        sessions.count(false, RiskLevel::Low, -1.24);
        sessions.count(false, RiskLevel::High, 3.26);
        assert_eq!(Sessions::values(&sessions.honest_nats, 10), vec![-1.2, 3.3]);
        assert_eq!(sessions.honest, [1, 0, 1]);
    }
}
