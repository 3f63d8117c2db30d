//! The client's socket, reporting what goes through it, and closing so that the client can still
//! read our last answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::activity::Activity;
use crate::chatter::Chatter;

/// What a refused client may still send before the connection is reset; `linger_timeout` bounds
/// the time.
const LINGER_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Socket<T> {
    inner: T,
    /// What was read before the version of HTTP was known.
    read_before: Bytes,
    activity: Arc<Activity>,
    /// Of HTTP/2, what the client may say beside its requests.
    chatter: Option<Box<Chatter>>,
    goodbye_said: bool,
    thrown_away: usize,
}

impl<T> Socket<T> {
    pub(crate) fn new(inner: T, read_before: Bytes, activity: Arc<Activity>) -> Self {
        Self {
            inner,
            read_before,
            activity,
            chatter: None,
            goodbye_said: false,
            thrown_away: 0,
        }
    }

    /// From its beginning the connection speaks HTTP/2, of which it may send so many frames a second for
    /// nothing.
    pub(crate) fn bound_frames(&mut self, rate: u32) {
        self.chatter = Some(Box::new(Chatter::new(rate)));
    }

    pub(crate) fn inner(&mut self) -> &mut T {
        &mut self.inner
    }

    /// The same on another kind of socket.
    pub(crate) fn try_map<U>(self, map: impl FnOnce(T) -> io::Result<U>) -> io::Result<Socket<U>> {
        Ok(Socket {
            inner: map(self.inner)?,
            read_before: self.read_before,
            activity: self.activity,
            chatter: self.chatter,
            goodbye_said: self.goodbye_said,
            thrown_away: self.thrown_away,
        })
    }

    fn note_read(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(chatter) = &mut self.chatter else {
            return Ok(());
        };
        chatter.asked(self.activity.asked());
        if chatter.read(bytes) {
            return Ok(());
        }
        self.activity.flooded();
        Err(io::Error::other("more frames than work"))
    }

    /// Gives `bytes` back, before all that has not been read yet.
    pub(crate) fn unread(&mut self, bytes: Bytes) {
        self.read_before = if self.read_before.is_empty() {
            bytes
        } else {
            [bytes, self.read_before.split_off(0)].concat().into()
        };
    }

    fn note_write(&mut self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.activity.wrote(*bytes);
                if let Some(chatter) = &mut self.chatter {
                    chatter.wrote(*bytes);
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.activity.write_blocked(),
        }
    }
}

/// For whoever tells the connection's activity by himself.
impl<T: AsyncRead + AsyncWrite + Unpin> Socket<T> {
    pub(crate) fn poll_read_quietly(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.read_before.is_empty() {
            let part = self.read_before.len().min(buf.remaining());
            buf.put_slice(&self.read_before.split_to(part));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }

    pub(crate) fn poll_write_quietly(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Socket<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buf.filled().len(), buf.remaining());
        if self.read_before.is_empty() {
            ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        } else {
            let part = self.read_before.len().min(room);
            buf.put_slice(&self.read_before.split_to(part));
        }
        if buf.filled().len() > before {
            self.activity.received();
            self.note_read(&buf.filled()[before..])?;
        } else if room > 0 {
            self.activity.peer_closed();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.note_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.note_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        match flushed {
            Poll::Ready(_) => self.activity.flushed(),
            // TLS takes more than it has sent.
            Poll::Pending => self.activity.write_blocked(),
        }
        flushed
    }

    /// Ends our half. A close with bytes unread makes the kernel send a reset, which can overtake
    /// the response; so where the client may still be sending, its bytes are read away first.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.goodbye_said {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            this.goodbye_said = true;
            if !this.activity.wants_linger() {
                return Poll::Ready(Ok(()));
            }
            this.activity.lingering();
        }
        let mut scratch = [0_u8; 8 * 1024];
        while this.thrown_away < LINGER_BYTES {
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.inner).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => this.thrown_away += buf.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    use super::*;
    use crate::activity::Expired;
    use crate::options::EdgeOptions;

    /// The second in which a client that takes so many bytes a second runs out of time.
    async fn runs_out_of_time(bytes_a_second: usize) -> Option<usize> {
        let options = EdgeOptions::default();
        let activity = Arc::new(Activity::new(&options));
        activity.request_began();
        let (ours, mut client) = duplex(100);
        let mut socket = Socket::new(ours, Bytes::new(), Arc::clone(&activity));
        let response = vec![0; 1024 * 1024];
        let writing = async {
            socket.write_all(&response).await.unwrap();
            None
        };
        let taking = async {
            let mut taken = vec![0; bytes_a_second];
            for second in 0..120 {
                let end = activity.deadline(&options);
                if end.is_some_and(|(at, why)| at <= Instant::now() && why == Expired::Write) {
                    return Some(second);
                }
                client.read_exact(&mut taken).await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            None
        };
        tokio::select! {
            end = writing => end,
            end = taking => end,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_its_response_in_drips_runs_out_of_time() {
        assert_eq!(runs_out_of_time(1).await, Some(30));
        assert_eq!(runs_out_of_time(1_000).await, Some(30));
        assert_eq!(runs_out_of_time(1_100).await, None);
    }
}
