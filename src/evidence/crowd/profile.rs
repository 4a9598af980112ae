//! What is kept of a worker's company: the claim only. Tokens live in the index that is erased with the worker.

use super::{ClaimSummary, Observation, Parameters};
use crate::event::EventTime;
use serde::{Deserialize, Serialize};

/// What is kept of a worker for this family.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// The last claim seen.
    pub claim: Option<ClaimSummary>,
    /// Events with at least one token.
    pub token_event_count: u32,
}

impl Profile {
    /// Names what in a profile read back no session can have left there. `None` when sound.
    pub fn unsound(&self) -> Option<&'static str> {
        let place = self.claim.and_then(|claim| claim.place);
        let outside = place.is_some_and(|place| {
            place.latitude_centidegrees.unsigned_abs() > 9_000 || place.longitude_centidegrees.unsigned_abs() > 18_000
        });
        outside.then_some("crowd.claim.place")
    }

    /// Remembers the claim and that tokens were sent.
    pub fn learn(&mut self, observation: &Observation, _parameters: &Parameters, _time: EventTime) {
        if observation.claim.is_some() {
            self.claim = observation.claim;
        }
        if !observation.tokens.is_empty() {
            self.token_event_count = self.token_event_count.saturating_add(1);
        }
    }

    /// Adds what another profile of the same worker holds.
    pub fn merge(&mut self, other: &Profile) {
        self.claim = self.claim.or(other.claim);
        self.token_event_count = self.token_event_count.saturating_add(other.token_event_count);
    }

    /// One line per remembered statistic: name, effective count, median, spread.
    pub fn summaries(&self) -> Vec<(&'static str, f64, f64, f64)> {
        Vec::new()
    }
}
