//! Two origins that share one Redis behind a TCP balancer, beside one origin behind the same: what the
//! second adds, and what a reader sees of the end of one of them.
//!
//! A machine of two CPUs has no room for two origins, a balancer and a generator on CPUs of their own.
//! Each origin has half of the first CPU's time at the most when both are busy, and the balancer and the
//! generator share the second. So the second origin can add no throughput here where the CPU is the bound;
//! what it adds is that one of them may go. The closed rate says the first, the open load the second.

mod balancer;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::open::{self, Load, Profile, StepTally};
use super::overload::{LOAD_CPU, address};
use super::site::{Ground, Running, Tuning};
use super::{LOAD_CPU as LOAD_CPUS, SERVER_CPU};
use crate::Setting;
use crate::console::say;
use crate::failure::{Failure, Result, While as _};
use crate::statistics::rounded;

use balancer::Balancer;

const CONNECTIONS: usize = 256;
/// Rows that are asked for, all of them in Redis and soon in memory.
const ROWS: usize = 10_000;
/// While one of the two ends.
const PER_SECOND: f64 = 4_000.0;
/// The search for the most that is answered within [`SLOW`].
const FIRST_RATE: f64 = 8_000.0;
const STEEPER: f64 = 1.25;
const MOST_TRIES: usize = 12;
const SLOW: Duration = Duration::from_millis(100);
/// Part of what is offered that must be answered for a rate to count.
const ANSWERED: f64 = 0.99;

/// What was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) connections: usize,
    pub(crate) one: Capacity,
    pub(crate) two: Capacity,
    /// The rate of two as a multiple of that of one.
    pub(crate) second_adds: f64,
    pub(crate) per_second: f64,
    /// One of two is asked to end (SIGTERM) under load.
    pub(crate) drained: Ending,
    /// One of two is killed (SIGKILL) under load.
    pub(crate) killed: Ending,
}

/// The highest rate at which 99 % were answered and p99 stayed below 100 ms.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Capacity {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// What became of the requests while one origin ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) offered: u64,
    pub(crate) ok: u64,
    pub(crate) refused: u64,
    pub(crate) late: u64,
    pub(crate) other: u64,
    pub(crate) failed: u64,
    /// Sent once more, because a kept connection had been closed before a byte of the answer.
    pub(crate) resent: u64,
    pub(crate) p99_ms: f64,
    pub(crate) longest_ms: f64,
}

pub(super) async fn run(setting: &Setting, ground: &Ground) -> Result<Pair> {
    let (stretch, ending) = if setting.is_quick {
        (Duration::from_millis(700), Duration::from_secs(2))
    } else {
        (Duration::from_secs(3), Duration::from_secs(8))
    };
    ground.origin.warm_redis().await?;
    let paths = ground.origin.paths.iter().take(ROWS);
    let requests: Arc<Vec<_>> = Arc::new(paths.map(|path| open::get(path, None)).collect());
    let bench = Bench {
        setting,
        ground,
        requests,
    };
    let first = bench.origin("origin-1").await?;
    let alone = bench.balancer(&[&first]).await?;
    let one = bench.capacity(&alone, stretch).await?;
    alone.stop().await?;
    let second = bench.origin("origin-2").await?;
    let both = bench.balancer(&[&first, &second]).await?;
    let two = bench.capacity(&both, stretch).await?;
    let drained = bench.ending(&both, &second, Signal::TERM, ending).await?;
    // It has ended by itself; another one takes its place.
    drop(second);
    both.stop().await?;
    let second = bench.origin("origin-3").await?;
    let both = bench.balancer(&[&first, &second]).await?;
    let killed = bench.ending(&both, &second, Signal::KILL, ending).await?;
    drop(second);
    both.stop().await?;
    first.stop().await?;
    Ok(Pair {
        connections: CONNECTIONS,
        one,
        two,
        second_adds: rounded(two.per_second / one.per_second.max(1.0)),
        per_second: PER_SECOND,
        drained,
        killed,
    })
}

#[derive(Debug)]
struct Bench<'a> {
    setting: &'a Setting,
    ground: &'a Ground,
    requests: Arc<Vec<Vec<u8>>>,
}

impl Bench<'_> {
    async fn origin(&self, name: &str) -> Result<Running> {
        let tuning = Tuning {
            name,
            cpus: Some(SERVER_CPU),
            ..Tuning::default()
        };
        self.ground.origin.start(&tuning).await
    }

    async fn balancer(&self, origins: &[&Running]) -> Result<Balancer> {
        let places = origins.iter().map(|origin| address(origin));
        let places = places.map(|place| place.map(|place| place.to_string()));
        let places: Vec<String> = places.collect::<Result<_>>()?;
        let path = &self.ground.origin.paths[0];
        Balancer::start(&self.setting.scratch, &places, path, LOAD_CPUS).await
    }

    fn load(&self, balancer: &Balancer, rate: f64, lasts: Duration) -> Load {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, balancer.port()));
        Load {
            connections: CONNECTIONS,
            cpu: Some(LOAD_CPU),
            ..Load::new(
                server,
                Arc::clone(&self.requests),
                Profile::poisson(&[rate], lasts),
            )
        }
    }

    /// Offers ever more until it is not answered in time.
    async fn capacity(&self, balancer: &Balancer, lasts: Duration) -> Result<Capacity> {
        // Rows come into memory, which is not what is measured.
        let warming = Duration::from_secs_f64(ROWS as f64 / PER_SECOND);
        self.load(balancer, PER_SECOND, warming).run().await?;
        let (mut rate, mut best) = (FIRST_RATE, Capacity::default());
        for _ in 0..MOST_TRIES {
            let tally = self.load(balancer, rate, lasts).run().await?;
            let step = &tally.steps[0];
            let slow = step.accepted.quantile(0.99);
            let answered = step.ok as f64 >= step.offered as f64 * ANSWERED;
            say(&format!(
                "  {rate:.0}/s offered: {:.0} good, p99 {slow:?}",
                step.goodput()
            ));
            if !answered || slow > SLOW {
                break;
            }
            best = Capacity {
                per_second: rounded(step.goodput()),
                p50_ms: step.accepted.quantile_ms(0.5),
                p99_ms: step.accepted.quantile_ms(0.99),
            };
            rate *= STEEPER;
        }
        Ok(best)
    }

    /// Offers a moderate load, and ends one origin in the middle of it.
    async fn ending(
        &self,
        balancer: &Balancer,
        origin: &Running,
        signal: Signal,
        lasts: Duration,
    ) -> Result<Ending> {
        let load = self.load(balancer, PER_SECOND, lasts).run();
        let signalled = async {
            sleep(lasts / 2).await;
            let pid = i32::try_from(origin.pid()).ok().and_then(Pid::from_raw);
            let pid = pid.ok_or_else(|| Failure::unexpected("an origin has no process id"))?;
            kill_process(pid, signal).while_doing("ending an origin")
        };
        let (tally, signalled) = tokio::join!(load, signalled);
        signalled?;
        let ending = Ending::of(&tally?.steps[0]);
        say(&format!("  {signal:?}: {ending:?}"));
        Ok(ending)
    }
}

impl Ending {
    fn of(step: &StepTally) -> Self {
        Self {
            offered: step.offered,
            ok: step.ok,
            refused: step.refused,
            late: step.late,
            other: step.other,
            failed: step.failed,
            resent: step.resent,
            p99_ms: step.accepted.quantile_ms(0.99),
            longest_ms: step.accepted.quantile_ms(1.0),
        }
    }
}
