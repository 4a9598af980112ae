//! FeedbackService: takes the outcome of human review back in.

use super::convert;
use super::doors::Doors;
use super::refusal::Refusal;
use super::wire;
use super::wire::feedback_service_server::FeedbackService;
use crate::event::{Feedback, Subject, Violations, limits};
use crate::history::{Durable, KeptFeedback, Recorded, TenantId};
use crate::pipeline::Failure;
use crate::risk::ReasonCode;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::task::spawn_blocking;
use tonic::{Code, Request, Response, Status};

/// FeedbackService over a pipeline.
#[derive(Clone)]
pub struct Reviews {
    doors: Arc<Doors>,
}

impl Reviews {
    /// Serves over the shared doors.
    pub fn new(doors: Arc<Doors>) -> Self {
        Self { doors }
    }

    /// Checks and records one entry up to, but not including, its durability. Reads the disk.
    fn record(&self, tenant: TenantId, path: &str, message: wire::Feedback) -> Result<(bool, Durable), Refusal> {
        let now = self.doors.now();
        let content_hash = convert::feedback_hash(&message);
        let mut violations = Violations::default();
        let known = |number| ReasonCode::from_number(number).is_some();
        let checked = convert::feedback(message).check(path, now, known, &mut violations);
        let feedback = checked.ok_or(Refusal::Invalid(violations))?;
        let worker_id = self.worker_of(tenant, &feedback)?;
        let feedback_id = feedback.feedback_id.clone();
        let entry =
            KeptFeedback { feedback, worker_id, content_hash, record_time: now, superseded: false, superseding: false };
        match self.doors.pipeline.record_feedback(tenant, entry)? {
            Recorded::First { superseding, durable } | Recorded::Repeated { superseding, durable } => {
                Ok((superseding, durable))
            }
            Recorded::Different { record_time } => {
                Err(Refusal::FeedbackIdReused { feedback_id, first_record_time: record_time })
            }
            Recorded::TooMany => {
                let limit = limits::FEEDBACK_PER_WORKER_MAX;
                Err(Refusal::TooManyItems { field: "feedback.worker_id", limit, actual: limit + 1 })
            }
        }
    }

    /// The worker whom an entry concerns.
    fn worker_of(&self, tenant: TenantId, feedback: &Feedback) -> Result<String, Refusal> {
        let store = self.doors.pipeline.store();
        let failed = |error| Refusal::from(Failure::Store(error));
        let (resource, name, found) = match &feedback.subject {
            Subject::Event(id) => ("verdict", id, store.worker_of_event(tenant, id).map_err(failed)?),
            Subject::Session(id) => ("session", id, store.worker_of_session(tenant, id).map_err(failed)?),
            Subject::Worker { worker_id, .. } => {
                let known = store.record(tenant, worker_id).map_err(failed)?.is_some()
                    || store.verdict_count(tenant, worker_id).map_err(failed)? > 0;
                ("profile", worker_id, known.then(|| worker_id.as_str().into()))
            }
        };
        let worker = found.ok_or_else(|| Refusal::NotFound { resource, name: name.clone() })?;
        Ok(worker.to_string())
    }
}

/// Waits until an entry is on disk.
async fn settled(recorded: Result<(bool, Durable), Refusal>) -> Result<bool, Refusal> {
    let (superseding, durable) = recorded?;
    durable.await.map_err(Failure::Store)?;
    Ok(superseding)
}

#[tonic::async_trait]
impl FeedbackService for Reviews {
    async fn record_feedback(
        &self,
        request: Request<wire::RecordFeedbackRequest>,
    ) -> Result<Response<wire::RecordFeedbackResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let Some(message) = request.into_inner().feedback else {
            return Err(Refusal::field("feedback", "is required: send the entry to record").into());
        };
        let this = self.clone();
        let recorded = spawn_blocking(move || this.record(caller.tenant, "feedback", message)).await;
        let recorded = recorded.map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(wire::RecordFeedbackResponse { superseded: settled(recorded).await? }))
    }

    async fn batch_record_feedback(
        &self,
        request: Request<wire::BatchRecordFeedbackRequest>,
    ) -> Result<Response<wire::BatchRecordFeedbackResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let entries = request.into_inner().feedback;
        if entries.len() > limits::BATCH_FEEDBACK_MAX {
            let (limit, actual) = (limits::BATCH_FEEDBACK_MAX, entries.len());
            return Err(Refusal::TooManyItems { field: "feedback", limit, actual }.into());
        }
        if entries.is_empty() {
            return Err(Refusal::field("feedback", "is empty: send the entries to record").into());
        }
        let this = self.clone();
        let record_all = move || {
            let mut first: HashMap<String, usize> = HashMap::new();
            let record = |(index, message): (usize, wire::Feedback)| {
                let path = format!("feedback[{index}]");
                if !message.feedback_id.is_empty()
                    && let Some(other) = first.insert(message.feedback_id.clone(), index)
                {
                    let told = format!("is that of `feedback[{other}]` too: ids of one batch are distinct");
                    return Err(Refusal::field(format!("{path}.feedback_id"), told));
                }
                this.record(caller.tenant, &path, message)
            };
            entries.into_iter().enumerate().map(record).collect::<Vec<_>>()
        };
        let recorded = spawn_blocking(record_all).await.map_err(|error| Status::internal(error.to_string()))?;
        let mut statuses = Vec::with_capacity(recorded.len());
        for one in recorded {
            statuses.push(match settled(one).await {
                Ok(_) => wire::rpc::Status { code: Code::Ok as i32, ..Default::default() },
                Err(refusal) => refusal.status(),
            });
        }
        Ok(Response::new(wire::BatchRecordFeedbackResponse { statuses }))
    }
}
