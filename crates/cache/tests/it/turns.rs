//! Many looks at once: each waits for its turn, and its time begins there.

use std::sync::Arc;
use std::time::Duration;

use corkboard_cache::{CallError, Ears, Key, Looked, Redis, RedisOptions};
use corkboard_testkit::{RedisServer, Relay};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::node::SOON;

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
    let lease = Duration::from_secs(1);
    let (first, second) = tokio::join!(
        async {
            let late = redis.look(&first, lease).await;
            relay.pass();
            late
        },
        redis.look(&second, lease),
    );
    assert!(matches!(first, Err(CallError::TimedOut)), "{first:?}");
    assert!(matches!(second, Ok(Looked::Lease(_))), "{second:?}");
}
