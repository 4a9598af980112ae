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
    let refusal = Refusal::EventIdReused { event_id: "e1".into(), first_assess_time: EventTime(1_780_000_000_000_000) };
    assert_eq!(refusal.code(), Code::AlreadyExists);
    let info = info(&refusal);
    assert_eq!(info["reason"], "EVENT_ID_REUSED");
    assert_eq!(info["metadata"], serde_json::json!({"event_id": "e1", "first_assess_time": "2026-05-28T20:26:40Z"}));
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
