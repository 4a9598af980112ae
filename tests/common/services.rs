//! What the tests of the other services share: events of flagged and of linked workers, and calls.

use super::{Running, login, reason, request, time};
use elsewhere::api::wire;
use elsewhere::api::wire::feedback::Subject;
use elsewhere::api::wire::linkage_service_client::LinkageServiceClient;
use elsewhere::api::wire::standing_service_client::StandingServiceClient;
use std::sync::LazyLock;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

pub const DAY: i64 = 86_400;

/// An hour before the tests began, by the service's clock, since evidence fades by it. The same throughout: an event sent
/// again must be equal.
pub fn today() -> i64 {
    static STARTED: LazyLock<i64> = LazyLock::new(|| elsewhere::api::assess::system_now().0 / 1_000_000 - 3_600);
    *STARTED
}

/// Status code and reason of a refusal.
pub fn refused(status: &Status) -> (Code, String) {
    (status.code(), reason(status))
}

pub fn metadata(status: &Status, key: &str) -> String {
    status.get_error_details().error_info().expect("an ErrorInfo").metadata[key].clone()
}

/// Cities far from one another.
pub const CITIES: [(&str, f64, f64); 6] = [
    ("US-AZ", 33.45, -112.07),
    ("US-MA", 42.36, -71.06),
    ("US-FL", 25.76, -80.19),
    ("US-WA", 47.61, -122.33),
    ("US-TX", 29.76, -95.37),
    ("US-IL", 41.88, -87.63),
];

pub fn claim(city: usize) -> Option<wire::Claim> {
    let (subdivision, latitude_degrees, longitude_degrees) = CITIES[city];
    Some(wire::Claim {
        region_code: "US".into(),
        subdivision_code: subdivision.into(),
        place: Some(wire::Place { latitude_degrees, longitude_degrees, radius_km: 25 }),
        ..Default::default()
    })
}

/// A login through a KVM whose prompts are answered too late, as the golden story has it; alone, without what it shares.
pub fn remote(event_id: &str, worker_id: &str, seconds: i64) -> wire::SessionEvent {
    let stories = include_str!("../golden/two_workers_behind_kvms_in_one_home_are_flagged.ndjson");
    let line = stories.lines().next().expect("a line");
    let told: wire::AssessSessionRequest = serde_json::from_str(line).expect("a request");
    let mut event = told.event.expect("an event");
    (event.event_id, event.worker_id) = (event_id.into(), worker_id.into());
    event.event_time = time(seconds);
    event.claim.as_mut().expect("a claim").shipping_token.clear();
    let network = event.network.as_mut().expect("a network");
    network.ip_token.clear();
    network.site_tokens.clear();
    let device = event.device.as_mut().expect("a device");
    device.authenticator_token.clear();
    device.display_token.clear();
    event
}

/// An ordinary login that shares a gateway and a display with others, from a claimed city.
pub fn shared(event_id: &str, worker_id: &str, seconds: i64, city: usize, site: u8) -> wire::SessionEvent {
    let mut event = login(event_id, worker_id, seconds, 1);
    event.claim = claim(city);
    let network = event.network.as_mut().expect("a network");
    network.site_tokens = vec![vec![site; 16]];
    network.ip_token = vec![site + 100; 16];
    event
}

pub async fn send(service: &Running, event: wire::SessionEvent) -> wire::Verdict {
    let reply = service.risk().assess_session(request(event)).await.expect("a verdict");
    reply.into_inner().verdict.expect("a verdict")
}

pub fn standings(service: &Running) -> StandingServiceClient<Channel> {
    StandingServiceClient::new(service.channel.clone())
}

pub async fn standing(service: &Running, worker_id: &str) -> wire::WorkerStanding {
    let ask = wire::GetStandingRequest { worker_id: worker_id.into() };
    let reply = standings(service).get_standing(ask).await.expect("a standing");
    reply.into_inner().standing.expect("a standing")
}

pub type Watch = Streaming<wire::WatchStandingsResponse>;

pub async fn watch(service: &Running, resume_token: &str) -> Result<Watch, Status> {
    let ask = wire::WatchStandingsRequest { resume_token: resume_token.into() };
    standings(service).watch_standings(ask).await.map(tonic::Response::into_inner)
}

pub async fn next(watch: &mut Watch) -> Result<Option<(String, bool, String)>, Status> {
    let message = tokio::time::timeout(Duration::from_secs(20), watch.message()).await.expect("news in time")?;
    Ok(message.map(|told| {
        let standing = told.standing.expect("a standing");
        (standing.worker_id, standing.flagged, told.resume_token)
    }))
}

/// News until a worker is told of with this flag. Returns the token.
pub async fn until(watch: &mut Watch, worker_id: &str, flagged: bool) -> String {
    loop {
        let told = next(watch).await.expect("no error").expect("more news");
        if (told.0.as_str(), told.1) == (worker_id, flagged) {
            return told.2;
        }
    }
}

pub async fn quiet(watch: &mut Watch) -> bool {
    tokio::time::timeout(Duration::from_millis(300), watch.message()).await.is_err()
}

pub fn label(feedback_id: &str, subject: Subject, cleared: &[wire::ReasonCode]) -> wire::Feedback {
    wire::Feedback {
        feedback_id: feedback_id.into(),
        subject: Some(subject),
        label: wire::Label::Genuine as i32,
        source: wire::LabelSource::IdentityCheck as i32,
        cleared_reasons: cleared.iter().map(|code| *code as i32).collect(),
        ..Default::default()
    }
}

pub fn linkage(service: &Running) -> LinkageServiceClient<Channel> {
    LinkageServiceClient::new(service.channel.clone())
}

/// Two farms of five and four, and a couple, each behind a gateway of its own.
pub fn company() -> Vec<wire::SessionEvent> {
    let mut events = Vec::new();
    for worker in 0..5 {
        events.push(shared(&format!("f{worker}"), &format!("farm-{worker}"), today(), worker, 1));
    }
    for worker in 0..4 {
        events.push(shared(&format!("g{worker}"), &format!("other-{worker}"), today(), worker, 2));
    }
    for worker in 0..2 {
        events.push(shared(&format!("c{worker}"), &format!("couple-{worker}"), today(), 3, 3));
    }
    events
}

/// Makes a worker flagged by its own sessions: late answers on four days.
pub async fn flag(service: &Running, worker_id: &str) {
    for day in 0..4 {
        send(service, remote(&format!("{worker_id}-{day}"), worker_id, today() - (4 - day) * DAY)).await;
    }
    assert!(standing(service, worker_id).await.flagged);
}
