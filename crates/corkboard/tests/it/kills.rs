//! SIGKILL at random moments while triggers, launches, events and reports go on.
//!
//! The promise: nothing acknowledged is lost, nothing is doubled. Every operation carries an
//! idempotency key (or, for card events, its own time) and is repeated until it is acknowledged,
//! as a careful client does; what was acknowledged before a kill must still hold after the last
//! one, and every count must come out exactly.
//!
//! Killed are a node on the embedded store, and on PostgreSQL, in turns, the node that clients talk
//! to, the one that sends, and every tenth time the server itself.
//!
//! `CORKBOARD_KILLS` sets the number of kills (200 when absent), `CORKBOARD_KILL_SEED` the seed
//! that a failure prints.

mod load;
mod postgres;
mod process;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use load::Load;
use process::Installation;

const KILLS: u32 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_kills_lose_nothing_and_double_nothing() {
    let (kills, mut random) = plan();
    let installation = Installation::embedded();
    let mut node = installation.node("api,worker,keeper");
    node.start().await;
    let running = Running::start(&installation).await;
    for _ in 0..kills {
        // Long enough to get into the middle of things, short enough to hit start-up, too.
        sleep(Duration::from_millis(random.below(120))).await;
        node.kill().await;
        node.start().await;
    }
    let load = running.end(kills).await;
    verify::everything(&installation, &load).await;
    assert!(node.stop().await, "the node ends by itself, with status 0");
}

/// How many kills, and the moments for them.
fn plan() -> (u32, Random) {
    let kills =
        number("CORKBOARD_KILLS").map_or(KILLS, |kills| u32::try_from(kills).expect("fits"));
    let seed = number("CORKBOARD_KILL_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    say(&format!("{kills} kills with CORKBOARD_KILL_SEED={seed}"));
    (kills, Random(seed | 1))
}

#[expect(clippy::print_stderr, reason = "what to repeat a failure with")]
fn say(text: &str) {
    eprintln!("{text}");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The clients, while they run.
struct Running {
    load: Arc<Load>,
    tasks: TaskTracker,
    stop: CancellationToken,
    since: Instant,
}

impl Running {
    async fn start(installation: &Installation) -> Self {
        let load = Arc::new(Load::prepare(installation).await);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        load.run(&tasks, &stop);
        Self {
            load,
            tasks,
            stop,
            since: Instant::now(),
        }
    }

    /// Lets each client finish what it is in.
    async fn end(self, kills: u32) -> Arc<Load> {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(Duration::from_secs(60), self.tasks.wait())
            .await
            .expect("the load ends");
        let (took, summary) = (self.since.elapsed(), self.load.summary());
        say(&format!("{kills} kills in {took:?}; {summary}"));
        self.load
    }
}

/// xorshift64*: enough to pick moments, and the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}
