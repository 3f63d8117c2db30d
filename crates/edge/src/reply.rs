//! The body of an answer: the router's, or one of the edge's own refusals.

mod pieces;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

use crate::activity::Activity;
use crate::lane::{Reply, Verdict};

use pieces::Pieces;

pin_project! {
    /// A response's body on its way to the client. When it is dropped, the response has been
    /// handed over and the connection counts as idle.
    #[derive(Debug)]
    pub struct ReplyBody<B> {
        #[pin]
        kind: Kind<B>,
        // Only in HTTP/2.
        pieces: Option<Pieces>,
        handed_over: HandedOver,
    }
}

pin_project! {
    #[project = KindPinned]
    #[derive(Debug)]
    enum Kind<B> {
        Served { #[pin] body: B },
        Refused { body: Full<Bytes> },
    }
}

/// A request on its connection's books, from its header to the end of its response.
#[derive(Debug)]
pub(crate) struct HandedOver(Arc<Activity>);

impl HandedOver {
    pub(crate) fn request_began(activity: Arc<Activity>) -> Self {
        activity.request_began();
        Self(activity)
    }
}

impl Drop for HandedOver {
    fn drop(&mut self) {
        self.0.response_ended();
    }
}

impl<B> ReplyBody<B> {
    pub(crate) fn served(body: B, handed_over: HandedOver, piece: usize) -> Self {
        Self {
            kind: Kind::Served { body },
            pieces: (handed_over.0.is_multiplexed()).then(|| Pieces::new(piece)),
            handed_over,
        }
    }
}

/// An answer the edge gives by itself, as problem+json.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    /// HTTP/1.1 without a `Host`, or with several (RFC 9112, 3.2).
    NotOneHost,
    /// `Content-Length` is above the limit.
    BodyTooLarge { length: u64, limit: u64 },
    /// The body did not arrive in time.
    BodyTimedOut,
    /// There is no place for the request.
    Overloaded {
        retry_after_seconds: u64,
        stays_open: bool,
    },
}

const PROBLEM_JSON: &str = "application/problem+json";
/// Ready-made, for it is given when there is no time.
const OVERLOADED: &str = r#"{"type":"urn:corkboard:problem:overloaded","title":"There is more to do than can be done","status":503,"detail":"the request was not looked at; send it again after the time in Retry-After","code":"overloaded"}"#;

impl Refusal {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NotOneHost => "malformed_request",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTimedOut => "request_timeout",
            Self::Overloaded { .. } => "overloaded",
        }
    }

    pub(crate) fn response<B>(self, handed_over: HandedOver) -> Response<ReplyBody<B>> {
        let multiplexed = handed_over.0.is_multiplexed();
        let body = Kind::Refused {
            body: Full::new(self.json()),
        };
        let mut response = Response::new(ReplyBody {
            kind: body,
            pieces: None,
            handed_over,
        });
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        let mut ends = !multiplexed;
        if let Self::Overloaded {
            retry_after_seconds,
            stays_open,
        } = self
        {
            // Opening a connection again would cost more than the answer.
            ends &= !stays_open;
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_seconds));
        }
        if ends {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// The same answer, to a request without a body, on the short way.
    pub(crate) fn write(self, reply: Reply<'_>) -> Verdict {
        let mut head = reply.begin(self.status());
        head.header(header::CONTENT_TYPE.as_str(), PROBLEM_JSON);
        if let Self::Overloaded {
            retry_after_seconds,
            ..
        } = self
        {
            head.number(header::RETRY_AFTER.as_str(), retry_after_seconds);
        }
        head.body(&self.json())
    }

    fn status(self) -> StatusCode {
        match self {
            Self::NotOneHost => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::Overloaded { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn json(self) -> Bytes {
        let (title, detail) = match self {
            Self::NotOneHost => (
                "The request cannot be read",
                "a request of HTTP/1.1 has one Host header; send the name that you called".into(),
            ),
            Self::BodyTooLarge { length, limit } => (
                "The body is too large",
                format!("the body has {length} bytes, at most {limit} are accepted"),
            ),
            Self::BodyTimedOut => (
                "The request took too long to arrive",
                "the body did not arrive in time; send it again over a better connection".into(),
            ),
            Self::Overloaded { .. } => return Bytes::from_static(OVERLOADED.as_bytes()),
        };
        // No text here needs escaping: literals and numbers only.
        Bytes::from(format!(
            r#"{{"type":"urn:corkboard:problem:{code}","title":"{title}","status":{},"detail":"{detail}","code":"{code}"}}"#,
            self.status().as_u16(),
            code = self.code(),
        ))
    }
}

impl<B: Body<Data = Bytes>> Body for ReplyBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        match this.kind.project() {
            KindPinned::Served { body } => match this.pieces {
                None => body.poll_frame(cx),
                Some(pieces) => pieces.poll_next(cx, body, &this.handed_over.0),
            },
            KindPinned::Refused { body } => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        if self.pieces.as_ref().is_some_and(Pieces::has_more) {
            return false;
        }
        match &self.kind {
            Kind::Served { body } => body.is_end_stream(),
            Kind::Refused { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Served { body } => body.size_hint(),
            Kind::Refused { body } => body.size_hint(),
        }
    }
}
