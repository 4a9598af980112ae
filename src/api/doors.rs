//! What every service shares: the pipeline, who may call, how many at once, and the counts that must add up.

use super::refusal::Refusal;
use super::tenant::{Caller, Callers};
use super::watch::Watchers;
use super::wire;
use crate::event::{EventTime, limits};
use crate::history::TenantId;
use crate::pipeline::Pipeline;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::Status;
use tonic::metadata::MetadataMap;

/// What every service shares.
pub struct Doors {
    /// Steps two to six.
    pub pipeline: Pipeline,
    /// What was answered.
    pub counts: Counts,
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

/// Sessions received and what became of them: `received = verdicts + refusals` once all calls are answered.
#[derive(Debug, Default)]
pub struct Counts {
    verdicts: AtomicU64,
    refusals: AtomicU64,
}

impl Counts {
    /// Counts one session's outcome.
    pub fn count(&self, outcome: &Result<wire::Verdict, Refusal>) {
        let counter = if outcome.is_ok() { &self.verdicts } else { &self.refusals };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Verdicts and refusals so far.
    pub fn so_far(&self) -> (u64, u64) {
        (self.verdicts.load(Ordering::Relaxed), self.refusals.load(Ordering::Relaxed))
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
        worker_retention_micros: i64,
        draining: watch::Receiver<bool>,
    ) -> Self {
        Self {
            watchers: Watchers::of(&pipeline),
            nonce_micros: i64::from(limits::NONCE_MINUTES) * 60_000_000,
            pipeline,
            counts: Counts::default(),
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

    /// Lets in a call that stays open and does no work of its own: it takes one of the tenant's places for watchers, and
    /// none of those that logins need.
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
