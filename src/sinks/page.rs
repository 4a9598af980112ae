//! The one page of metrics: plain HTTP, read-only, on an address of its own.

use super::Metrics;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;

/// What a scraper is told it gets.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers `GET /metrics` until `stop` resolves. Any other path is not there.
///
/// # Errors
/// When the transport fails.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), String> {
    let router = axum::Router::new().route("/metrics", get(page)).with_state(metrics);
    axum::serve(listener, router).with_graceful_shutdown(stop).await.map_err(|error| error.to_string())
}

async fn page(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
