//! Old readers and new writers: every released model still loads, and what cannot be read is refused by name.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use elsewhere::event::{EventTime, Feedback, Label, LabelSource, Subject};
use elsewhere::evidence::feature::{FEATURE_SCHEMA_VERSION, FeatureId, name_code, name_of_code};
use elsewhere::history::{Config, DurableStore, Kept, KeptFeedback, Recorded, Store, WorkerRecord};
use elsewhere::model::artefact::hex;
use elsewhere::model::{ArtefactError, Model};
use elsewhere::pipeline::{Models, Pipeline, SharedStore};
use elsewhere::risk::{AddressDatabase, Declared, Distance, Reach, ReasonCode, RemoteControl, Verdict};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

fn copy_of_shipped(change: impl Fn(&str, String) -> String) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let mut sums = String::new();
    for name in ["model.json", "card.md", "evaluation.json"] {
        let text = std::fs::read_to_string(models().join("session-risk-1").join(name)).expect("a model file");
        let text = change(name, text);
        sums += &format!("{}  {name}\n", hex(&Sha256::digest(text.as_bytes())));
        std::fs::write(directory.path().join(name), text).expect("written");
    }
    std::fs::write(directory.path().join("SHA256SUMS"), sums).expect("written");
    directory
}

#[test]
fn every_released_model_loads_under_its_own_name() {
    let mut count = 0;
    for entry in std::fs::read_dir(models()).expect("models") {
        let path = entry.expect("an entry").path();
        let model = Model::load(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(Some(model.file.model_id.as_str()), path.file_name().and_then(|name| name.to_str()));
        count += 1;
    }
    assert!(count >= 1);
    let shipped = Model::shipped().expect("the shipped model");
    assert_eq!(shipped.sha256, Model::load(&models().join("session-risk-1")).expect("a model").sha256);
}

#[test]
fn a_changed_byte_is_noticed_in_every_file() {
    for changed in ["model.json", "card.md", "evaluation.json"] {
        let directory = copy_of_shipped(|_, text| text);
        assert!(Model::load(directory.path()).is_ok());
        let path = directory.path().join(changed);
        let text = std::fs::read_to_string(&path).expect("a file");
        std::fs::write(&path, format!("{text} ")).expect("written");
        match Model::load(directory.path()) {
            Err(ArtefactError::HashDiffers { file }) => assert_eq!(file, changed),
            other => panic!("{changed}: {other:?}"),
        }
    }
}

#[test]
fn a_model_of_another_schema_is_refused_by_version() {
    let later = FEATURE_SCHEMA_VERSION + 1;
    let directory = copy_of_shipped(|name, text| {
        let old = format!("\"feature_schema_version\": {FEATURE_SCHEMA_VERSION}");
        if name == "model.json" { text.replace(&old, &format!("\"feature_schema_version\": {later}")) } else { text }
    });
    match Model::load(directory.path()) {
        Err(ArtefactError::SchemaDiffers { model, service }) => {
            assert_eq!((model, service), (later, FEATURE_SCHEMA_VERSION));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_renamed_feature_and_a_number_out_of_range_are_refused() {
    let renamed = copy_of_shipped(|_, text| text.replace("\"typing.phrase_log_odds\"", "\"typing.phrase_score\""));
    assert!(matches!(Model::load(renamed.path()), Err(ArtefactError::Unsound { .. })));
    let unsound = copy_of_shipped(|_, text| text.replace("\"slope\": ", "\"slope\": -"));
    assert!(matches!(Model::load(unsound.path()), Err(ArtefactError::Unsound { .. })));
    let malformed = copy_of_shipped(|name, text| if name == "model.json" { text.replacen('{', "[", 2) } else { text });
    assert!(matches!(Model::load(malformed.path()), Err(ArtefactError::Malformed { .. })));
}

#[test]
fn a_missing_file_is_named() {
    let directory = copy_of_shipped(|_, text| text);
    std::fs::remove_file(directory.path().join("card.md")).expect("removed");
    match Model::load(directory.path()) {
        Err(ArtefactError::Unreadable { path, .. }) => assert!(path.ends_with("card.md")),
        other => panic!("{other:?}"),
    }
}

/// Lays out the data directory of an older release: one line per file with its name, its length and its bytes in
/// hexadecimal, without the zeros at the end.
fn old_store(name: &str) -> tempfile::TempDir {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old").join(name);
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("an old store");
    GzDecoder::new(file).read_to_string(&mut text).expect("text");
    let directory = tempfile::tempdir().expect("a directory");
    for line in text.lines() {
        let mut words = line.split(' ');
        let (name, length) = (words.next().expect("a name"), words.next().expect("a length"));
        let digits = words.next().unwrap_or_default();
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
        let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(&path, bytes).expect("written");
        let file = std::fs::OpenOptions::new().write(true).open(&path).expect("a file");
        file.set_len(length.parse().expect("a length")).expect("its length");
    }
    directory
}

/// `elsewhere score tests/golden/two_workers_behind_kvms_in_one_home_are_flagged.ndjson --data-dir`, by the program as of
/// store format 1, record format 1 and verdict format 2.
#[test]
fn a_store_of_the_first_format_opens_and_takes_feedback() {
    let directory = old_store("store-1.txt.gz");
    let open = || -> SharedStore {
        let store = DurableStore::<WorkerRecord, Verdict>::open(directory.path(), Config::of_events());
        Arc::new(store.expect("an old store"))
    };
    let now = EventTime(1_772_800_000_000_000);
    {
        let store = open();
        let tenant = store.tenant("score").expect("the tenant");
        let record = store.record(tenant, "worker-a").expect("readable").expect("a record");
        assert_eq!((record.standing.session_count(), record.standing.flagged()), (4, true));
        assert!(record.days.told().is_empty(), "the first record format keeps no days");
        assert!(store.verdict(tenant, "b-5").expect("readable").is_some());
        assert_eq!(store.neighbours(tenant, "worker-a").expect("readable").len(), 6);
        assert!(store.feedback(tenant).expect("readable").is_empty());
        let models = Models::new(vec![Model::shipped().expect("a model")], None).expect("one model");
        let pipeline = Pipeline::new(Arc::clone(&store), models);
        let code = ReasonCode::RemoteInputLoopDelay as u16;
        let feedback = Feedback {
            feedback_id: "f-1".into(),
            subject: Subject::Event("a-5".into()),
            label: Label::Genuine,
            source: LabelSource::Legal,
            review_time: None,
            cleared_reasons: vec![code],
        };
        let entry = KeptFeedback {
            feedback,
            worker_id: "worker-a".into(),
            content_hash: [1; 32],
            record_time: now,
            superseded: false,
            superseding: false,
        };
        let Recorded::First { durable, .. } = pipeline.record_feedback(tenant, entry).expect("recorded") else {
            panic!("it is new")
        };
        durable.wait().expect("on disk");
        let clusters = pipeline.operator_clusters(tenant).expect("clusters").0;
        assert_eq!(clusters.len(), 1);
    }
    let store = open();
    let tenant = store.tenant("score").expect("the tenant");
    let kept = store.feedback(tenant).expect("readable");
    assert_eq!((kept.len(), kept[0].feedback.feedback_id.as_str()), (1, "f-1"));
    let model = Model::shipped().expect("a model");
    let record = store.record(tenant, "worker-a").expect("readable").expect("a record");
    let report = record.standing.report(&model.standing, now.0);
    assert_eq!(report.cleared_reasons, [ReasonCode::RemoteInputLoopDelay]);
    // Written in today's form, the record holds the day of the clearance and how it left the worker.
    let days = record.days.told();
    assert_eq!(days.len(), 1);
    assert_eq!(i64::from(days[0].day), now.0 / 86_400_000_000);
    assert!((days[0].stood.evidence_log_odds - report.evidence_log_odds).abs() < 0.06);
    let (forgotten, durable) = store.forget(tenant, "worker-a", now).expect("an erasure");
    durable.wait().expect("on disk");
    // Of four events two are of the last day, for which replies are kept by event time.
    assert_eq!((forgotten.verdict_count, forgotten.feedback_count, forgotten.link_count), (2, 1, 1));
}

/// A verdict as an older release wrote it down: without the reach, behind which databases may or may not stand.
#[test]
fn verdicts_written_before_the_reach_was_told_are_read_and_new_ones_keep_it() {
    let directory = old_store("store-1.txt.gz");
    let store = DurableStore::<WorkerRecord, Verdict>::open(directory.path(), Config::of_events()).expect("a store");
    let tenant = store.tenant("score").expect("the tenant");
    let old = store.verdict(tenant, "b-5").expect("readable").expect("a verdict");
    assert!(old.reach.silent());
    assert!(old.addition().expect("written").is_empty(), "such a verdict is written as it always was");
    let databases = vec![AddressDatabase { database_type: "GeoLite2-City".into(), build_seconds: 1 }];
    let reach = Reach {
        remote_control: RemoteControl::Remote,
        remote_control_log_odds: Some(4.25),
        distance: Distance::Near,
        distance_log_odds: Some(-1.5),
        declared: Declared { remote_access_sanctioned: true, assistive_technology: false },
    };
    for (databases, reach) in
        [(databases.clone(), Reach::default()), (databases, reach), (Vec::new(), reach), (Vec::new(), Reach::default())]
    {
        let given = Verdict { address_databases: databases, reach, ..(*old).clone() };
        let written = given.addition().expect("written");
        if reach.silent() && !given.address_databases.is_empty() {
            assert_eq!(written, postcard::to_stdvec(&given.address_databases).expect("written"), "the older form");
        }
        let mut read = (*old).clone();
        assert!(read.add(&written).expect("readable").is_empty());
        assert_eq!(read, given);
    }
}

#[test]
fn every_feature_name_ever_kept_can_be_told_again() {
    // Verdicts are kept with the codes of names. The list only grows: a name that is measured no more goes to the
    // retired ones of `evidence/feature.rs` and stays here.
    let kept = include_str!("feature_names.txt");
    for name in kept.lines() {
        assert_eq!(name_of_code(name_code(name)), Some(name));
    }
    for feature in FeatureId::ALL {
        assert!(kept.lines().any(|name| name == feature.name()), "add {} to feature_names.txt", feature.name());
    }
}
