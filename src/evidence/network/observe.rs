//! One session's path: addresses folded to 32 bits, shortest round trips, place.

use super::radio;
use crate::event::{ConnectionType, EventTime, NetworkSample, Place, Samples};
use std::net::IpAddr;

/// Key of the folding; fixed, so that profiles outlive a restart. Digits of pi.
const FOLD_KEY: u64 = 0x243f_6a88_85a3_08d3;
/// FNV-1a prime, 64 bits.
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// Folds bytes to 32 bits: FNV-1a under a fixed key, finished by the mixer of SplitMix64.
///
/// One in 4 billion pairs of different values meets, and a profile holds a few dozen of them.
pub fn fold(domain: u8, bytes: &[u8]) -> u32 {
    let mut state = FOLD_KEY ^ u64::from(domain);
    for byte in bytes {
        state = (state ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
    }
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((state ^ (state >> 31)) >> 16) as u32
}

/// Round trips from one place to the client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leg {
    /// Where they were measured from.
    pub vantage: Place,
    /// The shortest, milliseconds, over 0.
    pub rtt_ms: f64,
}

/// One session's path.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// When; `None` when no network sample was sent.
    pub time: Option<EventTime>,
    /// Folded address, or folded `ip_token` when only that was sent.
    pub address: Option<u32>,
    /// Folded pool the address was leased from: /16 of IPv4, /32 of IPv6, where providers renew leases.
    pub pool: Option<u32>,
    /// Folded autonomous system.
    pub system: Option<u32>,
    /// Folded region.
    pub region: Option<u32>,
    /// Client: user agent family in the high 16 bits, operating system family in the low 16; 0 = not sent.
    pub client: Option<u32>,
    /// Whether the operating system is a phone's: its network is likely a carrier's even if nobody says so.
    pub phone: bool,
    /// Marked as VPN, proxy, relay or Tor, or an address in a data center.
    pub anonymized: bool,
    /// Marked by the caller's intelligence.
    pub anonymizer_detected: Option<bool>,
    /// Kind of network is a mobile carrier.
    pub mobile: bool,
    /// Kind of network is a satellite's or an aircraft's, by what the caller says or by its autonomous system.
    pub satellite: bool,
    /// Kind of network is a household's or an organization's.
    pub wired: bool,
    /// Kind of network is an organization's: perhaps a VPN concentrator far from the worker.
    pub organization: bool,
    /// Kind of network is a data center.
    pub hosting: bool,
    /// Where the caller puts the address.
    pub place: Option<Place>,
    /// Folded machine.
    pub device: Option<u32>,
    /// Shortest TCP round trip, milliseconds.
    pub tcp_rtt_ms: Option<f64>,
    /// Shortest application round trip less the edge leg, milliseconds, not negative.
    pub application_rtt_ms: Option<f64>,
    /// The caller's end and the shortest round trip to it.
    pub vantage: Option<Leg>,
    /// Other places and the shortest round trips to them.
    pub anchors: Vec<Leg>,
    /// Round trips behind the shortest ones.
    pub round_trip_count: u32,
}

impl Observation {
    /// Whether the last mile goes through the air, so that delay says nothing of distance and the address little of
    /// place (see [`radio`]). A phone on a network of unknown kind is thought to be on its carrier's.
    pub fn radio(&self) -> bool {
        self.mobile || self.satellite || (self.phone && !self.wired)
    }
}

/// Measures one session's path; the empty observation when no network sample was sent.
pub fn observe(samples: &Samples) -> Observation {
    let Some(network) = &samples.network else { return Observation::default() };
    let tcp_rtt_ms = shortest_ms(&network.tcp_rtt_micros);
    let edge_ms = f64::from(network.edge_leg_micros) / 1000.0;
    let application_rtt_ms = shortest_ms(&network.application_rtt_micros).map(|rtt| (rtt - edge_ms).max(0.0));
    // The TCP round trip is preferred: the gap finding already judges what the application adds, and what is judged
    // twice would count twice.
    let to_vantage = tcp_rtt_ms.or(application_rtt_ms.filter(|rtt| *rtt > 0.0));
    let hosting = network.connection_type == ConnectionType::Hosting;
    let (address, pool) = fold_address(network);
    Observation {
        time: Some(samples.time),
        address,
        pool,
        system: (network.autonomous_system_number != 0)
            .then(|| fold(3, &network.autonomous_system_number.to_le_bytes())),
        region: fold_region(&network.region_code),
        client: fold_client(&network.user_agent, &network.operating_system),
        phone: phone(&network.operating_system),
        anonymized: network.anonymizer_detected == Some(true) || hosting,
        anonymizer_detected: network.anonymizer_detected,
        mobile: network.connection_type == ConnectionType::Mobile,
        satellite: network.connection_type == ConnectionType::Satellite
            || radio::satellite_system(network.autonomous_system_number),
        wired: matches!(network.connection_type, ConnectionType::Residential | ConnectionType::Organization),
        organization: network.connection_type == ConnectionType::Organization,
        hosting,
        place: network.address_place,
        device: samples.device.as_ref().and_then(|device| device.device_token).map(|token| fold(7, &token.0)),
        tcp_rtt_ms,
        application_rtt_ms,
        vantage: network.vantage.zip(to_vantage).map(|(vantage, rtt_ms)| Leg { vantage, rtt_ms }),
        anchors: network
            .anchors
            .iter()
            .filter_map(|anchor| shortest_ms(&anchor.rtt_micros).map(|rtt_ms| Leg { vantage: anchor.vantage, rtt_ms }))
            .collect(),
        round_trip_count: (network.tcp_rtt_micros.len() + network.application_rtt_micros.len()) as u32,
    }
}

/// Folds a region code; `None` when empty. Claims are folded alike, so equal folds mean equal regions.
pub fn fold_region(code: &str) -> Option<u32> {
    (!code.is_empty()).then(|| fold(4, code.as_bytes()))
}

fn shortest_ms(rtt_micros: &[u32]) -> Option<f64> {
    rtt_micros.iter().min().map(|rtt| f64::from(*rtt) / 1000.0)
}

fn fold_address(network: &NetworkSample) -> (Option<u32>, Option<u32>) {
    match (network.ip_address, network.ip_token) {
        (Some(IpAddr::V4(address)), _) => {
            let octets = address.octets();
            (Some(fold(1, &octets)), Some(fold(2, &octets[..2])))
        }
        // An IPv6 host changes its lower half daily by design, so the site's /64 is the address.
        (Some(IpAddr::V6(address)), _) => {
            let octets = address.octets();
            (Some(fold(1, &octets[..8])), Some(fold(2, &octets[..4])))
        }
        (None, Some(token)) => (Some(fold(1, &token.0)), None),
        (None, None) => (None, None),
    }
}

/// Family of a client text: the words before the first that starts with a digit, so that updates change nothing.
fn family_of(text: &str) -> &str {
    let mut end = text.len();
    let mut start = 0;
    for word in text.split(' ') {
        if start > 0 && word.starts_with(|first: char| first.is_ascii_digit()) {
            end = start - 1;
            break;
        }
        start += word.len() + 1;
    }
    &text[..end]
}

fn fold_client(user_agent: &str, operating_system: &str) -> Option<u32> {
    if user_agent.is_empty() && operating_system.is_empty() {
        return None;
    }
    let half = |domain, text: &str| if text.is_empty() { 0 } else { fold(domain, family_of(text).as_bytes()) | 1 };
    Some((half(5, user_agent) << 16) | (half(6, operating_system) & 0xffff))
}

fn phone(operating_system: &str) -> bool {
    ["iOS", "iPadOS", "Android", "iPhone"].iter().any(|name| operating_system.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_of_browser_or_system_is_the_same_client() {
        assert_eq!(family_of("Edge 63"), "Edge");
        assert_eq!(family_of("Mac OS X 10.15"), "Mac OS X");
        assert_eq!(family_of("Ubuntu"), "Ubuntu");
        assert_eq!(fold_client("Edge 63", "Windows 10"), fold_client("Edge 65", "Windows 11"));
        assert_ne!(fold_client("Edge 63", "Windows 10"), fold_client("Chrome 63", "Windows 10"));
    }

    #[test]
    fn folds_of_different_kinds_differ() {
        assert_ne!(fold(1, b"US"), fold(4, b"US"));
        assert_eq!(fold_region(""), None);
    }
}
