//! Measurements against the population, the worker's own past and the claim: findings.
//!
//! - `pointer`, `key`: passive transport. Fall silent where remote access is sanctioned.
//! - `loop`: answers to prompts, and by a fraction of a nat the loops of ordinary work; on a sanctioned path only what
//!   goes beyond a near relay counts.
//! - `delay`: spread of event delays; weak, since a client's own network spreads them too.
//! - `device`, `software`: facts of the endpoint; weak, silent where sanctioned.
//! - `machine`: jigglers; weak.
//!
//! With assistive technology pointer, keys and loop abstain: switches, dwell clickers and screen readers time input in
//! ways no population here covers. They inject input through devices of their own, so of `software` only programs and
//! remote sessions count, and a machine's regularity does not.

use super::challenge;
use super::forest::{Forest, soft_limit};
use super::observe::{KeyObservation, Observation, PointerObservation};
use super::profile::Profile;
use super::windows::{self, combined};
use super::{Parameters, habits, keys, machine, pointer};
use crate::event::Claim;
use crate::evidence::feature::{Baseline, Coverage, CoverageStatus, FeatureId, Features, Finding};

/// Weight of a lost comb against the same worker's own past, nats, when that always had a full one.
const OWN_COMB_LOG_ODDS: f64 = 1.0;
/// Sessions of the worker's own past before a comb is expected of it.
const OWN_COMB_SESSIONS_MIN: f32 = 5.0;
/// Spread of event delays that a client's own network gives every other day, microseconds.
const DELAY_SPREAD_USUAL_MICROS: f64 = 15_000.0;
/// Most nats of event delays: they travel the client's network too, which is not input's path.
const DELAY_LOG_ODDS_MAX: f64 = 0.6;
/// Score above which a session does not teach this family.
const ACCEPT_LOG_ODDS_MAX: f64 = 0.5;

/// Writes findings and the measurements behind them.
pub fn compare(
    observation: &Observation,
    profile: &Profile,
    claim: Option<&Claim>,
    parameters: &Parameters,
    features: &mut Features,
) -> Coverage {
    let sanctioned = claim.is_some_and(|claim| claim.remote_access_sanctioned);
    let assisted = claim.is_some_and(|claim| claim.assistive_technology);
    let mut heard = Heard::default();
    compare_pointer(observation, profile, sanctioned || assisted, parameters, features, &mut heard);
    compare_keys(observation, profile, sanctioned || assisted, parameters, features, &mut heard);
    compare_loop(observation, profile, sanctioned, assisted, parameters, features, &mut heard);
    compare_delays(observation, profile, sanctioned, features, &mut heard);
    compare_endpoint(observation, sanctioned, assisted, features, &mut heard);
    if let Some(regularity) = observation.regularity {
        features.set(FeatureId::RemoteInputMachineRegularityRate, regularity);
        if let Some(score) = machine::log_odds(regularity).filter(|_| !assisted) {
            features.set(Finding::RemoteInputMachine.score(), score);
            heard.used += 1;
        }
    }
    heard.coverage()
}

/// What took part and what could not.
#[derive(Default)]
struct Heard {
    used: u32,
    samples: u32,
    abstained: u32,
    too_coarse: u32,
    too_short: u32,
}

impl Heard {
    fn coverage(&self) -> Coverage {
        let status = match self {
            Heard { used: 1.., too_coarse: 1.., .. } => CoverageStatus::TooCoarse,
            Heard { used: 1.., .. } => CoverageStatus::Used,
            Heard { abstained: 1.., .. } => CoverageStatus::Abstained,
            Heard { too_coarse: 1.., .. } => CoverageStatus::TooCoarse,
            Heard { too_short: 1.., .. } => CoverageStatus::TooShort,
            _ => CoverageStatus::Absent,
        };
        Coverage { status, sample_count: self.samples }
    }
}

/// Log-likelihood ratio of pointer transport over all windows of one event, nats.
pub fn pointer_log_odds(motion: pointer::Motion, windows: &[pointer::Window], parameters: &Parameters) -> f64 {
    let forest = pointer_forest(motion, parameters);
    windows::throughout(windows.iter().map(|window| forest.log_odds(&window.measurements)), &parameters.pointer_doubt)
}

/// The forest that reads such motion.
pub fn pointer_forest(motion: pointer::Motion, parameters: &Parameters) -> &Forest {
    match motion {
        pointer::Motion::Raw => &parameters.pointer_raw,
        pointer::Motion::Coalesced => &parameters.pointer_coalesced,
        pointer::Motion::Cadence => &parameters.pointer_cadence,
    }
}

/// Log-likelihood ratio of key transport over all windows of a session, nats. `own_comb` is the comb that the worker's
/// own past leads one to expect.
pub fn key_log_odds(windows: &[keys::Window], own_comb: Option<f64>, parameters: &Parameters) -> f64 {
    let mut sum = 0.0;
    for window in windows {
        let auto_released = window.dwell_millis[1] < keys::AUTO_RELEASE_P90_MILLIS;
        let passive = parameters.keys.log_odds(&window.measurements);
        let lost = 1.0 - (window.comb / parameters.comb_present).min(1.0);
        // INVARIANT: never below 0, a comb that is present clears nobody.
        let population = comb_log_odds(window.comb, lost, parameters);
        let own = lost * own_comb.map_or(0.0, |comb| OWN_COMB_LOG_ODDS * comb);
        let released = if auto_released { parameters.auto_release_log_odds } else { 0.0 };
        // Fewer presses than a full window, less to say.
        let full = (window.dwell_count as f64 / keys::WINDOW_PRESSES as f64).min(1.0);
        let (intercept, slope) = parameters.key_line;
        sum += (intercept + slope * (passive + population) + own) * full.sqrt() + released;
    }
    parameters.key_doubt.temper(combined(sum, windows.len() as f64))
}

/// Nats of a comb of this strength (`lost`: how far it is from being present, in \[0, 1\]) by the prior of keyboards: at
/// least 0, and 0 for a comb that is whole.
pub fn comb_log_odds(comb: f64, lost: f64, parameters: &Parameters) -> f64 {
    let knots = &parameters.comb_log_odds;
    if knots.len() < 2 {
        return lost * parameters.comb_lost_log_odds;
    }
    let at = comb.clamp(0.0, 1.0) * (knots.len() - 1) as f64;
    let below = (at as usize).min(knots.len() - 2);
    knots[below] + (at - below as f64) * (knots[below + 1] - knots[below])
}

fn compare_pointer(
    observation: &Observation,
    profile: &Profile,
    silent: bool,
    parameters: &Parameters,
    features: &mut Features,
    heard: &mut Heard,
) {
    let (motion, windows, move_count) = match &observation.pointer {
        None => return,
        Some(PointerObservation::TooShort(count)) => {
            heard.too_short += 1;
            features.set(FeatureId::RemoteInputPointerMoveCount, f64::from(*count));
            return;
        }
        Some(PointerObservation::TooCoarse(count)) => {
            heard.too_coarse += 1;
            features.set(FeatureId::RemoteInputPointerMoveCount, f64::from(*count));
            return;
        }
        Some(PointerObservation::Windows { motion, windows, move_count }) => (*motion, windows, *move_count),
    };
    features.set(FeatureId::RemoteInputPointerMoveCount, f64::from(move_count));
    let shown: Vec<pointer::Shown> = windows.iter().map(|window| window.shown).collect();
    describe_pointer(&shown, profile, parameters, features);
    heard.samples += move_count;
    if silent {
        heard.abstained += 1;
        return;
    }
    heard.used += 1;
    features.set(Finding::RemoteInputPointer.score(), pointer_log_odds(motion, windows, parameters));
}

/// Writes what these windows measured, on average, beside what is usual of the worker or of the population. Called with at
/// least one window.
pub fn describe_pointer(
    windows: &[pointer::Shown],
    profile: &Profile,
    parameters: &Parameters,
    features: &mut Features,
) {
    let n = windows.len() as f64;
    let mean = |of: &dyn Fn(&pointer::Shown) -> f64| windows.iter().map(of).sum::<f64>() / n;
    let usual = &parameters.usual;
    features.set(FeatureId::RemoteInputPointerGapP05Micros, mean(&|window| window.gap_millis[0]) * 1e3);
    let median = mean(&|window| window.gap_millis[1]);
    if profile.pointer_gap.weight >= 5.0 {
        let (centre, spread) = (f64::from(profile.pointer_gap.mean), profile.pointer_gap.variance(0.01).sqrt());
        let micros = |z: f64| ((centre + z * spread).exp() - 1.0).max(0.0) * 1e3;
        let (low, high) = (micros(-1.645), micros(1.645));
        features.set_beside(
            FeatureId::RemoteInputPointerGapMedianMicros,
            median * 1e3,
            Some(low),
            Some(high),
            Baseline::Worker,
        );
    } else {
        let (low, high) = usual.pointer_gap_median_micros;
        features.set_beside(
            FeatureId::RemoteInputPointerGapMedianMicros,
            median * 1e3,
            Some(low),
            Some(high),
            Baseline::Population,
        );
    }
    features.set(FeatureId::RemoteInputPointerGapP95Micros, mean(&|window| window.gap_millis[2]) * 1e3);
    let (low, high) = usual.pointer_burst_rate;
    let burst_rate = mean(&|window| window.burst_rate);
    features.set_beside(
        FeatureId::RemoteInputPointerBurstRate,
        burst_rate,
        Some(low),
        Some(high),
        Baseline::Population,
    );
    if windows[0].step_p95.is_some() {
        features.set(FeatureId::RemoteInputPointerStepP95, mean(&|window| window.step_p95.unwrap_or(0.0)));
    }
}

fn compare_keys(
    observation: &Observation,
    profile: &Profile,
    silent: bool,
    parameters: &Parameters,
    features: &mut Features,
    heard: &mut Heard,
) {
    let (windows, press_count) = match &observation.keys {
        None => return,
        Some(KeyObservation::TooShort(_)) => {
            heard.too_short += 1;
            return;
        }
        Some(KeyObservation::TooCoarse(_)) => {
            heard.too_coarse += 1;
            return;
        }
        Some(KeyObservation::Windows { windows, press_count }) => (windows, *press_count),
    };
    let n = windows.len() as f64;
    let mean = |of: &dyn Fn(&keys::Window) -> f64| windows.iter().map(of).sum::<f64>() / n;
    let usual = &parameters.usual;
    let mut beside = |feature, value, (low, high)| {
        features.set_beside(feature, value, Some(low), Some(high), Baseline::Population);
    };
    beside(FeatureId::RemoteInputDwellP10Micros, mean(&|window| window.dwell_millis[0]) * 1e3, usual.dwell_p10_micros);
    beside(FeatureId::RemoteInputDwellP90Micros, mean(&|window| window.dwell_millis[1]) * 1e3, usual.dwell_p90_micros);
    beside(FeatureId::RemoteInputDwellShortRate, mean(&|window| window.short_rate), usual.dwell_short_rate);
    beside(FeatureId::RemoteInputPressBurstRate, mean(&|window| window.press_burst_rate), usual.press_burst_rate);
    let own_comb = (profile.comb.weight >= OWN_COMB_SESSIONS_MIN)
        .then(|| (f64::from(profile.comb.mean) / parameters.comb_present).clamp(0.0, 1.0));
    let comb = mean(&|window| window.comb);
    match own_comb {
        Some(_) => {
            let (centre, spread) = (f64::from(profile.comb.mean), profile.comb.variance(0.0025).sqrt());
            let (low, high) = ((centre - 1.645 * spread).max(0.0), (centre + 1.645 * spread).min(1.0));
            features.set_beside(FeatureId::RemoteInputCombStrength, comb, Some(low), Some(high), Baseline::Worker);
        }
        None => features.set_beside(
            FeatureId::RemoteInputCombStrength,
            comb,
            Some(parameters.comb_present),
            None,
            Baseline::Population,
        ),
    }
    heard.samples += press_count;
    if silent {
        heard.abstained += 1;
        return;
    }
    heard.used += 1;
    features.set(Finding::RemoteInputKey.score(), key_log_odds(windows, own_comb, parameters));
}

fn compare_loop(
    observation: &Observation,
    profile: &Profile,
    sanctioned: bool,
    assisted: bool,
    parameters: &Parameters,
    features: &mut Features,
    heard: &mut Heard,
) {
    let reactions = &parameters.reactions;
    if let Some(habits) = observation.habits {
        let mut put = |feature, found: Option<(f64, u32)>| {
            if let Some((millis, count)) = found {
                features.set(feature, millis * 1e3);
                heard.samples += count;
            }
        };
        put(FeatureId::RemoteInputNaturalLoopMedianMicros, habits.natural);
        put(FeatureId::RemoteInputCorrectionMedianMicros, habits.correction);
        // What a sanctioned path adds to ordinary work was never measured.
        if sanctioned || assisted {
            heard.abstained += 1;
        } else {
            heard.used += 1;
            features.set(Finding::RemoteInputHabits.score(), habits::log_odds(&habits, reactions));
        }
    }
    let Some(answers) = &observation.answers else {
        heard.too_short += u32::from(observation.prompt_count > 0);
        return;
    };
    let past = profile.reaction_past(reactions);
    let (location, spread) = challenge::expected_location(past, reactions);
    // The median of an answer lies beyond its location by the middle of the trial's own noise, and by the display.
    let middle = location + parameters.usual.reaction_noise_median_micros / 1e3 + answers.display_millis;
    let (low, high) = ((middle - 1.645 * spread) * 1e3, (middle + 1.645 * spread) * 1e3);
    let baseline = if past.is_some() { Baseline::Worker } else { Baseline::Population };
    if answers.simple {
        features.set_beside(
            FeatureId::RemoteInputReactionMedianMicros,
            answers.median_millis * 1e3,
            Some(low),
            Some(high),
            baseline,
        );
    } else {
        features.set(FeatureId::RemoteInputReactionMedianMicros, answers.median_millis * 1e3);
    }
    features.set(FeatureId::RemoteInputReactionP10Micros, answers.p10_millis * 1e3);
    features.set(FeatureId::RemoteInputReactionCount, answers.millis.len() as f64);
    heard.samples += answers.millis.len() as u32;
    // Clicks on a target hold the way there as well, which no population here covers.
    if assisted || !answers.simple {
        heard.abstained += 1;
        return;
    }
    heard.used += 1;
    features.set(Finding::RemoteInputLoop.score(), challenge::log_odds(answers, past, sanctioned, reactions));
}

fn compare_delays(
    observation: &Observation,
    profile: &Profile,
    sanctioned: bool,
    features: &mut Features,
    heard: &mut Heard,
) {
    let Some(delays) = observation.delays else { return };
    let past = profile.delay_spread;
    let usual = if past.weight >= 5.0 { f64::from(past.mean) } else { (1.0 + DELAY_SPREAD_USUAL_MICROS).ln() };
    let spread = if past.weight >= 5.0 { past.variance(0.25).sqrt() } else { 1.0 };
    let baseline = if past.weight >= 5.0 { Baseline::Worker } else { Baseline::Population };
    let high = (usual + 1.645 * spread).exp();
    features.set_beside(FeatureId::RemoteInputEventDelaySpreadMicros, delays.spread_micros, None, Some(high), baseline);
    heard.samples += delays.count;
    if sanctioned {
        heard.abstained += 1;
        return;
    }
    heard.used += 1;
    // Unusually even delays clear nobody: a relay in the next room is even too.
    let beyond = (((1.0 + delays.spread_micros).ln() - usual) / spread - 1.0).max(0.0);
    features.set(Finding::RemoteInputDelay.score(), soft_limit(beyond * 0.3, DELAY_LOG_ODDS_MAX));
}

fn compare_endpoint(
    observation: &Observation,
    sanctioned: bool,
    assisted: bool,
    features: &mut Features,
    heard: &mut Heard,
) {
    if let Some(devices) = observation.devices {
        features.set(FeatureId::RemoteInputKvmIdentityCount, f64::from(devices.identity_count));
        features.set(FeatureId::RemoteInputKvmStructureCount, f64::from(devices.structure_count));
        if let Some(count) = devices.display_count {
            features.set_beside(
                FeatureId::RemoteInputDisplayCount,
                f64::from(count),
                Some(1.0),
                None,
                Baseline::Population,
            );
        }
        heard.take(devices.sample_count, sanctioned);
        if !sanctioned {
            features.set(Finding::RemoteInputDevice.score(), devices.log_odds);
        }
    }
    if let Some(software) = observation.software {
        features.set(FeatureId::RemoteInputRemoteProgramCount, f64::from(software.program_count));
        if let Some(rate) = software.injected_rate {
            features.set_beside(FeatureId::RemoteInputInjectedRate, rate, None, Some(0.05), Baseline::Population);
        }
        if let Some(reported) = software.remote_session {
            features.set(FeatureId::RemoteInputRemoteSessionReported, f64::from(u8::from(reported)));
        }
        heard.take(software.sample_count, sanctioned);
        if !sanctioned {
            let score = if assisted { software.assisted_log_odds } else { software.log_odds };
            features.set(Finding::RemoteInputSoftware.score(), score);
        }
    }
}

impl Heard {
    fn take(&mut self, samples: u32, silent: bool) {
        self.samples += samples;
        if silent { self.abstained += 1 } else { self.used += 1 }
    }
}

/// Whether this session looks local enough to teach: no transport, loop or machine finding speaks for a relay.
///
/// A past learned from relayed sessions would expect their delay.
pub fn accepts(observation: &Observation, features: &Features, _profile: &Profile, _parameters: &Parameters) -> bool {
    let findings =
        [Finding::RemoteInputPointer, Finding::RemoteInputKey, Finding::RemoteInputLoop, Finding::RemoteInputMachine];
    // Loops of ordinary work say too little, and of too many things, to keep anybody from being learned.
    let local =
        findings.iter().all(|finding| features.get(finding.score()).is_none_or(|score| score <= ACCEPT_LOG_ODDS_MAX));
    // What a sanctioned path or assistive technology silenced was not judged, so it does not teach either.
    let judged = |score: Finding, measured: bool| !measured || features.get(score.score()).is_some();
    local
        && judged(Finding::RemoteInputPointer, matches!(observation.pointer, Some(PointerObservation::Windows { .. })))
        && judged(Finding::RemoteInputKey, matches!(observation.keys, Some(KeyObservation::Windows { .. })))
        && judged(Finding::RemoteInputLoop, observation.answers.as_ref().is_some_and(|answers| answers.simple))
}

/// 5 and 95 % of the round trip that the closed loop adds, microseconds; `None` without simple answers.
pub fn loop_rtt_interval(observation: &Observation, profile: &Profile, parameters: &Parameters) -> Option<(u32, u32)> {
    let answers = observation.answers.as_ref().filter(|answers| answers.simple)?;
    let past = profile.reaction_past(&parameters.reactions);
    Some(challenge::delay_interval(answers, past, &parameters.reactions))
}
