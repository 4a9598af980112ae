//! Checked typing: ordered columns of one stretch, and unordered cadence tables.

use super::violation::{Fault, Violation, Violations};
use super::{check_resolution, limits};
use std::fmt::Arguments;

/// Where typing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypingContext {
    /// Text chosen freely.
    FreeText,
    /// The same visible phrase every time.
    FixedPhrase,
    /// A password or code.
    Secret,
}

/// The coarsest description of a key that still tells movements apart. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum KeyClass {
    /// Class withheld.
    Withheld = 0,
    /// A letter.
    Letter = 1,
    /// A digit.
    Digit = 2,
    /// A punctuation mark or symbol.
    Punctuation = 3,
    /// The space bar.
    Space = 4,
    /// Enter or tab.
    Enter = 5,
    /// Backspace or delete.
    Erase = 6,
    /// Shift, control and their kin.
    Modifier = 7,
    /// Arrows, home, end and page keys.
    Navigation = 8,
}

impl KeyClass {
    /// Number of classes, [`KeyClass::Withheld`] among them.
    pub const COUNT: usize = 9;
    /// All classes by number.
    pub const ALL: [KeyClass; Self::COUNT] = [
        Self::Withheld,
        Self::Letter,
        Self::Digit,
        Self::Punctuation,
        Self::Space,
        Self::Enter,
        Self::Erase,
        Self::Modifier,
        Self::Navigation,
    ];

    /// The class of a wire number, or `None` when the number is not known.
    pub fn from_number(number: i32) -> Option<Self> {
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index)).copied()
    }
}

/// The rhythm of one uninterrupted stretch of typing: columns of equal length, one entry per press.
///
/// INVARIANT: made by [`super::EventUnchecked::check`] only. `press_interval_micros` is not empty and starts with 0;
/// `dwell_micros` is as long; `key_classes` is empty or as long, and empty for secrets.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TypingSample {
    /// Where the typing happened.
    pub context: TypingContext,
    /// Name of the fixed phrase; empty for other contexts.
    pub phrase_id: String,
    /// Press to press, microseconds, first entry 0, at most 10 s.
    pub press_interval_micros: Vec<u32>,
    /// Press to release, microseconds, at most 2 s; 0 = release not seen.
    pub dwell_micros: Vec<u32>,
    /// Class of each key, or empty.
    pub key_classes: Vec<KeyClass>,
    /// Granularity of the clock, microseconds, at least 1.
    pub timer_resolution_micros: u32,
    /// Presses the collector dropped.
    pub dropped_press_count: u32,
    /// Whether the entries are in random order.
    pub shuffled: bool,
    /// Insertions not typed key by key.
    pub insertion_count: u32,
    /// Input-method compositions.
    pub composition_count: u32,
}

/// Typing as it came off the wire. Unknown numbers are kept so that they can be named.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct TypingUnchecked {
    pub context: i32,
    pub phrase_id: String,
    pub press_interval_micros: Vec<u32>,
    pub dwell_micros: Vec<u32>,
    pub key_classes: Vec<i32>,
    pub timer_resolution_micros: u32,
    pub dropped_press_count: u32,
    pub shuffled: bool,
    pub insertion_count: u32,
    pub composition_count: u32,
}

impl TypingUnchecked {
    pub(super) fn check(self, path: &str, v: &mut Violations) -> Option<TypingSample> {
        let before = v.total();
        let context = match self.context {
            1 => Some(TypingContext::FreeText),
            2 => Some(TypingContext::FixedPhrase),
            3 => Some(TypingContext::Secret),
            other => {
                super::unknown_enum(
                    v,
                    format_args!("{path}.context"),
                    other,
                    "TYPING_CONTEXT_FREE_TEXT, _FIXED_PHRASE or _SECRET",
                );
                None
            }
        };
        let n = self.press_interval_micros.len();
        if n == 0 {
            v.add(
                format!("{path}.press_interval_micros"),
                "is empty: send one entry per press, or leave `typing` out when nothing was collected",
            );
        }
        super::check_length(v, format_args!("{path}.press_interval_micros"), n, limits::PRESSES_MAX);
        if self.dwell_micros.len() != n {
            let field = format!("{path}.dwell_micros");
            v.push(column_lengths(field, n, self.dwell_micros.len(), "press_interval_micros"));
        }
        if !self.key_classes.is_empty() && self.key_classes.len() != n {
            let field = format!("{path}.key_classes");
            v.push(column_lengths(field, n, self.key_classes.len(), "press_interval_micros"));
        }
        if self.press_interval_micros.first().is_some_and(|first| *first != 0) {
            v.add(format!("{path}.press_interval_micros[0]"), "must be 0: the first press has none before it");
        }
        super::check_column(
            v,
            path,
            "press_interval_micros",
            &self.press_interval_micros,
            limits::PRESS_INTERVAL_MICROS_MAX,
        );
        super::check_column(v, path, "dwell_micros", &self.dwell_micros, limits::DWELL_MICROS_MAX);
        let mut key_classes = Vec::with_capacity(self.key_classes.len().min(limits::PRESSES_MAX));
        for (index, number) in self.key_classes.iter().enumerate().take(limits::PRESSES_MAX) {
            match KeyClass::from_number(*number) {
                Some(class) => key_classes.push(class),
                None => super::unknown_enum(
                    v,
                    format_args!("{path}.key_classes[{index}]"),
                    *number,
                    "a KEY_CLASS of this version, or KEY_CLASS_UNSPECIFIED to withhold it",
                ),
            }
        }
        match context {
            Some(TypingContext::FixedPhrase) => {
                super::check_identifier(v, format_args!("{path}.phrase_id"), &self.phrase_id, true)
            }
            Some(_) if !self.phrase_id.is_empty() => {
                v.add(format!("{path}.phrase_id"), "is for TYPING_CONTEXT_FIXED_PHRASE only: leave it empty");
            }
            _ => {}
        }
        if context == Some(TypingContext::Secret) && !self.key_classes.is_empty() {
            v.add(
                format!("{path}.key_classes"),
                "must be empty when the context is TYPING_CONTEXT_SECRET: classes narrow a secret",
            );
        }
        check_resolution(v, path, self.timer_resolution_micros);
        for (name, count) in [
            ("dropped_press_count", self.dropped_press_count),
            ("insertion_count", self.insertion_count),
            ("composition_count", self.composition_count),
        ] {
            super::check_max(v, format_args!("{path}.{name}"), u64::from(count), u64::from(limits::COUNT_MAX));
        }
        if v.total() != before {
            return None;
        }
        Some(TypingSample {
            context: context?,
            phrase_id: self.phrase_id,
            press_interval_micros: self.press_interval_micros,
            dwell_micros: self.dwell_micros,
            key_classes,
            timer_resolution_micros: self.timer_resolution_micros,
            dropped_press_count: self.dropped_press_count,
            shuffled: self.shuffled,
            insertion_count: self.insertion_count,
            composition_count: self.composition_count,
        })
    }
}

/// A violation of the rule that columns of one sample are of equal length; `by` names the column they are measured by.
pub(super) fn column_lengths(field: String, expected: usize, actual: usize, by: &str) -> Violation {
    let description =
        format!("has {actual} entries but `{by}` has {expected}: columns of one sample are of equal length");
    Violation { field, description, fault: Fault::ColumnLengths { expected, actual } }
}

/// Dwell of one key in a cadence table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyTime {
    /// USB HID usage on the keyboard page.
    pub usage: u32,
    /// Presses behind the figures.
    pub count: u32,
    /// Median dwell, microseconds.
    pub dwell_median_micros: u32,
    /// Half the interquartile range of dwell, microseconds.
    pub dwell_spread_micros: u32,
}

/// Press-to-press interval of one digraph in a cadence table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DigraphTime {
    /// USB HID usage of the first key.
    pub first_usage: u32,
    /// USB HID usage of the second key.
    pub second_usage: u32,
    /// Occurrences behind the figures.
    pub count: u32,
    /// Median interval, microseconds.
    pub press_interval_median_micros: u32,
    /// Half the interquartile range of the interval, microseconds.
    pub press_interval_spread_micros: u32,
}

/// Typing reduced on the client to an unordered table.
///
/// INVARIANT: made by [`super::EventUnchecked::check`] only. At least [`limits::TABLE_PRESSES_MIN`] presses; each
/// key and digraph once, letters, space, enter and erase only; counts are powers of two and times whole steps of
/// [`limits::TABLE_TIME_STEP_MICROS`], rounded down here when the client did not.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CadenceTable {
    /// Presses the table was made from.
    pub press_count: u32,
    /// Dwell per key.
    pub keys: Vec<KeyTime>,
    /// Interval per digraph.
    pub digraphs: Vec<DigraphTime>,
    /// Granularity of the clock, microseconds, at least 1.
    pub timer_resolution_micros: u32,
}

/// A cadence table as it came off the wire.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct CadenceTableUnchecked {
    pub press_count: u32,
    pub keys: Vec<KeyTime>,
    pub digraphs: Vec<DigraphTime>,
    pub timer_resolution_micros: u32,
}

/// Whether a USB HID usage may appear in a table: letters, enter, erase, space.
pub fn table_usage(usage: u32) -> bool {
    matches!(usage, 4..=29 | 40 | 42 | 44)
}

fn power_of_two_below(count: u32) -> u32 {
    if count == 0 { 0 } else { 1 << (31 - count.leading_zeros()) }
}

fn step_below(micros: u32) -> u32 {
    micros - micros % limits::TABLE_TIME_STEP_MICROS
}

impl CadenceTableUnchecked {
    pub(super) fn check(mut self, path: &str, v: &mut Violations) -> Option<CadenceTable> {
        let before = v.total();
        if self.press_count < limits::TABLE_PRESSES_MIN {
            v.add(
                format!("{path}.press_count"),
                format!(
                    "is {}: a table needs at least {} presses, or it would spell",
                    self.press_count,
                    limits::TABLE_PRESSES_MIN
                ),
            );
        }
        super::check_max(
            v,
            format_args!("{path}.press_count"),
            u64::from(self.press_count),
            u64::from(limits::TABLE_PRESSES_MAX),
        );
        if self.keys.is_empty() && self.digraphs.is_empty() {
            v.add(format!("{path}.keys"), "is empty, and so is `digraphs`: send rows, or leave `cadence` out");
        }
        super::check_length(v, format_args!("{path}.keys"), self.keys.len(), limits::TABLE_KEYS_MAX);
        super::check_length(v, format_args!("{path}.digraphs"), self.digraphs.len(), limits::TABLE_DIGRAPHS_MAX);
        let mut seen = [false; 64];
        for (index, row) in self.keys.iter_mut().enumerate().take(limits::TABLE_KEYS_MAX) {
            if check_usage(v, format_args!("{path}.keys[{index}].usage"), row.usage)
                && std::mem::replace(&mut seen[row.usage as usize], true)
            {
                v.add(format!("{path}.keys[{index}].usage"), format!("repeats key {}: send each key once", row.usage));
            }
            check_count(v, format_args!("{path}.keys[{index}].count"), row.count, self.press_count);
            super::check_max(
                v,
                format_args!("{path}.keys[{index}].dwell_median_micros"),
                u64::from(row.dwell_median_micros),
                u64::from(limits::DWELL_MICROS_MAX),
            );
            super::check_max(
                v,
                format_args!("{path}.keys[{index}].dwell_spread_micros"),
                u64::from(row.dwell_spread_micros),
                u64::from(limits::DWELL_MICROS_MAX),
            );
            row.count = power_of_two_below(row.count);
            row.dwell_median_micros = step_below(row.dwell_median_micros);
            row.dwell_spread_micros = step_below(row.dwell_spread_micros);
        }
        let mut pairs = vec![false; 64 * 64];
        for (index, row) in self.digraphs.iter_mut().enumerate().take(limits::TABLE_DIGRAPHS_MAX) {
            let first = check_usage(v, format_args!("{path}.digraphs[{index}].first_usage"), row.first_usage);
            let second = check_usage(v, format_args!("{path}.digraphs[{index}].second_usage"), row.second_usage);
            if first
                && second
                && std::mem::replace(&mut pairs[row.first_usage as usize * 64 + row.second_usage as usize], true)
            {
                v.add(
                    format!("{path}.digraphs[{index}].second_usage"),
                    format!("repeats digraph {} {}: send each digraph once", row.first_usage, row.second_usage),
                );
            }
            check_count(v, format_args!("{path}.digraphs[{index}].count"), row.count, self.press_count);
            super::check_max(
                v,
                format_args!("{path}.digraphs[{index}].press_interval_median_micros"),
                u64::from(row.press_interval_median_micros),
                u64::from(limits::PRESS_INTERVAL_MICROS_MAX),
            );
            super::check_max(
                v,
                format_args!("{path}.digraphs[{index}].press_interval_spread_micros"),
                u64::from(row.press_interval_spread_micros),
                u64::from(limits::PRESS_INTERVAL_MICROS_MAX),
            );
            row.count = power_of_two_below(row.count);
            row.press_interval_median_micros = step_below(row.press_interval_median_micros);
            row.press_interval_spread_micros = step_below(row.press_interval_spread_micros);
        }
        check_resolution(v, path, self.timer_resolution_micros);
        if v.total() != before {
            return None;
        }
        Some(CadenceTable {
            press_count: self.press_count,
            keys: self.keys,
            digraphs: self.digraphs,
            timer_resolution_micros: self.timer_resolution_micros,
        })
    }
}

fn check_usage(v: &mut Violations, field: Arguments<'_>, usage: u32) -> bool {
    let known = table_usage(usage);
    if !known {
        v.add(
            field.to_string(),
            format!("is {usage}: tables hold letters (4 to 29), enter (40), erase (42) and space (44) only"),
        );
    }
    known
}

fn check_count(v: &mut Violations, field: Arguments<'_>, count: u32, press_count: u32) {
    if count == 0 || count > press_count {
        v.add(field.to_string(), format!("is {count}: must be 1 to `press_count` ({press_count})"));
    }
}
