//! How fast a feed is read, roughly. Prints; fails only if something is very wrong.

use corkboard_feed::FeedQuery;
use serde_json::json;
use tokio::time::Instant;

use crate::world::{World, user};

#[tokio::test]
async fn reading_three_cards_and_two_broadcasts_is_fast_enough() {
    const READS: u32 = 500;
    let world = World::new().await;
    for _ in 0..3 {
        world.card("ada", json!({})).await;
    }
    for _ in 0..2 {
        world.broadcast(json!({})).await;
    }
    let (ada, query) = (user("ada"), FeedQuery::default());
    let begin = Instant::now();
    for _ in 0..READS {
        world
            .feeds
            .read(world.workspace, &ada, &query)
            .await
            .unwrap();
    }
    let rate = f64::from(READS) / begin.elapsed().as_secs_f64();
    println!("feeds read per second, one after the other, unoptimised build: {rate:.0}");
    assert!(rate > 20.0, "{rate} per second");
}
