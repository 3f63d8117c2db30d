//! Opening the two stores that the configuration names, and closing them again.

use std::path::Path;
use std::sync::Arc;

use corkboard_config::{StoreConfig, StoreKind};
use corkboard_store::sqlite::{SqliteCardStore, SqliteControlStore, SqliteOptions};
use corkboard_store::{CardStore, ControlStore};

use crate::exit::{Failure, Outcome};

/// What the embedded store is called where databases are listed.
pub(crate) const EMBEDDED: &str = "embedded";

/// Both stores, open. Clones are the same stores.
#[derive(Debug, Clone)]
pub(crate) struct Stores {
    pub(crate) cards: Arc<dyn CardStore>,
    pub(crate) control: Arc<dyn ControlStore>,
    embedded: Embedded,
}

#[derive(Debug, Clone)]
struct Embedded {
    cards: Arc<SqliteCardStore>,
    control: Arc<SqliteControlStore>,
}

impl Stores {
    /// Opens what is configured, bringing schemas up to date. An embedded store belongs to one
    /// process: when a node has it, this fails at once and says so.
    pub(crate) async fn open(config: &StoreConfig) -> Outcome<Self> {
        let folder = embedded_folder(config)?;
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::Unavailable(format!(
                "the store's folder {} cannot be made: {error}",
                folder.display()
            ))
        })?;
        let options = SqliteOptions::default();
        let control = Arc::new(SqliteControlStore::open(folder, &options)?);
        let cards = match SqliteCardStore::open(folder, &options) {
            Ok(cards) => Arc::new(cards),
            Err(error) => {
                control.close().await;
                return Err(error.into());
            }
        };
        Ok(Self {
            cards: Arc::clone(&cards) as Arc<dyn CardStore>,
            control: Arc::clone(&control) as Arc<dyn ControlStore>,
            embedded: Embedded { cards, control },
        })
    }

    /// Finishes what was accepted and closes the files.
    pub(crate) async fn close(&self) {
        self.embedded.cards.close().await;
        self.embedded.control.close().await;
    }
}

/// The folder of the embedded store, the only kind that this build has.
pub(crate) fn embedded_folder(config: &StoreConfig) -> Outcome<&Path> {
    match &config.kind {
        StoreKind::Sqlite { path } => Ok(path),
        StoreKind::Postgres { .. } => Err(Failure::usage(
            "store.kind = \"postgres\": this build has the embedded store only; set it to \
             \"sqlite\" and store.path to a folder",
        )),
    }
}
