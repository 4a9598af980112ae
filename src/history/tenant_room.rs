//! All that is kept of one tenant, worker by worker: tenants never meet.

use super::afterwards::ClusterNames;
use super::changes::Changes;
use super::hands::Hands;
use super::labels::Labels;
use super::neighbours::{Held, Neighbours};
use super::nonces::Nonces;
use super::pools::{Contribution, Pools};
use super::replies::Replies;
use super::store::given;
use super::tombstones::Tombstones;
use super::{Clock, Config, Record, SHARDS, lock};
use crate::event::EventTime;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex};

/// Replies kept per worker to events that were already older than the retention when they came. Time says nothing
/// about how long to keep these, so their number does: input in reverse order must not grow memory.
const LATE_REPLIES_MAX: usize = 16;

/// One worker.
pub(super) struct Entry<R> {
    pub(super) worker: Arc<str>,
    pub(super) record: Option<Box<R>>,
    pub(super) held: Vec<Held>,
    pub(super) ledger: Option<Box<Ledger>>,
}

/// The replies given to one worker, while they live in memory.
#[derive(Default)]
pub(super) struct Ledger {
    /// The worker's own clock: the latest event, or the service's clock.
    latest: EventTime,
    /// In order of `worker_clock`.
    answered: VecDeque<Answered>,
    /// Those to late events, in order of entry.
    late: VecDeque<Answered>,
}

pub(super) struct Answered {
    /// What the worker's own clock showed.
    worker_clock: EventTime,
    /// What the tenant's clock showed.
    pub(super) clock: EventTime,
    pub(super) event_id: Arc<str>,
}

impl Ledger {
    /// Notes a reply and forgets those that the worker's own clock has left behind.
    pub(super) fn enter<V>(
        &mut self,
        replies: &Replies<V>,
        time: EventTime,
        clock: EventTime,
        event_id: Arc<str>,
        retention: i64,
    ) {
        self.latest = self.latest.max(time);
        for answered in [&mut self.answered, &mut self.late] {
            while answered.front().is_some_and(|front| self.latest.micros_since(front.worker_clock) > retention) {
                drop_front(answered, replies);
            }
        }
        let entry = Answered { worker_clock: self.latest, clock, event_id };
        if self.latest.micros_since(time) <= retention {
            self.answered.push_back(entry);
            return;
        }
        self.late.push_back(entry);
        if self.late.len() > LATE_REPLIES_MAX {
            drop_front(&mut self.late, replies);
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Answered> {
        self.answered.iter().chain(&self.late)
    }
}

fn drop_front<V>(answered: &mut VecDeque<Answered>, replies: &Replies<V>) {
    if let Some(front) = answered.pop_front() {
        replies.remove(&front.event_id, front.clock);
    }
}

/// The worker of a session, and the clock at its latest event.
type OfSession = (Arc<str>, EventTime);

type Workers<R> = HashMap<Arc<str>, Entry<R>>;

/// All that is kept for one tenant.
pub(super) struct Room<R, V> {
    pub(super) number: u32,
    pub(super) shards: Vec<Mutex<Workers<R>>>,
    hasher: RandomState,
    pub(super) replies: Arc<Replies<V>>,
    pub(super) neighbours: Neighbours,
    pub(super) pools: Pools,
    pub(super) hands: Arc<Hands>,
    pub(super) tombstones: Tombstones,
    pub(super) changes: Arc<Changes>,
    pub(super) labels: Labels,
    pub(super) nonces: Nonces,
    pub(super) clusters: Mutex<ClusterNames>,
    /// Worker and clock by session, while replies live in memory.
    pub(super) sessions: Mutex<HashMap<Arc<str>, OfSession>>,
}

impl<R, V> Room<R, V> {
    pub(super) fn new(number: u32, config: &Config, lasting: bool) -> Room<R, V> {
        Room {
            number,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            replies: Arc::new(Replies::new(config.reply_retention_micros, lasting)),
            neighbours: Neighbours::default(),
            pools: Pools::default(),
            hands: Arc::default(),
            tombstones: Tombstones::default(),
            changes: Arc::default(),
            labels: Labels::default(),
            nonces: Nonces::default(),
            clusters: Mutex::default(),
            sessions: Mutex::default(),
        }
    }

    pub(super) fn shard(&self, worker: &str) -> &Mutex<Workers<R>> {
        &self.shards[self.hasher.hash_one(worker) as usize % SHARDS]
    }

    /// Puts back a worker as it was read from disk.
    pub(super) fn restore(&self, clock: Clock, worker: &str, record: R, held: Vec<Held>)
    where
        R: Record,
    {
        let worker: Arc<str> = worker.into();
        if clock == Clock::Events {
            self.replies.advance(record.last_seen());
        }
        held.iter().for_each(|held| self.neighbours.link(&worker, held, true));
        self.pools.replace(&Contribution::new(), &given(&record));
        if record.hand_age().is_some() {
            self.hands.grown(&worker);
        }
        let entry = Entry { worker: Arc::clone(&worker), record: Some(Box::new(record)), held, ledger: None };
        lock(self.shard(&worker)).insert(worker, entry);
    }
}
