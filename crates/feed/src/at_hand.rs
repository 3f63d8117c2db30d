//! A feed that needs nothing but a look into memory.

use corkboard_core::id::WorkspaceId;
use corkboard_core::user::UserId;

use crate::feeds::Feeds;
use crate::personal::Moment;
use crate::read::FeedReply;

impl Feeds {
    /// A user's whole feed, if it was composed before and still is what [`Feeds::read`] would give.
    /// Never waits, and makes no cards: where a campaign may want to, there is nothing at hand.
    #[must_use]
    pub fn at_hand(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        feed: Option<&str>,
    ) -> Option<FeedReply> {
        let live = self.live().at_hand(workspace)?;
        if !live.first_impressions.is_empty() {
            return None;
        }
        let personal = self.tier()?.at_hand(workspace, user)?;
        let now = self.deps().clock.now();
        personal.0.recall(Moment {
            feed,
            live: &live,
            now,
        })
    }
}
