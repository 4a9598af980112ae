//! What companies send and what people do whatever story they live: fields left out, second desks, hot spots, new
//! machines, leave. Drawn from streams of their own and alike for honest and hostile workers.
//!
//! Worked example: a company whose integration knows no vantage and sends a nonce of no field sends none for anybody;
//! its worker with a second desk types there on a third of the days, on another keyboard and 4 % slower, before
//! another display.
//!
//! INVARIANT: nothing here asks which scenario a person lives.

use super::chance::{Chance, derive, habit, share_of, token};
use super::household::{hundredths, kind};
use super::parameters::{CustomsSpread, HabitSpread};
use super::person::{DAY_MICROS, Person, Seat};
use super::places;
use super::session::Plan;
use elsewhere::event::{EventUnchecked, TimestampUnchecked};

/// What one company's collectors and identity provider send.
#[derive(Debug, Clone, PartialEq)]
pub struct Customs {
    without: Without,
    /// Share of logins with prompts, and how many of them (least, most).
    pub asked: f64,
    /// Prompts in a challenge.
    pub prompts: (u64, u64),
    /// Share of events with a pointer sample.
    pub pointer: f64,
    /// Share of logins with the phrase.
    pub typing: f64,
    /// Share of events inside sessions with free text.
    pub free_text: f64,
    /// Share of events inside sessions that carry no sample at all: token refreshes.
    pub bare: f64,
    /// Round trips measured per event.
    pub round_trips: usize,
    /// City of the company's gateway, for those who leave by it.
    pub gateway: Option<usize>,
    /// Whether cadence tables are sent.
    pub tables: bool,
}

/// Fields a company does not send.
#[derive(Debug, Clone, PartialEq, Default)]
struct Without {
    vantage: bool,
    address_place: bool,
    connection_type: bool,
    anonymizer: bool,
    address_text: bool,
    active_span: bool,
    session_id: bool,
    collector: bool,
    hire_time: bool,
    declare_time: bool,
    shipping: bool,
    claim_zone: bool,
    claim_place: bool,
    natural_loops: bool,
    corrections: bool,
    key_repeats: bool,
    peripherals: bool,
    site: bool,
    user_agent: bool,
}

impl Customs {
    /// The customs of the company of a seed.
    pub fn draw(spread: &CustomsSpread, seed: u64) -> Self {
        let chance = &mut Chance::new(derive(seed, 200, 0));
        let s = spread;
        let without = Without {
            vantage: chance.happens(s.without_vantage),
            address_place: chance.happens(s.without_address_place),
            connection_type: chance.happens(s.without_connection_type),
            anonymizer: chance.happens(s.without_anonymizer),
            address_text: chance.happens(s.without_address_text),
            active_span: chance.happens(s.without_active_span),
            session_id: chance.happens(s.without_session_id),
            collector: chance.happens(s.without_collector),
            hire_time: chance.happens(s.without_hire_time),
            declare_time: chance.happens(s.without_declare_time),
            shipping: chance.happens(s.without_shipping),
            claim_zone: chance.happens(s.without_claim_zone),
            claim_place: chance.happens(s.without_claim_place),
            natural_loops: chance.happens(s.without_natural_loops),
            corrections: chance.happens(s.without_corrections),
            key_repeats: chance.happens(s.without_key_repeats),
            peripherals: chance.happens(s.without_peripherals),
            site: chance.happens(s.without_site),
            user_agent: chance.happens(s.without_user_agent),
        };
        let prompts = chance.whole(s.prompts[0], s.prompts[1]);
        let gateway = chance.happens(s.gateway).then(|| chance.whole(0, places::US.len() as u64 - 1) as usize);
        Self {
            without,
            asked: s.asked.draw(chance),
            prompts: (prompts.min(3), prompts),
            pointer: s.pointer.draw(chance),
            typing: s.typing.draw(chance),
            free_text: s.free_text.draw(chance),
            bare: s.bare.draw(chance),
            round_trips: chance.whole(s.round_trips[0], s.round_trips[1]) as usize,
            gateway,
            tables: chance.happens(s.tables),
        }
    }

    /// Takes out of an event what the company does not send.
    pub fn strip(&self, event: &mut EventUnchecked) {
        let without = &self.without;
        if let Some(network) = &mut event.network {
            if without.vantage {
                network.vantage = None;
            }
            if without.address_place {
                network.address_place = None;
            }
            if without.connection_type {
                network.connection_type = 0;
            }
            if without.anonymizer {
                network.anonymizer_detected = None;
            }
            if without.address_text {
                network.ip_address.clear();
            }
            if without.site {
                network.site_tokens.clear();
            }
            network.tcp_rtt_micros.truncate(self.round_trips);
            network.application_rtt_micros.truncate(self.round_trips);
            if without.user_agent {
                network.user_agent.clear();
                network.operating_system.clear();
            }
        }
        if let Some(claim) = &mut event.claim {
            if without.hire_time {
                claim.hire_time = None;
            }
            if without.declare_time {
                claim.declare_time = None;
            }
            if without.shipping {
                claim.shipping_token.clear();
            }
            if without.claim_zone {
                claim.time_zone.clear();
            }
            if without.claim_place {
                claim.place = None;
            }
        }
        if let Some(input) = &mut event.remote_input {
            if without.natural_loops {
                input.natural_loop_micros.clear();
            }
            if without.corrections {
                input.correction_micros.clear();
            }
            if without.key_repeats {
                input.key_repeat_interval_micros.clear();
            }
        }
        if without.active_span {
            event.active_span = None;
        }
        if without.session_id {
            event.session_id.clear();
        }
        if without.collector {
            event.collector = None;
        }
        if without.peripherals
            && let Some(device) = &mut event.device
        {
            device.peripherals.clear();
        }
    }
}

/// Another desk: an office, a dock at home, the laptop's own keyboard.
#[derive(Debug, Clone, PartialEq)]
pub struct Desk {
    share: f64,
    seed: u64,
    pace: f64,
    keyboard_poll_ms: f64,
    pointer_poll_ms: f64,
    display: Vec<u8>,
    display_count: u32,
}

/// One person's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Habits {
    /// What the machine adds to every loop, milliseconds.
    pub slow_ms: f64,
    /// Standard deviation a wireless keyboard adds to every edge, milliseconds.
    pub uneven_ms: f64,
    /// Share of prompts answered late because something else was looked at.
    pub distracted: f64,
    desk: Option<Desk>,
    /// Access over a phone, and on which share of days.
    pub hotspot: Option<(u16, f64)>,
    /// Access by the company's gateway, and on which share of days.
    pub gateway: Option<(u16, f64)>,
    new_browser_micros: Option<i64>,
    new_machine: Option<(i64, Vec<u8>)>,
    new_phone: Option<(i64, Vec<u8>)>,
    /// First day of work, microseconds since 1970.
    pub begins_micros: Option<i64>,
    /// Days off, microseconds since 1970.
    pub leave: Option<(i64, i64)>,
    claim_without_place: bool,
    claim_bare: bool,
    unclaimed: bool,
}

const SECOND_DESK: u64 = 0x1d;

/// Draws the habits of a person and gives the person what they need.
pub fn give(person: &mut Person, index: u64, customs: &Customs, spread: &HabitSpread, span: (u64, i64, u32)) {
    let (seed, start, days) = span;
    let chance = &mut Chance::new(derive(seed, 201, index));
    let s = spread;
    let mut habits = Habits { distracted: s.distracted.draw(chance), ..Habits::default() };
    let slow = s.slow_machine_ms.draw(chance);
    if chance.happens(s.slow_machine) {
        habits.slow_ms = slow;
    }
    let uneven = s.uneven_keyboard_ms.draw(chance);
    if chance.happens(s.uneven_keyboard) {
        habits.uneven_ms = uneven;
    }
    let desk = Desk {
        share: s.second_desk_days.draw(chance),
        seed: derive(seed, 202, index),
        pace: s.second_desk_pace.draw(chance),
        keyboard_poll_ms: [8.0, 1.0, 0.0][chance.weighted(&[0.6, 0.1, 0.3])],
        pointer_poll_ms: [8.0, 1.0, 7.5][chance.weighted(&[0.6, 0.2, 0.2])],
        display: token(seed, kind::DISPLAY, derive(seed, 203, index)),
        display_count: 1 + chance.weighted(&[0.5, 0.4, 0.1]) as u32,
    };
    if chance.happens(s.second_desk) {
        habits.desk = Some(desk);
    }
    let any_day = |chance: &mut Chance| start + (chance.uniform(0.1, 0.95) * f64::from(days)) as i64 * DAY_MICROS;
    let day = any_day(chance);
    habits.new_browser_micros = chance.happens(s.new_browser).then_some(day);
    let day = any_day(chance);
    let machine = token(seed, kind::DEVICE, derive(seed, 204, index));
    habits.new_machine = chance.happens(s.new_machine).then_some((day, machine));
    let day = any_day(chance);
    let phone = token(seed, kind::AUTHENTICATOR, derive(seed, 205, index));
    habits.new_phone = chance.happens(s.new_phone).then_some((day, phone));
    let day = start + (chance.uniform(0.05, 0.5) * f64::from(days)) as i64 * DAY_MICROS;
    if chance.happens(s.hired_within) && person.begins_allowed {
        habits.begins_micros = Some(day);
        let hired = Some(TimestampUnchecked { seconds: day / 1_000_000, nanos: 0 });
        for claim in &mut person.claims {
            (claim.1.hire_time, claim.1.declare_time) = (hired, hired);
        }
    }
    let length = chance.whole(s.leave_days[0], s.leave_days[1]) as i64 * DAY_MICROS;
    let day = any_day(chance);
    habits.leave = chance.happens(s.leave).then_some((day, day + length));
    habits.claim_without_place = chance.happens(s.claim_without_place);
    habits.claim_bare = chance.happens(s.claim_bare);
    // Whoever had something declared for them has a claim to declare it in.
    let declared = person
        .claims
        .iter()
        .any(|(_, claim)| claim.remote_access_sanctioned || claim.assistive_technology || claim.irregular_hours);
    habits.unclaimed = chance.happens(s.unclaimed) && !declared;
    misplace(person, chance, s);
    if chance.happens(s.other_clock) {
        // Headquarters' zone on a machine that lives elsewhere; the person keeps their own hours.
        let (name, zone) = {
            let name = ["America/New_York", "America/Los_Angeles", "Etc/UTC"][chance.weighted(&[0.5, 0.3, 0.2])];
            (name.to_string(), super::rhythm::zone(name))
        };
        let own = person.zones[0].clone();
        let lived = person.zones.len() as u8;
        person.zones[0] = (name, zone);
        person.zones.push(own);
        if person.lives_by == 0 {
            person.lives_by = lived;
        }
    }
    if chance.happens(s.wrong_clock) {
        person.skew_millis += chance.normal(0.0, 400_000.0);
    }
    let share = s.hotspot_days.draw(chance);
    if chance.happens(s.hotspot) {
        habits.hotspot = person.hotspot_access.map(|access| (access, share));
    }
    let share = if chance.happens(0.5) { 1.0 } else { chance.uniform(0.2, 0.9) };
    if customs.gateway.is_some() && chance.happens(0.7) {
        habits.gateway = person.gateway_access.map(|access| (access, share));
    }
    person.habits = habits;
}

/// Puts the addresses of a home where the caller's geolocation wrongly believes them.
fn misplace(person: &mut Person, chance: &mut Chance, spread: &HabitSpread) {
    let km = spread.misplaced_km.draw(chance);
    let angle = chance.uniform(0.0, std::f64::consts::TAU);
    let known = [50, 100, 200][chance.weighted(&[0.4, 0.4, 0.2])];
    if !chance.happens(spread.misplaced_address) {
        return;
    }
    for access in person.accesses.iter_mut().filter(|access| access.connection_type == 1) {
        let place = &mut access.address_place;
        let along = place.latitude_degrees.to_radians().cos().max(0.2);
        let there = (
            place.latitude_degrees + km * angle.sin() / 111.0,
            place.longitude_degrees + km * angle.cos() / 111.0 / along,
        );
        place.latitude_degrees = hundredths(there.0);
        place.longitude_degrees = hundredths(there.1);
        place.radius_km = known;
        // The nearest city of the same country stands for what a database would say.
        if let Some(city) = places::nearest(there, access.city.region) {
            access.city = city;
        }
    }
}

impl Habits {
    /// Whether the person is at work on the day of `time_micros`.
    pub fn at_work(&self, time_micros: i64) -> bool {
        self.begins_micros.is_none_or(|begins| time_micros >= begins)
            && self.leave.is_none_or(|(from, until)| !(from..until).contains(&time_micros))
    }

    /// The access of a day that is another than the story's.
    pub fn access(&self, seed: u64, day: i64) -> Option<u16> {
        let today = |purpose: u64, share: f64| share_of(derive(seed, purpose, day as u64)) < share;
        let hotspot = self.hotspot.filter(|(_, share)| today(31, *share));
        hotspot.or(self.gateway.filter(|(_, share)| today(32, *share))).map(|(access, _)| access)
    }

    /// The seat as it is on a day: at the second desk, on a slow machine, with a wireless keyboard.
    pub fn seated(&self, seat: &Seat, time_micros: i64) -> Seat {
        let mut seat = seat.clone();
        let day = time_micros.div_euclid(DAY_MICROS) as u64;
        seat.display_ms += self.slow_ms;
        seat.distracted = self.distracted;
        if let Some(desk) = self.desk.as_ref().filter(|desk| share_of(derive(desk.seed, 1, day)) < desk.share) {
            seat.typist.pace = desk.pace;
            seat.typist.desk = desk.seed;
            if seat.path.means == super::path::Means::Local {
                seat.path.keyboard_poll_ms = desk.keyboard_poll_ms;
                seat.path.pointer_poll_ms = desk.pointer_poll_ms;
                seat.display_token.clone_from(&desk.display);
                seat.display_count = desk.display_count;
            }
        }
        if self.uneven_ms > 0.0 {
            // A radio's own unevenness changes with what else is on the air.
            seat.path.uneven_ms =
                self.uneven_ms * (0.3 * habit(derive(day, SECOND_DESK, self.uneven_ms.to_bits()))).exp();
        }
        seat
    }

    /// Changes of an event that belong to the person.
    pub fn dress(&self, event: &mut EventUnchecked, time_micros: i64, agent_new: &str) {
        if let Some(network) = &mut event.network
            && self.new_browser_micros.is_some_and(|from| time_micros >= from)
            && !network.user_agent.is_empty()
        {
            network.user_agent = agent_new.into();
        }
        if let Some(device) = &mut event.device {
            if let Some((_, token)) = self.new_machine.as_ref().filter(|(from, _)| time_micros >= *from) {
                device.device_token.clone_from(token);
            }
            if let Some((_, token)) = self.new_phone.as_ref().filter(|(from, _)| time_micros >= *from) {
                device.authenticator_token.clone_from(token);
            }
        }
        if self.unclaimed {
            event.claim = None;
        }
        if let Some(claim) = &mut event.claim {
            if self.claim_without_place || self.claim_bare {
                claim.place = None;
            }
            if self.claim_bare {
                claim.subdivision_code.clear();
                claim.time_zone.clear();
            }
        }
    }
}

/// The next major version of a user agent family such as `Chrome 145`.
pub fn next_version(user_agent: &str) -> String {
    match user_agent.rsplit_once(' ') {
        Some((family, version)) => format!("{family} {}", version.parse::<u32>().map_or(1, |version| version + 1)),
        None => user_agent.into(),
    }
}

/// Whether the event of `plan` carries samples, by the company's custom; drawn per event.
pub fn sampled(customs: &Customs, plan: &Plan, chance: &mut Chance) -> bool {
    plan.moment.login || !chance.happens(customs.bare)
}
