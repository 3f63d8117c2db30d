//! One request, put to the lane, and where it goes from there.

use http::Request;

use super::Lane;
use super::coming::Later;
use super::head::{Asked, Head};
use super::reply::{Next, Reply};
use super::scratch::Scratch;
use crate::admission::Entry;
use crate::gate::Shared;

/// What becomes of the request at the beginning of a buffer.
pub(super) enum Asking {
    More,
    Elsewhere,
    Answered,
    // With what the door has said, if it was asked.
    Later(Later, Option<Entry>),
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

/// There was no place for it, and it was told so.
struct Refused;

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
            Next::Answered => Asking::Answered,
            Next::Elsewhere => Asking::Elsewhere,
            Next::Service => match self.enter(&asked, closes, scratch) {
                Ok(entry) => Asking::service(&asked, entry),
                Err(Refused) => Asking::Answered,
            },
            Next::Later(later) => match self.enter(&asked, closes, scratch) {
                Ok(entry) => Asking::Later(later, entry),
                Err(Refused) => Asking::Answered,
            },
        };
        if !matches!(next, Asking::Elsewhere) {
            *self.closes = closes;
        }
        (bytes, next)
    }

    /// What the door says, where there is one. A refusal is written: a request that is not looked at is
    /// not worth making either.
    fn enter(
        &self,
        asked: &Asked<'_>,
        closes: bool,
        scratch: &mut Scratch,
    ) -> Result<Option<Entry>, Refused> {
        let Some(door) = &self.shared.door else {
            return Ok(None);
        };
        let entry = door.enter(door.inspect(&asked.bearer()));
        if !matches!(entry, Entry::Refused) {
            return Ok(Some(entry));
        }
        scratch.begin();
        let reply = Reply {
            out: &mut scratch.output,
            body: &mut scratch.body,
            closes,
        };
        let refusal = door.refusal(true);
        refusal.write(reply);
        self.shared.meters.refused(refusal.code());
        Err(Refused)
    }
}
