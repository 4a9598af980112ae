//! What each power changes in the life of a simulated operator: seats, lines, tokens, hours, claims and collector.
//!
//! Only people of the world are changed, before their first day; what they then send is made as everybody's is, and no
//! room of the product is touched. Draws belong to the operator and the power, so that one power never changes what
//! another draws.
//!
//! Worked example: a playout buffer of 100 ms before a line with 12 ms of jitter leaves none of it to be seen (12 - 100 / 4
//! is below the .3 ms of a timer), loses no packet, and adds 100 ms to every closed loop.

use crate::world::chance::{Chance, derive, token};
use crate::world::machine::Machine;
use crate::world::path::{InputPath, Means};
use crate::world::person::{Access, Choice, DAY_MICROS, Person, Seat, Seating, Tampering};
use crate::world::places::{self, City};
use crate::world::pointer::Hand;
use crate::world::rhythm::{self, Calendar};
use crate::world::typist::Typist;
use crate::world::{Parameters, Spec};
use serde::{Deserialize, Serialize};

macro_rules! changes {
    ($($variant:ident, $name:literal;)*) => {
        /// What of a life a power changes, each explained in `powers.toml` under the same name; in the order in which
        /// they are applied.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Change {
            $($variant,)*
        }

        impl Change {
            /// All of them; the shipped file has each.
            #[cfg(test)]
            pub const ALL: &'static [Change] = &[$(Self::$variant,)*];

            /// Name in the file and in tables.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

changes! {
    OneHand, "one_hand";
    RunAtExit, "run_at_exit";
    Nearer, "nearer";
    LocalAgent, "local_agent";
    ShortVideo, "short_video";
    Playout, "playout";
    WholePointer, "whole_pointer";
    EvenKeys, "even_keys";
    BlurredKeys, "blurred_keys";
    HandTyped, "hand_typed";
    DriverInput, "driver_input";
    SpoofedDevices, "spoofed_devices";
    OwnDisplay, "own_display";
    OwnLink, "own_link";
    OwnPhone, "own_phone";
    OwnHome, "own_home";
    SteadyExit, "steady_exit";
    WholeTunnel, "whole_tunnel";
    NoSlips, "no_slips";
    ClaimedClock, "claimed_clock";
    ClaimedHours, "claimed_hours";
    OrdinaryDay, "ordinary_day";
    LessWork, "less_work";
    Declared, "declared";
    SlowPoisoning, "slow_poisoning";
    LocalSignIn, "local_sign_in";
    LocalPerson, "local_person";
    TamperedCollector, "tampered_collector";
}

impl Change {
    /// Whether it decides who or what sits at the laptop: of these an operator has one.
    pub fn takes_the_seat(self) -> bool {
        matches!(
            self,
            Self::LocalAgent | Self::SlowPoisoning | Self::LocalSignIn | Self::LocalPerson | Self::TamperedCollector
        )
    }
}

/// Days a local helper is recorded, before the recording is sent again and again.
const RECORDED_DAYS: u64 = 5;
/// Jitter that a timer in user space leaves, milliseconds.
const TIMER_JITTER_MS: f64 = 0.3;
/// Round trips below which an operator shares the day of the claimed place, milliseconds: some 3,000 km.
const SAME_DAY_MS: f64 = 80.0;
/// Name space of tokens that powers make: disjoint from the world's.
const TOKEN: u64 = 60;
/// `CONNECTION_TYPE` of a household's line.
const RESIDENTIAL: i32 = 1;

/// The operator whose life is changed.
struct Life<'a> {
    person: &'a mut Person,
    spec: &'a Spec,
    /// Belongs to this operator and this power.
    seed: u64,
    chance: Chance,
}

/// Changes the life of operator number `index` of a company by one power at a level.
pub fn apply(change: Change, value: f64, person: &mut Person, index: usize, spec: &Spec) {
    let seed = derive(derive(spec.seed, 500 + change as u64, 0), 1, index as u64);
    let mut life = Life { person, spec, seed, chance: Chance::new(seed) };
    match change {
        Change::OneHand => life.one_hand(),
        Change::RunAtExit => life.run_at_exit(),
        Change::Nearer => life.nearer(value),
        Change::LocalAgent => life.local_agent(value),
        Change::ShortVideo => life.remote(|seat| seat.path.video_ms = seat.path.video_ms.min(value)),
        Change::Playout => life.remote(|seat| played_out(&mut seat.path, value)),
        Change::WholePointer => life.remote(|seat| {
            seat.path.pointer_frame_ms = 0.0;
            seat.path.pointer_timer_ms = value;
        }),
        Change::EvenKeys => life.remote(|seat| {
            seat.path.emit_poll_ms = value;
            seat.path.auto_release = false;
        }),
        Change::BlurredKeys => life.remote(|seat| seat.path.blur_ms = value),
        Change::HandTyped => life.person.seats.iter_mut().for_each(|seat| {
            seat.machine.lines = None;
            seat.machine.jiggle = None;
        }),
        Change::DriverInput => life.person.seats.iter_mut().filter(|seat| marked(seat)).for_each(|seat| {
            (seat.injected_share, seat.input_path, seat.remote_session_reported) = (0.0, 1, false);
            seat.programs.clear();
        }),
        Change::SpoofedDevices => life.remote(|seat| {
            if seat.path.means == Means::Kvm {
                seat.peripherals = ordinary_devices();
            }
        }),
        Change::OwnDisplay => {
            let display = token(life.seed, TOKEN, 1);
            life.remote(|seat| seat.display_token.clone_from(&display));
        }
        Change::OwnLink => {
            let line = life.chance.bits();
            life.remote(|seat| (seat.stall_seed, seat.stall_hours) = (line, 12.0));
        }
        Change::OwnPhone => life.person.authenticator_token = token(life.seed, TOKEN, 2),
        Change::OwnHome => life.own_home(),
        Change::SteadyExit => life.steady_exit(),
        Change::WholeTunnel => life.person.accesses.iter_mut().for_each(|access| {
            access.rtt_ms += access.hidden_ms;
            access.hidden_ms = 0.0;
        }),
        Change::NoSlips => life.person.slips.clear(),
        Change::ClaimedClock => life.claimed_clock(),
        Change::ClaimedHours => life.claimed_hours(value),
        Change::OrdinaryDay => life.ordinary_day(),
        Change::LessWork => life.person.rhythm.busy *= value,
        Change::Declared => life.person.claims.iter_mut().for_each(|(_, claim)| {
            claim.irregular_hours = true;
            claim.assistive_technology |= value >= 2.0;
            claim.remote_access_sanctioned |= value >= 3.0;
        }),
        Change::SlowPoisoning => {
            let from = life.spec.start.0;
            let seating = Seating::TakingOver(from, from + (value * DAY_MICROS as f64) as i64);
            life.helped(seating);
        }
        Change::LocalSignIn => life.helped(Seating::SignedIn),
        Change::LocalPerson => life.local_person(),
        Change::TamperedCollector => life.tampered(value as u32),
    }
}

/// Whether the machine can see that input is not from its own devices.
fn marked(seat: &Seat) -> bool {
    seat.injected_share > 0.05 || seat.remote_session_reported || !seat.programs.is_empty()
}

fn ordinary_devices() -> Vec<(u32, u32, i32)> {
    vec![(0x413c, 0x2113, 1), (0x413c, 0x301a, 2)]
}

fn played_out(path: &mut InputPath, buffer_ms: f64) {
    path.jitter_ms = (path.jitter_ms - buffer_ms / 4.0).max(TIMER_JITTER_MS).min(path.jitter_ms);
    (path.loss_rate, path.batch_ms) = (0.0, 0.0);
    path.rtt_ms += buffer_ms;
}

/// Round trip of somebody at home behind an access's exit, milliseconds.
fn direct_ms(access: &Access) -> f64 {
    let ends = (
        (access.vantage.latitude_degrees, access.vantage.longitude_degrees),
        (access.city.latitude, access.city.longitude),
    );
    places::round_trip_ms(ends.0, ends.1, 1.2) + 18.0
}

impl Life<'_> {
    /// Changes every seat that a relay stands before.
    fn remote(&mut self, change: impl FnMut(&mut Seat)) {
        self.person.seats.iter_mut().filter(|seat| seat.path.means != Means::Local).for_each(change);
    }

    fn parameters(&self) -> &Parameters {
        &self.spec.parameters
    }

    /// The last claim's place as a city, or that of the first access where nothing is claimed that can be found.
    fn claimed_city(&self) -> Option<City> {
        let claim = &self.person.claims.last()?.1;
        let place = claim.place.map(|place| (place.latitude_degrees, place.longitude_degrees));
        let found = place.and_then(|place| places::nearest(place, static_region(&claim.region_code)?));
        found.or_else(|| self.person.accesses.first().map(|access| access.city))
    }

    /// The number of a zone of the person, made known if it is not.
    fn zone(&mut self, name: &str) -> u8 {
        let zones = &mut self.person.zones;
        let known = zones.iter().position(|(known, _)| known == name);
        known.unwrap_or_else(|| {
            zones.push((name.to_string(), rhythm::zone(name)));
            zones.len() - 1
        }) as u8
    }

    fn one_hand(&mut self) {
        let person = &mut *self.person;
        let shared = person.rhythm.turn.take().is_some() || person.seats.len() > 1;
        if matches!(person.seating, Seating::Shifts(..)) {
            person.seats.truncate(1);
            person.seating = Seating::One;
            return;
        }
        // A group that works in many homes may have two laptops to a pair of hands.
        if shared || person.scenario == crate::world::Scenario::SpreadFarm {
            if person.seats.len() > 1 {
                return;
            }
            let typist = Typist::draw(self.seed, &self.spec.parameters.typist);
            for seat in &mut person.seats {
                seat.typist = typist.clone();
                seat.hand = Hand::draw(&mut self.chance);
            }
        }
    }

    /// A seat of somebody at the laptop.
    fn local_seat(&mut self) -> Option<Seat> {
        let typist = Typist::draw(derive(self.seed, 2, 0), &self.parameters().typist);
        let usual = self.person.seats.last()?.clone();
        let chance = &mut self.chance;
        let reaction =
            (chance.normal(200.0, 40.0).max(130.0), chance.lognormal(22.0, 0.25), chance.lognormal(45.0, 0.35));
        Some(Seat {
            path: InputPath::local(chance),
            input_path: 2,
            remote_session_reported: false,
            programs: Vec::new(),
            injected_share: 0.0,
            peripherals: ordinary_devices(),
            typist,
            hand: Hand::draw(chance),
            reaction,
            machine: Machine::default(),
            ramp_ms_per_day: 0.0,
            lies: false,
            ..usual
        })
    }

    /// Puts a local helper before the operator.
    fn helped(&mut self, seating: Seating) {
        let (Some(helper), Some(operator)) = (self.local_seat(), self.person.seats.last().cloned()) else { return };
        self.person.seats = vec![helper, operator];
        self.person.seating = seating;
    }

    fn local_person(&mut self) {
        let Some(seat) = self.local_seat() else { return };
        self.person.seats = vec![seat];
        self.person.seating = Seating::One;
        for access in &mut self.person.accesses {
            access.hidden_ms = 0.0;
            access.rtt_ms = access.rtt_ms.min(direct_ms(access));
        }
        self.person.slips.clear();
        self.claimed_hours(1.0);
        self.ordinary_day();
    }

    fn local_agent(&mut self, level: f64) {
        let hand = Hand::draw(&mut self.chance);
        self.remote(|seat| {
            let path = &mut seat.path;
            (path.rtt_ms, path.jitter_ms, path.video_ms, path.loss_rate) = (0.5, 0.2, 4.0, 0.0);
            (path.batch_ms, path.pointer_frame_ms, path.auto_release) = (0.0, 0.0, false);
            seat.ramp_ms_per_day = 0.0;
            seat.machine.recorded_hand = level >= 2.0;
            seat.machine.agent_seconds = Some(if level >= 3.0 { (0.2, 0.45) } else { (1.0, 4.0) });
            seat.hand = if level >= 2.0 { hand } else { Hand::machine() };
        });
    }

    fn nearer(&mut self, most_ms: f64) {
        self.remote(|seat| {
            seat.path.rtt_ms = seat.path.rtt_ms.min(most_ms);
            seat.ramp_ms_per_day = 0.0;
        });
        for access in &mut self.person.accesses {
            access.hidden_ms = access.hidden_ms.min(most_ms);
            access.rtt_ms = access.rtt_ms.min(direct_ms(access) + most_ms);
        }
        if most_ms < SAME_DAY_MS {
            self.claimed_hours(1.0);
        }
    }

    fn run_at_exit(&mut self) {
        let excess = |access: &Access| access.hidden_ms.max(access.rtt_ms - direct_ms(access) - 40.0);
        let tunnel_ms = self.person.accesses.iter().map(excess).fold(0.0, f64::max);
        if tunnel_ms < 40.0 {
            return;
        }
        for access in &mut self.person.accesses {
            access.hidden_ms = 0.0;
            access.rtt_ms = access.rtt_ms.min(direct_ms(access));
        }
        let video = self.parameters().relay.software_video;
        for seat in self.person.seats.iter_mut().filter(|seat| seat.path.means == Means::Local) {
            seat.path = InputPath::software(tunnel_ms, self.chance.uniform(3.0, 12.0), video, &mut self.chance);
            seat.input_path = 4;
            seat.injected_share = 0.95;
            seat.programs = vec!["rustdesk".into()];
            seat.display_count = 1;
        }
    }

    fn own_home(&mut self) {
        let Some(city) = self.claimed_city() else { return };
        let (tokens, hash) = (vec![token(self.seed, TOKEN, 3), token(self.seed, TOKEN, 4)], self.seed);
        let number = self.chance.bits();
        for (lease, access) in self.person.accesses.iter_mut().enumerate() {
            // Whatever line is taken, by phone or by the company's gateway: the network of the home is around.
            access.site_tokens.clone_from(&tokens);
            if access.connection_type != RESIDENTIAL {
                continue;
            }
            let last_mile_ms = (access.rtt_ms - direct_ms(access)).max(0.0);
            move_to(access, &city);
            access.rtt_ms = direct_ms(access) + last_mile_ms;
            access.ip_token = token(hash, TOKEN, 10 + lease as u64);
            access.ip_address = format!("2001:db8:fff0:{:x}:{:x}::{lease:x}", number & 0xffff, number >> 16 & 0xffff);
        }
        let shipping = token(self.seed, TOKEN, 5);
        self.person.claims.iter_mut().for_each(|(_, claim)| claim.shipping_token.clone_from(&shipping));
    }

    fn steady_exit(&mut self) {
        if !matches!(self.person.choice, Choice::Exits(_) | Choice::Rotating(..)) {
            return;
        }
        let (Some(city), Some(mut access)) = (self.claimed_city(), self.person.accesses.first().cloned()) else {
            return;
        };
        let tunnel_ms = (access.rtt_ms - direct_ms(&access)).max(0.0);
        move_to(&mut access, &city);
        access.rtt_ms = direct_ms(&access) + tunnel_ms;
        (access.anonymizer_detected, access.connection_type) = (false, RESIDENTIAL);
        access.autonomous_system_number = 64_512 + (self.seed % 10) as u32;
        access.ip_token = token(self.seed, TOKEN, 6);
        access.ip_address = format!("2001:db8:fff1:{:x}::1", self.seed & 0xffff);
        let at = self.person.accesses.len() as u16;
        self.person.accesses.push(access);
        self.person.choice = Choice::Lease(vec![(i64::MIN, at)]);
    }

    fn claimed_clock(&mut self) {
        let Some(name) = self.claimed_zone() else { return };
        if self.person.zones.first().is_some_and(|(known, _)| *known == name) {
            return;
        }
        let zone = rhythm::zone(&name);
        let Some(shown) = self.person.zones.first_mut() else { return };
        let lived = std::mem::replace(shown, (name, zone));
        self.person.zones.push(lived);
        if self.person.lives_by == 0 {
            self.person.lives_by = (self.person.zones.len() - 1) as u8;
        }
    }

    fn claimed_zone(&self) -> Option<String> {
        let claim = &self.person.claims.last()?.1;
        if !claim.time_zone.is_empty() {
            return Some(claim.time_zone.clone());
        }
        self.claimed_city().map(|city| city.zone.to_string())
    }

    fn claimed_hours(&mut self, share: f64) {
        let Some(name) = self.claimed_zone() else { return };
        let claimed = self.zone(&name);
        let person = &mut *self.person;
        let before = person.lives_by;
        let own = match person.own_hours {
            Some((zone, days)) => (zone, days * (1.0 - share)),
            None => (before, 1.0 - share),
        };
        person.lives_by = claimed;
        person.own_hours = (own.1 > 0.0 && own.0 != claimed).then_some(own);
        if share >= 1.0 {
            (person.rhythm.saturday, person.rhythm.sunday) = (0.05, 0.05);
            person.rhythm.calendar = Calendar::UnitedStates;
        }
    }

    fn ordinary_day(&mut self) {
        let rhythm = &mut self.person.rhythm;
        if rhythm.hours > 11.5 {
            (rhythm.hours, rhythm.start_minutes, rhythm.busy) = (9.0, 540.0, rhythm.busy.min(1.0));
            (rhythm.saturday, rhythm.sunday) = (rhythm.saturday.min(0.1), rhythm.sunday.min(0.1));
        }
        if let Seating::Shifts(from_hour, hours) = &mut self.person.seating {
            // Nine in the morning in the east of America is thirteen or fourteen of the clock UTC.
            (*from_hour, *hours) = (13.0, 12.0);
        }
    }

    fn tampered(&mut self, level: u32) {
        let recorded = self.spec.start.0 + RECORDED_DAYS as i64 * DAY_MICROS;
        match level {
            0 | 1 => self.person.tampering = Some(Tampering::Mute(i64::MIN)),
            2 | 3 => {
                self.helped(Seating::HandedOver(recorded));
                let again = Tampering::Replay(RECORDED_DAYS);
                let varied = Tampering::VariedReplay(RECORDED_DAYS, 10.0);
                self.person.tampering = Some(if level == 2 { again } else { varied });
            }
            _ => {
                let Some(seat) = self.local_seat() else { return };
                self.person.seats = vec![seat];
                self.person.seating = Seating::One;
                self.person.tampering = None;
            }
        }
    }
}

/// Moves an access to another city, and to the vantage that answers there.
fn move_to(access: &mut Access, city: &City) {
    access.city = *city;
    (access.address_place.latitude_degrees, access.address_place.longitude_degrees) = (city.latitude, city.longitude);
    let vantage = places::nearest_vantage((city.latitude, city.longitude));
    (access.vantage.latitude_degrees, access.vantage.longitude_degrees) = vantage;
}

/// The world's own text of a region it has cities of.
fn static_region(code: &str) -> Option<&'static str> {
    places::US.iter().chain(&places::EUROPE).map(|city| city.region).find(|region| *region == code)
}
