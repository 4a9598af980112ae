//! Numbers as proto3 JSON has them: integers, integral floats and decimal strings; for doubles `NaN` and the infinities.
//!
//! Stands in for pbjson's reader, which buffers each number before looking at it: a login has some 300 of them.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

/// A number read from JSON.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(transparent)]
pub struct Number<T>(pub T);

/// What the wire has as a number.
pub trait Numeric: Sized {
    /// What is expected, for messages.
    const EXPECTED: &'static str;
    /// From a JSON integer; `None` out of range.
    fn from_u64(value: u64) -> Option<Self>;
    /// From a negative JSON integer; `None` out of range.
    fn from_i64(value: i64) -> Option<Self>;
    /// From a JSON number with point or exponent; `None` out of range or not integral where it must be.
    fn from_f64(value: f64) -> Option<Self>;
    /// From a JSON string; `None` when it holds no such number.
    fn from_text(text: &str) -> Option<Self>;
}

/// Reads a number by the grammar of JSON, which knows no plus sign, no blanks and no hexadecimal.
fn json_float(text: &str) -> Option<f64> {
    let edges_sound = text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_digit());
    if edges_sound { serde_json::from_str(text).ok() } else { None }
}

macro_rules! integer {
    ($($type:ty: $expected:literal, $below:literal;)*) => {$(
        impl Numeric for $type {
            const EXPECTED: &'static str = $expected;
            #[inline]
            fn from_u64(value: u64) -> Option<Self> {
                Self::try_from(value).ok()
            }
            #[inline]
            fn from_i64(value: i64) -> Option<Self> {
                Self::try_from(value).ok()
            }
            fn from_f64(value: f64) -> Option<Self> {
                // `$below` is the first power of two past the type, exact in a double where the type's last value is not.
                let fits = value.fract() == 0.0 && value >= <$type>::MIN as f64 && value < $below;
                fits.then_some(value as $type)
            }
            fn from_text(text: &str) -> Option<Self> {
                if text.starts_with('+') {
                    return None;
                }
                text.parse().ok().or_else(|| json_float(text).and_then(Self::from_f64))
            }
        }
    )*};
}

integer! {
    u32: "a whole number from 0 to 4294967295", 4_294_967_296.0;
    i32: "a whole number from -2147483648 to 2147483647", 2_147_483_648.0;
    u64: "a whole number from 0 to 18446744073709551615", 18_446_744_073_709_551_616.0;
    i64: "a whole number from -9223372036854775808 to 9223372036854775807", 9_223_372_036_854_775_808.0;
}

impl Numeric for f64 {
    const EXPECTED: &'static str = "a number";
    fn from_u64(value: u64) -> Option<Self> {
        Some(value as f64)
    }
    fn from_i64(value: i64) -> Option<Self> {
        Some(value as f64)
    }
    fn from_f64(value: f64) -> Option<Self> {
        Some(value)
    }
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => json_float(text),
        }
    }
}

impl Numeric for f32 {
    const EXPECTED: &'static str = "a number";
    fn from_u64(value: u64) -> Option<Self> {
        Some(value as f32)
    }
    fn from_i64(value: i64) -> Option<Self> {
        Some(value as f32)
    }
    fn from_f64(value: f64) -> Option<Self> {
        let narrow = value as f32;
        (narrow.is_finite() || !value.is_finite()).then_some(narrow)
    }
    fn from_text(text: &str) -> Option<Self> {
        f64::from_text(text).and_then(Self::from_f64)
    }
}

struct NumberVisitor<T>(PhantomData<T>);

impl<T: Numeric> Visitor<'_> for NumberVisitor<T> {
    type Value = Number<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    #[inline]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        T::from_u64(value).map(Number).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    #[inline]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
        T::from_i64(value).map(Number).ok_or_else(|| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
        T::from_f64(value).map(Number).ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
        T::from_text(value).map(Number).ok_or_else(|| E::invalid_value(Unexpected::Str(value), &self))
    }
}

impl<'de, T: Numeric> Deserialize<'de> for Number<T> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Numeric>(json: &str) -> Option<T> {
        serde_json::from_str::<Number<T>>(json).ok().map(|number| number.0)
    }

    #[test]
    fn integers_come_plain_integral_or_quoted() {
        for json in ["150000", "150000.0", "1.5e5", "\"150000\"", "\"150000.0\"", "\"1.5e5\""] {
            assert_eq!(read::<u32>(json), Some(150_000), "{json}");
        }
        assert_eq!(read::<i32>("-7"), Some(-7));
        assert_eq!(read::<i32>("\"-7\""), Some(-7));
        assert_eq!(read::<i64>("\"-9223372036854775808\""), Some(i64::MIN));
        assert_eq!(read::<u64>("\"18446744073709551615\""), Some(u64::MAX));
    }

    #[test]
    fn what_is_not_an_integer_of_the_type_is_refused() {
        for json in [
            "-1",
            "4294967296",
            "1.5",
            "4294967296.0",
            "\"\"",
            "\" 1\"",
            "\"+1\"",
            "\"0x1\"",
            "\"1 \"",
            "\"NaN\"",
            "\"-1\"",
            "true",
            "null",
            "[1]",
        ] {
            assert_eq!(read::<u32>(json), None, "{json}");
        }
        // 2^63 is the first double past the type and must not saturate into it.
        assert_eq!(read::<i64>("9223372036854775808.0"), None);
        assert_eq!(read::<i32>("-2147483649"), None);
    }

    #[test]
    fn doubles_may_say_that_they_are_not_finite() {
        assert_eq!(read::<f64>("\"Infinity\""), Some(f64::INFINITY));
        assert_eq!(read::<f64>("\"-Infinity\""), Some(f64::NEG_INFINITY));
        assert!(read::<f64>("\"NaN\"").is_some_and(f64::is_nan));
        assert_eq!(read::<f64>("\"36.16\""), Some(36.16));
        assert_eq!(read::<f64>("36"), Some(36.0));
        for json in ["\"inf\"", "\"nan\"", "\"infinity\"", "\".5\"", "\"5.\"", "\"+1\"", "false"] {
            assert_eq!(read::<f64>(json), None, "{json}");
        }
        assert_eq!(read::<f32>("1e39"), None);
    }
}
