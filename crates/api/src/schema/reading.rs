//! Schemas of what is read: feeds, statistics, explanations, previews.

use serde::Deserialize;
use utoipa::ToSchema;

use super::campaign::{CardSchema, CardTypeName};

/// A feed, or what has changed in it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Feed)]
pub(crate) struct FeedDocument {
    cards: Vec<CardDocument>,
    /// Cards of the whole feed that the user has not seen yet.
    unread: u64,
    /// Give it as `since`.
    cursor: String,
    refresh_after_seconds: u64,
    /// With `since`: cards that are no longer in the feed.
    removed: Option<Vec<String>>,
    /// With `since`: the changes cannot be told; `cards` is the whole feed.
    reset: Option<bool>,
}

/// A card in a feed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Card)]
pub(crate) struct CardDocument {
    id: String,
    campaign_id: String,
    #[serde(rename = "type")]
    card_type: CardTypeName,
    title: Option<String>,
    description: Option<String>,
    image_url: Option<String>,
    image_alt: Option<String>,
    url: Option<String>,
    url_text: Option<String>,
    feed: String,
    pinned: bool,
    dismissible: bool,
    priority: i32,
    #[schema(value_type = Object)]
    extras: serde_json::Value,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    seen: bool,
    clicked: bool,
    /// Do not show it, but report its impression.
    control: bool,
}

/// Exact counts of a campaign.
#[derive(Deserialize, ToSchema)]
#[schema(as = Stats)]
pub(crate) struct StatsSchema {
    variants: Vec<VariantStatsSchema>,
}

/// Counts of one variant. A card counts once as unique per kind.
#[derive(Deserialize, ToSchema)]
#[schema(as = VariantStats)]
pub(crate) struct VariantStatsSchema {
    name: String,
    control: bool,
    /// Null for a broadcast: nothing is written per user.
    sent: Option<u64>,
    /// Beside the null of a broadcast.
    audience_estimate: Option<u64>,
    impressions: u64,
    unique_impressions: u64,
    clicks: u64,
    unique_clicks: u64,
    dismissals: u64,
    unique_dismissals: u64,
    /// With `by=day`.
    days: Option<Vec<DayStatsSchema>>,
}

/// Counts of one variant on one UTC day.
#[derive(Deserialize, ToSchema)]
#[schema(as = DayStats)]
pub(crate) struct DayStatsSchema {
    #[schema(format = Date)]
    day: String,
    sent: Option<u64>,
    impressions: u64,
    unique_impressions: u64,
    clicks: u64,
    unique_clicks: u64,
    dismissals: u64,
    unique_dismissals: u64,
}

/// Why a user has, or has not, a card.
#[derive(Deserialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplanationSchema {
    has_card: bool,
    /// As in `not in the audience: plan is 'free', wanted 'pro'`.
    reason: String,
    /// What was looked at, in order.
    details: Vec<String>,
    card_id: Option<String>,
}

/// A rendered card that was not stored.
#[derive(Deserialize, ToSchema)]
#[schema(as = Preview)]
pub(crate) struct PreviewSchema {
    /// Null when the template aborted or failed.
    card: Option<CardSchema>,
    /// Every fetch, in order.
    trace: Vec<PreviewFetchSchema>,
    /// Bytes that count towards the size of a card.
    size: u64,
    warnings: Vec<String>,
    /// Why the template aborted.
    aborted: Option<String>,
    /// Why the template failed.
    error: Option<String>,
}

/// One connected-content call of a preview.
#[derive(Deserialize, ToSchema)]
#[schema(as = PreviewFetch)]
pub(crate) struct PreviewFetchSchema {
    /// The card's field whose template asked.
    field: String,
    method: String,
    url: String,
    /// HTTP status, 0 (refused) or 599 (no connection, time-out).
    status: u16,
    /// `network`, `shared`, `cache` or `refused`.
    source: String,
    elapsed_ms: u64,
    bytes: u64,
    problem: Option<String>,
}

/// A card of one user with everything that is known about it.
#[derive(Deserialize, ToSchema)]
#[schema(as = InspectedCard)]
pub(crate) struct InspectedCardSchema {
    id: String,
    campaign_id: String,
    campaign_name: String,
    dispatch_id: String,
    variant: String,
    /// `visible`, `dismissed`, `removed`, `cancelled` or `expired`.
    state: String,
    /// Composed when the feed is read; the user has no row of it.
    broadcast: bool,
    feed: String,
    priority: i32,
    pinned: bool,
    dismissible: bool,
    card: CardSchema,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    #[schema(format = DateTime)]
    seen_at: Option<String>,
    #[schema(format = DateTime)]
    clicked_at: Option<String>,
    #[schema(format = DateTime)]
    dismissed_at: Option<String>,
    #[schema(format = DateTime)]
    removed_at: Option<String>,
}
