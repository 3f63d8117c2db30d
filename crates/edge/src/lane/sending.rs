//! An answer that did not go out at once: a client that reads slowly, or a service's body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body;
use tokio::io::AsyncWrite;

use crate::connection::BoxError;

/// What is still to be sent, in order.
#[derive(Debug)]
pub(super) struct Sending<B> {
    parts: [Bytes; 2],
    body: Option<Pin<Box<B>>>,
}

/// The client or the service broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BrokenOff;

impl<B> Sending<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    pub(super) fn bytes(first: Bytes, second: Bytes) -> Self {
        Self {
            parts: [first, second],
            body: None,
        }
    }

    pub(super) fn service(head: Bytes, body: Option<Pin<Box<B>>>) -> Self {
        Self {
            parts: [head, Bytes::new()],
            body,
        }
    }

    /// Ready when everything has gone out.
    pub(super) fn poll<T: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut T,
    ) -> Poll<Result<(), BrokenOff>> {
        loop {
            for part in &mut self.parts {
                while !part.is_empty() {
                    match ready!(Pin::new(&mut *socket).poll_write(cx, part)) {
                        Ok(0) | Err(_) => return Poll::Ready(Err(BrokenOff)),
                        Ok(written) => drop(part.split_to(written)),
                    }
                }
            }
            let Some(body) = &mut self.body else {
                let flushed = ready!(Pin::new(&mut *socket).poll_flush(cx));
                return Poll::Ready(flushed.map_err(|_| BrokenOff));
            };
            match ready!(body.as_mut().poll_frame(cx)) {
                // Trailers have no place in an answer of known length.
                Some(Ok(frame)) => self.parts[0] = frame.into_data().unwrap_or_default(),
                Some(Err(_)) => return Poll::Ready(Err(BrokenOff)),
                None => self.body = None,
            }
        }
    }
}
