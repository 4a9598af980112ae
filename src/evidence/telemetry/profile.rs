//! What is kept: recent digests with their times, and how long the collector spoke or was silent.

use super::{Observation, Parameters};
use crate::event::EventTime;
use serde::{Deserialize, Serialize};

/// Digests kept per worker: two weeks of two logins a workday with two samples each is 40; 24 keep the record small
/// and still catch a replay within the last dozen sessions.
const DIGESTS_MAX: usize = 24;

/// What is kept of a worker for this family.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Recent digests with the minute they were first seen, oldest first.
    digests: Vec<(u64, u32)>,
    /// Events in which the collector spoke.
    pub voice_count: u32,
    /// Events since it last spoke.
    pub silent_count: u32,
}

impl Profile {
    /// Names what in a profile read back no session can have left there. `None` when sound.
    pub fn unsound(&self) -> Option<&'static str> {
        (self.digests.len() > DIGESTS_MAX).then_some("telemetry.digests")
    }

    /// When a digest was first seen, or `None` when it was not.
    pub(super) fn first_seen(&self, digest: u64) -> Option<EventTime> {
        let found = self.digests.iter().find(|(known, _)| *known == digest);
        found.map(|(_, minute)| EventTime(i64::from(*minute) * 60_000_000))
    }

    /// Remembers an event's digests and whether the collector spoke.
    pub fn learn(&mut self, observation: &Observation, _parameters: &Parameters, time: EventTime) {
        for digest in &observation.digests {
            if self.first_seen(*digest).is_none() {
                if self.digests.len() == DIGESTS_MAX {
                    self.digests.remove(0);
                }
                let minute = u32::try_from(time.0 / 60_000_000).unwrap_or(u32::MAX);
                self.digests.push((*digest, minute));
            }
        }
        if observation.spoke {
            self.voice_count = self.voice_count.saturating_add(1);
            self.silent_count = 0;
        } else {
            self.silent_count = self.silent_count.saturating_add(1);
        }
    }

    /// Adds what another profile of the same worker holds.
    pub fn merge(&mut self, other: &Profile) {
        for (digest, minute) in &other.digests {
            if self.first_seen(*digest).is_none() && self.digests.len() < DIGESTS_MAX {
                self.digests.push((*digest, *minute));
            }
        }
        self.voice_count = self.voice_count.saturating_add(other.voice_count);
        self.silent_count = self.silent_count.min(other.silent_count);
    }

    /// One line per remembered statistic: name, effective count, median, spread.
    pub fn summaries(&self) -> Vec<(&'static str, f64, f64, f64)> {
        let silent = f64::from(self.silent_count);
        vec![("telemetry.silent_event_count", f64::from(self.voice_count) + f64::from(self.silent_count), silent, 0.0)]
    }
}
