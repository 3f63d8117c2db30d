//! What another campaign notices of a dead endpoint.

use serde::{Deserialize, Serialize};

use super::launched;
use super::peer::{Endpoint, Script};
use crate::campaigns;
use crate::console::say;
use crate::failure::Result;
use crate::node::{Node, Site};
use crate::statistics::rounded;

/// Cards a second of a personal campaign without fetches, launch after launch.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Beside {
    pub(crate) alone: Vec<f64>,
    /// While a launch to everybody waits for an endpoint that never answers.
    pub(crate) beside: Vec<f64>,
    /// Calls that the endpoint had got by the end.
    pub(crate) calls: u64,
}

pub(super) async fn run(site: &Site, endpoint: &Endpoint, times: usize) -> Result<Beside> {
    say("fetch: another campaign beside a dead endpoint");
    let script = Script {
        is_dead: true,
        ..Script::steady(1, 0)
    };
    let dead = campaigns::connected(&endpoint.url("/offer"));
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let mut calls = 0;
    for _ in 0..times {
        let node = site.start(None).await?;
        // The first launch of a process fills its caches.
        rate(&node).await?;
        alone.push(rate(&node).await?);
        endpoint.play(script).await?;
        let campaign = node.api.create(&dead).await?;
        node.api.launch(&campaign).await?;
        beside.push(rate(&node).await?);
        calls += endpoint.seen().await?.calls;
        node.api.stop(&campaign).await?;
        node.stop().await?;
    }
    Ok(Beside {
        alone,
        beside,
        calls,
    })
}

async fn rate(node: &Node) -> Result<f64> {
    let (seconds, _, written) = launched(node, &campaigns::personal()).await?;
    Ok(rounded(crate::send::per_second(written, seconds)))
}
