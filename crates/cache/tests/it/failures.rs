//! Redis killed, hung, flushed, read-only, out of memory, restored: right answers, and a source that
//! is asked no more than its cap.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use corkboard_cache::{ReadError, TierOptions};
use corkboard_testkit::{RedisServer, wait_until};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::node::{Node, SOON, Source};

const AT_A_TIME: usize = 4;

async fn world(server: &RedisServer) -> (Arc<Source>, [Node; 2]) {
    let source = Source::new();
    let options = TierOptions {
        at_a_time: AT_A_TIME,
        ..TierOptions::default()
    };
    let one = Node::with(&server.url(), &source, options.clone()).await;
    let other = Node::with(&server.url(), &source, options).await;
    (source, [one, other])
}

/// Writes on one side and reads on both, for keys of a test's own; all reads are right within a
/// second.
async fn answers_are_right(nodes: &[Node; 2], keys: &str) {
    for number in 0..5 {
        let name = format!("{keys}-{number}");
        for version in 1..=2 {
            assert_eq!(nodes[0].write(&name).await, version);
            assert_eq!(nodes[0].read(&name).await, version);
            let written = Instant::now();
            wait_until(SOON, "the other side", || async {
                let seen = nodes[1].read(&name).await;
                if seen == version {
                    Ok(())
                } else {
                    Err(format!("{seen}, not {version}"))
                }
            })
            .await;
            let late = written.elapsed();
            assert!(late < Duration::from_millis(1_300), "{keys}: {late:?}");
        }
    }
}

async fn left_out(nodes: &[Node; 2]) {
    for node in nodes {
        wait_until(SOON, "Redis to be left out", || async {
            if node.redis.is_trusted() {
                Err("trusted".to_owned())
            } else {
                Ok(())
            }
        })
        .await;
    }
}

/// Many keys at once straight at the source: never more at a time than its turns.
async fn the_source_is_spared(source: &Source, node: &Node) {
    source.most.store(0, Ordering::SeqCst);
    source.delay.store(2, Ordering::SeqCst);
    let names: Vec<String> = (0..200).map(|number| format!("crowd-{number}")).collect();
    let reads = join_all(names.iter().map(|name| node.try_read(name))).await;
    source.delay.store(0, Ordering::SeqCst);
    for (name, read) in names.iter().zip(reads) {
        match read {
            Ok(row) => assert_eq!(&row.key, name),
            Err(error) => assert_eq!(error, ReadError::Busy),
        }
    }
    let most = source.most.load(Ordering::SeqCst);
    assert!((1..=AT_A_TIME).contains(&most), "{most} at a time");
}

#[tokio::test]
async fn redis_killed_and_back() {
    let mut server = RedisServer::start(&[]).await;
    let (source, nodes) = world(&server).await;
    answers_are_right(&nodes, "before").await;
    server.kill();
    left_out(&nodes).await;
    answers_are_right(&nodes, "without").await;
    the_source_is_spared(&source, &nodes[0]).await;
    server.restart().await;
    for node in &nodes {
        assert!(node.redis.joined(SOON).await);
    }
    answers_are_right(&nodes, "after").await;
    answers_are_right(&nodes, "once more").await;
}

#[tokio::test]
async fn redis_hung_with_old_values_and_awake_again() {
    let server = RedisServer::start(&[]).await;
    let (source, nodes) = world(&server).await;
    for node in &nodes {
        assert_eq!(node.read("ada").await, 0);
    }
    server.freeze();
    let hung = Instant::now();
    left_out(&nodes).await;
    assert!(
        hung.elapsed() < Duration::from_millis(1_300),
        "{:?}",
        hung.elapsed()
    );
    answers_are_right(&nodes, "hung").await;
    the_source_is_spared(&source, &nodes[1]).await;
    // This write cannot reach Redis, which still has the version before it.
    assert_eq!(nodes[0].write("ada").await, 1);
    server.thaw();
    for node in &nodes {
        assert!(node.redis.joined(SOON).await);
    }
    wait_until(Duration::from_secs(1), "the owed void", || async {
        let seen = (nodes[0].read("ada").await, nodes[1].read("ada").await);
        if seen == (1, 1) {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    })
    .await;
    answers_are_right(&nodes, "awake").await;
}

#[tokio::test]
async fn redis_flushed() {
    let server = RedisServer::start(&[]).await;
    let (_, nodes) = world(&server).await;
    answers_are_right(&nodes, "before").await;
    let _ = server.command(&["FLUSHALL"]);
    answers_are_right(&nodes, "before-and").await;
    assert_eq!(nodes[1].read("before-0").await, 2);
}

#[tokio::test]
async fn redis_read_only() {
    let server = RedisServer::start(&[]).await;
    let (source, nodes) = world(&server).await;
    for node in &nodes {
        assert_eq!(node.read("ada").await, 0);
    }
    // A replica of nobody: it answers reads and refuses writes.
    let _ = server.command(&["CONFIG", "SET", "replica-serve-stale-data", "yes"]);
    let _ = server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(nodes[0].write("ada").await, 1);
    left_out(&nodes).await;
    assert_eq!(
        (nodes[0].read("ada").await, nodes[1].read("ada").await),
        (1, 1)
    );
    answers_are_right(&nodes, "read-only").await;
    the_source_is_spared(&source, &nodes[0]).await;
    let _ = server.command(&["REPLICAOF", "NO", "ONE"]);
    for node in &nodes {
        assert!(node.redis.joined(SOON).await);
    }
    assert_eq!(
        (nodes[0].read("ada").await, nodes[1].read("ada").await),
        (1, 1)
    );
    answers_are_right(&nodes, "writable").await;
}

#[tokio::test]
async fn redis_out_of_memory() {
    let server = RedisServer::start(&["--maxmemory-policy", "noeviction"]).await;
    let (source, nodes) = world(&server).await;
    for node in &nodes {
        assert_eq!(node.read("ada").await, 0);
    }
    let _ = server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(nodes[0].write("ada").await, 1);
    answers_are_right(&nodes, "full").await;
    the_source_is_spared(&source, &nodes[0]).await;
    let _ = server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    answers_are_right(&nodes, "room").await;
    assert_eq!(nodes[1].read("ada").await, 1);
}

#[tokio::test]
async fn redis_that_comes_back_with_an_old_disk_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let mut server = RedisServer::start(&["--dir", &dir]).await;
    let (_, nodes) = world(&server).await;
    assert_eq!(nodes[0].read("ada").await, 0);
    assert!(server.command(&["SAVE"]).contains("OK"));
    assert_eq!(nodes[0].write("ada").await, 1);
    server.kill();
    left_out(&nodes).await;
    server.restart().await;
    for node in &nodes {
        assert!(node.redis.joined(SOON).await);
    }
    let kept = server.command(&["DBSIZE"]);
    assert!(kept.contains(":1"), "the old value is there: {kept}");
    for node in &nodes {
        assert_eq!(node.read("ada").await, 1);
    }
}

#[tokio::test]
async fn a_node_that_never_finds_redis_serves_from_the_source() {
    let mut server = RedisServer::start(&[]).await;
    let url = server.url();
    server.kill();
    let node = Node::begin(&url, &Source::new(), TierOptions::default());
    assert_eq!(node.read("ada").await, 0);
    assert_eq!(node.write("ada").await, 1);
    assert_eq!(node.read("ada").await, 1);
}
