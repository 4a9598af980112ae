//! What is kept of one worker: the profiles of every family, the standing, and how much was learned.

use super::{Kept, Record};
use crate::event::EventTime;
use crate::evidence::Profiles;
use crate::risk::{Days, Maturity, Standing, Verdict};
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
    /// How the standing came about, day by day.
    pub days: Days,
}

/// The record as it was before the days of a standing were kept.
#[derive(Deserialize)]
struct WithoutDays {
    profiles: Profiles,
    standing: Standing,
    maturity: Maturity,
    last_seen: EventTime,
}

impl Kept for WorkerRecord {
    const FORMAT: u8 = 2;
}

impl Record for WorkerRecord {
    fn last_seen(&self) -> EventTime {
        self.last_seen
    }

    fn read_older(format: u8, bytes: &[u8]) -> Option<postcard::Result<(Self, &[u8])>> {
        let whole = |(read, rest)| {
            let WithoutDays { profiles, standing, maturity, last_seen } = read;
            (Self { profiles, standing, maturity, last_seen, days: Days::default() }, rest)
        };
        (format == 1).then(|| postcard::take_from_bytes(bytes).map(whole))
    }

    fn phrases(&self) -> impl Iterator<Item = (u64, &[i16])> {
        self.profiles.typing.pooled()
    }
}

impl Kept for Verdict {
    const FORMAT: u8 = 2;
}
