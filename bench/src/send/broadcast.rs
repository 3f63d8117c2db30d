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
    // A user in the middle, who has not read before.
    let reader = http::reader(&site.base(), &site.signer().token(&users::id(500)));
    let before = Rows::count(&site.store()).await?;
    let mut written = None;
    let (mut shape, mut visible, mut answered) = (String::new(), Vec::new(), Vec::new());
    for number in 0..LAUNCHES {
        let campaign = node.api.create(&campaigns::broadcast(number)).await?;
        let begun = Instant::now();
        let dispatch = node.api.launch(&campaign).await?;
        answered.push(rounded(begun.elapsed().as_secs_f64() * 1e3));
        while !shows(&http::feed(&reader).await?.body, &campaign)? {
            if begun.elapsed() > VISIBLE_WITHIN {
                return Err(Failure::Late(format!("a feed with broadcast {campaign}")));
            }
        }
        visible.push(rounded(begun.elapsed().as_secs_f64() * 1e3));
        shape = node.api.progress(&dispatch).await?.shape;
        if written.is_none() {
            let after = Rows::count(&site.store()).await?;
            written = Some(Written::between(&before, &after));
        }
    }
    let nothing = Written {
        rows: 0,
        by_table: std::collections::BTreeMap::new(),
    };
    Ok(Broadcast {
        shape,
        written: written.unwrap_or(nothing),
        visible_ms: median(&visible),
        answered_ms: median(&answered),
        visible_ms_all: visible,
    })
}

fn shows(feed: &[u8], campaign: &str) -> Result<bool> {
    let feed: Value = serde_json::from_slice(feed).map_err(Failure::unexpected)?;
    let cards = feed.get("cards").and_then(Value::as_array);
    let is_it = |card: &Value| card.get("campaign_id").and_then(Value::as_str) == Some(campaign);
    Ok(cards.is_some_and(|cards| cards.iter().any(is_it)))
}
