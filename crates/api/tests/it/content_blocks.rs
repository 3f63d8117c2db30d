//! Content blocks: stored, used, frozen, kept while they are used.

use serde_json::{Value, json};

use crate::app::{TestApp, id_of, triggered};

fn with_title(title: &str) -> Value {
    let mut campaign = triggered();
    campaign["variants"][0]["card"]["title"] = json!(title);
    campaign
}

async fn store(app: &TestApp, name: &str, source: &str) -> Value {
    let body = json!({"name": name, "source": source});
    let server = app.server();
    let reply = server.post("/v1/content_blocks").json(&body).send().await;
    reply.expect_status(201).json()
}

async fn replace(app: &TestApp, name: &str, source: &str) -> Value {
    let (server, path) = (app.server(), format!("/v1/content_blocks/{name}"));
    let body = json!({"source": source});
    server
        .put(&path)
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .json()
}

async fn trigger(app: &TestApp, campaign: &str, user: &str) -> Value {
    let path = format!("/v1/campaigns/{campaign}/trigger");
    let body = json!({"recipients": [{"user_id": user}]});
    let server = app.server();
    let reply = server
        .post(&path)
        .json(&body)
        .send()
        .await
        .expect_status(202);
    app.done(&id_of(&reply, "dispatch_id")).await;
    app.feed(user).await["cards"][0]["title"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_created_read_listed_replaced_and_deleted() {
    let app = TestApp::start().await;
    let created = store(&app, "footer", "Bye {{ user.first_name }}").await;
    assert_eq!(
        created,
        json!({"name": "footer", "version": 1, "bytes": 25, "source": "Bye {{ user.first_name }}",
               "created_at": "2026-11-21T10:00:00Z", "updated_at": "2026-11-21T10:00:00Z"})
    );
    store(&app, "Header", "Hi").await;
    let server = app.server();
    let listed = server.get("/v1/content_blocks?limit=1").send().await;
    let listed = listed.expect_status(200).json();
    assert_eq!(listed["data"][0]["name"], "Header");
    assert_eq!(listed["data"][0].get("source"), None);
    let cursor = listed["next_cursor"].as_str().unwrap();
    let path = format!("/v1/content_blocks?limit=1&cursor={cursor}");
    let listed = server.get(&path).send().await.expect_status(200).json();
    assert_eq!(listed["data"][0]["name"], "footer");
    assert_eq!(listed["next_cursor"], Value::Null);

    let replaced = replace(&app, "footer", "Ciao").await;
    assert_eq!(
        (&replaced["version"], &replaced["source"]),
        (&json!(2), &json!("Ciao"))
    );
    let read = server.get("/v1/content_blocks/footer").send().await;
    assert_eq!(read.expect_status(200).json(), replaced);
    server
        .delete("/v1/content_blocks/footer")
        .send()
        .await
        .expect_status(204);
    for gone in [
        server.get("/v1/content_blocks/footer"),
        server.delete("/v1/content_blocks/footer"),
        server
            .put("/v1/content_blocks/footer")
            .json(&json!({"source": "x"})),
        server.get("/v1/content_blocks/no%20name"),
    ] {
        let answer = gone.send().await.expect_status(404).json();
        assert_eq!(answer["detail"], "there is no such content block");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_block_is_refused_with_its_place() {
    let app = TestApp::start().await;
    let long = "x".repeat(64 * 1024 + 1);
    for (name, source, path, message) in [
        ("a b", "x", "/name", "letters, digits"),
        ("1a", "x", "/name", "the first a letter"),
        ("", "x", "/name", "1 to 100"),
        ("a", "Hi\n{{ user.name | nosuch }}", "/source", "line 2"),
        ("a", "{{ content_blocks.${b} }}", "/source", "'b'"),
        ("a", long.as_str(), "/source", "65537 bytes"),
        ("a", "x\0", "/source", "NUL"),
    ] {
        let body = json!({"name": name, "source": source});
        let server = app.server();
        let refused = server.post("/v1/content_blocks").json(&body).send().await;
        let refused = refused.expect_status(422).json();
        let error = &refused["errors"][0];
        assert_eq!(error["path"], path, "{refused}");
        let said = error["message"].as_str().unwrap();
        assert!(said.contains(message), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_name_is_refused_and_a_repeated_request_is_not() {
    let app = TestApp::start().await;
    let body = json!({"name": "footer", "source": "x"});
    let create = async |key: Option<&str>| {
        let server = app.server();
        let request = server.post("/v1/content_blocks").json(&body);
        let request = match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        request.send().await
    };
    create(Some("one")).await.expect_status(201);
    let again = create(Some("one")).await.expect_status(201);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let taken = create(None).await.expect_status(409).json();
    assert_eq!(taken["code"], "name_taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_names_a_missing_block_is_told_where_and_what_is_near() {
    let app = TestApp::start().await;
    store(&app, "footer", "Bye").await;
    let campaign = with_title("Hi {{ content_blocks.${fotter} }}");
    let server = app.server();
    let refused = server.post("/v1/campaigns").json(&campaign).send().await;
    let refused = refused.expect_status(422).json();
    assert_eq!(
        refused["errors"],
        json!([{"path": "/variants/0/card/title",
                "message": "there is no content block 'fotter'; did you mean 'footer'?"}])
    );
    let card = &campaign["variants"][0]["card"];
    let preview = json!({"card": card, "user": {}});
    let refused = server.post("/v1/preview").json(&preview).send().await;
    let refused = refused.expect_status(422).json();
    assert_eq!(refused["errors"][0]["path"], "/card/title");
    let inline = json!({"content_blocks": {"footer": "x"}});
    let mut campaign = with_title("Hi");
    campaign
        .as_object_mut()
        .unwrap()
        .extend(inline.as_object().unwrap().clone());
    let refused = server.post("/v1/campaigns").json(&campaign).send().await;
    assert_eq!(
        refused.expect_status(422).json()["errors"][0]["path"],
        "/content_blocks"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_dispatch_keeps_the_text_of_its_time() {
    let app = TestApp::start().await;
    store(&app, "greeting", "Hi {{ user.user_id }}").await;
    let mut seen = with_title("{{ content_blocks.${greeting} }}!");
    seen["delivery"] = json!({"kind": "launch", "at": null});
    seen["creation"] = json!("at_first_impression");
    seen["audience"] = json!({"attribute": "vip", "op": "eq", "value": true});
    let seen = app.campaign(&seen).await;
    app.track(json!([{"user_id": "eve", "vip": true}])).await;
    // In force until its cards expire, so nobody waits for its end.
    let path = format!("/v1/campaigns/{seen}/launch");
    app.server().post(&path).send().await.expect_status(202);
    let triggered = app
        .campaign(&with_title("{{ content_blocks.${greeting} }}!"))
        .await;
    assert_eq!(trigger(&app, &triggered, "ada").await, "Hi ada!");
    replace(&app, "greeting", "Hello {{ user.user_id }}").await;
    assert_eq!(trigger(&app, &triggered, "bob").await, "Hello bob!");
    assert_eq!(app.feed("ada").await["cards"][0]["title"], "Hi ada!");
    let eve = app.feed("eve").await;
    assert_eq!(eve["cards"][0]["title"], "Hi eve!", "as launched: {eve}");
    let card = json!({"title": "{{ content_blocks.${greeting} }}"});
    let preview = json!({"card": card, "user": {"user_id": "zoe"}});
    let preview = app.server().post("/v1/preview").json(&preview).send().await;
    assert_eq!(
        preview.expect_status(200).json()["card"]["title"],
        "Hello zoe"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_stays_while_a_campaign_needs_it() {
    let app = TestApp::start().await;
    for name in ["used", "used2"] {
        store(&app, name, "x").await;
    }
    let campaign = app
        .campaign(&with_title("{{ content_blocks.${used} }}"))
        .await;
    let server = app.server();
    let refused = server.delete("/v1/content_blocks/used").send().await;
    let refused = refused.expect_status(409).json();
    assert_eq!(refused["code"], "content_block_in_use");
    assert!(
        refused["detail"].as_str().unwrap().contains(&campaign),
        "{refused}"
    );
    server
        .delete("/v1/content_blocks/used2")
        .send()
        .await
        .expect_status(204);
    let path = format!("/v1/campaigns/{campaign}/stop");
    let stop = json!({"remove_cards": false});
    server
        .post(&path)
        .json(&stop)
        .send()
        .await
        .expect_status(200);
    server
        .delete("/v1/content_blocks/used")
        .send()
        .await
        .expect_status(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_workspace_neither_sees_nor_uses_a_block() {
    let app = TestApp::start().await;
    store(&app, "footer", "Bye").await;
    let (_, _, key) = app.second_tenant().await;
    let stranger = app.anonymous().with_bearer(&key);
    let listed = stranger.get("/v1/content_blocks").send().await;
    assert_eq!(listed.expect_status(200).json()["data"], json!([]));
    stranger
        .get("/v1/content_blocks/footer")
        .send()
        .await
        .expect_status(404);
    stranger
        .delete("/v1/content_blocks/footer")
        .send()
        .await
        .expect_status(404);
    let campaign = with_title("{{ content_blocks.${footer} }}");
    let refused = stranger.post("/v1/campaigns").json(&campaign).send().await;
    let refused = refused.expect_status(422).json();
    // Not even its name is offered.
    assert_eq!(
        refused["errors"][0]["message"],
        "there is no content block 'footer'"
    );
}
