//! The sample campaigns, one for each shape and cause: a broadcast, a personal one that fetches in
//! the middle of its template (with a control group), one that is triggered over the API.

use corkboard_core::campaign::{Campaign, CampaignDefinition, CampaignState, Delivery};
use corkboard_core::id::{CampaignId, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_core::variant::choose_variant;
use serde_json::{Value, json};

use super::files::Campaigns;
use super::users;
use crate::exit::{Failure, Outcome};

/// Of variants A, B and the control group.
const OFFER_WEIGHTS: [u32; 3] = [45, 45, 10];
const CONTROL: usize = 2;
/// One in ten ids puts the sample user into the control group, so this many do not fail.
const TRIES: usize = 64;
const DAY: u64 = 86_400;

/// An id for the offer campaign that shows the sample user a card: the variant follows from the id.
pub(super) fn offer_id(now: Timestamp) -> Outcome<CampaignId> {
    let sample = users::sample()?;
    let shows = |id: &CampaignId| {
        choose_variant(*id, &sample, OFFER_WEIGHTS.into_iter()).is_some_and(|one| one != CONTROL)
    };
    (0..TRIES)
        .map(|_| CampaignId::generate(now))
        .find(shows)
        .ok_or_else(|| Failure::Internal("no campaign id suits the sample user".to_owned()))
}

/// All three, ready to be stored. `port` is the sample endpoint's.
pub(super) fn all(
    workspace: WorkspaceId,
    ids: Campaigns,
    port: u16,
    now: Timestamp,
) -> Outcome<Vec<Campaign>> {
    let campaign = |id, definition| -> Outcome<Campaign> {
        let definition: CampaignDefinition = serde_json::from_value(definition)
            .map_err(|error| Failure::Internal(format!("a sample campaign is invalid: {error}")))?;
        let state = match definition.delivery {
            Delivery::Launch { .. } => CampaignState::Draft,
            Delivery::Api | Delivery::Event { .. } => CampaignState::Active,
        };
        Ok(Campaign {
            id,
            workspace,
            state,
            version: 1,
            definition,
            created_at: now,
            updated_at: now,
            cancelled_at: None,
        })
    };
    Ok(vec![
        campaign(ids.welcome, welcome())?,
        campaign(ids.offer, offer(port))?,
        campaign(ids.order, order())?,
    ])
}

fn welcome() -> Value {
    json!({
        "name": "Welcome",
        "expiry": {"ttl_seconds": 30 * DAY},
        "variants": [{"name": "A", "card": {
            "type": "classic",
            "title": "Welcome to Corkboard",
            "description": "This card is one row for all ten thousand users.",
            "url": "https://example.com/welcome",
            "url_text": "Take the tour",
        }}],
    })
}

fn offer(port: u16) -> Value {
    let fetch = format!(
        "{{% connected_content http://127.0.0.1:{port}/users/{{{{ user.user_id | url_encode }}}}/offer \
         :save offer %}}{{% if offer.__http_status_code__ != 200 %}}\
         {{% abort_message('no offer at hand') %}}{{% endif %}}"
    );
    let [a, b, control] = OFFER_WEIGHTS;
    json!({
        "name": "Offer of the week",
        "priority": 10,
        "audience": {"any": [
            {"attribute": "plan", "op": "in", "value": ["pro", "team"]},
            {"attribute": "lifetime_value", "op": "gte", "value": 400},
        ]},
        "expiry": {"ttl_seconds": 7 * DAY},
        "remove_on": ["purchased"],
        "variants": [
            {"name": "A", "weight": a, "card": {
                "type": "classic",
                "title": "{{ user.first_name | default: 'Hello' }}, something for you",
                "description": format!(
                    "{fetch}{{{{ offer.discount_percent }}}} % off {{{{ offer.product }}}} \
                     with code {{{{ offer.code }}}}."
                ),
                "url": "https://example.com/offers?user={{ user.user_id | url_encode }}",
                "url_text": "Show me",
            }},
            {"name": "B", "weight": b, "card": {
                "type": "classic",
                "title": format!("{fetch}{{{{ offer.product | capitalize }}}}, for less"),
                "description": "This week only, for the {{ user.plan }} plan.",
                "url": "https://example.com/offers?user={{ user.user_id | url_encode }}",
                "url_text": "Show me",
            }},
            {"name": "control", "weight": control, "control": true},
        ],
    })
}

fn order() -> Value {
    json!({
        "name": "Order shipped",
        "priority": 20,
        "delivery": {"kind": "api"},
        "expiry": {"ttl_seconds": 14 * DAY},
        "reeligible_after_seconds": 0,
        "remove_on": ["order_delivered"],
        "variants": [{"name": "A", "card": {
            "type": "classic",
            "title": "Your order {{api_trigger_properties.${order_id}}} is on its way",
            "description": "{{ user.first_name | default: 'Good news' }}: \
                {{api_trigger_properties.${carrier} | default: 'the carrier'}} has it now.",
            "url": "https://example.com/orders/{{api_trigger_properties.${order_id}}}",
            "url_text": "Follow it",
        }}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_campaigns_are_valid() {
        let now = Timestamp::from_seconds(1_795_255_200);
        let ids = Campaigns {
            welcome: CampaignId::generate(now),
            offer: offer_id(now).unwrap(),
            order: CampaignId::generate(now),
        };
        for campaign in all(WorkspaceId::generate(now), ids, 9, now).unwrap() {
            let definition = &campaign.definition;
            assert_eq!(definition.problems(now), [], "{}", definition.name);
        }
    }
}
