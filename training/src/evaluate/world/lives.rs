//! A company lived through the pipeline: when each worker was flagged, and for what.

use super::hold;
use crate::replay::Replay;
use crate::request::Update;
use crate::world::{Scenario, Spec, simulate};
use elsewhere::evidence::feature::Features;
use elsewhere::risk::{ReasonCode, Verdict};
use std::collections::BTreeMap;

/// The first flag of a worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// Working days (Monday to Friday) from the first session's day.
    pub workdays: u32,
    /// Time of the event that raised it, microseconds since 1970.
    pub micros: i64,
    /// First reason of the standing then.
    pub reason: ReasonCode,
    /// What spoke most for it, in nats.
    pub told: String,
}

/// What became of one worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Lived {
    /// The story.
    pub scenario: Scenario,
    /// Events scored.
    pub events: u32,
    /// First session, microseconds since 1970.
    pub first_micros: i64,
    /// Last session.
    pub last_micros: i64,
    /// Highest evidence a standing reached, nats.
    pub most: f64,
    /// The first flag.
    pub flag: Option<Flag>,
}

/// Lets the company of `spec` live, showing every verdict with its features and whether somebody else made the event.
///
/// Of the workers in `without`, samples that a reason is drawn from are left out up to an instant.
///
/// # Errors
/// An event that does not pass the check, or what the pipeline says.
pub fn live(
    replay: &Replay,
    spec: &Spec,
    without: &BTreeMap<String, (ReasonCode, i64)>,
    watch: &mut dyn FnMut(usize, bool, &Verdict, &Features),
) -> Result<(Vec<String>, Vec<Lived>), String> {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut lived: Vec<Lived> = Vec::new();
    for mut made in simulate(spec) {
        let worker_id = made.event.worker_id.clone();
        let micros = made.event.event_time.map_or(0, |at| at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000);
        if let Some((reason, until)) = without.get(&worker_id)
            && micros <= *until
        {
            hold::remove(&mut made.event, *reason);
        }
        let worker = *numbers.entry(worker_id).or_insert_with(|| {
            lived.push(Lived {
                scenario: made.scenario,
                events: 0,
                first_micros: micros,
                last_micros: micros,
                most: f64::NEG_INFINITY,
                flag: None,
            });
            lived.len() - 1
        });
        let (verdict, features) = replay.assess(made.event, Update::IfTrusted)?;
        watch(worker, made.hostile, &verdict, &features);
        let one = &mut lived[worker];
        (one.events, one.last_micros) = (one.events + 1, micros);
        let standing = &verdict.standing;
        one.most = one.most.max(standing.evidence_log_odds);
        if standing.flagged
            && one.flag.is_none()
            && let Some(reason) = standing.reasons.first()
        {
            let workdays = workdays(one.first_micros, micros);
            let told =
                standing.reasons.iter().take(4).map(|one| format!("{:?} {:+.1}", one.code, one.contribution_log_odds));
            let told = told.collect::<Vec<_>>().join(", ");
            one.flag = Some(Flag { workdays, micros, reason: reason.code, told });
        }
    }
    let mut names = vec![String::new(); lived.len()];
    for (name, number) in numbers {
        names[number] = name;
    }
    Ok((names, lived))
}

/// Mondays to Fridays from one instant's day to another's, the first not counted.
pub fn workdays(from_micros: i64, to_micros: i64) -> u32 {
    const DAY_MICROS: i64 = 86_400_000_000;
    // Day 0 of 1970 was a Thursday: Monday is 0 after adding 3.
    let before = |day: i64| (day + 3).div_euclid(7) * 5 + (day + 3).rem_euclid(7).min(5);
    let days = (from_micros.div_euclid(DAY_MICROS), to_micros.div_euclid(DAY_MICROS));
    (before(days.1 + 1) - before(days.0 + 1)).max(0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_weeks_are_twenty_workdays_and_a_weekend_is_none() {
        // 2026-03-02 is a Monday, day 20 514.
        let day = |day: i64| (20_514 + day) * 86_400_000_000;
        assert_eq!(workdays(day(0), day(28)), 20);
        assert_eq!(workdays(day(4), day(6)), 0);
        assert_eq!(workdays(day(4), day(7)), 1);
        assert_eq!(workdays(day(0), day(0)), 0);
    }
}
