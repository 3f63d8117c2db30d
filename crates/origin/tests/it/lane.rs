//! The short way and the long one give the same answers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use corkboard_testkit::{TestClient, TestResponse, wait_until};
use futures_util::future::join_all;

use crate::world::{SOON, World, options, shop};

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

/// Without what is drawn by lot.
fn refusal(response: &TestResponse) -> (u16, Vec<(String, String)>, String) {
    let (status, mut headers, text) = seen(response);
    headers.retain(|(name, _)| name != "retry-after");
    (status, headers, text)
}

#[tokio::test]
async fn a_source_that_is_asked_for_too_much_refuses_alike_on_both_ways_but_not_what_is_known() {
    let shop = shop().await;
    let mut options = options();
    options.source.connections = 1;
    options.source.patience = Duration::from_millis(200);
    options.lifetimes.stale_while_revalidate = Duration::ZERO;
    let world = World::start_with(shop.url(), None, options).await;
    // 50 rows a second.
    shop.sql(
        "INSERT INTO pages (slug, body) SELECT n::text, 'page' FROM generate_series(1, 100000) n;
         ALTER TABLE pages RENAME TO fast;
         CREATE VIEW pages AS SELECT * FROM fast WHERE pg_sleep(0.02) IS NOT NULL",
    )
    .await;
    ask(&world.client, "/pages/hello", None)
        .await
        .expect_status(200);
    world.clock.advance(Duration::from_secs(3_700));
    ask(&world.client, "/users/1/offer", None)
        .await
        .expect_status(200);
    let over = AtomicBool::new(false);
    let asking = |number: usize| {
        let (world, over) = (&world, &over);
        async move {
            for page in 1_usize.. {
                if over.load(Relaxed) {
                    break;
                }
                let path = format!("/pages/{}", number * 1_000 + page);
                let status = world.get(&path).await.status;
                assert!([200, 404, 503].contains(&status), "{status}");
            }
        }
    };
    let new = AtomicUsize::new(100);
    let ask_new = || {
        let path = format!("/pages/{}", new.fetch_add(1, Relaxed));
        let world = &world;
        async move { world.get(&path).await }
    };
    let flood = join_all((1..100).map(asking));
    let looking = async {
        // Of those who come when the line is cut, two after each other are refused.
        wait_until(SOON, "refusals", || async {
            let (one, other) = (ask_new().await.status, ask_new().await.status);
            let both = (one, other) == (503, 503);
            both.then_some(()).ok_or(format!("{one} {other}"))
        })
        .await;
        for page in 0_usize..10 {
            let path = format!("/pages/{}", 900 + page);
            let short = ask(&world.client, &path, None).await;
            let long = ask(&world.long_way, &path, None).await;
            if (short.status, long.status) == (503, 503) {
                let after: u64 = short.header("retry-after").unwrap().parse().unwrap();
                assert!((1..=3).contains(&after), "{after}");
                assert_eq!(refusal(&short), refusal(&long));
            }
            let known = world.get("/users/1/offer").await;
            assert_eq!(known.expect_status(200).header("x-cache"), Some("memory"));
            // Its life is over, but nobody is turned away whom something old can help.
            let old = world.get("/pages/hello").await;
            assert_eq!(old.status, 200, "{}", old.text());
        }
        over.store(true, Relaxed);
    };
    tokio::join!(flood, looking);
}
