//! HTTP/2 endpoints that say goodbye in the middle, lose connections, or flood.

use std::time::Duration;

use corkboard_core::connected::{FetchCaching, FetchRequest};
use corkboard_fetch::FetchOptions;
use corkboard_testkit::peer::frames::{
    Arrival, FramePeer, Step, frame, goodbye, last_data, ok_head, reset, settings,
};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::bench_client::{Bench, expect_failure, get, open_options, post, text};
use crate::http2::trusting;

/// The frame that is sent again and again, for a stream.
type Flood = fn(u32) -> Vec<u8>;

async fn world(
    options: FetchOptions,
    script: impl Fn(Arrival) -> Vec<Step> + Send + Sync + 'static,
) -> (FramePeer, Bench) {
    let (peer, certificate) = FramePeer::start(Vec::new(), script).await;
    (peer, trusting(certificate, options))
}

fn fine(stream: u32) -> Vec<Step> {
    vec![Step::Send(
        [ok_head(stream), last_data(stream, b"fine")].concat(),
    )]
}

fn uncached(url: &str) -> FetchRequest {
    FetchRequest {
        caching: FetchCaching::Never,
        ..get(url)
    }
}

/// Opens the connection on which the others will sit.
async fn warmed(peer: &FramePeer, bench: &Bench) {
    let response = bench.fetch(uncached(&peer.url("/first"))).await;
    assert_eq!(text(&response), "fine");
}

#[tokio::test]
async fn calls_that_a_goodbye_left_behind_are_made_again_elsewhere() {
    let (peer, bench) = world(open_options(), |it| match (it.connection, it.request) {
        (0, 1..5) => Vec::new(),
        // Only the first of them was looked at, and is answered yet.
        (0, 5) => vec![
            Step::Send(goodbye(3, 0)),
            Step::Send([ok_head(3), last_data(3, b"fine")].concat()),
        ],
        (_, _) => fine(it.stream),
    })
    .await;
    warmed(&peer, &bench).await;
    let urls: Vec<String> = (0..5)
        .map(|number| peer.url(&format!("/{number}")))
        .collect();
    let responses = join_all(urls.iter().map(|url| bench.get(url))).await;
    for response in &responses {
        assert_eq!(text(response), "fine");
    }
    assert_eq!(peer.requests(), 1 + 5 + 4, "each of the four once more");
    assert!(peer.connections() <= 3, "{}", peer.connections());
}

#[tokio::test]
async fn behind_a_goodbye_a_call_that_changes_something_is_not_made_again() {
    let (peer, bench) = world(open_options(), |it| match (it.connection, it.request) {
        (0, 1) => vec![Step::Send(goodbye(1, 0)), Step::Close],
        (_, _) => fine(it.stream),
    })
    .await;
    warmed(&peer, &bench).await;
    let left = bench.fetch(post(&peer.url("/"), "a")).await;
    expect_failure(&left, 599, "broke off");
    assert_eq!(peer.requests(), 2);
    let next = bench.fetch(post(&peer.url("/"), "a")).await;
    assert_eq!(text(&next), "fine");
}

#[tokio::test]
async fn a_lost_connection_does_not_take_all_its_calls_with_it() {
    let (peer, bench) = world(open_options(), |it| match (it.connection, it.request) {
        (0, 1..8) => Vec::new(),
        (0, 8) => vec![Step::Close],
        (_, _) => fine(it.stream),
    })
    .await;
    warmed(&peer, &bench).await;
    let urls: Vec<String> = (0..8)
        .map(|number| peer.url(&format!("/{number}")))
        .collect();
    let responses = join_all(urls.iter().map(|url| bench.get(url))).await;
    assert!(responses.iter().all(|it| it.status == 200), "{responses:?}");
    assert_eq!(peer.requests(), 1 + 8 + 8);
}

#[tokio::test]
async fn an_endpoint_that_loses_every_connection_is_not_called_twice_by_everybody() {
    let (peer, bench) = world(open_options(), |it| match (it.connection, it.request) {
        (0, 0) => fine(it.stream),
        (0, 20) => vec![Step::Close],
        _ => Vec::new(),
    })
    .await;
    warmed(&peer, &bench).await;
    let urls: Vec<String> = (0..20)
        .map(|number| peer.url(&format!("/{number}")))
        .collect();
    let brief = |url: &String| FetchRequest {
        timeout: Some(Duration::from_millis(500)),
        ..get(url)
    };
    let responses = join_all(urls.iter().map(|url| bench.fetch(brief(url)))).await;
    assert!(responses.iter().all(|it| it.status == 599));
    // A tenth of the first tries, and ten to begin with.
    let again = peer.requests() - 21;
    assert!((5..=12).contains(&again), "{again}");
}

#[tokio::test]
async fn resets_by_the_endpoint_end_one_call_only() {
    let (peer, bench) = world(open_options(), |it| match it.request % 2 {
        1 => vec![Step::Send(reset(it.stream, 2))],
        _ => fine(it.stream),
    })
    .await;
    for round in 0..6 {
        let response = bench.fetch(post(&peer.url("/"), "a")).await;
        if response.status == 599 {
            expect_failure(&response, 599, "broke off");
        } else {
            assert_eq!(text(&response), "fine", "{round}");
        }
    }
    assert_eq!(peer.requests(), 6);
}

#[tokio::test]
async fn floods_of_every_kind_end_early_and_close_the_connection() {
    let many = |bytes: Vec<u8>| bytes.repeat(4_096 / bytes.len().max(1) + 1);
    let headless = |stream: u32| frame(1, 0, stream, &[0x88]);
    let floods: [(&str, Flood); 9] = [
        ("pings", |_| frame(6, 0, 0, &[0; 8])),
        ("settings", |_| settings(&[(4, 65_535)])),
        ("windows", |_| frame(8, 0, 0, &1_u32.to_be_bytes())),
        ("empty data", |stream| frame(0, 0, stream, &[])),
        ("unknown frames", |_| frame(0xbb, 0, 0, &[0; 100])),
        ("priorities", |stream| frame(2, 0, stream, &[0; 5])),
        ("resets", |_| reset(1, 8)),
        ("continuations", |stream| frame(9, 0, stream, b"")),
        ("long continuations", |stream| {
            frame(9, 0, stream, &[0x40; 1_000])
        }),
    ];
    for (kind, flood) in floods {
        let (peer, bench) = world(open_options(), move |it| {
            let head = match kind {
                "continuations" | "long continuations" => headless(it.stream),
                "empty data" => ok_head(it.stream),
                _ => Vec::new(),
            };
            vec![Step::Send(head), Step::Flood(many(flood(it.stream)))]
        })
        .await;
        let start = Instant::now();
        let response = bench.fetch(post(&peer.url("/"), "a")).await;
        assert_eq!(response.status, 599, "{kind}: {response:?}");
        // Twice the body's bound, and what is under way in buffers.
        assert!(peer.sent() < 16 * 1024 * 1024, "{kind}: {}", peer.sent());
        assert!(start.elapsed() < Duration::from_secs(4), "{kind}");
    }
}

#[tokio::test]
async fn a_head_without_its_body_ends_at_the_time_out() {
    let options = FetchOptions {
        total_timeout: Duration::from_millis(300),
        ..open_options()
    };
    let (peer, bench) = world(options, |it| match it.connection {
        0 => vec![Step::Send(ok_head(it.stream))],
        1 => vec![Step::Send(frame(1, 0, it.stream, &[0x88]))],
        _ => fine(it.stream),
    })
    .await;
    let bodiless = bench.fetch(post(&peer.url("/"), "a")).await;
    expect_failure(&bodiless, 599, "body did not end within 300ms");
    let half = bench.fetch(post(&peer.url("/"), "a")).await;
    expect_failure(&half, 599, "did not answer within 300ms");
    assert_eq!(text(&bench.fetch(post(&peer.url("/"), "a")).await), "fine");
}

#[tokio::test]
async fn an_endpoint_that_takes_no_calls_or_talks_nonsense_is_left_in_time() {
    for hello in [
        settings(&[(3, 0)]),
        frame(4, 0, 0, &[1, 2, 3]),
        goodbye(0, 0),
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    ] {
        let (peer, certificate) = FramePeer::start(hello.clone(), |it| fine(it.stream)).await;
        let bench = trusting(certificate, open_options());
        let start = Instant::now();
        let response = bench.fetch(post(&peer.url("/"), "a")).await;
        assert!(start.elapsed() < Duration::from_secs(4), "{hello:?}");
        if response.status != 200 {
            assert_eq!(response.status, 599, "{hello:?}: {response:?}");
        }
        assert!(peer.connections() <= 5, "{}", peer.connections());
    }
}
