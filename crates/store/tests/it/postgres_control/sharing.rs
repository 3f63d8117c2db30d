//! Worker processes that share dispatches: each has a store of its own, all one database.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::dispatch::{DispatchState, Tally};
use corkboard_core::slot::Slot;
use corkboard_core::user::UserId;
use corkboard_store::card_store::ScanPosition;
use corkboard_store::control_store::ClaimedChunk;
use corkboard_store::postgres::PgControlStore;
use corkboard_store::{ControlStore, StoreError};
use tokio::sync::Barrier;
use tokio::time::Instant;

use super::Postgres;
use crate::control::sample::{LEASE, at, begin_campaign, claim, dispatch_state, id, scans};

fn one() -> Tally {
    Tally {
        targeted: 1,
        ..Tally::default()
    }
}

fn position(user: &str) -> ScanPosition {
    let user = UserId::parse(user).unwrap();
    ScanPosition {
        slot: Slot::of(id(1), &user),
        user,
    }
}

async fn checkpoint(
    store: &PgControlStore,
    chunk: &ClaimedChunk,
    seconds: u64,
) -> Result<(), StoreError> {
    let (position, one) = (position("ada"), one());
    let saved = store.checkpoint_chunk(chunk, &position, &one, at(seconds), LEASE);
    saved.await
}

#[tokio::test]
async fn a_process_that_slept_past_its_lease_is_fenced_by_the_next_holder() {
    let harness = Postgres::new();
    let (sleeper, other) = (harness.store().await, harness.store().await);
    let dispatch = begin_campaign(&other, 1, scans(1)).await;
    let slept = claim(&sleeper, 0).await.expect("a chunk");
    checkpoint(&sleeper, &slept, 1).await.unwrap();
    let taken = claim(&other, 100).await.expect("the lapsed chunk");
    assert!(taken.token > slept.token);
    assert_eq!(taken.position, Some(position("ada")));
    // Before the new holder has written anything, after it has, and after it is done.
    for step in 0..3 {
        let late = [
            checkpoint(&sleeper, &slept, 101).await,
            sleeper.finish_chunk(&slept, &one(), at(101)).await,
            sleeper.release_chunk(&slept, at(101), 5).await,
        ];
        for late in late {
            assert!(
                matches!(late, Err(StoreError::Fenced { chunk: 0 })),
                "{step}: {late:?}"
            );
        }
        match step {
            0 => checkpoint(&other, &taken, 102).await.unwrap(),
            1 => other.finish_chunk(&taken, &one(), at(103)).await.unwrap(),
            _ => {}
        }
    }
    let progress = sleeper.dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!(progress.tally.targeted, 3);
    assert_eq!(
        dispatch_state(&sleeper, &dispatch).await,
        DispatchState::Done
    );
}

/// What a worker does between two writes takes part of a second; so it has stopped within one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_by_one_process_is_seen_by_the_next_write_of_each_other() {
    let harness = Postgres::new();
    let (api, one_node, other_node) = (
        harness.store().await,
        harness.store().await,
        harness.store().await,
    );
    let dispatch = begin_campaign(&api, 1, scans(40)).await;
    let mut workers = tokio::task::JoinSet::new();
    let all_have_claimed = Arc::new(Barrier::new(8));
    for worker in 0..8 {
        let all_have_claimed = Arc::clone(&all_have_claimed);
        let store = if worker % 2 == 0 {
            one_node.clone()
        } else {
            other_node.clone()
        };
        workers.spawn(async move {
            let chunk = claim(&store, 10).await.expect("a chunk");
            // The first ones could be halfway, and stopped, before the last one has asked.
            all_have_claimed.wait().await;
            loop {
                match checkpoint(&store, &chunk, 11).await {
                    Ok(()) => {}
                    Err(StoreError::Stale { .. }) => return Instant::now(),
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
    }
    let halfway = async || {
        let progress = api.dispatch_progress(dispatch.id).await.unwrap();
        progress.tally.targeted > 200
    };
    while !halfway().await {}
    api.stop_campaign(id(1), dispatch.campaign, false, at(20))
        .await
        .unwrap();
    let stopped = Instant::now();
    for seen in workers.join_all().await {
        let after = seen.saturating_duration_since(stopped);
        assert!(after < Duration::from_secs(1), "{after:?}");
    }
    // What was counted before the stop is counted, and nothing after.
    let first = api.dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!(first.chunks_left, 40);
    assert_eq!(claim(&one_node, 10_000).await, None);
    let again = api.dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!(first, again);
}

/// Counts, leases that lapse under their holders, and the end, all at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tallies_are_exact_while_chunks_change_hands() {
    let harness = Postgres::new();
    let nodes = [harness.store().await, harness.store().await];
    let dispatch = begin_campaign(&nodes[0], 1, scans(60)).await;
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..6_u64 {
        let store = nodes[usize::from(worker % 2 == 0)].clone();
        workers.spawn(async move {
            // Those with late clocks lose what they hold to those with early ones.
            let (mut counted, mut now) = (0, 10 + worker % 3 * 100);
            while let Some(chunk) = claim(&store, now).await {
                now += 20;
                for step in 0..3 {
                    let done = match step {
                        0 | 1 => checkpoint(&store, &chunk, now).await,
                        _ => store.finish_chunk(&chunk, &one(), at(now)).await,
                    };
                    match done {
                        Ok(()) => counted += 1,
                        Err(StoreError::Fenced { .. }) => break,
                        Err(other) => panic!("{other:?}"),
                    }
                }
            }
            counted
        });
    }
    let acknowledged: u64 = workers.join_all().await.into_iter().sum();
    // Whoever was late left chunks behind that are leased, or were never claimed again.
    let mut rest = 0;
    while let Some(chunk) = claim(&nodes[0], 1_000_000).await {
        nodes[0]
            .finish_chunk(&chunk, &one(), at(1_000_000))
            .await
            .unwrap();
        rest += 1;
    }
    let progress = nodes[1].dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!(progress.tally.targeted, acknowledged + rest);
    assert_eq!(progress.chunks_left, 0);
    assert_eq!(
        dispatch_state(&nodes[0], &dispatch).await,
        DispatchState::Done
    );
}

/// As when one of several card databases is away.
#[tokio::test]
async fn chunks_that_fail_again_and_again_hold_up_no_other() {
    let harness = Postgres::new();
    let store = harness.store().await;
    let dispatch = begin_campaign(&store, 1, scans(20)).await;
    let mut done = 0;
    for seconds in (10..).step_by(6) {
        let Some(chunk) = claim(&store, seconds).await else {
            break;
        };
        if chunk.chunk % 2 == 0 {
            // Tried in vain for five seconds, and due again at once.
            let again = store.release_chunk(&chunk, at(seconds + 5), u32::MAX);
            again.await.unwrap();
        } else {
            store
                .finish_chunk(&chunk, &one(), at(seconds))
                .await
                .unwrap();
            done += 1;
        }
        if done == 10 {
            break;
        }
        assert!(seconds < 10 + 6 * 20, "{done} done");
    }
    let progress = store.dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!(progress.chunks_left, 10);
    // One that is queued now comes after those that have waited longer.
    let newer = begin_campaign(&store, 1_000, scans(1)).await;
    let mut order = Vec::new();
    while let Some(chunk) = claim(&store, 1_000).await {
        order.push(chunk.dispatch.id);
    }
    assert_eq!(order.len(), 11);
    assert_eq!(order.last(), Some(&newer.id));
}
