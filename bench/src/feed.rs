//! Feed reads beside nginx returning the same bytes, both on the same one CPU, `wrk` on another.
//!
//! Rounds are interleaved (nginx, corkboard, nginx, corkboard …), because what a shared machine gives
//! changes by the minute; a ratio is taken within a round.

mod cold;
mod prepare;
mod side;

use serde::{Deserialize, Serialize};

use crate::Setting;
use crate::console::say;
use crate::failure::Result;
use crate::nginx::Nginx;
use crate::results::{Measured, settings};
use crate::statistics::{median, spread};
use crate::wrk::{self, Requests};

pub(crate) use cold::ColdRead;
pub(crate) use side::Side;

use prepare::Prepared;
use side::{Round, Step};

/// Where the servers run, and where the generator runs. With one core both share it.
const SERVER_CPU: &str = "0";
const LOAD_CPU: &str = "1";
const CONNECTIONS: [usize; 3] = [64, 500, 5_000];
/// Conditional requests are for comparison only; two places tell enough.
const CONDITIONAL_CONNECTIONS: [usize; 2] = [64, 500];
/// Users in turn: far more feeds than any page cache line or branch predictor remembers.
const MANY_USERS: usize = 10_000;

/// How long a run is.
#[derive(Debug, Clone, Copy)]
struct Extent {
    users: usize,
    rounds: usize,
    warm_up_seconds: u64,
    seconds: u64,
    cold_seconds: u64,
}

const FULL: Extent = Extent {
    users: 100_000,
    rounds: 5,
    warm_up_seconds: 1,
    seconds: 4,
    cold_seconds: 2,
};
const QUICK: Extent = Extent {
    users: 10_000,
    rounds: 1,
    warm_up_seconds: 1,
    seconds: 2,
    cold_seconds: 1,
};

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FeedRows {
    pub(crate) comparisons: Vec<Comparison>,
    pub(crate) cold: Vec<ColdRead>,
    pub(crate) cards_per_feed: usize,
    pub(crate) body_bytes: usize,
}

/// One case at one number of connections.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) case: String,
    pub(crate) connections: usize,
    pub(crate) nginx: Side,
    pub(crate) corkboard: Side,
    /// The same by CPU time for each request: the ratio of rates on a machine where neither the
    /// generator nor anybody else is in the way.
    pub(crate) cpu_ratio: f64,
    /// Corkboard's rate as a part of nginx's: the median over rounds of the ratio within a round.
    pub(crate) ratio: f64,
    /// Largest less smallest ratio, as a part of the median.
    pub(crate) ratio_spread: f64,
}

pub(crate) async fn run(setting: &Setting) -> Result<Measured<FeedRows>> {
    wrk::is_there().await?;
    let extent = if setting.is_quick { QUICK } else { FULL };
    let prepared = Prepared::new(setting, extent.users).await?;
    let nginx = Nginx::start(&setting.scratch, &prepared.body, SERVER_CPU).await?;

    let (cold_rows, cold) = cold::run(setting, &prepared, &nginx, extent).await?;
    let mut comparisons = vec![cold_rows];
    comparisons.extend(warm(setting, &prepared, &nginx, extent).await?);
    nginx.stop().await?;

    let rows = FeedRows {
        comparisons,
        cold,
        cards_per_feed: prepared.cards,
        body_bytes: prepared.body.len(),
    };
    let settings = settings([
        (
            "node",
            format!("corkboard serve, embedded store, default configuration, on CPU {SERVER_CPU}"),
        ),
        (
            "nginx",
            format!("one worker on CPU {SERVER_CPU}, sendfile, open-file cache, no access log"),
        ),
        (
            "load",
            format!("wrk, one thread on CPU {LOAD_CPU}, keep-alive"),
        ),
        ("users", extent.users.to_string()),
        (
            "rounds",
            format!(
                "{} of {} s after {} s of warm-up, interleaved",
                extent.rounds, extent.seconds, extent.warm_up_seconds
            ),
        ),
    ]);
    Ok(Measured { settings, rows })
}

/// All cases in which the node has been running.
async fn warm(
    setting: &Setting,
    prepared: &Prepared,
    nginx: &Nginx,
    extent: Extent,
) -> Result<Vec<Comparison>> {
    let node = prepared.site.start(Some(SERVER_CPU)).await?;
    let one = Requests::One(prepared.tokens[0].clone());
    let most = prepared.tokens.len().min(MANY_USERS);
    let many = Requests::many(&setting.scratch, "many", &prepared.tokens[..most])?;
    let tags = prepared.tags(nginx).await?;

    let mut plans: Vec<(&str, usize, &Requests, bool)> = Vec::new();
    plans.extend(CONNECTIONS.map(|count| ("one user", count, &one, false)));
    plans.extend(CONNECTIONS.map(|count| ("many users", count, &many, false)));
    plans.extend(CONDITIONAL_CONNECTIONS.map(|count| ("one user, 304", count, &one, true)));

    let mut comparisons = Vec::new();
    for (case, connections, requests, is_conditional) in plans {
        say(&format!("feed: {case}, {connections} connections"));
        let mut rounds = Vec::new();
        for _ in 0..extent.rounds {
            let step = |base, pid, tag| Step {
                base,
                pid,
                connections,
                requests,
                if_none_match: is_conditional.then_some(tag),
                warm_up_seconds: extent.warm_up_seconds,
                seconds: extent.seconds,
            };
            let yardstick = step(nginx.base(), nginx.worker(), tags.nginx.as_str())
                .run()
                .await?;
            let base = prepared.site.base();
            let ours = step(base, node.pid(), tags.corkboard.as_str())
                .run()
                .await?;
            rounds.push((yardstick, ours));
        }
        comparisons.push(Comparison::of(case, connections, rounds));
    }
    node.stop().await?;
    Ok(comparisons)
}

impl Comparison {
    /// Reduces rounds (nginx first) to what is read.
    fn of(case: &str, connections: usize, rounds: Vec<(Round, Round)>) -> Self {
        let rate = |round: &Round| round.summary.per_second;
        let ratios: Vec<f64> = rounds
            .iter()
            .map(|(nginx, corkboard)| rate(corkboard) / rate(nginx).max(f64::MIN_POSITIVE))
            .collect();
        let cpu_ratios: Vec<f64> = rounds
            .iter()
            .map(|(nginx, corkboard)| nginx.cpu_micros_each() / corkboard.cpu_micros_each())
            .collect();
        let (nginx, corkboard): (Vec<Round>, Vec<Round>) = rounds.into_iter().unzip();
        Self {
            case: case.to_owned(),
            connections,
            nginx: Side::of(&nginx),
            corkboard: Side::of(&corkboard),
            cpu_ratio: median(&cpu_ratios),
            ratio: median(&ratios),
            ratio_spread: spread(&ratios),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wrk::Summary;

    #[test]
    fn ratios_are_taken_within_rounds() {
        let round = |per_second: f64| Round {
            summary: Summary {
                per_second,
                requests: 10,
                ..Summary::default()
            },
            cpu_seconds: 1.0,
            seconds: 2.0,
        };
        // The machine halves its speed in the second round; the ratio does not notice.
        let rounds = vec![
            (round(100.0), round(50.0)),
            (round(50.0), round(25.0)),
            (round(100.0), round(60.0)),
        ];
        let comparison = Comparison::of("one user", 64, rounds);
        assert!((comparison.ratio - 0.5).abs() < 1e-9);
        assert!((comparison.ratio_spread - 0.2).abs() < 1e-9);
        assert!((comparison.cpu_ratio - 1.0).abs() < 1e-9);
        assert!((comparison.nginx.per_second - 100.0).abs() < 1e-9);
        assert!((comparison.nginx.spread - 0.5).abs() < 1e-9);
    }
}
