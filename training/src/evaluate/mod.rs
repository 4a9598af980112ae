//! Figures: what a model is worth, on real data where there are any and on simulated companies.

pub mod drawing;
pub mod network;
pub mod page;
pub mod remote_input;
pub mod timezone;
pub mod typing;
pub mod world;

use crate::request::{Figure, Scorer};
use std::path::Path;

/// Makes a scorer with an empty store.
pub type NewScorer<'a> = dyn FnMut() -> Box<dyn Scorer> + 'a;

/// Measures the figures of one family.
pub type Evaluate = fn(&Path, &mut NewScorer<'_>, u64) -> Result<Vec<Figure>, String>;

/// The families with figures on real data, by the name the command line uses.
pub const FAMILIES: [(&str, Evaluate); 4] = [
    ("typing", |data, new_scorer, seed| typing::evaluate(data, new_scorer, seed)),
    ("remote-input", |data, new_scorer, seed| remote_input::evaluate(data, new_scorer, seed)),
    ("network", |data, new_scorer, seed| network::evaluate(data, new_scorer, seed)),
    ("timezone", |data, new_scorer, seed| timezone::evaluate(data, new_scorer, seed)),
];
