//! Digests against the worker's earlier ones; silence against an earlier voice.

use super::{Observation, Parameters, Profile};
use crate::event::EventTime;
use crate::evidence::feature::{Baseline, Coverage, CoverageStatus, FeatureId, Features};

/// Within this span an equal sample is a client's retry or a second reporter, microseconds: a quarter of an hour.
const RETRY_MICROS: i64 = 15 * 60 * 1_000_000;

/// Compares an event's samples with the worker's earlier ones.
///
/// - `telemetry.replay`: a sample equal to an earlier one, at least a quarter of an hour old; or a phrase far nearer to an
///   earlier one than phrases of this worker lie from each other.
/// - `telemetry.silent`: a collector that spoke at least `voice_count_min` times is silent for more than
///   `silence_grace_count` events.
pub fn compare(
    observation: &Observation,
    profile: &Profile,
    time: EventTime,
    parameters: &Parameters,
    features: &mut Features,
) -> Coverage {
    let old =
        |digest: &&u64| profile.first_seen(**digest).is_some_and(|seen| time.micros_since(seen).abs() > RETRY_MICROS);
    let equal = observation.digests.iter().filter(old).count();
    let before = EventTime(time.0.saturating_sub(RETRY_MICROS));
    let sketch = observation.sketch.as_ref().filter(|_| parameters.near_replay_rate > 0.0);
    let nearness = sketch.and_then(|sketch| profile.nearness(sketch, before));
    if let Some(nearness) = nearness {
        let feature = FeatureId::TelemetryNearestSampleRate;
        features.set_beside(feature, nearness, Some(parameters.near_replay_rate), None, Baseline::Worker);
    }
    let near = nearness.is_some_and(|nearness| nearness < parameters.near_replay_rate);
    // What is equal is also near.
    let repeated = equal.max(usize::from(near));
    if !observation.digests.is_empty() {
        let count = FeatureId::TelemetryRepeatedSampleCount;
        features.set_beside(count, repeated as f64, Some(0.0), Some(0.0), Baseline::Worker);
    }
    if equal > 0 {
        let score = parameters.replay_weight * (1.0 + (equal as f64).ln() / 2.0);
        features.set(FeatureId::TelemetryReplayLogOdds, score);
    } else if near {
        features.set(FeatureId::TelemetryReplayLogOdds, parameters.near_replay_weight);
    }
    let silent = if observation.spoke { 0 } else { profile.silent_count.saturating_add(1) };
    if profile.voice_count >= parameters.voice_count_min && silent > parameters.silence_grace_count {
        let count = FeatureId::TelemetrySilentEventCount;
        let grace = f64::from(parameters.silence_grace_count);
        features.set_beside(count, f64::from(silent), Some(0.0), Some(grace), Baseline::Worker);
        let score = parameters.silence_weight * (f64::from(silent) - grace);
        features.set(FeatureId::TelemetrySilentLogOdds, score.min(parameters.silence_max));
    }
    let sample_count = u32::try_from(observation.digests.len()).unwrap_or(u32::MAX);
    let status = match (observation.spoke || profile.voice_count > 0, observation.digests.is_empty()) {
        (false, _) => CoverageStatus::Absent,
        (true, true) => CoverageStatus::TooShort,
        (true, false) => CoverageStatus::Used,
    };
    Coverage { status, sample_count }
}

/// Whether the profile may learn: always, since a digest that is not kept could not be recognised later.
pub fn accepts(_: &Observation, _: &Features, _: &Profile, _: &Parameters) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn replay_score(gap_micros: i64) -> Option<f64> {
        let parameters = Parameters::prior();
        let observation = Observation { digests: vec![42], sketch: None, spoke: true };
        let mut profile = Profile::default();
        profile.learn(&observation, &parameters, EventTime(20_000 * DAY));
        let mut features = Features::default();
        compare(&observation, &profile, EventTime(20_000 * DAY + gap_micros), &parameters, &mut features);
        features.get(FeatureId::TelemetryReplayLogOdds)
    }

    #[test]
    fn a_sample_of_last_week_is_a_replay_and_of_last_minute_a_retry() {
        assert_eq!(replay_score(7 * DAY), Some(4.0));
        assert_eq!(replay_score(60_000_000), None);
    }

    #[test]
    fn a_phrase_near_an_earlier_one_is_a_replay_and_models_of_before_do_not_ask() {
        use super::super::sketch::of_words;
        let score = |parameters: &Parameters, sketch: u64, minutes: i64| {
            let mut profile = Profile::default();
            for number in 1..=10_u64 {
                // Far from each other: each has its own two sums far out.
                let earlier =
                    Observation { sketch: Some(of_words(100 << (6 * number), 7 << 32)), ..Observation::default() };
                profile.learn(&earlier, parameters, EventTime(20_000 * DAY));
            }
            let today = Observation { sketch: Some(of_words(sketch, 7 << 32)), spoke: true, ..Observation::default() };
            let mut features = Features::default();
            compare(&today, &profile, EventTime(20_000 * DAY + minutes * 60_000_000), parameters, &mut features);
            (features.get(FeatureId::TelemetryReplayLogOdds), features.get(FeatureId::TelemetryRepeatedSampleCount))
        };
        let (fitted, day) = (Parameters::prior(), 1_440);
        assert_eq!(score(&fitted, (100 << 24) + 1, day).0, Some(3.0));
        assert_eq!(score(&fitted, 100 << 3, day).0, None);
        assert_eq!(score(&fitted, (100 << 24) + 1, 5).0, None, "within a quarter of an hour it is a retry");
        let before = Parameters { near_replay_rate: 0.0, ..fitted };
        assert_eq!(score(&before, (100 << 24) + 1, day).0, None);
    }

    #[test]
    fn only_a_collector_that_spoke_can_fall_silent() {
        let parameters = Parameters::prior();
        let score = |voices: u32, silences: u32| {
            let mut profile = Profile::default();
            for _ in 0..voices {
                profile.learn(&Observation { digests: vec![], sketch: None, spoke: true }, &parameters, EventTime(0));
            }
            for _ in 0..silences {
                profile.learn(&Observation::default(), &parameters, EventTime(0));
            }
            let mut features = Features::default();
            compare(&Observation::default(), &profile, EventTime(0), &parameters, &mut features);
            features.get(FeatureId::TelemetrySilentLogOdds)
        };
        assert_eq!(score(0, 30), None);
        assert_eq!(score(10, 2), None);
        // The sixth silent event is three beyond the grace of three: 3 * .25.
        assert_eq!(score(10, 5), Some(0.75));
        assert_eq!(score(10, 40), Some(1.5));
    }
}
