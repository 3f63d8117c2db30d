//! Campaigns: stored, changed while nobody else changed them, deleted.

use corkboard_core::campaign::Campaign;
use corkboard_core::id::{CampaignId, Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use tokio_postgres::Row;

use super::columns::{document, named, small, stored_small, text};
use crate::cursor::{Place, cut, rows_wanted};
use crate::error::{Result, StoreError};
use crate::page::{Page, PageRequest};
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Json, Time, Uuid, id, optional_time, time};

macro_rules! select_campaign {
    ($rest:literal) => {
        concat!(
            "SELECT id, workspace, state, version, definition, created_at, updated_at, cancelled_at
             FROM campaign ",
            $rest
        )
    };
}

const INSERT: Statement = Statement::new(
    "insert campaign",
    "INSERT INTO campaign (id, workspace, state, version, created_at, updated_at, cancelled_at,
                           heeds_events, dispatched, definition)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, false, $9) ON CONFLICT DO NOTHING",
);
pub(super) const FIND: Statement = Statement::new(
    "find campaign",
    select_campaign!("WHERE workspace = $1 AND id = $2"),
);
pub(super) const LIST: Statement = Statement::new(
    "list campaigns",
    select_campaign!(
        "WHERE workspace = $1 AND (created_at, id) < ($2, $3)
         ORDER BY created_at DESC, id DESC LIMIT $4"
    ),
);
pub(super) const UPDATE: Statement = Statement::new(
    "update campaign",
    "UPDATE campaign SET version = $3, updated_at = $4, heeds_events = $5, definition = $6, state = $7
     WHERE workspace = $1 AND id = $2 AND version = $3 - 1
       AND (state = 'draft' OR state = $7 AND definition #>> '{delivery,kind}' <> 'launch')",
);
/// Not by its dispatches: those are forgotten in time, that there were any is not.
pub(super) const DELETE: Statement = Statement::new(
    "delete campaign",
    "DELETE FROM campaign WHERE workspace = $1 AND id = $2 AND NOT dispatched",
);
/// A stopped campaign sends no more, but its cards are there until they expire or are taken back.
pub(super) const HEEDING_EVENTS: Statement = Statement::new(
    "list campaigns heeding events",
    concat!(
        select_campaign!("WHERE workspace = $1 AND heeds_events AND state = 'active'"),
        " UNION ALL ",
        select_campaign!(
            "WHERE workspace = $1 AND heeds_events AND state = 'stopped' AND cards_until > $2
               AND cancelled_at IS NULL"
        )
    ),
);
/// For the rare question which campaigns a content block has to stay for.
const WITH_CONTENT_BLOCKS: Statement = Statement::new(
    "list campaigns with content blocks",
    select_campaign!(
        "WHERE workspace = $1 AND state <> 'stopped'
           AND position('content_blocks' IN definition::text) > 0"
    ),
);

pub(super) async fn with_content_blocks(
    session: &Session,
    workspace: WorkspaceId,
) -> Result<Vec<Campaign>> {
    let rows = session
        .all(&WITH_CONTENT_BLOCKS, &[&Uuid::of(workspace)])
        .await?;
    rows.iter().map(read).collect()
}

pub(super) async fn insert(session: &Session, campaign: &Campaign) -> Result<(Campaign, bool)> {
    let inserted = session
        .change(
            &INSERT,
            &[
                &Uuid::of(campaign.id),
                &Uuid::of(campaign.workspace),
                &campaign.state.as_str(),
                &stored_small(campaign.version),
                &Time(campaign.created_at),
                &Time(campaign.updated_at),
                &campaign.cancelled_at.map(Time),
                &campaign.definition.heeds_events(),
                &Json(text(&campaign.definition, "campaign")?),
            ],
        )
        .await?;
    if inserted == 1 {
        return Ok((campaign.clone(), true));
    }
    let stored = find(session, campaign.workspace, campaign.id).await?;
    // Another workspace's campaign must not be told from one that cannot be had.
    let stored = stored.ok_or(StoreError::Conflict {
        what: "campaign id",
    })?;
    Ok((stored, false))
}

pub(super) async fn find(
    session: &Session,
    workspace: WorkspaceId,
    campaign: CampaignId,
) -> Result<Option<Campaign>> {
    let found = session
        .first(&FIND, &[&Uuid::of(workspace), &Uuid::of(campaign)])
        .await?;
    found.as_ref().map(read).transpose()
}

pub(super) async fn list(
    session: &Session,
    workspace: WorkspaceId,
    page: &PageRequest,
) -> Result<Page<Campaign>> {
    let before = Place::<16>::before(page)?;
    let rows = session
        .all(
            &LIST,
            &[
                &Uuid::of(workspace),
                &Time(before.at),
                &Uuid(before.id),
                &rows_wanted(page),
            ],
        )
        .await?;
    let campaigns: Result<Vec<Campaign>> = rows.iter().map(read).collect();
    Ok(cut(campaigns?, page, |campaign| Place {
        at: campaign.created_at,
        id: campaign.id.to_bytes(),
    }))
}

pub(super) async fn update(session: &Session, campaign: &Campaign) -> Result<()> {
    let updated = session
        .change(
            &UPDATE,
            &[
                &Uuid::of(campaign.workspace),
                &Uuid::of(campaign.id),
                &stored_small(campaign.version),
                &Time(campaign.updated_at),
                &campaign.definition.heeds_events(),
                &Json(text(&campaign.definition, "campaign")?),
                &campaign.state.as_str(),
            ],
        )
        .await?;
    let updated = updated == 1;
    stale_unless(updated, session, campaign.workspace, campaign.id).await
}

pub(super) async fn delete(
    session: &Session,
    workspace: WorkspaceId,
    campaign: CampaignId,
) -> Result<()> {
    let deleted = session
        .change(&DELETE, &[&Uuid::of(workspace), &Uuid::of(campaign)])
        .await?;
    let deleted = deleted == 1;
    stale_unless(deleted, session, workspace, campaign).await
}

async fn stale_unless(
    changed: bool,
    session: &Session,
    workspace: WorkspaceId,
    campaign: CampaignId,
) -> Result<()> {
    const EXISTS: Statement = Statement::new(
        "look for campaign",
        "SELECT 1 FROM campaign WHERE workspace = $1 AND id = $2",
    );
    let what = "campaign";
    if changed {
        return Ok(());
    }
    let found = session
        .first(&EXISTS, &[&Uuid::of(workspace), &Uuid::of(campaign)])
        .await?;
    Err(match found {
        Some(_) => StoreError::Stale { what },
        None => StoreError::NotFound { what },
    })
}

pub(super) async fn heeding_events(
    session: &Session,
    workspace: WorkspaceId,
    now: Timestamp,
) -> Result<Vec<Campaign>> {
    let rows = session
        .all(&HEEDING_EVENTS, &[&Uuid::of(workspace), &Time(now)])
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Campaign> {
    let campaign: CampaignId = id(row, "id")?;
    Ok(Campaign {
        id: campaign,
        workspace: id(row, "workspace")?,
        state: named(row, "state", "campaign", &campaign)?,
        version: small(row, "version")?,
        definition: document(row, "definition", "campaign", &campaign)?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        cancelled_at: optional_time(row, "cancelled_at")?,
    })
}
