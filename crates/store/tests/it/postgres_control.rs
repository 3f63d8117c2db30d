//! The control store on PostgreSQL: its harness, and what only a database of many nodes can show.

mod cost;
mod faults;
mod leases;
mod plans;
mod retention;
mod schema;
mod sharing;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use corkboard_store::ControlStore;
use corkboard_store::postgres::{PgControlStore, PgOptions};
use corkboard_testkit::{PgDatabase, PgServer};
use tokio::sync::OnceCell;

use crate::control::Harness;

/// A database of its own, made when it is first opened.
pub(crate) struct Postgres {
    database: OnceCell<PgDatabase>,
}

impl Postgres {
    pub(crate) fn new() -> Self {
        Self {
            database: OnceCell::new(),
        }
    }

    async fn database(&self) -> &PgDatabase {
        let make = || async { PgServer::shared().await.database().await };
        self.database.get_or_init(make).await
    }

    /// The store itself, migrated.
    async fn store(&self) -> PgControlStore {
        // The suite sends fifty callers at once at a machine that compiles beside it. That they
        // are refused in time is tested by itself.
        let patient = PgOptions {
            acquire: Duration::from_secs(20),
            ..PgOptions::default()
        };
        migrated(self.database().await.url(), &patient).await
    }
}

async fn migrated(url: &str, options: &PgOptions) -> PgControlStore {
    let store = PgControlStore::connect(url, options).await;
    let store = store.expect("the server is up");
    store.migrate().await.expect("a schema");
    store
}

#[async_trait]
impl Harness for Postgres {
    async fn open(&self) -> Arc<dyn ControlStore> {
        Arc::new(self.store().await)
    }
}
