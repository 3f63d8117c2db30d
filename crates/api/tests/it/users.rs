//! Tracking, reading, inspecting and erasing users.

use serde_json::{Value, json};

use crate::app::{TestApp, broadcast, id_of, triggered};

#[tokio::test(flavor = "multi_thread")]
async fn attributes_are_merged_and_null_removes_one() {
    let app = TestApp::start().await;
    app.track(json!([{"user_id": "ada", "plan": "pro", "age": 36, "tags": ["a"]}]))
        .await;
    app.track(json!([{"user_id": "ada", "plan": null, "age": 37}]))
        .await;
    let user = app
        .server()
        .get("/v1/users/ada")
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(
        (&user["user_id"], &user["attributes"]),
        (&json!("ada"), &json!({"age": 37, "tags": ["a"]}))
    );
    let problem = app
        .server()
        .get("/v1/users/nobody")
        .send()
        .await
        .expect_status(404);
    assert_eq!(problem.json()["code"], "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_counted_once_by_their_time() {
    let app = TestApp::start().await;
    let events = json!({"events": [
        {"user_id": "ada", "name": "purchased", "at": "2026-11-20T10:00:00Z", "properties": {"sku": "x"}},
        {"user_id": "ada", "name": "purchased", "at": "2026-11-21T09:00:00Z"}]});
    let reply = app
        .server()
        .post("/v1/users/track")
        .json(&events)
        .send()
        .await
        .expect_status(200);
    assert_eq!(reply.json(), json!({"attributes": 0, "events": 2}));
    let reply = app
        .server()
        .post("/v1/users/track")
        .json(&events)
        .send()
        .await
        .expect_status(200);
    assert_eq!(reply.json(), json!({"attributes": 0, "events": 0}));
    let user = app
        .server()
        .get("/v1/users/ada")
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(
        user["events"]["purchased"],
        json!({"count": 2, "first_at": "2026-11-20T10:00:00Z", "last_at": "2026-11-21T09:00:00Z"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_items_are_named_and_nothing_is_recorded() {
    let app = TestApp::start().await;
    let long = "x".repeat(300);
    let many: Vec<Value> = (0..1_001)
        .map(|n| json!({"user_id": format!("u-{n}"), "a": 1}))
        .collect();
    for (body, path) in [
        (json!({}), ""),
        (json!({"attributes": many}), ""),
        (
            json!({"attributes": [{"user_id": "ok", "a": 1}, {"user_id": "", "a": 1}]}),
            "/attributes/1",
        ),
        (json!({"attributes": [{"user_id": long}]}), "/attributes/0"),
        (
            json!({"attributes": [{"user_id": "ok", "quo\"te": 1}]}),
            "/attributes/0/",
        ),
        (
            json!({"attributes": [{"user_id": "ok", "nul": "\u{0}"}]}),
            "/attributes/0/nul",
        ),
        (
            json!({"events": [{"user_id": "ok", "name": ""}]}),
            "/events/0/name",
        ),
        (
            json!({"events": [{"user_id": "ok", "name": "x", "at": "now"}]}),
            "/events/0/at",
        ),
        (
            json!({"events": [{"user_id": "ok", "name": "x", "when": "now"}]}),
            "/events/0",
        ),
    ] {
        let problem = app
            .server()
            .post("/v1/users/track")
            .json(&body)
            .send()
            .await
            .expect_status(422)
            .json();
        assert!(
            problem["errors"][0]["path"]
                .as_str()
                .unwrap()
                .starts_with(path),
            "{problem}"
        );
    }
    app.server()
        .get("/v1/users/ok")
        .send()
        .await
        .expect_status(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_sets_off_a_campaign_and_another_takes_its_card_away() {
    let app = TestApp::start().await;
    let mut campaign = broadcast("Thanks for {{ event_properties.${sku} }}");
    campaign["delivery"] = json!({"kind": "event", "event": "purchased"});
    campaign["remove_on"] = json!(["returned"]);
    app.campaign(&campaign).await;
    let bought = json!({"events": [{"user_id": "ada", "name": "purchased", "at": "2026-11-21T09:00:00Z", "properties": {"sku": "boots"}}]});
    for _ in 0..2 {
        app.server()
            .post("/v1/users/track")
            .json(&bought)
            .send()
            .await
            .expect_status(200);
    }
    let titles = |feed: Value| {
        feed["cards"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["title"].clone())
            .collect::<Vec<_>>()
    };
    corkboard_testkit::wait_until(
        std::time::Duration::from_secs(10),
        "the card is there",
        || async {
            let titles = titles(app.feed("ada").await);
            if titles == [json!("Thanks for boots")] {
                Ok(())
            } else {
                Err(format!("{titles:?}"))
            }
        },
    )
    .await;
    let returned = json!({"events": [{"user_id": "ada", "name": "returned"}]});
    app.server()
        .post("/v1/users/track")
        .json(&returned)
        .send()
        .await
        .expect_status(200);
    assert_eq!(titles(app.feed("ada").await), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_are_listed_with_their_state_and_one_can_be_removed() {
    let app = TestApp::start().await;
    let id = app.campaign(&triggered()).await;
    let body = json!({"recipients": [{"user_id": "ada", "properties": {"order": 1}}]});
    let reply = app
        .server()
        .post(&format!("/v1/campaigns/{id}/trigger"))
        .json(&body)
        .send()
        .await
        .expect_status(202);
    app.done(&id_of(&reply, "dispatch_id")).await;
    let cards = app
        .server()
        .get("/v1/users/ada/cards")
        .send()
        .await
        .expect_status(200)
        .json();
    let card = cards["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&cards["data"][0]["campaign_id"], &cards["next_cursor"]),
        (&json!(id), &Value::Null)
    );
    let path = format!("/v1/users/ada/cards/{card}");
    app.server().delete(&path).send().await.expect_status(204);
    assert_eq!(app.feed("ada").await["cards"], json!([]));
    app.server()
        .delete("/v1/users/ada/cards/crd_00000000000000000000000000")
        .send()
        .await
        .expect_status(404);
    app.server()
        .delete(&format!("/v1/users/bob/cards/{card}"))
        .send()
        .await
        .expect_status(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_removes_everything_about_a_user() {
    let app = TestApp::start().await;
    app.track(json!([{"user_id": "ada", "plan": "pro"}])).await;
    let id = app.campaign(&triggered()).await;
    let body = json!({"recipients": [{"user_id": "ada"}]});
    let reply = app
        .server()
        .post(&format!("/v1/campaigns/{id}/trigger"))
        .json(&body)
        .send()
        .await
        .expect_status(202);
    app.done(&id_of(&reply, "dispatch_id")).await;
    app.server()
        .delete("/v1/users/ada")
        .send()
        .await
        .expect_status(204);
    app.server()
        .get("/v1/users/ada")
        .send()
        .await
        .expect_status(404);
    assert_eq!(app.feed("ada").await["cards"], json!([]));
    app.server()
        .delete("/v1/users/ada")
        .send()
        .await
        .expect_status(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cards_of_a_user_come_in_pages() {
    let app = TestApp::start().await;
    for title in ["one", "two", "three"] {
        app.launch(&app.campaign(&broadcast(title)).await).await;
        app.clock.advance(std::time::Duration::from_secs(1));
    }
    let (mut titles, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/users/ada/cards?limit=2{cursor}");
        let page = app.server().get(&path).send().await.expect_status(200);
        let page = page.json();
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= 2);
        titles.extend(data.iter().map(|card| card["card"]["title"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(titles, ["three", "two", "one"]);
    for wrong in ["limit=0", "limit=251", "cursor=nonsense", "nonsense=1"] {
        let path = format!("/v1/users/ada/cards?{wrong}");
        app.server().get(&path).send().await.expect_status(400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_the_wrong_form_is_answered_like_one_that_does_not_exist() {
    let app = TestApp::start().await;
    let absent = "01m800xjhde299qddqw79wr4kz";
    for (path, there, wrong) in [
        (
            "/v1/campaigns/{}",
            format!("cmp_{absent}"),
            "nonsense".to_owned(),
        ),
        (
            "/v1/dispatches/{}",
            format!("dsp_{absent}"),
            "nonsense".to_owned(),
        ),
        ("/v1/users/{}", "nobody".to_owned(), "x".repeat(257)),
    ] {
        let mut replies = Vec::new();
        for id in [&there, &wrong] {
            let path = path.replace("{}", id);
            replies.push(app.server().get(&path).send().await.expect_status(404));
        }
        assert_eq!(replies[0].text(), replies[1].text(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_cannot_have_is_invalid_and_named() {
    let app = TestApp::start().await;
    let half = "x".repeat(40_000);
    app.track(json!([{"user_id": "ada", "a": half}])).await;
    for (path, body) in [
        (
            "/attributes",
            json!({"attributes": [{"user_id": "ada", "b": half}]}),
        ),
        (
            "/attributes/0/a~1b~0\"",
            json!({"attributes": [{"user_id": "ada", "a/b~\"": 1}]}),
        ),
        (
            "/events/0/properties",
            json!({"events": [{"user_id": "ada", "name": "x", "properties": {"k": ["\0"]}}]}),
        ),
    ] {
        let reply = app
            .server()
            .post("/v1/users/track")
            .json(&body)
            .send()
            .await;
        let problem = reply.expect_status(422).json();
        assert_eq!(problem["errors"][0]["path"], path);
    }
    let id = app.campaign(&triggered()).await;
    let body = json!({"recipients": [{"user_id": "ada", "properties": {"k\0": 1}}]});
    let path = format!("/v1/campaigns/{id}/trigger");
    let reply = app.server().post(&path).json(&body).send().await;
    assert_eq!(
        reply.expect_status(422).json()["errors"][0]["path"],
        "/recipients/0/properties"
    );
}
