//! Who lives which story: what a person, a seat and a way into the internet are made of.

use super::habits::Habits;
use super::machine::Machine;
use super::path::InputPath;
use super::places::City;
use super::pointer::Hand;
use super::rhythm::Rhythm;
use super::scenario::Scenario;
use super::typist::Typist;
use elsewhere::event::{ClaimUnchecked, PlaceUnchecked};
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Microseconds in a day.
pub const DAY_MICROS: i64 = 86_400_000_000;

/// A way into the internet, as the caller sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// Address in text form, from ranges set aside for benchmarks and documentation.
    pub ip_address: String,
    /// Keyed hash of the address.
    pub ip_token: Vec<u8>,
    /// Private-use number of the provider.
    pub autonomous_system_number: u32,
    /// City of the address.
    pub city: City,
    /// Where the caller's geolocation puts it.
    pub address_place: PlaceUnchecked,
    /// `CONNECTION_TYPE` of the wire.
    pub connection_type: i32,
    /// Whether intelligence marks the address.
    pub anonymizer_detected: bool,
    /// Where the caller's end stands.
    pub vantage: PlaceUnchecked,
    /// Least round trip of the TCP handshake, milliseconds.
    pub rtt_ms: f64,
    /// Standard deviation of round trips, milliseconds.
    pub jitter_ms: f64,
    /// What lies behind the end of TCP, milliseconds of round trip: 0 when the client itself answers.
    pub hidden_ms: f64,
    /// Keyed hashes of the local network.
    pub site_tokens: Vec<Vec<u8>>,
}

/// What the machine says of itself and of what is plugged in.
#[derive(Debug, Clone, PartialEq)]
pub struct Seat {
    /// How input reaches the machine.
    pub path: InputPath,
    /// `INPUT_PATH` of the wire.
    pub input_path: i32,
    /// Whether the system reports a remote session.
    pub remote_session_reported: bool,
    /// Remote-control programs found running.
    pub programs: Vec<String>,
    /// Share of input events marked as injected.
    pub injected_share: f64,
    /// Vendor, product, class.
    pub peripherals: Vec<(u32, u32, i32)>,
    /// Keyed hash of the display's identity.
    pub display_token: Vec<u8>,
    /// Displays attached.
    pub display_count: u32,
    /// What freezes together with this machine.
    pub stall_seed: u64,
    /// Mean hours between freezes.
    pub stall_hours: f64,
    /// The hand on the keyboard.
    pub typist: Typist,
    /// The hand on the pointer.
    pub hand: Hand,
    /// Reaction to a prompt: location, spread and tail, milliseconds.
    pub reaction: (f64, f64, f64),
    /// What display and keyboard add to a loop, milliseconds.
    pub display_ms: f64,
    /// Share of prompts answered late for another reason than the line.
    pub distracted: f64,
    /// What types and points here besides the hands.
    pub machine: Machine,
    /// Milliseconds by which the lag rises a day.
    pub ramp_ms_per_day: f64,
    /// Whether the agent on the machine was made to tell of a clean one.
    pub lies: bool,
}

/// Who sits there when there is more than one seat.
#[derive(Debug, Clone, PartialEq)]
pub enum Seating {
    /// The first seat, always.
    One,
    /// The second from an instant on.
    HandedOver(i64),
    /// One after the other, by the hours of a day that begins at this hour UTC and is this many hours long.
    Shifts(f64, f64),
    /// The second for one event of these days (days since 1970).
    Helped(Vec<i64>),
    /// The first at logins, the second for the rest.
    SignedIn,
    /// The second at a share of sessions that rises from none at the first instant to all at the second.
    TakingOver(i64, i64),
}

/// What is done to the collector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tampering {
    /// Samples of this many first days are sent again and again.
    Replay(u64),
    /// No sample from this instant on.
    Mute(i64),
    /// As `Replay`, with every time of a key, a move or an answer changed by so many milliseconds (standard deviation).
    VariedReplay(u64, f64),
}

/// A stretch of days spent with another access, and later another clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Stay {
    /// First day.
    pub from: Date,
    /// First day at home again.
    pub until: Date,
    /// Index into [`Person::accesses`].
    pub access: u16,
    /// Zone lived by, and shown by the clock from `clock_from` on.
    pub zone: u8,
    /// First day on which the machine's clock shows the place.
    pub clock_from: Date,
}

/// How an access is chosen from one session to the next, outside of stays.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// The latest lease that has begun: (from, access).
    Lease(Vec<(i64, u16)>),
    /// Mostly the first of these, else any, by day.
    Exits(Vec<u16>),
    /// On `share` of days the first, else the second.
    Hub(f64, u16, u16),
    /// Changes at `per_day` a day among these.
    Rotating(f64, Vec<u16>),
}

/// One worker of the simulated company.
#[derive(Debug, Clone)]
pub struct Person {
    /// The story lived.
    pub scenario: Scenario,
    /// Pseudonym.
    pub worker_id: String,
    /// Name of the phrase typed at login.
    pub phrase_id: String,
    /// What the phrase is made from.
    pub phrase_seed: u64,
    /// Claims and when each begins to be sent, in order; the first from the start.
    pub claims: Vec<(i64, ClaimUnchecked)>,
    /// Ways into the internet.
    pub accesses: Vec<Access>,
    /// Which is used when.
    pub choice: Choice,
    /// Trips, and the move of a relocation.
    pub stays: Vec<Stay>,
    /// Zones, by index: 0 is the clock's own.
    pub zones: Vec<(String, TimeZone)>,
    /// Zone the person lives by when not on a stay.
    pub lives_by: u8,
    /// Another zone to live by, and on which share of days.
    pub own_hours: Option<(u8, f64)>,
    /// The week.
    pub rhythm: Rhythm,
    /// Who sits there; a second one after `handover`.
    pub seats: Vec<Seat>,
    /// Who of them when.
    pub seating: Seating,
    /// Sign-ins that show another access: from, until, which.
    pub slips: Vec<(i64, i64, u16)>,
    /// What is done to the collector.
    pub tampering: Option<Tampering>,
    /// What is done whatever the story.
    pub habits: Habits,
    /// Whether the person may begin work within the simulated days.
    pub begins_allowed: bool,
    /// Access by a phone's line, for those who use it at times.
    pub hotspot_access: Option<u16>,
    /// Access by the company's gateway.
    pub gateway_access: Option<u16>,
    /// Keyed hash of the machine.
    pub device_token: Vec<u8>,
    /// Keyed hash of the authenticator.
    pub authenticator_token: Vec<u8>,
    /// Whether the machine is managed.
    pub managed: bool,
    /// User agent family and major version.
    pub user_agent: &'static str,
    /// Operating system family.
    pub operating_system: &'static str,
    /// Granularity of the browser's clock, microseconds.
    pub resolution_micros: u32,
    /// Mean of the machine's clock error, milliseconds.
    pub skew_millis: f64,
    /// Share of logins with a pointer sample.
    pub pointer_share: f64,
}
