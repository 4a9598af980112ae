//! Refusals: what went wrong, as `google.rpc.Status` with the details a program can act on.
//!
//! Worked example: an event with 51 press intervals and 50 dwells is refused with code 3 (`INVALID_ARGUMENT`), a
//! `BadRequest` naming `event.typing.dwell_micros`, and an `ErrorInfo` of domain `elsewhere`, reason
//! `COLUMN_LENGTHS_DIFFER`, metadata `expected` = 51 and `actual` = 50.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use prost::Message as _;
use tonic::Code;
use tonic_types::pb;

use super::wire;
use super::wire::ErrorReason;
use crate::event::{EventTime, Fault, Violations};
use crate::history::NonceFault;
use crate::pipeline::Failure;

/// Domain of every `ErrorInfo` of this service.
pub const DOMAIN: &str = "elsewhere";
/// Most bytes of violations in the trailers of a gRPC call. Common clients drop trailers past 8 KiB; base64 adds a third,
/// and the message stands in them twice.
const TRAILER_VIOLATIONS_BYTES_MAX: usize = 3_200;
/// Most bytes of the message in trailers, where it is percent-encoded besides.
const TRAILER_MESSAGE_BYTES_MAX: usize = 900;

/// Why a request is not answered. One variant per reaction of the caller.
#[derive(Debug)]
pub enum Refusal {
    /// Fields are missing, malformed or out of range: mend them.
    Invalid(Violations),
    /// More items than the method takes: send fewer.
    TooManyItems {
        /// Path of the list.
        field: &'static str,
        /// Most items taken.
        limit: usize,
        /// Items sent.
        actual: usize,
    },
    /// The event's name was used for other content: name it anew.
    EventIdReused {
        /// The name.
        event_id: String,
        /// When it was first assessed.
        first_assess_time: EventTime,
    },
    /// The feedback's name was used for other content: name it anew.
    FeedbackIdReused {
        /// The name.
        feedback_id: String,
        /// When it first came.
        first_record_time: EventTime,
    },
    /// The event's nonce is not good: have the collector ask for a new one.
    NonceRefused {
        /// Why.
        fault: NonceFault,
    },
    /// Changes since the token cannot be told: list, and watch anew.
    ResumeTokenLapsed,
    /// The model is not loaded: name another, or wait for it. Empty when there is no model at all.
    ModelNotLoaded {
        /// The model asked for.
        model_id: String,
    },
    /// There is no such thing in the caller's tenant.
    NotFound {
        /// What kind of thing: `verdict`, `profile`, `session`, `standing`, `cluster`, `model`.
        resource: &'static str,
        /// Its name.
        name: String,
    },
    /// The stream broke its order: go on from `expected`.
    SequenceBroken {
        /// The sequence number that should have come.
        expected: u64,
    },
    /// Load is being shed: come back later.
    Overloaded {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The service is starting or draining: come back later, or elsewhere.
    Unavailable {
        /// What is going on, such as `is draining`.
        description: String,
        /// How long to wait.
        retry_after: Duration,
    },
    /// The store failed: repeat the call, and tell the operator.
    StoreFailed {
        /// What the store said.
        description: String,
    },
    /// The method belongs to a later release.
    Unimplemented {
        /// Its name.
        method: &'static str,
    },
    /// The call took longer than its caller or the service allows: repeat it as it was.
    DeadlineExceeded {
        /// How long it was allowed to take.
        limit: Duration,
    },
    /// No credential, or one of no configured tenant: mend the call's metadata.
    Unauthenticated,
}

impl From<Violations> for Refusal {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::ModelNotLoaded { model_id } => Self::ModelNotLoaded { model_id },
            Failure::EventIdReused { event_id, first_assess_time } => {
                Self::EventIdReused { event_id, first_assess_time }
            }
            Failure::NonceRefused { fault } => Self::NonceRefused { fault },
            Failure::Store(error) => Self::StoreFailed { description: error.to_string() },
        }
    }
}

impl Refusal {
    /// Refuses one bad field.
    pub fn field(field: impl Into<String>, description: impl Into<String>) -> Self {
        let mut violations = Violations::default();
        violations.add(field, description);
        Self::Invalid(violations)
    }

    /// The gRPC code.
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid(_) | Self::TooManyItems { .. } | Self::SequenceBroken { .. } => Code::InvalidArgument,
            Self::NonceRefused { .. } => Code::InvalidArgument,
            Self::EventIdReused { .. } | Self::FeedbackIdReused { .. } => Code::AlreadyExists,
            Self::ModelNotLoaded { .. } | Self::ResumeTokenLapsed => Code::FailedPrecondition,
            Self::NotFound { .. } => Code::NotFound,
            Self::Overloaded { .. } => Code::ResourceExhausted,
            Self::Unavailable { .. } => Code::Unavailable,
            Self::StoreFailed { .. } => Code::Internal,
            Self::Unimplemented { .. } => Code::Unimplemented,
            Self::DeadlineExceeded { .. } => Code::DeadlineExceeded,
            Self::Unauthenticated => Code::Unauthenticated,
        }
    }

    /// The reason in the `elsewhere` domain.
    pub fn reason(&self) -> ErrorReason {
        match self {
            Self::Invalid(violations) => reason_of(violations),
            Self::TooManyItems { .. } => ErrorReason::TooManyItems,
            Self::EventIdReused { .. } => ErrorReason::EventIdReused,
            Self::FeedbackIdReused { .. } => ErrorReason::FeedbackIdReused,
            Self::NonceRefused { .. } => ErrorReason::NonceRefused,
            Self::ResumeTokenLapsed => ErrorReason::ResumeTokenLapsed,
            Self::ModelNotLoaded { .. } => ErrorReason::ModelNotLoaded,
            Self::NotFound { .. } => ErrorReason::NotFound,
            Self::SequenceBroken { .. } => ErrorReason::SequenceBroken,
            Self::Overloaded { .. } => ErrorReason::Overloaded,
            Self::Unavailable { .. } => ErrorReason::Unavailable,
            Self::StoreFailed { .. } => ErrorReason::StoreFailed,
            Self::Unimplemented { .. } => ErrorReason::Unimplemented,
            Self::DeadlineExceeded { .. } => ErrorReason::DeadlineExceeded,
            Self::Unauthenticated => ErrorReason::Unauthenticated,
        }
    }

    /// The whole refusal, for batch results and NDJSON, where nothing limits its size.
    pub fn status(&self) -> wire::rpc::Status {
        self.status_within(usize::MAX, self.to_string())
    }

    /// The refusal of a call. Violations past what trailers carry are counted, not listed.
    pub fn to_tonic(&self) -> tonic::Status {
        let message = shorten(self.to_string());
        let details = self.status_within(TRAILER_VIOLATIONS_BYTES_MAX, message.clone()).encode_to_vec();
        tonic::Status::with_details(self.code(), message, details.into())
    }

    fn status_within(&self, violations_bytes_max: usize, message: String) -> wire::rpc::Status {
        let mut details = Vec::new();
        let bad_request = self.bad_request(violations_bytes_max);
        if !bad_request.is_empty() {
            details.push(wire::pack_detail("BadRequest", &pb::BadRequest { field_violations: bad_request }));
        }
        let info = pb::ErrorInfo {
            reason: reason_name(self.reason()).into(),
            domain: DOMAIN.into(),
            metadata: self.metadata(),
        };
        details.push(wire::pack_detail("ErrorInfo", &info));
        match self {
            Self::ModelNotLoaded { model_id } => {
                let violation = pb::precondition_failure::Violation {
                    r#type: "MODEL_NOT_LOADED".into(),
                    subject: if model_id.is_empty() { "models".into() } else { format!("models/{model_id}") },
                    description: self.to_string(),
                };
                details.push(wire::pack_detail(
                    "PreconditionFailure",
                    &pb::PreconditionFailure { violations: vec![violation] },
                ));
            }
            Self::Overloaded { retry_after } | Self::Unavailable { retry_after, .. } => {
                let mut retry = pb::RetryInfo::default();
                let delay = retry.retry_delay.get_or_insert_default();
                delay.seconds = i64::try_from(retry_after.as_secs()).unwrap_or(i64::MAX);
                delay.nanos = retry_after.subsec_nanos().cast_signed();
                details.push(wire::pack_detail("RetryInfo", &retry));
            }
            _ => {}
        }
        wire::rpc::Status { code: self.code() as i32, message, details }
    }

    fn bad_request(&self, bytes_max: usize) -> Vec<pb::bad_request::FieldViolation> {
        let one = |field: &str, description: String| {
            vec![pb::bad_request::FieldViolation { field: field.into(), description, ..Default::default() }]
        };
        match self {
            Self::Invalid(violations) => {
                let mut bytes = 0;
                violations
                    .list()
                    .iter()
                    .take_while(|violation| {
                        bytes += violation.field.len() + violation.description.len() + 8;
                        bytes <= bytes_max
                    })
                    .map(|violation| pb::bad_request::FieldViolation {
                        field: violation.field.clone(),
                        description: violation.description.clone(),
                        ..Default::default()
                    })
                    .collect()
            }
            Self::TooManyItems { field, limit, actual } => {
                one(field, format!("has {actual} entries: at most {limit}; send several requests"))
            }
            Self::NonceRefused { fault } => {
                one("event.collector.nonce", format!("{}: ask for a new one by `IssueNonce`", told(*fault)))
            }
            Self::SequenceBroken { expected } => {
                one("sequence_number", format!("must be {expected}: numbers follow one another without gaps"))
            }
            _ => Vec::new(),
        }
    }

    fn metadata(&self) -> HashMap<String, String> {
        let pairs = match self {
            Self::Invalid(violations) => {
                match (self.reason(), violations.list().first().map(|violation| violation.fault)) {
                    (ErrorReason::ColumnLengthsDiffer, Some(Fault::ColumnLengths { expected, actual })) => {
                        vec![("expected", expected.to_string()), ("actual", actual.to_string())]
                    }
                    (ErrorReason::SecretTypingRefused, _) => vec![],
                    _ => vec![("violation_count", violations.total().to_string())],
                }
            }
            Self::TooManyItems { limit, actual, .. } => {
                vec![("limit", limit.to_string()), ("actual", actual.to_string())]
            }
            Self::EventIdReused { event_id, first_assess_time } => {
                let time = wire::Timestamp::from_micros(first_assess_time.0).to_rfc3339().unwrap_or_default();
                vec![("event_id", event_id.clone()), ("first_assess_time", time)]
            }
            Self::FeedbackIdReused { feedback_id, first_record_time } => {
                let time = wire::Timestamp::from_micros(first_record_time.0).to_rfc3339().unwrap_or_default();
                vec![("feedback_id", feedback_id.clone()), ("first_record_time", time)]
            }
            Self::NonceRefused { fault } => vec![("cause", cause(*fault).to_string())],
            Self::ResumeTokenLapsed => vec![],
            Self::ModelNotLoaded { model_id } => vec![("model_id", model_id.clone())],
            Self::NotFound { resource, name } => vec![("resource", (*resource).to_string()), ("name", name.clone())],
            Self::SequenceBroken { expected } => vec![("expected_sequence_number", expected.to_string())],
            Self::Unimplemented { method } => vec![("method", (*method).to_string())],
            // Rounded up: a deadline of a microsecond is not one of nothing.
            Self::DeadlineExceeded { limit } => {
                vec![("deadline_millis", limit.as_nanos().div_ceil(1_000_000).to_string())]
            }
            Self::Overloaded { .. } | Self::Unavailable { .. } | Self::StoreFailed { .. } | Self::Unauthenticated => {
                vec![]
            }
        };
        pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
    }
}

/// A nonce's fault as `ErrorInfo` has it.
fn cause(fault: NonceFault) -> &'static str {
    match fault {
        NonceFault::Unknown => "unknown",
        NonceFault::Lapsed => "lapsed",
        NonceFault::Used => "used",
        NonceFault::OtherSession => "other_session",
    }
}

/// A nonce's fault for people.
fn told(fault: NonceFault) -> &'static str {
    match fault {
        NonceFault::Unknown => "was not issued by this service",
        NonceFault::Lapsed => "has lapsed",
        NonceFault::Used => "was used by another event",
        NonceFault::OtherSession => "was issued for another `session_id`",
    }
}

/// The narrowest reason that covers every violation.
fn reason_of(violations: &Violations) -> ErrorReason {
    let all = |holds: fn(&Fault) -> bool| {
        violations.total() == violations.list().len()
            && violations.list().iter().all(|violation| holds(&violation.fault))
    };
    if violations.none() {
        ErrorReason::InvalidFields
    } else if all(|fault| matches!(fault, Fault::ColumnLengths { .. })) {
        ErrorReason::ColumnLengthsDiffer
    } else if all(|fault| matches!(fault, Fault::SecretRefused)) {
        ErrorReason::SecretTypingRefused
    } else {
        ErrorReason::InvalidFields
    }
}

/// A reason as `ErrorInfo` has it: the enum's name without its prefix.
pub fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

/// Cuts a message for trailers at a whole character.
fn shorten(message: String) -> String {
    if message.len() <= TRAILER_MESSAGE_BYTES_MAX {
        return message;
    }
    let end = (0..=TRAILER_MESSAGE_BYTES_MAX).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
    format!("{} ... (see the details)", &message[..end])
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(violations) => write!(f, "invalid fields: {violations}"),
            Self::TooManyItems { field, limit, actual } => {
                write!(f, "`{field}` has {actual} entries: at most {limit}; send several requests")
            }
            Self::EventIdReused { event_id, first_assess_time } => {
                let time = wire::Timestamp::from_micros(first_assess_time.0).to_rfc3339().unwrap_or_default();
                write!(
                    f,
                    "`event_id` {event_id:?} was used with different content, first assessed {time}: name each event once"
                )
            }
            Self::FeedbackIdReused { feedback_id, first_record_time } => {
                let time = wire::Timestamp::from_micros(first_record_time.0).to_rfc3339().unwrap_or_default();
                write!(
                    f,
                    "`feedback_id` {feedback_id:?} was used with different content, first recorded {time}: name each entry once"
                )
            }
            Self::NonceRefused { fault } => {
                write!(f, "`event.collector.nonce` {}: ask for a new one by `IssueNonce`", told(*fault))
            }
            Self::ResumeTokenLapsed => {
                f.write_str("changes since `resume_token` can no longer be told: list the standings and watch anew")
            }
            Self::ModelNotLoaded { model_id } if model_id.is_empty() => f.write_str("no model is loaded"),
            Self::ModelNotLoaded { model_id } => {
                write!(f, "model {model_id:?} is not loaded: leave `model_id` empty for the default model")
            }
            Self::NotFound { resource, name } => write!(f, "no {resource} {name:?}"),
            Self::SequenceBroken { expected } => {
                write!(f, "`sequence_number` must be {expected}: numbers follow one another without gaps")
            }
            Self::Overloaded { retry_after } => {
                write!(f, "too many requests in flight: retry in {} ms", retry_after.as_millis())
            }
            Self::Unavailable { description, retry_after } => {
                write!(f, "the service {description}: retry in {} ms", retry_after.as_millis())
            }
            Self::StoreFailed { description } => write!(f, "the store failed: {description}"),
            Self::Unimplemented { method } => write!(f, "{method} is not implemented in this release"),
            Self::DeadlineExceeded { limit } => {
                write!(f, "the call took longer than its deadline of {limit:?}: repeat it as it was")
            }
            Self::Unauthenticated => {
                f.write_str("send `authorization: Bearer <token>` with a token of a configured tenant")
            }
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for tonic::Status {
    fn from(refusal: Refusal) -> Self {
        refusal.to_tonic()
    }
}

#[cfg(test)]
mod tests;
