//! Many who want one row cost the source one question.

use std::time::Duration;

use corkboard_testkit::{RedisServer, wait_until};
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::world::{SOON, World, options, shop};

/// How often the source was asked.
async fn asked(shop: &corkboard_testkit::PgDatabase) -> String {
    let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM asked";
    shop.sql(sql).await.trim().to_owned()
}

#[tokio::test]
async fn a_thousand_misses_of_one_key_are_one_question() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    let all = (0..1_000).map(|_| world.get("/counted/1"));
    for response in join_all(all).await {
        assert_eq!(response.expect_status(200).text(), "Socks");
    }
    assert_eq!(asked(&shop).await, "1");
}

#[tokio::test]
async fn a_first_caller_that_hangs_up_takes_nobodys_answer_away() {
    let shop = shop().await;
    let mut options = options();
    options.source.statement = SOON;
    options.patience = SOON;
    let world = World::start_with(shop.url(), None, options).await;
    // The table is locked, so that the question waits.
    let lock = "BEGIN; LOCK TABLE offers IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(2); COMMIT";
    let asking = async {
        let locked =
            "SELECT count(*) FROM pg_locks WHERE relation = 'offers'::regclass AND granted";
        wait_until(SOON, "the lock", || async {
            let count = shop.sql(locked).await;
            (count.trim() == "1").then_some(()).ok_or(count)
        })
        .await;
        let first = timeout(Duration::from_millis(100), world.get("/counted/1")).await;
        assert!(first.is_err(), "nothing was locked");
        world.get("/counted/1").await.expect_status(200)
    };
    let (_, second) = tokio::join!(shop.sql(lock), asking);
    assert_eq!(second.text(), "Socks");
    assert_eq!(asked(&shop).await, "1");
}

#[tokio::test]
async fn a_question_that_fails_is_not_asked_again_at_once() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    shop.sql("ALTER TABLE offers RENAME TO gone").await;
    let all = (0..1_000).map(|_| world.get("/counted/1"));
    for response in join_all(all).await {
        let refused = response.expect_status(503);
        assert!(refused.header("retry-after").is_some());
        assert_eq!(refused.json()["code"], "source_unavailable");
    }
    shop.sql("ALTER TABLE gone RENAME TO offers").await;
    world
        .until("/counted/1", "the source to be asked again", |response| {
            response.status == 200
        })
        .await;
}

#[tokio::test]
async fn two_origins_on_one_redis_ask_one_after_the_other() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    // Slow, and it notes when it is not alone.
    shop.sql(
        "CREATE SEQUENCE met;
         CREATE FUNCTION slowly(seconds float) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
             IF NOT pg_try_advisory_xact_lock(7) THEN PERFORM nextval('met'); END IF;
             PERFORM pg_sleep(seconds);
             RETURN 1; END $$;
         ALTER TABLE offers RENAME TO rows;
         CREATE VIEW offers AS SELECT * FROM rows WHERE slowly(user_id) > 0",
    )
    .await;
    let mut options = options();
    options.source.statement = Duration::from_millis(1_500);
    let first = World::start_with(shop.url(), Some(&redis), options.clone()).await;
    let second = World::start_with(shop.url(), Some(&redis), options).await;
    let both = |path: &'static str| async { tokio::join!(first.get(path), second.get(path)) };
    let (one, other) = both("/counted/1").await;
    assert_eq!((one.text(), other.text()), ("Socks".into(), "Socks".into()));
    assert_eq!(
        asked(&shop).await,
        "1",
        "the second one waits for the first"
    );
    // Longer than the source lets a statement run: both fail, neither while the other asks.
    let (one, other) = both("/counted/2").await;
    assert_eq!((one.status, other.status), (503, 503));
    let met = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM met";
    assert_eq!(shop.sql(met).await.trim(), "0");
}
