//! The sharded map: all that is kept, in memory, with or without a disk behind it.
//!
//! A worker's shard stays locked while its event is scored, so events of one worker come one after another, and what
//! is handed to the disk is handed over in the same order.

use super::afterwards::Listeners;
use super::backing::{Backing, Beside};
use super::format;
use super::journal::{Shelf, Write};
use super::neighbours::{Held, Neighbourhood, Neighbours, count_links};
use super::pools::Contribution;
use super::replies::{Found, Reply};
use super::store::given;
use super::tenant_room::{Entry, Room};
use super::tombstones::Secret;
use super::{Answer, Arrival, Clock, Config, Durable, Expired, Forgotten, Kept, Record, Store, StoreError};
use super::{TenantId, Visit, lock};
use crate::event::{EventTime, Token};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

struct Rooms<R, V> {
    names: HashMap<String, u32>,
    rooms: Vec<Arc<Room<R, V>>>,
}

/// Keeps everything in memory and nothing longer than the process.
pub struct MemoryStore<R, V> {
    config: Config,
    pub(super) secret: Secret,
    rooms: RwLock<Rooms<R, V>>,
    pub(super) backing: Option<Box<dyn Backing<V>>>,
    pub(super) listeners: Arc<Listeners>,
}

impl<R: Record, V: Kept> MemoryStore<R, V> {
    /// An empty store.
    pub fn new(config: Config) -> MemoryStore<R, V> {
        MemoryStore::over(config, Secret::draw(), None)
    }

    /// An empty map over a disk.
    pub(super) fn over(config: Config, secret: Secret, backing: Option<Box<dyn Backing<V>>>) -> MemoryStore<R, V> {
        let rooms = RwLock::new(Rooms { names: HashMap::new(), rooms: Vec::new() });
        MemoryStore { config, secret, rooms, backing, listeners: Arc::default() }
    }

    /// Puts back tenants as they were read from disk. The numbers must be 0, 1, 2 and so on.
    pub(super) fn restore_tenants(&self, names: Vec<String>) -> Vec<Arc<Room<R, V>>> {
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        for (number, name) in (0..).zip(names) {
            rooms.names.insert(name, number);
            rooms.rooms.push(Arc::new(Room::new(number, &self.config, self.backing.is_none())));
        }
        rooms.rooms.clone()
    }

    pub(super) fn room(&self, tenant: TenantId) -> Result<Arc<Room<R, V>>, StoreError> {
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
        rooms.rooms.get(tenant.0 as usize).cloned().ok_or(StoreError::UnknownTenant)
    }

    /// Replies in memory, and names kept in order to forget them.
    #[cfg(test)]
    pub(super) fn replies_in_memory(&self, tenant: TenantId) -> (usize, usize) {
        self.room(tenant).map_or((0, 0), |room| room.replies.count())
    }

    /// Writes past every check.
    #[cfg(test)]
    pub(super) fn write_raw(&self, write: Write) -> Durable {
        self.backing.as_ref().map_or_else(|| Durable::settled(Ok(())), |backing| backing.submit_at_once(vec![write]))
    }

    pub(super) fn barrier(&self) -> Durable {
        self.backing.as_ref().map_or_else(|| Durable::settled(Ok(())), |backing| backing.barrier())
    }

    fn known(&self, arrival: &Arrival<'_>, reply: Reply<V>) -> Answer<V> {
        let equal = reply.content_hash == arrival.content_hash && *reply.worker == *arrival.worker_id;
        match reply.verdict {
            Some(verdict) if equal => Answer::Repeated { verdict, durable: self.barrier() },
            // An event being scored elsewhere is another worker's: this worker's shard is locked by us.
            _ => Answer::Different { assess_time: reply.assess_time },
        }
    }

    fn expire_workers(&self, room: &Room<R, V>, now: EventTime) -> u64 {
        let mut count = 0;
        let too_old = |record: &R| now.micros_since(record.last_seen()) > self.config.worker_retention_micros;
        for shard in &room.shards {
            let mut writes = Vec::new();
            let mut shard = lock(shard);
            shard.retain(|worker, entry| {
                if entry.record.as_deref().is_some_and(too_old) {
                    count += 1;
                    let gone = entry.record.take();
                    gone.iter().for_each(|record| room.pools.replace(&given(&**record), &Contribution::new()));
                    room.hands.remove(worker);
                    for held in std::mem::take(&mut entry.held) {
                        room.neighbours.unlink(worker, held.kind, held.token);
                    }
                    let key = format::name_key(room.number, worker);
                    writes.push(Write { shelf: Shelf::Workers, key, value: None });
                    writes.extend(room.let_go(worker).1);
                }
                entry.ledger =
                    entry.ledger.take().filter(|ledger| ledger.all().any(|one| !room.replies.expired(one.clock)));
                entry.record.is_some() || entry.ledger.is_some()
            });
            // Under the shard's lock, so that a worker who comes back just now is written after this.
            if let (Some(backing), false) = (&self.backing, writes.is_empty()) {
                drop(backing.submit_at_once(writes));
            }
        }
        self.expire_labels(room, now);
        count
    }

    /// Drops old feedback on workers of whom nothing else is kept: those whose events were all scored without a trace.
    fn expire_labels(&self, room: &Room<R, V>, now: EventTime) {
        let oldest = EventTime(now.0.saturating_sub(self.config.worker_retention_micros));
        for worker in room.labels.silent_since(oldest) {
            let shard = lock(room.shard(&worker));
            if shard.get(worker.as_str()).is_none_or(|entry| entry.record.is_none()) {
                let (_, writes) = room.let_go(&worker);
                if let Some(backing) = &self.backing {
                    drop(backing.submit_at_once(writes));
                }
            }
        }
    }
}

impl<R: Record, V: Kept> Store<R, V> for MemoryStore<R, V> {
    fn tenant(&self, name: &str) -> Result<TenantId, StoreError> {
        let find = |rooms: &Rooms<R, V>| rooms.names.get(name).map(|number| TenantId(*number));
        if let Some(tenant) = find(&self.rooms.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(tenant);
        }
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(tenant) = find(&rooms) {
            return Ok(tenant);
        }
        let number = rooms.rooms.len() as u32;
        if let Some(backing) = &self.backing {
            let write =
                Write { shelf: Shelf::Meta, key: format::tenant_key(name), value: Some(number.to_be_bytes().to_vec()) };
            backing.submit_at_once(vec![write]).wait()?;
        }
        rooms.names.insert(name.into(), number);
        rooms.rooms.push(Arc::new(Room::new(number, &self.config, self.backing.is_none())));
        Ok(TenantId(number))
    }

    fn tenants(&self) -> Vec<String> {
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<(u32, &String)> = rooms.names.iter().map(|(name, number)| (*number, name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name.clone()).collect()
    }

    fn assess(
        &self,
        tenant: TenantId,
        arrival: &Arrival<'_>,
        score: &mut dyn FnMut(&mut Visit<'_, R>) -> V,
    ) -> Result<Answer<V>, StoreError> {
        let room = self.room(tenant)?;
        let backing = self.backing.as_deref();
        backing.map_or(Ok(()), |backing| backing.failure())?;
        let time = match self.config.clock {
            Clock::Service => arrival.now,
            Clock::Events => arrival.event_time,
        };
        let mut shard = lock(room.shard(arrival.worker_id));
        let clock = room.replies.advance(time);
        let mut new_entry = None;
        let entry = shard.get_mut(arrival.worker_id).unwrap_or_else(|| {
            let worker = arrival.worker_id.into();
            new_entry.insert(Entry { worker, record: None, held: Vec::new(), ledger: None })
        });
        let worker = Arc::clone(&entry.worker);
        let reply = Reply {
            content_hash: arrival.content_hash,
            worker: Arc::clone(&worker),
            assess_time: arrival.now,
            clock,
            verdict: None,
        };
        let elsewhere = || backing.map_or(Ok(None), |backing| backing.find_reply(room.number, arrival.event_id));
        let reservation = match room.replies.reserve(arrival.event_id, reply.clone(), elsewhere)? {
            Found::Known(reply) => return Ok(self.known(arrival, reply)),
            Found::New(reservation) => reservation,
        };

        let spent = match arrival.nonce.map(|claim| room.nonces.spend(claim, arrival.now)).transpose() {
            Ok(spent) => spent,
            Err(fault) => return Ok(Answer::NonceRefused { fault }),
        };
        let erased_after = room.tombstones.find(|| self.secret.stone(room.number, &worker));
        let known = entry.record.is_some();
        let mut visit = Visit {
            worker: &worker,
            time: arrival.event_time,
            known,
            record: &mut **entry.record.get_or_insert_default(),
            scratch: None,
            held: &mut entry.held,
            neighbours: &room.neighbours,
            pools: &room.pools,
            given: Contribution::new(),
            hands: &room.hands,
            hand_age: None,
            erased_after,
            teaches: arrival.keep && erased_after.is_none_or(|erased| arrival.event_time > erased),
            changed: false,
            raised: None,
        };
        let verdict = Arc::new(score(&mut visit));
        let changed = visit.changed;
        if changed {
            room.pools.replace(&visit.given, &given(visit.record));
            if visit.record.hand_age() != visit.hand_age {
                room.hands.grown(&worker);
            }
        }
        let told = visit.raised.filter(|_| changed);
        // Where time comes from the events nobody labels sessions, and memory must not grow with the input.
        let session_id = if self.config.clock == Clock::Service { arrival.session_id } else { "" };
        if !known && !changed {
            entry.record = None;
        }

        let event_id = reservation.fill(Arc::clone(&verdict));
        let durable = match backing {
            None => {
                let ledger = entry.ledger.get_or_insert_default();
                ledger.enter(&room.replies, time, clock, event_id, self.config.reply_retention_micros);
                if !session_id.is_empty() {
                    lock(&room.sessions).insert(session_id.into(), (Arc::clone(&worker), clock));
                }
                if let Some(raised) = told {
                    self.tell(&room, &worker, raised).1();
                }
                Durable::settled(Ok(()))
            }
            Some(backing) => {
                let reply = Reply { verdict: Some(Arc::clone(&verdict)), ..reply };
                let beside = Beside { session_id, spent, told };
                let kept = self.persist(backing, &room, changed.then_some(&*entry), &event_id, &reply, beside);
                kept.inspect_err(|_| room.replies.release(&event_id, clock))?
            }
        };
        if let Some(entry) = new_entry.filter(|entry| entry.record.is_some() || entry.ledger.is_some()) {
            shard.insert(worker, entry);
        }
        Ok(Answer::First { verdict, durable })
    }

    fn look(
        &self,
        tenant: TenantId,
        worker_id: &str,
        time: EventTime,
        visit: &mut dyn FnMut(&mut Visit<'_, R>),
    ) -> Result<(), StoreError> {
        let room = self.room(tenant)?;
        let mut shard = lock(room.shard(worker_id));
        let mut nobody = None;
        let entry = shard.get_mut(worker_id).unwrap_or_else(|| {
            nobody.insert(Entry { worker: worker_id.into(), record: None, held: Vec::new(), ledger: None })
        });
        let worker = Arc::clone(&entry.worker);
        let erased_after = room.tombstones.find(|| self.secret.stone(room.number, &worker));
        let known = entry.record.is_some();
        visit(&mut Visit {
            worker: &worker,
            time,
            known,
            record: &mut **entry.record.get_or_insert_default(),
            scratch: None,
            held: &mut entry.held,
            neighbours: &room.neighbours,
            erased_after,
            teaches: false,
            changed: false,
            raised: None,
            pools: &room.pools,
            given: Contribution::new(),
            hands: &room.hands,
            hand_age: None,
        });
        if !known {
            entry.record = None;
        }
        Ok(())
    }

    fn verdict(&self, tenant: TenantId, event_id: &str) -> Result<Option<Arc<V>>, StoreError> {
        let room = self.room(tenant)?;
        if let Some(reply) = room.replies.find(event_id) {
            return Ok(reply.verdict);
        }
        let Some(backing) = &self.backing else {
            return Ok(None);
        };
        let found = backing.find_reply(room.number, event_id)?;
        Ok(found.filter(|reply| !room.replies.expired(reply.clock)).and_then(|reply| reply.verdict))
    }

    fn verdict_count(&self, tenant: TenantId, worker_id: &str) -> Result<u32, StoreError> {
        let room = self.room(tenant)?;
        let mut count: u32 = 0;
        if let Some(backing) = self.backing.as_deref() {
            // What is on its way to the disk counts too.
            backing.barrier().wait()?;
            backing.replies_of(room.number, Some(worker_id), &mut |name| {
                count += u32::from(!room.replies.expired(name.clock));
            })?;
            return Ok(count);
        }
        let shard = lock(room.shard(worker_id));
        let ledger = shard.get(worker_id).and_then(|entry| entry.ledger.as_ref());
        let kept = ledger.map_or(0, |ledger| ledger.all().filter(|one| !room.replies.expired(one.clock)).count());
        Ok(u32::try_from(kept).unwrap_or(u32::MAX))
    }

    fn record(&self, tenant: TenantId, worker_id: &str) -> Result<Option<R>, StoreError> {
        let room = self.room(tenant)?;
        let shard = lock(room.shard(worker_id));
        Ok(shard.get(worker_id).and_then(|entry| entry.record.as_deref().cloned()))
    }

    fn neighbours(&self, tenant: TenantId, worker_id: &str) -> Result<Vec<Neighbourhood>, StoreError> {
        let room = self.room(tenant)?;
        let shard = lock(room.shard(worker_id));
        Ok(shard.get(worker_id).map_or_else(Vec::new, |entry| around(&room.neighbours, worker_id, &entry.held)))
    }

    fn workers(&self, tenant: TenantId, visit: &mut dyn FnMut(&str, &R)) -> Result<(), StoreError> {
        let room = self.room(tenant)?;
        for shard in &room.shards {
            for (worker, entry) in lock(shard).iter() {
                if let Some(record) = &entry.record {
                    visit(worker, record);
                }
            }
        }
        Ok(())
    }

    fn erased_after(&self, tenant: TenantId, worker_id: &str) -> Result<Option<EventTime>, StoreError> {
        let room = self.room(tenant)?;
        Ok(room.tombstones.find(|| self.secret.stone(room.number, worker_id)))
    }

    fn forget(&self, tenant: TenantId, worker_id: &str, now: EventTime) -> Result<(Forgotten, Durable), StoreError> {
        let room = self.room(tenant)?;
        self.backing.as_ref().map_or(Ok(()), |backing| backing.failure())?;
        if self.config.clock == Clock::Service {
            room.replies.advance(now);
        }
        let stone = self.secret.stone(room.number, worker_id);
        let mut shard = lock(room.shard(worker_id));
        let erased = room.tombstones.raise(stone, now);
        let mut forgotten = Forgotten::default();
        room.hands.remove(worker_id);
        if let Some(entry) = shard.remove(worker_id) {
            forgotten.link_count = count_links(&around(&room.neighbours, worker_id, &entry.held));
            for held in &entry.held {
                room.neighbours.unlink(worker_id, held.kind, held.token);
            }
            entry.record.iter().for_each(|record| room.pools.replace(&given(&**record), &Contribution::new()));
            let replies = entry.ledger.iter().flat_map(|ledger| ledger.all());
            let gone = replies.filter(|one| room.replies.remove(&one.event_id, one.clock)).count();
            forgotten.verdict_count = u32::try_from(gone).unwrap_or(u32::MAX);
        }
        let (feedback_count, mut writes) = room.let_go(worker_id);
        forgotten.feedback_count = feedback_count;
        // Watchers who must list anew learn it now.
        self.listeners.call();
        let Some(backing) = self.backing.as_deref() else {
            return Ok((forgotten, Durable::settled(Ok(()))));
        };
        // What is on its way to the disk must arrive before it can be found there and removed.
        backing.barrier().wait()?;
        forgotten.verdict_count = self.remove_replies(backing, &room, Some(worker_id))?;
        writes.extend([
            Write { shelf: Shelf::Workers, key: format::name_key(room.number, worker_id), value: None },
            Write {
                shelf: Shelf::Tombstones,
                key: format::stone_key(room.number, &stone),
                value: Some(format::encode_erasure(erased)),
            },
        ]);
        Ok((forgotten, backing.submit_at_once(writes)))
    }

    fn expire(&self, now: EventTime) -> Result<Expired, StoreError> {
        self.backing.as_ref().map_or(Ok(()), |backing| backing.failure())?;
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner).rooms.clone();
        let mut expired = Expired::default();
        for room in rooms {
            room.replies.advance(now);
            expired.worker_count += self.expire_workers(&room, now);
            lock(&room.sessions).retain(|_, (_, clock)| !room.replies.expired(*clock));
            expired.verdict_count += match self.backing.as_deref() {
                None => room.replies.expire(),
                Some(backing) => u64::from(self.remove_replies(backing, &room, None)?),
            };
        }
        self.barrier().wait()?;
        Ok(expired)
    }
}

/// The neighbourhoods of all tokens a worker holds, ordered by kind and token.
fn around(neighbours: &Neighbours, worker: &str, held: &[Held]) -> Vec<Neighbourhood> {
    let mut tokens: Vec<_> = held.iter().map(|held| (held.kind, held.token)).collect::<Vec<(_, Token)>>();
    tokens.sort_unstable();
    neighbours.others(worker, held, &tokens)
}
