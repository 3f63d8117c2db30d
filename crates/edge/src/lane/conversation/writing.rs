//! What the client gets: the lane's answers, at once where they fit, and the service's.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{LaneConversation, Onward, Stage};
use crate::lane::coming::Found;
use crate::lane::reply::{Reply, write_head};
use crate::lane::scratch::Scratch;
use crate::lane::sending::{BrokenOff, Sending};
use crate::reply::ReplyBody;
use crate::service::HttpService;

/// Up to here a service's body is sent together with its head.
const TOGETHER: usize = 16 * 1024;

impl<T, S> LaneConversation<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: HttpService,
{
    /// Writes what the lane has brought; `head`: of `kept`.
    pub(super) fn found(
        &mut self,
        cx: &mut Context<'_>,
        found: Found,
        head: usize,
        scratch: &mut Scratch,
    ) -> Onward<S> {
        let closes = self.closes || self.gate.shared.closing.has_begun();
        let reply = Reply {
            out: &mut scratch.output,
            body: &mut scratch.body,
            closes,
        };
        if !found(reply).is_answered() {
            scratch.begin();
            self.for_service = true;
            return Onward::Look;
        }
        self.closes = closes;
        self.kept.drain(..head);
        let is_last = self.kept.is_empty();
        let onward = self.answer(cx, scratch, is_last);
        onward.unwrap_or(Onward::Look)
    }

    /// Lets an answer go out, or holds it back where it goes with others, if it is the last that
    /// can be given now; `None` when it has gone out and the connection goes on.
    ///
    /// Those who wait on the same machine are woken by what they get, and that takes the sender's time.
    /// When answers come one right after the other, most find their reader awake.
    pub(super) fn answer(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
        is_last: bool,
    ) -> Option<Onward<S>> {
        self.answered += 1;
        if is_last && self.answers.are_of_many() {
            return Some(Onward::Hold(scratch.take_written()));
        }
        self.put_out(cx, scratch)
    }

    /// It is the turn of an answer that was held back.
    pub(super) fn let_out(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Onward<S> {
        if let Stage::Released(written) = mem::replace(&mut self.stage, Stage::Looking) {
            scratch.put_back(written);
        }
        self.put_out(cx, scratch).unwrap_or(Onward::Look)
    }

    /// Writes an answer; `None` when it has gone out and the connection goes on.
    fn put_out(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Option<Onward<S>> {
        let written = self.write(cx, scratch);
        let activity = &self.gate.shared.activity;
        match written {
            Poll::Ready(Ok(())) => {
                activity.answered();
                self.closes.then_some(Onward::End)
            }
            Poll::Ready(Err(BrokenOff)) => Some(Onward::Broken),
            Poll::Pending => {
                activity.answered();
                activity.write_blocked();
                let left = Bytes::copy_from_slice(&scratch.output);
                Some(Onward::Send(left, mem::take(&mut scratch.body)))
            }
        }
    }

    /// Writes what fits. What is left stays in `scratch`.
    pub(super) fn write(
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

    /// Begins to send what the service answered, together with as much of the body as is there.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, response: Response<ReplyBody<S::Body>>) {
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
