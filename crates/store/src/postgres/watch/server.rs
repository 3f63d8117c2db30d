//! Which server this is, whether it can be written to, and whether its clock agrees with ours.

use std::time::Duration;

use corkboard_core::time::{Clock, Timestamp};
use tokio::time::Instant;

use super::finding::Finding;
use super::only;
use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{get, time};

/// PostgreSQL 15: `DETACH … CONCURRENTLY`, which retiring needs, and the views of this watch.
pub(super) const LEAST_VERSION: u32 = 150_000;
/// Nodes and databases decide with their own clocks what has expired and which lease has lapsed.
pub(super) const CLOCKS_DRIFT: Duration = Duration::from_secs(2);
/// Half a lease: another worker would take over work that is being done.
pub(super) const CLOCKS_DISAGREE: Duration = Duration::from_secs(30);

/// A database, as its server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// As in `150018`: 15.18.
    pub version: u32,
    /// Of the cluster's files; a copy has the same.
    pub system: u64,
    /// The database's number in the cluster.
    pub database: u32,
    /// A standby: it cannot be written to.
    pub in_recovery: bool,
    /// Transactions cannot write unless they ask for it.
    pub read_only: bool,
    pub encoding: String,
    /// The server's clock minus ours, in microseconds.
    pub clock_ahead_micros: i64,
    /// How long the question took: the clocks cannot be compared more closely.
    pub round_trip: Duration,
}

const SERVER: Statement = Statement::new(
    "identify the server",
    "SELECT clock_timestamp() AS now,
            current_setting('server_version_num')::bigint AS version,
            (SELECT system_identifier FROM pg_control_system()) AS system,
            (SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS database,
            pg_is_in_recovery() AS in_recovery,
            current_setting('default_transaction_read_only') = 'on' AS read_only,
            current_setting('server_encoding') AS encoding",
);

impl Server {
    pub(super) async fn read(session: &Session, clock: &dyn Clock) -> Result<Self> {
        // The first time includes preparing it; the second is one round trip.
        session.first(&SERVER, &[]).await?;
        let (before, begun) = (clock.now(), Instant::now());
        let row = only(session, &SERVER).await?;
        let (after, round_trip) = (clock.now(), begun.elapsed());
        let middle = before.plus(after.since(before) / 2);
        let theirs: Timestamp = time(&row, "now")?;
        Ok(Self {
            version: positive(get(&row, "version")?),
            system: get::<i64>(&row, "system")?.cast_unsigned(),
            database: positive(get(&row, "database")?),
            in_recovery: get(&row, "in_recovery")?,
            read_only: get(&row, "read_only")?,
            encoding: get(&row, "encoding")?,
            clock_ahead_micros: theirs.as_micros().saturating_sub(middle.as_micros()),
            round_trip,
        })
    }

    pub(super) fn judge(&self) -> Vec<Finding> {
        let mut findings = vec![self.judge_version(), self.judge_clock()];
        if self.in_recovery {
            findings.push(Finding::fail(
                "server",
                "a standby: it cannot be written to",
                "let the URL lead to the primary (target_session_attrs=read-write)",
            ));
        } else if self.read_only {
            findings.push(Finding::fail(
                "server",
                "default_transaction_read_only is on",
                "turn it off for this role and database: ALTER ROLE … RESET default_transaction_read_only",
            ));
        }
        if self.encoding != "UTF8" {
            findings.push(Finding::fail(
                "server",
                format!("the database's encoding is {}", self.encoding),
                "create it anew with ENCODING 'UTF8'",
            ));
        }
        findings
    }

    fn judge_version(&self) -> Finding {
        let (major, minor) = (self.version / 10_000, self.version % 10_000);
        let found = format!("PostgreSQL {major}.{minor}");
        if self.version < LEAST_VERSION {
            let least = LEAST_VERSION / 10_000;
            return Finding::fail(
                "version",
                format!("{found}, {least} or newer is needed"),
                format!("upgrade the server to PostgreSQL {least} or newer"),
            );
        }
        Finding::ok("version", found)
    }

    fn judge_clock(&self) -> Finding {
        let apart = Duration::from_micros(self.clock_ahead_micros.unsigned_abs());
        // The answer may have been given at either end of the round trip.
        let surely = apart.saturating_sub(self.round_trip / 2);
        let side = if self.clock_ahead_micros < 0 {
            "behind"
        } else {
            "ahead of"
        };
        let found = format!(
            "the database's clock is {:.1} s {side} this host's",
            apart.as_secs_f64()
        );
        let remedy = "synchronise both hosts with the same source (NTP), then restart this check";
        if surely > CLOCKS_DISAGREE {
            Finding::fail("clock", found, remedy)
        } else if surely > CLOCKS_DRIFT {
            Finding::warn("clock", found, remedy)
        } else {
            let apart = apart.max(self.round_trip / 2).as_millis();
            Finding::ok(
                "clock",
                format!("agrees with this host's within {apart} ms"),
            )
        }
    }
}

/// A number that the server does not give out negative.
fn positive(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
