//! A short way for what memory can answer at once.
//!
//! Most of what a spike asks for lies ready in memory, and then reading the request and writing the
//! answer is all there is to do. hyper and a router are made for everything that HTTP can be; a
//! [`Lane`] is asked first, with the request still in the buffer it was read into, and writes its
//! answer into another. What is not in memory but near may come [`Later`]: the request is admitted like
//! any other, and its connection waits for the answer itself. Everything else goes on to the service,
//! through admission, too; what is not a plain `GET` of HTTP/1.1, or not well-formed, goes to hyper
//! together with the rest of its connection, so that there is one opinion about every odd case.
//!
//! Nothing of a request outlives its answer: both buffers belong to the thread, so an idle connection
//! keeps none, and a busy core works in memory that it has at hand.

mod asking;
mod coming;
mod conversation;
mod date;
mod fixed;
mod head;
mod reply;
mod scratch;
mod sending;
mod work;

use std::fmt;

pub use coming::{Found, Later};
pub(crate) use conversation::LaneConversation;
pub use fixed::FixedHeaders;
pub use head::Asked;
pub use reply::{Reply, ReplyHead, Verdict};
pub(crate) use work::Answers;

/// Answers from memory, asked before the service.
///
/// It must not block, and must not differ from the service: whoever is answered here would have got
/// the same status, headers and body there.
pub trait Lane: fmt::Debug + Send + Sync + 'static {
    /// Looks at one `GET` and answers it with `reply`, or says where it goes.
    fn at_once(&self, asked: &Asked<'_>, reply: Reply<'_>) -> Verdict;
}
