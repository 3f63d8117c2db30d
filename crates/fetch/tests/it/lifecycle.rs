//! Starting with wrong settings, shutting down, and being dropped.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::connected::{ConnectedContent, FetchVerdict};
use corkboard_core::time::SystemClock;
use corkboard_fetch::{
    DiscardCallLog, FetchClient, FetchOptions, FetchOptionsError, SystemResolver, describe_metrics,
};
use corkboard_testkit::{Gate, Peer, Reply, wait_until};

use crate::bench_client::{Bench, expect_failure, get, open_options, post, scope, text};

const SOON: Duration = Duration::from_secs(5);

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
async fn settings_that_make_no_client_are_refused() {
    let build = |options| {
        let resolver = Arc::new(SystemResolver::default());
        FetchClient::new(
            options,
            Arc::new(SystemClock),
            Arc::new(DiscardCallLog),
            resolver,
        )
        .map(|_| ())
    };
    let default = FetchOptions::default;
    let long = Duration::from_secs(11);
    assert_eq!(build(default()), Ok(()));
    for wrong in [Duration::ZERO, long] {
        let error = build(FetchOptions {
            total_timeout: wrong,
            ..default()
        });
        assert_eq!(error, Err(FetchOptionsError::TotalTimeout(wrong)));
    }
    let error = build(FetchOptions {
        connect_timeout: Duration::ZERO,
        ..default()
    });
    assert_eq!(
        error,
        Err(FetchOptionsError::ConnectTimeout(Duration::ZERO))
    );
    let error = build(FetchOptions {
        max_in_flight: 0,
        ..default()
    });
    assert_eq!(error, Err(FetchOptionsError::NoneInFlight));
    let error = build(FetchOptions {
        user_agent: "a\nb".to_owned(),
        ..default()
    });
    assert_eq!(error, Err(FetchOptionsError::UserAgent("a\nb".to_owned())));
    let error = build(FetchOptions {
        extra_roots: vec![vec![1, 2].into()],
        ..default()
    });
    assert_eq!(error, Err(FetchOptionsError::ExtraRoot));
    describe_metrics();
}

#[tokio::test]
async fn a_shutdown_lets_calls_end_refuses_new_ones_and_closes_everything() {
    // A shareable call is a task of its own, a POST runs in its caller's: both are waited for.
    for post_it in [false, true] {
        let (peer, bench, gate) = (Peer::start().await, Bench::open(), Gate::shut());
        let url = peer.url("/held");
        peer.on("/held", Reply::text("in time").behind(&gate))
            .on("/quick", Reply::text("ok"));
        assert_eq!(bench.get(&peer.url("/quick")).await.status, 200);
        let running = bench.fetch(if post_it { post(&url, "a") } else { get(&url) });
        let ending = async {
            wait_until(SOON, "the call to arrive", || {
                let calls = peer.calls("/held");
                std::future::ready(if calls == 1 {
                    Ok(())
                } else {
                    Err(format!("{calls} calls"))
                })
            })
            .await;
            // Polled in this order: the shutdown has begun when the next call asks.
            let refusing = async {
                let refused = bench.get(&peer.url("/new")).await;
                gate.open();
                refused
            };
            tokio::join!(bench.client.shutdown(), refusing).1
        };
        let (answer, refused) = tokio::join!(running, ending);
        assert_eq!(text(&answer), "in time");
        expect_failure(&refused, 599, "shutting down");
        assert_eq!(peer.calls("/new"), 0);
        no_open_connections(&peer).await;
    }
}

#[tokio::test]
async fn those_who_wait_for_leave_are_told_of_a_shutdown_and_may_come_again() {
    let options = FetchOptions {
        host_concurrent: 1,
        ..open_options()
    };
    let (peer, bench, gate) = (Peer::start().await, Bench::with(options), Gate::shut());
    peer.on("/*", Reply::text("in time").behind(&gate));
    let (running, waiting) = (get(&peer.url("/a")), get(&peer.url("/b")));
    let waiting = async {
        let told = bench.client.attempt(scope(1), waiting, 1).await;
        gate.open();
        told
    };
    let ending = async {
        wait_until(SOON, "the call to arrive", || {
            let calls = peer.calls("/a");
            std::future::ready(if calls == 1 {
                Ok(())
            } else {
                Err(format!("{calls} calls"))
            })
        })
        .await;
        bench.client.shutdown().await;
    };
    let (answer, told, ()) = tokio::join!(bench.fetch(running), waiting, ending);
    assert_eq!(text(&answer), "in time");
    expect_failure(&told, 599, "shutting down");
    let verdict = told.report.verdict;
    assert!(
        matches!(verdict, FetchVerdict::Again { attempt: 1, .. }),
        "another node may: {verdict:?}"
    );
}

#[tokio::test]
async fn a_dropped_client_leaves_no_connection_behind() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/", Reply::text("ok"));
    assert_eq!(
        bench
            .client
            .fetch(scope(1), post(&peer.url("/"), "a"))
            .await
            .status,
        200
    );
    assert_eq!(peer.open_connections(), 1);
    drop(bench);
    no_open_connections(&peer).await;
}
