//! Idempotency keys: one holder, one reply, a day.

use std::time::Duration;

use corkboard_store::ControlStore;
use corkboard_store::control_store::{Idempotent, StoredReply};

use super::Harness;
use super::sample::{at, id};

const DAY: u64 = 86_400;
const STALE_AFTER: Duration = Duration::from_secs(60);

fn reply(text: &str) -> StoredReply {
    StoredReply {
        status: 202,
        content_type: "application/json".to_owned(),
        body: text.as_bytes().to_vec(),
    }
}

/// Begins request number `request` with the key of workspace `workspace`.
async fn begin(store: &dyn ControlStore, workspace: u64, request: u8, seconds: u64) -> Idempotent {
    let hash = [request; 32];
    let begun = store.begin_idempotent(id(workspace), "key", hash, at(seconds), STALE_AFTER);
    begun.await.unwrap()
}

pub(crate) async fn a_key_is_held_answered_and_replayed(harness: &dyn Harness) {
    let store = harness.open().await;
    assert_eq!(begin(&*store, 1, 1, 0).await, Idempotent::Begun);
    assert_eq!(begin(&*store, 1, 1, 1).await, Idempotent::InFlight);
    store
        .finish_idempotent(id(1), "key", &reply("done"))
        .await
        .unwrap();
    assert_eq!(
        begin(&*store, 1, 1, 2).await,
        Idempotent::Replay(reply("done"))
    );
    // Long after a holder would have been stale, too.
    let replay = begin(&*store, 1, 1, DAY - 1).await;
    assert_eq!(replay, Idempotent::Replay(reply("done")));
    assert_eq!(begin(&*store, 1, 1, DAY).await, Idempotent::Begun);
}

pub(crate) async fn another_request_with_the_key_is_a_mismatch(harness: &dyn Harness) {
    let store = harness.open().await;
    assert_eq!(begin(&*store, 1, 1, 0).await, Idempotent::Begun);
    assert_eq!(begin(&*store, 1, 2, 1).await, Idempotent::Mismatch);
    // A stale holder may have acted: its key is not free for something else.
    assert_eq!(begin(&*store, 1, 2, 1_000).await, Idempotent::Mismatch);
    store
        .finish_idempotent(id(1), "key", &reply("done"))
        .await
        .unwrap();
    assert_eq!(begin(&*store, 1, 2, 1_001).await, Idempotent::Mismatch);
    assert_eq!(begin(&*store, 1, 2, DAY).await, Idempotent::Begun);
}

pub(crate) async fn workspaces_and_keys_do_not_meet(harness: &dyn Harness) {
    let store = harness.open().await;
    assert_eq!(begin(&*store, 1, 1, 0).await, Idempotent::Begun);
    assert_eq!(begin(&*store, 2, 2, 0).await, Idempotent::Begun);
    let other_key = store.begin_idempotent(id(1), "Key", [3; 32], at(0), STALE_AFTER);
    assert_eq!(other_key.await.unwrap(), Idempotent::Begun);
    store
        .finish_idempotent(id(2), "key", &reply("second"))
        .await
        .unwrap();
    store.abandon_idempotent(id(2), "Key").await.unwrap();
    assert_eq!(begin(&*store, 1, 1, 1).await, Idempotent::InFlight);
    assert_eq!(
        begin(&*store, 2, 2, 1).await,
        Idempotent::Replay(reply("second"))
    );
}

pub(crate) async fn an_abandoned_key_may_be_tried_again(harness: &dyn Harness) {
    let store = harness.open().await;
    assert_eq!(begin(&*store, 1, 1, 0).await, Idempotent::Begun);
    store.abandon_idempotent(id(1), "key").await.unwrap();
    assert_eq!(begin(&*store, 1, 2, 1).await, Idempotent::Begun);
    store
        .finish_idempotent(id(1), "key", &reply("done"))
        .await
        .unwrap();
    // A reply that was given is not taken back.
    store.abandon_idempotent(id(1), "key").await.unwrap();
    assert_eq!(
        begin(&*store, 1, 2, 2).await,
        Idempotent::Replay(reply("done"))
    );
}

pub(crate) async fn a_silent_holder_is_taken_over_and_the_first_reply_counts(
    harness: &dyn Harness,
) {
    let store = harness.open().await;
    assert_eq!(begin(&*store, 1, 1, 0).await, Idempotent::Begun);
    assert_eq!(begin(&*store, 1, 1, 59).await, Idempotent::InFlight);
    assert_eq!(begin(&*store, 1, 1, 60).await, Idempotent::Begun);
    assert_eq!(begin(&*store, 1, 1, 61).await, Idempotent::InFlight);
    store
        .finish_idempotent(id(1), "key", &reply("first"))
        .await
        .unwrap();
    store
        .finish_idempotent(id(1), "key", &reply("second"))
        .await
        .unwrap();
    assert_eq!(
        begin(&*store, 1, 1, 62).await,
        Idempotent::Replay(reply("first"))
    );
}

pub(crate) async fn of_fifty_concurrent_requests_one_begins(harness: &dyn Harness) {
    let store = harness.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        tasks.spawn(async move { begin(&*store, 1, 1, 0).await });
    }
    let answers = tasks.join_all().await;
    let begun = answers
        .iter()
        .filter(|answer| **answer == Idempotent::Begun);
    assert_eq!(begun.count(), 1);
    let waiting = answers
        .iter()
        .filter(|answer| **answer == Idempotent::InFlight);
    assert_eq!(waiting.count(), 49);
}

pub(crate) async fn pruning_forgets_expired_keys_only(harness: &dyn Harness) {
    let store = harness.open().await;
    assert_eq!(begin(&*store, 1, 1, 0).await, Idempotent::Begun);
    assert_eq!(begin(&*store, 2, 1, 100).await, Idempotent::Begun);
    store
        .finish_idempotent(id(2), "key", &reply("done"))
        .await
        .unwrap();
    store.prune(at(DAY)).await.unwrap();
    // Asked as of an earlier time, to tell forgotten from expired.
    assert_eq!(begin(&*store, 1, 2, 50).await, Idempotent::Begun);
    assert_eq!(
        begin(&*store, 2, 1, 200).await,
        Idempotent::Replay(reply("done"))
    );
}
