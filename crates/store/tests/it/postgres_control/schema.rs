//! Migrations, versions, and partitions by day.

use std::time::Duration;

use corkboard_core::time::Timestamp;
use corkboard_store::control_store::{CallFilter, CallRow, Idempotent};
use corkboard_store::page::PageRequest;
use corkboard_store::postgres::{PgControlStore, PgOptions};
use corkboard_store::{ControlStore, StoreError};
use corkboard_testkit::{PgDatabase, wait_until};

use super::Postgres;
use crate::control::sample::{at, id};

const DAY: u64 = 86_400;
const PARTITIONS: &str = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
                          WHERE relname ~ '^(call|idempotency)_[0-9]{8}$' AND relkind = 'r'";

fn call(at: Timestamp) -> CallRow {
    CallRow {
        at,
        workspace: id(1),
        campaign: None,
        method: "GET".to_owned(),
        url: "https://a.example/\0".to_owned(),
        host: "a.example".to_owned(),
        status: 200,
        elapsed_ms: 1,
        bytes: 1,
        waited_ms: 1,
        outcome: "network".to_owned(),
        attempt: 1,
        problem: None,
    }
}

#[tokio::test]
async fn nodes_that_start_together_migrate_once() {
    let harness = Postgres::new();
    let url = harness.database().await.url().to_owned();
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let url = url.clone();
        nodes.spawn(async move {
            let store = PgControlStore::connect(&url, &PgOptions::default()).await?;
            store.migrate().await
        });
    }
    let versions = nodes.join_all().await;
    let versions: Vec<(u32, u32)> = versions.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        versions.iter().filter(|(before, _)| *before == 0).count(),
        1
    );
    assert!(versions.iter().all(|(_, after)| *after == versions[0].1));
    harness.store().await.check().await.unwrap();
}

#[tokio::test]
async fn a_schema_of_another_version_is_refused_with_both_numbers() {
    let harness = Postgres::new();
    let database = harness.database().await;
    let options = PgOptions::default();
    let store = PgControlStore::connect(database.url(), &options);
    let store = store.await.unwrap();
    let missing = store.check().await;
    assert!(
        matches!(missing, Err(StoreError::SchemaTooOld { found: 0, .. })),
        "{missing:?}"
    );
    store.migrate().await.unwrap();
    database
        .sql("UPDATE schema_version SET version = 99 WHERE schema = 'control'")
        .await;
    for refused in [store.check().await, store.migrate().await.map(drop)] {
        assert!(
            matches!(refused, Err(StoreError::SchemaTooNew { found: 99, .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn pruning_makes_days_ahead_and_drops_days_that_are_over() {
    let harness = Postgres::new();
    let (store, database) = (harness.store().await, harness.database().await);
    store.append_calls(vec![call(at(0))]).await.unwrap();
    assert_eq!(database.sql(PARTITIONS).await, "call_20261121");
    store.prune(at(0)).await.unwrap();
    let made = database.sql(PARTITIONS).await;
    assert_eq!(made.split(' ').count(), 16, "{made}");
    assert!(made.ends_with("idempotency_20261128"), "{made}");

    store.prune(at(40 * DAY)).await.unwrap();
    let left = database.sql(PARTITIONS).await;
    // Today is the last of the year; calls are kept for 30 days, keys for one.
    assert!(left.starts_with("call_20261231 "), "{left}");
    assert!(left.contains(" idempotency_20261231 "), "{left}");
    assert_eq!(left.split(' ').count(), 16, "{left}");
    let (all, page) = (CallFilter::default(), PageRequest::default());
    assert_eq!(
        store.list_calls(id(1), &all, &page).await.unwrap().items,
        []
    );
}

#[tokio::test]
async fn a_detach_that_was_interrupted_is_finished_by_the_next_pruning() {
    let harness = Postgres::new();
    let (store, database) = (harness.store().await, harness.database().await);
    store.prune(at(0)).await.unwrap();
    // Detached, but not dropped: the keeper was killed between the two.
    database
        .sql("ALTER TABLE call DETACH PARTITION call_20261123")
        .await;
    // And one that was killed while it waited for a reader.
    let reader = database.sql("BEGIN; SELECT count(*) FROM call; SELECT pg_sleep(30)");
    let killed = async {
        let reading = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'
                       AND datname = current_database()";
        until(database, reading, "1").await;
        let pending = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending";
        tokio::select! {
            biased;
            pruned = store.prune(at(33 * DAY)) => panic!("it did not wait: {pruned:?}"),
            () = until(database, pending, "1") => {}
        }
        let keepers = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%CONCURRENTLY'
                       AND datname = current_database() AND pid <> pg_backend_pid()
                       AND state = 'active'";
        until(database, keepers, "0").await;
    };
    tokio::select! {
        biased;
        () = killed => {}
        _ = reader => panic!("the reader ended first"),
    }
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE wait_event = 'PgSleep' AND datname = current_database()";
    database.sql(end).await;
    store.prune(at(33 * DAY)).await.unwrap();
    let whole =
        "SELECT count(*) FILTER (WHERE inhdetachpending), count(*), min(inhrelid::regclass::text)
                 FROM pg_inherits WHERE inhparent = 'call'::regclass";
    assert_eq!(database.sql(whole).await, "0|13|call_20261124");
    let left = "SELECT count(*) FROM pg_class WHERE relname ~ '^call_202611(21|22|23)$'";
    assert_eq!(database.sql(left).await, "0");
}

async fn until(database: &PgDatabase, question: &str, answer: &str) {
    wait_until(Duration::from_secs(30), question, || async {
        match database.sql(question).await {
            found if found == answer => Ok(()),
            found => Err(found),
        }
    })
    .await;
}

#[tokio::test]
async fn a_full_call_log_loses_its_oldest_days_first() {
    let harness = Postgres::new();
    let (store, database) = (harness.store().await, harness.database().await);
    for day in 0..3 {
        store.append_calls(vec![call(at(day * DAY))]).await.unwrap();
    }
    database
        .sql(
            "UPDATE pg_class SET reltuples = 30000000
             WHERE relname ~ '^call_2026112[123]$'",
        )
        .await;
    store.prune(at(2 * DAY)).await.unwrap();
    let (all, page) = (CallFilter::default(), PageRequest::default());
    let left = store.list_calls(id(1), &all, &page);
    let left: Vec<Timestamp> = left
        .await
        .unwrap()
        .items
        .iter()
        .map(|call| call.at)
        .collect();
    assert_eq!(left, [at(2 * DAY)]);
}

#[tokio::test]
async fn a_key_is_known_across_midnight() {
    let harness = Postgres::new();
    let store = harness.store().await;
    let stale = Duration::from_secs(600);
    // The beginning is at ten; fourteen hours later the day ends.
    let (before, after) = (at(14 * 3_600 - 1), at(14 * 3_600 + 1));
    let begin = |now| store.begin_idempotent(id(1), "key", [1; 32], now, stale);
    assert_eq!(begin(before).await.unwrap(), Idempotent::Begun);
    assert_eq!(begin(after).await.unwrap(), Idempotent::InFlight);
    let late = at(14 * 3_600 + 600);
    assert_eq!(begin(late).await.unwrap(), Idempotent::Begun);
    assert_eq!(begin(late).await.unwrap(), Idempotent::InFlight);
    store.abandon_idempotent(id(1), "key").await.unwrap();
    assert_eq!(begin(late).await.unwrap(), Idempotent::Begun);
}
