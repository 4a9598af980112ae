//! Captures and simulated motion to requests: pointer windows, typing behind a relay, answers to prompts.

use crate::corpus::captures::{Capture, Position};
use crate::corpus::motion::{self, Move};
use crate::corpus::{keyboard, keystroke};
use crate::request::{Request, Update};
use elsewhere::event::{ChallengeUnchecked, EventUnchecked, PointerUnchecked, TimestampUnchecked, TypingUnchecked};

/// First instant of converted events, seconds since 1970.
const START_SECONDS: i64 = 1_767_600_000;
/// Seconds between events: a working day.
const STEP_SECONDS: i64 = 86_400;
/// Moves per converted window.
const WINDOW_MOVES: usize = 50;
/// `PointerSource` numbers of the wire.
const RAW: i32 = 1;
const FRAME_COALESCED: i32 = 2;

/// An event of a worker of its own without samples.
pub fn bare_event(worker: &str, index: usize) -> EventUnchecked {
    let worker: String = worker.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    EventUnchecked {
        event_id: format!("{worker}-{index}"),
        worker_id: worker,
        event_time: Some(TimestampUnchecked { seconds: START_SECONDS + STEP_SECONDS * index as i64, nanos: 0 }),
        activity: 1,
        ..EventUnchecked::default()
    }
}

/// One event with a pointer sample on a clock of one millisecond.
pub fn pointer_event(worker: &str, index: usize, moves: &[Move], coalesced: bool) -> EventUnchecked {
    let (interval_micros, delta_x, delta_y) = motion::columns(moves, 1.0);
    let pointer = PointerUnchecked {
        interval_micros,
        delta_x,
        delta_y,
        timer_resolution_micros: 1_000,
        source: if coalesced { FRAME_COALESCED } else { RAW },
        button_down_indexes: Vec::new(),
    };
    EventUnchecked { pointer: Some(pointer), ..bare_event(worker, index) }
}

/// Recorded positions as moves.
pub fn moves(positions: &[Position]) -> Vec<Move> {
    positions.iter().map(|position| (position.millis, position.x, position.y)).collect()
}

/// Each run of 50 moves as one request that teaches nothing, grouped by `group`.
pub fn pointer_requests(group: &str, truth: &str, moves: &[Move], coalesced: bool) -> Vec<Request> {
    moves
        .chunks_exact(WINDOW_MOVES)
        .enumerate()
        .map(|(index, window)| Request {
            event: pointer_event(&format!("{truth}-{group}-{coalesced}"), index, window, coalesced),
            update: Update::Never,
            truth: truth.to_string(),
            group: group.to_string(),
        })
        .collect()
}

/// Every recording whose pointer is sound, in windows of 50 moves: what the machine captured (`local` or `remote`), the
/// injected paths of remote recordings as `local` (what a 125 Hz mouse on the desk would have delivered), and raw
/// browser moves.
pub fn recorded_pointers(captures: &[Capture]) -> Vec<(String, Request)> {
    let mut out = Vec::new();
    for capture in captures.iter().filter(|capture| capture.pointer_sound()) {
        let truth = if capture.remote { "remote" } else { "local" };
        let mut push = |group: String, truth: &str, moves: &[Move]| {
            let requests = pointer_requests(&group, truth, moves, false);
            out.extend(requests.into_iter().map(|request| (capture.protocol.clone(), request)));
        };
        push(capture.condition.clone(), truth, &moves(&capture.pointer));
        push(format!("{}-browser", capture.condition), truth, &moves(&capture.browser_raw));
        if capture.remote {
            push(format!("{}-injected", capture.condition), "local", &moves(&capture.pointer_injected));
        }
    }
    out
}

/// One event with typing on a clock of one millisecond, free text, shuffled or not.
pub fn typing_event(worker: &str, index: usize, presses: &[(f64, f64)]) -> EventUnchecked {
    let (dwell_micros, press_interval_micros) = keyboard::columns(presses);
    let typing = TypingUnchecked {
        context: 1,
        press_interval_micros,
        dwell_micros,
        timer_resolution_micros: 1_000,
        ..TypingUnchecked::default()
    };
    EventUnchecked { typing: Some(typing), ..bare_event(worker, index) }
}

/// Presses and releases of a typist, milliseconds, stretches joined with a second between.
pub fn presses(typist: &keystroke::Typist) -> keyboard::Presses {
    let mut clock = 0.0;
    let mut out = keyboard::Presses::new();
    for stretch in &typist.stretches {
        clock += 1_000.0;
        for (interval, dwell) in stretch.press_interval_micros.iter().zip(&stretch.dwell_micros) {
            clock += (f64::from(*interval) / 1e3).min(2_000.0);
            if (1..2_000_000).contains(dwell) {
                out.push((clock, clock + f64::from(*dwell) / 1e3));
            }
        }
    }
    out
}

/// One event with answers to prompts, milliseconds.
pub fn challenge_event(worker: &str, index: usize, answers: &[f64]) -> EventUnchecked {
    let challenge = ChallengeUnchecked {
        reaction_micros: answers.iter().map(|millis| (millis * 1e3) as u32).collect(),
        kind: 1,
        refresh_rate_millihertz: 60_000,
    };
    EventUnchecked { challenge: Some(challenge), ..bare_event(worker, index) }
}
