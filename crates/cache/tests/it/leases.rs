//! One filler, and never an old value put back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use corkboard_cache::{HashKept, HashLeased, Looked, TierOptions};
use corkboard_testkit::{RedisServer, wait_until};
use futures_util::future::join_all;

use crate::node::{Node, SOON, Source, key};

const LEASE: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3_600);

/// The reader reads version 0, is slow, and brings it when version 1 is written and voided.
/// `careful` fills under its lease; otherwise as one would without leases.
async fn slow_reader_against_a_write(careful: bool) -> Option<Vec<u8>> {
    let server = RedisServer::start(&[]).await;
    let node = Node::join(&server.url(), &Source::new()).await;
    let (redis, user) = (&node.redis, key("ada"));
    let Looked::Lease(slow) = redis.look(&user, LEASE).await.unwrap() else {
        panic!("nobody was here before");
    };
    assert!(redis.void(std::slice::from_ref(&user), true).await);
    let token = if careful {
        slow
    } else {
        // Whatever is there now is overwritten: that is what a plain SET does.
        match redis.look(&user, LEASE).await.unwrap() {
            Looked::Lease(token) => token,
            other => panic!("{other:?}"),
        }
    };
    let filled = redis.fill(&token, b"old feed", HOUR).await.unwrap();
    assert_eq!(filled, !careful);
    match redis.look(&user, LEASE).await.unwrap() {
        Looked::Value(bytes) => Some(bytes),
        _ => None,
    }
}

#[tokio::test]
async fn a_slow_reader_cannot_put_an_old_feed_back() {
    assert_eq!(slow_reader_against_a_write(true).await, None);
}

#[tokio::test]
async fn without_the_lease_the_same_reader_does_put_it_back() {
    let back = slow_reader_against_a_write(false).await;
    assert_eq!(
        back.as_deref(),
        Some(&b"old feed"[..]),
        "else the test above proves nothing"
    );
}

#[tokio::test]
async fn a_slow_read_through_all_tiers_leaves_nothing_old_behind() {
    let server = RedisServer::start(&[]).await;
    let source = Source::new();
    let nodes = [
        Node::join(&server.url(), &source).await,
        Node::join(&server.url(), &source).await,
    ];
    source.hold();
    let slow = nodes[0].read("ada");
    let write = async {
        wait_until(SOON, "the look at the source", || async {
            if source.looks() == 1 {
                Ok(())
            } else {
                Err("not yet".to_owned())
            }
        })
        .await;
        nodes[1].write("ada").await;
        source.answers.add_permits(1_000);
    };
    let (seen, ()) = tokio::join!(slow, write);
    assert_eq!(seen, 0, "it began before the write");
    // The reader's own process hears of the write in a moment; from then on, and after everything
    // has landed, nothing old is anywhere.
    for node in nodes.iter().chain(&nodes) {
        wait_until(Duration::from_secs(1), "the write", || async {
            match node.read("ada").await {
                1 => Ok(()),
                old => Err(old.to_string()),
            }
        })
        .await;
    }
    assert_eq!(
        (nodes[0].read("ada").await, nodes[1].read("ada").await),
        (1, 1)
    );
}

#[tokio::test]
async fn sixty_four_readers_in_two_processes_make_one_filler() {
    let server = RedisServer::start(&[]).await;
    let source = Source::new();
    let nodes = [
        Node::join(&server.url(), &source).await,
        Node::join(&server.url(), &source).await,
    ];
    source.delay.store(50, Ordering::SeqCst);
    let readers = (0..64).map(|number| nodes[number % 2].read("ada"));
    assert!(join_all(readers).await.iter().all(|version| *version == 0));
    assert_eq!(source.looks(), 1);
}

#[tokio::test]
async fn a_filler_that_dies_is_followed_by_one_other() {
    let server = RedisServer::start(&[]).await;
    let source = Source::new();
    let options = TierOptions {
        lease: Duration::from_millis(400),
        ..TierOptions::default()
    };
    let dying = Node::join(&server.url(), &source).await;
    let lease = Duration::from_millis(400);
    let dead = dying.redis.look(&key("ada"), lease).await.unwrap();
    assert!(matches!(dead, Looked::Lease(_)));
    drop(dying);
    let node = Arc::new(Node::with(&server.url(), &source, options).await);
    let readers = (0..64).map(|_| node.read("ada"));
    assert_eq!(join_all(readers).await.len(), 64);
    assert_eq!(source.looks(), 1);
}

#[tokio::test]
async fn readers_that_leave_do_not_take_the_filler_with_them() {
    let server = RedisServer::start(&[]).await;
    let node = Node::join(&server.url(), &Source::new()).await;
    node.source.hold();
    {
        let leaving = node.read("ada");
        let began = wait_until(SOON, "the look at the source", || async {
            let looks = node.source.looks();
            if looks == 1 {
                Ok(())
            } else {
                Err("not yet".to_owned())
            }
        });
        tokio::select! {
            _ = leaving => panic!("the source is held"),
            () = began => {}
        }
    }
    let staying = node.read("ada");
    node.source.answers.add_permits(1_000);
    assert_eq!((staying.await, node.source.looks()), (0, 1));
}

#[tokio::test]
async fn a_hash_that_has_come_meanwhile_is_not_brought_again() {
    let server = RedisServer::start(&[]).await;
    let (one, other) = (
        Node::join(&server.url(), &Source::new()).await,
        Node::join(&server.url(), &Source::new()).await,
    );
    let offer = key("offer:7");
    assert_eq!(other.redis.hash(&offer).await.unwrap(), None);
    let HashLeased::Lease(lease) = one.redis.lease_hash(&offer, LEASE).await.unwrap() else {
        panic!("nobody was here before");
    };
    let taken = other.redis.lease_hash(&offer, LEASE).await.unwrap();
    assert!(matches!(taken, HashLeased::Taken), "{taken:?}");
    let kept = HashKept {
        lifetime: HOUR,
        last: Vec::new(),
        last_lifetime: Duration::ZERO,
    };
    assert!(
        one.redis
            .fill_hash(&lease, &[("body", "tea")], &kept)
            .await
            .unwrap()
    );
    let there = other.redis.lease_hash(&offer, LEASE).await.unwrap();
    assert!(matches!(there, HashLeased::There), "{there:?}");
}

/// The server has the lease again, from its disk; of what was written between it was never told.
#[tokio::test]
async fn a_lease_from_before_a_restart_is_worth_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let mut server = RedisServer::start(&["--dir", &dir]).await;
    let node = Node::join(&server.url(), &Source::new()).await;
    let (offer, user) = (key("offer:7"), key("ada"));
    let HashLeased::Lease(row) = node.redis.lease_hash(&offer, HOUR).await.unwrap() else {
        panic!("nobody was here before");
    };
    let Looked::Lease(feed) = node.redis.look(&user, HOUR).await.unwrap() else {
        panic!("nobody was here before");
    };
    assert!(server.command(&["SAVE"]).contains("OK"));
    server.restart().await;
    wait_until(SOON, "both keys to be let back", || async {
        let admitted = node.redis.admits(&offer) && node.redis.admits(&user);
        admitted.then_some(()).ok_or_else(|| "away".to_owned())
    })
    .await;
    let kept = HashKept {
        lifetime: HOUR,
        last: Vec::new(),
        last_lifetime: Duration::ZERO,
    };
    let filled = node.redis.fill_hash(&row, &[("body", "old")], &kept).await;
    assert!(!matches!(filled, Ok(true)), "{filled:?}");
    assert_eq!(node.redis.hash(&offer).await.unwrap(), None);
    let filled = node.redis.fill(&feed, b"old feed", HOUR).await;
    assert!(!matches!(filled, Ok(true)), "{filled:?}");
}
