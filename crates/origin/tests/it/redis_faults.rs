//! A Redis that fails in one way or another: answers stay right, and changes are not missed.

use std::time::Duration;

use corkboard_origin::{SourceOptions, install};
use corkboard_testkit::{PgDatabase, RedisCluster, RedisServer, TestResponse, wait_until};
use tokio::time::Instant;

use crate::world::{SOON, World, endpoints, options, shop, tier};

/// No answer takes longer, whatever Redis does: a debug build on a busy machine.
const BOUND: Duration = Duration::from_secs(5);

async fn hooked() -> PgDatabase {
    let shop = shop().await;
    install(shop.url(), &endpoints(), &SourceOptions::default())
        .await
        .expect("hooks can be installed");
    shop
}

/// Two origins with two rows in memory and in Redis.
async fn two_origins(shop: &PgDatabase, redis: &RedisServer) -> [World; 2] {
    let worlds = [
        World::start(shop.url(), Some(redis)).await,
        World::start(shop.url(), Some(redis)).await,
    ];
    for world in &worlds {
        for user in [1, 2] {
            world
                .get(&format!("/users/{user}/offer"))
                .await
                .expect_status(200);
        }
    }
    worlds
}

fn title(redis: &RedisServer) -> String {
    let answer = redis.command(&["HGET", "users:offer:1", "title"]);
    let mut lines = answer.lines();
    match lines.next() {
        None | Some("$-1") => String::new(),
        Some(_) => lines.next().unwrap_or_default().trim().to_owned(),
    }
}

/// While Redis is in this state: all rows are served, soon, and a change is seen by everybody.
async fn serves(shop: &PgDatabase, worlds: &[World], change: &str) {
    for user in 100..130 {
        for world in worlds {
            let began = Instant::now();
            let row = world.get(&format!("/users/{user}/offer")).await;
            let title = row.expect_status(200).json()["title"].clone();
            assert_eq!(title, format!("Offer {user}"));
            assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
        }
    }
    shop.sql(&format!(
        "UPDATE offers SET title = '{change}' WHERE user_id = 1"
    ))
    .await;
    for world in worlds {
        world
            .until("/users/1/offer", change, |row| row.text().contains(change))
            .await;
    }
}

/// After it: the change has reached Redis, which is used again.
async fn recovers(redis: &RedisServer, worlds: &[World], change: &str) {
    wait_until(SOON, "redis to have the change", || {
        let found = title(redis);
        let is_right = found == change || found.is_empty();
        std::future::ready(is_right.then_some(()).ok_or(found))
    })
    .await;
    let mut user = 200;
    wait_until(SOON, "redis to be used", || {
        user += 1;
        let path = format!("/users/{user}/offer");
        async move {
            worlds[0].get(&path).await.expect_status(200);
            let other = worlds[1].get(&path).await;
            (tier(&other) == "redis").then_some(()).ok_or(path)
        }
    })
    .await;
    for world in worlds {
        let row = world.get("/users/1/offer").await;
        assert!(row.text().contains(change), "{}", row.text());
    }
}

#[tokio::test]
async fn a_redis_that_hangs_costs_speed_only() {
    let (shop, redis) = (hooked().await, RedisServer::start(&[]).await);
    let worlds = two_origins(&shop, &redis).await;
    redis.freeze();
    serves(&shop, &worlds, "Hung").await;
    redis.thaw();
    recovers(&redis, &worlds, "Hung").await;
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_costs_speed_only() {
    let (shop, redis) = (hooked().await, RedisServer::start(&[]).await);
    let worlds = two_origins(&shop, &redis).await;
    let writable = |replicas| redis.command(&["CONFIG", "SET", "min-replicas-to-write", replicas]);
    assert!(writable("1").contains("OK"));
    serves(&shop, &worlds, "Read only").await;
    assert!(writable("0").contains("OK"));
    recovers(&redis, &worlds, "Read only").await;
}

#[tokio::test]
async fn a_redis_without_memory_costs_speed_only() {
    let (shop, redis) = (hooked().await, RedisServer::start(&[]).await);
    let worlds = two_origins(&shop, &redis).await;
    let memory = |bytes| redis.command(&["CONFIG", "SET", "maxmemory", bytes]);
    assert!(memory("1").contains("OK"));
    serves(&shop, &worlds, "Full").await;
    assert!(memory("0").contains("OK"));
    recovers(&redis, &worlds, "Full").await;
}

#[tokio::test]
async fn a_redis_that_is_emptied_or_dies_costs_speed_only() {
    let (shop, mut redis) = (hooked().await, RedisServer::start(&[]).await);
    let worlds = two_origins(&shop, &redis).await;
    assert!(redis.command(&["FLUSHALL"]).contains("OK"));
    serves(&shop, &worlds, "Empty").await;
    recovers(&redis, &worlds, "Empty").await;
    redis.kill();
    serves(&shop, &worlds, "Dead").await;
    redis.restart().await;
    recovers(&redis, &worlds, "Dead").await;
}

#[tokio::test]
async fn a_cluster_is_warmed_served_changed_and_verified() {
    let (shop, cluster) = (hooked().await, RedisCluster::start().await);
    let url = cluster.url();
    let world = World::start_over(shop.url(), Some(&url), options()).await;
    assert_eq!(world.origin.warm(0, |_| {}).await.unwrap().rows, 1_002);
    let other = World::start_over(shop.url(), Some(&url), options()).await;
    for user in 100..150 {
        let row = other.get(&format!("/users/{user}/offer")).await;
        assert_eq!(tier(&row.expect_status(200)), "redis", "{user}");
    }
    shop.sql("UPDATE offers SET title = 'All'").await;
    for world in [&world, &other] {
        for user in [1, 100, 149] {
            let path = format!("/users/{user}/offer");
            world
                .until(&path, "the change", |row| row.text().contains("All"))
                .await;
        }
    }
    shop.sql("ALTER TABLE offers DISABLE TRIGGER USER; DELETE FROM offers WHERE user_id < 110")
        .await;
    let found = world.origin.verify(0, |_| {}).await.unwrap();
    assert_eq!((found.rows, found.different, found.gone), (1_002, 0, 12));
}

#[tokio::test]
async fn keys_with_braces_hold_up_no_others_in_a_cluster() {
    let (shop, cluster) = (hooked().await, RedisCluster::start().await);
    shop.sql(
        "INSERT INTO english VALUES ('{x}', 'old'), ('a}b', 'old'), ('a{}', 'old'), ('a{', 'old')",
    )
    .await;
    let url = cluster.url();
    let world = World::start_over(shop.url(), Some(&url), options()).await;
    let (english, in_redis) = (5, 3);
    let warmed = world.origin.warm(english, |_| {}).await.unwrap();
    assert_eq!(
        warmed.rows, in_redis,
        "a Cluster has no place beside a}}b and a{{}}"
    );
    let paths =
        ["%7Bx%7D", "a%7Db", "a%7B%7D", "a%7B", "hello"].map(|key| format!("/pages/en/{key}"));
    for path in &paths {
        world.get(path).await.expect_status(200);
    }
    shop.sql("UPDATE english SET body = 'new'").await;
    shop.sql("UPDATE offers SET title = 'All' WHERE user_id = 1")
        .await;
    for path in paths.iter().map(String::as_str).chain(["/users/1/offer"]) {
        let changed = |row: &TestResponse| row.text().contains("new") || row.text().contains("All");
        world.until(path, "the change", changed).await;
    }
    let found = world.origin.verify(english, |_| {}).await.unwrap();
    assert_eq!((found.rows, found.different), (in_redis, 0));
}
