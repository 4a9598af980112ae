//! What a disk must survive: kills, failures, strangers, damage.

use super::super::format;
use super::super::journal::{Journal, Shelf, Write};
use super::*;
use crate::history::WorkerRecord;
use crate::risk::Verdict;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Set for the child that is going to be killed; names its data directory.
const CHILD: &str = "ELSEWHERE_TEST_KILLED_CHILD";

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if let Ok(directory) = std::env::var(CHILD) {
        acknowledge_for_ever(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    // Twice, so that a store recovered from one kill survives the next.
    for round in 0..2 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "history::tests::crash::what_was_acknowledged_survives_kill_9", "--nocapture"])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut acknowledge = |line: String| line.strip_prefix("acknowledged ").map(|number| number.parse().unwrap());
        while let Some(number) = lines.by_ref().find_map(&mut acknowledge) {
            acknowledged = number;
            if acknowledged >= 500 * (round + 1) {
                break;
            }
        }
        child.kill().unwrap();
        acknowledged = lines.filter_map(acknowledge).last().unwrap_or(acknowledged);
        child.wait().unwrap();

        let store = durable(directory.path(), service());
        let tenant = store.tenant("acme").unwrap();
        let taught = store.record(tenant, "w-1").unwrap().unwrap().events;
        assert!(acknowledged >= 500 && taught.len() > acknowledged, "{} taught, {acknowledged} said", taught.len());
        for (number, event) in taught.iter().enumerate() {
            assert_eq!(*event, format!("e-{number}"));
            let verdict = store.verdict(tenant, event).unwrap().expect("record and reply are kept together");
            assert!(verdict.0.starts_with(&format!("{event} after")));
        }
    }
}

fn acknowledge_for_ever(directory: &Path) -> ! {
    let store = durable(directory, service());
    let tenant = store.tenant("acme").unwrap();
    let from = store.record(tenant, "w-1").unwrap().map_or(0, |record| record.events.len());
    for number in from.. {
        let event = format!("e-{number}");
        let arrival = arrival(&event, "w-1", 1);
        let score = &mut |visit: &mut Visit<'_, Taught>| {
            visit.record_mut().events.push(event.clone());
            Said(format!("{event} after {number}"))
        };
        let Answer::First { durable, .. } = store.assess(tenant, &arrival, score).unwrap() else {
            panic!("event {number} was there before");
        };
        durable.wait().unwrap();
        println!("acknowledged {number}");
    }
    unreachable!("the parent kills this process")
}

#[test]
fn after_a_failed_write_nothing_is_acknowledged() {
    let written = Arc::new(Mutex::new(Vec::new()));
    let disk = Arc::clone(&written);
    let journal = Journal::start(move |writes| {
        let mut disk = lock(&disk);
        if disk.len() + writes.len() > 5 {
            return Err("no space left on device".into());
        }
        disk.extend(writes);
        Ok(())
    });
    let journal = journal.unwrap();
    let write = |number: u8| Write { shelf: Shelf::Workers, key: vec![number], value: Some(vec![number]) };
    let tickets: Vec<Durable> = (0..20).map(|number| journal.submit(vec![write(number)], None)).collect();
    let acknowledged = tickets.into_iter().map(Durable::wait).take_while(Result::is_ok).count();
    assert!(acknowledged <= 5);
    assert_eq!(lock(&written).len(), acknowledged);
    let failure = StoreError::Unwritable { cause: "no space left on device".into() };
    assert_eq!(journal.submit(vec![write(9)], None).wait(), Err(failure.clone()));
    assert_eq!(journal.barrier().wait(), Err(failure.clone()));
    assert_eq!(journal.failure(), Err(failure));
}

#[test]
fn a_writer_that_dies_keeps_nobody_waiting() {
    let journal = Journal::start(|_| panic!("the disk driver went wrong")).unwrap();
    let write = || Write { shelf: Shelf::Workers, key: vec![1], value: None };
    assert!(journal.submit(vec![write()], None).wait().is_err());
    assert!(journal.submit(vec![write()], None).wait().is_err());
}

#[test]
fn closing_writes_what_is_queued() {
    let written = Arc::new(AtomicU32::new(0));
    let disk = Arc::clone(&written);
    let journal = Journal::start(move |writes| {
        std::thread::sleep(std::time::Duration::from_millis(1));
        disk.fetch_add(writes.len() as u32, Ordering::Relaxed);
        Ok(())
    });
    let journal = journal.unwrap();
    for number in 0..1000_u32 {
        let write = Write { shelf: Shelf::Workers, key: number.to_be_bytes().into(), value: None };
        drop(journal.submit(vec![write], None));
    }
    drop(journal);
    assert_eq!(written.load(Ordering::Relaxed), 1000);
}

#[test]
fn a_directory_in_use_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let first = durable(directory.path(), service());
    let path = directory.path().display().to_string();
    let second = DurableStore::<Taught, Said>::open(directory.path(), service()).map(|_| ());
    assert_eq!(second, Err(StoreError::Locked { path: path.clone() }));
    assert!(second.unwrap_err().to_string().contains(&path));
    drop(first);
    drop(durable(directory.path(), service()));
}

/// Writes one value past the store and opens it again.
fn reopened_with(write: Write) -> Result<DurableStore<Taught, Said>, StoreError> {
    let directory = tempfile::tempdir().unwrap();
    {
        let store = durable(directory.path(), service());
        let tenant = store.tenant("acme").unwrap();
        words(assess(&store, tenant, &arrival("e-1", "w-1", 1)));
        store.write_raw(write).wait().unwrap();
    }
    DurableStore::open(directory.path(), service())
}

#[test]
fn what_another_version_wrote_is_refused_by_name() {
    let worker = |value: Vec<u8>| Write { shelf: Shelf::Workers, key: format::name_key(0, "w-2"), value: Some(value) };
    let refusal = |write| reopened_with(write).map(|_| ()).unwrap_err();
    let of_worker = |error: StoreError, numbers: (u8, u8)| match error {
        StoreError::UnknownFormat { what, found, expected } => {
            assert_eq!((found, expected), numbers);
            assert!(what.contains(&format::digest("w-2")) && !what.contains("w-2"), "{what}");
        }
        other => panic!("{other}"),
    };
    of_worker(refusal(worker(vec![1, 4, 0])), (4, Taught::FORMAT));
    of_worker(refusal(worker(vec![2, 3, 0])), (2, format::FORMAT));
    let whole = Write { shelf: Shelf::Meta, key: b"format".into(), value: Some(vec![9]) };
    let error = refusal(whole);
    assert!(matches!(&error, StoreError::UnknownFormat { found: 9, expected: format::FORMAT, .. }), "{error}");
    assert!(error.to_string().starts_with("the data directory at /"), "{error}");
}

#[test]
fn what_is_damaged_is_refused_by_name() {
    let sound = format::encode_worker(&Taught { events: vec!["e-1".into()], last: at(1) }, &[]).unwrap();
    for damaged in [&sound[..1], &sound[..sound.len() - 1], &[&sound[..], &[0]].concat()] {
        let write = Write { shelf: Shelf::Workers, key: format::name_key(0, "w-2"), value: Some(damaged.into()) };
        let error = reopened_with(write).map(|_| ()).unwrap_err();
        assert!(matches!(&error, StoreError::Damaged { what, .. } if what.contains(&format::digest("w-2"))), "{error}");
    }
    let reply = Write { shelf: Shelf::Replies, key: format::name_key(0, "e-2"), value: Some(vec![1, 5]) };
    let store = reopened_with(reply).unwrap();
    let tenant = store.tenant("acme").unwrap();
    assert!(matches!(store.verdict(tenant, "e-2"), Err(StoreError::Damaged { what, .. }) if what.contains("e-2")));
    assert!(store.verdict(tenant, "e-1").unwrap().is_some());
}

/// Every file under a directory that ends like one the database wrote whole.
fn whole_files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(whole_files(&path));
        } else if std::fs::read(&path)
            .is_ok_and(|bytes| bytes.len() > 38 && bytes[bytes.len() - 38..].starts_with(b"SFA!"))
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_count_that_asks_for_more_memory_than_there_is_is_damage_and_no_abort() {
    let directory = tempfile::tempdir().unwrap();
    {
        let store = durable(directory.path(), service());
        let tenant = store.tenant("acme").unwrap();
        words(assess(&store, tenant, &arrival("e-1", "w-1", 1)));
    }
    let files = whole_files(directory.path());
    assert!(!files.is_empty(), "the database writes its files otherwise now: look at history/intact.rs");
    for file in files {
        let sound = std::fs::read(&file).unwrap();
        let at = sound.len() - 16;
        let contents = u64::from_le_bytes(sound[at..at + 8].try_into().unwrap()) as usize;
        let mut damaged = sound.clone();
        damaged[contents + 7] = 0xff;
        std::fs::write(&file, &damaged).unwrap();
        let error = DurableStore::<Taught, Said>::open(directory.path(), service()).map(|_| ()).unwrap_err();
        assert!(matches!(&error, StoreError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(file.file_name().unwrap().to_str().unwrap()), "{error}");
        std::fs::write(&file, &sound).unwrap();
    }
    drop(durable(directory.path(), service()));
}

#[test]
fn a_record_of_no_numbers_is_refused_by_worker_and_quantity() {
    let mut record = WorkerRecord::default();
    record.profiles.remote_input.reaction.mean = f32::NAN;
    let directory = tempfile::tempdir().unwrap();
    {
        let store = DurableStore::<WorkerRecord, Verdict>::open(directory.path(), service()).unwrap();
        store.tenant("acme").unwrap();
        let value = Some(format::encode_worker(&record, &[]).unwrap());
        store.write_raw(Write { shelf: Shelf::Workers, key: format::name_key(0, "w-2"), value }).wait().unwrap();
    }
    let error = DurableStore::<WorkerRecord, Verdict>::open(directory.path(), service()).map(|_| ()).unwrap_err();
    let error = error.to_string();
    // `printf w-2 | sha256sum` begins so.
    for told in ["d4ea834145ae8a79", "remote_input.reaction", "backup", &directory.path().display().to_string()] {
        assert!(error.contains(told), "{told} is not in: {error}");
    }
    assert!(!error.contains("w-2"), "{error}");
}

#[test]
fn erasures_and_tenants_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    {
        let store = durable(directory.path(), service());
        store.tenant("other").unwrap();
        let tenant = store.tenant("acme").unwrap();
        words(assess_with(&store, tenant, &arrival("e-1", "w-1", 1), &[(SITE, token(1))]));
        words(assess_with(&store, tenant, &arrival("e-2", "w-2", 1), &[(SITE, token(1))]));
        store.forget(tenant, "w-1", at(9)).unwrap().1.wait().unwrap();
    }
    let store = durable(directory.path(), service());
    let tenant = store.tenant("acme").unwrap();
    assert_eq!(store.erased_after(tenant, "w-1").unwrap(), Some(at(9)));
    assert_eq!(store.record(tenant, "w-1").unwrap(), None);
    assert_eq!(store.verdict(tenant, "e-1").unwrap(), None);
    let around = store.neighbours(tenant, "w-2").unwrap();
    assert_eq!((around[0].token, around[0].worker_count), (token(1), 0));
}

#[test]
fn a_ticket_can_be_awaited() {
    use std::future::Future;
    use std::task::{Context, Poll, Wake, Waker};
    struct Flag(AtomicU32);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (durable, settler) = Durable::pending();
    let flag = Arc::new(Flag(AtomicU32::new(0)));
    let waker = Waker::from(Arc::clone(&flag));
    let mut context = Context::from_waker(&waker);
    let mut durable = Box::pin(durable);
    assert_eq!(durable.as_mut().poll(&mut context), Poll::Pending);
    settler.settle(Ok(()));
    assert_eq!(flag.0.load(Ordering::Relaxed), 1);
    assert_eq!(durable.as_mut().poll(&mut context), Poll::Ready(Ok(())));
}
