//! Which workers were seen with which token: behind crowd and linkage, erased with the worker.
//!
//! The worker's own list is what is written down; the index from tokens to workers is made of those lists and can be
//! made anew from them. A token on more than [`limits::WORKERS_PER_TOKEN_MAX`] workers is a crowd: its workers are
//! counted and no longer named, and it stays a crowd until the store is opened anew with fewer.
//!
//! Worked example: `w-1` and `w-2` both held display token `d`. Asked for `d`, `w-1` sees one other worker, `w-2`, with
//! the place `w-2` claimed when it was last seen with `d`.

use super::afterwards::Shared;
use super::{SHARDS, lock};
use crate::event::{EventTime, Token, limits};
use crate::evidence::crowd::ClaimSummary;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex};

/// What a token stands for (a site, a display, an address), as the caller numbers it. Tokens of two kinds never match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenKind(pub u8);

/// Another worker seen with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The worker.
    pub worker_id: Arc<str>,
    /// Its claim when last seen with the token; `None` when it made none.
    pub claim: Option<ClaimSummary>,
    /// Earliest event with the token.
    pub first_time: EventTime,
    /// Latest event with the token.
    pub last_time: EventTime,
    /// Events with the token.
    pub event_count: u32,
}

/// The other workers behind one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbourhood {
    /// The kind of token asked for.
    pub kind: TokenKind,
    /// The token asked for.
    pub token: Token,
    /// Other workers seen with it.
    pub worker_count: u32,
    /// The other workers, by id. Empty for a crowd, whatever its count.
    pub others: Vec<Neighbour>,
}

/// One token of one worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) kind: TokenKind,
    pub(super) token: Token,
    pub(super) claim: Option<ClaimSummary>,
    pub(super) first_time: EventTime,
    pub(super) last_time: EventTime,
    pub(super) event_count: u32,
}

/// All workers of one token.
#[derive(Default)]
struct Row {
    /// By worker id; empty once a crowd.
    holders: Vec<Neighbour>,
    worker_count: u32,
}

impl Row {
    fn crowded(&self) -> bool {
        self.holders.len() != self.worker_count as usize
    }

    fn position(&self, worker: &str) -> Result<usize, usize> {
        self.holders.binary_search_by(|holder| (*holder.worker_id).cmp(worker))
    }
}

type Rows = HashMap<(TokenKind, Token), Row>;

/// The index from tokens to workers of one tenant.
pub(super) struct Neighbours {
    shards: Vec<Mutex<Rows>>,
    hasher: RandomState,
}

impl Default for Neighbours {
    fn default() -> Self {
        Neighbours { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }
}

impl Neighbours {
    fn shard(&self, key: &(TokenKind, Token)) -> &Mutex<Rows> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    /// Writes one worker's tie to a token into the index. `fresh` says that the worker did not hold it before.
    pub(super) fn link(&self, worker: &Arc<str>, held: &Held, fresh: bool) {
        let key = (held.kind, held.token);
        let mut rows = lock(self.shard(&key));
        let row = rows.entry(key).or_default();
        let crowded = row.crowded();
        row.worker_count += u32::from(fresh);
        if crowded {
            return;
        }
        if row.worker_count as usize > limits::WORKERS_PER_TOKEN_MAX {
            row.holders = Vec::new();
            return;
        }
        let neighbour = Neighbour {
            worker_id: Arc::clone(worker),
            claim: held.claim,
            first_time: held.first_time,
            last_time: held.last_time,
            event_count: held.event_count,
        };
        match row.position(worker) {
            Ok(index) => row.holders[index] = neighbour,
            Err(index) => {
                // Most tokens belong to one worker for ever, so space is taken one by one at first.
                if row.holders.is_empty() {
                    row.holders.reserve_exact(1);
                }
                row.holders.insert(index, neighbour);
            }
        }
    }

    /// Takes one worker's tie to a token out of the index.
    pub(super) fn unlink(&self, worker: &str, kind: TokenKind, token: Token) {
        let key = (kind, token);
        let mut rows = lock(self.shard(&key));
        if let Some(row) = rows.get_mut(&key) {
            if let Ok(index) = row.position(worker) {
                row.holders.remove(index);
            }
            row.worker_count = row.worker_count.saturating_sub(1);
            if row.worker_count == 0 {
                rows.remove(&key);
            }
        }
    }

    /// The workers other than `worker`, whose own list is `held`, behind each token.
    pub(super) fn others(&self, worker: &str, held: &[Held], tokens: &[(TokenKind, Token)]) -> Vec<Neighbourhood> {
        let seen = |key: &(TokenKind, Token)| held.iter().any(|held| (held.kind, held.token) == *key);
        tokens.iter().map(|key| self.behind(key, worker, seen(key))).collect()
    }

    /// Shows the workers of a token, if there are two and no crowd.
    pub(super) fn shared(&self, key: &(TokenKind, Token), visit: &mut dyn FnMut(&Shared<'_>)) {
        // Copied, so that whoever looks may take its time and its own locks.
        let holders = lock(self.shard(key)).get(key).map_or_else(Vec::new, |row| row.holders.clone());
        if holders.len() > 1 {
            visit(&Shared { kind: key.0, token: key.1, holders: &holders });
        }
    }

    /// Shows the workers of every token that has at least two and is no crowd.
    pub(super) fn each_shared(&self, visit: &mut dyn FnMut(&Shared<'_>)) {
        for shard in &self.shards {
            let rows = lock(shard);
            let shared: Vec<_> = rows
                .iter()
                .filter(|(_, row)| row.holders.len() > 1)
                .map(|(key, row)| (*key, row.holders.clone()))
                .collect();
            drop(rows);
            for ((kind, token), holders) in &shared {
                visit(&Shared { kind: *kind, token: *token, holders });
            }
        }
    }

    fn behind(&self, key: &(TokenKind, Token), worker: &str, holds: bool) -> Neighbourhood {
        let rows = lock(self.shard(key));
        let (worker_count, others) = rows.get(key).map_or((0, Vec::new()), |row| {
            let count = row.worker_count.saturating_sub(u32::from(holds));
            let named = if count == 0 { &[] } else { row.holders.as_slice() };
            (count, named.iter().filter(|holder| *holder.worker_id != *worker).cloned().collect())
        });
        Neighbourhood { kind: key.0, token: key.1, worker_count, others }
    }
}

/// Notes in a worker's own list, and in the index, that it was seen with a token.
///
/// The list keeps [`limits::TOKENS_PER_WORKER_MAX`] tokens of a kind; the one seen longest ago makes room, even if it
/// is the new one because its event came late. Returns whether the worker holds the token anew.
pub(super) fn hold(
    held: &mut Vec<Held>,
    neighbours: &Neighbours,
    worker: &Arc<str>,
    (kind, token): (TokenKind, Token),
    claim: Option<ClaimSummary>,
    time: EventTime,
) -> bool {
    if let Some(known) = held.iter_mut().find(|held| held.kind == kind && held.token == token) {
        known.first_time = known.first_time.min(time);
        if time >= known.last_time {
            known.last_time = time;
            known.claim = claim;
        }
        known.event_count = known.event_count.saturating_add(1);
        neighbours.link(worker, known, false);
        return false;
    }
    let fresh = Held { kind, token, claim, first_time: time, last_time: time, event_count: 1 };
    if held.iter().filter(|held| held.kind == kind).count() >= limits::TOKENS_PER_WORKER_MAX {
        let same_kind = held.iter().enumerate().filter(|(_, held)| held.kind == kind);
        let oldest = same_kind.min_by_key(|(_, held)| (held.last_time, held.token));
        let Some((index, _)) = oldest.filter(|(_, held)| held.last_time <= time) else {
            return false;
        };
        let gone = held.remove(index);
        neighbours.unlink(worker, gone.kind, gone.token);
    }
    neighbours.link(worker, &fresh, true);
    if held.len() == held.capacity() {
        held.reserve_exact(2);
    }
    held.push(fresh);
    true
}

/// How many distinct other workers a worker is tied to, crowds aside.
pub(super) fn count_links(neighbourhoods: &[Neighbourhood]) -> u32 {
    let mut others: Vec<&str> =
        neighbourhoods.iter().flat_map(|one| &one.others).map(|other| &*other.worker_id).collect();
    others.sort_unstable();
    others.dedup();
    u32::try_from(others.len()).unwrap_or(u32::MAX)
}
