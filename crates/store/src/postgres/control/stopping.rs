//! Stopping a campaign, against dispatches that begin at the same moment.
//!
//! Beginning a dispatch shares an advisory lock on the campaign, stopping has it alone: a dispatch
//! has either begun before, and is found here, or sees the campaign stopped. The lock is no row
//! lock, because thousands of triggers would write theirs into the campaign's row.

use corkboard_core::campaign::CampaignState;
use corkboard_core::dispatch::DispatchState;
use corkboard_core::id::{CampaignId, Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use tokio_postgres::Row;

use super::columns::named;
use super::dispatches;
use crate::control_store::StopOutcome;
use crate::error::{Result, StoreError};
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, Uuid, get, optional_time};

pub(super) const STATE: Statement = Statement::new(
    "stop campaign: state",
    "SELECT state, cancelled_at FROM campaign WHERE workspace = $1 AND id = $2 FOR UPDATE",
);
pub(super) const OPEN_DISPATCHES: Statement = Statement::new(
    "stop campaign: open dispatches",
    "SELECT id FROM dispatch WHERE campaign = $1 AND state IN ('planned', 'running')
     ORDER BY id FOR UPDATE",
);
pub(super) const STOP: Statement = Statement::new(
    "stop campaign",
    "UPDATE campaign SET state = 'stopped', cancelled_at = $2, updated_at = $3,
            cards_until = (SELECT max(expires_at) FROM dispatch WHERE campaign = $1)
     WHERE id = $1",
);

/// What keeps dispatches from beginning while a campaign is stopped.
pub(super) fn campaign_lock(campaign: CampaignId) -> Lock {
    Lock::of(Protects::Campaign, &[&campaign.to_bytes()])
}

/// All in one transaction. Dropping the chunks is what tells their holders: the next checkpoint
/// finds neither the chunk nor a running dispatch.
pub(super) async fn stop(
    session: &Session,
    workspace: WorkspaceId,
    campaign: CampaignId,
    remove_cards: bool,
    now: Timestamp,
) -> Result<StopOutcome> {
    session.begin_holding(campaign_lock(campaign)).await?;
    let key = Uuid::of(campaign);
    let found = session.first(&STATE, &[&Uuid::of(workspace), &key]).await?;
    let row = found.ok_or(StoreError::NotFound { what: "campaign" })?;
    let state: CampaignState = named(&row, "state", "campaign", &campaign)?;
    let cancelled_at = optional_time(&row, "cancelled_at")?;

    let open = session.all(&OPEN_DISPATCHES, &[&key]).await?;
    let open: Result<Vec<Uuid>> = open.iter().map(|row: &Row| get(row, "id")).collect();
    let stopped = dispatches::end(session, &open?, DispatchState::Stopped, now).await?;

    let newly_cancelled = remove_cards && cancelled_at.is_none();
    if newly_cancelled || state != CampaignState::Stopped {
        let cancelled_at = cancelled_at.or(newly_cancelled.then_some(now)).map(Time);
        session
            .change(&STOP, &[&key, &cancelled_at, &Time(now)])
            .await?;
    }
    session.commit().await?;
    Ok(StopOutcome {
        stopped_dispatches: u32::try_from(stopped).unwrap_or(u32::MAX),
        newly_cancelled,
    })
}
