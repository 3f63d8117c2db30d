//! The tier that origins share, in its public layout.

use corkboard_origin::{SourceOptions, install};
use corkboard_testkit::{RedisServer, TestResponse, wait_until};

use crate::world::{SOON, World, endpoints, shop, tier};

/// The one value in an answer of Redis.
fn said(redis: &RedisServer, words: &[&str]) -> String {
    let answer = redis.command(words);
    let mut lines = answer.lines();
    let first = lines.next().unwrap_or_default();
    match first.strip_prefix(':') {
        Some(number) => number.to_owned(),
        None => lines.next().unwrap_or_default().to_owned(),
    }
}

#[tokio::test]
async fn a_row_is_a_hash_that_another_origin_serves() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    let world = World::start(shop.url(), Some(&redis)).await;
    let first = world.get("/users/1/offer").await;
    assert_eq!(tier(&first), "source");
    let title = said(&redis, &["HGET", "users:offer:1", "title"]);
    assert_eq!(title.trim(), "Socks");
    assert_eq!(said(&redis, &["HLEN", "users:offer:1"]).trim(), "5");
    let ttl: i64 = said(&redis, &["TTL", "users:offer:1"]).parse().unwrap();
    assert!((2_870..=3_600).contains(&ttl), "{ttl}");
    let other = World::start(shop.url(), Some(&redis)).await;
    let second = other.get("/users/1/offer").await;
    assert_eq!((tier(&second), second.text()), ("redis", first.text()));
    assert_eq!(second.header("etag"), first.header("etag"));
}

#[tokio::test]
async fn a_hash_that_somebody_else_wrote_is_served() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    let world = World::start(shop.url(), Some(&redis)).await;
    said(
        &redis,
        &[
            "HSET",
            "users:offer:900000",
            "user_id",
            "900000",
            "title",
            "From elsewhere",
        ],
    );
    let row = world.get("/users/900000/offer").await.expect_status(200);
    assert_eq!(
        (tier(&row), row.json()["title"].as_str()),
        ("redis", Some("From elsewhere"))
    );
}

#[tokio::test]
async fn a_change_is_in_redis_also_when_nobody_was_there_to_see_it() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    install(shop.url(), &endpoints(), &SourceOptions::default())
        .await
        .unwrap();
    let world = World::start(shop.url(), Some(&redis)).await;
    world.get("/users/1/offer").await.expect_status(200);
    drop(world);
    shop.sql("UPDATE offers SET title = 'Gloves' WHERE user_id = 1")
        .await;
    assert_eq!(
        said(&redis, &["HGET", "users:offer:1", "title"]).trim(),
        "Socks"
    );
    let world = World::start(shop.url(), Some(&redis)).await;
    world
        .until("/users/1/offer", "the change", |r| {
            r.text().contains("Gloves")
        })
        .await;
    assert_eq!(
        said(&redis, &["HGET", "users:offer:1", "title"]).trim(),
        "Gloves"
    );
}

#[tokio::test]
async fn a_change_reaches_every_origin_and_redis() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    install(shop.url(), &endpoints(), &SourceOptions::default())
        .await
        .unwrap();
    let first = World::start(shop.url(), Some(&redis)).await;
    let second = World::start(shop.url(), Some(&redis)).await;
    for world in [&first, &second] {
        world.get("/users/1/offer").await.expect_status(200);
    }
    for round in 0..20 {
        let title = format!("Round {round}");
        shop.sql(&format!(
            "UPDATE offers SET title = '{title}' WHERE user_id = 1"
        ))
        .await;
        for world in [&first, &second] {
            world
                .until("/users/1/offer", &title, |r| r.text().contains(&title))
                .await;
        }
    }
    shop.sql("DELETE FROM offers WHERE user_id = 1").await;
    for world in [&first, &second] {
        world
            .until("/users/1/offer", "it to be gone", |r| r.status == 404)
            .await;
    }
    assert_eq!(said(&redis, &["EXISTS", "users:offer:1"]).trim(), "0");
}

#[tokio::test]
async fn an_open_transaction_keeps_nobody_from_hearing_what_was_applied() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    install(shop.url(), &endpoints(), &SourceOptions::default())
        .await
        .unwrap();
    let world = World::start(shop.url(), Some(&redis)).await;
    let other = World::start(shop.url(), Some(&redis)).await;
    world.get("/users/1/offer").await.expect_status(200);
    other.get("/users/1/offer").await.expect_status(200);
    let open = "BEGIN; UPDATE pages SET body = body; SELECT pg_sleep(60); COMMIT";
    let changing = async {
        let sleeps = "SELECT count(*) FROM pg_stat_activity \
             WHERE wait_event = 'PgSleep' AND datname = current_database()";
        until_said(&shop, sleeps, "1").await;
        shop.sql("UPDATE offers SET title = 'Gloves' WHERE user_id = 1")
            .await;
        let applied = "SELECT bool_and(pg_visible_in_snapshot(xid, applied)) \
             FROM corkboard_origin.change, corkboard_origin.progress";
        until_said(&shop, applied, "t").await;
        for world in [&world, &other] {
            world
                .until("/users/1/offer", "the change", |r| {
                    r.text().contains("Gloves")
                })
                .await;
        }
    };
    tokio::select! {
        _ = shop.try_sql(open) => panic!("it should still be open"),
        () = changing => {}
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_read_any_more_holds_up_no_other() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    install(shop.url(), &endpoints(), &SourceOptions::default())
        .await
        .unwrap();
    let world = World::start(shop.url(), Some(&redis)).await;
    for path in ["/bare/2", "/users/1/offer"] {
        world.get(path).await.expect_status(200);
    }
    shop.sql("ALTER TABLE bare RENAME TO away; UPDATE away SET size = 3")
        .await;
    shop.sql("UPDATE offers SET title = 'Gloves' WHERE user_id = 1")
        .await;
    world
        .until("/users/1/offer", "the change", |r| {
            r.text().contains("Gloves")
        })
        .await;
    assert_eq!(said(&redis, &["EXISTS", "bare:2"]).trim(), "0");
    assert_eq!(
        said(&redis, &["HGET", "users:offer:1", "title"]).trim(),
        "Gloves"
    );
}

/// Waits until a statement's answer is this.
async fn until_said(shop: &corkboard_testkit::PgDatabase, sql: &str, wanted: &str) {
    wait_until(SOON, sql, || async {
        let found = shop.sql(sql).await;
        (found.trim() == wanted).then_some(()).ok_or(found)
    })
    .await;
}

#[tokio::test]
async fn redis_that_is_killed_costs_speed_only() {
    let (shop, mut redis) = (shop().await, RedisServer::start(&[]).await);
    let world = World::start(shop.url(), Some(&redis)).await;
    world.get("/users/100/offer").await.expect_status(200);
    redis.kill();
    for user in 101..200 {
        world
            .get(&format!("/users/{user}/offer"))
            .await
            .expect_status(200);
    }
    redis.restart().await;
    world
        .until("/users/100/offer", "an answer", |r| r.status == 200)
        .await;
}

#[tokio::test]
async fn warming_fills_redis_and_verifying_puts_right_what_differs() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    let world = World::start(shop.url(), Some(&redis)).await;
    let mut heard = Vec::new();
    let count = world
        .origin
        .warm(0, |count| heard.push(count))
        .await
        .unwrap();
    assert_eq!((count.rows, heard.last()), (1_002, Some(&1_002)));
    assert_eq!(
        said(&redis, &["HGET", "users:offer:1099", "title"]).trim(),
        "Offer 1099"
    );
    let clean = world.origin.verify(0, |_| {}).await.unwrap();
    assert_eq!((clean.rows, clean.different, clean.gone), (1_002, 0, 0));
    // Without hooks nobody tells Redis.
    shop.sql("UPDATE offers SET title = 'new' WHERE user_id < 110; DELETE FROM offers WHERE user_id > 1097")
        .await;
    said(&redis, &["HSET", "users:offer:500", "title", "forged"]);
    let found = world.origin.verify(0, |_| {}).await.unwrap();
    assert_eq!((found.rows, found.different, found.gone), (1_002, 13, 2));
    let again = world.origin.verify(0, |_| {}).await.unwrap();
    assert_eq!((again.rows, again.different, again.gone), (1_000, 0, 0));
    said(&redis, &["PERSIST", "users:offer:501"]);
    said(&redis, &["EXPIRE", "users:offer:502", "999999"]);
    let overlong = world.origin.verify(0, |_| {}).await.unwrap();
    assert_eq!((overlong.different, overlong.overlong), (0, 2));
    let ttl: i64 = said(&redis, &["TTL", "users:offer:501"]).parse().unwrap();
    assert!((1..=3_600).contains(&ttl), "{ttl}");
    assert_eq!(
        said(&redis, &["HGET", "users:offer:500", "title"]).trim(),
        "Offer 500"
    );
}

#[tokio::test]
async fn a_row_of_nulls_alone_is_served_though_no_hash_can_hold_it() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    let world = World::start(shop.url(), Some(&redis)).await;
    assert_eq!(world.origin.warm(4, |_| {}).await.unwrap().rows, 2);
    let row = world.get("/bare/1").await.expect_status(200);
    assert_eq!(row.text(), r#"{"note":null,"size":null}"#);
    assert_eq!(said(&redis, &["EXISTS", "bare:1"]).trim(), "0");
    assert_eq!(said(&redis, &["HGET", "bare:2", "size"]).trim(), "2");
}

#[tokio::test]
async fn warming_again_after_one_that_was_killed_leaves_nothing_out() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    let world = World::start(shop.url(), Some(&redis)).await;
    // What it leaves behind: a lease that nobody will use.
    let lease = "corkboard:origin:lease:{users:offer:100}";
    said(&redis, &["SET", lease, "gone", "PX", "1000"]);
    assert_eq!(world.origin.warm(0, |_| {}).await.unwrap().rows, 1_002);
    let title = said(&redis, &["HGET", "users:offer:100", "title"]);
    assert_eq!(title.trim(), "Offer 100");
    assert_eq!(world.origin.warm(0, |_| {}).await.unwrap().rows, 1_002);
}

#[tokio::test]
async fn a_key_that_spells_the_name_of_another_endpoints_row_is_still_its_own() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    let world = World::start(shop.url(), Some(&redis)).await;
    let colon = world.get("/pages/en:hello").await.expect_status(200);
    assert_eq!(colon.text(), "a colon");
    let english = world.get("/pages/en/hello").await.expect_status(200);
    assert_eq!(
        (tier(&english), english.text().as_str()),
        ("source", "Hello.")
    );
    // What does not exist says nothing about what does.
    world.get("/pages/en:bye").await.expect_status(404);
    shop.sql("INSERT INTO english VALUES ('bye', 'Bye.')").await;
    let bye = world.get("/pages/en/bye").await.expect_status(200);
    assert_eq!(bye.text(), "Bye.");

    // Nor does looking after one of them touch the other's.
    let pages = 1;
    let verified = world
        .origin
        .verify(pages, |_| {})
        .await
        .expect("redis is there");
    assert_eq!((verified.rows, verified.gone), (0, 0));
    let other = World::start(shop.url(), Some(&redis)).await;
    let english = other.get("/pages/en/hello").await.expect_status(200);
    assert_eq!(
        (tier(&english), english.text().as_str()),
        ("redis", "Hello.")
    );
    let colon = other.get("/pages/en:hello").await.expect_status(200);
    assert_eq!((tier(&colon), colon.text().as_str()), ("source", "a colon"));
}

#[tokio::test]
async fn what_verifying_puts_right_leaves_the_memory_of_origins_that_follow_the_journal() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    install(shop.url(), &endpoints(), &SourceOptions::default())
        .await
        .unwrap();
    said(&redis, &["HSET", "users:offer:1", "title", "forged"]);
    said(&redis, &["HSET", "users:offer:5", "title", "invented"]);
    let world = World::start(shop.url(), Some(&redis)).await;
    for user in [1, 5] {
        let wrong = world.get(&format!("/users/{user}/offer")).await;
        assert_eq!(tier(&wrong.expect_status(200)), "redis");
    }
    let other = World::start(shop.url(), Some(&redis)).await;
    let found = other.origin.verify(0, |_| {}).await.unwrap();
    assert_eq!((found.rows, found.different, found.gone), (2, 1, 1));
    let right = |row: &TestResponse| row.text().contains("Socks");
    world
        .until("/users/1/offer", "the source's row", right)
        .await;
    let gone = |row: &TestResponse| row.status == 404;
    world.until("/users/5/offer", "no row", gone).await;
}

#[tokio::test]
async fn who_may_only_read_the_tables_can_verify() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    install(shop.url(), &endpoints(), &SourceOptions::default())
        .await
        .unwrap();
    let (_, name) = shop.url().rsplit_once('/').unwrap();
    let role = format!("reader_{name}");
    shop.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    ))
    .await;
    let url = shop.url().replace("postgres@", &format!("{role}@"));
    assert_ne!(url, shop.url());
    said(&redis, &["HSET", "users:offer:1", "title", "forged"]);
    let world = World::start(&url, Some(&redis)).await;
    let found = world.origin.verify(0, |_| {}).await.unwrap();
    assert_eq!((found.rows, found.different), (1, 1));
}
