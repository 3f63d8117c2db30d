//! One connection in its event loop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mio::event::Event;
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tokio_util::time::delay_queue;

use super::bells::Bell;
use super::direct::Direct;
use crate::connection::{Conversation as _, Ended, Finish, Left};
use crate::drain::Drain;
use crate::gate::{Gate, Shared};
use crate::lane::LaneConversation;
use crate::place::Place;
use crate::service::HttpService;
use crate::socket::Socket;

/// When a connection is looked after, whether it has said anything or not.
#[derive(Debug)]
pub(super) struct Timer {
    pub(super) key: delay_queue::Key,
    pub(super) at: Instant,
}

pub(super) struct Resident<S>
where
    S: HttpService,
{
    conversation: LaneConversation<Direct, S>,
    waker: Waker,
    bell: Arc<Bell>,
    drain: Drain,
    pub(super) timer: Option<Timer>,
    pub(super) place: Place,
    pub(super) counted: TaskTrackerToken,
}

impl<S> Resident<S>
where
    S: HttpService,
{
    pub(super) fn new(
        conversation: LaneConversation<Direct, S>,
        bell: Arc<Bell>,
        place: Place,
        counted: TaskTrackerToken,
    ) -> Self {
        Self {
            conversation,
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            drain: Drain::NotYet,
            timer: None,
            place,
            counted,
        }
    }

    pub(super) fn heard(&mut self, event: &Event) {
        self.conversation.socket().heard(event);
    }

    pub(super) fn socket(&mut self) -> &mut Direct {
        self.conversation.socket()
    }

    /// Goes on with it as far as that is possible; ready when it leaves.
    pub(super) fn go_on(&mut self) -> Poll<Left> {
        self.bell.heard();
        self.conversation.socket().begin();
        loop {
            if let Poll::Ready(finish) = self.poll() {
                return Poll::Ready(Left::by(finish, &self.shared().activity));
            }
            if self.conversation.is_due() {
                return Poll::Pending;
            }
            self.drain.notice(self.conversation.shared());
            if !self.drain.wants_goodbye(&self.shared().activity) {
                return Poll::Pending;
            }
            self.drain = Drain::GoodbyeSaid;
            Pin::new(&mut self.conversation).say_goodbye();
        }
    }

    /// Whether its answer waits for its turn to go out.
    pub(super) fn is_due(&self) -> bool {
        self.conversation.is_due()
    }

    /// It is its turn.
    pub(super) fn release(&mut self) {
        self.conversation.release();
    }

    pub(super) fn take_answered(&mut self) -> u64 {
        self.conversation.take_answered()
    }

    /// A panic is this connection's and nobody else's.
    fn poll(&mut self) -> Poll<Finish> {
        let conversation = &mut self.conversation;
        let mut cx = Context::from_waker(&self.waker);
        catch_unwind(AssertUnwindSafe(|| {
            Pin::new(conversation).poll_end(&mut cx)
        }))
        .unwrap_or(Poll::Ready(Finish::Panicked))
    }

    /// It waits for its client's next request, as it has before, and the timer that it has is early
    /// enough.
    pub(super) fn rests(&self) -> bool {
        self.timer.is_some() && self.drain == Drain::NotYet && self.shared().activity.rests()
    }

    /// When it has to be looked after.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (at, _) = self.drain.deadline(self.shared())?;
        Some(at)
    }

    /// How it ends when its client's time is up.
    pub(super) fn overdue(&self, now: Instant) -> Option<Ended> {
        let (at, why) = self.drain.deadline(self.shared())?;
        let expired = why?;
        (at <= now).then(|| expired.into())
    }

    fn shared(&self) -> &Shared {
        self.conversation.shared()
    }

    /// For hyper.
    pub(super) fn into_parts(self) -> (Socket<Direct>, Gate<S>, Place, TaskTrackerToken) {
        let (socket, gate) = self.conversation.into_parts();
        (socket, gate, self.place, self.counted)
    }
}
