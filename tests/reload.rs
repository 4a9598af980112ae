//! Models read anew while logins go on, a second model in shadow, and the page of metrics.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![expect(clippy::disallowed_methods, reason = "waits for a program, so it reads the clock")]

mod common;
#[path = "common/program.rs"]
mod program;

use common::{MONDAY, login, request};
use elsewhere::api::wire;
use elsewhere::model::artefact::hex;
use program::{PATIENCE, Program, address_in, serving};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Writes the shipped model under another name, with every score moved by `shift` nats. Returns its hash.
fn publish(directory: &Path, model_id: &str, shift: f64) -> Vec<u8> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/session-risk-1/model.json");
    let mut model: Value = serde_json::from_slice(&std::fs::read(shipped).expect("the shipped model")).expect("JSON");
    model["model_id"] = model_id.into();
    let base = model["additive"]["base_log_odds"].as_f64().expect("a base");
    let intercept = model["calibration"]["intercept"].as_f64().expect("an intercept");
    model["additive"]["base_log_odds"] = (base + shift).into();
    model["calibration"]["intercept"] = intercept.into();
    let files = [("model.json", serde_json::to_vec(&model).expect("JSON")), ("card.md", b"# Another\n".to_vec())];
    let files = files.into_iter().chain([("evaluation.json", b"{}".to_vec())]);
    std::fs::create_dir_all(directory).expect("a directory");
    let mut sums = String::new();
    let mut sha256 = Vec::new();
    for (name, bytes) in files {
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        sums.push_str(&format!("{}  {name}\n", hex(&hash)));
        if name == "model.json" {
            sha256 = hash.to_vec();
        }
        std::fs::write(directory.join(name), bytes).expect("written");
    }
    std::fs::write(directory.join("SHA256SUMS"), sums).expect("written");
    sha256
}

/// A service with its page of metrics.
struct Metered {
    program: Program,
    metrics: String,
}

impl Metered {
    fn start(model: &Path, shadow: Option<&Path>) -> Self {
        let mut command = serving();
        command.arg("--model").arg(model).env("ELSEWHERE_METRICS_LISTEN", "127.0.0.1:0");
        if let Some(shadow) = shadow {
            command.env("ELSEWHERE_SHADOW_MODEL", shadow);
        }
        let mut program = Program::begin(&mut command);
        let metrics = address_in(&program.logged(" metrics address="));
        program.address = address_in(&program.logged(" serving address="));
        Self { program, metrics }
    }

    fn page(&self) -> String {
        let mut stream = TcpStream::connect(&self.metrics).expect("the page of metrics");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("asked");
        let mut page = String::new();
        stream.read_to_string(&mut page).expect("answered");
        assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("application/openmetrics-text"), "{page}");
        page
    }

    /// The page as soon as it has such a line.
    fn page_with(&self, line: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let page = self.page();
            if page.lines().any(|told| told == line) {
                return page;
            }
            assert!(Instant::now() < until, "no line `{line}` in:\n{page}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_read_anew_without_dropping_a_call() {
    let directory = tempfile::tempdir().expect("a directory");
    let model = directory.path().join("model");
    let mut given = vec![publish(&model, "night", 0.0)];
    let service = Metered::start(&model, None);
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for caller in 0..4 {
        let over = Arc::clone(&over);
        let mut client = service.program.risk().await;
        callers.push(tokio::spawn(async move {
            let (mut seen, mut turn) = (BTreeSet::new(), 0);
            while !over.load(Ordering::SeqCst) {
                turn += 1;
                let worker = format!("w{caller}");
                let event = login(&format!("e{caller}-{turn}"), &worker, MONDAY + i64::from(turn) * 60, turn);
                let reply = client.assess_session(request(event)).await.expect("every login is answered");
                let verdict = reply.into_inner().verdict.expect("a verdict");
                seen.insert(verdict.model.expect("a model").model_sha256);
            }
            (seen, turn)
        }));
    }
    for (number, shift) in [0.5, 1.0, 1.5].into_iter().enumerate() {
        tokio::time::sleep(Duration::from_millis(200)).await;
        given.push(publish(&model, "day", shift));
        service.program.signal("HUP");
        service.program.logged(&format!("sha256={}", hex(&given[number + 1])));
    }
    // A model that is not sound changes nothing.
    std::fs::write(model.join("model.json"), b"{}").expect("written");
    service.program.signal("HUP");
    let line = service.program.logged("models not reloaded");
    assert!(line.contains("model.json") && line.contains("SHA256SUMS"), "{line}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    over.store(true, Ordering::SeqCst);
    let (mut seen, mut turns) = (BTreeSet::new(), 0);
    for caller in callers {
        let (hashes, count) = caller.await.expect("a caller that saw no refusal");
        seen.extend(hashes);
        turns += count;
    }
    assert_eq!(seen, given.iter().cloned().collect(), "every model answered some of {turns} logins");
    let page = service.page_with("elsewhere_model_reloads_total{outcome=\"failure\"} 1");
    assert!(page.contains("elsewhere_model_reloads_total{outcome=\"success\"} 3"), "{page}");
    assert!(page.contains(&format!("elsewhere_sessions_total{{outcome=\"verdict\"}} {turns}")), "{page}");
    assert!(page.contains("elsewhere_sessions_total{outcome=\"drop\"} 0"), "{page}");
    assert!(page.contains(&format!("elsewhere_login_seconds_count {turns}")), "{page}");
    assert!(page.contains("elsewhere_model_loaded{model=\"day\"") && !page.contains("\"night\""), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_in_shadow_is_counted_and_answers_nobody() {
    let directory = tempfile::tempdir().expect("a directory");
    let (model, shadow) = (directory.path().join("model"), directory.path().join("shadow"));
    let answering = publish(&model, "today", 0.0);
    // Every session looks far worse to it.
    publish(&shadow, "tomorrow", 12.0);
    let service = Metered::start(&model, Some(&shadow));
    let alone = Metered::start(&model, None);
    let mut verdicts = Vec::new();
    for one in [&service, &alone] {
        let mut client = one.program.risk().await;
        let mut given = Vec::new();
        for turn in 1..=5 {
            let event = login(&format!("e{turn}"), "w1", MONDAY + i64::from(turn) * 3_600, turn);
            let reply = client.assess_session(request(event.clone())).await.expect("a verdict").into_inner();
            let mut verdict = reply.verdict.expect("a verdict");
            assert_eq!(verdict.model.as_ref().expect("a model").model_sha256, answering);
            // Asked again, it is the same answer, and no second session.
            let again = client.assess_session(request(event)).await.expect("a verdict").into_inner();
            assert!(again.verdict.expect("a verdict").replayed);
            verdict.assess_time = None;
            given.push(verdict);
        }
        verdicts.push(given);
    }
    assert_eq!(verdicts[0], verdicts[1], "a model in shadow moves no verdict");
    let level = |verdict: &wire::Verdict| verdict.risk_level;
    assert!(verdicts[0].iter().all(|verdict| level(verdict) == wire::RiskLevel::Low as i32));
    let counted = "elsewhere_shadow_verdicts_total{model=\"tomorrow\",level=\"low\",shadow_level=\"high\"} 5";
    let page = service.page_with(counted);
    assert!(page.contains("elsewhere_shadow_log_odds_difference_count{model=\"tomorrow\"} 5"), "{page}");
    assert!(page.contains("elsewhere_verdicts_total{level=\"low\",advice=\"continue\"} 5"), "{page}");
    assert!(page.contains("role=\"shadow\""), "{page}");
    // Nothing on the page names anybody.
    for named in ["w1", "e1", "e5"] {
        assert!(!page.contains(&format!("\"{named}\"")), "{named} is on the page:\n{page}");
    }
}

#[test]
fn a_shadow_that_nobody_would_hear_of_is_refused() {
    let refused = Command::new(env!("CARGO_BIN_EXE_elsewhere"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("ELSEWHERE_SHADOW_MODEL", "models/session-risk-1")
        .output()
        .expect("the program");
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(told.contains("`shadow_model`") && told.contains("metrics_listen"), "{told}");
}
