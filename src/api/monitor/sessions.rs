//! All live sessions of the service, and who follows each.
//!
//! Locks are taken one at a time, but where a new session that nobody else can find yet is held while it is entered.

use super::super::doors::{Doors, Received};
use super::super::refusal::Refusal;
use crate::event::EventTime;
use crate::history::TenantId;
use crate::pipeline::{Assessed, Failure, Live};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tonic::Status;

/// Tenant and opening event.
pub(super) type Key = (TenantId, String);

/// All live sessions, by tenant and opening event.
pub struct Monitors {
    sessions: Mutex<HashMap<Key, Arc<Session>>>,
    max: usize,
}

/// One live session and who follows it.
pub(super) struct Session {
    pub(super) key: Key,
    worker_id: String,
    pub(super) state: Mutex<State>,
    /// Wakes the stream that follows when the session was taken from it.
    pub(super) woken: Notify,
}

/// How far a session is.
pub(super) struct State {
    pub(super) stage: Stage,
    /// Number of the stream that follows: the latest to open.
    pub(super) holder: u64,
    /// Since when no stream follows.
    pub(super) broken: Option<EventTime>,
    /// Taken when the session ends, so that its end is counted once; let go of unsettled, it is a counted drop.
    pub(super) received: Option<Received>,
}

/// Between opening and end.
pub(super) enum Stage {
    /// It goes on.
    Open(Box<Live>),
    /// It has had its last verdict.
    Closed,
    /// The worker was erased.
    Erased,
}

/// A session closed: its last verdict, on its way to disk, and what its end is counted by.
pub(super) struct Closed {
    pub(super) assessed: Assessed,
    pub(super) received: Option<Received>,
}

/// A stream's place at a session.
pub(super) struct Seat {
    pub(super) session: Arc<Session>,
    pub(super) holder: u64,
}

/// Locks, whatever happened to the thread that held it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A session whose scoring panicked is as it was before that chunk, or after it; both are sound.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Monitors {
    /// Room for so many sessions at once, streams broken or not.
    pub fn new(max: usize) -> Self {
        Self { sessions: Mutex::default(), max }
    }

    /// Enters a new session. `None` when there is no room, or another has its name.
    pub(super) fn enter(&self, session: &Arc<Session>) -> Option<()> {
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= self.max || sessions.contains_key(&session.key) {
            return None;
        }
        sessions.insert(session.key.clone(), Arc::clone(session));
        Some(())
    }

    /// Whether there is no room for another.
    pub(super) fn full(&self) -> bool {
        self.open_count() >= self.max
    }

    /// All sessions.
    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        lock(&self.sessions).values().cloned().collect()
    }

    /// Sessions between opening and last verdict.
    pub fn open_count(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// The live session of an opening event.
    pub(super) fn find(&self, key: &Key) -> Option<Arc<Session>> {
        lock(&self.sessions).get(key).cloned()
    }

    /// Takes a session out that has ended.
    pub(super) fn remove(&self, session: &Arc<Session>) {
        let mut sessions = lock(&self.sessions);
        if sessions.get(&session.key).is_some_and(|found| Arc::ptr_eq(found, session)) {
            sessions.remove(&session.key);
        }
    }

    /// Drops all live sessions of a worker, unscored and counted. Their streams are told.
    pub fn forget(&self, tenant: TenantId, worker_id: &str) {
        let of_worker = |session: &&Arc<Session>| session.key.0 == tenant && session.worker_id == worker_id;
        let found: Vec<_> = lock(&self.sessions).values().filter(of_worker).cloned().collect();
        for session in found {
            let mut state = lock(&session.state);
            if matches!(state.stage, Stage::Open(_)) {
                state.stage = Stage::Erased;
                state.received = None;
            }
            drop(state);
            self.remove(&session);
            session.woken.notify_waiters();
        }
    }

    /// Sessions that no stream follows, the longest waiting first.
    pub(super) fn waiting(&self) -> Vec<(EventTime, Arc<Session>)> {
        let since = |session: Arc<Session>| {
            let broken = lock(&session.state).broken;
            broken.map(|broken| (broken, session))
        };
        let mut waiting: Vec<_> = self.all().into_iter().filter_map(since).collect();
        waiting.sort_by_key(|(since, _)| *since);
        waiting
    }
}

impl Session {
    /// A session opened just now, followed by the stream that opened it.
    pub(super) fn new(tenant: TenantId, live: Live) -> Arc<Self> {
        let (key, worker_id) = ((tenant, live.event_id().to_string()), live.worker_id().to_string());
        let state = Mutex::new(State { stage: Stage::Open(Box::new(live)), holder: 0, broken: None, received: None });
        Arc::new(Self { key, worker_id, state, woken: Notify::new() })
    }

    /// Closes the session: its last verdict, kept and learned from. `None` when it has ended already.
    ///
    /// A store that fails leaves the session open, so that nothing is lost by trying again. Any other failure ends it, and
    /// is counted as its refusal.
    pub(super) fn close(self: &Arc<Self>, doors: &Doors) -> Option<Result<Closed, Failure>> {
        let mut state = lock(&self.state);
        let Stage::Open(live) = &mut state.stage else { return None };
        let outcome = doors.pipeline.close(self.key.0, live, doors.now());
        if matches!(outcome, Err(Failure::Store(_))) {
            return Some(outcome.map(|assessed| Closed { assessed, received: None }));
        }
        state.stage = Stage::Closed;
        let received = state.received.take();
        drop(state);
        doors.monitors.remove(self);
        Some(match outcome {
            Ok(assessed) => Ok(Closed { assessed, received }),
            Err(failure) => {
                if let Some(received) = received {
                    received.settle(false);
                }
                Err(failure)
            }
        })
    }
}

impl Seat {
    /// Leaves the session waiting for another stream, unless one has come already.
    pub(super) fn leave(&self, now: EventTime) {
        let mut state = lock(&self.session.state);
        if state.holder == self.holder {
            state.broken = Some(now);
        }
    }

    /// Why this stream may not go on, if so.
    pub(super) fn taken(&self) -> Option<Status> {
        let state = lock(&self.session.state);
        self.end_of(&state)
    }

    /// As [`Seat::taken`], with the state in hand.
    pub(super) fn end_of(&self, state: &State) -> Option<Status> {
        match &state.stage {
            Stage::Erased => Some(Refusal::NotFound { resource: "session", name: self.session.key.1.clone() }.into()),
            Stage::Closed => Some(
                Refusal::Unavailable {
                    description: "has closed this session: ask GetVerdict for its verdict".into(),
                    retry_after: Duration::ZERO,
                }
                .into(),
            ),
            Stage::Open(_) if state.holder != self.holder => {
                Some(Status::aborted("a newer stream follows this session: go on there"))
            }
            Stage::Open(_) => None,
        }
    }
}
