//! ModelService: which models are loaded, what they were measured at, and what each reason means.

use super::doors::Doors;
use super::refusal::Refusal;
use super::reply;
use super::standing::page_size;
use super::wire;
use super::wire::model_service_server::ModelService;
use crate::event::{Violations, limits};
use crate::model::Model;
use crate::risk::Catalogue;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// ModelService over a pipeline.
#[derive(Clone)]
pub struct LoadedModels {
    doors: Arc<Doors>,
}

impl LoadedModels {
    /// Serves over the shared doors.
    pub fn new(doors: Arc<Doors>) -> Self {
        Self { doors }
    }
}

/// One page of a listing that does not change while the service runs, and the token of the next.
///
/// # Errors
/// When the token is not one of this service.
fn page<'a, T>(all: &'a [T], asked: u32, page_token: &str) -> Result<(&'a [T], String), Refusal> {
    let first = if page_token.is_empty() { Some(0) } else { page_token.parse::<usize>().ok() };
    let Some(first) = first else {
        let mut violations = Violations::default();
        violations.add("page_token", "is not one this service gave: send `next_page_token` as it came");
        return Err(Refusal::Invalid(violations));
    };
    let end = first.saturating_add(page_size(asked)).min(all.len());
    let next_page_token = if end < all.len() { end.to_string() } else { String::new() };
    Ok((all.get(first.min(end)..end).unwrap_or_default(), next_page_token))
}

#[tonic::async_trait]
impl ModelService for LoadedModels {
    async fn get_model(
        &self,
        request: Request<wire::GetModelRequest>,
    ) -> Result<Response<wire::GetModelResponse>, Status> {
        let (_caller, _permit) = self.doors.enter(request.metadata())?;
        let model_id = request.into_inner().model_id;
        let models = self.doors.pipeline.models();
        let Some(model) = models.get(&model_id) else {
            return Err(Refusal::NotFound { resource: "model", name: model_id }.into());
        };
        let default_model = models.get("").is_some_and(|first| Arc::ptr_eq(first, model));
        Ok(Response::new(wire::GetModelResponse { model: Some(reply::model(model, default_model)) }))
    }

    async fn list_models(
        &self,
        request: Request<wire::ListModelsRequest>,
    ) -> Result<Response<wire::ListModelsResponse>, Status> {
        let (_caller, _permit) = self.doors.enter(request.metadata())?;
        let wire::ListModelsRequest { page_size: asked, page_token } = request.into_inner();
        let models = self.doors.pipeline.models();
        let (page, next_page_token) = page(models.all(), asked, &page_token)?;
        let default = models.get("");
        let is_default = |model: &Arc<Model>| default.is_some_and(|first| Arc::ptr_eq(first, model));
        let models = page.iter().map(|model| reply::model(model, is_default(model))).collect();
        Ok(Response::new(wire::ListModelsResponse { models, next_page_token }))
    }

    async fn list_reason_descriptions(
        &self,
        request: Request<wire::ListReasonDescriptionsRequest>,
    ) -> Result<Response<wire::ListReasonDescriptionsResponse>, Status> {
        let (_caller, _permit) = self.doors.enter(request.metadata())?;
        let wire::ListReasonDescriptionsRequest { page_size: asked, page_token } = request.into_inner();
        // The service was bound, so the catalogue is sound.
        let catalogue = Catalogue::shipped().map_err(Status::internal)?;
        // All of them unless fewer are asked for: the contract's default of 1000 is the most there can be.
        let size = if asked == 0 { limits::PAGE_SIZE_MAX } else { asked };
        let (page, next_page_token) = page(&catalogue.reasons, size, &page_token)?;
        Ok(Response::new(wire::ListReasonDescriptionsResponse {
            reason_descriptions: page.iter().map(|entry| reply::reason_description(entry, catalogue)).collect(),
            next_page_token,
            catalogue_version: catalogue.catalogue_version,
        }))
    }
}
