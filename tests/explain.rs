//! `elsewhere explain` tells a verdict and a standing alike from requests, results, a store and a running service.
//!
//! `ELSEWHERE_BLESS=1 cargo test --test explain` writes what is told now; read the difference before committing it.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::{MONDAY, login, request, start};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const STORY: &str = "two_workers_behind_kvms_in_one_home_are_flagged";
const WORKER: &str = "worker-b";
const EVENT: &str = "b-3";

fn story() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{STORY}.ndjson"))
}

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_elsewhere"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    // A program that never reads its input closes the pipe: no fault of this test.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("an end")
}

fn told(arguments: &[&str], input: &[u8]) -> String {
    let output = run(arguments, input);
    let errors = String::from_utf8_lossy(&output.stderr).to_string();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Compares with the text kept, or writes it.
fn check(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/explained/{name}.txt"));
    if std::env::var_os("ELSEWHERE_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("made");
        std::fs::write(&file, text).expect("written");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, kept, "told otherwise than in {}", file.display());
}

#[test]
fn a_worker_and_an_event_are_told_as_before() {
    let story = story();
    check("worker", &told(&["explain", WORKER, path(&story)], b""));
    check("event", &told(&["explain", EVENT, path(&story)], b""));
}

#[test]
fn requests_and_results_tell_the_same() {
    let requests = std::fs::read(story()).expect("a story");
    let results = told(&["score"], &requests);
    for name in [WORKER, EVENT] {
        let of_requests = told(&["explain", name, "-"], &requests);
        assert_eq!(told(&["explain", name], results.as_bytes()), of_requests, "{name}");
        // Both together, in either order, tell no more sessions than there are.
        let both = [results.as_bytes(), &requests].concat();
        assert_eq!(told(&["explain", name], &both), of_requests, "{name}");
        let both = [&requests, results.as_bytes()].concat();
        assert_eq!(told(&["explain", name], &both), of_requests, "{name}");
    }
}

#[test]
fn a_store_tells_what_was_scored_into_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = directory.path().join("state");
    let (state, story) = (path(&state), story());
    told(&["score", path(&story), "--data-dir", state], b"");
    // After the first paragraph, which says as of when, and up to the sessions, which a store does not list.
    let body = |text: &str| {
        let told = text.lines().skip_while(|line| !line.starts_with("A flag")).map(|line| format!("{line}\n"));
        told.take_while(|line| !line.starts_with("Sessions")).collect::<String>()
    };
    let of_store = told(&["explain", WORKER, "--data-dir", state], b"");
    assert!(of_store.starts_with("Worker worker-b, as of the last session kept"), "{of_store}");
    let of_requests = told(&["explain", WORKER, path(&story)], b"");
    assert!(of_store.contains("nats, at or above the threshold") && body(&of_store).lines().count() > 30);
    assert_eq!(body(&of_store).trim_end(), body(&of_requests).trim_end());
    assert!(told(&["explain", EVENT, "--data-dir", state], b"").contains("Session event b-3 of worker worker-b"));
    // Looking changes nothing: the second look tells the same, and a tenant asked for by mistake is not made.
    assert_eq!(told(&["explain", WORKER, "--data-dir", state], b""), of_store);
    let mistaken = run(&["explain", WORKER, "--data-dir", state, "--tenant", "nobody"], b"");
    assert!(String::from_utf8_lossy(&mistaken.stderr).contains("it has score"));
    let empty = tempfile::tempdir().expect("a directory");
    let nothing = run(&["explain", WORKER, "--data-dir", path(empty.path())], b"");
    assert!(!nothing.status.success() && String::from_utf8_lossy(&nothing.stderr).contains("holds no store"));
    assert_eq!(std::fs::read_dir(empty.path()).expect("a directory").count(), 0, "no store is made by looking");
}

#[test]
fn json_holds_the_numbers_and_what_they_mean() {
    let text = told(&["explain", EVENT, path(&story()), "--json"], b"");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let verdict = &value["verdict"];
    let reasons = verdict["reasons"].as_array().expect("reasons");
    let number = |value: &serde_json::Value| value.as_f64().unwrap_or_default();
    let sum: f64 = reasons.iter().map(|reason| number(&reason["contributionLogOdds"])).sum();
    let explained = number(&verdict["baseLogOdds"]) + sum + number(&verdict["residualLogOdds"]);
    assert!((explained - number(&verdict["riskLogOdds"])).abs() < 1e-6);
    let described = value["reasonDescriptions"].as_array().expect("descriptions");
    for reason in reasons {
        assert!(described.iter().any(|one| one["code"] == reason["code"]), "{reason}");
    }
}

#[test]
fn drawings_show_the_worker_and_say_what_is_missing() {
    let directory = tempfile::tempdir().expect("a directory");
    let drawn = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap_or_default();
    let story = story();
    told(&["explain", WORKER, path(&story), "--plot", path(directory.path())], b"");
    for name in ["week.svg", "reactions.svg", "standing.svg"] {
        let svg = drawn(name);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains(WORKER), "{name}");
    }
    assert!(drawn("week.svg").contains("claimed"), "the claimed zone is drawn");
    assert!(drawn("reactions.svg").contains("single answers"));
    assert!(drawn("standing.svg").contains("first crossed on"));
    // Results hold medians, not single answers.
    let results = told(&["score", path(&story)], b"");
    told(&["explain", WORKER, "--plot", path(directory.path())], results.as_bytes());
    assert!(!drawn("reactions.svg").contains("single answers"));
    // A store holds the hours, and of each day how it ended; what it does not know of a zone is asked for.
    let state = directory.path().join("state");
    told(&["score", path(&story), "--data-dir", path(&state)], b"");
    let plots = directory.path().join("plots");
    let output =
        run(&["explain", WORKER, "--data-dir", path(&state), "--plot", path(&plots), "--zone", "America/Chicago"], b"");
    let said = String::from_utf8_lossy(&output.stderr).to_string();
    assert_eq!(said.matches("drew ").count(), 3, "{said}");
    let of_store = |name: &str| std::fs::read_to_string(plots.join(name)).expect("a drawing");
    assert!(of_store("week.svg").contains("America/Chicago"));
    assert!(of_store("reactions.svg").contains("days with prompts") && !of_store("reactions.svg").contains("single"));
    let course = of_store("standing.svg");
    assert!(course.contains("days, each at its end") && course.contains("most is added by"), "{course}");
    assert!(course.contains("was crossed on the first day kept") || course.contains("was first crossed on 2026"));
    let bad = run(&["explain", WORKER, path(&story), "--plot", path(&plots), "--zone", "Mars/Olympus"], b"");
    assert!(!bad.status.success() && String::from_utf8_lossy(&bad.stderr).contains("Mars/Olympus"));
}

#[test]
fn what_is_not_known_is_said_with_what_is() {
    let output = run(&["explain", "nobody", path(&story())], b"");
    let said = String::from_utf8_lossy(&output.stderr).to_string();
    assert!(!output.status.success() && said.contains("try worker-"), "{said}");
    let refused = br#"{"event":{"eventId":"bad-1","workerId":"a b"}}"#;
    let output = run(&["explain", "bad-1"], refused);
    let said = String::from_utf8_lossy(&output.stderr).to_string();
    assert!(!output.status.success() && said.contains("it was refused") && said.contains("event.worker_id"), "{said}");
    let output = run(&["explain", "x"], b"no json\n\xff\n{}\n{\"eventId\":\"e\"}\n");
    let said = String::from_utf8_lossy(&output.stderr).to_string();
    assert!(!output.status.success() && said.contains("4 lines tell nothing"), "{said}");
    for arguments in [["explain", "x", "--data-dir", "/nowhere"], ["explain", "x", "--address", "127.0.0.1:1"]] {
        let output = run(&arguments, b"");
        assert!(!output.status.success() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_tells_its_verdicts_and_standings() {
    let service = start().await;
    for turn in 0..3 {
        let event = login(&format!("e{turn}"), "w1", MONDAY + i64::from(turn) * 86_400, turn);
        service.risk().assess_session(request(event)).await.expect("a verdict");
    }
    let address = service.address.clone();
    let ask = move |name: &'static str| {
        let address = address.clone();
        tokio::task::spawn_blocking(move || run(&["explain", name, "--address", &address], b""))
    };
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).to_string();
    let event = text(&ask("e1").await.expect("an end"));
    assert!(event.contains("Session event e1 of worker w1") && event.contains("as of now"), "{event}");
    let worker = text(&ask("w1").await.expect("an end"));
    assert!(worker.starts_with("Worker w1, as of now: never flagged. 3 sessions"), "{worker}");
    let unknown = ask("w9").await.expect("an end");
    assert!(!unknown.status.success() && String::from_utf8_lossy(&unknown.stderr).contains("w9"));
}
