//! Checked claims: where and when the worker of record has said they work.

use super::violation::{Violations, below};
use super::{EventTime, TimestampUnchecked, Token, limits};

/// A place with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Degrees north, WGS 84, in \[-90, 90\].
    pub latitude_degrees: f64,
    /// Degrees east, WGS 84, in \[-180, 180\].
    pub longitude_degrees: f64,
    /// Radius within which the place may lie, kilometres, at least 1; 50 when the caller did not say.
    pub radius_km: u32,
}

/// Mean radius of the Earth, kilometres (IUGG).
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

impl Place {
    /// Great-circle distance between two centres, kilometres, in \[0, 20 016\].
    pub fn distance_km(&self, other: &Place) -> f64 {
        let (a, b) = (self.latitude_degrees.to_radians(), other.latitude_degrees.to_radians());
        let half_latitude = (b - a) / 2.0;
        let half_longitude = (other.longitude_degrees - self.longitude_degrees).to_radians() / 2.0;
        let chord = half_latitude.sin().powi(2) + a.cos() * b.cos() * half_longitude.sin().powi(2);
        2.0 * EARTH_RADIUS_KM * chord.sqrt().min(1.0).asin()
    }
}

/// A place as it came off the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct PlaceUnchecked {
    pub latitude_degrees: f64,
    pub longitude_degrees: f64,
    pub radius_km: u32,
}

impl PlaceUnchecked {
    pub(super) fn check(self, path: &str, v: &mut Violations) -> Option<Place> {
        let before = v.total();
        for (name, value, bound) in
            [("latitude_degrees", self.latitude_degrees, 90.0), ("longitude_degrees", self.longitude_degrees, 180.0)]
        {
            if !value.is_finite() {
                v.add(format!("{path}.{name}"), format!("is {value}: must be a finite number of degrees"));
            } else if value.abs() > bound {
                v.add(format!("{path}.{name}"), format!("is {value}: must lie in [-{bound}, {bound}] degrees"));
            }
        }
        super::check_max(
            v,
            format_args!("{path}.radius_km"),
            u64::from(self.radius_km),
            u64::from(limits::PLACE_RADIUS_KM_MAX),
        );
        (v.total() == before).then_some(Place {
            latitude_degrees: self.latitude_degrees,
            longitude_degrees: self.longitude_degrees,
            radius_km: if self.radius_km == 0 { 50 } else { self.radius_km },
        })
    }
}

/// Where and when the worker of record has said they work.
///
/// INVARIANT: made by [`super::EventUnchecked::check`] only. `region_code` is two letters or three digits.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Claim {
    /// CLDR region.
    pub region_code: String,
    /// ISO 3166-2 subdivision; empty when not claimed.
    pub subdivision_code: String,
    /// IANA zone; empty when not claimed.
    pub time_zone: String,
    /// Where in the world.
    pub place: Option<Place>,
    /// Whether remote access is sanctioned.
    pub remote_access_sanctioned: bool,
    /// Whether the worker uses assistive technology.
    pub assistive_technology: bool,
    /// Whether working hours are declared irregular.
    pub irregular_hours: bool,
    /// First day of employment.
    pub hire_time: Option<EventTime>,
    /// Keyed hash of the shipping address.
    pub shipping_token: Option<Token>,
    /// Keyed hash of the agency.
    pub intermediary_token: Option<Token>,
    /// When the claim was made.
    pub declare_time: Option<EventTime>,
}

/// A claim as it came off the wire.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct ClaimUnchecked {
    pub region_code: String,
    pub subdivision_code: String,
    pub time_zone: String,
    pub place: Option<PlaceUnchecked>,
    pub remote_access_sanctioned: bool,
    pub assistive_technology: bool,
    pub irregular_hours: bool,
    pub hire_time: Option<TimestampUnchecked>,
    pub shipping_token: Vec<u8>,
    pub intermediary_token: Vec<u8>,
    pub declare_time: Option<TimestampUnchecked>,
}

impl ClaimUnchecked {
    pub(super) fn check(self, path: &str, v: &mut Violations) -> Option<Claim> {
        let before = v.total();
        super::check_region(v, format_args!("{path}.region_code"), &self.region_code, true);
        super::check_subdivision(v, format_args!("{path}.subdivision_code"), &self.subdivision_code);
        if !self.subdivision_code.is_empty()
            && !self.region_code.is_empty()
            && self.subdivision_code.split('-').next() != Some(self.region_code.as_str())
        {
            v.add(
                format!("{path}.subdivision_code"),
                format!("lies outside `region_code` {}: send a subdivision of the claimed region", self.region_code),
            );
        }
        super::check_zone_name(v, format_args!("{path}.time_zone"), &self.time_zone);
        if !self.time_zone.is_empty()
            && jiff::tz::TimeZone::get(&self.time_zone).is_err()
            && !v.names(&format!("{path}.time_zone"))
        {
            v.add(format!("{path}.time_zone"), "is not an IANA time zone: send a name such as `America/Chicago`");
        }
        let place = self.place.and_then(|place| place.check(&below(path, "place"), v));
        let hire_time = self.hire_time.and_then(|time| time.check(&below(path, "hire_time"), v));
        let declare_time = self.declare_time.and_then(|time| time.check(&below(path, "declare_time"), v));
        let shipping_token = super::check_token(v, format_args!("{path}.shipping_token"), &self.shipping_token);
        let intermediary_token =
            super::check_token(v, format_args!("{path}.intermediary_token"), &self.intermediary_token);
        (v.total() == before).then_some(Claim {
            region_code: self.region_code,
            subdivision_code: self.subdivision_code,
            time_zone: self.time_zone,
            place,
            remote_access_sanctioned: self.remote_access_sanctioned,
            assistive_technology: self.assistive_technology,
            irregular_hours: self.irregular_hours,
            hire_time,
            shipping_token,
            intermediary_token,
            declare_time,
        })
    }
}
