//! What every service shares: the pipeline, who may call, how many at once, and the counts that must add up.

use super::monitor::Monitors;
use super::refusal::Refusal;
use super::tenant::{Caller, Callers};
use super::watch::Watchers;
use crate::addresses::AddressBook;
use crate::event::{EventTime, limits};
use crate::history::TenantId;
use crate::pipeline::Pipeline;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::Status;
use tonic::metadata::MetadataMap;

/// What every service shares.
pub struct Doors {
    /// Steps two to six.
    pub pipeline: Pipeline,
    /// The operator's address databases; none unless set.
    pub addresses: Arc<AddressBook>,
    /// What was answered.
    pub counts: Counts,
    /// Live sessions.
    pub monitors: Monitors,
    /// How long an unseen worker is kept, microseconds.
    pub worker_retention_micros: i64,
    /// How long a nonce is valid, microseconds.
    pub nonce_micros: i64,
    /// Who watches standings.
    pub watchers: Watchers,
    callers: Callers,
    permits: Arc<Semaphore>,
    draining: watch::Receiver<bool>,
    clock: Clock,
}

/// Where the service reads the time of day. Another clock than the system's serves sessions of another time, as
/// `elsewhere demo` does: no check is weakened, only "now" is elsewhere.
pub type Clock = Arc<dyn Fn() -> EventTime + Send + Sync>;

/// The right to use the service for one call; given back when dropped.
pub type Permit = OwnedSemaphorePermit;

/// Sessions received and what became of them: `received = verdicts + refusals + drops` once all calls are answered and
/// no live session is open. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    received: AtomicU64,
    verdicts: AtomicU64,
    refusals: AtomicU64,
    drops: AtomicU64,
    /// Answers by how long they took, as [`LATENCIES`]; the last took longer than any.
    latencies: [AtomicU64; LATENCIES.len() + 1],
    latency_micros: AtomicU64,
}

/// Upper ends, microseconds, by which the time to an answer is counted: a login's budget is a few thousand.
pub const LATENCIES: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];

/// How long answers took: all microseconds together, and answers by [`LATENCIES`], the last by none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latencies {
    /// Microseconds of all answers.
    pub micros: u64,
    /// Answers by bucket, not summed up.
    pub counts: [u64; LATENCIES.len() + 1],
}

/// A session received whose end is not known yet. Whatever ends its work unanswered (a deadline, a caller that went
/// away, an erasure, a panic) lets go of it, and that is a counted drop.
#[derive(Debug)]
#[must_use = "a session let go is a counted drop"]
pub struct Received {
    counts: Counts,
    settled: bool,
    /// When it arrived; absent for a live session, which lasts as long as its worker works.
    arrived: Option<Instant>,
}

/// [`Counts`] at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Sessions that arrived.
    pub received: u64,
    /// Answered with a verdict; of a live session its last.
    pub verdicts: u64,
    /// Refused with a reason.
    pub refusals: u64,
    /// Dropped without an answer: its deadline passed, its caller went away, its worker was erased, or the store failed
    /// as the service ended.
    pub drops: u64,
}

impl Counts {
    /// Counts a session as received; what becomes of it is told by its [`Received`].
    #[expect(clippy::disallowed_methods, reason = "how long an answer takes is told by the clock alone")]
    pub fn receive(&self) -> Received {
        let mut received = self.receive_live();
        received.arrived = Some(Instant::now());
        received
    }

    /// The same of a live session: how long it lasts says nothing of the service.
    pub fn receive_live(&self) -> Received {
        self.0.received.fetch_add(1, Ordering::SeqCst);
        Received { counts: self.clone(), settled: false, arrived: None }
    }

    /// How long answers took so far.
    pub fn latencies(&self) -> Latencies {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Latencies {
            micros: read(&self.0.latency_micros),
            counts: std::array::from_fn(|at| read(&self.0.latencies[at])),
        }
    }

    /// All counts so far.
    pub fn so_far(&self) -> Counted {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Counted {
            received: read(&self.0.received),
            verdicts: read(&self.0.verdicts),
            refusals: read(&self.0.refusals),
            drops: read(&self.0.drops),
        }
    }
}

impl Counted {
    /// Whether every session received has had its end.
    pub fn balanced(&self) -> bool {
        self.received == self.verdicts + self.refusals + self.drops
    }

    /// The counts of a service that ends now: what has had no end yet gets no answer any more.
    pub fn ended(self) -> Self {
        Self { drops: self.received.saturating_sub(self.verdicts + self.refusals), ..self }
    }
}

impl Received {
    /// Counts the session's end: answered with a verdict, or refused.
    pub fn settle(mut self, verdict: bool) {
        let counters = &self.counts.0;
        let counter = if verdict { &counters.verdicts } else { &counters.refusals };
        counter.fetch_add(1, Ordering::SeqCst);
        if let Some(arrived) = self.arrived {
            let micros = u64::try_from(arrived.elapsed().as_micros()).unwrap_or(u64::MAX);
            let bucket = LATENCIES.partition_point(|end| *end < micros);
            counters.latencies[bucket].fetch_add(1, Ordering::Relaxed);
            counters.latency_micros.fetch_add(micros, Ordering::Relaxed);
        }
        self.settled = true;
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.settled {
            self.counts.0.drops.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// How long a caller that was shed is asked to wait: a few logins' worth of work.
const RETRY_AFTER: Duration = Duration::from_millis(50);

impl Doors {
    /// Opens the doors over a pipeline. `draining` turns true when no new call may enter.
    pub fn new(
        pipeline: Pipeline,
        callers: Callers,
        in_flight_max: usize,
        monitored_sessions_max: usize,
        worker_retention_micros: i64,
        draining: watch::Receiver<bool>,
    ) -> Self {
        Self {
            watchers: Watchers::of(&pipeline),
            nonce_micros: i64::from(limits::NONCE_MINUTES) * 60_000_000,
            pipeline,
            addresses: Arc::default(),
            counts: Counts::default(),
            monitors: Monitors::new(monitored_sessions_max),
            worker_retention_micros,
            callers,
            permits: Arc::new(Semaphore::new(in_flight_max.min(Semaphore::MAX_PERMITS))),
            draining,
            clock: Arc::new(super::assess::system_now),
        }
    }

    /// The same doors by another clock.
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Now, by the service's clock.
    pub fn now(&self) -> EventTime {
        (self.clock)()
    }

    /// Turns true when the service drains.
    pub fn draining(&self) -> watch::Receiver<bool> {
        self.draining.clone()
    }

    /// All tenants that may call.
    pub fn tenants(&self) -> Vec<TenantId> {
        self.callers.tenants()
    }

    /// Lets in a call that stays open and does no work of its own: it takes one of the tenant's places for watchers,
    /// and none of those that logins need.
    ///
    /// # Errors
    /// As [`Doors::enter`]; `RESOURCE_EXHAUSTED` when the tenant has too many watchers.
    pub fn enter_to_watch(&self, metadata: &MetadataMap) -> Result<(Caller, Permit), Status> {
        if *self.draining.borrow() {
            return Err(self.unavailable().into());
        }
        let caller = self.callers.identify(metadata)?;
        let place = self.watchers.place(caller.tenant);
        Ok((caller, place.ok_or(Refusal::Overloaded { retry_after: RETRY_AFTER })?))
    }

    /// What is said while the service drains.
    pub fn unavailable(&self) -> Refusal {
        Refusal::Unavailable { description: "is draining".into(), retry_after: RETRY_AFTER }
    }

    /// Lets a call in: who it is, and the permit it holds while it runs.
    ///
    /// # Errors
    /// `UNAVAILABLE` while draining, `UNAUTHENTICATED` without a known credential, `RESOURCE_EXHAUSTED` when too many
    /// calls are in flight.
    pub fn enter(&self, metadata: &MetadataMap) -> Result<(Caller, Permit), Status> {
        if *self.draining.borrow() {
            return Err(self.unavailable().into());
        }
        let caller = self.callers.identify(metadata)?;
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => Ok((caller, permit)),
            Err(_) => Err(Refusal::Overloaded { retry_after: RETRY_AFTER }.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_let_go_is_a_counted_drop_and_a_settled_one_is_counted_once() {
        let counts = Counts::default();
        let (verdict, refusal, dropped) = (counts.receive(), counts.receive(), counts.receive());
        assert!(!counts.so_far().balanced());
        verdict.settle(true);
        refusal.settle(false);
        drop(dropped);
        assert_eq!(counts.so_far(), Counted { received: 3, verdicts: 1, refusals: 1, drops: 1 });
        assert!(counts.so_far().balanced());
    }
}
