//! What is fitted of days of rest.

use serde::{Deserialize, Serialize};

/// What is fitted of calendars, from commit times of authors left out, and what is set by judgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalendarParameters {
    /// How often work begins on a day free in one's own calendar, of the usual rate of that day of the week.
    pub free_rate: f64,
    /// The same on a day free only elsewhere: under 1 because the usual rate is estimated from few weeks.
    pub usual_rate: f64,
    /// How often work begins on a weekly day of rest, of the rate of working days: mean over people.
    pub rest_rate: f64,
    /// The same on a Friday, a working day for most.
    pub work_rate: f64,
    /// Standard deviation of both between people.
    pub rest_spread: f64,
    /// Most nats that weekly days of rest may add on either side.
    pub rest_log_odds_max: f64,
    /// Factor on the nats of starts that did not move with the clocks.
    pub clock_slope: f64,
    /// Most nats of these, either way: a tie-break.
    pub clock_log_odds_max: f64,
    /// Slope of the calibration, before the bounds. There is no offset: without a day to ask about nothing is said.
    pub score_slope: f64,
    /// Share of operators who keep the claimed place's calendar, in (0, .9\]: bounds the score below.
    pub adapted_share: f64,
    /// Share of honest people who keep another calendar than the place they work from, in (0, .5\]: bounds it above.
    pub irregular_share: f64,
}

impl Default for CalendarParameters {
    /// What a model made before calendars were read knows: the rates measured for this project, with caps.
    fn default() -> Self {
        Self {
            free_rate: 0.3,
            usual_rate: 0.9,
            rest_rate: 0.4,
            work_rate: 0.9,
            rest_spread: 0.35,
            rest_log_odds_max: 0.5,
            clock_slope: 0.1,
            clock_log_odds_max: 0.4,
            score_slope: 0.7,
            adapted_share: 0.5,
            irregular_share: 0.1,
        }
    }
}

impl CalendarParameters {
    /// Whether every number is finite and in a sane range; says which is not.
    pub fn check(&self) -> Result<(), String> {
        let inside = [
            ("free_rate", self.free_rate, 0.01, 0.99),
            ("usual_rate", self.usual_rate, 0.1, 1.0),
            ("rest_rate", self.rest_rate, 0.0, 2.0),
            ("work_rate", self.work_rate, 0.0, 2.0),
            ("rest_spread", self.rest_spread, 0.01, 2.0),
            ("rest_log_odds_max", self.rest_log_odds_max, 0.0, 2.0),
            ("clock_slope", self.clock_slope, 0.0, 2.0),
            ("clock_log_odds_max", self.clock_log_odds_max, 0.0, 2.0),
            ("score_slope", self.score_slope, 0.0, 5.0),
            ("adapted_share", self.adapted_share, 1e-4, 0.9),
            ("irregular_share", self.irregular_share, 1e-4, 0.5),
        ];
        // A NaN lies in no range.
        if let Some((name, _, low, high)) = inside.iter().find(|(_, value, low, high)| !(*low..=*high).contains(value))
        {
            return Err(format!("`timezone.calendar.{name}` must lie in [{low}, {high}]"));
        }
        if self.free_rate >= self.usual_rate || self.rest_rate >= self.work_rate {
            return Err("`timezone.calendar`: free days must be worked less than others".into());
        }
        Ok(())
    }
}
