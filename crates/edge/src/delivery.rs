//! The time that a client has for a piece of a response of HTTP/2. One that it does not take ends
//! the request and leaves its neighbours on the connection alone.
//!
//! hyper runs a request in one future, which waits for room and knows no time. So the future is
//! wrapped, and the response's body, polled inside it, leaves word of what it has handed over.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::activity::Activity;

tokio::task_local! {
    static PIECE: Cell<Option<Piece>>;
}

/// One that was handed over and has not all gone.
#[derive(Debug)]
struct Piece {
    since: Instant,
    activity: Arc<Activity>,
}

/// The body has handed over a piece.
pub(crate) fn piece_waits(activity: &Arc<Activity>) {
    let piece = Piece {
        since: Instant::now(),
        activity: Arc::clone(activity),
    };
    leave_word(Some(piece));
}

/// The body is asked for the next one.
pub(crate) fn piece_taken() {
    leave_word(None);
}

fn leave_word(piece: Option<Piece>) {
    // Outside of a request there is nobody to read it.
    let _nobody = PIECE.try_with(|cell| cell.set(piece));
}

pin_project! {
    /// A request of HTTP/2, given up when its client takes no more of the response.
    pub(crate) struct InTime<F> {
        #[pin]
        request: F,
        timeout: Duration,
        piece: Option<Piece>,
        // Present once a piece had to wait. Not set forward for each of them: it fires too early
        // and sees that there is time left.
        sleep: Option<Pin<Box<Sleep>>>,
    }
}

impl<F> InTime<F> {
    pub(crate) fn new(request: F, timeout: Duration) -> Self {
        Self {
            request,
            timeout,
            piece: None,
            sleep: None,
        }
    }
}

impl<F: Future> Future for InTime<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let cell = Cell::new(this.piece.take());
        let (done, piece) = PIECE.sync_scope(cell, || {
            (this.request.poll(cx).is_ready(), PIECE.with(Cell::take))
        });
        if done {
            return Poll::Ready(());
        }
        let Some(piece) = piece else {
            return Poll::Pending;
        };
        let end = piece.since + *this.timeout;
        let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep_until(end)));
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= end {
                piece.activity.response_given_up();
                tracing::debug!("the client does not take its response; it is given up");
                return Poll::Ready(());
            }
            sleep.as_mut().reset(end);
        }
        *this.piece = Some(piece);
        Poll::Pending
    }
}
