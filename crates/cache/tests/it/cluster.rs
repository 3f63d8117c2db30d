//! Three masters: everything that holds for one server.

use std::time::Duration;

use corkboard_cache::Key;
use corkboard_testkit::{RedisCluster, wait_until};
use futures_util::future::join_all;

use crate::node::{Node, Source};

#[tokio::test]
async fn a_cluster_keeps_every_promise_of_one_server() {
    let cluster = RedisCluster::start().await;
    let source = Source::new();
    let nodes = [
        Node::join(&cluster.url(), &source).await,
        Node::join(&cluster.url(), &source).await,
    ];
    let names: Vec<String> = (0..60).map(|number| format!("user-{number}")).collect();
    for node in &nodes {
        join_all(names.iter().map(|name| node.read(name))).await;
    }
    assert_eq!(
        source.looks(),
        names.len(),
        "the second process found all in Redis"
    );
    for server in &cluster.servers {
        assert!(
            !server.command(&["DBSIZE"]).contains(":0"),
            "every master has a share"
        );
    }
    for name in &names {
        source.write(name);
    }
    let keys: Vec<Key> = names
        .iter()
        .map(|name| Key::from(name.as_bytes()))
        .collect();
    nodes[0].tiers.void(&keys, true).await;
    for name in &names {
        assert_eq!(nodes[0].read(name).await, 1);
        wait_until(Duration::from_secs(1), "the other process", || async {
            let seen = nodes[1].read(name).await;
            if seen == 1 {
                Ok(())
            } else {
                Err(seen.to_string())
            }
        })
        .await;
    }
}
