//! Stored credentials in a running node: used, seen nowhere, and sealed anew with another key.

use std::fs;
use std::path::Path;

use corkboard_testkit::{Peer, Reply, TestClient};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::process::{Served, command, run};

const CANARY: &str = "canary-4c7d1e";
/// The same as a header carries it: base64 of `ada:canary-4c7d1e`.
const PACKED: &str = "YWRhOmNhbmFyeS00YzdkMWU";

/// A demo with the address of its API and its key.
fn demo(folder: &Path) -> (Served, TestClient) {
    let mut command = command(folder, "demo --listen 127.0.0.1:0 --dir d");
    command.env("CORKBOARD__ADMIN_LISTEN", "127.0.0.1:0");
    command.env("CORKBOARD__FETCH__ALLOW_PORTS", "[]");
    command.env("CORKBOARD__LOG__LEVEL", "debug");
    let served = Served::start(command);
    let field = |name: &str| served.field(name);
    field("console");
    let api = field("api");
    field("workspace");
    field("app");
    let client = TestClient::new(&api).with_bearer(&field("api_key"));
    (served, client)
}

async fn preview(client: &TestClient, url: &str) -> Value {
    let title = format!(
        "{{% connected_content {url} :basic_auth shop :no_cache :save got %}}{{{{ got }}}} \
         {{{{ got.__http_status_code__ }}}}"
    );
    let body = json!({"card": {"title": title}, "user": {}});
    let answer = client.post("/v1/preview").json(&body).send().await;
    answer.expect_status(200).json()
}

async fn end(mut served: Served) -> String {
    served.signal(Signal::TERM);
    assert_eq!(served.ended().await.code(), Some(0));
    served.rest_of_log()
}

#[tokio::test]
async fn a_secret_reaches_its_host_and_nothing_else() {
    let folder = tempdir().unwrap();
    let peer = Peer::start().await;
    peer.on("/offer", Reply::text("welcome"));
    let (served, client) = demo(folder.path());
    let credential = json!({"name": "shop", "kind": "basic", "user": "ada",
                            "password": CANARY, "hosts": ["127.0.0.1"]});
    let stored = client
        .post("/v1/credentials")
        .json(&credential)
        .send()
        .await;
    stored.expect_status(201);
    let shown = preview(&client, &peer.url("/offer")).await;
    assert_eq!(
        shown["card"]["title"].as_str().unwrap().split(' ').next(),
        Some("welcome")
    );
    let seen = peer.requests()[0]
        .header("authorization")
        .unwrap()
        .to_owned();
    assert!(seen.starts_with(&format!("Basic {PACKED}")), "{seen}");
    let elsewhere = preview(&client, &peer.url_as("localhost", "/offer")).await;
    assert_eq!(elsewhere["trace"][0]["status"], 0, "{elsewhere}");
    let calls = client
        .get("/v1/fetches")
        .send()
        .await
        .expect_status(200)
        .text();
    let listed = client
        .get("/v1/credentials")
        .send()
        .await
        .expect_status(200)
        .text();
    let log = end(served).await;
    assert!(
        log.contains("connected content"),
        "it was logged at this level: {log}"
    );
    for text in [shown.to_string(), elsewhere.to_string(), calls, listed, log] {
        assert!(!text.contains(CANARY) && !text.contains(PACKED), "{text}");
    }
    for file in fs::read_dir(folder.path().join("d/store")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for secret in [CANARY, PACKED] {
            let mut windows = bytes.windows(secret.len());
            assert!(!windows.any(|window| window == secret.as_bytes()));
        }
    }
}

#[tokio::test]
async fn credentials_outlive_a_change_of_keys() {
    let folder = tempdir().unwrap();
    let (served, client) = demo(folder.path());
    let credential = json!({"name": "shop", "kind": "bearer", "token": CANARY,
                            "hosts": ["127.0.0.1"]});
    let stored = client
        .post("/v1/credentials")
        .json(&credential)
        .send()
        .await;
    stored.expect_status(201);
    end(served).await;

    let made = run(folder.path(), "secrets generate").expect(0).stdout;
    let new = made.trim().strip_prefix("key: ").unwrap();
    let remembered = fs::read(folder.path().join("d/demo.json")).unwrap();
    let remembered: Value = serde_json::from_slice(&remembered).unwrap();
    let old = remembered["secret_key"].as_str().unwrap();
    let reseal = |keys: &[&str]| {
        let config = format!("[store]\npath = \"d/store\"\n[secrets]\nkeys = {keys:?}\n");
        fs::write(folder.path().join("c.toml"), config).unwrap();
        run(folder.path(), "secrets reseal --config c.toml")
    };
    let lost = reseal(&[new]).expect(64);
    assert!(
        lost.stderr.contains("1 credentials cannot be opened"),
        "{}",
        lost.stderr
    );
    let done = reseal(&[new, old]).expect(0).stdout;
    assert!(done.contains("resealed: 1"), "{done}");
    let again = reseal(&[new]).expect(0).stdout;
    assert!(again.contains("resealed: 0"), "{again}");
}
