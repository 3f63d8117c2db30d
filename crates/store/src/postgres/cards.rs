//! The card store on PostgreSQL: one card database.
//!
//! Cards, states and events of one period of expiry lie in tables of their own (layout `cohorts`),
//! which are read by name and dropped as a whole; an existing unpartitioned table (layout `flat`) is
//! served by the same statements. Which tables there are is in [`cohorts`]; where a user's rows are,
//! in [`owner`].

mod attempt;
mod attributes;
mod card_events;
mod cohorts;
mod contents;
mod counts;
mod erase;
mod filter;
mod flat;
mod hot_reads;
mod numbers;
mod own;
mod owner;
mod plans;
mod quarters;
mod read;
mod readers;
mod receipts;
mod recorder;
mod scan;
mod slots;
mod states;
mod store;
mod tables;
mod user_events;
mod users;
mod write;

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::cohort::Cohort;
use corkboard_core::slot::SlotRange;
use corkboard_core::time::Timestamp;

use super::PgOptions;
use super::migrate::Schema;
use super::pool::Pool;
use super::watch::Finding;
use crate::error::Result;
use cohorts::Cohorts;
use contents::Contents;
use counts::Lanes;
use numbers::Numbers;
use quarters::Quarters;
use readers::Readers;
use recorder::Recorder;

pub use cohorts::CohortSet;
pub use plans::Plan;
pub use tables::CardLayout;

pub(super) const COHORTS: Schema = Schema {
    name: "cards",
    rival: Some("cards, flat"),
    migrations: &[
        include_str!("schema/cards_0001.sql"),
        include_str!("schema/cards_0002_cohorts.sql"),
        include_str!("schema/cards_0003.sql"),
        include_str!("schema/cards_0004.sql"),
    ],
};
pub(super) const FLAT: Schema = Schema {
    name: "cards, flat",
    rival: Some("cards"),
    migrations: &[
        include_str!("schema/cards_0001.sql"),
        include_str!("schema/cards_0002_flat.sql"),
        include_str!("schema/cards_0003.sql"),
        include_str!("schema/cards_0004.sql"),
    ],
};

/// What all operations on one card database share.
#[derive(Debug)]
struct CardDatabase {
    pool: Pool,
    cohorts: Cohorts,
    contents: Contents,
    numbers: Numbers,
    quarters: Quarters,
    lanes: Lanes,
    cards_sql: read::CardsSql,
}

/// One card database.
#[derive(Debug)]
pub struct PgCardStore {
    name: String,
    database: Arc<CardDatabase>,
    recorder: Recorder,
    readers: Readers,
}

impl PgCardStore {
    /// Connects to the database at `url`, which `name` stands for in what is logged and reported.
    /// Fails when it cannot be reached. Call within a Tokio runtime.
    pub async fn connect(
        name: &str,
        url: &str,
        layout: CardLayout,
        options: &PgOptions,
    ) -> Result<Self> {
        let pool = Pool::new(url, options)?;
        pool.warm().await?;
        let database = Arc::new(CardDatabase {
            cohorts: Cohorts::new(layout, pool.clone()),
            pool,
            contents: Contents::default(),
            numbers: Numbers::default(),
            quarters: Quarters::default(),
            lanes: Lanes::default(),
            cards_sql: read::CardsSql::default(),
        });
        Ok(Self {
            name: name.to_owned(),
            recorder: Recorder::start(Arc::clone(&database)),
            readers: Readers::start(&database, options),
            database,
        })
    }

    /// What the configuration calls this database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Brings the schema to this program's version. Returns the version before and after.
    pub async fn migrate(&self) -> Result<(u32, u32)> {
        self.schema().migrate(&self.database.pool).await
    }

    /// Fails unless the schema is this program's and reports are being recorded.
    pub async fn check(&self) -> Result<()> {
        let session = self.database.pool.session().await?;
        self.schema().check(&self.database.pool, &session).await?;
        if self.recorder.is_running() {
            return Ok(());
        }
        Err(crate::StoreError::Overloaded)
    }

    /// Makes these the slots whose users the database has, for good. Fails with `OtherSlots` when it
    /// has others.
    pub async fn claim_slots(&self, slots: SlotRange) -> Result<()> {
        slots::claim(&self.database, slots).await
    }

    /// Makes every cohort that a dispatch of the next 14 days may need, far ahead of the first card.
    /// Returns the new ones.
    pub async fn premake_cohorts(&self, now: Timestamp) -> Result<Vec<Cohort>> {
        self.database.cohorts.premake(now).await
    }

    /// Which cohorts take cards, and how long the set will do: every database must have the same.
    pub async fn cohort_set(&self, now: Timestamp) -> Result<CohortSet> {
        self.database.cohorts.set(now).await
    }

    /// For how long no dispatch will find its cohort missing, if none is made: more than `enough` as
    /// far as this process knows already, or what the database says.
    pub async fn cohort_headroom(&self, now: Timestamp, enough: Duration) -> Result<Duration> {
        self.database.cohorts.headroom(now, enough).await
    }

    /// How the database runs the statements that are run often, by name; those of cohorts as they
    /// run over these.
    pub async fn plans(&self, cohorts: &[Cohort]) -> Result<Vec<Plan>> {
        plans::of(&self.database, cohorts).await
    }

    /// Runs the reads of the hot paths for a user who exists, and says what each cost and whether
    /// that is too much.
    pub async fn explain_reads(&self, now: Timestamp) -> Result<Vec<Finding>> {
        hot_reads::explain(&self.database, now).await
    }

    /// Finishes what is under way and closes the connections.
    pub fn close(&self) {
        self.database.pool.close();
    }

    fn schema(&self) -> &'static Schema {
        match self.database.cohorts.layout {
            CardLayout::Cohorts => &COHORTS,
            CardLayout::Flat => &FLAT,
        }
    }
}
