//! Who types like whom in one tenant: hands as points in a few blocks of memory, scanned whole when one is asked for,
//! and the pairs that were found alike.
//!
//! Nothing of it is written down: points are made of the records and pairs of the points, so a store opened anew comes
//! to what the one before held. A login does no more here than leave its worker's name where a hand has grown; points
//! are placed and pairs looked for by whoever brings the index up to date, off the path of the login. An erased worker
//! is out of points, pairs and waiting names when the erasure returns.
//!
//! Worked example: `w-1` and `w-2` are placed; asked for the hands nearest to `w-1`, the scan takes the dot product of
//! its numbers with every other row and gives `w-2` with its likeness. Whoever asked compares both profiles in full and
//! may note the pair.
//!
//! Locks are taken in one order: a shard of workers, places, a block, pairs or names; a scan holds one block at a time,
//! so that whoever places a hand waits for the scan of one block and not of the tenant.

use super::lock;
use crate::event::limits;
use crate::evidence::typing::Hand;
use crate::evidence::typing::hand::HAND_LENGTH;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Products summed side by side: what the narrowest vectors in use can hold, twice.
const LANES: usize = 8;
/// Numbers of a point with the zeros behind them.
const WIDTH: usize = HAND_LENGTH.next_multiple_of(LANES);
/// Where a point keeps what it brings to every likeness; whoever asks has 1 there.
const BIAS: usize = HAND_LENGTH - 1;
/// Points per block: a megabyte at most, scanned in some 100 us.
const BLOCK_POINTS: usize = 4_096;

/// Another worker whose hand was found alike.
#[derive(Debug, Clone, PartialEq)]
pub struct AlikeHand {
    /// The other worker.
    pub worker_id: Arc<str>,
    /// Log-likelihood ratio, nats, of "one typist" against "two".
    pub log_ratio: f32,
    /// What being met through the tokens they share costs, nats, in place of a search among all; `None` where they share
    /// none.
    pub meeting_cost: Option<f32>,
}

/// A hand near another.
#[derive(Debug, Clone, PartialEq)]
pub struct NearHand {
    /// The worker.
    pub worker_id: Arc<str>,
    /// [`Hand::likeness`] with the one asked for.
    pub likeness: f32,
}

/// Points in the order they were placed; a place given up is taken by the next.
#[derive(Default)]
struct Block {
    /// `None` for a place given up: its numbers are zeros.
    names: Vec<Option<Arc<str>>>,
    points: Vec<f32>,
}

impl Block {
    fn put(&mut self, index: usize, name: Option<Arc<str>>, numbers: &[f32; HAND_LENGTH]) {
        if index == self.names.len() {
            self.names.push(None);
            self.points.resize(self.points.len() + WIDTH, 0.0);
        }
        self.names[index] = name;
        self.points[index * WIDTH..index * WIDTH + HAND_LENGTH].copy_from_slice(numbers);
    }
}

/// Where points stand.
#[derive(Default)]
struct Places {
    /// What the points were made with; a point of other parameters does not compare.
    stamp: Option<u64>,
    by_worker: HashMap<Arc<str>, usize>,
    free: Vec<usize>,
    next: usize,
}

/// Workers to be seen to; at most everybody.
#[derive(Default)]
struct Waiting {
    /// Hands that have grown since they were placed.
    grown: HashSet<Arc<str>>,
    /// Hands placed whose like was not looked for yet, in order of name.
    unsearched: BTreeSet<Arc<str>>,
}

/// The hands of one tenant.
#[derive(Default)]
pub struct Hands {
    places: Mutex<Places>,
    blocks: RwLock<Vec<Arc<RwLock<Block>>>>,
    waiting: Mutex<Waiting>,
    pairs: RwLock<HashMap<Arc<str>, Vec<AlikeHand>>>,
    /// Workers in `pairs`: a login looks here first.
    paired: AtomicUsize,
    /// Held while hands are placed: moments.
    placing: Mutex<()>,
    /// Held while pairs are looked for.
    settling: Mutex<()>,
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Dot product in a fixed order of sums, wide enough for the compiler to use vectors.
fn dot(a: &[f32; WIDTH], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

/// The best of a scan: as many as wanted, and for a while twice as many.
struct Best {
    wanted: usize,
    floor: f32,
    found: Vec<NearHand>,
}

impl Best {
    fn offer(&mut self, name: &Arc<str>, likeness: f32) {
        self.found.push(NearHand { worker_id: Arc::clone(name), likeness });
        if self.found.len() >= 2 * self.wanted {
            self.cut();
        }
    }

    /// Most alike first, then by name: the order of blocks is nothing.
    fn cut(&mut self) {
        self.found
            .sort_unstable_by(|a, b| b.likeness.total_cmp(&a.likeness).then_with(|| a.worker_id.cmp(&b.worker_id)));
        self.found.truncate(self.wanted);
        if self.found.len() == self.wanted {
            self.floor = self.found.last().map_or(f32::NEG_INFINITY, |last| last.likeness);
        }
    }
}

impl Hands {
    /// Held while hands are placed, so that whoever asks meanwhile finds them all.
    pub(super) fn placing(&self) -> MutexGuard<'_, ()> {
        lock(&self.placing)
    }

    /// Held while pairs are looked for, so that two do not look for the same and whoever waits finds them.
    pub fn settling(&self) -> MutexGuard<'_, ()> {
        lock(&self.settling)
    }

    /// How many hands are placed.
    pub fn count(&self) -> usize {
        lock(&self.places).by_worker.len()
    }

    /// Bytes that points and their names take, spare room included; ids themselves are shared with the store.
    pub fn bytes(&self) -> usize {
        let place = size_of::<(Arc<str>, usize)>() + 1;
        let places = lock(&self.places);
        let of_places = places.by_worker.capacity() * place + places.free.capacity() * size_of::<usize>();
        drop(places);
        let of_block = |block: &Arc<RwLock<Block>>| {
            let block = read(block);
            block.names.capacity() * size_of::<Option<Arc<str>>>() + block.points.capacity() * size_of::<f32>()
        };
        of_places + read(&self.blocks).iter().map(of_block).sum::<usize>()
    }

    /// Notes that a worker's hand has grown: all that a login does here.
    pub(super) fn grown(&self, worker: &Arc<str>) {
        lock(&self.waiting).grown.insert(Arc::clone(worker));
    }

    /// Workers whose hands have grown since they were placed or searched for.
    pub fn waiting_count(&self) -> usize {
        let waiting = lock(&self.waiting);
        waiting.grown.len() + waiting.unsearched.len()
    }

    /// Makes ready for points of the parameters that `stamp` names. Of other ones everything goes; true when it did, and
    /// everybody is to be placed.
    pub(super) fn begin(&self, stamp: u64) -> bool {
        let mut places = lock(&self.places);
        if places.stamp == Some(stamp) {
            return false;
        }
        *places = Places { stamp: Some(stamp), ..Places::default() };
        write(&self.blocks).clear();
        write(&self.pairs).clear();
        self.paired.store(0, Ordering::Release);
        lock(&self.waiting).unsearched.clear();
        true
    }

    /// Takes the workers whose hands have grown, in order of name, so that equal stores do equal work.
    pub(super) fn take_grown(&self) -> Vec<Arc<str>> {
        let grown = std::mem::take(&mut lock(&self.waiting).grown);
        let mut grown: Vec<Arc<str>> = grown.into_iter().collect();
        grown.sort_unstable();
        grown
    }

    /// Takes some workers whose like is to be looked for.
    pub fn take_unsearched(&self, limit: usize) -> Vec<Arc<str>> {
        let mut waiting = lock(&self.waiting);
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some(worker) = waiting.unsearched.pop_first()
        {
            taken.push(worker);
        }
        taken
    }

    /// Has a placed worker's like looked for again, such as when it was seen with a token for the first time.
    pub fn search_again(&self, worker: &Arc<str>) {
        if lock(&self.places).by_worker.contains_key(worker) {
            lock(&self.waiting).unsearched.insert(Arc::clone(worker));
        }
    }

    /// Places a hand, or takes it out; the worker's shard is locked by whoever calls.
    pub(super) fn place(&self, worker: &Arc<str>, hand: Option<Hand>) {
        let Some(hand) = hand else { return self.remove(worker) };
        let mut places = lock(&self.places);
        let known = places.by_worker.get(worker).copied();
        let place = known.unwrap_or_else(|| {
            let place = places.free.pop().unwrap_or_else(|| {
                places.next += 1;
                places.next - 1
            });
            places.by_worker.insert(Arc::clone(worker), place);
            place
        });
        let (block, index) = (place / BLOCK_POINTS, place % BLOCK_POINTS);
        if block == read(&self.blocks).len() {
            write(&self.blocks).push(Arc::default());
        }
        let block = read(&self.blocks).get(block).cloned();
        if let Some(block) = block {
            write(&block).put(index, Some(Arc::clone(worker)), hand.numbers());
        }
        lock(&self.waiting).unsearched.insert(Arc::clone(worker));
    }

    /// Takes a worker out of points, pairs and waiting names.
    pub(super) fn remove(&self, worker: &str) {
        let mut places = lock(&self.places);
        if let Some(place) = places.by_worker.remove(worker) {
            let block = read(&self.blocks).get(place / BLOCK_POINTS).cloned();
            if let Some(block) = block {
                write(&block).put(place % BLOCK_POINTS, None, &[0.0; HAND_LENGTH]);
            }
            places.free.push(place);
        }
        if self.paired.load(Ordering::Acquire) > 0 {
            let mut pairs = write(&self.pairs);
            for other in pairs.remove(worker).unwrap_or_default() {
                drop_pair(&mut pairs, &other.worker_id, worker);
            }
            self.paired.store(pairs.len(), Ordering::Release);
        }
        let mut waiting = lock(&self.waiting);
        waiting.grown.remove(worker);
        waiting.unsearched.remove(worker);
    }

    /// The hands nearest to one, itself left out: at most `wanted`, most alike first, by an exact scan of all.
    pub fn nearest(&self, hand: &Hand, own: &str, wanted: usize) -> Vec<NearHand> {
        let numbers = hand.numbers();
        let mut asked = [0.0; WIDTH];
        asked[..HAND_LENGTH].copy_from_slice(numbers);
        asked[BIAS] = 1.0;
        let mut best = Best { wanted: wanted.max(1), floor: f32::NEG_INFINITY, found: Vec::new() };
        let blocks: Vec<Arc<RwLock<Block>>> = read(&self.blocks).clone();
        for block in &blocks {
            let block = read(block);
            for (index, point) in block.points.chunks_exact(WIDTH).enumerate() {
                let likeness = dot(&asked, point) + numbers[BIAS];
                if likeness >= best.floor
                    && let Some(name) = &block.names[index]
                    && **name != *own
                {
                    best.offer(name, likeness);
                }
            }
        }
        best.cut();
        best.found
    }

    /// Makes `found` the workers alike to `worker`, on both sides; at most [`limits::ALIKE_PER_WORKER_MAX`] each, the
    /// most alike. Workers not placed (any more) are left out. Returns those whose pair is new, changed or gone.
    pub fn note(&self, worker: &Arc<str>, mut found: Vec<AlikeHand>) -> Vec<Arc<str>> {
        // Held to the end: whoever is erased meanwhile waits, and then takes its pairs along.
        let places = lock(&self.places);
        found.retain(|one| places.by_worker.contains_key(&one.worker_id) && one.worker_id != *worker);
        if !places.by_worker.contains_key(worker) {
            return Vec::new();
        }
        sort(&mut found);
        found.truncate(limits::ALIKE_PER_WORKER_MAX);
        let mut pairs = write(&self.pairs);
        let before = pairs.remove(worker).unwrap_or_default();
        let mut changed: Vec<Arc<str>> = Vec::new();
        for gone in before.iter().filter(|old| !found.iter().any(|new| new.worker_id == old.worker_id)) {
            drop_pair(&mut pairs, &gone.worker_id, worker);
            changed.push(Arc::clone(&gone.worker_id));
        }
        let mut crowded_out: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        for one in found.iter().filter(|one| !before.contains(one)) {
            let others = pairs.entry(Arc::clone(&one.worker_id)).or_default();
            others.retain(|known| known.worker_id != *worker);
            others.push(AlikeHand { worker_id: Arc::clone(worker), ..*one });
            sort(others);
            let beyond = others.split_off(others.len().min(limits::ALIKE_PER_WORKER_MAX));
            crowded_out.extend(beyond.into_iter().map(|weakest| (weakest.worker_id, Arc::clone(&one.worker_id))));
            changed.push(Arc::clone(&one.worker_id));
        }
        if !found.is_empty() {
            pairs.insert(Arc::clone(worker), found);
        }
        // INVARIANT: a pair stands on both sides or on none, so that whoever is erased finds every mention of itself.
        for (one, other) in &crowded_out {
            drop_pair(&mut pairs, one, other);
        }
        self.paired.store(pairs.len(), Ordering::Release);
        changed
    }

    /// The workers found alike to one, most alike first.
    pub fn alike(&self, worker: &str) -> Vec<AlikeHand> {
        if self.paired.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        read(&self.pairs).get(worker).cloned().unwrap_or_default()
    }

    /// Every pair found alike, each once, the smaller name first; in order of names.
    pub fn pairs(&self) -> Vec<(Arc<str>, AlikeHand)> {
        let pairs = read(&self.pairs);
        let each = |(worker, others): (&Arc<str>, &Vec<AlikeHand>)| {
            let worker = Arc::clone(worker);
            let larger = others.iter().filter(|other| worker < other.worker_id).cloned();
            larger.map(|other| (Arc::clone(&worker), other)).collect::<Vec<_>>()
        };
        let mut told: Vec<(Arc<str>, AlikeHand)> = pairs.iter().flat_map(each).collect();
        told.sort_unstable_by(|(a, one), (b, other)| (a, &one.worker_id).cmp(&(b, &other.worker_id)));
        told
    }
}

fn sort(found: &mut [AlikeHand]) {
    found.sort_unstable_by(|a, b| b.log_ratio.total_cmp(&a.log_ratio).then_with(|| a.worker_id.cmp(&b.worker_id)));
}

fn drop_pair(pairs: &mut HashMap<Arc<str>, Vec<AlikeHand>>, worker: &str, other: &str) {
    if let Some(others) = pairs.get_mut(worker) {
        others.retain(|known| *known.worker_id != *other);
        if others.is_empty() {
            pairs.remove(worker);
        }
    }
}

#[cfg(test)]
mod tests;
