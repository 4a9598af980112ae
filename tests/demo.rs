//! The demo from end to end: a real service, a real client, the whole example, and lines that work as printed.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use elsewhere::api::wire;
use elsewhere::api::wire::model_service_client::ModelServiceClient;
use elsewhere::api::wire::session_risk_service_client::SessionRiskServiceClient;
use elsewhere::api::wire::standing_service_client::StandingServiceClient;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};
use tonic::transport::Channel;

fn demo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elsewhere"));
    command.arg("demo").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("the program")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).to_string()
}

/// The workers of the truth file by whether they are as they claim.
fn truth() -> (BTreeSet<String>, BTreeSet<String>) {
    let path = format!("{}/examples/company.truth.tsv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the truth");
    let rows = text.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    let (hostile, benign): (Vec<_>, Vec<_>) = rows.partition(|row| row[3] == "hostile");
    let workers = |rows: Vec<Vec<&str>>| rows.into_iter().map(|row| row[0].to_string()).collect();
    (workers(hostile), workers(benign))
}

#[test]
fn the_demo_flags_the_farm_and_the_proxied_operator_and_nobody_else() {
    let output = demo(&["--seconds", "0"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (hostile, benign) = truth();
    assert_eq!(hostile.len(), 4, "the farm of three and the proxied operator");
    // While it plays, in the table at the end, and beside the truth.
    for begins in ["FLAGGED  ", "  FLAGGED  "] {
        let named = said.lines().filter_map(|line| line.strip_prefix(begins)?.split_whitespace().next());
        assert_eq!(named.map(String::from).collect::<BTreeSet<_>>(), hostile, "{begins:?} in\n{said}");
    }
    let live = said.lines().filter_map(|line| line.split_once(" UTC  FLAGGED ")?.1.split_whitespace().next());
    let live: Vec<String> = live.map(String::from).collect();
    assert_eq!((live.len(), live.into_iter().collect()), (4, hostile), "each once, as it happens");
    assert!(!said.contains("WRONGLY") && !said.contains("MISSED"), "{said}");
    assert!(said.contains("laptop farm") && said.contains("proxied operator") && said.contains("traveller (1)"));
    assert!(said.contains("from examples/company.truth.tsv, not from the model"), "the truth is not passed off");
    assert!(benign.iter().all(|worker| said.contains(worker)), "everybody is in the table");
    // One verdict, line by line.
    for words in ["Before any evidence", "Measured:", "Innocent if:", "Refuted by:", "In all; calibrated"] {
        assert!(said.contains(words), "{words}");
    }
    assert!(said.contains("demo --keep-serving") && said.contains("buf curl"));
}

/// A printed call: the JSON, and the method's path.
fn calls(said: &str) -> Vec<(String, String)> {
    let mut calls = Vec::new();
    let mut lines = said.lines();
    while let Some(line) = lines.next() {
        let Some(data) = line.split("--data '").nth(1) else { continue };
        let data = data.split('\'').next().expect("a quote").to_string();
        calls.push((data, lines.next().expect("an address").trim().to_string()));
    }
    calls
}

#[tokio::test]
async fn the_lines_it_prints_work_as_printed() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_elsewhere"))
        .args(["demo", "--seconds", "0", "--keep-serving", "--listen", "127.0.0.1:0"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut said = String::new();
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
        said.push_str(&line.expect("text"));
        said.push('\n');
        if said.contains("serve --data-dir state") {
            break;
        }
    }
    let calls = calls(&said);
    assert_eq!(calls.len(), 3, "{said}");
    for (data, url) in calls {
        let (address, method) = url.split_once("/elsewhere.v1.").expect("a method");
        let channel = Channel::from_shared(address.to_string()).expect("an address").connect().await.expect("reached");
        match method {
            "StandingService/GetStanding" => {
                let request: wire::GetStandingRequest = serde_json::from_str(&data).expect("JSON");
                let reply = StandingServiceClient::new(channel).get_standing(request).await.expect("a standing");
                // Its clock stands where the example ends, so nothing has faded.
                assert!(reply.into_inner().standing.expect("a standing").flagged);
            }
            "SessionRiskService/GetVerdict" => {
                let request: wire::GetVerdictRequest = serde_json::from_str(&data).expect("JSON");
                let reply = SessionRiskServiceClient::new(channel).get_verdict(request).await.expect("a verdict");
                assert_eq!(reply.into_inner().verdict.expect("a verdict").risk_level(), wire::RiskLevel::High);
            }
            "ModelService/ListReasonDescriptions" => {
                let request: wire::ListReasonDescriptionsRequest = serde_json::from_str(&data).expect("JSON");
                let reply = ModelServiceClient::new(channel).list_reason_descriptions(request).await.expect("reasons");
                assert!(!reply.into_inner().reason_descriptions.is_empty());
            }
            other => panic!("a line for {other}"),
        }
    }
    let told = Command::new("kill").arg(child.id().to_string()).status().expect("kill");
    assert!(told.success() && child.wait().expect("an end").success(), "SIGTERM ends it in order");
}

#[test]
fn a_store_in_use_and_a_bad_file_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("something"), "x").expect("written");
    let used = demo(&["--data-dir", directory.path().to_str().expect("a path")]);
    assert!(!used.status.success() && text(&used.stderr).contains("is not empty"));
    let bad = directory.path().join("something");
    let output = demo(&[bad.to_str().expect("a path")]);
    assert!(!output.status.success() && text(&output.stderr).contains("line 1 is no request"));
    let open = demo(&["--listen", "0.0.0.0:0"]);
    assert!(!open.status.success() && text(&open.stderr).contains("loopback"));
}
