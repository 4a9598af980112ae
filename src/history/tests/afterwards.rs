//! What is kept beside records and verdicts: sessions, labels, changes, clusters, and that all of it goes again.

use super::super::nonces::NonceKey;
use super::*;
use crate::event::{Feedback, Label, LabelSource, Subject};

const RETENTION_HOURS: i64 = 400 * 24;

fn entry(feedback_id: &str, subject: Subject, worker: &str, review: i64, cleared: &[u16]) -> KeptFeedback {
    let feedback = Feedback {
        feedback_id: feedback_id.into(),
        subject,
        label: Label::Genuine,
        source: LabelSource::IdentityCheck,
        review_time: Some(at(review)),
        cleared_reasons: cleared.to_vec(),
    };
    KeptFeedback {
        feedback,
        worker_id: worker.into(),
        content_hash: [1; 32],
        record_time: at(5),
        superseded: false,
        superseding: false,
    }
}

/// Records an entry; says whether it superseded, and what the worker was told is cleared and cleared anew.
fn record(store: &dyn Store<Taught, Said>, tenant: TenantId, entry: KeptFeedback) -> (bool, Vec<u16>, Vec<u16>) {
    let (mut wanted, mut anew) = (Vec::new(), Vec::new());
    let mut settle = |visit: &mut Visit<'_, Taught>, cleared: &[u16], fresh: &[u16]| {
        (wanted, anew) = (cleared.to_vec(), fresh.to_vec());
        visit.record_mut().events.push("reviewed".into());
    };
    match store.record_feedback(tenant, entry, &mut settle).unwrap() {
        Recorded::First { superseding, durable } => {
            durable.wait().unwrap();
            (superseding, wanted, anew)
        }
        other => panic!("{other:?}"),
    }
}

fn of_event(event: &str) -> Subject {
    Subject::Event(event.into())
}

#[test]
fn the_latest_review_of_a_subject_is_in_force() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        words(assess(store, tenant, &arrival("e-1", "w-1", 1)));
        assert_eq!(record(store, tenant, entry("f-1", of_event("e-1"), "w-1", 3, &[7])), (false, vec![7], vec![7]));
        assert_eq!(record(store, tenant, entry("f-2", of_event("e-2"), "w-1", 3, &[8])), (false, vec![7, 8], vec![8]));
        assert_eq!(record(store, tenant, entry("f-3", of_event("e-1"), "w-1", 2, &[9])), (false, vec![7, 8], vec![]));
        assert_eq!(record(store, tenant, entry("f-4", of_event("e-1"), "w-1", 4, &[])), (true, vec![8], vec![]));
        let superseded: Vec<bool> = store.feedback(tenant).unwrap().iter().map(|kept| kept.superseded).collect();
        assert_eq!(superseded, [true, false, true, false]);
        assert_eq!(store.record(tenant, "w-1").unwrap().unwrap().events.len(), 5);
        let again = store.record_feedback(tenant, entry("f-1", of_event("e-1"), "w-1", 3, &[7]), &mut |_, _, _| {
            panic!("a repeat changes nothing")
        });
        assert!(matches!(again.unwrap(), Recorded::Repeated { superseding: false, .. }));
    });
}

#[test]
fn a_session_is_known_by_its_worker_until_either_goes() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        let of = |event, worker, hours| Arrival { session_id: "s-1", ..arrival(event, worker, hours) };
        words(assess(store, tenant, &of("e-1", "w-1", 1)));
        words(assess(store, tenant, &of("e-2", "w-1", 30)));
        let worker = || store.worker_of_session(tenant, "s-1").unwrap().map(|worker| worker.to_string());
        assert_eq!(worker(), Some("w-1".into()));
        store.expire(at(60)).unwrap();
        assert_eq!(worker(), Some("w-1".into()), "its second event is kept still");
        store.expire(at(79)).unwrap();
        assert_eq!(worker(), None);
        words(assess(store, tenant, &of("e-3", "w-1", 80)));
        assert_eq!(worker(), Some("w-1".into()));
        store.forget(tenant, "w-1", at(81)).unwrap().1.wait().unwrap();
        assert_eq!((worker(), store.worker_of_event(tenant, "e-3").unwrap()), (None, None));
    });
}

#[test]
fn what_outlived_its_worker_goes_with_the_years() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        let silent = Arrival { keep: false, ..arrival("e-1", "w-1", 1) };
        words(assess(store, tenant, &silent));
        assert_eq!(record(store, tenant, entry("f-1", of_event("e-1"), "w-1", 3, &[])).1, Vec::<u16>::new());
        store.expire(at(5 + RETENTION_HOURS)).unwrap();
        assert_eq!(store.feedback(tenant).unwrap().len(), 1);
        store.expire(at(6 + RETENTION_HOURS)).unwrap();
        assert!(store.feedback(tenant).unwrap().is_empty());
    });
}

#[test]
fn a_change_is_told_with_its_event_and_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let heard = Arc::new(AtomicU32::new(0));
    let (key, first) = {
        let store = durable(directory.path(), service());
        let tenant = store.tenant("acme").unwrap();
        let counting = Arc::clone(&heard);
        store.listen(Arc::new(move || {
            counting.fetch_add(1, Ordering::Relaxed);
        }));
        let mut score = |visit: &mut Visit<'_, Taught>| {
            visit.record_mut().last = at(1);
            visit.tell(true);
            Said(String::new())
        };
        words(store.assess(tenant, &arrival("e-1", "w-1", 1), &mut score).unwrap());
        let silent = Arrival { keep: false, ..arrival("e-2", "w-2", 1) };
        words(store.assess(tenant, &silent, &mut score).unwrap());
        assert_eq!(heard.load(Ordering::Relaxed), 1, "what is not kept is not told");
        let durable = store.revisit(tenant, "w-1", at(2), &mut |visit| {
            visit.record_mut().last = at(2);
            visit.tell(false);
        });
        durable.unwrap().unwrap().wait().unwrap();
        let nobody = store.revisit(tenant, "nobody", at(2), &mut |_| panic!("nobody is there"));
        assert!(nobody.unwrap().is_none());
        (store.key(tenant, "resume").unwrap(), store.latest_change(tenant).unwrap())
    };
    assert_eq!((first, heard.load(Ordering::Relaxed)), (2, 2));
    let store = durable(directory.path(), service());
    let tenant = store.tenant("acme").unwrap();
    let found = store.changes_after(tenant, 0, 10).unwrap().unwrap();
    assert_eq!(found.iter().map(|(number, worker)| (*number, &**worker)).collect::<Vec<_>>(), [(2, "w-1")]);
    assert_eq!((store.latest_change(tenant).unwrap(), store.key(tenant, "resume").unwrap()), (2, key));
    assert_ne!(store.key(tenant, "nonce").unwrap(), key);
    assert_ne!(store.key(store.tenant("globex").unwrap(), "resume").unwrap(), key);
}

#[test]
fn a_refused_nonce_leaves_the_event_id_free() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        let key: NonceKey = store.nonce_key(tenant).unwrap();
        let nonce = key.issue("s-1", at(9));
        let claim = |session: &str| Some(key.look(&nonce, session, at(1)));
        let bad = Arrival { nonce: claim("s-2"), ..arrival("e-1", "w-1", 1) };
        assert_eq!(words(assess(store, tenant, &bad)), "refused: OtherSession");
        assert_eq!(store.record(tenant, "w-1").unwrap(), None);
        let good = Arrival { nonce: claim("s-1"), ..arrival("e-1", "w-1", 1) };
        assert!(words(assess(store, tenant, &good)).starts_with("first"));
        assert!(words(assess(store, tenant, &good)).starts_with("again"));
        let replay = Arrival { nonce: claim("s-1"), ..arrival("e-2", "w-1", 1) };
        assert_eq!(words(assess(store, tenant, &replay)), "refused: Used");
    });
}

#[test]
fn a_cluster_is_named_for_workers_who_are_there() {
    on_every_store(service(), |store| {
        let tenant = store.tenant("acme").unwrap();
        for (event, worker) in [("e-1", "w-1"), ("e-2", "w-2")] {
            words(assess_with(store, tenant, &arrival(event, worker, 1), &[(SITE, token(1))]));
        }
        let mut seen = Vec::new();
        store.shared_tokens(tenant, None, &mut |shared| seen.push((shared.kind, shared.holders.len()))).unwrap();
        assert_eq!(seen, [(SITE, 2)]);
        let name = |names: &[(&str, Option<u64>)]| {
            let mut before = 0;
            let durable = store.name_clusters(tenant, &mut |names_before| {
                before = names_before.len();
                names.iter().map(|(worker, name)| (Arc::from(*worker), *name)).collect()
            });
            durable.unwrap().wait().unwrap();
            before
        };
        assert_eq!(name(&[("w-1", Some(7)), ("w-2", Some(7)), ("nobody", Some(7))]), 0);
        assert_eq!(name(&[("w-2", None)]), 2);
        store.forget(tenant, "w-1", at(2)).unwrap().1.wait().unwrap();
        assert_eq!(name(&[]), 0);
    });
}
