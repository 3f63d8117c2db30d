//! How far changes have been applied to Redis, and who applies them.

use super::journal::snapshot;
use super::snapshot::Snapshot;
use crate::source::{Connection, Printed, SourceError};

/// How long the journal is kept after it was applied, for origins that lost their connection.
const KEPT: &str = "10 minutes";
/// Rows of the journal that are removed in one statement.
const REMOVED: i64 = 1_000;

/// Where the applier is.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    /// All that this one has seen has been applied to Redis.
    pub(super) applied: Snapshot,
    /// The journal has everything after this transaction id.
    pub(super) trimmed: u64,
}

/// Whether the hooks' tables are there.
pub(super) async fn is_installed(connection: &Connection) -> Result<bool, SourceError> {
    const SQL: &str = "SELECT to_regclass('corkboard_origin.progress') IS NOT NULL";
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
    const SQL: &str = "SELECT applied::text, trimmed::text FROM corkboard_origin.progress";
    let row = connection.client().query_one(SQL, &[]);
    let row = connection.answer("the progress", row).await?;
    let trimmed = row.get::<_, &str>(1).parse();
    Ok(Progress {
        applied: snapshot(&row, 0)?,
        trimmed: trimmed.map_err(|_| SourceError::Journal)?,
    })
}

/// Notes what has been applied and tells the other origins.
pub(super) async fn save(connection: &Connection, applied: &Snapshot) -> Result<(), SourceError> {
    const SQL: &str = "WITH moved AS ( \
             UPDATE corkboard_origin.progress SET applied = $1 RETURNING 1) \
         SELECT pg_notify('corkboard_origin', '') FROM moved";
    let applied = applied.to_string();
    let applied = Printed(&applied);
    let saving = async { connection.client().query(SQL, &[&applied]).await };
    connection.answer("the progress", saving).await.map(drop)
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
