//! Side tables that grow with what is sent and erased go as wholes, never row by row.

use corkboard_core::time::Timestamp;
use corkboard_store::CardStore;

use super::Postgres;
use crate::cards::sample::{DAY, Sending, noon, user, users, workspace};

/// A time that no quarter of today's is left in.
fn in_years() -> Timestamp {
    "2061-01-01T00:00:00Z".parse().unwrap()
}

async fn count(postgres: &Postgres, sql: &str) -> i64 {
    let database = postgres.database().await;
    database.sql(sql).await.trim().parse().unwrap()
}

#[tokio::test]
async fn a_quarters_receipts_go_when_none_of_its_campaigns_can_send() {
    let partitions = "SELECT count(*) FROM pg_class WHERE relname ~ '^receipt_q[0-9]+$'";
    for postgres in [Postgres::cohorts(), Postgres::flat()] {
        let store = postgres.store().await;
        let (stays, goes) = (Sending::new(1), Sending::new(2));
        stays.write(&store, &users(0..3)).await.unwrap();
        goes.write(&store, &users(0..3)).await.unwrap();
        assert_eq!(count(&postgres, partitions).await, 1);
        let receipts = async || {
            let asked = users(0..3);
            let found = store.campaign_receipts(workspace(), stays.campaign, &asked);
            found.await.unwrap().into_iter().flatten().count()
        };
        // Too early, and one of them can still send.
        for (sending, now) in [(vec![], noon()), (vec![stays.campaign], in_years())] {
            assert_eq!(store.retire_receipts(&sending, now).await.unwrap(), 0);
            assert_eq!(receipts().await, 3);
        }
        assert_eq!(store.retire_receipts(&[], in_years()).await.unwrap(), 1);
        assert_eq!(count(&postgres, partitions).await, 0);
        assert_eq!(receipts().await, 0);
        // A new campaign of the same quarter finds its place again, in this process and others.
        for (number, store) in [(3, &store), (4, &postgres.store().await)] {
            Sending::new(number).give(store, &user("ann")).await;
        }
        assert_eq!(count(&postgres, partitions).await, 1);
    }
}

#[tokio::test]
async fn tombstones_go_by_the_span_when_no_dispatch_can_be_older() {
    let tombstones = "SELECT count(*) FROM tombstone";
    let postgres = Postgres::cohorts();
    let store = postgres.store().await;
    for day in [0, 40, 80] {
        let at = noon().plus(day * DAY);
        store.erase_user(workspace(), &user(day), at).await.unwrap();
    }
    for (day, left) in [(0, 3), (89, 3), (125, 2), (165, 1), (205, 0)] {
        store.prune(noon().plus(day * DAY)).await.unwrap();
        assert_eq!(count(&postgres, tombstones).await, left, "after {day} days");
    }
}
