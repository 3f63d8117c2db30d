//! Two processes with a Redis between them.

use std::time::Duration;

use corkboard_testkit::{RedisServer, wait_until};
use serde_json::json;

use super::installation::{Installation, Tenant};

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
