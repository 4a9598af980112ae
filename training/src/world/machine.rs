//! Input no hand made: lines typed by a machine, an agent that imitates a hand, jigglers.
//!
//! Worked example: a line of 60 characters sent whole and typed at 20 characters a second has intervals of 50 ms give
//! or take a fraction, equal dwells and no rollover; a KVM that keeps a screen awake moves the pointer ten steps of 10
//! pixels a hundred milliseconds apart.

use super::chance::Chance;
use super::typist::Stroke;

/// How a jiggler moves the pointer, by published firmware and scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jiggle {
    /// Ten diagonal steps of 10 pixels, 100 ms apart.
    Diagonal,
    /// There and back by a pixel.
    TwoSteps,
    /// A pixel at a random moment.
    Random,
}

/// What types and points besides hands.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Machine {
    /// Share of free text that arrives by the line, and characters a second at which it is typed.
    pub lines: Option<(f64, f64)>,
    /// Whether an agent at the machine types and points: seconds to answer a prompt (least, most).
    pub agent_seconds: Option<(f64, f64)>,
    /// Whether that agent types as a recorded hand does, instead of drawing its own intervals.
    pub recorded_hand: bool,
    /// A jiggler, and the share of pointer samples it makes.
    pub jiggle: Option<(Jiggle, f64)>,
    /// Share of strokes in runs that a snippet or macro made.
    pub macros: f64,
    /// Share of letters after which a candidate is chosen.
    pub candidates: f64,
}

impl Machine {
    /// Replaces runs of strokes by what a machine typed at `characters_per_second`, keeping the pauses between runs.
    pub fn type_lines(strokes: &mut [Stroke], share: f64, characters_per_second: f64, chance: &mut Chance) {
        let step = 1_000.0 / characters_per_second.max(1.0);
        let dwell = (step * 0.5).clamp(4.0, 40.0);
        let mut index = 0;
        let mut shift = 0.0;
        while index < strokes.len() {
            let length = chance.whole(20, 80) as usize;
            let end = (index + length).min(strokes.len());
            let made = chance.happens(share);
            let first = strokes[index].press_ms;
            let last = strokes[end - 1].press_ms;
            for (at, stroke) in strokes[index..end].iter_mut().enumerate() {
                if made {
                    stroke.press_ms = first + shift + at as f64 * step + chance.exponential(0.3);
                    stroke.release_ms = stroke.press_ms + dwell + chance.exponential(0.2);
                } else {
                    stroke.press_ms += shift;
                    stroke.release_ms += shift;
                }
            }
            if made {
                shift += first + (end - index) as f64 * step - last;
            }
            index = end;
        }
    }

    /// What an agent types: intervals from one distribution whatever the keys, dwells that know nothing of them, no
    /// rollover.
    pub fn imitate(strokes: &mut [Stroke], median_ms: f64, sigma: f64, chance: &mut Chance) {
        let mut at = 0.0;
        for (index, stroke) in strokes.iter_mut().enumerate() {
            if index > 0 {
                at += chance.lognormal(median_ms, sigma).clamp(25.0, 3_000.0);
            }
            stroke.press_ms = at;
            let dwell = chance.normal(0.45 * median_ms, 0.08 * median_ms).clamp(15.0, 400.0);
            stroke.release_ms = at + dwell;
        }
        for index in 1..strokes.len() {
            let next = strokes[index].press_ms;
            let before = &mut strokes[index - 1];
            before.release_ms = before.release_ms.min(next - 2.0).max(before.press_ms + 2.0);
        }
    }

    /// Positions of a jiggler until there are `count`, as (milliseconds, x, y).
    pub fn jiggle(jiggle: Jiggle, count: usize, chance: &mut Chance) -> Vec<(f64, f64, f64)> {
        let (mut at, mut x, mut y) = (0.0, 900.0, 500.0);
        let mut moves = vec![(at, x, y)];
        while moves.len() < count {
            match jiggle {
                Jiggle::Diagonal => {
                    at += chance.whole(45, 59) as f64 * 1_000.0;
                    let step = if chance.happens(0.5) { 10.0 } else { -10.0 };
                    for index in 0..10 {
                        let back = if index < 5 { step } else { -step };
                        (x, y) = (x + back, y + back);
                        moves.push((at, x, y));
                        at += 100.0 + chance.exponential(0.4);
                    }
                }
                Jiggle::TwoSteps => {
                    at += chance.uniform(20.0, 58.0) * 1_000.0;
                    for step in [1.0, -1.0] {
                        (x, y) = (x + step, y + step);
                        moves.push((at, x, y));
                        at += 10.0 + chance.exponential(1.0);
                    }
                }
                Jiggle::Random => {
                    at += chance.uniform(600.0, 5_000.0);
                    let (dx, dy) = (chance.whole(0, 2) as f64 - 1.0, chance.whole(0, 2) as f64 - 1.0);
                    let dx = if dx == 0.0 && dy == 0.0 { 1.0 } else { dx };
                    (x, y) = (x + dx, y + dy);
                    moves.push((at, x, y));
                }
            }
        }
        moves.truncate(count);
        moves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand() -> Vec<Stroke> {
        (0..100)
            .map(|at| Stroke {
                class: 1,
                usage: 4,
                press_ms: f64::from(at) * 180.0,
                release_ms: f64::from(at) * 180.0 + 100.0,
            })
            .collect()
    }

    #[test]
    fn a_line_typed_by_a_machine_is_even_and_in_order() {
        let mut strokes = hand();
        Machine::type_lines(&mut strokes, 1.0, 20.0, &mut Chance::new(1));
        let even = strokes.windows(2).filter(|two| (two[1].press_ms - two[0].press_ms - 50.0).abs() < 3.0).count();
        assert!(even > 90, "{even}");
        assert!(strokes.windows(2).all(|two| two[1].press_ms >= two[0].press_ms));
    }

    #[test]
    fn an_agent_never_rolls_over() {
        let mut strokes = hand();
        Machine::imitate(&mut strokes, 160.0, 0.35, &mut Chance::new(2));
        assert!(strokes.windows(2).all(|two| two[0].release_ms < two[1].press_ms));
    }

    #[test]
    fn a_jiggler_moves_ten_steps_a_minute() {
        let moves = Machine::jiggle(Jiggle::Diagonal, 21, &mut Chance::new(3));
        assert!(moves[11].0 - moves[10].0 > 40_000.0 && (moves[5].0 - moves[4].0 - 100.0).abs() < 5.0);
    }
}
