//! A statement that changes every row, with two origins on one Redis, of which the one that applies
//! the changes is killed in the middle.
//!
//! The promise: other rows are served meanwhile, and in the end nothing in Redis differs.
//! `CORKBOARD_BULK` sets the number of rows (20,000 when absent); the soak takes a million.

use std::time::Duration;

use corkboard_testkit::{PgDatabase, PgServer, RedisServer, TestClient, wait_until};
use rustix::process::Signal;
use tempfile::{TempDir, tempdir};
use tokio::time::timeout;

use super::{configuration, listen};
use crate::process::{Served, command, run};

const ROWS: u32 = 20_000;
/// A million rows take a debug build on a busy machine some minutes.
const PATIENCE: Duration = Duration::from_secs(1_200);
const ORIGIN: &str = "origin --config corkboard.toml";

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_all_rows_survives_the_death_of_who_applies_it() {
    let rows = match std::env::var("CORKBOARD_BULK") {
        Ok(text) => text.parse().expect("a number of rows"),
        Err(_) => ROWS,
    };
    let (database, redis, folder) = world(rows).await;
    run(folder.path(), &format!("{ORIGIN} install-hooks")).expect(0);
    let warmed = run(folder.path(), &format!("{ORIGIN} warm")).expect(0);
    assert!(
        warmed.stdout.contains(&format!("{rows} rows")),
        "{}",
        warmed.stdout
    );

    let mut applier = Served::start(command(folder.path(), ORIGIN));
    let _ = applier.log("this origin applies changes now");
    let other = Served::start(command(folder.path(), ORIGIN));
    let client = TestClient::new(format!("http://{}", listen(&other)));
    client.get("/users/1/offer").send().await.expect_status(200);

    let changing = database.sql("UPDATE offers SET title = 'New ' || user_id");
    let killing = async {
        until_redis_has_some(&redis).await;
        applier.signal(Signal::KILL);
        let _ = applier.ended().await;
        // The last ones within a page, and of all.
        let is_old = |user: u32| title(&redis, user) == format!("Offer {user}");
        assert!(
            is_old(9_999) || is_old(rows),
            "killed too late to prove anything"
        );
    };
    let applied = async {
        tokio::join!(changing, killing);
        let sql = "SELECT bool_and(pg_visible_in_snapshot(xid, applied)) \
             FROM corkboard_origin.change, corkboard_origin.progress";
        wait_until(PATIENCE, "all to be applied", || async {
            let found = database.sql(sql).await;
            (found.trim() == "t").then_some(()).ok_or(found)
        })
        .await;
    };
    let mut applied = std::pin::pin!(applied);
    let mut served = 0;
    while timeout(Duration::from_millis(20), &mut applied)
        .await
        .is_err()
    {
        let row = client
            .get(&format!("/others/{}", served % 100))
            .send()
            .await;
        row.expect_status(200);
        served += 1;
    }
    assert!(served > 10, "others were served {served} times");

    let row = client.get("/users/1/offer").send().await.expect_status(200);
    assert!(row.text().contains("New 1"), "{}", row.text());
    let verified = run(folder.path(), &format!("{ORIGIN} verify --json")).expect(0);
    let found: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
    let expected = serde_json::json!({"endpoint": "/users/{user_id}/offer", "rows": rows,
        "different": 0, "overlong": 0, "gone": 0, "retried": found[0]["retried"],
        "begun_again": 0});
    assert_eq!(found[0], expected);
}

async fn world(rows: u32) -> (PgDatabase, RedisServer, TempDir) {
    let database = PgServer::shared().await.database().await;
    database
        .sql(&format!(
            "CREATE TABLE offers (user_id int PRIMARY KEY, title text);
             INSERT INTO offers SELECT n, 'Offer ' || n FROM generate_series(1, {rows}) AS n;
             CREATE TABLE others (id int PRIMARY KEY, title text);
             INSERT INTO others SELECT n, 'Other' FROM generate_series(0, 99) AS n"
        ))
        .await;
    let redis = RedisServer::start(&[]).await;
    let folder = tempdir().unwrap();
    let text = configuration(database.url(), &redis.url())
        + "[[origin.endpoint]]\npath = \"/others/{id}\"\ntable = \"others\"\nkey = \"id\"\nttl = \"1s\"\n";
    std::fs::write(folder.path().join("corkboard.toml"), text).unwrap();
    (database, redis, folder)
}

/// Returns when the change has begun to reach Redis: keys are applied in the order of their text.
async fn until_redis_has_some(redis: &RedisServer) {
    wait_until(PATIENCE, "the change to reach redis", || {
        let found = title(redis, 1);
        let seen = found == "New 1";
        std::future::ready(seen.then_some(()).ok_or(found))
    })
    .await;
}

fn title(redis: &RedisServer, user: u32) -> String {
    let answer = redis.command(&["HGET", &format!("users:offer:{user}"), "title"]);
    answer.lines().nth(1).unwrap_or_default().trim().to_owned()
}
