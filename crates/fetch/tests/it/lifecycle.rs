//! Starting with wrong settings, shutting down, and being dropped.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::connected::ConnectedContent;
use corkboard_core::time::SystemClock;
use corkboard_fetch::{
    DiscardCallLog, FetchClient, FetchOptions, FetchOptionsError, SystemResolver, describe_metrics,
};
use corkboard_testkit::{Gate, Peer, Reply, wait_until};

use crate::bench_client::{Bench, expect_failure, post, scope, text};

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
    let (peer, bench, gate) = (Peer::start().await, Bench::open(), Gate::shut());
    peer.on("/held", Reply::text("in time").behind(&gate))
        .on("/quick", Reply::text("ok"));
    assert_eq!(bench.get(&peer.url("/quick")).await.status, 200);
    let url = peer.url("/held");
    let (shareable, alone) = (bench.get(&url), bench.fetch(post(&url, "a")));
    let ending = async {
        wait_until(SOON, "both calls to arrive", || {
            let calls = peer.calls("/held");
            std::future::ready(if calls == 2 {
                Ok(())
            } else {
                Err(format!("{calls} calls"))
            })
        })
        .await;
        let after = async {
            wait_until(SOON, "new calls to be refused", || async {
                let response = bench.get(&peer.url("/new")).await;
                if response.status == 599 {
                    Ok(response)
                } else {
                    Err(format!("{response:?}"))
                }
            })
            .await
        };
        let release = async {
            let refused = after.await;
            gate.open();
            refused
        };
        tokio::join!(bench.client.shutdown(), release).1
    };
    let (shareable, alone, refused) = tokio::join!(shareable, alone, ending);
    assert_eq!((text(&shareable), text(&alone)), ("in time", "in time"));
    expect_failure(&refused, 599, "shutting down");
    no_open_connections(&peer).await;
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
