//! `Idempotency-Key`: a repeated write gets the first one's answer and has no second effect.
//!
//! Two things make it so. The reply is kept for 24 hours and replayed. And ids of what a request
//! creates are derived from the key, so that even a repeat after a crash between effect and reply
//! finds the same campaign or dispatch instead of making another one. The handler runs in a task
//! of its own: a client that hangs up does not leave its key in flight.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use corkboard_core::id::WorkspaceId;
use corkboard_store::control_store::{Idempotent, StoredReply};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::extract::{authenticate, read_body};
use crate::problem::{Code, Problem};
use crate::state::ApiState;

/// The request header.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of a replayed reply.
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key, in characters.
const MAX_KEY: usize = 255;
/// Largest reply that is kept; no write answers more.
const MAX_REPLY: usize = 1024 * 1024;

/// The key of the request at hand, if it carries one; ids are derived from it.
#[derive(Debug, Clone)]
pub(crate) struct RequestKey(pub(crate) String);

/// Wraps the writes of the server API.
pub(crate) async fn layer(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    match key_of(request.headers()) {
        Ok(None) => next.run(request).await,
        Ok(Some(key)) => once(state, key, request, next)
            .await
            .unwrap_or_else(IntoResponse::into_response),
        Err(problem) => problem.into_response(),
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(&IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .ok()
        .filter(|text| (1..=MAX_KEY).contains(&text.len()));
    text.map(|text| Some(text.to_owned())).ok_or_else(|| {
        let detail = format!("Idempotency-Key must be 1 to {MAX_KEY} characters of plain text");
        Problem::new(Code::InvalidIdempotencyKey, detail)
    })
}

async fn once(
    state: ApiState,
    key: String,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let principal = authenticate(&state, &parts).await?;
    let workspace = principal.workspace;
    let body = read_body(body, state.options.max_body_bytes).await?;
    let hash = request_hash(&parts, &body);
    let stale_after = state.options.idempotency_stale_after;
    let now = state.clock.now();
    match state
        .control
        .begin_idempotent(workspace, &key, hash, now, stale_after)
        .await?
    {
        Idempotent::Begun => {}
        Idempotent::InFlight => {
            let detail =
                "a request with this idempotency key has not been answered yet; repeat it later";
            return Err(Problem::new(Code::RequestInFlight, detail).retry_after(1));
        }
        Idempotent::Mismatch => {
            let detail = "this idempotency key was used with another path or body; use a new key";
            return Err(Problem::new(Code::IdempotencyKeyReused, detail));
        }
        Idempotent::Replay(reply) => return Ok(replayed(reply)),
    }
    parts.extensions.insert(principal);
    parts.extensions.insert(RequestKey(key.clone()));
    let request = Request::from_parts(parts, Body::from(body));
    let tasks = state.tasks.clone();
    let work = tasks.spawn(async move {
        let response = next.run(request).await;
        keep(&state, workspace, &key, response).await
    });
    work.await.map_err(|error| Problem::internal(&error))?
}

fn request_hash(parts: &http::request::Parts, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let target = parts
        .uri
        .path_and_query()
        .map_or("", http::uri::PathAndQuery::as_str);
    for part in [parts.method.as_str().as_bytes(), target.as_bytes(), body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Keeps the reply, or gives the key back when the request may be tried again.
async fn keep(
    state: &ApiState,
    workspace: WorkspaceId,
    key: &str,
    response: Response,
) -> Result<Response, Problem> {
    let status = response.status();
    // Neither an overload nor a missing scope is about the request: it may do well the next time.
    let passing = status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::FORBIDDEN;
    if status.is_server_error() || passing {
        state.control.abandon_idempotent(workspace, key).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = read_body(body, MAX_REPLY).await?;
    let media_type = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let reply = StoredReply {
        status: status.as_u16(),
        content_type: media_type.unwrap_or_default().to_owned(),
        body: body.to_vec(),
    };
    state
        .control
        .finish_idempotent(workspace, key, &reply)
        .await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn replayed(reply: StoredReply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let mut response = (status, reply.body).into_response();
    let headers = response.headers_mut();
    // An answer without a body had no media type either.
    headers.remove(header::CONTENT_TYPE);
    if !reply.content_type.is_empty()
        && let Ok(media_type) = HeaderValue::try_from(reply.content_type)
    {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    response
}
