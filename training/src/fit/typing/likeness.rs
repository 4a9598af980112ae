//! Fits how typing moves beside a hand: people who may be learned from, against generated machines.
//!
//! Those people were stamped by a clock of 15.6 ms. On finer clocks they are re-stamped by simulated keyboards
//! ([`crate::corpus::keyboard`]); on coarser ones floored. Limits are of people left out: each half of them is scored by
//! the weights of the other.

use super::{logistic, samples};
use crate::convert::keystroke as convert;
use crate::corpus::keyboard;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Stretch};
use crate::corpus::machine_typing::{Habits, MachineKind, typed};
use elsewhere::event::TypingUnchecked;
use elsewhere::evidence::quantile::quantile_of_sorted;
use elsewhere::evidence::typing::likeness::{
    LIMIT_CLOCKS_MILLIS, LIMIT_PRESSES, Likeness, LikenessParameters, MEASUREMENTS, Stretch as Measured,
    TABLE_MEASUREMENTS, TABLE_TERMS, TERMS, Table,
};
use elsewhere::evidence::typing::observe;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus as Random;
use std::collections::BTreeMap;
use std::path::Path;

/// Presses of the stretches fitted on.
const PRESSES: [usize; 6] = [8, 11, 16, 30, 60, 100];
/// Stretches of one person, of one length and clock, that weights are fitted on; limits take more.
const FITTED: usize = 6;
const LIMITED: usize = 80;
/// Share of a hand's stretches left under the limit of drawn waits: half the floor of false alarms.
const DRAWN_QUANTILE: f64 = 0.9995;
/// The same of delayed hands, who are only passed over: one honest stretch in two hundred may be, too.
const DELAYED_QUANTILE: f64 = 0.995;
/// Room above that share, nats: the fit's halves see each other's keyboards.
const LIMIT_ROOM: f64 = 0.4;
/// Fewest stretches of a set whose own share can be told: one in a thousand of fewer is the most machine-like alone,
/// and a key held down until it repeats is that.
const SET_STRETCHES_MIN: usize = 1_500;
/// Room above the most machine-like table of a hand, nats: the sets hold too few tables for a quantile.
const TABLE_ROOM: f64 = 0.3;
/// Penalty on weights: at 85 terms and ten thousands of rows it only steadies.
const ALPHA: f64 = 3.0;
/// Presses of the tables fitted on.
const TABLE_PRESSES: [usize; 3] = [200, 250, 500];
/// Kinds that draw waits without looking at the key.
const DRAWN: [MachineKind; 6] = [
    MachineKind::FixedDelay,
    MachineKind::HeldDelay,
    MachineKind::BoundedJitter,
    MachineKind::Uniform,
    MachineKind::Gaussian,
    MachineKind::LogNormal,
];

/// One person's typing at each clock of [`LIMIT_CLOCKS_MILLIS`].
struct Person {
    set: KeystrokeSet,
    by_clock: [Vec<Stretch>; LIMIT_CLOCKS_MILLIS.len()],
}

/// Steps of the clocks, microseconds.
fn clock_micros(clock: usize) -> u32 {
    (LIMIT_CLOCKS_MILLIS[clock] * 1e3) as u32
}

/// A stretch on another clock.
fn on_clock(stretch: &Stretch, clock_micros: u32) -> Stretch {
    let typing = TypingUnchecked {
        press_interval_micros: stretch.press_interval_micros.clone(),
        dwell_micros: stretch.dwell_micros.clone(),
        ..TypingUnchecked::default()
    };
    let TypingUnchecked { press_interval_micros, dwell_micros, .. } = convert::with_clock(&typing, clock_micros);
    Stretch { press_interval_micros, dwell_micros, ..stretch.clone() }
}

fn people(data: &Path, random: &mut Random) -> Result<Vec<Person>, String> {
    let mut people = Vec::new();
    let mut coarse = Vec::new();
    for set in [KeystrokeSet::VillaniFree, KeystrokeSet::Bbmas] {
        coarse.extend(corpus::read(data, set)?.into_iter().map(|typist| (set, typist)));
    }
    for ((set, typist), presses) in coarse.into_iter().zip(keyboard::typists(data, random)?) {
        let keyboard = keyboard::keyboard(random);
        let presses = keyboard::polled(&keyboard, &keyboard::slips(&presses, random), random);
        let (dwell_micros, press_interval_micros) = keyboard::columns(&presses);
        let fine = Stretch { press_interval_micros, dwell_micros, ..Stretch::default() };
        let coarser = typist.stretches.iter().map(|stretch| on_clock(stretch, clock_micros(2))).collect();
        people.push(Person { set, by_clock: [vec![fine], typist.stretches, coarser] });
    }
    // Logins of a few presses, on the clock they were stamped by.
    for (set, clock) in [(KeystrokeSet::Meu, 0), (KeystrokeSet::Keypad, 1), (KeystrokeSet::VillaniFixed, 1)] {
        for typist in corpus::read(data, set)? {
            let mut by_clock: [Vec<Stretch>; 3] = Default::default();
            by_clock[2] = typist.stretches.iter().map(|stretch| on_clock(stretch, clock_micros(2))).collect();
            by_clock[clock] = typist.stretches;
            people.push(Person { set, by_clock });
        }
    }
    Ok(people)
}

/// At most `most` cuts of `presses` presses, spread evenly over what a person typed.
fn cuts(stretches: &[Stretch], presses: usize, most: usize) -> Vec<Stretch> {
    let mut found = Vec::new();
    for (at, stretch) in stretches.iter().enumerate() {
        let mut from = 0;
        while from + presses <= stretch.press_interval_micros.len() {
            found.push((at, from));
            from += presses;
        }
    }
    let step = (found.len() / most.max(1)).max(1);
    found.into_iter().step_by(step).take(most).map(|(at, from)| convert::cut(&stretches[at], from, presses)).collect()
}

/// What serving measures of a stretch.
pub(crate) fn measured(stretch: &Stretch, clock_micros: u32) -> Result<Option<Measured>, String> {
    let mut event = convert::bare_event("w", "e".into(), 0);
    let mut typing = convert::typing_of(stretch, KeystrokeSet::Aalto, "");
    typing.key_classes = Vec::new();
    typing.timer_resolution_micros = clock_micros;
    event.typing = Some(typing);
    Ok(observe(&samples(event)?).machine.and_then(|machine| machine.stretch))
}

/// Stretches of one side, by the half of people they belong to.
#[derive(Default)]
struct Side {
    halves: [Vec<Measured>; 2],
}

/// Gathers people and machines of every length and clock.
fn sides(people: &[Person], random: &mut Random) -> Result<[Side; 3], String> {
    let mut sides: [Side; 3] = Default::default();
    for (number, person) in people.iter().enumerate() {
        let half = number % 2;
        for (clock, stretches) in person.by_clock.iter().enumerate() {
            let clock_micros = clock_micros(clock);
            for presses in PRESSES {
                for (at, cut) in cuts(stretches, presses, FITTED).into_iter().enumerate() {
                    sides[0].halves[half].extend(measured(&cut, clock_micros)?);
                    let kind = DRAWN[(at + number) % DRAWN.len()];
                    let machine = on_clock(&typed(kind, &cut, &Habits::default(), random), clock_micros);
                    sides[1].halves[half].extend(measured(&machine, clock_micros)?);
                    let delayed = typed(MachineKind::Delayed100, &cut, &Habits::default(), random);
                    sides[2].halves[half].extend(measured(&on_clock(&delayed, clock_micros), clock_micros)?);
                }
            }
        }
    }
    Ok(sides)
}

/// Weights of one side against people, of the halves named.
fn weights(
    people: &Side,
    other: &Side,
    halves: &[usize],
    centres: &[f64],
    spreads: &[f64],
) -> Result<Vec<f64>, String> {
    let (mut rows, mut truths) = (Vec::new(), Vec::new());
    for (side, truth) in [(people, false), (other, true)] {
        for half in halves {
            for stretch in &side.halves[*half] {
                rows.push(stretch.terms(centres, spreads).to_vec());
                truths.push(truth);
            }
        }
    }
    logistic(&rows, &truths, ALPHA)
}

/// Mean and standard deviation of each measurement of a hand.
fn centred<const N: usize>(rows: &[[f64; N]]) -> (Vec<f64>, Vec<f64>) {
    let count = rows.len().max(1) as f64;
    let centres: Vec<f64> = (0..N).map(|at| rows.iter().map(|row| row[at]).sum::<f64>() / count).collect();
    let variance = |at: usize| rows.iter().map(|row| (row[at] - centres[at]).powi(2)).sum::<f64>() / count;
    let spreads = (0..N).map(|at| variance(at).sqrt().max(1e-3)).collect();
    (centres, spreads)
}

/// Fits one weighing, and its limits on people left out.
fn fit_side(
    people: &[Person],
    sides: (&Side, &Side),
    (centres, spreads): (&[f64], &[f64]),
    quantile: f64,
) -> Result<Likeness, String> {
    let of_halves = |halves: &[usize]| weights(sides.0, sides.1, halves, centres, spreads);
    let likeness = |weights| Likeness { weights, limits: Vec::new() };
    let of_other = [likeness(of_halves(&[1])?), likeness(of_halves(&[0])?)];
    let mut limits = Vec::new();
    for clock in 0..LIMIT_CLOCKS_MILLIS.len() {
        let mut by_length = Vec::new();
        for presses in LIMIT_PRESSES {
            let mut ratios: BTreeMap<KeystrokeSet, Vec<f64>> = BTreeMap::new();
            for (number, person) in people.iter().enumerate() {
                for cut in cuts(&person.by_clock[clock], presses as usize, LIMITED) {
                    let Some(stretch) = measured(&cut, clock_micros(clock))? else { continue };
                    let ratio = of_other[number % 2].ratio(&stretch.terms(centres, spreads));
                    ratios.entry(person.set).or_default().push(ratio);
                }
            }
            by_length.push(limit(ratios.into_values().collect(), quantile) + LIMIT_ROOM);
        }
        // A longer stretch needs no more than the shortest. What would ask for it are a few people whose dwells come out too
        // even when their clock is made finer: an artefact of the re-stamping, not of hands.
        let most = by_length[0];
        by_length.iter_mut().for_each(|limit| *limit = limit.min(most));
        limits.push(by_length);
    }
    Ok(Likeness { weights: of_halves(&[0, 1])?, limits })
}

/// The ratio that `quantile` of everybody's stretches stay under, and of each set large enough to tell at twice the
/// share above it: one set's hands must not pay for another's. Never under 0, which says hand.
fn limit(mut sets: Vec<Vec<f64>>, quantile: f64) -> f64 {
    let at = |ratios: &mut Vec<f64>, quantile: f64| {
        ratios.sort_unstable_by(f64::total_cmp);
        quantile_of_sorted(ratios, quantile)
    };
    let mut all = sets.concat();
    let large = sets.iter_mut().filter(|ratios| ratios.len() >= SET_STRETCHES_MIN);
    let of_sets = large.map(|ratios| at(ratios, 1.0 - 2.0 * (1.0 - quantile))).fold(0.0, f64::max);
    at(&mut all, quantile).max(of_sets)
}

/// Fits likeness on train-licensed sets. The same seed and data give the same numbers.
pub(super) fn fit_likeness(data: &Path, seed: u64) -> Result<LikenessParameters, String> {
    let mut random = Random::seed_from_u64(seed ^ 0x6d61_6368);
    let people = people(data, &mut random)?;
    let [hands, drawn, delayed] = sides(&people, &mut random)?;
    let rows: Vec<[f64; MEASUREMENTS]> = hands.halves.iter().flatten().map(|stretch| stretch.measurements).collect();
    let (centres, spreads) = centred(&rows);
    debug_assert_eq!(hands.halves[0][0].terms(&centres, &spreads).len(), TERMS);
    let near = (centres.as_slice(), spreads.as_slice());
    let drawn = fit_side(&people, (&hands, &drawn), near, DRAWN_QUANTILE)?;
    let delayed = fit_side(&people, (&hands, &delayed), near, DELAYED_QUANTILE)?;
    let (table_centres, table_spreads, table_weights, table_limit) = fit_tables(data, &mut random)?;
    Ok(LikenessParameters {
        centres,
        spreads,
        drawn,
        delayed,
        table_centres,
        table_spreads,
        table_weights,
        table_limit,
    })
}

/// A block of stretches as one, so that a machine keeps its ways throughout.
pub(crate) fn joined(block: &[Stretch]) -> Stretch {
    let mut whole = Stretch::default();
    for stretch in block {
        whole.press_interval_micros.extend(&stretch.press_interval_micros);
        whole.dwell_micros.extend(&stretch.dwell_micros);
        whole.classes.extend(&stretch.classes);
        whole.usages.extend(&stretch.usages);
    }
    whole
}

/// What serving measures of a table.
fn measured_table(block: &[Stretch], clock_micros: u32) -> Result<Option<Table>, String> {
    let mut event = convert::bare_event("w", "e".into(), 0);
    let mut table = convert::table_of(block, KeystrokeSet::Bbmas);
    table.timer_resolution_micros = clock_micros;
    event.cadence = Some(table);
    Ok(observe(&samples(event)?).machine_table)
}

/// Gives back a uniform share of the tick to every stamp.
fn unticked(stretch: &Stretch, random: &mut Random) -> Stretch {
    let tick = KeystrokeSet::Bbmas.timer_resolution_micros();
    let mut fine = stretch.clone();
    let mut share_before = 0;
    for at in 0..fine.dwell_micros.len() {
        let share = random.gen_range(0..tick);
        let interval = (stretch.press_interval_micros[at] + share).saturating_sub(share_before);
        fine.press_interval_micros[at] = if at == 0 { 0 } else { interval };
        if stretch.dwell_micros[at] > 0 {
            let release = stretch.dwell_micros[at] + random.gen_range(0..tick);
            fine.dwell_micros[at] = release.saturating_sub(share).max(1_000);
        }
        share_before = share;
    }
    fine
}

type TableFit = (Vec<f64>, Vec<f64>, Vec<f64>, f64);

/// Fits tables on the two free-text sets, on the clock they were stamped by and on one of a millisecond.
fn fit_tables(data: &Path, random: &mut Random) -> Result<TableFit, String> {
    let mut hands: [Vec<Table>; 2] = Default::default();
    let mut machines: [Vec<Table>; 2] = Default::default();
    for set in [KeystrokeSet::VillaniFree, KeystrokeSet::Bbmas] {
        for (number, typist) in corpus::read(data, set)?.iter().enumerate() {
            for presses in TABLE_PRESSES {
                for (at, block) in convert::blocks(&typist.stretches, presses).iter().enumerate() {
                    let fine: Vec<Stretch> = block.iter().map(|stretch| unticked(stretch, random)).collect();
                    let kind = DRAWN[(at + number) % DRAWN.len()];
                    let machine = typed(kind, &joined(block), &Habits::default(), random);
                    for (clock, hand) in [(1_000, &fine), (set.timer_resolution_micros(), block)] {
                        hands[number % 2].extend(measured_table(hand, clock)?);
                        machines[number % 2].extend(measured_table(&[on_clock(&machine, clock)], clock)?);
                    }
                }
            }
        }
    }
    let rows: Vec<[f64; TABLE_MEASUREMENTS]> = hands.iter().flatten().map(|table| table.measurements).collect();
    let (centres, spreads) = centred(&rows);
    let fit = |halves: &[usize]| {
        let (mut rows, mut truths) = (Vec::new(), Vec::new());
        for (side, truth) in [(&hands, false), (&machines, true)] {
            for table in halves.iter().flat_map(|half| &side[*half]) {
                rows.push(table.terms(&centres, &spreads).to_vec());
                truths.push(truth);
            }
        }
        logistic(&rows, &truths, ALPHA)
    };
    let of_other = [fit(&[1])?, fit(&[0])?];
    let ratio = |weights: &[f64], table: &Table| {
        let terms: [f64; TABLE_TERMS] = table.terms(&centres, &spreads);
        weights
            .iter()
            .zip(terms)
            .fold(weights.last().copied().unwrap_or(0.0), |sum, (weight, term)| sum + weight * term)
    };
    let highest =
        hands.iter().zip(&of_other).flat_map(|(tables, weights)| tables.iter().map(|table| ratio(weights, table)));
    let limit = highest.fold(0.0, f64::max) + TABLE_ROOM;
    let weights = fit(&[0, 1])?;
    Ok((centres, spreads, weights, limit))
}
