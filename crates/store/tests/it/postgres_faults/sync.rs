//! A device that fails once: what was acknowledged before is there after the server has recovered.

use std::collections::BTreeSet;
use std::sync::Arc;

use corkboard_core::state::Mark;
use corkboard_core::user::UserId;
use corkboard_store::CardStore;
use corkboard_store::card_store::RowOutcome;
use corkboard_testkit::{PgSettings, wait_until};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, alone, more_often, number, open};
use crate::cards::sample::{Sending, cards_of, noon, users, workspace};

/// Cards of a batch.
const BATCH: u32 = 10;

/// Whose cards, and of whom the reports, were acknowledged.
#[derive(Default)]
struct Sure {
    cards: BTreeSet<UserId>,
    seen: BTreeSet<UserId>,
}

/// Writes and reports until it is stopped, whatever fails in between.
async fn work(
    store: Arc<dyn CardStore>,
    sending: Sending,
    lane: u32,
    stop: CancellationToken,
) -> Sure {
    let mut sure = Sure::default();
    for round in 0.. {
        if stop.is_cancelled() {
            break;
        }
        let first = lane * 1_000_000 + round * BATCH;
        let to = users(first..first + BATCH);
        let Ok(outcomes) = sending.write(&*store, &to).await else {
            tokio::task::yield_now().await;
            continue;
        };
        sure.cards.extend(to.iter().cloned());
        let RowOutcome::Inserted(card) = outcomes[0] else {
            panic!("{outcomes:?}");
        };
        let events = vec![sending.event(card, Mark::Seen, noon())];
        let reported = store.record_card_events(workspace(), &to[0], events, noon());
        if reported.await.is_ok() {
            sure.seen.insert(to[0].clone());
        }
    }
    sure
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_a_sync_of_the_log_fails() {
    let (server, database) = alone(PgSettings::durable().fragile()).await;
    let store: Arc<dyn CardStore> = Arc::new(open(&database).await);
    let sending = Sending::new(1);
    store.ensure_cohort(sending.cohort()).await.unwrap();
    database.sql("CHECKPOINT").await;
    let stop = CancellationToken::new();
    let mut workers = JoinSet::new();
    for lane in 0..4 {
        workers.spawn(work(store.clone(), sending.clone(), lane, stop.clone()));
    }
    let more_than = async |cards: u64| {
        wait_until(PATIENCE, "more cards to be written", || async {
            match store.dispatch_written(sending.dispatch).await {
                Ok(written) if written > cards => Ok(written),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    };
    let mut written = more_than(100).await;
    for _ in 0..2 * more_often() {
        server.fail_next_sync();
        server.recovered_from_failed_sync().await;
        // The same store goes on.
        written = more_than(written + 100).await;
    }
    stop.cancel();
    let (mut cards, mut seen) = (BTreeSet::new(), BTreeSet::new());
    while let Some(sure) = workers.join_next().await {
        let sure = sure.unwrap();
        cards.extend(sure.cards);
        seen.extend(sure.seen);
    }
    assert!(cards.len() > 200 && seen.len() > 20);
    for user in &cards {
        assert_eq!(cards_of(&*store, user, noon()).await.len(), 1, "{user}");
    }
    for user in &seen {
        let cards = store.user_cards(workspace(), user, noon(), 10).await;
        assert!(cards.unwrap().cards[0].state.has(Mark::Seen), "{user}");
    }
    // What was not acknowledged may be there, but is counted then.
    let rows = number(&database, "SELECT count(*) FROM card").await;
    assert!(rows >= cards.len() as u64);
    let counts = sending.counts(&*store).await;
    assert_eq!(counts.sent, rows);
    let states = number(&database, "SELECT count(*) FROM card_state").await;
    assert_eq!(counts.unique_impressions, states);
    assert_eq!(
        store.dispatch_written(sending.dispatch).await.unwrap(),
        rows
    );
}
