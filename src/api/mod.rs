//! The wire: the only room that knows prost, tonic and status codes.
//!
//! Everything a caller may send arrives here and leaves as a domain type; everything a caller reads is put into its wire
//! form here. It may not look into `evidence`: what a verdict says, `risk` has said.
//!
//! Worked example: `AssessSession` with a good login passes `doors` (tenant, permit), `convert` (columns moved),
//! `event` (checked), `pipeline` (scored), the store's ticket (on disk) and `reply` (wire form); with a bad one it ends
//! in `refusal`, which names every field at once.

pub mod assess;
mod cancel;
pub mod client;
mod content_hash;
pub mod convert;
mod deadline;
pub mod doors;
mod feedback;
pub mod json_line;
mod linkage;
mod model;
pub mod monitor;
mod profile;
pub mod refusal;
pub mod reply;
pub mod server;
mod standing;
pub mod tenant;
mod watch;
pub mod wire;
