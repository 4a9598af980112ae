//! The stories of operators: what each puts between a worker's name and the machine.

use super::household::{Builder, Link, Site, hundredths, kind, shared_address};
use super::machine::Jiggle;
use super::path::Means;
use super::person::{Choice, DAY_MICROS, Person, Seat, Seating, Tampering};
use super::places::{self, City};
use super::pointer::Hand;
use super::rhythm::{self, Calendar, Rhythm, Turn};
use super::scenario::Scenario;
use elsewhere::event::{PlaceUnchecked, TimestampUnchecked};

impl Builder<'_> {
    fn operator(&mut self) -> (City, Calendar) {
        if self.spec.varied && self.chance.happens(0.12) {
            let further = places::FURTHER_OPERATORS[self.chance.whole(0, 2) as usize];
            return (further, Calendar::NorthKorea);
        }
        let city = places::OPERATORS[self.chance.weighted(&[0.35, 0.3, 0.2, 0.15])];
        (city, if city.region == "CN" && self.chance.happens(0.5) { Calendar::China } else { Calendar::NorthKorea })
    }

    /// Where the identity of a laptop at `site` says it lives: the first there, others in another place.
    fn claimed_elsewhere(&mut self, site: &Site, index: u32) -> City {
        if index.is_multiple_of(2) && (index == 0 || self.chance.happens(0.5)) {
            return site.city;
        }
        loop {
            let city = places::US[self.us_city()];
            if city.subdivision != site.city.subdivision {
                return city;
            }
        }
    }

    pub(super) fn farm(&mut self, scenario: Scenario, size: u32, people: &mut Vec<Person>) {
        let city = places::US[self.us_city()];
        let site = self.home(city);
        let (abroad, calendar) = self.operator();
        let link = self.link(&abroad, &city);
        let spoofed = scenario == Scenario::DisguisedKvm;
        // Capture cards left at their default identity repeat in the world, cloned ones within the farm.
        let shared_display = if !spoofed && self.chance.happens(0.6) { 10 + link.model as u64 } else { self.thing() };
        let shared_phone = self.chance.happens(0.4).then(|| self.token(kind::AUTHENTICATOR));
        for index in 0..size {
            let mut person = self.person(scenario, &site);
            let claimed = self.claimed_elsewhere(&site, index);
            self.claim_of(&mut person, claimed, &site);
            if let Some(phone) = &shared_phone {
                person.authenticator_token = phone.clone();
            }
            let own_display = self.thing();
            let display = if self.chance.happens(0.75) { shared_display } else { own_display };
            let mut seat = person.seats[0].clone();
            let mut own_link = link.clone();
            own_link.jitter_ms *= self.chance.uniform(0.8, 1.25);
            if scenario == Scenario::SoftwareFarm {
                let dummy = self.chance.happens(0.5).then_some(display);
                self.behind_software(&mut seat, &own_link, dummy);
            } else if scenario == Scenario::LocalAgent {
                self.behind_agent(&mut seat, &link, display);
            } else {
                self.behind_kvm(&mut seat, &own_link, spoofed, display);
            }
            person.seats[0] = seat;
            self.abroad(&mut person, &abroad, calendar);
            person.lives_by = 0;
            // Half keep American hours, half slip into their own on some days.
            let share = if self.chance.happens(0.5) { 0.0 } else { self.chance.uniform(0.15, 0.5) };
            person.own_hours = Some((2, share));
            people.push(person);
        }
    }

    /// Makes the claim of an identity that says it lives in `city` while its laptop is at `site`.
    fn claim_of(&mut self, person: &mut Person, city: City, site: &Site) {
        let place = PlaceUnchecked {
            latitude_degrees: hundredths(city.latitude + self.chance.normal(0.0, 0.1)),
            longitude_degrees: hundredths(city.longitude + self.chance.normal(0.0, 0.1)),
            radius_km: 25,
        };
        let claim = &mut person.claims[0].1;
        claim.region_code = city.region.into();
        claim.subdivision_code = city.subdivision.into();
        claim.time_zone = city.zone.into();
        claim.place = Some(place);
        // Zone 0 is the clock's: most set it to the claim, some leave it at the site's.
        let clock = if self.chance.happens(0.8) { city.zone } else { site.city.zone };
        person.zones = vec![(clock.to_string(), rhythm::zone(clock)), (city.zone.to_string(), rhythm::zone(city.zone))];
    }

    /// Gives the week of somebody abroad. Zone 1 is the claim's, zone 2 the operator's.
    fn abroad(&mut self, person: &mut Person, abroad: &City, calendar: Calendar) {
        person.zones.push((abroad.zone.to_string(), rhythm::zone(abroad.zone)));
        person.rhythm.calendar = calendar;
        person.rhythm.saturday = self.chance.uniform(0.2, 0.8);
        person.rhythm.sunday = 0.15;
    }

    pub(super) fn proxied(&mut self) -> Person {
        let city = places::US[self.us_city()];
        let home = self.home(city);
        let mut person = self.person(Scenario::ProxiedOperator, &home);
        let (abroad, calendar) = self.operator();
        let hidden_ms = self.spec.parameters.stories.hidden_leg.draw(&mut self.chance);
        let tokens = home.leases[0].1.site_tokens.clone();
        let mut exits = Vec::new();
        person.accesses.clear();
        for _ in 0..self.chance.whole(3, 10) {
            let provider = self.residential_provider(&city);
            let address = self.address(provider, &city);
            let mut access = self.access(provider, city, address, tokens.clone());
            access.hidden_ms = hidden_ms * self.chance.uniform(0.93, 1.1);
            access.anonymizer_detected = self.chance.happens(0.1);
            exits.push(person.accesses.len() as u16);
            person.accesses.push(access);
        }
        person.choice = Choice::Rotating(self.chance.uniform(0.2, 2.0), exits);
        // The operator's own machine: input is local, the clock is set to the claim by some.
        let clock = if self.chance.happens(0.55) { city.zone } else { abroad.zone };
        person.zones = vec![(clock.to_string(), rhythm::zone(clock)), (city.zone.to_string(), rhythm::zone(city.zone))];
        self.abroad(&mut person, &abroad, calendar);
        person.lives_by = 2;
        person.managed = self.chance.happens(0.2);
        person
    }

    pub(super) fn lone_laptop(&mut self, scenario: Scenario) -> Person {
        let city = places::US[self.us_city()];
        let site = self.home(city);
        let mut person = self.person(scenario, &site);
        let (mut abroad, mut calendar) = self.operator();
        let mut link = self.link(&abroad, &city);
        let stories = &self.spec.parameters.stories;
        match scenario {
            Scenario::ConstantDelay => link.jitter_ms = stories.constant_jitter.draw(&mut self.chance),
            Scenario::SlowPoison => {
                link.rtt_ms = self.chance.uniform(10.0, 40.0);
                link.jitter_ms = self.chance.uniform(1.0, 8.0);
            }
            _ => {}
        }
        let spoofed = self.chance.happens(0.4);
        let own_display = self.thing();
        let display = if self.chance.happens(0.4) { 10 + link.model as u64 } else { own_display };
        let seed = self.thing();
        let mut seat = if scenario == Scenario::Handover { self.seat(seed) } else { person.seats[0].clone() };
        if scenario == Scenario::PastedLines && self.chance.happens(0.4) {
            self.behind_software(&mut seat, &link, None);
        } else {
            self.behind_kvm(&mut seat, &link, spoofed, display);
        }
        person.zones.push((city.zone.to_string(), rhythm::zone(city.zone)));
        let stories = &self.spec.parameters.stories;
        match scenario {
            Scenario::Handover => {
                person.seats.push(seat);
                let longest = f64::from(self.spec.days) * 0.6;
                let days = if self.spec.varied {
                    stories.proxy_weeks_days.draw(&mut self.chance).min(longest)
                } else {
                    self.chance.uniform(6.0, 21.0).min(longest)
                };
                person.seating = Seating::HandedOver(self.spec.start.0 + (days * DAY_MICROS as f64) as i64);
                person.begins_allowed = false;
                return person;
            }
            Scenario::ShiftedOperator => {
                if self.chance.happens(0.4) {
                    (abroad, calendar) = (places::OPERATORS[2], Calendar::NorthKorea);
                }
                self.abroad(&mut person, &abroad, calendar);
                person.rhythm.saturday = 0.8;
                // Seven days in ten are lived by the operator's own zone.
                person.own_hours = Some((2, 0.7));
            }
            Scenario::ConstantDelay => {
                // Whatever the line takes, the far end waits until the whole of the delay is over.
                let total = stories.constant_delay.draw(&mut self.chance);
                seat.path.rtt_ms = (total - seat.path.video_ms).max(link.rtt_ms);
                (seat.path.loss_rate, seat.path.batch_ms) = (0.0, 0.0);
            }
            Scenario::PastedLines => {
                let share = stories.pasted_line_share.draw(&mut self.chance);
                seat.machine.lines = Some((share, stories.pasted_cps.draw(&mut self.chance)));
                if seat.path.means == Means::Software {
                    seat.injected_share = self.chance.uniform(0.9, 1.0);
                }
            }
            Scenario::Jiggler => {
                let duty = stories.duty.draw(&mut self.chance);
                let kind = [Jiggle::Diagonal, Jiggle::TwoSteps, Jiggle::Random][self.chance.weighted(&[0.4, 0.3, 0.3])];
                seat.machine.jiggle = Some((kind, 1.0 - duty));
                person.rhythm.hours = self.chance.uniform(13.0, 20.0);
                (person.rhythm.saturday, person.rhythm.sunday) = (0.6, 0.5);
            }
            Scenario::SharedAccount => {
                let [least, most] = stories.shift_operators;
                let operators = self.chance.whole(least, most);
                let hours = stories.shift_hours.draw(&mut self.chance);
                person.rhythm.start_minutes = self.chance.uniform(300.0, 420.0);
                person.rhythm.hours = hours;
                person.rhythm.busy = 1.6;
                // Seven in the morning in the east of America is eleven or twelve of the clock UTC.
                person.seating = Seating::Shifts(11.0, hours + 4.0);
                person.seats.clear();
                for _ in 0..operators {
                    let typist_seed = self.thing();
                    let other = self.seat(typist_seed);
                    person.seats.push(Seat {
                        typist: other.typist,
                        hand: other.hand,
                        reaction: other.reaction,
                        ..seat.clone()
                    });
                }
                return person;
            }
            Scenario::SlowPoison => {
                seat.path.video_ms = self.chance.uniform(15.0, 50.0);
                seat.ramp_ms_per_day = stories.ramp_per_day;
            }
            Scenario::TamperedCollector => self.tampered(&mut person, &mut seat),
            _ => {}
        }
        person.seats[0] = seat;
        person
    }

    /// Three ways to tamper: old samples sent again, none at all, or an agent on the machine that lies.
    fn tampered(&mut self, person: &mut Person, seat: &mut Seat) {
        let [least, most] = self.spec.parameters.stories.replay_days;
        match self.chance.weighted(&[0.45, 0.3, 0.25]) {
            0 => person.tampering = Some(Tampering::Replay(self.chance.whole(least, most))),
            1 => {
                let days = if self.chance.happens(0.5) { 0.0 } else { self.chance.uniform(3.0, 12.0) };
                person.tampering = Some(Tampering::Mute(self.spec.start.0 + (days * DAY_MICROS as f64) as i64));
            }
            _ => {
                seat.lies = true;
                seat.peripherals = vec![(0x046d, 0xc31c, 1), (0x046d, 0xc077, 2)];
            }
        }
        person.begins_allowed = false;
    }

    /// A program at the machine types and points; whoever is abroad only writes to it.
    fn behind_agent(&mut self, seat: &mut Seat, link: &Link, display: u64) {
        let by_hardware = self.chance.happens(0.5);
        let seconds = self.spec.parameters.stories.agent_prompt_seconds.draw(&mut self.chance);
        if by_hardware {
            let near = Link { rtt_ms: 0.5, jitter_ms: 0.2, ..link.clone() };
            self.behind_kvm(seat, &near, true, display);
            (seat.path.video_ms, seat.path.loss_rate, seat.path.auto_release) = (4.0, 0.0, false);
        } else {
            seat.input_path = if self.chance.happens(0.6) { 4 } else { 1 };
            seat.injected_share = self.chance.uniform(0.95, 1.0);
            (seat.path.keyboard_poll_ms, seat.path.pointer_poll_ms) = (0.0, [10.0, 16.0][usize::from(seconds > 4.0)]);
        }
        seat.hand = Hand::machine();
        seat.machine.agent_seconds = Some((1.0, seconds.max(2.0)));
    }

    /// A new hire on a machine of their own behind a tunnel, with some sign-ins outside of it.
    pub(super) fn foreign_new_hire(&mut self) -> Person {
        let city = places::US[self.us_city()];
        let home = self.home(city);
        let mut person = self.person(Scenario::ForeignNewHire, &home);
        let (abroad, calendar) = self.operator();
        let tunnel_ms = self.link(&abroad, &city).rtt_ms;
        let relayed = self.chance.happens(0.5);
        let detected = self.chance.happens(0.6);
        let tokens = home.leases[0].1.site_tokens.clone();
        person.accesses.clear();
        let mut exits = Vec::new();
        for _ in 0..self.chance.whole(1, 4) {
            let exit_city = if self.chance.happens(0.5) { city } else { places::US[self.us_city()] };
            let address = shared_address(12, Self::city_number(&exit_city) * 4 + self.chance.whole(0, 3) as u32);
            let mut access = self.access(12, exit_city, address, tokens.clone());
            access.anonymizer_detected = detected;
            if relayed {
                access.hidden_ms = tunnel_ms
            } else {
                access.rtt_ms += tunnel_ms
            }
            exits.push(person.accesses.len() as u16);
            person.accesses.push(access);
        }
        person.choice = Choice::Exits(exits);
        let provider = 3;
        let address = self.address(provider, &abroad);
        let own = person.accesses.len() as u16;
        let access = self.access(provider, abroad, address, tokens);
        person.accesses.push(access);
        let [least, most] = self.spec.parameters.stories.foreign_slips;
        for _ in 0..self.chance.whole(least, most) {
            let from = self.spec.start.0 + (self.chance.uniform(0.3, 10.0) * DAY_MICROS as f64) as i64;
            person.slips.push((from, from + DAY_MICROS / 2, own));
        }
        let hired = self.spec.start.0 - self.chance.whole(0, 3) as i64 * DAY_MICROS;
        let since = Some(TimestampUnchecked { seconds: hired / 1_000_000, nanos: 0 });
        (person.claims[0].1.hire_time, person.claims[0].1.declare_time) = (since, since);
        person.begins_allowed = false;
        let clock = if self.chance.happens(0.6) { city.zone } else { abroad.zone };
        person.zones = vec![(clock.to_string(), rhythm::zone(clock)), (city.zone.to_string(), rhythm::zone(city.zone))];
        self.abroad(&mut person, &abroad, calendar);
        person.lives_by = if self.chance.happens(0.5) { 1 } else { 2 };
        person.managed = false;
        person
    }

    /// A laptop that starts where it was shipped to, and days later sits abroad behind a router that leaves at home.
    pub(super) fn reshipped(&mut self) -> Person {
        let city = places::US[self.us_city()];
        let home = self.home(city);
        let mut person = self.person(Scenario::ReshippedLaptop, &home);
        let (abroad, calendar) = self.operator();
        let tunnel_ms = self.link(&abroad, &city).rtt_ms;
        let relayed = self.chance.happens(0.4);
        let there = self.site_tokens();
        let from = person.accesses.len() as u16;
        for index in 0..from {
            let mut access = person.accesses[usize::from(index)].clone();
            if relayed {
                access.hidden_ms = tunnel_ms
            } else {
                access.rtt_ms += tunnel_ms
            }
            access.jitter_ms += self.chance.uniform(1.0, 8.0);
            access.site_tokens = there.clone();
            person.accesses.push(access);
        }
        let [least, most] = self.spec.parameters.stories.local_days;
        let arrives = self.spec.start.0 + self.chance.whole(least, most) as i64 * DAY_MICROS;
        let Choice::Lease(leases) = &person.choice else { return person };
        let mut moved: Vec<(i64, u16)> = leases.iter().filter(|lease| lease.0 < arrives).copied().collect();
        let at = moved.last().map_or(0, |lease| lease.1);
        moved.push((arrives, from + at));
        moved.extend(leases.iter().filter(|lease| lease.0 >= arrives).map(|lease| (lease.0, from + lease.1)));
        person.choice = Choice::Lease(moved);
        person.zones.push((city.zone.to_string(), rhythm::zone(city.zone)));
        self.abroad(&mut person, &abroad, calendar);
        let share = if self.chance.happens(0.5) { 0.0 } else { self.chance.uniform(0.2, 0.8) };
        person.own_hours = Some((2, share));
        // Who carried it through the first days is not who works on it.
        let typist_seed = self.thing();
        let seat = self.seat(typist_seed);
        person.seats.push(Seat { display_token: seat.display_token.clone(), ..seat });
        person.seating = Seating::HandedOver(arrives);
        person.begins_allowed = false;
        person
    }

    /// Somebody else in the country: at the machine, or at the end of a short line.
    pub(super) fn renter(&mut self) -> Person {
        let city = places::US[self.us_city()];
        let home = self.home(city);
        let mut person = self.person(Scenario::Renter, &home);
        if self.chance.happens(0.4) {
            return person;
        }
        let near = places::US[self.us_city()];
        let mut link = self.link(&near, &city);
        link.rtt_ms = self.spec.parameters.stories.renter_loop.draw(&mut self.chance);
        link.jitter_ms = self.chance.uniform(0.5, 6.0);
        let display = self.thing();
        let mut seat = person.seats[0].clone();
        if self.chance.happens(0.5) {
            let spoofed = self.chance.happens(0.5);
            self.behind_kvm(&mut seat, &link, spoofed, display);
        } else {
            self.behind_software(&mut seat, &link, None);
        }
        person.seats[0] = seat;
        person
    }

    /// A laptop in London under another claim, operators further east.
    pub(super) fn wrong_country(&mut self) -> Person {
        let site = self.home(places::EUROPE[0]);
        let mut person = self.person(Scenario::WrongCountry, &site);
        let claimed = if self.chance.happens(0.5) { places::US[0] } else { places::EUROPE[1] };
        self.claim_of(&mut person, claimed, &site);
        let abroad = [places::FURTHER_OPERATORS[0], places::FURTHER_OPERATORS[1], places::OPERATORS[3]]
            [self.chance.whole(0, 2) as usize];
        let link = self.link(&abroad, &site.city);
        let spoofed = self.chance.happens(0.4);
        let display = self.thing();
        let mut seat = person.seats[0].clone();
        self.behind_kvm(&mut seat, &link, spoofed, display);
        person.seats[0] = seat;
        self.abroad(&mut person, &abroad, Calendar::NorthKorea);
        person.lives_by = 1;
        person
    }

    /// One group abroad, every laptop in another home: what they share is the line and, for some, hands and a phone.
    pub(super) fn spread_farm(&mut self, size: u32, people: &mut Vec<Person>) {
        let (abroad, calendar) = self.operator();
        let (stall_seed, phone) = (self.thing(), self.token(kind::AUTHENTICATOR));
        let hands: Vec<u64> = (0..size.div_ceil(2)).map(|_| self.thing()).collect();
        for index in 0..size {
            let city = places::US[self.us_city()];
            let site = self.home(city);
            let mut person = self.person(Scenario::SpreadFarm, &site);
            let mut link = self.link(&abroad, &city);
            link.stall_seed = stall_seed;
            let (spoofed, display) = (self.chance.happens(0.5), self.thing());
            let mut seat = person.seats[0].clone();
            if self.chance.happens(0.5) {
                seat.typist = self.typist(hands[(index / 2) as usize]);
            }
            self.behind_kvm(&mut seat, &link, spoofed, display);
            person.seats[0] = seat;
            if self.chance.happens(0.4) {
                person.authenticator_token.clone_from(&phone);
            }
            person.zones.push((city.zone.to_string(), rhythm::zone(city.zone)));
            self.abroad(&mut person, &abroad, calendar);
            let share = if self.chance.happens(0.5) { 0.0 } else { self.chance.uniform(0.15, 0.5) };
            person.own_hours = Some((2, share));
            people.push(person);
        }
    }

    pub(super) fn personas(&mut self, size: u32, people: &mut Vec<Person>) {
        let (abroad, calendar) = self.operator();
        let typist_seed = self.thing();
        let turn_seed = self.thing();
        let operator_seat = self.seat(typist_seed);
        let week = Rhythm::ordinary(&mut self.chance);
        let phone = self.chance.happens(0.5).then(|| self.token(kind::AUTHENTICATOR));
        let stall_seed = self.thing();
        for index in 0..size {
            let city = places::US[self.us_city()];
            let site = self.home(city);
            let mut person = self.person(Scenario::ManyPersonas, &site);
            let mut link = self.link(&abroad, &city);
            link.stall_seed = stall_seed;
            let display = self.thing();
            let spoofed = self.chance.happens(0.5);
            let mut seat = Seat { typist: self.typist(typist_seed), ..operator_seat.clone() };
            self.behind_kvm(&mut seat, &link, spoofed, display);
            (seat.path.keyboard_poll_ms, seat.path.pointer_poll_ms) =
                (operator_seat.path.keyboard_poll_ms, operator_seat.path.pointer_poll_ms);
            person.seats[0] = seat;
            if let Some(phone) = &phone {
                person.authenticator_token = phone.clone();
            }
            person.zones.push((city.zone.to_string(), rhythm::zone(city.zone)));
            self.abroad(&mut person, &abroad, calendar);
            person.lives_by = 2;
            let own = &person.rhythm;
            person.rhythm = Rhythm {
                turn: Some(Turn { seed: turn_seed, index, count: size }),
                calendar: own.calendar,
                saturday: 0.5,
                sunday: 0.15,
                hours: 9.5,
                start_minutes: week.start_minutes,
                start_sd_minutes: week.start_sd_minutes,
                night_share: 0.0,
                busy: 1.0,
            };
            people.push(person);
        }
    }
}
