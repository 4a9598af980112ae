//! What a disk does for the map, and what the map hands to it.

use super::format;
use super::journal::{Released, Shelf, Write};
use super::memory::MemoryStore;
use super::nonces::Spent;
use super::replies::Reply;
use super::tenant_room::{Entry, Room};
use super::{Durable, Kept, Record, StoreError};
use crate::event::EventTime;
use std::sync::Arc;

/// What a disk does for the map. Implemented by `durable`.
pub(super) trait Backing<V>: Send + Sync {
    /// Why nothing can be written any more, if so.
    fn failure(&self) -> Result<(), StoreError>;
    /// Queues writes; may wait for room.
    fn submit(&self, writes: Vec<Write>, released: Released) -> Durable;
    /// Queues writes without waiting for room.
    fn submit_at_once(&self, writes: Vec<Write>) -> Durable;
    /// The same, with something to be done once they are on disk.
    fn submit_now(&self, writes: Vec<Write>, released: Released) -> Durable;
    /// The worker of a session, with the clock of its latest event.
    fn find_session(&self, tenant: u32, session_id: &str) -> Result<Option<(EventTime, String)>, StoreError>;
    /// Resolves when everything queued is persisted.
    fn barrier(&self) -> Durable;
    /// A persisted reply.
    fn find_reply(&self, tenant: u32, event_id: &str) -> Result<Option<Reply<V>>, StoreError>;
    /// Shows the clock and event id of every persisted reply of a worker, or of all workers.
    fn replies_of(
        &self,
        tenant: u32,
        worker: Option<&str>,
        visit: &mut dyn FnMut(ReplyName<'_>),
    ) -> Result<(), StoreError>;
}

/// How a persisted reply is found from its worker.
pub(super) struct ReplyName<'a> {
    /// Where this very entry stands.
    pub(super) key: &'a [u8],
    pub(super) clock: EventTime,
    pub(super) event_id: &'a str,
    /// The session of the event; empty when it named none.
    pub(super) session_id: &'a str,
}

/// What is written beside verdict and record.
pub(super) struct Beside<'a> {
    /// The session of the event; empty when it named none.
    pub(super) session_id: &'a str,
    /// The nonce the event used, and those that have lapsed meanwhile.
    pub(super) spent: Option<(Spent, Vec<Spent>)>,
    /// Whether the worker stands out now, when that changed.
    pub(super) told: Option<bool>,
}

impl<R: Record, V: Kept> MemoryStore<R, V> {
    /// Hands a scored event to the disk, with the worker if it changed.
    pub(super) fn persist(
        &self,
        backing: &dyn Backing<V>,
        room: &Room<R, V>,
        changed: Option<&Entry<R>>,
        event_id: &Arc<str>,
        reply: &Reply<V>,
        Beside { session_id, spent, told }: Beside<'_>,
    ) -> Result<Durable, StoreError> {
        let mut writes = Vec::with_capacity(4);
        if let Some((name, lapsed)) = spent {
            let write =
                |name: &Spent, value| Write { shelf: Shelf::Nonces, key: format::nonce_key(room.number, name), value };
            writes.extend(lapsed.iter().map(|name| write(name, None)));
            writes.push(write(&name, Some(Vec::new())));
        }
        if !session_id.is_empty() {
            let value = Some(format::encode_session(reply.clock, &reply.worker));
            writes.push(Write { shelf: Shelf::Sessions, key: format::name_key(room.number, session_id), value });
        }
        if let Some((entry, record)) = changed.and_then(|entry| Some((entry, entry.record.as_deref()?))) {
            writes.push(Write {
                shelf: Shelf::Workers,
                key: format::name_key(room.number, &entry.worker),
                value: Some(format::encode_worker(record, &entry.held)?),
            });
        }
        writes.push(Write {
            shelf: Shelf::Replies,
            key: format::name_key(room.number, event_id),
            value: Some(format::encode_reply(reply)?),
        });
        writes.push(Write {
            shelf: Shelf::RepliesOfWorkers,
            key: format::reply_of_worker_key(room.number, &reply.worker, reply.clock, event_id),
            value: Some(session_id.as_bytes().to_vec()),
        });
        let (replies, clock, event_id) = (Arc::clone(&room.replies), reply.clock, Arc::clone(event_id));
        if let Some(raised) = told {
            let (write, settle) = self.tell(room, &reply.worker, raised);
            writes.push(write);
            let released = Box::new(move || {
                replies.release(&event_id, clock);
                settle();
            });
            return Ok(backing.submit(writes, released));
        }
        Ok(backing.submit(writes, Box::new(move || replies.release(&event_id, clock))))
    }

    /// Removes persisted replies of one worker, or with `None` those of all workers that have expired.
    pub(super) fn remove_replies(
        &self,
        backing: &dyn Backing<V>,
        room: &Room<R, V>,
        worker: Option<&str>,
    ) -> Result<u32, StoreError> {
        let (mut count, mut outcome) = (0, Ok(()));
        backing.replies_of(room.number, worker, &mut |name| {
            let expired = room.replies.expired(name.clock);
            if (worker.is_none() && !expired) || outcome.is_err() {
                return;
            }
            // Under the id's lock, or a reply entered anew just now would be removed for its forebear's sake.
            room.replies.unless_entered(name.event_id, || {
                let mut writes = vec![Write { shelf: Shelf::RepliesOfWorkers, key: name.key.to_vec(), value: None }];
                match backing.find_reply(room.number, name.event_id) {
                    Ok(Some(reply)) if reply.clock == name.clock => {
                        let key = format::name_key(room.number, name.event_id);
                        writes.push(Write { shelf: Shelf::Replies, key, value: None });
                        if !name.session_id.is_empty() {
                            match backing.find_session(room.number, name.session_id) {
                                Ok(Some((clock, _))) if clock == name.clock => {
                                    let key = format::name_key(room.number, name.session_id);
                                    writes.push(Write { shelf: Shelf::Sessions, key, value: None });
                                }
                                Ok(_) => {}
                                Err(error) => outcome = Err(error),
                            }
                        }
                        count += u32::from(worker.is_none() || !expired);
                    }
                    Ok(_) => {}
                    Err(error) => outcome = Err(error),
                }
                // Whoever asked waits for a later write, and writes persist in order.
                drop(backing.submit_at_once(writes));
            });
        })?;
        outcome.map(|()| count)
    }
}
