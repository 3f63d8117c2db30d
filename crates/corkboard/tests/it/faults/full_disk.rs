//! The disk of a card database is full: writes are refused by name, feeds go on, and so does
//! everything else once there is space, without a restart.

use std::sync::Arc;

use corkboard_testkit::{PgServer, PgSettings};
use serde_json::json;

use crate::postgres::installation::{Installation, Tenant};

const USERS: u32 = 400;

#[tokio::test]
async fn a_full_disk_is_named_feeds_go_on_and_sending_resumes_by_itself() {
    let shared = PgServer::shared().await;
    let own = Arc::new(PgServer::start(PgSettings::quick().fragile()).await);
    let installation = Installation::on([&shared, &own, &own]).await;
    installation.run("migrate").expect(0);
    let tenant = Tenant::create(&installation);
    let node = installation.serve("api,worker,keeper");
    let server = tenant.server(&node);
    server.users(USERS).await;
    let some = json!({"all": [{"attribute": "n", "op": "gte", "value": 0}]});
    let campaign = server
        .campaign("Before {{ user.name }}", some.clone())
        .await;
    let dispatch = server.launch(&campaign).await;
    let done = server.until(&dispatch, "done").await;
    assert_eq!(done["written"], USERS, "{done}");

    own.fill_disk();
    // What has room in pages that are there may still be taken.
    let mut answers = Vec::new();
    for round in 0..40 {
        let wide =
            |n: u32| json!({"user_id": format!("wide-{round}-{n}"), "note": "x".repeat(30_000)});
        let users: Vec<_> = (0..20).map(wide).collect();
        let track = server.0.post("/v1/users/track");
        let answer = track.json(&json!({"attributes": users})).send().await;
        let status = answer.status;
        answers.push(answer);
        if status != 200 {
            break;
        }
    }
    let refused = answers.pop().unwrap().expect_status(507);
    assert_eq!(refused.json()["code"], "disk_full", "{}", refused.text());
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(after >= 1);
    for user in ["u-0", "u-1", "u-2", "u-3"] {
        let feed = tenant.user(&node, user).get("/v1/feed").send().await;
        let cards = feed.expect_status(200).json()["cards"].clone();
        assert_eq!(cards.as_array().unwrap().len(), 1, "{cards}");
    }

    // Accepted while nothing can be written: the control database has a disk of its own.
    let large = format!("{} {{{{ user.name }}}}", "y".repeat(200));
    let campaign = server.campaign(&large, some).await;
    let dispatch = server.launch(&campaign).await;
    own.free_disk();
    let done = server.until(&dispatch, "done").await;
    assert_eq!(done["written"], USERS, "{done}");
    server.users(USERS).await;
    let feed = tenant.user(&node, "u-0").get("/v1/feed").send().await;
    let cards = feed.expect_status(200).json()["cards"].clone();
    assert_eq!(cards.as_array().unwrap().len(), 2, "{cards}");
    node.end().await;
}
