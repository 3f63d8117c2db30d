//! What is in a feed, in which order, and how it looks.

use std::time::Duration;

use corkboard_core::dispatch::{DispatchState, Shape};
use corkboard_core::hint::FeedChanges;
use corkboard_core::id::{CampaignId, CardId, Id};
use corkboard_feed::{FeedError, FeedOptions, FeedQuery};
use corkboard_store::ControlStore;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::world::{World, definition, titled, titles, user};

#[tokio::test]
async fn a_feed_looks_as_the_contract_says() {
    let world = World::new().await;
    let mut campaign = world
        .campaign(definition(json!({
            "expiry": {"at": "2026-12-01T00:00:00Z"},
            "variants": [{"name": "A", "card": {
                "type": "classic", "title": "Hi", "description": "There", "image_url": "https://a.example/i.png",
                "image_alt": "an image", "url": "https://a.example/", "url_text": "Go", "extras": {},
            }}],
        })))
        .await;
    campaign.id = CampaignId::from_bytes(*b"corkboard-cards!");
    let campaign = world.control.insert_campaign(&campaign).await.unwrap().0;
    let dispatch = world.dispatch(&campaign, Shape::Personal).await;
    let content = campaign.definition.variants[0].card.clone().unwrap();
    world.give(&dispatch, "u-1", content).await;
    let query = FeedQuery {
        feed: Some("main".to_owned()),
        since: None,
    };
    let reply = world
        .feeds
        .read(world.workspace, &user("u-1"), &query)
        .await
        .unwrap();
    insta::assert_snapshot!(String::from_utf8(reply.body.to_vec()).unwrap());
}

#[tokio::test]
async fn an_empty_feed_has_a_cursor_too() {
    let world = World::new().await;
    let feed = world.feed("nobody").await;
    assert_eq!(feed["cards"], json!([]));
    assert_eq!(
        (&feed["unread"], &feed["refresh_after_seconds"]),
        (&json!(0), &json!(600))
    );
    let again = world
        .since("nobody", feed["cursor"].as_str().unwrap())
        .await;
    assert_eq!(
        (&again["cards"], &again["removed"]),
        (&json!([]), &json!([]))
    );
}

#[tokio::test]
async fn pinned_cards_come_first_then_priority_then_the_newest() {
    let world = World::new().await;
    let card = |title: &str, more: Value| {
        let mut changes = json!({"variants": [{"name": "A", "card": {"title": title}}]});
        changes
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        changes
    };
    world.card("ada", card("old", json!({}))).await;
    world
        .card("ada", card("pinned", json!({"pinned": true})))
        .await;
    world.later(1);
    world.broadcast(card("new broadcast", json!({}))).await;
    world
        .card("ada", card("urgent", json!({"priority": 5})))
        .await;
    world
        .broadcast(card(
            "pinned and urgent",
            json!({"pinned": true, "priority": 1}),
        ))
        .await;
    world
        .card("ada", card("not urgent", json!({"priority": -5})))
        .await;
    world.later(1);
    world.card("ada", card("newest", json!({}))).await;
    assert_eq!(
        world.titles("ada").await,
        [
            "pinned and urgent",
            "pinned",
            "urgent",
            "newest",
            "new broadcast",
            "old",
            "not urgent"
        ]
    );
    assert_eq!(
        world.titles("bob").await,
        ["pinned and urgent", "new broadcast"]
    );
}

#[tokio::test]
async fn the_feed_parameter_selects_and_without_it_all_feeds_are_there() {
    let world = World::new().await;
    world.card("ada", json!({"feed": "side"})).await;
    world.broadcast(json!({})).await;
    let of = async |feed: &str| {
        let query = FeedQuery {
            feed: Some(feed.to_owned()),
            since: None,
        };
        world.ask("ada", query).await["cards"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        (of("main").await, of("side").await, of("none").await),
        (1, 1, 0)
    );
    assert_eq!(world.titles("ada").await.len(), 2);
}

#[tokio::test]
async fn expired_dismissed_removed_and_cancelled_cards_are_absent() {
    let world = World::new().await;
    let (_, dismissed) = world.card("ada", json!({})).await;
    let (_, removed) = world.card("ada", json!({})).await;
    let (cancelled, _) = world.card("ada", json!({})).await;
    let (stopped, kept) = world.card("ada", json!({})).await;
    world
        .card("ada", json!({"expiry": {"ttl_seconds": 60}}))
        .await;
    world
        .broadcast(json!({"expiry": {"ttl_seconds": 60}}))
        .await;
    let taken_back = world.broadcast(json!({})).await;
    assert_eq!(world.titles("ada").await.len(), 7);

    world.report("ada", dismissed, "dismiss").await;
    assert!(
        world
            .feeds
            .remove_card(world.workspace, &user("ada"), removed)
            .await
            .unwrap()
    );
    world.stop(cancelled.campaign, true).await;
    world.stop(stopped.campaign, false).await;
    world.stop(taken_back.id, true).await;
    world.later(60);
    let feed = world.feed("ada").await;
    assert_eq!(feed["cards"].as_array().unwrap().len(), 1);
    assert_eq!(feed["cards"][0]["id"], json!(kept));
}

#[tokio::test]
async fn unread_counts_what_is_neither_seen_nor_clicked_nor_a_control() {
    let world = World::new().await;
    let (_, seen) = world.card("ada", json!({})).await;
    let (_, clicked) = world.card("ada", json!({})).await;
    world
        .card(
            "ada",
            json!({"variants": [{"name": "c", "card": {"type": "control"}}]}),
        )
        .await;
    world.broadcast(json!({})).await;
    assert_eq!(world.feed("ada").await["unread"], json!(3));
    world.report("ada", seen, "impression").await;
    world.report("ada", clicked, "click").await;
    let feed = world.feed("ada").await;
    assert_eq!(feed["unread"], json!(1));
    let control = feed["cards"]
        .as_array()
        .unwrap()
        .iter()
        .find(|card| card["control"] == true);
    let control = control.unwrap();
    assert_eq!(
        (&control["type"], &control["title"]),
        (&json!("control"), &Value::Null)
    );
}

#[tokio::test]
async fn at_most_so_many_cards_are_shown_and_dismissed_ones_do_not_count() {
    let options = FeedOptions {
        max_cards: 3,
        ..FeedOptions::default()
    };
    let world = World::with(options).await;
    let (_, first) = world.card("ada", json!({"pinned": true})).await;
    for _ in 0..4 {
        world.later(1);
        world.card("ada", json!({})).await;
    }
    let shown = world.feed("ada").await;
    assert_eq!(shown["cards"].as_array().unwrap().len(), 3);
    assert_eq!(shown["unread"], json!(3));
    assert_eq!(shown["cards"][0]["id"], json!(first));
    world
        .report("ada", shown["cards"][1]["id"].as_str().unwrap(), "dismiss")
        .await;
    assert_eq!(world.titles("ada").await.len(), 3);
}

#[tokio::test]
async fn the_entity_tag_changes_with_the_feed_and_only_then() {
    let world = World::new().await;
    let (_, card) = world.card("ada", json!({})).await;
    let tag = async || {
        let query = FeedQuery::default();
        world
            .feeds
            .read(world.workspace, &user("ada"), &query)
            .await
            .unwrap()
            .etag
    };
    let before = tag().await;
    assert!(
        before.starts_with('"') && before.ends_with('"') && before.len() == 34,
        "{before}"
    );
    world.later(1);
    assert_eq!(tag().await, before);
    world.report("ada", card, "impression").await;
    assert_ne!(tag().await, before);
}

#[tokio::test]
async fn a_launch_that_was_acknowledged_is_in_the_next_read() {
    let world = World::new().await;
    for n in 1..=5 {
        let campaign = world.broadcast(json!({})).await;
        assert_eq!(world.titles("ada").await.len(), n, "after {}", campaign.id);
    }
}

#[tokio::test]
async fn what_this_node_launched_another_sees_at_its_next_look() {
    let world = World::new().await;
    let other = world.another_node();
    let cards = async || {
        let query = FeedQuery::default();
        let reply = other
            .read(world.workspace, &user("ada"), &query)
            .await
            .unwrap();
        titles(&serde_json::from_slice(&reply.body).unwrap()).len()
    };
    assert_eq!(cards().await, 0);
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    other.run(&tasks, shutdown.clone());
    let mut listening = other.subscribe(world.workspace, &user("ada")).unwrap();
    world.broadcast(json!({})).await;
    let hint = tokio::time::timeout(Duration::from_secs(20), listening.next())
        .await
        .unwrap();
    assert!(hint.is_some(), "a live connection is told of it");
    assert_eq!(cards().await, 1);
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn another_workspace_sees_nothing_of_it() {
    let world = World::new().await;
    world.card("ada", json!({})).await;
    world.broadcast(json!({})).await;
    let elsewhere = corkboard_core::id::WorkspaceId::from_bytes([9; 16]);
    let reply = world
        .feeds
        .read(elsewhere, &user("ada"), &FeedQuery::default())
        .await
        .unwrap();
    let feed: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(titles(&feed).len(), 0);
    let card = CardId::from_bytes([1; 16]);
    assert!(
        !world
            .feeds
            .remove_card(elsewhere, &user("ada"), card)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_planned_launch_shows_nothing_before_its_time() {
    let world = World::new().await;
    let campaign = world.campaign(definition(json!({}))).await;
    world
        .dispatch_as(
            &campaign,
            Shape::Broadcast,
            DispatchState::Planned,
            Vec::new(),
            0,
        )
        .await;
    assert_eq!(world.titles("ada").await.len(), 0);
}

#[tokio::test]
async fn a_text_that_is_no_cursor_is_refused() {
    let world = World::new().await;
    for text in ["", "x", "nonsense", "AQI"] {
        let query = FeedQuery {
            feed: None,
            since: Some(text.to_owned()),
        };
        let error = world
            .feeds
            .read(world.workspace, &user("ada"), &query)
            .await
            .unwrap_err();
        assert!(matches!(error, FeedError::InvalidCursor), "{text}: {error}");
    }
}

#[tokio::test]
async fn a_relaunched_broadcast_is_a_second_card() {
    let world = World::new().await;
    let campaign = world
        .broadcast(json!({"reeligible_after_seconds": 0}))
        .await;
    world.later(10);
    world
        .dispatch_as(
            &campaign,
            Shape::Broadcast,
            DispatchState::Done,
            Vec::new(),
            1,
        )
        .await;
    world.hub.workspace_changed(world.workspace);
    assert_eq!(world.titles("ada").await.len(), 2);
}

#[tokio::test]
async fn personal_texts_are_each_users_own() {
    let world = World::new().await;
    let campaign = world.campaign(definition(json!({}))).await;
    let dispatch = world.dispatch(&campaign, Shape::Personal).await;
    world.give(&dispatch, "ada", titled("for Ada")).await;
    world.give(&dispatch, "bob", titled("for Bob")).await;
    assert_eq!(world.titles("ada").await, ["for Ada"]);
    assert_eq!(world.titles("bob").await, ["for Bob"]);
}

#[tokio::test]
async fn without_the_control_store_feeds_go_on_until_a_change_was_announced() {
    // No waiting: what is in force counts as old at once.
    let options = FeedOptions {
        live_poll: Duration::ZERO,
        ..FeedOptions::default()
    };
    let world = World::with(options).await;
    world.card("ada", json!({})).await;
    world.broadcast(json!({})).await;
    assert_eq!(world.titles("ada").await.len(), 2);
    world.control.close().await;
    assert_eq!(world.titles("ada").await.len(), 2);
    world.hub.workspace_changed(world.workspace);
    let read = world
        .feeds
        .read(world.workspace, &user("ada"), &FeedQuery::default())
        .await;
    assert!(
        matches!(read, Err(FeedError::Store(_))),
        "what changed is not known: {read:?}"
    );
}
