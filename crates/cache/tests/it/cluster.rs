//! Three masters: everything that holds for one server, also when one of them is lost.

use std::time::Duration;

use corkboard_cache::Key;
use corkboard_testkit::{RedisCluster, wait_until};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::node::{Node, SOON, Source};

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

/// Kills the first master, which clients enter by at `door`, and waits for its replica.
async fn a_lost_master_is_replaced(door: usize) {
    let mut cluster = RedisCluster::with_replicas().await;
    let source = Source::new();
    let url = cluster.servers[door].url();
    let nodes = [
        Node::join(&url, &source).await,
        Node::join(&url, &source).await,
    ];
    let names: Vec<String> = (0..60).map(|number| format!("user-{number}")).collect();
    for node in &nodes {
        join_all(names.iter().map(|name| node.read(name))).await;
    }
    cluster.servers[0].kill();
    let lost = Instant::now();
    for node in &nodes {
        wait_until(SOON, "Redis to be left out", || async {
            (!node.redis.is_trusted())
                .then_some(())
                .ok_or_else(|| "trusted".to_owned())
        })
        .await;
    }
    let noticed = lost.elapsed();
    assert!(noticed < Duration::from_millis(1_300), "{noticed:?}");
    // Nobody can be told of these before the replica has taken over.
    for name in &names {
        assert_eq!(nodes[0].write(name).await, 1);
        assert_eq!(nodes[0].read(name).await, 1);
    }
    for name in &names {
        // Memory is left out for every key, those of the other masters included.
        assert_eq!(nodes[1].read(name).await, 1, "{name}");
    }
    for node in &nodes {
        assert!(node.redis.joined(SOON).await, "the replica has taken over");
    }
    for version in 2..=3 {
        for name in &names {
            assert_eq!(nodes[1].write(name).await, version);
            assert_eq!(nodes[1].read(name).await, version);
            wait_until(Duration::from_secs(1), "the other process", || async {
                match nodes[0].read(name).await {
                    seen if seen == version => Ok(()),
                    seen => Err(seen.to_string()),
                }
            })
            .await;
        }
    }
    // And Redis holds them again, all shares of it.
    let fresh = Node::join(&cluster.servers[1].url(), &source).await;
    wait_until(SOON, "keys in every share", || async {
        let before = source.looks();
        for name in &names {
            fresh.tiers.memory().void(name.as_bytes());
            assert_eq!(fresh.read(name).await, 3);
        }
        match source.looks() - before {
            0 => Ok(()),
            more => Err(format!("{more} looks")),
        }
    })
    .await;
}

#[tokio::test]
async fn a_replica_takes_over_for_a_lost_master() {
    a_lost_master_is_replaced(1).await;
}

#[tokio::test]
async fn a_replica_takes_over_for_the_master_that_the_url_names() {
    a_lost_master_is_replaced(0).await;
}
