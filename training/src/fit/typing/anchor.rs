//! Fits how a hand drifts from its slow anchor, and how far from it a stranger's lies: by maximum likelihood.

use super::phrase::PhraseCorpus;
use elsewhere::evidence::typing::anchor::{ANCHOR_COUNT_MIN, AnchorParameters, DriftLaw, DriftTime};
use elsewhere::evidence::typing::phrase::{PhraseParameters, PhraseProfile};
use std::collections::BTreeMap;

/// Logins from the anchor at which a worker's drift is measured. Farther than 30 no set that may be fitted on goes.
const DRIFT_LOGINS_MIN: usize = 15;
/// Every how many logins.
const DRIFT_STEP: usize = 5;
/// Of the way from the anchor to a stranger's hand, what is left when the profile has been taken over: an anchor that
/// went along for a hundred logins has gone two or three tenths.
const LEFT_SHARE: f64 = 0.7;
/// Strangers per worker and login looked at.
const STRANGERS: usize = 2;
/// Most drifts of one source.
const DRIFTS_MAX: usize = 400;

/// One drift.
type Drift = Vec<DriftTime>;

/// Drifts by source: workers' of practised phrases, and those of strangers who have finished a takeover.
#[derive(Default)]
struct Drifts {
    worker: BTreeMap<String, Vec<Drift>>,
    stranger: BTreeMap<String, Vec<Drift>>,
}

impl Drifts {
    fn add(&mut self, phrase: &PhraseCorpus, parameters: &PhraseParameters) {
        let mut profiles: Vec<Option<PhraseProfile>> =
            phrase.people.iter().map(|logins| logins.first().map(PhraseProfile::new)).collect();
        let rounds = phrase.people.iter().map(Vec::len).max().unwrap_or(0);
        for index in 0..rounds {
            for (profile, logins) in profiles.iter_mut().zip(&phrase.people) {
                if let (Some(profile), Some(login)) = (profile, logins.get(index)) {
                    // All within a day, so that no anchor moves while it is looked at.
                    profile.learn(login, parameters, 0);
                }
            }
            let since = (index + 1).checked_sub(usize::from(ANCHOR_COUNT_MIN));
            let Some(since) = since.filter(|since| since % DRIFT_STEP == 0) else { continue };
            for (person, profile) in profiles.iter().enumerate() {
                let (Some(profile), Some(login)) = (profile, phrase.people[person].get(index)) else { continue };
                if phrase.practised && since >= DRIFT_LOGINS_MIN {
                    let drift = profile.drift(login, parameters).map(Iterator::collect);
                    self.worker.entry(phrase.name.clone()).or_default().extend(drift);
                }
                for step in 1..=STRANGERS {
                    let other = (person + step * (1 + index % 7)) % profiles.len();
                    let there = other != person && phrase.people[other].len() > index;
                    let stranger = profiles[other].as_ref().filter(|_| there);
                    let drift = stranger.and_then(|other| profile.drift_of(other, LEFT_SHARE, login, parameters));
                    self.stranger.entry(phrase.name.clone()).or_default().extend(drift.map(Iterator::collect));
                }
            }
        }
    }
}

/// Mean over sources of the mean log-density of their drifts.
fn log_likelihood(sources: &BTreeMap<String, Vec<Drift>>, law: &DriftLaw, own: bool) -> f64 {
    let mut means = Vec::new();
    for drifts in sources.values().filter(|drifts| !drifts.is_empty()) {
        let step = drifts.len().div_ceil(DRIFTS_MAX).max(1);
        let densities: Vec<f64> =
            drifts.iter().step_by(step).map(|drift| law.log_density(drift.iter().copied(), own)).collect();
        means.extend(crate::metrics::mean(&densities));
    }
    crate::metrics::mean(&means).unwrap_or(f64::NEG_INFINITY)
}

/// Most degrees of freedom: beyond, a Student-t is a Gaussian.
const FREEDOM_MAX: f64 = 60.0;

/// The law that explains drifts best: a search along the logarithm of each number in turn, by halving steps.
fn fit_law(sources: &BTreeMap<String, Vec<Drift>>, own: bool) -> DriftLaw {
    let law = |numbers: &[f64; 5]| DriftLaw {
        common: [numbers[0].exp(), numbers[1].exp()],
        rest: [numbers[2].exp(), numbers[3].exp()],
        freedom: numbers[4].exp().min(FREEDOM_MAX),
    };
    let rest: f64 = if own { -1.5 } else { -3.5 };
    let mut numbers = [-4.5, -3.5, rest, rest, 2.0];
    let mut best = log_likelihood(sources, &law(&numbers), own);
    let mut step = 1.0;
    while step > 0.01 {
        let before = best;
        for index in 0..numbers.len() {
            for change in [step, -step] {
                let mut tried = numbers;
                tried[index] += change;
                let found = log_likelihood(sources, &law(&tried), own);
                if found > best {
                    (numbers, best) = (tried, found);
                }
            }
        }
        if best <= before {
            step /= 2.0;
        }
    }
    law(&numbers)
}

/// Fits the anchor; `None` where no practised phrase is typed often enough.
pub(crate) fn fit_anchor(corpora: &[PhraseCorpus], parameters: &PhraseParameters) -> Option<AnchorParameters> {
    let mut drifts = Drifts::default();
    corpora.iter().for_each(|phrase| drifts.add(phrase, parameters));
    let any = |sources: &BTreeMap<String, Vec<Drift>>| sources.values().any(|drifts| !drifts.is_empty());
    (any(&drifts.worker) && any(&drifts.stranger))
        .then(|| AnchorParameters { worker: fit_law(&drifts.worker, true), stranger: fit_law(&drifts.stranger, false) })
}
