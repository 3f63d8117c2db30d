//! Certificates replaced under a node that serves: at SIGHUP, and not at all when they are broken.

use std::fs;

use corkboard_testkit::{RawConnection, write_identity};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::tempdir;

use crate::process::{PATIENCE, Served, command, run};
use crate::tenants::CONFIG;

#[tokio::test]
async fn a_hangup_loads_replaced_files_and_keeps_the_old_ones_when_the_new_are_broken() {
    let folder = tempdir().unwrap();
    let at = folder.path();
    let tls = "[edge]\ntls_certificate = \"tls.crt\"\ntls_key = \"tls.key\"\n";
    fs::write(at.join("c.toml"), format!("{CONFIG}{tls}")).unwrap();
    write_identity(at, 20);
    run(at, "migrate --config c.toml").expect(0);
    let mut node = Served::start(command(at, "serve --config c.toml"));
    let serving: Value = serde_json::from_str(&node.log("\"serving\"")).unwrap();
    let address = serving["listen"].as_str().unwrap().parse().unwrap();
    // Open through all of it.
    let mut connection = RawConnection::open(address).await;

    write_identity(at, 10);
    node.signal(Signal::HUP);
    node.log("certificate loaded again");
    fs::write(at.join("tls.key"), "no key").unwrap();
    node.signal(Signal::HUP);
    node.log("the old one stays in use");
    write_identity(at, 0);
    node.signal(Signal::HUP);
    node.log("certificate loaded again");

    connection
        .send("GET / HTTP/1.1\r\nhost: t\r\n\r\n")
        .await
        .unwrap();
    let (alert, _) = connection.read_until(b"\x15", PATIENCE).await;
    assert_eq!(alert[0], 21, "this is TLS: {alert:?}");
    drop(connection);
    node.signal(Signal::TERM);
    assert_eq!(node.ended().await.code(), Some(0));
}
