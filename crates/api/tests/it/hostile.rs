//! Bad input of every kind gets the documented 4xx, quickly, and the node lives on.

use std::time::Duration;

use corkboard_testkit::RawConnection;
use serde_json::{Value, json};

use crate::app::{TestApp, broadcast};

async fn refused(app: &TestApp, body: impl Into<bytes::Bytes>, status: u16, code: &str) {
    let reply = app
        .server()
        .post("/v1/campaigns")
        .header("content-type", "application/json")
        .body(body)
        .deadline(Duration::from_secs(5))
        .send()
        .await
        .expect_status(status);
    assert_eq!(reply.json()["code"], code);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_json_is_malformed() {
    let app = TestApp::start().await;
    for body in [
        "",
        "{",
        "nonsense",
        "{\"name\": \"x\",}",
        "[1, 2",
        "\u{feff}{}",
        "{} {}",
    ] {
        refused(&app, body, 400, "malformed_json").await;
    }
    refused(&app, vec![0xff, 0xfe, b'{', b'}'], 400, "malformed_json").await;
    let deep = format!("{}{}", "{\"all\":[".repeat(100_000), "]}".repeat(100_000));
    refused(&app, deep.clone(), 400, "malformed_json").await;
    refused(
        &app,
        format!("{{\"name\":\"x\",\"audience\":{deep}}}"),
        400,
        "malformed_json",
    )
    .await;
    refused(&app, "[]", 422, "invalid").await;
    refused(&app, "null", 422, "invalid").await;
    app.server()
        .post("/v1/campaigns")
        .json(&broadcast("alive"))
        .send()
        .await
        .expect_status(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_32_mib_is_refused_whether_its_length_is_told_or_not() {
    let app = TestApp::start().await;
    refused(&app, vec![b' '; 32 * 1024 * 1024], 413, "body_too_large").await;
    let mut raw = RawConnection::open(app.address).await;
    let head = format!(
        "POST /v1/campaigns HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        app.key
    );
    raw.send(head).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..512 {
        // The server may answer and close before it has been told everything.
        if raw.send(&chunk).await.is_err() {
            break;
        }
    }
    let (reply, _) = raw
        .read_until(b"body_too_large", Duration::from_secs(10))
        .await;
    let reply = String::from_utf8_lossy(&reply);
    assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
    app.server()
        .get("/v1/campaigns")
        .send()
        .await
        .expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn media_types_paths_and_methods_are_checked() {
    let app = TestApp::start().await;
    for media_type in ["text/plain", "application/xml", "application/jsonp", ""] {
        let reply = app
            .server()
            .post("/v1/campaigns")
            .header("content-type", media_type)
            .body("{}")
            .send()
            .await;
        assert_eq!(
            reply.expect_status(415).json()["code"],
            "unsupported_media_type",
            "{media_type}"
        );
    }
    let fine = app
        .server()
        .post("/v1/campaigns")
        .header("content-type", "Application/JSON; charset=utf-8")
        .body(broadcast("x").to_string())
        .send()
        .await;
    fine.expect_status(201);
    let reply = app
        .server()
        .get("/v2/campaigns")
        .send()
        .await
        .expect_status(404);
    assert_eq!(reply.json()["code"], "not_found");
    let reply = app
        .server()
        .put("/v1/campaigns")
        .json(&json!({}))
        .send()
        .await
        .expect_status(405);
    assert_eq!(reply.json()["code"], "method_not_allowed");
    for path in [
        "/v1/campaigns/%00",
        "/v1/campaigns/..%2f..",
        "/v1/users/%ff",
        "/v1/dispatches/%F0%9F%92%A9",
    ] {
        app.server().get(path).send().await.expect_status(404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn template_bombs_are_refused_or_harmless() {
    let app = TestApp::start().await;
    let nested = "{% if true %}".repeat(2_000);
    let huge = "x".repeat(100_000);
    for title in [
        nested.as_str(),
        huge.as_str(),
        "{% for",
        "{{ 'a' | nosuch }}",
        "{% nosuch %}",
    ] {
        let mut campaign = broadcast("x");
        campaign["variants"][0]["card"]["title"] = Value::from(title);
        let problem = app
            .server()
            .post("/v1/campaigns")
            .json(&campaign)
            .send()
            .await
            .expect_status(422)
            .json();
        assert_eq!(problem["errors"][0]["path"], "/variants/0/card/title");
    }
    for title in [
        "{% for i in (1..1000000000) %}{% endfor %}",
        "{% for i in (1..1000000000) %}x{% endfor %}",
        "{% assign a = 'xxxxxxxxxx' %}{% for i in (1..40) %}{% assign a = a | append: a %}{% endfor %}{{ a }}",
    ] {
        let body = json!({"card": {"title": title}, "user": {}});
        let reply = app
            .server()
            .post("/v1/preview")
            .json(&body)
            .deadline(Duration::from_secs(5))
            .send()
            .await;
        assert!(
            [200, 422].contains(&reply.status),
            "{title}: {}",
            reply.text()
        );
        assert!(reply.body.len() < 100_000, "{title}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_http_does_not_reach_the_handlers() {
    let app = TestApp::start().await;
    for request in [
        "GARBAGE\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "GET /v1/feed HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    ] {
        let mut raw = RawConnection::open(app.address).await;
        raw.send(request).await.unwrap();
        let (reply, _) = raw.read_to_close(Duration::from_secs(15)).await;
        assert!(
            reply.is_empty() || reply.starts_with(b"HTTP/1.1 4"),
            "{request}: {}",
            String::from_utf8_lossy(&reply)
        );
    }
    app.server()
        .get("/v1/campaigns")
        .send()
        .await
        .expect_status(200);
}
