//! The trained model: findings become log-odds with exact contributions.
//!
//! A model is a directory `models/<id>/` with `model.json`, `card.md`, `evaluation.json` and `SHA256SUMS`. Loading
//! verifies the hashes and the feature schema; a model that cannot be attributed exactly is not served.
//!
//! Worked example: base -6.91 (one in a thousand), findings `remote_input.pointer` 3.0 x .9 and `typing.phrase`
//! -1.0 x .8: risk log-odds -6.91 + 2.7 - .8 = -5.01, and the two products are the contributions.

pub mod additive;
pub mod artefact;
pub mod operator_cluster;
pub mod reference;
pub mod standing_model;

pub use additive::{Additive, Contribution, Term, Weighed};
pub use artefact::{ArtefactError, Calibration, Levels, Model, ModelFile, OperatingPoint};
pub use reference::Reference;
pub use standing_model::{FindingModel, StandingModel};
