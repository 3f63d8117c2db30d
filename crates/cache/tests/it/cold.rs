//! A Redis in which nearly nothing is found: the lease comes with the look, and every promise stays.

use std::sync::atomic::Ordering;
use std::time::Duration;

use corkboard_cache::{HashKept, HashLeased, HashLooked, Looked};
use corkboard_testkit::{RedisCluster, RedisServer, wait_until};
use futures_util::future::join_all;

use crate::node::{Node, SOON, Source, key};
use crate::turns::calls;

const LEASE: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3_600);

/// Looks for what is not there until the process expects nothing else.
async fn chill(node: &Node) {
    for number in 0..100 {
        let absent = key(&format!("absent-{number}"));
        assert!(node.redis.glance(&absent).await.unwrap().is_none());
    }
    assert!(node.redis.is_cold());
}

fn kept() -> HashKept {
    HashKept {
        lifetime: HOUR,
        last: Vec::new(),
        last_lifetime: Duration::ZERO,
    }
}

async fn is_in_redis(node: &Node, name: &str) {
    wait_until(SOON, "the value in Redis", || async {
        match node.redis.glance(&key(name)).await {
            Ok(Some(Looked::Value(_))) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn a_look_brings_the_lease_and_costs_one_command() {
    let server = RedisServer::start(&[]).await;
    let node = Node::join(&server.url(), &Source::new()).await;
    chill(&node).await;
    let before = (calls(&server, "get"), calls(&server, "set"));
    let looked = node.redis.look(&key("ada"), LEASE).await.unwrap();
    assert!(matches!(looked, Looked::Lease(_)), "{looked:?}");
    let again = node.redis.look(&key("ada"), LEASE).await.unwrap();
    assert!(matches!(again, Looked::Leased), "{again:?}");
    let after = (calls(&server, "get"), calls(&server, "set"));
    assert_eq!(after, (before.0, before.1 + 2));
}

#[tokio::test]
async fn readers_of_a_cold_redis_look_once_and_leave_what_they_bring() {
    let server = RedisServer::start(&[]).await;
    let source = Source::new();
    let node = Node::join(&server.url(), &source).await;
    chill(&node).await;
    let names: Vec<String> = (0..50).map(|number| format!("user-{number}")).collect();
    let (get, set) = (calls(&server, "get"), calls(&server, "set"));
    join_all(names.iter().map(|name| node.read(name))).await;
    wait_until(SOON, "a lease and a fill for each", || async {
        let sent = calls(&server, "set") - set;
        (sent == 100)
            .then_some(())
            .ok_or_else(|| format!("{sent} were sent"))
    })
    .await;
    // By the fills, which make sure of their leases.
    assert_eq!(calls(&server, "get") - get, 50);
    let other = Node::join(&server.url(), &source).await;
    join_all(names.iter().map(|name| other.read(name))).await;
    assert_eq!(source.looks(), 50, "the other one has found all of them");
}

/// As processes that share nothing but the server do, in one message or two.
#[tokio::test]
async fn of_two_who_ask_at_once_one_gets_the_lease() {
    let server = RedisServer::start(&[]).await;
    let node = Node::join(&server.url(), &Source::new()).await;
    chill(&node).await;
    let (redis, user, offer) = (&node.redis, key("ada"), key("offer:7"));
    let values = tokio::join!(redis.look(&user, LEASE), redis.look(&user, LEASE));
    let values = [values.0.unwrap(), values.1.unwrap()];
    let leases = values.iter().filter(|one| matches!(one, Looked::Lease(_)));
    assert_eq!(leases.count(), 1, "{values:?}");
    let rows = tokio::join!(
        redis.look_at_hash(&offer, LEASE),
        redis.look_at_hash(&offer, LEASE)
    );
    let rows = [rows.0.unwrap(), rows.1.unwrap()];
    let is_lease = |one: &&HashLooked| matches!(one, HashLooked::Absent(HashLeased::Lease(_)));
    assert_eq!(rows.iter().filter(is_lease).count(), 1, "{rows:?}");
}

#[tokio::test]
async fn it_is_warm_again_when_looks_find() {
    let server = RedisServer::start(&[]).await;
    let node = Node::join(&server.url(), &Source::new()).await;
    node.read("ada").await;
    is_in_redis(&node, "ada").await;
    chill(&node).await;
    for _ in 0..300 {
        let looked = node.redis.look(&key("ada"), LEASE).await.unwrap();
        assert!(matches!(looked, Looked::Value(_)), "{looked:?}");
    }
    assert!(!node.redis.is_cold());
}

#[tokio::test]
async fn sixty_four_readers_in_two_cold_processes_make_one_filler() {
    let server = RedisServer::start(&[]).await;
    let source = Source::new();
    let nodes = [
        Node::join(&server.url(), &source).await,
        Node::join(&server.url(), &source).await,
    ];
    chill(&nodes[0]).await;
    chill(&nodes[1]).await;
    source.delay.store(50, Ordering::SeqCst);
    let readers = (0..64).map(|number| nodes[number % 2].read("ada"));
    assert!(join_all(readers).await.iter().all(|version| *version == 0));
    assert_eq!(source.looks(), 1);
}

#[tokio::test]
async fn a_slow_reader_of_a_cold_redis_leaves_nothing_old_behind() {
    let server = RedisServer::start(&[]).await;
    let source = Source::new();
    let nodes = [
        Node::join(&server.url(), &source).await,
        Node::join(&server.url(), &source).await,
    ];
    chill(&nodes[0]).await;
    source.hold();
    let slow = nodes[0].read("ada");
    let write = async {
        wait_until(SOON, "the look at the source", || async {
            (source.looks() == 1)
                .then_some(())
                .ok_or_else(|| "not yet".to_owned())
        })
        .await;
        nodes[1].write("ada").await;
        source.answers.add_permits(1_000);
    };
    let (seen, ()) = tokio::join!(slow, write);
    assert_eq!(seen, 0, "it began before the write");
    // What it left behind would have been sent before this.
    let looked = nodes[0].redis.look(&key("ada"), LEASE).await.unwrap();
    assert!(matches!(looked, Looked::Lease(_)), "{looked:?}");
}

#[tokio::test]
async fn where_leases_are_refused_values_are_still_found() {
    let server = RedisServer::start(&["--maxmemory-policy", "noeviction"]).await;
    let source = Source::new();
    let node = Node::join(&server.url(), &source).await;
    node.read("ada").await;
    is_in_redis(&node, "ada").await;
    let _ = server.command(&["HSET", "offer:7", "body", "tea"]);
    chill(&node).await;
    let _ = server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let looked = node.redis.look(&key("ada"), LEASE).await.unwrap();
    assert!(matches!(looked, Looked::Value(_)), "{looked:?}");
    assert!(!node.redis.is_cold(), "no lease is asked for again at once");
    chill(&node).await;
    let offer = key("offer:7");
    let row = node.redis.look_at_hash(&offer, LEASE).await.unwrap();
    assert!(matches!(row, HashLooked::Row(_)), "{row:?}");
    assert_eq!(node.read("grace").await, 0, "from the source");
}

#[tokio::test]
async fn scripts_that_the_server_has_forgotten_are_told_again() {
    let server = RedisServer::start(&[]).await;
    let node = Node::join(&server.url(), &Source::new()).await;
    for name in ["ada", "grace"] {
        let Looked::Lease(token) = node.redis.look(&key(name), LEASE).await.unwrap() else {
            panic!("nobody was here before");
        };
        let _ = server.command(&["SCRIPT", "FLUSH"]);
        node.redis.fill_later(&token, b"0 tea", HOUR);
        is_in_redis(&node, name).await;
    }
}

#[tokio::test]
async fn a_hash_or_its_lease_come_in_one_message() {
    let server = RedisServer::start(&[]).await;
    let node = Node::join(&server.url(), &Source::new()).await;
    let _ = server.command(&["HSET", "offer:1", "body", "tea"]);
    chill(&node).await;
    let redis = &node.redis;
    let (there, absent) = (key("offer:1"), key("offer:2"));
    let (row, lease) = tokio::join!(
        redis.look_at_hash(&there, LEASE),
        redis.look_at_hash(&absent, LEASE)
    );
    let HashLooked::Row(row) = row.unwrap() else {
        panic!("it is there");
    };
    assert_eq!(row.fields, [(b"body".to_vec(), b"tea".to_vec())]);
    let HashLooked::Absent(HashLeased::Lease(lease)) = lease.unwrap() else {
        panic!("nobody was here before");
    };
    let other = redis.look_at_hash(&absent, LEASE).await.unwrap();
    assert!(
        matches!(other, HashLooked::Absent(HashLeased::Taken)),
        "{other:?}"
    );
    redis.fill_hash_later(&lease, &[("body", "coffee")], &kept());
    wait_until(SOON, "the row", || async {
        match redis.look_at_hash(&absent, LEASE).await {
            Ok(HashLooked::Row(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_came_with_a_look_at_a_hash_is_voided_by_a_write() {
    let server = RedisServer::start(&[]).await;
    let node = Node::join(&server.url(), &Source::new()).await;
    chill(&node).await;
    let offer = key("offer:7");
    let looked = node.redis.look_at_hash(&offer, LEASE).await.unwrap();
    let HashLooked::Absent(HashLeased::Lease(lease)) = looked else {
        panic!("nobody was here before: {looked:?}");
    };
    let voided = node.redis.void_hashes(std::slice::from_ref(&offer)).await;
    assert_eq!(voided.unwrap(), [false]);
    let (old, kept) = ([("body", "old")], kept());
    let filled = node.redis.fill_hash(&lease, &old, &kept).await.unwrap();
    assert!(!filled, "it was read before the write");
    assert_eq!(node.redis.hash(&offer).await.unwrap(), None);
}

#[tokio::test]
async fn a_cold_cluster_is_filled_as_well() {
    let cluster = RedisCluster::start().await;
    let source = Source::new();
    let node = Node::join(&cluster.url(), &source).await;
    chill(&node).await;
    let names: Vec<String> = (0..60).map(|number| format!("user-{number}")).collect();
    join_all(names.iter().map(|name| node.read(name))).await;
    for name in &names {
        is_in_redis(&node, name).await;
    }
    let other = Node::join(&cluster.url(), &source).await;
    join_all(names.iter().map(|name| other.read(name))).await;
    assert_eq!(source.looks(), names.len());
    chill(&node).await;
    let offer = key("offer:7");
    let looked = node.redis.look_at_hash(&offer, LEASE).await.unwrap();
    let HashLooked::Absent(HashLeased::Lease(lease)) = looked else {
        panic!("nobody was here before: {looked:?}");
    };
    let (row, kept) = ([("body", "tea")], kept());
    assert!(node.redis.fill_hash(&lease, &row, &kept).await.unwrap());
    let looked = node.redis.look_at_hash(&offer, LEASE).await.unwrap();
    assert!(matches!(looked, HashLooked::Row(_)), "{looked:?}");
}
