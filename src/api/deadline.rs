//! Deadlines: a call that takes longer than its caller or the service allows is stopped and told so.
//!
//! Worked example: a caller sends `grpc-timeout: 200m`, the service allows 5 s; after 200 ms the work is dropped and the
//! call ends with `DEADLINE_EXCEEDED`, reason `DEADLINE_EXCEEDED`, metadata `deadline_millis` = 200. What was scored by
//! then is kept: the same event sent again gets its verdict, marked as replayed.
//!
//! A stream is held to its first reply headers only: it may go on for days.

use super::refusal::Refusal;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};

/// Holds every call of a service to the shorter of the caller's deadline and the service's own.
#[derive(Debug, Clone)]
pub struct Deadline<S> {
    inner: S,
    longest: Duration,
}

impl<S> Deadline<S> {
    /// Wraps a service; `longest` is how long a call may take whatever its caller says.
    pub fn new(inner: S, longest: Duration) -> Self {
        Self { inner, longest }
    }
}

type Answer = Result<http::Response<Body>, Infallible>;

impl<S> Service<http::Request<Body>> for Deadline<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let header = request.headers().get("grpc-timeout").and_then(|value| value.to_str().ok());
        let limit = header.and_then(timeout).map_or(self.longest, |asked| asked.min(self.longest));
        // The time starts here, not at the first poll: the transport keeps the caller's deadline too, from a moment
        // later on, and would end the call with less to say.
        let answered = tokio::time::timeout(limit, self.inner.call(request));
        Box::pin(async move {
            match answered.await {
                Ok(answer) => answer,
                Err(_) => Ok(Status::from(Refusal::DeadlineExceeded { limit }).into_http()),
            }
        })
    }
}

/// Reads `grpc-timeout`: at most eight digits and a unit. `None` for anything else, which then says nothing.
///
/// Source: the gRPC specification, "gRPC over HTTP2", Requests.
fn timeout(header: &str) -> Option<Duration> {
    let (digits, unit) = header.split_at_checked(header.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;
    use tonic_types::StatusExt as _;

    /// Answers after so long.
    struct Slow(Duration);

    impl Service<http::Request<Body>> for Slow {
        type Response = http::Response<Body>;
        type Error = Infallible;
        type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<Body>) -> Self::Future {
            let slow = tokio::time::sleep(self.0);
            Box::pin(async move {
                slow.await;
                Ok(http::Response::new(Body::empty()))
            })
        }
    }

    /// What a call that takes so long is told of its deadline; `None` when it is answered.
    async fn told(takes: Duration, longest: Duration, header: Option<&str>) -> Option<String> {
        let mut request = http::Request::new(Body::empty());
        if let Some(header) = header {
            request.headers_mut().insert("grpc-timeout", header.parse().unwrap());
        }
        let answer = Deadline::new(Slow(takes), longest).call(request).await.unwrap();
        let status = Status::from_header_map(answer.headers())?;
        assert_eq!(status.code(), Code::DeadlineExceeded);
        let info = status.get_error_details().error_info().cloned().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("DEADLINE_EXCEEDED", "elsewhere"));
        Some(info.metadata["deadline_millis"].clone())
    }

    #[tokio::test]
    async fn the_shorter_of_two_deadlines_ends_a_call_and_says_why() {
        let (long, short) = (Duration::from_secs(10), Duration::from_millis(20));
        assert_eq!(told(long, short, None).await.as_deref(), Some("20"));
        assert_eq!(told(long, short, Some("9S")).await.as_deref(), Some("20"));
        assert_eq!(told(long, long, Some("30m")).await.as_deref(), Some("30"));
        // Less than a millisecond is still a deadline, not none.
        assert_eq!(told(long, long, Some("1n")).await.as_deref(), Some("1"));
        // What cannot be read says nothing.
        assert_eq!(told(long, short, Some("soon")).await.as_deref(), Some("20"));
        assert_eq!(told(Duration::ZERO, long, Some("5S")).await, None);
    }

    #[test]
    fn a_timeout_is_eight_digits_and_a_unit() {
        assert_eq!(timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(timeout("99999999H"), Some(Duration::from_secs(99_999_999 * 3_600)));
        assert_eq!(timeout("0n"), Some(Duration::ZERO));
        for unread in ["", "m", "1", "1x", "-1S", "+1S", "1.5S", "999999999S", "1µ"] {
            assert_eq!(timeout(unread), None, "{unread}");
        }
    }
}
