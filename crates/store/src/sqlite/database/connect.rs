//! Connections as this store wants them: write-ahead log, durable commits, no surprises in SQL.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::failure;
use crate::error::Result;

/// Locks are only ever contended for an instant: one writer, in one process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The log is written back when it has this many pages (4 MiB), and cut to this size then.
const LOG_PAGES: u32 = 1_000;
const LOG_BYTES: u32 = 8 * 1024 * 1024;
/// Prepared statements kept by each connection; filters of audiences come and go.
const STATEMENTS: usize = 64;

/// The one connection that writes. Creates the file if need be.
pub(super) fn to_write(path: &Path, cache_kib: u32) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        let source = "the file system has no shared memory: use a local disk";
        return Err(failure::unavailable(path, source));
    }
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    // What is deleted is a person's: their rows are overwritten, not only unlinked.
    connection.pragma_update(None, "secure_delete", true)?;
    prepare(&connection, cache_kib)?;
    Ok(connection)
}

/// A connection that cannot write.
pub(super) fn to_read(path: &Path, cache_kib: u32) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    prepare(&connection, cache_kib)?;
    Ok(connection)
}

fn prepare(connection: &Connection, cache_kib: u32) -> Result<()> {
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    // A misspelt column in double quotes is an error, not a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A plan is made once for a statement, not again for each new value of a parameter: without
    // statistics another value gives the same plan, and a feed read costs a third less.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Makes the file's name durable, not only its content.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| failure::unavailable(folder, error))
}
