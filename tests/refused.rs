//! What the program cannot work with is refused in one line that names it and says what to do; nothing panics.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_elsewhere"))
        .args(arguments)
        .envs(environment.iter().copied())
        .env_remove("ELSEWHERE_LOG")
        .stdin(Stdio::null())
        .output()
        .expect("the program")
}

/// Runs the program, which must refuse, and say `words` in the line that tells why.
fn refused(arguments: &[&str], environment: &[(&str, &str)], words: &[&str]) {
    let output = run(arguments, environment);
    let all = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {all}");
    assert!(output.stdout.is_empty(), "{arguments:?} prints, though it refuses");
    // The service logs beside it.
    let told: Vec<&str> = all.lines().filter(|line| line.starts_with("elsewhere: ")).collect();
    assert_eq!(told.len(), 1, "{arguments:?}: {all}");
    for word in words {
        assert!(told[0].contains(word), "{arguments:?}: {word:?} is not in {:?}", told[0]);
    }
    for ours in ["Os {", "FjallError", "usize", "Some(", "panicked"] {
        assert!(!all.contains(ours), "{arguments:?}: {all}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn settings_that_cannot_be_used_are_named_with_their_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("service.toml");
    let token = "0".repeat(64);
    let tenant = |more: &str| format!("[[tenants]]\nid = \"acme\"\n{more}");
    for (written, words) in [
        ("lissten = \"127.0.0.1:0\"".to_string(), vec!["`lissten`", "no setting", "listen"]),
        ("in_flight_max = \"many\"".into(), vec!["`in_flight_max`", "many", "whole number"]),
        ("in_flight_max = -3".into(), vec!["`in_flight_max`", "-3", "whole number"]),
        ("in_flight_max = 0".into(), vec!["`in_flight_max`"]),
        ("false_flag_budget = \"low\"".into(), vec!["`false_flag_budget`", "a number"]),
        ("false_flag_budget = 7.0".into(), vec!["`false_flag_budget`", "7"]),
        ("verdict_retention_days = 0".into(), vec!["`verdict_retention_days`"]),
        ("nonce_minutes = 100000".into(), vec!["`nonce_minutes`"]),
        ("listen = \"nowhere\"".into(), vec!["`listen`", "nowhere", "127.0.0.1:50061"]),
        ("listen = \"0.0.0.0:0\"".into(), vec!["`listen`", "tenants"]),
        ("tls_key = \"key.pem\"".into(), vec!["tls_certificate"]),
        ("tls_certificate = \"/nowhere.pem\"\ntls_key = \"/nowhere.pem\"".into(), vec!["/nowhere.pem"]),
        (tenant(""), vec!["tenants.0", "`token_sha256`"]),
        (tenant("token_sha256 = 3"), vec!["`tenants.0.token_sha256`", "3"]),
        (tenant("token_sha256 = \"secret\""), vec!["`token_sha256`", "acme"]),
        (tenant(&format!("token_sha256 = \"{token}\"\nsecret = true")), vec!["`tenants.0.secret`", "secret_typing"]),
    ] {
        std::fs::write(&file, written + "\n").expect("written");
        refused(&["serve", "--config", text(&file)], &[("ELSEWHERE_DEADLINE_MILLIS", "5000")], &words);
    }
    std::fs::write(&file, "in_flight_max = 2\nlissten = \"127.0.0.1:0\"\n").expect("written");
    refused(&["serve", "--config", text(&file)], &[], &["service.toml"]);
    refused(&["serve", "--config", "/nowhere/service.toml"], &[], &["/nowhere/service.toml"]);
}

#[test]
fn variables_of_the_environment_are_settings_and_those_of_an_orchestrator_are_not() {
    refused(&["serve"], &[("ELSEWHERE_LISSTEN", "127.0.0.1:0")], &["lissten", "ELSEWHERE_", "no setting"]);
    refused(&["serve"], &[("ELSEWHERE_IN_FLIGHT_MAX", "x")], &["in_flight_max", "whole number"]);
    // What Kubernetes hands every pod beside a service named `elsewhere`. The address is at fault, so they were passed.
    let handed = [
        ("ELSEWHERE_SERVICE_HOST", "10.0.0.7"),
        ("ELSEWHERE_SERVICE_PORT", "50061"),
        ("ELSEWHERE_SERVICE_PORT_GRPC", "50061"),
        ("ELSEWHERE_PORT", "tcp://10.0.0.7:50061"),
        ("ELSEWHERE_PORT_50061_TCP_ADDR", "10.0.0.7"),
    ];
    refused(&["serve", "--listen", "nowhere"], &handed, &["`listen`", "nowhere"]);
}

#[test]
fn files_and_directories_that_cannot_be_used_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "no requests").expect("written");
    let below = file.join("below");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/company.ndjson.gz");
    refused(&["score", "/nowhere.ndjson"], &[], &["cannot read /nowhere.ndjson"]);
    refused(&["score", text(directory.path())], &[], &["cannot read", text(directory.path())]);
    refused(&["score", example, "--output", text(&below)], &[], &["cannot write", text(&below)]);
    refused(&["score", example, "--output", "/dev/full"], &[], &["cannot write results", "No space left"]);
    refused(&["score", "--data-dir", text(&file)], &[], &[text(&file), "cannot be the data directory"]);
    refused(&["score", "--data-dir", text(&below)], &[], &[text(&below), "cannot be the data directory", "name one"]);
    refused(&["serve", "--data-dir", text(&below)], &[], &[text(&below), "cannot be the data directory"]);
    // Nobody makes directories there, whoever they are.
    refused(&["serve", "--data-dir", "/proc/elsewhere"], &[], &["/proc/elsewhere", "cannot be the data directory"]);
    refused(&["explain", "w1", "--data-dir", text(&below)], &[], &["cannot read", text(&below)]);
    refused(&["explain", "nobody", example], &[], &["nobody", "nothing is known"]);
    refused(&["serve", "--listen", "127.0.0.1:99999"], &[], &["`listen`", "99999"]);
}

#[test]
fn a_directory_two_programs_want_is_the_first_ones() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = text(directory.path());
    let mut holder = Command::new(env!("CARGO_BIN_EXE_elsewhere"))
        .args(["score", "--data-dir", data])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    // It answers, so it has opened the directory.
    let mut input = holder.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, b"{}\n").expect("fed");
    let mut answer = [0; 1];
    std::io::Read::read_exact(holder.stdout.as_mut().expect("a pipe"), &mut answer).expect("an answer");
    refused(&["score", "--data-dir", data], &[], &[data, "in use by another process"]);
    refused(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data], &[], &[data, "in use by another process"]);
    drop(input);
    // A bad line was answered, so the run ends as it would have alone.
    assert!(holder.wait().expect("an end").success());
    assert!(run(&["score", "--data-dir", data], &[]).status.success());
}

#[test]
fn models_that_are_cut_off_altered_or_not_there_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    refused(&["score", "--model", "/nowhere"], &[], &["/nowhere", "SHA256SUMS"]);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/session-risk-1");
    for entry in std::fs::read_dir(shipped).expect("the shipped model") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), path.join(entry.file_name())).expect("copied");
    }
    assert!(run(&["score", "--model", text(path)], &[]).status.success());
    let model = std::fs::OpenOptions::new().write(true).open(path.join("model.json")).expect("a model");
    model.set_len(1_000).expect("cut off");
    for door in ["score", "serve"] {
        refused(&[door, "--model", text(path)], &[], &[text(path), "model.json", "restore it"]);
    }
    std::fs::remove_file(path.join("SHA256SUMS")).expect("removed");
    refused(&["score", "--model", text(path)], &[], &[text(path), "SHA256SUMS"]);
}
