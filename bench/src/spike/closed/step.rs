//! One server under one number of connections.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::Server;
use crate::failure::Result;
use crate::postgres::Database;
use crate::procfs;
use crate::spike::LOAD_CPU;
use crate::spike::redis::Redis;
use crate::statistics::{median, rounded, spread};
use crate::wrk::{Errors, Load, Requests, Summary};

/// What `wrk` manages on a machine that is not quite quiet: the more of the kernel's ports are in use,
/// the longer it looks for a free one.
const CONNECTED_A_SECOND: u64 = 3_000;

/// A server to be measured, and what works for it on the same CPU.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) server: Server,
    pub(super) base: String,
    /// Its children are counted, too.
    pub(super) pid: u32,
    pub(super) redis: Option<&'a Redis>,
    pub(super) database: &'a Database,
    pub(super) requests: &'a Requests,
}

/// CPU time used so far, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    own: f64,
    redis: f64,
    postgres: f64,
}

/// What one round gave.
#[derive(Debug)]
pub(super) struct Round {
    summary: Summary,
    used: Used,
    seconds: f64,
    resident_growth_kib: f64,
}

/// One server at one number of connections, over all rounds: medians.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) server: Server,
    pub(crate) connections: usize,
    /// Requests that were answered well.
    pub(crate) per_second: f64,
    pub(crate) rounds: Vec<f64>,
    /// Largest less smallest rate, as a part of the median.
    pub(crate) spread: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// In each round, for ratios.
    pub(crate) p99_rounds: Vec<f64>,
    /// Worst of all rounds.
    pub(crate) max_ms: f64,
    /// How long a user waits on average by Little's law, connections divided by the rate: it counts
    /// those, too, who have not been answered when the step ends.
    pub(crate) mean_ms: f64,
    /// Over all rounds.
    pub(crate) errors: Errors,
    /// CPU time for each request of the server itself, and of what works for it.
    pub(crate) cpu_micros_each: f64,
    pub(crate) redis_micros_each: f64,
    pub(crate) postgres_micros_each: f64,
    /// Part of the servers' CPU that was used since the first request, with what accepting took
    /// before. Well below 1: the generator was the limit.
    pub(crate) busy: f64,
    /// Growth of the server's resident memory during the step, for each connection; most of all rounds.
    pub(crate) kib_each_connection: f64,
}

impl Target<'_> {
    pub(super) async fn round(&self, connections: usize, seconds: u64) -> Result<Round> {
        // `wrk` connects before it asks, in its own time.
        let seconds = seconds + connections as u64 / CONNECTED_A_SECOND;
        let load = Load {
            base: &self.base,
            connections,
            seconds,
            cpus: LOAD_CPU,
            requests: self.requests,
            if_none_match: None,
        };
        let (before, resident) = (self.used()?, self.resident());
        let halfway = async {
            // All have come by then, and none has gone.
            sleep(Duration::from_millis(seconds * 1_000 * 3 / 4)).await;
            self.resident()
        };
        let (summary, grown) = tokio::join!(load.run(), halfway);
        let (after, summary) = (self.used()?, summary?);
        // Without the time in which connections were made.
        let active = match summary.requests {
            0 => seconds as f64,
            count => count as f64 / summary.per_second.max(1e-9),
        };
        Ok(Round {
            summary,
            used: Used {
                own: after.own - before.own,
                redis: after.redis - before.redis,
                postgres: after.postgres - before.postgres,
            },
            seconds: active,
            resident_growth_kib: grown - resident,
        })
    }

    fn used(&self) -> Result<Used> {
        Ok(Used {
            own: procfs::cpu_seconds_with_children(self.pid)?,
            redis: self
                .redis
                .map_or(Ok(0.0), |redis| procfs::cpu_seconds(redis.pid()))?,
            postgres: self.database.server_cpu_seconds()?,
        })
    }

    /// In KiB, with its children; a process that has just ended counts nothing.
    fn resident(&self) -> f64 {
        let children = procfs::children(self.pid).unwrap_or_default();
        let all = children.into_iter().chain([self.pid]);
        all.filter_map(|pid| procfs::memory(pid).ok())
            .map(|memory| memory.resident as f64)
            .sum()
    }
}

impl Round {
    /// Requests answered well a second. `wrk` counts refusals as requests.
    fn per_second(&self) -> f64 {
        let summary = &self.summary;
        let good = summary.requests.saturating_sub(summary.errors.status) as f64;
        summary.per_second * good / summary.requests.max(1) as f64
    }

    fn micros_each(&self, of: fn(&Used) -> f64) -> f64 {
        of(&self.used) * 1e6 / self.summary.requests.max(1) as f64
    }

    fn busy(&self) -> f64 {
        let Used {
            own,
            redis,
            postgres,
        } = self.used;
        (own + redis + postgres) / self.seconds.max(0.01)
    }
}

impl Step {
    pub(super) fn of(server: Server, connections: usize, rounds: &[Round]) -> Self {
        let all = |of: &dyn Fn(&Round) -> f64| rounds.iter().map(of).collect::<Vec<f64>>();
        let middle = |of: &dyn Fn(&Round) -> f64| rounded(median(&all(of)));
        let most = |of: &dyn Fn(&Round) -> f64| rounded(all(of).into_iter().fold(0.0, f64::max));
        let rates = all(&|round| rounded(round.per_second()));
        let per_second = rounded(median(&rates));
        let mut errors = Errors::default();
        rounds
            .iter()
            .for_each(|round| errors += round.summary.errors);
        Self {
            server,
            connections,
            per_second,
            spread: rounded(spread(&rates)),
            rounds: rates,
            p50_ms: middle(&|round| round.summary.p50_ms),
            p99_ms: middle(&|round| round.summary.p99_ms),
            p99_rounds: all(&|round| round.summary.p99_ms),
            max_ms: most(&|round| round.summary.max_ms),
            mean_ms: rounded(connections as f64 * 1e3 / per_second.max(f64::MIN_POSITIVE)).min(1e9),
            errors,
            cpu_micros_each: middle(&|round| round.micros_each(|used| used.own)),
            redis_micros_each: middle(&|round| round.micros_each(|used| used.redis)),
            postgres_micros_each: middle(&|round| round.micros_each(|used| used.postgres)),
            busy: middle(&Round::busy),
            kib_each_connection: most(&|round| {
                round.resident_growth_kib / connections.max(1) as f64
            }),
        }
    }
}

/// A step that gave these rates, for tests of what is made of steps.
#[cfg(test)]
pub(super) fn sample(server: Server, connections: usize, rates: &[f64]) -> Step {
    let round = |per_second: &f64| Round {
        summary: Summary {
            requests: 1_000,
            per_second: *per_second,
            p99_ms: 10.0,
            ..Summary::default()
        },
        used: Used::default(),
        seconds: 1.0,
        resident_growth_kib: 0.0,
    };
    let rounds: Vec<Round> = rates.iter().map(round).collect();
    Step::of(server, connections, &rounds)
}

#[cfg(test)]
impl Step {
    pub(super) fn with_p99(mut self, milliseconds: f64) -> Self {
        self.p99_ms = milliseconds;
        self.p99_rounds.fill(milliseconds);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(requests: u64, refused: u64) -> Round {
        Round {
            summary: Summary {
                requests,
                per_second: requests as f64 / 2.0,
                p99_ms: 7.0,
                errors: Errors {
                    status: refused,
                    timeout: 1,
                    ..Errors::default()
                },
                ..Summary::default()
            },
            used: Used {
                own: 1.0,
                redis: 0.5,
                postgres: 0.25,
            },
            seconds: 2.0,
            resident_growth_kib: 100.0 * 1_000.0,
        }
    }

    #[test]
    fn refusals_are_no_answers() {
        let step = Step::of(Server::OriginCold, 100, &[round(1_000, 400)]);
        assert!((step.per_second - 300.0).abs() < 1e-9);
        assert_eq!((step.errors.status, step.errors.total()), (400, 401));
    }

    #[test]
    fn errors_of_all_rounds_are_added_up_and_the_rest_is_their_middle() {
        let rounds = [round(1_000, 0), round(3_000, 1), round(2_000, 0)];
        let step = Step::of(Server::OriginMemory, 500, &rounds);
        assert_eq!(step.errors.total(), 4);
        assert!((step.per_second - 1_000.0).abs() < 1e-9);
        // 500 users who are answered 1,000 times a second wait for half a second each.
        assert!((step.mean_ms - 500.0).abs() < 1e-9);
    }

    #[test]
    fn what_works_for_a_server_is_told_apart_and_counts_as_busy() {
        let step = Step::of(Server::OriginRedis, 1_000, &[round(1_000, 0)]);
        let micros = (
            step.cpu_micros_each,
            step.redis_micros_each,
            step.postgres_micros_each,
        );
        assert_eq!(micros, (1_000.0, 500.0, 250.0));
        assert!((step.busy - 0.875).abs() < 1e-9);
        assert!((step.kib_each_connection - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_step_without_an_answer_has_no_infinite_mean() {
        let nothing = Round {
            seconds: 0.0,
            ..round(0, 0)
        };
        let step = Step::of(Server::GunicornPostgres, 500, &[nothing]);
        let figures = [step.mean_ms, step.busy, step.cpu_micros_each];
        assert!(figures.into_iter().all(f64::is_finite), "{step:?}");
    }
}
