//! Fits: constants of the evidence families on data that may ship, weights and standings on simulated companies.

pub mod forest;
pub mod network;
pub mod remote_input;
pub mod standing;
pub mod timezone;
pub mod typing;
pub mod world;
