//! Putting the chunks of a dispatch into the queue, with the statement that makes it run.

use corkboard_core::dispatch::Dispatch;

use super::columns::text;
use super::dispatches;
use super::partitions::{Partitioned, Period};
use crate::control_store::ChunkWork;
use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, Uuid};

/// By the day on which the dispatch was started.
pub(super) const CHUNKS: Partitioned = Partitioned {
    table: "chunk",
    period: Period::Day,
    // A row is written anew five or six times, on its own page as far as there is room.
    storage: "fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02,
              autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0",
    needed: &["open"],
};

/// Inserts chunks that are given as two arrays, lanes and work, numbered in their order.
macro_rules! insert_chunks {
    ($now:literal, $lanes:literal, $work:literal, $dispatch:literal, $month:literal, $beside:literal) => {
        concat!(
            "INSERT INTO chunk (dispatch, dispatch_month, number, lane, open, queued_at, turn_at,
                                free_at, touched_at, token, targeted, attempt, skipped, work)
             SELECT ",
            $dispatch,
            ", ",
            $month,
            ", given.number - 1, given.lane, true, ",
            $now,
            ", ",
            $now,
            ", '-infinity', ",
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
    insert_chunks!("$2::timestamptz", "$4", "$5", "$1::uuid", "$3::date", ""),
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

/// Queues the chunks of a dispatch that is running.
pub(super) async fn queue(
    session: &Session,
    dispatch: &Dispatch,
    work: &[ChunkWork],
) -> Result<()> {
    if work.is_empty() {
        return Ok(());
    }
    let (lanes, texts) = columns(work)?;
    let queued_at = Time(dispatches::queued_at(dispatch));
    let (key, month) = (Uuid::of(dispatch.id), dispatches::month(dispatch));
    session
        .change(&QUEUE, &[&key, &queued_at, &month, &lanes, &texts])
        .await?;
    Ok(())
}
