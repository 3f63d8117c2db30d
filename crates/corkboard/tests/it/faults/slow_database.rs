//! One of two card databases takes its time for every card. Senders ask endpoints for no more than
//! it takes, hold no more than their pages, and the other database is done long before.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use corkboard_testkit::{Peer, PgDatabase, Reply, wait_until};
use serde_json::json;

use crate::postgres::installation::{Installation, Tenant};
use crate::process::PATIENCE;

/// More than one chunk takes: each database gets one.
const USERS: u32 = 2_100;
const BATCH: usize = 50;
const WORKERS: usize = 2;
/// A page of each worker is in hand, and calls that failed on a busy machine come twice.
const MOST_IN_HAND: usize = 3 * WORKERS * BATCH;
/// Slots are divided evenly, users nearly so.
const LEAST_HALF: usize = 900;
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$; \
     CREATE TRIGGER slow BEFORE INSERT ON card FOR EACH ROW EXECUTE FUNCTION slow()";

async fn cards(database: &PgDatabase) -> usize {
    let cards = database.sql("SELECT count(*) FROM card").await;
    cards.trim().parse().unwrap()
}

#[tokio::test]
async fn a_slow_database_slows_its_senders_and_nobody_else() {
    let installation = Installation::migrated().await;
    let [slow, fast] = &installation.cards;
    let _ = slow.sql(SLOW).await;
    let tenant = Tenant::create(&installation);
    let (batch, workers) = (BATCH.to_string(), WORKERS.to_string());
    let settings = [
        ("CORKBOARD__SEND__BATCH", batch.as_str()),
        ("CORKBOARD__SEND__WORKERS", workers.as_str()),
        ("CORKBOARD__SEND__FETCH_CONCURRENCY", "8"),
        ("CORKBOARD__FETCH__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]"),
        ("CORKBOARD__FETCH__ALLOW_PORTS", "[]"),
    ];
    let node = installation.serve_with("api,worker,keeper", &settings);
    let server = tenant.server(&node);
    server.users(USERS).await;
    let peer = Peer::start().await;
    peer.on("/offer/*", Reply::json(&json!({"code": "W-1"})));
    let title = format!(
        "{{% connected_content {}/{{{{ user.name }}}} :save offer %}}{{{{ offer.code }}}}",
        peer.url("/offer")
    );
    let some = json!({"all": [{"attribute": "n", "op": "gte", "value": 0}]});
    let campaign = server.campaign(&title, some).await;
    let dispatch = server.launch(&campaign).await;
    let path = format!("/v1/dispatches/{dispatch}");
    let (most, other_done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done = wait_until(PATIENCE, "all cards", || async {
        // What is counted later can only have grown: the difference is never too large.
        let asked = peer.total_calls();
        let (of_fast, of_slow) = (cards(fast).await, cards(slow).await);
        most.fetch_max(asked.saturating_sub(of_fast + of_slow), Relaxed);
        let found = server.get(&path).await;
        if found["state"] != "done" {
            other_done.fetch_or(of_fast > of_slow && of_fast >= LEAST_HALF, Relaxed);
            return Err(format!("{asked} asked, {of_fast} and {of_slow}: {found}"));
        }
        Ok(found)
    })
    .await;
    assert_eq!(done["written"], USERS, "{done}");
    assert_eq!(cards(fast).await + cards(slow).await, USERS as usize);
    let most = most.into_inner();
    assert!(most <= MOST_IN_HAND, "{most} users ahead of the database");
    assert!(
        other_done.into_inner(),
        "the fast database waited for the slow one"
    );
    node.end().await;
}
