//! Reading: compose stored cards and broadcasts, states, unread, etag, live hints.
//!
//! [`Feeds`] answers everything that is asked about cards: a user's feed (whole, or what changed
//! since a cursor), what users did with cards, and for the people who send them: listings,
//! statistics, explanations, previews. A feed is composed from two parts: the user's own rows, and what concerns a whole workspace (broadcasts, cancelled campaigns), kept
//! in memory. So launching a broadcast costs nothing per user, and reading costs the same however
//! many campaigns there have been.
//!
//! The user's rows are kept in the tiers of `corkboard-cache` ([`FeedTier`]); every write to them goes
//! through [`VoidingCardStore`], which sees to it that nobody is served what was there before.
//!
//! [`LiveHub`] is where changes are announced, and from where open connections hear of them.

mod at_hand;
mod compose;
mod cursor;
mod delta;
mod error;
mod explain;
mod feeds;
mod first_impression;
mod hub;
mod inspect;
mod live;
mod options;
mod personal;
mod preview;
mod read;
mod record;
mod stats;
mod subscription;
mod tier;
mod view;
mod voiding;

pub use error::FeedError;
pub use explain::Explanation;
pub use feeds::{Deps, Feeds};
pub use hub::LiveHub;
pub use inspect::{InspectedCard, InspectedState};
pub use options::FeedOptions;
pub use preview::{Preview, PreviewFetch, PreviewRequest, PreviewUser};
pub use read::{FeedQuery, FeedReply};
pub use record::{Recorded, ReportedEvent};
pub use stats::{DayStats, Stats, VariantStats};
pub use subscription::{Hint, Subscription};
pub use tier::{FeedTier, UNTOLD_LIFETIME};
pub use voiding::VoidingCardStore;
