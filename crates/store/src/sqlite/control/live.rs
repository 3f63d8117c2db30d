//! What feeds must know without asking per user.

use std::collections::BTreeSet;
use std::sync::Arc;

use corkboard_core::id::{CampaignId, Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::columns::id;
use super::dispatches::{self, select_dispatch};
use super::query::all;
use crate::control_store::{LiveDispatch, LiveSet};
use crate::error::Result;

/// Of the stopped and failed ones, only those that had begun. A broadcast is done when it is in
/// force; one at first impression accepts while it runs.
pub(super) const LIVE: &str = concat!(
    "SELECT live.*,
            c.state = 'active' AND (live.state = 'running'
                OR live.state = 'done' AND live.shape = 'broadcast') AS accepting
     FROM (",
    select_dispatch!(
        "WHERE d.workspace = ?1 AND d.at_read = 1 AND d.expires_at > ?2
           AND (d.state IN ('running', 'done') OR d.started_at IS NOT NULL)"
    ),
    ") live
     JOIN campaign c ON c.id = live.campaign
     WHERE c.cancelled_at IS NULL
     ORDER BY live.planned_at DESC, live.created_at DESC, live.id DESC"
);
pub(super) const CANCELLED: &str = "
    SELECT id FROM campaign
    WHERE workspace = ?1 AND cancelled_at IS NOT NULL AND cards_until > ?2";

pub(super) fn live_set(
    connection: &Connection,
    workspace: WorkspaceId,
    now: Timestamp,
) -> Result<LiveSet> {
    let key = params![workspace.to_bytes(), now.as_micros()];
    let dispatches = all(connection, LIVE, key, |row| {
        Ok(LiveDispatch {
            dispatch: Arc::new(dispatches::read(row)?),
            accepting: row.get("accepting")?,
        })
    })?;
    let cancelled: Vec<CampaignId> = all(connection, CANCELLED, key, |row| id(row, "id"))?;
    let cancelled: BTreeSet<CampaignId> = cancelled.into_iter().collect();
    Ok(LiveSet {
        dispatches,
        cancelled,
    })
}
