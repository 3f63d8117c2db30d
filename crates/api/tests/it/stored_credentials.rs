//! Stored credentials: what goes in never comes out.

use corkboard_api::ApiOptions;
use serde_json::{Value, json};

use crate::app::TestApp;

const CANARY: &str = "canary-9b1f4e";

fn basic(name: &str) -> Value {
    json!({"name": name, "kind": "basic", "user": "ada", "password": CANARY,
           "hosts": ["api.example.com", "*.example.org:8443"]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_stored_listed_replaced_and_deleted_and_never_shown() {
    let app = TestApp::start().await;
    let server = app.server();
    let created = server.post("/v1/credentials").json(&basic("shop")).send();
    let created = created.await.expect_status(201);
    let expected = json!({"name": "shop", "kind": "basic",
        "hosts": ["api.example.com", "*.example.org:8443"],
        "created_at": "2026-11-21T10:00:00Z", "updated_at": "2026-11-21T10:00:00Z"});
    assert_eq!(created.json(), expected);
    let stored = app.control.find_credential(app.workspace, "shop").await;
    let stored = stored.unwrap().unwrap();
    let text = String::from_utf8_lossy(&stored.sealed).into_owned();
    assert!(!text.contains(CANARY) && !text.contains("ada"), "{text}");

    let listed = server
        .get("/v1/credentials")
        .send()
        .await
        .expect_status(200);
    assert_eq!(listed.json()["data"], json!([expected]));
    let read = server.get("/v1/credentials/shop").send().await;
    assert_eq!(read.expect_status(200).json(), expected);

    app.clock.advance(std::time::Duration::from_secs(60));
    let bearer = json!({"kind": "bearer", "token": CANARY, "hosts": ["api.example.com"]});
    let replaced = server
        .put("/v1/credentials/shop")
        .json(&bearer)
        .send()
        .await;
    let replaced = replaced.expect_status(200).json();
    assert_eq!(
        (
            &replaced["kind"],
            &replaced["created_at"],
            &replaced["updated_at"]
        ),
        (
            &json!("bearer"),
            &json!("2026-11-21T10:00:00Z"),
            &json!("2026-11-21T10:01:00Z")
        )
    );
    server
        .delete("/v1/credentials/shop")
        .send()
        .await
        .expect_status(204);
    server
        .get("/v1/credentials/shop")
        .send()
        .await
        .expect_status(404);
    server
        .put("/v1/credentials/shop")
        .json(&bearer)
        .send()
        .await
        .expect_status(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_is_named_and_none_repeats_a_secret() {
    let app = TestApp::start().await;
    let split = format!("{CANARY}\r\nx: y");
    let long = CANARY.repeat(1_000);
    for (body, paths) in [
        (
            json!({"name": "a", "kind": "basic", "hosts": ["a.example"], "password": CANARY}),
            vec!["/user"],
        ),
        (
            json!({"name": "a", "kind": "bearer", "hosts": ["a.example"], "password": CANARY}),
            vec!["/password", "/token"],
        ),
        (
            json!({"name": "a", "kind": "oauth", "hosts": [], "token": CANARY}),
            vec!["/hosts", "/kind", "/token"],
        ),
        (
            json!({"name": "a b", "kind": "bearer", "hosts": ["a.example"], "token": CANARY}),
            vec!["/name"],
        ),
        (
            json!({"name": "a", "kind": "bearer", "hosts": ["*.com"], "token": CANARY}),
            vec!["/hosts"],
        ),
        (
            json!({"name": "a", "kind": "bearer", "hosts": ["a.example"], "token": split}),
            vec![""],
        ),
        (
            json!({"name": "a", "kind": "bearer", "hosts": ["a.example"], "token": long}),
            vec!["/token"],
        ),
        (
            json!({"name": "a", "kind": "headers", "hosts": ["a.example"], "headers": {"host": CANARY}}),
            vec!["/headers"],
        ),
        (
            json!({"name": "a", "kind": "bearer", "hosts": ["a.example"], "token": [CANARY]}),
            vec!["/token"],
        ),
        (
            json!({"name": "a", "kind": "basic", "user": format!("{CANARY}:x"), "password": CANARY, "hosts": ["a.example"]}),
            vec!["/user"],
        ),
    ] {
        let server = app.server();
        let refused = server.post("/v1/credentials").json(&body).send().await;
        let refused = refused.expect_status(422);
        assert!(!refused.text().contains(CANARY), "{}", refused.text());
        let refused = refused.json();
        let found: Vec<&str> = refused["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["path"].as_str().unwrap())
            .collect();
        assert_eq!(found, paths, "{refused}");
    }
    let server = app.server();
    let listed = server
        .get("/v1/credentials")
        .send()
        .await
        .expect_status(200);
    assert_eq!(listed.json()["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_finds_its_credential_and_another_one_does_not() {
    let app = TestApp::start().await;
    let server = app.server();
    let send = async |key: &str, body: &Value| {
        let request = server.post("/v1/credentials").json(body);
        request.header("idempotency-key", key).send().await
    };
    send("one", &basic("shop")).await.expect_status(201);
    send("one", &basic("shop")).await.expect_status(201);
    // As if the first one had been interrupted before its answer was kept.
    send("two", &basic("shop")).await.expect_status(201);
    let mut other = basic("shop");
    other["password"] = json!("another");
    let taken = send("three", &other).await.expect_status(409).json();
    assert_eq!(taken["code"], "name_taken");
    let taken = server
        .post("/v1/credentials")
        .json(&basic("shop"))
        .send()
        .await;
    taken.expect_status(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_nothing_can_be_stored_and_the_answer_says_why() {
    let app = TestApp::start_with_vault(ApiOptions::default(), None).await;
    let server = app.server();
    let refused = server.post("/v1/credentials").json(&basic("shop")).send();
    let refused = refused.await.expect_status(503).json();
    assert_eq!(refused["code"], "secrets_unavailable");
    let listed = server
        .get("/v1/credentials")
        .send()
        .await
        .expect_status(200);
    assert_eq!(listed.json()["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_workspace_does_not_see_a_credential() {
    let app = TestApp::start().await;
    let server = app.server();
    server
        .post("/v1/credentials")
        .json(&basic("shop"))
        .send()
        .await
        .expect_status(201);
    let (_, _, key) = app.second_tenant().await;
    let stranger = app.anonymous().with_bearer(&key);
    let listed = stranger.get("/v1/credentials").send().await;
    assert_eq!(listed.expect_status(200).json()["data"], json!([]));
    stranger
        .get("/v1/credentials/shop")
        .send()
        .await
        .expect_status(404);
    stranger
        .delete("/v1/credentials/shop")
        .send()
        .await
        .expect_status(404);
    // The name is free there.
    stranger
        .post("/v1/credentials")
        .json(&basic("shop"))
        .send()
        .await
        .expect_status(201);
}
