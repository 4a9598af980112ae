//! What people of one company are built from: addresses, homes, seats and claims, each drawn alike for everybody.
//!
//! Worked example: a home in Phoenix gets one of the four providers that serve the city, an address of that
//! provider's /24 there (or of its documentation /64), a gateway and an access point; about one home in five gets a
//! new address within four weeks.

use super::Spec;
use super::chance::{Chance, derive, identifier, token};
use super::habits::{self, Customs, Habits};
use super::machine::Machine;
use super::parameters::Spread;
use super::path::InputPath;
use super::person::{Access, Choice, DAY_MICROS, Person, Seat, Seating};
use super::places::{self, City};
use super::pointer::Hand;
use super::rhythm::{self, Rhythm};
use super::scenario::Scenario;
use super::typist::Typist;
use elsewhere::event::{ClaimUnchecked, PlaceUnchecked, TimestampUnchecked};
use std::collections::HashMap;

/// What tokens are made of; each kind has a name space of its own.
pub(super) mod kind {
    pub const WORKER: u64 = 1;
    pub const PHRASE: u64 = 2;
    pub const DEVICE: u64 = 3;
    pub const DISPLAY: u64 = 4;
    pub const AUTHENTICATOR: u64 = 5;
    pub const SHIPPING: u64 = 6;
    pub const INTERMEDIARY: u64 = 7;
    pub const ADDRESS: u64 = 8;
    pub const GATEWAY: u64 = 9;
    pub const ACCESS_POINT: u64 = 10;
}

/// `CONNECTION_TYPE` numbers of the wire.
mod connection {
    pub const RESIDENTIAL: i32 = 1;
    pub const MOBILE: i32 = 2;
    pub const ORGANIZATION: i32 = 3;
    pub const HOSTING: i32 = 4;
}

/// A home or office: its leases of addresses over the simulated days.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) city: City,
    pub(super) leases: Vec<(i64, Access)>,
    pub(super) shipping_token: Vec<u8>,
    pub(super) place: PlaceUnchecked,
}

/// The makers of everything a company shares: addresses, tokens, exits.
pub struct Builder<'a> {
    pub(super) spec: &'a Spec,
    pub(super) chance: Chance,
    addresses: HashMap<(u32, u32), u32>,
    things: u64,
}

/// Devices that plug in as a whole: what an IP-KVM shows by default, and what spoofed ones show.
const KVM_DEFAULTS: [(u32, u32); 3] = [(0x1d6b, 0x0104), (0x1d6b, 0x0104), (0x3346, 0x1009)];
const KVM_SPOOFED: [(u32, u32); 3] = [(0x046d, 0xc52b), (0x413c, 0x2011), (0x045e, 0x005f)];
const KEYBOARDS: [(u32, u32); 5] =
    [(0x046d, 0xc31c), (0x413c, 0x2113), (0x05ac, 0x024f), (0x17ef, 0x6099), (0x046d, 0xc52b)];
const MICE: [(u32, u32); 4] = [(0x046d, 0xc077), (0x413c, 0x301a), (0x17ef, 0x6019), (0x046d, 0xc52b)];
const PROGRAMS: [&str; 5] = ["anydesk", "rustdesk", "teamviewer", "remoting_host", "splashtop"];

impl<'a> Builder<'a> {
    /// A builder of the people of `spec`.
    pub fn new(spec: &'a Spec) -> Self {
        let chance = Chance::new(derive(spec.seed, 100, 0));
        Self { spec, chance, addresses: HashMap::new(), things: 0 }
    }

    /// All people, group by group.
    pub fn people(mut self) -> Vec<Person> {
        let mut people = Vec::new();
        for (scenario, count) in &self.spec.people {
            let (least, most) = self.spec.parameters.group_size(*scenario);
            let mut left = *count as u64;
            while left > 0 {
                let mut size = self.chance.whole(least, most).min(left);
                let rest = left - size;
                // A rest too small for a group of its own joins this one, or this one leaves it enough.
                if rest > 0 && rest < least {
                    size = if left >= 2 * least { left - least } else { left };
                }
                self.group(*scenario, size as u32, &mut people);
                left -= size;
            }
        }
        people
    }

    /// Gives everybody habits, and the lines these need.
    pub fn habits(spec: &'a Spec, customs: &Customs, people: &mut [Person]) {
        let mut builder = Self { chance: Chance::new(derive(spec.seed, 102, 0)), ..Self::new(spec) };
        for (index, person) in people.iter_mut().enumerate() {
            let Some(home) = person.accesses.first().cloned() else { continue };
            if home.connection_type == connection::RESIDENTIAL && home.hidden_ms == 0.0 {
                let address = builder.address(10 + index as u32 % 2, &home.city);
                let phone = builder.access(10 + index as u32 % 2, home.city, address, home.site_tokens.clone());
                person.hotspot_access = Some(person.accesses.len() as u16);
                person.accesses.push(phone);
                if let Some(hub) = customs.gateway.map(|city| places::US[city]) {
                    let mut gate = builder.access(15, hub, shared_address(15, 0x0f00), home.site_tokens.clone());
                    let ends = ((home.city.latitude, home.city.longitude), (hub.latitude, hub.longitude));
                    gate.rtt_ms += places::round_trip_ms(ends.0, ends.1, 1.1) + home.rtt_ms.min(15.0);
                    gate.jitter_ms += home.jitter_ms;
                    person.gateway_access = Some(person.accesses.len() as u16);
                    person.accesses.push(gate);
                }
            }
            habits::give(person, index as u64, customs, &spec.parameters.habits, (spec.seed, spec.start.0, spec.days));
        }
    }

    pub(super) fn thing(&mut self) -> u64 {
        self.things += 1;
        derive(self.spec.seed, 101, self.things)
    }

    pub(super) fn token(&mut self, kind: u64) -> Vec<u8> {
        let thing = self.thing();
        token(self.spec.seed, kind, thing)
    }

    pub(super) fn us_city(&mut self) -> usize {
        // The larger metropolitan areas come first in the list and are drawn more often.
        let weights: Vec<f64> = (0..places::US.len()).map(|index| 3.0 / (3.0 + index as f64 * 0.3)).collect();
        self.chance.weighted(&weights)
    }

    pub(super) fn home_city(&mut self) -> City {
        if self.chance.happens(0.06) {
            return places::EUROPE[self.chance.whole(0, places::EUROPE.len() as u64 - 1) as usize];
        }
        places::US[self.us_city()]
    }

    pub(super) fn city_number(city: &City) -> u32 {
        let all = places::US.iter().chain(&places::EUROPE).chain(&places::OPERATORS).chain(&places::FURTHER_OPERATORS);
        all.into_iter().position(|other| other == city).unwrap_or(0) as u32
    }

    /// An address of `provider` (0 to 9 households, 10 and 11 carriers, 12 and 13 hosting, 14 hotels, 15 offices).
    pub(super) fn address(&mut self, provider: u32, city: &City) -> String {
        let number = Self::city_number(city);
        let next = self.addresses.entry((provider, number)).or_insert(0);
        *next += 1;
        let index = *next;
        let version_six = self.chance.happens(0.35);
        if version_six || index > 250 || number > 31 {
            let host = self.chance.bits();
            return format!(
                "2001:db8:{:x}:{:x}:{:x}:{:x}:{:x}:{:x}",
                provider * 64 + number,
                index & 0xffff,
                host >> 48,
                host >> 32 & 0xffff,
                host >> 16 & 0xffff,
                host & 0xffff
            );
        }
        // 198.18.0.0/15 is set aside for benchmarks: a /19 a provider, a /24 a city.
        let whole = (198u32 << 24) + (18 << 16) + (provider << 13) + (number << 8) + index;
        format!("{}.{}.{}.{}", whole >> 24, whole >> 16 & 255, whole >> 8 & 255, whole & 255)
    }

    pub(super) fn access(&mut self, provider: u32, city: City, address: String, site_tokens: Vec<Vec<u8>>) -> Access {
        let connection_type = match provider {
            0..=9 => connection::RESIDENTIAL,
            10 | 11 => connection::MOBILE,
            12 | 13 => connection::HOSTING,
            _ => connection::ORGANIZATION,
        };
        let last_mile_ms = match connection_type {
            connection::RESIDENTIAL => self.chance.uniform(4.0, 18.0),
            connection::MOBILE => self.chance.uniform(25.0, 60.0),
            connection::HOSTING => self.chance.uniform(0.5, 2.0),
            _ => self.chance.uniform(3.0, 15.0),
        };
        let here = (city.latitude, city.longitude);
        let vantage = places::nearest_vantage(here);
        let stretch = self.chance.lognormal(1.0, 0.12);
        let known_to_km = [10, 20, 50][self.chance.weighted(&[0.4, 0.4, 0.2])];
        let off = self.chance.normal(0.0, 0.15);
        Access {
            ip_token: token(
                self.spec.seed,
                kind::ADDRESS,
                address.bytes().fold(0, |hash, byte| derive(hash, 5, u64::from(byte))),
            ),
            ip_address: address,
            autonomous_system_number: 64_512 + provider,
            city,
            address_place: PlaceUnchecked {
                latitude_degrees: hundredths(city.latitude + off),
                longitude_degrees: hundredths(city.longitude - off),
                radius_km: known_to_km,
            },
            connection_type,
            anonymizer_detected: connection_type == connection::HOSTING,
            vantage: PlaceUnchecked { latitude_degrees: vantage.0, longitude_degrees: vantage.1, radius_km: 10 },
            rtt_ms: places::round_trip_ms(vantage, here, stretch) + last_mile_ms,
            jitter_ms: self.chance.lognormal(1.2, 0.5) + if connection_type == connection::MOBILE { 8.0 } else { 0.0 },
            hidden_ms: 0.0,
            site_tokens,
        }
    }

    pub(super) fn residential_provider(&mut self, city: &City) -> u32 {
        // Four providers serve a city.
        (Self::city_number(city) * 3 + self.chance.whole(0, 3) as u32) % 10
    }

    pub(super) fn site_tokens(&mut self) -> Vec<Vec<u8>> {
        vec![self.token(kind::GATEWAY), self.token(kind::ACCESS_POINT)]
    }

    pub(super) fn home(&mut self, city: City) -> Site {
        let provider = self.residential_provider(&city);
        let tokens = self.site_tokens();
        let address = self.address(provider, &city);
        let first = self.access(provider, city, address, tokens);
        let mut leases = vec![(i64::MIN, first.clone())];
        for day in 0..i64::from(self.spec.days) {
            if self.chance.happens(0.008) {
                let address = self.address(provider, &city);
                let mut next = self.access(provider, city, address, first.site_tokens.clone());
                (next.rtt_ms, next.jitter_ms) = (first.rtt_ms, first.jitter_ms);
                leases.push((self.spec.start.0 + day * DAY_MICROS + 5 * 3_600_000_000, next));
            }
        }
        let place = PlaceUnchecked {
            latitude_degrees: hundredths(city.latitude + self.chance.normal(0.0, 0.1)),
            longitude_degrees: hundredths(city.longitude + self.chance.normal(0.0, 0.1)),
            radius_km: 25,
        };
        Site { city, leases, shipping_token: self.token(kind::SHIPPING), place }
    }

    fn display_of(&self, number: u64) -> Vec<u8> {
        token(self.spec.seed, kind::DISPLAY, number)
    }

    /// A seat at one's own machine.
    pub(super) fn seat(&mut self, typist_seed: u64) -> Seat {
        let path = InputPath::local(&mut self.chance);
        let input_path = [1, 2, 3][self.chance.weighted(&[0.5, 0.28, 0.22])];
        let mut peripherals = Vec::new();
        if input_path != 1 {
            let keyboard = KEYBOARDS[self.chance.whole(0, 4) as usize];
            let mouse = MICE[self.chance.whole(0, 3) as usize];
            peripherals.push((keyboard.0, keyboard.1, 1));
            peripherals.push((mouse.0, mouse.1, 2));
        } else if self.chance.happens(0.5) {
            let mouse = MICE[self.chance.whole(0, 3) as usize];
            peripherals.push((mouse.0, mouse.1, 2));
        }
        if self.chance.happens(0.08) {
            peripherals.push((0x0781, 0x5567, 5));
        }
        if self.chance.happens(0.25) {
            peripherals.push((0x0bda, 0x8153, 6));
        }
        let display = self.thing();
        let mut programs = Vec::new();
        if self.chance.happens(0.04) {
            programs.push(PROGRAMS[self.chance.whole(0, 4) as usize].to_string());
        }
        let location_ms = self.chance.normal(200.0, 40.0).max(130.0);
        let spread_ms = self.chance.lognormal(22.0, 0.25);
        let tail_ms = self.chance.lognormal(45.0, 0.35);
        Seat {
            path,
            input_path,
            remote_session_reported: false,
            programs,
            injected_share: if self.chance.happens(0.2) { self.chance.uniform(0.0, 0.02) } else { 0.0 },
            peripherals,
            display_token: self.display_of(display),
            display_count: 1 + self.chance.weighted(&[0.5, 0.38, 0.12]) as u32,
            stall_seed: self.thing(),
            stall_hours: self.chance.lognormal(12.0, 0.5),
            typist: self.typist(typist_seed),
            hand: Hand::draw(&mut self.chance),
            reaction: (location_ms, spread_ms, tail_ms),
            display_ms: self.chance.lognormal(45.0, 0.4),
            distracted: 0.0,
            machine: Machine::default(),
            ramp_ms_per_day: 0.0,
            lies: false,
        }
    }

    pub(super) fn typist(&self, seed: u64) -> Typist {
        let parameters = &self.spec.parameters;
        Typist::draw(seed, if self.spec.varied { &parameters.typist } else { &parameters.example_typist })
    }

    /// Puts an IP-KVM between hand and machine. `display` is the identity its capture card shows.
    pub(super) fn behind_kvm(&mut self, seat: &mut Seat, link: &Link, spoofed: bool, display: u64) {
        seat.path = InputPath::kvm(link.rtt_ms, link.jitter_ms, self.spec.parameters.relay.kvm_video, &mut self.chance);
        let identity = if spoofed { KVM_SPOOFED[link.model] } else { KVM_DEFAULTS[link.model] };
        seat.input_path = 2;
        seat.peripherals = vec![(identity.0, identity.1, 1), (identity.0, identity.1, 2)];
        if self.chance.happens(0.7) {
            seat.peripherals.push((identity.0, identity.1, 5));
        }
        seat.display_token = self.display_of(display);
        seat.display_count = 1;
        seat.stall_seed = link.stall_seed;
        seat.stall_hours = link.stall_hours;
    }

    pub(super) fn behind_software(&mut self, seat: &mut Seat, link: &Link, dummy: Option<u64>) {
        let video = self.software_video();
        seat.path = InputPath::software(link.rtt_ms, link.jitter_ms, video, &mut self.chance);
        seat.input_path = if self.chance.happens(0.7) { 4 } else { 1 };
        seat.remote_session_reported = self.chance.happens(0.1);
        // Three in ten run under another name, which is then not found.
        seat.programs = if self.chance.happens(0.3) { Vec::new() } else { vec![PROGRAMS[link.model].to_string()] };
        seat.injected_share = self.chance.uniform(0.9, 1.0);
        if let Some(display) = dummy {
            seat.display_token = self.display_of(display);
        }
        seat.display_count = 1;
        seat.stall_seed = link.stall_seed;
        seat.stall_hours = link.stall_hours;
    }

    fn software_video(&self) -> Spread {
        // The example was written with another range.
        if self.spec.varied { self.spec.parameters.relay.software_video } else { Spread::Between([20.0, 80.0]) }
    }

    /// The link between an operator abroad and a site.
    pub(super) fn link(&mut self, operator: &City, site: &City) -> Link {
        let ends = ((operator.latitude, operator.longitude), (site.latitude, site.longitude));
        // 1.6 to 2.2 times the light's round trip in fibre (signals.md, A4).
        let rtt_ms =
            places::distance_km(ends.0, ends.1) / 100.0 * self.spec.parameters.relay.detour.draw(&mut self.chance);
        Link {
            rtt_ms,
            jitter_ms: if self.spec.varied {
                self.spec.parameters.relay.jitter.draw(&mut self.chance)
            } else {
                self.chance.uniform(4.0, 25.0)
            },
            model: self.chance.whole(0, 2) as usize,
            stall_seed: self.thing(),
            stall_hours: self.spec.parameters.relay.stall_hours.draw(&mut self.chance),
        }
    }

    fn claim(&mut self, city: &City, place: PlaceUnchecked, shipping_token: &[u8]) -> ClaimUnchecked {
        let days = self.chance.lognormal(300.0, 0.9).clamp(10.0, 4_000.0);
        let hired = self.spec.start.0 / DAY_MICROS - days as i64;
        let since = TimestampUnchecked { seconds: hired * 86_400, nanos: 0 };
        let agency = self.chance.whole(0, 4);
        ClaimUnchecked {
            region_code: city.region.into(),
            subdivision_code: city.subdivision.into(),
            time_zone: city.zone.into(),
            place: Some(place),
            hire_time: Some(since),
            declare_time: Some(since),
            shipping_token: shipping_token.to_vec(),
            intermediary_token: if self.chance.happens(0.25) {
                token(self.spec.seed, kind::INTERMEDIARY, agency)
            } else {
                Vec::new()
            },
            ..ClaimUnchecked::default()
        }
    }

    /// A worker who lives at `site` and says so; stories change what they need to.
    pub(super) fn person(&mut self, scenario: Scenario, site: &Site) -> Person {
        let worker = self.thing();
        let phrase_seed = self.thing();
        let typist_seed = self.thing();
        let seat = self.seat(typist_seed);
        let claim = self.claim(&site.city, site.place, &site.shipping_token);
        let (operating_system, user_agent) = [
            ("Windows", "Chrome 145"),
            ("Windows", "Edge 145"),
            ("Windows", "Firefox 147"),
            ("macOS", "Chrome 145"),
            ("macOS", "Safari 26"),
            ("Linux", "Firefox 147"),
            ("Linux", "Chrome 145"),
        ][self.chance.weighted(&[0.36, 0.2, 0.04, 0.18, 0.16, 0.03, 0.03])];
        let accesses: Vec<Access> = site.leases.iter().map(|lease| lease.1.clone()).collect();
        let leases = site.leases.iter().enumerate().map(|(index, lease)| (lease.0, index as u16)).collect();
        Person {
            scenario,
            worker_id: identifier(self.spec.seed, kind::WORKER, worker)[..16].to_string(),
            phrase_id: identifier(self.spec.seed, kind::PHRASE, phrase_seed)[..12].to_string(),
            phrase_seed,
            claims: vec![(i64::MIN, claim)],
            accesses,
            choice: Choice::Lease(leases),
            stays: Vec::new(),
            zones: vec![(site.city.zone.to_string(), rhythm::zone(site.city.zone))],
            lives_by: 0,
            own_hours: None,
            rhythm: if self.spec.varied {
                Rhythm::usual(&self.spec.parameters.day, &mut self.chance)
            } else {
                Rhythm::ordinary(&mut self.chance)
            },
            seats: vec![seat],
            seating: Seating::One,
            slips: Vec::new(),
            tampering: None,
            habits: Habits::default(),
            begins_allowed: true,
            hotspot_access: None,
            gateway_access: None,
            device_token: self.token(kind::DEVICE),
            authenticator_token: self.token(kind::AUTHENTICATOR),
            managed: self.chance.happens(0.9),
            user_agent,
            operating_system,
            resolution_micros: if user_agent.starts_with("Chrome") || user_agent.starts_with("Edge") {
                100
            } else {
                1_000
            },
            skew_millis: self.chance.normal(0.0, 300.0),
            pointer_share: 0.96,
        }
    }
}

/// A link to an operator.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) rtt_ms: f64,
    pub(super) jitter_ms: f64,
    pub(super) model: usize,
    pub(super) stall_seed: u64,
    pub(super) stall_hours: f64,
}

pub(super) fn hundredths(degrees: f64) -> f64 {
    (degrees * 100.0).round() / 100.0
}

/// An address that many people leave by.
pub(super) fn shared_address(provider: u32, number: u32) -> String {
    let whole = (198u32 << 24) + (18 << 16) + (provider << 13) + 0x1000 + number;
    format!("{}.{}.{}.{}", whole >> 24, whole >> 16 & 255, whole >> 8 & 255, whole & 255)
}
