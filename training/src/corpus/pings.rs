//! Reader of the WonderProxy matrix of 2020-07-19: round trips between data centers for a day.
//!
//! Measure only, except that constants by region and access class fitted on it may ship. A few servers are not where
//! they say; fits are robust to that.

use elsewhere::event::Place;
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// One server.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Number within the set.
    pub id: u32,
    /// City without spaces.
    pub name: String,
    /// CLDR region.
    pub region_code: String,
    /// City precision.
    pub place: Place,
}

/// Round trips of one directed pair over a day, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundTrips {
    /// Shortest.
    pub min_ms: f64,
    /// Mean.
    pub avg_ms: f64,
    /// Longest.
    pub max_ms: f64,
}

/// The matrix.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    /// Servers in the order of their ids.
    pub servers: Vec<Server>,
    pairs: BTreeMap<(u32, u32), RoundTrips>,
}

impl Matrix {
    /// Round trips between two servers, either direction; `None` when not measured.
    pub fn between(&self, source: &Server, destination: &Server) -> Option<RoundTrips> {
        self.pairs.get(&(source.id, destination.id)).or_else(|| self.pairs.get(&(destination.id, source.id))).copied()
    }
}

#[derive(serde::Deserialize)]
struct ServerRow {
    id: u32,
    name: String,
    country: String,
    latitude: f64,
    longitude: f64,
}

#[derive(serde::Deserialize)]
struct PingRow {
    source: u32,
    destination: u32,
    min_ms: f64,
    avg_ms: f64,
    max_ms: f64,
}

/// Radius of a server's place, kilometres: city precision.
const CITY_RADIUS_KM: u32 = 25;

/// Reads servers and round trips from the `network` folder under `data`.
///
/// # Errors
/// Names the file that cannot be read and why.
pub fn read(data: &Path) -> Result<Matrix, String> {
    let mut servers = Vec::new();
    let path = data.join("network/wonderproxy_servers_dev.csv");
    let mut reader = csv::Reader::from_path(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    for row in reader.deserialize() {
        let row: ServerRow = row.map_err(|error| format!("{}: {error}", path.display()))?;
        let region_code = super::logins::region_code(&row.country)
            .ok_or_else(|| format!("{}: no region code for {}", path.display(), row.country))?;
        let place =
            Place { latitude_degrees: row.latitude, longitude_degrees: row.longitude, radius_km: CITY_RADIUS_KM };
        servers.push(Server { id: row.id, name: row.name, region_code: region_code.into(), place });
    }
    servers.sort_by_key(|server| server.id);
    let path = data.join("network/wonderproxy_pings_dev.csv.gz");
    let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut reader = csv::Reader::from_reader(GzDecoder::new(file));
    let mut pairs = BTreeMap::new();
    for row in reader.deserialize() {
        let row: PingRow = row.map_err(|error| format!("{}: {error}", path.display()))?;
        if row.source != row.destination && row.min_ms > 0.0 {
            let trips = RoundTrips { min_ms: row.min_ms, avg_ms: row.avg_ms, max_ms: row.max_ms };
            pairs.insert((row.source, row.destination), trips);
        }
    }
    Ok(Matrix { servers, pairs })
}

/// Whether a server stands in North-East Asia: China, Hong Kong, Japan, Korea, Taiwan, Russia's far east.
pub fn north_east_asian(server: &Server) -> bool {
    ["CN", "HK", "MO", "JP", "KR", "KP", "TW"].contains(&server.region_code.as_str())
        || (server.region_code == "RU" && server.place.longitude_degrees > 110.0)
}

/// Whether constants may be fitted on a server: never North-East Asia, whose legs are what is measured, and of the
/// servers in the United States only the half with even ids; the other half is measured on.
pub fn fitted(server: &Server) -> bool {
    !north_east_asian(server) && (server.region_code != "US" || server.id.is_multiple_of(2))
}
