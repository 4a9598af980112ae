//! Figures of machine-made typing: people taken for machines, machines found, and machines taken for strangers.

use super::{NewScorer, Say, Sides, figure, pooled};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Stretch, Typist};
use crate::corpus::machine_typing::{Habits, MachineKind, typed};
use crate::fit::typing::likeness::joined;
use crate::metrics;
use crate::request::{Figure, Scored, Scorer, Update};
use elsewhere::event::{EventUnchecked, TypingUnchecked};
use elsewhere::evidence::feature::Finding;
use elsewhere::evidence::quantile::quantile_of_sorted;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus as Random;
use std::path::Path;

/// Share of people's stretches that may be taken for machine-made.
const FALSE_POSITIVE_FLOOR: f64 = 0.001;
/// Presses of the stretches that are cut.
const PRESSES: [usize; 4] = [8, 11, 30, 100];
/// Clocks, microseconds.
const CLOCKS_MICROS: [u32; 3] = [1_000, 15_600, 33_000];
/// People whose typing machines repeat, and stretches of each.
const MODELS: usize = 300;
const MODEL_STRETCHES: usize = 3;
/// Logins a worker enrols with before machines try, and tries of each kind.
const ENROL: usize = 60;
const TRIES: usize = 6;
/// Workers whose tables machines try, and strangers who try each.
const TABLE_WORKERS: usize = 250;
const TABLE_STRANGERS: usize = 5;
/// Presses of a table.
const TABLE_PRESSES: usize = 200;

/// Every figure of machine-made typing.
pub(super) fn evaluate(
    figures: &mut Vec<Figure>,
    data: &Path,
    new_scorer: &mut NewScorer<'_>,
    seed: u64,
) -> Result<(), String> {
    let aalto = corpus::read(data, KeystrokeSet::Aalto)?;
    people(figures, data, new_scorer, seed)?;
    found(figures, &aalto, new_scorer, seed)?;
    phrases(figures, &corpus::read(data, KeystrokeSet::Cmu)?, new_scorer, seed)?;
    tables(figures, &aalto, new_scorer, seed)
}

/// The columns as a clock would have stamped them, without classes, as free text.
fn sample(stretch: &Stretch, set: KeystrokeSet, clock_micros: u32) -> TypingUnchecked {
    let typing = convert::typing_of(stretch, set, "");
    if clock_micros > set.timer_resolution_micros() { convert::with_clock(&typing, clock_micros) } else { typing }
}

fn score(scorer: &mut dyn Scorer, worker: &str, typing: TypingUnchecked) -> Result<Scored, String> {
    let mut event = convert::bare_event(worker, "e".into(), 0);
    event.typing = Some(typing);
    scorer.score(event, Update::Never)
}

/// 1 where a machine was found.
fn machine(scored: &Scored) -> f64 {
    f64::from(u8::from(scored.finding(Finding::TypingSynthetic).unwrap_or(0.0) > 0.0))
}

/// Stretches as they are, or cut to whole parts of so many presses.
fn parts(typist: &Typist, presses: Option<usize>) -> Vec<Stretch> {
    let Some(presses) = presses else { return typist.stretches.clone() };
    let of = |stretch: &Stretch| {
        let count = stretch.press_interval_micros.len() / presses;
        (0..count).map(|part| convert::cut(stretch, part * presses, presses)).collect::<Vec<_>>()
    };
    typist.stretches.iter().flat_map(of).collect()
}

/// The mean of values of people, 0 without any.
fn share(people: &[Sides], chosen: &[usize]) -> Option<f64> {
    metrics::mean(&pooled(people, chosen).0)
}

/// Share of people's stretches taken for machine-made: as they are, cut, and on coarser clocks.
fn people(figures: &mut Vec<Figure>, data: &Path, new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<(), String> {
    for (set, name) in [
        (KeystrokeSet::Cmu, "cmu"),
        (KeystrokeSet::Aalto, "aalto"),
        (KeystrokeSet::VillaniFree, "villani_free"),
        (KeystrokeSet::VillaniFixed, "villani_fixed"),
        (KeystrokeSet::Keypad, "keypad"),
        (KeystrokeSet::Bbmas, "bbmas"),
        (KeystrokeSet::Meu, "meu"),
    ] {
        let typists = corpus::read(data, set)?;
        let own = set.timer_resolution_micros();
        let mut slices = vec![(name.to_string(), None, own)];
        if matches!(set, KeystrokeSet::Aalto | KeystrokeSet::Bbmas | KeystrokeSet::VillaniFree) {
            slices.extend(PRESSES.map(|presses| (format!("{name}_{presses}"), Some(presses), own)));
        }
        if !set.trainable() {
            slices.extend(
                CLOCKS_MICROS[1..]
                    .iter()
                    .map(|clock| (format!("{name}_clock_{}ms", (f64::from(*clock) / 1e3).round()), None, *clock)),
            );
        }
        for (name, presses, clock) in slices {
            let mut scorer = new_scorer();
            let mut people = Vec::new();
            for typist in &typists {
                let mut fired = Sides::default();
                for part in parts(typist, presses) {
                    let scored = score(scorer.as_mut(), &typist.subject, sample(&part, set, clock))?;
                    fired.mated.push(machine(&scored));
                }
                people.push(fired);
            }
            let cut = presses.map_or(String::new(), |presses| format!(", cut to {presses} presses"));
            let stamped = if clock == own { String::new() } else { format!(", stamps floored to {clock} us") };
            let description = format!("stretches of people with any evidence of machine-made typing{cut}{stamped}");
            let say = Say {
                name: &format!("typing.synthetic_{name}.false_positive_rate"),
                description: &description,
                unit: "stretches",
                floor: Some(FALSE_POSITIVE_FLOOR),
                higher_is_better: false,
                licence: if set.trainable() { "train" } else { "measure" },
            };
            figures.extend(figure(&say, &people, seed, |chosen| share(&people, chosen)));
        }
    }
    Ok(())
}

/// Share of machines' stretches found, by kind, length and clock. People of Aalto are who machines repeat, imitate and
/// delay: nothing was fitted on them.
fn found(figures: &mut Vec<Figure>, aalto: &[Typist], new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<(), String> {
    let mut random = Random::seed_from_u64(seed ^ 0x6d61_6b65);
    for clock in CLOCKS_MICROS {
        for presses in PRESSES {
            for kind in MachineKind::ALL {
                let mut scorer = new_scorer();
                let mut people = Vec::new();
                for typist in aalto.iter().take(MODELS) {
                    let habits = Habits::of(&typist.stretches);
                    let mut fired = Sides::default();
                    // Sentences are shorter than a hundred presses: some are typed on end.
                    let blocks = convert::blocks(&typist.stretches, presses);
                    for block in blocks.iter().take(MODEL_STRETCHES) {
                        let made = typed(kind, &joined(block), &habits, &mut random);
                        let typing = convert::with_clock(&convert::typing_of(&made, KeystrokeSet::Aalto, ""), clock);
                        fired.mated.push(machine(&score(scorer.as_mut(), &typist.subject, typing)?));
                    }
                    people.push(fired);
                }
                let clock_name = if clock == CLOCKS_MICROS[0] {
                    String::new()
                } else {
                    format!("_clock_{}ms", (f64::from(clock) / 1e3).round())
                };
                let description = if kind.delays_a_person() {
                    format!("stretches of {presses} presses of people behind a delaying tool taken for a machine's")
                } else {
                    format!("stretches of {presses} presses of this kind of machine with any evidence of it")
                };
                let say = Say {
                    name: &format!("typing.machine_{}_{presses}{clock_name}.named_rate", kind.name()),
                    description: &description,
                    unit: "stretches",
                    floor: None,
                    higher_is_better: !kind.delays_a_person(),
                    licence: "measure",
                };
                push_made(figures, figure(&say, &people, seed, |chosen| share(&people, chosen)));
            }
        }
    }
    Ok(())
}

/// A figure on generated typing over real people.
fn push_made(figures: &mut Vec<Figure>, made: Option<Figure>) {
    figures.extend(made.map(|made| Figure { source: "mixed".into(), ..made }));
}

/// What came of one try on a worker.
struct Try {
    worker: usize,
    /// `None`: the worker's own hand; `Some(None)`: another person; else a machine.
    by: Option<Option<MachineKind>>,
    /// The typist's ratio, or none when nothing was compared.
    ratio: Option<f64>,
}

/// Ratio over which a try reads as a stranger's, nats: more than seven to one.
const STRANGER_NATS: f64 = 2.0;

/// By kind: share of tries that read as a stranger's, share with nobody compared, and the middle ratio.
fn push_tries(figures: &mut Vec<Figure>, tries: &[Try], workers: usize, name: &str, what: &str, seed: u64) {
    let mut push = |by: Option<Option<MachineKind>>, kind: &str, ending: &str| {
        let mut people = vec![Sides::default(); workers];
        for one in tries.iter().filter(|one| one.by == by) {
            let counted = match ending {
                "stranger_rate" => f64::from(u8::from(one.ratio.is_some_and(|ratio| ratio > STRANGER_NATS))),
                "passed_over_rate" => f64::from(u8::from(one.ratio.is_none())),
                _ => one.ratio.unwrap_or(0.0),
            };
            people[one.worker].mated.push(counted);
        }
        let counts = match ending {
            "stranger_rate" => format!("over {STRANGER_NATS} nats, read as a stranger"),
            "passed_over_rate" => "compared with nobody".into(),
            _ => "middle ratio, nats, 0 where compared with nobody".to_string(),
        };
        let description = format!("{what}, by {}: {counts}", kind.replace('_', " "));
        let say = Say {
            name: &format!("{name}_{kind}.{ending}"),
            description: &description,
            unit: "tries",
            floor: None,
            higher_is_better: ending == "passed_over_rate",
            licence: "measure",
        };
        let made = figure(&say, &people, seed, |chosen| {
            if ending != "median_nats" {
                return share(&people, chosen);
            }
            let (mut ratios, _) = pooled(&people, chosen);
            ratios.sort_unstable_by(f64::total_cmp);
            Some(quantile_of_sorted(&ratios, 0.5))
        });
        push_made(figures, made);
    };
    let machines = MachineKind::ALL.map(|kind| (Some(Some(kind)), kind.name()));
    for (by, kind) in [(None, "own_hand"), (Some(None), "stranger")].into_iter().chain(machines) {
        for ending in ["stranger_rate", "passed_over_rate", "median_nats"] {
            push(by, kind, ending);
        }
    }
}

/// Machines that type a worker's phrase, as a password manager or test automation would.
fn phrases(figures: &mut Vec<Figure>, cmu: &[Typist], new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<(), String> {
    for clock in CLOCKS_MICROS {
        let mut random = Random::seed_from_u64(seed ^ 0x7068_7261);
        let mut scorer = new_scorer();
        let mut tries = Vec::new();
        for (worker, typist) in cmu.iter().enumerate() {
            let mut ask = |stretch: &Stretch, index: usize, update: Update| -> Result<Option<f64>, String> {
                let mut event = convert::bare_event(&typist.subject, "e".into(), index);
                let typing = convert::typing_of(stretch, KeystrokeSet::Cmu, "phrase-1");
                event.typing = Some(convert::with_clock(&typing, clock));
                Ok(scorer.score(event, update)?.finding(Finding::TypingPhrase))
            };
            for (index, stretch) in typist.stretches.iter().take(ENROL).enumerate() {
                ask(stretch, index, Update::Always)?;
            }
            let habits = Habits::of(&typist.stretches[..ENROL.min(typist.stretches.len())]);
            for stretch in typist.stretches.iter().skip(ENROL).take(TRIES) {
                tries.push(Try { worker, by: None, ratio: ask(stretch, ENROL, Update::Never)? });
                for kind in MachineKind::ALL {
                    let made = typed(kind, stretch, &habits, &mut random);
                    tries.push(Try { worker, by: Some(Some(kind)), ratio: ask(&made, ENROL, Update::Never)? });
                }
            }
            for other in cmu.iter().filter(|other| other.subject != typist.subject) {
                let Some(stretch) = other.stretches.get(ENROL) else { continue };
                tries.push(Try { worker, by: Some(None), ratio: ask(stretch, ENROL, Update::Never)? });
            }
        }
        let clock_name = if clock == CLOCKS_MICROS[0] {
            String::new()
        } else {
            format!("_clock_{}ms", (f64::from(clock) / 1e3).round())
        };
        let what = format!("phrase after {ENROL} logins, stamps floored to {clock} us");
        push_tries(figures, &tries, cmu.len(), &format!("typing.phrase_by{clock_name}"), &what, seed);
    }
    Ok(())
}

/// Machines that type 200 presses of free text for a worker, told from the table alone.
fn tables(
    figures: &mut Vec<Figure>,
    aalto: &[Typist],
    new_scorer: &mut NewScorer<'_>,
    seed: u64,
) -> Result<(), String> {
    let mut random = Random::seed_from_u64(seed ^ 0x7461_626c);
    let mut scorer = new_scorer();
    let blocks: Vec<Vec<Vec<Stretch>>> = aalto
        .iter()
        .map(|typist| convert::blocks(&typist.stretches, TABLE_PRESSES))
        .filter(|blocks| blocks.len() >= 3)
        .take(TABLE_WORKERS)
        .collect();
    let (mut tries, mut hands, mut machines) = (Vec::new(), Vec::new(), Vec::new());
    for (worker, own) in blocks.iter().enumerate() {
        let name = format!("w{worker}");
        let mut ask = |block: &[Stretch], index: usize, update: Update| -> Result<(Option<f64>, f64), String> {
            let event = EventUnchecked {
                cadence: Some(convert::table_of(block, KeystrokeSet::Aalto)),
                activity: 4,
                ..convert::bare_event(&name, "e".into(), index)
            };
            let scored = scorer.score(event, update)?;
            Ok((scored.finding(Finding::TypingTable), machine(&scored)))
        };
        ask(&own[0], 0, Update::Always)?;
        ask(&own[1], 1, Update::Always)?;
        let habits = Habits::of(own[..2].iter().flatten());
        let (ratio, fired) = ask(&own[2], 2, Update::Never)?;
        tries.push(Try { worker, by: None, ratio });
        hands.push(Sides { mated: vec![fired], ..Sides::default() });
        let mut of_kinds = Vec::new();
        for kind in MachineKind::ALL {
            let made = typed(kind, &joined(&own[2]), &habits, &mut random);
            let (ratio, fired) = ask(&[made], 2, Update::Never)?;
            tries.push(Try { worker, by: Some(Some(kind)), ratio });
            of_kinds.push(fired);
        }
        machines.push(of_kinds);
        for step in 1..=TABLE_STRANGERS.min(blocks.len() - 1) {
            let other = &blocks[(worker + step * 7) % blocks.len()];
            tries.push(Try { worker, by: Some(None), ratio: ask(&other[2], 2, Update::Never)?.0 });
        }
    }
    let say = Say {
        name: "typing.synthetic_table.false_positive_rate",
        description: "tables of 200 presses of people with any evidence of machine-made typing",
        unit: "tables",
        floor: Some(FALSE_POSITIVE_FLOOR),
        higher_is_better: false,
        licence: "measure",
    };
    figures.extend(figure(&say, &hands, seed, |chosen| share(&hands, chosen)));
    for (at, kind) in MachineKind::ALL.into_iter().enumerate() {
        let people: Vec<Sides> =
            machines.iter().map(|fired: &Vec<f64>| Sides { mated: vec![fired[at]], ..Sides::default() }).collect();
        let say = Say {
            name: &format!("typing.machine_table_{}.named_rate", kind.name()),
            description: "tables of 200 presses with any evidence of machine-made typing",
            floor: None,
            higher_is_better: !kind.delays_a_person(),
            ..say
        };
        push_made(figures, figure(&say, &people, seed, |chosen| share(&people, chosen)));
    }
    push_tries(figures, &tries, blocks.len(), "typing.table_by", "table of 200 presses after two", seed);
    Ok(())
}
