//! Group commit: many logins, one wait for the disk.
//!
//! One thread writes. While it waits for the disk, commits queue up; it then takes all of them at once. So a lone
//! login waits for one write, and sixty-four logins share one. Commits persist in the order they were submitted, and
//! a commit is persisted whole or not at all.

use super::ticket::Settler;
use super::{Durable, StoreError, lock};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Commits written at once at the most: enough to share a disk's wait, few enough that the first is not kept long.
const BATCH_COMMITS_MAX: usize = 256;
/// Commits waiting for the writer at the most. Beyond it submitters wait too: a slow disk slows callers down, and
/// memory does not grow.
const QUEUE_COMMITS_MAX: usize = 8_192;
/// How long a batch that is smaller than the last one waits for company. A tenth of what a disk takes to sync: those
/// who were just answered tend to come back at once.
const LINGER: Duration = Duration::from_micros(100);

/// Which collection of the database a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Shelf {
    /// Tenant and worker: record and held tokens.
    Workers,
    /// Tenant and event id: the reply.
    Replies,
    /// Tenant, worker, clock and event id: which replies are whose.
    RepliesOfWorkers,
    /// Tenant and keyed hash of a worker: when it was erased.
    Tombstones,
    /// Tenant and session: its worker.
    Sessions,
    /// Tenant and used nonce.
    Nonces,
    /// Tenant and feedback id: the entry.
    Labels,
    /// Tenant and worker: number of the latest change of standing. Under no worker: the number below which all lapse.
    Changes,
    /// Tenant and worker: name of the operator cluster.
    Clusters,
    /// Everything there is one of: format, secret, tenants.
    Meta,
}

/// One value to write, or with `None` to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) shelf: Shelf,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// Called once a commit is on disk.
pub(super) type Released = Box<dyn FnOnce() + Send>;

struct Commit {
    writes: Vec<Write>,
    released: Option<Released>,
    settler: Settler,
}

#[derive(Default)]
struct Queue {
    commits: VecDeque<Commit>,
    closed: bool,
    /// Why writing failed. Set once, never cleared.
    failed: Option<StoreError>,
    /// Commits taken by the writer and not settled yet.
    under_way: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    drained: Condvar,
}

/// The queue to the writing thread. Dropping it writes what is queued and ends the thread.
pub(super) struct Journal {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

impl Journal {
    /// Starts the writing thread. `persist` writes all it is given as one, and returns when it is on disk.
    pub(super) fn start(
        mut persist: impl FnMut(Vec<Write>) -> Result<(), String> + Send + 'static,
    ) -> Result<Journal, StoreError> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("history-writer".into())
            .spawn(move || write_on(&theirs, &mut persist))
            .map_err(|error| StoreError::Unwritable { cause: error.to_string().into() })?;
        Ok(Journal { shared, writer: Some(writer) })
    }

    /// Why nothing can be written any more, if so.
    pub(super) fn failure(&self) -> Result<(), StoreError> {
        lock(&self.shared.queue).failed.clone().map_or(Ok(()), Err)
    }

    /// Queues writes to be persisted together. `released` runs after they are, and before the ticket resolves.
    ///
    /// Waits while the queue is full, so the caller may hold no lock that `released` takes.
    pub(super) fn submit(&self, writes: Vec<Write>, released: Option<Released>) -> Durable {
        let mut queue = lock(&self.shared.queue);
        while queue.commits.len() >= QUEUE_COMMITS_MAX && queue.failed.is_none() {
            queue = self.shared.drained.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        self.push(queue, writes, released)
    }

    /// Queues writes however full the queue is: for the few that come with a lock held.
    pub(super) fn submit_at_once(&self, writes: Vec<Write>) -> Durable {
        self.push(lock(&self.shared.queue), writes, None)
    }

    /// The same, with something to be done once they are on disk.
    pub(super) fn submit_now(&self, writes: Vec<Write>, released: Released) -> Durable {
        self.push(lock(&self.shared.queue), writes, Some(released))
    }

    fn push(&self, mut queue: MutexGuard<'_, Queue>, writes: Vec<Write>, released: Option<Released>) -> Durable {
        if let Some(failure) = &queue.failed {
            return Durable::settled(Err(failure.clone()));
        }
        let (durable, settler) = Durable::pending();
        queue.commits.push_back(Commit { writes, released, settler });
        drop(queue);
        self.shared.filled.notify_one();
        durable
    }

    /// Resolves once everything submitted so far is persisted.
    pub(super) fn barrier(&self) -> Durable {
        {
            let queue = lock(&self.shared.queue);
            if let Some(failure) = &queue.failed {
                return Durable::settled(Err(failure.clone()));
            }
            if queue.commits.is_empty() && queue.under_way == 0 {
                return Durable::settled(Ok(()));
            }
        }
        self.submit_at_once(Vec::new())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        lock(&self.shared.queue).closed = true;
        self.shared.filled.notify_all();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has dropped its settlers, and so told everyone who waited.
            let _ = writer.join();
        }
    }
}

/// Marks the journal as failed should the writing thread panic, so that nobody waits for a thread that is gone.
struct Fuse<'a>(&'a Shared);

impl Drop for Fuse<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            fail(self.0, "the writer stopped".into());
        }
    }
}

fn fail(shared: &Shared, cause: Arc<str>) -> StoreError {
    let mut queue = lock(&shared.queue);
    let failure = queue.failed.get_or_insert(StoreError::Unwritable { cause }).clone();
    let stranded = std::mem::take(&mut queue.commits);
    drop(queue);
    shared.drained.notify_all();
    for commit in stranded {
        commit.settler.settle(Err(failure.clone()));
    }
    failure
}

fn write_on(shared: &Shared, persist: &mut dyn FnMut(Vec<Write>) -> Result<(), String>) {
    let _fuse = Fuse(shared);
    let mut size_before = 1;
    while let Some(commits) = take_batch(shared, size_before) {
        size_before = commits.len();
        let (mut writes, mut settlers, mut released) = (Vec::new(), Vec::with_capacity(size_before), Vec::new());
        for commit in commits {
            writes.extend(commit.writes);
            released.extend(commit.released);
            settlers.push(commit.settler);
        }
        let writes = last_of_each(writes);
        let outcome = if writes.is_empty() { Ok(()) } else { persist(writes) };
        match outcome {
            Ok(()) => {
                released.into_iter().for_each(|released| released());
                lock(&shared.queue).under_way = 0;
                settlers.into_iter().for_each(|settler| settler.settle(Ok(())));
            }
            Err(cause) => {
                let failure = fail(shared, cause.into());
                settlers.into_iter().for_each(|settler| settler.settle(Err(failure.clone())));
                return;
            }
        }
    }
}

/// Takes what is queued, waiting for the first commit and a moment for company. `None` when closed and empty.
fn take_batch(shared: &Shared, size_before: usize) -> Option<Vec<Commit>> {
    let mut queue = lock(&shared.queue);
    while queue.commits.is_empty() {
        if queue.closed {
            return None;
        }
        queue = shared.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    if queue.commits.len() < size_before.min(BATCH_COMMITS_MAX) && !queue.closed {
        drop(queue);
        std::thread::sleep(LINGER);
        queue = lock(&shared.queue);
    }
    let size = queue.commits.len().min(BATCH_COMMITS_MAX);
    let batch: Vec<Commit> = queue.commits.drain(..size).collect();
    queue.under_way = size;
    drop(queue);
    shared.drained.notify_all();
    Some(batch)
}

/// Keeps of each key the last write only: one batch, one value.
fn last_of_each(writes: Vec<Write>) -> Vec<Write> {
    if writes.len() < 2 {
        return writes;
    }
    let mut last: HashMap<(Shelf, &[u8]), usize> = HashMap::with_capacity(writes.len());
    for (index, write) in writes.iter().enumerate() {
        last.insert((write.shelf, &write.key), index);
    }
    if last.len() == writes.len() {
        return writes;
    }
    let mut kept: Vec<usize> = last.into_values().collect();
    kept.sort_unstable();
    let mut kept = kept.into_iter().peekable();
    let wanted = writes.into_iter().enumerate().filter(|(index, _)| kept.next_if_eq(index).is_some());
    wanted.map(|(_, write)| write).collect()
}
