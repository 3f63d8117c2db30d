//! The body of an answer: the router's, or one of the edge's own refusals.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

use crate::activity::Activity;

pin_project! {
    /// A response's body on its way to the client. When it is dropped, the response has been
    /// handed over and the connection counts as idle.
    #[derive(Debug)]
    pub struct ReplyBody<B> {
        #[pin]
        kind: Kind<B>,
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

#[derive(Debug)]
struct HandedOver(Arc<Activity>);

impl Drop for HandedOver {
    fn drop(&mut self) {
        self.0.response_ended();
    }
}

impl<B> ReplyBody<B> {
    pub(crate) fn served(body: B, activity: Arc<Activity>) -> Self {
        Self {
            kind: Kind::Served { body },
            handed_over: HandedOver(activity),
        }
    }
}

/// An answer the edge gives by itself, as problem+json; the connection ends after it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    /// `Content-Length` is above the limit.
    BodyTooLarge { length: u64, limit: u64 },
    /// The body did not arrive in time.
    BodyTimedOut,
}

impl Refusal {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTimedOut => "request_timeout",
        }
    }

    pub(crate) fn response<B>(self, activity: Arc<Activity>) -> Response<ReplyBody<B>> {
        let (status, title, detail) = match self {
            Self::BodyTooLarge { length, limit } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is too large",
                format!("the body has {length} bytes, at most {limit} are accepted"),
            ),
            Self::BodyTimedOut => (
                StatusCode::REQUEST_TIMEOUT,
                "The request took too long to arrive",
                "the body did not arrive in time; send it again over a better connection".into(),
            ),
        };
        // No text here needs escaping: literals and numbers only.
        let json = format!(
            r#"{{"type":"urn:corkboard:problem:{code}","title":"{title}","status":{},"detail":"{detail}","code":"{code}"}}"#,
            status.as_u16(),
            code = self.code(),
        );
        let body = Kind::Refused {
            body: Full::new(Bytes::from(json)),
        };
        let mut response = Response::new(ReplyBody {
            kind: body,
            handed_over: HandedOver(activity),
        });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

impl<B: Body<Data = Bytes>> Body for ReplyBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindPinned::Served { body } => body.poll_frame(cx),
            KindPinned::Refused { body } => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
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
