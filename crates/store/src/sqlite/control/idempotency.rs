//! Idempotency keys: taken by a request, answered once, replayed for a day.

use std::time::Duration;

use corkboard_core::id::{Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::columns::time;
use super::query::{change, first};
use crate::control_store::{Idempotent, KEPT_REPLIES, KnownKey, StoredReply};
use crate::error::Result;

pub(super) const FIND: &str = "
    SELECT request_hash, begun_at, status, content_type, body FROM idempotency
    WHERE workspace = ?1 AND key = ?2 AND expires_at > ?3";
const BEGIN: &str = "
    INSERT OR REPLACE INTO idempotency (workspace, key, request_hash, begun_at, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5)";
pub(super) const FINISH: &str = "
    UPDATE idempotency SET status = ?3, content_type = ?4, body = ?5
    WHERE workspace = ?1 AND key = ?2 AND status IS NULL";
const ABANDON: &str = "
    DELETE FROM idempotency WHERE workspace = ?1 AND key = ?2 AND status IS NULL";
const RELEASE_UNANSWERED: &str = "DELETE FROM idempotency WHERE status IS NULL";
pub(super) const PRUNE: &str = "
    DELETE FROM idempotency WHERE rowid IN
        (SELECT rowid FROM idempotency WHERE expires_at <= ?1 LIMIT ?2)";

pub(super) fn begin(
    connection: &Connection,
    workspace: WorkspaceId,
    key: &str,
    request_hash: [u8; 32],
    now: Timestamp,
    stale_after: Duration,
) -> Result<Idempotent> {
    let wanted = params![workspace.to_bytes(), key, now.as_micros()];
    let known = first(connection, FIND, wanted, read)?;
    if let Some(answer) = known.and_then(|known| known.answer(&request_hash, now, stale_after)) {
        return Ok(answer);
    }
    let values = params![
        workspace.to_bytes(),
        key,
        request_hash,
        now.as_micros(),
        now.plus(KEPT_REPLIES).as_micros(),
    ];
    change(connection, BEGIN, values)?;
    Ok(Idempotent::Begun)
}

/// After a take-over two holders may answer; the first answer is the one that is replayed.
pub(super) fn finish(
    connection: &Connection,
    workspace: WorkspaceId,
    key: &str,
    reply: &StoredReply,
) -> Result<()> {
    let StoredReply {
        status,
        content_type,
        body,
    } = reply;
    let values = params![workspace.to_bytes(), key, status, content_type, body];
    change(connection, FINISH, values)?;
    Ok(())
}

pub(super) fn abandon(connection: &Connection, workspace: WorkspaceId, key: &str) -> Result<()> {
    change(connection, ABANDON, params![workspace.to_bytes(), key])?;
    Ok(())
}

/// Forgets at most `limit` expired keys; returns how many.
pub(super) fn prune(connection: &Connection, now: Timestamp, limit: u32) -> Result<usize> {
    change(connection, PRUNE, params![now.as_micros(), limit])
}

/// Gives back the keys of requests that a process was working on when it ended. Nobody will answer
/// them, and their clients should not have to wait until the keys are stale.
pub(super) fn release_unanswered(connection: &Connection) -> Result<()> {
    change(connection, RELEASE_UNANSWERED, []).map(drop)
}

fn read(row: &Row<'_>) -> Result<KnownKey> {
    let status: Option<u16> = row.get("status")?;
    let reply = match status {
        None => None,
        Some(status) => Some(StoredReply {
            status,
            content_type: row.get("content_type")?,
            body: row.get("body")?,
        }),
    };
    Ok(KnownKey {
        request_hash: row.get("request_hash")?,
        begun_at: time(row, "begun_at")?,
        reply,
    })
}
