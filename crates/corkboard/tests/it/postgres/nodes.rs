//! Several processes on the same databases.

use corkboard_testkit::wait_until;
use serde_json::json;

use super::installation::{Installation, Tenant};
use crate::process::PATIENCE;

#[tokio::test]
async fn a_worker_beside_the_api_sends_to_users_of_every_database() {
    let installation = Installation::migrated().await;
    let tenant = Tenant::create(&installation);
    let api = installation.serve("api,keeper");
    let worker = installation.serve("worker");
    assert_ne!(api.serving["node"], worker.serving["node"]);
    assert_eq!(worker.serving["listen"], "", "a worker serves nobody");
    for node in [&api, &worker] {
        let ready = node.admin.get("/readyz").send().await;
        assert_eq!(ready.expect_status(200).json()["ready"], true);
    }
    let server = tenant.server(&api);

    server.users(200).await;
    let some = json!({"all": [{"attribute": "n", "op": "gte", "value": 0}]});
    let campaign = server.campaign("Hi {{ user.name }}", some).await;
    let dispatch = server.launch(&campaign).await;
    let done = server.until(&dispatch, "done").await;
    assert_eq!(done["written"], 200, "{done}");

    let mut written = Vec::new();
    for database in &installation.cards {
        let cards = database.sql("SELECT count(*) FROM card").await;
        written.push(cards.trim().parse::<u32>().unwrap());
    }
    assert_eq!(written.iter().sum::<u32>(), 200, "{written:?}");
    assert!(
        written.iter().all(|cards| *cards > 50),
        "slots are divided evenly: {written:?}"
    );

    for user in ["u-0", "u-1", "u-2", "u-3", "u-199"] {
        let client = tenant.user(&api, user);
        let feed = client.get("/v1/feed").send().await.expect_status(200);
        let feed = feed.json();
        let title = format!("Hi N{}", &user[2..]);
        assert_eq!(feed["cards"][0]["title"], title, "{feed}");
        let click = json!({"events": [{"card_id": feed["cards"][0]["id"], "kind": "click"}]});
        let sent = client.post("/v1/feed/events").json(&click).send().await;
        assert_eq!(sent.expect_status(202).json()["accepted"], 1);
    }
    let stats = server.get(&format!("/v1/campaigns/{campaign}/stats")).await;
    let variant = &stats["variants"][0];
    assert_eq!(
        (&variant["sent"], &variant["clicks"]),
        (&json!(200), &json!(5)),
        "{stats}"
    );

    let cohorts = installation.table("cohorts list");
    for database in ["cards-0", "cards-1"] {
        let of = cohorts.iter().filter(|row| row["database"] == database);
        let rows: u64 = of.map(|row| row["rows"].as_u64().unwrap()).sum();
        assert!(rows > 50, "{database}: {cohorts:?}");
    }
    worker.end().await;
    api.end().await;
}

#[tokio::test]
async fn a_broadcast_and_its_stop_are_seen_by_another_node() {
    let installation = Installation::migrated().await;
    let tenant = Tenant::create(&installation);
    let (one, other) = (installation.serve("api,worker"), installation.serve("api"));
    let server = tenant.server(&one);
    let campaign = server.campaign("To all", json!("everyone")).await;
    let _ = server.launch(&campaign).await;
    let reader = tenant.user(&other, "anybody");
    let cards = async |count: usize| {
        wait_until(PATIENCE, "the other node to know", || async {
            let feed = reader.get("/v1/feed").send().await;
            let feed = feed.expect_status(200).json();
            if feed["cards"].as_array().unwrap().len() == count {
                Ok(())
            } else {
                Err(feed.to_string())
            }
        })
        .await;
    };
    cards(1).await;
    let stop = format!("/v1/campaigns/{campaign}/stop");
    let _ = server
        .post(&stop, &json!({"remove_cards": true}), 200)
        .await;
    cards(0).await;
    other.end().await;
    one.end().await;
}
