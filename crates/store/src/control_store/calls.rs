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
    /// HTTP status or a synthetic one (0, 599).
    pub status: u16,
    pub elapsed_ms: u32,
    pub bytes: u64,
    /// `network`, `shared`, `cache` or `refused`.
    pub source: String,
    pub problem: Option<String>,
}

/// Which calls are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallFilter {
    pub host: Option<String>,
    pub status: Option<u16>,
    pub campaign: Option<CampaignId>,
}
