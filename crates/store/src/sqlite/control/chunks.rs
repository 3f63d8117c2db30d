//! Chunks: a queue of work with leases.
//!
//! A chunk is either *ready* or *waiting*: for its lease to lapse, or for a retry to be due. Each
//! half has its own small index, so that a claim costs the same however much is queued or leased.
//! Every claim takes the next fencing token; what a holder writes is refused unless the chunk still
//! has that token. Finished chunks are deleted: their counts are in the dispatch.

use corkboard_core::dispatch::{DispatchState, Tally};
use corkboard_core::id::{DispatchId, Id};
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::columns::{corrupt, document, id, stored, text, time};
use super::dispatches;
use super::query::{change, exists, first};
use crate::card_store::ScanPosition;
use crate::control_store::{ChunkWork, ClaimRequest, ClaimedChunk};
use crate::error::{Result, StoreError};

const INSERT: &str = "
    INSERT INTO chunk (dispatch, number, lane, queued_at, ready, free_at, token, touched_at,
                       attempt, work)
    VALUES (?1, ?2, ?3, ?4, 1, ?4, 0, ?4, 0, ?5)";
pub(super) const ANY_FREE: &str = "
    SELECT 1 WHERE EXISTS (SELECT 1 FROM chunk WHERE ready = 1 AND instr(?2, hex(dispatch)) = 0)
                OR EXISTS (SELECT 1 FROM chunk WHERE ready = 0 AND free_at <= ?1
                                                 AND instr(?2, hex(dispatch)) = 0)";
pub(super) const WAKE: &str = "
    UPDATE chunk SET ready = 1 WHERE ready = 0 AND free_at <= ?1";
/// Named recipients before scans, each oldest first: a trigger for one user must not wait behind
/// the scan of a million. A scan in turn only waits for triggers that were already acknowledged,
/// and those are small.
pub(super) const NEXT: &str = "
    SELECT c.dispatch, c.number FROM chunk c
    CROSS JOIN dispatch d ON d.id = c.dispatch AND d.state = 'running'
    WHERE c.ready = 1 AND instr(?1, hex(c.dispatch)) = 0
    ORDER BY c.lane, c.queued_at, c.dispatch, c.number LIMIT 1";
const NEXT_TOKEN: &str = "UPDATE fencing SET token = token + 1 RETURNING token";
pub(super) const LEASE: &str = "
    UPDATE chunk SET ready = 0, free_at = ?3, token = ?4, worker = ?5, touched_at = ?6,
                     attempt = attempt + 1
    WHERE dispatch = ?1 AND number = ?2 RETURNING attempt, position, work";
pub(super) const CHECKPOINT: &str = "
    UPDATE chunk SET ready = 0, free_at = ?4, touched_at = ?5, attempt = 0, position = ?6
    WHERE dispatch = ?1 AND number = ?2 AND token = ?3
      AND EXISTS (SELECT 1 FROM dispatch WHERE id = ?1 AND state = 'running')";
pub(super) const FINISH: &str = "
    DELETE FROM chunk WHERE dispatch = ?1 AND number = ?2 AND token = ?3
      AND EXISTS (SELECT 1 FROM dispatch WHERE id = ?1 AND state = 'running')";
const COUNT_DOWN: &str = "
    UPDATE dispatch SET
        chunks_left = chunks_left - 1,
        state = CASE WHEN chunks_left = 1 THEN 'done' ELSE state END,
        finished_at = CASE WHEN chunks_left = 1 THEN ?2 ELSE finished_at END
    WHERE id = ?1";
const HELD: &str = "
    SELECT attempt, touched_at FROM chunk WHERE dispatch = ?1 AND number = ?2 AND token = ?3";
pub(super) const RELEASE: &str = "
    UPDATE chunk SET ready = 0, free_at = ?3, token = 0, worker = NULL,
        attempt = CASE WHEN ?4 THEN max(attempt - 1, 1) ELSE attempt END
    WHERE dispatch = ?1 AND number = ?2";
pub(super) const DROP_ALL: &str = "DELETE FROM chunk WHERE dispatch = ?1";

/// How many chunks there are. They are numbered with 32 bits.
pub(super) fn number(work: &[ChunkWork]) -> u32 {
    u32::try_from(work.len()).unwrap_or(u32::MAX)
}

/// Queues the chunks of a dispatch that is running from `now` on.
pub(super) fn queue(
    connection: &Connection,
    dispatch: DispatchId,
    work: &[ChunkWork],
    now: Timestamp,
) -> Result<()> {
    for (number, work) in (0_u32..).zip(work) {
        let lane = match work {
            ChunkWork::Recipients { .. } => 0,
            ChunkWork::Scan { .. } => 1,
        };
        let work = text(work, "chunk")?;
        let values = params![dispatch.to_bytes(), number, lane, now.as_micros(), work];
        change(connection, INSERT, values)?;
    }
    Ok(())
}

/// Whether a claim would find something. Idle workers ask this of a reader, so that asking costs
/// no commit.
pub(super) fn any_free(connection: &Connection, request: &ClaimRequest) -> Result<bool> {
    let values = params![request.now.as_micros(), listed(&request.except)];
    exists(connection, ANY_FREE, values)
}

/// Ids as `hex` writes them, apart from each other, so that one can be looked for in the list.
fn listed(dispatches: &[DispatchId]) -> String {
    let mut list = String::new();
    for id in dispatches.iter().map(|dispatch| dispatch.to_bytes()) {
        list.extend(id.iter().map(|byte| format!("{byte:02X}")));
        list.push(' ');
    }
    list
}

pub(super) fn claim(
    connection: &Connection,
    request: &ClaimRequest,
) -> Result<Option<ClaimedChunk>> {
    change(connection, WAKE, [request.now.as_micros()])?;
    let except = listed(&request.except);
    loop {
        let next = first(connection, NEXT, [&except], |row| {
            let dispatch: DispatchId = id(row, "dispatch")?;
            Ok((dispatch, row.get("number")?))
        })?;
        let Some((dispatch, chunk)) = next else {
            return Ok(None);
        };
        match lease(connection, dispatch, chunk, request) {
            Ok(claimed) => return Ok(Some(claimed)),
            // One unreadable row must not hold up everybody's queue: its dispatch fails.
            Err(error @ StoreError::Corrupt { .. }) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(%dispatch, chunk, error, "an unreadable chunk fails its dispatch");
                dispatches::finish(connection, dispatch, DispatchState::Failed, request.now)?;
            }
            Err(other) => return Err(other),
        }
    }
}

fn lease(
    connection: &Connection,
    dispatch: DispatchId,
    chunk: u32,
    request: &ClaimRequest,
) -> Result<ClaimedChunk> {
    let token: i64 = connection
        .prepare_cached(NEXT_TOKEN)?
        .query_one([], |row| row.get(0))?;
    let values = params![
        dispatch.to_bytes(),
        chunk,
        request.now.plus(request.lease).as_micros(),
        token,
        request.worker,
        request.now.as_micros(),
    ];
    let leased = first(connection, LEASE, values, |row| {
        let position: Option<String> = row.get("position")?;
        let position = position
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| corrupt("chunk", dispatch, error))?;
        let work: ChunkWork = document(row, "work", "chunk", &dispatch)?;
        Ok((row.get("attempt")?, position, work))
    })?;
    let (attempt, position, work) = leased.ok_or(StoreError::Stale { what: "chunk" })?;
    let dispatch = dispatches::find_any(connection, dispatch)?
        .ok_or_else(|| corrupt("dispatch", dispatch, "its definition is missing"))?;
    Ok(ClaimedChunk {
        dispatch,
        chunk,
        token: u64::try_from(token).unwrap_or(0),
        work,
        position,
        attempt,
    })
}

pub(super) fn checkpoint(
    connection: &Connection,
    held: &Held,
    position: &ScanPosition,
    tally: &Tally,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<()> {
    let values = params![
        held.dispatch.to_bytes(),
        held.chunk,
        stored(held.token),
        lease_until.as_micros(),
        now.as_micros(),
        text(position, "chunk")?,
    ];
    if change(connection, CHECKPOINT, values)? == 0 {
        return Err(refusal(connection, held)?);
    }
    dispatches::add_tally(connection, held.dispatch, tally)
}

pub(super) fn finish(
    connection: &Connection,
    held: &Held,
    tally: &Tally,
    now: Timestamp,
) -> Result<()> {
    if change(connection, FINISH, held.key())? == 0 {
        return Err(refusal(connection, held)?);
    }
    dispatches::add_tally(connection, held.dispatch, tally)?;
    let values = params![held.dispatch.to_bytes(), now.as_micros()];
    change(connection, COUNT_DOWN, values)?;
    Ok(())
}

pub(super) fn release(
    connection: &Connection,
    held: &Held,
    retry_at: Timestamp,
    max_attempts: u32,
) -> Result<()> {
    let found = first(connection, HELD, held.key(), |row| {
        let attempt: u32 = row.get("attempt")?;
        Ok((attempt, time(row, "touched_at")?))
    })?;
    let Some((attempt, touched_at)) = found else {
        return Err(refusal(connection, held)?);
    };
    if attempt >= max_attempts {
        // The dispatch ended when its chunk last showed life, as far as the store knows.
        let end = DispatchState::Failed;
        return dispatches::finish(connection, held.dispatch, end, touched_at);
    }
    // This claim does not count, but that there was one is remembered.
    let blameless = max_attempts == u32::MAX;
    let (dispatch, retry_at) = (held.dispatch.to_bytes(), retry_at.as_micros());
    let values = params![dispatch, held.chunk, retry_at, blameless];
    change(connection, RELEASE, values)?;
    Ok(())
}

/// Drops what is left of a dispatch that is over; its holders find out with their next write.
pub(super) fn drop_all(connection: &Connection, dispatch: DispatchId) -> Result<()> {
    change(connection, DROP_ALL, [dispatch.to_bytes()])?;
    Ok(())
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

    fn key(&self) -> ([u8; 16], u32, i64) {
        (self.dispatch.to_bytes(), self.chunk, stored(self.token))
    }
}

/// Why a holder's write found no chunk: the dispatch is over before its time, or someone else has
/// claimed (and perhaps finished) the chunk.
fn refusal(connection: &Connection, held: &Held) -> Result<StoreError> {
    let what = "dispatch";
    Ok(match dispatches::state(connection, held.dispatch)? {
        None => StoreError::NotFound { what },
        Some(DispatchState::Running | DispatchState::Done) => {
            StoreError::Fenced { chunk: held.chunk }
        }
        Some(DispatchState::Planned | DispatchState::Stopped | DispatchState::Failed) => {
            StoreError::Stale { what }
        }
    })
}

const RELEASE_HELD: &str = "UPDATE chunk SET ready = 1 WHERE ready = 0";

/// Frees the chunks that a process held when it ended, so that its work is resumed at once and not
/// when its leases lapse. Tokens stay: what it may still write is refused.
pub(super) fn release_held(connection: &Connection) -> Result<()> {
    change(connection, RELEASE_HELD, []).map(drop)
}
