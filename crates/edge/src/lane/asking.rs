//! One request, put to the lane, and where it goes from there.

use std::sync::Arc;

use http::Request;

use super::Lane;
use super::coming::Later;
use super::head::{Asked, Head};
use super::reply::{Next, Reply};
use super::scratch::Scratch;
use crate::admission::{Door, Entry, Ticket};
use crate::gate::Shared;

/// What becomes of the request at the beginning of a buffer.
pub(super) enum Asking {
    More,
    Elsewhere,
    Answered,
    /// With the place it was given, where places are given.
    Later(Later, Option<Ticket>),
    /// With what the door has said, if it was asked.
    Service(Box<Request<()>>, Option<Entry>),
}

impl Asking {
    fn service(asked: &Asked<'_>, entry: Option<Entry>) -> Self {
        match asked.to_request() {
            Some(request) => Self::Service(Box::new(request), entry),
            None => Self::Elsewhere,
        }
    }
}

/// Who asks.
pub(super) struct Asker<'c> {
    pub(super) lane: &'c dyn Lane,
    pub(super) shared: &'c Shared,
    /// Whether the connection ends with the answer.
    pub(super) closes: &'c mut bool,
    /// The lane has been asked before, in vain.
    pub(super) for_service: bool,
}

impl Asker<'_> {
    /// Puts it to the lane; how much of the buffer it took, and where it goes.
    pub(super) fn ask(&mut self, head: Head<'_>, scratch: &mut Scratch) -> (usize, Asking) {
        let (asked, bytes, closes) = match head {
            Head::Partial => return (0, Asking::More),
            Head::Elsewhere => return (0, Asking::Elsewhere),
            Head::Whole {
                asked,
                bytes,
                closes,
            } => (asked, bytes, closes),
        };
        let shared = self.shared;
        // hyper says what is too much.
        let options = &shared.options;
        if bytes > options.max_header_bytes || asked.lines() > options.max_headers {
            return (0, Asking::Elsewhere);
        }
        let closes = closes || *self.closes || shared.closing.has_begun();
        let reply = Reply {
            out: &mut scratch.output,
            body: &mut scratch.body,
            closes,
        };
        let next = if self.for_service {
            Next::Service
        } else {
            self.lane.at_once(&asked, reply).0
        };
        let next = match next {
            Next::Answered => {
                shared.meters.requests.increment(1);
                Asking::Answered
            }
            Next::Elsewhere => Asking::Elsewhere,
            Next::Service => Asking::service(&asked, None),
            Next::Later(later) => {
                let enter = |door: &Arc<Door>| door.enter(door.inspect(&asked.bearer()));
                match shared.door.as_ref().map(enter) {
                    None => Asking::Later(later, None),
                    Some(Entry::Admitted(ticket)) => Asking::Later(later, Some(ticket)),
                    entry => Asking::service(&asked, entry),
                }
            }
        };
        if !matches!(next, Asking::Elsewhere) {
            *self.closes = closes;
        }
        (bytes, next)
    }
}
