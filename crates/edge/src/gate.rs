//! What stands between hyper and the router: early refusals, admission, the timed body, and what
//! handlers may know about the connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use http_body::Body;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio_util::sync::CancellationToken;
use tower::util::Oneshot;

use crate::activity::Activity;
use crate::admission::{Bearer, Door, Entry, Ticket, Waiting};
use crate::closing::Closing;
use crate::meters::Meters;
use crate::options::EdgeOptions;
use crate::reply::{HandedOver, Refusal, ReplyBody};
use crate::request::{BodyFate, RequestBody};

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
    pub(crate) closing: Arc<Closing>,
    pub(crate) options: Arc<EdgeOptions>,
    pub(crate) meters: Arc<Meters>,
    /// Absent where everybody is admitted.
    pub(crate) door: Option<Arc<Door>>,
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
        let (parts, body) = request.into_parts();
        self.answer(parts, Some(body))
    }
}

impl<S> Gate<S>
where
    S: tower::Service<Request<RequestBody>> + Clone,
{
    /// Begins the answer to a request without a body that hyper has not seen. `entry`: what the door
    /// has said, if it was asked.
    pub(crate) fn begin(&self, request: Request<()>, entry: Option<Entry>) -> Answer<S> {
        self.answer_from(request.into_parts().0, None, entry)
    }

    fn answer(&self, parts: Parts, body: Option<Incoming>) -> Answer<S> {
        self.answer_from(parts, body, None)
    }

    fn answer_from(&self, parts: Parts, body: Option<Incoming>, entry: Option<Entry>) -> Answer<S> {
        let shared = &self.shared;
        shared.meters.requests.increment(1);
        let handed_over = HandedOver::request_began(Arc::clone(&shared.activity));
        let (fate, stage) = self.first_stage(parts, body, entry);
        Answer {
            stage,
            shared: Arc::clone(shared),
            fate,
            handed_over: Some(handed_over),
        }
    }

    fn first_stage(
        &self,
        mut parts: Parts,
        body: Option<Incoming>,
        entry: Option<Entry>,
    ) -> (Option<Arc<BodyFate>>, Stage<S>) {
        let shared = &self.shared;
        let too_large = too_large(&parts.headers, shared.options.max_body_bytes);
        if let Some(refusal) = not_one_host(&parts).or(too_large) {
            shared.activity.body_left_unread();
            return (None, Stage::Refused { refusal });
        }
        let mut ticket = None;
        let mut waiting = None;
        if let Some(door) = &shared.door {
            match entry.unwrap_or_else(|| door.enter(door.inspect(&Bearer::of(&parts)))) {
                Entry::Admitted(admitted) => ticket = Some(admitted),
                Entry::Waiting(in_line) => waiting = Some(in_line),
                Entry::Refused => {
                    let bodiless = body.as_ref().is_none_or(Body::is_end_stream);
                    if !bodiless {
                        shared.activity.body_left_unread();
                    }
                    let refusal = door.refusal(bodiless);
                    return (None, Stage::Refused { refusal });
                }
            }
        }
        parts.extensions.insert(PeerAddr(shared.peer));
        parts.extensions.insert(DrainSignal(shared.drain.clone()));
        let mut body = RequestBody::new(body, Arc::clone(&shared.activity), &shared.options);
        let fate = body.fate();
        if let Some(ticket) = &ticket {
            body.park_with(|| ticket.parking());
        }
        let request = Request::from_parts(parts, body);
        let service = self.service.clone();
        let stage = match waiting {
            Some(waiting) => Stage::InLine {
                in_line: Some(Box::new(InLine {
                    waiting,
                    request,
                    service,
                })),
            },
            None => Stage::Served {
                future: Oneshot::new(service, request),
                ticket,
            },
        };
        (fate, stage)
    }
}

/// Two servers in a row that go by different ones disagree on what was asked for.
fn not_one_host(parts: &Parts) -> Option<Refusal> {
    let hosts = parts.headers.get_all(header::HOST).iter().count();
    (parts.version == Version::HTTP_11 && hosts != 1).then_some(Refusal::NotOneHost)
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

/// A request that waits for a place.
#[derive(Debug)]
pub(crate) struct InLine<S> {
    waiting: Waiting,
    request: Request<RequestBody>,
    service: S,
}

pin_project! {
    /// A response in the making.
    pub(crate) struct Answer<S>
    where
        S: tower::Service<Request<RequestBody>>,
    {
        #[pin]
        stage: Stage<S>,
        shared: Arc<Shared>,
        fate: Option<Arc<BodyFate>>,
        handed_over: Option<HandedOver>,
    }
}

pin_project! {
    #[project = StagePinned]
    enum Stage<S>
    where
        S: tower::Service<Request<RequestBody>>,
    {
        Refused { refusal: Refusal },
        // Boxed, for it is rare, and every connection keeps room for the largest stage.
        InLine { in_line: Option<Box<InLine<S>>> },
        Served { #[pin] future: Oneshot<S, Request<RequestBody>>, ticket: Option<Ticket> },
    }
}

/// Why a stage in line always has its request: taking it out ends the stage.
const STAYS: &str = "the request is taken out only where the stage is replaced";

impl<S, B> Future for Answer<S>
where
    S: tower::Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
{
    type Output = Result<Response<ReplyBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let shared: &Shared = this.shared;
        let response = loop {
            match this.stage.as_mut().project() {
                StagePinned::Refused { refusal } => break Err(*refusal),
                StagePinned::InLine { in_line } => {
                    let waiting = &mut in_line.as_mut().expect(STAYS).waiting;
                    let place = ready!(waiting.poll(cx));
                    let InLine {
                        waiting,
                        mut request,
                        service,
                    } = *in_line.take().expect(STAYS);
                    let next = match place {
                        Some(ticket) => {
                            request.body_mut().park_with(|| ticket.parking());
                            Stage::Served {
                                future: Oneshot::new(service, request),
                                ticket: Some(ticket),
                            }
                        }
                        None => Stage::Refused {
                            refusal: waiting.refusal(this.fate.is_none()),
                        },
                    };
                    this.stage.set(next);
                }
                StagePinned::Served { future, ticket } => {
                    let Ok(response) = ready!(future.poll(cx));
                    let fate = this.fate.as_deref();
                    let waited = fate.is_some_and(BodyFate::has_waited);
                    if let Some(mut ticket) = ticket.take() {
                        ticket.answered(waited);
                    }
                    break if fate.is_some_and(BodyFate::has_timed_out) {
                        Err(Refusal::BodyTimedOut)
                    } else {
                        Ok(response)
                    };
                }
            }
        };
        let handed_over = this
            .handed_over
            .take()
            .expect("a future is not polled after it was ready");
        Poll::Ready(Ok(match response {
            Ok(response) => {
                let piece = shared.options.piece_bytes();
                let mut response = response.map(|body| ReplyBody::served(body, handed_over, piece));
                // HTTP/2 says goodbye by a frame of its own.
                if shared.closing.has_begun() && !shared.activity.is_multiplexed() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                response
            }
            Err(refusal) => {
                shared.meters.refused(refusal.code());
                refusal.response(handed_over)
            }
        }))
    }
}
