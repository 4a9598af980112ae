//! Address databases: what they tell goes where callers said nothing, and bad files are refused by name.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "common/mmdb.rs"]
mod mmdb;

use elsewhere::addresses::{AddressBook, Renewed};
use elsewhere::event::{DatabaseBuild, NetworkUnchecked, PlaceUnchecked};
use mmdb::{Value, database, map};
use std::path::{Path, PathBuf};
use std::process::Command;

const BUILT: u32 = 1_795_132_800;

fn memphis() -> Value {
    map(&[
        ("country", map(&[("names", map(&[("en", Value::Text("United States"))])), ("iso_code", Value::Text("US"))])),
        ("subdivisions", Value::List(vec![map(&[("iso_code", Value::Text("TN"))])])),
        (
            "location",
            map(&[
                ("latitude", Value::Double(35.15)),
                ("longitude", Value::Double(-90.05)),
                ("accuracy_radius", Value::Short(20)),
            ]),
        ),
    ])
}

fn lisbon() -> Value {
    // As sold elsewhere: a bare code, coordinates as text beside it, a system by its name.
    map(&[
        ("country_code", Value::Text("PT")),
        ("lat", Value::Text("38.72")),
        ("lng", Value::Text("-9.14")),
        ("asn", Value::Text("AS64529")),
    ])
}

struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        // As a new edition should come: under another name first, then in one step.
        let fresh = self.directory.path().join("fresh");
        std::fs::write(&fresh, bytes).unwrap();
        std::fs::rename(fresh, &path).unwrap();
        path
    }

    fn cities(&self) -> PathBuf {
        let networks = [([192, 0, 2, 0], 24, memphis()), ([198, 51, 100, 0], 24, lisbon())];
        self.write("cities.mmdb", &database("Test-City", BUILT, &networks))
    }

    fn anonymizers(&self) -> PathBuf {
        let networks = [
            ([192, 0, 2, 7], 32, map(&[("is_anonymous", Value::Bool(true)), ("is_anonymous_vpn", Value::Bool(true))])),
            ([198, 51, 100, 0], 25, map(&[("is_hosting_provider", Value::Bool(true))])),
        ];
        self.write("anonymizers.mmdb", &database("Test-Anonymous", BUILT + 1, &networks))
    }
}

fn of(address: &str) -> NetworkUnchecked {
    NetworkUnchecked { ip_address: address.into(), ..NetworkUnchecked::default() }
}

fn told(book: &AddressBook, mut network: NetworkUnchecked) -> NetworkUnchecked {
    book.tell(&mut network);
    network
}

#[test]
fn what_was_left_out_is_told_and_the_editions_are_named() {
    let files = Files::new();
    let book = AddressBook::open(&[files.cities(), files.anonymizers()], false).unwrap();
    let network = told(&book, of("192.0.2.7"));
    assert_eq!((network.region_code.as_str(), network.subdivision_code.as_str()), ("US", "US-TN"));
    let place = PlaceUnchecked { latitude_degrees: 35.15, longitude_degrees: -90.05, radius_km: 20 };
    assert_eq!(network.address_place, Some(place));
    assert_eq!(network.anonymizer_detected, Some(true));
    let build =
        |name: &str, seconds: u32| DatabaseBuild { database_type: name.into(), build_seconds: i64::from(seconds) };
    assert_eq!(network.databases, [build("Test-City", BUILT), build("Test-Anonymous", BUILT + 1)]);
    let network = told(&book, of("198.51.100.9"));
    assert_eq!((network.region_code.as_str(), network.autonomous_system_number), ("PT", 64_529));
    assert_eq!(network.address_place.map(|place| place.latitude_degrees), Some(38.72));
    // A data center, and not marked.
    assert_eq!((network.connection_type, network.anonymizer_detected), (4, Some(false)));
}

#[test]
fn an_address_nobody_knows_is_left_as_it_was_sent() {
    let files = Files::new();
    let book = AddressBook::open(&[files.cities()], false).unwrap();
    for address in ["203.0.113.1", "2001:db8::1", "not an address", ""] {
        assert_eq!(told(&book, of(address)), of(address), "{address}");
    }
    // The same address in the dress of IPv6 is the same address.
    assert_eq!(told(&book, of("::ffff:192.0.2.1")).region_code, "US");
    assert_eq!(told(&AddressBook::default(), of("192.0.2.1")), of("192.0.2.1"));
}

#[test]
fn what_the_caller_sent_stays_unless_the_databases_are_to_prevail() {
    let files = Files::new();
    let paths = [files.cities()];
    let sent = NetworkUnchecked { region_code: "CA".into(), autonomous_system_number: 64_500, ..of("198.51.100.9") };
    let network = told(&AddressBook::open(&paths, false).unwrap(), sent.clone());
    // Nor is a place put beside a region it does not lie in.
    assert_eq!((network.region_code.as_str(), network.address_place), ("CA", None));
    assert_eq!((network.autonomous_system_number, network.databases.len()), (64_500, 0));
    let network = told(&AddressBook::open(&paths, true).unwrap(), sent);
    assert_eq!((network.region_code.as_str(), network.autonomous_system_number), ("PT", 64_529));
    assert!(network.address_place.is_some());
    assert_eq!(network.databases.len(), 1);
}

#[test]
fn a_file_that_cannot_be_used_is_one_clear_error() {
    let files = Files::new();
    let complaint = |path: &Path| {
        let error = AddressBook::open(&[path.to_path_buf()], false).unwrap_err();
        assert!(error.contains(&path.display().to_string()) && !error.contains('\n'), "{error}");
        error
    };
    assert!(complaint(&files.directory.path().join("none.mmdb")).contains("there is no address database"));
    assert!(complaint(&files.write("text.mmdb", b"192.0.2.0/24,US")).contains("no MaxMind DB file"));
    assert!(complaint(&files.write("empty.mmdb", b"")).contains("no MaxMind DB file"));
    let whole = std::fs::read(files.cities()).unwrap();
    for kept in [whole.len() - 10, whole.len() / 2, 100] {
        assert!(complaint(&files.write("cut.mmdb", &whole[..kept])).contains("cut off"), "{kept} bytes");
    }
    let domains = [([192, 0, 2, 0], 24, map(&[("domain", Value::Text("example.com"))]))];
    let wrong = files.write("domains.mmdb", &database("Test-Domain", BUILT, &domains));
    assert!(complaint(&wrong).contains("(Test-Domain) tells nothing"), "{}", complaint(&wrong));
    let paths: Vec<PathBuf> = (0..9).map(|_| files.cities()).collect();
    assert!(AddressBook::open(&paths, false).unwrap_err().contains("at most 8"));
}

#[test]
fn a_new_edition_is_read_and_a_broken_one_is_not() {
    let files = Files::new();
    let path = files.cities();
    let book = AddressBook::open(std::slice::from_ref(&path), false).unwrap();
    assert_eq!(book.renew(), []);
    files.write("cities.mmdb", b"cut off");
    assert!(matches!(book.renew().as_slice(), [Renewed::Kept(cause)] if cause.contains("cities.mmdb")));
    assert_eq!(told(&book, of("192.0.2.1")).region_code, "US", "the edition before goes on");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(book.renew().as_slice(), [Renewed::Kept(_)]));
    let moved = [([192, 0, 2, 0], 24, lisbon())];
    files.write("cities.mmdb", &database("Test-City", BUILT + 86_400, &moved));
    assert!(
        matches!(book.renew().as_slice(), [Renewed::Read(build)] if build.build_seconds == i64::from(BUILT) + 86_400)
    );
    assert_eq!(told(&book, of("192.0.2.1")).region_code, "PT");
    assert_eq!(book.renew(), []);
}

/// A month at home and in the office, then a new edition of the database that moves the office overseas.
fn lines(office_after: &str) -> String {
    let mut lines = String::new();
    for day in 0..21 {
        for (session, address) in [(0, "192.0.2.1"), (1, "198.51.100.9")] {
            let address = if day == 20 && session == 1 { office_after } else { address };
            lines += &format!(
                r#"{{"event":{{"eventId":"e-{day}-{session}","workerId":"w","activity":"SESSION_ACTIVITY_LOGON","#
            );
            let (date, hour) = (day + 1, 14 + 2 * session);
            lines +=
                &format!(r#""eventTime":"2026-09-{date:02}T{hour}:00:00Z","network":{{"ipAddress":"{address}"}}}}}}"#);
            lines += "\n";
        }
    }
    lines
}

fn score(files: &Files, name: &str, lines: &str, database: &Path) -> Vec<serde_json::Value> {
    let input = files.write(name, lines.as_bytes());
    let run = Command::new(env!("CARGO_BIN_EXE_elsewhere"))
        .args(["score", "--data-dir"])
        .arg(files.directory.path().join("state"))
        .arg("--address-database")
        .arg(database)
        .arg(&input)
        .output()
        .expect("the program");
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{told}");
    assert!(!told.contains("192.0.2") && !told.contains("198.51"), "no address in what is told: {told}");
    let text = String::from_utf8(run.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn near() -> Value {
    map(&[
        ("country", map(&[("iso_code", Value::Text("US"))])),
        ("location", map(&[("latitude", Value::Double(35.2)), ("longitude", Value::Double(-90.0))])),
    ])
}

fn reason<'a>(result: &'a serde_json::Value, code: &str) -> Option<&'a serde_json::Value> {
    result["verdict"]["reasons"].as_array()?.iter().find(|reason| reason["code"] == code)
}

#[test]
fn a_verdict_names_the_editions_and_a_moved_address_is_no_journey() {
    let files = Files::new();
    let networks = |office: Value| [([192, 0, 2, 0], 24, near()), ([198, 51, 100, 0], 24, office)];
    let first = files.write("first.mmdb", &database("Test-City", BUILT, &networks(near())));
    let text = lines("198.51.100.9");
    let (past, today) = text.split_at(text.match_indices('\n').nth(40).unwrap().0 + 1);
    let results = score(&files, "past.ndjson", past, &first);
    let named = &results[0]["verdict"]["addressDatabases"][0];
    assert_eq!(named["databaseType"], "Test-City");
    assert_eq!(named["buildTime"], "2026-11-20T00:00:00Z", "{named}");
    // The new edition puts the office in Lisbon. The worker logs in there two hours after home, as every day.
    let second = files.write("second.mmdb", &database("Test-City", BUILT + 86_400, &networks(lisbon())));
    let results = score(&files, "today.ndjson", today, &second);
    assert_eq!(results.len(), 1);
    assert_eq!(reason(&results[0], "REASON_CODE_NETWORK_IMPLAUSIBLE_TRAVEL"), None, "{}", results[0]);
    assert_eq!(results[0]["verdict"]["addressDatabases"][0]["buildTime"], "2026-11-21T00:00:00Z");
    // An event sent again is the same event under any edition, and its verdict names the one it was given by.
    let again = score(&files, "again.ndjson", past.lines().next().unwrap(), &second);
    assert_eq!(again[0]["verdict"]["replayed"], true, "{}", again[0]);
    assert_eq!(again[0]["verdict"]["addressDatabases"], serde_json::json!([named]));
}

#[test]
fn an_address_never_seen_that_lies_as_far_is_a_journey() {
    let files = Files::new();
    let networks = [([192, 0, 2, 0], 24, near()), ([198, 51, 100, 0], 24, near()), ([203, 0, 113, 0], 24, lisbon())];
    let path = files.write("cities.mmdb", &database("Test-City", BUILT, &networks));
    let results = score(&files, "all.ndjson", &lines("203.0.113.7"), &path);
    let last = results.last().unwrap();
    let journey = reason(last, "REASON_CODE_NETWORK_IMPLAUSIBLE_TRAVEL");
    assert!(journey.is_some_and(|reason| reason["contributionLogOdds"].as_f64() > Some(0.1)), "{last}");
}

/// The test databases of the MaxMind DB project, where they are.
fn maxmind(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/network").join(name);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: there is no {}", path.display());
    None
}

#[test]
fn the_test_databases_of_the_format_are_read() {
    let names = [
        "GeoIP2-City-Test.mmdb",
        "GeoLite2-ASN-Test.mmdb",
        "GeoIP2-Anonymous-IP-Test.mmdb",
        "GeoIP2-Connection-Type-Test.mmdb",
    ];
    let Some(paths) = names.iter().map(|name| maxmind(name)).collect::<Option<Vec<_>>>() else { return };
    let book = AddressBook::open(&paths, false).unwrap();
    let network = told(&book, of("81.2.69.142"));
    assert_eq!((network.region_code.as_str(), network.subdivision_code.as_str()), ("GB", "GB-ENG"));
    assert!(network.address_place.is_some_and(|place| (place.latitude_degrees - 51.5).abs() < 0.2));
    assert_eq!(told(&book, of("1.128.0.0")).autonomous_system_number, 1_221);
    assert_eq!(told(&book, of("1.2.0.1")).anonymizer_detected, Some(true));
    assert_eq!(told(&book, of("1.0.1.0")).connection_type, 2, "cellular");
    let lite = AddressBook::open(&maxmind("GeoLite2-City-Test.mmdb").into_iter().collect::<Vec<_>>(), false).unwrap();
    assert_eq!(told(&lite, of("2001:218::1")).region_code, "JP");
}
