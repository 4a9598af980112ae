//! The sharded map over fjall: what was acknowledged survives the process.
//!
//! Records and links live in memory and on disk; verdicts live on disk and pass through memory only on their way.
//! Every login is one atomic batch, synced together with those that came at the same time (`journal`). After a
//! failed write the store takes nothing more until it is opened anew: whether a failed sync lost earlier writes
//! cannot be known without reading the disk again.
//!
//! A directory belongs to one process at a time; the database locks a file in it.

use super::afterwards::{Afterwards, Change, Listener, Rename, Settle, Shared};
use super::backing::{Backing, ReplyName};
use super::format::{self, FORMAT};
use super::hands::Hands;
use super::intact;
use super::journal::{Journal, Released, Shelf, Write};
use super::labels::{KeptFeedback, Recorded};
use super::memory::MemoryStore;
use super::neighbours::Neighbourhood;
use super::replies::Reply;
use super::tombstones::Secret;
use super::{
    Answer, Arrival, Config, Durable, Expired, Forgotten, Kept, Record, Store, StoreError, TenantId, Visit, lock,
};
use crate::event::EventTime;
use crate::evidence::typing::Hand;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// Where the store's own format version stands.
const FORMAT_KEY: &[u8] = b"format";
/// Where the key of the tombstones stands.
const SECRET_KEY: &[u8] = b"secret";
/// Cache for blocks read back, bytes. Records are in memory anyway; this serves verdicts looked up again.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;

/// Keeps everything in memory and on disk.
pub struct DurableStore<R, V> {
    map: MemoryStore<R, V>,
}

impl<R: Record, V: Kept> DurableStore<R, V> {
    /// Opens a data directory, making it if it is not there, and reads back records, links and erasures.
    ///
    /// Fails when another process has it open, when it was written by another format, or when something in it
    /// cannot be read back: serving as if a worker had no past would be worse than not serving.
    pub fn open(path: &Path, config: Config) -> Result<DurableStore<R, V>, StoreError> {
        DurableStore::read_back(path, config).map_err(|error| error.found_in(path))
    }

    fn read_back(path: &Path, config: Config) -> Result<DurableStore<R, V>, StoreError> {
        let shelves = Shelves::open(path)?;
        let secret = shelves.found_or_founded()?;
        let writing = shelves.clone();
        let journal = Journal::start(move |writes| writing.persist(writes))?;
        let backing = Box::new(Disk { journal, shelves: shelves.clone() });
        let map = MemoryStore::over(config, secret, Some(backing));
        let rooms = map.restore_tenants(shelves.tenants()?);
        let room = |tenant: u32, what: &str| {
            rooms.get(tenant as usize).ok_or_else(|| StoreError::Damaged {
                what: what.into(),
                cause: format!("it belongs to tenant {tenant}, which does not exist"),
            })
        };
        shelves.each(Shelf::Tombstones, b"", &mut |key, value| {
            let (tenant, stone) = format::split_key(key).ok_or_else(|| bad_key("an erasure"))?;
            let stone = stone.try_into().map_err(|_| bad_key("an erasure"))?;
            room(tenant, "an erasure")?.tombstones.raise(stone, format::decode_erasure(value)?);
            Ok(())
        })?;
        shelves.each(Shelf::Workers, b"", &mut |key, value| {
            let (tenant, worker) = format::split_key(key).ok_or_else(|| bad_key("a record"))?;
            let worker = std::str::from_utf8(worker).map_err(|_| bad_key("a record"))?;
            let (record, held) = format::decode_worker(worker, value)?;
            room(tenant, "a record")?.restore(config.clock, worker, record, held);
            Ok(())
        })?;
        shelves.each(Shelf::Labels, b"", &mut |key, value| {
            let (tenant, id) = named(key, "feedback")?;
            room(tenant, "feedback")?.labels.restore(format::decode_label(id, value)?);
            Ok(())
        })?;
        shelves.each(Shelf::Changes, b"", &mut |key, value| {
            let (tenant, worker) = named(key, "a change of standing")?;
            let changes = &room(tenant, "a change of standing")?.changes;
            match (worker, format::decode_change(value)?) {
                ("", (floor, _)) => changes.restore_floor(floor),
                (worker, (number, raised)) => changes.restore(worker, number, raised),
            }
            Ok(())
        })?;
        shelves.each(Shelf::Nonces, b"", &mut |key, _| {
            let (tenant, name) = format::split_nonce_key(key).ok_or_else(|| bad_key("a nonce"))?;
            room(tenant, "a nonce")?.nonces.restore(name);
            Ok(())
        })?;
        shelves.each(Shelf::Clusters, b"", &mut |key, value| {
            let (tenant, worker) = named(key, "the name of a cluster")?;
            let clusters = &room(tenant, "the name of a cluster")?.clusters;
            lock(clusters).insert(worker.into(), format::decode_cluster(value)?);
            Ok(())
        })?;
        Ok(DurableStore { map })
    }
}

#[cfg(test)]
impl<R: Record, V: Kept> DurableStore<R, V> {
    /// Writes past every check.
    pub(super) fn write_raw(&self, write: Write) -> Durable {
        self.map.write_raw(write)
    }
}

/// Tenant and name of a key.
fn named<'a>(key: &'a [u8], what: &str) -> Result<(u32, &'a str), StoreError> {
    let (tenant, name) = format::split_key(key).ok_or_else(|| bad_key(what))?;
    Ok((tenant, std::str::from_utf8(name).map_err(|_| bad_key(what))?))
}

fn bad_key(what: &str) -> StoreError {
    StoreError::Damaged { what: what.into(), cause: "its key is malformed".into() }
}

fn unreadable(error: fjall::Error) -> StoreError {
    let cause = match error {
        fjall::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    };
    StoreError::Unreadable { cause }
}

/// Whether the system says that it is not for us, rather than that the disk is ill.
fn denied(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// Makes the directory if it is not there, and tells directories apart in which no store can be.
fn usable(path: &Path) -> Result<(), StoreError> {
    let unusable = |cause: String| StoreError::Unusable { path: path.display().to_string(), cause };
    std::fs::create_dir_all(path).map_err(|error| unusable(error.to_string()))?;
    // The database writes its version last when it makes itself, and hands nothing out before.
    let begun = path.join("keyspaces").exists();
    if begun && !path.join("version").exists() {
        return Err(unusable("making a store in it was cut off before anything was kept: empty it first".into()));
    }
    Ok(())
}

/// Takes a key and its value.
type Visitor<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'a;

/// The database and its collections.
#[derive(Clone)]
struct Shelves {
    database: Database,
    workers: Keyspace,
    replies: Keyspace,
    replies_of_workers: Keyspace,
    tombstones: Keyspace,
    sessions: Keyspace,
    nonces: Keyspace,
    labels: Keyspace,
    changes: Keyspace,
    clusters: Keyspace,
    meta: Keyspace,
}

impl Shelves {
    fn open(path: &Path) -> Result<Shelves, StoreError> {
        usable(path)?;
        intact::check(path)?;
        let opening = Database::builder(path).cache_size(CACHE_BYTES).manual_journal_persist(true).open();
        let database = opening.map_err(|error| match error {
            fjall::Error::Locked => StoreError::Locked { path: path.display().to_string() },
            fjall::Error::Io(error) if !path.join("version").exists() || denied(&error) => {
                StoreError::Unusable { path: path.display().to_string(), cause: error.to_string() }
            }
            error => unreadable(error),
        })?;
        let shelf = |name| {
            let options = || KeyspaceCreateOptions::default().manual_journal_persist(true);
            database.keyspace(name, options).map_err(unreadable)
        };
        Ok(Shelves {
            workers: shelf("workers")?,
            replies: shelf("replies")?,
            replies_of_workers: shelf("replies_of_workers")?,
            tombstones: shelf("tombstones")?,
            sessions: shelf("sessions")?,
            nonces: shelf("nonces")?,
            labels: shelf("labels")?,
            changes: shelf("changes")?,
            clusters: shelf("clusters")?,
            meta: shelf("meta")?,
            database,
        })
    }

    fn keyspace(&self, shelf: Shelf) -> &Keyspace {
        match shelf {
            Shelf::Workers => &self.workers,
            Shelf::Replies => &self.replies,
            Shelf::RepliesOfWorkers => &self.replies_of_workers,
            Shelf::Tombstones => &self.tombstones,
            Shelf::Sessions => &self.sessions,
            Shelf::Nonces => &self.nonces,
            Shelf::Labels => &self.labels,
            Shelf::Changes => &self.changes,
            Shelf::Clusters => &self.clusters,
            Shelf::Meta => &self.meta,
        }
    }

    /// Writes all as one batch and returns when it is on disk.
    fn persist(&self, writes: Vec<Write>) -> Result<(), String> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for Write { shelf, key, value } in writes {
            match value {
                Some(value) => batch.insert(self.keyspace(shelf), key, value),
                None => batch.remove(self.keyspace(shelf), key),
            }
        }
        batch.commit().map_err(|error| error.to_string())
    }

    /// Checks the format of the store and gives its secret; a new store gets both.
    fn found_or_founded(&self) -> Result<Secret, StoreError> {
        let get = |key| self.meta.get(key).map_err(unreadable);
        let what = || "the data directory".to_string();
        match get(FORMAT_KEY)?.as_deref() {
            None => {
                let secret = Secret::draw();
                let write =
                    |key: &[u8], value: Vec<u8>| Write { shelf: Shelf::Meta, key: key.into(), value: Some(value) };
                let writes = vec![write(SECRET_KEY, secret.0.into()), write(FORMAT_KEY, vec![FORMAT])];
                self.persist(writes).map_err(|cause| StoreError::Unwritable { cause: cause.into() })?;
                Ok(secret)
            }
            Some([FORMAT]) => {
                let secret = get(SECRET_KEY)?.and_then(|bytes| <[u8; 32]>::try_from(&*bytes).ok());
                let missing = || StoreError::Damaged { what: what(), cause: "its secret is missing".into() };
                secret.map(Secret).ok_or_else(missing)
            }
            Some(other) => {
                let found = other.first().copied().unwrap_or_default();
                Err(StoreError::UnknownFormat { what: what(), found, expected: FORMAT })
            }
        }
    }

    /// The names of the tenants, by number.
    fn tenants(&self) -> Result<Vec<String>, StoreError> {
        let bad = || bad_key("a tenant");
        let mut numbered = Vec::new();
        self.each(Shelf::Meta, format::TENANT_PREFIX, &mut |key, value| {
            let name = key.strip_prefix(format::TENANT_PREFIX).ok_or_else(bad)?;
            let name = String::from_utf8(name.to_vec()).map_err(|_| bad())?;
            numbered.push((u32::from_be_bytes(value.try_into().map_err(|_| bad())?), name));
            Ok(())
        })?;
        numbered.sort_unstable();
        // INVARIANT: numbers are given out in order and persisted before use.
        let complete = numbered.iter().zip(0..).all(|((number, _), expected)| *number == expected);
        if complete { Ok(numbered.into_iter().map(|(_, name)| name).collect()) } else { Err(bad()) }
    }

    /// Shows every key and value of a shelf under a prefix, in order of keys.
    fn each(&self, shelf: Shelf, prefix: &[u8], visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        for entry in self.keyspace(shelf).prefix(prefix) {
            let (key, value) = entry.into_inner().map_err(unreadable)?;
            visit(&key, &value)?;
        }
        Ok(())
    }
}

/// What the map asks of the disk.
struct Disk {
    // Dropped first, so that everything queued is written while the database is open.
    journal: Journal,
    shelves: Shelves,
}

impl<V: Kept> Backing<V> for Disk {
    fn failure(&self) -> Result<(), StoreError> {
        self.journal.failure()
    }

    fn submit(&self, writes: Vec<Write>, released: Released) -> Durable {
        self.journal.submit(writes, Some(released))
    }

    fn submit_at_once(&self, writes: Vec<Write>) -> Durable {
        self.journal.submit_at_once(writes)
    }

    fn submit_now(&self, writes: Vec<Write>, released: Released) -> Durable {
        self.journal.submit_now(writes, released)
    }

    fn find_session(&self, tenant: u32, session_id: &str) -> Result<Option<(EventTime, String)>, StoreError> {
        let found = self.shelves.sessions.get(format::name_key(tenant, session_id)).map_err(unreadable)?;
        found.map(|bytes| format::decode_session(session_id, &bytes)).transpose()
    }

    fn barrier(&self) -> Durable {
        self.journal.barrier()
    }

    fn find_reply(&self, tenant: u32, event_id: &str) -> Result<Option<Reply<V>>, StoreError> {
        let found = self.shelves.replies.get(format::name_key(tenant, event_id)).map_err(unreadable)?;
        found.map(|bytes| format::decode_reply(event_id, &bytes)).transpose()
    }

    fn replies_of(
        &self,
        tenant: u32,
        worker: Option<&str>,
        visit: &mut dyn FnMut(ReplyName<'_>),
    ) -> Result<(), StoreError> {
        let prefix = match worker {
            Some(worker) => format::replies_of_worker_prefix(tenant, worker),
            None => tenant.to_be_bytes().to_vec(),
        };
        self.shelves.each(Shelf::RepliesOfWorkers, &prefix, &mut |key, session_id| {
            let (_, clock, event_id) = format::split_reply_of_worker_key(key).ok_or_else(|| bad_key("a verdict"))?;
            let session_id = std::str::from_utf8(session_id).map_err(|_| bad_key("a verdict"))?;
            visit(ReplyName { key, clock, event_id, session_id });
            Ok(())
        })
    }
}

impl<R: Record, V: Kept> Store<R, V> for DurableStore<R, V> {
    fn tenant(&self, name: &str) -> Result<TenantId, StoreError> {
        self.map.tenant(name)
    }

    fn tenants(&self) -> Vec<String> {
        self.map.tenants()
    }

    fn assess(
        &self,
        tenant: TenantId,
        arrival: &Arrival<'_>,
        score: &mut dyn FnMut(&mut Visit<'_, R>) -> V,
    ) -> Result<Answer<V>, StoreError> {
        self.map.assess(tenant, arrival, score)
    }

    fn look(
        &self,
        tenant: TenantId,
        worker_id: &str,
        time: EventTime,
        visit: &mut dyn FnMut(&mut Visit<'_, R>),
    ) -> Result<(), StoreError> {
        self.map.look(tenant, worker_id, time, visit)
    }

    fn verdict(&self, tenant: TenantId, event_id: &str) -> Result<Option<Arc<V>>, StoreError> {
        self.map.verdict(tenant, event_id)
    }

    fn verdict_count(&self, tenant: TenantId, worker_id: &str) -> Result<u32, StoreError> {
        self.map.verdict_count(tenant, worker_id)
    }

    fn record(&self, tenant: TenantId, worker_id: &str) -> Result<Option<R>, StoreError> {
        self.map.record(tenant, worker_id)
    }

    fn neighbours(&self, tenant: TenantId, worker_id: &str) -> Result<Vec<Neighbourhood>, StoreError> {
        self.map.neighbours(tenant, worker_id)
    }

    fn workers(&self, tenant: TenantId, visit: &mut dyn FnMut(&str, &R)) -> Result<(), StoreError> {
        self.map.workers(tenant, visit)
    }

    fn erased_after(&self, tenant: TenantId, worker_id: &str) -> Result<Option<EventTime>, StoreError> {
        self.map.erased_after(tenant, worker_id)
    }

    fn forget(&self, tenant: TenantId, worker_id: &str, now: EventTime) -> Result<(Forgotten, Durable), StoreError> {
        self.map.forget(tenant, worker_id, now)
    }

    fn expire(&self, now: EventTime) -> Result<Expired, StoreError> {
        self.map.expire(now)
    }
}

impl<R: Record, V: Kept> Afterwards<R> for DurableStore<R, V> {
    fn revisit(
        &self,
        tenant: TenantId,
        worker_id: &str,
        time: EventTime,
        change: &mut dyn FnMut(&mut Visit<'_, R>),
    ) -> Result<Option<Durable>, StoreError> {
        self.map.revisit(tenant, worker_id, time, change)
    }

    fn listen(&self, listener: Listener) {
        self.map.listen(listener);
    }

    fn latest_change(&self, tenant: TenantId) -> Result<u64, StoreError> {
        self.map.latest_change(tenant)
    }

    fn changes_after(&self, tenant: TenantId, number: u64, limit: usize) -> Result<Option<Vec<Change>>, StoreError> {
        self.map.changes_after(tenant, number, limit)
    }

    fn key(&self, tenant: TenantId, purpose: &str) -> Result<[u8; 32], StoreError> {
        self.map.key(tenant, purpose)
    }

    fn worker_of_event(&self, tenant: TenantId, event_id: &str) -> Result<Option<Arc<str>>, StoreError> {
        self.map.worker_of_event(tenant, event_id)
    }

    fn worker_of_session(&self, tenant: TenantId, session_id: &str) -> Result<Option<Arc<str>>, StoreError> {
        self.map.worker_of_session(tenant, session_id)
    }

    fn record_feedback(
        &self,
        tenant: TenantId,
        entry: KeptFeedback,
        settle: &mut Settle<'_, R>,
    ) -> Result<Recorded, StoreError> {
        self.map.record_feedback(tenant, entry, settle)
    }

    fn feedback(&self, tenant: TenantId) -> Result<Vec<Arc<KeptFeedback>>, StoreError> {
        self.map.feedback(tenant)
    }

    fn shared_tokens(
        &self,
        tenant: TenantId,
        worker_id: Option<&str>,
        visit: &mut dyn FnMut(&Shared<'_>),
    ) -> Result<(), StoreError> {
        self.map.shared_tokens(tenant, worker_id, visit)
    }

    fn peek(&self, tenant: TenantId, worker_id: &str, see: &mut dyn FnMut(&R)) -> Result<bool, StoreError> {
        self.map.peek(tenant, worker_id, see)
    }

    fn hands(&self, tenant: TenantId) -> Result<Arc<Hands>, StoreError> {
        self.map.hands(tenant)
    }

    fn place_hands(
        &self,
        tenant: TenantId,
        stamp: u64,
        embed: &dyn Fn(&R) -> Option<Hand>,
    ) -> Result<Arc<Hands>, StoreError> {
        self.map.place_hands(tenant, stamp, embed)
    }

    fn name_clusters(&self, tenant: TenantId, assign: &mut Rename<'_>) -> Result<Durable, StoreError> {
        self.map.name_clusters(tenant, assign)
    }
}
