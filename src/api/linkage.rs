//! LinkageService: who else looks operated by the same hands or from the same room.

use super::assess::require;
use super::convert::time_to_wire;
use super::doors::Doors;
use super::refusal::Refusal;
use super::standing::page_size;
use super::wire;
use super::wire::linkage_service_server::LinkageService;
use crate::event::{Violations, limits};
use crate::history::TenantId;
use crate::pipeline::Failure;
use crate::pipeline::likeness::{Likeness, TypistCandidate};
use crate::pipeline::linkage::{Link, OperatorCluster};
use crate::risk::ReasonCode;
use std::cmp::Reverse;
use std::sync::Arc;
use tokio::task::spawn_blocking;
use tonic::{Request, Response, Status};

/// LinkageService over a pipeline.
#[derive(Clone)]
pub struct Linkages {
    doors: Arc<Doors>,
}

/// Clusters less probable are left out when the caller names no other bound. The contract's figure.
const MIN_PROBABILITY_DEFAULT: f64 = 0.5;

/// Place in a listing: strongest first, then by name.
type Place = (Reverse<i64>, String);

/// Nats in whole millionths, so that places are ordered and equal ones are equal.
fn micronats(log_odds: f64) -> i64 {
    (log_odds * 1e6).round() as i64
}

fn link_place(link: &Link) -> Place {
    (Reverse(micronats(link.weight_log_odds)), format!("{}~{}", link.kind, link.other_worker_id))
}

fn cluster_place(cluster: &OperatorCluster) -> Place {
    (Reverse(micronats(cluster.log_odds)), cluster.cluster_id.clone())
}

fn page_token((Reverse(strength), name): &Place) -> String {
    format!("{strength}~{name}")
}

fn parse_page_token(token: &str, v: &mut Violations) -> Option<Place> {
    if token.is_empty() {
        return None;
    }
    let place = token.split_once('~').and_then(|(strength, name)| Some((Reverse(strength.parse().ok()?), name.into())));
    if place.is_none() {
        v.add("page_token", "is not one this service gave: send `next_page_token` as it came");
    }
    place
}

/// One page of what is listed, cut after a place, and the token of the next.
fn page<T>(all: Vec<T>, place: impl Fn(&T) -> Place, after: Option<&Place>, asked: u32) -> (Vec<T>, String) {
    let mut all: Vec<(Place, T)> = all.into_iter().map(|one| (place(&one), one)).collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut rest = all.into_iter().skip_while(|(place, _)| after.is_some_and(|after| place <= after));
    let page: Vec<(Place, T)> = rest.by_ref().take(page_size(asked)).collect();
    let more = rest.next().is_some();
    let token = page.last().filter(|_| more).map(|(place, _)| page_token(place)).unwrap_or_default();
    (page.into_iter().map(|(_, one)| one).collect(), token)
}

fn link(link: &Link) -> wire::Link {
    wire::Link {
        worker_id: link.worker_id.to_string(),
        other_worker_id: link.other_worker_id.to_string(),
        kind: i32::from(link.kind),
        weight_log_odds: link.weight_log_odds,
        event_count: link.event_count,
        first_seen_time: Some(time_to_wire(link.first_time)),
        last_seen_time: Some(time_to_wire(link.last_time)),
        typing: link.likeness.as_ref().map(likeness),
    }
}

fn likeness(likeness: &Likeness) -> wire::TypingLikeness {
    wire::TypingLikeness {
        log_likelihood_ratio: likeness.log_ratio,
        compared_worker_count: u32::try_from(likeness.compared_count).unwrap_or(u32::MAX),
        expected_chance_count: likeness.chance_count,
        press_count: likeness.press_count,
        other_press_count: likeness.other_press_count,
        beside_other_link: likeness.meeting_cost.is_some(),
    }
}

fn candidate((rank, candidate): (u32, &TypistCandidate)) -> wire::TypistCandidate {
    wire::TypistCandidate {
        worker_id: candidate.worker_id.to_string(),
        rank,
        likeness: Some(likeness(&candidate.likeness)),
        probability: candidate.likeness.probability(),
        last_seen_time: Some(time_to_wire(candidate.last_time)),
    }
}

fn cluster(cluster: &OperatorCluster, with_links: bool) -> wire::OperatorCluster {
    let links = if with_links { cluster.links.iter().map(link).collect() } else { Vec::new() };
    wire::OperatorCluster {
        cluster_id: cluster.cluster_id.clone(),
        worker_ids: cluster.worker_ids.iter().map(ToString::to_string).collect(),
        probability: cluster.probability,
        links,
        last_seen_time: Some(time_to_wire(cluster.last_time)),
    }
}

impl Linkages {
    /// Serves over the shared doors.
    pub fn new(doors: Arc<Doors>) -> Self {
        Self { doors }
    }

    /// All clusters of a tenant, their names on disk.
    async fn clusters(&self, tenant: TenantId) -> Result<Vec<OperatorCluster>, Status> {
        let doors = Arc::clone(&self.doors);
        let found = spawn_blocking(move || doors.pipeline.operator_clusters(tenant)).await;
        let found = found.map_err(|error| Status::internal(error.to_string()))?;
        let (clusters, durable) = found.map_err(Refusal::from)?;
        durable.await.map_err(|error| Refusal::from(Failure::Store(error)))?;
        Ok(clusters)
    }
}

#[tonic::async_trait]
impl LinkageService for Linkages {
    async fn list_linked_workers(
        &self,
        request: Request<wire::ListLinkedWorkersRequest>,
    ) -> Result<Response<wire::ListLinkedWorkersResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let wire::ListLinkedWorkersRequest { worker_id, min_weight_log_odds, page_size: asked, page_token: token } =
            request.into_inner();
        require("worker_id", &worker_id)?;
        let mut violations = Violations::default();
        if !min_weight_log_odds.is_finite() {
            violations.add("min_weight_log_odds", "must be a finite number of nats");
        }
        let after = parse_page_token(&token, &mut violations);
        if !violations.none() {
            return Err(Refusal::Invalid(violations).into());
        }
        let (doors, asked_for) = (Arc::clone(&self.doors), worker_id.clone());
        let found = spawn_blocking(move || doors.pipeline.links(caller.tenant, &asked_for)).await;
        let found = found.map_err(|error| Status::internal(error.to_string()))?.map_err(Refusal::from)?;
        let Some(mut found) = found else {
            return Err(Refusal::NotFound { resource: "profile", name: worker_id }.into());
        };
        found.retain(|link| link.weight_log_odds >= min_weight_log_odds);
        let (links, next_page_token) = page(found, link_place, after.as_ref(), asked);
        let links = links.iter().map(link).collect();
        Ok(Response::new(wire::ListLinkedWorkersResponse { links, next_page_token }))
    }

    async fn list_operator_clusters(
        &self,
        request: Request<wire::ListOperatorClustersRequest>,
    ) -> Result<Response<wire::ListOperatorClustersResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let wire::ListOperatorClustersRequest {
            min_probability,
            min_worker_count,
            page_size: asked,
            page_token: token,
        } = request.into_inner();
        let min_probability = min_probability.unwrap_or(MIN_PROBABILITY_DEFAULT);
        let mut violations = Violations::default();
        if !(0.0..=1.0).contains(&min_probability) {
            violations.add("min_probability", format!("is {min_probability}: must lie in [0, 1]"));
        }
        let after = parse_page_token(&token, &mut violations);
        if !violations.none() {
            return Err(Refusal::Invalid(violations).into());
        }
        let mut found = self.clusters(caller.tenant).await?;
        let worker_count = min_worker_count.max(2) as usize;
        found.retain(|one| one.probability >= min_probability && one.worker_ids.len() >= worker_count);
        let (clusters, next_page_token) = page(found, cluster_place, after.as_ref(), asked);
        let clusters = clusters.iter().map(|one| cluster(one, false)).collect();
        Ok(Response::new(wire::ListOperatorClustersResponse { clusters, next_page_token }))
    }

    async fn get_operator_cluster(
        &self,
        request: Request<wire::GetOperatorClusterRequest>,
    ) -> Result<Response<wire::GetOperatorClusterResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let cluster_id = request.into_inner().cluster_id;
        require("cluster_id", &cluster_id)?;
        let found = self.clusters(caller.tenant).await?;
        let Some(found) = found.iter().find(|one| one.cluster_id == cluster_id) else {
            return Err(Refusal::NotFound { resource: "cluster", name: cluster_id }.into());
        };
        Ok(Response::new(wire::GetOperatorClusterResponse { cluster: Some(cluster(found, true)) }))
    }

    async fn list_similar_typists(
        &self,
        request: Request<wire::ListSimilarTypistsRequest>,
    ) -> Result<Response<wire::ListSimilarTypistsResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let wire::ListSimilarTypistsRequest { worker_id, candidate_count } = request.into_inner();
        require("worker_id", &worker_id)?;
        let count = match candidate_count {
            0 => limits::TYPIST_CANDIDATES_DEFAULT,
            asked => asked.min(limits::TYPIST_CANDIDATES_MAX),
        };
        let (doors, asked) = (Arc::clone(&self.doors), worker_id.clone());
        // A scan over the whole tenant: not on a thread that others' logins wait for.
        let scan = move || doors.pipeline.similar_typists(caller.tenant, &asked, count as usize);
        let found = spawn_blocking(scan).await.map_err(|error| Status::internal(error.to_string()))?;
        let Some(found) = found.map_err(Refusal::from)? else {
            return Err(Refusal::NotFound { resource: "profile", name: worker_id }.into());
        };
        Ok(Response::new(wire::ListSimilarTypistsResponse {
            candidates: (1..).zip(&found.candidates).map(candidate).collect(),
            compared_worker_count: u32::try_from(found.compared_count).unwrap_or(u32::MAX),
            reason_code: ReasonCode::CrowdSharedTypist as i32,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cut_a_listing_without_loss_or_repeat() {
        let all: Vec<(i64, String)> = (0..25).map(|number| (number / 3, format!("w~{number}"))).collect();
        let place = |one: &(i64, String)| (Reverse(one.0), one.1.clone());
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (part, token) = page(all.clone(), place, after.as_ref(), 4);
            seen.extend(part);
            let mut violations = Violations::default();
            after = parse_page_token(&token, &mut violations);
            assert!(violations.none());
            if after.is_none() {
                break;
            }
        }
        let mut expected = all;
        expected.sort_by_key(place);
        assert_eq!(seen, expected);
    }
}
