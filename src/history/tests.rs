//! What holds for every store, and what holds for those on disk.

use super::*;
use crate::event::{Token, limits};
use crate::evidence::crowd::{ClaimSummary, PlaceSummary};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

mod afterwards;
mod crash;
mod model;
mod retention;

const HOUR: i64 = 3_600_000_000;

/// A record that can be checked by eye: which events taught it, in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Taught {
    events: Vec<String>,
    last: EventTime,
}

impl Kept for Taught {
    const FORMAT: u8 = 3;
}

impl Record for Taught {
    fn last_seen(&self) -> EventTime {
        self.last
    }
}

/// A verdict that can be checked by eye.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Said(String);

impl Kept for Said {
    const FORMAT: u8 = 5;
}

type AnyStore = Box<dyn Store<Taught, Said>>;

const SITE: TokenKind = TokenKind(1);
const DISPLAY: TokenKind = TokenKind(2);

fn token(number: u8) -> Token {
    Token([number; 16])
}

fn at(hours: i64) -> EventTime {
    EventTime(hours * HOUR)
}

fn arrival<'a>(event_id: &'a str, worker_id: &'a str, hours: i64) -> Arrival<'a> {
    Arrival {
        event_id,
        worker_id,
        event_time: at(hours),
        content_hash: [7; 32],
        now: at(hours),
        keep: true,
        session_id: "",
        nonce: None,
    }
}

fn service() -> Config {
    Config::check(Clock::Service, 48 * HOUR, 400 * 24 * HOUR).unwrap()
}

fn durable(path: &Path, config: Config) -> DurableStore<Taught, Said> {
    DurableStore::open(path, config).unwrap()
}

/// Runs a story against every kind of store.
fn on_every_store(config: Config, story: impl Fn(&dyn Store<Taught, Said>)) {
    story(&MemoryStore::new(config));
    let directory = tempfile::tempdir().unwrap();
    story(&durable(directory.path(), config));
}

/// The scoring used here: the verdict names event and past, the record learns the event, tokens are held.
fn teach(visit: &mut Visit<'_, Taught>, arrival: &Arrival<'_>, tokens: &[(TokenKind, Token)]) -> Said {
    let others: Vec<u32> = visit.neighbours(tokens).iter().map(|one| one.worker_count).collect();
    let said = format!("{} after {:?} beside {others:?}", arrival.event_id, visit.record().events);
    let record = visit.record_mut();
    record.events.push(arrival.event_id.into());
    record.last = record.last.max(arrival.event_time);
    visit.hold(tokens, None);
    Said(said)
}

fn assess_with(
    store: &dyn Store<Taught, Said>,
    tenant: TenantId,
    arrival: &Arrival<'_>,
    tokens: &[(TokenKind, Token)],
) -> Answer<Said> {
    store.assess(tenant, arrival, &mut |visit| teach(visit, arrival, tokens)).unwrap()
}

fn assess(store: &dyn Store<Taught, Said>, tenant: TenantId, arrival: &Arrival<'_>) -> Answer<Said> {
    assess_with(store, tenant, arrival, &[])
}

/// An answer in words, once it is durable.
fn words(answer: Answer<Said>) -> String {
    match answer {
        Answer::First { verdict, durable } => durable.wait().map(|()| format!("first: {}", verdict.0)).unwrap(),
        Answer::Repeated { verdict, durable } => durable.wait().map(|()| format!("again: {}", verdict.0)).unwrap(),
        Answer::Different { assess_time } => format!("different since {}", assess_time.0 / HOUR),
        Answer::NonceRefused { fault } => format!("refused: {fault:?}"),
    }
}

#[test]
fn a_repeat_gives_the_first_verdict_and_teaches_nothing() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        assert_eq!(words(assess(store, tenant, &arrival("e-1", "w-1", 1))), "first: e-1 after [] beside []");
        assert_eq!(words(assess(store, tenant, &arrival("e-2", "w-1", 2))), r#"first: e-2 after ["e-1"] beside []"#);
        assert_eq!(words(assess(store, tenant, &arrival("e-1", "w-1", 3))), "again: e-1 after [] beside []");
        let record = store.record(tenant, "w-1").unwrap().unwrap();
        assert_eq!(record.events, ["e-1", "e-2"]);
        assert_eq!(store.verdict(tenant, "e-1").unwrap().unwrap().0, "e-1 after [] beside []");
        assert_eq!(store.verdict(tenant, "e-9").unwrap(), None);
    });
}

#[test]
fn an_event_id_with_other_content_or_worker_is_refused() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        words(assess(store, tenant, &arrival("e-1", "w-1", 1)));
        let other_content = Arrival { content_hash: [8; 32], ..arrival("e-1", "w-1", 2) };
        assert_eq!(words(assess(store, tenant, &other_content)), "different since 1");
        assert_eq!(words(assess(store, tenant, &arrival("e-1", "w-2", 2))), "different since 1");
        assert_eq!(store.record(tenant, "w-2").unwrap(), None);
    });
}

#[test]
fn tenants_never_meet() {
    on_every_store(service(), |store| {
        let (acme, zenith) = (store.tenant("acme").unwrap(), store.tenant("zenith").unwrap());
        assert_ne!(acme, zenith);
        assert_eq!(store.tenant("acme").unwrap(), acme);
        words(assess_with(store, acme, &arrival("e-1", "w-1", 1), &[(SITE, token(1))]));
        let answer = assess_with(store, zenith, &arrival("e-1", "w-1", 1), &[(SITE, token(1))]);
        assert_eq!(words(answer), "first: e-1 after [] beside [0]");
        store.forget(zenith, "w-1", at(2)).unwrap().1.wait().unwrap();
        assert!(store.record(acme, "w-1").unwrap().is_some());
        assert_eq!(store.record(TenantId(9), "w-1"), Err(StoreError::UnknownTenant));
    });
}

#[test]
fn an_event_that_may_teach_nothing_leaves_its_verdict_only() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        let silent = Arrival { keep: false, ..arrival("e-1", "w-1", 1) };
        words(assess_with(store, tenant, &silent, &[(SITE, token(1))]));
        assert_eq!(store.record(tenant, "w-1").unwrap(), None);
        words(assess_with(store, tenant, &arrival("e-2", "w-1", 2), &[(SITE, token(1))]));
        let silent = Arrival { keep: false, ..arrival("e-3", "w-1", 3) };
        words(assess(store, tenant, &silent));
        assert_eq!(store.record(tenant, "w-1").unwrap().unwrap().events, ["e-2"]);
        assert_eq!(store.neighbours(tenant, "w-1").unwrap().len(), 1);
        assert!(store.verdict(tenant, "e-1").unwrap().is_some());
        assert!(words(assess(store, tenant, &silent)).starts_with("again"));
    });
}

#[test]
fn an_erased_worker_is_gone_and_older_events_teach_nothing() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        for (event, worker) in [("e-1", "w-1"), ("e-2", "w-1"), ("e-3", "w-2"), ("e-4", "w-3")] {
            words(assess_with(store, tenant, &arrival(event, worker, 1), &[(SITE, token(1)), (DISPLAY, token(2))]));
        }
        let (forgotten, durable) = store.forget(tenant, "w-1", at(10)).unwrap();
        durable.wait().unwrap();
        assert_eq!(forgotten, Forgotten { verdict_count: 2, feedback_count: 0, link_count: 2 });
        assert_eq!(store.record(tenant, "w-1").unwrap(), None);
        assert_eq!(store.verdict(tenant, "e-1").unwrap(), None);
        assert!(store.verdict(tenant, "e-3").unwrap().is_some());
        assert_eq!(store.erased_after(tenant, "w-1").unwrap(), Some(at(10)));
        assert_eq!(store.erased_after(tenant, "w-2").unwrap(), None);
        let beside: Vec<u32> = store.neighbours(tenant, "w-2").unwrap().iter().map(|one| one.worker_count).collect();
        assert_eq!(beside, [1, 1]);

        let old = Arrival { now: at(11), ..arrival("e-5", "w-1", 10) };
        assert_eq!(words(assess(store, tenant, &old)), "first: e-5 after [] beside []");
        assert_eq!(store.record(tenant, "w-1").unwrap(), None);
        assert_eq!(words(assess(store, tenant, &arrival("e-6", "w-1", 11))), "first: e-6 after [] beside []");
        let old = Arrival { now: at(12), ..arrival("e-7", "w-1", 9) };
        assert_eq!(words(assess(store, tenant, &old)), r#"first: e-7 after ["e-6"] beside []"#);
        assert_eq!(store.record(tenant, "w-1").unwrap().unwrap().events, ["e-6"]);

        let (nothing, durable) = store.forget(tenant, "w-9", at(12)).unwrap();
        durable.wait().unwrap();
        assert_eq!(nothing, Forgotten::default());
    });
}

#[test]
fn a_repeated_erasure_never_moves_back_in_time() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        for hours in [20, 10] {
            store.forget(tenant, "w-1", at(hours)).unwrap().1.wait().unwrap();
        }
        assert_eq!(store.erased_after(tenant, "w-1").unwrap(), Some(at(20)));
    });
}

#[test]
fn neighbours_are_told_with_their_claims_and_times() {
    let claim = ClaimSummary { region: *b"US\0", subdivision: *b"TN\0", place: None };
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        for (event, worker, hours) in [("e-1", "w-2", 5), ("e-2", "w-2", 3), ("e-3", "w-3", 4)] {
            let arrival = arrival(event, worker, hours);
            let mut score = |visit: &mut Visit<'_, Taught>| {
                visit.hold(&[(SITE, token(1))], (worker == "w-2").then_some(claim));
                Said(String::new())
            };
            words(store.assess(tenant, &arrival, &mut score).unwrap());
        }
        let mut seen = Vec::new();
        let asked = [(SITE, token(1)), (DISPLAY, token(1))];
        let mut score = |visit: &mut Visit<'_, Taught>| {
            seen = visit.neighbours(&asked);
            Said(String::new())
        };
        words(store.assess(tenant, &arrival("e-4", "w-1", 6), &mut score).unwrap());
        let neighbour = |worker: &str, claim, first, last, event_count| Neighbour {
            worker_id: worker.into(),
            claim,
            first_time: at(first),
            last_time: at(last),
            event_count,
        };
        let others = vec![neighbour("w-2", Some(claim), 3, 5, 2), neighbour("w-3", None, 4, 4, 1)];
        assert_eq!(seen[0], Neighbourhood { kind: SITE, token: token(1), worker_count: 2, others });
        assert_eq!(seen[1], Neighbourhood { kind: DISPLAY, token: token(1), worker_count: 0, others: Vec::new() });
    });
}

#[test]
fn a_token_of_too_many_workers_is_counted_and_not_named() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        let most = limits::WORKERS_PER_TOKEN_MAX;
        for number in 0..=most {
            let (event, worker) = (format!("e-{number}"), format!("w-{number:03}"));
            words(assess_with(store, tenant, &arrival(&event, &worker, 1), &[(SITE, token(1))]));
            let around = &store.neighbours(tenant, &worker).unwrap()[0];
            assert_eq!(around.worker_count as usize, number);
            assert_eq!(around.others.len(), if number < most { number } else { 0 });
        }
        words(assess_with(store, tenant, &arrival("again", "w-000", 2), &[(SITE, token(1))]));
        assert_eq!(store.neighbours(tenant, "w-000").unwrap()[0].worker_count as usize, most);
        store.forget(tenant, "w-000", at(3)).unwrap().1.wait().unwrap();
        assert_eq!(store.neighbours(tenant, "w-001").unwrap()[0].worker_count as usize, most - 1);
    });
}

#[test]
fn a_worker_holds_the_latest_tokens_of_a_kind() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        let most = limits::TOKENS_PER_WORKER_MAX as u8;
        for number in 0..=most {
            let tokens = [(SITE, token(number)), (DISPLAY, token(100))];
            let hours = i64::from(number) + 10;
            words(assess_with(store, tenant, &arrival(&format!("e-{number}"), "w-1", hours), &tokens));
        }
        let too_late = [(SITE, token(200))];
        words(assess_with(store, tenant, &arrival("late", "w-1", 1), &too_late));
        let held: Vec<_> = store.neighbours(tenant, "w-1").unwrap().iter().map(|one| (one.kind, one.token)).collect();
        let expected: Vec<_> = (1..=most).map(|number| (SITE, token(number))).chain([(DISPLAY, token(100))]).collect();
        assert_eq!(held, expected);
    });
}

#[test]
fn a_listing_shows_every_worker_once_and_in_order() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        for number in (0..200).rev() {
            words(assess(store, tenant, &arrival(&format!("e-{number}"), &format!("w-{number:03}"), number)));
        }
        let listed = store::snapshot(store, tenant, |worker, record| {
            (record.last >= at(100)).then(|| (std::cmp::Reverse(record.last), worker.to_string()))
        });
        let names: Vec<String> = listed.unwrap().into_iter().map(|(_, worker)| worker).collect();
        let expected: Vec<String> = (100..200).rev().map(|number| format!("w-{number:03}")).collect();
        assert_eq!(names, expected);
    });
}

#[test]
fn workers_not_seen_for_too_long_are_dropped() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        words(assess_with(store, tenant, &arrival("e-1", "w-1", 0), &[(SITE, token(1))]));
        words(assess_with(store, tenant, &arrival("e-2", "w-2", 24), &[(SITE, token(1))]));
        assert_eq!(store.expire(at(400 * 24)).unwrap(), Expired { worker_count: 0, verdict_count: 2 });
        assert_eq!(store.expire(at(400 * 24 + 1)).unwrap(), Expired { worker_count: 1, verdict_count: 0 });
        assert_eq!(store.record(tenant, "w-1").unwrap(), None);
        assert!(store.record(tenant, "w-2").unwrap().is_some());
        assert_eq!(store.neighbours(tenant, "w-2").unwrap()[0].worker_count, 0);
    });
}

#[test]
fn of_many_calls_with_one_event_id_exactly_one_scores() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        for round in 0..200 {
            let scored = AtomicU32::new(0);
            let event = format!("e-{round}");
            let worker = |caller: i32| if round % 2 == 0 { "w-1".to_string() } else { format!("w-{caller}") };
            let answers: Vec<String> = std::thread::scope(|scope| {
                let call = |caller| {
                    let (worker, event, scored) = (worker(caller), &event, &scored);
                    scope.spawn(move || {
                        let arrival = arrival(event, &worker, 1);
                        let answer = store.assess(tenant, &arrival, &mut |visit| {
                            scored.fetch_add(1, Ordering::Relaxed);
                            teach(visit, &arrival, &[])
                        });
                        words(answer.unwrap())
                    })
                };
                (0..4).map(call).collect::<Vec<_>>().into_iter().map(|call| call.join().unwrap()).collect()
            });
            assert_eq!(scored.into_inner(), 1);
            let wanted = if round % 2 == 0 { "again" } else { "different" };
            assert_eq!(answers.iter().filter(|answer| answer.starts_with("first")).count(), 1);
            assert_eq!(answers.iter().filter(|answer| answer.starts_with(wanted)).count(), 3);
        }
        assert!(store.record(tenant, "w-1").unwrap().unwrap().events.len() >= 100);
    });
}

#[test]
fn a_scoring_that_panics_leaves_the_event_id_free() {
    let store = MemoryStore::<Taught, Said>::new(service());
    let tenant = store.tenant("acme").unwrap();
    let arrival = arrival("e-1", "w-1", 1);
    let panicked = std::thread::scope(|scope| {
        scope.spawn(|| store.assess(tenant, &arrival, &mut |_| panic!("scoring went wrong"))).join().is_err()
    });
    assert!(panicked);
    assert!(words(assess(&store, tenant, &arrival)).starts_with("first"));
}

#[test]
fn retentions_shorter_than_promised_are_refused() {
    assert!(Config::check(Clock::Service, limits::REPLY_RETENTION_MICROS - 1, i64::MAX).is_err());
    assert!(Config::check(Clock::Service, 48 * HOUR, 47 * HOUR).is_err());
}

#[test]
fn a_claim_is_kept_to_a_hundredth_of_a_degree() {
    use crate::event::Violations;
    use crate::event::{ClaimUnchecked, EventUnchecked, PlaceUnchecked, Rules, TablePolicy, TimestampUnchecked};
    let claim = ClaimUnchecked {
        region_code: "US".into(),
        subdivision_code: "US-TN".into(),
        place: Some(PlaceUnchecked { latitude_degrees: 36.1627, longitude_degrees: -86.7816, radius_km: 30 }),
        ..Default::default()
    };
    let event = EventUnchecked {
        event_id: "e-1".into(),
        worker_id: "w-1".into(),
        event_time: Some(TimestampUnchecked::default()),
        activity: 1,
        claim: Some(claim),
        ..Default::default()
    };
    let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::Refused };
    let claim = event.check("event", &rules, &mut Violations::default()).unwrap().samples.claim.unwrap();
    let place = PlaceSummary { latitude_centidegrees: 3616, longitude_centidegrees: -8678, radius_km: 30 };
    let expected = ClaimSummary { region: *b"US\0", subdivision: *b"TN\0", place: Some(place) };
    assert_eq!(ClaimSummary::of(&claim), expected);
}

fn boxed(directory: Option<&Path>, config: Config) -> AnyStore {
    match directory {
        None => Box::new(MemoryStore::new(config)),
        Some(path) => Box::new(durable(path, config)),
    }
}
