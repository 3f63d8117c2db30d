//! What must hold meanwhile: the databases are asked no more than they may be, and nobody sees for
//! longer than a second what another process has changed.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::super::installation::{Installation, Node, Tenant};
use super::SOON;

/// The most statements at a time that read cards, looked at a hundred times within a third of a second.
/// The pattern does not match the text it stands in.
const READING: &str = "
    DO $$
    DECLARE most int := 0; now int;
    BEGIN
        FOR look IN 1..100 LOOP
            PERFORM pg_stat_clear_snapshot();
            SELECT count(*) INTO now FROM pg_stat_activity WHERE datname = current_database()
                AND state = 'active' AND query ~ 'AS k[i]nd, version';
            most := greatest(most, now);
            PERFORM pg_sleep(0.002);
        END LOOP;
        PERFORM set_config('seen.most', most::text, false);
    END $$;
    SELECT current_setting('seen.most')";
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks again and again how many statements each card database has under way; the most seen.
pub(super) async fn statements(installation: &Installation, allowed: usize, most: &mut usize) {
    loop {
        for database in &installation.cards {
            let now: usize = database.sql(READING).await.trim().parse().unwrap();
            assert!(now <= allowed, "{now} statements, {allowed} allowed");
            *most = now.max(*most);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// One user after the other dismisses the card through one process and looks at the feed through the
/// other, until the card is gone; the longest that took.
pub(super) async fn freshness(
    tenant: &Tenant,
    [reader, writer]: [&Node; 2],
    users: std::ops::Range<u32>,
    longest: &mut Duration,
) {
    for number in users {
        let name = format!("u-{number}");
        let (shown, changed) = (tenant.user(reader, &name), tenant.user(writer, &name));
        let card = loop {
            let feed = shown.get("/v1/feed").send().await;
            if feed.status == 200 {
                break feed.json()["cards"][0]["id"].clone();
            }
        };
        let dismiss = json!({"events": [{"card_id": card, "kind": "dismiss"}]});
        while changed
            .post("/v1/feed/events")
            .json(&dismiss)
            .send()
            .await
            .status
            != 202
        {}
        let acknowledged = Instant::now();
        loop {
            let asked = acknowledged.elapsed();
            let feed = shown.get("/v1/feed").send().await;
            if feed.status != 200 {
                continue;
            }
            if feed.json()["cards"].as_array().is_some_and(Vec::is_empty) {
                break;
            }
            *longest = asked.max(*longest);
            assert!(asked < SOON, "{name} is shown an old feed after {asked:?}");
        }
        sleep(LOOK_EVERY).await;
    }
    std::future::pending::<()>().await;
}

/// Waits until every node has left Redis out, and says how long that took.
pub(super) async fn left_out(nodes: &[Node]) -> Duration {
    let begun = Instant::now();
    for node in nodes {
        while node
            .admin
            .get("/metrics")
            .send()
            .await
            .text()
            .contains("\ncorkboard_cache_redis_up 1")
        {
            let took = begun.elapsed();
            assert!(took < SOON, "Redis is still trusted after {took:?}");
        }
    }
    begun.elapsed()
}
