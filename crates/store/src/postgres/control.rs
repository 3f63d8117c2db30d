//! The control store in one PostgreSQL database, shared by all nodes.
//!
//! Each method hands a connection to one function of this folder; a function is one operation, and
//! an operation is atomic: one statement, or one transaction. All SQL stands in constants beside
//! the function that runs it.

mod beginning;
mod calls;
mod campaigns;
mod chunks;
mod columns;
mod content_blocks;
mod credentials;
mod dispatches;
mod hot_reads;
pub(super) mod housekeeping;
mod idempotency;
mod leases;
mod live;
mod partitions;
mod plans;
mod queue;
mod sending;
mod stopping;
mod store;
mod tenancy;

use std::sync::Arc;

use corkboard_core::time::Timestamp;
use tokio::sync::Mutex;

use super::migrate::Schema;
use super::options::PgOptions;
use super::pool::Pool;
use crate::error::Result;

pub(super) const SCHEMA: Schema = Schema {
    name: "control",
    rival: None,
    migrations: &[
        include_str!("schema/control_0001.sql"),
        include_str!("schema/control_0002.sql"),
        include_str!("schema/control_0003.sql"),
    ],
};

/// Every statement here has an index, and partitions are now empty, now long: no statistic of the
/// past may talk the planner into reading one from end to end, or into sorting what its index has in
/// order. Each statement is planned once per connection: which partitions it needs shows when it
/// runs.
const PLANNER: &str = "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off \
                       -c enable_mergejoin=off -c enable_memoize=off \
                       -c plan_cache_mode=force_generic_plan";

/// Everything that is keyed by a workspace, in one database.
#[derive(Debug, Clone)]
pub struct PgControlStore {
    pool: Pool,
    /// Held by the caller that makes a missing partition.
    partitions: Arc<Mutex<()>>,
}

impl PgControlStore {
    /// Connects to the database at `url` (`postgres://…`). Its schema is not looked at: see
    /// [`check`](Self::check) and [`migrate`](Self::migrate).
    pub async fn connect(url: &str, options: &PgOptions) -> Result<Self> {
        let pool = Pool::with_settings(url, options, PLANNER)?;
        pool.warm().await?;
        Ok(Self {
            pool,
            partitions: Arc::default(),
        })
    }

    /// Creates the schema or brings it up to date; returns its version before and after. Nodes
    /// that do so at once take turns.
    pub async fn migrate(&self) -> Result<(u32, u32)> {
        SCHEMA.migrate(&self.pool).await
    }

    /// Makes the partitions of the next days and months ahead, as pruning does. Returns how many
    /// were missing.
    pub async fn premake_partitions(&self, now: Timestamp) -> Result<usize> {
        housekeeping::prepare(&self.pool, now).await
    }

    /// Fails unless the database has the schema of this program.
    pub async fn check(&self) -> Result<()> {
        SCHEMA.check(&self.pool, &self.pool.session().await?).await
    }

    /// How the server would run each statement that is run often: the statement's name, and the
    /// lines of its plan. Fails when the schema does not have what a statement names.
    pub async fn plans(&self) -> Result<Vec<(&'static str, Vec<String>)>> {
        plans::explain(&self.pool.session().await?).await
    }

    /// Closes the connections. Closing twice is harmless.
    pub fn close(&self) {
        self.pool.close();
    }
}
