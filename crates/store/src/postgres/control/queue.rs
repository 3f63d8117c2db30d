//! Putting the chunks of a dispatch into the queue, with the statement that makes it run.

use corkboard_core::id::DispatchId;
use corkboard_core::time::Timestamp;

use super::columns::text;
use crate::control_store::ChunkWork;
use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, Uuid};

/// Inserts chunks that are given as two arrays, lanes and work, numbered in their order.
macro_rules! insert_chunks {
    ($now:literal, $lanes:literal, $work:literal, $dispatch:literal, $beside:literal) => {
        concat!(
            "INSERT INTO chunk (dispatch, number, lane, ready, queued_at, free_at, touched_at,
                                token, targeted, attempt, skipped, work)
             SELECT ",
            $dispatch,
            ", given.number - 1, given.lane, true, ",
            $now,
            ", ",
            $now,
            ", ",
            $now,
            ", 0, 0, 0, '{}', given.work::json
             FROM ",
            $beside,
            " unnest(",
            $lanes,
            "::smallint[], ",
            $work,
            "::text[])
                  WITH ORDINALITY AS given (lane, work, number)"
        )
    };
}
pub(super) use insert_chunks;

pub(super) const QUEUE: Statement = Statement::new(
    "queue chunks",
    insert_chunks!("$2::timestamptz", "$3", "$4", "$1::uuid", ""),
);

/// How many chunks there are, as stored.
pub(super) fn number(work: &[ChunkWork]) -> i32 {
    i32::try_from(work.len()).unwrap_or(i32::MAX)
}

/// The arrays that chunks are inserted from.
pub(super) fn columns(work: &[ChunkWork]) -> Result<(Vec<i16>, Vec<String>)> {
    let lanes = work.iter().map(|work| match work {
        ChunkWork::Recipients { .. } => 0,
        ChunkWork::Scan { .. } => 1,
    });
    let texts: Result<Vec<String>> = work.iter().map(|work| text(work, "chunk")).collect();
    Ok((lanes.collect(), texts?))
}

/// Queues the chunks of a dispatch that is running from `now` on.
pub(super) async fn queue(
    session: &Session,
    dispatch: DispatchId,
    work: &[ChunkWork],
    now: Timestamp,
) -> Result<()> {
    if work.is_empty() {
        return Ok(());
    }
    let (lanes, texts) = columns(work)?;
    let dispatch = Uuid::of(dispatch);
    session
        .change(&QUEUE, &[&dispatch, &Time(now), &lanes, &texts])
        .await?;
    Ok(())
}
