//! Writing cards exactly once, by receipts and under a lease.

use corkboard_core::identity::card_id;
use corkboard_core::slot::SlotRange;
use corkboard_core::user::UserId;
use corkboard_store::StoreError;
use corkboard_store::card_store::{ChunkFence, Eligibility, RowOutcome};

use super::Harness;
use super::sample::{DAY, HOUR, Sending, cards_of, inserted, noon, user, users, workspace};

pub(crate) async fn a_batch_gives_each_user_the_derived_card(harness: &dyn Harness) {
    let store = harness.open().await;
    let sending = Sending::new(1);
    let to = users(0..5);
    let outcomes = sending.write(&*store, &to).await.unwrap();
    let expected: Vec<_> = to
        .iter()
        .map(|user| RowOutcome::Inserted(card_id(sending.campaign, user, 0)))
        .collect();
    assert_eq!(outcomes, expected);
    assert_eq!(sending.counts(&*store).await.sent, 5);
    assert_eq!(store.dispatch_written(sending.dispatch).await.unwrap(), 5);
}

pub(crate) async fn repeating_a_batch_inserts_and_counts_nothing(harness: &dyn Harness) {
    let store = harness.open().await;
    let sending = Sending::new(1);
    sending.write(&*store, &users(0..5)).await.unwrap();
    let again = sending.write(&*store, &users(3..8)).await.unwrap();
    assert_eq!(inserted(&again), 3);
    assert!(matches!(again[0], RowOutcome::Repeated(_)), "{again:?}");
    assert_eq!(sending.counts(&*store).await.sent, 8);
    assert_eq!(store.dispatch_written(sending.dispatch).await.unwrap(), 8);
}

pub(crate) async fn a_user_named_twice_in_a_batch_gets_one_card(harness: &dyn Harness) {
    let store = harness.open().await;
    let sending = Sending::new(1);
    let outcomes = sending.write(&*store, &[user("ann"), user("ann")]).await;
    let id = card_id(sending.campaign, &user("ann"), 0);
    assert_eq!(
        outcomes.unwrap(),
        [RowOutcome::Inserted(id), RowOutcome::Repeated(id)]
    );
    assert_eq!(sending.counts(&*store).await.sent, 1);
}

pub(crate) async fn the_only_dispatch_of_a_campaign_leaves_no_receipts(harness: &dyn Harness) {
    let store = harness.open().await;
    let sending = Sending::only(1);
    let first = sending.write(&*store, &users(0..5)).await.unwrap();
    let again = sending.write(&*store, &users(3..8)).await.unwrap();
    assert_eq!((inserted(&first), inserted(&again)), (5, 3));
    for (n, outcome) in (3..8).zip(&again) {
        let id = card_id(sending.campaign, &user(n), 0);
        let expected = match n {
            3 | 4 => RowOutcome::Repeated(id),
            _ => RowOutcome::Inserted(id),
        };
        assert_eq!(*outcome, expected, "{n}");
    }
    let twice = sending.write(&*store, &[user("ann"), user("ann")]).await;
    assert_eq!(inserted(&twice.unwrap()), 1);
    assert_eq!(sending.counts(&*store).await.sent, 9);
    assert_eq!(store.dispatch_written(sending.dispatch).await.unwrap(), 9);
    let receipts = store
        .campaign_receipts(workspace(), sending.campaign, &users(0..8))
        .await;
    assert_eq!(receipts.unwrap(), [None; 8]);
}

pub(crate) async fn a_dispatch_knows_its_own_cards(harness: &dyn Harness) {
    let store = harness.open().await;
    let sending = Sending::only(1);
    let have = async |of: &Sending, users: &[UserId]| {
        let have = store.have_cards(workspace(), of.dispatch, of.cohort(), users);
        have.await.unwrap()
    };
    assert_eq!(have(&sending, &users(0..2)).await, [false; 2]);
    sending.write(&*store, &users(1..3)).await.unwrap();
    Sending::new(2).write(&*store, &users(0..4)).await.unwrap();
    let asked = [user(2), user(0), user(1), user("nobody")];
    assert_eq!(have(&sending, &asked).await, [true, false, true, false]);
    let over = sending.cohort().ends_at();
    let retired = store.retire_cohorts(over, std::time::Duration::ZERO, false);
    retired.await.unwrap();
    assert_eq!(have(&sending, &asked).await, [false; 4]);
}

pub(crate) async fn another_dispatch_gives_no_second_card(harness: &dyn Harness) {
    let store = harness.open().await;
    let first = Sending::new(1);
    first.give(&*store, &user("ann")).await;
    let second = Sending {
        dispatch: super::sample::dispatch(2),
        planned_at: noon().plus(30 * DAY),
        expires_at: noon().plus(40 * DAY),
        ..first.clone()
    };
    let outcomes = second
        .write(&*store, &[user("ann"), user("ben")])
        .await
        .unwrap();
    assert_eq!(outcomes[0], RowOutcome::AlreadyReceived);
    assert_eq!(inserted(&outcomes), 1);
}

pub(crate) async fn a_user_becomes_eligible_again_after_the_wait(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let first = Sending {
        eligibility: Eligibility::After(DAY),
        ..Sending::new(1)
    };
    first.give(&*store, &ann).await;
    let later = |number: u8, wait| Sending {
        dispatch: super::sample::dispatch(number),
        planned_at: noon().plus(wait),
        ..first.clone()
    };
    let early = later(2, DAY - HOUR);
    let outcomes = early.write(&*store, std::slice::from_ref(&ann)).await;
    assert_eq!(outcomes.unwrap(), [RowOutcome::NotYetReeligible]);
    let card = later(3, DAY).give(&*store, &ann).await;
    assert_eq!(card, card_id(first.campaign, &ann, 1));
    let receipts = store.receipts(workspace(), &ann, &[first.campaign]).await;
    let receipt = receipts.unwrap()[0];
    assert_eq!((receipt.occurrence, receipt.at), (1, noon().plus(DAY)));
    assert_eq!(cards_of(&*store, &ann, noon()).await.len(), 2);
}

pub(crate) async fn every_trigger_gives_a_card_when_the_wait_is_zero(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    // Each is overtaken by one that was planned before it.
    let sendings: Vec<_> = (1..4)
        .map(|number| Sending {
            dispatch: super::sample::dispatch(number),
            planned_at: noon().minus(u32::from(number) * HOUR),
            eligibility: Eligibility::After(std::time::Duration::ZERO),
            ..Sending::new(1)
        })
        .collect();
    for (occurrence, sending) in (0..).zip(&sendings) {
        let card = sending.give(&*store, &ann).await;
        assert_eq!(card, card_id(sending.campaign, &ann, occurrence));
    }
    // Repeats of each find their own card, also those that later ones have replaced.
    for (occurrence, sending) in (0..).zip(&sendings) {
        let outcomes = sending.write(&*store, std::slice::from_ref(&ann)).await;
        let own = card_id(sending.campaign, &ann, occurrence);
        assert_eq!(outcomes.unwrap(), [RowOutcome::Repeated(own)]);
    }
    assert_eq!(cards_of(&*store, &ann, noon()).await.len(), 3);
    assert_eq!(sendings[0].counts(&*store).await.sent, 3);
}

pub(crate) async fn receipts_say_who_has_had_a_card(harness: &dyn Harness) {
    let store = harness.open().await;
    let sending = Sending::new(1);
    sending.give(&*store, &user("ann")).await;
    let asked = [user("ben"), user("ann")];
    let found = store
        .campaign_receipts(workspace(), sending.campaign, &asked)
        .await
        .unwrap();
    assert_eq!(found[0], None);
    let receipt = found[1].unwrap();
    assert_eq!(receipt.dispatch, sending.dispatch);
    assert_eq!((receipt.occurrence, receipt.at), (0, noon()));
    let other = super::sample::campaign(9);
    let campaigns = [other, sending.campaign];
    let of_ann = store.receipts(workspace(), &user("ann"), &campaigns).await;
    assert_eq!(of_ann.unwrap(), [receipt]);
}

pub(crate) async fn an_older_lease_is_refused_and_writes_nothing(harness: &dyn Harness) {
    let store = harness.open().await;
    let held = |chunk, token| Sending {
        fence: Some(ChunkFence {
            chunk,
            token,
            slots: SlotRange::ALL,
        }),
        ..Sending::new(1)
    };
    let (old, new) = (held(1, 5), held(1, 6));
    old.write(&*store, &users(0..2)).await.unwrap();
    new.write(&*store, &users(2..4)).await.unwrap();
    let refused = old.write(&*store, &users(4..6)).await;
    assert!(
        matches!(refused, Err(StoreError::Fenced { chunk: 1 })),
        "{refused:?}"
    );
    assert_eq!(new.counts(&*store).await.sent, 4);
    for user in users(4..6) {
        assert!(cards_of(&*store, &user, noon()).await.is_empty());
        let campaigns = [old.campaign];
        let receipts = store.receipts(workspace(), &user, &campaigns).await;
        assert_eq!(receipts.unwrap(), []);
    }
    // The same lease goes on, and other chunks have fences of their own.
    new.write(&*store, &users(4..6)).await.unwrap();
    held(2, 1).write(&*store, &users(6..7)).await.unwrap();
    assert_eq!(new.counts(&*store).await.sent, 7);
}

/// A card whose text a database might refuse would hold up its whole batch.
pub(crate) async fn any_text_is_kept_as_it_is(harness: &dyn Harness) {
    let store = harness.open().await;
    let odd = [
        "\0",
        "a\0b",
        "\u{1}\t\n\\.\\N",
        "\u{feff}\u{ffff}\u{1f600}",
        "'\";--",
        "",
    ];
    let large = "\0é".repeat(100_000);
    let titles: Vec<&str> = odd.into_iter().chain([large.as_str()]).collect();
    for sending in [Sending::only(1), Sending::new(2)] {
        let sending = Sending {
            personal: true,
            ..sending
        };
        let mut batch = sending.batch(&users(0..titles.len() as u32));
        for (card, title) in batch.cards.iter_mut().zip(&titles) {
            card.content = Some(super::sample::content(title));
        }
        let outcomes = store.write_cards(batch, noon()).await.unwrap();
        assert_eq!(inserted(&outcomes), titles.len());
    }
    for (n, title) in (0..).zip(&titles) {
        let cards = store.user_cards(workspace(), &user(n), noon(), 10).await;
        let cards = cards.unwrap().cards;
        assert_eq!(cards.len(), 2);
        for card in cards {
            assert_eq!(card.content.title.as_deref(), Some(*title));
        }
    }
}

pub(crate) async fn a_card_without_any_content_is_refused(harness: &dyn Harness) {
    let store = harness.open().await;
    let mut batch = Sending::new(1).batch(&users(0..2));
    batch.shared.clear();
    let refused = store.write_cards(batch, noon()).await;
    assert!(
        matches!(refused, Err(StoreError::NotFound { .. })),
        "{refused:?}"
    );
    assert!(cards_of(&*store, &user(0), noon()).await.is_empty());
}
