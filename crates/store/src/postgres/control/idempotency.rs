//! Idempotency keys: taken by a request, answered once, replayed for a day.
//!
//! Rows are inserted and answered, never deleted; the latest row of a key counts. A key may have
//! rows in the partitions of two days, so what serialises its holders is an advisory lock.

use std::collections::BTreeSet;
use std::time::Duration;

use corkboard_core::id::{Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use tokio::sync::Mutex;
use tokio_postgres::Row;

use super::partitions::{Partitioned, Period};
use crate::control_store::{Idempotent, KEPT_REPLIES, KnownKey, StoredReply};
use crate::error::{Result, StoreError};
use crate::postgres::failure::is_missing_partition;
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::pool::Pool;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, Uuid, get, time};

pub(super) const KEYS: Partitioned = Partitioned {
    table: "idempotency",
    period: Period::Day,
    // Each row is changed once, in its place.
    storage: "fillfactor = 60",
    needed: &[],
};
/// How late another node's clock may be.
const LATE: Duration = Duration::from_secs(3_600);

/// The bound on the time leaves out the partitions of days that are over.
pub(super) const FIND: Statement = Statement::new(
    "begin idempotent request: find",
    "SELECT i.request_hash, i.begun_at, i.status, i.content_type, i.body
     FROM idempotency i, idempotency_horizon h
     WHERE i.workspace = $1 AND i.key = $2 AND i.begun_at > $3
       AND i.held AND i.expires_at > greatest($4, h.forgotten)
     ORDER BY i.begun_at DESC LIMIT 1",
);
/// Only a key that was given back can have been begun at the same microsecond.
pub(super) const BEGIN: Statement = Statement::new(
    "begin idempotent request",
    "INSERT INTO idempotency (workspace, key, request_hash, begun_at, expires_at, held)
     VALUES ($1, $2, $3, $4, $5, true)
     ON CONFLICT (workspace, key, begun_at) DO UPDATE SET request_hash = excluded.request_hash,
         expires_at = excluded.expires_at, held = true, status = NULL",
);
/// After a take-over two holders may answer; the first answer is the one that is replayed.
pub(super) const FINISH: Statement = Statement::new(
    "finish idempotent request",
    "UPDATE idempotency SET status = $3, content_type = $4, body = $5
     WHERE workspace = $1 AND key = $2 AND status IS NULL AND held AND begun_at = (
         SELECT begun_at FROM idempotency WHERE workspace = $1 AND key = $2
         ORDER BY begun_at DESC LIMIT 1)",
);
pub(super) const ABANDON: Statement = Statement::new(
    "abandon idempotent request",
    "UPDATE idempotency SET held = false
     WHERE workspace = $1 AND key = $2 AND status IS NULL AND held",
);
pub(super) const FORGET: Statement = Statement::new(
    "forget idempotency keys",
    "UPDATE idempotency_horizon SET forgotten = $1 WHERE forgotten < $1",
);

/// A request that wants a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) workspace: WorkspaceId,
    pub(super) key: &'a str,
    pub(super) hash: [u8; 32],
    pub(super) now: Timestamp,
    pub(super) stale_after: Duration,
}

/// When the day's partition is missing, makes it and tries once more.
pub(super) async fn begin(
    pool: &Pool,
    turn: &Mutex<()>,
    request: Request<'_>,
) -> Result<Idempotent> {
    match try_begin(pool, request).await {
        Err(error) if is_missing_partition(&error) => {}
        other => return other,
    }
    let days = BTreeSet::from([request.now.day()]);
    KEYS.make_missing(pool, turn, &days).await?;
    try_begin(pool, request).await
}

async fn try_begin(pool: &Pool, request: Request<'_>) -> Result<Idempotent> {
    let Request {
        workspace,
        key,
        hash,
        now,
        stale_after,
    } = request;
    let session = pool.session().await?;
    let names: [&[u8]; 2] = [&workspace.to_bytes(), key.as_bytes()];
    let lock = Lock::of(Protects::IdempotencyKey, &names);
    session.begin_holding(lock).await?;
    let workspace = Uuid::of(workspace);
    let found = session
        .first(
            &FIND,
            &[&workspace, &key, &Time(now.minus(KEPT_REPLIES)), &Time(now)],
        )
        .await?;
    let known = found.as_ref().map(read).transpose()?;
    if let Some(answer) = known.and_then(|known| known.answer(&hash, now, stale_after)) {
        return Ok(answer);
    }
    let (hash, expires_at) = (hash.as_slice(), Time(now.plus(KEPT_REPLIES)));
    session
        .change(&BEGIN, &[&workspace, &key, &hash, &Time(now), &expires_at])
        .await?;
    session.commit().await?;
    Ok(Idempotent::Begun)
}

fn read(row: &Row) -> Result<KnownKey> {
    Ok(KnownKey {
        request_hash: get(row, "request_hash")?,
        begun_at: time(row, "begun_at")?,
        reply: reply(row)?,
    })
}

fn reply(row: &Row) -> Result<Option<StoredReply>> {
    let status: Option<i16> = get(row, "status")?;
    let Some(status) = status else {
        return Ok(None);
    };
    Ok(Some(StoredReply {
        status: u16::try_from(status).map_err(|error| StoreError::Corrupt {
            what: "idempotency key",
            source: error.into(),
        })?,
        content_type: get(row, "content_type")?,
        body: get(row, "body")?,
    }))
}

pub(super) async fn finish(
    session: &Session,
    workspace: WorkspaceId,
    key: &str,
    reply: &StoredReply,
) -> Result<()> {
    let StoredReply {
        status,
        content_type,
        body,
    } = reply;
    // HTTP has three digits.
    let status = i16::try_from(*status).unwrap_or(i16::MAX);
    session
        .change(
            &FINISH,
            &[&Uuid::of(workspace), &key, &status, content_type, body],
        )
        .await?;
    Ok(())
}

pub(super) async fn abandon(session: &Session, workspace: WorkspaceId, key: &str) -> Result<()> {
    session
        .change(&ABANDON, &[&Uuid::of(workspace), &key])
        .await?;
    Ok(())
}

/// From now on, keys that have expired are gone.
pub(super) async fn forget(session: &Session, now: Timestamp) -> Result<()> {
    session.change(&FORGET, &[&Time(now)]).await?;
    Ok(())
}

/// Keys begun before this are valid nowhere.
pub(super) fn old_before(now: Timestamp) -> Timestamp {
    now.minus(KEPT_REPLIES + LATE)
}
