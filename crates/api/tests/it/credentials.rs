//! API keys: missing, wrong, revoked, without the scope, of another workspace, too busy.

use corkboard_api::ApiOptions;
use corkboard_core::id::ApiKeyId;
use corkboard_core::tenancy::Scope;
use corkboard_testkit::TestClient;
use http::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, broadcast, id_of, start_time, triggered};

/// Every operation of the OpenAPI document, with ids that exist in the first workspace.
async fn operations(app: &TestApp) -> Vec<(Method, String, bool)> {
    let campaign = app.campaign(&triggered()).await;
    let body = json!({"recipients": [{"user_id": "ada"}]});
    let path = format!("/v1/campaigns/{campaign}/trigger");
    let reply = app
        .server()
        .post(&path)
        .json(&body)
        .send()
        .await
        .expect_status(202);
    let dispatch = id_of(&reply, "dispatch_id");
    app.done(&dispatch).await;
    app.track(json!([{"user_id": "ada"}])).await;
    let card = app.feed("ada").await["cards"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let document = app
        .anonymous()
        .get("/openapi.json")
        .send()
        .await
        .expect_status(200)
        .json();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = if path.contains("dispatches") {
                &dispatch
            } else {
                &campaign
            };
            let real = path
                .replace("{id}", id)
                .replace("{user_id}", "ada")
                .replace("{name}", "footer")
                .replace("{card_id}", &card);
            let real = if path == "/v1/explain" {
                format!("{real}?user_id=ada&campaign_id={campaign}")
            } else {
                real
            };
            let server = operation["security"][0].get("api_key").is_some();
            operations.push((method.to_uppercase().parse().unwrap(), real, server));
        }
    }
    assert!(operations.len() >= 21, "{operations:?}");
    operations
}

async fn call(client: &TestClient, method: &Method, path: &str) -> (u16, Value) {
    let mut request = client.request(method.clone(), path);
    if matches!(*method, Method::POST | Method::PUT) {
        request = request.json(&json!({}));
    }
    let reply = request.send().await;
    (
        reply.status,
        serde_json::from_slice(&reply.body).unwrap_or(Value::Null),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_answers_without_credentials_or_with_the_other_kind() {
    let app = TestApp::start().await;
    for (method, path, server) in operations(&app).await {
        let (status, problem) = call(&app.anonymous(), &method, &path).await;
        assert_eq!(
            (status, &problem["code"]),
            (401, &json!("missing_credentials")),
            "{method} {path}"
        );
        let other = if server {
            app.client("ada")
        } else {
            app.server()
        };
        let (status, problem) = call(&other, &method, &path).await;
        let code = if server {
            "invalid_api_key"
        } else {
            "invalid_token"
        };
        assert_eq!(
            (status, &problem["code"]),
            (401, &json!(code)),
            "{method} {path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_operation_asks_for_a_scope() {
    let app = TestApp::start().await;
    let powerless = app.anonymous().with_bearer(&app.key_with(&[]).await);
    for (method, path, _) in operations(&app)
        .await
        .into_iter()
        .filter(|(_, _, server)| *server)
    {
        let (status, problem) = call(&powerless, &method, &path).await;
        assert_eq!(
            (status, &problem["code"]),
            (403, &json!("missing_scope")),
            "{method} {path}"
        );
    }
    let reader = app
        .anonymous()
        .with_bearer(&app.key_with(&[Scope::CampaignsRead]).await);
    reader.get("/v1/campaigns").send().await.expect_status(200);
    reader
        .post("/v1/campaigns")
        .json(&broadcast("x"))
        .send()
        .await
        .expect_status(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_workspaces_objects_answer_like_absent_ones() {
    let app = TestApp::start().await;
    let (_, _, key) = app.second_tenant().await;
    let stranger = app.anonymous().with_bearer(&key);
    for (method, path, _) in operations(&app)
        .await
        .into_iter()
        .filter(|(_, _, server)| *server)
    {
        let (status, answer) = call(&stranger, &method, &path).await;
        let text = answer.to_string();
        assert!(!text.contains("Order"), "{method} {path} leaks: {text}");
        let has_id = path.contains("cmp_") || path.contains("dsp_") || path.contains("/ada");
        // A malformed body is refused before the object is looked for, and a list is simply empty.
        let fine =
            [404, 422].contains(&status) || path.ends_with("/cards") && answer["data"] == json!([]);
        assert!(!has_id || fine, "{method} {path}: {status} {text}");
        if has_id && status == 404 {
            let absent = path.replace(|c: char| c.is_ascii_digit(), "0");
            if absent.matches("cmp_").count() == 1 && !path.contains("explain") {
                let (_, other) = call(
                    &stranger,
                    &method,
                    "/v1/campaigns/cmp_00000000000000000000000000",
                )
                .await;
                if method == Method::GET
                    && path.ends_with(|c: char| c.is_ascii_alphanumeric())
                    && !path.ends_with("stats")
                {
                    assert_eq!(answer, other, "{method} {path}");
                }
            }
        }
    }
    let campaigns = stranger
        .get("/v1/campaigns")
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(campaigns["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_and_revoked_keys_are_refused() {
    let app = TestApp::start().await;
    let mut wrong = app.key.clone();
    let last = if wrong.ends_with('A') { 'E' } else { 'A' };
    wrong.pop();
    wrong.push(last);
    let broken = [
        "ck_",
        "key",
        "ck_00000000000000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        wrong.as_str(),
    ];
    for key in broken {
        let problem = app
            .anonymous()
            .with_bearer(key)
            .get("/v1/campaigns")
            .send()
            .await
            .expect_status(401);
        assert_eq!(problem.json()["code"], "invalid_api_key", "{key}");
        assert_eq!(problem.header("www-authenticate"), Some("Bearer"));
    }
    for header in ["Basic abc", "Bearer", "bearer ", "\u{a0}"] {
        let problem = app
            .anonymous()
            .get("/v1/campaigns")
            .header("authorization", header)
            .send()
            .await;
        assert_eq!(
            problem.expect_status(401).json()["code"],
            "missing_credentials",
            "{header}"
        );
    }
    let id: ApiKeyId = format!("key_{}", &app.key[3..29]).parse().unwrap();
    app.server()
        .get("/v1/campaigns")
        .send()
        .await
        .expect_status(200);
    assert!(app.control.revoke_api_key(id, start_time()).await.unwrap());
    app.server()
        .get("/v1/campaigns")
        .send()
        .await
        .expect_status(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_workspace_is_slowed_down_and_its_neighbour_is_not() {
    let options = ApiOptions {
        server_per_second: 1,
        server_burst: 3,
        ..ApiOptions::default()
    };
    let app = TestApp::start_with(options).await;
    let (_, _, key) = app.second_tenant().await;
    for _ in 0..3 {
        app.server()
            .get("/v1/campaigns")
            .send()
            .await
            .expect_status(200);
    }
    let problem = app
        .server()
        .get("/v1/campaigns")
        .send()
        .await
        .expect_status(429);
    assert_eq!(problem.json()["code"], "rate_limited");
    let seconds: u64 = problem
        .header("retry-after")
        .expect("Retry-After")
        .parse()
        .unwrap();
    assert!((1..=3).contains(&seconds), "{seconds}");
    app.anonymous()
        .with_bearer(&key)
        .get("/v1/campaigns")
        .send()
        .await
        .expect_status(200);
}
