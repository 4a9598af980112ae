//! What an entry of an address database tells, in the shapes that databases on the market use.
//!
//! Decoded by shape and not by the database's name, so that a database an operator made or bought elsewhere works too:
//! a country as a map with `iso_code` or as a bare code, coordinates under `location` or beside it, an autonomous
//! system as a number or as `AS64496`, facts at the top or under `traits`.

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// One entry, everything in it optional. What is not named here is skipped unread.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    pub country: Code<'a>,
    #[serde(borrow)]
    pub country_code: Code<'a>,
    #[serde(borrow)]
    pub subdivisions: Vec<Subdivision<'a>>,
    pub location: Location,
    #[serde(alias = "lat")]
    pub latitude: Number,
    #[serde(alias = "lng")]
    pub longitude: Number,
    #[serde(alias = "asn")]
    pub autonomous_system_number: WholeNumber,
    #[serde(borrow)]
    pub connection_type: Option<&'a str>,
    #[serde(borrow)]
    pub traits: Traits<'a>,
    pub is_anonymous_vpn: Option<bool>,
    pub is_public_proxy: Option<bool>,
    pub is_residential_proxy: Option<bool>,
    pub is_tor_exit_node: Option<bool>,
    pub is_hosting_provider: Option<bool>,
}

/// Facts that some databases keep one level down.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Traits<'a> {
    pub autonomous_system_number: WholeNumber,
    #[serde(borrow)]
    pub connection_type: Option<&'a str>,
    pub is_anonymous_vpn: Option<bool>,
    pub is_public_proxy: Option<bool>,
    pub is_residential_proxy: Option<bool>,
    pub is_tor_exit_node: Option<bool>,
    pub is_hosting_provider: Option<bool>,
}

/// A part of a country.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Subdivision<'a> {
    #[serde(borrow)]
    pub iso_code: Option<&'a str>,
}

/// Coordinates.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Location {
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    // Whole numbers come in the narrowest width that holds them, and the reader wants just the width it is asked for.
    pub accuracy_radius: WholeNumber,
}

/// A code alone, or the `iso_code` of a map.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Code<'a>(pub Option<&'a str>);

impl<'de: 'a, 'a> Deserialize<'de> for Code<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Code<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a code, or a map with iso_code")
            }
            fn visit_borrowed_str<E>(self, code: &'de str) -> Result<Code<'de>, E> {
                Ok(Code(Some(code)))
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Code<'de>, M::Error> {
                let mut code = None;
                while let Some(key) = map.next_key::<&str>()? {
                    if key == "iso_code" {
                        code = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Code(code))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A number, or its digits.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Number(pub Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or its digits")
            }
            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number(Some(number)))
            }
            fn visit_f32<E>(self, number: f32) -> Result<Number, E> {
                Ok(Number(Some(f64::from(number))))
            }
            fn visit_str<E>(self, digits: &str) -> Result<Number, E> {
                Ok(Number(digits.parse().ok()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A whole number of any width, or the number after `AS`.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct WholeNumber(pub Option<u32>);

impl<'de> Deserialize<'de> for WholeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = WholeNumber;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_u16<E>(self, number: u16) -> Result<WholeNumber, E> {
                Ok(WholeNumber(Some(u32::from(number))))
            }
            fn visit_u32<E>(self, number: u32) -> Result<WholeNumber, E> {
                Ok(WholeNumber(Some(number)))
            }
            fn visit_u64<E>(self, number: u64) -> Result<WholeNumber, E> {
                Ok(WholeNumber(u32::try_from(number).ok()))
            }
            fn visit_str<E>(self, name: &str) -> Result<WholeNumber, E> {
                Ok(WholeNumber(name.trim_start_matches("AS").parse().ok()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
