//! Schemas of what passes through the API as types of other rooms, for the OpenAPI document.
//!
//! The rooms below do not know OpenAPI. A test holds these shapes against real replies.

#![expect(dead_code, reason = "these types describe; they are never constructed")]

use std::collections::HashMap;

use serde::Deserialize;
use utoipa::ToSchema;

mod campaign;
mod reading;

pub(crate) use campaign::{CampaignSchema, CardSchema};
pub(crate) use reading::{
    ExplanationSchema, FeedDocument, InspectedCardSchema, PreviewSchema, StatsSchema,
};

/// State of a campaign.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CampaignState)]
pub(crate) enum StateName {
    Draft,
    Active,
    Stopped,
}

/// What a dispatch writes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Shape)]
pub(crate) enum ShapeName {
    Broadcast,
    Pointer,
    Personal,
}

/// What set a dispatch off.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Cause)]
pub(crate) enum CauseName {
    Launch,
    Trigger,
    Event,
}

/// State of a dispatch.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DispatchState)]
pub(crate) enum DispatchStateName {
    Planned,
    Running,
    Done,
    Stopped,
    Failed,
}

/// What a user did with a card.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EventKind)]
pub(crate) enum EventKindName {
    Impression,
    Click,
    Dismiss,
}

/// A recipient of a trigger.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Recipient)]
pub(crate) struct RecipientSchema {
    #[schema(min_length = 1, max_length = 256)]
    user_id: String,
    #[schema(value_type = Object, required = false)]
    properties: Option<HashMap<String, serde_json::Value>>,
}

/// Attributes and events of users, at most 1,000 together.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Track)]
pub(crate) struct TrackSchema {
    /// Each `{"user_id": "…", "any": "attribute"}`; null removes an attribute.
    #[schema(nullable = false, max_items = 1000)]
    attributes: Option<Vec<AttributesSchema>>,
    #[schema(nullable = false, max_items = 1000)]
    events: Option<Vec<UserEventSchema>>,
}

/// Attributes of one user, beside the id.
#[derive(Deserialize, ToSchema)]
#[schema(as = UserAttributes)]
pub(crate) struct AttributesSchema {
    #[schema(min_length = 1, max_length = 256)]
    user_id: String,
}

/// One thing a user did.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserEvent)]
pub(crate) struct UserEventSchema {
    #[schema(min_length = 1, max_length = 256)]
    user_id: String,
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    #[schema(format = DateTime)]
    at: Option<String>,
    #[schema(value_type = Object, required = false)]
    properties: Option<serde_json::Value>,
}

/// A user.
#[derive(Deserialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserSchema {
    user_id: String,
    #[schema(value_type = Object)]
    attributes: serde_json::Value,
    /// By event name.
    events: HashMap<String, EventSummarySchema>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// What is remembered of a user's events of one name.
#[derive(Deserialize, ToSchema)]
#[schema(as = EventSummary)]
pub(crate) struct EventSummarySchema {
    count: u64,
    #[schema(format = DateTime)]
    first_at: String,
    #[schema(format = DateTime)]
    last_at: String,
}
