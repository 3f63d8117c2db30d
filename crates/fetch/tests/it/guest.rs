//! Being a guest: a host's own limits, pauses and halts, and what its neighbours notice of them.

use std::pin::pin;
use std::time::Duration;

use corkboard_core::connected::{ConnectedContent, FetchCaching, FetchRequest, FetchSource};
use corkboard_fetch::FetchOptions;
use corkboard_testkit::{Gate, Peer, Reply, wait_until};
use futures_util::future::{Either, join_all, select};
use tokio::time::Instant;

use crate::bench_client::{Bench, expect_failure, get, open_options, scope, text};

const SOON: Duration = Duration::from_secs(5);

fn uncached(url: &str) -> FetchRequest {
    FetchRequest {
        caching: FetchCaching::Never,
        ..get(url)
    }
}

async fn calls_reach(peer: &Peer, wanted: usize) {
    wait_until(SOON, "the calls to arrive", || {
        let calls = peer.total_calls();
        std::future::ready(if calls >= wanted {
            Ok(())
        } else {
            Err(format!("{calls} calls"))
        })
    })
    .await;
}

#[tokio::test]
async fn an_unknown_host_is_first_asked_a_little_and_its_neighbours_are_not_held_up() {
    let options = FetchOptions {
        max_in_flight: 30,
        ..open_options()
    };
    let (silent, lively) = (Peer::start().await, Peer::start().await);
    let (bench, gate) = (Bench::with(options), Gate::shut());
    silent.on("/*", Reply::text("at last").behind(&gate));
    lively.on("/*", Reply::text("ok"));
    let urls: Vec<String> = (0..200).map(|n| silent.url(&format!("/{n}"))).collect();
    let stuck = join_all(urls.iter().map(|url| bench.get(url)));
    let beside = async {
        calls_reach(&silent, 20).await;
        for number in 0..100 {
            let response = bench.get(&lively.url(&format!("/{number}"))).await;
            assert_eq!(text(&response), "ok");
        }
        assert_eq!(silent.total_calls(), 20, "not more than at first");
        gate.open();
    };
    let (answers, ()) = tokio::join!(stuck, beside);
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!(answers.iter().any(|answer| !answer.report.waited.is_zero()));
}

#[tokio::test]
async fn a_host_that_only_fails_is_halted_for_its_workspace_and_nobody_else() {
    let options = FetchOptions {
        halt_failures: 10,
        ..open_options()
    };
    let (peer, other, bench) = (
        Peer::start().await,
        Peer::start().await,
        Bench::with(options),
    );
    peer.on("/*", Reply::status(503));
    other.on("/*", Reply::text("ok"));
    for _ in 0..11 {
        expect_failure(&bench.fetch(uncached(&peer.url("/"))).await, 503, "503");
    }
    let refused = bench.fetch(uncached(&peer.url("/"))).await;
    expect_failure(&refused, 598, "halted for another");
    assert_eq!(refused.report.source, FetchSource::Refused);
    assert_eq!(peer.total_calls(), 11);
    assert_eq!(text(&bench.get(&other.url("/")).await), "ok");
    let neighbour = bench.client.fetch(scope(2), uncached(&peer.url("/"))).await;
    expect_failure(&neighbour, 503, "503");
}

#[tokio::test]
async fn probes_let_a_halted_host_come_back() {
    let options = FetchOptions {
        halt_failures: 3,
        halt_time: Duration::from_millis(100),
        ..open_options()
    };
    let (peer, bench) = (Peer::start().await, Bench::with(options));
    let mut script = vec![Reply::status(503); 4];
    script.push(Reply::text("back"));
    peer.on_sequence("/", script);
    for _ in 0..4 {
        bench.fetch(uncached(&peer.url("/"))).await;
    }
    expect_failure(&bench.fetch(uncached(&peer.url("/"))).await, 598, "halted");
    wait_until(SOON, "the host to be back", || async {
        let response = bench.fetch(uncached(&peer.url("/"))).await;
        if response.status == 200 {
            Ok(())
        } else {
            Err(format!("{response:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn a_retry_after_of_a_refusing_host_binds_all_calls_to_it() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    let refusal = Reply::status(429).header("retry-after", "1");
    peer.on_sequence("/", vec![refusal, Reply::text("welcome")]);
    let start = Instant::now();
    expect_failure(&bench.fetch(uncached(&peer.url("/"))).await, 429, "429");
    assert_eq!(
        text(&bench.fetch(uncached(&peer.url("/"))).await),
        "welcome"
    );
    assert!(start.elapsed() >= Duration::from_secs(1));

    peer.on("/long", Reply::status(503).header("retry-after", "120"));
    // A host that answered well a moment ago has to refuse for a while before it is believed.
    wait_until(SOON, "the host to be left alone", || async {
        let response = bench.fetch(uncached(&peer.url("/long"))).await;
        match response.status {
            529 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    let calls = peer.total_calls();
    let refused = bench.fetch(uncached(&peer.url("/"))).await;
    expect_failure(&refused, 529, "asked not to be called for another");
    assert_eq!(peer.total_calls(), calls);
}

#[tokio::test]
async fn a_cap_on_calls_per_second_is_kept() {
    let options = FetchOptions {
        host_per_second: 50,
        ..open_options()
    };
    let (peer, bench) = (Peer::start().await, Bench::with(options));
    peer.on("/*", Reply::text("ok"));
    let urls: Vec<String> = (0..50).map(|n| peer.url(&format!("/{n}"))).collect();
    let start = Instant::now();
    let answers = join_all(urls.iter().map(|url| bench.get(url))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    // 50 at 50 a second, less the few that may go at once.
    assert!(
        start.elapsed() >= Duration::from_millis(800),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn the_queue_of_a_host_is_bounded() {
    let options = FetchOptions {
        host_concurrent: 1,
        host_queued: 1,
        ..open_options()
    };
    let (peer, bench, gate) = (Peer::start().await, Bench::with(options), Gate::shut());
    peer.on("/*", Reply::text("ok").behind(&gate));
    let urls = ["/a", "/b", "/c"].map(|path| peer.url(path));
    let beyond = async {
        let response = bench.get(&urls[2]).await;
        gate.open();
        response
    };
    let (first, second, beyond) = tokio::join!(bench.get(&urls[0]), bench.get(&urls[1]), beyond);
    assert_eq!((first.status, second.status), (200, 200));
    expect_failure(&beyond, 529, "too many fetches are waiting");
}

#[tokio::test]
async fn connections_to_a_host_are_opened_a_few_at_a_time() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/*", Reply::text("ok"));
    bench.resolver.stall("stalled.example");
    let urls: Vec<String> = (0..20)
        .map(|n| peer.url_as("stalled.example", &format!("/{n}")))
        .collect();
    let calling = pin!(join_all(urls.iter().map(|url| bench.get(url))));
    let looking = pin!(async {
        wait_until(SOON, "the first to be looked up", || {
            let lookups = bench.resolver.lookups();
            std::future::ready(if lookups >= 8 {
                Ok(())
            } else {
                Err(format!("{lookups} lookups"))
            })
        })
        .await;
        for number in 0..50 {
            bench.get(&peer.url(&format!("/{number}"))).await;
        }
        bench.resolver.lookups()
    });
    match select(calling, looking).await {
        Either::Left((answers, _)) => panic!("no answer was due: {answers:?}"),
        Either::Right((lookups, _)) => assert_eq!(lookups, 8),
    }
}
