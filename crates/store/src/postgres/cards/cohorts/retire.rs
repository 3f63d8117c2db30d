//! Retiring a cohort: keep its counts, then drop everything at once. The cost does not depend on
//! how many cards there are, and nobody waits longer than a lock time-out.
//!
//! The steps, each a transaction of its own and each found again after a crash:
//! 1. finish detaching what an interrupted pass left half detached;
//! 2. copy the counts to `retired_count`, drop the small tables that only writers and counters use,
//!    and mark the cohort: who names one of those tables from now on looks again;
//! 3. detach the three partitions without blocking anybody (`CONCURRENTLY` waits for the
//!    transactions that use the parent, instead of making them wait);
//! 4. drop the three tables together.
//!
//! How many cards each dispatch has written stays for as long as dispatches are asked about.

use std::time::Duration;

use corkboard_core::cohort::Cohort;
use corkboard_core::time::Timestamp;

use super::create::{NEXT_VERSION, PARTITIONS};
use super::{Cohorts, State};
use crate::card_store::RetiredCohort;
use crate::error::{Result, StoreError};
use crate::postgres::cards::attempt::{self, Attempt, Stop, random};
use crate::postgres::cards::tables::CardLayout;
use crate::postgres::cards::{flat, tables};
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

/// Longest wait for a lock that makes others wait behind us.
const LOCK: Duration = Duration::from_millis(100);
/// Longest wait for the transactions that use a parent while a partition is detached; none of them
/// waits for us meanwhile.
const DETACH: Duration = Duration::from_secs(20);
const STATEMENT: Duration = Duration::from_secs(60);
/// How often a lock is tried for, and the pauses in between, doubled up to 32 times.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);
/// How long it is remembered what a dispatch has written, after its cohort's end.
const WRITTEN_MEMORY: Duration = Duration::from_secs(90 * 86_400);

const PENDING: Statement = Statement::new(
    "find half detached partitions",
    "SELECT i.inhparent::regclass::text AS parent, i.inhrelid::regclass::text AS part \
     FROM pg_inherits i WHERE i.inhdetachpending \
     AND i.inhparent IN ('card'::regclass, 'card_state'::regclass, 'card_event'::regclass, \
     'receipt'::regclass)",
);
const ATTACHED: Statement = Statement::new(
    "is partition attached",
    "SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass($1)",
);
const MARK: Statement = Statement::new(
    "mark cohort",
    "UPDATE cohort SET state = $2 WHERE cohort_no = $1 AND state < $2",
);
pub(in crate::postgres::cards) const FOLD: &str = "INSERT INTO retired_count \
     SELECT campaign_no, cohort_no, variant, day, sum(sent), sum(impressions), sum(unique_impressions), \
     sum(clicks), sum(unique_clicks), sum(dismissals), sum(unique_dismissals) \
     FROM card_count@ WHERE cohort_no = $1 GROUP BY campaign_no, cohort_no, variant, day";

impl Cohorts {
    /// Retires what ended more than `grace` before `now`, oldest first. A cohort that somebody holds
    /// on to is left for the next pass.
    pub(in crate::postgres::cards) async fn retire(
        &self,
        now: Timestamp,
        grace: Duration,
        dry_run: bool,
    ) -> Result<Vec<RetiredCohort>> {
        let _one = self.retiring.lock().await;
        let known = self.look_again().await?;
        let mut past: Vec<(Cohort, State)> = known
            .all
            .iter()
            .filter(|(cohort, state)| **state <= State::Dropping && cohort.is_past(now, grace))
            .map(|(cohort, state)| (*cohort, *state))
            .collect();
        past.sort_by_key(|(cohort, _)| (cohort.ends_at(), *cohort));
        if dry_run {
            return self.would_retire(&past).await;
        }
        let keeper = self.pool.maintenance(STATEMENT, LOCK).await?;
        let key = Protects::Keeper as i32;
        // Held by the connection, over several transactions. The one before us may be on its way out.
        let alone = format!("SELECT pg_advisory_lock({key}, 0)");
        match patiently(&keeper, "be the only keeper", &alone).await {
            Ok(()) => {}
            Err(Stop::Failed(StoreError::Overloaded)) => {
                tracing::info!(place = %self.pool.place(), "another process retires cohorts");
                return Ok(Vec::new());
            }
            Err(stop) => return Err(stop.into_error()),
        }
        if self.layout == CardLayout::Cohorts {
            self.finalize(&keeper).await?;
        }
        let mut retired = Vec::with_capacity(past.len());
        for (cohort, state) in past {
            match self.retire_one(&keeper, cohort, state).await {
                Ok(bytes) => {
                    tracing::info!(place = %self.pool.place(), %cohort, bytes, "cohort retired");
                    retired.push(RetiredCohort { cohort, bytes });
                }
                Err(Stop::Failed(StoreError::Overloaded)) | Err(Stop::Again) => {
                    tracing::warn!(place = %self.pool.place(), %cohort, "cohort is held on to");
                }
                Err(stop) => return Err(stop.into_error()),
            }
        }
        self.look(&keeper).await?;
        let done = format!("SELECT pg_advisory_unlock({key}, 0)");
        keeper.run("retiring is done", &done).await?;
        Ok(retired)
    }

    async fn would_retire(&self, past: &[(Cohort, State)]) -> Result<Vec<RetiredCohort>> {
        let session = self.pool.session().await?;
        let mut would = Vec::with_capacity(past.len());
        for (cohort, _) in past {
            let size = self.size(&session, *cohort).await;
            let (_, bytes) = size.map_err(Stop::into_error)?;
            would.push(RetiredCohort {
                cohort: *cohort,
                bytes,
            });
        }
        Ok(would)
    }

    async fn retire_one(&self, keeper: &Session, cohort: Cohort, state: State) -> Attempt<u64> {
        let number = tables::stored(cohort)?;
        let (_, bytes) = self.size(keeper, cohort).await?;
        if self.layout == CardLayout::Flat {
            flat::delete(keeper, number).await?;
            return Ok(bytes);
        }
        if state < State::Dropping {
            let mut patience = Patience::default();
            while let Err(stop) = self.keep_counts(keeper, cohort, number).await {
                patience.after(stop).await?;
            }
        }
        for (parent, _, _) in PARTITIONS {
            let name = self.tables(cohort).name(parent);
            self.detach(keeper, parent, &name).await?;
        }
        let names = PARTITIONS.map(|(parent, _, _)| self.tables(cohort).name(parent));
        let drop = format!("DROP TABLE IF EXISTS {}", names.join(", "));
        patiently(keeper, "drop cohort", &drop).await?;
        keeper
            .change(&MARK, &[&number, &(State::Retired as i16)])
            .await?;
        Ok(bytes)
    }

    /// Step 2: from its commit on, the counts are in one place only, and the cohort takes no cards.
    async fn keep_counts(&self, keeper: &Session, cohort: Cohort, number: i16) -> Attempt<()> {
        let tables = self.tables(cohort);
        keeper.begin_holding(Lock::only(Protects::Cohorts)).await?;
        let alone = "LOCK TABLE card_count@, card_content@, card_fence@ IN ACCESS EXCLUSIVE MODE";
        let kept = async {
            attempt::run(keeper, "close cohort", &tables.sql(alone)).await?;
            attempt::change(keeper, "keep counts", &tables.sql(FOLD), &[&number]).await?;
            let drop = "DROP TABLE card_count@, card_content@, card_fence@";
            attempt::run(keeper, "drop counts", &tables.sql(drop)).await?;
            keeper
                .change(&MARK, &[&number, &(State::Dropping as i16)])
                .await?;
            keeper.change(&NEXT_VERSION, &[]).await?;
            keeper.commit().await?;
            Ok(())
        };
        let kept = kept.await;
        if kept.is_err() {
            keeper.roll_back().await?;
        }
        kept
    }

    /// Step 3 for one parent and its partition.
    pub(in crate::postgres::cards) async fn detach(
        &self,
        keeper: &Session,
        parent: &str,
        name: &str,
    ) -> Attempt<()> {
        if keeper.first(&ATTACHED, &[&name]).await?.is_none() {
            return Ok(());
        }
        let wait = DETACH.as_millis();
        let back = LOCK.as_millis();
        attempt::run(
            keeper,
            "allow a wait",
            &format!("SET lock_timeout = {wait}"),
        )
        .await?;
        let sql = format!("ALTER TABLE {parent} DETACH PARTITION {name} CONCURRENTLY");
        let detached = attempt::run(keeper, "detach cohort", &sql).await;
        attempt::run(
            keeper,
            "allow no wait",
            &format!("SET lock_timeout = {back}"),
        )
        .await?;
        detached
    }

    /// Step 1.
    pub(in crate::postgres::cards) async fn finalize(&self, keeper: &Session) -> Result<()> {
        for row in keeper.all(&PENDING, &[]).await? {
            let (parent, part): (&str, &str) = (get(&row, "parent")?, get(&row, "part")?);
            tracing::info!(place = %self.pool.place(), part, "finishing an interrupted detach");
            let sql = format!("ALTER TABLE {parent} DETACH PARTITION {part} FINALIZE");
            let finalized = patiently(keeper, "finalize", &sql).await;
            finalized.map_err(Stop::into_error)?;
        }
        Ok(())
    }

    /// Drops what is remembered of dispatches whose cohorts ended long ago.
    pub(in crate::postgres::cards) async fn forget_written(&self, now: Timestamp) -> Result<()> {
        let known = self.look_again().await?;
        let old = known.all.iter().filter(|(cohort, state)| {
            **state == State::Retired && cohort.is_past(now, WRITTEN_MEMORY)
        });
        let old: Vec<Cohort> = old.map(|(cohort, _)| *cohort).collect();
        if old.is_empty() {
            return Ok(());
        }
        let keeper = self.pool.maintenance(STATEMENT, LOCK).await?;
        for cohort in old {
            let number = tables::stored(cohort)?;
            keeper.begin_holding(Lock::only(Protects::Cohorts)).await?;
            match self.layout {
                CardLayout::Cohorts => {
                    let table = self.tables(cohort).name("card_written");
                    let sql = format!("DROP TABLE IF EXISTS {table}");
                    keeper.run("forget written", &sql).await?;
                }
                CardLayout::Flat => flat::forget_written(&keeper, number).await?,
            }
            keeper
                .change(&MARK, &[&number, &(State::Forgotten as i16)])
                .await?;
            keeper.change(&NEXT_VERSION, &[]).await?;
            keeper.commit().await?;
        }
        self.look(&keeper).await.map(drop)
    }
}

/// Tries again while a lock is held by others, with growing pauses of random length.
#[derive(Debug, Default)]
struct Patience {
    tried: u32,
}

impl Patience {
    /// Waits before the next try, unless what stopped the last one will not pass, or has lasted.
    async fn after(&mut self, stop: Stop) -> Attempt<()> {
        self.tried += 1;
        match stop {
            Stop::Failed(StoreError::Overloaded) | Stop::Again if self.tried < TRIES => {
                let longest = PAUSE * (1 << self.tried.min(5));
                tokio::time::sleep(longest.mul_f64(random())).await;
                Ok(())
            }
            stop => Err(stop),
        }
    }
}

async fn patiently(keeper: &Session, name: &'static str, sql: &str) -> Attempt<()> {
    let mut patience = Patience::default();
    while let Err(stop) = attempt::run(keeper, name, sql).await {
        patience.after(stop).await?;
    }
    Ok(())
}
