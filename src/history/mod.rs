//! The memory room: keeps what is known of workers, knows how to keep it and not what it is.
//!
//! Behind one trait, [`Store`], stand the sharded map alone ([`MemoryStore`]) and the same map over an embedded
//! database with group commit ([`DurableStore`]). The record of a worker and the verdict are the caller's types; this
//! room asks of them only that they can be written down ([`Kept`]) and when a worker was last seen ([`Record`]).
//!
//! May import `event` and the profile types of `evidence`. It reads no calendar: the service's clock arrives with each call, or is taken from the
//! events ([`Clock`]). It never looks into a record but for the phrases it gives out, and tenants never meet: every map is a tenant's own.
//!
//! Worked example: worker `w-1` sends event `e-1`. [`Store::assess`] locks the worker, finds no reply to `e-1`, lets
//! the caller score with the worker's record in hand, keeps record and reply together and gives a [`Durable`], which
//! resolves when both are on disk. `e-1` sent again with equal content gives the same verdict and scores nothing;
//! with other content it gives [`Answer::Different`]. A day and more later the reply is forgotten, the record is not.
//!
//! Locks are taken in one order: a shard of workers, then one of replies, tokens or tombstones, each released before
//! the next.

pub mod afterwards;
mod backing;
mod changes;
pub mod durable;
mod format;
pub mod hands;
mod intact;
mod journal;
pub mod labels;
pub mod memory;
pub mod neighbours;
pub mod nonces;
mod pools;
mod record;
mod replies;
pub mod store;
mod tenant_room;
pub mod ticket;
mod tombstones;

#[cfg(test)]
mod tests;

pub use afterwards::{Afterwards, ClusterName, Shared};
pub use durable::DurableStore;
pub use hands::{AlikeHand, Hands, NearHand};
pub use labels::{KeptFeedback, Recorded};
pub use memory::MemoryStore;
pub use neighbours::{Neighbour, Neighbourhood, TokenKind};
pub use nonces::{NonceClaim, NonceFault, NonceKey};
pub use record::WorkerRecord;
pub use store::{Answer, Arrival, Clock, Config, Expired, Forgotten, Store, StoreError, TenantId, Visit};
pub use ticket::Durable;

use crate::event::EventTime;
use crate::evidence::typing::table::TableShare;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Something that can be written down and read again, by a later version of the program too.
pub trait Kept: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Version of the written form. Raise it when the form changes: what was written under another is refused by name,
    /// but for the records that [`Record::read_older`] takes.
    const FORMAT: u8;

    /// What is written behind the form above, where there is anything: later additions that older readers lack.
    fn addition(&self) -> postcard::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Takes what [`Kept::addition`] wrote at the start of `bytes`, and returns what follows it.
    fn add<'a>(&mut self, bytes: &'a [u8]) -> postcard::Result<&'a [u8]> {
        Ok(bytes)
    }
}

/// What is kept of one worker.
pub trait Record: Kept + Clone + Default {
    /// The latest event the record knows of; workers are dropped when it is long past.
    fn last_seen(&self) -> EventTime;

    /// Reads what an older release wrote under `format` at the start of `bytes`; returns it in today's form, and what
    /// follows it. `None` when that format is not read any more, or never was one.
    fn read_older(format: u8, bytes: &[u8]) -> Option<postcard::Result<(Self, &[u8])>> {
        let (_, _) = (format, bytes);
        None
    }

    /// What the worker gives to what is common to all who type the same phrase: its key and the worker's stored means.
    fn phrases(&self) -> impl Iterator<Item = (u64, &[i16])> {
        std::iter::empty()
    }

    /// What the worker gives to what is common to all whose tables were learned.
    fn table_share(&self) -> Option<TableShare> {
        None
    }

    /// How much the worker's hand has been learned: another number after every lesson, absent before the first.
    fn hand_age(&self) -> Option<u32> {
        None
    }

    /// Names what in it this program never writes: a number that is none, or one out of its range. `None` when sound.
    ///
    /// Asked of every record that is read back, so that whoever scores may rely on it.
    fn unsound(&self) -> Option<&'static str> {
        None
    }
}

/// Shards of each map. Far more than cores, so that two logins seldom meet; few enough to walk.
const SHARDS: usize = 64;

/// Locks, also after another thread panicked inside: one lost login must not stop a sixty-fourth of all workers.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
