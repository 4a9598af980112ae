//! How a stream of `MonitorSession` ends, by a real client over a real connection that speaks plain HTTP/2: a call
//! that is cancelled, a connection that dies, and a side that is ended in order. Only the last closes the session.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use bytes::{BufMut as _, Bytes, BytesMut};
use common::{MONDAY, Running, login, start, time};
use elsewhere::api::wire;
use elsewhere::api::wire::monitor_session_request::Chunk;
use elsewhere::api::wire::monitor_session_response::Outcome;
use h2::client::SendRequest;
use h2::{Reason, RecvStream, SendStream};
use prost::Message as _;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic::Code;
use tonic::codegen::http::Request;

/// One call on a connection of its own.
struct Call {
    send: SendStream<Bytes>,
    replies: RecvStream,
    read: BytesMut,
    carrying: JoinHandle<()>,
    _requests: SendRequest<Bytes>,
}

impl Call {
    async fn to(service: &Running) -> Self {
        let address = service.address.trim_start_matches("http://").to_string();
        let stream = TcpStream::connect(&address).await.expect("a connection");
        let (mut requests, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        let carrying = tokio::spawn(async move {
            let _ = connection.await;
        });
        let request = Request::post(format!("http://{address}/elsewhere.v1.SessionRiskService/MonitorSession"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .expect("a request");
        let (response, send) = requests.send_request(request, false).expect("a stream");
        let replies = response.await.expect("headers").into_body();
        Self { send, replies, read: BytesMut::new(), carrying, _requests: requests }
    }

    fn send(&mut self, message: wire::MonitorSessionRequest, last: bool) {
        let body = message.encode_to_vec();
        let mut framed = BytesMut::with_capacity(body.len() + 5);
        framed.put_u8(0);
        framed.put_u32(body.len() as u32);
        framed.put_slice(&body);
        self.send.send_data(framed.freeze(), last).expect("sent");
    }

    async fn reply(&mut self) -> Option<wire::MonitorSessionResponse> {
        loop {
            if self.read.len() >= 5 {
                let length = u32::from_be_bytes(self.read[1..5].try_into().unwrap()) as usize;
                if self.read.len() >= 5 + length {
                    let message = self.read.split_to(5 + length);
                    return Some(wire::MonitorSessionResponse::decode(&message[5..]).expect("a response"));
                }
            }
            let data = self.replies.data().await?.ok()?;
            self.replies.flow_control().release_capacity(data.len()).expect("released");
            self.read.extend_from_slice(&data);
        }
    }

    /// Opens a session, or goes on with it. Returns what is acknowledged, and whether the verdict is provisional.
    async fn open(&mut self, event_id: &str) -> (u64, bool) {
        let event = Some(login(event_id, "w1", MONDAY, 1));
        let open = Chunk::Open(wire::MonitorOpen { event, ..Default::default() });
        self.send(message(0, open), false);
        let reply = self.reply().await.expect("a response");
        let Some(Outcome::Verdict(verdict)) = &reply.outcome else { panic!("no verdict: {reply:?}") };
        (reply.acknowledged_sequence_number, verdict.provisional)
    }

    /// A session with one chunk taken.
    async fn begun(service: &Running, event_id: &str) -> Self {
        let mut call = Self::to(service).await;
        assert_eq!(call.open(event_id).await, (0, true));
        call.send(message(1, clock()), false);
        assert_eq!(call.reply().await.map(|reply| reply.acknowledged_sequence_number), Some(1));
        call
    }
}

fn message(sequence_number: u64, chunk: Chunk) -> wire::MonitorSessionRequest {
    wire::MonitorSessionRequest { sequence_number, chunk_time: time(MONDAY + 1), chunk: Some(chunk) }
}

fn clock() -> Chunk {
    Chunk::Timezone(login("e", "w", MONDAY, 1).timezone.expect("a clock"))
}

/// Whether the session has its last verdict, or none although the service has had time to give one.
async fn ended(service: &Running, event_id: &str) -> bool {
    for _ in 0..20 {
        let asked = service.risk().get_verdict(wire::GetVerdictRequest { event_id: event_id.into() }).await;
        match asked {
            Ok(_) => return true,
            Err(status) => assert_eq!(status.code(), Code::NotFound),
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    false
}

async fn goes_on(service: &Running, event_id: &str) {
    assert!(!ended(service, event_id).await, "{event_id} was closed though its client did not end it");
    let mut again = Call::to(service).await;
    assert_eq!(again.open(event_id).await, (1, true), "{event_id} goes on where it stood");
    again.send(message(2, Chunk::Close(wire::MonitorClose {})), true);
    let last = again.reply().await.expect("a last verdict");
    assert!(matches!(last.outcome, Some(Outcome::Verdict(verdict)) if !verdict.provisional));
}

#[tokio::test]
async fn a_cancelled_call_leaves_its_session_waiting() {
    let service = start().await;
    let mut call = Call::begun(&service, "cancelled").await;
    call.send.send_reset(Reason::CANCEL);
    goes_on(&service, "cancelled").await;
    let ended = service.ended().await;
    assert_eq!((ended.received_count, ended.verdict_count), (1, 1));
}

#[tokio::test]
async fn a_reset_for_any_reason_leaves_its_session_waiting() {
    let service = start().await;
    for (reason, name) in [(Reason::INTERNAL_ERROR, "internal"), (Reason::REFUSED_STREAM, "refused")] {
        let mut call = Call::begun(&service, name).await;
        call.send.send_reset(reason);
        goes_on(&service, name).await;
    }
}

#[tokio::test]
async fn a_connection_that_dies_leaves_its_session_waiting() {
    let service = start().await;
    let call = Call::begun(&service, "dead").await;
    call.carrying.abort();
    goes_on(&service, "dead").await;
}

#[tokio::test]
async fn a_client_that_goes_away_without_ending_its_side_leaves_its_session_waiting() {
    let service = start().await;
    drop(Call::begun(&service, "gone").await);
    goes_on(&service, "gone").await;
}

#[tokio::test]
async fn a_side_ended_in_order_closes_its_session() {
    let service = start().await;
    let mut call = Call::begun(&service, "done").await;
    call.send.send_data(Bytes::new(), true).expect("sent");
    let last = call.reply().await.expect("a last verdict");
    assert!(matches!(last.outcome, Some(Outcome::Verdict(verdict)) if !verdict.provisional));
    assert!(ended(&service, "done").await);
}
