//! How old the oldest transaction and multixact ids are, and in which tables.
//!
//! Writes stop for a whole server when the oldest row of any of its databases is two thousand
//! million ids old, so the age that counts is that of the server's oldest database.

use tokio_postgres::Row;

use super::finding::short;
use super::only;
use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

/// Ages of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ages {
    /// The next transaction id, with its epoch.
    pub next: u64,
    /// The server's oldest database, by transaction ids.
    pub xid: Age,
    /// The server's oldest database, by multixact ids.
    pub mxid: Age,
    /// This database's.
    pub own: u32,
    /// The oldest tables of this database, TOAST included, oldest first.
    pub tables: Vec<TableAge>,
}

/// Something and its age in ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Age {
    pub name: String,
    pub ids: u32,
}

/// One table's ages, its TOAST table's if that is older.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableAge {
    pub name: String,
    pub xids: u32,
    pub mxids: u32,
    /// As of its last vacuum or analysis.
    pub bytes: u64,
}

const NEXT: Statement = Statement::new(
    "look at the next transaction id",
    // Looking does not move it; pg_current_xact_id() would.
    "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next",
);
const DATABASES: Statement = Statement::new(
    "read the ages of databases",
    "SELECT datname::text AS name, age(datfrozenxid) AS xids, mxid_age(datminmxid) AS mxids,
            datname = current_database() AS ours
     FROM pg_database",
);
const TABLES: Statement = Statement::new(
    "read the oldest tables",
    // Partitioned tables have no rows and no age. The size is an estimate that takes no lock.
    "SELECT c.oid::regclass::text AS name,
            greatest(age(c.relfrozenxid), age(t.relfrozenxid)) AS xids,
            greatest(mxid_age(c.relminmxid), mxid_age(t.relminmxid)) AS mxids,
            (c.relpages::bigint + coalesce(t.relpages, 0))
                * current_setting('block_size')::bigint AS bytes
     FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
     WHERE c.relkind IN ('r', 'm')
     ORDER BY xids DESC, mxids DESC, bytes DESC, name
     LIMIT 5",
);

impl Ages {
    pub(super) async fn read(session: &Session) -> Result<Self> {
        let next: i64 = get(&only(session, &NEXT).await?, "next")?;
        let mut ages = Self {
            next: next.cast_unsigned(),
            xid: Age::default(),
            mxid: Age::default(),
            own: 0,
            tables: Vec::new(),
        };
        for row in session.all(&DATABASES, &[]).await? {
            let name: String = get(&row, "name")?;
            let (xids, mxids) = (age(&row, "xids")?, age(&row, "mxids")?);
            if get(&row, "ours")? {
                ages.own = xids;
            }
            let own = |ids| Age {
                name: name.clone(),
                ids,
            };
            if ages.xid.name.is_empty() || xids > ages.xid.ids {
                ages.xid = own(xids);
            }
            if ages.mxid.name.is_empty() || mxids > ages.mxid.ids {
                ages.mxid = own(mxids);
            }
        }
        for row in session.all(&TABLES, &[]).await? {
            ages.tables.push(TableAge {
                name: get(&row, "name")?,
                xids: age(&row, "xids")?,
                mxids: age(&row, "mxids")?,
                bytes: u64::try_from(get::<i64>(&row, "bytes")?).unwrap_or(0),
            });
        }
        Ok(ages)
    }

    /// The oldest tables and their ages, for people.
    pub(super) fn oldest_tables(&self) -> String {
        let tables = self.tables.iter().take(3);
        let tables: Vec<String> = tables
            .map(|table| format!("{} ({})", table.name, short(table.xids.into())))
            .collect();
        tables.join(", ")
    }
}

/// `age()` is a signed number that is never negative for what is stored.
fn age(row: &Row, column: &str) -> Result<u32> {
    Ok(u32::try_from(get::<i32>(row, column)?).unwrap_or(0))
}
