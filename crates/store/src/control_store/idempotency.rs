//! Replies kept so that a repeated request gets the same answer.

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
