//! How the hand reaches the machine: remote control, distance and what is declared, told apart.
//!
//! None follows from another. An office's virtual desktop is remote and near; an operator abroad on a laptop of their
//! own is local and far. What is told here repeats what findings rest on, in words; nothing here is weighed.
//!
//! Worked example: a sanctioned virtual desktop shows a relay's pointer (+4.1 nats) and answers prompts 40 ms later than
//! a hand at the machine, as near relays do (-2.0 nats for far): remote, near, sanctioned.

use crate::evidence::feature::{Features, Finding};
use serde::{Deserialize, Serialize};

/// Nats from which remote and far are told: 10 to 1. Of simulated people who answer three prompts, .006 at the machine
/// and .035 behind near relays are then told to be far (`remote_input.reach_*`, `evaluate remote-input`).
const TOLD_LOG_ODDS: f64 = 2.3;
/// Nats up to which local and near are told. What clears is bounded by what was never seen (`Doubt`), so it cannot be
/// asked for the same odds.
const CLEAR_LOG_ODDS: f64 = -1.0;

/// Whether input reaches the machine by remote control. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[repr(u8)]
pub enum RemoteControl {
    /// Not told.
    #[default]
    Unknown = 1,
    /// A hand at the machine.
    Local = 2,
    /// A relay.
    Remote = 3,
}

/// How far the hand is. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[repr(u8)]
pub enum Distance {
    /// Not told.
    #[default]
    Unknown = 1,
    /// At the machine or at the end of a near relay.
    Near = 2,
    /// Behind a long leg.
    Far = 3,
}

/// What is declared of the way to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Declared {
    /// Remote access is sanctioned.
    pub remote_access_sanctioned: bool,
    /// Assistive technology is used.
    pub assistive_technology: bool,
}

/// How the hand reaches the machine. Nats in single precision: they are told, never added up.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Reach {
    /// Whether by remote control.
    pub remote_control: RemoteControl,
    /// Nats of remote control against a hand at the machine.
    pub remote_control_log_odds: Option<f32>,
    /// How far.
    pub distance: Distance,
    /// Nats of far against near.
    pub distance_log_odds: Option<f32>,
    /// What is declared.
    pub declared: Declared,
}

impl Reach {
    /// Puts the three answers together.
    ///
    /// `control` are the nats of remote control and `hand` those of a far hand by the closed loop, both whether or not
    /// remote access is sanctioned; `features` tell of the path.
    pub fn new(control: Option<f64>, hand: Option<f64>, features: &Features, declared: Declared) -> Self {
        let remote_control = match control {
            Some(nats) if nats >= TOLD_LOG_ODDS => RemoteControl::Remote,
            Some(nats) if nats <= CLEAR_LOG_ODDS => RemoteControl::Local,
            _ => RemoteControl::Unknown,
        };
        let path = path_log_odds(features);
        let far = either(hand, path);
        let distance = match far {
            Some(nats) if nats >= TOLD_LOG_ODDS => Distance::Far,
            // A near path alone brings nobody near: the machine of a laptop farm stands where it should.
            Some(nats) if nats <= CLEAR_LOG_ODDS && hand.is_some() => Distance::Near,
            _ => Distance::Unknown,
        };
        Self {
            remote_control,
            remote_control_log_odds: control.map(|nats| nats as f32),
            distance,
            distance_log_odds: far.map(|nats| nats as f32),
            declared,
        }
    }

    /// Whether nothing was heard and nothing is declared.
    pub fn silent(&self) -> bool {
        *self == Self::default()
    }
}

/// What the path says of a machine far from its claim, nats: the strongest of three readings of the same round trips.
fn path_log_odds(features: &Features) -> Option<f64> {
    [Finding::NetworkGap, Finding::NetworkRoundTrip, Finding::NetworkBound]
        .into_iter()
        .filter_map(|finding| features.get(finding.score()))
        .max_by(f64::total_cmp)
}

/// Nats of a long leg somewhere, by two legs of which at most one is long and either may be: ln((e^a + e^b) / 2).
fn either(hand: Option<f64>, path: Option<f64>) -> Option<f64> {
    match (hand, path) {
        (Some(a), Some(b)) => {
            let most = a.max(b);
            Some(most + (((a - most).exp() + (b - most).exp()) / 2.0).ln())
        }
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SANCTIONED: Declared = Declared { remote_access_sanctioned: true, assistive_technology: false };

    fn features(gap: Option<f64>) -> Features {
        let mut features = Features::default();
        if let Some(gap) = gap {
            features.set(Finding::NetworkGap.score(), gap);
        }
        features
    }

    fn of(control: Option<f64>, hand: Option<f64>, path: Option<f64>) -> (RemoteControl, Distance) {
        let reach = Reach::new(control, hand, &features(path), Declared::default());
        (reach.remote_control, reach.distance)
    }

    #[test]
    fn control_and_distance_are_answered_apart() {
        assert_eq!(of(Some(4.1), Some(-2.0), None), (RemoteControl::Remote, Distance::Near));
        assert_eq!(of(Some(4.1), Some(5.0), None), (RemoteControl::Remote, Distance::Far));
        assert_eq!(of(Some(-2.5), Some(-2.0), None), (RemoteControl::Local, Distance::Near));
        assert_eq!(of(Some(-2.5), Some(-2.0), Some(5.6)), (RemoteControl::Local, Distance::Far));
        assert_eq!(of(None, None, None), (RemoteControl::Unknown, Distance::Unknown));
        assert_eq!(of(Some(1.0), Some(1.0), None), (RemoteControl::Unknown, Distance::Unknown));
    }

    #[test]
    fn a_near_path_alone_brings_nobody_near() {
        assert_eq!(of(None, None, Some(-1.4)).1, Distance::Unknown);
        assert_eq!(of(None, None, Some(5.0)).1, Distance::Far);
    }

    #[test]
    fn a_long_leg_anywhere_is_far() {
        // ln((e^-2 + e^5.6) / 2) = 5.6 - .69 = 4.91.
        let reach = Reach::new(None, Some(-2.0), &features(Some(5.6)), SANCTIONED);
        assert!(reach.distance_log_odds.is_some_and(|nats| (nats - 4.907).abs() < 1e-3));
        assert_eq!(reach.declared, SANCTIONED);
        // ln((e^-2 + e^-1.2) / 2) = ln(.2183) = -1.52.
        let reach = Reach::new(None, Some(-2.0), &features(Some(-1.2)), SANCTIONED);
        assert!(reach.distance_log_odds.is_some_and(|nats| (nats + 1.522).abs() < 1e-3));
    }

    #[test]
    fn what_is_declared_changes_no_answer() {
        let told = |declared| Reach::new(Some(4.0), Some(-2.0), &features(None), declared);
        let (plain, sanctioned) = (told(Declared::default()), told(SANCTIONED));
        assert_eq!(Reach { declared: SANCTIONED, ..plain }, sanctioned);
        assert!(!plain.silent() && Reach::default().silent());
        assert!(!Reach::new(None, None, &features(None), SANCTIONED).silent());
    }
}
