//! Where a claim is, when it names a region but no place: centre and radius of states and countries.
//!
//! Coarse on purpose: the radius covers the inhabited part, and findings give it to the worker. A claim of Tennessee is
//! 35.9 north, 86.4 west, 380 km; a claim of the United States alone is 39.0 north, 96.0 west, 2 400 km.

use crate::event::{Claim, Place};

/// Centre and radius of the states of the United States, degrees and kilometres, in the order of their codes.
const STATES: [(&str, f64, f64, u32); 51] = [
    ("AK", 63.0, -150.0, 1100),
    ("AL", 32.8, -86.8, 270),
    ("AR", 34.8, -92.4, 250),
    ("AZ", 34.0, -111.7, 350),
    ("CA", 36.5, -119.5, 650),
    ("CO", 39.0, -105.5, 370),
    ("CT", 41.6, -72.7, 90),
    ("DC", 38.9, -77.0, 20),
    ("DE", 39.0, -75.5, 80),
    ("FL", 28.5, -82.5, 500),
    ("GA", 32.7, -83.4, 280),
    ("HI", 20.6, -157.0, 400),
    ("IA", 42.0, -93.5, 280),
    ("ID", 44.5, -114.5, 420),
    ("IL", 40.0, -89.2, 330),
    ("IN", 39.9, -86.3, 250),
    ("KS", 38.5, -98.4, 350),
    ("KY", 37.5, -85.3, 350),
    ("LA", 31.0, -92.0, 300),
    ("MA", 42.2, -71.8, 160),
    ("MD", 39.0, -76.8, 220),
    ("ME", 45.3, -69.2, 270),
    ("MI", 44.3, -85.4, 450),
    ("MN", 46.3, -94.3, 350),
    ("MO", 38.4, -92.5, 330),
    ("MS", 32.7, -89.7, 290),
    ("MT", 47.0, -109.6, 480),
    ("NC", 35.5, -79.4, 420),
    ("ND", 47.5, -100.5, 300),
    ("NE", 41.5, -99.8, 400),
    ("NH", 43.7, -71.6, 160),
    ("NJ", 40.2, -74.7, 140),
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
    ("TN", 35.9, -86.4, 380),
    ("TX", 31.5, -99.0, 650),
    ("UT", 39.3, -111.7, 320),
    ("VA", 37.6, -78.8, 370),
    ("VT", 44.0, -72.7, 140),
    ("WA", 47.4, -120.5, 330),
    ("WI", 44.6, -89.7, 300),
    ("WV", 38.6, -80.6, 250),
    ("WY", 43.0, -107.5, 350),
];

/// Centre and radius of countries, degrees and kilometres, in the order of their codes. Countries not listed abstain.
const COUNTRIES: [(&str, f64, f64, u32); 48] = [
    ("AE", 24.4, 54.6, 300),
    ("AR", -34.5, -63.5, 1800),
    ("AT", 47.6, 14.0, 300),
    ("AU", -28.0, 135.0, 2200),
    ("BE", 50.7, 4.6, 150),
    ("BG", 42.7, 25.3, 260),
    ("BR", -14.0, -50.0, 2300),
    ("CA", 50.0, -95.0, 2800),
    ("CH", 46.8, 8.2, 180),
    ("CL", -35.0, -71.0, 2100),
    ("CO", 5.0, -74.0, 800),
    ("CZ", 49.8, 15.5, 260),
    ("DE", 51.1, 10.3, 450),
    ("DK", 56.0, 10.5, 250),
    ("EE", 58.7, 25.5, 200),
    ("EG", 28.5, 31.0, 600),
    ("ES", 40.0, -3.7, 650),
    ("FI", 63.0, 26.0, 650),
    ("FR", 46.6, 2.4, 550),
    ("GB", 54.0, -2.5, 600),
    ("GR", 38.8, 23.5, 450),
    ("HU", 47.1, 19.5, 270),
    ("IE", 53.2, -8.0, 250),
    ("IL", 31.8, 35.0, 250),
    ("IN", 21.5, 79.0, 1600),
    ("IT", 42.5, 12.5, 650),
    ("JP", 37.0, 138.0, 1200),
    ("KR", 36.4, 127.8, 280),
    ("LT", 55.3, 23.9, 200),
    ("LV", 56.9, 25.0, 220),
    ("MX", 23.0, -102.0, 1500),
    ("NG", 9.0, 8.0, 750),
    ("NL", 52.2, 5.4, 180),
    ("NO", 63.0, 11.0, 1000),
    ("NZ", -41.0, 173.5, 850),
    ("PH", 12.5, 122.5, 900),
    ("PK", 30.0, 70.0, 850),
    ("PL", 52.0, 19.3, 400),
    ("PT", 39.5, -8.3, 330),
    ("RO", 45.8, 25.0, 370),
    ("SE", 60.5, 16.0, 800),
    ("SG", 1.35, 103.8, 30),
    ("TR", 39.0, 35.0, 850),
    ("TW", 23.8, 121.0, 220),
    ("UA", 49.0, 31.5, 700),
    ("US", 39.0, -96.0, 2400),
    ("VN", 16.5, 107.0, 900),
    ("ZA", -29.5, 25.0, 900),
];

/// The claimed place: as declared, else of the subdivision, else of the region; `None` when none is known.
pub fn claimed_place(claim: &Claim) -> Option<Place> {
    claim.place.or_else(|| {
        let state = claim.subdivision_code.strip_prefix("US-").and_then(|state| find(&STATES, state));
        state.or_else(|| find(&COUNTRIES, &claim.region_code))
    })
}

fn find(table: &[(&str, f64, f64, u32)], code: &str) -> Option<Place> {
    let index = table.binary_search_by(|(other, ..)| (*other).cmp(code)).ok()?;
    let (_, latitude_degrees, longitude_degrees, radius_km) = table[index];
    Some(Place { latitude_degrees, longitude_degrees, radius_km })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_the_order_they_are_searched() {
        assert!(STATES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(COUNTRIES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(find(&COUNTRIES, "AQ").is_none());
        assert_eq!(find(&STATES, "TN").map(|place| place.radius_km), Some(380));
    }
}
