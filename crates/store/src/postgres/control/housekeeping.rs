//! Forgetting what has had its time, and describing the database for the doctor.

use std::time::Duration;

use corkboard_core::expiry::MAX_LIFETIME;
use corkboard_core::time::{Day, Timestamp};

use super::partitions::Partitioned;
use super::partitions::retire::Retention;
use super::{beginning, calls, dispatches, idempotency, queue};
use crate::error::Result;
use crate::postgres::pool::Pool;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

/// How long a finished dispatch can be asked for, at least, after its last card has expired.
const DISPATCH_RETENTION: Duration = Duration::from_hours(30 * 24);
/// How long a finished chunk is kept, at least: for whoever asks why. It names its recipients.
const CHUNK_RETENTION: Duration = Duration::from_hours(24);
/// How long partitions made ahead last: as long as pruning may fail without anybody noticing.
const AHEAD: Duration = Duration::from_hours(7 * 24);
/// The same for chunks, whose partitions every claim looks into. A missing one is made on the spot.
const CHUNKS_AHEAD: Duration = Duration::from_hours(3 * 24);
/// A partition is looked through before it is dropped.
const STATEMENT: Duration = Duration::from_secs(60);
const LOCK: Duration = Duration::from_secs(1);
/// Several that prepare a new database take turns, partition by partition.
const TURNS: Duration = Duration::from_secs(20);

/// Held by this session until it is released, or closed. Somebody else has it: they are doing the
/// work.
const ALONE: Statement = Statement::new(
    "prune alone",
    "SELECT pg_try_advisory_lock(hashtextextended('corkboard control pruning', 0)) AS alone",
);

/// The connection is closed a moment after its pass is over: the next pass must not find it there.
const ALONE_NO_MORE: Statement = Statement::new(
    "prune alone no more",
    "SELECT pg_advisory_unlock(hashtextextended('corkboard control pruning', 0))",
);

/// What of a table is made ahead, and what of it is kept.
struct Plan {
    table: &'static Partitioned,
    ahead: Duration,
    old_before: Timestamp,
    most_rows: f64,
}

/// In the order in which they are done. Definitions go after the dispatches that need them.
fn plans(now: Timestamp) -> [Plan; 5] {
    let plan = |table, ahead, old_before| Plan {
        table,
        ahead,
        old_before,
        most_rows: f64::INFINITY,
    };
    let dispatches = now.minus(DISPATCH_RETENTION);
    let cards = MAX_LIFETIME + AHEAD;
    [
        plan(&queue::CHUNKS, CHUNKS_AHEAD, now.minus(CHUNK_RETENTION)),
        plan(&dispatches::DISPATCHES, cards, dispatches),
        plan(&beginning::DEFINITIONS, cards, dispatches),
        plan(&idempotency::KEYS, AHEAD, idempotency::old_before(now)),
        Plan {
            most_rows: calls::MAX_ROWS,
            ..plan(&calls::LOG, AHEAD, now.minus(calls::KEPT))
        },
    ]
}

/// What pruning keeps in order of one table, for those who look whether it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::postgres) struct Upkeep {
    pub(in crate::postgres) table: &'static str,
    /// Partitions that are there unless nobody has pruned for half of the time that they are made
    /// ahead.
    pub(in crate::postgres) wanted: Vec<String>,
    /// Those with names before this are gone, unless something in them is not over.
    pub(in crate::postgres) oldest: String,
}

/// The upkeep of every partitioned table as of `now`, with that much patience for what is over.
pub(in crate::postgres) fn upkeep(now: Timestamp, patience: Duration) -> Vec<Upkeep> {
    plans(now)
        .iter()
        .map(|plan| {
            let until = now.plus(plan.ahead.saturating_sub(plan.ahead.min(AHEAD) / 2));
            let wanted = plan.table.period.between(now, until);
            Upkeep {
                table: plan.table.table,
                wanted: wanted.iter().map(|first| plan.table.name(*first)).collect(),
                oldest: plan
                    .table
                    .name(plan.table.period.of(plan.old_before.minus(patience))),
            }
        })
        .collect()
}

/// Makes partitions ahead and drops those that are over. What fails does not keep the rest from
/// being done; the first failure is returned.
pub(super) async fn prune(pool: &Pool, now: Timestamp) -> Result<()> {
    let session = pool.maintenance(STATEMENT, LOCK).await?;
    let alone = session.first(&ALONE, &[]).await?;
    if !alone.is_some_and(|row| get(&row, "alone").unwrap_or(false)) {
        return Ok(());
    }
    let mut done = vec![idempotency::forget(&session, now).await];
    for plan in plans(now) {
        done.push(make_ahead(&session, &plan, now).await.map(drop));
    }
    for plan in plans(now) {
        done.push(retire(&session, &plan, now.day()).await);
    }
    done.push(session.first(&ALONE_NO_MORE, &[]).await.map(drop));
    done.into_iter().collect()
}

/// Makes the partitions that pruning would make, and drops nothing. Returns how many were missing.
pub(super) async fn prepare(pool: &Pool, now: Timestamp) -> Result<usize> {
    let session = pool.maintenance(STATEMENT, TURNS).await?;
    let mut made = 0;
    for plan in plans(now) {
        made += make_ahead(&session, &plan, now).await?;
    }
    Ok(made)
}

async fn make_ahead(session: &Session, plan: &Plan, now: Timestamp) -> Result<usize> {
    let wanted = plan.table.period.between(now, now.plus(plan.ahead));
    undone(session, plan.table.make(session, &wanted).await).await
}

async fn retire(session: &Session, plan: &Plan, today: Day) -> Result<()> {
    let retention = Retention {
        old_before: plan.old_before,
        most_rows: plan.most_rows,
        untouched: today,
    };
    let retired = plan.table.retire(session, &retention, LOCK).await;
    undone(session, retired).await
}

/// Ends the transaction that a failure has left open, so that the session can go on.
async fn undone<T>(session: &Session, done: Result<T>) -> Result<T> {
    if done.is_err() {
        // The first failure says more than another.
        let _ = session.roll_back().await;
    }
    done
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
