//! Origins with and without Redis over one source: what is called applied is in Redis.

use corkboard_origin::{SourceOptions, install};
use corkboard_testkit::{PgDatabase, RedisServer, wait_until};

use crate::world::{SOON, World, endpoints, shop};

const PATH: &str = "/users/1/offer";

async fn hook(shop: &PgDatabase) {
    install(shop.url(), &endpoints(), &SourceOptions::default())
        .await
        .expect("hooks can be installed");
}

async fn change(shop: &PgDatabase, title: &str) {
    shop.sql(&format!(
        "UPDATE offers SET title = '{title}' WHERE user_id = 1"
    ))
    .await;
}

async fn sees(world: &World, title: &str) {
    world
        .until(PATH, title, |row| row.text().contains(title))
        .await;
}

async fn redis_has(redis: &RedisServer, title: &str) {
    wait_until(SOON, "redis to have the row", || {
        let found = redis.command(&["HGET", "users:offer:1", "title"]);
        let is_there = found.contains(title);
        std::future::ready(is_there.then_some(()).ok_or(found))
    })
    .await;
}

/// Waits until a statement says yes.
async fn holds(shop: &PgDatabase, condition: &str) {
    let sql = format!(
        "SELECT {condition} FROM corkboard_origin.progress \
         LEFT JOIN corkboard_origin.change ON true LIMIT 1"
    );
    wait_until(SOON, condition, || async {
        let found = shop.sql(&sql).await;
        (found.trim() == "t").then_some(()).ok_or(found)
    })
    .await;
}

#[tokio::test]
async fn one_without_redis_leaves_changes_to_those_with_redis() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    hook(&shop).await;
    let with = World::start(shop.url(), Some(&redis)).await;
    sees(&with, "Socks").await;
    holds(&shop, "has_redis").await;
    with.stop().await;
    // Nobody else is there, and still it is not its turn.
    let without = World::start(shop.url(), None).await;
    sees(&without, "Socks").await;
    for title in ["Gloves", "Scarf"] {
        change(&shop, title).await;
        sees(&without, title).await;
    }
    let applied = "SELECT count(*) FROM corkboard_origin.change, corkboard_origin.progress \
         WHERE pg_visible_in_snapshot(xid, applied)";
    assert_eq!(shop.sql(applied).await.trim(), "0");
    let with = World::start(shop.url(), Some(&redis)).await;
    redis_has(&redis, "Scarf").await;
    sees(&with, "Scarf").await;
}

#[tokio::test]
async fn one_without_redis_makes_way_for_one_with_redis() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    hook(&shop).await;
    let without = World::start(shop.url(), None).await;
    change(&shop, "Gloves").await;
    sees(&without, "Gloves").await;
    holds(&shop, "pg_visible_in_snapshot(xid, applied)").await;
    let with = World::start(shop.url(), Some(&redis)).await;
    sees(&with, "Gloves").await;
    change(&shop, "Scarf").await;
    for world in [&with, &without] {
        sees(world, "Scarf").await;
    }
    redis_has(&redis, "Scarf").await;
}

#[tokio::test]
async fn rows_of_before_are_rewritten_when_changes_were_applied_without_redis() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    let with = World::start(shop.url(), Some(&redis)).await;
    sees(&with, "Socks").await;
    with.stop().await;
    hook(&shop).await;
    let without = World::start(shop.url(), None).await;
    change(&shop, "Gloves").await;
    holds(&shop, "pg_visible_in_snapshot(xid, applied)").await;
    without.stop().await;
    redis_has(&redis, "Socks").await;
    let with = World::start(shop.url(), Some(&redis)).await;
    redis_has(&redis, "Gloves").await;
    sees(&with, "Gloves").await;
    holds(&shop, "NOT redis_is_behind").await;
}

#[tokio::test]
async fn what_nobody_with_redis_has_come_for_within_a_day_leaves_the_journal() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    hook(&shop).await;
    let with = World::start(shop.url(), Some(&redis)).await;
    sees(&with, "Socks").await;
    holds(&shop, "has_redis").await;
    with.stop().await;
    change(&shop, "Gloves").await;
    shop.sql("UPDATE corkboard_origin.change SET changed_at = now() - interval '2 days'")
        .await;
    let without = World::start(shop.url(), None).await;
    holds(&shop, "redis_is_behind AND xid IS NULL").await;
    without.stop().await;
    let with = World::start(shop.url(), Some(&redis)).await;
    redis_has(&redis, "Gloves").await;
    sees(&with, "Gloves").await;
}
