//! Commit authors as workers: each commit an event, with or without a claim.

use crate::corpus::rhythm::Author;
use crate::request::{Request, Update};
use elsewhere::event::{ClaimUnchecked, EventUnchecked, TimestampUnchecked};

/// Which commits become events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Those after a pause of four hours.
    SessionStarts,
    /// All.
    Commits,
}

/// The first events of one author, up to the one that begins session number `session_count`, all of them learned from.
///
/// Truth is the author's own offset at that commit, minutes east, in decimal. A claim is of a zone with that offset
/// (`claimed_zone`, such as `America/New_York`) within `region_code`. Commits within the same five minutes are one.
pub fn requests(author: &Author, taken: Taken, session_count: usize, claim: Option<(&str, &str)>) -> Vec<Request> {
    let starts = author.session_starts();
    let Some(last) = session_count.checked_sub(1).and_then(|index| starts.get(index)) else { return Vec::new() };
    let mut chosen: Vec<(i64, i32)> = match taken {
        Taken::SessionStarts => starts[..session_count].to_vec(),
        Taken::Commits => author.commits.iter().copied().filter(|commit| commit.0 <= last.0).collect(),
    };
    chosen.dedup_by_key(|commit| commit.0);
    let worker =
        claim.map_or_else(|| author.id.clone(), |(_, zone)| format!("{}.{}", author.id, zone.replace('/', "-")));
    let to_request = |(seconds, offset): (i64, i32)| Request {
        event: EventUnchecked {
            event_id: format!("{worker}.{seconds}"),
            worker_id: worker.clone(),
            event_time: Some(TimestampUnchecked { seconds, nanos: 0 }),
            activity: 1,
            claim: claim.map(|(region_code, time_zone)| ClaimUnchecked {
                region_code: region_code.into(),
                time_zone: time_zone.into(),
                ..ClaimUnchecked::default()
            }),
            ..EventUnchecked::default()
        },
        update: Update::IfTrusted,
        truth: offset.to_string(),
        group: author.id.clone(),
    };
    chosen.into_iter().map(to_request).collect()
}
