//! Reader of the semi-real logins: real session times, invented networks and attacks. Ours: train and measure.

use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// One login.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub struct Login {
    /// Seconds since 1970, UTC.
    pub ts: i64,
    /// Pseudonym.
    pub user: String,
    /// IPv4 in text form; a random number.
    pub ip: String,
    /// Private-use autonomous system.
    pub asn: u32,
    /// English name.
    pub country: String,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// Family and major version.
    pub browser: String,
    /// Operating system.
    pub os: String,
    /// How it was made: `legit`, `legit_away`, `atk_naive`, ... (SOURCES.md).
    pub label: String,
}

impl Login {
    /// Whether the user made it.
    pub fn legit(&self) -> bool {
        self.label.starts_with("legit")
    }
}

/// Reads all logins from the `login` folder under `data`, by user and then time.
///
/// # Errors
/// Names the file that cannot be read and why.
pub fn read(data: &Path) -> Result<Vec<Login>, String> {
    let path = data.join("login/semireal_logins_dev.csv.gz");
    let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut logins = csv::Reader::from_reader(GzDecoder::new(file))
        .deserialize()
        .collect::<Result<Vec<Login>, _>>()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    // Stable, so that logins of one second keep the order of the file.
    logins.sort_by(|a, b| a.user.cmp(&b.user).then(a.ts.cmp(&b.ts)));
    Ok(logins)
}

/// Whether parameters are fitted on a user: three in five, by FNV-1a of the pseudonym; the rest are measured on.
pub fn fitted(user: &str) -> bool {
    let hash = user
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32) % 5 < 3
}

/// The country most of each user's logins at home come from: what they would claim. By user.
pub fn home_countries<'a>(logins: &'a [Login]) -> BTreeMap<&'a str, &'a str> {
    let mut counts: BTreeMap<&'a str, BTreeMap<&'a str, usize>> = BTreeMap::new();
    for login in logins.iter().filter(|login| login.label == "legit") {
        *counts.entry(&login.user).or_default().entry(&login.country).or_default() += 1;
    }
    let most = |(user, countries): (&'a str, BTreeMap<&'a str, usize>)| {
        countries.into_iter().max_by_key(|(_, count)| *count).map(|(country, _)| (user, country))
    };
    counts.into_iter().filter_map(most).collect()
}

/// The CLDR region code of an English country name as the sets spell it; `None` when not listed.
pub fn region_code(country: &str) -> Option<&'static str> {
    REGIONS.binary_search_by(|(name, _)| (*name).cmp(country)).ok().map(|index| REGIONS[index].1)
}

/// English names in byte order and their codes.
const REGIONS: [(&str, &str); 110] = [
    ("Albania", "AL"),
    ("Algeria", "DZ"),
    ("Argentina", "AR"),
    ("Armenia", "AM"),
    ("Australia", "AU"),
    ("Austria", "AT"),
    ("Azerbaijan", "AZ"),
    ("Bangladesh", "BD"),
    ("Belarus", "BY"),
    ("Belgium", "BE"),
    ("Bolivia", "BO"),
    ("Bosnia and Herzegovina", "BA"),
    ("Brazil", "BR"),
    ("Bulgaria", "BG"),
    ("Cambodia", "KH"),
    ("Canada", "CA"),
    ("Chile", "CL"),
    ("China", "CN"),
    ("Colombia", "CO"),
    ("Costa Rica", "CR"),
    ("Croatia", "HR"),
    ("Cyprus", "CY"),
    ("Czech Republic", "CZ"),
    ("Denmark", "DK"),
    ("Dominican Republic", "DO"),
    ("Ecuador", "EC"),
    ("Egypt", "EG"),
    ("El Salvador", "SV"),
    ("Estonia", "EE"),
    ("Finland", "FI"),
    ("France", "FR"),
    ("Georgia", "GE"),
    ("Germany", "DE"),
    ("Ghana", "GH"),
    ("Greece", "GR"),
    ("Guatemala", "GT"),
    ("Honduras", "HN"),
    ("Hong Kong", "HK"),
    ("Hungary", "HU"),
    ("Iceland", "IS"),
    ("India", "IN"),
    ("Indonesia", "ID"),
    ("Ireland", "IE"),
    ("Isle of Man", "IM"),
    ("Israel", "IL"),
    ("Italy", "IT"),
    ("Japan", "JP"),
    ("Jersey", "JE"),
    ("Jordan", "JO"),
    ("Kazakhstan", "KZ"),
    ("Kenya", "KE"),
    ("Kosovo", "XK"),
    ("Latvia", "LV"),
    ("Lebanon", "LB"),
    ("Libya", "LY"),
    ("Liechtenstein", "LI"),
    ("Lithuania", "LT"),
    ("Luxembourg", "LU"),
    ("Macedonia", "MK"),
    ("Malaysia", "MY"),
    ("Malta", "MT"),
    ("Mexico", "MX"),
    ("Moldova", "MD"),
    ("Montenegro", "ME"),
    ("Morocco", "MA"),
    ("Nepal", "NP"),
    ("Netherlands", "NL"),
    ("New Zealand", "NZ"),
    ("Nicaragua", "NI"),
    ("Nigeria", "NG"),
    ("North Macedonia", "MK"),
    ("Norway", "NO"),
    ("Pakistan", "PK"),
    ("Panama", "PA"),
    ("Paraguay", "PY"),
    ("Peru", "PE"),
    ("Philippines", "PH"),
    ("Poland", "PL"),
    ("Portugal", "PT"),
    ("Puerto Rico", "PR"),
    ("Romania", "RO"),
    ("Russia", "RU"),
    ("Saudi Arabia", "SA"),
    ("Serbia", "RS"),
    ("Singapore", "SG"),
    ("Slovakia", "SK"),
    ("Slovenia", "SI"),
    ("South Africa", "ZA"),
    ("South Korea", "KR"),
    ("Spain", "ES"),
    ("Sri Lanka", "LK"),
    ("Suriname", "SR"),
    ("Sweden", "SE"),
    ("Switzerland", "CH"),
    ("Taiwan", "TW"),
    ("Tanzania", "TZ"),
    ("Thailand", "TH"),
    ("Trinidad and Tobago", "TT"),
    ("Tunisia", "TN"),
    ("Turkey", "TR"),
    ("Uganda", "UG"),
    ("Ukraine", "UA"),
    ("United Arab Emirates", "AE"),
    ("United Kingdom", "GB"),
    ("United States", "US"),
    ("Uruguay", "UY"),
    ("Venezuela", "VE"),
    ("Vietnam", "VN"),
    ("Zambia", "ZM"),
    ("Zimbabwe", "ZW"),
];
