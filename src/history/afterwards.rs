//! What happens after a login: changes told to watchers, labels given by reviewers, links asked for, others implicated.
//!
//! The second half of the trait every store answers to, apart from [`super::Store`] so that the path of a login stays
//! short enough to read.

use super::format;
use super::hands::Hands;
use super::journal::{Shelf, Write};
use super::labels::{KeptFeedback, Placed, Recorded};
use super::memory::MemoryStore;
use super::neighbours::Neighbour;
use super::nonces::NonceKey;
use super::pools::Contribution;
use super::store::given;
use super::tenant_room::{Entry, Room};
use super::{Durable, Kept, Record, StoreError, TenantId, TokenKind, Visit, lock};
use crate::event::{EventTime, Token};
use crate::evidence::typing::Hand;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Called whenever a standing's change is on disk. Must not block.
pub type Listener = Arc<dyn Fn() + Send + Sync>;

/// Number of an operator cluster; kept per worker, so that it is erased with the worker.
pub type ClusterName = u64;

/// The names of clusters by worker.
pub type ClusterNames = HashMap<Arc<str>, ClusterName>;

/// Sees the names in force and returns those that change, `None` for no cluster.
pub type Rename<'a> = dyn FnMut(&ClusterNames) -> Vec<(Arc<str>, Option<ClusterName>)> + 'a;

/// Number of a worker's latest change of standing, and the worker.
pub type Change = (u64, Arc<str>);

/// Everybody who was seen with one token.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'a> {
    /// What the token stands for.
    pub kind: TokenKind,
    /// The token.
    pub token: Token,
    /// The workers, by id; at least two.
    pub holders: &'a [Neighbour],
}

/// Brings a worker's record in line with a label: the worker in hand, the reasons cleared by all labels in force, and
/// those of them that this label clears. Numbers are those of the wire.
pub type Settle<'a, R> = dyn FnMut(&mut Visit<'_, R>, &[u16], &[u16]) + 'a;

/// What is asked of a store besides answering events.
pub trait Afterwards<R: Record>: Send + Sync {
    /// Takes a known worker in hand, outside any event of its own; `None` when nothing is kept of the worker.
    ///
    /// `time` dates what is changed. Returns the promise that the change is persisted.
    fn revisit(
        &self,
        tenant: TenantId,
        worker_id: &str,
        time: EventTime,
        change: &mut dyn FnMut(&mut Visit<'_, R>),
    ) -> Result<Option<Durable>, StoreError>;

    /// Has `listener` called whenever changes of standings are on disk, in any tenant.
    fn listen(&self, listener: Listener);

    /// The number of the latest change of a standing: where a watcher starts.
    fn latest_change(&self, tenant: TenantId) -> Result<u64, StoreError>;

    /// At most `limit` workers whose standing changed after a number, by the number of their latest change. `None` when
    /// the number is not this store's any more: an erasure came between, or the store is another.
    fn changes_after(&self, tenant: TenantId, number: u64, limit: usize) -> Result<Option<Vec<Change>>, StoreError>;

    /// A secret of the store for one tenant and purpose. The same after a restart, where anything is.
    fn key(&self, tenant: TenantId, purpose: &str) -> Result<[u8; 32], StoreError>;

    /// What makes and checks a tenant's nonces.
    fn nonce_key(&self, tenant: TenantId) -> Result<NonceKey, StoreError> {
        self.key(tenant, "nonce").map(NonceKey::new)
    }

    /// The worker of an event whose verdict is kept.
    fn worker_of_event(&self, tenant: TenantId, event_id: &str) -> Result<Option<Arc<str>>, StoreError>;

    /// The worker of a session, as long as the verdict of its latest event is kept. Known under the service's clock only.
    fn worker_of_session(&self, tenant: TenantId, session_id: &str) -> Result<Option<Arc<str>>, StoreError>;

    /// Records an entry of feedback, and with it what it changes of the worker.
    fn record_feedback(
        &self,
        tenant: TenantId,
        entry: KeptFeedback,
        settle: &mut Settle<'_, R>,
    ) -> Result<Recorded, StoreError>;

    /// All feedback of a tenant, in the order it came: what recalibration reads.
    fn feedback(&self, tenant: TenantId) -> Result<Vec<Arc<KeptFeedback>>, StoreError>;

    /// Shows every token that at least two workers were seen with, crowds aside; with a worker, its own tokens only. In
    /// no particular order.
    fn shared_tokens(
        &self,
        tenant: TenantId,
        worker_id: Option<&str>,
        visit: &mut dyn FnMut(&Shared<'_>),
    ) -> Result<(), StoreError>;

    /// Shows the record of one worker without copying it; whether there is one. `see` holds the worker and must not ask
    /// the store for anything.
    fn peek(&self, tenant: TenantId, worker_id: &str, see: &mut dyn FnMut(&R)) -> Result<bool, StoreError>;

    /// The hands of a tenant, as they were placed.
    fn hands(&self, tenant: TenantId) -> Result<Arc<Hands>, StoreError>;

    /// Places the hands that have grown, as `embed` makes them of a record; of other parameters than before, which
    /// `stamp` tells, all of them.
    fn place_hands(
        &self,
        tenant: TenantId,
        stamp: u64,
        embed: &dyn Fn(&R) -> Option<Hand>,
    ) -> Result<Arc<Hands>, StoreError>;

    /// Renames workers' clusters as `assign` says.
    fn name_clusters(&self, tenant: TenantId, assign: &mut Rename<'_>) -> Result<Durable, StoreError>;
}

/// Who is told of changes.
#[derive(Default)]
pub(super) struct Listeners(RwLock<Vec<Listener>>);

impl Listeners {
    pub(super) fn call(&self) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|listener| listener());
    }
}

impl<R: Record, V: Kept> MemoryStore<R, V> {
    /// Notes a change of standing. Returns what is to be written, and what is to be done once it is.
    pub(super) fn tell(
        &self,
        room: &Room<R, V>,
        worker: &Arc<str>,
        raised: bool,
    ) -> (Write, impl FnOnce() + Send + use<R, V>) {
        let number = room.changes.note(worker, raised);
        let key = format::name_key(room.number, worker);
        let write = Write { shelf: Shelf::Changes, key, value: Some(format::encode_change(number, raised)) };
        let (changes, listeners) = (Arc::clone(&room.changes), Arc::clone(&self.listeners));
        (write, move || {
            changes.settle(number);
            listeners.call();
        })
    }

    /// Takes a known worker in hand under its shard's lock and hands what changed to the disk, with `writes`.
    fn touch(
        &self,
        room: &Room<R, V>,
        entry: &mut Entry<R>,
        time: EventTime,
        change: &mut dyn FnMut(&mut Visit<'_, R>),
        mut writes: Vec<Write>,
    ) -> Result<Durable, StoreError> {
        let worker = Arc::clone(&entry.worker);
        let (mut changed, mut told) = (false, None);
        if let Some(record) = entry.record.as_deref_mut() {
            let mut visit = Visit {
                worker: &worker,
                time,
                known: true,
                record,
                scratch: None,
                held: &mut entry.held,
                neighbours: &room.neighbours,
                pools: &room.pools,
                given: Contribution::new(),
                hands: &room.hands,
                hand_age: None,
                erased_after: None,
                teaches: true,
                changed: false,
                raised: None,
            };
            change(&mut visit);
            (changed, told) = (visit.changed, visit.raised);
            if changed {
                room.pools.replace(&visit.given, &given(visit.record));
                if visit.record.hand_age() != visit.hand_age {
                    room.hands.grown(&worker);
                }
            }
        }
        let told = told.filter(|_| changed).map(|raised| self.tell(room, &worker, raised));
        let Some(backing) = self.backing.as_deref() else {
            if let Some((_, settle)) = told {
                settle();
            }
            return Ok(Durable::settled(Ok(())));
        };
        if let Some(record) = entry.record.as_deref().filter(|_| changed) {
            let value = Some(format::encode_worker(record, &entry.held)?);
            writes.push(Write { shelf: Shelf::Workers, key: format::name_key(room.number, &worker), value });
        }
        match told {
            Some((write, settle)) => {
                writes.push(write);
                Ok(backing.submit_now(writes, Box::new(settle)))
            }
            None => Ok(backing.submit_at_once(writes)),
        }
    }
}

impl<R: Record, V: Kept> Room<R, V> {
    /// Forgets what is kept of a worker besides record, tokens and verdicts. Returns how many entries of feedback went,
    /// and what is to be removed from disk.
    pub(super) fn let_go(&self, worker: &str) -> (u32, Vec<Write>) {
        let mut writes = Vec::new();
        let ids = self.labels.forget(worker);
        for id in &ids {
            writes.push(Write { shelf: Shelf::Labels, key: format::name_key(self.number, id), value: None });
        }
        let (changed, floor) = self.changes.forget(worker);
        if changed {
            writes.push(Write { shelf: Shelf::Changes, key: format::name_key(self.number, worker), value: None });
        }
        if let Some(floor) = floor {
            let value = Some(format::encode_change(floor, false));
            writes.push(Write { shelf: Shelf::Changes, key: format::name_key(self.number, ""), value });
        }
        if lock(&self.clusters).remove(worker).is_some() {
            writes.push(Write { shelf: Shelf::Clusters, key: format::name_key(self.number, worker), value: None });
        }
        lock(&self.sessions).retain(|_, (of, _)| **of != *worker);
        (u32::try_from(ids.len()).unwrap_or(u32::MAX), writes)
    }
}

impl<R: Record, V: Kept> Afterwards<R> for MemoryStore<R, V> {
    fn revisit(
        &self,
        tenant: TenantId,
        worker_id: &str,
        time: EventTime,
        change: &mut dyn FnMut(&mut Visit<'_, R>),
    ) -> Result<Option<Durable>, StoreError> {
        let room = self.room(tenant)?;
        self.backing.as_ref().map_or(Ok(()), |backing| backing.failure())?;
        let mut shard = lock(room.shard(worker_id));
        let known = shard.get_mut(worker_id).filter(|entry| entry.record.is_some());
        known.map(|entry| self.touch(&room, entry, time, change, Vec::new())).transpose()
    }

    fn listen(&self, listener: Listener) {
        self.listeners.0.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    fn latest_change(&self, tenant: TenantId) -> Result<u64, StoreError> {
        Ok(self.room(tenant)?.changes.latest())
    }

    fn changes_after(&self, tenant: TenantId, number: u64, limit: usize) -> Result<Option<Vec<Change>>, StoreError> {
        Ok(self.room(tenant)?.changes.after(number, limit))
    }

    fn key(&self, tenant: TenantId, purpose: &str) -> Result<[u8; 32], StoreError> {
        Ok(self.secret.key(self.room(tenant)?.number, purpose))
    }

    fn worker_of_event(&self, tenant: TenantId, event_id: &str) -> Result<Option<Arc<str>>, StoreError> {
        let room = self.room(tenant)?;
        if let Some(reply) = room.replies.find(event_id) {
            return Ok(Some(reply.worker));
        }
        let Some(backing) = &self.backing else { return Ok(None) };
        let found = backing.find_reply(room.number, event_id)?;
        Ok(found.filter(|reply| !room.replies.expired(reply.clock)).map(|reply| reply.worker))
    }

    fn worker_of_session(&self, tenant: TenantId, session_id: &str) -> Result<Option<Arc<str>>, StoreError> {
        let room = self.room(tenant)?;
        if let Some(backing) = &self.backing {
            let found = backing.find_session(room.number, session_id)?;
            return Ok(found.filter(|(clock, _)| !room.replies.expired(*clock)).map(|(_, worker)| worker.into()));
        }
        let found = lock(&room.sessions).get(session_id).cloned();
        Ok(found.filter(|(_, clock)| !room.replies.expired(*clock)).map(|(worker, _)| worker))
    }

    fn record_feedback(
        &self,
        tenant: TenantId,
        entry: KeptFeedback,
        settle: &mut Settle<'_, R>,
    ) -> Result<Recorded, StoreError> {
        let room = self.room(tenant)?;
        self.backing.as_ref().map_or(Ok(()), |backing| backing.failure())?;
        let worker: Arc<str> = entry.worker_id.as_str().into();
        let hash = entry.content_hash;
        let time = entry.record_time;
        let mut shard = lock(room.shard(&worker));
        let (entry, written, cleared) = match room.labels.place(entry) {
            Placed::Full => return Ok(Recorded::TooMany),
            Placed::Known(known) if known.content_hash == hash => {
                return Ok(Recorded::Repeated { superseding: known.superseding, durable: self.barrier() });
            }
            Placed::Known(known) => return Ok(Recorded::Different { record_time: known.record_time }),
            Placed::New { entry, written, cleared } => (entry, written, cleared),
        };
        let mut writes = Vec::with_capacity(written.len() + 2);
        for one in &written {
            let key = format::name_key(room.number, &one.feedback.feedback_id);
            writes.push(Write { shelf: Shelf::Labels, key, value: Some(format::encode_label(one)?) });
        }
        let fresh: &[u16] = if entry.superseded { &[] } else { &entry.feedback.cleared_reasons };
        let mut change = |visit: &mut Visit<'_, R>| settle(visit, &cleared, fresh);
        let mut stranger = Entry { worker, record: None, held: Vec::new(), ledger: None };
        let worker = entry.worker_id.as_str();
        let of = shard.get_mut(worker).unwrap_or(&mut stranger);
        let durable = self.touch(&room, of, time, &mut change, writes)?;
        Ok(Recorded::First { superseding: entry.superseding, durable })
    }

    fn feedback(&self, tenant: TenantId) -> Result<Vec<Arc<KeptFeedback>>, StoreError> {
        Ok(self.room(tenant)?.labels.all())
    }

    fn shared_tokens(
        &self,
        tenant: TenantId,
        worker_id: Option<&str>,
        visit: &mut dyn FnMut(&Shared<'_>),
    ) -> Result<(), StoreError> {
        let room = self.room(tenant)?;
        let Some(worker_id) = worker_id else {
            room.neighbours.each_shared(visit);
            return Ok(());
        };
        let tokens: Vec<(TokenKind, Token)> = {
            let shard = lock(room.shard(worker_id));
            let held = shard.get(worker_id).map_or(&[][..], |entry| &entry.held);
            held.iter().map(|held| (held.kind, held.token)).collect()
        };
        for key in tokens {
            room.neighbours.shared(&key, visit);
        }
        Ok(())
    }

    fn peek(&self, tenant: TenantId, worker_id: &str, see: &mut dyn FnMut(&R)) -> Result<bool, StoreError> {
        let room = self.room(tenant)?;
        let shard = lock(room.shard(worker_id));
        let record = shard.get(worker_id).and_then(|entry| entry.record.as_deref());
        record.into_iter().for_each(&mut *see);
        Ok(record.is_some())
    }

    fn hands(&self, tenant: TenantId) -> Result<Arc<Hands>, StoreError> {
        Ok(Arc::clone(&self.room(tenant)?.hands))
    }

    fn place_hands(
        &self,
        tenant: TenantId,
        stamp: u64,
        embed: &dyn Fn(&R) -> Option<Hand>,
    ) -> Result<Arc<Hands>, StoreError> {
        let room = self.room(tenant)?;
        let _placing = room.hands.placing();
        if room.hands.begin(stamp) {
            for shard in &room.shards {
                let shard = lock(shard);
                let aged =
                    shard.values().filter(|entry| entry.record.as_deref().is_some_and(|one| one.hand_age().is_some()));
                aged.for_each(|entry| room.hands.grown(&entry.worker));
            }
        }
        for worker in room.hands.take_grown() {
            // Under the worker's lock, or one who is erased just now would be placed again.
            let shard = lock(room.shard(&worker));
            if let Some(record) = shard.get(&worker).and_then(|entry| entry.record.as_deref()) {
                room.hands.place(&worker, embed(record));
            }
        }
        Ok(Arc::clone(&room.hands))
    }

    fn name_clusters(&self, tenant: TenantId, assign: &mut Rename<'_>) -> Result<Durable, StoreError> {
        let room = self.room(tenant)?;
        self.backing.as_ref().map_or(Ok(()), |backing| backing.failure())?;
        let renamed = assign(&lock(&room.clusters));
        let mut writes = Vec::with_capacity(renamed.len());
        for (worker, name) in renamed {
            // Under the worker's lock, or one who is erased just now would keep a name.
            let shard = lock(room.shard(&worker));
            let name = name.filter(|_| shard.get(&worker).is_some_and(|entry| entry.record.is_some()));
            let mut clusters = lock(&room.clusters);
            let value = name.map(format::encode_cluster);
            writes.push(Write { shelf: Shelf::Clusters, key: format::name_key(room.number, &worker), value });
            match name {
                Some(name) => clusters.insert(worker, name),
                None => clusters.remove(&worker),
            };
        }
        let backing = self.backing.as_ref().filter(|_| !writes.is_empty());
        Ok(backing.map_or_else(|| Durable::settled(Ok(())), |backing| backing.submit_at_once(writes)))
    }
}
