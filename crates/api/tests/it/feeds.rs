//! The client API: feeds, cursors, events, live hints.

use std::time::Duration;

use corkboard_testkit::RawConnection;
use serde_json::{Value, json};

use crate::app::{TestApp, broadcast};

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_looks_as_documented() {
    let app = TestApp::start().await;
    let mut campaign = broadcast("Hello");
    campaign["variants"][0]["card"] = json!({"type": "captioned_image", "title": "Hello", "description": "World",
        "image_url": "https://example.com/a.png", "image_alt": "A", "url": "https://example.com", "url_text": "Go", "extras": {"k": "v"}});
    let id = app.campaign(&campaign).await;
    app.launch(&id).await;
    let feed = app.feed("ada").await;
    assert_eq!(feed["cards"][0]["campaign_id"], json!(id));
    let mut shape = feed.clone();
    for varying in ["/cards/0/id", "/cards/0/campaign_id", "/cursor"] {
        *shape.pointer_mut(varying).unwrap() = json!("[varies]");
    }
    insta::assert_json_snapshot!(shape);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_feed_answers_304_without_a_body() {
    let app = TestApp::start().await;
    app.launch(&app.campaign(&broadcast("Hello")).await).await;
    let first = app
        .client("ada")
        .get("/v1/feed")
        .send()
        .await
        .expect_status(200);
    let etag = first.header("etag").expect("always an ETag").to_owned();
    let again = app
        .client("ada")
        .get("/v1/feed")
        .header("if-none-match", &etag)
        .send()
        .await
        .expect_status(304);
    assert_eq!(
        (again.body.len(), again.header("etag")),
        (0, Some(etag.as_str()))
    );
    let id = first.json()["cards"][0]["id"].clone();
    let seen = json!({"events": [{"card_id": id, "kind": "impression"}]});
    app.client("ada")
        .post("/v1/feed/events")
        .json(&seen)
        .send()
        .await
        .expect_status(202);
    let changed = app
        .client("ada")
        .get("/v1/feed")
        .header("if-none-match", &etag)
        .send()
        .await
        .expect_status(200);
    assert_eq!(
        (
            &changed.json()["cards"][0]["seen"],
            &changed.json()["unread"]
        ),
        (&json!(true), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_brings_only_what_has_changed() {
    let app = TestApp::start().await;
    app.launch(&app.campaign(&broadcast("One")).await).await;
    let whole = app.feed("ada").await;
    let since = |cursor: &Value| format!("/v1/feed?since={}", cursor.as_str().unwrap());
    let nothing = app
        .client("ada")
        .get(&since(&whole["cursor"]))
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(
        (&nothing["cards"], &nothing["removed"]),
        (&json!([]), &json!([]))
    );
    app.clock.advance(Duration::from_secs(1));
    app.launch(&app.campaign(&broadcast("Two")).await).await;
    let one = &whole["cards"][0]["id"];
    let dismiss = json!({"events": [{"card_id": one, "kind": "dismiss"}]});
    app.client("ada")
        .post("/v1/feed/events")
        .json(&dismiss)
        .send()
        .await
        .expect_status(202);
    let changes = app
        .client("ada")
        .get(&since(&whole["cursor"]))
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(changes["cards"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&changes["cards"][0]["title"], &changes["removed"]),
        (&json!("Two"), &json!([one]))
    );
    let problem = app
        .client("ada")
        .get("/v1/feed?since=!!!")
        .send()
        .await
        .expect_status(400);
    assert_eq!(problem.json()["code"], "invalid_cursor");
    app.client("ada")
        .get("/v1/feed?sinse=x")
        .send()
        .await
        .expect_status(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn order_is_pinned_then_priority_then_newest_and_feeds_are_told_apart() {
    let app = TestApp::start().await;
    for (title, change) in [
        ("old", json!({})),
        ("new", json!({})),
        ("high", json!({"priority": 5})),
        ("pinned", json!({"pinned": true})),
        ("elsewhere", json!({"feed": "inbox"})),
    ] {
        let mut campaign = broadcast(title);
        campaign
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        app.clock.advance(Duration::from_secs(1));
        app.launch(&app.campaign(&campaign).await).await;
    }
    let titles = |feed: &Value| -> Vec<String> {
        feed["cards"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["title"].as_str().unwrap().to_owned())
            .collect()
    };
    let main = app
        .client("ada")
        .get("/v1/feed?feed=main")
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(titles(&main), ["pinned", "high", "new", "old"]);
    let inbox = app
        .client("ada")
        .get("/v1/feed?feed=inbox")
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(titles(&inbox), ["elsewhere"]);
    assert_eq!(titles(&app.feed("ada").await).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_checked_before_anything_is_recorded() {
    let app = TestApp::start().await;
    let many: Vec<Value> = (0..101)
        .map(|_| json!({"card_id": "x", "kind": "click"}))
        .collect();
    for (body, path) in [
        (json!({"events": []}), "/events"),
        (json!({"events": many}), "/events"),
        (
            json!({"events": [{"card_id": "x", "kind": "hover"}]}),
            "/events/0/kind",
        ),
        (
            json!({"events": [{"card_id": "x", "kind": "click", "at": "yesterday"}]}),
            "/events/0/at",
        ),
        (json!({"event": []}), "/event"),
    ] {
        let problem = app
            .client("ada")
            .post("/v1/feed/events")
            .json(&body)
            .send()
            .await
            .expect_status(422)
            .json();
        assert_eq!(problem["errors"][0]["path"], path, "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_connection_hears_of_a_launch() {
    let app = TestApp::start().await;
    let campaign = app.campaign(&broadcast("News")).await;
    let mut live = RawConnection::open(app.address).await;
    let token = app.token(app.app, "ada");
    let request =
        format!("GET /v1/feed/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    live.send(request).await.unwrap();
    let (head, _) = live
        .read_until(b": connected", Duration::from_secs(5))
        .await;
    let head = String::from_utf8_lossy(&head).to_lowercase();
    assert!(
        head.starts_with("http/1.1 200") && head.contains("content-type: text/event-stream"),
        "{head}"
    );
    app.launch(&campaign).await;
    let (event, _) = live.read_until(b"\"}\n\n", Duration::from_secs(5)).await;
    let event = String::from_utf8_lossy(&event).into_owned();
    let data = event
        .split("event: changed\ndata: ")
        .nth(1)
        .unwrap_or_else(|| panic!("{event}"));
    let data: Value = serde_json::from_str(data.lines().next().unwrap()).unwrap();
    assert_eq!(data["cursor"], app.feed("ada").await["cursor"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_card_is_announced_without_content() {
    let app = TestApp::start().await;
    app.track(json!([{"user_id": "ada"}])).await;
    let mut campaign = broadcast("x");
    campaign["variants"] = json!([{"name": "c", "weight": 1, "control": true}]);
    app.launch(&app.campaign(&campaign).await).await;
    let feed = app.feed("ada").await;
    let card = &feed["cards"][0];
    assert_eq!(
        (
            &card["control"],
            &card["type"],
            &card["title"],
            &feed["unread"]
        ),
        (&json!(true), &json!("control"), &Value::Null, &json!(0))
    );
}
