//! Reading a feed: whole, or what has changed since a cursor.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use corkboard_core::id::{CardId, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;
use corkboard_store::StoreError;
use corkboard_store::card_store::UserCards;

use crate::compose::compose;
use crate::cursor::{self, Entry};
use crate::delta;
use crate::error::FeedError;
use crate::feeds::Feeds;
use crate::live::Live;
use crate::personal::{Moment, Personal, SharedPersonal};
use crate::view::{Kind, View, etag};

/// Which part of a user's feed is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedQuery {
    /// Only cards of this feed; all of them when absent.
    pub feed: Option<String>,
    /// Only what changed since this cursor.
    pub since: Option<String>,
}

/// A feed, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedReply {
    /// JSON, the same bytes for the same feed.
    pub body: Bytes,
    /// A strong entity tag for `body`, quotes included.
    pub etag: Arc<str>,
}

impl Feeds {
    /// A user's feed as it is now. Cards that a campaign makes at first impression are made here
    /// first, as far as the deadline allows.
    ///
    /// # Errors
    ///
    /// [`FeedError::InvalidCursor`] for a `since` that is none; otherwise what a store says.
    pub async fn read(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        query: &FeedQuery,
    ) -> Result<FeedReply, FeedError> {
        let since = match &query.since {
            Some(text) => Some(cursor::decode(text).ok_or(FeedError::InvalidCursor)?),
            None => None,
        };
        let live = self.live().of(workspace).await?;
        let mut now = self.deps().clock.now();
        let mut personal = self.personal(workspace, user, now).await?;
        if !live.first_impressions.is_empty() {
            let first = self.first_impressions();
            if first.make(workspace, user, &live, &personal.cards).await {
                now = self.deps().clock.now();
                personal = self.personal(workspace, user, now).await?;
            }
        }
        let moment = Moment {
            feed: query.feed.as_deref(),
            live: &live,
            now,
        };
        if since.is_none()
            && let Some(reply) = personal.recall(moment, FeedReply::clone)
        {
            return Ok(reply);
        }
        let stored = &personal.cards;
        let view = self.view(stored, &live, query.feed.as_deref(), now)?;
        let refresh_after = self.options().refresh_after.as_secs();
        let is_whole = since.is_none();
        let body = match since {
            None => view.body(Kind::Whole, refresh_after),
            Some(old) => {
                let known = Known {
                    stored,
                    live: &live,
                    now,
                };
                match self.changes(workspace, user, &old, &view, known).await? {
                    Some((changed, removed)) => {
                        let kind = Kind::Changes {
                            changed: &changed,
                            removed: &removed,
                        };
                        view.body(kind, refresh_after)
                    }
                    None => view.body(Kind::Reset, refresh_after),
                }
            }
        };
        let reply = FeedReply {
            etag: etag(&body).into(),
            body,
        };
        if is_whole {
            personal.remember(moment, view.until, &reply);
        }
        Ok(reply)
    }

    /// The cursor of a user's whole feed. Makes no cards.
    pub(crate) async fn current_cursor(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
    ) -> Result<String, FeedError> {
        let _permit = self.hint_permits().acquire().await;
        let live = self.live().of(workspace).await?;
        let now = self.deps().clock.now();
        let personal = self.personal(workspace, user, now).await?;
        Ok(self.view(&personal.cards, &live, None, now)?.cursor())
    }

    /// A user's rows that have not expired at `now` (and perhaps some that just have), from the
    /// nearest tier.
    async fn personal(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<Arc<Personal>, StoreError> {
        let Some(tier) = self.tier() else {
            let rows = self.rows(workspace, user, now).await?;
            return Ok(Arc::new(Personal::new(rows)));
        };
        let (feeds, owned) = (self.clone(), user.clone());
        let load = move || async move {
            let rows = feeds.rows(workspace, &owned, now).await;
            rows.map(|rows| SharedPersonal(Arc::new(Personal::new(rows))))
                .map_err(Arc::new)
        };
        Ok(tier.read(workspace, user, load).await?.0)
    }

    /// A user's rows that have not expired at `now`.
    pub(crate) async fn rows(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<UserCards, StoreError> {
        self.deps()
            .cards
            .user_cards(workspace, user, now, self.options().max_rows)
            .await
    }

    fn view(
        &self,
        stored: &UserCards,
        live: &Live,
        feed: Option<&str>,
        now: Timestamp,
    ) -> Result<View, FeedError> {
        let cards = compose(stored, live, feed, now, self.options().max_cards);
        let unreadable = |source: serde_json::Error| StoreError::Corrupt {
            what: "card",
            source: source.into(),
        };
        Ok(View::of(&cards).map_err(unreadable)?)
    }

    /// Places of changed cards and ids of removed ones; `None` when that cannot be told.
    async fn changes(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        old: &[Entry],
        new: &View,
        known: Known<'_>,
    ) -> Result<Option<(Vec<usize>, Vec<CardId>)>, FeedError> {
        let Some(mut delta) = delta::between(old, &new.entries) else {
            return Ok(None);
        };
        let mut removed = BTreeSet::new();
        if !delta.gone.is_empty() {
            let rows = known.stored.cards.iter().map(|card| card.id);
            delta::name(
                &mut delta.gone,
                rows.chain(known.live.known_ids()),
                &mut removed,
            );
        }
        if !delta.gone.is_empty() {
            // Probably expired: those rows are still there for a while.
            let earlier = known.now.minus(self.options().late_events);
            let rows = self.rows(workspace, user, earlier).await?;
            delta::name(
                &mut delta.gone,
                rows.cards.iter().map(|card| card.id),
                &mut removed,
            );
        }
        let told = delta.gone.is_empty();
        Ok(told.then(|| (delta.changed, removed.into_iter().collect())))
    }
}

/// What has been read already and may name a card that has gone.
#[derive(Clone, Copy)]
struct Known<'a> {
    stored: &'a UserCards,
    live: &'a Live,
    now: Timestamp,
}
