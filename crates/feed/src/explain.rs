//! Why a user has, or has not, a card of a campaign, in the words of the campaign's author.
//!
//! The questions are asked in the order in which the pipeline asks them, and the first that decides
//! is the reason.

mod card;
mod missing;

use corkboard_core::campaign::Campaign;
use corkboard_core::dispatch::{Dispatch, Shape};
use corkboard_core::id::{CampaignId, CardId, WorkspaceId};
use corkboard_core::state::CardState;
use corkboard_core::time::Timestamp;
use corkboard_core::user::{User, UserId};
use corkboard_core::variant::choose_variant;
use corkboard_store::card_store::{Eligibility, Receipt};
use corkboard_store::page::PageRequest;
use serde::Serialize;

use crate::error::FeedError;
use crate::feeds::Feeds;

/// Dispatches looked at, newest first.
const LOOK_BACK: u32 = 20;

/// The answer to "why has this user (not) a card of this campaign?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether a card of the campaign is in the user's feed now (a control card included, which
    /// shows nothing).
    pub has_card: bool,
    /// One sentence without full stop: what decides.
    pub reason: String,
    /// What else is worth knowing, a sentence each.
    pub details: Vec<String>,
    /// The card in question, if there is one.
    pub card_id: Option<CardId>,
}

/// Everything that is known about the user and the campaign.
#[derive(Debug)]
struct Facts {
    now: Timestamp,
    campaign: Campaign,
    user: User,
    /// Whether the user has ever been tracked.
    tracked: bool,
    /// Newest first.
    dispatches: Vec<Dispatch>,
    receipt: Option<Receipt>,
    /// The newest card, if one is (or lately was) there.
    card: Option<Held>,
}

/// A card of the campaign that the user has or had.
#[derive(Debug, Clone, Copy)]
struct Held {
    id: CardId,
    variant: u8,
    expires_at: Timestamp,
    state: CardState,
    broadcast: bool,
}

impl Feeds {
    /// Why the user has, or has not, a card of the campaign. Changes nothing and makes no cards.
    ///
    /// # Errors
    ///
    /// [`FeedError::NoSuchCampaign`]; otherwise what a store says.
    pub async fn explain(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaign: CampaignId,
    ) -> Result<Explanation, FeedError> {
        let facts = self.facts(workspace, user, campaign).await?;
        let mut explanation = match &facts.card {
            Some(held) => card::explain(&facts, held),
            None => {
                let mut explanation = missing::explain(&facts);
                if let Some(dispatch) = facts.dispatches.first() {
                    let progress = self.deps().control.dispatch_progress(dispatch.id).await?;
                    missing::add_progress(&mut explanation, dispatch, &progress);
                }
                explanation
            }
        };
        if !facts.tracked {
            explanation
                .details
                .push("nothing is known about this user: never tracked".to_owned());
        }
        Ok(explanation)
    }

    async fn facts(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaign: CampaignId,
    ) -> Result<Facts, FeedError> {
        let now = self.deps().clock.now();
        let (cards, control) = (&self.deps().cards, &self.deps().control);
        let found = control.find_campaign(workspace, campaign).await?;
        let found = found.ok_or(FeedError::NoSuchCampaign)?;
        let known = cards.find_user(workspace, user).await?;
        let page = PageRequest {
            limit: LOOK_BACK,
            after: None,
        };
        let dispatches = control
            .list_dispatches(workspace, campaign, &page)
            .await?
            .items;
        Ok(Facts {
            now,
            card: self.newest_card(workspace, user, campaign, now).await?,
            receipt: self.receipt(workspace, user, campaign, &dispatches).await?,
            campaign: found,
            tracked: known.is_some(),
            user: known.unwrap_or_else(|| User::unknown(user.clone(), now)),
            dispatches,
        })
    }

    /// The receipt of the latest card. A campaign with one dispatch keeps none: there the card
    /// itself says as much, for as long as its cohort is kept.
    async fn receipt(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaign: CampaignId,
        dispatches: &[Dispatch],
    ) -> Result<Option<Receipt>, FeedError> {
        let cards = &self.deps().cards;
        let only = dispatches
            .iter()
            .find(|dispatch| !Eligibility::of(dispatch).keeps_receipts());
        let Some(only) = only else {
            let receipts = cards.receipts(workspace, user, &[campaign]).await?;
            return Ok(receipts.into_iter().next());
        };
        let one = std::slice::from_ref(user);
        let have = cards
            .have_cards(workspace, only.id, only.cohort, one)
            .await?;
        Ok(have.contains(&true).then_some(Receipt {
            campaign,
            dispatch: only.id,
            occurrence: 0,
            at: only.planned_at,
        }))
    }

    /// The user's card of the campaign: one in the feed if there is, else the newest one.
    async fn newest_card(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaign: CampaignId,
        now: Timestamp,
    ) -> Result<Option<Held>, FeedError> {
        let live = self.live().of(workspace).await?;
        let earlier = now.minus(self.options().late_events);
        let stored = self.rows(workspace, user, earlier).await?;
        let rows = stored
            .cards
            .iter()
            .filter(|card| card.campaign == campaign)
            .map(|card| {
                let held = Held {
                    id: card.id,
                    variant: card.variant,
                    expires_at: card.expires_at,
                    state: card.state,
                    broadcast: false,
                };
                (card.created_at, held)
            });
        let broadcasts = live
            .countable()
            .filter(|card| card.dispatch.campaign == campaign);
        let broadcasts = broadcasts.map(|card| {
            let state = stored
                .broadcast_states
                .iter()
                .find(|(id, _)| *id == card.id);
            let held = Held {
                id: card.id,
                variant: 0,
                expires_at: card.dispatch.expires_at,
                state: state.map(|(_, state)| *state).unwrap_or_default(),
                broadcast: true,
            };
            (card.dispatch.planned_at, held)
        });
        let in_feed = |held: &Held| held.state.is_visible() && held.expires_at > now;
        let newest = rows
            .chain(broadcasts)
            .max_by_key(|(at, held)| (in_feed(held), *at));
        Ok(newest.map(|(_, held)| held))
    }
}

impl Facts {
    /// The newest dispatch that has begun.
    fn begun(&self) -> Option<&Dispatch> {
        use corkboard_core::dispatch::DispatchState::Planned;
        self.dispatches
            .iter()
            .find(|dispatch| dispatch.state != Planned)
    }

    /// Name of a variant, and whether its members see nothing.
    fn variant(&self, place: usize) -> (&str, bool) {
        let definition = self
            .begun()
            .map_or(&self.campaign.definition, |it| &it.definition);
        definition
            .variants
            .get(place)
            .map_or(("of an earlier version", false), |it| {
                (it.name.as_str(), it.is_control())
            })
    }

    /// The variant that the user falls into.
    fn own_variant(&self) -> Option<usize> {
        let weights = self
            .campaign
            .definition
            .variants
            .iter()
            .map(|variant| variant.weight);
        choose_variant(self.campaign.id, &self.user.id, weights)
    }

    fn is_broadcast(&self) -> bool {
        self.begun()
            .is_some_and(|dispatch| dispatch.shape == Shape::Broadcast)
    }

    /// When the user may get the next card, in words.
    fn eligibility(&self) -> Option<String> {
        if self.is_broadcast() {
            return None;
        }
        let receipt = self.receipt?;
        let Some(seconds) = self.campaign.definition.reeligible_after_seconds else {
            return Some("the campaign gives each user one card".to_owned());
        };
        let again = receipt.at.plus(std::time::Duration::from_secs(seconds));
        Some(if again > self.now {
            format!("not eligible for another card until {again}")
        } else {
            format!("eligible for another card since {again}")
        })
    }
}

impl Explanation {
    fn no(reason: impl Into<String>) -> Self {
        Self {
            has_card: false,
            reason: reason.into(),
            details: Vec::new(),
            card_id: None,
        }
    }

    fn with(mut self, detail: Option<String>) -> Self {
        self.details.extend(detail);
        self
    }
}
