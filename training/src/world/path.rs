//! The way from a hand to the machine: polling grids, relays and what they do to the times of keys, pointer and loops.
//!
//! Worked example: a key pressed at 100.0 ms on an 8 ms keyboard is reported at 104.0; a KVM's link adds 91 ms and
//! a jitter of 3.2, 198.2; its own USB side polls at 8 ms, 200.0 at the laptop. Dwells keep their length but for
//! jitter and grids; only a closed loop sees the 91 ms and the video's 120.

use super::chance::Chance;
use super::parameters::Spread;
use super::typist::Stroke;

/// How input reaches the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// A hand on the machine's own keyboard.
    Local,
    /// Keyboard, video and mouse over the network by a device at the machine's sockets.
    Kvm,
    /// A remote-control program on the machine.
    Software,
    /// A remote desktop the machine itself offers.
    RemoteDesktop,
}

/// A path and its constants, milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct InputPath {
    /// How input reaches the machine.
    pub means: Means,
    /// Polling of the keyboard under the hand; 0 for none that shows.
    pub keyboard_poll_ms: f64,
    /// Polling of the pointing device under the hand.
    pub pointer_poll_ms: f64,
    /// Round trip of the relay; 0 at the machine.
    pub rtt_ms: f64,
    /// Standard deviation of one-way delay.
    pub jitter_ms: f64,
    /// Share of packets resent after a timeout.
    pub loss_rate: f64,
    /// What capture, encoding, decoding and display add to a closed loop.
    pub video_ms: f64,
    /// Least time between pointer messages of the viewer; 0 passes all.
    pub pointer_frame_ms: f64,
    /// Period at which the relay's far end re-emits keys; 0 for none.
    pub emit_poll_ms: f64,
    /// Period at which the relay's far end re-emits pointer moves; 0 for none.
    pub pointer_timer_ms: f64,
    /// Whether the far end releases a key by itself shortly after pressing it.
    pub auto_release: bool,
    /// Span over which messages wait and then arrive together; 0 for none.
    pub batch_ms: f64,
    /// Key delays added by a privacy tool, up to this many milliseconds; 0 for none.
    pub blur_ms: f64,
    /// Standard deviation that a radio between hand and machine adds to every edge of a key.
    pub uneven_ms: f64,
}

impl InputPath {
    /// A hand at the machine.
    pub fn local(chance: &mut Chance) -> Self {
        // Most USB keyboards poll at 8 ms, gaming ones at 1, Bluetooth at 7.5 to 15, built-in ones show no grid.
        let keyboard_poll_ms = [8.0, 1.0, 11.25, 7.5, 4.0, 0.0][chance.weighted(&[0.4, 0.12, 0.1, 0.08, 0.1, 0.2])];
        let pointer_poll_ms = [8.0, 1.0, 2.0, 11.25, 7.5][chance.weighted(&[0.5, 0.15, 0.1, 0.1, 0.15])];
        Self {
            means: Means::Local,
            keyboard_poll_ms,
            pointer_poll_ms,
            rtt_ms: 0.0,
            jitter_ms: 0.0,
            loss_rate: 0.0,
            video_ms: 0.0,
            pointer_frame_ms: 0.0,
            emit_poll_ms: 0.0,
            pointer_timer_ms: 0.0,
            auto_release: false,
            batch_ms: 0.0,
            blur_ms: 0.0,
            uneven_ms: 0.0,
        }
    }

    /// An IP-KVM over a link of the given round trip and jitter.
    pub fn kvm(rtt_ms: f64, jitter_ms: f64, video: Spread, chance: &mut Chance) -> Self {
        Self {
            means: Means::Kvm,
            rtt_ms,
            jitter_ms,
            loss_rate: chance.uniform(0.0, 0.008),
            video_ms: video.draw(chance),
            pointer_frame_ms: [0.0, 8.0, 16.7, 33.3][chance.weighted(&[0.2, 0.15, 0.45, 0.2])],
            emit_poll_ms: [8.0, 1.0][chance.weighted(&[0.75, 0.25])],
            pointer_timer_ms: [0.0, 10.0, 16.0, 30.0, 100.0][chance.weighted(&[0.25, 0.4, 0.15, 0.12, 0.08])],
            auto_release: chance.happens(0.08),
            ..Self::local(chance)
        }
    }

    /// A remote-control program: no grid of its own, messages by the frame.
    pub fn software(rtt_ms: f64, jitter_ms: f64, video: Spread, chance: &mut Chance) -> Self {
        Self {
            means: Means::Software,
            rtt_ms,
            jitter_ms,
            loss_rate: chance.uniform(0.0, 0.008),
            video_ms: video.draw(chance),
            pointer_frame_ms: [8.0, 16.7, 33.3][chance.weighted(&[0.15, 0.6, 0.25])],
            batch_ms: [0.0, 16.0][chance.weighted(&[0.7, 0.3])],
            ..Self::local(chance)
        }
    }

    /// A sanctioned remote desktop: every move is sent, in batches; the loop is short.
    pub fn remote_desktop(loops: Spread, jitter: Spread, chance: &mut Chance) -> Self {
        let loop_ms = loops.draw(chance);
        let rtt_ms = loop_ms * chance.uniform(0.4, 0.7);
        Self {
            means: Means::RemoteDesktop,
            rtt_ms,
            jitter_ms: jitter.draw(chance),
            loss_rate: chance.uniform(0.0, 0.002),
            video_ms: loop_ms - rtt_ms,
            batch_ms: chance.uniform(0.0, 12.0),
            ..Self::local(chance)
        }
    }

    /// Carries messages sent at `sent_ms` (rising) to the machine, in order: a late one holds up those behind it.
    fn carry(&self, sent_ms: &[f64], chance: &mut Chance) -> Vec<f64> {
        let mut arrived = f64::NEG_INFINITY;
        let mut arrivals = Vec::with_capacity(sent_ms.len());
        for sent in sent_ms {
            let mut at = *sent;
            if self.means != Means::Local {
                at += self.rtt_ms / 2.0;
                if self.jitter_ms > 0.0 {
                    // A gamma of shape 1.5: mostly small, now and then long.
                    at += chance.gamma(1.5, self.jitter_ms / 1.5f64.sqrt());
                }
                if chance.happens(self.loss_rate) {
                    at += self.rtt_ms + 40.0 + chance.exponential(60.0);
                }
                at = grid(at, self.batch_ms);
            }
            // Interrupts and the queue of the system take a fraction of a millisecond.
            at += chance.exponential(0.12);
            arrived = arrived.max(at);
            arrivals.push(arrived);
        }
        arrivals
    }

    /// Times at which the machine saw the keys of `strokes` go down and up.
    pub fn keys(&self, strokes: &[Stroke], chance: &mut Chance) -> Vec<Stroke> {
        let phase = chance.uniform(0.0, 16.0);
        let mut edges: Vec<(f64, usize, bool)> = Vec::with_capacity(strokes.len() * 2);
        for (index, stroke) in strokes.iter().enumerate() {
            edges.push((grid(stroke.press_ms + phase, self.keyboard_poll_ms), index, true));
            edges.push((grid(stroke.release_ms + phase, self.keyboard_poll_ms), index, false));
        }
        if self.blur_ms > 0.0 {
            for edge in &mut edges {
                edge.0 += chance.uniform(10.0f64.min(self.blur_ms), self.blur_ms);
            }
        }
        if self.uneven_ms > 0.0 {
            for edge in &mut edges {
                edge.0 += chance.exponential(self.uneven_ms);
            }
        }
        edges.sort_by(|a, b| a.0.total_cmp(&b.0));
        let sent: Vec<f64> = edges.iter().map(|edge| edge.0).collect();
        let arrivals = self.carry(&sent, chance);
        let mut seen = strokes.to_vec();
        for ((_, index, down), arrival) in edges.into_iter().zip(arrivals) {
            // The far end's timer is a program's: a tenth of a millisecond late.
            let late = if self.emit_poll_ms > 0.0 { chance.exponential(0.1) } else { 0.0 };
            let at = grid(arrival, self.emit_poll_ms) + late;
            if down {
                seen[index].press_ms = at;
            } else {
                seen[index].release_ms = at;
            }
        }
        for stroke in &mut seen {
            if self.auto_release {
                stroke.release_ms = stroke.press_ms + 8.0 + chance.exponential(1.0);
            }
            stroke.release_ms = stroke.release_ms.max(stroke.press_ms + 0.5);
        }
        seen.sort_by(|a, b| a.press_ms.total_cmp(&b.press_ms));
        seen
    }

    /// Times and positions at which the machine saw the pointer, of what the hand's device reported in order of time.
    pub fn pointer(&self, hand: &[(f64, f64, f64)], chance: &mut Chance) -> Vec<(f64, f64, f64)> {
        let sent = throttle(hand, self.pointer_frame_ms);
        let times: Vec<f64> = sent.iter().map(|move_| move_.0).collect();
        let arrivals = self.carry(&times, chance);
        let arrived: Vec<(f64, f64, f64)> =
            sent.iter().zip(arrivals).map(|(move_, at)| (at, move_.1, move_.2)).collect();
        if self.pointer_timer_ms > 0.0 {
            return ticks(&arrived, self.pointer_timer_ms, chance);
        }
        arrived
    }

    /// What the path adds to one closed loop, from paint to answer, milliseconds.
    pub fn loop_ms(&self, chance: &mut Chance) -> f64 {
        match self.means {
            Means::Local => chance.exponential(1.5),
            _ => {
                let scale = self.jitter_ms / 1.5f64.sqrt();
                let jitter = chance.gamma(1.5, scale) + chance.gamma(1.5, scale);
                let frame = chance.uniform(0.0, 16.7);
                let lost = chance.happens(2.0 * self.loss_rate);
                let resent = if lost { self.rtt_ms + chance.exponential(60.0) } else { 0.0 };
                self.rtt_ms + self.video_ms * chance.uniform(0.9, 1.15) + jitter + frame + resent
            }
        }
    }

    /// Intervals between `count` auto-repeats as the machine saw them, milliseconds. A KVM holds the key down and the
    /// machine repeats; programs relay the viewer's repeats.
    pub fn key_repeats(&self, count: usize, chance: &mut Chance) -> Vec<f64> {
        let relayed = matches!(self.means, Means::Software | Means::RemoteDesktop);
        let mut sent = Vec::with_capacity(count + 1);
        let mut at = 0.0;
        for _ in 0..=count {
            sent.push(at);
            at += 33.3 + chance.normal(0.0, 0.4);
        }
        let seen = if relayed { self.carry(&sent, chance) } else { sent };
        seen.windows(2).map(|two| two[1] - two[0]).collect()
    }
}

/// The next tick of a grid at or after `at`; the instant itself without a grid.
pub fn grid(at: f64, period: f64) -> f64 {
    if period > 0.0 { (at / period).ceil() * period } else { at }
}

/// Keeps the last position of every `frame` milliseconds, sent at the frame's end: what a throttling viewer does, and
/// a browser that delivers one event per display frame.
pub fn throttle(moves: &[(f64, f64, f64)], frame: f64) -> Vec<(f64, f64, f64)> {
    if frame <= 0.0 {
        return moves.to_vec();
    }
    let mut out: Vec<(f64, f64, f64)> = Vec::new();
    for (at, x, y) in moves {
        let tick = grid(*at, frame);
        match out.last_mut() {
            Some(last) if last.0 == tick => *last = (tick, *x, *y),
            _ => out.push((tick, *x, *y)),
        }
    }
    out
}

/// Re-emits positions at a timer's ticks, with the small error of a timer in user space.
fn ticks(moves: &[(f64, f64, f64)], period: f64, chance: &mut Chance) -> Vec<(f64, f64, f64)> {
    let mut emitted = throttle(moves, period);
    let mut before = f64::NEG_INFINITY;
    for move_ in &mut emitted {
        move_.0 = (move_.0 + chance.exponential(0.3)).max(before);
        before = move_.0;
    }
    emitted
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIDEO: Spread = Spread::Between([60.0, 200.0]);

    fn stroke(press_ms: f64) -> Stroke {
        Stroke { class: 1, usage: 4, press_ms, release_ms: press_ms + 90.0 }
    }

    #[test]
    fn a_grid_of_eight_rounds_up() {
        assert_eq!(grid(100.0, 8.0), 104.0);
        assert_eq!(grid(104.0, 8.0), 104.0);
        assert_eq!(grid(99.5, 0.0), 99.5);
    }

    #[test]
    fn a_relay_never_turns_the_order_of_keys_round() {
        let mut chance = Chance::new(2);
        let path = InputPath::kvm(180.0, 25.0, VIDEO, &mut chance);
        let hand: Vec<Stroke> = (0..200).map(|i| stroke(f64::from(i) * 40.0)).collect();
        let seen = path.keys(&hand, &mut chance);
        assert!(seen.windows(2).all(|two| two[0].press_ms <= two[1].press_ms));
        assert!(seen.iter().all(|key| key.release_ms > key.press_ms));
    }

    #[test]
    fn a_loop_through_a_relay_is_never_shorter_than_its_round_trip() {
        let mut chance = Chance::new(3);
        let path = InputPath::kvm(180.0, 10.0, VIDEO, &mut chance);
        assert!((0..1000).all(|_| path.loop_ms(&mut chance) > 180.0 + 0.9 * 60.0));
    }

    #[test]
    fn a_viewer_of_thirty_frames_leaves_at_least_a_frame_between_moves() {
        let moves: Vec<(f64, f64, f64)> = (0..200).map(|i| (f64::from(i) * 8.0, f64::from(i), 0.0)).collect();
        let sent = throttle(&moves, 33.3);
        assert!(sent.windows(2).all(|two| two[1].0 - two[0].0 > 33.2));
        assert_eq!(sent.last().map(|last| last.1), Some(199.0));
    }
}
