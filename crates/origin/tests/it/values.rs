//! Values of all kinds, and keys at their edges, as a client and as Redis has them.

use corkboard_origin::{Content, SourceError, SourceOptions, describe};
use corkboard_testkit::RedisServer;

use crate::world::{World, endpoint, shop, tier};

const ODD: &str = "/kinds/-9223372036854775808";

#[tokio::test]
async fn values_are_as_json_says_them_from_every_tier() {
    let (shop, redis) = (shop().await, RedisServer::start(&[]).await);
    let world = World::start(shop.url(), Some(&redis)).await;
    let first = world.get(ODD).await.expect_status(200);
    let expected = concat!(
        r#"{"id":-9223372036854775808,"on_day":"2026-01-02","for_time":"1 day 02:00:00","#,
        r#""bits":"\\xbeef","list":[1,null],"words":["a","b c"],"truth":true,"odd":"NaN","#,
        r#""pair":{"a":1,"b":"x"},"word":"ab  ","raw":{"a" : 1,  "a":2},"We ird\"name":"line\n"}"#
    );
    assert_eq!(first.text(), expected);
    let other = World::start(shop.url(), Some(&redis)).await;
    let second = other.get(ODD).await;
    assert_eq!((tier(&second), second.text()), ("redis", first.text()));
    let hash = redis.command(&["HGETALL", "kinds:-9223372036854775808"]);
    for value in ["2026-01-02", "\\xbeef", "[1,null]", "\"NaN\"", "line\n"] {
        let text = format!("${}\r\n{value}\r\n", value.len());
        assert!(hash.contains(&text), "{value:?} in {hash}");
    }
}

#[tokio::test]
async fn keys_are_right_up_to_their_edges_however_they_are_spelled() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    for path in ["/kinds/0", "/kinds/-0", "/kinds/000", "/kinds/%30?x=1"] {
        let row = world.get(path).await.expect_status(200);
        assert_eq!(row.json()["id"], 0, "{path}");
    }
    let most = world.get("/kinds/9223372036854775807").await;
    most.expect_status(200);
    for path in [
        "/kinds/9223372036854775808",
        "/kinds/-9223372036854775809",
        "/kinds/%200",
        "/kinds/0x0",
        "/pages/a%00b",
    ] {
        world.get(path).await.expect_status(400);
    }
    for path in ["/kinds/0/", "/kinds", "/kinds/0/1"] {
        let nowhere = world.get(path).await.expect_status(404);
        assert_eq!(nowhere.header("x-cache"), None, "{path}");
    }
}

#[tokio::test]
async fn a_query_with_two_columns_of_one_name_is_refused_before_it_is_served() {
    let shop = shop().await;
    let twins = "select o.title, p.body as title from offers o, pages p where o.user_id = $1";
    let twins = endpoint("/twins/{id}", "id", Content::Query(twins.to_owned()));
    let refused = describe(shop.url(), &[twins], &SourceOptions::default()).await;
    let Err(SourceError::Endpoints { problems }) = refused else {
        panic!("{refused:?}");
    };
    let expected =
        "endpoint /twins/{id}: two of its columns are called title: tell them apart with AS";
    assert_eq!(problems, [expected]);
}
