//! What the tests share: a service on loopback, and events that people might have sent.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod live;
pub mod services;

use elsewhere::api::server::{Ended, Service};
use elsewhere::api::wire;
use elsewhere::api::wire::session_risk_service_client::SessionRiskServiceClient;
use elsewhere::config::{ConfigUnchecked, TenantUnchecked};
use elsewhere::history::{Clock, Config as Retention, DurableStore, MemoryStore};
use elsewhere::model::Model;
use elsewhere::pipeline::{Models, Pipeline, SharedStore};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

/// A running service; dropped or stopped, it drains.
pub struct Running {
    pub channel: Channel,
    pub address: String,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<Result<Ended, String>>,
}

impl Running {
    pub fn risk(&self) -> SessionRiskServiceClient<Channel> {
        SessionRiskServiceClient::new(self.channel.clone())
    }

    /// Tells the service to stop, as SIGTERM does.
    pub fn tell_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    pub async fn ended(mut self) -> Ended {
        self.tell_to_stop();
        let Self { channel, ended, .. } = self;
        drop(channel);
        ended.await.expect("the server task").expect("an orderly end")
    }
}

fn retention() -> Retention {
    let day = 86_400_000_000;
    Retention::check(Clock::Service, 30 * day, 400 * day).expect("a sound retention")
}

pub fn pipeline(store: SharedStore) -> Pipeline {
    let model = Model::shipped().expect("the shipped model");
    Pipeline::new(store, Models::new(vec![model], None).expect("one model"))
}

pub async fn start_with(config: ConfigUnchecked, directory: Option<&Path>) -> Running {
    let store: SharedStore = match directory {
        Some(directory) => Arc::new(DurableStore::open(directory, retention()).expect("a store")),
        None => Arc::new(MemoryStore::new(retention())),
    };
    let config = ConfigUnchecked { listen: "127.0.0.1:0".into(), ..config }.check().expect("a sound configuration");
    let service = Service::bind(config, pipeline(store)).await.expect("a free port");
    let address = service.address().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(service.run(async {
        let _ = stopped.await;
    }));
    let address = format!("http://{address}");
    let channel = Channel::from_shared(address.clone()).expect("an address").connect().await;
    Running { channel: channel.expect("a connection"), address, stop: Some(stop), ended }
}

pub async fn start() -> Running {
    start_with(ConfigUnchecked::default(), None).await
}

/// Monday 2026-03-02 15:00 UTC: morning in the United States.
pub const MONDAY: i64 = 1_772_463_600;

pub fn time(seconds: i64) -> Option<wire::Timestamp> {
    Some(wire::Timestamp { seconds, nanos: 0 })
}

/// A login of a home worker in Phoenix, with an eleven-press phrase typed a little differently each `turn`.
pub fn login(event_id: &str, worker_id: &str, seconds: i64, turn: u32) -> wire::SessionEvent {
    let vary = |base: u32, index: u32| base + (turn * 7_919 + index * 104_729) % 9_000;
    let place = wire::Place { latitude_degrees: 33.45, longitude_degrees: -112.07, radius_km: 50 };
    wire::SessionEvent {
        event_id: event_id.into(),
        worker_id: worker_id.into(),
        event_time: time(seconds),
        activity: wire::SessionActivity::Logon as i32,
        claim: Some(wire::Claim {
            region_code: "US".into(),
            subdivision_code: "US-AZ".into(),
            time_zone: "America/Phoenix".into(),
            place: Some(place),
            ..Default::default()
        }),
        timezone: Some(wire::TimezoneSample {
            time_zone: "America/Phoenix".into(),
            utc_offset_minutes: Some(-420),
            ..Default::default()
        }),
        typing: Some(wire::TypingSample {
            context: wire::TypingContext::FixedPhrase as i32,
            phrase_id: "login".into(),
            press_interval_micros: (0..11).map(|i| if i == 0 { 0 } else { vary(120_000 + i * 9_000, i) }).collect(),
            dwell_micros: (0..11).map(|i| vary(80_000 + (i % 4) * 6_000, i + 40)).collect(),
            key_classes: vec![1; 11],
            timer_resolution_micros: 1_000,
            ..Default::default()
        }),
        network: Some(wire::NetworkSample {
            ip_address: "198.51.100.7".into(),
            region_code: "US".into(),
            autonomous_system_number: 64_501,
            connection_type: wire::ConnectionType::Residential as i32,
            tcp_rtt_micros: vec![24_000, 25_500, 23_800],
            application_rtt_micros: vec![27_000, 26_100, 29_000],
            vantage: Some(wire::Place { latitude_degrees: 34.05, longitude_degrees: -118.24, radius_km: 20 }),
            address_place: Some(place),
            user_agent: "Chrome 156".into(),
            operating_system: "Windows".into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub fn request(event: wire::SessionEvent) -> wire::AssessSessionRequest {
    wire::AssessSessionRequest { event: Some(event), ..Default::default() }
}

/// Reason of a refusal.
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().expect("an ErrorInfo");
    assert_eq!(info.domain, "elsewhere");
    info.reason.clone()
}

/// Fields that a refusal names.
pub fn fields(status: &Status) -> BTreeSet<String> {
    let details = status.get_error_details();
    let bad = details.bad_request().expect("a BadRequest");
    bad.field_violations.iter().map(|violation| violation.field.clone()).collect()
}

/// A tenant that may send neither tables nor secrets.
pub fn tenant(id: &str, token: &str) -> TenantUnchecked {
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    TenantUnchecked {
        id: id.into(),
        token_sha256: elsewhere::model::artefact::hex(&hash),
        cadence_tables: false,
        secret_typing: false,
    }
}

/// A request with a bearer token.
pub fn signed<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    request
}

/// What `elsewhere score` answers to lines of requests, line by line.
pub fn score(requests: &str) -> Vec<wire::AssessmentResult> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_elsewhere"))
        .arg("score")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    child.stdin.take().expect("a pipe").write_all(requests.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "every line was answered, so the run succeeds");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("a result")).collect()
}
