//! The names of the contract, from its descriptors, and those of the settings.

use elsewhere::api::wire::FILE_DESCRIPTOR_SET;
use elsewhere::config::ConfigUnchecked;
use elsewhere::risk::{Advice, RiskLevel};
use elsewhere::sinks::Metrics;
use elsewhere::sinks::metrics::{Beside, Door, Drifted};
use prost::Message;
use std::collections::BTreeSet;

#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(message, repeated, tag = "1")]
    file: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(string, optional, tag = "2")]
    package: Option<String>,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<Named>,
    #[prost(message, repeated, tag = "5")]
    enums: Vec<Named>,
    #[prost(message, repeated, tag = "6")]
    services: Vec<Named>,
}

/// A message with its fields, an enum with its values, a service with its methods: all are a name and named parts.
#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Message)]
struct Part {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
}

/// Status codes of gRPC and health that the book names.
const CODES: [&str; 13] = [
    "INVALID_ARGUMENT",
    "ALREADY_EXISTS",
    "NOT_FOUND",
    "FAILED_PRECONDITION",
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
    "INTERNAL",
    "UNIMPLEMENTED",
    "DEADLINE_EXCEEDED",
    "UNAUTHENTICATED",
    "CANCELLED",
    "SERVING",
    "NOT_SERVING",
];

/// The series on the page of metrics, counters as they are sampled.
fn series() -> impl Iterator<Item = String> {
    let metrics = Metrics::new(Door::default);
    metrics.verdict(RiskLevel::Low, Advice::Continue, true);
    let beside = Beside { model_id: "next", level: RiskLevel::Low, difference: 0.0, flagged: false };
    metrics.beside(RiskLevel::Low, false, beside);
    metrics.drift(1, &[Drifted { feature: "typing.rollover_rate", against: "past", index: 0.0 }]);
    metrics.models([("one", String::new(), "default")].into_iter());
    let text = metrics.text().expect("a page");
    let name = |line: &str| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        Some(if kind == "counter" { format!("{name}_total") } else { name.to_string() })
    };
    text.lines().filter_map(name).collect::<Vec<_>>().into_iter()
}

/// Every name a caller can meet.
pub struct Names {
    /// Messages, enums, services, methods.
    types: BTreeSet<String>,
    fields: BTreeSet<String>,
    values: BTreeSet<String>,
    methods: BTreeSet<String>,
}

impl Names {
    pub fn of_the_contract() -> Names {
        let set = Set::decode(FILE_DESCRIPTOR_SET).expect("descriptors");
        let mut names = Names {
            types: BTreeSet::new(),
            fields: BTreeSet::new(),
            values: BTreeSet::new(),
            methods: BTreeSet::new(),
        };
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        for file in &set.file {
            for (many, into) in [(&file.messages, &mut names.fields), (&file.enums, &mut names.values)] {
                for one in many {
                    names.types.insert(name(&one.name));
                    into.extend(one.parts.iter().map(|part| name(&part.name)));
                }
            }
            for service in &file.services {
                names.types.insert(name(&service.name));
                for method in &service.parts {
                    names.types.insert(name(&method.name));
                    let package = name(&file.package);
                    names.methods.insert(format!("{package}.{}/{}", name(&service.name), name(&method.name)));
                }
            }
        }
        assert!(names.methods.len() > 15, "the descriptors name {} methods", names.methods.len());
        names.methods.insert("grpc.health.v1.Health/Check".into());
        // Details of errors, from google.rpc.
        names.types.extend(["ErrorInfo", "BadRequest", "RetryInfo"].map(String::from));
        names.values.extend(CODES.map(String::from));
        let settings = serde_json::to_value(ConfigUnchecked::default()).expect("JSON");
        names.fields.extend(settings.as_object().expect("settings").keys().cloned());
        names.fields.extend(["token_sha256"].map(String::from));
        names.fields.extend(series());
        names
    }

    pub fn has_method(&self, path: &str) -> bool {
        self.methods.contains(path)
    }

    /// Whether a word is no name of ours by its shape, or is one that exists. Values may leave off their enum's name.
    pub fn knows(&self, word: &str) -> bool {
        let capitals = word.chars().filter(char::is_ascii_uppercase).count();
        let has = |small: bool| word.chars().any(|c| if small { c.is_ascii_lowercase() } else { c == '_' });
        if word.starts_with("ELSEWHERE_") {
            return true;
        }
        if capitals > 2 && !has(true) {
            let ending = format!("_{word}");
            return self.values.iter().any(|value| value == word || value.ends_with(&ending));
        }
        if capitals >= 2 && !has(false) {
            return self.types.contains(word);
        }
        if capitals == 0 && has(false) {
            return self.fields.contains(word);
        }
        true
    }
}
