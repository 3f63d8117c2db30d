//! Forgetting what has had its time, and describing the database for the doctor.

use std::collections::BTreeSet;
use std::time::Duration;

use corkboard_core::time::{Day, Timestamp};

use super::{calls, idempotency};
use crate::error::Result;
use crate::postgres::pool::Pool;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, get};

/// How long a finished dispatch can be asked for after its last card has expired.
const DISPATCH_RETENTION: Duration = Duration::from_hours(30 * 24);
/// Most dispatches that one statement forgets.
const STEP: i64 = 5_000;
/// Days that partitions are made ahead: as long as pruning may fail without anybody noticing.
const AHEAD: i32 = 7;
/// `DETACH CONCURRENTLY` waits for the transactions that were there before it.
const STATEMENT: Duration = Duration::from_secs(60);
const LOCK: Duration = Duration::from_secs(1);

/// A dispatch is a row per send or trigger, not per card. It has no day of its own that a
/// partition could be named by: its id must stay unique whenever it is repeated.
pub(super) const PRUNE_DISPATCHES: Statement = Statement::new(
    "prune dispatches",
    "DELETE FROM dispatch WHERE id = ANY (ARRAY (
         SELECT id FROM dispatch
         WHERE expires_at < $1 AND state IN ('done', 'stopped', 'failed')
         ORDER BY expires_at LIMIT $2))",
);
/// Held by this session until it is closed. Somebody else has it: they are doing the work.
const ALONE: Statement = Statement::new(
    "prune alone",
    "SELECT pg_try_advisory_lock(hashtextextended('corkboard control pruning', 0)) AS alone",
);

/// Makes partitions ahead, drops those that are over, and forgets long finished dispatches. What
/// fails does not keep the rest from being done; the first failure is returned.
pub(super) async fn prune(pool: &Pool, now: Timestamp) -> Result<()> {
    let session = pool.maintenance(STATEMENT, LOCK).await?;
    let alone = session.first(&ALONE, &[]).await?;
    if !alone.is_some_and(|row| get(&row, "alone").unwrap_or(false)) {
        return Ok(());
    }
    let today = now.day();
    let ahead: BTreeSet<Day> = (0..=AHEAD)
        .map(|days| Day::from_number(today.number() + days))
        .collect();
    let done = [
        idempotency::KEYS.make(&session, &ahead).await,
        calls::LOG.make(&session, &ahead).await,
        idempotency::forget(&session, now).await,
        idempotency::KEYS
            .drop_old(&session, idempotency::first_kept(now), today, f64::INFINITY)
            .await,
        calls::LOG
            .drop_old(&session, calls::first_kept(now), today, calls::MAX_ROWS)
            .await,
        prune_dispatches(&session, now).await,
    ];
    done.into_iter().collect()
}

async fn prune_dispatches(session: &Session, now: Timestamp) -> Result<()> {
    let before = Time(now.minus(DISPATCH_RETENTION));
    while session
        .change(&PRUNE_DISPATCHES, &[&before, &STEP])
        .await?
        .cast_signed()
        == STEP
    {}
    Ok(())
}

/// Name, version, size, and the settings that decide what a commit is worth.
pub(super) async fn describe(pool: &Pool) -> Result<Vec<(String, String)>> {
    const FACTS: Statement = Statement::new(
        "describe",
        "SELECT current_setting('server_version') AS version,
                pg_database_size(current_database())::text AS bytes,
                (SELECT version::text FROM schema_version WHERE schema = 'control') AS schema,
                current_setting('fsync') AS fsync,
                current_setting('synchronous_commit') AS synchronous_commit,
                current_setting('full_page_writes') AS full_page_writes",
    );
    let session = pool.session().await?;
    let mut facts = vec![("control database".to_owned(), pool.place().to_string())];
    if let Some(row) = session.first(&FACTS, &[]).await? {
        let fact = |name: &str, column: &str| -> Result<(String, String)> {
            let value: Option<String> = get(&row, column)?;
            Ok((format!("control {name}"), value.unwrap_or_default()))
        };
        facts.push(fact("PostgreSQL", "version")?);
        facts.push(fact("schema version", "schema")?);
        facts.push(fact("bytes", "bytes")?);
        facts.push(fact("fsync", "fsync")?);
        facts.push(fact("synchronous_commit", "synchronous_commit")?);
        facts.push(fact("full_page_writes", "full_page_writes")?);
    }
    Ok(facts)
}
