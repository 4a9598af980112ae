//! The stories: what each scenario changes of a worker who lives where they say.

use super::household::{Builder, Link, Site, hundredths, kind, shared_address};
use super::path::InputPath;
use super::person::{Choice, DAY_MICROS, Person, Seat, Stay};
use super::places::{self, City};
use super::rhythm::{self, Calendar, Rhythm, Turn};
use super::scenario::Scenario;
use super::typist::{Typist, Upset};
use elsewhere::event::{PlaceUnchecked, TimestampUnchecked};
use jiff::tz::TimeZone;

impl Builder<'_> {
    pub(super) fn group(&mut self, scenario: Scenario, size: u32, people: &mut Vec<Person>) {
        match scenario {
            Scenario::KvmFarm | Scenario::SoftwareFarm | Scenario::DisguisedKvm => self.farm(scenario, size, people),
            Scenario::ManyPersonas => self.personas(size, people),
            Scenario::ProxiedOperator => {
                let person = self.proxied();
                people.push(person);
            }
            Scenario::DisciplinedOperator | Scenario::ShiftedOperator | Scenario::Handover => {
                let person = self.lone_laptop(scenario);
                people.push(person);
            }
            Scenario::Couple => {
                let city = self.home_city();
                let site = self.home(city);
                for _ in 0..size {
                    let person = self.person(scenario, &site);
                    people.push(person);
                }
            }
            Scenario::Coworking => self.coworkers(size, people),
            _ => {
                let city = self.home_city();
                let site = self.home(city);
                let mut person = self.person(scenario, &site);
                self.benign(&mut person, &site);
                people.push(person);
            }
        }
    }

    fn benign(&mut self, person: &mut Person, site: &Site) {
        match person.scenario {
            Scenario::Vpn => self.vpn(person, site),
            Scenario::Traveller => self.trips(person),
            Scenario::SanctionedDesktop => {
                let seat = &mut person.seats[0];
                seat.path = InputPath::remote_desktop(&mut self.chance);
                seat.input_path = 5;
                seat.remote_session_reported = true;
                seat.peripherals.clear();
                for claim in &mut person.claims {
                    claim.1.remote_access_sanctioned = true;
                }
            }
            Scenario::IrregularHours => {
                let declared = self.chance.happens(0.5);
                for claim in &mut person.claims {
                    claim.1.irregular_hours = declared;
                }
                person.rhythm.start_minutes = self.chance.normal(720.0, 120.0);
                person.rhythm.start_sd_minutes = self.chance.uniform(60.0, 150.0);
                person.rhythm.night_share = self.chance.uniform(0.2, 0.4);
                person.rhythm.saturday = 0.25;
                person.rhythm.sunday = 0.25;
            }
            Scenario::KvmSwitch => {
                let home_lab = self.chance.happens(0.34);
                let seat = &mut person.seats[0];
                if home_lab {
                    let model = self.chance.whole(0, 2);
                    let link = Link {
                        rtt_ms: self.chance.uniform(0.5, 2.0),
                        jitter_ms: 0.3,
                        model: model as usize,
                        stall_seed: seat.stall_seed,
                        stall_hours: seat.stall_hours,
                    };
                    // Capture cards of one model show one identity everywhere in the world.
                    let mut seat = person.seats[0].clone();
                    self.behind_kvm(&mut seat, &link, false, 10 + model);
                    seat.path.video_ms = self.chance.uniform(5.0, 30.0);
                    seat.path.loss_rate = 0.0;
                    seat.path.auto_release = false;
                    person.seats[0] = seat;
                } else {
                    // A desk switch: two keyboards, its own hub, a second pointer.
                    seat.input_path = 2;
                    seat.peripherals.extend([(0x0557, 0x2419, 1), (0x0557, 0x2419, 2), (0x1a40, 0x0101, 0)]);
                }
            }
            Scenario::RuralNetwork => {
                let (more_ms, jitter_ms) = (self.chance.uniform(45.0, 120.0), self.chance.uniform(15.0, 40.0));
                for access in &mut person.accesses {
                    access.rtt_ms += more_ms;
                    access.jitter_ms = jitter_ms;
                }
            }
            Scenario::MotorImpairment => {
                let seat = &mut person.seats[0];
                seat.typist.impair(&mut self.chance);
                seat.hand.impair(&mut self.chance);
                seat.reaction.0 += self.chance.uniform(30.0, 120.0);
                seat.reaction.2 *= 1.8;
            }
            Scenario::ScreenReader => {
                let share = self.chance.uniform(0.2, 0.9);
                let seat = &mut person.seats[0];
                seat.typist.synthetic_share = share;
                seat.injected_share = share;
                seat.reaction.0 += self.chance.uniform(50.0, 250.0);
                person.pointer_share = self.chance.uniform(0.0, 0.1);
                for claim in &mut person.claims {
                    claim.1.assistive_technology = true;
                }
            }
            Scenario::NewKeyboard => {
                let days = f64::from(self.spec.days);
                let upset = Upset {
                    from_micros: self.spec.start.0 + (days * self.chance.uniform(0.4, 0.8) * DAY_MICROS as f64) as i64,
                    recovery_days: self.chance.uniform(14.0, 56.0),
                    size: self.chance.uniform(2.0, 4.0),
                };
                person.seats[0].typist.upset = Some(upset);
            }
            Scenario::Relocation => self.relocation(person),
            Scenario::PrivacyBrowser => {
                person.user_agent = "Firefox 147";
                person.resolution_micros = [16_667, 33_333, 100_000][self.chance.weighted(&[0.4, 0.2, 0.4])];
                if self.chance.happens(0.5) {
                    person.seats[0].path.blur_ms = 80.0;
                }
                // The browser says UTC whatever the machine's clock shows; the person still lives at home.
                person.zones.insert(0, ("UTC".into(), TimeZone::UTC));
                person.lives_by = 1;
            }
            _ => {}
        }
    }

    fn vpn(&mut self, person: &mut Person, site: &Site) {
        let provider = 12 + self.chance.whole(0, 1) as u32;
        let private_relay = self.chance.happens(0.25);
        let mut exits = Vec::new();
        for _ in 0..self.chance.whole(1, 6) {
            let city = if self.chance.happens(0.08) {
                places::EUROPE[self.chance.whole(0, 5) as usize]
            } else if self.chance.happens(0.4) {
                site.city
            } else {
                places::US[self.us_city()]
            };
            // Many people leave by few addresses: four at most an exit.
            let number = Self::city_number(&city) * 4 + self.chance.whole(0, 3) as u32;
            let tokens = site.leases[0].1.site_tokens.clone();
            let mut access = self.access(provider, city, shared_address(provider, number), tokens);
            let home = (site.city.latitude, site.city.longitude);
            let exit = (city.latitude, city.longitude);
            let tunnel_ms = places::round_trip_ms(exit, home, 1.1) + site.leases[0].1.rtt_ms.min(15.0);
            // A tunnel carries TCP through to the client; a private relay ends it at the exit.
            if private_relay {
                access.hidden_ms = tunnel_ms;
            } else {
                access.rtt_ms += tunnel_ms;
            }
            exits.push(person.accesses.len() as u16);
            person.accesses.push(access);
        }
        person.choice = Choice::Exits(exits);
    }

    fn trips(&mut self, person: &mut Person) {
        let days = i64::from(self.spec.days);
        let expected = self.chance.uniform(2.0, 8.0) * self.spec.days as f64 / 365.0;
        // A traveller of three weeks and more travels once at least, or the story would not be told.
        let count = self.chance.poisson(expected).max(u32::from(days >= 21));
        let first = rhythm::date_of(self.spec.start.0);
        let mut free_from = 3;
        for _ in 0..count {
            let length = self.chance.whole(3, 10) as i64;
            if free_from + length + 1 >= days {
                break;
            }
            let begin =
                free_from + self.chance.whole(0, ((days - free_from - length - 1).max(0) as u64).min(60)) as i64;
            let city = if self.chance.happens(0.4) {
                places::EUROPE[self.chance.whole(0, 5) as usize]
            } else {
                places::US[self.us_city()]
            };
            let tokens = self.site_tokens();
            let address = self.address(14, &city);
            let mut access = self.access(14, city, address, tokens);
            access.jitter_ms += self.chance.uniform(1.0, 8.0);
            access.rtt_ms += self.chance.uniform(2.0, 15.0);
            let from = first.saturating_add(jiff::Span::new().days(begin));
            person.stays.push(Stay {
                from,
                until: from.saturating_add(jiff::Span::new().days(length)),
                access: person.accesses.len() as u16,
                zone: person.zones.len() as u8,
                clock_from: from.saturating_add(jiff::Span::new().days(self.chance.whole(0, 2) as i64)),
            });
            person.accesses.push(access);
            person.zones.push((city.zone.to_string(), rhythm::zone(city.zone)));
            free_from = begin + length + 5;
        }
    }

    fn relocation(&mut self, person: &mut Person) {
        let days = i64::from(self.spec.days);
        let day = self.chance.whole((days as u64) / 4, (days as u64) * 3 / 4) as i64;
        let mut city = places::US[self.us_city()];
        while Some(city.zone) == person.zones.first().map(|zone| zone.0.as_str())
            && city.subdivision == person.claims[0].1.subdivision_code
        {
            city = places::US[self.us_city()];
        }
        let site = self.home(city);
        let from = rhythm::date_of(self.spec.start.0).saturating_add(jiff::Span::new().days(day));
        person.stays.push(Stay {
            from,
            until: from.saturating_add(jiff::Span::new().days(40_000)),
            access: person.accesses.len() as u16,
            zone: person.zones.len() as u8,
            clock_from: from,
        });
        person.accesses.push(site.leases[0].1.clone());
        person.zones.push((city.zone.to_string(), rhythm::zone(city.zone)));
        // The personnel department hears of it days to weeks later.
        let heard = self.spec.start.0 + (day + self.chance.whole(3, 45) as i64) * DAY_MICROS;
        let mut claim = person.claims[0].1.clone();
        claim.subdivision_code = city.subdivision.into();
        claim.region_code = city.region.into();
        claim.time_zone = city.zone.into();
        claim.place = Some(site.place);
        claim.declare_time = Some(TimestampUnchecked { seconds: heard / 1_000_000, nanos: 0 });
        person.claims.push((heard, claim));
    }

    fn coworkers(&mut self, size: u32, people: &mut Vec<Person>) {
        let city = self.home_city();
        let gateway = self.token(kind::GATEWAY);
        let points: Vec<Vec<u8>> = (0..6).map(|_| self.token(kind::ACCESS_POINT)).collect();
        let address = self.address(15, &city);
        for _ in 0..size {
            let home = self.home(city);
            let mut person = self.person(Scenario::Coworking, &home);
            let point = points[self.chance.whole(0, 5) as usize].clone();
            let hub = self.access(15, city, address.clone(), vec![gateway.clone(), point]);
            person.choice = Choice::Hub(0.6, person.accesses.len() as u16, 0);
            person.accesses.push(hub);
            people.push(person);
        }
    }

    fn operator(&mut self) -> (City, Calendar) {
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

    fn farm(&mut self, scenario: Scenario, size: u32, people: &mut Vec<Person>) {
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

    fn proxied(&mut self) -> Person {
        let city = places::US[self.us_city()];
        let home = self.home(city);
        let mut person = self.person(Scenario::ProxiedOperator, &home);
        let (abroad, calendar) = self.operator();
        let hidden_ms = self.chance.uniform(120.0, 260.0);
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

    fn lone_laptop(&mut self, scenario: Scenario) -> Person {
        let city = places::US[self.us_city()];
        let site = self.home(city);
        let mut person = self.person(scenario, &site);
        let (mut abroad, mut calendar) = self.operator();
        let link = self.link(&abroad, &city);
        let spoofed = self.chance.happens(0.4);
        let own_display = self.thing();
        let display = if self.chance.happens(0.4) { 10 + link.model as u64 } else { own_display };
        let seed = self.thing();
        let mut seat = if scenario == Scenario::Handover { self.seat(seed) } else { person.seats[0].clone() };
        self.behind_kvm(&mut seat, &link, spoofed, display);
        person.zones.push((city.zone.to_string(), rhythm::zone(city.zone)));
        match scenario {
            Scenario::Handover => {
                person.seats.push(seat);
                let days = self.chance.uniform(6.0, 21.0).min(f64::from(self.spec.days) * 0.6);
                person.handover_micros = Some(self.spec.start.0 + (days * DAY_MICROS as f64) as i64);
            }
            Scenario::ShiftedOperator => {
                if self.chance.happens(0.4) {
                    (abroad, calendar) = (places::OPERATORS[2], Calendar::NorthKorea);
                }
                self.abroad(&mut person, &abroad, calendar);
                person.rhythm.saturday = 0.8;
                // Seven days in ten are lived by the operator's own zone.
                person.own_hours = Some((2, 0.7));
                person.seats[0] = seat;
            }
            _ => person.seats[0] = seat,
        }
        person
    }

    fn personas(&mut self, size: u32, people: &mut Vec<Person>) {
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
            let mut seat = Seat { typist: Typist::draw(typist_seed), ..operator_seat.clone() };
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
            };
            people.push(person);
        }
    }
}
