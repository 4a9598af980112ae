//! libFuzzer's door to `bodies::record`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, clippy::expect_used, reason = "each target uses its body; a broken promise shall stop it")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::record(data));
