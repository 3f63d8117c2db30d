//! What users did with cards: states and exact counts.

use std::time::Duration;

use corkboard_core::id::{CardId, Id};
use corkboard_core::state::Mark;
use corkboard_store::card_store::{EventCounts, RecordedEvents};

use super::Harness;
use super::sample::{DAY, HOUR, Sending, cards_of, noon, user, users, workspace};

pub(crate) async fn events_count_once_and_once_as_unique(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let sending = Sending::new(1);
    let card = sending.give(&*store, &ann).await;
    let events = vec![
        sending.event(card, Mark::Seen, noon()),
        sending.event(card, Mark::Seen, noon()),
        sending.event(card, Mark::Seen, noon().plus(HOUR)),
        sending.event(card, Mark::Clicked, noon()),
        sending.event(card, Mark::Dismissed, noon()),
    ];
    let first = store
        .record_card_events(workspace(), &ann, events.clone(), noon())
        .await;
    let (new, changed) = (4, true);
    assert_eq!(first.unwrap(), RecordedEvents { new, changed });
    let again = store
        .record_card_events(workspace(), &ann, events, noon())
        .await;
    assert_eq!(again.unwrap(), RecordedEvents::default());
    let expected = EventCounts {
        sent: 1,
        impressions: 2,
        unique_impressions: 1,
        clicks: 1,
        unique_clicks: 1,
        dismissals: 1,
        unique_dismissals: 1,
    };
    assert_eq!(sending.counts(&*store).await, expected);
}

pub(crate) async fn a_later_impression_counts_but_changes_nothing_visible(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let sending = Sending::new(1);
    let card = sending.give(&*store, &ann).await;
    let seen = |at| vec![sending.event(card, Mark::Seen, at)];
    store
        .record_card_events(workspace(), &ann, seen(noon().plus(HOUR)), noon())
        .await
        .unwrap();
    // Reported late by an offline device: earlier than what is known.
    let late = store
        .record_card_events(workspace(), &ann, seen(noon()), noon())
        .await
        .unwrap();
    assert_eq!((late.new, late.changed), (1, false));
    let all = store
        .user_cards(workspace(), &ann, noon(), 10)
        .await
        .unwrap();
    assert_eq!(all.cards[0].state.first(Mark::Seen), Some(noon()));
}

pub(crate) async fn counts_are_kept_by_the_day_things_happened(harness: &dyn Harness) {
    let store = harness.open().await;
    let sending = Sending::new(1);
    let mut cards = Vec::new();
    for user in users(0..3) {
        cards.push((user.clone(), sending.give(&*store, &user).await));
    }
    for (place, (user, card)) in (0_u32..).zip(&cards) {
        let events = vec![sending.event(*card, Mark::Seen, noon().plus(place * DAY))];
        store
            .record_card_events(workspace(), user, events, noon().plus(3 * DAY))
            .await
            .unwrap();
    }
    let rows = store.campaign_counts(workspace(), sending.campaign).await;
    let days: Vec<_> = rows
        .unwrap()
        .iter()
        .map(|row| {
            (
                row.day.to_string(),
                row.counts.sent,
                row.counts.unique_impressions,
            )
        })
        .collect();
    let expected = [
        ("2026-11-21".to_owned(), 3, 1),
        ("2026-11-22".to_owned(), 0, 1),
        ("2026-11-23".to_owned(), 0, 1),
    ];
    assert_eq!(days, expected);
    let elsewhere = super::sample::other_workspace();
    let none = store.campaign_counts(elsewhere, sending.campaign).await;
    assert_eq!(none.unwrap(), []);
}

pub(crate) async fn events_of_several_cohorts_are_recorded_together(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let near = Sending::new(1);
    let far = Sending {
        expires_at: noon().plus(40 * DAY),
        ..Sending::new(2)
    };
    let (a, b) = (
        near.give(&*store, &ann).await,
        far.give(&*store, &ann).await,
    );
    let events = vec![
        near.event(a, Mark::Seen, noon()),
        far.event(b, Mark::Seen, noon()),
    ];
    let recorded = store
        .record_card_events(workspace(), &ann, events, noon())
        .await;
    assert_eq!(recorded.unwrap().new, 2);
    assert_eq!(near.counts(&*store).await.unique_impressions, 1);
    assert_eq!(far.counts(&*store).await.unique_impressions, 1);
}

pub(crate) async fn removing_marks_live_cards_of_the_named_campaigns(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let sendings: Vec<_> = (1..4).map(Sending::new).collect();
    for sending in &sendings {
        sending.give(&*store, &ann).await;
    }
    let campaigns = [sendings[0].campaign, sendings[2].campaign];
    let remove = || store.remove_cards(workspace(), &ann, &campaigns, noon());
    assert_eq!(remove().await.unwrap(), 2);
    assert_eq!(remove().await.unwrap(), 0);
    let all = store
        .user_cards(workspace(), &ann, noon(), 10)
        .await
        .unwrap();
    for card in &all.cards {
        let removed = campaigns.contains(&card.campaign);
        assert_eq!(
            card.state.has(Mark::Removed),
            removed,
            "{:?}",
            card.campaign
        );
    }
    assert_eq!(sendings[0].counts(&*store).await.dismissals, 0);
    // Nothing is left to remove once they have expired.
    let expired = sendings[0].expires_at;
    let campaigns = [sendings[1].campaign];
    let late = store.remove_cards(workspace(), &ann, &campaigns, expired);
    assert_eq!(late.await.unwrap(), 0);
}

pub(crate) async fn a_broadcast_is_removed_without_being_counted(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let sending = Sending::new(1);
    let broadcast = CardId::from_bytes([9; 16]);
    let removal = || vec![sending.event(broadcast, Mark::Removed, noon())];
    let record = || store.record_card_events(workspace(), &ann, removal(), noon());
    let (new, changed) = (1, true);
    assert_eq!(record().await.unwrap(), RecordedEvents { new, changed });
    assert_eq!(record().await.unwrap(), RecordedEvents::default());
    assert_eq!(sending.counts(&*store).await, EventCounts::default());
    let all = store
        .user_cards(workspace(), &ann, noon(), 10)
        .await
        .unwrap();
    assert!(all.broadcast_states[0].1.has(Mark::Removed));
    assert!(cards_of(&*store, &ann, noon()).await.is_empty());
}

pub(crate) async fn an_event_from_the_future_counts_once_and_as_of_now(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let sending = Sending::new(1);
    let card = sending.give(&*store, &ann).await;
    let ahead = vec![sending.event(card, Mark::Seen, noon().plus(DAY * 400))];
    for (minutes, new) in [(0, 1), (1, 0), (60, 0)] {
        let now = noon().plus(Duration::from_mins(minutes));
        let recorded = store
            .record_card_events(workspace(), &ann, ahead.clone(), now)
            .await;
        assert_eq!(recorded.unwrap().new, new, "after {minutes} minutes");
    }
    let counts = store
        .campaign_counts(workspace(), sending.campaign)
        .await
        .unwrap();
    let days: Vec<_> = counts.iter().map(|row| row.day).collect();
    assert_eq!(days, [noon().day()]);
    let cards = store
        .user_cards(workspace(), &ann, noon(), 10)
        .await
        .unwrap();
    assert_eq!(cards.cards[0].state.first(Mark::Seen), Some(noon()));
}
