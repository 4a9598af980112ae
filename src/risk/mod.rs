//! The verdict: log-odds become probability, level, advice and reasons; sessions become a standing.
//!
//! A session is judged by its own evidence; a worker is flagged by standing. Everything here is pure.

pub mod advice;
pub mod calibrate;
pub mod catalogue;
pub mod days;
pub mod level;
pub mod reach;
pub mod reasons;
pub mod standing;
pub mod verdict;
pub mod whereabouts;

pub use advice::Advice;
pub use catalogue::Catalogue;
pub use days::{Days, StandingDay, Stood};
pub use level::RiskLevel;
pub use reach::{Declared, Distance, Reach, RemoteControl};
pub use reasons::{Evidence, Reason, ReasonCode};
pub use standing::{Shown, Standing, StandingLevel, WorkerStanding};
pub use verdict::{AddressDatabase, FamilyAssessment, Maturity, ModelReference, Verdict};
pub use whereabouts::Whereabouts;
