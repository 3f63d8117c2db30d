//! Hints that a feed may have changed. A lost hint costs freshness, never correctness.

use crate::id::WorkspaceId;
use crate::user::UserId;

/// Told by whoever changes cards; heard by whoever keeps feeds in memory or live connections open.
/// Must not block: implementations have a bound and drop hints when it is reached.
pub trait FeedChanges: Send + Sync + std::fmt::Debug {
    /// Something in these users' own cards or states has changed and can be read. What a
    /// sender has written may not be durable yet; it is before the sender calls it done.
    fn users_changed(&self, workspace: WorkspaceId, users: &[UserId]);
    /// A broadcast was launched or a campaign cancelled: every feed of the workspace may differ.
    fn workspace_changed(&self, workspace: WorkspaceId);
}

/// For roles that nobody listens to, and for tests of other things.
#[derive(Debug, Clone, Copy, Default)]
pub struct NobodyListens;

impl FeedChanges for NobodyListens {
    fn users_changed(&self, _: WorkspaceId, _: &[UserId]) {}
    fn workspace_changed(&self, _: WorkspaceId) {}
}
