//! How things are written down: keys that sort by tenant, values that name their format before anything else.
//!
//! The database under it checks every block and journal entry against a checksum, so none is added here.

use super::labels::KeptFeedback;
use super::neighbours::Held;
use super::nonces::Spent;
use super::replies::Reply;
use super::tombstones::Stone;
use super::{Kept, Record, StoreError};
use crate::event::EventTime;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Version of what this room adds around records and verdicts. Written first in every value and in the store itself.
pub(super) const FORMAT: u8 = 1;

// Identifiers hold no zero byte (the event room sees to it), so zero ends them.
const END: u8 = 0;

/// Key of a worker, or of an event id.
pub(super) fn name_key(tenant: u32, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(4 + name.len());
    key.extend_from_slice(&tenant.to_be_bytes());
    key.extend_from_slice(name.as_bytes());
    key
}

/// Start of the keys of all replies of one worker.
pub(super) fn replies_of_worker_prefix(tenant: u32, worker: &str) -> Vec<u8> {
    let mut key = name_key(tenant, worker);
    key.push(END);
    key
}

/// Key that says: this reply is this worker's, entered at this time.
pub(super) fn reply_of_worker_key(tenant: u32, worker: &str, clock: EventTime, event_id: &str) -> Vec<u8> {
    let mut key = replies_of_worker_prefix(tenant, worker);
    key.reserve_exact(8 + event_id.len());
    key.extend_from_slice(&clock.0.to_be_bytes());
    key.extend_from_slice(event_id.as_bytes());
    key
}

/// Key of a tombstone.
pub(super) fn stone_key(tenant: u32, stone: &Stone) -> Vec<u8> {
    [&tenant.to_be_bytes()[..], stone].concat()
}

/// Tenant and the rest of any key.
pub(super) fn split_key(key: &[u8]) -> Option<(u32, &[u8])> {
    let (tenant, rest) = key.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*tenant), rest))
}

/// Clock and event id of a [`reply_of_worker_key`].
pub(super) fn split_reply_of_worker_key(key: &[u8]) -> Option<(u32, EventTime, &str)> {
    let (tenant, rest) = split_key(key)?;
    let end = rest.iter().position(|byte| *byte == END)?;
    let (clock, event_id) = rest.get(end + 1..)?.split_first_chunk::<8>()?;
    Some((tenant, EventTime(i64::from_be_bytes(*clock)), std::str::from_utf8(event_id).ok()?))
}

#[derive(Serialize)]
struct WorkerOut<'a, R> {
    record: &'a R,
    held: &'a [Held],
}

#[derive(Deserialize)]
struct WorkerIn<R> {
    record: R,
    held: Vec<Held>,
}

/// Writes down a worker.
pub(super) fn encode_worker<R: Record>(record: &R, held: &[Held]) -> Result<Vec<u8>, StoreError> {
    encode(R::FORMAT, &WorkerOut { record, held })
}

/// Reads a worker.
///
/// # Errors
/// When the bytes are of another format or cut off, or when the record holds what this program never writes.
pub(super) fn decode_worker<R: Record>(worker: &str, bytes: &[u8]) -> Result<(R, Vec<Held>), StoreError> {
    let what = || format!("the record of the worker whose id has the SHA-256 {}...", digest(worker));
    if let [FORMAT, format, body @ ..] = bytes
        && *format != R::FORMAT
        && let Some(older) = R::read_older(*format, body)
    {
        let damaged = |error: postcard::Error| StoreError::Damaged { what: what(), cause: error.to_string() };
        let (record, rest) = older.map_err(damaged)?;
        let (held, rest) = postcard::take_from_bytes(rest).map_err(damaged)?;
        return sound(whole((record, held), rest, &what)?, &what);
    }
    let read: WorkerIn<R> = decode(R::FORMAT, bytes, &what)?;
    sound((read.record, read.held), &what)
}

/// A worker whose record holds nothing that this program never writes.
fn sound<R: Record>(worker: (R, Vec<Held>), what: &dyn Fn() -> String) -> Result<(R, Vec<Held>), StoreError> {
    match worker.0.unsound() {
        None => Ok(worker),
        Some(name) => Err(StoreError::Damaged { what: what(), cause: format!("`{name}` is out of range") }),
    }
}

/// First eight bytes of the SHA-256 of a name, in hexadecimal: errors end in logs, and logs carry no worker ids.
pub(super) fn digest(name: &str) -> String {
    Sha256::digest(name.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Serialize)]
struct ReplyOut<'a, V> {
    content_hash: [u8; 32],
    worker: &'a str,
    assess_time: EventTime,
    clock: EventTime,
    verdict: &'a V,
}

#[derive(Deserialize)]
struct ReplyIn<V> {
    content_hash: [u8; 32],
    worker: String,
    assess_time: EventTime,
    clock: EventTime,
    verdict: V,
}

/// Writes down a reply.
pub(super) fn encode_reply<V: Kept>(reply: &Reply<V>) -> Result<Vec<u8>, StoreError> {
    let Reply { content_hash, assess_time, clock, .. } = *reply;
    // INVARIANT: only scored events are written.
    let unscored = || StoreError::Unwritable { cause: "a verdict was to be written before it was given".into() };
    let verdict = reply.verdict.as_deref().ok_or_else(unscored)?;
    let mut bytes = encode(V::FORMAT, &ReplyOut { content_hash, worker: &reply.worker, assess_time, clock, verdict })?;
    let addition = verdict.addition().map_err(|error| StoreError::Unwritable { cause: error.to_string().into() })?;
    bytes.extend(addition);
    Ok(bytes)
}

/// Reads a reply.
pub(super) fn decode_reply<V: Kept>(event_id: &str, bytes: &[u8]) -> Result<Reply<V>, StoreError> {
    let what = || format!("the verdict on event `{event_id}`");
    let (mut read, rest): (ReplyIn<V>, _) = decode_first(V::FORMAT, bytes, &what)?;
    let damaged = |error: postcard::Error| StoreError::Damaged { what: what(), cause: error.to_string() };
    let rest = read.verdict.add(rest).map_err(damaged)?;
    let read = whole(read, rest, &what)?;
    Ok(Reply {
        content_hash: read.content_hash,
        worker: read.worker.into(),
        assess_time: read.assess_time,
        clock: read.clock,
        verdict: Some(Arc::new(read.verdict)),
    })
}

fn encode(format: u8, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(value, vec![FORMAT, format])
        .map_err(|error| StoreError::Unwritable { cause: error.to_string().into() })
}

fn decode<T: DeserializeOwned>(format: u8, bytes: &[u8], what: &dyn Fn() -> String) -> Result<T, StoreError> {
    let (value, rest) = decode_first(format, bytes, what)?;
    whole(value, rest, what)
}

/// What stands first in a value, and what follows it.
fn decode_first<'a, T: DeserializeOwned>(
    format: u8,
    bytes: &'a [u8],
    what: &dyn Fn() -> String,
) -> Result<(T, &'a [u8]), StoreError> {
    let damaged = |cause: String| StoreError::Damaged { what: what(), cause };
    let [ours, theirs, body @ ..] = bytes else {
        return Err(damaged("it is cut off".into()));
    };
    for (found, expected) in [(*ours, FORMAT), (*theirs, format)] {
        if found != expected {
            return Err(StoreError::UnknownFormat { what: what(), found, expected });
        }
    }
    postcard::take_from_bytes(body).map_err(|error| damaged(error.to_string()))
}

/// What was read, if nothing is left over.
fn whole<T>(value: T, rest: &[u8], what: &dyn Fn() -> String) -> Result<T, StoreError> {
    let cause = || format!("{} bytes too many", rest.len());
    if rest.is_empty() { Ok(value) } else { Err(StoreError::Damaged { what: what(), cause: cause() }) }
}

/// Key of a tenant's number.
pub(super) fn tenant_key(name: &str) -> Vec<u8> {
    [TENANT_PREFIX, name.as_bytes()].concat()
}

/// What the keys of tenants begin with.
pub(super) const TENANT_PREFIX: &[u8] = b"tenant/";

/// Writes down when a worker was erased.
pub(super) fn encode_erasure(time: EventTime) -> Vec<u8> {
    [&[FORMAT][..], &time.0.to_be_bytes()].concat()
}

/// Reads when a worker was erased.
pub(super) fn decode_erasure(bytes: &[u8]) -> Result<EventTime, StoreError> {
    let what = || "an erasure".to_string();
    let damaged = |cause: &str| StoreError::Damaged { what: what(), cause: cause.into() };
    let (found, time) = bytes.split_first().ok_or_else(|| damaged("it is cut off"))?;
    if *found != FORMAT {
        return Err(StoreError::UnknownFormat { what: what(), found: *found, expected: FORMAT });
    }
    let time: [u8; 8] = time.try_into().map_err(|_| damaged("its length is wrong"))?;
    Ok(EventTime(i64::from_be_bytes(time)))
}

/// Key of a used nonce.
pub(super) fn nonce_key(tenant: u32, (expire, hash): &Spent) -> Vec<u8> {
    [&tenant.to_be_bytes()[..], &expire.to_be_bytes(), hash].concat()
}

/// Tenant and name of a [`nonce_key`].
pub(super) fn split_nonce_key(key: &[u8]) -> Option<(u32, Spent)> {
    let (tenant, rest) = split_key(key)?;
    let (expire, hash) = rest.split_first_chunk::<8>()?;
    Some((tenant, (i64::from_be_bytes(*expire), hash.try_into().ok()?)))
}

/// Writes down whose session it is, and when its latest event was entered.
pub(super) fn encode_session(clock: EventTime, worker: &str) -> Vec<u8> {
    [&[FORMAT][..], &clock.0.to_be_bytes(), worker.as_bytes()].concat()
}

/// Reads whose session it is.
pub(super) fn decode_session(session_id: &str, bytes: &[u8]) -> Result<(EventTime, String), StoreError> {
    let what = || format!("session `{session_id}`");
    let (clock, worker) = ours(bytes, &what)?;
    let worker = String::from_utf8(worker.to_vec());
    let worker = worker.map_err(|error| StoreError::Damaged { what: what(), cause: error.to_string() })?;
    Ok((EventTime(i64::from_be_bytes(clock)), worker))
}

/// Writes down the number of a change, and whether the worker stands out since.
pub(super) fn encode_change(number: u64, raised: bool) -> Vec<u8> {
    [&[FORMAT][..], &number.to_be_bytes(), &[u8::from(raised)]].concat()
}

/// Reads the number of a change.
pub(super) fn decode_change(bytes: &[u8]) -> Result<(u64, bool), StoreError> {
    let (number, raised) = ours(bytes, &|| "a change of standing".to_string())?;
    Ok((u64::from_be_bytes(number), raised == [1]))
}

/// Writes down the name of a cluster.
pub(super) fn encode_cluster(name: u64) -> Vec<u8> {
    [&[FORMAT][..], &name.to_be_bytes()].concat()
}

/// Reads the name of a cluster.
pub(super) fn decode_cluster(bytes: &[u8]) -> Result<u64, StoreError> {
    ours(bytes, &|| "the name of a cluster".to_string()).map(|(name, _)| u64::from_be_bytes(name))
}

/// The eight bytes after our format's version, and the rest.
fn ours<'a>(bytes: &'a [u8], what: &dyn Fn() -> String) -> Result<([u8; 8], &'a [u8]), StoreError> {
    let cut_off = || StoreError::Damaged { what: what(), cause: "it is cut off".into() };
    let (found, rest) = bytes.split_first().ok_or_else(cut_off)?;
    if *found != FORMAT {
        return Err(StoreError::UnknownFormat { what: what(), found: *found, expected: FORMAT });
    }
    rest.split_first_chunk::<8>().map(|(first, rest)| (*first, rest)).ok_or_else(cut_off)
}

/// Version of the form of feedback.
const FEEDBACK_FORMAT: u8 = 1;

/// Writes down an entry of feedback.
pub(super) fn encode_label(entry: &KeptFeedback) -> Result<Vec<u8>, StoreError> {
    encode(FEEDBACK_FORMAT, entry)
}

/// Reads an entry of feedback.
pub(super) fn decode_label(feedback_id: &str, bytes: &[u8]) -> Result<KeptFeedback, StoreError> {
    decode(FEEDBACK_FORMAT, bytes, &|| format!("feedback `{feedback_id}`"))
}
