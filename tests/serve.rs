//! The program itself, started and stopped as an operator does it.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![expect(clippy::disallowed_methods, reason = "waits for a program, so it reads the clock")]

mod common;
#[path = "common/program.rs"]
mod program;

use common::{MONDAY, login, request};
use elsewhere::api::wire;
use program::{PATIENCE, Program, serving};
use std::path::Path;
use std::time::Instant;

fn start(data_dir: &Path) -> Program {
    Program::start(serving().arg("--data-dir").arg(data_dir))
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_drains_and_what_was_answered_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut program = start(directory.path());
    let mut client = program.risk().await;
    let reply = client.assess_session(request(login("e1", "w1", MONDAY, 1))).await.expect("a verdict");
    let verdict = reply.into_inner().verdict.expect("a verdict");

    // A stream that its caller leaves open: SIGTERM ends it after what it scored was answered.
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let second =
        wire::StreamAssessSessionsRequest { event: Some(login("e2", "w1", MONDAY + 60, 2)), profile_update: 0 };
    sender.send(second).await.expect("room");
    let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut results = client.stream_assess_sessions(requests).await.expect("a stream").into_inner();
    assert!(results.message().await.expect("a result").is_some());
    program.signal("TERM");
    assert!(results.message().await.expect("an orderly end").is_none());
    drop((results, client, sender));
    assert_eq!(program.ended().code(), Some(0));
    let line = program.logged("stopped");
    assert!(line.contains("verdicts=2") && line.contains("refusals=0"), "{line}");

    let mut program = start(directory.path());
    let mut client = program.risk().await;
    let kept = client.get_verdict(wire::GetVerdictRequest { event_id: "e1".into() }).await.expect("a verdict");
    assert_eq!(kept.into_inner().verdict, Some(verdict));
    let streamed = client.get_verdict(wire::GetVerdictRequest { event_id: "e2".into() }).await.expect("a verdict");
    assert!(streamed.into_inner().verdict.is_some());
    drop(client);
    program.signal("TERM");
    assert_eq!(program.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_any_more_stops_no_login() {
    let mut program = Program::start_unread(serving().env("ELSEWHERE_LOG", "trace"));
    let mut client = program.risk().await;
    for turn in 0..20 {
        let event = login(&format!("e{turn}"), "w1", MONDAY + i64::from(turn), turn);
        client.assess_session(request(event)).await.expect("a verdict");
    }
    drop(client);
    program.signal("TERM");
    assert_eq!(program.ended().code(), Some(0));
}

/// A number of the last line of the log.
fn count(line: &str, name: &str) -> u64 {
    let rest = line.split_once(&format!("{name}=")).expect("a count").1;
    rest.split(' ').next().and_then(|digits| digits.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_the_middle_of_batches_loses_no_answer_and_every_session_is_counted() {
    const BATCHES: usize = 12;
    let directory = tempfile::tempdir().expect("a directory");
    let mut program = start(directory.path());
    let client = program.risk().await;
    let calls: Vec<_> = (0..BATCHES)
        .map(|batch| {
            let mut client = client.clone();
            let events = (0..400).map(|index| login(&format!("e{batch}-{index}"), &format!("w{index}"), MONDAY, 1));
            let ask = wire::BatchAssessSessionsRequest { events: events.collect(), ..Default::default() };
            tokio::spawn(async move { client.batch_assess_sessions(ask).await })
        })
        .collect();
    // As soon as one is on disk the others are at work.
    let mut asking = client.clone();
    let until = Instant::now() + PATIENCE;
    while asking.get_verdict(wire::GetVerdictRequest { event_id: "e0-0".into() }).await.is_err() {
        assert!(Instant::now() < until, "no batch is begun");
    }
    program.signal("TERM");
    let (mut answered, mut unheard) = (Vec::new(), 0);
    for (batch, call) in calls.into_iter().enumerate() {
        match call.await.expect("a call") {
            Ok(results) => answered.push((batch, results.into_inner().results)),
            Err(_) => unheard += 400,
        }
    }
    drop((client, asking));
    assert_eq!(program.ended().code(), Some(0));
    let line = program.logged("stopped");
    let [received, verdicts, refusals, drops] =
        ["received", "verdicts", "refusals", "drops"].map(|name| count(&line, name));
    assert_eq!(received, verdicts + refusals + drops, "{line}");
    assert_eq!(refusals, 0, "{line}");
    let heard: u64 = answered.iter().map(|(_, results)| results.len() as u64).sum();
    assert!(verdicts >= heard && received <= heard + unheard, "{heard} heard, {unheard} not: {line}");

    let mut program = start(directory.path());
    let mut client = program.risk().await;
    for (batch, results) in answered {
        for index in [0, 199, 399] {
            let ask = wire::GetVerdictRequest { event_id: format!("e{batch}-{index}") };
            let kept = client.get_verdict(ask).await.expect("a verdict").into_inner().verdict;
            let given = match &results[index].outcome {
                Some(wire::assessment_result::Outcome::Verdict(verdict)) => Some(verdict.clone()),
                other => panic!("no verdict: {other:?}"),
            };
            assert_eq!(kept, given);
        }
    }
    drop(client);
    program.signal("TERM");
    assert_eq!(program.ended().code(), Some(0));
}
