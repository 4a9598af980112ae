//! Checked measurements of how input events reached the machine.

use super::violation::Violations;
use super::{EventTime, TimestampUnchecked, check_resolution, limits};

/// How input arrives, as the system reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputPath {
    /// Not collected.
    Unknown,
    /// Built-in keyboard or touchpad.
    BuiltIn,
    /// Wired peripheral.
    Wired,
    /// Wireless peripheral.
    Wireless,
    /// Virtual device fed by software.
    Virtual,
    /// The system's own remote session.
    RemoteSession,
}

/// How input events reached the machine.
///
/// INVARIANT: made by [`super::EventUnchecked::check`] only. At least one field is set; the clock's granularity is
/// known when a timing column is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RemoteInputSample {
    /// Event stamp to receipt, microseconds; only its variation counts.
    pub event_delay_micros: Vec<i32>,
    /// Between pointer moves, microseconds.
    pub pointer_interval_micros: Vec<u32>,
    /// Between auto-repeats, microseconds.
    pub key_repeat_interval_micros: Vec<u32>,
    /// Granularity of the clock, microseconds; 0 only without timing columns.
    pub timer_resolution_micros: u32,
    /// Whether the system reports a remote session.
    pub remote_session_reported: Option<bool>,
    /// How the system says input arrives.
    pub input_path: InputPath,
    /// Events marked as injected, among `event_count`.
    pub injected_event_count: Option<u32>,
    /// Input events observed.
    pub event_count: u32,
    /// Remote-control programs found running.
    pub remote_control_programs: Vec<String>,
    /// Moments at which input or display froze.
    pub stall_times: Vec<EventTime>,
    /// Natural loops, microseconds.
    pub natural_loop_micros: Vec<u32>,
    /// Error to first erase, microseconds.
    pub correction_micros: Vec<u32>,
}

/// The sample as it came off the wire.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct RemoteInputUnchecked {
    pub event_delay_micros: Vec<i32>,
    pub pointer_interval_micros: Vec<u32>,
    pub key_repeat_interval_micros: Vec<u32>,
    pub timer_resolution_micros: u32,
    pub remote_session_reported: Option<bool>,
    pub input_path: i32,
    pub injected_event_count: Option<u32>,
    pub event_count: u32,
    pub remote_control_programs: Vec<String>,
    pub stall_times: Vec<TimestampUnchecked>,
    pub natural_loop_micros: Vec<u32>,
    pub correction_micros: Vec<u32>,
}

impl RemoteInputUnchecked {
    pub(super) fn check(self, path: &str, v: &mut Violations) -> Option<RemoteInputSample> {
        let before = v.total();
        if self == Self::default() {
            v.add(path, "is empty: leave it out when nothing was collected");
            return None;
        }
        super::check_length(
            v,
            format_args!("{path}.event_delay_micros"),
            self.event_delay_micros.len(),
            limits::EVENT_DELAYS_MAX,
        );
        for (index, delay) in self.event_delay_micros.iter().enumerate().take(limits::EVENT_DELAYS_MAX) {
            if delay.unsigned_abs() > limits::EVENT_DELAY_MICROS_MAX.unsigned_abs() {
                v.add(
                    format!("{path}.event_delay_micros[{index}]"),
                    format!("is {delay}: at most {} either way", limits::EVENT_DELAY_MICROS_MAX),
                );
            }
        }
        for (name, column, length, max) in [
            (
                "pointer_interval_micros",
                &self.pointer_interval_micros,
                limits::MOVES_MAX,
                limits::MOVE_INTERVAL_MICROS_MAX,
            ),
            (
                "key_repeat_interval_micros",
                &self.key_repeat_interval_micros,
                limits::KEY_REPEATS_MAX,
                limits::PRESS_INTERVAL_MICROS_MAX,
            ),
            ("natural_loop_micros", &self.natural_loop_micros, limits::LOOPS_MAX, limits::REACTION_MICROS_MAX),
            ("correction_micros", &self.correction_micros, limits::LOOPS_MAX, limits::REACTION_MICROS_MAX),
        ] {
            super::check_length(v, format_args!("{path}.{name}"), column.len(), length);
            super::check_column(v, path, name, column, max);
        }
        let timed = !self.event_delay_micros.is_empty()
            || !self.pointer_interval_micros.is_empty()
            || !self.key_repeat_interval_micros.is_empty()
            || !self.natural_loop_micros.is_empty()
            || !self.correction_micros.is_empty();
        if timed || self.timer_resolution_micros != 0 {
            check_resolution(v, path, self.timer_resolution_micros);
        }
        let input_path = match self.input_path {
            0 => InputPath::Unknown,
            1 => InputPath::BuiltIn,
            2 => InputPath::Wired,
            3 => InputPath::Wireless,
            4 => InputPath::Virtual,
            5 => InputPath::RemoteSession,
            other => {
                super::unknown_enum(
                    v,
                    format_args!("{path}.input_path"),
                    other,
                    "an INPUT_PATH of this version, or leave it out",
                );
                InputPath::Unknown
            }
        };
        if let Some(injected) = self.injected_event_count
            && injected > self.event_count
        {
            v.add(
                format!("{path}.injected_event_count"),
                format!("is {injected}: cannot exceed `event_count` ({})", self.event_count),
            );
        }
        super::check_max(v, format_args!("{path}.event_count"), u64::from(self.event_count), u64::from(u32::MAX >> 1));
        super::check_length(
            v,
            format_args!("{path}.remote_control_programs"),
            self.remote_control_programs.len(),
            limits::PROGRAMS_MAX,
        );
        for (index, name) in self.remote_control_programs.iter().enumerate().take(limits::PROGRAMS_MAX) {
            let field = format!("{path}.remote_control_programs[{index}]");
            super::check_text(v, format_args!("{field}"), name);
            if name.is_empty() {
                v.add(field, "is empty: name the program");
            } else if name.contains(['/', '\\']) || name.chars().any(char::is_uppercase) {
                v.add(field, "must be a program's name in lower case without its path");
            }
        }
        super::check_length(v, format_args!("{path}.stall_times"), self.stall_times.len(), limits::STALLS_MAX);
        let mut stall_times = Vec::with_capacity(self.stall_times.len().min(limits::STALLS_MAX));
        for (index, stall) in self.stall_times.iter().enumerate().take(limits::STALLS_MAX) {
            stall_times.extend(stall.check(&format!("{path}.stall_times[{index}]"), v));
        }
        if v.total() != before {
            return None;
        }
        Some(RemoteInputSample {
            event_delay_micros: self.event_delay_micros,
            pointer_interval_micros: self.pointer_interval_micros,
            key_repeat_interval_micros: self.key_repeat_interval_micros,
            timer_resolution_micros: self.timer_resolution_micros,
            remote_session_reported: self.remote_session_reported,
            input_path,
            injected_event_count: self.injected_event_count,
            event_count: self.event_count,
            remote_control_programs: self.remote_control_programs,
            stall_times,
            natural_loop_micros: self.natural_loop_micros,
            correction_micros: self.correction_micros,
        })
    }
}
