//! Trying again: for whom, when, how often, and what is said in the end.

use std::time::Duration;

use corkboard_core::connected::{
    ConnectedContent, FetchCaching, FetchRequest, FetchResponse, FetchVerdict,
};
use corkboard_fetch::FetchOptions;
use corkboard_testkit::{Peer, Reply};
use tokio::time::Instant;

use crate::bench_client::{Bench, expect_failure, get, open_options, post, scope, text};

fn with_retries(retries: u8, request: FetchRequest) -> FetchRequest {
    FetchRequest { retries, ..request }
}

async fn attempt(bench: &Bench, request: &FetchRequest, attempt: u8) -> FetchResponse {
    bench
        .client
        .attempt(scope(1), request.clone(), attempt)
        .await
}

#[tokio::test]
async fn a_failure_that_passes_is_not_noticed_by_those_who_asked_for_retries() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    for path in ["/get", "/post", "/broken", "/unasked"] {
        let failure = if path == "/broken" {
            Reply::reset()
        } else {
            Reply::status(503)
        };
        peer.on_sequence(path, vec![failure.clone(), failure, Reply::text("ok")]);
    }
    for request in [
        get(&peer.url("/get")),
        post(&peer.url("/post"), "a"),
        get(&peer.url("/broken")),
    ] {
        let response = bench.fetch(with_retries(5, request)).await;
        assert_eq!(text(&response), "ok");
        assert_eq!(response.report.verdict, FetchVerdict::Settled);
    }
    let unasked = bench.get(&peer.url("/unasked")).await;
    expect_failure(&unasked, 503, "503");
    assert_eq!(unasked.report.verdict, FetchVerdict::Settled);
    let calls = ["/get", "/post", "/broken", "/unasked"].map(|path| peer.calls(path));
    assert_eq!(calls, [3, 3, 3, 1]);
}

#[tokio::test]
async fn retries_that_are_used_up_give_up_with_the_last_reason() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on_sequence(
        "/",
        vec![Reply::status(502), Reply::status(500), Reply::status(504)],
    );
    let response = bench.fetch(with_retries(2, get(&peer.url("/")))).await;
    expect_failure(&response, 504, "the endpoint answered 504");
    assert_eq!(response.report.verdict, FetchVerdict::GaveUp);
    assert_eq!(peer.total_calls(), 3);
}

#[tokio::test]
async fn what_the_request_got_wrong_is_not_tried_again() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    for status in [400, 401, 403, 404, 422] {
        let path = format!("/{status}");
        peer.on(&path, Reply::status(status));
        let response = bench.fetch(with_retries(5, get(&peer.url(&path)))).await;
        assert_eq!((response.status, peer.calls(&path)), (status, 1));
        assert_eq!(response.report.verdict, FetchVerdict::Settled);
    }
    let refused = bench.fetch(with_retries(5, get("http://10.0.0.1/"))).await;
    assert_eq!(refused.report.verdict, FetchVerdict::Settled);
}

#[tokio::test]
async fn patience_ends_before_an_endpoint_that_wants_to_be_left_alone() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/", Reply::status(503).header("retry-after", "600"));
    let start = Instant::now();
    let response = bench.fetch(with_retries(5, get(&peer.url("/")))).await;
    assert_eq!(response.report.verdict, FetchVerdict::GaveUp);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(peer.total_calls(), 1);
}

#[tokio::test]
async fn a_single_try_says_when_the_next_is_due_and_waits_for_nobody() {
    let (peer, other, bench) = (Peer::start().await, Peer::start().await, Bench::open());
    other.on(
        "/told",
        Reply::status(400)
            .with_status(408)
            .header("retry-after", "7"),
    );
    peer.on("/untold", Reply::status(500));
    let told = with_retries(2, get(&other.url("/told")));
    let first = attempt(&bench, &told, 1).await;
    let FetchVerdict::Again { after, attempt: 2 } = first.report.verdict else {
        panic!("{first:?}")
    };
    assert!(after >= Duration::from_secs(7), "{after:?}");
    let untold = with_retries(2, get(&peer.url("/untold")));
    for (number, longest) in [(1, 250), (2, 500)] {
        let FetchVerdict::Again { after, .. } =
            attempt(&bench, &untold, number).await.report.verdict
        else {
            panic!("{number}")
        };
        assert!(
            after <= Duration::from_millis(longest),
            "{number}: {after:?}"
        );
    }
    let last = attempt(&bench, &untold, 3).await;
    expect_failure(&last, 500, "the endpoint answered 500");
    assert_eq!(last.report.verdict, FetchVerdict::GaveUp);
}

#[tokio::test]
async fn retries_of_a_host_stay_a_small_share_of_its_calls() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/*", Reply::status(500));
    let mut due = Vec::new();
    for number in 0..200 {
        let request = FetchRequest {
            caching: FetchCaching::Never,
            ..get(&peer.url(&format!("/{number}")))
        };
        let request = with_retries(5, request);
        let first = attempt(&bench, &request, 1).await;
        assert!(matches!(first.report.verdict, FetchVerdict::Again { .. }));
        due.push(request);
    }
    let mut put_off = 0;
    for request in &due {
        let second = attempt(&bench, request, 2).await;
        if second.status == 529 {
            expect_failure(&second, 529, "retries already");
            assert!(matches!(second.report.verdict, FetchVerdict::Again { .. }));
            put_off += 1;
        }
    }
    // 10 at first and a tenth of 200; a few more come with the time that the test takes.
    assert!((165..=170).contains(&put_off), "{put_off}");
    assert_eq!(peer.total_calls(), 400 - put_off);
}

#[tokio::test]
async fn a_call_that_was_only_held_back_may_be_tried_again_unasked() {
    let options = FetchOptions {
        max_in_flight: 1,
        max_queued: 0,
        ..open_options()
    };
    let (peer, bench) = (Peer::start().await, Bench::with(options));
    peer.on("/", Reply::text("ok").delay(Duration::from_millis(100)));
    let (one, other) = (get(&peer.url("/?1")), get(&peer.url("/?2")));
    let (first, held) = tokio::join!(attempt(&bench, &one, 1), attempt(&bench, &other, 1));
    assert_eq!(text(&first), "ok");
    expect_failure(&held, 529, "too many");
    let verdict = held.report.verdict;
    assert!(
        matches!(verdict, FetchVerdict::Again { attempt: 1, .. }),
        "it was no try: {verdict:?}"
    );
}
