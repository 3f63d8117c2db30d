//! Broadcasts: how many rows one writes, and how soon a feed shows it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::Written;
use super::launch::rounded;
use crate::failure::{Failure, Result};
use crate::node::{Node, Site};
use crate::rows::Rows;
use crate::statistics::median;
use crate::{campaigns, http, users};

const LAUNCHES: usize = 5;
const VISIBLE_WITHIN: Duration = Duration::from_secs(20);

/// What broadcasts took, one after the other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Broadcast {
    pub(crate) shape: String,
    /// Of creating and launching the first one.
    pub(crate) written: Written,
    /// From sending the launch request until a feed has the card, median, in milliseconds.
    pub(crate) visible_ms: f64,
    pub(crate) visible_ms_all: Vec<f64>,
    /// The part of it until the launch was answered, median.
    pub(crate) answered_ms: f64,
}

pub(super) async fn run(site: &Site, node: &Node) -> Result<Broadcast> {
    let before = Rows::count(&site.store()).await?;
    let first = one(site, node, 0).await?;
    let after = Rows::count(&site.store()).await?;
    let seen = more(site, node, first).await?;
    Ok(Broadcast {
        shape: seen.shape,
        written: Written::between(&before, &after),
        visible_ms: median(&seen.visible_ms),
        answered_ms: median(&seen.answered_ms),
        visible_ms_all: seen.visible_ms,
    })
}

/// How soon feeds showed broadcasts.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) shape: String,
    /// From sending the launch request until a feed has the card, of each launch.
    pub(super) visible_ms: Vec<f64>,
    /// The part of it until the launch was answered.
    pub(super) answered_ms: Vec<f64>,
}

/// The launches after the first one, added to it.
pub(super) async fn more(site: &Site, node: &Node, mut seen: Seen) -> Result<Seen> {
    for number in 1..LAUNCHES {
        let next = one(site, node, number).await?;
        seen.visible_ms.extend(next.visible_ms);
        seen.answered_ms.extend(next.answered_ms);
    }
    Ok(seen)
}

/// One launch.
pub(super) async fn one(site: &Site, node: &Node, number: usize) -> Result<Seen> {
    // A user in the middle.
    let reader = http::reader(&site.base(), &site.signer().token(&users::id(500)));
    let campaign = node.api.create(&campaigns::broadcast(number)).await?;
    let begun = Instant::now();
    let dispatch = node.api.launch(&campaign).await?;
    let answered = rounded(begun.elapsed().as_secs_f64() * 1e3);
    while !shows(&http::feed(&reader).await?.body, &campaign)? {
        if begun.elapsed() > VISIBLE_WITHIN {
            return Err(Failure::Late(format!("a feed with broadcast {campaign}")));
        }
    }
    let visible = rounded(begun.elapsed().as_secs_f64() * 1e3);
    Ok(Seen {
        shape: node.api.progress(&dispatch).await?.shape,
        visible_ms: vec![visible],
        answered_ms: vec![answered],
    })
}

fn shows(feed: &[u8], campaign: &str) -> Result<bool> {
    let feed: Value = serde_json::from_slice(feed).map_err(Failure::unexpected)?;
    let cards = feed.get("cards").and_then(Value::as_array);
    let is_it = |card: &Value| card.get("campaign_id").and_then(Value::as_str) == Some(campaign);
    Ok(cards.is_some_and(|cards| cards.iter().any(is_it)))
}
