//! How far changes have been applied to Redis, and who applies them.

use crate::source::{Connection, SourceError, XidText};

/// How long the journal is kept after it was applied, for origins that lost their connection.
const KEPT: &str = "10 minutes";

/// Whether the hooks' tables are there.
pub(super) async fn is_installed(connection: &Connection) -> Result<bool, SourceError> {
    const SQL: &str = "SELECT to_regclass('corkboard_origin.progress') IS NOT NULL";
    let row = connection.client().query_one(SQL, &[]);
    let row = connection.answer("the journal", row).await?;
    Ok(row.get(0))
}

/// Makes this connection's process the applier, unless another one is. Ends with the connection.
pub(super) async fn become_applier(connection: &Connection) -> Result<bool, SourceError> {
    const SQL: &str =
        "SELECT pg_try_advisory_lock(hashtextextended('corkboard_origin applier', 0))";
    let row = connection.client().query_one(SQL, &[]);
    let row = connection.answer("the applier's lock", row).await?;
    Ok(row.get(0))
}

/// Everything before this transaction id has been applied.
pub(super) async fn applied(connection: &Connection) -> Result<u64, SourceError> {
    const SQL: &str = "SELECT applied::text FROM corkboard_origin.progress";
    let row = connection.client().query_one(SQL, &[]);
    let row = connection.answer("the progress", row).await?;
    Ok(row.get::<_, &str>(0).parse().unwrap_or(0))
}

/// The journal has everything after this transaction id.
pub(super) async fn trimmed(connection: &Connection) -> Result<u64, SourceError> {
    const SQL: &str = "SELECT trimmed::text FROM corkboard_origin.progress";
    let row = connection.client().query_one(SQL, &[]);
    let row = connection.answer("the progress", row).await?;
    Ok(row.get::<_, &str>(0).parse().unwrap_or(0))
}

/// Notes that everything before this transaction id has been applied, tells the others, and trims
/// what nobody needs. Writes nothing when nothing has changed.
pub(super) async fn save(connection: &Connection, settled: u64) -> Result<(), SourceError> {
    // Only the journal's own rows count: other transactions of the source move the horizon all the
    // time, and are no reason to write.
    const SQL: &str = "WITH old AS MATERIALIZED ( \
             DELETE FROM corkboard_origin.change \
             WHERE xid < $1 AND changed_at < now() - $2::text::interval \
             RETURNING xid), \
         moved AS ( \
             UPDATE corkboard_origin.progress SET applied = $1, \
                 trimmed = coalesce((SELECT xid FROM old ORDER BY xid DESC LIMIT 1), trimmed) \
             WHERE applied < $1 AND EXISTS ( \
                 SELECT FROM corkboard_origin.change AS c \
                 WHERE c.xid >= progress.applied AND c.xid < $1) \
             RETURNING 1) \
         SELECT pg_notify('corkboard_origin', '') FROM moved";
    let settled = XidText(settled);
    let saving = async { connection.client().query(SQL, &[&settled, &KEPT]).await };
    connection.answer("the progress", saving).await.map(drop)
}
