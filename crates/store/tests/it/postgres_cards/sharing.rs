//! Many reports, few transactions: what is written together, and what repeats cost.

use std::sync::Arc;

use corkboard_core::state::Mark;
use corkboard_store::CardStore;
use corkboard_testkit::PgDatabase;
use serde_json::json;

use super::Postgres;
use crate::cards::sample::{Sending, attributes, noon, user, user_event, users, workspace};

async fn xids(database: &PgDatabase) -> i64 {
    let sql = "SELECT pg_snapshot_xmax(pg_current_snapshot())";
    database.sql(sql).await.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_costs_a_small_fraction_of_a_transaction_id() {
    let postgres = Postgres::alone().await;
    let store = Arc::new(postgres.store().await);
    let sending = Sending::new(1);
    let to = users(0..1_000);
    let outcomes = sending.write(&*store, &to).await.unwrap();
    let before = xids(postgres.database().await).await;
    let mut tasks = tokio::task::JoinSet::new();
    for (user, outcome) in to.into_iter().zip(outcomes) {
        let corkboard_store::card_store::RowOutcome::Inserted(card) = outcome else {
            panic!("{outcome:?}");
        };
        let (store, event) = (store.clone(), sending.event(card, Mark::Seen, noon()));
        tasks.spawn(async move {
            let recorded = store
                .record_card_events(workspace(), &user, vec![event], noon())
                .await;
            recorded.unwrap().new
        });
    }
    let mut new = 0;
    while let Some(one) = tasks.join_next().await {
        new += one.unwrap();
    }
    assert_eq!(new, 1_000);
    let used = xids(postgres.database().await).await - before;
    assert!(used <= 100, "{used} transaction ids for 1,000 reports");
    assert_eq!(sending.counts(&*store).await.unique_impressions, 1_000);
}

#[tokio::test]
async fn repeats_cost_no_transaction_id() {
    let postgres = Postgres::alone().await;
    let store = postgres.store().await;
    let (ann, sending) = (user("ann"), Sending::new(1));
    let change = || vec![attributes(&ann, &json!({"plan": "pro"}))];
    let card = sending.give(&store, &ann).await;
    let events = || {
        vec![
            sending.event(card, Mark::Seen, noon()),
            sending.event(card, Mark::Removed, noon()),
        ]
    };
    let everything = async || {
        store
            .change_attributes(workspace(), change(), noon())
            .await
            .unwrap();
        let tracked = vec![user_event(1, &ann, "bought", noon())];
        store.record_user_events(tracked, noon()).await.unwrap();
        sending
            .write(&store, std::slice::from_ref(&ann))
            .await
            .unwrap();
        store
            .record_card_events(workspace(), &ann, events(), noon())
            .await
            .unwrap();
        let campaigns = [sending.campaign];
        store
            .remove_cards(workspace(), &ann, &campaigns, noon())
            .await
            .unwrap();
    };
    everything().await;
    let before = xids(postgres.database().await).await;
    everything().await;
    assert_eq!(xids(postgres.database().await).await - before, 0);
}

#[tokio::test]
async fn a_batch_is_one_transaction_id_however_many_cards() {
    let postgres = Postgres::alone().await;
    let store = postgres.store().await;
    let sending = Sending::new(1);
    sending.write(&store, &users(0..1)).await.unwrap();
    let before = xids(postgres.database().await).await;
    sending.write(&store, &users(0..1_000)).await.unwrap();
    // Some were there: the copy is refused by a key or goes around them, never row by row.
    assert_eq!(xids(postgres.database().await).await - before, 1);
}

#[tokio::test]
async fn a_pointer_row_with_its_index_is_at_most_110_bytes() {
    let postgres = Postgres::cohorts();
    let store = postgres.store().await;
    let sending = Sending::new(1);
    // By one writer in the order in which a dispatch scans: by slot.
    let mut to = users(0..50_000);
    to.sort_by_key(|user| corkboard_core::slot::Slot::of(workspace(), user));
    for batch in to.chunks(1_000) {
        sending.write(&store, batch).await.unwrap();
    }
    let name = format!("card_{}", sending.cohort());
    let sql = format!("SELECT (pg_relation_size('{name}') + pg_indexes_size('{name}')) / 50000.0");
    let bytes: f64 = postgres
        .database()
        .await
        .sql(&sql)
        .await
        .trim()
        .parse()
        .unwrap();
    assert!(bytes <= 110.0, "{bytes}");
}
