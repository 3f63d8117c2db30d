//! A database with a number of live cohorts, some users to read, and cards of many others.

use corkboard_core::cohort::Cohort;
use corkboard_core::time::{Clock as _, SystemClock, Timestamp};
use corkboard_store::CardStore as _;
use corkboard_store::postgres::{CardLayout, PgCardStore};

use super::{CARDS, USERS};
use crate::cohort_cards::{Dispatch, user};
use crate::failure::{Failure, Result};
use crate::postgres::{Database, Postgres};
use crate::statistics::rounded;

const LAYOUT: CardLayout = CardLayout::Cohorts;
/// As the pool of a small node; the rounds use them in turn.
const CONNECTIONS: usize = 2;
/// Other users begin here; those that the product writes for itself begin at the second number.
const OTHER_USERS: usize = 1_000_000;
const BY_PRODUCT: std::ops::Range<usize> = 900_000_000..900_000_100;
/// One in so many other cards has a state.
const TOUCHED: usize = 5;

#[derive(Debug)]
pub(super) struct Library {
    pub(super) database: Database,
    pub(super) store: PgCardStore,
    pub(super) live: Vec<Cohort>,
    pub(super) other_cards: usize,
    pub(super) now: Timestamp,
}

/// What the server says about the statement that reads cards, for each execution.
#[derive(Debug)]
pub(super) struct Statistics {
    pub(super) buffers: f64,
    pub(super) execution_ms: f64,
    pub(super) planning_ms: f64,
    pub(super) plannings: u64,
    pub(super) executions: u64,
}

impl Library {
    pub(super) async fn load(postgres: &Postgres, live: usize, other_cards: usize) -> Result<Self> {
        let database = postgres.database().await?;
        let store = database.store(LAYOUT, CONNECTIONS, None).await?;
        let now = SystemClock.now();
        let mut cohorts = Vec::new();
        for number in 0..live {
            let ends = now.day().number() + 2 + i32::try_from(number).unwrap_or(0);
            let cohort = Cohort::from_number(2 * ends);
            cohorts.push(cohort.ok_or_else(|| Failure::unexpected("no such day"))?);
        }
        for (place, cohort) in cohorts.iter().enumerate() {
            let dispatch = Dispatch::to(*cohort);
            store.ensure_cohort(*cohort).await?;
            let first = BY_PRODUCT.map(user).collect::<Result<Vec<_>>>()?;
            dispatch.write(&store, first).await?;
            let own = (0..USERS).filter(|number| holds(live, *number, place));
            let others = OTHER_USERS..OTHER_USERS + other_cards / live;
            dispatch
                .copy(&database, LAYOUT, own.chain(others.clone()))
                .await?;
            dispatch
                .copy_states(&database, LAYOUT, others.step_by(TOUCHED))
                .await?;
        }
        database.run("VACUUM (ANALYZE)").await?;
        database.run("CHECKPOINT").await?;
        Ok(Self {
            database,
            store,
            live: cohorts,
            other_cards,
            now,
        })
    }

    /// After the server was started anew.
    pub(super) async fn reopen(&mut self) -> Result<()> {
        self.database.reconnect().await?;
        self.store.close();
        self.store = self.database.store(LAYOUT, CONNECTIONS, None).await?;
        Ok(())
    }

    /// What the server remembers of this database's statements, not of the others'.
    pub(super) async fn forget_statistics(&self) -> Result<()> {
        let sql = "SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database \
                   WHERE datname = current_database()";
        self.database.run(sql).await
    }

    pub(super) async fn statistics(&self) -> Result<Statistics> {
        const OF_READS: &str = "FROM pg_stat_statements WHERE query LIKE '%FROM cohort_set UNION ALL%' \
             AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let value = async |what: &str| -> Result<f64> {
            let text = self
                .database
                .text(&format!("SELECT {what} {OF_READS}"))
                .await?;
            let refuse = || Failure::unexpected("pg_stat_statements has not seen the reads");
            text.parse().map_err(|_| refuse())
        };
        let calls = value("sum(calls)").await?;
        let plannings = value("sum(plans)").await?;
        Ok(Statistics {
            buffers: rounded(value("sum(shared_blks_hit + shared_blks_read)").await? / calls),
            execution_ms: rounded(value("sum(total_exec_time)").await? / calls),
            planning_ms: rounded(value("sum(total_plan_time)").await? / plannings.max(1.0)),
            plannings: plannings as u64,
            executions: calls as u64,
        })
    }
}

/// Whether a user who is read has a card in the cohort at this place: three, far apart.
fn holds(live: usize, number: usize, place: usize) -> bool {
    (0..CARDS).any(|card| (number + card * live / CARDS) % live == place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_user_has_as_many_cards_as_wanted(live in 3_usize..100, number in 0_usize..100_000) {
            let places = (0..live).filter(|place| holds(live, number, *place)).count();
            prop_assert_eq!(places, CARDS);
        }
    }
}
