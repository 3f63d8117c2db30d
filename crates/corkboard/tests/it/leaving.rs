//! SIGTERM under load: the built binary leaves without a failed request.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use corkboard_testkit::{RawConnection, RawEnd, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::tempdir;
use tokio::task::JoinSet;

use crate::process::{PATIENCE, Served, command, run};
use crate::tenants::CONFIG;

const CONNECTIONS: usize = 64;

/// Asks without a pause until it is told to leave; every request is answered in full.
async fn ask_until_told(address: SocketAddr, answered: Arc<AtomicUsize>) {
    let mut connection = RawConnection::open(address).await;
    loop {
        let request = "GET /nothing HTTP/1.1\r\nhost: t\r\n\r\n";
        connection.send(request).await.expect("a kept connection");
        let (answer, end) = connection.read_until(b"}", PATIENCE).await;
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(end, RawEnd::Found, "{answer}");
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        answered.fetch_add(1, Relaxed);
        if answer.contains("connection: close") {
            let (rest, end) = connection.read_to_close(PATIENCE).await;
            assert_eq!((rest.len(), end), (0, RawEnd::Closed));
            return;
        }
    }
}

#[tokio::test]
async fn a_node_under_load_ends_at_sigterm_without_a_failed_request() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), CONFIG).unwrap();
    run(folder.path(), "migrate --config c.toml").expect(0);
    let mut node = Served::start(command(folder.path(), "serve --config c.toml"));
    let serving: Value = serde_json::from_str(&node.log("\"serving\"")).unwrap();
    let address = serving["listen"].as_str().unwrap().parse().unwrap();

    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        clients.spawn(ask_until_told(address, Arc::clone(&answered)));
    }
    wait_until(PATIENCE, "load", || {
        let all = answered.load(Relaxed);
        std::future::ready(
            (all > 20 * CONNECTIONS)
                .then_some(())
                .ok_or(all.to_string()),
        )
    })
    .await;
    node.signal(Signal::TERM);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert_eq!(node.ended().await.code(), Some(0));
    let log = node.rest_of_log();
    assert!(log.contains("shut down in order"), "{log}");
}
