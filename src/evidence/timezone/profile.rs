//! What is kept of a worker's hours: fading counts of session starts by hour of the week.

use super::Parameters;
use super::attendance::Attendance;
use super::clock;
use super::observe::Observation;
use super::rhythm::{CELLS, HOURS_PER_WEEK};
use crate::event::EventTime;
use serde::{Deserialize, Serialize};

/// Pause that begins a session, microseconds: four hours, the rule the templates were fitted under.
pub const SESSION_PAUSE_MICROS: i64 = 4 * 3_600 * 1_000_000;
/// Weight of one start in stored units: fine enough that fading shows ten times.
pub const START_UNITS: u16 = 32;
/// Most cells kept; the lightest make room. Regular weeks fill 40 to 90, and 110 cells take under 450 bytes.
pub const CELLS_MAX: usize = 110;

/// How long a traveller's clock may lag or lead the network: two days by the scenario of the business traveller (B03),
/// and one for the event that ends them.
const JOURNEY_MICROS: i64 = 3 * 24 * 3_600 * 1_000_000;
/// Latest starts kept apart, to be compared with those before: about three working weeks.
pub const LATEST_MAX: usize = 14;

/// Fading counts of session starts by half of the year and hour of the week, UTC, and on which days they were.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Instant of the latest event; `None` before the first.
    pub last_time: Option<EventTime>,
    /// Instant of the first event learned from.
    pub first_time: Option<EventTime>,
    /// Session starts ever, without fading.
    pub start_count: u32,
    /// Cell and weight, by rising cell. A cell is the hour of the week from Monday 00:00 UTC, plus 168 in the
    /// northern summer; a start weighs [`START_UNITS`] when fresh.
    ///
    /// INVARIANT: cells rise, lie below 336, number at most [`CELLS_MAX`], and weigh over 0.
    pub cells: Vec<(u16, u16)>,
    /// UTC hours of the day of the latest starts, oldest first, at most [`LATEST_MAX`]. They are in `cells` too.
    pub latest_hours: Vec<u8>,
    /// Days on which sessions began.
    pub attendance: Attendance,
    /// First instant at which clock and address disagreed after they had agreed; `None` while they agree, or never did.
    pub apart_since: Option<EventTime>,
    /// Whether clock and address have ever agreed.
    pub agreed: bool,
}

/// What records of formats 1 and 2 hold: before the latest starts, the days and the journeys were kept.
#[derive(Debug, Clone, Deserialize)]
pub struct FirstProfile {
    last_time: Option<EventTime>,
    first_time: Option<EventTime>,
    start_count: u32,
    cells: Vec<(u16, u16)>,
}

impl From<FirstProfile> for Profile {
    fn from(first: FirstProfile) -> Self {
        let FirstProfile { last_time, first_time, start_count, cells } = first;
        Self { last_time, first_time, start_count, cells, ..Self::default() }
    }
}

/// Cell of an instant, in \[0, 336).
pub fn cell_of(time: EventTime) -> u16 {
    let hours = time.0.div_euclid(3_600 * 1_000_000);
    // 1970-01-01 was a Thursday, 72 hours into its week.
    let hour = (hours + 72).rem_euclid(HOURS_PER_WEEK as i64) as u16;
    if clock::northern_summer(time) { hour + HOURS_PER_WEEK as u16 } else { hour }
}

impl Profile {
    /// Names what in a profile read back no session can have left there. `None` when sound.
    pub fn unsound(&self) -> Option<&'static str> {
        let cells = &self.cells;
        let rise = cells.windows(2).all(|two| two[0].0 < two[1].0);
        let sound = rise
            && cells.len() <= CELLS_MAX
            && cells.iter().all(|(cell, weight)| usize::from(*cell) < 2 * HOURS_PER_WEEK && *weight > 0);
        if !sound {
            return Some("timezone.cells");
        }
        if self.latest_hours.len() > LATEST_MAX || self.latest_hours.iter().any(|hour| *hour > 23) {
            return Some("timezone.latest_hours");
        }
        self.attendance.unsound().then_some("timezone.attendance")
    }

    /// Whether an event would begin a session: four hours or more after the worker's last, or the first of all.
    pub fn starts_session(&self, observation: &Observation) -> bool {
        observation.may_start
            && self.last_time.is_none_or(|last| observation.time.micros_since(last) >= SESSION_PAUSE_MICROS)
    }

    /// Learns the hour of an event. Not gated: hours are learned from every event that may teach at all.
    pub fn learn(&mut self, observation: &Observation, parameters: &Parameters, time: EventTime) {
        let starts = self.starts_session(observation);
        self.first_time = Some(self.first_time.map_or(time, |first| first.min(time)));
        self.last_time = Some(self.last_time.map_or(time, |last| last.max(time)));
        self.learn_agreement(observation, time);
        if !starts {
            return;
        }
        self.fade(parameters);
        self.start_count = self.start_count.saturating_add(1);
        let cell = cell_of(time);
        self.add(cell, START_UNITS);
        if self.latest_hours.len() >= LATEST_MAX {
            self.latest_hours.remove(0);
        }
        self.latest_hours.push((cell % 24) as u8);
        self.attendance.note(time);
    }

    /// Notes since when clock and address disagree.
    fn learn_agreement(&mut self, observation: &Observation, time: EventTime) {
        match observation.network_difference_minutes {
            Some(0) => (self.agreed, self.apart_since) = (true, None),
            Some(_) if self.agreed => self.apart_since = Some(self.apart_since.unwrap_or(time)),
            _ => {}
        }
    }

    /// Whether clock and address, which used to agree, have disagreed for so short a time that a journey explains it.
    pub fn travelling(&self, time: EventTime) -> bool {
        // The first event that disagrees has not been learned yet.
        self.agreed && self.apart_since.is_none_or(|since| time.micros_since(since) < JOURNEY_MICROS)
    }

    /// Makes room when more is remembered than wanted: memory is counted in starts, not in days, so that somebody who
    /// logs in weekly is known as well as somebody who logs in daily.
    fn fade(&mut self, parameters: &Parameters) {
        if self.remembered_count() < parameters.rhythm.remembered_max {
            return;
        }
        for (_, weight) in &mut self.cells {
            // Rounded down: the lightest cells end.
            *weight = (f64::from(*weight) * parameters.rhythm.fade_kept_share) as u16;
        }
        self.cells.retain(|(_, weight)| *weight > 0);
    }

    fn add(&mut self, cell: u16, units: u16) {
        match self.cells.binary_search_by_key(&cell, |(own, _)| *own) {
            Ok(index) => self.cells[index].1 = self.cells[index].1.saturating_add(units),
            Err(index) => self.cells.insert(index, (cell, units)),
        }
        if self.cells.len() > CELLS_MAX {
            // The first of the lightest other cells: deterministic, and the start just seen stays.
            let lightest = (0..self.cells.len())
                .filter(|index| self.cells[*index].0 != cell)
                .min_by_key(|index| self.cells[*index].1);
            if let Some(index) = lightest {
                self.cells.remove(index);
            }
        }
    }

    /// Adds another worker profile's hours, as when two accounts turn out to be one person's.
    pub fn merge(&mut self, other: &Profile) {
        self.first_time = [self.first_time, other.first_time].into_iter().flatten().min();
        self.last_time = self.last_time.max(other.last_time);
        self.start_count = self.start_count.saturating_add(other.start_count);
        self.attendance.merge(&other.attendance);
        self.agreed |= other.agreed;
        self.apart_since = self.apart_since.max(other.apart_since);
        for (cell, units) in &other.cells {
            if usize::from(*cell) < CELLS {
                self.add(*cell, *units);
            }
        }
    }

    /// Faded number of session starts remembered.
    pub fn remembered_count(&self) -> f64 {
        self.cells.iter().map(|(_, units)| f64::from(*units)).sum::<f64>() / f64::from(START_UNITS)
    }

    /// Name, effective count, median and spread of what is kept, for access requests: the UTC hour of session starts,
    /// hours after midnight; the median and half the interquartile range are taken on the day cut at its quietest hour.
    pub fn summaries(&self) -> Vec<(&'static str, f64, f64, f64)> {
        let mut by_hour = [0.0; 24];
        for (cell, units) in &self.cells {
            by_hour[usize::from(*cell) % 24] += f64::from(*units);
        }
        let total: f64 = by_hour.iter().sum();
        if total <= 0.0 {
            return Vec::new();
        }
        let cut = (0..24).min_by(|a, b| by_hour[*a].total_cmp(&by_hour[*b])).unwrap_or(0);
        let at = |share: f64| {
            let mut sum = 0.0;
            for step in 0..24 {
                let own = by_hour[(cut + step) % 24];
                if own > 0.0 && sum + own >= share * total {
                    return (cut + step) as f64 + (share * total - sum) / own;
                }
                sum += own;
            }
            (cut + 24) as f64
        };
        let (low, middle, high) = (at(0.25), at(0.5), at(0.75));
        let mut list = vec![(
            "timezone.session_start_utc_hours",
            self.remembered_count(),
            middle.rem_euclid(24.0),
            (high - low) / 2.0,
        )];
        let mut weeks = self.attendance.days_by_week();
        if !weeks.is_empty() {
            weeks.sort_unstable();
            let at = |share: f64| f64::from(weeks[((weeks.len() - 1) as f64 * share).round() as usize]);
            list.push(("timezone.session_days_a_week_count", weeks.len() as f64, at(0.5), (at(0.75) - at(0.25)) / 2.0));
        }
        list
    }
}

/// Share of the session starts remembered in each hour of the week, Monday 00:00 UTC first; all 0 without any.
pub fn activity_by_hour(profile: &Profile) -> [f32; HOURS_PER_WEEK] {
    let mut shares = [0.0_f64; HOURS_PER_WEEK];
    let mut total = 0.0;
    for (cell, units) in &profile.cells {
        shares[usize::from(*cell) % HOURS_PER_WEEK] += f64::from(*units);
        total += f64::from(*units);
    }
    shares.map(|share| if total > 0.0 { (share / total) as f32 } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600 * 1_000_000;

    fn event(hours: i64) -> Observation {
        Observation { time: EventTime(hours * HOUR), may_start: true, ..Observation::default() }
    }

    #[test]
    fn a_cell_is_the_utc_hour_of_the_week_and_the_half_of_the_year() {
        // Thursday 1970-01-01 00:00: three days into the week. Monday 2025-07-07 00:00: summer.
        assert_eq!(cell_of(EventTime(0)), 72);
        assert_eq!(cell_of(EventTime(1_751_846_400_000_000)), 168);
    }

    #[test]
    fn four_quiet_hours_begin_a_session_and_a_logoff_never_does() {
        let mut profile = Profile { last_time: Some(EventTime(100 * HOUR)), ..Profile::default() };
        assert!(Profile::default().starts_session(&event(0)));
        assert!(!profile.starts_session(&event(103)));
        assert!(profile.starts_session(&event(104)));
        assert!(!profile.starts_session(&Observation { may_start: false, ..event(104) }));
        // A late event neither starts one nor turns the clock back.
        assert!(!profile.starts_session(&event(50)));
        profile.last_time = None;
        assert!(profile.starts_session(&event(50)));
    }

    #[test]
    fn activity_shares_add_up_to_one() {
        let profile = Profile { cells: vec![(0, 32), (1, 64), (169, 32)], ..Profile::default() };
        let shares = activity_by_hour(&profile);
        // Winter and summer of one hour fall together: 32, 96 of 128.
        assert_eq!((shares[0], shares[1], shares[2]), (0.25, 0.75, 0.0));
        assert_eq!(activity_by_hour(&Profile::default()), [0.0; HOURS_PER_WEEK]);
    }

    #[test]
    fn cells_stay_sorted_and_few() {
        let mut profile = Profile::default();
        for cell in (0..CELLS as u16).rev() {
            profile.add(cell, START_UNITS);
        }
        assert_eq!(profile.cells.len(), CELLS_MAX);
        assert!(profile.cells.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(profile.cells[0].0, 0, "the newest start stays");
    }

    #[test]
    fn merging_adds_hours_and_keeps_the_outer_times() {
        let mut profile = Profile {
            first_time: Some(EventTime(5)),
            last_time: Some(EventTime(9)),
            start_count: 1,
            cells: vec![(3, 32)],
            ..Profile::default()
        };
        let cells = vec![(3, 32), (7, 32)];
        let other = Profile { first_time: Some(EventTime(2)), start_count: 2, cells, ..Profile::default() };
        profile.merge(&other);
        assert_eq!(profile.first_time, Some(EventTime(2)));
        assert_eq!(profile.last_time, Some(EventTime(9)));
        assert_eq!((profile.start_count, profile.cells.as_slice()), (3, [(3, 64), (7, 32)].as_slice()));
    }

    #[test]
    fn the_latest_starts_and_the_days_are_kept_and_few() {
        let mut profile = Profile::default();
        let parameters = crate::evidence::timezone::compare::tests::parameters();
        for number in 0..400 {
            let observation = event(number * 24 + 9);
            profile.learn(&observation, &parameters, observation.time);
        }
        assert_eq!(profile.latest_hours, vec![9; LATEST_MAX]);
        assert_eq!(profile.unsound(), None);
        let summaries = profile.summaries();
        assert_eq!(summaries[1], ("timezone.session_days_a_week_count", 57.0, 7.0, 0.0));
        // Budget: remote_input, network and timezone take 1,200 bytes together.
        let bytes = postcard::to_stdvec(&profile).expect("a profile can be written");
        assert!(bytes.len() <= 330, "{} bytes", bytes.len());
    }

    #[test]
    fn a_profile_of_the_first_formats_is_read() {
        #[derive(Serialize)]
        struct Old {
            last_time: Option<EventTime>,
            first_time: Option<EventTime>,
            start_count: u32,
            cells: Vec<(u16, u16)>,
        }
        let time = Some(EventTime(7));
        let bytes =
            postcard::to_stdvec(&Old { last_time: time, first_time: time, start_count: 1, cells: vec![(3, 32)] });
        let first: FirstProfile = postcard::from_bytes(&bytes.expect("written")).expect("read");
        let profile = Profile::from(first);
        assert_eq!((profile.last_time, profile.cells.as_slice()), (time, [(3, 32)].as_slice()));
        assert_eq!(profile.attendance, Attendance::default());
    }

    #[test]
    fn summaries_cut_the_day_where_it_is_quiet() {
        // Half at 23:00, half at 00:00: the median is midnight and half the range half an hour.
        let profile = Profile { cells: vec![(23, 64), (24, 64)], ..Profile::default() };
        let summaries = profile.summaries();
        assert_eq!(summaries.len(), 1, "no days without starts that were learned");
        let (_, count, median, spread) = summaries[0];
        assert_eq!(count, 4.0);
        assert!((median - 24.0).abs() < 1e-9 || median.abs() < 1e-9, "{median}");
        assert!((spread - 0.5).abs() < 1e-9, "{spread}");
    }
}
