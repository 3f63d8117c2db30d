//! Two processes with a Redis between them.

use std::time::Duration;

use corkboard_testkit::{Gate, Peer, RedisServer, Reply, wait_until};
use serde_json::json;

use super::installation::{Installation, Tenant};
use crate::process::PATIENCE;

/// What the product promises, and what a busy machine takes for a request.
const SOON: Duration = Duration::from_millis(1_500);

#[tokio::test]
async fn a_card_sent_by_one_process_is_shown_by_another_with_and_without_redis() {
    let (installation, mut redis) = (
        Installation::migrated().await,
        RedisServer::start(&[]).await,
    );
    let tenant = Tenant::create(&installation);
    let url = redis.url();
    let cache = [("CORKBOARD__CACHE__URL", url.as_str())];
    let one = installation.serve_with("api,worker", &cache);
    let other = installation.serve_with("api", &cache);
    let server = tenant.server(&one);
    server.users(1).await;
    let readers = [tenant.user(&one, "u-0"), tenant.user(&other, "u-0")];
    for cards in 1..=4_usize {
        for reader in &readers {
            let feed = reader
                .get("/v1/feed")
                .send()
                .await
                .expect_status(200)
                .json();
            assert_eq!(feed["cards"].as_array().unwrap().len(), cards - 1, "{feed}");
        }
        let some = json!({"all": [{"attribute": "n", "op": "gte", "value": 0}]});
        let campaign = server.campaign("Hi {{ user.name }}", some).await;
        let dispatch = server.launch(&campaign).await;
        server.until(&dispatch, "done").await;
        for reader in &readers {
            wait_until(SOON, "the card", || async {
                let feed = reader
                    .get("/v1/feed")
                    .send()
                    .await
                    .expect_status(200)
                    .json();
                match feed["cards"].as_array().map(Vec::len) {
                    Some(shown) if shown == cards => Ok(()),
                    _ => Err(feed.to_string()),
                }
            })
            .await;
        }
        if cards == 2 {
            let keys = redis.command(&["DBSIZE"]);
            assert!(!keys.contains(":0\r"), "feeds are kept in Redis: {keys}");
            redis.kill();
        }
    }
    other.end().await;
    one.end().await;
}

#[tokio::test]
async fn an_answer_that_one_process_waits_for_is_not_asked_for_by_another() {
    let (installation, redis) = (
        Installation::migrated().await,
        RedisServer::start(&[]).await,
    );
    let tenant = Tenant::create(&installation);
    let url = redis.url();
    let settings = [
        ("CORKBOARD__CACHE__URL", url.as_str()),
        ("CORKBOARD__FETCH__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]"),
        ("CORKBOARD__FETCH__ALLOW_PORTS", "[]"),
    ];
    let one = installation.serve_with("api", &settings);
    let other = installation.serve_with("api", &settings);
    let (peer, gate) = (Peer::start().await, Gate::shut());
    let offer = Reply::json(&json!({"code": "W-1"}));
    peer.on("/offer", offer.behind(&gate));
    let title = format!(
        "{{% connected_content {} :save offer %}}{{{{ offer.code }}}}",
        peer.url("/offer")
    );
    let card = json!({"card": {"title": title}, "user": {"user_id": "u"}});
    let servers = [tenant.server(&one), tenant.server(&other)];
    let [first, second] = &servers;
    let asked = async {
        wait_until(PATIENCE, "the first call", || async {
            match peer.calls("/offer") {
                0 => Err("none yet".to_owned()),
                _ => Ok(()),
            }
        })
        .await;
        let open_later = async {
            // The first has the lease; the second comes while it does, or finds the answer.
            let leased = || redis.command(&["KEYS", "*"]).contains("fetch");
            wait_until(PATIENCE, "a lease", || async {
                leased()
                    .then_some(())
                    .ok_or_else(|| redis.command(&["KEYS", "*"]))
            })
            .await;
            gate.open();
        };
        tokio::join!(second.post("/v1/preview", &card, 200), open_later).0
    };
    let (mine, theirs) = tokio::join!(first.post("/v1/preview", &card, 200), asked);
    for preview in [&mine, &theirs] {
        assert_eq!(preview["card"]["title"], "W-1", "{preview}");
    }
    // And what one has fetched, the other need not.
    let _ = second.post("/v1/preview", &card, 200).await;
    assert_eq!(
        peer.calls("/offer"),
        1,
        "{:?}",
        redis.command(&["KEYS", "*"])
    );
    other.end().await;
    one.end().await;
}
