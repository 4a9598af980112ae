//! Fixed phrases in slices, on people left out of the fit.
//!
//! Train-licensed sets are the only ones with phrases of many lengths. Their people are split in two: each half is
//! scored with parameters fitted on the other, nobody else typing the worker's phrase. Replayed outside the pipeline,
//! by the functions that serve.

use super::{CLLR_LOSS_FLOOR, Probe, Say, Sides, sides, three};
use crate::corpus::keystroke::KeystrokeSet;
use crate::fit::typing::gate::{Company, live};
use crate::fit::typing::phrase::{PhraseCorpus, Source, fit_phrase, real_phrase};
use crate::fit::typing::pseudo::pseudo_phrases;
use crate::request::Figure;
use elsewhere::evidence::typing::phrase::PhraseParameters;
use std::collections::BTreeMap;
use std::path::Path;

/// What the figures share.
const LEFT_OUT: Say =
    Say { name: "", description: "", unit: "logins", floor: None, higher_is_better: false, licence: "train" };

/// Presses of the pseudo-phrases.
const LENGTHS: [usize; 6] = [6, 8, 11, 16, 28, 40];
/// Clocks, microseconds; `None` = as recorded.
const CLOCKS: [Option<u32>; 3] = [None, Some(33_000), Some(100_000)];
/// Logins from which a profile counts as settled.
const SETTLED_COUNT: u16 = 10;

/// One scored try.
struct Scored {
    /// Source and length of the phrase, and the clock.
    phrase: String,
    presses: usize,
    clock_micros: Option<u32>,
    practised: bool,
    /// Logins behind the profile.
    enrolled: u16,
    /// The worker, then which phrase.
    person: String,
    number: usize,
    stranger: Option<usize>,
    score: f64,
}

/// Half of the people by the last digit of their pseudonym's bytes, summed.
fn half(subject: &str) -> u32 {
    subject.bytes().map(u32::from).sum::<u32>() % 2
}

fn score(scored: &mut Vec<Scored>, corpora: &[PhraseCorpus], clock_micros: Option<u32>, parameters: &PhraseParameters) {
    for (number, phrase) in corpora.iter().enumerate() {
        live(phrase, parameters, Company::Alone, &mut |tried| {
            let Some(score) = tried.profile.score(tried.login, parameters, None) else { return };
            scored.push(Scored {
                phrase: phrase.name.clone(),
                presses: usize::from(tried.login.press_count),
                clock_micros,
                practised: phrase.practised,
                enrolled: tried.profile.count,
                person: format!(
                    "{} {}",
                    phrase.name.split(' ').next().unwrap_or_default(),
                    phrase.subjects[tried.person]
                ),
                number,
                stranger: tried.stranger,
                score: parameters.calibrated(&score),
            });
        });
    }
}

/// Sides by person, over that person's phrases.
fn by_person(scored: &[&Scored]) -> Vec<Sides> {
    let mut phrases: BTreeMap<(usize, &str), BTreeMap<&str, Vec<Probe>>> = BTreeMap::new();
    for scored in scored {
        let truth = scored.stranger.map_or("mated".to_string(), |stranger| format!("non_mated {stranger}"));
        let probe = Probe { group: scored.person.clone(), truth, score: scored.score };
        let phrase = phrases.entry((scored.number, scored.phrase.as_str())).or_default();
        phrase.entry(scored.person.as_str()).or_default().push(probe);
    }
    let mut people: BTreeMap<&str, Sides> = BTreeMap::new();
    for (person, probes) in phrases.values().flatten() {
        for found in sides(probes, 1) {
            let sides = people.entry(*person).or_default();
            sides.mated.extend(found.mated);
            sides.non_mated.extend(found.non_mated);
        }
    }
    people.into_values().collect()
}

/// Every slice.
///
/// # Errors
/// A file that is missing or malformed, or a calibration that does not converge.
pub(super) fn evaluate(figures: &mut Vec<Figure>, data: &Path, seed: u64) -> Result<(), String> {
    let mut scored = Vec::new();
    for left_out in 0..2 {
        let parameters = fit_phrase(data, seed, &|_, subject| half(subject) != left_out)?;
        for clock_micros in CLOCKS {
            let keep = |_, subject: &str| half(subject) == left_out;
            let source = Source { data, keep: &keep, seed: seed.wrapping_add(7), clock_micros };
            let mut corpora =
                vec![real_phrase(&source, KeystrokeSet::Meu)?, real_phrase(&source, KeystrokeSet::Keypad)?];
            for set in [KeystrokeSet::Bbmas, KeystrokeSet::VillaniFree] {
                corpora.extend(pseudo_phrases(&source, set, &LENGTHS)?);
            }
            score(&mut scored, &corpora, clock_micros, &parameters);
        }
    }
    let mut slice = |name: &str, what: &str, keep: &dyn Fn(&Scored) -> bool| {
        let chosen: Vec<&Scored> = scored.iter().filter(|scored| keep(scored)).collect();
        let people = by_person(&chosen);
        let name = format!("typing.phrase_left_out_{name}");
        let description = format!("fixed phrase, people left out of the fit, nobody else types it; {what}");
        let say = Say { name: &name, description: &description, ..LEFT_OUT };
        three(figures, &say, &people, seed, Some(CLLR_LOSS_FLOOR));
    };
    let settled = |scored: &Scored| scored.clock_micros.is_none() && scored.enrolled >= SETTLED_COUNT;
    slice("meu", "a password on phones, from the 11th login", &|scored| settled(scored) && scored.phrase == "Meu");
    slice("keypad", "a number on keypads, from the 11th login", &|scored| settled(scored) && scored.phrase == "Keypad");
    for presses in LENGTHS {
        let what = format!("{presses} presses cut from free text, from the 6th login");
        slice(&format!("presses_{presses}"), &what, &|scored| {
            scored.clock_micros.is_none() && !scored.practised && scored.presses == presses && scored.enrolled >= 5
        });
    }
    for (from, to) in [(3, 3), (5, 5), (10, 10), (20, 59)] {
        let what = format!("{from} to {to} logins behind the profile, all phrases");
        slice(&format!("enrolled_{from}"), &what, &|scored| {
            scored.clock_micros.is_none() && (from..=to).contains(&scored.enrolled)
        });
    }
    for clock in CLOCKS.into_iter().flatten() {
        let what = format!("stamps floored to {} ms, all phrases, from the 11th login", clock / 1_000);
        slice(&format!("clock_{}ms", clock / 1_000), &what, &|scored| {
            scored.clock_micros == Some(clock) && scored.enrolled >= SETTLED_COUNT
        });
    }
    Ok(())
}
