//! elsewhere: a behavioural session anomaly model service.
//!
//! `ls src` in alphabetical order is the path of a login: **api → event → evidence → history → model → risk →
//! sinks**. Imports run one way; `tests/tidy.rs` fails the build when one turns round:
//!
//! | Room | May import |
//! | --- | --- |
//! | `event` | nothing of ours |
//! | `evidence` | `event`; a family room: `event`, `feature`, `quantile`, `circular`, never another family |
//! | `history` | `event`, `evidence` (profiles), `risk` (verdict, standing) |
//! | `model` | `evidence` (features, parameters) |
//! | `risk` | `evidence::feature`, `model` |
//! | `addresses` | `event` |
//! | `pipeline` | `event` … `risk`, `history` |
//! | `api` | `pipeline`, `addresses`, `event`, `risk`, `history`, `model`, `config` |
//! | `sinks` | `risk` |
//! | `cli` | `pipeline`, `api`, `addresses`, `history`, `model`, `config`, `event`, `risk`, `sinks` |
//!
//! `event`, `evidence`, `model` and `risk` are pure: no I/O but loading a model, no clock, no randomness. Time arrives
//! in the event. `addresses` stands beside the doors: it looks addresses up in the operator's own databases.

pub mod addresses;
pub mod api;
pub mod cli;
pub mod config;
pub mod event;
pub mod evidence;
pub mod history;
pub mod model;
pub mod pipeline;
pub mod risk;
pub mod sinks;
