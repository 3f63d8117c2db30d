//! For information: a launch whose template calls an endpoint for each user. The endpoint runs in
//! this process and answers late on purpose, as a real one would.

use std::collections::BTreeMap;
use std::time::Duration;

use corkboard_testkit::{Peer, Reply};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::launch;
use crate::console::say;
use crate::failure::Result;
use crate::node::Site;
use crate::{Setting, campaigns};

const USERS: usize = 10_000;
const QUICK_USERS: usize = 1_000;
const DELAY: Duration = Duration::from_millis(20);
/// The endpoint is on loopback, on a port of its own: both are refused unless allowed. Its queue of
/// new connections is a plain listener's (128): more at once than fit would be lost and come a second
/// late, which is the connect time-out. So two workers call it 100 times at a time, not 512.
const EXTRA: &str = "[fetch]\nallow_networks = [\"127.0.0.0/8\"]\nallow_ports = []\n\
                     [send]\nfetch_concurrency = 50\n";

/// What a launch with connected content took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Connected {
    pub(crate) users: usize,
    pub(crate) endpoint_delay_ms: u64,
    /// Requests that reached the endpoint.
    pub(crate) calls: usize,
    /// How the node's calls ended; without failures there is only `success`.
    pub(crate) outcomes: BTreeMap<String, u64>,
    pub(crate) seconds: f64,
    pub(crate) cards_per_second: f64,
    pub(crate) peak_mib: f64,
}

pub(super) async fn run(setting: &Setting) -> Result<Connected> {
    let users = if setting.is_quick { QUICK_USERS } else { USERS };
    say(&format!("send: {users} users: connected content"));
    let peer = Peer::start().await;
    let offer = json!({ "text": "Ten euros off your next order", "until": "Sunday" });
    peer.on("/offer", Reply::json(&offer).delay(DELAY));
    let site = Site::create(setting, "send-connected", EXTRA).await?;
    let node = site.start(None).await?;
    node.api.track(users).await?;
    let launch = launch::run(&site, &node, &campaigns::connected(&peer.url("/offer"))).await?;
    let outcomes = node
        .counter("corkboard_fetch_calls_total", "outcome")
        .await?;
    node.stop().await?;
    Ok(Connected {
        users,
        endpoint_delay_ms: 20,
        calls: peer.calls("/offer"),
        outcomes,
        seconds: launch.seconds,
        cards_per_second: launch.cards_per_second,
        peak_mib: launch.memory.peak_mib,
    })
}
