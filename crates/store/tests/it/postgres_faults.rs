//! The card store when something around it breaks: the disk, a whole database, a table, a worker, a
//! reader who never ends.

mod disk;
mod frozen;
mod lease;
mod missing_tables;
mod series;
mod slow_opening;
mod stuck_reader;
mod sync;

use std::sync::Arc;
use std::time::Duration;

use corkboard_store::postgres::{CardLayout, PgCardStore, PgOptions};
use corkboard_testkit::{PgDatabase, PgServer, PgSettings};

/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tests that repeat something do so this many times more often when more kills are asked for.
fn more_often() -> usize {
    let kills = std::env::var("CORKBOARD_KILLS").ok();
    let kills: usize = kills.and_then(|kills| kills.parse().ok()).unwrap_or(200);
    (kills / 200).max(1)
}

/// A database on a server of its own.
async fn alone(settings: PgSettings) -> (Arc<PgServer>, PgDatabase) {
    let server = Arc::new(PgServer::start(settings).await);
    let database = server.database().await;
    (server, database)
}

/// Opens a card database, migrated, as a node would.
async fn open(database: &PgDatabase) -> PgCardStore {
    let options = PgOptions::default();
    let store = PgCardStore::connect(
        database.name(),
        database.url(),
        CardLayout::Cohorts,
        &options,
    );
    let store = store.await.expect("the server is up");
    store.migrate().await.expect("a schema");
    store
}

/// A number that a statement returns.
async fn number(database: &PgDatabase, sql: &str) -> u64 {
    database.sql(sql).await.trim().parse().expect("a number")
}
