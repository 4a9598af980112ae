//! The network family: where the path says the client is, and whether that path is this worker's.
//!
//! It may not know who the worker is, what other workers do, or what the clock says: instants arrive in events.
//! Addresses are folded to 32 bits on sight and never kept.
//!
//! Seven findings, each a log-likelihood ratio in nats, positive = not this worker or not the claimed place:
//! * `familiarity`: surprise at a new address, pool, network, region and client, backed off in that order.
//! * `travel`: what speed adds to familiarity. The two are fitted together, so their sum counts nothing twice.
//! * `bound`: round trips shorter than light takes from the claimed place. One anchor proves nothing, two speak.
//! * `round_trip`: round trips longer than others see from the claimed place. An estimate, kept apart from the bound.
//! * `gap`: the application's round trip beyond TCP's: a leg that TCP does not see. Needs no claim.
//! * `claim`: the place of the address against the claim. Light, since honest people travel.
//! * `anonymized`: a marked or hosted address. Nearly neutral, since honest people use them.
//!
//! Mobile carriers, satellites and aircraft say nothing by their delay and little by their place ([`radio`]).
//!
//! Worked example: a worker of Memphis answers TCP from Dallas in 22 ms (677 km: 22 to 30 ms is usual) but the
//! application in 212 ms. The gap of 190 ms is usual of a leg across the Pacific and far outside both direct clients
//! (0.3 to 8.5 ms) and company proxies (20 to 75 ms): about +6 nats from `gap`, about -0.6 from `round_trip`.

pub mod bound;
pub mod compare;
mod density;
pub mod familiarity;
pub mod gap;
pub mod observe;
pub mod profile;
mod proxies;
mod radio;
pub mod region;
pub mod round_trip;
pub mod travel;

pub use bound::client_distance_max_km;
pub use compare::{accepts, compare};
pub use observe::{Observation, observe};
pub use profile::Profile;

use serde::{Deserialize, Serialize};

/// What training fits for this family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Surprise at what was not seen before.
    pub familiarity: familiarity::Parameters,
    /// Round trips against distance.
    pub round_trip: round_trip::Parameters,
    /// Sum of the family's scores, nats, from which a session teaches nothing (see [`accepts`]).
    pub accept_log_odds: f64,
}

impl Parameters {
    /// Checks that every number is finite and in a sane range.
    ///
    /// # Errors
    /// Names the first parameter that is not.
    pub fn check(&self) -> Result<(), String> {
        self.familiarity.check()?;
        self.round_trip.check()?;
        in_range("accept_log_odds", self.accept_log_odds, -5.0, 20.0)
    }
}

/// Fails by name unless `low <= value <= high`; NaN fails.
pub(crate) fn in_range(name: &str, value: f64, low: f64, high: f64) -> Result<(), String> {
    if value >= low && value <= high {
        Ok(())
    } else {
        Err(format!("`{name}` is {value}: must lie in [{low}, {high}]"))
    }
}
