//! Facts an endpoint reports: what is plugged in, which programs run, how much input is injected.
//!
//! All of them are cheap to fake and all of them are found on honest desks (home laboratories, help desks), so together
//! they say at most 2.5 nats each for devices and software. The facts are data in `endpoint_facts.json`, their weights
//! beside them; the weights are judgements of how often an honest desk shows the fact, not fitted.
//!
//! Worked example: `1d6b:0104` declaring keyboard and mass storage is 2.0 + 1.4 = 3.4, bent to 2.5 x tanh(3.4 / 2.5) =
//! 2.2.

use super::forest::soft_limit;
use crate::event::{DeviceSample, InputPath, PeripheralClass, PointerSample, RemoteInputSample};
use serde::Deserialize;
use std::sync::LazyLock;

/// A public USB identity.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    vendor_id: u16,
    product_id: u16,
    #[expect(dead_code, reason = "says to the reader of the file what the numbers are")]
    name: String,
    log_odds: f64,
}

/// Classes that one identity has no honest reason to combine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Structure {
    #[expect(dead_code, reason = "says to the reader of the file what is meant")]
    name: String,
    classes_of_one_identity: Vec<ClassName>,
    log_odds: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ClassName {
    Keyboard,
    Pointer,
    Display,
    Capture,
    Storage,
    Network,
}

impl ClassName {
    fn is(self, class: PeripheralClass) -> bool {
        matches!(
            (self, class),
            (Self::Keyboard, PeripheralClass::Keyboard)
                | (Self::Pointer, PeripheralClass::Pointer)
                | (Self::Display, PeripheralClass::Display)
                | (Self::Capture, PeripheralClass::Capture)
                | (Self::Storage, PeripheralClass::Storage)
                | (Self::Network, PeripheralClass::Network)
        )
    }
}

/// How a device or program that feigns presence moves the pointer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Jiggler {
    #[expect(dead_code, reason = "says to the reader of the file whose pattern it is")]
    name: String,
    /// Pixels along each axis, where they never vary.
    step_pixels: Option<u32>,
    /// Between the moves of one burst, least and most; none when moves come alone.
    gap_micros: Option<[u32; 2]>,
    /// Between bursts, least and most.
    rest_micros: [u32; 2],
}

impl Jiggler {
    fn moves(&self, gap: u32, step: (u32, u32)) -> bool {
        let within = |[least, most]: [u32; 2]| (least..=most).contains(&gap);
        self.step_pixels.is_none_or(|pixels| step == (pixels, pixels))
            && (within(self.rest_micros) || self.gap_micros.is_some_and(within))
    }
}

/// Share of moves that the best fitting known jiggler would make so, in \[0, 1\]; 0 for an empty sample.
pub fn jiggler_rate(sample: &PointerSample) -> f64 {
    let count = sample.interval_micros.len().saturating_sub(1);
    let fits = |jiggler: &Jiggler| {
        (1..=count)
            .filter(|at| {
                let step = (sample.delta_x[*at].unsigned_abs(), sample.delta_y[*at].unsigned_abs());
                jiggler.moves(sample.interval_micros[*at], step)
            })
            .count()
    };
    FACTS.jigglers.iter().map(fits).max().unwrap_or(0) as f64 / count.max(1) as f64
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Facts {
    version: u32,
    identities: Vec<Identity>,
    structures: Vec<Structure>,
    jigglers: Vec<Jiggler>,
    display_count_zero_log_odds: f64,
    device_limit_log_odds: f64,
    programs: Vec<String>,
    program_first_log_odds: f64,
    program_further_log_odds: f64,
    injected_rate_log_odds: f64,
    remote_session_log_odds: f64,
    virtual_path_log_odds: f64,
    remote_path_log_odds: f64,
    software_limit_log_odds: f64,
}

// INVARIANT: the file beside this one parses (test `the_facts_parse`); were it not to, no fact would count.
static FACTS: LazyLock<Facts> = LazyLock::new(|| {
    let mut facts: Facts = serde_json::from_str(include_str!("endpoint_facts.json")).unwrap_or_default();
    facts.programs.sort_unstable();
    facts
});

/// Version of the facts, for the model card.
pub fn facts_version() -> u32 {
    FACTS.version
}

/// What the plugged-in devices show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Devices {
    /// Peripherals whose identity is a network KVM's by default.
    pub identity_count: u32,
    /// Combinations of classes that only a KVM makes.
    pub structure_count: u32,
    /// Displays attached; absent when not collected.
    pub display_count: Option<u32>,
    /// Log-likelihood ratio, nats, at most 2.5; 0 when nothing stands out.
    pub log_odds: f64,
    /// Peripherals and displays looked at.
    pub sample_count: u32,
}

/// Reads devices; `None` when neither peripherals nor displays were collected.
pub fn devices(sample: &DeviceSample) -> Option<Devices> {
    if sample.peripherals.is_empty() && sample.display_count.is_none() {
        return None;
    }
    let (mut identity_count, mut structure_count, mut strongest_identity, mut strongest_structure) =
        (0, 0, 0.0f64, 0.0f64);
    for (index, device) in sample.peripherals.iter().enumerate() {
        let same = |other: &crate::event::Peripheral| {
            (other.vendor_id, other.product_id) == (device.vendor_id, device.product_id)
        };
        // One identity is counted once, however many classes it declares.
        if sample.peripherals[..index].iter().any(same) {
            continue;
        }
        let known = |fact: &&Identity| (fact.vendor_id, fact.product_id) == (device.vendor_id, device.product_id);
        if let Some(fact) = FACTS.identities.iter().find(known) {
            identity_count += 1;
            strongest_identity = strongest_identity.max(fact.log_odds);
        }
        for structure in &FACTS.structures {
            let declared =
                |class: &ClassName| sample.peripherals.iter().any(|other| same(other) && class.is(other.class));
            if structure.classes_of_one_identity.iter().all(declared) {
                structure_count += 1;
                strongest_structure = strongest_structure.max(structure.log_odds);
            }
        }
    }
    let headless = if sample.display_count == Some(0) { FACTS.display_count_zero_log_odds } else { 0.0 };
    let total = strongest_identity + strongest_structure + headless;
    Some(Devices {
        identity_count,
        structure_count,
        display_count: sample.display_count,
        log_odds: if total > 0.0 { soft_limit(total, FACTS.device_limit_log_odds) } else { 0.0 },
        sample_count: sample.peripherals.len() as u32 + u32::from(sample.display_count.is_some()),
    })
}

/// What the programs and the system's own report show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Software {
    /// Programs known to control a machine from afar.
    pub program_count: u32,
    /// Share of input marked as injected; absent when not collected.
    pub injected_rate: Option<f64>,
    /// Whether the system reports a remote session; absent when not asked.
    pub remote_session: Option<bool>,
    /// Log-likelihood ratio, nats, at most 2.5; 0 when nothing stands out.
    pub log_odds: f64,
    /// The same beside assistive technology, which injects input through devices of its own.
    pub assisted_log_odds: f64,
    /// Facts looked at.
    pub sample_count: u32,
    /// Whether the system says that input arrives by a remote session of its own.
    pub remote_path: bool,
}

impl Software {
    /// Whether the system itself reports a remote session, one way or the other.
    pub fn reported(&self) -> bool {
        self.remote_path || self.remote_session == Some(true)
    }
}

/// Fewest observed events behind an injected share.
const INJECTED_EVENTS_MIN: u32 = 20;

/// Reads software; `None` when none of it was collected.
pub fn software(sample: &RemoteInputSample) -> Option<Software> {
    let facts = &*FACTS;
    let injected_rate = sample
        .injected_event_count
        .filter(|_| sample.event_count >= INJECTED_EVENTS_MIN)
        .map(|injected| f64::from(injected) / f64::from(sample.event_count));
    let collected = u32::from(injected_rate.is_some())
        + u32::from(sample.remote_session_reported.is_some())
        + u32::from(sample.input_path != InputPath::Unknown)
        + sample.remote_control_programs.len() as u32;
    if collected == 0 {
        return None;
    }
    let known = |name: &&String| {
        let name = name.strip_suffix(".exe").unwrap_or(name);
        facts.programs.binary_search_by(|fact| fact.as_str().cmp(name)).is_ok()
    };
    let named = sample.remote_control_programs.len() as u32;
    let program_count = sample.remote_control_programs.iter().filter(known).count() as u32;
    let programs = match program_count {
        // The caller found it fit to name; a name nobody here knows counts half.
        0 if named > 0 => facts.program_first_log_odds / 2.0,
        0 => 0.0,
        _ => facts.program_first_log_odds + facts.program_further_log_odds * f64::from((program_count - 1).min(2)),
    };
    let injected = injected_rate.unwrap_or(0.0) * facts.injected_rate_log_odds;
    let session = if sample.remote_session_reported == Some(true) { facts.remote_session_log_odds } else { 0.0 };
    let in_session = if sample.input_path == InputPath::RemoteSession { facts.remote_path_log_odds } else { 0.0 };
    let made = if sample.input_path == InputPath::Virtual { facts.virtual_path_log_odds } else { 0.0 };
    // All three tell of one session: the strongest counts.
    let bent = |total: f64| if total > 0.0 { soft_limit(total, facts.software_limit_log_odds) } else { 0.0 };
    Some(Software {
        program_count,
        injected_rate,
        remote_session: sample.remote_session_reported,
        log_odds: bent(programs + injected + session.max(in_session).max(made)),
        assisted_log_odds: bent(programs + session.max(in_session)),
        sample_count: collected,
        remote_path: sample.input_path == InputPath::RemoteSession,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Peripheral;

    #[test]
    fn the_facts_parse() {
        let facts: Result<Facts, _> = serde_json::from_str(include_str!("endpoint_facts.json"));
        assert!(
            facts.is_ok_and(|facts| facts.version >= 1
                && facts.identities.len() > 1
                && facts.device_limit_log_odds <= 2.5)
        );
        assert!(facts_version() >= 1);
    }

    #[test]
    fn structure_counts_within_one_identity_only() {
        let device = |vendor_id, product_id, class| Peripheral { vendor_id, product_id, class };
        let keyboard = device(0x046d, 0xc52b, PeripheralClass::Keyboard);
        let stick = device(0x0781, 0x5581, PeripheralClass::Storage);
        let read = |peripherals: &[Peripheral]| {
            let mut v = crate::event::Violations::default();
            let class = |class| match class {
                PeripheralClass::Keyboard => 1,
                PeripheralClass::Storage => 5,
                _ => 0,
            };
            let unchecked = crate::event::EventUnchecked {
                event_id: "e".into(),
                worker_id: "w".into(),
                event_time: Some(crate::event::TimestampUnchecked { seconds: 1, nanos: 0 }),
                activity: 1,
                device: Some(crate::event::DeviceUnchecked {
                    peripherals: peripherals
                        .iter()
                        .map(|p| (u32::from(p.vendor_id), u32::from(p.product_id), class(p.class)))
                        .collect(),
                    ..Default::default()
                }),
                ..Default::default()
            };
            let rules = crate::event::Rules {
                now: None,
                secret_typing_allowed: false,
                tables: crate::event::TablePolicy::Refused,
            };
            let event = unchecked.check("event", &rules, &mut v);
            event.and_then(|event| event.samples.device.as_ref().and_then(devices))
        };
        assert_eq!(read(&[keyboard, stick]).map(|found| (found.structure_count, found.log_odds)), Some((0, 0.0)));
        let gadget = |class| device(0x1d6b, 0x0104, class);
        let found = read(&[gadget(PeripheralClass::Keyboard), gadget(PeripheralClass::Storage)]);
        assert_eq!(found.map(|found| (found.identity_count, found.structure_count)), Some((1, 1)));
        // 2.5 x tanh((2.0 + 1.4) / 2.5) = 2.5 x .8765 = 2.19
        assert!(found.is_some_and(|found| (found.log_odds - 2.191).abs() < 0.01));
    }
}
