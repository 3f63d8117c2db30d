//! Every card of a user with its state, and taking one back.

use corkboard_core::dispatch::Shape;
use corkboard_core::id::{CardId, Id};
use corkboard_feed::InspectedState;
use serde_json::json;

use crate::world::{World, definition, titled, user};

#[tokio::test]
async fn every_card_is_listed_with_its_state_and_names() {
    let world = World::new().await;
    let campaign = world
        .campaign(definition(json!({
            "name": "Two ways",
            "variants": [
                {"name": "A", "card": {"title": "a"}},
                {"name": "B", "card": {"title": "b"}},
            ],
        })))
        .await;
    let dispatch = world.dispatch(&campaign, Shape::Personal).await;
    let visible = world.give_variant(&dispatch, "ada", 1, titled("b")).await;
    world.later(1);
    let (_, dismissed) = world.card("ada", json!({})).await;
    world.later(1);
    let (_, removed) = world.card("ada", json!({})).await;
    world.later(1);
    let (cancelled, taken) = world.card("ada", json!({})).await;
    world.later(1);
    let (_, expired) = world
        .card("ada", json!({"expiry": {"ttl_seconds": 10}}))
        .await;
    world.later(1);
    let broadcast = world.broadcast(json!({"name": "To all"})).await;
    world.report("ada", dismissed, "dismiss").await;
    world.report("ada", visible, "impression").await;
    assert!(
        world
            .feeds
            .remove_card(world.workspace, &user("ada"), removed)
            .await
            .unwrap()
    );
    world.stop(cancelled.campaign, true).await;
    world.later(30);

    let cards = world
        .feeds
        .user_cards(world.workspace, &user("ada"))
        .await
        .unwrap();
    let seen: Vec<(CardId, InspectedState)> =
        cards.iter().map(|card| (card.id, card.state)).collect();
    let broadcast_card = corkboard_core::identity::broadcast_card_id(broadcast.id, 0);
    let wanted = [
        (broadcast_card, InspectedState::Visible),
        (expired, InspectedState::Expired),
        (taken, InspectedState::Cancelled),
        (removed, InspectedState::Removed),
        (dismissed, InspectedState::Dismissed),
        (visible, InspectedState::Visible),
    ];
    assert_eq!(seen, wanted);
    let shown = serde_json::to_value(&cards[5]).unwrap();
    assert_eq!(
        (
            &shown["campaign_name"],
            &shown["variant"],
            &shown["state"],
            &shown["feed"]
        ),
        (
            &json!("Two ways"),
            &json!("B"),
            &json!("visible"),
            &json!("main")
        )
    );
    assert!(cards[5].seen_at.is_some() && cards[4].dismissed_at.is_some());
    assert!(cards[0].broadcast && cards[0].campaign_name == "To all");
}

#[tokio::test]
async fn one_card_is_taken_back_from_one_user() {
    let world = World::new().await;
    let campaign = world
        .campaign(definition(json!({"reeligible_after_seconds": 0})))
        .await;
    let first = world.dispatch(&campaign, Shape::Personal).await;
    let one = world.give(&first, "ada", titled("one")).await;
    world.give(&first, "bob", titled("one")).await;
    world.later(1);
    let second = world.dispatch(&campaign, Shape::Personal).await;
    world.give(&second, "ada", titled("two")).await;
    let remove = async |card| {
        world
            .feeds
            .remove_card(world.workspace, &user("ada"), card)
            .await
            .unwrap()
    };
    assert!(remove(one).await);
    assert!(remove(one).await, "again is fine");
    assert!(!remove(CardId::from_bytes([5; 16])).await);
    assert_eq!(world.titles("ada").await, ["two"]);
    assert_eq!(world.titles("bob").await, ["one"]);
}

#[tokio::test]
async fn a_broadcast_can_be_taken_back_from_one_user() {
    let world = World::new().await;
    let campaign = world.broadcast(json!({})).await;
    let card = corkboard_core::identity::broadcast_card_id(campaign.id, 0);
    assert!(
        world
            .feeds
            .remove_card(world.workspace, &user("ada"), card)
            .await
            .unwrap()
    );
    assert_eq!(
        (
            world.titles("ada").await.len(),
            world.titles("bob").await.len()
        ),
        (0, 1)
    );
}
