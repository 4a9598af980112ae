//! What the people of the stories send, made by kind from one seed: a hand on a keyboard, a way to the machine, a line.
//!
//! The draws follow what is known of people and paths; pointer motion is the example company's. Nothing here knows what
//! the service makes of it.

use elsewhere::api::wire;
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::sync::LazyLock;

/// A reproducible stream of draws (SplitMix64, Steele et al. 2014).
pub struct Chance(u64);

impl Chance {
    pub fn new(name: &str) -> Self {
        // FNV-1a: each name has a stream of its own.
        Self(
            name.bytes()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)),
        )
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    pub fn normal(&mut self, mean: f64, sd: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.share()).ln()).sqrt();
        mean + sd * radius * (std::f64::consts::TAU * self.share()).cos()
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.share()).ln()
    }

    fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * self.normal(0.0, sigma).exp()
    }
}

/// A standard normal value that belongs to a name: what is somebody's own.
fn habit(name: &str) -> f64 {
    let mut chance = Chance::new(name);
    chance.bits();
    chance.normal(0.0, 1.0)
}

/// A keyed hash as a caller would send it.
pub fn token(name: &str) -> Vec<u8> {
    let mut chance = Chance::new(name);
    [chance.bits().to_be_bytes(), chance.bits().to_be_bytes()].concat()
}

/// A city to the precision of a claim.
#[derive(Clone, Copy)]
pub struct City {
    pub name: &'static str,
    region: &'static str,
    subdivision: &'static str,
    pub zone: &'static str,
    latitude: f64,
    longitude: f64,
}

const CITIES: [City; 8] = [
    city("Denver", "US", "US-CO", "America/Denver", 39.74, -104.99),
    city("Nashville", "US", "US-TN", "America/Chicago", 36.16, -86.78),
    city("Boston", "US", "US-MA", "America/New_York", 42.36, -71.06),
    city("Phoenix", "US", "US-AZ", "America/Phoenix", 33.45, -112.07),
    city("Atlanta", "US", "US-GA", "America/New_York", 33.75, -84.39),
    city("Seattle", "US", "US-WA", "America/Los_Angeles", 47.61, -122.33),
    city("London", "GB", "GB-LND", "Europe/London", 51.51, -0.13),
    city("Berlin", "DE", "DE-BE", "Europe/Berlin", 52.52, 13.40),
];

const fn city(
    name: &'static str,
    region: &'static str,
    subdivision: &'static str,
    zone: &'static str,
    latitude: f64,
    longitude: f64,
) -> City {
    City { name, region, subdivision, zone, latitude, longitude }
}

/// Where the caller's edges stand; a client is answered by the nearest.
const VANTAGES: [(f64, f64); 4] = [(39.04, -77.49), (45.60, -121.18), (50.11, 8.68), (41.26, -95.94)];

impl City {
    pub fn named(name: &str) -> Result<Self, String> {
        CITIES.into_iter().find(|city| city.name == name).ok_or_else(|| format!("no city {name:?} in samples.rs"))
    }

    fn place(&self, radius_km: u32) -> wire::Place {
        wire::Place { latitude_degrees: self.latitude, longitude_degrees: self.longitude, radius_km }
    }

    fn vantage(&self) -> (f64, f64) {
        let here = (self.latitude, self.longitude);
        let mut all = VANTAGES;
        all.sort_by(|a, b| distance_km(*a, here).total_cmp(&distance_km(*b, here)));
        all[0]
    }

    fn rtt_ms(&self, to: (f64, f64)) -> f64 {
        // Light in fibre does 100 km a millisecond there and back; roads of cable are a third longer.
        1.35 * distance_km((self.latitude, self.longitude), to) / 100.0
    }
}

fn distance_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (north, south) = (a.0.to_radians(), b.0.to_radians());
    let half = (((south - north) / 2.0).sin().powi(2)
        + north.cos() * south.cos() * ((b.1 - a.1).to_radians() / 2.0).sin().powi(2))
    .sqrt();
    2.0 * 6_371.0 * half.asin()
}

/// How a client reaches the caller.
#[derive(Clone)]
pub enum Line {
    /// A household's line: the house, where it stands.
    House(String, City),
    /// A hotel's.
    Hotel(City),
    /// A VPN that carries the connection through to its exit.
    Vpn(City),
    /// A household's by satellite, whose operator ends TCP on the ground.
    Satellite(String, City),
    /// A company's gateway that ends TCP, with so many milliseconds from there to the client.
    Gateway(City, f64),
    /// A household's that strangers rent, with so many milliseconds behind it.
    Proxy(City, f64),
}

/// Whose hand types.
#[derive(Clone)]
pub enum Hand {
    Own,
    OwnOnNewKeyboard,
    Of(String),
}

/// What a session is made of.
#[derive(Clone)]
pub struct Kinds {
    pub typing: Hand,
    pub pointer_relayed: bool,
    pub answers_late_ms: f64,
    pub clock: String,
    pub line: Line,
    /// The display a KVM shows; none for the machine's own.
    pub kvm: Option<String>,
    /// Whether the machine is a virtual desktop, which says so itself.
    pub virtual_desktop: bool,
    pub remote_access_sanctioned: bool,
    pub phone: String,
    pub always_learned: bool,
}

impl Kinds {
    /// Of somebody at home at their own machine.
    pub fn of(worker: &str, city: City) -> Self {
        Self {
            typing: Hand::Own,
            pointer_relayed: false,
            answers_late_ms: 0.0,
            clock: city.zone.into(),
            line: Line::House(worker.into(), city),
            kvm: None,
            virtual_desktop: false,
            remote_access_sanctioned: false,
            phone: worker.into(),
            always_learned: false,
        }
    }

    /// Changes what the kinds of a line say, separated by commas.
    pub fn but(mut self, said: &str) -> Result<Self, String> {
        for kind in said.split(", ") {
            let words: Vec<&str> = kind.split_whitespace().collect();
            match words.as_slice() {
                ["typing", "own", "hand"] => self.typing = Hand::Own,
                ["typing", "own", "hand", "on", "a", "new", "keyboard"] => self.typing = Hand::OwnOnNewKeyboard,
                ["typing", "hand", "of", other] => self.typing = Hand::Of((*other).into()),
                ["pointer", "own", "hand"] => self.pointer_relayed = false,
                ["pointer", "relayed"] => self.pointer_relayed = true,
                ["answers", "at", "once"] => self.answers_late_ms = 0.0,
                ["answers", millis, "ms", "late"] => self.answers_late_ms = number(millis)?,
                ["clock", zone] => self.clock = (*zone).into(),
                ["line", "house", house, "in", city] => self.line = Line::House((*house).into(), City::named(city)?),
                ["line", "hotel", "in", city] => self.line = Line::Hotel(City::named(city)?),
                ["line", "VPN", "in", city] => self.line = Line::Vpn(City::named(city)?),
                ["line", "satellite", house, "in", city] => {
                    self.line = Line::Satellite((*house).into(), City::named(city)?);
                }
                ["line", "proxy", "in", city, "hiding", millis, "ms"] => {
                    self.line = Line::Proxy(City::named(city)?, number(millis)?);
                }
                ["line", "gateway", "in", city, "hiding", millis, "ms"] => {
                    self.line = Line::Gateway(City::named(city)?, number(millis)?);
                }
                ["machine", "own"] => self.kvm = None,
                ["machine", "behind", "a", "KVM", "showing", display] => self.kvm = Some((*display).into()),
                ["desktop", "virtual"] => {
                    self.virtual_desktop = true;
                    self.pointer_relayed = true;
                }
                ["remote", "access", "sanctioned"] => self.remote_access_sanctioned = true,
                ["phone", phone] => self.phone = (*phone).into(),
                ["learning", "always"] => self.always_learned = true,
                _ => return Err(format!("samples.rs makes no {kind:?}")),
            }
        }
        Ok(self)
    }
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

/// Pointer motion of the example company, by scenario and worker, in order.
static MOTIONS: LazyLock<BTreeMap<String, Vec<Vec<wire::PointerSample>>>> = LazyLock::new(|| {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let truth = std::fs::read_to_string(format!("{examples}/company.truth.tsv")).expect("the truth");
    let rows = truth.lines().skip(1).map(|row| row.split('\t').collect::<Vec<_>>());
    let scenario: BTreeMap<String, String> = rows.map(|row| (row[0].to_string(), row[1].to_string())).collect();
    let mut by_worker: BTreeMap<String, Vec<wire::PointerSample>> = BTreeMap::new();
    let file = std::fs::File::open(format!("{examples}/company.ndjson.gz")).expect("the example");
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        let request: wire::AssessSessionRequest = serde_json::from_str(&line.expect("a line")).expect("a request");
        let event = request.event.expect("an event");
        by_worker.entry(event.worker_id).or_default().extend(event.pointer);
    }
    let mut motions: BTreeMap<String, Vec<Vec<wire::PointerSample>>> = BTreeMap::new();
    for (worker, samples) in by_worker {
        motions.entry(scenario[&worker].clone()).or_default().push(samples);
    }
    motions
});

/// A worker of a story.
pub struct Worker {
    pub name: String,
    /// Position in the story; whose mouse of the example is theirs.
    number: usize,
    pub city: City,
    pub usual: Kinds,
    chance: Chance,
    motions_used: [usize; 2],
    pub event_count: u32,
    /// Slow drift of the hand, as a logarithm.
    drift: f64,
}

impl Worker {
    pub fn new(name: &str, number: usize, city: City, usual: Kinds) -> Self {
        let chance = Chance::new(&format!("draws of {name}"));
        Self { name: name.into(), number, city, usual, chance, motions_used: [0; 2], event_count: 0, drift: 0.0 }
    }

    /// Minutes by which a planned time is missed.
    pub fn late_seconds(&mut self) -> i64 {
        self.chance.uniform(-1_500.0, 1_500.0) as i64
    }

    /// The next motion of their own mouse, or of an operator's behind a KVM; none is told twice.
    pub fn pointer(&mut self, relayed: bool) -> wire::PointerSample {
        let people = &MOTIONS[if relayed { "H01" } else { "B01" }];
        let used = &mut self.motions_used[usize::from(relayed)];
        let own = &people[self.number % people.len()];
        *used += 1;
        own.get(*used - 1).expect("a story shorter than the example").clone()
    }

    /// A login.
    pub fn login(&mut self, seconds: i64, kinds: &Kinds) -> wire::SessionEvent {
        self.event_count += 1;
        let event_id = format!("{}-{:03}", self.name, self.event_count);
        wire::SessionEvent {
            session_id: format!("s-{event_id}"),
            event_id,
            worker_id: self.name.clone(),
            event_time: Some(wire::Timestamp { seconds, nanos: 0 }),
            activity: wire::SessionActivity::Logon as i32,
            claim: Some(self.claim()),
            timezone: Some(self.timezone(seconds, &kinds.clock)),
            typing: Some(self.typing(kinds)),
            remote_input: Some(self.remote_input(kinds)),
            network: Some(self.network(&kinds.line)),
            device: Some(self.device(kinds)),
            pointer: Some(self.pointer(kinds.pointer_relayed)),
            challenge: Some(self.challenge(kinds)),
            active_span: Some(wire::Duration { seconds: 60, nanos: 0 }),
            collector: Some(wire::CollectorReport { name: "web/1.2".into(), ..Default::default() }),
            ..Default::default()
        }
    }

    fn claim(&self) -> wire::Claim {
        let since = Some(wire::Timestamp { seconds: 1_754_006_400, nanos: 0 });
        wire::Claim {
            region_code: self.city.region.into(),
            subdivision_code: self.city.subdivision.into(),
            time_zone: self.city.zone.into(),
            place: Some(self.city.place(25)),
            hire_time: since,
            declare_time: since,
            remote_access_sanctioned: self.usual.remote_access_sanctioned,
            shipping_token: match &self.usual.line {
                Line::House(house, _) | Line::Satellite(house, _) => token(&format!("door of {house}")),
                _ => Vec::new(),
            },
            ..Default::default()
        }
    }

    fn timezone(&mut self, seconds: i64, zone: &str) -> wire::TimezoneSample {
        wire::TimezoneSample {
            time_zone: zone.into(),
            utc_offset_minutes: Some(super::script::offset_minutes(zone, seconds)),
            clock_skew_millis: Some(self.chance.normal(40.0, 20.0) as i64),
        }
    }

    /// The login phrase: twelve letters and Enter, typed by a hand, seen through an 8 ms keyboard and what relays it.
    fn typing(&mut self, kinds: &Kinds) -> wire::TypingSample {
        let (hand, new_keyboard) = match &kinds.typing {
            Hand::Own => (self.name.clone(), false),
            Hand::OwnOnNewKeyboard => (self.name.clone(), true),
            Hand::Of(other) => (other.clone(), false),
        };
        let own = |what: &str, at: usize| habit(&format!("{hand} {what} {at}"));
        // Between people: medians of 110 to 260 ms a press and 70 to 130 ms of dwell.
        let median_ms = 180.0 * (0.25 * own("speed", 0)).exp();
        let dwell_ms = 95.0 * (0.18 * own("dwell", 0)).exp();
        self.drift = 0.92 * self.drift + self.chance.normal(0.0, 0.025);
        let form = self.drift + self.chance.normal(0.0, 0.05);
        let mut sample = wire::TypingSample {
            context: wire::TypingContext::FixedPhrase as i32,
            phrase_id: format!("phrase-{}", self.name),
            timer_resolution_micros: 100,
            ..Default::default()
        };
        let (mut press_ms, mut before) = (self.chance.uniform(0.0, 8.0), None);
        for at in 0..13 {
            let (reach, press) = (0.28 * own("reach", at) + form, 0.15 * own("press", at) + 0.3 * form);
            // Other travel and spacing: each key is found and left a little differently, and most of them later.
            let (reach, press) = if new_keyboard {
                (reach + 0.10 + 0.25 * own("new reach", at), press - 0.20 + 0.12 * own("new press", at))
            } else {
                (reach, press)
            };
            if at > 0 {
                press_ms += (median_ms * (reach + self.chance.normal(0.0, 0.28)).exp()).clamp(15.0, 8_000.0);
            }
            let release_ms = press_ms + (dwell_ms * (press + self.chance.normal(0.0, 0.17)).exp()).clamp(20.0, 1_500.0);
            let (down, up) = (self.seen(press_ms, kinds), self.seen(release_ms, kinds));
            let down = before.map_or(down, |last: i64| down.max(last));
            sample.press_interval_micros.push(before.map_or(0, |last| (down - last) as u32));
            sample.dwell_micros.push((up - down).max(1_000) as u32);
            sample.key_classes.push(if at == 12 { wire::KeyClass::Enter } else { wire::KeyClass::Letter } as i32);
            before = Some(down);
        }
        sample
    }

    /// When the machine sees what a hand does at `at_ms`, in steps of a browser's 100 us.
    fn seen(&mut self, at_ms: f64, kinds: &Kinds) -> i64 {
        let mut at = (at_ms / 8.0).ceil() * 8.0;
        if kinds.kvm.is_some() {
            // The link's jitter, and the far end's own polling.
            at = ((at + self.chance.exponential(9.0)) / 8.0).ceil() * 8.0;
        }
        ((at + self.chance.exponential(0.12)) * 10.0).floor() as i64 * 100
    }

    /// From paint to key: an ex-Gaussian person, a display, and the way.
    fn answer_ms(&mut self, late_ms: f64) -> f64 {
        let location = 200.0 + 25.0 * habit(&format!("{} reaction", self.name));
        let person = self.chance.normal(location - 22.0, 22.0) + self.chance.exponential(45.0);
        person.max(120.0) + 45.0 + self.late_ms(late_ms)
    }

    fn late_ms(&mut self, late_ms: f64) -> f64 {
        if late_ms == 0.0 { self.chance.exponential(1.5) } else { late_ms + self.chance.exponential(20.0) }
    }

    fn challenge(&mut self, kinds: &Kinds) -> wire::ChallengeSample {
        let reaction_micros = (0..3).map(|_| (self.answer_ms(kinds.answers_late_ms) * 10.0) as u32 * 100).collect();
        wire::ChallengeSample {
            reaction_micros,
            kind: wire::ChallengeKind::PressKey as i32,
            refresh_rate_millihertz: 60_000,
        }
    }

    fn remote_input(&mut self, kinds: &Kinds) -> wire::RemoteInputSample {
        let loops = (0..3).map(|_| {
            let work_ms = self.chance.lognormal(440.0, 0.35) + 45.0 + self.late_ms(kinds.answers_late_ms);
            work_ms as u32 * 1_000
        });
        wire::RemoteInputSample {
            natural_loop_micros: loops.collect(),
            timer_resolution_micros: 1_000,
            remote_session_reported: Some(kinds.virtual_desktop),
            input_path: if kinds.virtual_desktop { wire::InputPath::RemoteSession } else { wire::InputPath::Wired }
                as i32,
            injected_event_count: Some(0),
            event_count: 150,
            ..Default::default()
        }
    }

    fn network(&mut self, line: &Line) -> wire::NetworkSample {
        let (city, owner, hidden_ms, connection) = match line {
            Line::House(house, city) => (*city, format!("house {house}"), 0.0, wire::ConnectionType::Residential),
            Line::Hotel(city) => (*city, format!("hotel {}", city.name), 0.0, wire::ConnectionType::Organization),
            Line::Vpn(city) => (*city, format!("exit {}", city.name), 0.0, wire::ConnectionType::Hosting),
            // A satellite over the equator is 36 000 km away: half a second there and back.
            Line::Satellite(house, city) => (*city, format!("house {house}"), 560.0, wire::ConnectionType::Residential),
            Line::Gateway(city, hidden_ms) => {
                (*city, format!("gateway {}", city.name), *hidden_ms, wire::ConnectionType::Organization)
            }
            Line::Proxy(city, hidden_ms) => {
                let exit = (self.event_count / 4) % 5;
                let owner = format!("rented {} {} {exit}", self.name, city.name);
                (*city, owner, *hidden_ms, wire::ConnectionType::Residential)
            }
        };
        let vantage = city.vantage();
        let mile_ms = if matches!(line, Line::Vpn(_)) { 1.0 } else { 10.0 + 3.0 * habit(&owner).clamp(-2.0, 2.0) };
        let tunnel_ms =
            if matches!(line, Line::Vpn(_)) { self.city.rtt_ms((city.latitude, city.longitude)) + 11.0 } else { 0.0 };
        let floor_ms = city.rtt_ms(vantage) + mile_ms + tunnel_ms;
        let micros = |ms: f64| (ms * 1_000.0) as u32;
        let tcp_rtt_micros = (0..5).map(|_| micros(floor_ms + self.chance.exponential(1.5))).collect();
        let application_rtt_micros = (0..5)
            .map(|_| {
                let behind_ms = hidden_ms + self.chance.exponential(1.5 + 0.04 * hidden_ms);
                micros(floor_ms + behind_ms + self.chance.lognormal(1.5, 0.6))
            })
            .collect();
        let address = token(&format!("address of {owner}"));
        let number = match connection {
            wire::ConnectionType::Residential => 64_512 + u32::from(address[2] % 4),
            wire::ConnectionType::Hosting => 64_530,
            _ => 64_540,
        };
        // A laptop sees the gateway it hangs on, whatever tunnel it digs through it.
        let gateway = match line {
            Line::House(house, _) | Line::Satellite(house, _) => format!("gateway of {house}"),
            Line::Hotel(city) => format!("gateway of hotel {}", city.name),
            Line::Vpn(_) | Line::Gateway(..) | Line::Proxy(..) => format!("gateway of {}", self.name),
        };
        wire::NetworkSample {
            ip_address: format!("198.{}.{}.{}", 18 + address[3] % 2, address[0], address[1]),
            ip_token: address,
            region_code: city.region.into(),
            subdivision_code: city.subdivision.into(),
            autonomous_system_number: number,
            connection_type: connection as i32,
            anonymizer_detected: Some(matches!(line, Line::Vpn(_))),
            tcp_rtt_micros,
            application_rtt_micros,
            vantage: Some(wire::Place { latitude_degrees: vantage.0, longitude_degrees: vantage.1, radius_km: 10 }),
            address_place: Some(city.place(20)),
            site_tokens: vec![token(&gateway)],
            user_agent: "Chrome 145".into(),
            operating_system: "Windows".into(),
            ..Default::default()
        }
    }

    fn device(&self, kinds: &Kinds) -> wire::DeviceSample {
        let plugged = |vendor_id, product_id, class: wire::PeripheralClass| wire::Peripheral {
            vendor_id,
            product_id,
            peripheral_class: class as i32,
        };
        let (keyboard, pointer) = (wire::PeripheralClass::Keyboard, wire::PeripheralClass::Pointer);
        let (display, peripherals) = match &kinds.kvm {
            None => {
                (format!("of {}", self.name), vec![plugged(0x413c, 0x2113, keyboard), plugged(0x046d, 0xc077, pointer)])
            }
            // The identity that a common KVM-over-IP shows as it comes.
            Some(display) => {
                (display.clone(), vec![plugged(0x1d6b, 0x0104, keyboard), plugged(0x1d6b, 0x0104, pointer)])
            }
        };
        wire::DeviceSample {
            device_token: token(&format!("machine of {}", self.name)),
            display_token: token(&format!("display {display}")),
            authenticator_token: token(&format!("phone {}", kinds.phone)),
            peripherals,
            display_count: Some(1),
            managed: Some(true),
        }
    }
}
