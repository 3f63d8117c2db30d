//! An answer that has to be waited for, without a request made of what was read.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::reply::{Reply, Verdict};
use crate::admission::Ticket;
use crate::reply::HandedOver;

/// Brings what an answer is written from. Nothing is begun before it is polled: it may turn out that
/// there is no place for the request.
pub type Later = Pin<Box<dyn Future<Output = Found> + Send>>;

/// Writes the answer. One that is not [answered](Verdict::is_answered) is the service's after all.
pub type Found = Box<dyn FnOnce(Reply<'_>) -> Verdict + Send>;

/// A request that was admitted and waits for its answer.
pub(super) struct Coming {
    later: Later,
    ticket: Option<Ticket>,
    /// Of what was read: the request's head, in case that it goes to the service.
    pub(super) head: usize,
    /// The connection counts as busy until this is dropped.
    _handed_over: HandedOver,
}

impl Coming {
    pub(super) fn new(
        later: Later,
        ticket: Option<Ticket>,
        head: usize,
        handed_over: HandedOver,
    ) -> Self {
        Self {
            later,
            ticket,
            head,
            _handed_over: handed_over,
        }
    }

    /// Ready once. The place is given back with it: what is left to do is writing.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Found> {
        let found = self.later.as_mut().poll(cx);
        if found.is_ready()
            && let Some(mut ticket) = self.ticket.take()
        {
            ticket.answered(false);
        }
        found
    }
}

impl fmt::Debug for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coming").finish_non_exhaustive()
    }
}
