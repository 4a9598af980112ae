//! What remains of an erased worker: a keyed hash and an instant, so that old events cannot teach again.

use super::lock;
use crate::event::EventTime;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Mutex;

/// Names an erased worker without telling which: a hash keyed with the store's secret.
pub(super) type Stone = [u8; 16];

/// The key of a store's tombstones. Without it, guessing pseudonyms against a stolen list is hopeless.
#[derive(Clone)]
pub(super) struct Secret(pub(super) [u8; 32]);

impl Secret {
    /// Draws a secret from the randomness the operating system gave this process (128 bits).
    pub(super) fn draw() -> Secret {
        let random = RandomState::new();
        let mut hasher = Sha256::new();
        for counter in 0..4_u64 {
            hasher.update(random.hash_one(counter).to_le_bytes());
        }
        Secret(hasher.finalize().into())
    }

    /// A key for one tenant and purpose, made of the secret.
    pub(super) fn key(&self, tenant: u32, purpose: &str) -> [u8; 32] {
        let hasher = Sha256::new().chain_update(self.0).chain_update(tenant.to_be_bytes());
        // A zero byte, which no worker's name begins with: the names of tombstones are made of the same secret.
        hasher.chain_update([0]).chain_update(purpose).finalize().into()
    }

    /// The name under which a worker's erasure is remembered.
    pub(super) fn stone(&self, tenant: u32, worker: &str) -> Stone {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(tenant.to_be_bytes());
        hasher.update(worker);
        let digest: [u8; 32] = hasher.finalize().into();
        let mut stone = [0; 16];
        stone.copy_from_slice(&digest[..16]);
        stone
    }
}

/// The erasures of one tenant.
#[derive(Default)]
pub(super) struct Tombstones {
    erased: Mutex<HashMap<Stone, EventTime>>,
}

impl Tombstones {
    /// Remembers an erasure. A later one replaces an earlier one, never the reverse. Returns what is in force.
    pub(super) fn raise(&self, stone: Stone, time: EventTime) -> EventTime {
        let mut erased = lock(&self.erased);
        let kept = erased.entry(stone).or_insert(time);
        *kept = time.max(*kept);
        *kept
    }

    /// When the worker behind `name` was erased. The hash is taken only where anything was ever erased.
    pub(super) fn find(&self, name: impl FnOnce() -> Stone) -> Option<EventTime> {
        let erased = lock(&self.erased);
        if erased.is_empty() {
            return None;
        }
        erased.get(&name()).copied()
    }
}
