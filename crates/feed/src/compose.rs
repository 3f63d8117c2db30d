//! What is in a feed and in which order: a user's rows and the workspace's broadcasts, together.

use std::cmp::Reverse;
use std::collections::HashMap;

use corkboard_core::card::{CardContent, CardType, Presentation};
use corkboard_core::id::{CampaignId, CardId};
use corkboard_core::state::{CardState, Mark};
use corkboard_core::time::Timestamp;
use corkboard_store::card_store::{StoredCard, UserCards};

use crate::live::{Broadcast, Live};

/// One card as it will be shown, borrowed from where it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FeedCard<'a> {
    pub(crate) id: CardId,
    pub(crate) campaign: CampaignId,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) presentation: &'a Presentation,
    pub(crate) content: &'a CardContent,
    pub(crate) state: CardState,
}

impl<'a> FeedCard<'a> {
    pub(crate) fn stored(card: &'a StoredCard) -> Self {
        Self {
            id: card.id,
            campaign: card.campaign,
            created_at: card.created_at,
            expires_at: card.expires_at,
            presentation: &card.presentation,
            content: &card.content,
            state: card.state,
        }
    }

    pub(crate) fn broadcast(card: &'a Broadcast, state: CardState) -> Self {
        Self {
            id: card.id,
            campaign: card.dispatch.campaign,
            created_at: card.dispatch.planned_at,
            expires_at: card.dispatch.expires_at,
            presentation: &card.presentation,
            content: &card.content,
            state,
        }
    }

    /// Whether the card is there to be counted, not to be shown.
    pub(crate) fn is_control(&self) -> bool {
        self.content.card_type == CardType::Control
    }

    pub(crate) fn is_unread(&self) -> bool {
        !self.is_control() && !self.state.has(Mark::Seen) && !self.state.has(Mark::Clicked)
    }
}

/// The cards of a feed in their order: pinned, then priority (higher first), then newest; cards
/// alike in all of these by id. `feed: None` takes the cards of every feed. At most `most` cards.
pub(crate) fn compose<'a>(
    stored: &'a UserCards,
    live: &'a Live,
    feed: Option<&str>,
    now: Timestamp,
    most: usize,
) -> Vec<FeedCard<'a>> {
    let mut cards: Vec<FeedCard<'a>> = everything(stored, live)
        .filter(|card| {
            card.expires_at > now
                && card.state.is_visible()
                && feed.is_none_or(|feed| card.presentation.feed == feed)
                && !live.set.cancelled.contains(&card.campaign)
        })
        .collect();
    cards.sort_unstable_by_key(|card| {
        let shown = card.presentation;
        (
            Reverse((shown.pinned, shown.priority, card.created_at)),
            card.id,
        )
    });
    cards.truncate(most);
    cards
}

/// All cards that the user could have: stored ones and broadcasts in force, whatever their state.
pub(crate) fn everything<'a>(
    stored: &'a UserCards,
    live: &'a Live,
) -> impl Iterator<Item = FeedCard<'a>> {
    let states: HashMap<CardId, CardState> = stored.broadcast_states.iter().copied().collect();
    let broadcasts = live.broadcasts.iter().map(move |card| {
        FeedCard::broadcast(card, states.get(&card.id).copied().unwrap_or_default())
    });
    stored.cards.iter().map(FeedCard::stored).chain(broadcasts)
}
