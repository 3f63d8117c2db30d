//! A socket that is read and written without asking anybody first.
//!
//! What it cannot do now it does not wait for: the event loop hears when there is more to read, or room
//! to write, and goes on with the connection then.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mio::event::Event;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads and writes before it is the others' turn: a client that asks, or takes a long answer, as fast as it
/// is served is not alone.
const CALLS_AT_A_TIME: u8 = 32;

#[derive(Debug)]
pub(crate) struct Direct {
    stream: TcpStream,
    readable: bool,
    writable: bool,
    /// The client will send no more, or the connection is broken: no read finds this socket empty.
    ended: bool,
    calls_left: u8,
}

impl Direct {
    /// `stream` must not block.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            readable: false,
            writable: true,
            ended: false,
            calls_left: CALLS_AT_A_TIME,
        }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// There is news of it.
    pub(super) fn heard(&mut self, event: &Event) {
        self.ended |= event.is_read_closed() || event.is_error();
        self.readable |= event.is_readable() || self.ended;
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    /// It is its turn.
    pub(super) fn begin(&mut self) {
        self.calls_left = CALLS_AT_A_TIME;
    }

    /// Pending when it has had its turn; it gets another.
    fn may_call(&mut self, cx: &Context<'_>) -> Poll<()> {
        if let Some(left) = self.calls_left.checked_sub(1) {
            self.calls_left = left;
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncRead for Direct {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.readable {
            return Poll::Pending;
        }
        ready!(self.may_call(cx));
        let room = buf.initialize_unfilled();
        let wanted = room.len();
        loop {
            match recv(&self.stream, &mut *room, RecvFlags::empty()) {
                Ok((_, read)) => {
                    // Nothing is left after less than was asked for, and more is told of.
                    self.readable = read == wanted || self.ended;
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    self.readable = false;
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

impl AsyncWrite for Direct {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.writable {
            return Poll::Pending;
        }
        ready!(self.may_call(cx));
        loop {
            match send(&self.stream, buf, SendFlags::NOSIGNAL) {
                Ok(written) => {
                    self.writable = written == buf.len();
                    return Poll::Ready(Ok(written));
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    self.writable = false;
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ours, and the client's.
    fn pair() -> (Direct, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        (Direct::new(stream), client)
    }

    /// Reads and writes a byte at a time as long as that is possible.
    fn calls(cx: &mut Context<'_>, direct: &mut Direct) -> usize {
        let mut calls = 0;
        loop {
            let mut byte = [0];
            let mut buf = ReadBuf::new(&mut byte);
            if Pin::new(&mut *direct).poll_read(cx, &mut buf).is_pending() {
                return calls;
            }
            calls += 1;
            if Pin::new(&mut *direct).poll_write(cx, b"x").is_pending() {
                return calls;
            }
            calls += 1;
        }
    }

    #[test]
    fn who_always_has_something_to_read_has_turns_like_everybody() {
        let woken = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let (mut direct, mut client) = pair();
        client.write_all(&[b'x'; 1_000]).unwrap();

        assert_eq!(calls(&mut cx, &mut direct), 0, "it has not been told");
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        direct.readable = true;
        for turn in 1..=3 {
            direct.begin();
            assert_eq!(calls(&mut cx, &mut direct), usize::from(CALLS_AT_A_TIME));
            assert_eq!(woken.0.load(Ordering::Relaxed), turn);
        }
    }

    #[test]
    fn after_less_than_was_asked_for_the_kernel_is_not_asked_again_unless_the_client_has_gone() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut bytes = [0; 16];
        let (mut direct, mut client) = pair();
        direct.readable = true;
        for byte in [b"a", b"b"] {
            client.write_all(byte).unwrap();
            let mut buf = ReadBuf::new(&mut bytes);
            let read = Pin::new(&mut direct).poll_read(&mut cx, &mut buf);
            // The second has come, but nobody has said so.
            assert_eq!(read.is_ready(), byte == b"a");
        }
        drop(client);
        (direct.readable, direct.ended) = (true, true);
        for expected in [1, 0] {
            let mut buf = ReadBuf::new(&mut bytes);
            let read = Pin::new(&mut direct).poll_read(&mut cx, &mut buf);
            assert!(matches!(read, Poll::Ready(Ok(()))));
            assert_eq!(buf.filled().len(), expected);
        }
    }
}
