//! The card store on SQLite: `users.db` and one `cards-<cohort>.db` for each period of expiry.
//!
//! A transaction cannot span two files. What needs both is written as steps that may be repeated;
//! `write` and `erase` say in which order, and why.

mod card_events;
mod cohorts;
mod counts;
mod erase;
mod owner;
mod plans;
mod read;
mod receipts;
mod scan;
mod states;
mod store;
#[cfg(test)]
mod tests;
mod user_events;
mod users;
mod write;

use std::path::Path;

use corkboard_core::cohort::Cohort;

use super::database::{Database, Readers};
use super::failure;
use super::options::SqliteOptions;
use crate::error::Result;
use cohorts::Cohorts;

const MIGRATIONS: &[&str] = &[include_str!("schema/users_0001.sql")];

/// Users, events, cards, states and receipts in the files of one folder.
#[derive(Debug)]
pub struct SqliteCardStore {
    users: Database,
    cohorts: Cohorts,
    readers: Readers,
}

impl SqliteCardStore {
    /// Opens or creates the store in `folder`. Fails at once when another process has it open.
    /// Blocks on disk: for start-up.
    pub fn open(folder: &Path, options: &SqliteOptions) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| failure::unavailable(folder, error))?;
        let users = Database::open(&folder.join("users.db"), MIGRATIONS, options)?;
        let retired = users.read_here("read retired cohorts", counts::retired)?;
        let readers = users.readers().clone();
        let cohorts = Cohorts::find(folder, options, &readers, retired)?;
        Ok(Self {
            users,
            cohorts,
            readers,
        })
    }

    /// Finishes what was accepted and closes all files.
    pub async fn close(&self) {
        for file in self.cohorts.opened() {
            file.database.close().await;
        }
        self.users.close().await;
    }

    /// How SQLite runs the statements that are run often, by name; those of cohorts as they run in
    /// one of them.
    pub async fn plans(&self, cohort: Cohort) -> Result<Vec<(&'static str, Vec<String>)>> {
        let mut plans = self.users.read("explain", plans::of_users).await?;
        let file = self.cohorts.for_writing(cohort).await?;
        plans.extend(file.database.read("explain", plans::of_cohort).await?);
        Ok(plans)
    }

    /// How many transactions the open files have committed: for measurements.
    #[must_use]
    pub fn commits(&self) -> u64 {
        let files = self.cohorts.opened();
        let cards: u64 = files.iter().map(|file| file.database.commits()).sum();
        cards + self.users.commits()
    }
}
