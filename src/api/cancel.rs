//! Calls that their caller cancelled, told from calls that ended.
//!
//! A caller ends its side of a stream in order, or resets the stream: by cancelling, by its own deadline, by going away.
//! The transport under the services takes the reset of a cancelled call for the end of its requests. To a live session
//! the two are opposites: one closes it, the other leaves it waiting for its client. So here a reset stays an error.
//!
//! Worked example: a client sends `open` and one chunk and is cancelled. Without this, the session would be closed,
//! scored and learned from; with it, an opening of the same event goes on after the chunk.

use http_body_util::BodyExt as _;
use std::convert::Infallible;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::{Code, Status};

/// The method whose sessions outlive their streams.
const MONITOR_PATH: &str = "/elsewhere.v1.SessionRiskService/MonitorSession";

/// Keeps the resets of cancelled calls errors for the service within.
#[derive(Debug, Clone)]
pub struct Cancels<S> {
    inner: S,
}

impl<S> Cancels<S> {
    /// Wraps a service.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> Service<http::Request<Body>> for Cancels<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> S::Future {
        let monitored = request.uri().path() == MONITOR_PATH;
        self.inner.call(if monitored { request.map(|body| Body::new(body.map_err(told))) } else { request })
    }
}

/// The decoder of requests ends quietly at `CANCELLED`, and at nothing else.
fn told(status: Status) -> Status {
    if status.code() == Code::Cancelled {
        Status::aborted("the caller cancelled the call without ending its side")
    } else {
        status
    }
}
