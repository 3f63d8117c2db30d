//! A stop that one process is told, and the worker of another that must obey it; a worker that is
//! told to end, and another that goes on.

use std::time::Duration;

use corkboard_testkit::{Peer, Reply, wait_until};
use serde_json::json;
use tokio::time::Instant;

use super::installation::{Installation, Node, Server, Tenant};
use crate::process::PATIENCE;

/// How soon a stop is promised to take effect.
const SOON: Duration = Duration::from_secs(1);
/// For a busy machine, and for the calls that were under way.
const SLACK: Duration = Duration::from_secs(1);

/// A worker that may call the endpoint, a few times at once.
const SLOWLY: [(&str, &str); 3] = [
    ("CORKBOARD__SEND__FETCH_CONCURRENCY", "8"),
    ("CORKBOARD__FETCH__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]"),
    ("CORKBOARD__FETCH__ALLOW_PORTS", "[]"),
];

/// A send that takes a while, by a worker of its own.
struct Sending {
    installation: Installation,
    api: Node,
    worker: Node,
    server: Server,
    peer: Peer,
    campaign: String,
    dispatch: String,
}

impl Sending {
    async fn begin(users: u32) -> Self {
        let installation = Installation::migrated().await;
        let tenant = Tenant::create(&installation);
        let peer = Peer::start().await;
        peer.on(
            "/offer",
            Reply::text("-10 %").delay(Duration::from_millis(200)),
        );
        let api = installation.serve("api");
        let worker = installation.serve_with("worker", &SLOWLY);
        let server = tenant.server(&api);
        server.users(users).await;
        let title = format!("{{% connected_content {} :no_cache %}}", peer.url("/offer"));
        let all = json!({"attribute": "n", "op": "gte", "value": 0});
        let campaign = server.campaign(&title, all).await;
        let dispatch = server.launch(&campaign).await;
        wait_until(PATIENCE, "the send to be under way", || {
            let calls = peer.calls("/offer");
            let answer = if calls >= 20 {
                Ok(())
            } else {
                Err(format!("{calls} calls"))
            };
            std::future::ready(answer)
        })
        .await;
        Self {
            installation,
            api,
            worker,
            server,
            peer,
            campaign,
            dispatch,
        }
    }
}

#[tokio::test]
async fn a_stop_takes_effect_within_a_second_in_every_process() {
    let sending = Sending::begin(1_000).await;
    let Sending {
        server,
        peer,
        campaign,
        dispatch,
        ..
    } = &sending;
    let stop = format!("/v1/campaigns/{campaign}/stop");
    let _ = server.post(&stop, &json!({}), 200).await;
    let stopped = Instant::now();
    let mut last = (peer.calls("/offer"), stopped);
    let quiet = wait_until(PATIENCE, "the calls to end", || {
        let (calls, now) = (peer.calls("/offer"), Instant::now());
        if calls != last.0 {
            last = (calls, now);
        }
        let answer = if now - last.1 > SOON {
            Ok(last)
        } else {
            Err(format!("{calls} calls"))
        };
        std::future::ready(answer)
    });
    let (calls, ended) = quiet.await;
    assert!(calls < 1_000, "it was stopped before its end");
    assert!(ended - stopped < SOON + SLACK, "{:?}", ended - stopped);
    let state = server.until(dispatch, "stopped").await;
    assert!(state["written"].as_u64().unwrap() < 1_000, "{state}");
    sending.worker.end().await;
    sending.api.end().await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_end_hands_its_work_to_the_next() {
    let sending = Sending::begin(300).await;
    sending.worker.end().await;
    let next = sending.installation.serve_with("worker", &SLOWLY);
    // Sooner than the lease of 30 s would lapse, were the work not handed back.
    let begun = Instant::now();
    let calls = sending.peer.calls("/offer");
    wait_until(PATIENCE, "the next worker to go on", || {
        let now = sending.peer.calls("/offer");
        let answer = if now > calls {
            Ok(())
        } else {
            Err(format!("{now} calls"))
        };
        std::future::ready(answer)
    })
    .await;
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    let done = sending.server.until(&sending.dispatch, "done").await;
    assert_eq!(
        (&done["written"], &done["targeted"]),
        (&json!(300), &json!(300)),
        "{done}"
    );
    next.end().await;
    sending.api.end().await;
}
