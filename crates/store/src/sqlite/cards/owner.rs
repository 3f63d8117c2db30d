//! Where a user's rows are: every key of theirs begins with the same three values.

use corkboard_core::id::{Id, WorkspaceId};
use corkboard_core::slot::Slot;
use corkboard_core::user::UserId;

/// A user of a workspace, as keys name them.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) workspace: [u8; 16],
    pub(super) slot: u16,
    pub(super) user: UserId,
}

impl Owner {
    pub(super) fn new(workspace: WorkspaceId, user: &UserId) -> Self {
        Self {
            workspace: workspace.to_bytes(),
            slot: Slot::of(workspace, user).number(),
            user: user.clone(),
        }
    }

    pub(super) fn user(&self) -> &str {
        self.user.as_str()
    }
}

/// A count as stored: signed, like every integer of SQLite. Nothing here counts so far.
pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A stored count; none is below zero.
pub(super) fn counted(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}
