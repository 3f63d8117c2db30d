//! The call log: what is in it, and what happens when nobody reads it.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::connected::{ConnectedContent, FetchMethod, FetchSource};
use corkboard_core::time::SystemClock;
use corkboard_fetch::{ChannelCallLog, FetchClient, SystemResolver};
use corkboard_testkit::{Peer, Reply};

use crate::bench_client::{Bench, get, open_options, post, scope};

#[tokio::test]
async fn every_call_and_every_refusal_is_recorded_once() {
    let (peer, mut bench) = (Peer::start().await, Bench::open());
    peer.on(
        "/offer",
        Reply::text("12345").delay(Duration::from_millis(20)),
    );
    let url = peer.url("/offer?user=7");
    bench.get(&url).await;
    bench.get(&url).await;
    bench.fetch(post(&peer.url("/missing"), "a")).await;
    bench.get("http://user:secret@10.0.0.1/x").await;
    bench.resolver.name("inside.example", &[&["10.0.0.1"]]);
    bench.get("http://inside.example/").await;
    let records = bench.records();
    let brief: Vec<_> = records
        .iter()
        .map(|it| (it.method, it.host.as_str(), it.status, it.bytes, it.source))
        .collect();
    assert_eq!(
        brief,
        [
            (FetchMethod::Get, "127.0.0.1", 200, 5, FetchSource::Network),
            (FetchMethod::Post, "127.0.0.1", 404, 0, FetchSource::Network),
            (FetchMethod::Get, "10.0.0.1", 0, 0, FetchSource::Refused),
            (
                FetchMethod::Get,
                "inside.example",
                0,
                0,
                FetchSource::Refused
            ),
        ],
        "the cached answer is no call"
    );
    assert_eq!(records[0].url, url);
    assert_eq!(records[0].problem, None);
    assert!(records[0].elapsed_ms >= 20);
    assert_eq!(records[2].url, "http://10.0.0.1/x");
    assert_eq!(
        (records[0].workspace, records[0].campaign),
        (scope(1).workspace, scope(1).campaign)
    );
    assert_eq!(records[0].at.to_string(), "2026-11-21T10:00:00Z");
}

#[tokio::test]
async fn a_log_that_nobody_reads_loses_records_and_not_time() {
    let (log, mut records) = ChannelCallLog::new(3);
    let resolver = Arc::new(SystemResolver::default());
    let client = FetchClient::new(
        open_options(),
        Arc::new(SystemClock),
        Arc::new(log),
        resolver,
    )
    .unwrap();
    for number in 0..10 {
        client
            .fetch(scope(1), get(&format!("ftp://host-{number}/")))
            .await;
    }
    let kept: Vec<String> = std::iter::from_fn(|| records.try_recv().ok())
        .map(|record| record.host)
        .collect();
    assert_eq!(
        kept,
        ["host-0", "host-1", "host-2"],
        "the newest are dropped"
    );
    drop(records);
    assert_eq!(client.fetch(scope(1), get("ftp://after/")).await.status, 0);
}
