//! Launching, triggering, stopping; what comes of it for users and in numbers.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{TestApp, broadcast, id_of, triggered};

fn personal() -> Value {
    json!({"name": "Offer", "expiry": {"ttl_seconds": 3600},
        "audience": {"attribute": "plan", "op": "eq", "value": "pro"},
        "variants": [{"name": "A", "card": {"title": "Hi {{ user.first_name }}", "extras": {"tier": "{{ custom_attribute.${plan} | upcase }}", "n": 7}}}]})
}

async fn three_users(app: &TestApp) {
    app.track(json!([
        {"user_id": "ada", "first_name": "Ada", "plan": "pro"},
        {"user_id": "bob", "first_name": "Bob", "plan": "free"},
        {"user_id": "eve", "first_name": "Eve", "plan": "pro"}]))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_personal_launch_reaches_its_audience_and_counts_exactly() {
    let app = TestApp::start().await;
    three_users(&app).await;
    let id = app.campaign(&personal()).await;
    let reply = app
        .server()
        .post(&format!("/v1/campaigns/{id}/launch"))
        .send()
        .await
        .expect_status(202);
    assert_eq!(
        reply.json()["plan"],
        json!({"shape": "personal", "audience_estimate": 2, "fetches_estimate": 0, "hosts": []})
    );
    let dispatch = app.done(&id_of(&reply, "dispatch_id")).await;
    assert_eq!(
        (
            &dispatch["targeted"],
            &dispatch["written"],
            &dispatch["skipped"]
        ),
        (&json!(2), &json!(2), &json!({}))
    );

    let feed = app.feed("ada").await;
    let card = &feed["cards"][0];
    assert_eq!(
        (&card["title"], &card["extras"]),
        (&json!("Hi Ada"), &json!({"tier": "PRO", "n": 7}))
    );
    assert_eq!(app.feed("bob").await["cards"], json!([]));

    let events = json!({"events": [
        {"card_id": card["id"], "kind": "impression", "at": "2026-11-21T10:00:01Z"},
        {"card_id": card["id"], "kind": "impression", "at": "2026-11-21T10:00:02Z"},
        {"card_id": card["id"], "kind": "click", "at": "2026-11-21T10:00:03Z"},
        {"card_id": "crd_nonsense", "kind": "click"}]});
    for _ in 0..2 {
        let receipt = app
            .client("ada")
            .post("/v1/feed/events")
            .json(&events)
            .send()
            .await
            .expect_status(202);
        assert_eq!(
            receipt.json(),
            json!({"accepted": 3, "unknown": ["crd_nonsense"]})
        );
    }
    let stats = app
        .server()
        .get(&format!("/v1/campaigns/{id}/stats"))
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(
        stats["variants"][0],
        json!({"name": "A", "control": false, "sent": 2, "impressions": 2, "unique_impressions": 1,
        "clicks": 1, "unique_clicks": 1, "dismissals": 0, "unique_dismissals": 0})
    );
    let by_day = app
        .server()
        .get(&format!("/v1/campaigns/{id}/stats?by=day"))
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(
        by_day["variants"][0]["days"][0]["day"], "2026-11-21",
        "{by_day}"
    );
    app.server()
        .get(&format!("/v1/campaigns/{id}/stats?by=hour"))
        .send()
        .await
        .expect_status(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_is_in_every_feed_at_once_and_has_no_sent_count() {
    let app = TestApp::start().await;
    let id = app.campaign(&broadcast("Hello all")).await;
    let dispatch = app.launch(&id).await;
    assert_eq!(
        (&dispatch["shape"], &dispatch["written"]),
        (&json!("broadcast"), &json!(0))
    );
    for user in ["ada", "somebody nobody has tracked"] {
        assert_eq!(app.feed(user).await["cards"][0]["title"], "Hello all");
    }
    let stats = app
        .server()
        .get(&format!("/v1/campaigns/{id}/stats"))
        .send()
        .await
        .expect_status(200)
        .json();
    let variant = &stats["variants"][0];
    assert_eq!(variant["sent"], Value::Null);
    assert!(variant["audience_estimate"].is_u64(), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_reaches_the_named_users_once() {
    let app = TestApp::start().await;
    let id = app.campaign(&triggered()).await;
    let path = format!("/v1/campaigns/{id}/trigger");
    let body = json!({"recipients": [{"user_id": "ada", "properties": {"order": 17}}, {"user_id": "bob"}], "properties": {"order": "none"}});
    let reply = app
        .server()
        .post(&path)
        .json(&body)
        .send()
        .await
        .expect_status(202);
    app.done(&id_of(&reply, "dispatch_id")).await;
    assert_eq!(
        app.feed("ada").await["cards"][0]["title"],
        "Order 17 for ada"
    );
    assert_eq!(
        app.feed("bob").await["cards"][0]["title"],
        "Order none for bob"
    );
    let reply = app
        .server()
        .post(&path)
        .json(&body)
        .send()
        .await
        .expect_status(202);
    let again = app.done(&id_of(&reply, "dispatch_id")).await;
    assert_eq!(again["skipped"], json!({"already_received": 2}));
    assert_eq!(app.feed("ada").await["cards"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_triggered_or_launched_says_why() {
    let app = TestApp::start().await;
    let launchable = app.campaign(&broadcast("x")).await;
    let one = json!({"recipients": [{"user_id": "ada"}]});
    let path = format!("/v1/campaigns/{launchable}/trigger");
    let problem = app
        .server()
        .post(&path)
        .json(&one)
        .send()
        .await
        .expect_status(409);
    assert_eq!(problem.json()["code"], "not_api_triggered");
    let id = app.campaign(&triggered()).await;
    let path = format!("/v1/campaigns/{id}/trigger");
    let many: Vec<Value> = (0..1_001)
        .map(|n| json!({"user_id": format!("u-{n}")}))
        .collect();
    let big = json!({"recipients": [{"user_id": "ada", "properties": {"x": "x".repeat(60_000)}}]});
    let cases = [
        (json!({"recipients": []}), "/recipients"),
        (json!({"recipients": many}), "/recipients"),
        (json!({"recipients": [{"user_id": ""}]}), "/recipients/0"),
        (big, "/recipients/0/properties"),
        (json!({"recipients": [{"user_id": "a"}], "extra": 1}), ""),
    ];
    for (body, at) in cases {
        let problem = app
            .server()
            .post(&path)
            .json(&body)
            .send()
            .await
            .expect_status(422)
            .json();
        assert!(
            problem["errors"][0]["path"]
                .as_str()
                .unwrap()
                .starts_with(at),
            "{problem}"
        );
    }
    let absent = "/v1/campaigns/cmp_00000000000000000000000000/launch";
    app.server().post(absent).send().await.expect_status(404);
    app.server()
        .post("/v1/campaigns/whatever/launch")
        .send()
        .await
        .expect_status(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_sending_and_may_take_the_cards_back() {
    let app = TestApp::start().await;
    three_users(&app).await;
    let id = app.campaign(&personal()).await;
    app.launch(&id).await;
    assert_eq!(app.feed("ada").await["cards"].as_array().unwrap().len(), 1);
    let path = format!("/v1/campaigns/{id}/stop");
    for _ in 0..2 {
        app.server()
            .post(&path)
            .json(&json!({"remove_cards": true}))
            .send()
            .await
            .expect_status(200);
    }
    assert_eq!(app.feed("ada").await["cards"], json!([]));
    let problem = app
        .server()
        .post(&format!("/v1/campaigns/{id}/launch"))
        .send()
        .await
        .expect_status(409);
    assert_eq!(problem.json()["code"], "campaign_stopped");
    let problem = app
        .server()
        .put(&format!("/v1/campaigns/{id}"))
        .json(&personal())
        .send()
        .await
        .expect_status(409);
    assert_eq!(problem.json()["code"], "campaign_stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_launch_waits_for_its_time() {
    let app = TestApp::start().await;
    three_users(&app).await;
    let mut campaign = personal();
    campaign["delivery"] = json!({"kind": "launch", "at": "2026-11-21T12:00:00Z"});
    let id = app.campaign(&campaign).await;
    let reply = app
        .server()
        .post(&format!("/v1/campaigns/{id}/launch"))
        .send()
        .await
        .expect_status(202);
    let dispatch = id_of(&reply, "dispatch_id");
    let planned = app
        .server()
        .get(&format!("/v1/dispatches/{dispatch}"))
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(planned["state"], "planned");
    app.clock.advance(Duration::from_secs(2 * 3600));
    app.done(&dispatch).await;
    let card = app.feed("ada").await["cards"][0].clone();
    assert_eq!(card["expires_at"], "2026-11-21T13:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_says_why_a_user_has_no_card() {
    let app = TestApp::start().await;
    three_users(&app).await;
    let id = app.campaign(&personal()).await;
    app.launch(&id).await;
    let bob = app
        .server()
        .get(&format!("/v1/explain?user_id=bob&campaign_id={id}"))
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(bob["has_card"], false);
    assert_eq!(
        bob["reason"],
        "not in the audience: plan is 'free', wanted 'pro'"
    );
    let ada = app
        .server()
        .get(&format!("/v1/explain?user_id=ada&campaign_id={id}"))
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(ada["has_card"], true);
    app.server()
        .get("/v1/explain?user_id=ada")
        .send()
        .await
        .expect_status(400);
    app.server()
        .get("/v1/explain?user_id=ada&campaign_id=cmp_00000000000000000000000000")
        .send()
        .await
        .expect_status(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_renders_without_storing_and_traces_every_fetch() {
    let app = TestApp::start().await;
    three_users(&app).await;
    let card = json!({"title": "{{ user.first_name }}: {{ properties.x }}",
        "description": "{% connected_content https://example.com/offer :save offer %}{{ offer.__http_status_code__ }}"});
    let body = json!({"card": card, "user_id": "ada", "properties": {"x": 1}});
    let preview = app
        .server()
        .post("/v1/preview")
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(preview["card"]["title"], "Ada: 1", "{preview}");
    assert_eq!(preview["card"]["description"], "599");
    assert_eq!(preview["trace"].as_array().unwrap().len(), 1);
    assert!(preview["size"].is_u64());
    let made_up = json!({"card": {"title": "{{ user.name }}"}, "user": {"name": "Zoe"}});
    let preview = app
        .server()
        .post("/v1/preview")
        .json(&made_up)
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(preview["card"]["title"], "Zoe");
    assert_eq!(app.feed("ada").await["cards"], json!([]));
    let broken = json!({"card": {"title": "{% if %}"}, "user": {}});
    app.server()
        .post("/v1/preview")
        .json(&broken)
        .send()
        .await
        .expect_status(422);
    app.server()
        .post("/v1/preview")
        .json(&json!({"card": {"title": "x"}}))
        .send()
        .await
        .expect_status(422);
    let unknown = json!({"card": {"title": "x"}, "user_id": "nobody"});
    let reply = app.server().post("/v1/preview").json(&unknown).send().await;
    let preview = reply.expect_status(200).json();
    assert_ne!(preview["warnings"], json!([]), "{preview}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_needs_no_body_and_then_leaves_the_cards() {
    let app = TestApp::start().await;
    let id = app.campaign(&broadcast("Stays")).await;
    app.launch(&id).await;
    let path = format!("/v1/campaigns/{id}/stop");
    app.server().post(&path).send().await.expect_status(200);
    assert_eq!(app.feed("ada").await["cards"][0]["title"], "Stays");
    let untyped = app.server().post(&path).body("{}").send().await;
    untyped.expect_status(415);
}
