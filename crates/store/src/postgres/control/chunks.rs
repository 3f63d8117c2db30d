//! Chunks: a queue of work with leases, shared by the workers of every node.
//!
//! Chunks stand in two *lanes*, named recipients and scans, each in the order of their turns: when
//! they were queued or, after a failure, when the retry is due. So what fails again and again, as for
//! a database that is away, does not hold up what is older. A claim takes the first of a lane that
//! nobody holds: it passes over those that are leased, which are as many as there are workers, and
//! those whose retry is due soon, and never sees what is over. A lane is an index of the chunks that
//! are open; neither leasing one nor working on it changes what is in the index, so both rewrite the
//! row in place (HOT). Every claim takes the next fencing token; what a holder writes is refused
//! unless the chunk still has that token.
//!
//! Who holds a chunk knows when it was queued, and so its partition; a claim looks into all.

use corkboard_core::dispatch::{DispatchState, Tally};
use corkboard_core::id::{DispatchId, Id};
use corkboard_core::time::Timestamp;
use tokio_postgres::Row;

use super::columns::{corrupt, document, optional_document, small, stored_small, text};
use super::dispatches::{self, dispatch_columns};
use crate::card_store::ScanPosition;
use crate::control_store::{ClaimRequest, ClaimedChunk};
use crate::error::{Result, StoreError};
use crate::postgres::session::{Params, Session};
use crate::postgres::statement::Statement;
use crate::postgres::values::{Date, Json, Time, Uuid, count, get, id, stored, time};

/// The first chunk of a lane that is free, unless one was found before. The bound on the turn leaves
/// out retries that are not due for long, and lets nodes whose clocks disagree share new chunks.
macro_rules! next_chunk {
    ($lane:literal $(, unless $found:literal)*) => {
        concat!(
            "SELECT dispatch, number, queued_at FROM chunk
             WHERE open AND lane = ", $lane, " AND turn_at <= $1::timestamptz + interval '5 min'
               AND free_at <= $1 AND dispatch <> ALL ($4::uuid[])",
            $(" AND NOT EXISTS (SELECT FROM ", $found, ")",)*
            " ORDER BY turn_at, dispatch, number LIMIT 1 FOR UPDATE SKIP LOCKED"
        )
    };
}

/// Named recipients before scans: a trigger for one user must not wait behind the scan of a
/// million. A scan in turn only waits for triggers that were already acknowledged, and those are
/// small.
///
/// The dispatch is joined from outside, so that a missing one shows.
pub(super) const CLAIM: Statement = Statement::new(
    "claim chunk",
    concat!(
        "WITH named AS (",
        next_chunk!("0"),
        "), scan AS (",
        next_chunk!("1", unless "named"),
        "), next AS (
             SELECT * FROM named UNION ALL SELECT * FROM scan
         ), leased AS (
             UPDATE chunk c SET free_at = $2, token = nextval('chunk_token'), worker = $3,
                                touched_at = $1, attempt = attempt + 1
             FROM next WHERE c.dispatch = next.dispatch AND c.number = next.number
                         AND c.queued_at = next.queued_at
             RETURNING c.dispatch, c.dispatch_month, c.number, c.token, c.attempt, c.position,
                       c.work
         )
         SELECT l.dispatch AS of_dispatch, l.number, l.token, l.attempt, l.position, l.work,
                d.id IS NOT NULL AS found, ",
        dispatch_columns!(),
        " FROM leased l
         LEFT JOIN dispatch d ON d.id = l.dispatch AND d.month = l.dispatch_month"
    ),
);
/// Whether the dispatch still runs need not be asked: nobody holds a chunk of one that is over.
pub(super) const CHECKPOINT: Statement = Statement::new(
    "checkpoint chunk",
    "UPDATE chunk SET free_at = $5, touched_at = $6, attempt = 0, position = $7,
                      targeted = targeted + $8, skipped = add_counts(skipped, $9)
     WHERE dispatch = $1 AND number = $2 AND queued_at = $3 AND token = $4",
);
/// The dispatch is locked before the chunk, as everywhere: `EXISTS` is evaluated first, once.
pub(super) const FINISH: Statement = Statement::new(
    "finish chunk",
    "WITH found AS MATERIALIZED (
         SELECT state FROM dispatch WHERE id = $1 AND month = $8 FOR UPDATE
     ), closed AS (
         UPDATE chunk SET open = false, token = 0, touched_at = $7, targeted = targeted + $5,
                          skipped = add_counts(skipped, $6)
         WHERE EXISTS (SELECT FROM found WHERE state = 'running')
           AND dispatch = $1 AND number = $2 AND queued_at = $3 AND token = $4
         RETURNING targeted, skipped
     )
     UPDATE dispatch d
     SET targeted = d.targeted + closed.targeted,
         skipped = add_counts(d.skipped, closed.skipped),
         chunks_left = d.chunks_left - 1,
         state = CASE d.chunks_left WHEN 1 THEN 'done' ELSE d.state END,
         finished_at = CASE d.chunks_left WHEN 1 THEN $7 ELSE d.finished_at END
     FROM closed WHERE d.id = $1 AND d.month = $8",
);
/// Its next turn is when the retry is due.
pub(super) const RELEASE: Statement = Statement::new(
    "release chunk",
    // 2147483647: this claim does not count, but that there was one is remembered.
    "UPDATE chunk SET turn_at = $5, free_at = $5, token = 0, worker = NULL,
            attempt = CASE WHEN $6 = 2147483647 THEN greatest(attempt - 1, 1) ELSE attempt END
     WHERE dispatch = $1 AND number = $2 AND queued_at = $3 AND token = $4 AND attempt < $6",
);
pub(super) const HELD: Statement = Statement::new(
    "look at held chunk",
    "SELECT touched_at FROM chunk
     WHERE dispatch = $1 AND number = $2 AND queued_at = $3 AND token = $4",
);

/// One statement; one that finds nothing writes nothing and takes no transaction id.
pub(super) async fn claim(
    session: &Session,
    request: &ClaimRequest,
) -> Result<Option<ClaimedChunk>> {
    let (now, until) = (Time(request.now), Time(request.now.plus(request.lease)));
    let except = request.except.iter();
    let except: Vec<Uuid> = except.map(|dispatch| Uuid(dispatch.to_bytes())).collect();
    loop {
        let claimed = session
            .first(&CLAIM, &[&now, &until, &request.worker, &except])
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
    let found: bool = get(row, "found")?;
    if !found {
        return Err(corrupt("dispatch", dispatch, "it is missing"));
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
    let (dispatch, number, queued_at, token) = held.key();
    let saved = session
        .change(
            &CHECKPOINT,
            &[
                &dispatch,
                &number,
                &queued_at,
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
    let (dispatch, number, queued_at, token) = held.key();
    let finished = session
        .change(
            &FINISH,
            &[
                &dispatch,
                &number,
                &queued_at,
                &token,
                &stored(tally.targeted),
                &Json(text(&tally.skipped, "chunk")?),
                &Time(now),
                &held.month,
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
    let (dispatch, number, queued_at, token) = held.key();
    let (retry_at, most) = (Time(retry_at), stored_small(max_attempts));
    let released = session
        .change(
            &RELEASE,
            &[&dispatch, &number, &queued_at, &token, &retry_at, &most],
        )
        .await?;
    if released == 1 {
        return Ok(());
    }
    session.begin().await?;
    let state = dispatches::lock(session, held.dispatch).await?;
    let key: Params<'_> = &[&dispatch, &number, &queued_at, &token];
    let found = session.first(&HELD, key).await?;
    let Some(row) = found else {
        return Err(refusal(held, state));
    };
    // Still ours, so it has been tried too often. The dispatch ended when its chunk last showed
    // life, as far as the store knows.
    let touched_at = time(&row, "touched_at")?;
    dispatches::end(session, &[dispatch], DispatchState::Failed, touched_at).await?;
    session.commit().await
}

/// Which chunk, by which claim, and where it and its dispatch lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    dispatch: DispatchId,
    month: Date,
    chunk: u32,
    queued_at: Timestamp,
    token: u64,
}

impl Held {
    pub(super) fn of(claimed: &ClaimedChunk) -> Self {
        Self {
            dispatch: claimed.dispatch.id,
            month: dispatches::month(&claimed.dispatch),
            chunk: claimed.chunk,
            queued_at: dispatches::queued_at(&claimed.dispatch),
            token: claimed.token,
        }
    }

    fn key(&self) -> (Uuid, i32, Time, i64) {
        (
            Uuid(self.dispatch.to_bytes()),
            stored_small(self.chunk),
            Time(self.queued_at),
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
