//! What a template gets for what an endpoint says.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::connected::{FetchBody, FetchSource};
use corkboard_testkit::{Peer, Reply};
use serde_json::json;

use crate::bench_client::{Bench, expect_failure, text};

#[tokio::test]
async fn json_comes_back_as_json_and_the_rest_as_text() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/object", Reply::json(&json!({"points": 7})))
        .on("/array", Reply::json(&json!([1, "two"])))
        .on("/mislabelled", Reply::text(r#"{"a":1}"#))
        .on("/text", Reply::text("hello"))
        .on("/latin", Reply::status(200).body(&b"caf\xe9"[..]))
        .on("/created", Reply::json(&json!({})).with_status(201));

    let object = bench.get(&peer.url("/object")).await;
    assert_eq!(object.status, 200);
    assert_eq!(object.body, FetchBody::Json(Arc::new(json!({"points": 7}))));
    assert_eq!(object.report.bytes, 12);
    assert_eq!(object.report.source, FetchSource::Network);
    assert_eq!(object.report.problem, None);
    let body = |response: corkboard_core::connected::FetchResponse| response.body;
    let json_body = |value| FetchBody::Json(Arc::new(value));
    assert_eq!(
        body(bench.get(&peer.url("/array")).await),
        json_body(json!([1, "two"]))
    );
    assert_eq!(
        body(bench.get(&peer.url("/mislabelled")).await),
        json_body(json!({"a": 1}))
    );
    assert_eq!(text(&bench.get(&peer.url("/text")).await), "hello");
    assert_eq!(text(&bench.get(&peer.url("/latin")).await), "caf\u{fffd}");
    assert_eq!(bench.get(&peer.url("/created")).await.status, 201);
}

#[tokio::test]
async fn other_statuses_keep_their_number_and_lose_their_body() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    for status in [400_u16, 401, 404, 408, 410, 429, 500, 502, 503, 504, 598] {
        let path = format!("/{status}");
        peer.on(&path, Reply::json(&json!({"error": 1})).with_status(status));
        expect_failure(
            &bench.get(&peer.url(&path)).await,
            status,
            &status.to_string(),
        );
    }
    peer.on("/204", Reply::status(204))
        .on("/empty", Reply::status(200));
    expect_failure(&bench.get(&peer.url("/204")).await, 204, "without a body");
    expect_failure(&bench.get(&peer.url("/empty")).await, 200, "without a body");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (peer, elsewhere, bench) = (Peer::start().await, Peer::start().await, Bench::open());
    for status in [301, 302, 303, 307, 308] {
        let path = format!("/{status}");
        peer.on(&path, Reply::redirect(status, &elsewhere.url("/")));
        expect_failure(
            &bench.get(&peer.url(&path)).await,
            status,
            "redirects are not followed",
        );
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn an_encoded_body_is_refused() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/gzip", Reply::gzipped_json())
        .on(
            "/identity",
            Reply::text("plain").header("content-encoding", "identity"),
        )
        .on(
            "/transfer",
            Reply::verbatim("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        );
    expect_failure(
        &bench.get(&peer.url("/gzip")).await,
        599,
        "encoded body (gzip)",
    );
    expect_failure(
        &bench.get(&peer.url("/transfer")).await,
        599,
        "encoded body (gzip, chunked)",
    );
    assert_eq!(text(&bench.get(&peer.url("/identity")).await), "plain");
    assert_eq!(
        peer.requests()[0].header("accept-encoding"),
        Some("identity")
    );
}

#[tokio::test]
async fn broken_exchanges_are_answers_too() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/reset", Reply::reset())
        .on("/close", Reply::close())
        .on("/cut", Reply::text("0123456789").cut_after(4))
        .on("/short", Reply::text("0123").declared_length(10))
        .on("/garbage", Reply::verbatim("this is no HTTP\r\n\r\n"))
        .on("/old", Reply::verbatim("<html>HTTP/0.9</html>\r\n\r\n"));
    for path in ["/reset", "/close", "/garbage", "/old"] {
        expect_failure(&bench.get(&peer.url(path)).await, 599, "broke off");
    }
    for path in ["/cut", "/short"] {
        let response = bench.get(&peer.url(path)).await;
        expect_failure(&response, 599, "answered 200 but its body broke off");
        assert_eq!(response.report.bytes, 4);
    }
}

#[tokio::test]
async fn nobody_there_is_an_answer_too() {
    let bench = Bench::open();
    let gone = Peer::start().await.url("/");
    expect_failure(
        &bench.get(&gone).await,
        599,
        "no connection to the endpoint",
    );
    expect_failure(
        &bench.get("http://unknown.example/").await,
        599,
        "no such name",
    );
    bench.resolver.name("empty.example", &[&[]]);
    expect_failure(
        &bench.get("http://empty.example/").await,
        599,
        "the answer was empty",
    );
}

#[tokio::test]
async fn a_body_longer_than_declared_never_answers_another_request() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    let smuggled = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{\"a\"HTTP/1.1 200 OK\r\n\
                    content-length: 8\r\n\r\nsmuggled";
    peer.on("/long", Reply::verbatim(smuggled))
        .on("/next", Reply::text("honest"));
    for round in 0..20 {
        let first = bench.get(&peer.url(&format!("/long?{round}"))).await;
        assert_eq!(text(&first), "{\"a\"");
        let next = bench.get(&peer.url(&format!("/next?{round}"))).await;
        assert_ne!(next.body, FetchBody::Text("smuggled".into()));
        assert_eq!(text(&next), "honest");
    }
}

#[tokio::test]
async fn a_slow_answer_within_the_time_out_is_an_answer() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    let pause = Duration::from_millis(50);
    peer.on(
        "/slow",
        Reply::text("late")
            .delay(pause)
            .trickle(1, Duration::from_millis(5)),
    );
    let response = bench.get(&peer.url("/slow")).await;
    assert_eq!(text(&response), "late");
    assert!(response.report.elapsed >= pause);
}
