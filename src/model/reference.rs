//! How the features of honest sessions were distributed where a model was weighed, so that a service can say when its
//! own are not: bins by quantiles, and the population stability index between two distributions over them.
//!
//! Worked example. In training a quarter of honest sessions had no `typing.dwell_median_micros`, and of the rest a tenth
//! each lay in ten bins. A collector that stops sending dwell moves all to the bin of what is absent: the index rises
//! from 0 to 6. A population that types a little faster moves a few hundredths.
//!
//! Source of the index: Lewis, "An Introduction to Credit Scoring", 1994; there below .1 is read as no change and above
//! .25 as another population. It is the symmetrised Kullback-Leibler divergence, in nats.

use crate::evidence::feature::{FeatureId, Features};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bins of present values: deciles where values are many.
pub const BINS: usize = 10;
/// Fewest sessions with a feature for its quantiles to be told from chance.
pub const PRESENT_MIN: usize = 200;
/// Added to each bin's share so that an empty one has a logarithm: half a session among some thousand.
const SHARE_MIN: f64 = 5e-4;

/// How one feature was distributed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureReference {
    /// Upper ends of all bins but the last, rising, each once; a value on an end belongs below it. At most 9.
    pub edges: Vec<f64>,
    /// Share of sessions without the feature, then of each bin; 1 in all.
    pub shares: Vec<f64>,
}

/// How the features of honest sessions were distributed. Part of a model file; older models have none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reference {
    /// Sessions it was taken from.
    pub session_count: u64,
    /// By name of the feature; those too rarely taken have no entry.
    pub features: BTreeMap<String, FeatureReference>,
}

/// A reference by feature, ready to serve.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PreparedReference {
    features: Vec<(FeatureId, FeatureReference)>,
}

/// Bin of each feature of a reference, in its order: 0 where absent.
pub type Bins = Box<[u8]>;

/// Takes a reference from the features of sessions.
#[derive(Debug, Default)]
pub struct Gathering {
    session_count: u64,
    values: BTreeMap<&'static str, Vec<f64>>,
}

impl Gathering {
    /// Takes one session.
    pub fn take(&mut self, features: &Features) {
        self.session_count += 1;
        for (feature, value) in features.taken() {
            self.values.entry(feature.name()).or_default().push(value);
        }
    }

    /// The reference of all sessions taken.
    pub fn reference(self) -> Reference {
        let total = self.session_count as f64;
        let of_feature = |mut values: Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            let at = |part: usize| values[(values.len() * part / BINS).min(values.len() - 1)];
            let mut edges: Vec<f64> = (1..BINS).map(at).collect();
            edges.dedup();
            // The greatest value needs no end: nothing would lie beyond it.
            if edges.last() == values.last() {
                edges.pop();
            }
            let mut counts = vec![0_u64; edges.len() + 2];
            counts[0] = self.session_count - values.len() as u64;
            for value in &values {
                counts[usize::from(bin(&edges, *value))] += 1;
            }
            FeatureReference { edges, shares: counts.iter().map(|count| *count as f64 / total).collect() }
        };
        let enough = self.values.into_iter().filter(|(_, values)| values.len() >= PRESENT_MIN);
        let features = enough.map(|(name, values)| (name.to_string(), of_feature(values))).collect();
        Reference { session_count: self.session_count, features }
    }
}

fn bin(edges: &[f64], value: f64) -> u8 {
    // INVARIANT: at most `BINS` bins.
    1 + edges.partition_point(|edge| *edge < value) as u8
}

impl Reference {
    /// Resolves names and checks numbers.
    ///
    /// # Errors
    /// Says which entry names no feature of this schema or holds numbers that are no distribution.
    pub fn prepare(&self) -> Result<PreparedReference, String> {
        let mut features = Vec::with_capacity(self.features.len());
        for (name, reference) in &self.features {
            let Some(feature) = FeatureId::from_name(name) else {
                return Err(format!("the reference of `{name}` names no feature of this schema"));
            };
            let FeatureReference { edges, shares } = reference;
            let rising = edges.windows(2).all(|pair| pair[0] < pair[1]) && edges.iter().all(|edge| edge.is_finite());
            let whole = (shares.iter().sum::<f64>() - 1.0).abs() < 1e-6 && shares.iter().all(|share| *share >= 0.0);
            if !rising || !whole || edges.len() >= BINS || shares.len() != edges.len() + 2 {
                return Err(format!("the reference of `{name}` needs rising edges and a share for each bin, 1 in all"));
            }
            features.push((feature, reference.clone()));
        }
        Ok(PreparedReference { features })
    }
}

impl PreparedReference {
    /// Whether there is nothing to compare with.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// The bins a session's features lie in.
    pub fn bins(&self, features: &Features) -> Bins {
        let of = |(feature, reference): &(FeatureId, FeatureReference)| {
            features.get(*feature).map_or(0, |value| bin(&reference.edges, value))
        };
        self.features.iter().map(of).collect()
    }
}

/// How far one feature has moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureDrift {
    /// Its name; it begins with its family's.
    pub feature: &'static str,
    /// Stability index of the latest sessions against the honest ones of training, nats.
    pub against_training: f64,
    /// The same against this service's own earlier sessions; absent before there are enough.
    pub against_past: Option<f64>,
}

/// Half-lives of the latest and of the earlier sessions, in sessions: counts rather than days, so that a quiet weekend
/// moves nothing.
const LATEST_HALF_LIFE: f64 = 2_000.0;
const PAST_HALF_LIFE: f64 = 100_000.0;
/// Fewest sessions of the latest to be compared: below, chance alone moves the index by some hundredths.
pub const LATEST_MIN: u64 = 1_000;
/// Fewest sessions before the latest are compared with the past: until then both are the same sessions.
pub const PAST_MIN: u64 = 20_000;

/// The latest and the earlier sessions of a service, as decayed counts over the bins of a reference.
#[derive(Debug, Clone)]
pub struct Drift {
    reference: PreparedReference,
    sessions: u64,
    latest: Vec<[f64; BINS + 1]>,
    past: Vec<[f64; BINS + 1]>,
}

impl Drift {
    /// Begins with no session.
    pub fn new(reference: PreparedReference) -> Self {
        let none = vec![[0.0; BINS + 1]; reference.features.len()];
        Self { reference, sessions: 0, latest: none.clone(), past: none }
    }

    /// Sessions taken so far.
    pub fn session_count(&self) -> u64 {
        self.sessions
    }

    /// Takes the bins of one session, as [`PreparedReference::bins`] gave them.
    pub fn take(&mut self, bins: &[u8]) {
        self.sessions += 1;
        for (counts, half_life) in [(&mut self.latest, LATEST_HALF_LIFE), (&mut self.past, PAST_HALF_LIFE)] {
            let kept = (-std::f64::consts::LN_2 / half_life).exp();
            for (counts, bin) in counts.iter_mut().zip(bins) {
                counts.iter_mut().for_each(|count| *count *= kept);
                if let Some(count) = counts.get_mut(usize::from(*bin)) {
                    *count += 1.0;
                }
            }
        }
    }

    /// How far each feature has moved; empty before [`LATEST_MIN`] sessions.
    pub fn report(&self) -> Vec<FeatureDrift> {
        if self.sessions < LATEST_MIN {
            return Vec::new();
        }
        let rows = self.reference.features.iter().zip(&self.latest).zip(&self.past);
        rows.map(|(((feature, reference), latest), past)| FeatureDrift {
            feature: feature.name(),
            against_training: stability_index(latest, &reference.shares),
            against_past: (self.sessions >= PAST_MIN).then(|| stability_index(latest, past)),
        })
        .collect()
    }
}

/// Population stability index between two distributions over the same bins, given as counts or shares, nats: 0 when
/// equal.
pub fn stability_index(one: &[f64], other: &[f64]) -> f64 {
    let (sum_one, sum_other): (f64, f64) = (one.iter().sum(), other.iter().sum());
    if sum_one <= 0.0 || sum_other <= 0.0 {
        return 0.0;
    }
    let share = |count: f64, sum: f64| (count / sum).max(SHARE_MIN);
    let term = |(one, other): (&f64, &f64)| {
        let (one, other) = (share(*one, sum_one), share(*other, sum_other));
        (one - other) * (one / other).ln()
    };
    one.iter().zip(other).map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(dwell: Option<f64>) -> Features {
        let mut features = Features::default();
        if let Some(dwell) = dwell {
            features.set(FeatureId::TypingDwellMedianMicros, dwell);
        }
        features
    }

    /// Every fourth session without dwell, the rest spread evenly.
    fn usual(number: u64) -> Features {
        session((number % 4 != 0).then(|| 60_000.0 + (number * 7_919 % 60_000) as f64))
    }

    fn reference() -> Reference {
        let mut gathering = Gathering::default();
        (0..4_000).for_each(|number| gathering.take(&usual(number)));
        gathering.reference()
    }

    fn drifted(session: impl Fn(u64) -> Features) -> Drift {
        let prepared = reference().prepare().unwrap();
        let mut drift = Drift::new(prepared.clone());
        (0..3_000).for_each(|number| drift.take(&prepared.bins(&session(number))));
        drift
    }

    #[test]
    fn a_reference_holds_what_is_absent_and_tenths_of_the_rest() {
        let reference = reference();
        let dwell = &reference.features["typing.dwell_median_micros"];
        assert_eq!((dwell.edges.len(), dwell.shares.len()), (9, 11));
        assert!((dwell.shares[0] - 0.25).abs() < 1e-9);
        assert!(dwell.shares[1..].iter().all(|share| (share - 0.075).abs() < 0.005), "{:?}", dwell.shares);
        assert_eq!(reference.session_count, 4_000);
    }

    #[test]
    fn a_feature_of_one_value_has_one_bin_and_a_rare_one_no_entry() {
        let mut gathering = Gathering::default();
        for number in 0..1_000 {
            let mut features = session(Some(80_000.0));
            if number < 50 {
                features.set(FeatureId::NetworkRttMinMicros, f64::from(number));
            }
            gathering.take(&features);
        }
        let reference = gathering.reference();
        assert_eq!(reference.features.len(), 1);
        assert_eq!(reference.features["typing.dwell_median_micros"].shares, [0.0, 1.0]);
        assert!(reference.prepare().is_ok());
    }

    #[test]
    fn the_same_population_has_not_moved_and_a_silent_collector_has() {
        let same = drifted(usual).report();
        assert!(same[0].against_training < 0.02, "{same:?}");
        assert_eq!(same[0].against_past, None, "3,000 sessions have no past yet");
        let silent = drifted(|_| session(None)).report();
        assert!(silent[0].against_training > 3.0, "{silent:?}");
        let faster = drifted(|number| session((number % 4 != 0).then(|| 57_000.0 + (number * 7_919 % 60_000) as f64)));
        let moved = faster.report()[0].against_training;
        assert!((0.005..0.25).contains(&moved), "{moved}");
    }

    #[test]
    fn what_changes_at_one_service_is_seen_against_its_own_past() {
        let prepared = reference().prepare().unwrap();
        let mut drift = Drift::new(prepared.clone());
        // Always unlike training, and always the same: no news.
        let slow = |number: u64| session(Some(100_000.0 + (number * 7_919 % 60_000) as f64));
        (0..PAST_MIN).for_each(|number| drift.take(&prepared.bins(&slow(number))));
        let steady = drift.report()[0];
        assert!(steady.against_training > 0.5 && steady.against_past.unwrap() < 0.02, "{steady:?}");
        (0..3_000).for_each(|number| drift.take(&prepared.bins(&usual(number))));
        let changed = drift.report()[0];
        assert!(changed.against_past.unwrap() > 0.25, "{changed:?}");
    }

    #[test]
    fn too_few_sessions_say_nothing() {
        let prepared = reference().prepare().unwrap();
        let mut drift = Drift::new(prepared.clone());
        (1..LATEST_MIN).for_each(|number| drift.take(&prepared.bins(&usual(number))));
        assert!(drift.report().is_empty());
        drift.take(&prepared.bins(&usual(0)));
        assert_eq!(drift.report().len(), 1);
    }

    #[test]
    fn a_reference_that_is_no_distribution_is_refused_by_name() {
        let mut reference = reference();
        reference.features.get_mut("typing.dwell_median_micros").unwrap().shares[0] = 0.5;
        assert!(reference.prepare().unwrap_err().contains("typing.dwell_median_micros"));
        let odd = FeatureReference { edges: vec![], shares: vec![0.0, 1.0] };
        let reference = Reference { session_count: 1, features: BTreeMap::from([("aura.colour".into(), odd)]) };
        assert!(reference.prepare().unwrap_err().contains("aura.colour"));
    }
}
