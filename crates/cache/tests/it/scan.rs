//! A look through many hashes meets with servers that go and come.

use std::collections::BTreeSet;

use corkboard_cache::{HashScan, Key};
use corkboard_testkit::{RedisCluster, RedisServer, wait_until};

use crate::node::{Node, SOON, Source};

const COUNT: usize = 5_000;

/// Writes hashes past the tiers, as any program may.
fn fill(server: &RedisServer) {
    let script = "for n = 1, tonumber(ARGV[1]) do redis.call('HSET', 'row:' .. n, 'n', n) end";
    let _ = server.command(&["EVAL", script, "0", &COUNT.to_string()]);
}

/// The rest of a look that goes on after failures: the names, and how often it began again.
async fn rest(scan: HashScan, names: &mut BTreeSet<Vec<u8>>) -> u32 {
    let (scan, mut begun_again) = (tokio::sync::Mutex::new(scan), 0);
    while let Some(page) = wait_until(SOON, "a page", || async {
        let page = scan.lock().await.next().await;
        page.map_err(|error| error.to_string())
    })
    .await
    {
        if page.begins_again {
            names.clear();
            begun_again += 1;
        }
        names.extend(page.names);
    }
    begun_again
}

async fn begin(node: &Node) -> (HashScan, BTreeSet<Vec<u8>>) {
    let mut scan = node.redis.scan_hashes(b"row:");
    let page = scan.next().await.unwrap().unwrap();
    assert!(!page.begins_again && page.names.len() < COUNT);
    (scan, page.names.into_iter().collect())
}

#[tokio::test]
async fn it_goes_on_where_it_was_when_the_server_was_away_for_a_while() {
    let server = RedisServer::start(&[]).await;
    fill(&server);
    let node = Node::join(&server.url(), &Source::new()).await;
    let (mut scan, mut names) = begin(&node).await;
    server.freeze();
    assert!(scan.next().await.unwrap_err().is_passing());
    server.thaw();
    assert_eq!(rest(scan, &mut names).await, 0);
    assert_eq!(names.len(), COUNT);
}

#[tokio::test]
async fn it_begins_again_when_the_server_has_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let mut server = RedisServer::start(&["--dir", &dir]).await;
    fill(&server);
    assert!(server.command(&["SAVE"]).contains("OK"));
    let node = Node::join(&server.url(), &Source::new()).await;
    let (scan, mut names) = begin(&node).await;
    server.restart().await;
    assert_eq!(rest(scan, &mut names).await, 1);
    assert_eq!(names.len(), COUNT);
}

#[tokio::test]
async fn it_ends_when_servers_start_again_and_again() {
    let server = RedisServer::start(&[]).await;
    fill(&server);
    let node = Node::join(&server.url(), &Source::new()).await;
    let mut scan = node.redis.scan_hashes(b"row:");
    let mut server = server;
    let mut pages = 0;
    let error = loop {
        server.restart().await;
        fill(&server);
        let page = wait_until(SOON, "redis to be joined again", || async {
            let joined = node.redis.joined(SOON).await;
            joined.then_some(()).ok_or_else(|| "away".to_owned())
        });
        page.await;
        match scan.next().await {
            Ok(_) => pages += 1,
            Err(error) if error.is_passing() => {}
            Err(error) => break error,
        }
        assert!(pages < 50, "it goes on for ever");
    };
    assert_eq!(error.to_string(), "redis starts again and again");
}

#[tokio::test]
async fn a_cluster_is_looked_through_again_when_a_replica_has_taken_over() {
    let mut cluster = RedisCluster::with_replicas().await;
    let node = Node::join(&cluster.url(), &Source::new()).await;
    let names: Vec<Key> = (0..COUNT)
        .map(|n| format!("row:{n}").as_bytes().into())
        .collect();
    for part in names.chunks(1_000) {
        let leases = node.redis.lease_hashes(part, SOON).await.unwrap();
        let row = corkboard_cache::HashWrite {
            fields: vec![("n", "1")],
            kept: corkboard_cache::HashKept {
                lifetime: SOON * 100,
                last: Vec::new(),
                last_lifetime: std::time::Duration::ZERO,
            },
        };
        let rows = leases.iter().flatten().map(|lease| (lease, row.clone()));
        let rows: Vec<_> = rows.collect();
        let filled = node.redis.fill_hashes(&rows).await.unwrap();
        assert_eq!(filled, vec![true; part.len()]);
    }
    let (scan, mut found) = begin(&node).await;
    // The look has begun at one of them; the last is still to come, or is that one.
    wait_until(SOON, "the replicas to have all", || {
        let size = |server: &RedisServer| server.command(&["DBSIZE"]);
        let (masters, replicas) = cluster.servers.split_at(3);
        let same = masters
            .iter()
            .zip(replicas)
            .all(|(one, other)| size(one) == size(other));
        std::future::ready(same.then_some(()).ok_or_else(|| "behind".to_owned()))
    })
    .await;
    cluster.servers[2].kill();
    assert_eq!(rest(scan, &mut found).await, 1);
    assert_eq!(found.len(), COUNT);
}
