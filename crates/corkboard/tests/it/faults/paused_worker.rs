//! A worker process that is stopped past its lease and goes on later, as after a long pause of its
//! machine: another has taken over, and what the first still has in hand is not written.
//!
//! The other is still at work then: nothing but the fence in the card database tells the first that
//! its chunk is another's.

use corkboard_testkit::{Gate, Peer, Reply, wait_until};
use rustix::process::Signal;
use serde_json::json;

use crate::postgres::installation::{Installation, Node, Tenant};
use crate::process::PATIENCE;

const USERS: u32 = 300;
/// Of these, so many leave the audience while the first worker is stopped.
const LEFT: u32 = 150;
const SETTINGS: [(&str, &str); 5] = [
    ("CORKBOARD__SEND__LEASE", "4s"),
    ("CORKBOARD__FETCH__TOTAL_TIMEOUT", "3s"),
    ("CORKBOARD__SEND__WORKERS", "1"),
    ("CORKBOARD__FETCH__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]"),
    ("CORKBOARD__FETCH__ALLOW_PORTS", "[]"),
];

/// The second holds its chunk for longer than anything takes here.
fn patient() -> Vec<(&'static str, &'static str)> {
    let longer = [
        ("CORKBOARD__SEND__LEASE", "60s"),
        ("CORKBOARD__FETCH__TOTAL_TIMEOUT", "10s"),
    ];
    SETTINGS.into_iter().chain(longer).collect()
}

/// In which ways a process has left chunks.
async fn chunks(node: &Node) -> Vec<String> {
    let metrics = node.admin.get("/metrics").send().await.text();
    let lines = metrics.lines();
    let chunks = lines.filter(|line| line.starts_with("corkboard_send_chunks_total{"));
    chunks.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_worker_that_wakes_up_past_its_lease_writes_nothing() {
    let installation = Installation::migrated().await;
    let tenant = Tenant::create(&installation);
    let api = installation.serve("api,keeper");
    let server = tenant.server(&api);
    server.users(USERS).await;
    // Whoever renders waits for this answer, with a page of users in hand.
    let (peer, gates) = (Peer::start().await, [Gate::shut(), Gate::shut()]);
    let offer = Reply::json(&json!({"code": "W-1"}));
    let replies = gates.iter().map(|gate| offer.clone().behind(gate));
    peer.on_sequence("/offer", replies.collect());
    let title = format!(
        "{{% connected_content {} :save offer %}}{{{{ user.name }}}} {{{{ offer.code }}}}",
        peer.url("/offer")
    );
    let some = json!({"all": [{"attribute": "n", "op": "gte", "value": 0}]});
    let campaign = server.campaign(&title, some).await;
    let first = installation.serve_with("worker", &SETTINGS);
    let dispatch = server.launch(&campaign).await;
    let at_work = async |workers: usize| {
        wait_until(PATIENCE, "workers to be at work", || async {
            match peer.calls("/offer") {
                calls if calls >= workers => Ok(()),
                calls => Err(format!("{calls} calls")),
            }
        })
        .await;
    };
    at_work(1).await;
    first.process.signal(Signal::STOP);
    gates[0].open();
    // Whom the first has in hand, but the second will not find.
    let left: Vec<_> = (0..LEFT)
        .map(|n| json!({"user_id": format!("u-{n}"), "n": -1}))
        .collect();
    let left = json!({"attributes": left});
    let _ = server.post("/v1/users/track", &left, 200).await;

    let second = installation.serve_with("worker", &patient());
    at_work(2).await;
    first.process.signal(Signal::CONT);
    wait_until(PATIENCE, "the first to find its chunk taken", || async {
        let left = chunks(&first).await;
        // Before it writes, or when it does.
        let taken = ["\"stopped\"", "\"fenced\""];
        if left
            .iter()
            .any(|line| taken.iter().any(|how| line.contains(how)))
        {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
    let left = chunks(&first).await;
    assert!(
        !left.iter().any(|line| line.contains("\"finished\"")),
        "{left:?}"
    );

    gates[1].open();
    let done = server.until(&dispatch, "done").await;
    assert_eq!(done["written"], USERS - LEFT, "{done}");
    assert_eq!(done["targeted"], USERS - LEFT, "{done}");
    let stats = server.get(&format!("/v1/campaigns/{campaign}/stats")).await;
    assert_eq!(stats["variants"][0]["sent"], USERS - LEFT, "{stats}");
    let mut rows = 0;
    for database in &installation.cards {
        let counts = "SELECT count(*) || ' ' || count(DISTINCT (slot, owner)) FROM card";
        let counts = database.sql(counts).await;
        let (cards, users) = counts.split_once(' ').unwrap();
        assert_eq!(cards, users, "somebody has two cards");
        rows += cards.parse::<u32>().unwrap();
    }
    assert_eq!(rows, USERS - LEFT);
    for worker in [first, second, api] {
        worker.end().await;
    }
}
