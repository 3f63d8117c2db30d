//! Telling all origins of rows that were put right in Redis, as if they had changed: they may have the wrong
//! ones in memory.

use super::CHANNEL;
use crate::key::Key;
use crate::source::{Connection, Printed, SourceError};

/// Writes these keys of a table (with its schema) to the journal; at most 1,000. Where there is no journal, or it is
/// not ours to write, nobody follows it on our behalf: nothing is done.
pub(crate) async fn tell(
    connection: &Connection,
    table: &str,
    keys: &[Key],
) -> Result<(), SourceError> {
    // Without asking for the table by its name, which takes the right to use the schema.
    const IS_OURS: &str = "SELECT has_schema_privilege(n.oid, 'USAGE') \
             AND has_table_privilege(c.oid, 'INSERT') \
         FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'corkboard_origin' AND c.relname = 'change'";
    const TELL: &str = "WITH told AS (INSERT INTO corkboard_origin.change (table_name, keys) \
         VALUES ($1, $2) RETURNING true) SELECT pg_notify($3, '') FROM told";
    let asking = async { connection.client().query_opt(IS_OURS, &[]).await };
    let is_ours = connection.answer("the journal", asking).await?;
    if !is_ours.is_some_and(|row| row.get(0)) {
        return Ok(());
    }
    let keys = Printed::keys(keys);
    let telling = async {
        let client = connection.client();
        client.execute(TELL, &[&table, &keys, &CHANNEL]).await
    };
    connection.answer("the journal", telling).await?;
    Ok(())
}
