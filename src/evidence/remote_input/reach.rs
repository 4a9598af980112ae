//! Whether input comes from afar, and from how far, as it is told to people: what is heard, allowed or not.
//!
//! Findings fall silent where remote access is sanctioned; these two answers do not, since "remote, near, sanctioned" is
//! what somebody at an office's virtual desktop should read. They are told beside a verdict and never weighed.

use super::challenge;
use super::observe::{KeyObservation, Observation, PointerObservation};
use super::profile::Profile;
use super::{Parameters, compare};
use crate::event::Claim;
use crate::evidence::feature::{Features, Finding};

/// Least nats of remote control once the system itself reports a remote session: it does not err, and nobody at the
/// machine gains by feigning one (a judgement).
const REPORTED_LOG_ODDS: f64 = 5.0;

/// Nats of remote control against a hand at the machine; `None` when nothing of it was heard.
///
/// Transport as its findings have it in `features`, taken anew where they are silent; with assistive technology only
/// what the endpoint reports.
pub fn control_log_odds(
    observation: &Observation,
    features: &Features,
    claim: Option<&Claim>,
    parameters: &Parameters,
) -> Option<f64> {
    let assisted = claim.is_some_and(|claim| claim.assistive_technology);
    let pointer = features.get(Finding::RemoteInputPointer.score()).or_else(|| match &observation.pointer {
        Some(PointerObservation::Windows { motion, windows, .. }) => {
            Some(compare::pointer_log_odds(*motion, windows, parameters))
        }
        _ => None,
    });
    let keys = features.get(Finding::RemoteInputKey.score()).or_else(|| match &observation.keys {
        Some(KeyObservation::Windows { windows, .. }) => Some(compare::key_log_odds(windows, None, parameters)),
        _ => None,
    });
    let devices = observation.devices.map(|devices| devices.log_odds);
    let software = observation.software.map(|found| if assisted { found.assisted_log_odds } else { found.log_odds });
    let transport = [pointer, keys].into_iter().filter(|_| !assisted);
    let sum = transport.chain([devices, software]).flatten().reduce(|sum, nats| sum + nats);
    let reported = observation.software.is_some_and(|found| found.reported());
    if reported { Some(sum.unwrap_or(0.0).max(REPORTED_LOG_ODDS)) } else { sum }
}

/// Nats of a hand behind a long leg against one at the machine or behind a near relay, by answers to prompts; `None`
/// without answers that can be judged.
pub fn distance_log_odds(
    observation: &Observation,
    profile: &Profile,
    claim: Option<&Claim>,
    parameters: &Parameters,
) -> Option<f64> {
    let assisted = claim.is_some_and(|claim| claim.assistive_technology);
    let answers = observation.answers.as_ref().filter(|answers| answers.simple && !assisted)?;
    let past = profile.reaction_past(&parameters.reactions);
    Some(challenge::distance_log_odds(answers, past, &parameters.reactions))
}
