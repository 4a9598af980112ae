//! One line of NDJSON to a request, or every violation in it at once.
//!
//! The fast road is the generated reader, which stops at the first fault. A line that it refuses is read again as plain
//! JSON and held against the table of fields: every ill-typed value, unknown name, unknown enum value and repeated
//! name is recorded under its proto path and replaced by a neutral one, so that the rest can be read and checked.
//!
//! Worked example: in `{"event":{"activity":"LOGIN","typing":{"dwellMicros":[90000,"x"]}}}` two faults are named,
//! `event.activity` and `event.typing.dwell_micros[1]`; the event room then adds `event.event_id` and others that are
//! missing, but not a second word on the two.

use std::fmt;

use pbjson::private::BytesDeserialize;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number as JsonNumber, Value};

use super::assess::told;
use super::convert;
use super::wire::number::{Number, Numeric};
use super::wire::request_fields::{ASSESS_SESSION_REQUEST, Enum, Field, Kind, Message};
use super::wire::well_known::{DURATION_EXPECTED, TIMESTAMP_EXPECTED};
use super::wire::{AssessSessionRequest, Duration, ProfileUpdate, Timestamp};
use crate::addresses::AddressBook;
use crate::event::{Event, Rules, Violation, Violations};

/// Longest part of a value of the caller's that is shown back.
const SHOWN_CHARS_MAX: usize = 40;
/// Longest name of an unknown field that is shown back.
const NAME_CHARS_MAX: usize = 64;

/// What could be read of a line.
#[derive(Debug)]
pub struct Parsed {
    /// The request, ill-typed values replaced by neutral ones; `None` when the line is no JSON object.
    pub request: Option<AssessSessionRequest>,
    /// What is wrong with the line so far; [`Parsed::check`] adds what the event room finds.
    pub violations: Violations,
    /// The event's name, where one can be read even from a bad line; empty otherwise.
    pub event_id: String,
}

/// A request that passed every check.
#[derive(Debug)]
pub struct Checked {
    /// The event.
    pub event: Event,
    /// Hash of the event in canonical form, for telling repeats from reused names.
    pub content_hash: [u8; 32],
    /// What it may teach.
    pub profile_update: ProfileUpdate,
    /// The model asked for; empty for the default.
    pub model_id: String,
}

/// Reads one line.
pub fn parse(line: &str) -> Parsed {
    let mut parsed = match serde_json::from_str::<AssessSessionRequest>(line) {
        Ok(request) => {
            let event_id = request.event.as_ref().map(|event| event.event_id.clone()).unwrap_or_default();
            Parsed { request: Some(request), violations: Violations::default(), event_id }
        }
        Err(_) => examine(line),
    };
    let event_missing = parsed.request.as_ref().is_some_and(|request| request.event.is_none());
    if event_missing && !parsed.violations.names("event") {
        parsed.violations.add("event", "is required: send the session event to score");
    }
    parsed
}

impl Parsed {
    /// Checks the event too. Returns its name for the echo, and the request or every violation.
    pub fn check(self, rules: &Rules) -> (String, Result<Checked, Violations>) {
        self.check_with(rules, &AddressBook::default())
    }

    /// As [`Parsed::check`], with what the operator's databases tell of the address.
    pub fn check_with(mut self, rules: &Rules, addresses: &AddressBook) -> (String, Result<Checked, Violations>) {
        let Some(request) = self.request.take() else {
            return (self.event_id, Err(self.violations));
        };
        let mut semantic = Violations::default();
        let content_hash = request.event.as_ref().map(convert::content_hash).unwrap_or_default();
        let event =
            request.event.and_then(|event| told(convert::event(event), addresses).check("event", rules, &mut semantic));
        self.add_semantic(&semantic);
        let profile_update = convert::profile_update(request.profile_update, &mut self.violations);
        match (event, profile_update) {
            (Some(event), Some(profile_update)) if self.violations.none() => {
                (self.event_id, Ok(Checked { event, content_hash, profile_update, model_id: request.model_id }))
            }
            _ => (self.event_id, Err(self.violations)),
        }
    }

    /// Adds what the event room found, but for what only follows from a value replaced here.
    pub fn add_semantic(&mut self, semantic: &Violations) {
        let replaced: Vec<String> = self.violations.list().iter().map(|violation| violation.field.clone()).collect();
        for violation in semantic.list() {
            if !replaced.iter().any(|field| follows_from(violation, field)) {
                self.violations.push(violation.clone());
            }
        }
    }
}

/// Whether a violation may only be there because `replaced` was.
///
/// It is when it names the same field, one within it, the message around it (now perhaps empty), or when it compares a
/// field beside it with it, which its description then names.
fn follows_from(violation: &Violation, replaced: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let around = replaced.strip_prefix(violation.field.as_str()).is_some_and(|rest| rest.starts_with('.'));
    if around || within(&violation.field, replaced) {
        return true;
    }
    if replaced.ends_with(']') {
        return false;
    }
    let (parent, name) = replaced.rsplit_once('.').unwrap_or(("", replaced));
    within(&violation.field, parent) && violation.description.contains(&format!("`{name}`"))
}

fn examine(line: &str) -> Parsed {
    let mut violations = Violations::default();
    let entries = match serde_json::from_str::<Json>(line) {
        Ok(Json::Object(entries)) => entries,
        Ok(other) => {
            violations.add("line", format!("is {}: send one request as a JSON object", other.shown()));
            return Parsed { request: None, violations, event_id: String::new() };
        }
        Err(error) => {
            violations.add("line", format!("is not JSON: {error}"));
            return Parsed { request: None, violations, event_id: event_id_of_text(line) };
        }
    };
    let event_id = event_id_of(&entries);
    let mended = check_message("", entries, &ASSESS_SESSION_REQUEST, &mut violations);
    let request = AssessSessionRequest::deserialize(&mended).unwrap_or_else(|error| {
        // The table and the generated reader come from one descriptor; should they ever differ, nothing is scored.
        violations.add("line", format!("cannot be read: {error}"));
        AssessSessionRequest::default()
    });
    Parsed { request: Some(request), violations, event_id }
}

fn event_id_of(entries: &[(String, Json)]) -> String {
    let event = entries.iter().find(|(name, _)| name == "event").map(|(_, value)| value);
    let Some(Json::Object(event)) = event else {
        return String::new();
    };
    match event.iter().find(|(name, _)| name == "eventId" || name == "event_id") {
        Some((_, Json::Text(id))) => id.clone(),
        _ => String::new(),
    }
}

/// Finds `"eventId": "..."` in a line that is no JSON, so that its sender can tell which one it was.
fn event_id_of_text(line: &str) -> String {
    ["\"eventId\"", "\"event_id\""]
        .iter()
        .filter_map(|name| {
            let rest = &line[line.find(name)? + name.len()..];
            let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
            let id = &rest[..rest.find('"')?];
            let plain = id.len() <= crate::event::limits::IDENTIFIER_BYTES_MAX && !id.contains('\\');
            plain.then(|| id.to_string())
        })
        .next()
        .unwrap_or_default()
}

/// Holds an object against its message; returns what is sound of it.
fn check_message(path: &str, entries: Vec<(String, Json)>, message: &Message, v: &mut Violations) -> Value {
    let mut slots: Vec<Option<Json>> = message.fields.iter().map(|_| None).collect();
    let mut given = vec![0_usize; message.fields.len()];
    let mut unknown = Vec::new();
    for (name, value) in entries {
        match message.fields.iter().position(|field| field.json == name || field.proto == name) {
            Some(index) => {
                given[index] += 1;
                slots[index].get_or_insert(value);
            }
            None => unknown.push(name),
        }
    }
    let mut sound = Map::new();
    for ((field, value), count) in message.fields.iter().zip(slots).zip(given) {
        let at = if path.is_empty() { field.proto.to_string() } else { format!("{path}.{}", field.proto) };
        if count > 1 {
            v.add(&at, format!("is given {count} times: send it once"));
        }
        // Proto3 JSON reads null as absent.
        if let Some(value) = value.filter(|value| !matches!(value, Json::Null))
            && let Some(value) = check_field(&at, field, value, v)
        {
            sound.insert(field.json.to_string(), value);
        }
    }
    for name in unknown {
        let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
        let at = if path.is_empty() { shown } else { format!("{path}.{shown}") };
        v.add(at, "is not a field of this version: check its spelling, or leave it out");
    }
    Value::Object(sound)
}

fn check_field(at: &str, field: &Field, value: Json, v: &mut Violations) -> Option<Value> {
    if !field.repeated {
        return check_value(at, field.kind, value, v);
    }
    let Json::List(items) = value else {
        v.add(at, format!("is {}: send a list", value.shown()));
        return None;
    };
    let sound = items
        .into_iter()
        .enumerate()
        .map(|(index, item)| match quick(field.kind, &item) {
            Some(value) => value,
            None => check_value(&format!("{at}[{index}]"), field.kind, item, v).unwrap_or_else(|| neutral(field.kind)),
        })
        .collect();
    Some(Value::Array(sound))
}

/// Takes the commonest sound entries of a column without making a path for each.
fn quick(kind: Kind, item: &Json) -> Option<Value> {
    match (kind, item) {
        (Kind::Uint32, Json::Number(number)) => {
            number.as_u64().is_some_and(|value| u32::try_from(value).is_ok()).then(|| Value::Number(number.clone()))
        }
        (Kind::Sint32, Json::Number(number)) => {
            number.as_i64().is_some_and(|value| i32::try_from(value).is_ok()).then(|| Value::Number(number.clone()))
        }
        _ => None,
    }
}

/// What stands in for a bad entry, so that a column keeps its length.
fn neutral(kind: Kind) -> Value {
    match kind {
        Kind::Bool => Value::Bool(false),
        Kind::Uint32 | Kind::Sint32 | Kind::Sint64 | Kind::Double | Kind::Enum(_) => Value::from(0),
        Kind::Text | Kind::Bytes => Value::from(""),
        Kind::Timestamp => Value::from("1970-01-01T00:00:00Z"),
        Kind::Duration => Value::from("0s"),
        Kind::Message(_) => Value::Object(Map::new()),
    }
}

fn check_value(at: &str, kind: Kind, value: Json, v: &mut Violations) -> Option<Value> {
    let (sound, expected) = match kind {
        Kind::Message(message) => {
            return match value {
                Json::Object(entries) => Some(check_message(at, entries, message, v)),
                other => {
                    v.add(at, format!("is {}: send an object", other.shown()));
                    None
                }
            };
        }
        Kind::Enum(listing) => return check_enum(at, listing, value, v),
        Kind::Bool => (matches!(value, Json::Bool(_)), "true or false"),
        Kind::Text => (matches!(value, Json::Text(_)), "a text"),
        Kind::Uint32 => (reads::<Number<u32>>(&value), u32::EXPECTED),
        Kind::Sint32 => (reads::<Number<i32>>(&value), i32::EXPECTED),
        Kind::Sint64 => (reads::<Number<i64>>(&value), i64::EXPECTED),
        Kind::Double => (reads::<Number<f64>>(&value), f64::EXPECTED),
        Kind::Bytes => (reads::<BytesDeserialize<Vec<u8>>>(&value), "bytes in base64"),
        Kind::Timestamp => (reads::<Timestamp>(&value), TIMESTAMP_EXPECTED),
        Kind::Duration => (reads::<Duration>(&value), DURATION_EXPECTED),
    };
    if !sound {
        v.add(at, format!("is {}: send {expected}", value.shown()));
        return None;
    }
    value.into_scalar()
}

fn check_enum(at: &str, listing: &Enum, value: Json, v: &mut Violations) -> Option<Value> {
    let number = match &value {
        Json::Text(text) => listing.values.iter().find(|(name, _)| name == text).map(|(_, number)| *number),
        Json::Number(number) => {
            let number = number.as_f64().and_then(i32::from_f64);
            number.filter(|number| listing.values.iter().any(|(_, known)| known == number))
        }
        _ => None,
    };
    if number.is_none() {
        // The first value is `_UNSPECIFIED`, which is no advice.
        let names: Vec<&str> = listing.values.iter().skip(1).map(|(name, _)| *name).collect();
        v.add(at, format!("is {}: send one of {}", value.shown(), names.join(", ")));
    }
    number.map(Value::from)
}

fn reads<'a, T: Deserialize<'a>>(value: &'a Json) -> bool {
    let read = match value {
        Json::Text(text) => T::deserialize(serde::de::value::BorrowedStrDeserializer::<serde_json::Error>::new(text)),
        Json::Number(number) => T::deserialize(number),
        _ => return false,
    };
    read.is_ok()
}

/// JSON that keeps names repeated within one object, which `serde_json::Value` does not.
#[derive(Debug, Clone, PartialEq)]
enum Json {
    Null,
    Bool(bool),
    Number(JsonNumber),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The value as a message shows it back.
    fn shown(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => {
                let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
                let cut = if start.len() < text.len() { "..." } else { "" };
                format!("the text {start:?}{cut}")
            }
            Self::List(_) => "a list".into(),
            Self::Object(_) => "an object".into(),
        }
    }

    fn into_scalar(self) -> Option<Value> {
        match self {
            Self::Bool(value) => Some(Value::Bool(value)),
            Self::Number(number) => Some(Value::Number(number)),
            Self::Text(text) => Some(Value::String(text)),
            Self::Null | Self::List(_) | Self::Object(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        JsonNumber::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TablePolicy;

    const RULES: Rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };

    const SOUND: &str = r#"{"event":{"eventId":"e1","workerId":"w1","eventTime":"2026-05-28T20:26:40Z","activity":"SESSION_ACTIVITY_LOGON","typing":{"context":"TYPING_CONTEXT_FREE_TEXT","pressIntervalMicros":[0,150000],"dwellMicros":[90000,80000],"keyClasses":["KEY_CLASS_LETTER","KEY_CLASS_SPACE"],"timerResolutionMicros":1000},"network":{"ipToken":"AAECAwQFBgcICQoLDA0ODw==","tcpRttMicros":[20000]}},"profileUpdate":"PROFILE_UPDATE_NEVER"}"#;

    fn fields(line: &str) -> Vec<String> {
        let (_, outcome) = parse(line).check(&RULES);
        outcome
            .err()
            .map(|violations| violations.list().iter().map(|violation| violation.field.clone()).collect())
            .unwrap_or_default()
    }

    /// Puts `new` in the place of `old` in a sound line and returns the fields refused.
    fn spoilt(changes: &[(&str, &str)]) -> Vec<String> {
        let mut line = SOUND.to_string();
        for (old, new) in changes {
            assert!(line.contains(old), "{old} is not in the sound line");
            line = line.replacen(old, new, 1);
        }
        fields(&line)
    }

    #[test]
    fn a_sound_line_passes_in_both_spellings() {
        let (event_id, outcome) = parse(SOUND).check(&RULES);
        let checked = outcome.unwrap();
        assert_eq!((event_id.as_str(), checked.event.event_id.as_str()), ("e1", "e1"));
        assert_eq!(checked.profile_update, ProfileUpdate::Never);
        let snake = SOUND
            .replace("eventId", "event_id")
            .replace("dwellMicros", "dwell_micros")
            .replace("profileUpdate", "profile_update");
        assert_eq!(fields(&snake), [""; 0]);
    }

    #[test]
    fn enums_may_come_as_numbers_and_null_is_absent() {
        assert_eq!(spoilt(&[("\"SESSION_ACTIVITY_LOGON\"", "1")]), [""; 0]);
        assert_eq!(spoilt(&[("\"SESSION_ACTIVITY_LOGON\"", "1.0")]), [""; 0]);
        assert_eq!(spoilt(&[("\"workerId\"", "\"sessionId\":null,\"claim\":null,\"workerId\"")]), [""; 0]);
    }

    #[test]
    fn every_ill_typed_value_is_named_at_once() {
        let found = spoilt(&[
            ("\"SESSION_ACTIVITY_LOGON\"", "\"LOGIN\""),
            ("[90000,80000]", "[90000,\"x\"]"),
            ("\"KEY_CLASS_SPACE\"", "77"),
            ("\"2026-05-28T20:26:40Z\"", "\"yesterday\""),
            ("AAECAwQFBgcICQoLDA0ODw==", "not base64"),
            ("[20000]", "[20000,-1,null]"),
            ("\"PROFILE_UPDATE_NEVER\"", "17"),
        ]);
        let expected = [
            "event.event_time",
            "event.activity",
            "event.typing.dwell_micros[1]",
            "event.typing.key_classes[1]",
            "event.network.ip_token",
            "event.network.tcp_rtt_micros[1]",
            "event.network.tcp_rtt_micros[2]",
            "profile_update",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn faults_of_form_and_of_meaning_come_together() {
        let found =
            spoilt(&[("[90000,80000]", "[90000,\"x\",1]"), ("\"w1\"", "\"a b\""), ("\"SESSION_ACTIVITY_LOGON\"", "0")]);
        assert_eq!(
            found,
            ["event.typing.dwell_micros[1]", "event.worker_id", "event.activity", "event.typing.dwell_micros"]
        );
    }

    #[test]
    fn what_only_follows_from_a_replaced_value_is_not_named() {
        // Without its intervals, typing has nothing to compare the dwells with.
        assert_eq!(spoilt(&[("[0,150000]", "7")]), ["event.typing.press_interval_micros"]);
        // Without its one bad field, the sample is empty.
        let found = spoilt(&[("\"workerId\"", "\"timezone\":{\"utcOffsetMinutes\":\"x\"},\"workerId\"")]);
        assert_eq!(found, ["event.timezone.utc_offset_minutes"]);
        assert_eq!(spoilt(&[("\"workerId\"", "\"network2\":{},\"workerId\"")]), ["event.network2"]);
    }

    #[test]
    fn unknown_and_repeated_names_are_refused_by_path() {
        assert_eq!(
            spoilt(&[("\"timerResolutionMicros\"", "\"keyCodes\":[1],\"timerResolutionMicros\"")]),
            ["event.typing.keyCodes"]
        );
        assert_eq!(spoilt(&[("\"workerId\":\"w1\"", "\"workerId\":\"w1\",\"worker_id\":\"w2\"")]), ["event.worker_id"]);
        assert_eq!(spoilt(&[("\"workerId\":\"w1\"", "\"workerId\":\"w1\",\"workerId\":\"w1\"")]), ["event.worker_id"]);
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused_by_meaning() {
        let place = "\"claim\":{\"regionCode\":\"US\",\"place\":{\"latitudeDegrees\":\"NaN\",\"longitudeDegrees\":\"Infinity\"}},\"workerId\"";
        let found = spoilt(&[("\"workerId\"", place)]);
        assert_eq!(found, ["event.claim.place.latitude_degrees", "event.claim.place.longitude_degrees"]);
    }

    #[test]
    fn a_line_that_is_no_json_still_tells_which_event_it_was() {
        let parsed = parse(&SOUND.replace("[20000]", "[NaN]"));
        assert!(parsed.request.is_none());
        assert_eq!(parsed.event_id, "e1");
        assert!(parsed.violations.to_string().starts_with("`line` is not JSON: "), "{}", parsed.violations);
        for line in ["", "[]", "7", "\"event\"", "{", "null"] {
            assert_eq!(fields(line), ["line"], "{line}");
        }
        assert_eq!(fields("{}"), ["event"]);
        assert_eq!(fields("{\"event\":3}"), ["event"]);
    }

    #[test]
    fn a_bad_event_id_is_echoed_only_when_it_is_text() {
        assert_eq!(parse(&SOUND.replace("\"e1\"", "\"a b\"")).event_id, "a b");
        assert_eq!(parse(&SOUND.replace("\"e1\"", "7")).event_id, "");
        assert_eq!(spoilt(&[("\"e1\"", "7")]), ["event.event_id"]);
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_the_reader_panic(cut in 0..SOUND.len(), insert in "\\PC{0,6}") {
            let line = format!("{}{insert}{}", &SOUND[..cut], &SOUND[cut..]);
            let _ = parse(&line).check(&RULES);
            let _ = parse(&SOUND[..cut]).check(&RULES);
        }
    }
}
