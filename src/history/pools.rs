//! What the workers of a tenant who type one phrase have in common, and all whose tables were learned, kept up as they
//! learn and are erased.
//!
//! Nothing of it is written down: it is added up from the records when they are read back, and the sums are exact, so
//! that a store opened anew gives what the one before gave.

use super::{SHARDS, lock};
use crate::evidence::typing::PhraseBackground;
use crate::evidence::typing::background::PhrasePool;
use crate::evidence::typing::table::{TableBackground, TablePool, TableShare};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Mutex;

/// What one worker gives.
#[derive(Debug, Default)]
pub(super) struct Contribution {
    /// To the pools of their phrases: the phrase's key and the worker's stored means.
    pub(super) phrases: Vec<(u64, Box<[i16]>)>,
    /// To that of tables.
    pub(super) table: Option<TableShare>,
}

impl Contribution {
    /// Nothing.
    pub(super) fn new() -> Self {
        Self::default()
    }
}

/// One phrase. Most are typed by one worker alone, whose means take an eighth of the room of sums.
enum Pool {
    One(Box<[i16]>),
    Many(Box<PhrasePool>),
}

/// The phrases and the tables of a tenant.
pub(super) struct Pools {
    shards: Vec<Mutex<HashMap<u64, Pool>>>,
    /// By basis: one, and for a while the one before a change of model. Some 4 KB each.
    tables: Mutex<HashMap<u32, TablePool>>,
}

impl Default for Pools {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), tables: Mutex::default() }
    }
}

impl Pools {
    fn shard(&self, key: u64) -> &Mutex<HashMap<u64, Pool>> {
        // Keys are hashes already; their high bits are the better mixed ones.
        &self.shards[(key >> 48) as usize % SHARDS]
    }

    /// How the others type a phrase; `own` is what the worker who asks gave to the pool.
    pub(super) fn background(&self, key: u64, own: Option<&[i16]>) -> Option<PhraseBackground> {
        match lock(self.shard(key)).get(&key)? {
            Pool::One(_) if own.is_some() => None,
            Pool::One(means) => {
                let mut pool = PhrasePool::default();
                pool.add(means);
                pool.background(None)
            }
            Pool::Many(pool) => pool.background(own),
        }
    }

    /// Takes out what a worker gave and adds what the worker gives now.
    pub(super) fn replace(&self, before: &Contribution, now: &Contribution) {
        for (key, means) in before.phrases.iter().filter(|given| !now.phrases.contains(given)) {
            self.remove(*key, means);
        }
        for (key, means) in now.phrases.iter().filter(|given| !before.phrases.contains(given)) {
            self.add(*key, means);
        }
        if before.table == now.table {
            return;
        }
        let mut tables = lock(&self.tables);
        if let Some(gone) = &before.table
            && let Some(pool) = tables.get_mut(&gone.basis)
        {
            pool.remove(gone);
            if pool.worker_count() == 0 {
                tables.remove(&gone.basis);
            }
        }
        if let Some(come) = &now.table {
            tables.entry(come.basis).or_default().add(come);
        }
    }

    /// How the tables of the others stand; `own` is what the worker who asks gave.
    pub(super) fn table_background(&self, basis: u32, own: Option<&TableShare>) -> Option<TableBackground> {
        lock(&self.tables).get(&basis)?.background(own.filter(|own| own.basis == basis))
    }

    fn add(&self, key: u64, means: &[i16]) {
        match lock(self.shard(key)).entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(Pool::One(means.into()));
            }
            Entry::Occupied(mut occupied) => match occupied.get_mut() {
                Pool::Many(pool) => pool.add(means),
                Pool::One(first) => {
                    let mut pool = PhrasePool::default();
                    pool.add(first);
                    pool.add(means);
                    occupied.insert(Pool::Many(Box::new(pool)));
                }
            },
        }
    }

    fn remove(&self, key: u64, means: &[i16]) {
        let mut shard = lock(self.shard(key));
        let empty = match shard.get_mut(&key) {
            Some(Pool::Many(pool)) => {
                pool.remove(means);
                pool.worker_count() == 0
            }
            Some(Pool::One(only)) => **only == *means,
            None => false,
        };
        if empty {
            shard.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(means: &[i16]) -> Contribution {
        Contribution { phrases: vec![(7, means.into())], table: None }
    }

    fn seen(pools: &Pools, own: Option<&[i16]>) -> Option<u32> {
        pools.background(7, own).map(|background| background.worker_count)
    }

    #[test]
    fn each_worker_sees_the_others_and_not_itself() {
        let pools = Pools::default();
        let (first, second, nothing) = (given(&[1, 2, 3]), given(&[4, 5, 6]), Contribution::new());
        pools.replace(&nothing, &first);
        assert_eq!([seen(&pools, Some(&[1, 2, 3])), seen(&pools, None)], [None, Some(1)]);
        pools.replace(&nothing, &second);
        assert_eq!([seen(&pools, Some(&[1, 2, 3])), seen(&pools, None)], [Some(1), Some(2)]);
    }

    #[test]
    fn learning_and_leaving_are_exact() {
        let (learned, fresh) = (Pools::default(), Pools::default());
        let nothing = Contribution::new();
        for pools in [&learned, &fresh] {
            pools.replace(&nothing, &given(&[1, 2, 3]));
            pools.replace(&nothing, &given(&[9, 9, 9]));
        }
        learned.replace(&nothing, &given(&[50, 60, 70]));
        learned.replace(&given(&[50, 60, 70]), &given(&[-5, 6, -7]));
        learned.replace(&given(&[-5, 6, -7]), &nothing);
        assert_eq!(learned.background(7, None), fresh.background(7, None));
        fresh.replace(&given(&[1, 2, 3]), &nothing);
        fresh.replace(&given(&[9, 9, 9]), &nothing);
        assert_eq!(seen(&fresh, None), None);
    }
}
