//! Fits how the times of one login go together.

use super::gate::{Company, live};
use super::phrase::PhraseCorpus;
use elsewhere::evidence::typing::accord::{Accord, Accords, SHARE_MAX};
use elsewhere::evidence::typing::phrase::PhraseParameters;
use std::collections::BTreeMap;

/// Logins behind a profile before its deviations count.
const SETTLED_COUNT: u32 = 8;

/// Mean product of two deviations of one login, over their mean square.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    product: f64,
    square: f64,
}

impl Moments {
    fn add(&mut self, deviations: &[f64]) {
        let count = deviations.len() as f64;
        if count < 2.0 {
            return;
        }
        let sum: f64 = deviations.iter().sum();
        let squares: f64 = deviations.iter().map(|deviation| deviation * deviation).sum();
        self.product += (sum * sum - squares) / (count * (count - 1.0));
        self.square += squares / count;
    }

    fn share(&self) -> Option<f64> {
        (self.square > 0.0).then(|| (self.product / self.square).clamp(0.0, SHARE_MAX))
    }
}

/// Shares by moments, every source of phrases weighing the same. A worker's own are taken from practised phrases alone:
/// a pseudo-phrase is made of pieces typed at different times.
pub(crate) fn fit_accords(corpora: &[PhraseCorpus], parameters: &PhraseParameters) -> Accords {
    // By name: worker and stranger, of dwells and of press intervals.
    let mut found: BTreeMap<&str, ([[Moments; 2]; 2], bool)> = BTreeMap::new();
    for phrase in corpora {
        let (moments, practised) = found.entry(phrase.name.as_str()).or_default();
        *practised = phrase.practised;
        live(phrase, parameters, Company::Alone, &mut |tried| {
            let presses = tried.profile.kept_presses();
            if u32::from(tried.profile.count) < SETTLED_COUNT || !tried.profile.lines_up(tried.login) {
                return;
            }
            let non_mated = tried.stranger.is_some();
            for (kind, range) in [0..presses, presses..tried.login.times.len()].into_iter().enumerate() {
                let of = |index| tried.profile.deviations(tried.login, index, parameters, tried.background);
                let deviations: Vec<f64> = range
                    .filter_map(of)
                    .map(|(own, strange)| if non_mated { strange.standardized() } else { own.standardized() })
                    .collect();
                moments[kind][usize::from(non_mated)].add(&deviations);
            }
        });
    }
    let mean = |kind: usize, stranger: bool| {
        let chosen = found.values().filter(|(_, practised)| stranger || *practised);
        let shares: Vec<f64> = chosen.filter_map(|(moments, _)| moments[kind][usize::from(stranger)].share()).collect();
        crate::metrics::mean(&shares).unwrap_or(0.0)
    };
    let accord = |kind| Accord { worker: mean(kind, false), stranger: mean(kind, true) };
    Accords { dwell: accord(0), press_interval: accord(1) }
}
