//! Schema versions: each migration runs once, in a transaction that also moves the version on.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::{Result, StoreError};

/// Runs the migrations that the file has not seen. Its version is their number so far.
pub(super) fn to_newest(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
) -> Result<()> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::SchemaTooNew {
            place: path.display().to_string(),
            found,
            known,
        });
    }
    for (version, migration) in (1_u32..).zip(migrations).skip(found as usize) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
        tracing::debug!(file = %path.display(), version, "schema migrated");
    }
    Ok(())
}
