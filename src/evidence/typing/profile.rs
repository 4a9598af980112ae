//! What is kept of a worker's typing: a few phrases and one place among typists.

use super::Parameters;
use super::observe::Observation;
use super::phrase::PhraseProfile;
use super::table::TableProfile;
use crate::event::EventTime;
use serde::{Deserialize, Serialize};

/// Phrases kept per worker: a login name and one more.
const PHRASES_MAX: usize = 2;
/// Presses kept over all phrases: about 8 bytes each, so that with a table's 350 a worker's typing stays under 768.
const PHRASE_PRESSES_KEPT_MAX: usize = 48;

/// A worker's typing. Everything is a recent mean; no login can be read back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    phrases: Vec<PhraseProfile>,
    table: Option<TableProfile>,
}

impl Profile {
    /// The phrase that an observation can be compared with.
    pub fn phrase(&self, observation: &super::phrase::PhraseObservation) -> Option<&PhraseProfile> {
        self.phrases.iter().find(|phrase| phrase.lines_up(observation))
    }

    /// Whether a phrase of this name is known, with whatever number of presses.
    pub fn names_phrase(&self, key: u64) -> bool {
        self.phrases.iter().any(|phrase| phrase.key == key)
    }

    /// What tables taught.
    pub fn table(&self) -> Option<&TableProfile> {
        self.table.as_ref()
    }

    /// Learns one session. Of a known name another number of presses is a slip, unless the name is hardly known yet.
    pub fn learn(&mut self, observation: &Observation, parameters: &Parameters, time: EventTime) {
        let day = time.day_number().clamp(0, i64::from(u32::MAX)) as u32;
        if let Some(Ok(phrase)) = &observation.phrase {
            if let Some(known) = self.phrases.iter_mut().find(|known| known.lines_up(phrase)) {
                known.learn(phrase, &parameters.phrase, day, 1.0);
            } else {
                let slip = self.phrases.iter().any(|known| known.key == phrase.key && known.outlives_slip(day));
                if !slip {
                    self.phrases.retain(|known| known.key != phrase.key);
                    let mut new = PhraseProfile::new(phrase);
                    new.learn(phrase, &parameters.phrase, day, 1.0);
                    self.phrases.push(new);
                    self.keep_recent();
                }
            }
        }
        if let Some(table) = &observation.table {
            self.table.get_or_insert_default().learn(table, &parameters.table);
        }
    }

    /// Drops the phrases longest unused until the rest fits; the newest always stays.
    fn keep_recent(&mut self) {
        self.phrases.sort_by_key(|phrase| (std::cmp::Reverse(phrase.day), std::cmp::Reverse(phrase.count), phrase.key));
        let mut presses = 0;
        let mut kept = 0;
        self.phrases.retain(|phrase| {
            presses += phrase.kept_presses();
            kept += 1;
            kept == 1 || (kept <= PHRASES_MAX && presses <= PHRASE_PRESSES_KEPT_MAX)
        });
    }

    /// Adds what another profile of the same worker learned: of each phrase the one with more logins stays.
    pub fn merge(&mut self, other: &Profile) {
        for phrase in &other.phrases {
            match self.phrases.iter_mut().find(|known| known.key == phrase.key) {
                Some(known) if known.count >= phrase.count => {}
                Some(known) => *known = phrase.clone(),
                None => self.phrases.push(phrase.clone()),
            }
        }
        self.keep_recent();
        if let Some(table) = &other.table {
            self.table.get_or_insert_default().merge(table);
        }
    }

    /// Quantities for access requests: name, effective count, median, spread.
    pub fn summaries(&self) -> Vec<(&'static str, f64, f64, f64)> {
        let mut summaries = Vec::new();
        for phrase in &self.phrases {
            let (dwell, press_interval) = phrase.summary();
            let count = f64::from(phrase.count);
            summaries.extend(dwell.map(|(median, spread)| ("typing.phrase_dwell_micros", count, median, spread)));
            summaries.extend(press_interval.map(|(median, spread)| ("typing.phrase_press_interval_micros", count, median, spread)));
        }
        if let Some(table) = &self.table {
            summaries.push(("typing.table_press_count", f64::from(table.press_count), f64::from(table.press_count), 0.0));
        }
        summaries
    }
}
