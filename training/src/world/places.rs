//! Where simulated people live, work and pass through: cities by public coordinates, and what a round trip costs.

use elsewhere::event::Place;

/// A city to the precision a claim has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct City {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// CLDR region.
    pub region: &'static str,
    /// ISO 3166-2 subdivision.
    pub subdivision: &'static str,
    /// IANA zone.
    pub zone: &'static str,
}

const fn city(latitude: f64, longitude: f64, subdivision: &'static str, zone: &'static str) -> City {
    City { latitude, longitude, region: "US", subdivision, zone }
}

/// Metropolitan areas of the United States.
pub const US: [City; 26] = [
    city(40.71, -74.01, "US-NY", "America/New_York"),
    city(34.05, -118.24, "US-CA", "America/Los_Angeles"),
    city(41.88, -87.63, "US-IL", "America/Chicago"),
    city(32.78, -96.80, "US-TX", "America/Chicago"),
    city(29.76, -95.37, "US-TX", "America/Chicago"),
    city(33.45, -112.07, "US-AZ", "America/Phoenix"),
    city(39.95, -75.17, "US-PA", "America/New_York"),
    city(33.75, -84.39, "US-GA", "America/New_York"),
    city(25.76, -80.19, "US-FL", "America/New_York"),
    city(42.36, -71.06, "US-MA", "America/New_York"),
    city(47.61, -122.33, "US-WA", "America/Los_Angeles"),
    city(44.98, -93.27, "US-MN", "America/Chicago"),
    city(39.74, -104.99, "US-CO", "America/Denver"),
    city(36.16, -86.78, "US-TN", "America/Chicago"),
    city(35.23, -80.84, "US-NC", "America/New_York"),
    city(38.63, -90.20, "US-MO", "America/Chicago"),
    city(40.76, -111.89, "US-UT", "America/Denver"),
    city(45.52, -122.68, "US-OR", "America/Los_Angeles"),
    city(42.33, -83.05, "US-MI", "America/Detroit"),
    city(30.27, -97.74, "US-TX", "America/Chicago"),
    city(39.96, -83.00, "US-OH", "America/New_York"),
    city(36.17, -115.14, "US-NV", "America/Los_Angeles"),
    city(35.78, -78.64, "US-NC", "America/New_York"),
    city(37.77, -122.42, "US-CA", "America/Los_Angeles"),
    city(28.54, -81.38, "US-FL", "America/New_York"),
    city(40.74, -74.17, "US-NJ", "America/New_York"),
];

/// Cities of Europe: homes of a few, destinations of travellers.
pub const EUROPE: [City; 6] = [
    City { latitude: 51.51, longitude: -0.13, region: "GB", subdivision: "GB-LND", zone: "Europe/London" },
    City { latitude: 52.52, longitude: 13.40, region: "DE", subdivision: "DE-BE", zone: "Europe/Berlin" },
    City { latitude: 48.86, longitude: 2.35, region: "FR", subdivision: "FR-75C", zone: "Europe/Paris" },
    City { latitude: 52.23, longitude: 21.01, region: "PL", subdivision: "PL-14", zone: "Europe/Warsaw" },
    City { latitude: 52.37, longitude: 4.90, region: "NL", subdivision: "NL-NH", zone: "Europe/Amsterdam" },
    City { latitude: 40.42, longitude: -3.70, region: "ES", subdivision: "ES-MD", zone: "Europe/Madrid" },
];

/// Where remote operators sit in published cases (signals.md, A4).
pub const OPERATORS: [City; 4] = [
    City { latitude: 41.80, longitude: 123.43, region: "CN", subdivision: "CN-LN", zone: "Asia/Shanghai" },
    City { latitude: 40.13, longitude: 124.38, region: "CN", subdivision: "CN-LN", zone: "Asia/Shanghai" },
    City { latitude: 39.02, longitude: 125.75, region: "KP", subdivision: "KP-01", zone: "Asia/Pyongyang" },
    City { latitude: 43.12, longitude: 131.89, region: "RU", subdivision: "RU-PRI", zone: "Asia/Vladivostok" },
];

/// Where else operators of published cases sat, west and south of the others.
pub const FURTHER_OPERATORS: [City; 3] = [
    City { latitude: 17.98, longitude: 102.63, region: "LA", subdivision: "LA-VT", zone: "Asia/Vientiane" },
    City { latitude: 55.75, longitude: 37.62, region: "RU", subdivision: "RU-MOW", zone: "Europe/Moscow" },
    City { latitude: 25.20, longitude: 55.27, region: "AE", subdivision: "AE-DU", zone: "Asia/Dubai" },
];

/// The known city of a region nearest to a place.
pub fn nearest(place: (f64, f64), region: &str) -> Option<City> {
    let all = US.iter().chain(&EUROPE).filter(|city| city.region == region);
    let far = |city: &City| distance_km(place, (city.latitude, city.longitude));
    all.min_by(|a, b| far(a).total_cmp(&far(b))).copied()
}

/// Where the tenant's sign-in service answers: the nearest to the client's address takes the connection.
pub const VANTAGES: [(f64, f64); 4] = [(39.04, -77.49), (32.90, -96.90), (45.60, -121.18), (50.11, 8.68)];

/// Great-circle distance, kilometres.
pub fn distance_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let place = |(latitude_degrees, longitude_degrees)| Place { latitude_degrees, longitude_degrees, radius_km: 1 };
    place(from).distance_km(&place(to))
}

/// The vantage that answers a client at `place`.
pub fn nearest_vantage(place: (f64, f64)) -> (f64, f64) {
    let mut best = VANTAGES[0];
    for vantage in VANTAGES {
        if distance_km(vantage, place) < distance_km(best, place) {
            best = vantage;
        }
    }
    best
}

/// Least round trip between two places without the access network, milliseconds; `stretch` is the path's detour, 1 for
/// the typical one. Regional slope .0144 ms/km, long-haul .0168 ms/km, as measured on public round trips (evidence.md).
pub fn round_trip_ms(from: (f64, f64), to: (f64, f64), stretch: f64) -> f64 {
    let km = distance_km(from, to);
    let detour = if km < 5_000.0 { 3.0 + 0.0144 * km * stretch } else { 8.0 + 0.0168 * km * stretch };
    // Light in fibre covers 100 km per millisecond of round trip: no path is shorter.
    detour.max(km / 100.0 * 1.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_york_answers_from_the_nearest_vantage_within_ten_milliseconds() {
        // 334 km to Ashburn: 3 + .0144 x 334 = 7.8 ms.
        let home = (US[0].latitude, US[0].longitude);
        let vantage = nearest_vantage(home);
        assert_eq!(vantage, VANTAGES[0]);
        let rtt = round_trip_ms(vantage, home, 1.0);
        assert!((6.0..10.0).contains(&rtt), "{rtt}");
    }

    #[test]
    fn no_path_is_faster_than_light_in_fibre() {
        for from in OPERATORS {
            for to in US {
                let ends = ((from.latitude, from.longitude), (to.latitude, to.longitude));
                assert!(round_trip_ms(ends.0, ends.1, 0.5) >= distance_km(ends.0, ends.1) / 100.0);
            }
        }
    }
}
