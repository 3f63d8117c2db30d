//! One server under one step of load, and what several such rounds come to.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::LOAD_CPU;
use crate::failure::Result;
use crate::procfs;
use crate::statistics::{median, spread};
use crate::wrk::{Load, Requests, Summary};

/// Load on one server.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) base: String,
    /// Whose CPU time is counted.
    pub(super) pid: u32,
    pub(super) connections: usize,
    pub(super) requests: &'a Requests,
    pub(super) if_none_match: Option<&'a str>,
    pub(super) warm_up_seconds: u64,
    pub(super) seconds: u64,
}

/// What one step gave.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) summary: Summary,
    pub(super) cpu_seconds: f64,
    pub(super) seconds: f64,
}

/// One server over all rounds: medians.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Side {
    pub(crate) per_second: f64,
    /// Largest less smallest rate, as a part of the median.
    pub(crate) spread: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Worst of all rounds.
    pub(crate) max_ms: f64,
    /// CPU time of the server for each request: steadier than a rate, and independent of the generator.
    pub(crate) cpu_micros_each: f64,
    /// Part of the time that the server's CPU was busy with it. Well below 1: the generator was the limit.
    pub(crate) busy: f64,
    pub(crate) bytes_each: f64,
    /// Over all rounds; anything but 0 spoils the numbers beside it.
    pub(crate) errors: u64,
    pub(crate) rounds: Vec<f64>,
}

impl Step<'_> {
    pub(super) async fn run(&self) -> Result<Round> {
        let load = |seconds| Load {
            base: &self.base,
            connections: self.connections,
            seconds,
            cpus: LOAD_CPU,
            requests: self.requests,
            if_none_match: self.if_none_match,
        };
        if self.warm_up_seconds > 0 {
            load(self.warm_up_seconds).run().await?;
        }
        let cpu_before = procfs::cpu_seconds(self.pid)?;
        let begun = Instant::now();
        let summary = load(self.seconds).run().await?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Round {
            summary,
            cpu_seconds: procfs::cpu_seconds(self.pid)? - cpu_before,
            seconds,
        })
    }
}

impl Side {
    pub(super) fn of(rounds: &[Round]) -> Self {
        let all = |of: fn(&Round) -> f64| rounds.iter().map(of).collect::<Vec<f64>>();
        let rates = all(|round| round.summary.per_second);
        Self {
            per_second: median(&rates),
            spread: spread(&rates),
            p50_ms: median(&all(|round| round.summary.p50_ms)),
            p99_ms: median(&all(|round| round.summary.p99_ms)),
            max_ms: all(|round| round.summary.max_ms)
                .into_iter()
                .fold(0.0, f64::max),
            cpu_micros_each: median(&all(Round::cpu_micros_each)),
            busy: median(&all(|round| round.cpu_seconds / round.seconds)),
            bytes_each: median(&all(|round| round.summary.bytes_each)),
            errors: rounds
                .iter()
                .map(|round| round.summary.errors.total())
                .sum(),
            rounds: rates,
        }
    }
}

impl Round {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 requests")]
    pub(super) fn cpu_micros_each(&self) -> f64 {
        // Never 0, because it is divided by: the kernel counts in steps of 10 ms.
        self.cpu_seconds.max(0.01) * 1e6 / self.summary.requests.max(1) as f64
    }
}
