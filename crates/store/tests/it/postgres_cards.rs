//! The card store on PostgreSQL: its harnesses, and what only a database of many nodes can show.

mod cohorts;
mod crowd;
mod durability;
mod plans;
mod routed;
mod sharing;
mod side_tables;

use std::sync::Arc;

use async_trait::async_trait;
use corkboard_store::CardStore;
use corkboard_store::postgres::{CardLayout, PgCardStore, PgOptions};
use corkboard_store::routed::RoutedCardStore;
use corkboard_testkit::{PgDatabase, PgServer, PgSettings};
use tokio::sync::OnceCell;

use crate::cards::Harness;

/// Databases of its own, made when they are first opened.
pub(crate) struct Postgres {
    layout: CardLayout,
    /// Cards are spread over so many databases.
    databases: usize,
    made: OnceCell<Vec<PgDatabase>>,
}

impl Postgres {
    fn new(layout: CardLayout, databases: usize) -> Self {
        Self {
            layout,
            databases,
            made: OnceCell::new(),
        }
    }

    pub(crate) fn cohorts() -> Self {
        Self::new(CardLayout::Cohorts, 1)
    }

    pub(crate) fn flat() -> Self {
        Self::new(CardLayout::Flat, 1)
    }

    /// On a server of its own on which nothing else happens, so that what it counts is ours.
    async fn alone() -> Self {
        let settings = PgSettings::quick().with("autovacuum", "off");
        let server = Arc::new(PgServer::start(settings).await);
        let made = vec![server.database().await];
        Self {
            made: OnceCell::new_with(Some(made)),
            ..Self::cohorts()
        }
    }

    /// Three databases, one of them flat.
    pub(crate) fn routed() -> Self {
        Self::new(CardLayout::Cohorts, 3)
    }

    async fn made(&self) -> &[PgDatabase] {
        let make = || async {
            let server = PgServer::shared().await;
            let mut made = Vec::new();
            for _ in 0..self.databases {
                made.push(server.database().await);
            }
            made
        };
        self.made.get_or_init(make).await
    }

    /// The first database.
    async fn database(&self) -> &PgDatabase {
        &self.made().await[0]
    }

    /// The store of the first database itself, migrated.
    async fn store(&self) -> PgCardStore {
        migrated(self.database().await, self.layout).await
    }
}

async fn migrated(database: &PgDatabase, layout: CardLayout) -> PgCardStore {
    let name = database.name();
    let store = PgCardStore::connect(name, database.url(), layout, &options()).await;
    let store = store.expect("the server is up");
    store.migrate().await.expect("a schema");
    store
}

fn options() -> PgOptions {
    // Debug builds on busy machines: what is being tested is not how long it takes.
    PgOptions {
        acquire: std::time::Duration::from_secs(10),
        ..PgOptions::default()
    }
}

#[async_trait]
impl Harness for Postgres {
    async fn open(&self) -> Arc<dyn CardStore> {
        let mut stores: Vec<Arc<dyn CardStore>> = Vec::new();
        for (place, database) in self.made().await.iter().enumerate() {
            let layout = if place == 1 {
                CardLayout::Flat
            } else {
                self.layout
            };
            stores.push(Arc::new(migrated(database, layout).await));
        }
        match stores.len() {
            1 => stores.remove(0),
            _ => Arc::new(RoutedCardStore::even(stores).expect("a few databases")),
        }
    }

    /// Another process: the database is the same, nothing else is.
    async fn after_crash(&self) -> Arc<dyn CardStore> {
        self.open().await
    }
}
