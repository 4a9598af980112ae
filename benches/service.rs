//! The service beside a bare tonic echo of the same messages: same run, same client, one runtime, loopback only.
//!
//! `cargo bench --bench service` prints, for unary calls (4 connections x 64 in flight), streams (4 x 64) and batches
//! of 100 (4 x 2), logins/s and p50, p99, p99.9 of the echo and of the service over a durable and an in-memory store,
//! with the ratio to the echo. Each service run stands between two echo runs, so that drift cancels. The echo decodes
//! the same request and returns a clone of a verdict that the service gave. Every run takes `ELSEWHERE_BENCH_SECONDS`
//! (default 3), 15 runs in all, over `ELSEWHERE_BENCH_WORKERS` (default 100,000) workers with three logins before.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench that cannot go on should say where")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod world;

use elsewhere::api::assess::system_now;
use elsewhere::api::server::Service;
use elsewhere::api::wire;
use elsewhere::api::wire::session_risk_service_client::SessionRiskServiceClient;
use elsewhere::api::wire::session_risk_service_server::{SessionRiskService, SessionRiskServiceServer};
use elsewhere::config::ConfigUnchecked;
use elsewhere::event::limits;
use elsewhere::history::{Clock, Config, DurableStore, MemoryStore};
use elsewhere::pipeline::SharedStore;
use prost::Message as _;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};
use wire::assessment_result::Outcome;
use world::{Calendar, Desk, Shape, judged, nanos, only_tested, percentile, setting};

/// Logins of history per worker before the first run.
const HISTORY: u64 = 3;
const CONNECTIONS: usize = 4;
const CALLS_IN_FLIGHT: usize = 64;
const BATCHES_IN_FLIGHT: usize = 2;
const BATCH_EVENTS: usize = 100;
/// A run that has not ended this long after its time is stuck.
const GRACE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy)]
enum Mode {
    Unary,
    Stream,
    Batch,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Unary, Self::Stream, Self::Batch];

    fn title(self) -> &'static str {
        match self {
            Self::Unary => "unary, 4 connections x 64 in flight",
            Self::Stream => "stream, 4 connections x 64 in flight",
            Self::Batch => "batch of 100, 4 connections x 2 in flight",
        }
    }

    /// Floor and goal of the ratio to the echo: durable, learning.
    fn targets(self) -> (f64, f64) {
        match self {
            Self::Unary => (0.75, 0.85),
            Self::Stream | Self::Batch => (0.35, 0.5),
        }
    }
}

fn main() {
    let seconds = setting("ELSEWHERE_BENCH_SECONDS", if only_tested() { 0 } else { 3 });
    let workers = setting("ELSEWHERE_BENCH_WORKERS", if only_tested() { 1_000 } else { 100_000 });
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory under target");
    // Seeded logins are dated and answered months ago, so that their replies are past a day's retention.
    let day = limits::REPLY_RETENTION_MICROS;
    let retention = Config::check(Clock::Service, day, 400 * day).expect("a sound retention");
    let durable = DurableStore::open(directory.path(), retention).expect("a store");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let stores: [(&'static str, SharedStore); 2] =
        [("durable", Arc::new(durable)), ("memory", Arc::new(MemoryStore::new(retention)))];
    let mut services = Vec::new();
    for (name, store) in stores {
        let started = Instant::now();
        let calendar = Arc::new(Calendar::until(system_now(), workers, Shape::Full));
        let desk = Desk::over(store);
        desk.seed(&calendar, HISTORY);
        println!(
            "{name}: {workers} workers seeded in {:.1} s; {}",
            started.elapsed().as_secs_f64(),
            desk.shown(workers)
        );
        services.push(runtime.block_on(Target::service(name, desk, calendar)));
    }
    runtime.block_on(compare(&services, workers, Duration::from_secs(seconds)));
}

/// Runs every mode, echo and services in turn, and prints them.
async fn compare(services: &[Target], workers: u64, span: Duration) {
    let verdict = services[0].first_verdict().await;
    let calendar = Arc::new(Calendar::until(system_now(), workers, Shape::Full));
    let sizes = (calendar.next().encoded_len(), verdict.encoded_len());
    let echo = Target::echo(verdict, calendar).await;
    println!("an event of {} bytes, a verdict of {}; each run {} s", sizes.0, sizes.1, span.as_secs());
    for mode in Mode::ALL {
        println!("{}", mode.title());
        let mut before = echo.run(mode, span).await;
        println!("{}", before.line("echo"));
        for service in services {
            let run = service.run(mode, span).await;
            let after = echo.run(mode, span).await;
            let ratio = run.rate() / ((before.rate() + after.rate()) / 2.0);
            let (floor, goal) = mode.targets();
            println!(
                "{}  ratio {ratio:.2} {} ({floor}, {goal})",
                run.line(service.name),
                judged(ratio, floor, goal, true)
            );
            println!("{}", after.line("echo"));
            before = after;
        }
    }
}

/// A server and the connections to it.
struct Target {
    name: &'static str,
    channels: Vec<Channel>,
    calendar: Arc<Calendar>,
}

impl Target {
    async fn service(name: &'static str, desk: Desk, calendar: Arc<Calendar>) -> Self {
        let config = ConfigUnchecked { listen: "127.0.0.1:0".into(), ..Default::default() };
        let config = config.check().expect("a sound configuration");
        let service = Service::bind(config, desk.pipeline).await.expect("a free port");
        let address = service.address().expect("an address");
        tokio::spawn(service.run(std::future::pending()));
        Self::at(name, address, calendar).await
    }

    async fn echo(verdict: wire::Verdict, calendar: Arc<Calendar>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let echo = SessionRiskServiceServer::new(Echo { verdict }).max_decoding_message_size(limits::MESSAGE_BYTES_MAX);
        let server = Server::builder().add_service(echo);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self::at("echo", address, calendar).await
    }

    async fn at(name: &'static str, address: SocketAddr, calendar: Arc<Calendar>) -> Self {
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            let endpoint = Channel::from_shared(format!("http://{address}")).expect("an address");
            channels.push(endpoint.connect().await.expect("a connection"));
        }
        Self { name, channels, calendar }
    }

    async fn first_verdict(&self) -> wire::Verdict {
        let request = wire::AssessSessionRequest { event: Some(self.calendar.next()), ..Default::default() };
        let response = client(&self.channels[0]).assess_session(request).await.expect("an answer").into_inner();
        response.verdict.expect("a verdict")
    }

    async fn run(&self, mode: Mode, span: Duration) -> Run {
        let started = Instant::now();
        let until = started + span;
        let mut tasks = tokio::task::JoinSet::new();
        for channel in &self.channels {
            let (client, calendar) = (client(channel), Arc::clone(&self.calendar));
            match mode {
                Mode::Unary => {
                    for _ in 0..CALLS_IN_FLIGHT {
                        tasks.spawn(call(client.clone(), Arc::clone(&calendar), until));
                    }
                }
                Mode::Stream => {
                    tasks.spawn(stream(client, calendar, until));
                }
                Mode::Batch => {
                    for _ in 0..BATCHES_IN_FLIGHT {
                        tasks.spawn(batch(client.clone(), Arc::clone(&calendar), until));
                    }
                }
            }
        }
        let ended = tokio::time::timeout(span + GRACE, tasks.join_all()).await.expect("a run that ends");
        let took = started.elapsed();
        let latencies: Vec<u64> = ended.into_iter().flatten().collect();
        let each = if matches!(mode, Mode::Batch) { BATCH_EVENTS } else { 1 };
        Run { logins: latencies.len() * each, took, latencies }
    }
}

/// What one run measured.
struct Run {
    logins: usize,
    took: Duration,
    /// Nanoseconds of each call, or of each item of a stream.
    latencies: Vec<u64>,
}

impl Run {
    fn rate(&self) -> f64 {
        self.logins as f64 / self.took.as_secs_f64()
    }

    fn line(&self, name: &str) -> String {
        let mut latencies = self.latencies.clone();
        let mut millis = |share: f64| percentile(&mut latencies, share) as f64 / 1e6;
        let (p50, p99, tail) = (millis(0.5), millis(0.99), millis(0.999));
        format!("  {name:<8} {:>8.0} logins/s  p50 {p50:>6.2}  p99 {p99:>6.2}  p99.9 {tail:>6.2} ms", self.rate())
    }
}

fn client(channel: &Channel) -> SessionRiskServiceClient<Channel> {
    SessionRiskServiceClient::new(channel.clone()).max_decoding_message_size(limits::MESSAGE_BYTES_MAX)
}

/// Calls one after another until the time is over; at least one.
async fn call(mut client: SessionRiskServiceClient<Channel>, calendar: Arc<Calendar>, until: Instant) -> Vec<u64> {
    let mut latencies = Vec::new();
    loop {
        let request = wire::AssessSessionRequest { event: Some(calendar.next()), ..Default::default() };
        let sent = Instant::now();
        let response = client.assess_session(request).await.expect("an answer").into_inner();
        latencies.push(nanos(sent.elapsed()));
        assert!(response.verdict.is_some(), "a verdict");
        if Instant::now() >= until {
            return latencies;
        }
    }
}

async fn batch(mut client: SessionRiskServiceClient<Channel>, calendar: Arc<Calendar>, until: Instant) -> Vec<u64> {
    let mut latencies = Vec::new();
    loop {
        let events = (0..BATCH_EVENTS).map(|_| calendar.next()).collect();
        let request = wire::BatchAssessSessionsRequest { events, ..Default::default() };
        let sent = Instant::now();
        let response = client.batch_assess_sessions(request).await.expect("an answer").into_inner();
        latencies.push(nanos(sent.elapsed()));
        response.results.iter().for_each(check);
        if Instant::now() >= until {
            return latencies;
        }
    }
}

/// Keeps a stream filled with a window of logins: each result makes room for the next.
async fn stream(mut client: SessionRiskServiceClient<Channel>, calendar: Arc<Calendar>, until: Instant) -> Vec<u64> {
    let next = || wire::StreamAssessSessionsRequest { event: Some(calendar.next()), ..Default::default() };
    let (sender, receiver) = mpsc::channel(CALLS_IN_FLIGHT);
    let mut sent = VecDeque::new();
    for _ in 0..CALLS_IN_FLIGHT {
        sent.push_back(Instant::now());
        sender.send(next()).await.expect("an open stream");
    }
    let response = client.stream_assess_sessions(ReceiverStream::new(receiver)).await;
    let mut results = response.expect("an answer").into_inner();
    let mut sender = Some(sender);
    let mut latencies = Vec::new();
    while let Some(response) = results.message().await.expect("a result") {
        // Results come in the order of their events.
        latencies.push(nanos(sent.pop_front().expect("an event for each result").elapsed()));
        check(&response.result.expect("a result"));
        if Instant::now() >= until {
            sender = None;
        }
        if let Some(sender) = &sender {
            sent.push_back(Instant::now());
            sender.send(next()).await.expect("an open stream");
        }
    }
    latencies
}

fn check(result: &wire::AssessmentResult) {
    assert!(matches!(result.outcome, Some(Outcome::Verdict(_))), "a verdict for {}: {result:?}", result.event_id);
}

/// Decodes requests and returns a ready verdict: what tonic alone costs.
struct Echo {
    verdict: wire::Verdict,
}

fn echoed(event: Option<wire::SessionEvent>, verdict: &wire::Verdict) -> wire::AssessmentResult {
    let event_id = event.map(|event| event.event_id).unwrap_or_default();
    wire::AssessmentResult { event_id, outcome: Some(Outcome::Verdict(verdict.clone())) }
}

type Items<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl SessionRiskService for Echo {
    async fn assess_session(
        &self,
        _: Request<wire::AssessSessionRequest>,
    ) -> Result<Response<wire::AssessSessionResponse>, Status> {
        Ok(Response::new(wire::AssessSessionResponse { verdict: Some(self.verdict.clone()) }))
    }

    async fn batch_assess_sessions(
        &self,
        request: Request<wire::BatchAssessSessionsRequest>,
    ) -> Result<Response<wire::BatchAssessSessionsResponse>, Status> {
        let events = request.into_inner().events.into_iter();
        let results = events.map(|event| echoed(Some(event), &self.verdict)).collect();
        Ok(Response::new(wire::BatchAssessSessionsResponse { results }))
    }

    type StreamAssessSessionsStream = Items<wire::StreamAssessSessionsResponse>;

    async fn stream_assess_sessions(
        &self,
        request: Request<Streaming<wire::StreamAssessSessionsRequest>>,
    ) -> Result<Response<Self::StreamAssessSessionsStream>, Status> {
        let verdict = self.verdict.clone();
        let results = request.into_inner().map(move |message| {
            let result = Some(echoed(message?.event, &verdict));
            Ok(wire::StreamAssessSessionsResponse { result })
        });
        Ok(Response::new(Box::pin(results)))
    }

    type MonitorSessionStream = Items<wire::MonitorSessionResponse>;

    async fn monitor_session(
        &self,
        _: Request<Streaming<wire::MonitorSessionRequest>>,
    ) -> Result<Response<Self::MonitorSessionStream>, Status> {
        Err(Status::unimplemented("not echoed"))
    }

    async fn get_verdict(
        &self,
        _: Request<wire::GetVerdictRequest>,
    ) -> Result<Response<wire::GetVerdictResponse>, Status> {
        Err(Status::unimplemented("not echoed"))
    }

    async fn issue_nonce(
        &self,
        _: Request<wire::IssueNonceRequest>,
    ) -> Result<Response<wire::IssueNonceResponse>, Status> {
        Err(Status::unimplemented("not echoed"))
    }
}
