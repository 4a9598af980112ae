//! Events after they were made: by a collector in other hands, and without what links workers.

use super::chance::{derive, habit, token};
use super::person::{DAY_MICROS, Tampering};
use elsewhere::event::EventUnchecked;

/// Makes every token the worker's own, and leaves out what else tells of other workers: as if each caller hashed with a
/// key per worker.
pub fn unlink(event: &mut EventUnchecked) {
    let own = event.worker_id.bytes().fold(7, |hash, byte| derive(hash, 6, u64::from(byte)));
    let again = |old: &mut Vec<u8>| {
        if !old.is_empty() {
            let hash = old.iter().fold(own, |hash, byte| derive(hash, 7, u64::from(*byte)));
            *old = token(hash, 8, own);
        }
    };
    if let Some(network) = &mut event.network {
        again(&mut network.ip_token);
        network.site_tokens.iter_mut().for_each(again);
    }
    if let Some(device) = &mut event.device {
        [&mut device.device_token, &mut device.display_token, &mut device.authenticator_token]
            .into_iter()
            .for_each(again);
    }
    if let Some(claim) = &mut event.claim {
        [&mut claim.shipping_token, &mut claim.intermediary_token].into_iter().for_each(again);
    }
    if let Some(input) = &mut event.remote_input {
        input.stall_times.clear();
    }
}

/// Changes every time of an event's samples by a draw of its own.
fn vary(event: &mut EventUnchecked, sd_ms: f64, seed: u64) {
    let mut drawn = 0;
    let mut shift = |micros: &mut u32| {
        drawn += 1;
        let moved = f64::from(*micros) + 1_000.0 * sd_ms * habit(derive(seed, 10, drawn));
        *micros = moved.clamp(1.0, 10_000_000.0) as u32;
    };
    if let Some(typing) = &mut event.typing {
        // The first interval is 0 by contract, and the longest dwell of the contract is 2 s.
        typing.press_interval_micros.iter_mut().skip(1).for_each(&mut shift);
        typing.dwell_micros.iter_mut().for_each(&mut shift);
        typing.dwell_micros.iter_mut().for_each(|dwell| *dwell = (*dwell).min(2_000_000));
    }
    if let Some(pointer) = &mut event.pointer {
        pointer.interval_micros.iter_mut().skip(1).for_each(&mut shift);
    }
    if let Some(table) = &mut event.cadence {
        // A median of many moves less than each of them; tables are written in steps of half a millisecond.
        let mut step = |micros: &mut u32| {
            shift(micros);
            *micros = (*micros / 500 * 500).clamp(500, 2_000_000);
        };
        table.keys.iter_mut().for_each(|key| step(&mut key.dwell_median_micros));
        table.digraphs.iter_mut().for_each(|pair| step(&mut pair.press_interval_median_micros));
    }
    if let Some(challenge) = &mut event.challenge {
        challenge.reaction_micros.iter_mut().for_each(&mut shift);
    }
    if let Some(input) = &mut event.remote_input {
        input.natural_loop_micros.iter_mut().for_each(&mut shift);
        input.correction_micros.iter_mut().for_each(&mut shift);
    }
}

/// Events kept to be sent again, by whoever tampers with the collector.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    kept: Vec<EventUnchecked>,
    next: usize,
}

impl Tape {
    /// What a collector in other hands sends in place of the event's samples; `start` is the world's first instant.
    pub fn tamper(&mut self, tampering: Tampering, time: i64, start: i64, event: &mut EventUnchecked) {
        match tampering {
            Tampering::Mute(from) if time >= from => {
                (event.typing, event.pointer, event.challenge, event.cadence) = (None, None, None, None);
                (event.remote_input, event.timezone, event.collector) = (None, None, None);
            }
            Tampering::Replay(days) | Tampering::VariedReplay(days, _) if time < start + days as i64 * DAY_MICROS => {
                if event.typing.is_some() || event.pointer.is_some() {
                    self.kept.push(event.clone());
                }
            }
            Tampering::Replay(_) => self.play(event),
            Tampering::VariedReplay(_, sd_ms) => {
                self.play(event);
                vary(event, sd_ms, derive(time as u64, 9, 0));
            }
            Tampering::Mute(_) => {}
        }
    }

    /// Puts the next kept samples of the same activity into the event.
    fn play(&mut self, event: &mut EventUnchecked) {
        let length = self.kept.len();
        let found =
            (0..length).map(|gone| (self.next + gone) % length).find(|at| self.kept[*at].activity == event.activity);
        let Some(at) = found else { return };
        self.next = (at + 1) % length;
        let old = self.kept[at].clone();
        (event.typing, event.pointer, event.challenge) = (old.typing, old.pointer, old.challenge);
        (event.cadence, event.remote_input) = (old.cadence, old.remote_input);
    }
}
