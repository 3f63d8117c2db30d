//! What becomes of Redis while others read: one thing after the other, by how far they are.

use std::time::Duration;

use corkboard_testkit::RedisServer;
use tokio::time::sleep;

const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Kill,
    Restart,
    Freeze,
    Thaw,
    Flush,
    ReadOnly,
    Writable,
    Full,
    Room,
}

/// The part of the requests after which each comes.
const CHANGES: [(f64, Change); 12] = [
    (0.10, Change::Flush),
    (0.15, Change::Kill),
    (0.25, Change::Restart),
    (0.35, Change::Freeze),
    (0.45, Change::Thaw),
    (0.50, Change::Flush),
    (0.55, Change::ReadOnly),
    (0.65, Change::Writable),
    (0.70, Change::Full),
    (0.80, Change::Room),
    (0.85, Change::Kill),
    (0.90, Change::Restart),
];

/// A Redis, and what is still to come.
pub(super) struct Weather {
    redis: RedisServer,
    to_come: &'static [(f64, Change)],
}

impl Weather {
    pub(super) fn over(redis: RedisServer) -> Self {
        Self {
            redis,
            to_come: &CHANGES,
        }
    }

    /// Waits for something, and lets happen meanwhile what its time has come for.
    pub(super) async fn passes_until<T>(
        &mut self,
        awaited: impl Future<Output = T>,
        progress: impl Fn() -> f64,
    ) -> T {
        tokio::pin!(awaited);
        loop {
            if let Some(((at, change), later)) = self.to_come.split_first()
                && progress() >= *at
            {
                self.to_come = later;
                self.change(*change).await;
                continue;
            }
            tokio::select! {
                done = &mut awaited => return done,
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Everything has happened.
    pub(super) fn is_over(&self) {
        assert!(
            self.to_come.is_empty(),
            "too few requests: {:?}",
            self.to_come
        );
    }

    async fn change(&mut self, change: Change) {
        match change {
            Change::Kill => self.redis.kill(),
            Change::Restart => self.redis.restart().await,
            Change::Freeze => self.redis.freeze(),
            Change::Thaw => self.redis.thaw(),
            Change::Flush => self.tell(&["FLUSHALL"]),
            // A replica of nobody: it answers reads and refuses writes.
            Change::ReadOnly => self.tell(&["REPLICAOF", "127.0.0.1", "1"]),
            Change::Writable => self.tell(&["REPLICAOF", "NO", "ONE"]),
            Change::Full => self.tell(&["CONFIG", "SET", "maxmemory", "1"]),
            Change::Room => self.tell(&["CONFIG", "SET", "maxmemory", "0"]),
        }
    }

    fn tell(&self, words: &[&str]) {
        let answer = self.redis.command(words);
        assert!(answer.contains("+OK"), "{words:?}: {answer}");
    }
}
