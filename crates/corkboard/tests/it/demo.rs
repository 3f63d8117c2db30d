//! `corkboard demo`: the first five minutes of everybody, and the second start.

use std::path::Path;
use std::time::Duration;

use corkboard_testkit::{RawConnection, RawEnd, TestClient, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::process::{PATIENCE, Served, command, run_with};

/// A demo that serves, and what it has printed.
struct Demo {
    served: Served,
    console: String,
    api: String,
    workspace: String,
    app: String,
    api_key: String,
    user_token: String,
}

impl Demo {
    fn start(folder: &Path) -> Self {
        let mut command = command(folder, "demo --listen 127.0.0.1:0 --dir d");
        command.env("CORKBOARD__ADMIN_LISTEN", "127.0.0.1:0");
        command.env("CORKBOARD__FEED__REFRESH_AFTER", "77s");
        let served = Served::start(command);
        Self {
            console: served.field("console"),
            api: served.field("api"),
            workspace: served.field("workspace"),
            app: served.field("app"),
            api_key: served.field("api_key"),
            user_token: served.field("user_token"),
            served,
        }
    }

    fn user(&self) -> TestClient {
        TestClient::new(&self.api).with_bearer(&self.user_token)
    }

    fn server(&self) -> TestClient {
        TestClient::new(&self.api).with_bearer(&self.api_key)
    }

    /// The sample user's feed once it has cards from so many campaigns.
    async fn feed(&self, cards: usize) -> Vec<Value> {
        let user = self.user();
        wait_until(PATIENCE, "the feed to fill", || async {
            let feed = user.get("/v1/feed").send().await.expect_status(200).json();
            let found = feed["cards"].as_array().unwrap().clone();
            if found.len() == cards {
                Ok(found)
            } else {
                Err(format!("{feed}"))
            }
        })
        .await
    }

    async fn end(mut self, signal: Signal) {
        self.served.signal(signal);
        let status = self.served.ended().await;
        assert_eq!(status.code(), Some(0), "{status:?}");
    }
}

fn titles(cards: &[Value]) -> Vec<&str> {
    cards
        .iter()
        .map(|card| card["title"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_newcomer_sees_fetched_cards_triggers_one_and_counts_the_click() {
    let folder = tempdir().unwrap();
    let demo = Demo::start(folder.path());
    assert_eq!(demo.console, format!("{}/docs", demo.api));

    let cards = demo.feed(2).await;
    let feed = demo
        .user()
        .get("/v1/feed")
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(
        feed["refresh_after_seconds"], 77,
        "the environment counts for the demo, too"
    );
    assert_eq!(titles(&cards)[1], "Welcome to Corkboard");
    let offer = &cards[0];
    let texts = format!("{} {}", offer["title"], offer["description"]);
    assert!(
        texts.contains("code CORK") || texts.contains("for less"),
        "fetched: {texts}"
    );

    let server = demo.server();
    let campaigns = server
        .get("/v1/campaigns")
        .send()
        .await
        .expect_status(200)
        .json();
    let of_name = |name: &str| {
        let all = campaigns["data"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let trigger = format!("/v1/campaigns/{}/trigger", of_name("Order shipped"));
    let recipient = json!({"user_id": "user-00001", "properties": {"order_id": "A-7"}});
    let body = json!({"recipients": [recipient]});
    let _ = server
        .post(&trigger)
        .json(&body)
        .send()
        .await
        .expect_status(202);
    let cards = demo.feed(3).await;
    assert_eq!(titles(&cards)[0], "Your order A-7 is on its way");

    let click = json!({"events": [{"card_id": cards[0]["id"], "kind": "click"}]});
    let user = demo.user();
    let _ = user
        .post("/v1/feed/events")
        .json(&click)
        .send()
        .await
        .expect_status(202);
    let stats = format!("/v1/campaigns/{}/stats", of_name("Order shipped"));
    let stats = server.get(&stats).send().await.expect_status(200).json();
    assert_eq!(stats["variants"][0]["unique_clicks"], 1, "{stats}");
    demo.end(Signal::INT).await;
}

#[tokio::test]
async fn a_second_start_goes_on_where_the_first_ended() {
    let folder = tempdir().unwrap();
    let first = Demo::start(folder.path());
    let before = first.feed(2).await;
    let ids = [&first.workspace, &first.app, &first.api_key].map(String::clone);
    let dismiss = json!({"events": [{"card_id": before[1]["id"], "kind": "dismiss"}]});
    let user = first.user();
    let _ = user
        .post("/v1/feed/events")
        .json(&dismiss)
        .send()
        .await
        .expect_status(202);
    let old_token = first.user_token.clone();
    drop(user);
    first.end(Signal::TERM).await;

    let second = Demo::start(folder.path());
    assert_eq!(
        [&second.workspace, &second.app, &second.api_key].map(String::clone),
        ids
    );
    let after = second.feed(1).await;
    assert_eq!(
        after[0]["id"], before[0]["id"],
        "the dismissed card stays away, the other stays"
    );
    let old = TestClient::new(&second.api).with_bearer(&old_token);
    let _ = old.get("/v1/feed").send().await.expect_status(200);
    second.end(Signal::TERM).await;
}

#[tokio::test]
async fn a_first_start_that_was_killed_is_completed_by_the_next() {
    let folder = tempdir().unwrap();
    let mut command = command(folder.path(), "demo --listen 127.0.0.1:0 --dir d");
    command.env("CORKBOARD__ADMIN_LISTEN", "127.0.0.1:0");
    let served = Served::start(command);
    let memory = folder.path().join("d/demo.json");
    wait_until(PATIENCE, "the ids to be remembered", || {
        let answer = if memory.exists() {
            Ok(())
        } else {
            Err("not yet".to_owned())
        };
        std::future::ready(answer)
    })
    .await;
    drop(served);

    let demo = Demo::start(folder.path());
    demo.feed(2).await;
    let last = demo.server().get("/v1/users/user-10000").send().await;
    let _ = last.expect_status(200);
    demo.end(Signal::TERM).await;
}

#[tokio::test]
async fn a_folder_in_use_is_refused_with_69() {
    let folder = tempdir().unwrap();
    let demo = Demo::start(folder.path());
    let mut second = command(folder.path(), "demo --listen 127.0.0.1:0 --dir d");
    second.env("CORKBOARD__ADMIN_LISTEN", "127.0.0.1:0");
    let refused = run_with(second, "").expect(69);
    assert!(
        refused.stderr.contains("in use by another process"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.stdout, "");
    demo.end(Signal::TERM).await;
}

#[tokio::test]
async fn the_endpoint_keeps_its_port_or_says_that_it_is_taken() {
    let folder = tempdir().unwrap();
    let port = || {
        let memory = std::fs::read_to_string(folder.path().join("d/demo.json")).unwrap();
        let memory: Value = serde_json::from_str(&memory).unwrap();
        u16::try_from(memory["endpoint_port"].as_u64().unwrap()).unwrap()
    };
    Demo::start(folder.path()).end(Signal::TERM).await;
    let before = port();
    let squatter = std::net::TcpListener::bind(("127.0.0.1", before)).unwrap();
    let demo = Demo::start(folder.path());
    demo.served
        .log("another process holds the port of the sample endpoint");
    let _ = demo.user().get("/v1/feed").send().await.expect_status(200);
    demo.end(Signal::TERM).await;
    drop(squatter);
    assert_eq!(port(), before, "the templates name it");
}

#[tokio::test]
async fn a_second_signal_cuts_the_end_short() {
    let folder = tempdir().unwrap();
    let mut demo = Demo::start(folder.path());
    let address = demo.api.trim_start_matches("http://").parse().unwrap();
    let mut slow = RawConnection::open(address).await;
    let half = format!(
        "POST /v1/feed/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n",
        demo.user_token
    );
    slow.send(half).await.unwrap();
    // The server asks for the body once the handler waits for it: the request is in flight.
    let (_, asked) = slow
        .read_until(b"100 Continue", Duration::from_secs(10))
        .await;
    assert_eq!(asked, RawEnd::Found);
    demo.served.signal(Signal::TERM);
    demo.served.log("no longer ready");
    demo.served.signal(Signal::TERM);
    assert_eq!(demo.served.ended().await.code(), Some(70));
    demo.served.log("cut short");
}

#[tokio::test]
async fn an_open_live_connection_does_not_hold_the_end_up() {
    let folder = tempdir().unwrap();
    let demo = Demo::start(folder.path());
    let address = demo.api.trim_start_matches("http://").parse().unwrap();
    let mut live = RawConnection::open(address).await;
    let request = format!(
        "GET /v1/feed/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        demo.user_token
    );
    live.send(request).await.unwrap();
    let (begun, end) = live.read_until(b"connected", Duration::from_secs(10)).await;
    assert_eq!(end, RawEnd::Found, "{}", String::from_utf8_lossy(&begun));
    demo.end(Signal::TERM).await;
}
