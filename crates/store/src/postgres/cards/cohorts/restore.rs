//! Tables of a live cohort that are gone though nobody has retired it: somebody dropped them by hand.
//!
//! What they held is lost. Partitions are made again, loudly, so that what is written from now on is
//! not lost, too. The small tables beside them give numbers that rows elsewhere refer to: without
//! those a cohort takes nothing more, and says so by its name.

use corkboard_core::cohort::Cohort;

use super::Cohorts;
use super::create::{COPIES, LOCK, NEXT_VERSION, PARTITIONS, STATE, STATEMENT, partition_sql};
use crate::error::{Result, StoreError};
use crate::postgres::cards::cohorts::State;
use crate::postgres::cards::tables::{self, CardLayout};
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

const LOST: Statement = Statement::new(
    "find lost tables",
    "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL",
);

impl Cohorts {
    /// Looks at every live cohort. For the keeper: readers of a database that has lost a table are
    /// refused until somebody does this.
    pub(super) async fn restore_all(&self) -> Result<()> {
        if self.layout == CardLayout::Flat {
            return Ok(());
        }
        let known = self.look_again().await?;
        let live = known.all.iter().filter(|(_, state)| state.is_live());
        for (cohort, _) in live {
            let names = self.tables(*cohort);
            let names = PARTITIONS.map(|(parent, _, _)| names.name(parent)).to_vec();
            let session = self.pool.session().await?;
            let lost = session.first(&LOST, &[&names]).await?.is_some();
            // Not to hold one connection while waiting for another.
            drop(session);
            if lost {
                self.restore(*cohort).await?;
            }
        }
        Ok(())
    }

    /// Makes the partitions again that a cohort has lost. Fails with its name when it is not live, or
    /// has lost more than that.
    pub(in crate::postgres::cards) async fn restore(&self, cohort: Cohort) -> Result<()> {
        if self.layout == CardLayout::Flat {
            return Err(StoreError::NoSuchCohort(cohort));
        }
        let number = tables::stored(cohort)?;
        let names = self.tables(cohort);
        let session = self.pool.maintenance(STATEMENT, LOCK).await?;
        session.begin_holding(Lock::only(Protects::Cohorts)).await?;
        let row = session.first(&STATE, &[&number]).await?;
        let state: Option<i16> = row.as_ref().and_then(|row| get(row, "state").ok());
        if !state.map(State::from_stored).is_some_and(State::is_live) {
            return Err(StoreError::NoSuchCohort(cohort));
        }
        let small: Vec<String> = COPIES.iter().map(|(name, _)| names.name(name)).collect();
        if let Some(row) = session.first(&LOST, &[&small]).await? {
            let table: &str = get(&row, "name")?;
            tracing::error!(
                place = %self.pool.place(), %cohort, table,
                "a table of a live cohort is gone, and cannot be made up: restore it from a backup"
            );
            return Err(StoreError::NoSuchCohort(cohort));
        }
        for partition in PARTITIONS {
            let table = names.name(partition.0);
            if session.first(&LOST, &[&vec![&table]]).await?.is_some() {
                tracing::error!(
                    place = %self.pool.place(), %cohort, table,
                    "a table of a live cohort was dropped with its rows; it is made again, empty"
                );
                metrics::counter!("corkboard_store_tables_lost_total").increment(1);
                let sql = names.sql(&partition_sql(partition, number));
                session.run("restore table", &sql).await?;
            }
        }
        session.change(&NEXT_VERSION, &[]).await?;
        session.commit().await
    }
}
