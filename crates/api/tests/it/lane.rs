//! Feeds from memory on the short way: the same answers as the route's, for the same users.

use std::time::Duration;

use corkboard_api::ApiOptions;
use corkboard_testkit::{TestClient, TestResponse};
use http::HeaderValue;
use serde_json::json;

use crate::app::{TestApp, broadcast};

/// All but the moment it was given.
fn seen(response: &TestResponse) -> (u16, Vec<(String, HeaderValue)>, String) {
    let headers = response.headers.iter().filter(|(name, _)| *name != "date");
    let mut headers: Vec<_> = headers
        .map(|(name, value)| (name.to_string(), value.clone()))
        .collect();
    headers.sort();
    (response.status, headers, response.text())
}

async fn ask(client: &TestClient, path: &str, tag: Option<&str>) -> TestResponse {
    let request = client.get(path);
    let request = match tag {
        Some(tag) => request.header("if-none-match", tag),
        None => request,
    };
    request.send().await
}

/// Both ways say the same.
async fn alike(app: &TestApp, token: &str, path: &str, tag: Option<&str>) -> TestResponse {
    let short = ask(&app.anonymous().with_bearer(token), path, tag).await;
    let long = TestClient::new(&app.long_way).with_bearer(token);
    let long = ask(&long, path, tag).await;
    assert_eq!(seen(&short), seen(&long), "{path} {tag:?}");
    short
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_answer_alike_whatever_changes_between() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.token(app.app, "ada"), app.token(app.app, "bob"));
    for round in 0..3 {
        let id = app.campaign(&broadcast(&format!("Round {round}"))).await;
        app.launch(&id).await;
        for token in [&ada, &bob] {
            let first = alike(&app, token, "/v1/feed", None)
                .await
                .expect_status(200);
            assert!(first.text().contains(&format!("Round {round}")));
            let etag = first.header("etag").expect("always an ETag").to_owned();
            let cursor = first.json()["cursor"]
                .as_str()
                .expect("a cursor")
                .to_owned();
            for path in [
                "/v1/feed",
                "/v1/feed?feed=news",
                "/v1/feed?feed=a%20b",
                "/v1/feed?feed=",
                "/v1/feed?",
                &format!("/v1/feed?since={cursor}"),
                "/v1/feed?nonsense=1",
                "/v1/feed/",
            ] {
                for tag in [None, Some(etag.as_str()), Some("\"x\", W/\"y\""), Some("*")] {
                    // Three times: asked for, composed, and taken from memory.
                    for _ in 0..3 {
                        alike(&app, token, path, tag).await;
                    }
                }
            }
        }
        let feed = app.feed("ada").await;
        let seen = json!({"events": [{"card_id": feed["cards"][0]["id"], "kind": "impression"}]});
        let client = app.client("ada");
        let reported = client.post("/v1/feed/events").json(&seen).send().await;
        reported.expect_status(202);
        let own = alike(&app, &ada, "/v1/feed", None).await;
        assert_eq!(
            own.json()["cards"][0]["seen"],
            json!(true),
            "{}",
            own.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_no_longer_good_is_refused_on_both_ways() {
    let app = TestApp::start().await;
    let token = app.token(app.app, "ada");
    for _ in 0..3 {
        alike(&app, &token, "/v1/feed", None)
            .await
            .expect_status(200);
    }
    for broken in [
        format!("{token}x"),
        token[..token.len() - 2].to_owned(),
        String::from("nonsense"),
    ] {
        alike(&app, &broken, "/v1/feed", None)
            .await
            .expect_status(401);
    }
    app.clock.advance(Duration::from_secs(86_400 * 61));
    let expired = alike(&app, &token, "/v1/feed", None)
        .await
        .expect_status(401);
    assert_eq!(expired.json()["code"], "expired_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_path_is_answered_alike_and_streams_by_hyper() {
    let app = TestApp::start().await;
    app.campaign(&broadcast("Hello")).await;
    for path in [
        "/",
        "/openapi.json",
        "/docs/",
        "/nowhere",
        "/v1/campaigns",
        "/v1/users/ada",
        "/v1/fetches",
        "/v1/users/track",
    ] {
        let answer = alike(&app, &app.key, path, None).await;
        assert!(answer.header("connection").is_none(), "{path}");
    }
    let stream = alike(&app, &app.key, "/v1/fetches/export", None).await;
    let stream = stream.expect_status(200);
    assert_eq!(stream.header("transfer-encoding"), Some("chunked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_requests_holds_on_the_short_way() {
    let app = TestApp::start_with(ApiOptions {
        client_per_second: 1,
        client_burst: 5,
        ..ApiOptions::default()
    })
    .await;
    let client = app.client("ada");
    let mut refused = 0;
    for _ in 0..40 {
        let reply = client.get("/v1/feed").send().await;
        refused += usize::from(reply.status == 429);
    }
    assert!(refused >= 30, "only {refused} of 40 were refused");
}
