//! HTTP/2 over TLS: many calls on one connection, and what happens to them when it goes wrong.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::connected::{ConnectedContent, FetchBody, FetchResponse};
use corkboard_fetch::FetchOptions;
use corkboard_testkit::{Gate, Peer, Reply, wait_until};
use futures_util::future::join_all;
use serde_json::json;
use tokio::task::JoinSet;

use crate::bench_client::{Bench, expect_failure, open_options, post, scope, text};

const SOON: Duration = Duration::from_secs(5);

/// A bench that trusts this certificate and knows where `localhost` is.
pub(crate) fn trusting(
    certificate: rustls::pki_types::CertificateDer<'static>,
    options: FetchOptions,
) -> Bench {
    let bench = Bench::with(FetchOptions {
        extra_roots: vec![certificate],
        ..options
    });
    bench.resolver.name("localhost", &[&["127.0.0.1"]]);
    bench
}

async fn world(streams: u32, options: FetchOptions) -> (Peer, Bench) {
    let (peer, certificate) = Peer::start_http2(streams).await;
    (peer, trusting(certificate, options))
}

fn url(peer: &Peer, path: &str) -> String {
    peer.url_as("localhost", path)
}

async fn until(what: &str, mut seen: impl FnMut() -> usize, wanted: usize) {
    wait_until(SOON, what, || {
        let seen = seen();
        std::future::ready(if seen == wanted {
            Ok(())
        } else {
            Err(format!("{seen} instead of {wanted}"))
        })
    })
    .await;
}

async fn all(bench: &Bench, urls: &[String]) -> Vec<FetchResponse> {
    join_all(urls.iter().map(|url| bench.get(url))).await
}

fn numbered(peer: &Peer, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| url(peer, &format!("/{number}")))
        .collect()
}

#[tokio::test]
async fn many_calls_share_one_connection() {
    let (peer, bench) = world(100, open_options()).await;
    let gate = Gate::shut();
    peer.on("/*", Reply::text("ok").behind(&gate));
    let urls = numbered(&peer, 15);
    let opening = async {
        until("all calls to be on their way", || peer.total_calls(), 15).await;
        gate.open();
    };
    let (responses, ()) = tokio::join!(all(&bench, &urls), opening);
    assert!(responses.iter().all(|it| text(it) == "ok"));
    assert_eq!(all(&bench, &numbered(&peer, 30)).await.len(), 30);
    assert!(peer.requests().iter().all(|request| request.http2));
    // Two find out at a time what is spoken over there.
    assert!(peer.connections() <= 2, "{}", peer.connections());
}

#[tokio::test]
async fn the_request_arrives_as_the_template_wrote_it() {
    let (peer, bench) = world(100, open_options()).await;
    peer.on("/in", Reply::json(&json!({"points": 7})))
        .on("/gzip", Reply::gzipped_json());
    let body = "x".repeat(200_000);
    let mut request = post(&url(&peer, "/in?a=b%20c#fragment"), &body);
    request.headers.insert("X-Token".to_owned(), "t".to_owned());
    let response = bench.fetch(request).await;
    assert_eq!(
        response.body,
        FetchBody::Json(Arc::new(json!({"points": 7})))
    );
    let packed = bench.get(&url(&peer, "/gzip")).await;
    assert_eq!(
        packed.body,
        FetchBody::Json(Arc::new(json!({"packed": true})))
    );
    let seen = &peer.requests()[0];
    let line = (seen.method.as_str(), seen.target.as_str(), seen.http2);
    assert_eq!(line, ("POST", "/in?a=b%20c", true));
    assert_eq!(&seen.body[..], body.as_bytes());
    let host = format!("localhost:{}", peer.address().port());
    for (name, value) in [
        ("x-token", Some("t")),
        ("content-length", Some("200000")),
        ("content-type", Some("application/x-www-form-urlencoded")),
        ("host", Some(host.as_str())),
        ("referer", None),
        ("connection", None),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn an_endpoint_gets_no_more_calls_on_a_connection_than_it_takes() {
    let (peer, bench) = world(2, open_options()).await;
    let gate = Gate::shut();
    peer.on("/*", Reply::text("ok").behind(&gate));
    let urls = numbered(&peer, 7);
    let opening = async {
        // All arrive although none has ended: nobody waits behind another.
        until("all calls to arrive", || peer.total_calls(), 7).await;
        gate.open();
    };
    let (responses, ()) = tokio::join!(all(&bench, &urls), opening);
    assert!(responses.iter().all(|it| text(it) == "ok"));
    assert_eq!(peer.connections(), 4);
}

#[tokio::test]
async fn workspaces_do_not_share_connections() {
    let (peer, bench) = world(100, open_options()).await;
    peer.on("/", Reply::text("ok"));
    for workspace in [1, 2, 1, 2] {
        let request = post(&url(&peer, "/"), "a");
        let response = bench.client.fetch(scope(workspace), request).await;
        assert_eq!(text(&response), "ok");
    }
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn what_is_wrong_with_an_answer_is_told_as_in_http_1() {
    let options = FetchOptions {
        total_timeout: Duration::from_millis(400),
        max_body: 100_000,
        ..open_options()
    };
    let (peer, bench) = world(100, options).await;
    let step = Duration::from_millis(20);
    peer.on("/hang", Reply::hang())
        .on("/trickle", Reply::text("x".repeat(999)).trickle(1, step))
        .on("/reset", Reply::reset())
        .on("/cut", Reply::text("0123456789").cut_after(4))
        .on("/short", Reply::text("0123").declared_length(10))
        .on("/long", Reply::text("0123456789").declared_length(4))
        .on("/declared", Reply::text("x").declared_length(100_001))
        .on("/large", Reply::text("x".repeat(100_001)))
        .on("/endless", Reply::endless())
        .on("/missing", Reply::text("nothing here").with_status(404))
        .on("/busy", Reply::text("x".repeat(90_000)).with_status(503))
        .on("/moved", Reply::redirect(302, "https://localhost/"))
        .on("/empty", Reply::status(204))
        .on("/fits", Reply::text("x".repeat(100_000)));
    for (path, status, reason) in [
        ("/hang", 599, "did not answer within 400ms"),
        ("/trickle", 599, "body did not end within 400ms"),
        ("/reset", 599, "broke off"),
        ("/cut", 599, "broke off"),
        ("/short", 599, "broke off"),
        ("/long", 599, "broke off"),
        ("/declared", 599, "a body longer than 100000 bytes"),
        ("/large", 599, "a body longer than 100000 bytes"),
        ("/endless", 599, "a body longer than 100000 bytes"),
        ("/missing", 404, "404"),
        ("/busy", 503, "503"),
        ("/moved", 302, "redirects are not followed"),
        ("/empty", 204, "without a body"),
    ] {
        let failed = bench.fetch(post(&url(&peer, path), "a")).await;
        expect_failure(&failed, status, reason);
        assert_eq!(peer.calls(path), 1, "{path}");
    }
    let fits = bench.get(&url(&peer, "/fits")).await;
    assert_eq!(text(&fits).len(), 100_000);
}

#[tokio::test]
async fn heads_end_at_their_limit() {
    let (peer, bench) = world(100, open_options()).await;
    let long = |bytes: usize| Reply::text("ok").header("x-long", &"x".repeat(bytes));
    peer.on("/long", long(30 * 1024))
        .on("/too-long", long(64 * 1024));
    assert_eq!(text(&bench.get(&url(&peer, "/long")).await), "ok");
    let refused = bench.get(&url(&peer, "/too-long")).await;
    assert_eq!(refused.status, 599, "{refused:?}");
    assert_eq!(text(&bench.get(&url(&peer, "/long?2")).await), "ok");
}

#[tokio::test]
async fn a_call_that_the_endpoint_did_not_look_at_is_made_again() {
    let (peer, bench) = world(100, open_options()).await;
    peer.on_sequence("/once", vec![Reply::refused(), Reply::text("then")])
        .on("/always", Reply::refused());
    // It changed nothing over there, so this is right for a POST, too.
    let response = bench.fetch(post(&url(&peer, "/once"), "a")).await;
    assert_eq!((text(&response), peer.calls("/once")), ("then", 2));
    let response = bench.fetch(post(&url(&peer, "/always"), "a")).await;
    expect_failure(&response, 599, "refused the call without looking at it");
    assert_eq!(peer.calls("/always"), 4, "not for ever");
}

#[tokio::test]
async fn a_caller_that_leaves_takes_its_call_back_and_leaves_the_connection() {
    let (peer, bench) = world(100, open_options()).await;
    peer.on("/hang", Reply::hang()).on("/", Reply::text("ok"));
    let mut caller = JoinSet::new();
    let (client, hang) = (Arc::clone(&bench.client), url(&peer, "/hang"));
    caller.spawn(async move { client.fetch(scope(1), post(&hang, "a")).await });
    until("the call to arrive", || peer.calls("/hang"), 1).await;
    caller.shutdown().await;
    for _ in 0..3 {
        let response = bench.fetch(post(&url(&peer, "/"), "a")).await;
        assert_eq!(text(&response), "ok");
    }
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_makes_no_progress_takes_no_new_calls() {
    let options = FetchOptions {
        total_timeout: Duration::from_millis(200),
        ..open_options()
    };
    let (peer, bench) = world(100, options).await;
    peer.on("/hang", Reply::hang()).on("/", Reply::text("ok"));
    let hanging = bench.get(&url(&peer, "/hang")).await;
    expect_failure(&hanging, 599, "did not answer");
    assert_eq!(text(&bench.get(&url(&peer, "/")).await), "ok");
    assert_eq!(peer.connections(), 2);
    until("the old one to close", || peer.open_connections(), 1).await;
}

#[tokio::test]
async fn idle_connections_are_closed_and_so_are_those_of_a_client_that_went_away() {
    let options = FetchOptions {
        idle_timeout: Duration::from_millis(100),
        ..open_options()
    };
    let (peer, bench) = world(100, options).await;
    peer.on("/", Reply::text("ok"));
    assert_eq!(text(&bench.get(&url(&peer, "/")).await), "ok");
    until("the idle one to close", || peer.open_connections(), 0).await;
    let (peer, bench) = world(100, open_options()).await;
    peer.on("/", Reply::text("ok"));
    assert_eq!(text(&bench.get(&url(&peer, "/")).await), "ok");
    assert_eq!(peer.open_connections(), 1);
    drop(bench);
    until("the last one to close", || peer.open_connections(), 0).await;
}

#[tokio::test]
async fn without_http2_over_there_it_is_http_1() {
    let (peer, certificate) = Peer::start_tls().await;
    let bench = trusting(certificate, open_options());
    peer.on("/", Reply::text("ok"));
    for _ in 0..3 {
        let response = bench.fetch(post(&url(&peer, "/"), "a")).await;
        assert_eq!(text(&response), "ok");
    }
    assert!(peer.requests().iter().all(|request| !request.http2));
    assert_eq!(peer.connections(), 1);
}
