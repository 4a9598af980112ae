//! Journeys: how fast the worker would have had to go since the last session.
//!
//! Time is the events'. Anonymised networks and carriers say nothing of where anybody is: they start no journey and end
//! none. The same address or machine made no journey. Both radii are given to the traveller, and under
//! [`DISTANCE_KM_MIN`] nothing is said.
//!
//! Worked example: Memphis to Lisbon is 6 800 km; with radii of 50 km each 6 700 km. Within 3 hours that is 2 233 km/h,
//! more than twice an aircraft; the next day it is an ordinary flight.

use super::observe::Observation;
use crate::event::{EventTime, Place};
use serde::{Deserialize, Serialize};

/// Speed of an airliner, gate to gate, km/h: nobody travels faster.
pub const AIRCRAFT_KM_PER_HOUR: f64 = 1_000.0;
/// Distance under which geolocation moves more than people do, km.
pub const DISTANCE_KM_MIN: f64 = 100.0;
/// Extra radius of a phone on a network of unknown kind, km: carriers let their traffic out a few cities away.
const PHONE_RADIUS_KM: f64 = 500.0;
/// Shortest time believed between two sessions, hours: 36 s, so that two sessions at once divide by something.
const HOURS_MIN: f64 = 0.01;

/// How many terms travel gives to the trained weights.
pub const TERM_COUNT: usize = 3;

/// Where a session was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stay {
    /// Degrees north.
    pub latitude_degrees: f32,
    /// Degrees east.
    pub longitude_degrees: f32,
    /// Radius, kilometres.
    pub radius_km: u32,
    /// When.
    pub time: EventTime,
    /// Folded address; 0 when not sent.
    pub address: u32,
    /// Folded machine; 0 when not sent.
    pub device: u32,
}

/// A change of place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Journey {
    /// Kilometres beyond both radii.
    pub distance_km: f64,
    /// Least speed, km/h.
    pub speed_km_per_hour: f64,
}

/// Whether an observation's place can be believed to be the worker's.
fn believable(observation: &Observation) -> Option<Place> {
    observation.place.filter(|_| !observation.anonymized && !observation.mobile)
}

/// Remembers where a session was. Carriers, phones on unknown networks and anonymised networks are never remembered.
pub fn remember(last: &mut Option<Stay>, observation: &Observation, time: EventTime) {
    let Some(place) = believable(observation) else { return };
    if observation.phone || last.is_some_and(|stay| stay.time > time) {
        return;
    }
    *last = Some(Stay {
        latitude_degrees: place.latitude_degrees as f32,
        longitude_degrees: place.longitude_degrees as f32,
        radius_km: place.radius_km,
        time,
        address: observation.address.unwrap_or(0),
        device: observation.device.unwrap_or(0),
    });
}

/// The journey from the last stay; `None` when there was none or nothing can be said.
pub fn journey(observation: &Observation, last: Option<&Stay>) -> Option<Journey> {
    let (place, last, time) = (believable(observation)?, last?, observation.time?);
    let same = |now: Option<u32>, then: u32| now.is_some_and(|now| now == then);
    if same(observation.address, last.address) || same(observation.device, last.device) {
        return None;
    }
    let from = Place {
        latitude_degrees: f64::from(last.latitude_degrees),
        longitude_degrees: f64::from(last.longitude_degrees),
        radius_km: last.radius_km,
    };
    let phone_km = if observation.phone { PHONE_RADIUS_KM } else { 0.0 };
    let given_km = f64::from(from.radius_km) + f64::from(place.radius_km) + phone_km;
    let distance_km = from.distance_km(&place) - given_km;
    if distance_km < DISTANCE_KM_MIN {
        return None;
    }
    let hours = (time.micros_since(last.time).abs() as f64 / 3_600.0e6).max(HOURS_MIN);
    Some(Journey { distance_km, speed_km_per_hour: distance_km / hours })
}

/// Writes the terms of a journey, each in \[0, 1\]: hurried, impossible, impossible though the address is known.
///
/// Hurried rises from 100 to 1 000 km/h on a log scale; impossible from 1 000 to 2 000, since geolocation errs.
pub fn terms(journey: &Journey, known_address: bool, out: &mut [f64]) {
    let share = (journey.speed_km_per_hour / AIRCRAFT_KM_PER_HOUR).max(1e-6);
    let hurried = (1.0 + share.log10()).clamp(0.0, 1.0);
    let impossible = share.log2().clamp(0.0, 1.0);
    for (slot, term) in out.iter_mut().zip([hurried, impossible, if known_address { impossible } else { 0.0 }]) {
        *slot = term;
    }
}
