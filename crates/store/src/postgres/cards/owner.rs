//! Where a user's rows are: every key of theirs begins with the slot.

use corkboard_core::id::{Id, WorkspaceId};
use corkboard_core::slot::Slot;
use corkboard_core::user::UserId;
use sha2::{Digest, Sha256};

use crate::postgres::values::Uuid;

/// Slots share locks in this many groups: a batch over all slots must not fill the lock table.
const SLOTS_PER_GROUP: i16 = 64;

/// A user of a workspace, as the keys of cards name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Owner {
    pub(super) slot: i16,
    pub(super) key: Uuid,
}

impl Owner {
    /// The first 16 bytes of SHA-256 over the workspace and the user id. The workspace's length is
    /// fixed, so that no two pairs read alike.
    pub(super) fn new(workspace: WorkspaceId, user: &UserId) -> Self {
        let mut hash = Sha256::new();
        hash.update(workspace.to_bytes());
        hash.update(user.as_str().as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self {
            slot: slot(workspace, user),
            key: Uuid(key),
        }
    }

    /// The group of slots whose lock an erasure of this user takes.
    pub(super) fn group(&self) -> i32 {
        i32::from(self.slot / SLOTS_PER_GROUP)
    }
}

/// A user's slot as stored.
pub(super) fn slot(workspace: WorkspaceId, user: &UserId) -> i16 {
    // Slots are below 4,096.
    i16::try_from(Slot::of(workspace, user).number()).unwrap_or(i16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_equal_what_the_database_can_compute() {
        let workspace = WorkspaceId::from_bytes([1; 16]);
        let owner = Owner::new(workspace, &UserId::parse("u-1").unwrap());
        // SELECT substr(sha256(decode(repeat('01', 16), 'hex') || 'u-1'), 1, 16)
        let hex: String = owner
            .key
            .0
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, "a1caa7b6cb0de50414904945a6e0439b");
        assert_eq!(owner.group(), i32::from(owner.slot) / 64);
    }
}
