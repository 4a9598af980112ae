//! What is kept of a worker's typing: a few phrases and one place among typists.

use super::Parameters;
use super::gate::Lesson;
use super::observe::Observation;
use super::ordered::OrderedProfile;
use super::phrase::PhraseProfile;
use super::table::TableProfile;
use crate::event::EventTime;
use serde::{Deserialize, Serialize};

/// Phrases kept per worker: a login name and one more.
const PHRASES_MAX: usize = 2;
/// Presses' worth of room over all phrases: about 8 bytes each, so that with a table's 350 a worker's typing stays under
/// 768. A phrase takes its presses and what its anchor adds: two of 18 presses fit.
const PHRASE_PRESSES_KEPT_MAX: usize = 48;
/// The same for the few workers who are known by tables and by ordered typing both.
const PHRASE_PRESSES_KEPT_MAX_BOTH: usize = 32;

/// A worker's typing. Everything is a recent mean; no login can be read back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    phrases: Vec<PhraseProfile>,
    free: Free,
}

/// What free typing taught.
///
/// Written down as a number and what follows it; the first two are as an optional table once was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
enum Free {
    #[default]
    Nothing,
    Table(TableProfile),
    Ordered(OrderedProfile),
    Both(TableProfile, OrderedProfile),
}

impl Free {
    fn parts(self) -> (Option<TableProfile>, Option<OrderedProfile>) {
        match self {
            Self::Nothing => (None, None),
            Self::Table(table) => (Some(table), None),
            Self::Ordered(ordered) => (None, Some(ordered)),
            Self::Both(table, ordered) => (Some(table), Some(ordered)),
        }
    }

    fn of(parts: (Option<TableProfile>, Option<OrderedProfile>)) -> Self {
        match parts {
            (None, None) => Self::Nothing,
            (Some(table), None) => Self::Table(table),
            (None, Some(ordered)) => Self::Ordered(ordered),
            (Some(table), Some(ordered)) => Self::Both(table, ordered),
        }
    }

    fn with_table(&mut self, change: impl FnOnce(&mut TableProfile)) {
        let (mut table, ordered) = std::mem::take(self).parts();
        change(table.get_or_insert_default());
        *self = Self::of((table, ordered));
    }

    fn with_ordered(&mut self, change: impl FnOnce(&mut OrderedProfile)) {
        let (table, mut ordered) = std::mem::take(self).parts();
        change(ordered.get_or_insert_default());
        *self = Self::of((table, ordered));
    }
}

impl Profile {
    /// Names what in a profile read back no session can have left there. `None` when sound. Numbers are whole, and any of
    /// them may have been kept; but columns belong together.
    pub fn unsound(&self) -> Option<&'static str> {
        let phrases = self.phrases.len() <= PHRASES_MAX && self.phrases.iter().all(PhraseProfile::sound);
        let table = self.table().is_none_or(TableProfile::sound);
        let ordered = self.ordered().is_none_or(OrderedProfile::sound);
        let parts = [(phrases, "typing.phrases"), (table, "typing.table"), (ordered, "typing.ordered")];
        parts.into_iter().find(|(sound, _)| !sound).map(|(_, name)| name)
    }

    /// The phrase that an observation can be compared with.
    pub fn phrase(&self, observation: &super::phrase::PhraseObservation) -> Option<&PhraseProfile> {
        self.phrases.iter().find(|phrase| phrase.lines_up(observation))
    }

    /// Whether a phrase of this name is known, with whatever number of presses.
    pub fn names_phrase(&self, key: u64) -> bool {
        self.phrases.iter().any(|phrase| phrase.key == key)
    }

    /// What speaks for the background of each phrase: its key among those of the tenant, and stored means.
    pub fn pooled(&self) -> impl Iterator<Item = (u64, &[i16])> {
        self.phrases.iter().filter_map(PhraseProfile::pooled)
    }

    /// The phrases known.
    pub fn phrases(&self) -> &[PhraseProfile] {
        &self.phrases
    }

    /// What tables taught.
    pub fn table(&self) -> Option<&TableProfile> {
        match &self.free {
            Free::Table(table) | Free::Both(table, _) => Some(table),
            Free::Nothing | Free::Ordered(_) => None,
        }
    }

    /// What ordered free typing taught.
    pub fn ordered(&self) -> Option<&OrderedProfile> {
        match &self.free {
            Free::Ordered(ordered) | Free::Both(_, ordered) => Some(ordered),
            Free::Nothing | Free::Table(_) => None,
        }
    }

    /// Learns as much of one session as its lesson allows, `log_odds` being what its phrase scored. Of a known name
    /// other presses, by number or class, are a slip, unless the name is hardly known yet.
    pub fn learn(
        &mut self,
        observation: &Observation,
        parameters: &Parameters,
        time: EventTime,
        lesson: Lesson,
        log_odds: f64,
    ) {
        let day = time.day_number().clamp(0, i64::from(u16::MAX)) as u32;
        if let Some(Ok(phrase)) = &observation.phrase {
            if let Some(known) = self.phrases.iter_mut().find(|known| known.lines_up(phrase)) {
                known.learn_lesson(phrase, &parameters.phrase, day, lesson, log_odds);
            } else if matches!(lesson, Lesson::Full | Lesson::Confirmed) {
                let slip = self.phrases.iter().any(|known| known.key == phrase.key && known.outlives_slip(day));
                if !slip {
                    self.phrases.retain(|known| known.key != phrase.key);
                    let mut new = PhraseProfile::new(phrase);
                    new.learn(phrase, &parameters.phrase, day);
                    self.phrases.push(new);
                    self.keep_recent();
                }
            }
        }
        if let (Some(table), Lesson::Full | Lesson::Confirmed) = (&observation.table, lesson)
            && let Some(placed) = observation.placed(&parameters.table)
        {
            let presses = table.press_count;
            self.free.with_table(|known| known.learn_placed(&placed, presses, &parameters.table, day as u16));
        }
    }

    /// Learns the ordered free typing of one session, where a model of it was fitted.
    pub fn learn_ordered(&mut self, observation: &Observation, parameters: &Parameters, time: EventTime) {
        let Some(ordered) = observation.ordered.as_ref().filter(|_| !parameters.ordered.clocks.is_empty()) else {
            return;
        };
        self.free.with_ordered(|known| known.learn(ordered, &parameters.ordered, time));
        self.keep_recent();
    }

    /// Drops the phrases longest unused until the rest fits; the newest always stays.
    fn keep_recent(&mut self) {
        self.phrases
            .sort_by_key(|phrase| (std::cmp::Reverse(phrase.day()), std::cmp::Reverse(phrase.count), phrase.key));
        let both = matches!(self.free, Free::Both(..));
        let most = if both { PHRASE_PRESSES_KEPT_MAX_BOTH } else { PHRASE_PRESSES_KEPT_MAX };
        let mut presses = 0;
        let mut kept = 0;
        self.phrases.retain(|phrase| {
            presses += phrase.room();
            kept += 1;
            kept == 1 || (kept <= PHRASES_MAX && presses <= most)
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
        if let Some(table) = other.table() {
            self.free.with_table(|known| known.merge(table));
        }
        if let Some(ordered) = other.ordered() {
            self.free.with_ordered(|known| known.merge(ordered));
        }
        self.keep_recent();
    }

    /// Quantities for access requests: name, effective count, median, spread.
    pub fn summaries(&self) -> Vec<(&'static str, f64, f64, f64)> {
        let mut summaries = Vec::new();
        for phrase in &self.phrases {
            let (dwell, press_interval) = phrase.summary();
            let count = f64::from(phrase.count);
            summaries.extend(dwell.map(|(median, spread)| ("typing.phrase_dwell_micros", count, median, spread)));
            summaries.extend(
                press_interval.map(|(median, spread)| ("typing.phrase_press_interval_micros", count, median, spread)),
            );
        }
        if let Some(table) = self.table() {
            summaries.push((
                "typing.table_press_count",
                f64::from(table.press_count),
                f64::from(table.press_count),
                0.0,
            ));
        }
        if let Some((dwell, press_interval, count)) = self.ordered().and_then(OrderedProfile::letters) {
            summaries.push(("typing.ordered_letter_dwell_micros", count, dwell, 0.0));
            summaries.push(("typing.ordered_letter_press_interval_micros", count, press_interval, 0.0));
        }
        summaries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TypingUnchecked;
    use crate::evidence::typing::sample::{DAY_MICROS, enrolled, observed, parameters, phrase, table};

    fn named(name: &str, presses: u32) -> Observation {
        observed(Some(TypingUnchecked { phrase_id: name.into(), ..phrase(presses, 100, 0) }), None)
    }

    fn dwell_median(profile: &Profile) -> f64 {
        let summaries = profile.summaries();
        summaries.iter().find(|summary| summary.0 == "typing.phrase_dwell_micros").map_or(0.0, |summary| summary.2)
    }

    fn distance(profile: &Profile, observation: &Observation) -> Option<f64> {
        let Some(Ok(phrase)) = &observation.phrase else { return None };
        profile.phrase(phrase)?.score(phrase, &parameters().phrase, None).map(|score| score.distance)
    }

    #[test]
    fn learning_moves_the_profile_towards_the_login() {
        let mut profile = enrolled(11, 10);
        let before = dwell_median(&profile);
        let slower = observed(Some(phrase(11, 120, 11)), None);
        let far = distance(&profile, &slower);
        (10..30).for_each(|day| profile.learn(&slower, &parameters(), EventTime(day * DAY_MICROS), Lesson::Full, 0.0));
        assert!(dwell_median(&profile) > before * 1.1);
        assert!(distance(&profile, &slower) < far);
    }

    #[test]
    fn a_settled_phrase_outlives_a_slip_and_a_young_or_unused_one_does_not() {
        let changed = observed(Some(phrase(12, 100, 0)), None);
        let lines_up_after = |logins, day| {
            let mut profile = enrolled(11, logins);
            profile.learn(&changed, &parameters(), EventTime(day * DAY_MICROS), Lesson::Full, 0.0);
            distance(&profile, &changed).is_some()
        };
        assert!(!lines_up_after(10, 10));
        assert!(lines_up_after(4, 4));
        assert!(lines_up_after(10, 40));
    }

    #[test]
    fn the_two_phrases_last_used_are_kept_within_their_presses() {
        let mut profile = Profile::default();
        for (day, name) in (0..).zip(["first", "second", "third"]) {
            profile.learn(&named(name, 11), &parameters(), EventTime(day * DAY_MICROS), Lesson::Full, 0.0);
        }
        assert_eq!(profile.phrases.len(), PHRASES_MAX);
        assert!(distance(&profile, &named("first", 11)).is_none());
        profile.learn(&named("long", 40), &parameters(), EventTime(3 * DAY_MICROS), Lesson::Full, 0.0);
        assert_eq!(profile.phrases.len(), 1, "40 presses and 11 are more than {PHRASE_PRESSES_KEPT_MAX}");
        assert!(distance(&profile, &named("long", 40)).is_some());
    }

    #[test]
    fn merging_keeps_the_better_known_of_one_phrase_and_adds_the_other() {
        let (mut few, many) = (enrolled(11, 3), enrolled(11, 20));
        let mut other = Profile::default();
        other.learn(&named("other", 11), &parameters(), EventTime(0), Lesson::Full, 0.0);
        few.merge(&many);
        assert_eq!(few, many);
        few.merge(&enrolled(11, 3));
        assert_eq!(few, many);
        few.merge(&other);
        assert!(few.names_phrase(other.phrases[0].key) && few.names_phrase(many.phrases[0].key));
    }

    #[test]
    fn merging_adds_up_the_presses_of_tables() {
        let learned = |percent| {
            let mut profile = Profile::default();
            profile.learn(&observed(None, Some(table(percent))), &parameters(), EventTime(0), Lesson::Full, 0.0);
            profile
        };
        let mut merged = learned(100);
        merged.merge(&learned(120));
        assert_eq!(merged.table().map(|table| table.press_count), Some(512));
        let mut nobody = Profile::default();
        nobody.merge(&learned(100));
        assert_eq!(nobody, learned(100));
    }

    #[test]
    fn a_phrase_and_a_table_are_summed_up_by_counts_and_medians() {
        let mut profile = enrolled(11, 10);
        profile.learn(&observed(None, Some(table(100))), &parameters(), EventTime(0), Lesson::Full, 0.0);
        let names: Vec<(&str, f64)> = profile.summaries().iter().map(|summary| (summary.0, summary.1)).collect();
        let expected = [
            ("typing.phrase_dwell_micros", 10.0),
            ("typing.phrase_press_interval_micros", 10.0),
            ("typing.table_press_count", 256.0),
        ];
        assert_eq!(names, expected);
        assert!((75_000.0..110_000.0).contains(&dwell_median(&profile)));
    }

    #[test]
    fn columns_of_unequal_length_are_no_profile() {
        let sound = enrolled(11, 10);
        assert_eq!(sound.unsound(), None);
        let mut bytes = postcard::to_stdvec(&sound.phrases[0]).unwrap();
        // The spreads come last: their number, then each.
        let spreads = sound.phrases[0].time_count();
        let at = bytes.iter().rposition(|byte| usize::from(*byte) == spreads).unwrap();
        bytes.truncate(at);
        bytes.push(0);
        let cut: PhraseProfile = postcard::from_bytes(&bytes).unwrap();
        let profile = Profile { phrases: vec![cut], ..Profile::default() };
        assert_eq!(profile.unsound(), Some("typing.phrases"));
    }
}
