//! Where requests come from: readers of real data sets, one file each.
//!
//! Real data are read from a directory given on the command line and never enter the repository.

pub mod captures;
pub mod keyboard;
pub mod keystroke;
pub mod logins;
pub mod machine_typing;
pub mod motion;
pub mod pings;
pub mod rhythm;
