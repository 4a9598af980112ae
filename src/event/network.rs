//! Checked facts of the path from the client to the caller.

use super::claim::{Place, PlaceUnchecked};
use super::violation::{Violations, below};
use super::{Token, limits};
use std::net::IpAddr;

/// What kind of network an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionType {
    /// Not known.
    Unknown,
    /// A household.
    Residential,
    /// A mobile carrier.
    Mobile,
    /// A company or school.
    Organization,
    /// A data center.
    Hosting,
    /// A satellite link, at home, at sea or in the air.
    Satellite,
}

/// Round trips to the client from one more place.
#[derive(Debug, Clone, PartialEq)]
pub struct AnchorRoundTrips {
    /// Where they were measured from.
    pub vantage: Place,
    /// Round trips, microseconds, not empty.
    pub rtt_micros: Vec<u32>,
}

/// One edition of an address database that the service looked an address up in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseBuild {
    /// Type as the database names itself, such as `GeoLite2-City`.
    pub database_type: String,
    /// When it was built, seconds since 1970.
    pub build_seconds: i64,
}

/// The path from the client to the caller.
///
/// INVARIANT: made by [`super::EventUnchecked::check`] only. At least one field is set; no round trip is 0.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NetworkSample {
    /// Client address; never stored in the clear.
    pub ip_address: Option<IpAddr>,
    /// Keyed hash of the address.
    pub ip_token: Option<Token>,
    /// CLDR region of the address; empty when not known.
    pub region_code: String,
    /// ISO 3166-2 subdivision of the address; empty when not known.
    pub subdivision_code: String,
    /// Autonomous system; 0 unknown.
    pub autonomous_system_number: u32,
    /// Kind of network.
    pub connection_type: ConnectionType,
    /// Whether the caller's intelligence marks the address.
    pub anonymizer_detected: Option<bool>,
    /// Round trips of the TCP handshake, microseconds.
    pub tcp_rtt_micros: Vec<u32>,
    /// Round trips to the client program, microseconds.
    pub application_rtt_micros: Vec<u32>,
    /// JA4 fingerprint; empty when not collected.
    pub ja4: String,
    /// Where the caller's end of the round trips stands.
    pub vantage: Option<Place>,
    /// Round trip between where TCP ends and where the application's ends, microseconds.
    pub edge_leg_micros: u32,
    /// Round trips from other places.
    pub anchors: Vec<AnchorRoundTrips>,
    /// Keyed hashes of the local network.
    pub site_tokens: Vec<Token>,
    /// Where the caller's geolocation puts the address.
    pub address_place: Option<Place>,
    /// User agent family and major version; empty when not collected.
    pub user_agent: String,
    /// Operating system family; empty when not collected.
    pub operating_system: String,
    /// Databases of the service's own that told any of this; none when all of it is the caller's.
    pub databases: Vec<DatabaseBuild>,
}

/// The path as it came off the wire.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct NetworkUnchecked {
    pub ip_address: String,
    pub ip_token: Vec<u8>,
    pub region_code: String,
    pub subdivision_code: String,
    pub autonomous_system_number: u32,
    pub connection_type: i32,
    pub anonymizer_detected: Option<bool>,
    pub tcp_rtt_micros: Vec<u32>,
    pub application_rtt_micros: Vec<u32>,
    pub ja4: String,
    pub vantage: Option<PlaceUnchecked>,
    pub edge_leg_micros: u32,
    pub anchors: Vec<(Option<PlaceUnchecked>, Vec<u32>)>,
    pub site_tokens: Vec<Vec<u8>>,
    pub address_place: Option<PlaceUnchecked>,
    pub user_agent: String,
    pub operating_system: String,
    /// Not of the proto: what the service's own databases told (`addresses`).
    pub databases: Vec<DatabaseBuild>,
}

fn check_round_trips(v: &mut Violations, path: &str, name: &str, column: &[u32], length: usize) {
    super::check_length(v, format_args!("{path}.{name}"), column.len(), length);
    super::check_column(v, path, name, column, limits::ROUND_TRIP_MICROS_MAX);
    for (index, rtt) in column.iter().enumerate().take(length) {
        if *rtt == 0 {
            v.add(
                format!("{path}.{name}[{index}]"),
                "is 0: no round trip takes no time; leave failed measurements out",
            );
        }
    }
}

impl NetworkUnchecked {
    pub(super) fn check(self, path: &str, v: &mut Violations) -> Option<NetworkSample> {
        let before = v.total();
        if self == Self::default() {
            v.add(path, "is empty: leave it out when nothing was collected");
            return None;
        }
        let ip_address = if self.ip_address.is_empty() {
            None
        } else {
            match self.ip_address.parse::<IpAddr>() {
                Ok(address) => Some(address.to_canonical()),
                Err(_) => {
                    v.add(
                        format!("{path}.ip_address"),
                        "is not an address: send IPv4 or IPv6 in text form, such as `192.0.2.7` or `2001:db8::7`",
                    );
                    None
                }
            }
        };
        let ip_token = super::check_token(v, format_args!("{path}.ip_token"), &self.ip_token);
        super::check_region(v, format_args!("{path}.region_code"), &self.region_code, false);
        super::check_subdivision(v, format_args!("{path}.subdivision_code"), &self.subdivision_code);
        let connection_type = match self.connection_type {
            0 => ConnectionType::Unknown,
            1 => ConnectionType::Residential,
            2 => ConnectionType::Mobile,
            3 => ConnectionType::Organization,
            4 => ConnectionType::Hosting,
            5 => ConnectionType::Satellite,
            other => {
                super::unknown_enum(
                    v,
                    format_args!("{path}.connection_type"),
                    other,
                    "a CONNECTION_TYPE of this version, or leave it out",
                );
                ConnectionType::Unknown
            }
        };
        check_round_trips(v, path, "tcp_rtt_micros", &self.tcp_rtt_micros, limits::ROUND_TRIPS_MAX);
        check_round_trips(v, path, "application_rtt_micros", &self.application_rtt_micros, limits::ROUND_TRIPS_MAX);
        super::check_max(
            v,
            format_args!("{path}.edge_leg_micros"),
            u64::from(self.edge_leg_micros),
            u64::from(limits::ROUND_TRIP_MICROS_MAX),
        );
        for (name, text) in
            [("ja4", &self.ja4), ("user_agent", &self.user_agent), ("operating_system", &self.operating_system)]
        {
            super::check_text(v, format_args!("{path}.{name}"), text);
        }
        let vantage = self.vantage.and_then(|place| place.check(&below(path, "vantage"), v));
        let address_place = self.address_place.and_then(|place| place.check(&below(path, "address_place"), v));
        super::check_length(v, format_args!("{path}.anchors"), self.anchors.len(), limits::ANCHORS_MAX);
        let mut anchors = Vec::new();
        for (index, (place, rtt_micros)) in self.anchors.into_iter().enumerate().take(limits::ANCHORS_MAX) {
            let at = format!("{path}.anchors[{index}]");
            if rtt_micros.is_empty() {
                v.add(format!("{at}.rtt_micros"), "is empty: send round trips, or leave the anchor out");
            }
            check_round_trips(v, &at, "rtt_micros", &rtt_micros, limits::ANCHOR_ROUND_TRIPS_MAX);
            match place {
                None => v.add(format!("{at}.vantage"), "is required: say where the round trips were measured from"),
                Some(place) => {
                    if let Some(vantage) = place.check(&format!("{at}.vantage"), v) {
                        anchors.push(AnchorRoundTrips { vantage, rtt_micros });
                    }
                }
            }
        }
        super::check_length(v, format_args!("{path}.site_tokens"), self.site_tokens.len(), limits::SITE_TOKENS_MAX);
        let mut site_tokens = Vec::new();
        for (index, token) in self.site_tokens.iter().enumerate().take(limits::SITE_TOKENS_MAX) {
            if token.is_empty() {
                v.add(format!("{path}.site_tokens[{index}]"), "is empty: leave it out");
            } else {
                site_tokens.extend(super::check_token(v, format_args!("{path}.site_tokens[{index}]"), token));
            }
        }
        if v.total() != before {
            return None;
        }
        Some(NetworkSample {
            ip_address,
            ip_token,
            region_code: self.region_code,
            subdivision_code: self.subdivision_code,
            autonomous_system_number: self.autonomous_system_number,
            connection_type,
            anonymizer_detected: self.anonymizer_detected,
            tcp_rtt_micros: self.tcp_rtt_micros,
            application_rtt_micros: self.application_rtt_micros,
            ja4: self.ja4,
            vantage,
            edge_leg_micros: self.edge_leg_micros,
            anchors,
            site_tokens,
            address_place,
            user_agent: self.user_agent,
            operating_system: self.operating_system,
            databases: self.databases,
        })
    }
}
