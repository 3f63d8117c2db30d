//! The connected-content call log: appended in batches, searched newest first, bounded.

use std::time::Duration;

use corkboard_core::id::{CampaignId, Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::columns::{count, id, optional_id, stored, time};
use super::query::{all, change};
use crate::control_store::{CallFilter, CallRow};
use crate::cursor::{Place, cut_numbered, rows_wanted};
use crate::error::Result;
use crate::page::{Page, PageRequest};

/// Most rows, over all workspaces.
pub(super) const MAX_ROWS: i64 = 1_000_000;
/// How long a row is kept at most.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

const INSERT: &str = "
    INSERT INTO call (at, workspace, campaign, method, host, status, elapsed_ms, bytes, outcome,
                      problem, url, attempt, waited_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
/// Ids grow by one with each row, so no more rows are left than this.
pub(super) const DROP_SURPLUS: &str = "
    DELETE FROM call WHERE id <= (SELECT max(id) FROM call) - ?1";
pub(super) const DROP_OLD: &str = "
    DELETE FROM call WHERE id IN (SELECT id FROM call WHERE at < ?1 LIMIT ?2)";

/// One statement per index; what the index does not cover is looked at row by row.
macro_rules! list_calls {
    ($leading:literal) => {
        concat!(
            "SELECT id, at, workspace, campaign, method, host, status, elapsed_ms, waited_ms, bytes,
                    outcome, attempt, problem, url
             FROM call WHERE workspace = ?1 AND ",
            $leading,
            " AND (?8 IS NULL OR outcome = ?8) AND (NOT ?9 OR status NOT BETWEEN 200 AND 299)
             AND (at, id) < (?5, ?6) ORDER BY at DESC, id DESC LIMIT ?7"
        )
    };
}
pub(super) const LIST: &str = list_calls!("?2 IS NULL AND ?3 IS NULL AND ?4 IS NULL");
pub(super) const LIST_OF_STATUS: &str = list_calls!("?2 IS NULL AND ?3 IS NULL AND status = ?4");
pub(super) const LIST_OF_HOST: &str =
    list_calls!("?2 IS NULL AND host = ?3 AND (?4 IS NULL OR status = ?4)");
pub(super) const LIST_OF_CAMPAIGN: &str =
    list_calls!("campaign = ?2 AND (?3 IS NULL OR host = ?3) AND (?4 IS NULL OR status = ?4)");
/// The rare outcomes; of the usual one the log is full.
pub(super) const LIST_OF_OUTCOME: &str = list_calls!(
    "?2 IS NULL AND ?3 IS NULL AND ?4 IS NULL AND outcome = ?8 AND outcome <> 'network'"
);
pub(super) const LIST_FAILED: &str =
    list_calls!("?2 IS NULL AND ?3 IS NULL AND ?4 IS NULL AND status NOT BETWEEN 200 AND 299");

/// Appends calls and drops the oldest beyond `max_rows`, so that the log never outgrows its bound.
pub(super) fn append(connection: &Connection, calls: &[CallRow], max_rows: i64) -> Result<()> {
    for call in calls {
        let values = params![
            call.at.as_micros(),
            call.workspace.to_bytes(),
            call.campaign.map(CampaignId::to_bytes),
            call.method,
            call.host,
            call.status,
            call.elapsed_ms,
            stored(call.bytes),
            call.outcome,
            call.problem,
            call.url,
            call.attempt,
            call.waited_ms,
        ];
        change(connection, INSERT, values)?;
    }
    change(connection, DROP_SURPLUS, [max_rows])?;
    Ok(())
}

pub(super) fn list(
    connection: &Connection,
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
    let sql = match (campaign, host, status) {
        (Some(_), _, _) => LIST_OF_CAMPAIGN,
        (None, Some(_), _) => LIST_OF_HOST,
        (None, None, Some(_)) => LIST_OF_STATUS,
        (None, None, None) if filter.is_by_rare_outcome() => LIST_OF_OUTCOME,
        (None, None, None) if *failed => LIST_FAILED,
        (None, None, None) => LIST,
    };
    let values = params![
        workspace.to_bytes(),
        campaign.map(CampaignId::to_bytes),
        host,
        status,
        before.at.as_micros(),
        i64::from_be_bytes(before.id),
        rows_wanted(page),
        outcome,
        failed,
    ];
    let rows = all(connection, sql, values, read)?;
    Ok(cut_numbered(rows, page, |call| call.at))
}

/// Drops at most `limit` rows that are older than is kept; returns how many.
pub(super) fn prune(connection: &Connection, now: Timestamp, limit: u32) -> Result<usize> {
    let oldest_kept = now.minus(KEPT).as_micros();
    change(connection, DROP_OLD, params![oldest_kept, limit])
}

fn read(row: &Row<'_>) -> Result<(i64, CallRow)> {
    let call = CallRow {
        at: time(row, "at")?,
        workspace: id(row, "workspace")?,
        campaign: optional_id(row, "campaign")?,
        method: row.get("method")?,
        url: row.get("url")?,
        host: row.get("host")?,
        status: row.get("status")?,
        elapsed_ms: row.get("elapsed_ms")?,
        bytes: count(row, "bytes")?,
        waited_ms: row.get("waited_ms")?,
        outcome: row.get("outcome")?,
        attempt: row.get("attempt")?,
        problem: row.get("problem")?,
    };
    Ok((row.get("id")?, call))
}
