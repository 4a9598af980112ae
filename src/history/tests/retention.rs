//! How long replies are remembered, and what remembering costs.

use super::super::replies::{Found, Replies, Reply};
use super::*;

#[test]
fn a_reply_is_kept_for_its_retention_by_the_services_clock() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        words(assess(store, tenant, &arrival("e-1", "w-1", 0)));
        words(assess(store, tenant, &arrival("e-2", "w-2", 48)));
        assert!(words(assess(store, tenant, &arrival("e-1", "w-1", 48))).starts_with("again"));
        words(assess(store, tenant, &arrival("e-3", "w-2", 49)));
        assert_eq!(store.verdict(tenant, "e-1").unwrap(), None);
        assert!(words(assess(store, tenant, &arrival("e-1", "w-1", 49))).starts_with("first"));
        assert!(store.verdict(tenant, "e-1").unwrap().is_some());
        // The first stay of e-1 is over, the second is not.
        assert_eq!(store.expire(at(50)).unwrap().verdict_count, 0);
        assert!(words(assess(store, tenant, &arrival("e-1", "w-1", 50))).starts_with("again"));
        assert_eq!(store.forget(tenant, "w-1", at(51)).unwrap().0.verdict_count, 1);
    });
}

#[test]
fn by_event_time_a_reply_is_kept_for_a_day() {
    on_every_store(Config::of_events(), |store| {
        let tenant = store.tenant("acme").unwrap();
        words(assess(store, tenant, &arrival("e-1", "w-1", 0)));
        words(assess(store, tenant, &arrival("e-2", "w-2", 24)));
        assert!(words(assess(store, tenant, &arrival("e-1", "w-1", 0))).starts_with("again"));
        words(assess(store, tenant, &arrival("e-3", "w-2", 25)));
        assert!(words(assess(store, tenant, &arrival("e-1", "w-1", 0))).starts_with("first"));
        // A late event is known for as long as any other.
        assert!(words(assess(store, tenant, &arrival("e-1", "w-1", 0))).starts_with("again"));
    });
}

/// Scores events of `workers` in the order that `hours_of` gives, and returns replies and names still in memory.
fn left_in_memory(events: impl Iterator<Item = (String, i64)>) -> (usize, usize) {
    let store = MemoryStore::<Taught, Said>::new(Config::of_events());
    let tenant = store.tenant("acme").unwrap();
    for (number, (worker, hours)) in events.enumerate() {
        let (event, arrival_of) = (format!("e-{number}"), arrival);
        let arrival = arrival_of(&event, &worker, hours);
        words(store.assess(tenant, &arrival, &mut |_| Said(String::new())).unwrap());
    }
    store.replies_in_memory(tenant)
}

#[test]
fn memory_grows_with_a_days_ids_and_not_with_lines() {
    let years = 20_000;
    let bound = 64 * 20;
    // One event an hour in order of time, from 10 workers in turn: a day's ids are 25.
    let (replies, names) = left_in_memory((0..years).map(|hour| (format!("w-{}", hour % 10), hour)));
    // Shards are swept when they are written to, so each may hold what it held when last written to.
    assert!(replies <= 25 + 64 && names <= bound, "in order of time: {replies} replies, {names} names");
    // The same, worker by worker: a day's ids of each of 10 workers are 250 (here 3 a worker).
    let by_worker = (0..10).flat_map(|worker| (0..years / 10).map(move |step| (format!("w-{worker}"), step * 10)));
    let (replies, names) = left_in_memory(by_worker);
    assert!(replies <= 3 * 10 && names <= bound, "worker by worker: {replies} replies, {names} names");
    // Backwards in time: a day's ids of each worker, and sixteen late ones.
    let (replies, names) = left_in_memory((0..years).rev().map(|hour| (format!("w-{}", hour % 10), hour)));
    assert!(replies <= 10 * (3 + 16) && names <= bound, "backwards: {replies} replies, {names} names");
}

#[test]
fn answers_do_not_depend_on_where_a_hash_puts_an_id() {
    // Two maps hash differently; what one has swept by chance, the other must not give out.
    let blank =
        |clock| Reply::<Said> { content_hash: [0; 32], worker: "w-1".into(), assess_time: clock, clock, verdict: None };
    let run = || {
        let replies = Replies::new(24 * HOUR, true);
        let mut known = Vec::new();
        for step in 0..2000_i64 {
            let id = format!("e-{}", (step * step) % 97);
            let clock = replies.advance(at(step));
            match replies.reserve(&id, blank(clock), || Ok::<_, ()>(None)).unwrap() {
                Found::New(reservation) => drop(reservation.fill(Arc::new(Said(String::new())))),
                Found::Known(reply) => known.push((step, reply.clock)),
            }
        }
        known
    };
    assert_eq!(run(), run());
    assert!(!run().is_empty());
}
