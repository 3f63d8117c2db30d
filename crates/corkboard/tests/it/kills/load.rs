//! What goes on while the node is being killed: four kinds of clients, each repeating an operation
//! until it is acknowledged.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corkboard_api::auth::sign_hs256;
use corkboard_core::time::{Clock, SystemClock};
use corkboard_core::user::UserId;
use corkboard_testkit::TestClient;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::process::{Installation, SECRET};

/// Users that launches go to.
pub(crate) const AUDIENCE: u64 = 300;
/// Clients that trigger at the same time: their writes meet in one commit.
const TRIGGERERS: u64 = 3;

/// The clients, and what they know to be acknowledged.
pub(crate) struct Load {
    server: TestClient,
    reader: TestClient,
    /// The campaign that is triggered, one new user at a time.
    pub(crate) triggered: String,
    /// The broadcast whose card the reader reports impressions of.
    pub(crate) broadcast: String,
    card: String,
    /// Whom acknowledged triggers named, by number.
    pub(crate) triggers: Mutex<Vec<u64>>,
    pub(crate) events: AtomicU64,
    pub(crate) impressions: AtomicU64,
    /// Campaigns launched, with their dispatches.
    pub(crate) launches: Mutex<Vec<(String, String)>>,
}

impl Load {
    /// Creates users and campaigns on a running node.
    pub(crate) async fn prepare(installation: &Installation) -> Self {
        let server = installation.server();
        let users: Vec<Value> = (0..AUDIENCE).map(|n| json!({"user_id": format!("audience-{n}"), "name": format!("N{n}"), "in": true})).collect();
        server
            .post("/v1/users/track")
            .json(&json!({"attributes": users}))
            .send()
            .await
            .expect_status(200);
        let triggered = create(&server, &json!({"name": "triggered", "delivery": {"kind": "api"}, "expiry": {"ttl_seconds": 86_400},
            "variants": [{"name": "A", "card": {"title": "{{ properties.n }}"}}]})).await;
        let broadcast = create(
            &server,
            &json!({"name": "broadcast", "expiry": {"ttl_seconds": 86_400},
            "variants": [{"name": "A", "card": {"title": "Hello"}}]}),
        )
        .await;
        server
            .post(&format!("/v1/campaigns/{broadcast}/launch"))
            .send()
            .await
            .expect_status(202);
        let app = installation.app.parse().expect("an app id");
        let user = UserId::parse("reader").expect("a user id");
        let expires_at = SystemClock.now().plus(Duration::from_secs(86_400));
        let token = sign_hs256(SECRET.as_bytes(), app, &user, expires_at).expect("signed");
        let reader = TestClient::new(&installation.base).with_bearer(&token);
        let feed = reader
            .get("/v1/feed")
            .send()
            .await
            .expect_status(200)
            .json();
        let card = feed["cards"][0]["id"]
            .as_str()
            .expect("the broadcast")
            .to_owned();
        Self {
            server,
            reader,
            triggered,
            broadcast,
            card,
            triggers: Mutex::default(),
            events: AtomicU64::new(0),
            impressions: AtomicU64::new(0),
            launches: Mutex::default(),
        }
    }

    /// Starts the clients; each ends after the operation that it is in when `stop` is cancelled.
    pub(crate) fn run(self: &Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        for client in 0..TRIGGERERS {
            let (load, stop) = (self.clone(), stop.clone());
            tasks.spawn(async move {
                let mut number = client;
                while !stop.is_cancelled() {
                    load.trigger(number).await;
                    number += TRIGGERERS;
                }
            });
        }
        type Client = fn(Arc<Load>, u64) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
        let clients: [Client; 3] = [
            |load, number| Box::pin(async move { load.event(number).await }),
            |load, number| Box::pin(async move { load.impression(number).await }),
            |load, number| Box::pin(async move { load.launch(number).await }),
        ];
        for client in clients {
            let (load, stop) = (self.clone(), stop.clone());
            tasks.spawn(async move {
                for number in 0.. {
                    if stop.is_cancelled() {
                        break;
                    }
                    client(load.clone(), number).await;
                }
            });
        }
    }

    async fn trigger(&self, number: u64) {
        let path = format!("/v1/campaigns/{}/trigger", self.triggered);
        let body = json!({"recipients": [{"user_id": format!("triggered-{number}"), "properties": {"n": number}}]});
        acknowledged(
            &self.server,
            &path,
            Some(format!("trigger {number}")),
            &body,
        )
        .await;
        self.triggers.lock().expect("not poisoned").push(number);
    }

    async fn event(&self, number: u64) {
        let body = json!({"events": [{"user_id": "reader", "name": "visited"}, {"user_id": "reader", "name": "visited"}]});
        acknowledged(
            &self.server,
            "/v1/users/track",
            Some(format!("event {number}")),
            &body,
        )
        .await;
        self.events.fetch_add(2, Ordering::Relaxed);
    }

    async fn impression(&self, number: u64) {
        let at = SystemClock.now();
        let body = json!({"events": [{"card_id": self.card, "kind": "impression", "at": at}]});
        let receipt = acknowledged(&self.reader, "/v1/feed/events", None, &body).await;
        assert_eq!(receipt["accepted"], 1, "impression {number}");
        self.impressions.fetch_add(1, Ordering::Relaxed);
    }

    async fn launch(&self, number: u64) {
        let campaign = json!({"name": format!("launch {number}"), "expiry": {"ttl_seconds": 86_400},
            "audience": {"attribute": "in", "op": "eq", "value": true},
            "variants": [{"name": "A", "card": {"title": "Hi {{ user.name }}"}}]});
        let created = acknowledged(
            &self.server,
            "/v1/campaigns",
            Some(format!("create {number}")),
            &campaign,
        )
        .await;
        let id = created["id"].as_str().expect("an id").to_owned();
        let path = format!("/v1/campaigns/{id}/launch");
        let launched = acknowledged(
            &self.server,
            &path,
            Some(format!("launch {number}")),
            &json!({}),
        )
        .await;
        let dispatch = launched["dispatch_id"].as_str().expect("an id").to_owned();
        self.launches
            .lock()
            .expect("not poisoned")
            .push((id, dispatch));
        // Launches are the dearest operation; the others should have their turn.
        sleep(Duration::from_millis(400)).await;
    }

    pub(crate) fn summary(&self) -> String {
        format!(
            "acknowledged: {} triggers, {} events, {} impressions, {} launches",
            self.triggers.lock().expect("not poisoned").len(),
            self.events.load(Ordering::Relaxed),
            self.impressions.load(Ordering::Relaxed),
            self.launches.lock().expect("not poisoned").len()
        )
    }
}

async fn create(server: &TestClient, campaign: &Value) -> String {
    let reply = server
        .post("/v1/campaigns")
        .json(campaign)
        .send()
        .await
        .expect_status(201)
        .json();
    reply["id"].as_str().expect("an id").to_owned()
}

/// Repeats a request until it is acknowledged. No answer, 409 (the key is held by a request that
/// the kill cut off) and 503 are reasons to repeat; anything else is a failure of the test.
async fn acknowledged(client: &TestClient, path: &str, key: Option<String>, body: &Value) -> Value {
    for _ in 0..3_000 {
        let mut request = client
            .post(path)
            .json(body)
            .deadline(Duration::from_secs(10));
        if let Some(key) = &key {
            request = request.header("idempotency-key", key);
        }
        match request.try_send().await {
            Ok(reply) if (200..300).contains(&reply.status) => return reply.json(),
            Ok(reply) if reply.status == 503 => {}
            Ok(reply) if reply.status == 409 && reply.json()["code"] == "request_in_flight" => {}
            Ok(reply) => panic!("POST {path}: {} {}", reply.status, reply.text()),
            Err(_) => {}
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("POST {path} was never acknowledged");
}
