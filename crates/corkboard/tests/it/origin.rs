//! `corkboard origin` as an operator meets it.

mod bulk;

use std::fs;

use corkboard_testkit::{PgServer, RedisServer, TestClient, wait_until};
use rustix::process::Signal;
use tempfile::tempdir;

use crate::process::{PATIENCE, Served, command, run};

fn configuration(database: &str, redis: &str) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n\
         [origin]\ndatabase = \"{database}\"\nredis = \"{redis}\"\n\
         [[origin.endpoint]]\npath = \"/users/{{user_id}}/offer\"\ntable = \"offers\"\nkey = \"user_id\"\n"
    )
}

/// Where an origin that has just started serves.
fn listen(node: &Served) -> String {
    let line = node.log("serving as an origin");
    let serving: serde_json::Value = serde_json::from_str(&line).unwrap();
    serving["listen"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_origin_is_hooked_warmed_served_changed_and_verified() {
    let database = PgServer::shared().await.database().await;
    database
        .sql(
            "CREATE TABLE offers (user_id int PRIMARY KEY, title text);
              INSERT INTO offers SELECT n, 'Offer ' || n FROM generate_series(1, 2500) AS n",
        )
        .await;
    let redis = RedisServer::start(&[]).await;
    let folder = tempdir().unwrap();
    let file = folder.path().join("corkboard.toml");
    fs::write(&file, configuration(database.url(), &redis.url())).unwrap();

    let hooked = run(
        folder.path(),
        "origin --config corkboard.toml install-hooks",
    )
    .expect(0);
    assert_eq!(
        hooked.stdout,
        "/users/{user_id}/offer: changes of offers are recorded\n"
    );
    let warmed = run(folder.path(), "origin --config corkboard.toml warm").expect(0);
    assert_eq!(warmed.stdout, "/users/{user_id}/offer: 2500 rows\n");

    let mut node = Served::start(command(folder.path(), "origin --config corkboard.toml"));
    let client = TestClient::new(format!("http://{}", listen(&node)));
    let first = client.get("/users/7/offer").send().await.expect_status(200);
    assert_eq!(first.text(), r#"{"user_id":7,"title":"Offer 7"}"#);
    assert_eq!(first.header("x-cache"), Some("redis"));
    database
        .sql("UPDATE offers SET title = 'Socks' WHERE user_id = 7")
        .await;
    wait_until(PATIENCE, "the change", || async {
        let text = client.get("/users/7/offer").send().await.text();
        text.contains("Socks").then_some(()).ok_or(text)
    })
    .await;
    node.signal(Signal::TERM);
    assert!(node.ended().await.success());

    let verified = run(
        folder.path(),
        "origin --config corkboard.toml verify --json",
    )
    .expect(0);
    let found: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
    assert_eq!(found[0]["rows"], 2_500);
    assert_eq!(
        (&found[0]["different"], &found[0]["gone"]),
        (&0.into(), &0.into())
    );
}

#[tokio::test]
async fn what_does_not_fit_the_source_is_named_and_nothing_is_started() {
    let database = PgServer::shared().await.database().await;
    let folder = tempdir().unwrap();
    let file = folder.path().join("corkboard.toml");
    fs::write(&file, configuration(database.url(), "redis://127.0.0.1:1")).unwrap();
    let refused = run(folder.path(), "origin --config corkboard.toml").expect(64);
    assert!(
        refused.stderr.contains("/users/{user_id}/offer"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("offers"), "{}", refused.stderr);
    let away = configuration(
        "postgres://postgres@127.0.0.1:1/shop",
        "redis://127.0.0.1:1",
    );
    fs::write(&file, away).unwrap();
    run(folder.path(), "origin --config corkboard.toml").expect(69);
}

#[test]
fn a_url_of_the_source_that_cannot_work_is_a_mistake_of_the_configuration() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("corkboard.toml");
    let url = "postgres://me:secret@db/shop?sslmode=verify-ca";
    fs::write(&file, configuration(url, "redis://127.0.0.1:1")).unwrap();
    let refused = run(folder.path(), "config check corkboard.toml").expect(64);
    assert!(
        refused.stderr.contains("origin.database"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("unknown sslmode"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("secret"), "{}", refused.stderr);
}

#[test]
fn endpoints_that_take_each_others_requests_are_found_before_anything_is_asked() {
    let folder = tempdir().unwrap();
    let nobody = "postgres://postgres@127.0.0.1:1/shop";
    let text = configuration(nobody, "redis://127.0.0.1:1")
        + "[[origin.endpoint]]\npath = \"/users/{user_id}/offer\"\ntable = \"other\"\nkey = \"user_id\"\n";
    fs::write(folder.path().join("corkboard.toml"), text).unwrap();
    for arguments in [
        "config check corkboard.toml",
        "origin --config corkboard.toml",
    ] {
        let refused = run(folder.path(), arguments).expect(64);
        let expected = "corkboard: origin.endpoint[1].path: /users/{user_id}/offer takes";
        assert!(refused.stderr.starts_with(expected), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn all_endpoints_that_do_not_fit_the_source_are_named_at_once() {
    let database = PgServer::shared().await.database().await;
    database.sql("CREATE TABLE offers (user_id float8)").await;
    let folder = tempdir().unwrap();
    let text = configuration(database.url(), "redis://127.0.0.1:1")
        + "[[origin.endpoint]]\npath = \"/a/{id}\"\ntable = \"nowhere\"\nkey = \"id\"\n"
        + "[[origin.endpoint]]\npath = \"/b/{id}\"\nquery = \"select nothing where 1 = $1\"\nkey = \"id\"\n";
    fs::write(folder.path().join("corkboard.toml"), text).unwrap();
    let refused = run(folder.path(), "origin --config corkboard.toml").expect(64);
    let lines: Vec<&str> = refused.stderr.lines().collect();
    let words = ["float8", "nowhere", "nothing"];
    assert_eq!(lines.len(), words.len(), "{lines:?}");
    for (line, word) in lines.iter().zip(words) {
        assert!(line.contains(word), "{line}");
    }
}
