//! The schema of a campaign as an author writes it.

use serde::Deserialize;
use utoipa::ToSchema;

/// A campaign: what to say to whom, when, for how long, in which variants.
#[derive(Deserialize, ToSchema)]
#[schema(as = Campaign)]
pub(crate) struct CampaignSchema {
    name: String,
    /// `main` when absent.
    feed: Option<String>,
    /// Higher comes first, after pinned cards.
    priority: Option<i32>,
    pinned: Option<bool>,
    /// True when absent.
    dismissible: Option<bool>,
    /// `"everyone"`, or a tree of `all`, `any`, `not` over `{attribute|event, op, value}` with ops
    /// `eq ne lt lte gt gte in contains exists`; events `exists count_gte within_seconds`.
    #[schema(value_type = Object)]
    audience: Option<serde_json::Value>,
    delivery: Option<DeliverySchema>,
    creation: Option<CreationName>,
    expiry: ExpirySchema,
    /// After so many seconds a user may get another card; null: never.
    reeligible_after_seconds: Option<u64>,
    /// Events that take the card away.
    remove_on: Option<Vec<String>>,
    variants: Vec<VariantSchema>,
}

/// What sets a campaign off.
#[derive(Deserialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliverySchema {
    kind: DeliveryKindName,
    /// With `launch`: not before this time.
    #[schema(format = DateTime)]
    at: Option<String>,
    /// With `event`: the event's name.
    event: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryKind)]
pub(crate) enum DeliveryKindName {
    Launch,
    Api,
    Event,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Creation)]
pub(crate) enum CreationName {
    AtLaunch,
    AtFirstImpression,
}

/// Either `ttl_seconds`, or `at` with an optional `local_time`.
#[derive(Deserialize, ToSchema)]
#[schema(as = Expiry)]
pub(crate) struct ExpirySchema {
    /// 1 to 7,776,000 (90 days), from the dispatch.
    ttl_seconds: Option<u64>,
    at: Option<String>,
    /// `at` is a wall-clock time in each user's `time_zone`.
    local_time: Option<bool>,
}

/// One way the campaign may look; users are spread by weight.
#[derive(Deserialize, ToSchema)]
#[schema(as = Variant)]
pub(crate) struct VariantSchema {
    name: String,
    /// 1 when absent.
    weight: Option<u32>,
    /// Members see nothing; their impressions are counted for comparison.
    control: Option<bool>,
    card: Option<CardSchema>,
}

/// A card. Every text, and every text in `extras`, is a Liquid template.
#[derive(Deserialize, ToSchema)]
#[schema(as = CardContent)]
pub(crate) struct CardSchema {
    #[serde(rename = "type")]
    card_type: Option<CardTypeName>,
    title: Option<String>,
    description: Option<String>,
    image_url: Option<String>,
    image_alt: Option<String>,
    url: Option<String>,
    url_text: Option<String>,
    #[schema(value_type = Object)]
    extras: Option<serde_json::Value>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CardType)]
pub(crate) enum CardTypeName {
    Classic,
    CaptionedImage,
    ImageOnly,
    Control,
}
