//! Live sessions as a client holds them, and what it says in them.

use super::{MONDAY, Running, login, time};
use elsewhere::api::wire;
use elsewhere::api::wire::monitor_session_request::Chunk;
use elsewhere::api::wire::monitor_session_response::Outcome;
use elsewhere::api::wire::session_risk_service_client::SessionRiskServiceClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

/// One stream as a client holds it.
pub struct Session {
    pub say: mpsc::Sender<wire::MonitorSessionRequest>,
    pub replies: Streaming<wire::MonitorSessionResponse>,
}

impl Session {
    pub async fn over(channel: Channel) -> Self {
        let (say, said) = mpsc::channel(64);
        let replies = SessionRiskServiceClient::new(channel).monitor_session(ReceiverStream::new(said)).await;
        Self { say, replies: replies.expect("a stream").into_inner() }
    }

    pub async fn opened(service: &Running, event: wire::SessionEvent) -> Self {
        let mut session = Self::over(service.channel.clone()).await;
        let seconds = event.event_time.expect("a time").seconds;
        let reply = session.say(0, seconds, open(event)).await;
        assert!(verdict(&reply).provisional);
        session
    }

    /// Sends one message and reads its response.
    pub async fn say(&mut self, sequence_number: u64, seconds: i64, chunk: Chunk) -> wire::MonitorSessionResponse {
        self.send(sequence_number, seconds, chunk).await;
        self.replies.message().await.expect("a response").expect("a response")
    }

    pub async fn send(&self, sequence_number: u64, seconds: i64, chunk: Chunk) {
        let chunk_time = if matches!(chunk, Chunk::Close(_)) { None } else { time(seconds) };
        let message = wire::MonitorSessionRequest { sequence_number, chunk_time, chunk: Some(chunk) };
        self.say.send(message).await.expect("room");
    }

    pub async fn close(mut self, sequence_number: u64) -> wire::Verdict {
        let last = verdict(&self.say(sequence_number, 0, Chunk::Close(wire::MonitorClose {})).await);
        assert!(!last.provisional);
        assert!(self.replies.message().await.expect("an orderly end").is_none(), "nothing follows the last verdict");
        last
    }

    pub async fn end(mut self) -> Status {
        loop {
            match self.replies.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended well"),
                Err(status) => return status,
            }
        }
    }
}

pub fn open(event: wire::SessionEvent) -> Chunk {
    Chunk::Open(wire::MonitorOpen { event: Some(event), ..Default::default() })
}

pub fn verdict(response: &wire::MonitorSessionResponse) -> wire::Verdict {
    match &response.outcome {
        Some(Outcome::Verdict(verdict)) => verdict.clone(),
        other => panic!("no verdict: {other:?}"),
    }
}

/// Free typing of `presses` presses, a little different each `turn`.
pub fn typed(presses: u32, turn: u32) -> Chunk {
    let vary = |base: u32, index: u32| base + (turn * 7_919 + index * 104_729) % 60_000;
    Chunk::Typing(wire::TypingSample {
        context: wire::TypingContext::FreeText as i32,
        press_interval_micros: (0..presses).map(|i| if i == 0 { 0 } else { vary(130_000, i) }).collect(),
        dwell_micros: (0..presses).map(|i| 8_000 * (vary(80_000, i + 40) / 8_000)).collect(),
        timer_resolution_micros: 1_000,
        ..Default::default()
    })
}

pub fn path() -> wire::NetworkSample {
    login("e", "w", MONDAY, 1).network.expect("a network")
}

/// A road to the service that can be cut.
pub struct Road {
    pub channel: Channel,
    carrying: tokio::task::JoinHandle<()>,
}

impl Road {
    pub async fn to(service: &Running) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let target = service.address.trim_start_matches("http://").to_string();
        let carrying = tokio::spawn(async move {
            let (mut near, _) = listener.accept().await.expect("a connection");
            let mut far = tokio::net::TcpStream::connect(target).await.expect("the service");
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
        let channel = Channel::from_shared(format!("http://{address}")).expect("an address").connect().await;
        Self { channel: channel.expect("a connection"), carrying }
    }

    pub fn cut(self) {
        self.carrying.abort();
    }
}
