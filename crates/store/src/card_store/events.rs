//! What users did with cards, and the counts that follow.

use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, CardId};
use corkboard_core::state::Mark;
use corkboard_core::time::{Day, Timestamp};

/// One mark on one card, with all that is needed to count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardEvent {
    pub card: CardId,
    pub campaign: CampaignId,
    pub variant: u8,
    /// The cohort that the card (or the broadcast's dispatch) belongs to.
    pub cohort: Cohort,
    /// Seen, clicked or dismissed; `Removed` marks a broadcast as taken back and counts nothing.
    pub mark: Mark,
    /// When it happened, as reported. A second event with the same card, mark and time is a repeat.
    /// It may lie ahead of the store's `now`: then it is kept and counted as of `now`.
    pub at: Timestamp,
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordedEvents {
    /// Events that were not repeats.
    pub new: u64,
    /// Whether any card's visible state changed.
    pub changed: bool,
}

/// Counts of one variant on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountRow {
    pub variant: u8,
    pub day: Day,
    pub counts: EventCounts,
}

/// Exact counts. A card counts once as unique per kind, however often it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventCounts {
    pub sent: u64,
    pub impressions: u64,
    pub unique_impressions: u64,
    pub clicks: u64,
    pub unique_clicks: u64,
    pub dismissals: u64,
    pub unique_dismissals: u64,
}

impl EventCounts {
    /// Adds another row's counts.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.impressions += other.impressions;
        self.unique_impressions += other.unique_impressions;
        self.clicks += other.clicks;
        self.unique_clicks += other.unique_clicks;
        self.dismissals += other.dismissals;
        self.unique_dismissals += other.unique_dismissals;
    }
}
