//! A live session as a state machine over chunks: which chunk comes next, what is gathered, and when a verdict is due.
//!
//! Pure: time arrives with the chunks, and verdicts are asked for from outside ([`super::Pipeline::look`],
//! [`super::Pipeline::close`]), so every path can be walked without a network or a clock.
//!
//! Worked example. Chunk 0 opens, 1 and 2 are taken. The stream breaks; the client opens anew and resends 1 and 2, which
//! are known and change nothing, then 3, which is taken. Had it sent 4, it would have been told that 3 must come.

use super::{Submission, Update};
use crate::event::{Added, Chunk, Event, EventTime, Gathered};
use crate::evidence::course::Course;
use crate::history::NonceClaim;
use crate::risk::RiskLevel;

/// Where a numbered message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The next in order.
    Next,
    /// Taken into account before: to be ignored.
    Known,
    /// Something is missing before it.
    Gap {
        /// The number that must come.
        expected: u64,
    },
}

/// One live session between its opening and its last verdict.
#[derive(Debug)]
pub struct Live {
    event_id: String,
    worker_id: String,
    session_id: String,
    content_hash: [u8; 32],
    update: Update,
    gathered: Gathered,
    course: Course,
    /// The number of the next message.
    next: u64,
    opened: EventTime,
    latest: EventTime,
    interval_micros: i64,
    given: Option<(EventTime, RiskLevel)>,
    /// The opening's nonce as it was found then; it may lapse while the session lasts.
    nonce: Option<NonceClaim>,
}

impl Live {
    /// Opens a session by a checked event. `chunk_time` is when the opening's samples end; `interval_micros` lies between
    /// two verdicts that nothing but time asks for.
    pub fn open(submission: Submission, chunk_time: EventTime, interval_micros: i64) -> Self {
        let Submission { event, content_hash, update, .. } = submission;
        let opened = event.samples.time;
        let gathered = Gathered::new(event.samples);
        let mut course = Course::default();
        if gathered.hand_seen() {
            course.hear(Added::Hand, chunk_time);
        }
        if let Some(typing) = gathered.free_typing() {
            course.hear_typing(typing);
        }
        Self {
            event_id: event.event_id,
            worker_id: event.worker_id,
            session_id: event.session_id,
            content_hash,
            update,
            gathered,
            course,
            next: 1,
            opened,
            latest: chunk_time,
            interval_micros,
            given: None,
            nonce: None,
        }
    }

    pub(super) fn with_nonce(self, nonce: Option<NonceClaim>) -> Self {
        Self { nonce, ..self }
    }

    pub(super) fn nonce(&self) -> Option<NonceClaim> {
        self.nonce
    }

    /// The opening event's name.
    pub fn event_id(&self) -> &str {
        &self.event_id
    }

    /// The worker.
    pub fn worker_id(&self) -> &str {
        &self.worker_id
    }

    /// Hash of the opening event: equal hashes mean equal openings.
    pub fn content_hash(&self) -> [u8; 32] {
        self.content_hash
    }

    /// When the opening event happened.
    pub fn opened(&self) -> EventTime {
        self.opened
    }

    /// When the samples taken last end.
    pub fn latest(&self) -> EventTime {
        self.latest
    }

    /// Highest sequence number taken into account.
    pub fn acknowledged(&self) -> u64 {
        self.next - 1
    }

    /// Where a message of this number stands.
    pub fn place(&self, sequence_number: u64) -> Place {
        match sequence_number.cmp(&self.next) {
            std::cmp::Ordering::Less => Place::Known,
            std::cmp::Ordering::Equal => Place::Next,
            std::cmp::Ordering::Greater => Place::Gap { expected: self.next },
        }
    }

    /// Takes the next message, whose samples end at `time`. What was gathered for a verdict before is cut to its limits.
    pub fn take(&mut self, chunk: Chunk, time: EventTime) {
        self.next += 1;
        self.latest = self.latest.max(time);
        if let Chunk::Typing(typing) = &chunk {
            self.course.hear_typing(typing);
        }
        let added = self.gathered.add(chunk);
        self.gathered.trim();
        self.course.hear(added, time);
    }

    /// Takes note of the next message without taking its content: it was refused, or it closes.
    pub fn pass(&mut self) {
        self.next += 1;
    }

    /// Whether a verdict of this level is due: the first, a change of level, or one whose interval has passed since the
    /// last. Once due it counts as given.
    pub fn due(&mut self, level: RiskLevel) -> bool {
        let due = match self.given {
            None => true,
            Some((_, before)) if before != level => true,
            Some((given, _)) => self.latest.micros_since(given) >= self.interval_micros,
        };
        if due {
            self.given = Some((self.latest, level));
        }
        due
    }

    /// Asks for a verdict at the next look whatever the interval says, as after a resumption.
    pub fn ask(&mut self) {
        self.given = None;
    }

    /// Cuts what the opening brought to what a session keeps. Called once the opening itself was judged in full.
    pub fn trim(&mut self) {
        self.gathered.trim();
    }

    /// Name of event and worker, what was gathered, its course, and the latest chunk's time.
    pub(super) fn parts(&mut self) -> (&String, &String, &Gathered, &mut Course, EventTime) {
        (&self.event_id, &self.worker_id, &self.gathered, &mut self.course, self.latest)
    }

    /// The session as one event: what its last verdict is about, under the opening's name, time and content.
    pub(super) fn submission(&self) -> Submission {
        let event = Event {
            event_id: self.event_id.clone(),
            worker_id: self.worker_id.clone(),
            session_id: self.session_id.clone(),
            samples: self.gathered.whole().clone(),
        };
        Submission { event, content_hash: self.content_hash, update: self.update, model_id: String::new() }
    }
}

#[cfg(test)]
mod tests;
