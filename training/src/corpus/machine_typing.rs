//! Typing made or changed by machines: what tools are documented to do, with parameters drawn by a seed.
//!
//! | kind | behaviour, and where it is documented |
//! | --- | --- |
//! | paste as keys | HID reports back to back, 1 to 8 ms a key: USB injectors' `STRING`, network KVMs' paste |
//! | fixed delay | a constant wait after each key, released at once or half way: `xdotool type` (12 ms by default, its manual page), PyAutoGUI `write(interval=)`, AutoHotkey `SetKeyDelay` (10 ms by default, rounded up to the system's 10 or 15.6 ms timer, press duration none; its manual) |
//! | held delay | a constant wait between key down and key up and none between keys: Puppeteer's and Playwright's `keyboard.type(delay)` as their references say |
//! | auto-release | a person's presses, each released after a constant few milliseconds: KVMs and on-screen keyboards that send key and release together |
//! | bounded jitter | a uniform wait between keys on top of a fixed one: DuckyScript 3.0 `$_JITTER_MAX` (20 ms by default, doubled in its own example), `random.uniform` around an automation library's wait |
//! | uniform, gaussian, log-normal | wait and hold each drawn independently of key, of each other and of what went before, never overlapping: the usual "type like a human" recipe |
//! | imitation | each interval drawn from a person's own of that pair of keys or classes, each dwell from those of that key: what an agent with recordings can do at best |
//! | delayed | a person's events, each held back by a uniform random delay, order kept: kloak (100 ms by default in early releases, 20 ms later), privacy keyboards (Buza and Kis 2017; Monaco and Tappert 2016 study 25 ms) |
//!
//! Timers overshoot: every wait is late by a log-normal share of a millisecond, on browsers of a few.

use super::keystroke::Stretch;
use super::motion::{log_normal, normal};
use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus as Random;
use std::collections::BTreeMap;

/// A way to make or change typing by machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MachineKind {
    /// A paste sent as keys.
    Paste,
    /// A constant wait after each key.
    FixedDelay,
    /// A constant wait before each release.
    HeldDelay,
    /// A person's presses, released by themselves.
    AutoRelease,
    /// A fixed wait and a bounded uniform one, released at once.
    BoundedJitter,
    /// Uniform waits and holds.
    Uniform,
    /// Gaussian waits and holds.
    Gaussian,
    /// Log-normal waits and holds.
    LogNormal,
    /// A person's own intervals and dwells, drawn by pair of keys.
    Imitation,
    /// A person's events, each delayed by up to 20 ms.
    Delayed20,
    /// A person's events, each delayed by up to 100 ms.
    Delayed100,
}

impl MachineKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Paste,
        Self::FixedDelay,
        Self::HeldDelay,
        Self::AutoRelease,
        Self::BoundedJitter,
        Self::Uniform,
        Self::Gaussian,
        Self::LogNormal,
        Self::Imitation,
        Self::Delayed20,
        Self::Delayed100,
    ];

    /// Name as figures carry it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Paste => "paste_as_keys",
            Self::FixedDelay => "fixed_delay",
            Self::HeldDelay => "held_delay",
            Self::AutoRelease => "auto_release",
            Self::BoundedJitter => "bounded_jitter",
            Self::Uniform => "uniform_jitter",
            Self::Gaussian => "gaussian_jitter",
            Self::LogNormal => "log_normal_jitter",
            Self::Imitation => "imitation",
            Self::Delayed20 => "delayed_20ms",
            Self::Delayed100 => "delayed_100ms",
        }
    }

    /// Whether a person's hand is behind every press: then it is not made by a machine, only changed by one.
    pub fn delays_a_person(self) -> bool {
        matches!(self, Self::Delayed20 | Self::Delayed100)
    }
}

/// A person's intervals and dwells, by what was pressed: what an imitator can know.
#[derive(Debug, Clone, Default)]
pub struct Habits {
    intervals: BTreeMap<(u32, u32), Vec<u32>>,
    dwells: BTreeMap<u32, Vec<u32>>,
}

/// What was pressed: the usage where the set has one, else the class.
fn key(stretch: &Stretch, index: usize) -> u32 {
    let usage = stretch.usages.get(index).copied().unwrap_or(0);
    if usage > 0 { usage } else { 1_000 + stretch.classes.get(index).copied().unwrap_or(0) as u32 }
}

/// Any key: where a pair was never seen.
const ANY: u32 = 0;
/// Longest interval an imitator repeats, microseconds: longer ones are thought.
const IMITATED_MICROS_MAX: u32 = 2_000_000;

impl Habits {
    /// Learns from a person's stretches.
    pub fn of<'a>(stretches: impl IntoIterator<Item = &'a Stretch>) -> Self {
        let mut habits = Self::default();
        for stretch in stretches {
            for index in 0..stretch.press_interval_micros.len() {
                let (own, dwell) = (key(stretch, index), stretch.dwell_micros[index]);
                if dwell > 0 {
                    habits.dwells.entry(own).or_default().push(dwell);
                    habits.dwells.entry(ANY).or_default().push(dwell);
                }
                let interval = stretch.press_interval_micros[index];
                if index > 0 && interval <= IMITATED_MICROS_MAX {
                    habits.intervals.entry((key(stretch, index - 1), own)).or_default().push(interval);
                    habits.intervals.entry((ANY, ANY)).or_default().push(interval);
                }
            }
        }
        habits
    }

    fn drawn<K: Ord>(known: &BTreeMap<K, Vec<u32>>, key: &K, any: &K, random: &mut Random) -> u32 {
        let values = known.get(key).filter(|values| values.len() >= 3).or_else(|| known.get(any));
        values.map_or(100_000, |values| values[random.gen_range(0..values.len())])
    }
}

/// Milliseconds to whole microseconds, a release seen even when at once.
fn micros(millis: f64) -> u32 {
    (millis * 1e3).max(1.0) as u32
}

/// Lateness of a wait, milliseconds: of a system's timer, or of a browser's driver.
fn lateness(browser: bool, random: &mut Random) -> f64 {
    if browser { log_normal(random, 1.5, 0.5) } else { log_normal(random, 0.12, 0.6) }
}

/// Types what `model` typed, in the way of a kind. `habits` are those of the person imitated.
pub fn typed(kind: MachineKind, model: &Stretch, habits: &Habits, random: &mut Random) -> Stretch {
    let mut made = model.clone();
    let count = made.press_interval_micros.len();
    match kind {
        MachineKind::Paste => {
            let (interval, dwell) = (random.gen_range(1.0..8.0), random.gen_range(0.3..0.8));
            for index in 0..count {
                made.press_interval_micros[index] = micros(interval + lateness(false, random));
                made.dwell_micros[index] = micros(interval * dwell);
            }
        }
        MachineKind::FixedDelay => fixed_delay(&mut made, random),
        MachineKind::HeldDelay => {
            let hold = [0.0, 20.0, 30.0, 50.0, 80.0, 100.0, 120.0, 150.0][random.gen_range(0..8)];
            for index in 0..count {
                let held = hold + lateness(true, random);
                made.dwell_micros[index] = micros(held);
                if index + 1 < count {
                    made.press_interval_micros[index + 1] = micros(held + lateness(true, random));
                }
            }
        }
        MachineKind::AutoRelease => {
            let hold = random.gen_range(1.0..10.0);
            made.dwell_micros.iter_mut().for_each(|dwell| *dwell = micros(hold + lateness(false, random)));
        }
        MachineKind::BoundedJitter => {
            let (base, most) = (random.gen_range(1.0..60.0), [20.0, 40.0, 80.0, 160.0, 250.0][random.gen_range(0..5)]);
            let hold = random.gen_range(0.2..12.0);
            for index in 0..count {
                let wait = base + random.gen_range(0.0..most) + lateness(false, random);
                made.press_interval_micros[index] = micros(hold + wait);
                made.dwell_micros[index] = micros(hold + lateness(false, random));
            }
        }
        MachineKind::Uniform | MachineKind::Gaussian | MachineKind::LogNormal => jittered(kind, &mut made, random),
        MachineKind::Imitation => {
            for index in 0..count {
                let own = key(model, index);
                made.dwell_micros[index] = Habits::drawn(&habits.dwells, &own, &ANY, random);
                if index > 0 {
                    let pair = (key(model, index - 1), own);
                    made.press_interval_micros[index] = Habits::drawn(&habits.intervals, &pair, &(ANY, ANY), random);
                }
            }
        }
        MachineKind::Delayed20 => delayed(&mut made, 20_000, random),
        MachineKind::Delayed100 => delayed(&mut made, 100_000, random),
    }
    if let Some(first) = made.press_interval_micros.first_mut() {
        *first = 0;
    }
    made
}

/// A constant wait after each key; on some systems rounded up to the timer.
fn fixed_delay(made: &mut Stretch, random: &mut Random) {
    let asked = [5.0, 10.0, 12.0, 12.0, 20.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 250.0][random.gen_range(0..12)];
    let timer: f64 = [1.0, 10.0, 15.6][random.gen_range(0..3)];
    let wait = (asked / timer).ceil() * timer;
    // Released at once, or half way.
    let held = if random.gen_bool(0.5) { 0.0 } else { wait / 2.0 };
    for index in 0..made.press_interval_micros.len() {
        made.press_interval_micros[index] = micros(wait + lateness(false, random));
        made.dwell_micros[index] = micros(held + lateness(false, random));
    }
}

/// Waits and holds drawn independently; most recipes hold, then wait, some wait between presses and hold meanwhile.
fn jittered(kind: MachineKind, made: &mut Stretch, random: &mut Random) {
    let (hold, hold_spread) = (random.gen_range(30.0..120.0), random.gen_range(0.05..0.4));
    let (wait, wait_spread) = (random.gen_range(40.0..220.0), random.gen_range(0.1..0.6));
    let after_release = random.gen_bool(0.6);
    let drawn = |mean: f64, spread: f64, random: &mut Random| match kind {
        // A uniform of this relative spread reaches root three of it either way.
        MachineKind::Uniform => {
            let reach = (3.0f64.sqrt() * spread * mean).min(mean * 0.95);
            random.gen_range(mean - reach..mean + reach)
        }
        MachineKind::Gaussian => (mean + spread * mean * normal(random)).max(1.0),
        _ => log_normal(random, mean, spread),
    };
    let holds: Vec<f64> = (0..made.dwell_micros.len()).map(|_| drawn(hold, hold_spread, random)).collect();
    for (index, held) in holds.iter().enumerate() {
        made.dwell_micros[index] = micros(*held + lateness(false, random));
        if index + 1 < holds.len() {
            let waited = drawn(wait, wait_spread, random);
            let interval = if after_release { held + waited } else { waited.max(held + 1.0) };
            made.press_interval_micros[index + 1] = micros(interval + lateness(false, random));
        }
    }
}

/// Holds every event back by a uniform delay of up to `most` microseconds, order kept: an event is never released
/// before the one before it, so its delay is drawn between what that leaves and the most.
fn delayed(made: &mut Stretch, most: u64, random: &mut Random) {
    let mut events: Vec<(u64, usize, bool)> = Vec::with_capacity(2 * made.dwell_micros.len());
    let mut now = 0u64;
    for index in 0..made.dwell_micros.len() {
        now += u64::from(made.press_interval_micros[index]);
        events.push((now, index, true));
        if made.dwell_micros[index] > 0 {
            events.push((now + u64::from(made.dwell_micros[index]), index, false));
        }
    }
    events.sort_unstable();
    let mut presses = vec![0u64; made.dwell_micros.len()];
    let mut released_before = 0;
    for (time, index, pressed) in events {
        let least = time.max(released_before);
        let stamp = random.gen_range(least..=least.max(time + most));
        released_before = stamp;
        if pressed {
            presses[index] = stamp;
        } else {
            made.dwell_micros[index] = ((stamp - presses[index]) as u32).max(1);
        }
    }
    for index in 1..presses.len() {
        made.press_interval_micros[index] = (presses[index] - presses[index - 1]) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn model(presses: usize) -> Stretch {
        Stretch {
            press_interval_micros: (0..presses).map(|index| if index == 0 { 0 } else { 140_000 }).collect(),
            dwell_micros: vec![90_000; presses],
            classes: vec![1; presses],
            ..Stretch::default()
        }
    }

    #[test]
    fn every_kind_keeps_the_columns_and_starts_at_nothing() {
        let mut random = Random::seed_from_u64(3);
        let habits = Habits::of([&model(40)]);
        for kind in MachineKind::ALL {
            for presses in [1, 8, 100] {
                let made = typed(kind, &model(presses), &habits, &mut random);
                assert_eq!((made.press_interval_micros.len(), made.dwell_micros.len()), (presses, presses));
                assert_eq!(made.press_interval_micros[0], 0, "{kind:?}");
                assert!(made.dwell_micros.iter().all(|dwell| *dwell > 0), "{kind:?}");
            }
        }
    }

    #[test]
    fn a_delayed_hand_keeps_its_order_and_its_pace() {
        let mut random = Random::seed_from_u64(4);
        let made = typed(MachineKind::Delayed100, &model(200), &Habits::default(), &mut random);
        let total: u64 = made.press_interval_micros.iter().map(|interval| u64::from(*interval)).sum();
        assert!((199 * 140_000u64).abs_diff(total) <= 100_000);
        let mean = made.dwell_micros.iter().map(|dwell| f64::from(*dwell)).sum::<f64>() / 200.0;
        assert!((80_000.0..100_000.0).contains(&mean), "{mean}");
    }

    #[test]
    fn an_imitator_knows_only_what_the_person_did() {
        let mut random = Random::seed_from_u64(5);
        let made = typed(MachineKind::Imitation, &model(50), &Habits::of([&model(40)]), &mut random);
        assert!(made.press_interval_micros[1..].iter().all(|interval| *interval == 140_000));
    }
}
