//! Fits the remote-input family: forests for pointer and key transport, the comb's weight, reactions and delays.
//!
//! Pointer forests see simulated hands, devices and relays only, so every captured protocol is left out of them. The
//! key forest sees typing that may be learned from under captured delay series (ours) and simulated relays; a protocol
//! may be left out of it for measuring. Reactions follow what SOURCES.md says of people.

use super::forest::{self, Row, Settings};
use crate::corpus::captures::{self, Capture};
use crate::corpus::keyboard::{self, KeyRelay};
use crate::corpus::motion::{self, exponential, log_normal, normal};
use elsewhere::evidence::quantile::quantile_of_sorted;
use elsewhere::evidence::remote_input::challenge::{self, Reactions};
use elsewhere::evidence::remote_input::forest::{Doubt, Forest};
use elsewhere::evidence::remote_input::{Parameters, Range, Usual, compare, keys, pointer};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus as Random;
use std::path::Path;

/// Simulated people for pointers: one local and one relayed stretch each per kind. Half as many told less of three windows
/// together, .827 against .834 at one false alarm in a thousand.
const HANDS: u32 = 16_000;
/// Milliseconds of motion per stretch.
const STRETCH_MILLIS: usize = 16_000;
/// Most windows taken of one stretch, so that nobody dominates.
const WINDOWS_PER_STRETCH: usize = 8;
/// Moves of the windows fitted on, in turn: a login's sample is short, a session's fills the longest.
const WINDOW_LENGTHS: [usize; 5] = [50, 150, 50, 100, 75];
/// How hard pointers are boosted: more trees said more, but each costs every login some ten nanoseconds.
const POINTER_SETTINGS: Settings = Settings { trees: 300, rate: 0.13 };
/// Weight of all recordings together beside all simulated stretches, where both are fitted on.
const RECORDED_SHARE: f64 = 0.2;
/// Spans between the knots of the comb's weight.
const COMB_KNOTS: usize = 10;
/// Most nats a lost comb may say, nats: some keyboards and loaded machines show none.
const COMB_LOG_ODDS_MAX: f64 = 2.0;
/// Windows of keys drawn per person and side.
const KEY_WINDOWS: usize = 24;

/// Parameters from everything that may be learned from.
pub fn fit(data: &Path, seed: u64) -> Result<Parameters, String> {
    fit_excluding(data, seed, None)
}

/// `parameters` with keys fitted anew without the captured delays of `protocol`; nothing else reads captures.
pub fn refit_keys_excluding(
    parameters: &Parameters,
    data: &Path,
    seed: u64,
    protocol: &str,
) -> Result<Parameters, String> {
    refit_keys_from(parameters, data, &captures::captures(data)?, seed, protocol)
}

/// The same with the delays of these captures: those that only report and those whose keys are unsound are left out.
pub fn refit_keys_from(
    parameters: &Parameters,
    data: &Path,
    recorded: &[Capture],
    seed: u64,
    protocol: &str,
) -> Result<Parameters, String> {
    let sound =
        |capture: &&Capture| !capture.report_only && capture.soundness.is_none_or(|found| found.keys && found.machine);
    let recorded: Vec<Capture> = recorded.iter().filter(sound).cloned().collect();
    let keys = fit_keys(data, &recorded, Some(protocol), &mut Random::seed_from_u64(seed))?;
    let KeyFit { forest: keys, comb_present, comb_lost_log_odds, comb_log_odds, .. } = keys;
    let mut refitted = Parameters { keys, comb_present, comb_lost_log_odds, comb_log_odds, ..parameters.clone() };
    refitted.key_line = key_line(&refitted, Some(protocol))?;
    Ok(refitted)
}

/// The same without the captured delays of one protocol.
pub fn fit_excluding(data: &Path, seed: u64, protocol: Option<&str>) -> Result<Parameters, String> {
    let recorded = captures::captures(data)?;
    let mut random = Random::seed_from_u64(seed ^ 0x7265_6d6f_7465_696e);
    let rows = pointer_rows(&mut random);
    let pointer_raw = forest::fit(&rows.raw, POINTER_SETTINGS)?;
    let pointer_coalesced = forest::fit(&rows.coalesced, POINTER_SETTINGS)?;
    let pointer_cadence = forest::fit(&rows.cadence, POINTER_SETTINGS)?;
    let keys = fit_keys(data, &recorded, protocol, &mut random)?;
    let mut parameters = Parameters {
        pointer_raw,
        pointer_coalesced,
        pointer_cadence,
        keys: keys.forest,
        comb_present: keys.comb_present,
        comb_lost_log_odds: keys.comb_lost_log_odds,
        comb_log_odds: keys.comb_log_odds,
        key_line: (0.0, 1.0),
        // Nine in ten dwells under 20 ms: none of 1,000 people came near; e^5 is what that many can vouch for.
        auto_release_log_odds: 5.0,
        // One relayed window in ten of the project's own recordings leaves no trace (a KVM, a forwarded display on a
        // quiet line); one desk in a hundred looks like a relay.
        pointer_doubt: Doubt { unseen_relay_rate: 0.10, odd_machine_rate: 0.01 },
        // Keys say less: one relay in six without jitter hides in them. An auto-releasing KVM must still stand out.
        key_doubt: Doubt { unseen_relay_rate: 0.15, odd_machine_rate: 0.005 },
        reactions: reactions_of(seed),
        usual: usual(&rows, &keys.local),
    };
    parameters.key_line = key_line(&parameters, protocol)?;
    parameters.check()?;
    Ok(parameters)
}

/// The forest of raw pointer windows fitted on the simulated hands and, where any are given, on recordings that may be
/// fitted on; for measuring what real desks and relays add. The model that ships is fitted on simulation alone.
pub fn raw_pointer_forest(simulated: &PointerRows, recorded: &[&Capture]) -> Result<Forest, String> {
    let mut rows = simulated.raw.clone();
    let simulated = rows.len() as f64;
    let first = rows.len();
    // A relay that leaves no trace would only teach that desks are relays.
    let taught = |capture: &&&Capture| !capture.report_only && (!capture.remote || !capture.traceless());
    for (index, capture) in recorded.iter().filter(taught).enumerate() {
        let moves: Vec<motion::Move> = capture.pointer.iter().map(|at| (at.millis, at.x, at.y)).collect();
        push_windows(&mut rows, None, &moves, 1.0, capture.remote, HANDS + index as u32);
    }
    // A recording is worth many simulated stretches, but there are few of them.
    let weight = RECORDED_SHARE * simulated / (rows.len() - first).max(1) as f64;
    for row in &mut rows[first..] {
        row.weight = weight;
    }
    forest::fit(&rows, POINTER_SETTINGS)
}

/// Rows for the three pointer forests.
pub struct PointerRows {
    raw: Vec<Row>,
    coalesced: Vec<Row>,
    cadence: Vec<Row>,
}

/// The rows that a fit with this seed sees.
pub fn simulated_pointers(seed: u64) -> PointerRows {
    pointer_rows(&mut Random::seed_from_u64(seed ^ 0x7265_6d6f_7465_696e))
}

fn pointer_rows(random: &mut Random) -> PointerRows {
    let mut rows = PointerRows { raw: Vec::new(), coalesced: Vec::new(), cadence: Vec::new() };
    for group in 0..HANDS {
        let hand = motion::hand(random);
        for remote in [false, true] {
            let path = motion::path(&hand, STRETCH_MILLIS, random);
            let device = motion::device(random);
            let reported = motion::reports(&device, &path, random);
            let delivered = if remote {
                let relay = motion::relay(random);
                motion::relayed(&relay, &reported, random)
            } else {
                motion::load(&motion::machine(random), &reported, random)
            };
            let frame = [16.667, 16.667, 16.667, 8.333, 6.944, 13.333][random.gen_range(0..6)];
            let framed = motion::coalesced(&delivered, frame, random.gen_bool(0.5), random);
            let tick = [1.0, 1.0, 0.1][random.gen_range(0..3)];
            push_windows(&mut rows.raw, Some(&mut rows.cadence), &delivered, tick, remote, group);
            push_windows(&mut rows.coalesced, None, &framed, tick, remote, group);
        }
    }
    rows
}

fn push_windows(
    rows: &mut Vec<Row>,
    cadence: Option<&mut Vec<Row>>,
    moves: &[motion::Move],
    tick: f64,
    remote: bool,
    group: u32,
) {
    let mut bare = Vec::new();
    let mut from = 0;
    // People take turns in which length comes first, since a slow hand fills few.
    for turn in 0..WINDOWS_PER_STRETCH {
        let length = WINDOW_LENGTHS[(group as usize + turn) % WINDOW_LENGTHS.len()];
        let Some(window) = moves.get(from..from + length) else { break };
        from += length;
        let (gaps, xs, ys) = motion::columns(window, tick);
        let push = |rows: &mut Vec<Row>, window: Option<pointer::Window>| {
            rows.extend(window.map(|window| Row {
                measurements: window.measurements.to_vec(),
                remote,
                group,
                weight: 1.0,
            }));
        };
        push(rows, pointer::measure(&gaps, Some((&xs, &ys))));
        push(&mut bare, pointer::measure(&gaps, None));
    }
    if let Some(cadence) = cadence {
        cadence.append(&mut bare);
    }
}

/// The line that calibrates forest and comb together, on the project's own recordings: two numbers, since simulated
/// keyboards are rougher than those the recordings were made with, and a forest cannot know. Each desk lends its keys to
/// every relay's delays in turn; the relay left out of a fit is left out here too.
fn key_line(parameters: &Parameters, protocol: Option<&str>) -> Result<(f64, f64), String> {
    let recorded = captures::recordings()?;
    let sound = |capture: &&Capture| {
        !capture.report_only
            && !capture.auto_release
            && capture.soundness.is_none_or(|found| found.keys && found.machine)
    };
    let desks: Vec<Vec<(f64, f64)>> = recorded
        .iter()
        .filter(sound)
        .filter(|capture| !capture.remote)
        .map(|capture| {
            let seen = capture.keys.iter().filter(|key| key.release > key.press);
            seen.map(|key| (key.press, key.release)).collect()
        })
        .collect();
    let bare = |presses: &[(f64, f64)]| {
        let (dwells, intervals) = keyboard::columns(presses);
        let window = keys::measure(&dwells, &intervals, true)?;
        let lost = 1.0 - (window.comb / parameters.comb_present).min(1.0);
        Some(parameters.keys.log_odds(&window.measurements) + compare::comb_log_odds(window.comb, lost, parameters))
    };
    let mut random = Random::seed_from_u64(0x6c69_6e65);
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    for (index, desk) in desks.iter().enumerate() {
        scores.extend(bare(desk));
        labels.resize(scores.len(), false);
        let relays = recorded.iter().filter(sound).filter(|capture| capture.remote);
        let known = relays.filter(|capture| Some(capture.protocol.as_str()) != protocol);
        for relay in known.skip(index % 4).step_by(4) {
            let delays = relay.key_delays();
            if delays.is_empty() {
                continue;
            }
            scores.extend(bare(&keyboard::relayed_keys(&KeyRelay::Captured(&delays), desk, &mut random)));
            labels.resize(scores.len(), true);
        }
    }
    let (intercept, slope) = forest::calibrate(&scores, &labels)?;
    Ok((intercept, slope.max(0.1)))
}

/// What was fitted of keys.
struct KeyFit {
    forest: Forest,
    comb_present: f64,
    comb_lost_log_odds: f64,
    comb_log_odds: Vec<f64>,
    local: Vec<keys::Window>,
}

fn fit_keys(data: &Path, recorded: &[Capture], protocol: Option<&str>, random: &mut Random) -> Result<KeyFit, String> {
    let delays: Vec<Vec<f64>> = recorded
        .iter()
        .filter(|capture| capture.remote && Some(capture.protocol.as_str()) != protocol)
        .map(Capture::key_delays)
        .filter(|delays| delays.len() > 100)
        .collect();
    if delays.is_empty() {
        return Err("no captured key delays to learn from".into());
    }
    let (mut rows, mut local, mut remote_combs) = (Vec::new(), Vec::new(), Vec::new());
    for (group, typist) in keyboard::typists(data, random)?.iter().enumerate() {
        for index in 0..KEY_WINDOWS {
            let length = [200, 200, 200, 120, 60][random.gen_range(0..5)];
            if typist.len() <= length {
                continue;
            }
            let start = random.gen_range(0..typist.len() - length);
            let slice = keyboard::slips(&typist[start..start + length], random);
            let remote = index % 2 == 1;
            let board = keyboard::keyboard(random);
            let mut stamped = keyboard::polled(&board, &slice, random);
            if remote {
                let relay = if random.gen_bool(0.6) {
                    KeyRelay::Captured(&delays[random.gen_range(0..delays.len())])
                } else {
                    keyboard::simulated_relay(random)
                };
                stamped = keyboard::relayed_keys(&relay, &stamped, random);
            }
            let (dwells, intervals) = keyboard::columns(&stamped);
            let ordered = random.gen_bool(0.75);
            let Some(window) = keys::measure(&dwells, &intervals, ordered) else { continue };
            rows.push(Row { measurements: window.measurements.to_vec(), remote, group: group as u32, weight: 1.0 });
            if remote { remote_combs.push(window.comb) } else { local.push(window) }
        }
    }
    let forest = forest::fit(&rows, Settings { trees: 45, rate: 0.12 })?;
    // A comb weaker than this is lost: where the two sides' shares lie furthest apart.
    let lost = |combs: &mut dyn Iterator<Item = f64>, limit: f64| {
        let (mut n, mut hits) = (0.0, 0.0);
        for comb in combs {
            n += 1.0;
            hits += f64::from(u8::from(comb < limit));
        }
        hits / f64::max(n, 1.0)
    };
    let shares =
        |limit: f64| (lost(&mut remote_combs.iter().copied(), limit), lost(&mut local.iter().map(|w| w.comb), limit));
    let mut comb_present = 0.05;
    for step in 1..=60 {
        let limit = f64::from(step) * 0.01;
        let (here, there) = (shares(limit), shares(comb_present));
        if here.0 - here.1 > there.0 - there.1 {
            comb_present = limit;
        }
    }
    let (of_remote, of_local) = shares(comb_present);
    let local_combs: Vec<f64> = local.iter().map(|window| window.comb).collect();
    Ok(KeyFit {
        forest,
        comb_present,
        comb_log_odds: comb_log_odds(&local_combs, &remote_combs),
        comb_lost_log_odds: (of_remote / of_local.max(0.02)).ln().clamp(0.0, 1.5),
        local,
    })
}

/// Nats of a comb by its strength: the ratio of both sides' shares of combs no stronger, which falls by itself, less
/// what a whole comb has; at most [`COMB_LOG_ODDS_MAX`], never under 0.
fn comb_log_odds(local: &[f64], remote: &[f64]) -> Vec<f64> {
    let near = |side: &[f64], strength: f64| {
        // A kernel a knot wide, and one window in fifty of either side anywhere: no knot rests on a few windows.
        let hits: f64 = side.iter().map(|comb| (1.0 - (comb - strength).abs() * COMB_KNOTS as f64).max(0.0)).sum();
        hits / side.len().max(1) as f64 * COMB_KNOTS as f64 * 0.98 + 0.02
    };
    let mut least = COMB_LOG_ODDS_MAX;
    (0..=COMB_KNOTS)
        .map(|knot| {
            let strength = knot as f64 / COMB_KNOTS as f64;
            let ratio = (near(remote, strength) / near(local, strength)).ln();
            // A comb that is present clears nobody.
            least = ratio.clamp(0.0, least);
            least
        })
        .collect()
}

/// What is known of reactions and relays, which no data set but only a seed decides.
pub fn reactions_of(seed: u64) -> Reactions {
    reactions(&mut Random::seed_from_u64(seed ^ 0x7265_6163_7469_6f6e))
}

/// Reactions of people as SOURCES.md describes them, and relays as the captures and physics do.
fn reactions(random: &mut Random) -> Reactions {
    const DRAWS: usize = 400_000;
    let mut counts = vec![0.0f64; challenge::NOISE_CELLS];
    let mut core = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        let sigma = log_normal(random, 22.0, 0.25);
        let tau = log_normal(random, 45.0, 0.35);
        // Half of the display's spread is the machine's (in the location), half the moment's (frames, polls).
        let mut noise =
            sigma * normal(random) + exponential(random, tau) + 45.0 * (log_normal(random, 1.0, 0.28) - 1.0);
        core.push(noise);
        if random.gen_bool(0.03) {
            noise += exponential(random, 250.0);
        }
        let cell = ((noise - challenge::NOISE_FIRST_MILLIS) / challenge::NOISE_CELL_MILLIS)
            .clamp(0.0, (challenge::NOISE_CELLS - 1) as f64);
        counts[cell as usize] += 1.0;
    }
    core.sort_by(f64::total_cmp);
    // Smoothed over neighbours, and never impossible: one answer in a hundred has a story of its own.
    let floor = 0.01 * DRAWS as f64 / challenge::NOISE_CELLS as f64;
    let noise_log_density = (0..counts.len())
        .map(|at| {
            let near = &counts[at.saturating_sub(2)..(at + 3).min(counts.len())];
            let mean = near.iter().sum::<f64>() / near.len() as f64;
            ((mean + floor) / (1.01 * DRAWS as f64)).ln()
        })
        .collect();
    let mean = core.iter().sum::<f64>() / DRAWS as f64;
    let variance = core.iter().map(|noise| (noise - mean).powi(2)).sum::<f64>() / DRAWS as f64;
    Reactions {
        // 200 ms of a person and 45 ms of display and keyboard.
        location_mean: 245.0,
        // 40 ms between people and 13 ms between their displays.
        location_spread: (40.0f64.powi(2) + 13.0f64.powi(2)).sqrt(),
        // One in fourteen is slower for good, by 80 ms in the mean: no set that may be learned from holds them, so this
        // is a prior, wide enough for tremor and one-handed work.
        slow_rate: 0.07,
        slow_millis: 80.0,
        day_spread: 15.0,
        noise_log_density,
        noise_spread: variance.sqrt(),
        delay_prior: delay_prior(random),
        // A sanctioned path goes to a machine in the region: 10 to 90 ms of loop.
        sanctioned_prior: sanctioned_prior(),
        limit: 9.0,
    }
}

/// Added loop delay of relays: 40 to 400 ms of round trip, log-normal about 160, and 12 to 120 ms of protocol.
fn delay_prior(random: &mut Random) -> Vec<f64> {
    let cells = (560.0 / challenge::CELL_MILLIS) as usize;
    let mut prior = vec![0.0; cells];
    const DRAWS: usize = 100_000;
    for _ in 0..DRAWS {
        let delay = log_normal(random, 160.0, 0.55).clamp(30.0, 420.0) + random.gen_range(12.0..120.0);
        prior[((delay / challenge::CELL_MILLIS) as usize).min(cells - 1)] += 1.0 / DRAWS as f64;
    }
    let total: f64 = prior.iter().sum();
    prior.into_iter().map(|p| p / total).collect()
}

fn sanctioned_prior() -> Vec<f64> {
    let cells = (90.0 / challenge::CELL_MILLIS) as usize;
    (0..=cells).map(|cell| if cell == 0 { 0.0 } else { 1.0 / cells as f64 }).collect()
}

fn usual(rows: &PointerRows, local: &[keys::Window]) -> Usual {
    let range = |mut values: Vec<f64>, scale: f64| -> Range {
        values.sort_by(f64::total_cmp);
        (quantile_of_sorted(&values, 0.05) * scale, quantile_of_sorted(&values, 0.95) * scale)
    };
    let of_pointer =
        |index: usize| rows.raw.iter().filter(|row| !row.remote).map(|row| row.measurements[index]).collect::<Vec<_>>();
    let of_keys = |of: &dyn Fn(&keys::Window) -> f64| local.iter().map(of).collect::<Vec<_>>();
    Usual {
        pointer_gap_median_micros: range(of_pointer(2).into_iter().map(|log| log.exp() - 1.0).collect(), 1e3),
        pointer_burst_rate: range(of_pointer(5), 1.0),
        dwell_p10_micros: range(of_keys(&|window| window.dwell_millis[0]), 1e3),
        dwell_p90_micros: range(of_keys(&|window| window.dwell_millis[1]), 1e3),
        dwell_short_rate: range(of_keys(&|window| window.short_rate), 1.0),
        press_burst_rate: range(of_keys(&|window| window.press_burst_rate), 1.0),
        // Median of a Gaussian of 22 ms and an exponential of 45 ms added.
        reaction_noise_median_micros: 36_000.0,
    }
}
