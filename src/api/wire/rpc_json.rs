//! JSON of `google.rpc.Status`: its details are `Any`, shown by what they hold.
//!
//! Worked example: a status with one bad field prints as
//! `{"code":3,"message":"...","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[...]}]}`.
//! A detail of a type not listed here is printed as its bytes in base64 under `value`, and comes back unchanged.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pbjson::private::base64;
use prost::Message;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tonic_types::pb;

use super::number::Number;
use super::rpc::Status;
use super::well_known::{Any, Duration};

const PREFIX: &str = "type.googleapis.com/google.rpc.";

/// A detail as JSON shows it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Detail {
    Known(Known),
    Other {
        #[serde(rename = "@type")]
        type_url: String,
        #[serde(default)]
        value: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "@type", rename_all_fields = "camelCase")]
enum Known {
    #[serde(rename = "type.googleapis.com/google.rpc.BadRequest")]
    BadRequest {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        field_violations: Vec<FieldViolation>,
    },
    #[serde(rename = "type.googleapis.com/google.rpc.ErrorInfo")]
    ErrorInfo {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        domain: String,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        metadata: BTreeMap<String, String>,
    },
    #[serde(rename = "type.googleapis.com/google.rpc.RetryInfo")]
    RetryInfo {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_delay: Option<Duration>,
    },
    #[serde(rename = "type.googleapis.com/google.rpc.PreconditionFailure")]
    PreconditionFailure {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        violations: Vec<PreconditionViolation>,
    },
    #[serde(rename = "type.googleapis.com/google.rpc.QuotaFailure")]
    QuotaFailure {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        violations: Vec<QuotaViolation>,
    },
}

#[derive(Serialize, Deserialize)]
struct FieldViolation {
    #[serde(default)]
    field: String,
    #[serde(default)]
    description: String,
}

#[derive(Serialize, Deserialize)]
struct PreconditionViolation {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    description: String,
}

#[derive(Serialize, Deserialize)]
struct QuotaViolation {
    #[serde(default)]
    subject: String,
    #[serde(default)]
    description: String,
}

fn show(any: &Any) -> Detail {
    known(any).map_or_else(
        || Detail::Other { type_url: any.type_url.clone(), value: STANDARD.encode(&any.value) },
        Detail::Known,
    )
}

fn known(any: &Any) -> Option<Known> {
    let bytes = any.value.as_slice();
    Some(match any.type_url.strip_prefix(PREFIX)? {
        "BadRequest" => Known::BadRequest {
            field_violations: pb::BadRequest::decode(bytes)
                .ok()?
                .field_violations
                .into_iter()
                .map(|violation| FieldViolation { field: violation.field, description: violation.description })
                .collect(),
        },
        "ErrorInfo" => {
            let info = pb::ErrorInfo::decode(bytes).ok()?;
            Known::ErrorInfo { reason: info.reason, domain: info.domain, metadata: info.metadata.into_iter().collect() }
        }
        "RetryInfo" => Known::RetryInfo {
            retry_delay: pb::RetryInfo::decode(bytes)
                .ok()?
                .retry_delay
                .map(|delay| Duration { seconds: delay.seconds, nanos: delay.nanos }),
        },
        "PreconditionFailure" => Known::PreconditionFailure {
            violations: pb::PreconditionFailure::decode(bytes)
                .ok()?
                .violations
                .into_iter()
                .map(|violation| PreconditionViolation {
                    kind: violation.r#type,
                    subject: violation.subject,
                    description: violation.description,
                })
                .collect(),
        },
        "QuotaFailure" => Known::QuotaFailure {
            violations: pb::QuotaFailure::decode(bytes)
                .ok()?
                .violations
                .into_iter()
                .map(|violation| QuotaViolation { subject: violation.subject, description: violation.description })
                .collect(),
        },
        _ => return None,
    })
}

/// Packs a `google.rpc` detail.
pub(in crate::api) fn pack(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("{PREFIX}{name}"), value: message.encode_to_vec() }
}

fn read(detail: Detail) -> Result<Any, String> {
    Ok(match detail {
        Detail::Other { type_url, value } => {
            let value =
                STANDARD.decode(&value).map_err(|error| format!("`value` of `{type_url}` is not base64: {error}"))?;
            Any { type_url, value }
        }
        Detail::Known(Known::BadRequest { field_violations }) => {
            let field_violations = field_violations
                .into_iter()
                .map(|violation| pb::bad_request::FieldViolation {
                    field: violation.field,
                    description: violation.description,
                    ..Default::default()
                })
                .collect();
            pack("BadRequest", &pb::BadRequest { field_violations })
        }
        Detail::Known(Known::ErrorInfo { reason, domain, metadata }) => {
            pack("ErrorInfo", &pb::ErrorInfo { reason, domain, metadata: metadata.into_iter().collect() })
        }
        Detail::Known(Known::RetryInfo { retry_delay }) => {
            let delay = retry_delay.unwrap_or_default();
            let mut info = pb::RetryInfo::default();
            if retry_delay.is_some() {
                let message = info.retry_delay.get_or_insert_default();
                (message.seconds, message.nanos) = (delay.seconds, delay.nanos);
            }
            pack("RetryInfo", &info)
        }
        Detail::Known(Known::PreconditionFailure { violations }) => {
            let violations = violations
                .into_iter()
                .map(|violation| pb::precondition_failure::Violation {
                    r#type: violation.kind,
                    subject: violation.subject,
                    description: violation.description,
                })
                .collect();
            pack("PreconditionFailure", &pb::PreconditionFailure { violations })
        }
        Detail::Known(Known::QuotaFailure { violations }) => {
            let violations = violations
                .into_iter()
                .map(|violation| pb::quota_failure::Violation {
                    subject: violation.subject,
                    description: violation.description,
                    ..Default::default()
                })
                .collect();
            pack("QuotaFailure", &pb::QuotaFailure { violations })
        }
    })
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields =
            usize::from(self.code != 0) + usize::from(!self.message.is_empty()) + usize::from(!self.details.is_empty());
        let mut status = serializer.serialize_struct("google.rpc.Status", fields)?;
        if self.code != 0 {
            status.serialize_field("code", &self.code)?;
        }
        if !self.message.is_empty() {
            status.serialize_field("message", &self.message)?;
        }
        if !self.details.is_empty() {
            status.serialize_field("details", &self.details.iter().map(show).collect::<Vec<_>>())?;
        }
        status.end()
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            code: Option<Number<i32>>,
            #[serde(default)]
            message: String,
            #[serde(default)]
            details: Vec<Detail>,
        }
        let fields = Fields::deserialize(deserializer)?;
        let details =
            fields.details.into_iter().map(read).collect::<Result<_, _>>().map_err(serde::de::Error::custom)?;
        Ok(Status { code: fields.code.map_or(0, |code| code.0), message: fields.message, details })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_detail_is_shown_and_comes_back() {
        let json = concat!(
            r#"{"code":3,"message":"m","details":["#,
            r#"{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"event.activity","description":"d"}]},"#,
            r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"INVALID_FIELDS","domain":"elsewhere","metadata":{"violation_count":"1"}},"#,
            r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"},"#,
            r#"{"@type":"type.googleapis.com/google.rpc.PreconditionFailure","violations":[{"type":"t","subject":"s","description":"d"}]},"#,
            r#"{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"subject":"s","description":"d"}]},"#,
            r#"{"@type":"type.googleapis.com/other.Thing","value":"AQI="}]}"#,
        );
        let status: Status = serde_json::from_str(json).unwrap();
        assert_eq!(status.details.len(), 6);
        assert_eq!(status.details[5].value, [1, 2]);
        assert_eq!(serde_json::to_string(&status).unwrap(), json);
    }

    #[test]
    fn ok_is_empty() {
        assert_eq!(serde_json::to_string(&Status::default()).unwrap(), "{}");
    }
}
