//! Fits what two workers' profiles of one phrase say of one typist, on people whose typing may ship.
//!
//! Everybody's logins are halved into two personas, early and late, so that what a hand drifts within a set is in the
//! mated pairs; strangers are everybody's early against everybody else's late persona.

use super::logistic;
use super::phrase::{PhraseCorpus, Source, phrase_corpora};
use elsewhere::evidence::quantile::quantile_of_sorted;
use elsewhere::evidence::typing::pair::{PhrasePair, PhrasePairParameters};
use elsewhere::evidence::typing::phrase::{PhraseObservation, PhraseParameters, PhraseProfile};
use std::path::Path;

/// Logins learned of each persona before a pair is compared, so that calibration holds for young and settled profiles.
const LOGINS: [usize; 3] = [3, 6, 12];

/// A profile of some logins.
pub(crate) fn learned(logins: &[PhraseObservation], parameters: &PhraseParameters) -> Option<PhraseProfile> {
    let mut profile = PhraseProfile::new(logins.first()?);
    logins.iter().for_each(|login| profile.learn(login, parameters, 0));
    Some(profile)
}

/// Everybody's early and late persona of one phrase, of `count` logins each.
pub(crate) fn personas(
    people: &[Vec<PhraseObservation>],
    count: usize,
    parameters: &PhraseParameters,
) -> Vec<(PhraseProfile, PhraseProfile)> {
    let split = |logins: &Vec<PhraseObservation>| {
        if logins.len() < 2 * count {
            return None;
        }
        let late = &logins[logins.len() / 2..];
        Some((learned(&logins[..count], parameters)?, learned(&late[..count.min(late.len())], parameters)?))
    };
    people.iter().filter_map(split).collect()
}

/// Standard deviation of deviations around 0 by their quartiles: slips and pauses must not widen it.
fn spread(mut deviations: Vec<f64>) -> f64 {
    deviations.iter_mut().for_each(|deviation| *deviation = deviation.abs());
    deviations.sort_unstable_by(f64::total_cmp);
    if deviations.is_empty() { 0.0 } else { quantile_of_sorted(&deviations, 0.5) / 0.6745 }
}

/// Differences of means between personas by kind: dwells, press intervals.
fn differences(pairs: &[(&PhraseProfile, &PhraseProfile)]) -> [Vec<f64>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    for (one, other) in pairs {
        for index in 0..one.time_count().min(other.time_count()) {
            if let (Some((mine, _)), Some((theirs, _))) = (one.time(index), other.time(index)) {
                found[usize::from(index >= one.kept_presses())].push(mine - theirs);
            }
        }
    }
    found
}

/// Fits spreads on the longest-learned personas, then the calibration on all.
///
/// # Errors
/// Data that cannot be read, or a regression that does not converge.
pub(crate) fn fit_pair(data: &Path, seed: u64, phrase: &PhraseParameters) -> Result<PhrasePairParameters, String> {
    fit_pair_on(&phrase_corpora(&Source { data, keep: &|_, _| true, seed, clock_micros: None })?, phrase)
}

fn fit_pair_on(corpora: &[PhraseCorpus], phrase: &PhraseParameters) -> Result<PhrasePairParameters, String> {
    let settled = LOGINS[1];
    let mut mated: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    let mut strange: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    let mut own: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for corpus in corpora {
        let people = personas(&corpus.people, settled, phrase);
        let same: Vec<_> = people.iter().map(|(early, late)| (early, late)).collect();
        let others: Vec<_> = strangers(people.len()).map(|(one, other)| (&people[one].0, &people[other].1)).collect();
        for (all, pairs) in [(&mut mated, same), (&mut strange, others)] {
            all.iter_mut().zip(differences(&pairs)).for_each(|(all, found)| all.extend(found));
        }
        for (early, _) in &people {
            for index in 0..early.time_count() {
                if let Some((_, variance)) = early.time(index) {
                    own[usize::from(index >= early.kept_presses())].push(variance.sqrt());
                }
            }
        }
    }
    let mut parameters = PhrasePairParameters {
        between_spreads: [0.0; 2],
        within_spreads: [0.0; 2],
        drift_spreads: [0.0; 2],
        calibration: vec![0.0; PhrasePair::INPUT_COUNT + 1],
    };
    for (kind, own) in own.iter_mut().enumerate() {
        own.sort_unstable_by(f64::total_cmp);
        let within = if own.is_empty() { 0.0 } else { quantile_of_sorted(own, 0.5) };
        let noise = 2.0 * within * within / settled as f64;
        let same = spread(std::mem::take(&mut mated[kind])).powi(2);
        let others = spread(std::mem::take(&mut strange[kind])).powi(2);
        parameters.within_spreads[kind] = within.max(SPREAD_MIN);
        parameters.drift_spreads[kind] = (same - noise).max(SPREAD_MIN * SPREAD_MIN).sqrt();
        parameters.between_spreads[kind] = ((others - same) / 2.0).max(SPREAD_MIN * SPREAD_MIN).sqrt();
    }
    let (mut rows, mut truths) = (Vec::new(), Vec::new());
    for corpus in corpora {
        for count in LOGINS {
            let people = personas(&corpus.people, count, phrase);
            let mut push = |one: &PhraseProfile, other: &PhraseProfile, same: bool| {
                rows.extend(parameters.compare(one, other).map(|pair| pair.inputs().to_vec()));
                truths.resize(rows.len(), same);
            };
            people.iter().for_each(|(early, late)| push(early, late, true));
            strangers(people.len()).for_each(|(one, other)| push(&people[one].0, &people[other].1, false));
        }
    }
    parameters.calibration = logistic(&rows, &truths, 1.0)?;
    Ok(parameters)
}

/// Least spread taken for one, ln.
const SPREAD_MIN: f64 = 0.02;

/// Pairs of two people, each early persona with up to ten others' late ones.
fn strangers(count: usize) -> impl Iterator<Item = (usize, usize)> {
    let steps = STRANGERS.min(count.saturating_sub(1));
    let stride = 1 + count / (STRANGERS + 1);
    let pairs = (0..count).flat_map(move |one| (1..=steps).map(move |step| (one, (one + step * stride) % count)));
    pairs.filter(|(one, other)| one != other)
}

/// Strangers per person.
const STRANGERS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use elsewhere::model::Model;

    /// A login of eleven presses as a hand types it: its own time at every position, and what logins vary.
    fn login(hand: u32, turn: u32) -> PhraseObservation {
        let vary = |of: u32, index: u32, range: u32| (of * 7_919 + index * 104_729 + of * index * 613) % range;
        let mut event = crate::convert::keystroke::bare_event("w", "e".into(), 0);
        let time = |base: u32, index: u32| base + 3 * vary(hand, index, 20_000) + vary(turn * 31 + hand, index, 9_000);
        event.typing = Some(elsewhere::event::TypingUnchecked {
            context: 2,
            phrase_id: "phrase".into(),
            press_interval_micros: (0..11).map(|index| if index == 0 { 0 } else { time(120_000, index) }).collect(),
            dwell_micros: (0..11).map(|index| time(60_000, index + 50)).collect(),
            key_classes: vec![1; 11],
            timer_resolution_micros: 1_000,
            ..Default::default()
        });
        let samples = crate::fit::typing::samples(event).unwrap_or_else(|error| panic!("{error}"));
        match elsewhere::evidence::typing::observe(&samples).phrase {
            Some(Ok(phrase)) => phrase,
            other => panic!("no phrase: {other:?}"),
        }
    }

    #[test]
    fn personas_of_one_hand_are_likelier_than_two_hands_after_a_fit() -> Result<(), String> {
        let phrase = Model::shipped().map_err(|error| error.to_string())?.file.evidence.typing.phrase;
        let logins = |hand| (0..24).map(|turn| login(hand, turn)).collect();
        let subjects = (1..=12).map(|hand| format!("hand {hand}")).collect();
        let people = (1..=12).map(logins).collect();
        let corpus = PhraseCorpus { name: "made".into(), subjects, people, practised: true };
        let fitted = fit_pair_on(&[corpus], &phrase)?;
        // Hands nobody was fitted on.
        let people: Vec<Vec<PhraseObservation>> = (21..=26).map(logins).collect();
        let personas = personas(&people, 6, &phrase);
        let ratio = |one: usize, other: usize| {
            let pair = fitted.compare(&personas[one].0, &personas[other].1);
            pair.map(|pair| fitted.calibrated(&pair)).unwrap_or_default()
        };
        for one in 0..people.len() {
            assert!(ratio(one, one) > 0.0, "hand {one}: {}", ratio(one, one));
            assert!(ratio(one, (one + 1) % people.len()) < 0.0, "hands {one} and the next");
        }
        Ok(())
    }
}
