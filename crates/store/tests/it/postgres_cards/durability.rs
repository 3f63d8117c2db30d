//! What survives the death of the server, under many writers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use corkboard_core::state::Mark;
use corkboard_core::user::UserId;
use corkboard_store::card_store::RowOutcome;
use corkboard_store::postgres::CardLayout;
use corkboard_store::{CardStore, StoreError};
use corkboard_testkit::{PgServer, PgSettings, wait_until};

use super::migrated;
use crate::cards::sample::{Sending, cards_of, noon, users, workspace};

const DEADLINE: Duration = Duration::from_secs(60);

/// Writes and reports until the server is gone; says whose cards were acknowledged.
async fn work(store: Arc<dyn CardStore>, sending: Sending, lane: u32) -> (Vec<UserId>, u64) {
    let (mut sure, mut seen) = (Vec::new(), 0);
    for round in 0..10_000 {
        let to = users(lane * 1_000_000 + round * 20..lane * 1_000_000 + round * 20 + 20);
        let Ok(outcomes) = sending.write(&*store, &to).await else {
            break;
        };
        sure.extend(to.iter().cloned());
        let RowOutcome::Inserted(card) = outcomes[0] else {
            panic!("{outcomes:?}");
        };
        let events = vec![sending.event(card, Mark::Seen, noon())];
        match store
            .record_card_events(workspace(), &to[0], events, noon())
            .await
        {
            Ok(recorded) => seen += recorded.new,
            Err(_) => break,
        }
    }
    (sure, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_dies() {
    let server = Arc::new(PgServer::start(PgSettings::durable()).await);
    let database = server.database().await;
    let store: Arc<dyn CardStore> = Arc::new(migrated(&database, CardLayout::Cohorts).await);
    let sending = Sending::new(1);
    store.ensure_cohort(sending.cohort()).await.unwrap();
    let mut workers = tokio::task::JoinSet::new();
    for lane in 0..4 {
        workers.spawn(work(Arc::clone(&store), sending.clone(), lane));
    }
    let written = || async {
        match store.dispatch_written(sending.dispatch).await {
            Ok(written) if written > 400 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    wait_until(DEADLINE, "some cards to be written", written).await;
    server.kill();
    let (mut sure, mut seen) = (BTreeSet::new(), 0);
    while let Some(done) = workers.join_next().await {
        let (cards, events) = done.unwrap();
        sure.extend(cards);
        seen += events;
    }
    assert!(sure.len() > 400);
    server.resume().await;
    let counts = || async {
        match store.dispatch_written(sending.dispatch).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    };
    wait_until(
        DEADLINE,
        "the store to go on without being opened again",
        counts,
    )
    .await;
    for user in sure.iter().step_by(7) {
        assert_eq!(cards_of(&*store, user, noon()).await.len(), 1, "{user}");
    }
    // Counters equal rows, whatever was lost before it was acknowledged.
    let rows = format!("SELECT count(*) FROM card_{}", sending.cohort());
    let rows: u64 = database.sql(&rows).await.trim().parse().unwrap();
    assert!(rows >= sure.len() as u64);
    let counts = sending.counts(&*store).await;
    assert_eq!(counts.sent, rows);
    assert_eq!(
        store.dispatch_written(sending.dispatch).await.unwrap(),
        rows
    );
    assert!(counts.unique_impressions >= seen, "{counts:?} {seen}");
    let states = format!("SELECT count(*) FROM card_state_{}", sending.cohort());
    let states: u64 = database.sql(&states).await.trim().parse().unwrap();
    assert_eq!(counts.unique_impressions, states);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_given_up_in_time() {
    let server = Arc::new(PgServer::start(PgSettings::quick()).await);
    let database = server.database().await;
    let store = migrated(&database, CardLayout::Cohorts).await;
    Sending::new(1).write(&store, &users(0..3)).await.unwrap();
    server.freeze();
    let begun = tokio::time::Instant::now();
    let refused = Sending::new(1).write(&store, &users(3..6)).await;
    server.thaw();
    assert!(
        matches!(
            refused,
            Err(StoreError::Unavailable { .. } | StoreError::Overloaded)
        ),
        "{refused:?}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}
