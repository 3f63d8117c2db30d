//! What becomes of Redis while others read: one thing after the other, by how far they are.

use std::time::Duration;

use corkboard_testkit::RedisServer;
use tokio::time::{Instant, sleep};

use super::super::installation::Node;
use super::witness;

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
    /// What has come, when, after how many answers, and how long until it was noticed.
    phases: Vec<Phase>,
}

struct Phase {
    name: String,
    since: Instant,
    answers: u64,
    noticed: Option<Duration>,
}

impl Weather {
    pub(super) fn over(redis: RedisServer) -> Self {
        let mut weather = Self {
            redis,
            to_come: &CHANGES,
            phases: Vec::new(),
        };
        weather.begins("at first", 0);
        weather
    }

    /// Waits for something, and lets happen meanwhile what its time has come for.
    pub(super) async fn passes_until<T>(
        &mut self,
        awaited: impl Future<Output = T>,
        nodes: &[Node],
        answers: impl Fn() -> u64,
        wanted: u64,
    ) -> T {
        tokio::pin!(awaited);
        loop {
            if let Some(((at, change), later)) = self.to_come.split_first()
                && answers() as f64 >= *at * wanted as f64
            {
                self.to_come = later;
                self.change(*change).await;
                self.begins(&format!("{change:?}"), answers());
                if matches!(change, Change::Kill | Change::Freeze | Change::ReadOnly) {
                    let noticed = witness::left_out(nodes).await;
                    if let Some(phase) = self.phases.last_mut() {
                        phase.noticed = Some(noticed);
                    }
                }
                continue;
            }
            tokio::select! {
                done = &mut awaited => return done,
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    fn begins(&mut self, name: &str, answers: u64) {
        self.phases.push(Phase {
            name: name.to_owned(),
            since: Instant::now(),
            answers,
            noticed: None,
        });
    }

    /// Everything has happened; in words, with answers a second.
    pub(super) fn end(mut self, answers: u64) -> Vec<String> {
        assert!(
            self.to_come.is_empty(),
            "too few requests: {:?}",
            self.to_come
        );
        self.begins("the end", answers);
        let said = self.phases.windows(2).map(|two| {
            let seconds = two[1].since.duration_since(two[0].since).as_secs_f64();
            let rate = (two[1].answers - two[0].answers) as f64 / seconds;
            let noticed = two[0].noticed.map_or_else(String::new, |noticed| {
                format!(", noticed within {} ms", noticed.as_millis())
            });
            format!(
                "  {}: {rate:.0} answers/s for {seconds:.1} s{noticed}",
                two[0].name
            )
        });
        said.collect()
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
