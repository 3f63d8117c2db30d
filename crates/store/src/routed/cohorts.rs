//! Cohorts, which every database has for itself: made in all, listed and retired as one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corkboard_core::cohort::Cohort;
use corkboard_core::time::Timestamp;
use futures_util::future::{join_all, try_join_all};

use super::routes::Routes;
use crate::card_store::{CardStore, CohortInfo, RetiredCohort};
use crate::error::{Result, StoreError};

/// Most cohorts remembered.
const MAX_ENSURED: usize = 256;

/// Cohorts that every database is known to have, or to have had.
#[derive(Debug, Default)]
pub(super) struct Ensured(Mutex<BTreeSet<Cohort>>);

impl Ensured {
    /// A cohort that only some databases have would be made anew by the others after it was retired.
    /// A database that cannot be asked is asked again by the next batch.
    pub(super) async fn everywhere(&self, routes: &Routes, cohort: Cohort) -> Result<()> {
        if self.known().contains(&cohort) {
            return Ok(());
        }
        if ask_everyone_for(routes, cohort).await? {
            let mut known = self.known();
            if known.len() >= MAX_ENSURED {
                known.clear();
            }
            known.insert(cohort);
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<Cohort>> {
        // Only inserted into.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether every database has the cohort now. Those that are away keep nobody from the others;
/// fails when all are.
pub(super) async fn ask_everyone_for(routes: &Routes, cohort: Cohort) -> Result<bool> {
    let ensured = join_all(routes.all().map(|one| one.ensure_cohort(cohort))).await;
    let failures: Vec<_> = ensured.into_iter().filter_map(Result::err).collect();
    let is_gone = |error: &StoreError| matches!(error, StoreError::NoSuchCohort(_));
    if failures.iter().any(is_gone) {
        return Err(StoreError::NoSuchCohort(cohort));
    }
    if failures.len() == routes.all().len() {
        return failures.into_iter().next().map_or(Ok(false), Err);
    }
    Ok(failures.is_empty())
}

/// In every database that can be reached, also when another cannot.
pub(super) async fn prepare(routes: &Routes, now: Timestamp, horizon: Duration) -> Result<u32> {
    let made = routes.all().map(|one| one.prepare_cohorts(now, horizon));
    join_all(made).await.into_iter().sum()
}

/// Each cohort once, oldest first, with what it has in all databases.
pub(super) async fn list(routes: &Routes) -> Result<Vec<CohortInfo>> {
    let lists = try_join_all(routes.all().map(CardStore::list_cohorts)).await?;
    let mut cohorts: BTreeMap<(Timestamp, Cohort), CohortInfo> = BTreeMap::new();
    for info in lists.into_iter().flatten() {
        let key = (info.cohort.ends_at(), info.cohort);
        let sum = cohorts.entry(key).or_insert(CohortInfo {
            cohort: info.cohort,
            used: false,
            rows: 0,
            bytes: 0,
        });
        sum.used |= info.used;
        sum.rows += info.rows;
        sum.bytes += info.bytes;
    }
    Ok(cohorts.into_values().collect())
}

/// One database after the other: retiring is never urgent.
pub(super) async fn retire(
    routes: &Routes,
    now: Timestamp,
    grace: Duration,
    dry_run: bool,
) -> Result<Vec<RetiredCohort>> {
    let mut retired: BTreeMap<(Timestamp, Cohort), u64> = BTreeMap::new();
    for database in routes.all() {
        for one in database.retire_cohorts(now, grace, dry_run).await? {
            let key = (one.cohort.ends_at(), one.cohort);
            *retired.entry(key).or_default() += one.bytes;
        }
    }
    let retired = retired
        .into_iter()
        .map(|((_, cohort), bytes)| RetiredCohort { cohort, bytes });
    Ok(retired.collect())
}
