//! What the operator's own databases say of an address: place, autonomous system, kind of network, anonymizers.
//!
//! A room with files, beside the doors: it fills in what a caller left out of a network sample, before the event is
//! checked, so that everything behind `event` stays pure and judges the same whoever looked the address up. It
//! overrides nothing that was sent unless it is told to. Addresses go into a lookup and nowhere else: not into a log,
//! not into an error. May import `event`.
//!
//! Files are read whole into memory, so that one replaced or cut off under a running service harms nothing, and read
//! again when they change. A file that cannot be used at the start is an error; later it is a warning, and the edition
//! before goes on answering.
//!
//! Worked example: a sample with `ip_address` alone and a city database of 20 November becomes one with `region_code`
//! `US`, `subdivision_code` `US-TN`, `address_place` 35.15 north, 90.05 west, 20 km, and the verdict names the database
//! and its build.

mod record;

use crate::event::{DatabaseBuild, NetworkUnchecked, PlaceUnchecked, limits};
use arc_swap::ArcSwap;
use maxminddb::{Reader, WithinOptions};
use record::Record;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Entries looked at to learn what a database tells of. Cities, systems and anonymizers fill theirs with one kind of
/// entry, so the first few thousand show it; all of them would take seconds at the start.
const PROBED_ENTRIES: usize = 5_000;

/// The operator's address databases; none answers nothing. Shared by all calls; replaced without a lock.
#[derive(Debug, Default)]
pub struct AddressBook {
    paths: Vec<PathBuf>,
    prevail: bool,
    databases: ArcSwap<Vec<Arc<Database>>>,
}

/// One database in memory.
struct Database {
    reader: Reader<Vec<u8>>,
    build: DatabaseBuild,
    anonymizers: bool,
    stamp: Stamp,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("build", &self.build).finish_non_exhaustive()
    }
}

/// What tells one edition of a file from the next.
type Stamp = (Option<SystemTime>, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok(), file.len()))
}

/// What came of looking at a file that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// A new edition answers.
    Read(DatabaseBuild),
    /// It cannot be used and the edition before goes on answering.
    Kept(String),
}

/// What the databases tell of one address.
#[derive(Debug, Default)]
struct Told {
    region_code: Option<String>,
    subdivision_code: Option<String>,
    place: Option<PlaceUnchecked>,
    autonomous_system_number: Option<u32>,
    connection_type: Option<i32>,
    hosted: bool,
    anonymized: Option<bool>,
}

// Numbers of the wire's CONNECTION_TYPE.
const RESIDENTIAL: i32 = 1;
const MOBILE: i32 = 2;
const ORGANIZATION: i32 = 3;
const HOSTING: i32 = 4;
const SATELLITE: i32 = 5;

fn connection_type(name: &str) -> Option<i32> {
    match name {
        "Cable/DSL" | "Dialup" => Some(RESIDENTIAL),
        "Cellular" => Some(MOBILE),
        "Corporate" => Some(ORGANIZATION),
        "Satellite" => Some(SATELLITE),
        _ => None,
    }
}

impl AddressBook {
    /// Reads the databases of these files; the first that tells a fact wins. With `prevail` what they tell replaces
    /// what the caller sent.
    ///
    /// # Errors
    /// Names the first file that is missing, cut off, no database, or one that tells nothing used here.
    pub fn open(paths: &[PathBuf], prevail: bool) -> Result<Self, String> {
        if paths.len() > limits::ADDRESS_DATABASES_MAX {
            let most = limits::ADDRESS_DATABASES_MAX;
            return Err(format!("`address_databases` names {} files: at most {most} are looked into", paths.len()));
        }
        let databases = paths.iter().map(|path| read(path).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { paths: paths.to_vec(), prevail, databases: ArcSwap::from_pointee(databases) })
    }

    /// The databases that answer.
    pub fn builds(&self) -> Vec<DatabaseBuild> {
        self.databases.load().iter().map(|database| database.build.clone()).collect()
    }

    /// Whether there is anything to renew.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Reads the files that changed since they were last looked at. Blocks on the disk.
    pub fn renew(&self) -> Vec<Renewed> {
        let before = self.databases.load_full();
        let mut after = Vec::with_capacity(before.len());
        let mut outcomes = Vec::new();
        for (path, database) in self.paths.iter().zip(before.iter()) {
            let now = stamp(path);
            if now == Some(database.stamp) {
                after.push(Arc::clone(database));
                continue;
            }
            match read(path) {
                Ok(fresh) => {
                    outcomes.push(Renewed::Read(fresh.build.clone()));
                    after.push(Arc::new(fresh));
                }
                Err(cause) => {
                    outcomes.push(Renewed::Kept(cause));
                    after.push(Arc::clone(database));
                }
            }
        }
        if outcomes.iter().any(|outcome| matches!(outcome, Renewed::Read(_))) {
            self.databases.store(Arc::new(after));
        }
        outcomes
    }

    /// Fills in what the caller left out, by the address in the sample, and notes the databases that told anything.
    ///
    /// An address that does not parse is left to the check of the event.
    pub fn tell(&self, network: &mut NetworkUnchecked) {
        if self.paths.is_empty() || network.ip_address.is_empty() {
            return;
        }
        let Ok(address) = network.ip_address.parse::<IpAddr>() else { return };
        let address = address.to_canonical();
        let (mut all, mut builds) = (Told::default(), Vec::new());
        for database in self.databases.load().iter() {
            if database.told(address).is_some_and(|told| all.take(told)) {
                builds.push(database.build.clone());
            }
        }
        if fill(network, all, self.prevail) {
            network.databases = builds;
        }
    }
}

impl Told {
    /// Takes what is not told yet; returns whether anything was. Parts and places of another region are left out.
    fn take(&mut self, next: Told) -> bool {
        let mut took = false;
        let mut first = |took_it: bool| took |= took_it;
        if self.region_code.is_none() && next.region_code.is_some() {
            self.region_code.clone_from(&next.region_code);
            first(true);
        }
        let agrees = next.region_code.is_none() || next.region_code == self.region_code;
        if agrees && self.subdivision_code.is_none() && next.subdivision_code.is_some() {
            self.subdivision_code = next.subdivision_code;
            first(true);
        }
        if agrees && self.place.is_none() && next.place.is_some() {
            self.place = next.place;
            first(true);
        }
        if self.autonomous_system_number.is_none() && next.autonomous_system_number.is_some() {
            self.autonomous_system_number = next.autonomous_system_number;
            first(true);
        }
        if self.connection_type.is_none() && next.connection_type.is_some() {
            self.connection_type = next.connection_type;
            first(true);
        }
        if self.anonymized.is_none() && next.anonymized.is_some() {
            self.anonymized = next.anonymized;
            first(true);
        }
        first(next.hosted && !self.hosted);
        self.hosted |= next.hosted;
        took
    }
}

/// Puts what the databases tell where nothing was sent, or with `prevail` in place of it; returns whether anything was
/// put. A subdivision and a place go with the region that was told: of another region than the caller sent, neither is
/// put.
fn fill(network: &mut NetworkUnchecked, told: Told, prevail: bool) -> bool {
    let mut put = false;
    if let Some(region_code) = told.region_code.as_ref().filter(|_| prevail || network.region_code.is_empty()) {
        if *region_code != network.region_code {
            network.subdivision_code.clear();
        }
        network.region_code.clone_from(region_code);
        put = true;
    }
    let agrees = told.region_code.as_deref().is_none_or(|region| region == network.region_code);
    if let Some(part) = told.subdivision_code.filter(|_| agrees && (prevail || network.subdivision_code.is_empty())) {
        network.subdivision_code = part;
        put = true;
    }
    if let Some(place) = told.place.filter(|_| agrees && (prevail || network.address_place.is_none())) {
        network.address_place = Some(place);
        put = true;
    }
    if let Some(number) = told.autonomous_system_number.filter(|_| prevail || network.autonomous_system_number == 0) {
        network.autonomous_system_number = number;
        put = true;
    }
    // Whose network it is says more than by what wire it is reached.
    let kind = if told.hosted { Some(HOSTING) } else { told.connection_type };
    if let Some(kind) = kind.filter(|_| prevail || network.connection_type == 0) {
        network.connection_type = kind;
        put = true;
    }
    if let Some(anonymized) = told.anonymized.filter(|_| prevail || network.anonymizer_detected.is_none()) {
        network.anonymizer_detected = Some(anonymized);
        put = true;
    }
    put
}

impl Database {
    /// What it tells of an address; `None` when it has no entry that can be read, but for a list of anonymizers, whose
    /// silence is an answer too.
    fn told(&self, address: IpAddr) -> Option<Told> {
        let silent = || self.anonymizers.then(|| Told { anonymized: Some(false), ..Told::default() });
        // Not found, an IPv6 address in a database of IPv4, or a damaged entry: all are no answer.
        let Ok(found) = self.reader.lookup(address) else { return silent() };
        match found.decode::<Record<'_>>() {
            Ok(Some(record)) => Some(told(&record, self.anonymizers)),
            Ok(None) | Err(_) => silent(),
        }
    }
}

/// An entry in the words of the event room; what would not pass its check is left out.
fn told(record: &Record<'_>, anonymizers: bool) -> Told {
    let letters = |code: &&str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    let region = record.country.0.or(record.country_code.0).filter(letters);
    let part = record.subdivisions.first().and_then(|part| part.iso_code);
    let part =
        part.filter(|code| (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let location = &record.location;
    let place = location
        .latitude
        .or(record.latitude.0)
        .zip(location.longitude.or(record.longitude.0))
        .filter(|(north, east)| north.abs() <= 90.0 && east.abs() <= 180.0)
        .map(|(latitude_degrees, longitude_degrees)| PlaceUnchecked {
            latitude_degrees,
            longitude_degrees,
            radius_km: location.accuracy_radius.0.unwrap_or(0).min(limits::PLACE_RADIUS_KM_MAX),
        });
    let traits = &record.traits;
    let marks = [
        record.is_anonymous_vpn.or(traits.is_anonymous_vpn),
        record.is_public_proxy.or(traits.is_public_proxy),
        record.is_residential_proxy.or(traits.is_residential_proxy),
        record.is_tor_exit_node.or(traits.is_tor_exit_node),
    ];
    let marked = marks.contains(&Some(true));
    Told {
        region_code: region.map(str::to_string),
        subdivision_code: region.zip(part).map(|(region, part)| format!("{region}-{part}")),
        place,
        autonomous_system_number: record
            .autonomous_system_number
            .0
            .or(traits.autonomous_system_number.0)
            .filter(|number| *number != 0),
        connection_type: record.connection_type.or(traits.connection_type).and_then(connection_type),
        hosted: record.is_hosting_provider.or(traits.is_hosting_provider) == Some(true),
        anonymized: (marked || anonymizers).then_some(marked),
    }
}

/// Reads a file whole and learns what it tells of.
fn read(path: &Path) -> Result<Database, String> {
    let shown = path.display();
    let stamp = stamp(path).ok_or_else(|| format!("there is no address database {shown}: name a .mmdb file"))?;
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read the address database {shown}: {error}"))?;
    let broken = |cause: &dyn std::fmt::Display| {
        format!("the address database {shown} is no MaxMind DB file, or is cut off ({cause}): fetch it again")
    };
    let reader = Reader::from_source(bytes).map_err(|error| broken(&error))?;
    let metadata = reader.metadata();
    let database_type: String = metadata.database_type.chars().take(limits::TEXT_BYTES_MAX / 4).collect();
    let build_seconds = i64::try_from(metadata.build_epoch).unwrap_or(0).min(limits::EVENT_TIME_MICROS_MAX / 1_000_000);
    let (mut tells, mut anonymizers) = (false, false);
    let entries = reader.networks(WithinOptions::default()).map_err(|error| broken(&error))?;
    for entry in entries.take(PROBED_ENTRIES) {
        let entry = entry.map_err(|error| broken(&error))?;
        // An entry of another shape tells nothing; one that lies outside the file is told as what it is.
        let record = match entry.decode::<Record<'_>>() {
            Ok(record) => record.unwrap_or_default(),
            Err(error @ maxminddb::MaxMindDbError::InvalidDatabase { .. }) => return Err(broken(&error)),
            Err(_) => continue,
        };
        let marks = [
            record.is_anonymous_vpn.or(record.traits.is_anonymous_vpn),
            record.is_public_proxy.or(record.traits.is_public_proxy),
            record.is_residential_proxy.or(record.traits.is_residential_proxy),
            record.is_tor_exit_node.or(record.traits.is_tor_exit_node),
        ];
        anonymizers |= marks.iter().any(Option::is_some);
        let facts = told(&record, false);
        tells |= facts.region_code.is_some()
            || facts.place.is_some()
            || facts.autonomous_system_number.is_some()
            || facts.connection_type.is_some()
            || facts.hosted;
    }
    if !tells && !anonymizers {
        return Err(format!(
            "the address database {shown} ({database_type}) tells nothing that is read here: give one of countries, places, \
             autonomous systems, connection types or anonymizers"
        ));
    }
    Ok(Database { reader, build: DatabaseBuild { database_type, build_seconds }, anonymizers, stamp })
}
