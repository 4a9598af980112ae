//! Nonces: issued without being kept, since they carry their own proof, and kept once used until they lapse.
//!
//! A nonce is 40 bytes in hexadecimal: when it lapses, a number drawn at random, a tag of the session it is for, and a
//! keyed hash over these under the tenant's key. Issuing a million costs no memory; what is remembered is what was
//! used within the last minutes, on disk too, so that a restart forgives no replay.

use super::lock;
use crate::event::EventTime;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a nonce is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonceFault {
    /// This service did not issue it, or not to this tenant.
    Unknown,
    /// Its time is over.
    Lapsed,
    /// Another event has used it.
    Used,
    /// It was issued for another session.
    OtherSession,
}

/// Names a used nonce: when it lapses, and its hash.
pub(super) type Spent = (i64, [u8; 16]);

/// A nonce as an event carries it, looked at but not yet spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonceClaim(pub(super) Result<Spent, NonceFault>);

impl NonceClaim {
    /// What is wrong with the nonce whether or not it was used; `None` when nothing is.
    pub fn fault(&self) -> Option<NonceFault> {
        self.0.err()
    }
}

/// What makes and checks the nonces of one tenant.
#[derive(Clone)]
pub struct NonceKey([u8; 32]);

impl std::fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NonceKey")
    }
}

const BYTES: usize = 40;
/// Lapse, drawn number and session tag: what the hash covers.
const COVERED_BYTES: usize = 24;

/// HMAC-SHA-256 (RFC 2104) with a key of 32 bytes, cut to 16.
fn keyed_hash(key: &[u8; 32], purpose: &[u8], text: &[u8]) -> [u8; 16] {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key).for_each(|(padded, key)| *padded ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(purpose).chain_update(text).finalize();
    let outer: [u8; 32] = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into();
    let mut cut = [0; 16];
    cut.copy_from_slice(&outer[..16]);
    cut
}

impl NonceKey {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn tag(&self, session_id: &str) -> [u8; 8] {
        let mut tag = [0; 8];
        tag.copy_from_slice(&keyed_hash(&self.0, b"session:", session_id.as_bytes())[..8]);
        tag
    }

    /// A nonce for a session, valid until `expire_time`.
    pub fn issue(&self, session_id: &str, expire_time: EventTime) -> String {
        static ISSUED: AtomicU64 = AtomicU64::new(0);
        // A hasher keyed by the operating system's randomness, over a count: no two alike in a process.
        let drawn = RandomState::new().hash_one(ISSUED.fetch_add(1, Ordering::Relaxed));
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&expire_time.0.to_be_bytes());
        bytes.extend_from_slice(&drawn.to_be_bytes());
        bytes.extend_from_slice(&self.tag(session_id));
        bytes.extend_from_slice(&keyed_hash(&self.0, b"nonce:", &bytes));
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Looks at a nonce that an event of a session carries.
    pub fn look(&self, nonce: &str, session_id: &str, now: EventTime) -> NonceClaim {
        NonceClaim(self.check(nonce, session_id, now))
    }

    fn check(&self, nonce: &str, session_id: &str, now: EventTime) -> Result<Spent, NonceFault> {
        let bytes = parse(nonce).ok_or(NonceFault::Unknown)?;
        let (covered, hash) = bytes.split_at(COVERED_BYTES);
        let expected = keyed_hash(&self.0, b"nonce:", covered);
        // All bytes are compared, so that the time taken tells nothing of how many were right.
        if expected.iter().zip(hash).fold(0, |sum, (a, b)| sum | (a ^ b)) != 0 {
            return Err(NonceFault::Unknown);
        }
        let expire = covered.first_chunk::<8>().map_or(0, |time| i64::from_be_bytes(*time));
        if now.0 > expire {
            return Err(NonceFault::Lapsed);
        }
        if covered[16..] != self.tag(session_id) {
            return Err(NonceFault::OtherSession);
        }
        Ok((expire, expected))
    }
}

fn parse(nonce: &str) -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    // Digits are looked at one by one: the standard parser also takes a sign.
    if nonce.len() != 2 * BYTES || !nonce.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(nonce.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// The nonces of one tenant that were used and have not lapsed.
#[derive(Default)]
pub(super) struct Nonces {
    spent: Mutex<BTreeSet<Spent>>,
}

impl Nonces {
    /// Spends a nonce. Returns its name, and those of others that have lapsed by now and are forgotten.
    pub(super) fn spend(&self, claim: NonceClaim, now: EventTime) -> Result<(Spent, Vec<Spent>), NonceFault> {
        let name = claim.0?;
        let mut spent = lock(&self.spent);
        let mut lapsed = Vec::new();
        while let Some(first) = spent.first().copied().filter(|(expire, _)| now.0 > *expire) {
            spent.remove(&first);
            lapsed.push(first);
        }
        if spent.insert(name) { Ok((name, lapsed)) } else { Err(NonceFault::Used) }
    }

    /// Puts back a used nonce as it was read from disk.
    pub(super) fn restore(&self, name: Spent) {
        lock(&self.spent).insert(name);
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        lock(&self.spent).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> NonceKey {
        NonceKey::new([7; 32])
    }

    #[test]
    fn the_keyed_hash_is_that_of_rfc_4231() {
        // Its cases have other key lengths; this one was computed with another implementation: HMAC-SHA-256 of
        // "Hi There" under a key of 32 bytes of 0x0b.
        let told = keyed_hash(&[0x0b; 32], b"Hi ", b"There");
        assert_eq!(told[..4], HI_THERE);
    }

    const HI_THERE: [u8; 4] = [0x19, 0x8a, 0x60, 0x7e];

    #[test]
    fn a_nonce_is_good_once_for_its_own_session_until_it_lapses() {
        let nonces = Nonces::default();
        let nonce = key().issue("s-1", EventTime(100));
        let spend = |nonce: &str, session: &str, key: &NonceKey, now: i64| {
            let now = EventTime(now);
            nonces.spend(key.look(nonce, session, now), now).map(|_| ())
        };
        assert_eq!(spend(&nonce, "s-2", &key(), 50), Err(NonceFault::OtherSession));
        assert_eq!(spend(&nonce, "", &key(), 50), Err(NonceFault::OtherSession));
        assert_eq!(spend(&nonce, "s-1", &NonceKey::new([8; 32]), 50), Err(NonceFault::Unknown));
        assert_eq!(spend(&nonce, "s-1", &key(), 101), Err(NonceFault::Lapsed));
        assert_eq!(spend(&nonce, "s-1", &key(), 100), Ok(()));
        assert_eq!(spend(&nonce, "s-1", &key(), 100), Err(NonceFault::Used));
        for bad in ["", "abc", &nonce[2..], &format!("+{}", &nonce[1..]), &nonce.replace(&nonce[..2], "zz")] {
            assert_eq!(spend(bad, "s-1", &key(), 50), Err(NonceFault::Unknown), "{bad}");
        }
        assert_ne!(nonce, key().issue("s-1", EventTime(100)));
    }

    #[test]
    fn lapsed_nonces_are_forgotten() {
        let nonces = Nonces::default();
        for now in 0..1_000 {
            let nonce = key().issue("s", EventTime(now + 10));
            assert!(nonces.spend(key().look(&nonce, "s", EventTime(now)), EventTime(now)).is_ok());
            assert!(nonces.count() <= 11);
        }
    }
}
