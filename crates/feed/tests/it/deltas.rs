//! The promise of `since`: the old feed with the changes applied is the new feed.

use std::cmp::Reverse;

use corkboard_core::dispatch::{DispatchState, Shape};
use corkboard_core::hint::FeedChanges;
use corkboard_core::time::Timestamp;
use corkboard_feed::{FeedOptions, FeedQuery};
use corkboard_store::{CardStore, ControlStore};
use serde_json::{Value, json};

use crate::world::{World, definition, titled, user};

/// What a client has: cards in order, and the cursor.
#[derive(Default)]
struct Client {
    feed: Option<String>,
    cards: Vec<Value>,
    cursor: Option<String>,
    resets: usize,
    deltas: usize,
}

impl Client {
    async fn sync(&mut self, world: &World) {
        let since = self.cursor.clone();
        let delta = since.is_some();
        let reply = world
            .ask(
                "ada",
                FeedQuery {
                    feed: self.feed.clone(),
                    since,
                },
            )
            .await;
        let fresh = reply["cards"].as_array().unwrap().clone();
        if !delta || reply["reset"] == true {
            self.resets += usize::from(delta);
            self.cards = fresh;
        } else {
            self.deltas += 1;
            let removed = reply["removed"].as_array().unwrap();
            let replaced = |card: &Value| fresh.iter().any(|new| new["id"] == card["id"]);
            self.cards
                .retain(|card| !removed.contains(&card["id"]) && !replaced(card));
            self.cards.extend(fresh);
            self.cards.sort_by_key(|card| {
                let at: Timestamp = card["created_at"].as_str().unwrap().parse().unwrap();
                let shown = (card["pinned"].as_bool(), card["priority"].as_i64(), at);
                (Reverse(shown), card["id"].as_str().unwrap().to_owned())
            });
        }
        self.cursor = Some(reply["cursor"].as_str().unwrap().to_owned());
        let whole = world
            .ask(
                "ada",
                FeedQuery {
                    feed: self.feed.clone(),
                    since: None,
                },
            )
            .await;
        assert_eq!(Value::from(self.cards.clone()), whole["cards"]);
        assert_eq!(reply["unread"], whole["unread"]);
        assert_eq!(reply["cursor"], whole["cursor"]);
    }
}

/// A small generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[tokio::test]
async fn whatever_happens_the_changes_lead_to_the_feed_as_it_is() {
    let mut told = 0;
    for seed in 1..=4 {
        let options = FeedOptions {
            max_cards: 8,
            ..FeedOptions::default()
        };
        let world = World::with(options).await;
        let mut dice = Dice(seed);
        let (mut all, mut main) = (Client::default(), Client::default());
        main.feed = Some("main".to_owned());
        for _ in 0..40 {
            happen(&world, &mut dice).await;
            if dice.roll(2) == 0 {
                all.sync(&world).await;
            }
            if dice.roll(4) == 0 {
                main.sync(&world).await;
            }
        }
        told += all.deltas + main.deltas - all.resets - main.resets;
    }
    assert!(told > 60, "only {told} replies told what had changed");
}

async fn happen(world: &World, dice: &mut Dice) {
    let feed = if dice.roll(3) == 0 { "side" } else { "main" };
    let changes = json!({
        "feed": feed, "pinned": dice.roll(4) == 0, "priority": dice.roll(3),
        "expiry": {"ttl_seconds": 60 * (1 + dice.roll(60))},
    });
    let shown = world.feed("ada").await["cards"].as_array().unwrap().clone();
    let place = dice.roll(shown.len().max(1) as u64) as usize;
    let some = shown.get(place).and_then(|card| card["id"].as_str());
    match (dice.roll(8), some) {
        (0 | 1, _) => drop(world.card("ada", changes).await),
        (2, _) => drop(world.broadcast(changes).await),
        (3, Some(card)) => drop(world.report("ada", card, "impression").await),
        (4, Some(card)) => drop(world.report("ada", card, "dismiss").await),
        (5, Some(_)) => {
            let campaign = shown[place]["campaign_id"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap();
            world.stop(campaign, true).await;
        }
        (6, Some(card)) => {
            let card = card.parse().unwrap();
            world
                .feeds
                .remove_card(world.workspace, &user("ada"), card)
                .await
                .unwrap();
        }
        _ => world.later(60 * dice.roll(30)),
    }
}

#[tokio::test]
async fn an_expired_card_is_named_for_a_day_and_then_the_feed_is_reset() {
    let world = World::new().await;
    let (_, stored) = world
        .card("ada", json!({"expiry": {"ttl_seconds": 60}}))
        .await;
    world
        .broadcast(json!({"expiry": {"ttl_seconds": 60}}))
        .await;
    let before = world.feed("ada").await;
    let cursor = before["cursor"].as_str().unwrap();
    world.later(3_600);
    let soon = world.since("ada", cursor).await;
    assert_eq!(soon["removed"].as_array().unwrap().len(), 2);
    assert!(soon["removed"].as_array().unwrap().contains(&json!(stored)));
    assert_eq!(soon.get("reset"), None);
    // A node that never saw them knows them, too.
    let fresh = world.another_node();
    let query = FeedQuery {
        feed: None,
        since: Some(cursor.to_owned()),
    };
    let reply = fresh
        .read(world.workspace, &user("ada"), &query)
        .await
        .unwrap();
    let there: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(there["removed"], soon["removed"]);
    world.later(3 * 86_400);
    world.hub.workspace_changed(world.workspace);
    let late = world.since("ada", cursor).await;
    assert_eq!((&late["reset"], &late["cards"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn an_erased_users_client_starts_afresh() {
    let world = World::new().await;
    world.card("ada", json!({})).await;
    let before = world.feed("ada").await;
    world
        .cards
        .erase_user(world.workspace, &user("ada"), now(&world))
        .await
        .unwrap();
    let after = world.since("ada", before["cursor"].as_str().unwrap()).await;
    assert_eq!(
        (&after["reset"], &after["cards"]),
        (&json!(true), &json!([]))
    );
}

#[tokio::test]
async fn a_cancelled_broadcast_is_named_even_by_a_node_that_never_saw_it() {
    let world = World::new().await;
    let campaign = world.campaign(definition(json!({}))).await;
    let card = corkboard_core::identity::broadcast_card_id(campaign.id, 0);
    world
        .dispatch_as(
            &campaign,
            Shape::Broadcast,
            DispatchState::Done,
            Vec::new(),
            0,
        )
        .await;
    let before = world.feed("ada").await;
    assert_eq!(before["cards"][0]["id"], json!(card));
    world
        .control
        .stop_campaign(world.workspace, campaign.id, true, now(&world))
        .await
        .unwrap();
    let fresh = world.another_node();
    let query = FeedQuery {
        feed: None,
        since: Some(before["cursor"].as_str().unwrap().to_owned()),
    };
    let reply = fresh
        .read(world.workspace, &user("ada"), &query)
        .await
        .unwrap();
    let after: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        (&after["removed"], &after["cards"]),
        (&json!([card]), &json!([]))
    );
}

#[tokio::test]
async fn only_the_card_that_changed_is_sent() {
    let world = World::new().await;
    let campaign = world
        .campaign(definition(json!({"reeligible_after_seconds": 0})))
        .await;
    let dispatch = world.dispatch(&campaign, Shape::Personal).await;
    let card = world.give(&dispatch, "ada", titled("one")).await;
    world.card("ada", json!({})).await;
    let before = world.feed("ada").await;
    world.report("ada", card, "impression").await;
    let after = world.since("ada", before["cursor"].as_str().unwrap()).await;
    assert_eq!(after["cards"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&after["cards"][0]["id"], &after["cards"][0]["seen"]),
        (&json!(card), &json!(true))
    );
    assert_eq!(
        (&after["removed"], &after["unread"]),
        (&json!([]), &json!(1))
    );
}

fn now(world: &World) -> Timestamp {
    corkboard_core::time::Clock::now(&world.clock)
}
