//! The import rule of `src/lib.rs`: rooms import one way, and this fails the build's tests when one turns round.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A file up to its tests: those may reach across rooms, since they stand outside the path of a login.
fn code_without_tests(path: &Path) -> String {
    if path.ends_with("tests.rs") {
        return String::new();
    }
    let text = std::fs::read_to_string(path).expect("a readable source file");
    text.split("[cfg(test)]").next().unwrap_or_default().to_string()
}

/// Everything a file names as `crate::…`, two segments deep, with nested braces spelled out.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        // `pub(crate)` and doc links count as well: what a comment links to, a reader must be able to follow.
        let rest: String = text[at + "crate::".len()..].chars().take_while(|c| *c != ';').collect();
        if let Some(inside) = rest.strip_prefix('{') {
            found.extend(inside.split(',').map(|one| segments(one.trim())));
        } else if let Some((head, inside)) = rest.split_once("::{").filter(|(head, _)| plain(head)) {
            let named = inside.split(['}', ',']).map(str::trim).filter(|one| !one.is_empty());
            found.extend(named.map(|one| segments(&format!("{head}::{one}"))));
        } else {
            found.insert(segments(&rest));
        }
    }
    found
}

fn plain(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

fn segments(path: &str) -> String {
    let clean: String = path.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == ':').collect();
    clean.split("::").take(2).collect::<Vec<_>>().join("::")
}

/// Room of a file, and the family when it lies in a family room.
fn room(path: &Path, source: &Path) -> (String, Option<String>) {
    let relative = path.strip_prefix(source).expect("a file under src");
    let parts: Vec<&str> = relative.iter().filter_map(|part| part.to_str()).collect();
    let room = parts[0].trim_end_matches(".rs").to_string();
    let family = (room == "evidence" && parts.len() > 2).then(|| parts[1].to_string());
    (room, family)
}

fn allowed(room: &str, family: Option<&str>, import: &str) -> bool {
    let (target, second) = import.split_once("::").unwrap_or((import, ""));
    match room {
        "event" => target == "event",
        "evidence" => match (target, family) {
            ("event", _) | ("evidence", None) => true,
            ("evidence", Some(family)) => ["feature", "quantile", "circular", family].contains(&second),
            _ => false,
        },
        "history" => ["event", "evidence", "history", "risk"].contains(&target),
        "model" => target == "model" || (target == "evidence" && ["feature", "Parameters", "crowd"].contains(&second)),
        "risk" => ["risk", "model"].contains(&target) || import == "evidence::feature",
        "addresses" => ["event", "addresses"].contains(&target),
        "pipeline" => !["api", "cli", "config", "addresses"].contains(&target),
        "api" => !["evidence", "cli", "sinks"].contains(&target),
        "cli" => target != "evidence",
        "config" => ["config", "event"].contains(&target),
        "sinks" => ["sinks", "risk"].contains(&target),
        _ => true,
    }
}

#[test]
fn imports_run_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    assert!(files.len() > 40, "only {} files found under {}", files.len(), source.display());
    let mut turned = Vec::new();
    for path in files {
        let text = code_without_tests(&path);
        let (room, family) = room(&path, &source);
        for import in imports(&text) {
            if !import.is_empty() && !allowed(&room, family.as_deref(), &import) {
                turned.push(format!("{}: crate::{import}", path.display()));
            }
        }
    }
    assert!(turned.is_empty(), "imports against the rule of src/lib.rs:\n{}", turned.join("\n"));
}

#[test]
fn the_pure_rooms_name_neither_wire_nor_clock_nor_chance() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let banned = ["tonic::", "prost::", "SystemTime::now", "Instant::now", "rand::", "tokio::"];
    for pure in ["event", "evidence", "model", "risk"] {
        let mut files = Vec::new();
        rust_files(&source.join(pure), &mut files);
        for path in files {
            let text = code_without_tests(&path);
            for word in banned {
                assert!(!text.contains(word), "{} names {word}", path.display());
            }
        }
    }
}

#[test]
fn evidence_never_names_a_worker() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/evidence");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    for path in files {
        let text = code_without_tests(&path);
        assert!(!text.contains("worker_id"), "{} names worker_id", path.display());
    }
}

#[test]
fn the_rule_itself_catches_what_it_forbids() {
    assert!(!allowed("event", None, "evidence::feature"));
    assert!(!allowed("evidence", Some("typing"), "evidence::network"));
    assert!(!allowed("model", None, "risk::level"));
    assert!(!allowed("risk", None, "history::Store"));
    assert!(allowed("evidence", Some("typing"), "evidence::typing"));
    let seen = imports("use crate::event::{Samples, limits};\nuse crate::risk;");
    assert!(seen.contains("event::Samples") && seen.contains("event::limits") && seen.contains("risk"));
}
