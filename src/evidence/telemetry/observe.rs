//! Digests of one event's samples.

use super::sketch::Sketch;
use crate::event::Samples;

/// Digests of the samples that are long enough to be unique, and whether the collector spoke.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// One digest per sample kind present.
    pub digests: Vec<u64>,
    /// Sketch of a fixed phrase, where it is long enough.
    pub sketch: Option<Sketch>,
    /// Whether any input sample (typing, pointer, challenge, table, input path) was there.
    pub spoke: bool,
}

/// Fewest timings a digest may stand for: ordered times of fewer presses can repeat by chance on a coarse clock.
const TIMINGS_MIN: usize = 16;

/// Digests one event's samples.
pub fn observe(samples: &Samples) -> Observation {
    let mut digests = Vec::new();
    if let Some(typing) = &samples.typing {
        let columns = typing.press_interval_micros.iter().chain(&typing.dwell_micros);
        digests.extend(digest(1, columns.copied()));
    }
    if let Some(pointer) = &samples.pointer {
        let moves = pointer.delta_x.iter().zip(&pointer.delta_y).map(|(x, y)| (*x as u32).rotate_left(16) ^ *y as u32);
        digests.extend(digest(2, pointer.interval_micros.iter().copied().chain(moves)));
    }
    if let Some(challenge) = &samples.challenge {
        digests.extend(digest(3, challenge.reaction_micros.iter().copied()));
    }
    let spoke = samples.typing.is_some()
        || samples.pointer.is_some()
        || samples.challenge.is_some()
        || samples.cadence.is_some()
        || samples.remote_input.is_some();
    let sketch = samples.typing.as_ref().and_then(Sketch::of);
    Observation { digests, sketch, spoke }
}

/// A 64-bit digest of a column, or `None` when it is too short or too even to be unique.
///
/// FNV-1a over words, finished by the 64-bit mixer of MurmurHash3. Not secret and not meant to be: it is compared
/// within one worker only. A column of one or two distinct values is machine-made, which is typing's finding.
fn digest(kind: u64, column: impl Iterator<Item = u32>) -> Option<u64> {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325 ^ kind;
    let (mut count, mut distinct) = (0_usize, [None; 4]);
    for value in column {
        hash = (hash ^ u64::from(value)).wrapping_mul(0x0000_0100_0000_01b3);
        count += 1;
        if !distinct.contains(&Some(value))
            && let Some(free) = distinct.iter_mut().find(|slot| slot.is_none())
        {
            *free = Some(value);
        }
    }
    let varied = distinct.iter().all(Option::is_some);
    (count >= TIMINGS_MIN && varied).then(|| {
        hash ^= hash >> 33;
        hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^ (hash >> 33)
    })
}
