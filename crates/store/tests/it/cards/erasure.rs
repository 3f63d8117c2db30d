//! Erasing a user everywhere, at once.

use corkboard_core::audience::Audience;
use corkboard_core::state::Mark;
use corkboard_store::card_store::RowOutcome;
use serde_json::json;

use super::Harness;
use super::sample::{
    DAY, HOUR, Sending, attributes, cards_of, inserted, noon, user, user_event, users, workspace,
};

pub(crate) async fn nothing_about_an_erased_user_is_left(harness: &dyn Harness) {
    let store = harness.open().await;
    let (ann, ben) = (user("ann"), user("ben"));
    let near = Sending::new(1);
    let far = Sending {
        expires_at: noon().plus(40 * DAY),
        ..Sending::new(2)
    };
    for user in [&ann, &ben] {
        let change = attributes(user, &json!({"a": 1}));
        store
            .change_attributes(workspace(), vec![change], noon())
            .await
            .unwrap();
        near.give(&*store, user).await;
        let card = far.give(&*store, user).await;
        let seen = vec![far.event(card, Mark::Seen, noon())];
        store
            .record_card_events(workspace(), user, seen, noon())
            .await
            .unwrap();
    }
    let bought = user_event(1, &ann, "bought", noon());
    store
        .record_user_events(vec![bought], noon())
        .await
        .unwrap();
    assert!(store.erase_user(workspace(), &ann, noon()).await.unwrap());
    assert!(!store.erase_user(workspace(), &ann, noon()).await.unwrap());
    assert_eq!(store.find_user(workspace(), &ann).await.unwrap(), None);
    let all = store
        .user_cards(workspace(), &ann, noon(), 10)
        .await
        .unwrap();
    assert_eq!((all.cards, all.broadcast_states), (vec![], vec![]));
    let campaigns = [near.campaign, far.campaign];
    let receipts = store.receipts(workspace(), &ann, &campaigns).await;
    assert_eq!(receipts.unwrap(), []);
    let count = store.count_users(workspace(), &Audience::Everyone, noon());
    assert_eq!(count.await.unwrap(), 1);
    // The other user, and what was counted, stay.
    assert_eq!(cards_of(&*store, &ben, noon()).await.len(), 2);
    assert_eq!(far.counts(&*store).await.unique_impressions, 2);
    let rows: u64 = store
        .list_cohorts()
        .await
        .unwrap()
        .iter()
        .map(|info| info.rows)
        .sum();
    assert_eq!(rows, 3);
}

pub(crate) async fn an_unknown_user_is_erased_without_anything_found(harness: &dyn Harness) {
    let store = harness.open().await;
    let found = store.erase_user(workspace(), &user("nobody"), noon()).await;
    assert!(!found.unwrap());
}

pub(crate) async fn a_dispatch_planned_before_gives_an_erased_user_no_card(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let before = Sending::new(1);
    let only = Sending::only(3);
    store.ensure_cohort(before.cohort()).await.unwrap();
    store
        .erase_user(workspace(), &ann, noon().plus(HOUR))
        .await
        .unwrap();
    for store in [store, harness.after_crash().await] {
        let outcomes = before.write(&*store, std::slice::from_ref(&ann)).await;
        assert_eq!(outcomes.unwrap(), [RowOutcome::Erased]);
        let receipts = store.receipts(workspace(), &ann, &[before.campaign]).await;
        assert_eq!(receipts.unwrap(), []);
        let outcomes = only.write(&*store, &[user("ben"), ann.clone()]).await;
        assert_eq!(outcomes.unwrap()[1], RowOutcome::Erased);
    }
    let store = harness.after_crash().await;
    let after = Sending {
        planned_at: noon().plus(2 * HOUR),
        ..Sending::new(2)
    };
    after.give(&*store, &ann).await;
    // The tombstone is forgotten when no older dispatch can write any more.
    store.prune(noon().plus(91 * DAY)).await.unwrap();
    assert_eq!(cards_of(&*store, &ann, noon()).await.len(), 1);
}

/// Also when they are more than a writer reads as a whole.
pub(crate) async fn all_of_many_erasures_since_the_launch_are_heeded(harness: &dyn Harness) {
    let store = harness.open().await;
    let sending = Sending::only(1);
    sending.write(&*store, &users(0..2)).await.unwrap();
    let erased = users(10..280);
    let later = noon().plus(HOUR);
    for user in &erased {
        store.erase_user(workspace(), user, later).await.unwrap();
    }
    let outcomes = sending.write(&*store, &users(0..300)).await.unwrap();
    let is_erased = |outcome: &&RowOutcome| **outcome == RowOutcome::Erased;
    assert_eq!(outcomes.iter().filter(is_erased).count(), erased.len());
    assert_eq!(inserted(&outcomes), 300 - 2 - erased.len());
    assert!(cards_of(&*store, &user(10), noon()).await.is_empty());
}

/// However writing and erasing interleave, the erased user ends without cards.
pub(crate) async fn erasing_during_a_dispatch_leaves_no_card_behind(harness: &dyn Harness) {
    let store = harness.open().await;
    for round in 0..40_u8 {
        let ann = user(format!("ann-{round}"));
        let sending = match round % 2 {
            0 => Sending::new(1 + round),
            _ => Sending::only(1 + round),
        };
        let later = noon().plus(HOUR);
        let to = [ann.clone()];
        let (written, erased) = tokio::join!(
            sending.write(&*store, &to),
            store.erase_user(workspace(), &ann, later)
        );
        written.unwrap();
        erased.unwrap();
        assert!(cards_of(&*store, &ann, noon()).await.is_empty(), "{round}");
        let receipts = store.receipts(workspace(), &ann, &[sending.campaign]).await;
        assert_eq!(receipts.unwrap(), [], "{round}");
    }
}
