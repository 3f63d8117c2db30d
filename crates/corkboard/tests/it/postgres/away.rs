//! A node while one of its databases is away: who is served, what the others are told, and that it
//! goes on by itself when the database is back.

use std::sync::Arc;

use corkboard_core::slot::Slot;
use corkboard_core::user::UserId;
use corkboard_testkit::{PgServer, PgSettings, TestClient, TestResponse, wait_until};
use serde_json::{Value, json};

use super::installation::{Installation, Node, Tenant};
use crate::process::PATIENCE;

/// Users whose cards are on `cards-0` and on `cards-1`.
fn users(tenant: &Tenant) -> [String; 2] {
    let workspace = tenant.workspace.parse().unwrap();
    let slot = |user: &String| Slot::of(workspace, &UserId::parse(user).unwrap()).number();
    let mut names = (0..).map(|number| format!("u-{number}"));
    let first = names.by_ref().find(|user| slot(user) < 2_048).unwrap();
    let second = names.by_ref().find(|user| slot(user) >= 2_048).unwrap();
    [first, second]
}

async fn readyz(node: &Node) -> (u16, Value) {
    let ready = node.admin.get("/readyz").send().await;
    (ready.status, ready.json())
}

async fn feed(user: &TestClient) -> TestResponse {
    user.get("/v1/feed").send().await
}

/// What a client may branch on: a problem with its code, and when to come back.
#[track_caller]
fn assert_refused(response: &TestResponse, codes: &[&str]) {
    assert_eq!(response.status, 503, "{}", response.text());
    let media = response.header("content-type");
    assert_eq!(media, Some("application/problem+json"));
    let problem = response.json();
    let code = problem["code"].as_str().unwrap();
    assert!(codes.contains(&code), "{problem}");
    let after: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&after), "{after}");
}

async fn served_again(user: &TestClient) {
    wait_until(PATIENCE, "the feed to be served again", || async {
        let response = feed(user).await;
        if response.status == 200 {
            Ok(())
        } else {
            Err(response.text())
        }
    })
    .await;
}

/// What a node has read a moment ago it may serve for a moment.
async fn memory_is_over(user: &TestClient) {
    wait_until(PATIENCE, "memory to be over", || async {
        match feed(user).await {
            served if served.status == 200 => Err(served.text()),
            _ => Ok(()),
        }
    })
    .await;
}

#[tokio::test]
async fn users_of_other_databases_are_served_while_one_is_frozen_or_dead() {
    let shared = PgServer::shared().await;
    let own = Arc::new(PgServer::start(PgSettings::durable()).await);
    let installation = Installation::on([&shared, &own, &shared]).await;
    installation.run("migrate").expect(0);
    let tenant = Tenant::create(&installation);
    let node = installation.serve("api,worker");
    let [lost, kept] = users(&tenant).map(|user| tenant.user(&node, &user));
    for user in [&lost, &kept] {
        let _ = feed(user).await.expect_status(200);
    }
    assert_eq!(readyz(&node).await.1["databases"]["cards-0"], "ok");

    own.freeze();
    memory_is_over(&lost).await;
    for _ in 0..3 {
        let (refused, served) = tokio::join!(feed(&lost), feed(&kept));
        assert_refused(&refused, &["overloaded", "store_unavailable"]);
        let _ = served.expect_status(200);
    }
    let (status, report) = readyz(&node).await;
    assert_eq!((status, &report["ready"]), (200, &json!(true)), "{report}");
    let told = report["databases"]["cards-0"].as_str().unwrap();
    assert!(told.contains("no answer within"), "{report}");
    assert_eq!(report["databases"]["cards-1"], "ok");
    own.thaw();
    served_again(&lost).await;

    own.kill();
    memory_is_over(&lost).await;
    let (refused, served) = tokio::join!(feed(&lost), feed(&kept));
    assert_refused(&refused, &["store_unavailable"]);
    let _ = served.expect_status(200);
    own.resume().await;
    served_again(&lost).await;
    node.end().await;
}

#[tokio::test]
async fn a_node_without_control_says_so_and_goes_on_when_it_is_back() {
    let shared = PgServer::shared().await;
    let own = Arc::new(PgServer::start(PgSettings::durable()).await);
    let installation = Installation::on([&own, &shared, &shared]).await;
    installation.run("migrate").expect(0);
    let tenant = Tenant::create(&installation);
    let node = installation.serve("api,worker,keeper");
    let server = tenant.server(&node);
    let campaign = server.campaign("To all", json!("everyone")).await;

    own.kill();
    let (status, report) = readyz(&node).await;
    assert_eq!((status, &report["ready"]), (503, &json!(false)), "{report}");
    assert!(report["store"].as_str().unwrap().starts_with("control: "));
    let launch = format!("/v1/campaigns/{campaign}/launch");
    let refused = server.0.post(&launch).json(&json!({})).send().await;
    assert_refused(&refused, &["store_unavailable"]);
    let alive = node.admin.get("/healthz").send().await;
    let _ = alive.expect_status(200);

    own.resume().await;
    wait_until(PATIENCE, "readiness", || async {
        let (status, report) = readyz(&node).await;
        if status == 200 {
            Ok(())
        } else {
            Err(report.to_string())
        }
    })
    .await;
    let _ = server.launch(&campaign).await;
    served_again(&tenant.user(&node, "anybody")).await;
    node.end().await;
}
