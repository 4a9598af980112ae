//! The red team: what it costs an operator to get past a model, scenario by scenario.
//!
//! A room of `training` that changes people of the simulated world by powers an operator may declare (`powers.toml`),
//! lets them live through the pipeline as `evaluate world` does, and searches for the cheapest powers that keep them from
//! being flagged. It reads verdicts and nothing inside of the model.
//!
//! - `powers.rs`: the file of powers and what they cost.
//! - `apply.rs`: what a power changes of a life.
//! - `trial.rs`: a candidate lived in companies.
//! - `search.rs`: the search.
//! - `report.rs`, `page.rs`, `command.rs`: what it says, and where.

mod apply;
mod command;
mod page;
mod powers;
mod report;
mod search;
#[cfg(test)]
mod tests;
mod trial;

pub use command::{Arguments, run};
pub use report::Report;
