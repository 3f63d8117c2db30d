//! What survives a crash, and what many writers at once may not break.

use std::sync::Arc;

use corkboard_core::slot::SlotRange;
use corkboard_core::state::Mark;
use corkboard_store::card_store::{ChunkFence, RowOutcome};
use corkboard_store::{CardStore, StoreError};
use serde_json::json;
use tokio::task::JoinSet;

use super::Harness;
use super::sample::{
    HOUR, Sending, attributes, cards_of, inserted, noon, user, user_event, users, workspace,
};

pub(crate) async fn everything_acknowledged_is_there_after_a_crash(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let sending = Sending {
        personal: true,
        ..Sending::new(1)
    };
    let change = attributes(&ann, &json!({"plan": "pro"}));
    store
        .change_attributes(workspace(), vec![change], noon())
        .await
        .unwrap();
    let bought = user_event(1, &ann, "bought", noon());
    store
        .record_user_events(vec![bought], noon())
        .await
        .unwrap();
    let card = sending.give(&*store, &ann).await;
    let seen = vec![sending.event(card, Mark::Seen, noon())];
    store
        .record_card_events(workspace(), &ann, seen.clone(), noon())
        .await
        .unwrap();

    let again = harness.after_crash().await;
    assert_eq!(
        again.find_user(workspace(), &ann).await.unwrap(),
        store.find_user(workspace(), &ann).await.unwrap()
    );
    let cards = |store: Arc<dyn CardStore>| {
        let ann = ann.clone();
        async move {
            store
                .user_cards(workspace(), &ann, noon(), 10)
                .await
                .unwrap()
        }
    };
    assert_eq!(cards(again.clone()).await, cards(store.clone()).await);
    assert_eq!(sending.counts(&*again).await, sending.counts(&*store).await);
    // Repeats are still repeats.
    let outcomes = sending.write(&*again, std::slice::from_ref(&ann)).await;
    assert_eq!(outcomes.unwrap(), [RowOutcome::Repeated(card)]);
    let repeated = again
        .record_card_events(workspace(), &ann, seen, noon())
        .await;
    assert_eq!(repeated.unwrap().new, 0);
    assert_eq!(sending.counts(&*again).await.sent, 1);
}

pub(crate) async fn a_fence_outlives_a_crash(harness: &dyn Harness) {
    let store = harness.open().await;
    let held = |token| Sending {
        fence: Some(ChunkFence {
            chunk: 0,
            token,
            slots: SlotRange::ALL,
        }),
        ..Sending::new(1)
    };
    held(7).write(&*store, &users(0..1)).await.unwrap();
    let again = harness.after_crash().await;
    let refused = held(6).write(&*again, &users(1..2)).await;
    assert!(
        matches!(refused, Err(StoreError::Fenced { chunk: 0 })),
        "{refused:?}"
    );
}

/// Runs `count` tasks at once and gives back what they return.
async fn at_once<T, F, Fut>(count: u32, task: F) -> Vec<T>
where
    T: Send + 'static,
    F: Fn(u32) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
{
    let mut tasks: JoinSet<T> = (0..count).map(task).collect();
    let mut answers = Vec::new();
    while let Some(answer) = tasks.join_next().await {
        answers.push(answer.unwrap());
    }
    answers
}

pub(crate) async fn identical_batches_at_once_insert_each_card_once(harness: &dyn Harness) {
    let store = harness.open().await;
    for (sending, all) in [(Sending::new(1), 100), (Sending::only(2), 200)] {
        let answers = at_once(16, |_| {
            let (store, sending) = (store.clone(), sending.clone());
            async move { sending.write(&*store, &users(0..100)).await.unwrap() }
        })
        .await;
        let new: usize = answers.iter().map(|outcomes| inserted(outcomes)).sum();
        assert_eq!(new, 100);
        assert_eq!(sending.counts(&*store).await.sent, 100);
        assert_eq!(store.dispatch_written(sending.dispatch).await.unwrap(), 100);
        let rows = store.list_cohorts().await.unwrap()[0].rows;
        assert_eq!(rows, all);
    }
}

pub(crate) async fn rival_dispatches_at_once_give_each_user_one_card(harness: &dyn Harness) {
    let store = harness.open().await;
    let answers = at_once(8, |number| {
        let store = store.clone();
        let sending = Sending {
            dispatch: super::sample::dispatch(number as u8 + 1),
            ..Sending::new(1)
        };
        async move { sending.write(&*store, &users(0..50)).await.unwrap() }
    })
    .await;
    let new: usize = answers.iter().map(|outcomes| inserted(outcomes)).sum();
    assert_eq!(new, 50);
    for user in users(0..50) {
        assert_eq!(cards_of(&*store, &user, noon()).await.len(), 1);
    }
}

pub(crate) async fn the_same_events_at_once_count_once(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let sending = Sending::new(1);
    let card = sending.give(&*store, &ann).await;
    let answers = at_once(16, |_| {
        let (store, ann) = (store.clone(), ann.clone());
        let events = vec![
            sending.event(card, Mark::Seen, noon()),
            sending.event(card, Mark::Seen, noon().plus(HOUR)),
            sending.event(card, Mark::Clicked, noon()),
        ];
        async move {
            let recorded = store
                .record_card_events(workspace(), &ann, events, noon())
                .await;
            recorded.unwrap().new
        }
    })
    .await;
    assert_eq!(answers.iter().sum::<u64>(), 3);
    let counts = sending.counts(&*store).await;
    assert_eq!((counts.impressions, counts.unique_impressions), (2, 1));
    assert_eq!((counts.clicks, counts.unique_clicks), (1, 1));
}

pub(crate) async fn two_holders_of_a_lease_never_write_after_the_newer(harness: &dyn Harness) {
    let store = harness.open().await;
    // Each token writes users of its own; whoever comes after a newer one writes nothing.
    let answers = at_once(20, |token| {
        let store = store.clone();
        let sending = Sending {
            fence: Some(ChunkFence {
                chunk: 0,
                token: u64::from(token),
                slots: SlotRange::ALL,
            }),
            ..Sending::only(1)
        };
        let to = users(token * 10..token * 10 + 10);
        async move { (token, sending.write(&*store, &to).await) }
    })
    .await;
    let mut expected = 0;
    for (token, answer) in answers {
        let present = cards_of(&*store, &user(token * 10), noon()).await.len();
        match answer {
            Ok(outcomes) => {
                assert_eq!((inserted(&outcomes), present), (10, 1));
                expected += 10;
            }
            Err(StoreError::Fenced { chunk: 0 }) => assert_eq!(present, 0),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(Sending::new(1).counts(&*store).await.sent, expected);
    assert!(expected >= 10);
}
