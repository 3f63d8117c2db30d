//! Campaigns: stored, changed while nobody else changed them, stopped.

use corkboard_core::campaign::{Campaign, CampaignState};
use corkboard_core::id::{CampaignId, Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::columns::{document, id, named, optional_time, text, time};
use super::query::{all, change, exists, first};
use crate::control_store::StopOutcome;
use crate::cursor::{Place, cut, rows_wanted};
use crate::error::{Result, StoreError};
use crate::page::{Page, PageRequest};

macro_rules! select_campaign {
    ($rest:literal) => {
        concat!(
            "SELECT id, workspace, state, version, definition, created_at, updated_at, cancelled_at
             FROM campaign ",
            $rest
        )
    };
}

const INSERT: &str = "
    INSERT INTO campaign (id, workspace, state, version, created_at, updated_at, cancelled_at,
                          heeds_events, definition)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";
const FIND: &str = select_campaign!("WHERE workspace = ?1 AND id = ?2");
pub(super) const LIST: &str = select_campaign!(
    "WHERE workspace = ?1 AND (created_at, id) < (?2, ?3)
     ORDER BY created_at DESC, id DESC LIMIT ?4"
);
const UPDATE: &str = "
    UPDATE campaign
    SET version = ?3, updated_at = ?4, heeds_events = ?5, definition = ?6, state = ?7
    WHERE workspace = ?1 AND id = ?2 AND version = ?3 - 1
      AND (state = 'draft' OR state = ?7 AND definition ->> '$.delivery.kind' <> 'launch')";
pub(super) const DELETE: &str = "
    DELETE FROM campaign WHERE workspace = ?1 AND id = ?2
    -- Not by its dispatches: those are forgotten in time, this is not.
    AND cards_until IS NULL";
/// A stopped campaign sends no more, but its cards are there until they expire or are taken back.
pub(super) const HEEDING_EVENTS: &str = select_campaign!(
    "WHERE workspace = ?1 AND heeds_events = 1 AND (state = 'active'
     OR (state = 'stopped' AND cards_until > ?2 AND cancelled_at IS NULL))"
);
/// For the rare question which campaigns a content block has to stay for.
const WITH_CONTENT_BLOCKS: &str = select_campaign!(
    "WHERE workspace = ?1 AND state <> 'stopped' AND instr(definition, 'content_blocks') > 0"
);

pub(super) fn with_content_blocks(
    connection: &Connection,
    workspace: WorkspaceId,
) -> Result<Vec<Campaign>> {
    all(
        connection,
        WITH_CONTENT_BLOCKS,
        [workspace.to_bytes()],
        read,
    )
}

pub(super) fn insert(connection: &Connection, campaign: &Campaign) -> Result<(Campaign, bool)> {
    let inserted = change(
        connection,
        INSERT,
        params![
            campaign.id.to_bytes(),
            campaign.workspace.to_bytes(),
            campaign.state.as_str(),
            campaign.version,
            campaign.created_at.as_micros(),
            campaign.updated_at.as_micros(),
            campaign.cancelled_at.map(Timestamp::as_micros),
            campaign.definition.heeds_events(),
            text(&campaign.definition, "campaign")?,
        ],
    )?;
    if inserted == 1 {
        return Ok((campaign.clone(), true));
    }
    let stored = find(connection, campaign.workspace, campaign.id)?;
    // Another workspace's campaign must not be told from one that cannot be had.
    let stored = stored.ok_or(StoreError::Conflict {
        what: "campaign id",
    })?;
    Ok((stored, false))
}

pub(super) fn find(
    connection: &Connection,
    workspace: WorkspaceId,
    campaign: CampaignId,
) -> Result<Option<Campaign>> {
    let key = [workspace.to_bytes(), campaign.to_bytes()];
    first(connection, FIND, key, read)
}

pub(super) fn list(
    connection: &Connection,
    workspace: WorkspaceId,
    page: &PageRequest,
) -> Result<Page<Campaign>> {
    let before = Place::<16>::before(page)?;
    let key = params![
        workspace.to_bytes(),
        before.at.as_micros(),
        before.id,
        rows_wanted(page)
    ];
    let campaigns = all(connection, LIST, key, read)?;
    Ok(cut(campaigns, page, |campaign| Place {
        at: campaign.created_at,
        id: campaign.id.to_bytes(),
    }))
}

pub(super) fn update(connection: &Connection, campaign: &Campaign) -> Result<()> {
    let updated = change(
        connection,
        UPDATE,
        params![
            campaign.workspace.to_bytes(),
            campaign.id.to_bytes(),
            campaign.version,
            campaign.updated_at.as_micros(),
            campaign.definition.heeds_events(),
            text(&campaign.definition, "campaign")?,
            campaign.state.as_str(),
        ],
    )?;
    stale_unless(updated == 1, connection, campaign.workspace, campaign.id)
}

pub(super) fn delete(
    connection: &Connection,
    workspace: WorkspaceId,
    campaign: CampaignId,
) -> Result<()> {
    let key = [workspace.to_bytes(), campaign.to_bytes()];
    let deleted = change(connection, DELETE, key)?;
    stale_unless(deleted == 1, connection, workspace, campaign)
}

fn stale_unless(
    changed: bool,
    connection: &Connection,
    workspace: WorkspaceId,
    campaign: CampaignId,
) -> Result<()> {
    const EXISTS: &str = "SELECT 1 FROM campaign WHERE workspace = ?1 AND id = ?2";
    if changed {
        return Ok(());
    }
    let what = "campaign";
    let key = [workspace.to_bytes(), campaign.to_bytes()];
    if exists(connection, EXISTS, key)? {
        return Err(StoreError::Stale { what });
    }
    Err(StoreError::NotFound { what })
}

pub(super) fn heeding_events(
    connection: &Connection,
    workspace: WorkspaceId,
    now: Timestamp,
) -> Result<Vec<Campaign>> {
    let params = params![workspace.to_bytes(), now.as_micros()];
    all(connection, HEEDING_EVENTS, params, read)
}

const STATE_FOR_STOP: &str = "
    SELECT state, cancelled_at FROM campaign WHERE workspace = ?1 AND id = ?2";
const STOP: &str = "
    UPDATE campaign SET state = 'stopped', cancelled_at = ?3, updated_at = ?4
    WHERE workspace = ?1 AND id = ?2";
/// The index is named because it holds open dispatches only: an event campaign may have had
/// millions that are over.
pub(super) const DROP_CHUNKS: &str = "
    DELETE FROM chunk WHERE dispatch IN
        (SELECT id FROM dispatch INDEXED BY dispatch_open
         WHERE workspace = ?1 AND campaign = ?2 AND state IN ('planned', 'running'))";
pub(super) const STOP_DISPATCHES: &str = "
    UPDATE dispatch INDEXED BY dispatch_open SET state = 'stopped', finished_at = ?3
    WHERE workspace = ?1 AND campaign = ?2 AND state IN ('planned', 'running')";

/// All in one transaction. Dropping the chunks is what tells their holders: the next checkpoint
/// finds neither the chunk nor a running dispatch.
pub(super) fn stop(
    connection: &Connection,
    workspace: WorkspaceId,
    campaign: CampaignId,
    remove_cards: bool,
    now: Timestamp,
) -> Result<StopOutcome> {
    let key = [workspace.to_bytes(), campaign.to_bytes()];
    let stored = first(connection, STATE_FOR_STOP, key, |row| {
        let state: CampaignState = named(row, "state", "campaign", &campaign)?;
        Ok((state, optional_time(row, "cancelled_at")?))
    })?;
    let (state, cancelled_at) = stored.ok_or(StoreError::NotFound { what: "campaign" })?;

    let newly_cancelled = remove_cards && cancelled_at.is_none();
    if newly_cancelled || state != CampaignState::Stopped {
        let cancelled_at = if newly_cancelled {
            Some(now)
        } else {
            cancelled_at
        };
        let cancelled_at = cancelled_at.map(Timestamp::as_micros);
        let values = params![key[0], key[1], cancelled_at, now.as_micros()];
        change(connection, STOP, values)?;
    }
    change(connection, DROP_CHUNKS, key)?;
    let values = params![key[0], key[1], now.as_micros()];
    let stopped = change(connection, STOP_DISPATCHES, values)?;
    Ok(StopOutcome {
        stopped_dispatches: u32::try_from(stopped).unwrap_or(u32::MAX),
        newly_cancelled,
    })
}

const FOR_DISPATCH: &str = "
    SELECT state, version FROM campaign WHERE workspace = ?1 AND id = ?2";
const ACTIVATE: &str = "
    UPDATE campaign SET
        updated_at = CASE state WHEN 'active' THEN updated_at ELSE ?3 END,
        state = 'active',
        cards_until = max(coalesce(cards_until, ?4), ?4)
    WHERE workspace = ?1 AND id = ?2";

/// State and version, which decide whether a dispatch may begin.
pub(super) fn state_and_version(
    connection: &Connection,
    workspace: WorkspaceId,
    campaign: CampaignId,
) -> Result<Option<(CampaignState, u32)>> {
    let key = [workspace.to_bytes(), campaign.to_bytes()];
    first(connection, FOR_DISPATCH, key, |row| {
        let state = named(row, "state", "campaign", &campaign)?;
        Ok((state, row.get("version")?))
    })
}

/// Moves a campaign to `Active` because of a dispatch whose cards expire at `cards_until`.
pub(super) fn activate(
    connection: &Connection,
    workspace: WorkspaceId,
    campaign: CampaignId,
    cards_until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let (workspace, campaign) = (workspace.to_bytes(), campaign.to_bytes());
    let values = params![
        workspace,
        campaign,
        now.as_micros(),
        cards_until.as_micros()
    ];
    change(connection, ACTIVATE, values)?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Campaign> {
    let campaign: CampaignId = id(row, "id")?;
    Ok(Campaign {
        id: campaign,
        workspace: id(row, "workspace")?,
        state: named(row, "state", "campaign", &campaign)?,
        version: row.get("version")?,
        definition: document(row, "definition", "campaign", &campaign)?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        cancelled_at: optional_time(row, "cancelled_at")?,
    })
}
