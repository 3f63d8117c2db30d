//! The watch over one database: ages and runway of transaction ids, who holds the horizon, cohorts,
//! settings, rights, clocks. It looks, judges, and says what to do; it changes nothing and uses no
//! transaction id.
//!
//! The watch has a connection of its own: one that had to queue with the traffic would be blind
//! when it is needed. [`DatabaseWatch::sample`] looks, [`DatabaseWatch::judge`] tells right from
//! wrong, and the history of the samples in between gives the rate at which ids are used.

mod ages;
mod burn;
mod control_tables;
mod finding;
mod horizon;
mod ids;
mod partitions;
pub(super) mod plans;
mod rights;
mod sample;
mod schema;
mod server;
mod settings;
#[cfg(test)]
mod tests;
mod together;

use std::time::Duration;

use corkboard_core::cohort::Width;
use corkboard_core::expiry::MAX_LIFETIME;
use corkboard_core::story::story;
use corkboard_core::time::SharedClock;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

pub use ages::{Age, Ages, TableAge};
pub use burn::{Burn, Rate, ids_left, runway_days};
pub use finding::{Finding, Severity};
pub use horizon::{Holder, HolderKind};
pub use partitions::{Layout, Partitions};
pub use rights::Rights;
pub use sample::Sample;
pub use server::Server;
pub use settings::Settings;
pub use together::judge_together;

use super::options::PgOptions;
use super::pool::Pool;
use super::session::{Params, Session};
use super::statement::Statement;
use super::{cards, control};
use crate::error::{Result, StoreError};

/// What a database is for, and what it must have for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub purpose: Purpose,
    /// Connections that one node may open to it.
    pub connections: usize,
    /// How long an expired cohort is kept.
    pub grace: Duration,
}

/// What a database is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Workspaces, campaigns, dispatches.
    Control,
    /// Users and their cards, in this layout.
    Cards(Layout),
}

impl Expected {
    /// From the first card of a cohort until the cohort is dropped.
    fn longest_life(&self) -> Duration {
        MAX_LIFETIME
            .saturating_add(Width::Month.duration())
            .saturating_add(self.grace)
    }
}

impl Purpose {
    /// The schema that belongs there, and the version that this program knows.
    fn schema(self) -> (&'static str, u32) {
        let schema = match self {
            Self::Control => control::SCHEMA,
            Self::Cards(Layout::Cohorts) => cards::COHORTS,
            Self::Cards(Layout::Flat) => cards::FLAT,
        };
        let known = u32::try_from(schema.migrations.len()).unwrap_or(u32::MAX);
        (schema.name, known)
    }
}

/// Looks at one database again and again.
#[derive(Debug)]
pub struct DatabaseWatch {
    name: String,
    expected: Expected,
    pool: Pool,
    clock: SharedClock,
    burn: Burn,
    /// Of the last sample: cluster and start of its history.
    system: Option<u64>,
}

impl DatabaseWatch {
    /// A watch over the database at `url` (`postgres://…`), which the configuration calls `name`.
    /// Connects when it first looks.
    pub fn new(name: &str, url: &str, expected: Expected, clock: SharedClock) -> Result<Self> {
        let options = PgOptions {
            connections: 1,
            warm: 1,
            acquire: Duration::from_secs(3),
            ..PgOptions::default()
        };
        Ok(Self {
            name: name.to_owned(),
            expected,
            pool: Pool::new(url, &options)?,
            clock,
            burn: Burn::default(),
            system: None,
        })
    }

    /// What the configuration calls the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the database is expected to be.
    #[must_use]
    pub fn expected(&self) -> &Expected {
        &self.expected
    }

    /// Looks at everything, and notes the next transaction id in the history.
    pub async fn sample(&mut self) -> Result<Sample> {
        let session = self.pool.session().await?;
        let sample = Sample::read(&session, &*self.clock).await?;
        if self.system != Some(sample.server.system) {
            self.burn.clear();
            self.system = Some(sample.server.system);
        }
        self.burn.record(sample.at, sample.ages.next);
        Ok(sample)
    }

    /// The rate at which ids are used: the worse of the last hour's and the last day's.
    #[must_use]
    pub fn rate(&self) -> Option<Rate> {
        self.burn.worst()
    }

    /// What the sample says, one finding at least for each thing that was looked at.
    #[must_use]
    pub fn judge(&self, sample: &Sample) -> Vec<Finding> {
        sample.judge(&self.expected, self.rate())
    }

    /// What a failed look means.
    #[must_use]
    pub fn judge_failure(&self, error: &StoreError) -> Finding {
        unusable(error, self.pool.place())
    }

    /// Closes the connection.
    pub fn close(&self) {
        self.pool.close();
    }
}

/// What is wrong when a database cannot even be looked at.
fn unusable(error: &StoreError, place: &str) -> Finding {
    const NAME: &str = "connection";
    let mut story = story(error);
    let mut cause = std::error::Error::source(error);
    let mut state = None;
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<tokio_postgres::Error>() {
            state = error.code().cloned();
        }
        cause = error.source();
    }
    let remedy = match &state {
        Some(state) if *state == SqlState::INVALID_CATALOG_NAME => {
            "create the database, or correct its name at the URL's end"
        }
        Some(state) if state.code().starts_with("28") => {
            "correct user and password in the URL, or pg_hba.conf on the server"
        }
        Some(state) if *state == SqlState::TOO_MANY_CONNECTIONS => {
            "raise max_connections, or lower the pools of the nodes"
        }
        Some(state) if *state == SqlState::INSUFFICIENT_PRIVILEGE => {
            "grant what is missing to the role: see docs/operations.md"
        }
        Some(_) => "see the server's log",
        None => "check host and port of the URL, that the server runs, and what is between",
    };
    if matches!(error, StoreError::Overloaded) {
        story = format!("{place} gave no connection in time");
    }
    Finding::fail(NAME, story, remedy)
}

/// The row of a statement that always has one.
pub(super) async fn only(session: &Session, statement: &Statement) -> Result<Row> {
    let none: Params<'_> = &[];
    only_row(session.all(statement, none).await?)
}

fn only_row(rows: Vec<Row>) -> Result<Row> {
    rows.into_iter().next().ok_or_else(|| StoreError::Corrupt {
        what: "answer",
        source: "it has no row".into(),
    })
}
