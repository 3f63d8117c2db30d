//! One of two card databases accepts connections and never answers. Users of the other one do not
//! notice, however many of the first one's come, and whoever is named beside them.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::slot::Slot;
use corkboard_core::user::UserId;
use corkboard_testkit::{PgServer, PgSettings, TestClient, wait_until};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::postgres::installation::{Installation, Tenant};
use crate::process::PATIENCE;

/// Of each phase: one failure would be 0.05 %.
const CALLS: usize = 2_000;
const CLIENTS: usize = 8;
/// More than the node has connections to a database.
const STRANDED: usize = 24;
/// The stranded cost processor time of two cores that everybody shares here, tests beside this one
/// included. What must not happen is waiting for the database: 250 ms and more.
const SLOWER: f64 = 3.0;
const SLACK: Duration = Duration::from_millis(50);

/// Feeds and reports of these users: all succeed. How long each took, in order.
async fn serve(users: &[Arc<TestClient>]) -> Vec<Duration> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let users: Vec<_> = users
            .iter()
            .skip(client)
            .step_by(CLIENTS)
            .cloned()
            .collect();
        clients.spawn(async move {
            let mut took = Vec::new();
            for call in 0..CALLS / CLIENTS {
                let user = &users[call % users.len()];
                let begun = Instant::now();
                let _ = user.get("/v1/feed").send().await.expect_status(200);
                took.push(begun.elapsed());
            }
            took
        });
    }
    let mut took: Vec<Duration> = clients.join_all().await.into_iter().flatten().collect();
    took.sort_unstable();
    took
}

fn at(percent: usize, sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * percent / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_the_other_database_see_every_request_served_as_fast_as_before() {
    let shared = PgServer::shared().await;
    let own = Arc::new(PgServer::start(PgSettings::quick()).await);
    let installation = Installation::on([&shared, &own, &shared]).await;
    installation.run("migrate").expect(0);
    let tenant = Tenant::create(&installation);
    let node = installation.serve("api,worker,keeper");
    let server = tenant.server(&node);
    server.users(120).await;
    let some = json!({"all": [{"attribute": "n", "op": "gte", "value": 0}]});
    let campaign = server.campaign("Hi {{ user.name }}", some).await;
    let dispatch = server.launch(&campaign).await;
    let _ = server.until(&dispatch, "done").await;
    let workspace = tenant.workspace.parse().unwrap();
    let (mut stranded, mut others) = (Vec::new(), Vec::new());
    for user in (0..120).map(|n| format!("u-{n}")) {
        let slot = Slot::of(workspace, &UserId::parse(&user).unwrap());
        let client = Arc::new(tenant.user(&node, &user));
        if slot.number() < 2_048 {
            stranded.push(client);
        } else {
            others.push(client);
        }
    }
    assert!(stranded.len() >= STRANDED && others.len() >= CLIENTS);
    serve(&others).await;

    let before = serve(&others).await;
    own.freeze();
    let stop = CancellationToken::new();
    let mut callers = JoinSet::new();
    for user in stranded.iter().take(STRANDED) {
        let (user, stop) = (user.clone(), stop.clone());
        callers.spawn(async move {
            let mut refused = 0;
            while !stop.is_cancelled() {
                let feed = user.get("/v1/feed").send().await.expect_status(503);
                assert!(feed.header("retry-after").is_some());
                refused += 1;
            }
            refused
        });
    }
    let during = serve(&others).await;
    for percent in [50, 99] {
        let (before, during) = (at(percent, &before), at(percent, &during));
        assert!(
            during <= before.mul_f64(SLOWER) + SLACK,
            "{percent} %: before {before:?}, during {during:?}"
        );
    }
    stop.cancel();
    assert!(callers.join_all().await.iter().all(|refused| *refused > 0));

    own.thaw();
    for user in &stranded {
        wait_until(PATIENCE, "the stranded to be served again", || async {
            let feed = user.get("/v1/feed").send().await;
            if feed.status == 200 {
                Ok(())
            } else {
                Err(feed.text())
            }
        })
        .await;
    }
    let open = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'corkboard'";
    wait_until(PATIENCE, "abandoned connections to end", || async {
        let open = installation.cards[0].sql(open).await;
        match open.parse::<u32>() {
            Ok(open) if open <= 17 => Ok(()),
            _ => Err(open),
        }
    })
    .await;
    node.end().await;
}

/// Each trigger names users of both databases. Those of the one that answers get their cards at
/// once, the others when theirs is back, and nobody gets two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn triggers_reach_the_users_of_the_other_database() {
    const TRIGGERS: usize = 100;
    let shared = PgServer::shared().await;
    let own = Arc::new(PgServer::start(PgSettings::quick()).await);
    let installation = Installation::on([&shared, &own, &shared]).await;
    installation.run("migrate").expect(0);
    let tenant = Tenant::create(&installation);
    let node = installation.serve("api,worker,keeper");
    let server = tenant.server(&node);
    let body = json!({
        "name": "offer", "audience": "everyone", "delivery": {"kind": "api"},
        "expiry": {"ttl_seconds": 86_400},
        "variants": [{"name": "A", "card": {"title": "Hi {{ api_trigger_properties.n }}"}}],
    });
    let campaign = server.post("/v1/campaigns", &body, 201).await;
    let trigger = format!("/v1/campaigns/{}/trigger", campaign["id"].as_str().unwrap());
    let workspace = tenant.workspace.parse().unwrap();
    let is_stranded = |user: &String| {
        let user = UserId::parse(user).unwrap();
        Slot::of(workspace, &user).number() < 2_048
    };
    let (stranded, others): (Vec<String>, Vec<String>) = (0..5 * TRIGGERS)
        .map(|n| format!("t-{n}"))
        .partition(is_stranded);
    let (stranded, others) = (&stranded[..TRIGGERS], &others[..2 * TRIGGERS]);
    own.freeze();
    for (call, others) in others.chunks(2).enumerate() {
        let users = others.iter().chain([&stranded[call]]);
        let recipients: Vec<_> = users.map(|user| json!({"user_id": user})).collect();
        let body = json!({"recipients": recipients, "properties": {"n": call}});
        let _ = server.post(&trigger, &body, 202).await;
    }
    let cards = async |at: usize, wanted: usize| {
        wait_until(PATIENCE, "cards of every recipient", || async {
            let cards = "SELECT count(*) || ' ' || count(DISTINCT (slot, owner)) FROM card";
            match installation.cards[at].sql(cards).await.trim() {
                found if found == format!("{wanted} {wanted}") => Ok(()),
                found => Err(format!("{found} instead of {wanted}")),
            }
        })
        .await;
    };
    cards(1, others.len()).await;
    own.thaw();
    cards(0, stranded.len()).await;
    node.end().await;
}
