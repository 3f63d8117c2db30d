//! Live connections: told when something changed, once, and let go at shutdown.

use std::time::Duration;

use corkboard_core::hint::FeedChanges;
use corkboard_feed::{FeedError, FeedOptions};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::world::{World, user};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn many_changes_while_nobody_looks_are_one_hint_with_the_newest_cursor() {
    let world = World::new().await;
    let mut connection = world
        .feeds
        .subscribe(world.workspace, &user("ada"))
        .unwrap();
    for _ in 0..5 {
        world.card("ada", json!({})).await;
        world.broadcast(json!({})).await;
    }
    let hint = timeout(SOON, connection.next()).await.unwrap().unwrap();
    assert_eq!(json!(hint.cursor), world.feed("ada").await["cursor"]);
    let more = timeout(Duration::from_millis(100), connection.next()).await;
    assert!(more.is_err(), "there is nothing more to say: {more:?}");
}

#[tokio::test]
async fn a_hint_survives_a_caller_that_stops_waiting() {
    let world = World::new().await;
    let mut connection = world
        .feeds
        .subscribe(world.workspace, &user("ada"))
        .unwrap();
    world.card("ada", json!({})).await;
    for _ in 0..50 {
        // Polled once and dropped, as a heartbeat does at the wrong moment.
        let once = futures_util::FutureExt::now_or_never(connection.next());
        if once.is_some() {
            return;
        }
    }
    assert!(timeout(SOON, connection.next()).await.unwrap().is_some());
}

#[tokio::test]
async fn shutting_down_ends_every_connection() {
    let world = World::new().await;
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    world.feeds.run(&tasks, shutdown.clone());
    let mut connection = world
        .feeds
        .subscribe(world.workspace, &user("ada"))
        .unwrap();
    shutdown.cancel();
    assert_eq!(timeout(SOON, connection.next()).await.unwrap(), None);
    tasks.close();
    timeout(SOON, tasks.wait()).await.unwrap();
}

#[tokio::test]
async fn a_node_and_a_user_have_so_many_connections_and_no_more() {
    let options = FeedOptions {
        max_subscribers: 3,
        max_subscribers_per_user: 2,
        ..FeedOptions::default()
    };
    let world = World::with(options).await;
    let open = |name: &str| world.feeds.subscribe(world.workspace, &user(name));
    let refused = |name: &str| matches!(open(name).unwrap_err(), FeedError::TooManySubscribers);
    let first = open("ada").unwrap();
    let _second = open("ada").unwrap();
    assert!(refused("ada"), "two of one user");
    let _third = open("bob").unwrap();
    assert!(refused("cy"), "three in all");
    drop(first);
    assert!(open("cy").is_ok());
}

#[tokio::test]
async fn others_changes_are_not_ones_own() {
    let world = World::new().await;
    let mut connection = world
        .feeds
        .subscribe(world.workspace, &user("ada"))
        .unwrap();
    world.hub.users_changed(world.workspace, &[user("bob")]);
    assert!(
        timeout(Duration::from_millis(100), connection.next())
            .await
            .is_err()
    );
}
