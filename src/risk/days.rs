//! How a worker stood at the end of each day: a coarse course of the standing, for whoever has to explain it.
//!
//! Nothing is judged by it; it is told, drawn and erased with the worker. Verdicts hold the same and more, but lapse
//! after their retention, while the question how a worker came to be flagged comes later. A day takes 5 to 10 bytes
//! stored, so the most that is kept takes some 300, and a worker without prompts some 180.
//!
//! Worked example: sessions on days 20 514, 20 514 and 20 517 that leave 1.26, 3.71 and 7.04 nats are kept as two
//! entries: 3.7 at the end of day 20 514 and 7.0 at the end of 20 517, which stands 3 days after the entry before.

use super::reasons::ReasonCode;
use crate::evidence::feature::{FeatureId, Features};
use serde::{Deserialize, Serialize};

/// Days kept, the latest ones: six weeks of working days.
pub const DAYS_MAX: usize = 32;

/// Reactions are kept in steps of this, up to 255 of them, microseconds: finer than a drawing shows, and up to the
/// latest answer that is read.
const REACTION_STEP_MICROS: f64 = 8_000.0;

/// Evidence is kept in this many steps a nat.
const STEPS_PER_NAT: f64 = 10.0;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What all sessions so far say, in short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stood {
    /// Evidence, nats.
    pub evidence_log_odds: f64,
    /// Whether it stands above the threshold.
    pub flagged: bool,
    /// The reason that adds most; absent when none speaks against the worker.
    pub top: Option<ReasonCode>,
}

/// How prompts were answered in one session, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayReaction {
    /// Median answer.
    pub median_micros: u32,
    /// 5 % and 95 % of what was expected of it then.
    pub expected_micros: (u32, u32),
}

/// How the worker stood at the end of one day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StandingDay {
    /// Days since 1970, UTC.
    pub day: i32,
    /// What all sessions said by then, to a tenth of a nat.
    pub stood: Stood,
    /// The day's last session with prompts, to 8 ms; absent when none had any.
    pub reaction: Option<DayReaction>,
}

/// One day as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    /// Days since the entry before.
    gap_days: u16,
    /// Evidence in tenths of a nat.
    evidence: i16,
    flagged: bool,
    top: Option<ReasonCode>,
    /// Median, low and high in steps.
    reaction: Option<(u8, u8, u8)>,
}

/// The latest days with a session, or with anything else that changed the standing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Days {
    /// The day of the latest entry, since 1970.
    last_day: i32,
    /// Oldest first, at most [`DAYS_MAX`].
    noted: Vec<Noted>,
}

/// In whole steps, as far as a byte goes.
fn step(micros: f64) -> u8 {
    (micros / REACTION_STEP_MICROS).round() as u8
}

impl Days {
    /// Notes how the worker stands after a session.
    pub fn note(&mut self, stood: Stood, features: &Features, time_micros: i64) {
        self.change(stood, time_micros);
        let median = features.get(FeatureId::RemoteInputReactionMedianMicros);
        let expected = features.expectation(FeatureId::RemoteInputReactionMedianMicros);
        let expected = expected.and_then(|expected| Some((expected.low?, expected.high?)));
        if let (Some(median), Some((low, high)), Some(last)) = (median, expected, self.noted.last_mut()) {
            last.reaction = Some((step(median), step(low), step(high)));
        }
    }

    /// Notes how the worker stands after something else than a session of their own. What comes late belongs to the
    /// latest day: that is when the standing changed.
    pub fn change(&mut self, stood: Stood, time_micros: i64) {
        let day = i32::try_from(time_micros.div_euclid(MICROS_PER_DAY)).unwrap_or(i32::MAX);
        if self.noted.is_empty() {
            self.last_day = day;
        }
        let gap_days = u16::try_from(day.saturating_sub(self.last_day).max(0)).unwrap_or(u16::MAX);
        if self.noted.is_empty() || gap_days > 0 {
            if self.noted.len() >= DAYS_MAX {
                self.noted.remove(0);
            }
            let none = Noted { gap_days, evidence: 0, flagged: false, top: None, reaction: None };
            self.noted.push(none);
            self.last_day = self.last_day.max(day);
        }
        if let Some(last) = self.noted.last_mut() {
            // A cast of floats ends at the ends of the type.
            last.evidence = (stood.evidence_log_odds * STEPS_PER_NAT).round() as i16;
            (last.flagged, last.top) = (stood.flagged, stood.top);
        }
    }

    /// The day of the latest entry, since 1970 UTC; 0 without any.
    pub fn last_day(&self) -> i32 {
        self.last_day
    }

    /// The day of the earliest entry kept, since 1970 UTC; 0 without any.
    pub fn first_day(&self) -> i64 {
        let gaps: i64 = self.noted.iter().skip(1).map(|noted| i64::from(noted.gap_days)).sum();
        i64::from(self.last_day) - gaps
    }

    /// The days kept, oldest first.
    pub fn told(&self) -> Vec<StandingDay> {
        let mut day = self.last_day;
        let mut told = Vec::with_capacity(self.noted.len());
        for noted in self.noted.iter().rev() {
            let micros = |steps: u8| (f64::from(steps) * REACTION_STEP_MICROS) as u32;
            let reaction = noted.reaction.map(|(median, low, high)| DayReaction {
                median_micros: micros(median),
                expected_micros: (micros(low), micros(high)),
            });
            let evidence_log_odds = f64::from(noted.evidence) / STEPS_PER_NAT;
            let stood = Stood { evidence_log_odds, flagged: noted.flagged, top: noted.top };
            told.push(StandingDay { day, stood, reaction });
            day = day.saturating_sub(i32::from(noted.gap_days));
        }
        told.reverse();
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::feature::Baseline;

    const FIRST: i64 = 20_514;

    fn stood(evidence_log_odds: f64) -> Stood {
        Stood { evidence_log_odds, flagged: evidence_log_odds >= 6.9, top: Some(ReasonCode::CrowdSharedSite) }
    }

    fn at(day: i64) -> i64 {
        day * MICROS_PER_DAY + 15 * 3_600_000_000
    }

    #[test]
    fn the_last_word_of_each_day_is_kept() {
        let mut days = Days::default();
        for (day, evidence) in [(FIRST, 1.26), (FIRST, 3.71), (FIRST + 3, 7.04)] {
            days.note(stood(evidence), &Features::default(), at(day));
        }
        // A session that comes two days late moves the standing as it is now.
        days.note(stood(6.9), &Features::default(), at(FIRST + 1));
        let told: Vec<(i32, f64, bool)> =
            days.told().iter().map(|one| (one.day, one.stood.evidence_log_odds, one.stood.flagged)).collect();
        assert_eq!(told, [(20_514, 3.7, false), (20_517, 6.9, true)]);
        assert!(days.told().iter().all(|one| one.reaction.is_none()));
    }

    #[test]
    fn reactions_stand_beside_what_was_expected_then() {
        let mut features = Features::default();
        let feature = FeatureId::RemoteInputReactionMedianMicros;
        features.set_beside(feature, 487_000.0, Some(201_000.0), Some(9e9), Baseline::Worker);
        let mut days = Days::default();
        days.note(stood(1.0), &features, at(FIRST));
        // Another session of the day without prompts leaves it.
        days.note(stood(2.0), &Features::default(), at(FIRST));
        let reaction = days.told()[0].reaction.expect("prompts were answered");
        // 60.9 and 25.1 steps of 8 ms; what is beyond the last step is told as that.
        assert_eq!((reaction.median_micros, reaction.expected_micros), (488_000, (200_000, 2_040_000)));
    }

    #[test]
    fn old_days_make_room_and_the_most_that_is_kept_is_small() {
        let mut features = Features::default();
        let feature = FeatureId::RemoteInputReactionMedianMicros;
        features.set_beside(feature, 2e6, Some(2e6), Some(2e6), Baseline::Worker);
        let mut days = Days::default();
        for day in 0..100 {
            days.note(stood(-40.0), &features, at(FIRST + 2 * day));
        }
        let told = days.told();
        assert_eq!((told.len(), told[0].day, told[31].day), (DAYS_MAX, 20_514 + 2 * 68, 20_514 + 2 * 99));
        let bytes = postcard::to_stdvec(&days).expect("written");
        assert!(bytes.len() <= 330, "{} bytes", bytes.len());
        assert_eq!(postcard::from_bytes::<Days>(&bytes).expect("read"), days);
        days.change(stood(1e9), i64::MAX);
        assert_eq!(days.told()[31].stood.evidence_log_odds, 3_276.7);
    }
}
