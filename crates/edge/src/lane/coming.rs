//! An answer that has to be waited for, without a request made of what was read.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::reply::{Reply, Verdict};
use crate::admission::{Entry, Ticket, Waiting};
use crate::gate::Shared;
use crate::reply::HandedOver;

/// Brings what an answer is written from. Nothing is begun before it is polled: it may turn out that
/// there is no place for the request.
pub type Later = Pin<Box<dyn Future<Output = Found> + Send>>;

/// Writes the answer. One that is not [answered](Verdict::is_answered) is the service's after all.
pub type Found = Box<dyn FnOnce(Reply<'_>) -> Verdict + Send>;

/// A request on its way to its answer: in line at the door, then under way.
pub(super) struct Coming {
    later: Later,
    place: Place,
    /// Of what was read: the request's head, in case that it goes to the service.
    pub(super) head: usize,
    /// The connection counts as busy until this is dropped.
    _handed_over: HandedOver,
}

enum Place {
    /// Where everybody is admitted.
    None,
    Held(Ticket),
    InLine(Waiting),
}

impl Coming {
    /// `entry`: what the door has said, where there is one; not that there is no place.
    pub(super) fn new(
        later: Later,
        entry: Option<Entry>,
        head: usize,
        handed_over: HandedOver,
    ) -> Self {
        Self {
            later,
            place: match entry {
                Some(Entry::Admitted(ticket)) => Place::Held(ticket),
                Some(Entry::Waiting(waiting)) => Place::InLine(waiting),
                Some(Entry::Refused) | None => Place::None,
            },
            head,
            _handed_over: handed_over,
        }
    }

    /// Ready once. The place is given back with it: what is left to do is writing. Who gets no place is
    /// brought a refusal.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<Found> {
        if let Place::InLine(waiting) = &mut self.place {
            match ready!(waiting.poll(cx)) {
                Some(ticket) => self.place = Place::Held(ticket),
                None => {
                    let refusal = waiting.refusal(true);
                    shared.meters.refused(refusal.code());
                    return Poll::Ready(Box::new(move |reply| refusal.write(reply)));
                }
            }
        }
        let found = ready!(self.later.as_mut().poll(cx));
        if let Place::Held(mut ticket) = mem::replace(&mut self.place, Place::None) {
            ticket.answered(false);
        }
        Poll::Ready(found)
    }
}

impl fmt::Debug for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coming").finish_non_exhaustive()
    }
}
