//! The control store in one SQLite file, `control.db`.
//!
//! Each method hands one function of this folder to the writer or to a reader; a function is one
//! operation, and an operation is atomic. All SQL stands in constants beside the function that runs
//! it.

mod calls;
mod campaigns;
mod chunks;
mod columns;
mod content_blocks;
mod credentials;
mod dispatches;
mod housekeeping;
mod idempotency;
mod live;
mod plans;
mod query;
mod sending;
mod store;
mod tenancy;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::database::Database;
use super::options::SqliteOptions;
use crate::error::Result;

const MIGRATIONS: &[&str] = &[
    include_str!("schema/control_0001.sql"),
    include_str!("schema/control_0002.sql"),
    include_str!("schema/control_0003.sql"),
];

/// Everything that is keyed by a workspace, in one file of its own.
#[derive(Debug, Clone)]
pub struct SqliteControlStore {
    database: Database,
}

impl SqliteControlStore {
    /// Opens or creates `control.db` in a folder that exists. Blocks: for start-up.
    pub fn open(folder: &Path, options: &SqliteOptions) -> Result<Self> {
        let path = folder.join("control.db");
        let database = Database::open_and_recover(&path, MIGRATIONS, options, |connection| {
            idempotency::release_unanswered(connection)?;
            chunks::release_held(connection)
        })?;
        Ok(Self { database })
    }

    /// How SQLite would run each statement that is run often: the statement's name, and the steps
    /// of its plan. For the doctor, and for the test that keeps them from scanning.
    pub async fn plans(&self) -> Result<Vec<(&'static str, Vec<String>)>> {
        self.database.read("explain", plans::of_control).await
    }

    /// Finishes what was accepted and closes the file. Closing twice is harmless.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
