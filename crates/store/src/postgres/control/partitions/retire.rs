//! Dropping partitions whose time is over, in steps that a later pass finds again wherever an
//! earlier one was cut off: finish half-done detaches, look, `DETACH … CONCURRENTLY`, look again,
//! `DROP`.
//!
//! The second look is the one that counts: nobody can write to a detached partition, so what it
//! does not show will not come. Should something have come between the two, the partition is
//! attached again.

use std::time::Duration;

use corkboard_core::time::{Day, Timestamp};
use tokio_postgres::types::ToSql;

use super::{Part, Partitioned};
use crate::error::Result;
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::session::Session;
use crate::postgres::values::{Time, get};

/// Detaching waits for the transactions that were there before it, and blocks none.
const DETACH: Duration = Duration::from_secs(30);

/// What of a table is to stay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::postgres::control) struct Retention {
    /// Rows before this are old.
    pub(in crate::postgres::control) old_before: Timestamp,
    /// The oldest partitions go as long as the table has more rows than this …
    pub(in crate::postgres::control) most_rows: f64,
    /// … though never one from this day on.
    pub(in crate::postgres::control) untouched: Day,
}

impl Partitioned {
    /// Drops the partitions that are old, unless something in them is needed. One caller at a time,
    /// with a lock time-out of `lock`, which is short.
    pub(in crate::postgres::control) async fn retire(
        &self,
        session: &Session,
        retention: &Retention,
        lock: Duration,
    ) -> Result<()> {
        let parts = self.parts(session).await?;
        for part in parts.iter().filter(|part| part.pending) {
            let sql = self.alter(part, "DETACH", "FINALIZE");
            session.run("finish detaching partition", &sql).await?;
        }
        let first_kept = self.period.of(retention.old_before);
        let mut rows: f64 = parts.iter().map(|part| part.rows).sum();
        for part in &parts {
            let surplus = rows > retention.most_rows && part.first < retention.untouched;
            let whole = part.attached && !part.pending;
            if whole && part.first >= first_kept && !surplus {
                continue;
            }
            if whole {
                if self.is_needed(session, part, retention).await? {
                    tracing::info!(
                        partition = part.name,
                        "a partition is old, and kept for what is not over in it"
                    );
                    continue;
                }
                self.detach(session, part, lock).await?;
            }
            self.drop_detached(session, part, retention).await?;
            rows -= part.rows;
        }
        Ok(())
    }

    fn alter(&self, part: &Part, what: &str, how: &str) -> String {
        format!(
            "ALTER TABLE {} {what} PARTITION {} {how}",
            self.table, part.name
        )
    }

    async fn detach(&self, session: &Session, part: &Part, lock: Duration) -> Result<()> {
        let wait = |time: Duration| format!("SET lock_timeout = {}", time.as_millis());
        session.run("set time-outs", &wait(DETACH)).await?;
        let sql = self.alter(part, "DETACH", "CONCURRENTLY");
        let detached = session.run("detach partition", &sql).await;
        session.run("set time-outs", &wait(lock)).await?;
        detached
    }

    /// Whether something in it is not old, or not over.
    async fn is_needed(
        &self,
        session: &Session,
        part: &Part,
        retention: &Retention,
    ) -> Result<bool> {
        let old_before = Time(retention.old_before);
        let params: [&(dyn ToSql + Sync); 1] = [&old_before];
        for condition in self.needed {
            let sql = format!(
                "SELECT EXISTS (SELECT FROM {} WHERE {condition} AND $1::timestamptz IS NOT NULL)",
                part.name
            );
            let looked = session.client().query_one(&sql, &params);
            let row = session.answer("look into partition", looked).await?;
            if get(&row, "exists")? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Under the lock of those who make partitions: they may want this one back.
    async fn drop_detached(
        &self,
        session: &Session,
        part: &Part,
        retention: &Retention,
    ) -> Result<()> {
        session
            .begin_holding(Lock::only(Protects::ControlPartitions))
            .await?;
        let now = self.parts(session).await?;
        let now = now.iter().find(|now| now.name == part.name);
        if now.is_none_or(|now| now.attached) {
            return session.roll_back().await;
        }
        let needed = self.is_needed(session, part, retention).await?;
        let sql = if needed {
            self.attach(&part.name, part.first)
        } else {
            format!("DROP TABLE {}", part.name)
        };
        session.run("drop partition", &sql).await?;
        session.commit().await?;
        if needed {
            let partition = &part.name;
            tracing::warn!(
                partition,
                "a partition is old, and was written to meanwhile"
            );
        } else {
            tracing::info!(partition = part.name, "partition dropped");
        }
        Ok(())
    }
}
