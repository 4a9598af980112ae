//! What a worker takes on disk after four weeks of rich sessions, against the budget of 2,600 bytes.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use elsewhere::history::{Config, DurableStore, Store as _, WorkerRecord};
use elsewhere::risk::Verdict;
use std::process::{Command, Stdio};

/// Bytes stored per worker, all families, standing and days together.
const BUDGET_BYTES: usize = 2_600;

#[test]
fn four_weeks_of_a_worker_fit_the_budget() {
    let directory = tempfile::tempdir().expect("a directory");
    let scored = Command::new(env!("CARGO_BIN_EXE_elsewhere"))
        .args(["score", "examples/company.ndjson.gz", "--data-dir"])
        .arg(directory.path())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(scored.expect("the program").success());
    let store = DurableStore::<WorkerRecord, Verdict>::open(directory.path(), Config::of_events()).expect("a store");
    let tenant = store.tenant("score").expect("the tenant");
    let (mut record_bytes, mut days_bytes, mut day_counts) = (Vec::new(), Vec::new(), Vec::new());
    store
        .workers(tenant, &mut |_, record| {
            record_bytes.push(postcard::to_stdvec(record).expect("written").len());
            days_bytes.push(postcard::to_stdvec(&record.days).expect("written").len());
            day_counts.push(record.days.told().len());
        })
        .expect("readable");
    let mean = |bytes: &[usize]| bytes.iter().sum::<usize>() / bytes.len().max(1);
    let most = |bytes: &[usize]| bytes.iter().copied().max().unwrap_or(0);
    println!(
        "{} workers: a record takes {} bytes in the mean and {} at most, of which days {} and {} for {} days in the mean",
        record_bytes.len(),
        mean(&record_bytes),
        most(&record_bytes),
        mean(&days_bytes),
        most(&days_bytes),
        mean(&day_counts)
    );
    assert_eq!(record_bytes.len(), 22);
    assert!(most(&record_bytes) <= BUDGET_BYTES, "{record_bytes:?}");
    assert!(day_counts.iter().all(|count| *count >= 10), "every worker's days are kept: {day_counts:?}");
}
