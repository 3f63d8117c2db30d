//! Bounds: time, bytes, calls at a time, calls waiting.

use std::time::Duration;

use corkboard_core::connected::{FetchCaching, FetchRequest, FetchSource};
use corkboard_fetch::FetchOptions;
use corkboard_testkit::{Gate, Peer, Reply, wait_until};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::bench_client::{Bench, expect_failure, get, open_options, text};

const BRIEF: Duration = Duration::from_millis(300);
const SOON: Duration = Duration::from_secs(5);

fn brief() -> FetchOptions {
    FetchOptions {
        total_timeout: BRIEF,
        connect_timeout: BRIEF,
        ..open_options()
    }
}

#[tokio::test]
async fn silence_and_trickles_end_at_the_total_time_out() {
    let (peer, bench) = (Peer::start().await, Bench::with(brief()));
    let step = Duration::from_millis(20);
    peer.on("/hang", Reply::hang())
        .on("/late", Reply::text("too late").delay(SOON))
        .on("/trickle", Reply::text("x".repeat(10_000)).trickle(1, step))
        .on(
            "/head",
            Reply::verbatim("HTTP/1.1 200 OK\r\nx-half: of a he"),
        );
    bench.resolver.stall("stalled.example");
    for (url, reason) in [
        (peer.url("/hang"), "did not answer within 300ms"),
        (peer.url("/late"), "did not answer within 300ms"),
        (peer.url("/head"), "did not answer within 300ms"),
        (peer.url("/trickle"), "body did not end within 300ms"),
        (peer.url_as("stalled.example", "/"), "no reply within 300ms"),
    ] {
        let start = Instant::now();
        let response = bench.get(&url).await;
        let took = start.elapsed();
        expect_failure(&response, 599, reason);
        assert!((BRIEF..SOON).contains(&took), "{url} took {took:?}");
        assert!(response.report.elapsed >= BRIEF);
    }
}

#[tokio::test]
async fn an_abandoned_exchange_closes_its_connection() {
    let (peer, bench) = (Peer::start().await, Bench::with(brief()));
    peer.on("/hang", Reply::hang());
    expect_failure(&bench.get(&peer.url("/hang")).await, 599, "did not answer");
    no_open_connections(&peer).await;
}

async fn no_open_connections(peer: &Peer) {
    wait_until(SOON, "all connections to close", || {
        let open = peer.open_connections();
        std::future::ready(if open == 0 {
            Ok(())
        } else {
            Err(format!("{open} open"))
        })
    })
    .await;
}

#[tokio::test]
async fn bodies_end_at_the_limit_whatever_was_declared() {
    let limit = 100_000;
    let options = FetchOptions {
        max_body: limit,
        ..open_options()
    };
    let (peer, bench) = (Peer::start().await, Bench::with(options));
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        limit + 1,
        "x".repeat(limit + 1)
    );
    peer.on("/fits", Reply::text("x".repeat(limit)))
        .on(
            "/declared",
            Reply::text("x").declared_length(limit as u64 + 1),
        )
        .on("/large", Reply::text("x".repeat(limit + 1)))
        .on("/chunked", Reply::verbatim(chunked))
        .on("/endless", Reply::endless());
    assert_eq!(text(&bench.get(&peer.url("/fits")).await).len(), limit);
    for path in ["/declared", "/large", "/chunked", "/endless"] {
        let response = bench.get(&peer.url(path)).await;
        expect_failure(&response, 599, "a body longer than 100000 bytes");
        assert!(
            response.report.bytes <= 2 * limit as u64,
            "{path}: {:?}",
            response.report
        );
    }
    // The refused connections are closed, not kept: the endless one would go on forever.
    wait_until(SOON, "the endless answer to be cut", || {
        let open = peer.open_connections();
        std::future::ready(if open <= 1 {
            Ok(())
        } else {
            Err(format!("{open} open"))
        })
    })
    .await;
}

#[tokio::test]
async fn heads_end_at_their_limit() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    let long = |bytes: usize| Reply::text("ok").header("x-long", &"x".repeat(bytes));
    peer.on("/long", long(30 * 1024))
        .on("/too-long", long(33 * 1024));
    assert_eq!(text(&bench.get(&peer.url("/long")).await), "ok");
    expect_failure(&bench.get(&peer.url("/too-long")).await, 599, "too large");
    let mut many = Reply::text("ok");
    for number in 0..200 {
        many = many.header(&format!("x-{number}"), "x");
    }
    peer.on("/many", many);
    expect_failure(&bench.get(&peer.url("/many")).await, 599, "broke off");
}

#[tokio::test]
async fn json_that_would_become_a_huge_tree_is_refused() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/deep", Reply::text("[".repeat(1_000))).on(
        "/wide",
        Reply::text(format!("[{}{{}}]", r#"{"":0},"#.repeat(100_000))),
    );
    expect_failure(
        &bench.get(&peer.url("/deep")).await,
        599,
        "nested more than 127 deep",
    );
    expect_failure(
        &bench.get(&peer.url("/wide")).await,
        599,
        "more than 100000 values",
    );
}

#[tokio::test]
async fn no_more_calls_than_allowed_run_at_a_time_and_the_rest_wait_their_turn() {
    let options = FetchOptions {
        max_in_flight: 2,
        ..open_options()
    };
    let (peer, bench, gate) = (Peer::start().await, Bench::with(options), Gate::shut());
    peer.on("/*", Reply::text("ok").behind(&gate));
    let urls: Vec<String> = (0..6)
        .map(|number| peer.url(&format!("/{number}")))
        .collect();
    let calls = join_all(urls.iter().map(|url| bench.get(url)));
    let opening = async {
        wait_until(SOON, "two calls at the gate", || {
            let calls = peer.total_calls();
            std::future::ready(if calls == 2 {
                Ok(())
            } else {
                Err(format!("{calls} calls"))
            })
        })
        .await;
        gate.open();
    };
    let (responses, ()) = tokio::join!(calls, opening);
    assert!(responses.iter().all(|response| response.status == 200));
    assert_eq!((peer.total_calls(), peer.connections()), (6, 2));
}

#[tokio::test]
async fn waiting_for_a_slot_ends_by_itself_and_does_not_shorten_the_call() {
    let options = FetchOptions {
        max_in_flight: 1,
        queue_timeout: Duration::from_millis(600),
        ..brief()
    };
    let (peer, bench) = (Peer::start().await, Bench::with(options));
    peer.on("/hang", Reply::hang()).on(
        "/quick",
        Reply::text("ok").delay(Duration::from_millis(200)),
    );
    let (one, other, third) = (peer.url("/hang?1"), peer.url("/hang?2"), peer.url("/quick"));
    let last = peer.url("/quick?late");
    let all = tokio::join!(bench.get(&one), bench.get(&other), bench.get(&last));
    expect_failure(&all.0, 599, "did not answer");
    expect_failure(&all.1, 599, "did not answer within 300ms");
    assert!(all.1.report.waited >= BRIEF, "{:?}", all.1.report);
    // The slot comes free at the moment when the wait is over: either is right.
    match all.2.report.source {
        FetchSource::Refused => expect_failure(&all.2, 529, "no fetch slot came free within 600ms"),
        _ => assert_eq!(text(&all.2), "ok"),
    }
    let (hanging, quick) = tokio::join!(bench.get(&one), bench.get(&third));
    expect_failure(&hanging, 599, "did not answer");
    assert_eq!(text(&quick), "ok", "its own time began with its slot");
}

#[tokio::test]
async fn beyond_the_queue_calls_are_answered_at_once() {
    let options = FetchOptions {
        max_in_flight: 1,
        max_queued: 1,
        ..open_options()
    };
    let (peer, bench) = (Peer::start().await, Bench::with(options));
    for (caching, round) in [
        (FetchCaching::Default, "/shared"),
        (FetchCaching::Never, "/alone"),
    ] {
        let gate = Gate::shut();
        peer.on(&format!("{round}/*"), Reply::text("ok").behind(&gate));
        let request = |path: &str| FetchRequest {
            caching,
            ..get(&peer.url(&format!("{round}/{path}")))
        };
        // Polled in this order: one runs, one waits, and there is no room for a third.
        let running = bench.fetch(request("a"));
        let waiting = bench.fetch(request("b"));
        let beyond = async {
            let response = bench.fetch(request("c")).await;
            gate.open();
            response
        };
        let (running, waiting, beyond) = tokio::join!(running, waiting, beyond);
        assert_eq!((running.status, waiting.status), (200, 200));
        expect_failure(&beyond, 529, "too many fetches are waiting");
        assert_eq!(beyond.report.source, FetchSource::Refused);
        assert_eq!(peer.calls(&format!("{round}/c")), 0);
    }
}
