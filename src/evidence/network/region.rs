//! Where a claim is, when it names a region but no place: centre and radius of states and countries.
//!
//! Coarse on purpose: the circle covers where people live, the Canaries, Corsica and Okinawa included, and findings
//! give its radius to the worker. So the centre may lie off the middle of the map, in Spain's case off the land. A
//! claim of Tennessee is 35.8 north, 86.2 west, 380 km; a claim of the United States alone is 39.0 north, 96.0 west, 2
//! 400 km, which is the contiguous states: Alaska and Hawaii are claimed by their subdivision.

use crate::event::{Claim, Place};

/// Centre and radius of the states of the United States, degrees and kilometres, in the order of their codes.
const STATES: [(&str, f64, f64, u32); 51] = [
    ("AK", 60.7, -150.1, 1260),
    ("AL", 32.8, -86.8, 270),
    ("AR", 34.8, -92.4, 250),
    ("AZ", 33.9, -111.5, 350),
    ("CA", 37.3, -119.5, 640),
    ("CO", 39.0, -105.5, 370),
    ("CT", 41.5, -72.8, 100),
    ("DC", 38.9, -77.0, 20),
    ("DE", 39.1, -75.4, 85),
    ("FL", 28.0, -83.5, 460),
    ("GA", 32.7, -83.4, 280),
    ("HI", 20.6, -157.0, 400),
    ("IA", 42.0, -93.5, 280),
    ("ID", 44.5, -114.5, 420),
    ("IL", 39.7, -89.1, 310),
    ("IN", 39.9, -86.3, 250),
    ("KS", 38.5, -98.4, 350),
    ("KY", 37.5, -85.3, 350),
    ("LA", 31.0, -92.0, 300),
    ("MA", 42.2, -71.8, 160),
    ("MD", 39.0, -76.8, 220),
    ("ME", 45.2, -69.5, 270),
    ("MI", 44.3, -85.4, 450),
    ("MN", 46.3, -94.3, 350),
    ("MO", 38.4, -92.5, 330),
    ("MS", 32.7, -89.7, 290),
    ("MT", 47.0, -109.6, 480),
    ("NC", 35.6, -79.8, 410),
    ("ND", 47.5, -100.5, 300),
    ("NE", 41.5, -99.8, 400),
    ("NH", 43.7, -71.6, 160),
    ("NJ", 40.1, -74.7, 150),
    ("NM", 34.4, -106.1, 370),
    ("NV", 39.0, -116.8, 480),
    ("NY", 42.8, -75.5, 400),
    ("OH", 40.3, -82.8, 250),
    ("OK", 35.5, -97.5, 420),
    ("OR", 44.0, -120.5, 370),
    ("PA", 40.9, -77.8, 270),
    ("RI", 41.6, -71.5, 50),
    ("SC", 33.9, -80.9, 220),
    ("SD", 44.4, -100.2, 330),
    ("TN", 35.8, -86.2, 380),
    ("TX", 31.1, -99.8, 640),
    ("UT", 39.3, -111.7, 320),
    ("VA", 37.6, -78.8, 370),
    ("VT", 44.0, -72.7, 140),
    ("WA", 47.4, -120.5, 330),
    ("WI", 44.6, -89.8, 310),
    ("WV", 38.6, -80.6, 250),
    ("WY", 43.0, -107.5, 350),
];

/// Centre and radius of countries, degrees and kilometres, in the order of their codes. Countries not listed abstain.
const COUNTRIES: [(&str, f64, f64, u32); 48] = [
    ("AE", 24.4, 54.6, 300),
    ("AR", -38.3, -66.0, 1850),
    ("AT", 47.7, 13.2, 270),
    ("AU", -28.0, 135.0, 2200),
    ("BE", 50.7, 4.6, 150),
    ("BG", 42.7, 25.3, 260),
    ("BR", -14.0, -50.0, 2300),
    ("CA", 55.0, -91.0, 2750),
    ("CH", 46.8, 8.2, 180),
    ("CL", -35.0, -71.0, 2100),
    ("CO", 3.8, -72.8, 950),
    ("CZ", 49.8, 15.5, 260),
    ("DE", 51.1, 10.3, 450),
    ("DK", 55.9, 11.5, 230),
    ("EE", 58.7, 25.5, 200),
    ("EG", 28.5, 31.0, 600),
    ("ES", 35.6, -7.0, 1170),
    ("FI", 64.6, 25.9, 610),
    ("FR", 45.3, 2.7, 680),
    ("GB", 54.0, -2.5, 600),
    ("GR", 38.3, 24.0, 430),
    ("HU", 47.1, 19.5, 270),
    ("IE", 53.2, -8.0, 250),
    ("IL", 31.8, 35.0, 250),
    ("IN", 21.5, 79.0, 1600),
    ("IT", 42.5, 12.5, 650),
    ("JP", 35.0, 133.2, 1480),
    ("KR", 35.9, 127.4, 280),
    ("LT", 55.3, 23.9, 200),
    ("LV", 56.5, 24.0, 200),
    ("MX", 26.1, -101.8, 1650),
    ("NG", 9.0, 8.0, 750),
    ("NL", 52.2, 5.4, 180),
    ("NO", 63.0, 11.0, 1000),
    ("NZ", -41.0, 173.5, 850),
    ("PH", 12.5, 122.5, 900),
    ("PK", 30.6, 68.2, 860),
    ("PL", 52.0, 19.3, 400),
    ("PT", 39.5, -8.3, 330),
    ("RO", 45.8, 25.0, 370),
    ("SE", 61.1, 19.5, 780),
    ("SG", 1.35, 103.8, 30),
    ("TR", 39.0, 35.0, 850),
    ("TW", 23.8, 121.0, 220),
    ("UA", 49.0, 31.5, 700),
    ("US", 39.0, -96.0, 2400),
    ("VN", 16.5, 107.0, 900),
    ("ZA", -28.5, 24.8, 890),
];

/// The claimed place: as declared, else of the subdivision, else of the region; `None` when none is known.
pub fn claimed_place(claim: &Claim) -> Option<Place> {
    claim.place.or_else(|| {
        let state = claim.subdivision_code.strip_prefix("US-").and_then(|state| find(&STATES, state));
        state.or_else(|| find(&COUNTRIES, &claim.region_code))
    })
}

/// Centre and radius of a region; `None` when it is not listed.
pub fn region_place(region_code: &str) -> Option<Place> {
    find(&COUNTRIES, region_code)
}

fn find(table: &[(&str, f64, f64, u32)], code: &str) -> Option<Place> {
    let index = table.binary_search_by(|(other, ..)| (*other).cmp(code)).ok()?;
    let (_, latitude_degrees, longitude_degrees, radius_km) = table[index];
    Some(Place { latitude_degrees, longitude_degrees, radius_km })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The towns farthest out, by region: latitude and longitude from public gazetteers, to a hundredth of a degree.
    const OUTERMOST: [(&str, f64, f64); 56] = [
        ("US-AK", 55.34, -131.65),
        ("US-AK", 53.87, -166.54),
        ("US-AK", 71.29, -156.79),
        ("US-AZ", 31.34, -109.55),
        ("US-AZ", 36.91, -111.46),
        ("US-CA", 41.76, -124.20),
        ("US-CA", 32.72, -117.16),
        ("US-FL", 30.42, -87.22),
        ("US-FL", 24.56, -81.78),
        ("US-HI", 19.72, -155.08),
        ("US-HI", 21.98, -159.37),
        ("US-IL", 37.00, -89.18),
        ("US-MI", 46.45, -90.17),
        ("US-NC", 35.09, -84.03),
        ("US-NC", 35.96, -75.62),
        ("US-NY", 41.04, -71.95),
        ("US-TN", 36.60, -82.19),
        ("US-TN", 35.15, -90.05),
        ("US-TX", 31.76, -106.49),
        ("US-TX", 25.90, -97.50),
        ("US-TX", 30.08, -94.10),
        ("US-VA", 36.60, -82.19),
        ("US", 47.61, -122.33),
        ("US", 25.76, -80.19),
        ("AR", -54.80, -68.30),
        ("AR", -25.60, -54.57),
        ("AU", -31.95, 115.86),
        ("AU", -42.88, 147.33),
        ("BR", -9.97, -67.81),
        ("BR", -8.05, -34.88),
        ("CA", 47.56, -52.71),
        ("CA", 48.43, -123.37),
        ("CA", 60.72, -135.05),
        ("CL", -53.16, -70.91),
        ("CO", -4.20, -69.94),
        ("CO", 11.54, -72.91),
        ("ES", 28.12, -15.43),
        ("ES", 39.89, 4.26),
        ("FI", 69.91, 27.03),
        ("FI", 60.10, 19.94),
        ("FR", 41.93, 8.74),
        ("FR", 48.39, -4.49),
        ("GR", 36.43, 28.22),
        ("IN", 8.52, 76.94),
        ("IN", 34.08, 74.80),
        ("IT", 38.12, 13.36),
        ("JP", 24.34, 124.16),
        ("JP", 43.33, 145.58),
        ("KR", 33.50, 126.53),
        ("MX", 32.51, -117.04),
        ("MX", 21.16, -86.85),
        ("NO", 69.65, 18.96),
        ("PK", 25.12, 62.32),
        ("SE", 67.86, 20.23),
        ("SE", 55.60, 13.00),
        ("ZA", -22.34, 30.04),
    ];

    #[test]
    fn the_farthest_towns_lie_within_their_region() {
        for (region, latitude_degrees, longitude_degrees) in OUTERMOST {
            let place = match region.strip_prefix("US-") {
                Some(state) => find(&STATES, state),
                None => find(&COUNTRIES, region),
            };
            let town = Place { latitude_degrees, longitude_degrees, radius_km: 0 };
            let beyond = place.map(|place| place.distance_km(&town) - f64::from(place.radius_km));
            assert!(
                beyond.is_some_and(|km| km <= 0.0),
                "{region} {latitude_degrees} {longitude_degrees}: {beyond:?} km"
            );
        }
    }

    #[test]
    fn tables_are_in_the_order_they_are_searched() {
        assert!(STATES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(COUNTRIES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(find(&COUNTRIES, "AQ").is_none());
        assert_eq!(find(&STATES, "TN").map(|place| place.radius_km), Some(380));
    }
}
