//! Taking cards away because of what a user did.
//!
//! Cards that were written for the user are marked. A broadcast has no row to mark: the user gets a
//! state for it, as if the card had been dismissed.

use std::collections::BTreeSet;

use corkboard_core::campaign::Campaign;
use corkboard_core::dispatch::Shape;
use corkboard_core::id::{CampaignId, WorkspaceId};
use corkboard_core::identity::broadcast_card_id;
use corkboard_core::state::Mark;
use corkboard_core::user::{UserEvent, UserId};
use corkboard_store::card_store::CardEvent;
use corkboard_store::control_store::LiveSet;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::users_by_campaigns;
use crate::error::Result;
use crate::sender::Sender;

/// Users whose cards are being marked at a time: they share a sync of the store.
const USERS_AT_ONCE: usize = 32;

impl Sender {
    /// Takes away the cards that these events end. Returns how many stored ones there were.
    pub(super) async fn take_away(
        &self,
        workspace: WorkspaceId,
        campaigns: &[Campaign],
        events: &[UserEvent],
    ) -> Result<u64> {
        let by_user = users_by_campaigns(campaigns, events);
        if by_user.is_empty() {
            return Ok(0);
        }
        let live = &self.control().live_set(workspace, self.now()).await?;
        // Collected in a loop: the compiler cannot see that a closure's future is Send here.
        let mut marking = Vec::with_capacity(by_user.len());
        for (user, ends) in by_user {
            marking.push(self.take_from(workspace, user, ends, live));
        }
        stream::iter(marking)
            .buffer_unordered(USERS_AT_ONCE)
            .try_fold(0, async |total, removed| Ok(total + removed))
            .await
    }

    async fn take_from(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        ends: Vec<(&Campaign, &UserEvent)>,
        live: &LiveSet,
    ) -> Result<u64> {
        let now = self.now();
        let campaigns: BTreeSet<CampaignId> =
            ends.iter().map(|(campaign, _)| campaign.id).collect();
        let campaigns: Vec<CampaignId> = campaigns.into_iter().collect();
        let removed = self
            .cards()
            .remove_cards(workspace, user, &campaigns, now)
            .await?;
        let marks = broadcast_marks(&ends, live);
        let mut changed = removed > 0;
        if !marks.is_empty() {
            let recorded = self
                .cards()
                .record_card_events(workspace, user, marks, now)
                .await?;
            changed |= recorded.changed;
        }
        if changed {
            self.changes()
                .users_changed(workspace, std::slice::from_ref(user));
        }
        Ok(removed)
    }
}

/// One mark for each live broadcast of these campaigns, at the time of the event that ends it.
fn broadcast_marks(ends: &[(&Campaign, &UserEvent)], live: &LiveSet) -> Vec<CardEvent> {
    let broadcasts = live.dispatches.iter().map(|live| &live.dispatch);
    broadcasts
        .filter(|dispatch| dispatch.shape == Shape::Broadcast)
        .filter_map(|dispatch| {
            let mut ending = ends
                .iter()
                .filter(|(campaign, _)| campaign.id == dispatch.campaign);
            let (_, event) = ending.next()?;
            Some(CardEvent {
                card: broadcast_card_id(dispatch.campaign, dispatch.occurrence),
                campaign: dispatch.campaign,
                variant: 0,
                cohort: dispatch.cohort,
                mark: Mark::Removed,
                at: event.at,
            })
        })
        .collect()
}
