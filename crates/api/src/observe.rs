//! One log line, one count and one duration for each request, by route and never by id.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::time::Instant;

/// Browsers must not guess types or show the docs page in someone else's frame.
pub(crate) const HARDENING: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
];

/// Wraps everything.
pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let mut response = next.run(request).await;
    response
        .headers_mut()
        .extend(HARDENING.map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (Some(name), HeaderValue::from_static(value))
        }));
    let route = route
        .as_ref()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let status = response.status();
    let elapsed = started.elapsed();
    tracing::debug!(
        http.method = %method,
        http.route = %route,
        http.status = status.as_u16(),
        duration_ms = elapsed.as_secs_f64() * 1_000.0,
        "request finished"
    );
    metrics::counter!("corkboard_api_requests_total", "route" => route.clone(), "status" => class(status))
        .increment(1);
    metrics::histogram!("corkboard_api_request_seconds", "route" => route)
        .record(elapsed.as_secs_f64());
    response
}

/// The label of a status.
pub(crate) fn class(status: StatusCode) -> &'static str {
    let hundreds = usize::from((status.as_u16() / 100).clamp(1, 5));
    ["1xx", "2xx", "3xx", "4xx", "5xx"][hundreds - 1]
}
