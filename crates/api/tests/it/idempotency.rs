//! `Idempotency-Key`: replays, mismatches, races.

use corkboard_core::tenancy::Scope;
use futures_util::future::join_all;
use serde_json::json;

use crate::app::{TestApp, broadcast, id_of, triggered};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_the_first_answer_and_no_second_effect() {
    let app = TestApp::start().await;
    let send = || async {
        app.server()
            .post("/v1/campaigns")
            .header("idempotency-key", "create-1")
            .json(&broadcast("Once"))
            .send()
            .await
    };
    let first = send().await.expect_status(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    let second = send().await.expect_status(201);
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(
        (first.json(), first.header("content-type")),
        (second.json(), second.header("content-type"))
    );
    let list = app
        .server()
        .get("/v1/campaigns")
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_replayed_too() {
    let app = TestApp::start().await;
    for replayed in [None, Some("true")] {
        let body = json!({"name": "x"});
        let reply = app
            .server()
            .post("/v1/campaigns")
            .header("idempotency-key", "k")
            .json(&body)
            .send()
            .await
            .expect_status(422);
        assert_eq!(
            (
                reply.header("idempotency-replayed"),
                reply.header("content-type")
            ),
            (replayed, Some("application/problem+json"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_with_another_body_is_refused() {
    let app = TestApp::start().await;
    let send = |title: &'static str| {
        let app = &app;
        async move {
            app.server()
                .post("/v1/campaigns")
                .header("idempotency-key", "k")
                .json(&broadcast(title))
                .send()
                .await
        }
    };
    send("One").await.expect_status(201);
    let problem = send("Two").await.expect_status(422);
    assert_eq!(problem.json()["code"], "idempotency_key_reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_have_one_effect() {
    let app = TestApp::start().await;
    let id = app.campaign(&triggered()).await;
    let path = format!("/v1/campaigns/{id}/trigger");
    let body = json!({"recipients": [{"user_id": "ada"}]});
    let replies = join_all((0..100).map(|_| {
        let client = app.server();
        let (path, body) = (path.clone(), body.clone());
        async move {
            client
                .post(&path)
                .header("idempotency-key", "t")
                .json(&body)
                .send()
                .await
        }
    }))
    .await;
    let mut dispatches: Vec<String> = Vec::new();
    for reply in replies {
        match reply.status {
            202 => dispatches.push(id_of(&reply, "dispatch_id")),
            409 => assert_eq!(reply.json()["code"], "request_in_flight"),
            other => panic!("{other}: {}", reply.text()),
        }
    }
    dispatches.dedup();
    assert_eq!(dispatches.len(), 1, "{dispatches:?}");
    app.done(&dispatches[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_1_to_255_characters() {
    let app = TestApp::start().await;
    for (key, status) in [
        ("", 400),
        (&*"k".repeat(256), 400),
        (&*"k".repeat(255), 201),
    ] {
        let reply = app
            .server()
            .post("/v1/campaigns")
            .header("idempotency-key", key)
            .json(&broadcast("x"))
            .send()
            .await;
        assert_eq!(reply.status, status, "{} characters", key.len());
        if status == 400 {
            assert_eq!(reply.json()["code"], "invalid_idempotency_key");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_two_workspaces_do_not_meet() {
    let app = TestApp::start().await;
    let (_, _, key) = app.second_tenant().await;
    for client in [app.server(), app.anonymous().with_bearer(&key)] {
        let reply = client
            .post("/v1/campaigns")
            .header("idempotency-key", "k")
            .json(&broadcast("x"))
            .send()
            .await;
        assert_eq!(
            reply.expect_status(201).header("idempotency-replayed"),
            None
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_answer_without_a_body_has_no_media_type() {
    let app = TestApp::start().await;
    let id = app.campaign(&broadcast("Never sent")).await;
    let path = format!("/v1/campaigns/{id}");
    for replayed in [None, Some("true")] {
        let reply = app
            .server()
            .delete(&path)
            .header("idempotency-key", "delete-1")
            .send()
            .await
            .expect_status(204);
        assert_eq!(
            (
                reply.header("idempotency-replayed"),
                reply.header("content-type")
            ),
            (replayed, None)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_api_takes_no_notice_of_a_key() {
    let app = TestApp::start().await;
    let report = json!({"events": [{"card_id": "crd_nonsense", "kind": "click"}]});
    app.client("ada")
        .post("/v1/feed/events")
        .header("idempotency-key", "some client library adds one")
        .json(&report)
        .send()
        .await
        .expect_status(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_is_not_remembered_with_the_key() {
    let app = TestApp::start().await;
    let reader = app.key_with(&[Scope::CampaignsRead]).await;
    for (key, status) in [(reader.as_str(), 403), (app.key.as_str(), 201)] {
        app.anonymous()
            .with_bearer(key)
            .post("/v1/campaigns")
            .header("idempotency-key", "create-1")
            .json(&broadcast("By another key"))
            .send()
            .await
            .expect_status(status);
    }
}
