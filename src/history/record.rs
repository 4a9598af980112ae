//! What is kept of one worker: the profiles of every family, the standing, and how much was learned.

use super::{Kept, Record};
use crate::event::EventTime;
use crate::evidence::Profiles;
use crate::risk::{Maturity, Standing, Verdict};
use serde::{Deserialize, Serialize};

/// Everything remembered of a worker but verdicts and tokens, which the store keeps apart.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// Profiles by family.
    pub profiles: Profiles,
    /// Evidence over all sessions.
    pub standing: Standing,
    /// How much was learned.
    pub maturity: Maturity,
    /// Latest event, whether or not it taught.
    pub last_seen: EventTime,
}

impl Kept for WorkerRecord {
    const FORMAT: u8 = 1;
}

impl Record for WorkerRecord {
    fn last_seen(&self) -> EventTime {
        self.last_seen
    }

    fn phrases(&self) -> impl Iterator<Item = (u64, &[i16])> {
        self.profiles.typing.pooled()
    }
}

impl Kept for Verdict {
    const FORMAT: u8 = 2;
}
