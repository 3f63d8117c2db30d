//! A request's body under a time limit.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::activity::Activity;
use crate::admission::Parking;
use crate::options::EdgeOptions;

/// The body of a request as handlers see it: hyper's, which fails when the client is too slow.
/// The clock runs from the first read, so a handler that reads late takes nothing from the client.
///
/// When a body timed out, the edge answers 408, whatever the handler makes of the error.
#[derive(Debug)]
pub struct RequestBody {
    /// Absent where it is known beforehand that there is none.
    inner: Option<Incoming>,
    activity: Arc<Activity>,
    whole: Duration,
    progress: Duration,
    /// Absent for requests without a body.
    fate: Option<Arc<BodyFate>>,
    /// The request's place, for as long as its client is slow.
    parking: Option<Parking>,
    /// Present once a read had to wait: most bodies arrive with their header and never need it.
    clock: Option<BodyClock>,
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

#[derive(Debug)]
struct BodyClock {
    /// When the whole body must be there.
    whole_at: Instant,
    /// Armed for the nearer of `whole_at` and the end of patience with this one read.
    sleep: Pin<Box<Sleep>>,
    /// Whether the read before this one had to wait too.
    waiting: bool,
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
            whole: options.body_timeout,
            progress: options.body_progress_timeout,
            fate: (!ended).then(Arc::default),
            parking: None,
            clock: None,
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

    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let progress = self.progress;
        let clock = match &mut self.clock {
            Some(clock) => {
                if !clock.waiting {
                    let next = (Instant::now() + progress).min(clock.whole_at);
                    clock.sleep.as_mut().reset(next);
                }
                clock
            }
            None => {
                let now = Instant::now();
                let first = now + progress.min(self.whole);
                self.clock.insert(BodyClock {
                    whole_at: now + self.whole,
                    sleep: Box::pin(sleep_until(first)),
                    waiting: true,
                })
            }
        };
        clock.waiting = true;
        clock.sleep.as_mut().poll(cx)
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
                if let Some(clock) = &mut this.clock {
                    clock.waiting = false;
                    // A drip that always has a byte ready must not outrun the clock.
                    if Instant::now() >= clock.whole_at && !this.has_ended() {
                        this.time_out();
                    }
                }
                this.ended = this.has_ended();
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
                match this.poll_clock(cx) {
                    Poll::Ready(()) => {
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
