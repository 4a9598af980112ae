//! Replays phrases as they are lived, people alone or together, and fits what a login may teach.

use super::phrase::PhraseCorpus;
use elsewhere::evidence::typing::background::{PhraseBackground, PhrasePool};
use elsewhere::evidence::typing::gate::Gate;
use elsewhere::evidence::typing::phrase::{
    PhraseObservation, PhraseParameters, PhraseProfile, PhraseScore, YOUNG_COUNT,
};

/// A comparison with its truth.
pub(crate) struct Trial {
    /// How the login compared.
    pub score: PhraseScore,
    /// Whether it was a stranger's.
    pub non_mated: bool,
}

/// Whether the people of a corpus know of each other, as workers of one tenant do who type the same phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    /// Nobody else types the phrase.
    Alone,
    /// Everybody does.
    Together,
}

/// People who live through their logins side by side, learning from each.
struct Replay<'a> {
    phrase: &'a PhraseCorpus,
    parameters: &'a PhraseParameters,
    company: Company,
    profiles: Vec<Option<PhraseProfile>>,
    pool: PhrasePool,
}

impl<'a> Replay<'a> {
    fn new(phrase: &'a PhraseCorpus, parameters: &'a PhraseParameters, company: Company) -> Self {
        let profiles = phrase.people.iter().map(|logins| logins.first().map(PhraseProfile::new)).collect();
        Self { phrase, parameters, company, profiles, pool: PhrasePool::default() }
    }

    fn rounds(&self) -> usize {
        self.phrase.people.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// How the others type the phrase of `person`, whose profile tries by strangers are compared with.
    fn background(&self, person: usize) -> Option<PhraseBackground> {
        let own = self.profiles[person].as_ref().and_then(PhraseProfile::pooled).map(|(_, means)| means);
        if self.company == Company::Together { self.pool.background(own) } else { None }
    }

    fn score(
        &self,
        person: usize,
        login: &PhraseObservation,
        background: Option<&PhraseBackground>,
    ) -> Option<PhraseScore> {
        self.profiles[person].as_ref()?.score(login, self.parameters, background)
    }

    fn learn(&mut self, person: usize, login: &PhraseObservation, day: usize) {
        let Some(profile) = &mut self.profiles[person] else { return };
        profile.pooled().into_iter().for_each(|(_, means)| self.pool.remove(means));
        profile.learn(login, self.parameters, day as u32);
        profile.pooled().into_iter().for_each(|(_, means)| self.pool.add(means));
    }
}

/// Somebody's login on a worker's profile.
pub(crate) struct Try<'a> {
    /// Whose profile, among the people of the phrase.
    pub person: usize,
    /// Whose login; absent when it is the worker's own.
    pub stranger: Option<usize>,
    /// What is known of the worker before the login.
    pub profile: &'a PhraseProfile,
    /// The login.
    pub login: &'a PhraseObservation,
    /// How others type the phrase.
    pub background: Option<&'a PhraseBackground>,
}

/// Replays a phrase as it is lived: every login is tried, then learned; at every login two others try with the same
/// number of logins behind them.
pub(crate) fn live(
    phrase: &PhraseCorpus,
    parameters: &PhraseParameters,
    company: Company,
    tried: &mut dyn FnMut(&Try<'_>),
) {
    let mut replay = Replay::new(phrase, parameters, company);
    for index in 0..replay.rounds() {
        for (person, logins) in phrase.people.iter().enumerate() {
            let Some(login) = logins.get(index) else { continue };
            let background = replay.background(person);
            let background = background.as_ref();
            if let Some(profile) = &replay.profiles[person] {
                tried(&Try { person, stranger: None, profile, login, background });
                for step in 1..=2 {
                    let other = (person + step * (1 + index % 7)) % phrase.people.len();
                    let others = &phrase.people[other];
                    if other != person
                        && let Some(login) = others.get(index.min(others.len().saturating_sub(1)))
                    {
                        tried(&Try { person, stranger: Some(other), profile, login, background });
                    }
                }
            }
            replay.learn(person, login, index);
        }
    }
}

/// The comparisons of [`live`].
pub(crate) fn trials(phrase: &PhraseCorpus, parameters: &PhraseParameters, company: Company) -> Vec<Trial> {
    let mut trials = Vec::new();
    live(phrase, parameters, company, &mut |tried| {
        let score = tried.profile.score(tried.login, parameters, tried.background);
        trials.extend(score.map(|score| Trial { score, non_mated: tried.stranger.is_some() }));
    });
    trials
}

/// Every how many rounds strangers try a settled profile when gates are fitted.
const GATE_ROUNDS: usize = 3;

/// Calibrated scores of strangers against settled profiles, everybody against everybody: single logins, and means of
/// two logins in a row.
fn strangers(phrase: &PhraseCorpus, parameters: &PhraseParameters, company: Company) -> (Vec<f64>, Vec<f64>) {
    let (mut single, mut pairs) = (Vec::new(), Vec::new());
    let mut replay = Replay::new(phrase, parameters, company);
    for index in 0..replay.rounds() {
        for person in 0..phrase.people.len() {
            let Some(own) = phrase.people[person].get(index) else { continue };
            if index >= usize::from(YOUNG_COUNT) && index % GATE_ROUNDS == 0 {
                let background = replay.background(person);
                for (_, logins) in phrase.people.iter().enumerate().filter(|(other, _)| *other != person) {
                    let score = |at: usize| {
                        let score = replay.score(person, logins.get(at)?, background.as_ref())?;
                        Some(parameters.calibrated(&score))
                    };
                    let first = score(index);
                    single.extend(first);
                    pairs.extend(first.zip(score(index + 1)).map(|(first, second)| (first + second) / 2.0));
                }
            }
            replay.learn(person, own, index);
        }
    }
    (single, pairs)
}

/// Shares of strangers' logins, or pairs of logins, under the parts of a gate: see `PARTIAL_WEIGHT`.
const GATE_SHARES: (f64, f64, f64) = (0.005, 0.05, 0.01);
/// Scores per phrase that enter a gate, so that no phrase drowns another.
const GATE_SCORES: usize = 3_000;

/// Fits a gate on phrases of many people: a hundredth of strangers is not to be seen among forty, whose pairs are few
/// and alike.
pub(crate) fn fit_gate(phrases: &[PhraseCorpus], parameters: &PhraseParameters, company: Company) -> Gate {
    let (mut single, mut pairs) = (Vec::new(), Vec::new());
    for phrase in phrases {
        let found = strangers(phrase, parameters, company);
        for (scores, all) in [(found.0, &mut single), (found.1, &mut pairs)] {
            let step = scores.len().div_ceil(GATE_SCORES).max(1);
            all.extend(scores.into_iter().step_by(step));
        }
    }
    let at = |scores: &mut Vec<f64>, share: f64| {
        scores.sort_unstable_by(f64::total_cmp);
        elsewhere::evidence::quantile::quantile_of_sorted(scores, share)
    };
    let (full, partial, pair) = GATE_SHARES;
    Gate { full: at(&mut single, full), partial: at(&mut single, partial), pair: at(&mut pairs, pair) }
}
