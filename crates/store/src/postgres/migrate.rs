//! Schema versions: numbered migrations, each run once, in a transaction that also moves the
//! version on. Nodes that start together take turns.

use std::time::Duration;

use super::lock::{Lock, Protects};
use super::pool::Pool;
use super::session::Session;
use super::statement::Statement;
use super::values::get;
use crate::error::{Result, StoreError};

/// A schema of ours. Several may share one database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema {
    /// What it is called in the table of versions.
    pub(super) name: &'static str,
    /// The schema that has tables of the same names, so that one database cannot have both.
    pub(super) rival: Option<&'static str>,
    /// In order; a database's version is how many it has seen.
    pub(super) migrations: &'static [&'static str],
}

/// Longest wait for another node's migration.
const TURN: Duration = Duration::from_secs(60);
/// A migration may rewrite a table.
const UNLIMITED: Duration = Duration::ZERO;

const VERSIONS: &str = "
    CREATE TABLE IF NOT EXISTS schema_version (
        schema     text        NOT NULL PRIMARY KEY,
        version    integer     NOT NULL,
        changed_at timestamptz NOT NULL DEFAULT now()
    )";
const HAS_VERSIONS: Statement = Statement::new(
    "look for schema versions",
    "SELECT 1 WHERE to_regclass('schema_version') IS NOT NULL",
);
const VERSION: Statement = Statement::new(
    "read schema version",
    "SELECT version FROM schema_version WHERE schema = $1",
);
const MOVE_ON: Statement = Statement::new(
    "move schema version on",
    "INSERT INTO schema_version (schema, version) VALUES ($1, $2)
     ON CONFLICT (schema) DO UPDATE SET version = excluded.version, changed_at = now()",
);

impl Schema {
    fn known(&self) -> u32 {
        u32::try_from(self.migrations.len()).unwrap_or(u32::MAX)
    }

    /// Runs the migrations that the database has not seen. Returns its version before and after.
    pub(super) async fn migrate(&self, pool: &Pool) -> Result<(u32, u32)> {
        let session = pool.maintenance(UNLIMITED, TURN).await?;
        session.begin_holding(Lock::only(Protects::Schema)).await?;
        session.run("create schema versions", VERSIONS).await?;
        let found = self.version(&session).await?;
        self.refuse_rival(pool, &session).await?;
        self.refuse_newer(pool, found)?;
        for (version, migration) in (1_u32..).zip(self.migrations).skip(found as usize) {
            session.run(self.name, migration).await?;
            let version = i32::try_from(version).unwrap_or(i32::MAX);
            session.change(&MOVE_ON, &[&self.name, &version]).await?;
        }
        session.commit().await?;
        if found < self.known() {
            let (schema, to) = (self.name, self.known());
            tracing::info!(place = %pool.place(), schema, from = found, to, "schema migrated");
        }
        Ok((found, self.known()))
    }

    /// Fails unless the database has exactly the schema that this program knows.
    pub(super) async fn check(&self, pool: &Pool, session: &Session) -> Result<()> {
        let found = match session.first(&HAS_VERSIONS, &[]).await? {
            Some(_) => {
                self.refuse_rival(pool, session).await?;
                self.version(session).await?
            }
            None => 0,
        };
        self.refuse_newer(pool, found)?;
        if found < self.known() {
            return Err(StoreError::SchemaTooOld {
                place: pool.place().to_string(),
                found,
                known: self.known(),
            });
        }
        Ok(())
    }

    async fn refuse_rival(&self, pool: &Pool, session: &Session) -> Result<()> {
        let Some(rival) = self.rival else {
            return Ok(());
        };
        if session.first(&VERSION, &[&rival]).await?.is_none() {
            return Ok(());
        }
        Err(StoreError::OtherSchema {
            place: pool.place().to_string(),
            found: rival,
            wanted: self.name,
        })
    }

    async fn version(&self, session: &Session) -> Result<u32> {
        let Some(row) = session.first(&VERSION, &[&self.name]).await? else {
            return Ok(0);
        };
        let version: i32 = get(&row, "version")?;
        Ok(u32::try_from(version).unwrap_or(0))
    }

    fn refuse_newer(&self, pool: &Pool, found: u32) -> Result<()> {
        if found <= self.known() {
            return Ok(());
        }
        Err(StoreError::SchemaTooNew {
            place: pool.place().to_string(),
            found,
            known: self.known(),
        })
    }
}
