//! Batches that are left to be made durable later, and a server that crashes before or after.

use std::sync::Arc;

use corkboard_core::slot::SlotRange;
use corkboard_core::user::UserId;
use corkboard_store::card_store::{CardBatch, ChunkFence, Durability, RowOutcome, Series};
use corkboard_store::postgres::PgCardStore;
use corkboard_store::{CardStore, StoreError};
use corkboard_testkit::{PgDatabase, PgServer, PgSettings, wait_until};

use super::{PATIENCE, alone, number, open};
use crate::cards::sample::{Sending, cards_of, noon, users};

/// A launch whose content is stored, on a server that writes its log only when it has to.
struct Launch {
    server: Arc<PgServer>,
    database: PgDatabase,
    store: PgCardStore,
    sending: Sending,
}

impl Launch {
    async fn begun() -> Self {
        let lazy = PgSettings::durable()
            .with("wal_writer_delay", "10s")
            .with("autovacuum", "off");
        let (server, database) = alone(lazy).await;
        let store = open(&database).await;
        let fence = ChunkFence {
            chunk: 0,
            token: 1,
            slots: SlotRange::ALL,
        };
        let sending = Sending {
            fence: Some(fence),
            ..Sending::only(1)
        };
        store.ensure_cohort(sending.cohort()).await.unwrap();
        let launch = Self {
            server,
            database,
            store,
            sending,
        };
        // The first batch stores the content, the next one names the server's life.
        launch.write(&users(0..2), Durability::Now).await.unwrap();
        launch.left(&users(2..4), &Series::default()).await;
        launch
    }

    async fn write(
        &self,
        to: &[UserId],
        durability: Durability,
    ) -> Result<Vec<RowOutcome>, StoreError> {
        let batch = CardBatch {
            durability,
            ..self.sending.batch(to)
        };
        self.store.write_cards(batch, noon()).await
    }

    async fn left(&self, to: &[UserId], series: &Series) {
        let later = Durability::Later(series.clone());
        self.write(to, later).await.unwrap();
    }

    async fn crash(&self) {
        self.server.kill();
        self.resume().await;
    }

    async fn resume(&self) {
        self.server.resume().await;
        wait_until(PATIENCE, "a connection", || async {
            let written = self.store.dispatch_written(self.sending.dispatch).await;
            written.map_err(|error| format!("{error:?}"))
        })
        .await;
    }

    async fn have(&self, to: &[UserId]) -> bool {
        for user in to {
            if cards_of(&self.store, user, noon()).await.is_empty() {
                return false;
            }
        }
        true
    }

    async fn assert_counts_equal_rows(&self) {
        let rows = number(&self.database, "SELECT count(*) FROM card").await;
        let written = self.store.dispatch_written(self.sending.dispatch).await;
        assert_eq!(written.unwrap(), rows);
        assert_eq!(self.sending.counts(&self.store).await.sent, rows);
    }
}

#[tokio::test]
async fn cards_that_were_left_are_durable_with_the_batch_that_ends_their_series() {
    for last in [users(20..22), users(0..0)] {
        let (launch, series) = (Launch::begun().await, Series::default());
        launch.left(&users(10..12), &series).await;
        launch.left(&users(12..14), &series).await;
        let ends = launch.write(&last, Durability::Ends(series)).await;
        ends.unwrap();
        launch.crash().await;
        assert!(launch.have(&users(10..14)).await, "before {last:?}");
        assert!(launch.have(&last).await);
        launch.assert_counts_equal_rows().await;
    }
}

#[tokio::test]
async fn a_series_does_not_end_after_a_crash_that_may_have_undone_a_part_of_it() {
    let (launch, series) = (Launch::begun().await, Series::default());
    launch.left(&users(10..12), &series).await;
    launch.crash().await;
    for durability in [
        Durability::Later(series.clone()),
        Durability::Ends(series.clone()),
        Durability::Ends(series),
    ] {
        let refused = launch.write(&users(20..22), durability).await;
        assert!(
            matches!(refused, Err(StoreError::Unavailable { .. })),
            "{refused:?}"
        );
    }
    assert!(!launch.have(&users(20..22)).await);
    // Whoever repeats it begins a series of their own, and the server's new life gets a name.
    let repeat = Series::default();
    launch.left(&users(10..12), &repeat).await;
    launch.left(&users(20..22), &repeat).await;
    let ends = launch.write(&users(0..0), Durability::Ends(repeat)).await;
    ends.unwrap();
    launch.crash().await;
    assert!(launch.have(&users(10..12)).await && launch.have(&users(20..22)).await);
    launch.assert_counts_equal_rows().await;
}

#[tokio::test]
async fn a_restart_in_order_undoes_nothing() {
    let (launch, series) = (Launch::begun().await, Series::default());
    launch.left(&users(10..12), &series).await;
    launch.server.stop().await;
    launch.resume().await;
    let ends = launch.write(&users(20..22), Durability::Ends(series)).await;
    ends.unwrap();
    assert!(launch.have(&users(10..12)).await && launch.have(&users(20..22)).await);
    launch.assert_counts_equal_rows().await;
}
