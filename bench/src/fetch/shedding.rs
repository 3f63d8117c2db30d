//! An endpoint that becomes slow in the middle of a launch, and refuses what is too much for it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::peer::{Endpoint, Script};
use super::{LATENCY_MS, Sent, sent};
use crate::campaigns;
use crate::console::say;
use crate::failure::Result;
use crate::node::Site;

const SLOTS: usize = 100;
const SLOW_AFTER_MS: u64 = 2_000;
const SLOW_LATENCY_MS: u64 = 500;
/// After the endpoint has become slow, before it is looked at: calls of before are still answered.
const SETTLED_SECONDS: f64 = 1.0;
/// Before its end, when the last calls are fewer than its slots.
const DRAINED_SECONDS: f64 = 1.5;

/// A launch to a fifth of the users.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shedding {
    pub(crate) sent: Sent,
    pub(crate) slots: usize,
    pub(crate) slow_after_seconds: f64,
    pub(crate) slow_latency_ms: u64,
    /// What the endpoint can answer in a second once it is slow: its peak.
    pub(crate) peak: f64,
    /// What it answered in a second, from a second after it became slow until the launch ran out.
    pub(crate) goodput: f64,
    /// The same of its worst second.
    pub(crate) worst: f64,
}

pub(super) async fn run(site: &Site, endpoint: &Endpoint) -> Result<Shedding> {
    say("fetch: an endpoint that slows down and sheds");
    let script = Script {
        sheds: true,
        slow_after_ms: SLOW_AFTER_MS,
        slow_latency_ms: SLOW_LATENCY_MS,
        ..Script::steady(SLOTS, LATENCY_MS)
    };
    let tag = format!(
        "{}?user={{{{ user.user_id }}}} :save offer :retry",
        endpoint.url("/offer")
    );
    let mut campaign = campaigns::fetching(&tag);
    // One in five.
    campaign["audience"] = json!({ "all": [{ "attribute": "visits", "op": "lt", "value": 8 }] });
    let sent = sent(site, endpoint, script, &campaign).await?;
    let seen = &sent.seen;
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let (slow_after, peak) = (
        SLOW_AFTER_MS as f64 / 1e3,
        SLOTS as f64 * 1e3 / SLOW_LATENCY_MS as f64,
    );
    let last = seen.goodput().last().map_or(0.0, |(at, _)| *at);
    let (from, to) = (slow_after + SETTLED_SECONDS, last - DRAINED_SECONDS);
    let goodput = seen.goodput_between(from, to);
    let seconds =
        std::iter::successors(Some(from), |at| Some(at + 1.0)).take_while(|at| at + 1.0 <= to);
    let worst = seconds
        .map(|at| seen.goodput_between(at, at + 1.0))
        .fold(f64::MAX, f64::min);
    Ok(Shedding {
        sent,
        slots: SLOTS,
        slow_after_seconds: slow_after,
        slow_latency_ms: SLOW_LATENCY_MS,
        peak,
        goodput,
        worst: if worst < f64::MAX { worst } else { 0.0 },
    })
}
