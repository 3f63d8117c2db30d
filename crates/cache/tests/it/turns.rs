//! Many looks at once: each waits for its turn, its time begins there, and they travel together.

use std::sync::Arc;
use std::time::Duration;

use corkboard_cache::{CallError, Ears, Key, Looked, Redis, RedisOptions};
use corkboard_testkit::{RedisServer, Relay};
use futures_util::future::join_all;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::node::SOON;

const LEASE: Duration = Duration::from_secs(1);

struct Deaf;

impl Ears for Deaf {
    fn voided(&self, _: &[Key], _: bool) {}
    fn told(&self, _: &[u8]) {}
    fn missed(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_turn_is_not_held_against_redis() {
    let server = RedisServer::start(&[]).await;
    let relay = Relay::to(server.address()).await;
    let options = RedisOptions {
        looks: 1,
        timeout: Duration::from_millis(500),
        // Not during this test: it would notice that nothing passes.
        beat: SOON * 100,
        beat_timeout: SOON * 100,
        ..RedisOptions::default()
    };
    let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
    let _end = end.clone().drop_guard();
    let redis = Redis::open(&relay.redis_url(), options, Arc::new(Deaf), &tasks, end).unwrap();
    assert!(redis.joined(SOON).await);
    relay.freeze();
    let (first, second) = (Key::from(&b"first"[..]), Key::from(&b"second"[..]));
    let (first, second) = tokio::join!(
        async {
            let late = redis.look(&first, LEASE).await;
            relay.pass();
            late
        },
        redis.look(&second, LEASE),
    );
    assert!(matches!(first, Err(CallError::TimedOut)), "{first:?}");
    assert!(matches!(second, Ok(Looked::Lease(_))), "{second:?}");
}

/// A process without tiers, until the guard is dropped.
async fn joined(server: &RedisServer) -> (Redis, tokio_util::sync::DropGuard) {
    let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
    let options = RedisOptions::default();
    let redis = Redis::open(&server.url(), options, Arc::new(Deaf), &tasks, end.clone()).unwrap();
    assert!(redis.joined(SOON).await);
    (redis, end.drop_guard())
}

pub(crate) fn calls(server: &RedisServer, command: &str) -> usize {
    let stats = server.command(&["INFO", "commandstats"]);
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|rest| rest.split(',').next())
        .map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn a_key_that_everybody_wants_is_asked_for_once_in_a_message() {
    let server = RedisServer::start(&[]).await;
    let (redis, _end) = joined(&server).await;
    let _ = server.command(&["HSET", "offer:7", "body", "tea"]);
    let name = Key::from(&b"offer:7"[..]);
    let rows = join_all((0..1_000).map(|_| redis.hash(&name))).await;
    for row in rows {
        let row = row.unwrap().unwrap();
        assert_eq!(row.fields, [(b"body".to_vec(), b"tea".to_vec())]);
    }
    let asked = calls(&server, "hgetall");
    assert!((1..=20).contains(&asked), "{asked} times");
}

#[tokio::test]
async fn every_reader_gets_the_answer_to_his_own_question() {
    let server = RedisServer::start(&[]).await;
    let (redis, _end) = joined(&server).await;
    for number in 0..500 {
        let (name, text) = (format!("offer:{number}"), number.to_string());
        let _ = server.command(&["HSET", &name, "body", &text]);
    }
    // Every third is not there, and one is no hash at all.
    let _ = server.command(&["SET", "offer:words", "no hash"]);
    let readers = (0..750).map(|number| {
        let redis = &redis;
        async move {
            let name = Key::from(format!("offer:{number}").as_bytes());
            let row = redis.hash(&name).await.unwrap();
            let body = row.map(|row| row.fields[0].1.clone());
            let expected = (number < 500).then(|| number.to_string().into_bytes());
            assert_eq!(body, expected, "{number}");
        }
    });
    let odd = Key::from(&b"offer:words"[..]);
    let (odd, _) = tokio::join!(redis.hash(&odd), join_all(readers));
    assert!(matches!(odd, Err(CallError::Refused(_))), "{odd:?}");
}

#[tokio::test]
async fn values_and_hashes_travel_together_and_readers_may_leave() {
    let server = RedisServer::start(&[]).await;
    let (redis, _end) = joined(&server).await;
    let _ = server.command(&["HSET", "offer:1", "body", "tea"]);
    let keys: Vec<Key> = (0..300_u32)
        .map(|n| Key::from(&n.to_be_bytes()[..]))
        .collect();
    let leaving = keys
        .iter()
        .map(|key| timeout(Duration::ZERO, redis.glance(key)));
    let staying = keys.iter().map(|key| redis.glance(key));
    let name = Key::from(&b"offer:1"[..]);
    let (_, found, row) = tokio::join!(join_all(leaving), join_all(staying), redis.hash(&name));
    assert!(found.into_iter().all(|found| found.unwrap().is_none()));
    assert!(row.unwrap().is_some());
    assert!(matches!(
        redis.take(&keys[0], LEASE).await,
        Ok(Looked::Lease(_))
    ));
    assert!(matches!(
        redis.glance(&keys[0]).await,
        Ok(Some(Looked::Leased))
    ));
}
