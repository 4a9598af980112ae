//! What the service would do. Advice only: the caller decides, and a person decides about people.

use super::level::RiskLevel;
use serde::{Deserialize, Serialize};

/// What the service would do. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Advice {
    /// Let the session go on.
    Continue = 1,
    /// Ask for a phishing-resistant factor.
    StepUp = 2,
    /// Ask a person to look; let the session go on.
    Review = 3,
    /// Hold the session until a person has looked.
    Hold = 4,
}

/// Advice by the session's level and the worker's standing.
///
/// A session alone never leads further than a person's look; only a flagged worker's high session is held.
pub fn advise(level: RiskLevel, flagged: bool) -> Advice {
    match (level, flagged) {
        (RiskLevel::High, true) => Advice::Hold,
        (RiskLevel::High, false) | (_, true) => Advice::Review,
        (RiskLevel::Medium, false) => Advice::StepUp,
        (RiskLevel::Low, false) => Advice::Continue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_session_of_an_unflagged_worker_is_held() {
        for level in [RiskLevel::Low, RiskLevel::Medium, RiskLevel::High] {
            assert_ne!(advise(level, false), Advice::Hold);
        }
        assert_eq!(advise(RiskLevel::High, true), Advice::Hold);
        assert_eq!(advise(RiskLevel::Low, true), Advice::Review);
    }
}
