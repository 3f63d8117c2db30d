//! What the endpoint sees: requests, connections, TLS.

use std::time::Duration;

use corkboard_core::connected::{
    ConnectedContent, FetchBody, FetchCaching, FetchMethod, FetchRequest,
};
use corkboard_fetch::FetchOptions;
use corkboard_testkit::{Peer, Reply, wait_until};
use serde_json::json;

use crate::bench_client::{Bench, expect_failure, get, open_options, post, scope, text};

#[tokio::test]
async fn the_request_arrives_as_the_template_wrote_it() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/in", Reply::text("ok"));
    let mut request = post(&peer.url("/in?a=b%20c#fragment"), "x=1&y=2");
    request.headers.insert("X-Token".to_owned(), "t".to_owned());
    assert_eq!(bench.fetch(request).await.status, 200);
    let seen = &peer.requests()[0];
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/in?a=b%20c")
    );
    assert_eq!(&seen.body[..], b"x=1&y=2");
    assert_eq!(seen.header("x-token"), Some("t"));
    assert_eq!(
        seen.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(
        seen.header("host"),
        Some(peer.address().to_string().as_str())
    );
    assert_eq!(seen.header("referer"), None);
    let agent = seen.header("user-agent").unwrap_or_default();
    assert!(agent.starts_with("Corkboard/"), "{agent}");
}

#[tokio::test]
async fn every_method_arrives_with_its_body() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/", Reply::text("ok"));
    for (name, body) in [
        ("put", Some("a=1")),
        ("Patch", Some("a=2")),
        ("DELETE", None),
        ("delete", Some("a=3")),
        ("post", None),
    ] {
        let request = FetchRequest {
            method: FetchMethod::named(name).unwrap(),
            body: body.map(str::to_owned),
            ..get(&peer.url("/"))
        };
        assert_eq!(bench.fetch(request).await.status, 200, "{name}");
    }
    let requests = peer.requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|it| {
            let form = it.header("content-type").is_some();
            (
                it.method.as_str(),
                std::str::from_utf8(&it.body).unwrap(),
                form,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("PUT", "a=1", true),
            ("PATCH", "a=2", true),
            ("DELETE", "", false),
            ("DELETE", "a=3", true),
            ("POST", "", true),
        ]
    );
    assert_eq!(FetchMethod::named("trace"), None);
}

#[tokio::test]
async fn a_template_may_give_an_endpoint_more_or_less_time() {
    let bench = Bench::with(FetchOptions {
        total_timeout: Duration::from_millis(200),
        ..open_options()
    });
    let peer = Peer::start().await;
    peer.on(
        "/slow",
        Reply::text("late").delay(Duration::from_millis(400)),
    )
    .on("/hang", Reply::hang());
    let with_time = |path: &str, timeout: u64| FetchRequest {
        timeout: Some(Duration::from_millis(timeout)),
        ..get(&peer.url(path))
    };
    expect_failure(&bench.get(&peer.url("/slow")).await, 599, "within 200ms");
    let patient = bench.fetch(with_time("/slow", 5_000)).await;
    assert_eq!(text(&patient), "late");
    expect_failure(
        &bench.fetch(with_time("/hang", 50)).await,
        599,
        "within 50ms",
    );
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/*", Reply::text("ok"))
        .on("/missing", Reply::json(&json!({})).with_status(404));
    for number in 0..10 {
        assert_eq!(
            bench.get(&peer.url(&format!("/{number}"))).await.status,
            200
        );
        let missing = bench.fetch(post(&peer.url("/missing"), "a")).await;
        assert_eq!(missing.status, 404);
    }
    assert_eq!((peer.total_calls(), peer.connections()), (20, 1));
}

#[tokio::test]
async fn workspaces_do_not_share_connections() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/", Reply::text("ok"));
    for workspace in [1, 2, 1, 2] {
        let uncached = FetchRequest {
            caching: FetchCaching::Never,
            ..get(&peer.url("/"))
        };
        assert_eq!(
            bench.client.fetch(scope(workspace), uncached).await.status,
            200
        );
    }
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn idle_connections_are_closed_in_the_end() {
    let bench = Bench::with(FetchOptions {
        idle_timeout: Duration::from_millis(100),
        ..open_options()
    });
    let peer = Peer::start().await;
    peer.on("/", Reply::text("ok"));
    assert_eq!(bench.get(&peer.url("/")).await.status, 200);
    wait_until(
        Duration::from_secs(5),
        "the idle connection to close",
        || {
            let open = peer.open_connections();
            std::future::ready(if open == 0 {
                Ok(())
            } else {
                Err(format!("{open} open"))
            })
        },
    )
    .await;
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced_without_anybody_noticing() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    // Every connection answers once and then closes at the next request.
    for (path, replies) in [
        (
            "/get",
            vec![Reply::text("first"), Reply::close(), Reply::text("again")],
        ),
        (
            "/post",
            vec![Reply::text("first"), Reply::close(), Reply::text("again")],
        ),
    ] {
        peer.on_sequence(path, replies);
    }
    let uncached = |path: &str| FetchRequest {
        caching: FetchCaching::Never,
        ..get(&peer.url(path))
    };
    assert_eq!(text(&bench.fetch(uncached("/get")).await), "first");
    assert_eq!(text(&bench.fetch(uncached("/get")).await), "again");
    assert_eq!(peer.calls("/get"), 3);

    // A POST that was sent may have had its effect: it is not sent twice.
    assert_eq!(
        text(&bench.fetch(post(&peer.url("/post"), "a")).await),
        "first"
    );
    expect_failure(
        &bench.fetch(post(&peer.url("/post"), "a")).await,
        599,
        "broke off",
    );
    assert_eq!(peer.calls("/post"), 2);
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_asked_for_again() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    let garbage = Reply::verbatim("this is no HTTP\r\n\r\n");
    peer.on_sequence(
        "/",
        vec![Reply::text("first"), garbage, Reply::text("third")],
    );
    let uncached = || FetchRequest {
        caching: FetchCaching::Never,
        ..get(&peer.url("/"))
    };
    assert_eq!(text(&bench.fetch(uncached()).await), "first");
    expect_failure(&bench.fetch(uncached()).await, 599, "broke off");
    assert_eq!(peer.calls("/"), 2);
}

#[tokio::test]
async fn tls_is_spoken_to_those_who_are_trusted_only() {
    let (peer, certificate) = Peer::start_tls().await;
    peer.on("/", Reply::json(&json!({"secure": true})));
    let trusting = FetchOptions {
        extra_roots: vec![certificate],
        ..open_options()
    };
    let bench = Bench::with(trusting.clone());
    bench.resolver.name("localhost", &[&["127.0.0.1"]]);
    bench.resolver.name("other.example", &[&["127.0.0.1"]]);
    let response = bench.get(&peer.url_as("localhost", "/")).await;
    assert!(matches!(response.body, FetchBody::Json(_)), "{response:?}");
    let other_name = bench.get(&peer.url_as("other.example", "/")).await;
    expect_failure(&other_name, 599, "no secure connection");

    let distrusting = Bench::open();
    distrusting.resolver.name("localhost", &[&["127.0.0.1"]]);
    let response = distrusting.get(&peer.url_as("localhost", "/")).await;
    expect_failure(&response, 599, "no secure connection");
    assert_eq!(peer.total_calls(), 1);
}
