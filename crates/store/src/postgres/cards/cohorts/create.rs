//! Making a cohort's tables without getting in anybody's way.
//!
//! A table is made beside its parent, given the check that the parent will imply, attached (which
//! takes a lock that neither readers nor writers of the parent mind, and needs no scan because of
//! the check), and loses the check again.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use corkboard_core::cohort::Cohort;
use corkboard_core::time::{SECONDS_PER_DAY, Timestamp};

use super::{Cohorts, State};
use crate::error::{Result, StoreError};
use crate::postgres::cards::tables::{self, CardLayout};
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

const DAY: Duration = Duration::from_secs(SECONDS_PER_DAY as u64);
/// How far beyond the longest lifetime cohorts are made: so long may the keeper be away.
pub(super) const AHEAD: Duration = Duration::from_secs(14 * DAY.as_secs());
/// Most cohorts with tables. Those made ahead are about 33; the rest is for ended ones
/// that nobody has retired yet.
const MOST: usize = 96;
/// Longest wait for a lock on a parent, and for each statement.
pub(super) const LOCK: Duration = Duration::from_secs(2);
pub(super) const STATEMENT: Duration = Duration::from_secs(10);

pub(super) const STATE: Statement = Statement::new(
    "look for cohort",
    "SELECT (SELECT state FROM cohort WHERE cohort_no = $1) AS state, \
     (SELECT count(*) FROM cohort WHERE state < 3) AS cohorts",
);
const REGISTER: Statement = Statement::new(
    "register cohort",
    "INSERT INTO cohort (cohort_no, name, state) VALUES ($1, $2, 0)",
);
const USE: Statement = Statement::new(
    "use cohort",
    "UPDATE cohort SET state = 1 WHERE cohort_no = $1 AND state = 0",
);
pub(super) const NEXT_VERSION: Statement = Statement::new(
    "change cohorts",
    "UPDATE cohort_set SET version = version + 1",
);

/// What a cohort's partition of each parent needs besides its columns.
pub(super) const PARTITIONS: [(&str, &str, &str); 3] = [
    ("card", "slot, owner, content_no", ""),
    ("card_state", "slot, owner, card", " WITH (fillfactor = 70)"),
    ("card_event", "slot, owner, card, mark, at", ""),
];
/// Tables like their pattern, without a parent, and how full their pages are.
pub(super) const COPIES: [(&str, u8); 4] = [
    ("card_content", 100),
    ("card_count", 50),
    ("card_written", 70),
    ("card_fence", 70),
];

impl Cohorts {
    /// Makes sure that a cohort has tables. Fails when it was retired.
    pub(in crate::postgres::cards) async fn ensure(&self, cohort: Cohort) -> Result<()> {
        if let Some(state) = self.known().all.get(&cohort) {
            return if state.is_live() {
                Ok(())
            } else {
                Err(StoreError::NoSuchCohort(cohort))
            };
        }
        self.create(cohort).await?;
        self.look_again().await.map(drop)
    }

    /// Makes every cohort that a dispatch of the next 14 days may need. Returns the new ones.
    pub(in crate::postgres::cards) async fn premake(&self, now: Timestamp) -> Result<Vec<Cohort>> {
        let known = self.look_again().await?;
        let mut made = Vec::new();
        for cohort in needed(now) {
            if !known.all.contains_key(&cohort) && self.create(cohort).await? {
                made.push(cohort);
            }
        }
        self.restore_all().await?;
        self.look_again().await?;
        Ok(made)
    }

    /// One transaction, so that a cohort has all of its tables or none. Whether it was missing.
    pub(super) async fn create(&self, cohort: Cohort) -> Result<bool> {
        let number = tables::stored(cohort)?;
        let session = self.pool.maintenance(STATEMENT, LOCK).await?;
        session.begin_holding(Lock::only(Protects::Cohorts)).await?;
        let Some(row) = session.first(&STATE, &[&number]).await? else {
            return Ok(false);
        };
        let (state, cohorts): (Option<i16>, i64) = (get(&row, "state")?, get(&row, "cohorts")?);
        match state.map(State::from_stored) {
            Some(state) if state.is_live() => return Ok(false),
            Some(_) => return Err(StoreError::NoSuchCohort(cohort)),
            None if usize::try_from(cohorts).unwrap_or(MOST) >= MOST => {
                return Err(StoreError::TooManyCohorts { most: MOST });
            }
            None => {}
        }
        if self.layout == CardLayout::Cohorts {
            let sql = self.tables(cohort).sql(&create_sql(number));
            session.run("create cohort", &sql).await?;
        }
        let name = cohort.to_string();
        session.change(&REGISTER, &[&number, &name]).await?;
        session.change(&NEXT_VERSION, &[]).await?;
        session.commit().await?;
        tracing::info!(place = %self.pool.place(), %cohort, "cohort made");
        Ok(true)
    }

    /// From now on readers name the cohort's tables.
    pub(super) async fn mark_used(&self, cohort: Cohort) -> Result<()> {
        let number = tables::stored(cohort)?;
        let session = self.pool.session().await?;
        session.begin_holding(Lock::only(Protects::Cohorts)).await?;
        if session.change(&USE, &[&number]).await? > 0 {
            session.change(&NEXT_VERSION, &[]).await?;
        }
        session.commit().await
    }
}

/// Every cohort of a card whose dispatch is planned between `now` and 14 days later.
pub(super) fn needed(now: Timestamp) -> BTreeSet<Cohort> {
    let days = u32::try_from(AHEAD.as_secs() / DAY.as_secs()).unwrap_or(0);
    (0..=days)
        .flat_map(|day| Cohort::all_of(now.plus(DAY * day)))
        .collect()
}

fn create_sql(number: i16) -> String {
    let mut sql = PARTITIONS
        .map(|partition| partition_sql(partition, number))
        .concat();
    for (pattern, full) in COPIES {
        let _ = writeln!(
            sql,
            "CREATE TABLE {pattern}@ (LIKE {pattern} INCLUDING ALL) WITH (fillfactor = {full});"
        );
    }
    sql
}

pub(super) fn partition_sql((parent, key, with): (&str, &str, &str), number: i16) -> String {
    format!(
        "CREATE TABLE {parent}@ (LIKE {parent}){with};
         ALTER TABLE {parent}@ ADD PRIMARY KEY ({key}),
             ADD CONSTRAINT {parent}@_is CHECK (cohort_no = {number});
         ALTER TABLE {parent} ATTACH PARTITION {parent}@ FOR VALUES IN ({number});
         ALTER TABLE {parent}@ DROP CONSTRAINT {parent}@_is;\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_ahead_covers_every_dispatch_of_the_next_two_weeks() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let needed = needed(now);
        assert!(needed.len() <= 36, "{}", needed.len());
        let hour = Duration::from_secs(3_600);
        for hours in 0..14 * 24_u32 {
            let planned_at = now.plus(hours * hour);
            for life in [1, 24, 5 * 24, 5 * 24 + 1, 30 * 24, 36 * 24, 90 * 24_u32] {
                let cohort = Cohort::of(planned_at, planned_at.plus(life * hour));
                assert!(needed.contains(&cohort), "{planned_at} {life} h: {cohort}");
            }
        }
    }
}
