//! What the brand's systems report about users: attributes, and events that set campaigns off or
//! take their cards away.

mod removal;

use std::collections::{BTreeMap, HashMap, HashSet};

use corkboard_core::campaign::{Campaign, CampaignState};
use corkboard_core::dispatch::{Cause, Recipient};
use corkboard_core::id::{DispatchId, EventId, WorkspaceId};
use corkboard_core::identity::event_dispatch_id;
use corkboard_core::user::{AttributeChange, UserEvent, UserId};
use corkboard_store::StoreError;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Map;

use crate::error::{Result, SendError};
use crate::launch::RACES;
use crate::sender::Sender;
use crate::trigger::{MAX_RECIPIENTS, Order};

/// Dispatches of one report that are being stored at a time: they share a sync of the store.
const STORING_AT_ONCE: usize = 32;

/// One report. Checked by the caller: sizes, names, and that the events belong to the workspace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Track {
    pub attributes: Vec<AttributeChange>,
    pub events: Vec<UserEvent>,
}

/// What came of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracked {
    /// Events that had not been reported before.
    pub new_events: u64,
    /// Dispatches that answer the events, those of an earlier report of the same events included.
    pub dispatches: Vec<DispatchId>,
    /// Stored cards that the events took away.
    pub removed_cards: u64,
}

impl Sender {
    /// Records attributes and events, sets off the campaigns that the events trigger, and takes away
    /// the cards that they end. All of it is durable when this returns. Repeating a report, in whole
    /// or in part, adds nothing to it.
    ///
    /// # Errors
    /// `Store`: some of it may have been done; repeating the report does the rest.
    pub async fn track(&self, workspace: WorkspaceId, track: Track) -> Result<Tracked> {
        let now = self.now();
        if !track.attributes.is_empty() {
            self.cards()
                .change_attributes(workspace, track.attributes, now)
                .await?;
        }
        if track.events.is_empty() {
            return Ok(Tracked::default());
        }
        let is_new = self
            .cards()
            .record_user_events(track.events.clone(), now)
            .await?;
        let campaigns = self.control().event_campaigns(workspace, now).await?;
        // Events that were recorded before are acted on again: the earlier report may have got no
        // further than recording them, and acting twice has no effect.
        let dispatches = self.set_off(&campaigns, &track.events).await?;
        let removed_cards = self.take_away(workspace, &campaigns, &track.events).await?;
        let new_events = is_new.into_iter().filter(|is_new| *is_new).count() as u64;
        Ok(Tracked {
            new_events,
            dispatches,
            removed_cards,
        })
    }

    async fn set_off(
        &self,
        campaigns: &[Campaign],
        events: &[UserEvent],
    ) -> Result<Vec<DispatchId>> {
        let mut orders = Vec::new();
        for campaign in campaigns {
            let Some(name) = campaign.definition.delivery.event() else {
                continue;
            };
            // A stopped one is here because its cards may still have to be taken away.
            if campaign.state != CampaignState::Active {
                continue;
            }
            let matching = events.iter().filter(|event| event.name == name);
            orders.extend(
                answers(campaign, matching)
                    .into_iter()
                    .map(|order| (campaign, order)),
            );
        }
        let mut storing = Vec::with_capacity(orders.len());
        for (campaign, order) in orders {
            storing.push(self.answer(campaign, order));
        }
        stream::iter(storing)
            .buffered(STORING_AT_ONCE)
            .try_filter_map(async |stored| Ok(stored))
            .try_collect()
            .await
    }

    /// Stores one dispatch that answers events. `None` when the campaign has ended meanwhile.
    async fn answer(&self, campaign: &Campaign, answer: Answer) -> Result<Option<DispatchId>> {
        let id = event_dispatch_id(campaign.id, &answer.events);
        let mut campaign = campaign.clone();
        for _ in 0..RACES {
            let order = Order {
                id,
                cause: Cause::Event,
                recipients: answer.recipients.clone(),
                properties: Map::new(),
            };
            match self.dispatch_to(&campaign, order).await {
                Ok(dispatch) => return Ok(Some(dispatch.id)),
                Err(SendError::Store(StoreError::Stale { .. })) => {}
                // An expiry in the past, say: the campaign has outlived itself. The event stands.
                Err(SendError::Invalid(problems)) => {
                    tracing::debug!(campaign = %campaign.id, ?problems, "event sets nothing off");
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
            let name = campaign.definition.delivery.event().map(str::to_owned);
            match self
                .control()
                .find_campaign(campaign.workspace, campaign.id)
                .await?
            {
                Some(changed)
                    if changed.state == campaign.state
                        && changed.definition.delivery.event() == name.as_deref() =>
                {
                    campaign = changed;
                }
                _ => return Ok(None),
            }
        }
        Err(SendError::Store(StoreError::Stale { what: "campaign" }))
    }
}

/// A dispatch that answers events.
#[derive(Debug, PartialEq)]
struct Answer {
    events: Vec<EventId>,
    recipients: Vec<Recipient>,
}

/// The dispatches that answer a report's events for one campaign.
///
/// A campaign that gives each user one card for ever gets one dispatch with every user once. A
/// campaign that may give more gets a dispatch for each event: its id then follows from the event
/// alone, so that the event counts once in whatever company it is reported again.
fn answers<'a>(campaign: &Campaign, events: impl Iterator<Item = &'a UserEvent>) -> Vec<Answer> {
    let recipient = |event: &UserEvent| Recipient {
        user_id: event.user.clone(),
        properties: event.properties.clone(),
    };
    let mut seen: HashSet<EventId> = HashSet::new();
    let events = events.filter(|event| seen.insert(event.id));
    if campaign.definition.reeligible_after_seconds.is_some() {
        return events
            .map(|event| Answer {
                events: vec![event.id],
                recipients: vec![recipient(event)],
            })
            .collect();
    }
    let mut users: HashSet<&UserId> = HashSet::new();
    let first: Vec<&UserEvent> = events.filter(|event| users.insert(&event.user)).collect();
    first
        .chunks(MAX_RECIPIENTS)
        .map(|part| Answer {
            events: part.iter().map(|event| event.id).collect(),
            recipients: part.iter().copied().map(recipient).collect(),
        })
        .collect()
}

/// Which users reported which of these event names, so that each user is dealt with once.
fn users_by_campaigns<'a>(
    campaigns: &'a [Campaign],
    events: &'a [UserEvent],
) -> BTreeMap<&'a UserId, Vec<(&'a Campaign, &'a UserEvent)>> {
    let mut by_name: HashMap<&str, Vec<&Campaign>> = HashMap::new();
    for campaign in campaigns {
        for name in &campaign.definition.remove_on {
            by_name.entry(name).or_default().push(campaign);
        }
    }
    let mut by_user: BTreeMap<&UserId, Vec<(&Campaign, &UserEvent)>> = BTreeMap::new();
    for event in events {
        for campaign in by_name
            .get(event.name.as_str())
            .into_iter()
            .flatten()
            .copied()
        {
            by_user
                .entry(&event.user)
                .or_default()
                .push((campaign, event));
        }
    }
    by_user
}

#[cfg(test)]
mod tests;
