//! Keystroke sets to events and requests.

use crate::corpus::keystroke::{KeystrokeSet, Stretch, Typist};
use crate::request::{Request, Update};
use elsewhere::event::{
    CadenceTableUnchecked, DigraphTime, EventUnchecked, KeyTime, TimestampUnchecked, TypingUnchecked, limits, typing,
};
use elsewhere::evidence::quantile::median_and_spread;
use std::collections::BTreeMap;

/// First instant of converted events, seconds since 1970: a Monday noon, far from any clock change.
const START_SECONDS: i64 = 1_704_110_400;
/// Seconds between one worker's converted events: a working day apart each, as at a morning login.
const STEP_SECONDS: i64 = 86_400;

/// An event of `worker` without samples, `index` days after the first.
pub fn bare_event(worker: &str, event_id: String, index: usize) -> EventUnchecked {
    EventUnchecked {
        event_id,
        worker_id: worker.to_string(),
        event_time: Some(TimestampUnchecked { seconds: START_SECONDS + STEP_SECONDS * index as i64, nanos: 0 }),
        activity: 1,
        ..EventUnchecked::default()
    }
}

/// Ordered columns cut to the limits of the wire. `phrase_id` empty = free text.
pub fn typing_of(stretch: &Stretch, set: KeystrokeSet, phrase_id: &str) -> TypingUnchecked {
    let mut press_interval_micros: Vec<u32> = stretch
        .press_interval_micros
        .iter()
        .map(|interval| (*interval).min(limits::PRESS_INTERVAL_MICROS_MAX))
        .collect();
    if let Some(first) = press_interval_micros.first_mut() {
        *first = 0;
    }
    TypingUnchecked {
        context: if phrase_id.is_empty() { 1 } else { 2 },
        phrase_id: phrase_id.to_string(),
        press_interval_micros,
        dwell_micros: stretch.dwell_micros.iter().map(|dwell| (*dwell).min(limits::DWELL_MICROS_MAX)).collect(),
        key_classes: stretch.classes.clone(),
        timer_resolution_micros: set.timer_resolution_micros(),
        ..TypingUnchecked::default()
    }
}

/// The same columns as a clock of another granularity would have stamped them: press and release stamps are floored.
/// A dwell within one step becomes 0, which the wire takes for a release not seen.
pub fn with_clock(typing: &TypingUnchecked, resolution_micros: u32) -> TypingUnchecked {
    let step = u64::from(resolution_micros.max(1));
    // A login begins anywhere within a step. Where, is drawn from its own times, so that the same login is always
    // stamped the same (multiplication by the golden ratio, Knuth 6.4).
    let times = typing.press_interval_micros.iter().chain(&typing.dwell_micros);
    let drawn = times.fold(0u64, |sum, time| (sum ^ u64::from(*time)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut now = (drawn >> 32) % step;
    let mut coarse = typing.clone();
    coarse.timer_resolution_micros = resolution_micros;
    let mut stamp_before = None;
    for index in 0..typing.press_interval_micros.len() {
        now += u64::from(typing.press_interval_micros[index]);
        let stamp = now / step * step;
        let interval = stamp_before.map_or(0, |before: u64| (stamp - before) as u32);
        coarse.press_interval_micros[index] = interval.min(limits::PRESS_INTERVAL_MICROS_MAX);
        stamp_before = Some(stamp);
        let dwell = u64::from(typing.dwell_micros[index]);
        let held = ((now + dwell) / step * step - stamp) as u32;
        coarse.dwell_micros[index] = if dwell == 0 { 0 } else { held.min(limits::DWELL_MICROS_MAX) };
    }
    coarse
}

/// A stretch cut out of another: presses `from..from + count`.
pub fn cut(stretch: &Stretch, from: usize, count: usize) -> Stretch {
    let range = from..(from + count).min(stretch.press_interval_micros.len());
    let mut part = Stretch {
        subject: stretch.subject.clone(),
        session: stretch.session,
        press_interval_micros: stretch.press_interval_micros[range.clone()].to_vec(),
        dwell_micros: stretch.dwell_micros[range.clone()].to_vec(),
        classes: stretch.classes.get(range.clone()).unwrap_or_default().to_vec(),
        usages: stretch.usages.get(range).unwrap_or_default().to_vec(),
    };
    if let Some(first) = part.press_interval_micros.first_mut() {
        *first = 0;
    }
    part
}

/// Cuts stretches, in order, into blocks of exactly `presses` presses; a block may span stretches, whose joints carry
/// no interval (`usages` of the first press are kept, its interval is 0 and is never a digraph).
pub fn blocks(stretches: &[Stretch], presses: usize) -> Vec<Vec<Stretch>> {
    let mut blocks = Vec::new();
    let (mut open, mut open_presses): (Vec<Stretch>, usize) = (Vec::new(), 0);
    for stretch in stretches {
        let mut from = 0;
        while from < stretch.press_interval_micros.len() {
            let part = cut(stretch, from, presses - open_presses);
            from += part.press_interval_micros.len();
            open_presses += part.press_interval_micros.len();
            open.push(part);
            if open_presses == presses {
                blocks.push(std::mem::take(&mut open));
                open_presses = 0;
            }
        }
    }
    blocks
}

/// The cadence table of a block, as a collector makes it: medians and half interquartile ranges per key and digraph,
/// the most frequent digraphs kept when there are too many. The receiver rounds counts and times.
pub fn table_of(block: &[Stretch], set: KeystrokeSet) -> CadenceTableUnchecked {
    let mut dwells: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    let mut intervals: BTreeMap<(u32, u32), Vec<f64>> = BTreeMap::new();
    let mut press_count = 0;
    for stretch in block {
        press_count += stretch.usages.len() as u32;
        for (index, usage) in stretch.usages.iter().enumerate() {
            if !typing::table_usage(*usage) {
                continue;
            }
            let dwell = stretch.dwell_micros[index];
            if dwell > 0 && dwell <= limits::DWELL_MICROS_MAX {
                dwells.entry(*usage).or_default().push(f64::from(dwell));
            }
            let Some(before) = index.checked_sub(1).map(|before| stretch.usages[before]) else { continue };
            let interval = stretch.press_interval_micros[index];
            if typing::table_usage(before) && interval <= limits::PRESS_INTERVAL_MICROS_MAX {
                intervals.entry((before, *usage)).or_default().push(f64::from(interval));
            }
        }
    }
    let mut digraphs = digraph_rows(intervals);
    digraphs.sort_by_key(|row| (std::cmp::Reverse(row.count), row.first_usage, row.second_usage));
    digraphs.truncate(limits::TABLE_DIGRAPHS_MAX);
    CadenceTableUnchecked {
        press_count,
        keys: key_rows(dwells),
        digraphs,
        timer_resolution_micros: set.timer_resolution_micros(),
    }
}

fn key_rows(dwells: BTreeMap<u32, Vec<f64>>) -> Vec<KeyTime> {
    let row = |(usage, mut dwells): (u32, Vec<f64>)| {
        let (median, spread) = median_and_spread(&mut dwells);
        KeyTime {
            usage,
            count: dwells.len() as u32,
            dwell_median_micros: median as u32,
            dwell_spread_micros: spread as u32,
        }
    };
    dwells.into_iter().map(row).collect()
}

fn digraph_rows(intervals: BTreeMap<(u32, u32), Vec<f64>>) -> Vec<DigraphTime> {
    let row = |((first_usage, second_usage), mut intervals): ((u32, u32), Vec<f64>)| {
        let (median, spread) = median_and_spread(&mut intervals);
        DigraphTime {
            first_usage,
            second_usage,
            count: intervals.len() as u32,
            press_interval_median_micros: median as u32,
            press_interval_spread_micros: spread as u32,
        }
    };
    intervals.into_iter().map(row).collect()
}

/// A request of `worker` with a phrase.
fn phrase_request(
    worker: &str,
    index: usize,
    stretch: &Stretch,
    set: KeystrokeSet,
    update: Update,
    truth: &str,
    serial: &mut usize,
) -> Request {
    *serial += 1;
    let mut event = bare_event(worker, format!("k{serial}"), index);
    event.typing = Some(typing_of(stretch, set, "phrase-1"));
    Request { event, update, truth: truth.to_string(), group: worker.to_string() }
}

/// The online protocol: everybody enrols with `enrol` logins (learned always), goes on logging in (learned if
/// trusted), and from login `from` on every seventh login is also tried by everybody else with the login they had
/// practised to then (learned never). Truths: `enrol`, `mated`, `non_mated STRANGER`.
pub fn online_requests(typists: &[Typist], set: KeystrokeSet, enrol: usize, from: usize) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut serial = 0;
    for victim in typists {
        for (index, stretch) in victim.stretches.iter().enumerate() {
            if index >= from && index % STRANGER_STEP == 0 {
                for stranger in typists.iter().filter(|stranger| stranger.subject != victim.subject) {
                    if let Some(stretch) = stranger.stretches.get(index) {
                        let truth = format!("non_mated {}", stranger.subject);
                        requests.push(phrase_request(
                            &victim.subject,
                            index,
                            stretch,
                            set,
                            Update::Never,
                            &truth,
                            &mut serial,
                        ));
                    }
                }
            }
            let (update, truth) = if index < enrol {
                (Update::Always, "enrol")
            } else {
                (Update::IfTrusted, if index < from { "enrol" } else { "mated" })
            };
            requests.push(phrase_request(&victim.subject, index, stretch, set, update, truth, &mut serial));
        }
    }
    requests
}

/// Every how many logins strangers try.
const STRANGER_STEP: usize = 7;

/// Logins right after enrolment: everybody enrols with their first `enrol` logins (learned always), then come the
/// `tried` that follow (learned if trusted), each after a try of everybody else with a practised login, from their
/// login `practised` on (learned never). Truths: `enrol`, `mated`, `non_mated STRANGER`.
pub fn enrolled_requests(
    typists: &[Typist],
    set: KeystrokeSet,
    enrol: usize,
    tried: usize,
    practised: usize,
) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut serial = 0;
    for victim in typists {
        let worker = victim.subject.as_str();
        for (index, stretch) in victim.stretches.iter().take(enrol + tried).enumerate() {
            if index < enrol {
                requests.push(phrase_request(worker, index, stretch, set, Update::Always, "enrol", &mut serial));
                continue;
            }
            for stranger in typists.iter().filter(|stranger| stranger.subject != victim.subject) {
                if let Some(stretch) = stranger.stretches.get(practised + index - enrol) {
                    let truth = format!("non_mated {}", stranger.subject);
                    requests.push(phrase_request(worker, index, stretch, set, Update::Never, &truth, &mut serial));
                }
            }
            requests.push(phrase_request(worker, index, stretch, set, Update::IfTrusted, "mated", &mut serial));
        }
    }
    requests
}

/// Pause entered where two stretches are joined to one, microseconds: no interval of a hand.
const JOINT_MICROS: u32 = limits::PRESS_INTERVAL_MICROS_MAX;

/// Several stretches as one, with a pause at each joint.
pub fn joined(parts: &[Stretch]) -> Stretch {
    let mut whole = Stretch::default();
    for part in parts {
        let from = whole.press_interval_micros.len();
        whole.press_interval_micros.extend(&part.press_interval_micros);
        if let Some(first) = whole.press_interval_micros.get_mut(from) {
            *first = if from == 0 { 0 } else { JOINT_MICROS };
        }
        whole.dwell_micros.extend(&part.dwell_micros);
        whole.classes.extend(&part.classes);
        whole.usages.extend(&part.usages);
    }
    whole
}

/// Ordered free typing: `enrol` presses in stretches of `presses` learned always, later stretches as mated probes, at
/// most [`OWN_STRETCHES_MAX`]; `strangers` others try each worker with one stretch each; no probe is learned. Truths:
/// `enrol`, `mated`, `non_mated STRANGER`.
pub fn ordered_requests(
    typists: &[Typist],
    set: KeystrokeSet,
    presses: usize,
    enrol: usize,
    strangers: usize,
) -> Vec<Request> {
    let halves = |typist: &Typist| {
        let mut split = split(typist, presses, enrol / presses);
        if set == KeystrokeSet::Bbmas {
            // What one types at the end of a sitting is another text than at its beginning.
            let half = (split.enrolled.len() + split.probes.len()) / 2;
            split.probes = split.probes.split_off(half.saturating_sub(split.enrolled.len()));
        }
        split
    };
    let splits: Vec<Split> = typists.iter().map(halves).collect();
    let mut requests = Vec::new();
    for (position, (typist, own)) in typists.iter().zip(&splits).enumerate() {
        if own.enrolled.len() < enrol / presses || own.probes.is_empty() {
            continue;
        }
        let mut push = |block: &[Stretch], index: usize, update: Update, truth: String| {
            let mut event = bare_event(&typist.subject, format!("o{}", requests.len()), index);
            event.activity = 4;
            event.typing = Some(typing_of(&joined(block), set, ""));
            requests.push(Request { event, update, truth, group: typist.subject.clone() });
        };
        for (index, block) in own.enrolled.iter().enumerate() {
            // Aalto's people type in one sitting what stands for days; elsewhere a day is a session.
            let session = block.first().map_or(0, |stretch| stretch.session as usize);
            let day = if set == KeystrokeSet::Aalto { index } else { session };
            push(block, day, Update::Always, "enrol".into());
        }
        let step = own.probes.len().div_ceil(OWN_STRETCHES_MAX).max(1);
        for block in own.probes.iter().step_by(step) {
            push(block, own.enrolled.len(), Update::Never, "mated".into());
        }
        for step in 1..=strangers.min(typists.len() - 1) {
            // Strides spread the strangers over everybody.
            let other = (position + step * (1 + typists.len() / (strangers + 1))) % typists.len();
            let probes = &splits[other].probes;
            if other != position && !probes.is_empty() {
                let truth = format!("non_mated {}", typists[other].subject);
                push(&probes[step % probes.len()], own.enrolled.len(), Update::Never, truth);
            }
        }
    }
    requests.sort_by_key(|request| request.truth != "enrol");
    requests
}

/// Most of a worker's own stretches that probe.
const OWN_STRETCHES_MAX: usize = 6;

/// Gives every worker's phrase a name of its own, as login names are.
pub fn set_own_phrases(requests: &mut [Request]) {
    for request in requests {
        if let Some(typing) = request.event.typing.as_mut() {
            typing.phrase_id.clone_from(&request.event.worker_id);
        }
    }
}

/// Stamps the typing of every request as a clock of another granularity would have.
pub fn set_clock(requests: &mut [Request], resolution_micros: u32) {
    for typing in requests.iter_mut().filter_map(|request| request.event.typing.as_mut()) {
        *typing = with_clock(typing, resolution_micros);
    }
}

/// The standard protocol: enrol the oldest `enrol` logins, then the rest as mated probes and the first
/// `stranger_logins` of everybody else as non-mated ones; no probe is learned.
pub fn standard_requests(typists: &[Typist], set: KeystrokeSet, enrol: usize, stranger_logins: usize) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut serial = 0;
    for victim in typists {
        for (index, stretch) in victim.stretches.iter().enumerate() {
            let (update, truth) = if index < enrol { (Update::Always, "enrol") } else { (Update::Never, "mated") };
            requests.push(phrase_request(&victim.subject, index, stretch, set, update, truth, &mut serial));
        }
        let after = victim.stretches.len();
        for stranger in typists.iter().filter(|stranger| stranger.subject != victim.subject) {
            for stretch in stranger.stretches.iter().take(stranger_logins) {
                let truth = format!("non_mated {}", stranger.subject);
                requests.push(phrase_request(&victim.subject, after, stretch, set, Update::Never, &truth, &mut serial));
            }
        }
    }
    requests
}

/// Takeover: 60 logins of the victim (10 always, then if trusted), then 60 of one stranger (if trusted). Each pair is a
/// worker of its own. Truths: `enrol`, `taken NUMBER`.
pub fn takeover_requests(typists: &[Typist], set: KeystrokeSet, strangers: usize) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut serial = 0;
    for (position, victim) in typists.iter().enumerate() {
        for step in 1..=strangers.min(typists.len() - 1) {
            let stranger = &typists[(position + step) % typists.len()];
            let worker = format!("{}-{}", victim.subject, stranger.subject);
            for (index, stretch) in victim.stretches.iter().take(TAKEOVER_LOGINS).enumerate() {
                let update = if index < 10 { Update::Always } else { Update::IfTrusted };
                requests.push(phrase_request(&worker, index, stretch, set, update, "enrol", &mut serial));
            }
            for (index, stretch) in stranger.stretches.iter().skip(TAKEOVER_LOGINS).take(TAKEOVER_LOGINS).enumerate() {
                let truth = format!("taken {}", index + 1);
                requests.push(phrase_request(
                    &worker,
                    TAKEOVER_LOGINS + index,
                    stretch,
                    set,
                    Update::IfTrusted,
                    &truth,
                    &mut serial,
                ));
            }
        }
    }
    for request in &mut requests {
        request.group = request.group.split('-').next().unwrap_or_default().to_string();
    }
    requests
}

/// How a hand changes.
#[derive(Debug, Clone, Copy)]
pub struct HandChange {
    /// Of what dwells were, percent.
    pub dwell_percent: u32,
    /// Of what press intervals were, percent.
    pub interval_percent: u32,
    /// What every second press interval takes longer, percent.
    pub uneven: u32,
}

impl HandChange {
    fn applied(&self, stretch: &Stretch) -> Stretch {
        let scaled = |micros: u32, percent: u32| (u64::from(micros) * u64::from(percent) / 100) as u32;
        let mut changed = stretch.clone();
        for dwell in &mut changed.dwell_micros {
            *dwell = scaled(*dwell, self.dwell_percent);
        }
        for (index, interval) in changed.press_interval_micros.iter_mut().enumerate() {
            let uneven = if index % 2 == 1 { self.uneven } else { 0 };
            *interval = scaled(scaled(*interval, self.interval_percent), 100 + uneven);
        }
        changed
    }
}

/// Recovery: 60 logins of a worker (10 always, then if trusted); then the hand changes, ten logins are learned always,
/// and twenty more if trusted. Truths: `enrol`, `mated` for those twenty.
pub fn recovery_requests(typists: &[Typist], set: KeystrokeSet, change: HandChange) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut serial = 0;
    for worker in typists {
        for (index, stretch) in worker.stretches.iter().take(TAKEOVER_LOGINS + 30).enumerate() {
            let changed = if index < TAKEOVER_LOGINS { stretch.clone() } else { change.applied(stretch) };
            let since = index.checked_sub(TAKEOVER_LOGINS);
            let always = index < 10 || since.is_some_and(|since| since < 10);
            let update = if always { Update::Always } else { Update::IfTrusted };
            let truth = if since.is_some_and(|since| since >= 10) { "mated" } else { "enrol" };
            requests.push(phrase_request(&worker.subject, index, &changed, set, update, truth, &mut serial));
        }
    }
    requests
}

/// A login between two: `share` of the way from one to the other, time by time.
fn blend(own: &Stretch, other: &Stretch, share: f64) -> Stretch {
    let mix = |own: &[u32], other: &[u32]| -> Vec<u32> {
        let mix = |(own, other): (&u32, &u32)| (f64::from(*own) * (1.0 - share) + f64::from(*other) * share) as u32;
        own.iter().zip(other).map(mix).collect()
    };
    Stretch {
        press_interval_micros: mix(&own.press_interval_micros, &other.press_interval_micros),
        dwell_micros: mix(&own.dwell_micros, &other.dwell_micros),
        ..own.clone()
    }
}

/// Patient takeover: 60 logins of the worker (10 always, then if trusted), then `over` logins that turn into a
/// stranger's (`blended`: each time by time; otherwise each is one or the other's, the stranger's ever more often),
/// then 20 of the stranger, all if trusted. Truths: `enrol`, `taken` for the last.
pub fn turned_requests(
    typists: &[Typist],
    set: KeystrokeSet,
    strangers: usize,
    over: usize,
    blended: bool,
) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut serial = 0;
    for (position, victim) in typists.iter().enumerate() {
        for step in 1..=strangers.min(typists.len() - 1) {
            let stranger = &typists[(position + step) % typists.len()];
            let worker = format!("{}-{}", victim.subject, stranger.subject);
            for index in 0..TAKEOVER_LOGINS + over + 20 {
                let (Some(own), Some(other)) = (victim.stretches.get(index), stranger.stretches.get(index)) else {
                    break;
                };
                let since = index.saturating_sub(TAKEOVER_LOGINS);
                let share = (since as f64 / over as f64).min(1.0);
                let login = if blended {
                    blend(own, other, share)
                } else if since * since / (2 * over) != (since + 1) * (since + 1) / (2 * over) || share >= 1.0 {
                    // The stranger's logins among the first n are n^2 / (2 over): ever more often, without chance.
                    other.clone()
                } else {
                    own.clone()
                };
                let update = if index < 10 { Update::Always } else { Update::IfTrusted };
                let truth = if index < TAKEOVER_LOGINS + over { "enrol" } else { "taken" };
                requests.push(phrase_request(&worker, index, &login, set, update, truth, &mut serial));
            }
        }
    }
    for request in &mut requests {
        request.group = request.group.split('-').next().unwrap_or_default().to_string();
    }
    requests
}

/// Logins of each side of a takeover.
const TAKEOVER_LOGINS: usize = 60;

/// A worker's blocks of typing: those that enrol, and those that probe.
struct Split {
    enrolled: Vec<Vec<Stretch>>,
    probes: Vec<Vec<Stretch>>,
}

/// Splits a typist's blocks of `presses` presses: with several sessions the first half of them enrols and the others
/// probe; in one sitting the first blocks enrol. At most `enrol` blocks enrol.
fn split(typist: &Typist, presses: usize, enrol: usize) -> Split {
    let last = typist.stretches.iter().map(|stretch| stretch.session).max().unwrap_or(0);
    if last <= 1 {
        let mut enrolled = blocks(&typist.stretches, presses);
        let probes = enrolled.split_off(enrol.min(enrolled.len() / 2));
        return Split { enrolled, probes };
    }
    let of_session = |session: u32| {
        let of_session = typist.stretches.iter().filter(|stretch| stretch.session == session);
        blocks(&of_session.cloned().collect::<Vec<_>>(), presses)
    };
    Split {
        enrolled: (1..=last / 2).flat_map(of_session).take(enrol).collect(),
        probes: (last / 2 + 1..=last).flat_map(of_session).collect(),
    }
}

/// Tables: `enrol` blocks of `presses` presses learned always, later ones as mated probes; `strangers` others try each
/// worker with one block each; no probe is learned. Everybody has enrolled when the first is tried, as in a tenant that
/// is there already. Tables of one session are of one day, but for Aalto's, where each stands for a day. Truths: `enrol`,
/// `mated`, `non_mated STRANGER`.
pub fn table_requests(
    typists: &[Typist],
    set: KeystrokeSet,
    presses: usize,
    enrol: usize,
    strangers: usize,
) -> Vec<Request> {
    let splits: Vec<Split> = typists.iter().map(|typist| split(typist, presses, enrol)).collect();
    let mut requests = Vec::new();
    let mut serial = 0;
    for (position, (typist, own)) in typists.iter().zip(&splits).enumerate() {
        if own.enrolled.is_empty() || own.probes.is_empty() {
            continue;
        }
        let mut push = |block: &[Stretch], index: usize, update: Update, truth: String| {
            serial += 1;
            let session = block.first().map_or(0, |stretch| stretch.session as usize);
            let day = if set == KeystrokeSet::Aalto { index } else { session };
            let mut event = bare_event(&typist.subject, format!("t{serial}"), day);
            event.activity = 4;
            event.cadence = Some(table_of(block, set));
            requests.push(Request { event, update, truth, group: typist.subject.clone() });
        };
        for (index, block) in own.enrolled.iter().enumerate() {
            push(block, index, Update::Always, "enrol".into());
        }
        for block in &own.probes {
            push(block, own.enrolled.len(), Update::Never, "mated".into());
        }
        for step in 1..=strangers.min(typists.len() - 1) {
            // Strides spread the strangers over everybody.
            let other = (position + step * (1 + typists.len() / (strangers + 1))) % typists.len();
            let probes = &splits[other].probes;
            if other != position && !probes.is_empty() {
                let truth = format!("non_mated {}", typists[other].subject);
                push(&probes[step % probes.len()], own.enrolled.len(), Update::Never, truth);
            }
        }
    }
    requests.sort_by_key(|request| request.truth != "enrol");
    requests
}
