//! One session's clock facts and the instant it began.

use super::clock::{self, Offsets};
use crate::event::{
    ConnectionType, EventTime, MICROS_PER_DAY, NetworkSample, Samples, SessionActivity, TimezoneSample,
};

/// How far civil time may run behind the sun, minutes: half a zone and some.
const BEHIND_SUN_MINUTES: i32 = 90;
/// How far civil time may run ahead of it, minutes: western Spain in summer 160, western China 190.
const AHEAD_OF_SUN_MINUTES: i32 = 195;

/// What one event says about clocks and hours.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observation {
    /// When it happened.
    pub time: EventTime,
    /// Whether it can begin a session: anything but a logoff.
    pub may_start: bool,
    /// Whether the client reported any clock fact.
    pub clock_reported: bool,
    /// Whether the client's clock names no place (UTC): privacy browsers, virtual machines.
    pub placeless: bool,
    /// Client's offset, minutes east: as reported, else by its zone's rule; `None` when neither is known.
    pub offset_minutes: Option<i32>,
    /// Reported offset minus the reported zone's own at that instant, minutes; `None` unless both are known.
    pub zone_difference_minutes: Option<i32>,
    /// Minutes by which the offset lies outside what the address allows, signed, 0 inside; `None` without a plain
    /// address or an offset.
    pub network_difference_minutes: Option<i32>,
}

/// Measures one event. Costs two zone look-ups at most when clock facts were sent, next to nothing otherwise.
pub fn observe(samples: &Samples) -> Observation {
    let mut observation = Observation {
        time: samples.time,
        may_start: samples.activity != SessionActivity::Logoff,
        ..Default::default()
    };
    let Some(sample) = &samples.timezone else { return observation };
    observe_clock(sample, &mut observation);
    if let (Some(offset), Some(network), false) = (observation.offset_minutes, &samples.network, observation.placeless)
    {
        observation.network_difference_minutes = network_difference(offset, network, samples.time);
    }
    observation
}

fn observe_clock(sample: &TimezoneSample, observation: &mut Observation) {
    observation.clock_reported = !sample.time_zone.is_empty() || sample.utc_offset_minutes.is_some();
    let by_zone = if sample.time_zone.is_empty() {
        None
    } else {
        clock::zone_offset_minutes(&sample.time_zone, observation.time)
    };
    observation.offset_minutes = sample.utc_offset_minutes.or(by_zone);
    observation.placeless = if sample.time_zone.is_empty() {
        sample.utc_offset_minutes == Some(0)
    } else {
        clock::placeless_zone(&sample.time_zone) && sample.utc_offset_minutes.unwrap_or(0) == 0
    };
    if let (Some(reported), Some(own)) = (sample.utc_offset_minutes, by_zone) {
        let difference = reported - own;
        // Clocks that have just changed, or are about to: a page read its offset before the hour and was sent after.
        let stale = |days: i64| {
            let then = EventTime(observation.time.0.saturating_add(days * MICROS_PER_DAY as i64));
            clock::zone_offset_minutes(&sample.time_zone, then) == Some(reported)
        };
        let fresh = difference != 0 && (stale(-1) || stale(1));
        observation.zone_difference_minutes = Some(if fresh { 0 } else { difference });
    }
}

fn network_difference(offset: i32, network: &NetworkSample, time: EventTime) -> Option<i32> {
    // An exit says where the exit stands; carriers' addresses are often a country's, roamers' another's.
    let anonymized = network.anonymizer_detected == Some(true)
        || matches!(network.connection_type, ConnectionType::Hosting | ConnectionType::Mobile);
    if anonymized {
        return None;
    }
    if let Some(place) = network.address_place {
        // Four minutes of sun a degree.
        let sun = (place.longitude_degrees * 4.0).round() as i32;
        let ahead = clock::circular_difference_minutes(offset, sun);
        return Some(ahead - ahead.clamp(-BEHIND_SUN_MINUTES, AHEAD_OF_SUN_MINUTES));
    }
    if network.region_code.is_empty() {
        return None;
    }
    let offsets: Offsets = clock::region_offsets(&network.region_code, &network.subdivision_code, time);
    offsets.nearest(offset).map(|(_, difference)| difference)
}
