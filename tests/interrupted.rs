//! The program cut off: killed in mid-run, out of disk, its reader gone. What was printed is kept, and the rest goes on
//! as if nothing had happened.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use elsewhere::api::wire;
use elsewhere::api::wire::assessment_result::Outcome;
use flate2::read::GzDecoder;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_elsewhere");

/// Requests of the example company: 22 workers over four weeks, so hundreds of lines are many days.
fn lines() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/company.ndjson.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).expect("the example")).read_to_string(&mut text).expect("text");
    text.lines().map(|line| format!("{line}\n")).collect()
}

fn verdict(line: &str) -> wire::Verdict {
    let result: wire::AssessmentResult = serde_json::from_str(line).expect("a result");
    match result.outcome {
        Some(Outcome::Verdict(verdict)) => verdict,
        other => panic!("no verdict: {other:?}"),
    }
}

/// `elsewhere score --data-dir` fed by hand.
struct Run {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Run {
    /// Under a shell that lets writes beyond a limit fail, as on a full disk, where they would end the program.
    fn start(directory: &Path) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" score --data-dir \"$1\"", PROGRAM])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { input: child.stdin.take(), output, child }
    }

    /// Feeds lines without waiting for answers, on a thread of its own since pipes fill up.
    fn feed(&mut self, lines: &[String]) -> std::thread::JoinHandle<()> {
        let mut input = self.input.take().expect("an open input");
        let text = lines.concat();
        std::thread::spawn(move || drop(input.write_all(text.as_bytes())))
    }

    fn next(&mut self) -> Option<wire::Verdict> {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("output");
        // What a kill cut in the middle was not printed.
        line.ends_with('\n').then(|| verdict(&line))
    }
}

fn score(lines: &[String], directory: &Path) -> Vec<wire::Verdict> {
    let mut run = Run::start(directory);
    let feeding = run.feed(lines);
    let verdicts: Vec<wire::Verdict> = std::iter::from_fn(|| run.next()).collect();
    feeding.join().expect("fed");
    assert!(run.child.wait().expect("an end").success());
    assert_eq!(verdicts.len(), lines.len());
    verdicts
}

/// Verdicts as they were given first.
fn first(mut verdicts: Vec<wire::Verdict>) -> Vec<wire::Verdict> {
    verdicts.iter_mut().for_each(|verdict| verdict.replayed = false);
    verdicts
}

#[test]
fn after_kill_9_what_was_printed_is_kept_and_the_rest_equals_an_unbroken_run() {
    let all = lines();
    let directories = tempfile::tempdir().expect("a directory");
    let unbroken = score(&all, &directories.path().join("unbroken"));
    let directory = directories.path().join("killed");
    let mut printed: Vec<wire::Verdict> = Vec::new();
    for kill_at in [150, 420] {
        let mut run = Run::start(&directory);
        let rest = &all[printed.len()..];
        let feeding = run.feed(rest);
        while printed.len() < kill_at {
            printed.push(run.next().expect("a verdict"));
        }
        run.child.kill().expect("killed");
        printed.extend(std::iter::from_fn(|| run.next()));
        run.child.wait().expect("an end");
        feeding.join().expect("fed");
    }
    assert!(printed.len() < all.len(), "killed too late to tell");
    let rest = score(&all[printed.len()..], &directory);
    // Scored before the kill, and not printed: answered as it was then, and taught once.
    assert!(rest[0].replayed || !rest.iter().any(|verdict| verdict.replayed));
    let whole = first([printed, rest].concat());
    for (whole, unbroken) in whole.iter().zip(&unbroken) {
        assert_eq!(whole, unbroken);
    }
    // From the beginning again: everything printed before is answered again.
    let again = score(&all, &directory);
    assert!(again.iter().all(|verdict| verdict.replayed));
    assert_eq!(first(again), unbroken);
}

/// From now on `run` can write no file beyond `bytes`.
#[cfg(target_os = "linux")]
fn fill_disk(run: &Run, bytes: u64) {
    let (process, limit) = (run.child.id().to_string(), format!("--fsize={bytes}"));
    let limited = Command::new("prlimit").args(["--pid", &process, &limit]).status().expect("prlimit of util-linux");
    assert!(limited.success());
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_stops_the_run_and_a_freed_one_goes_on_as_unbroken() {
    let all = &lines()[..400];
    let directories = tempfile::tempdir().expect("a directory");
    let unbroken = score(all, &directories.path().join("unbroken"));
    let directory = directories.path().join("full");
    let mut run = Run::start(&directory);
    let mut input = run.input.take().expect("an open input");
    let mut printed: Vec<wire::Verdict> = Vec::new();
    for line in &all[..60] {
        input.write_all(line.as_bytes()).expect("fed");
        printed.push(run.next().expect("a verdict"));
    }
    fill_disk(&run, 1);
    let text = all[60..].concat();
    let feeding = std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
    printed.extend(std::iter::from_fn(|| run.next()));
    feeding.join().expect("fed");
    assert!(!run.child.wait().expect("an end").success());
    let mut told = String::new();
    run.child.stderr.take().expect("a pipe").read_to_string(&mut told).expect("text");
    assert!(told.contains("cannot be written") && told.contains("restart"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!((60..400).contains(&printed.len()), "{}", printed.len());
    let rest = score(&all[printed.len()..], &directory);
    assert_eq!(first([printed, rest].concat()), unbroken);
}

fn shell(script: &str, directory: &Path) -> Output {
    let output = Command::new("sh").args(["-c", script, PROGRAM]).arg(directory).output();
    output.expect("a shell")
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault_worth_a_word() {
    let directory = tempfile::tempdir().expect("a directory");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/company.ndjson.gz");
    // The status of the program, not of `head`; both outputs closed, then one.
    for (run, closed) in
        [("score", "2>&1"), ("score", ""), ("score --summary", ""), ("explain bf548f6c84178915", "2>&1")]
    {
        let script = format!("( \"$0\" {run} {example} {closed}; echo $? > \"$1/status\" ) | head -c 1 > /dev/null");
        let output = shell(&script, directory.path());
        let status = std::fs::read_to_string(directory.path().join("status")).expect("a status");
        assert!(["0", "1"].contains(&status.trim()), "{run}: {status}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{run}");
    }
}

#[test]
fn a_store_cut_off_while_it_was_made_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    // What a kill leaves before the database has named its version.
    std::fs::create_dir(directory.path().join("keyspaces")).expect("a directory");
    std::fs::write(directory.path().join("0.jnl"), "").expect("written");
    let output = shell("\"$0\" score --data-dir \"$1\" < /dev/null", directory.path());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("cut off") && told.contains("empty it"), "{told}");
}
