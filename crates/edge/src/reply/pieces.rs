//! A response of HTTP/2 in pieces, each of which its client has to take in time.
//!
//! hyper hands a body's data over whole as soon as there is room for one byte of it, and is done
//! with it: what the client then makes no room for stays in memory, out of sight, for as long as
//! the connection does. In pieces, only one is out of sight, and the last byte of all follows when
//! there is room again, so that the request lasts until its client has taken the response.

use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::activity::Activity;
use crate::delivery;

/// Smaller ones would cost more than they bound; larger ones are memory that nobody watches.
const SIZES: RangeInclusive<usize> = 16 * 1024..=64 * 1024;
/// Less than this is handed over with its end; it costs no more than its header does.
const SMALL: usize = 1024;

#[derive(Debug)]
pub(super) struct Pieces {
    size: usize,
    rest: Bytes,
}

impl Pieces {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size: size.clamp(*SIZES.start(), *SIZES.end()),
            rest: Bytes::new(),
        }
    }

    pub(super) fn has_more(&self) -> bool {
        !self.rest.is_empty()
    }

    /// To be asked only when the piece before has found room.
    pub(super) fn poll_next<B: Body<Data = Bytes>>(
        &mut self,
        cx: &mut Context<'_>,
        mut body: Pin<&mut B>,
        activity: &Arc<Activity>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        delivery::piece_taken();
        if self.rest.is_empty() {
            match ready!(body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        let piece = self.cut(body.is_end_stream());
        delivery::piece_waits(activity);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn cut(&mut self, last: bool) -> Bytes {
        let len = self.rest.len();
        let piece = if len > self.size {
            self.size
        } else if last && len > SMALL {
            len - 1
        } else {
            len
        };
        self.rest.split_to(piece)
    }
}
