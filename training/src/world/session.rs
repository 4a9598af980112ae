//! One event as the tenant's collectors would send it: whatever a tier carries, it carries for everybody.
//!
//! INVARIANT: nothing here asks which scenario a person lives. Which samples an event has, and how they are written,
//! depends on the tier, the company's customs, the activity and draws that are alike for all; only persons differ. A
//! collector that was tampered with is the exception, and is what that story is about.

use super::chance::{Chance, derive, habit, identifier};
use super::habits::{self, Customs};
use super::machine::Machine;
use super::path::InputPath;
use super::person::{Access, Choice, DAY_MICROS, Person, Seat};
use super::pointer::{self, stamp};
use super::rhythm::{self, Moment};
use super::tampering::{Tape, unlink};
use super::typist::Stroke;
use super::{Detail, Spec, Tier};
use elsewhere::event::{
    CadenceTableUnchecked, ChallengeUnchecked, ClaimUnchecked, CollectorReport, DeviceUnchecked, DigraphTime,
    DurationUnchecked, EventUnchecked, KeyTime, NetworkUnchecked, RemoteInputUnchecked, TimestampUnchecked,
    TimezoneUnchecked, TypingUnchecked,
};
use std::collections::BTreeMap;

/// An event that is planned but not made yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// When, how active, login or not.
    pub moment: Moment,
    /// Index of the person.
    pub person: u32,
    /// Which way into the internet.
    pub access: u16,
    /// Zone the clock shows.
    pub zone: u8,
    /// Who sits there.
    pub seat: u8,
}

/// What changes from event to event of one person.
#[derive(Debug, Clone)]
pub struct State {
    chance: Chance,
    session_id: String,
    sequence_number: u32,
    /// Events made so far.
    made: u64,
    rotating: usize,
    tape: Tape,
}

impl State {
    /// The state before a person's first event.
    pub fn new(seed: u64, person: u64, varied: bool) -> Self {
        let own = derive(seed, 11, person);
        let chance = if varied { Chance::cheap(own) } else { Chance::new(own) };
        Self { chance, session_id: String::new(), sequence_number: 0, made: 0, rotating: 0, tape: Tape::default() }
    }
}

const EVENT: u64 = 20;
const SESSION: u64 = 21;
/// Clock of the agent on the machine, microseconds.
const AGENT_RESOLUTION_MICROS: u32 = 1_000;
/// Frame of the displays a browser coalesces moves to, milliseconds.
const FRAME_MS: f64 = 16.667;

/// Makes the event of `plan`.
pub fn event(world: &World<'_>, plan: &Plan, person: &mut Person, state: &mut State) -> EventUnchecked {
    let spec = world.spec;
    let time = plan.moment.time_micros;
    if plan.moment.login || state.session_id.is_empty() {
        state.session_id = identifier(spec.seed, SESSION, derive(u64::from(plan.person), 1, state.made));
        state.sequence_number = 0;
    } else {
        state.sequence_number += 1;
    }
    let event_id = identifier(spec.seed, EVENT, derive(u64::from(plan.person), 2, state.made));
    state.made += 1;
    let login = plan.moment.login;
    let agent = spec.tier.agent();
    let access_index = rotate(&person.choice, plan.access, state);
    let chance = &mut state.chance;
    let samples = world.customs.is_none_or(|customs| habits::sampled(customs, plan, chance));
    let page = spec.tier != Tier::IdpOnly && samples;
    // The login page runs in the browser, the rest of the session is the agent's where there is one.
    let resolution = if agent && !login { AGENT_RESOLUTION_MICROS } else { person.resolution_micros };
    let usual = plan.seat as usize;
    let mut seat = person.habits.seated(&person.seats[usual], time);
    if seat.ramp_ms_per_day > 0.0 {
        let days = (time - spec.start.0) as f64 / DAY_MICROS as f64;
        seat.path.rtt_ms += seat.ramp_ms_per_day * days.max(0.0);
    }
    let (typing, cadence) =
        if page { typing(world, plan, person, &mut seat, resolution, chance) } else { (None, None) };
    person.seats[usual].typist.remember(&seat.typist);
    let moves = moves_wanted(spec.detail, login, chance);
    let share = person.pointer_share * world.customs.map_or(1.0, |customs| customs.pointer);
    let frame_ms = if agent { 0.0 } else { FRAME_MS };
    let pointer = (page && chance.happens(share)).then(|| moved(&seat, moves, login, resolution, frame_ms, chance));
    let asked = match (world.customs, spec.detail) {
        (Some(customs), _) => customs.asked,
        (None, Detail::Rich) => 0.4,
        (None, Detail::Trimmed) => 0.5,
    };
    let asked = chance.happens(asked);
    let challenge = (page && login && asked).then(|| challenge(world.customs, &seat, plan, resolution, chance));
    let mut event = EventUnchecked {
        event_id,
        worker_id: person.worker_id.clone(),
        session_id: state.session_id.clone(),
        event_time: Some(timestamp(time)),
        activity: if login { 1 } else { 4 },
        claim: Some(claim_at(person, time)),
        timezone: page.then(|| timezone(person, plan, chance)),
        typing,
        remote_input: (agent && samples).then(|| remote_input(spec, &seat, plan, chance)),
        network: Some(network(&person.accesses[access_index as usize], person, spec.tier, chance)),
        device: Some(device(person, &seat, agent)),
        pointer,
        challenge,
        cadence,
        active_span: Some(DurationUnchecked { seconds: i64::from(plan.moment.active_seconds), nanos: 0 }),
        collector: page.then(|| CollectorReport {
            name: if agent && !login { "agent/2.0" } else { "web/1.2" }.into(),
            nonce: String::new(),
            sequence_number: state.sequence_number,
        }),
    };
    if let Some(customs) = world.customs {
        person.habits.dress(&mut event, time, &habits::next_version(person.user_agent));
        customs.strip(&mut event);
    }
    if let Some(tampering) = person.tampering {
        state.tape.tamper(tampering, time, spec.start.0, &mut event);
    }
    if spec.tier != Tier::Linkage {
        unlink(&mut event);
    }
    event
}

/// What all events of one world have in common.
pub struct World<'a> {
    /// What is simulated.
    pub spec: &'a Spec,
    /// What the company sends; absent where everything is sent.
    pub customs: Option<&'a Customs>,
}

/// A pointer sample of a hand, an agent or a jiggler.
fn moved(
    seat: &Seat,
    moves: usize,
    login: bool,
    resolution: u32,
    frame_ms: f64,
    chance: &mut Chance,
) -> elsewhere::event::PointerUnchecked {
    if let Some((jiggle, share)) = seat.machine.jiggle
        && !login
        && chance.happens(share)
    {
        // It moves on the device at the machine's sockets: no line lies between.
        let path = InputPath { rtt_ms: 0.0, jitter_ms: 0.0, pointer_frame_ms: 0.0, ..seat.path.clone() };
        let made = Machine::jiggle(jiggle, moves.min(60), chance);
        return pointer::made(&made, &path, resolution, frame_ms, chance);
    }
    seat.hand.sample(moves, &seat.path, resolution, frame_ms, chance)
}

fn timestamp(micros: i64) -> TimestampUnchecked {
    TimestampUnchecked {
        seconds: micros.div_euclid(1_000_000),
        nanos: (micros.rem_euclid(1_000_000) / 1000 * 1_000_000) as i32,
    }
}

fn claim_at(person: &Person, time: i64) -> ClaimUnchecked {
    person
        .claims
        .iter()
        .rev()
        .find(|claim| claim.0 <= time)
        .or(person.claims.first())
        .map(|claim| claim.1.clone())
        .unwrap_or_default()
}

/// A rotating choice moves on between sessions; every other choice was made when the event was planned.
fn rotate(choice: &Choice, planned: u16, state: &mut State) -> u16 {
    let Choice::Rotating(per_day, exits) = choice else { return planned };
    // About two sessions a day.
    if state.chance.happens((per_day / 2.0).min(1.0)) {
        state.rotating = state.chance.whole(0, exits.len() as u64 - 1) as usize;
    }
    exits.get(state.rotating).copied().unwrap_or(planned)
}

fn moves_wanted(detail: Detail, login: bool, chance: &mut Chance) -> usize {
    match (detail, login) {
        (Detail::Trimmed, _) => chance.whole(40, 60) as usize,
        (Detail::Rich, true) => chance.whole(60, 120) as usize,
        (Detail::Rich, false) => chance.whole(80, 160) as usize,
    }
}

fn timezone(person: &Person, plan: &Plan, chance: &mut Chance) -> TimezoneUnchecked {
    let (name, zone) = &person.zones[plan.zone as usize];
    TimezoneUnchecked {
        time_zone: name.clone(),
        utc_offset_minutes: Some(rhythm::offset_minutes(zone, plan.moment.time_micros)),
        clock_skew_millis: Some(chance.normal(person.skew_millis, 20.0) as i64),
    }
}

fn typing(
    world: &World<'_>,
    plan: &Plan,
    person: &Person,
    seat: &mut Seat,
    resolution: u32,
    chance: &mut Chance,
) -> (Option<TypingUnchecked>, Option<CadenceTableUnchecked>) {
    let spec = world.spec;
    let time = plan.moment.time_micros;
    let machine = seat.machine;
    if plan.moment.login {
        // A password manager fills the field now and then.
        let filled = world.customs.map_or(0.03, |customs| 1.0 - customs.typing);
        if chance.happens(filled) {
            return (None, None);
        }
        let mut strokes = seat.typist.phrase(person.phrase_seed, time, chance);
        if let Some((share, rate)) = machine.lines {
            Machine::type_lines(&mut strokes, share, rate, chance);
        }
        if machine.agent_seconds.is_some() && !machine.recorded_hand {
            Machine::imitate(&mut strokes, seat.typist.interval_median_ms(), 0.3, chance);
        }
        let mut sample = columns(&seat.path.keys(&strokes, chance), resolution);
        sample.context = 2;
        sample.phrase_id = person.phrase_id.clone();
        return (Some(sample), None);
    }
    if world.customs.is_some_and(|customs| !chance.happens(customs.free_text)) {
        return (None, None);
    }
    let tables = world.customs.map_or(spec.tables, |customs| customs.tables);
    let presses = match (tables, spec.detail) {
        (true, _) => chance.whole(220, 320),
        (false, Detail::Rich) => chance.whole(100, 250),
        (false, Detail::Trimmed) => chance.whole(100, 130),
    } as usize;
    let mut strokes = seat.typist.free_text(presses, time, chance);
    if machine.macros > 0.0 {
        Machine::type_lines(&mut strokes, machine.macros, 120.0, chance);
    }
    if let Some((share, rate)) = machine.lines {
        Machine::type_lines(&mut strokes, share, rate, chance);
    }
    if machine.agent_seconds.is_some() && !machine.recorded_hand {
        Machine::imitate(&mut strokes, seat.typist.interval_median_ms(), 0.4, chance);
    }
    let mut compositions = 0;
    if machine.candidates > 0.0 {
        let mut shift = 0.0;
        for stroke in &mut strokes {
            if stroke.class == 1 && chance.happens(machine.candidates) {
                shift += chance.lognormal(380.0, 0.5);
                compositions += 1;
            }
            stroke.press_ms += shift;
            stroke.release_ms += shift;
        }
    }
    let seen = seat.path.keys(&strokes, chance);
    let mut sample = columns(&seen, resolution);
    sample.context = 1;
    sample.insertion_count = chance.poisson(0.6 + 12.0 * machine.macros);
    sample.composition_count = compositions;
    if !tables {
        return (Some(sample), None);
    }
    shuffle(&mut sample, chance);
    (Some(sample), Some(table(&seen, resolution)))
}

/// Strokes as the collector writes them.
fn columns(strokes: &[Stroke], resolution: u32) -> TypingUnchecked {
    let mut sample = TypingUnchecked { timer_resolution_micros: resolution, ..TypingUnchecked::default() };
    let mut before = None;
    for stroke in strokes {
        let (down, up) = (stamp(stroke.press_ms, resolution), stamp(stroke.release_ms, resolution));
        let interval = before.map_or(0, |before| down - before).clamp(0, 10_000_000);
        before = Some(down);
        sample.press_interval_micros.push(interval as u32);
        // 0 would say that the release was not seen.
        sample.dwell_micros.push((up - down).clamp(1, 2_000_000) as u32);
        sample.key_classes.push(stroke.class);
    }
    sample
}

/// Puts the entries after the first in random order, each with its dwell and class.
fn shuffle(sample: &mut TypingUnchecked, chance: &mut Chance) {
    let mut rows: Vec<(u32, u32, i32)> = (1..sample.dwell_micros.len())
        .map(|i| (sample.press_interval_micros[i], sample.dwell_micros[i], sample.key_classes[i]))
        .collect();
    chance.shuffle(&mut rows);
    for (index, (interval, dwell, class)) in rows.into_iter().enumerate() {
        sample.press_interval_micros[index + 1] = interval;
        sample.dwell_micros[index + 1] = dwell;
        sample.key_classes[index + 1] = class;
    }
    sample.shuffled = true;
}

/// Median and half the interquartile range.
fn quartiles(values: &mut [u32]) -> (u32, u32) {
    values.sort_unstable();
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    (at(0.5), (at(0.75) - at(0.25)) / 2)
}

/// The unordered table of a stretch.
fn table(strokes: &[Stroke], resolution: u32) -> CadenceTableUnchecked {
    let mut keys: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let mut digraphs: BTreeMap<(u32, u32), Vec<u32>> = BTreeMap::new();
    let mut before: Option<&Stroke> = None;
    for stroke in strokes {
        let down = stamp(stroke.press_ms, resolution);
        if stroke.usage > 0 {
            let dwell = (stamp(stroke.release_ms, resolution) - down).clamp(1, 2_000_000);
            keys.entry(stroke.usage).or_default().push(dwell as u32);
            if let Some(first) = before.filter(|first| first.usage > 0) {
                let interval = (down - stamp(first.press_ms, resolution)).clamp(0, 10_000_000);
                digraphs.entry((first.usage, stroke.usage)).or_default().push(interval as u32);
            }
        }
        before = Some(stroke);
    }
    let floor = |value: u32| value - value % 500;
    let count = |n: usize| 1u32 << (31 - (n as u32).leading_zeros());
    CadenceTableUnchecked {
        press_count: strokes.len() as u32,
        timer_resolution_micros: resolution,
        keys: keys
            .into_iter()
            .map(|(usage, mut dwells)| {
                let (median, spread) = quartiles(&mut dwells);
                KeyTime {
                    usage,
                    count: count(dwells.len()),
                    dwell_median_micros: floor(median),
                    dwell_spread_micros: floor(spread),
                }
            })
            .collect(),
        digraphs: digraphs
            .into_iter()
            .map(|((first_usage, second_usage), mut intervals)| {
                let (median, spread) = quartiles(&mut intervals);
                DigraphTime {
                    first_usage,
                    second_usage,
                    count: count(intervals.len()),
                    press_interval_median_micros: floor(median),
                    press_interval_spread_micros: floor(spread),
                }
            })
            .collect(),
    }
}

/// Milliseconds from paint to key: the person, the display and keyboard, and the path.
///
/// The person after SOURCES.md: ex-Gaussian, 3 % lapses, never under 120 ms; days differ by 15 ms.
fn answer(seat: &Seat, path: &InputPath, day_shift_ms: f64, chance: &mut Chance) -> f64 {
    let (location_ms, spread_ms, tail_ms) = seat.reaction;
    let mut reaction =
        chance.normal(location_ms + day_shift_ms - tail_ms * 0.5, spread_ms) + chance.exponential(tail_ms);
    if chance.happens(0.03) {
        reaction += chance.exponential(250.0);
    }
    if seat.distracted > 0.0 && chance.happens(seat.distracted) {
        reaction += chance.exponential(900.0);
    }
    if let Some((least, most)) = seat.machine.agent_seconds {
        reaction = 1_000.0 * least * (most / least).powf(chance.uniform(0.0, 1.0));
    }
    reaction.max(120.0) + seat.display_ms + path.loop_ms(chance)
}

fn challenge(
    customs: Option<&Customs>,
    seat: &Seat,
    plan: &Plan,
    resolution: u32,
    chance: &mut Chance,
) -> ChallengeUnchecked {
    let day = plan.moment.time_micros.div_euclid(DAY_MICROS) as u64;
    let shift = 15.0 * habit(derive(seat.stall_seed, 7, day));
    let prompts = customs.map_or(3, |customs| chance.whole(customs.prompts.0, customs.prompts.1));
    let reaction_micros = (0..prompts)
        .map(|_| stamp(answer(seat, &seat.path, shift, chance), resolution).clamp(1, 60_000_000) as u32)
        .collect();
    ChallengeUnchecked { reaction_micros, kind: 1, refresh_rate_millihertz: 60_000 }
}

fn remote_input(spec: &Spec, seat: &Seat, plan: &Plan, chance: &mut Chance) -> RemoteInputUnchecked {
    let moment = &plan.moment;
    let login = moment.login;
    let reach_micros = i64::from(moment.active_seconds) * 1_000_000;
    let micros = |value_ms: f64| stamp(value_ms, AGENT_RESOLUTION_MICROS).clamp(1, 60_000_000) as u32;
    let loops = match (spec.detail, login) {
        (Detail::Trimmed, true) => 2,
        (_, true) => 3,
        (_, false) => chance.whole(3, 10),
    };
    let natural_loop_micros = (0..loops)
        .map(|_| micros(chance.lognormal(2.2 * seat.reaction.0, 0.35) + seat.display_ms + seat.path.loop_ms(chance)))
        .collect();
    let corrections = if login { 0 } else { chance.whole(2, 8) };
    // Medians differ by a factor of e^.35 between people.
    let own = 444.0 * (0.35 * habit(seat.stall_seed ^ 0xc0)).exp();
    let correction_micros =
        (0..corrections).map(|_| micros(chance.lognormal(own, 0.4) + 0.6 * seat.path.loop_ms(chance))).collect();
    let held = !login && chance.happens(0.3);
    let key_repeat_interval_micros =
        if held { seat.path.key_repeats(10, chance).into_iter().map(micros).collect() } else { Vec::new() };
    let event_count = if login { chance.whole(60, 400) } else { chance.whole(400, 6_000) } as u32;
    let injected: f64 = f64::from(event_count) * seat.injected_share * chance.uniform(0.9, 1.0);
    RemoteInputUnchecked {
        timer_resolution_micros: AGENT_RESOLUTION_MICROS,
        remote_session_reported: Some(seat.remote_session_reported && !seat.lies),
        input_path: if seat.lies { 1 } else { seat.input_path },
        injected_event_count: Some(if seat.lies { 0 } else { injected as u32 }),
        event_count,
        remote_control_programs: if seat.lies { Vec::new() } else { seat.programs.clone() },
        stall_times: rhythm::stalls(
            seat.stall_seed,
            seat.stall_hours,
            moment.time_micros - reach_micros,
            moment.time_micros,
        )
        .into_iter()
        .map(timestamp)
        .collect(),
        natural_loop_micros,
        correction_micros,
        key_repeat_interval_micros,
        ..RemoteInputUnchecked::default()
    }
}

fn network(access: &Access, person: &Person, tier: Tier, chance: &mut Chance) -> NetworkUnchecked {
    let page = tier != Tier::IdpOnly;
    let micros = |value_ms: f64| (value_ms * 1000.0).clamp(100.0, 50_000_000.0) as u32;
    // Round trips are a floor and a queue: gamma of shape 1.
    let mut round_trips = |floor_ms: f64, jitter_ms: f64, more_ms: f64| -> Vec<u32> {
        (0..5)
            .map(|_| {
                micros(
                    floor_ms
                        + chance.exponential(jitter_ms)
                        + if more_ms > 0.0 { chance.lognormal(more_ms, 0.6) } else { 0.0 },
                )
            })
            .collect()
    };
    let tcp_rtt_micros = if page { round_trips(access.rtt_ms, access.jitter_ms, 0.0) } else { Vec::new() };
    // A client program answers a millisecond or two after its network does.
    let behind_jitter_ms = access.jitter_ms + 0.04 * access.hidden_ms;
    let application_rtt_micros =
        if page { round_trips(access.rtt_ms + access.hidden_ms, behind_jitter_ms, 1.5) } else { Vec::new() };
    NetworkUnchecked {
        ip_address: access.ip_address.clone(),
        ip_token: access.ip_token.clone(),
        region_code: access.city.region.into(),
        subdivision_code: access.city.subdivision.into(),
        autonomous_system_number: access.autonomous_system_number,
        connection_type: access.connection_type,
        anonymizer_detected: Some(access.anonymizer_detected),
        tcp_rtt_micros,
        application_rtt_micros,
        vantage: page.then_some(access.vantage),
        address_place: Some(access.address_place),
        site_tokens: if tier.agent() { access.site_tokens.clone() } else { Vec::new() },
        user_agent: person.user_agent.into(),
        operating_system: person.operating_system.into(),
        ..NetworkUnchecked::default()
    }
}

fn device(person: &Person, seat: &Seat, agent: bool) -> DeviceUnchecked {
    let mut device = DeviceUnchecked {
        device_token: person.device_token.clone(),
        managed: Some(person.managed),
        authenticator_token: person.authenticator_token.clone(),
        ..DeviceUnchecked::default()
    };
    if agent {
        device.display_token = seat.display_token.clone();
        device.peripherals = seat.peripherals.clone();
        device.display_count = Some(seat.display_count);
    }
    device
}
