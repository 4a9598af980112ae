//! The promise that a write is on disk: a future for servers, a wait for programs without a runtime.

use super::{StoreError, lock};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Resolves when a write is persisted, or to the reason why it is not. Await it or [`Durable::wait`].
///
/// Dropping it changes nothing: the write goes on.
#[derive(Debug)]
#[must_use = "nothing may be acknowledged before its write is persisted"]
pub struct Durable(State);

#[derive(Debug)]
enum State {
    Settled(Result<(), StoreError>),
    Waiting(Arc<Slot>),
}

#[derive(Debug, Default)]
struct Slot {
    inside: Mutex<Inside>,
    settled: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    outcome: Option<Result<(), StoreError>>,
    waker: Option<Waker>,
}

impl Durable {
    /// A write that needs no waiting.
    pub(super) fn settled(outcome: Result<(), StoreError>) -> Durable {
        Durable(State::Settled(outcome))
    }

    /// A write under way, and the means to settle it.
    pub(super) fn pending() -> (Durable, Settler) {
        let slot = Arc::new(Slot::default());
        (Durable(State::Waiting(Arc::clone(&slot))), Settler(Some(slot)))
    }

    /// Whether it has resolved already.
    pub fn settled_yet(&self) -> bool {
        match &self.0 {
            State::Settled(_) => true,
            State::Waiting(slot) => lock(&slot.inside).outcome.is_some(),
        }
    }

    /// Blocks the thread until the write is persisted.
    pub fn wait(self) -> Result<(), StoreError> {
        match self.0 {
            State::Settled(outcome) => outcome,
            State::Waiting(slot) => {
                let mut inside = lock(&slot.inside);
                loop {
                    if let Some(outcome) = &inside.outcome {
                        return outcome.clone();
                    }
                    inside = slot.settled.wait(inside).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl Future for Durable {
    type Output = Result<(), StoreError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &self.0 {
            State::Settled(outcome) => Poll::Ready(outcome.clone()),
            State::Waiting(slot) => {
                let mut inside = lock(&slot.inside);
                if let Some(outcome) = &inside.outcome {
                    return Poll::Ready(outcome.clone());
                }
                match &mut inside.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}

/// The other end of a [`Durable`]. Dropped unsettled, it settles as a failed write: no caller waits for ever.
#[derive(Debug)]
pub(super) struct Settler(Option<Arc<Slot>>);

impl Settler {
    /// Resolves the promise.
    pub(super) fn settle(mut self, outcome: Result<(), StoreError>) {
        self.resolve(outcome);
    }

    fn resolve(&mut self, outcome: Result<(), StoreError>) {
        if let Some(slot) = self.0.take() {
            let waker = {
                let mut inside = lock(&slot.inside);
                inside.outcome = Some(outcome);
                inside.waker.take()
            };
            slot.settled.notify_all();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Drop for Settler {
    fn drop(&mut self) {
        self.resolve(Err(StoreError::Unwritable { cause: "the writer stopped before the write".into() }));
    }
}
