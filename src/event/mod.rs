//! The event room: proto-shaped input becomes an [`Event`], or every violation at once.
//!
//! May import nothing of ours. What leaves this room is finite, in range and of equal lengths; nothing behind it can
//! meet a bad value. It reads no clock: the instant that "now" means arrives in [`Rules`].
//!
//! Worked example: an event whose typing has 51 presses but 50 dwells and whose latitude is NaN is refused with two
//! violations, `event.claim.place.latitude_degrees` and `event.typing.dwell_micros`, in field order.

pub mod challenge;
pub mod chunk;
pub mod claim;
pub mod device;
pub mod feedback;
pub mod gathered;
pub mod limits;
pub mod network;
pub mod pointer;
pub mod remote_input;
pub mod timezone;
pub mod typing;
pub mod violation;

pub use challenge::{ChallengeKind, ChallengeSample, ChallengeUnchecked};
pub use chunk::{Chunk, ChunkUnchecked};
pub use claim::{Claim, ClaimUnchecked, Place, PlaceUnchecked};
pub use device::{DeviceSample, DeviceUnchecked, Peripheral, PeripheralClass};
pub use feedback::{Feedback, FeedbackUnchecked, Label, LabelSource, Subject};
pub use gathered::{Added, Gathered};
pub use network::{AnchorRoundTrips, ConnectionType, DatabaseBuild, NetworkSample, NetworkUnchecked};
pub use pointer::{PointerSample, PointerSource, PointerUnchecked};
pub use remote_input::{InputPath, RemoteInputSample, RemoteInputUnchecked};
pub use timezone::{TimezoneSample, TimezoneUnchecked};
pub use typing::{
    CadenceTable, CadenceTableUnchecked, DigraphTime, KeyClass, KeyTime, TypingContext, TypingSample, TypingUnchecked,
};
pub use violation::{Fault, Violation, Violations};

use serde::{Deserialize, Serialize};
use std::fmt::Arguments;
use violation::below;

/// An instant: microseconds since 1970-01-01T00:00:00Z, in \[0, [`limits::EVENT_TIME_MICROS_MAX`]\].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct EventTime(pub i64);

impl EventTime {
    /// Microseconds from `earlier` to this instant; negative when `earlier` is later.
    pub fn micros_since(self, earlier: EventTime) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Days from `earlier` to this instant, never negative: late events age nothing.
    pub fn days_since(self, earlier: EventTime) -> f64 {
        self.micros_since(earlier).max(0) as f64 / MICROS_PER_DAY
    }

    /// Whole days since 1970, UTC.
    pub fn day_number(self) -> i64 {
        self.0.div_euclid(MICROS_PER_DAY as i64)
    }
}

/// Microseconds in a day.
pub const MICROS_PER_DAY: f64 = 86_400.0e6;

/// A keyed hash made by the caller, folded to 16 bytes.
///
/// Longer hashes are cut: 128 bits tell any tenant's tokens apart, and nothing here can turn them back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Token(pub [u8; 16]);

/// What was happening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SessionActivity {
    /// A new session was asked for.
    Logon,
    /// A stronger factor was asked for inside a session.
    StepUp,
    /// A locked session was opened again.
    Unlock,
    /// Ordinary use inside a session.
    InSession,
    /// The session ended.
    Logoff,
}

/// What gathered the samples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CollectorReport {
    /// Name and version; empty when not said.
    pub name: String,
    /// The nonce issued for this login; empty when none was asked for.
    pub nonce: String,
    /// Position among the collector's reports, from 0.
    pub sequence_number: u32,
}

/// One login, or one stretch of a session, checked: who and when in the envelope, what was measured in the samples.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Names this event for idempotency and audit.
    pub event_id: String,
    /// The worker, a pseudonym.
    pub worker_id: String,
    /// The session; empty when not said.
    pub session_id: String,
    /// What `evidence` may see: everything but the identifiers above.
    pub samples: Samples,
}

/// What was measured around one event. Carries no identifier: two people with equal samples get equal measurements.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Samples {
    /// When it happened.
    pub time: EventTime,
    /// What was happening.
    pub activity: SessionActivity,
    /// Where the worker is supposed to be.
    pub claim: Option<Claim>,
    /// The client's clock.
    pub timezone: Option<TimezoneSample>,
    /// The rhythm of typing.
    pub typing: Option<TypingSample>,
    /// How input reached the machine.
    pub remote_input: Option<RemoteInputSample>,
    /// The path to the caller.
    pub network: Option<NetworkSample>,
    /// The machine.
    pub device: Option<DeviceSample>,
    /// Pointer motion.
    pub pointer: Option<PointerSample>,
    /// Answers to prompts.
    pub challenge: Option<ChallengeSample>,
    /// A table of free typing.
    pub cadence: Option<CadenceTable>,
    /// How long the person was active up to `time`, microseconds.
    pub active_span_micros: i64,
    /// What gathered the samples.
    pub collector: Option<CollectorReport>,
}

/// How a tenant wants tables of free typing handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TablePolicy {
    /// Tables are refused: the tenant has not opted in.
    Refused,
    /// Tables are taken; the tenant's free typing must be shuffled and secrets are refused, in every event.
    OptedIn,
    /// Tables are taken; the conflict with ordered typing is judged within one event only.
    PerEvent,
}

/// What the check needs to know beyond the event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The service's clock, or `None` where time comes from events and no event is in the future.
    pub now: Option<EventTime>,
    /// Whether timing of secrets may be sent.
    pub secret_typing_allowed: bool,
    /// Whether cadence tables may be sent, and beside what.
    pub tables: TablePolicy,
}

/// An instant as it came off the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct TimestampUnchecked {
    pub seconds: i64,
    pub nanos: i32,
}

impl TimestampUnchecked {
    fn check(self, field: &str, v: &mut Violations) -> Option<EventTime> {
        if !(0..1_000_000_000).contains(&self.nanos) {
            v.add(field, "has nanoseconds outside [0, 999999999]");
            return None;
        }
        let micros =
            self.seconds.checked_mul(1_000_000).and_then(|whole| whole.checked_add(i64::from(self.nanos / 1000)));
        match micros {
            Some(micros) if (0..=limits::EVENT_TIME_MICROS_MAX).contains(&micros) => Some(EventTime(micros)),
            _ => {
                v.add(field, "must lie between 1970-01-01 and the end of year 9999: check its unit");
                None
            }
        }
    }
}

impl TimestampUnchecked {
    /// Checks an instant that may not lie ahead of the service's clock, but for an error of clocks.
    fn check_not_ahead(self, field: &str, rules: &Rules, v: &mut Violations) -> Option<EventTime> {
        let time = self.check(field, v)?;
        if let Some(now) = rules.now
            && time.micros_since(now) > limits::FUTURE_MICROS_MAX
        {
            v.add(field, "lies more than 5 minutes in the future: check the caller's clock");
            return None;
        }
        Some(time)
    }
}

/// A span as it came off the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct DurationUnchecked {
    pub seconds: i64,
    pub nanos: i32,
}

/// An event as it came off the wire, shaped like the proto.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct EventUnchecked {
    pub event_id: String,
    pub worker_id: String,
    pub session_id: String,
    pub event_time: Option<TimestampUnchecked>,
    pub activity: i32,
    pub claim: Option<ClaimUnchecked>,
    pub timezone: Option<TimezoneUnchecked>,
    pub typing: Option<TypingUnchecked>,
    pub remote_input: Option<RemoteInputUnchecked>,
    pub network: Option<NetworkUnchecked>,
    pub device: Option<DeviceUnchecked>,
    pub pointer: Option<PointerUnchecked>,
    pub challenge: Option<ChallengeUnchecked>,
    pub cadence: Option<CadenceTableUnchecked>,
    pub active_span: Option<DurationUnchecked>,
    pub collector: Option<CollectorReport>,
}

impl EventUnchecked {
    /// Checks every field under `path` (`event`, `events[3]`), recording each violation in `v`.
    ///
    /// Returns the event when nothing was found wrong by this call.
    pub fn check(self, path: &str, rules: &Rules, v: &mut Violations) -> Option<Event> {
        let before = v.total();
        check_identifier(v, format_args!("{path}.event_id"), &self.event_id, true);
        check_identifier(v, format_args!("{path}.worker_id"), &self.worker_id, true);
        check_identifier(v, format_args!("{path}.session_id"), &self.session_id, false);
        let time = self.check_time(path, rules, v);
        let activity = match self.activity {
            1 => Some(SessionActivity::Logon),
            2 => Some(SessionActivity::StepUp),
            3 => Some(SessionActivity::Unlock),
            4 => Some(SessionActivity::InSession),
            5 => Some(SessionActivity::Logoff),
            other => {
                unknown_enum(
                    v,
                    format_args!("{path}.activity"),
                    other,
                    "a SESSION_ACTIVITY of this version, such as SESSION_ACTIVITY_LOGON",
                );
                None
            }
        };
        let claim = self.claim.and_then(|claim| claim.check(&below(path, "claim"), v));
        let timezone = self.timezone.and_then(|sample| sample.check(&below(path, "timezone"), v));
        let table_sent = self.cadence.is_some();
        if let Some(typing) = &self.typing {
            check_typing_policy(&format!("{path}.typing"), typing, table_sent, rules, v);
        }
        let typing = self.typing.and_then(|sample| sample.check(&below(path, "typing"), v));
        let remote_input = self.remote_input.and_then(|sample| sample.check(&below(path, "remote_input"), v));
        let network = self.network.and_then(|sample| sample.check(&below(path, "network"), v));
        let device = self.device.and_then(|sample| sample.check(&below(path, "device"), v));
        let pointer = self.pointer.and_then(|sample| sample.check(&below(path, "pointer"), v));
        let challenge = self.challenge.and_then(|sample| sample.check(&below(path, "challenge"), v));
        if table_sent && rules.tables == TablePolicy::Refused {
            v.add(
                format!("{path}.cadence"),
                "is refused: the tenant has not opted in to cadence tables; leave it out or have them enabled",
            );
        }
        let cadence = self.cadence.and_then(|table| table.check(&below(path, "cadence"), v));
        let active_span_micros =
            self.active_span.map_or(Some(0), |span| check_span(span, &format!("{path}.active_span"), v));
        if let Some(collector) = &self.collector {
            check_text(v, format_args!("{path}.collector.name"), &collector.name);
            check_identifier(v, format_args!("{path}.collector.nonce"), &collector.nonce, false);
        }
        if v.total() != before {
            return None;
        }
        Some(Event {
            event_id: self.event_id,
            worker_id: self.worker_id,
            session_id: self.session_id,
            samples: Samples {
                time: time?,
                activity: activity?,
                claim,
                timezone,
                typing,
                remote_input,
                network,
                device,
                pointer,
                challenge,
                cadence,
                active_span_micros: active_span_micros?,
                collector: self.collector,
            },
        })
    }

    fn check_time(&self, path: &str, rules: &Rules, v: &mut Violations) -> Option<EventTime> {
        let field = below(path, "event_time");
        let Some(time) = self.event_time else {
            v.add(field, "is required: say when the event happened, in UTC");
            return None;
        };
        time.check_not_ahead(&field, rules, v)
    }
}

fn check_typing_policy(path: &str, typing: &TypingUnchecked, table_sent: bool, rules: &Rules, v: &mut Violations) {
    let tables_bind = match rules.tables {
        TablePolicy::Refused => false,
        TablePolicy::OptedIn => true,
        TablePolicy::PerEvent => table_sent,
    };
    let ordered_free_text = typing.context == 1 && !typing.shuffled;
    if tables_bind && ordered_free_text {
        v.add(format!("{path}.shuffled"), "must be set: free typing beside cadence tables would give the text away, so send its entries in random order or leave one of the two out");
    }
    if typing.context == 3 && (tables_bind || !rules.secret_typing_allowed) {
        let description = if tables_bind {
            "is TYPING_CONTEXT_SECRET: a tenant that sends cadence tables sends no timing of secrets; leave `typing` out"
        } else {
            "is TYPING_CONTEXT_SECRET: timing alone narrows a secret, so it is refused unless the tenant opts in; leave `typing` out"
        };
        v.push(Violation {
            field: format!("{path}.context"),
            description: description.into(),
            fault: Fault::SecretRefused,
        });
    }
}

fn check_span(span: DurationUnchecked, field: &str, v: &mut Violations) -> Option<i64> {
    let micros = span.seconds.checked_mul(1_000_000).and_then(|whole| whole.checked_add(i64::from(span.nanos) / 1000));
    match micros {
        Some(micros) if (0..=limits::ACTIVE_SPAN_MICROS_MAX).contains(&micros) => Some(micros),
        _ => {
            v.add(field, "must lie between 0 and 24 hours");
            None
        }
    }
}

fn check_identifier(v: &mut Violations, field: Arguments<'_>, value: &str, required: bool) {
    if value.is_empty() {
        if required {
            v.add(field.to_string(), "is required: 1 to 128 characters of `A-Z a-z 0-9 . _ ~ -`");
        }
    } else if value.len() > limits::IDENTIFIER_BYTES_MAX {
        v.add(field.to_string(), format!("has {} bytes: at most {}", value.len(), limits::IDENTIFIER_BYTES_MAX));
    } else if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte)) {
        v.add(field.to_string(), "may hold only `A-Z a-z 0-9 . _ ~ -`: send an opaque pseudonym");
    }
}

/// Checks an identifier that arrives outside an event, such as that of `GetStanding`.
pub fn check_required_identifier(v: &mut Violations, field: &str, value: &str) {
    check_identifier(v, format_args!("{field}"), value, true);
}

fn check_text(v: &mut Violations, field: Arguments<'_>, value: &str) {
    if value.len() > limits::TEXT_BYTES_MAX {
        v.add(field.to_string(), format!("has {} bytes: at most {}", value.len(), limits::TEXT_BYTES_MAX));
    } else if value.chars().any(char::is_control) {
        v.add(field.to_string(), "holds a control character: remove it");
    }
}

fn check_zone_name(v: &mut Violations, field: Arguments<'_>, value: &str) {
    if value.len() > limits::TEXT_BYTES_MAX {
        v.add(field.to_string(), format!("has {} bytes: at most {}", value.len(), limits::TEXT_BYTES_MAX));
    } else if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte)) {
        v.add(field.to_string(), "is not an IANA time zone: send a name such as `America/Chicago`");
    }
}

fn check_region(v: &mut Violations, field: Arguments<'_>, value: &str, required: bool) {
    let letters = value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_uppercase());
    let digits = value.len() == 3 && value.bytes().all(|byte| byte.is_ascii_digit());
    if value.is_empty() {
        if required {
            v.add(field.to_string(), "is required within a claim: send a CLDR region code such as `US`");
        }
    } else if !(letters || digits) {
        v.add(field.to_string(), "is not a CLDR region code: two capital letters such as `US`, or three digits");
    }
}

fn check_subdivision(v: &mut Violations, field: Arguments<'_>, value: &str) {
    let parts: Vec<&str> = value.split('-').collect();
    let sound = matches!(parts.as_slice(), [country, part]
        if country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase())
            && (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
    if !value.is_empty() && !sound {
        v.add(field.to_string(), "is not an ISO 3166-2 subdivision: send a code such as `US-TN`");
    }
}

fn check_token(v: &mut Violations, field: Arguments<'_>, bytes: &[u8]) -> Option<Token> {
    if bytes.is_empty() {
        return None;
    }
    if !(limits::TOKEN_BYTES_MIN..=limits::TOKEN_BYTES_MAX).contains(&bytes.len()) {
        v.add(
            field.to_string(),
            format!(
                "has {} bytes: a keyed hash of {} to {} bytes is expected",
                bytes.len(),
                limits::TOKEN_BYTES_MIN,
                limits::TOKEN_BYTES_MAX
            ),
        );
        return None;
    }
    let mut folded = [0; 16];
    folded.copy_from_slice(&bytes[..16]);
    Some(Token(folded))
}

fn check_resolution(v: &mut Violations, path: &str, micros: u32) {
    if micros == 0 {
        v.add(
            format!("{path}.timer_resolution_micros"),
            "is required: say how coarse the clock was, such as 1000 for a browser's millisecond",
        );
    }
    check_max(
        v,
        format_args!("{path}.timer_resolution_micros"),
        u64::from(micros),
        u64::from(limits::TIMER_RESOLUTION_MICROS_MAX),
    );
}

fn check_length(v: &mut Violations, field: Arguments<'_>, length: usize, max: usize) {
    if length > max {
        v.add(field.to_string(), format!("has {length} entries: at most {max}; send several events"));
    }
}

fn check_column(v: &mut Violations, path: &str, name: &str, column: &[u32], max: u32) {
    // The scan for the largest value is vectorised; bad columns are rare and may take longer.
    if column.iter().copied().fold(0, u32::max) <= max {
        return;
    }
    for (index, value) in column.iter().enumerate() {
        if *value > max {
            v.add(format!("{path}.{name}[{index}]"), format!("is {value}: at most {max}; check its unit, or cut it"));
        }
    }
}

fn check_max(v: &mut Violations, field: Arguments<'_>, value: u64, max: u64) {
    if value > max {
        v.add(field.to_string(), format!("is {value}: at most {max}"));
    }
}

fn unknown_enum(v: &mut Violations, field: Arguments<'_>, number: i32, choices: &str) {
    let found = if number == 0 { "is unspecified".to_string() } else { format!("has the unknown value {number}") };
    v.add(field.to_string(), format!("{found}: send {choices}"));
}
