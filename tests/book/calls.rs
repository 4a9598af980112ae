//! What `buf curl` would do, for the calls of the book: a call left as a file, answered over gRPC, printed as JSON.

use elsewhere::api::wire;
use elsewhere::api::wire::feedback_service_client::FeedbackServiceClient;
use elsewhere::api::wire::linkage_service_client::LinkageServiceClient;
use elsewhere::api::wire::model_service_client::ModelServiceClient;
use elsewhere::api::wire::profile_service_client::ProfileServiceClient;
use elsewhere::api::wire::session_risk_service_client::SessionRiskServiceClient;
use elsewhere::api::wire::standing_service_client::StandingServiceClient;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_health::pb::health_client::HealthClient;

/// What the command line of `buf curl` says.
struct Call {
    data: String,
    headers: Vec<(String, String)>,
    address: String,
    method: String,
}

impl Call {
    fn read(arguments: &str, input: &Path, base: &Path) -> Result<Call, String> {
        let mut words = arguments.split('\0').filter(|word| !word.is_empty());
        if words.next() != Some("curl") {
            return Err("only `buf curl` is known here".into());
        }
        let mut call = Call { data: "{}".into(), headers: vec![], address: String::new(), method: String::new() };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} has no value"));
            match word {
                "--protocol" if value()? == "grpc" => {}
                "--http2-prior-knowledge" => {}
                "--data" => {
                    call.data = match value()? {
                        "@-" => std::fs::read_to_string(input).map_err(|error| error.to_string())?,
                        file if file.starts_with('@') => std::fs::read_to_string(base.join(&file[1..]))
                            .map_err(|error| format!("{file}: {error}"))?,
                        text => text.into(),
                    }
                }
                "--header" => {
                    let (name, value) = value()?.split_once(": ").ok_or("a header is `name: value`")?;
                    call.headers.push((name.to_lowercase(), value.into()));
                }
                url => {
                    let rest = url.strip_prefix("http://").ok_or(format!("{url} is not known here"))?;
                    let (address, method) = rest.split_once('/').ok_or(format!("{url} names no method"))?;
                    (call.address, call.method) = (format!("http://{address}"), method.into());
                }
            }
        }
        Ok(call)
    }

    /// The messages of `--data`, one or several after one another.
    fn messages<T: serde::de::DeserializeOwned>(&self) -> Result<Vec<T>, Status> {
        let read = serde_json::Deserializer::from_str(&self.data).into_iter().collect::<Result<Vec<T>, _>>();
        read.map_err(|error| Status::invalid_argument(format!("--data: {error}")))
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        for (name, value) in &self.headers {
            let name = name.parse::<MetadataKey<Ascii>>().expect("a header's name");
            request.metadata_mut().insert(name, value.parse::<MetadataValue<Ascii>>().expect("a header's value"));
        }
        request
    }
}

/// Answers a call whose arguments lay at `path`; its input, output and status stand beside.
pub fn answer(arguments: &str, path: &Path, base: &Path) {
    let mut out = File::create(path.with_extension("out")).expect("a pipe");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let status = match Call::read(arguments, &path.with_extension("in"), base) {
        Err(fault) => {
            let _ = writeln!(out, "{fault}");
            2
        }
        Ok(call) => match runtime.block_on(send(&call, &mut out)) {
            Ok(()) => 0,
            Err(status) => {
                let _ = writeln!(out, "{:?}: {}", status.code(), status.message());
                1
            }
        },
    };
    std::fs::write(path.with_extension("rc"), status.to_string()).expect("written");
}

fn show(out: &mut File, reply: &impl serde::Serialize) {
    // Whoever stopped reading wants no more.
    let _ = writeln!(out, "{}", serde_json::to_string_pretty(reply).expect("JSON"));
}

async fn send(call: &Call, out: &mut File) -> Result<(), Status> {
    let target = Channel::from_shared(call.address.clone()).map_err(|error| Status::internal(error.to_string()))?;
    let channel = target.connect().await.map_err(|error| Status::unavailable(error.to_string()))?;
    macro_rules! unary {
        ($client:ident, $method:ident) => {{
            let message = call.messages()?.pop().ok_or_else(|| Status::invalid_argument("--data is empty"))?;
            show(out, &$client::new(channel).$method(call.request(message)).await?.into_inner());
        }};
    }
    macro_rules! stream {
        ($client:ident, $method:ident, $request:expr) => {{
            let mut replies = $client::new(channel).$method(call.request($request)).await?.into_inner();
            while let Some(reply) = replies.message().await? {
                show(out, &reply);
            }
        }};
    }
    let method = call.method.strip_prefix("elsewhere.v1.").unwrap_or(&call.method);
    match method {
        "SessionRiskService/AssessSession" => unary!(SessionRiskServiceClient, assess_session),
        "SessionRiskService/BatchAssessSessions" => unary!(SessionRiskServiceClient, batch_assess_sessions),
        "SessionRiskService/GetVerdict" => unary!(SessionRiskServiceClient, get_verdict),
        "SessionRiskService/IssueNonce" => unary!(SessionRiskServiceClient, issue_nonce),
        "SessionRiskService/StreamAssessSessions" => {
            let messages = call.messages::<wire::StreamAssessSessionsRequest>()?;
            stream!(SessionRiskServiceClient, stream_assess_sessions, tokio_stream::iter(messages));
        }
        "SessionRiskService/MonitorSession" => {
            let messages = call.messages::<wire::MonitorSessionRequest>()?;
            stream!(SessionRiskServiceClient, monitor_session, tokio_stream::iter(messages));
        }
        "StandingService/GetStanding" => unary!(StandingServiceClient, get_standing),
        "StandingService/ListStandings" => unary!(StandingServiceClient, list_standings),
        "StandingService/WatchStandings" => {
            let message = call.messages::<wire::WatchStandingsRequest>()?.pop().unwrap_or_default();
            stream!(StandingServiceClient, watch_standings, message);
        }
        "ProfileService/GetProfile" => unary!(ProfileServiceClient, get_profile),
        "ProfileService/DeleteProfile" => unary!(ProfileServiceClient, delete_profile),
        "ModelService/GetModel" => unary!(ModelServiceClient, get_model),
        "ModelService/ListModels" => unary!(ModelServiceClient, list_models),
        "ModelService/ListReasonDescriptions" => unary!(ModelServiceClient, list_reason_descriptions),
        "FeedbackService/RecordFeedback" => unary!(FeedbackServiceClient, record_feedback),
        "LinkageService/ListSimilarTypists" => unary!(LinkageServiceClient, list_similar_typists),
        "LinkageService/ListLinkedWorkers" => unary!(LinkageServiceClient, list_linked_workers),
        "LinkageService/ListOperatorClusters" => unary!(LinkageServiceClient, list_operator_clusters),
        "grpc.health.v1.Health/Check" => {
            let asked: serde_json::Value = call.messages()?.pop().unwrap_or_default();
            let service = asked["service"].as_str().unwrap_or_default().to_string();
            let request = call.request(tonic_health::pb::HealthCheckRequest { service });
            let reply = HealthClient::new(channel).check(request).await?.into_inner();
            show(out, &serde_json::json!({ "status": reply.status().as_str_name() }));
        }
        other => return Err(Status::unimplemented(format!("the book's test does not call {other} yet"))),
    }
    Ok(())
}
