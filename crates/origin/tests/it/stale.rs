//! Old rows: while they are read anew, and while the source is away.

use std::time::Duration;

use crate::world::{World, options, shop, shop_of_its_own, tier};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_row_that_is_over_is_served_once_more_and_read_anew_behind_it() {
    let shop = shop().await;
    let mut options = options();
    options.lifetimes.jitter_percent = 0;
    let world = World::start_with(shop.url(), None, options).await;
    world.get("/counted/1").await.expect_status(200);
    shop.sql("UPDATE offers SET title = 'Gloves' WHERE user_id = 1")
        .await;
    world.clock.advance(HOUR);
    let stale = world.get("/counted/1").await;
    assert_eq!((tier(&stale), stale.text()), ("stale", "Socks".to_owned()));
    world
        .until("/counted/1", "the new row", |response| {
            response.text() == "Gloves"
        })
        .await;
}

#[tokio::test]
async fn a_source_that_hangs_does_not_take_the_last_good_rows_with_it() {
    let (server, shop) = shop_of_its_own().await;
    let mut options = options();
    options.lifetimes.jitter_percent = 0;
    let world = World::start_with(shop.url(), None, options).await;
    world.get("/users/1/offer").await.expect_status(200);
    server.freeze();
    // Beyond its time, and beyond the time in which it is read anew behind the reader's back.
    world.clock.advance(HOUR + Duration::from_secs(600));
    let stale = world.get("/users/1/offer").await.expect_status(200);
    assert_eq!(
        (tier(&stale), stale.json()["title"].as_str()),
        ("stale", Some("Socks"))
    );
    assert_eq!(stale.header("age"), Some("4200"));
    world.get("/users/2/offer").await.expect_status(503);
    server.thaw();
    world
        .until("/users/2/offer", "the source", |response| {
            response.status == 200
        })
        .await;
    // An hour later still, nothing is good enough.
    server.freeze();
    world.clock.advance(HOUR * 3);
    let refused = world.get("/users/1/offer").await.expect_status(503);
    assert!(refused.header("retry-after").is_some());
    server.thaw();
}
