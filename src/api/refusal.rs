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
            Self::EventIdReused { .. } => Code::AlreadyExists,
            Self::ModelNotLoaded { .. } => Code::FailedPrecondition,
            Self::NotFound { .. } => Code::NotFound,
            Self::Overloaded { .. } => Code::ResourceExhausted,
            Self::Unavailable { .. } => Code::Unavailable,
            Self::StoreFailed { .. } => Code::Internal,
            Self::Unimplemented { .. } => Code::Unimplemented,
        }
    }

    /// The reason in the `elsewhere` domain.
    pub fn reason(&self) -> ErrorReason {
        match self {
            Self::Invalid(violations) => reason_of(violations),
            Self::TooManyItems { .. } => ErrorReason::TooManyItems,
            Self::EventIdReused { .. } => ErrorReason::EventIdReused,
            Self::ModelNotLoaded { .. } => ErrorReason::ModelNotLoaded,
            Self::NotFound { .. } => ErrorReason::NotFound,
            Self::SequenceBroken { .. } => ErrorReason::SequenceBroken,
            Self::Overloaded { .. } => ErrorReason::Overloaded,
            Self::Unavailable { .. } => ErrorReason::Unavailable,
            Self::StoreFailed { .. } => ErrorReason::StoreFailed,
            Self::Unimplemented { .. } => ErrorReason::Unimplemented,
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
            Self::ModelNotLoaded { model_id } => vec![("model_id", model_id.clone())],
            Self::NotFound { resource, name } => vec![("resource", (*resource).to_string()), ("name", name.clone())],
            Self::SequenceBroken { expected } => vec![("expected_sequence_number", expected.to_string())],
            Self::Unimplemented { method } => vec![("method", (*method).to_string())],
            Self::Overloaded { .. } | Self::Unavailable { .. } | Self::StoreFailed { .. } => vec![],
        };
        pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
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
mod tests {
    use super::*;
    use crate::event::Violation;

    fn info(refusal: &Refusal) -> serde_json::Value {
        let status = serde_json::to_value(refusal.status()).unwrap();
        let details = status["details"].as_array().unwrap();
        details.iter().find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo").unwrap().clone()
    }

    fn lengths(field: &str) -> Violation {
        Violation {
            field: field.into(),
            description: "has 50 entries".into(),
            fault: Fault::ColumnLengths { expected: 51, actual: 50 },
        }
    }

    #[test]
    fn unequal_columns_alone_have_a_reason_of_their_own() {
        let mut violations = Violations::default();
        violations.push(lengths("event.typing.dwell_micros"));
        let info_alone = info(&Refusal::Invalid(violations));
        assert_eq!(info_alone["reason"], "COLUMN_LENGTHS_DIFFER");
        assert_eq!(info_alone["domain"], "elsewhere");
        assert_eq!(info_alone["metadata"], serde_json::json!({"expected": "51", "actual": "50"}));

        let mut violations = Violations::default();
        violations.push(lengths("event.typing.dwell_micros"));
        violations.add("event.activity", "is unspecified");
        let info_mixed = info(&Refusal::Invalid(violations));
        assert_eq!(info_mixed["reason"], "INVALID_FIELDS");
        assert_eq!(info_mixed["metadata"], serde_json::json!({"violation_count": "2"}));
    }

    #[test]
    fn a_secret_alone_has_a_reason_of_its_own() {
        let mut violations = Violations::default();
        violations.push(Violation {
            field: "event.typing.context".into(),
            description: "is".into(),
            fault: Fault::SecretRefused,
        });
        assert_eq!(info(&Refusal::Invalid(violations))["reason"], "SECRET_TYPING_REFUSED");
    }

    #[test]
    fn the_message_names_every_field() {
        let mut violations = Violations::default();
        violations.add("event.activity", "is unspecified");
        violations.add("event.claim.region_code", "is required");
        let status = Refusal::Invalid(violations).status();
        assert_eq!(status.code, 3);
        assert_eq!(
            status.message,
            "invalid fields: `event.activity` is unspecified; `event.claim.region_code` is required"
        );
    }

    #[test]
    fn a_reused_name_says_when_it_was_first_assessed() {
        let refusal =
            Refusal::EventIdReused { event_id: "e1".into(), first_assess_time: EventTime(1_780_000_000_000_000) };
        assert_eq!(refusal.code(), Code::AlreadyExists);
        let info = info(&refusal);
        assert_eq!(info["reason"], "EVENT_ID_REUSED");
        assert_eq!(
            info["metadata"],
            serde_json::json!({"event_id": "e1", "first_assess_time": "2026-05-28T20:26:40Z"})
        );
    }

    #[test]
    fn shed_load_says_when_to_come_back() {
        let refusal = Refusal::Overloaded { retry_after: Duration::from_millis(1500) };
        let status = serde_json::to_value(refusal.status()).unwrap();
        assert_eq!(status["code"], 8);
        assert_eq!(status["details"][1]["retryDelay"], "1.500s");
    }

    #[test]
    fn trailers_stay_under_eight_kibibytes_and_count_what_they_leave_out() {
        let mut violations = Violations::default();
        for index in 0..10_000 {
            violations.add(
                format!("event.typing.dwell_micros[{index}]"),
                "is 9999999: at most 2000000; check its unit, or cut it",
            );
        }
        let status = Refusal::Invalid(violations).to_tonic();
        // Worst case: every byte of the message percent-encoded, details in base64.
        assert!(
            status.message().len() * 3 / 2 + status.details().len() * 4 / 3 < 8_000,
            "{} {}",
            status.message().len(),
            status.details().len()
        );
        let decoded = wire::rpc::Status::decode(status.details()).unwrap();
        let json = serde_json::to_value(decoded).unwrap();
        assert_eq!(json["details"][1]["metadata"]["violation_count"], "10000");
        assert!(json["details"][0]["fieldViolations"].as_array().unwrap().len() > 20);
    }
}
