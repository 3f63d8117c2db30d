//! Scanning an audience page by page.

use corkboard_core::audience::Audience;
use corkboard_core::id::WorkspaceId;
use corkboard_core::slot::{Slot, SlotRange};
use corkboard_core::time::Timestamp;
use corkboard_core::user::{AttributeChange, User, UserId, are_storable};
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};

/// The last user of a page; the next page begins after it. Stored with a chunk's progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanPosition {
    pub slot: Slot,
    pub user: UserId,
}

/// How much of each user a scan reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanDetail {
    /// Only who it is; everything else is as of a user of whom nothing is known.
    Ids,
    /// The user with attributes. Events are left out: the audience has been compared with them
    /// already, and templates do not see them.
    Attributes,
}

/// One page of an audience.
#[derive(Debug, Clone)]
pub struct ScanRequest<'a> {
    pub workspace: WorkspaceId,
    pub slots: SlotRange,
    pub after: Option<ScanPosition>,
    pub audience: &'a Audience,
    pub detail: ScanDetail,
    /// The time that `within_seconds` counts back from.
    pub now: Timestamp,
    /// Most users of the page.
    pub limit: usize,
}

/// Fails for texts that not every database can keep. Whoever takes changes from outside says
/// earlier, and better, which one it is.
pub(crate) fn check_storable(changes: &[AttributeChange]) -> Result<()> {
    if changes
        .iter()
        .all(|change| are_storable(&change.attributes))
    {
        return Ok(());
    }
    Err(StoreError::Conflict {
        what: "user attributes (a NUL character)",
    })
}

/// Matching users in scan order.
#[derive(Debug, Clone, PartialEq)]
pub struct UserPage {
    pub users: Vec<User>,
    /// Where the next page begins; `None` when the range is exhausted.
    pub next: Option<ScanPosition>,
}
