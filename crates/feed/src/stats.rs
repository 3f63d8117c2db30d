//! What became of a campaign's cards, by variant and by day.

use std::collections::BTreeMap;

use corkboard_core::campaign::{Campaign, Delivery};
use corkboard_core::dispatch::Shape;
use corkboard_core::id::{CampaignId, WorkspaceId};
use corkboard_core::time::Day;
use corkboard_store::card_store::EventCounts;
use corkboard_store::page::{MAX_PAGE, PageRequest};
use serde::Serialize;

use crate::error::FeedError;
use crate::feeds::Feeds;

/// Most pages of dispatches looked at for a broadcast's audience. Launches are made by hand.
const MAX_PAGES: usize = 4;

/// Exact counts of a campaign, variants in the campaign's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    pub variants: Vec<VariantStats>,
}

/// Counts of one variant since the campaign began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VariantStats {
    pub name: String,
    /// Whether members see nothing.
    pub control: bool,
    /// Cards written; absent (`null`) for a broadcast, of which nothing is written per user.
    pub sent: Option<u64>,
    /// Users that a broadcast was estimated to have when it was launched; only for broadcasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience_estimate: Option<u64>,
    pub impressions: u64,
    pub unique_impressions: u64,
    pub clicks: u64,
    pub unique_clicks: u64,
    pub dismissals: u64,
    pub unique_dismissals: u64,
    /// Days (UTC) on which anything was counted, oldest first; only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<DayStats>>,
}

/// Counts of one variant on one day. A unique event counts on the day it first happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayStats {
    /// As in `2026-11-21`.
    pub day: Day,
    pub sent: Option<u64>,
    pub impressions: u64,
    pub unique_impressions: u64,
    pub clicks: u64,
    pub unique_clicks: u64,
    pub dismissals: u64,
    pub unique_dismissals: u64,
}

impl Feeds {
    /// Exact counts of a campaign; with `by_day` also each variant's days.
    ///
    /// # Errors
    ///
    /// [`FeedError::NoSuchCampaign`]; otherwise what a store says.
    pub async fn stats(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        by_day: bool,
    ) -> Result<Stats, FeedError> {
        let control = &self.deps().control;
        let campaign = control
            .find_campaign(workspace, campaign)
            .await?
            .ok_or(FeedError::NoSuchCampaign)?;
        let broadcast_to = self.broadcast_audience(&campaign).await?;
        let rows = self
            .deps()
            .cards
            .campaign_counts(workspace, campaign.id)
            .await?;
        let mut variants: BTreeMap<u8, BTreeMap<Day, EventCounts>> = BTreeMap::new();
        for row in rows {
            let days = variants.entry(row.variant).or_default();
            days.entry(row.day).or_default().add(&row.counts);
        }
        // Variants that nothing was counted for are there, too; and so are ones that a later
        // version of the campaign no longer has.
        for place in (0..campaign.definition.variants.len()).map_while(|n| u8::try_from(n).ok()) {
            variants.entry(place).or_default();
        }
        let variants = variants
            .into_iter()
            .map(|(place, days)| variant(&campaign, place, &days, broadcast_to, by_day))
            .collect();
        Ok(Stats { variants })
    }

    /// How many users the campaign's broadcasts were for, if that is what it sends.
    async fn broadcast_audience(&self, campaign: &Campaign) -> Result<Option<u64>, FeedError> {
        if !matches!(campaign.definition.delivery, Delivery::Launch { .. }) {
            return Ok(None);
        }
        let mut estimate = None;
        let mut page = PageRequest {
            limit: MAX_PAGE,
            after: None,
        };
        for _ in 0..MAX_PAGES {
            let control = &self.deps().control;
            let dispatches = control
                .list_dispatches(campaign.workspace, campaign.id, &page)
                .await?;
            for dispatch in dispatches.items {
                if dispatch.shape == Shape::Broadcast {
                    *estimate.get_or_insert(0) += dispatch.audience_estimate;
                }
            }
            page.after = dispatches.next;
            if page.after.is_none() {
                break;
            }
        }
        Ok(estimate)
    }
}

fn variant(
    campaign: &Campaign,
    place: u8,
    days: &BTreeMap<Day, EventCounts>,
    broadcast_to: Option<u64>,
    by_day: bool,
) -> VariantStats {
    let mut total = EventCounts::default();
    days.values().for_each(|counts| total.add(counts));
    let defined = campaign.definition.variants.get(usize::from(place));
    let sent = |counts: &EventCounts| broadcast_to.is_none().then_some(counts.sent);
    let list = || {
        days.iter()
            .map(|(day, counts)| on_day(*day, counts, sent(counts)))
            .collect()
    };
    VariantStats {
        name: defined.map_or_else(
            || format!("variant {} of an earlier version", place + 1),
            |variant| variant.name.clone(),
        ),
        control: defined.is_some_and(corkboard_core::campaign::Variant::is_control),
        sent: sent(&total),
        audience_estimate: broadcast_to,
        impressions: total.impressions,
        unique_impressions: total.unique_impressions,
        clicks: total.clicks,
        unique_clicks: total.unique_clicks,
        dismissals: total.dismissals,
        unique_dismissals: total.unique_dismissals,
        days: by_day.then(list),
    }
}

fn on_day(day: Day, counts: &EventCounts, sent: Option<u64>) -> DayStats {
    DayStats {
        day,
        sent,
        impressions: counts.impressions,
        unique_impressions: counts.unique_impressions,
        clicks: counts.clicks,
        unique_clicks: counts.unique_clicks,
        dismissals: counts.dismissals,
        unique_dismissals: counts.unique_dismissals,
    }
}
