//! What takes effect when a feed is read.

use std::collections::BTreeSet;
use std::sync::Arc;

use corkboard_core::dispatch::Dispatch;
use corkboard_core::id::CampaignId;

/// A dispatch that writes nothing by itself: a broadcast, or one at first impression.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveDispatch {
    pub dispatch: Arc<Dispatch>,
    /// False once the campaign was stopped: a broadcast stays in feeds, but a campaign at first
    /// impression gives no more cards.
    pub accepting: bool,
}

/// All of a workspace's, as of one instant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LiveSet {
    /// Not expired; of campaigns that are not cancelled. Newest first.
    pub dispatches: Vec<LiveDispatch>,
    /// Campaigns whose cards were taken back and may still have rows.
    pub cancelled: BTreeSet<CampaignId>,
}
