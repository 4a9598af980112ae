//! ModelService: which models are loaded and what they were measured at.

use super::doors::Doors;
use super::refusal::Refusal;
use super::reply;
use super::standing::page_size;
use super::wire;
use super::wire::model_service_server::ModelService;
use crate::event::Violations;
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
        let first = if page_token.is_empty() { Some(0) } else { page_token.parse::<usize>().ok() };
        let Some(first) = first else {
            let mut violations = Violations::default();
            violations.add("page_token", "is not one this service gave: send `next_page_token` as it came");
            return Err(Refusal::Invalid(violations).into());
        };
        let models = self.doors.pipeline.models();
        let all = models.all();
        let end = first.saturating_add(page_size(asked)).min(all.len());
        let page = all.get(first.min(end)..end).unwrap_or_default();
        let listed = page.iter().enumerate().map(|(index, model)| reply::model(model, first + index == 0)).collect();
        let next_page_token = if end < all.len() { end.to_string() } else { String::new() };
        Ok(Response::new(wire::ListModelsResponse { models: listed, next_page_token }))
    }

    async fn list_reason_descriptions(
        &self,
        _: Request<wire::ListReasonDescriptionsRequest>,
    ) -> Result<Response<wire::ListReasonDescriptionsResponse>, Status> {
        Err(Refusal::Unimplemented { method: "ListReasonDescriptions" }.into())
    }
}
