//! The schema of a campaign as an author writes it.

use serde::Deserialize;
use utoipa::ToSchema;

/// A campaign: what to say to whom, when, for how long, in which variants.
#[derive(Deserialize, ToSchema)]
#[schema(as = Campaign)]
pub(crate) struct CampaignSchema {
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// `main` when absent.
    #[schema(nullable = false, min_length = 1, max_length = 64)]
    feed: Option<String>,
    /// Higher comes first, after pinned cards.
    #[schema(nullable = false)]
    priority: Option<i32>,
    #[schema(nullable = false)]
    pinned: Option<bool>,
    /// True when absent.
    #[schema(nullable = false)]
    dismissible: Option<bool>,
    /// `"everyone"`, or a tree of `all`, `any`, `not` over `{attribute|event, op, value}` with ops
    /// `eq ne lt lte gt gte in contains exists`; events `exists count_gte within_seconds`.
    #[schema(nullable = false)]
    audience: Option<AudienceSchema>,
    #[schema(nullable = false)]
    delivery: Option<DeliverySchema>,
    #[schema(nullable = false)]
    creation: Option<CreationName>,
    expiry: ExpirySchema,
    /// After so many seconds a user may get another card; null: never.
    reeligible_after_seconds: Option<u64>,
    /// Events that take the card away.
    #[schema(nullable = false, max_items = 32)]
    remove_on: Option<Vec<String>>,
    #[schema(min_items = 1, max_items = 32)]
    variants: Vec<VariantSchema>,
}

/// Everyone, or those who fit a tree of conditions.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Audience)]
pub(crate) enum AudienceSchema {
    Everyone(EveryoneName),
    /// `{"all": […]}`, `{"any": […]}`, `{"not": {…}}` or one condition.
    #[schema(value_type = Object)]
    Tree(serde_json::Value),
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Everyone)]
pub(crate) enum EveryoneName {
    Everyone,
}

/// What sets a campaign off.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
#[schema(as = Expiry)]
pub(crate) struct ExpirySchema {
    /// 1 to 7,776,000 (90 days), from the dispatch.
    #[schema(minimum = 1, maximum = 7_776_000)]
    ttl_seconds: Option<u64>,
    at: Option<String>,
    /// `at` is a wall-clock time in each user's `time_zone`.
    local_time: Option<bool>,
}

/// One way the campaign may look; users are spread by weight.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Variant)]
pub(crate) struct VariantSchema {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// 1 when absent.
    #[schema(nullable = false, maximum = 1_000_000)]
    weight: Option<u32>,
    /// Members see nothing; their impressions are counted for comparison.
    #[schema(nullable = false)]
    control: Option<bool>,
    card: Option<CardSchema>,
}

/// A card. Every text, and every text in `extras`, is a Liquid template.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CardContent)]
pub(crate) struct CardSchema {
    #[serde(rename = "type")]
    #[schema(nullable = false)]
    card_type: Option<CardTypeName>,
    title: Option<String>,
    description: Option<String>,
    image_url: Option<String>,
    image_alt: Option<String>,
    url: Option<String>,
    url_text: Option<String>,
    #[schema(value_type = Object, required = false)]
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
