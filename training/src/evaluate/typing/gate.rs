//! How much a stranger's login weighs in a worker's profile, beside a worker's own.

use crate::corpus::keystroke::{KeystrokeSet, Typist};
use crate::fit::typing::phrase::real_phrase_of;
use elsewhere::evidence::typing::background::PhrasePool;
use elsewhere::evidence::typing::gate::{Lesson, PARTIAL_WEIGHT};
use elsewhere::evidence::typing::phrase::{PhraseObservation, PhraseParameters, PhraseProfile, YOUNG_COUNT};

/// Weights of logins of one worker's profile: the worker's own, and those of practised strangers.
#[derive(Debug, Clone, Default)]
pub struct Weights {
    /// Of the worker's own logins.
    pub own: Vec<f64>,
    /// Of strangers' logins.
    pub strange: Vec<f64>,
}

fn weight(lesson: Lesson) -> f64 {
    match lesson {
        Lesson::Full | Lesson::Confirmed => 1.0,
        Lesson::Partial => PARTIAL_WEIGHT,
        Lesson::Nothing => 0.0,
    }
}

/// Replays the online protocol side by side: everybody learns what the gate allows; from login `from` on every
/// `step`th login everybody else tries once. `together`: all type the phrase as workers of one tenant.
///
/// # Errors
/// A converted login that does not pass the check.
pub fn weights(
    typists: &[Typist],
    set: KeystrokeSet,
    parameters: &PhraseParameters,
    from: usize,
    step: usize,
    together: bool,
) -> Result<Vec<Weights>, String> {
    let people: Vec<Vec<PhraseObservation>> =
        typists.iter().map(|typist| real_phrase_of(typist, set)).collect::<Result<_, String>>()?;
    let mut profiles: Vec<Option<PhraseProfile>> =
        people.iter().map(|logins| logins.first().map(PhraseProfile::new)).collect();
    let mut pool = PhrasePool::default();
    let mut found = vec![Weights::default(); people.len()];
    for index in 0..people.iter().map(Vec::len).max().unwrap_or(0) {
        for person in 0..people.len() {
            let (Some(login), Some(profile)) = (people[person].get(index), &mut profiles[person]) else { continue };
            let own = profile.pooled().map(|(_, means)| means);
            let background = if together { pool.background(own) } else { None };
            let lesson = |profile: &PhraseProfile, login: &PhraseObservation| {
                let score = profile.score(login, parameters, background.as_ref())?;
                let log_odds = parameters.calibrated(&score);
                Some((profile.lesson(login, log_odds, score.background_count, parameters), log_odds))
            };
            if index >= from && index % step == 0 {
                let others = people.iter().enumerate().filter(|(other, _)| *other != person);
                let tried = others.filter_map(|(_, logins)| lesson(profile, logins.get(index)?));
                found[person].strange.extend(tried.map(|(lesson, _)| weight(lesson)));
            }
            let (allowed, log_odds) = lesson(profile, login).unwrap_or((Lesson::Full, 0.0));
            let allowed = if index < usize::from(YOUNG_COUNT) { Lesson::Full } else { allowed };
            if index >= from {
                found[person].own.push(weight(allowed));
            }
            profile.pooled().into_iter().for_each(|(_, means)| pool.remove(means));
            profile.learn_lesson(login, parameters, index as u32, allowed, log_odds);
            profile.pooled().into_iter().for_each(|(_, means)| pool.add(means));
        }
    }
    Ok(found)
}
