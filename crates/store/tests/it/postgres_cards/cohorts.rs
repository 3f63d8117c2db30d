//! Cohorts in a database that others use, too: made ahead, retired under load, repaired.

use std::time::Duration;

use corkboard_core::cohort::Cohort;
use corkboard_core::time::Timestamp;
use corkboard_store::CardStore;
use corkboard_store::card_store::CohortStage;
use corkboard_testkit::PgDatabase;

use super::Postgres;
use crate::cards::sample::{DAY, HOUR, Sending, noon, user, users};

async fn xids(database: &PgDatabase) -> i64 {
    let sql = "SELECT pg_snapshot_xmax(pg_current_snapshot())";
    database.sql(sql).await.trim().parse().unwrap()
}

fn cohort_ended_at(now: Timestamp) -> Sending {
    Sending {
        planned_at: now.minus(2 * DAY),
        expires_at: now.minus(DAY),
        ..Sending::new(1)
    }
}

#[tokio::test]
async fn what_is_made_ahead_lasts_for_two_weeks() {
    let postgres = Postgres::cohorts();
    let (store, other) = (postgres.store().await, postgres.store().await);
    let made = store.premake_cohorts(noon()).await.unwrap();
    assert!((30..37).contains(&made.len()), "{}", made.len());
    assert_eq!(store.premake_cohorts(noon()).await.unwrap(), []);
    let set = other.cohort_set(noon()).await.unwrap();
    assert_eq!(set.all, made.into_iter().map(|one| (one, false)).collect());
    assert_eq!(set.headroom, 14 * DAY);
    let later = other.cohort_set(noon().plus(10 * DAY)).await.unwrap();
    assert_eq!(later.headroom, 4 * DAY);
    // Nothing more is made when cards are written; what has cards is live until it has ended.
    let sending = Sending::new(1);
    sending.write(&other, &users(0..3)).await.unwrap();
    let used = store.cohort_set(noon()).await.unwrap();
    assert!(used.all.keys().eq(set.all.keys()));
    let stages = |now| CohortStage::ALL.map(|stage| used.count(stage, now));
    assert_eq!(stages(noon()), [set.all.len() - 1, 1, 0]);
    let [_, live, ended] = stages(sending.cohort().ends_at());
    assert!(live == 0 && ended > 0, "{live} live, {ended} ended");
}

#[tokio::test]
async fn retiring_takes_few_transaction_ids_and_leaves_nothing_behind() {
    let postgres = Postgres::alone().await;
    let store = postgres.store().await;
    let database = postgres.database().await;
    let sending = cohort_ended_at(noon());
    for chunk in 0..5 {
        let to = users(chunk * 100..chunk * 100 + 100);
        sending.write(&store, &to).await.unwrap();
    }
    let name = sending.cohort().to_string();
    let tables = format!(
        "SELECT count(*) FROM pg_class WHERE relname LIKE '%{name}%' AND relkind IN ('r', 'S')"
    );
    assert_eq!(database.sql(&tables).await.trim(), "8");
    let before = xids(database).await;
    let retired = store.retire_cohorts(noon(), HOUR, false).await.unwrap();
    let used = xids(database).await - before;
    assert_eq!(retired.len(), 1);
    assert!(used <= 20, "{used} transaction ids");
    let left = database
        .sql(&tables.replace("count(*)", "string_agg(relname, ' ')"))
        .await;
    assert_eq!(left.trim(), format!("card_written_{name}"));
    // That goes when nobody asks for the dispatch any more.
    store.prune(noon().plus(92 * DAY)).await.unwrap();
    assert_eq!(database.sql(&tables).await.trim(), "0");
}

#[tokio::test]
async fn a_detach_that_was_interrupted_is_finished_by_the_next_pass() {
    let postgres = Postgres::cohorts();
    let store = postgres.store().await;
    let database = postgres.database().await;
    let sending = cohort_ended_at(noon());
    sending.write(&store, &users(0..3)).await.unwrap();
    // A reader that stays makes the detach wait, until it is cancelled and stays half done.
    let part = format!("card_{}", sending.cohort());
    let (client, connection) = tokio_postgres::connect(database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    client
        .batch_execute("BEGIN; SELECT count(*) FROM card")
        .await
        .unwrap();
    let detach = format!(
        "SET statement_timeout = 300; ALTER TABLE card DETACH PARTITION {part} CONCURRENTLY"
    );
    let (second, connection) = tokio_postgres::connect(database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tasks.spawn(connection);
    for statement in detach.split("; ") {
        let _ = second.batch_execute(statement).await;
    }
    let pending = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending";
    assert_eq!(database.sql(pending).await.trim(), "1");
    client.batch_execute("ROLLBACK").await.unwrap();
    let retired = store.retire_cohorts(noon(), HOUR, false).await.unwrap();
    assert_eq!(retired.len(), 1);
    assert_eq!(database.sql(pending).await.trim(), "0");
    assert_eq!(sending.counts(&store).await.sent, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stays_holds_up_the_retirement_and_nobody_else() {
    let postgres = Postgres::cohorts();
    let store = std::sync::Arc::new(postgres.store().await);
    let database = postgres.database().await;
    let ended = cohort_ended_at(noon());
    ended.write(&*store, &users(0..3)).await.unwrap();
    let live = Sending::new(2);
    live.write(&*store, &users(0..3)).await.unwrap();
    let (client, connection) = tokio_postgres::connect(database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { connection.await.unwrap() });
    client
        .batch_execute("BEGIN; SELECT count(*) FROM card")
        .await
        .unwrap();
    let retiring = {
        let store = store.clone();
        async move { store.retire_cohorts(noon(), HOUR, false).await.unwrap() }
    };
    let mut retired = tokio::task::JoinSet::new();
    retired.spawn(retiring);
    // Meanwhile everybody else goes on, each within a fraction of a second.
    for number in 0..20 {
        let begun = tokio::time::Instant::now();
        let to = users(100 + number..101 + number);
        live.write(&*store, &to).await.unwrap();
        let cards = crate::cards::sample::cards_of(&*store, &user(0), noon()).await;
        assert_eq!(cards.len(), 1);
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "{:?}",
            begun.elapsed()
        );
    }
    assert!(
        retired.try_join_next().is_none(),
        "the reader is still there"
    );
    client.batch_execute("ROLLBACK").await.unwrap();
    let retired = retired.join_next().await.unwrap().unwrap();
    assert_eq!(retired.len(), 1);
}

#[tokio::test]
async fn the_number_of_cohorts_is_bounded() {
    let postgres = Postgres::cohorts();
    let store = postgres.store().await;
    let mut refused = None;
    for day in 0..120 {
        let planned_at = noon().plus(day * DAY);
        let cohort = Cohort::of(planned_at, planned_at.plus(HOUR));
        if let Err(error) = store.ensure_cohort(cohort).await {
            refused = Some(error.to_string());
            break;
        }
    }
    assert!(refused.is_some_and(|error| error.contains("96 cohorts")));
}
