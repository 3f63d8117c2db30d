//! What a template gets for what an endpoint says.

use std::io::Write;
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
async fn a_body_packed_with_gzip_is_unpacked_and_other_encodings_are_refused() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    let encoded = |encoding: &str| Reply::gzipped_json().header("content-encoding", encoding);
    let alone = |encoding: &str| Reply::text("packed?").header("content-encoding", encoding);
    peer.on("/gzip", Reply::gzipped_json())
        .on("/upper", Reply::gzipped_json().with_status(201))
        .on("/identity", alone("identity"))
        .on("/twice", encoded("gzip"))
        .on("/list", alone("gzip, gzip"))
        .on("/br", alone("br"))
        .on("/deflate", alone("deflate"))
        .on("/lying", alone("gzip"))
        .on(
            "/transfer",
            Reply::verbatim("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        );
    let packed = bench.get(&peer.url("/gzip")).await;
    assert_eq!(
        packed.body,
        FetchBody::Json(Arc::new(json!({"packed": true})))
    );
    assert_eq!(packed.report.bytes, 35, "as they arrived");
    assert_eq!(bench.get(&peer.url("/upper")).await.status, 201);
    assert_eq!(text(&bench.get(&peer.url("/identity")).await), "packed?");
    for (path, reason) in [
        ("/twice", "not asked for (gzip)"),
        ("/list", "not asked for (gzip, gzip)"),
        ("/br", "not asked for (br)"),
        ("/deflate", "not asked for (deflate)"),
        ("/lying", "cannot be unpacked"),
        ("/transfer", "not asked for (gzip, chunked)"),
    ] {
        expect_failure(&bench.get(&peer.url(path)).await, 599, reason);
    }
    assert_eq!(peer.requests()[0].header("accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn a_bomb_does_not_go_off() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    let zeros = vec![0_u8; 64 * 1024 * 1024];
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&zeros).unwrap();
    let bomb = packer.finish().unwrap();
    peer.on(
        "/",
        Reply::status(200)
            .header("content-encoding", "gzip")
            .body(bomb),
    );
    expect_failure(&bench.get(&peer.url("/")).await, 599, "grows too much");
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
