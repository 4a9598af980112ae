//! The stories of honest people: what each changes of a worker who lives where they say.

use super::household::{Builder, Link, Site, kind, shared_address};
use super::path::InputPath;
use super::person::{Choice, DAY_MICROS, Person, Seating, Stay};
use super::places::{self, City};
use super::rhythm;
use super::scenario::Scenario;
use super::typist::Upset;
use elsewhere::event::TimestampUnchecked;
use jiff::tz::TimeZone;

/// Share of private relay users who leave their location as it is. Prior by judgement: it is the default.
const RELAY_LOCAL_RATE: f64 = 0.8;

impl Builder<'_> {
    pub(super) fn group(&mut self, scenario: Scenario, size: u32, people: &mut Vec<Person>) {
        match scenario {
            Scenario::KvmFarm | Scenario::SoftwareFarm | Scenario::DisguisedKvm | Scenario::LocalAgent => {
                self.farm(scenario, size, people);
            }
            Scenario::ManyPersonas => self.personas(size, people),
            Scenario::SpreadFarm => self.spread_farm(size, people),
            _ if scenario.hostile() => {
                let person = match scenario {
                    Scenario::ProxiedOperator => self.proxied(),
                    Scenario::ForeignNewHire => self.foreign_new_hire(),
                    Scenario::ReshippedLaptop => self.reshipped(),
                    Scenario::Renter => self.renter(),
                    Scenario::WrongCountry => self.wrong_country(),
                    _ => self.lone_laptop(scenario),
                };
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
                let stories = &self.spec.parameters.stories;
                seat.path = InputPath::remote_desktop(stories.vdi_loop, stories.vdi_jitter, &mut self.chance);
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
                let stories = &self.spec.parameters.stories;
                let home_lab = self.chance.happens(stories.home_lab_share);
                let seat = &mut person.seats[0];
                if home_lab {
                    let model = self.chance.whole(0, 2);
                    let link = Link {
                        rtt_ms: stories.home_lab_rtt.draw(&mut self.chance),
                        jitter_ms: 0.3,
                        model: model as usize,
                        stall_seed: seat.stall_seed,
                        stall_hours: seat.stall_hours,
                    };
                    // Capture cards of one model show one identity everywhere in the world.
                    let mut seat = person.seats[0].clone();
                    self.behind_kvm(&mut seat, &link, false, 10 + model);
                    seat.path.video_ms = stories.home_lab_video.draw(&mut self.chance);
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
                let stories = &self.spec.parameters.stories;
                let more_ms = stories.rural_rtt.draw(&mut self.chance);
                let jitter_ms = stories.rural_jitter.draw(&mut self.chance);
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
                let stories = &self.spec.parameters.stories;
                let upset = Upset {
                    from_micros: self.spec.start.0 + (days * self.chance.uniform(0.4, 0.8) * DAY_MICROS as f64) as i64,
                    recovery_days: stories.upset_recovery_days.draw(&mut self.chance),
                    size: stories.upset_size.draw(&mut self.chance),
                };
                person.seats[0].typist.upset = Some(upset);
            }
            Scenario::InputMethod => {
                let layout = self.thing();
                let machine = &mut person.seats[0].machine;
                if self.chance.happens(0.6) {
                    machine.candidates = self.chance.uniform(0.03, 0.15);
                } else {
                    let share = self.chance.uniform(0.2, 0.6);
                    person.seats[0].typist.layout = Some((layout, share));
                }
            }
            Scenario::Helped => self.helped(person),
            Scenario::Developer => {
                let share = self.spec.parameters.stories.paste_share.draw(&mut self.chance);
                let seat = &mut person.seats[0];
                seat.machine.macros = share * self.chance.uniform(0.2, 0.6);
                seat.injected_share = self.chance.uniform(0.02, 0.4);
                person.rhythm.start_minutes += 60.0;
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

    /// Somebody else takes over once in a while: another hand, over a program that stays on the machine.
    fn helped(&mut self, person: &mut Person) {
        let city = places::US[self.us_city()];
        let home = places::US[self.us_city()];
        let mut link = self.link(&city, &home);
        link.rtt_ms = self.chance.uniform(15.0, 80.0);
        link.jitter_ms = self.chance.uniform(0.5, 5.0);
        let typist_seed = self.thing();
        let mut seat = self.seat(typist_seed);
        let own_display = person.seats[0].display_token.clone();
        (link.stall_seed, link.stall_hours) = (person.seats[0].stall_seed, person.seats[0].stall_hours);
        self.behind_software(&mut seat, &link, None);
        seat.display_token = own_display;
        let [least, most] = self.spec.parameters.stories.helped_sessions;
        let first = self.spec.start.0.div_euclid(DAY_MICROS);
        let months = f64::from(self.spec.days) / 28.0;
        let times = (self.chance.whole(least, most) as f64 * months).ceil() as u64;
        let days = (0..times).map(|_| first + self.chance.whole(0, u64::from(self.spec.days) - 1) as i64).collect();
        person.seating = Seating::Helped(days);
        person.seats.push(seat);
    }

    fn vpn(&mut self, person: &mut Person, site: &Site) {
        let provider = 12 + self.chance.whole(0, 1) as u32;
        let private_relay = self.chance.happens(0.25);
        let mut exits = Vec::new();
        for _ in 0..self.chance.whole(1, 6) {
            let city = if private_relay {
                self.relay_exit(site.city)
            } else if self.chance.happens(0.08) {
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

    /// Where a private relay lets somebody out: by default in their own region, or anywhere in their country and time zone
    /// for those who chose so (Apple's notes on Private Relay for network operators and for users).
    fn relay_exit(&mut self, home: City) -> City {
        if self.chance.happens(RELAY_LOCAL_RATE) {
            return home;
        }
        let same_zone: Vec<City> =
            places::US.iter().chain(&places::EUROPE).copied().filter(|city| city.zone == home.zone).collect();
        let Some(last) = same_zone.len().checked_sub(1) else { return home };
        same_zone[self.chance.whole(0, last as u64) as usize]
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
}
