//! Reading a user's cards.

use corkboard_core::id::{CardId, Id};
use corkboard_core::state::{CardState, Mark};
use futures_util::future::join_all;

use super::Harness;
use super::sample::{
    DAY, HOUR, Sending, cards_of, content, noon, other_workspace, presentation, user, users,
    workspace,
};

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
    let elsewhere = other_workspace();
    let all = store.user_cards(elsewhere, &ann, noon(), 10).await.unwrap();
    assert_eq!(all.cards, []);
}

pub(crate) async fn a_crowd_reads_what_each_of_them_reads_alone(harness: &dyn Harness) {
    let store = harness.open().await;
    let people = users(0..150);
    for number in 1..7_u8 {
        let planned_at = noon().plus(u32::from(number) * HOUR / 60);
        let sending = Sending {
            planned_at,
            expires_at: planned_at.plus([2 * HOUR, 5 * DAY, 30 * DAY][usize::from(number) % 3]),
            personal: number % 2 == 0,
            ..Sending::new(number)
        };
        // Everybody has another hand, some have none.
        let to = people.iter().enumerate();
        let to = to.filter(|(place, _)| (place >> (number % 5)) % 2 == 1);
        let to: Vec<_> = to.map(|(_, user)| user.clone()).collect();
        sending.write(&*store, &to).await.unwrap();
        for user in to.iter().step_by(3) {
            let broadcast = CardId::from_bytes([100 + number; 16]);
            let seen = sending.event(broadcast, Mark::Seen, noon());
            let recorded = store.record_card_events(workspace(), user, vec![seen], noon());
            recorded.await.unwrap();
        }
    }
    // Asked at once: as of several times, up to several limits, in two workspaces.
    let ask = |place: usize| {
        let store = &store;
        let user = &people[place % people.len()];
        let now = noon().plus([HOUR / 2, 3 * HOUR, 6 * DAY][place % 3]);
        let limit = [10, 2][usize::from(place.is_multiple_of(11))];
        let of = [workspace(), other_workspace()][usize::from(place.is_multiple_of(7))];
        async move { store.user_cards(of, user, now, limit).await.unwrap() }
    };
    let together = join_all((0..600).map(ask)).await;
    let mut cards = 0;
    for (place, crowd) in together.into_iter().enumerate() {
        cards += crowd.cards.len();
        assert_eq!(crowd, ask(place).await, "question {place}");
    }
    assert!(cards > 600, "{cards}");
}
