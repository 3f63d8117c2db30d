//! Rows of the connected-content call log.

use corkboard_core::id::{CampaignId, WorkspaceId};
use corkboard_core::time::Timestamp;

/// One call (or shared, cached or refused one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    pub at: Timestamp,
    pub workspace: WorkspaceId,
    pub campaign: Option<CampaignId>,
    pub method: String,
    pub url: String,
    pub host: String,
    /// HTTP status or a synthetic one (0, 529, 598, 599).
    pub status: u16,
    /// From asking to the answer.
    pub elapsed_ms: u32,
    /// The part of it that was spent waiting for leave to call.
    pub waited_ms: u32,
    pub bytes: u64,
    /// How the answer came about: `network`, `shared`, `cache`, `stale` or `refused`.
    pub outcome: String,
    /// Which try this was, counted from 1.
    pub attempt: u32,
    pub problem: Option<String>,
}

/// Which calls are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallFilter {
    pub host: Option<String>,
    pub status: Option<u16>,
    pub campaign: Option<CampaignId>,
    pub outcome: Option<String>,
    /// Only those that did not end with a 2xx.
    pub failed: bool,
}

/// Of nearly all rows, and of those in no index by outcome.
const USUAL_OUTCOME: &str = "network";

impl CallFilter {
    /// Whether the index by outcome holds what is wanted.
    pub(crate) fn is_by_rare_outcome(&self) -> bool {
        let outcome = self.outcome.as_deref();
        outcome.is_some_and(|outcome| outcome != USUAL_OUTCOME)
    }
}
