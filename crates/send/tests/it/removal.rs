//! Events that take cards away.

use corkboard_core::identity::broadcast_card_id;
use corkboard_core::state::Mark;
use corkboard_core::time::Clock;
use serde_json::json;

use crate::event::{event, events};
use crate::world::{World, user};

#[tokio::test]
async fn an_event_takes_the_users_stored_card_away() {
    let world = World::new().await;
    world.users(2).await;
    let running = world.run();
    let campaign = world
        .campaign(json!({"remove_on": ["bought", "left"]}))
        .await;
    world.launched(&running.sender, campaign).await;
    let other = world.campaign(json!({})).await;
    world.launched(&running.sender, other).await;
    world.heard.users.lock().unwrap().clear();
    let report = || events([event(&world, "bought", "u0", 1, json!({}))]);
    let tracked = running
        .sender
        .track(world.workspace, report())
        .await
        .unwrap();
    assert_eq!(tracked.removed_cards, 1);
    assert!(
        world.cards_of("u0", campaign).await[0]
            .state
            .has(Mark::Removed)
    );
    assert!(
        world.cards_of("u0", other).await[0].state.is_visible(),
        "another campaign's card"
    );
    assert!(
        world.cards_of("u1", campaign).await[0].state.is_visible(),
        "another user's card"
    );
    assert!(world.heard.users.lock().unwrap().contains(&user("u0")));
    let again = running
        .sender
        .track(world.workspace, report())
        .await
        .unwrap();
    assert_eq!((again.new_events, again.removed_cards), (0, 0));
}

#[tokio::test]
async fn an_event_takes_a_broadcast_away_from_that_user() {
    let world = World::new().await;
    let sender = world.idle();
    let campaign = world
        .campaign(json!({"remove_on": ["bought"],
            "variants": [{"name": "A", "card": {"title": "hi"}}]}))
        .await;
    sender
        .launch(world.workspace, campaign, world.new_dispatch())
        .await
        .unwrap();
    let bought = event(&world, "bought", "ada", 1, json!({}));
    sender
        .track(world.workspace, events([bought]))
        .await
        .unwrap();
    let states = async |who: &str| {
        let (who, now) = (user(who), world.clock.now());
        let found = world.cards.user_cards(world.workspace, &who, now, 10);
        found.await.unwrap().broadcast_states
    };
    let adas = states("ada").await;
    assert_eq!(adas.len(), 1);
    assert_eq!(adas[0].0, broadcast_card_id(campaign, 0));
    assert!(adas[0].1.has(Mark::Removed));
    assert_eq!(states("bob").await, []);
    assert!(world.heard.users.lock().unwrap().contains(&user("ada")));
}
