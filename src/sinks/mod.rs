//! Out of the service, in somebody else's words: counters and histograms for whoever runs it.
//!
//! Nothing here names a worker, a session or a tenant: what is exported can be shown to anybody who runs the service.

pub mod metrics;
pub mod page;

pub use metrics::Metrics;
