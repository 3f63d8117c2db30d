//! News of the sockets of one event loop.
//!
//! The sockets are known to a poller of the loop's own, and that to tokio's as one of its many: so the loop
//! sleeps like any task, and gets its news by the hundreds.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Registry, Token};
use tokio::io::unix::AsyncFd;

/// Sockets that are told of at a time. The kernel looks at each before it tells of them, and what it
/// has looked at is to be in the core's cache still when the socket is read.
const AT_A_TIME: usize = 64;

#[derive(Debug)]
pub(super) struct Poller {
    poll: AsyncFd<mio::Poll>,
    events: Events,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe, for types that close or change their descriptor; \
                      this one keeps it for life"
        )]
        let poll = AsyncFd::with_interest(poll, tokio::io::Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(AT_A_TIME),
        })
    }

    /// For telling it of sockets.
    pub(super) fn registered(&self) -> io::Result<Registered> {
        let registry = self.poll.get_ref().registry().try_clone()?;
        Ok(Registered(registry))
    }

    /// Ready with what is new, which may be nothing; pending when there is nothing.
    pub(super) fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&Events>> {
        let mut guard = ready!(self.poll.poll_read_ready_mut(cx))?;
        match guard
            .get_inner_mut()
            .poll(&mut self.events, Some(Duration::ZERO))
        {
            // Whatever comes after these is told anew.
            Ok(()) if self.events.iter().count() < AT_A_TIME => guard.clear_ready(),
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            Err(error) => return Poll::Ready(Err(error)),
        }
        Poll::Ready(Ok(&self.events))
    }
}

/// The sockets that a poller has news of.
#[derive(Debug)]
pub(super) struct Registered(Registry);

impl Registered {
    /// From now on there is news of `stream`, once for each change, under the number `key`.
    pub(super) fn add(&self, stream: &TcpStream, key: usize) -> io::Result<()> {
        let changes = Interest::READABLE | Interest::WRITABLE;
        self.0
            .register(&mut SourceFd(&stream.as_raw_fd()), Token(key), changes)
    }

    /// No more. Not needed for one that is closed.
    pub(super) fn remove(&self, stream: &TcpStream) -> io::Result<()> {
        self.0.deregister(&mut SourceFd(&stream.as_raw_fd()))
    }
}
