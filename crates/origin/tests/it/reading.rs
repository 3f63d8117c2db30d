//! What a client sees.

use serde_json::{Value, json};

use crate::world::{World, shop, tier};

#[tokio::test]
async fn a_row_is_served_as_json_from_the_source_then_from_memory() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    let first = world.get("/users/1/offer").await.expect_status(200);
    assert_eq!(tier(&first), "source");
    assert_eq!(first.header("content-type"), Some("application/json"));
    let expected = json!({"user_id": 1, "title": "Socks", "price": 12.5,
        "until": "2026-12-01T10:00:00+00:00", "more": {"size": [39, 42]}});
    assert_eq!(first.json(), expected);
    assert!(
        first
            .text()
            .starts_with(r#"{"user_id":1,"title":"Socks","price":12.50,"#)
    );
    let second = world.get("/users/001/offer").await.expect_status(200);
    assert_eq!(tier(&second), "memory");
    assert_eq!(second.text(), first.text());
}

#[tokio::test]
async fn null_is_null_and_quotes_stay_in_their_text() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    let row = world.get("/users/2/offer").await.json();
    let expected = json!({"user_id": 2, "title": "A \"quoted\" hat", "price": null, "until": null,
        "more": null});
    assert_eq!(row, expected);
}

#[tokio::test]
async fn a_single_column_of_text_is_served_as_it_is() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    let page = world.get("/pages/hello").await.expect_status(200);
    assert_eq!(page.text(), "<p>hello</p>");
    assert_eq!(
        page.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(world.get("/pages/a%20b%2Fc").await.text(), "odd");
}

#[tokio::test]
async fn what_has_no_row_is_404_and_is_remembered() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    let none = world.get("/users/77/offer").await.expect_status(404);
    assert_eq!(
        (tier(&none), none.json()["code"].clone()),
        ("source", json!("not_found"))
    );
    let again = world.get("/users/77/offer").await.expect_status(404);
    assert_eq!(tier(&again), "memory");
    let nowhere = world.get("/nowhere").await.expect_status(404);
    assert_eq!(
        nowhere.header("content-type"),
        Some("application/problem+json")
    );
}

#[tokio::test]
async fn a_key_that_no_row_can_have_is_refused_before_anybody_is_asked() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    for path in [
        "/users/seven/offer",
        "/users/99999999999999999999/offer",
        "/users/%FF/offer",
    ] {
        let refused = world.get(path).await.expect_status(400);
        assert_eq!(refused.json()["code"], "invalid_path_parameter", "{path}");
    }
}

#[tokio::test]
async fn a_client_that_has_it_already_gets_304_and_the_age_is_told() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    let first = world.get("/users/1/offer").await;
    let etag = first.header("etag").unwrap();
    world.clock.advance(std::time::Duration::from_secs(40));
    let again = world
        .client
        .get("/users/1/offer")
        .header("if-none-match", etag)
        .send()
        .await;
    let again = again.expect_status(304);
    assert_eq!(
        (again.text(), again.header("age")),
        (String::new(), Some("40"))
    );
    let control = again.header("cache-control").unwrap();
    let whole: u64 = control.strip_prefix("max-age=").unwrap().parse().unwrap();
    // One hour at most, a fifth less at least. The age is not taken off: whoever keeps it does that.
    assert!((2_880..=3_600).contains(&whole), "{control}");
    assert_eq!(first.header("cache-control"), Some(control));
}

#[tokio::test]
async fn only_reading_is_possible() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    let refused = world
        .client
        .post("/users/1/offer")
        .send()
        .await
        .expect_status(405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    let problem = refused.json();
    assert_eq!(problem["type"], "urn:corkboard:problem:method_not_allowed");
    // What is not there is so for every method.
    world
        .client
        .post("/nowhere")
        .send()
        .await
        .expect_status(404);
    let head = world
        .client
        .request(http::Method::HEAD, "/users/1/offer")
        .send()
        .await;
    assert_eq!(head.expect_status(200).text(), "");
}

#[tokio::test]
async fn many_keys_at_once_each_get_their_own_row() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    let all = (100..1_100).map(|user| {
        let world = &world;
        async move {
            let row: Value = world.get(&format!("/users/{user}/offer")).await.json();
            assert_eq!(
                (&row["user_id"], &row["title"]),
                (&json!(user), &json!(format!("Offer {user}")))
            );
        }
    });
    futures_util::future::join_all(all).await;
}
