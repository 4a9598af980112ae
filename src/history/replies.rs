//! Which event ids were answered, with what content and what verdict: idempotency within memory.
//!
//! The clock here only moves forward; a reply is forgotten once the clock has passed its entry by the retention. A
//! forgotten reply may still lie in memory until its shard is next written to, but is never given out: answers must
//! not depend on where a hash put an id.
//!
//! Over a database the map holds only what is on its way to the disk, and [`Replies::release`] empties it.

use super::{SHARDS, lock};
use crate::event::EventTime;
use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// A reply as it is kept.
pub(super) struct Reply<V> {
    /// Hash of the event it answers.
    pub(super) content_hash: [u8; 32],
    /// The worker of that event.
    pub(super) worker: Arc<str>,
    /// When it was given.
    pub(super) assess_time: EventTime,
    /// What the clock showed when it was entered.
    pub(super) clock: EventTime,
    /// The verdict; `None` while the event is being scored.
    pub(super) verdict: Option<Arc<V>>,
}

impl<V> Clone for Reply<V> {
    fn clone(&self) -> Self {
        Reply {
            content_hash: self.content_hash,
            worker: Arc::clone(&self.worker),
            assess_time: self.assess_time,
            clock: self.clock,
            verdict: self.verdict.clone(),
        }
    }
}

struct Shard<V> {
    replies: HashMap<Arc<str>, Reply<V>>,
    /// Ids in order of entry, thus of `clock`. May name replies that are gone or were entered anew.
    entered: VecDeque<(EventTime, Arc<str>)>,
}

/// The replies of one tenant.
pub(super) struct Replies<V> {
    shards: Vec<Mutex<Shard<V>>>,
    hasher: RandomState,
    clock: AtomicI64,
    retention_micros: i64,
    /// Whether replies stay here until they expire, rather than until they are on disk.
    lasting: bool,
}

/// What an event id is found to be.
pub(super) enum Found<'a, V> {
    /// New: it is reserved, and the reservation falls unless it is filled.
    New(Reservation<'a, V>),
    /// Answered, or being scored for another event.
    Known(Reply<V>),
}

/// The right to answer an event id. Dropped unfilled, as when scoring panics, it leaves the id free.
pub(super) struct Reservation<'a, V> {
    replies: &'a Replies<V>,
    event_id: Option<Arc<str>>,
}

impl<V> Replies<V> {
    /// An empty map.
    pub(super) fn new(retention_micros: i64, lasting: bool) -> Replies<V> {
        let shard = || Mutex::new(Shard { replies: HashMap::new(), entered: VecDeque::new() });
        Replies {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            clock: AtomicI64::new(0),
            retention_micros,
            lasting,
        }
    }

    fn shard(&self, event_id: &str) -> &Mutex<Shard<V>> {
        &self.shards[self.hasher.hash_one(event_id) as usize % SHARDS]
    }

    /// Moves the clock forward to `time`, never back, and says what it shows.
    pub(super) fn advance(&self, time: EventTime) -> EventTime {
        EventTime(self.clock.fetch_max(time.0, Ordering::Relaxed).max(time.0))
    }

    /// Whether a reply entered at `entered` is forgotten by now.
    pub(super) fn expired(&self, entered: EventTime) -> bool {
        EventTime(self.clock.load(Ordering::Relaxed)).micros_since(entered) > self.retention_micros
    }

    /// Looks an event id up and reserves it if it is new. `elsewhere` is asked when memory knows nothing of it, under
    /// the lock, so that a reply on its way from memory to disk is seen in one of the two.
    pub(super) fn reserve<E>(
        &self,
        event_id: &str,
        blank: Reply<V>,
        elsewhere: impl FnOnce() -> Result<Option<Reply<V>>, E>,
    ) -> Result<Found<'_, V>, E> {
        let mut shard = lock(self.shard(event_id));
        if let Some(reply) = shard.replies.get(event_id)
            && !self.expired(reply.clock)
        {
            return Ok(Found::Known(reply.clone()));
        }
        if let Some(reply) = elsewhere()?
            && !self.expired(reply.clock)
        {
            return Ok(Found::Known(reply));
        }
        let event_id: Arc<str> = event_id.into();
        if self.lasting {
            self.sweep(&mut shard);
            shard.entered.push_back((blank.clock, Arc::clone(&event_id)));
        }
        shard.replies.insert(Arc::clone(&event_id), blank);
        Ok(Found::New(Reservation { replies: self, event_id: Some(event_id) }))
    }

    /// Drops what has expired from the front, and names of replies that went otherwise once they outweigh the rest.
    fn sweep(&self, shard: &mut Shard<V>) -> u64 {
        let before = shard.replies.len();
        while let Some((clock, _)) = shard.entered.front()
            && self.expired(*clock)
        {
            if let Some((clock, event_id)) = shard.entered.pop_front()
                && let Entry::Occupied(entry) = shard.replies.entry(event_id)
                && entry.get().clock == clock
            {
                entry.remove();
            }
        }
        let gone = before - shard.replies.len();
        if shard.entered.len() > 2 * shard.replies.len() + 16 {
            let Shard { replies, entered } = shard;
            entered.retain(|(clock, event_id)| replies.get(event_id).is_some_and(|reply| reply.clock == *clock));
        }
        gone as u64
    }

    /// Drops everything expired. Returns how many.
    pub(super) fn expire(&self) -> u64 {
        self.shards.iter().map(|shard| self.sweep(&mut lock(shard))).sum()
    }

    /// The reply to an event id, from memory only; `None` while it is being scored.
    pub(super) fn find(&self, event_id: &str) -> Option<Reply<V>> {
        let shard = lock(self.shard(event_id));
        let reply = shard.replies.get(event_id)?;
        (reply.verdict.is_some() && !self.expired(reply.clock)).then(|| reply.clone())
    }

    /// Forgets the reply to an event id that was entered at `clock`. Returns whether it was there and not expired.
    pub(super) fn remove(&self, event_id: &str, clock: EventTime) -> bool {
        let mut shard = lock(self.shard(event_id));
        let entered_then = shard.replies.get(event_id).is_some_and(|reply| reply.clock == clock);
        entered_then && shard.replies.remove(event_id).is_some() && !self.expired(clock)
    }

    /// Lets go of a reply, entered at `clock`, that has reached the disk.
    pub(super) fn release(&self, event_id: &str, clock: EventTime) {
        let mut shard = lock(self.shard(event_id));
        if shard.replies.get(event_id).is_some_and(|reply| reply.clock == clock) {
            shard.replies.remove(event_id);
        }
    }

    /// Runs `act` unless memory holds the event id, and keeps others from entering it meanwhile.
    pub(super) fn unless_entered(&self, event_id: &str, act: impl FnOnce()) {
        let shard = lock(self.shard(event_id));
        if !shard.replies.contains_key(event_id) {
            act();
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        self.shards
            .iter()
            .map(lock)
            .fold((0, 0), |sum, shard| (sum.0 + shard.replies.len(), sum.1 + shard.entered.len()))
    }
}

impl<V> Reservation<'_, V> {
    /// Enters the verdict. Returns the id as it is kept.
    pub(super) fn fill(mut self, verdict: Arc<V>) -> Arc<str> {
        // INVARIANT: `event_id` is taken only here and in `drop`, so it is there.
        let event_id = self.event_id.take().unwrap_or_else(|| Arc::from(""));
        if let Some(reply) = lock(self.replies.shard(&event_id)).replies.get_mut(&event_id) {
            reply.verdict = Some(verdict);
        }
        event_id
    }
}

impl<V> Drop for Reservation<'_, V> {
    fn drop(&mut self) {
        if let Some(event_id) = &self.event_id {
            lock(self.replies.shard(event_id)).replies.remove(event_id);
        }
    }
}
