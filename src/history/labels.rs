//! What people found out about workers: kept by worker, erased with the worker, answered once per feedback id.

use super::lock;
use crate::event::{EventTime, Feedback, limits};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// One entry of feedback as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFeedback {
    /// What was told.
    pub feedback: Feedback,
    /// The worker it concerns: the one named, or the one behind the event or session.
    pub worker_id: String,
    /// Hash of the entry as it came: equal hashes mean equal entries.
    pub content_hash: [u8; 32],
    /// When it came, by the service's clock.
    pub record_time: EventTime,
    /// Whether an entry on the same subject with a later review stands in its place.
    pub superseded: bool,
    /// What the first answer said: whether it superseded another.
    pub superseding: bool,
}

impl KeptFeedback {
    /// When the review ended; when it came if that was not told.
    pub fn review_time(&self) -> EventTime {
        self.feedback.review_time.unwrap_or(self.record_time)
    }
}

/// What came of an entry.
#[derive(Debug)]
pub enum Recorded {
    /// It was new.
    First {
        /// Whether it superseded an earlier label on the same subject.
        superseding: bool,
        /// Resolves when it is persisted.
        durable: super::Durable,
    },
    /// It had come before; nothing changed.
    Repeated {
        /// What was answered then.
        superseding: bool,
        /// Resolves when the first is persisted.
        durable: super::Durable,
    },
    /// Its id was used for other content.
    Different {
        /// When it was first used.
        record_time: EventTime,
    },
    /// As many entries of the worker are kept as may be.
    TooMany,
}

/// How an entry fits in with those before.
pub(super) enum Placed {
    /// It is kept, with those it superseded, to be written down.
    New {
        entry: Arc<KeptFeedback>,
        written: Vec<Arc<KeptFeedback>>,
        /// Numbers of the reasons that entries in force clear, rising.
        cleared: Vec<u16>,
    },
    Known(Arc<KeptFeedback>),
    Full,
}

#[derive(Default)]
struct Inside {
    by_id: HashMap<String, Arc<KeptFeedback>>,
    by_worker: HashMap<String, Vec<Arc<KeptFeedback>>>,
}

/// The feedback of one tenant.
#[derive(Default)]
pub(super) struct Labels {
    inside: Mutex<Inside>,
}

impl Labels {
    /// Places an entry. Of those on one subject the one with the latest review is in force; of equals the last to come.
    pub(super) fn place(&self, mut entry: KeptFeedback) -> Placed {
        let mut inside = lock(&self.inside);
        let Inside { by_id, by_worker } = &mut *inside;
        if let Some(known) = by_id.get(&entry.feedback.feedback_id) {
            return Placed::Known(Arc::clone(known));
        }
        let all = by_worker.entry(entry.worker_id.clone()).or_default();
        if all.len() >= limits::FEEDBACK_PER_WORKER_MAX {
            return Placed::Full;
        }
        let mut written = Vec::new();
        let same =
            |kept: &&mut Arc<KeptFeedback>| !kept.superseded && kept.feedback.subject.same(&entry.feedback.subject);
        if let Some(kept) = all.iter_mut().find(same) {
            if kept.review_time() > entry.review_time() {
                entry.superseded = true;
            } else {
                entry.superseding = true;
                let old = KeptFeedback { superseded: true, ..KeptFeedback::clone(kept) };
                *kept = Arc::new(old);
                by_id.insert(kept.feedback.feedback_id.clone(), Arc::clone(kept));
                written.push(Arc::clone(kept));
            }
        }
        let entry = Arc::new(entry);
        all.push(Arc::clone(&entry));
        by_id.insert(entry.feedback.feedback_id.clone(), Arc::clone(&entry));
        written.push(Arc::clone(&entry));
        let in_force = all.iter().filter(|kept| !kept.superseded);
        let mut cleared: Vec<u16> = in_force.flat_map(|kept| kept.feedback.cleared_reasons.iter().copied()).collect();
        cleared.sort_unstable();
        cleared.dedup();
        Placed::New { entry, written, cleared }
    }

    /// Puts back an entry as it was read from disk.
    pub(super) fn restore(&self, entry: KeptFeedback) {
        let entry = Arc::new(entry);
        let mut inside = lock(&self.inside);
        inside.by_worker.entry(entry.worker_id.clone()).or_default().push(Arc::clone(&entry));
        inside.by_id.insert(entry.feedback.feedback_id.clone(), entry);
    }

    /// Forgets a worker's entries. Returns their ids.
    pub(super) fn forget(&self, worker: &str) -> Vec<String> {
        let mut inside = lock(&self.inside);
        let gone = inside.by_worker.remove(worker).unwrap_or_default();
        let ids: Vec<String> = gone.iter().map(|kept| kept.feedback.feedback_id.clone()).collect();
        ids.iter().for_each(|id| drop(inside.by_id.remove(id)));
        ids
    }

    /// Workers of whom no entry came after `time`.
    pub(super) fn silent_since(&self, time: EventTime) -> Vec<String> {
        let inside = lock(&self.inside);
        let silent = inside.by_worker.iter().filter(|(_, all)| all.iter().all(|kept| kept.record_time < time));
        silent.map(|(worker, _)| worker.clone()).collect()
    }

    /// All entries, by time of recording and id.
    pub(super) fn all(&self) -> Vec<Arc<KeptFeedback>> {
        let mut all: Vec<_> = lock(&self.inside).by_id.values().cloned().collect();
        all.sort_by(|a, b| (a.record_time, &a.feedback.feedback_id).cmp(&(b.record_time, &b.feedback.feedback_id)));
        all
    }
}
