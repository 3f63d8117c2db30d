//! Dispatches: read, started when their time has come, finished once. Beginning one is in
//! [`beginning`](super::beginning).
//!
//! What is known by its id is found by its id: conditions on the state stand where they do not
//! invite the planner to walk through the index of what is open, which is short when it plans.

use std::collections::BTreeSet;
use std::time::Duration;

use corkboard_core::cohort::Cohort;
use corkboard_core::dispatch::{Dispatch, DispatchState, Tally};
use corkboard_core::id::{CampaignId, DispatchId, Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use tokio::sync::Mutex;
use tokio_postgres::Row;

use super::columns::{corrupt, document, named, small};
use super::partitions::{Partitioned, Period};
use super::queue::{self, CHUNKS};
use crate::control_store::{ChunkWork, DispatchProgress, state_at_start};
use crate::cursor::{Place, cut, rows_wanted};
use crate::error::{Result, StoreError};
use crate::page::{Page, PageRequest};
use crate::postgres::failure::is_missing_partition;
use crate::postgres::pool::Pool;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Date, Time, Uuid, count, get, id, optional_time, time};

/// By the month of its expiry, after which it is soon of no interest.
pub(super) const DISPATCHES: Partitioned = Partitioned {
    table: "dispatch",
    period: Period::Month,
    // The row of a running dispatch is written anew for every chunk that ends.
    storage: "fillfactor = 80",
    needed: &[
        "state IN ('planned', 'running')",
        "far AND expires_at >= $1",
    ],
};
/// A dispatch that is planned further ahead than this does not get a partition of its own.
const FAR: Duration = Duration::from_hours(366 * 24);

/// The month that the dispatch lies in. Follows from what is frozen in it.
pub(super) fn month(dispatch: &Dispatch) -> Date {
    let farthest = dispatch.created_at.plus(FAR);
    Date(Period::Month.of(dispatch.expires_at.min(farthest)))
}

/// Whether it may be needed after its month.
pub(super) fn is_far(dispatch: &Dispatch) -> bool {
    dispatch.expires_at > dispatch.created_at.plus(FAR)
}

/// When its chunks were queued, which is when it was started.
pub(super) fn queued_at(dispatch: &Dispatch) -> Timestamp {
    dispatch.started_at.unwrap_or(dispatch.created_at)
}

/// The columns of a dispatch `d`. Its definition is looked up by its whole key for each row that
/// is returned, so that one partition is looked into.
macro_rules! dispatch_columns {
    () => {
        "d.id, d.workspace, d.campaign, d.campaign_version, d.cause, d.shape, d.state, d.planned_at,
         d.expires_at, d.cohort, d.occurrence, d.audience_estimate, d.properties, d.created_at,
         d.started_at, d.finished_at,
         (SELECT f.definition FROM frozen_definition f
          WHERE f.campaign = d.campaign AND f.digest = d.digest AND f.month = d.month) AS definition"
    };
}
pub(super) use dispatch_columns;

/// Everything of a dispatch, which is `d`.
macro_rules! select_dispatch {
    ($rest:literal) => {
        concat!("SELECT ", dispatch_columns!(), " FROM dispatch d ", $rest)
    };
}
pub(super) use select_dispatch;

pub(super) const FIND: Statement =
    Statement::new("find dispatch", select_dispatch!("WHERE d.id = $1"));
pub(super) const LIST: Statement = Statement::new(
    "list dispatches",
    select_dispatch!(
        "WHERE d.workspace = $1 AND d.campaign = $2 AND (d.created_at, d.id) < ($3, $4)
         ORDER BY d.created_at DESC, d.id DESC LIMIT $5"
    ),
);
pub(super) const DUE: Statement = Statement::new(
    "list due dispatches",
    select_dispatch!(
        "WHERE d.state = 'planned' AND d.planned_at <= $1 ORDER BY d.planned_at, d.id LIMIT $2"
    ),
);
pub(super) const START: Statement = Statement::new(
    "start dispatch",
    concat!(
        "WITH found AS MATERIALIZED (
             SELECT id, month, state FROM dispatch WHERE id = $1 FOR UPDATE
         ), started AS (
             UPDATE dispatch d SET state = $2, started_at = $3, finished_at = $4, chunks = $5,
                                   chunks_left = $5
             FROM found
             WHERE d.id = found.id AND d.month = found.month AND found.state = 'planned'
             RETURNING d.id, d.month
         ), queued AS (",
        queue::insert_chunks!("$3", "$6", "$7", "started.id", "started.month", "started,"),
        ")
         SELECT 1 FROM started"
    ),
);
/// What is counted in its chunks, and what was counted in those that are over.
pub(super) const PROGRESS: Statement = Statement::new(
    "read dispatch progress",
    "SELECT d.targeted + coalesce(c.targeted, 0) AS targeted,
            add_counts(d.skipped, coalesce(c.skipped, '{}')) AS skipped, d.chunks, d.chunks_left
     FROM dispatch d
     LEFT JOIN LATERAL (
         SELECT (sum(targeted) FILTER (WHERE open))::bigint AS targeted,
                sum_counts(skipped) FILTER (WHERE open) AS skipped
         FROM chunk
         WHERE dispatch = d.id AND queued_at = coalesce(d.started_at, d.created_at)
     ) c ON true
     WHERE d.id = $1",
);
pub(super) const STATE: Statement = Statement::new(
    "read dispatch state",
    "SELECT state FROM dispatch WHERE id = $1",
);
/// Before anything is done to the dispatch's chunks.
pub(super) const LOCK: Statement = Statement::new(
    "lock dispatch",
    "SELECT state FROM dispatch WHERE id = $1 FOR UPDATE",
);
/// Closes the chunks that are left and keeps their counts. The dispatches are open, and locked.
pub(super) const END: Statement = Statement::new(
    "end dispatches",
    "WITH ended AS MATERIALIZED (
         SELECT id, month, coalesce(started_at, created_at) AS queued_at
         FROM dispatch WHERE id = ANY ($1)
     ), closed AS (
         UPDATE chunk c SET open = false, token = 0 FROM ended
         WHERE c.dispatch = ended.id AND c.queued_at = ended.queued_at AND c.open IS NOT FALSE
         RETURNING c.dispatch, c.targeted, c.skipped
     ), counted AS (
         SELECT dispatch, sum(targeted)::bigint AS targeted, sum_counts(skipped) AS skipped
         FROM closed GROUP BY dispatch
     )
     UPDATE dispatch d
     SET state = $2, finished_at = $3, targeted = d.targeted + coalesce(c.targeted, 0),
         skipped = add_counts(d.skipped, coalesce(c.skipped, '{}'))
     FROM ended LEFT JOIN counted c ON c.dispatch = ended.id
     WHERE d.id = ended.id AND d.month = ended.month",
);

/// A dispatch of any workspace, for those who hold its id by right.
pub(super) async fn find_any(session: &Session, dispatch: DispatchId) -> Result<Option<Dispatch>> {
    let found = session.first(&FIND, &[&Uuid::of(dispatch)]).await?;
    found.as_ref().map(read).transpose()
}

pub(super) async fn find(
    session: &Session,
    workspace: WorkspaceId,
    dispatch: DispatchId,
) -> Result<Option<Dispatch>> {
    let found = find_any(session, dispatch).await?;
    Ok(found.filter(|found| found.workspace == workspace))
}

pub(super) async fn list(
    session: &Session,
    workspace: WorkspaceId,
    campaign: CampaignId,
    page: &PageRequest,
) -> Result<Page<Dispatch>> {
    let before = Place::<16>::before(page)?;
    let rows = session
        .all(
            &LIST,
            &[
                &Uuid::of(workspace),
                &Uuid::of(campaign),
                &Time(before.at),
                &Uuid(before.id),
                &rows_wanted(page),
            ],
        )
        .await?;
    let dispatches: Result<Vec<Dispatch>> = rows.iter().map(read).collect();
    Ok(cut(dispatches?, page, |dispatch| Place {
        at: dispatch.created_at,
        id: dispatch.id.to_bytes(),
    }))
}

pub(super) async fn due(session: &Session, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>> {
    let rows = session.all(&DUE, &[&Time(now), &i64::from(limit)]).await?;
    rows.iter().map(read).collect()
}

/// When the day's partition of chunks is missing, makes it and tries once more.
pub(super) async fn start(
    pool: &Pool,
    turn: &Mutex<()>,
    dispatch: DispatchId,
    work: &[ChunkWork],
    in_force: bool,
    now: Timestamp,
) -> Result<bool> {
    match try_start(&pool.session().await?, dispatch, work, in_force, now).await {
        Err(error) if is_missing_partition(&error) => {}
        other => return other,
    }
    let days = BTreeSet::from([now.day()]);
    CHUNKS.make_missing(pool, turn, &days).await?;
    try_start(&pool.session().await?, dispatch, work, in_force, now).await
}

/// One statement, so that nobody sees a running dispatch whose chunks are still to come.
async fn try_start(
    session: &Session,
    dispatch: DispatchId,
    work: &[ChunkWork],
    in_force: bool,
    now: Timestamp,
) -> Result<bool> {
    let state = state_at_start(work, in_force);
    let finished_at = state.is_over().then_some(Time(now));
    let (lanes, texts) = queue::columns(work)?;
    let started = session
        .first(
            &START,
            &[
                &Uuid::of(dispatch),
                &state.as_str(),
                &Time(now),
                &finished_at,
                &queue::number(work),
                &lanes,
                &texts,
            ],
        )
        .await?;
    Ok(started.is_some())
}

pub(super) async fn progress(
    session: &Session,
    dispatch: DispatchId,
) -> Result<Option<DispatchProgress>> {
    let found = session.first(&PROGRESS, &[&Uuid::of(dispatch)]).await?;
    let Some(row) = found else {
        return Ok(None);
    };
    let tally = Tally {
        targeted: count(&row, "targeted")?,
        skipped: document(&row, "skipped", "dispatch", &dispatch)?,
    };
    Ok(Some(DispatchProgress {
        tally,
        chunks: small(&row, "chunks")?,
        chunks_left: small(&row, "chunks_left")?,
    }))
}

pub(super) async fn state(
    session: &Session,
    dispatch: DispatchId,
) -> Result<Option<DispatchState>> {
    look(session, &STATE, dispatch).await
}

/// The state of a dispatch whose row is now locked until the transaction ends.
pub(super) async fn lock(session: &Session, dispatch: DispatchId) -> Result<Option<DispatchState>> {
    look(session, &LOCK, dispatch).await
}

async fn look(
    session: &Session,
    statement: &Statement,
    dispatch: DispatchId,
) -> Result<Option<DispatchState>> {
    let found = session.first(statement, &[&Uuid::of(dispatch)]).await?;
    let state = found.map(|row| named(&row, "state", "dispatch", &dispatch));
    state.transpose()
}

/// Moves dispatches to a final state; returns how many. They are locked, and not over.
pub(super) async fn end(
    session: &Session,
    dispatches: &[Uuid],
    end: DispatchState,
    now: Timestamp,
) -> Result<u64> {
    if dispatches.is_empty() {
        return Ok(0);
    }
    let ended = session
        .change(&END, &[&dispatches, &end.as_str(), &Time(now)])
        .await?;
    Ok(ended)
}

/// Moves a dispatch that is not over yet to a final state, and drops what was left to do.
/// A dispatch that is over stays as it is: the first end counts.
pub(super) async fn finish(
    session: &Session,
    dispatch: DispatchId,
    state: DispatchState,
    now: Timestamp,
) -> Result<()> {
    let what = "dispatch";
    if !state.is_over() {
        return Err(StoreError::Stale { what });
    }
    session.begin().await?;
    let found = lock(session, dispatch).await?;
    let known = found.ok_or(StoreError::NotFound { what })?;
    if known.is_over() {
        return Ok(());
    }
    end(session, &[Uuid::of(dispatch)], state, now).await?;
    session.commit().await
}

pub(super) fn read(row: &Row) -> Result<Dispatch> {
    let what = "dispatch";
    let dispatch: DispatchId = id(row, "id")?;
    let cohort: i32 = get(row, "cohort")?;
    let cohort = Cohort::try_from(cohort).map_err(|error| corrupt(what, dispatch, error))?;
    Ok(Dispatch {
        id: dispatch,
        workspace: id(row, "workspace")?,
        campaign: id(row, "campaign")?,
        campaign_version: small(row, "campaign_version")?,
        definition: document(row, "definition", what, &dispatch)?,
        cause: named(row, "cause", what, &dispatch)?,
        shape: named(row, "shape", what, &dispatch)?,
        state: named(row, "state", what, &dispatch)?,
        planned_at: time(row, "planned_at")?,
        expires_at: time(row, "expires_at")?,
        cohort,
        occurrence: small(row, "occurrence")?,
        audience_estimate: count(row, "audience_estimate")?,
        properties: document(row, "properties", what, &dispatch)?,
        created_at: time(row, "created_at")?,
        started_at: optional_time(row, "started_at")?,
        finished_at: optional_time(row, "finished_at")?,
    })
}
