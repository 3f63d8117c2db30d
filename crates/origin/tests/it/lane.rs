//! The short way and the long one give the same answers.

use std::time::Duration;

use corkboard_testkit::{TestClient, TestResponse};

use crate::world::{World, shop};

async fn ask(client: &TestClient, path: &str, tag: Option<&str>) -> TestResponse {
    let request = client.get(path);
    let request = match tag {
        Some(tag) => request.header("if-none-match", tag),
        None => request,
    };
    request.send().await
}

/// All but the moment it was given.
fn seen(response: &TestResponse) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<_> = response
        .headers
        .iter()
        .filter(|(name, _)| *name != "date")
        .map(|(name, value)| {
            let value = value.to_str().expect("these headers are text");
            (name.to_string(), value.to_owned())
        })
        .collect();
    headers.sort();
    (response.status, headers, response.text())
}

#[tokio::test]
async fn what_memory_holds_is_answered_alike_on_both_ways() {
    let shop = shop().await;
    let world = World::start(shop.url(), None).await;
    let paths = [
        "/users/1/offer",
        "/users/001/offer?debug=1",
        "/users/77/offer",
        "/users/x/offer",
        "/pages/hello",
        "/pages/a%20b%2Fc",
        "/nowhere",
    ];
    for path in paths {
        let first = ask(&world.client, path, None).await;
        let etag = first.header("etag").unwrap_or("\"none\"").to_owned();
        for after in [0, 5, 40] {
            world.clock.advance(Duration::from_secs(after));
            let weak = format!("\"other\", W/{etag}");
            for tag in [
                None,
                Some(etag.as_str()),
                Some(&weak),
                Some("*"),
                Some("\"other\""),
            ] {
                // The first asks anew what has expired meanwhile.
                ask(&world.client, path, None).await;
                let short = ask(&world.client, path, tag).await;
                let long = ask(&world.long_way, path, tag).await;
                assert_eq!(seen(&short), seen(&long), "{path} {tag:?} after {after} s");
            }
        }
    }
}
