//! Old readers and new writers: every released model still loads, and what cannot be read is refused by name.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use elsewhere::evidence::feature::{FEATURE_SCHEMA_VERSION, FeatureId, name_code, name_of_code};
use elsewhere::model::artefact::hex;
use elsewhere::model::{ArtefactError, Model};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

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
