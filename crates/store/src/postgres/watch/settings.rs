//! Settings of the server: those that durability rests on, those that keep ids from running out,
//! and the ones that are too small by default.

use std::collections::BTreeMap;

use super::finding::{Finding, or_ok, short};
use super::only;
use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

/// What `pg_settings` says for our role in this database, in the units of that view.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    pub(super) values: BTreeMap<String, String>,
    /// Connections that clients have now, of all roles.
    pub connections: u32,
    /// Most connections of our role; `None` when there is no limit of its own.
    pub role_limit: Option<u32>,
    /// Most connections to this database; `None` when there is no limit of its own.
    pub database_limit: Option<u32>,
}

/// Nothing that was acknowledged may be lost: setting, what it must be, what it means if it is not.
const DURABILITY: [(&str, &[&str], &str); 4] = [
    (
        "fsync",
        &["on"],
        "a crash of the host can destroy the database",
    ),
    (
        "full_page_writes",
        &["on"],
        "a crash of the host can tear pages",
    ),
    (
        "synchronous_commit",
        &["on", "remote_apply", "remote_write", "local"],
        "what was acknowledged can be lost in a crash",
    ),
    // After a failed fsync the kernel may have thrown the pages away; trying again says they are safe.
    (
        "data_sync_retry",
        &["off"],
        "pages that could not be written count as written",
    ),
];

const READ: &[&str] = &[
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "data_sync_retry",
    "autovacuum",
    "track_counts",
    "autovacuum_freeze_max_age",
    "autovacuum_multixact_freeze_max_age",
    "vacuum_failsafe_age",
    "max_locks_per_transaction",
    "max_connections",
    "superuser_reserved_connections",
    "zero_damaged_pages",
    "ignore_checksum_failure",
];

/// Beyond this, the failsafe and the end are too near to sleep well.
pub(super) const LARGEST_FREEZE_AGE: u32 = 1_400_000_000;

const SETTINGS: Statement = Statement::new(
    "read settings",
    "SELECT name, setting FROM pg_settings WHERE name = ANY($1)",
);
const CONNECTIONS: Statement = Statement::new(
    "count connections",
    "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS open,
            (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role_limit,
            (SELECT datconnlimit FROM pg_database WHERE datname = current_database())
                AS database_limit",
);

impl Settings {
    pub(super) async fn read(session: &Session) -> Result<Self> {
        let mut values = BTreeMap::new();
        for row in session.all(&SETTINGS, &[&READ]).await? {
            values.insert(get(&row, "name")?, get(&row, "setting")?);
        }
        let row = only(session, &CONNECTIONS).await?;
        let open: i64 = get(&row, "open")?;
        let limit = |column| get::<i32>(&row, column).map(|limit| u32::try_from(limit).ok());
        Ok(Self {
            values,
            connections: u32::try_from(open).unwrap_or(u32::MAX),
            role_limit: limit("role_limit")?,
            database_limit: limit("database_limit")?,
        })
    }

    fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// A number, or zero when the server does not have the setting.
    pub(super) fn number(&self, name: &str) -> u32 {
        self.text(name).parse().unwrap_or(0)
    }

    pub(super) fn judge_durability(&self) -> Vec<Finding> {
        const NAME: &str = "durability";
        let mut wrong = Vec::new();
        for (setting, wanted, otherwise) in DURABILITY {
            let found = self.text(setting);
            if !wanted.contains(&found) {
                wrong.push(Finding::fail(
                    NAME,
                    format!("{setting} is {found}: {otherwise}"),
                    format!("set {setting} = {}", wanted.first().unwrap_or(&"on")),
                ));
            }
        }
        for setting in ["zero_damaged_pages", "ignore_checksum_failure"] {
            if self.text(setting) == "on" {
                wrong.push(Finding::fail(
                    NAME,
                    format!("{setting} is on: damage goes unnoticed"),
                    format!("set {setting} = off"),
                ));
            }
        }
        or_ok(wrong, || {
            let commit = self.text("synchronous_commit");
            Finding::ok(
                NAME,
                format!("fsync and full_page_writes are on, commits are {commit}"),
            )
        })
    }

    /// `ids_in_a_life`: ids used while the longest-lived cohort exists, if the rate is known.
    pub(super) fn judge_vacuum(&self, ids_in_a_life: Option<u64>) -> Vec<Finding> {
        const NAME: &str = "autovacuum";
        let mut wrong = Vec::new();
        for setting in ["autovacuum", "track_counts"] {
            if self.text(setting) != "on" {
                wrong.push(Finding::fail(
                    NAME,
                    format!(
                        "{setting} is {}: nothing freezes old rows in time",
                        self.text(setting)
                    ),
                    format!("set {setting} = on"),
                ));
            }
        }
        let freeze = self.number("autovacuum_freeze_max_age");
        if freeze > LARGEST_FREEZE_AGE {
            wrong.push(Finding::warn(
                NAME,
                format!(
                    "autovacuum_freeze_max_age is {}, close to the end",
                    short(freeze.into())
                ),
                "set it to 1200000000 or less",
            ));
        }
        let failsafe = self.number("vacuum_failsafe_age");
        if failsafe < freeze {
            wrong.push(Finding::warn(
                NAME,
                format!(
                    "vacuum_failsafe_age ({}) is below autovacuum_freeze_max_age ({})",
                    short(failsafe.into()),
                    short(freeze.into())
                ),
                "set vacuum_failsafe_age = 1600000000",
            ));
        }
        if let Some(ids) = ids_in_a_life.filter(|ids| *ids > u64::from(freeze)) {
            wrong.push(Finding::warn(
                NAME,
                format!(
                    "{} ids are used while a cohort lives, autovacuum_freeze_max_age is {}: \
                     cohorts are rewritten shortly before they are dropped",
                    short(ids),
                    short(freeze.into())
                ),
                "raise it, to 1200000000 at most, and put more cards into each transaction",
            ));
        }
        or_ok(wrong, || {
            Finding::ok(
                NAME,
                format!("on, freezes at an age of {}", short(freeze.into())),
            )
        })
    }

    /// `leaves`: partitions that one statement may lock, each with one index.
    pub(super) fn judge_locks(&self, leaves: usize) -> Finding {
        const NAME: &str = "locks";
        let found = self.number("max_locks_per_transaction");
        // Twice what one statement over all of them takes: the table, its leaves, their indexes.
        let leaves = u32::try_from(leaves).unwrap_or(u32::MAX);
        let wanted = leaves.saturating_mul(2).saturating_add(1).saturating_mul(2);
        let what = format!(
            "max_locks_per_transaction is {found}, {wanted} wanted for {leaves} partitions"
        );
        if found < wanted {
            let remedy = format!(
                "set max_locks_per_transaction = {}",
                wanted.next_power_of_two()
            );
            return Finding::warn(NAME, what, format!("{remedy} and restart the server"));
        }
        Finding::ok(NAME, what)
    }

    /// `pool`: connections that one node may open.
    pub(super) fn judge_connections(&self, pool: usize) -> Finding {
        const NAME: &str = "connections";
        let pool = u32::try_from(pool).unwrap_or(u32::MAX);
        let server = self
            .number("max_connections")
            .saturating_sub(self.number("superuser_reserved_connections"));
        let most = [self.role_limit, self.database_limit]
            .into_iter()
            .flatten()
            .fold(server, u32::min);
        let open = self.connections;
        let what = format!("{open} open of {most}, a node opens up to {pool}");
        let remedy = "raise max_connections (or the limit of the role or database), or lower the \
                      pool of the nodes";
        if pool > most {
            Finding::fail(NAME, what, remedy)
        } else if pool > most / 2 || open > most / 5 * 4 {
            Finding::warn(NAME, format!("{what}: too few for a second node"), remedy)
        } else {
            Finding::ok(NAME, what)
        }
    }
}
