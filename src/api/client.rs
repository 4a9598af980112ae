//! The other end of the wire: a client for the doors of this program that talk to a running service.
//!
//! Integrations generate their own client from `proto/`; this one knows only the calls that `elsewhere explain` and
//! `elsewhere demo` make. What is not known to the service is `None`; every other refusal is told as text.

use super::wire;
use super::wire::model_service_client::ModelServiceClient;
use super::wire::profile_service_client::ProfileServiceClient;
use super::wire::session_risk_service_client::SessionRiskServiceClient;
use super::wire::standing_service_client::StandingServiceClient;
use crate::event::limits;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status};

/// Longest wait for a connection: a person waits in front of it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How to reach a service.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// `http://127.0.0.1:50061`, or `https://…` with `authority`.
    pub address: String,
    /// Bearer token of a tenant; empty where the service asks for none.
    pub token: String,
    /// PEM file with the certificate authority to trust for `https`.
    pub authority: Option<PathBuf>,
}

/// Puts the credential on every call.
#[derive(Clone)]
struct Credential(Option<MetadataValue<Ascii>>);

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

type Wire = InterceptedService<Channel, Credential>;

/// A connection to a service.
#[derive(Clone)]
pub struct Client {
    wire: Wire,
}

/// An answer, or `None` when nothing of that name is kept.
fn found<T>(outcome: Result<Response<T>, Status>) -> Result<Option<T>, String> {
    match outcome {
        Ok(response) => Ok(Some(response.into_inner())),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(told(&status)),
    }
}

/// A refusal in words; where the call never came to the service, what became of it.
fn told(status: &Status) -> String {
    match status.source() {
        Some(source) => format!(
            "the call failed on the way ({}): is the service there still up, and is it http or https?",
            chain(source)
        ),
        None => format!("the service refused ({:?}): {}", status.code(), status.message()),
    }
}

/// An error and what caused it: transports keep what a person can act on at the end.
fn chain(error: &dyn Error) -> String {
    let mut said = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_said = cause.to_string();
        if said.last() != Some(&cause_said) {
            said.push(cause_said);
        }
        next = cause.source();
    }
    said.join(": ")
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// Says what is wrong with the address, the certificate authority or the token, or that nobody answers there.
    pub async fn connect(target: &Target) -> Result<Self, String> {
        let Target { address, token, authority } = target;
        let bad = |error: String| format!("cannot reach {address}: {error}");
        let endpoint = Endpoint::from_shared(address.clone())
            .map_err(|_| bad("send an address such as http://127.0.0.1:50061".into()))?;
        let mut endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT);
        if address.starts_with("https:") {
            let Some(path) = authority else {
                return Err(bad("https needs the certificate authority to trust: name its PEM file with --ca".into()));
            };
            let pem = std::fs::read(path).map_err(|error| bad(format!("cannot read {}: {error}", path.display())))?;
            if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
                return Err(bad(format!("{} holds no certificate in PEM form", path.display())));
            }
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            endpoint = endpoint.tls_config(tls).map_err(|error| bad(chain(&error)))?;
        }
        let credential = if token.is_empty() {
            None
        } else {
            let text = format!("Bearer {token}").parse();
            Some(text.map_err(|_| bad("the token holds characters that no header may hold".into()))?)
        };
        let channel = endpoint.connect().await.map_err(|error| {
            let other = if address.starts_with("https:") { ", with TLS" } else { ", without TLS (or is it https)" };
            bad(format!("{}; is `elsewhere serve` running there{other}?", chain(&error)))
        })?;
        Ok(Self { wire: InterceptedService::new(channel, Credential(credential)) })
    }

    /// Scores one session.
    ///
    /// # Errors
    /// The service's refusal.
    pub async fn assess(&self, request: wire::AssessSessionRequest) -> Result<wire::Verdict, String> {
        let outcome = SessionRiskServiceClient::new(self.wire.clone()).assess_session(request).await;
        let verdict = outcome.map_err(|status| told(&status))?.into_inner().verdict;
        verdict.ok_or_else(|| "the service answered without a verdict".into())
    }

    /// The verdict given to an event.
    ///
    /// # Errors
    /// The service's refusal.
    pub async fn verdict(&self, event_id: &str) -> Result<Option<wire::Verdict>, String> {
        let request = wire::GetVerdictRequest { event_id: event_id.into() };
        let outcome = SessionRiskServiceClient::new(self.wire.clone()).get_verdict(request).await;
        Ok(found(outcome)?.and_then(|response| response.verdict))
    }

    /// A worker's standing as of now.
    ///
    /// # Errors
    /// The service's refusal.
    pub async fn standing(&self, worker_id: &str) -> Result<Option<wire::WorkerStanding>, String> {
        let request = wire::GetStandingRequest { worker_id: worker_id.into() };
        let outcome = StandingServiceClient::new(self.wire.clone()).get_standing(request).await;
        Ok(found(outcome)?.and_then(|response| response.standing))
    }

    /// All workers' standings as of now, strongest evidence first.
    ///
    /// # Errors
    /// The service's refusal.
    pub async fn standings(&self, include_unflagged: bool) -> Result<Vec<wire::WorkerStanding>, String> {
        let mut client = StandingServiceClient::new(self.wire.clone());
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let request =
                wire::ListStandingsRequest { include_unflagged, page_size: limits::PAGE_SIZE_MAX, page_token };
            let page = client.list_standings(request).await.map_err(|status| told(&status))?.into_inner();
            all.extend(page.standings);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// What is remembered of a worker.
    ///
    /// # Errors
    /// The service's refusal.
    pub async fn profile(&self, worker_id: &str) -> Result<Option<wire::Profile>, String> {
        let request = wire::GetProfileRequest { worker_id: worker_id.into() };
        let outcome = ProfileServiceClient::new(self.wire.clone()).get_profile(request).await;
        Ok(found(outcome)?.and_then(|response| response.profile))
    }

    /// What every reason code means.
    ///
    /// # Errors
    /// The service's refusal.
    pub async fn reason_descriptions(&self) -> Result<Vec<wire::ReasonDescription>, String> {
        let request = wire::ListReasonDescriptionsRequest::default();
        let outcome = ModelServiceClient::new(self.wire.clone()).list_reason_descriptions(request).await;
        Ok(outcome.map_err(|status| told(&status))?.into_inner().reason_descriptions)
    }
}
