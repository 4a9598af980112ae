//! Typing: who is at the keyboard, by the rhythm of fixed phrases and of free typing, in tables or in order.
//!
//! May import `event`, `feature` and `quantile`. It never sees a text, a key (beyond the table's opted-in letters) or
//! a worker id.
//!
//! Worked example. A worker's third dwell has a recent mean of 84 ms; today it is 96 ms. In the logarithms that are
//! compared that is ln((96 + 20) / (84 + 20)) = .109. At a predicted spread of .09 this is 1.21 spreads. Such
//! deviations enter one Student-t ratio per time; the sum over all times, by the root of their number, is calibrated.

pub mod accord;
pub mod anchor;
pub mod background;
pub mod calibration;
pub mod compare;
pub mod gate;
pub mod hand;
pub mod handover;
pub mod likeness;
pub mod lineup;
pub mod observe;
pub mod ordered;
pub mod pair;
pub mod phrase;
pub mod profile;
#[cfg(test)]
pub(crate) mod sample;
pub mod synthetic;
pub mod table;
mod table_place;
mod table_population;
mod table_profile;
mod table_sample;

pub use background::PhraseBackground;
pub use compare::{compare, lesson, phrase_log_odds, teaches_ordered};
pub use gate::Lesson;
pub use hand::Hand;
pub use observe::{Observation, observe};
pub use pair::PairRatio;
pub use profile::Profile;

use serde::{Deserialize, Serialize};

/// How the other workers of the tenant type; nothing is known of them by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Background<'a> {
    /// The event's phrase, where any other worker types it.
    pub phrase: Option<&'a PhraseBackground>,
    /// Tables, where any other worker's were learned.
    pub table: Option<&'a table::TableBackground>,
}

/// What training fits for this family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Fixed phrases.
    pub phrase: phrase::PhraseParameters,
    /// Cadence tables.
    pub table: table::TableParameters,
    /// Phrases of two workers beside each other; absent in models made before it, and then phrases say nothing of pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phrase_pair: Option<pair::PhrasePairParameters>,
    /// Machine-made typing.
    pub synthetic: synthetic::SyntheticParameters,
    /// Ordered free typing; empty in models that were made before it, which makes it abstain.
    #[serde(default)]
    pub ordered: ordered::OrderedParameters,
}

impl Parameters {
    /// Checks that every number is finite, every length is as the code expects and every spread is positive.
    ///
    /// # Errors
    /// Names the first number that is not.
    pub fn check(&self) -> Result<(), String> {
        self.phrase.check()?;
        self.table.check()?;
        self.phrase_pair.as_ref().map_or(Ok(()), |pair| pair.check())?;
        self.synthetic.check()?;
        self.ordered.check()
    }
}
