//! What one event shows that others may share.

use super::{ClaimSummary, KindToken, LinkKind};
use crate::event::{ConnectionType, Samples, Token};

/// The tokens of one event, in a fixed order, each once, and the claim they were seen under.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// Tokens with their kinds.
    pub tokens: Vec<KindToken>,
    /// The claim, when there was one.
    pub claim: Option<ClaimSummary>,
}

/// Span within which two stalls are one, microseconds: a relay's freeze reaches its machines within two seconds.
const STALL_BUCKET_MICROS: i64 = 2_000_000;

/// Collects the tokens of one event.
///
/// An address counts as a household only when it is not known to be an anonymizer's, a data center's, a carrier's or
/// a company's: those are shared by design. Stalls become tokens of their two-second span.
pub fn observe(samples: &Samples) -> Observation {
    let mut tokens = Vec::with_capacity(8);
    if let Some(device) = &samples.device {
        tokens.extend(device.device_token.map(|token| (LinkKind::Device, token)));
        tokens.extend(device.display_token.map(|token| (LinkKind::Display, token)));
        tokens.extend(device.authenticator_token.map(|token| (LinkKind::Authenticator, token)));
    }
    if let Some(network) = &samples.network {
        let household = network.anonymizer_detected != Some(true)
            && matches!(network.connection_type, ConnectionType::Unknown | ConnectionType::Residential);
        if household {
            tokens.extend(network.ip_token.map(|token| (LinkKind::Address, token)));
        }
        tokens.extend(network.site_tokens.iter().map(|token| (LinkKind::Site, *token)));
    }
    if let Some(claim) = &samples.claim {
        tokens.extend(claim.shipping_token.map(|token| (LinkKind::Shipping, token)));
        tokens.extend(claim.intermediary_token.map(|token| (LinkKind::Intermediary, token)));
    }
    if let Some(input) = &samples.remote_input {
        for stall in &input.stall_times {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&stall.0.div_euclid(STALL_BUCKET_MICROS).to_le_bytes());
            tokens.push((LinkKind::Relay, Token(bytes)));
        }
    }
    tokens.sort_unstable();
    tokens.dedup();
    Observation { tokens, claim: samples.claim.as_ref().map(ClaimSummary::of) }
}
