//! Connected content: how close a launch comes to what its endpoint can carry, and what an endpoint
//! that sheds or dies does to it and to others.
//!
//! The endpoint is a process of its own, scripted ([`peer`]). A launch writes to the embedded store.

mod other;
pub(crate) mod peer;
mod shedding;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::console::say;
use crate::failure::{Failure, Result};
use crate::node::{Node, Site};
use crate::results::{Measured, settings};
use crate::statistics::rounded;
use crate::wrk::{self, Summary};
use crate::{Setting, campaigns};

pub(crate) use other::Beside;
use peer::{Endpoint, Script, Seen};
pub(crate) use shedding::Shedding;

const USERS: usize = 50_000;
const QUICK_USERS: usize = 4_000;
const ROUNDS: usize = 2;
const LATENCY_MS: u64 = 50;
const SLOTS: usize = 200;
const WRK_SECONDS: u64 = 10;
const QUICK_WRK_SECONDS: u64 = 3;
const LONGEST: Duration = Duration::from_mins(2);
/// What an operator sets whose endpoint is on loopback. All limits are the defaults.
const EXTRA: &str = "[fetch]\nallow_networks = [\"127.0.0.0/8\"]\nallow_ports = []\n";

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FetchRows {
    pub(crate) recipients: usize,
    pub(crate) latency_ms: u64,
    pub(crate) slots: usize,
    /// Of one URL for each recipient, without anything but the endpoint.
    pub(crate) ideal_seconds: f64,
    pub(crate) own: Vec<OwnUrls>,
    pub(crate) shared: Sent,
    pub(crate) shedding: Shedding,
    pub(crate) dead: Beside,
}

/// A launch with a URL for each recipient, and the generator right after it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OwnUrls {
    pub(crate) sent: Sent,
    /// As many connections as the endpoint has slots.
    pub(crate) wrk: Summary,
    /// For as many calls, at the rate it had.
    pub(crate) wrk_seconds: f64,
}

/// One launch as this side and the endpoint saw it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// From sending the launch request until the dispatch says that it is done.
    pub(crate) seconds: f64,
    pub(crate) targeted: u64,
    pub(crate) written: u64,
    pub(crate) seen: Seen,
}

pub(crate) async fn run(setting: &Setting) -> Result<Measured<FetchRows>> {
    wrk::is_there().await?;
    let (users, rounds) = if setting.is_quick {
        (QUICK_USERS, 1)
    } else {
        (USERS, ROUNDS)
    };
    let endpoint = Endpoint::start(setting).await?;
    let site = Site::create(setting, "fetch", EXTRA).await?;
    let node = site.start(None).await?;
    say(&format!("fetch: {users} users: loading"));
    node.api.track(users).await?;
    node.stop().await?;

    let mut own = Vec::new();
    for round in 0..rounds {
        say(&format!(
            "fetch: a URL for each user, round {} of {rounds}",
            round + 1
        ));
        own.push(own_urls(setting, &site, &endpoint, users).await?);
    }
    say("fetch: one URL for all");
    let script = Script::steady(SLOTS, LATENCY_MS);
    let shared_url = campaigns::fetching(&format!("{} :save offer", endpoint.url("/offer")));
    let shared = sent(&site, &endpoint, script, &shared_url).await?;
    let shedding = shedding::run(&site, &endpoint).await?;
    let dead = other::run(&site, &endpoint, rounds + 1).await?;

    let rows = FetchRows {
        recipients: users,
        latency_ms: LATENCY_MS,
        slots: SLOTS,
        ideal_seconds: ideal(users),
        own,
        shared,
        shedding,
        dead,
    };
    Ok(Measured {
        settings: described(),
        rows,
    })
}

fn described() -> std::collections::BTreeMap<String, String> {
    settings([
        (
            "node",
            "corkboard serve, embedded store, one process, not pinned; fetch.allow_networks and fetch.allow_ports \
             let it call loopback, everything else is the default (2 workers, 256 fetches each, at most 512 calls to \
             a host); a new process for each launch, so that nothing is learned or cached beforehand"
                .to_owned(),
        ),
        (
            "endpoint",
            format!(
                "a process of its own on the same machine: answers {LATENCY_MS} ms after a call gets one of {SLOTS} \
                 slots; what finds none waits, first come, first served; never refuses. The one that sheds refuses \
                 with 429 and no Retry-After what finds no slot, at once. The dead one accepts and never answers"
            ),
        ),
        ("template", "as in `send`, with one call for each user".to_owned()),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn ideal(users: usize) -> f64 {
    users as f64 * LATENCY_MS as f64 / 1e3 / SLOTS as f64
}

async fn own_urls(
    setting: &Setting,
    site: &Site,
    endpoint: &Endpoint,
    users: usize,
) -> Result<OwnUrls> {
    let script = Script::steady(SLOTS, LATENCY_MS);
    let campaign = campaigns::connected(&endpoint.url("/offer"));
    let sent = sent(site, endpoint, script, &campaign).await?;
    endpoint.play(script).await?;
    let seconds = if setting.is_quick {
        QUICK_WRK_SECONDS
    } else {
        WRK_SECONDS
    };
    let wrk = wrk::against(&endpoint.url("/offer"), SLOTS, seconds).await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let wrk_seconds = rounded(users as f64 / wrk.per_second.max(1.0));
    Ok(OwnUrls {
        sent,
        wrk,
        wrk_seconds,
    })
}

/// One launch by a node that has just been started.
async fn sent(site: &Site, endpoint: &Endpoint, script: Script, campaign: &Value) -> Result<Sent> {
    let node = site.start(None).await?;
    endpoint.play(script).await?;
    let (seconds, targeted, written) = launched(&node, campaign).await?;
    let seen = endpoint.seen().await?;
    node.stop().await?;
    Ok(Sent {
        seconds,
        targeted,
        written,
        seen,
    })
}

/// Seconds, users targeted and cards written.
async fn launched(node: &Node, campaign: &Value) -> Result<(f64, u64, u64)> {
    let campaign = node.api.create(campaign).await?;
    let begun = Instant::now();
    let dispatch = node.api.launch(&campaign).await?;
    let progress = node.api.finish(&dispatch, LONGEST, || Ok(())).await?;
    if progress.targeted == 0 {
        return Err(Failure::unexpected(format!(
            "nobody was targeted: {progress:?}"
        )));
    }
    let seconds = rounded(begun.elapsed().as_secs_f64());
    Ok((seconds, progress.targeted, progress.written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ideal_is_what_the_slots_can_carry() {
        assert!((ideal(50_000) - 12.5).abs() < 1e-9);
    }
}
