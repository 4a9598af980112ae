//! Bounds on where the worker really is, gathered from the families that bound it.

use serde::{Deserialize, Serialize};

/// Bounds on the true place. Empty where nothing bounds it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Whereabouts {
    /// Minutes east of Greenwich in force at the event, and probability; entries under 1 % left out.
    pub utc_offsets: Vec<(i32, f64)>,
    /// Farthest the client can be from the vantage, kilometres.
    pub client_distance_max_km: Option<f64>,
    /// Closed loop's round trip, microseconds: 5 % and 95 % of the belief.
    pub loop_rtt_micros: Option<(u32, u32)>,
}
