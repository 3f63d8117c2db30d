//! Changes of the source reach what is served.

use corkboard_origin::{Content, EndpointSpec, Hooked, SourceError, SourceOptions, install};
use corkboard_testkit::PgDatabase;

use crate::world::{World, endpoint, endpoints, shop, tier};

async fn hook(shop: &PgDatabase) -> Vec<Hooked> {
    install(shop.url(), &endpoints(), &SourceOptions::default())
        .await
        .expect("hooks can be installed")
}

#[tokio::test]
async fn installing_twice_is_installing_once() {
    let shop = shop().await;
    hook(&shop).await;
    let hooked = hook(&shop).await;
    assert!(matches!(&hooked[0], Hooked::Table { table, .. } if table == "offers"));
    assert!(matches!(&hooked[1], Hooked::Query { .. }));
    shop.sql("UPDATE offers SET title = 'x' WHERE user_id IN (1, 2)")
        .await;
    let journal = "SELECT table_name, array(SELECT unnest(keys) ORDER BY 1) \
         FROM corkboard_origin.change";
    assert_eq!(shop.sql(journal).await.trim(), "public.offers|{1,2}");
}

#[tokio::test]
async fn a_change_of_any_kind_is_seen_without_waiting_for_the_ttl() {
    let shop = shop().await;
    hook(&shop).await;
    let world = World::start(shop.url(), None).await;
    let (path, title) = ("/users/1/offer", |text: &'static str| {
        move |response: &corkboard_testkit::TestResponse| response.text().contains(text)
    });
    world.until(path, "the row", title("Socks")).await;
    for (sql, seen) in [
        (
            "UPDATE offers SET title = 'Gloves' WHERE user_id = 1",
            "Gloves",
        ),
        (
            "UPDATE offers SET user_id = 3 WHERE user_id = 1",
            "not_found",
        ),
        (
            "INSERT INTO offers (user_id, title) VALUES (1, 'Scarf')",
            "Scarf",
        ),
        ("DELETE FROM offers WHERE user_id = 1", "not_found"),
        (
            "INSERT INTO offers (user_id, title) VALUES (1, 'Boots')",
            "Boots",
        ),
        ("TRUNCATE offers", "not_found"),
    ] {
        shop.sql(sql).await;
        world.until(path, seen, title(seen)).await;
    }
}

#[tokio::test]
async fn a_change_that_was_rolled_back_is_none() {
    let shop = shop().await;
    hook(&shop).await;
    shop.sql("BEGIN; UPDATE offers SET title = 'x'; ROLLBACK")
        .await;
    assert_eq!(
        shop.sql("SELECT count(*) FROM corkboard_origin.change")
            .await
            .trim(),
        "0"
    );
}

#[tokio::test]
async fn a_transaction_that_began_early_and_ends_late_is_not_missed() {
    let shop = shop().await;
    hook(&shop).await;
    let world = World::start(shop.url(), None).await;
    for user in [1, 2] {
        world
            .get(&format!("/users/{user}/offer"))
            .await
            .expect_status(200);
    }
    // The first statement takes its transaction id before the second one begins, and commits after.
    let early =
        "BEGIN; UPDATE offers SET title = 'early' WHERE user_id = 1; SELECT pg_sleep(1.5); COMMIT";
    let late = async {
        corkboard_testkit::wait_until(crate::world::SOON, "the early one to sleep", || async {
            let sleeping = "SELECT count(*) FROM pg_stat_activity \
                 WHERE wait_event = 'PgSleep' AND datname = current_database()";
            let count = shop.sql(sleeping).await;
            (count.trim() == "1").then_some(()).ok_or(count)
        })
        .await;
        shop.sql("UPDATE offers SET title = 'late' WHERE user_id = 2")
            .await;
        world
            .until("/users/2/offer", "the late one", |r| {
                r.text().contains("late")
            })
            .await;
        let before = world.get("/users/1/offer").await;
        assert!(before.text().contains("Socks"), "{}", before.text());
    };
    tokio::join!(shop.sql(early), late);
    world
        .until("/users/1/offer", "the early one", |r| {
            r.text().contains("early")
        })
        .await;
}

#[tokio::test]
async fn a_statement_that_changes_all_rows_is_a_few_rows_of_the_journal() {
    let shop = shop().await;
    hook(&shop).await;
    let world = World::start(shop.url(), None).await;
    shop.sql("INSERT INTO offers SELECT n, 'x' FROM generate_series(10000, 109999) AS n")
        .await;
    for user in [1, 50_000] {
        world
            .until(&format!("/users/{user}/offer"), "a row", |r| {
                r.status == 200
            })
            .await;
    }
    // Just a full page of the journal.
    let applied = "SELECT count(*), bool_and(pg_visible_in_snapshot(xid, applied)) \
         FROM corkboard_origin.change, corkboard_origin.progress";
    corkboard_testkit::wait_until(crate::world::SOON, "it to be applied", || async {
        let found = shop.sql(applied).await;
        (found.trim() == "100|t").then_some(()).ok_or(found)
    })
    .await;
    shop.sql("UPDATE offers SET title = 'all'").await;
    let rows = "SELECT count(*), max(cardinality(keys)) FROM corkboard_origin.change";
    assert_eq!(shop.sql(rows).await.trim(), "202|1000");
    for user in [1, 50_000] {
        world
            .until(&format!("/users/{user}/offer"), "the change", |r| {
                r.text().contains("all")
            })
            .await;
    }
}

#[tokio::test]
async fn hooks_that_come_later_are_found() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    let first = world.get("/users/1/offer").await;
    assert_eq!(tier(&first), "source");
    hook(&shop).await;
    let update = "UPDATE offers SET title = title || '+' WHERE user_id = 1";
    corkboard_testkit::wait_until(crate::world::SOON, "a change to be seen", || async {
        shop.sql(update).await;
        let row = world.get("/users/1/offer").await;
        row.text()
            .contains('+')
            .then_some(())
            .ok_or_else(|| row.text())
    })
    .await;
}

fn table(path: &str, key: &str, name: &str) -> EndpointSpec {
    let (name, columns) = (name.to_owned(), Vec::new());
    endpoint(path, key, Content::Table { name, columns })
}

#[tokio::test]
async fn a_table_has_one_name_however_it_is_named() {
    let shop = shop().await;
    hook(&shop).await;
    let other = [table("/o/{user_id}", "user_id", "public.offers")];
    install(shop.url(), &other, &SourceOptions::default())
        .await
        .unwrap();
    let world = World::start(shop.url(), None).await;
    world.get("/users/1/offer").await.expect_status(200);
    shop.sql("UPDATE offers SET title = 'Gloves' WHERE user_id = 1")
        .await;
    world
        .until("/users/1/offer", "the change", |r| {
            r.text().contains("Gloves")
        })
        .await;
}

#[tokio::test]
async fn a_partition_that_is_written_to_directly_is_recorded_for_its_table() {
    let shop = shop().await;
    shop.sql(
        "CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
         CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (100)",
    )
    .await;
    let specs = [table("/parts/{id}", "id", "parts")];
    install(shop.url(), &specs, &SourceOptions::default())
        .await
        .unwrap();
    shop.sql("INSERT INTO parts VALUES (1, 'by the table')")
        .await;
    shop.sql("INSERT INTO low VALUES (2, 'directly')").await;
    let journal = "SELECT table_name, keys FROM corkboard_origin.change ORDER BY change_no";
    let expected = "public.parts|{1}\npublic.parts|{2}";
    assert_eq!(shop.sql(journal).await.trim(), expected);
}

#[tokio::test]
async fn what_cannot_be_hooked_is_all_named_and_nothing_is_installed() {
    let shop = shop().await;
    shop.sql("CREATE VIEW cheap AS SELECT * FROM offers").await;
    let specs = [
        table("/a/{user_id}", "user_id", "offers"),
        table("/b/{user_id}", "user_id", "cheap"),
        table("/c/{id}", "id", "nowhere"),
        table("/d/{id}", "id", "offers"),
    ];
    let refused = install(shop.url(), &specs, &SourceOptions::default()).await;
    let Err(SourceError::Endpoints { problems }) = refused else {
        panic!("{refused:?}");
    };
    let words = ["cheap is a view", "no table nowhere", "no column id"];
    assert_eq!(problems.len(), words.len(), "{problems:?}");
    for (problem, word) in problems.iter().zip(words) {
        assert!(problem.contains(word), "{problem}");
    }
    let installed = "SELECT to_regnamespace('corkboard_origin') IS NULL";
    assert_eq!(shop.sql(installed).await.trim(), "t");
    let queries = &endpoints()[1..3];
    let refused = install(shop.url(), queries, &SourceOptions::default()).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("no endpoint is over a table")
    );
}

#[tokio::test]
async fn what_has_been_applied_for_long_leaves_the_journal() {
    let shop = shop().await;
    hook(&shop).await;
    shop.sql("UPDATE offers SET title = 'x' WHERE user_id < 1000")
        .await;
    shop.sql("UPDATE corkboard_origin.change SET changed_at = now() - interval '1 hour'")
        .await;
    shop.sql("UPDATE offers SET title = 'y' WHERE user_id = 1")
        .await;
    let _world = World::start(shop.url(), None).await;
    let left = "SELECT array_agg(keys::text) FROM corkboard_origin.change";
    corkboard_testkit::wait_until(crate::world::SOON, "the old one to go", || async {
        let found = shop.sql(left).await;
        (found.trim() == r#"{"{1}"}"#).then_some(()).ok_or(found)
    })
    .await;
}
