//! A user's cards as the people who send them see them: every one, in whatever state.

use std::collections::HashMap;
use std::sync::Arc;

use corkboard_core::campaign::CampaignDefinition;
use corkboard_core::card::{CardContent, Presentation};
use corkboard_core::hint::FeedChanges;
use corkboard_core::id::{CampaignId, CardId, DispatchId, WorkspaceId};
use corkboard_core::state::{CardState, Mark};
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;
use corkboard_store::card_store::CardEvent;
use serde::Serialize;

use crate::error::FeedError;
use crate::feeds::Feeds;
use crate::live::Live;

/// One card with everything known about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InspectedCard {
    pub id: CardId,
    pub campaign_id: CampaignId,
    pub campaign_name: String,
    pub dispatch_id: DispatchId,
    pub variant: String,
    pub state: InspectedState,
    /// Composed when a feed is read, not stored for this user.
    pub broadcast: bool,
    #[serde(flatten)]
    pub presentation: Presentation,
    pub card: CardContent,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub seen_at: Option<Timestamp>,
    pub clicked_at: Option<Timestamp>,
    pub dismissed_at: Option<Timestamp>,
    pub removed_at: Option<Timestamp>,
}

/// Whether a card is in the user's feed, and if not, the first reason that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InspectedState {
    Visible,
    /// The campaign was stopped and its cards taken back.
    Cancelled,
    /// Taken back from this user: by an event, or by hand.
    Removed,
    /// Closed by the user.
    Dismissed,
    Expired,
}

impl InspectedState {
    pub(crate) fn of(
        state: CardState,
        expires_at: Timestamp,
        cancelled: bool,
        now: Timestamp,
    ) -> Self {
        if cancelled {
            Self::Cancelled
        } else if state.has(Mark::Removed) {
            Self::Removed
        } else if state.has(Mark::Dismissed) {
            Self::Dismissed
        } else if expires_at <= now {
            Self::Expired
        } else {
            Self::Visible
        }
    }
}

/// One card before names were looked up.
struct Found {
    id: CardId,
    dispatch: DispatchId,
    variant: u8,
    broadcast: bool,
    campaign: CampaignId,
    created_at: Timestamp,
    expires_at: Timestamp,
    presentation: Arc<Presentation>,
    content: Arc<CardContent>,
    state: CardState,
}

impl Feeds {
    /// All cards of a user, newest first, stored ones and the workspace's broadcasts, up to a day
    /// after they expired.
    ///
    /// # Errors
    ///
    /// What a store says.
    pub async fn user_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
    ) -> Result<Vec<InspectedCard>, FeedError> {
        let now = self.deps().clock.now();
        let live = self.live().of(workspace).await?;
        let found = self.find(workspace, user, &live, now).await?;
        let mut frozen: HashMap<DispatchId, Option<CampaignDefinition>> = HashMap::new();
        let mut cards = Vec::with_capacity(found.len());
        for card in found {
            let definition = match frozen.entry(card.dispatch) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(place) => {
                    let control = &self.deps().control;
                    let dispatch = control.find_dispatch(workspace, card.dispatch).await?;
                    place.insert(dispatch.map(|dispatch| dispatch.definition))
                }
            };
            let cancelled = live.set.cancelled.contains(&card.campaign);
            cards.push(inspected(&card, definition.as_ref(), cancelled, now));
        }
        Ok(cards)
    }

    /// Takes one card back from one user; stored or broadcast. Whether the user had it (again:
    /// still true).
    ///
    /// # Errors
    ///
    /// What a store says.
    pub async fn remove_card(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        card: CardId,
    ) -> Result<bool, FeedError> {
        let now = self.deps().clock.now();
        let live = self.live().of(workspace).await?;
        let stored = self.rows(workspace, user, now).await?;
        let row = stored.cards.iter().find(|row| row.id == card);
        let row = row.map(|row| (row.campaign, row.variant, row.cohort));
        let broadcast = || {
            let broadcast = live
                .broadcasts
                .iter()
                .find(|broadcast| broadcast.id == card && broadcast.dispatch.expires_at > now)?;
            Some((broadcast.dispatch.campaign, 0, broadcast.dispatch.cohort))
        };
        let Some((campaign, variant, cohort)) = row.or_else(broadcast) else {
            return Ok(false);
        };
        let event = CardEvent {
            card,
            campaign,
            variant,
            cohort,
            mark: Mark::Removed,
            at: now,
        };
        let cards = &self.deps().cards;
        let recorded = cards
            .record_card_events(workspace, user, vec![event], now)
            .await?;
        if recorded.changed {
            self.hub()
                .users_changed(workspace, std::slice::from_ref(user));
        }
        Ok(true)
    }

    async fn find(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        live: &Live,
        now: Timestamp,
    ) -> Result<Vec<Found>, FeedError> {
        let earlier = now.minus(self.options().late_events);
        let stored = self.rows(workspace, user, earlier).await?;
        let states: HashMap<CardId, CardState> = stored.broadcast_states.into_iter().collect();
        let broadcasts = live.broadcasts.iter().map(|card| Found {
            id: card.id,
            dispatch: card.dispatch.id,
            variant: 0,
            broadcast: true,
            campaign: card.dispatch.campaign,
            created_at: card.dispatch.planned_at,
            expires_at: card.dispatch.expires_at,
            presentation: Arc::clone(&card.presentation),
            content: Arc::clone(&card.content),
            state: states.get(&card.id).copied().unwrap_or_default(),
        });
        let rows = stored.cards.into_iter().map(|card| Found {
            id: card.id,
            dispatch: card.dispatch,
            variant: card.variant,
            broadcast: false,
            campaign: card.campaign,
            created_at: card.created_at,
            expires_at: card.expires_at,
            presentation: card.presentation,
            content: card.content,
            state: card.state,
        });
        let mut found: Vec<Found> = rows.chain(broadcasts).collect();
        found.sort_by_key(|card| (std::cmp::Reverse(card.created_at), card.id));
        Ok(found)
    }
}

fn inspected(
    card: &Found,
    definition: Option<&CampaignDefinition>,
    cancelled: bool,
    now: Timestamp,
) -> InspectedCard {
    let variant = definition.and_then(|it| it.variants.get(usize::from(card.variant)));
    InspectedCard {
        id: card.id,
        campaign_id: card.campaign,
        campaign_name: definition.map(|it| it.name.clone()).unwrap_or_default(),
        dispatch_id: card.dispatch,
        variant: variant.map(|it| it.name.clone()).unwrap_or_default(),
        state: InspectedState::of(card.state, card.expires_at, cancelled, now),
        broadcast: card.broadcast,
        presentation: Presentation::clone(&card.presentation),
        card: CardContent::clone(&card.content),
        created_at: card.created_at,
        expires_at: card.expires_at,
        seen_at: card.state.first(Mark::Seen),
        clicked_at: card.state.first(Mark::Clicked),
        dismissed_at: card.state.first(Mark::Dismissed),
        removed_at: card.state.first(Mark::Removed),
    }
}
