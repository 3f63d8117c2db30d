//! `GET /v1/feed/live`: a hint, as a server-sent event, that the feed is worth reading again.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use corkboard_edge::DrainSignal;
use corkboard_feed::Subscription;
use futures_util::stream;
use http::{HeaderValue, header};

use crate::extract::Reader;
use crate::problem::{ProblemDocument, Result};
use crate::state::ApiState;

/// Clients wait this long before they connect again.
const GREETING: &[u8] = b": connected\nretry: 3000\n\n";

/// Hints that the feed has changed. The cards themselves are never sent here.
#[utoipa::path(
    get, path = "/v1/feed/live", tag = "Client", security(("user_token" = [])),
    responses(
        (status = 200, description = "`event: changed`, `data: {\"cursor\":\"…\"}`", content_type = "text/event-stream", body = String),
        (status = 401, description = "No valid user token", body = ProblemDocument),
        (status = 503, description = "Too many live connections", body = ProblemDocument),
    ),
)]
pub(crate) async fn live(
    State(state): State<ApiState>,
    Reader(reader): Reader,
    request: Request,
) -> Result<Response> {
    let subscription = state.feeds.subscribe(reader.workspace, &reader.user)?;
    let drain = request.extensions().get::<DrainSignal>().cloned();
    let connection = Connection {
        subscription,
        drain,
        heartbeat: state.options.live_heartbeat,
        greeted: false,
    };
    let stream = stream::unfold(connection, |mut connection| async move {
        let piece = connection.next().await?;
        Some((Ok::<_, Infallible>(piece), connection))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that buffer would hold hints back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Connection {
    subscription: Subscription,
    drain: Option<DrainSignal>,
    heartbeat: Duration,
    greeted: bool,
}

impl Connection {
    /// The next piece of the stream; `None` ends it.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(Bytes::from_static(GREETING));
        }
        let drained = async {
            match &self.drain {
                Some(signal) => signal.0.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = drained => None,
            hint = self.subscription.next() => {
                let data = serde_json::json!({ "cursor": hint?.cursor });
                Some(Bytes::from(format!("event: changed\ndata: {data}\n\n")))
            }
            () = tokio::time::sleep(self.heartbeat) => Some(Bytes::from_static(b": still here\n\n")),
        }
    }
}
