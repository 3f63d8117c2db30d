//! Which campaigns may still give cards: what card stores must not forget about.

use corkboard_core::id::{CampaignId, Id};
use rusqlite::Connection;

use crate::error::Result;

const SENDING: &str = "SELECT id FROM campaign WHERE state <> 'stopped'";

pub(super) fn campaigns(connection: &Connection) -> Result<Vec<CampaignId>> {
    let mut statement = connection.prepare_cached(SENDING)?;
    let ids = statement.query_map([], |row| row.get(0).map(CampaignId::from_bytes))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}
