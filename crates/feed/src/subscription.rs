//! Live connections: a hint that the feed may have changed, never the cards themselves.

use corkboard_core::id::WorkspaceId;
use corkboard_core::user::UserId;
use tokio::time::sleep;

use crate::error::FeedError;
use crate::feeds::Feeds;
use crate::hub::Place;

/// The feed may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Of the user's whole feed (all feeds) as it was when the hint was given. A client whose own
    /// cursor is the same need not read.
    pub cursor: String,
}

/// One live connection. Its place is given up when it is dropped.
#[derive(Debug)]
pub struct Subscription {
    feeds: Feeds,
    place: Place,
    workspace: WorkspaceId,
    user: UserId,
}

impl Feeds {
    /// Opens a live connection for a user of this node.
    ///
    /// # Errors
    ///
    /// [`FeedError::TooManySubscribers`] when the node or the user has as many as allowed.
    pub fn subscribe(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
    ) -> Result<Subscription, FeedError> {
        let options = self.options();
        let (most, per_user) = (options.max_subscribers, options.max_subscribers_per_user);
        let place = self
            .hub()
            .listen(workspace, user, most, per_user)
            .ok_or(FeedError::TooManySubscribers)?;
        Ok(Subscription {
            feeds: self.clone(),
            place,
            workspace,
            user: user.clone(),
        })
    }
}

impl Subscription {
    /// The next hint; `None` when the node is shutting down. Changes that follow each other while
    /// nobody waits are one hint, whose cursor is that of the feed when it is given. Dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Option<Hint> {
        let closing = self.feeds.closing().clone();
        closing.run_until_cancelled(self.wait()).await
    }

    async fn wait(&self) -> Hint {
        loop {
            self.place.rung().await;
            // If this future is dropped from here on, the hint goes back to its place.
            let mut owed = Owed {
                place: &self.place,
                paid: false,
            };
            match self.feeds.current_cursor(self.workspace, &self.user).await {
                Ok(cursor) => {
                    owed.paid = true;
                    return Hint { cursor };
                }
                Err(error) => {
                    tracing::warn!(workspace = %self.workspace, %error, "a live hint has to wait");
                    sleep(self.feeds.options().live_poll).await;
                }
            }
        }
    }
}

/// A hint that was taken and must be given, now or later.
struct Owed<'a> {
    place: &'a Place,
    paid: bool,
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if !self.paid {
            self.place.ring_again();
        }
    }
}
