//! The keeper: makes cohorts ahead, drops those whose grace is over and forgets what is too old,
//! once a minute.
//!
//! One keeper at a time is active, by a lease in the control store; the others look again each
//! minute. Every step may be repeated, so a lease that passes on half-way harms nothing. Databases
//! are kept apart: what fails on one is told and counted, and the others are kept all the same.

mod sets;

use std::fmt;
use std::time::Duration;

use corkboard_core::story::story;
use corkboard_core::time::SharedClock;
use corkboard_store::StoreError;
use metrics::{counter, describe_counter};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::stores::{CONTROL, CardDatabase, Stores};
use sets::Sets;

const PERIOD: Duration = Duration::from_secs(60);
/// Three rounds: a keeper that is late keeps its lease, one that is gone is replaced soon.
const LEASE: Duration = Duration::from_secs(180);
/// Cohorts are made for dispatches this far ahead: should no keeper run, there is time to notice.
const HORIZON: Duration = Duration::from_secs(14 * 86_400);
/// A round that waits behind somebody's transaction is left at the shutdown; the next keeper finds
/// every step where it was left.
const LEAVE: Duration = Duration::from_secs(5);

/// One process' keeper.
pub(super) struct Keeper {
    stores: Stores,
    clock: SharedClock,
    /// How long an expired cohort is kept.
    grace: Duration,
    /// Under which name the lease is held.
    holder: String,
    sets: Sets,
}

/// Another keeper is active.
struct NotOurs;

impl Keeper {
    pub(super) fn new(stores: Stores, clock: SharedClock, grace: Duration, holder: String) -> Self {
        Self {
            stores,
            clock,
            grace,
            holder,
            sets: Sets::default(),
        }
    }

    /// Runs until `shutdown`; a round that has begun is given a little time to finish.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        describe();
        let mut tick = interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
            let round = self.round();
            tokio::pin!(round);
            tokio::select! {
                () = &mut round => {}
                () = shutdown.cancelled() => {
                    if timeout(LEAVE, round).await.is_err() {
                        tracing::info!("keeping house is left to the next keeper");
                    }
                    return;
                }
            }
        }
    }

    async fn round(&mut self) {
        // Apart from retiring: a failure there must not take the new cohorts with it.
        let databases = self.stores.card_databases();
        for database in &databases {
            if self.ours().await.is_err() {
                return;
            }
            self.prepare(database).await;
        }
        self.sets
            .compare(self.stores.postgres(), self.clock.now())
            .await;
        let sending = self.stores.control.sending_campaigns().await;
        let sending = told(CONTROL, "campaigns cannot be listed", sending);
        for database in &databases {
            if self.ours().await.is_err() {
                return;
            }
            self.retire(database).await;
            let forgotten = database.cards.prune(self.clock.now()).await;
            told(&database.name, "old records cannot be forgotten", forgotten);
            if let Some(sending) = &sending {
                let now = self.clock.now();
                let dropped = database.cards.retire_receipts(sending, now).await;
                told(&database.name, "old receipts cannot be dropped", dropped);
            }
        }
        let forgotten = self.stores.control.prune(self.clock.now()).await;
        told(CONTROL, "old records cannot be forgotten", forgotten);
    }

    /// Takes or renews the lease.
    async fn ours(&self) -> Result<(), NotOurs> {
        let now = self.clock.now();
        let control = &self.stores.control;
        let held = control.hold_lease("keeper", &self.holder, now, LEASE).await;
        match told(CONTROL, "the keeper's lease cannot be had", held) {
            Some(true) => Ok(()),
            Some(false) | None => Err(NotOurs),
        }
    }

    async fn prepare(&self, database: &CardDatabase) {
        let made = database
            .cards
            .prepare_cohorts(self.clock.now(), HORIZON)
            .await;
        if let Some(made) = told(&database.name, "cohorts cannot be made ahead", made) {
            let name = database.name.clone();
            counter!("corkboard_keeper_cohorts_made_total", "database" => name)
                .increment(made.into());
        }
    }

    async fn retire(&self, database: &CardDatabase) {
        let (now, grace) = (self.clock.now(), self.grace);
        let retired = database.cards.retire_cohorts(now, grace, false).await;
        let Some(retired) = told(&database.name, "cohorts cannot be retired", retired) else {
            return;
        };
        for one in retired {
            let name = || database.name.clone();
            counter!("corkboard_keeper_cohorts_retired_total", "database" => name()).increment(1);
            counter!("corkboard_keeper_bytes_retired_total", "database" => name())
                .increment(one.bytes);
            tracing::info!(
                database = database.name, cohort = %one.cohort, bytes = one.bytes, "cohort dropped"
            );
        }
    }
}

fn describe() {
    let counters = [
        ("cohorts_made", "cohorts made ahead"),
        ("cohorts_retired", "cohorts dropped"),
        ("bytes_retired", "bytes given back by dropped cohorts"),
        ("failures", "steps that could not be done"),
    ];
    for (name, meaning) in counters {
        describe_counter!(format!("corkboard_keeper_{name}_total"), meaning);
    }
    sets::describe();
}

/// What came of a step; its failure is logged and counted, and the next round tries again.
fn told<T>(database: &str, what: impl fmt::Display, step: Result<T, StoreError>) -> Option<T> {
    match step {
        Ok(done) => Some(done),
        Err(error) => {
            let name = database.to_owned();
            counter!("corkboard_keeper_failures_total", "database" => name).increment(1);
            tracing::warn!(
                database,
                problem = story(&error),
                "{what}; the next round tries again"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_config::{StoreConfig, StoreKind};
    use corkboard_core::cohort::Cohort;
    use corkboard_core::time::Timestamp;
    use corkboard_testkit::HeldClock;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_cohort_is_dropped_once_its_grace_is_over_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let grace = Duration::from_secs(3_600);
        let config = StoreConfig {
            kind: StoreKind::Sqlite { path },
            grace,
            connections: 16,
        };
        let stores = Stores::open(&config).await.unwrap();
        let now = Timestamp::from_seconds(1_795_255_200);
        let cohort = Cohort::of(now, now.plus(Duration::from_secs(60)));
        stores.cards.ensure_cohort(cohort).await.unwrap();

        for (at, left) in [(cohort.ends_at(), 1), (cohort.ends_at().plus(grace), 0)] {
            let clock: SharedClock = Arc::new(HeldClock::at(at));
            let mut keeper = Keeper::new(stores.clone(), clock, grace, "here".to_owned());
            keeper.round().await;
            assert_eq!(stores.cards.list_cohorts().await.unwrap().len(), left);
        }
        stores.close().await;
    }
}
