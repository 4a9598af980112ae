//! The features room: pure functions from samples and profiles to measurements and findings.
//!
//! Shared by serving and training, so that there is one road to a feature. May import `event` only. It reads no
//! clock, draws no random number, does no I/O and **never sees a worker id**: [`crate::event::Samples`] carries none,
//! so two people with equal samples get equal measurements.
//!
//! A live session is compared by [`course`] besides: its latest part beside the whole, and beside its own beginning.
//!
//! Every family has the same furniture: `observe` (one session's samples to measurements), `profile` (what is kept
//! of them), `compare` (measurements against profile and claim to features and a coverage).

pub mod course;
pub mod crowd;
pub mod feature;
pub mod network;
pub mod quantile;
pub mod remote_input;
pub mod telemetry;
pub mod timezone;
pub mod typing;

use crate::event::{EventTime, Samples};
use crate::evidence::feature::{Coverage, Family, FeatureId, Features};
use serde::{Deserialize, Serialize};

/// Fitted constants of every family, stored in `models/<id>/model.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Where, by the sun.
    pub timezone: timezone::Parameters,
    /// Who, by the hand.
    pub typing: typing::Parameters,
    /// How, by the speed of light.
    pub remote_input: remote_input::Parameters,
    /// Where, by the path.
    pub network: network::Parameters,
    /// With whom.
    pub crowd: crowd::Parameters,
    /// Whether the samples can be trusted.
    pub telemetry: telemetry::Parameters,
}

impl Parameters {
    /// Says what is wrong with the constants, if anything, with the family's name before it.
    ///
    /// # Errors
    /// The first family whose constants cannot be used.
    pub fn check(&self) -> Result<(), String> {
        let checked = [
            (Family::Timezone, self.timezone.check()),
            (Family::Typing, self.typing.check()),
            (Family::RemoteInput, self.remote_input.check()),
            (Family::Network, self.network.check()),
            (Family::Crowd, self.crowd.check()),
            (Family::Telemetry, self.telemetry.check()),
        ];
        for (family, result) in checked {
            result.map_err(|cause| format!("{}: {cause}", family.name()))?;
        }
        Ok(())
    }
}

/// One session's measurements, by family.
#[derive(Debug, Clone)]
pub struct Observations {
    /// When the session was.
    pub time: EventTime,
    /// Clock and rhythm.
    pub timezone: timezone::Observation,
    /// Typing.
    pub typing: typing::Observation,
    /// Input path.
    pub remote_input: remote_input::Observation,
    /// Network path.
    pub network: network::Observation,
    /// Tokens.
    pub crowd: crowd::Observation,
    /// Digests.
    pub telemetry: telemetry::Observation,
}

impl Observations {
    /// Works out once what comparing and learning both need of the fitted constants.
    pub fn place(&mut self, parameters: &Parameters) {
        self.typing.place(&parameters.typing.table);
    }
}

/// Measures one session, alone.
pub fn observe(samples: &Samples) -> Observations {
    Observations {
        time: samples.time,
        timezone: timezone::observe(samples),
        typing: typing::observe(samples),
        remote_input: remote_input::observe(samples),
        network: network::observe(samples),
        crowd: crowd::observe(samples),
        telemetry: telemetry::observe(samples),
    }
}

/// What is kept of a worker, by family.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profiles {
    /// Clock and rhythm.
    pub timezone: timezone::Profile,
    /// Typing.
    pub typing: typing::Profile,
    /// Input path.
    pub remote_input: remote_input::Profile,
    /// Network path.
    pub network: network::Profile,
    /// Claim.
    pub crowd: crowd::Profile,
    /// Digests and silence.
    pub telemetry: telemetry::Profile,
}

/// What records of formats 1 and 2 hold of the families.
#[derive(Debug, Clone, Deserialize)]
pub struct FirstProfiles {
    timezone: timezone::FirstProfile,
    typing: typing::Profile,
    remote_input: remote_input::Profile,
    network: network::Profile,
    crowd: crowd::Profile,
    telemetry: telemetry::Profile,
}

impl From<FirstProfiles> for Profiles {
    fn from(first: FirstProfiles) -> Self {
        let FirstProfiles { timezone, typing, remote_input, network, crowd, telemetry } = first;
        Self { timezone: timezone.into(), typing, remote_input, network, crowd, telemetry }
    }
}

impl Profiles {
    /// Names what in profiles read back no session can have left there. `None` when sound.
    pub fn unsound(&self) -> Option<&'static str> {
        let gated = self.typing.unsound().or_else(|| self.remote_input.unsound()).or_else(|| self.network.unsound());
        gated.or_else(|| self.timezone.unsound()).or_else(|| self.crowd.unsound()).or_else(|| self.telemetry.unsound())
    }

    /// Share of remembered session starts by hour of the week, Monday 00:00 UTC first; all 0 without any.
    pub fn activity_by_hour(&self) -> [f32; 168] {
        timezone::activity_by_hour(&self.timezone)
    }
}

/// What an event may teach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teaching {
    /// Each family learns what it would itself accept; rhythm and silence always.
    IfTrusted,
    /// Every family learns.
    Always,
}

impl Profiles {
    /// Learns one session, after it was compared. Returns whether any gated family learned.
    pub fn learn(
        &mut self,
        seen: &Observations,
        features: &Features,
        parameters: &Parameters,
        teaching: Teaching,
    ) -> bool {
        let always = teaching == Teaching::Always;
        let mut learned = false;
        self.timezone.learn(&seen.timezone, &parameters.timezone, seen.time);
        let lesson = if always {
            typing::Lesson::Confirmed
        } else {
            typing::lesson(&seen.typing, features, &self.typing, &parameters.typing)
        };
        let log_odds = typing::phrase_log_odds(features).unwrap_or(0.0);
        self.typing.learn(&seen.typing, &parameters.typing, seen.time, lesson, log_odds);
        if always || typing::teaches_ordered(&seen.typing, features, &self.typing, &parameters.typing) {
            self.typing.learn_ordered(&seen.typing, &parameters.typing, seen.time);
        }
        learned |= lesson != typing::Lesson::Nothing;
        if always || remote_input::accepts(&seen.remote_input, features, &self.remote_input, &parameters.remote_input) {
            let pointer = features.get(FeatureId::RemoteInputPointerLogOdds);
            self.remote_input.learn(&seen.remote_input, pointer, &parameters.remote_input, seen.time);
            learned = true;
        }
        if always || network::accepts(&seen.network, features, &self.network, &parameters.network) {
            self.network.learn(&seen.network, &parameters.network, seen.time);
            learned = true;
        }
        self.crowd.learn(&seen.crowd, &parameters.crowd, seen.time);
        self.telemetry.learn(&seen.telemetry, &parameters.telemetry, seen.time);
        learned
    }
}

/// A session compared with what is known of the worker.
#[derive(Debug, Clone)]
pub struct Compared {
    /// What was measured and found.
    pub features: Features,
    /// How far each family was heard.
    pub coverage: [Coverage; Family::COUNT],
    /// Belief in each UTC offset given the rhythm up to and including this event: minutes east, probability.
    pub utc_offsets: Vec<(i32, f64)>,
}

/// What other workers of the tenant have to do with a session.
#[derive(Debug, Clone, Copy, Default)]
pub struct Others<'a> {
    /// Those seen with its tokens, and those who type alike.
    pub company: crowd::Company<'a>,
    /// How they type.
    pub background: typing::Background<'a>,
}

/// Compares a session with what is known of the worker. The one road to a feature, for serving and training alike.
pub fn compare(
    seen: &Observations,
    samples: &Samples,
    known: &Profiles,
    others: &Others<'_>,
    parameters: &Parameters,
) -> Compared {
    let claim = samples.claim.as_ref();
    let mut measured = Features::default();
    let features = &mut measured;
    let (timezone, utc_offsets) =
        timezone::compare_and_locate(&seen.timezone, &known.timezone, claim, &parameters.timezone, features);
    let coverage = [
        timezone,
        typing::compare(&seen.typing, &known.typing, claim, others.background, &parameters.typing, features),
        remote_input::compare(&seen.remote_input, &known.remote_input, claim, &parameters.remote_input, features),
        network::compare(&seen.network, &known.network, claim, &parameters.network, features),
        crowd::compare(&seen.crowd, &known.crowd, claim, &others.company, &parameters.crowd, features),
        telemetry::compare(&seen.telemetry, &known.telemetry, seen.time, &parameters.telemetry, features),
    ];
    Compared { features: measured, coverage, utc_offsets }
}
