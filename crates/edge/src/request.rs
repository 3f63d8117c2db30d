//! A request's body, from a client that may be slow but not for ever.

mod clock;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::activity::Activity;
use crate::admission::Parking;
use crate::options::EdgeOptions;
use crate::pace::TooSlow;

use clock::BodyClock;

/// The body of a request as handlers see it: hyper's, which fails when the client is too slow.
/// The clock runs only while a read waits, so a handler that reads late takes nothing from the
/// client.
///
/// When a body timed out, the edge answers 408, whatever the handler makes of the error.
#[derive(Debug)]
pub struct RequestBody {
    /// Absent where it is known beforehand that there is none.
    inner: Option<Incoming>,
    activity: Arc<Activity>,
    /// Absent for requests without a body.
    fate: Option<Arc<BodyFate>>,
    /// The request's place, for as long as its client is slow.
    parking: Option<Parking>,
    clock: BodyClock,
    ended: bool,
}

/// What became of a request's body, for the one who answers the request.
#[derive(Debug, Default)]
pub(crate) struct BodyFate {
    waited: AtomicBool,
    timed_out: AtomicBool,
}

impl BodyFate {
    /// The client was slower than we are.
    pub(crate) fn has_waited(&self) -> bool {
        self.waited.load(Relaxed)
    }

    pub(crate) fn has_timed_out(&self) -> bool {
        self.timed_out.load(Relaxed)
    }
}

/// A request's body ended before it was complete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestBodyError {
    /// The client sent nothing, or too little, for too long.
    #[error("the client was too slow in sending the body")]
    TimedOut,
    /// The connection broke, or the body is not validly framed.
    #[error("the body could not be read from the connection")]
    Connection(#[source] hyper::Error),
}

impl RequestBody {
    pub(crate) fn new(
        inner: Option<Incoming>,
        activity: Arc<Activity>,
        options: &EdgeOptions,
    ) -> Self {
        let ended = inner.as_ref().is_none_or(Body::is_end_stream);
        Self {
            inner,
            activity,
            fate: (!ended).then(Arc::default),
            parking: None,
            clock: BodyClock::new(options),
            ended,
        }
    }

    pub(crate) fn fate(&self) -> Option<Arc<BodyFate>> {
        self.fate.clone()
    }

    /// Says whose place is given to others while the client is slow.
    pub(crate) fn park_with(&mut self, parking: impl FnOnce() -> Parking) {
        if !self.ended {
            self.parking = Some(parking());
        }
    }

    fn has_ended(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn has_timed_out(&self) -> bool {
        self.fate.as_ref().is_some_and(|fate| fate.has_timed_out())
    }

    fn time_out(&self) {
        if let Some(fate) = &self.fate {
            fate.timed_out.store(true, Relaxed);
        }
    }

    fn wait_for_client(&mut self) {
        if let Some(fate) = &self.fate {
            fate.waited.store(true, Relaxed);
        }
        if let Some(parking) = &mut self.parking {
            parking.park();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = &mut *self;
        if !this.ended && this.has_timed_out() {
            return Poll::Ready(Some(Err(RequestBodyError::TimedOut)));
        }
        let polled = match &mut this.inner {
            Some(inner) => Pin::new(inner).poll_frame(cx),
            None => Poll::Ready(None),
        };
        if let Poll::Ready(_) = polled
            && let Some(parking) = &mut this.parking
        {
            parking.unpark();
        }
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                let in_time = this.clock.came(frame.data_ref().map_or(0, Bytes::len));
                this.ended = this.has_ended();
                if in_time.is_err() && !this.ended {
                    this.time_out();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(Some(Err(RequestBodyError::Connection(error))))
            }
            Poll::Ready(None) => {
                this.ended = true;
                Poll::Ready(None)
            }
            Poll::Pending => {
                this.wait_for_client();
                match this.clock.poll_waiting(cx) {
                    Poll::Ready(TooSlow) => {
                        this.time_out();
                        Poll::Ready(Some(Err(RequestBodyError::TimedOut)))
                    }
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended()
    }

    fn size_hint(&self) -> SizeHint {
        let nothing = || SizeHint::with_exact(0);
        self.inner.as_ref().map_or_else(nothing, Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.ended && !self.has_ended() {
            self.activity.body_left_unread();
        }
    }
}
