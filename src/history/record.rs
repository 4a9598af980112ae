//! What is kept of one worker: the profiles of every family, the standing, and how much was learned.

use super::{Kept, Record};
use crate::event::EventTime;
use crate::evidence::typing::table::TableShare;
use crate::evidence::{FirstProfiles, Profiles};
use crate::risk::standing::FirstStanding;
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

/// The record of format 1: before the latest days weighed on their own, and the days of a standing were kept.
#[derive(Deserialize)]
struct WithoutDays {
    profiles: FirstProfiles,
    standing: FirstStanding,
    maturity: Maturity,
    last_seen: EventTime,
}

/// The record of format 2: before days of rest were read.
#[derive(Deserialize)]
struct WithoutAttendance {
    profiles: FirstProfiles,
    standing: Standing,
    maturity: Maturity,
    last_seen: EventTime,
    days: Days,
}

/// Times that the wire can tell: those of a `Timestamp`, the years 1 to 9999.
const TELLABLE_MICROS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;
const MICROS_PER_DAY: i64 = 86_400_000_000;

impl Kept for WorkerRecord {
    const FORMAT: u8 = 3;
}

impl Record for WorkerRecord {
    fn last_seen(&self) -> EventTime {
        self.last_seen
    }

    fn read_older(format: u8, bytes: &[u8]) -> Option<postcard::Result<(Self, &[u8])>> {
        let without_days = |(read, rest)| {
            let WithoutDays { profiles, standing, maturity, last_seen } = read;
            let (profiles, standing) = (profiles.into(), standing.into());
            (Self { profiles, standing, maturity, last_seen, days: Days::default() }, rest)
        };
        let without_attendance = |(read, rest)| {
            let WithoutAttendance { profiles, standing, maturity, last_seen, days } = read;
            (Self { profiles: profiles.into(), standing, maturity, last_seen, days }, rest)
        };
        match format {
            1 => Some(postcard::take_from_bytes(bytes).map(without_days)),
            2 => Some(postcard::take_from_bytes(bytes).map(without_attendance)),
            _ => None,
        }
    }

    fn phrases(&self) -> impl Iterator<Item = (u64, &[i16])> {
        self.profiles.typing.pooled()
    }

    fn table_share(&self) -> Option<TableShare> {
        self.profiles.typing.table().and_then(TableShare::of)
    }

    fn hand_age(&self) -> Option<u32> {
        self.profiles.typing.table().map(|table| table.press_count)
    }

    fn unsound(&self) -> Option<&'static str> {
        let told = |micros: i64| TELLABLE_MICROS.contains(&micros);
        let day_told = |day: i64| told(day.saturating_mul(MICROS_PER_DAY));
        let days_told = day_told(self.days.first_day()) && day_told(i64::from(self.days.last_day()));
        (self.profiles.unsound())
            .or_else(|| self.standing.unsound())
            .or_else(|| (!told(self.last_seen.0)).then_some("last_seen"))
            .or_else(|| self.standing.flag_micros().is_some_and(|at| !told(at)).then_some("standing.flag_micros"))
            .or_else(|| self.maturity.first_seen_micros.is_some_and(|at| !told(at)).then_some("maturity.first_seen"))
            .or_else(|| (!days_told).then_some("days"))
    }
}

impl Kept for Verdict {
    const FORMAT: u8 = 2;

    fn addition(&self) -> postcard::Result<Vec<u8>> {
        match (self.reach.silent(), self.address_databases.is_empty()) {
            (true, true) => Ok(Vec::new()),
            (true, false) => postcard::to_stdvec(&self.address_databases),
            (false, _) => postcard::to_stdvec(&(&self.address_databases, &self.reach)),
        }
    }

    fn add<'a>(&mut self, bytes: &'a [u8]) -> postcard::Result<&'a [u8]> {
        if bytes.is_empty() {
            return Ok(bytes);
        }
        let (databases, rest) = postcard::take_from_bytes(bytes)?;
        self.address_databases = databases;
        // Verdicts given before the reach was told end here.
        if rest.is_empty() {
            return Ok(rest);
        }
        let (reach, rest) = postcard::take_from_bytes(rest)?;
        self.reach = reach;
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::network::profile::Seen;
    use crate::evidence::network::travel::Stay;

    /// Breaks a sound record and says what of it is called unsound.
    fn broken(change: impl FnOnce(&mut WorkerRecord)) -> Option<&'static str> {
        let mut record = WorkerRecord::default();
        assert_eq!(record.unsound(), None);
        change(&mut record);
        record.unsound()
    }

    #[test]
    fn numbers_no_session_leaves_behind_are_named() {
        let stay = |latitude_degrees| Stay {
            latitude_degrees,
            longitude_degrees: 0.0,
            radius_km: 5,
            time: EventTime(0),
            address: 0,
            device: 0,
        };
        let named = [
            broken(|record| record.profiles.remote_input.pointer.weight = -1.0),
            // Finite, and learning one more session from it is not.
            broken(|record| record.profiles.remote_input.reaction.mean = 3e38),
            broken(|record| record.profiles.remote_input.answer_count = f32::INFINITY),
            broken(|record| record.profiles.network.session_weight = f32::NAN),
            broken(|record| record.profiles.network.pools = vec![Seen { value: 1, weight: f32::NAN }]),
            broken(|record| record.profiles.network.regions = vec![Seen { value: 1, weight: 1.0 }; 200]),
            broken(|record| record.profiles.network.trail.last = Some(stay(91.0))),
            broken(|record| record.profiles.network.trail.last = Some(stay(f32::NAN))),
            broken(|record| record.profiles.timezone.cells = vec![(7, 1), (7, 1)]),
            broken(|record| record.profiles.timezone.cells = vec![(336, 1)]),
            broken(|record| record.profiles.timezone.cells = vec![(1, 0)]),
            broken(|record| record.last_seen = EventTime(i64::MAX)),
            broken(|record| record.maturity.first_seen_micros = Some(i64::MIN)),
        ];
        let expected = [
            "remote_input.pointer",
            "remote_input.reaction",
            "remote_input.answer_count",
            "network.session_weight",
            "network.pools",
            "network.regions",
            "network.trail",
            "network.trail",
            "timezone.cells",
            "timezone.cells",
            "timezone.cells",
            "last_seen",
            "maturity.first_seen",
        ];
        assert_eq!(named, expected.map(Some));
        let sound = broken(|record| {
            record.profiles.network.trail.last = Some(stay(-90.0));
            record.profiles.timezone.cells = vec![(0, 1), (335, 9)];
        });
        assert_eq!(sound, None);
    }
}
