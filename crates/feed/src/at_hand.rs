//! A feed that needs nothing but a look into memory.

use corkboard_core::id::WorkspaceId;
use corkboard_core::user::UserId;
use tokio::time::Instant;

use crate::feeds::Feeds;
use crate::personal::Moment;
use crate::read::FeedReply;

impl Feeds {
    /// Gives `serve` a user's whole feed, if it was composed before and still is what [`Feeds::read`] would
    /// give. Never waits, and makes no cards: where a campaign may want to, there is nothing at hand.
    /// `now` is when it was asked for. `serve` keeps others from the same user's feed, so it is to be quick.
    #[must_use]
    pub fn at_hand<R>(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        feed: Option<&str>,
        now: Instant,
        serve: impl FnOnce(&FeedReply) -> R,
    ) -> Option<R> {
        let live = self.live().at_hand(workspace, now)?;
        if !live.first_impressions.is_empty() {
            return None;
        }
        let personal = self.tier()?.at_hand(workspace, user, now)?;
        let moment = Moment {
            feed,
            live: &live,
            now: self.deps().clock.now(),
        };
        personal.0.recall(moment, serve)
    }
}
