//! What a service counts, in the OpenMetrics text format.
//!
//! Labels are closed sets (levels, families, features, models), so the number of series is bounded whatever callers
//! send. Source of the format: OpenMetrics 1.0, which Prometheus and its kin read.

use crate::risk::{Advice, RiskLevel};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::AtomicU64;

/// A number as it is now.
pub type Level = Gauge<f64, AtomicU64>;

/// What the doors of the service counted, read when somebody asks.
#[derive(Debug, Clone, Default)]
pub struct Door {
    /// Sessions received, answered with a verdict, refused, and dropped without an answer.
    pub sessions: [u64; 4],
    /// Live sessions open now.
    pub live_count: u64,
    /// Seconds from a login's arrival to its answer: sum, and count by bucket. The last has no upper end.
    pub seconds_sum: f64,
    /// Upper ends of the buckets, seconds, with their counts.
    pub buckets: Vec<(f64, u64)>,
}

/// Outcomes of sessions in the order of [`Door::sessions`].
const OUTCOMES: [&str; 4] = ["received", "verdict", "refusal", "drop"];

/// Upper ends of the buckets of differences between two models, nats.
const DIFFERENCES: [f64; 12] = [-8.0, -4.0, -2.0, -1.0, -0.5, -0.1, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0];

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Given {
    level: &'static str,
    advice: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Both {
    model: String,
    level: &'static str,
    shadow_level: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Flags {
    model: String,
    flagged: &'static str,
    shadow_flagged: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct InShadow {
    model: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Loaded {
    model: String,
    sha256: String,
    role: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reloads {
    outcome: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Moved {
    family: String,
    feature: String,
    against: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MovedFamily {
    family: String,
    against: &'static str,
}

/// What another model made of a session beside the one that answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beside<'a> {
    /// Its name.
    pub model_id: &'a str,
    /// Level it would have given.
    pub level: RiskLevel,
    /// Its log-odds less those of the answering model, nats.
    pub difference: f64,
    /// Whether it would flag the worker.
    pub flagged: bool,
}

/// How far a feature has moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drifted<'a> {
    /// Its name; the family stands before the first point.
    pub feature: &'a str,
    /// `training` or `past`: what it is compared with.
    pub against: &'static str,
    /// Stability index, nats.
    pub index: f64,
}

/// Everything counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    verdicts: Family<Given, Counter>,
    flagged: Counter,
    unseen: Counter,
    shadow_levels: Family<Both, Counter>,
    shadow_flags: Family<Flags, Counter>,
    shadow_differences: Family<InShadow, Histogram>,
    loaded: Family<Loaded, Gauge>,
    reloads: Family<Reloads, Counter>,
    drift: Family<Moved, Level>,
    family_drift: Family<MovedFamily, Level>,
    drift_sessions: Level,
}

impl Metrics {
    /// Nothing counted yet. `door` is asked whenever the metrics are.
    pub fn new(door: impl Fn() -> Door + Send + Sync + 'static) -> Self {
        let mut registry = Registry::with_prefix("elsewhere");
        let differences = || Histogram::new(DIFFERENCES);
        let metrics = Self {
            verdicts: Family::default(),
            flagged: Counter::default(),
            unseen: Counter::default(),
            shadow_levels: Family::default(),
            shadow_flags: Family::default(),
            shadow_differences: Family::new_with_constructor(differences as fn() -> Histogram),
            loaded: Family::default(),
            reloads: Family::default(),
            drift: Family::default(),
            family_drift: Family::default(),
            drift_sessions: Level::default(),
            registry: Registry::default(),
        };
        registry.register_collector(Box::new(Doorway(Box::new(door))));
        registry.register("verdicts", "Verdicts given, by level and advice", metrics.verdicts.clone());
        registry.register(
            "flagged_verdicts",
            "Verdicts about workers whose standing is flagged",
            metrics.flagged.clone(),
        );
        registry.register(
            "sightings_dropped",
            "Verdicts not counted by level, drift and shadow because counting fell behind",
            metrics.unseen.clone(),
        );
        registry.register(
            "shadow_verdicts",
            "Sessions by level given and level the model in shadow would have given",
            metrics.shadow_levels.clone(),
        );
        registry.register(
            "shadow_flags",
            "Sessions by whether their worker is flagged, and would be by the model in shadow",
            metrics.shadow_flags.clone(),
        );
        registry.register(
            "shadow_log_odds_difference",
            "Log-odds of the model in shadow less those given, nats",
            metrics.shadow_differences.clone(),
        );
        registry.register("model_loaded", "1 for each model that answers or judges in shadow", metrics.loaded.clone());
        registry.register("model_reloads", "Reloads of models, by outcome", metrics.reloads.clone());
        registry.register(
            "feature_drift",
            "Population stability index of the latest sessions, against honest ones of training or this service's past",
            metrics.drift.clone(),
        );
        registry.register(
            "family_drift",
            "Largest feature_drift among a family's features",
            metrics.family_drift.clone(),
        );
        registry.register("drift_sessions", "Sessions drift has been taken from", metrics.drift_sessions.clone());
        for outcome in ["success", "failure"] {
            // There from the start, so that a first failure is a rise.
            drop(metrics.reloads.get_or_create(&Reloads { outcome }));
        }
        Self { registry, ..metrics }
    }

    /// Counts a verdict.
    pub fn verdict(&self, level: RiskLevel, advice: Advice, flagged: bool) {
        self.verdicts.get_or_create(&Given { level: name(level), advice: advice_name(advice) }).inc();
        if flagged {
            self.flagged.inc();
        }
    }

    /// Counts verdicts that could not be looked at.
    pub fn unseen(&self, count: u64) {
        self.unseen.inc_by(count);
    }

    /// Counts what another model made of the same session.
    pub fn beside(&self, given: RiskLevel, flagged: bool, beside: Beside<'_>) {
        let Beside { model_id, level, difference, flagged: shadow_flagged } = beside;
        let model = || model_id.to_string();
        self.shadow_levels.get_or_create(&Both { model: model(), level: name(given), shadow_level: name(level) }).inc();
        self.shadow_flags
            .get_or_create(&Flags { model: model(), flagged: yes(flagged), shadow_flagged: yes(shadow_flagged) })
            .inc();
        self.shadow_differences.get_or_create(&InShadow { model: model() }).observe(difference);
    }

    /// Says which models answer and which judge in shadow: name, hash in hexadecimal, role.
    pub fn models<'a>(&self, models: impl Iterator<Item = (&'a str, String, &'static str)>) {
        self.loaded.clear();
        for (model, sha256, role) in models {
            self.loaded.get_or_create(&Loaded { model: model.to_string(), sha256, role }).set(1);
        }
    }

    /// Counts a reload.
    pub fn reload(&self, success: bool) {
        self.reloads.get_or_create(&Reloads { outcome: if success { "success" } else { "failure" } }).inc();
    }

    /// Shows how far features have moved over so many sessions, in place of what was shown before.
    pub fn drift(&self, session_count: u64, drifted: &[Drifted<'_>]) {
        self.drift.clear();
        self.family_drift.clear();
        self.drift_sessions.set(session_count as f64);
        for Drifted { feature, against, index } in drifted {
            let family = feature.split('.').next().unwrap_or_default().to_string();
            let moved = Moved { family: family.clone(), feature: (*feature).to_string(), against };
            self.drift.get_or_create(&moved).set(*index);
            let whole = self.family_drift.get_or_create(&MovedFamily { family, against });
            if *index > whole.get() {
                whole.set(*index);
            }
        }
    }

    /// All of it as text.
    ///
    /// # Errors
    /// Never but for a failing formatter.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn name(level: RiskLevel) -> &'static str {
    match level {
        RiskLevel::Low => "low",
        RiskLevel::Medium => "medium",
        RiskLevel::High => "high",
    }
}

fn advice_name(advice: Advice) -> &'static str {
    match advice {
        Advice::Continue => "continue",
        Advice::StepUp => "step_up",
        Advice::Review => "review",
        Advice::Hold => "hold",
    }
}

fn yes(answer: bool) -> &'static str {
    if answer { "true" } else { "false" }
}

/// Asks the doors when the metrics are asked for.
struct Doorway(Box<dyn Fn() -> Door + Send + Sync>);

impl fmt::Debug for Doorway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Doorway")
    }
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl Collector for Doorway {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Door { sessions, live_count, seconds_sum, buckets } = (self.0)();
        let help = "Sessions by what became of them; received is the sum of the others once all are answered";
        let mut family = encoder.encode_descriptor("sessions", help, None, MetricType::Counter)?;
        for (outcome, count) in OUTCOMES.into_iter().zip(sessions) {
            let labels = Outcome { outcome };
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        let live = ConstGauge::new(i64::try_from(live_count).unwrap_or(i64::MAX));
        live.encode(encoder.encode_descriptor("live_sessions", "Live sessions open now", None, live.metric_type())?)?;
        let help = "Seconds from a login's arrival to its answer, live sessions apart";
        let mut histogram: MetricEncoder<'_> =
            encoder.encode_descriptor("login_seconds", help, None, MetricType::Histogram)?;
        let count = buckets.iter().map(|(_, count)| count).sum();
        histogram.encode_histogram::<NoLabelSet>(seconds_sum, count, &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(|| Door {
            sessions: [5, 3, 1, 1],
            live_count: 2,
            seconds_sum: 0.006,
            buckets: vec![(0.001, 2), (0.01, 1), (f64::INFINITY, 0)],
        })
    }

    #[track_caller]
    fn assert_told(text: &str, line: &str) {
        assert!(text.lines().any(|told| told == line), "no line `{line}` in:\n{text}");
    }

    #[test]
    fn doors_are_asked_when_metrics_are() {
        let text = metrics().text().unwrap();
        assert_told(&text, "elsewhere_sessions_total{outcome=\"received\"} 5");
        assert_told(&text, "elsewhere_sessions_total{outcome=\"drop\"} 1");
        assert_told(&text, "elsewhere_live_sessions 2");
        assert_told(&text, "elsewhere_login_seconds_count 3");
        assert_told(&text, "elsewhere_login_seconds_bucket{le=\"0.01\"} 3");
        assert_told(&text, "elsewhere_login_seconds_bucket{le=\"+Inf\"} 3");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn verdicts_and_disagreement_are_counted_by_level() {
        let metrics = metrics();
        metrics.verdict(RiskLevel::Low, Advice::Continue, false);
        metrics.verdict(RiskLevel::Low, Advice::Continue, false);
        let beside = Beside { model_id: "next", level: RiskLevel::High, difference: 3.7, flagged: true };
        metrics.beside(RiskLevel::Low, false, beside);
        let text = metrics.text().unwrap();
        assert_told(&text, "elsewhere_verdicts_total{level=\"low\",advice=\"continue\"} 2");
        let both = "elsewhere_shadow_verdicts_total{model=\"next\",level=\"low\",shadow_level=\"high\"} 1";
        assert_told(&text, both);
        let flags = "elsewhere_shadow_flags_total{model=\"next\",flagged=\"false\",shadow_flagged=\"true\"} 1";
        assert_told(&text, flags);
        assert_told(&text, "elsewhere_shadow_log_odds_difference_bucket{le=\"2.0\",model=\"next\"} 0");
        assert_told(&text, "elsewhere_shadow_log_odds_difference_bucket{le=\"4.0\",model=\"next\"} 1");
    }

    #[test]
    fn a_familys_drift_is_its_largest_and_replaces_what_was_shown() {
        let metrics = metrics();
        let drifted = |feature, index| Drifted { feature, against: "training", index };
        metrics.drift(2_000, &[drifted("typing.dwell_median_micros", 0.4), drifted("typing.rollover_rate", 0.1)]);
        metrics.drift(3_000, &[drifted("typing.dwell_median_micros", 0.2), drifted("typing.rollover_rate", 0.3)]);
        let text = metrics.text().unwrap();
        assert_told(&text, "elsewhere_family_drift{family=\"typing\",against=\"training\"} 0.3");
        let of_feature = "elsewhere_feature_drift{family=\"typing\",feature=\"typing.dwell_median_micros\",against=\"training\"} 0.2";
        assert_told(&text, of_feature);
        assert_told(&text, "elsewhere_drift_sessions 3000.0");
    }

    #[test]
    fn models_that_no_longer_answer_are_no_longer_shown() {
        let metrics = metrics();
        metrics.models([("one", "aa".to_string(), "default")].into_iter());
        metrics.models([("two", "bb".to_string(), "default"), ("three", "cc".to_string(), "shadow")].into_iter());
        let text = metrics.text().unwrap();
        assert!(!text.contains("model=\"one\""), "{text}");
        assert_told(&text, "elsewhere_model_loaded{model=\"three\",sha256=\"cc\",role=\"shadow\"} 1");
    }
}
