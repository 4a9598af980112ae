//! Random operations against a plain map, with the store opened anew now and then: the same answers.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
enum Step {
    Assess { event: u8, worker: u8, hours: i64, tokens: Vec<(u8, u8)>, keep: bool },
    Forget { worker: u8 },
    Expire,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let tokens = prop::collection::vec((0..2_u8, 0..12_u8), 0..4);
    prop_oneof![
        40 => (0..40_u8, 0..5_u8, 0..30_i64, tokens, prop::bool::weighted(0.9)).prop_map(
            |(event, worker, hours, tokens, keep)| Step::Assess { event, worker, hours, tokens, keep }
        ),
        2 => (0..5_u8).prop_map(|worker| Step::Forget { worker }),
        1 => Just(Step::Expire),
        2 => Just(Step::Reopen),
    ]
}

#[derive(Default)]
struct Plain {
    records: BTreeMap<String, Taught>,
    /// By event: clock at entry, content, worker, verdict.
    replies: BTreeMap<String, (i64, u8, String, String)>,
    /// By worker and kind: token and when it was last seen.
    tokens: BTreeMap<(String, u8), BTreeMap<u8, i64>>,
    erased: BTreeMap<String, i64>,
    clock: i64,
}

impl Plain {
    fn expire(&mut self) {
        let clock = self.clock;
        self.replies.retain(|_, (entered, ..)| clock - *entered <= 48);
    }

    fn holders(&self, kind: u8, token: u8) -> BTreeSet<&str> {
        let holding = self.tokens.iter().filter(|(key, held)| key.1 == kind && held.contains_key(&token));
        holding.map(|(key, _)| key.0.as_str()).collect()
    }

    fn assess(
        &mut self,
        event: &str,
        worker: &str,
        hours: i64,
        tokens: &[(u8, u8)],
        keep: bool,
        content: u8,
    ) -> String {
        self.expire();
        if let Some((entered, known, of, said)) = self.replies.get(event) {
            let equal = *known == content && of == worker;
            return if equal { format!("again: {said}") } else { format!("different since {entered}") };
        }
        let beside = tokens
            .iter()
            .map(|(kind, token)| self.holders(*kind, *token).into_iter().filter(|holder| *holder != worker).count());
        let beside: Vec<usize> = beside.collect();
        let past = self.records.get(worker).map_or(&[][..], |record| &record.events);
        let said = format!("{event} after {past:?} beside {beside:?}");
        if keep && self.erased.get(worker).is_none_or(|erased| hours > *erased) {
            let record = self.records.entry(worker.into()).or_default();
            record.events.push(event.into());
            record.last = record.last.max(at(hours));
            for (kind, token) in tokens {
                let held = self.tokens.entry((worker.into(), *kind)).or_default();
                let last = held.get(token).map_or(hours, |last| hours.max(*last));
                held.insert(*token, last);
                if held.len() > limits::TOKENS_PER_WORKER_MAX {
                    // The token seen longest ago goes; a new one no older than another stays.
                    let oldest =
                        held.iter().filter(|(other, _)| *other != token).min_by_key(|(name, last)| (**last, **name));
                    let oldest = oldest.map(|(name, last)| (*name, *last)).unwrap();
                    held.remove(if oldest.1 <= hours { &oldest.0 } else { token });
                }
            }
        }
        self.replies.insert(event.into(), (self.clock, content, worker.into(), said.clone()));
        format!("first: {said}")
    }

    fn forget(&mut self, worker: &str) -> Forgotten {
        self.expire();
        let mut linked = BTreeSet::new();
        for ((of, kind), held) in &self.tokens {
            if of == worker {
                linked.extend(held.keys().flat_map(|token| self.holders(*kind, *token)));
            }
        }
        linked.remove(worker);
        let link_count = linked.len() as u32;
        let before = self.replies.len();
        self.replies.retain(|_, (_, _, of, _)| of != worker);
        self.records.remove(worker);
        self.tokens.retain(|(of, _), _| of != worker);
        self.erased.insert(worker.into(), self.clock);
        Forgotten { verdict_count: (before - self.replies.len()) as u32, feedback_count: 0, link_count }
    }
}

fn check(on_disk: bool, steps: &[Step]) {
    let directory = on_disk.then(|| tempfile::tempdir().unwrap());
    let path = directory.as_ref().map(|directory| directory.path());
    let mut store = boxed(path, service());
    let mut plain = Plain::default();
    for (number, step) in steps.iter().enumerate() {
        let tenant = store.tenant("acme").unwrap();
        plain.clock = number as i64;
        let now = at(plain.clock);
        match step {
            Step::Assess { event, worker, hours, tokens, keep } => {
                let (event, worker) = (format!("e-{event}"), format!("w-{worker}"));
                let content = (*hours % 2) as u8;
                let arrival = Arrival {
                    event_id: &event,
                    worker_id: &worker,
                    event_time: at(*hours),
                    content_hash: [content; 32],
                    now,
                    keep: *keep,
                    session_id: "",
                    nonce: None,
                };
                let held: Vec<_> = tokens.iter().map(|(kind, name)| (TokenKind(*kind), token(*name))).collect();
                let answer = words(assess_with(&*store, tenant, &arrival, &held));
                assert_eq!(answer, plain.assess(&event, &worker, *hours, tokens, *keep, content), "step {number}");
            }
            Step::Forget { worker } => {
                let worker = format!("w-{worker}");
                let (forgotten, durable) = store.forget(tenant, &worker, now).unwrap();
                durable.wait().unwrap();
                assert_eq!(forgotten, plain.forget(&worker), "step {number}");
            }
            Step::Expire => drop(store.expire(now).unwrap()),
            Step::Reopen => {
                if let Some(path) = path {
                    drop(store);
                    store = boxed(Some(path), service());
                }
            }
        }
    }
    let tenant = store.tenant("acme").unwrap();
    let mut records = BTreeMap::new();
    store.workers(tenant, &mut |worker, record| drop(records.insert(worker.to_string(), record.clone()))).unwrap();
    assert_eq!(records, plain.records);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn memory_answers_like_a_plain_map(steps in prop::collection::vec(step(), 0..300)) {
        check(false, &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn disk_answers_like_a_plain_map_through_restarts(steps in prop::collection::vec(step(), 0..200)) {
        check(true, &steps);
    }
}
