//! Checked pointer motion.

use super::violation::Violations;
use super::{check_resolution, limits, typing::column_lengths};

/// How pointer events were gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointerSource {
    /// Every event of the device.
    Raw,
    /// One event per display frame, as browsers deliver `pointermove`.
    FrameCoalesced,
}

/// How the pointer moved: columns of equal length, one entry per move.
///
/// INVARIANT: made by [`super::EventUnchecked::check`] only. Not empty; the first entry of every column is 0;
/// button indexes rise and lie within the columns.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PointerSample {
    /// Time from the previous event, microseconds.
    pub interval_micros: Vec<u32>,
    /// Horizontal movement, pixels.
    pub delta_x: Vec<i32>,
    /// Vertical movement, pixels.
    pub delta_y: Vec<i32>,
    /// Granularity of the clock, microseconds, at least 1.
    pub timer_resolution_micros: u32,
    /// How the events were gathered.
    pub source: PointerSource,
    /// Entries at which a button went down.
    pub button_down_indexes: Vec<u32>,
}

/// Pointer motion as it came off the wire.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct PointerUnchecked {
    pub interval_micros: Vec<u32>,
    pub delta_x: Vec<i32>,
    pub delta_y: Vec<i32>,
    pub timer_resolution_micros: u32,
    pub source: i32,
    pub button_down_indexes: Vec<u32>,
}

impl PointerUnchecked {
    pub(super) fn check(self, path: &str, v: &mut Violations) -> Option<PointerSample> {
        let before = v.total();
        let n = self.interval_micros.len();
        if n == 0 {
            v.add(
                format!("{path}.interval_micros"),
                "is empty: send one entry per move, or leave `pointer` out when nothing was collected",
            );
        }
        super::check_length(v, format_args!("{path}.interval_micros"), n, limits::MOVES_MAX);
        for (name, column) in [("delta_x", &self.delta_x), ("delta_y", &self.delta_y)] {
            if column.len() != n {
                v.push(column_lengths(format!("{path}.{name}"), n, column.len(), "interval_micros"));
            }
            for (index, delta) in column.iter().enumerate().take(limits::MOVES_MAX) {
                if delta.unsigned_abs() > limits::MOVE_DELTA_MAX.unsigned_abs() {
                    v.add(
                        format!("{path}.{name}[{index}]"),
                        format!("is {delta}: at most {} pixels either way", limits::MOVE_DELTA_MAX),
                    );
                }
            }
            if column.first().is_some_and(|first| *first != 0) {
                v.add(format!("{path}.{name}[0]"), "must be 0: the first move has none before it");
            }
        }
        if self.interval_micros.first().is_some_and(|first| *first != 0) {
            v.add(format!("{path}.interval_micros[0]"), "must be 0: the first move has none before it");
        }
        super::check_column(v, path, "interval_micros", &self.interval_micros, limits::MOVE_INTERVAL_MICROS_MAX);
        super::check_length(
            v,
            format_args!("{path}.button_down_indexes"),
            self.button_down_indexes.len(),
            limits::MOVES_MAX,
        );
        for (index, at) in self.button_down_indexes.iter().enumerate().take(limits::MOVES_MAX) {
            if *at as usize >= n {
                v.add(
                    format!("{path}.button_down_indexes[{index}]"),
                    format!("is {at}: must point into the {n} entries of `interval_micros`"),
                );
            } else if index > 0 && self.button_down_indexes[index - 1] > *at {
                v.add(format!("{path}.button_down_indexes[{index}]"), "must not fall: send indexes in rising order");
            }
        }
        check_resolution(v, path, self.timer_resolution_micros);
        let source = match self.source {
            1 => Some(PointerSource::Raw),
            2 => Some(PointerSource::FrameCoalesced),
            other => {
                super::unknown_enum(
                    v,
                    format_args!("{path}.source"),
                    other,
                    "POINTER_SOURCE_RAW or POINTER_SOURCE_FRAME_COALESCED",
                );
                None
            }
        };
        if v.total() != before {
            return None;
        }
        Some(PointerSample {
            interval_micros: self.interval_micros,
            delta_x: self.delta_x,
            delta_y: self.delta_y,
            timer_resolution_micros: self.timer_resolution_micros,
            source: source?,
            button_down_indexes: self.button_down_indexes,
        })
    }
}
