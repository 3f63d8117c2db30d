//! The HTTP surface: paths to keys, answers to responses.
//!
//! An answer from memory is made without a task, a lock that others hold, or a copy of its body.

use std::convert::Infallible;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use corkboard_core::time::Timestamp;
use corkboard_edge::{RequestBody, names_tag, retry_after};
use futures_util::future::{BoxFuture, Either, Ready, ready};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;

use crate::answer::{Answer, Body};
use crate::key::KeyError;
use crate::origin::{Origin, Served, Tier, Unavailable};

pub(crate) const CACHE: &str = "x-cache";
pub(crate) const PROBLEM: &str = "application/problem+json";
/// When those whose row cannot be read now are asked to try again, on average.
pub(crate) const COME_BACK: Duration = Duration::from_secs(2);

/// The service for the edge.
#[derive(Debug, Clone)]
pub struct Endpoints {
    origin: Origin,
}

impl Endpoints {
    /// Serves the endpoints of `origin`.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self { origin }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl tower::Service<Request<RequestBody>> for Endpoints {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Self::Response, Infallible>>,
        BoxFuture<'static, Result<Self::Response, Infallible>>,
    >;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let now = |response: Response<Bytes>| Either::Left(ready(Ok(response.map(Full::new))));
        let path = request.uri().path();
        let Some((endpoint, segment)) = self.origin.route(path) else {
            return now(no_such_path(path));
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return now(not_allowed());
        }
        let place = match self.origin.place(endpoint, segment) {
            Ok(place) => place,
            Err(error) => return now(bad_key(self.origin.parameter(endpoint), error)),
        };
        let wants = request.headers().get_all(header::IF_NONE_MATCH);
        let wants: Vec<HeaderValue> = wants.iter().cloned().collect();
        match self.origin.look(&place) {
            Some(served) => now(answer(
                &self.origin,
                endpoint,
                &served,
                wants.iter().map(HeaderValue::as_bytes),
            )),
            None => {
                let origin = self.origin.clone();
                Either::Right(Box::pin(async move {
                    let wants = wants.iter().map(HeaderValue::as_bytes);
                    let response = match origin.fetch(place).await {
                        Ok(served) => answer(&origin, endpoint, &served, wants),
                        Err(unavailable) => refused(&origin, endpoint, unavailable),
                    };
                    Ok(response.map(Full::new))
                }))
            }
        }
    }
}

/// The answer with these bytes, or that the client has them already, or that there is no row.
pub(crate) fn answer<'w>(
    origin: &Origin,
    endpoint: usize,
    served: &Served,
    if_none_match: impl Iterator<Item = &'w [u8]>,
) -> Response<Bytes> {
    let now = origin.now();
    origin.meters(endpoint).served(served.tier);
    let mut response = match &served.answer.body {
        Some(body) if matches(if_none_match, &body.etag) => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        Some(Body { bytes, .. }) => {
            let mut response = Response::new(bytes.clone());
            let kind = HeaderValue::from_static(origin.content_type(endpoint));
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        None => problem(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is no such row",
            "the source has no row with this key",
        ),
    };
    let headers = response.headers_mut();
    if let Some(body) = &served.answer.body {
        headers.insert(header::ETAG, body.etag.clone());
    }
    describe(headers, &served.answer, served.tier, now);
    response
}

fn describe(headers: &mut HeaderMap, answer: &Answer, tier: Tier, now: Timestamp) {
    // The whole life: whoever keeps it takes `Age` off by himself.
    let life = answer.seconds_fresh();
    let cache_control =
        HeaderValue::try_from(format!("max-age={life}")).expect("digits are a header value");
    headers.insert(header::CACHE_CONTROL, cache_control);
    headers.insert(header::AGE, HeaderValue::from(answer.seconds_old(now)));
    headers.insert(CACHE, HeaderValue::from_static(tier.as_str()));
}

/// Whether a client has these bytes already.
fn matches<'w>(wanted: impl Iterator<Item = &'w [u8]>, etag: &HeaderValue) -> bool {
    etag.to_str().is_ok_and(|etag| names_tag(wanted, etag))
}

pub(crate) fn refused(
    origin: &Origin,
    endpoint: usize,
    unavailable: Unavailable,
) -> Response<Bytes> {
    origin.meters(endpoint).refused(unavailable);
    let mut response = Response::new(why(unavailable).clone());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static(PROBLEM);
    headers.insert(header::CONTENT_TYPE, kind);
    let seconds = HeaderValue::from(retry_after(COME_BACK));
    headers.insert(header::RETRY_AFTER, seconds);
    response
}

/// Why a row cannot be read now, made once: in an overload it is said more often than anything else.
pub(crate) fn why(unavailable: Unavailable) -> &'static Bytes {
    static WHY: [LazyLock<Bytes>; 3] = [
        LazyLock::new(|| unread(Unavailable::Overloaded, "too many rows are being read")),
        LazyLock::new(|| unread(Unavailable::Source, "the source cannot be read now")),
        LazyLock::new(|| unread(Unavailable::TimedOut, "the row was not read in time")),
    ];
    &WHY[unavailable as usize]
}

fn unread(unavailable: Unavailable, what: &str) -> Bytes {
    description(
        StatusCode::SERVICE_UNAVAILABLE,
        unavailable.as_str(),
        "The row cannot be read now",
        &format!("{what}; try again later"),
    )
}

fn bad_key(parameter: &str, error: KeyError) -> Response<Bytes> {
    problem(
        StatusCode::BAD_REQUEST,
        "invalid_path_parameter",
        "The path does not name a row",
        &format!("{parameter} {error}"),
    )
}

fn no_such_path(path: &str) -> Response<Bytes> {
    let shown: String = path.chars().take(100).collect();
    problem(
        StatusCode::NOT_FOUND,
        "not_found",
        "There is no such path",
        &format!("no endpoint has the path {shown}"),
    )
}

fn not_allowed() -> Response<Bytes> {
    let mut response = problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "Only reading is possible here",
        "send GET or HEAD",
    );
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn problem(status: StatusCode, code: &str, title: &str, detail: &str) -> Response<Bytes> {
    let mut response = Response::new(description(status, code, title, detail));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(PROBLEM);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// RFC 9457.
fn description(status: StatusCode, code: &str, title: &str, detail: &str) -> Bytes {
    let body = serde_json::json!({
        "type": format!("urn:corkboard:problem:{code}"),
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
    });
    body.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_is_found_in_a_list_weak_or_strong() {
        let etag = HeaderValue::from_static("\"abc\"");
        for wanted in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert!(matches([wanted.as_bytes()].into_iter(), &etag), "{wanted}");
        }
        for wanted in ["\"x\"", "abc", ""] {
            assert!(!matches([wanted.as_bytes()].into_iter(), &etag), "{wanted}");
        }
    }
}
