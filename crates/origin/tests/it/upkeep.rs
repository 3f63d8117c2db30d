//! Work on all rows goes on where Redis, or the source, was away for a while.

use corkboard_origin::{SourceOptions, Verified, install};
use corkboard_testkit::{PgDatabase, RedisServer, wait_until};

use crate::world::{SOON, World, endpoints, shop, tier};

/// Some pages of Redis, and of the source.
const ROWS: u64 = 6_000;

/// A shop with many offers, all of them in Redis.
async fn full(shop: &PgDatabase, redis: &RedisServer) -> World {
    shop.sql(
        "TRUNCATE offers;
         INSERT INTO offers SELECT n, 'Offer ' || n FROM generate_series(1, 6000) AS n",
    )
    .await;
    let world = World::start(shop.url(), Some(redis)).await;
    let warmed = world.origin.warm(0, |_| {}).await.expect("redis is there");
    assert_eq!((warmed.rows, warmed.retried), (ROWS, 0));
    world
}

/// Redis hangs, and goes on when the origin has left it out.
async fn hangs(redis: &RedisServer, world: &World) {
    redis.freeze();
    let mut user = 0;
    wait_until(SOON, "redis to be left out", || {
        user += 1;
        let path = format!("/users/{user}/offer");
        async move {
            let row = world.get(&path).await.expect_status(200);
            (tier(&row) == "source")
                .then_some(())
                .ok_or_else(|| tier(&row).to_owned())
        }
    })
    .await;
    redis.thaw();
}

/// Tells once that work is under way.
fn begun() -> (impl FnMut(u64), tokio::sync::oneshot::Receiver<()>) {
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let tells = move |_| {
        if let Some(tell) = tell.take() {
            let _ = tell.send(());
        }
    };
    (tells, told)
}

#[tokio::test]
async fn verifying_goes_on_when_redis_was_away_for_a_while() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    let world = full(&shop, &redis).await;
    shop.sql("UPDATE offers SET title = 'new' WHERE user_id > 5900")
        .await;
    let (tell, told) = begun();
    let away = async {
        told.await.unwrap();
        hangs(&redis, &world).await;
    };
    let (verified, ()) = tokio::join!(world.origin.verify(0, tell), away);
    let verified = verified.unwrap();
    assert_eq!((verified.rows, verified.different), (ROWS, 100));
    assert_eq!((verified.gone, verified.begun_again), (0, 0));
    assert!(verified.retried > 0, "it did not notice");
}

#[tokio::test]
async fn warming_goes_on_when_redis_was_away_for_a_while() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    let world = full(&shop, &redis).await;
    assert!(redis.command(&["FLUSHALL"]).contains("OK"));
    let (tell, told) = begun();
    let away = async {
        told.await.unwrap();
        hangs(&redis, &world).await;
    };
    let (warmed, ()) = tokio::join!(world.origin.warm(0, tell), away);
    let warmed = warmed.unwrap();
    assert_eq!(warmed.rows, ROWS);
    assert!(warmed.retried > 0, "it did not notice");
    let verified = world.origin.verify(0, |_| {}).await.unwrap();
    let rows = ROWS;
    assert_eq!(
        verified,
        Verified {
            rows,
            ..Verified::default()
        }
    );
}

#[tokio::test]
async fn verifying_begins_again_when_redis_has_started_again_with_old_rows() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let (shop, mut redis) = (shop().await, RedisServer::start(&["--dir", &dir]).await);
    let world = full(&shop, &redis).await;
    shop.sql("UPDATE offers SET title = 'new' WHERE user_id % 2 = 0")
        .await;
    assert!(redis.command(&["SAVE"]).contains("OK"));
    let (tell, told) = begun();
    let away = async {
        told.await.unwrap();
        redis.restart().await;
    };
    let (verified, ()) = tokio::join!(world.origin.verify(0, tell), away);
    let verified = verified.unwrap();
    assert_eq!((verified.rows, verified.begun_again), (ROWS, 1));
    // What was put right before is old again.
    assert!(verified.different >= ROWS / 2, "{verified:?}");
    let again = world.origin.verify(0, |_| {}).await.unwrap();
    assert_eq!((again.rows, again.different), (ROWS, 0));
}

#[tokio::test]
async fn verifying_a_redis_that_came_back_empty_finds_nothing() {
    let (shop, mut redis) = (shop().await, RedisServer::start(&[]).await);
    let world = full(&shop, &redis).await;
    let (tell, told) = begun();
    let away = async {
        told.await.unwrap();
        redis.restart().await;
    };
    let (verified, ()) = tokio::join!(world.origin.verify(0, tell), away);
    let verified = verified.unwrap();
    assert_eq!((verified.rows, verified.begun_again), (0, 1));
}

#[tokio::test]
async fn a_truncated_table_leaves_redis_also_when_redis_is_away_meanwhile() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    install(shop.url(), &endpoints(), &SourceOptions::default())
        .await
        .unwrap();
    let world = full(&shop, &redis).await;
    redis.freeze();
    shop.sql("TRUNCATE offers").await;
    hangs_on(&world).await;
    redis.thaw();
    wait_until(SOON, "redis to be empty of offers", || {
        let one = redis.command(&["EXISTS", "users:offer:6000"]);
        let other = redis.command(&["EXISTS", "users:offer:1"]);
        let gone = one.contains(":0") && other.contains(":0");
        std::future::ready(gone.then_some(()).ok_or(one + &other))
    })
    .await;
}

/// Waits until the change is seen, which Redis cannot have told.
async fn hangs_on(world: &World) {
    world
        .until("/users/1/offer", "it to be gone", |row| row.status == 404)
        .await;
}
