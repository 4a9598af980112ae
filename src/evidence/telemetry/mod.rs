//! Whether the samples themselves can be trusted: repeated samples and collectors that fell silent.
//!
//! It compares a worker's samples with the same worker's earlier ones only, by 64-bit digests, and phrases by sketches
//! of twelve bytes besides ([`sketch`]), which a little noise on every time does not hide from; no sample is kept. A
//! missing collector that never spoke is no finding: missing is not suspicious and not clean.
//!
//! Worked example: the 44 timings of today's phrase are, to the microsecond, those of last Tuesday. No hand repeats
//! itself so: `telemetry.repeated_sample_count` 1, `telemetry.replay` +4.0 nats. The same digest again within a
//! quarter of an hour is a client's retry and scores nothing.

pub mod compare;
pub mod observe;
pub mod profile;
pub mod sketch;

pub use compare::{accepts, compare};
pub use observe::{Observation, observe};
pub use profile::Profile;

use serde::{Deserialize, Serialize};

/// Constants of the family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Nats of one repeated sample.
    pub replay_weight: f64,
    /// Nearness to an earlier sample, of [`sketch::Sketch::nearness`], under which a sample is that one played again with
    /// noise; 0 in models made before it, which says nothing.
    #[serde(default)]
    pub near_replay_rate: f64,
    /// Nats of such a sample.
    #[serde(default)]
    pub near_replay_weight: f64,
    /// Nats per event of silence after [`Parameters::silence_grace_count`].
    pub silence_weight: f64,
    /// Most nats of silence.
    pub silence_max: f64,
    /// Events without samples that any honest client may have (a blocked script, a reinstalled agent).
    pub silence_grace_count: u32,
    /// Events with samples after which a collector counts as one that speaks.
    pub voice_count_min: u32,
}

impl Parameters {
    /// Priors by judgement: an exact repeat of 16 or more timings does not happen by chance (under 1 in 2^40 at a
    /// 1 ms clock), so its weight is bounded by innocent double reporting alone; silence has many innocent causes. The
    /// nearest of 1,929 logins of the sets that may be fitted on was .189 of the ordinary distance: the limit is three
    /// quarters of that.
    pub fn prior() -> Self {
        Self {
            replay_weight: 4.0,
            near_replay_rate: 0.14,
            near_replay_weight: 3.0,
            silence_weight: 0.25,
            silence_max: 1.5,
            silence_grace_count: 3,
            voice_count_min: 10,
        }
    }

    /// Says what is wrong with the constants, if anything.
    pub fn check(&self) -> Result<(), String> {
        let near = [self.near_replay_rate, self.near_replay_weight];
        let values = [self.replay_weight, self.silence_weight, self.silence_max].into_iter().chain(near);
        match values.into_iter().find(|value| !value.is_finite() || *value < 0.0) {
            Some(value) => Err(format!("telemetry parameters must be finite and not negative, found {value}")),
            None => Ok(()),
        }
    }
}
