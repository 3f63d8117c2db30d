//! What one process writes, the others see; and what a process might have missed, it forgets.

use std::time::Duration;

use corkboard_cache::TierOptions;
use corkboard_testkit::{RedisServer, Relay, wait_until};
use tokio::time::Instant;

use crate::node::{Node, SOON, Source};

/// What the product promises.
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_write_is_seen_by_the_other_process_at_once() {
    let server = RedisServer::start(&[]).await;
    let source = Source::new();
    let writer = Node::join(&server.url(), &source).await;
    let reader = Node::join(&server.url(), &source).await;
    let mut slowest = Duration::ZERO;
    for round in 1..=50 {
        assert_eq!(reader.read("ada").await, round - 1);
        assert_eq!(writer.write("ada").await, round);
        assert_eq!(
            writer.read("ada").await,
            round,
            "one's own write is seen at once"
        );
        let written = Instant::now();
        wait_until(SECOND, "the other process", || async {
            let seen = reader.read("ada").await;
            if seen == round {
                Ok(())
            } else {
                Err(format!("{seen}, not {round}"))
            }
        })
        .await;
        slowest = slowest.max(written.elapsed());
    }
    println!("slowest of 50: {slowest:?}");
    assert!(reader.loud.load(std::sync::atomic::Ordering::SeqCst) >= 50);
}

#[tokio::test]
async fn memory_answers_without_redis_or_source_while_it_is_told_of_changes() {
    let server = RedisServer::start(&[]).await;
    let node = Node::join(&server.url(), &Source::new()).await;
    assert_eq!(node.read("ada").await, 0);
    let before = server.command(&["INFO", "commandstats"]);
    for _ in 0..1_000 {
        assert_eq!(node.read("ada").await, 0);
    }
    let after = server.command(&["INFO", "commandstats"]);
    let gets = |info: &str| {
        info.lines()
            .find(|line| line.starts_with("cmdstat_get:"))
            .map(|line| line.split(',').next().unwrap().to_owned())
    };
    assert_eq!((gets(&before), node.source.looks()), (gets(&after), 1));
}

#[tokio::test]
async fn a_process_that_is_cut_off_does_not_trust_its_memory() {
    let server = RedisServer::start(&[]).await;
    let relay = Relay::to(server.address()).await;
    let source = Source::new();
    let writer = Node::join(&server.url(), &source).await;
    let reader = Node::join(&relay.redis_url(), &source).await;
    assert_eq!(reader.read("ada").await, 0);
    relay.cut();
    wait_until(SOON, "the loss to be noticed", || async {
        if reader.redis.is_trusted() {
            Err("trusted".to_owned())
        } else {
            Ok(())
        }
    })
    .await;
    assert!(
        reader.tiers.memory().is_empty(),
        "what was known is forgotten"
    );
    for round in 1..=5 {
        writer.write("ada").await;
        assert_eq!(reader.read("ada").await, round, "straight from the source");
    }
    relay.pass();
    assert!(reader.redis.joined(SOON).await);
    assert_eq!(reader.read("ada").await, 5);
    writer.write("ada").await;
    wait_until(SECOND, "the next write", || async {
        let seen = reader.read("ada").await;
        if seen == 6 {
            Ok(())
        } else {
            Err(seen.to_string())
        }
    })
    .await;
}

#[tokio::test]
async fn silence_is_noticed_within_a_second_though_no_connection_breaks() {
    let server = RedisServer::start(&[]).await;
    let relay = Relay::to(server.address()).await;
    let source = Source::new();
    let writer = Node::join(&server.url(), &source).await;
    let reader = Node::join(&relay.redis_url(), &source).await;
    assert_eq!(reader.read("ada").await, 0);
    relay.freeze();
    writer.write("ada").await;
    let written = Instant::now();
    wait_until(SOON, "the write to be seen", || async {
        let seen = reader.read("ada").await;
        if seen == 1 {
            Ok(())
        } else {
            Err(seen.to_string())
        }
    })
    .await;
    // Beside the promise, what a busy machine takes for a read.
    assert!(
        written.elapsed() < SECOND + Duration::from_millis(300),
        "{:?}",
        written.elapsed()
    );
    relay.pass();
}

#[tokio::test]
async fn what_one_process_tells_all_others_hear() {
    let server = RedisServer::start(&[]).await;
    let source = Source::new();
    let teller = Node::join(&server.url(), &source).await;
    let hearer = Node::with(&server.url(), &source, TierOptions::default()).await;
    teller.redis.tell(b"a broadcast was launched").await;
    wait_until(SECOND, "the news", || async {
        match hearer.told.lock().unwrap().first() {
            Some(news) if news == b"a broadcast was launched" => Ok(()),
            Some(other) => panic!("{other:?}"),
            None => Err("nothing".to_owned()),
        }
    })
    .await;
    assert!(
        teller.told.lock().unwrap().is_empty(),
        "one does not hear oneself"
    );
}
