//! `google.protobuf` types that the wire uses, with the JSON that proto3 gives them.
//!
//! Worked example: seconds 1780000000 and 250 000 000 nanoseconds are `"2026-05-28T20:26:40.250Z"`.

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Error as _, Serialize, Serializer};
use std::fmt;

/// An instant, `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds within the second, in \[0, 999 999 999\].
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// A span, `google.protobuf.Duration`. Both fields have one sign.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Duration {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds, in \[-999 999 999, 999 999 999\].
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// Any message with its name, `google.protobuf.Any`.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Any {
    /// `type.googleapis.com/` and the full name of the message.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message, encoded.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// 0001-01-01T00:00:00Z, where RFC 3339 begins for proto3.
const SECONDS_MIN: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z, where RFC 3339 ends.
const SECONDS_MAX: i64 = 253_402_300_799;
/// Longest span of proto3: 10 000 years.
const SPAN_SECONDS_MAX: i64 = 315_576_000_000;
const NANOS_PER_SECOND: i32 = 1_000_000_000;

impl Timestamp {
    /// From microseconds since 1970.
    pub fn from_micros(micros: i64) -> Self {
        Self { seconds: micros.div_euclid(1_000_000), nanos: (micros.rem_euclid(1_000_000) * 1000) as i32 }
    }

    /// As RFC 3339 in UTC with 0, 3, 6 or 9 fractional digits, or `None` outside the years 1 to 9999.
    pub fn to_rfc3339(&self) -> Option<String> {
        if !(SECONDS_MIN..=SECONDS_MAX).contains(&self.seconds) || !(0..NANOS_PER_SECOND).contains(&self.nanos) {
            return None;
        }
        let (year, month, day) = date_of(self.seconds.div_euclid(86_400));
        let second = self.seconds.rem_euclid(86_400) as u32;
        let mut text = String::with_capacity(30);
        push_digits(&mut text, year as u32, 4);
        for (mark, value) in
            [('-', month), ('-', day), ('T', second / 3600), (':', second / 60 % 60), (':', second % 60)]
        {
            text.push(mark);
            push_digits(&mut text, value, 2);
        }
        push_fraction(&mut text, self.nanos.unsigned_abs());
        text.push('Z');
        Some(text)
    }

    /// Reads RFC 3339 with any offset and up to nine fractional digits.
    ///
    /// Returns `None` for anything else, for leap seconds, and outside the years 1 to 9999 in UTC.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
        if bytes.len() < 20 || marks.iter().any(|(at, mark)| bytes[*at] != *mark) || !matches!(bytes[10], b'T' | b't') {
            return None;
        }
        let year = digits(&bytes[..4])?;
        let (month, day) = (digits(&bytes[5..7])?, digits(&bytes[8..10])?);
        let (hour, minute, second) = (digits(&bytes[11..13])?, digits(&bytes[14..16])?, digits(&bytes[17..19])?);
        if !(1..=12).contains(&month)
            || day < 1
            || day > days_in_month(year, month)
            || hour > 23
            || minute > 59
            || second > 59
        {
            return None;
        }
        let mut rest = &bytes[19..];
        let mut nanos = 0;
        if let Some(fraction) = rest.strip_prefix(b".") {
            let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            nanos = fraction_nanos(&fraction[..length])?;
            rest = &fraction[length..];
        }
        let offset_minutes = match rest {
            b"Z" | b"z" => 0,
            [sign @ (b'+' | b'-'), hours @ .., b':', tens, units] if hours.len() == 2 => {
                let (hours, minutes) = (digits(hours)?, digits(&[*tens, *units])?);
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let minutes = hours * 60 + minutes;
                if *sign == b'-' { -minutes } else { minutes }
            }
            _ => return None,
        };
        let seconds = days_of(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_minutes * 60;
        (SECONDS_MIN..=SECONDS_MAX).contains(&seconds).then_some(Self { seconds, nanos })
    }
}

impl Duration {
    /// As proto3 JSON has it, such as `1.500s`, or `None` when the fields differ in sign or are out of range.
    pub fn to_text(&self) -> Option<String> {
        let signs_differ = self.seconds != 0 && self.nanos != 0 && (self.seconds < 0) != (self.nanos < 0);
        if signs_differ
            || self.seconds.unsigned_abs() > SPAN_SECONDS_MAX as u64
            || self.nanos.unsigned_abs() >= NANOS_PER_SECOND as u32
        {
            return None;
        }
        let sign = if self.seconds < 0 || self.nanos < 0 { "-" } else { "" };
        let mut text = format!("{sign}{}", self.seconds.unsigned_abs());
        push_fraction(&mut text, self.nanos.unsigned_abs());
        text.push('s');
        Some(text)
    }

    /// Reads `3600s`, `1.5s` or `-0.000001s`; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        let text = text.strip_suffix('s')?;
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if whole.is_empty() || whole.len() > 12 {
            return None;
        }
        let seconds = digits(whole.as_bytes())?;
        let nanos = fraction_nanos(fraction.as_bytes())?;
        if seconds > SPAN_SECONDS_MAX {
            return None;
        }
        Some(if negative { Self { seconds: -seconds, nanos: -nanos } } else { Self { seconds, nanos } })
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0_i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

fn fraction_nanos(bytes: &[u8]) -> Option<i32> {
    if bytes.is_empty() || bytes.len() > 9 {
        return None;
    }
    let padding = 10_i64.pow(9 - bytes.len() as u32);
    i32::try_from(digits(bytes)? * padding).ok()
}

fn push_digits(text: &mut String, value: u32, width: u32) {
    for place in (0..width).rev() {
        text.push(char::from(b'0' + (value / 10_u32.pow(place) % 10) as u8));
    }
}

fn push_fraction(text: &mut String, nanos: u32) {
    let (value, width) = match nanos {
        0 => return,
        _ if nanos.is_multiple_of(1_000_000) => (nanos / 1_000_000, 3),
        _ if nanos.is_multiple_of(1_000) => (nanos / 1_000, 6),
        _ => (nanos, 9),
    };
    text.push('.');
    push_digits(text, value, width);
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 of a date of the Gregorian calendar, counted in eras of 400 years that begin in March.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    // 719 468 days lie between 0000-03-01 and 1970-01-01; an era has 146 097.
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_of`].
fn date_of(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}

/// What an instant looks like in JSON, for messages.
pub const TIMESTAMP_EXPECTED: &str = "an RFC 3339 time such as `2026-05-28T20:26:40Z`";
/// What a span looks like in JSON, for messages.
pub const DURATION_EXPECTED: &str = "a span in seconds such as `1.5s`";

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.to_rfc3339().ok_or_else(|| S::Error::custom("time outside the years 1 to 9999"))?;
        serializer.serialize_str(&text)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.to_text().ok_or_else(|| S::Error::custom("span out of range or of two signs"))?;
        serializer.serialize_str(&text)
    }
}

struct TextVisitor<T> {
    expected: &'static str,
    read: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor { expected: TIMESTAMP_EXPECTED, read: Timestamp::from_rfc3339 })
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor { expected: DURATION_EXPECTED, read: Duration::from_text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_print_with_no_more_digits_than_they_have() {
        let check = |nanos, text: &str| {
            assert_eq!(Timestamp { seconds: 1_780_000_000, nanos }.to_rfc3339().as_deref(), Some(text))
        };
        // 1 780 000 000 = 20 601 days (2026-05-28) and 73 600 s (20:26:40).
        check(0, "2026-05-28T20:26:40Z");
        check(250_000_000, "2026-05-28T20:26:40.250Z");
        check(1_000, "2026-05-28T20:26:40.000001Z");
        check(7, "2026-05-28T20:26:40.000000007Z");
    }

    #[test]
    fn offsets_are_taken_off() {
        let z = Timestamp::from_rfc3339("2026-05-28T20:26:40Z");
        assert_eq!(z, Some(Timestamp { seconds: 1_780_000_000, nanos: 0 }));
        assert_eq!(Timestamp::from_rfc3339("2026-05-29T05:56:40+09:30"), z);
        assert_eq!(Timestamp::from_rfc3339("2026-05-28T15:26:40.000-05:00"), z);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "2026-05-28",
            "2026-05-28 20:26:40Z",
            "2026-05-28T20:26:40",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-05-28T24:00:00Z",
            "2026-05-28T20:26:60Z",
            "2026-05-28T20:26:40.Z",
            "2026-05-28T20:26:40.1234567890Z",
            "2026-05-28T20:26:40+0900",
            "2026-05-28T20:26:40+24:00",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-01:00",
            "2026-05-28T20:26:40ZZ",
            "２026-05-28T20:26:4Z",
            "20260-5-28T20:26:40Z",
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn spans_read_and_print() {
        assert_eq!(Duration::from_text("1.5s"), Some(Duration { seconds: 1, nanos: 500_000_000 }));
        assert_eq!(Duration::from_text("-0.000001s"), Some(Duration { seconds: 0, nanos: -1000 }));
        assert_eq!(Duration { seconds: 3600, nanos: 0 }.to_text().as_deref(), Some("3600s"));
        assert_eq!(Duration { seconds: -1, nanos: -500_000_000 }.to_text().as_deref(), Some("-1.500s"));
        assert_eq!(Duration { seconds: 1, nanos: -1 }.to_text(), None);
        for text in ["", "s", "1", "1.s", ".5s", "+1s", "1.0000000000s", "--1s", "315576000001s", "1e3s"] {
            assert_eq!(Duration::from_text(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_comes_back_and_agrees_with_the_calendar(seconds in SECONDS_MIN..=SECONDS_MAX, nanos in 0..NANOS_PER_SECOND) {
            let time = Timestamp { seconds, nanos };
            let text = time.to_rfc3339().unwrap_or_default();
            prop_assert_eq!(Timestamp::from_rfc3339(&text), Some(time));
            let calendar: jiff::Timestamp = text.parse().map_err(|error| TestCaseError::fail(format!("{error}")))?;
            prop_assert_eq!((calendar.as_second(), calendar.subsec_nanosecond()), if seconds < 0 && nanos > 0 { (seconds + 1, nanos - NANOS_PER_SECOND) } else { (seconds, nanos) });
        }

        #[test]
        fn no_text_makes_a_reader_panic(text in "\\PC{0,40}") {
            let _ = Timestamp::from_rfc3339(&text);
            let _ = Duration::from_text(&text);
        }
    }
}
