//! Replies kept so that a repeated request gets the same answer.

use std::time::Duration;

use corkboard_core::time::Timestamp;

/// How long a reply is replayed, counted from when the request came.
pub(crate) const KEPT_REPLIES: Duration = Duration::from_secs(24 * 3_600);

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idempotent {
    /// The key is now ours: go ahead.
    Begun,
    /// Another request with this key has not been answered yet.
    InFlight,
    /// The key was used with another request.
    Mismatch,
    /// Answered before.
    Replay(StoredReply),
}

/// A reply as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReply {
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
}

/// A key that has been taken and has not expired.
#[derive(Debug)]
pub(crate) struct KnownKey {
    pub(crate) request_hash: Vec<u8>,
    pub(crate) begun_at: Timestamp,
    pub(crate) reply: Option<StoredReply>,
}

impl KnownKey {
    /// What a request with this key is told; nothing when it may take the key over.
    pub(crate) fn answer(
        self,
        request_hash: &[u8],
        now: Timestamp,
        stale_after: Duration,
    ) -> Option<Idempotent> {
        // Looked at before age: a key that means another request is never taken over.
        if self.request_hash != request_hash {
            return Some(Idempotent::Mismatch);
        }
        if let Some(reply) = self.reply {
            return Some(Idempotent::Replay(reply));
        }
        let is_stale = self.begun_at.plus(stale_after) <= now;
        (!is_stale).then_some(Idempotent::InFlight)
    }
}
