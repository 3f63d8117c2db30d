//! `[feed]`: reading cards.

use std::time::Duration;

use serde::Serialize;

use crate::duration;
use crate::reader::Section;

/// What one feed is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeedConfig {
    /// Cards in one feed; the rest is cut off at the end of the order.
    pub max_cards: usize,
    /// What clients are told to wait before they ask again.
    #[serde(serialize_with = "duration::serialize")]
    pub refresh_after: Duration,
    /// How often a node looks for campaigns launched or stopped elsewhere.
    #[serde(serialize_with = "duration::serialize")]
    pub poll: Duration,
}

impl FeedConfig {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        Self {
            max_cards: section.number("max_cards", 1..=1_000),
            refresh_after: section.duration("refresh_after", ["1s", "1d"]),
            poll: section.duration("poll", ["10ms", "1m"]),
        }
    }
}
