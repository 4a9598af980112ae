//! Phrases of any length cut out of free text, for want of people who practised them.

use super::phrase::{PhraseCorpus, Source, phrase_observation, read_kept};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{KeystrokeSet, Stretch, Typist};
use elsewhere::evidence::typing::phrase::PhraseObservation;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::BTreeMap;

/// Longest interval inside an occurrence taken for a pseudo-phrase, microseconds: longer is thinking, not typing.
const OCCURRENCE_INTERVAL_MICROS_MAX: u32 = 1_000_000;
/// Most logins cut per person and pseudo-phrase.
const PSEUDO_LOGINS_MAX: usize = 60;
/// Fewest occurrences a person needs of an n-gram to take part.
const OCCURRENCES_MIN: usize = 15;
/// Pseudo-phrases of each length.
const PHRASES_PER_LENGTH: usize = 3;
/// Keys of an n-gram.
const GRAM_KEYS: usize = 3;

/// Cuts pseudo-phrases out of free text: a login is the next occurrence of each of a few common trigrams, end to end.
pub(crate) fn pseudo_phrases(
    source: &Source<'_>,
    set: KeystrokeSet,
    lengths: &[usize],
) -> Result<Vec<PhraseCorpus>, String> {
    let typists = read_kept(source.data, set, source.keep)?;
    let occurrences: Vec<BTreeMap<[u32; GRAM_KEYS], Vec<Stretch>>> = typists.iter().map(grams).collect();
    let mut common: BTreeMap<[u32; GRAM_KEYS], usize> = BTreeMap::new();
    for person in &occurrences {
        for (gram, found) in person {
            *common.entry(*gram).or_default() += usize::from(found.len() >= OCCURRENCES_MIN);
        }
    }
    let enough = typists.len() * 3 / 5;
    let grams: Vec<[u32; GRAM_KEYS]> =
        common.into_iter().filter(|(_, people)| *people >= enough).map(|(gram, _)| gram).collect();
    if grams.len() < 4 {
        return Err(format!("{set:?} has {} common trigrams: too few for pseudo-phrases", grams.len()));
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(source.seed);
    let mut corpora = Vec::new();
    for presses in lengths.iter().copied() {
        for _ in 0..PHRASES_PER_LENGTH {
            let chosen: Vec<[u32; GRAM_KEYS]> =
                (0..presses.div_ceil(GRAM_KEYS)).map(|_| grams[random.gen_range(0..grams.len())]).collect();
            let (mut subjects, mut people) = (Vec::new(), Vec::new());
            for (typist, person) in typists.iter().zip(&occurrences) {
                let logins = pseudo_logins(person, &chosen, presses, set, source.clock_micros)?;
                if logins.len() >= OCCURRENCES_MIN / 2 {
                    subjects.push(typist.subject.clone());
                    people.push(logins);
                }
            }
            corpora.push(PhraseCorpus {
                name: format!("{set:?} pseudo-phrase of {presses}"),
                subjects,
                people,
                practised: false,
            });
        }
    }
    Ok(corpora)
}

fn grams(typist: &Typist) -> BTreeMap<[u32; GRAM_KEYS], Vec<Stretch>> {
    let mut found: BTreeMap<[u32; GRAM_KEYS], Vec<Stretch>> = BTreeMap::new();
    for stretch in &typist.stretches {
        let mut from = 1;
        while from + GRAM_KEYS <= stretch.usages.len() {
            let keys = &stretch.usages[from..from + GRAM_KEYS];
            let intervals = &stretch.press_interval_micros[from..from + GRAM_KEYS];
            if keys.iter().all(|key| *key != 0)
                && intervals.iter().all(|interval| *interval <= OCCURRENCE_INTERVAL_MICROS_MAX)
            {
                let mut part = convert::cut(stretch, from, GRAM_KEYS);
                part.press_interval_micros[0] = stretch.press_interval_micros[from];
                let mut gram = [0; GRAM_KEYS];
                gram.copy_from_slice(keys);
                found.entry(gram).or_default().push(part);
            }
            from += 1;
        }
    }
    found
}

fn pseudo_logins(
    person: &BTreeMap<[u32; GRAM_KEYS], Vec<Stretch>>,
    chosen: &[[u32; GRAM_KEYS]],
    presses: usize,
    set: KeystrokeSet,
    clock_micros: Option<u32>,
) -> Result<Vec<PhraseObservation>, String> {
    let mut used: BTreeMap<[u32; GRAM_KEYS], usize> = BTreeMap::new();
    let mut logins = Vec::new();
    while logins.len() < PSEUDO_LOGINS_MAX {
        let mut login = Stretch::default();
        for gram in chosen {
            let next = used.entry(*gram).or_default();
            let Some(part) = person.get(gram).and_then(|parts| parts.get(*next)) else { return Ok(logins) };
            *next += 1;
            login.press_interval_micros.extend(&part.press_interval_micros);
            login.dwell_micros.extend(&part.dwell_micros);
            login.classes.extend(&part.classes);
        }
        login = convert::cut(&login, 0, presses);
        logins.extend(phrase_observation(&login, set, clock_micros)?);
    }
    Ok(logins)
}
