//! The trait every store answers to, and the words it speaks.

use super::afterwards::Afterwards;
use super::hands::{AlikeHand, Hands};
use super::neighbours::{Held, hold};
use super::neighbours::{Neighbourhood, Neighbours, TokenKind};
use super::nonces::{NonceClaim, NonceFault};
use super::pools::{Contribution, Pools};
use super::{Durable, Kept, Record};
use crate::event::{EventTime, Token, limits};
use crate::evidence::crowd::ClaimSummary;
use crate::evidence::typing::PhraseBackground;
use crate::evidence::typing::table::TableBackground;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A tenant, as the store numbers them. Given by [`Store::tenant`]; another store may number otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(pub(super) u32);

/// What tells how long a reply has been kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The service's clock, as given in [`Arrival::now`].
    Service,
    /// The latest event time seen, of the worker and of all: for input whose time is not ours.
    Events,
}

/// How long things are kept. Made by [`Config::check`], so that no shorter promise than the contract's can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    pub(super) clock: Clock,
    pub(super) reply_retention_micros: i64,
    pub(super) worker_retention_micros: i64,
}

/// How long a worker is kept who is not seen again, microseconds: 400 days, a year and a long leave.
pub const WORKER_RETENTION_MICROS: i64 = 400 * 24 * 3_600 * 1_000_000;

impl Config {
    /// Checks retentions, in microseconds.
    ///
    /// Fails when replies would be kept for less than [`limits::REPLY_RETENTION_MICROS`], or workers for less than
    /// their replies.
    pub fn check(clock: Clock, reply_retention_micros: i64, worker_retention_micros: i64) -> Result<Config, String> {
        if reply_retention_micros < limits::REPLY_RETENTION_MICROS {
            return Err("verdicts must be kept for at least 24 hours: raise their retention".into());
        }
        if worker_retention_micros < reply_retention_micros {
            return Err("workers must be kept at least as long as their verdicts: raise their retention".into());
        }
        Ok(Config { clock, reply_retention_micros, worker_retention_micros })
    }

    /// What a run over a file wants: time from events, replies for the contract's 24 hours.
    pub fn of_events() -> Config {
        Config {
            clock: Clock::Events,
            reply_retention_micros: limits::REPLY_RETENTION_MICROS,
            worker_retention_micros: WORKER_RETENTION_MICROS,
        }
    }

    /// The same into a data directory: replies are kept as long as workers. A run that was cut off has scored more than
    /// it printed, hundreds of events that may lie weeks apart; whoever runs the rest again must find them answered, or
    /// they would teach twice.
    pub fn of_events_kept() -> Config {
        Config { reply_retention_micros: WORKER_RETENTION_MICROS, ..Config::of_events() }
    }
}

/// An event as far as keeping needs to know it.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Names the event.
    pub event_id: &'a str,
    /// The worker it belongs to.
    pub worker_id: &'a str,
    /// When it happened.
    pub event_time: EventTime,
    /// Hash of the event in canonical form: equal hashes mean equal events.
    pub content_hash: [u8; 32],
    /// The service's clock; becomes the reply's assess time. Where time comes from events, the event time.
    pub now: EventTime,
    /// Whether record and links may change. If not, the verdict is the only trace.
    pub keep: bool,
    /// The session it belongs to; empty when none was named.
    pub session_id: &'a str,
    /// The nonce it carries, where nonces are enforced.
    pub nonce: Option<NonceClaim>,
}

/// What came of an arrival.
#[derive(Debug)]
pub enum Answer<V> {
    /// The event was new and has been scored.
    First {
        /// What the caller's scoring returned.
        verdict: Arc<V>,
        /// Resolves when verdict and record are persisted. Acknowledge nothing before.
        durable: Durable,
    },
    /// The event was answered before; nothing was scored and nothing changed.
    Repeated {
        /// The verdict as it was first given.
        verdict: Arc<V>,
        /// Resolves when that verdict is persisted: a repeat may overtake its original's write.
        durable: Durable,
    },
    /// The event id was used before with different content.
    Different {
        /// When it was first used.
        assess_time: EventTime,
    },
    /// The event is new and its nonce is not good; nothing was scored and nothing changed.
    NonceRefused {
        /// Why.
        fault: NonceFault,
    },
}

/// What an erasure removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Verdicts erased.
    pub verdict_count: u32,
    /// Feedback entries erased.
    pub feedback_count: u32,
    /// Other workers with whom a token was shared.
    pub link_count: u32,
}

/// What an expiry removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Workers not seen for too long.
    pub worker_count: u64,
    /// Replies kept for long enough.
    pub verdict_count: u64,
}

/// Why a store cannot open, read or keep. One variant per reaction of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// Another process has the directory open.
    Locked {
        /// The directory.
        path: String,
    },
    /// Something was written by another version of the program.
    UnknownFormat {
        /// What it is, with its name.
        what: String,
        /// The version found.
        found: u8,
        /// The version this program writes.
        expected: u8,
    },
    /// Something on disk cannot be read back.
    Damaged {
        /// What it is, with its name.
        what: String,
        /// What was wrong with it.
        cause: String,
    },
    /// Writing failed. Nothing is taken from then on; what was acknowledged is on disk.
    Unwritable {
        /// What the system said.
        cause: Arc<str>,
    },
    /// No store can be in this place.
    Unusable {
        /// The data directory.
        path: String,
        /// What the system said.
        cause: String,
    },
    /// Reading failed.
    Unreadable {
        /// What the system said.
        cause: String,
    },
    /// The tenant is not of this store.
    UnknownTenant,
}

impl StoreError {
    /// The same, saying in which data directory.
    pub(super) fn found_in(mut self, path: &Path) -> StoreError {
        if let StoreError::UnknownFormat { what, .. } | StoreError::Damaged { what, .. } = &mut self {
            *what = format!("{what} at {}", path.display());
        }
        self
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Locked { path } => {
                write!(f, "`{path}` is in use by another process: stop it, or name another data directory")
            }
            StoreError::UnknownFormat { what, found, expected } => write!(
                f,
                "{what} has format {found}, this program speaks {expected}: use the version that wrote it, or erase it"
            ),
            StoreError::Damaged { what, cause } => {
                write!(f, "{what} is damaged ({cause}): restore the data directory from a backup")
            }
            StoreError::Unwritable { cause } => {
                write!(f, "the data directory cannot be written ({cause}): free or repair the disk, then restart")
            }
            StoreError::Unusable { path, cause } => {
                write!(f, "`{path}` cannot be the data directory ({cause}): name one that this user may write")
            }
            StoreError::Unreadable { cause } => {
                write!(f, "the data directory cannot be read ({cause}): repair the disk, then restart")
            }
            StoreError::UnknownTenant => write!(f, "the tenant is not known to this store: ask the store for it first"),
        }
    }
}

impl std::error::Error for StoreError {}

/// One worker in hand while an event is scored. No other event of this worker is scored meanwhile.
pub struct Visit<'a, R> {
    pub(super) worker: &'a Arc<str>,
    pub(super) time: EventTime,
    pub(super) known: bool,
    pub(super) record: &'a mut R,
    /// Where changes go that must not be kept.
    pub(super) scratch: Option<Box<R>>,
    pub(super) held: &'a mut Vec<Held>,
    pub(super) neighbours: &'a Neighbours,
    pub(super) pools: &'a Pools,
    /// What the worker gave to the pools before the record was first changed.
    pub(super) given: Contribution,
    pub(super) hands: &'a Hands,
    /// How much the hand was learned before the record was first changed.
    pub(super) hand_age: Option<u32>,
    pub(super) erased_after: Option<EventTime>,
    pub(super) teaches: bool,
    pub(super) changed: bool,
    pub(super) raised: Option<bool>,
}

/// What a record gives to the pools.
pub(super) fn given<R: Record>(record: &R) -> Contribution {
    let phrases = record.phrases().map(|(key, means)| (key, means.into())).collect();
    Contribution { phrases, table: record.table_share() }
}

impl<R: Record> Visit<'_, R> {
    /// What is kept of the worker; the default when nothing is.
    pub fn record(&self) -> &R {
        self.scratch.as_deref().unwrap_or(self.record)
    }

    /// The record, to be changed and kept. Where [`Visit::teaches`] is false, a copy that is thrown away.
    pub fn record_mut(&mut self) -> &mut R {
        if self.teaches {
            if !self.changed {
                self.given = given(self.record);
                self.hand_age = self.record.hand_age();
            }
            self.changed = true;
            return self.record;
        }
        self.scratch.get_or_insert_with(|| Box::new(self.record.clone()))
    }

    /// Whether anything was kept of the worker before.
    pub fn known(&self) -> bool {
        self.known
    }

    /// Whether changes will be kept: the caller wants it, and the event is not dated before an erasure.
    pub fn teaches(&self) -> bool {
        self.teaches
    }

    /// When the worker was last erased. Events dated up to then teach nothing.
    pub fn erased_after(&self) -> Option<EventTime> {
        self.erased_after
    }

    /// The other workers seen with these tokens, one entry per token, in the order asked.
    pub fn neighbours(&self, tokens: &[(TokenKind, Token)]) -> Vec<Neighbourhood> {
        self.neighbours.others(self.worker, self.held, tokens)
    }

    /// How other workers of the tenant type the phrase of this key; absent when none does.
    pub fn background(&self, key: u64) -> Option<PhraseBackground> {
        let own = self.record().phrases().find(|(own, _)| *own == key);
        self.pools.background(key, own.map(|(_, means)| means))
    }

    /// How the tables of other workers of the tenant stand, of those kept in the coordinates of `basis`; absent when
    /// there is no other.
    pub fn table_background(&self, basis: u32) -> Option<TableBackground> {
        self.pools.table_background(basis, self.record().table_share().as_ref())
    }

    /// The workers found to type like this one, and how many hands they were found among.
    pub fn alike(&self) -> (Vec<AlikeHand>, usize) {
        let found = self.hands.alike(self.worker);
        let among = if found.is_empty() { 0 } else { self.hands.count() };
        (found, among)
    }

    /// Remembers that the worker was seen with these tokens under this claim. Does nothing unless the event teaches.
    ///
    /// Returns whether any of them was new with this worker.
    pub fn hold(&mut self, tokens: &[(TokenKind, Token)], claim: Option<ClaimSummary>) -> bool {
        let mut fresh = false;
        if self.teaches {
            for (kind, token) in tokens {
                fresh |= hold(self.held, self.neighbours, self.worker, (*kind, *token), claim, self.time);
            }
            if !self.changed && !tokens.is_empty() {
                self.given = given(self.record);
                self.hand_age = self.record.hand_age();
                self.changed = true;
            }
        }
        fresh
    }

    /// Whether the worker was seen with a token.
    pub fn holds(&self, kind: TokenKind, token: Token) -> bool {
        self.held.iter().any(|held| held.kind == kind && held.token == token)
    }

    /// Has watchers told that the standing changed its level; `raised` when the worker stands out now. Told once the
    /// change is persisted, and not at all unless the record is kept.
    pub fn tell(&mut self, raised: bool) {
        self.raised = Some(raised);
    }
}

/// Keeps records, replies, links and erasures of workers, tenant by tenant.
///
/// Calls return without waiting for the disk; what waits is the [`Durable`] they hand out. Every method may be called
/// from any thread.
pub trait Store<R: Record, V: Kept>: Afterwards<R> {
    /// Gives the number of a tenant, making room for it on first sight.
    fn tenant(&self, name: &str) -> Result<TenantId, StoreError>;

    /// Names of all tenants, in the order of first sight. For those who run the store; callers see their own only.
    fn tenants(&self) -> Vec<String>;

    /// Answers one event: from its stored reply, or by `score` with the worker in hand, after which record, links and
    /// reply are kept together.
    ///
    /// `score` is called at most once. Events of one worker are scored one after another; of two calls with the same
    /// event id exactly one scores.
    fn assess(
        &self,
        tenant: TenantId,
        arrival: &Arrival<'_>,
        score: &mut dyn FnMut(&mut Visit<'_, R>) -> V,
    ) -> Result<Answer<V>, StoreError>;

    /// Shows one worker to `visit` as an event would meet them, and keeps no trace: [`Visit::teaches`] is false.
    ///
    /// Holds the worker like [`Store::assess`], so what is seen is between two events.
    fn look(
        &self,
        tenant: TenantId,
        worker_id: &str,
        time: EventTime,
        visit: &mut dyn FnMut(&mut Visit<'_, R>),
    ) -> Result<(), StoreError>;

    /// The reply given to an event, exactly as it was given; `None` when there is none or it has expired.
    fn verdict(&self, tenant: TenantId, event_id: &str) -> Result<Option<Arc<V>>, StoreError>;

    /// How many verdicts are kept of a worker.
    fn verdict_count(&self, tenant: TenantId, worker_id: &str) -> Result<u32, StoreError>;

    /// Shows the record of one worker; `None` when nothing is kept.
    fn record(&self, tenant: TenantId, worker_id: &str) -> Result<Option<R>, StoreError>;

    /// The other workers seen with any token of this worker, ordered by kind and token.
    fn neighbours(&self, tenant: TenantId, worker_id: &str) -> Result<Vec<Neighbourhood>, StoreError>;

    /// Shows every worker of a tenant to `visit`, in no particular order, each once. Others may score meanwhile.
    fn workers(&self, tenant: TenantId, visit: &mut dyn FnMut(&str, &R)) -> Result<(), StoreError>;

    /// When a worker was last erased; `None` when never.
    fn erased_after(&self, tenant: TenantId, worker_id: &str) -> Result<Option<EventTime>, StoreError>;

    /// Erases record, verdicts, feedback and links of a worker, and from then on lets no event dated up to `now` teach.
    ///
    /// Idempotent: a worker of whom nothing is kept gives zero counts. In force when it returns.
    fn forget(&self, tenant: TenantId, worker_id: &str, now: EventTime) -> Result<(Forgotten, Durable), StoreError>;

    /// Drops, in all tenants, workers not seen and replies given longer than their retention before `now`.
    ///
    /// Waits for the disk; meant for a thread of its own.
    fn expire(&self, now: EventTime) -> Result<Expired, StoreError>;
}

/// A sorted listing of what `pick` takes from the workers of a tenant: one snapshot from which pages are cut.
///
/// Sorting makes it independent of the order in which a store walks its workers.
pub fn snapshot<R: Record, V: Kept, T: Ord>(
    store: &dyn Store<R, V>,
    tenant: TenantId,
    mut pick: impl FnMut(&str, &R) -> Option<T>,
) -> Result<Vec<T>, StoreError> {
    let mut picked = Vec::new();
    store.workers(tenant, &mut |worker, record| picked.extend(pick(worker, record)))?;
    picked.sort_unstable();
    Ok(picked)
}
