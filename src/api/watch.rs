//! WatchStandings: who watches, and one watcher's course from change to change.
//!
//! A watcher holds a number, not a queue: it asks the store what changed since and gets of each worker the standing as it
//! is now. So a slow one costs a login nothing and memory nothing, and whoever comes back with a token goes on.

use super::doors::{Doors, Permit};
use super::refusal::Refusal;
use super::reply;
use super::wire::WatchStandingsResponse;
use crate::event::limits;
use crate::history::{StoreError, TenantId};
use crate::pipeline::{Failure, Pipeline};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tonic::Status;

/// Changes asked of the store at once.
const CHANGES_AT_ONCE: usize = 64;
/// Standings a watcher may be ahead of its reader; beyond, HTTP/2 flow control holds it.
pub const STANDINGS_AHEAD: usize = 16;
/// How long a watcher may take nothing before its place is given to another: it resumes when it comes back.
const STALLED_AFTER: Duration = Duration::from_secs(15 * 60);

/// Everybody who watches.
pub struct Watchers {
    changed: watch::Receiver<()>,
    places: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
}

impl Watchers {
    /// Listens to a pipeline's store.
    pub fn of(pipeline: &Pipeline) -> Self {
        let (tell, changed) = watch::channel(());
        pipeline.store().listen(Arc::new(move || {
            // Fails only when no service is left to hear it.
            let _ = tell.send(());
        }));
        Self { changed, places: Mutex::default() }
    }

    /// A place among a tenant's watchers, if one is free.
    pub fn place(&self, tenant: TenantId) -> Option<Permit> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let of = places.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(limits::WATCHERS_PER_TENANT_MAX)));
        Arc::clone(of).try_acquire_owned().ok()
    }
}

/// What marks tokens of one tenant of one store.
fn mark(doors: &Doors, tenant: TenantId) -> Result<String, StoreError> {
    let key = doors.pipeline.store().key(tenant, "resume")?;
    Ok(key[..8].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Where a watcher starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    mark: String,
    number: u64,
}

impl Start {
    /// The place a resume token names; now, when it is empty.
    ///
    /// # Errors
    /// A violation of `resume_token`, [`Refusal::ResumeTokenLapsed`] for one of another store or of this one before it
    /// was restored from a backup, or a store that cannot read.
    pub fn of(doors: &Doors, tenant: TenantId, token: &str) -> Result<Self, Refusal> {
        let failed = |error| Refusal::from(Failure::Store(error));
        let mark = mark(doors, tenant).map_err(failed)?;
        let latest = doors.pipeline.store().latest_change(tenant).map_err(failed)?;
        if token.is_empty() {
            return Ok(Self { mark, number: latest });
        }
        let Some((theirs, number)) = parse(token) else {
            return Err(Refusal::field("resume_token", "is not one this service gave: send it as it came"));
        };
        if theirs != mark || number > latest {
            return Err(Refusal::ResumeTokenLapsed);
        }
        Ok(Self { mark, number })
    }
}

fn parse(token: &str) -> Option<(&str, u64)> {
    let (mark, number) = token.split_once('~')?;
    let sound = mark.len() == 16 && number.bytes().all(|digit| digit.is_ascii_digit());
    Some((mark, number.parse().ok().filter(|_| sound)?))
}

type Told = Result<WatchStandingsResponse, Status>;

/// Tells every change from `start` on until the caller leaves, the service drains or the place is lost.
pub async fn follow(doors: Arc<Doors>, tenant: TenantId, start: Start, told: mpsc::Sender<Told>, place: Permit) {
    let outcome = tell_all(&doors, tenant, start, &told).await;
    // Before the stream ends, so that whoever waits for its end finds the store free.
    drop(doors);
    if let Err(refusal) = outcome {
        let _ = told.send_timeout(Err(refusal.into()), STALLED_AFTER).await;
    }
    drop(place);
}

/// Returns without error when nobody listens any more.
async fn tell_all(doors: &Doors, tenant: TenantId, start: Start, told: &mpsc::Sender<Told>) -> Result<(), Refusal> {
    let Start { mark, mut number } = start;
    let mut changed = doors.watchers.changed.clone();
    let mut draining = doors.draining();
    let store = doors.pipeline.store();
    let failed = |error| Refusal::from(Failure::Store(error));
    loop {
        changed.borrow_and_update();
        let found = store.changes_after(tenant, number, CHANGES_AT_ONCE).map_err(failed)?;
        let found = found.ok_or(Refusal::ResumeTokenLapsed)?;
        if found.is_empty() {
            tokio::select! {
                // Errs only when the store is gone, and then the service is too.
                outcome = changed.changed() => if outcome.is_err() { return Ok(()) },
                _ = draining.wait_for(|draining| *draining) => return Err(doors.unavailable()),
                () = told.closed() => return Ok(()),
            }
            continue;
        }
        for (next, worker) in found {
            number = next;
            // Erased between the two looks: the next look says so.
            let Some(standing) = doors.pipeline.standing(tenant, &worker, doors.now()).map_err(failed)? else {
                continue;
            };
            let standing = Some(reply::standing(&standing, &worker));
            let message = WatchStandingsResponse { standing, resume_token: format!("{mark}~{number}") };
            tokio::select! {
                outcome = told.send_timeout(Ok(message), STALLED_AFTER) => if outcome.is_err() { return Ok(()) },
                _ = draining.wait_for(|draining| *draining) => return Err(doors.unavailable()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_mark_and_a_number() {
        assert_eq!(parse("0123456789abcdef~7"), Some(("0123456789abcdef", 7)));
        for bad in ["", "~", "0123456789abcdef~", "0123456789abcdef~-1", "0123456789abcdef~+1", "short~7", "nonsense"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
