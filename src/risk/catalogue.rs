//! What each reason code means, for people: read from `reasons.json`, the only place where these words stand.
//!
//! A reason is told with its innocent explanations, most frequent first, and with what would refute it, so that nobody
//! has to take a number's word. Sentences speak of sessions and signals, never of guilt.
//!
//! Worked example: `REMOTE_INPUT_LOOP_DELAY` has the sentence "Prompts were answered
//! {remote_input.reaction_median_micros} after they appeared …"; the reader puts the measurement of that feature in the
//! place of its name. A finding that speaks for the worker is told by its `reassurance` instead.

use super::reasons::ReasonCode;
use crate::evidence::feature::{FeatureId, Finding};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The catalogue as released with this program.
const SHIPPED: &str = include_str!("reasons.json");
/// Longest headline, characters: it stands in tables.
const HEADLINE_CHARS_MAX: usize = 60;

/// What one reason code means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Number of the code.
    pub code: u16,
    /// Name of the code on the wire, without `REASON_CODE_`.
    pub name: String,
    /// The finding in a few words, for tables, without measurements.
    pub headline: String,
    /// The finding in one sentence, with `{feature}` where a measurement belongs.
    pub sentence: String,
    /// What the same finding says when it speaks for the worker, without measurements.
    pub reassurance: String,
    /// Innocent explanations, most frequent first.
    pub benign_explanations: Vec<String>,
    /// What would refute the finding.
    pub refutations: Vec<String>,
    /// MITRE ATT&CK techniques the finding may be a trace of. Empty where none is.
    pub attack_technique_ids: Vec<String>,
}

/// All descriptions, one per reason code, by number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Raised with every change of the words.
    pub catalogue_version: u32,
    /// Version of MITRE ATT&CK for enterprises that the techniques belong to.
    pub attack_version: String,
    /// The name of every technique used, by its identifier, as that version gives it.
    pub attack_techniques: BTreeMap<String, String>,
    /// The descriptions, one per code, by rising number.
    pub reasons: Vec<Description>,
}

impl Catalogue {
    /// The catalogue shipped with this program, parsed and checked once.
    ///
    /// # Errors
    /// Says what is wrong with it; a program that starts has none.
    pub fn shipped() -> Result<&'static Catalogue, String> {
        static PARSED: LazyLock<Result<Catalogue, String>> = LazyLock::new(|| Catalogue::parse(SHIPPED));
        PARSED.as_ref().map_err(Clone::clone)
    }

    /// Reads and checks a catalogue.
    ///
    /// # Errors
    /// Names the first entry that is missing, unknown, out of order or incomplete.
    pub fn parse(text: &str) -> Result<Catalogue, String> {
        let catalogue: Catalogue =
            serde_json::from_str(text).map_err(|error| format!("the reason catalogue cannot be read: {error}"))?;
        if catalogue.catalogue_version == 0 || catalogue.attack_version.is_empty() {
            return Err("the reason catalogue names no version".into());
        }
        let codes: Vec<u16> = catalogue.reasons.iter().map(|entry| entry.code).collect();
        let mut by_number = ReasonCode::ALL.to_vec();
        by_number.sort_unstable_by_key(|code| *code as u16);
        let expected: Vec<u16> = by_number.iter().map(|code| *code as u16).collect();
        if codes != expected {
            let odd = codes.iter().zip(&expected).position(|(own, wanted)| own != wanted);
            let at = odd.unwrap_or(codes.len().min(expected.len()));
            let (found, wanted) = (codes.get(at), expected.get(at));
            return Err(format!(
                "the reason catalogue needs every code once and in order: entry {at} is {found:?}, not {wanted:?}"
            ));
        }
        for (entry, code) in catalogue.reasons.iter().zip(by_number) {
            entry.check(code).map_err(|cause| format!("the reason catalogue, {}: {cause}", entry.name))?;
            if let Some(id) =
                entry.attack_technique_ids.iter().find(|id| !catalogue.attack_techniques.contains_key(*id))
            {
                return Err(format!("the reason catalogue, {}: {id} has no name in `attack_techniques`", entry.name));
            }
        }
        let used = |id: &String| catalogue.reasons.iter().any(|entry| entry.attack_technique_ids.contains(id));
        match catalogue.attack_techniques.iter().find(|(id, name)| !used(id) || name.trim().is_empty()) {
            Some((id, _)) => Err(format!("the reason catalogue: {id} is named for no reason, or has no name")),
            None => Ok(catalogue),
        }
    }

    /// The description of a code; `None` for a number this release does not know.
    pub fn get(&self, code: i32) -> Option<&Description> {
        let code = u16::try_from(code).ok()?;
        self.reasons.binary_search_by_key(&code, |entry| entry.code).ok().map(|index| &self.reasons[index])
    }
}

impl Description {
    fn check(&self, code: ReasonCode) -> Result<(), String> {
        let texts = [&self.name, &self.headline, &self.sentence, &self.reassurance];
        if texts
            .into_iter()
            .chain(&self.benign_explanations)
            .chain(&self.refutations)
            .any(|text| text.trim().is_empty())
        {
            return Err("a text is empty".into());
        }
        if self.headline.chars().count() > HEADLINE_CHARS_MAX || !placeholders(&self.headline).is_empty() {
            return Err(format!("the headline must be a few plain words, at most {HEADLINE_CHARS_MAX} characters"));
        }
        if self.benign_explanations.is_empty() || self.refutations.is_empty() {
            return Err("needs at least one innocent explanation and one refutation".into());
        }
        if let Some(text) = [&self.sentence, &self.reassurance].into_iter().find(|text| !text.ends_with('.')) {
            return Err(format!("{text:?} is no sentence"));
        }
        if !placeholders(&self.reassurance).is_empty() {
            return Err("the reassurance must do without measurements".into());
        }
        let unmeasured = |feature: &&str| !measured_for(code).any(|own| own.name() == *feature);
        if let Some(feature) = placeholders(&self.sentence).into_iter().find(unmeasured) {
            return Err(format!("{{{feature}}} is not measured for this reason"));
        }
        match self.attack_technique_ids.iter().find(|id| !technique(id)) {
            Some(id) => Err(format!("{id:?} is not the identifier of an ATT&CK technique")),
            None => Ok(()),
        }
    }
}

/// The features shown beside a reason.
fn measured_for(code: ReasonCode) -> impl Iterator<Item = FeatureId> {
    let findings = Finding::ALL.iter().filter(move |finding| ReasonCode::of(**finding) == code);
    findings.flat_map(|finding| finding.evidence().iter().copied())
}

/// `T1219` or `T1219.003`.
fn technique(id: &str) -> bool {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(number) = id.strip_prefix('T') else { return false };
    match number.split_once('.') {
        Some((whole, part)) => digits(whole, 4) && digits(part, 3),
        None => digits(number, 4),
    }
}

/// Names between braces, in order. A brace without its other half begins no name.
pub fn placeholders(sentence: &str) -> Vec<&str> {
    let parts = sentence.split('{').skip(1);
    parts.filter_map(|part| part.split_once('}').map(|(name, _)| name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_catalogue_describes_every_code_once() {
        let catalogue = Catalogue::shipped().expect("a sound catalogue");
        assert_eq!(catalogue.reasons.len(), ReasonCode::ALL.len());
        for code in ReasonCode::ALL {
            assert_eq!(catalogue.get(*code as i32).expect("described").code, *code as u16);
        }
        assert!(catalogue.get(0).is_none() && catalogue.get(999).is_none() && catalogue.get(-1).is_none());
    }

    /// Puts `new` in the place of the first `old` and returns the complaint.
    fn spoilt(old: &str, new: &str) -> String {
        assert!(SHIPPED.contains(old), "{old}");
        Catalogue::parse(&SHIPPED.replacen(old, new, 1)).expect_err("a complaint")
    }

    #[test]
    fn what_is_missing_unknown_or_empty_is_named() {
        assert!(spoilt("\"code\": 101", "\"code\": 100").contains("entry 1"));
        assert!(spoilt("\"code\": 601", "\"code\": 602").contains("entry "));
        assert!(spoilt("        \"T1219.003\"", "        \"T12190\"").contains("T12190"));
        assert!(spoilt("        \"T1219.003\"", "        \"T1219.001\"").contains("T1219.001 has no name"));
        assert!(spoilt("\"T1674\": ", "\"T1675\": ").contains("T1674 has no name"));
        assert!(spoilt("\"T1021.001\": ", "\"T1021.000\": \"X\", \"T1021.001\": ").contains("T1021.000"));
        assert!(spoilt("clock is not of the claimed place", " ").contains("TIMEZONE_CLAIM_MISMATCH"));
        assert!(spoilt("{network.rtt_gap_micros}", "{network.rtt_gap_millis}").contains("not measured"));
        assert!(spoilt("\"headline\"", "\"heading\"").contains("cannot be read"));
    }

    #[test]
    fn no_word_speaks_of_guilt() {
        let banned = ["fraud", "suspect", "guilt", "crim", "spy", "cheat", "impost", "malicious"];
        let text = SHIPPED.to_lowercase();
        for word in banned {
            assert!(!text.contains(word), "the catalogue says {word:?}");
        }
    }

    #[test]
    fn placeholders_are_found_in_order() {
        assert_eq!(placeholders("a {b.c} and {d}; } {e"), ["b.c", "d"]);
    }
}
