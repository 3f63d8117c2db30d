//! A connection of HTTP/1.1 on the short way: read, ask, write, and again.

mod reading;
mod writing;

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Lane;
use super::coming::Coming;
use super::scratch::{self, Written};
use super::sending::{BrokenOff, Sending};
use super::work::{Answers, Panicked, Work};
use crate::connection::{Conversation, Finish};
use crate::gate::{Gate, Shared};
use crate::reply::ReplyBody;
use crate::service::HttpService;
use crate::socket::Socket;

/// One connection.
pub(crate) struct LaneConversation<T, S>
where
    S: HttpService,
{
    socket: Socket<T>,
    lane: Arc<dyn Lane>,
    gate: Gate<S>,
    /// What was read and belongs to a request that is not complete, or not yet looked at.
    kept: Vec<u8>,
    stage: Stage<S>,
    /// After the answer that is under way.
    closes: bool,
    /// The next request was looked at in vain: it is the service's.
    for_service: bool,
    answers: Answers,
    /// Requests, since they were last counted.
    answered: u64,
}

enum Stage<S>
where
    S: HttpService,
{
    /// For a request; `kept` has been looked at.
    Listening,
    /// `kept` may hold a request.
    Looking,
    Waiting(Work<S>),
    /// `kept` begins with the request.
    Coming(Coming),
    Sending(Sending<ReplyBody<S::Body>>),
    /// The answer is made, and goes out with those of others.
    Due(Written),
    /// It is its turn.
    Released(Written),
    Ending,
}

/// Where a look at what was read leads.
enum Onward<S>
where
    S: HttpService,
{
    /// More must come.
    Listen,
    /// To the service.
    Wait(Work<S>),
    /// The lane brings the answer.
    Await(Coming),
    /// An answer could not go out at once.
    Send(Bytes, Bytes),
    /// An answer is to go out with those of others.
    Hold(Written),
    /// Once more at `kept`.
    Look,
    End,
    HandOver,
    Broken,
}

impl<T, S> LaneConversation<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: HttpService,
{
    pub(crate) fn new(
        socket: Socket<T>,
        lane: Arc<dyn Lane>,
        gate: Gate<S>,
        answers: Answers,
    ) -> Self {
        Self {
            socket,
            lane,
            gate,
            kept: Vec::new(),
            stage: Stage::Listening,
            closes: false,
            for_service: false,
            answers,
            answered: 0,
        }
    }

    /// Requests that were answered on the short way and are not counted yet. Counting is a word that all cores
    /// share, so it is done for many at a time.
    pub(crate) fn take_answered(&mut self) -> u64 {
        mem::take(&mut self.answered)
    }

    /// Whether an answer waits for [`LaneConversation::release`].
    pub(crate) fn is_due(&self) -> bool {
        matches!(self.stage, Stage::Due(_))
    }

    /// Lets an answer that is due go out when the conversation goes on.
    pub(crate) fn release(&mut self) {
        self.stage = match mem::replace(&mut self.stage, Stage::Listening) {
            Stage::Due(written) => Stage::Released(written),
            other => other,
        };
    }

    pub(crate) fn socket(&mut self) -> &mut T {
        self.socket.inner()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.gate.shared
    }

    /// For hyper: the socket, which gives what has been read once more, and the service.
    pub(crate) fn into_parts(self) -> (Socket<T>, Gate<S>) {
        let mut socket = self.socket;
        socket.unread(self.kept.into());
        (socket, self.gate)
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Option<Finish>> {
        match &mut self.stage {
            Stage::Listening if self.closes && self.kept.is_empty() => self.stage = Stage::Ending,
            Stage::Listening => {
                let onward = scratch::lend(|scratch| self.listen(cx, scratch));
                return Poll::Ready(self.lead(ready!(onward)));
            }
            Stage::Looking => {
                let kept = mem::take(&mut self.kept);
                let onward = scratch::lend(|scratch| self.look(cx, &kept, scratch));
                return Poll::Ready(self.lead(onward));
            }
            Stage::Waiting(work) => match work.poll(cx) {
                Poll::Ready(Ok(response)) => self.send(cx, response),
                Poll::Ready(Err(Panicked)) => return Poll::Ready(Some(Finish::Panicked)),
                Poll::Pending if self.has_left(cx) => return Poll::Ready(Some(Finish::Closed)),
                Poll::Pending => return Poll::Pending,
            },
            Stage::Coming(coming) => match coming.poll(cx, &self.gate.shared) {
                Poll::Ready(found) => {
                    let head = coming.head;
                    let onward = scratch::lend(|scratch| self.found(cx, found, head, scratch));
                    return Poll::Ready(self.lead(onward));
                }
                Poll::Pending if self.has_left(cx) => return Poll::Ready(Some(Finish::Closed)),
                Poll::Pending => return Poll::Pending,
            },
            Stage::Sending(sending) => match ready!(sending.poll(cx, &mut self.socket)) {
                Ok(()) if self.closes => self.stage = Stage::Ending,
                Ok(()) => {
                    self.gate.shared.activity.answered();
                    self.stage = Stage::Looking;
                }
                Err(BrokenOff) => return Poll::Ready(Some(Finish::Broken)),
            },
            Stage::Due(_) => return Poll::Pending,
            Stage::Released(_) => {
                let onward = scratch::lend(|scratch| self.let_out(cx, scratch));
                return Poll::Ready(self.lead(onward));
            }
            Stage::Ending => {
                let _ = ready!(Pin::new(&mut self.socket).poll_shutdown(cx));
                return Poll::Ready(Some(Finish::Closed));
            }
        }
        Poll::Ready(None)
    }

    fn lead(&mut self, onward: Onward<S>) -> Option<Finish> {
        self.stage = match onward {
            Onward::Listen => Stage::Listening,
            Onward::Wait(work) => Stage::Waiting(work),
            Onward::Await(coming) => Stage::Coming(coming),
            Onward::Hold(written) => Stage::Due(written),
            Onward::Send(head, body) => Stage::Sending(Sending::bytes(head, body)),
            Onward::Look => Stage::Looking,
            Onward::End => Stage::Ending,
            Onward::HandOver => return Some(Finish::HandOver),
            Onward::Broken => return Some(Finish::Broken),
        };
        None
    }
}

/// Nothing in it is pinned in its place: what must not move is boxed.
impl<T, S> Unpin for LaneConversation<T, S> where S: HttpService {}

impl<T, S> Conversation for LaneConversation<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: HttpService,
{
    fn poll_end(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Finish> {
        let end = loop {
            match self.step(cx) {
                Poll::Ready(None) => {}
                Poll::Ready(Some(finish)) => break Poll::Ready(finish),
                Poll::Pending => break Poll::Pending,
            }
        };
        if matches!(self.answers, Answers::Here) {
            let answered = self.take_answered();
            self.gate.shared.meters.requests.increment(answered);
        }
        end
    }

    fn say_goodbye(mut self: Pin<&mut Self>) {
        self.closes = true;
    }
}
