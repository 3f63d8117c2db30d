//! Dispatches: begun once, started when their time has come, finished once.

use corkboard_core::campaign::CampaignState;
use corkboard_core::cohort::Cohort;
use corkboard_core::dispatch::{Dispatch, DispatchState, Tally};
use corkboard_core::id::{CampaignId, DispatchId, Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, Row, params};
use sha2::{Digest, Sha256};

use super::columns::{corrupt, count, document, id, named, optional_time, stored, text, time};
use super::query::{all, change, first};
use super::{campaigns, chunks};
use crate::control_store::{ChunkWork, DispatchProgress, NewDispatch, state_at_start};
use crate::cursor::{Place, cut, rows_wanted};
use crate::error::{Result, StoreError};
use crate::page::{Page, PageRequest};

/// Everything of a dispatch; `d` is the dispatch, the definition is looked up by its digest.
macro_rules! select_dispatch {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.workspace, d.campaign, d.campaign_version, f.definition, d.cause,
                    d.shape, d.state, d.planned_at, d.expires_at, d.cohort, d.occurrence,
                    d.audience_estimate, d.properties, d.created_at, d.started_at, d.finished_at
             FROM dispatch d
             JOIN frozen_definition f ON f.campaign = d.campaign AND f.digest = d.digest ",
            $rest
        )
    };
}
pub(super) use select_dispatch;

const FREEZE: &str = "
    INSERT INTO frozen_definition (campaign, digest, definition) VALUES (?1, ?2, ?3)
    ON CONFLICT DO NOTHING";
const INSERT: &str = "
    INSERT INTO dispatch (id, workspace, campaign, campaign_version, digest, cause, shape, state,
        planned_at, expires_at, cohort, occurrence, audience_estimate, created_at, started_at,
        finished_at, at_read, chunks, chunks_left, targeted, skipped, properties)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?18,
        0, '{}', ?19)";
pub(super) const FIND: &str = select_dispatch!("WHERE d.id = ?1");
pub(super) const LIST: &str = select_dispatch!(
    "WHERE d.workspace = ?1 AND d.campaign = ?2 AND (d.created_at, d.id) < (?3, ?4)
     ORDER BY d.created_at DESC, d.id DESC LIMIT ?5"
);
pub(super) const DUE: &str = select_dispatch!(
    "WHERE d.state = 'planned' AND d.planned_at <= ?1 ORDER BY d.planned_at, d.id LIMIT ?2"
);
pub(super) const START: &str = "
    UPDATE dispatch SET state = ?2, started_at = ?3, finished_at = ?4, chunks = ?5, chunks_left = ?5
    WHERE id = ?1 AND state = 'planned'";
const PROGRESS: &str = "
    SELECT targeted, skipped, chunks, chunks_left FROM dispatch WHERE id = ?1";
pub(super) const ADD_TALLY: &str = "
    UPDATE dispatch SET targeted = targeted + ?2, skipped = ?3 WHERE id = ?1";
const ADD_TARGETED: &str = "UPDATE dispatch SET targeted = targeted + ?2 WHERE id = ?1";
const STATE: &str = "SELECT state FROM dispatch WHERE id = ?1";
const FINISH: &str = "
    UPDATE dispatch SET state = ?2, finished_at = ?3
    WHERE id = ?1 AND state IN ('planned', 'running')";

/// Stores a dispatch, its definition, its chunks and the campaign's new state together.
pub(super) fn insert(
    connection: &Connection,
    new: &NewDispatch,
    from: &[CampaignState],
) -> Result<(Dispatch, bool)> {
    let dispatch = &new.dispatch;
    if let Some(known) = find_any(connection, dispatch.id)? {
        // A repeat gets what the first call made, whatever has become of the campaign since.
        if known.workspace == dispatch.workspace {
            return Ok((known, false));
        }
        return Err(StoreError::Conflict {
            what: "dispatch id",
        });
    }
    let (workspace, campaign) = (dispatch.workspace, dispatch.campaign);
    let (state, version) = campaigns::state_and_version(connection, workspace, campaign)?
        .ok_or(StoreError::NotFound { what: "campaign" })?;
    if !from.contains(&state) || version != dispatch.campaign_version {
        return Err(StoreError::Stale { what: "campaign" });
    }
    if !new.chunks.is_empty() && dispatch.state != DispatchState::Running {
        // Chunks that nobody may claim would lie in the queue for good.
        return Err(StoreError::Stale { what: "dispatch" });
    }
    insert_row(connection, dispatch, chunks::number(&new.chunks))?;
    chunks::queue(connection, dispatch.id, &new.chunks, dispatch.created_at)?;
    let (until, now) = (dispatch.expires_at, dispatch.created_at);
    campaigns::activate(connection, workspace, campaign, until, now)?;
    Ok((dispatch.clone(), true))
}

fn insert_row(connection: &Connection, dispatch: &Dispatch, chunks: u32) -> Result<()> {
    let definition = text(&dispatch.definition, "dispatch")?;
    let digest: [u8; 32] = Sha256::digest(definition.as_bytes()).into();
    let campaign = dispatch.campaign.to_bytes();
    change(connection, FREEZE, params![campaign, digest, definition])?;
    let values = params![
        dispatch.id.to_bytes(),
        dispatch.workspace.to_bytes(),
        campaign,
        dispatch.campaign_version,
        digest,
        dispatch.cause.as_str(),
        dispatch.shape.as_str(),
        dispatch.state.as_str(),
        dispatch.planned_at.as_micros(),
        dispatch.expires_at.as_micros(),
        dispatch.cohort.number(),
        dispatch.occurrence,
        stored(dispatch.audience_estimate),
        dispatch.created_at.as_micros(),
        dispatch.started_at.map(Timestamp::as_micros),
        dispatch.finished_at.map(Timestamp::as_micros),
        dispatch.is_read_by_feeds(),
        chunks,
        text(&dispatch.properties, "dispatch")?,
    ];
    change(connection, INSERT, values)?;
    Ok(())
}

/// A dispatch of any workspace, for those who hold its id by right.
pub(super) fn find_any(connection: &Connection, dispatch: DispatchId) -> Result<Option<Dispatch>> {
    first(connection, FIND, [dispatch.to_bytes()], read)
}

pub(super) fn find(
    connection: &Connection,
    workspace: WorkspaceId,
    dispatch: DispatchId,
) -> Result<Option<Dispatch>> {
    const FIND_OWN: &str = select_dispatch!("WHERE d.id = ?1 AND d.workspace = ?2");
    let key = [dispatch.to_bytes(), workspace.to_bytes()];
    first(connection, FIND_OWN, key, read)
}

pub(super) fn list(
    connection: &Connection,
    workspace: WorkspaceId,
    campaign: CampaignId,
    page: &PageRequest,
) -> Result<Page<Dispatch>> {
    let before = Place::<16>::before(page)?;
    let key = params![
        workspace.to_bytes(),
        campaign.to_bytes(),
        before.at.as_micros(),
        before.id,
        rows_wanted(page)
    ];
    let dispatches = all(connection, LIST, key, read)?;
    Ok(cut(dispatches, page, |dispatch| Place {
        at: dispatch.created_at,
        id: dispatch.id.to_bytes(),
    }))
}

pub(super) fn due(connection: &Connection, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>> {
    all(connection, DUE, params![now.as_micros(), limit], read)
}

pub(super) fn start(
    connection: &Connection,
    dispatch: DispatchId,
    work: &[ChunkWork],
    in_force: bool,
    now: Timestamp,
) -> Result<bool> {
    let state = state_at_start(work, in_force);
    let finished_at = state.is_over().then_some(now.as_micros());
    let values = params![
        dispatch.to_bytes(),
        state.as_str(),
        now.as_micros(),
        finished_at,
        chunks::number(work)
    ];
    let started = change(connection, START, values)? == 1;
    if started {
        chunks::queue(connection, dispatch, work, now)?;
    }
    Ok(started)
}

pub(super) fn progress(
    connection: &Connection,
    dispatch: DispatchId,
) -> Result<Option<DispatchProgress>> {
    first(connection, PROGRESS, [dispatch.to_bytes()], |row| {
        let tally = Tally {
            targeted: count(row, "targeted")?,
            skipped: document(row, "skipped", "dispatch", &dispatch)?,
        };
        Ok(DispatchProgress {
            tally,
            chunks: row.get("chunks")?,
            chunks_left: row.get("chunks_left")?,
        })
    })
}

/// Adds a part's counts. Most parts skip nobody; then there is nothing to merge.
pub(super) fn add_tally(
    connection: &Connection,
    dispatch: DispatchId,
    tally: &Tally,
) -> Result<()> {
    let (key, targeted) = (dispatch.to_bytes(), stored(tally.targeted));
    if tally.skipped.is_empty() {
        change(connection, ADD_TARGETED, params![key, targeted])?;
        return Ok(());
    }
    let mut sum = progress(connection, dispatch)?.unwrap_or_default().tally;
    sum.add(tally);
    let skipped = text(&sum.skipped, "dispatch")?;
    change(connection, ADD_TALLY, params![key, targeted, skipped])?;
    Ok(())
}

pub(super) fn state(
    connection: &Connection,
    dispatch: DispatchId,
) -> Result<Option<DispatchState>> {
    first(connection, STATE, [dispatch.to_bytes()], |row| {
        named(row, "state", "dispatch", &dispatch)
    })
}

/// Moves a dispatch that is not over yet to a final state, and drops what was left to do.
/// A dispatch that is over stays as it is: the first end counts.
pub(super) fn finish(
    connection: &Connection,
    dispatch: DispatchId,
    end: DispatchState,
    now: Timestamp,
) -> Result<()> {
    let what = "dispatch";
    if !end.is_over() {
        return Err(StoreError::Stale { what });
    }
    let values = params![dispatch.to_bytes(), end.as_str(), now.as_micros()];
    if change(connection, FINISH, values)? == 1 {
        return chunks::drop_all(connection, dispatch);
    }
    if state(connection, dispatch)?.is_none() {
        return Err(StoreError::NotFound { what });
    }
    Ok(())
}

pub(super) fn read(row: &Row<'_>) -> Result<Dispatch> {
    let what = "dispatch";
    let dispatch: DispatchId = id(row, "id")?;
    let cohort: i32 = row.get("cohort")?;
    let cohort = Cohort::try_from(cohort).map_err(|error| corrupt(what, dispatch, error))?;
    Ok(Dispatch {
        id: dispatch,
        workspace: id(row, "workspace")?,
        campaign: id(row, "campaign")?,
        campaign_version: row.get("campaign_version")?,
        definition: document(row, "definition", what, &dispatch)?,
        cause: named(row, "cause", what, &dispatch)?,
        shape: named(row, "shape", what, &dispatch)?,
        state: named(row, "state", what, &dispatch)?,
        planned_at: time(row, "planned_at")?,
        expires_at: time(row, "expires_at")?,
        cohort,
        occurrence: row.get("occurrence")?,
        audience_estimate: count(row, "audience_estimate")?,
        properties: document(row, "properties", what, &dispatch)?,
        created_at: time(row, "created_at")?,
        started_at: optional_time(row, "started_at")?,
        finished_at: optional_time(row, "finished_at")?,
    })
}

/// Final states only, by the index that holds nothing else.
pub(super) const PRUNE: &str = "
    DELETE FROM dispatch WHERE id IN
        (SELECT id FROM dispatch INDEXED BY dispatch_over
         WHERE expires_at < ?1 AND state IN ('done', 'stopped', 'failed') LIMIT ?2)";

/// Forgets dispatches whose cards expired before `before`, at most `limit`; returns how many.
pub(super) fn prune(connection: &Connection, before: Timestamp, limit: u32) -> Result<usize> {
    change(connection, PRUNE, params![before.as_micros(), limit])
}
