//! Counts of all databases, added.

use std::collections::BTreeMap;

use corkboard_core::audience::Audience;
use corkboard_core::id::{CampaignId, DispatchId, WorkspaceId};
use corkboard_core::time::{Day, Timestamp};
use futures_util::future::try_join_all;

use super::routes::Routes;
use crate::card_store::{CountRow, EventCounts};
use crate::error::Result;

pub(super) async fn of_audience(
    routes: &Routes,
    workspace: WorkspaceId,
    audience: &Audience,
    now: Timestamp,
) -> Result<u64> {
    let databases = routes.all();
    let counts = databases.map(|one| one.count_users(workspace, audience, now));
    Ok(try_join_all(counts).await?.into_iter().sum())
}

pub(super) async fn of_dispatch(routes: &Routes, dispatch: DispatchId) -> Result<u64> {
    let written = routes.all().map(|one| one.dispatch_written(dispatch));
    Ok(try_join_all(written).await?.into_iter().sum())
}

/// By variant and day.
pub(super) async fn of_campaign(
    routes: &Routes,
    workspace: WorkspaceId,
    campaign: CampaignId,
) -> Result<Vec<CountRow>> {
    let databases = routes.all();
    let counts = databases.map(|one| one.campaign_counts(workspace, campaign));
    let mut days: BTreeMap<(u8, Day), EventCounts> = BTreeMap::new();
    for row in try_join_all(counts).await?.into_iter().flatten() {
        let day = days.entry((row.variant, row.day)).or_default();
        day.add(&row.counts);
    }
    let rows = days.into_iter().map(|((variant, day), counts)| CountRow {
        variant,
        day,
        counts,
    });
    Ok(rows.collect())
}
