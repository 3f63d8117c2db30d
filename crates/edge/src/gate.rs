//! What stands between hyper and the router: early refusals, the timed body, and what handlers may
//! know about the connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body::Body;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio_util::sync::CancellationToken;
use tower::util::Oneshot;

use crate::activity::Activity;
use crate::meters::Meters;
use crate::options::EdgeOptions;
use crate::reply::{Refusal, ReplyBody};
use crate::request::RequestBody;

/// The address at the other end of the connection, in the extensions of every request. Behind a
/// balancer it is the balancer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// Cancelled when the server drains, in the extensions of every request. A handler whose response
/// has no end of its own, such as an event stream, ends it then; otherwise it is cut off after
/// `drain_timeout`.
#[derive(Debug, Clone)]
pub struct DrainSignal(pub CancellationToken);

/// What the parts of one connection share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) activity: Arc<Activity>,
    pub(crate) peer: SocketAddr,
    pub(crate) drain: CancellationToken,
    pub(crate) options: Arc<EdgeOptions>,
    pub(crate) meters: Arc<Meters>,
}

/// The service hyper calls, one for each connection.
#[derive(Debug)]
pub(crate) struct Gate<S> {
    pub(crate) service: S,
    pub(crate) shared: Arc<Shared>,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Gate<S>
where
    S: tower::Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes>,
{
    type Response = Response<ReplyBody<B>>;
    type Error = Infallible;
    type Future = Answer<S>;

    fn call(&self, request: Request<Incoming>) -> Answer<S> {
        let shared = &self.shared;
        shared.meters.requests.increment(1);
        shared.activity.request_began();
        let (mut parts, body) = request.into_parts();
        if let Some(refusal) = too_large(&parts.headers, shared.options.max_body_bytes) {
            shared.activity.body_left_unread();
            return Answer::Refused {
                refusal,
                shared: Arc::clone(shared),
            };
        }
        parts.extensions.insert(PeerAddr(shared.peer));
        parts.extensions.insert(DrainSignal(shared.drain.clone()));
        let body = RequestBody::new(body, Arc::clone(&shared.activity), &shared.options);
        Answer::Served {
            future: Oneshot::new(self.service.clone(), Request::from_parts(parts, body)),
            shared: Arc::clone(shared),
        }
    }
}

/// hyper has already refused a length that is no number, or two that differ.
fn too_large(headers: &HeaderMap, limit: Option<u64>) -> Option<Refusal> {
    let limit = limit?;
    let length = headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    (length > limit).then_some(Refusal::BodyTooLarge { length, limit })
}

pin_project! {
    /// A response in the making.
    #[project = AnswerPinned]
    pub(crate) enum Answer<S>
    where
        S: tower::Service<Request<RequestBody>>,
    {
        Refused { refusal: Refusal, shared: Arc<Shared> },
        Served { #[pin] future: Oneshot<S, Request<RequestBody>>, shared: Arc<Shared> },
    }
}

impl<S, B> Future for Answer<S>
where
    S: tower::Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
{
    type Output = Result<Response<ReplyBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (response, shared) = match self.project() {
            AnswerPinned::Refused { refusal, shared } => (Err(*refusal), shared),
            AnswerPinned::Served { future, shared } => {
                let Ok(response) = ready!(future.poll(cx));
                let timed_out = shared.activity.has_body_timed_out();
                (
                    if timed_out {
                        Err(Refusal::BodyTimedOut)
                    } else {
                        Ok(response)
                    },
                    shared,
                )
            }
        };
        let activity = Arc::clone(&shared.activity);
        Poll::Ready(Ok(match response {
            Ok(response) => {
                let mut response = response.map(|body| ReplyBody::served(body, activity));
                if shared.drain.is_cancelled() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                response
            }
            Err(refusal) => {
                shared.meters.refused(refusal.code());
                refusal.response(activity)
            }
        }))
    }
}
