//! Figures of a change of hands within a live session, through the pipeline that serves: people stitched together.

use super::{NewScorer, RESAMPLES};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Stretch, Typist};
use crate::metrics;
use crate::request::{Figure, Scorer, Update};
use elsewhere::event::{ChunkUnchecked, EventUnchecked};
use elsewhere::risk::ReasonCode;
use std::path::Path;

/// Sentences that enrol the worker in a session of its own, and those typed before the other takes over.
const ENROL_SENTENCES: usize = 5;
const OWN_SENTENCES: usize = 5;
/// Presses of a table, and how many of them enrol and are the worker's own in the session.
const TABLE_PRESSES: usize = 200;
/// Presses into a table at which the other takes over, by person in turn: a table has no part in when hands change.
const TABLE_OFFSETS: [usize; 4] = [0, 50, 100, 150];
/// Presses within which a change is to be found: floor and goal of targets.
const WITHIN: [usize; 2] = [250, 150];
/// Sentences between turns of a shared account, and sentences before its first change.
const TURN_SENTENCES: usize = 4;
/// Figures that targets names: half found within 250 presses, one false alarm in ten hours of typing.
const FOUND_FLOOR: f64 = 0.5;
const FALSE_ALARMS_FLOOR: f64 = 1.0;

/// One live session as a client sends it: chunks with the presses in them and how long they took.
struct Sent {
    chunks: Vec<ChunkUnchecked>,
    presses: Vec<usize>,
    micros: Vec<u64>,
}

/// What became of one session.
#[derive(Debug, Clone, Default)]
struct Outcome {
    /// Hours typed by the worker alone, before any change.
    honest_hours: f64,
    /// Changes told in them.
    false_alarms: usize,
    /// Whether the other ever took over while nothing was told, and presses after which it was.
    taken: bool,
    found_after: Option<usize>,
    /// Whether it was told as an account of two who take turns.
    shared: bool,
}

/// Every figure of hands in a session.
pub(super) fn evaluate(
    figures: &mut Vec<Figure>,
    data: &Path,
    new_scorer: &mut NewScorer<'_>,
    seed: u64,
) -> Result<(), String> {
    let aalto = corpus::read(data, KeystrokeSet::Aalto)?;
    for (name, how, enrolled) in [
        (
            "typing.handover_ordered",
            "ordered typing, a sentence a chunk, 5 sentences enrolled and 5 typed before",
            true,
        ),
        ("typing.handover_ordered_unknown", "the same by a worker without a past", false),
    ] {
        let mut scorer = new_scorer();
        let outcomes = people(&aalto, |worker, other| ordered(scorer.as_mut(), worker, other, enrolled))?;
        push(figures, name, how, &outcomes, seed);
    }
    let mut scorer = new_scorer();
    let mut turn = 0;
    let outcomes = people(&aalto, |worker, other| {
        turn += 1;
        tables(scorer.as_mut(), worker, other, TABLE_OFFSETS[turn / 2 % TABLE_OFFSETS.len()])
    })?;
    push(
        figures,
        "typing.handover_tables",
        "tables of 200 presses, one enrolled, one and a part before",
        &outcomes,
        seed,
    );
    let mut scorer = new_scorer();
    let outcomes = people(&aalto, |worker, other| shared(scorer.as_mut(), worker, other))?;
    push_shared(figures, &outcomes, seed);
    Ok(())
}

/// Everybody's session alone, and the same with the next person taking over.
fn people(
    typists: &[Typist],
    mut session: impl FnMut(&Typist, Option<&Typist>) -> Result<Outcome, String>,
) -> Result<Vec<[Outcome; 2]>, String> {
    let mut outcomes = Vec::new();
    for (index, worker) in typists.iter().enumerate() {
        let other = &typists[(index + 1) % typists.len()];
        outcomes.push([session(worker, None)?, session(worker, Some(other))?]);
    }
    Ok(outcomes)
}

fn sentences(parts: &[Stretch]) -> Sent {
    let chunk = |part: &Stretch| ChunkUnchecked::Typing(convert::typing_of(part, KeystrokeSet::Aalto, ""));
    Sent {
        chunks: parts.iter().map(chunk).collect(),
        presses: parts.iter().map(|part| part.press_interval_micros.len()).collect(),
        micros: parts.iter().map(typed_micros).collect(),
    }
}

/// Time typed; pauses over ten seconds are no typing.
fn typed_micros(part: &Stretch) -> u64 {
    part.press_interval_micros.iter().map(|interval| u64::from(*interval).min(10_000_000)).sum()
}

/// Plays a session: told codes after each chunk; false alarms up to `own` chunks, the change found after them.
fn play(scorer: &mut dyn Scorer, opening: EventUnchecked, sent: Sent, own: usize) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let mut seconds = opening.event_time.map_or(0, |time| time.seconds);
    let mut chunks = Vec::new();
    for (chunk, micros) in sent.chunks.into_iter().zip(&sent.micros) {
        seconds += 1 + (micros / 1_000_000) as i64;
        chunks.push((chunk, seconds));
    }
    let told = scorer.watch(opening, chunks)?;
    let change = |codes: &Vec<ReasonCode>| {
        codes.iter().any(|code| matches!(code, ReasonCode::TypingHandover | ReasonCode::TypingSharedAccount))
    };
    let mut before = false;
    let mut since = 0;
    for (index, codes) in told.iter().enumerate() {
        let now = change(codes);
        if index < own {
            outcome.honest_hours += sent.micros[index] as f64 / 3.6e9;
            outcome.false_alarms += usize::from(now && !before);
        } else {
            outcome.taken |= index == own && !before;
            since += sent.presses[index];
            if now && !before && outcome.taken && outcome.found_after.is_none() {
                outcome.found_after = Some(since);
            }
        }
        outcome.shared |= codes.contains(&ReasonCode::TypingSharedAccount);
        before = now;
    }
    Ok(outcome)
}

/// A session name of its own for every session: nothing of one may be taken for another's.
fn opening(worker: &str, index: usize) -> EventUnchecked {
    let mut event = convert::bare_event(worker, format!("{worker}-live-{index}"), index);
    event.activity = 4;
    event
}

fn ordered(
    scorer: &mut dyn Scorer,
    worker: &Typist,
    other: Option<&Typist>,
    enrolled: bool,
) -> Result<Outcome, String> {
    let name = format!("{}-{}-{enrolled}", worker.subject, other.map_or("", |other| &other.subject));
    if enrolled {
        let mut event = opening(&name, 0);
        let past = convert::joined(&worker.stretches[..ENROL_SENTENCES]);
        event.typing = Some(convert::typing_of(&past, KeystrokeSet::Aalto, ""));
        scorer.score(event, Update::Always)?;
    }
    let from = ENROL_SENTENCES;
    let (parts, own) = match other {
        None => (worker.stretches[from..].to_vec(), worker.stretches.len() - from),
        Some(other) => {
            let own = worker.stretches[from..from + OWN_SENTENCES].to_vec();
            ([&own[..], &other.stretches[from..]].concat(), OWN_SENTENCES)
        }
    };
    play(scorer, opening(&name, 1), sentences(&parts), own)
}

/// Two who take turns, four sentences each; or the worker alone for as long.
fn shared(scorer: &mut dyn Scorer, worker: &Typist, other: Option<&Typist>) -> Result<Outcome, String> {
    let name = format!("{}-{}-shared", worker.subject, other.map_or("", |other| &other.subject));
    let mut parts = Vec::new();
    for (index, stretch) in worker.stretches.iter().enumerate() {
        let others_turn = index / TURN_SENTENCES % 2 == 1;
        parts.push(other.filter(|_| others_turn).map_or(stretch, |other| &other.stretches[index]).clone());
    }
    let own = if other.is_some() { TURN_SENTENCES } else { parts.len() };
    play(scorer, opening(&name, 1), sentences(&parts), own)
}

fn tables(scorer: &mut dyn Scorer, worker: &Typist, other: Option<&Typist>, offset: usize) -> Result<Outcome, String> {
    let name = format!("{}-{}-tables", worker.subject, other.map_or("", |other| &other.subject));
    let blocks = |stretches: &[Stretch]| convert::blocks(stretches, TABLE_PRESSES);
    let own = blocks(&worker.stretches);
    let Some((past, own)) = own.split_first() else { return Ok(Outcome::default()) };
    let mut event = opening(&name, 0);
    event.cadence = Some(convert::table_of(past, KeystrokeSet::Aalto));
    scorer.score(event, Update::Always)?;
    let mut stream: Vec<Stretch> = own.iter().flatten().cloned().collect();
    let mut own_presses = own.len() * TABLE_PRESSES;
    if let Some(other) = other {
        own_presses = TABLE_PRESSES + offset;
        stream = taken(&stream, own_presses);
        stream.extend(blocks(&other.stretches).into_iter().flatten());
    }
    let (mut chunks, mut presses, mut micros) = (Vec::new(), Vec::new(), Vec::new());
    for block in blocks(&stream) {
        chunks.push(ChunkUnchecked::Cadence(convert::table_of(&block, KeystrokeSet::Aalto)));
        presses.push(TABLE_PRESSES);
        micros.push(block.iter().map(typed_micros).sum());
    }
    // Of the table in which the other takes over the part after the change counts.
    let own_tables = own_presses / TABLE_PRESSES;
    if let Some(first) = presses.get_mut(own_tables).filter(|_| other.is_some()) {
        *first = TABLE_PRESSES - offset;
    }
    play(scorer, opening(&name, 1), Sent { chunks, presses, micros }, own_tables)
}

/// The first so many presses.
fn taken(stretches: &[Stretch], presses: usize) -> Vec<Stretch> {
    let mut left = presses;
    let mut taken = Vec::new();
    for stretch in stretches {
        if left == 0 {
            break;
        }
        let part = convert::cut(stretch, 0, left);
        left -= part.press_interval_micros.len();
        taken.push(part);
    }
    taken
}

fn figure(
    name: String,
    description: String,
    outcomes: &[[Outcome; 2]],
    seed: u64,
    floor: Option<f64>,
    higher_is_better: bool,
    statistic: &dyn Fn(&[usize]) -> Option<f64>,
) -> Option<Figure> {
    let everybody: Vec<usize> = (0..outcomes.len()).collect();
    let hours: f64 = outcomes.iter().flatten().map(|outcome| outcome.honest_hours).sum();
    Some(Figure {
        name,
        description,
        value: statistic(&everybody)?,
        interval: metrics::bootstrap(outcomes.len(), RESAMPLES, seed, statistic),
        sample: format!("{} people stitched to one other each, {hours:.1} h typed by one hand", outcomes.len()),
        floor,
        higher_is_better,
        source: "real".into(),
        licence: "measure".into(),
    })
}

/// False changes told in ten hours of one hand's typing.
fn false_alarms(outcomes: &[[Outcome; 2]], chosen: &[usize]) -> Option<f64> {
    let all = || chosen.iter().flat_map(|index| &outcomes[*index]);
    let hours: f64 = all().map(|outcome| outcome.honest_hours).sum();
    (hours > 0.0).then(|| 10.0 * all().map(|outcome| outcome.false_alarms).sum::<usize>() as f64 / hours)
}

fn push(figures: &mut Vec<Figure>, name: &str, how: &str, outcomes: &[[Outcome; 2]], seed: u64) {
    let description = format!("changes of hands told in ten hours that had none: {how}");
    let of = |chosen: &[usize]| false_alarms(outcomes, chosen);
    let floor = Some(FALSE_ALARMS_FLOOR);
    figures.extend(figure(format!("{name}.false_alarms_per_10_hours"), description, outcomes, seed, floor, false, &of));
    for within in WITHIN {
        let of = |chosen: &[usize]| {
            let taken = || chosen.iter().map(|index| &outcomes[*index][1]).filter(|outcome| outcome.taken);
            let found = taken().filter(|outcome| outcome.found_after.is_some_and(|presses| presses <= within)).count();
            Some(found as f64 / taken().count().max(1) as f64)
        };
        let floor = (within == WITHIN[0]).then_some(FOUND_FLOOR);
        let description = format!("changes of hands told within {within} presses: {how}");
        let name = format!("{name}.found_within_{within}_rate");
        figures.extend(figure(name, description, outcomes, seed, floor, true, &of));
    }
}

fn push_shared(figures: &mut Vec<Figure>, outcomes: &[[Outcome; 2]], seed: u64) {
    for (side, name, description) in [
        (1, "told_rate", "two who take turns of four sentences, twelve to fifteen in all, told as taking turns"),
        (0, "false_positive_rate", "one hand for as long told as two who take turns"),
    ] {
        let of = |chosen: &[usize]| {
            let shared = chosen.iter().filter(|index| outcomes[**index][side].shared).count();
            Some(shared as f64 / chosen.len().max(1) as f64)
        };
        let name = format!("typing.shared_account.{name}");
        figures.extend(figure(name, description.into(), outcomes, seed, None, side == 1, &of));
    }
}
