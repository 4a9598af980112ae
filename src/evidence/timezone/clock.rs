//! Zones, offsets and how far apart two clocks are.

use super::zones;
use crate::event::{Claim, EventTime, MICROS_PER_DAY};
use serde::{Deserialize, Serialize};

/// Zones that privacy browsers, servers and virtual machines report whatever the place. Firefox reported `UTC` and
/// now `Atlantic/Reykjavik` when it resists fingerprinting.
const PLACELESS_ZONES: [&str; 12] = [
    "UTC",
    "Etc/UTC",
    "Etc/UCT",
    "Etc/GMT",
    "Etc/Universal",
    "Etc/Zulu",
    "GMT",
    "UCT",
    "Universal",
    "Zulu",
    "Atlantic/Reykjavik",
    "Iceland",
];

/// Most offsets one claim can stand for: Russia's eleven zones and room.
const OFFSETS_MAX: usize = 16;

/// Scores of clock facts, nats.
///
/// No public data show how often travellers' clocks differ from their claims, so these are set by hand: of honest
/// logins 97 % agree, 1 % lie a zone away and 2 % farther; of operators 72 % show the claimed zone, since the laptop
/// stands there or is set so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClockParameters {
    /// Offset and claim agree: ln(.72 / .97) = -.30.
    pub match_log_odds: f64,
    /// They differ by up to an hour: neighbours, stale clock rules.
    pub near_log_odds: f64,
    /// What a difference far beyond an hour adds to `near_log_odds`.
    pub far_log_odds: f64,
    /// Difference beyond an hour at which 63 % of `far_log_odds` is reached, minutes.
    pub far_scale_minutes: f64,
    /// The offset does not follow the rule of the zone it is reported with. By up to an hour, as where a law abolished
    /// summer time and the machine has not heard of it, this counts as `near_log_odds`.
    pub inconsistent_log_odds: f64,
    /// Clock and address agree.
    pub network_match_log_odds: f64,
    /// The most a clock far from its address can score.
    pub network_far_log_odds: f64,
}

impl Default for ClockParameters {
    fn default() -> Self {
        Self {
            match_log_odds: -0.3,
            near_log_odds: 0.4,
            far_log_odds: 2.0,
            far_scale_minutes: 180.0,
            inconsistent_log_odds: 1.5,
            network_match_log_odds: -0.1,
            network_far_log_odds: 1.2,
        }
    }
}

impl ClockParameters {
    /// Whether every number is finite and in a sane range.
    pub fn check(&self) -> Result<(), String> {
        let scores = [
            self.match_log_odds,
            self.near_log_odds,
            self.far_log_odds,
            self.inconsistent_log_odds,
            self.network_match_log_odds,
            self.network_far_log_odds,
        ];
        if scores.iter().any(|score| !score.is_finite() || score.abs() > 10.0) {
            return Err("`timezone.clock` holds a score that is not within 10 nats".into());
        }
        if !(1.0..=1_440.0).contains(&self.far_scale_minutes) {
            return Err("`timezone.clock.far_scale_minutes` must lie in [1, 1440]".into());
        }
        Ok(())
    }

    /// Score of a clock `difference_minutes` away from the claim.
    pub fn claim_log_odds(&self, difference_minutes: i32) -> f64 {
        let difference = f64::from(difference_minutes.abs());
        if difference == 0.0 {
            return self.match_log_odds;
        }
        self.near_log_odds + self.far_log_odds * (1.0 - (-(difference - 60.0).max(0.0) / self.far_scale_minutes).exp())
    }

    /// Score of a clock `difference_minutes` outside what the address allows.
    pub fn network_log_odds(&self, difference_minutes: i32) -> f64 {
        let difference = f64::from(difference_minutes.abs());
        if difference == 0.0 {
            return self.network_match_log_odds;
        }
        self.network_far_log_odds * (1.0 - (-difference / self.far_scale_minutes).exp())
    }
}

/// A few offsets, minutes east.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Offsets {
    minutes: [i32; OFFSETS_MAX],
    count: usize,
}

impl Offsets {
    /// The offsets, in the order of the zones they come from.
    pub fn as_slice(&self) -> &[i32] {
        &self.minutes[..self.count]
    }

    fn push(&mut self, offset: i32) {
        if self.count < OFFSETS_MAX && !self.as_slice().contains(&offset) {
            self.minutes[self.count] = offset;
            self.count += 1;
        }
    }

    /// The offset nearest to `offset` round the globe, and the signed difference to it; `None` when there is none.
    pub fn nearest(&self, offset: i32) -> Option<(i32, i32)> {
        self.as_slice()
            .iter()
            .map(|own| (*own, circular_difference_minutes(offset, *own)))
            .min_by_key(|(_, difference)| difference.abs())
    }
}

/// `a` minus `b` round the globe, minutes, in \[-720, 720): +14 h and -10 h show the same sun.
pub fn circular_difference_minutes(a: i32, b: i32) -> i32 {
    (a - b + 720).rem_euclid(1_440) - 720
}

/// Offset of a zone at an instant, minutes east; `None` when the zone or the instant is unknown to the zone data.
pub fn zone_offset_minutes(zone: &str, time: EventTime) -> Option<i32> {
    let zone = jiff::tz::TimeZone::get(zone).ok()?;
    let instant = jiff::Timestamp::from_second(time.0.div_euclid(1_000_000)).ok()?;
    Some(zone.to_offset(instant).seconds().div_euclid(60))
}

/// Whether a zone says nothing about a place.
pub fn placeless_zone(zone: &str) -> bool {
    PLACELESS_ZONES.contains(&zone)
}

/// Offsets that a claim allows at an instant: of its zone, else of its subdivision's or region's zones.
pub fn claim_offsets(claim: &Claim, time: EventTime) -> Offsets {
    let mut offsets = Offsets::default();
    if !claim.time_zone.is_empty() {
        if let Some(offset) = zone_offset_minutes(&claim.time_zone, time) {
            offsets.push(offset);
        }
        return offsets;
    }
    region_offsets(&claim.region_code, &claim.subdivision_code, time)
}

/// Offsets in use in a subdivision or region at an instant; none when neither is known.
pub fn region_offsets(region_code: &str, subdivision_code: &str, time: EventTime) -> Offsets {
    let mut offsets = Offsets::default();
    for zone in zones::zones_of(region_code, subdivision_code) {
        if let Some(offset) = zone_offset_minutes(zone, time) {
            offsets.push(offset);
        }
    }
    offsets
}

/// Whether clocks of a place change for summer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockChange {
    /// Never.
    None,
    /// An hour ahead in the northern summer.
    Northern,
    /// An hour ahead in the southern summer.
    Southern,
}

/// How the clocks of a claim's zone change around an instant; `None` when the zone is unknown, or the claim has several.
pub fn claim_change(claim: &Claim, time: EventTime) -> Option<ClockChange> {
    let zone = match claim.time_zone.as_str() {
        "" => match zones::zones_of(&claim.region_code, &claim.subdivision_code) {
            [only] => only,
            _ => return None,
        },
        zone => zone,
    };
    // Half a year from now the clocks stand as they do not now.
    let now = zone_offset_minutes(zone, time)?;
    let then = zone_offset_minutes(zone, EventTime(time.0.saturating_add(182 * MICROS_PER_DAY as i64)))?;
    let (summer, winter) = if northern_summer(time) { (now, then) } else { (then, now) };
    Some(match summer.cmp(&winter) {
        std::cmp::Ordering::Equal => ClockChange::None,
        std::cmp::Ordering::Greater => ClockChange::Northern,
        std::cmp::Ordering::Less => ClockChange::Southern,
    })
}

/// Year, month (1 to 12) and day (1 to 31) of a day number since 1970 (Hinnant, "chrono-compatible date algorithms").
fn civil(day_number: i64) -> (i64, i64, i64) {
    let shifted = day_number + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Month and the day of month of the last Sunday up to the instant (below 1: of the month before).
fn month_and_sunday(time: EventTime) -> (i64, i64) {
    let day_number = time.0.div_euclid(MICROS_PER_DAY as i64);
    let (_, month, day) = civil(day_number);
    // 1970-01-01 was a Thursday, four days after a Sunday.
    (month, day - (day_number + 4).rem_euclid(7))
}

/// Whether clocks run an hour ahead at an instant, to the day: by the rule of the United States west of the Atlantic
/// and of the European Union east of it in the north, by that of south-east Australia in the south.
pub fn summer_time(change: ClockChange, standard_minutes: i32, time: EventTime) -> bool {
    let (month, sunday) = month_and_sunday(time);
    match change {
        ClockChange::None => false,
        ClockChange::Northern if standard_minutes <= -180 => match month {
            3 => sunday >= 8,
            4..=10 => true,
            11 => sunday < 1,
            _ => false,
        },
        ClockChange::Northern => match month {
            3 => sunday >= 25,
            4..=9 => true,
            10 => sunday < 25,
            _ => false,
        },
        ClockChange::Southern => match month {
            10 => sunday >= 1,
            4 => sunday < 1,
            5..=9 => false,
            _ => true,
        },
    }
}

/// Whether an instant lies in the half of the year that begins in the last days of March, when clocks of the north
/// run ahead: one border for all rules, a week or two off in spring for some.
pub fn northern_summer(time: EventTime) -> bool {
    summer_time(ClockChange::Northern, 0, time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> EventTime {
        EventTime(seconds * 1_000_000)
    }

    #[test]
    fn civil_days_are_right() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(20_089), (2025, 1, 1));
    }

    #[test]
    fn summer_time_follows_zone_data_to_the_day() {
        // Every day of ten years at noon UTC, when all three rules have taken effect on the day of change or not yet
        // on the day before.
        for (zone, change, standard) in [
            ("America/New_York", ClockChange::Northern, -300),
            ("Europe/Berlin", ClockChange::Northern, 60),
            ("Asia/Shanghai", ClockChange::None, 480),
        ] {
            for day in 16_436..20_089 {
                let time = at(day * 86_400 + 43_200);
                let expected = standard + if summer_time(change, standard, time) { 60 } else { 0 };
                assert_eq!(zone_offset_minutes(zone, time), Some(expected), "{zone} day {day}");
            }
        }
        // Sydney changes at 16:00 UTC of the Saturday, so noon is a day late only in the UTC date: six days of grace.
        for day in (16_436..20_089).filter(|day| day % 7 == 3) {
            let time = at(day * 86_400);
            let expected = 600 + if summer_time(ClockChange::Southern, 600, time) { 60 } else { 0 };
            assert_eq!(zone_offset_minutes("Australia/Sydney", time), Some(expected), "day {day}");
        }
    }

    #[test]
    fn differences_go_the_short_way_round() {
        assert_eq!(circular_difference_minutes(480, -300), -660);
        assert_eq!(circular_difference_minutes(840, -600), 0);
        assert_eq!(circular_difference_minutes(-300, -240), -60);
    }

    #[test]
    fn an_unknown_zone_or_an_absurd_year_has_no_offset() {
        assert_eq!(zone_offset_minutes("Moon/Tranquillity", at(0)), None);
        assert_eq!(zone_offset_minutes("America/New_York", EventTime(i64::MAX)), None);
    }

    #[test]
    fn far_clocks_score_more_than_near_ones() {
        let parameters = ClockParameters::default();
        let scores: Vec<f64> = [0, 60, 180, 360, 720].iter().map(|d| parameters.claim_log_odds(*d)).collect();
        assert!(scores.windows(2).all(|pair| pair[0] < pair[1]), "{scores:?}");
        // .4 + 2 (1 - exp(-120 / 180)) = .4 + 2 x .4866
        assert!((scores[2] - 1.373_2).abs() < 1e-3);
    }
}
