//! What a client sends: read, looked at, and put to the lane.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{LaneConversation, Onward};
use crate::lane::asking::{Asker, Asking};
use crate::lane::coming::Coming;
use crate::lane::head;
use crate::lane::scratch::{self, Scratch};
use crate::lane::work::Work;
use crate::reply::HandedOver;
use crate::service::HttpService;

/// What a client may send ahead while its request is being answered. Beyond it, it is not listened to.
const AHEAD: usize = 16 * 1024;

impl<T, S> LaneConversation<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: HttpService,
{
    /// Reads what there is, and looks at it.
    pub(super) fn listen(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Poll<Onward<S>> {
        // Out of the loan for a moment, so that the rest of it can be lent on.
        let mut input = mem::take(&mut scratch.input);
        let mut buffer = ReadBuf::new(&mut input);
        let read = Pin::new(&mut self.socket).poll_read_quietly(cx, &mut buffer);
        let length = buffer.filled().len();
        let onward = match read {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(_)) => Poll::Ready(Onward::Broken),
            Poll::Ready(Ok(())) if length == 0 => Poll::Ready(if self.kept.is_empty() {
                Onward::End
            } else {
                Onward::Broken
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
        onward
    }

    /// Answers the requests in `read` as far as that is possible at once.
    pub(super) fn look(
        &mut self,
        cx: &mut Context<'_>,
        mut read: &[u8],
        scratch: &mut Scratch,
    ) -> Onward<S> {
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
                    return self.keep(read, Onward::HandOver);
                }
                Asking::More => {
                    self.gate.shared.activity.received();
                    return self.keep(read, Onward::Listen);
                }
                Asking::Elsewhere => return self.keep(read, Onward::HandOver),
                Asking::Service(request, entry) => {
                    let answer = self.gate.begin(*request, entry);
                    let work = Work::begin(answer, &self.answers);
                    return self.keep(&read[taken..], Onward::Wait(work));
                }
                Asking::Later(later, entry) => {
                    let activity = Arc::clone(&self.gate.shared.activity);
                    let handed_over = HandedOver::request_began(activity);
                    let coming = Coming::new(later, entry, taken, handed_over);
                    return self.keep(read, Onward::Await(coming));
                }
                Asking::Answered => {
                    read = &read[taken..];
                    if let Some(onward) = self.answer(cx, scratch, read.is_empty()) {
                        return self.keep(read, onward);
                    }
                }
            }
        }
        self.kept = Vec::new();
        Onward::Listen
    }

    pub(super) fn keep(&mut self, read: &[u8], onward: Onward<S>) -> Onward<S> {
        self.kept = read.to_vec();
        onward
    }

    /// Whether the client hung up before it got its answer. What it sends meanwhile is kept.
    pub(super) fn has_left(&mut self, cx: &mut Context<'_>) -> bool {
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
}
