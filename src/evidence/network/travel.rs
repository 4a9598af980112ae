//! Journeys: how fast the worker would have had to go since the last session.
//!
//! Time is the events', whatever order they come in. Anonymised networks, carriers, satellites and aircraft say
//! nothing of where anybody is: they start no journey and end none. The same address or machine made no journey. Both
//! radii are given to the traveller, and under [`DISTANCE_KM_MIN`] nothing is said. A known address is checked like
//! any other, unless the geolocation itself moved it since: that is a new edition of a database and no journey.
//!
//! Worked example: Memphis to Lisbon is 6 800 km; with radii of 50 km each 6 700 km. Within 3 hours that is 2 233 km/h,
//! more than twice an aircraft; the next day it is an ordinary flight.

use super::observe::Observation;
use crate::event::{EventTime, Place};
use serde::ser::SerializeTupleVariant as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

impl Stay {
    fn place(&self) -> Place {
        Place {
            latitude_degrees: f64::from(self.latitude_degrees),
            longitude_degrees: f64::from(self.longitude_degrees),
            radius_km: self.radius_km,
        }
    }
}

/// Where the caller's geolocation last put a known address, to a hundredth of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// Folded address.
    pub address: u32,
    /// Hundredths of a degree north.
    pub latitude_hundredths: i16,
    /// Hundredths of a degree east.
    pub longitude_hundredths: i16,
}

/// Degrees told apart in a [`Spot`]: about a kilometre.
const SPOT_DEGREES: f64 = 0.01;

impl Spot {
    fn of(address: u32, place: &Place) -> Self {
        // INVARIANT: `check` admitted 90 and 180 degrees at most, so hundredths fit.
        let hundredths = |degrees: f64| (degrees / SPOT_DEGREES).round() as i16;
        let (north, east) = (hundredths(place.latitude_degrees), hundredths(place.longitude_degrees));
        Self { address, latitude_hundredths: north, longitude_hundredths: east }
    }

    fn place(&self) -> Place {
        Place {
            latitude_degrees: f64::from(self.latitude_hundredths) * SPOT_DEGREES,
            longitude_degrees: f64::from(self.longitude_hundredths) * SPOT_DEGREES,
            radius_km: 1,
        }
    }
}

/// Addresses whose places are kept: home, office and a few more.
const SPOTS_MAX: usize = 6;

/// Where the worker was last, and where known addresses were put.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trail {
    /// The last stay that can be believed.
    pub last: Option<Stay>,
    /// Places of known addresses, oldest first.
    pub spots: Vec<Spot>,
}

/// A trail as it is written down. The first two are, byte for byte, the optional last stay that older releases kept.
#[derive(Deserialize)]
enum TrailKept {
    Nowhere,
    Last(Stay),
    Whole(Option<Stay>, Vec<Spot>),
}

impl Serialize for Trail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (&self.last, self.spots.as_slice()) {
            (None, []) => serializer.serialize_unit_variant("TrailKept", 0, "Nowhere"),
            (Some(last), []) => serializer.serialize_newtype_variant("TrailKept", 1, "Last", last),
            (last, spots) => {
                let mut whole = serializer.serialize_tuple_variant("TrailKept", 2, "Whole", 2)?;
                whole.serialize_field(last)?;
                whole.serialize_field(spots)?;
                whole.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Trail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match TrailKept::deserialize(deserializer)? {
            TrailKept::Nowhere => Self::default(),
            TrailKept::Last(last) => Self { last: Some(last), spots: Vec::new() },
            TrailKept::Whole(last, spots) => Self { last, spots },
        })
    }
}

impl Trail {
    /// Whether every place lies on the Earth and no more are kept than ever are.
    pub(super) fn sound(&self) -> bool {
        let on_earth = |place: &Place| {
            (-90.0..=90.0).contains(&place.latitude_degrees) && (-180.0..=180.0).contains(&place.longitude_degrees)
        };
        self.spots.len() <= SPOTS_MAX
            && self.last.iter().all(|stay| on_earth(&stay.place()))
            && self.spots.iter().all(|spot| on_earth(&spot.place()))
    }

    /// Remembers where a session was. Carriers, satellites, aircraft, phones on unknown networks and anonymised
    /// networks are never remembered, and a late event does not move the last stay.
    pub fn remember(&mut self, observation: &Observation, time: EventTime) {
        let Some(place) = believable(observation) else { return };
        if observation.phone {
            return;
        }
        if let Some(address) = observation.address {
            self.spots.retain(|spot| spot.address != address);
            if self.spots.len() >= SPOTS_MAX {
                self.spots.remove(0);
            }
            self.spots.push(Spot::of(address, &place));
        }
        if self.last.is_some_and(|stay| stay.time > time) {
            return;
        }
        self.last = Some(Stay {
            latitude_degrees: place.latitude_degrees as f32,
            longitude_degrees: place.longitude_degrees as f32,
            radius_km: place.radius_km,
            time,
            address: observation.address.unwrap_or(0),
            device: observation.device.unwrap_or(0),
        });
    }

    /// How many places are kept, the last stay's among them; `None` for none.
    pub(super) fn place_count(&self) -> Option<f64> {
        let count = self.spots.len() + usize::from(self.last.is_some());
        (count > 0).then_some(count as f64)
    }

    /// Forgets the places of addresses that are not known any more.
    pub(super) fn retain(&mut self, known: impl Fn(u32) -> bool) {
        self.spots.retain(|spot| known(spot.address));
    }

    /// Adds what another profile of the same worker holds; the later stay and the own spots are kept.
    pub(super) fn merge(&mut self, other: &Trail) {
        if other.last.is_some_and(|theirs| self.last.is_none_or(|ours| theirs.time > ours.time)) {
            self.last = other.last;
        }
        for spot in &other.spots {
            if self.spots.len() < SPOTS_MAX && self.spots.iter().all(|own| own.address != spot.address) {
                self.spots.push(*spot);
            }
        }
    }

    /// Whether the geolocation puts a known address elsewhere than it did: the database moved, not the worker.
    fn relocated(&self, observation: &Observation, place: &Place) -> bool {
        let known = observation.address.and_then(|address| self.spots.iter().find(|spot| spot.address == address));
        known.is_some_and(|spot| spot.place().distance_km(place) - f64::from(place.radius_km) >= DISTANCE_KM_MIN)
    }
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
    observation.place.filter(|_| !observation.anonymized && !observation.mobile && !observation.satellite)
}

/// The journey from the last stay; `None` when there was none or nothing can be said.
pub fn journey(observation: &Observation, trail: &Trail) -> Option<Journey> {
    let (place, last, time) = (believable(observation)?, trail.last.as_ref()?, observation.time?);
    let same = |now: Option<u32>, then: u32| now.is_some_and(|now| now == then);
    if same(observation.address, last.address) || same(observation.device, last.device) {
        return None;
    }
    if trail.relocated(observation, &place) {
        return None;
    }
    let phone_km = if observation.phone && !observation.wired { PHONE_RADIUS_KM } else { 0.0 };
    let given_km = f64::from(last.radius_km) + f64::from(place.radius_km) + phone_km;
    let distance_km = last.place().distance_km(&place) - given_km;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stay() -> Stay {
        Stay {
            latitude_degrees: 35.15,
            longitude_degrees: -90.05,
            radius_km: 25,
            time: EventTime(1_700_000_000_000_000),
            address: 7,
            device: 0,
        }
    }

    #[test]
    fn what_older_releases_kept_of_a_stay_is_read_and_written_as_ever() {
        for last in [None, Some(stay())] {
            let old = postcard::to_stdvec(&last).unwrap();
            let trail: Trail = postcard::from_bytes(&old).unwrap();
            assert_eq!(trail, Trail { last, spots: Vec::new() });
            assert_eq!(postcard::to_stdvec(&trail).unwrap(), old);
        }
        let spots = vec![Spot { address: 7, latitude_hundredths: 3515, longitude_hundredths: -9005 }];
        for last in [None, Some(stay())] {
            let trail = Trail { last, spots: spots.clone() };
            let bytes = postcard::to_stdvec(&trail).unwrap();
            assert_eq!(postcard::from_bytes::<Trail>(&bytes).unwrap(), trail);
            assert!(bytes.len() <= 45, "{}", bytes.len());
        }
    }

    #[test]
    fn spots_are_few_and_of_known_addresses() {
        let mut trail = Trail::default();
        let place = Some(Place { latitude_degrees: 89.999, longitude_degrees: -179.999, radius_km: 5 });
        for address in 0..20 {
            let time = EventTime(i64::from(address));
            let observation = Observation { time: Some(time), address: Some(address), place, ..Observation::default() };
            trail.remember(&observation, time);
        }
        assert_eq!(trail.spots.len(), SPOTS_MAX);
        assert!(trail.sound());
        trail.retain(|address| address == 19);
        assert_eq!(trail.spots.len(), 1);
        trail.spots[0].latitude_hundredths = 9_001;
        assert!(!trail.sound());
    }
}
