//! The embedded store: files in one folder, of one process.

use std::path::Path;
use std::sync::Arc;

use corkboard_config::{StoreConfig, StoreKind};
use corkboard_store::sqlite::{SqliteCardStore, SqliteControlStore, SqliteOptions};
use corkboard_store::{CardStore, ControlStore};

use crate::exit::{Failure, Outcome};

/// What the embedded store is called where databases are listed.
pub(crate) const NAME: &str = "embedded";

/// Both of its halves, open.
#[derive(Debug, Clone)]
pub(super) struct Embedded {
    cards: Arc<SqliteCardStore>,
    control: Arc<SqliteControlStore>,
}

impl Embedded {
    pub(super) async fn open(folder: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::Unavailable(format!(
                "the store's folder {} cannot be made: {error}",
                folder.display()
            ))
        })?;
        let options = SqliteOptions::default();
        let control = Arc::new(SqliteControlStore::open(folder, &options)?);
        match SqliteCardStore::open(folder, &options) {
            Ok(cards) => Ok(Self {
                cards: Arc::new(cards),
                control,
            }),
            Err(error) => {
                control.close().await;
                Err(error.into())
            }
        }
    }

    pub(super) fn cards(&self) -> Arc<dyn CardStore> {
        Arc::clone(&self.cards) as Arc<dyn CardStore>
    }

    pub(super) fn control(&self) -> Arc<dyn ControlStore> {
        Arc::clone(&self.control) as Arc<dyn ControlStore>
    }

    pub(super) async fn close(&self) {
        self.cards.close().await;
        self.control.close().await;
    }
}

/// The folder of the embedded store, if that is the one that is configured.
pub(crate) fn folder(config: &StoreConfig) -> Option<&Path> {
    match &config.kind {
        StoreKind::Sqlite { path } => Some(path),
        StoreKind::Postgres { .. } => None,
    }
}
