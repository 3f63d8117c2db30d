//! Triggering: a dispatch to recipients that somebody else has named.

use std::collections::{BTreeMap, HashMap};

use corkboard_core::campaign::{Campaign, CampaignState, Delivery, Invalid};
use corkboard_core::dispatch::{Cause, Dispatch, Recipient};
use corkboard_core::id::{CampaignId, DispatchId, WorkspaceId};
use corkboard_store::StoreError;
use corkboard_store::control_store::{ChunkWork, NewDispatch};
use serde_json::{Map, Value};

use crate::error::{Result, SendError, WrongState};
use crate::freeze::frozen;
use crate::launch::RACES;
use crate::plan::shape;
use crate::sender::Sender;

/// Most recipients of one trigger, and of one chunk.
pub(crate) const MAX_RECIPIENTS: usize = 1_000;

impl Sender {
    /// Sends a campaign of delivery kind `api` to these users, known or not, as far as they are in
    /// its audience. Durable when it returns; repeating it with the same dispatch id returns the
    /// same dispatch. A user named twice gets one card, with the properties named last.
    ///
    /// # Errors
    /// `NotFound`, `WrongState` and `Invalid` mean that nothing was stored.
    pub async fn trigger(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        dispatch: DispatchId,
        recipients: Vec<Recipient>,
        properties: Map<String, Value>,
    ) -> Result<Dispatch> {
        if recipients.is_empty() || recipients.len() > MAX_RECIPIENTS {
            let problem = Invalid::new("/recipients", "must be 1 to 1,000 recipients");
            return Err(SendError::Invalid(vec![problem]));
        }
        let recipients = each_once(recipients);
        for _ in 0..RACES {
            if let Some(found) = self.earlier(workspace, campaign, dispatch).await? {
                return Ok(found);
            }
            let campaign = self.campaign(workspace, campaign).await?;
            if campaign.state == CampaignState::Stopped {
                return Err(WrongState::CampaignStopped.into());
            }
            if campaign.definition.delivery != Delivery::Api {
                return Err(WrongState::NotApiTriggered.into());
            }
            let order = Order {
                id: dispatch,
                cause: Cause::Trigger,
                recipients: recipients.clone(),
                properties: properties.clone(),
            };
            match self.dispatch_to(&campaign, order).await {
                Err(SendError::Store(StoreError::Stale { .. })) => {}
                outcome => return outcome,
            }
        }
        Err(SendError::Store(StoreError::Stale { what: "campaign" }))
    }

    /// Stores a dispatch to named recipients. `Stale` when the campaign has changed meanwhile.
    pub(crate) async fn dispatch_to(&self, campaign: &Campaign, order: Order) -> Result<Dispatch> {
        let now = self.now();
        let campaign = &*self.with_blocks(campaign).await?;
        let compiled = self.compiled(campaign.id, campaign.version, &campaign.definition)?;
        let mut dispatch = frozen(campaign, order.id, order.cause, now, now)?;
        dispatch.shape = shape(&campaign.definition, compiled.is_static());
        dispatch.audience_estimate = order.recipients.len() as u64;
        dispatch.properties = order.properties;
        dispatch.started_at = Some(now);
        let chunks = self.by_database(campaign.workspace, order.recipients);
        let new = NewDispatch { dispatch, chunks };
        let (dispatch, fresh) = self
            .control()
            .insert_dispatch(new, &[campaign.state])
            .await?;
        if fresh {
            self.announce(&dispatch);
        }
        Ok(dispatch)
    }

    /// A chunk for each database: while one is away, the users of the others get their cards.
    fn by_database(&self, workspace: WorkspaceId, recipients: Vec<Recipient>) -> Vec<ChunkWork> {
        let mut places: BTreeMap<usize, Vec<Recipient>> = BTreeMap::new();
        for recipient in recipients {
            let place = self.cards().place(workspace, &recipient.user_id);
            places.entry(place).or_default().push(recipient);
        }
        let chunk = |recipients| ChunkWork::Recipients { recipients };
        places.into_values().map(chunk).collect()
    }
}

/// A dispatch to named recipients, before it is frozen.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) id: DispatchId,
    pub(crate) cause: Cause,
    /// At most [`MAX_RECIPIENTS`], each user once.
    pub(crate) recipients: Vec<Recipient>,
    pub(crate) properties: Map<String, Value>,
}

/// Each user once, in the order of their first mention, with the properties of their last.
fn each_once(recipients: Vec<Recipient>) -> Vec<Recipient> {
    let mut places = HashMap::with_capacity(recipients.len());
    let mut once: Vec<Recipient> = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        match places.get(&recipient.user_id) {
            Some(place) => {
                let kept: &mut Recipient = &mut once[*place];
                kept.properties = recipient.properties;
            }
            None => {
                places.insert(recipient.user_id.clone(), once.len());
                once.push(recipient);
            }
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_core::user::UserId;
    use serde_json::json;

    #[test]
    fn a_user_named_twice_is_one_recipient_with_the_last_properties() {
        let recipient = |user: &str, n: u32| Recipient {
            user_id: UserId::parse(user).unwrap(),
            properties: Map::from_iter([("n".to_owned(), json!(n))]),
        };
        let once = each_once(vec![
            recipient("a", 1),
            recipient("b", 2),
            recipient("a", 3),
        ]);
        assert_eq!(once, vec![recipient("a", 3), recipient("b", 2)]);
    }
}
