//! How much may still arrive on a connection: so much for every call that is on it, and a little for
//! the upkeep.
//!
//! A body is bounded by its reader, but HTTP/2 has frames that no reader sees: pings, settings, window
//! updates, empty data, continuations, kinds not invented yet. A flood of any of them costs time as
//! long as it is read, so it is counted where the bytes come in, once for all kinds.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Settings, acknowledgements, pings, the goodbye, and what was under way when a call was given up.
pub(super) const UPKEEP: u64 = 512 * 1024;

#[derive(Debug)]
pub(super) struct Allowance {
    left: AtomicU64,
    per_call: u64,
}

impl Allowance {
    pub(super) fn new(per_call: u64) -> Self {
        Self {
            left: AtomicU64::new(UPKEEP),
            per_call,
        }
    }

    /// With so many calls on it.
    pub(super) fn renew(&self, calls: usize) {
        let calls = u64::try_from(calls).unwrap_or(u64::MAX);
        let left = UPKEEP.saturating_add(self.per_call.saturating_mul(calls));
        self.left.store(left, Ordering::Relaxed);
    }

    /// Whether so much more was still allowed.
    fn take(&self, bytes: u64) -> bool {
        let less = |left: u64| left.checked_sub(bytes);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

/// A stream that ends with an error when more arrives than is allowed.
#[derive(Debug)]
pub(super) struct Metered<S> {
    stream: S,
    allowance: Arc<Allowance>,
}

impl<S> Metered<S> {
    pub(super) fn new(stream: S, allowance: Arc<Allowance>) -> Self {
        Self { stream, allowance }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let arrived = (buffer.filled().len() - before) as u64;
        if self.allowance.take(arrived) {
            read
        } else {
            let flood = "the endpoint sends more than it was asked for";
            Poll::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, flood)))
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_was_not_asked_for_ends_the_stream() {
        let (near, mut far) = tokio::io::duplex(1024 * 1024);
        let allowance = Arc::new(Allowance::new(1_000));
        let mut stream = Metered::new(near, Arc::clone(&allowance));
        let asked_for = usize::try_from(UPKEEP).unwrap() + 2_000;
        far.write_all(&vec![0; asked_for + 1]).await.unwrap();
        allowance.renew(2);
        let mut piece = vec![0_u8; asked_for];
        stream.read_exact(&mut piece).await.unwrap();
        let flood = stream.read_exact(&mut piece[..1]).await.unwrap_err();
        assert_eq!(flood.kind(), io::ErrorKind::QuotaExceeded);
        allowance.renew(0);
        assert!(!allowance.take(UPKEEP + 1) && allowance.take(UPKEEP));
        allowance.renew(usize::MAX);
        assert!(allowance.take(u64::MAX - UPKEEP), "without overflow");
    }
}
