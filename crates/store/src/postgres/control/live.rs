//! What feeds must know without asking per user.

use std::sync::Arc;

use corkboard_core::id::WorkspaceId;
use corkboard_core::time::Timestamp;
use futures_util::future::try_join;

use super::dispatches::{self, dispatch_columns, select_dispatch};
use crate::control_store::{LiveDispatch, LiveSet};
use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, Uuid, get, id};

/// Of the stopped and failed ones, only those that had begun. A broadcast is done when it is in
/// force; one at first impression accepts while it runs.
pub(super) const LIVE: Statement = Statement::new(
    "live set: dispatches",
    concat!(
        "SELECT live.*,
                c.state = 'active' AND (live.state = 'running'
                    OR live.state = 'done' AND live.shape = 'broadcast') AS accepting
         FROM (",
        select_dispatch!(
            "WHERE d.workspace = $1 AND d.at_read AND d.expires_at > $2
               AND (d.state IN ('running', 'done') OR d.started_at IS NOT NULL)"
        ),
        ") live
         JOIN campaign c ON c.id = live.campaign
         WHERE c.cancelled_at IS NULL
         ORDER BY live.planned_at DESC, live.created_at DESC, live.id DESC"
    ),
);
pub(super) const CANCELLED: Statement = Statement::new(
    "live set: cancelled",
    "SELECT id FROM campaign
     WHERE workspace = $1 AND cancelled_at IS NOT NULL AND cards_until > $2",
);

/// A campaign that is cancelled between the two reads is missing in the first or named in the
/// second; either way its broadcasts do not show.
pub(super) async fn live_set(
    session: &Session,
    workspace: WorkspaceId,
    now: Timestamp,
) -> Result<LiveSet> {
    let (workspace, now) = (Uuid::of(workspace), Time(now));
    let (live, cancelled) = try_join(
        session.all(&LIVE, &[&workspace, &now]),
        session.all(&CANCELLED, &[&workspace, &now]),
    )
    .await?;
    let live = live.iter().map(|row| {
        Ok(LiveDispatch {
            dispatch: Arc::new(dispatches::read(row)?),
            accepting: get(row, "accepting")?,
        })
    });
    let dispatches: Result<Vec<LiveDispatch>> = live.collect();
    let cancelled: Result<_> = cancelled.iter().map(|row| id(row, "id")).collect();
    Ok(LiveSet {
        dispatches: dispatches?,
        cancelled: cancelled?,
    })
}
