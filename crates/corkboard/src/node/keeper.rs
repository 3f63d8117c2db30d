//! The keeper: makes cohorts ahead, drops those whose grace is over and forgets what is too old,
//! once a minute.
//!
//! One keeper at a time is active, by a lease in the control store; the others look again each
//! minute. Every step may be repeated, so a lease that passes on half-way harms nothing.

use std::time::Duration;

use corkboard_core::time::SharedClock;
use corkboard_store::StoreError;
use metrics::{counter, describe_counter};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::exit::story;
use crate::stores::Stores;

const PERIOD: Duration = Duration::from_secs(60);
/// Three rounds: a keeper that is late keeps its lease, one that is gone is replaced soon.
const LEASE: Duration = Duration::from_secs(180);
/// Cohorts are made for dispatches this far ahead: should no keeper run, there is time to notice.
const HORIZON: Duration = Duration::from_secs(14 * 86_400);

/// Runs until `shutdown`; a round that has begun is finished.
pub(super) async fn run(
    stores: Stores,
    clock: SharedClock,
    grace: Duration,
    holder: String,
    shutdown: CancellationToken,
) {
    describe_counter!("corkboard_keeper_cohorts_retired_total", "cohorts dropped");
    describe_counter!(
        "corkboard_keeper_bytes_retired_total",
        "bytes given back by dropped cohorts"
    );
    describe_counter!(
        "corkboard_keeper_failures_total",
        "rounds that could not be finished"
    );
    describe_counter!("corkboard_keeper_cohorts_made_total", "cohorts made ahead");
    let mut tick = interval(PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
        if let Err(error) = round(&stores, &clock, grace, &holder).await {
            counter!("corkboard_keeper_failures_total").increment(1);
            tracing::warn!(
                problem = story(&error),
                "keeping house failed; the next round tries again"
            );
        }
    }
}

async fn round(
    stores: &Stores,
    clock: &SharedClock,
    grace: Duration,
    holder: &str,
) -> Result<(), StoreError> {
    if !stores
        .control
        .hold_lease("keeper", holder, clock.now(), LEASE)
        .await?
    {
        return Ok(());
    }
    // Apart from retiring: a failure there must not take the new cohorts with it.
    let made = stores.cards.prepare_cohorts(clock.now(), HORIZON).await?;
    counter!("corkboard_keeper_cohorts_made_total").increment(made.into());
    for retired in stores
        .cards
        .retire_cohorts(clock.now(), grace, false)
        .await?
    {
        counter!("corkboard_keeper_cohorts_retired_total").increment(1);
        counter!("corkboard_keeper_bytes_retired_total").increment(retired.bytes);
        tracing::info!(cohort = %retired.cohort, bytes = retired.bytes, "cohort dropped");
    }
    stores.cards.prune(clock.now()).await?;
    stores.control.prune(clock.now()).await
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
        };
        let stores = Stores::open(&config).await.unwrap();
        let now = Timestamp::from_seconds(1_795_255_200);
        let cohort = Cohort::of(now, now.plus(Duration::from_secs(60)));
        stores.cards.ensure_cohort(cohort).await.unwrap();

        for (at, left) in [(cohort.ends_at(), 1), (cohort.ends_at().plus(grace), 0)] {
            let clock: SharedClock = Arc::new(HeldClock::at(at));
            round(&stores, &clock, grace, "here").await.unwrap();
            assert_eq!(stores.cards.list_cohorts().await.unwrap().len(), left);
        }
        stores.close().await;
    }
}
