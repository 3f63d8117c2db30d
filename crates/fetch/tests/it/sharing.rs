//! One call for many: the cache, calls in flight, and callers that leave.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::connected::{
    ConnectedContent, FetchCaching, FetchRequest, FetchResponse, FetchSource,
};
use corkboard_fetch::FetchOptions;
use corkboard_testkit::{Gate, Peer, Reply, wait_until};
use futures_util::future::join_all;
use tokio::task::JoinSet;

use crate::bench_client::{Bench, expect_failure, get, open_options, post, scope, text};

const SOON: Duration = Duration::from_secs(5);

async fn calls_reach(peer: &Peer, path: &str, wanted: usize) {
    wait_until(SOON, "the call to arrive", || {
        let calls = peer.calls(path);
        std::future::ready(if calls >= wanted {
            Ok(())
        } else {
            Err(format!("{calls} calls"))
        })
    })
    .await;
}

fn max_age(seconds: u64, request: FetchRequest) -> FetchRequest {
    FetchRequest {
        caching: FetchCaching::MaxAge(Duration::from_secs(seconds)),
        ..request
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_identical_requests_make_one_call() {
    let (peer, bench, gate) = (Peer::start().await, Bench::open(), Gate::shut());
    peer.on("/offer", Reply::text("one").behind(&gate));
    let mut callers = JoinSet::new();
    for _ in 0..1_000 {
        let (client, url) = (Arc::clone(&bench.client), peer.url("/offer"));
        callers.spawn(async move { client.fetch(scope(1), get(&url)).await });
    }
    calls_reach(&peer, "/offer", 1).await;
    gate.open();
    let responses: Vec<FetchResponse> = callers.join_all().await;
    let from = |source| {
        responses
            .iter()
            .filter(|it| it.report.source == source)
            .count()
    };
    assert!(responses.iter().all(|response| text(response) == "one"));
    assert_eq!(peer.calls("/offer"), 1);
    assert_eq!(from(FetchSource::Network), 1);
    assert_eq!(from(FetchSource::Shared) + from(FetchSource::Cache), 999);
}

#[tokio::test]
async fn a_get_is_cached_for_five_minutes() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/", Reply::text("cached"));
    let url = peer.url("/");
    assert_eq!(bench.get(&url).await.report.source, FetchSource::Network);
    bench.clock.advance(Duration::from_secs(299));
    let hit = bench.get(&url).await;
    assert_eq!(
        (hit.report.source, text(&hit), hit.report.bytes),
        (FetchSource::Cache, "cached", 6)
    );
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.get(&url).await.report.source, FetchSource::Network);
    assert_eq!(peer.calls("/"), 2);
}

#[tokio::test]
async fn a_template_may_ask_for_longer_but_not_for_shorter_or_forever() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/*", Reply::text("ok"));
    for (path, asked, lasts) in [
        ("/a", 10, 300),
        ("/b", 3_600, 3_600),
        ("/c", 99_999, 14_400),
    ] {
        let request = || max_age(asked, get(&peer.url(path)));
        bench.fetch(request()).await;
        bench.clock.advance(Duration::from_secs(lasts - 1));
        assert_eq!(
            bench.fetch(request()).await.report.source,
            FetchSource::Cache,
            "{path}"
        );
        bench.clock.advance(Duration::from_secs(1));
        assert_eq!(
            bench.fetch(request()).await.report.source,
            FetchSource::Network,
            "{path}"
        );
    }
}

#[tokio::test]
async fn posts_and_no_cache_are_calls_each_time_unless_a_post_asks() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/*", Reply::text("ok"));
    let never = || FetchRequest {
        caching: FetchCaching::Never,
        ..get(&peer.url("/never"))
    };
    for _ in 0..3 {
        bench.fetch(post(&peer.url("/post"), "a")).await;
        bench.fetch(never()).await;
        bench
            .fetch(max_age(600, post(&peer.url("/asked"), "a")))
            .await;
        bench
            .fetch(max_age(600, post(&peer.url("/asked"), "b")))
            .await;
    }
    let calls = ["/post", "/never", "/asked"].map(|path| peer.calls(path));
    assert_eq!(calls, [3, 3, 2]);
}

#[tokio::test]
async fn nothing_is_shared_between_workspaces() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/", Reply::text("ok"));
    for workspace in [1, 2, 1, 2] {
        let response = bench
            .client
            .fetch(scope(workspace), get(&peer.url("/")))
            .await;
        assert_eq!(response.status, 200);
    }
    assert_eq!(peer.calls("/"), 2);
}

#[tokio::test]
async fn failures_are_shared_with_those_who_wait_and_not_remembered() {
    let (peer, bench, gate) = (Peer::start().await, Bench::open(), Gate::shut());
    peer.on_sequence(
        "/",
        vec![Reply::status(503).behind(&gate), Reply::text("up again")],
    );
    let url = peer.url("/");
    let waiting = join_all((0..10).map(|_| bench.get(&url)));
    let opening = async {
        calls_reach(&peer, "/", 1).await;
        gate.open();
    };
    for response in tokio::join!(waiting, opening).0 {
        expect_failure(&response, 503, "503");
    }
    assert_eq!(peer.calls("/"), 1);
    assert_eq!(text(&bench.get(&url).await), "up again");
}

#[tokio::test]
async fn a_caller_that_leaves_takes_nothing_from_the_others() {
    let (peer, bench, gate) = (Peer::start().await, Bench::open(), Gate::shut());
    peer.on("/", Reply::text("all the same").behind(&gate));
    let url = peer.url("/");
    let mut first = JoinSet::new();
    let (client, leaders_url) = (Arc::clone(&bench.client), url.clone());
    first.spawn(async move { client.fetch(scope(1), get(&leaders_url)).await });
    calls_reach(&peer, "/", 1).await;
    let follower = bench.get(&url);
    let leaving = async {
        first.shutdown().await;
        gate.open();
    };
    let (response, ()) = tokio::join!(follower, leaving);
    assert_eq!(text(&response), "all the same");
    assert_eq!(bench.get(&url).await.report.source, FetchSource::Cache);
    assert_eq!(peer.calls("/"), 1);
}

#[tokio::test]
async fn a_call_that_nobody_shares_ends_with_its_caller() {
    let (peer, mut bench) = (Peer::start().await, Bench::open());
    peer.on("/", Reply::hang());
    let mut caller = JoinSet::new();
    let (client, url) = (Arc::clone(&bench.client), peer.url("/"));
    caller.spawn(async move { client.fetch(scope(1), post(&url, "a")).await });
    calls_reach(&peer, "/", 1).await;
    caller.shutdown().await;
    wait_until(SOON, "the connection to close", || {
        let open = peer.open_connections();
        std::future::ready(if open == 0 {
            Ok(())
        } else {
            Err(format!("{open} open"))
        })
    })
    .await;
    let records = bench.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].status, 599);
    assert!(
        records[0]
            .problem
            .as_deref()
            .unwrap_or_default()
            .contains("went away")
    );
}

#[tokio::test]
async fn the_cache_is_bounded_in_bytes() {
    let options = FetchOptions {
        cache_bytes: 100_000,
        ..open_options()
    };
    let (peer, bench) = (Peer::start().await, Bench::with(options));
    peer.on("/*", Reply::text("x".repeat(10_000)));
    for number in 0..20 {
        bench.get(&peer.url(&format!("/{number}"))).await;
    }
    let newest = bench.get(&peer.url("/19")).await;
    let oldest = bench.get(&peer.url("/0")).await;
    let sources = (newest.report.source, oldest.report.source);
    assert_eq!(sources, (FetchSource::Cache, FetchSource::Network));
}

#[tokio::test]
async fn an_old_answer_stands_in_for_a_failure_where_the_template_says_so() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on_sequence("/", vec![Reply::text("once"), Reply::status(503)]);
    let request = |stale: Option<u64>| FetchRequest {
        stale_if_error: stale.map(Duration::from_secs),
        ..get(&peer.url("/"))
    };
    bench.fetch(request(None)).await;
    bench.clock.advance(Duration::from_secs(600));
    expect_failure(&bench.fetch(request(None)).await, 503, "503");
    let stale = bench.fetch(request(Some(301))).await;
    assert_eq!((stale.status, text(&stale)), (200, "once"));
    assert_eq!(stale.report.source, FetchSource::Stale);
    bench.clock.advance(Duration::from_secs(1));
    let too_old = bench.fetch(request(Some(301))).await;
    expect_failure(&too_old, 503, "503");
    assert_eq!(peer.calls("/"), 4, "each one asked first");
}

#[tokio::test]
async fn what_is_not_there_is_remembered_for_a_moment() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on_sequence("/", vec![Reply::status(404), Reply::text("now it is")]);
    expect_failure(&bench.get(&peer.url("/")).await, 404, "404");
    bench.clock.advance(Duration::from_secs(9));
    let known = bench.get(&peer.url("/")).await;
    expect_failure(&known, 404, "404");
    assert_eq!(known.report.source, FetchSource::Cache);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(text(&bench.get(&peer.url("/")).await), "now it is");
}

#[tokio::test]
async fn a_hit_shares_the_body_and_does_not_copy_it() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/", Reply::text("x".repeat(100_000)));
    let first = bench.get(&peer.url("/")).await;
    let hit = bench.get(&peer.url("/")).await;
    assert_eq!(hit.report.source, FetchSource::Cache);
    assert!(std::ptr::eq(text(&first), text(&hit)));
}
