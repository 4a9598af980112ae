//! StandingService: how workers stand and who is flagged.

use super::assess::require;
use super::doors::Doors;
use super::refusal::Refusal;
use super::reply;
use super::watch;
use super::wire;
use super::wire::standing_service_server::StandingService;
use crate::event::{EventTime, Violations, limits};
use crate::pipeline::Failure;
use std::cmp::Reverse;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// StandingService over a pipeline.
#[derive(Clone)]
pub struct Standings {
    doors: Arc<Doors>,
}

impl Standings {
    /// Serves over the shared doors.
    pub fn new(doors: Arc<Doors>) -> Self {
        Self { doors }
    }
}

/// Page size to use for one asked for: 0 is the default, more than the most is the most.
pub fn page_size(asked: u32) -> usize {
    let size = if asked == 0 { limits::PAGE_SIZE_DEFAULT } else { asked.min(limits::PAGE_SIZE_MAX) };
    size as usize
}

/// Place of a worker in the listing: strongest evidence first, then by name.
type Place = (Reverse<i64>, String);

/// Evidence in whole micronats, so that places are ordered and equal ones are equal.
fn place(evidence_log_odds: f64, worker_id: &str) -> Place {
    (Reverse((evidence_log_odds * 1e6).round() as i64), worker_id.into())
}

/// Where a page ended, and the instant of the listing: evidence fades by the second, so all pages are cut as of one.
fn page_token(as_of: EventTime, (Reverse(evidence), worker_id): &Place) -> String {
    format!("{}~{evidence}~{worker_id}", as_of.0)
}

fn parse_page_token(token: &str) -> Option<(EventTime, Place)> {
    let (as_of, place) = token.split_once('~')?;
    let (evidence, worker_id) = place.split_once('~')?;
    Some((EventTime(as_of.parse().ok()?), (Reverse(evidence.parse().ok()?), worker_id.into())))
}

#[tonic::async_trait]
impl StandingService for Standings {
    async fn get_standing(
        &self,
        request: Request<wire::GetStandingRequest>,
    ) -> Result<Response<wire::GetStandingResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let worker_id = request.into_inner().worker_id;
        require("worker_id", &worker_id)?;
        let found = self.doors.pipeline.standing(caller.tenant, &worker_id, self.doors.now()).map_err(Failure::Store);
        let Some(standing) = found.map_err(Refusal::from)? else {
            return Err(Refusal::NotFound { resource: "standing", name: worker_id }.into());
        };
        let standing = Some(reply::standing(&standing, &worker_id));
        Ok(Response::new(wire::GetStandingResponse { standing }))
    }

    async fn list_standings(
        &self,
        request: Request<wire::ListStandingsRequest>,
    ) -> Result<Response<wire::ListStandingsResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let wire::ListStandingsRequest { include_unflagged, page_size: asked, page_token: token } =
            request.into_inner();
        let after = if token.is_empty() { None } else { Some(parse_page_token(&token)) };
        let (as_of, after) = match after {
            Some(None) => {
                let mut violations = Violations::default();
                violations.add("page_token", "is not one this service gave: send `next_page_token` as it came");
                return Err(Refusal::Invalid(violations).into());
            }
            Some(Some((as_of, place))) => (as_of, Some(place)),
            None => (self.doors.now(), None),
        };
        let models = self.doors.pipeline.models();
        let Some(model) = models.get("") else {
            return Err(Refusal::ModelNotLoaded { model_id: String::new() }.into());
        };
        let mut found = Vec::new();
        self.doors
            .pipeline
            .store()
            .workers(caller.tenant, &mut |worker_id, record| {
                let standing = record.standing.report(&model.standing, as_of.0);
                let place = place(standing.evidence_log_odds, worker_id);
                if (standing.flagged || include_unflagged) && after.as_ref().is_none_or(|after| place > *after) {
                    found.push((place, standing));
                }
            })
            .map_err(|error| Refusal::from(Failure::Store(error)))?;
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        let size = page_size(asked);
        let more = found.len() > size;
        found.truncate(size);
        let next_page_token = found.last().filter(|_| more).map(|(place, _)| page_token(as_of, place));
        let next_page_token = next_page_token.unwrap_or_default();
        let standings = found.iter().map(|((_, worker_id), standing)| reply::standing(standing, worker_id)).collect();
        Ok(Response::new(wire::ListStandingsResponse { standings, next_page_token }))
    }

    type WatchStandingsStream = Pin<Box<dyn Stream<Item = Result<wire::WatchStandingsResponse, Status>> + Send>>;

    async fn watch_standings(
        &self,
        request: Request<wire::WatchStandingsRequest>,
    ) -> Result<Response<Self::WatchStandingsStream>, Status> {
        let (caller, place) = self.doors.enter_to_watch(request.metadata())?;
        let start = watch::Start::of(&self.doors, caller.tenant, &request.into_inner().resume_token)?;
        let (tell, told) = mpsc::channel(watch::STANDINGS_AHEAD);
        tokio::spawn(watch::follow(Arc::clone(&self.doors), caller.tenant, start, tell, place));
        Ok(Response::new(Box::pin(ReceiverStream::new(told))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_token_comes_back_as_its_place() {
        let here = place(-1.25, "w~1");
        assert_eq!(parse_page_token(&page_token(EventTime(7), &here)), Some((EventTime(7), here)));
        assert_eq!(parse_page_token("nonsense"), None);
    }

    #[test]
    fn stronger_evidence_comes_first() {
        assert!(place(7.0, "b") < place(6.0, "a"));
        assert_eq!((page_size(0), page_size(10_000)), (50, 1000));
    }
}
