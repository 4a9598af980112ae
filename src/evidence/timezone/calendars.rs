//! On which days people of a place are free by law: data, read once from `calendars.json`.
//!
//! The file says where its dates come from, under which licence, and how it is made
//! (`training/calendars/make_calendars.py`). It holds dates alone, no names of holidays or faiths. A *calendar group* is
//! a set of regions whose free days are much alike; groups have numbers and no names, and no number leaves this room.
//!
//! INVARIANT: nothing here says who a person is. A group is only ever asked: were its days rested, while the claimed
//! place worked, by somebody who worked through the claimed place's own.

use super::attendance::phase_of;
use super::{clock, zones};
use crate::event::EventTime;
use serde::Deserialize;
use std::sync::LazyLock;

const SHIPPED: &str = include_str!("calendars.json");
/// Most groups: a bit each.
pub const GROUPS_MAX: usize = 64;
/// Days between two free days of one feast, at most.
const FEAST_GAP_DAYS: i64 = 4;
/// Days from 29 December 1969, a Monday, to 1970.
const DAYS_BEFORE_1970: i64 = 3;
/// 2024-01-15: standard time in the north.
const WINTER: EventTime = EventTime(1_705_276_800_000_000);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    calendars_version: u32,
    source: String,
    licence: String,
    first_year: i32,
    last_year: i32,
    groups: Vec<StoredGroup>,
    regions: Vec<StoredRegion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredGroup {
    leading: String,
    rest: Vec<u8>,
    free: Vec<i64>,
    perhaps: Vec<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRegion {
    code: String,
    group: Option<u8>,
    rest: Vec<u8>,
    free: Vec<i64>,
    perhaps: Vec<i64>,
}

/// Which groups have a day free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freedom {
    /// Most people of these groups, by bit.
    pub free: u64,
    /// Some of these.
    pub perhaps: u64,
}

/// A group that has a day free.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FreeGroup {
    /// Its bit's place.
    pub group: u8,
    /// One by the number of days of the feast that the day belongs to.
    pub weight: f32,
}

/// A place whose claims can be held against its calendar.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    code: String,
    /// The group it belongs to, as a bit; 0 when to none.
    pub own_group: u64,
    /// Days of rest, a bit each from Monday.
    pub rest: u8,
    /// Days free for all (`true`) and for some, rising, from 29 December 1969.
    days: Vec<(i64, bool)>,
}

impl Region {
    /// Whether a day is free: `Some(true)` for all, `Some(false)` for some, `None` for nobody.
    pub fn free(&self, day: i64) -> Option<bool> {
        let index = self.days.binary_search_by_key(&day, |own| own.0).ok()?;
        Some(self.days[index].1)
    }

    /// Days free for all (`true`) and for some, rising, from a day on.
    pub fn free_from(&self, day: i64) -> impl Iterator<Item = (i64, bool)> + '_ {
        self.days[self.days.partition_point(|own| own.0 < day)..].iter().copied()
    }
}

/// All calendars.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendars {
    /// Version of the file.
    pub version: u32,
    /// Whence the dates.
    pub source: String,
    /// Their licence.
    pub licence: String,
    /// How many groups there are.
    pub group_count: usize,
    /// Groups whose days begin at each [`Phase`], from -1 on.
    pub by_phase: [u64; 3],
    /// Days of rest of each group, a bit each from Monday.
    pub rest: Vec<u8>,
    first_day: i64,
    days: Vec<Freedom>,
    /// By day: where its groups begin in `free_groups`. One more than days.
    free_from: Vec<u32>,
    free_groups: Vec<FreeGroup>,
    regions: Vec<Region>,
}

impl Calendars {
    /// The calendars shipped with this program. None at all if the file were broken, which a test rules out.
    pub fn shipped() -> &'static Calendars {
        static CALENDARS: LazyLock<Calendars> =
            LazyLock::new(|| Calendars::parse(SHIPPED).unwrap_or_else(|_| Calendars::none()));
        &CALENDARS
    }

    fn none() -> Self {
        Self {
            version: 0,
            source: String::new(),
            licence: String::new(),
            group_count: 0,
            by_phase: [0; 3],
            rest: Vec::new(),
            first_day: 0,
            days: Vec::new(),
            free_from: Vec::new(),
            free_groups: Vec::new(),
            regions: Vec::new(),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let stored: Stored = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if stored.groups.len() > GROUPS_MAX || stored.source.is_empty() || stored.licence.is_empty() {
            return Err("calendars need a source, a licence and at most 64 groups".into());
        }
        let mut calendars = Self {
            version: stored.calendars_version,
            source: stored.source,
            licence: stored.licence,
            group_count: stored.groups.len(),
            ..Self::none()
        };
        let year = |year: i32| (i64::from(year) - 1970) * 1_461 / 4 + DAYS_BEFORE_1970;
        calendars.first_day = year(stored.first_year) - 1;
        let last_day = year(stored.last_year + 1) + 1;
        calendars.days = vec![Freedom::default(); usize::try_from(last_day - calendars.first_day).unwrap_or(0)];
        for (index, group) in stored.groups.iter().enumerate() {
            let bit = 1 << index;
            calendars.rest.push(days_of_rest(&group.rest)?);
            let zone = zones::zones_of(&group.leading, "").first().copied().unwrap_or("UTC");
            let phase = phase_of(clock::zone_offset_minutes(zone, WINTER).unwrap_or(0));
            calendars.by_phase[(phase + 1) as usize] |= bit;
            for (list, all) in [(&group.free, true), (&group.perhaps, false)] {
                for day in dates(list) {
                    let Some(freedom) =
                        usize::try_from(day - calendars.first_day).ok().and_then(|index| calendars.days.get_mut(index))
                    else {
                        return Err(format!("day {day} lies outside the years of the file"));
                    };
                    if all { freedom.free |= bit } else { freedom.perhaps |= bit }
                }
            }
        }
        calendars.weigh(&stored.groups);
        for region in stored.regions {
            let own_group = match region.group {
                None => 0,
                Some(group) if usize::from(group) < calendars.group_count => 1 << group,
                Some(group) => return Err(format!("{} belongs to group {group}, which is not there", region.code)),
            };
            let mut days: Vec<(i64, bool)> = dates(&region.free).map(|day| (day, true)).collect();
            days.extend(dates(&region.perhaps).map(|day| (day, false)));
            days.sort_unstable();
            let rest = days_of_rest(&region.rest)?;
            calendars.regions.push(Region { code: region.code, own_group, rest, days });
        }
        calendars.regions.sort_by(|a, b| a.code.cmp(&b.code));
        Ok(calendars)
    }

    /// Notes each group's days with their weights: a feast, its days at most four apart, weighs one in all.
    fn weigh(&mut self, groups: &[StoredGroup]) {
        let mut by_day: Vec<Vec<FreeGroup>> = vec![Vec::new(); self.days.len()];
        for (index, group) in groups.iter().enumerate() {
            let days: Vec<i64> = dates(&group.free).collect();
            for feast in days.chunk_by(|day, next| next - day <= FEAST_GAP_DAYS) {
                let own = FreeGroup { group: index as u8, weight: 1.0 / feast.len() as f32 };
                for day in feast {
                    by_day[(day - self.first_day) as usize].push(own);
                }
            }
        }
        self.free_from = vec![0];
        for day in &by_day {
            self.free_groups.extend(day);
            self.free_from.push(self.free_groups.len() as u32);
        }
    }

    /// The groups that have a day free, with the day's weight in its feast.
    pub fn free_groups(&self, day: i64) -> &[FreeGroup] {
        let index = usize::try_from(day - self.first_day).ok().filter(|index| *index < self.days.len());
        index.map_or(&[], |index| &self.free_groups[self.free_from[index] as usize..self.free_from[index + 1] as usize])
    }

    /// The calendar of a region; `None` where none is known.
    pub fn region(&self, code: &str) -> Option<&Region> {
        let index = self.regions.binary_search_by(|own| own.code.as_str().cmp(code)).ok()?;
        Some(&self.regions[index])
    }

    /// Which groups have a day free, days from 29 December 1969. None outside the years of the file.
    pub fn freedom(&self, day: i64) -> Freedom {
        let index = usize::try_from(day - self.first_day).ok();
        index.and_then(|index| self.days.get(index)).copied().unwrap_or_default()
    }

    /// Whether the years of the file hold a day.
    pub fn covers(&self, day: i64) -> bool {
        (self.first_day..self.first_day + self.days.len() as i64).contains(&day)
    }
}

/// Rising days from differences between days since 1970, counted from 29 December 1969.
fn dates(differences: &[i64]) -> impl Iterator<Item = i64> + '_ {
    differences.iter().scan(DAYS_BEFORE_1970, |day, step| {
        *day = day.saturating_add(*step);
        Some(*day)
    })
}

fn days_of_rest(days: &[u8]) -> Result<u8, String> {
    if days.iter().any(|day| *day > 6) {
        return Err("a day of rest must lie in 0 (Monday) to 6".into());
    }
    Ok(days.iter().fold(0, |bits, day| bits | 1 << day))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Day of a date by its number since 1970.
    fn day(since_1970: i64) -> i64 {
        since_1970 + DAYS_BEFORE_1970
    }

    #[test]
    fn the_shipped_calendars_are_sound_and_say_whence_they_are() {
        let calendars = Calendars::parse(SHIPPED).expect("sound calendars");
        assert!(
            calendars.group_count >= 40 && calendars.source.contains("holidays") && calendars.licence.contains("MIT")
        );
        assert_eq!(
            calendars.by_phase.iter().fold(0, |all, own| all | own).count_ones() as usize,
            calendars.group_count
        );
        // Thanksgiving 2025, 27 November, is day 20419 since 1970; the Friday after is free in parts.
        let here = calendars.region("US").expect("a calendar");
        assert_eq!([20_418, 20_419, 20_420].map(|at| here.free(day(at))), [None, Some(true), Some(false)]);
        assert_eq!(here.rest, 0b110_0000);
        // 1 October 2025, day 20362, is free elsewhere and not there.
        let freedom = calendars.freedom(day(20_362));
        assert!(freedom.free != 0 && freedom.free & here.own_group == 0 && here.free(day(20_362)).is_none());
        assert!(calendars.covers(day(20_362)) && !calendars.covers(0));
        assert!(calendars.region("ZZ").is_none());
    }

    #[test]
    fn days_that_few_employers_give_are_held_against_nobody() {
        let calendars = Calendars::shipped();
        // Columbus Day 2025, 13 October, and Martin Luther King Jr. Day, 20 January.
        let here = calendars.region("US").expect("a calendar");
        assert_eq!([20_374, 20_108].map(|at| here.free(day(at))), [Some(false); 2]);
    }

    #[test]
    fn the_turn_of_the_year_is_nobodys_calendar() {
        let calendars = Calendars::shipped();
        // 24 December 2025 to 2 January 2026.
        for at in 20_446..=20_455 {
            assert_eq!(calendars.freedom(day(at)), Freedom::default());
        }
    }

    #[test]
    fn a_broken_file_is_refused_by_name() {
        let spoilt = |old: &str, new: &str| Calendars::parse(&SHIPPED.replacen(old, new, 1)).is_err();
        assert!(spoilt("\"rest\":[5,6]", "\"rest\":[7]"));
        assert!(spoilt("\"licence\":\"MIT", "\"license\":\"MIT"));
        assert!(spoilt("\"group\":0", "\"group\":60"));
    }
}
