//! Services whose contract stands and whose rooms are yet to be built: every method answers `UNIMPLEMENTED`.

use super::refusal::Refusal;
use super::wire;
use super::wire::feedback_service_server::FeedbackService;
use super::wire::linkage_service_server::LinkageService;
use tonic::{Request, Response, Status};

/// FeedbackService, not yet built.
#[derive(Debug, Clone, Copy)]
pub struct Feedback;

#[tonic::async_trait]
impl FeedbackService for Feedback {
    async fn record_feedback(
        &self,
        _: Request<wire::RecordFeedbackRequest>,
    ) -> Result<Response<wire::RecordFeedbackResponse>, Status> {
        Err(Refusal::Unimplemented { method: "RecordFeedback" }.into())
    }

    async fn batch_record_feedback(
        &self,
        _: Request<wire::BatchRecordFeedbackRequest>,
    ) -> Result<Response<wire::BatchRecordFeedbackResponse>, Status> {
        Err(Refusal::Unimplemented { method: "BatchRecordFeedback" }.into())
    }
}

/// LinkageService, not yet built.
#[derive(Debug, Clone, Copy)]
pub struct Linkage;

#[tonic::async_trait]
impl LinkageService for Linkage {
    async fn list_linked_workers(
        &self,
        _: Request<wire::ListLinkedWorkersRequest>,
    ) -> Result<Response<wire::ListLinkedWorkersResponse>, Status> {
        Err(Refusal::Unimplemented { method: "ListLinkedWorkers" }.into())
    }

    async fn list_operator_clusters(
        &self,
        _: Request<wire::ListOperatorClustersRequest>,
    ) -> Result<Response<wire::ListOperatorClustersResponse>, Status> {
        Err(Refusal::Unimplemented { method: "ListOperatorClusters" }.into())
    }

    async fn get_operator_cluster(
        &self,
        _: Request<wire::GetOperatorClusterRequest>,
    ) -> Result<Response<wire::GetOperatorClusterResponse>, Status> {
        Err(Refusal::Unimplemented { method: "GetOperatorCluster" }.into())
    }
}
