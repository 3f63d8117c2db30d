//! Reading a user's cards.

use corkboard_core::id::{CardId, Id};
use corkboard_core::state::{CardState, Mark};

use super::Harness;
use super::sample::{DAY, HOUR, Sending, cards_of, content, noon, presentation, user, workspace};

pub(crate) async fn a_stored_card_comes_back_whole(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    for personal in [true, false] {
        let sending = Sending {
            personal,
            ..Sending::new(1 + u8::from(personal))
        };
        let id = sending.give(&*store, &ann).await;
        let all = store
            .user_cards(workspace(), &ann, noon(), 10)
            .await
            .unwrap();
        let card = all.cards.iter().find(|card| card.id == id).unwrap();
        assert_eq!(card.campaign, sending.campaign);
        assert_eq!(card.dispatch, sending.dispatch);
        assert_eq!((card.variant, card.cohort), (0, sending.cohort()));
        assert_eq!(
            (card.created_at, card.expires_at),
            (noon(), sending.expires_at)
        );
        assert_eq!(*card.presentation, presentation());
        let title = if personal { "Hi u-ann" } else { "Hello" };
        assert_eq!(*card.content, content(title));
        assert_eq!(card.state, CardState::default());
    }
}

pub(crate) async fn cards_of_all_cohorts_come_newest_first_up_to_the_limit(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let mut expected = Vec::new();
    for number in 1..7_u8 {
        let lifetime = [DAY, 5 * DAY, 30 * DAY][usize::from(number) % 3];
        let planned_at = noon().plus(u32::from(number) * HOUR / 60);
        let sending = Sending {
            planned_at,
            expires_at: planned_at.plus(lifetime),
            ..Sending::new(number)
        };
        expected.insert(0, sending.give(&*store, &ann).await);
    }
    assert_eq!(cards_of(&*store, &ann, noon().plus(HOUR)).await, expected);
    let some = store
        .user_cards(workspace(), &ann, noon().plus(HOUR), 4)
        .await;
    let some: Vec<CardId> = some.unwrap().cards.iter().map(|card| card.id).collect();
    assert_eq!(some, expected[..4]);
    assert!(cards_of(&*store, &user("ben"), noon()).await.is_empty());
}

pub(crate) async fn a_card_expires_at_its_own_time_not_its_cohorts(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let sending = Sending::new(1);
    let card = sending.give(&*store, &ann).await;
    let just_before = sending
        .expires_at
        .minus(std::time::Duration::from_micros(1));
    assert_eq!(cards_of(&*store, &ann, just_before).await, [card]);
    assert!(sending.cohort().ends_at() > sending.expires_at);
    assert!(cards_of(&*store, &ann, sending.expires_at).await.is_empty());
}

pub(crate) async fn states_come_with_cards_and_for_broadcasts_alone(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let short = Sending {
        expires_at: noon().plus(HOUR),
        ..Sending::new(1)
    };
    let long = Sending {
        expires_at: noon().plus(6 * HOUR),
        ..Sending::new(2)
    };
    assert_eq!(short.cohort(), long.cohort());
    let (expiring, staying) = (
        short.give(&*store, &ann).await,
        long.give(&*store, &ann).await,
    );
    let broadcast = CardId::from_bytes([9; 16]);
    let events = vec![
        short.event(expiring, Mark::Seen, noon()),
        long.event(staying, Mark::Clicked, noon()),
        long.event(broadcast, Mark::Dismissed, noon()),
    ];
    store
        .record_card_events(workspace(), &ann, events, noon())
        .await
        .unwrap();
    let later = noon().plus(2 * HOUR);
    let all = store
        .user_cards(workspace(), &ann, later, 10)
        .await
        .unwrap();
    assert_eq!(all.cards.len(), 1);
    assert_eq!(all.cards[0].state, CardState::marked(Mark::Clicked, noon()));
    // The expired card's state is nobody's broadcast.
    let alone = [(broadcast, CardState::marked(Mark::Dismissed, noon()))];
    assert_eq!(all.broadcast_states, alone);
}

pub(crate) async fn another_workspaces_user_of_the_same_name_has_other_cards(
    harness: &dyn Harness,
) {
    let store = harness.open().await;
    let ann = user("ann");
    Sending::new(1).give(&*store, &ann).await;
    let elsewhere = super::sample::other_workspace();
    let all = store.user_cards(elsewhere, &ann, noon(), 10).await.unwrap();
    assert_eq!(all.cards, []);
}
