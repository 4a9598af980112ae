//! Typing of people who may be learned from, re-timed by simulated keyboards, machines and relays.
//!
//! The sets that may be learned from carry a clock of 15.6 ms, coarser than any transport; a uniform share of a tick is
//! given back to every stamp, and dwells are drawn together by what that adds, so that their spread stays a person's.

use super::keystroke::{self, KeystrokeSet};
use super::motion::{exponential, log_normal, normal};
use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus as Random;
use std::path::Path;

/// Press and release of each key, milliseconds from the start of the stretch, in press order.
pub type Presses = Vec<(f64, f64)>;

/// Clock of the sets, milliseconds.
const CLOCK_MILLIS: f64 = 15.6;
/// Variance that giving back a share of a tick adds to a dwell already rounded: twice that of one triangle.
const CLOCK_VARIANCE: f64 = CLOCK_MILLIS * CLOCK_MILLIS / 3.0;
/// Longest interval kept, milliseconds.
const INTERVAL_MAX_MILLIS: f64 = 1_500.0;

/// Typing of everybody who may be learned from, one entry per person.
pub fn typists(data: &Path, random: &mut Random) -> Result<Vec<Presses>, String> {
    let mut out = Vec::new();
    for set in [KeystrokeSet::VillaniFree, KeystrokeSet::Bbmas] {
        for typist in keystroke::read(data, set)? {
            out.push(smoothed(&typist, random));
        }
    }
    Ok(out)
}

fn smoothed(typist: &keystroke::Typist, random: &mut Random) -> Presses {
    let mut dwells: Vec<f64> = typist
        .stretches
        .iter()
        .flat_map(|stretch| &stretch.dwell_micros)
        .filter(|dwell| **dwell > 0 && **dwell < 500_000)
        .map(|dwell| f64::from(*dwell) / 1e3)
        .collect();
    dwells.sort_by(f64::total_cmp);
    let median = dwells.get(dwells.len() / 2).copied().unwrap_or(90.0);
    let variance =
        dwells.iter().map(|dwell| (dwell - median).powi(2).min(10_000.0)).sum::<f64>() / dwells.len().max(1) as f64;
    let shrink = (1.0 - CLOCK_VARIANCE / variance.max(CLOCK_VARIANCE * 1.5)).sqrt();
    let mut out = Presses::new();
    let mut clock = 0.0;
    for stretch in &typist.stretches {
        clock += 1_000.0;
        for (interval, dwell) in stretch.press_interval_micros.iter().zip(&stretch.dwell_micros) {
            clock += (f64::from(*interval) / 1e3).min(INTERVAL_MAX_MILLIS);
            if *dwell == 0 || *dwell > 500_000 {
                continue;
            }
            let press = clock + random.gen_range(0.0..CLOCK_MILLIS);
            let rough = f64::from(*dwell) / 1e3 + (random.r#gen::<f64>() - random.r#gen::<f64>()) * CLOCK_MILLIS;
            let dwell = (median + (rough - median) * shrink).max(random.gen_range(12.0..25.0));
            out.push((press, press + dwell));
        }
    }
    out.sort_by(|a, b| a.0.total_cmp(&b.0));
    out
}

/// What fingers do beside typing: brushed keys let go at once, and two keys struck as one. Half of people hardly do.
pub fn slips(presses: &[(f64, f64)], random: &mut Random) -> Presses {
    let rate = |random: &mut Random| if random.gen_bool(0.5) { 0.0005 } else { exponential(random, 0.006).min(0.05) };
    let (brushed, struck) = (rate(random), rate(random));
    let mut out = presses.to_vec();
    for at in 0..out.len() {
        if random.gen_bool(brushed) {
            out[at].1 = out[at].0 + random.gen_range(1.0..14.0);
        }
        if at > 0 && random.gen_bool(struck) {
            let moved = out[at - 1].0 + random.gen_range(0.0..6.0);
            out[at] = (moved, moved + (out[at].1 - out[at].0));
        }
    }
    out.sort_by(|a, b| a.0.total_cmp(&b.0));
    out
}

/// How a keyboard is polled: period (0 = finer than a millisecond matters) and spread of delivery, milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Keyboard {
    period_millis: f64,
    jitter_millis: f64,
    stalls_per_second: f64,
}

/// Draws a keyboard and the machine behind it by a prior of what is in use.
pub fn keyboard(random: &mut Random) -> Keyboard {
    let period_millis = match random.gen_range(0..100) {
        0..40 => 8.0,
        40..48 => 4.0,
        48..54 => 7.5,
        54..62 => 11.25,
        62..68 => 15.0,
        68..76 => 2.0,
        76..92 => 1.0,
        // Built-in matrices scan at periods of their own.
        _ => random.gen_range(5.0..14.0),
    };
    let jitter_millis = match random.gen_range(0..100) {
        // Systems stamp at the interrupt, and browsers hand that on with the event.
        0..65 => random.gen_range(0.02..0.4),
        65..85 => random.gen_range(0.4..1.5),
        // Pages that read the clock in their handler stamp when they come to it.
        _ => random.gen_range(1.5..5.0),
    };
    let stalls_per_second = if random.gen_bool(0.15) { random.gen_range(0.02..0.3) } else { 0.0 };
    Keyboard { period_millis, jitter_millis, stalls_per_second }
}

/// One press (`true`) or release of key `index` at an instant.
type Stamp = (f64, usize, bool);

fn stamps(presses: &[(f64, f64)]) -> Vec<Stamp> {
    let mut out: Vec<Stamp> = presses
        .iter()
        .enumerate()
        .flat_map(|(index, (press, release))| [(*press, index, true), (*release, index, false)])
        .collect();
    out.sort_by(|a, b| a.0.total_cmp(&b.0));
    out
}

fn unstamped(stamps: &[Stamp], count: usize) -> Presses {
    let mut out = vec![(0.0, 0.0); count];
    for (time, index, pressed) in stamps {
        if *pressed { out[*index].0 = *time } else { out[*index].1 = *time }
    }
    out
}

/// What a machine with this keyboard on its desk stamps.
pub fn polled(keyboard: &Keyboard, presses: &[(f64, f64)], random: &mut Random) -> Presses {
    let phase = random.r#gen::<f64>() * keyboard.period_millis;
    let mut last = f64::NEG_INFINITY;
    let between = 1e3 / keyboard.stalls_per_second.max(1e-9);
    let mut stalled_until = f64::NEG_INFINITY;
    let mut next_stall = presses.first().map_or(0.0, |first| first.0) + exponential(random, between);
    let stamped: Vec<Stamp> = stamps(presses)
        .into_iter()
        .map(|(time, index, pressed)| {
            if time > next_stall {
                stalled_until = next_stall + log_normal(random, 60.0, 0.7).min(400.0);
                next_stall = stalled_until.max(time) + exponential(random, between);
            }
            let slot = ((time - phase) / keyboard.period_millis).ceil() * keyboard.period_millis + phase;
            let jitter = (normal(random) * keyboard.jitter_millis).abs();
            last = (slot + jitter).max(stalled_until).max(last);
            (last, index, pressed)
        })
        .collect();
    unstamped(&stamped, presses.len())
}

/// How a relay delays keys, beyond any constant.
#[derive(Debug, Clone)]
pub enum KeyRelay<'a> {
    /// Delays captured of a real protocol, from some event on.
    Captured(&'a [f64]),
    /// Simulated: jitter and wait (means), loss, recovery, and the poll of a network KVM (0 = none), milliseconds.
    Simulated(f64, f64, f64, f64, f64),
}

/// Draws a simulated relay.
pub fn simulated_relay(random: &mut Random) -> KeyRelay<'static> {
    let jitter =
        if random.gen_bool(0.25) { exponential(random, 0.5) } else { log_normal(random, 6.0, 0.9).clamp(0.5, 40.0) };
    let loss = if random.gen_bool(0.7) { 0.0 } else { random.gen_range(0.003..0.03) };
    let poll = if random.gen_bool(0.25) { [1.0, 4.0, 8.0][random.gen_range(0..3)] } else { 0.0 };
    KeyRelay::Simulated(jitter, exponential(random, 1.0), loss, random.gen_range(30.0..400.0), poll)
}

/// What the machine behind the relay stamps. Delivery keeps its order, as TCP does.
pub fn relayed_keys(relay: &KeyRelay, presses: &[(f64, f64)], random: &mut Random) -> Presses {
    let mut last = f64::NEG_INFINITY;
    let start = match relay {
        KeyRelay::Captured(delays) if !delays.is_empty() => random.gen_range(0..delays.len()),
        _ => 0,
    };
    let stamped: Vec<Stamp> = stamps(presses)
        .into_iter()
        .enumerate()
        .map(|(event, (time, index, pressed))| {
            let arrival = match relay {
                KeyRelay::Captured(delays) => {
                    time + delays.get((start + event) % delays.len().max(1)).copied().unwrap_or(0.0)
                }
                KeyRelay::Simulated(jitter, wait, loss, recovery, poll) => {
                    let lost = *loss > 0.0 && random.gen_bool(*loss);
                    let late = if lost { recovery * random.gen_range(0.7..1.5) } else { 0.0 };
                    let time = time + exponential(random, *jitter) + exponential(random, *wait) + late;
                    if *poll > 0.0 { (time / poll).ceil() * poll } else { time }
                }
            };
            last = arrival.max(last);
            (last, index, pressed)
        })
        .collect();
    unstamped(&stamped, presses.len())
}

/// Columns of a typing sample on a clock of one millisecond: dwells and press intervals, microseconds.
pub fn columns(presses: &[(f64, f64)]) -> (Vec<u32>, Vec<u32>) {
    let tick = |time: f64| time.floor().max(0.0) as i64 * 1_000;
    let mut sorted = presses.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    // A release within the tick of its press was still seen: one microsecond, since 0 means not seen.
    let dwells =
        sorted.iter().map(|(press, release)| (tick(*release) - tick(*press)).clamp(1, 2_000_000) as u32).collect();
    let intervals = (0..sorted.len())
        .map(|at| if at == 0 { 0 } else { (tick(sorted[at].0) - tick(sorted[at - 1].0)).clamp(0, 10_000_000) as u32 })
        .collect();
    (dwells, intervals)
}
