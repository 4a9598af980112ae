//! Memory of live sessions: what a real service of its own process takes for 10,000 of them, streams and all.
//!
//! `cargo bench --bench monitor` starts `elsewhere serve` without a data directory, opens `ELSEWHERE_BENCH_SESSIONS`
//! (default 10,000) sessions over 100 connections, fills each to what a session keeps, and prints the service's resident
//! memory before, with all sessions open, and at its highest; then what one chunk costs and how the sessions close. The
//! client is another process than the service, so that its own memory does not count.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench that cannot go on should say where")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod world;

use elsewhere::api::assess::system_now;
use elsewhere::api::wire;
use elsewhere::api::wire::monitor_session_request::Chunk;
use elsewhere::api::wire::monitor_session_response::Outcome;
use elsewhere::api::wire::session_risk_service_client::SessionRiskServiceClient;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;
use world::{Shape, judged, only_tested, setting};

/// Sessions per connection: HTTP/2 servers commonly allow 200 streams.
const SESSIONS_PER_CONNECTION: u64 = 100;
/// What 10,000 sessions may take, MiB: 400 by the issue.
const FLOOR_MEBIBYTES: f64 = 400.0;
/// Half of that would leave a replica of 1 GiB room for its profiles.
const GOAL_MEBIBYTES: f64 = 200.0;

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Service {
    /// A figure of `/proc/<pid>/status`, MiB.
    fn memory(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("a system with /proc");
        let line = status.lines().find(|line| line.starts_with(name)).expect("a known figure");
        let kibibytes: f64 = line.split_whitespace().nth(1).and_then(|figure| figure.parse().ok()).expect("a number");
        kibibytes / 1024.0
    }
}

struct Session {
    say: mpsc::Sender<wire::MonitorSessionRequest>,
    replies: Streaming<wire::MonitorSessionResponse>,
    next: u64,
}

impl Session {
    async fn say(&mut self, micros: i64, chunk: Chunk) -> Option<Outcome> {
        let chunk_time = Some(wire::Timestamp::from_micros(micros));
        let message = wire::MonitorSessionRequest { sequence_number: self.next, chunk_time, chunk: Some(chunk) };
        self.next += 1;
        self.say.send(message).await.expect("room");
        let reply = self.replies.message().await.expect("a response").expect("a response");
        assert!(!matches!(reply.outcome, Some(Outcome::Error(_))), "{:?}", reply.outcome);
        reply.outcome
    }
}

fn typing(presses: u32, turn: u32) -> Chunk {
    let vary = |base: u32, index: u32| base + (turn * 7_919 + index * 104_729) % 60_000;
    Chunk::Typing(wire::TypingSample {
        context: wire::TypingContext::FreeText as i32,
        press_interval_micros: (0..presses).map(|at| if at == 0 { 0 } else { vary(130_000, at) }).collect(),
        dwell_micros: (0..presses).map(|at| vary(80_000, at + 40)).collect(),
        key_classes: vec![1; presses as usize],
        timer_resolution_micros: 1_000,
        shuffled: true,
        ..Default::default()
    })
}

fn motion(moves: u32, turn: u32) -> Chunk {
    let column = |first: i32, low: i32, span: u32| -> Vec<i32> {
        (0..moves).map(|at| if at == 0 { first } else { low + ((turn * 31 + at * 104_729) % span) as i32 }).collect()
    };
    Chunk::Pointer(wire::PointerSample {
        interval_micros: column(0, 7_800, 500).into_iter().map(i32::unsigned_abs).collect(),
        delta_x: column(0, -6, 16),
        delta_y: column(0, -9, 16),
        timer_resolution_micros: 100,
        source: wire::PointerSource::Raw as i32,
        button_down_indexes: vec![moves - 1],
    })
}

fn input(delays: i32) -> Chunk {
    Chunk::RemoteInput(wire::RemoteInputSample {
        event_delay_micros: (0..delays).map(|at| at * 7_919 % 9_000).collect(),
        timer_resolution_micros: 100,
        event_count: delays.unsigned_abs(),
        ..Default::default()
    })
}

/// A table of 29 keys and 200 digraphs: a quarter of an hour of writing.
fn table() -> Chunk {
    let usages: Vec<u32> = (4..30).chain([40, 42, 44]).collect();
    let key = |usage: &u32| wire::KeyTime {
        usage: *usage,
        count: 32,
        dwell_median_micros: 80_000 + usage * 500,
        dwell_spread_micros: 12_000,
    };
    let digraph = |index: u32| wire::DigraphTime {
        first_usage: 4 + index % 26,
        second_usage: 4 + index / 26,
        count: 4,
        press_interval_median_micros: 120_000 + index * 500,
        press_interval_spread_micros: 30_000,
    };
    Chunk::Cadence(wire::CadenceTable {
        press_count: 2_048,
        keys: usages.iter().map(key).collect(),
        digraphs: (0..200).map(digraph).collect(),
        timer_resolution_micros: 1_000,
    })
}

/// The chunks that fill a session to its limits and then replace what is oldest, as hours of work do.
fn chunks() -> Vec<Chunk> {
    let mut chunks = vec![typing(600, 1), motion(600, 1), input(300), table()];
    for turn in 2..4 {
        chunks.extend([typing(60, turn), motion(60, turn), input(30)]);
    }
    chunks.push(table());
    chunks
}

async fn connect(address: &str) -> Channel {
    for _ in 0..200 {
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("an address");
        if let Ok(channel) = endpoint.connect().await {
            return channel;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the service does not answer on {address}");
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(setting("ELSEWHERE_BENCH_SESSIONS", if only_tested() { 100 } else { 10_000 })));
}

async fn run(sessions: u64) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    let service = Command::new(env!("CARGO_BIN_EXE_elsewhere"))
        .args(["serve", "--listen", &address])
        // The service refuses settings it does not know, and the bench's own are none.
        .env_remove("ELSEWHERE_BENCH_SESSIONS")
        .env("ELSEWHERE_CADENCE_TABLES", "true")
        .env("ELSEWHERE_LOG", "error")
        .env("ELSEWHERE_MONITORED_SESSIONS_MAX", sessions.to_string())
        .stdout(Stdio::null())
        .spawn()
        .expect("the service");
    let service = Service(service);
    let begin = system_now().0 - 3_600_000_000;
    // One session beforehand: what the first of anything costs is not what a session costs.
    let mut live = vec![open(connect(&address).await, 1_000_000, begin).await];
    let before = service.memory("VmRSS");
    let mut connections = Vec::new();
    for _ in 0..sessions.div_ceil(SESSIONS_PER_CONNECTION) {
        connections.push(connect(&address).await);
    }
    let started = Instant::now();
    for number in 1..sessions {
        let channel = connections[(number % connections.len() as u64) as usize].clone();
        live.push(open(channel, number, begin).await);
    }
    let opened = started.elapsed().as_secs_f64();
    let after_opening = service.memory("VmRSS");
    let started = Instant::now();
    let chunks = chunks();
    let (count, tasks) = (chunks.len() as u64 * sessions, CLIENTS.min(live.len()));
    let mut parts: Vec<Vec<Session>> = (0..tasks).map(|_| Vec::new()).collect();
    for (index, session) in live.into_iter().enumerate() {
        parts[index % tasks].push(session);
    }
    let mut filling = Vec::new();
    for mut part in parts {
        let chunks = chunks.clone();
        filling.push(tokio::spawn(async move {
            for (turn, chunk) in chunks.into_iter().enumerate() {
                for session in &mut part {
                    session.say(begin + (turn as i64 + 1) * 15_000_000, chunk.clone()).await;
                }
            }
            part
        }));
    }
    let mut live = Vec::new();
    for part in filling {
        live.extend(part.await.expect("a client"));
    }
    let filled = started.elapsed().as_secs_f64();
    let after = service.memory("VmRSS");
    let highest = service.memory("VmHWM");
    let taken = after - before;
    println!("{sessions} sessions opened in {opened:.1} s, {count} chunks in {filled:.1} s");
    println!(
        "{:.0} us a chunk, at {CLIENTS} clients and with the client on the same cores",
        filled * 1e6 / count as f64
    );
    println!(
        "resident before {before:.0} MiB, opened {after_opening:.0} MiB, filled {after:.0} MiB, highest {highest:.0} MiB"
    );
    let each = taken * 1024.0 / sessions as f64;
    println!(
        "{each:.1} KiB a session filled to its limits; {taken:.0} MiB for {sessions} ({})",
        judged(taken * 10_000.0 / sessions as f64, FLOOR_MEBIBYTES, GOAL_MEBIBYTES, false)
    );
    let started = Instant::now();
    let closes = live.len();
    for session in &mut live {
        let outcome = session.say(begin + 3_000_000_000, Chunk::Close(wire::MonitorClose {})).await;
        assert!(matches!(outcome, Some(Outcome::Verdict(verdict)) if !verdict.provisional));
    }
    drop(live);
    let closed = started.elapsed().as_secs_f64();
    println!(
        "{closes} sessions closed one after another in {closed:.1} s; resident {:.0} MiB",
        service.memory("VmRSS")
    );
}

/// Clients that send at once.
const CLIENTS: usize = 8;

async fn open(channel: Channel, worker: u64, micros: i64) -> Session {
    let (say, said) = mpsc::channel(2);
    let replies = SessionRiskServiceClient::new(channel).monitor_session(ReceiverStream::new(said)).await;
    let mut session = Session { say, replies: replies.expect("a stream").into_inner(), next: 0 };
    let event = Some(world::login(worker, 0, micros, Shape::Full));
    let opening = Chunk::Open(wire::MonitorOpen { event, ..Default::default() });
    assert!(matches!(session.say(micros, opening).await, Some(Outcome::Verdict(verdict)) if verdict.provisional));
    session
}
