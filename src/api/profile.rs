//! ProfileService: shows and erases what is remembered of a worker.

use super::assess::require;
use super::convert::time_to_wire;
use super::doors::Doors;
use super::refusal::Refusal;
use super::reply::{self, ProfileExtras};
use super::wire;
use super::wire::profile_service_server::ProfileService;
use crate::history::StoreError;
use crate::pipeline::Failure;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::spawn_blocking;
use tonic::{Request, Response, Status};

/// ProfileService over a pipeline.
#[derive(Clone)]
pub struct Profiles {
    doors: Arc<Doors>,
}

impl Profiles {
    /// Serves over the shared doors.
    pub fn new(doors: Arc<Doors>) -> Self {
        Self { doors }
    }
}

fn refused(error: StoreError) -> Refusal {
    Failure::Store(error).into()
}

#[tonic::async_trait]
impl ProfileService for Profiles {
    async fn get_profile(
        &self,
        request: Request<wire::GetProfileRequest>,
    ) -> Result<Response<wire::GetProfileResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let worker_id = request.into_inner().worker_id;
        require("worker_id", &worker_id)?;
        let pipeline = &self.doors.pipeline;
        let store = pipeline.store();
        let Some(record) = store.record(caller.tenant, &worker_id).map_err(refused)? else {
            return Err(Refusal::NotFound { resource: "profile", name: worker_id }.into());
        };
        let mut tokens: BTreeMap<u8, u32> = BTreeMap::new();
        for row in store.neighbours(caller.tenant, &worker_id).map_err(refused)? {
            *tokens.entry(row.kind.0).or_default() += 1;
        }
        let standing = pipeline.standing(caller.tenant, &worker_id, self.doors.now()).map_err(refused)?;
        let (tenant, counting, counted) = (caller.tenant, Arc::clone(store), worker_id.clone());
        let verdict_count = spawn_blocking(move || counting.verdict_count(tenant, &counted)).await;
        let verdict_count = verdict_count.map_err(|error| Status::internal(error.to_string()))?.map_err(refused)?;
        let extras = ProfileExtras {
            expire_micros: record.last_seen.0.saturating_add(self.doors.worker_retention_micros),
            standing: standing.unwrap_or_default(),
            tokens: tokens.into_iter().collect(),
            verdict_count,
        };
        let profile = Some(reply::profile(&worker_id, &record, &extras));
        Ok(Response::new(wire::GetProfileResponse { profile }))
    }

    async fn delete_profile(
        &self,
        request: Request<wire::DeleteProfileRequest>,
    ) -> Result<Response<wire::DeleteProfileResponse>, Status> {
        let (caller, _permit) = self.doors.enter(request.metadata())?;
        let worker_id = request.into_inner().worker_id;
        require("worker_id", &worker_id)?;
        let now = self.doors.now();
        // Live sessions first: one that closes from here on would leave a verdict behind the erasure.
        self.doors.monitors.forget(caller.tenant, &worker_id);
        let store = self.doors.pipeline.store();
        // Erasing waits for the disk, so it gets a thread that may wait.
        let (tenant, store) = (caller.tenant, Arc::clone(store));
        let erased = spawn_blocking(move || store.forget(tenant, &worker_id, now)).await;
        let (forgotten, durable) = erased.map_err(|error| Status::internal(error.to_string()))?.map_err(refused)?;
        durable.await.map_err(refused)?;
        Ok(Response::new(wire::DeleteProfileResponse {
            verdict_count: forgotten.verdict_count,
            feedback_count: forgotten.feedback_count,
            link_count: forgotten.link_count,
            delete_time: Some(time_to_wire(now)),
        }))
    }
}
