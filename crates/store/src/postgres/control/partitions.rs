//! Tables that grow with what is sent, partitioned by time: a day or a month (of UTC) is dropped
//! whole, and nothing is ever deleted row by row.
//!
//! Partitions are made ahead while pruning, and by whoever finds one missing. Making one is `CREATE
//! TABLE … LIKE` and `ATTACH`, which block nobody. Dropping them is in [`retire`].

pub(super) mod retire;

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

/// Most partitions of a table that one caller makes because it found them missing.
const MOST_AT_ONCE: usize = 8;
/// For the few statements here that lock a partition's parent.
const STATEMENT: Duration = Duration::from_secs(30);
const LOCK: Duration = Duration::from_secs(1);

/// How much time a partition covers. A partition is known by its first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    Day,
    Month,
}

impl Period {
    /// The first day of the period that a time lies in.
    pub(super) fn of(self, time: Timestamp) -> Day {
        match self {
            Self::Day => time.day(),
            Self::Month => {
                let month = time.to_jiff().strftime("%Y-%m").to_string();
                first_day(&month, "01").unwrap_or_else(|| time.day())
            }
        }
    }

    /// The first day of the next period.
    fn next(self, first: Day) -> Day {
        let days = match self {
            Self::Day => 1,
            // In every month, the day after its 31st is in the next one.
            Self::Month => 31,
        };
        self.of(Day::from_number(first.number().saturating_add(days)).start())
    }

    /// Those that a time between the two may lie in.
    pub(super) fn between(self, from: Timestamp, to: Timestamp) -> BTreeSet<Day> {
        let (mut periods, mut next) = (BTreeSet::new(), self.of(from));
        while next.start() <= to {
            periods.insert(next);
            next = self.next(next);
        }
        periods
    }

    /// As in the names of partitions.
    fn suffix(self, first: Day) -> String {
        let format = match self {
            Self::Day => "%Y%m%d",
            Self::Month => "%Y%m",
        };
        first.start().to_jiff().strftime(format).to_string()
    }

    fn parse(self, suffix: &str) -> Option<Day> {
        let (year, rest) = suffix.split_at_checked(4)?;
        let (month, day) = rest.split_at_checked(2)?;
        let day = match (self, day) {
            (Self::Day, day) => day,
            (Self::Month, "") => "01",
            (Self::Month, _) => return None,
        };
        first_day(&format!("{year}-{month}"), day)
    }
}

fn first_day(month: &str, day: &str) -> Option<Day> {
    let start: Timestamp = format!("{month}-{day}T00:00:00Z").parse().ok()?;
    Some(start.day())
}

/// A partitioned table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Partitioned {
    pub(super) table: &'static str,
    pub(super) period: Period,
    /// Storage parameters of its partitions.
    pub(super) storage: &'static str,
    /// A partition must stay, however old, as long as it has a row that satisfies one of these. In
    /// all of them `$1` is the time before which rows are old.
    pub(super) needed: &'static [&'static str],
}

/// A partition, or what is left of one.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    name: String,
    first: Day,
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
       AND c.relkind = 'r' AND c.relname ~ ('^' || $1 || '_([0-9]{6}|[0-9]{8})$')
     ORDER BY c.relname",
);

impl Partitioned {
    pub(super) fn name(&self, first: Day) -> String {
        format!("{}_{}", self.table, self.period.suffix(first))
    }

    /// The first day of a partition's period, by its name.
    fn first(&self, name: &str) -> Option<Day> {
        let suffix = name.strip_prefix(self.table)?.strip_prefix('_')?;
        self.period.parse(suffix)
    }

    async fn parts(&self, session: &Session) -> Result<Vec<Part>> {
        let rows = session.all(&PARTS, &[&self.table]).await?;
        let parts = rows.iter().map(|row| {
            let name: String = get(row, "name")?;
            Ok(self.first(&name).map(|first| Part {
                first,
                attached: get(row, "attached").unwrap_or(false),
                pending: get(row, "pending").unwrap_or(false),
                rows: get(row, "rows").unwrap_or(0.0),
                name,
            }))
        });
        parts.filter_map(Result::transpose).collect()
    }

    /// Makes the partitions of these periods that are missing. For a caller that could not insert.
    /// Of those that come at once, one makes them.
    pub(super) async fn make_missing(
        &self,
        pool: &Pool,
        turn: &Mutex<()>,
        periods: &BTreeSet<Day>,
    ) -> Result<()> {
        if periods.len() > MOST_AT_ONCE {
            return Err(StoreError::Overloaded);
        }
        let waited = timeout_at(Instant::now() + LOCK, turn.lock()).await;
        let _turn = waited.map_err(|_| StoreError::Overloaded)?;
        let there = self.attached(&pool.session().await?).await?;
        if periods.is_subset(&there) {
            return Ok(());
        }
        let session = pool.maintenance(STATEMENT, LOCK).await?;
        self.make(&session, periods).await.map(drop)
    }

    /// The same, one at a time: a failure keeps what was made before it. Returns how many were made.
    pub(super) async fn make(&self, session: &Session, periods: &BTreeSet<Day>) -> Result<usize> {
        let there = self.attached(session).await?;
        let mut made = 0;
        for first in periods.difference(&there) {
            made += usize::from(self.make_one(session, *first).await?);
        }
        Ok(made)
    }

    /// The first day of the oldest partition.
    pub(super) async fn oldest(&self, session: &Session) -> Result<Option<Day>> {
        Ok(self.attached(session).await?.first().copied())
    }

    async fn attached(&self, session: &Session) -> Result<BTreeSet<Day>> {
        let parts = self.parts(session).await?.into_iter();
        let attached = parts.filter(|part| part.attached);
        Ok(attached.map(|part| part.first).collect())
    }

    /// Whether it was missing.
    async fn make_one(&self, session: &Session, first: Day) -> Result<bool> {
        let (table, name) = (self.table, self.name(first));
        session
            .begin_holding(Lock::only(Protects::ControlPartitions))
            .await?;
        let parts = self.parts(session).await?;
        let there = parts.iter().find(|part| part.first == first);
        if there.is_some_and(|part| part.attached) {
            session.roll_back().await?;
            return Ok(false);
        }
        let create = match there {
            // On its way out, and wanted again: what it has may be needed with the rest.
            Some(_) if !self.needed.is_empty() => String::new(),
            // What is detached was dropped as far as anybody can see.
            _ => format!(
                "DROP TABLE IF EXISTS {name};
                 CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS) WITH ({});",
                self.storage
            ),
        };
        let sql = format!("{create} {}", self.attach(&name, first));
        session.run("make partition", &sql).await?;
        session.commit().await?;
        tracing::info!(partition = name, "partition made");
        Ok(true)
    }

    fn attach(&self, name: &str, first: Day) -> String {
        let (from, to) = (first.start(), self.period.next(first).start());
        let table = self.table;
        format!(
            "ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}')"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        let start: Timestamp = format!("{text}T00:00:00Z").parse().unwrap();
        start.day()
    }

    #[test]
    fn a_partition_is_known_by_its_name() {
        let table = |table, period| Partitioned {
            table,
            period,
            storage: "",
            needed: &[],
        };
        let call = table("call", Period::Day);
        assert_eq!(call.name(day("2026-11-21")), "call_20261121");
        assert_eq!(call.first("call_20261121"), Some(day("2026-11-21")));
        for other in ["call_202611", "call_20261321", "calls_20261121", "call"] {
            assert_eq!(call.first(other), None, "{other}");
        }
        let dispatch = table("dispatch", Period::Month);
        assert_eq!(dispatch.name(day("2026-11-01")), "dispatch_202611");
        assert_eq!(dispatch.first("dispatch_202611"), Some(day("2026-11-01")));
        for other in ["dispatch_20261101", "dispatch_202613", "dispatch_2026"] {
            assert_eq!(dispatch.first(other), None, "{other}");
        }
    }

    #[test]
    fn periods_follow_each_other_without_a_gap() {
        let (from, to) = (day("2027-12-31").start(), day("2028-03-01").start());
        let months: Vec<Day> = Period::Month.between(from, to).into_iter().collect();
        let expected = ["2027-12-01", "2028-01-01", "2028-02-01", "2028-03-01"];
        assert_eq!(months, expected.map(day));
        assert_eq!(Period::Day.between(from, to).len(), 62);
        assert_eq!(
            Period::Month.of(to.minus(Duration::from_micros(1))),
            day("2028-02-01")
        );
    }
}
