//! A live session as gathered so far: chunks joined into samples, the newest kept under limits.
//!
//! What joins keeps the invariants of the samples it joins: columns stay equal in length and begin with 0. Between two
//! chunks lies a pause of unknown length, entered as the longest interval that counts, so that no measurement takes two
//! chunks for one stretch.
//!
//! Worked example: a session opened with 60 moves takes nine chunks of 60. Of the 600 moves the newest 256 are kept;
//! the newest 250 of these are the latest window.

mod join;

use super::chunk::Chunk;
use super::{EventTime, RemoteInputSample, Samples, TypingContext, TypingSample, limits};
use join::{
    drop_oldest, join, join_challenge, join_pointer, join_remote_input, join_typing, newest_moves, newest_prompts,
    newest_timings, newest_typing, trim_moves, trim_timings, trim_typing,
};

/// What came in so far, kept or not. Never falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Presses of ordered or shuffled typing that names no phrase.
    pub presses: u64,
    /// Typing samples of a fixed phrase.
    pub phrases: u64,
    /// Pointer moves.
    pub moves: u64,
    /// Prompts.
    pub prompts: u64,
    /// Event delays, key repeats and bare pointer intervals.
    pub timings: u64,
    /// Cadence tables.
    pub tables: u64,
}

/// What a chunk showed of the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// Samples of a hand: typing, a table, motion or answers.
    Hand,
    /// Use without a hand: requests answered, or input events counted whose timing was not sent.
    UseAlone,
    /// Neither.
    Facts,
}

/// A live session as gathered so far.
///
/// INVARIANT: `whole` and `free` hold the invariants of checked samples. After [`Gathered::trim`] no column is longer
/// than its limit in [`limits`], so a session is bounded in memory however long it lasts.
#[derive(Debug, Clone, PartialEq)]
pub struct Gathered {
    whole: Samples,
    /// Typing that names no phrase, when `whole` holds a phrase.
    free: Option<TypingSample>,
    totals: Totals,
}

impl Gathered {
    /// Begins with the samples of the opening event.
    pub fn new(opening: Samples) -> Self {
        let typing = opening.typing.as_ref();
        let is_phrase = typing.is_some_and(|typing| typing.context == TypingContext::FixedPhrase);
        let presses = typing.map_or(0, |typing| typing.dwell_micros.len() as u64);
        let totals = Totals {
            presses: if is_phrase { 0 } else { presses },
            phrases: u64::from(is_phrase),
            moves: opening.pointer.as_ref().map_or(0, |pointer| pointer.interval_micros.len() as u64),
            prompts: opening.challenge.as_ref().map_or(0, |sample| sample.reaction_micros.len() as u64),
            timings: opening.remote_input.as_ref().map_or(0, timings),
            tables: u64::from(opening.cadence.is_some()),
        };
        Self { whole: opening, free: None, totals }
    }

    /// The session as one set of samples: the newest of what was added, the last of what replaces.
    pub fn whole(&self) -> &Samples {
        &self.whole
    }

    /// What came in so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Whether the collector spoke at the opening.
    pub fn hand_seen(&self) -> bool {
        self.totals.presses + self.totals.phrases + self.totals.moves + self.totals.prompts + self.totals.tables > 0
    }

    /// The newest part of what accumulates, without facts: what the hand at the keyboard did last.
    pub fn latest(&self) -> Samples {
        let typing = self.free.as_ref().or(self.whole.typing.as_ref());
        Samples {
            time: self.whole.time,
            activity: self.whole.activity,
            claim: None,
            timezone: None,
            typing: typing.map(|typing| newest_typing(typing, limits::WINDOW_PRESSES)),
            remote_input: self.whole.remote_input.as_ref().map(newest_timings),
            network: None,
            device: None,
            pointer: self.whole.pointer.as_ref().map(|pointer| newest_moves(pointer, limits::WINDOW_MOVES)),
            challenge: self.whole.challenge.as_ref().map(newest_prompts),
            cadence: None,
            active_span_micros: 0,
            collector: None,
        }
    }

    /// Typing that names no phrase, as far as it is kept.
    pub fn free_typing(&self) -> Option<&TypingSample> {
        let free = self.whole.typing.as_ref().filter(|typing| typing.context != TypingContext::FixedPhrase);
        self.free.as_ref().or(free)
    }

    /// The newest table alone, or `None` without one.
    pub fn table(&self) -> Option<Samples> {
        let cadence = self.whole.cadence.clone()?;
        let mut samples = Samples { cadence: Some(cadence), ..empty(self.whole.time) };
        samples.activity = self.whole.activity;
        Some(samples)
    }

    /// Takes a chunk: adds what accumulates, replaces what does not.
    pub fn add(&mut self, chunk: Chunk) -> Added {
        match chunk {
            Chunk::Typing(sample) => {
                self.add_typing(sample);
                Added::Hand
            }
            Chunk::Pointer(sample) => {
                self.totals.moves += sample.interval_micros.len() as u64;
                join(&mut self.whole.pointer, sample, join_pointer);
                Added::Hand
            }
            Chunk::Challenge(sample) => {
                self.totals.prompts += sample.reaction_micros.len() as u64;
                join(&mut self.whole.challenge, sample, join_challenge);
                Added::Hand
            }
            Chunk::Cadence(table) => {
                self.totals.tables += 1;
                self.whole.cadence = Some(table);
                Added::Hand
            }
            Chunk::RemoteInput(sample) => {
                self.totals.timings += timings(&sample);
                let used = sample.event_count > 0;
                join(&mut self.whole.remote_input, *sample, join_remote_input);
                if used { Added::UseAlone } else { Added::Facts }
            }
            Chunk::Network(sample) => {
                let used = !sample.application_rtt_micros.is_empty();
                self.whole.network = Some(*sample);
                if used { Added::UseAlone } else { Added::Facts }
            }
            Chunk::Timezone(sample) => {
                self.whole.timezone = Some(sample);
                Added::Facts
            }
            Chunk::Device(sample) => {
                self.whole.device = Some(*sample);
                Added::Facts
            }
        }
    }

    fn add_typing(&mut self, sample: TypingSample) {
        if sample.context == TypingContext::FixedPhrase {
            self.totals.phrases += 1;
            let before = self.whole.typing.replace(sample);
            let free = before.filter(|typing| typing.context != TypingContext::FixedPhrase);
            self.free = free.or(self.free.take());
            return;
        }
        self.totals.presses += sample.dwell_micros.len() as u64;
        let holds_phrase =
            self.whole.typing.as_ref().is_some_and(|typing| typing.context == TypingContext::FixedPhrase);
        let slot = if holds_phrase { &mut self.free } else { &mut self.whole.typing };
        join(slot, sample, join_typing);
    }

    /// Drops what lies beyond the limits, oldest first. A phrase stays whole: it is compared place by place.
    pub fn trim(&mut self) {
        for typing in [self.whole.typing.as_mut(), self.free.as_mut()].into_iter().flatten() {
            if typing.context != TypingContext::FixedPhrase {
                trim_typing(typing, limits::MONITOR_PRESSES_KEPT);
            }
        }
        if let Some(pointer) = &mut self.whole.pointer {
            trim_moves(pointer, limits::MONITOR_MOVES_KEPT);
        }
        if let Some(sample) = &mut self.whole.remote_input {
            trim_timings(sample, limits::MONITOR_TIMINGS_KEPT);
        }
        if let Some(table) = &mut self.whole.cadence {
            drop_oldest(&mut table.keys, limits::TABLE_KEYS_MAX);
            drop_oldest(&mut table.digraphs, limits::TABLE_DIGRAPHS_MAX);
        }
    }

    /// Entries held in columns that grow with chunks: what the limits bound.
    #[cfg(test)]
    fn held(&self) -> [usize; 3] {
        let presses = [self.whole.typing.as_ref(), self.free.as_ref()]
            .into_iter()
            .flatten()
            .filter(|typing| typing.context != TypingContext::FixedPhrase)
            .map(|typing| typing.dwell_micros.len());
        let moves = self.whole.pointer.as_ref().map_or(0, |pointer| pointer.interval_micros.len());
        let held = self.whole.remote_input.as_ref().map_or(0, |sample| sample.event_delay_micros.len());
        [presses.sum(), moves, held]
    }
}

fn empty(time: EventTime) -> Samples {
    Samples {
        time,
        activity: super::SessionActivity::InSession,
        claim: None,
        timezone: None,
        typing: None,
        remote_input: None,
        network: None,
        device: None,
        pointer: None,
        challenge: None,
        cadence: None,
        active_span_micros: 0,
        collector: None,
    }
}

fn timings(sample: &RemoteInputSample) -> u64 {
    let columns = sample.event_delay_micros.len()
        + sample.pointer_interval_micros.len()
        + sample.key_repeat_interval_micros.len();
    columns as u64
}

#[cfg(test)]
mod tests {
    use super::join::{POINTER_PAUSE_MICROS, TYPING_PAUSE_MICROS};
    use super::*;
    use crate::event::{ChunkUnchecked, PointerUnchecked, Rules, TablePolicy, TypingUnchecked, Violations};
    use proptest::prelude::*;

    const RULES: Rules = Rules { now: None, secret_typing_allowed: true, tables: TablePolicy::PerEvent };

    fn checked(chunk: ChunkUnchecked) -> Chunk {
        let mut violations = Violations::default();
        match chunk.check(&RULES, &mut violations) {
            Some(chunk) => chunk,
            None => panic!("the chunk does not pass the check: {violations}"),
        }
    }

    fn typing(context: i32, presses: u32, classes: bool) -> Chunk {
        checked(ChunkUnchecked::Typing(TypingUnchecked {
            context,
            phrase_id: if context == 2 { "login".into() } else { String::new() },
            press_interval_micros: (0..presses).map(|at| if at == 0 { 0 } else { 150_000 + at }).collect(),
            dwell_micros: (0..presses).map(|at| 80_000 + at).collect(),
            key_classes: if classes { vec![1; presses as usize] } else { vec![] },
            timer_resolution_micros: 1_000,
            ..Default::default()
        }))
    }

    fn moves(count: u32) -> Chunk {
        let column = |value: i32| (0..count).map(|at| if at == 0 { 0 } else { value }).collect::<Vec<i32>>();
        checked(ChunkUnchecked::Pointer(PointerUnchecked {
            interval_micros: column(8_000).into_iter().map(i32::unsigned_abs).collect(),
            delta_x: column(3),
            delta_y: column(1),
            timer_resolution_micros: 1_000,
            source: 1,
            button_down_indexes: vec![count - 1],
        }))
    }

    fn opened() -> Gathered {
        Gathered::new(empty(EventTime(1_000_000)))
    }

    #[test]
    fn chunks_join_with_a_pause_between_them() {
        let mut gathered = opened();
        gathered.add(typing(1, 3, false));
        gathered.add(typing(1, 2, false));
        let intervals = gathered.whole().typing.as_ref().map(|typing| typing.press_interval_micros.clone());
        assert_eq!(intervals, Some(vec![0, 150_001, 150_002, TYPING_PAUSE_MICROS, 150_001]));
        gathered.add(moves(3));
        gathered.add(moves(2));
        let pointer = gathered.whole().pointer.clone().unwrap();
        assert_eq!(pointer.interval_micros, [0, 8_000, 8_000, POINTER_PAUSE_MICROS, 8_000]);
        assert_eq!(pointer.button_down_indexes, [2, 4]);
    }

    #[test]
    fn a_phrase_stays_apart_from_free_typing() {
        let mut gathered = opened();
        gathered.add(typing(1, 50, false));
        gathered.add(typing(2, 11, false));
        gathered.add(typing(1, 50, false));
        assert_eq!(gathered.whole().typing.as_ref().map(|typing| typing.dwell_micros.len()), Some(11));
        assert_eq!(gathered.latest().typing.map(|typing| typing.dwell_micros.len()), Some(100));
        assert_eq!((gathered.totals().presses, gathered.totals().phrases), (100, 1));
    }

    #[test]
    fn the_oldest_goes_first_and_the_rest_still_begins_with_zero() {
        let mut gathered = opened();
        for _ in 0..9 {
            gathered.add(moves(60));
        }
        gathered.add(moves(70));
        gathered.trim();
        let pointer = gathered.whole().pointer.clone().unwrap();
        assert_eq!(pointer.interval_micros.len(), limits::MONITOR_MOVES_KEPT);
        assert_eq!((pointer.interval_micros[0], pointer.delta_x[0]), (0, 0));
        assert_eq!(pointer.button_down_indexes.last(), Some(&(limits::MONITOR_MOVES_KEPT as u32 - 1)));
        assert_eq!(gathered.latest().pointer.unwrap().interval_micros.len(), limits::WINDOW_MOVES);
        assert_eq!(gathered.totals().moves, 610);
    }

    proptest! {
        #[test]
        fn whatever_comes_columns_stay_equal_and_bounded(
            chunks in prop::collection::vec((0_u8..5, 1_u32..700, any::<bool>()), 1..40)
        ) {
            let mut gathered = opened();
            let mut total = 0;
            for (kind, count, classes) in chunks {
                let chunk = match kind {
                    0 => moves(count),
                    1 => typing(2, count, false),
                    2 => typing(3, count, false),
                    _ => typing(1, count, classes),
                };
                total += if kind == 0 { u64::from(count) } else { 0 };
                gathered.add(chunk);
                gathered.trim();
                let [presses, moves, timings] = gathered.held();
                prop_assert!(presses <= 2 * limits::MONITOR_PRESSES_KEPT);
                prop_assert!(moves <= limits::MONITOR_MOVES_KEPT && timings <= limits::MONITOR_TIMINGS_KEPT);
                for samples in [gathered.whole().clone(), gathered.latest()] {
                    if let Some(typing) = &samples.typing {
                        prop_assert_eq!(typing.press_interval_micros.len(), typing.dwell_micros.len());
                        prop_assert!(typing.key_classes.is_empty() || typing.key_classes.len() == typing.dwell_micros.len());
                        prop_assert_eq!(typing.press_interval_micros[0], 0);
                    }
                    if let Some(pointer) = &samples.pointer {
                        prop_assert_eq!(pointer.interval_micros.len(), pointer.delta_x.len());
                        prop_assert_eq!(pointer.interval_micros.len(), pointer.delta_y.len());
                        prop_assert_eq!((pointer.interval_micros[0], pointer.delta_x[0], pointer.delta_y[0]), (0, 0, 0));
                        let in_reach = |index: &u32| (*index as usize) < pointer.interval_micros.len();
                        prop_assert!(pointer.button_down_indexes.iter().all(in_reach));
                        prop_assert!(pointer.button_down_indexes.is_sorted());
                    }
                }
            }
            prop_assert_eq!(gathered.totals().moves, total);
        }
    }
}
