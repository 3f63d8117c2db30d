//! `GET /v1/feed`: a user's cards, whole or as changes since a cursor.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use corkboard_edge::names_tag;
use corkboard_feed::FeedQuery;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::extract::{ApiQuery, Reader};
use crate::problem::{ProblemDocument, Result};
use crate::schema::FeedDocument;
use crate::state::ApiState;

pub(crate) const PATH: &str = "/v1/feed";
pub(crate) const JSON: &str = "application/json";
/// A feed belongs to one user: shared caches must keep out, and clients ask again each time.
pub(crate) const CACHING: &str = "private, no-cache";
pub(crate) const VARIES: &str = "authorization";

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedParameters {
    /// Only cards of this feed; all feeds when absent.
    feed: Option<String>,
    /// The `cursor` of an earlier reply: only what has changed since.
    since: Option<String>,
}

/// The user's feed. Pinned cards first, then higher priority, then newest.
#[utoipa::path(
    get, path = "/v1/feed", tag = "Client", params(FeedParameters), security(("user_token" = [])),
    responses(
        (status = 200, description = "The cards", body = FeedDocument, headers(("ETag" = String))),
        (status = 304, description = "Unchanged since If-None-Match"),
        (status = 400, description = "Unknown cursor", body = ProblemDocument),
        (status = 401, description = "No valid user token", body = ProblemDocument),
    ),
)]
pub(crate) async fn get_feed(
    State(state): State<ApiState>,
    Reader(reader): Reader,
    ApiQuery(parameters): ApiQuery<FeedParameters>,
    headers: HeaderMap,
) -> Result<Response> {
    let query = FeedQuery {
        feed: parameters.feed,
        since: parameters.since,
    };
    let reply = state
        .feeds
        .read(reader.workspace, &reader.user, &query)
        .await?;
    let etag = HeaderValue::from_str(&reply.etag).unwrap_or(HeaderValue::from_static("\"\""));
    let unchanged = is_known(&headers, &reply.etag);
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let json = HeaderValue::from_static(JSON);
        let mut response = Response::new(reply.body.into());
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHING));
    headers.insert(header::VARY, HeaderValue::from_static(VARIES));
    Ok(response)
}

/// Whether `If-None-Match` names the tag.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    names_tag(values.map(HeaderValue::as_bytes), etag)
}
