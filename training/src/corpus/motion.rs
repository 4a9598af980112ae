//! Simulated hands, pointing devices, loaded machines and relays: pointer motion nobody has to be asked for.
//!
//! A hand makes minimum-jerk movements with corrections, drifts and tremor; a device reports it at its polls; a machine
//! may stall; a relay throttles, merges, batches, and the network between delays in order. Spans are drawn wide on
//! purpose, since the protocols met later are not those known here.

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus as Random;

/// One move: when it was delivered (milliseconds) and where the pointer stood.
pub type Move = (f64, i32, i32);

/// Draws from an exponential of this mean.
pub fn exponential(random: &mut Random, mean: f64) -> f64 {
    -mean * (1.0 - random.r#gen::<f64>()).ln()
}

/// Draws from a standard normal (Box and Muller).
pub fn normal(random: &mut Random) -> f64 {
    (-2.0 * (1.0 - random.r#gen::<f64>()).ln()).sqrt() * (std::f64::consts::TAU * random.r#gen::<f64>()).cos()
}

/// Draws log-normally about `median`.
pub fn log_normal(random: &mut Random, median: f64, spread: f64) -> f64 {
    median * (spread * normal(random)).exp()
}

/// A habit of moving.
#[derive(Debug, Clone, Copy)]
pub struct Hand {
    pace: f64,
    amplitude: f64,
    pause_millis: f64,
    drift_share: f64,
    tremor: f64,
    clutch_pixels: f64,
}

/// Draws a person.
pub fn hand(random: &mut Random) -> Hand {
    Hand {
        pace: log_normal(random, 1.0, 0.3),
        amplitude: log_normal(random, 130.0, 0.4),
        pause_millis: log_normal(random, 350.0, 0.5),
        // Some read along a line with the pointer for minutes: whole windows of single pixels.
        drift_share: if random.gen_bool(0.3) { random.gen_range(0.7..0.97) } else { random.gen_range(0.1..0.6) },
        tremor: random.gen_range(0.0..0.6),
        // Balls and pads are moved in strokes: stopped and taken up again at full speed.
        clutch_pixels: if random.gen_bool(0.3) { random.gen_range(40.0..250.0) } else { f64::INFINITY },
    }
}

/// Where the pointer is, one entry per millisecond.
pub fn path(hand: &Hand, length: usize, random: &mut Random) -> Vec<(f64, f64)> {
    let mut out: Vec<(f64, f64)> = Vec::with_capacity(length + 4096);
    let (mut x, mut y) = (700.0, 450.0);
    let mut tremor = (0.0, 0.0);
    while out.len() < length {
        let drifting = random.gen_bool(hand.drift_share);
        let distance =
            if drifting { log_normal(random, 28.0, 0.9) } else { log_normal(random, hand.amplitude, 0.9).min(1_500.0) };
        let millis = if drifting {
            log_normal(random, 1_200.0, 0.8)
        } else {
            let width = random.gen_range(8.0..60.0);
            hand.pace * (80.0 + 120.0 * (distance / width + 1.0f64).log2()) * log_normal(random, 1.0, 0.15)
        };
        // Lines of text and edges of windows run along the axes.
        let angle = if random.gen_bool(if drifting { 0.5 } else { 0.1 }) {
            f64::from(random.gen_range(0..4)) * std::f64::consts::FRAC_PI_2 + 0.01 * normal(random)
        } else {
            random.gen_range(0.0..std::f64::consts::TAU)
        };
        // Slow hands stick and slip: progress stops and catches up.
        let stick = if drifting { random.gen_range(0.0..1.2) } else { random.gen_range(0.0..0.15) };
        // The first reach covers most of the way; corrections follow with ever less, partly overlapping pauses.
        let mut left = distance;
        let mut share = random.gen_range(0.8..1.05);
        for _ in 0..random.gen_range(1..4) {
            let part = left * share;
            let curve = normal(random) * 0.08 * part;
            let turn = angle + normal(random) * 0.1;
            let span = (millis * (part.abs() / distance).powf(0.3)).max(40.0) as usize;
            let (mut slip, mut progress) = (0.0, 0.0);
            let paces: Vec<f64> = (0..=span)
                .map(|_| {
                    slip = slip * 0.97 + normal(random) * 0.24 * stick;
                    progress += f64::exp(slip);
                    progress
                })
                .collect();
            let mut stroke_end = hand.clutch_pixels * random.gen_range(0.5..1.5);
            for pace in &paces {
                let s = pace / progress;
                let along = part * s.powi(3) * (10.0 - 15.0 * s + 6.0 * s * s);
                let across = curve * (std::f64::consts::PI * s).sin();
                tremor.0 = tremor.0 * 0.97 + normal(random) * 0.06 * hand.tremor;
                tremor.1 = tremor.1 * 0.97 + normal(random) * 0.06 * hand.tremor;
                let at = (
                    x + along * turn.cos() - across * turn.sin() + tremor.0,
                    y + along * turn.sin() + across * turn.cos() + tremor.1,
                );
                out.push(at);
                if along.abs() > stroke_end {
                    stroke_end += hand.clutch_pixels * random.gen_range(0.5..1.5);
                    let lifted = log_normal(random, 110.0, 0.5) as usize;
                    out.extend(std::iter::repeat_n(at, lifted));
                }
            }
            (x, y) = (x + part * turn.cos(), y + part * turn.sin());
            left -= part;
            share = random.gen_range(0.6..1.1);
            if left.abs() < 2.0 {
                break;
            }
            let wait = exponential(random, 40.0) as usize;
            out.extend(std::iter::repeat_n((x + tremor.0, y + tremor.1), wait));
        }
        let wait = exponential(random, hand.pause_millis).min(4_000.0) as usize;
        for _ in 0..wait {
            out.push((x + tremor.0, y + tremor.1));
        }
        // Screens end somewhere.
        (x, y) = (x.clamp(0.0, 1_900.0), y.clamp(0.0, 1_000.0));
    }
    out.truncate(length);
    out
}

/// How a pointing device reports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Device {
    /// Between looks of the sensor, milliseconds.
    sensor_millis: f64,
    /// Between deliveries over the link; 0 when the sensor's report goes out at once.
    link_millis: f64,
    /// Spread of delivery, milliseconds.
    jitter_millis: f64,
    /// Share of reports that miss their slot and come with the next.
    slip: f64,
    /// Whether what the sensor saw between two slots of the link goes out as one report (most do) or as several.
    merges: bool,
    /// Share of reports that the radio loses, or the sensor misses: their way goes with the next.
    loss: f64,
}

/// Draws a local device: USB at 125, 250, 500 and 1000 Hz, Bluetooth, touchpads.
pub fn device(random: &mut Random) -> Device {
    let jitter = exponential(random, 0.2);
    let (sensor_millis, link_millis, jitter_millis, slip) = match random.gen_range(0..100) {
        0..28 => (8.0, 0.0, jitter, 0.0),
        // A wireless mouse looks by its own clock and its dongle is polled by the machine's: two looks share a report
        // now and then.
        28..34 => (random.gen_range(4.0..9.5), [8.0, 8.0, 4.0, 10.0][random.gen_range(0..4)], jitter, 0.0),
        34..40 => (10.0, 0.0, jitter, 0.0),
        40..45 => (4.0, 0.0, jitter, 0.0),
        45..49 => (2.0, 0.0, jitter, 0.0),
        49..60 => (1.0, 0.0, jitter.min(0.3), 0.0),
        // A Bluetooth link asks every 7.5 to 15 ms; the sensor fills its slots or runs at its own 8 ms.
        60..68 => ([7.5, 11.25, 15.0][random.gen_range(0..3)], 0.0, jitter, exponential(random, 0.02).min(0.15)),
        68..80 => (8.0, [7.5, 11.25, 15.0][random.gen_range(0..3)], jitter, 0.0),
        80..84 => (7.0, 0.0, jitter, 0.0),
        // Touchpads: 80 to 140 Hz, less even than mice.
        _ => (random.gen_range(7.0..13.0), 0.0, random.gen_range(0.2..1.5), 0.0),
    };
    // Mice without a cable lose reports to their neighbours' radios, and worn sensors skip.
    let loss = if random.gen_bool(0.15) { exponential(random, 0.08).min(0.4) } else { 0.0 };
    Device { sensor_millis, link_millis, jitter_millis, slip, merges: random.gen_bool(0.75), loss }
}

/// What the device delivers of a path.
pub fn reports(device: &Device, path: &[(f64, f64)], random: &mut Random) -> Vec<Move> {
    let phase = random.gen_range(0.0..device.sensor_millis);
    let link_phase = random.r#gen::<f64>() * device.link_millis;
    let mut out: Vec<Move> = Vec::new();
    let (mut before, mut last) = ((i32::MIN, i32::MIN), f64::NEG_INFINITY);
    let mut slot = f64::NEG_INFINITY;
    let mut look = 0u64;
    loop {
        let time = phase + look as f64 * device.sensor_millis;
        look += 1;
        let Some(at) = path.get(time as usize) else { return out };
        let position = (at.0.round() as i32, at.1.round() as i32);
        if position == before || (device.loss > 0.0 && random.gen_bool(device.loss)) {
            continue;
        }
        before = position;
        let mut delivered = if device.link_millis > 0.0 {
            ((time - link_phase) / device.link_millis).ceil() * device.link_millis + link_phase
        } else {
            time
        };
        if device.slip > 0.0 && random.gen_bool(device.slip) {
            delivered += device.sensor_millis;
        }
        if device.merges && device.link_millis > 0.0 && delivered < slot + 0.5 * device.link_millis {
            // The slot is taken: the report that waits in it takes the newest position along.
            if let Some(waiting) = out.last_mut() {
                (waiting.1, waiting.2) = position;
                continue;
            }
        }
        slot = delivered;
        delivered += device.jitter_millis * normal(random).abs();
        last = delivered.max(last + 0.05);
        out.push((last, position.0, position.1));
    }
}

/// How busy the machine is that takes the reports.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// Mean wait of every report, milliseconds.
    wait_millis: f64,
    /// Stalls a second.
    stalls_per_second: f64,
    /// Whether what waits out a stall is merged into one move.
    merges: bool,
}

/// Draws a machine: small waits always, stalls on loaded ones.
pub fn machine(random: &mut Random) -> Machine {
    let (wait_millis, stalls_per_second) = match random.gen_range(0..100) {
        0..70 => (0.05, 0.02),
        70..88 => (random.gen_range(0.1..0.5), 0.05),
        88..97 => (random.gen_range(0.2..1.0), random.gen_range(0.05..0.4)),
        _ => (random.gen_range(0.5..2.0), random.gen_range(0.2..1.0)),
    };
    Machine { wait_millis, stalls_per_second, merges: random.gen_bool(0.5) }
}

/// What a machine's load does to delivery.
pub fn load(machine: &Machine, moves: &[Move], random: &mut Random) -> Vec<Move> {
    let Machine { wait_millis: wait, stalls_per_second, merges: merge } = *machine;
    let mut stalled_until = f64::NEG_INFINITY;
    let mut last = f64::NEG_INFINITY;
    let mut out: Vec<Move> = Vec::with_capacity(moves.len());
    let mut next_stall =
        moves.first().map_or(0.0, |first| first.0) + exponential(random, 1e3 / f64::max(stalls_per_second, 1e-9));
    for (time, x, y) in moves {
        if *time > next_stall {
            stalled_until = next_stall + log_normal(random, 35.0, 0.8).min(400.0);
            next_stall = stalled_until.max(*time) + exponential(random, 1e3 / f64::max(stalls_per_second, 1e-9));
        }
        if *time < stalled_until && merge && out.last().is_some_and(|entry| entry.0 >= stalled_until) {
            // The queue kept one event and moved it on.
            let end = out.len() - 1;
            out[end] = (out[end].0, *x, *y);
            continue;
        }
        let delivered = (time + exponential(random, wait)).max(stalled_until).max(last + 0.02);
        last = delivered;
        out.push((delivered, *x, *y));
    }
    out
}

/// How a relay treats moves between the operator's hand and the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Treatment {
    /// At most one move per interval; later ones wait and merge.
    Throttle(f64),
    /// Moves leave with the display's frames.
    Frames(f64),
    /// Every move passes, but many leave together when a loop comes round.
    Batches(f64),
    /// Every move passes; some are held up alone.
    Holds(f64),
    /// Every move passes; a share waits for the next one and goes in its packet.
    Together(f64),
    /// Every move passes, re-timed by a program's own clock or loop: late by up to a few milliseconds each, in order.
    Restamps(f64),
    /// Moves leave together whenever the far end has answered: once a round trip.
    Turns(f64),
    /// A page gathers moves by a timer (0: it does not); a gadget then reports once per poll.
    Gadget(f64, f64),
    /// Every move passes and only the network shows.
    Through,
}

/// One relay with its network.
#[derive(Debug, Clone, Copy)]
pub struct Relay {
    treatment: Treatment,
    timer_millis: f64,
    jitter_millis: f64,
    loss: f64,
    recovery_millis: f64,
    server_wait_millis: f64,
    server_tick_millis: f64,
    /// Spread of the far end's ticks: it is polled, or wakes, like anything else.
    server_jitter_millis: f64,
    collapses: bool,
}

/// Draws a relay. Those that would leave no trace at all (everything passes, nothing jitters) are not drawn.
pub fn relay(random: &mut Random) -> Relay {
    let treatment = match random.gen_range(0..100) {
        0..22 => Treatment::Throttle(random.gen_range(12.0..45.0)),
        22..36 => {
            Treatment::Frames([16.667, 16.667, 33.333, 20.0, 25.0, 15.625, 50.0, 31.25, 13.333][random.gen_range(0..9)])
        }
        36..46 => Treatment::Batches(random.gen_range(9.0..40.0)),
        46..56 => Treatment::Holds(random.gen_range(0.1..0.4)),
        // Remote Desktop is the commonest relay of all and sends moves in pairs.
        56..72 => Treatment::Together(random.gen_range(0.08..0.4)),
        72..77 => Treatment::Restamps(random.gen_range(1.5..4.0)),
        77..80 => Treatment::Turns(random.gen_range(15.0..280.0)),
        80..89 => Treatment::Gadget(
            [0.0, 8.0, 10.0, 10.0, 16.667, 33.333, 100.0][random.gen_range(0..7)],
            [1.0, 1.0, 2.0, 4.0, 8.0, 8.0, 10.0][random.gen_range(0..7)],
        ),
        _ => Treatment::Through,
    };
    let bare = matches!(treatment, Treatment::Through | Treatment::Gadget(..));
    let quiet = random.gen_bool(0.4) && !bare;
    let jitter_millis = if quiet { exponential(random, 0.4) } else { log_normal(random, 6.0, 1.0).clamp(1.5, 40.0) };
    Relay {
        treatment,
        timer_millis: [0.0, 1.0, 1.0, 4.0][random.gen_range(0..4)],
        jitter_millis,
        loss: if random.gen_bool(0.7) { 0.0 } else { random.gen_range(0.003..0.03) },
        recovery_millis: random.gen_range(30.0..400.0),
        server_wait_millis: exponential(random, 0.8),
        // What goes in heaps by design arrives in heaps.
        collapses: !matches!(
            treatment,
            Treatment::Together(_) | Treatment::Holds(_) | Treatment::Batches(_) | Treatment::Turns(_)
        ) && random.gen_bool(0.5),
        server_tick_millis: if let Treatment::Gadget(_, poll) = treatment {
            poll
        } else if random.gen_bool(0.85) {
            0.0
        } else {
            [1.0, 2.0, 4.0, 8.0, 8.0, 10.0][random.gen_range(0..6)]
        },
        server_jitter_millis: exponential(random, 0.2),
    }
}

/// What the machine receives through the relay.
pub fn relayed(relay: &Relay, moves: &[Move], random: &mut Random) -> Vec<Move> {
    let sent = treated(relay, moves, random);
    let (mut arrived, mut last) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    let tick = relay.server_tick_millis;
    let gadget = matches!(relay.treatment, Treatment::Gadget(..));
    let phase = random.r#gen::<f64>() * tick;
    let mut slot = f64::NEG_INFINITY;
    let mut out: Vec<Move> = sent
        .into_iter()
        .map(|(time, x, y)| {
            let mut arrival = time + exponential(random, relay.jitter_millis);
            if relay.loss > 0.0 && random.gen_bool(relay.loss) {
                arrival += relay.recovery_millis * random.gen_range(0.7..1.5);
            }
            // The stream delivers in order: one late packet holds all behind it.
            arrived = arrival.max(arrived);
            let mut injected = arrived + exponential(random, relay.server_wait_millis);
            if tick > 0.0 {
                injected = ((injected - phase) / tick).ceil() * tick + phase;
                if gadget {
                    // One report a poll: what came in a heap goes on at an even pace.
                    injected = injected.max(slot + tick);
                }
                slot = injected;
                injected += relay.server_jitter_millis * normal(random).abs();
            }
            last = injected.max(last + 0.02);
            (last, x, y)
        })
        .collect();
    if relay.collapses {
        // The far end asks where the pointer is now, so what came in a heap is one move with all their way.
        out.reverse();
        out.dedup_by(|earlier, later| later.0 - earlier.0 < 0.3);
        out.reverse();
    }
    out
}

fn treated(relay: &Relay, moves: &[Move], random: &mut Random) -> Vec<Move> {
    let coarse = |time: f64| {
        if relay.timer_millis > 0.0 { (time / relay.timer_millis).ceil() * relay.timer_millis } else { time }
    };
    match relay.treatment {
        Treatment::Through => moves.to_vec(),
        Treatment::Gadget(timer, _) if timer <= 0.0 => moves.to_vec(),
        Treatment::Gadget(timer, _) => merged(moves, |time| (time / timer).ceil() * timer, 0.3, random),
        Treatment::Restamps(spread) => {
            let mut last = f64::NEG_INFINITY;
            let late = |random: &mut Random| (spread * (2.0 + normal(random))).max(0.0);
            moves
                .iter()
                .map(|(time, x, y)| {
                    last = (time + late(random)).max(last + 0.02);
                    (last, *x, *y)
                })
                .collect()
        }
        Treatment::Turns(round_trip) => {
            let mut answered = f64::NEG_INFINITY;
            moves
                .iter()
                .map(|(time, x, y)| {
                    if *time > answered {
                        answered = time + round_trip * log_normal(random, 1.0, 0.05);
                        return (*time, *x, *y);
                    }
                    (answered, *x, *y)
                })
                .collect()
        }
        Treatment::Holds(share) => {
            let mut last = f64::NEG_INFINITY;
            moves
                .iter()
                .map(|(time, x, y)| {
                    let held = if random.gen_bool(share) { random.gen_range(3.0..14.0) } else { 0.0 };
                    last = (time + held).max(last);
                    (last, *x, *y)
                })
                .collect()
        }
        Treatment::Together(share) => {
            let mut leave = f64::NEG_INFINITY;
            (0..moves.len())
                .map(|at| {
                    let (time, x, y) = moves[at];
                    let next = moves.get(at + 1).map_or(time, |next| next.0);
                    // What waits for a next move that does not come goes by itself after a timer.
                    let own = if random.gen_bool(share) { next.min(time + 20.0) } else { time };
                    leave = own.max(leave);
                    (leave, x, y)
                })
                .collect()
        }
        Treatment::Batches(every) => {
            let mut leave = f64::NEG_INFINITY;
            moves
                .iter()
                .map(|(time, x, y)| {
                    if *time > leave {
                        leave = coarse(time + random.r#gen::<f64>() * every);
                    }
                    (leave, *x, *y)
                })
                .collect()
        }
        Treatment::Frames(period) => {
            merged(moves, |time| (time / period).ceil() * period, relay.timer_millis.min(1.0), random)
        }
        Treatment::Throttle(least) => {
            let mut out: Vec<Move> = Vec::new();
            let mut free = f64::NEG_INFINITY;
            for (time, x, y) in moves {
                match out.last_mut() {
                    // One waits for its turn already: it takes the newest position along.
                    Some(waiting) if waiting.0 > *time => *waiting = (waiting.0, *x, *y),
                    _ => {
                        let leave = coarse(time.max(free));
                        out.push((leave, *x, *y));
                        free = leave + least * (1.0 + 0.03 * normal(random));
                    }
                }
            }
            out
        }
    }
}

/// Merges moves that leave at the same instant; the newest position goes.
fn merged(moves: &[Move], leave: impl Fn(f64) -> f64, wobble: f64, random: &mut Random) -> Vec<Move> {
    let mut out: Vec<(f64, Move)> = Vec::new();
    for (time, x, y) in moves {
        let slot = leave(*time);
        match out.last_mut() {
            Some((before, entry)) if *before == slot => *entry = (entry.0, *x, *y),
            _ => out.push((slot, (slot + exponential(random, wobble), *x, *y))),
        }
    }
    out.into_iter().map(|(_, entry)| entry).collect()
}

/// What a browser makes of it: one move per display frame, stamped with the frame or with its last event.
pub fn coalesced(moves: &[Move], frame_millis: f64, stamp_frames: bool, random: &mut Random) -> Vec<Move> {
    let phase = random.r#gen::<f64>() * frame_millis;
    let mut out: Vec<(i64, Move)> = Vec::new();
    for (time, x, y) in moves {
        let frame = ((time - phase) / frame_millis).ceil() as i64;
        let stamp = if stamp_frames { frame as f64 * frame_millis + phase } else { *time };
        match out.last_mut() {
            Some((before, entry)) if *before == frame => *entry = (stamp, *x, *y),
            _ => out.push((frame, (stamp, *x, *y))),
        }
    }
    out.into_iter().map(|(_, entry)| entry).collect()
}

/// Columns of a pointer sample: gaps (microseconds, on a clock of `tick_millis`) and steps.
pub fn columns(moves: &[Move], tick_millis: f64) -> (Vec<u32>, Vec<i32>, Vec<i32>) {
    let tick = |time: f64| ((time / tick_millis).floor() * tick_millis * 1e3) as i64;
    let mut gaps = vec![0];
    let (mut xs, mut ys) = (vec![0], vec![0]);
    for pair in moves.windows(2) {
        gaps.push((tick(pair[1].0) - tick(pair[0].0)).max(0) as u32);
        xs.push(pair[1].1 - pair[0].1);
        ys.push(pair[1].2 - pair[0].2);
    }
    (gaps, xs, ys)
}
