//! Where the worker is, by the sun: clock facts and the hours at which sessions begin.
//!
//! Three findings. **Clock**: the client's zone and offset against the claim's zone and against the zone's own rule at
//! that instant. **Network**: the same offset against the longitude of the address. **Rhythm**: the offset at which the
//! worker's session starts look most like people's weeks. It may not know languages, keyboard layouts or names; a
//! country enters only through the zones that its claim names.
//!
//! Worked example: a claim of `America/New_York` and a client that says `Asia/Shanghai`, +480, on 6 January are 780
//! minutes apart, 660 the short way round the globe: .4 + 2.0 x (1 - exp(-(660 - 60) / 180)) gives
//! `timezone.clock_log_odds` = 2.33. Fifty session starts most of which fall on 01:00 to 02:00 UTC, Monday to Friday,
//! give +480 and +540 most of the posterior, and the rhythm score nears its ceiling, ln(.75 / .04) = 2.9: a quarter of
//! operators keep the claimed hours, 4 % of honest people keep another place's.

pub mod attendance;
pub mod calendar;
pub mod calendars;
pub mod change;
pub mod clock;
pub mod compare;
pub mod observe;
pub mod profile;
pub mod rhythm;
pub mod template;
pub mod zones;

pub use compare::{accepts, compare, compare_and_locate};
pub use observe::{Observation, observe};
pub use profile::{FirstProfile, Profile, activity_by_hour};
pub use rhythm::offset_beliefs;

use serde::{Deserialize, Serialize};

/// What training fits for this family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Scores of clock facts.
    pub clock: clock::ClockParameters,
    /// Weekly templates, priors and calibration of session starts.
    pub rhythm: rhythm::RhythmParameters,
    /// Days of rest. A model made before they were read has what was measured for this project.
    #[serde(default)]
    pub calendar: calendar::CalendarParameters,
    /// Changes of hours. The same.
    #[serde(default)]
    pub change: change::ChangeParameters,
}

impl Parameters {
    /// Whether every number is finite, of the right length and in a sane range; says which is not.
    pub fn check(&self) -> Result<(), String> {
        self.clock.check()?;
        self.rhythm.check()?;
        self.calendar.check()?;
        self.change.check()
    }
}
