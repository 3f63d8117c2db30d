//! The HTTP surface: paths to keys, answers to responses.
//!
//! An answer from memory is made without a task, a lock that others hold, or a copy of its body.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use corkboard_core::time::Timestamp;
use corkboard_edge::{RequestBody, names_tag};
use futures_util::future::{BoxFuture, Either, Ready, ready};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;

use crate::answer::{Answer, Body};
use crate::key::KeyError;
use crate::origin::{Origin, Served, Tier, Unavailable};

pub(crate) const CACHE: &str = "x-cache";

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
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return now(not_allowed());
        }
        let path = request.uri().path();
        let Some((endpoint, segment)) = self.origin.route(path) else {
            return now(no_such_path(path));
        };
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
    let detail = match unavailable {
        Unavailable::Overloaded => "too many rows are being read; try again later",
        Unavailable::Source => "the source cannot be read now; try again later",
        Unavailable::TimedOut => "the row was not read in time; try again later",
    };
    let mut response = problem(
        StatusCode::SERVICE_UNAVAILABLE,
        unavailable.as_str(),
        "The row cannot be read now",
        detail,
    );
    // Spread, so that those who were refused together do not come back together.
    let mut random = [0; 1];
    let seconds = match getrandom::fill(&mut random) {
        Ok(()) => 1 + u16::from(random[0]) % 3,
        Err(_) => 2,
    };
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
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

/// RFC 9457.
fn problem(status: StatusCode, code: &str, title: &str, detail: &str) -> Response<Bytes> {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
    });
    let mut response = Response::new(body.to_string().into());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
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
