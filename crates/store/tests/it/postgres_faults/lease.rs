//! A worker that is stopped past its lease and goes on later: it finds that its chunk is another's.

use std::sync::Arc;

use corkboard_core::dispatch::{DispatchState, Tally};
use corkboard_core::slot::SlotRange;
use corkboard_store::card_store::ChunkFence;
use corkboard_store::control_store::{ClaimRequest, ClaimedChunk};
use corkboard_store::postgres::{PgControlStore, PgOptions};
use corkboard_store::routed::RoutedCardStore;
use corkboard_store::{CardStore, ControlStore, StoreError};
use corkboard_testkit::{PgServer, wait_until};
use tokio::task::JoinSet;

use super::{PATIENCE, number, open};
use crate::cards::sample::{Sending, cards_of, inserted, noon, users};
use crate::control::sample::{LEASE, at, begin_campaign, dispatch_state, scans};

async fn claim(store: &PgControlStore, worker: &str, seconds: u64) -> ClaimedChunk {
    let request = ClaimRequest {
        worker: worker.to_owned(),
        now: at(seconds),
        lease: LEASE,
        except: Vec::new(),
    };
    let claimed = store.claim_chunk(&request).await.unwrap();
    claimed.expect("a chunk")
}

/// What a worker writes under its lease.
fn under(chunk: &ClaimedChunk) -> Sending {
    Sending {
        dispatch: chunk.dispatch.id,
        campaign: chunk.dispatch.campaign,
        fence: Some(ChunkFence {
            chunk: chunk.chunk,
            token: chunk.token,
            slots: SlotRange::ALL,
        }),
        ..Sending::new(1)
    }
}

fn three() -> Tally {
    Tally {
        targeted: 3,
        ..Tally::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wakes_up_past_its_lease_writes_and_counts_nothing() {
    let server = PgServer::shared().await;
    let (cards, control) = (server.database().await, server.database().await);
    let mut processes = Vec::new();
    for _ in 0..2 {
        let control = PgControlStore::connect(control.url(), &PgOptions::default()).await;
        let control = control.unwrap();
        control.migrate().await.unwrap();
        processes.push((open(&cards).await, control));
    }
    let [(first_cards, first), (second_cards, second)] = processes.as_slice() else {
        panic!("two processes");
    };
    let dispatch = begin_campaign(first, 1, scans(1)).await;
    let stopped = claim(first, "one", 0).await;
    under(&stopped)
        .write(first_cards, &users(0..3))
        .await
        .unwrap();

    // The first is stopped here. Another takes over, repeats what was written, and finishes.
    let past = LEASE.as_secs() + 1;
    let taken = claim(second, "two", past).await;
    assert_eq!(
        (taken.chunk, taken.token > stopped.token),
        (stopped.chunk, true)
    );
    let again = under(&taken)
        .write(second_cards, &users(0..6))
        .await
        .unwrap();
    assert_eq!(inserted(&again), 3);

    // The first goes on, at whichever point it was.
    let stale = under(&stopped).write(first_cards, &users(6..9)).await;
    assert!(matches!(stale, Err(StoreError::Fenced { .. })), "{stale:?}");
    let position = corkboard_store::card_store::ScanPosition {
        slot: corkboard_core::slot::Slot::of(dispatch.workspace, &users(8..9)[0]),
        user: users(8..9).remove(0),
    };
    let tally = three();
    let stale = first.checkpoint_chunk(&stopped, &position, &tally, at(past), LEASE);
    assert!(matches!(stale.await, Err(StoreError::Fenced { .. })));
    let stale = first.finish_chunk(&stopped, &three(), at(past)).await;
    assert!(matches!(stale, Err(StoreError::Fenced { .. })), "{stale:?}");
    let _ = first.release_chunk(&stopped, at(past), 10).await;

    second
        .finish_chunk(&taken, &three(), at(past))
        .await
        .unwrap();
    assert_eq!(dispatch_state(second, &dispatch).await, DispatchState::Done);
    let progress = second.dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!(progress.tally.targeted, 3);
    // Nor after that.
    let stale = under(&stopped).write(first_cards, &users(6..9)).await;
    assert!(matches!(stale, Err(StoreError::Fenced { .. })), "{stale:?}");
    assert_eq!(number(&cards, "SELECT count(*) FROM card").await, 6);
    assert_eq!(under(&taken).counts(second_cards).await.sent, 6);
    for user in users(6..9) {
        assert!(cards_of(first_cards, &user, noon()).await.is_empty());
    }
}

/// The write of the first is in the middle of its transaction when the lease lapses: whoever is
/// first with the chunk's lock, the two never mix.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_under_way_is_whole_and_before_the_next_holders_or_not_at_all() {
    let database = PgServer::shared().await.database().await;
    let store = Arc::new(open(&database).await);
    let held = |token| Sending {
        fence: Some(ChunkFence {
            chunk: 0,
            token,
            slots: SlotRange::ALL,
        }),
        ..Sending::new(1)
    };
    held(1).write(&*store, &users(0..3)).await.unwrap();
    // Whoever writes next waits in the middle, with the chunk's lock in hand.
    let (client, connection) = tokio_postgres::connect(database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    let mut connections = JoinSet::new();
    connections.spawn(async move { drop(connection.await) });
    let leaf = format!("card_{}", held(1).cohort());
    let stop = format!("BEGIN; LOCK TABLE {leaf} IN EXCLUSIVE MODE");
    client.batch_execute(&stop).await.unwrap();
    let waiting = async |most: u64| {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        wait_until(PATIENCE, "writers to wait", || async {
            match number(&database, sql).await {
                waiting if waiting >= most => Ok(()),
                waiting => Err(waiting.to_string()),
            }
        })
        .await;
    };
    let mut writers = JoinSet::new();
    for token in [1, 2] {
        let store = store.clone();
        let to = users(token * 10..token * 10 + 5);
        writers.spawn(async move { (token, held(token.into()).write(&*store, &to).await) });
        waiting(token.into()).await;
    }
    client.batch_execute("COMMIT").await.unwrap();
    let mut expected = 3;
    while let Some(done) = writers.join_next().await {
        let (token, outcome) = done.unwrap();
        let there = cards_of(&*store, &users(token * 10..token * 10 + 1)[0], noon()).await;
        match outcome {
            Ok(outcomes) => {
                assert_eq!((inserted(&outcomes), there.len()), (5, 1), "{token}");
                expected += 5;
            }
            // Gave up waiting behind the other.
            Err(StoreError::Overloaded) => assert!(there.is_empty(), "{token}"),
            Err(error) => panic!("{token}: {error}"),
        }
    }
    held(2).write(&*store, &users(30..31)).await.unwrap();
    let stale = held(1).write(&*store, &users(40..41)).await;
    assert!(matches!(stale, Err(StoreError::Fenced { .. })), "{stale:?}");
    assert_eq!(
        number(&database, "SELECT count(*) FROM card").await,
        expected + 1
    );
    assert_eq!(held(2).counts(&*store).await.sent, expected + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_raised_before_reading_is_raised_on_every_database() {
    let server = PgServer::shared().await;
    let databases = [server.database().await, server.database().await];
    let mut stores: Vec<Arc<dyn CardStore>> = Vec::new();
    for database in &databases {
        stores.push(Arc::new(open(database).await));
    }
    let store = RoutedCardStore::even(stores).unwrap();
    let held = |token| Sending {
        fence: Some(ChunkFence {
            chunk: 0,
            token,
            slots: SlotRange::ALL,
        }),
        ..Sending::new(1)
    };
    held(1).write(&store, &users(0..1)).await.unwrap();
    // The next holder, which has no card to write yet.
    assert_eq!(held(2).write(&store, &[]).await.unwrap(), []);
    for user in users(1..20) {
        let stale = held(1).write(&store, &[user]).await;
        assert!(matches!(stale, Err(StoreError::Fenced { .. })), "{stale:?}");
    }
    assert_eq!(held(2).counts(&store).await.sent, 1);
}
