//! How far changes have been applied to Redis, and who applies them.

use super::journal::snapshot;
use super::snapshot::Snapshot;
use crate::source::{Connection, Printed, SourceError};

/// How long the journal is kept after it was applied, for origins that lost their connection.
const KEPT: &str = "10 minutes";
/// How long it is kept for origins with Redis while none of them applies it.
const KEPT_FOR_REDIS: &str = "1 day";
/// Rows of the journal that are removed in one statement.
const REMOVED: i64 = 1_000;

/// Where the applier is.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    /// All that this one has seen has been applied to Redis.
    pub(super) applied: Snapshot,
    /// The journal has everything after this transaction id.
    pub(super) trimmed: u64,
    /// An origin with Redis has been here: others only follow.
    pub(super) has_redis: bool,
    /// Redis was not told of everything: all it has is to be rewritten.
    pub(super) redis_is_behind: bool,
}

/// Whether the hooks' tables are there.
pub(super) async fn is_installed(connection: &Connection) -> Result<bool, SourceError> {
    // The column that came last: what an older version has installed is to be installed again.
    const SQL: &str = "SELECT EXISTS (SELECT FROM pg_attribute \
         WHERE attrelid = to_regclass('corkboard_origin.progress') \
         AND attname = 'redis_is_behind')";
    let row = connection.client().query_one(SQL, &[]);
    let row = connection.answer("the journal", row).await?;
    Ok(row.get(0))
}

/// Of these tables (with their schemas), those without a trigger of ours.
pub(super) async fn without_hooks(
    connection: &Connection,
    tables: &[String],
) -> Result<Vec<String>, SourceError> {
    const SQL: &str = "SELECT name FROM unnest($1::text[]) AS name WHERE NOT EXISTS ( \
             SELECT FROM pg_trigger WHERE tgrelid = to_regclass(name) \
             AND tgname LIKE 'corkboard\\_origin\\_%' AND tgenabled <> 'D')";
    let reading = async { connection.client().query(SQL, &[&tables]).await };
    let rows = connection.answer("the hooks", reading).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Makes this connection's process the applier, unless another one is. Ends with the connection.
pub(super) async fn become_applier(connection: &Connection) -> Result<bool, SourceError> {
    const SQL: &str =
        "SELECT pg_try_advisory_lock(hashtextextended('corkboard_origin applier', 0))";
    let row = connection.client().query_one(SQL, &[]);
    let row = connection.answer("the applier's lock", row).await?;
    Ok(row.get(0))
}

/// Where the applier is.
pub(super) async fn read(connection: &Connection) -> Result<Progress, SourceError> {
    const SQL: &str = "SELECT applied::text, trimmed::text, has_redis, redis_is_behind \
         FROM corkboard_origin.progress";
    let row = connection.client().query_one(SQL, &[]);
    let row = connection.answer("the progress", row).await?;
    let trimmed = row.get::<_, &str>(1).parse();
    Ok(Progress {
        applied: snapshot(&row, 0)?,
        trimmed: trimmed.map_err(|_| SourceError::Journal)?,
        has_redis: row.get(2),
        redis_is_behind: row.get(3),
    })
}

/// From now on only origins with Redis say what is applied.
pub(super) async fn claim(connection: &Connection) -> Result<(), SourceError> {
    const SQL: &str = "UPDATE corkboard_origin.progress SET has_redis = true WHERE NOT has_redis";
    let claiming = async { connection.client().execute(SQL, &[]).await };
    let claimed = connection.answer("the progress", claiming).await;
    claimed.map(drop)
}

/// What has happened so far, applied or not.
pub(super) async fn now(connection: &Connection) -> Result<Snapshot, SourceError> {
    let row = connection
        .client()
        .query_one("SELECT pg_current_snapshot()::text", &[]);
    snapshot(&connection.answer("the progress", row).await?, 0)
}

/// Who says that something has been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// An origin with Redis, which has it now.
    Redis,
    /// One without, while none with Redis has been here.
    Memory,
}

/// Notes what has been applied and tells the other origins; whether whoever says so may.
pub(super) async fn save(
    connection: &Connection,
    applied: &Snapshot,
    by: By,
) -> Result<bool, SourceError> {
    const SQL: &str = "WITH moved AS ( \
             UPDATE corkboard_origin.progress SET applied = $1, redis_is_behind = NOT $2 \
             WHERE $2 OR NOT has_redis RETURNING 1) \
         SELECT pg_notify('corkboard_origin', '') FROM moved";
    let applied = applied.to_string();
    let (applied, has_redis) = (Printed::new(&applied), by == By::Redis);
    let saving = async {
        connection
            .client()
            .query(SQL, &[&applied, &has_redis])
            .await
    };
    let saved = connection.answer("the progress", saving).await?;
    Ok(!saved.is_empty())
}

/// Removes some of what no origin with Redis has come for, unless one of them applies; whether there
/// may be more. One that comes later rewrites all that Redis has.
pub(super) async fn give_up(connection: &Connection) -> Result<bool, SourceError> {
    const LET_GO: &str =
        "SELECT pg_advisory_unlock(hashtextextended('corkboard_origin applier', 0))";
    const SQL: &str = "WITH old AS MATERIALIZED ( \
             SELECT xid, change_no FROM corkboard_origin.change \
             WHERE changed_at < now() - $1::text::interval \
             ORDER BY xid, change_no LIMIT $2), \
         removed AS ( \
             DELETE FROM corkboard_origin.change AS c USING old \
             WHERE c.xid = old.xid AND c.change_no = old.change_no RETURNING c.xid), \
         moved AS ( \
             UPDATE corkboard_origin.progress SET redis_is_behind = true, \
                 trimmed = greatest(trimmed, (SELECT xid FROM removed ORDER BY xid DESC LIMIT 1)) \
             WHERE EXISTS (SELECT FROM removed)) \
         SELECT count(*) FROM removed";
    if !become_applier(connection).await? {
        return Ok(false);
    }
    let client = connection.client();
    let removing = async { client.query_one(SQL, &[&KEPT_FOR_REDIS, &REMOVED]).await };
    let removed = connection.answer("the journal", removing).await;
    let letting_go = client.query_one(LET_GO, &[]);
    connection.answer("the applier's lock", letting_go).await?;
    Ok(removed?.get::<_, i64>(0) == REMOVED)
}

/// Removes some of what has been applied for long; whether there may be more.
pub(super) async fn trim(connection: &Connection) -> Result<bool, SourceError> {
    const SQL: &str = "WITH old AS MATERIALIZED ( \
             SELECT c.xid, c.change_no FROM corkboard_origin.change AS c, \
                 corkboard_origin.progress AS p \
             WHERE c.changed_at < now() - $1::text::interval \
                 AND pg_visible_in_snapshot(c.xid, p.applied) \
             ORDER BY c.xid, c.change_no LIMIT $2), \
         removed AS ( \
             DELETE FROM corkboard_origin.change AS c USING old \
             WHERE c.xid = old.xid AND c.change_no = old.change_no RETURNING c.xid), \
         moved AS ( \
             UPDATE corkboard_origin.progress SET trimmed = greatest(trimmed, ( \
                 SELECT xid FROM removed ORDER BY xid DESC LIMIT 1)) \
             WHERE EXISTS (SELECT FROM removed)) \
         SELECT count(*) FROM removed";
    let removing = async { connection.client().query_one(SQL, &[&KEPT, &REMOVED]).await };
    let row = connection.answer("the journal", removing).await?;
    Ok(row.get::<_, i64>(0) == REMOVED)
}
