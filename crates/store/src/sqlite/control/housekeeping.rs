//! Forgetting what has had its time, and describing the file for the doctor.

use std::time::Duration;

use corkboard_core::time::Timestamp;
use rusqlite::Connection;

use super::{calls, dispatches, idempotency};
use crate::error::Result;
use crate::sqlite::database::Database;

/// How long a finished dispatch can be asked for after its last card has expired.
const DISPATCH_RETENTION: Duration = Duration::from_hours(30 * 24);

/// Most rows that one operation forgets, so that nobody waits long behind it.
const STEP: u32 = 5_000;

/// Forgets expired idempotency keys, old calls and long finished dispatches, step by step.
pub(super) async fn prune(database: &Database, now: Timestamp) -> Result<()> {
    let keys = move |db: &_| idempotency::prune(db, now, STEP);
    while database.write("prune idempotency keys", keys).await? == STEP as usize {}
    let old_calls = move |db: &_| calls::prune(db, now, STEP);
    while database.write("prune calls", old_calls).await? == STEP as usize {}
    let over = move |db: &_| dispatches::prune(db, now.minus(DISPATCH_RETENTION), STEP);
    while database.write("prune dispatches", over).await? == STEP as usize {}
    Ok(())
}

/// Name, version, size: what an operator asks first.
pub(super) async fn describe(database: &Database) -> Result<Vec<(String, String)>> {
    let path = database.path().display().to_string();
    let mut facts = vec![
        (
            "database".to_owned(),
            format!("SQLite {}", rusqlite::version()),
        ),
        ("control file".to_owned(), path),
    ];
    facts.extend(database.read("describe", read_facts).await?);
    Ok(facts)
}

fn read_facts(connection: &Connection) -> Result<Vec<(String, String)>> {
    let number = |pragma: &str| -> Result<i64> {
        Ok(connection.pragma_query_value(None, pragma, |row| row.get(0))?)
    };
    let journal: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let bytes = number("page_size")? * number("page_count")?;
    Ok(vec![
        (
            "control schema version".to_owned(),
            number("user_version")?.to_string(),
        ),
        ("control bytes".to_owned(), bytes.to_string()),
        ("control journal".to_owned(), journal),
    ])
}
