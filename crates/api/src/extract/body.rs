//! JSON bodies: bounded, of the right media type, and with the place named where they are wrong.

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use bytes::Bytes;
use corkboard_core::campaign::Invalid;
use corkboard_edge::RequestBodyError;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::problem::{Code, Problem};
use crate::state::ApiState;

/// Deepest nesting of a body; the parser itself would stop at the same depth.
const MAX_DEPTH: usize = 127;

/// A request body of type `T`.
#[derive(Debug)]
pub(crate) struct ApiJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ApiState> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        check_media_type(request.headers())?;
        let body = read(request.into_body(), state.options.max_body_bytes).await?;
        parse(&body).map(Self)
    }
}

/// For operations whose body only says what differs from the usual: nothing at all is as good.
impl<T: DeserializeOwned> OptionalFromRequest<ApiState> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Option<Self>, Problem> {
        let typed = request.headers().contains_key(header::CONTENT_TYPE);
        if !typed && request.body().is_end_stream() {
            return Ok(None);
        }
        <Self as FromRequest<ApiState>>::from_request(request, state)
            .await
            .map(Some)
    }
}

/// Only `application/json`, with any parameters; nothing else is guessed at.
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let essence = given.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(
        Code::UnsupportedMediaType,
        "send the body with Content-Type: application/json",
    ))
}

/// The whole body, at most `limit` bytes of it.
pub(crate) async fn read(body: axum::body::Body, limit: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::new(
            Code::BodyTooLarge,
            format!("a body may have at most {limit} bytes"),
        )),
        // Cut off, or framed wrongly: slowness is the only thing that another attempt may cure.
        Err(error) if broke_off(&*error) => Err(Problem::new(
            Code::MalformedRequest,
            "the body broke off, or is not framed as HTTP has it",
        )),
        // Too slow; the edge answers if there is anyone to answer to.
        Err(_) => Err(Problem::new(
            Code::RequestTimeout,
            "the body did not arrive completely",
        )),
    }
}

/// Whether a body failed for what the client sent, not for how slowly.
fn broke_off(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(body) = error.downcast_ref::<RequestBodyError>() {
            return matches!(body, RequestBodyError::Connection(_));
        }
        cause = error.source();
    }
    false
}

/// Reads JSON: what is no JSON at all is malformed, what says the wrong thing is invalid.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Form first: what is nested too deeply or cut off is malformed, whatever its beginning says.
    if nests_deeper_than(body, MAX_DEPTH) {
        let detail = format!("the body is nested deeper than {MAX_DEPTH} levels");
        return Err(Problem::new(Code::MalformedJson, detail));
    }
    let form = std::str::from_utf8(body)
        .map_err(|_| malformed(&"it is not UTF-8"))
        .and_then(|text| {
            serde_json::from_str::<IgnoredAny>(text).map_err(|error| malformed(&error))
        });
    form?;
    // serde would take a list of fields in order for an object; no client means that.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::invalid(vec![Invalid::new(
            "",
            "expected an object",
        )]));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = pointer(error.path());
        refusal(error.inner(), path)
    })?;
    Ok(value)
}

/// Whether brackets outside of texts nest deeper than `limit`. One pass, no recursion.
fn nests_deeper_than(body: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

/// The body is not JSON at all.
fn malformed(why: &dyn std::fmt::Display) -> Problem {
    Problem::new(Code::MalformedJson, format!("the body is not JSON: {why}"))
}

/// The body is JSON, and `error` is what is wrong with it at `path`. serde_json calls some of these
/// syntax errors too, such as a `null` where a word is expected, or a number out of range.
fn refusal(error: &serde_json::Error, path: String) -> Problem {
    // The position that serde_json appends means nothing once the place is named.
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    Problem::invalid(vec![Invalid::new(path, in_json_words(message))])
}

/// What was expected in the words of JSON, not in those of our types.
fn in_json_words(message: &str) -> String {
    if let Some((found, _)) = message.split_once("expected struct ") {
        return format!("{found}expected an object");
    }
    match message.rsplit_once("expected ") {
        Some((found, "i32")) => format!("{found}expected a whole number"),
        Some((found, "u32" | "u64")) => format!("{found}expected a whole number, 0 or more"),
        Some((found, "a map")) => format!("{found}expected an object"),
        Some((found, "a sequence")) => format!("{found}expected a list"),
        _ => message.to_owned(),
    }
}

/// A key as a part of a JSON pointer.
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A path of keys and indices as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&escaped(key));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_core::campaign::CampaignDefinition;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_are_refused_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let parsed = parse::<CampaignDefinition>(&body);
            prop_assert!(parsed.is_err_and(|problem| problem.status().is_client_error()));
        }
    }

    #[test]
    fn json_that_says_the_wrong_thing_is_invalid_whatever_the_parser_calls_it() {
        let base = r#""name":"x","expiry":{"ttl_seconds":9},"variants":[]"#;
        for (path, field) in [
            ("/creation", r#""creation":null"#),
            ("/creation", r#""creation":{}"#),
            ("/priority", r#""priority":1e999"#),
            ("/name", r#""name":"\ud800""#),
        ] {
            let base = base.replace(
                r#""name":"x","#,
                if path == "/name" {
                    ""
                } else {
                    r#""name":"x","#
                },
            );
            let body = format!("{{{field},{base}}}");
            let problem = parse::<CampaignDefinition>(body.as_bytes()).unwrap_err();
            assert_eq!(
                (problem.status().as_u16(), problem.places()),
                (422, vec![path]),
                "{body}"
            );
        }
        let problem = parse::<CampaignDefinition>(b"{\"name\":\"\xff\"}").unwrap_err();
        assert_eq!(problem.status(), 400);
    }

    #[test]
    fn what_was_expected_is_said_in_the_words_of_json() {
        for (field, expected) in [
            (r#""expiry":null"#, "an object"),
            (r#""priority":"high""#, "a whole number"),
            (
                r#""reeligible_after_seconds":-1"#,
                "a whole number, 0 or more",
            ),
            (r#""remove_on":"bought""#, "a list"),
        ] {
            let body = format!("{{{field},\"name\":\"x\"}}");
            let problem = parse::<CampaignDefinition>(body.as_bytes()).unwrap_err();
            let text = problem.messages().concat();
            assert!(text.ends_with(&format!("expected {expected}")), "{text}");
        }
    }

    #[test]
    fn nesting_beyond_the_parsers_depth_is_malformed() {
        let deep = "[".repeat(100_000);
        let problem = parse::<serde_json::Value>(deep.as_bytes()).unwrap_err();
        assert_eq!(problem.status(), 400);
    }
}
