//! Changes of hours: against the worker's own past, and with the clocks of the claimed place.
//!
//! "Unlike the claim" and "changed" are two questions with two findings. Somebody who always worked at night is unlike
//! the claim and has not changed; somebody who moved, or took another shift, has changed and may be like the claim.

use super::clock::ClockChange;
use super::profile::{Profile, START_UNITS};
use super::rhythm::{HOURS_PER_WEEK, bounded};
use serde::{Deserialize, Serialize};

/// Hours of a day.
const HOURS: usize = 24;
/// Shifts that are a change, hours: less is a chronotype's play, a season or a summer time.
const SHIFT_MIN: usize = 3;
/// Fewest starts in either half of the year that say whether they moved with the clocks.
const HALF_MIN: f64 = 12.0;

/// What is fitted of changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeParameters {
    /// Exponent of the likelihood of the latest starts: those of one week are not independent.
    pub temper: f64,
    /// Starts of a flat day added to the worker's own past hours.
    pub flat_starts: f64,
    /// Fewest latest starts, and fewest before them.
    pub latest_min: u32,
    /// See `latest_min`.
    pub past_min: u32,
    /// Slope of the calibration, before the bounds.
    pub score_slope: f64,
    /// Offset of the same, nats.
    pub score_offset: f64,
    /// Share of operators who keep the hours of whoever worked before them, in (0, .9\].
    pub adapted_share: f64,
    /// Share of honest people whose hours have just changed, in (0, .5\]: moves, shifts, babies.
    pub irregular_share: f64,
}

impl Default for ChangeParameters {
    /// What a model made before changes were looked for knows, by judgement.
    fn default() -> Self {
        Self {
            temper: 0.5,
            flat_starts: 6.0,
            latest_min: 6,
            past_min: 15,
            score_slope: 0.7,
            score_offset: 0.0,
            adapted_share: 0.5,
            irregular_share: 0.08,
        }
    }
}

impl ChangeParameters {
    /// Whether every number is finite and in a sane range; says which is not.
    pub fn check(&self) -> Result<(), String> {
        let inside = [
            ("temper", self.temper, 1e-3, 1.0),
            ("flat_starts", self.flat_starts, 0.1, 100.0),
            ("latest_min", f64::from(self.latest_min), 1.0, 100.0),
            ("past_min", f64::from(self.past_min), 1.0, 1e3),
            ("score_slope", self.score_slope, 0.0, 5.0),
            ("score_offset", self.score_offset, -5.0, 5.0),
            ("adapted_share", self.adapted_share, 1e-4, 0.9),
            ("irregular_share", self.irregular_share, 1e-4, 0.5),
        ];
        match inside.iter().find(|(_, value, low, high)| !(*low..=*high).contains(value)) {
            Some((name, _, low, high)) => Err(format!("`timezone.change.{name}` must lie in [{low}, {high}]")),
            None => Ok(()),
        }
    }
}

type Day = [f64; HOURS];

/// Neighbouring hours share: habits are not sharper than this.
fn smoothed(day: &Day, flat_starts: f64) -> Day {
    const KERNEL: [f64; 5] = [0.1, 0.2, 0.4, 0.2, 0.1];
    let total: f64 = day.iter().sum::<f64>() + flat_starts;
    std::array::from_fn(|hour| {
        let near: f64 = (0..KERNEL.len()).map(|step| KERNEL[step] * day[(hour + HOURS + step - 2) % HOURS]).sum();
        (near + flat_starts / HOURS as f64) / total
    })
}

/// How far the latest starts lie from the worker's own past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Changed {
    /// Log-likelihood ratio, "hours moved by three hours or more" against "hours as ever", nats, calibrated, bounded.
    pub log_odds: f64,
    /// The same before calibration and bounds.
    pub bare: f64,
    /// The likeliest move, hours, positive when work begins later, in \[-12, 12).
    pub shift_hours: i32,
    /// Latest starts behind it.
    pub latest_count: u32,
}

/// Compares the latest starts, this event's own included, with those before. `None` when either are too few.
pub fn changed(profile: &Profile, own_start: Option<u16>, parameters: &ChangeParameters) -> Option<Changed> {
    let mut latest: Day = [0.0; HOURS];
    let mut past: Day = [0.0; HOURS];
    for (cell, units) in &profile.cells {
        past[usize::from(*cell) % HOURS] += f64::from(*units) / f64::from(START_UNITS);
    }
    let mut latest_count = 0;
    for hour in &profile.latest_hours {
        let hour = usize::from(*hour) % HOURS;
        latest[hour] += 1.0;
        latest_count += 1;
        // Some of what is remembered has faded since: nothing falls under 0.
        past[hour] = (past[hour] - 1.0).max(0.0);
    }
    if let Some(cell) = own_start {
        latest[usize::from(cell) % HOURS] += 1.0;
        latest_count += 1;
    }
    if latest_count < parameters.latest_min || past.iter().sum::<f64>() < f64::from(parameters.past_min) {
        return None;
    }
    let logs = smoothed(&past, parameters.flat_starts).map(f64::ln);
    // `shift` later than ever: a start at an hour was one at `hour - shift`.
    let fit = |shift: usize| -> f64 {
        let sum: f64 = (0..HOURS).map(|hour| latest[hour] * logs[(hour + HOURS - shift) % HOURS]).sum();
        parameters.temper * sum
    };
    let stayed = fit(0);
    let moves = SHIFT_MIN..=HOURS - SHIFT_MIN;
    let (mut sum, mut best) = (0.0, (f64::MIN, 0));
    for shift in moves.clone() {
        let log_odds = fit(shift) - stayed;
        sum += log_odds.clamp(-50.0, 50.0).exp();
        if log_odds > best.0 {
            best = (log_odds, shift);
        }
    }
    let bare = (sum / moves.count() as f64).ln();
    let shift_hours = if best.1 >= HOURS / 2 { best.1 as i32 - HOURS as i32 } else { best.1 as i32 };
    let ratio = parameters.score_offset + parameters.score_slope * bare;
    let log_odds = bounded(ratio, parameters.adapted_share, parameters.irregular_share);
    Some(Changed { log_odds, bare, shift_hours, latest_count })
}

fn halves(profile: &Profile) -> [Day; 2] {
    let mut halves: [Day; 2] = [[0.0; HOURS]; 2];
    for (cell, units) in &profile.cells {
        let cell = usize::from(*cell);
        halves[cell / HOURS_PER_WEEK % 2][cell % HOURS] += f64::from(*units) / f64::from(START_UNITS);
    }
    halves
}

/// Whether enough starts of both halves of the year are known to see what clocks do to them.
pub fn halves_known(profile: &Profile) -> bool {
    halves(profile).iter().all(|half| half.iter().sum::<f64>() >= HALF_MIN)
}

/// Whether starts moved with the claimed place's clocks between the halves of the year: log-likelihood ratio of "not as
/// the claim's clocks" against "as they do", nats, neither calibrated nor bounded; 0 before both halves are known.
///
/// Where clocks change, a habit stays on the clock and moves by an hour of UTC; where they do not, it stays on UTC.
pub fn clock_change(profile: &Profile, claimed: ClockChange) -> f64 {
    let halves = halves(profile);
    if halves.iter().any(|half| half.iter().sum::<f64>() < HALF_MIN) {
        return 0.0;
    }
    let logs = halves.map(|half| smoothed(&half, 4.0).map(f64::ln));
    // Summer starts read `shift` hours later are winter's, and the other way about.
    let fit = |shift: i32| -> f64 {
        let moved = |hour: usize, by: i32| (hour as i32 + by).rem_euclid(HOURS as i32) as usize;
        let sum: f64 = (0..HOURS)
            .map(|hour| halves[1][hour] * logs[0][moved(hour, shift)] + halves[0][hour] * logs[1][moved(hour, -shift)])
            .sum();
        sum / 2.0
    };
    let (northern, none) = (fit(1), fit(0));
    match claimed {
        ClockChange::Northern => none - northern,
        ClockChange::None => northern - none,
        // Few live by it: what else it could be is both of the others.
        ClockChange::Southern => none.max(northern) - fit(-1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts at these hours, UTC, on Mondays in winter; the latest ones last.
    fn profile(past: &[(u16, u16)], latest: &[u8]) -> Profile {
        let mut cells: Vec<(u16, u16)> = past.iter().map(|(hour, starts)| (*hour, starts * START_UNITS)).collect();
        for hour in latest {
            match cells.iter_mut().find(|(cell, _)| *cell == u16::from(*hour)) {
                Some(cell) => cell.1 += START_UNITS,
                None => cells.push((u16::from(*hour), START_UNITS)),
            }
        }
        cells.sort_unstable();
        Profile { cells, latest_hours: latest.to_vec(), ..Profile::default() }
    }

    #[test]
    fn hours_as_ever_clear_and_moved_hours_score_with_their_shift() {
        let parameters = ChangeParameters::default();
        let same = changed(&profile(&[(13, 10), (14, 20), (15, 10)], &[14; 10]), None, &parameters).expect("enough");
        assert!(same.log_odds < 0.0, "{same:?}");
        let moved = changed(&profile(&[(13, 10), (14, 20), (15, 10)], &[1; 10]), None, &parameters).expect("enough");
        assert!(moved.log_odds > 1.0 && moved.log_odds < (0.5_f64 / 0.08).ln() + 1e-9, "{moved:?}");
        assert_eq!((moved.shift_hours, moved.latest_count), (11, 10));
    }

    #[test]
    fn night_work_as_ever_is_no_change_and_a_summer_time_neither() {
        let parameters = ChangeParameters::default();
        let night =
            changed(&profile(&[(2, 20), (3, 20)], &[2, 3, 2, 3, 2, 3, 2, 3]), None, &parameters).expect("enough");
        assert!(night.log_odds < 0.0, "{night:?}");
        let clocks = changed(&profile(&[(14, 40)], &[13; 10]), None, &parameters).expect("enough");
        assert!(clocks.log_odds < 0.1, "{clocks:?}");
    }

    #[test]
    fn few_starts_say_nothing_and_the_own_start_counts() {
        let parameters = ChangeParameters::default();
        assert_eq!(changed(&profile(&[(14, 40)], &[14; 5]), None, &parameters), None);
        assert!(changed(&profile(&[(14, 40)], &[14; 5]), Some(14), &parameters).is_some());
        assert_eq!(changed(&profile(&[(14, 5)], &[14; 10]), None, &parameters), None);
    }

    #[test]
    fn starts_that_move_with_the_clocks_are_told_from_those_that_do_not() {
        let with = |summer: u16| Profile {
            cells: vec![(14, 60 * START_UNITS), (HOURS_PER_WEEK as u16 + summer, 60 * START_UNITS)],
            ..Profile::default()
        };
        // 14:00 UTC in winter and 13:00 in summer is nine o'clock in New York all year.
        assert!(clock_change(&with(13), ClockChange::Northern) < -1.0);
        assert!(clock_change(&with(14), ClockChange::Northern) > 1.0);
        assert!(clock_change(&with(14), ClockChange::None) < -1.0);
        assert!(clock_change(&with(13), ClockChange::None) > 1.0);
        assert!(clock_change(&with(15), ClockChange::Southern) < 0.0);
        let half = Profile { cells: vec![(14, 60 * START_UNITS)], ..Profile::default() };
        assert!(!halves_known(&half) && clock_change(&half, ClockChange::Northern) == 0.0);
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let parameters = ChangeParameters { temper: 0.0, ..ChangeParameters::default() };
        assert!(parameters.check().is_err_and(|error| error.contains("temper")));
        assert!(ChangeParameters::default().check().is_ok());
    }
}
