//! Whose standing changed level, and in what order: of each worker the latest change only, which is all a watcher needs.
//!
//! Changes are numbered. A watcher that has seen number 7 asks for what came after 7 and gets each worker that changed
//! since once, so that one who reads slowly or comes back later costs nothing meanwhile. A worker that is erased
//! leaves no name behind; if it stood out, everybody must list anew, because nobody can be told whom to forget.

use super::lock;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Inside {
    /// Latest number given.
    latest: u64,
    /// Watchers who have seen less than this must list anew.
    floor: u64,
    by_worker: HashMap<Arc<str>, (u64, bool)>,
    by_number: BTreeMap<u64, Arc<str>>,
}

/// The changes of one tenant.
#[derive(Default)]
pub(super) struct Changes {
    inside: Mutex<Inside>,
    /// Latest number known to be on disk.
    settled: AtomicU64,
}

impl Changes {
    /// Notes a change of a worker, who now stands out or not. Returns its number.
    pub(super) fn note(&self, worker: &Arc<str>, raised: bool) -> u64 {
        let mut inside = lock(&self.inside);
        inside.latest += 1;
        let number = inside.latest;
        if let Some((before, _)) = inside.by_worker.insert(Arc::clone(worker), (number, raised)) {
            inside.by_number.remove(&before);
        }
        inside.by_number.insert(number, Arc::clone(worker));
        number
    }

    /// Puts back a change as it was read from disk.
    pub(super) fn restore(&self, worker: &str, number: u64, raised: bool) {
        let worker: Arc<str> = worker.into();
        let mut inside = lock(&self.inside);
        inside.latest = inside.latest.max(number);
        inside.by_number.insert(number, Arc::clone(&worker));
        inside.by_worker.insert(worker, (number, raised));
        drop(inside);
        self.settle(number);
    }

    /// Puts back the floor as it was read from disk.
    pub(super) fn restore_floor(&self, number: u64) {
        let mut inside = lock(&self.inside);
        inside.latest = inside.latest.max(number);
        inside.floor = number;
        drop(inside);
        self.settle(number);
    }

    /// Forgets a worker. Returns whether anything was kept, and the new floor where watchers must list anew.
    pub(super) fn forget(&self, worker: &str) -> (bool, Option<u64>) {
        let mut inside = lock(&self.inside);
        let Some((number, raised)) = inside.by_worker.remove(worker) else { return (false, None) };
        inside.by_number.remove(&number);
        // The latest number may not be given again, or who has seen it would miss what comes under it next.
        if !raised && number != inside.latest {
            return (true, None);
        }
        inside.latest += u64::from(raised);
        inside.floor = inside.latest;
        let floor = inside.floor;
        drop(inside);
        self.settle(floor);
        (true, Some(floor))
    }

    /// Says that changes up to a number are on disk.
    pub(super) fn settle(&self, number: u64) {
        self.settled.fetch_max(number, Ordering::AcqRel);
    }

    /// The latest number that is on disk.
    pub(super) fn latest(&self) -> u64 {
        self.settled.load(Ordering::Acquire)
    }

    /// At most `limit` changes after `number`, in order; `None` when the watcher must list anew.
    pub(super) fn after(&self, number: u64, limit: usize) -> Option<Vec<(u64, Arc<str>)>> {
        let settled = self.latest();
        let inside = lock(&self.inside);
        if number < inside.floor || number > inside.latest {
            return None;
        }
        let from = inside.by_number.range(number + 1..).take_while(|(number, _)| **number <= settled);
        Some(from.take(limit).map(|(number, worker)| (*number, Arc::clone(worker))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(found: Option<Vec<(u64, Arc<str>)>>) -> Option<Vec<(u64, String)>> {
        found.map(|all| all.into_iter().map(|(number, worker)| (number, worker.to_string())).collect())
    }

    #[test]
    fn a_watcher_gets_the_latest_change_of_each_worker_once() {
        let changes = Changes::default();
        for (worker, raised) in [("a", true), ("b", true), ("a", false)] {
            changes.settle(changes.note(&worker.into(), raised));
        }
        assert_eq!(names(changes.after(0, 9)), Some(vec![(2, "b".into()), (3, "a".into())]));
        assert_eq!(names(changes.after(0, 1)), Some(vec![(2, "b".into())]));
        assert_eq!(names(changes.after(3, 9)), Some(vec![]));
        assert_eq!(names(changes.after(4, 9)), None, "a number not given yet is another store's");
    }

    #[test]
    fn a_change_is_told_once_it_is_on_disk() {
        let changes = Changes::default();
        let number = changes.note(&"a".into(), true);
        assert_eq!(names(changes.after(0, 9)), Some(vec![]));
        changes.settle(number);
        assert_eq!(changes.after(0, 9).map(|found| found.len()), Some(1));
    }

    #[test]
    fn the_erasure_of_one_who_stood_out_sends_everybody_to_the_list() {
        let changes = Changes::default();
        for (worker, raised) in [("b", false), ("a", true)] {
            changes.settle(changes.note(&worker.into(), raised));
        }
        assert_eq!(changes.forget("b"), (true, None));
        assert_eq!(names(changes.after(1, 9)), Some(vec![(2, "a".into())]));
        assert_eq!(changes.forget("a"), (true, Some(3)));
        assert_eq!(names(changes.after(2, 9)), None);
        assert_eq!(names(changes.after(changes.latest(), 9)), Some(vec![]));
        assert_eq!(changes.forget("a"), (false, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        // Whoever resumes in steps ends with the same picture as one who watched all along.
        #[test]
        fn no_change_is_lost_between_two_looks(
            steps in prop::collection::vec((0..6_u8, prop::bool::ANY, prop::bool::ANY), 0..60)
        ) {
            let changes = Changes::default();
            let (mut truth, mut seen, mut position) = (HashMap::new(), HashMap::new(), 0);
            for (step, (worker, raised, look)) in steps.into_iter().enumerate() {
                let worker: Arc<str> = format!("w-{worker}").into();
                let number = changes.note(&worker, raised);
                changes.settle(number);
                truth.insert(worker, step);
                if look {
                    for (number, worker) in changes.after(position, 100).unwrap() {
                        position = number;
                        let now = truth[&worker];
                        seen.insert(worker, now);
                    }
                    prop_assert_eq!(&truth, &seen);
                }
            }
        }
    }
}
