//! What can go wrong with a request about cards, told apart by what the caller can do about it.

use corkboard_core::campaign::Invalid;
use corkboard_store::StoreError;

/// An error of [`crate::Feeds`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The `since` cursor was not given out by a feed: read without it.
    #[error("the cursor cannot be read: leave 'since' away to get the whole feed")]
    InvalidCursor,
    /// No such campaign in the workspace.
    #[error("no such campaign")]
    NoSuchCampaign,
    /// A card to be previewed is not one that a campaign could have.
    #[error("the card is not valid")]
    InvalidCard(Vec<Invalid>),
    /// As many live connections as allowed are open, for the node or for this user.
    #[error("too many live connections: poll instead, or try again later")]
    TooManySubscribers,
    /// What is in force in the workspace could not be read in time.
    #[error("the control store did not answer in time")]
    TimedOut,
    /// A store failed.
    #[error("cards or campaigns could not be read or written")]
    Store(#[from] StoreError),
}
