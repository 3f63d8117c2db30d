//! Chunks: a queue of work with leases, shared by the workers of every node.
//!
//! A chunk is either *ready* or *waiting*: for its lease to lapse, or for a retry to be due. Each
//! half has its own index, so that a claim costs the same however much is queued or leased, and a
//! claim passes over the rows that others are claiming at the moment. Every claim takes the next
//! fencing token; what a holder writes is refused unless the chunk still has that token.

use corkboard_core::dispatch::{DispatchState, Tally};
use corkboard_core::id::{DispatchId, Id};
use corkboard_core::time::Timestamp;
use tokio_postgres::Row;

use super::columns::{corrupt, document, optional_document, small, stored_small, text};
use super::dispatches;
use crate::card_store::ScanPosition;
use crate::control_store::{ClaimRequest, ClaimedChunk};
use crate::error::{Result, StoreError};
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Json, Time, Uuid, count, get, id, stored, time};

/// One chunk of a lane that satisfies a condition, unless one was found before.
macro_rules! next_chunk {
    ($condition:literal, $order:literal $(, unless $found:literal)*) => {
        concat!(
            "SELECT dispatch, number FROM chunk WHERE ", $condition,
            $(" AND NOT EXISTS (SELECT FROM ", $found, ")",)*
            " ORDER BY ", $order, " LIMIT 1 FOR UPDATE SKIP LOCKED"
        )
    };
}

/// Named recipients before scans: a trigger for one user must not wait behind the scan of a
/// million. A scan in turn only waits for triggers that were already acknowledged, and those are
/// small. Within either, what has waited for a retry or lost its holder is first, then the oldest.
///
/// The definition and the dispatch are joined from outside, so that a missing one shows.
pub(super) const CLAIM: Statement = Statement::new(
    "claim chunk",
    concat!(
        "WITH named_again AS (",
        next_chunk!(
            "NOT ready AND lane = 0 AND free_at <= $1",
            "free_at, queued_at, dispatch, number"
        ),
        "), named AS (",
        next_chunk!("ready AND lane = 0", "queued_at, dispatch, number", unless "named_again"),
        "), scan_again AS (",
        next_chunk!(
            "NOT ready AND lane = 1 AND free_at <= $1",
            "free_at, queued_at, dispatch, number",
            unless "named_again", unless "named"
        ),
        "), scan AS (",
        next_chunk!(
            "ready AND lane = 1",
            "queued_at, dispatch, number",
            unless "named_again", unless "named", unless "scan_again"
        ),
        "), next AS (
             SELECT * FROM named_again UNION ALL SELECT * FROM named
             UNION ALL SELECT * FROM scan_again UNION ALL SELECT * FROM scan
         ), leased AS (
             UPDATE chunk c SET ready = false, free_at = $2, token = nextval('chunk_token'),
                                worker = $3, touched_at = $1, attempt = attempt + 1
             FROM next WHERE c.dispatch = next.dispatch AND c.number = next.number
             RETURNING c.dispatch, c.number, c.token, c.attempt, c.position, c.work
         )
         SELECT l.dispatch AS of_dispatch, l.number, l.token, l.attempt, l.position, l.work,
                f.campaign IS NOT NULL AS whole,
                d.id, d.workspace, d.campaign, d.campaign_version, f.definition, d.cause, d.shape,
                d.state, d.planned_at, d.expires_at, d.cohort, d.occurrence, d.audience_estimate,
                d.properties, d.created_at, d.started_at, d.finished_at
         FROM leased l
         LEFT JOIN dispatch d ON d.id = l.dispatch
         LEFT JOIN frozen_definition f ON f.campaign = d.campaign AND f.digest = d.digest"
    ),
);
/// Whether the dispatch still runs need not be asked: one that is over has no chunks.
pub(super) const CHECKPOINT: Statement = Statement::new(
    "checkpoint chunk",
    "UPDATE chunk SET ready = false, free_at = $4, touched_at = $5, attempt = 0, position = $6,
                      targeted = targeted + $7, skipped = add_counts(skipped, $8)
     WHERE dispatch = $1 AND number = $2 AND token = $3",
);
/// The dispatch is locked before the chunk, as everywhere: `EXISTS` is evaluated first, once.
pub(super) const FINISH: Statement = Statement::new(
    "finish chunk",
    "WITH running AS MATERIALIZED (
         SELECT id FROM dispatch WHERE id = $1 AND state = 'running' FOR UPDATE
     ), gone AS (
         DELETE FROM chunk
         WHERE EXISTS (SELECT FROM running) AND dispatch = $1 AND number = $2 AND token = $3
         RETURNING targeted, skipped
     )
     UPDATE dispatch d
     SET targeted = d.targeted + gone.targeted + $4,
         skipped = add_counts(d.skipped, add_counts(gone.skipped, $5)),
         chunks_left = d.chunks_left - 1,
         state = CASE d.chunks_left WHEN 1 THEN 'done' ELSE d.state END,
         finished_at = CASE d.chunks_left WHEN 1 THEN $6 ELSE d.finished_at END
     FROM gone WHERE d.id = $1",
);
pub(super) const RELEASE: Statement = Statement::new(
    "release chunk",
    "UPDATE chunk SET ready = false, free_at = $4, token = 0, worker = NULL
     WHERE dispatch = $1 AND number = $2 AND token = $3 AND attempt < $5",
);
pub(super) const HELD: Statement = Statement::new(
    "look at held chunk",
    "SELECT touched_at FROM chunk WHERE dispatch = $1 AND number = $2 AND token = $3",
);

/// One statement; one that finds nothing writes nothing and takes no transaction id.
pub(super) async fn claim(
    session: &Session,
    request: &ClaimRequest,
) -> Result<Option<ClaimedChunk>> {
    let (now, until) = (Time(request.now), Time(request.now.plus(request.lease)));
    loop {
        let claimed = session
            .first(&CLAIM, &[&now, &until, &request.worker])
            .await?;
        let Some(row) = claimed else {
            return Ok(None);
        };
        let dispatch: DispatchId = id(&row, "of_dispatch")?;
        match read(&row, dispatch) {
            Ok(claimed) => return Ok(Some(claimed)),
            // One unreadable row must not hold up everybody's queue: its dispatch fails.
            Err(error @ StoreError::Corrupt { .. }) => {
                report(dispatch, &error);
                dispatches::finish(session, dispatch, DispatchState::Failed, request.now).await?;
            }
            Err(other) => return Err(other),
        }
    }
}

fn report(dispatch: DispatchId, error: &(dyn std::error::Error + 'static)) {
    tracing::error!(%dispatch, error, "an unreadable chunk fails its dispatch");
}

fn read(row: &Row, dispatch: DispatchId) -> Result<ClaimedChunk> {
    let whole: bool = get(row, "whole")?;
    if !whole {
        return Err(corrupt("dispatch", dispatch, "its definition is missing"));
    }
    Ok(ClaimedChunk {
        dispatch: dispatches::read(row)?,
        chunk: small(row, "number")?,
        token: count(row, "token")?,
        work: document(row, "work", "chunk", &dispatch)?,
        position: optional_document(row, "position", "chunk", &dispatch)?,
        attempt: small(row, "attempt")?,
    })
}

pub(super) async fn checkpoint(
    session: &Session,
    held: &Held,
    position: &ScanPosition,
    tally: &Tally,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<()> {
    let (dispatch, number, token) = held.key();
    let saved = session
        .change(
            &CHECKPOINT,
            &[
                &dispatch,
                &number,
                &token,
                &Time(lease_until),
                &Time(now),
                &Json(text(position, "chunk")?),
                &stored(tally.targeted),
                &Json(text(&tally.skipped, "chunk")?),
            ],
        )
        .await?;
    if saved == 0 {
        let state = dispatches::state(session, held.dispatch).await?;
        return Err(refusal(held, state));
    }
    Ok(())
}

pub(super) async fn finish(
    session: &Session,
    held: &Held,
    tally: &Tally,
    now: Timestamp,
) -> Result<()> {
    let (dispatch, number, token) = held.key();
    let finished = session
        .change(
            &FINISH,
            &[
                &dispatch,
                &number,
                &token,
                &stored(tally.targeted),
                &Json(text(&tally.skipped, "chunk")?),
                &Time(now),
            ],
        )
        .await?;
    if finished == 0 {
        let state = dispatches::state(session, held.dispatch).await?;
        return Err(refusal(held, state));
    }
    Ok(())
}

pub(super) async fn release(
    session: &Session,
    held: &Held,
    retry_at: Timestamp,
    max_attempts: u32,
) -> Result<()> {
    let (dispatch, number, token) = held.key();
    let most = stored_small(max_attempts);
    let released = session
        .change(
            &RELEASE,
            &[&dispatch, &number, &token, &Time(retry_at), &most],
        )
        .await?;
    if released == 1 {
        return Ok(());
    }
    session.begin().await?;
    let state = dispatches::lock(session, held.dispatch).await?;
    let found = session.first(&HELD, &[&dispatch, &number, &token]).await?;
    let Some(row) = found else {
        return Err(refusal(held, state));
    };
    // Still ours, so it has been tried too often. The dispatch ended when its chunk last showed
    // life, as far as the store knows.
    let touched_at = time(&row, "touched_at")?;
    dispatches::end(session, &[dispatch], DispatchState::Failed, touched_at).await?;
    session.commit().await
}

/// Which chunk, and by which claim.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    dispatch: DispatchId,
    chunk: u32,
    token: u64,
}

impl Held {
    pub(super) fn of(claimed: &ClaimedChunk) -> Self {
        Self {
            dispatch: claimed.dispatch.id,
            chunk: claimed.chunk,
            token: claimed.token,
        }
    }

    fn key(&self) -> (Uuid, i32, i64) {
        (
            Uuid(self.dispatch.to_bytes()),
            stored_small(self.chunk),
            stored(self.token),
        )
    }
}

/// Why a holder's write found no chunk: the dispatch is over before its time, or someone else has
/// claimed (and perhaps finished) the chunk.
fn refusal(held: &Held, state: Option<DispatchState>) -> StoreError {
    let what = "dispatch";
    match state {
        None => StoreError::NotFound { what },
        Some(DispatchState::Running | DispatchState::Done) => {
            StoreError::Fenced { chunk: held.chunk }
        }
        Some(DispatchState::Planned | DispatchState::Stopped | DispatchState::Failed) => {
            StoreError::Stale { what }
        }
    }
}
