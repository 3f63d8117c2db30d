//! Opening the two stores that the configuration names, and closing them again.

mod embedded;
mod postgres;

use std::sync::Arc;

use corkboard_config::{Config, StoreConfig, StoreKind};
use corkboard_feed::{FeedTier, VoidingCardStore};
use corkboard_store::postgres::{PgCardStore, PgControlStore, PgOptions};
use corkboard_store::{CardStore, ControlStore};

use crate::exit::Outcome;
use crate::settings;

use embedded::Embedded;
use embedded::NAME as EMBEDDED;
pub(crate) use embedded::folder as embedded_folder;
pub(crate) use postgres::{CONTROL, Databases, card_layout, describe_metrics, named, options};

/// Both stores, open. Clones are the same stores.
#[derive(Debug, Clone)]
pub(crate) struct Stores {
    pub(crate) cards: Arc<dyn CardStore>,
    pub(crate) control: Arc<dyn ControlStore>,
    open: Open,
}

#[derive(Debug, Clone)]
enum Open {
    Embedded(Embedded),
    Postgres(Databases),
}

impl Stores {
    /// Opens what is configured. An embedded store is brought up to date, belongs to one process,
    /// and fails at once when a node has it. PostgreSQL databases must be reachable, all of them,
    /// and have the schemas of this program: `corkboard migrate` sees to that, a node does not.
    pub(crate) async fn open(config: &StoreConfig) -> Outcome<Self> {
        Self::with(config, options(config.connections)).await
    }

    /// The same for a node, which reads feeds: as many at a time as its configuration says.
    pub(crate) async fn serving(config: &Config) -> Outcome<Self> {
        let options = PgOptions {
            reads: config.cache.reads,
            read_wait: config.cache.read_wait,
            read_line: settings::most_at_once(config),
            ..options(config.store.connections)
        };
        Self::with(&config.store, options).await
    }

    async fn with(config: &StoreConfig, options: PgOptions) -> Outcome<Self> {
        match &config.kind {
            StoreKind::Sqlite { path } => {
                let embedded = Embedded::open(path).await?;
                Ok(Self {
                    cards: embedded.cards(),
                    control: embedded.control(),
                    open: Open::Embedded(embedded),
                })
            }
            StoreKind::Postgres { control, databases } => {
                let databases = Databases::connect(control, databases, &options).await?;
                if let Err(failure) = databases.check().await {
                    databases.close();
                    return Err(failure);
                }
                Ok(Self {
                    cards: databases.routed()?,
                    control: databases.control(),
                    open: Open::Postgres(databases),
                })
            }
        }
    }

    /// The same stores, with writes to cards that void the feeds' tiers.
    pub(crate) fn voiding(self, tier: &FeedTier) -> Self {
        let cards = VoidingCardStore::new(self.cards, tier.clone());
        Self {
            cards: Arc::new(cards),
            ..self
        }
    }

    /// The card databases one by one, as an operator and the keeper see them.
    pub(crate) fn card_databases(&self) -> Vec<CardDatabase> {
        match &self.open {
            Open::Embedded(embedded) => vec![CardDatabase {
                name: EMBEDDED.to_owned(),
                cards: embedded.cards(),
            }],
            Open::Postgres(databases) => databases.apart(),
        }
    }

    /// The same in PostgreSQL; none when the store is embedded.
    pub(crate) fn postgres(&self) -> &[Arc<PgCardStore>] {
        match &self.open {
            Open::Embedded(_) => &[],
            Open::Postgres(databases) => &databases.cards,
        }
    }

    /// Finishes what was accepted and closes files and connections: those of cards before those of
    /// control, which the work on cards refers to.
    pub(crate) async fn close(&self) {
        match &self.open {
            Open::Embedded(embedded) => embedded.close().await,
            Open::Postgres(databases) => databases.close(),
        }
    }
}

/// One card database.
#[derive(Debug, Clone)]
pub(crate) struct CardDatabase {
    /// As the configuration calls it.
    pub(crate) name: String,
    pub(crate) cards: Arc<dyn CardStore>,
}

/// The control store alone, open: what tenants and keys need.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) store: Arc<dyn ControlStore>,
    open: OpenControl,
}

#[derive(Debug)]
enum OpenControl {
    Embedded(Embedded),
    Postgres(PgControlStore),
}

impl Control {
    /// Opens it as [`Stores::open`] does.
    pub(crate) async fn open(config: &StoreConfig) -> Outcome<Self> {
        match &config.kind {
            StoreKind::Sqlite { path } => {
                let embedded = Embedded::open(path).await?;
                Ok(Self {
                    store: embedded.control(),
                    open: OpenControl::Embedded(embedded),
                })
            }
            StoreKind::Postgres { control, .. } => {
                let control = postgres::control(control, config.connections).await?;
                Ok(Self {
                    store: Arc::new(control.clone()),
                    open: OpenControl::Postgres(control),
                })
            }
        }
    }

    pub(crate) async fn close(&self) {
        match &self.open {
            OpenControl::Embedded(embedded) => embedded.close().await,
            OpenControl::Postgres(control) => control.close(),
        }
    }
}
