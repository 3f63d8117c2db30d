//! Errors as clients see them: RFC 9457 `application/problem+json` with a stable `code`.
//!
//! This is the one place where an error becomes a status. The rooms below know nothing of HTTP; a
//! 5xx never carries their text, which goes to the log instead.

mod codes;
mod mapping;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use corkboard_core::campaign::Invalid;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

pub use codes::Code;

/// The media type of every error.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An error on its way to a client.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    errors: Vec<Invalid>,
    retry_after_seconds: Option<u64>,
}

/// What a request handler returns.
pub type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    /// `detail` says what was wrong, where, and what to do.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_seconds: None,
        }
    }

    /// A 422 with the places that are wrong.
    #[must_use]
    pub fn invalid(errors: Vec<Invalid>) -> Self {
        let detail = match errors.as_slice() {
            [only] if only.path.is_empty() => format!("the body: {}", only.message),
            [only] => format!("{}: {}", only.path, only.message),
            several => format!("{} fields are invalid, see errors", several.len()),
        };
        Self {
            errors,
            ..Self::new(Code::Invalid, detail)
        }
    }

    #[cfg(test)]
    pub(crate) fn places(&self) -> Vec<&str> {
        self.errors
            .iter()
            .map(|error| error.path.as_str())
            .collect()
    }

    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<&str> {
        self.errors
            .iter()
            .map(|error| error.message.as_str())
            .collect()
    }

    /// Asks the client to come back after about `seconds`; up to half as much again, and a second
    /// at the least, is added at random, so that clients turned away together do not return
    /// together.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        let mut byte = [0_u8; 1];
        // Without entropy there is merely no jitter.
        let share = getrandom::fill(&mut byte).map_or(0, |()| u64::from(byte[0]));
        let base = seconds.max(1);
        let widest = base.div_ceil(2);
        self.retry_after_seconds = Some(base + share * (widest + 1) / 256);
        self
    }

    /// The status that goes with the code.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.code.status()
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// `urn:corkboard:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    /// What was wrong, where, and what to do.
    detail: String,
    /// Stable: programs may branch on it.
    code: &'static str,
    /// Present for validation errors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<FieldError>)]
    errors: Vec<Invalid>,
}

/// One invalid place of a request body. The schema of [`Invalid`].
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FieldError {
    /// JSON pointer, such as `/variants/0/card/title`.
    path: String,
    message: String,
}

impl Problem {
    /// The whole answer.
    pub(crate) fn response(self) -> http::Response<Bytes> {
        let status = self.status();
        let document = ProblemDocument {
            kind: format!("urn:corkboard:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: status.as_u16(),
            detail: self.detail,
            code: self.code.as_str(),
            errors: self.errors,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = http::Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.response().map(Body::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn clients_turned_away_together_are_spread_even_over_short_times() {
        for (seconds, all) in [(1, 1..=2), (2, 2..=3), (30, 30..=45)] {
            let asked: BTreeSet<u64> = (0..2_000)
                .filter_map(|_| {
                    Problem::new(Code::RateLimited, "")
                        .retry_after(seconds)
                        .retry_after_seconds
                })
                .collect();
            assert_eq!(asked, BTreeSet::from_iter(all), "{seconds}");
        }
    }
}
