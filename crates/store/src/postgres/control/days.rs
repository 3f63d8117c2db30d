//! Tables that grow with what is sent, partitioned by day (of UTC): a day is dropped whole, and
//! nothing is ever deleted row by row.
//!
//! Partitions are made ahead while pruning, and by whoever finds one missing. Making one is `CREATE
//! TABLE … LIKE` and `ATTACH`, which block nobody; dropping one is `DETACH CONCURRENTLY`, then
//! `DROP`. Both happen in transactions of their own. A detach that was interrupted is finished
//! first: until then no other can begin.

use std::collections::BTreeSet;
use std::time::Duration;

use corkboard_core::time::{Day, Timestamp};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::error::{Result, StoreError};
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::pool::Pool;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

/// Most partitions that one caller makes because it found them missing.
const MOST_AT_ONCE: usize = 8;
/// For the few statements here that lock a partition's parent.
const STATEMENT: Duration = Duration::from_secs(30);
const LOCK: Duration = Duration::from_secs(1);

/// A table partitioned by day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Daily {
    pub(super) table: &'static str,
    /// Storage parameters of its partitions.
    pub(super) storage: &'static str,
}

/// A partition, or what is left of one.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    name: String,
    day: Day,
    attached: bool,
    /// A detach has begun and was not finished.
    pending: bool,
    /// As the planner last estimated.
    rows: f64,
}

/// `$1` names the table. Detached partitions are found by their names.
const PARTS: Statement = Statement::new(
    "list partitions",
    "SELECT c.relname::text AS name, i.inhrelid IS NOT NULL AS attached,
            coalesce(i.inhdetachpending, false) AS pending,
            greatest(c.reltuples, 0)::double precision AS rows
     FROM pg_class c
     LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
     WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass($1))
       AND c.relkind = 'r' AND c.relname ~ ('^' || $1 || '_[0-9]{8}$')
     ORDER BY c.relname",
);

impl Daily {
    fn name(&self, day: Day) -> String {
        let date = day.start().to_jiff().strftime("%Y%m%d").to_string();
        format!("{}_{date}", self.table)
    }

    /// The day of a partition's name.
    fn day(&self, name: &str) -> Option<Day> {
        let date = name.strip_prefix(self.table)?.strip_prefix('_')?;
        let (year, rest) = date.split_at_checked(4)?;
        let (month, day) = rest.split_at_checked(2)?;
        let start: Timestamp = format!("{year}-{month}-{day}T00:00:00Z").parse().ok()?;
        Some(start.day())
    }

    async fn parts(&self, session: &Session) -> Result<Vec<Part>> {
        let rows = session.all(&PARTS, &[&self.table]).await?;
        let parts = rows.iter().map(|row| {
            let name: String = get(row, "name")?;
            Ok(self.day(&name).map(|day| Part {
                day,
                attached: get(row, "attached").unwrap_or(false),
                pending: get(row, "pending").unwrap_or(false),
                rows: get(row, "rows").unwrap_or(0.0),
                name,
            }))
        });
        parts.filter_map(Result::transpose).collect()
    }

    /// Makes the partitions of these days that are missing. For a caller that could not insert.
    /// Of those that come at once, one makes them.
    pub(super) async fn make_missing(
        &self,
        pool: &Pool,
        turn: &Mutex<()>,
        days: &BTreeSet<Day>,
    ) -> Result<()> {
        if days.len() > MOST_AT_ONCE {
            return Err(StoreError::Overloaded);
        }
        let waited = timeout_at(Instant::now() + LOCK, turn.lock()).await;
        let _turn = waited.map_err(|_| StoreError::Overloaded)?;
        let there = self.attached(&pool.session().await?).await?;
        if days.is_subset(&there) {
            return Ok(());
        }
        let session = pool.maintenance(STATEMENT, LOCK).await?;
        self.make(&session, days).await
    }

    /// The same, a day at a time: a failure keeps what was made before it.
    pub(super) async fn make(&self, session: &Session, days: &BTreeSet<Day>) -> Result<()> {
        let there = self.attached(session).await?;
        for day in days.difference(&there) {
            self.make_one(session, *day).await?;
        }
        Ok(())
    }

    async fn attached(&self, session: &Session) -> Result<BTreeSet<Day>> {
        let parts = self.parts(session).await?.into_iter();
        let attached = parts.filter(|part| part.attached);
        Ok(attached.map(|part| part.day).collect())
    }

    async fn make_one(&self, session: &Session, day: Day) -> Result<()> {
        let (table, name) = (self.table, self.name(day));
        let next = Day::from_number(day.number() + 1);
        session
            .begin_holding(Lock::only(Protects::ControlPartitions))
            .await?;
        let parts = self.parts(session).await?;
        if parts.iter().any(|part| part.day == day && part.attached) {
            return session.roll_back().await;
        }
        // What is detached was dropped as far as anybody can see.
        let sql = format!(
            "DROP TABLE IF EXISTS {name};
             CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS) WITH ({storage});
             ALTER TABLE {table} ATTACH PARTITION {name}
             FOR VALUES FROM ('{from}') TO ('{to}')",
            storage = self.storage,
            from = day.start(),
            to = next.start(),
        );
        session.run("make partition", &sql).await?;
        session.commit().await?;
        tracing::info!(partition = name, "partition made");
        Ok(())
    }

    /// Drops the days before `first_kept`, and the oldest ones as long as there are more than
    /// `most_rows`, though never a day from `untouched` on. One caller at a time.
    pub(super) async fn drop_old(
        &self,
        session: &Session,
        first_kept: Day,
        untouched: Day,
        most_rows: f64,
    ) -> Result<()> {
        let parts = self.parts(session).await?;
        let table = self.table;
        for part in parts.iter().filter(|part| part.pending) {
            let sql = format!(
                "ALTER TABLE {table} DETACH PARTITION {} FINALIZE",
                part.name
            );
            session.run("finish detaching partition", &sql).await?;
        }
        let mut rows: f64 = parts.iter().map(|part| part.rows).sum();
        for part in &parts {
            let surplus = rows > most_rows && part.day.number() < untouched.number();
            if part.day.number() >= first_kept.number()
                && !surplus
                && !part.pending
                && part.attached
            {
                continue;
            }
            if part.attached && !part.pending {
                let sql = format!(
                    "ALTER TABLE {table} DETACH PARTITION {} CONCURRENTLY",
                    part.name
                );
                session.run("detach partition", &sql).await?;
            }
            let sql = format!("DROP TABLE IF EXISTS {}", part.name);
            session.run("drop partition", &sql).await?;
            rows -= part.rows;
            tracing::info!(partition = part.name, "partition dropped");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_known_by_its_name() {
        let call = Daily {
            table: "call",
            storage: "",
        };
        let day = Day::from_number(20_778);
        assert_eq!(call.name(day), "call_20261121");
        assert_eq!(call.day("call_20261121"), Some(day));
        for other in ["call_2026112", "call_20261321", "calls_20261121", "call"] {
            assert_eq!(call.day(other), None, "{other}");
        }
    }
}
