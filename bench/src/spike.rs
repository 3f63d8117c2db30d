//! The spike: how far one machine gets when everybody asks at once, with Corkboard and with what one
//! would build otherwise, in one run and on the same CPU.
//!
//! Five parts, each of which is kept as soon as it has ended: a closed loop of ever more connections
//! (`closed`), offered load beyond what can be done (`overload`), a Redis that goes meanwhile (`outage`),
//! connections that only hold on (`crowd`), and two origins behind a balancer (`pair`).

mod closed;
mod crowd;
mod distance;
mod open;
mod outage;
mod overload;
mod pair;
mod peer;
mod redis;
mod site;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::Setting;
use crate::arguments::Bench;
use crate::console::{complain, say};
use crate::failure::{Failure, Result};
use crate::postgres::Postgres;
use crate::results::{self, Measured, settings};

pub(crate) use closed::{Closed, Compared, Ratio, Server, Step};
pub(crate) use crowd::{Crowd, WORD as CROWD, gather};
pub(crate) use outage::{Course, Front, Loss, Moment as OutageMoment, Outage};
#[cfg(test)]
pub(crate) use outage::{Fault, Rate};
pub(crate) use overload::{Overload, Point, Surface};
pub(crate) use pair::{Capacity, Ending, Pair};

use site::Ground;

/// Where the servers under test run, with what they need (PostgreSQL, Redis).
pub(crate) const SERVER_CPU: &str = "0";
/// Where the generator runs.
pub(crate) const LOAD_CPU: &str = "1";

const NAME: &str = "spike";
/// By far the longest part.
const CLOSED: &str = "closed";

/// Everything that was measured; a part that failed is absent and named in `failed`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spike {
    pub(crate) keys: usize,
    /// Of an answer of the origin.
    pub(crate) value_bytes: usize,
    /// Of a feed.
    pub(crate) feed_bytes: usize,
    pub(crate) closed: Option<Closed>,
    pub(crate) overload: Option<Overload>,
    pub(crate) outage: Option<Outage>,
    pub(crate) crowd: Option<Crowd>,
    pub(crate) pair: Option<Pair>,
    pub(crate) failed: Vec<Failed>,
}

/// A part that did not end as it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failed {
    pub(crate) part: String,
    pub(crate) why: String,
}

/// Runs all parts and writes the results after each. Fails at the end when a part has failed.
pub(crate) async fn run(setting: &Setting) -> Result<()> {
    crate::wrk::is_there().await?;
    let ground = Ground::prepare(setting).await?;
    let rows = Spike {
        keys: ground.keys(),
        value_bytes: ground.origin.body.len(),
        feed_bytes: ground.feed.body.len(),
        ..Spike::default()
    };
    let mut spike = Measured {
        settings: in_words(setting, &ground),
        rows,
    };
    let closed = bounded(CLOSED, setting, closed::run(setting, &ground)).await;
    spike.rows.closed = spike.rows.keep(CLOSED, closed);
    results::write(setting, NAME, &spike)?;
    let overload = bounded("overload", setting, overload::run(setting, &ground)).await;
    spike.rows.overload = spike.rows.keep("overload", overload);
    results::write(setting, NAME, &spike)?;
    let outage = bounded("outage", setting, outage::run(setting, &ground)).await;
    spike.rows.outage = spike.rows.keep("outage", outage);
    results::write(setting, NAME, &spike)?;
    let crowd = bounded("crowd", setting, crowd::run(setting, &ground)).await;
    spike.rows.crowd = spike.rows.keep("crowd", crowd);
    results::write(setting, NAME, &spike)?;
    let pair = bounded("pair", setting, pair::run(setting, &ground)).await;
    spike.rows.pair = spike.rows.keep("pair", pair);
    results::write(setting, NAME, &spike)?;
    match spike.rows.failed.as_slice() {
        [] => Ok(()),
        failed => {
            // What there is can be read although the run has failed.
            crate::report::write(&setting.results)?;
            let parts: Vec<&str> = failed.iter().map(|one| one.part.as_str()).collect();
            Err(Failure::unexpected(format!(
                "parts of the spike: {}",
                parts.join(", ")
            )))
        }
    }
}

/// Measures one part by itself, and prints what the results would hold of it.
pub(crate) async fn show(setting: &Setting, part: Bench) -> Result<()> {
    crate::wrk::is_there().await?;
    let ground = Ground::prepare(setting).await?;
    let measured = match part {
        Bench::SpikeCold => serde_json::to_value(closed::run_cold(setting, &ground).await?),
        Bench::SpikeOverload => serde_json::to_value(overload::run(setting, &ground).await?),
        Bench::SpikeOutage => serde_json::to_value(outage::run(setting, &ground).await?),
        Bench::SpikeCrowd => serde_json::to_value(crowd::run(setting, &ground).await?),
        Bench::SpikePair => serde_json::to_value(pair::run(setting, &ground).await?),
        _ => serde_json::to_value(closed::run(setting, &ground).await?),
    };
    let measured = measured.map_err(|error| Failure::unexpected(error.to_string()))?;
    say(&format!("{measured:#}"));
    Ok(())
}

impl Spike {
    /// The part if there is one; else it is noted why there is none.
    fn keep<T>(&mut self, part: &str, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(part) => Some(part),
            Err(failure) => {
                let why = failure.story();
                complain(&format!("spike, {part}: {why}"));
                let part = part.to_owned();
                self.failed.push(Failed { part, why });
                None
            }
        }
    }
}

/// What was set.
fn in_words(setting: &Setting, ground: &Ground) -> BTreeMap<String, String> {
    let mut words = settings([
        ("keys", format!("{}, asked in random order", ground.keys())),
        ("PostgreSQL", Postgres::settings()),
    ]);
    let closed = closed::settings(setting.is_quick).into_iter();
    words.extend(closed.map(|(name, value)| (name.to_owned(), value)));
    words
}

/// A part that is stuck must not take the others with it; together they end before the run is given up.
async fn bounded<T>(
    part: &str,
    setting: &Setting,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    say(&format!("spike: {part}"));
    let minutes = match part {
        _ if setting.is_quick => 4,
        CLOSED => 18,
        _ => 8,
    };
    timeout(Duration::from_mins(minutes), work)
        .await
        .unwrap_or_else(|_| Err(Failure::Late(format!("the end of '{part}'"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_fails_is_named_and_the_others_are_kept() {
        let mut spike = Spike::default();
        assert_eq!(spike.keep("first", Ok(7)), Some(7));
        let lost: Option<u8> = spike.keep("second", Err(Failure::unexpected("no luck")));
        assert_eq!(lost, None);
        let named = Failed {
            part: "second".to_owned(),
            why: "no luck".to_owned(),
        };
        assert_eq!(spike.failed, [named]);
    }
}
