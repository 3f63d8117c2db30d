//! A connection of HTTP/1.1 on the short way: read, ask, write, and again.

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Lane;
use super::asking::{Asker, Asking};
use super::coming::{Coming, Found};
use super::head;
use super::reply::{Reply, write_head};
use super::scratch::{self, Scratch};
use super::sending::{BrokenOff, Sending};
use super::work::{Answers, Panicked, Work};
use crate::connection::{BoxError, Conversation, Finish};
use crate::gate::{Gate, Shared};
use crate::reply::{HandedOver, ReplyBody};
use crate::request::RequestBody;
use crate::socket::Socket;

/// What a client may send ahead while its request is being answered. Beyond it, it is not listened to.
const AHEAD: usize = 16 * 1024;
/// Up to here a service's body is sent together with its head.
const TOGETHER: usize = 16 * 1024;

/// One connection.
pub(crate) struct LaneConversation<T, S, B>
where
    S: tower::Service<Request<RequestBody>>,
{
    socket: Socket<T>,
    lane: Arc<dyn Lane>,
    gate: Gate<S>,
    /// What was read and belongs to a request that is not complete, or not yet looked at.
    kept: Vec<u8>,
    stage: Stage<S, B>,
    /// After the answer that is under way.
    closes: bool,
    /// The next request was looked at in vain: it is the service's.
    for_service: bool,
    answers: Answers,
    /// Requests, since they were last counted.
    answered: u64,
}

enum Stage<S, B>
where
    S: tower::Service<Request<RequestBody>>,
{
    /// For a request; `kept` has been looked at.
    Listening,
    /// `kept` may hold a request.
    Looking,
    Waiting(Work<S, B>),
    /// `kept` begins with the request.
    Coming(Coming),
    Sending(Sending<ReplyBody<B>>),
    Ending,
}

/// Where a look at what was read leads.
enum Turn<S, B>
where
    S: tower::Service<Request<RequestBody>>,
{
    /// More must come.
    Listen,
    /// To the service.
    Wait(Work<S, B>),
    /// The lane brings the answer.
    Await(Coming),
    /// An answer could not go out at once.
    Send(Bytes, Bytes),
    /// Once more at `kept`.
    Look,
    End,
    HandOver,
    Broken,
}

impl<T, S, B> LaneConversation<T, S, B>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: tower::Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
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
                let turn = scratch::lend(|scratch| self.listen(cx, scratch));
                return Poll::Ready(self.turn(ready!(turn)));
            }
            Stage::Looking => {
                let kept = mem::take(&mut self.kept);
                let turn = scratch::lend(|scratch| self.look(cx, &kept, scratch));
                return Poll::Ready(self.turn(turn));
            }
            Stage::Waiting(work) => match work.poll(cx) {
                Poll::Ready(Ok(response)) => self.send(cx, response),
                Poll::Ready(Err(Panicked)) => return Poll::Ready(Some(Finish::Panicked)),
                Poll::Pending if self.has_left(cx) => return Poll::Ready(Some(Finish::Closed)),
                Poll::Pending => return Poll::Pending,
            },
            Stage::Coming(coming) => match coming.poll(cx) {
                Poll::Ready(found) => {
                    let head = coming.head;
                    let turn = scratch::lend(|scratch| self.found(cx, found, head, scratch));
                    return Poll::Ready(self.turn(turn));
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
            Stage::Ending => {
                let _ = ready!(Pin::new(&mut self.socket).poll_shutdown(cx));
                return Poll::Ready(Some(Finish::Closed));
            }
        }
        Poll::Ready(None)
    }

    fn turn(&mut self, turn: Turn<S, B>) -> Option<Finish> {
        self.stage = match turn {
            Turn::Listen => Stage::Listening,
            Turn::Wait(work) => Stage::Waiting(work),
            Turn::Await(coming) => Stage::Coming(coming),
            Turn::Send(head, body) => Stage::Sending(Sending::bytes(head, body)),
            Turn::Look => Stage::Looking,
            Turn::End => Stage::Ending,
            Turn::HandOver => return Some(Finish::HandOver),
            Turn::Broken => return Some(Finish::Broken),
        };
        None
    }

    /// Reads what there is, and looks at it.
    fn listen(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<Turn<S, B>> {
        // Out of the loan for a moment, so that the rest of it can be lent on.
        let mut input = mem::take(&mut scratch.input);
        let mut buffer = ReadBuf::new(&mut input);
        let read = Pin::new(&mut self.socket).poll_read_quietly(cx, &mut buffer);
        let length = buffer.filled().len();
        let turn = match read {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(_)) => Poll::Ready(Turn::Broken),
            Poll::Ready(Ok(())) if length == 0 => Poll::Ready(if self.kept.is_empty() {
                Turn::End
            } else {
                Turn::Broken
            }),
            Poll::Ready(Ok(())) if self.kept.is_empty() => {
                Poll::Ready(self.look(cx, &input[..length], scratch))
            }
            Poll::Ready(Ok(())) => {
                let mut kept = mem::take(&mut self.kept);
                kept.extend_from_slice(&input[..length]);
                Poll::Ready(self.look(cx, &kept, scratch))
            }
        };
        scratch.input = input;
        turn
    }

    /// Answers the requests in `read` as far as that is possible at once.
    fn look(&mut self, cx: &mut Context<'_>, mut read: &[u8], scratch: &mut Scratch) -> Turn<S, B> {
        while !read.is_empty() {
            scratch.begin();
            let mut asker = Asker {
                lane: &*self.lane,
                shared: &self.gate.shared,
                closes: &mut self.closes,
                for_service: mem::take(&mut self.for_service),
            };
            let (taken, next) = head::read(read, |head| asker.ask(head, scratch));
            match next {
                Asking::More if read.len() > self.gate.shared.options.max_header_bytes => {
                    return self.keep(read, Turn::HandOver);
                }
                Asking::More => {
                    self.gate.shared.activity.received();
                    return self.keep(read, Turn::Listen);
                }
                Asking::Elsewhere => return self.keep(read, Turn::HandOver),
                Asking::Service(request, entry) => {
                    let answer = self.gate.begin(*request, entry);
                    let work = Work::begin(answer, &self.answers);
                    return self.keep(&read[taken..], Turn::Wait(work));
                }
                Asking::Later(later, ticket) => {
                    let activity = Arc::clone(&self.gate.shared.activity);
                    let handed_over = HandedOver::request_began(activity);
                    let coming = Coming::new(later, ticket, taken, handed_over);
                    return self.keep(read, Turn::Await(coming));
                }
                Asking::Answered => {
                    read = &read[taken..];
                    if let Some(turn) = self.put_out(cx, scratch) {
                        return self.keep(read, turn);
                    }
                }
            }
        }
        self.kept = Vec::new();
        Turn::Listen
    }

    /// Writes what the lane has brought; `head`: of `kept`.
    fn found(
        &mut self,
        cx: &mut Context<'_>,
        found: Found,
        head: usize,
        scratch: &mut Scratch,
    ) -> Turn<S, B> {
        let closes = self.closes || self.gate.shared.closing.has_begun();
        let reply = Reply {
            out: &mut scratch.output,
            body: &mut scratch.body,
            closes,
        };
        if !found(reply).is_answered() {
            scratch.begin();
            self.for_service = true;
            return Turn::Look;
        }
        self.closes = closes;
        self.kept.drain(..head);
        self.put_out(cx, scratch).unwrap_or(Turn::Look)
    }

    /// Writes an answer; `None` when it has gone out and the connection goes on.
    fn put_out(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Option<Turn<S, B>> {
        let written = self.write(cx, scratch);
        self.answered += 1;
        let activity = &self.gate.shared.activity;
        match written {
            Poll::Ready(Ok(())) => {
                activity.answered();
                self.closes.then_some(Turn::End)
            }
            Poll::Ready(Err(BrokenOff)) => Some(Turn::Broken),
            Poll::Pending => {
                activity.answered();
                activity.write_blocked();
                let left = Bytes::copy_from_slice(&scratch.output);
                Some(Turn::Send(left, mem::take(&mut scratch.body)))
            }
        }
    }

    fn keep(&mut self, read: &[u8], turn: Turn<S, B>) -> Turn<S, B> {
        self.kept = read.to_vec();
        turn
    }

    /// Writes what fits. What is left stays in `scratch`.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Poll<Result<(), BrokenOff>> {
        let mut socket = Pin::new(&mut self.socket);
        let mut written = 0;
        while written < scratch.output.len() {
            match socket
                .as_mut()
                .poll_write_quietly(cx, &scratch.output[written..])
            {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(BrokenOff)),
                Poll::Ready(Ok(bytes)) => written += bytes,
                Poll::Pending => {
                    scratch.output.drain(..written);
                    return Poll::Pending;
                }
            }
        }
        scratch.output.clear();
        if !scratch.body.is_empty() {
            return Poll::Pending;
        }
        let flushed = ready!(socket.poll_flush(cx));
        Poll::Ready(flushed.map_err(|_| BrokenOff))
    }

    /// Whether the client hung up before it got its answer. What it sends meanwhile is kept.
    fn has_left(&mut self, cx: &mut Context<'_>) -> bool {
        scratch::lend(|scratch| {
            while self.kept.len() < AHEAD {
                let mut buffer = ReadBuf::new(&mut scratch.input[..]);
                match Pin::new(&mut self.socket).poll_read_quietly(cx, &mut buffer) {
                    Poll::Pending => return false,
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                        self.kept.extend_from_slice(buffer.filled());
                    }
                    Poll::Ready(Ok(()) | Err(_)) => return true,
                }
            }
            false
        })
    }

    /// Begins to send what the service answered, together with as much of the body as is there.
    fn send(&mut self, cx: &mut Context<'_>, response: Response<ReplyBody<B>>) {
        let (parts, body) = response.into_parts();
        let mut out = Vec::with_capacity(512);
        let length = body.size_hint().exact();
        self.closes = write_head(&mut out, parts.status, &parts.headers, length, self.closes);
        let mut body = Some(Box::pin(body));
        while out.len() < TOGETHER
            && let Some(rest) = &mut body
        {
            match rest.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    out.extend_from_slice(&frame.into_data().unwrap_or_default());
                }
                Poll::Ready(None) => body = None,
                // Where the rest is sent, it is waited for.
                Poll::Pending => break,
                Poll::Ready(Some(Err(_))) => {
                    // The length that was announced is not reached: the client can tell.
                    self.closes = true;
                    body = None;
                }
            }
        }
        self.stage = Stage::Sending(Sending::service(out.into(), body));
    }
}

/// Nothing in it is pinned in its place: what must not move is boxed.
impl<T, S, B> Unpin for LaneConversation<T, S, B> where S: tower::Service<Request<RequestBody>> {}

impl<T, S, B> Conversation for LaneConversation<T, S, B>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: tower::Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
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
