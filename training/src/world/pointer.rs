//! A hand on a pointing device: aimed movements of minimum-jerk submovements, seen at the device's polling grid.
//!
//! Worked example: a target 400 pixels away and 40 wide has an index of difficulty log2(400 / 40 + 1) = 3.46 bits; with
//! a = 120 ms and b = 130 ms a bit the movement takes 570 ms, 71 reports of an 8 ms mouse.

use super::chance::Chance;
use super::path::{InputPath, grid, throttle};
use elsewhere::event::PointerUnchecked;

/// What is a person's own in pointing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hand {
    start_ms: f64,
    per_bit_ms: f64,
    curve: f64,
    tremor_pixels: f64,
    corrections: f64,
}

impl Hand {
    /// Draws a hand (Fitts: a about 120 ms, b about 130 ms a bit between people).
    pub fn draw(chance: &mut Chance) -> Self {
        Self {
            start_ms: chance.normal(120.0, 40.0).max(40.0),
            per_bit_ms: chance.normal(130.0, 30.0).max(60.0),
            curve: chance.uniform(0.02, 0.10),
            tremor_pixels: chance.uniform(0.1, 0.5),
            corrections: chance.uniform(0.4, 1.2),
        }
    }

    /// Makes the hand slow and shaky (B08).
    pub fn impair(&mut self, chance: &mut Chance) {
        self.per_bit_ms *= chance.uniform(1.5, 2.5);
        self.tremor_pixels = chance.uniform(1.0, 4.0);
        self.corrections += chance.uniform(1.0, 3.0);
    }

    /// An agent's pointer: straight, without tremor or correction.
    pub fn machine() -> Self {
        Self { start_ms: 90.0, per_bit_ms: 90.0, curve: 0.0, tremor_pixels: 0.0, corrections: 0.0 }
    }

    /// Positions as a device polled every `poll_ms` reports them while the hand makes aimed movements, until `count`
    fn reports(
        &self,
        count: usize,
        poll_ms: f64,
        lag_ms: f64,
        chance: &mut Chance,
    ) -> (Vec<(f64, f64, f64)>, Vec<f64>) {
        let mut motion = Motion { hand: self, poll_ms, lag_ms, at: 0.0, reports: Vec::with_capacity(count + 64) };
        let mut clicks = Vec::new();
        let (mut x, mut y) = (chance.uniform(200.0, 1_700.0), chance.uniform(150.0, 900.0));
        motion.reports.push((0.0, x, y));
        while motion.reports.len() < count {
            // Half the targets are near: the next word, the next button.
            let (target_x, target_y) = if chance.happens(0.5) {
                let (reach, angle) = (chance.lognormal(70.0, 0.7), chance.uniform(0.0, std::f64::consts::TAU));
                ((x + reach * angle.cos()).clamp(5.0, 1_915.0), (y + reach * angle.sin()).clamp(5.0, 1_075.0))
            } else {
                (chance.uniform(20.0, 1_900.0), chance.uniform(20.0, 1_060.0))
            };
            let width = chance.uniform(16.0, 90.0);
            let submovements = 1 + chance.poisson(self.corrections + lag_ms / 250.0).min(5);
            for step in 0..submovements {
                let last = step + 1 == submovements;
                // The first movement covers most of the way, short or beyond; the last one lands.
                let reach = if last { 1.0 } else { chance.normal(0.93, 0.06) };
                let miss = if last { width / 6.0 } else { 0.0 };
                let goal = (
                    x + (target_x - x) * reach + chance.normal(0.0, miss),
                    y + (target_y - y) * reach + chance.normal(0.0, miss),
                );
                motion.submove((x, y), goal, width, chance);
                (x, y) = goal;
                motion.at += chance.exponential(60.0) + lag_ms * chance.uniform(0.0, 1.0);
            }
            if chance.happens(0.7) {
                clicks.push(motion.at);
            }
            motion.at += chance.lognormal(450.0, 0.7);
        }
        motion.reports.truncate(count);
        (motion.reports, clicks)
    }

    /// A sample of about `count` moves as a collector at the machine sends it. `frame_ms` is the collector's own
    /// coalescing, 0 for raw events.
    pub fn sample(
        &self,
        count: usize,
        path: &InputPath,
        resolution_micros: u32,
        frame_ms: f64,
        chance: &mut Chance,
    ) -> PointerUnchecked {
        // Relays drop moves on the way: the hand goes on until enough have come through.
        let lag_ms = path.rtt_ms + path.video_ms;
        let slowest = path.pointer_frame_ms.max(path.pointer_timer_ms).max(frame_ms);
        // A viewer keeps one position a frame: a dozen to choose from are as good as a hundred.
        let poll_ms = match chance.is_cheap() {
            true => path.pointer_poll_ms.max(path.pointer_frame_ms / 12.0),
            false => path.pointer_poll_ms,
        };
        let mut wanted = (count as f64 * (1.4 * slowest / poll_ms).max(1.05)) as usize;
        loop {
            let (hand, clicks) = self.reports(wanted, poll_ms, lag_ms, chance);
            let mut seen = path.pointer(&hand, chance);
            if frame_ms > 0.0 {
                seen = throttle(&seen, frame_ms);
            }
            let source = if frame_ms > 0.0 { 2 } else { 1 };
            let sample = columns(&seen, &clicks, count, path.rtt_ms / 2.0, resolution_micros, source);
            if sample.interval_micros.len() == count || wanted > 100_000 {
                return sample;
            }
            wanted += wanted / 2;
        }
    }
}

/// A sample of `moves` that no hand made, as the collector at the machine sends it.
pub fn made(
    moves: &[(f64, f64, f64)],
    path: &InputPath,
    resolution_micros: u32,
    frame_ms: f64,
    chance: &mut Chance,
) -> PointerUnchecked {
    let mut seen = path.pointer(moves, chance);
    if frame_ms > 0.0 {
        seen = throttle(&seen, frame_ms);
    }
    columns(&seen, &[], moves.len(), 0.0, resolution_micros, if frame_ms > 0.0 { 2 } else { 1 })
}

/// What the collector writes of positions seen, up to `count` moves; clicks arrive `late_ms` after the hand made them.
fn columns(
    seen: &[(f64, f64, f64)],
    clicks: &[f64],
    count: usize,
    late_ms: f64,
    resolution_micros: u32,
    source: i32,
) -> PointerUnchecked {
    let mut sample =
        PointerUnchecked { timer_resolution_micros: resolution_micros, source, ..PointerUnchecked::default() };
    let mut before: Option<(i64, i64, i64)> = None;
    let mut clicks = clicks.iter().map(|at| at + late_ms).peekable();
    for (at, x, y) in seen {
        let (px, py) = pixel(*x, *y);
        let now = (stamp(*at, resolution_micros), px, py);
        let (interval, dx, dy) = before.map_or((0, 0, 0), |b| (now.0 - b.0, now.1 - b.1, now.2 - b.2));
        if before.is_some() && dx == 0 && dy == 0 {
            continue;
        }
        while clicks.peek().is_some_and(|down| down < at) && !sample.interval_micros.is_empty() {
            clicks.next();
            sample.button_down_indexes.push(sample.interval_micros.len() as u32 - 1);
        }
        sample.interval_micros.push(interval.clamp(0, 60_000_000) as u32);
        sample.delta_x.push(dx as i32);
        sample.delta_y.push(dy as i32);
        before = Some(now);
        if sample.interval_micros.len() == count {
            break;
        }
    }
    sample
}

/// A hand in motion.
struct Motion<'a> {
    hand: &'a Hand,
    poll_ms: f64,
    lag_ms: f64,
    /// Where the clock stands.
    at: f64,
    reports: Vec<(f64, f64, f64)>,
}

impl Motion<'_> {
    /// One minimum-jerk movement to a target `width` wide.
    fn submove(&mut self, from: (f64, f64), to: (f64, f64), width: f64, chance: &mut Chance) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let distance = dx.hypot(dy);
        if distance < 1.0 {
            return;
        }
        // Fitts' law; seeing late makes every bit dearer (MacKenzie and Ware 1993).
        let bits = (distance / width + 1.0).log2();
        let per_bit_ms = self.hand.per_bit_ms + 0.2 * self.lag_ms;
        let took = (self.hand.start_ms + per_bit_ms * bits).max(60.0) * chance.lognormal(1.0, 0.15);
        let bend = self.hand.curve * distance * chance.normal(0.0, 1.0);
        let start = self.at;
        let mut at = grid(start, self.poll_ms);
        let mut seen = self.reports.last().map_or((0, 0), |last| pixel(last.1, last.2));
        while at < start + took {
            at += self.poll_ms;
            let t = ((at - start) / took).min(1.0);
            let gone = t * t * t * (10.0 + t * (-15.0 + 6.0 * t));
            let side = bend * (std::f64::consts::PI * gone).sin() / distance;
            let shake = self.hand.tremor_pixels * t.min(1.0 - t) * 2.0;
            let x = from.0 + dx * gone - dy * side + chance.tremor(shake);
            let y = from.1 + dy * gone + dx * side + chance.tremor(shake);
            // A device reports only when something moved.
            if pixel(x, y) != seen {
                seen = pixel(x, y);
                self.reports.push((at, x, y));
            }
        }
        self.at = start + took;
    }
}

fn pixel(x: f64, y: f64) -> (i64, i64) {
    (x.round() as i64, y.round() as i64)
}

/// An instant on the collector's clock, microseconds.
pub fn stamp(at_ms: f64, resolution_micros: u32) -> i64 {
    let resolution = f64::from(resolution_micros.max(1));
    ((at_ms * 1000.0 / resolution).floor() * resolution) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::parameters::Spread;

    fn median(values: &[u32]) -> u32 {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    }

    #[test]
    fn a_local_mouse_of_eight_milliseconds_shows_eight_and_a_throttled_relay_shows_more() {
        let mut chance = Chance::new(4);
        let hand = Hand::draw(&mut chance);
        let local = InputPath { pointer_poll_ms: 8.0, ..InputPath::local(&mut chance) };
        let here = hand.sample(100, &local, 100, 0.0, &mut chance);
        assert!((7_500..8_600).contains(&median(&here.interval_micros)), "{}", median(&here.interval_micros));
        let relay = InputPath {
            pointer_frame_ms: 16.7,
            pointer_timer_ms: 0.0,
            ..InputPath::kvm(170.0, 8.0, Spread::Between([60.0, 200.0]), &mut chance)
        };
        let there = hand.sample(100, &relay, 100, 0.0, &mut chance);
        assert!(median(&there.interval_micros) > 11_000, "{}", median(&there.interval_micros));
    }

    #[test]
    fn columns_are_equal_and_begin_with_zero() {
        let mut chance = Chance::new(6);
        let hand = Hand::draw(&mut chance);
        let path = InputPath::local(&mut chance);
        let sample = hand.sample(60, &path, 1_000, 0.0, &mut chance);
        assert_eq!(sample.interval_micros.len(), 60);
        assert_eq!((sample.interval_micros[0], sample.delta_x[0], sample.delta_y[0]), (0, 0, 0));
        assert_eq!(sample.delta_x.len(), 60);
    }
}
