//! Real data to requests, so that every figure is taken through the path that serves.

pub mod captures;
pub mod keystroke;
pub mod logins;
pub mod pings;
pub mod rhythm;

use crate::request::{Scored, Scorer, Update};
use elsewhere::api::convert::event_to_wire;
use elsewhere::api::wire::{AssessSessionRequest, ProfileUpdate};
use elsewhere::event::EventUnchecked;
use elsewhere::evidence::typing;
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

/// One request as a line of proto3 JSON, the form `elsewhere score` reads.
///
/// # Errors
/// When a number has no JSON form.
pub fn line(event: &EventUnchecked, update: Update) -> Result<String, String> {
    let profile_update = match update {
        Update::IfTrusted => ProfileUpdate::IfTrusted,
        Update::Always => ProfileUpdate::Always,
        Update::Never => ProfileUpdate::Never,
    };
    let request = AssessSessionRequest {
        event: Some(event_to_wire(event)),
        profile_update: profile_update as i32,
        model_id: String::new(),
    };
    serde_json::to_string(&request).map_err(|error| error.to_string())
}

/// Passes events on to a scorer and writes each as a line first: the very requests behind a figure.
///
/// Scorers with stores of their own are told apart by a prefix on worker and event ids.
pub struct Recording<W> {
    inner: Box<dyn Scorer>,
    number: usize,
    asked: usize,
    lines: Rc<RefCell<W>>,
}

impl<W> Recording<W> {
    /// Records what the scorer with this number is asked.
    pub fn new(inner: Box<dyn Scorer>, number: usize, lines: Rc<RefCell<W>>) -> Self {
        Self { inner, number, asked: 0, lines }
    }
}

impl<W: Write> Scorer for Recording<W> {
    fn score(&mut self, event: EventUnchecked, update: Update) -> Result<Scored, String> {
        let mut named = event.clone();
        self.asked += 1;
        named.event_id = format!("{}.{}", self.number, self.asked);
        named.worker_id = format!("{}.{}", self.number, event.worker_id);
        let line = line(&named, update)?;
        writeln!(self.lines.borrow_mut(), "{line}").map_err(|error| error.to_string())?;
        self.inner.score(event, update)
    }

    fn typing(&self) -> Option<typing::Parameters> {
        self.inner.typing()
    }
}
