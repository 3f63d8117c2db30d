//! The connected-content call log: appended in batches, searched newest first, bounded.

use std::collections::BTreeSet;
use std::time::Duration;

use corkboard_core::id::WorkspaceId;
use corkboard_core::time::Day;
use tokio::sync::Mutex;
use tokio_postgres::Row;

use super::columns::{small, stored_small};
use super::partitions::{Partitioned, Period};
use crate::control_store::{CallFilter, CallRow};
use crate::cursor::{Place, cut_numbered, rows_wanted};
use crate::error::{Result, StoreError};
use crate::page::{Page, PageRequest};
use crate::postgres::failure::is_missing_partition;
use crate::postgres::pool::Pool;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, Uuid, count, get, id, optional_id, stored, time};

pub(super) const LOG: Partitioned = Partitioned {
    table: "call",
    period: Period::Day,
    storage: "fillfactor = 100",
    needed: &[],
};
/// Most rows, over all workspaces, when the log is pruned.
pub(super) const MAX_ROWS: f64 = 50_000_000.0;
/// How long a row is kept at least, unless there are too many.
pub(super) const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// In the order given, which the ids keep.
pub(super) const APPEND: Statement = Statement::new(
    "append calls",
    "INSERT INTO call (at, workspace, campaign, method, host, status, elapsed_ms, bytes, outcome,
                       problem, url, attempt, waited_ms)
     SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::text[], $5::text[],
                          $6::integer[], $7::bigint[], $8::bigint[], $9::text[], $10::text[],
                          $11::text[], $12::integer[], $13::bigint[])",
);

/// One statement per index; what the index does not cover is looked at row by row.
macro_rules! list_calls {
    ($name:literal, $leading:literal) => {
        Statement::new(
            $name,
            concat!(
                "SELECT id, at, workspace, campaign, method, host, status, elapsed_ms, waited_ms,
                        bytes, outcome, attempt, problem, url
                 FROM call WHERE workspace = $1 AND ",
                $leading,
                " AND ($8::text IS NULL OR outcome = $8)
                  AND (NOT $9::boolean OR status NOT BETWEEN 200 AND 299)
                  AND (at, id) < ($5, $6) ORDER BY at DESC, id DESC LIMIT $7"
            ),
        )
    };
}
pub(super) const LIST: Statement = list_calls!(
    "list calls",
    "$2::uuid IS NULL AND $3::text IS NULL AND $4::integer IS NULL"
);
pub(super) const LIST_OF_STATUS: Statement = list_calls!(
    "list calls of a status",
    "$2::uuid IS NULL AND $3::text IS NULL AND status = $4::integer"
);
pub(super) const LIST_OF_HOST: Statement = list_calls!(
    "list calls of a host",
    "$2::uuid IS NULL AND host = $3 AND ($4::integer IS NULL OR status = $4)"
);
pub(super) const LIST_OF_CAMPAIGN: Statement = list_calls!(
    "list calls of a campaign",
    "campaign = $2 AND ($3::text IS NULL OR host = $3) AND ($4::integer IS NULL OR status = $4)"
);
/// The rare outcomes; of the usual one the log is full.
pub(super) const LIST_OF_OUTCOME: Statement = list_calls!(
    "list calls of an outcome",
    "$2::uuid IS NULL AND $3::text IS NULL AND $4::integer IS NULL
     AND outcome = $8 AND outcome <> 'network'"
);
pub(super) const LIST_FAILED: Statement = list_calls!(
    "list failed calls",
    "$2::uuid IS NULL AND $3::text IS NULL AND $4::integer IS NULL
     AND status NOT BETWEEN 200 AND 299"
);

/// Appends calls; when a day's partition is missing, makes it and tries once more.
pub(super) async fn append(pool: &Pool, turn: &Mutex<()>, calls: &[CallRow]) -> Result<()> {
    match insert(&pool.session().await?, calls).await {
        Err(error) if is_missing_partition(&error) => {}
        other => return other,
    }
    let days: BTreeSet<Day> = calls.iter().map(|call| call.at.day()).collect();
    LOG.make_missing(pool, turn, &days).await?;
    insert(&pool.session().await?, calls).await
}

async fn insert(session: &Session, calls: &[CallRow]) -> Result<()> {
    let at: Vec<Time> = calls.iter().map(|call| Time(call.at)).collect();
    let workspace: Vec<Uuid> = calls.iter().map(|call| Uuid::of(call.workspace)).collect();
    let campaign: Vec<Option<Uuid>> = calls
        .iter()
        .map(|call| call.campaign.map(Uuid::of))
        .collect();
    let status: Vec<i32> = calls.iter().map(|call| i32::from(call.status)).collect();
    let elapsed: Vec<i64> = calls
        .iter()
        .map(|call| i64::from(call.elapsed_ms))
        .collect();
    let attempt: Vec<i32> = calls
        .iter()
        .map(|call| stored_small(call.attempt))
        .collect();
    let waited: Vec<i64> = calls.iter().map(|call| i64::from(call.waited_ms)).collect();
    let bytes: Vec<i64> = calls.iter().map(|call| stored(call.bytes)).collect();
    let text = |of: fn(&CallRow) -> &str| -> Vec<String> {
        calls.iter().map(|call| storable(of(call))).collect()
    };
    let problem: Vec<Option<String>> = calls
        .iter()
        .map(|call| call.problem.as_deref().map(storable))
        .collect();
    session
        .change(
            &APPEND,
            &[
                &at,
                &workspace,
                &campaign,
                &text(|call| &call.method),
                &text(|call| &call.host),
                &status,
                &elapsed,
                &bytes,
                &text(|call| &call.outcome),
                &problem,
                &text(|call| &call.url),
                &attempt,
                &waited,
            ],
        )
        .await?;
    Ok(())
}

/// PostgreSQL's texts hold no NUL. One in a URL must not cost the batch.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub(super) async fn list(
    session: &Session,
    workspace: WorkspaceId,
    filter: &CallFilter,
    page: &PageRequest,
) -> Result<Page<CallRow>> {
    let before = Place::<8>::before(page)?;
    let CallFilter {
        host,
        status,
        campaign,
        outcome,
        failed,
    } = filter;
    let statement = match (campaign, host, status) {
        (Some(_), _, _) => &LIST_OF_CAMPAIGN,
        (None, Some(_), _) => &LIST_OF_HOST,
        (None, None, Some(_)) => &LIST_OF_STATUS,
        (None, None, None) if filter.is_by_rare_outcome() => &LIST_OF_OUTCOME,
        (None, None, None) if *failed => &LIST_FAILED,
        (None, None, None) => &LIST,
    };
    let rows = session
        .all(
            statement,
            &[
                &Uuid::of(workspace),
                &campaign.map(Uuid::of),
                host,
                &status.map(i32::from),
                &Time(before.at),
                &i64::from_be_bytes(before.id),
                &rows_wanted(page),
                outcome,
                failed,
            ],
        )
        .await?;
    let rows: Result<Vec<(i64, CallRow)>> = rows.iter().map(read).collect();
    Ok(cut_numbered(rows?, page, |call| call.at))
}

fn read(row: &Row) -> Result<(i64, CallRow)> {
    let status = small(row, "status")?;
    let call = CallRow {
        at: time(row, "at")?,
        workspace: id(row, "workspace")?,
        campaign: optional_id(row, "campaign")?,
        method: get(row, "method")?,
        url: get(row, "url")?,
        host: get(row, "host")?,
        status: u16::try_from(status).map_err(|error| StoreError::Corrupt {
            what: "call",
            source: error.into(),
        })?,
        elapsed_ms: u32::try_from(count(row, "elapsed_ms")?).unwrap_or(u32::MAX),
        bytes: count(row, "bytes")?,
        waited_ms: u32::try_from(count(row, "waited_ms")?).unwrap_or(u32::MAX),
        outcome: get(row, "outcome")?,
        attempt: small(row, "attempt")?,
        problem: get(row, "problem")?,
    };
    Ok((get(row, "id")?, call))
}
